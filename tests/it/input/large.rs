//! Long records, deep nesting, many blank lines.

use crate::support::{
    files::TempFile,
    program::{run, run_with_input},
};

#[test]
fn records_over_1_mib_are_rejected() {
    let long = "x".repeat(1 << 20);
    for content in [
        format!("token,expire_time\n{long},1000000001\n"),
        format!("token,expire_time\n\"{}", "a,1000000001\n".repeat(600_000)),
        format!("[{{\"token\":\"{long}\",\"expire_time\":1000000001}}]"),
        format!("{{\"token\":\"{long}\",\"expire_time\":1000000001}}\n{{}}"),
        format!("[{}", "[".repeat(2 << 20)),
    ] {
        let path = TempFile::new("input", &content);
        run(["check", path.str()])
            .exits(4)
            .stderr_contains("longer than 1 MiB");
    }
}

#[test]
fn lines_after_a_too_long_record_are_read() {
    let long = "x".repeat(3 << 20);
    let good = "{\"token\":\"a\",\"expire_time\":4070908800}";
    let input = format!("{good}\n{{\"token\":\"{long}\"}}\n{{bad\n{good}");
    let path = TempFile::new("a.ndjson", input);
    run(["check", path.str(), "--output=json"])
        .exits(4)
        .stderr_contains(":2:1: error: record is longer than 1 MiB")
        .stderr_contains(":3:2: error: malformed JSON")
        .counts("read", 4)
        .counts("invalid", 2);

    for end in ["\n", "\r\n"] {
        let input = format!(
            "token,expire_time{end}a,1000000001{end}{long},2{end}b,soon{end}c,1000000003{end}{long}"
        );
        let path = TempFile::new("a.csv", input);
        let run = run(["check", path.str(), "--output=json"])
            .exits(4)
            .stderr_contains(":3: error: record is longer than 1 MiB")
            .stderr_contains(":4: error: ")
            .stderr_contains(":6: error: record is longer than 1 MiB");
        assert_eq!(run.count("read"), 5);
        assert_eq!(run.count("invalid"), 3);
    }
    let path = TempFile::new("a.csv", format!("{long}\na,1000000001\n"));
    run(["check", path.str()])
        .exits(4)
        .stderr_contains("longer than 1 MiB");
    // The program counts the columns even of a first row that is too long, because the next rows
    // must have the same number.
    for length in [(1 << 20) + 1, 3 << 20] {
        let long = "x".repeat(length);
        let path = TempFile::new(
            "a.csv",
            format!("{long},1000000001\na,soon\nb,1000000002\n"),
        );
        let flags = ["check", path.str(), "--no-header"];
        run(flags)
            .exits(4)
            .stderr_contains(":1: error: record is longer than 1 MiB")
            .stderr_contains(":2: error: ")
            .stderr_contains("2 of 3 records invalid");
    }
}

#[test]
fn records_of_1_mib_are_read_at_any_offset() {
    let (start, end) = ("{\"expire_time\":4070908800,\"token\":\"", "\"}");
    let json = format!(
        "{start}{}{end}",
        "x".repeat((1 << 20) - start.len() - end.len())
    );
    let csv = format!("{},4070908800", "x".repeat((1 << 20) - 11));
    for (name, header, record) in [("a.csv", "token,expire_time", csv), ("a.ndjson", "", json)] {
        for before in [1_usize << 18, 2 << 18] {
            // The program reads blocks of 2^18 bytes. With this input, a block ends at or next to
            // the start of the record.
            for before in before - 2..before + 3 {
                let blank = "\r\n".repeat((before - header.len() - 2) / 2);
                let odd = if (before - header.len()) % 2 == 1 {
                    "\n"
                } else {
                    ""
                };
                let input = format!("{header}\r\n{odd}{blank}{record}\r\n");
                let path = TempFile::new(name, input);
                run(["check", path.str()]).exits(0);
            }
        }
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    let path = TempFile::new("deep.json", &deep);
    run(["check", path.str()]).exits(4);
    let inside = format!(r#"[{{"token":"a","expire_time":1000000001,"x":{deep}}}]"#);
    let path = TempFile::new("inside.json", &inside);
    let run = run(["check", path.str()]);
    assert!([0, 4].contains(&run.code), "{run:?}");
}

#[test]
fn millions_of_blank_lines_are_skipped() {
    let blank = "\n".repeat(3 << 20);
    let path = TempFile::new("blank", &blank);
    run(["check", path.str()]).exits(0);
    let path = TempFile::new(
        "late.csv",
        format!("{blank}token,expire_time\n{blank}a,4070908800\n{blank}b,x\n"),
    );
    run(["check", path.str()])
        .exits(4)
        .stderr_contains(&format!(":{}: error:", 3 * (3 << 20) + 3));
}

#[test]
fn truncated_first_line_is_one_record() {
    for first in ["{\"a", "{\"token\":\"a\",\"expire_time\":"] {
        let input = format!("{first}\n{{\"token\":\"abc\",\"expire_time\":1980962440}}\n");
        let run = run_with_input(["check", "--output=json"], input.as_bytes()).exits(4);
        assert_eq!(run.count("read"), 2);
        assert_eq!(run.count("invalid"), 1);
        run.stderr_contains("standard input:1:");
    }
}
