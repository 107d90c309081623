//! The hub's end of the protocol: sessions, the programme's streams, retransmission.
//!
//! Drive [`Hub`] with `handle_*`; afterwards drain [`Hub::poll_transmit`], then
//! [`Hub::poll_message`], then [`Hub::poll_event`], and ask [`Hub::poll_timeout`] when to call
//! [`Hub::handle_timeout`]. Encoding is the caller's: after `handle_timeout`, each variant of
//! [`Hub::variants`] wants units from [`Hub::next_frame`] up to [`Hub::encode_horizon`], handed to
//! [`Hub::handle_encoded`]. All times are the hub's clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use antiphon_base::{ClockId, Hub as HubClock, SessionId, Span, SpeakerId, Timestamp};

use crate::session::message::{HubMessage, Refusal, RefusalCode, SpeakerMessage, SpeakerSettings, Welcome};
use crate::session::{Remembered, Trim};
use crate::wire::WireError;
use crate::wire::clock::{Probe, Reply};
use crate::wire::feedback::Nack;
use crate::wire::seal::{Kind, peek_session};

mod session;

mod programme;

mod queue;

pub use crate::timeline::{Deadline, Reason};
pub use programme::{START_LEAD, STOP_LEAD};
pub use session::{
    JoinRequest, LeftReason, MAX_SESSIONS, MEDIA_SILENCE, SESSION_SILENCE, SessionSnapshot, Transport,
    message_address, message_session,
};

use programme::Programme;
use queue::{Media, Queue, Urgent};
use session::Session;

/// Messages and events that wait for the shell, at most: many for each session. The oldest go first.
const MAX_WAITING: usize = 16 * MAX_SESSIONS;

/// A target latency beyond the configured one is a multiple of this.
const LATENCY_STEP: Span = Span::from_ms(20);

/// A need that can change while music plays, as loudspeakers report other delays, may grow by this much before the
/// programme has to be moved for it, which every speaker of it would hear.
const LATENCY_HEADROOM: Span = Span::from_ms(100);

/// What a hub is.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// This boot of the hub's clock.
    pub clock: ClockId,
    /// Its name, for people.
    pub name: String,
    /// Target latency: how long before its presentation a frame is sent.
    pub latency: Span,
    /// Whether speakers may join without keys.
    pub open: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubEvent {
    /// A session began.
    Joined {
        /// The session.
        session: SessionId,
        /// The speaker.
        id: SpeakerId,
        /// Its name.
        name: String,
    },
    /// A session ended; the shell closes its connection.
    Left {
        /// The session.
        session: SessionId,
        /// The speaker.
        id: SpeakerId,
        /// Its name.
        name: String,
        /// Why.
        reason: LeftReason,
    },
    /// A speaker reported its statistics: see [`Hub::sessions`].
    Stats {
        /// The session.
        session: SessionId,
        /// The speaker.
        id: SpeakerId,
    },
}

/// Datagrams and units that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubCounters {
    /// Datagrams that named no session of this hub.
    pub stray: u64,
    /// Datagrams of a session that did not open: malformed, replayed or forged.
    pub refused: u64,
    /// Genuine datagrams that did not parse, or of a kind that a speaker does not send.
    pub malformed: u64,
    /// Encoded units that nobody wanted: an unknown variant, a frame out of turn, or too large.
    pub unexpected: u64,
    /// Encoded units that came after their presentation, or were passed over because they would have.
    pub stale: u64,
    /// Datagrams that found the transmit queue full.
    pub overflowed: u64,
}

/// The hub, without sockets or clocks.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    /// The target latency in force: the configured one, or more where a speaker needs more.
    latency: Span,
    sessions: BTreeMap<SessionId, Session>,
    programme: Programme,
    queue: Queue,
    messages: VecDeque<(SessionId, HubMessage)>,
    events: VecDeque<HubEvent>,
    counters: HubCounters,
    /// Before this, no session can have been silent for too long.
    silence_from: Option<Timestamp<HubClock>>,
    next_session: u32,
    /// For packets other than media on their way out.
    plain: Vec<u8>,
}

impl Hub {
    /// A hub with no speakers.
    pub fn new(config: HubConfig) -> Self {
        Self {
            programme: Programme::new(config.clock),
            latency: config.latency,
            config,
            sessions: BTreeMap::new(),
            queue: Queue::default(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
            counters: HubCounters::default(),
            silence_from: None,
            next_session: 0,
            plain: Vec::new(),
        }
    }

    /// Begins a session. `remembered` is what the speaker was set to earlier; a role in its hello
    /// overrules that, and its name does not: a person gave it the other one later. A session that the same speaker
    /// had is replaced.
    ///
    /// # Errors
    /// A hello that makes no sense, a name that another live speaker holds, no keys where the hub is not
    /// open, or [`MAX_SESSIONS`].
    pub fn join(
        &mut self,
        now: Timestamp<HubClock>,
        mut join: JoinRequest,
        remembered: Remembered,
    ) -> Result<(SessionId, Welcome), Refusal> {
        let given = join.hello.name.clone();
        if let Some(name) = remembered.name {
            join.hello.name = name;
        }
        self.check_join(&join)?;
        let streaming = self.replace(join.id);
        let mut settings = remembered.settings.unwrap_or_default().held_in_limits();
        settings.role = join.hello.role.unwrap_or(settings.role);
        settings.codec = session::usable_codec(settings.codec, &join.hello);
        settings.latency_us = self.latency_us();
        let number = self.unused_session();
        let session = Session::new(now, number, join, given, settings, remembered.trim);
        let welcome = session.welcome(number, self.config.clock, &self.config.name, self.latency);
        self.push_event(HubEvent::Joined {
            session: number,
            id: session.id,
            name: session.hello.name.clone(),
        });
        self.sessions.insert(number, session);
        self.silence_from.get_or_insert(now + SESSION_SILENCE);
        if streaming {
            self.stream_session(now, number, true);
        }
        Ok((number, welcome))
    }

    /// Ends a session: its connection closed, or a person asked.
    pub fn leave(&mut self, now: Timestamp<HubClock>, session: SessionId, reason: &str) {
        self.end(session, LeftReason::Closed(reason.to_owned()));
        self.drop_unused(now);
    }

    /// Takes a message of a session.
    pub fn handle_message(&mut self, now: Timestamp<HubClock>, session: SessionId, message: SpeakerMessage) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        entry.last_heard = entry.last_heard.max(now);
        match message {
            SpeakerMessage::Stats(stats) => {
                entry.stats = Some(stats.held_in_limits());
                let id = entry.id;
                self.push_event(HubEvent::Stats { session, id });
            }
            SpeakerMessage::Goodbye { reason } => {
                let shown = reason.chars().take(crate::session::message::MAX_TEXT).collect();
                self.end(session, LeftReason::Goodbye(shown));
                self.drop_unused(now);
            }
            // A second hello says nothing new; unknown types are for later versions.
            SpeakerMessage::Hello(_) | SpeakerMessage::Unknown => {}
        }
    }

    /// Takes a datagram, which is opened in place. `received_at` is when it arrived, as exactly as the
    /// shell knows; `now` is when an answer leaves.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp<HubClock>,
        received_at: Timestamp<HubClock>,
        from: SocketAddr,
        bytes: &mut [u8],
    ) {
        let number = peek_session(bytes);
        let Some((number, session)) = number.and_then(|n| Some((n, self.sessions.get_mut(&n)?))) else {
            self.counters.stray += 1;
            return;
        };
        let Ok((kind, body)) = session.open(received_at, from, bytes) else {
            self.counters.refused += 1;
            return;
        };
        let understood = match kind {
            Kind::ClockProbe => {
                Probe::parse(body).map(|probe| self.answer(now, received_at, from, number, probe))
            }
            Kind::Feedback if session.may_ask_again() => {
                Nack::parse(body).map(|nack| self.retransmit(now, number, &nack))
            }
            Kind::Feedback | Kind::Media | Kind::ClockReply | Kind::Notice => Err(WireError::Unknown),
        };
        self.counters.malformed += u64::from(understood.is_err());
    }

    /// Repeats notices and ends silent sessions; call it at [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Timestamp<HubClock>) {
        self.settle_pace();
        self.counters.stale += self.programme.begin_burst(now);
        self.repeat_notices(now);
        if self.silence_from.is_some_and(|from| from <= now) {
            self.end_silent(now);
        }
        self.drop_unused(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Deadline<HubClock>> {
        let silent = self.silence_from.map(|at| Deadline { at, reason: Reason::SessionSilent });
        Deadline::earlier(self.programme.deadline(), silent)
    }

    /// The next datagram: replaces the contents of `out`, sealed, and says where it goes.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        while let Some(urgent) = self.queue.pop_urgent() {
            let sent = self.send_urgent(&urgent, out);
            if sent.is_some() {
                return sent;
            }
        }
        while let Some(media) = self.queue.pop_media() {
            let sent = self.send_media(media, out);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// The next message, and the session that it is for.
    pub fn poll_message(&mut self) -> Option<(SessionId, HubMessage)> {
        self.messages.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<HubEvent> {
        self.events.pop_front()
    }

    /// Changes how a speaker plays and tells it. What was asked is held in limits and to what the speaker
    /// can decode; returns what is set, without the calibration, `None` when the speaker has no session.
    pub fn set(
        &mut self,
        now: Timestamp<HubClock>,
        id: SpeakerId,
        settings: SpeakerSettings,
    ) -> Option<SpeakerSettings> {
        let number = self.session_of(id)?;
        let latency_us = self.latency_us();
        let session = self.sessions.get_mut(&number)?;
        let mut settings = settings.held_in_limits();
        settings.codec = session::usable_codec(settings.codec, &session.hello);
        settings.latency_us = latency_us;
        session.settings = settings.clone();
        let in_force = session.in_force();
        self.push_message(number, HubMessage::Settings(in_force));
        self.assign(now, number);
        self.drop_unused(now);
        Some(settings)
    }

    /// Calls a speaker otherwise from now on; `false` when it has no session, or another one is called so.
    pub fn rename(&mut self, id: SpeakerId, name: &str) -> bool {
        let taken = self.sessions.values().any(|session| session.id != id && session.hello.name == name);
        let session = self.sessions.values_mut().find(|session| session.id == id && !taken);
        session.is_some_and(|session| {
            name.clone_into(&mut session.hello.name);
            true
        })
    }

    /// Changes a speaker's calibration and tells it; `false` when the speaker has no session.
    pub fn set_trim(&mut self, id: SpeakerId, trim: Trim) -> bool {
        let Some(number) = self.session_of(id) else { return false };
        let Some(session) = self.sessions.get_mut(&number) else { return false };
        let before = session.in_force();
        session.trim = trim;
        let in_force = session.in_force();
        if in_force != before {
            self.push_message(number, HubMessage::Settings(in_force));
        }
        true
    }

    /// Sets the target latency; it holds from the next [`start`](Self::start), and longer where a
    /// speaker of the programme needs longer.
    pub fn set_latency(&mut self, latency: Span) {
        self.config.latency = latency;
        self.settle_latency();
    }

    /// The latency that somebody has set.
    pub fn configured_latency(&self) -> Span {
        self.config.latency
    }

    /// The least latency at which every speaker of the programme can play: what was set, or what one of
    /// them needs.
    pub fn needed_latency(&self) -> Span {
        self.config.latency.max(self.need().unwrap_or_default())
    }

    /// What the speaker of the programme needs that needs most.
    fn need(&self) -> Option<Span> {
        let streaming = self.sessions.values().filter(|session| session.streaming);
        streaming.filter_map(Session::need_us).max().map(Span::from_us)
    }

    /// Puts the latency that was set in force, or with some headroom what speakers of the programme need, in whole
    /// steps so that small changes of a need change nothing; it holds from the next [`start`](Self::start) on.
    pub fn settle_latency(&mut self) {
        let needed = self.need().map_or(Span::ZERO, |need| need + LATENCY_HEADROOM);
        let steps = (needed.as_ns() + LATENCY_STEP.as_ns() - 1) / LATENCY_STEP.as_ns();
        let latency = self.config.latency.max(LATENCY_STEP * steps);
        if std::mem::replace(&mut self.latency, latency) == latency {
            return;
        }
        let latency_us = self.latency_us();
        let numbers: Vec<_> = self.sessions.keys().copied().collect();
        for number in numbers {
            let Some(session) = self.sessions.get_mut(&number) else { continue };
            session.settings.latency_us = latency_us;
            let in_force = session.in_force();
            self.push_message(number, HubMessage::Settings(in_force));
        }
    }

    /// The target latency in force.
    pub fn latency(&self) -> Span {
        self.latency
    }

    /// The session that a speaker has.
    pub fn session_of(&self, id: SpeakerId) -> Option<SessionId> {
        self.sessions.iter().find(|(_, session)| session.id == id).map(|(&number, _)| number)
    }

    /// Every session as it stands.
    pub fn sessions(&self, now: Timestamp<HubClock>) -> impl Iterator<Item = SessionSnapshot> + '_ {
        self.sessions.iter().map(move |(&number, session)| session.snapshot(number, now))
    }

    /// What came to nothing.
    pub fn counters(&self) -> HubCounters {
        HubCounters { overflowed: self.queue.overflowed, ..self.counters }
    }

    fn latency_us(&self) -> i64 {
        self.latency.as_ns() / 1_000
    }

    fn check_join(&self, join: &JoinRequest) -> Result<(), Refusal> {
        join.hello.check()?;
        let refuse = |code, message: String| Err(Refusal { code, message });
        // Who comes by messages was let in by other means: a code, or from this very machine.
        if join.keys.is_none() && !self.config.open && !join.transport.is_messages() {
            let message = "this hub is not open: pair the speaker with it".to_owned();
            return refuse(RefusalCode::NotOpen, message);
        }
        let others = || self.sessions.values().filter(|session| session.id != join.id);
        if others().any(|session| session.hello.name == join.hello.name) {
            let name = &join.hello.name;
            let message = format!("another speaker is called {name:?}: give this one another --name");
            return refuse(RefusalCode::NameTaken, message);
        }
        if others().count() >= MAX_SESSIONS {
            let message = format!("this hub already serves {MAX_SESSIONS} speakers: stop one first");
            return refuse(RefusalCode::Full, message);
        }
        Ok(())
    }

    /// Ends the session that a speaker has; whether it belonged to the programme.
    fn replace(&mut self, id: SpeakerId) -> bool {
        let Some(number) = self.session_of(id) else { return false };
        let streaming = self.sessions.get(&number).is_some_and(|session| session.streaming);
        let reason = "the speaker began another session".to_owned();
        self.push_message(number, HubMessage::Goodbye { reason });
        self.end(number, LeftReason::Replaced);
        streaming
    }

    fn end(&mut self, session: SessionId, reason: LeftReason) {
        let Some(ended) = self.sessions.remove(&session) else { return };
        self.push_event(HubEvent::Left { session, id: ended.id, name: ended.hello.name, reason });
    }

    fn end_silent(&mut self, now: Timestamp<HubClock>) {
        let sessions = self.sessions.iter();
        let silent = sessions.filter(|(_, session)| session.silent_for(now) >= SESSION_SILENCE);
        for number in silent.map(|(&number, _)| number).collect::<Vec<_>>() {
            self.end(number, LeftReason::Silent);
        }
        let heard = self.sessions.values().map(|session| session.last_heard).min();
        self.silence_from = heard.map(|heard| heard + SESSION_SILENCE);
    }

    /// Session numbers are not secret, but a datagram of a former session should not fit the next.
    fn unused_session(&mut self) -> SessionId {
        loop {
            self.next_session = self.next_session.wrapping_add(1);
            let number = SessionId(programme::scatter(self.config.clock, self.next_session, 0x5E55) as u32);
            if number.0 != 0 && !self.sessions.contains_key(&number) {
                return number;
            }
        }
    }

    fn answer(
        &mut self,
        now: Timestamp<HubClock>,
        received_at: Timestamp<HubClock>,
        to: SocketAddr,
        session: SessionId,
        probe: Probe,
    ) {
        // To where the probe came from: the way back of the same path.
        let reply = Reply { id: probe.id, clock: self.config.clock, t1: probe.t1, t2: received_at, t3: now };
        self.queue.push_urgent(Urgent::Reply { session, to, reply });
    }

    fn retransmit(&mut self, now: Timestamp<HubClock>, number: SessionId, nack: &Nack) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let stream = self.programme.stream(nack.ssrc).filter(|_| session.addr().is_some());
        // A speaker that plays later than the programme can use a packet for longer.
        let grace = Span::from_us(session.in_force().delay_us.max(0));
        for &wire in &nack.missing {
            let found = stream.and_then(|stream| stream.history().find(stream.next_sequence() - 1, wire));
            let found = found.filter(|sent| session.was_sent(nack.ssrc, sent.sequence));
            let useful = found.filter(|sent| self.programme.is_still_heard(sent.presentation, now, grace));
            if !session.allow_retransmission(useful.is_some()) {
                continue;
            }
            if let Some(sent) = useful {
                let media = Media { session: number, ssrc: nack.ssrc, sequence: sent.sequence };
                self.queue.push_media(media);
            }
        }
    }

    fn send_urgent(&mut self, urgent: &Urgent, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.plain.clear();
        let (number, to, kind) = match urgent {
            Urgent::Reply { session, to, reply } => {
                reply.write(&mut self.plain);
                (session, Some(*to), Kind::ClockReply)
            }
            Urgent::Stop { session, stop } => {
                stop.write(&mut self.plain);
                (session, None, Kind::Notice)
            }
        };
        let session = self.sessions.get_mut(number)?;
        let to = to.or(session.addr())?;
        session.seal(kind, &self.plain, out);
        Some(to)
    }

    fn send_media(&mut self, media: Media, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let session = self.sessions.get_mut(&media.session)?;
        let sent = self.programme.stream(media.ssrc)?.history().get(media.sequence)?;
        let to = session.addr()?;
        session.seal(Kind::Media, &sent.bytes, out);
        Some(to)
    }

    fn push_message(&mut self, session: SessionId, message: HubMessage) {
        if self.messages.len() >= MAX_WAITING {
            self.messages.pop_front();
        }
        self.messages.push_back((session, message));
    }

    fn push_event(&mut self, event: HubEvent) {
        if self.events.len() >= MAX_WAITING {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
