//! The pictures in `docs/`: commands and their real output, in which only values that differ from
//! run to run are replaced.
//!
//! `INSTA_UPDATE=always cargo test` writes the pictures again, together with the snapshots.

use std::{fmt::Write, fs};

use anstyle_svg::Term;
use jiff::Timestamp;

use crate::support::{
    certificates::{CertificateFolder, authority, params},
    files::TempFile,
    markdown::root,
    program::{Run, command, run_command},
    receiver::Receiver,
};

/// Compares the picture of a command and its output with `docs/NAME.svg`.
fn assert_picture(name: &str, command: &str, output: &str) {
    let picture = Term::new().render_svg(&format!("$ {command}\n{}", output.trim_end()));
    let file = root().join(format!("docs/{name}.svg"));
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        fs::write(&file, &picture).expect("written");
    }
    let expected = fs::read_to_string(&file).expect("a picture");
    assert!(expected == picture, "{} is outdated", file.display());
}

/// Runs a command as on a terminal. Returns standard error before standard output, in the order in
/// which the program writes them.
fn output_in_color(line: &str, replacements: &[(&str, &str)], exit_code: i32) -> String {
    let words = line.split_whitespace().skip(1);
    let words = words.map(|word| {
        let replacement = replacements.iter().find(|(shown, _)| *shown == word);
        replacement.map_or(word, |(_, actual)| actual)
    });
    let run: Run = run_command(command(words).args(["--color", "always"])).exits(exit_code);
    run.stderr + &run.stdout
}

#[test]
fn picture_of_check_is_current() {
    let now = Timestamp::now().as_second();
    let mut records = "device_token,expire_time\n".to_owned();
    let groups = [
        (-3, 4),
        (4, 18),
        (20, 64),
        (60, 210),
        (200, 530),
        (500, 374),
    ];
    for (group, (days, count)) in groups.into_iter().enumerate() {
        for number in 0..count {
            let time = now + days * 86_400 + number;
            writeln!(records, "meter-{group}-{number},{time}").expect("a string");
        }
    }
    let input = TempFile::new("licenses.csv", records);
    let line = "sensor-license check licenses.csv";
    let output = output_in_color(line, &[("licenses.csv", input.str())], 0);
    let output = output.lines().map(|line| match line.split_once(" in ") {
        Some((counts, _)) if line.starts_with("ok:") => format!("{counts} in 0.002 s\n"),
        _ if line.starts_with("earliest ") => {
            "earliest expiration 2026-11-25T09:00:00Z, latest 2028-04-11T09:06:13Z\n".to_owned()
        }
        _ => format!("{line}\n"),
    });
    assert_picture("check", line, &output.collect::<String>());
}

#[test]
fn picture_of_probe_is_current() {
    let files = CertificateFolder::new();
    let issuer = authority(params(Some("Example CA"), &[]));
    let ca = files.write(issuer.pem());
    let names = ["license.example.com"];
    let identity = files.issued_by(&issuer, &params(Some(names[0]), &names));
    let receiver = Receiver::presenting(&identity);
    let shown_address = "127.0.0.1:9102";
    let line = "sensor-license probe --server 127.0.0.1:9102 --cacert ca.pem";
    let replacements = [(shown_address, &*receiver.address), ("ca.pem", &*ca)];
    let output = output_in_color(line, &replacements, 6);
    let output = output.replace(&receiver.address, shown_address);
    let output = output
        .lines()
        .map(|line| format!("{}\n", with_fixed_values(line)));
    assert_picture("probe", line, &output.collect::<String>());
}

/// Replaces the elapsed time, the validity and the digest in a line of `probe`.
fn with_fixed_values(line: &str) -> String {
    if let Some((label, _)) = line.split_once("SHA-256  ") {
        return format!("{label}SHA-256  {}", "0123456789abcdef".repeat(4));
    }
    if let Some((label, _)) = line.split_once("valid    ") {
        let validity = "2026-09-01T00:00:00Z to 2027-09-01T00:00:00Z (278 days left)";
        return format!("{label}valid    {validity}");
    }
    let Some((stage, detail)) = line.split_once(" ms  ") else {
        return line.to_owned();
    };
    let (stage, time) = stage.rsplit_once(' ').expect("a time");
    let stage = stage.trim_end();
    assert!(time.parse::<f64>().is_ok(), "{line}");
    let time = if stage.starts_with("TLS") { 4.2 } else { 0.3 };
    format!("{stage:<18}{time:>7} ms  {detail}")
}
