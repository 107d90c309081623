//! The addresses by which others in the house reach this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// How the names of interfaces begin behind which there is no house: containers, virtual machines, tunnels.
const INSIDE: [&str; 13] = [
    "br-",
    "cni",
    "docker",
    "flannel",
    "lxc",
    "lxdbr",
    "podman",
    "tailscale",
    "tun",
    "veth",
    "virbr",
    "vmnet",
    "wg",
];

/// A documentation address (RFC 5737): where a packet to anywhere would leave, without sending one.
const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The addresses by which other machines of the network reach this one, the likeliest first: that of the way out, then
/// IPv4, then IPv6. Not those of the loopback, of containers and tunnels, nor those that need a zone.
fn lan_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let mut found: Vec<IpAddr> = Vec::new();
    for interface in interfaces {
        let outside = interface.flags.contains(InterfaceFlags::IFF_UP)
            && !interface.flags.intersects(InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT)
            && !INSIDE.iter().any(|inside| interface.interface_name.starts_with(inside));
        let address = interface.address.filter(|_| outside).and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        found.extend(address.filter(|address| is_reachable(*address)));
    }
    let way_out = way_out();
    found.sort_by_key(|address| (Some(*address) != way_out, address.is_ipv6(), *address));
    found.dedup();
    found
}

/// Where other machines of the network are likeliest to reach what listens at `listen` here; `None` where that is for
/// this machine only, or there is no network.
pub fn lan_address(listen: SocketAddr) -> Option<SocketAddr> {
    let own = listen.ip();
    let ip = match own {
        ip if ip.is_loopback() => return None,
        ip if ip.is_unspecified() => {
            lan_addresses().into_iter().find(|address| own.is_ipv6() || address.is_ipv4())?
        }
        ip => ip,
    };
    Some(SocketAddr::new(ip, listen.port()))
}

fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

fn way_out() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ANYWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_to_this_machine_only_has_no_address_for_others() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(lan_address(at("127.0.0.1:7755")), None);
        assert_eq!(lan_address(at("[::1]:7755")), None);
        assert_eq!(lan_address(at("192.168.1.20:7755")), Some(at("192.168.1.20:7755")));
        let anywhere = lan_address(at("0.0.0.0:7755"));
        assert!(anywhere.is_none_or(|at| at.is_ipv4() && at.port() == 7755 && !at.ip().is_loopback()));
    }

    #[test]
    fn an_address_that_others_reach_is_not_the_loopback_and_needs_no_zone() {
        for address in lan_addresses() {
            assert!(!address.is_loopback() && is_reachable(address), "{address}");
        }
        assert!(!is_reachable("fe80::1".parse().unwrap()) && !is_reachable("169.254.1.1".parse().unwrap()));
        assert!(is_reachable("192.168.1.20".parse().unwrap()));
    }
}
