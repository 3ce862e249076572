//! Servers that exchange raw bytes, and ports that refuse or ignore every connection.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::{Arc, mpsc},
    thread,
};

use super::program::wait_until;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

/// Listens on a free port, and passes each connection to `serve` on a new thread. Returns the
/// address.
pub(crate) fn serve_tcp(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads until the client closes the connection. If the server closed the connection with unread
/// bytes, the connection would be reset, and the client could lose bytes that were sent to it.
pub(crate) fn drain(stream: &mut TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}

/// Starts a server that reads and never answers.
pub(crate) fn silent_server() -> String {
    serve_tcp(|mut stream| drain(&mut stream))
}

/// Starts a server that sends these bytes at once, and then reads.
pub(crate) fn server_sending(bytes: &'static [u8]) -> String {
    serve_tcp(move |mut stream| {
        let _ = stream.write_all(bytes);
        drain(&mut stream);
    })
}

/// Starts a server that waits for bytes of the client, and then sends the response. If the response
/// is empty, the server closes the connection instead.
pub(crate) fn server_answering(response: &'static [u8]) -> String {
    serve_tcp(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(response);
        if !response.is_empty() {
            drain(&mut stream);
        }
    })
}

/// Reads the head of an HTTP/1.1 request, and returns its lines.
pub(crate) fn read_http1_head(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
    lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect()
}

/// Starts a proxy that connects every client to the address `to`. Returns the address of the proxy,
/// and a channel with the head of each request that the proxy receives.
pub(crate) fn http_proxy(to: &str) -> (String, mpsc::Receiver<Vec<String>>) {
    let (record, requests) = mpsc::channel();
    let to = to.to_owned();
    let address = serve_tcp(move |mut stream| {
        let _ = record.send(read_http1_head(&stream));
        let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        forward(stream, &to);
    });
    (address, requests)
}

/// Connects to `address`, and forwards all bytes in both directions.
pub(crate) fn forward(client: TcpStream, address: &str) {
    forward_after(b"", client, address);
}

/// Forwards like [`forward`], after these first bytes of the client.
pub(crate) fn forward_after(first: &[u8], mut client: TcpStream, address: &str) {
    let mut server = TcpStream::connect(address).expect("connected");
    let _ = server.write_all(first);
    forward_responses(&server, &client);
    let _ = std::io::copy(&mut client, &mut server);
}

/// Forwards the server's bytes to the client, on a new thread.
pub(crate) fn forward_responses(server: &TcpStream, client: &TcpStream) {
    let mut server = server.try_clone().expect("cloned");
    let mut client = client.try_clone().expect("cloned");
    thread::spawn(move || std::io::copy(&mut server, &mut client));
}

/// A port that refuses every connection. The port stays bound, so no other test gets the same port.
pub(crate) struct ClosedPort {
    pub(crate) address: String,
    _socket: OwnedFd,
}

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let (socket, address) = bound_socket();
        Self {
            address: address.to_string(),
            _socket: socket,
        }
    }
}

/// A port whose connection queue is full, so the system does not answer new connections.
pub(crate) struct FullBacklog {
    pub(crate) address: String,
    /// The listener and the clients that fill its queue.
    sockets: Vec<OwnedFd>,
}

impl FullBacklog {
    pub(crate) fn new() -> Self {
        let (listener, address) = bound_socket();
        net::listen(&listener, 0).expect("listening");
        let mut sockets = vec![listener];
        sockets.extend((0..4).map(|_| {
            let client = socket();
            let _ = net::connect(&client, &address);
            client
        }));
        Self {
            address: address.to_string(),
            sockets,
        }
    }

    /// Forwards all connections to the address `to`, from the time when a client waits for the answer
    /// to its first packet. The system of the client sends this packet again after a second.
    pub(crate) fn forward_after_wait(&self, to: &str) {
        let listener = self.sockets[0].try_clone().expect("cloned");
        let listener = TcpListener::from(listener);
        listener.set_nonblocking(false).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let to = to.to_owned();
        thread::spawn(move || {
            // A remote port and the state SYN_SENT (02), as Linux writes them.
            let wanted = format!(":{port:04X} 02");
            wait_until("a client connects", || {
                let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
                table.lines().any(|line| line.contains(&wanted))
            });
            for client in listener.incoming().map_while(Result::ok) {
                let to = to.clone();
                thread::spawn(move || forward(client, &to));
            }
        });
    }
}

fn socket() -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket")
}

/// Returns a socket that is bound to a free port but does not listen yet, and its address.
fn bound_socket() -> (OwnedFd, SocketAddr) {
    let socket = socket();
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let address = net::getsockname(&socket).expect("an address");
    (socket, address.try_into().expect("an IP address"))
}
