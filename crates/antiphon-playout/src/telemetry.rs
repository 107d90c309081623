//! What the audio thread says about itself.

use antiphon_base::{Epoch, Frames};

/// What the renderer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlayState {
    /// It knows no line to follow: silence.
    #[default]
    Idle,
    /// It has a line and waits for its start, or for the media that belong to this moment: silence.
    Waiting,
    /// It plays.
    Playing,
    /// It plays, but the media have been missing for so long that there is silence.
    Starved,
    /// It was told to stop: silence.
    Stopped,
}

/// Which of its bandwidths the phase loop is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// 10 Hz: pulls in the first tens of microseconds within half a second.
    #[default]
    Fast,
    /// 1 Hz: while clocks settle.
    Medium,
    /// 0.05 Hz, smoothed and slew-limited: the steady state.
    Fine,
}

/// A snapshot, taken about every 20 ms. Counters count since the renderer was made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Telemetry {
    /// What it is doing.
    pub state: PlayState,
    /// The epoch that plays, or is waited for.
    pub epoch: Epoch,
    /// The number of the first DAC frame of the next period.
    pub dac_frame: Frames,
    /// The frame of the programme that sounds there, with its fraction; `None` unless playing.
    pub media_frame: Option<f64>,
    /// Sound is ahead (+) or behind (-) of the line by so many microseconds; 0 unless playing.
    pub phase_error_us: f64,
    /// The resampling step against nominal, in ppm: positive consumes media faster.
    pub ratio_ppm: f64,
    /// The part of `ratio_ppm` that the phase loop adds to the line's own slope, in ppm.
    pub trim_ppm: f64,
    /// The loop's bandwidth.
    pub stage: Stage,
    /// Media held from the sounding frame to the last one known.
    pub buffered: Frames,
    /// Media frames that were absent and replaced by synthesised sound.
    pub concealed: Frames,
    /// Media frames that were absent for longer than concealment lasts, and were silence.
    pub silent: Frames,
    /// Times that media were absent for so long that there was silence.
    pub underruns: u64,
    /// Cross-faded jumps to the line.
    pub slips: u64,
    /// Cross-faded jumps to a line that was moved on purpose.
    pub moves: u64,
    /// Fades to silence and back in place.
    pub reprimes: u64,
    /// Jumps of the DAC's frame counter.
    pub xruns: u64,
    /// Media frames that came too late, too early, or for an epoch that is over.
    pub discarded: Frames,
    /// The gain applied, as a factor.
    pub gain: f32,
    /// Largest sample magnitude since the last snapshot.
    pub peak: f32,
    /// Root mean square of all samples since the last snapshot.
    pub rms: f32,
}
