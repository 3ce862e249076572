//! [`Terminal`]: the only code that writes to standard output and standard error.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    panic::Location,
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use kdam::{Bar, BarExt};
use serde::Serialize;

use crate::{
    diagnostics::{self, Failure, escape},
    report::{ProbeReport, Summary},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    /// Whether only errors, security warnings and requested data are printed.
    pub(crate) quiet: bool,
    /// The level of detail: 0 adds no notes, 1 adds notes about input formats, connection stages
    /// and retries, and 2 also adds a note about the outcome of each request.
    pub(crate) verbosity: u8,
}

impl Terminal {
    /// A closed pipe is not a failure, because its reader does not need the rest of the output.
    pub(crate) fn print_data(text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| diagnostics::stdout_write_failed(&error)),
        }
    }

    pub(crate) fn data_writer() -> impl Write {
        io::stdout()
    }

    /// Returns the exit code.
    pub(crate) fn print_text(text: &str) -> u8 {
        Self::exit_code(Self::print_data(text).map(|()| 0))
    }

    pub(crate) fn print_summary(self, summary: &Summary) -> u8 {
        if let Some(failure) = &summary.error {
            Self::error(failure);
        }
        self.print_report(summary, summary.exit_code, || summary.to_text())
    }

    pub(crate) fn print_probe_report(self, report: &ProbeReport) -> u8 {
        for warning in &report.warnings {
            self.warning(warning);
        }
        if let Some(failure) = &report.error {
            Self::error(failure);
        }
        self.print_report(report, report.exit_code, || report.to_text())
    }

    /// Returns `exit_code`, or the exit code of a write failure.
    pub(crate) fn print_report(
        self,
        report: &impl Serialize,
        exit_code: u8,
        text: impl FnOnce() -> String,
    ) -> u8 {
        let written = if self.json {
            match serde_json::to_string(report) {
                Ok(json) => Self::print_data(&escape_json(&json)),
                Err(error) => Err(Failure::internal("cannot write the report", &error)),
            }
        } else if self.quiet {
            Ok(())
        } else {
            Self::print_data(&text())
        };
        Self::exit_code(written.map(|()| exit_code))
    }

    /// Returns the exit code of a command, and prints its failure.
    pub(crate) fn exit_code(result: Result<u8, Failure>) -> u8 {
        result.unwrap_or_else(|failure| {
            Self::error(&failure);
            failure.exit_code
        })
    }

    pub(crate) fn error(failure: &Failure) {
        Self::write_stderr(&failure.to_string());
    }

    pub(crate) fn warning(self, text: &str) {
        if !self.quiet {
            Self::write_stderr(&format!("warning: {}\n", escape(text)));
        }
    }

    /// For an option that disables a security check. `quiet` does not suppress this warning.
    pub(crate) fn security_warning(text: &str) {
        Self::write_stderr(&format!("warning: {}\n", escape(text)));
    }

    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            Self::write_stderr(&format!("note: {}\n", escape(text)));
        }
    }

    pub(crate) fn detail(self, verbosity: u8, text: impl FnOnce() -> String) {
        if self.verbosity >= verbosity {
            self.note(&text());
        }
    }

    /// `quiet` does not suppress this note, because it belongs to an error message.
    pub(crate) fn option_origin(text: &str) {
        Self::write_stderr(&format!("note: {}\n", escape(text)));
    }

    /// The panic message is not printed, because it may quote a token.
    pub(crate) fn internal_error(location: Option<&Location<'_>>) {
        let location = location.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        Self::write_stderr(&format!(
            "error: internal error (bug) at {}; please report it\n",
            escape(&location)
        ));
    }

    pub(crate) fn progress_bar(self, total_records: u64) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let mut bar = Bar::new(usize::try_from(total_records).unwrap_or(usize::MAX));
        bar.dynamic_ncols = true;
        " records".clone_into(&mut bar.unit);
        ProgressBar(Some(bar))
    }

    /// A write failure is ignored, because it could be reported only on standard error.
    fn write_stderr(text: &str) {
        let mut standard_error = io::stderr().lock();
        let text = match AutoStream::choice(&standard_error) {
            ColorChoice::Never => Cow::Borrowed(text),
            _ => Cow::Owned(color_labels(text)),
        };
        let _ = standard_error.write_all(text.as_bytes());
    }
}

/// Escapes DEL and C1, which JSON allows in a string, but a terminal may obey.
fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn color_labels(text: &str) -> String {
    const LABELS: [(&str, Style); 5] = [
        ("error:", AnsiColor::Red.on_default().bold()),
        ("warning:", AnsiColor::Yellow.on_default().bold()),
        ("caused by:", Style::new().bold()),
        ("hint:", AnsiColor::Cyan.on_default().bold()),
        ("note:", Style::new().bold()),
    ];
    let lines = text.split_inclusive('\n').map(|line| {
        let colored = LABELS.iter().find_map(|(label, style)| {
            let rest = line.strip_prefix(label)?;
            Some(format!("{style}{label}{style:#}{rest}"))
        });
        colored.unwrap_or_else(|| line.to_owned())
    });
    lines.collect()
}

/// The escape sequence that erases the line from the cursor to its end (ECMA-48, EL).
const ERASE_TO_END_OF_LINE: &str = "\x1b[K";

pub(crate) struct ProgressBar(Option<Bar>);

impl ProgressBar {
    pub(crate) fn hidden() -> Self {
        Self(None)
    }

    pub(crate) fn advance(&mut self, records: u64) {
        if let Some(bar) = &mut self.0 {
            bar.counter += usize::try_from(records).unwrap_or(usize::MAX);
            if bar.should_refresh() {
                bar.elapsed_time();
                let text = bar.render();
                // The bar is cut at the width of the terminal. A bar that wraps into a second line
                // could not be erased.
                let width = kdam::term::width().filter(|width| *width > 0);
                let width = width.map_or(usize::MAX, usize::from);
                let shown: String = text.chars().take(width).collect();
                Terminal::write_stderr(&format!("\r{shown}{ERASE_TO_END_OF_LINE}"));
            }
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.0.is_some() {
            Terminal::write_stderr(&format!("\r{ERASE_TO_END_OF_LINE}"));
        }
    }
}
