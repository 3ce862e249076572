//! Output files: modes, conflicts, full disks, secrets.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use tonic::Code;

use crate::support::{
    fault_server::{
        FaultServer,
        action::{code, ok, status},
    },
    files::{TempFile, utf8},
    program::{PROGRAM, Run, command, command_after, finish, run, run_command, start_command},
    records::{ONE_RECORD, TOKEN_PREFIX, records},
    rejects::read_rejects,
};

/// Runs the program after the shell commands `setting`, which must end with `;`.
fn run_after(setting: &str, args: Vec<String>, input: &[u8]) -> Run {
    finish(start_command(&mut command_after(setting, args), input))
}

#[test]
fn umask_does_not_change_modes() {
    let server = FaultServer::ok();
    for mask in ["077", "000", "027"] {
        let (metrics, rejects, ledger) = (
            TempFile::absent("m"),
            TempFile::absent("r"),
            TempFile::absent("l"),
        );
        let flags = [
            "--metrics-file",
            metrics.str(),
            "--rejects",
            rejects.str(),
            "--ledger",
            ledger.str(),
        ];
        run_after(&format!("umask {mask};"), server.args(&flags), &records(2)).exits(0);
        assert_eq!(
            (metrics.mode(), rejects.mode(), ledger.mode()),
            (0o644, 0o600, 0o600),
            "{mask}"
        );
    }
}

#[test]
fn full_output_ends_the_push() {
    // A small output is written only at the end of the push, so the write failure comes after the
    // responses.
    for (flags, answers) in [
        (&["--rejects", "/dev/full"][..], vec![ok()]),
        (&["--rejects", "/dev/full"], vec![code(5)]),
        (&["--metrics-file", "/dev/full"], vec![ok()]),
        (&["--metrics-file", "/dev/full"], vec![code(5)]),
        (
            &["--rejects", "/dev/full", "--metrics-file", "/dev/full"],
            vec![ok()],
        ),
    ] {
        let server = FaultServer::serving(answers);
        let run = server
            .push(flags, &records(3))
            .exits(1)
            .stderr_contains("/dev/full");
        assert_eq!(run.json()["status"], "failed", "{flags:?}");
    }
    // The write failure does not hide other failures.
    for flag in ["--rejects", "--metrics-file"] {
        FaultServer::serving([code(5)])
            .push(&[flag, "/dev/full"], &records(3))
            .exits(1)
            .stderr_contains("/dev/full")
            .stderr_contains("code 5")
            .counts("rejected", 3);
    }
    // A large output fails while the push runs. After that failure, the push sends nothing more.
    let server = FaultServer::serving([code(5)]);
    let flags = [
        "--batch-records=100",
        "--concurrency=2",
        "--rejects",
        "/dev/full",
    ];
    let run = server
        .push(&flags, &records(10_000))
        .exits(1)
        .stderr_contains("/dev/full");
    let attempts = server.attempt_count();
    assert!(attempts < 20, "{attempts}");
    assert!(run.count("unsent") > 8000, "{run:#?}");
    // If standard output is full, the push fails in the same way.
    for exit_before in [0, 5] {
        let server = FaultServer::serving([code(exit_before)]);
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device");
        let mut child = command(server.args(&[]))
            .stdin(Stdio::piped())
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, &records(3)).expect("read");
        drop(stdin);
        let run = finish(child);
        run.exits(1).stderr_contains("cannot write standard output");
    }
}

#[test]
fn full_disk_ends_the_push() {
    // Limits the size of files, in blocks of 512 bytes.
    let limit = |blocks: usize| format!("ulimit -f {blocks};");
    let server = FaultServer::ok();
    let ledger = TempFile::absent("ledger");
    let file = TempFile::absent("rejects.csv");
    let flags = [
        "--batch-records=1",
        "--concurrency=2",
        "--servername=localhost",
        "--ledger",
        ledger.str(),
        "--rejects",
        file.str(),
    ];
    let run = run_after(&limit(1000), server.args(&flags), &records(1500))
        .exits(1)
        .counts_add_up()
        .stderr_contains("cannot use ledger ")
        .hides("move the file away")
        .hides(TOKEN_PREFIX);
    assert_eq!(run.json()["status"], "failed");
    let acknowledged = run.count("acknowledged");
    assert!(acknowledged > 0 && run.count("unsent") > 0, "{run:#?}");
    assert_eq!(server.traffic().acknowledged().len() as u64, acknowledged);
    assert_eq!(read_rejects(&file.path).len() as u64, 1500 - acknowledged);
    // The ledger is still valid, so the next push does not send its records again.
    let good = FaultServer::ok();
    let run = good.push(&flags, &records(1500)).exits(0);
    assert!(run.count("unchanged") > 0, "{run:#?}");
    assert!(run.count("unchanged") <= acknowledged, "{run:#?}");
    good.push(&flags, &records(1500))
        .exits(0)
        .counts("unchanged", 1500);

    // Without space for a new ledger, the push sends nothing.
    let server = FaultServer::ok();
    let ledger = TempFile::absent("ledger");
    run_after(
        &limit(8),
        server.args(&["--ledger", ledger.str()]),
        &records(3),
    )
    .exits(1)
    .counts_add_up()
    .stderr_contains("cannot use ledger ")
    .counts("unsent", 3);
    assert!(server.traffic().attempts.is_empty());

    // Rejects and metrics files keep their old content if the new content cannot be written.
    let server = FaultServer::serving([code(5)]);
    file.write("old");
    let flags = ["--batch-records=10", "--rejects", file.str()];
    let run = run_after(&limit(8), server.args(&flags), &records(3000))
        .exits(1)
        .counts_add_up()
        .stderr_contains(&format!("cannot write {}: ", file.str()));
    assert!(run.count("unsent") > 0, "{run:#?}");
    assert_eq!(file.read(), "old");
    file.is_alone();
    // Without space for them, the push sends nothing.
    for (flag, blocks) in [("--metrics-file", 1), ("--rejects", 400), ("--ledger", 400)] {
        let ledger = TempFile::absent("ledger");
        let path = if flag == "--ledger" { &ledger } else { &file };
        let server = FaultServer::ok();
        let args = server.args(&[flag, path.str()]);
        run_after(&limit(blocks), args, &records(5000))
            .exits(1)
            .counts_add_up()
            .stderr_contains(path.str())
            .counts("acknowledged", 0);
        assert_eq!(server.attempt_count(), 0, "{flag}");
    }
    assert_eq!(file.read(), "old");
}

#[test]
fn outputs_must_be_different_files() {
    let server = FaultServer::ok();
    let file = TempFile::absent("file");
    let link = &*file.link("link");
    for flags in [
        ["--rejects", file.str(), "--ledger", file.str()],
        ["--metrics-file", file.str(), "--ledger", file.str()],
        ["--rejects", file.str(), "--metrics-file", file.str()],
        ["--rejects", link, "--ledger", file.str()],
    ] {
        let run = server.push(&flags, &records(1)).exits(2);
        assert!(run.stderr.contains("the same file"), "{run:#?}");
        // No other output replaces an existing ledger.
        server.push(&["--ledger", file.str()], &records(1)).exits(0);
        let before = fs::read(&file.path).expect("read");
        server.push(&flags, &records(1)).exits(2);
        assert!(fs::read(&file.path).expect("read") == before, "{flags:?}");
        fs::remove_file(&file.path).expect("removed");
    }
    server
        .push(
            &["--rejects=/dev/null", "--metrics-file=/dev/null"],
            &records(1),
        )
        .exits(0);
}

#[test]
fn outputs_must_not_be_files_that_the_run_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| utf8(&folder.path().join(name)).to_owned();
    for name in ["a.csv", "file", "headers", "config.toml"] {
        fs::write(path(name), "").expect("written");
    }
    fs::write(path("a.csv"), records(1)).expect("written");
    fs::create_dir(path("sub")).expect("a folder");
    fs::write(path("sub/b.proto"), "").expect("written");
    symlink("file", path("link")).expect("linked");
    symlink("new", path("dangling")).expect("linked");
    symlink("sub/l", path("link-to-ledger")).expect("linked");
    fs::hard_link(path("file"), path("hard")).expect("linked");
    let (input, file, link) = (path("a.csv"), path("file"), path("link"));
    let headers = format!("@{}", path("headers"));
    for (output, name, read) in [
        ("--metrics-file", input.clone(), vec![]),
        ("--ledger", input.clone(), vec![]),
        ("--rejects", file.clone(), vec!["--cacert", &file]),
        (
            "--rejects",
            file.clone(),
            vec!["--cacert=/x", "--cacert", &link],
        ),
        ("--rejects", path("hard"), vec!["--key", &file, "--cert=/x"]),
        (
            "--metrics-file",
            link.clone(),
            vec!["--key=/x", "--cert", &file],
        ),
        ("--ledger", file.clone(), vec!["--bearer-token-file", &file]),
        ("--rejects", path("headers"), vec!["-H", &headers]),
        ("--rejects", file.clone(), vec!["--proto", &file]),
        ("--rejects", file.clone(), vec!["--protoset", &file]),
        (
            "--rejects",
            path("config.toml"),
            vec!["--config", &path("config.toml")],
        ),
        (
            "--rejects",
            path("new"),
            vec!["--metrics-file", &path("dangling")],
        ),
        (
            "--rejects",
            path("sub/b.proto"),
            vec!["--proto=a.proto", "--import-path", &path("sub")],
        ),
        ("--rejects", path("l-lock"), vec!["--ledger", &path("l")]),
        (
            "--metrics-file",
            path("l-wal"),
            vec!["--ledger", &path("l")],
        ),
        // SQLite and the lock resolve a symbolic link.
        (
            "--rejects",
            path("sub/l-lock"),
            vec!["--ledger", &path("link-to-ledger")],
        ),
        (
            "--metrics-file",
            path("sub/l-journal"),
            vec!["--ledger", &path("link-to-ledger")],
        ),
    ] {
        for json in [&["--output=json"][..], &[]] {
            let push = ["push", "--server=127.0.0.1:1", "--retry=0", &input];
            let args = [&push[..], &read, &[output, &name], json].concat();
            let run = run(&args)
                .exits(2)
                .stderr_contains("file")
                .stderr_contains(output);
            if !json.is_empty() {
                assert_eq!(run.json()["exit_code"], 2, "{run:#?}");
            }
        }
        assert!(fs::read(&file).expect("read").is_empty(), "{output} {name}");
        assert_eq!(
            fs::read(&input).expect("read"),
            records(1),
            "{output} {name}"
        );
        assert!(
            !fs::exists(path("new")).expect("a folder"),
            "{output} {name}"
        );
    }
    for args in [
        ["--store", "s.db", "--dump", "./s.db"],
        ["--store", "s.db", "--dump", "s.db-wal"],
        ["--store", "link-to-ledger", "--dump", "sub/l-wal"],
        ["--store", "s.db", "--write-cacert", "s.db"],
        ["--dump", "new", "--write-cacert", "dangling"],
        ["--dump", "hard", "--client-ca", "file"],
    ] {
        let mut serve = command([&["serve", "--listen=127.0.0.1:0"], &args[..]].concat());
        run_command(serve.current_dir(folder.path()))
            .exits(2)
            .stderr_contains("name the same file: ");
    }
}

#[test]
fn outputs_must_not_be_files_without_an_option() {
    let file = TempFile::new("file", records(1));
    let open = || fs::File::options().append(true).read(true).open(&file.path);
    let push = |flag: &str| {
        let mut push = command([
            "push",
            "--server=127.0.0.1:1",
            "--retry=0",
            flag,
            file.str(),
        ]);
        push.stdin(Stdio::null());
        push
    };
    let folder = file.path.with_file_name("");
    for flag in ["--metrics-file", "--ledger", "--rejects"] {
        let mut reading = push(flag);
        reading.stdin(open().expect("opened"));
        let mut writing = push(flag);
        writing.stdout(open().expect("opened"));
        let [mut trusting, mut trusting_folder] = [push(flag), push(flag)];
        trusting.env("SSL_CERT_FILE", &file.path);
        trusting_folder.env("SSL_CERT_DIR", &folder);
        for (name, mut push) in [
            ("standard input", reading),
            ("standard output", writing),
            ("SSL_CERT_FILE", trusting),
            ("SSL_CERT_DIR", trusting_folder),
        ] {
            // The rejects file may be the input.
            if (flag, name) == ("--rejects", "standard input") {
                continue;
            }
            let child = push.stderr(Stdio::piped()).spawn();
            finish(child.expect("the program starts"))
                .exits(2)
                .stderr_contains(name)
                .stderr_contains(flag);
            assert_eq!(fs::read(&file.path).expect("read"), records(1), "{name}");
        }
    }
}

/// A container often mounts a single file, which cannot be replaced by `rename`.
#[test]
fn mounted_files_are_overwritten() {
    let in_namespace = ["-rm", "sh", "-c"];
    let can_mount = Command::new("unshare")
        .args(in_namespace)
        .arg("true")
        .status();
    // Some containers and sandboxes allow no user namespaces.
    if !can_mount.is_ok_and(|status| status.success()) {
        return;
    }
    for (flag, exit) in [("--rejects", 7), ("--metrics-file", 7)] {
        let (source, mounted) = (
            TempFile::new("source", "old\n".repeat(1000)),
            TempFile::new("file", ""),
        );
        let server = FaultServer::serving([code(5)]);
        let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        let mut push = Command::new("unshare");
        push.args(in_namespace)
            .args([script, "sh", source.str(), mounted.str()]);
        // A container whose root file system is read-only may have no folder for temporary files.
        push.env("TMPDIR", "/nowhere");
        push.arg(PROGRAM).args(server.args(&[flag, mounted.str()]));
        finish(start_command(&mut push, &records(3))).exits(exit);
        assert_eq!(mounted.read(), "", "{flag}");
        let lines = source.read().lines().count();
        assert!((4..100).contains(&lines), "{flag}: {lines}");
    }
}

#[test]
fn dangling_links_stay() {
    let server = FaultServer::serving([code(5)]);
    for flag in ["--rejects", "--metrics-file", "--ledger"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink("target", &link).expect("linked");
        server.push(&[flag, utf8(&link)], &records(1)).exits(7);
        assert!(link.is_symlink(), "{flag}");
        assert!(
            fs::metadata(&target).is_ok_and(|target| target.is_file()),
            "{flag}"
        );
    }
}

#[test]
fn only_rejects_show_tokens() {
    let echo = "sensor-00000 and c2Vuc29yLTAwMDAw and x-secret-value";
    for answer in [
        ok(),
        code(5),
        status(Code::InvalidArgument, echo),
        status(Code::Internal, echo),
    ] {
        let server = FaultServer::serving([answer]);
        let (rejects, metrics, ledger) = (
            TempFile::absent("r"),
            TempFile::absent("m"),
            TempFile::absent("l"),
        );
        for more in [
            &[][..],
            &["--isolate"],
            &["--full"],
            &["--refuse-shortened"],
        ] {
            let flags = [
                "--header=x-key: x-secret-value",
                "--rejects",
                rejects.str(),
                "--metrics-file",
                metrics.str(),
                "--ledger",
                ledger.str(),
            ];
            let flags = [&flags[..], more].concat();
            let run = server.push(&flags, &records(1));
            let text = format!("{}{}{}", run.stdout, run.stderr, metrics.read());
            let ledger_bytes = fs::read(&ledger.path).expect("read");
            for secret in ["sensor-0", "x-secret-value"] {
                assert!(!text.contains(secret), "{secret} in {text}");
                let found = ledger_bytes
                    .windows(secret.len())
                    .any(|bytes| bytes == secret.as_bytes());
                assert!(!found, "{secret} in the ledger");
            }
            assert!(!rejects.read().contains("x-secret-value"));
        }
    }
}

#[test]
fn outputs_are_opened_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = utf8(folder.path());
    let server = FaultServer::ok();
    for flag in ["--rejects", "--metrics-file", "--ledger"] {
        for file in ["/nowhere/file", folder] {
            server
                .push(&[flag, file], ONE_RECORD)
                .exits(1)
                .stderr_contains(file)
                .counts("acknowledged", 0);
            assert_eq!(server.attempt_count(), 0, "{flag} {file}");
        }
    }
}
