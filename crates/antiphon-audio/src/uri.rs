//! Names of outputs: `alsa:hw:0,0`, `pulse:SINK#left`, `wav:PATH`, `virtual:PATH?ppm=+40&period=256`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use antiphon_base::{SampleRate, Span};

/// An output, as named on the command line and in the configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputUri {
    /// An ALSA device, for example `hw:0,0`; its name is one of alsa-lib.
    Alsa(DeviceUri),
    /// A PulseAudio or PipeWire sink.
    Pulse(DeviceUri),
    /// A Bluetooth speaker by its address.
    Bluetooth(String),
    /// A WAV file that is given everything that is rendered, at the pace of real time.
    Wav(PathBuf, CardParams),
    /// Nowhere, at the pace of real time.
    Null(CardParams),
    /// The virtual sound card, recording what it converts.
    Virtual(PathBuf, CardParams),
}

/// A device of this machine, or one channel of it: `NAME`, `NAME#left`, `NAME#right`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceUri {
    /// Its name; empty for the default one.
    pub device: String,
    /// Which channels of it.
    pub part: CardPart,
}

/// What of a device an output is. With one device's two channels on two speakers (a splitter from stereo to two mono
/// plugs) each is an output of its own, with its own gain, delay and measured place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardPart {
    /// All its channels.
    Whole,
    /// The front left channel alone: the tip of a plug.
    Left,
    /// The front right channel alone: the ring of a plug.
    Right,
}

impl FromStr for DeviceUri {
    type Err = ParseOutputError;

    fn from_str(text: &str) -> Result<Self, ParseOutputError> {
        let part = |name| match name {
            "left" => Ok(CardPart::Left),
            "right" => Ok(CardPart::Right),
            other => Err(ParseOutputError::Part(other.chars().take(40).collect())),
        };
        match text.rsplit_once('#') {
            Some((device, name)) => Ok(Self { device: device.to_owned(), part: part(name)? }),
            None => Ok(Self { device: text.to_owned(), part: CardPart::Whole }),
        }
    }
}

impl fmt::Display for CardPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "",
            Self::Left => "left",
            Self::Right => "right",
        })
    }
}

/// As it is read.
impl fmt::Display for DeviceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.part == CardPart::Whole { "" } else { "#" };
        write!(f, "{}{mark}{}", self.device, self.part)
    }
}

/// The properties of a card that exists only as a model. Every one can be set in a URI's query,
/// by its field's name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CardParams {
    /// Nominal sample rate; `rate=48000`.
    pub rate: SampleRate,
    /// Channels, 1 to 8; `channels=2`.
    pub channels: u16,
    /// Frames a period; `period=256`.
    pub period: u32,
    /// How much the card buffers, rounded up to whole periods, at least two; `latency_ms=12`.
    pub latency: Span,
    /// How much faster than nominal the card runs on true time; `ppm=+40`.
    pub ppm: f64,
    /// Largest slow change of that, both ways; `wander_ppm=0.5`.
    pub wander_ppm: f64,
    /// Change while the crystal warms up, with a time constant of four minutes; `warmup_ppm=3`.
    pub warmup_ppm: f64,
    /// Standard deviation of the delay of each wake-up, one-sided; `wake_jitter_us=300`.
    pub wake_jitter: Span,
    /// Standard deviation of the error of a position stamp; `stamp_noise_us=50`.
    pub stamp_noise: Span,
    /// From the converter to the sound, unknown to the position stamps, as amplifiers of television
    /// sets and Bluetooth speakers have it; a recording's timeline includes it; `hidden_ms=137`.
    pub hidden: Span,
    /// Seed of wander, jitter and noise; `seed=1`.
    pub seed: u64,
}

impl CardParams {
    /// An ideal card: exact, without jitter, stereo, 48 kHz, 12 ms of buffer in 5.3 ms periods.
    pub const IDEAL: Self = Self {
        rate: SampleRate::MEDIA,
        channels: 2,
        period: 256,
        latency: Span::from_ms(12),
        ppm: 0.0,
        wander_ppm: 0.0,
        warmup_ppm: 0.0,
        wake_jitter: Span::ZERO,
        stamp_noise: Span::ZERO,
        hidden: Span::ZERO,
        seed: 1,
    };

    /// What a `virtual:` without a query is: [`IDEAL`](Self::IDEAL) with the jitter and noise of a
    /// common USB card.
    pub const TYPICAL: Self =
        Self { wake_jitter: Span::from_us(300), stamp_noise: Span::from_us(50), ..Self::IDEAL };

    /// The buffer in frames: the latency rounded up to whole periods, at least two.
    pub fn buffer_frames(&self) -> i64 {
        let period = i64::from(self.period);
        let wanted = self.rate.frames_f64(self.latency).ceil() as i64;
        ((wanted + period - 1) / period).max(2) * period
    }

    fn parse(self, query: &str) -> Result<Self, ParseOutputError> {
        query.split('&').filter(|part| !part.is_empty()).try_fold(self, Self::with)
    }

    fn with(mut self, part: &str) -> Result<Self, ParseOutputError> {
        let (key, value) = part.split_once('=').ok_or_else(|| ParseOutputError::parameter(part))?;
        let number = |low: f64, high: f64| {
            let value = value.parse::<f64>().map_err(|_| ParseOutputError::parameter(part))?;
            // NaN is in no range.
            if (low..=high).contains(&value) {
                Ok(value)
            } else {
                Err(ParseOutputError::range(part, low, high))
            }
        };
        match key {
            "rate" => self.rate = SampleRate::new(number(8_000.0, 192_000.0)? as u32).unwrap_or(self.rate),
            "channels" => self.channels = number(1.0, 8.0)? as u16,
            "period" => self.period = number(16.0, 8_192.0)? as u32,
            "latency_ms" => self.latency = Span::from_s_f64(number(0.0, 1_000.0)? / 1e3),
            "ppm" => self.ppm = number(-1_000.0, 1_000.0)?,
            "wander_ppm" => self.wander_ppm = number(0.0, 100.0)?,
            "warmup_ppm" => self.warmup_ppm = number(-100.0, 100.0)?,
            "wake_jitter_us" => self.wake_jitter = Span::from_s_f64(number(0.0, 100_000.0)? / 1e6),
            "stamp_noise_us" => self.stamp_noise = Span::from_s_f64(number(0.0, 100_000.0)? / 1e6),
            "hidden_ms" => self.hidden = Span::from_s_f64(number(0.0, 1_000.0)? / 1e3),
            "seed" => self.seed = value.parse().map_err(|_| ParseOutputError::parameter(part))?,
            _ => return Err(ParseOutputError::parameter(part)),
        }
        Ok(self)
    }
}

/// An output that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseOutputError {
    /// No scheme, or one that does not exist.
    #[error(
        "unknown output {0:?}: use alsa:DEVICE, pulse:SINK, bluetooth:ADDRESS, wav:PATH, null: or virtual:PATH"
    )]
    Scheme(String),
    /// A path is missing.
    #[error("output {0:?} needs a file name after the colon, for example {0}out.wav")]
    NoPath(String),
    /// A part of a device that is none.
    #[error(
        "a device has no part {0:?}: write #left or #right behind its name for one channel, or nothing for all"
    )]
    Part(String),
    /// A query parameter that does not exist or is no number.
    #[error(
        "output parameter {0:?} is not KEY=NUMBER with a key of rate, channels, period, latency_ms, ppm, wander_ppm, warmup_ppm, wake_jitter_us, stamp_noise_us, hidden_ms, seed"
    )]
    Parameter(String),
    /// A query parameter beyond its limits.
    #[error("output parameter {part:?} is out of range: use {low} to {high}")]
    Range {
        /// As written.
        part: String,
        /// The least value.
        low: String,
        /// The largest value.
        high: String,
    },
}

impl ParseOutputError {
    fn parameter(part: &str) -> Self {
        Self::Parameter(part.chars().take(40).collect())
    }

    fn range(part: &str, low: f64, high: f64) -> Self {
        Self::Range { part: part.chars().take(40).collect(), low: low.to_string(), high: high.to_string() }
    }
}

impl FromStr for OutputUri {
    type Err = ParseOutputError;

    fn from_str(text: &str) -> Result<Self, ParseOutputError> {
        let unknown = || ParseOutputError::Scheme(text.chars().take(60).collect());
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let file = || match path {
            "" => Err(ParseOutputError::NoPath(format!("{scheme}:"))),
            path => Ok(PathBuf::from(path)),
        };
        match scheme {
            "alsa" => Ok(Self::Alsa(rest.parse()?)),
            "pulse" => Ok(Self::Pulse(rest.parse()?)),
            "bluetooth" => Ok(Self::Bluetooth(rest.to_owned())),
            "wav" => Ok(Self::Wav(file()?, CardParams::IDEAL.parse(query)?)),
            "virtual" => Ok(Self::Virtual(file()?, CardParams::TYPICAL.parse(query)?)),
            "null" if path.is_empty() => Ok(Self::Null(CardParams::IDEAL.parse(query)?)),
            _ => Err(unknown()),
        }
    }
}

/// The URI without its query: what a person calls the output.
impl fmt::Display for OutputUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alsa(device) => write!(f, "alsa:{device}"),
            Self::Pulse(sink) => write!(f, "pulse:{sink}"),
            Self::Bluetooth(address) => write!(f, "bluetooth:{address}"),
            Self::Wav(path, _) => write!(f, "wav:{}", path.display()),
            Self::Null(_) => f.write_str("null:"),
            Self::Virtual(path, _) => write!(f, "virtual:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_virtual_card_of_the_design_is_read() {
        let uri = "virtual:/tmp/a.wav?ppm=+40&period=128&wake_jitter_us=200&stamp_noise_us=20&latency_ms=20&channels=1&rate=44100&wander_ppm=0.5&warmup_ppm=3&hidden_ms=137.5&seed=9";
        let Ok(OutputUri::Virtual(path, card)) = uri.parse() else {
            panic!("{:?}", uri.parse::<OutputUri>())
        };
        assert_eq!(path.to_str(), Some("/tmp/a.wav"));
        let wanted = CardParams {
            rate: SampleRate::new(44_100).unwrap(),
            channels: 1,
            period: 128,
            latency: Span::from_ms(20),
            ppm: 40.0,
            wander_ppm: 0.5,
            warmup_ppm: 3.0,
            wake_jitter: Span::from_us(200),
            stamp_noise: Span::from_us(20),
            hidden: Span::from_us(137_500),
            seed: 9,
        };
        assert_eq!(card, wanted);
    }

    #[test]
    fn twelve_milliseconds_of_buffer_are_three_whole_periods_and_none_are_two() {
        assert_eq!(CardParams::IDEAL.buffer_frames(), 768);
        assert_eq!(CardParams { latency: Span::ZERO, ..CardParams::IDEAL }.buffer_frames(), 512);
    }

    #[test]
    fn outputs_are_shown_as_they_are_named() {
        for uri in [
            "alsa:",
            "alsa:hw:0,0",
            "alsa:hw:CARD=PCH,DEV=3#left",
            "alsa:#right",
            "pulse:",
            "pulse:a.b#left",
            "pulse:#right",
            "bluetooth:AA:BB:CC:DD:EE:FF",
            "wav:a b.wav",
            "null:",
            "virtual:x.wav",
        ] {
            assert_eq!(uri.parse::<OutputUri>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_remedy() {
        for (bad, named) in [
            ("speakers", "unknown output \"speakers\": use alsa:DEVICE"),
            ("usb:1", "unknown output"),
            ("null:x", "unknown output"),
            ("wav:", "wav:out.wav"),
            ("virtual:?ppm=1", "virtual:out.wav"),
            ("virtual:x?speed=1", "\"speed=1\" is not KEY=NUMBER"),
            ("virtual:x?ppm", "\"ppm\" is not KEY=NUMBER"),
            ("null:?channels=0", "use 1 to 8"),
            ("null:?channels=64", "use 1 to 8"),
            ("null:?rate=1", "use 8000 to 192000"),
            ("null:?ppm=NaN", "out of range"),
            ("alsa:hw:0#rear", "no part \"rear\""),
            ("pulse:desk#centre", "no part \"centre\": write #left or #right"),
        ] {
            let said = bad.parse::<OutputUri>().unwrap_err().to_string();
            assert!(said.contains(named), "{bad}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(scheme in "(virtual|null|wav|alsa|):", rest in "\\PC{0,60}") {
            let _ = format!("{scheme}{rest}").parse::<OutputUri>();
            let _ = rest.parse::<OutputUri>();
        }
    }
}
