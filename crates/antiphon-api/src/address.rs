//! Where a hub is.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// The port of a hub that was not told another: control over TCP, media over UDP.
pub const DEFAULT_PORT: u16 = 7755;

/// `HOST:PORT`, `HOST`, `[V6]:PORT` or an IP address; without a port it is [`DEFAULT_PORT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubAddress {
    host: String,
    port: u16,
}

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hub address: write HOST:PORT, for example 192.168.1.20:{DEFAULT_PORT}")]
pub struct ParseHubAddressError(String);

impl HubAddress {
    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Looks the host up; the first address that the system offers.
    ///
    /// # Errors
    /// A host that has no address.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        let mut found = (self.host.as_str(), self.port).to_socket_addrs()?;
        found.next().ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, format!("{} has no address", self.host))
        })
    }
}

impl From<SocketAddr> for HubAddress {
    fn from(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_string(), port: addr.port() }
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HubAddress {
    type Err = ParseHubAddressError;

    fn from_str(s: &str) -> Result<Self, ParseHubAddressError> {
        let refused = || ParseHubAddressError(s.chars().take(80).collect());
        if let Ok(addr) = s.parse::<SocketAddr>() {
            return Ok(addr.into());
        }
        if let Ok(ip) = s.parse::<std::net::IpAddr>() {
            return Ok(SocketAddr::new(ip, DEFAULT_PORT).into());
        }
        let (host, port) = match s.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| refused())?),
            None => (s, DEFAULT_PORT),
        };
        let plausible = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(plausible) || port == 0 {
            return Err(refused());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["127.0.0.1:9", "[::1]:9000", "hub.local:7755"] {
            assert_eq!(text.parse::<HubAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_missing_port_is_the_default() {
        for text in ["pi", "10.0.0.2", "fe80::1"] {
            assert_eq!(text.parse::<HubAddress>().unwrap().port(), DEFAULT_PORT, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for bad in ["", ":", ":80", "a b", "host:99999", "host:port", "http://hub:1", "x:0"] {
            let said = bad.parse::<HubAddress>().unwrap_err().to_string();
            assert!(said.contains(&format!("{bad:?}")), "{said}");
        }
    }
}
