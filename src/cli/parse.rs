//! Parses the arguments of this process.

use std::{env, ffi::OsString, io};

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
    report::{ProbeReport, Summary},
    terminal::{ErrorFormat, Terminal},
    user_path::describe_value,
};

/// Parses the arguments of this process, together with the environment and the config file.
///
/// # Errors
///
/// Returns the exit code if there is no command to run. The help text, the version or an error has
/// already been printed.
pub(crate) fn parse_command_line() -> Result<Plan, u8> {
    let arguments: Vec<_> = env::args_os().collect();
    // A file may have the name of a command, so the command that runs may not be the only one that
    // gets its options here.
    let command = clap_command(|name| arguments.iter().any(|argument| argument == name));
    let typed = TypedArguments::read(&command, arguments);
    let name = typed.command.get_name().to_owned();
    let is_typed = typed.value_of("output").is_some();
    let variable = env::var_os("SENSOR_LICENSE_OUTPUT").filter(|_| !is_typed);
    let wants_json = is_json(&typed.arguments) || variable.is_some_and(|format| format == "json");
    let merged = MergedArguments::new(typed).map_err(|failure| {
        Terminal::error(&failure);
        print_report(&name, wants_json, failure)
    })?;
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
        if exit_code == 2 {
            let wants_json = wants_json || is_json(&merged.arguments);
            print_report(&name, wants_json, to_failure(&error))
        } else {
            exit_code
        }
    })?;
    let terminal = cli.command.terminal();
    merged.print_all_origins(terminal);
    let prints_summary = matches!(cli.command, Command::Push(_) | Command::Check(_));
    let plan = shared.and_then(|()| Plan::from_options(cli));
    plan.map_err(|failure| {
        let text = failure.to_string();
        let exit_code = if prints_summary && terminal.error_format != ErrorFormat::Text {
            terminal.print_summary(&summary_of(failure))
        } else {
            Terminal::error(&failure);
            print_report(&name, terminal.json, failure)
        };
        merged.print_origins(&text);
        exit_code
    })
}

/// Returns whether the arguments ask for JSON, also if clap refuses them.
fn is_json(arguments: &[OsString]) -> bool {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    let mut is_value = false;
    options.any(|argument| {
        let is_json = argument == "--output=json" || is_value && argument == "json";
        is_value = argument == "--output";
        is_json
    })
}

/// Prints the report of a command whose options are wrong, if it is JSON. Returns the exit code.
fn print_report(command: &str, wants_json: bool, failure: Failure) -> u8 {
    let exit_code = failure.exit_code;
    let terminal = Terminal {
        json: true,
        ..Terminal::default()
    };
    match command {
        _ if !wants_json => exit_code,
        "probe" => {
            let report = ProbeReport::without_stages(Some(failure));
            terminal.print_report(&report, exit_code, String::new)
        }
        _ => terminal.print_report(&summary_of(failure), exit_code, String::new),
    }
}

fn summary_of(failure: Failure) -> Summary {
    let mut summary = Summary::new(None);
    summary.finish(Some(failure));
    summary
}

/// Converts an error of clap, whose text begins with a paragraph that is the message.
fn to_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines: Vec<_> = message.lines().map(str::trim).collect();
    let failure = Failure::usage(lines.join(" "));
    match paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: ")) {
        Some(tip) => failure.with_hint(tip),
        None => failure,
    }
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
            Terminal::exit_code(Err(diagnostics::stdout_write_failed(&write_error)))
        }
        _ => u8::try_from(error.exit_code()).unwrap_or(2),
    }
}
