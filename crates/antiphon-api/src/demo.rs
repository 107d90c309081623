//! The schema of `antiphon demo --json`.

use serde::{Deserialize, Serialize};

use crate::measurement::CalibrateReport;

/// Number of the schema; fields are only ever added under one number.
pub const DEMO_SCHEMA: u32 = 1;

/// What a run of the demo found. All figures come from the recorded samples, but packets and
/// concealment, which the speakers count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemoReport {
    /// [`DEMO_SCHEMA`].
    pub schema: u32,
    /// Length of the music.
    pub seconds: u32,
    /// The network between hub and speakers: `loopback`, `lan`, `quiet`, `busy`, `none`.
    pub network: String,
    /// Target latency.
    pub latency_ms: f64,
    /// Right against left; without the windows that the machine's own stalls excuse, where any had to be.
    pub spread_us: PercentilesUs,
    /// The same over every window.
    pub spread_all_us: PercentilesUs,
    /// Windows measured.
    pub windows: u64,
    /// Windows in which a speaker did not play what it should have.
    pub windows_not_heard: u64,
    /// Those of them that no stall of the machine excuses.
    #[serde(default)]
    pub windows_not_heard_unexcused: u64,
    /// From the request to play until both are heard and stay within 60 us; null if never.
    pub start_to_sync_ms: Option<f64>,
    /// From the request to play until both are heard.
    pub start_to_sound_ms: Option<f64>,
    /// Right against left in the first sound.
    pub first_spread_us: Option<f64>,
    /// Packets that did not arrive in time, both speakers.
    pub lost: u64,
    /// Packets that arrived in time because they were asked for again.
    pub recovered: u64,
    /// Audio made up where packets were missing.
    pub concealed_ms: f64,
    /// Times that a speaker had nothing to play.
    pub underruns: u64,
    /// The machine's own stalls.
    pub stalls: StallReport,
    /// What happened in each stretch of the music: two seconds or a little more.
    #[serde(default)]
    pub slices: Vec<Slice>,
    /// What each process cost while playing.
    pub processes: Vec<ProcessCost>,
    /// Whether few enough windows were excused (5 %) for the figures to count, or none had to be.
    pub conclusive: bool,
    /// Whether both speakers were heard throughout and 95 of 100 moments were within 2 ms.
    pub in_time: bool,
    /// One line for people.
    pub verdict: String,
    /// Directory of the recordings.
    pub files: String,
}

/// What `antiphon demo --calibrate` found. `before` and `after` come from the recorded samples,
/// `calibration` from a microphone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedReport {
    /// [`DEMO_SCHEMA`].
    pub schema: u32,
    /// By how much the right speaker is late, which the calibration was not told.
    pub hidden_ms: u32,
    /// Music before the calibration.
    pub before: DemoReport,
    /// What the calibration printed.
    pub calibration: CalibrateReport,
    /// The same music after it.
    pub after: DemoReport,
    /// Whether 95 of 100 moments of the music after it were within 60 us, of a run that counts.
    pub together: bool,
    /// One line for people.
    pub verdict: String,
}

/// Percentiles of unsigned values, and the median of the signed ones, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PercentilesUs {
    /// Half are not above this.
    pub p50: f64,
    /// 95 of 100 are not above this.
    pub p95: f64,
    /// 99 of 100 are not above this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
    /// Median of the signed values; positive: right is late.
    pub bias: f64,
}

/// What the witness saw of the machine while the music played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StallReport {
    /// How many.
    pub count: u64,
    /// All together.
    pub total_ms: f64,
    /// The longest.
    pub longest_ms: f64,
    /// Share of the windows that they excuse.
    pub excused_percent: f64,
    /// Each, at most the first thousand.
    #[serde(default)]
    pub each: Vec<StallTime>,
}

/// One stall of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StallTime {
    /// After the request to play; negative before it.
    pub at_ms: f64,
    /// How long.
    pub length_ms: f64,
}

/// What both speakers counted in one stretch of the music. They report once a second, so a count may
/// belong to the second before the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Its end, after the request to play.
    pub end_s: f64,
    /// Packets that did not arrive in time.
    pub lost: u64,
    /// Packets that arrived in time because they were asked for again.
    pub recovered: u64,
    /// Audio made up.
    pub concealed_ms: f64,
    /// Times that a speaker had nothing to play.
    pub underruns: u64,
}

/// What a process cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessCost {
    /// `hub`, `relay`, `left`, `right`, `player`.
    pub name: String,
    /// Processor time in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory.
    pub rss_kb: u64,
}
