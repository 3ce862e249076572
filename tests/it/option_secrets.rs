//! Secrets that are given by mistake where a path, a URL or a number belongs.

use crate::support::{
    files::TempFile,
    program::{Run, command, finish, start_command},
    records::ONE_RECORD,
};

const PUSH: [&str; 4] = ["push", "-s127.0.0.1:1", "--retry=0", "--max-time=1s"];

/// Runs the program in an empty folder, because a secret may be the name of an output.
fn run_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(args);
    command.envs(variables.iter().copied());
    command.current_dir(folder.path());
    finish(start_command(&mut command, ONE_RECORD))
}

/// Runs `push` with an option on the command line, in the environment and in the config file, in
/// text and in JSON.
fn runs_with_option(option: &str, value: &str, base: &[&str]) -> Vec<Run> {
    let typed = format!("--{option}={value}");
    let variable = format!("SENSOR_LICENSE_{}", option.replace('-', "_").to_uppercase());
    // A JSON string is a TOML string as well.
    let quoted = serde_json::Value::from(value).to_string();
    let config = TempFile::new("config.toml", format!("{option} = {quoted}\n"));
    let mut runs = Vec::new();
    for output in ["--output=text", "--output=json"] {
        let base = [base, &[output]].concat();
        let with = |flags: &[&str], variables: &[(&str, &str)]| {
            run_with(&[&base, flags].concat(), variables)
        };
        runs.push(with(&[&typed], &[]));
        runs.push(with(&[], &[(&variable, value)]));
        runs.push(with(&["--config", config.str()], &[]));
    }
    runs
}

struct Key {
    /// The forms in which a shell script may pass the key.
    forms: [String; 3],
    /// A part of the key, which no output may contain.
    secret: String,
}

fn key() -> Key {
    let pem = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Key {
        secret: base64[60..90].to_owned(),
        forms: [pem.clone(), base64, pem.replace('\n', "\\n")],
    }
}

#[test]
fn key_in_place_of_a_secret_file_is_hidden() {
    let key = key();
    for form in &key.forms {
        for option in ["key", "cert", "cacert", "bearer-token-file"] {
            let base = match option {
                "key" => [&PUSH[..], &["--cert=/no/cert.pem"]].concat(),
                "cert" => [&PUSH[..], &["--key=/no/key.pem"]].concat(),
                _ => PUSH.to_vec(),
            };
            for run in runs_with_option(option, form, &base) {
                let run = run.exits(2).hides(&key.secret).hides("BEGIN");
                // With `--key`, the missing certificate may be reported first.
                assert!(
                    option == "key" || run.stderr.contains("bytes, not shown)"),
                    "{run:?}"
                );
            }
        }
        let header = format!("@{form}");
        for run in runs_with_option("header", &header, &PUSH) {
            run.exits(2).hides(&key.secret).hides("BEGIN");
        }
    }
}

#[test]
fn key_in_place_of_any_value_is_hidden() {
    let Key { forms, secret } = key();
    let [pem, _, escaped] = &forms;
    for value in [pem, escaped] {
        for option in [
            "server",
            "authority",
            "proxy",
            "proto",
            "protoset",
            "import-path",
            "ledger",
            "rejects",
            "metrics-file",
            "metrics-label",
            "profile",
            "retry",
            "timeout",
            "batch-bytes",
            "max-changes",
            "method",
            "records",
            "timezone",
            "input-format",
            "plaintext",
            "nonsense",
        ] {
            let base = if option == "server" {
                &PUSH[..1]
            } else {
                &PUSH
            };
            for run in runs_with_option(option, value, base) {
                run.hides(&secret).hides("BEGIN");
            }
        }
        let listen = format!("unix:/no/{value}");
        let store = format!("--store=/no/{value}");
        for args in [
            &["push", "--rehearse", value][..],
            &["push", "--rehearse", "--", value],
            &["check", "--", value],
            &["check", "--config", value],
            &["check", &format!("--config={value}")],
            &["check", "--retry", value],
            &[
                "push",
                "-s127.0.0.1:1",
                "--cert=/no/cert.pem",
                "--key",
                value,
            ],
            &["push", "-s127.0.0.1:1", "--header", value],
            &["push", "-s", value],
            &["probe", "-s127.0.0.1:1", "--", value],
            &["probe", &format!("-sunix:{value}")],
            &["ledger", "show", &format!("--ledger={value}")],
            &["ledger", "forget", "--all", &format!("--ledger={value}")],
            &[
                "ledger",
                "forget",
                "--ledger=x",
                &format!("--tokens={value}"),
            ],
            &["serve", "--listen", &listen],
            &["serve", "--listen=127.0.0.1:0", &store],
            &["--", value],
            &[value],
            &[&format!("-{value}")],
        ] {
            let run = run_with(args, &[]).hides(&secret).hides("BEGIN");
            assert_ne!(run.code, 0, "{args:?}");
        }
    }
}

#[test]
fn bearer_token_in_place_of_its_file_is_hidden() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZW5zb3IifQ.c2VjcmV0LXNpZ25hdHVyZQ";
    for run in runs_with_option("bearer-token-file", token, &PUSH) {
        run.exits(2)
            .hides("c2VjcmV0")
            .stderr_contains("cannot open (66 bytes, not shown)")
            .stderr_contains("hint: pass the path of a file, not its content\n");
    }
    for run in runs_with_option("header", &format!("@{token}"), &PUSH) {
        run.exits(2).hides("c2VjcmV0");
    }
    // Base64 may look like a path, but its first part is no directory.
    let token = format!("c2VjcmV0/{}", "x".repeat(40));
    for run in runs_with_option("bearer-token-file", &token, &PUSH) {
        run.exits(2).hides("c2VjcmV0");
    }
    let file = TempFile::absent("a-file-name-of-more-than-32-characters.pem");
    for run in runs_with_option("cacert", file.str(), &PUSH) {
        run.exits(2).stderr_contains(file.str());
    }
    for run in runs_with_option("cacert", "short.pem", &PUSH) {
        run.exits(2).stderr_contains("short.pem");
    }
}

#[test]
fn password_in_a_url_is_hidden() {
    for url in [
        "https://user:hunter2@host:1",
        "https://user:hunt/hunter2@host:1",
        "user:hunter2@host:1",
        "http://user:hunter2@host",
    ] {
        for option in ["server", "authority", "retry", "ledger", "proto"] {
            let base = if option == "server" {
                &PUSH[..1]
            } else {
                &PUSH
            };
            for run in runs_with_option(option, url, base) {
                let is_path = ["ledger", "proto"].contains(&option) && !url.contains("://");
                assert!(is_path || !run.output().contains("hunter2"), "{run:?}");
            }
        }
        let shown = url.contains("://");
        let run = run_with(&["check", url], &[]).exits(4);
        assert!(!shown || !run.output().contains("hunter2"), "{run:?}");
    }
    for run in runs_with_option("server", "https://user:hunter2@host:1", &["push"]) {
        run.exits(2)
            .stderr_contains("credentials in the server URL are not supported")
            .stderr_contains("'https://host:1'");
    }
}

#[test]
fn passwords_in_addresses_and_proto_files_are_hidden() {
    const SECRET: &str = "hunter2secret";
    for server in [
        "alice:hunter2secret",
        "https://localhost:hunter2secret",
        "https://alice:hunter2secret@localhost:1/x",
        "https://h:1/?t=hunter2secret",
        "h:1/#hunter2secret",
    ] {
        run_with(&["push", "--server", server], &[])
            .exits(2)
            .hides(SECRET);
        run_with(&["push"], &[("SENSOR_LICENSE_SERVER", server)])
            .exits(2)
            .hides(SECRET);
    }
    for socket in [
        "unix://al:hunter2secret@h/s",
        "unix:https://al:hunter2secret@h",
    ] {
        let flags = ["push", "--retry=0", "--server", socket];
        run_with(&flags, &[]).exits(5).hides(SECRET);
    }
    let token = TempFile::new("token", "hunter2secret\n");
    run_with(&["push", "--rehearse", "--proto", token.str()], &[])
        .exits(2)
        .hides(SECRET);
    let ledger = TempFile::new("ledger", "");
    let target = "--target=https://al:hunter2secret@h";
    run_with(&["ledger", "forget", "--ledger", ledger.str(), target], &[]).hides(SECRET);
}
