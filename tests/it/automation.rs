//! The crontabs in the documents, which must run as cron runs them, and the nightly job of
//! `docs/automation.md`, whose guards and alert rules must notice a bad export.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
};

use jiff::{Span, Timestamp, tz::TimeZone};
use tempfile::TempDir;

use crate::support::{
    crontab::{CronJob, parse_crontab},
    files::utf8,
    markdown::{code_blocks, documents, read_document},
    metrics::{Labels, Series, parse_labels, parse_metrics},
    program::{PROGRAM, Run},
    receiver::Receiver,
    records::{EXPIRE_TIME, csv, records, records_at, token},
    tcp_server::ClosedPort,
};

/// The directories that the documents name.
const DIRECTORIES: [&str; 5] = [
    "/etc/sensor-license",
    "/usr/local/bin",
    "/var/lib/prometheus/node-exporter",
    "/var/lib/sensor-license",
    "/var/spool/sensor-license",
];

/// The first words of commands that only root can run. `.ci/samples --boot` runs those of systemd.
const ROOT_COMMANDS: [&str; 5] = [
    "journalctl",
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "useradd",
];

/// Directories that exist before an operator follows the documents.
const EXISTING_DIRECTORIES: [&str; 4] = [
    "/etc",
    "/usr/local/bin",
    "/var/lib/prometheus/node-exporter",
    "/var/spool/sensor-license",
];

/// The number of commands in `docs/automation.md` that create directories.
const SET_UP_COMMANDS: usize = 3;

const HOME: &str = "/var/lib/sensor-license";

/// A folder in place of the root of a file system, and a receiver in place of the servers that the
/// documents name.
struct Host {
    root: TempDir,
    receiver: Receiver,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            root: tempfile::tempdir().expect("a folder"),
            receiver: Receiver::start(),
        };
        for directory in EXISTING_DIRECTORIES {
            fs::create_dir_all(host.path(directory)).expect("created");
        }
        host.set_up();
        symlink(PROGRAM, host.path("/usr/local/bin/sensor-license")).expect("linked");
        // Only root can run runuser, so this script replaces `runuser -u USER -- COMMAND`.
        let runuser = host.path("/usr/local/bin/runuser");
        fs::write(&runuser, "#!/bin/sh\nshift 3\nexec \"$@\"\n").expect("written");
        fs::set_permissions(&runuser, PermissionsExt::from_mode(0o755)).expect("executable");
        for directory in [HOME, "/etc/sensor-license"] {
            let copy = host.path(directory).join("server.crt");
            fs::copy(host.receiver.cacert(), copy).expect("copied");
        }
        host
    }

    /// Runs the commands of the set-up.
    fn set_up(&self) {
        for command in &commands()[..SET_UP_COMMANDS] {
            let command = self.localize(&command.replace("--owner=sensor-license ", ""));
            let status = Command::new("sh").args(["-c", &command]).status();
            assert!(status.expect("it runs").success(), "{command}");
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// Replaces the directories and the servers in the text of a document.
    fn localize(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for directory in DIRECTORIES {
            text = text.replace(directory, utf8(&self.path(directory)));
        }
        for server in ["license.example.com:443", "localhost:9102"] {
            text = text.replace(server, &self.receiver.address);
        }
        text
    }

    /// Runs a command of a document in a login shell.
    fn run(&self, command: &str) -> Run {
        let output = Command::new("sh")
            .args(["-c", &self.localize(command)])
            .current_dir(self.path(HOME))
            .env_clear()
            .env("PATH", self.localize("/usr/local/bin:/usr/bin:/bin"))
            .output();
        output.expect("it runs").into()
    }

    fn run_job(&self, job: &CronJob) -> Run {
        job.run(&self.path(HOME))
    }

    /// Writes the export of tonight, or removes it. A test may run over midnight, in any time zone.
    fn set_export(&self, content: Option<&[u8]>) {
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        for days in -1..=1 {
            let date = today.saturating_add(Span::new().days(days));
            let file = format!("/var/spool/sensor-license/north-{date}.csv");
            let file = self.path(&file);
            match content {
                Some(content) => fs::write(file, content).expect("written"),
                None => fs::remove_file(file).expect("removed"),
            }
        }
    }
}

fn automation() -> String {
    read_document("docs/automation.md")
}

/// Returns the code blocks of a document in this language.
fn blocks_in(document: &str, language: &str) -> Vec<String> {
    let blocks = code_blocks(document).into_iter();
    let blocks = blocks.filter(|block| block.language == language);
    blocks.map(|block| block.text).collect()
}

/// Returns the commands of `docs/automation.md`, without those that only root can run.
fn commands() -> Vec<String> {
    let shell = blocks_in(&automation(), "sh").concat();
    let is_root = |line: &str| ROOT_COMMANDS.contains(&line.split(' ').next().unwrap_or_default());
    let commands = shell.lines().filter(|line| !is_root(line));
    commands.map(ToOwned::to_owned).collect()
}

/// Returns the only code block of `docs/automation.md` in this language.
fn only_block(language: &str) -> String {
    let mut blocks = blocks_in(&automation(), language);
    assert_eq!(blocks.len(), 1, "{language}: {blocks:?}");
    blocks.remove(0)
}

#[test]
fn crontabs_are_split_as_cron_does() {
    for (line, command, input) in [
        ("30 3 * * * true", "true", ""),
        ("*/5\t0-6,22 1 jan-Mar,12 SUN  a  b # c", "a  b # c", ""),
        ("  0 0 * * 7 x=1 a", "x=1 a", ""),
        ("@daily date +\\%F", "date +%F", ""),
        (
            "@reboot mail -s '5\\% \\n' %a%b\\%",
            "mail -s '5% \\n' ",
            "a\nb%\n",
        ),
        ("@hourly cat%%a%", "cat", "\na\n"),
        ("@hourly cat%", "cat", ""),
    ] {
        let jobs = parse_crontab(&format!("# a comment\n\n{line}\n"));
        let expected = CronJob {
            command: command.to_owned(),
            input: input.to_owned(),
            variables: Vec::new(),
        };
        assert_eq!(jobs, Ok(vec![expected]), "{line}");
    }
    for line in [
        "30 3 * * true",
        "60 3 * * * true",
        "0 24 * * * true",
        "0 0 0 * * true",
        "0 0 * 13 * true",
        "0 0 * * 8 true",
        "5-1 * * * * true",
        "5/2 * * * * true",
        "*/0 * * * * true",
        "1, * * * * true",
        "jan * * * * true",
        "@nightly true",
        "@daily",
        "* * * * * ",
        "true",
        "* * * * * a\\\\%",
        "* * * * * true\r",
    ] {
        assert!(parse_crontab(&format!("{line}\n")).is_err(), "{line}");
    }
    assert!(parse_crontab("@daily true").is_err(), "no line break");
}

#[test]
fn jobs_run_with_the_variables_of_the_crontab() {
    let home = tempfile::tempdir().expect("a folder");
    let show = "echo $PATH,$A,$B,$SHELL,${XDG_CONFIG_HOME-none},$PWD";
    let text = format!(
        "@daily {show}\nPATH=$HOME:/bin\n A = ' a=1 ' \nB=\"x\n@daily {show}; cat%1\\%%2\nA=2\n\
         SHELL=/bin/bash\n@daily echo $A $0\n"
    );
    let home_path = utf8(home.path());
    let jobs = parse_crontab(&text).expect("a crontab");
    for (job, stdout) in jobs.iter().zip([
        format!("/usr/bin:/bin,,,/bin/sh,none,{home_path}\n"),
        format!("$HOME:/bin, a=1 ,\"x,/bin/sh,none,{home_path}\n1%\n2\n"),
        "2 /bin/bash\n".to_owned(),
    ]) {
        let run = job.run(home.path()).exits(0);
        assert_eq!((run.stdout, &*run.stderr), (stdout, ""), "{job:?}");
    }
    let failing = parse_crontab("@daily sensor-license --version\n").expect("a crontab");
    let run = failing[0].run(home.path()).exits(127);
    assert!(run.stderr.contains("not found"), "{run:?}");
}

#[test]
fn crontabs_in_the_documents_run() {
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        for block in blocks_in(&text, "crontab") {
            let host = Host::new();
            let config = blocks_in(&text, "toml").concat();
            let config_file = host.path("/etc/sensor-license/north.toml");
            fs::write(config_file, host.localize(&config)).expect("written");
            host.set_export(Some(&records(1200)));
            fs::write(host.path(HOME).join("licenses.csv"), records(1200)).expect("written");
            for job in parse_crontab(&host.localize(&block)).expect("a crontab") {
                count += 1;
                assert_eq!(job.input, "", "unescaped % in {}", document.display());
                for variable in ["PATH", "MAILTO"] {
                    assert!(job.variable(variable).is_some(), "{block}");
                    assert!(text.contains(&format!("`{variable}`")), "{variable}");
                }
                // There is nothing to mail.
                let run = host.run_job(&job).exits(0);
                assert_eq!(run.output(), "", "{block}");
            }
            assert_eq!(host.receiver.stop().records, 1200, "{block}");
        }
        let mut is_crontab = false;
        for line in text.lines() {
            match line.trim() {
                "```crontab" => is_crontab = true,
                "```" => is_crontab = false,
                _ => {}
            }
            let jobs = parse_crontab(&format!("{line}\n")).unwrap_or_default();
            let place = document.display();
            assert!(is_crontab || jobs.is_empty(), "{place}: {line}");
        }
    }
    assert!(count >= 1, "{count}");
}

/// Returns the names of the alert rules that fire.
fn alerts(metrics: &[Series], now: f64) -> Vec<String> {
    let rules = read_document("samples/prometheus/alerts.yml");
    let names = rules.lines().filter_map(|line| line.split_once("alert: "));
    let expressions = rules.lines().filter_map(|line| line.split_once("expr: "));
    let rules = names.zip(expressions);
    let firing = rules.filter(|(_, (_, expression))| is_firing(expression, metrics, now));
    firing.map(|((_, name), _)| name.to_owned()).collect()
}

/// Evaluates `absent(SELECTOR)`, or a comparison of `SELECTOR`, `time() - SELECTOR` or
/// `(SELECTOR > 0) - time()` with a number.
fn is_firing(expression: &str, metrics: &[Series], now: f64) -> bool {
    if let Some(rest) = expression.strip_prefix("absent(") {
        return select(rest.strip_suffix(')').expect("a parenthesis"), metrics).is_empty();
    }
    let mut parts = expression.rsplitn(3, ' ');
    let mut next = || parts.next().expect("a comparison");
    let (limit, operator, left) = (next(), next(), next());
    let limit: f64 = limit.parse().expect("a number");
    let values: Vec<f64> = if let Some(selector) = left.strip_prefix("time() - ") {
        let times = select(selector, metrics).into_iter();
        times.map(|time| now - time).collect()
    } else if let Some(rest) = left.strip_prefix('(') {
        let selector = rest.strip_suffix(" > 0) - time()").expect("a time");
        let times = select(selector, metrics).into_iter();
        let times = times.filter(|time| *time > 0.0);
        times.map(|time| time - now).collect()
    } else {
        select(left, metrics)
    };
    values.into_iter().any(|value| match operator {
        ">" => value > limit,
        "<" => value < limit,
        "!=" => value.to_bits() != limit.to_bits(),
        _ => panic!("unknown operator {operator}"),
    })
}

/// Returns the values of the series with this name and these labels.
fn select(selector: &str, metrics: &[Series]) -> Vec<f64> {
    let selector = selector.strip_prefix("sensor_license_").expect("a metric");
    let (name, labels) = match selector.split_once('{') {
        Some((name, labels)) => (name, parse_labels(labels).expect("labels").0),
        None => (selector, Labels::new()),
    };
    let has_labels = |one: &&Series| {
        labels
            .iter()
            .all(|(key, it)| one.labels.get(key) == Some(it))
    };
    let named = metrics.iter().filter(|one| one.name == name);
    named.filter(has_labels).map(|one| one.value).collect()
}

/// Returns the first records of an export before which five licenses were extended. There are 1203
/// records, three more than before.
fn extended(count: usize) -> Vec<u8> {
    csv((0..count).map(|number| (number, EXPIRE_TIME + u32::from(number < 5))))
}

#[test]
fn nightly_job_refuses_bad_exports() {
    let host = Host::new();
    let config = host.localize(&only_block("toml"));
    fs::write(host.path("/etc/sensor-license/north.toml"), config).expect("written");
    let jobs = parse_crontab(&host.localize(&only_block("crontab")));
    let mut job = jobs.expect("a crontab").remove(0);
    let commands = commands();
    let [first_push, preview, overriding_push, forget, link] = &commands[SET_UP_COMMANDS..] else {
        panic!("{commands:?}");
    };
    host.run(link).exits(0);
    let linked = "/var/lib/prometheus/node-exporter/sensor-license-north.prom";
    let metrics_file = host.path(linked);
    let metrics = || parse_metrics(&fs::read_to_string(&metrics_file).expect("metrics"));
    let now = || Timestamp::now().as_duration().as_secs_f64();
    assert_eq!(alerts(&[], now()), ["LicensePushMissing"]);

    host.set_export(Some(&records(1200)));
    let run = host.run(first_push).exits(0);
    assert!(run.stdout.contains("1200 acknowledged"), "{run:?}");
    assert_eq!(alerts(&metrics(), now()), [""; 0]);

    let shortened = csv((0..1203).map(|number| (number, EXPIRE_TIME - u32::from(number < 5))));
    let mut last_success = select("sensor_license_last_success_timestamp_seconds", &metrics());
    for (export, exit, mail) in [
        (Some(records(1200)), 0, ""),
        (Some(extended(1203)), 0, ""),
        (None, 4, "cannot open"),
        (Some(Vec::new()), 4, "min-records"),
        (Some(records(500)), 4, "min-records"),
        (Some(extended(1100)), 4, "max-missing"),
        (
            Some(records_at(1200, EXPIRE_TIME + 86_400)),
            4,
            "max-changes",
        ),
        (Some(records_at(1200, 1_300_000_000)), 4, "2020-01-01"),
        (Some(records_at(1200, 46_752)), 4, "date serial"),
        (Some(records_at(1200, u32::MAX)), 4, "2100-01-01"),
        (Some(shortened.clone()), 4, "refuse-shortened"),
        (Some(extended(1203)), 0, ""),
    ] {
        host.set_export(export.as_deref());
        let run = host.run_job(&job).exits(exit);
        let alerts = alerts(&metrics(), now());
        let success = select("sensor_license_last_success_timestamp_seconds", &metrics());
        if exit == 0 {
            assert_eq!(run.output(), "");
            assert_eq!(alerts, [""; 0]);
            last_success = success;
        } else {
            assert!(run.stderr.contains(mail), "{mail}: {run:?}");
            assert_eq!(alerts, ["LicensePushFailed"], "{run:?}");
            assert_eq!(success, last_success);
        }
        for one in metrics() {
            assert_eq!(one.labels.get("site").map(String::as_str), Some("north"));
        }
    }
    let overdue = last_success[0] + 93_601.0;
    assert_eq!(alerts(&metrics(), overdue), ["LicensePushOverdue"]);

    // A device was removed. Its token is missing until the ledger forgets it.
    host.set_export(Some(&extended(1202)));
    let verbose = CronJob {
        command: job.command.replace(" --quiet", "") + " >/dev/null",
        ..job.clone()
    };
    let is_missing = |run: &Run| run.stderr.contains("lacks 1 of 1203 tokens");
    let run = host.run_job(&verbose).exits(0);
    assert!(is_missing(&run), "{run:?}");
    let removed = format!("device_token\n{}\n", token(1202));
    fs::write(host.path(HOME).join("removed.csv"), removed).expect("written");
    host.run(forget).exits(0);
    let run = host.run_job(&verbose).exits(0);
    assert!(!is_missing(&run), "{run:?}");

    // The operator looks at what a guard has refused, and pushes it. The forgotten token is new.
    host.set_export(Some(&shortened));
    host.run(preview).exits(0);
    let changes = host.path("/var/lib/sensor-license/north-changes.csv");
    let changes = fs::read_to_string(changes).expect("text");
    assert!(changes.starts_with("device_token,expire_time,previous_expire_time\n"));
    assert_eq!(changes.lines().count(), 1 + 6, "{changes}");
    host.run(overriding_push).exits(0);
    let closed = ClosedPort::new();
    for (option, value) in [("SERVER", &*closed.address), ("RETRY", "0")] {
        let name = format!("SENSOR_LICENSE_{option}");
        job.variables.push((name, value.to_owned()));
    }
    let run = host.run_job(&job).exits(5);
    assert!(run.stderr.contains(&closed.address), "{run:?}");
    assert_eq!(alerts(&metrics(), now()), ["LicensePushFailed"]);

    let received = host.receiver.stop();
    let rows = shortened.strip_prefix(b"token,expire_time\n");
    assert_eq!(Some(&received.rows[..]), rows);
    assert_eq!(received.records, 1200 + 8 + 6);
}
