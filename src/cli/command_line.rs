//! The clap command with all options.

use clap::CommandFactory;

use super::{color, layers, options::Cli};

pub(super) fn clap_command() -> clap::Command {
    Cli::command()
        .args(layers::config_args())
        .arg(color::color_arg())
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes_clap_debug_assert() {
        super::clap_command().debug_assert();
    }
}
