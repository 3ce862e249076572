//! Names with more than one address. The tests need a `hosts` file of their own, and so a mount
//! namespace of Linux, which some containers do not allow.

use std::{net::TcpListener, process::Command};

use crate::support::{
    files::TempFile,
    program::{command_after, finish, start_command},
    receiver::Receiver,
    records::ONE_RECORD,
};

const NAME: &str = "two.test";

fn has_mount_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-rm", "mount", "--bind", "/etc/hosts", "/etc/hosts"]);
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn next_attempt_starts_with_the_next_address() {
    if !has_mount_namespaces() {
        return;
    }
    let hosts = TempFile::new("hosts", format!("127.0.0.1 {NAME}\n127.0.0.2 {NAME}\n"));
    let mount = format!("mount --bind {} /etc/hosts", hosts.str());
    let setup = format!("exec unshare -rm sh -c '{mount} && exec \"$@\"' sh \"$@\";");
    // The operating system accepts the connections, and nothing reads them.
    let stalled = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = stalled.local_addr().expect("an address").port();
    let listen = format!("127.0.0.2:{port}");
    let server = format!("{NAME}:{port}");
    for (flags, trust) in [(&["--plaintext"][..], "--plaintext"), (&[], "--insecure")] {
        let receiver = Receiver::with([&["--listen", &listen], flags].concat());
        let args = ["push", "--server", &server, trust, "--output=json"];
        let limits = ["--connect-timeout=300ms", "--retry=1", "--retry-delay=1ms"];
        let mut command = command_after(&setup, [&args[..], &limits].concat());
        finish(start_command(&mut command, ONE_RECORD))
            .exits(0)
            .counts("acknowledged", 1);
        assert_eq!(receiver.stop().records, 1);
    }
}
