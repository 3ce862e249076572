//! [`Terminal`]: the only code that writes to standard output and standard error.

use std::{
    borrow::Cow,
    env,
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, Write},
    panic::Location,
    path::PathBuf,
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::{
    diagnostics::{self, Failure, InputProblem, escape},
    report::{ProbeReport, Summary},
    user_path::UserPath,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    /// Whether only errors, security warnings and requested data are printed.
    pub(crate) quiet: bool,
    /// The level of detail: 0 adds no notes, 1 adds notes about input formats, connection stages
    /// and retries, and 2 also adds a note about the outcome of each request.
    pub(crate) verbosity: u8,
    pub(crate) error_format: ErrorFormat,
}

/// The form in which the problems of the input are printed, besides the text on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    #[default]
    Text,
    GithubActions,
    /// A JSON array in place of the summary.
    GitlabCodeQuality,
    /// An XML document in place of the summary.
    Junit,
}

/// The environment variable with the path of the file for the summary of a GitHub Actions job.
const GITHUB_STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

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

    pub(crate) fn print_summary(self, summary: &Summary) -> u8 {
        if let Some(failure) = &summary.error {
            Self::error(failure);
        }
        self.print_summary_after_error(summary)
    }

    /// Prints the summary of a run whose error is already on standard error.
    pub(crate) fn print_summary_after_error(self, summary: &Summary) -> u8 {
        let failure = summary.error.as_ref();
        let document = match self.error_format {
            ErrorFormat::Text => None,
            ErrorFormat::GithubActions => {
                if let Err(failure) = self.print_github(summary) {
                    return Self::exit_code(Err(failure));
                }
                None
            }
            ErrorFormat::GitlabCodeQuality => Some(
                diagnostics::gitlab_code_quality(failure)
                    .map_err(|error| Failure::internal("cannot write the report", &error)),
            ),
            ErrorFormat::Junit => Some(
                diagnostics::junit(summary.command, failure)
                    .map_err(|error| Failure::internal("cannot write the report", &error)),
            ),
        };
        match document {
            None => self.print_report(summary, summary.exit_code, || summary.to_text()),
            Some(document) => {
                let printed = document.and_then(|text| Self::print_data(text.trim_end()));
                Self::exit_code(printed.map(|()| summary.exit_code))
            }
        }
    }

    /// Prints annotations, and appends the summary to the summary of the job.
    fn print_github(self, summary: &Summary) -> Result<(), Failure> {
        let failure = summary.error.as_ref();
        if let Some(failure) = failure {
            Self::print_data(&diagnostics::github_annotations(failure))?;
        }
        let file = env::var_os(GITHUB_STEP_SUMMARY).filter(|path| !path.is_empty());
        let Some(path) = file.map(PathBuf::from) else {
            return Ok(());
        };
        let text =
            diagnostics::github_step_summary(summary.command, &summary.result_line(), failure);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            let error = UserPath::from(path.as_path()).error("write", &error);
            self.warning(&format!("{GITHUB_STEP_SUMMARY}: {error}"));
        }
        Ok(())
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

    /// Returns the exit code of a command whose JSON reports have no place for a failure, and prints
    /// its failure.
    pub(crate) fn print_result(self, result: Result<u8, Failure>) -> u8 {
        result.unwrap_or_else(|failure| {
            Self::error(&failure);
            let exit_code = failure.exit_code;
            if !self.json {
                return exit_code;
            }
            let report = json!({ "exit_code": exit_code, "error": failure });
            self.print_report(&report, exit_code, String::new)
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

    pub(crate) fn input_warning(self, problem: &InputProblem) {
        if !self.quiet {
            Self::write_stderr(&format!("{}\n", problem.to_line("warning")));
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

    /// The bar appears only on a terminal, and disappears when it is dropped.
    pub(crate) fn progress_bar(self, total_records: u64, is_shown: bool) -> ProgressBar {
        if self.quiet || !is_shown {
            return ProgressBar::hidden();
        }
        let template = "{percent:>3}% [{bar:30}] {human_pos}/{human_len} records, {eta} left";
        let style = ProgressStyle::with_template(template);
        ProgressBar::new(total_records)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_finish(ProgressFinish::AndClear)
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
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    const LABELS: [(&str, Style); 5] = [
        ("error:", ERROR),
        ("warning:", WARNING),
        ("caused by:", Style::new().bold()),
        ("hint:", AnsiColor::Cyan.on_default().bold()),
        ("note:", Style::new().bold()),
    ];
    let lines = text.split_inclusive('\n').map(|line| {
        let colored = LABELS.iter().find_map(|(label, style)| {
            let rest = line.strip_prefix(label)?;
            Some(format!("{style}{label}{style:#}{rest}"))
        });
        // The label of a problem in the input follows the place.
        let colored = colored.or_else(|| {
            [("error:", ERROR), ("warning:", WARNING)]
                .iter()
                .find_map(|(label, style)| {
                    let (place, rest) = line.split_once(&format!(": {label} "))?;
                    Some(format!("{place}: {style}{label}{style:#} {rest}"))
                })
        });
        colored.unwrap_or_else(|| line.to_owned())
    });
    lines.collect()
}
