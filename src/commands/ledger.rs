//! The `ledger` command: shows the content of a ledger or the times of some tokens, or removes tokens from a ledger.

use std::{path::PathBuf, time::Duration};

use serde_json::json;

use super::input::validate_input;
use crate::{
    diagnostics::{self, Failure},
    input::{DuplicatePolicy, InputOptions, InputSource, ValidationRules},
    ledger,
    report::{TokenTimes, format_ledger},
    terminal::Terminal,
    user_path::UserPath,
};

pub(crate) struct Plan {
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    pub(crate) terminal: Terminal,
}

pub(crate) enum Action {
    Show {
        tokens: Option<TokenInput>,
    },
    Forget {
        scope: ForgetScope,
        lock_timeout: Duration,
    },
}

pub(crate) enum ForgetScope {
    All,
    /// The tokens of all records that the server with this `:authority` acknowledged.
    Authority(String),
    /// These tokens are removed for all servers.
    Tokens(TokenInput),
}

/// An input of which only the tokens are read.
pub(crate) struct TokenInput {
    pub(crate) sources: Vec<InputSource>,
    pub(crate) options: InputOptions,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(plan: &Plan) -> u8 {
    let path = UserPath::from(plan.path.as_path());
    plan.terminal.detail(1, || format!("ledger: {path}"));
    plan.terminal.print_result(match &plan.action {
        Action::Show { tokens: None } => show(plan),
        Action::Show {
            tokens: Some(tokens),
        } => show_tokens(plan, tokens),
        Action::Forget {
            scope,
            lock_timeout,
        } => forget(plan, scope, *lock_timeout),
    })
}

fn show(Plan { path, terminal, .. }: &Plan) -> Result<u8, Failure> {
    let summary = ledger::summarize(path)
        .map_err(|error| diagnostics::existing_ledger_unusable(path, &error))?;
    Ok(terminal.print_report(&summary, 0, || format_ledger(&summary)))
}

fn show_tokens(plan: &Plan, input: &TokenInput) -> Result<u8, Failure> {
    let Plan { path, terminal, .. } = plan;
    let tokens = read_tokens(input, "shown", *terminal)?;
    let mut targets = ledger::load_known_times(path)
        .map_err(|error| diagnostics::existing_ledger_unusable(path, &error))?;
    let report = TokenTimes::find(&tokens, input.options.token_encoding, &mut targets);
    Ok(terminal.print_report(&report, 0, || report.to_csv()))
}

fn forget(plan: &Plan, scope: &ForgetScope, lock_timeout: Duration) -> Result<u8, Failure> {
    let Plan { path, terminal, .. } = plan;
    let forgotten = match scope {
        ForgetScope::All => ledger::forget(path, None, None, lock_timeout),
        ForgetScope::Authority(name) => ledger::forget(path, Some(name), None, lock_timeout),
        ForgetScope::Tokens(input) => {
            let tokens = read_tokens(input, "forgotten", *terminal)?;
            ledger::forget(path, None, Some(&tokens), lock_timeout)
        }
    };
    let forgotten =
        forgotten.map_err(|error| diagnostics::existing_ledger_unusable(path, &error))?;
    let text = || format!("{} forgotten", diagnostics::count_noun(forgotten, "token"));
    Ok(terminal.print_report(&json!({ "forgotten": forgotten }), 0, text))
}

/// Reads the tokens of the whole input before the ledger is changed. If a record is invalid, the
/// ledger stays unchanged. `skipped_action` is as for [`diagnostics::input_refused`].
fn read_tokens(
    input: &TokenInput,
    skipped_action: &str,
    terminal: Terminal,
) -> Result<Vec<Box<[u8]>>, Failure> {
    let rules = ValidationRules {
        // Expiration times are not read, so duplicates of a token cannot conflict.
        on_duplicate: DuplicatePolicy::First,
        ..ValidationRules::default()
    };
    let mut input = validate_input(&input.sources, &input.options, &rules, terminal);
    if input.has_problems() {
        return Err(diagnostics::input_refused(
            &input.counts,
            &input.problems,
            skipped_action,
        ));
    }
    let mut tokens = Vec::new();
    let mut records = input.records();
    let mut next_token = || records.next(|record| record.token.as_bytes().into());
    while let Some(token) =
        next_token().map_err(|problem| diagnostics::input_not_read_again(&problem))?
    {
        tokens.push(token);
    }
    Ok(tokens)
}
