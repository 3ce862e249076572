//! A reader of crontabs, and a runner of their jobs, that do what crontab(5) says.

use std::{path::Path, process::Command};

use super::program::{Run, finish, start_command};

/// Older versions of cron cut longer commands and variables.
const MAX_LENGTH: usize = 998;

const NICKNAMES: [&str; 8] = [
    "@reboot",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The lowest and highest number of each field of a schedule, and names for the numbers.
const FIELDS: [(u8, u8, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &MONTHS),
    (0, 7, &DAYS),
];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CronJob {
    pub(crate) command: String,
    /// Standard input: the text after the first unescaped `%`.
    pub(crate) input: String,
    /// The variables in the lines above the job. A later value replaces an earlier one.
    pub(crate) variables: Vec<(String, String)>,
}

/// Returns the jobs of a crontab, or the line that is wrong.
pub(crate) fn parse_crontab(text: &str) -> Result<Vec<CronJob>, String> {
    let lines = text.strip_suffix('\n').ok_or("no final line break")?;
    let mut jobs = Vec::new();
    let mut variables = Vec::new();
    for line in lines.split('\n') {
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() > MAX_LENGTH || line.contains('\r') {
            return Err(line.to_owned());
        }
        if let Some(variable) = parse_variable(line) {
            variables.push(variable);
            continue;
        }
        let command = skip_schedule(line).ok_or(line)?;
        let (command, input) = split_command(command).ok_or(line)?;
        jobs.push(CronJob {
            command,
            input,
            variables: variables.clone(),
        });
    }
    Ok(jobs)
}

/// Parses `NAME = VALUE`, where the blanks, and quotes around the value, are optional.
fn parse_variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    if name.is_empty() || name.contains([' ', '\t']) {
        return None;
    }
    let value = value.trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let rest = value.strip_prefix(quote)?;
        rest.strip_suffix(quote)
    });
    Some((name.to_owned(), unquoted.unwrap_or(value).to_owned()))
}

/// Returns the rest of the line after the schedule.
fn skip_schedule(line: &str) -> Option<&str> {
    let next = |text: &'_ str| -> Option<(usize, usize)> {
        let end = text.find([' ', '\t'])?;
        let blanks = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
        Some((end, end + blanks))
    };
    if line.starts_with('@') {
        let (end, start) = next(line)?;
        return NICKNAMES.contains(&&line[..end]).then(|| &line[start..]);
    }
    let mut rest = line;
    for (lowest, highest, names) in FIELDS {
        let (end, start) = next(rest)?;
        let mut parts = rest[..end].split(',');
        if !parts.all(|part| is_range(part, lowest, highest, names)) {
            return None;
        }
        rest = &rest[start..];
    }
    (!rest.is_empty()).then_some(rest)
}

/// Returns whether a text is `*`, a number, a name or a range, with a step or without.
fn is_range(text: &str, lowest: u8, highest: u8, names: &[&str]) -> bool {
    let number = |text: &str| {
        let text = text.to_lowercase();
        let index = names.iter().position(|name| *name == text);
        let named = index.and_then(|index| u8::try_from(index).ok());
        let named = named.map(|index| index + lowest);
        let number = named.or_else(|| text.parse().ok())?;
        (lowest..=highest).contains(&number).then_some(number)
    };
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, step.parse().ok()),
        None => (text, Some(1)),
    };
    let has_step = text.contains('/');
    let is_range = match range.split_once('-') {
        Some((first, last)) => number(first)
            .zip(number(last))
            .is_some_and(|(first, last)| first <= last),
        None => range == "*" || (!has_step && number(range).is_some()),
    };
    is_range && step.is_some_and(|step: u8| step > 0)
}

/// Returns the command, and its standard input. Refuses `\\`, which the versions of cron treat
/// differently.
fn split_command(text: &str) -> Option<(String, String)> {
    if text.contains(r"\\") {
        return None;
    }
    let mut parts = vec![String::new()];
    for char in text.chars() {
        let last = parts.last_mut()?;
        match char {
            '%' if last.ends_with('\\') => {
                last.pop();
                last.push('%');
            }
            '%' => parts.push(String::new()),
            _ => last.push(char),
        }
    }
    let command = parts.remove(0);
    let mut input = parts.join("\n");
    if !input.is_empty() && !input.ends_with('\n') {
        input.push('\n');
    }
    Some((command, input))
}

impl CronJob {
    /// Returns the value of a variable in the lines above the job.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let mut later_first = self.variables.iter().rev();
        let found = later_first.find(|variable| variable.0 == name);
        found.map(|variable| variable.1.as_str())
    }

    /// Runs the job as cron does: in the home directory of the user, without the environment of a
    /// login. cron mails the output if there is any.
    pub(crate) fn run(&self, home: &Path) -> Run {
        let mut command = Command::new(self.variable("SHELL").unwrap_or("/bin/sh"));
        command
            .args(["-c", &self.command])
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("SHELL", "/bin/sh")
            .env("PATH", "/usr/bin:/bin")
            .envs(self.variables.iter().cloned())
            .env("LOGNAME", "sensor-license");
        finish(start_command(&mut command, self.input.as_bytes()))
    }
}
