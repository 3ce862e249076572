//! The documents: README commands, samples, and help texts must match the program.

use std::{
    fmt::Write,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    certificates::{CertificateFolder, params},
    files::utf8,
    program::{PROGRAM, Run, run, send_signal},
    receiver::Receiver,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns each command in the README's shell blocks, with the HTML comment before the block.
fn readme_commands() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("README.md")).expect("a README");
    let mut commands = Vec::new();
    let mut comment = String::new();
    let mut in_block = false;
    for line in text.lines() {
        match line {
            "```sh" => in_block = true,
            "```" => {
                in_block = false;
                comment.clear();
            }
            _ if in_block => commands.push((line.to_owned(), comment.clone())),
            _ if line.starts_with("<!--") => line.clone_into(&mut comment),
            _ => {}
        }
    }
    assert!(commands.len() > 8, "{commands:?}");
    commands
}

/// Returns the README's only code block in this language.
fn readme_block(kind: &str) -> String {
    let text = fs::read_to_string(root().join("README.md")).expect("a README");
    let (_, block) = text.split_once(&format!("```{kind}\n")).expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    block.to_owned()
}

/// README commands that run the tests or the compiler. `.ci/run` runs them.
const CI_COMMANDS: [&str; 2] = ["cargo test", "cargo install --locked --path ."];

#[test]
fn readme_commands_work() {
    let receiver = Receiver::start();
    let (_, port) = receiver.address.rsplit_once(':').expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &str| {
        fs::write(folder.path().join(name), content).expect("written");
    };
    fs::copy(receiver.cacert(), folder.path().join("server.crt")).expect("copied");
    let files = CertificateFolder::new();
    let client = files.self_signed(&params(Some("cron"), &[]));
    fs::copy(&client.cert, folder.path().join("client.crt")).expect("copied");
    fs::copy(&client.key, folder.path().join("client.key")).expect("copied");
    write("token", "s3cret\n");
    write("license.proto", include_str!("../../proto/sensor.proto"));
    write("licenses.csv", "device_token,expire_time\na,4070908800\n");
    write("dates.csv", "device_token,expire_time\na,31.12.2099\n");
    let mut export = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut export, b"until;id\n4070908800000;a\n").expect("written");
    let export = export.finish().expect("compressed");
    fs::write(folder.path().join("export.csv.gz"), export).expect("written");
    let config = readme_block("toml").replace("localhost:9102", &format!("localhost:{port}"));
    write("licenses.toml", &config);
    write("north.csv", "device_token,expire_time\nb,4070908800\n");
    write(
        "south.json",
        r#"[{"device_token":"c","expire_time":4070908800}]"#,
    );
    std::os::unix::fs::symlink(root().join("samples"), folder.path().join("samples"))
        .expect("linked");
    // The shell must find the program under test as `sensor-license`.
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).expect("a folder");
    std::os::unix::fs::symlink(PROGRAM, programs.join("sensor-license")).expect("linked");
    // jq may not be installed, so this script replaces it for the command `jq -c '.[]' FILE`.
    write("bin/jq", "#!/bin/sh\nsed 's/^\\[//; s/\\]$//' \"$3\"\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(programs.join("jq"), executable).expect("executable");
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").expect("a path")
    );

    let shell = |line: &str| {
        let line = line
            .replace("cargo run --release --", "sensor-license")
            .replace("localhost:9102", &format!("localhost:{port}"))
            .replace("127.0.0.1:9102", &format!("127.0.0.1:{port}"));
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("exec env {line}")])
            .current_dir(folder.path())
            .env("PATH", &path)
            .stdin(Stdio::null());
        if line.contains('|') {
            let mut piped = Command::new("sh");
            piped
                .args(["-c", &line])
                .current_dir(folder.path())
                .env("PATH", &path)
                .stdin(Stdio::null());
            return piped;
        }
        shell
    };
    let mut pushes = 0;
    for (line, comment) in readme_commands() {
        if CI_COMMANDS.contains(&line.as_str()) {
            continue;
        }
        if line.starts_with("sensor-license serve") {
            let mut child = shell(&line)
                .stdout(Stdio::piped())
                .spawn()
                .expect("it runs");
            let mut first = String::new();
            BufReader::new(child.stdout.take().expect("a pipe"))
                .read_line(&mut first)
                .expect("a line");
            assert!(
                first.starts_with("listening on https://127.0.0.1:"),
                "{first}"
            );
            send_signal(&child, Signal::TERM);
            assert!(child.wait().expect("it ends").success());
            assert!(folder.path().join("cacert.pem").exists());
            assert!(folder.path().join("received.csv").exists());
            continue;
        }
        let run: Run = shell(&line).output().expect("it runs").into();
        if comment.contains("needs a public certificate") {
            // The server does not exist, so a correct command fails when it connects.
            run.exits(5).stderr_contains("license.example.com:443");
            continue;
        }
        let run = run.exits(0);
        let sends =
            line.contains(" push ") && (line.contains("--server") || line.contains("--config"));
        pushes += u64::from(sends && !line.contains("--dry-run"));
        assert_eq!(run.stdout.is_empty(), line.contains("--quiet"), "{line}");
    }
    let totals = receiver.stop();
    assert_eq!(totals.requests, pushes);
    assert_eq!(totals.rows, b"a,4070908800\nb,4070908800\nc,4070908800\n");
}

#[test]
fn readme_and_ci_have_the_same_test_command() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect("a script");
    let commands = readme_commands();
    for command in CI_COMMANDS {
        assert!(
            commands.iter().any(|(line, _)| line == command),
            "{command}"
        );
        assert!(ci.contains(command), "{command}");
    }
}

fn samples(kind: &str) -> Vec<PathBuf> {
    let mut samples: Vec<_> = fs::read_dir(root().join("samples").join(kind))
        .expect("samples")
        .map(|entry| entry.expect("a sample").path())
        .collect();
    samples.sort();
    assert!(samples.len() > 5, "{samples:?}");
    samples
}

#[test]
fn valid_samples_can_be_pushed() {
    for sample in samples("valid") {
        let check = run(["check", utf8(&sample), "--output=json"]).exits(0);
        let push = run(["push", "--rehearse", utf8(&sample), "--output=json"]).exits(0);
        assert_eq!(check.count("unsent"), push.count("acknowledged"));
    }
}

#[test]
fn invalid_samples_have_these_messages() {
    let mut words = String::new();
    for sample in samples("invalid") {
        let run = run(["check", utf8(&sample)]).exits(4);
        let name = sample.strip_prefix(root()).expect("a sample");
        writeln!(words, "# {}\n{}", name.display(), run.stderr).expect("a string");
    }
    let words = words.replace(&format!("{}/", root().display()), "");
    insta::assert_snapshot!(words);
}

#[test]
fn help_has_these_texts() {
    for command in [
        "",
        "push",
        "check",
        "probe",
        "serve",
        "ledger",
        "ledger show",
        "ledger forget",
    ] {
        for flag in ["--help", "-h"] {
            let args: Vec<_> = command.split_whitespace().chain([flag]).collect();
            let help = run(&args).exits(0).stdout;
            if flag == "--help" {
                let name = format!("help{}", command.replace(' ', "-"));
                insta::assert_snapshot!(name, help);
            }
        }
    }
    insta::assert_snapshot!("usage", run(["push"]).exits(2).stderr);
}

#[test]
fn changelog_and_licenses_exist() {
    for file in [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
    ] {
        assert!(
            fs::metadata(root().join(file)).expect(file).len() > 100,
            "{file}"
        );
    }
}
