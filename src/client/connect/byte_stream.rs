//! [`ByteStream`]: a common type for TCP, Unix domain socket, proxy tunnel and TLS streams.

use tokio::io::{AsyncRead, AsyncWrite};

pub(super) type ByteStream = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}
