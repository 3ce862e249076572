//! `--plaintext`, and servers that expect TLS instead of plaintext or plaintext instead of TLS.

use super::push;

use crate::support::receiver::Receiver;

#[test]
fn plaintext_conflicts_with_tls_options() {
    let receiver = Receiver::with(["--plaintext"]);
    push(&receiver, &["--plaintext"]).exits(0);
    push(&receiver, &["--plaintext", "--servername=anything"]).exits(0);
    for flags in [&["--cacert=x"][..], &["-k"], &["--cert=x", "--key=y"]] {
        push(&receiver, &[&["--plaintext"], flags].concat()).exits(2);
    }
    push(&receiver, &["--cert=x"]).exits(2);
    assert_eq!(receiver.stop().requests, 2);
}

#[test]
fn hints_at_plaintext_or_tls() {
    push(&Receiver::with(["--plaintext"]), &["-k"])
        .exits(6)
        .stderr_contains("does not speak TLS")
        .stderr_contains("hint: pass --plaintext");
    push(&Receiver::start(), &["--plaintext"])
        .exits(6)
        .stderr_contains("server expects TLS")
        .stderr_contains("hint: remove --plaintext");
}
