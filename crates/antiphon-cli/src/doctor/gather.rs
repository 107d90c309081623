//! Looks at this machine. Concludes nothing, changes nothing.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use antiphon_api::DEFAULT_PORT;
use antiphon_audio::pulse::{self, ServerError};
use antiphon_bluetooth::{Bluetooth, Facts, Trouble, bluez_version};

use super::machine::{Bluez, Interface, Machine, Port, SoundServer, Switch};
use crate::bluetooth::named;
use crate::{dirs, find};

/// This machine as it is; `connect` also tries every paired speaker.
pub fn machine(connect: bool) -> Machine {
    let bluez = bluez();
    let tried = match &bluez {
        Ok(known) if connect => try_speakers(known),
        _ => Vec::new(),
    };
    Machine {
        switches: switches(Path::new("/sys/class/rfkill")),
        kernel_adapters: names(Path::new("/sys/class/bluetooth"))
            .into_iter()
            // A connection has a colon in its name.
            .filter(|name| name.starts_with("hci") && !name.contains(':'))
            .collect(),
        bluez: Some(bluez),
        bluez_version: bluez_version(),
        tried,
        programs: programs(Path::new("/proc")),
        sound_server: sound_server(),
        interfaces: interfaces(Path::new("/sys/class/net")),
        firewalls: firewalls(),
        port: port(),
        hub: find::on_this_machine().map(|hub| hub.to_string()),
        clock_source: clock_source(),
        // On a thread of its own: the priority would stay.
        real_time: thread::spawn(antiphon_net::real_time_priority).join().unwrap_or(false),
        processors: thread::available_parallelism().map_or(1, usize::from),
        state_trouble: state_trouble(),
        private_names: private_names(),
        system: system(),
    }
}

fn bluez() -> Result<Bluez, Trouble> {
    let bluetooth = Bluetooth::connect()?;
    let mut devices = bluetooth.devices()?;
    bluetooth.ask(&mut devices)?;
    Ok(Bluez { adapters: bluetooth.adapters()?, devices })
}

/// Connects each paired speaker that is not connected, and disconnects it again.
fn try_speakers(known: &Bluez) -> Vec<(String, Result<Facts, Trouble>)> {
    let Ok(bluetooth) = Bluetooth::connect() else { return Vec::new() };
    let speakers = known.devices.iter().filter(|facts| facts.may_play() && facts.paired && !facts.connected);
    speakers
        .map(|facts| {
            let outcome = bluetooth.connect_device(facts.address);
            if outcome.is_ok() {
                // It was not connected before.
                let _ = bluetooth.disconnect(facts.address);
            }
            (named(facts), outcome)
        })
        .collect()
}

/// Names of a folder's entries, sorted; none where there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A small file of the kernel's.
fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn switches(folder: &Path) -> Vec<Switch> {
    let switch = |name: String| {
        let file = |file: &str| read(folder.join(&name).join(file));
        Some(Switch {
            kind: file("type")?,
            name: file("name")?,
            soft: file("soft").as_deref() == Some("1"),
            hard: file("hard").as_deref() == Some("1"),
        })
    };
    names(folder).into_iter().filter_map(switch).collect()
}

fn programs(proc: &Path) -> Vec<String> {
    let processes = names(proc).into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
    let mut programs: Vec<String> =
        processes.filter_map(|process| read(proc.join(process).join("comm"))).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// Which programs run says nothing about it: they may be another user's.
fn sound_server() -> SoundServer {
    match pulse::output_devices() {
        Ok(devices) => SoundServer::Answers(devices.len()),
        Err(ServerError::Absent(_)) => SoundServer::Absent,
        Err(error) => SoundServer::Unusable(error.to_string()),
    }
}

/// IFF_MULTICAST of `linux/if.h`.
const IFF_MULTICAST: u32 = 0x1000;

fn interfaces(folder: &Path) -> Vec<Interface> {
    let up = |name: &String| {
        // Some drivers do not tell, and work.
        let state = read(folder.join(name).join("operstate")).unwrap_or_default();
        name != "lo" && (state == "up" || state == "unknown")
    };
    let interface = |name: String| {
        let flags = read(folder.join(&name).join("flags")).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
        let wifi =
            folder.join(&name).join("phy80211").exists() || folder.join(&name).join("wireless").exists();
        let (power_save, mhz) = if wifi { wifi_facts(&name) } else { (None, None) };
        Interface { multicast: flags & IFF_MULTICAST != 0, name, wifi, power_save, mhz }
    };
    names(folder).into_iter().filter(up).map(interface).collect()
}

/// Power save and frequency, from `iw`.
fn wifi_facts(name: &str) -> (Option<bool>, Option<u32>) {
    let told = told("iw", &["dev", name, "get", "power_save"]);
    let power_save = told.and_then(|text| match text.rsplit(' ').next()?.trim() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    });
    let link = self::told("iw", &["dev", name, "link"]);
    let mhz = link.and_then(|text| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("freq:"))?;
        line.trim().split('.').next()?.parse().ok()
    });
    (power_save, mhz)
}

/// What a program says; nothing where it is not installed.
fn told(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn firewalls() -> Vec<String> {
    let ufw =
        read("/etc/ufw/ufw.conf").is_some_and(|text| text.lines().any(|line| line.trim() == "ENABLED=yes"));
    let firewalld = programs(Path::new("/proc")).iter().any(|program| program == "firewalld");
    [(ufw, "ufw"), (firewalld, "firewalld")]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| name.to_owned())
        .collect()
}

fn port() -> Port {
    let taken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    let at = (Ipv4Addr::UNSPECIFIED, DEFAULT_PORT);
    Port {
        tcp_taken: TcpListener::bind(at).is_err_and(|error| taken(&error)),
        udp_taken: UdpSocket::bind(at).is_err_and(|error| taken(&error)),
    }
}

fn clock_source() -> Option<(String, Vec<String>)> {
    let folder = Path::new("/sys/devices/system/clocksource/clocksource0");
    let others = read(folder.join("available_clocksource")).unwrap_or_default();
    Some((read(folder.join("current_clocksource"))?, others.split_whitespace().map(str::to_owned).collect()))
}

/// Of a directory that is not there yet, the nearest above it is asked.
fn state_trouble() -> Option<String> {
    let dir = match dirs::state() {
        Ok(dir) => dir,
        Err(failure) => return Some(failure.message),
    };
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let denied = nix::unistd::access(there, nix::unistd::AccessFlags::W_OK).err();
    denied.map(|error| format!("{}: {error}", there.display()))
}

fn private_names() -> Vec<String> {
    let host = nix::sys::utsname::uname().map(|names| names.nodename().to_string_lossy().into_owned());
    let user = ["USER", "LOGNAME"].iter().filter_map(|name| std::env::var(name).ok());
    let home = std::env::var("HOME").ok();
    host.into_iter().chain(user).chain(home).filter(|name| name.len() > 1).collect()
}

fn system() -> String {
    let kernel = nix::sys::utsname::uname().map(|names| {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        format!("{} {} {}", text(names.sysname()), text(names.release()), text(names.machine()))
    });
    let release = read("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel = kernel.unwrap_or_else(|_| "Linux".into());
    pretty.map_or(kernel.clone(), |pretty| format!("{kernel}; {}", pretty.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn the_kernels_folders_are_read() {
        let folder = tempfile::tempdir().unwrap();
        put(
            folder.path(),
            &[
                ("rfkill/rfkill0/type", "bluetooth"),
                ("rfkill/rfkill0/name", "hci0"),
                ("rfkill/rfkill0/soft", "1"),
                ("rfkill/rfkill0/hard", "0"),
                ("net/lo/operstate", "unknown"),
                ("net/eth0/operstate", "up"),
                ("net/eth0/flags", "0x1003"),
                ("net/eth1/operstate", "down"),
                ("net/tun0/operstate", "unknown"),
                ("net/tun0/flags", "nonsense"),
                ("proc/1/comm", "systemd"),
                ("proc/22/comm", "snapserver"),
                ("proc/self/comm", "not counted"),
            ],
        );
        let read = switches(&folder.path().join("rfkill"));
        assert_eq!(read, [Switch { kind: "bluetooth".into(), name: "hci0".into(), soft: true, hard: false }]);
        let interfaces = interfaces(&folder.path().join("net"));
        let multicast: Vec<_> = interfaces.iter().map(|i| (i.name.as_str(), i.multicast)).collect();
        assert_eq!(multicast, [("eth0", true), ("tun0", false)]);
        assert_eq!(programs(&folder.path().join("proc")), ["snapserver", "systemd"]);
        assert!(switches(&folder.path().join("absent")).is_empty());
    }

    #[test]
    fn this_machine_whatever_it_is_can_be_looked_at() {
        let machine = machine(false);
        assert!(machine.processors >= 1 && !machine.programs.is_empty() && machine.bluez.is_some());
    }
}
