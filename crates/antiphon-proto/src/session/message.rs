//! The messages of the control session, as JSON objects with a `type`. [MSG-1]
//!
//! This crate derives serde's traits and knows no JSON: the shells serialise. A receiver ignores fields and
//! message types that it does not know ([MSG-2]); what it knows it checks with `check` before use.

use antiphon_base::Role;
use serde::{Deserialize, Serialize};

use super::PROTOCOL;
pub use super::codec::Codec;

/// The longest name of a speaker or hub, in bytes of UTF-8: a DNS-SD instance label holds 63.
pub const MAX_NAME: usize = 63;
/// The longest other text in a message, in bytes.
pub const MAX_TEXT: usize = 256;
/// The loudest gain that a speaker may be told, in dB: more only clips.
pub const MAX_GAIN_DB: f32 = 12.0;
/// The lowest gain that a speaker may be told, in dB; below, `muted` says it better.
pub const MIN_GAIN_DB: f32 = -100.0;
/// The largest delay either way, in microseconds: sound takes 2 s over 680 m.
pub const MAX_DELAY_US: i64 = 2_000_000;
/// The shortest target latency, in microseconds.
pub const MIN_LATENCY_US: i64 = 5_000;
/// The longest target latency, in microseconds; it bounds every buffer.
pub const MAX_LATENCY_US: i64 = 10_000_000;

/// What a speaker says to its hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SpeakerMessage {
    /// The first message.
    Hello(Hello),
    /// How it goes; once a second.
    Stats(SpeakerStats),
    /// The speaker leaves.
    Goodbye {
        /// Why, for people.
        reason: String,
    },
    /// A type that this program does not know: ignored.
    #[serde(other)]
    Unknown,
}

/// What a hub says to a speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HubMessage {
    /// The session begins.
    Welcome(Welcome),
    /// There will be no session; the hub closes the connection.
    Refused(Refusal),
    /// How to play, from here on.
    Settings(SpeakerSettings),
    /// A stretch of the programme begins. Media packets say the same: this only says it earlier.
    Timeline {
        /// The epoch's number.
        epoch: u32,
        /// Its first frame; 0 to 2^53 - 1.
        #[serde(deserialize_with = "bounded::frame")]
        first_frame: i64,
        /// Hub time at which that frame leaves the loudspeaker, in nanoseconds; below 2^62 either way.
        #[serde(deserialize_with = "bounded::instant")]
        presentation_ns: i64,
    },
    /// Nothing of the epoch is heard from `at_ns` on. A notice by UDP says the same.
    Stop {
        /// The epoch that ends.
        epoch: u32,
        /// Hub time, in nanoseconds; below 2^62 either way.
        #[serde(deserialize_with = "bounded::instant")]
        at_ns: i64,
    },
    /// The hub ends the session.
    Goodbye {
        /// Why, for people.
        reason: String,
    },
    /// A type that this program does not know: ignored.
    #[serde(other)]
    Unknown,
}

/// Who a speaker is and what it can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol that it speaks: [`PROTOCOL`].
    pub protocol: u16,
    /// Its name, 1 to [`MAX_NAME`] bytes without control characters.
    pub name: String,
    /// Program and version, for people.
    pub software: String,
    /// What it can decode, best first; at least one.
    pub codecs: Vec<Codec>,
    /// Channels of its output.
    pub channels: u16,
    /// Its output's URI, for people.
    pub output: String,
    /// The role that its user asked for.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "role_text::option")]
    pub role: Option<Role>,
    /// The lowest target latency at which its output can play, in microseconds.
    pub min_latency_us: i64,
}

impl Hello {
    /// What a hub must refuse before it believes anything: another protocol, a name that nobody could
    /// type, no codec, no channel, overlong text.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.protocol != PROTOCOL {
            let message =
                format!("this hub speaks protocol {PROTOCOL}, not {}: update one of them", self.protocol);
            return Err(Refusal { code: RefusalCode::Protocol, message });
        }
        let fault = if !is_name(&self.name) {
            "the name must have 1 to 63 bytes and no control characters"
        } else if self.codecs.is_empty() || self.codecs.len() > 16 {
            "a speaker names 1 to 16 codecs"
        } else if !(1..=64).contains(&self.channels) {
            "an output has 1 to 64 channels"
        } else if self.software.len() > MAX_TEXT || self.output.len() > MAX_TEXT {
            "software and output have at most 256 bytes"
        } else if !(0..=MAX_LATENCY_US).contains(&self.min_latency_us) {
            "min_latency_us must be 0 to 10000000"
        } else {
            return Ok(());
        };
        Err(Refusal { code: RefusalCode::BadMessage, message: fault.to_owned() })
    }
}

/// Whether `name` can name a speaker or a hub: 1 to [`MAX_NAME`] bytes, no control characters, no space at
/// either end.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.trim() == name && !name.chars().any(char::is_control)
}

/// A session's facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol of the session: [`PROTOCOL`].
    pub protocol: u16,
    /// The session's number, in every datagram's envelope.
    pub session: u32,
    /// This boot of the hub's clock: another number than before voids every estimate of it.
    pub clock: u32,
    /// The hub's name.
    pub hub_name: String,
    /// Target latency of the programme, from source to loudspeaker, in microseconds.
    pub latency_us: i64,
    /// How to play.
    pub settings: SpeakerSettings,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people: whose fault it is and what to do.
    pub message: String,
}

/// Why a hub refuses, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Another protocol version.
    Protocol,
    /// The hub does not know this speaker's key: pair it.
    NotPaired,
    /// The hub asks for a seal, and the speaker offered none.
    NotOpen,
    /// There is no pairing code at present, or it is used up.
    NoCode,
    /// The pairing code was wrong.
    WrongCode,
    /// The name belongs to another speaker.
    NameTaken,
    /// The hub has all the sessions that it can serve.
    Full,
    /// A message or frame that makes no sense.
    BadMessage,
    /// A code that this program does not know.
    #[serde(other)]
    Unknown,
}

impl RefusalCode {
    /// Whether trying again, without a person doing something, can help.
    pub fn is_worth_retrying(self) -> bool {
        matches!(self, Self::Full | Self::NameTaken | Self::Unknown)
    }
}

/// How one speaker plays. The hub remembers it for each speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeakerSettings {
    /// Its part of the programme: `left`, `right`, `both`, `mono`, `ch1` to `ch32`.
    #[serde(with = "role_text")]
    pub role: Role,
    /// Volume in dB; 0 is as the source.
    pub gain_db: f32,
    /// Silent, whatever the gain.
    pub muted: bool,
    /// The loudspeaker's own volume, 0 to 100 percent of its loudest; a speaker that has none of its own
    /// lowers its gain instead. Absent: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u8>,
    /// How much later (earlier, when negative) than the programme it plays, in microseconds.
    pub delay_us: i64,
    /// What it is sent.
    pub codec: Codec,
    /// Its target latency, in microseconds.
    pub latency_us: i64,
}

impl Default for SpeakerSettings {
    fn default() -> Self {
        Self {
            role: Role::default(),
            gain_db: 0.0,
            muted: false,
            volume: None,
            delay_us: 0,
            codec: Codec::default(),
            latency_us: 200_000,
        }
    }
}

impl SpeakerSettings {
    /// These settings with every number inside its limits; a gain that is no number is 0 dB.
    pub fn held_in_limits(mut self) -> Self {
        self.gain_db = if self.gain_db.is_nan() { 0.0 } else { self.gain_db.clamp(MIN_GAIN_DB, MAX_GAIN_DB) };
        self.volume = self.volume.map(|percent| percent.min(100));
        self.delay_us = self.delay_us.clamp(-MAX_DELAY_US, MAX_DELAY_US);
        self.latency_us = self.latency_us.clamp(MIN_LATENCY_US, MAX_LATENCY_US);
        self
    }
}

/// What a speaker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerState {
    /// Nothing to play.
    #[default]
    Idle,
    /// Media arrive; the clock or the output is not ready, or the first frame is not due.
    Buffering,
    /// Sound leaves it.
    Playing,
    /// The programme stopped or paused; silence leaves it.
    Stopped,
    /// Its output is gone or broken: nothing of it is heard.
    Failed,
    /// A state that this program does not know.
    #[serde(other)]
    Unknown,
}

/// How a speaker fares. Counters count from the speaker program's start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeakerStats {
    /// What it does.
    pub state: SpeakerState,
    /// Hub clock minus local clock, in microseconds.
    pub offset_us: f64,
    /// Standard deviation of `offset_us`; path asymmetry, which no filter sees, is apart.
    pub offset_sd_us: f64,
    /// How much faster the hub's clock runs than the local one, in parts per million.
    pub skew_ppm: f64,
    /// The shortest round trip of late, in microseconds.
    pub rtt_us: f64,
    /// Whether the clock's estimate is good enough to play by.
    pub synced: bool,
    /// How much faster the sound card runs than the local clock, in parts per million.
    pub dac_ppm: f64,
    /// Standard deviation of the sound card's position, in microseconds.
    pub dac_sd_us: f64,
    /// What the playout loop still has to correct, in microseconds; positive plays late.
    pub phase_error_us: f64,
    /// Audio held ahead of the sound card, in milliseconds.
    pub buffer_ms: f64,
    /// How long before its presentation the latest of the last second's packets came, in milliseconds.
    pub margin_ms: f64,
    /// Every packet's fate.
    pub packets: PacketCounters,
    /// Audio made up where packets were missing, in milliseconds.
    pub concealed_ms: f64,
    /// Times that the output ran dry.
    pub underruns: u64,
    /// Times that playout jumped, cross-faded, because the error was over 1 ms.
    pub slips: u64,
    /// Times that playout muted and began anew, because the error was over 50 ms.
    pub reprimes: u64,
    /// Clock exchanges completed.
    pub exchanges: u64,
    /// Loudest sample of the last second, in dB of full scale; -200 for silence.
    pub peak_db: f64,
    /// CPU time of the speaker's process, in percent of one core over the last second.
    pub cpu_percent: f64,
    /// Resident memory of the speaker's process, in KiB.
    pub rss_kb: u64,
    /// The target latency that this speaker needs, in microseconds, where its output has turned out to need
    /// more than its hello could know; 0 to [`MAX_LATENCY_US`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_latency_us: Option<i64>,
    /// The link to the loudspeaker, where the speaker's program is not the loudspeaker (Bluetooth).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<LinkStats>>,
}

impl SpeakerStats {
    /// These figures with every number inside its limits, every text no longer than it may be: a hub
    /// keeps them and shows them.
    pub fn held_in_limits(mut self) -> Self {
        self.min_latency_us = self.min_latency_us.map(|us| us.clamp(0, MAX_LATENCY_US));
        self.link = self.link.map(|link| Box::new(link.held_in_limits()));
        self.finite()
    }

    /// These figures with every one that is no finite number set to 0: JSON has no other.
    pub fn finite(mut self) -> Self {
        for figure in [
            &mut self.offset_us,
            &mut self.offset_sd_us,
            &mut self.skew_ppm,
            &mut self.rtt_us,
            &mut self.dac_ppm,
            &mut self.dac_sd_us,
            &mut self.phase_error_us,
            &mut self.buffer_ms,
            &mut self.margin_ms,
            &mut self.concealed_ms,
            &mut self.peak_db,
            &mut self.cpu_percent,
        ] {
            if !figure.is_finite() {
                *figure = 0.0;
            }
        }
        self
    }
}

/// How the link to a loudspeaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It has not been up yet.
    #[default]
    Connecting,
    /// Samples are sent.
    Up,
    /// It is open, and takes nothing.
    Stalled,
    /// It is not there.
    Down,
    /// A state that this program does not know.
    #[serde(other)]
    Unknown,
}

/// The link between a speaker's program and its loudspeaker. Counters count since the program's start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkStats {
    /// How it stands.
    pub state: LinkState,
    /// Why it is not up, for people; at most [`MAX_TEXT`] bytes.
    pub why: String,
    /// Whether a person has to do something about that.
    pub needs_help: bool,
    /// The delay that the loudspeaker reports, in microseconds; absent while it reports none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_us: Option<i64>,
    /// The delay that is assumed while it reports none, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed_us: Option<i64>,
    /// From sending to sound, as reckoned with, in microseconds: the codec's delay, and what is reported
    /// or assumed.
    pub delay_us: i64,
    /// How long one packet lasts, in milliseconds.
    pub packet_ms: f64,
    /// The codec of the link, for people, such as `sbc mono 48000/29`; at most [`MAX_TEXT`] bytes.
    pub codec: String,
    /// Counts the times that the loudspeaker began to play anew.
    pub start: u32,
    /// Packets that the link took.
    pub sent: u64,
    /// Of these, those taken late.
    pub late: u64,
    /// Packets of the schedule dropped on all links of the speaker's group together.
    pub dropped: u64,
    /// Times that the link took nothing for so long that it was left out of its group.
    pub left_out: u64,
    /// Times that the machine stood still for longer than speakers buffer: some ran dry.
    pub skipped: u64,
    /// Packets that the radio has not taken yet, or is not done with where it tells.
    pub queue: f64,
    /// The longest that a packet took of late until the radio was done with it, in microseconds; absent where the
    /// system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub air_us: Option<i64>,
    /// The loudspeaker's own volume, 0 to 127; absent where it has none that can be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<u8>,
    /// The loudspeaker's battery, in percent, where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery: Option<u8>,
}

impl LinkStats {
    fn held_in_limits(mut self) -> Self {
        for text in [&mut self.why, &mut self.codec] {
            *text = shortened(text, MAX_TEXT);
        }
        self.reported_us = self.reported_us.map(|us| us.clamp(0, MAX_LATENCY_US));
        self.assumed_us = self.assumed_us.map(|us| us.clamp(0, MAX_LATENCY_US));
        self.delay_us = self.delay_us.clamp(0, MAX_LATENCY_US);
        self.air_us = self.air_us.map(|us| us.clamp(0, MAX_LATENCY_US));
        for figure in [&mut self.packet_ms, &mut self.queue] {
            *figure = if figure.is_finite() { figure.clamp(0.0, 1e6) } else { 0.0 };
        }
        self
    }
}

/// At most `most` bytes of a text, cut between characters, without what steers a terminal.
fn shortened(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > most {
            break;
        }
        out.push(c);
    }
    out
}

/// What became of the media packets of a speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PacketCounters {
    /// Arrived, opened, parsed, and played or held for playing.
    pub received: u64,
    /// Arrived after their deadline.
    pub late: u64,
    /// Arrived again.
    pub duplicate: u64,
    /// Never arrived in time.
    pub lost: u64,
    /// Arrived in time because they were asked for again.
    pub recovered: u64,
    /// Arrived after a packet sent later.
    pub reordered: u64,
    /// Datagrams that did not parse.
    pub malformed: u64,
    /// Datagrams seen before.
    pub replayed: u64,
    /// Datagrams whose seal did not fit, or that had none.
    pub forged: u64,
    /// Requests for one packet, repeats counted.
    pub nacked: u64,
}

/// Numbers that times are reckoned from: what would overflow is refused while reading. [WIRE-3]
mod bounded {
    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn frame<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        match i64::deserialize(from)? {
            frame if (0..1 << 53).contains(&frame) => Ok(frame),
            _ => Err(D::Error::custom("a frame number is 0 to 2^53 - 1")),
        }
    }

    pub(super) fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        match i64::deserialize(from)? {
            ns if ns.unsigned_abs() >> 62 == 0 => Ok(ns),
            _ => Err(D::Error::custom("an instant is less than 2^62 ns from its clock's zero")),
        }
    }
}

/// [`Role`] as its text.
pub mod role_text {
    use antiphon_base::Role;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the role's text.
    pub fn serialize<S: Serializer>(role: &Role, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(role)
    }

    /// Reads a role's text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Role, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    /// An optional [`Role`] as its text or null.
    pub mod option {
        use antiphon_base::Role;
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        /// Writes the role's text, or null.
        pub fn serialize<S: Serializer>(role: &Option<Role>, to: S) -> Result<S::Ok, S::Error> {
            match role {
                Some(role) => to.collect_str(role),
                None => to.serialize_none(),
            }
        }

        /// Reads a role's text, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Role>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL,
            name: "kitchen".into(),
            software: "antiphon 0.1.0".into(),
            codecs: Codec::ALL.to_vec(),
            channels: 2,
            output: "null:".into(),
            role: Some(Role::Left),
            min_latency_us: 20_000,
        }
    }

    fn hub(text: &str) -> Result<HubMessage, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_a_speaker_says_of_its_link_is_held_in_limits() {
        let link = LinkStats {
            why: "\u{e4}".repeat(200) + "\u{1b}[2J",
            delay_us: i64::MAX,
            queue: f64::NAN,
            ..LinkStats::default()
        };
        let stats =
            SpeakerStats { min_latency_us: Some(-5), link: Some(Box::new(link)), ..SpeakerStats::default() };
        let held = stats.held_in_limits();
        let link = held.link.unwrap();
        assert_eq!((held.min_latency_us, link.delay_us, link.queue), (Some(0), MAX_LATENCY_US, 0.0));
        assert_eq!(link.why, "\u{e4}".repeat(128));
    }

    #[test]
    fn a_hello_reads_as_it_was_written_and_a_missing_role_is_none() {
        let message = SpeakerMessage::Hello(hello());
        let text = serde_json::to_string(&message).unwrap();
        assert!(
            text.starts_with(r#"{"type":"hello","protocol":1,"#) && text.contains(r#""role":"left""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<SpeakerMessage>(&text).unwrap(), message);
        let without = text.replace(r#""role":"left","#, "");
        match serde_json::from_str(&without).unwrap() {
            SpeakerMessage::Hello(hello) => assert_eq!(hello.role, None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unknown_types_fields_and_codes_are_no_errors() {
        let news = r#"{"type":"from_the_future","x":[1,{"y":2}]}"#;
        assert_eq!(hub(news).unwrap(), HubMessage::Unknown);
        assert_eq!(serde_json::from_str::<SpeakerMessage>(news).unwrap(), SpeakerMessage::Unknown);
        let goodbye = hub(r#"{"type":"goodbye","reason":"x","more":1}"#).unwrap();
        assert_eq!(goodbye, HubMessage::Goodbye { reason: "x".into() });
        match hub(r#"{"type":"refused","code":"moon_phase","message":"no"}"#).unwrap() {
            HubMessage::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::Unknown),
            other => panic!("{other:?}"),
        }
        let stats = r#"{"type":"stats","state":"dreaming"}"#;
        match serde_json::from_str(stats).unwrap() {
            SpeakerMessage::Stats(stats) => assert_eq!(stats.state, SpeakerState::Unknown),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_that_would_overflow_a_timeline_are_refused() {
        let timeline = |frame: i64, ns: i64| {
            hub(&format!(r#"{{"type":"timeline","epoch":1,"first_frame":{frame},"presentation_ns":{ns}}}"#))
        };
        assert!(timeline(0, 0).is_ok() && timeline((1 << 53) - 1, -5).is_ok());
        for (frame, ns) in [(-1, 0), (1 << 53, 0), (0, 1 << 62), (0, i64::MIN)] {
            assert!(timeline(frame, ns).is_err(), "{frame} {ns}");
        }
        assert!(hub(&format!(r#"{{"type":"stop","epoch":1,"at_ns":{}}}"#, i64::MAX)).is_err());
    }

    #[test]
    fn a_hello_that_makes_no_sense_is_refused_with_the_reason() {
        assert_eq!(hello().check(), Ok(()));
        let long = "x".repeat(64);
        for (wrong, code) in [
            (Hello { protocol: 2, ..hello() }, RefusalCode::Protocol),
            (Hello { name: String::new(), ..hello() }, RefusalCode::BadMessage),
            (Hello { name: long, ..hello() }, RefusalCode::BadMessage),
            (Hello { name: "a\u{1b}b".into(), ..hello() }, RefusalCode::BadMessage),
            (Hello { name: " a".into(), ..hello() }, RefusalCode::BadMessage),
            (Hello { codecs: Vec::new(), ..hello() }, RefusalCode::BadMessage),
            (Hello { channels: 0, ..hello() }, RefusalCode::BadMessage),
            (Hello { channels: 65, ..hello() }, RefusalCode::BadMessage),
            (Hello { min_latency_us: -1, ..hello() }, RefusalCode::BadMessage),
        ] {
            assert_eq!(wrong.check().unwrap_err().code, code, "{wrong:?}");
        }
    }

    #[test]
    fn settings_beyond_the_limits_are_held_at_them() {
        let wild = SpeakerSettings {
            gain_db: f32::INFINITY,
            delay_us: i64::MIN,
            latency_us: -1,
            ..SpeakerSettings::default()
        };
        let held = wild.held_in_limits();
        assert_eq!(
            (held.gain_db, held.delay_us, held.latency_us),
            (MAX_GAIN_DB, -MAX_DELAY_US, MIN_LATENCY_US)
        );
        let nan = SpeakerSettings { gain_db: f32::NAN, ..SpeakerSettings::default() };
        assert_eq!(nan.held_in_limits().gain_db, 0.0);
    }

    #[test]
    fn figures_that_json_cannot_hold_become_zero() {
        let stats =
            SpeakerStats { skew_ppm: f64::NAN, peak_db: f64::NEG_INFINITY, ..SpeakerStats::default() };
        assert_eq!(stats.finite(), SpeakerStats::default());
    }
}
