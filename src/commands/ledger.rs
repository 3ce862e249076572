//! `ledger`: looks into a ledger, or makes it forget.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    diagnostics::Failure,
    input::{OnDuplicate, Options, Origin, Rules, validate},
    ledger::{self, Forget, Forgotten, LedgerError},
    report::{ForgottenReport, LedgerReport},
    terminal::Output,
};

pub(crate) struct Plan {
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    pub(crate) output: Output,
}

pub(crate) enum Action {
    Show,
    Forget {
        what: What,
        /// How long a push that has the ledger is waited for.
        patience: Duration,
    },
}

/// What to forget.
pub(crate) enum What {
    All,
    /// By its `:authority`.
    Target(String),
    Tokens {
        origins: Vec<Origin>,
        options: Options,
    },
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let done = match &plan.action {
        Action::Show => show(&plan.path, plan.output),
        Action::Forget { what, patience } => forget(&plan.path, what, *patience, plan.output),
    };
    done.unwrap_or_else(|failure| {
        Output::error(&failure);
        failure.exit_code
    })
}

fn show(path: &Path, output: Output) -> Result<u8, Failure> {
    let targets = ledger::show(path).map_err(|error| failure(path, &error))?;
    let report = LedgerReport::new(&targets);
    Ok(output.report(&report, 0, || report.text()))
}

fn forget(path: &Path, what: &What, patience: Duration, output: Output) -> Result<u8, Failure> {
    let forgotten = match what {
        What::All => ledger::forget(path, Forget::All, patience),
        What::Target(name) => ledger::forget(path, Forget::Authority(name), patience),
        What::Tokens { origins, options } => {
            let tokens = tokens(origins, options)?;
            ledger::forget(path, Forget::Tokens(&tokens), patience)
        }
    };
    match (forgotten.map_err(|error| failure(path, &error))?, what) {
        (Forgotten::NoTarget(targets), What::Target(name)) => {
            Err(Failure::no_target(name, &targets))
        }
        (Forgotten::NoTarget(_), _) => Ok(0),
        (Forgotten::Tokens(tokens), _) => {
            let report = ForgottenReport { forgotten: tokens };
            Ok(output.report(&report, 0, || report.text()))
        }
    }
}

/// Reads everything before anything is forgotten.
fn tokens(origins: &[Origin], options: &Options) -> Result<Vec<Box<[u8]>>, Failure> {
    let rules = Rules {
        // They differ in nothing that is looked at.
        on_duplicate: OnDuplicate::First,
        ..Rules::default()
    };
    let mut input = validate(origins, options.clone(), &rules);
    if input.is_refused() {
        return Err(Failure::refused(
            &input.counts,
            &input.problems,
            "forgotten",
        ));
    }
    let mut tokens = Vec::new();
    let mut records = input.records();
    let mut next = || records.next(|record| record.token.as_bytes().into());
    while let Some(token) = next().map_err(|problem| Failure::changed(&problem))? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn failure(path: &Path, error: &LedgerError) -> Failure {
    match error {
        LedgerError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            Failure::no_ledger(path)
        }
        error => Failure::ledger(path, error),
    }
}
