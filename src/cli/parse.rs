//! Parses the arguments of this process.

use std::{env, io};

use clap::{
    FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    command_line::clap_command,
    layers::MergedArguments,
    options::{Cli, Command},
    plan::Plan,
    shared_files::refuse_shared_files,
    typed::TypedArguments,
};
use crate::{
    diagnostics::{self, Failure},
    report::Summary,
    terminal::Terminal,
    user_path::describe_value,
};

/// Parses the arguments of this process, together with the environment and the config file.
///
/// # Errors
///
/// Returns the exit code if there is no command to run. The help text, the version or an error has
/// already been printed.
pub(crate) fn parse_command_line() -> Result<Plan, u8> {
    let command = clap_command();
    let typed = TypedArguments::read(&command, env::args_os());
    let merged = MergedArguments::new(typed).map_err(|failure| print_failure(&failure))?;
    let mut shared = Ok(());
    let parsed = merged
        .relax(command)
        .try_get_matches_from(&merged.arguments)
        .and_then(|mut matches| {
            shared = refuse_shared_files(&matches, merged.config_file.as_deref());
            Cli::from_arg_matches_mut(&mut matches)
        });
    let cli = parsed.map_err(|mut error| {
        hide_secrets(&mut error);
        let exit_code = print_clap_error(&error);
        merged.print_origins(&error.to_string());
        exit_code
    })?;
    let terminal = cli.command.terminal();
    merged.print_all_origins(terminal);
    let json_terminal = prints_summary(&cli.command).then_some(terminal);
    let json_terminal = json_terminal.filter(|terminal| terminal.json);
    let plan = shared.and_then(|()| Plan::from_options(cli));
    plan.map_err(|failure| {
        let text = failure.to_string();
        let exit_code = match json_terminal {
            Some(terminal) => {
                let mut summary = Summary::new(None);
                summary.finish(Some(failure));
                terminal.print_summary(&summary)
            }
            None => print_failure(&failure),
        };
        merged.print_origins(&text);
        exit_code
    })
}

/// Returns whether the command prints a summary, also if its options are wrong.
fn prints_summary(command: &Command) -> bool {
    matches!(command, Command::Push(_) | Command::Check(_))
}

fn print_failure(failure: &Failure) -> u8 {
    Terminal::error(failure);
    failure.exit_code
}

/// Replaces each value that the error quotes, unless messages may show it.
fn hide_secrets(error: &mut clap::Error) {
    let quoted = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => ContextKind::InvalidValue,
    };
    let Some(ContextValue::String(value)) = error.get(quoted) else {
        return;
    };
    let shown = describe_value(value);
    if shown != *value {
        error.insert(quoted, ContextValue::String(shown));
        // The suggestions quote the value, too.
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
}

/// Prints clap's own output, which is the help text, the version or an error. Returns the exit
/// code.
fn print_clap_error(error: &clap::Error) -> u8 {
    match error.print() {
        // An error is reported by its exit code if standard error cannot be written.
        Err(write_error)
            if !error.use_stderr() && write_error.kind() != io::ErrorKind::BrokenPipe =>
        {
            print_failure(&diagnostics::stdout_write_failed(&write_error))
        }
        _ => u8::try_from(error.exit_code()).unwrap_or(2),
    }
}
