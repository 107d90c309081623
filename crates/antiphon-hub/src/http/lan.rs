//! Where others in the network reach this hub, and by which names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use antiphon_base::SpeakerId;

/// An address that nobody has (RFC 5737): connecting a UDP socket to it sends nothing and tells by which of
/// its addresses this machine would go out.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 9);

/// Where another machine reaches `listen`; `None` where that is for this machine only, or there is no network.
pub fn address(listen: SocketAddr) -> Option<SocketAddr> {
    let ip = match listen.ip() {
        ip if ip.is_loopback() => return None,
        ip if ip.is_unspecified() => outgoing()?,
        ip => ip,
    };
    Some(SocketAddr::new(ip, listen.port()))
}

fn outgoing() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

/// The names of this machine in its network, in lower case: its own, and the one that mDNS announces.
pub fn names(hub: SpeakerId, port: u16) -> Vec<String> {
    let id = hub.to_string();
    let mut names = vec![format!("antiphon-{}-{port}.local", id.chars().take(16).collect::<String>())];
    if let Ok(machine) = nix::sys::utsname::uname() {
        let name = machine.nodename().to_string_lossy().to_lowercase();
        let short = name.split('.').next().unwrap_or_default().to_owned();
        if !short.is_empty() {
            names.extend([format!("{short}.local"), short, name]);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_for_this_machine_only_has_no_address_for_others() {
        assert_eq!(address("127.0.0.1:7755".parse().unwrap()), None);
        let own = "192.168.1.20:7755".parse().unwrap();
        assert_eq!(address(own), Some(own));
    }

    #[test]
    fn this_machine_is_known_by_its_name() {
        let names = names(SpeakerId([7; 16]), 7755);
        assert_eq!(names[0], "antiphon-0707070707070707-7755.local");
        assert!(names.iter().all(|name| !name.is_empty() && *name == name.to_lowercase()));
    }
}
