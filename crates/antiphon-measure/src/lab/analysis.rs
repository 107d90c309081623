//! What goes into a measurement, and what comes out of it before it is judged.

use super::measurement::Measurement;

/// The recording, or the part of it in which the signal was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    /// Samples at 48 kHz, one vector for each microphone channel (1 or 2), full scale +-1.0.
    pub channels: Vec<Vec<f32>>,
    /// Place of the first frame in the whole recording, in seconds of the recorder's clock.
    pub begin_s: f64,
}

/// What the person measuring knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// What the channels of the signal are called; those without a name are numbered.
    pub names: Vec<String>,
    /// The channel whose speaker the microphone was held near.
    pub near: Option<usize>,
}

/// The numbers, with what a judge needs beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Numbers only: no findings, and the grade is not decided.
    pub measurement: Measurement,
    /// Every time that the signal was heard, in the order of time; the first that is whole (or else
    /// the most complete one) is measured.
    pub occurrences: Vec<Occurrence>,
    /// Which of the occurrences was measured.
    pub measured: Option<usize>,
    /// Seconds of the recorder's clock for one second of the signal, of the occurrence measured: 1 to
    /// within a few hundred millionths, or something played or recorded at a wrong speed.
    pub speed: Option<f64>,
    /// One for each channel of the signal.
    pub channels: Vec<ChannelFacts>,
    /// One for each pair of the measurement, in its order.
    pub pairs: Vec<PairFacts>,
}

/// A place where every speaker that is heard went on elsewhere, all by the same: put right before anything was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Splice {
    /// By how much all were later from then on, in microseconds: negative where a piece is missing.
    pub later_us: f64,
    /// When, in seconds of the track.
    pub at_s: f64,
}

/// One time that the signal was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Occurrence {
    /// Where the signal's frame 0 (the begin of its lead-in) was or would have been heard, in seconds
    /// of the recorder's clock, after the recording's first frame.
    pub begin_s: f64,
    /// Seconds of the sounding signal (fade-in to fade-out) that are missing at its begin.
    pub missing_begin_s: f64,
    /// Seconds of the sounding signal that are missing at its end.
    pub missing_end_s: f64,
}

/// How sure the first arrival of one channel is, and whether it stayed where it was.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChannelFacts {
    /// Highest magnitude of the impulse response against the noise around it, in decibels.
    pub peak_to_noise_db: f64,
    /// First arrival against the highest peak of the impulse response: 0 dB when they are the same.
    pub first_to_peak_db: f64,
    /// The strongest sound within 20 ms before the first arrival, against it: the lower, the surer.
    pub before_first_db: f64,
    /// The channel's greatest jump while it was heard, in microseconds (later: positive), and when, in seconds of the track; shorter ones
    /// than 1.25 ms are in its track.
    pub jump: Option<(f64, f64)>,
}

/// How two channels are alike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairFacts {
    /// Normalised correlation of both impulse responses at the same time, -1 to 1: near 1 when both
    /// channels come out of the same speakers.
    pub likeness: f64,
}
