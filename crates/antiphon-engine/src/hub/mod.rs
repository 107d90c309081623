//! The hub's end: a source's frames in, each speaker's datagrams out.

mod live;

mod programme;

mod encoders;

mod control;

mod tracks;

#[cfg(test)]
mod parts;

pub(crate) use encoders::kind_of;
pub use tracks::Track;

use std::collections::VecDeque;
use std::net::SocketAddr;

use antiphon_base::{ClockId, Frames, Hub as HubClock, Role, SessionId, Span, SpeakerId, Timestamp};
use antiphon_proto::session::{
    Codec, Hello, HubMessage, Refusal, Remembered, SpeakerMessage, SpeakerSettings, SpeakerStats, Welcome,
};
use antiphon_proto::wire::seal::SessionKeys;
use antiphon_proto::{Hub, HubConfig, JoinRequest, Transport};

use encoders::Encoders;
use programme::Programme;

/// What a hub is told at its start.
#[derive(Debug, Clone)]
pub struct HubEngineConfig {
    /// Names this boot of the hub's clock; random.
    pub clock: ClockId,
    /// The hub's name, as people see it.
    pub name: String,
    /// Target latency: from sending a frame to its leaving the loudspeakers.
    pub latency: Span,
    /// Whether sessions without keys are accepted.
    pub open: bool,
}

/// Who is to play a programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The speaker's name.
    pub name: String,
    /// The role it takes for as long as the programme lasts; `None`: its own.
    pub role: Option<Role>,
}

/// A programme that is about to be pushed.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// 1 to 32; up to 8 in WAVE order.
    pub channels: u16,
    /// For people.
    pub title: String,
    /// Where known.
    pub duration: Option<Frames>,
    /// Empty: every speaker, each in its own role.
    pub targets: Vec<Target>,
    /// How long to wait for targets that are not connected or not in sync yet.
    pub wait_for: Span,
    /// How its frames come.
    pub pace: SourcePace,
}

/// How a source's frames come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourcePace {
    /// As they are taken, up to two seconds ahead.
    #[default]
    Stored,
    /// As they are taken, a quarter of a second ahead: a pipe whose writer pauses is to be silent soon.
    Pulled,
    /// By a clock of their own: resampled to the hub's, and thrown away while nobody plays them.
    Clocked,
}

/// Why a programme was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayRefusal {
    /// The number of channels is not 1 to 32.
    #[error("the source has {0} channels; 1 to 32 can be played")]
    Channels(u16),
    /// A role that a source of so many channels does not have.
    #[error(
        "speaker {speaker:?} is to play {role:?} of a source with {channels} channels, where no channel is left or \
         right: give it one of them, ch1 to ch{channels}"
    )]
    NoPlace {
        /// Who.
        speaker: String,
        /// Its role, as text.
        role: String,
        /// The source's channels.
        channels: u16,
    },
    /// One speaker cannot have two places.
    #[error("speaker {0:?} is named twice; give each speaker one role")]
    NamedTwice(String),
}

/// A speaker name that no connected speaker has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no speaker named {0:?} is connected")]
pub struct UnknownSpeaker(pub String);

/// Settings to change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsChange {
    /// The part of the programme that it plays.
    pub role: Option<Role>,
    /// In decibels; 0 is as recorded.
    pub gain_db: Option<f32>,
    /// Silent, with its gain kept.
    pub muted: Option<bool>,
    /// Its loudspeaker's own volume, in percent.
    pub volume: Option<u8>,
    /// Microseconds later than the timeline; negative is earlier.
    pub delay_us: Option<i64>,
    /// How its audio is encoded.
    pub codec: Option<Codec>,
}

/// Where playing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportState {
    /// No programme is open.
    Idle,
    /// Named speakers are not there or not in sync yet.
    Waiting,
    /// The first frames are being collected or are under way.
    Starting,
    /// Frames leave the loudspeakers.
    Playing,
    /// Held at a position.
    Paused,
    /// The last frame has been heard.
    Ended,
}

/// The transport as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct TransportStatus {
    /// Where playing stands.
    pub state: TransportState,
    /// The frame that is leaving the loudspeakers, of the track that is heard; of a source without
    /// tracks, of the source.
    pub position: Frames,
    /// The programme's length, where known.
    pub duration: Option<Frames>,
    /// The programme's title.
    pub title: String,
    /// What a station says that it plays.
    pub on_air: Option<String>,
    /// Hub time at which the first frame of the current stretch leaves the loudspeakers.
    pub started: Option<Timestamp<HubClock>>,
    /// The track that is heard, of a source that has tracks.
    pub track: Option<Track>,
    /// Speakers that are waited for.
    pub missing: Vec<String>,
    /// How often the source came too late and playing had to pause.
    pub starved: u64,
    /// How long frames of a source with a clock of its own wait here before they are sent.
    pub held: Option<Span>,
}

/// A connected speaker.
#[derive(Debug, Clone)]
pub struct SpeakerSnapshot {
    /// Its lasting identity.
    pub id: SpeakerId,
    /// Its name.
    pub name: String,
    /// Where its datagrams come from.
    pub addr: Option<SocketAddr>,
    /// Whether its datagrams are sealed, or the connection that carries them encrypts them.
    pub sealed: bool,
    /// What carries its datagrams.
    pub transport: Transport,
    /// Role, gain, delay and codec, as its user has set them.
    pub settings: SpeakerSettings,
    /// The role that it has in the programme instead of its own.
    pub part: Option<Role>,
    /// Whether it belongs to the current programme.
    pub streaming: bool,
    /// What its output is, in its own words.
    pub output: String,
    /// Its program and version, in its own words.
    pub software: String,
    /// Its own latest report.
    pub stats: Option<SpeakerStats>,
    /// Datagrams of audio sent to it, retransmissions included.
    pub packets_sent: u64,
    /// Bytes sent to it.
    pub bytes_sent: u64,
    /// Packets sent again at its request.
    pub retransmitted: u64,
    /// Time since it was last heard of.
    pub silent_for: Span,
}

/// What the shell must know.
#[derive(Debug, Clone, PartialEq)]
pub enum HubEvent {
    /// A speaker joined.
    Joined(SpeakerId, String),
    /// A speaker left, and why.
    Left(SpeakerId, String),
    /// Settings to be remembered.
    SettingsChanged(SpeakerId, SpeakerSettings),
    /// The first frame leaves the loudspeakers at this hub time.
    Started(Timestamp<HubClock>),
    /// The source did not keep up; playing resumes by itself when it has.
    SourceStarved,
    /// The last frame has been heard.
    SourceEnded,
}

/// The hub, sans-IO. Call `handle_*` with what happened, then drain `poll_transmit`,
/// `poll_message`, `poll_event`, then sleep until `poll_timeout`.
#[derive(Debug)]
pub struct HubEngine {
    hub: Hub,
    programme: Option<Programme>,
    encoders: Encoders,
    /// The first media frame number that no epoch has used.
    next_media: Frames,
    events: VecDeque<HubEvent>,
}

impl HubEngine {
    /// A hub with no speakers and nothing to play.
    pub fn new(config: HubEngineConfig) -> Self {
        let HubEngineConfig { clock, name, latency, open } = config;
        Self {
            hub: Hub::new(HubConfig { clock, name, latency, open }),
            programme: None,
            encoders: Encoders::default(),
            next_media: Frames(0),
            events: VecDeque::new(),
        }
    }

    /// A speaker whose connection and handshake are done asks to join.
    ///
    /// # Errors
    /// Its name is in use by another, or the hub is full.
    pub fn join(
        &mut self,
        now: Timestamp<HubClock>,
        id: SpeakerId,
        hello: &Hello,
        keys: Option<SessionKeys>,
        transport: Transport,
        remembered: Remembered,
    ) -> Result<(SessionId, Welcome), Refusal> {
        let joined =
            self.hub.join(now, JoinRequest { id, hello: hello.clone(), keys, transport }, remembered)?;
        self.choose(now, id);
        self.follow_needs(now);
        Ok(joined)
    }

    /// The connection of a speaker ended.
    pub fn leave(&mut self, now: Timestamp<HubClock>, session: SessionId, reason: &str) {
        self.hub.leave(now, session, reason);
    }

    /// A control message of a speaker.
    pub fn handle_message(&mut self, now: Timestamp<HubClock>, session: SessionId, message: SpeakerMessage) {
        self.hub.handle_message(now, session, message);
        self.follow_needs(now);
    }

    /// A datagram; `received_at` is the kernel's receive stamp.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp<HubClock>,
        received_at: Timestamp<HubClock>,
        from: SocketAddr,
        bytes: &mut [u8],
    ) {
        self.hub.handle_datagram(now, received_at, from, bytes);
    }

    /// Time passed: encodes and sends what is due.
    pub fn handle_timeout(&mut self, now: Timestamp<HubClock>) {
        self.hub.handle_timeout(now);
        self.advance(now);
        self.encode_due(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp<HubClock>> {
        let hub = self.hub.poll_timeout().map(|deadline| deadline.at);
        let programme = self.programme.as_ref().and_then(Programme::wake_at);
        hub.into_iter().chain(programme).min()
    }

    /// The next datagram to send, written to `out`.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.hub.poll_transmit(out)
    }

    /// The next control message to send.
    pub fn poll_message(&mut self) -> Option<(SessionId, HubMessage)> {
        self.hub.poll_message()
    }

    /// The next event for the shell.
    pub fn poll_event(&mut self) -> Option<HubEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.hub.poll_event().and_then(control::event_of)
    }

    /// The target latency in force.
    pub fn latency(&self) -> Span {
        self.hub.latency()
    }
}
