//! The format of raw samples, as it is typed: `s16le:48000:2`.

use std::fmt;
use std::str::FromStr;

use super::{MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ};

/// How one raw sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcmSample {
    /// Signed 16 bit, little-endian.
    S16le,
    /// Signed 24 bit in 3 bytes, little-endian.
    S24le,
    /// Signed 32 bit, little-endian.
    S32le,
    /// 32-bit float, little-endian, full scale +-1.
    F32le,
}

impl PcmSample {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::S16le => 2,
            Self::S24le => 3,
            Self::S32le | Self::F32le => 4,
        }
    }

    /// The value of one sample; `bytes` has [`bytes`](Self::bytes) bytes.
    pub(super) fn value(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::S16le, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Self::S24le, &[a, b, c]) => (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0,
            (Self::S32le, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            (Self::F32le, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            _ => 0.0,
        }
    }
}

/// What raw samples are: they carry no header to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmFormat {
    /// How a sample is written.
    pub sample: PcmSample,
    /// Frames a second, 8,000 to 192,000.
    pub rate: u32,
    /// Interleaved channels in WAVE order, 1 to 8.
    pub channels: u16,
}

impl PcmFormat {
    /// Bytes of a frame.
    pub const fn frame_bytes(self) -> usize {
        self.sample.bytes() * self.channels as usize
    }
}

impl fmt::Display for PcmFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sample = match self.sample {
            PcmSample::S16le => "s16le",
            PcmSample::S24le => "s24le",
            PcmSample::S32le => "s32le",
            PcmSample::F32le => "f32le",
        };
        write!(f, "{sample}:{}:{}", self.rate, self.channels)
    }
}

/// A text that is no raw format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no sample format, its {part} is wrong: write SAMPLE:RATE:CHANNELS such as s16le:48000:2, with \
     s16le, s24le, s32le or f32le, {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, 1 to {MAX_CHANNELS} channels"
)]
pub struct ParsePcmFormatError {
    /// What was given, at most 40 characters of it.
    pub given: String,
    /// Which part of it is wrong.
    pub part: &'static str,
}

impl FromStr for PcmFormat {
    type Err = ParsePcmFormatError;

    fn from_str(s: &str) -> Result<Self, ParsePcmFormatError> {
        let wrong = |part| ParsePcmFormatError { given: s.chars().take(40).collect(), part };
        let mut parts = s.split(':');
        let (Some(sample), Some(rate), Some(channels), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("number of parts"));
        };
        let sample = match sample.to_ascii_lowercase().as_str() {
            "s16le" => PcmSample::S16le,
            "s24le" => PcmSample::S24le,
            "s32le" => PcmSample::S32le,
            "f32le" => PcmSample::F32le,
            _ => return Err(wrong("sample")),
        };
        let rate = rate.parse().ok().filter(|hz| (MIN_RATE_HZ..=MAX_RATE_HZ).contains(hz));
        let channels = channels.parse().ok().filter(|n| (1..=MAX_CHANNELS).contains(n));
        Ok(Self {
            sample,
            rate: rate.ok_or_else(|| wrong("rate"))?,
            channels: channels.ok_or_else(|| wrong("number of channels"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_as_it_is_written() {
        for text in ["s16le:48000:2", "s24le:44100:1", "s32le:192000:8", "f32le:8000:6"] {
            assert_eq!(text.parse::<PcmFormat>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_format_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "number of parts"),
            ("s16le", "number of parts"),
            ("s16le:48000:2:1", "number of parts"),
            ("u8:48000:2", "sample"),
            ("s16le:7999:2", "rate"),
            ("s16le:-1:2", "rate"),
            ("s16le:48000:0", "number of channels"),
            ("s16le:48000:64", "number of channels"),
        ] {
            let error = text.parse::<PcmFormat>().unwrap_err();
            assert_eq!(error.part, part, "{text}");
            assert!(error.to_string().contains("s16le:48000:2"), "{error}");
        }
    }

    #[test]
    fn full_scale_of_every_sample_format_is_minus_one() {
        assert_eq!(PcmSample::S16le.value(&[0, 0x80]), -1.0);
        assert_eq!(PcmSample::S24le.value(&[0, 0, 0x80]), -1.0);
        assert_eq!(PcmSample::S32le.value(&[0, 0, 0, 0x80]), -1.0);
        assert_eq!(PcmSample::F32le.value(&(-1.0f32).to_le_bytes()), -1.0);
        assert_eq!(PcmSample::S24le.value(&[0, 0, 0x40]), 0.5);
    }
}
