//! The commands in the documents, each run as by a reader who follows the document from its start.
//!
//! A block of `sh` holds commands. They exit with 0, or with the code in a line
//! `<!-- exit code N -->` before the block. A block of `text` after it is what they print. A block
//! after a line that ends with `NAME`: in backticks is the content of this file.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{
    certificates::{CertificateFolder, params},
    files::utf8,
    markdown::{CodeBlock, code_blocks, documents, read_document, root},
    program::{PROGRAM, Run, clear_environment, send_signal},
    receiver::Receiver,
    tcp_server::http_proxy,
};

/// Commands that run the tests or the compiler. `.ci/run` runs them.
const CI_COMMANDS: [&str; 3] = ["cargo test", "cargo install --locked --path .", ".ci/run"];

/// Documents whose commands are for developers, or run in a test of their own.
const OTHER_DOCUMENTS: [&str; 4] = [
    "CONTRIBUTING.md",
    "RELEASE.md",
    "docs/automation.md",
    "docs/performance.md",
];

/// The start of a line that sets the exit code of the commands in the next block.
const EXIT_CODE: &str = "<!-- exit code ";

/// Files that the documents presuppose, without those that are generated.
const FILES: [(&str, &str); 5] = [
    ("licenses.csv", "device_token,expire_time\na,4070908800\n"),
    ("north.csv", "device_token,expire_time\nb,4070908800\n"),
    (
        "south.json",
        r#"[{"device_token":"c","expire_time":4070908800}]"#,
    ),
    ("token", "s3cret\n"),
    ("license.proto", include_str!("../../proto/sensor.proto")),
];

/// A reader who follows one document in an empty home directory.
struct Reader {
    home: TempDir,
    receiver: Receiver,
    proxy: String,
    /// Stands for `localhost:9102` of the document.
    server: String,
    started: Vec<Child>,
}

impl Reader {
    fn new() -> Self {
        let receiver = Receiver::start();
        let (proxy, _) = http_proxy(&receiver.address);
        let (_, port) = receiver.address.rsplit_once(':').expect("a port");
        let server = format!("localhost:{port}");
        let reader = Self {
            home: tempfile::tempdir().expect("a folder"),
            receiver,
            proxy,
            server,
            started: Vec::new(),
        };
        for (name, content) in FILES {
            fs::write(reader.path(name), content).expect("written");
        }
        fs::copy(reader.receiver.cacert(), reader.path("server.crt")).expect("copied");
        let certificates = CertificateFolder::new();
        let client = certificates.self_signed(&params(Some("cron"), &[]));
        fs::copy(&client.cert, reader.path("client.crt")).expect("copied");
        fs::copy(&client.key, reader.path("client.key")).expect("copied");
        // The client certificate is self-signed, so it is the certificate of its CA, too.
        fs::copy(&client.cert, reader.path("client-ca.crt")).expect("copied");
        symlink(root().join("samples"), reader.path("samples")).expect("linked");
        fs::create_dir(reader.path("bin")).expect("a folder");
        symlink(PROGRAM, reader.path("bin/sensor-license")).expect("linked");
        // jq may not be installed, so this script replaces it for the command `jq -c '.[]' FILE`.
        let jq = reader.path("bin/jq");
        fs::write(&jq, "#!/bin/sh\nsed 's/^\\[//; s/\\]$//' \"$3\"\n").expect("written");
        fs::set_permissions(&jq, PermissionsExt::from_mode(0o755)).expect("executable");
        reader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Replaces the servers that the documents name.
    fn localize(&self, text: &str) -> String {
        let (_, port) = self.server.rsplit_once(':').expect("a port");
        text.replace("localhost:9102", &self.server)
            .replace("127.0.0.1:9102", &format!("127.0.0.1:{port}"))
            .replace("license.example.com:443", &self.server)
            .replace("proxy.example.com:3128", &self.proxy)
            .replace("cargo run --release --", "sensor-license")
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        clear_environment(&mut shell);
        let path = std::env::var("PATH").expect("a path");
        shell
            .args(["-c", script])
            .current_dir(self.home.path())
            .env("PATH", format!("{}:{path}", utf8(&self.path("bin"))))
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env("SSL_CERT_FILE", self.receiver.cacert());
        shell
    }

    fn follow(&mut self, blocks: &[CodeBlock]) {
        for (index, block) in blocks.iter().enumerate() {
            if block.language == "sh" {
                let output = self.run_commands(block);
                let next = blocks.get(index + 1);
                match next.filter(|next| next.language == "text" && next.introduction.is_empty()) {
                    Some(expected) => assert_eq!(mask(&output), mask(&expected.text)),
                    None => assert!(
                        block.introduction.starts_with(EXIT_CODE)
                            || !output.contains("warning:") && !output.contains("error:"),
                        "{}: {output}",
                        block.text
                    ),
                }
            } else if let Some(name) = block.file_name() {
                fs::write(self.path(name), self.localize(&block.text)).expect("written");
            }
        }
    }

    /// Returns the output of all commands of a block.
    fn run_commands(&mut self, block: &CodeBlock) -> String {
        let exit_code = block.introduction.strip_prefix(EXIT_CODE);
        let exit_code = exit_code.and_then(|rest| rest.strip_suffix(" -->"));
        let exit_code = exit_code.map_or(0, |code| code.parse().expect("a code"));
        let mut output = String::new();
        for line in block.text.replace("\\\n", "").lines() {
            if CI_COMMANDS.contains(&line) {
                continue;
            }
            let is_text = line.starts_with('#') || line.is_empty();
            assert!(!is_text, "no command: {line}");
            if line.starts_with("sensor-license serve") {
                self.serve(line);
                continue;
            }
            let script = format!("{{ {}; }} 2>&1", self.localize(line));
            let run: Run = self.shell(&script).output().expect("it runs").into();
            assert_eq!(run.code, exit_code, "{line}: {run:?}");
            assert!(run.stdout.is_empty() || !line.contains("--quiet"), "{line}");
            output += &run.stdout.replace(&self.server, "localhost:9102");
        }
        output
    }

    /// Starts a receiver, which the following commands reach as `localhost:9102`.
    fn serve(&mut self, line: &str) {
        let script = format!("exec {line} --listen 127.0.0.1:0");
        let mut child = self.shell(&script);
        let mut child = child.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut first = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut first)
            .expect("a line");
        let (_, port) = first.trim_end().rsplit_once(':').expect("a port");
        self.server = format!("localhost:{port}");
        self.started.push(child);
    }

    /// Ends the receivers that the document starts.
    fn finish(mut self) {
        for child in &mut self.started {
            send_signal(child, Signal::TERM);
            assert!(child.wait().expect("it ends").success());
        }
    }
}

/// Replaces the addresses of rehearsals and the elapsed times, which differ from run to run.
fn mask(text: &str) -> String {
    let mask_word = |word: &str| {
        if word.starts_with("127.0.0.1:") {
            return "127.0.0.1:PORT".to_owned();
        }
        let is_time = word.contains('.') && word.parse::<f64>().is_ok();
        (if is_time { "0.0" } else { word }).to_owned()
    };
    let mask_line = |line: &str| line.split(' ').map(mask_word).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| mask_line(line) + "\n").collect()
}

#[test]
fn commands_in_documents_work() {
    let mut count = 0;
    for file in documents() {
        let name = utf8(file.strip_prefix(root()).expect("a document"));
        if OTHER_DOCUMENTS.contains(&name) {
            continue;
        }
        let blocks = code_blocks(&read_document(name));
        let mut reader = Reader::new();
        reader.follow(&blocks);
        reader.finish();
        count += blocks.len();
    }
    assert!(count > 30, "{count}");
}

#[test]
fn readme_shows_the_sample_that_it_pushes() {
    let readme = code_blocks(&read_document("README.md"));
    let shown = readme.iter().find(|block| block.language == "csv");
    let shown = shown.expect("a sample");
    let sample = shown.file_name().expect("a name");
    assert_eq!(read_document(sample), shown.text);
    let mut commands = readme.iter().filter(|block| block.language == "sh");
    assert!(commands.next().expect("a command").text.contains(sample));
}

#[test]
fn readme_and_ci_have_the_same_test_command() {
    let ci = read_document(".ci/run");
    let readme = code_blocks(&read_document("README.md"));
    for command in ["cargo test", "cargo install --locked --path ."] {
        let is_shown = readme
            .iter()
            .any(|block| block.text == format!("{command}\n"));
        assert!(is_shown && ci.contains(command), "{command}");
    }
}
