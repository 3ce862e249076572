//! Shell completions and man pages, generated from the options.

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

use super::{
    command_line::clap_command,
    man_page::{documented_subcommands, man_page, page_name},
};
use crate::commands::man::Page;

pub(super) fn completions(shell: Shell) -> String {
    let mut command = built_command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    // The name of this program contains a hyphen. For such a name, clap_complete writes the labels
    // of subcommands in two different forms. The replacement makes the two forms equal.
    let text = String::from_utf8_lossy(&text);
    let mut text = text.replace("sensor__subcmd__license", "sensor__license");
    for subcommand in command.get_subcommands() {
        if subcommand.get_positionals().any(is_file) {
            offer_files_in_bash(&mut text, subcommand.get_name());
        }
    }
    // In the completions of zsh, clap_complete does not escape the colon in the name of a value.
    text.replace(":HOST:PORT:", ":HOST\\:PORT:")
}

fn is_file(arg: &Arg) -> bool {
    arg.get_value_hint() == ValueHint::FilePath
}

/// Lets bash offer options of a subcommand only after a hyphen, and files otherwise.
/// `clap_complete` also offers options where the user has typed nothing.
fn offer_files_in_bash(text: &mut String, subcommand: &str) {
    let label = format!("sensor__license__subcmd__{subcommand})\n");
    let Some(start) = text.find(&label) else {
        return;
    };
    if let Some(position) = text[start..].find("\n            if [[ ${cur}") {
        let no_options = "\n            [[ ${cur} == -* ]] || opts=\"\"";
        text.insert_str(start + position, no_options);
    }
}

/// Returns how to install the completions of a shell.
pub(super) fn installation(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => {
            "write the completions to ~/.local/share/bash-completion/completions/sensor-license"
        }
        Shell::Zsh => "write the completions to the file _sensor-license in a directory of fpath",
        Shell::Fish => "write the completions to ~/.config/fish/completions/sensor-license.fish",
        _ => "load the completions in the startup file of the shell",
    }
}

/// Returns the man page of the program, and of each command.
pub(super) fn man_pages() -> Vec<Page> {
    let mut pages = Vec::new();
    add_pages(&built_command(), &mut pages);
    pages
}

/// Returns the command with the options of all subcommands. Without `build`, clap adds the options
/// of a subcommand only when it parses that subcommand.
fn built_command() -> Command {
    let mut command = clap_command(|_| true);
    command.build();
    command
}

fn add_pages(command: &Command, pages: &mut Vec<Page>) {
    pages.push(Page {
        file_name: format!("{}.1", page_name(command)),
        text: man_page(command),
    });
    for subcommand in documented_subcommands(command) {
        add_pages(subcommand, pages);
    }
}
