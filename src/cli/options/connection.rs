//! The options of the connection, of TLS and of the contract.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};

use super::super::values;
use crate::{endpoint::Endpoint, metadata::HeaderSource, user_path::UserPath};

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(in crate::cli) struct ConnectionArgs {
    /// Connect to HOST:PORT, https://HOST or unix:PATH
    ///
    /// The default port of https:// is 443. Write an IPv6 address in brackets, such as [::1]:9102.
    /// All addresses of a host name are tried. With push, each retry starts with the next address.
    /// The server name of unix:PATH is localhost.
    #[arg(
        short, long, value_name = "HOST:PORT", value_hint = ValueHint::Hostname,
        value_parser = Endpoint::parse
    )]
    pub(in crate::cli) server: Option<Endpoint>,

    /// Connect through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT
    ///
    /// The proxy opens a tunnel (CONNECT) and resolves the name of the server. Default: the
    /// environment variable HTTPS_PROXY or ALL_PROXY, in upper or lower case, which does not apply
    /// to loopback addresses. No proxy is used for the servers in NO_PROXY.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, hide_short_help = true)]
    pub(in crate::cli) proxy: Option<String>,

    /// Limit the time to connect: DNS, TCP, proxy, TLS and HTTP/2
    ///
    /// The connection is complete when the server's HTTP/2 SETTINGS have arrived. Durations are
    /// written 500ms, 10s, 2m, 1h or 30d. A number without a unit is in seconds.
    #[arg(
        long, value_name = "DUR", default_value = "5s", hide_short_help = true,
        value_parser = values::parse_timeout
    )]
    pub(in crate::cli) connect_timeout: Duration,

    /// Limit the time of one request
    ///
    /// The deadline is also sent to the server (grpc-timeout). With push, a request that passes its
    /// deadline is retried.
    #[arg(
        long, value_name = "DUR", default_value = "10s", hide_short_help = true,
        value_parser = values::parse_timeout
    )]
    pub(in crate::cli) timeout: Duration,

    /// Send an HTTP/2 PING at this interval while requests are open; at least 10s
    ///
    /// PINGs detect a connection that was lost silently, for example in a firewall. Default: off.
    #[arg(
        long, value_name = "DUR", hide_short_help = true,
        value_parser = values::parse_keepalive_interval
    )]
    pub(in crate::cli) keepalive_time: Option<Duration>,

    /// Send this header: 'NAME: VALUE' or @FILE; repeatable
    ///
    /// Headers are the metadata of gRPC. @FILE names a file with one header on each line. The value of a header whose name ends in
    /// -bin is base64. Headers that gRPC or HTTP/2 sets itself are refused: grpc-*, te,
    /// content-type and names that begin with a colon.
    ///
    /// Example: --header 'x-tenant: north'
    #[arg(short = 'H', long, value_name = "HEADER", value_hint = ValueHint::Other)]
    pub(in crate::cli) header: Vec<HeaderSource>,

    /// Send the token in this file as the header 'authorization: Bearer TOKEN'
    ///
    /// The line break at the end of the file is not sent.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true,
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) bearer_token_file: Option<UserPath>,

    /// Put this text before the program's own user agent
    #[arg(
        short = 'A', long, value_name = "TEXT", value_hint = ValueHint::Other,
        hide_short_help = true
    )]
    pub(in crate::cli) user_agent: Option<String>,

    /// Compress requests with this encoding: gzip
    #[arg(
        long, value_name = "ENCODING", value_parser = ["gzip"], hide_short_help = true,
        hide_possible_values = true
    )]
    pub(in crate::cli) compress: Option<String>,

    /// Trust only this CA or server certificate
    ///
    /// A PEM file with one or more certificates. This option is repeatable. The server's own certificate (pinned) may be
    /// self-signed, and its common name is enough if it has no SAN. Default: the trust store of the
    /// operating system.
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS",
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) cacert: Vec<UserPath>,

    /// Present this client certificate (mTLS)
    ///
    /// A PEM file with the certificate and its chain. If the file also holds the private key, --key
    /// is not needed.
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS",
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) cert: Option<UserPath>,

    /// Use this private key of the client certificate
    ///
    /// A PEM file without a passphrase. If the file also holds the certificate, --cert is not
    /// needed.
    #[arg(
        long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS",
        value_parser = values::secret_path()
    )]
    pub(in crate::cli) key: Option<UserPath>,

    /// Verify this server name, and send it as SNI and :authority
    ///
    /// Use a name of the certificate if --server has an address or another name. With --plaintext,
    /// NAME is only the :authority. Default: the host of --server.
    #[arg(
        long, value_name = "NAME", value_hint = ValueHint::Hostname, help_heading = "TLS",
        visible_alias = "ssl-target-name-override",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(in crate::cli) servername: Option<String>,

    /// Send this :authority, without changing the server name of TLS
    ///
    /// Default: --servername if it is a valid :authority, else the host and port of --server.
    #[arg(
        long, value_name = "NAME", value_hint = ValueHint::Hostname, help_heading = "TLS",
        hide_short_help = true, value_parser = values::parse_authority
    )]
    pub(in crate::cli) authority: Option<http::uri::Authority>,

    /// Accept a CA-issued certificate without SAN by its common name
    #[arg(long, help_heading = "TLS", hide_short_help = true)]
    pub(in crate::cli) allow_common_name: bool,

    /// Do not verify the server
    ///
    /// Anyone on the network can then pose as the server and read the device tokens, so every run
    /// prints a warning, also with --quiet. Pinning the certificate with --cacert is safer.
    #[arg(short = 'k', long, help_heading = "TLS")]
    pub(in crate::cli) insecure: bool,

    /// Connect without TLS (h2c)
    ///
    /// Device tokens and headers are sent unencrypted.
    #[arg(
        long, help_heading = "TLS",
        conflicts_with_all = ["cacert", "cert", "key", "allow_common_name", "insecure"]
    )]
    pub(in crate::cli) plaintext: bool,

    /// Call this method
    ///
    /// Default: /Internal/UpdateSensorExpireTime, or the method of the contract.
    #[arg(
        long, value_name = "/PKG.SERVICE/METHOD", value_hint = ValueHint::Other,
        help_heading = "Contract", hide_short_help = true, value_parser = values::parse_method
    )]
    pub(in crate::cli) method: Option<http::uri::PathAndQuery>,

    /// Take the contract from this .proto file
    ///
    /// The contract is the path of the method, and the names, numbers and types of the fields of its
    /// messages. Default: the built-in contract, which is proto/sensor.proto in the source code.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Contract",
        hide_short_help = true, conflicts_with_all = ["protoset", "reflection"]
    )]
    pub(in crate::cli) proto: Option<PathBuf>,

    /// Search this directory for the files that --proto imports; repeatable
    ///
    /// The directory of the .proto file itself is searched last.
    // clap drops a requirement if the required option conflicts with a given one.
    #[arg(
        long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Contract",
        hide_short_help = true, requires = "proto",
        conflicts_with_all = ["protoset", "reflection"]
    )]
    pub(in crate::cli) import_path: Vec<PathBuf>,

    /// Take the contract from this descriptor set
    ///
    /// To write a descriptor set: protoc --include_imports --descriptor_set_out=FILE license.proto
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Contract",
        hide_short_help = true, conflicts_with = "reflection"
    )]
    pub(in crate::cli) protoset: Option<PathBuf>,

    /// Take the contract from the server, by gRPC server reflection
    #[arg(long, help_heading = "Contract", hide_short_help = true)]
    pub(in crate::cli) reflection: bool,
}
