//! The command line: text typed to a resolved plan for each command, and nothing else.

mod color;
mod connection;
mod generate;
mod layers;
mod options;
mod values;

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};

use crate::{
    batch::BatchLimits,
    commands::{
        self, Guards, InputPlan,
        push::{Destination, DryRun, LedgerPlan},
        serve,
    },
    delivery::DeliveryPolicy,
    diagnostics::{self, Failure},
    input::{DuplicatePolicy, FieldSelector, InputFormat, InputOptions, Origin},
    receiver::Behavior,
    record::{TimeRules, TimeUnit, TokenEncoding},
    terminal::Terminal,
};
use connection::{connection, timeouts};
use options::{Cli, Command, InputArgs, LedgerCommand, OutputArgs, PushArgs, ServeArgs, ShapeArgs};

/// What to do.
pub(crate) enum Plan {
    Push(Box<commands::push::Plan>),
    Check(commands::check::Plan),
    Probe(Box<commands::probe::Plan>),
    Serve(serve::Plan),
    Ledger(commands::ledger::Plan),
    /// To print this, and no more.
    Print(String),
}

impl Plan {
    /// Reads this process's arguments. What can't be resolved is printed here, as is `--help`; the
    /// exit code is returned.
    pub(crate) fn from_command_line() -> Result<Self, u8> {
        let say = |failure: Failure| {
            Terminal::error(&failure);
            failure.exit_code
        };
        // To take the flags down again costs a fiftieth of a push of one record, and frees nothing that
        // the process's end does not.
        let command = Box::leak(Box::new(command_line()));
        let typed: Vec<_> = std::env::args_os().collect();
        color::choose(&typed);
        let completed = layers::complete(command, typed).map_err(say)?;
        color::choose(&completed.arguments);
        let parsed = command
            .try_get_matches_from_mut(&completed.arguments)
            .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
        let cli = parsed.map_err(|error| {
            let code = print(&error);
            for origin in completed.origins(&error.to_string()) {
                Terminal::option_origin(&origin);
            }
            code
        })?;
        resolve(cli).map_err(|failure| {
            let origins = completed.origins(&failure.to_string());
            let code = say(failure);
            for origin in origins {
                Terminal::option_origin(&origin);
            }
            code
        })
    }
}

/// All that can be typed.
fn command_line() -> clap::Command {
    Cli::command().args(layers::flags()).arg(color::flag())
}

/// Prints help, the version or what is wrong with the arguments, as clap words it.
fn print(error: &clap::Error) -> u8 {
    match error.print() {
        Err(failure) if failure.kind() != std::io::ErrorKind::BrokenPipe => {
            diagnostics::stdout_write_failed(&failure).exit_code
        }
        _ => u8::try_from(error.exit_code()).unwrap_or(2),
    }
}

fn resolve(cli: Cli) -> Result<Plan, Failure> {
    match cli.command {
        Command::Push(args) => push(*args).map(|plan| Plan::Push(Box::new(plan))),
        Command::Check(args) => Ok(Plan::Check(commands::check::Plan {
            input: input(args.input)?,
            terminal: Terminal {
                verbosity: args.verbose,
                ..terminal(&args.output)
            },
        })),
        Command::Probe(args) => Ok(Plan::Probe(Box::new(commands::probe::Plan {
            timeouts: timeouts(&args.connection),
            connection: connection(args.connection)?,
            warn_days: args.warn_days,
            terminal: terminal(&args.output),
        }))),
        Command::Serve(args) => serve(*args).map(Plan::Serve),
        Command::Ledger(command) => ledger(command).map(Plan::Ledger),
        Command::Completions { shell } => Ok(Plan::Print(generate::completions(shell))),
        Command::Man => generate::manual()
            .map(Plan::Print)
            .map_err(|error| Failure::internal("the manual can't be made", &error)),
    }
}

fn push(args: PushArgs) -> Result<commands::push::Plan, Failure> {
    let timeouts = timeouts(&args.connection);
    let terminal = Terminal {
        verbosity: args.verbose,
        ..terminal(&args.output)
    };
    let destination = if args.delivery.rehearse {
        if args.connection.names_a_server() {
            terminal.note("a rehearsal goes to its own receiver: --server and its TLS flags wait for the real push");
        }
        Destination::Rehearsal(args.connection.contract())
    } else {
        if args.connection.reflection && args.delivery.dry_run {
            return Err(Failure::usage_with_hint(
                "--dry-run contacts no server, and --reflection asks it for its contract",
                "--proto FILE or --protoset FILE tells the contract without the server",
            ));
        }
        Destination::Server(Box::new(connection(args.connection)?))
    };
    let delivery = args.delivery;
    Ok(commands::push::Plan {
        input: input(args.input)?,
        destination,
        timeouts,
        max_time: delivery.max_time,
        limits: BatchLimits {
            // No request may have more than a second's records.
            max_records: delivery
                .batch_records
                .min(delivery.rate.unwrap_or(usize::MAX)),
            max_bytes: delivery.batch_bytes,
        },
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
            jitter: |longest| longest.mul_f64(fastrand::f64()),
        },
        shard: delivery.shard,
        ledger: delivery.ledger.map(|path| LedgerPlan {
            path,
            full: delivery.full,
            max_changes: delivery.max_changes,
            refuse_shortened: delivery.refuse_shortened,
            lock_timeout: delivery.lock_timeout,
        }),
        rejects: delivery.rejects,
        metrics: args.metrics_file,
        dry_run: delivery.dry_run.then_some(DryRun {
            detailed_exit_code: delivery.detailed_exitcode,
        }),
        // Lines and a bar don't go together.
        progress: args.progress == options::ShowProgress::Auto && args.verbose == 0,
        terminal,
    })
}

fn input(args: InputArgs) -> Result<InputPlan, Failure> {
    let names_column =
        |field: &Option<FieldSelector>| matches!(field, Some(FieldSelector::Name(_)));
    if args.shape.no_header && names_column(&args.time_field) {
        return Err(no_names());
    }
    if args.shape.token_field.is_some() && args.shape.token_field == args.time_field {
        return Err(Failure::usage(
            "--token-field and --time-field name the same field",
        ));
    }
    let rules = TimeRules {
        unit: match args.time_unit {
            options::TimeUnit::S => TimeUnit::Seconds,
            options::TimeUnit::Ms => TimeUnit::Milliseconds,
        },
        zone: args.timezone,
    };
    Ok(InputPlan {
        origins: origins(args.files)?,
        options: options(
            args.shape,
            args.time_field.unwrap_or(FieldSelector::DefaultNames),
            rules,
        )?,
        max_errors: args.max_errors,
        guards: Guards {
            on_duplicate: match args.on_duplicate {
                options::OnDuplicate::Error => DuplicatePolicy::Error,
                options::OnDuplicate::First => DuplicatePolicy::First,
                options::OnDuplicate::Last => DuplicatePolicy::Last,
                options::OnDuplicate::Latest => DuplicatePolicy::Latest,
            },
            refuse_past: args.refuse_past,
            min_records: args.min_records,
            max_records: args.max_records,
            fail_on_empty: args.fail_on_empty,
        },
    })
}

fn options(
    args: ShapeArgs,
    time: FieldSelector,
    time_rules: TimeRules,
) -> Result<InputOptions, Failure> {
    if args.no_header && matches!(args.token_field, Some(FieldSelector::Name(_))) {
        return Err(no_names());
    }
    Ok(InputOptions {
        format: args.input_format.format(),
        token: args.token_field.unwrap_or(FieldSelector::DefaultNames),
        time,
        header: !args.no_header,
        delimiter: args.delimiter,
        token_encoding: args.token_encoding.encoding(),
        time_rules,
        records: args.records,
    })
}

fn no_names() -> Failure {
    Failure::usage_with_hint(
        "--no-header leaves no names to find a column by",
        "give the column's number, counted from 1",
    )
}

fn ledger(command: LedgerCommand) -> Result<commands::ledger::Plan, Failure> {
    use commands::ledger::{Action, Plan, What};
    Ok(match command {
        LedgerCommand::Show(args) => Plan {
            path: args.ledger,
            action: Action::Show,
            terminal: terminal(&args.output),
        },
        LedgerCommand::Forget(args) => {
            let rules = TimeRules {
                unit: TimeUnit::Seconds,
                zone: jiff::tz::TimeZone::UTC,
            };
            let options = options(args.shape, FieldSelector::Unused, rules)?;
            Plan {
                path: args.ledger,
                action: Action::Forget {
                    what: match (args.target, args.tokens) {
                        (Some(target), _) => What::Target(target),
                        (None, Some(file)) => What::Tokens {
                            origins: origins(vec![file])?,
                            options,
                        },
                        (None, None) => What::All,
                    },
                    patience: args.lock_timeout,
                },
                terminal: terminal(&args.output),
            }
        }
    })
}

fn origins(files: Vec<PathBuf>) -> Result<Vec<Origin>, Failure> {
    if files.is_empty() {
        return Ok(vec![Origin::Stdin]);
    }
    let origins: Vec<_> = files
        .into_iter()
        .map(|file| match file.to_str() {
            Some("-") => Origin::Stdin,
            _ => Origin::File(file),
        })
        .collect();
    // It would be empty the second time.
    if origins.iter().filter(|one| **one == Origin::Stdin).count() > 1 {
        return Err(Failure::usage("standard input can be read only once"));
    }
    Ok(origins)
}

fn serve(args: ServeArgs) -> Result<serve::Plan, Failure> {
    if args.store.is_some() && args.store == args.dump {
        return Err(Failure::usage("--store and --dump name the same file"));
    }
    Ok(serve::Plan {
        listen: args.listen,
        security: if args.plaintext {
            serve::Security::Plaintext
        } else {
            serve::Security::Tls {
                identity: args.cert.zip(args.key),
                client_ca: args.client_ca,
                write_cacert: args.write_cacert,
            }
        },
        store: args.store,
        dump: args.dump.map(|file| match file.to_str() {
            Some("-") => serve::Dump::Stdout,
            _ => serve::Dump::File(file),
        }),
        token_encoding: args.token_encoding.encoding(),
        behavior: Behavior {
            code: args.code,
            fail_first: args.fail_first,
            delay: args.delay,
            max_message_size: args.max_message_size,
        },
        terminal: terminal(&args.output),
    })
}

fn terminal(args: &OutputArgs) -> Terminal {
    Terminal {
        json: args.output == options::OutputFormat::Json,
        quiet: args.quiet,
        verbosity: 0,
    }
}

impl options::InputFormat {
    fn format(self) -> Option<InputFormat> {
        match self {
            Self::Auto => None,
            Self::Csv => Some(InputFormat::Csv),
            Self::Tsv => Some(InputFormat::Tsv),
            Self::Json => Some(InputFormat::Json),
            Self::Ndjson => Some(InputFormat::Ndjson),
            Self::Protojson => Some(InputFormat::ProtoJson),
        }
    }
}

impl options::TokenEncoding {
    fn encoding(self) -> TokenEncoding {
        match self {
            Self::Utf8 => TokenEncoding::Utf8,
            Self::Hex => TokenEncoding::Hex,
            Self::Base64 => TokenEncoding::Base64,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_consistent() {
        super::command_line().debug_assert();
    }
}
