//! The base of every server that runs inside the test process.

use std::thread;

use tokio::{net::TcpStream, sync::oneshot};

/// A server inside the test process. Dropping this value ends the server. Otherwise, the servers of
/// all tests together would exceed the limit of open files.
pub(crate) struct ServerTask {
    /// `127.0.0.1` and the port, as `--server` takes them.
    pub(crate) address: String,
    _stop: oneshot::Sender<()>,
}

/// Listens on a free port, and serves all connections on one thread.
pub(crate) fn serve_connections<F>(
    connection: impl Fn(TcpStream) -> F + Send + 'static,
) -> ServerTask
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    listener.set_nonblocking(true).expect("set");
    let (stop, stopped) = oneshot::channel();
    thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let accept = async {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(stream));
                }
            };
            tokio::select! {
                () = accept => {}
                _ = stopped => {}
            }
        });
    });
    ServerTask {
        address,
        _stop: stop,
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
