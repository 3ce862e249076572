//! The clap command with all options.

use std::path::PathBuf;

use clap::{Arg, Command, CommandFactory};

use super::options::Cli;

/// The ids and names of the options of the whole program.
pub(super) const COLOR: &str = "color";
pub(super) const CONFIG: &str = "config";
pub(super) const PROFILE: &str = "profile";

pub(super) fn clap_command() -> Command {
    let global = |name: &'static str, value, heading, help| {
        let arg = Arg::new(name).long(name).value_name(value).help(help);
        arg.global(true).help_heading(heading)
    };
    let config_help = "Read default options from this TOML file; environment variables such as \
        SENSOR_LICENSE_TIMEOUT override it [default: sensor-license/config.toml in \
        $XDG_CONFIG_HOME or ~/.config, if it exists]";
    let profile_help = "Prefer the options in the table [profile.NAME] of the config file";
    Cli::command().args([
        global(CONFIG, "FILE", "Configuration", config_help)
            .value_parser(clap::value_parser!(PathBuf)),
        global(PROFILE, "NAME", "Configuration", profile_help),
        global(
            COLOR,
            "WHEN",
            "Output",
            "Color the messages on standard error",
        )
        .value_parser(["auto", "always", "never"])
        .default_value("auto"),
    ])
}

/// Returns the name of an option and its aliases, without the dashes.
pub(super) fn names_of(arg: &Arg) -> Vec<&str> {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long().into_iter().chain(aliases).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes_clap_debug_assert() {
        super::clap_command().debug_assert();
    }
}
