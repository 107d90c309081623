//! What a connected device tells of itself by GATT: its Device Information service, where BlueZ shows one.
//!
//! Most speakers have none that a computer sees: it belongs to their second radio mode (LE), which their maker's
//! app uses. Each answer comes over the air from the device itself, so it may be refused, be nonsense, or never
//! come; none of that keeps a caller for longer than [`READ_TIME`].

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::bus::{Bus, CHARACTERISTIC};
use crate::tree::{Characteristic, Device, Tree};
use crate::trouble::words;
use crate::{Facts, makers};

/// What a device says of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Told {
    /// Nobody could ask: it is told over a connection alone.
    #[default]
    Unasked,
    /// The device has no such thing to read.
    NotExposed,
    /// Its own word.
    Said(String),
    /// It has it, and reading it failed: why, in words.
    Unreadable(&'static str),
}

impl Told {
    /// Its own word, where there is one.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Said(text) => Some(text),
            _ => None,
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unasked => f.write_str("not known while it is not connected"),
            Self::NotExposed => f.write_str("not exposed by this device"),
            Self::Said(text) => f.write_str(text),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// All of a device's answers together: an answer takes some tens of milliseconds, and a question that is lost
/// holds the link's other questions back for 30 s.
pub(crate) const READ_TIME: Duration = Duration::from_secs(2);

/// The Device Information service and what it has (Bluetooth SIG, Assigned Numbers, sections 3.4 and 3.8).
pub(crate) const DEVICE_INFORMATION: u16 = 0x180a;
const MODEL: u16 = 0x2a24;
const FIRMWARE: u16 = 0x2a26;
const MAKER: u16 = 0x2a29;
const PNP: u16 = 0x2a50;

/// Longer is no name and no version.
const MAX_TEXT: usize = 64;

/// Asks `device` what it is and puts its answers into `facts`.
pub(crate) async fn ask(bus: &Bus, tree: &Tree, device: Device, facts: &mut Facts) {
    facts.firmware = match (device.connected, device.services_resolved) {
        (false, _) => return,
        (true, Some(false)) => Told::Unreadable("not known yet: BlueZ is still reading its services"),
        (true, _) => Told::NotExposed,
    };
    let shown = tree.information_of(&device.path);
    let answers = join_all(shown.iter().map(|one| async move { (one.number, read(bus, one).await) })).await;
    for (number, answer) in answers {
        match number {
            FIRMWARE => facts.firmware = answer.and_then(text).map_or_else(Told::Unreadable, Told::Said),
            MODEL => facts.model = answer.and_then(text).ok(),
            MAKER => facts.maker = better_maker(facts.maker.take(), answer.and_then(text).ok()),
            PNP if facts.maker.is_none() => {
                facts.maker = answer.ok().and_then(|bytes| makers::of_pnp(&bytes));
            }
            _ => {}
        }
    }
}

/// A speaker's own word is better than its chip's number.
fn better_maker(by_number: Option<String>, by_word: Option<String>) -> Option<String> {
    match by_number {
        Some(maker) if !makers::is_chip(&maker) => Some(maker),
        other => by_word.or(other),
    }
}

async fn read(bus: &Bus, characteristic: &Characteristic) -> Result<Vec<u8>, &'static str> {
    if !characteristic.readable {
        return Err("exposed by this device, and not to be read");
    }
    let options = HashMap::<&str, zbus::Variant<'_>>::new();
    let asked = bus.call(&characteristic.path, CHARACTERISTIC, "ReadValue", &options);
    match tokio::time::timeout(READ_TIME, asked).await {
        Err(_) => Err("asked for, and not answered by this device"),
        Ok(Err(error)) => Err(refusal(&error)),
        Ok(Ok(reply)) => reply.body().deserialize().map_err(|_| NONSENSE),
    }
}

const NONSENSE: &str = "answered by this device with what is no version";

fn refusal(error: &zbus::Error) -> &'static str {
    match words(error).0.rsplit('.').next().unwrap_or_default() {
        "NotPermitted" | "NotAuthorized" | "NotSupported" => {
            "exposed by this device, and refused to this computer"
        }
        "UnknownObject" | "UnknownMethod" | "NotConnected" => "not known: it is no longer connected",
        _ => "exposed by this device, and reading it fails",
    }
}

/// A text that people can read. What comes over the air must steer no terminal and fill no screen.
fn text(bytes: Vec<u8>) -> Result<String, &'static str> {
    let text = String::from_utf8(bytes).map_err(|_| NONSENSE)?;
    let text = text.trim_end_matches('\0').trim();
    let sound = !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    if sound { Ok(text.to_owned()) } else { Err(NONSENSE) }
}

/// What [`text`] makes of an answer: for tests that try every answer there is.
#[doc(hidden)]
pub fn gatt_text(bytes: &[u8]) -> Option<String> {
    text(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_a_short_text_or_nonsense() {
        assert_eq!(text(b"SPK-MIP3-V2.18.10\0\0".to_vec()).as_deref(), Ok("SPK-MIP3-V2.18.10"));
        assert_eq!(text(b" 1.56.1 ".to_vec()).as_deref(), Ok("1.56.1"));
        for bad in [&b""[..], b"\0\0", b"\xff\xfe", b"1.2\x1b[2J", &[b'1'; 65]] {
            assert_eq!(text(bad.to_vec()), Err(NONSENSE), "{bad:?}");
        }
    }

    #[test]
    fn a_makers_number_stands_unless_it_is_that_of_its_chip() {
        let better = |number: Option<&str>, word: Option<&str>| {
            better_maker(number.map(str::to_owned), word.map(str::to_owned))
        };
        assert_eq!(better(Some("Xiaomi"), Some("ACME")).as_deref(), Some("Xiaomi"));
        assert_eq!(better(Some("Airoha (chip)"), Some("ACME")).as_deref(), Some("ACME"));
        assert_eq!(better(Some("Airoha (chip)"), None).as_deref(), Some("Airoha (chip)"));
        assert_eq!(better(None, Some("ACME")).as_deref(), Some("ACME"));
    }

    proptest! {
        #[test]
        fn no_answer_steers_a_terminal(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(text) = text(bytes) {
                prop_assert!(text.len() <= MAX_TEXT && !text.chars().any(char::is_control));
            }
        }
    }
}
