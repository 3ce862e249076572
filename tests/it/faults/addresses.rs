//! Names with more than one address. The tests need a `hosts` file of their own, and so a mount
//! namespace of Linux, which some containers do not allow.

use std::{net::TcpListener, process::Command};

use crate::support::{
    fault_server::{Connection, FaultServer, action::Action},
    files::TempFile,
    program::{Run, command_after, finish, start_command},
    receiver::Receiver,
    records::ONE_RECORD,
};

const NAME: &str = "several.test";

/// Pushes one record to a name with `count` addresses, from 127.0.0.1 on. Returns `None` without
/// mount namespaces.
fn push(count: u8, port: u16, flags: &[&str]) -> Option<Run> {
    let mut command = Command::new("unshare");
    command.args(["-rm", "mount", "--bind", "/etc/hosts", "/etc/hosts"]);
    if !command.output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let lines = (1..=count).map(|number| format!("127.0.0.{number} {NAME}\n"));
    let hosts = TempFile::new("hosts", lines.collect::<String>());
    let mount = format!("mount --bind {} /etc/hosts", hosts.str());
    let setup = format!("exec unshare -rm sh -c '{mount} && exec \"$@\"' sh \"$@\";");
    let server = format!("{NAME}:{port}");
    let args = ["push", "--server", &server, "--output=json"];
    let limits = ["--connect-timeout=300ms", "--retry-delay=1ms"];
    let mut command = command_after(&setup, [&args[..], &limits, flags].concat());
    Some(finish(start_command(&mut command, ONE_RECORD)))
}

/// Returns an address at which the operating system accepts connections, and nothing reads them.
fn stalled(host: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((host, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

#[test]
fn next_attempt_starts_with_the_address_after_the_stalled_one() {
    // Nothing listens at the addresses before the stalled one.
    for (stalled_host, healthy_host, count) in
        [("127.0.0.1", "127.0.0.2", 2), ("127.0.0.2", "127.0.0.3", 3)]
    {
        let (_listener, port) = stalled(stalled_host);
        let listen = format!("{healthy_host}:{port}");
        for (flags, trust) in [(&["--plaintext"][..], "--plaintext"), (&[], "--insecure")] {
            let receiver = Receiver::with([&["--listen", &listen], flags].concat());
            if let Some(run) = push(count, port, &[trust, "--retry=1"]) {
                run.exits(0).counts("acknowledged", 1);
                assert_eq!(receiver.stop().records, 1);
            }
        }
    }
}

#[test]
fn next_connection_after_a_goaway_starts_with_the_next_address() {
    let reason = h2::Reason::NO_ERROR;
    for fault in [
        Connection::Goaway(reason),
        Connection::Serve(vec![Action::GoawayBefore(reason)]),
    ] {
        let leaving = FaultServer::start([fault]);
        let (_, port) = leaving.address.rsplit_once(':').expect("a port");
        let listen = format!("127.0.0.2:{port}");
        let receiver = Receiver::with(["--listen", &listen]);
        let port = port.parse().expect("a number");
        if let Some(run) = push(2, port, &["--insecure", "--retry=0"]) {
            run.exits(0).counts("acknowledged", 1);
            assert_eq!(leaving.connection_count(), 1);
            assert_eq!(receiver.stop().records, 1);
        }
    }
}
