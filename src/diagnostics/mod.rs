//! The failures of commands: the kind, the exit code and the hint for each error. Errors word
//! themselves.
//!
//! [`failure`] defines [`Failure`], and [`text`] formats it as text. Each other file belongs to one
//! area, such as TLS or the ledger.

mod call;
mod connection;
mod contract;
mod escape;
mod failure;
mod format;
mod github_actions;
mod gitlab_code_quality;
mod input;
mod junit;
mod ledger;
mod options;
mod outputs;
mod problem;
mod run;
mod text;
mod tls;

pub(crate) use self::{
    call::{attempt_failed, call_failed},
    connection::connection_failed,
    contract::contract_unusable,
    escape::escape,
    failure::{EXIT_INTERNAL, EXIT_WOULD_SEND, Failure, FailureKind},
    format::{count_noun, format_timestamp},
    github_actions::{github_annotations, github_step_summary},
    gitlab_code_quality::gitlab_code_quality,
    input::{
        describe_missing, expirations_shortened, guards_violated, input_empty,
        input_not_read_again, input_refused, input_warnings, record_count_refused,
        too_many_changes, too_many_missing,
    },
    junit::junit,
    ledger::{describe_new_address, existing_ledger_unusable, ledger_unusable},
    options::{metadata_invalid, time_invalid},
    outputs::{
        file_write_failed, listen_failed, rejects_incomplete, start_failed, stdout_write_failed,
        store_unusable, thread_not_started,
    },
    problem::InputProblem,
    run::{
        command_interrupted, counts_inconsistent, describe_open_requests, max_time_passed,
        max_time_passed_before_requests, partially_acknowledged, push_interrupted,
        rehearsal_differs, unexpected_response_codes, with_rejected_record, with_unknown_outcomes,
    },
};
