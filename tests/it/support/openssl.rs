//! The `openssl` command, which makes certificates that Rust's libraries rightly refuse to make.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use super::certificates::Identity;

/// Runs `openssl` and returns its standard output.
pub(crate) fn openssl<'a>(args: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl command");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("read by openssl");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    output.stdout
}

/// `openssl s_server` on a free port, which requires a client certificate. Dropping this value kills
/// the process.
pub(crate) struct OpensslServer {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub(crate) address: String,
}

impl OpensslServer {
    /// `version` is an option of `openssl`, such as `-tls1_2`.
    pub(crate) fn requiring_client_certificate(
        identity: &Identity,
        client_ca: &str,
        version: &str,
    ) -> Self {
        // The server ends at the end of its standard input.
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-alpn", "h2", version])
            .args(["-cert", &identity.cert, "-key", &identity.key])
            .args(["-CAfile", client_ca, "-Verify", "3", "-verify_return_error"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the openssl command");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let address = loop {
            let mut line = String::new();
            let length = stdout.read_line(&mut line).expect("a line");
            assert!(length > 0, "no address");
            if let Some(address) = line.trim_end().strip_prefix("ACCEPT ") {
                break address.to_owned();
            }
        };
        Self {
            child,
            _stdout: stdout,
            address,
        }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
