//! Hints that change the content of a file.

use super::Case;
use crate::support::{
    certificates::{CertificateFolder, san},
    files::TempFile,
    records::ONE_RECORD,
};

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    b"\xff\xfe".iter().copied().chain(units).collect()
}

/// Checks an input that `check` refuses with these options, the hint, and the input as the hint says.
fn check_input(flags: &[&str], bad: &[u8], hint: &str, good: &[u8]) {
    let file = TempFile::new("input", bad);
    let case = Case {
        args: &[&["check", file.str()], flags].concat(),
        exit: 4,
        hint,
        act: &|| file.write(good),
        ..Case::DEFAULT
    };
    case.check();
}

fn csv(row: &str) -> Vec<u8> {
    format!("token,expire_time\n{row}").into_bytes()
}

#[test]
fn input_is_accepted_in_the_format_of_the_hint() {
    let good = csv("abc,4070908800\n");
    let rejects = "rejected_token,encoding,expire_time,reason\na,utf8,4070908800,x\n";
    for (bad, hint, good) in [
        (
            utf16("token,expire_time\n"),
            "save the file as UTF-8",
            good.clone(),
        ),
        (
            b"PK\x03\x04sheet".to_vec(),
            "save the sheet as CSV in UTF-8",
            good.clone(),
        ),
        (
            b"BZh91AY&SY".to_vec(),
            "decompress the file first",
            good.clone(),
        ),
        (
            b"%PDF-1.7\n".to_vec(),
            "export the records as CSV or JSON",
            good.clone(),
        ),
        (
            csv(&format!("\"{},4070908800\n", "a".repeat(1 << 20))),
            "look for an unterminated quote or bracket",
            csv(&format!("\"{}\",4070908800\n", "a".repeat(1 << 10))),
        ),
        (
            csv("a,4070908800\rb,4070908800\n"),
            "save the file with LF or CRLF line endings",
            csv("a,4070908800\nb,4070908800\n"),
        ),
        (
            csv("a\"b,4070908800\n"),
            "quote the whole field and double the quotes inside it",
            csv("\"a\"\"b\",4070908800\n"),
        ),
        (
            rejects.replace(',', ";").into_bytes(),
            "push the rejects file as this program wrote it",
            rejects.as_bytes().to_vec(),
        ),
    ] {
        check_input(&[], &bad, hint, &good);
    }
}

#[test]
fn input_is_accepted_with_the_values_of_the_hint() {
    let json =
        |token: &str| format!(r#"[{{"token":{token},"expire_time":4070908800}}]"#).into_bytes();
    for (flags, bad, hint, good) in [
        (
            &[][..],
            json("17"),
            "put the token in quotes",
            json("\"17\""),
        ),
        (
            &[],
            csv("\u{e9},4070908800\n")
                .into_iter()
                .map(|byte| if byte == 0xc3 { 0xe9 } else { byte })
                .collect(),
            "save the file as UTF-8, or write the tokens in hex or base64",
            csv("\u{e9},4070908800\n"),
        ),
        (
            &["--token-encoding=hex"],
            csv("61:62,4070908800\n"),
            "write two hexadecimal digits for each byte, without separators",
            csv("6162,4070908800\n"),
        ),
        (
            &["--token-encoding=base64"],
            csv("YW I=,4070908800\n"),
            "use only base64 characters, without spaces and line breaks",
            csv("YWI=,4070908800\n"),
        ),
        (
            &["--token-encoding=base64"],
            csv("YWI==,4070908800\n"),
            "remove the padding, or pad with \"=\" to a multiple of 4 characters",
            csv("YWI,4070908800\n"),
        ),
        (
            &[],
            csv("a,46000\n"),
            "export dates as YYYY-MM-DD; the number looks like a spreadsheet's date serial",
            csv("a,2099-12-09\n"),
        ),
        (
            &["--timezone=Europe/Berlin"],
            csv("a,2035-03-25T02:30:00\n"),
            "add an offset such as +01:00",
            csv("a,2035-03-25T02:30:00+01:00\n"),
        ),
        (
            &["--timezone=America/Santiago"],
            csv("a,2035-09-02\n"),
            "add a time of day with an offset, such as 00:00:00+01:00",
            csv("a,2035-09-02T00:00:00+01:00\n"),
        ),
    ] {
        check_input(flags, &bad, hint, &good);
    }
}

#[test]
fn local_time_is_accepted_with_an_offset_and_its_format() {
    let file = TempFile::new("input", csv("a,25.03.2035 02:30\n"));
    let case = Case {
        args: &[
            "check",
            file.str(),
            "--timezone=Europe/Berlin",
            "--time-format=%d.%m.%Y %H:%M",
        ],
        exit: 4,
        hint: "add an offset such as +0100, and pass another --time-format with %z",
        act: &|| file.write(csv("a,25.03.2035 02:30 +0100\n")),
        add: "--time-format='%d.%m.%Y %H:%M %z'",
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn file_of_an_option_is_accepted_with_the_content_of_the_hint() {
    let files = CertificateFolder::new();
    let pem = files.self_signed(&san(&["localhost"])).pem();
    let bom = |text: &str| format!("\u{feff}{text}").into_bytes();
    let indented = pem.replace('\n', " ");
    let header = "write a header as 'x-tenant: north'";
    let token = "write only the token into the file, on one line";
    for (option, bad, hint, good) in [
        ("--cacert=", utf16(&pem), "save the file as UTF-8", &*pem),
        (
            "--cacert=",
            bom(&pem),
            "save the file without a byte order mark",
            &pem,
        ),
        (
            "--cacert=",
            indented.into_bytes(),
            "write the file with its original line breaks, and without indentation",
            &pem,
        ),
        (
            "--header=@",
            b"x-tenant\n".to_vec(),
            header,
            "x-tenant: north\n",
        ),
        (
            "--header=@",
            bom("x-tenant: north\n"),
            "save the file without a byte order mark",
            "x-tenant: north\n",
        ),
        (
            "--header=@",
            b"te: x\n".to_vec(),
            "remove this header",
            "\n",
        ),
        (
            "--header=@",
            "x-name: \u{e9}\n".into(),
            "use a header whose name ends in -bin, with the value in base64, if the server reads it",
            "x-name-bin: w6k=\n",
        ),
        (
            "--bearer-token-file=",
            b"Bearer abc\n".to_vec(),
            token,
            "abc\n",
        ),
        (
            "--bearer-token-file=",
            b"abc\ndef\n".to_vec(),
            token,
            "abc\n",
        ),
        (
            "--config=",
            b"profile = 1\n".to_vec(),
            "write [profile.NAME]",
            "[profile.north]\n",
        ),
        (
            "--config=",
            b"tmeout = 1\n".to_vec(),
            "use the key \"timeout\"",
            "timeout = 1\n",
        ),
        (
            "--config=",
            b"nonsense = 1\n".to_vec(),
            "list the options with: sensor-license push --help",
            "timeout = 1\n",
        ),
    ] {
        let file = TempFile::new("file", bad);
        let option = format!("{option}{}", file.str());
        let case = Case {
            args: &["push", "--server=localhost:1", "--dry-run", &option],
            hint,
            act: &|| file.write(good),
            ..Case::DEFAULT
        };
        case.check();
    }
    let config = TempFile::new("config.toml", "timeout = 1\n");
    let case = Case {
        args: &["check", "--config", config.str(), "--profile=north"],
        input: ONE_RECORD,
        hint: &format!("add a table [profile.NAME] to {}", config.str()),
        act: &|| config.write("[profile.north]\n"),
        ..Case::DEFAULT
    };
    case.check();
}
