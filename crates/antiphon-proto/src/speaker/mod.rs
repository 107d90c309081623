//! The speaker's end of the protocol: clock exchanges, media in time, requests for what is missing.
//!
//! Drive [`Speaker`] with `handle_*`; afterwards drain [`Speaker::poll_transmit`], then
//! [`Speaker::poll_message`], then [`Speaker::poll_event`], and ask [`Speaker::poll_timeout`] when to
//! call [`Speaker::handle_timeout`]. Times are the speaker's own clock where they are not typed as the hub's.

use std::collections::VecDeque;

use antiphon_base::{ClockId, ClockMap, Epoch, Frames, Hub as HubClock, Local, SessionId, Span, Timestamp};

use crate::recv::recover::Urgency;
use crate::recv::{Context, Receiver};
use crate::send::pace::UNHURRIED;
use crate::session::message::{HubMessage, PacketCounters, SpeakerMessage, Welcome};
use crate::sync::{ClockFilter, ClockQuality, Exchange, ProbeSchedule};
use crate::timeline::{Deadline, Reason, Timeline};
use crate::wire::WireError;
use crate::wire::clock::{Probe, Reply};
use crate::wire::notice::Stop;
use crate::wire::rtp::MediaPacket;
use crate::wire::seal::{Kind, Opening, Seal, SessionKeys};

mod event;

pub use event::SpeakerEvent;

/// Without any genuine datagram for this long, the shell is told to connect anew: twenty probes went
/// unanswered by then, while a Wi-Fi roam or a busy spell takes less.
pub const HUB_SILENCE: Span = Span::from_s(2);

/// Probes that wait for their reply, at most: those of the last 3 s after a burst, longer than any path.
const MAX_PENDING_PROBES: usize = 32;

/// How long before its presentation the playout needs a packet, until the engine says better.
const DEFAULT_RELEASE_LEAD: Span = Span::from_ms(10);

/// Messages and events that wait for the shell, at most: 1.5 s of packets of the smallest kind, over and above
/// what one burst after a stall can bring. The oldest go first.
const MAX_WAITING: usize = 2_048;

/// What a speaker's protocol end needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakerConfig {
    /// How long before its presentation the playout needs a packet.
    pub release_lead: Span,
}

impl Default for SpeakerConfig {
    fn default() -> Self {
        Self { release_lead: DEFAULT_RELEASE_LEAD }
    }
}

/// The datagram part of one session.
#[derive(Debug)]
struct Session {
    clock: ClockId,
    seal: Seal,
    opening: Opening,
    /// The target latency: until the clock is known, it tells how urgent a packet is.
    latency: Span,
    last_heard: Timestamp<Local>,
    silent_said: bool,
    probes: ProbeSchedule,
    probe_due: bool,
    next_probe: u32,
    /// Probes on their way: a reply is believed once, and only with the time that was asked with.
    pending: VecDeque<Probe>,
    /// The newest stop notice, so that its repeats are told once.
    stopped: Option<Stop>,
}

/// The speaker, without sockets or clocks.
#[derive(Debug)]
pub struct Speaker {
    session: Option<Session>,
    /// The clock that the filter knows.
    clock_id: Option<ClockId>,
    filter: ClockFilter,
    /// When the last exchange completed.
    synced_at: Option<Timestamp<Local>>,
    round_trip: RoundTrip,
    release_lead: Span,
    /// Least time from sending to sound.
    min_latency: Span,
    receiver: Receiver,
    timeline: Option<Timeline>,
    /// Whether the hub's message has said the timeline, not only a packet.
    timeline_told: bool,
    counters: PacketCounters,
    messages: VecDeque<SpeakerMessage>,
    events: VecDeque<SpeakerEvent>,
    /// For packets on their way out.
    plain: Vec<u8>,
}

/// The round trip as RFC 6298 section 2 smooths it.
#[derive(Debug, Default)]
struct RoundTrip(Option<Span>);

impl RoundTrip {
    /// Beyond, a path is of no use for requests; and nobody's nonsense shall last.
    const LONGEST: Span = Span::from_s(2);

    fn take(&mut self, sample: Span) {
        let sample = sample.clamp(Span::ZERO, Self::LONGEST);
        self.0 = Some(self.0.map_or(sample, |smooth| smooth + (sample - smooth) / 8));
    }

    /// Before the first exchange: a short LAN path, so that nothing is given up too early.
    fn get(&self) -> Span {
        self.0.unwrap_or(Span::from_ms(2))
    }
}

impl Speaker {
    /// A speaker without a session.
    pub fn new(config: SpeakerConfig) -> Self {
        Self {
            session: None,
            clock_id: None,
            filter: ClockFilter::new(),
            synced_at: None,
            round_trip: RoundTrip::default(),
            release_lead: config.release_lead,
            min_latency: Span::ZERO,
            receiver: Receiver::default(),
            timeline: None,
            timeline_told: false,
            counters: PacketCounters::default(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
            plain: Vec::new(),
        }
    }

    /// Begins a session that the shell has agreed with the hub. With the same hub clock as before, the
    /// estimate of it is kept, less sure by the time away; with another, everything begins anew.
    pub fn start_session(&mut self, now: Timestamp<Local>, welcome: &Welcome, keys: Option<SessionKeys>) {
        let (number, clock) = (SessionId(welcome.session), ClockId(welcome.clock));
        self.keep_or_reset_clock(now, clock);
        let settings = welcome.settings.clone().held_in_limits();
        self.session = Some(Session {
            clock,
            seal: Seal::to_hub(keys.as_ref(), number),
            opening: Opening::at_speaker(keys.as_ref(), number),
            latency: Span::from_us(settings.latency_us),
            last_heard: now,
            silent_said: false,
            probes: ProbeSchedule::new(now),
            probe_due: false,
            next_probe: 0,
            pending: VecDeque::new(),
            stopped: None,
        });
        self.push_event(SpeakerEvent::Settings(settings));
    }

    /// Ends the session: the connection closed. The clock's estimate and the counters stay.
    pub fn end_session(&mut self, _now: Timestamp<Local>) {
        self.count_drops();
        self.session = None;
    }

    /// Whether there is a session.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Takes a message of the hub.
    pub fn handle_message(&mut self, now: Timestamp<Local>, message: HubMessage) {
        match message {
            HubMessage::Settings(settings) => {
                let settings = settings.held_in_limits();
                if let Some(session) = &mut self.session {
                    session.latency = Span::from_us(settings.latency_us);
                }
                self.push_event(SpeakerEvent::Settings(settings));
            }
            HubMessage::Timeline { epoch, first_frame, presentation_ns } => {
                let presentation = Timestamp::from_ns(presentation_ns);
                self.be_told(Timeline {
                    epoch: Epoch(epoch),
                    first_frame: Frames(first_frame),
                    presentation,
                });
            }
            HubMessage::Stop { epoch, at_ns } => {
                self.stop(now, Stop { epoch: Epoch(epoch), at: Timestamp::from_ns(at_ns) });
            }
            HubMessage::Goodbye { reason } => self.push_event(SpeakerEvent::Goodbye(reason)),
            HubMessage::Welcome(_) | HubMessage::Refused(_) | HubMessage::Unknown => {}
        }
    }

    /// Takes a datagram, which is opened in place. `received_at` is when it arrived, as exactly as the
    /// shell knows.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp<Local>,
        received_at: Timestamp<Local>,
        bytes: &mut [u8],
    ) {
        let Some(session) = &mut self.session else {
            self.counters.forged += 1;
            return;
        };
        let Ok((kind, body)) = session.opening.open(bytes) else { return };
        session.last_heard = session.last_heard.max(now);
        let was_silent = std::mem::take(&mut session.silent_said);
        let understood = match kind {
            Kind::Media => MediaPacket::parse(body).map(|packet| self.take_media(now, &packet)),
            Kind::ClockReply => Reply::parse(body).map(|reply| self.take_reply(now, received_at, &reply)),
            Kind::Notice => Stop::parse(body).map(|stop| self.stop(now, stop)),
            Kind::ClockProbe | Kind::Feedback => Err(WireError::Unknown),
        };
        self.counters.malformed += u64::from(understood.is_err());
        if was_silent {
            self.resume(now);
        }
    }

    /// Sends due probes and requests, gives up what is late; call it at
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Timestamp<Local>) {
        let Some(session) = &mut self.session else { return };
        session.probe_due |= session.probes.handle_timeout(now);
        let silent = now.saturating_since(session.last_heard) >= HUB_SILENCE;
        if silent && !std::mem::replace(&mut session.silent_said, true) {
            self.push_event(SpeakerEvent::HubSilent);
        }
        let context = self.context(now);
        self.receiver.handle_timeout(&context, &mut self.counters);
        self.take_units();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Deadline<Local>> {
        let session = self.session.as_ref()?;
        let probe = Deadline { at: session.probes.due(), reason: Reason::Probe };
        let silent = Deadline { at: session.last_heard + HUB_SILENCE, reason: Reason::HubSilent };
        let silent = Some(silent).filter(|_| !session.silent_said);
        // The instant does not matter here: only the map and the urgency do.
        let missing = self.receiver.poll_timeout(&self.context(session.last_heard));
        let missing = missing.map(|(at, reason)| Deadline { at, reason });
        Deadline::earlier(Deadline::earlier(Some(probe), silent), missing)
    }

    /// The next datagram for the hub: replaces the contents of `out`, sealed. A probe carries `now`, so it
    /// is to leave at once.
    pub fn poll_transmit(&mut self, now: Timestamp<Local>, out: &mut Vec<u8>) -> bool {
        let context = self.context(now);
        let Some(session) = &mut self.session else { return false };
        self.plain.clear();
        if std::mem::take(&mut session.probe_due) {
            session.write_probe(now, &mut self.plain);
            session.seal.seal(Kind::ClockProbe, &self.plain, out);
            return true;
        }
        let asked = self.receiver.write_nack(&context, &mut self.plain);
        self.counters.nacked += asked as u64;
        if asked > 0 {
            session.seal.seal(Kind::Feedback, &self.plain, out);
        }
        asked > 0
    }

    /// The next message for the hub.
    pub fn poll_message(&mut self) -> Option<SpeakerMessage> {
        self.messages.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SpeakerEvent> {
        self.events.pop_front()
    }

    /// Leaves the hub: the goodbye waits in [`poll_message`](Self::poll_message), and the session ends.
    pub fn leave(&mut self, now: Timestamp<Local>, reason: &str) {
        self.messages.push_back(SpeakerMessage::Goodbye { reason: reason.to_owned() });
        self.end_session(now);
    }

    /// This host's clock to the hub's, as far as it is known.
    pub fn clock(&self) -> Option<ClockMap<Local, HubClock>> {
        self.filter.map()
    }

    /// How well the hub's clock is known.
    pub fn clock_quality(&self) -> ClockQuality {
        self.filter.quality()
    }

    /// The smoothed round trip to the hub; `None` before the first exchange.
    pub fn round_trip(&self) -> Option<Span> {
        self.round_trip.0
    }

    /// Every packet's fate since the program started.
    pub fn counters(&self) -> PacketCounters {
        let mut counters = self.counters;
        if let Some(session) = &self.session {
            add_drops(&mut counters, session);
        }
        counters
    }

    /// How long before its presentation the latest packet came since the last call of this; `None` when none
    /// came.
    pub fn take_margin(&mut self) -> Option<Span> {
        self.receiver.take_margin()
    }

    /// Says how long before its presentation the playout needs a packet; negative where the speaker plays
    /// later than the programme.
    pub fn set_release_lead(&mut self, lead: Span) {
        self.release_lead = lead;
    }

    /// Says how much latency the speaker needs, as it reports it to the hub: that decides how far apart bursts may be.
    pub fn set_min_latency(&mut self, latency: Span) {
        self.min_latency = latency;
    }

    /// Takes back a payload's buffer, so that the next packet needs no allocation.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        self.receiver.recycle(payload);
    }

    fn keep_or_reset_clock(&mut self, now: Timestamp<Local>, clock: ClockId) {
        if self.clock_id.replace(clock) == Some(clock) {
            if let Some(last) = self.synced_at {
                self.filter.inflate(now.saturating_since(last));
            }
            return;
        }
        self.filter.reset();
        self.synced_at = None;
        self.round_trip = RoundTrip::default();
        // Another boot counts frames, epochs and packets anew.
        self.receiver.reset();
        self.timeline = None;
        self.timeline_told = false;
    }

    /// What the receiving side needs to know at `now`.
    fn context(&self, now: Timestamp<Local>) -> Context {
        Context {
            now,
            map: self.filter.map(),
            latency: self.session.as_ref().map_or(Span::ZERO, |session| session.latency),
            unhurried: self.min_latency >= UNHURRIED,
            urgency: Urgency { round_trip: self.round_trip.get(), release_lead: self.release_lead },
            epoch_start: self
                .timeline
                .filter(|_| self.timeline_told)
                .map(|timeline| (timeline.epoch, timeline.first_frame)),
        }
    }

    fn take_media(&mut self, now: Timestamp<Local>, packet: &MediaPacket<'_>) {
        if self.timeline.is_none_or(|known| packet.epoch > known.epoch) {
            let (epoch, first_frame, presentation) = (packet.epoch, packet.first_frame, packet.presentation);
            self.learn(Timeline { epoch, first_frame, presentation }, false);
        }
        let context = self.context(now);
        self.receiver.handle_packet(packet, &context, &mut self.counters);
        self.take_units();
    }

    fn take_reply(&mut self, now: Timestamp<Local>, received_at: Timestamp<Local>, reply: &Reply) {
        let Some(session) = &mut self.session else { return };
        let asked = session.pending.iter().position(|probe| (probe.id, probe.t1) == (reply.id, reply.t1));
        let Some(index) = asked.filter(|_| reply.clock == session.clock) else { return };
        session.pending.remove(index);
        let exchange = Exchange { t1: reply.t1, t2: reply.t2, t3: reply.t3, t4: received_at };
        self.round_trip.take(exchange.round_trip());
        self.filter.handle_exchange(&exchange);
        self.synced_at = Some(now);
    }

    /// The hub says what begins. Where it says an epoch again, that one goes on: a stop of it is void.
    fn be_told(&mut self, timeline: Timeline) {
        if self.timeline.is_some_and(|known| timeline.epoch < known.epoch) {
            return;
        }
        if let Some(session) = &mut self.session {
            session.stopped = session.stopped.filter(|stop| stop.epoch != timeline.epoch);
        }
        self.receiver.go_on(timeline.epoch);
        self.learn(timeline, true);
    }

    fn learn(&mut self, timeline: Timeline, told: bool) {
        self.timeline = Some(timeline);
        self.timeline_told = told;
        self.push_event(SpeakerEvent::Timeline(timeline));
    }

    fn stop(&mut self, now: Timestamp<Local>, stop: Stop) {
        let Some(session) = &mut self.session else { return };
        if session.stopped.replace(stop) == Some(stop) {
            return;
        }
        let context = self.context(now);
        self.receiver.stop(stop.epoch, stop.at, &context, &mut self.counters);
        self.take_units();
        self.push_event(SpeakerEvent::Stop { epoch: stop.epoch, at: stop.at });
    }

    /// The network is back: ask the clock often again, since it may have drifted away.
    fn resume(&mut self, now: Timestamp<Local>) {
        if let Some(session) = &mut self.session {
            session.probes.restart(now);
        }
        if let Some(last) = self.synced_at.replace(now) {
            self.filter.inflate(now.saturating_since(last));
        }
        self.push_event(SpeakerEvent::HubBack);
    }

    fn take_units(&mut self) {
        while let Some(event) = self.receiver.poll_event() {
            self.push_event(event);
        }
    }

    fn push_event(&mut self, event: SpeakerEvent) {
        if self.events.len() >= MAX_WAITING {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn count_drops(&mut self) {
        if let Some(session) = &self.session {
            add_drops(&mut self.counters, session);
        }
    }
}

impl Session {
    fn write_probe(&mut self, now: Timestamp<Local>, plain: &mut Vec<u8>) {
        let probe = Probe { id: self.next_probe, t1: now };
        self.next_probe = self.next_probe.wrapping_add(1);
        if self.pending.len() >= MAX_PENDING_PROBES {
            self.pending.pop_front();
        }
        self.pending.push_back(probe);
        probe.write(plain);
    }
}

fn add_drops(counters: &mut PacketCounters, session: &Session) {
    let drops = session.opening.drops();
    counters.malformed += drops.malformed;
    counters.replayed += drops.replayed;
    counters.forged += drops.forged;
}
