//! FIFOs, standard input, slow input, and files that change while they are read.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    process::Stdio,
};

use crate::support::{
    files::TempFile,
    program::{Run, command, finish, run, start_with_open_stdin},
    receiver::Receiver,
    records::slow_input,
};

#[test]
fn fifo_is_read() {
    let fifo = TempFile::fifo();
    let child = command(["check", fifo.str(), "--output=json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    fs::write(fifo.str(), "token,expire_time\na,1000000001\n").expect("written");
    let run = finish(child);
    assert_eq!(run.exits(0).count("unsent"), 1);
}

#[test]
fn fifos_are_opened_one_after_the_other() {
    let fifos = [TempFile::fifo(), TempFile::fifo()];
    let child = command(["check", fifos[0].str(), fifos[1].str(), "--output=json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    for (number, fifo) in fifos.iter().enumerate() {
        // The rows are more than a pipe holds, so the program reads the first FIFO before it opens
        // the second one.
        let rows = (0..20_000).map(|row| format!("t{number}-{row},1000000001\n"));
        let rows: String = rows.collect();
        fs::write(fifo.str(), format!("token,expire_time\n{rows}")).expect("written");
    }
    assert_eq!(finish(child).exits(0).count("unsent"), 40_000);
}

#[test]
fn max_time_ends_the_wait_for_input() {
    let fifo = TempFile::fifo();
    let receiver = Receiver::start();
    for file in [fifo.str(), "-"] {
        let mut args = receiver.push_args();
        args.extend([
            "--max-time=300ms".into(),
            "--output=json".into(),
            file.into(),
        ]);
        let mut child = start_with_open_stdin(args);
        let mut input = child.stdin.take().expect("piped");
        let _ = input.write_all(b"token,expire_time\na,1000000001\nb,");
        let run = finish(child);
        run.exits(4)
            .stderr_contains("--max-time passed before the end of the file")
            .stderr_contains("hint: increase --max-time")
            .counts_add_up();
    }
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn max_time_ends_the_reading_of_files() {
    let file = TempFile::absent("input.csv");
    let receiver = Receiver::start();
    let mut args = receiver.push_args();
    args.extend(["--max-time=50ms".into(), "--output=json".into()]);
    args.extend(slow_input(&file));
    run(args)
        .exits(4)
        .stderr_contains("--max-time passed before the end of the file")
        .stderr_contains("hint: increase --max-time")
        .counts_add_up();
    assert_eq!(receiver.stop().requests, 0);
}

#[test]
fn endless_record_is_rejected_early() {
    let mut child = start_with_open_stdin(["check"]);
    let mut input = child.stdin.take().expect("piped");
    let block = vec![b'a'; 1 << 20];
    let refused = (0..1000).any(|_| input.write_all(&block).is_err());
    assert!(refused, "a gigabyte was read");
    let run = finish(child);
    run.exits(4).stderr_contains("longer than 1 MiB");
}

#[test]
fn standard_input_is_read_from_its_offset() {
    let mut file = tempfile::tempfile().expect("a file");
    let rows: String = (0..200_000).map(|n| format!("t{n},4070908800\n")).collect();
    file.write_all(format!("a line before\ntoken,expire_time\n{rows}").as_bytes())
        .expect("written");
    file.seek(SeekFrom::Start(14)).expect("a place");
    let receiver = Receiver::start();
    let mut args = receiver.push_args();
    args.push("--output=json".into());
    let stdin = file.try_clone().expect("another");
    let output = command(args).stdin(stdin).output().expect("it runs");
    Run::from(output)
        .exits(0)
        .counts_add_up()
        .counts("acknowledged", 200_000);
    // The program shares the position in the file with this test. The program has read the whole
    // file, so nothing is left.
    let mut rest = String::new();
    file.read_to_string(&mut rest).expect("read");
    assert_eq!(rest, "");
}

#[test]
fn changed_file_stops_the_push() {
    let rows = |time: u32| -> String {
        let rows = (0..60_000).map(|number| format!("token-{number:06},{time}\n"));
        format!("token,expire_time\n{}", rows.collect::<String>())
    };
    let path = TempFile::new("a.csv", rows(4_070_908_800));
    let receiver = Receiver::with(["--delay=500ms"]);
    let mut args = receiver.push_args();
    args.extend([
        path.str().to_owned(),
        "--output=json".into(),
        "--batch-records=5000".into(),
    ]);
    let child = command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // The program connects after validation, and each request takes half a second, so the file
    // changes during the push.
    receiver.wait_for_connection();
    fs::write(&path, rows(4_070_908_801)).expect("changed");
    let run = finish(child);
    let acknowledged = run.count("acknowledged");
    assert!(acknowledged < 60_000, "{run:?}");
    let run = run
        .exits(if acknowledged == 0 { 4 } else { 3 })
        .stderr_contains("changed");
    assert_eq!(run.count("unsent"), 60_000 - acknowledged);
    let rows = receiver.stop().rows;
    let rows = String::from_utf8(rows).expect("UTF-8");
    assert!(rows.lines().all(|row| row.ends_with(",4070908800")));
}
