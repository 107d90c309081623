//! What a speaker plays of the programme.

use std::fmt;
use std::str::FromStr;

/// Which part of the programme a speaker plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// The left channel of the stereo down-mix, as one channel.
    Left,
    /// The right channel of the stereo down-mix, as one channel.
    Right,
    /// The stereo down-mix, two channels.
    #[default]
    Both,
    /// The mean of left and right, (L + R) / 2, as one channel.
    Mono,
    /// One channel of the source, counted from 1.
    Channel(u8),
}

impl Role {
    /// The most channels that a source may have: a measurement gives each of a hall's speakers one.
    pub const MAX_CHANNEL: u8 = 32;

    /// The most channels of a source that has a left and a right: more have no agreed places.
    pub const MAX_PLACED: u16 = 8;

    /// Whether a source of `channels` has what this role plays.
    pub fn is_in(self, channels: u16) -> bool {
        matches!(self, Self::Channel(_)) || channels <= Self::MAX_PLACED
    }

    /// How many channels a speaker in this role is sent.
    pub fn channels(self) -> u16 {
        if self == Self::Both { 2 } else { 1 }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::Right => f.write_str("right"),
            Self::Both => f.write_str("both"),
            Self::Mono => f.write_str("mono"),
            Self::Channel(n) => write!(f, "ch{n}"),
        }
    }
}

/// A role that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRoleError(String);

impl fmt::Display for ParseRoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown role {:?}: use left, right, both, mono, or ch1 to ch32", self.0)
    }
}

impl std::error::Error for ParseRoleError {}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(s: &str) -> Result<Self, ParseRoleError> {
        match s.to_ascii_lowercase().as_str() {
            "left" | "l" => Ok(Self::Left),
            "right" | "r" => Ok(Self::Right),
            "both" | "stereo" => Ok(Self::Both),
            "mono" => Ok(Self::Mono),
            other => match other.strip_prefix("ch").map(str::parse::<u8>) {
                Some(Ok(n)) if (1..=Self::MAX_CHANNEL).contains(&n) => Ok(Self::Channel(n)),
                _ => Err(ParseRoleError(s.chars().take(40).collect())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in [Role::Left, Role::Right, Role::Both, Role::Mono, Role::Channel(1), Role::Channel(32)] {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
    }

    #[test]
    fn channel_0_and_33_are_refused_by_name() {
        for bad in ["ch0", "ch33", "ch", "centre", ""] {
            let said = bad.parse::<Role>().unwrap_err().to_string();
            assert!(said.contains(&format!("{bad:?}")) && said.contains("ch32"), "{said}");
        }
    }
}
