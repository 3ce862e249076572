//! Helpers that run the program, and checks of runs that have ended.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Once},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sensor-license");

/// The signals that end a run, and the exit code that each signal causes.
pub(crate) const SIGNAL_EXITS: [(Signal, i32); 3] =
    [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Returns a command that runs the program. The environment of the test process does not influence
/// the run.
pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    clear_environment(&mut command);
    command
}

/// Returns a command that runs the program with SIGHUP ignored from the start, as under `nohup`.
pub(crate) fn command_under_nohup<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    command_after("trap '' HUP;", args)
}

/// Returns a command that runs the program in a shell, after the shell commands `setup`, which must
/// end with `;`.
pub(crate) fn command_after<S: AsRef<OsStr>>(
    setup: &str,
    args: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup} exec \"$@\""), "sh", PROGRAM]);
    command.args(args);
    clear_environment(&mut command);
    command
}

pub(crate) fn clear_environment(command: &mut Command) {
    CATCH_HANGUP.call_once(catch_hangup);
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
    // /dev/null is not a folder, so the program finds no config file.
    command.env("XDG_CONFIG_HOME", "/dev/null");
}

static CATCH_HANGUP: Once = Once::new();

/// Handles SIGHUP in this process. Under `nohup`, this process ignores SIGHUP at first, and every
/// child would ignore SIGHUP as well. A child inherits no handler, so SIGHUP has its default effect
/// in the child.
fn catch_hangup() {
    let hangup = Signal::HUP.as_raw();
    signal_hook::flag::register(hangup, Arc::default()).expect("a handler");
}

/// The exit code and the output of a run that has ended.
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

    /// Returns the summary's number of records with this outcome.
    pub(crate) fn count(&self, outcome: &str) -> u64 {
        let count = &self.json()["records"][outcome];
        count.as_u64().expect("a count")
    }

    /// Returns the summary's number of requests with this outcome.
    pub(crate) fn request_count(&self, outcome: &str) -> u64 {
        let count = &self.json()["requests"][outcome];
        count.as_u64().expect("a count")
    }

    /// Returns standard output and standard error.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn stderr_contains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    /// Asserts that neither standard output nor standard error contains a secret, in lower or upper
    /// case.
    #[track_caller]
    pub(crate) fn hides(self, secret: &str) -> Self {
        let output = self.output().to_lowercase();
        assert!(!output.contains(&secret.to_lowercase()), "{self:#?}");
        self
    }

    /// Asserts the summary's number of records with this outcome.
    #[track_caller]
    pub(crate) fn counts(self, outcome: &str, count: u64) -> Self {
        assert_eq!(self.count(outcome), count, "{outcome} of {self:#?}");
        self
    }

    /// Asserts the summary's number of requests with this outcome.
    #[track_caller]
    pub(crate) fn counts_requests(self, outcome: &str, count: u64) -> Self {
        let found = self.request_count(outcome);
        assert_eq!(found, count, "requests {outcome} of {self:#?}");
        self
    }

    /// Asserts that each record in the summary has exactly one outcome, and that the summary has
    /// the exit code of the process.
    #[track_caller]
    pub(crate) fn counts_add_up(self) -> Self {
        let summary = self.json();
        let counts = summary["records"].as_object().expect("an object");
        let outcomes = counts.iter().filter(|(outcome, _)| *outcome != "read");
        let sum: u64 = outcomes
            .map(|(_, count)| count.as_u64().expect("a count"))
            .sum();
        assert_eq!(counts["read"], sum, "{self:#?}");
        assert_eq!(summary["exit_code"], self.code, "{self:#?}");
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs the program without standard input.
pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    run_command(&mut command(args))
}

pub(crate) fn run_command(command: &mut Command) -> Run {
    command.output().expect("the program starts").into()
}

/// Runs the program with `input` on standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Run {
    finish(start(args, input))
}

/// Runs the program with environment variables and standard input.
pub(crate) fn run_with(args: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Run {
    let mut command = command(args);
    command.envs(variables.iter().copied());
    finish(start_command(&mut command, input))
}

/// Runs `push` to the server at this address, with these options.
pub(crate) fn push_to(address: &str, flags: &[&str], input: &[u8]) -> Run {
    run_with_input([&["push", "--server", address], flags].concat(), input)
}

/// Starts the program with `input` on standard input, and does not wait for it.
pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Child {
    start_command(&mut command(args), input)
}

pub(crate) fn start_command(command: &mut Command, input: &[u8]) -> Child {
    let mut child = spawn_piped(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A new thread writes the input, because the program may read the input late or never. For
    // example, a run that refuses its options never reads.
    thread::spawn(move || stdin.write_all(&input));
    child
}

/// Starts the program with a standard input that stays open.
pub(crate) fn start_with_open_stdin<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Child {
    spawn_piped(&mut command(args))
}

fn spawn_piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Waits until a run has ended.
pub(crate) fn finish(child: Child) -> Run {
    child.wait_with_output().expect("it ends").into()
}

/// Kills a run (SIGKILL) unless it has ended, and waits for its end.
pub(crate) fn kill(mut child: Child) {
    let _ = child.kill();
    child.wait().expect("it ends");
}

pub(crate) fn send_signal(child: &Child, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal)
        .expect("a process that can be signaled");
}

/// Signals a run that got a first signal, until the second signal ends it.
pub(crate) fn end_with_second_signal(child: &mut Child, signal: Signal) {
    wait_until("the second signal ends the run", || {
        send_signal(child, signal);
        child.try_wait().expect("a child").is_some()
    });
}

/// Waits until a process has a handler for a signal.
pub(crate) fn wait_until_handled(child: &Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    wait_until("the signal is handled", || {
        let status = fs::read_to_string(&status).expect("Linux");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("a mask");
        mask >> (signal.as_raw() - 1) & 1 == 1
    });
}

/// Waits until a process has opened a file.
pub(crate) fn wait_until_open(child: &Child, path: &Path) {
    let descriptors = format!("/proc/{}/fd", child.id());
    wait_until("the file is open", || {
        let mut open = fs::read_dir(&descriptors)
            .expect("Linux")
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        open.any(|file| file == path)
    });
}

/// Polls a condition that has no notification, for at most a minute.
pub(crate) fn wait_until(event: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < deadline, "not within a minute: {event}");
        thread::yield_now();
    }
}
