//! `--metrics-label`: labels on all metrics.

use std::collections::BTreeSet;

use crate::support::{
    files::TempFile,
    metrics::{Labels, Series, parse_metrics},
    program::{Run, run_with},
    receiver::Receiver,
    records::ONE_RECORD,
};

/// Pushes one record in a rehearsal, which writes metrics.
fn push(file: &TempFile, flags: &[&str], variables: &[(&str, &str)]) -> Run {
    let args = ["push", "--rehearse", "--metrics-file", file.str()];
    run_with(&[&args[..], flags].concat(), variables, ONE_RECORD)
}

/// Pushes to a port on which no server listens.
fn fail(file: &TempFile, flags: &[&str]) {
    let args = [
        "push",
        "-ks127.0.0.1:1",
        "--retry=0",
        "--metrics-file",
        file.str(),
    ];
    run_with(&[&args[..], flags].concat(), &[], ONE_RECORD).exits(5);
}

fn series(file: &TempFile) -> Vec<Series> {
    parse_metrics(&file.read())
}

fn last_success(file: &TempFile) -> Option<f64> {
    let series = series(file);
    let mut times = series
        .iter()
        .filter(|one| one.name == "last_success_timestamp_seconds");
    let time = times.next().map(|one| one.value);
    assert_eq!(times.next(), None);
    time
}

#[test]
fn labels_are_added_to_every_series() {
    let file = TempFile::absent("push.prom");
    push(&file, &[], &[]).exits(0);
    let names = |series: &[Series]| -> Vec<_> {
        let names = series.iter().map(|one| {
            let own = one.labels.get("outcome").cloned();
            (one.name.clone(), own)
        });
        names.collect()
    };
    let unlabeled = names(&series(&file));
    let list = TempFile::new(
        "config.toml",
        "metrics-label = ['site=north', \"note=a=\\\\b \\\"c\\\"\\n} 1\"]\n\
         [profile.number]\nmetrics-label = 'rack=7'\n",
    );
    let lines = ("SENSOR_LICENSE_METRICS_LABEL", "site=north\n_2=x y\n");
    let rows: [(&[&str], &[_], &[_]); 7] = [
        (
            &["--metrics-label=site=north"],
            &[],
            &[("site", "north")][..],
        ),
        (
            &["--metrics-label=A_9=", "--metrics-label", "b=ü=\\n"],
            &[],
            &[("A_9", ""), ("b", "ü=\\n")],
        ),
        (
            &["--metrics-label=a=\"\\\n\r\"", "--metrics-label=b=}"],
            &[],
            &[("a", "\"\\\n\r\""), ("b", "}")],
        ),
        (&[], &[lines], &[("site", "north"), ("_2", "x y")]),
        (
            &["--config", list.str()],
            &[],
            &[("site", "north"), ("note", "a=\\b \"c\"\n} 1")],
        ),
        (
            &["--config", list.str(), "--profile=number"],
            &[],
            &[("rack", "7")],
        ),
        (
            &["--config", list.str(), "--metrics-label=site=south"],
            &[lines],
            &[("site", "south")],
        ),
    ];
    for (flags, variables, expected) in rows {
        push(&file, flags, variables).exits(0);
        let labeled = series(&file);
        assert_eq!(names(&labeled), unlabeled, "{flags:?}");
        let expected: Labels = expected
            .iter()
            .map(|(name, value)| (String::from(*name), String::from(*value)))
            .collect();
        for mut one in labeled {
            one.labels.remove("outcome");
            assert_eq!(one.labels, expected, "{flags:?}: {one:?}");
        }
    }
}

#[test]
fn labels_keep_two_jobs_apart() {
    let files = ["north", "south"].map(|site| (site, TempFile::absent(site)));
    let identities = |labeled: bool| {
        let mut all = Vec::new();
        for (site, file) in &files {
            let label = format!("--metrics-label=site={site}");
            let flags = [label.as_str()];
            push(file, if labeled { &flags } else { &[] }, &[]).exits(0);
            let series = series(file);
            all.extend(series.into_iter().map(|one| (one.name, one.labels)));
        }
        let distinct: BTreeSet<_> = all.iter().cloned().collect();
        (all.len(), distinct.len())
    };
    let (all, distinct) = identities(false);
    assert_eq!(all, 2 * distinct);
    let (all, distinct) = identities(true);
    assert_eq!(all, distinct);
}

#[test]
fn invalid_labels_are_usage_errors() {
    let file = TempFile::absent("push.prom");
    for (label, message) in [
        ("", "expected NAME=VALUE (example: site=north)"),
        ("site", "expected NAME=VALUE (example: site=north)"),
        (
            "=north",
            "label name must start with a letter or an underscore",
        ),
        (
            "9=north",
            "label name must start with a letter or an underscore",
        ),
        ("a-b=north", "only ASCII letters, digits and underscores"),
        ("a:b=north", "only ASCII letters, digits and underscores"),
        (" a=north", "only ASCII letters, digits and underscores"),
        ("ä=north", "only ASCII letters, digits and underscores"),
        ("__a=north", "which Prometheus reserves"),
        ("outcome=north", "choose another name"),
        ("state=north", "choose another name"),
    ] {
        let flag = format!("--metrics-label={label}");
        push(&file, &[&flag], &[]).exits(2).stderr_contains(message);
        if !label.is_empty() {
            let variable = ("SENSOR_LICENSE_METRICS_LABEL", label);
            push(&file, &[], &[variable])
                .exits(2)
                .stderr_contains(message)
                .stderr_contains("--metrics-label is set by the environment variable");
        }
    }
    let twice = ["--metrics-label=a=1", "--metrics-label=a=1"];
    push(&file, &twice, &[])
        .exits(2)
        .stderr_contains("--metrics-label \"a\" is given more than once");
    push(&file, &[], &[("SENSOR_LICENSE_METRICS_LABEL", "a=1\na=2")])
        .exits(2)
        .stderr_contains("--metrics-label is set by the environment variable");
    assert!(!file.path.exists());
}

/// The program refuses the names of all labels that its metrics can have.
#[test]
fn own_labels_cannot_be_replaced() {
    let file = TempFile::absent("push.prom");
    let ledger = file.path.with_file_name("ledger");
    let ledger = format!("--ledger={}", ledger.display());
    let receiver = Receiver::start();
    receiver
        .push_input(["--metrics-file", file.str(), &ledger], ONE_RECORD)
        .exits(0);
    let own: BTreeSet<_> = series(&file)
        .into_iter()
        .flat_map(|one| one.labels.into_keys())
        .collect();
    assert!(own.contains("outcome"), "{own:?}");
    for name in own {
        push(&file, &[&format!("--metrics-label={name}=x")], &[]).exits(2);
    }
}

#[test]
fn labels_without_a_metrics_file_are_refused_or_ignored() {
    let push = |flags: &[&str], variables: &[(&str, &str)]| {
        run_with(
            &[&["push", "--rehearse"], flags].concat(),
            variables,
            ONE_RECORD,
        )
    };
    push(&["--metrics-label=site=north"], &[])
        .exits(2)
        .stderr_contains("--metrics-file <FILE>");
    push(&[], &[("SENSOR_LICENSE_METRICS_LABEL", "a=1\na=2")]).exits(0);
    let list = TempFile::new("config.toml", "metrics-label = ['site=north']");
    push(&["--config", list.str()], &[]).exits(0);
}

#[test]
fn last_success_survives_other_labels() {
    let file = TempFile::absent("push.prom");
    for old in [
        "",
        "{site=\"north\"}",
        "{rack=\"7\",site=\"south\"}",
        "{site=\"} 1 \\\" 2\"}",
    ] {
        for flags in [&[][..], &["--metrics-label=site=north"]] {
            let name = "sensor_license_last_success_timestamp_seconds";
            file.write(format!("{name}_of_others 1\n{name}{old} 12.5\n"));
            fail(&file, flags);
            assert_eq!(last_success(&file), Some(12.5), "{old} {flags:?}");
            // The time survives more than one failure, with the labels of the last push.
            fail(&file, &["--metrics-label=site=a b"]);
            fail(&file, flags);
            assert_eq!(last_success(&file), Some(12.5), "{old} {flags:?}");
        }
    }
}
