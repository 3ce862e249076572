//! The `openssl` command, which makes certificates that Rust's libraries rightly refuse to make.

use std::{
    io::Write,
    process::{Command, Stdio},
};

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
