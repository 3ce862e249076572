//! Hints about files: the commands that convert them, descriptors, ledgers and stores.

use std::{fs, path::Path, process::Command};

use rusqlite::Connection;

use super::{Case, command_of, shell};
use crate::support::{
    certificates::{CertificateFolder, Identity, authority, params},
    files::{TempFile, utf8},
    openssl::openssl,
    program::{run, run_with_input},
    receiver::Receiver,
    records::{ONE_RECORD, records},
    reflection_server::{Reflection, ReflectionServer, compile},
};

#[test]
fn archive_is_decompressed_with_the_command_of_the_hint() {
    let file = TempFile::new("licenses.csv", records(10));
    let folder = utf8(file.folder());
    // The length of standard input is unknown, so the whole window would be needed.
    shell(
        "cat licenses.csv | zstd -q --long=31 -o long.zst && rm licenses.csv",
        folder,
    );
    let archive = format!("{folder}/long.zst");
    for (command, name) in [
        ("zstd -d --long=31 long.zst", "long"),
        (
            "zstd -qd --long=31 long.zst -o again && zstd -q again",
            "again.zst",
        ),
    ] {
        let case = Case {
            args: &["check", &archive],
            exit: 4,
            hint: "decompress the archive with zstd -d --long=31, or compress it again without --long",
            act: &|| {
                shell(command, folder);
            },
            ..Case::DEFAULT
        };
        case.check_with(&[], &["check", &format!("{folder}/{name}")]);
    }
}

#[test]
fn request_messages_are_read_as_the_hint_says() {
    let message = r#"{"sensorExpire":[{"deviceToken":"YWJj","expireTime":4070908800}]}"#;
    let both = TempFile::new("both", format!("{message}\n{message}\n"));
    let one = TempFile::new("one", message);
    let other = TempFile::new("other", message);
    let case = Case {
        args: &["check", both.str()],
        exit: 4,
        hint: "write each request message to a file of its own, and pass --input-format protojson",
        add: &format!("--input-format protojson {} {}", one.str(), other.str()),
        remove: &[both.str()],
        ..Case::DEFAULT
    };
    case.check();
}

#[test]
fn descriptors_are_found_as_the_hint_says() {
    let proto = fs::read_to_string("proto/sensor.proto").expect("text");
    let (service, messages) = proto.split_once("\nmessage ").expect("a message");
    let (syntax, service) = service.split_once("\nservice ").expect("a service");
    let messages = format!("{syntax}\nmessage {messages}");
    let messages = TempFile::new("messages.proto", messages);
    let main = format!("{syntax}\nimport \"messages.proto\";\nservice {service}");
    let folder = TempFile::new("main.proto", main);
    let main = folder.str();
    let set = folder.folder().join("set");
    fs::write(
        &set,
        compile(Path::new("proto"), "sensor.proto").encode_to_vec(),
    )
    .expect("written");
    let set = format!("--protoset {}", utf8(&set));
    let editions = TempFile::new("editions.proto", "edition = \"2023\";");
    let importing = "pass the directory of the imports with --import-path, or pass a descriptor set with --protoset";
    for (given, hint, add, remove) in [
        (
            ["--proto", main],
            importing,
            &*format!("--import-path {}", utf8(messages.folder())),
            &[][..],
        ),
        (["--proto", main], importing, &set, &["--proto", main]),
        (
            ["--proto", editions.str()],
            "pass a proto2 or proto3 file with the same messages and field numbers with --proto",
            "--proto proto/sensor.proto",
            &["--proto", editions.str()],
        ),
    ] {
        let case = Case {
            args: &[&["push", "--rehearse"][..], &given].concat(),
            hint,
            add,
            remove,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn descriptor_set_is_written_with_the_command_of_the_hint() {
    let broken = TempFile::new("broken", "not a descriptor set");
    let proto = TempFile::absent("license.proto");
    fs::copy("proto/sensor.proto", &proto.path).expect("copied");
    let folder = utf8(proto.folder());
    let hint = "write a descriptor set with: protoc --include_imports --descriptor_set_out=FILE license.proto";
    let case = Case {
        args: &["push", "--rehearse", "--protoset", broken.str()],
        hint,
        act: &|| {
            shell(command_of(hint), folder);
        },
        ..Case::DEFAULT
    };
    let made = format!("--protoset={folder}/FILE");
    case.check_with(&[], &["push", "--rehearse", &made]);
}

#[test]
fn contract_of_the_server_is_used_as_the_hint_says() {
    let proto = fs::read_to_string("proto/sensor.proto").expect("text");
    let other = proto.replace("int32 code = 1;", "string note = 1; int32 code = 2;");
    let proto = TempFile::new("sensor.proto", other);
    let pool = compile(proto.folder(), "sensor.proto");
    let set = TempFile::new("set", pool.encode_to_vec());
    let server = ReflectionServer::start(pool, Reflection::V1, b"\x0a\x01a");
    let push = [
        "push",
        "--plaintext",
        "--retry=0",
        "--server",
        &server.address,
    ];
    for add in [
        &format!("--proto {}", proto.str()),
        &format!("--protoset {}", set.str()),
        "--reflection",
    ] {
        let case = Case {
            args: &push,
            exit: 77,
            hint: "pass the server's contract with --proto, --protoset or --reflection",
            add,
            ..Case::DEFAULT
        };
        case.check();
    }
}

#[test]
fn keys_are_made_with_the_commands_of_the_hints() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let client = files.issued_by(&ca, &params(Some("cron"), &[]));
    let other = files.issued_by(&ca, &params(Some("other"), &[]));
    let receiver = Receiver::with(["--client-ca", &files.write(ca.pem())]);
    let cacert = receiver.cacert();
    let push = ["push", "--server", &receiver.address, "--cacert", &cacert];
    let folder = tempfile::tempdir().expect("a folder");
    let made = |name: &str| utf8(&folder.path().join(name)).to_owned();
    let act_shell = |command: &str| shell(command, utf8(folder.path()));

    let compare = |cert: &str, key: &str| {
        format!(
            "pass --cert and --key that belong to each other; compare their public keys with: \
             openssl x509 -in {cert} -noout -pubkey; openssl pkey -in {key} -pubout"
        )
    };
    let are_equal = |hint: &str| {
        let (certificate, key) = command_of(hint).split_once("; ").expect("two commands");
        act_shell(certificate) == act_shell(key)
    };
    let hint = compare(&client.cert, &other.key);
    let case = Case {
        args: &[&push[..], &["--cert", &client.cert, "--key", &other.key]].concat(),
        hint: &hint,
        act: &|| {
            assert!(!are_equal(&hint));
            assert!(are_equal(&compare(&client.cert, &client.key)));
        },
        add: &format!("--key {}", client.key),
        remove: &["--key", &other.key],
        ..Case::DEFAULT
    };
    case.check();

    let unsupported = files.path("key");
    openssl(
        [
            "ecparam",
            "-name",
            "secp256k1",
            "-genkey",
            "-noout",
            "-out",
            &unsupported,
        ],
        b"",
    );
    let request = "request a certificate for a new key, created with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem";
    let issuer = Identity {
        cert: files.write(ca.pem()),
        key: files.write(ca.key().serialize_pem()),
    };
    let case = Case {
        args: &[&push[..], &["--cert", &client.cert, "--key", &unsupported]].concat(),
        hint: request,
        act: &|| {
            act_shell(command_of(request));
            let asked = act_shell("openssl req -new -key KEY.pem -subj /CN=cron");
            let extension = "extendedKeyUsage=clientAuth";
            let certificate = files.openssl_sign(&issuer, asked.as_bytes(), "-sha256", extension);
            fs::write(made("CERT.pem"), certificate).expect("written");
        },
        ..Case::DEFAULT
    };
    let pair = ["--cert", &made("CERT.pem"), "--key", &made("KEY.pem")];
    case.check_with(&[], &[&push[..], &pair].concat());
}

#[test]
fn key_of_openssh_is_converted_with_the_command_of_the_hint() {
    let files = CertificateFolder::new();
    let ca = authority(params(Some("Client CA"), &[]));
    let client = files.issued_by(&ca, &params(Some("cron"), &[]));
    let receiver = Receiver::with(["--client-ca", &files.write(ca.pem())]);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = utf8(folder.path());
    // `ssh-keygen -p` writes the key in the format of OpenSSH again.
    let key = format!("{folder}/id_ecdsa");
    shell(
        &format!(
            "cp {} {key} && chmod 600 {key} && ssh-keygen -q -p -N '' -f {key}",
            client.key
        ),
        folder,
    );
    let hint = format!(
        "convert a copy of the key (Ed25519: with OpenSSH 9.6 or later): \
         cp {key} KEY.pem && ssh-keygen -p -m PKCS8 -N '' -f KEY.pem"
    );
    let cacert = receiver.cacert();
    let push = ["push", "--server", &receiver.address, "--cacert", &cacert];
    let push = [&push[..], &["--cert", &client.cert, "--key"]].concat();
    let case = Case {
        args: &[&push[..], &[&key]].concat(),
        hint: &hint,
        act: &|| {
            shell(command_of(&hint), folder);
        },
        ..Case::DEFAULT
    };
    case.check_with(&[], &[&push[..], &[&format!("{folder}/KEY.pem")]].concat());
}

/// `keytool` belongs to Java, and no smaller package has it. Without it, the test ends.
#[test]
fn java_keystore_is_converted_with_the_command_of_the_hint() {
    if Command::new("keytool").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = utf8(folder.path());
    let options = "-storetype JKS -storepass secret -keypass secret";
    shell(
        &format!("keytool -genkeypair -keyalg RSA -alias a -dname CN=x -keystore x {options}"),
        folder,
    );
    let (store, archive) = (format!("{folder}/x"), format!("{folder}/STORE.p12"));
    let keytool = format!(
        "keytool -importkeystore -srckeystore {store} -deststoretype PKCS12 -destkeystore STORE.p12"
    );
    let openssl = format!("openssl pkcs12 -nodes -in {archive} -out BOTH.pem");
    let push = ["push", "--server=localhost:1", "--dry-run", "--cert"];
    for (file, command, options, next, next_exit) in [
        (
            &store,
            &keytool,
            "-srcstorepass secret -deststorepass secret",
            &archive,
            2,
        ),
        (
            &archive,
            &openssl,
            "-passin pass:secret",
            &format!("{folder}/BOTH.pem"),
            0,
        ),
    ] {
        let case = Case {
            args: &[&push[..], &[file]].concat(),
            hint: &format!("convert the file with: {command}"),
            act: &|| {
                shell(&format!("{command} {options}"), folder);
            },
            next_exit,
            ..Case::DEFAULT
        };
        case.check_with(&[], &[&push[..], &[next]].concat());
    }
}

#[test]
fn ledger_and_store_are_used_as_the_hint_says() {
    let receiver = Receiver::with(["--plaintext"]);
    let ledger = TempFile::absent("ledger");
    let push = [
        "push",
        "--server",
        &receiver.address,
        "--plaintext",
        "--ledger",
        ledger.str(),
    ];
    run_with_input(push, ONE_RECORD).exits(0);
    let other = Connection::open(&ledger.path).expect("a database");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let case = Case {
        args: &[&push[..], &["--lock-timeout=0"]].concat(),
        exit: 1,
        hint: "wait until the other process ends, or pass --lock-timeout 5m",
        act: &|| other.execute_batch("ROLLBACK").expect("unlocked"),
        add: "--lock-timeout 5m",
        remove: &["--lock-timeout=0"],
        ..Case::DEFAULT
    };
    case.check();
    let link = ledger.path.with_file_name("link");
    let case = Case {
        args: &push,
        exit: 1,
        hint: "remove the other links, or make them symbolic links",
        act: &|| {
            fs::remove_file(&link).expect("removed");
            ledger.link("link");
        },
        ..Case::DEFAULT
    };
    fs::hard_link(&ledger, &link).expect("linked");
    case.check();
    let elsewhere = Receiver::with(["--plaintext"]);
    let moved = ["push", "--server", &elsewhere.address, "--plaintext"];
    let name = ["--authority", &receiver.address, "--ledger", ledger.str()];
    let case = Case {
        args: &[&moved[..], &name].concat(),
        exit: 0,
        hint: "pass --full if it is another server",
        add: "--full",
        ..Case::DEFAULT
    };
    case.check();
    assert_eq!(elsewhere.stop().tokens, 1);
    let case = Case {
        args: &push,
        exit: 1,
        hint: "move the file away; the next push then sends every record once more",
        act: &|| fs::rename(&ledger, ledger.path.with_file_name("old")).expect("moved"),
        ..Case::DEFAULT
    };
    let content = fs::read(&ledger).expect("read");
    fs::write(&ledger, &content[..content.len() / 2]).expect("written");
    case.check();

    let text = TempFile::new(
        "text",
        "this is no store, but it is longer than the header of a store",
    );
    run(["serve", "--store", text.str()])
        .exits(1)
        .stderr_contains(
            "hint: pass --store FILE with a store, or with a file that does not exist yet\n",
        );
    let store = TempFile::absent("store");
    let receiver = Receiver::with(["--plaintext", "--store", store.str()]);
    receiver.push_input([""; 0], ONE_RECORD).exits(0);
}
