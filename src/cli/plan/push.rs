//! Turns options into the plan of `push`.

use super::{
    connection::{connection_plan, contract_plan, timeouts},
    input::input_plan,
    terminal::terminal_with_verbosity,
};
use crate::{
    batch::BatchLimits,
    cli::options::{ConnectionArgs, DeliveryArgs, PushArgs, ShowProgress},
    commands::{
        ContractSource,
        push::{Destination, DryRun, LedgerPlan, Plan},
    },
    delivery::DeliveryPolicy,
    diagnostics::Failure,
    terminal::Terminal,
};

pub(super) fn push_plan(args: PushArgs) -> Result<Plan, Failure> {
    let timeouts = timeouts(&args.connection);
    let terminal = terminal_with_verbosity(&args.output, args.verbose);
    let destination = destination(args.connection, &args.delivery, terminal)?;
    let delivery = args.delivery;
    let batch_limits = BatchLimits {
        // A request is sent all at once, so it must not contain more records than `--rate` allows
        // per second.
        max_records: delivery
            .batch_records
            .min(delivery.rate.unwrap_or(usize::MAX)),
        max_bytes: delivery.batch_bytes,
    };
    Ok(Plan {
        input: input_plan(args.input)?,
        destination,
        timeouts,
        max_time: delivery.max_time,
        batch_limits,
        policy: DeliveryPolicy {
            concurrency: delivery.concurrency,
            max_retries: delivery.retry,
            base_delay: delivery.retry_delay,
            max_delay: delivery.retry_max_delay,
            ok_codes: match delivery.ok_code {
                codes if codes.is_empty() => vec![0],
                codes => codes,
            },
            isolates_invalid_records: delivery.isolate,
            max_records_per_second: delivery.rate.map(|rate| rate as u64),
            deadline: None,
            jitter: |max_delay| max_delay.mul_f64(fastrand::f64()),
        },
        shard: delivery.shard,
        ledger: delivery.ledger.map(|path| LedgerPlan {
            path,
            sends_unchanged: delivery.full,
            max_changes: delivery.max_changes,
            refuses_shortened: delivery.refuse_shortened,
            lock_timeout: delivery.lock_timeout,
        }),
        rejects_file: delivery.rejects,
        metrics_file: args.metrics_file,
        dry_run: delivery.dry_run.then_some(DryRun {
            has_detailed_exit_code: delivery.detailed_exitcode,
        }),
        // With `--verbose`, the progress bar is hidden, because the notes would be printed into its
        // line.
        shows_progress: args.progress == ShowProgress::Auto && args.verbose == 0,
        terminal,
    })
}

fn destination(
    connection: ConnectionArgs,
    delivery: &DeliveryArgs,
    terminal: Terminal,
) -> Result<Destination, Failure> {
    if delivery.rehearse {
        let mut contract = contract_plan(&connection);
        let has_reflection = contract.source == ContractSource::Reflection;
        if connection.server.is_some() || has_reflection {
            terminal.note(
                "--rehearse ignores --server, --reflection and the other options of the connection",
            );
        }
        if has_reflection {
            contract.source = ContractSource::BuiltIn;
        }
        return Ok(Destination::Rehearsal(contract));
    }
    let plan = connection_plan(connection)?;
    Ok(Destination::Server(Box::new(plan)))
}
