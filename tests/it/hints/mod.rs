//! Hints that name an option or a command: a run that fails has the hint, and a run as the hint says
//! gets further.

mod calls;
mod connection;
mod content;
mod coverage;
mod files;
mod input;
mod network;

use std::process::Command;

use crate::support::{
    program::{Run, run_with},
    records::ONE_RECORD,
};

/// A run with a hint, and the run that follows the hint.
struct Case<'a> {
    args: &'a [&'a str],
    input: &'a [u8],
    /// The environment of both runs.
    variables: &'a [(&'a str, &'a str)],
    exit: i32,
    /// The whole hint.
    hint: &'a str,
    /// Performs the part of the hint that concerns files or servers.
    act: &'a dyn Fn(),
    /// The variables and options of the hint as a user types them, with values instead of
    /// placeholders.
    add: &'a str,
    /// The options that the hint removes or replaces.
    remove: &'a [&'a str],
    /// The exit code of the run that follows the hint.
    next_exit: i32,
}

impl Case<'_> {
    const DEFAULT: Case<'static> = Case {
        args: &[],
        input: ONE_RECORD,
        variables: &[],
        exit: 2,
        hint: "",
        act: &|| (),
        add: "",
        remove: &[],
        next_exit: 0,
    };

    fn check(&self) {
        let added = shlex::split(self.add).expect("words");
        let (variables, added): (Vec<_>, Vec<_>) = added
            .iter()
            .map(String::as_str)
            .partition(|word| is_assignment(word));
        for word in variables.iter().chain(&added) {
            let name = word.split('=').next().unwrap_or_default();
            let is_named =
                !name.starts_with("--") && !is_assignment(word) || self.hint.contains(name);
            assert!(is_named, "{:?} does not name {name}", self.hint);
        }
        let kept = self.args.iter().filter(|word| !self.remove.contains(word));
        let next: Vec<_> = kept.copied().chain(added).collect();
        self.check_with(&variables, &next);
    }

    /// `next` are the arguments of the run that follows the hint.
    fn check_with(&self, variables: &[&str], next: &[&str]) {
        let first = run_with(self.args, self.variables, self.input);
        assert_eq!(first.code, self.exit, "{}: {first:#?}", self.hint);
        assert!(self.is_hint_of(&first), "no {:?} in {first:#?}", self.hint);
        (self.act)();
        let added = variables.iter().filter_map(|word| word.split_once('='));
        let variables: Vec<_> = self.variables.iter().copied().chain(added).collect();
        let run = run_with(next, &variables, self.input);
        assert_eq!(run.code, self.next_exit, "{next:?}: {run:#?}");
        assert!(!self.is_hint_of(&run), "{next:?}: {run:#?}");
    }

    /// A problem of the input has its hint in parentheses, and a warning after a semicolon.
    fn is_hint_of(&self, run: &Run) -> bool {
        let hint = self.hint;
        let forms = [
            format!(": {hint}\n"),
            format!("; {hint}\n"),
            format!("({hint})"),
        ];
        forms.iter().any(|form| run.stderr.contains(form))
    }
}

/// Returns whether a word sets an environment variable.
fn is_assignment(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('=')
}

/// Returns the command at the end of a hint.
fn command_of(hint: &str) -> &str {
    hint.rsplit_once(": ").expect("a command").1
}

/// Runs the command of a hint in a folder, and returns its standard output.
fn shell(command: &str, folder: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder);
    let output = shell.output().expect("a shell");
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
