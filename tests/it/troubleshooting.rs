//! The messages in `docs/troubleshooting.md`, which the program must print with these words.

use std::collections::BTreeMap;

use crate::support::{
    certificates::{CertificateFolder, authority, expired, not_yet_valid, params, san},
    files::TempFile,
    markdown::read_document,
    program::{Run, push_to, run_with, run_with_input},
    receiver::Receiver,
    records::ONE_RECORD,
    tcp_server::{ClosedPort, server_answering, silent_server},
};

/// Words of the document that stand for values.
const PLACEHOLDERS: [&str; 8] = [
    "ADDRESS", "DATE", "FILE", "NAME", "NAMES", "N", "TIME", "VALUE",
];

/// A row of the document: a message and its exit code.
type Row = (String, i32);

/// Returns the rows, with the exit code from their second cell or from the heading above.
fn rows(document: &str) -> Vec<Row> {
    let (_, messages) = document.split_once("\n## Messages\n").expect("messages");
    let mut heading_code = None;
    let mut rows = Vec::new();
    for line in messages.lines() {
        if line.starts_with("### ") {
            let code = line.split_once("(exit code ");
            heading_code = code.map(|(_, code)| code.trim_end_matches(')').parse().expect("code"));
        } else if let Some(row) = line.strip_prefix("| `") {
            let (message, cells) = row.split_once("` | ").expect("two cells");
            let (cell, _) = cells.split_once(" |").expect("a cell");
            let code = heading_code.unwrap_or_else(|| cell.parse().expect("a code"));
            rows.push((message.to_owned(), code));
        }
    }
    rows
}

/// Whether the text contains the message, with any text in place of the placeholders.
fn contains(text: &str, message: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric();
    let mut rest = text;
    let mut start = 0;
    let mut literals = Vec::new();
    for (index, word) in message.split(' ').scan(0, |index, word| {
        let start = *index;
        *index += word.len() + 1;
        Some((start, word))
    }) {
        let name = word.trim_matches(|c| !is_letter(c));
        if PLACEHOLDERS.contains(&name) {
            let offset = index + word.find(name).expect("the name");
            literals.push(&message[start..offset]);
            start = offset + name.len();
        }
    }
    literals.push(&message[start..]);
    literals.into_iter().all(|literal| {
        let found = rest.split_once(literal);
        found.is_some_and(|(_, after)| {
            rest = after;
            true
        })
    })
}

fn check(input: impl AsRef<[u8]>) -> Run {
    run_with_input(["check"], input.as_ref())
}

/// Checks a CSV file with one record.
fn check_time(time: &str) -> Run {
    check(format!("token,expire_time\na,{time}\n"))
}

fn push(address: &str, options: &[&str]) -> Run {
    push_to(address, &[&["--retry", "0"], options].concat(), ONE_RECORD)
}

fn input_runs() -> Vec<(&'static str, Run)> {
    vec![
        (
            "cannot open FILE: No such file or directory",
            run_with(&["check", "missing.csv"], &[], b""),
        ),
        (
            "no device token: expected NAMES, found NAMES",
            check("id,expire_time\na,1\n"),
        ),
        (
            "first row looks like a record, not like a header row",
            check("a,4070908800\n"),
        ),
        (
            "expected N columns, found N",
            check("token,expire_time\na,4070908800,b\n"),
        ),
        (
            "quote inside an unquoted field, or text after a closing quote",
            check("token,expire_time\na\"b,4070908800\n"),
        ),
        ("unterminated quote", check("token,expire_time\n\"a,1\n")),
        ("truncated JSON", check("[{\"token\":\"a\"")),
        (
            "expected an array of records, found only the keys NAMES",
            check("{\"data\":{\"items\":[]},\"total\":1}"),
        ),
        (
            "expire_time VALUE is not Unix seconds or an RFC 3339 date",
            check_time("31/12/2099"),
        ),
        (
            "expire_time VALUE is not in the range of Unix seconds",
            check_time("4070908800000"),
        ),
        (
            "expire_time VALUE is before --earliest DATE",
            check_time("20271231"),
        ),
        (
            "expire_time VALUE is not an existing date and time of day",
            check_time("2027-02-30"),
        ),
        (
            "expire_time VALUE has a fraction of a second",
            check_time("2027-02-28T00:00:00.5Z"),
        ),
        (
            "token VALUE has leading or trailing white space",
            check("token,expire_time\n a,4070908800\n"),
        ),
        (
            "token VALUE has a different expiration time at FILE",
            check("token,expire_time\na,4070908800\na,4070908801\n"),
        ),
        ("input is UTF-16 text", check(b"\xff\xfea\0,\0")),
        (
            "input is a zip archive, such as an XLSX or ODS spreadsheet",
            check(b"PK\x03\x04 and more"),
        ),
    ]
}

fn guard_runs() -> Vec<(&'static str, Run)> {
    let ledger = TempFile::absent("ledger");
    let receiver = Receiver::start();
    let push =
        |guard: &str, input: &[u8]| receiver.push_input(["--ledger", ledger.str(), guard], input);
    let known = "token,expire_time\na,4070908800\nb,4070908800\n";
    push("--full", known.as_bytes()).exits(0);
    let earlier = known.replace("4070908800", "4070908700");
    vec![
        (
            "N expiration times in the ledger would change, but --max-changes VALUE allows N",
            push("--max-changes=1", earlier.as_bytes()),
        ),
        (
            "the input lacks N of N tokens in the ledger for this server, but --max-missing VALUE allows N",
            push("--max-missing=0", b"token,expire_time\na,4070908800\n"),
        ),
        (
            "N expiration times earlier than in the ledger (--refuse-shortened)",
            push("--refuse-shortened", earlier.as_bytes()),
        ),
    ]
}

fn local_runs() -> Vec<(&'static str, Run)> {
    vec![(
        "cannot write FILE: No space left on device",
        push(&ClosedPort::new().address, &["--metrics-file", "/dev/full"]),
    )]
}

fn usage_runs() -> Vec<(&'static str, Run)> {
    let files = CertificateFolder::new();
    let [client, other] = [(); 2].map(|()| files.self_signed(&san(&["client"])));
    let config = TempFile::new("config.toml", "serverr = 'localhost:9102'\n");
    let no_pem = TempFile::new("server.crt", "text");
    vec![
        (
            "expected HOST:PORT, found a path",
            push("localhost:9102/path", &[]),
        ),
        (
            "no certificate in FILE: found no PEM block",
            push("localhost:9102", &["--cacert", no_pem.str()]),
        ),
        (
            "cannot open FILE: No such file or directory",
            push("localhost:9102", &["--cacert", "missing.crt"]),
        ),
        (
            "private key in FILE does not belong to the certificate in FILE",
            push(
                "localhost:9102",
                &["--cert", &client.cert, "--key", &other.key],
            ),
        ),
        (
            "unknown key \"NAME\"",
            push("localhost:9102", &["--config", config.str()]),
        ),
    ]
}

fn unreachable_runs() -> Vec<(&'static str, Run)> {
    let proxy = server_answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    vec![
        (
            "DNS lookup of NAME failed",
            push("license.invalid:9102", &[]),
        ),
        (
            "TCP connection failed: ADDRESS: Connection refused",
            push(&ClosedPort::new().address, &[]),
        ),
        (
            "TLS handshake timed out after TIME",
            push(&silent_server(), &["--connect-timeout", "300ms"]),
        ),
        (
            "proxy answered HTTP status 407",
            push("license.test:443", &["--proxy", &proxy]),
        ),
    ]
}

fn tls_runs() -> Vec<(&'static str, Run)> {
    let files = CertificateFolder::new();
    let issuer = authority(params(Some("CA"), &[]));
    let ca = files.write(issuer.pem());
    let local = &["127.0.0.1"];
    let other = files.self_signed(&san(local));
    let push_to_server = |params, cacert: &str| {
        let identity = files.issued_by(&issuer, &params);
        let receiver = Receiver::presenting(&identity);
        push(&receiver.address, &["--cacert", cacert])
    };
    let self_signed = files.self_signed(&san(local));
    let receiver = Receiver::presenting(&self_signed);
    let mutual = Receiver::with(["--client-ca", &other.cert]);
    let common_name = params(Some("localhost"), &[]);
    let by_common_name = Receiver::presenting(&files.issued_by(&issuer, &common_name));
    vec![
        (
            "server does not speak TLS",
            push(&Receiver::with(["--plaintext"]).address, &[]),
        ),
        (
            "server expects TLS",
            push(&receiver.address, &["--plaintext"]),
        ),
        (
            "certificate is self-signed and not the pinned certificate",
            push(&receiver.address, &["--cacert", &other.cert]),
        ),
        (
            "CA certificate NAME is missing",
            push_to_server(san(local), &other.cert),
        ),
        (
            "certificate is not valid for NAME (valid for NAMES)",
            push_to_server(san(&["license.test"]), &ca),
        ),
        (
            "certificate has the common name NAME, but no SAN",
            push(
                &by_common_name.address,
                &["--cacert", &ca, "--servername", "localhost"],
            ),
        ),
        (
            "certificate expired on DATE",
            push_to_server(expired(san(local)), &ca),
        ),
        (
            "certificate is not valid until DATE",
            push_to_server(not_yet_valid(san(local)), &ca),
        ),
        (
            "server requires a client certificate",
            push(&mutual.address, &["--cacert", &mutual.cacert()]),
        ),
    ]
}

fn refused_runs() -> Vec<(&'static str, Run)> {
    let receiver = Receiver::with(["--code", "5"]);
    let cacert = receiver.cacert();
    let to_receiver = |options: &[&str]| {
        push(
            &receiver.address,
            &[&["--cacert", &cacert], options].concat(),
        )
    };
    vec![
        ("ADDRESS answered with response code N", to_receiver(&[])),
        (
            "gRPC call to ADDRESS failed: UNIMPLEMENTED",
            to_receiver(&["--method", "/other.Service/Method"]),
        ),
    ]
}

#[test]
fn messages_are_those_of_the_program() {
    let runs = [
        input_runs(),
        guard_runs(),
        local_runs(),
        usage_runs(),
        unreachable_runs(),
        tls_runs(),
        refused_runs(),
    ];
    let mut runs: BTreeMap<_, _> = runs
        .into_iter()
        .flatten()
        .map(|(message, run)| ((message.to_owned(), run.code), run))
        .collect();
    for row in rows(&read_document("docs/troubleshooting.md")) {
        let run = runs.remove(&row);
        let run = run.unwrap_or_else(|| panic!("no run for {row:?} among {runs:#?}"));
        assert!(contains(&run.stderr, &row.0), "{row:?}: {}", run.stderr);
    }
    assert!(runs.is_empty(), "not in the document: {runs:#?}");
}

#[test]
fn placeholders_match_any_text() {
    for (message, expected) in [
        ("cannot open FILE: No such", true),
        ("NAME open VALUE", true),
        ("open NAME", true),
        ("cannot read FILE", false),
        ("open FILE cannot", false),
    ] {
        let text = "error: cannot open a.csv: No such file";
        assert_eq!(contains(text, message), expected, "{message}");
    }
}
