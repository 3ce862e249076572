//! The option `--color`, which is applied before all other options are parsed, so that errors in
//! these options have the chosen colors.

use std::ffi::OsString;

use anstream::ColorChoice;
use clap::Arg;

use super::layers;

pub(super) fn color_arg() -> Arg {
    Arg::new("color")
        .long("color")
        .value_name("WHEN")
        .help("Colours in what is said on standard error")
        .value_parser(["auto", "always", "never"])
        .default_value("auto")
        .global(true)
        .help_heading("Output")
}

/// Turns colors on or off for the whole process. The last `--color` in the arguments decides, or
/// else the environment variable for `--color`.
///
/// The arguments are searched without clap, because clap's own errors must already have the chosen
/// colors.
pub(super) fn choose_color(arguments: &[OsString]) {
    let options = arguments
        .iter()
        .map_while(|argument| match argument.to_str() {
            Some("--") => None,
            text => Some(text.unwrap_or_default()),
        });
    let values = options.scan(false, |follows_color, text| {
        let value = text
            .strip_prefix("--color=")
            .or(follows_color.then_some(text));
        *follows_color = text == "--color";
        Some(value)
    });
    let typed = values.flatten().last().map(ToOwned::to_owned);
    match typed.or_else(layers::color_variable).as_deref() {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}
