//! Tokens of the ledger that the input lacks, and the guards as a matrix.

use serde_json::{Value, json};

use super::Ledger;

use crate::support::{
    fault_server::FaultServer,
    files::TempFile,
    program::{Run, run_with_input},
    records::{EXPIRE_TIME, csv, records},
};

fn ledger_counts(known: u64, changed: u64, missing: u64) -> Value {
    json!({"known": known, "changed": changed, "missing": missing})
}

fn ledger_of(run: &Run) -> Value {
    run.json()["ledger"].clone()
}

/// Returns CSV with the tokens from `missing` to 9, of which `changed` have a different time.
fn input(missing: usize, changed: usize, difference: i64) -> Vec<u8> {
    let different = u32::try_from(i64::from(EXPIRE_TIME) + difference).expect("a time");
    csv((missing..10).map(|number| {
        let is_changed = number - missing < changed;
        (number, if is_changed { different } else { EXPIRE_TIME })
    }))
}

#[test]
fn each_guard_in_each_situation() {
    const GUARDS: [&str; 3] = ["--max-changes=2", "--max-missing=2", "--refuse-shortened"];
    let server = FaultServer::ok();
    let ten = Ledger::after_push(&server, &records(10));
    let empty = b"token,expire_time\n".to_vec();
    for (name, ledger, input, counts, refusing) in [
        (
            "clean",
            Some(&ten),
            input(0, 0, 0),
            ledger_counts(10, 0, 0),
            &[][..],
        ),
        (
            "2 changed",
            Some(&ten),
            input(0, 2, 1),
            ledger_counts(10, 2, 0),
            &[],
        ),
        (
            "3 changed",
            Some(&ten),
            input(0, 3, 1),
            ledger_counts(10, 3, 0),
            &GUARDS[..1],
        ),
        (
            "2 missing",
            Some(&ten),
            input(2, 0, 0),
            ledger_counts(10, 0, 2),
            &[],
        ),
        (
            "3 missing",
            Some(&ten),
            input(3, 0, 0),
            ledger_counts(10, 0, 3),
            &GUARDS[1..2],
        ),
        (
            "1 shortened",
            Some(&ten),
            input(0, 1, -1),
            ledger_counts(10, 1, 0),
            &GUARDS[2..],
        ),
        (
            "first run",
            None,
            input(0, 0, 0),
            ledger_counts(0, 0, 0),
            &[],
        ),
        (
            "empty input",
            Some(&ten),
            empty.clone(),
            ledger_counts(10, 0, 10),
            &GUARDS[1..2],
        ),
        ("empty first run", None, empty, ledger_counts(0, 0, 0), &[]),
    ] {
        let absent = Ledger::absent();
        let ledger = ledger.unwrap_or(&absent);
        let is_noted = counts["missing"] != 0;
        for guard in GUARDS {
            let is_refused = refusing.contains(&guard);
            // The dry runs come first, because they do not change the ledger.
            for flags in [
                &["--dry-run"][..],
                &["--dry-run", "--full"],
                &["--full"],
                &[],
            ] {
                let is_dry = flags.contains(&"--dry-run");
                if !is_dry && !is_refused {
                    continue;
                }
                let run = ledger.push(&server, &[flags, &[guard]].concat(), &input);
                let label = format!("{name} {guard} {flags:?}: {run:#?}");
                assert_eq!(run.code, if is_refused { 4 } else { 0 }, "{label}");
                assert_eq!(ledger_of(&run), counts, "{label}");
                assert_eq!(
                    run.stderr.contains("note: the input lacks"),
                    is_noted,
                    "{label}"
                );
                if is_refused {
                    let option = guard.split('=').next().expect("an option");
                    assert!(
                        run.json()["error"]["message"].to_string().contains(option),
                        "{label}"
                    );
                    assert_eq!(run.count("unsent"), run.count("read"), "{label}");
                }
            }
        }
    }
    assert_eq!(server.connection_count(), 1);
}

#[test]
fn a_refusal_names_each_violated_guard() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(10));
    let flags = ["--max-changes=2", "--max-missing=1", "--refuse-shortened"];
    let run = ledger.push(&server, &flags, &input(3, 4, -1)).exits(4);
    let error = &run.json()["error"];
    assert_eq!(
        error["message"],
        "4 expiration times earlier than in the ledger (--refuse-shortened); \
         4 expiration times in the ledger would change, but --max-changes 2 allows 2; \
         the input lacks 3 of 10 tokens in the ledger for this server, but --max-missing 1 allows 1; \
         nothing was sent"
    );
    assert_eq!(
        error["hint"],
        "pass --max-changes 4 if the changes are right; pass --max-missing 3 if the input is complete"
    );
    // The changed tokens, which are also the shortened ones, are shown once.
    assert_eq!(error["problems"].as_array().map(Vec::len), Some(7));
}

#[test]
fn max_missing_percentage_is_of_known_tokens() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(20));
    for (missing, limit, passes) in [
        (0, "0", true),
        (1, "0", false),
        (1, "0%", false),
        (1, "4.9%", false),
        (1, "5%", true),
        (2, "5%", false),
        (20, "99.9%", false),
        (20, "100%", true),
        (20, "19", false),
        (20, "20", true),
    ] {
        // The new tokens must not raise the limit.
        let input = csv((missing..20)
            .chain(100..200)
            .map(|number| (number, EXPIRE_TIME)));
        let flags = ["--dry-run", &format!("--max-missing={limit}")];
        let run = ledger.push(&server, &flags, &input);
        assert_eq!(
            run.code,
            if passes { 0 } else { 4 },
            "{missing} {limit}: {run:#?}"
        );
        assert_eq!(
            ledger_of(&run),
            ledger_counts(20, 0, missing as u64),
            "{run:#?}"
        );
        if !passes {
            run.stderr_contains(&format!(
                "the input lacks {missing} of 20 tokens in the ledger"
            ))
            .stderr_contains("missing token that expires 2099-01-01T00:00:00Z")
            .stderr_contains(&format!("hint: pass --max-missing {missing} "));
        }
    }
    let path = ledger.str();
    for limit in ["", "x", "-1", "101%", "%"] {
        let flags = ["--ledger", path, &format!("--max-missing={limit}")];
        run_with_input(server.args(&flags), &records(1)).exits(2);
    }
    run_with_input(server.args(&["--max-missing=1"]), &records(1))
        .exits(2)
        .stderr_contains("--ledger");
    // A different server has a first run.
    let flags = ["--max-missing=0", "--authority=other"];
    let run = ledger
        .push_by_address(&server, &flags, &records(1))
        .exits(0);
    assert_eq!(ledger_of(&run), ledger_counts(0, 0, 0));
}

/// In floating-point numbers, 0.7 % of 11,000 are less than 77.
#[test]
fn percentages_are_exact() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(11_000));
    for (changed, exit) in [(77, 0), (78, 4)] {
        let times = (0..11_000).map(|number| (number, EXPIRE_TIME + u32::from(number < changed)));
        let flags = ["--dry-run", "--max-changes=0.7%", "--max-missing=0.7%"];
        ledger.push(&server, &flags, &csv(times)).exits(exit);
        let rest = csv((changed..11_000).map(|number| (number, EXPIRE_TIME)));
        ledger.push(&server, &flags, &rest).exits(exit);
    }
}

#[test]
fn tokens_that_are_read_are_not_missing() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(40));
    let twice = [
        records(40),
        records(40).split_off("token,expire_time\n".len()),
    ]
    .concat();
    let conflicting = csv([(0, EXPIRE_TIME), (0, EXPIRE_TIME + 1)]);
    for (flags, input, changed, missing) in [
        (&[][..], &twice, 0, 0),
        (&["--on-duplicate=first"], &conflicting, 0, 39),
        (&["--on-duplicate=last"], &conflicting, 1, 39),
        // Records of other shards are in the input.
        (&["--shard=0/3"], &twice, 0, 0),
        (&["--shard=2/3", "--full"], &twice, 0, 0),
    ] {
        let flags = [&["--dry-run"], flags].concat();
        let run = ledger.push(&server, &flags, input).exits(0);
        assert_eq!(
            ledger_of(&run),
            ledger_counts(40, changed, missing),
            "{flags:?}"
        );
    }
    // The ledger of a machine that pushes one shard knows only the tokens of this shard.
    for shard in ["--shard=0/2", "--shard=1/2"] {
        let own = Ledger::absent();
        let first = own.push(&server, &[shard], &records(40)).exits(0);
        let known = first.count("acknowledged");
        let lacks_five = csv((5..40).map(|number| (number, EXPIRE_TIME)));
        let run = own.push(&server, &[shard], &lacks_five).exits(0);
        let missing = known - run.count("unchanged");
        assert!(missing < 5, "{run:#?}");
        assert_eq!(ledger_of(&run), ledger_counts(known, 0, missing));
        // A machine that changes its shard has read the tokens that are no longer its own.
        let run = own.push(&server, &["--shard=0/3"], &records(40)).exits(0);
        assert_eq!(ledger_of(&run), ledger_counts(known, 0, 0));
    }
}

#[test]
fn refusals_list_the_first_records() {
    let server = FaultServer::ok();
    let times = (0..30).map(|number| (number, EXPIRE_TIME + u32::from(number == 29)));
    let ledger = Ledger::after_push(&server, &csv(times));
    let changed = TempFile::new(
        "changed.csv",
        csv((0..29).map(|number| (number, EXPIRE_TIME + 10 - 15 * u32::from(number > 26)))),
    );
    let path = changed.str();
    let later = |line| {
        format!(
            "{path}:{line}: error: token sens… (12 bytes): 2099-01-01T00:00:00Z becomes \
             2099-01-01T00:00:10Z"
        )
    };
    let earlier = |line| {
        format!(
            "{path}:{line}: error: token sens… (12 bytes): 2099-01-01T00:00:00Z becomes \
             2098-12-31T23:59:55Z"
        )
    };
    let more = |number| format!("caused by: {number} more not shown; --max-errors N shows more");
    let missing = "error: missing token that expires 2099-01-01T00:00:01Z".to_owned();
    let first_20 = (2..22).map(later).chain([more(9)]).collect();
    for (flags, lines) in [
        (&["--max-changes=1"][..], first_20),
        (
            &["--max-changes=1", "--max-errors=2"],
            vec![later(2), later(3), more(27)],
        ),
        (&["--refuse-shortened"], vec![earlier(29), earlier(30)]),
        (
            &["--refuse-shortened", "--max-errors=1"],
            vec![earlier(29), more(1)],
        ),
        (&["--max-missing=0"], vec![missing]),
    ] {
        for dry in [&[][..], &["--dry-run"]] {
            let run = ledger
                .push(&server, &[flags, dry, &[path]].concat(), b"")
                .exits(4);
            let is_listed = |line: &&str| {
                [" becomes ", "missing token", "not shown"]
                    .iter()
                    .any(|text| line.contains(text))
            };
            let listed: Vec<_> = run.stderr.lines().filter(is_listed).collect();
            assert_eq!(listed, lines, "{flags:?}");
            let problems = &run.json()["error"]["problems"];
            let shown = lines
                .iter()
                .filter(|line| !line.contains("not shown"))
                .count();
            assert_eq!(problems.as_array().map(Vec::len), Some(shown), "{problems}");
            run.hides("sensor-0");
        }
    }
    // The tokens of the ledger that expire first come first.
    let run = ledger
        .push(&server, &["--max-missing=0", "--max-errors=29"], b"")
        .exits(4);
    let error = &run.json()["error"];
    assert_eq!(error["problems"].as_array().map(Vec::len), Some(29));
    assert_eq!(
        error["problems"][0],
        json!({
            "file": null, "record": null, "line": null, "column": null, "field": null,
            "message": "missing token that expires 2099-01-01T00:00:00Z", "hint": null,
        })
    );
    assert_eq!(
        error["causes"],
        json!(["1 more not shown; --max-errors N shows more"])
    );
    assert_eq!(server.connection_count(), 1);
}

#[test]
fn counts_are_null_without_a_comparison() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(3));
    let path = ledger.str();
    for (flags, input, exit) in [
        (&[][..], &records(3)[..], 0),
        (&["--rehearse", "--ledger", path], &records(2), 0),
        (&["--ledger", path], b"token,expire_time\na,b\n", 4),
    ] {
        let run = server.push(flags, input).exits(exit);
        assert_eq!(ledger_of(&run), Value::Null, "{flags:?}");
    }
    let check = run_with_input(["check", "--output=json"], &records(3)).exits(0);
    assert_eq!(ledger_of(&check), Value::Null);
    // The keys have the order of the documentation.
    assert!(
        check.stdout.contains(r#"},"ledger":null,"server":"#),
        "{check:?}"
    );
    let quiet = ledger.push(&server, &["--quiet"], &records(2)).exits(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn metrics_count_tokens_by_state() {
    let server = FaultServer::ok();
    let ledger = Ledger::after_push(&server, &records(10));
    let metrics = TempFile::absent("push.prom");
    let path = metrics.str();
    for (flags, exit) in [(&["--max-missing=2"][..], 4), (&[], 0)] {
        let flags = [&["--metrics-file", path], flags].concat();
        ledger.push(&server, &flags, &input(3, 2, 1)).exits(exit);
        let text = metrics.read();
        for (state, count) in [("known", 10), ("changed", 2), ("missing", 3)] {
            let sample = format!("\nsensor_license_ledger_tokens{{state=\"{state}\"}} {count}\n");
            assert!(text.contains(&sample), "no {sample:?} in {text}");
        }
    }
    server.push(&["--metrics-file", path], &records(1)).exits(0);
    assert!(!metrics.read().contains("ledger_tokens"));
}
