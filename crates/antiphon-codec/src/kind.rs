//! Which codecs there are, and what can go wrong with them.

use std::fmt;
use std::str::FromStr;

use antiphon_base::Frames;

/// How audio is packed between hub and speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CodecKind {
    /// 16-bit linear PCM, dithered.
    L16,
    /// 24-bit linear PCM.
    #[default]
    L24,
    /// Lossless, 24 bit.
    Flac,
    /// Lossy, for thin networks.
    Opus,
}

impl CodecKind {
    /// How far the decoder's output lies behind the encoder's input: the decoded samples of a
    /// packet belong this many frames before the packet's first frame.
    ///
    /// For Opus it is the CELT overlap of 2.5 ms (the encoder runs in its low-delay mode); it is
    /// part of the protocol, since a speaker must know it without asking the encoder.
    pub const fn delay(self) -> Frames {
        match self {
            Self::L16 | Self::L24 | Self::Flac => Frames(0),
            Self::Opus => Frames(120),
        }
    }

    /// Whether each payload decodes the same whatever came before it, in any order.
    pub const fn stateless(self) -> bool {
        !matches!(self, Self::Opus)
    }
}

impl fmt::Display for CodecKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L16 => "l16",
            Self::L24 => "l24",
            Self::Flac => "flac",
            Self::Opus => "opus",
        })
    }
}

impl FromStr for CodecKind {
    type Err = CodecError;

    fn from_str(s: &str) -> Result<Self, CodecError> {
        match s.to_ascii_lowercase().as_str() {
            "l16" => Ok(Self::L16),
            "l24" => Ok(Self::L24),
            "flac" => Ok(Self::Flac),
            "opus" => Ok(Self::Opus),
            _ => Err(CodecError::Unknown(s.chars().take(40).collect())),
        }
    }
}

/// Why something was not encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The name of no codec; the user's to correct.
    #[error("unknown codec {0:?}: use l16, l24, flac or opus")]
    Unknown(String),
    /// The codec has no stream of that many channels; the caller's fault.
    #[error("{kind} cannot carry {channels} channels: it takes 1 to {most}")]
    Channels {
        /// The codec.
        kind: CodecKind,
        /// What was asked for.
        channels: u16,
        /// The most it takes.
        most: u16,
    },
    /// The codec cannot make a packet of that many samples; the caller's fault.
    #[error("{kind} cannot carry {samples} samples of {channels} channels in one packet")]
    Length {
        /// The codec.
        kind: CodecKind,
        /// Samples given.
        samples: usize,
        /// Channels of the stream.
        channels: u16,
    },
    /// Bytes that are no payload of the stream: the sender's fault or the network's. Drop the
    /// packet, count it, go on with the next.
    #[error("not a {kind} payload: {reason}")]
    Payload {
        /// The codec.
        kind: CodecKind,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The codec itself failed on good input: our fault. Reset it and go on.
    #[error("the {kind} encoder failed: {reason}; please report it")]
    Internal {
        /// The codec.
        kind: CodecKind,
        /// What it said.
        reason: String,
    },
}
