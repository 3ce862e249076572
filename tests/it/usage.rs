//! Command lines that the program refuses before it reads or sends anything.

use std::{fs, process::Stdio};

use crate::support::{
    files::TempFile,
    program::{command, finish, push_to, run, run_with},
    records::ONE_RECORD,
};

#[test]
fn invalid_server_addresses_get_a_hint() {
    for (server, hint) in [
        ("localhost", "localhost:9102"),
        ("localhost:0", "localhost:9102"),
        ("localhost:65536", "localhost:9102"),
        ("::1:9102", "[::1]:9102"),
        ("http://localhost:80", "--plaintext"),
        ("https://localhost/path", "found a path (\"/path\")"),
        ("localhost:1?x", "found a query or a fragment"),
        ("https://localhost#x", "found a query or a fragment"),
        ("", "localhost:9102"),
    ] {
        push_to(server, &["--retry=0"], ONE_RECORD)
            .exits(2)
            .stderr_contains(hint);
    }
    run(["push"]).exits(2).stderr_contains("--server");
}

#[test]
fn invalid_push_options_are_rejected() {
    for flag in [
        "--authority=a b",
        "--authority=user@host",
        "--authority=host:port",
        "--authority=host:65536",
        "--servername=",
        "--timeout=0",
        "--timeout=soon",
        "--connect-timeout=-1s",
        "--batch-records=0",
        "--batch-bytes=1MB",
        "--ok-code=x",
        "--nonsense",
    ] {
        push_to("localhost:1", &["--retry=0", flag], ONE_RECORD).exits(2);
    }
}

/// The exit code says what happened, also if the message cannot be written.
#[test]
fn full_streams_keep_the_meaning_of_the_exit_code() {
    for (args, is_stderr_full, exit) in [
        (&["push", "--bogus"][..], true, 2),
        (&["bogus"], true, 2),
        (&["push"], true, 2),
        (&["-V"], false, 1),
        (&["--version"], false, 1),
        (&["--help"], false, 1),
        (&["help", "push"], false, 1),
        (&["push", "-h"], false, 1),
    ] {
        let mut command = command(args);
        let full = || {
            fs::File::options()
                .write(true)
                .open("/dev/full")
                .expect("opened")
        };
        if is_stderr_full {
            command.stdout(Stdio::piped()).stderr(full());
        } else {
            command.stdout(full()).stderr(Stdio::piped());
        }
        let run = finish(command.spawn().expect("the program starts")).exits(exit);
        let is_reported = run
            .stderr
            .starts_with("error: cannot write standard output: ");
        assert_eq!(is_reported, !is_stderr_full, "{args:?} {run:?}");
    }
}

#[test]
fn impossible_values_are_refused_by_the_parser_of_the_option() {
    let percentage = "expected a number, or a percentage from 0% to 100%";
    for (option, value, message) in [
        ("--timeout", "-5", "expected a duration"),
        ("--max-changes", "-5", percentage),
        ("--max-changes", "200%", percentage),
        ("--batch-bytes", "-5", "expected a size"),
    ] {
        push_to("localhost:1", &["--ledger=x", option, value], ONE_RECORD)
            .exits(2)
            .stderr_contains(message);
    }
}

#[test]
fn standard_output_is_no_file_for_an_output() {
    for args in [
        &["push", "--rehearse", "--rejects=-"][..],
        &["push", "--rehearse", "--metrics-file", "-"],
        &["serve", "--listen=127.0.0.1:0", "--write-cacert=-"],
    ] {
        run(args)
            .exits(2)
            .stderr_contains("expected a file (./- for a file with this name)");
    }
}

#[test]
fn invalid_headers_are_named_with_their_line_and_a_hint() {
    let headers = TempFile::new("headers", "x-a: b\n\nno colon\n");
    let file = format!("@{}", headers.str());
    for (header, message, hint) in [
        (
            &*file,
            ":3: expected NAME: VALUE, found no colon",
            "'x-tenant: north'",
        ),
        (
            "te: x",
            "header \"te\" is set by gRPC or HTTP/2",
            "remove this header",
        ),
        (
            "user-agent: me",
            "header \"user-agent\" is set",
            "pass --user-agent TEXT",
        ),
        (
            "host: me",
            "header \"host\" is set",
            "pass --authority NAME",
        ),
        (": x", "invalid header name", "'x-tenant: north'"),
        ("@", "cannot open \"\": No such file or directory", ""),
        ("x: \u{e9}", "not printable ASCII", "ends in -bin"),
        (
            "x-bin: !",
            "value of header \"x-bin\" is not base64",
            "base64 -w0",
        ),
    ] {
        push_to("localhost:1", &["--header", header], ONE_RECORD)
            .exits(2)
            .stderr_contains(message)
            .stderr_contains(hint);
    }
}

#[test]
fn options_that_refine_an_absent_option_are_rejected() {
    let push = ["push", "--server=localhost:1"];
    let rehearse = ["push", "--rehearse"];
    let reflection = ["push", "--server=localhost:1", "--reflection"];
    for (args, flag) in [
        (&push[..], "--detailed-exitcode"),
        (&rehearse, "--detailed-exitcode"),
        (&reflection, "--detailed-exitcode"),
        (&push, "--import-path=/"),
        (&reflection, "--import-path=/"),
        (&["push", "--rehearse", "--protoset=set"], "--import-path=/"),
        (&push, "--max-changes=1"),
        (&rehearse, "--max-changes=1"),
        (&push, "--refuse-shortened"),
        (&rehearse, "--full"),
        (&push, "--lock-timeout=1s"),
    ] {
        let name = flag.split('=').next().unwrap_or(flag);
        run([args, &[flag]].concat()).exits(2);
        // In the environment, such an option is ignored.
        let variable = name
            .trim_start_matches("--")
            .replace('-', "_")
            .to_uppercase();
        let variable = format!("SENSOR_LICENSE_{variable}");
        let value = flag.split_once('=').map_or("true", |(_, value)| value);
        let args = [args, &["--retry=0"]].concat();
        let run = run_with(
            &args,
            &[(&variable, value)],
            b"token,expire_time\na,4070908800\n",
        );
        assert!(!run.stderr.contains(name), "{args:?}: {run:#?}");
    }
}

#[test]
fn invalid_input_options_are_rejected() {
    for flags in [
        &["--no-header", "--token-field=id"][..],
        &["--token-field=0"],
        &["--token-field=id", "--time-field=id"],
        &["--delimiter=ab"],
        &["--delimiter=\""],
        &["--timezone=Europe/Nowhere"],
        &["--input-format=xml"],
        &["--token-encoding=rot13"],
        &["--time-unit=days"],
        &["--max-errors=-1"],
    ] {
        run([&["check"], flags].concat()).exits(2);
    }
    run(["check", "--no-header", "--time-field=until"])
        .exits(2)
        .stderr_contains("--time-field \"until\" is a name, but --no-header files");
}

#[test]
fn standard_input_can_be_named_only_once() {
    run(["check", "-", "-"])
        .exits(2)
        .stderr_contains("standard input");
}
