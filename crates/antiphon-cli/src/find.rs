//! Which hub is meant.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use antiphon_api::{Client, DEFAULT_PORT, HubAddress, LocalReply, LocalRequest, local};
use antiphon_net::discovery;

use crate::exit::{Exit, Failure};
use crate::{access, dirs};

/// A hub on this machine takes a connection at once.
const LOCAL_PATIENCE: Duration = Duration::from_millis(300);

/// Multicast answers come within half a second on any network that passes them.
const NETWORK_PATIENCE: Duration = Duration::from_millis(1_500);

/// A client of the hub named, of the one on this machine, or of one in the network.
///
/// # Errors
/// There is none.
pub fn client(given: Option<&HubAddress>) -> Result<Client, Failure> {
    if let Some(hub) = given {
        return Ok(named(hub.clone()));
    }
    if let Some(hub) = on_this_machine() {
        return Ok(Client::new(hub));
    }
    if let Some(hub) = in_the_network() {
        let token = access::stored(&hub);
        return Ok(Client::with_token(hub, token));
    }
    let message = "no hub runs on this machine and none was found in the network; start one with `antiphon hub`, \
                   or name one with --hub HOST:PORT";
    Err(Failure::new(Exit::HubUnreachable, message))
}

/// A client of a hub that the user has named: with the token of ANTIPHON_TOKEN, or of this machine's login there.
/// A hub that was merely found is not shown a token that may be for another.
pub fn named(hub: HubAddress) -> Client {
    let given = std::env::var("ANTIPHON_TOKEN").ok().filter(|token| !token.is_empty());
    let token = given.or_else(|| access::stored(&hub));
    Client::with_token(hub, token)
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
