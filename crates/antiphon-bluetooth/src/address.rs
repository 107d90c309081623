//! A Bluetooth device's address.

use std::fmt;
use std::str::FromStr;

/// 48 bits that name a device for ever, as in `AA:BB:CC:DD:EE:FF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 6]);

/// What is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no Bluetooth address: write six pairs of hex digits, as in AA:BB:CC:DD:EE:FF")]
pub struct ParseAddressError(String);

impl FromStr for Address {
    type Err = ParseAddressError;

    /// Colons, hyphens or underscores between the pairs, in either case.
    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError(text.chars().take(40).collect());
        let mut octets = [0; 6];
        let mut parts = text.trim().split([':', '-', '_']);
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() { Err(wrong()) } else { Ok(Self(octets)) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_and_programs_write_it() {
        for text in ["0a:1B:2c:3D:4e:5F", "0A-1B-2C-3D-4E-5F", "0A_1B_2C_3D_4E_5F", " 0A:1B:2C:3D:4E:5F "] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), "0A:1B:2C:3D:4E:5F", "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        for bad in [
            "",
            "0A:1B",
            "0A:1B:2C:3D:4E:5F:60",
            "0A:1B:2C:3D:4E:5G",
            "+A:1B:2C:3D:4E:5F",
            "\u{e4}:1:2:3:4:5",
        ] {
            assert!(bad.parse::<Address>().unwrap_err().to_string().contains("AA:BB"), "{bad}");
        }
    }
}
