//! Who made a device, from the number that it tells in its Device ID record.

/// Company identifiers of makers of speakers, and of the chips in speakers whose makers have not
/// put in their own (Bluetooth SIG, Assigned Numbers, section 7.1).
const COMPANIES: [(u16, &str); 40] = [
    (10, "Cambridge Silicon Radio (chip)"),
    (15, "Broadcom (chip)"),
    (29, "Qualcomm (chip)"),
    (58, "Panasonic"),
    (70, "MediaTek (chip)"),
    (76, "Apple"),
    (85, "Plantronics"),
    (86, "Sony Ericsson"),
    (87, "Harman (JBL, Harman Kardon)"),
    (88, "Vizio"),
    (93, "Realtek (chip)"),
    (103, "GN Netcom (Jabra)"),
    (117, "Samsung"),
    (118, "Creative"),
    (130, "Sennheiser"),
    (148, "Airoha (chip)"),
    (158, "Bose"),
    (196, "LG Electronics"),
    (204, "Beats"),
    (224, "Google"),
    (259, "Bang & Olufsen"),
    (301, "Sony"),
    (336, "Pioneer"),
    (369, "Amazon"),
    (474, "Logitech (Ultimate Ears)"),
    (600, "Devialet"),
    (637, "Huawei"),
    (843, "Libratone"),
    (911, "Xiaomi"),
    (992, "Actions (chip)"),
    (1447, "Sonos"),
    (1494, "Zhuhai Jieli (chip)"),
    (1520, "Beken (chip)"),
    (1560, "Audio-Technica"),
    (1583, "Onkyo"),
    (1602, "Bluetrum (chip)"),
    (1626, "Zound (Marshall, Urbanears)"),
    (1678, "Razer"),
    (1993, "Skullcandy"),
    (2016, "Edifier"),
];

/// The maker in a modalias: `bluetooth:v038Fp...` by the Bluetooth SIG's number; the USB forum's
/// (`usb:v...`) is told as a number. What is in neither form tells nothing.
pub(crate) fn maker(modalias: &str) -> Option<String> {
    let (kind, rest) = modalias.split_once(":v")?;
    let number = u16::from_str_radix(rest.get(..4)?, 16).ok()?;
    match kind {
        "bluetooth" => Some(company(number)),
        "usb" => Some(format!("USB vendor 0x{number:04X}")),
        _ => None,
    }
}

/// The same in a PnP ID characteristic: whose number it is (1: Bluetooth SIG, 2: USB forum), number, product, version,
/// little endian.
pub(crate) fn of_pnp(bytes: &[u8]) -> Option<String> {
    let &[source, low, high, _, _, _, _] = bytes else { return None };
    let number = u16::from_le_bytes([low, high]);
    match source {
        1 => Some(company(number)),
        2 => Some(format!("USB vendor 0x{number:04X}")),
        _ => None,
    }
}

/// Whether a maker is that of the chip, not of the speaker.
pub(crate) fn is_chip(maker: &str) -> bool {
    maker.ends_with("(chip)")
}

fn company(number: u16) -> String {
    let known = COMPANIES.binary_search_by_key(&number, |(number, _)| *number);
    known.map_or_else(|_| format!("Bluetooth company 0x{number:04X}"), |at| COMPANIES[at].1.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn makers_are_found_by_the_number_that_a_device_tells() {
        assert_eq!(maker("bluetooth:v038Fp1234d0100").as_deref(), Some("Xiaomi"));
        assert_eq!(maker("bluetooth:v0057p1020d1000").as_deref(), Some("Harman (JBL, Harman Kardon)"));
        assert_eq!(maker("bluetooth:vFFF0p0000d0000").as_deref(), Some("Bluetooth company 0xFFF0"));
        assert_eq!(maker("usb:v1D6Bp0246d0542").as_deref(), Some("USB vendor 0x1D6B"));
        assert_eq!(of_pnp(&[1, 0x8f, 0x03, 0x34, 0x12, 0, 1]).as_deref(), Some("Xiaomi"));
        assert_eq!(of_pnp(&[2, 0x6b, 0x1d, 0, 0, 0, 0]).as_deref(), Some("USB vendor 0x1D6B"));
        assert!(of_pnp(&[3, 0x8f, 3, 0, 0, 0, 0]).is_none() && of_pnp(&[1, 0x8f]).is_none());
        assert!(COMPANIES.is_sorted_by_key(|(number, _)| *number));
    }

    proptest! {
        #[test]
        fn no_modalias_makes_it_panic(text in "\\PC{0,24}") {
            let _ = maker(&text);
            let _ = maker(&format!("bluetooth:v{text}"));
        }
    }
}
