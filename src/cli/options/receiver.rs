//! The options of `serve`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};

use super::{
    super::values,
    input::TOKEN_ENCODINGS,
    output::{OutputArgs, describe_verbose},
};
use crate::{record::TokenEncoding, user_path::UserPath};

#[derive(Debug, Args)]
#[command(next_help_heading = "Receiver")]
#[command(mut_arg("verbose", |arg| describe_verbose(
    arg,
    "Print why a client was refused",
    "-vv is the same as -v.",
)))]
pub(in crate::cli) struct ServeArgs {
    /// Listen on this address: IP:PORT or unix:PATH
    ///
    /// Port 0 takes a free port. The receiver prints its address when it is ready.
    #[arg(
        long, value_name = "ADDR", value_hint = ValueHint::Other, default_value = "127.0.0.1:9102",
        value_parser = values::parse_listen_address
    )]
    pub(in crate::cli) listen: crate::commands::serve::ListenAddress,

    /// Present this server certificate
    ///
    /// A PEM file with the certificate and its chain. Default: a self-signed certificate for
    /// localhost, 127.0.0.1 and ::1, which is created at start.
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath,
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) cert: Option<UserPath>,

    /// Use this private key of the server certificate
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath,
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) key: Option<UserPath>,

    /// Write the server certificate to this file, for --cacert of clients
    ///
    /// The file is written before the receiver listens.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        value_parser = values::output_path()
    )]
    pub(in crate::cli) write_cacert: Option<PathBuf>,

    /// Require a client certificate that one of these CAs issued
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath,
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) client_ca: Option<UserPath>,

    /// Serve without TLS (h2c)
    #[arg(long, conflicts_with_all = ["cert", "key", "write_cacert", "client_ca"])]
    pub(in crate::cli) plaintext: bool,

    /// Keep the newest time of each token in this SQLite file
    ///
    /// Default: in memory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) store: Option<PathBuf>,

    /// Write the received records to this CSV file on exit; - is standard output
    ///
    /// The records are sorted by token. The file holds whole device tokens and has mode 0600.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) dump: Option<PathBuf>,

    /// Write the device tokens of --dump in this encoding
    #[arg(
        long, value_name = "ENC", default_value = "utf8",
        value_parser = values::one_of(&TOKEN_ENCODINGS)
    )]
    pub(in crate::cli) token_encoding: TokenEncoding,

    /// Answer each request with this response code
    ///
    /// The records are stored whatever the code is.
    #[arg(long, value_name = "N", default_value_t, allow_negative_numbers = true)]
    pub(in crate::cli) code: i32,

    /// Answer the first N requests with UNAVAILABLE
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) fail_first: u64,

    /// Wait this long before each answer
    #[arg(
        long, value_name = "DUR", default_value = "0s", value_parser = values::parse_duration
    )]
    pub(in crate::cli) delay: Duration,

    /// Refuse requests that are larger than this size
    #[arg(
        long, value_name = "SIZE", default_value = "4MiB", value_parser = values::parse_size
    )]
    pub(in crate::cli) max_message_size: usize,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}
