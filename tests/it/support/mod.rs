//! The real binary, the real receiver, certificates made for the test.

#![allow(dead_code, reason = "each topic uses its part of it")]

pub(crate) mod described;
pub(crate) mod faults;
pub(crate) mod tls;

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, DnValue, IsCa, KeyPair, SanType,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::signal::unix::SignalKind;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sensor-license");

/// A run of the binary, without what the caller's environment would add to it.
pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args);
    without_environment(command)
}

/// A run that has SIGHUP ignored from its start, as under `nohup`.
pub(crate) fn command_under_nohup<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh", BINARY]);
    command.args(args);
    without_environment(command)
}

fn without_environment(mut command: Command) -> Command {
    HANGUP.call_once(handle_hangup);
    command.stdin(Stdio::null());
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SENSOR_LICENSE_") {
            command.env_remove(name);
        }
    }
    // Where no configuration is.
    command.env("XDG_CONFIG_HOME", "/dev/null");
    command
}

static HANGUP: Once = Once::new();

/// A program that is started has the signals ignored that this one ignores, as all do under
/// `nohup`, but not those that this one handles.
fn handle_hangup() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    // The handler stays when this is gone.
    let _ = tokio::signal::unix::signal(SignalKind::hangup()).expect("a handler");
}

/// What a run printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}, {}", self.stdout, self.stderr))
    }

    pub(crate) fn records(&self) -> Value {
        self.json()["records"].clone()
    }

    /// A count of records.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.records()[key].as_u64().expect("a count")
    }

    /// The same, which must be so much.
    #[track_caller]
    pub(crate) fn counts(self, key: &str, count: u64) -> Self {
        assert_eq!(self.count(key), count, "{key} of {self:#?}");
        self
    }

    /// What holds of every push, however it ended.
    #[track_caller]
    pub(crate) fn adds_up(self) -> Self {
        let counts = self.records();
        let counts = counts.as_object().expect("an object");
        let others = counts.iter().filter(|(key, _)| *key != "read");
        let sum: u64 = others
            .map(|(_, count)| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(counts["read"], sum, "{self:#?}");
        assert_eq!(self.json()["exit_code"], self.code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, what: &str) -> Self {
        assert!(self.stderr.contains(what), "no {what:?} in {self:#?}");
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the process was not killed"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    command(args).output().expect("the binary runs").into()
}

/// A run with something on standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Run {
    start(args, input)
        .wait_with_output()
        .expect("it ends")
        .into()
}

/// The same, not waited for.
pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Child {
    start_command(&mut command(args), input)
}

pub(crate) fn start_command(command: &mut Command, input: &[u8]) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A run that refuses its flags reads nothing, and one may wait for its output to be read.
    thread::spawn(move || stdin.write_all(&input));
    child
}

/// `serve` on a free port; ended with the value.
pub(crate) struct Receiver {
    child: Child,
    stdout: BufReader<ChildStdout>,
    folder: TempDir,
    /// Where it listens, as `--server` takes it.
    pub(crate) address: String,
    pub(crate) url: String,
    dump: bool,
}

/// What a receiver said and held at its end.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) tokens: u64,
    /// The dump, less its header.
    pub(crate) rows: Vec<u8>,
}

impl Receiver {
    /// A receiver with its own made certificate for localhost.
    pub(crate) fn start() -> Self {
        Self::with(["--listen", "127.0.0.1:0"])
    }

    pub(crate) fn with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let args: Vec<_> = args
            .into_iter()
            .map(|arg| arg.as_ref().to_owned())
            .collect();
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
        let dump = !has("--dump");
        if dump {
            command.arg("--dump").arg(folder.path().join("dump.csv"));
        }
        let mut child = command
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("it does not listen: {line:?}"))
            .to_owned();
        let address = url.split_once("://").map_or(&*url, |(_, address)| address);
        Self {
            child,
            stdout,
            address: address.to_owned(),
            folder,
            url,
            dump,
        }
    }

    pub(crate) fn cacert(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Pushes to it, trusting its certificate.
    pub(crate) fn push<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.push_input(args, b"")
    }

    pub(crate) fn push_input<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Run {
        let mut all = self.connection();
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        run_with_input(all, input)
    }

    /// `push` and the flags that lead here.
    pub(crate) fn connection(&self) -> Vec<std::ffi::OsString> {
        self.connection_of("push")
    }

    /// A command and the flags that lead here.
    pub(crate) fn connection_of(&self, command: &str) -> Vec<std::ffi::OsString> {
        let mut args = vec![command.into(), "--server".into(), (&self.address).into()];
        if self.url.starts_with("http:") {
            args.push("--plaintext".into());
        } else {
            args.extend(["--cacert".into(), self.cacert().into()]);
        }
        args
    }

    /// Waits until somebody is connected to it.
    pub(crate) fn wait_for_connection(&self) {
        let port = self.address.rsplit_once(':').expect("a port").1;
        let port: u16 = port.parse().expect("a number");
        // Remote port and state ESTABLISHED, as Linux writes them.
        let wanted = format!(":{port:04X} 01");
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
            if table.lines().any(|line| line.contains(&wanted)) {
                return;
            }
            thread::yield_now();
        }
        panic!("nobody connected");
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        signal_child(&self.child, signal);
    }

    /// Ends it with SIGTERM and says what it got.
    pub(crate) fn stop(mut self) -> Received {
        self.signal(rustix::process::Signal::TERM);
        let mut totals = String::new();
        self.stdout.read_line(&mut totals).expect("its totals");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        let totals: Value = serde_json::from_str(&totals).expect("JSON");
        let number = |key: &str| totals[key].as_u64().expect("a number");
        let rows = if self.dump {
            let dump = fs::read(self.folder.path().join("dump.csv")).expect("a dump");
            dump.strip_prefix(b"device_token,expire_time\n")
                .expect("a header")
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
        // It has ended already where the test stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal_child(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal)
        .expect("the process can be signalled");
}

/// A certificate and its key in files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

pub(crate) const PAST: (i32, u8, u8) = (2001, 1, 1);
pub(crate) const FUTURE: (i32, u8, u8) = (2098, 1, 1);

/// Parameters of a certificate with exactly this.
pub(crate) fn params(common_name: Option<&str>, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = common_name {
        params
            .distinguished_name
            .push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
    }
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().expect("a name")),
        })
        .collect();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2098, 1, 1);
    params
}

/// An authority, as `openssl req -x509` makes them: CA:TRUE.
pub(crate) fn authority(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Signs it with its own new key.
pub(crate) fn self_signed(folder: &Path, name: &str, params: &CertificateParams) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let cert = params.self_signed(&key).expect("a certificate");
    write_pair(folder, name, &cert.pem(), &key)
}

/// Signs it with an authority's key; the chain is the certificate alone.
pub(crate) fn issued(
    folder: &Path,
    name: &str,
    params: &CertificateParams,
    issuer: &CertifiedIssuer<'_, KeyPair>,
) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let cert = params.signed_by(&key, issuer).expect("a certificate");
    write_pair(folder, name, &cert.pem(), &key)
}

/// An authority that can sign.
pub(crate) fn issuer(params: CertificateParams) -> CertifiedIssuer<'static, KeyPair> {
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(authority(params), key).expect("an authority")
}

pub(crate) fn write_pair(folder: &Path, name: &str, pem: &str, key: &KeyPair) -> Pair {
    let pair = Pair {
        cert: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&pair.cert, pem).expect("written");
    fs::write(&pair.key, key.serialize_pem()).expect("written");
    pair
}

/// A receiver with a certificate of the test's.
pub(crate) fn receiver_with(pair: &Pair) -> Receiver {
    Receiver::with([
        OsStr::new("--cert"),
        pair.cert.as_os_str(),
        OsStr::new("--key"),
        pair.key.as_os_str(),
    ])
}

/// A listener whose connections go to `serve`, one thread each.
pub(crate) fn raw_server(serve: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = std::sync::Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A file in a folder of its own.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    (folder, path)
}
