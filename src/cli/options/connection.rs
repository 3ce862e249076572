//! The options of the connection and of the contract.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::super::values;
use crate::{endpoint::Endpoint, metadata::HeaderSource, user_path::UserPath};

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(in crate::cli) struct ConnectionArgs {
    /// The server: HOST:PORT, [IPV6]:PORT, https://HOST[:PORT] or unix:PATH
    #[arg(short, long, value_name = "HOST:PORT", value_parser = Endpoint::parse)]
    pub(in crate::cli) server: Option<Endpoint>,

    /// Trust these certificates and only these: a CA, or the server's own [repeatable; default:
    /// the operating system's trust store]
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) cacert: Vec<UserPath>,

    /// Client certificate, with its chain; the file may hold the private key too
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) cert: Option<UserPath>,

    /// The client certificate's private key; the file may hold the certificate too
    #[arg(long, value_name = "PEM", value_parser = values::secret_path())]
    pub(in crate::cli) key: Option<UserPath>,

    /// The name to send as SNI, to verify and to use as :authority [default: the server's host]
    #[arg(
        long, value_name = "NAME", visible_alias = "ssl-target-name-override",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(in crate::cli) servername: Option<String>,

    /// The :authority alone [default: --servername, else HOST:PORT]
    #[arg(long, value_name = "NAME", value_parser = values::parse_authority)]
    pub(in crate::cli) authority: Option<http::uri::Authority>,

    /// Accept a CA-issued certificate without a subject alternative name by its common name
    #[arg(long)]
    pub(in crate::cli) allow_common_name: bool,

    /// TLS without verifying the server
    #[arg(short = 'k', long)]
    pub(in crate::cli) insecure: bool,

    /// No TLS
    #[arg(long, conflicts_with_all = ["cacert", "cert", "key", "allow_common_name", "insecure"])]
    pub(in crate::cli) plaintext: bool,

    /// Request metadata 'name: value', or @FILE with one a line; values of -bin names are base64
    /// [repeatable]
    #[arg(short = 'H', long, value_name = "HEADER")]
    pub(in crate::cli) header: Vec<HeaderSource>,

    /// Send the file's text as 'authorization: Bearer ...'
    #[arg(long, value_name = "FILE", value_parser = values::secret_path())]
    pub(in crate::cli) bearer_token_file: Option<UserPath>,

    /// Put before the program's own user agent
    #[arg(short = 'A', long, value_name = "TEXT")]
    pub(in crate::cli) user_agent: Option<String>,

    /// Compress request messages
    #[arg(long, value_name = "ENCODING", value_parser = ["gzip"])]
    pub(in crate::cli) compress: Option<String>,

    /// The path of the call [default: /Internal/UpdateSensorExpireTime, or the contract's]
    #[arg(long, value_name = "/PKG.SERVICE/METHOD", value_parser = values::parse_method)]
    pub(in crate::cli) method: Option<http::uri::PathAndQuery>,

    /// Take the contract from this .proto file: the call's path, and its messages' fields and types
    /// [default: the built-in proto/sensor.proto]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["protoset", "reflection"])]
    pub(in crate::cli) proto: Option<PathBuf>,

    /// Where to look for the .proto file's imports, before its own folder [repeatable]
    // clap drops a requirement if the required option conflicts with a given one.
    #[arg(
        long, value_name = "DIR", requires = "proto",
        conflicts_with_all = ["protoset", "reflection"]
    )]
    pub(in crate::cli) import_path: Vec<PathBuf>,

    /// Take the contract from this descriptor set, as protoc writes it, with its imports
    #[arg(long, value_name = "FILE", conflicts_with = "reflection")]
    pub(in crate::cli) protoset: Option<PathBuf>,

    /// Take the contract from the server, by gRPC server reflection
    #[arg(long)]
    pub(in crate::cli) reflection: bool,

    /// Go through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT [default: HTTPS_PROXY or
    /// ALL_PROXY of the environment, but never to this machine itself; NO_PROXY limits both]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) proxy: Option<String>,

    /// Ask the connection for a sign of life this often while requests are open; at least 10s
    /// [default: off]
    #[arg(long, value_name = "DUR", value_parser = values::parse_keepalive_interval)]
    pub(in crate::cli) keepalive_time: Option<Duration>,

    /// For DNS, TCP, the proxy and TLS, until the server's HTTP/2 SETTINGS
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = values::parse_timeout)]
    pub(in crate::cli) connect_timeout: Duration,

    /// One request's deadline, sent to the server too
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = values::parse_timeout)]
    pub(in crate::cli) timeout: Duration,
}
