//! The DNS lookup, and the TCP connection to the first address that accepts a connection.

use std::{
    fs::File,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet};

use super::{
    error::{ConnectErrorKind, is_file_limit},
    stage_outcome::AddressFailure,
};
use crate::blocking_work::run_in_thread;

/// The time after which the next address is tried in parallel, while connecting to the earlier
/// addresses is still in progress (RFC 8305 section 5, "Connection Attempt Delay").
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);

pub(super) struct TcpConnection {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) failures: Vec<AddressFailure>,
}

/// Resolves a host to at least one address. A host that is an IP address needs no DNS lookup.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectErrorKind> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let lookup = run_in_thread(move || look_up(&name, port)).map_err(ConnectErrorKind::NoThread)?;
    let addresses = lookup.await.map_err(io::Error::other).flatten();
    let addresses = addresses.map_err(ConnectErrorKind::Io)?;
    if addresses.is_empty() {
        return Err(ConnectErrorKind::NoAddress);
    }
    Ok(addresses)
}

fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .map_err(|error| {
            // The C library reports a name without an address if it cannot open its files.
            let no_file = File::open("/dev/null").err();
            no_file.filter(is_file_limit).unwrap_or(error)
        })
}

/// Connects to the first address that accepts a connection. The next address is tried as soon as an
/// earlier address fails, and at the latest after [`NEXT_ADDRESS_DELAY`].
pub(super) async fn connect_any(
    addresses: Vec<SocketAddr>,
) -> Result<TcpConnection, ConnectErrorKind> {
    let mut failures = Vec::new();
    let mut untried = addresses.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        if let Some(address) = untried.next() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let is_last = untried.len() == 0;
        let finished = tokio::select! {
            finished = attempts.join_next() => finished,
            () = tokio::time::sleep(NEXT_ADDRESS_DELAY), if !is_last => continue,
        };
        match finished {
            Some(Ok((address, Ok(stream)))) => {
                // Each request is written in one piece, so Nagle's algorithm would only delay the
                // last TCP segment of the request.
                stream.set_nodelay(true).map_err(ConnectErrorKind::Io)?;
                return Ok(TcpConnection {
                    stream,
                    address,
                    failures,
                });
            }
            Some(Ok((address, Err(error)))) => failures.push(AddressFailure { address, error }),
            Some(Err(error)) => return Err(ConnectErrorKind::Io(error.into())),
            None => return Err(ConnectErrorKind::AllAddressesFailed(failures)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    #[tokio::test]
    async fn tries_every_address_until_one_accepts() {
        let (closed, refusing) = listen();
        drop(closed);
        let (_listener, accepting) = listen();
        let Ok(connection) = connect_any(vec![refusing, accepting]).await else {
            panic!("the second address accepts connections");
        };
        assert_eq!(connection.address, accepting);
        let failed: Vec<_> = connection
            .failures
            .iter()
            .map(|failure| failure.address)
            .collect();
        assert_eq!(failed, [refusing]);
        let Err(ConnectErrorKind::AllAddressesFailed(failures)) =
            connect_any(vec![refusing, refusing]).await
        else {
            panic!("no address accepts connections");
        };
        assert_eq!(failures.len(), 2);
    }

    #[tokio::test]
    async fn resolves_ip_address_to_itself() {
        let addresses = resolve("::1", 7).await.expect("an address");
        assert_eq!(addresses, ["[::1]:7".parse().expect("an address")]);
    }
}
