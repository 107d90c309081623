//! One speaker's session on the hub.

use std::net::{Ipv6Addr, SocketAddr};

use antiphon_base::{ClockId, Hub, Role, SessionId, Span, SpeakerId, Timestamp};

use crate::send::Variant;
use crate::send::pace::UNHURRIED;
use crate::session::message::{Hello, SpeakerSettings, SpeakerStats};
use crate::session::{Codec, PROTOCOL, Trim, Welcome};
use crate::wire::WireError;
use crate::wire::seal::{Kind, Opening, Seal, SessionKeys};

/// The most speakers of one hub: at 200 packets a second each, more would fill a gigabit link's
/// packet rate before its bit rate.
pub const MAX_SESSIONS: usize = 512;

/// Without a datagram or message for this long, a session ends: the speaker is gone, and its name
/// shall be free.
pub const SESSION_SILENCE: Span = Span::from_s(30);

/// So long media are still sent to a silent speaker: a network that comes back within it finds the
/// stream at once. Longer, and packets to a host that has left burden the air.
pub const MEDIA_SILENCE: Span = Span::from_s(15);

/// The most latency that a session by messages is given: twice what browsers need. All speakers of the programme wait
/// as long, and a guest shall not keep them waiting for more. [BROWSER-4]
pub const MAX_MESSAGES_NEED_US: i64 = 2_000_000;

/// Who wants to join; the shell has done the handshake.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// The identity that the handshake proved (or that an open speaker claims).
    pub id: SpeakerId,
    /// What the speaker said of itself.
    pub hello: Hello,
    /// The keys of a sealed session; `None` for an open one.
    pub keys: Option<SessionKeys>,
    /// What carries its datagrams.
    pub transport: Transport,
}

/// What carries a session's datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// UDP: they get lost, and come from any address.
    #[default]
    Datagrams,
    /// Messages of a connection that loses nothing and keeps their order (a browser's WebSocket). They are not
    /// sealed, go to and come from [`message_address`], and nothing is sent twice. [BROWSER-5]
    Messages {
        /// Whether the connection encrypts them.
        encrypted: bool,
    },
}

impl Transport {
    /// Whether it is a connection's messages.
    pub fn is_messages(self) -> bool {
        matches!(self, Self::Messages { .. })
    }
}

/// The address that stands for the connection of a session by messages: in 100::/64, where no packet of any
/// network comes from or goes to (RFC 6666).
pub fn message_address(session: SessionId) -> SocketAddr {
    let (high, low) = ((session.0 >> 16) as u16, session.0 as u16);
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, high, low), 0).into()
}

/// The session that [`message_address`] made `addr` for.
pub fn message_session(addr: SocketAddr) -> Option<SessionId> {
    match addr {
        SocketAddr::V6(addr) => match addr.ip().segments() {
            [0x100, 0, 0, 0, 0, 0, high, low] => Some(SessionId(u32::from(high) << 16 | u32::from(low))),
            _ => None,
        },
        SocketAddr::V4(_) => None,
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftReason {
    /// The speaker said goodbye, with this reason.
    Goodbye(String),
    /// The shell ended it (a closed connection, a person), with this reason.
    Closed(String),
    /// The same speaker began another session.
    Replaced,
    /// Nothing came for [`SESSION_SILENCE`].
    Silent,
}

/// What a session looks like from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSnapshot {
    /// The session.
    pub session: SessionId,
    /// The speaker.
    pub id: SpeakerId,
    /// What it said of itself, under the name that it has here.
    pub hello: Hello,
    /// As it calls itself.
    pub given: String,
    /// Where its datagrams come from; `None` until the first one.
    pub addr: Option<SocketAddr>,
    /// Whether its datagrams are sealed, or the connection that carries them encrypts them.
    pub sealed: bool,
    /// What carries its datagrams.
    pub transport: Transport,
    /// How its user has set it.
    pub settings: SpeakerSettings,
    /// The role that it has in the programme instead of its own.
    pub part: Option<Role>,
    /// Whether it belongs to the programme.
    pub streaming: bool,
    /// What it reported last.
    pub stats: Option<SpeakerStats>,
    /// Media packets sent to it, retransmissions included.
    pub packets_sent: u64,
    /// Bytes of all datagrams sent to it.
    pub bytes_sent: u64,
    /// Packets sent again because it asked.
    pub retransmitted: u64,
    /// Requests for packets that were too old, unknown, or over its allowance.
    pub not_retransmitted: u64,
    /// How long nothing genuine has come from it.
    pub silent_for: Span,
}

/// Credit for retransmissions: every media packet sent earns one, so a speaker that asks for
/// everything over and over costs at most as much again as one that asks for nothing.
#[derive(Debug)]
struct Allowance(u32);

impl Allowance {
    /// A second of 2.5 ms packets: what a long fade of the radio takes at once.
    const MOST: u32 = 400;

    fn earn(&mut self) {
        self.0 = (self.0 + 1).min(Self::MOST);
    }

    fn spend(&mut self) -> bool {
        let affordable = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        affordable
    }
}

/// A session's state: about 1 KiB, its texts included, and nothing that grows.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SpeakerId,
    /// Under the name that it has here.
    pub(super) hello: Hello,
    /// As it calls itself.
    given: String,
    /// As its user has set it.
    pub(super) settings: SpeakerSettings,
    /// The role that it has in the programme instead of its own.
    pub(super) part: Option<Role>,
    pub(super) trim: Trim,
    pub(super) streaming: bool,
    /// The stream (RTP source identifier) that it is sent.
    pub(super) stream: Option<u32>,
    /// The stream before, and the first (extended) number in it that was not meant for this speaker any more.
    pub(super) previous: Option<(u32, u64)>,
    pub(super) stats: Option<SpeakerStats>,
    pub(super) last_heard: Timestamp<Hub>,
    /// Where its newest media wait in the queue; the queue's to read.
    pub(super) run: u64,
    addr: Option<(SocketAddr, u64)>,
    transport: Transport,
    seal: Seal,
    opening: Opening,
    allowance: Allowance,
    packets_sent: u64,
    bytes_sent: u64,
    retransmitted: u64,
    not_retransmitted: u64,
}

impl Session {
    pub(super) fn new(
        now: Timestamp<Hub>,
        session: SessionId,
        join: JoinRequest,
        given: String,
        settings: SpeakerSettings,
        trim: Trim,
    ) -> Self {
        Self {
            id: join.id,
            hello: join.hello,
            given,
            settings,
            part: None,
            trim,
            streaming: false,
            stream: None,
            previous: None,
            stats: None,
            last_heard: now,
            run: 0,
            // No datagram moves it: no counter is greater.
            addr: join.transport.is_messages().then(|| (message_address(session), u64::MAX)),
            transport: join.transport,
            seal: Seal::to_speaker(join.keys.as_ref(), session),
            opening: Opening::at_hub(join.keys.as_ref(), session),
            allowance: Allowance(Allowance::MOST),
            packets_sent: 0,
            bytes_sent: 0,
            retransmitted: 0,
            not_retransmitted: 0,
        }
    }

    /// How it plays: what its user set, its part in the programme, and its calibration.
    pub(super) fn in_force(&self) -> SpeakerSettings {
        SpeakerSettings { role: self.role(), ..self.trim.applied_to(&self.settings) }
    }

    /// The variant that its settings and its part ask for.
    pub(super) fn wanted(&self) -> Variant {
        Variant { role: self.role(), codec: self.settings.codec }
    }

    fn role(&self) -> Role {
        self.part.unwrap_or(self.settings.role)
    }

    /// Opens a datagram; a genuine one says where the speaker is, unless a newer one has said so.
    pub(super) fn open<'a>(
        &mut self,
        received_at: Timestamp<Hub>,
        from: SocketAddr,
        bytes: &'a mut [u8],
    ) -> Result<(Kind, &'a [u8]), WireError> {
        if self.transport.is_messages() && self.addr() != Some(from) {
            return Err(WireError::OtherPath);
        }
        let counter = envelope_counter(bytes);
        let opened = self.opening.open(bytes)?;
        self.last_heard = self.last_heard.max(received_at);
        // A datagram that overtook the move to another network must not move the stream back.
        if self.addr.is_none_or(|(_, newest)| counter > newest) {
            self.addr = Some((from, counter));
        }
        Ok(opened)
    }

    /// Whether packet `sequence` of stream `ssrc` was meant for this speaker.
    pub(super) fn was_sent(&self, ssrc: u32, sequence: u64) -> bool {
        self.stream == Some(ssrc) || self.previous.is_some_and(|(left, end)| left == ssrc && sequence < end)
    }

    /// Whether it may ask for packets again: what a connection has taken, it delivers.
    pub(super) fn may_ask_again(&self) -> bool {
        !self.transport.is_messages()
    }

    /// The target latency that it is known to need: as it said last, or, of one that cannot know better before it
    /// plays, at first.
    pub(super) fn need_us(&self) -> Option<i64> {
        let reported = self.stats.as_ref().and_then(|stats| stats.min_latency_us);
        match self.transport {
            Transport::Datagrams => reported,
            Transport::Messages { .. } => {
                Some(reported.unwrap_or(self.hello.min_latency_us).min(MAX_MESSAGES_NEED_US))
            }
        }
    }

    pub(super) fn addr(&self) -> Option<SocketAddr> {
        self.addr.map(|(addr, _)| addr)
    }

    pub(super) fn silent_for(&self, now: Timestamp<Hub>) -> Span {
        now.saturating_since(self.last_heard).max(Span::ZERO)
    }

    /// Whether media are worth sending to it.
    pub(super) fn is_reachable(&self, now: Timestamp<Hub>) -> bool {
        self.addr.is_some() && self.silent_for(now) < MEDIA_SILENCE
    }

    /// Whether it is on this machine and needs a long latency of its own: nothing is gained by giving it packets in
    /// small bursts. Loopback alone does not say so much: a proxy with a radio behind it may be there.
    pub(super) fn is_unhurried(&self) -> bool {
        let here = self.addr().is_some_and(|addr| addr.ip().to_canonical().is_loopback());
        here && self
            .stats
            .as_ref()
            .is_some_and(|stats| stats.min_latency_us >= Some(UNHURRIED.as_ns() / 1_000))
    }

    /// Counts one more media packet on its way.
    pub(super) fn note_media(&mut self) {
        self.allowance.earn();
    }

    /// Whether one more retransmission is within its allowance; counted either way.
    pub(super) fn allow_retransmission(&mut self, useful: bool) -> bool {
        let allowed = useful && self.allowance.spend();
        *(if allowed { &mut self.retransmitted } else { &mut self.not_retransmitted }) += 1;
        allowed
    }

    pub(super) fn seal(&mut self, kind: Kind, plaintext: &[u8], out: &mut Vec<u8>) {
        self.seal.seal(kind, plaintext, out);
        self.packets_sent += u64::from(kind == Kind::Media);
        self.bytes_sent += out.len() as u64;
    }

    pub(super) fn welcome(
        &self,
        session: SessionId,
        clock: ClockId,
        hub_name: &str,
        latency: Span,
    ) -> Welcome {
        Welcome {
            protocol: PROTOCOL,
            session: session.0,
            clock: clock.0,
            hub_name: hub_name.to_owned(),
            latency_us: latency.as_ns() / 1_000,
            settings: self.in_force(),
        }
    }

    pub(super) fn snapshot(&self, session: SessionId, now: Timestamp<Hub>) -> SessionSnapshot {
        SessionSnapshot {
            session,
            id: self.id,
            hello: self.hello.clone(),
            given: self.given.clone(),
            addr: self.addr(),
            sealed: self.seal.is_sealed() || self.transport == Transport::Messages { encrypted: true },
            transport: self.transport,
            settings: self.settings.clone(),
            part: self.part,
            streaming: self.streaming,
            stats: self.stats.clone(),
            packets_sent: self.packets_sent,
            bytes_sent: self.bytes_sent,
            retransmitted: self.retransmitted,
            not_retransmitted: self.not_retransmitted,
            silent_for: self.silent_for(now),
        }
    }
}

/// What the speaker can decode, out of what is wanted: its own first choice where it cannot.
pub(super) fn usable_codec(wanted: Codec, hello: &Hello) -> Codec {
    if hello.codecs.contains(&wanted) { wanted } else { hello.codecs.first().copied().unwrap_or(wanted) }
}

/// The counter in an envelope's header (0 where there is none): authentic once the datagram opened.
fn envelope_counter(bytes: &[u8]) -> u64 {
    bytes.get(8..16).and_then(|field| field.try_into().ok()).map_or(0, u64::from_be_bytes)
}
