//! Which hub is meant.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use antiphon_api::{Client, DEFAULT_PORT, HubAddress, LocalReply, LocalRequest, local};
use antiphon_net::discovery;

use crate::dirs;
use crate::exit::{Exit, Failure};

/// A hub on this machine takes a connection at once.
const LOCAL_PATIENCE: Duration = Duration::from_millis(300);

/// Multicast answers come within half a second on any network that passes them.
const NETWORK_PATIENCE: Duration = Duration::from_millis(1_500);

/// A client of the hub named, of the one on this machine, or of one in the network.
///
/// # Errors
/// There is none.
pub fn client(given: Option<&HubAddress>) -> Result<Client, Failure> {
    if let Some(hub) = given.cloned().or_else(on_this_machine).or_else(in_the_network) {
        return Ok(Client::new(hub));
    }
    let message = "no hub runs on this machine and none was found in the network; start one with `antiphon hub`, \
                   or name one with --hub HOST:PORT";
    Err(Failure::new(Exit::HubUnreachable, message))
}

/// The hub of this user, or whichever has the usual port.
pub fn on_this_machine() -> Option<HubAddress> {
    let asked =
        dirs::runtime().ok().map(|dir| local::ask(&local::socket_path(&dir), &LocalRequest::Whereabouts));
    if let Some(Ok(LocalReply::Here { address, .. })) = asked {
        return address.parse().ok();
    }
    // With directories of its own, a test must not meet the hub of the house.
    if std::env::var_os("ANTIPHON_RUNTIME_DIR").is_some() {
        return None;
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    TcpStream::connect_timeout(&usual, LOCAL_PATIENCE).ok().map(|_| usual.into())
}

fn in_the_network() -> Option<HubAddress> {
    let found = discovery::find(NETWORK_PATIENCE, |_| true).ok()??;
    found.addrs.first().copied().map(HubAddress::from)
}
