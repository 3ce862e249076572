//! A name to addresses, addresses to a stream.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinSet};

use super::stages::{AddressFailure, ConnectErrorKind};

/// How long one address is tried alone before the next joins in (RFC 8305 section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// A stream, its address, and the addresses that failed before.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) failures: Vec<AddressFailure>,
}

pub(super) async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectErrorKind> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(ConnectErrorKind::Io)?
        .collect();
    if addresses.is_empty() {
        return Err(ConnectErrorKind::NoAddress);
    }
    Ok(addresses)
}

/// Tries the addresses in their order; each next one as soon as the one before it failed, or has
/// not answered for a while.
pub(super) async fn connect_any(addresses: Vec<SocketAddr>) -> Result<Opened, ConnectErrorKind> {
    let mut failures = Vec::new();
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let last = waiting.len() == 0;
        let ended = tokio::select! {
            ended = attempts.join_next() => ended,
            () = tokio::time::sleep(NEXT_ADDRESS), if !last => continue,
        };
        match ended {
            Some(Ok((address, Ok(stream)))) => {
                // Requests are written whole; waiting to fill a segment would only delay their ends.
                stream.set_nodelay(true).map_err(ConnectErrorKind::Io)?;
                return Ok(Opened {
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

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_tried() {
        let (closed, refuses) = listener();
        drop(closed);
        let (_open, takes) = listener();
        let Ok(opened) = connect_any(vec![refuses, takes]).await else {
            panic!("somebody is there");
        };
        assert_eq!(opened.address, takes);
        let failed: Vec<_> = opened.failures.iter().map(|one| one.address).collect();
        assert_eq!(failed, [refuses]);
        let Err(ConnectErrorKind::AllAddressesFailed(failures)) =
            connect_any(vec![refuses, refuses]).await
        else {
            panic!("nobody is there");
        };
        assert_eq!(failures.len(), 2);
    }

    #[tokio::test]
    async fn an_address_is_itself() {
        let found = look_up("::1", 7).await.expect("an address");
        assert_eq!(found, ["[::1]:7".parse().expect("an address")]);
    }
}
