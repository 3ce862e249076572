//! Command lines that the program refuses before it reads or sends anything.

use crate::support::{
    program::{push_to, run, run_with},
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

#[test]
fn program_under_test_has_this_version() {
    let version = run(["--version"]).exits(0).stdout;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}
