//! Test tracks to listen to, and the one to measure with: stereo, 48 kHz, the same samples each time.
//!
//! [`TestTrack::spec`] says what is in a track and when; [`TestTrack::render`] gives its samples.
//! `docs/signals.md` says what to listen for, and what it means when it is heard otherwise. Every track
//! begins with half a second of silence, since many wireless speakers swallow the first moment of
//! sound ([`TestTrack::Measure`] with three quarters), and its first sound rises from 40 dB below its level.

pub mod sweep;

mod click;

mod comb;

mod identify;

mod measure;

mod pink;

mod width;

mod score;

mod voice;

use std::str::FromStr;

use score::Score;

/// Frames a second of every track.
pub const RATE_HZ: u32 = 48_000;

/// A track that `antiphon signal` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TestTrack {
    /// What `antiphon measure` measures with: [`Excitation::track`](super::Excitation::track).
    Measure,
    /// Stereo width: left, right, centre, from side to side, out of phase.
    Width,
    /// Which speaker is which.
    Identify,
    /// A tone from 500 Hz to 2 kHz, on each speaker alone and on both.
    Comb,
    /// Pink noise, the same and different on both sides.
    Pink,
    /// Exponential sweeps, 20 Hz to 20 kHz.
    Sweep,
    /// Short clicks on each speaker alone and on both.
    Click,
}

/// What a track holds.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackSpec {
    /// Samples a frame: left, right.
    pub channels: usize,
    /// Length.
    pub frames: usize,
    /// No sample's magnitude is greater.
    pub peak_dbfs: f64,
    /// Power of left and right over the whole track, its silences included; a sine at full scale has
    /// -3.01 dBFS.
    pub rms_dbfs: [f64; 2],
    /// What is heard when, in order.
    pub sections: Vec<Section>,
}

/// A stretch of a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// After the track's first frame.
    pub begin_s: f64,
    /// How long it sounds.
    pub length_s: f64,
    /// What a listener in front of two good speakers hears.
    pub heard: &'static str,
}

/// No track has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no test track `{0}`; there are: measure, width, identify, comb, pink, sweep, click")]
pub struct UnknownTrack(String);

impl TestTrack {
    /// Every track.
    pub const ALL: [Self; 7] =
        [Self::Measure, Self::Width, Self::Identify, Self::Comb, Self::Pink, Self::Sweep, Self::Click];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measure => "measure",
            Self::Width => "width",
            Self::Identify => "identify",
            Self::Comb => "comb",
            Self::Pink => "pink",
            Self::Sweep => "sweep",
            Self::Click => "click",
        }
    }

    /// What it is for, in one line.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Measure => {
                "play this, record it, and `antiphon measure` tells how far apart the speakers are"
            }
            Self::Width => "stereo width: left only, right only, centre, from side to side, out of phase",
            Self::Identify => "which speaker is which: one low beep is left, two high beeps are right",
            Self::Comb => {
                "a tone from 500 Hz to 2 kHz: on both speakers it swells and fades if they are apart"
            }
            Self::Pink => "pink noise, the same on both sides (narrow) and different (wide)",
            Self::Sweep => "20 Hz to 20 kHz on each side, to measure responses with other programs",
            Self::Click => "clicks: on both speakers one click is heard, or two if they are apart",
        }
    }

    /// What is in it, when, and how loud.
    pub fn spec(self) -> TrackSpec {
        match self.score() {
            Some(score) => score.spec(),
            None => measure::spec(),
        }
    }

    /// All of its samples, interleaved left and right: fewer than 2^22 frames.
    pub fn render(self) -> Vec<f32> {
        match self.score() {
            Some(score) => score.render(),
            None => measure::render(),
        }
    }

    fn score(self) -> Option<&'static Score> {
        match self {
            Self::Measure => None,
            Self::Width => Some(&width::SCORE),
            Self::Identify => Some(&identify::SCORE),
            Self::Comb => Some(&comb::SCORE),
            Self::Pink => Some(&pink::SCORE),
            Self::Sweep => Some(&sweep::SCORE),
            Self::Click => Some(&click::SCORE),
        }
    }
}

impl FromStr for TestTrack {
    type Err = UnknownTrack;

    fn from_str(name: &str) -> Result<Self, UnknownTrack> {
        Self::ALL.into_iter().find(|track| track.name() == name).ok_or_else(|| UnknownTrack(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
