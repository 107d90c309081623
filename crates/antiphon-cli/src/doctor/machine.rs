//! What was seen of a machine. `None` is: it could not be seen.

use antiphon_bluetooth::{Adapter, BluezVersion, Facts, Trouble};

/// A machine and its speakers.
#[derive(Debug, Default)]
pub struct Machine {
    /// Radio switches of the kernel.
    pub switches: Vec<Switch>,
    /// Adapters that the kernel has, as in `hci0`, whether BlueZ runs or not.
    pub kernel_adapters: Vec<String>,
    /// What BlueZ tells; `None`: it was not asked.
    pub bluez: Option<Result<Bluez, Trouble>>,
    /// Of the installed BlueZ.
    pub bluez_version: Option<BluezVersion>,
    /// What became of connecting each paired speaker, by name, where that was tried: what it then told, or why not.
    pub tried: Vec<(String, Result<Facts, Trouble>)>,
    /// Names of all running programs, each once, sorted.
    pub programs: Vec<String>,
    /// Whether this user's sound server can be spoken with.
    pub sound_server: SoundServer,
    /// Network interfaces that are up, the loopback not among them.
    pub interfaces: Vec<Interface>,
    /// Firewalls that are on: `ufw`, `firewalld`.
    pub firewalls: Vec<String>,
    /// The port of the hub.
    pub port: Port,
    /// The address of a hub of this user, where one runs.
    pub hub: Option<String>,
    /// The kernel's clock source, and those that it could use.
    pub clock_source: Option<(String, Vec<String>)>,
    /// Whether a thread got real-time priority.
    pub real_time: bool,
    /// Processors.
    pub processors: usize,
    /// Why the state directory cannot be written to.
    pub state_trouble: Option<String>,
    /// Names that say who and where: this machine's and this user's.
    pub private_names: Vec<String>,
    /// The system, as in `Linux 6.12.9 x86_64; Debian GNU/Linux 13`.
    pub system: String,
}

/// What BlueZ tells.
#[derive(Debug, Clone, Default)]
pub struct Bluez {
    /// Its adapters.
    pub adapters: Vec<Adapter>,
    /// The devices that it knows.
    pub devices: Vec<Facts>,
}

/// What became of asking this user's sound server for its devices, as `antiphon outputs` does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SoundServer {
    /// It was not asked.
    #[default]
    Unasked,
    /// It has so many output devices.
    Answers(usize),
    /// Nobody listens.
    Absent,
    /// Why it cannot be used.
    Unusable(String),
}

/// A switch of a radio (rfkill).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switch {
    /// `bluetooth`, `wlan`, ...
    pub kind: String,
    /// As in `hci0`, `phy0`.
    pub name: String,
    /// Off by a command.
    pub soft: bool,
    /// Off by a key or a slider.
    pub hard: bool,
}

/// A network interface that is up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// As in `wlan0`.
    pub name: String,
    /// It passes multicast.
    pub multicast: bool,
    /// It is Wi-Fi.
    pub wifi: bool,
    /// Wi-Fi's power save.
    pub power_save: Option<bool>,
    /// Wi-Fi's frequency in MHz.
    pub mhz: Option<u32>,
}

/// Whether the hub's port can be had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Port {
    /// TCP is taken.
    pub tcp_taken: bool,
    /// UDP is taken.
    pub udp_taken: bool,
}

impl Machine {
    /// Whether a program of that name runs.
    pub fn runs(&self, name: &str) -> bool {
        self.programs.iter().any(|program| program == name)
    }
}
