//! CAs that may issue only for some names (`nameConstraints`).

use std::path::Path;

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};

use super::{Serve, accept, check_all, refuse};

use crate::support::{
    certificates::{CertificateFolder, authority, below, params},
    program::{command, run_command},
    receiver::Receiver,
};

fn dns(name: &str) -> GeneralSubtree {
    GeneralSubtree::DnsName(name.to_owned())
}

fn subnet(prefix: u8) -> GeneralSubtree {
    GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], prefix))
}

/// Parses constraints that are written as in the messages.
fn parse(constraints: &str) -> NameConstraints {
    let (kind, names) = constraints.split_once(' ').expect("a kind");
    let subtrees = names.split(", ").map(|name| match name.split_once(':') {
        Some(("DNS", name)) => dns(name),
        Some(("IP", "127.0.0.0/255.0.0.0")) => subnet(8),
        Some(("IP", "127.0.0.0/255.255.255.255")) => subnet(32),
        _ => panic!("{name}"),
    });
    let subtrees = subtrees.collect();
    let (permitted_subtrees, excluded_subtrees) = match kind {
        "permitted" => (subtrees, Vec::new()),
        _ => (Vec::new(), subtrees),
    };
    NameConstraints {
        permitted_subtrees,
        excluded_subtrees,
    }
}

#[test]
fn common_names_are_within_name_constraints() {
    const SUBNET: &str = "IP:127.0.0.0/255.0.0.0";
    const ADDRESS: &str = "IP:127.0.0.0/255.255.255.255";
    const LOOPBACK: &str = "127.0.0.1";
    let corp = "permitted DNS:corp.test";
    let below_corp = "permitted DNS:.corp.test";
    let corp_or_bank = "permitted DNS:corp.test, DNS:bank.test";
    let files = CertificateFolder::new();
    let root = authority(params(Some("Root"), &[]));
    let root_file = files.write(root.pem());
    let mut cases = Vec::new();
    // Constraints, common name, server name, and whether the CA may issue for the common name.
    for (constraints, common_name, server_name, is_allowed) in [
        (corp, "bank.test", "bank.test", false),
        (corp, "corp.test", "CORP.test", true),
        (corp, "A.CORP.test", "a.corp.test", true),
        (
            "permitted DNS:CORP.TEST",
            "a.corp.test",
            "a.corp.test",
            true,
        ),
        (corp, "*.corp.test", "a.corp.test", true),
        (corp, "acorp.test", "acorp.test", false),
        (corp, "License Server 7", "License Server 7", false),
        (corp, LOOPBACK, LOOPBACK, false),
        (below_corp, "corp.test", "corp.test", false),
        (below_corp, "a.corp.test", "a.corp.test", true),
        (
            "permitted DNS:a.corp.test",
            "*.corp.test",
            "a.corp.test",
            false,
        ),
        (corp_or_bank, "bank.test", "bank.test", true),
        (&format!("{corp}, {SUBNET}"), LOOPBACK, LOOPBACK, true),
        (&format!("permitted {ADDRESS}"), LOOPBACK, LOOPBACK, false),
        (
            &format!("permitted {ADDRESS}"),
            "bank.test",
            "bank.test",
            true,
        ),
        (&format!("excluded {SUBNET}"), LOOPBACK, LOOPBACK, false),
        (&format!("excluded {ADDRESS}"), LOOPBACK, LOOPBACK, true),
        (
            "excluded DNS:bank.test",
            "a.bank.test",
            "a.bank.test",
            false,
        ),
        (
            "excluded DNS:a.bank.test",
            "*.bank.test",
            "a.bank.test",
            false,
        ),
        ("excluded DNS:", "bank.test", "bank.test", false),
        ("excluded DNS:bank.test", "corp.test", "corp.test", true),
    ] {
        let mut constrained = params(Some("Constrained"), &[]);
        constrained.name_constraints = Some(parse(constraints));
        let constrained_root = authority(constrained.clone());
        let intermediate = below(&root, constrained);
        let leaf = params(Some(common_name), &[]);
        let below_root = files.issued_by(&constrained_root, &leaf);
        let below_intermediate = files.issued_by(&intermediate, &leaf);
        let below_intermediate = files.with_chain(&below_intermediate, &[intermediate.pem()]);
        let constrained_file = files.write(constrained_root.pem());
        let named = &["--servername", server_name];
        let allowed = &["--servername", server_name, "--allow-common-name"];
        for (identity, trusted) in [
            (&below_root, &constrained_file),
            (&below_intermediate, &root_file),
        ] {
            let name = &format!("{common_name} of a CA with {constraints}");
            if is_allowed {
                let hint = &["hint: pass --allow-common-name"];
                cases.push(accept(name, Serve, identity, trusted, allowed));
                cases.push(refuse(name, Serve, identity, trusted, named, hint));
                continue;
            }
            let text = format!(
                "CA certificate \"CN=Constrained\" may not issue for the names of the certificate \
                 (nameConstraints: {constraints})"
            );
            let hint = "hint: install a certificate of a CA that may issue for this name";
            for flags in [&named[..], allowed, &["--servername=other.test"]] {
                cases.push(refuse(
                    name,
                    Serve,
                    identity,
                    trusted,
                    flags,
                    &[&text, hint],
                ));
            }
            let pinned = &identity.cert;
            cases.push(accept(name, Serve, identity, pinned, named));
        }
    }
    check_all(&cases);
}

#[test]
fn names_the_ca_whose_constraints_are_violated() {
    let files = CertificateFolder::new();
    let constrained = |name, domain| {
        let mut constrained = params(Some(name), &[]);
        constrained.name_constraints = Some(parse(&format!("permitted DNS:{domain}")));
        constrained
    };
    let root = authority(constrained("Root", "corp.test"));
    let trusted = files.write(root.pem());
    let intermediate = below(&root, constrained("Intermediate", "test"));
    let text = &[
        "CA certificate \"CN=Root\" may not issue for the names of the certificate \
         (nameConstraints: permitted DNS:corp.test)",
        "hint: install a certificate of a CA that may issue for this name",
    ];
    let flags = &["--servername=bank.test", "--allow-common-name"];
    let mut cases = Vec::new();
    for leaf in [
        params(Some("bank.test"), &[]),
        params(Some("a.corp.test"), &["bank.test"]),
        params(None, &["a.corp.test", "bank.test"]),
    ] {
        let leaf = files.issued_by(&intermediate, &leaf);
        let leaf = files.with_chain(&leaf, &[intermediate.pem()]);
        cases.push(refuse("SAN or CN", Serve, &leaf, &trusted, flags, text));
    }
    // A common name does not matter beside a SAN, and an IP address is not a DNS name.
    let leaf = params(Some("bank.test"), &["a.corp.test", "127.0.0.1"]);
    let leaf = files.issued_by(&root, &leaf);
    let inside = &["--servername=a.corp.test"];
    cases.push(accept("CN beside a SAN", Serve, &leaf, &trusted, inside));
    cases.push(accept("IP address in SAN", Serve, &leaf, &trusted, &[]));
    check_all(&cases);
}

#[test]
fn system_store_constrains_common_names() {
    let files = CertificateFolder::new();
    let mut constrained = params(Some("Constrained"), &[]);
    constrained.name_constraints = Some(parse("permitted DNS:corp.test"));
    let root = authority(constrained);
    let store = files.write(root.pem());
    let receiver = Receiver::presenting(&files.issued_by(&root, &params(Some("bank.test"), &[])));
    let mut probe = command(["probe", "-s", &receiver.address, "--allow-common-name"]);
    probe.arg("--servername=bank.test");
    run_command(probe.env("SSL_CERT_FILE", Path::new(&store)))
        .exits(6)
        .stderr_contains("certificate name violates the name constraints of a trusted CA");
}
