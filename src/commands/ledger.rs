//! The `ledger` command: shows the content of a ledger, or removes tokens from a ledger.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    diagnostics::{self, Failure},
    input::{DuplicatePolicy, InputOptions, InputSource, ValidationRules, validate},
    ledger::{self, ForgetOutcome, ForgetSelection, LedgerError},
    report::{ForgetReport, LedgerReport},
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
        scope: ForgetScope,
        /// The maximum time to wait while a push holds the lock of the ledger.
        lock_timeout: Duration,
    },
}

/// The tokens that are removed from the ledger.
pub(crate) enum ForgetScope {
    All,
    /// The tokens of all records that the server with this `:authority` acknowledged.
    Authority(String),
    /// The tokens of an input. These tokens are removed for all servers.
    Tokens {
        sources: Vec<InputSource>,
        options: InputOptions,
    },
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let result = match &plan.action {
        Action::Show => show(&plan.path, plan.terminal),
        Action::Forget {
            scope,
            lock_timeout,
        } => forget(&plan.path, scope, *lock_timeout, plan.terminal),
    };
    result.unwrap_or_else(|failure| {
        Terminal::error(&failure);
        failure.exit_code
    })
}

fn show(path: &Path, terminal: Terminal) -> Result<u8, Failure> {
    let targets = ledger::list_targets(path).map_err(|error| ledger_failure(path, &error))?;
    let report = LedgerReport::new(&targets);
    Ok(terminal.print_report(&report, 0, || report.to_text()))
}

fn forget(
    path: &Path,
    scope: &ForgetScope,
    lock_timeout: Duration,
    terminal: Terminal,
) -> Result<u8, Failure> {
    let outcome = match scope {
        ForgetScope::All => ledger::forget(path, ForgetSelection::All, lock_timeout),
        ForgetScope::Authority(name) => {
            ledger::forget(path, ForgetSelection::Authority(name), lock_timeout)
        }
        ForgetScope::Tokens { sources, options } => {
            let tokens = read_tokens(sources, options)?;
            ledger::forget(path, ForgetSelection::Tokens(&tokens), lock_timeout)
        }
    };
    match (
        outcome.map_err(|error| ledger_failure(path, &error))?,
        scope,
    ) {
        (ForgetOutcome::UnknownAuthority { authorities }, ForgetScope::Authority(name)) => {
            Err(diagnostics::ledger_target_unknown(name, &authorities))
        }
        (ForgetOutcome::UnknownAuthority { .. }, _) => Ok(0),
        (ForgetOutcome::Forgotten { tokens }, _) => {
            let report = ForgetReport { forgotten: tokens };
            Ok(terminal.print_report(&report, 0, || report.to_text()))
        }
    }
}

/// Reads the tokens of the whole input before the ledger is changed. If a record is invalid, the
/// ledger stays unchanged.
fn read_tokens(sources: &[InputSource], options: &InputOptions) -> Result<Vec<Box<[u8]>>, Failure> {
    let rules = ValidationRules {
        // Expiration times are not read, so duplicates of a token cannot conflict. The first record
        // of each token is enough.
        on_duplicate: DuplicatePolicy::First,
        ..ValidationRules::default()
    };
    let mut input = validate(sources, options.clone(), &rules);
    if input.has_problems() {
        return Err(diagnostics::input_refused(
            &input.counts,
            &input.problems,
            "forgotten",
        ));
    }
    let mut tokens = Vec::new();
    let mut records = input.records();
    let mut next_token = || records.next(|record| record.token.as_bytes().into());
    while let Some(token) = next_token().map_err(|problem| diagnostics::input_changed(&problem))? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn ledger_failure(path: &Path, error: &LedgerError) -> Failure {
    match error {
        LedgerError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            diagnostics::ledger_missing(path)
        }
        error => diagnostics::ledger_unusable(path, error),
    }
}
