//! Names of ALSA devices: `hw:0`, `plughw:PCH,3`, `hw:CARD=PCH,DEV=0`, or whatever a configuration defines.

/// The device of a card that a name speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The card's number or id.
    pub card: &'a str,
    /// The device on it.
    pub device: u32,
}

/// What alsa-lib opens: nothing at all is its default device.
pub(super) fn pcm_name(device: &str) -> &str {
    if device.is_empty() { "default" } else { device }
}

/// The card and device in `name`, as alsa-lib's own names have them; `None` for others.
pub(super) fn place(name: &str) -> Option<Place<'_>> {
    let (_, arguments) = name.split_once(':')?;
    let argument = |key: &str, nth: usize| {
        let named = arguments.split(',').find_map(|one| one.strip_prefix(key)?.strip_prefix('='));
        named.or_else(|| arguments.split(',').nth(nth).filter(|one| !one.contains('=')))
    };
    let card = argument("CARD", 0).filter(|card| !card.is_empty())?;
    let device = argument("DEV", 1).map_or(Ok(0), str::parse).ok()?;
    Some(Place { card, device })
}

/// The same text for names of one hardware device, so that two outputs on it are known to be one card's; `index`
/// finds the number of a card by its id.
pub(crate) fn canonical(device: &str, index: impl Fn(&str) -> Option<u32>) -> String {
    let name = pcm_name(device);
    let hardware = name.starts_with("hw:").then(|| place(name)).flatten();
    let number = |place: Place<'_>| place.card.parse().ok().or_else(|| index(place.card));
    match hardware.and_then(|place| Some((number(place)?, place.device))) {
        // A subdevice is a device of its own.
        Some((card, device)) if !name.contains("SUBDEV") && name.split(',').count() < 3 => {
            format!("hw:{card},{device}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_card_and_its_device_are_found_in_all_the_forms_that_they_are_written_in() {
        for (name, card, device) in [
            ("hw:0", "0", 0),
            ("plughw:1,3", "1", 3),
            ("hw:PCH", "PCH", 0),
            ("hw:CARD=PCH,DEV=7", "PCH", 7),
            ("hdmi:CARD=NVidia,DEV=1", "NVidia", 1),
            ("hw:DEV=2,CARD=Box", "Box", 2),
            ("hw:0,1,4", "0", 1),
        ] {
            assert_eq!(place(name), Some(Place { card, device }), "{name}");
        }
        for name in ["default", "hw:", "hw:0,x", "pulse", ""] {
            assert_eq!(place(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_one_device_are_one_key() {
        let index = |id: &str| (id == "PCH").then_some(1);
        for name in ["hw:1", "hw:1,0", "hw:PCH", "hw:CARD=PCH", "hw:CARD=PCH,DEV=0"] {
            assert_eq!(canonical(name, index), "hw:1,0", "{name}");
        }
        for name in ["plughw:1", "hw:Other", "hw:1,0,2", "desk"] {
            assert_eq!(canonical(name, index), name);
        }
        assert_eq!(canonical("", index), "default");
    }

    proptest! {
        #[test]
        fn no_name_makes_the_reader_panic(name in "\\PC{0,40}", args in "(hw:)?[A-Z0-9=,]{0,20}") {
            let _ = (place(&name), canonical(&args, |_| None));
        }
    }
}
