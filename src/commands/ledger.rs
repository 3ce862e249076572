//! `ledger`: looks into a ledger, or makes it forget.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    diagnostics::{self, Failure},
    input::{DuplicatePolicy, InputOptions, Origin, ValidationRules, validate},
    ledger::{self, ForgetOutcome, ForgetSelection, LedgerError},
    report::{ForgottenReport, LedgerReport},
    terminal::Terminal,
};

pub(crate) struct Plan {
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    pub(crate) terminal: Terminal,
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
        options: InputOptions,
    },
}

pub(crate) fn run(plan: &Plan) -> u8 {
    let done = match &plan.action {
        Action::Show => show(&plan.path, plan.terminal),
        Action::Forget { what, patience } => forget(&plan.path, what, *patience, plan.terminal),
    };
    done.unwrap_or_else(|failure| {
        Terminal::error(&failure);
        failure.exit_code
    })
}

fn show(path: &Path, terminal: Terminal) -> Result<u8, Failure> {
    let targets = ledger::list_targets(path).map_err(|error| failure(path, &error))?;
    let report = LedgerReport::new(&targets);
    Ok(terminal.print_report(&report, 0, || report.to_text()))
}

fn forget(path: &Path, what: &What, patience: Duration, terminal: Terminal) -> Result<u8, Failure> {
    let forgotten = match what {
        What::All => ledger::forget(path, ForgetSelection::All, patience),
        What::Target(name) => ledger::forget(path, ForgetSelection::Authority(name), patience),
        What::Tokens { origins, options } => {
            let tokens = tokens(origins, options)?;
            ledger::forget(path, ForgetSelection::Tokens(&tokens), patience)
        }
    };
    match (forgotten.map_err(|error| failure(path, &error))?, what) {
        (
            ForgetOutcome::UnknownAuthority {
                authorities: targets,
            },
            What::Target(name),
        ) => Err(diagnostics::ledger_target_unknown(name, &targets)),
        (ForgetOutcome::UnknownAuthority { .. }, _) => Ok(0),
        (ForgetOutcome::Forgotten { tokens }, _) => {
            let report = ForgottenReport { forgotten: tokens };
            Ok(terminal.print_report(&report, 0, || report.to_text()))
        }
    }
}

/// Reads everything before anything is forgotten.
fn tokens(origins: &[Origin], options: &InputOptions) -> Result<Vec<Box<[u8]>>, Failure> {
    let rules = ValidationRules {
        // They differ in nothing that is looked at.
        on_duplicate: DuplicatePolicy::First,
        ..ValidationRules::default()
    };
    let mut input = validate(origins, options.clone(), &rules);
    if input.has_problems() {
        return Err(diagnostics::input_refused(
            &input.counts,
            &input.problems,
            "forgotten",
        ));
    }
    let mut tokens = Vec::new();
    let mut records = input.records();
    let mut next = || records.next(|record| record.token.as_bytes().into());
    while let Some(token) = next().map_err(|problem| diagnostics::input_changed(&problem))? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn failure(path: &Path, error: &LedgerError) -> Failure {
    match error {
        LedgerError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            diagnostics::ledger_missing(path)
        }
        error => diagnostics::ledger_unusable(path, error),
    }
}
