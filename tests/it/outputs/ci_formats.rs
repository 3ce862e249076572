//! `--error-format`: problems of the input in the formats of CI systems.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{
    files::{TempFile, utf8},
    program::{Run, command, run, run_command, run_with, run_with_input},
    records::ONE_RECORD,
};

const TWO_PROBLEMS: &str = "token,expire_time\nabcdefghijkl,31/12/2099\nb,2099-12-31\nc\n";

/// Checks all invalid samples in one run. The paths are relative to the repository.
fn check_samples(format: &str) -> Run {
    let root = env!("CARGO_MANIFEST_DIR");
    let samples = std::fs::read_dir(format!("{root}/samples/invalid")).expect("samples");
    let mut samples: Vec<_> = samples
        .map(|entry| entry.expect("a sample").path())
        .collect();
    samples.sort();
    let samples = samples
        .iter()
        .map(|path| utf8(path.strip_prefix(root).expect("a sample")).to_owned());
    let mut args = vec!["check".to_owned(), format!("--error-format={format}")];
    args.push("--max-errors=100".to_owned());
    args.extend(samples);
    run_command(command(args).current_dir(root)).exits(4)
}

#[test]
fn samples_have_these_annotations() {
    let stdout = check_samples("github-actions").stdout;
    let annotations = stdout.rsplit_once("\nrefused: ").expect("the result").0;
    insta::assert_snapshot!(annotations);
}

#[test]
fn samples_have_this_code_quality_report() {
    let report = check_samples("gitlab-code-quality").stdout;
    insta::assert_snapshot!(report);
}

#[test]
fn samples_have_this_junit_document() {
    let document = check_samples("junit").stdout;
    insta::assert_snapshot!(document);
}

#[test]
fn code_quality_reports_have_what_gitlab_requires() {
    let text = json!({ "type": "string", "minLength": 1 });
    let schema = json!({ "type": "array", "items": {
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": text, "check_name": text, "fingerprint": text,
            "severity": { "enum": ["info", "minor", "major", "critical", "blocker"] },
            "location": {
                "required": ["path", "lines"],
                "properties": {
                    "path": { "type": "string", "pattern": "^[^./]" },
                    "lines": { "required": ["begin"], "properties": {
                        "begin": { "type": "integer", "minimum": 1 }
                    } }
                }
            }
        }
    } });
    let report = check_samples("gitlab-code-quality").json();
    assert!(jsonschema::is_valid(&schema, &report), "{report}");
    let issues = report.as_array().expect("an array");
    let mut fingerprints: Vec<_> = issues.iter().map(|issue| &issue["fingerprint"]).collect();
    fingerprints.sort_unstable_by_key(|fingerprint| fingerprint.as_str());
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), issues.len());
}

#[test]
fn code_quality_paths_are_relative_to_the_current_directory() {
    let file = TempFile::new("a.csv", TWO_PROBLEMS);
    let check = |path: &str, folder: &Path| {
        let mut check = command(["check", "--error-format=gitlab-code-quality", path]);
        run_command(check.current_dir(folder)).exits(4).json()
    };
    let report = check("a.csv", file.folder());
    assert_eq!(report[0]["location"]["path"], "a.csv");
    assert_eq!(check(file.str(), file.folder()), report);
    // A path outside the current directory stays absolute.
    let outside = check(file.str(), Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(outside[0]["location"]["path"], file.str());
}

#[test]
fn documents_replace_the_result_also_without_problems() {
    for output in ["text", "json"] {
        let check = |format: &str, input: &str| {
            let args = ["check", "--error-format", format, "--output", output];
            run_with_input(args, input.as_bytes())
        };
        let valid = "token,expire_time\na,2099-12-31\n";
        let report = check("gitlab-code-quality", valid).exits(0).json();
        assert_eq!(report, json!([]));
        let document = check("junit", valid).exits(0).stdout;
        assert!(document.contains("failures=\"0\""), "{document}");
        let document = check("junit", TWO_PROBLEMS).exits(4).stdout;
        assert!(document.starts_with("<?xml"), "{document}");
        assert!(document.contains("tests=\"3\""), "{document}");
        assert!(document.contains("failures=\"3\""), "{document}");
        let report = check("gitlab-code-quality", TWO_PROBLEMS).exits(4).json();
        assert_eq!(report.as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn other_failures_are_in_each_format() {
    let push = |format: &str| {
        let args = [
            "push",
            "-s127.0.0.1:1",
            "--retry=0",
            "--error-format",
            format,
        ];
        run_with_input(args, b"token,expire_time\na,2099-12-31\n").exits(5)
    };
    let annotations = push("github-actions").stdout;
    let (first, result) = annotations.split_once('\n').expect("two lines");
    assert!(
        first.starts_with("::error title=sensor-license::cannot connect to \"127.0.0.1:1\""),
        "{first}"
    );
    assert!(first.contains("%0Ahint: "), "{first}");
    assert!(result.starts_with("failed: 1 read"), "{result}");
    assert_eq!(push("gitlab-code-quality").json(), json!([]));
    let missing = ["check", "nowhere.csv", "--error-format=gitlab-code-quality"];
    let missing = run(missing).exits(4);
    assert_eq!(missing.json()[0]["location"]["path"], "nowhere.csv");
    let message = "cannot open nowhere.csv: No such file or directory";
    assert_eq!(missing.json()[0]["description"], message);
    assert_eq!(missing.stderr, format!("error: {message}\n"));
    let document = push("junit").stdout;
    assert!(document.contains("cannot connect to"), "{document}");
    // An option with an unsuitable value.
    run(["check", "--error-format=junit", "--rejects=x"]).exits(2);
    run(["check", "--error-format=html"]).exits(2);
}

#[test]
fn annotations_are_escaped_and_tokens_are_masked() {
    let file = TempFile::new(
        "50%,a:b.csv",
        TWO_PROBLEMS.replace("31/12/2099", "\"x\ny\""),
    );
    let mut check = command(["check", "--error-format=github-actions", "50%,a:b.csv"]);
    let run = run_command(check.current_dir(file.folder()))
        .exits(4)
        .hides("abcdefghijkl");
    let first = run.stdout.lines().next().expect("a line");
    let expected = "::error file=50%25%2Ca%3Ab.csv,line=2,title=sensor-license::expire_time ";
    assert!(first.starts_with(expected), "{first}");
}

#[test]
fn step_summary_is_appended_and_escaped() {
    let summary = TempFile::new("summary.md", "before\n");
    let check = |format: &str| {
        let args = ["check", "--error-format", format];
        let variables = [("GITHUB_STEP_SUMMARY", summary.str())];
        let input = TWO_PROBLEMS.replace("31/12/2099", "a|<b>");
        run_with(&args, &variables, input.as_bytes()).exits(4)
    };
    check("text");
    assert_eq!(summary.read(), "before\n");
    check("github-actions").hides("abcdefghijkl");
    let text = summary.read();
    assert!(
        text.starts_with("before\n### sensor-license check\n"),
        "{text}"
    );
    for line in [
        "2 of 3 records invalid (malformed: 1, invalid time: 1); nothing was sent\n",
        "| standard input:2 | expire\\_time \"a\\|&lt;b>\" is not ",
        "| standard input:4 | expected 2 columns, found 1 |\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let variables = [("GITHUB_STEP_SUMMARY", "/no/folder/summary.md")];
    let args = ["check", "--error-format=github-actions"];
    run_with(&args, &variables, b"token,expire_time\na,2099-12-31\n")
        .exits(0)
        .stderr_contains("warning: GITHUB_STEP_SUMMARY: cannot write /no/folder/summary.md");
}

#[test]
fn usage_errors_have_the_json_form_of_the_command() {
    let broken = TempFile::new("config.toml", "nothing = ");
    let config = format!("--config={}", broken.str());
    for args in [
        &["push", "--output=json"][..],
        &["push", "--output", "json", "-sx:1", "--timeout=soon"],
        &[
            "push",
            "--output=json",
            "-sx:1",
            "--rejects=a",
            "--metrics-file=a",
        ],
        &["check", "--output=json", "--nonsense"],
        &["check", "--output=json", "--timezone=Nowhere"],
        &["check", "--output=json", &config],
        &["probe", "--output=json", "-sx"],
        &["ledger", "show", "--output=json"],
    ] {
        let run = run(args).exits(2);
        let report = run.json();
        assert_eq!(report["exit_code"], 2, "{args:?}: {report}");
        let error = &report["error"];
        assert_eq!(error["kind"], "usage", "{args:?}: {report}");
        let message = error["message"].as_str().expect("a message");
        assert!(
            !message.contains('\n') && !message.starts_with("error"),
            "{message}"
        );
        assert!(run.stderr.starts_with("error: "), "{args:?}: {run:?}");
        assert_eq!(error["problems"], json!([]), "{args:?}");
    }
    let variable = [("SENSOR_LICENSE_OUTPUT", "json")];
    let report = run_with(&["check", "--nonsense"], &variable, b"").exits(2);
    assert_eq!(report.json()["error"]["kind"], "usage");
    let run = run(["check", "--", "--output=json"]).exits(4);
    assert!(
        serde_json::from_str::<Value>(&run.stdout).is_err(),
        "{run:?}"
    );
}

/// Commands without a config file and an environment ignore the variables.
#[test]
fn the_environment_decides_the_form_of_a_usage_error_only_where_it_is_read() {
    let variables = [
        ("SENSOR_LICENSE_OUTPUT", "json"),
        ("SENSOR_LICENSE_ERROR_FORMAT", "junit"),
    ];
    for command in ["serve", "man", "completions"] {
        let run = run_with(&[command, "--nonsense"], &variables, b"").exits(2);
        assert_eq!(run.stdout, "", "{command}");
    }
    for command in ["probe", "ledger"] {
        let run = run_with(&[command, "--nonsense"], &variables, b"").exits(2);
        assert_eq!(run.json()["error"]["kind"], "usage", "{command}");
    }
    let run = run_with(&["check", "--nonsense"], &variables, b"").exits(2);
    assert!(run.stdout.starts_with("<?xml"), "{run:?}");
    let run = run_with(
        &["check", "--nonsense", "--error-format=text"],
        &variables,
        b"",
    );
    assert_eq!(run.json()["exit_code"], 2);
}

#[test]
fn the_config_file_decides_the_form_of_a_usage_error() {
    // Clap refuses the argument before the value of the file.
    let file = TempFile::new("config.toml", "output = 'json'\nretry = 'x'\n");
    let args = ["check", "--config", file.str()];
    for arg in ["--nonsense", "--max-errors=x"] {
        let run = run([&args[..], &[arg]].concat()).exits(2);
        let message = run.json()["error"]["message"].to_string();
        assert!(message.contains(&arg[..10]), "{message}");
    }
    let typed = run([&args[..], &["--nonsense", "--output=text"]].concat()).exits(2);
    assert_eq!(typed.stdout, "");
    let invalid = TempFile::new("config.toml", "output = ");
    let help = run(["check", "--config", invalid.str(), "--help"]).exits(0);
    assert_eq!(help.stderr, "");
    let help = run(["push", "--config", file.str(), "--help"]).exits(0);
    assert_eq!(help.stderr, "");
    let file = TempFile::new("config.toml", "error-format = 'gitlab-code-quality'\n");
    let run = run(["push", "--config", file.str(), "--nonsense"]).exits(2);
    assert_eq!(run.json(), json!([]));
}

/// Command lines that are refused by clap, and by the program itself.
const USAGE_ERRORS: [&[&str]; 4] = [
    &["push"],
    &["push", "--nonsense"],
    &["push", "-sx:1", "--rejects=a", "--metrics-file=a"],
    &["push", "-sx:1", "--timezone=Nowhere"],
];

#[test]
fn usage_errors_are_in_each_format() {
    for args in USAGE_ERRORS {
        let push = |format: &str| run([args, &["--error-format", format]].concat()).exits(2);
        assert_eq!(push("gitlab-code-quality").json(), json!([]), "{args:?}");
        let document = push("junit");
        let error = document.stderr.lines().next().expect("an error");
        assert_eq!(document.stderr.matches(error).count(), 1, "{document:?}");
        for text in ["tests=\"1\"", "failures=\"1\"", "<testcase name=\"push\""] {
            assert!(document.stdout.contains(text), "{document:?}");
        }
        let annotation = push("github-actions").stdout;
        assert!(
            annotation.starts_with("::error title=sensor-license::"),
            "{annotation}"
        );
    }
    let summary = TempFile::new("summary.md", "");
    let variables = [("GITHUB_STEP_SUMMARY", summary.str())];
    let args = ["push", "--nonsense", "--error-format=github-actions"];
    run_with(&args, &variables, b"").exits(2);
    assert!(summary.read().starts_with("### sensor-license push\n"));
}

#[test]
fn junit_documents_match_the_schema() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    let samples = ["valid", "invalid"].map(|folder| fs::read_dir(format!("{root}/{folder}")));
    let samples = samples
        .into_iter()
        .flat_map(|folder| folder.expect("samples"));
    let samples: Vec<_> = samples
        .map(|entry| entry.expect("a sample").path())
        .collect();
    let checks = samples.iter().map(|sample| vec!["check", utf8(sample)]);
    let pushes = USAGE_ERRORS.map(<[&str]>::to_vec);
    let documents: Vec<_> = checks
        .chain(pushes)
        .chain([vec!["push", "--rehearse", "--min-records=1"]])
        .map(|args| {
            let args = [args, vec!["--error-format=junit"]].concat();
            let document = run_with_input(args, ONE_RECORD).stdout;
            TempFile::new("junit.xml", document)
        })
        .collect();
    let mut lint = Command::new("xmllint");
    lint.args(["--noout", "--relaxng"]);
    lint.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/outputs/junit.rng"
    ));
    let lint = lint.args(documents.iter().map(TempFile::str)).output();
    // `.ci/run` installs it.
    assert!(
        lint.as_ref().is_err() || lint.as_ref().is_ok_and(|lint| lint.status.success()),
        "{lint:?}"
    );
}
