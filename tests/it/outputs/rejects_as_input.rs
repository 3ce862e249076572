//! Rejects that are the input of a push.

use std::{collections::BTreeSet, fs};

use tonic::Code;

use crate::support::{
    fault_server::{
        Connection::Serve,
        FaultServer,
        action::{Action, Ending, code, http, ok, status},
    },
    files::TempFile,
    program::{finish, run_with_input, start},
    receiver::Receiver,
    records::{records, token},
    rejects::{HEADER_ROW, read_rejects},
};

fn random_action(random: &mut fastrand::Rng) -> Action {
    let how = [Ending::CloseNotify, Ending::Fin, Ending::Rst][random.usize(..3)];
    match random.u8(..16) {
        0..=5 => ok(),
        6 => code(5),
        7 => status(Code::InvalidArgument, "no"),
        8 => Action::IfToken("sensor-00007", status(Code::InvalidArgument, "no").into()),
        9 => Action::IfLargerThan(50, status(Code::OutOfRange, "message size").into()),
        10 => status(Code::Unavailable, "later"),
        11 => Action::EndAtHeaders(how),
        12 => Action::EndAfterRequest {
            ending: how,
            is_applied: random.bool(),
        },
        13 => Action::ResetStream(h2::Reason::REFUSED_STREAM),
        14 => Action::GoawayAfter(h2::Reason::NO_ERROR, ok().into()),
        _ => [status(Code::Internal, "no"), http(403), http(502)][random.usize(..3)].clone(),
    }
}

#[test]
fn acknowledged_and_rejected_records_are_the_input() {
    let all: BTreeSet<Vec<u8>> = (0..30).map(|number| token(number).into_bytes()).collect();
    let mut exits = BTreeSet::new();
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let connections: Vec<_> = (0..random.usize(1..4))
            .map(|_| Serve((0..10).map(|_| random_action(&mut random)).collect()))
            .collect();
        let label = format!("seed {seed}: {connections:?}");
        let server = FaultServer::start(connections);
        let file = TempFile::absent("rejects.csv");
        let batch = format!("--batch-records={}", random.usize(1..8));
        let concurrency = format!("--concurrency={}", random.usize(1..5));
        let retry = format!("--retry={}", random.usize(..4));
        let mut flags = vec!["--rejects", file.str(), &batch, &concurrency, &retry];
        flags.extend(["--retry-delay=1ms", "--retry-max-delay=2ms"]);
        if random.bool() {
            flags.push("--isolate");
        }
        let run = server.push(&flags, &records(30));
        exits.insert(run.code);
        let rows = read_rejects(&file.path);
        let left: BTreeSet<Vec<u8>> = rows.iter().map(|row| row.token.clone()).collect();
        assert_eq!(left.len(), rows.len(), "each once, {label}");
        assert!(left.is_subset(&all), "{label}");
        assert_eq!(
            run.count("acknowledged"),
            (30 - left.len()) as u64,
            "{label}"
        );
        let rejected = rows
            .iter()
            .filter(|row| row.reason.starts_with("rejected: "));
        assert_eq!(run.count("rejected"), rejected.count() as u64, "{label}");
        assert_eq!(run.code == 0, left.is_empty(), "{label} {run:#?}");
        let traffic = server.traffic();
        let answered: BTreeSet<_> = traffic
            .acknowledged()
            .into_iter()
            .map(|one| &one.token)
            .collect();
        for token in all.difference(&left) {
            assert!(answered.contains(token), "{label}");
        }
        // The rejects file is the input of the next push, which replaces the file with its own
        // rejects.
        let good = FaultServer::ok();
        good.push(&["--rejects", file.str(), file.str()], b"")
            .exits(0)
            .counts("acknowledged", left.len() as u64);
        let traffic = good.traffic();
        let sent: BTreeSet<_> = traffic
            .applied()
            .into_iter()
            .map(|one| one.token.clone())
            .collect();
        assert_eq!(sent, left, "{label}");
        assert_eq!(file.read(), HEADER_ROW, "{label}");
    }
    assert!(exits.len() >= 5, "too much alike: {exits:?}");
}

#[test]
fn rejects_may_replace_the_input() {
    let refuse = |server_code| {
        FaultServer::serving([Action::IfToken("sensor-00007", code(server_code).into())])
    };
    let file = TempFile::absent("records.csv");
    let link = &*file.link("link.csv");
    for (input, output) in [
        (file.str(), file.str()),
        (link, file.str()),
        (file.str(), link),
    ] {
        file.write(records(2000));
        let server = refuse(5);
        let flags = ["--batch-records=10", "--rejects", output, input];
        server
            .push(&flags, b"")
            .exits(3)
            .counts("acknowledged", 1990)
            .counts("rejected", 10);
        assert_eq!(read_rejects(&file.path).len(), 10);
        assert!(fs::symlink_metadata(link).expect("there").is_symlink());
        let server = refuse(5);
        let flags = ["--batch-records=1", "--rejects", output, input];
        server.push(&flags, b"").exits(3).counts("acknowledged", 9);
        FaultServer::ok()
            .push(&flags, b"")
            .exits(0)
            .counts("acknowledged", 1);
        assert_eq!(file.read(), HEADER_ROW);
        FaultServer::ok()
            .push(&flags, b"")
            .exits(0)
            .counts("read", 0);
    }
}

#[test]
fn changed_input_is_not_replaced_by_rejects() {
    // The receiver answers late, so the test can change the file before the second pass over it
    // ends.
    let receiver = Receiver::with(["--delay=300ms"]);
    let file = TempFile::absent("records.csv");
    let content = records(100_000);
    file.write(&content);
    let mut args = receiver.push_args();
    let flags = [
        "--output=json",
        "--batch-records=1000",
        "--concurrency=1",
        "--rejects",
        file.str(),
        file.str(),
    ];
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    let child = start(args, b"");
    receiver.wait_for_connection();
    let changed = String::from_utf8(content)
        .expect("UTF-8")
        .replace(",4070908800", ",4070908801");
    fs::write(&file.path, &changed).expect("changed");
    let run = finish(child);
    let run = run.counts_add_up().stderr_contains("changed");
    assert!([3, 4].contains(&run.code), "{run:#?}");
    assert!(
        fs::read_to_string(&file.path).expect("text") == changed,
        "it was replaced by a part"
    );
}

#[test]
fn altered_rejects_are_refused() {
    for content in [
        "\"rejected_token\",\"encoding\",\"expire_time\",\"reason\"\n/w==,base64,4070908800,no\n",
        "rejected_token;encoding;expire_time;reason\n/w==;base64;4070908800;no\n",
        "rejected_token\tencoding\texpire_time\treason\n/w==\tbase64\t4070908800\tno\n",
        "rejected_token:encoding:expire_time:reason\n/w==:base64:4070908800:no\n",
        "sep=,\nrejected_token,encoding,expire_time,reason\n/w==,base64,4070908800,no\n",
        "\nrejected_token,encoding,expire_time,reason\n/w==,base64,4070908800,no\n",
        "rejected_token,encoding,expire_time,reason,\n/w==,base64,4070908800,no,\n",
        "Rejected_Token,Encoding,Expire_Time,Reason\n/w==,base64,4070908800,no\n",
        "REJECTED_TOKEN , ENCODING , expire_time\n/w==,base64,4070908800\n",
        "expire_time,encoding,rejected_token,reason\n4070908800,base64,/w==,no\n",
        "\u{feff}\u{feff}rejected_token,encoding,expire_time,reason\n/w==,base64,4070908800,no\n",
    ] {
        for flags in [
            &["-"][..],
            &["--token-field=rejected_token"],
            &["--token-field=1", "--time-field=3"],
            &["--input-format=tsv"],
            &["--delimiter=;", "--no-header"],
        ] {
            let server = FaultServer::ok();
            server
                .push(flags, content.as_bytes())
                .exits(4)
                .stderr_contains("rejects file was changed by another program (push the rejects");
            assert!(server.traffic().applied().is_empty(), "{flags:?} {content}");
        }
    }
    // Other files may have columns of these names.
    let server = FaultServer::ok();
    let content = "token,expire_time,encoding,reason\nabc,4070908800,utf8,no\n";
    server.push(&[], content.as_bytes()).exits(0);
    let content = "rejected_token,expire_time\nabd,4070908800\n";
    let flags = ["--token-field=rejected_token"];
    server.push(&flags, content.as_bytes()).exits(0);
}

/// The longest tokens of records that are accepted, as JSON strings and as bytes.
#[test]
fn longest_tokens_are_pushed_again() {
    const RECORD_BYTES: usize = 1 << 20;
    let record = |token: &str| format!("{{\"token\":\"{token}\",\"expire_time\":4070908800}}");
    let available = RECORD_BYTES - record("").len();
    for (piece, decoded) in [
        ("x", "x"),
        (",", ","),
        ("\\\"", "\""),
        ("a\\n", "a\n"),
        ("\\u0000", "\0"),
        ("\u{20ac}", "\u{20ac}"),
    ] {
        // One control character makes the whole token Base64.
        for last in ["y", "\\ny"] {
            let count = (available - last.len()) / piece.len();
            let input = record(&(piece.repeat(count) + last));
            assert!(input.len() > RECORD_BYTES - 9, "{} bytes", input.len());
            let token = decoded.repeat(count) + &last.replace("\\n", "\n");
            let file = TempFile::absent("rejects.csv");
            let flags = ["--batch-bytes=4MiB", "--rejects", file.str()];
            FaultServer::serving([code(7)])
                .push(&flags, input.as_bytes())
                .exits(7)
                .counts("rejected", 1);
            let server = FaultServer::ok();
            let flags = ["--batch-bytes=4MiB", file.str()];
            server.push(&flags, b"").exits(0).counts("acknowledged", 1);
            let traffic = server.traffic();
            let applied: Vec<_> = traffic
                .applied()
                .into_iter()
                .map(|one| &one.token)
                .collect();
            assert!(applied == [token.as_bytes()], "{piece:?} and {last:?}");
        }
    }
}

#[test]
fn rows_of_rejects_have_a_maximum_length() {
    for (token_bytes, code) in [(2 << 20, 0), (4 << 20, 4)] {
        let token = "x".repeat(token_bytes);
        for quote in ["", "\""] {
            let rows = format!("{HEADER_ROW}{quote}{token}{quote},utf8,4070908800,no\n");
            let run = run_with_input(["check", "--output=json"], rows.as_bytes()).exits(code);
            assert_eq!(
                run.stderr.contains("record is longer than"),
                code == 4,
                "{run:?}"
            );
        }
    }
}
