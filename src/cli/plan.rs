//! Turns the parsed options of a command into the plan of the command.

use std::{env, path::PathBuf};

use super::{
    generate,
    input_plan::{input_plan, token_input},
    options::{
        Cli, Command, ConnectionArgs, Deferred, DeliveryArgs, LedgerCommand, PushArgs, ServeArgs,
    },
};
use crate::{
    batch::BatchLimits,
    commands::{
        ConnectionPlan, ContractPlan, ContractSource, IdentityFiles, Timeouts, TlsPlan, check,
        completions,
        ledger::{self, Action, ForgetScope},
        man, probe,
        push::{self, Destination, DryRun, LedgerPlan, MetricsPlan},
        serve::{self, DumpDestination, ReceiverTls},
    },
    delivery::DeliveryPolicy,
    diagnostics::Failure,
    proxy::{EnvironmentVariable, ProxySettings},
    receiver::Behavior,
    report::MetricsLabel,
    terminal::Terminal,
    user_path::{UserPath, describe_value},
};

pub(crate) enum Plan {
    Push(Box<push::Plan>),
    Check(check::Plan),
    Probe(Box<probe::Plan>),
    Serve(serve::Plan),
    Ledger(ledger::Plan),
    Completions(completions::Plan),
    Man(man::Plan),
}

impl Plan {
    /// Turns the parsed options into the plan of the command.
    ///
    /// # Errors
    ///
    /// Options contradict each other in a way that clap does not check.
    pub(super) fn from_options(cli: Cli) -> Result<Self, Failure> {
        match cli.command {
            Command::Push(Deferred(args)) => {
                push_plan(*args).map(|plan| Self::Push(Box::new(plan)))
            }
            Command::Check(Deferred(args)) => Ok(Self::Check(check::Plan {
                input: input_plan(args.input)?,
                listed_period: args.list_expiring,
                terminal: args.output.terminal(),
            })),
            Command::Probe(Deferred(args)) => Ok(Self::Probe(Box::new(probe::Plan {
                timeouts: timeouts(&args.connection),
                connection: connection_plan(args.connection)?,
                warn_days: args.warn_days,
                terminal: args.output.terminal(),
            }))),
            Command::Serve(Deferred(args)) => Ok(Self::Serve(serve_plan(*args))),
            Command::Ledger(command) => ledger_plan(command).map(Self::Ledger),
            Command::Completions(Deferred(args)) => Ok(Self::Completions(completions::Plan {
                script: generate::completions(args.shell),
                installation: generate::installation(args.shell),
                terminal: args.messages.terminal(),
            })),
            Command::Man(Deferred(args)) => Ok(Self::Man(man::Plan {
                pages: generate::man_pages(),
                folder: args.dir,
                terminal: args.messages.terminal(),
            })),
        }
    }
}

fn push_plan(args: PushArgs) -> Result<push::Plan, Failure> {
    let timeouts = timeouts(&args.connection);
    let terminal = args.output.terminal();
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
    Ok(push::Plan {
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
            max_missing: delivery.max_missing,
            refuses_shortened: delivery.refuse_shortened,
            changes_file: delivery.changes,
            lock_timeout: delivery.lock_timeout,
        }),
        rejects_file: delivery.rejects,
        metrics: metrics_plan(args.metrics_file, args.metrics_label)?,
        dry_run: delivery.dry_run.then_some(DryRun {
            has_detailed_exit_code: delivery.detailed_exitcode,
        }),
        // With `--verbose`, the progress bar is hidden, because the notes would be printed into its
        // line.
        shows_progress: args.progress == "auto" && terminal.verbosity == 0,
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
        if delivery.ledger.is_some() {
            terminal.note("--rehearse ignores --ledger and its guards");
        }
        if has_reflection {
            contract.source = ContractSource::BuiltIn;
        }
        return Ok(Destination::Rehearsal(contract));
    }
    let plan = connection_plan(connection)?;
    Ok(Destination::Server(Box::new(plan)))
}

/// Ignores the labels if there is no file.
fn metrics_plan(
    file: Option<PathBuf>,
    labels: Vec<MetricsLabel>,
) -> Result<Option<MetricsPlan>, Failure> {
    let Some(path) = file else {
        return Ok(None);
    };
    for (index, MetricsLabel { name, .. }) in labels.iter().enumerate() {
        if labels[..index].iter().any(|label| label.name == *name) {
            return Err(Failure::usage(format!(
                "--metrics-label \"{}\" is given more than once",
                describe_value(name)
            )));
        }
    }
    Ok(Some(MetricsPlan { path, labels }))
}

fn serve_plan(args: ServeArgs) -> serve::Plan {
    serve::Plan {
        listen_address: args.listen,
        tls: (!args.plaintext).then(|| ReceiverTls {
            identity: identity_files(args.cert, args.key),
            client_ca_file: args.client_ca,
            cacert_output: args.write_cacert,
        }),
        store_file: args.store,
        dump: args.dump.map(|file| match file.to_str() {
            Some("-") => DumpDestination::Stdout,
            _ => DumpDestination::File(file),
        }),
        token_encoding: args.token_encoding,
        behavior: Behavior {
            code: args.code,
            fail_first: args.fail_first,
            delay: args.delay,
            max_message_size: args.max_message_size,
        },
        terminal: args.output.terminal(),
    }
}

fn ledger_plan(command: LedgerCommand) -> Result<ledger::Plan, Failure> {
    let (common, action) = match command {
        LedgerCommand::Show(Deferred(args)) => {
            let args = *args;
            let tokens = args.tokens.map(|file| token_input(file, args.format));
            let tokens = tokens.transpose()?;
            (args.common, Action::Show { tokens })
        }
        LedgerCommand::Forget(Deferred(args)) => {
            let args = *args;
            let scope = match (args.target, args.tokens) {
                (Some(authority), _) => ForgetScope::Authority(authority),
                (None, Some(file)) => ForgetScope::Tokens(token_input(file, args.format)?),
                (None, None) => ForgetScope::All,
            };
            let lock_timeout = args.lock_timeout;
            (
                args.common,
                Action::Forget {
                    scope,
                    lock_timeout,
                },
            )
        }
    };
    Ok(ledger::Plan {
        path: common.ledger,
        action,
        terminal: common.output.terminal(),
    })
}

fn connection_plan(args: ConnectionArgs) -> Result<ConnectionPlan, Failure> {
    let contract = contract_plan(&args);
    let endpoint = args.server.ok_or_else(|| {
        // Clap has already refused `probe` without a server.
        Failure::usage_with_hint(
            "push needs a server",
            "pass --server HOST:PORT, or --rehearse to push to a receiver inside this process",
        )
    })?;
    Ok(ConnectionPlan {
        endpoint,
        tls: (!args.plaintext).then(|| TlsPlan {
            trusted_certificates: args.cacert,
            identity: identity_files(args.cert, args.key),
            skips_verification: args.insecure,
            allows_common_name: args.allow_common_name,
        }),
        server_name: args.servername,
        authority: args.authority,
        headers: args.header,
        bearer_token_file: args.bearer_token_file,
        user_agent_prefix: args.user_agent,
        sends_gzip: args.compress.is_some(),
        proxy_settings: ProxySettings {
            flag: args.proxy,
            environment: first_variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            exceptions: first_variable(&["NO_PROXY", "no_proxy"])
                .map(|variable| variable.value)
                .unwrap_or_default(),
        },
        keepalive_interval: args.keepalive_time,
        contract,
    })
}

/// One file may hold both the certificate and the key.
fn identity_files(certificate: Option<UserPath>, key: Option<UserPath>) -> Option<IdentityFiles> {
    let only = certificate.clone().or_else(|| key.clone())?;
    Some(IdentityFiles {
        certificate: certificate.unwrap_or_else(|| only.clone()),
        key: key.unwrap_or(only),
    })
}

/// Returns the first of these environment variables that is set to a value that is not empty.
fn first_variable(names: &[&'static str]) -> Option<EnvironmentVariable> {
    names.iter().find_map(|name| {
        let value = env::var(name).ok()?;
        (!value.is_empty()).then_some(EnvironmentVariable { name, value })
    })
}

fn timeouts(args: &ConnectionArgs) -> Timeouts {
    Timeouts {
        connect: args.connect_timeout,
        request: args.timeout,
    }
}

fn contract_plan(args: &ConnectionArgs) -> ContractPlan {
    ContractPlan {
        method: args.method.clone(),
        // Clap has already refused more than one of these options.
        source: match (&args.proto, &args.protoset, args.reflection) {
            (Some(file), ..) => ContractSource::Proto {
                file: file.clone(),
                import_paths: args.import_path.clone(),
            },
            (_, Some(file), _) => ContractSource::DescriptorSet(file.clone()),
            (.., true) => ContractSource::Reflection,
            (None, None, false) => ContractSource::BuiltIn,
        },
    }
}
