//! Turns options into the plan of `ledger show` or `ledger forget`.

use jiff::tz::TimeZone;

use super::{
    input::{input_options, input_sources},
    terminal::terminal,
};
use crate::{
    cli::options::{LedgerCommand, LedgerForgetArgs},
    commands::ledger::{Action, ForgetScope, Plan},
    diagnostics::Failure,
    input::FieldSelector,
    record::{TimeRules, TimeUnit},
};

pub(super) fn ledger_plan(command: LedgerCommand) -> Result<Plan, Failure> {
    match command {
        LedgerCommand::Show(args) => Ok(Plan {
            path: args.ledger,
            action: Action::Show,
            terminal: terminal(&args.output),
        }),
        LedgerCommand::Forget(args) => forget_plan(*args),
    }
}

fn forget_plan(args: LedgerForgetArgs) -> Result<Plan, Failure> {
    // `ledger forget` reads only tokens, so these rules for expiration times have no effect.
    let time_rules = TimeRules {
        unit: TimeUnit::Seconds,
        zone: TimeZone::UTC,
    };
    let options = input_options(args.format, FieldSelector::Unused, time_rules)?;
    let scope = match (args.target, args.tokens) {
        (Some(authority), _) => ForgetScope::Authority(authority),
        (None, Some(file)) => ForgetScope::Tokens {
            sources: input_sources(vec![file])?,
            options,
        },
        (None, None) => ForgetScope::All,
    };
    Ok(Plan {
        path: args.ledger,
        action: Action::Forget {
            scope,
            lock_timeout: args.lock_timeout,
        },
        terminal: terminal(&args.output),
    })
}
