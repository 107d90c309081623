//! BlueZ's version, and what is known to go wrong with it.

use std::fmt;
use std::process::{Command, Stdio};

/// As in 5.66.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BluezVersion {
    /// 5.
    pub major: u16,
    /// 66.
    pub minor: u16,
}

impl fmt::Display for BluezVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.major, self.minor)
    }
}

/// Programs that tell it, each with its argument: the daemon's own word first.
const TELLERS: [(&str, &str); 4] = [
    ("/usr/libexec/bluetooth/bluetoothd", "--version"),
    ("/usr/lib/bluetooth/bluetoothd", "--version"),
    ("bluetoothd", "--version"),
    ("bluetoothctl", "--version"),
];

/// The installed BlueZ's version; `None` where no program of it tells.
pub fn bluez_version() -> Option<BluezVersion> {
    TELLERS.iter().find_map(|(program, argument)| {
        let told = Command::new(program).arg(argument).stdin(Stdio::null()).stderr(Stdio::null()).output();
        parse(&String::from_utf8_lossy(&told.ok()?.stdout))
    })
}

/// The version in `bluetoothctl: 5.66` or `5.66`.
fn parse(text: &str) -> Option<BluezVersion> {
    let (major, minor) = text.split_whitespace().last()?.split_once('.')?;
    let digits = minor.chars().take_while(char::is_ascii_digit).collect::<String>();
    Some(BluezVersion { major: major.parse().ok()?, minor: digits.parse().ok()? })
}

/// What is known to go wrong with this version, in sentences with the remedy; the numbers are
/// those of issues of BlueZ.
pub fn hazards(version: BluezVersion) -> Vec<&'static str> {
    let known: [(std::ops::RangeInclusive<u16>, &'static str); 6] = [
        (
            0..=82,
            "one endpoint serves one stream (#1037): Antiphon registers several, but a second speaker on \
             the desktop's own sound server fails; nothing to do",
        ),
        (83..=83, "speakers' delays are not shown: alignment needs a microphone; update BlueZ"),
        (83..=84, "connecting right after start can fail (#1570): Antiphon tries again; update BlueZ"),
        (86..=u16::MAX, "a speaker may be seen as a source (#1990): if so, use 5.82"),
        (86..=86, "speakers with both source and sink endpoints fail (#2335): use 5.82, or update"),
        (
            87..=87,
            "a speaker that was lost may not reconnect (#2285, #2321): `sudo systemctl restart bluetooth` \
             brings it back; update BlueZ",
        ),
    ];
    let at = match version.major {
        ..5 => 0,
        5 => version.minor,
        // Nothing is known of it.
        _ => return Vec::new(),
    };
    known.into_iter().filter(|(minors, _)| minors.contains(&at)).map(|(_, hazard)| hazard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        let expected = Some(BluezVersion { major: 5, minor: 66 });
        for text in ["5.66\n", "bluetoothctl: 5.66\n", "bluetoothd 5.66-1+deb12u2"] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in ["", "no version", "5", "five.six", "5."] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_version_has_its_own_hazards() {
        let of = |minor| hazards(BluezVersion { major: 5, minor });
        assert!(of(66).len() == 1 && of(66)[0].contains("#1037"));
        assert!(of(83).len() == 2 && of(85).is_empty() && of(87)[1].contains("#2285"));
        assert!(hazards(BluezVersion { major: 6, minor: 1 }).is_empty());
    }
}
