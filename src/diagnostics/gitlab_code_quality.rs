//! Formatting for GitLab: a Code Quality report
//! (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use std::env;

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
    let folder = env::current_dir().unwrap_or_default();
    let folder = folder.to_str().unwrap_or_default();
    let issues = problems.iter();
    let issues: Vec<_> = issues
        .filter_map(|problem| Issue::new(problem, folder))
        .collect();
    serde_json::to_string_pretty(&issues)
}

impl Issue {
    /// Returns `None` for a problem without a file, which GitLab requires. GitLab runs jobs in the
    /// folder of the repository, and requires paths relative to it.
    fn new(problem: &InputProblem, folder: &str) -> Option<Self> {
        let file = problem.file.as_ref()?;
        // GitLab recognizes a problem that an earlier pipeline has reported by its fingerprint.
        let place = problem.place();
        let identity = format!("{}: {}", relative_to(folder, &place), problem.message);
        Some(Self {
            description: escape(&problem.text()),
            check_name: "sensor-license",
            fingerprint: format!("{:016x}", XxHash3_64::oneshot(identity.as_bytes())),
            severity: "major",
            location: Location {
                path: relative_to(folder, file)
                    .trim_start_matches("./")
                    .to_owned(),
                lines: Lines {
                    begin: problem.line.unwrap_or(1),
                },
            },
        })
    }
}

fn relative_to<'p>(folder: &str, path: &'p str) -> &'p str {
    let rest = path.strip_prefix(folder);
    rest.and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}
