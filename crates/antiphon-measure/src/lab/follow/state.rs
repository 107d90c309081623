//! What is known while following, as plain values.

use crate::lab::measurement::Estimate;

/// How to follow. [`FollowConfig::default`] fits a living room, and is sure within 80 us (95 %).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowConfig {
    /// The earliest a programme frame may be heard, in seconds, as place in the microphone's stream
    /// less place in the programme's. Below zero: the microphone's stream began later.
    pub earliest_lag_s: f64,
    /// The latest it may be heard.
    pub latest_lag_s: f64,
    /// The follower is sure when one standard deviation of the drift is at most this.
    pub sure_us: f64,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self { earliest_lag_s: -1.0, latest_lag_s: 4.0, sure_us: 40.0 }
    }
}

/// What the follower knows.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowState {
    /// Seconds of microphone that were pushed.
    pub heard_s: f64,
    /// Place of a programme frame's sound in the microphone's stream, less its place in the
    /// programme's, in seconds; `None` while searching.
    pub lag_s: Option<f64>,
    /// How much faster than the programme's clock the microphone's runs.
    pub microphone_ppm: Option<Estimate>,
    /// Right later than left at the microphone, by the first arrivals; `None` until both are told
    /// apart.
    pub delay_us: Option<Estimate>,
    /// How much the delay has changed since the reference: drift, jumps and corrections, all that
    /// was heard. Before there is a reference it is 0 with a deviation that says nothing is known.
    pub drift_us: Estimate,
    /// How fast the delay changes.
    pub rate_us_per_s: Estimate,
    /// Where the reference of [`drift_us`](Self::drift_us) stands, in seconds of microphone; it is
    /// renewed when everything changed at once.
    pub reference_s: Option<f64>,
    /// Sum of the corrections told since the reference.
    pub corrected_us: f64,
    /// The last jumps since the reference, oldest first, at most [`MAX_JUMPS`].
    pub jumps: Vec<Jump>,
    /// Whether the numbers may be acted upon.
    pub certainty: Certainty,
}

/// As many jumps are remembered: more of them is a fault to be mended, not a history to keep.
pub const MAX_JUMPS: usize = 16;

/// The delay changed at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// When it was noticed, in seconds of microphone.
    pub at_s: f64,
    /// How much later the right side is since.
    pub by_us: Estimate,
}

/// Whether the numbers may be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Looking for the programme in the microphone's stream.
    Searching,
    /// The numbers hold as far as their uncertainty goes.
    Sure,
    /// The programme is heard, but the numbers must not be acted upon.
    Unsure(Doubt),
    /// The programme, as it is heard here, does not tell left from right.
    MusicDoesNotTell(Mute),
}

/// Why the follower is not sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Not heard for long enough.
    TooShort,
    /// The left speaker is not heard as it was.
    LeftNotHeard,
    /// The right speaker is not heard as it was.
    RightNotHeard,
    /// Neither is: the microphone moved, or the sound stopped.
    NeitherHeard,
    /// The delay has just jumped, and is being measured again.
    Jumped,
}

/// Why the music does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// The microphone hears nothing at all.
    MicrophoneSilent,
    /// The programme is silent.
    Pause,
    /// The programme's left channel is silent.
    LeftSilent,
    /// The programme's right channel is silent.
    RightSilent,
    /// Left and right are nearly the same.
    NearlyMono,
    /// The programme is not found in what the microphone hears: noise covers it, or it plays
    /// elsewhere.
    NotFound,
    /// Noise leaves too little of it.
    Noise,
}

impl std::fmt::Display for Certainty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Searching => "searching for the music in what the microphone hears",
            Self::Sure => "sure",
            Self::Unsure(Doubt::TooShort) => "not sure yet: listening",
            Self::Unsure(Doubt::LeftNotHeard) => "not sure: the left speaker is not heard as before",
            Self::Unsure(Doubt::RightNotHeard) => "not sure: the right speaker is not heard as before",
            Self::Unsure(Doubt::NeitherHeard) => "not sure: neither speaker is heard as before",
            Self::Unsure(Doubt::Jumped) => "not sure: the delay has just jumped",
            Self::MusicDoesNotTell(mute) => return mute.fmt(f),
        })
    }
}

impl std::fmt::Display for Mute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MicrophoneSilent => "the microphone hears nothing: is it switched on and turned up?",
            Self::Pause => "the music pauses",
            Self::LeftSilent => "the music does not tell: its left channel is silent",
            Self::RightSilent => "the music does not tell: its right channel is silent",
            Self::NearlyMono => "the music does not tell: left and right are nearly the same",
            Self::NotFound => {
                "the music is not found in what the microphone hears: play louder, or move closer"
            }
            Self::Noise => "the music does not tell: noise covers it",
        })
    }
}
