//! Interfaces, firewalls, ports.

use antiphon_api::DEFAULT_PORT;

use super::{Findings, Level};
use crate::doctor::machine::{Interface, Machine};

pub(super) fn look(machine: &Machine, out: &mut Findings) {
    interfaces(machine, out);
    machine.interfaces.iter().filter(|one| one.wifi).for_each(|one| wifi(machine, one, out));
    firewalls(machine, out);
    port(machine, out);
}

fn interfaces(machine: &Machine, out: &mut Findings) {
    if machine.interfaces.is_empty() {
        out.add(
            Level::Warn,
            "network",
            "no network is up: speakers on other machines cannot be reached; those of this machine can",
            &["ip link"],
        );
        return;
    }
    let names = |multicast: bool| -> Vec<&str> {
        let of = machine.interfaces.iter().filter(|one| one.multicast == multicast);
        of.map(|one| one.name.as_str()).collect()
    };
    match names(true).as_slice() {
        [] => out.add(
            Level::Warn,
            "multicast",
            format!("no multicast passes ({}): hubs are not found by themselves", names(false).join(", ")),
            &["antiphon speaker --hub HOST:7755 works without."],
        ),
        some => out.pass(
            "multicast",
            format!("multicast passes ({}): hubs are found by themselves", some.join(", ")),
        ),
    }
}

/// Below this is the band that Bluetooth uses.
const BLUETOOTH_BAND_MHZ: u32 = 2_500;

fn wifi(machine: &Machine, one: &Interface, out: &mut Findings) {
    let name = &one.name;
    match one.power_save {
        Some(true) => out.add(
            Level::Warn,
            "wifi-power-save",
            format!("{name} saves power: packets wait up to 100 ms and more"),
            &[&format!("sudo iw dev {name} set power_save off")],
        ),
        Some(false) => out.pass("wifi-power-save", format!("{name} does not save power")),
        None => out.add(
            Level::Unknown,
            "wifi-power-save",
            format!("whether {name} saves power is not known"),
            &["sudo apt install iw", &format!("iw dev {name} get power_save")],
        ),
    }
    let bluetooth = !machine.kernel_adapters.is_empty();
    match one.mhz {
        Some(mhz) if mhz < BLUETOOTH_BAND_MHZ && bluetooth => out.add(
            Level::Warn,
            "wifi-band",
            format!("{name} is on {mhz} MHz, the band of Bluetooth: both drop out more"),
            &["Use the 5 GHz network of your router, or a cable."],
        ),
        Some(mhz) => out.pass("wifi-band", format!("{name} is on {mhz} MHz")),
        None => {}
    }
}

fn firewalls(machine: &Machine, out: &mut Findings) {
    for firewall in &machine.firewalls {
        let what =
            format!("the firewall {firewall} is on: speakers on other machines may not reach this hub");
        let port = DEFAULT_PORT;
        match firewall.as_str() {
            "ufw" => out.add(Level::Warn, "firewall", what, &[
                &format!("sudo ufw allow {port}/tcp"),
                &format!("sudo ufw allow {port}/udp"),
                "sudo ufw allow 5353/udp",
            ]),
            _ => out.add(Level::Warn, "firewall", what, &[
                &format!("sudo firewall-cmd --permanent --add-port={port}/tcp --add-port={port}/udp --add-service=mdns"),
                "sudo firewall-cmd --reload",
            ]),
        }
    }
    if machine.firewalls.is_empty() {
        out.pass("firewall", "neither ufw nor firewalld is on (rules set by hand are not looked at)");
    }
}

fn port(machine: &Machine, out: &mut Findings) {
    let port = machine.port;
    match (&machine.hub, port.tcp_taken || port.udp_taken) {
        (Some(hub), _) => out.pass("port", format!("a hub runs at {hub}")),
        (None, false) => out.pass("port", format!("port {DEFAULT_PORT} is free for a hub")),
        (None, true) => out.add(
            Level::Fail,
            "port",
            format!("another program holds port {DEFAULT_PORT}, which the hub wants"),
            &[&format!("sudo ss -ltnup 'sport = :{DEFAULT_PORT}'"), "antiphon hub --listen 0.0.0.0:7756"],
        ),
    }
}
