//! Options from the environment and from config files, and the completions and the man page, which
//! are generated from the options.

use std::fs;

use crate::support::{
    files::{TempFile, utf8},
    program::run_with,
    receiver::Receiver,
    records::ONE_RECORD,
};

fn config(content: &str) -> TempFile {
    TempFile::new("config.toml", content)
}

#[test]
fn push_reads_options_from_the_environment() {
    let receiver = Receiver::start();
    let cacert = receiver.cacert();
    let variables = [
        ("SENSOR_LICENSE_SERVER", receiver.address.as_str()),
        ("SENSOR_LICENSE_CACERT", &*cacert),
        ("SENSOR_LICENSE_HEADER", "x-one: 1\nx-two: 2\n"),
        ("SENSOR_LICENSE_OUTPUT", "json"),
        ("SENSOR_LICENSE_REFUSE_PAST", "true"),
        ("SENSOR_LICENSE_INSECURE", "false"),
        // An empty variable counts as not set.
        ("SENSOR_LICENSE_TIMEOUT", ""),
    ];
    let run = run_with(&["push"], &variables, ONE_RECORD)
        .exits(0)
        .counts_add_up();
    assert_eq!(run.count("acknowledged"), 1);
    assert_eq!(run.stderr, "");
}

/// Arguments, environment variables, and the server that the program must choose.
type PrecedenceCase<'r> = (&'r [&'r str], &'r [(&'r str, &'r str)], &'r str);

#[test]
fn command_line_overrides_environment_profile_and_file() {
    let file = config(
        "server = '127.0.0.1:1'\nretry = 0\nplaintext = true\n[profile.here]\nserver = '127.0.0.1:2'\n",
    );
    let variable = ("SENSOR_LICENSE_SERVER", "127.0.0.1:3");
    let profile = ("SENSOR_LICENSE_PROFILE", "here");
    let path = ("SENSOR_LICENSE_CONFIG", file.str());
    let rows: [PrecedenceCase<'_>; 7] = [
        (&["push", "--config", file.str()], &[], "127.0.0.1:1"),
        (&["--config", file.str(), "push"], &[], "127.0.0.1:1"),
        (&["push"], &[path], "127.0.0.1:1"),
        (
            &["push", "--config", file.str(), "--profile=here"],
            &[],
            "127.0.0.1:2",
        ),
        (&["push"], &[path, profile], "127.0.0.1:2"),
        (&["push"], &[path, profile, variable], "127.0.0.1:3"),
        (
            &["push", "-s127.0.0.1:4"],
            &[path, profile, variable],
            "127.0.0.1:4",
        ),
    ];
    for (args, variables, server) in rows {
        let run = run_with(args, variables, ONE_RECORD).exits(5);
        let text = format!("error: cannot connect to \"{server}\": ");
        assert!(run.stderr.starts_with(&text), "{args:?}: {run:?}");
    }
}

#[test]
fn profile_overrides_switches_and_lists() {
    let receiver = Receiver::start();
    let file = config(&format!(
        "server = '{}'\nplaintext = true\nok-code = [7, 8]\nconcurrency = 1\n\
         [profile.tls]\nplaintext = false\ncacert = ['{}']\nok-code = 0\n",
        receiver.address,
        receiver.cacert(),
    ));
    let args = [
        "push",
        "--config",
        file.str(),
        "--profile",
        "tls",
        "--",
        "-",
    ];
    let run = run_with(&args, &[], ONE_RECORD).exits(0);
    assert!(run.stdout.contains("1 acknowledged"), "{run:?}");
}

#[test]
fn default_config_file_is_read_unless_another_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("sensor-license");
    fs::create_dir(&own).expect("a folder");
    fs::write(own.join("config.toml"), "fail-on-empty = true\n").expect("written");
    let xdg = [("XDG_CONFIG_HOME", utf8(folder.path()))];
    run_with(&["check"], &xdg, b"").exits(4);
    let other = config("# nothing\n");
    run_with(&["check", "--config", other.str()], &xdg, b"").exits(0);
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("a folder");
    std::os::unix::fs::symlink(folder.path(), home.join(".config")).expect("linked");
    let home = [("HOME", utf8(&home)), ("XDG_CONFIG_HOME", "")];
    run_with(&["check"], &home, b"").exits(4);
}

#[test]
fn options_of_other_commands_are_ignored() {
    let file = config("server = 'localhost:1'\nledger = 'l'\nmax-errors = 3\n");
    run_with(&["check", "--config", file.str()], &[], ONE_RECORD).exits(0);
}

#[test]
fn invalid_config_is_reported_with_its_place() {
    let rows = [
        (
            "tmeout = '1s'",
            "config.toml: unknown key \"tmeout\"\nhint: use the key \"timeout\"",
        ),
        (
            "[profile.a]\nplain = true",
            "config.toml: unknown key \"plain\"\nhint: use the key \"plaintext\"",
        ),
        ("config = 'x'", "config.toml: unknown key \"config\""),
        (
            "profile = 3",
            "config.toml: expected a table for each profile\nhint: write [profile.NAME]",
        ),
        ("quiet = 'yes'", "config.toml: expected true or false"),
        (
            "retry = true",
            "config.toml: expected a string or a number, found a boolean",
        ),
        (
            "server = ['a:1']",
            "config.toml: expected a string or a number",
        ),
        (
            "header = [true]",
            "config.toml: expected strings or numbers",
        ),
        ("timeout = 'soon'", "config.toml"),
        (
            "retry = 1\nheader = ['authorization: s3cret'\n",
            "config.toml:2: invalid TOML: ",
        ),
        ("\u{0}", "config.toml:1: invalid TOML"),
        // A number may be a part of a secret, so the message must not quote the number.
        (
            "header = 4111111111111111111111111111111111",
            "config.toml:1: invalid TOML: invalid value\n",
        ),
    ];
    for (content, message) in rows {
        let file = config(content);
        let args = ["push", "--config", file.str()];
        let run = run_with(&args, &[], ONE_RECORD).exits(2);
        assert!(run.stderr.contains(message), "{content}: {run:?}");
        assert!(!run.stderr.contains("s3cret"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    let file = config("[profile.north]\nretry = 1\n");
    let rows: [(&[&str], &str); 4] = [
        (
            &["--config", file.str(), "--profile", "nroth"],
            "has no profile \"nroth\"\nhint: pass --profile north",
        ),
        (
            &["--profile", "north"],
            "--profile needs a config file\nhint: pass --config FILE",
        ),
        (
            &["--config", "/nowhere/x.toml"],
            "cannot open /nowhere/x.toml: No such file or directory\n",
        ),
        (
            &["--config", "/dev/zero"],
            "cannot read /dev/zero: larger than 1 MiB\n",
        ),
    ];
    for (flags, message) in rows {
        let run = run_with(&[&["check"], flags].concat(), &[], ONE_RECORD).exits(2);
        assert!(run.stderr.contains(message), "{flags:?}: {run:?}");
    }
}

#[test]
fn invalid_value_is_reported_with_its_origin() {
    let variable = ("SENSOR_LICENSE_TIMEOUT", "soon");
    let args = ["push", "--server=127.0.0.1:1"];
    run_with(&args, &[variable], ONE_RECORD)
        .exits(2)
        .stderr_contains(
            "note: --timeout is set by the environment variable SENSOR_LICENSE_TIMEOUT\n",
        );
    let fields = [
        ("SENSOR_LICENSE_TOKEN_FIELD", "a"),
        ("SENSOR_LICENSE_TIME_FIELD", "a"),
    ];
    run_with(&args, &fields, ONE_RECORD)
        .exits(2)
        .stderr_contains(
            "note: --time-field is set by the environment variable SENSOR_LICENSE_TIME_FIELD\n",
        );
    let run = run_with(&["check"], &[("SENSOR_LICENSE_QUIET", "maybe")], ONE_RECORD).exits(2);
    assert!(run.stderr.contains(
        "--quiet is set by the environment variable SENSOR_LICENSE_QUIET: expected true"
    ));
}

#[test]
fn unknown_variables_cause_warnings() {
    let variable = [("SENSOR_LICENSE_REFUSE_PATS", "true")];
    let warned = run_with(&["check"], &variable, ONE_RECORD).exits(0);
    assert_eq!(
        warned.stderr,
        "warning: unknown environment variable SENSOR_LICENSE_REFUSE_PATS; the nearest name is \
         SENSOR_LICENSE_REFUSE_PAST\n"
    );
    assert_eq!(
        run_with(&["check", "-q"], &variable, ONE_RECORD)
            .exits(0)
            .stderr,
        ""
    );
    let quiet = [variable[0], ("SENSOR_LICENSE_QUIET", "true")];
    assert_eq!(run_with(&["check"], &quiet, ONE_RECORD).exits(0).stderr, "");
    let alias = [("SENSOR_LICENSE_SSL_TARGET_NAME_OVERRIDE", "name.internal")];
    let args = [
        "push",
        "-n",
        "--server=localhost:1",
        "--ledger=/dev/null/none",
    ];
    assert!(
        !run_with(&args, &alias, ONE_RECORD)
            .stderr
            .contains("warning: unknown")
    );
}

#[test]
fn help_hides_environment_values() {
    let variables = [("SENSOR_LICENSE_HEADER", "authorization: s3cret")];
    let shown = run_with(&["push", "--help"], &variables, b"").exits(0);
    assert!(!shown.stdout.contains("s3cret"));
    // The error about an invalid header must not show the value either.
    let variables = [("SENSOR_LICENSE_HEADER", "s3cret")];
    let args = ["push", "--plaintext", "--server=127.0.0.1:1"];
    let shown = run_with(&args, &variables, ONE_RECORD).exits(2);
    assert!(!shown.stderr.contains("s3cret"), "{shown:?}");
}

#[test]
fn unreadable_default_config_file_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("sensor-license");
    fs::create_dir(&own).expect("a folder");
    std::os::unix::fs::symlink("nowhere", own.join("config.toml")).expect("linked");
    let xdg = [("XDG_CONFIG_HOME", utf8(folder.path()))];
    run_with(&["check"], &xdg, ONE_RECORD)
        .exits(2)
        .stderr_contains("config.toml: No such file or directory\n");
}

#[test]
fn invalid_proxy_urls_hide_the_password() {
    for url in [
        "http://usr:12345/PW@nosuch.invalid:1",
        "http://usr:12345?PW@nosuch.invalid:1",
        "usr:12345#PW@nosuch.invalid:1",
        "http://usr:p@ss:99/word@nosuch.invalid:1",
    ] {
        let args = ["push", "-s127.0.0.1:1", "--plaintext", "--proxy", url];
        let run = run_with(&args, &[], ONE_RECORD).exits(2);
        assert!(
            run.stderr.starts_with("error: --proxy: expected http://"),
            "{run:?}"
        );
        assert!(
            !run.stderr.contains("usr") && !run.stderr.contains("99"),
            "{run:?}"
        );
    }
}

/// Arguments and environment variables.
type OptionSource<'r> = (&'r [&'r str], &'r [(&'r str, &'r str)]);

/// Arguments, environment variables, and whether the output has color.
type ColorCase<'r> = (&'r [&'r str], &'r [(&'r str, &'r str)], bool);

#[test]
fn color_follows_options_and_environment() {
    let wrong: (&[&str], &str) = (&["check", "/nowhere.csv"], "error:\u{1b}[0m cannot open");
    let mistyped: (&[&str], &str) = (&["check", "--nothing"], "error:\u{1b}[0m unexpected");
    for (args, colored) in [wrong, mistyped] {
        let unknown = ("SENSOR_LICENSE_NOTHING", "1");
        let rows: [ColorCase<'_>; 9] = [
            (
                &["--color=never"],
                &[unknown, ("CLICOLOR_FORCE", "1")],
                false,
            ),
            (
                &[],
                &[
                    unknown,
                    ("SENSOR_LICENSE_COLOR", "never"),
                    ("CLICOLOR_FORCE", "1"),
                ],
                false,
            ),
            // Standard error is a pipe, so the default is no color.
            (&[], &[], false),
            (&["--color", "always"], &[], true),
            (&["--color=always"], &[("NO_COLOR", "1")], true),
            (&["--color=never"], &[("CLICOLOR_FORCE", "1")], false),
            (&[], &[("CLICOLOR_FORCE", "1")], true),
            (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (&[], &[("SENSOR_LICENSE_COLOR", "always")], true),
        ];
        for (flags, variables, has_color) in rows {
            let run = run_with(&[flags, args].concat(), variables, b"");
            assert_eq!(
                run.stderr.contains(colored),
                has_color,
                "{flags:?} {variables:?}: {run:?}"
            );
            assert_eq!(run.stderr.contains('\u{1b}'), has_color, "{run:?}");
        }
    }
    run_with(&["check", "--color=red"], &[], ONE_RECORD).exits(2);
}

#[test]
fn verbose_reports_connection_retries_and_requests() {
    let receiver = Receiver::with(["--fail-first=1"]);
    let file = config(&format!(
        "server = '{}'\ncacert = '{}'\nretry-delay = '1ms'\n[profile.much]\nverbose = 2\n",
        receiver.address,
        receiver.cacert(),
    ));
    let push = ["push", "--config", file.str()];
    let once = run_with(&[&push[..], &["-v"]].concat(), &[], ONE_RECORD).exits(0);
    let is_origin = |line: &&str| line.contains("config file: ") || line.contains(" is set in ");
    let lines = once.stderr.lines();
    let text: Vec<_> = lines.filter(|line| !is_origin(line)).collect();
    let [format, address, connected, session, http2, retry] = text[..] else {
        panic!("{once:?}")
    };
    assert_eq!(format, "note: standard input: CSV, delimiter \",\"");
    assert_eq!(address, "note: DNS: 127.0.0.1 is an IP address");
    assert_eq!(
        connected,
        format!("note: TCP: connected to {}", receiver.address)
    );
    assert!(session.starts_with("note: TLS: TLS 1.3, "), "{session}");
    assert_eq!(http2, "note: HTTP/2: SETTINGS received");
    assert!(
        retry.starts_with(
            "note: gRPC call failed: UNAVAILABLE: simulated failure (--fail-first); retry 1 in 0.00"
        ),
        "{retry}"
    );
    let more: [OptionSource<'_>; 3] = [
        (&["-vv"], &[]),
        (&[], &[("SENSOR_LICENSE_VERBOSE", "2")]),
        (&["--profile=much"], &[]),
    ];
    for (flags, variables) in more {
        let twice = run_with(&[&push[..], flags].concat(), variables, ONE_RECORD).exits(0);
        let lines = twice.stderr.lines().filter(|line| !is_origin(line));
        let lines = lines.filter(|line| !line.contains("SENSOR_LICENSE_VERBOSE"));
        assert_eq!(lines.count(), 6, "{twice:?}");
        assert!(
            twice.stderr.ends_with("note: 1 record acknowledged\n"),
            "{twice:?}"
        );
    }
    for flags in [&[][..], &["-vvq"]] {
        let run = run_with(&[&push[..], flags].concat(), &[], ONE_RECORD).exits(0);
        assert_eq!(run.stderr, "", "{flags:?}");
    }
    let args = [
        "push",
        "-vv",
        "--plaintext",
        "--retry=1",
        "--server=127.0.0.1:1",
    ];
    let failed = run_with(
        &args,
        &[],
        b"token,expire_time\ns3cret-token-of-a-sensor,1000000001\n",
    )
    .exits(5);
    assert!(
        failed
            .stderr
            .contains("note: cannot connect to \"127.0.0.1:1\": ")
    );
    assert!(
        !failed.stderr.contains("s3cret-token-of-a-sensor"),
        "{failed:?}"
    );
}

#[test]
fn contract_options_follow_precedence() {
    let file = config(
        "proto = 'file.proto'\nimport-path = ['/']\n[profile.asks]\nprotoset = 'profile.set'\n",
    );
    let reflection = ("SENSOR_LICENSE_REFLECTION", "true");
    let proto = ("SENSOR_LICENSE_PROTO", "variable.proto");
    // No server listens on this port.
    let base = [
        "push",
        "-s",
        "127.0.0.1:1",
        "--retry=0",
        "--config",
        file.str(),
    ];
    for (flags, variables, exit, text) in [
        (&[][..], &[][..], 2, "file.proto"),
        (&["--profile=asks"], &[], 2, "/profile.set: No such file"),
        (&["--profile=asks"], &[reflection], 5, "cannot connect"),
        (&["--profile=asks"], &[proto], 2, "variable.proto"),
        (&["--reflection"], &[proto], 5, "cannot connect"),
        (
            &["--protoset=typed.set"],
            &[reflection],
            2,
            "cannot open typed.set",
        ),
        (&["--proto=typed.proto"], &[reflection], 2, "typed.proto"),
    ] {
        run_with(&[&base[..], flags].concat(), variables, ONE_RECORD)
            .exits(exit)
            .stderr_contains(text);
    }
    run_with(&base, &[reflection, proto], ONE_RECORD)
        .exits(2)
        .stderr_contains("cannot be used with");
}
