//! The options of `serve`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{super::values, input::TOKEN_ENCODINGS, output::OutputArgs};
use crate::{record::TokenEncoding, user_path::UserPath};

#[derive(Debug, Args)]
#[command(next_help_heading = "Receiver")]
pub(in crate::cli) struct ServeArgs {
    /// Where to listen: ADDRESS:PORT, port 0 for a free one, or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9102", value_parser = values::parse_listen_address)]
    pub(in crate::cli) listen: crate::commands::serve::ListenAddress,

    /// Its certificate, with the chain [default: a self-signed one for localhost, 127.0.0.1 and
    /// ::1, made at start]
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) cert: Option<UserPath>,

    /// The certificate's private key
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) key: Option<UserPath>,

    /// Put the certificate to trust there before listening
    #[arg(long, value_name = "FILE", value_parser = values::output_path())]
    pub(in crate::cli) write_cacert: Option<PathBuf>,

    /// Demand a client certificate that leads to one of these
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) client_ca: Option<UserPath>,

    /// No TLS
    #[arg(long, conflicts_with_all = ["cert", "key", "write_cacert", "client_ca"])]
    pub(in crate::cli) plaintext: bool,

    /// Keep the newest time of each token in this SQLite file [default: in memory]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) store: Option<PathBuf>,

    /// On exit, write what is held as CSV, sorted by token; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) dump: Option<PathBuf>,

    /// How the dump writes tokens
    #[arg(long, value_name = "ENCODING", default_value = "utf8", value_parser = values::one_of(&TOKEN_ENCODINGS))]
    pub(in crate::cli) token_encoding: TokenEncoding,

    /// Answer with this code; records are kept all the same
    #[arg(long, value_name = "N", default_value_t, allow_negative_numbers = true)]
    pub(in crate::cli) code: i32,

    /// Answer the first N requests with UNAVAILABLE
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) fail_first: u64,

    /// Wait before each answer
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = values::parse_duration)]
    pub(in crate::cli) delay: Duration,

    /// Refuse larger request messages
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = values::parse_size)]
    pub(in crate::cli) max_message_size: usize,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,

    /// Say why a client was refused
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(in crate::cli) verbose: u8,
}
