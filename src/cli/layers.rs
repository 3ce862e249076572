//! The layers of options: from the highest precedence to the lowest, the command line, the
//! environment, the profile, and the rest of the config file.
//!
//! The options of the lower layers are added to the typed arguments, so that clap checks the options
//! of all layers in the same way.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    time::Instant,
};

use anstream::ColorChoice;
use clap::{Arg, Command, builder::Resettable};

use super::{
    command_line::{
        COLOR, COMMANDS_WITHOUT_LAYERS, CONFIG, PROFILE, option_name, sets_authorization,
    },
    known_options::{KnownOptions, is_configurable},
    layer::{Layer, Variables, default_config_file, read_config_file},
    typed::{TypedArguments, TypedOption},
    values::parse_duration,
};
use crate::{
    diagnostics::{Failure, max_time_passed_before_requests},
    input::ReadLimits,
    terminal::Terminal,
    user_path::UserPath,
};

/// The arguments of all layers, for clap.
#[derive(Default)]
pub(super) struct MergedArguments {
    pub(super) arguments: Vec<OsString>,
    pub(super) config_file: Option<PathBuf>,
    /// Whether the command reads the environment and the config file.
    has_layers: bool,
    added: Vec<AddedOption>,
    /// The options of the lower layers, if clap must refuse the typed arguments first. They only
    /// decide how the error is reported.
    pub(super) ignored: Vec<OsString>,
    /// Why the push is not a dry run, although a lower layer sets `--dry-run`.
    dropped_dry_run: Option<String>,
}

/// An option that a layer below the command line sets.
struct AddedOption {
    name: String,
    origin: String,
}

impl MergedArguments {
    /// Adds the options of the environment and of the config file to the typed arguments.
    ///
    /// # Errors
    ///
    /// The config file cannot be read or contains something other than options, or the type of a
    /// value is wrong.
    pub(super) fn new(mut typed: TypedArguments<'_>) -> Result<Self, Failure> {
        let name = typed.command.get_name();
        let has_layers = !COMMANDS_WITHOUT_LAYERS.contains(&name);
        let variables = if has_layers {
            Variables::read()
        } else {
            Variables::default()
        };
        let selected = |id| typed.value_of(id).or_else(|| variables.value_of(id));
        choose_color(selected(COLOR).and_then(OsStr::to_str));
        typed.check_switches()?;
        let (mut file, profile) = (selected(CONFIG).map(PathBuf::from), selected(PROFILE));
        if has_layers {
            file = file.or_else(default_config_file);
        } else if file.is_some() || profile.is_some() {
            return Err(Failure::usage_with_hint(
                format!("\"{name}\" reads no config file"),
                "remove --config and --profile",
            ));
        }
        let mut merged = Self {
            config_file: file.clone(),
            has_layers,
            ..Self::default()
        };
        // Without this check, the names of all options would be compared with an empty environment.
        let are_empty = variables.0.is_empty() && file.is_none() && profile.is_none();
        if !are_empty && !typed.command.has_subcommands() {
            let known = KnownOptions::new(typed.known_args());
            let file = file.unwrap_or_default();
            // A value that is not a duration is refused later.
            let max_time = selected("max_time").and_then(OsStr::to_str);
            let max_time = max_time.and_then(|text| parse_duration(text).ok());
            let limits = ReadLimits {
                deadline: max_time.map(|max_time| Instant::now() + max_time),
                stop: None,
            };
            let wait = |file: BorrowedFd<'_>| limits.wait_until_readable(file);
            let tables = read_config_file(&file, profile, &known, &wait);
            let tables = tables.map_err(|failure| match max_time {
                Some(max_time) if limits.deadline <= Some(Instant::now()) => {
                    max_time_passed_before_requests(max_time, failure)
                }
                _ => failure,
            });
            // Clap prints the help text or refuses a mistake in the typed arguments, whatever the
            // config file contains.
            let tables = if typed.are_known {
                tables?
            } else {
                tables.unwrap_or_default()
            };
            let mut layers = vec![Layer::Environment(&variables)];
            let file = file.as_path();
            layers.extend(tables.into_iter().map(|table| Layer::Table { table, file }));
            let added = merged.add_layers(&typed, &layers);
            if typed.are_known {
                added?;
            } else {
                merged.added.clear();
                merged.ignored = std::mem::take(&mut merged.arguments);
            }
            if typed.are_known && !typed.has("quiet") && !merged.has("--quiet") {
                let terminal = Terminal::default();
                let warnings = variables.warnings_of_unknown(&known);
                let warnings = warnings.iter().chain(&merged.dropped_dry_run);
                warnings.for_each(|warning| terminal.warning(warning));
            }
        }
        // No option may follow `--`, so the added options precede the typed ones.
        let start = typed.options_start;
        typed.arguments.splice(start..start, merged.arguments);
        merged.arguments = typed.arguments;
        Ok(merged)
    }

    /// Adds each option that no higher layer sets, and that conflicts with no option of a higher
    /// layer.
    fn add_layers(
        &mut self,
        typed: &TypedArguments<'_>,
        layers: &[Layer<'_>],
    ) -> Result<(), Failure> {
        let ids = typed.options.iter().map(|option| option.arg.get_id());
        let mut decided: BTreeSet<_> = ids.collect();
        // A switch that is off conflicts with nothing.
        let on = typed.options.iter().filter(|option| !option.is_off());
        let mut present: Vec<_> = on.map(|option| option.arg).collect();
        let mut has_authorization = typed.options.iter().any(TypedOption::sets_authorization);
        for layer in layers {
            let mut added = Vec::new();
            let start = self.arguments.len();
            for arg in typed.known_args().filter(|arg| is_configurable(arg)) {
                if decided.contains(arg.get_id()) {
                    continue;
                }
                let conflicts = |other: &&&Arg| are_in_conflict(typed.command, arg, other);
                if let Some(other) = present.iter().find(conflicts) {
                    if arg.get_id() == "dry_run"
                        && let Some(dry_run) = layer.find(arg)?
                        && !dry_run.arguments.is_empty()
                    {
                        self.dropped_dry_run = Some(format!(
                            "--dry-run is set {}, and ignored because of {}",
                            dry_run.origin,
                            option_name(other)
                        ));
                    }
                    continue;
                }
                let Some(mut option) = layer.find(arg)? else {
                    continue;
                };
                if has_authorization {
                    option.arguments.retain(|it| !sets_authorization(it));
                }
                decided.insert(arg.get_id());
                if option.arguments.is_empty() {
                    continue;
                }
                if arg.get_id() == COLOR {
                    let argument = option.arguments[0].to_str();
                    choose_color(argument.and_then(|it| it.strip_prefix("--color=")));
                }
                added.push(arg);
                self.arguments.extend(option.arguments);
                self.added.push(AddedOption {
                    name: option_name(arg),
                    origin: option.origin,
                });
            }
            present.extend(added);
            let mut arguments = self.arguments[start..].iter();
            has_authorization |= arguments.any(|it| sets_authorization(it));
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.added.iter().any(|added| added.name == name)
    }

    /// Lets clap accept each added option without the option that it refines. The plan of the
    /// command ignores such an option.
    pub(super) fn relax(&self, command: Command) -> Command {
        if self.added.is_empty() {
            return command;
        }
        let relaxed = command.mut_args(|arg| {
            if self.has(&option_name(&arg)) {
                arg.requires(Resettable::Reset)
            } else {
                arg
            }
        });
        relaxed.mut_subcommands(|subcommand| self.relax(subcommand))
    }

    /// Prints the path of the config file, and where each option was set that is not on the command
    /// line, as details.
    pub(super) fn print_all_origins(&self, terminal: Terminal) {
        if !self.has_layers {
            return;
        }
        let file = self.config_file.as_deref();
        terminal.detail(1, || match file.filter(|file| *file != Path::new("")) {
            Some(file) => format!("config file: {}", UserPath::from(file)),
            None => "config file: none".to_owned(),
        });
        for AddedOption { name, origin } in &self.added {
            terminal.detail(1, || format!("{name} is set {origin}"));
        }
    }

    /// Prints where each option in the message was set, unless it was set on the command line.
    pub(super) fn print_origins(&self, message: &str) {
        let is_in_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let words: Vec<_> = message.split(|c| !is_in_word(c)).collect();
        for AddedOption { name, origin } in &self.added {
            if words.contains(&name.as_str()) {
                Terminal::option_origin(&format!("{name} is set {origin}"));
            }
        }
    }
}

/// Clap accepts `--quiet` with `--verbose`, but quiet output has no details.
fn are_in_conflict(command: &Command, arg: &Arg, other: &Arg) -> bool {
    let excludes = |arg: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(arg).contains(&other)
            || arg.get_id() == "quiet" && other.get_id() == "verbose"
    };
    excludes(arg, other) || excludes(other, arg)
}

/// Turns colors on or off for the whole process, so that errors in the options have them too.
fn choose_color(value: Option<&str>) {
    match value {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}
