//! What is made from the flags: completions and the manual.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::command_line;

pub(super) fn completions(shell: Shell) -> String {
    let mut command = whole();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    // The generator labels the commands of a name with a hyphen otherwise than it looks them up.
    into_text(&text).replace("sensor__subcmd__license", "sensor__license")
}

/// A page of the program and one of each of its commands, in roff (man(7)).
///
/// # Errors
///
/// None is known.
pub(super) fn manual() -> io::Result<String> {
    let mut text = Vec::new();
    add_pages(&whole(), &mut text)?;
    Ok(into_text(&text))
}

/// With the flags of all commands.
fn whole() -> Command {
    let mut command = command_line();
    command.build();
    command
}

fn add_pages(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let version = concat!("sensor-license ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(version).render(text)?;
    let mut inner = command.get_subcommands();
    inner.try_for_each(|inner| match inner.get_name() {
        "help" => Ok(()),
        _ => add_pages(inner, text),
    })
}

/// Without its last line's end, which printing adds.
fn into_text(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end().to_owned()
}
