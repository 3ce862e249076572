//! Standard output and standard error: the one place that writes to them.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    panic::Location,
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use kdam::{Bar, BarExt};
use serde::Serialize;

use crate::{
    diagnostics::{Failure, escape},
    report::{ProbeReport, Summary},
};

/// What is written, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) json: bool,
    /// Errors alone.
    pub(crate) quiet: bool,
    /// How much more than usual is said: 1 of the way to the server and of further tries, 2 of
    /// each request too.
    pub(crate) verbosity: u8,
}

impl Output {
    /// Data, on standard output, with a line's end.
    pub(crate) fn data(text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::stdout(&error)),
        }
    }

    /// Data and nothing else. Returns the exit code.
    pub(crate) fn print(text: &str) -> u8 {
        Self::ended(Self::data(text), 0)
    }

    /// The exit code, which is another where data could not be written.
    fn ended(written: Result<(), Failure>, code: u8) -> u8 {
        match written {
            Ok(()) => code,
            Err(failure) => {
                Self::error(&failure);
                failure.exit_code
            }
        }
    }

    /// Something to know.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            Self::talk(&format!("note: {}\n", escape(text)));
        }
    }

    /// Something to know for whoever wants to know this much.
    pub(crate) fn detail(self, verbosity: u8, text: impl FnOnce() -> String) {
        if self.verbosity >= verbosity {
            self.note(&text());
        }
    }

    /// Something odd.
    pub(crate) fn warning(self, text: &str) {
        if !self.quiet {
            Self::talk(&format!("warning: {}\n", escape(text)));
        }
    }

    /// Something dangerous that was asked for: said even when nothing else is.
    pub(crate) fn danger(text: &str) {
        Self::talk(&format!("warning: {}\n", escape(text)));
    }

    /// Where a flag came from that is wrong.
    pub(crate) fn origin(text: &str) {
        Self::talk(&format!("note: {}\n", escape(text)));
    }

    /// A panic, by its place alone: its message may quote a token.
    pub(crate) fn defect(place: Option<&Location<'_>>) {
        let place = place.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        Self::talk(&format!(
            "error: a defect of this program at {}; please report it\n",
            escape(&place)
        ));
    }

    pub(crate) fn error(failure: &Failure) {
        Self::talk(&failure.to_string());
    }

    /// The summary of a run, and its error. Returns the exit code.
    pub(crate) fn summary(self, summary: &Summary) -> u8 {
        if let Some(failure) = &summary.error {
            Self::error(failure);
        }
        self.report(summary, summary.exit_code, || summary.text())
    }

    /// What a probe found, and its error. Returns the exit code.
    pub(crate) fn probe(self, report: &ProbeReport) -> u8 {
        for warning in &report.warnings {
            self.warning(warning);
        }
        if let Some(failure) = &report.error {
            Self::error(failure);
        }
        self.report(report, report.exit_code, || report.text())
    }

    /// Data in the form that was asked for. Returns the exit code.
    pub(crate) fn report(
        self,
        data: &impl Serialize,
        code: u8,
        text: impl FnOnce() -> String,
    ) -> u8 {
        let written = if self.json {
            match serde_json::to_string(data) {
                Ok(text) => Self::data(&text),
                Err(error) => Err(Failure::internal("the report can't be written", &error)),
            }
        } else if self.quiet {
            Ok(())
        } else {
            Self::data(&text())
        };
        Self::ended(written, code)
    }

    /// Shows on a terminal how many of so many records are done.
    pub(crate) fn progress(self, total: u64) -> Progress {
        if self.quiet || !io::stderr().is_terminal() {
            return Progress::none();
        }
        let mut bar = Bar::new(usize::try_from(total).unwrap_or(usize::MAX));
        bar.dynamic_ncols = true;
        " records".clone_into(&mut bar.unit);
        Progress(Some(bar))
    }

    fn talk(text: &str) {
        let mut standard_error = io::stderr().lock();
        let text = match AutoStream::choice(&standard_error) {
            ColorChoice::Never => Cow::Borrowed(text),
            _ => Cow::Owned(coloured(text)),
        };
        // With standard error gone there is nobody left to tell.
        let _ = standard_error.write_all(text.as_bytes());
    }
}

/// The lines' first words in colours.
fn coloured(text: &str) -> String {
    const LABELS: [(&str, Style); 5] = [
        ("error:", AnsiColor::Red.on_default().bold()),
        ("warning:", AnsiColor::Yellow.on_default().bold()),
        ("caused by:", Style::new().bold()),
        ("hint:", AnsiColor::Cyan.on_default().bold()),
        ("note:", Style::new().bold()),
    ];
    let lines = text.split_inclusive('\n').map(|line| {
        let found = LABELS.iter().find_map(|(label, style)| {
            let rest = line.strip_prefix(label)?;
            Some(format!("{style}{label}{style:#}{rest}"))
        });
        found.unwrap_or_else(|| line.to_owned())
    });
    lines.collect()
}

/// Nothing from here to the line's end (ECMA-48, EL).
const CLEAR_REST: &str = "\x1b[K";

/// How far a push is, on a terminal.
pub(crate) struct Progress(Option<Bar>);

impl Progress {
    /// One that is not shown.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    pub(crate) fn advance(&mut self, records: u64) {
        if let Some(bar) = &mut self.0 {
            bar.counter += usize::try_from(records).unwrap_or(usize::MAX);
            if bar.should_refresh() {
                bar.elapsed_time();
                let text = bar.render();
                // A line that a narrow terminal wraps could not be cleared.
                let width = kdam::term::width().filter(|width| *width > 0);
                let width = width.map_or(usize::MAX, usize::from);
                let shown: String = text.chars().take(width).collect();
                Output::talk(&format!("\r{shown}{CLEAR_REST}"));
            }
        }
    }

    /// Takes it off the terminal.
    pub(crate) fn finish(&self) {
        if self.0.is_some() {
            Output::talk(&format!("\r{CLEAR_REST}"));
        }
    }
}
