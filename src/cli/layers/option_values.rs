//! Turns the values of environment variables and config files into command-line arguments.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction};
use toml::Value;

use super::config_file::ConfigFile;
use crate::diagnostics::Failure;

/// The maximum number in an environment variable or config file for an option that is counted, such
/// as `--verbose`: 2 means `-vv`.
const MAX_REPETITIONS: usize = 9;

/// Returns the arguments for the value of an environment variable. For a repeatable option, the
/// variable contains one value per line.
pub(super) fn arguments_from_variable(
    arg: &Arg,
    option: &str,
    variable: &str,
    value: &OsStr,
) -> Result<Vec<OsString>, Failure> {
    if !takes_value(arg) {
        let switch = value
            .to_str()
            .and_then(|text| switch_arguments(arg, option, text));
        return switch.ok_or_else(|| {
            let message = format!("the variable {variable} is neither true nor false");
            Failure::usage_with_hint(message, format!("{variable}=true"))
        });
    }
    Ok(match value.to_str() {
        Some(text) if is_repeatable(arg) => {
            let lines = text.lines().filter(|line| !line.is_empty());
            lines
                .map(|line| argument_with_value(option, line.as_ref()))
                .collect()
        }
        _ => vec![argument_with_value(option, value)],
    })
}

/// Returns the arguments for a value in a config file. For a repeatable option, the value may be an
/// array.
pub(super) fn arguments_from_toml(
    arg: &Arg,
    option: &str,
    value: &Value,
    file: &ConfigFile,
) -> Result<Vec<OsString>, Failure> {
    let invalid = |what: &str| {
        let message = format!("{}: {option} is {what}", file.path.display());
        Err(Failure::usage(message))
    };
    match value {
        Value::Boolean(is_on) if !takes_value(arg) => {
            Ok(switch_arguments(arg, option, &is_on.to_string()).unwrap_or_default())
        }
        Value::Integer(number) if !takes_value(arg) => {
            let switch = switch_arguments(arg, option, &number.to_string());
            switch.map_or_else(|| invalid("neither true nor false"), Ok)
        }
        _ if !takes_value(arg) => invalid("neither true nor false"),
        Value::Array(values) if is_repeatable(arg) => {
            let texts: Option<Vec<_>> = values.iter().map(scalar_text).collect();
            match texts {
                Some(texts) => Ok(texts
                    .iter()
                    .map(|text| argument_with_value(option, text.as_ref()))
                    .collect()),
                None => invalid("a list of something else than texts and numbers"),
            }
        }
        value => match scalar_text(value) {
            Some(text) => Ok(vec![argument_with_value(option, text.as_ref())]),
            None => invalid("neither a text nor a number"),
        },
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Returns the arguments for an option that takes no value. The option is contained once if `text`
/// is `true`, not at all if `text` is `false`, and N times if `text` is the number N. N is at most
/// [`MAX_REPETITIONS`] for a counted option such as `--verbose`, and at most 1 for all other
/// options. Returns `None` for any other `text`.
fn switch_arguments(arg: &Arg, option: &str, text: &str) -> Option<Vec<OsString>> {
    let max_repetitions = match arg.get_action() {
        ArgAction::Count => MAX_REPETITIONS,
        _ => 1,
    };
    let repetitions = match text {
        "true" => 1,
        "false" => 0,
        number => number
            .parse()
            .ok()
            .filter(|number| *number <= max_repetitions)?,
    };
    Some(vec![format!("--{option}").into(); repetitions])
}

fn argument_with_value(option: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{option}="));
    argument.push(value);
    argument
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}
