//! Shell completions and the manual, generated from the options.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::command_line::clap_command;

pub(super) fn completions(shell: Shell) -> String {
    let mut command = built_command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    // clap_complete defines the subcommands of a program with a hyphen in its name under one label
    // and refers to them by another.
    into_text(&text).replace("sensor__subcmd__license", "sensor__license")
}

/// Returns a page for the program and one for each of its commands, in roff (man(7)).
///
/// # Errors
///
/// Returns the errors of the generator, which writes to memory.
pub(super) fn manual() -> io::Result<String> {
    let mut text = Vec::new();
    add_pages(&built_command(), &mut text)?;
    Ok(into_text(&text))
}

/// Returns the command with the options of all subcommands, which clap otherwise adds on demand.
fn built_command() -> Command {
    let mut command = clap_command();
    command.build();
    command
}

fn add_pages(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let version = concat!("sensor-license ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(version).render(text)?;
    let mut subcommands = command.get_subcommands();
    subcommands.try_for_each(|subcommand| match subcommand.get_name() {
        "help" => Ok(()),
        _ => add_pages(subcommand, text),
    })
}

/// Removes the last line ending, which printing adds.
fn into_text(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end().to_owned()
}
