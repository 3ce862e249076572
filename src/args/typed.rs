//! The arguments as they are typed.

#![allow(
    clippy::doc_markdown,
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "these comments are help texts, printed as they are"
)]

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values;
use crate::{endpoint::Endpoint, source};

/// Pushes sensor licence expirations to a licence server over gRPC.
///
/// Everything is read and validated before anything is sent, and every record is accounted for.
#[derive(Debug, Parser)]
#[command(name = "sensor-license", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Validate everything, then send it and account for every record
    #[command(mut_arg("server", |server| server.required_unless_present("rehearse")))]
    Push(Box<PushArgs>),
    /// Read and validate as push does, contact nothing
    Check(CheckArgs),
    /// Diagnose the way to the server stage by stage, send no record
    #[command(mut_arg("server", |server| server.required(true)))]
    Probe(Box<ProbeArgs>),
    /// Run a reference receiver, for rehearsals and tests
    Serve(Box<ServeArgs>),
}

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) delivery: DeliveryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    /// Warn of a server certificate that ends within so many days
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Probe")]
    pub(super) warn_days: u32,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArgs {
    /// The server: HOST:PORT, [IPV6]:PORT, https://HOST[:PORT] or unix:PATH
    #[arg(
        short, long, value_name = "HOST:PORT", value_parser = values::endpoint
    )]
    pub(super) server: Option<Endpoint>,

    /// Trust these certificates and only these: a CA, or the server's own [repeatable; default:
    /// the operating system's trust store]
    #[arg(long, value_name = "PEM")]
    pub(super) cacert: Vec<PathBuf>,

    /// Client certificate, with its chain
    #[arg(long, value_name = "PEM", requires = "key")]
    pub(super) cert: Option<PathBuf>,

    /// The client certificate's private key
    #[arg(long, value_name = "PEM", requires = "cert")]
    pub(super) key: Option<PathBuf>,

    /// The name to send as SNI, to verify and to use as :authority [default: the server's host]
    #[arg(
        long, value_name = "NAME", visible_alias = "ssl-target-name-override",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(super) servername: Option<String>,

    /// The :authority alone [default: --servername, else HOST:PORT]
    #[arg(long, value_name = "NAME", value_parser = values::authority)]
    pub(super) authority: Option<http::uri::Authority>,

    /// Accept a CA-issued certificate without a subject alternative name by its common name
    #[arg(long)]
    pub(super) allow_common_name: bool,

    /// TLS without verifying the server
    #[arg(short = 'k', long)]
    pub(super) insecure: bool,

    /// No TLS
    #[arg(long, conflicts_with_all = ["cacert", "cert", "key", "allow_common_name", "insecure"])]
    pub(super) plaintext: bool,

    /// Request metadata 'name: value', or @FILE with one a line; values of -bin names are base64
    /// [repeatable]
    #[arg(short = 'H', long, value_name = "HEADER")]
    pub(super) header: Vec<String>,

    /// Send the file's text as 'authorization: Bearer ...'
    #[arg(long, value_name = "FILE")]
    pub(super) bearer_token_file: Option<PathBuf>,

    /// Put before the program's own user agent
    #[arg(short = 'A', long, value_name = "TEXT")]
    pub(super) user_agent: Option<String>,

    /// Compress request messages
    #[arg(long, value_name = "ENCODING")]
    pub(super) compress: Option<Compression>,

    /// The path of the call [default: /Internal/UpdateSensorExpireTime]
    #[arg(long, value_name = "/PKG.SERVICE/METHOD", value_parser = values::method)]
    pub(super) method: Option<http::uri::PathAndQuery>,

    /// Go through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT [default: HTTPS_PROXY or
    /// ALL_PROXY of the environment, but never to this machine itself; NO_PROXY limits both]
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,

    /// Ask the connection for a sign of life this often while requests are open; at least 10s
    /// [default: off]
    #[arg(long, value_name = "DUR", value_parser = values::keepalive)]
    pub(super) keepalive_time: Option<Duration>,

    /// For DNS, TCP, the proxy and TLS, until the server's HTTP/2 SETTINGS
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = values::timeout)]
    pub(super) connect_timeout: Duration,

    /// One request's deadline, sent to the server too
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = values::timeout)]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// Files of records; - or none is standard input
    #[arg(value_name = "FILE", help_heading = None)]
    pub(super) files: Vec<PathBuf>,

    /// The format; auto looks at the name, then at the first bytes
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(super) input_format: InputFormat,

    /// The token's header or key, or its CSV column counted from 1 [default: device_token,
    /// deviceToken, DeviceToken or token]
    #[arg(long, value_name = "NAME", value_parser = values::field)]
    pub(super) token_field: Option<source::FieldRef>,

    /// The expire time's header or key, or its CSV column counted from 1 [default: expire_time,
    /// expireTime or ExpireTime]
    #[arg(long, value_name = "NAME", value_parser = values::field)]
    pub(super) time_field: Option<source::FieldRef>,

    /// The CSV has no header: columns 1 and 2 unless others are named by number
    #[arg(long)]
    pub(super) no_header: bool,

    /// Between CSV columns: one character, or tab [default: a comma; in TSV a tab]
    #[arg(long, value_name = "C", value_parser = values::delimiter)]
    pub(super) delimiter: Option<u8>,

    /// JSON Pointer to the list inside a larger document [default: the document itself, or its
    /// only list]
    #[arg(long, value_name = "POINTER", value_parser = values::pointer)]
    pub(super) records: Option<source::Pointer>,

    /// How text becomes a token's bytes (protobuf JSON is base64 always)
    #[arg(long, value_name = "ENCODING", default_value = "utf8")]
    pub(super) token_encoding: TokenEncoding,

    /// What numbers count
    #[arg(long, value_name = "UNIT", default_value = "s")]
    pub(super) time_unit: TimeUnit,

    /// For dates and times that carry no offset
    #[arg(long, value_name = "TZ", default_value = "UTC", value_parser = values::zone)]
    pub(super) timezone: jiff::tz::TimeZone,

    /// What one token with different times means: an error, or which record counts
    #[arg(long, value_name = "RULE", default_value = "error")]
    pub(super) on_duplicate: OnDuplicate,

    /// A time before now is an error instead of a warning
    #[arg(long)]
    pub(super) refuse_past: bool,

    /// Refuse to push fewer records
    #[arg(long, value_name = "N")]
    pub(super) min_records: Option<u64>,

    /// Refuse to push more records
    #[arg(long, value_name = "N")]
    pub(super) max_records: Option<u64>,

    /// Empty input is an error
    #[arg(long)]
    pub(super) fail_on_empty: bool,

    /// How many bad records are shown; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) max_errors: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub(super) struct DeliveryArgs {
    /// The most records in one request
    #[arg(
        long, value_name = "N", default_value_t = 10_000,
        value_parser = values::positive
    )]
    pub(super) batch_records: usize,

    /// The most encoded bytes in one request
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = values::size)]
    pub(super) batch_bytes: usize,

    /// A response code that means success [repeatable; default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) ok_code: Vec<i32>,

    /// Push for real to a receiver inside the process over loopback TLS, and verify what it got
    #[arg(long)]
    pub(super) rehearse: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Receiver")]
pub(super) struct ServeArgs {
    /// Where to listen: ADDRESS:PORT, port 0 for a free one, or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9102", value_parser = values::listen)]
    pub(super) listen: crate::command::serve::Listen,

    /// Its certificate, with the chain [default: a self-signed one for localhost, 127.0.0.1 and
    /// ::1, made at start]
    #[arg(long, value_name = "PEM", requires = "key")]
    pub(super) cert: Option<PathBuf>,

    /// The certificate's private key
    #[arg(long, value_name = "PEM", requires = "cert")]
    pub(super) key: Option<PathBuf>,

    /// Put the certificate to trust there before listening
    #[arg(long, value_name = "FILE")]
    pub(super) write_cacert: Option<PathBuf>,

    /// Demand a client certificate that leads to one of these
    #[arg(long, value_name = "PEM")]
    pub(super) client_ca: Option<PathBuf>,

    /// No TLS
    #[arg(long, conflicts_with_all = ["cert", "key", "write_cacert", "client_ca"])]
    pub(super) plaintext: bool,

    /// Keep the newest time of each token in this SQLite file [default: in memory]
    #[arg(long, value_name = "FILE")]
    pub(super) store: Option<PathBuf>,

    /// On exit, write what is held as CSV, sorted by token; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) dump: Option<PathBuf>,

    /// How the dump writes tokens
    #[arg(long, value_name = "ENCODING", default_value = "utf8")]
    pub(super) token_encoding: TokenEncoding,

    /// Answer with this code; records are kept all the same
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(super) code: i32,

    /// Answer the first N requests with UNAVAILABLE
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) fail_first: u64,

    /// Wait before each answer
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = values::duration)]
    pub(super) delay: Duration,

    /// Refuse larger request messages
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = values::size)]
    pub(super) max_message_size: usize,

    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// One line, or one JSON object
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: OutputFormat,

    /// Errors alone
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Compression {
    Gzip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum InputFormat {
    Auto,
    Csv,
    Tsv,
    Json,
    Ndjson,
    Protojson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TokenEncoding {
    Utf8,
    Hex,
    Base64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnDuplicate {
    Error,
    First,
    Last,
    Latest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TimeUnit {
    S,
    Ms,
}
