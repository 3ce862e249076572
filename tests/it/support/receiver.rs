//! The reference receiver, `serve`, as a separate process.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    certificates::Identity,
    files::utf8,
    program::{Run, command, run_with_input, send_signal, wait_until},
};

/// A process that runs `serve` on a free port. Dropping this value kills the process.
pub(crate) struct Receiver {
    child: Child,
    stdout: BufReader<ChildStdout>,
    folder: TempDir,
    /// The address as `--server` takes it.
    pub(crate) address: String,
    pub(crate) url: String,
    writes_own_dump: bool,
}

/// The totals that a receiver prints at its end, and the records that it holds.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) tokens: u64,
    /// The dump without its header row. It is empty if the test passed `--dump`.
    pub(crate) rows: Vec<u8>,
}

impl Receiver {
    /// Starts a receiver with a certificate that it generates for localhost.
    pub(crate) fn start() -> Self {
        Self::with(["--listen", "127.0.0.1:0"])
    }

    /// Starts a receiver that presents this certificate.
    pub(crate) fn presenting(identity: &Identity) -> Self {
        Self::with(["--cert", &identity.cert, "--key", &identity.key])
    }

    /// Starts a receiver with these options of `serve`.
    pub(crate) fn with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().into()).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let mut command = command(["serve", "--output", "json"]);
        if !has("--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if !has("--plaintext") && !has("--write-cacert") {
            command
                .arg("--write-cacert")
                .arg(folder.path().join("ca.pem"));
        }
        let writes_own_dump = !has("--dump");
        if writes_own_dump {
            command.arg("--dump").arg(folder.path().join("dump.csv"));
        }
        if has("-v") {
            let notes = File::create(folder.path().join("notes")).expect("a file");
            command.stderr(notes);
        }
        let mut child = command
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let url = read_listening_url(&mut stdout);
        let address = url.split_once("://").map_or(&*url, |(_, address)| address);
        Self {
            child,
            stdout,
            address: address.to_owned(),
            folder,
            url,
            writes_own_dump,
        }
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').expect("a port").1
    }

    /// Returns the path of the certificate that the receiver generated.
    pub(crate) fn cacert(&self) -> String {
        utf8(&self.folder.path().join("ca.pem")).to_owned()
    }

    /// Pushes to this receiver with these options, and with nothing on standard input.
    pub(crate) fn push<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.push_input(args, b"")
    }

    /// Pushes `input` to this receiver with these options.
    pub(crate) fn push_input<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Run {
        let mut all: Vec<OsString> = self.push_args().iter().map(Into::into).collect();
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        run_with_input(all, input)
    }

    /// Returns `push` with the options that connect to this receiver.
    pub(crate) fn push_args(&self) -> Vec<String> {
        self.args_of("push")
    }

    /// Returns a command with the options that connect to this receiver.
    pub(crate) fn args_of(&self, command: &str) -> Vec<String> {
        let mut args = vec![
            command.to_owned(),
            "--server".to_owned(),
            self.address.clone(),
        ];
        if self.url.starts_with("http:") {
            args.push("--plaintext".to_owned());
        } else {
            args.extend(["--cacert".to_owned(), self.cacert()]);
        }
        args
    }

    /// Waits until a client is connected.
    pub(crate) fn wait_for_connection(&self) {
        let port: u16 = self.port().parse().expect("a number");
        // A remote port and the state ESTABLISHED (01), as Linux writes them.
        let wanted = format!(":{port:04X} 01");
        wait_until("a client is connected", || {
            let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
            table.lines().any(|line| line.contains(&wanted))
        });
    }

    /// Waits until a receiver that runs with `-v` has printed this text on standard error.
    pub(crate) fn wait_for_note(&self, text: &str) {
        let notes = self.folder.path().join("notes");
        wait_until(&format!("the receiver prints {text:?}"), || {
            fs::read_to_string(&notes).expect("text").contains(text)
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(&self.child, signal);
    }

    /// Stops the receiver with SIGTERM. Returns its totals, and the records that it holds.
    pub(crate) fn stop(mut self) -> Received {
        self.signal(Signal::TERM);
        let mut totals = String::new();
        self.stdout.read_line(&mut totals).expect("its totals");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        let totals: Value = serde_json::from_str(&totals).expect("JSON");
        let number = |key: &str| totals[key].as_u64().expect("a number");
        let rows = if self.writes_own_dump {
            let dump = fs::read(self.folder.path().join("dump.csv")).expect("a dump");
            dump.strip_prefix(b"device_token,expire_time\n")
                .expect("a header row")
                .to_vec()
        } else {
            Vec::new()
        };
        Received {
            requests: number("requests"),
            records: number("records"),
            tokens: number("tokens"),
            rows,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The receiver has already ended if the test stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the line in which `serve` prints its URL, and returns the URL.
pub(crate) fn read_listening_url(stdout: &mut impl BufRead) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let url = line.trim_end().strip_prefix("listening on ");
    url.unwrap_or_else(|| panic!("no listening line: {line:?}"))
        .to_owned()
}
