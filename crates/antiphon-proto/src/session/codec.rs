//! The codecs that a speaker may be sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How media are coded. In JSON and in text: `l16`, `l24`, `flac`, `opus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Linear PCM, 16 bits, big-endian (RFC 3551, section 4.5.11).
    L16,
    /// Linear PCM, 24 bits, big-endian (RFC 3190, section 4). The default: lossless, no delay, and no packet
    /// depends on another.
    #[default]
    L24,
    /// FLAC (RFC 9639), one frame a packet, or a frame in fragments.
    Flac,
    /// Opus (RFC 7587), 10 ms a packet.
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::L16, Self::L24, Self::Flac, Self::Opus];

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::L16 => "l16",
            Self::L24 => "l24",
            Self::Flac => "flac",
            Self::Opus => "opus",
        }
    }

    /// Whether a packet decodes without those before it.
    pub fn is_stateless(self) -> bool {
        self != Self::Opus
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec {0:?}: use l16, l24, flac, or opus")]
pub struct ParseCodecError(String);

impl FromStr for Codec {
    type Err = ParseCodecError;

    fn from_str(s: &str) -> Result<Self, ParseCodecError> {
        let found = Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(s));
        found.ok_or_else(|| ParseCodecError(s.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_read_as_it_is_written_in_text_and_in_json() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse(), Ok(codec));
            assert_eq!(serde_json::to_string(&codec).unwrap(), format!("\"{codec}\""));
        }
        assert!("mp3".parse::<Codec>().unwrap_err().to_string().contains("\"mp3\""));
    }
}
