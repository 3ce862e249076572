//! Formatting as a JUnit XML document: a failed test case for each problem of the input, and one test
//! case for the whole run.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{failure::Failure, text::describe};

/// `command` is the name of the command.
pub(crate) fn junit(command: &str, failure: Option<&Failure>) -> Result<String, SerializeError> {
    let suite_name = format!("sensor-license {command}");
    let mut suite = TestSuite::new(&suite_name);
    for problem in failure.iter().flat_map(|failure| &failure.problems) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("problem").set_message(problem.text());
        status.set_description(problem.to_line("error"));
        let name = match problem.file {
            Some(_) => problem.place(),
            None => problem.message.clone(),
        };
        let mut case = TestCase::new(name, status);
        case.set_classname(&suite_name);
        suite.add_test_case(case);
    }
    let status = match failure {
        None => TestCaseStatus::success(),
        Some(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("failure").set_message(&failure.message);
            status.set_description(describe(failure));
            status
        }
    };
    let mut case = TestCase::new(command, status);
    case.set_classname(&suite_name);
    suite.add_test_case(case);
    let mut report = Report::new(&suite_name);
    report.add_test_suite(suite);
    let document = report.to_string()?;
    // The schema of Jenkins' xUnit plugin allows this attribute only in a test suite.
    Ok(document.replacen(" skipped=\"0\"", "", 1))
}
