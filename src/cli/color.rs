//! `--color`.

use std::ffi::OsString;

use anstream::ColorChoice;
use clap::Arg;

use super::layers;

pub(super) fn flag() -> Arg {
    Arg::new("color")
        .long("color")
        .value_name("WHEN")
        .help("Colours in what is said on standard error")
        .value_parser(["auto", "always", "never"])
        .default_value("auto")
        .global(true)
        .help_heading("Output")
}

/// Has colours as the arguments, else the environment, want them before anything is said, of wrong
/// arguments too.
pub(super) fn choose(arguments: &[OsString]) {
    let texts = arguments
        .iter()
        .map_while(|argument| match argument.to_str() {
            Some("--") => None,
            text => Some(text.unwrap_or_default()),
        });
    let values = texts.scan(false, |named, text| {
        let value = text.strip_prefix("--color=").or(named.then_some(text));
        *named = text == "--color";
        Some(value)
    });
    let typed = values.flatten().last().map(ToOwned::to_owned);
    match typed.or_else(layers::color).as_deref() {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}
