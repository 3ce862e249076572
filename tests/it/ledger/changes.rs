//! `--changes`: the records that a push sends, with the times before.

use std::fs;

use tonic::Code;

use super::{Ledger, ONE_BY_ONE};

use crate::support::{
    fault_server::{
        FaultServer,
        action::{Action, apply_and_disconnect, status},
    },
    files::{TempFile, utf8},
    program::{command_after, finish, kill, run_with, run_with_input, start, start_command},
    records::{EXPIRE_TIME, csv, records, token},
};

const HEADER: &str = "device_token,expire_time,previous_expire_time\n";

/// A file with the changes of an earlier push.
fn old_file() -> TempFile {
    TempFile::new("changes.csv", "old\n")
}

fn push(
    ledger: &Ledger,
    server: &FaultServer,
    file: &TempFile,
    flags: &[&str],
    input: &[u8],
) -> i32 {
    let flags = [&["--changes", file.str()], flags].concat();
    ledger.push(server, &flags, input).code
}

/// Returns the content of the file for these numbers of tokens, new times and previous times.
fn changes(rows: &[(usize, u32, Option<u32>)]) -> String {
    let rows = rows.iter().map(|(number, time, previous)| {
        let previous = previous.map_or_else(String::new, |time| time.to_string());
        format!("{},{time},{previous}\n", token(*number))
    });
    format!("{HEADER}{}", rows.collect::<String>())
}

#[test]
fn changes_are_the_records_that_are_sent() {
    const T: u32 = EXPIRE_TIME;
    let server = FaultServer::ok();
    let first = Ledger::absent();
    let known = Ledger::after_push(&server, &records(4));
    // The server may have a time that it did not acknowledge.
    let lost = FaultServer::serving([apply_and_disconnect()]);
    let unconfirmed = Ledger::after_push(&server, &records(2));
    let later = csv([(0, T), (1, T + 9)]);
    assert_eq!(unconfirmed.push(&lost, ONE_BY_ONE, &later).code, 78);
    let next = csv([(9, T), (0, T), (1, T + 1), (2, T - 1), (1, T + 1)]);
    let full = [
        (9, T, None),
        (0, T, Some(T)),
        (1, T + 1, Some(T)),
        (2, T - 1, Some(T)),
    ];
    for (name, ledger, flags, input, expected) in [
        (
            "first push",
            &first,
            &[][..],
            &records(2),
            changes(&[(0, T, None), (1, T, None)]),
        ),
        ("nothing to send", &first, &[], &records(2), changes(&[])),
        (
            "empty input",
            &first,
            &[],
            &b"token,expire_time\n".to_vec(),
            changes(&[]),
        ),
        (
            "rehearsal",
            &first,
            &["--rehearse"],
            &records(1),
            changes(&[(0, T, None)]),
        ),
        ("full", &known, &["--full"], &next, changes(&full)),
        (
            "changes",
            &known,
            &[],
            &next,
            changes(&[full[0], full[2], full[3]]),
        ),
        (
            "unconfirmed",
            &unconfirmed,
            &[],
            &records(2),
            changes(&[(1, T, Some(T))]),
        ),
    ] {
        // The dry runs come first, because they do not change the ledger.
        let runs: &[&[&str]] = match name {
            "full" => &[&["--dry-run"]],
            "rehearsal" => &[&[]],
            _ => &[&["--dry-run"], &[]],
        };
        for more in runs {
            let file = old_file();
            let code = push(ledger, &server, &file, &[flags, more].concat(), input);
            assert_eq!((code, &file.read()), (0, &expected), "{name} {more:?}");
            assert_eq!(file.mode(), 0o600, "{name}");
            file.is_alone();
        }
    }
}

#[test]
fn changes_of_a_shard_are_its_own() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(20));
    let input = csv((0..20).map(|number| (number, EXPIRE_TIME + 1)));
    let mut rows = Vec::new();
    for shard in ["--shard=0/2", "--shard=1/2"] {
        let file = old_file();
        assert_eq!(push(&ledger, &server, &file, &[shard], &input), 0);
        let text = file.read();
        let own = text.strip_prefix(HEADER).expect("a header row").lines();
        rows.extend(own.map(str::to_owned));
    }
    rows.sort();
    let time = EXPIRE_TIME + 1;
    let expected = (0..20).map(|number| format!("{},{time},{EXPIRE_TIME}", token(number)));
    assert_eq!(rows, expected.collect::<Vec<_>>());
}

#[test]
fn refused_input_leaves_no_changes() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(3));
    let earlier = csv([(0, EXPIRE_TIME - 1)]);
    for (flags, input) in [
        (&["--max-changes=0"][..], &earlier[..]),
        (&["--max-missing=1"], &earlier),
        (&["--refuse-shortened"], &earlier),
        (&["--min-records=2"], &earlier),
        (&[], b"token,expire_time\na,b\n"),
        (&["/nowhere.csv"], b""),
    ] {
        for dry in [&[][..], &["--dry-run"]] {
            let file = old_file();
            let code = push(&ledger, &server, &file, &[flags, dry].concat(), input);
            assert_eq!((code, &*file.read()), (4, HEADER), "{flags:?} {dry:?}");
            assert_eq!(file.mode(), 0o600);
        }
    }
    assert_eq!(server.connection_count(), 1);
    // A push that fails before it reads the input leaves the file unchanged.
    let file = old_file();
    let code = push(&ledger, &server, &file, &["--cacert=/nowhere"], &records(1));
    assert_eq!((code, &*file.read()), (2, "old\n"));
}

#[test]
fn failed_push_leaves_its_changes() {
    let down = FaultServer::serving([status(Code::Unavailable, "")]);
    let ledger = Ledger::absent();
    let file = old_file();
    let rejects = TempFile::absent("rejects.csv");
    let expected = changes(&[(0, EXPIRE_TIME, None), (1, EXPIRE_TIME, None)]);
    let flags = [ONE_BY_ONE, &["--rejects", rejects.str()]].concat();
    assert_eq!(push(&ledger, &down, &file, &flags, &records(2)), 78);
    assert_eq!(file.read(), expected);
    // The rejects tell which of these records the server did not acknowledge.
    assert_eq!(rejects.read().lines().count(), 3);
    // The file is complete before the first request.
    let silent = FaultServer::serving([Action::NeverAnswer]);
    let file = old_file();
    let flags = ["--ledger", ledger.str(), "--changes", file.str()];
    let child = start(silent.args(&flags), &records(2));
    silent.wait_for_attempts(1);
    assert_eq!(file.read(), expected);
    kill(child);
    file.is_alone();
}

#[test]
fn tokens_have_the_encoding_of_the_option() {
    let server = FaultServer::ok();
    let json = r#"[{"token":"a,b","expire_time":4000000001},{"token":"a\nb","expire_time":4000000002},
        {"token":"base64:YQ==","expire_time":4000000003},{"token":"\"q\"","expire_time":4000000004}]"#;
    let protojson = r#"{"sensorExpire":[{"deviceToken":"AP8=","expireTime":4000000001},{"deviceToken":"YWI=","expireTime":4000000002}]}"#;
    let csv = "token,expire_time\n0061,4000000001\n";
    for (flags, input, expected) in [
        (
            &[][..],
            json,
            "\"a,b\",4000000001,\nbase64:YQpi,4000000002,\nbase64:YmFzZTY0OllRPT0=,4000000003,\n\"\"\"q\"\"\",4000000004,\n",
        ),
        (&[], protojson, "base64:AP8=,4000000001,\nab,4000000002,\n"),
        (&["--token-encoding=hex"], csv, "0061,4000000001,\n"),
        (&["--token-encoding=base64"], csv, "0061,4000000001,\n"),
    ] {
        let (ledger, file) = (Ledger::absent(), old_file());
        assert_eq!(push(&ledger, &server, &file, flags, input.as_bytes()), 0);
        assert_eq!(file.read(), format!("{HEADER}{expected}"), "{flags:?}");
    }
}

#[test]
fn changes_that_cannot_be_written_stop_the_push() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("no/changes.csv");
    for path in [utf8(&missing), utf8(folder.path()), "/dev/full"] {
        for flags in [&[][..], &["--dry-run"]] {
            let flags = [&["--changes", path], flags].concat();
            ledger
                .push(&server, &flags, &records(3))
                .exits(1)
                .stderr_contains(&format!("cannot write {path}: "))
                .counts("acknowledged", 0);
        }
    }
    // Without space for the changes, the file keeps its old content. The unit is 512 bytes.
    let file = old_file();
    let flags = ["--ledger", ledger.str(), "--changes", file.str()];
    let mut limited = command_after("ulimit -f 400;", server.args(&flags));
    finish(start_command(&mut limited, &records(9000)))
        .exits(1)
        .stderr_contains(&format!("cannot write {}: ", file.str()))
        .counts("acknowledged", 0);
    assert_eq!(file.read(), "old\n");
    file.is_alone();
    assert_eq!(server.connection_count(), 0);
}

#[test]
fn changes_are_written_to_streams_and_to_no_shared_file() {
    let server = FaultServer::ok();
    let ledger = Ledger::absent();
    let fifo = TempFile::fifo();
    let flags = ["--ledger", ledger.str(), "--changes", fifo.str()];
    let child = start(server.args(&flags), &records(1));
    assert_eq!(fifo.read(), changes(&[(0, EXPIRE_TIME, None)]));
    finish(child).exits(0);
    run_with_input(
        server.args(&[&flags[..], &["--max-time=300ms"]].concat()),
        &records(1),
    )
    .exits(1)
    .stderr_contains("no process opened it for reading");
    let input = TempFile::new("input.csv", records(1));
    let (path, ledger_path) = (input.str(), ledger.str());
    for flags in [
        [path, "--changes", path],
        ["--rejects", "/nowhere", "--changes=/nowhere"],
        ["--metrics-file", "/nowhere", "--changes=/nowhere"],
        ["--changes", ledger_path, "--full"],
        ["--changes", &format!("{ledger_path}-lock"), "--full"],
    ] {
        ledger
            .push(&server, &flags, b"")
            .exits(2)
            .stderr_contains("name the same file");
    }
    assert_eq!(fs::read(&input.path).expect("read"), records(1));
    // The option needs a ledger on the command line, and has no effect without one elsewhere.
    let file = old_file();
    run_with_input(server.args(&["--changes", file.str()]), &records(1))
        .exits(2)
        .stderr_contains("--ledger");
    let args = server.args(&[]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    run_with(
        &args,
        &[("SENSOR_LICENSE_CHANGES", file.str())],
        &records(1),
    )
    .exits(0);
    assert_eq!(file.read(), "old\n");
}
