//! Helpers of all topics: running the program, the servers that it talks to, certificates, files.

pub(crate) mod async_server;
pub(crate) mod certificates;
pub(crate) mod crontab;
pub(crate) mod fault_server;
pub(crate) mod files;
pub(crate) mod grpc_server;
pub(crate) mod markdown;
pub(crate) mod metrics;
pub(crate) mod openssl;
pub(crate) mod probe;
pub(crate) mod program;
pub(crate) mod receiver;
pub(crate) mod records;
pub(crate) mod reflection_server;
pub(crate) mod rejects;
pub(crate) mod tcp_server;
pub(crate) mod terminal;
pub(crate) mod tls_server;
