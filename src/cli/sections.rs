//! The sections at the end of each help text and man page: examples, exit status, environment and
//! files.

use std::fmt::Write as _;

use clap::builder::styling::Style;

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) entries: &'static [Entry],
}

/// A term and its description. In [`EXAMPLES`], a description and its command.
type Entry = (&'static str, &'static str);

pub(super) const EXAMPLES: &str = "EXAMPLES";
pub(super) const EXIT_STATUS: &str = "EXIT STATUS";
const ENVIRONMENT: &str = "ENVIRONMENT";
const FILES: &str = "FILES";

/// The width of the column of exit codes.
const EXIT_CODE_WIDTH: usize = "129, 130, 143".len();

/// Returns the sections of a command. The name is as in `ledger show`, and empty for the program.
pub(super) fn sections_of(command: &str) -> Vec<Section> {
    let (examples, exit_status, environment, files): (_, _, _, &[Entry]) = match command {
        "push" => (PUSH_EXAMPLES, PUSH_STATUS, PUSH_ENVIRONMENT, PUSH_FILES),
        "check" => (CHECK_EXAMPLES, CHECK_STATUS, CHECK_ENVIRONMENT, CHECK_FILES),
        "probe" => (PROBE_EXAMPLES, PROBE_STATUS, PROBE_ENVIRONMENT, PROBE_FILES),
        "serve" => (SERVE_EXAMPLES, SERVE_STATUS, PLAIN_ENVIRONMENT, SERVE_FILES),
        "ledger" => (
            LEDGER_EXAMPLES,
            LEDGER_STATUS,
            LAYERS_ENVIRONMENT,
            LEDGER_FILES,
        ),
        "ledger show" => (
            SHOW_EXAMPLES,
            LEDGER_STATUS,
            LAYERS_ENVIRONMENT,
            LEDGER_FILES,
        ),
        "ledger forget" => (
            FORGET_EXAMPLES,
            LEDGER_STATUS,
            LAYERS_ENVIRONMENT,
            LEDGER_FILES,
        ),
        "completions" => (
            COMPLETIONS_EXAMPLES,
            PRINT_STATUS,
            PLAIN_ENVIRONMENT,
            COMPLETIONS_FILES,
        ),
        "man" => (MAN_EXAMPLES, PRINT_STATUS, PLAIN_ENVIRONMENT, MAN_FILES),
        _ => (PROGRAM_EXAMPLES, PUSH_STATUS, PUSH_ENVIRONMENT, PUSH_FILES),
    };
    let sections = [
        (EXAMPLES, examples),
        (EXIT_STATUS, exit_status),
        (ENVIRONMENT, environment),
        (FILES, files),
    ];
    sections
        .map(|(title, entries)| Section { title, entries })
        .into()
}

/// Returns the sections as text for `--help`. Clap wraps the lines, and keeps their indentation.
pub(super) fn to_help(sections: &[Section], heading: &Style) -> String {
    let mut text = String::new();
    for Section { title, entries } in sections {
        let _ = writeln!(text, "{heading}{title}:{heading:#}");
        for (index, (term, description)) in entries.iter().enumerate() {
            let _ = match *title {
                EXIT_STATUS => writeln!(text, "  {term:EXIT_CODE_WIDTH$}  {description}"),
                EXAMPLES => {
                    let space = if index == 0 { "" } else { "\n" };
                    let command = description.replace('\n', "\n        ");
                    writeln!(text, "{space}  {term}:\n      {command}")
                }
                _ => writeln!(text, "  {term}\n          {description}"),
            };
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

const PROGRAM_EXAMPLES: &[Entry] = &[
    (
        "Push to a receiver inside this process, to try the program without a server",
        "sensor-license push --rehearse licenses.csv",
    ),
    (
        "Validate a file, and show when the licenses expire",
        "sensor-license check licenses.csv",
    ),
    (
        "Find out why a connection fails, and which options fix it",
        "sensor-license probe --server license.example.com:9102",
    ),
    (
        "Push a file to a server with a self-signed certificate",
        "sensor-license push --server license.example.com:9102 --cacert server.crt \\\n\
         licenses.csv",
    ),
];

const PUSH_EXAMPLES: &[Entry] = &[
    (
        "Push to a receiver inside this process, to try the program without a server",
        "sensor-license push --rehearse licenses.csv",
    ),
    (
        "Push a file to a server with a self-signed certificate",
        "sensor-license push --server license.example.com:9102 --cacert server.crt \\\n\
         licenses.csv",
    ),
    (
        "Send only new or changed records, and refuse an export that changes too many",
        "sensor-license push --server license.example.com:9102 --cacert server.crt \\\n\
         --ledger licenses.ledger --max-changes 20% licenses.csv",
    ),
    (
        "Show what would be sent, without contacting the server",
        "sensor-license push --server license.example.com:9102 --dry-run licenses.csv",
    ),
    (
        "Send the other records, and write the records that the server rejects to a file",
        "sensor-license push --server license.example.com:9102 --cacert server.crt \\\n\
         --isolate --rejects rejects.csv licenses.csv",
    ),
    (
        "Push the output of another program",
        "jq -c '.[]' licenses.json | sensor-license push --rehearse",
    ),
];

const CHECK_EXAMPLES: &[Entry] = &[
    (
        "Validate a file, and show when the licenses expire",
        "sensor-license check licenses.csv",
    ),
    (
        "Validate a file with other column names, another delimiter and milliseconds",
        "sensor-license check --token-field id --time-field until --delimiter ';' \\\n\
         --time-unit ms export.csv.gz",
    ),
    (
        "Print the result as JSON",
        "sensor-license check --output json licenses.csv",
    ),
];

const PROBE_EXAMPLES: &[Entry] = &[
    (
        "Find out why a connection fails, and which options fix it",
        "sensor-license probe --server license.example.com:9102",
    ),
    (
        "Warn of a server certificate that expires within 60 days, and print JSON",
        "sensor-license probe --server license.example.com:9102 --cacert server.crt \\\n\
         --warn-days 60 --output json",
    ),
];

const SERVE_EXAMPLES: &[Entry] = &[
    (
        "Listen, and write a self-signed certificate for push --cacert to a file",
        "sensor-license serve --listen 127.0.0.1:9102 --write-cacert cacert.pem",
    ),
    (
        "Write the received records to a file on exit",
        "sensor-license serve --listen 127.0.0.1:0 --dump received.csv",
    ),
];

const SHOW_EXAMPLE: Entry = (
    "Show what each server acknowledged, and the last pushes",
    "sensor-license ledger show --ledger licenses.ledger",
);
const FORGET_EXAMPLE: Entry = (
    "Send all records of a server again with the next push",
    "sensor-license ledger forget --ledger licenses.ledger \\\n\
     --target license.example.com:9102",
);
const LEDGER_EXAMPLES: &[Entry] = &[SHOW_EXAMPLE, FORGET_EXAMPLE];
const SHOW_EXAMPLES: &[Entry] = &[
    SHOW_EXAMPLE,
    (
        "Show the last acknowledged times of the tokens in a file",
        "sensor-license ledger show --ledger licenses.ledger --tokens licenses.csv",
    ),
];
const FORGET_EXAMPLES: &[Entry] = &[
    FORGET_EXAMPLE,
    (
        "Send the records of a file again with the next push",
        "sensor-license ledger forget --ledger licenses.ledger --tokens licenses.csv",
    ),
];

const COMPLETIONS_EXAMPLES: &[Entry] = &[
    (
        "Install the completions of bash",
        "sensor-license completions bash \\\n\
         > ~/.local/share/bash-completion/completions/sensor-license",
    ),
    (
        "Install the completions of zsh, if ~/.zfunc is in fpath",
        "sensor-license completions zsh > ~/.zfunc/_sensor-license",
    ),
    (
        "Install the completions of fish",
        "sensor-license completions fish \\\n\
         > ~/.config/fish/completions/sensor-license.fish",
    ),
];

const MAN_EXAMPLES: &[Entry] = &[
    ("Read the man pages", "sensor-license man | man -l -"),
    (
        "Install the man pages, for man sensor-license-push",
        "sensor-license man --dir ~/.local/share/man/man1",
    ),
];

const LOCAL_FAILURE: Entry = (
    "1",
    "Local failure, such as an output that cannot be written",
);
const USAGE: Entry = ("2", "Invalid options, config file or PEM file");
const USAGE_WITHOUT_PEM: Entry = ("2", "Invalid options or config file");
const USAGE_WITHOUT_CONFIG: Entry = ("2", "Invalid options or PEM file");
const UNREACHED: Entry = (
    "5",
    "Server not reached (DNS, TCP, proxy, --connect-timeout); run it again",
);
const UNTRUSTED: Entry = (
    "6",
    "TLS refused (certificate, name, ALPN, client certificate); fix the TLS options",
);
const SIGNAL: Entry = (
    "129, 130, 143",
    "Ended by SIGHUP, SIGINT or SIGTERM; run it again",
);

const PUSH_STATUS: &[Entry] = &[
    ("0", "All records acknowledged, or nothing to do"),
    LOCAL_FAILURE,
    USAGE,
    ("3", "Some records acknowledged, some not; run it again"),
    ("4", "Input refused, nothing sent; fix the input"),
    UNREACHED,
    UNTRUSTED,
    ("7", "Response code is not OK, nothing acknowledged"),
    (
        "20",
        "With --dry-run --detailed-exitcode: something would be sent",
    ),
    (
        "64+N",
        "gRPC status N, nothing acknowledged; after 68, 72, 74, 78: run it again",
    ),
    SIGNAL,
];
const CHECK_STATUS: &[Entry] = &[
    ("0", "Input is valid"),
    LOCAL_FAILURE,
    USAGE_WITHOUT_PEM,
    ("4", "Input refused; fix the input"),
    SIGNAL,
];
const PROBE_STATUS: &[Entry] = &[
    ("0", "A push to this server would work"),
    LOCAL_FAILURE,
    USAGE,
    UNREACHED,
    UNTRUSTED,
    ("64+N", "gRPC status N"),
    SIGNAL,
];
const SERVE_STATUS: &[Entry] = &[
    (
        "0",
        "Ended by SIGHUP, SIGINT or SIGTERM, after open requests finished",
    ),
    LOCAL_FAILURE,
    USAGE_WITHOUT_CONFIG,
];
const LEDGER_STATUS: &[Entry] = &[
    ("0", "Success"),
    LOCAL_FAILURE,
    USAGE_WITHOUT_PEM,
    ("4", "The file of --tokens is refused; fix the file"),
];
const PRINT_STATUS: &[Entry] = &[("0", "Success"), LOCAL_FAILURE, ("2", "Invalid options")];

const OPTION_VARIABLE: Entry = (
    "SENSOR_LICENSE_<OPTION>",
    "Sets an option, such as SENSOR_LICENSE_OUTPUT=json for --output. Hyphens are written as _. A switch is true or \
     false, and a repeatable option has one value on each line. The command line overrides \
     environment variables, and environment variables override the config file.",
);
const NO_COLOR: Entry = ("NO_COLOR", "Turns off colors, except with --color always.");
const CONFIG_HOME: Entry = (
    "XDG_CONFIG_HOME, HOME",
    "The default config file is in one of these directories (see FILES).",
);
const STEP_SUMMARY: Entry = (
    "GITHUB_STEP_SUMMARY",
    "With --error-format github-actions, the summary is added to this file as Markdown.",
);
const PROXY_VARIABLES: Entry = (
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
    "Name an HTTP proxy, and the servers to connect to without a proxy. Lower-case names \
     work too. --proxy overrides the first two.",
);
const TRUST_VARIABLES: Entry = (
    "SSL_CERT_FILE, SSL_CERT_DIR",
    "Replace the trust store of the operating system with this file, or with the files in \
     these directories.",
);
const PLAIN_ENVIRONMENT: &[Entry] = &[NO_COLOR];
const LAYERS_ENVIRONMENT: &[Entry] = &[OPTION_VARIABLE, NO_COLOR, CONFIG_HOME];
const CHECK_ENVIRONMENT: &[Entry] = &[OPTION_VARIABLE, STEP_SUMMARY, NO_COLOR, CONFIG_HOME];
const PROBE_ENVIRONMENT: &[Entry] = &[
    OPTION_VARIABLE,
    PROXY_VARIABLES,
    TRUST_VARIABLES,
    NO_COLOR,
    CONFIG_HOME,
];
const PUSH_ENVIRONMENT: &[Entry] = &[
    OPTION_VARIABLE,
    PROXY_VARIABLES,
    TRUST_VARIABLES,
    STEP_SUMMARY,
    NO_COLOR,
    CONFIG_HOME,
];

const CONFIG_FILE: Entry = (
    "$XDG_CONFIG_HOME/sensor-license/config.toml, ~/.config/sensor-license/config.toml",
    "Default options in TOML, such as timeout = \"20s\", and a table [profile.NAME] for each \
     profile. Relative paths are relative to this file.",
);
const BESIDE_LEDGER: Entry = (
    "LEDGER-lock, LEDGER-wal, LEDGER-shm",
    "The lock file and the SQLite files of the ledger LEDGER. Do not delete these files \
     while a push runs.",
);
const ZONES: Entry = ("/usr/share/zoneinfo", "The time zones of --timezone.");
const PUSH_FILES: &[Entry] = &[CONFIG_FILE, BESIDE_LEDGER, ZONES];
const CHECK_FILES: &[Entry] = &[CONFIG_FILE, ZONES];
const PROBE_FILES: &[Entry] = &[CONFIG_FILE];
const LEDGER_FILES: &[Entry] = &[CONFIG_FILE, BESIDE_LEDGER];
const SERVE_FILES: &[Entry] = &[(
    "STORE-wal, STORE-shm",
    "Files of SQLite beside the file STORE of --store, while the receiver runs.",
)];
const COMPLETIONS_FILES: &[Entry] = &[(
    "~/.local/share/bash-completion/completions/sensor-license",
    "The completions of bash for one user.",
)];
const MAN_FILES: &[Entry] = &[(
    "~/.local/share/man/man1",
    "The man pages of one user, where man(1) finds them.",
)];
