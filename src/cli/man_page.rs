//! The man page of a command, in roff (man(7)).

use std::mem;

use clap::{Arg, ArgGroup, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{
    command_line::takes_value,
    sections::{EXAMPLES, sections_of},
};

/// The date in the man pages. It is fixed, so that equal sources make equal pages.
const DATE: &str = "2026-11-28";

/// A hyphen takes two characters in roff, so lines stay shorter than 80 characters.
const LINE_LENGTH: usize = 70;

/// Returns the man page of a command, which has been built.
pub(super) fn man_page(command: &Command) -> String {
    let mut page = Roff::new();
    let name = page_name(command);
    let source = concat!("sensor-license ", env!("CARGO_PKG_VERSION"));
    page.control(
        "TH",
        [&*name.to_uppercase(), "1", DATE, source, "sensor-license"],
    );
    page.control("SH", ["NAME"]);
    let about = command.get_about().unwrap_or_default();
    add_text(&mut page, &format!("{name} - {about}"));
    page.control("SH", ["SYNOPSIS"]);
    add_synopsis(&mut page, command);
    page.control("SH", ["DESCRIPTION"]);
    let description = command.get_long_about().or(command.get_about());
    add_paragraphs(
        &mut page,
        "PP",
        &description.unwrap_or_default().to_string(),
    );
    page.control("SH", ["OPTIONS"]);
    add_options(&mut page, command);
    add_subcommands(&mut page, command);
    add_sections(&mut page, command);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(see_also(command))]);
    page.to_roff()
}

/// Returns the name of the man page of a command, such as `sensor-license-ledger-show`.
pub(super) fn page_name(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    name.replace(' ', "-")
}

/// Returns the subcommands that have a man page.
pub(super) fn documented_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    let subcommands = command.get_subcommands();
    subcommands.filter(|command| command.get_name() != "help")
}

fn add_synopsis(page: &mut Roff, command: &Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    page.text([bold(name)]);
    let groups = command.get_groups().filter(|group| group.is_required_set());
    let alternatives: Vec<_> = groups.flat_map(ArgGroup::get_args).collect();
    let is_alternative = |arg: &&Arg| alternatives.contains(&arg.get_id());
    let visible = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    for arg in visible().filter(|arg| !is_alternative(arg) && !arg.is_positional()) {
        let mut usage = usage(arg, "|");
        if !arg.is_required_set() {
            usage.insert(0, roman("["));
            usage.push(roman("]"));
        }
        page.text(usage);
    }
    let mut separator = "{";
    for arg in visible().filter(is_alternative) {
        page.text([vec![roman(format!("{separator} "))], usage(arg, "|")].concat());
        separator = "|";
    }
    if separator == "|" {
        page.text([roman("}")]);
    }
    for arg in visible().filter(|arg| arg.is_positional()) {
        let usage = usage(arg, "|");
        page.text(if arg.is_required_set() {
            usage
        } else {
            [vec![roman("[")], usage, vec![roman("]...")]].concat()
        });
    }
    if command.has_subcommands() {
        page.text([italic("COMMAND")]);
    }
}

/// Returns the names of an option and of its value, or the name of a positional argument.
fn usage(arg: &Arg, separator: &str) -> Vec<Inline> {
    let names = [
        arg.get_short().map(|name| format!("-{name}")),
        arg.get_long().map(|name| format!("--{name}")),
    ];
    let mut usage = Vec::new();
    for name in names.into_iter().flatten() {
        if !usage.is_empty() {
            usage.push(roman(separator));
        }
        usage.push(bold(name));
    }
    if takes_value(arg) {
        if !usage.is_empty() {
            usage.push(roman(" "));
        }
        usage.push(italic(value_name(arg)));
    }
    usage
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.join(" ")
}

fn add_options(page: &mut Roff, command: &Command) {
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (mut arguments, mut options): (Vec<_>, Vec<_>) =
        visible.partition(|arg| arg.is_positional());
    arguments.append(&mut options);
    let mut headings = vec![None];
    for heading in arguments.iter().map(|arg| arg.get_help_heading()) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            page.control("SS", [heading]);
        }
        let belongs = |arg: &&&Arg| arg.get_help_heading() == heading;
        for arg in arguments.iter().filter(belongs) {
            add_option(page, arg);
        }
    }
}

fn add_option(page: &mut Roff, arg: &Arg) {
    page.control("TP", []);
    let mut names = usage(arg, ", ");
    for alias in arg.get_visible_aliases().unwrap_or_default() {
        names.extend([roman(", "), bold(format!("--{alias}"))]);
        names.extend([roman(" "), italic(value_name(arg))]);
    }
    page.text(names);
    let help = arg.get_long_help().or(arg.get_help()).unwrap_or_default();
    add_paragraphs(page, "IP", &help.to_string());
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    if takes_value(arg) && !defaults.is_empty() {
        page.control("IP", []);
        page.text([roman(format!("Default: {}.", defaults.join(", ")))]);
    }
    let values = arg.get_possible_values();
    if takes_value(arg) && !values.is_empty() && !arg.is_hide_possible_values_set() {
        page.control("IP", []);
        page.text([roman("Possible values:")]);
        page.control("RS", []);
        for value in values {
            page.control("TP", []);
            page.text([bold(value.get_name())]);
            page.text([roman(
                value
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )]);
        }
        page.control("RE", []);
    }
}

/// Adds paragraphs, each of which after the first begins with the macro `separator`.
fn add_paragraphs(page: &mut Roff, separator: &str, text: &str) {
    for (index, paragraph) in text.split("\n\n").enumerate() {
        if index > 0 {
            page.control(separator, []);
        }
        add_text(page, paragraph);
    }
}

/// Adds text in short lines, as is usual in roff.
fn add_text(page: &mut Roff, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() > LINE_LENGTH {
            page.text([roman(mem::take(&mut line))]);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    page.text([roman(line)]);
}

fn add_subcommands(page: &mut Roff, command: &Command) {
    let mut subcommands = documented_subcommands(command).peekable();
    if subcommands.peek().is_some() {
        page.control("SH", ["COMMANDS"]);
    }
    for subcommand in subcommands {
        page.control("TP", []);
        page.text([bold(page_name(subcommand)), roman("(1)")]);
        page.text([roman(
            subcommand.get_about().unwrap_or_default().to_string(),
        )]);
    }
}

fn add_sections(page: &mut Roff, command: &Command) {
    let name = command.get_bin_name().unwrap_or_default();
    let name = name.split_once(' ').map_or("", |(_, name)| name);
    for section in sections_of(name) {
        page.control("SH", [section.title]);
        for (index, (term, description)) in section.entries.iter().enumerate() {
            if section.title == EXAMPLES {
                if index > 0 {
                    page.control("PP", []);
                }
                page.text([roman(format!("{term}:"))]);
                page.control("PP", []);
                page.control("RS", ["4"]);
                page.control("nf", []);
                let command = description.replace('\n', "\n  ");
                for line in command.lines() {
                    page.text([bold(line)]);
                }
                page.control("fi", []);
                page.control("RE", []);
            } else {
                page.control("TP", []);
                page.text([bold(*term)]);
                add_text(page, description);
            }
        }
    }
}

/// Returns a reference to the pages of the program and of the command above this one.
fn see_also(command: &Command) -> String {
    let name = page_name(command);
    match name.rsplit_once('-') {
        Some((parent, _)) if parent != "sensor" => {
            let pages: &[&str] = match parent {
                "sensor-license" => &["sensor-license"],
                parent => &["sensor-license", parent],
            };
            pages
                .iter()
                .map(|page| format!("{page}(1)"))
                .collect::<Vec<_>>()
                .join(", ")
        }
        _ => "sensor-license-push(1), sensor-license-check(1), sensor-license-probe(1)".to_owned(),
    }
}
