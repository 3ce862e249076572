//! The options `--config` and `--profile`, which name the config file and a profile in it.

use std::path::PathBuf;

use clap::{Arg, ValueHint};

pub(super) const CONFIG: &str = "config";

/// The name of the option `--profile`. The table in the config file that holds all profiles has the
/// same name.
pub(super) const PROFILE: &str = "profile";

pub(in crate::cli) fn config_args() -> [Arg; 2] {
    let arg = |name: &'static str, value, help| {
        let arg = Arg::new(name).long(name).value_name(value).help(help);
        arg.global(true).help_heading("Configuration")
    };
    [
        arg(
            CONFIG,
            "FILE",
            "Take flags from this TOML file; those of the environment count for more, where \
             SENSOR_LICENSE_TIMEOUT is --timeout [default: sensor-license/config.toml in \
             $XDG_CONFIG_HOME or ~/.config, where it is there]",
        )
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath),
        arg(
            PROFILE,
            "NAME",
            "Take those of the file's table [profile.NAME] first",
        ),
    ]
}
