//! What the hub says of itself and of every speaker.

use antiphon_base::Role;
use antiphon_proto::session::{Codec, LinkStats};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calibration::CalibrationStatus;
use crate::text;

/// Number of the status schema. Fields are only added under one number; a change of meaning or a
/// removal makes a new one.
pub const STATUS_SCHEMA: u32 = 1;

/// The answer to `GET /api/v1/status` and the output of `antiphon status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// [`STATUS_SCHEMA`].
    pub schema: u32,
    /// The hub itself.
    pub hub: HubStatus,
    /// What is playing.
    pub programme: ProgrammeStatus,
    /// Every speaker connected, by name.
    pub speakers: Vec<SpeakerStatus>,
}

/// The hub itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HubStatus {
    /// Its name, as DNS-SD shows it.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Address and port of control (TCP) and media (UDP).
    pub listen: String,
    /// True: sessions are neither paired nor sealed; anybody in the network may listen and join.
    pub open: bool,
    /// Time from a frame's dispatch to its presentation, in microseconds.
    pub latency_us: i64,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Id of its clock; a new one after every start.
    pub clock: u32,
}

/// Where a programme stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgrammeState {
    /// No source.
    #[default]
    Idle,
    /// A source is open; named speakers are not here yet.
    Waiting,
    /// Sent, and not heard yet.
    Starting,
    /// Heard.
    Playing,
    /// Halted; resumes in place.
    Paused,
    /// Played to its end.
    Ended,
}

impl std::fmt::Display for ProgrammeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Ended => "ended",
        })
    }
}

/// A track's place in what a player plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrackPlace {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// What is playing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProgrammeStatus {
    /// Where it stands.
    pub state: ProgrammeState,
    /// Title of what is heard; empty while idle.
    pub title: String,
    /// Of a station: what it says that it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_air: Option<String>,
    /// Seconds heard of it; of several tracks, of the one that is heard.
    pub position_s: f64,
    /// Its length in seconds, where known.
    pub duration_s: Option<f64>,
    /// Of several tracks, which is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackPlace>,
    /// Speakers it was asked to play on that are not here, or not in time yet.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Times the source came too late and playing had to wait for it.
    #[serde(default)]
    pub starved: u64,
    /// How long frames of a source with a clock of its own wait in the hub before they are sent, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_us: Option<i64>,
}

/// One connected speaker, as the hub sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpeakerStatus {
    /// Lasting identity, 32 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its datagrams come from, once one has come.
    pub address: Option<String>,
    /// Its media, clock and control are encrypted.
    pub sealed: bool,
    /// It is a page in a browser: `sealed` then says whether it came over HTTPS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub browser: bool,
    /// It belongs to the present programme.
    pub streaming: bool,
    /// What it plays of the programme.
    #[serde(with = "text")]
    #[schema(value_type = String)]
    pub role: Role,
    /// How its media are encoded.
    #[serde(with = "text")]
    #[schema(value_type = String)]
    pub codec: Codec,
    /// Volume, in decibels, its calibration apart.
    pub gain_db: f32,
    /// Silenced.
    pub muted: bool,
    /// Its loudspeaker's own volume in percent, where somebody has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u8>,
    /// Plays this much later (negative: earlier) than the programme, in microseconds, its
    /// calibration apart.
    pub delay_us: i64,
    /// Target latency, in microseconds.
    pub latency_us: i64,
    /// What its output is, in its own words.
    pub output: String,
    /// Its program and version, in its own words.
    #[serde(default)]
    pub software: String,
    /// What a calibration adds to its delay and volume; null without one.
    #[serde(default)]
    pub calibration: Option<CalibrationStatus>,
    /// The link to its loudspeaker, where its program is not the loudspeaker (Bluetooth), as it last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub link: Option<LinkStats>,
    /// Milliseconds since it was last heard of.
    pub silent_ms: u64,
    /// What it was sent.
    pub sent: SentCounts,
    /// What it last said of itself; absent until its first report.
    pub report: Option<SpeakerReport>,
}

/// What a speaker was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SentCounts {
    /// Media packets, those sent again included.
    pub packets: u64,
    /// Bytes of all its datagrams.
    pub bytes: u64,
    /// Packets sent again on request.
    pub retransmitted: u64,
    /// Packets that a browser did not fetch in time, and that it was not sent for that.
    #[serde(default)]
    pub dropped: u64,
}

/// What a speaker says of itself once a second. Absent numbers are not known yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct SpeakerReport {
    /// `idle`, `buffering`, `playing`, `stopped`, `failed`.
    pub state: String,
    /// Its clock is known well enough to play by.
    pub synced: bool,
    /// Hub clock minus its clock, in microseconds.
    pub offset_us: Option<f64>,
    /// Standard deviation of that, in microseconds; path asymmetry, which no filter sees, is apart.
    pub offset_sd_us: Option<f64>,
    /// How much faster the hub's clock runs than its own, in parts per million.
    pub skew_ppm: Option<f64>,
    /// Shortest round trip of late, in microseconds.
    pub rtt_us: Option<f64>,
    /// How much faster its sound card runs than its clock, in parts per million.
    pub dac_ppm: f64,
    /// Standard deviation of the sound card's position, in microseconds.
    pub dac_sd_us: f64,
    /// Where it plays against where it should, in microseconds; positive is late.
    pub phase_error_us: f64,
    /// Audio buffered ahead, in milliseconds.
    pub buffer_ms: f64,
    /// How long before its presentation the latest of the last second's packets came, in milliseconds.
    pub margin_ms: f64,
    /// Fates of its media packets.
    pub packets: PacketCounts,
    /// Milliseconds of audio that were missing and bridged.
    pub concealed_ms: f64,
    /// Times it had nothing to play.
    pub underruns: u64,
    /// Cross-faded corrections of more than a millisecond.
    pub slips: u64,
    /// Times it fell silent to start anew.
    pub reprimes: u64,
    /// Loudest sample of the last second, in dB of full scale; -200 for silence.
    pub peak_db: f64,
    /// CPU time of its process, in percent of one core over the last second.
    pub cpu_percent: f64,
    /// Resident memory of its process, in KiB.
    pub rss_kb: u64,
}

/// Fates of a speaker's media packets since its program started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PacketCounts {
    /// Arrived, and played or held for playing.
    pub received: u64,
    /// Arrived after their deadline.
    pub late: u64,
    /// Arrived again.
    pub duplicate: u64,
    /// Never arrived in time.
    pub lost: u64,
    /// Arrived in time because they were asked for again.
    pub recovered: u64,
    /// Arrived behind a later one.
    pub reordered: u64,
    /// Did not parse.
    pub malformed: u64,
    /// Seen before under the same seal.
    pub replayed: u64,
    /// Sealed with the wrong key, or not at all.
    pub forged: u64,
    /// Asked for again, repeats counted.
    pub nacked: u64,
}
