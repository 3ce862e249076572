//! Formatting for GitHub Actions: workflow commands that annotate files
//! (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>), and
//! Markdown for the summary of a job.

use std::fmt::Write as _;

use super::{escape::escape, failure::Failure, text::describe};

const TITLE: &str = "sensor-license";

/// Returns an `error` command for each problem of the input, and one for the failure.
pub(crate) fn github_annotations(failure: &Failure) -> String {
    let mut commands = String::new();
    for problem in &failure.problems {
        let mut properties = String::new();
        if let Some(file) = &problem.file {
            let _ = write!(properties, "file={},", escape_property(file));
        }
        for (name, number) in [("line", problem.line), ("col", problem.column)] {
            if let Some(number) = number {
                let _ = write!(properties, "{name}={number},");
            }
        }
        let message = escape_data(&problem.text());
        let _ = writeln!(commands, "::error {properties}title={TITLE}::{message}");
    }
    let message = escape_data(&describe(failure));
    let _ = write!(commands, "::error title={TITLE}::{message}");
    commands
}

/// `command` is the name of the command, and `result` is the text of its summary.
pub(crate) fn github_step_summary(
    command: &str,
    result: &str,
    failure: Option<&Failure>,
) -> String {
    let mut text = format!("### sensor-license {command}\n\n{}\n", markdown(result));
    let Some(failure) = failure else {
        return text;
    };
    let _ = writeln!(text, "\n{}", markdown(&describe(failure)));
    if !failure.problems.is_empty() {
        text.push_str("\n| place | problem |\n|---|---|\n");
    }
    for problem in &failure.problems {
        let (place, message) = (markdown(&problem.place()), markdown(&problem.text()));
        let _ = writeln!(text, "| {place} | {message} |");
    }
    text
}

/// Escapes as the `escapeData` function of GitHub's toolkit (`@actions/core`).
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes as the `escapeProperty` function of GitHub's toolkit.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Escapes text for a paragraph or a table cell, in which each line break becomes a break.
fn markdown(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mut escaped = String::new();
        for c in escape(line).chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                    escaped.extend(['\\', c]);
                }
                c => escaped.push(c),
            }
        }
        escaped
    });
    lines.collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_data_and_properties() {
        assert_eq!(escape_data("50%: a,b\r\nc"), "50%25: a,b%0D%0Ac");
        assert_eq!(escape_property("50%: a,b\n"), "50%25%3A a%2Cb%0A");
    }

    #[test]
    fn escapes_markdown() {
        assert_eq!(
            markdown("a|b <script> `x`\n\u{1b}"),
            "a\\|b &lt;script> \\`x\\`<br>\\\\u{1b}"
        );
    }
}
