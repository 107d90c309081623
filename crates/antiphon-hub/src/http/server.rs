//! Accepts connections, within limits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::guard::stranger;
use super::stalled::{UNREAD, Unstalled};
use super::tries::neighbour;

/// Connections at once: the hub's 512 sessions, as many clocks of browsers as there are likely to be, 256 pages that
/// listen, and room for requests, players and newcomers.
const MAX_CONNECTIONS: usize = 1_152;

/// Kept for this machine beside them: whoever looks after the hub must find it alive also where all others are taken.
const KEPT_FOR_THIS_MACHINE: usize = 16;

/// Of these, what one neighbour may hold: a rack of speakers may be one machine, and half of the places stay
/// free for others.
const MAX_OF_ONE: usize = 512;

/// A connection that has not said what it wants after this is not one of ours. On the slowest
/// network a request's headers take one round trip.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Agreeing on keys takes two round trips and some arithmetic; a phone whose person looks at a warning begins anew.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// After a failed accept (no descriptors left), others get this long to close theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the system may hold for a connection, of which it uses half for itself: half a second of uncompressed
/// stereo. Audio for a browser that falls behind waits here, where the oldest is dropped, and not in there.
const SEND_BUFFER: usize = 128 * 1_024;

/// The address at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The address of this hub that a request's connection came to.
#[derive(Debug, Clone, Copy)]
pub struct Here(pub SocketAddr);

/// Whether a request's connection is encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted(pub bool);

/// Where connections come, and with which certificate they are encrypted.
pub struct Entrance {
    /// The port.
    pub listener: TcpListener,
    /// Without it they are not.
    pub tls: Option<TlsAcceptor>,
}

/// Places for connections; all entrances share them.
#[derive(Debug, Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
    peers: Peers,
}

/// As many as there are.
pub fn places() -> Places {
    Places::of(MAX_CONNECTIONS)
}

/// What a connection holds until it ends.
type Place = (OwnedSemaphorePermit, Option<Seat>);

impl Places {
    fn of(most: usize) -> Self {
        let (all, own) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(KEPT_FOR_THIS_MACHINE)));
        Self { all, own, peers: Peers::default() }
    }

    /// A place for who comes from `stranger`, or from this machine; `None` where there is none left for it.
    fn take(&self, stranger: Option<IpAddr>) -> Option<Place> {
        let place = self.all.clone().try_acquire_owned();
        match stranger {
            Some(peer) => Some((place.ok()?, Some(self.peers.enter(peer)?))),
            None => Some((place.or_else(|_| self.own.clone().try_acquire_owned()).ok()?, None)),
        }
    }
}

/// Serves `router` at `entrance`, until cancelled.
pub async fn serve(entrance: Entrance, router: Router, places: Places) {
    loop {
        match entrance.listener.accept().await {
            Ok((stream, peer)) => {
                // A connection that is gone already has no address.
                let Ok(here) = stream.local_addr() else { continue };
                match places.take(stranger(Peer(peer), Here(here))) {
                    Some(place) => {
                        let tls = entrance.tls.clone();
                        tokio::spawn(connection(stream, (peer, here), router.clone(), tls, place));
                    }
                    // Closed at once: to wait in the queue would keep this machine waiting behind it.
                    None => tracing::debug!("there is no place for one more connection of {peer}"),
                }
            }
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How many connections each neighbour holds.
#[derive(Debug, Clone, Default)]
struct Peers(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Peers {
    /// A place for one more connection of `peer`; `None` where it has all it may have.
    fn enter(&self, peer: IpAddr) -> Option<Seat> {
        let peer = neighbour(peer);
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = peers.entry(peer).or_insert(0);
        if *held >= MAX_OF_ONE {
            return None;
        }
        *held += 1;
        Some(Seat { peers: self.clone(), peer })
    }
}

/// One connection's place among those of its neighbour.
#[derive(Debug)]
struct Seat {
    peers: Peers,
    peer: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut peers = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = peers.get_mut(&self.peer) {
            *held -= 1;
            if *held == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    (peer, here): (SocketAddr, SocketAddr),
    router: Router,
    tls: Option<TlsAcceptor>,
    _place: Place,
) {
    // Control messages are small and wanted at once.
    let _ = stream.set_nodelay(true);
    // Without this it grows to what the network takes, which is a failing of comfort only.
    let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
    let router = router
        .layer(Extension(Peer(peer)))
        .layer(Extension(Here(here)))
        .layer(Extension(Encrypted(tls.is_some())));
    let stream = Unstalled::new(stream, UNREAD);
    let Some(tls) = tls else { return requests(stream, peer, router).await };
    match tokio::time::timeout(TLS_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, peer, router).await,
        Ok(Err(error)) => tracing::debug!("{peer} and this hub agreed on no keys: {error}"),
        Err(_) => tracing::debug!("{peer} took too long to agree on keys"),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
) {
    let service = TowerToHyperService::new(router);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!("the connection from {peer} ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_cannot_take_the_places_of_all() {
        let (peers, one) = (Peers::default(), "10.0.0.9".parse().unwrap());
        let mut held: Vec<_> = std::iter::from_fn(|| peers.enter(one)).collect();
        assert_eq!(held.len(), MAX_OF_ONE);
        assert!(peers.enter("10.0.0.8".parse().unwrap()).is_some());
        held.pop();
        held.extend(peers.enter(one));
        assert_eq!(held.len(), MAX_OF_ONE, "a place that was given back");
        drop(held);
        assert!(peers.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_machine_with_many_ipv6_addresses_is_one_neighbour() {
        let peers = Peers::default();
        let ip = |n: usize| format!("fd00::{n:x}").parse().unwrap();
        let held: Vec<_> = (0..2 * MAX_OF_ONE).filter_map(|n| peers.enter(ip(n))).collect();
        assert_eq!(held.len(), MAX_OF_ONE);
    }

    #[test]
    fn where_others_hold_every_place_this_machine_still_finds_one() {
        let places = Places::of(2);
        let other = Some("10.0.0.9".parse().unwrap());
        let held = [places.take(other).unwrap(), places.take(other).unwrap()];
        assert!(places.take(other).is_none());
        let own: Vec<_> = std::iter::from_fn(|| places.take(None)).collect();
        assert_eq!(own.len(), KEPT_FOR_THIS_MACHINE);
        drop(held);
        assert!(places.take(other).is_some());
    }
}
