//! What can be the matter, whose fault it is, and what helps.

use crate::Address;
use crate::link::Down;

/// Why something was not done. The text names the thing and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no system bus, or it does not talk to this process.
    #[error(
        "the D-Bus system bus does not answer ({0}), and Bluetooth is reached through it: start it with \
         `sudo systemctl start dbus`; in a container, pass /run/dbus/system_bus_socket in"
    )]
    NoBus(String),
    /// Nobody owns `org.bluez`.
    #[error(
        "BlueZ, the Bluetooth service, is not running: start it with `sudo systemctl start bluetooth` \
         (not there? `sudo apt install bluez`)"
    )]
    NoBluez,
    /// BlueZ runs and has no adapter.
    #[error(
        "this machine has no Bluetooth adapter: plug one in, or look why its driver fails with \
         `sudo dmesg | grep -i bluetooth`"
    )]
    NoAdapter,
    /// Not the one that was asked for.
    #[error("there is no adapter {wanted}; there is {}", list(.there))]
    NoSuchAdapter {
        /// As asked for.
        wanted: String,
        /// Those that exist.
        there: Vec<String>,
    },
    /// It is switched off in software.
    #[error("the Bluetooth adapter {0} is off: switch it on with `bluetoothctl power on`")]
    AdapterOff(String),
    /// rfkill holds it off.
    #[error("the Bluetooth adapter {0} is blocked: free it with `rfkill unblock bluetooth`")]
    Blocked(String),
    /// A switch of the machine holds it off.
    #[error(
        "the Bluetooth adapter {0} is blocked by a switch of this machine: look for a key or a slider \
         with the wireless sign, or in the BIOS; no command can free it"
    )]
    HardBlocked(String),
    /// The bus or polkit says no.
    #[error(
        "this user may not use Bluetooth ({0}): join its group with `sudo usermod -aG bluetooth $USER` \
         and log in again, or run as the user who is logged in at the screen"
    )]
    NoPermission(String),
    /// BlueZ knows no such device.
    #[error(
        "{0} is not known here: switch the speaker to pairing (usually a long press on its Bluetooth key) \
         and run `antiphon bluetooth scan`"
    )]
    Unknown(Who),
    /// It was never paired with this machine.
    #[error(
        "{0} is not paired: switch it to pairing, then `antiphon bluetooth pair {address}`",
        address = .0.address
    )]
    NotPaired(Who),
    /// It does not answer pages.
    #[error("{0} does not answer: is it on, charged and near? If so, a phone may hold it")]
    OutOfRange(Who),
    /// It answers and refuses.
    #[error(
        "{0} refuses the connection: most likely a phone or another computer holds it; disconnect it \
         there, or switch the speaker off and on"
    )]
    HeldElsewhere(Who),
    /// The key that this machine keeps is not the speaker's.
    #[error(
        "{0} has forgotten this machine, or was paired anew elsewhere: forget it here with `antiphon \
         bluetooth forget {address}`, switch it to pairing, then `antiphon bluetooth pair {address}`",
        address = .0.address
    )]
    StaleBond(Who),
    /// The keys do not agree.
    #[error("{0} refused the PIN: try again; its manual has the PIN, often 0000 or 1234")]
    WrongPin(Who),
    /// The speaker, or the person, said no.
    #[error(
        "{0} rejected the pairing: switch it to pairing (a long press on its Bluetooth key) and try again"
    )]
    PairingRejected(Who),
    /// Nobody answered in time.
    #[error("pairing with {0} took too long: bring it near, switch it to pairing again and repeat")]
    PairingTimeout(Who),
    /// A PIN was asked for where nobody can type.
    #[error("{0} wants a PIN or a look at its digits: run `antiphon bluetooth pair {address}` in a terminal", address = .0.address)]
    PinWanted(Who),
    /// It sends music and does not play any.
    #[error("{0} is a source of audio (a phone, a player), not a speaker: choose another device")]
    SourceOnly(Who),
    /// It has nothing to do with audio.
    #[error("{0} is no audio device: choose another")]
    NotAudio(Who),
    /// Its sinks speak no codec of ours; the standard demands SBC of every one.
    #[error("{0} offers no SBC, which every speaker must: switch it off and on; its firmware is at fault")]
    NoSbc(Who),
    /// The desktop has it.
    #[error(
        "{0} is taken by the desktop's sound server: leave Antiphon running and restart that one with \
         `systemctl --user restart wireplumber pipewire` (or `pulseaudio -k`), it then comes second"
    )]
    OtherSoundServer(Who),
    /// The connection stands and no stream was offered.
    #[error("{0} is connected and opens no audio stream: switch it off and on")]
    NoStream(Who),
    /// It was there and is not.
    #[error("{0} is gone: switched off, or out of reach; it is connected again when it returns")]
    LinkLost(Who),
    /// It was agreed with before another speaker's limits were known.
    #[error("{0} is agreed with anew: another speaker of the group cannot do its sample rate")]
    OtherRate(Who),
    /// The adapter went away during the work.
    #[error("the Bluetooth adapter {0} is gone: plug it in again")]
    AdapterGone(String),
    /// Something else is going on with it.
    #[error("{0} is busy with another connection or pairing: wait ten seconds and try again")]
    Busy(Who),
    /// What BlueZ said in its own words.
    #[error("{who}: BlueZ says {said:?}; `journalctl -u bluetooth -n 50` may have more")]
    Other {
        /// Of whom.
        who: Who,
        /// The error's name and message.
        said: String,
    },
}

/// A device, by what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The device.
    pub address: Address,
    /// Its name, where it has told one.
    pub name: Option<String>,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?} ({})", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

impl Trouble {
    /// Whether a person has to do something; else it mends itself when the world does.
    pub fn needs_help(&self) -> bool {
        !matches!(
            self,
            Self::OutOfRange(_) | Self::LinkLost(_) | Self::Busy(_) | Self::NoStream(_) | Self::OtherRate(_)
        )
    }

    /// As the state of a link.
    pub fn down(&self) -> Down {
        Down { why: self.to_string(), needs_help: self.needs_help() }
    }
}

/// What was tried when an error came: the same words mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Pairing,
    Connecting,
}

/// Reads an error of BlueZ about a device.
pub(crate) fn about_device(error: &zbus::Error, doing: Doing, who: &Who) -> Trouble {
    let (name, said) = words(error);
    let short = name.rsplit('.').next().unwrap_or_default();
    let has = |part: &str| said.contains(part);
    let who = who.clone();
    match short {
        "AccessDenied" | "InteractiveAuthorizationRequired" => Trouble::NoPermission(said),
        "ServiceUnknown" | "NameHasNoOwner" | "NoReply" | "Disconnected" => Trouble::NoBluez,
        "UnknownObject" | "UnknownMethod" | "DoesNotExist" => Trouble::Unknown(who),
        "AuthenticationRejected" => Trouble::PairingRejected(who),
        "AuthenticationCanceled" => Trouble::PairingRejected(who),
        "AuthenticationTimeout" => Trouble::PairingTimeout(who),
        "AuthenticationFailed" if doing == Doing::Pairing => Trouble::WrongPin(who),
        "AuthenticationFailed" => Trouble::StaleBond(who),
        "InProgress" => Trouble::Busy(who),
        "NotReady" => Trouble::AdapterOff("of this machine".into()),
        "ProfileUnavailable" | "NotAvailable" => Trouble::NotAudio(who),
        _ if has("key-missing") => Trouble::StaleBond(who),
        _ if has("adapter-not-powered") => Trouble::AdapterOff("of this machine".into()),
        _ if has("profile-unavailable") => Trouble::NotAudio(who),
        _ if has("page-timeout") || has("Page Timeout") || has("Host is down") => Trouble::OutOfRange(who),
        _ if has("connection-timeout") || has("timed out") => Trouble::OutOfRange(who),
        _ if has("refused") || has("Too many links") || has("concurrent-connection-limit") => {
            Trouble::HeldElsewhere(who)
        }
        _ if has("aborted-by-remote") || has("reset by peer") => Trouble::HeldElsewhere(who),
        _ if has("br-connection-busy") || has("resource busy") => Trouble::Busy(who),
        _ if has("create-socket") || has("Input/output error") => Trouble::OtherSoundServer(who),
        _ => Trouble::Other { who, said: if said.is_empty() { name } else { said } },
    }
}

/// Reads an error of the bus that concerns no device.
pub(crate) fn about_bus(error: &zbus::Error) -> Trouble {
    let (name, said) = words(error);
    match name.rsplit('.').next().unwrap_or_default() {
        "AccessDenied" | "InteractiveAuthorizationRequired" => Trouble::NoPermission(said),
        "ServiceUnknown"
        | "NameHasNoOwner"
        | "NoReply"
        | "Disconnected"
        | "UnknownObject"
        | "UnknownMethod"
        | "SpawnServiceNotFound"
        | "SpawnChildExited"
        | "SpawnFailed" => Trouble::NoBluez,
        _ => Trouble::NoBus(if said.is_empty() { name } else { said }),
    }
}

/// The error's D-Bus name and message; an error of this side has no name.
pub(crate) fn words(error: &zbus::Error) -> (String, String) {
    match error {
        zbus::Error::MethodError(name, said, _) => (name.to_string(), said.clone().unwrap_or_default()),
        zbus::Error::FDO(known) => {
            use zbus::DBusError;
            (known.name().to_string(), known.description().unwrap_or_default().to_owned())
        }
        other => (String::new(), other.to_string()),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
