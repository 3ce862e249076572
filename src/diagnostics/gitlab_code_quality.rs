//! Formatting for GitLab: a Code Quality report
//! (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use serde::Serialize;
use twox_hash::XxHash3_64;

use super::{escape::escape, failure::Failure, problem::InputProblem};

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

/// Returns a JSON array with the problems of the input.
pub(crate) fn gitlab_code_quality(failure: Option<&Failure>) -> serde_json::Result<String> {
    let problems = failure.map_or(&[][..], |failure| &failure.problems);
    let issues: Vec<_> = problems.iter().filter_map(Issue::new).collect();
    serde_json::to_string_pretty(&issues)
}

impl Issue {
    /// Returns `None` for a problem without a file, which GitLab requires.
    fn new(problem: &InputProblem) -> Option<Self> {
        let file = problem.file.as_ref()?;
        // GitLab recognizes a problem that an earlier pipeline has reported by its fingerprint.
        let identity = format!("{}: {}", problem.place(), problem.message);
        Some(Self {
            description: escape(&problem.text()),
            check_name: "sensor-license",
            fingerprint: format!("{:016x}", XxHash3_64::oneshot(identity.as_bytes())),
            severity: "major",
            location: Location {
                path: file.trim_start_matches("./").to_owned(),
                lines: Lines {
                    begin: problem.line.unwrap_or(1),
                },
            },
        })
    }
}
