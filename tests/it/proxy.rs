//! Servers behind HTTP proxies.

use std::time::{Duration, Instant};

use crate::support::{
    files::TempFile,
    program::{Run, command, run_command},
    receiver::Receiver,
    records::ONE_RECORD,
    tcp_server::{http_proxy, server_answering, server_sending, silent_server},
};

/// Pushes one record with environment variables.
fn push(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let input = TempFile::new("a.csv", ONE_RECORD);
    let mut command = command(["push", input.str()]);
    command.args(args).envs(variables.iter().copied());
    run_command(&mut command)
}

#[test]
fn proxy_gets_the_server_name() {
    let receiver = Receiver::start();
    let cacert = receiver.cacert();
    let (proxy, requests) = http_proxy(&receiver.address);
    let with_password = format!("http://user:p%40ss@{proxy}");
    let plain = format!("http://{proxy}");
    let to = "--server=license.test:443";
    let common = ["--cacert", &cacert, "--servername=localhost"];
    for (args, variables) in [
        (vec!["--proxy", &plain, to], vec![]),
        (vec!["--proxy", &proxy, to], vec![]),
        (vec![to], vec![("HTTPS_PROXY", plain.as_str())]),
        (vec![to], vec![("https_proxy", &*proxy)]),
        (vec![to], vec![("ALL_PROXY", &*plain)]),
        (vec![to], vec![("all_proxy", &*plain), ("HTTPS_PROXY", "")]),
        // --proxy overrides the environment.
        (
            vec!["--proxy", &plain, to],
            vec![("HTTPS_PROXY", "localhost:1"), ("NO_PROXY", "other.test")],
        ),
    ] {
        push(&[&args, &common[..]].concat(), &variables).exits(0);
        let request = requests.recv().expect("a request");
        assert_eq!(request[0], "CONNECT license.test:443 HTTP/1.1");
        let text = request.join("\n").to_lowercase();
        assert!(text.contains("\nhost: license.test:443"), "{text}");
        assert!(!text.contains("authorization"), "{text}");
    }
    let args = [&["--proxy", &with_password, to], &common[..]].concat();
    push(&args, &[]).exits(0);
    let request = requests.recv().expect("a request").join("\n");
    assert!(
        request
            .to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwqhnz"),
        "{request}"
    );
    assert_eq!(receiver.stop().requests, 8);
}

#[test]
fn no_proxy_hosts_are_connected_directly() {
    let receiver = Receiver::start();
    let cacert = receiver.cacert();
    let (_, port) = receiver.address.rsplit_once(':').expect("a port");
    let trust = ["--cacert", &cacert];
    let nowhere = "http://127.0.0.1:1";
    for host in ["localhost", "127.0.0.1"] {
        let server = format!("--server={host}:{port}");
        let to = [&trust[..], &[&server]].concat();
        push(&to, &[("HTTPS_PROXY", nowhere), ("all_proxy", nowhere)]).exits(0);
        push(
            &[&to[..], &["--proxy", nowhere]].concat(),
            &[("NO_PROXY", "127.0.0.0/8, localhost")],
        )
        .exits(0);
        // `--proxy` applies even to local servers.
        push(&[&to[..], &["--proxy", nowhere, "--retry=0"]].concat(), &[])
            .exits(5)
            .stderr_contains("through proxy \"127.0.0.1:1\"")
            .stderr_contains("Connection refused");
    }
    assert_eq!(receiver.stop().requests, 4);
}

#[test]
fn proxy_errors_are_quoted() {
    const NO_PROXY: &str = "check the proxy's address: it must be an HTTP proxy";
    const UNREACHED: &str = "check that the proxy can reach the server";
    for (answer, text, hint) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 407",
            "pass other credentials",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 403 Forbidden",
            "ask the proxy's operator to allow the server",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 400",
            NO_PROXY,
        ),
        (
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 405",
            NO_PROXY,
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 429",
            "run the command again later",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 502",
            UNREACHED,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 503",
            UNREACHED,
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
            "HTTP status 504",
            UNREACHED,
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            "proxy answered HTTP status 204 No Content",
            NO_PROXY,
        ),
        ("", "proxy closed the connection", NO_PROXY),
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP", NO_PROXY),
    ] {
        let proxy = server_answering(answer.as_bytes());
        for password in ["s3cret", "a@s3cret"] {
            let url = format!("http://user:{password}@{proxy}");
            let flags = ["-s", "license.test:443", "--proxy", &url, "-k", "--retry=0"];
            let run = push(&flags, &[])
                .exits(5)
                .stderr_contains(text)
                .stderr_contains(&format!("hint: {hint}"))
                .stderr_contains(&format!(" through proxy \"{proxy}\""));
            assert!(!run.stderr.contains("s3cret"), "{run:?}");
        }
    }
}

#[test]
fn server_that_sends_first_is_not_a_proxy() {
    let ssh = server_sending(b"SSH-2.0-OpenSSH_9.2\r\n");
    let flags = ["-s", "license.test:443", "-k", "--proxy", &ssh, "--retry=0"];
    // The program may see the banner or the end of the connection first. The test checks only the
    // text that both errors contain.
    push(&flags, &[]).exits(5).stderr_contains("CONNECT");
}

#[test]
fn connect_timeout_includes_the_proxy() {
    let silent = silent_server();
    let started = Instant::now();
    let flags = ["-s", "license.test:443", "-k", "--proxy", &silent];
    let flags = [&flags[..], &["--connect-timeout=300ms", "--retry=0"]].concat();
    push(&flags, &[])
        .exits(5)
        .stderr_contains("CONNECT request to the proxy timed out after 300ms");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn invalid_proxy_urls_are_rejected_without_the_password() {
    for (flag, variable, place) in [
        (
            Some("socks5://user:s3cret@proxy.test:1080"),
            None,
            "--proxy",
        ),
        (Some("https://user:s3cret@proxy.test"), None, "--proxy"),
        (Some("http://user:s3cret/a@proxy.test:1"), None, "--proxy"),
        (Some("http://user:a?s3cret@proxy.test:1"), None, "--proxy"),
        (None, Some("http://user:a#s3cret@proxy.test:1"), "ALL_PROXY"),
        (Some(""), None, "--proxy"),
        (None, Some("socks5h://user:s3cret@proxy.test"), "ALL_PROXY"),
    ] {
        let mut args = vec!["-s", "license.test:443", "-k"];
        args.extend(flag.iter().flat_map(|url| ["--proxy", url]));
        let variables: Vec<_> = variable.iter().map(|url| ("ALL_PROXY", *url)).collect();
        let run = push(&args, &variables)
            .exits(2)
            .stderr_contains(place)
            .stderr_contains("http://");
        assert!(!run.stderr.contains("s3cret"), "{run:?}");
    }
}
