//! How the command line, the environment, the profile and the config file combine.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use crate::support::{
    files::{TempFile, utf8},
    program::{Run, command, run, run_command, run_with},
    receiver::Receiver,
    records::ONE_RECORD,
};

/// Runs `push` to a port on which no server listens, with a config file.
fn push(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Run {
    let config = TempFile::new("config.toml", file);
    let base = ["push", "-s127.0.0.1:1", "--retry=0", "--config"];
    let args = [&base[..], &[config.str()], flags].concat();
    run_with(&args, variables, ONE_RECORD)
}

const PLAINTEXT: (&str, &str) = ("SENSOR_LICENSE_PLAINTEXT", "true");
const INSECURE: (&str, &str) = ("SENSOR_LICENSE_INSECURE", "true");

#[test]
fn drops_lower_value_that_conflicts_with_a_higher_one() {
    let unreachable = "cannot connect";
    let insecure = "warning: --insecure";
    for (flags, variables, file, exit, text) in [
        (
            &["--plaintext"][..],
            &[][..],
            "cacert = ['/no/ca.pem']",
            5,
            unreachable,
        ),
        (
            &["--plaintext"],
            &[],
            "cert = '/no/a.pem'\nkey = '/no/a.pem'\nallow-common-name = true\ninsecure = true",
            5,
            unreachable,
        ),
        (&["--cacert=/no/ca.pem"], &[PLAINTEXT], "", 2, "/no/ca.pem"),
        (&["--insecure"], &[PLAINTEXT], "", 5, insecure),
        (&[], &[INSECURE], "plaintext = true", 5, insecure),
        (
            &["--profile=tls"],
            &[],
            "plaintext = true\n[profile.tls]\ncacert = ['/no/ca.pem']",
            2,
            "/no/ca.pem",
        ),
        // A dropped value drops nothing itself.
        (
            &["--cert=/no/a.pem", "--key=/no/a.pem"],
            &[PLAINTEXT],
            "cacert = ['/no/ca.pem']",
            2,
            "/no/ca.pem",
        ),
        (&["--dry-run"], &[], "rehearse = true", 0, "1 to be sent"),
        (&["--dry-run"], &[], "reflection = true", 0, "1 to be sent"),
    ] {
        let run = push(flags, variables, file).exits(exit);
        let shown = run.output();
        assert!(
            shown.contains(text),
            "{flags:?} {variables:?} {file}: {shown}"
        );
    }
}

#[test]
fn refuses_conflict_within_one_layer() {
    push(&[], &[], "plaintext = true\ninsecure = true")
        .exits(2)
        .stderr_contains("cannot be used with")
        .stderr_contains("note: --plaintext is set in ")
        .stderr_contains("note: --insecure is set in ");
    push(&["--plaintext", "--insecure"], &[], "").exits(2);
}

#[test]
fn forget_prefers_what_is_typed() {
    let ledger = TempFile::absent("ledger");
    let args = ["ledger", "forget", "--ledger", ledger.str(), "--target=x"];
    // The program must not forget everything, and the ledger does not exist.
    run_with(&args, &[("SENSOR_LICENSE_ALL", "true")], b"")
        .exits(2)
        .stderr_contains("cannot use ledger");
    run([&args[..], &["--all"]].concat())
        .exits(2)
        .stderr_contains("cannot be used with");
    run(["ledger", "forget", "--ledger=x"])
        .exits(2)
        .stderr_contains("--target");
}

#[test]
fn switches_accept_true_and_false() {
    let file = "insecure = true\nplaintext = false";
    assert!(push(&[], &[], file).exits(5).stderr.contains("--insecure"));
    for (flags, variables) in [
        (&["--insecure=false"][..], &[][..]),
        (&[], &[("SENSOR_LICENSE_INSECURE", "false")]),
        (&["--insecure=false"], &[INSECURE]),
        (&["--insecure", "--insecure=false"], &[]),
        (&["--insecure=true", "--insecure", "--insecure=false"], &[]),
        (&["--plaintext=true"], &[]),
        (&["--plaintext=false", "--plaintext"], &[]),
    ] {
        let run = push(flags, variables, file).exits(5);
        assert!(!run.stderr.contains("--insecure"), "{flags:?}: {run:?}");
    }
    push(&["--insecure=true"], &[], "")
        .exits(5)
        .stderr_contains("warning: --insecure");
    // A switch that is off conflicts with nothing.
    push(
        &["--plaintext=false", "--cacert=/no/ca.pem"],
        &[PLAINTEXT],
        "",
    )
    .exits(2)
    .stderr_contains("/no/ca.pem");
    for value in ["maybe", ""] {
        let message = format!("invalid value \"{value}\" for --insecure: expected true or false\n");
        let flag = format!("--insecure={value}");
        push(&[&flag], &[], "").exits(2).stderr_contains(&message);
    }
    run(["check", "--fail-on-empty=true"]).exits(4);
    run(["check", "--fail-on-empty=false"]).exits(0);
}

#[test]
fn ignores_lower_value_that_refines_an_absent_option() {
    let file = "max-changes = 1\nrefuse-shortened = true\nfull = true\nlock-timeout = '1s'\n\
                import-path = ['/no']\ndetailed-exitcode = true";
    push(&[], &[], file).exits(5);
    push(&["--dry-run=true"], &[], file).exits(20);
    for flag in ["--full", "--max-changes=1", "--import-path=/no"] {
        push(&[flag], &[], "").exits(2).stderr_contains("required");
    }
    // Each half of a pair may be in another layer.
    push(&["--cert=/no/cert.pem"], &[], "key = '/no/key.pem'")
        .exits(2)
        .stderr_contains("/no/cert.pem");
    let ledger = TempFile::absent("ledger");
    let ledger = [("SENSOR_LICENSE_LEDGER", ledger.str())];
    push(&["--full"], &ledger, "").exits(5);
}

#[test]
fn relative_paths_in_the_file_are_relative_to_it() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::copy(receiver.cacert(), path("ca.pem")).expect("copied");
    fs::write(path("headers"), "x-tenant: north\n").expect("written");
    fs::write(
        path("config.toml"),
        format!(
            "server = '{}'\ncacert = 'ca.pem'\nheader = ['@headers', 'x: @1']\n\
             [profile.ledger]\nledger = 'l.db'\n[profile.socket]\nserver = 'unix:s.sock'\n\
             [profile.secret]\nbearer-token-file = 'token'\n",
            receiver.address
        ),
    )
    .expect("written");
    let config = path("config.toml");
    let push = |flags: &[&str]| {
        let args = ["push", "--retry=0", "--config", utf8(&config)];
        run_with(&[&args[..], flags].concat(), &[], ONE_RECORD)
    };
    push(&[]).exits(0);
    push(&["--profile=ledger"]).exits(0);
    assert!(path("l.db").exists());
    let socket = format!("unix:{}", path("s.sock").display());
    push(&["--profile=socket"])
        .exits(5)
        .stderr_contains(&socket);
    let token = path("token").display().to_string();
    push(&["--profile=secret"]).exits(2).stderr_contains(&token);
    // The paths of other layers are relative to the working directory.
    push(&["--cacert=ca.pem"])
        .exits(2)
        .stderr_contains("cannot open ca.pem: No such file or directory\n");
    let listed = [("SENSOR_LICENSE_TOKENS", "-")];
    let args = ["ledger", "forget", "--ledger", utf8(&path("l.db"))].map(ToOwned::to_owned);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    run_with(&args, &listed, b"token\nabcdefghijkl\n").exits(0);
}

#[test]
fn serve_reads_neither_environment_nor_file() {
    let variables = [
        ("SENSOR_LICENSE_CONFIG", "/no/config.toml"),
        ("SENSOR_LICENSE_PLAINTEXT", "true"),
        ("SENSOR_LICENSE_NOTHING", "true"),
        ("SENSOR_LICENSE_COLOR", "always"),
    ];
    let args = ["serve", "--cert=/no/cert.pem", "--key=/no/key.pem"];
    let run = run_with(&args, &variables, b"").exits(2);
    assert_eq!(
        run.stderr,
        "error: cannot open /no/cert.pem: No such file or directory\n"
    );
    let config = TempFile::new("config.toml", "listen = '127.0.0.1:0'");
    run_with(&["serve", "--config", config.str()], &[], b"")
        .exits(2)
        .stderr_contains("\"serve\" reads no config file");
    // The options of `serve` are no keys of the config file.
    run_with(&["check", "--config", config.str()], &[], ONE_RECORD)
        .exits(2)
        .stderr_contains("unknown key \"listen\"");
}

#[test]
fn unreachable_home_directory_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("loop");
    symlink(&home, &home).expect("linked");
    for name in ["HOME", "XDG_CONFIG_HOME"] {
        let variables = [("XDG_CONFIG_HOME", ""), (name, utf8(&home))];
        let run = run_with(&["check"], &variables, ONE_RECORD).exits(0);
        assert_eq!(run.stderr, "", "{name}");
    }
}

#[test]
fn ignores_variables_that_kubernetes_makes() {
    let variables = [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_GRPC",
        "PORT",
        "PORT_9102_TCP",
        "PORT_9102_TCP_PROTO",
        "PORT_9102_TCP_PORT",
        "PORT_9102_TCP_ADDR",
        "PORT_53_UDP_ADDR",
        "PORT_53_SCTP",
        // The variables of the service sensor-license-server.
        "SERVER_SERVICE_HOST",
        "SERVER_SERVICE_PORT",
        "SERVER_SERVICE_PORT_HTTP_METRICS",
        "SERVER_PORT",
        "SERVER_PORT_9102_TCP",
        "SERVER_PORT_9102_TCP_PROTO",
        "SERVER_PORT_9102_TCP_PORT",
        "SERVER_PORT_9102_TCP_ADDR",
        "NORTH_SERVER_PORT_53_UDP_ADDR",
    ]
    .map(|name| format!("SENSOR_LICENSE_{name}"));
    let variables = variables
        .each_ref()
        .map(|name| (name.as_str(), "tcp://10.0.0.1:9102"));
    let run = run_with(&["check"], &variables, ONE_RECORD).exits(0);
    assert_eq!(run.stderr, "");
    for name in [
        "PORT_X_TCP",
        "PORTS",
        "SERVERR",
        "SERVICE",
        "SERVER_PORT_9102",
        "SERVER_PORT_9102_QUIC",
        "SUPPORT",
        "SERVER_PORT_9102_TCP_NAME",
    ] {
        let name = &format!("SENSOR_LICENSE_{name}");
        run_with(&["check"], &[(name, "1")], ONE_RECORD)
            .exits(0)
            .stderr_contains(&format!("warning: unknown environment variable {name};"));
    }
}

#[test]
fn dropped_dry_run_is_a_warning() {
    let in_variable = [("SENSOR_LICENSE_DRY_RUN", "true")];
    let reflection = "note: --dry-run";
    for (flags, variables, file, text) in [
        (
            &["--reflection"][..],
            &in_variable[..],
            "",
            "warning: --dry-run is set by the environment variable SENSOR_LICENSE_DRY_RUN, and ignored \
             because of --reflection\n",
        ),
        (
            &["--reflection"],
            &[],
            "dry-run = true",
            "config.toml, and ignored because of --reflection\n",
        ),
        (
            &["--rehearse"],
            &[],
            "dry-run = true",
            "config.toml, and ignored because of --rehearse\n",
        ),
        (
            &["--profile=a"],
            &[],
            "dry-run = true\n[profile.a]\nreflection = true",
            "config.toml, and ignored because of --reflection\n",
        ),
    ] {
        let run = push(flags, variables, file);
        assert!(run.stderr.contains(text), "{flags:?} {run:?}");
        assert!(!run.stderr.contains(reflection), "{run:?}");
        let quiet = push(&[flags, &["--quiet"]].concat(), variables, file);
        assert!(!quiet.stderr.contains("warning:"), "{quiet:?}");
    }
    // A dry run that is off or not dropped is no warning.
    for (flags, variables, file) in [
        (&["--reflection"][..], &[][..], "dry-run = false"),
        (&["--reflection", "--dry-run=false"], &in_variable, ""),
        (&[], &in_variable, "reflection = true"),
    ] {
        let run = push(flags, variables, file);
        assert!(!run.stderr.contains("ignored"), "{flags:?} {run:?}");
    }
}

#[test]
fn higher_layer_decides_between_options_that_clap_accepts_together() {
    let quiet = "quiet = true";
    let note = "note: standard input: CSV";
    for (flags, variables, file, has_notes) in [
        (&["-v"][..], &[][..], quiet, true),
        (&["-v"], &[("SENSOR_LICENSE_QUIET", "true")], "", true),
        (&[], &[("SENSOR_LICENSE_VERBOSE", "1")], quiet, true),
        (&["-q"], &[], "verbose = 1", false),
        (&["-q", "-v"], &[], "", false),
        (&[], &[], "quiet = true\nverbose = 1", false),
        (&["-v", "-q=false"], &[], quiet, true),
        (&["-qv", "--quiet=false"], &[], "", true),
        (&["-vv", "--verbose=false"], &[], "", false),
    ] {
        let run = push(flags, variables, file).exits(5);
        assert_eq!(run.stderr.contains(note), has_notes, "{flags:?} {run:?}");
    }
    let missing = "/no/token";
    let bearer = ("SENSOR_LICENSE_BEARER_TOKEN_FILE", missing);
    let header = "authorization: x";
    let headers = (
        "SENSOR_LICENSE_HEADER",
        "x-tenant: north\nAuthorization: y\n",
    );
    let bearer_key = "bearer-token-file = '/no/token'";
    for (flags, variables, file, exit, text) in [
        (&["-H", header][..], &[bearer][..], "", 5, "cannot connect"),
        (
            &["-H", "Authorization : x"],
            &[],
            bearer_key,
            5,
            "cannot connect",
        ),
        (&["-H", "x-tenant: a"], &[bearer], "", 2, missing),
        (&[], &[headers], bearer_key, 5, "cannot connect"),
        (
            &["--bearer-token-file=/no/token"],
            &[headers],
            "",
            2,
            missing,
        ),
        (&[], &[headers, bearer], "", 2, "authorization"),
        (
            &["-H", header, "--bearer-token-file=/no/token"],
            &[],
            "",
            2,
            "authorization",
        ),
    ] {
        let run = push(flags, variables, file).exits(exit);
        assert!(run.stderr.contains(text), "{flags:?} {variables:?} {run:?}");
    }
}

#[test]
fn names_the_layer_of_an_option_that_contradicts_a_typed_one() {
    for (flags, variable, origin) in [
        (
            &["--token-field=serial"][..],
            ("SENSOR_LICENSE_NO_HEADER", "true"),
            "note: --no-header is set by the environment variable SENSOR_LICENSE_NO_HEADER\n",
        ),
        (
            &["--no-header"],
            ("SENSOR_LICENSE_TOKEN_FIELD", "serial"),
            "note: --token-field is set by the environment variable SENSOR_LICENSE_TOKEN_FIELD\n",
        ),
    ] {
        push(flags, &[variable], "")
            .exits(2)
            .stderr_contains(origin);
    }
}

#[test]
fn invalid_values_of_variables_name_the_variable() {
    for (name, value, text) in [
        ("PLAINTEXT", "2", "expected true or false"),
        ("PLAINTEXT", "yes", "expected true or false"),
        ("DRY_RUN", "255", "expected true or false"),
        ("VERBOSE", "many", "expected true or false"),
        ("TIMEOUT", "soon", "--timeout"),
    ] {
        let name = format!("SENSOR_LICENSE_{name}");
        push(&[], &[(&name, value)], "")
            .exits(2)
            .stderr_contains(text)
            .stderr_contains(&name);
    }
    for name in ["TIMEOUT", "SERVER", "HEADER", "RETRY", "QUIET"] {
        let name = format!("SENSOR_LICENSE_{name}");
        let mut push = command(["push", "-n"]);
        push.env(&name, OsStr::from_bytes(b"\xff"));
        let expected = if name.ends_with("QUIET") {
            "true or false"
        } else {
            "UTF-8 text"
        };
        run_command(&mut push).exits(2).stderr_contains(&format!(
            "by the environment variable {name}: expected {expected}\n"
        ));
    }
    // A path need not be UTF-8.
    let mut with_path = command(["push", "-s127.0.0.1:1", "--retry=0"]);
    with_path.env("SENSOR_LICENSE_CACERT", OsStr::from_bytes(b"/no/\xff"));
    run_command(&mut with_path)
        .exits(2)
        .stderr_contains("cannot open /no/");
    for (value, exit) in [("1", 0), ("0", 5), ("true", 0), ("false", 5)] {
        push(&[], &[("SENSOR_LICENSE_DRY_RUN", value)], "").exits(exit);
    }
}

#[test]
fn short_switches_accept_true_and_false() {
    for (flags, exit) in [
        (&["-n=true"][..], 0),
        (&["-n=false"], 5),
        (&["-qn=true"], 0),
        (&["-qn=false"], 5),
        (&["-n", "-n=false"], 5),
        (&["-qn", "-n=false", "--dry-run"], 0),
        (&["-n=maybe"], 2),
        (&["-n="], 2),
    ] {
        push(flags, &[], "").exits(exit);
    }
    let run = push(&["-qn=true"], &[], "").exits(0);
    assert_eq!(run.stdout, "");
    push(&["-n=false"], &[("SENSOR_LICENSE_DRY_RUN", "true")], "").exits(5);
}

#[test]
fn only_similar_names_are_suggested() {
    for (key, nearest) in [
        ("file", None),
        ("push", None),
        ("zzz", None),
        ("tmeout", Some("timeout")),
        ("retries", Some("retry")),
        ("plain-text", Some("plaintext")),
    ] {
        let hint = match nearest {
            Some(nearest) => format!("hint: use the key \"{nearest}\"\n"),
            None => "hint: list the options with: sensor-license push --help\n".to_owned(),
        };
        push(&[], &[], &format!("{key} = 1"))
            .exits(2)
            .stderr_contains(&hint);
        let variable = format!("SENSOR_LICENSE_{}", key.to_uppercase().replace('-', "_"));
        let advice = match nearest {
            Some(nearest) => {
                let nearest = nearest.to_uppercase();
                format!(
                    "unknown environment variable {variable}; the nearest name is SENSOR_LICENSE_{nearest}\n"
                )
            }
            None => format!("{variable}; list the options with: sensor-license push --help\n"),
        };
        push(&["-n"], &[(&variable, "1")], "")
            .exits(0)
            .stderr_contains(&advice);
    }
    push(&["--profile=x"], &[], "[profile.north]")
        .exits(2)
        .stderr_contains("hint: add a table [profile.NAME]");
}
