//! This machine's sound cards, as a person chooses among them.

use ::alsa::card;
use ::alsa::ctl::{Ctl, DeviceIter};
use ::alsa::{Card, Direction};

use super::busy::Way;
use super::open::{Trouble, open_only, quietly};
use super::setup;

/// Channels of a device that may be looked at: what plays takes the first two.
const MOST_CHANNELS: u32 = 64;

/// A device that plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputCard {
    /// Its name in URIs: `hw:PCH`, or `hw:PCH,3` for a card's further devices.
    pub name: String,
    /// What a person calls it: the card's name and the device's.
    pub description: String,
    /// Its rate in hertz and its channels; else why it cannot be played to at present, for a person.
    pub state: Result<(u32, u16), String>,
}

/// The devices of all sound cards that play, in the kernel's order.
pub fn output_cards() -> Vec<OutputCard> {
    quietly(|| devices(Way::Play).into_iter().map(looked_at).collect())
}

/// The names of all devices, for suggestions: those of cards, and those of alsa-lib's own that exist everywhere.
pub(super) fn names(way: Way) -> Vec<String> {
    quietly(|| devices(way).into_iter().map(|device| device.name).collect())
}

struct Device {
    name: String,
    description: String,
}

fn devices(way: Way) -> Vec<Device> {
    // A card that goes while it is looked at is none.
    card::Iter::new().flatten().flat_map(|card| devices_of(&card, way).unwrap_or_default()).collect()
}

fn devices_of(card: &Card, way: Way) -> ::alsa::Result<Vec<Device>> {
    let ctl = Ctl::from_card(card, true)?;
    let info = ctl.card_info()?;
    let (id, card_name) = (info.get_id()?.to_owned(), info.get_name()?.to_owned());
    let direction = if way == Way::Play { Direction::Playback } else { Direction::Capture };
    let device = |number: i32| {
        let number = u32::try_from(number).ok()?;
        let info = ctl.pcm_info(number, 0, direction).ok()?;
        let name = if number == 0 { format!("hw:{id}") } else { format!("hw:{id},{number}") };
        Some(Device { name, description: described(&card_name, info.get_name().unwrap_or_default()) })
    };
    Ok(DeviceIter::new(&ctl).filter_map(device).collect())
}

fn described(card: &str, device: &str) -> String {
    match device {
        "" => card.to_owned(),
        same if same == card => card.to_owned(),
        device => format!("{card}, {device}"),
    }
}

/// Opens it for a moment: that is what "can be used now" means.
fn looked_at(device: Device) -> OutputCard {
    let probed = open_only(&device.name, Way::Play)
        .and_then(|pcm| setup::probe(&pcm, MOST_CHANNELS).map_err(Trouble::from));
    OutputCard {
        name: device.name,
        description: device.description,
        state: probed.map_err(|trouble| trouble.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_by_its_card_and_by_itself_where_they_differ() {
        assert_eq!(described("HDA Intel PCH", "ALC295 Analog"), "HDA Intel PCH, ALC295 Analog");
        assert_eq!(described("USB Audio", "USB Audio"), "USB Audio");
        assert_eq!(described("Loopback", ""), "Loopback");
    }

    #[test]
    fn a_machine_with_or_without_cards_is_looked_at_without_a_word_on_the_terminal() {
        for card in output_cards() {
            assert!(card.name.starts_with("hw:"), "{card:?}");
        }
    }
}
