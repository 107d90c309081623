//! What was found in one recording, as plain values.
//!
//! Times are microseconds on the players' clock (the recorder's own error is taken out), levels are
//! decibels against the recorder's full scale, and a number that was estimated carries its standard
//! deviation.

/// An estimate: the truth is within `1.96 * sd` of `value` in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// Its standard deviation, in the same unit; never zero.
    pub sd: f64,
}

impl Estimate {
    /// Half the width of the 95 % interval.
    pub fn half_95(&self) -> f64 {
        1.96 * self.sd
    }
}

/// Everything that one recording of the measure signal told.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// About the recording as a whole.
    pub recorder: RecorderResult,
    /// One for each channel of the signal, in its order.
    pub channels: Vec<ChannelResult>,
    /// Every pair of channels that were both heard, `a < b`.
    pub pairs: Vec<PairResult>,
    /// What was noticed, the gravest first.
    pub findings: Vec<Finding>,
    /// Whether the numbers may be acted upon.
    pub grade: Grade,
}

/// The recording as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecorderResult {
    /// Length that was searched, in seconds of the recorder's clock.
    pub length_s: f64,
    /// Where the signal's frame 0 (the begin of its lead-in) was first heard; `None` if it was not.
    pub begin_s: Option<f64>,
    /// How much faster the recorder's clock runs than the players' (the mean of those heard).
    pub ppm: Option<Estimate>,
    /// Whole periods of the signal that were used.
    pub periods: usize,
    /// Greatest magnitude of a sample while the signal played.
    pub peak_dbfs: f64,
    /// Power between the band's edges that the signal does not explain.
    pub noise_dbfs: f64,
}

/// One channel of the signal, as it arrived: usually one speaker.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelResult {
    /// What it is called: `left`, `right`, a speaker's name.
    pub name: String,
    /// The channel was found in the recording; without that everything below is empty.
    pub heard: bool,
    /// When the signal's frame 0 arrived by the direct path, after the recording's first frame.
    pub arrival_us: Estimate,
    /// Power of this channel in the recording, all of the room included, while the signal is at its
    /// full level.
    pub level_db: f64,
    /// Whether a positive pressure was meant and came.
    pub polarity: Polarity,
    /// Its power against the noise's, within the band of the signal, before any averaging.
    pub snr_db: f64,
    /// How much faster this channel's player runs than the mean of those heard.
    pub drift_ppm: Estimate,
    /// Energy of the direct sound against all that follows it.
    pub direct_to_reverb_db: f64,
    /// Magnitude over frequency.
    pub response: Vec<ResponsePoint>,
    /// Later arrivals that stand out: reflections, or another speaker that plays the same channel.
    pub echoes: Vec<Echo>,
    /// The impulse response around the first arrival.
    pub impulse: Impulse,
    /// Period by period.
    pub track: Vec<TrackPoint>,
}

/// The sign of the first arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Polarity {
    /// As sent.
    Normal,
    /// Turned: wires swapped, or a driver that moves the other way.
    Inverted,
    /// The first arrival does not tell.
    #[default]
    Unclear,
}

/// Magnitude in one third-octave (or finer) band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResponsePoint {
    /// Centre of the band.
    pub hz: f64,
    /// Against the mean over 500 Hz to 8 kHz.
    pub db: f64,
    /// Signal to noise here, after all averaging.
    pub snr_db: f64,
}

/// A later arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Echo {
    /// After the first.
    pub after_us: f64,
    /// Against the first.
    pub db: f64,
}

/// A stretch of impulse response at 48 kHz.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Impulse {
    /// Time of the first sample, against the arrival (negative: before it).
    pub begin_us: f64,
    /// Against the recorder's full scale.
    pub samples: Vec<f32>,
}

/// What one period of the signal told of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackPoint {
    /// Middle of the period, in seconds after the signal's frame 0.
    pub at_s: f64,
    /// Arrival against the channel's mean arrival.
    pub shift_us: f64,
    /// Its level.
    pub level_db: f64,
    /// Part of the power recorded that the signal explains, 0 to 1.
    pub coherence: f64,
}

/// Two channels against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct PairResult {
    /// Index of the first channel.
    pub a: usize,
    /// Index of the second channel.
    pub b: usize,
    /// `b` later than `a`, at the microphone, by the phase slope of the direct sound over 1 to 8 kHz.
    pub delay_us: Estimate,
    /// Level of `b` less that of `a`.
    pub level_diff_db: f64,
    /// What the delay means to a listener where the microphone stood.
    pub class: Class,
    /// What both do to a sound that both play.
    pub comb: Comb,
}

impl PairResult {
    /// The delay in frames of 48 kHz.
    pub fn delay_samples(&self) -> f64 {
        self.delay_us.value * 0.048
    }

    /// The way that sound goes in the delay, in air of 20 degrees Celsius.
    pub fn path_cm(&self) -> f64 {
        self.delay_us.value * 1e-6 * SOUND_M_S * 100.0
    }
}

/// Speed of sound in dry air of 20 degrees Celsius, in metres a second.
pub const SOUND_M_S: f64 = 343.2;

/// What a delay between two speakers means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Below 60 us: nine of ten listeners hear one stereo image.
    StereoPair,
    /// Below 200 us.
    SameRoom,
    /// Below 2 ms: one sound, its image pulled to the earlier speaker.
    Fused,
    /// Below 20 ms: one sound, coloured by comb filtering.
    Colouring,
    /// 20 ms and more: two sounds.
    Echo,
}

/// Comb filtering of a sound that both speakers play, between 500 Hz and 2 kHz.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comb {
    /// How many notches the delay cuts.
    pub count: usize,
    /// The notches by frequency, from the lowest on: at most [`MAX_LISTED`](super::comb::MAX_LISTED).
    pub notches: Vec<Notch>,
}

/// A frequency at which two speakers cancel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Notch {
    /// Where delay alone puts it.
    pub hz: f64,
    /// How deep delay and level difference alone make it, below the peaks between the notches.
    pub predicted_db: f64,
    /// How deep the two measured responses, added, are there; `None` where noise hides it.
    pub measured_db: Option<f64>,
}

/// Whether a measurement may be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Act on it.
    Good,
    /// Right as far as its uncertainty goes; something is not as it should be.
    Usable,
    /// Do not act on it.
    NotTrustworthy,
}

/// Something noticed.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is, for programs.
    pub kind: FindingKind,
    /// What it does to the grade.
    pub severity: Severity,
    /// What it is, where, and what to do: for a person, one or two sentences.
    pub message: String,
}

/// What a finding does to the grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing: worth knowing.
    Note,
    /// At best usable.
    Doubt,
    /// Not trustworthy.
    Refusal,
}

/// Kinds of findings. [`as_str`](Self::as_str) names them for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Nothing was recorded.
    Silence,
    /// Something was recorded, but not this signal.
    NotTheSignal,
    /// Samples stand at full scale.
    Clipped,
    /// So quiet that the recorder's own steps matter.
    TooQuiet,
    /// Noise covers the signal.
    Noisy,
    /// No high frequencies: telephone, narrow-band Bluetooth microphone.
    Narrowband,
    /// An encoder that throws much away was between.
    LossyCodec,
    /// Echo canceller, noise gate or suppressor: a microphone meant for speech.
    VoiceProcessing,
    /// The recorder changes its gain while it listens.
    GainControl,
    /// The signal was heard more than once.
    PlayedTwice,
    /// Begin or end of the signal is missing.
    CutShort,
    /// Played or recorded at a wrong speed.
    WrongSpeed,
    /// Sound was missing, repeated or jumped in the middle.
    Dropout,
    /// Left and right are exchanged.
    Swapped,
    /// Both speakers play the same channel or the same sum of channels.
    MonoCollapse,
    /// A speaker was not heard.
    SpeakerSilent,
    /// The room covers the direct sound.
    Reverberant,
    /// Which arrival is the first is not clear.
    FirstArrivalUnclear,
    /// One speaker is turned in polarity against the other.
    PolarityDiffers,
    /// Levels differ by more than half a decibel.
    LevelsDiffer,
    /// The speakers' clocks run apart.
    ClocksDrift,
}

impl FindingKind {
    /// Name for programs, lower case with underscores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::NotTheSignal => "not_the_signal",
            Self::Clipped => "clipped",
            Self::TooQuiet => "too_quiet",
            Self::Noisy => "noisy",
            Self::Narrowband => "narrowband",
            Self::LossyCodec => "lossy_codec",
            Self::VoiceProcessing => "voice_processing",
            Self::GainControl => "gain_control",
            Self::PlayedTwice => "played_twice",
            Self::CutShort => "cut_short",
            Self::WrongSpeed => "wrong_speed",
            Self::Dropout => "dropout",
            Self::Swapped => "swapped",
            Self::MonoCollapse => "mono_collapse",
            Self::SpeakerSilent => "speaker_silent",
            Self::Reverberant => "reverberant",
            Self::FirstArrivalUnclear => "first_arrival_unclear",
            Self::PolarityDiffers => "polarity_differs",
            Self::LevelsDiffer => "levels_differ",
            Self::ClocksDrift => "clocks_drift",
        }
    }
}
