//! Finding hubs by DNS-SD (RFC 6763), service type `_antiphon._tcp`.
//!
//! Where multicast does not work nothing is found, in the time allowed: `--hub HOST:PORT` needs
//! none of this.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};

/// The service type.
pub const SERVICE: &str = "_antiphon._tcp.local.";

/// More hubs than this on one network are an attack or a mistake; the first are kept.
const MAX_FOUND: usize = 256;

/// A DNS label holds 63 bytes.
const MAX_NAME: usize = 63;

/// How long a goodbye may take: the caller is a program that is ending.
const GOODBYE: Duration = Duration::from_millis(300);

/// What a hub tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advert {
    /// The hub's name, for people; what exceeds 63 bytes is cut.
    pub name: String,
    /// The port of its HTTP server.
    pub port: u16,
    /// Its identity: hexadecimal, lasting.
    pub hub_id: String,
    /// The version of the session protocol; TXT key `version`.
    pub version: String,
    /// The path of the speakers' WebSocket; TXT key `path`.
    pub path: String,
}

/// A hub that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name, for people.
    pub name: String,
    /// Where it listens; the best first: IPv4, then global, then link-local IPv6.
    pub addrs: Vec<SocketAddr>,
    /// Its identity, or empty.
    pub hub_id: String,
    /// Its protocol's version, or empty.
    pub version: String,
    /// The path of the speakers' WebSocket, or empty.
    pub path: String,
}

/// Multicast DNS does not work here.
#[derive(Debug, thiserror::Error)]
#[error("cannot use multicast DNS on this machine: {0}; name the hub by --hub HOST:PORT")]
pub struct DiscoveryError(String);

impl From<mdns_sd::Error> for DiscoveryError {
    fn from(error: mdns_sd::Error) -> Self {
        Self(error.to_string())
    }
}

/// Announces a hub until it is dropped, which says goodbye.
pub struct Announcement {
    daemon: ServiceDaemon,
    fullname: String,
}

/// Announces `advert` on every interface of this machine.
///
/// # Errors
/// Multicast DNS does not work here; a hub goes on without.
pub fn advertise(advert: &Advert) -> Result<Announcement, DiscoveryError> {
    let txt = [
        ("version", advert.version.as_str()),
        ("id", &advert.hub_id),
        ("name", &advert.name),
        ("path", &advert.path),
    ];
    // A host name of our own: the machine's belongs to its own responder.
    let id = advert.hub_id.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>();
    let host = format!("antiphon-{id}-{}.local.", advert.port);
    let name = cut(&advert.name);
    let service = ServiceInfo::new(SERVICE, name, &host, "", advert.port, &txt[..])?.enable_addr_auto();
    let fullname = service.get_fullname().to_owned();
    let daemon = ServiceDaemon::new()?;
    daemon.register(service)?;
    Ok(Announcement { daemon, fullname })
}

/// Every hub that answers within `timeout`, ordered by name and address.
///
/// # Errors
/// Multicast DNS does not work here.
pub fn browse(timeout: Duration) -> Result<Vec<Found>, DiscoveryError> {
    browse_until(timeout, |_| false)
}

/// The first hub that answers within `timeout` and is `wanted`.
///
/// # Errors
/// Multicast DNS does not work here.
pub fn find(timeout: Duration, wanted: impl Fn(&Found) -> bool) -> Result<Option<Found>, DiscoveryError> {
    Ok(browse_until(timeout, &wanted)?.into_iter().find(|found| wanted(found)))
}

fn browse_until(timeout: Duration, enough: impl Fn(&Found) -> bool) -> Result<Vec<Found>, DiscoveryError> {
    let daemon = ServiceDaemon::new()?;
    let events = daemon.browse(SERVICE)?;
    let deadline = Instant::now() + timeout;
    let mut found = BTreeMap::new();
    while let Ok(event) = events.recv_deadline(deadline) {
        match event {
            ServiceEvent::ServiceResolved(service) if found.len() < MAX_FOUND => {
                let hub = read(&service);
                let last = enough(&hub);
                found.insert(service.fullname, hub);
                if last {
                    break;
                }
            }
            ServiceEvent::ServiceRemoved(_, fullname) => {
                found.remove(&fullname);
            }
            _ => {}
        }
    }
    // Its thread ends by itself.
    let _ = daemon.shutdown();
    Ok(found.into_values().filter(|hub| !hub.addrs.is_empty()).collect())
}

fn read(service: &ResolvedService) -> Found {
    let text = |key| service.txt_properties.get_property_val_str(key).unwrap_or_default().to_owned();
    let label = service.fullname.strip_suffix(SERVICE).unwrap_or(&service.fullname).trim_end_matches('.');
    let named = text("name");
    let mut addrs: Vec<_> = service.addresses.iter().map(|ip| socket_addr(ip, service.port)).collect();
    addrs.sort_by_key(|addr| (preference(addr.ip()), *addr));
    Found {
        name: if named.is_empty() { label.to_owned() } else { named },
        addrs,
        hub_id: text("id"),
        version: text("version"),
        path: text("path"),
    }
}

fn socket_addr(ip: &mdns_sd::ScopedIp, port: u16) -> SocketAddr {
    let mut addr = SocketAddr::new(ip.to_ip_addr(), port);
    if let (SocketAddr::V6(addr), mdns_sd::ScopedIp::V6(scoped)) = (&mut addr, ip)
        && addr.ip().is_unicast_link_local()
    {
        addr.set_scope_id(scoped.scope_id().index);
    }
    addr
}

fn preference(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => 1,
        IpAddr::V6(_) => 2,
    }
}

fn cut(name: &str) -> &str {
    let end = (0..=MAX_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Without an answer in time the others' caches forget the hub by themselves.
        if let Ok(done) = self.daemon.unregister(&self.fullname) {
            let _ = done.recv_timeout(GOODBYE);
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advert(name: &str) -> Advert {
        Advert {
            name: name.to_owned(),
            port: 40_404,
            hub_id: "00ff".to_owned(),
            version: "1".to_owned(),
            path: "/api/v1/speaker".to_owned(),
        }
    }

    /// Whether multicast works is the machine's business; that nothing hangs or fails is ours.
    #[test]
    fn a_hub_is_found_where_multicast_works_and_nothing_hangs_where_it_does_not() {
        let name = format!("Test hub {}", std::process::id());
        let start = Instant::now();
        let announcement = advertise(&advert(&name));
        let found = find(Duration::from_millis(2_500), |hub| hub.name == name);
        drop(announcement);
        assert!(start.elapsed() < Duration::from_secs(20));
        if let Ok(Some(hub)) = found {
            assert_eq!(
                (hub.hub_id.as_str(), hub.path.as_str(), hub.version.as_str()),
                ("00ff", "/api/v1/speaker", "1")
            );
            assert!(hub.addrs.iter().all(|addr| addr.port() == 40_404));
        }
    }

    #[test]
    fn browsing_ends_in_its_time_when_nobody_answers() {
        let start = Instant::now();
        let found = find(Duration::from_millis(200), |hub| hub.name == "nobody is called this");
        assert!(found.is_err() || found.is_ok_and(|hub| hub.is_none()));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_name_is_cut_at_a_character() {
        assert_eq!(cut(&"é".repeat(40)).len(), 62);
        assert_eq!(cut("Küche"), "Küche");
        assert_eq!(cut(""), "");
    }
}
