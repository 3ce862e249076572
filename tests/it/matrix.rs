//! Which certificates are accepted and which refused, row by row, and what is asked of a server.
//! The shapes of a PEM file are rows of `trust.rs`.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    thread,
};

use crate::support::{
    Pair, Receiver, Run, authority, issuer, params, receiver_with, run_with_input,
    tls::{Hello, TlsServer, openssl, pem},
    write_pair,
};
use data_encoding::BASE64;
use rcgen::{
    CertificateParams, CertifiedIssuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SigningKey,
};
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use serde_json::Value;
use tempfile::TempDir;
use x509_parser::{
    asn1_rs::{Any, FromDer},
    parse_x509_certificate,
};

const RECORD: &[u8] = b"token,expire_time\nabcdefghijkl,4070908800\n";

/// The name that most certificates here are for.
const NAME: &str = "license.internal";
const NAMED: &[&str] = &["--servername=license.internal"];

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// One server and how it is to be judged.
struct Row {
    what: &'static str,
    server: Server,
    presents: Pair,
    /// `--cacert`, unless there is none.
    trusted: Option<PathBuf>,
    flags: &'static [&'static str],
    verdict: Verdict,
}

/// Who presents the certificate.
#[derive(Clone, Copy)]
enum Server {
    /// `serve`.
    Serve,
    /// A server that asks nothing of its certificate, on this version of TLS.
    Lenient(&'static SupportedProtocolVersion),
}

use Server::{Lenient, Serve};

enum Verdict {
    Accept,
    /// Exit 6, with these words.
    Refuse(Vec<&'static str>),
}

fn accept(
    what: &'static str,
    server: Server,
    presents: &Pair,
    trusted: &Path,
    flags: &'static [&'static str],
) -> Row {
    Row {
        what,
        server,
        presents: presents.clone(),
        trusted: Some(trusted.to_owned()),
        flags,
        verdict: Verdict::Accept,
    }
}

fn refuse(
    what: &'static str,
    server: Server,
    presents: &Pair,
    trusted: &Path,
    flags: &'static [&'static str],
    words: &[&'static str],
) -> Row {
    Row {
        verdict: Verdict::Refuse(words.to_vec()),
        ..accept(what, server, presents, trusted, flags)
    }
}

impl Row {
    /// The same server, and no `--cacert`.
    fn untold(self) -> Self {
        Self {
            trusted: None,
            ..self
        }
    }

    fn run(&self, command: &str, address: &str) -> Run {
        let mut args = vec![command, "--output=json", "--server", address];
        if let Some(trusted) = &self.trusted {
            args.extend(["--cacert", trusted.to_str().expect("UTF-8")]);
        }
        args.extend(self.flags);
        run_with_input(args, RECORD)
    }

    fn check(&self) {
        let what = self.what;
        match self.server {
            Serve => {
                let receiver = receiver_with(&self.presents);
                let acknowledged = self.judge(&receiver.address);
                assert_eq!(receiver.stop().records, acknowledged, "{what}");
            }
            Lenient(version) => {
                let server = TlsServer::start(&self.presents, &[version]);
                let acknowledged = self.judge(&server.address);
                assert_eq!(server.answered() as u64, acknowledged, "{what}");
            }
        }
    }

    /// Returns how many records were acknowledged.
    fn judge(&self, address: &str) -> u64 {
        let what = self.what;
        let (exit, words) = match &self.verdict {
            Verdict::Accept => (0, &[][..]),
            Verdict::Refuse(words) => (6, &words[..]),
        };
        let push = self.run("push", address);
        assert_eq!(push.code, exit, "{what}: {push:#?}");
        for word in words {
            let said = push.stderr.contains(word);
            assert!(said, "{what}: no {word:?} in {push:#?}");
        }
        let mut acknowledged = u64::from(exit == 0);
        assert_eq!(push.records()["acknowledged"], acknowledged, "{what}");
        assert_eq!(push.records()["unsent"], 1 - acknowledged, "{what}");
        assert_eq!(push.json()["requests"]["sent"], acknowledged, "{what}");
        if exit == 6 {
            assert_eq!(push.json()["error"]["kind"], "tls", "{what}");
            // A refusal must lead on.
            assert!(push.stderr.contains("hint: "), "{what}: {push:#?}");
        }
        let probe = self.run("probe", address);
        assert_eq!(probe.code, exit, "probe of {what}: {probe:#?}");
        let found = probe.json();
        assert_eq!(found["exit_code"], exit, "{what}");
        // Refused or not, the certificate is shown.
        let sha256 = found["certificate"]["sha256"].as_str();
        assert!(sha256.is_some(), "{what}: {found}");
        Self::push_as_told(what, &found["flags"], &mut acknowledged);
        acknowledged
    }

    /// Pushes with the flags that `probe` names, which must work unless the user has something to
    /// put in.
    fn push_as_told(what: &str, flags: &Value, acknowledged: &mut u64) {
        let flags = flags.as_array().expect("a list").iter();
        let flags: Vec<&str> = flags.map(|flag| flag.as_str().expect("text")).collect();
        if flags.is_empty() || flags.contains(&"PEM") {
            return;
        }
        let push = run_with_input([&["push"], &flags[..]].concat(), RECORD);
        assert_eq!(push.code, 0, "{what} with {flags:?}: {push:#?}");
        *acknowledged += 1;
    }
}

/// Checks rows, several at a time.
fn check(rows: &[Row]) {
    for some in rows.chunks(24) {
        thread::scope(|scope| {
            for row in some {
                scope.spawn(|| row.check());
            }
        });
    }
}

/// A folder for the certificates of one test.
struct Files {
    folder: TempDir,
    count: Cell<u32>,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            count: Cell::new(0),
        }
    }

    fn name(&self) -> String {
        self.count.set(self.count.get() + 1);
        format!("{}", self.count.get())
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{ending}", self.name()))
    }

    fn text(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("pem");
        fs::write(&path, text).expect("written");
        path
    }

    /// Signed by its own new key.
    fn own(&self, params: &CertificateParams) -> Pair {
        crate::support::self_signed(self.folder.path(), &self.name(), params)
    }

    /// Signed by this key, its own.
    fn own_by(&self, params: &CertificateParams, key: &KeyPair) -> Pair {
        let cert = params.self_signed(key).expect("a certificate");
        write_pair(self.folder.path(), &self.name(), &cert.pem(), key)
    }

    /// Issued by an authority.
    fn by(&self, params: &CertificateParams, issuer: &Issuer) -> Pair {
        crate::support::issued(self.folder.path(), &self.name(), params, issuer)
    }

    /// The same with more certificates behind its own.
    fn with_chain(&self, pair: &Pair, chain: &[String]) -> Pair {
        Pair {
            cert: self.text(pem(&pair.cert) + &chain.concat()),
            key: pair.key.clone(),
        }
    }

    /// A self-signed certificate as `openssl req -x509` makes it, with these options.
    fn openssl(&self, options: &[&str]) -> Pair {
        let pair = Pair {
            cert: self.path("crt"),
            key: self.path("key"),
        };
        let args = ["req", "-x509", "-nodes", "-days", "9000", "-subj"];
        let subject = "/CN=license.internal";
        let (cert, key) = (utf8(&pair.cert), utf8(&pair.key));
        let files = [subject, "-out", cert, "-keyout", key];
        openssl(args.iter().chain(&files).chain(options).copied(), b"");
        pair
    }

    /// A certificate that an authority issued with this digest.
    fn openssl_by(&self, params: &CertificateParams, ca: &Pair, digest: &str, ext: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let request = params.serialize_request(&key).expect("a request");
        let request = request.pem().expect("PEM");
        let cert = self.openssl_sign(request.as_bytes(), ca, digest, ext);
        write_pair(self.folder.path(), &self.name(), &cert, &key)
    }

    /// Signs a request.
    fn openssl_sign(&self, request: &[u8], ca: &Pair, digest: &str, ext: &str) -> String {
        let extensions = self.text(ext);
        let args = ["x509", "-req", digest, "-days", "9000", "-set_serial", "7"];
        let files = ["-CA", utf8(&ca.cert), "-CAkey", utf8(&ca.key), "-extfile"];
        let all = args.iter().chain(&files).copied();
        let cert = openssl(all.chain([utf8(&extensions)]), request);
        String::from_utf8(cert).expect("PEM")
    }

    /// A self-signed certificate of X.509 v1.
    fn version_1(&self, params: &CertificateParams, key: &KeyPair) -> Pair {
        let cert = params.self_signed(key).expect("a certificate");
        let text = version_1(cert.der(), key);
        write_pair(self.folder.path(), &self.name(), &text, key)
    }
}

/// The same certificate in X.509 v1, which has no extensions, signed anew; PEM.
fn version_1(der: &[u8], signer: &impl SigningKey) -> String {
    let certificate = elements(der);
    let body = elements(certificate[0]);
    // v1 has no version and no extensions, which are the fields [0] and [3].
    let body = body.iter().filter(|one| ![0xa0, 0xa3].contains(&one[0]));
    let body = sequence(&body.copied().collect::<Vec<_>>());
    let signature = signer.sign(&body).expect("a signature");
    // No bit of it is unused.
    let bits = [&[3][..], &length(signature.len() + 1), &[0], &signature].concat();
    let der = sequence(&[&body[..], certificate[1], &bits]);
    let (_, parsed) = parse_x509_certificate(&der).expect("a certificate");
    assert_eq!(parsed.version(), x509_parser::x509::X509Version::V1);
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64.encode(&der)
    )
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The elements of a DER sequence.
fn elements(der: &[u8]) -> Vec<&[u8]> {
    let (_, sequence) = Any::from_der(der).expect("DER");
    let mut rest = sequence.data;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (after, _) = Any::from_der(rest).expect("DER");
        elements.push(&rest[..rest.len() - after.len()]);
        rest = after;
    }
    elements
}

/// A DER sequence of these.
fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    let content = elements.concat();
    [&[0x30][..], &length(content.len()), &content].concat()
}

/// A length in DER.
fn length(length: usize) -> Vec<u8> {
    match u16::try_from(length).expect("short").to_be_bytes() {
        [0, low @ 0..=127] => vec![low],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    }
}

/// The key of a server that lost the certificate's own.
fn without_its_key(pair: &Pair, other: &Pair) -> Pair {
    Pair {
        cert: pair.cert.clone(),
        key: other.key.clone(),
    }
}

fn san(names: &[&str]) -> CertificateParams {
    params(Some("unused"), names)
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = rcgen::date_time_ymd(2020, 5, 17);
    params
}

fn future(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2090, 5, 17);
    params
}

const EXPIRED: &[&str] = &[
    "it expired: valid from 2001-01-01T00:00:00Z to 2020-05-17T00:00:00Z",
    "hint: the server needs a new certificate",
];
const FUTURE: &[&str] = &[
    "not valid yet: valid from 2090-05-17T00:00:00Z to 2098-01-01T00:00:00Z",
    "hint: check this machine's clock",
];

#[test]
fn a_pinned_certificate() {
    let files = Files::new();
    let mut rows = Vec::new();
    for (what, params) in [
        ("self-signed, CA:TRUE, SAN", authority(san(&[NAME]))),
        (
            "self-signed, CA:TRUE, CN only",
            authority(params(Some(NAME), &[])),
        ),
        ("self-signed, CA:FALSE, SAN", san(&[NAME])),
        ("self-signed, CA:FALSE, CN only", params(Some(NAME), &[])),
    ] {
        let pair = files.own(&params);
        let others = files.text(pem(&files.own(&params).cert) + &pem(&pair.cert));
        let beside = files.with_chain(&pair, &[pem(&files.own(&params).cert)]);
        let impostor = files.own(&params);
        let stolen = without_its_key(&pair, &impostor);
        rows.extend([
            accept(what, Serve, &pair, &pair.cert, NAMED),
            accept(what, Lenient(&TLS13), &pair, &pair.cert, NAMED),
            accept(what, Lenient(&TLS12), &pair, &pair.cert, NAMED),
            accept(what, Serve, &pair, &others, NAMED),
            accept(what, Serve, &beside, &pair.cert, NAMED),
            refuse(what, Serve, &impostor, &pair.cert, NAMED, &["--cacert"]),
        ]);
        for version in [&TLS12, &TLS13] {
            let words = &["does not hold the key of its certificate"];
            let server = Lenient(version);
            rows.push(refuse(what, server, &stolen, &pair.cert, NAMED, words));
        }
        let wrong = &["--servername=wrong.test"];
        let words = &["not for wrong.test, but for license.internal"];
        rows.push(refuse(what, Serve, &pair, &pair.cert, wrong, words));
        let words = &["not for 127.0.0.1", "hint: --servername license.internal"];
        rows.push(refuse(what, Serve, &pair, &pair.cert, &[], words));
        let pair = files.own(&expired(params.clone()));
        rows.push(refuse(what, Serve, &pair, &pair.cert, NAMED, EXPIRED));
        let pair = files.own(&future(params));
        rows.push(refuse(what, Serve, &pair, &pair.cert, NAMED, FUTURE));
    }
    check(&rows);
}

#[test]
fn a_certificate_that_an_authority_issued() {
    let files = Files::new();
    let ca = issuer(params(Some("Test CA"), &[]));
    let ca_file = files.text(ca.pem());
    let trusted = &ca_file;
    let good = files.by(&san(&[NAME, "other.test"]), &ca);
    let named_only = files.by(&params(Some(NAME), &[]), &ca);
    let outdated = files.by(&expired(san(&[NAME])), &ca);
    let early = files.by(&future(san(&[NAME])), &ca);
    let stolen = without_its_key(&good, &files.own(&san(&[NAME])));
    // A server's own certificate that can sign others, as `openssl req -x509` makes them.
    let server = issuer(params(Some(NAME), &[]));
    let below = files.by(&san(&[NAME]), &server);
    let pinned = files.text(server.pem());

    let allowed = &["--servername=license.internal", "--allow-common-name"];
    let other = &["--servername=wrong.test"];
    let other_allowed = &["--servername=wrong.test", "--allow-common-name"];
    let hint = &["no subject alternative name", "hint: --allow-common-name"];
    let lacks = &["does not hold the key of its certificate"];
    let two_names = &[
        "not for wrong.test, but for license.internal, other.test",
        "hint: --servername license.internal",
    ];
    let one_name = &["not for wrong.test", "hint: --servername license.internal"];
    let address = &["not for 127.0.0.1", "hint: --servername license.internal"];

    let what = "CA → leaf, SAN";
    let by_name = "CA → leaf, CN only";
    let issued = "leaf issued by the pinned certificate";
    check(&[
        accept(what, Serve, &good, trusted, NAMED),
        accept(what, Lenient(&TLS12), &good, trusted, NAMED),
        accept(issued, Serve, &below, &pinned, NAMED),
        refuse(by_name, Serve, &named_only, trusted, NAMED, hint),
        accept(by_name, Serve, &named_only, trusted, allowed),
        accept(by_name, Lenient(&TLS12), &named_only, trusted, allowed),
        refuse(
            by_name,
            Serve,
            &named_only,
            trusted,
            other_allowed,
            one_name,
        ),
        refuse("expired", Serve, &outdated, trusted, NAMED, EXPIRED),
        refuse("not yet valid", Serve, &early, trusted, NAMED, FUTURE),
        refuse("wrong name", Serve, &good, trusted, other, two_names),
        refuse("wrong name", Serve, &good, trusted, &[], address),
        refuse(what, Lenient(&TLS13), &stolen, trusted, NAMED, lacks),
        refuse(what, Lenient(&TLS12), &stolen, trusted, NAMED, lacks),
    ]);
}

#[test]
fn an_authority_that_is_not_the_one() {
    let files = Files::new();
    let ca = issuer(params(Some("Test CA"), &[]));
    let trusted = files.text(ca.pem());
    let namesake = files.text(issuer(params(Some("Test CA"), &[])).pem());
    let stranger = files.text(issuer(params(Some("Other CA"), &[])).pem());
    let good = files.by(&san(&[NAME]), &ca);
    let own = files.own(&san(&[NAME]));
    let old = issuer(expired(params(Some("Old CA"), &[])));
    let below_old = files.by(&san(&[NAME]), &old);
    let old = files.text(old.pem());

    let another_key = &["same name, another key", "hint: --cacert"];
    let missing = &["CN=Test CA is missing", "hint: --cacert"];
    let another = &["self-signed, and another one than the certificate given"];
    let dates = &["its authority CN=Old CA is valid only from 2001-01-01T00:00:00Z to 2020-05-17"];
    let expired = "expired CA in --cacert";
    check(&[
        refuse("an impostor", Serve, &good, &namesake, NAMED, another_key),
        refuse("a stranger", Serve, &good, &stranger, NAMED, missing),
        refuse("the system's", Serve, &good, &trusted, NAMED, missing).untold(),
        refuse("self-signed", Serve, &own, &trusted, NAMED, another),
        refuse(expired, Serve, &below_old, &old, NAMED, dates),
    ]);
}

#[test]
fn an_address_as_the_name() {
    let files = Files::new();
    let ca = issuer(params(Some("Test CA"), &[]));
    let trusted = files.text(ca.pem());
    let both = &["127.0.0.1", "::1"];
    let issued = files.by(&san(both), &ca);
    let pinned = files.own(&authority(san(both)));
    let common = files.own(&authority(params(Some("127.0.0.1"), &[])));
    let text = files.by(&params(Some("127.0.0.1"), &[NAME]), &ca);
    let six = &["--servername=::1"];
    let other = &["--servername=127.0.0.2"];
    let what = "IP address in SAN";
    check(&[
        accept(what, Serve, &issued, &trusted, &[]),
        accept(what, Lenient(&TLS12), &issued, &trusted, &[]),
        accept(what, Serve, &issued, &trusted, six),
        accept(what, Serve, &pinned, &pinned.cert, &[]),
        accept(what, Serve, &pinned, &pinned.cert, six),
        accept("CN = IP, pinned", Serve, &common, &common.cert, &[]),
        refuse(
            what,
            Serve,
            &issued,
            &trusted,
            other,
            &["not for 127.0.0.2", "hint: --servername 127.0.0.1"],
        ),
        refuse(
            what,
            Serve,
            &pinned,
            &pinned.cert,
            other,
            &["not for 127.0.0.2", "hint: --servername 127.0.0.1"],
        ),
        refuse(
            "CN = IP, pinned, another address",
            Serve,
            &common,
            &common.cert,
            other,
            &["not for 127.0.0.2", "hint: --servername 127.0.0.1"],
        ),
        refuse(
            "CN = IP beside a SAN",
            Serve,
            &text,
            &trusted,
            &["--allow-common-name"],
            &["not for 127.0.0.1", "hint: --servername license.internal"],
        ),
    ]);
}

#[test]
fn a_chain_with_an_intermediate() {
    let files = Files::new();
    let root = issuer(params(Some("Root"), &[]));
    let between = |params: CertificateParams| {
        let key = KeyPair::generate().expect("a key");
        CertifiedIssuer::signed_by(authority(params), key, &root).expect("an authority")
    };
    let intermediate = between(params(Some("Intermediate"), &[]));
    let old = between(expired(params(Some("Intermediate"), &[])));
    let trusted = files.text(root.pem());
    let stranger = files.text(issuer(params(Some("Other CA"), &[])).pem());
    let leaf = files.by(&san(&[NAME]), &intermediate);
    let whole = files.with_chain(&leaf, &[intermediate.pem()]);
    let with_root = files.with_chain(&leaf, &[root.pem(), intermediate.pem()]);
    let outdated = files.by(&san(&[NAME]), &old);
    let outdated = files.with_chain(&outdated, &[old.pem()]);
    let only_intermediate = files.text(intermediate.pem());
    let both = files.text(root.pem() + &intermediate.pem());
    let looping = files.with_chain(&leaf, &[pem(&leaf.cert), pem(&leaf.cert)]);
    check(&[
        refuse(
            "missing intermediate",
            Serve,
            &leaf,
            &trusted,
            NAMED,
            &[
                "the certificate of CN=Intermediate is missing",
                "hint: --cacert with the certificate of CN=Intermediate, or let the server send it",
            ],
        ),
        refuse(
            "missing intermediate, TLS 1.2",
            Lenient(&TLS12),
            &leaf,
            &trusted,
            NAMED,
            &["the certificate of CN=Intermediate is missing"],
        ),
        refuse(
            "missing intermediate, the leaf in its place",
            Serve,
            &looping,
            &trusted,
            NAMED,
            &["the certificate of CN=Intermediate is missing"],
        ),
        accept("intermediate sent", Serve, &whole, &trusted, NAMED),
        accept("intermediate given", Serve, &leaf, &both, NAMED),
        accept(
            "intermediate alone given",
            Serve,
            &leaf,
            &only_intermediate,
            NAMED,
        ),
        accept(
            "out of order, with the root",
            Serve,
            &with_root,
            &trusted,
            NAMED,
        ),
        refuse(
            "intermediate sent, its root unknown",
            Serve,
            &whole,
            &stranger,
            NAMED,
            &["the certificate of CN=Root is missing"],
        ),
        refuse(
            "expired intermediate",
            Serve,
            &outdated,
            &trusted,
            NAMED,
            &[
                "its authority CN=Intermediate is valid only from 2001-01-01T00:00:00Z to \
                 2020-05-17T00:00:00Z",
            ],
        ),
    ]);
}

#[test]
fn a_certificate_of_version_1() {
    let files = Files::new();
    let named = params(Some(NAME), &[]);
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let mut rows = Vec::new();
    for (what, key) in [
        ("X.509 v1, self-signed", KeyPair::generate().expect("a key")),
        ("X.509 v1, self-signed, RSA", rsa),
    ] {
        let pair = files.version_1(&named, &key);
        let trusted = &pair.cert;
        let impostor = files.version_1(&named, &KeyPair::generate().expect("a key"));
        let stolen = without_its_key(&pair, &impostor);
        let outdated = files.version_1(&expired(named.clone()), &key);
        let tls12 = &[
            "X.509 version 1, and the server speaks TLS 1.2",
            "hint: the server needs TLS 1.3",
        ];
        let lacks = &["does not hold the key of its certificate"];
        let another = &["another one than the certificate given"];
        let wrong = &["not for 127.0.0.1", "hint: --servername license.internal"];
        let server = Lenient(&TLS13);
        rows.extend([
            accept(what, server, &pair, trusted, NAMED),
            refuse(what, server, &stolen, trusted, NAMED, lacks),
            refuse(what, server, &impostor, trusted, NAMED, another),
            refuse(what, server, &pair, trusted, &[], wrong),
            refuse(what, server, &outdated, &outdated.cert, NAMED, EXPIRED),
            accept(what, server, &pair, trusted, &["-k"]).untold(),
            refuse(what, server, &stolen, trusted, &["-k"], lacks).untold(),
            refuse(what, Lenient(&TLS12), &pair, trusted, NAMED, tls12),
        ]);
    }
    let ca = issuer(params(Some("Test CA"), &[]));
    let trusted = files.text(ca.pem());
    let key = KeyPair::generate().expect("a key");
    let leaf = named.signed_by(&key, &ca).expect("a certificate");
    let leaf = Pair {
        cert: files.text(version_1(leaf.der(), ca.key())),
        key: files.text(key.serialize_pem()),
    };
    let old_root = files.text(version_1(ca.der(), ca.key()));
    let words = &[
        "X.509 version 1, which serves TLS only where it is itself trusted",
        "hint: --cacert with this very certificate",
    ];
    let server = Lenient(&TLS13);
    rows.extend([
        refuse("X.509 v1, issued", server, &leaf, &trusted, NAMED, words),
        accept("X.509 v1, issued, pinned", server, &leaf, &leaf.cert, NAMED),
        accept(
            "X.509 v1 authority",
            Serve,
            &files.by(&san(&[NAME]), &ca),
            &old_root,
            NAMED,
        ),
    ]);
    check(&rows);
}

#[test]
fn kinds_of_keys() {
    let files = Files::new();
    let named = authority(params(Some(NAME), &[]));
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
    let mut rows = Vec::new();
    for (what, key) in [
        ("P-521 key", KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)),
        ("P-384 key", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        ("Ed25519 key", KeyPair::generate_for(&PKCS_ED25519)),
        ("RSA-2048 key", Ok(rsa)),
    ] {
        let pair = files.own_by(&named, &key.expect("a key"));
        rows.push(accept(what, Serve, &pair, &pair.cert, NAMED));
        rows.push(accept(what, Lenient(&TLS12), &pair, &pair.cert, NAMED));
    }
    let ca = CertifiedIssuer::self_signed(authority(params(Some("P-521 CA"), &[])), p521);
    let ca = ca.expect("an authority");
    let leaf = files.by(&san(&[NAME]), &ca);
    let trusted = files.text(ca.pem());
    rows.push(accept("P-521 authority", Serve, &leaf, &trusted, NAMED));
    check(&rows);
}

#[test]
fn keys_and_digests_that_are_too_weak() {
    let files = Files::new();
    let small = files.openssl(&["-newkey", "rsa:1024"]);
    let small_key = &[
        "its RSA key has 1024 bits, which can be broken",
        "hint: the server needs a certificate with an ECDSA P-256 key, or RSA of 2048 bits or more",
    ];
    let forged = &[
        "it is signed over SHA-1 or MD5, which can be forged",
        "hint: the server needs a certificate signed over SHA-256 or better",
    ];
    let for_name = "subjectAltName=DNS:license.internal\n";
    let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ca_ec = files.openssl(&elliptic);
    let ca_rsa = files.openssl(&["-newkey", "rsa:2048"]);
    let named = san(&[NAME]);
    let request = openssl(["req", "-new", "-subj", "/", "-key", utf8(&small.key)], b"");
    let small_issued = Pair {
        cert: files.text(files.openssl_sign(&request, &ca_ec, "-sha256", for_name)),
        key: small.key.clone(),
    };
    let sha1_ec = files.openssl_by(&named, &ca_ec, "-sha1", for_name);
    let sha1_rsa = files.openssl_by(&named, &ca_rsa, "-sha1", for_name);
    let own_ec = files.openssl(&[&elliptic[..], &["-sha1"]].concat());
    let own_rsa = files.openssl(&["-newkey", "rsa:2048", "-sha1"]);
    let below_own = files.openssl_by(&named, &own_ec, "-sha256", for_name);
    let pinned_sha1 = "SHA-1 self-signature on a pinned certificate";
    let mut rows = Vec::new();
    for version in [&TLS12, &TLS13] {
        let server = Lenient(version);
        rows.extend([
            refuse(
                "RSA-1024, pinned",
                server,
                &small,
                &small.cert,
                NAMED,
                small_key,
            ),
            refuse(
                "RSA-1024, issued",
                server,
                &small_issued,
                &ca_ec.cert,
                NAMED,
                small_key,
            ),
            refuse(
                "RSA-1024, -k",
                server,
                &small,
                &ca_ec.cert,
                &["-k"],
                small_key,
            )
            .untold(),
            refuse("SHA-1 leaf", server, &sha1_ec, &ca_ec.cert, NAMED, forged),
            refuse(
                "SHA-1 leaf, RSA",
                server,
                &sha1_rsa,
                &ca_rsa.cert,
                NAMED,
                forged,
            ),
            accept(pinned_sha1, server, &own_ec, &own_ec.cert, NAMED),
            accept(pinned_sha1, server, &own_rsa, &own_rsa.cert, NAMED),
            // Itself given, it is as good as any other pinned certificate.
            accept("SHA-1 leaf, pinned", server, &sha1_ec, &sha1_ec.cert, NAMED),
            accept("SHA-1 leaf, -k", server, &sha1_ec, &ca_ec.cert, &["-k"]).untold(),
        ]);
    }
    rows.push(accept(pinned_sha1, Serve, &own_ec, &own_ec.cert, NAMED));
    let what = "an authority whose own signature is over SHA-1";
    rows.push(accept(what, Serve, &below_own, &own_ec.cert, NAMED));
    check(&rows);
}

#[test]
fn weakness_further_up_is_told_too() {
    let files = Files::new();
    let small_ca = files.openssl(&["-newkey", "rsa:1024"]);
    let for_name = "subjectAltName=DNS:license.internal\n";
    let below_small = files.openssl_by(&san(&[NAME]), &small_ca, "-sha256", for_name);
    let root = files.openssl(&["-newkey", "rsa:2048"]);
    let params = params(Some("Intermediate"), &[]);
    let between = files.openssl_by(&params, &root, "-sha1", "basicConstraints=CA:TRUE\n");
    let leaf = files.openssl_by(&san(&[NAME]), &between, "-sha256", for_name);
    let leaf = files.with_chain(&leaf, &[pem(&between.cert)]);
    check(&[
        refuse(
            "issued by an RSA-1024 authority",
            Serve,
            &below_small,
            &small_ca.cert,
            NAMED,
            &["its authority CN=license.internal has an RSA key of 1024 bits"],
        ),
        refuse(
            "SHA-1 intermediate",
            Serve,
            &leaf,
            &root.cert,
            NAMED,
            &["its authority CN=Intermediate is signed over SHA-1"],
        ),
    ]);
}

#[test]
fn without_verification_the_key_is_still_proved() {
    let files = Files::new();
    let ca = issuer(params(Some("Test CA"), &[]));
    let other = files.own(&san(&[NAME]));
    let mut rows = Vec::new();
    for (what, pair) in [
        ("expired", files.own(&expired(san(&[NAME])))),
        ("not yet valid", files.own(&future(san(&[NAME])))),
        ("wrong name", files.own(&authority(params(Some("x"), &[])))),
        ("unknown issuer", files.by(&san(&[NAME]), &ca)),
    ] {
        let stolen = without_its_key(&pair, &other);
        for version in [&TLS12, &TLS13] {
            let server = Lenient(version);
            let words = &["does not hold the key of its certificate"];
            rows.extend([
                accept(what, server, &pair, &other.cert, &["-k"]),
                accept(what, server, &pair, &other.cert, &["--insecure"]).untold(),
                refuse(what, server, &stolen, &other.cert, &["-k"], words),
            ]);
        }
    }
    check(&rows);
}

#[test]
fn what_is_asked_of_a_server() {
    let files = Files::new();
    let names = &[NAME, "localhost", "127.0.0.1", "under_score.internal"];
    let pair = files.own(&san(names));
    let spaces = files.own(&params(Some("Licence Server 7"), &[]));
    // Host, flags, SNI (RFC 6066: no address, no final dot) and `:authority` less the port.
    for (host, flags, sni, authority) in [
        ("127.0.0.1", &[][..], None, "127.0.0.1:PORT"),
        ("localhost", &[], Some("localhost"), "localhost:PORT"),
        ("127.0.0.1", NAMED, Some(NAME), NAME),
        ("localhost", NAMED, Some(NAME), NAME),
        (
            "127.0.0.1",
            &["--ssl-target-name-override=license.internal"],
            Some(NAME),
            NAME,
        ),
        (
            "127.0.0.1",
            &["--servername=license.internal."],
            Some(NAME),
            "license.internal.",
        ),
        (
            "localhost",
            &["--servername=under_score.internal"],
            Some("under_score.internal"),
            "under_score.internal",
        ),
        ("localhost", &["--servername=127.0.0.1"], None, "127.0.0.1"),
        (
            "127.0.0.1",
            &["--authority=other.test:1"],
            None,
            "other.test:1",
        ),
        (
            "localhost",
            &["--authority=other.test"],
            Some("localhost"),
            "other.test",
        ),
        (
            "127.0.0.1",
            &["--servername=license.internal", "--authority=other.test"],
            Some(NAME),
            "other.test",
        ),
        (
            "localhost",
            &["--servername=Licence Server 7"],
            None,
            "localhost:PORT",
        ),
        (
            "localhost",
            &["--servername=Licence Server 7", "--authority=other.test"],
            None,
            "other.test",
        ),
        ("127.0.0.1", &["-k"], None, "127.0.0.1:PORT"),
        (
            "127.0.0.1",
            &["-k", "--servername=anything.test"],
            Some("anything.test"),
            "anything.test",
        ),
    ] {
        let presents = if flags.iter().any(|flag| flag.contains("Licence")) {
            &spaces
        } else {
            &pair
        };
        let server = TlsServer::start(presents, &[&TLS12, &TLS13]);
        let port = server.address.rsplit_once(':').expect("a port").1;
        let address = format!("{host}:{port}");
        let cacert = utf8(&presents.cert);
        let connection = ["--server", &address, "--cacert", cacert, "--output=json"];
        let hello = Hello {
            server_name: sni.map(ToOwned::to_owned),
            protocols: vec!["h2".to_owned()],
        };
        run_with_input([&["push"], &connection[..], flags].concat(), RECORD).exits(0);
        assert_eq!(server.hello(), hello, "{host} {flags:?}");
        let request = server.request();
        let found = request.uri.authority().expect("an authority").as_str();
        let wanted = authority.replace("PORT", port);
        assert_eq!(found, wanted, "{host} {flags:?}");
        assert_eq!(request.uri.scheme_str(), Some("https"));
        run_with_input([&["probe"], &connection[..], flags].concat(), b"").exits(0);
        assert_eq!(server.hello(), hello, "probe of {host} {flags:?}");
        // It sends no message, which alone would be answered.
        assert_eq!(server.answered(), 0, "{host} {flags:?}");
    }
}

#[test]
fn a_name_without_a_server() {
    // Under `unix:` there is no host to verify but localhost.
    let files = Files::new();
    let pair = files.own(&san(&["localhost"]));
    let socket = files.path("sock");
    let listen = format!("unix:{}", utf8(&socket));
    let (cert, key) = (utf8(&pair.cert), utf8(&pair.key));
    let receiver = Receiver::with(["--listen", &listen, "--cert", cert, "--key", key]);
    let connection = ["--server", &listen, "--cacert", cert];
    run_with_input([&["push"], &connection[..]].concat(), RECORD).exits(0);
    let elsewhere = [&["push"], &connection[..], NAMED].concat();
    run_with_input(elsewhere, RECORD)
        .exits(6)
        .says("not for license.internal")
        .says("hint: --servername localhost");
    assert_eq!(receiver.stop().records, 1);
}
