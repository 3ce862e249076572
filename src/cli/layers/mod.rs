//! Flags that are not typed: from the environment, and from a configuration file.
//!
//! What they say is added to the arguments as if it had been typed, so that one parser judges all.
//! A flag that is typed counts for more than its variable, that for more than the profile, and that
//! for more than the rest of the file.

mod file;

use std::{
    env,
    ffi::{OsStr, OsString},
    io::ErrorKind::{NotADirectory, NotFound},
    path::PathBuf,
};

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, parser::ValueSource};
use toml::{Table, Value};

use self::file::File;
use crate::{diagnostics::Failure, terminal::Terminal};

/// What the variables' names begin with.
const PREFIX: &str = "SENSOR_LICENSE_";

/// The table of a configuration file that holds the profiles.
const PROFILES: &str = "profile";

/// The flags that say where flags come from.
pub(super) fn flags() -> [Arg; 2] {
    let flag = |name: &'static str, value, help| {
        let flag = Arg::new(name).long(name).value_name(value).help(help);
        flag.global(true).help_heading("Configuration")
    };
    [
        flag(
            "config",
            "FILE",
            "Take flags from this TOML file; those of the environment count for more, where \
             SENSOR_LICENSE_TIMEOUT is --timeout [default: sensor-license/config.toml in \
             $XDG_CONFIG_HOME or ~/.config, where it is there]",
        )
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath),
        flag(
            "profile",
            "NAME",
            "Take those of the file's table [profile.NAME] first",
        ),
    ]
}

/// What the environment says of colours, which is to hold for whatever is wrong with the rest.
pub(super) fn color() -> Option<String> {
    env::var(variable_of("color")).ok()
}

/// The arguments, and where those come from that were not typed.
pub(super) struct Completed {
    pub(super) arguments: Vec<OsString>,
    /// Flags, each with its origin.
    added: Vec<(String, String)>,
}

impl Completed {
    /// Where the flags come from that this message names.
    pub(super) fn origins(&self, message: &str) -> Vec<String> {
        let named = |flag: &str| {
            message.match_indices(flag).any(|(at, _)| {
                let next = message[at + flag.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '-')
            })
        };
        let added = self.added.iter().filter(|(flag, _)| named(flag));
        added
            .map(|(flag, origin)| format!("{flag} comes from {origin}"))
            .collect()
    }
}

/// Adds what the environment and the configuration file say to what was typed.
///
/// # Errors
///
/// The file can't be read or holds something else than flags, or a variable is no truth value.
pub(super) fn complete(command: &Command, typed: Vec<OsString>) -> Result<Completed, Failure> {
    let mut completed = Completed {
        arguments: typed,
        added: Vec::new(),
    };
    let variables = variables();
    let default = default_file();
    let says_where = |typed: &OsString| {
        let typed = typed.to_string_lossy();
        typed.starts_with("--config") || typed.starts_with("--profile")
    };
    if variables.is_empty() && default.is_none() && !completed.arguments.iter().any(says_where) {
        return Ok(completed);
    }
    // What is wrong with the arguments is found when they are complete.
    let lenient = command.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(&completed.arguments) else {
        return Ok(completed);
    };
    let mut command = command.clone();
    command.build();
    let Some((command_run, matches)) = innermost(&command, &matches) else {
        return Ok(completed);
    };
    // Whatever is wrong with a configuration, a shell's start is not to be.
    if ["completions", "man"].contains(&command_run.get_name()) {
        return Ok(completed);
    }
    let known = known(&command);
    let layers = Layers::read(variables, default, &known, matches)?;
    let mut additions = Vec::new();
    for flag in command_run.get_arguments() {
        let Some(name) = flag.get_long().filter(|name| !is_own(name)) else {
            continue;
        };
        let source = matches.value_source(flag.get_id().as_str());
        if source == Some(ValueSource::CommandLine) {
            continue;
        }
        let is_typed = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        if rivals(name).any(is_typed) || layers.is_outranked(name) {
            continue;
        }
        if let Some((arguments, origin)) = layers.find(flag, name)? {
            additions.extend(arguments);
            completed.added.push((format!("--{name}"), origin));
        }
    }
    let is_typed = matches.try_get_one::<bool>("quiet").ok().flatten() == Some(&true);
    if !is_typed && !additions.iter().any(|addition| addition == "--quiet") {
        layers.warn_of_unknown(&known);
    }
    // What stands behind `--` is no flag.
    let arguments = &mut completed.arguments;
    let end = arguments.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(arguments.len());
    arguments.splice(end..end, additions);
    Ok(completed)
}

/// What says something of flags, besides what is typed.
struct Layers {
    variables: Vec<(String, OsString)>,
    file: Option<File>,
    /// The one that is named.
    profile: Option<Table>,
}

impl Layers {
    fn read(
        variables: Vec<(String, OsString)>,
        default: Option<PathBuf>,
        known: &[String],
        matches: &ArgMatches,
    ) -> Result<Self, Failure> {
        let named = |flag: &str| -> Option<OsString> {
            let typed = matches.try_get_raw(flag).ok().flatten();
            let typed = typed.and_then(|mut values| values.next_back());
            typed
                .or_else(|| variable(&variables, flag))
                .map(OsStr::to_owned)
        };
        let path = named("config").map(PathBuf::from).or(default);
        let file = path.map(File::read).transpose()?;
        if let Some(file) = &file {
            file.check(known)?;
        }
        let profile = match (named(PROFILES), &file) {
            (None, _) => None,
            (Some(name), Some(file)) => Some(file.profile(&name.to_string_lossy())?.clone()),
            (Some(_), None) => {
                let message = "--profile without a configuration file";
                return Err(Failure::usage_with_hint(message, "--config FILE"));
            }
        };
        Ok(Self {
            variables,
            file,
            profile,
        })
    }

    /// The arguments that give this flag what is said of it, and where that is said.
    fn find(&self, flag: &Arg, name: &str) -> Result<Option<(Vec<OsString>, String)>, Failure> {
        let names = names(flag);
        let mut variables = names
            .iter()
            .map(|name| (*name, variable(&self.variables, name)));
        if let Some((said, Some(value))) = variables.find(|(_, value)| value.is_some()) {
            let said = variable_of(said);
            let arguments = from_variable(flag, name, &said, value)?;
            return Ok(Some((arguments, format!("the variable {said}"))));
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut tables = self.profile.iter().chain([&file.table]);
        let found = tables.find_map(|table| names.iter().find_map(|name| table.get(*name)));
        let Some(value) = found else {
            return Ok(None);
        };
        let origin = file.path.display().to_string();
        Ok(Some((from_file(flag, name, value, file)?, origin)))
    }

    /// Whether something that counts for more says the contrary of this flag.
    fn is_outranked(&self, name: &str) -> bool {
        let rank = |name: &str| {
            let says = |table: &Table| table.contains_key(name);
            let ranks = [
                variable(&self.variables, name).is_some(),
                self.profile.as_ref().is_some_and(says),
                self.file.as_ref().is_some_and(|file| says(&file.table)),
            ];
            ranks.iter().position(|says| *says).unwrap_or(ranks.len())
        };
        rivals(name).any(|rival| rank(rival) < rank(name))
    }

    fn warn_of_unknown(&self, known: &[String]) {
        let terminal = Terminal {
            json: false,
            quiet: false,
            verbosity: 0,
        };
        let places = ["config", PROFILES].map(variable_of);
        for (name, _) in &self.variables {
            let is_known = known.iter().any(|flag| variable_of(flag) == *name);
            if !is_known && !places.contains(name) {
                let flag = name[PREFIX.len()..].to_lowercase().replace('_', "-");
                let nearest = nearest(&flag, known.iter()).map(variable_of);
                terminal.warning(&format!(
                    "the variable {name} is no flag's; the nearest is {}",
                    nearest.unwrap_or_default()
                ));
            }
        }
    }
}

/// The flags that say the contrary of this one: a contract comes from one place. Where one of them
/// counts for more, this one is not taken.
fn rivals(name: &str) -> impl Iterator<Item = &'static str> {
    const PLACES: [&[&str]; 3] = [&["proto", "import-path"], &["protoset"], &["reflection"]];
    let own = PLACES.iter().position(|place| place.contains(&name));
    let others = (0..PLACES.len()).filter(move |other| own.is_some_and(|own| own != *other));
    others.map(|other| PLACES[other][0])
}

/// A flag's own name and its others.
fn names(flag: &Arg) -> Vec<&str> {
    let aliases = flag.get_all_aliases().unwrap_or_default();
    flag.get_long().into_iter().chain(aliases).collect()
}

/// The variables that are set to something and whose names begin as a flag's does.
fn variables() -> Vec<(String, OsString)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .collect()
}

fn variable_of(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

fn variable<'v>(variables: &'v [(String, OsString)], flag: &str) -> Option<&'v OsStr> {
    let name = variable_of(flag);
    let mut named = variables.iter().filter(|(one, _)| *one == name);
    named.next().map(|(_, value)| value.as_os_str())
}

/// The file that is read where none is named, if it is there (XDG Base Directory Specification).
fn default_file() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from);
    let folder = folder("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    let file = folder.join("sensor-license/config.toml");
    match file.symlink_metadata() {
        Err(error) if [NotFound, NotADirectory].contains(&error.kind()) => None,
        // Reading it says what is wrong.
        _ => Some(file),
    }
}

/// The command that is run, and what was typed for it.
fn innermost<'c, 'm>(
    mut command: &'c Command,
    mut matches: &'m ArgMatches,
) -> Option<(&'c Command, &'m ArgMatches)> {
    while let Some((name, inner)) = matches.subcommand() {
        command = command.find_subcommand(name)?;
        matches = inner;
    }
    command
        .get_subcommands()
        .next()
        .is_none()
        .then_some((command, matches))
}

/// Those that are no key: they say where keys are, or print and end.
fn is_own(flag: &str) -> bool {
    ["config", PROFILES, "help", "version"].contains(&flag)
}

/// The names of all commands' flags.
fn known(command: &Command) -> Vec<String> {
    let flags = command.get_arguments().flat_map(names);
    let mut all: Vec<_> = flags.map(ToOwned::to_owned).collect();
    all.extend(command.get_subcommands().flat_map(known));
    all.retain(|flag| !is_own(flag));
    all.sort_unstable();
    all.dedup();
    all
}

fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k String>) -> Option<&'k str> {
    let likeness = |one: &&String| strsim::jaro_winkler(one.as_str(), name);
    known
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(String::as_str)
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

fn is_repeatable(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Append)
}

fn argument(name: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{name}="));
    argument.push(value);
    argument
}

/// A flag without a value so often as this says: `true`, `false` or, where that means something, a
/// number.
fn switch(flag: &Arg, name: &str, text: &str) -> Option<Vec<OsString>> {
    let most = match flag.get_action() {
        ArgAction::Count => 9,
        _ => 1,
    };
    let times = match text {
        "true" => 1,
        "false" => 0,
        number => number.parse().ok().filter(|number| *number <= most)?,
    };
    Some(vec![format!("--{name}").into(); times])
}

/// A variable of a repeatable flag holds a value a line.
fn from_variable(
    flag: &Arg,
    name: &str,
    variable: &str,
    value: &OsStr,
) -> Result<Vec<OsString>, Failure> {
    if !takes_value(flag) {
        let times = value.to_str().and_then(|text| switch(flag, name, text));
        return times.ok_or_else(|| {
            let message = format!("the variable {variable} is neither true nor false");
            Failure::usage_with_hint(message, format!("{variable}=true"))
        });
    }
    Ok(match value.to_str() {
        Some(text) if is_repeatable(flag) => {
            let lines = text.lines().filter(|line| !line.is_empty());
            lines.map(|line| argument(name, line.as_ref())).collect()
        }
        _ => vec![argument(name, value)],
    })
}

fn from_file(flag: &Arg, name: &str, value: &Value, file: &File) -> Result<Vec<OsString>, Failure> {
    let wrong = |what: &str| {
        let message = format!("{}: {name} is {what}", file.path.display());
        Err(Failure::usage(message))
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    };
    match value {
        Value::Boolean(is_on) if !takes_value(flag) => {
            Ok(switch(flag, name, &is_on.to_string()).unwrap_or_default())
        }
        Value::Integer(number) if !takes_value(flag) => {
            let times = switch(flag, name, &number.to_string());
            times.map_or_else(|| wrong("neither true nor false"), Ok)
        }
        _ if !takes_value(flag) => wrong("neither true nor false"),
        Value::Array(values) if is_repeatable(flag) => {
            let texts: Option<Vec<_>> = values.iter().map(text).collect();
            match texts {
                Some(texts) => Ok(texts
                    .iter()
                    .map(|text| argument(name, text.as_ref()))
                    .collect()),
                None => wrong("a list of something else than texts and numbers"),
            }
        }
        value => match text(value) {
            Some(text) => Ok(vec![argument(name, text.as_ref())]),
            None => wrong("neither a text nor a number"),
        },
    }
}
