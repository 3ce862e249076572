//! Outputs that are named in unusual ways: as an input of a rehearsal, as an open file, through
//! `/proc`, or as a file that cannot be replaced.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::{fs::chown, fs::symlink, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{
    fault_server::{FaultServer, action::code},
    files::{TempFile, set_mode},
    program::{PROGRAM, Run, clear_environment, command, finish, run_command, run_with_input},
    records::records,
};

/// Options of a push to a port on which no server listens.
const UNREACHABLE: [&str; 3] = ["push", "--server=127.0.0.1:1", "--retry=0"];

fn run_in(folder: &Path, command: &mut Command) -> Run {
    let child = command
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    finish(child.expect("the program starts"))
}

#[test]
fn rehearsal_refuses_to_replace_its_input() {
    let input = TempFile::new("in.csv", records(2));
    symlink("in.csv", input.path.with_file_name("link")).expect("linked");
    let rehearse = ("SENSOR_LICENSE_REHEARSE", "true");
    for (args, variables, is_stdin) in [
        (
            &["--rehearse", "in.csv", "--rejects=in.csv"][..],
            &[][..],
            false,
        ),
        (&["--rehearse", "in.csv", "--rejects=link"], &[], false),
        (&["in.csv", "--rejects=./in.csv"], &[rehearse], false),
        (&["--rehearse", "--rejects=in.csv"], &[], true),
        (&["--rehearse", "-", "--rejects=in.csv"], &[], true),
        (&["--rehearse", "/dev/stdin", "--rejects=in.csv"], &[], true),
    ] {
        let mut push = command([&["push"], args].concat());
        push.envs(variables.iter().copied());
        if is_stdin {
            push.stdin(File::open(&input.path).expect("opened"));
        }
        run_in(input.folder(), &mut push)
            .exits(2)
            .stderr_contains("--rejects name the same file: ");
        assert_eq!(input.read().as_bytes(), records(2), "{args:?}");
    }
    let mut push = command(["push", "--rehearse", "in.csv", "--rejects=out.csv"]);
    run_in(input.folder(), &mut push).exits(0);
}

#[test]
fn standard_streams_are_no_outputs_if_they_are_files() {
    let push = |flag: &str| {
        UNREACHABLE
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([flag.to_owned()])
    };
    let serve = |flag: &str| ["serve", "--listen=127.0.0.1:0", flag].map(ToOwned::to_owned);
    for (flag, name) in [
        ("--rejects", "/dev/stdout"),
        ("--rejects", "/proc/self/fd/1"),
        ("--rejects", "/dev/stderr"),
        ("--rejects", "/dev/fd/2"),
        ("--metrics-file", "/dev/stdout"),
        ("--ledger", "/dev/stdout"),
        ("--dump", "/dev/stdout"),
        ("--dump", "/dev/stderr"),
        ("--write-cacert", "/dev/fd/1"),
    ] {
        let file = TempFile::new("file", "old\n");
        let flag_with_name = format!("{flag}={name}");
        let is_of_push = !["--dump", "--write-cacert"].contains(&flag);
        let mut command = if is_of_push {
            command(push(&flag_with_name))
        } else {
            command(serve(&flag_with_name))
        };
        let open = File::options()
            .append(true)
            .open(&file.path)
            .expect("opened");
        let is_stderr = name.ends_with("stderr") || name.ends_with('2');
        if is_stderr {
            command.stderr(open).stdout(Stdio::piped());
        } else {
            command.stdout(open).stderr(Stdio::piped());
        }
        let run = finish(command.spawn().expect("the program starts")).exits(2);
        let message = if is_stderr { file.read() } else { run.stderr };
        assert!(message.contains("name the same file: "), "{flag} {message}");
        assert!(file.read().starts_with("old\n"), "{flag} {name}");
    }
    // Rows that are appended to the input would be read with it.
    let file = TempFile::new("file", records(1));
    let mut push = command(push("--rejects=/dev/stdin"));
    push.stdin(
        File::options()
            .read(true)
            .write(true)
            .open(&file.path)
            .expect("opened"),
    );
    run_command(&mut push)
        .exits(2)
        .stderr_contains("name the same file: ");
    assert_eq!(file.read().as_bytes(), records(1));
}

#[test]
fn pipes_are_outputs() {
    let server = FaultServer::serving([code(5)]);
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let args = server.args(&["--rejects", name]);
        let run = run_with_input(args, &records(2)).exits(7);
        assert!(run.stdout.contains("rejected_token,"), "{run:?}");
    }
}

#[test]
fn reader_that_leaves_is_named() {
    const MORE_THAN_A_PIPE_HOLDS: usize = 5000;
    let fifo = TempFile::fifo();
    let path = fifo.path.clone();
    let reader = std::thread::spawn(move || {
        let mut file = File::open(path).expect("opened");
        file.read_exact(&mut [0]).expect("read");
    });
    let server = FaultServer::serving([code(5)]);
    let expected = format!(
        "error: cannot write {}: the reader closed the pipe\n",
        fifo.str()
    );
    server
        .push(&["--rejects", fifo.str()], &records(MORE_THAN_A_PIPE_HOLDS))
        .exits(1)
        .stderr_contains(&expected);
    reader.join().expect("no panic");
}

/// `/proc/self/cwd` and `/proc/self/root` are other names of normal folders.
#[test]
fn files_behind_proc_are_replaced() {
    let server = FaultServer::serving([code(5)]);
    let file = TempFile::absent("new.csv");
    for content in [None, Some("old\n")] {
        if let Some(content) = content {
            file.write(content);
        }
        let args = server.args(&["--rejects", "/proc/self/cwd/new.csv"]);
        let mut push = command(args);
        let input = TempFile::new("in.csv", records(1));
        push.arg(input.str());
        run_in(file.folder(), &mut push).exits(7);
        assert!(file.read().starts_with("rejected_token,"), "{content:?}");
        file.is_alone();
    }
}

#[test]
fn files_with_chattr_attributes_are_proven_writable() {
    let can_change = |attribute: &str, path: &Path| {
        let status = Command::new("chattr").arg(attribute).arg(path).status();
        status.is_ok_and(|status| status.success())
    };
    for (is_folder, attribute, exits_if_absent, exits_if_present) in [
        (true, "i", 1, 7),
        (true, "a", 1, 7),
        (false, "i", 7, 1),
        (false, "a", 7, 1),
    ] {
        for (is_present, exit) in [(false, exits_if_absent), (true, exits_if_present)] {
            for flag in ["--rejects", "--metrics-file"] {
                let file = TempFile::absent("file");
                if is_present {
                    file.write("old\n");
                }
                let attributed = if is_folder {
                    file.folder()
                } else {
                    &*file.path
                };
                if !attributed.exists() {
                    continue;
                }
                // Only root may do this, and not every file system has these attributes.
                if !can_change(&format!("+{attribute}"), attributed) {
                    return;
                }
                let server = FaultServer::serving([code(5)]);
                let run = server.push(&[flag, file.str()], &records(1));
                assert!(can_change(&format!("-{attribute}"), attributed));
                let run = run.exits(exit);
                if exit == 1 {
                    run.stderr_contains(&format!(
                        "cannot write {}: Operation not permitted",
                        file.str()
                    ));
                    assert_eq!(server.attempt_count(), 0, "{attribute} {is_folder} {flag}");
                } else {
                    assert_ne!(file.read(), "old\n");
                }
                assert!(fs::read_dir(file.folder()).expect("read").count() <= 1);
            }
        }
    }
}

/// In a folder such as /tmp, only the owner of a file may replace it.
#[test]
fn files_of_other_users_are_proven_writable() {
    const OWNER: u32 = 60_001;
    const USER: u32 = 60_002;
    let file = TempFile::new("file", "old\n");
    set_mode(file.folder(), 0o1777);
    set_mode(&file.path, 0o666);
    if chown(&file.path, Some(OWNER), None).is_err()
        || chown(file.folder(), Some(OWNER), None).is_err()
    {
        return;
    }
    for (flag, user, exit) in [
        ("--rejects", USER, 1),
        ("--metrics-file", USER, 1),
        ("--rejects", OWNER, 7),
    ] {
        let server = FaultServer::serving([code(5)]);
        let input = TempFile::new("in.csv", records(1));
        set_mode(input.folder(), 0o755);
        // The other user may be unable to reach the program by its own path.
        let program = TempFile::absent("program");
        // If this process wrote the copy, a process that another test starts meanwhile would inherit
        // the open file, and a file that is open for writing cannot be executed.
        let mut copy = Command::new("cp");
        let copied = copy.arg(PROGRAM).arg(&program.path).status();
        assert!(copied.is_ok_and(|status| status.success()));
        set_mode(program.folder(), 0o755);
        let mut push = Command::new(&program.path);
        push.args(server.args(&[flag, file.str(), input.str()]));
        clear_environment(&mut push);
        let run = run_in(file.folder(), push.uid(user).gid(user)).exits(exit);
        if exit == 1 {
            run.stderr_contains(&format!(
                "cannot write {}: Operation not permitted",
                file.str()
            ));
            assert_eq!(server.attempt_count(), 0, "{flag}");
            assert_eq!(file.read(), "old\n", "{flag}");
        }
        file.is_alone();
    }
}
