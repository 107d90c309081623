//! Accepts connections, within limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once: the hub's 512 sessions, and room for requests, players and newcomers.
const MAX_CONNECTIONS: usize = 640;

/// A connection that has not said what it wants after this is not one of ours. On the slowest
/// network a request's headers take one round trip.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failed accept (no descriptors left), others get this long to close theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The address of this hub that a request's connection came to.
#[derive(Debug, Clone, Copy)]
pub struct Here(pub SocketAddr);

/// Serves `router` on `listener`, until cancelled.
pub async fn serve(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed, so a place always comes.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, peer, router.clone(), place));
            }
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, _place: OwnedSemaphorePermit) {
    let Ok(here) = stream.local_addr() else { return };
    // Control messages are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let router = router.layer(Extension(Peer(peer))).layer(Extension(Here(here)));
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
