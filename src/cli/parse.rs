//! Parses the arguments of this process.

use std::{env, ffi::OsString, io};

use clap::{
    FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    command_line::{COMMANDS_WITHOUT_LAYERS, clap_command},
    layers::MergedArguments,
    options::{Cli, ERROR_FORMATS},
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
    let terminal = read_terminal(&name, &typed.arguments);
    let merged = MergedArguments::new(typed).map_err(|failure| {
        Terminal::error(&failure);
        print_report(&name, terminal, failure)
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
        if exit_code != 2 {
            return exit_code;
        }
        merged.print_origins(&error.to_string());
        let arguments = [&merged.ignored[..], &merged.arguments].concat();
        let terminal = read_terminal(&name, &arguments);
        print_report(&name, terminal, to_failure(&error))
    })?;
    let terminal = cli.command.terminal();
    merged.print_all_origins(terminal);
    let plan = shared.and_then(|()| Plan::from_options(cli));
    plan.map_err(|failure| {
        let text = failure.to_string();
        Terminal::error(&failure);
        let exit_code = print_report(&name, terminal, failure);
        merged.print_origins(&text);
        exit_code
    })
}

/// Returns the form of the output that the arguments ask for, also if clap refuses the arguments. The
/// environment decides only for a command that reads it.
fn read_terminal(command: &str, arguments: &[OsString]) -> Terminal {
    let has_layers = !COMMANDS_WITHOUT_LAYERS.contains(&command);
    let is = |option: &str, variable: &str, value: &str| match last_value(option, arguments) {
        Some(typed) => typed == value,
        None => has_layers && env::var_os(variable).is_some_and(|set| set == value),
    };
    let formats = ERROR_FORMATS.iter().filter(|(name, ..)| {
        has_summary(command) && is("--error-format", "SENSOR_LICENSE_ERROR_FORMAT", name)
    });
    Terminal {
        json: is("--output", "SENSOR_LICENSE_OUTPUT", "json"),
        error_format: formats
            .map(|(.., format)| *format)
            .next()
            .unwrap_or_default(),
        ..Terminal::default()
    }
}

fn last_value<'a>(option: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let options = arguments.iter().take_while(|argument| *argument != "--");
    let mut options = options.map(|argument| argument.to_str().unwrap_or_default());
    let mut value = None;
    while let Some(argument) = options.next() {
        match argument.strip_prefix(option) {
            Some("") => value = options.next(),
            Some(rest) => value = rest.strip_prefix('=').or(value),
            None => {}
        }
    }
    value
}

/// Returns whether a command prints a [`Summary`] also in the formats of CI systems.
fn has_summary(command: &str) -> bool {
    ["push", "check"].contains(&command)
}

/// Prints the report of a command whose options are wrong. A report in text would only repeat the
/// error, and is not printed. Returns the exit code.
fn print_report(command: &str, terminal: Terminal, failure: Failure) -> u8 {
    let exit_code = failure.exit_code;
    if command == "probe" && terminal.json {
        let report = ProbeReport::without_stages(Some(failure));
        return terminal.print_report(&report, exit_code, String::new);
    }
    if !terminal.json && terminal.error_format == ErrorFormat::Text {
        return exit_code;
    }
    let command = if command == "check" { "check" } else { "push" };
    let mut summary = Summary::new(command, None);
    summary.finish(Some(failure));
    terminal.print_summary_after_error(&summary)
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
