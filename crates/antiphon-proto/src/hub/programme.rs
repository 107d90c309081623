//! The programme: its timeline, its pace, and the streams that its speakers share.

use antiphon_base::{ClockId, Epoch, Frames, Hub as HubClock, Role, SessionId, Span, SpeakerId, Timestamp};

use super::Hub;
use super::queue::{Media, Urgent};
use super::session::Session;
use crate::send::fanout::{EncodedUnit, FanOut};
use crate::send::pace::{MAX_BURST, MAX_UNHURRIED_BURST};
use crate::send::packetize::Packetizer;
use crate::send::{Pace, Variant};
use crate::session::Codec;
use crate::session::message::HubMessage;
use crate::timeline::{Deadline, Reason, Timeline};
use crate::wire::notice::Stop;

/// How long after [`Hub::start`] the first packets leave: the message about the timeline and the first
/// encoding fit into it.
pub const START_LEAD: Span = Span::from_ms(10);

/// How long after [`Hub::stop`] the sound ends: the notice, said three times, reaches every speaker and
/// there is time for a fade.
pub const STOP_LEAD: Span = Span::from_ms(40);

/// A stop notice is said so many times, so far apart: longer than a typical burst of loss.
const NOTICES: u32 = 3;
const NOTICE_INTERVAL: Span = Span::from_ms(10);

/// A mixing function (SplitMix64) for identifiers that should look unlike each other.
pub(super) fn scatter(clock: ClockId, counter: u32, purpose: u64) -> u64 {
    let mut z = (u64::from(clock.0) << 32 | u64::from(counter)).wrapping_add(purpose << 17);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One stream, and until when it is kept for those who left it.
#[derive(Debug)]
struct Stream {
    packets: Packetizer,
    unused_since: Option<Timestamp<HubClock>>,
}

/// The epoch that is sent at present.
#[derive(Debug, Clone, Copy)]
struct Running {
    timeline: Timeline,
    pace: Pace,
    /// When a burst was last looked at.
    burst: Timestamp<HubClock>,
}

/// A stop notice that is to be said again.
#[derive(Debug, Clone, Copy)]
struct Notice {
    stop: Stop,
    next_at: Timestamp<HubClock>,
    left: u32,
}

/// Everything about the programme but who listens.
#[derive(Debug)]
pub(super) struct Programme {
    clock: ClockId,
    running: Option<Running>,
    epoch: Epoch,
    streams: Vec<Stream>,
    streams_made: u32,
    stopped: Option<Stop>,
    /// One at most: a new stop is the end of whatever ran since the last.
    notice: Option<Notice>,
}

impl Programme {
    pub(super) fn new(clock: ClockId) -> Self {
        Self {
            clock,
            running: None,
            epoch: Epoch(0),
            streams: Vec::new(),
            streams_made: 0,
            stopped: None,
            notice: None,
        }
    }

    pub(super) fn stream(&self, ssrc: u32) -> Option<&Packetizer> {
        self.streams.iter().map(|stream| &stream.packets).find(|packets| packets.ssrc() == ssrc)
    }

    /// Whether a packet for `presentation` can still be heard by a speaker that plays `grace` later.
    pub(super) fn is_still_heard(
        &self,
        presentation: Timestamp<HubClock>,
        now: Timestamp<HubClock>,
        grace: Span,
    ) -> bool {
        let stopped = self.running.is_none() && self.stopped.is_some_and(|stop| presentation >= stop.at);
        presentation + grace > now && !stopped
    }

    /// Notes that a burst is looked at. After a stall of the hub or its source, streams go on with what can
    /// still be heard; the number of units passed over.
    pub(super) fn begin_burst(&mut self, now: Timestamp<HubClock>) -> u64 {
        let Some(running) = &mut self.running else { return 0 };
        running.burst = running.burst.max(now);
        let heard = running.timeline.frame_at(now);
        let mut passed = 0;
        for stream in &mut self.streams {
            let (next, unit) = (stream.packets.next_frame(), stream.packets.variant().packet_frames());
            let late = (heard.0 - next.0).div_euclid(unit.0).max(0);
            if stream.unused_since.is_none() && late > 0 {
                stream.packets.continue_at(Frames(next.0 + late * unit.0));
                passed += late as u64;
            }
        }
        passed
    }

    pub(super) fn deadline(&self) -> Option<Deadline<HubClock>> {
        let burst = self
            .running
            .map(|running| Deadline { at: running.pace.next_burst(running.burst), reason: Reason::Burst });
        let notice = self.notice.map(|notice| Deadline { at: notice.next_at, reason: Reason::StopNotice });
        Deadline::earlier(burst, notice)
    }

    /// The stream in use for a variant.
    fn active(&self, variant: Variant) -> Option<&Packetizer> {
        self.streams
            .iter()
            .find(|stream| stream.unused_since.is_none() && stream.packets.variant() == variant)
            .map(|stream| &stream.packets)
    }

    fn active_mut(&mut self, variant: Variant) -> Option<&mut Packetizer> {
        self.streams
            .iter_mut()
            .find(|stream| stream.unused_since.is_none() && stream.packets.variant() == variant)
            .map(|stream| &mut stream.packets)
    }

    /// A new stream of `variant` that begins at `from`; its source identifier.
    fn open_stream(&mut self, variant: Variant, from: Frames, latency: Span) -> u32 {
        loop {
            self.streams_made = self.streams_made.wrapping_add(1);
            let random = scatter(self.clock, self.streams_made, 0x55BC);
            let (ssrc, sequence) = (random as u32, (random >> 32) as u16);
            if ssrc != 0 && self.stream(ssrc).is_none() {
                let packets = Packetizer::new(variant, ssrc, sequence, from, latency);
                self.streams.push(Stream { packets, unused_since: None });
                return ssrc;
            }
        }
    }
}

/// The programme.
impl Hub {
    /// Begins a new epoch whose first frame is `first_frame` (frames are counted upward for ever): it is
    /// heard one latency and [`START_LEAD`] from now. What ran before goes on until then, unless stopped.
    pub fn start(&mut self, now: Timestamp<HubClock>, first_frame: Frames) -> Timeline {
        let latency = self.latency;
        self.programme.epoch = self.programme.epoch.next();
        let presentation = now + latency + START_LEAD;
        let timeline = Timeline { epoch: self.programme.epoch, first_frame, presentation };
        let pace = Pace::new(timeline, latency, self.longest_burst());
        self.programme.running = Some(Running { timeline, pace, burst: now });
        for stream in &mut self.programme.streams {
            stream.packets.continue_at(first_frame);
        }
        for number in self.streaming_sessions() {
            self.assign(now, number);
            self.tell_timeline(number);
        }
        self.drop_unused(now);
        timeline
    }

    /// Ends the epoch soon: nothing of it is heard from the returned time on. The notice goes out three times,
    /// and as a message. `None` when nothing runs.
    pub fn stop(&mut self, now: Timestamp<HubClock>) -> Option<(Epoch, Timestamp<HubClock>)> {
        self.stop_at(now, now + STOP_LEAD)
    }

    /// Ends the epoch at `at`: for the end of the source, as soon as its last unit is handed in.
    pub fn stop_at(
        &mut self,
        now: Timestamp<HubClock>,
        at: Timestamp<HubClock>,
    ) -> Option<(Epoch, Timestamp<HubClock>)> {
        let epoch = self.programme.running.take()?.timeline.epoch;
        let stop = Stop { epoch, at };
        self.programme.stopped = Some(stop);
        for number in self.streaming_sessions() {
            self.push_message(number, HubMessage::Stop { epoch: epoch.0, at_ns: at.as_ns() });
        }
        self.programme.notice = Some(Notice { stop, next_at: now, left: NOTICES });
        self.repeat_notices(now);
        Some((epoch, at))
    }

    /// The epoch that is sent at present.
    pub fn timeline(&self) -> Option<Timeline> {
        self.programme.running.map(|running| running.timeline)
    }

    /// Says whether a speaker belongs to the programme. One that reconnects stays in it.
    pub fn set_streaming(&mut self, now: Timestamp<HubClock>, id: SpeakerId, streaming: bool) {
        let Some(number) = self.session_of(id) else { return };
        self.stream_session(now, number, streaming);
        self.drop_unused(now);
    }

    /// Gives a speaker a role in the programme that takes the place of its own, or none, and tells it. Its settings
    /// stay as they are: what a programme asks for ends with it.
    pub fn cast(&mut self, now: Timestamp<HubClock>, id: SpeakerId, part: Option<Role>) {
        let Some(number) = self.session_of(id) else { return };
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let before = session.in_force();
        session.part = part;
        let in_force = session.in_force();
        if in_force != before {
            self.push_message(number, HubMessage::Settings(in_force));
            self.assign(now, number);
            self.drop_unused(now);
        }
    }

    pub(super) fn stream_session(&mut self, now: Timestamp<HubClock>, number: SessionId, streaming: bool) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if std::mem::replace(&mut session.streaming, streaming) == streaming {
            return;
        }
        self.assign(now, number);
        if streaming {
            self.tell_timeline(number);
        } else if let Some(running) = self.programme.running {
            // The others play on: only this one is told that the epoch ends, at once.
            let stop = Stop { epoch: running.timeline.epoch, at: now + STOP_LEAD };
            let message = HubMessage::Stop { epoch: stop.epoch.0, at_ns: stop.at.as_ns() };
            self.push_message(number, message);
            self.queue.push_urgent(Urgent::Stop { session: number, stop });
        }
    }

    /// What is to be encoded at present: each variant that some streaming speaker is sent.
    pub fn variants(&self) -> impl Iterator<Item = Variant> + '_ {
        let running = self.programme.running.is_some();
        let streams = self.programme.streams.iter();
        streams.filter(move |s| running && s.unused_since.is_none()).map(|s| s.packets.variant())
    }

    /// The first frame of the unit that a variant wants next; `None` for one that nobody uses.
    pub fn next_frame(&self, variant: Variant) -> Option<Frames> {
        self.programme.active(variant).map(Packetizer::next_frame)
    }

    /// The first frame that is not to be sent yet at `now`. A unit is due when its first frame lies before.
    pub fn encode_horizon(&self, now: Timestamp<HubClock>) -> Option<Frames> {
        self.programme.running.map(|running| running.pace.horizon(now))
    }

    /// The first source frame that may still be asked for at `now`: what lies before it may be forgotten.
    /// (A variant that comes into use begins where its speaker's former one ended, or at the horizon.)
    pub fn needed_from(&self, now: Timestamp<HubClock>) -> Option<Frames> {
        let horizon = self.encode_horizon(now)?;
        let wanted = self.variants().filter_map(|variant| self.next_frame(variant));
        Some(wanted.fold(horizon, Frames::min))
    }

    /// How many frames one unit of a variant holds.
    pub fn packet_frames(&self, variant: Variant) -> Frames {
        variant.packet_frames()
    }

    /// Takes one encoded unit, the next of its variant, and queues it for every speaker of the variant.
    pub fn handle_encoded(
        &mut self,
        now: Timestamp<HubClock>,
        variant: Variant,
        first_frame: Frames,
        frames: Frames,
        payload: &[u8],
    ) {
        let Some(running) = self.programme.running else {
            self.counters.unexpected += 1;
            return;
        };
        let expected = self.next_frame(variant) == Some(first_frame) && frames == variant.packet_frames();
        if !expected {
            self.counters.unexpected += 1;
            return;
        }
        let presentation = running.timeline.presentation_of(first_frame);
        let epoch = running.timeline.epoch;
        self.fan_out(now, EncodedUnit { variant, epoch, first_frame, presentation, payload });
    }

    /// Gives a session the stream that its settings ask for, without a gap: the new stream begins where the
    /// old one ends, or what it has sent from there on is sent again.
    pub(super) fn assign(&mut self, now: Timestamp<HubClock>, number: SessionId) {
        let Some(session) = self.sessions.get(&number) else { return };
        if !session.streaming {
            self.move_session(number, None);
            return;
        }
        let Some(running) = self.programme.running else { return };
        let variant = session.wanted();
        let old = session.stream.and_then(|ssrc| self.programme.stream(ssrc));
        if old.is_some_and(|old| old.variant() == variant) {
            return;
        }
        let from = old.map(Packetizer::next_frame);
        if let Some(shared) = self.programme.active(variant) {
            let ssrc = shared.ssrc();
            self.move_session(number, Some(ssrc));
            if let Some(from) = from {
                self.catch_up(now, number, ssrc, from);
            }
            return;
        }
        // A decoder with a memory is set going by one unit that the former stream has covered.
        let run_in = if variant.codec == Codec::Opus { variant.packet_frames() } else { Frames(0) };
        let begin = from.map(|from| (from - run_in).max(running.timeline.first_frame));
        let begin = begin.unwrap_or_else(|| running.pace.horizon(now));
        let ssrc = self.programme.open_stream(variant, begin, self.latency);
        self.move_session(number, Some(ssrc));
    }

    fn move_session(&mut self, number: SessionId, stream: Option<u32>) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.stream == stream {
            return;
        }
        let left = session.stream.and_then(|ssrc| self.programme.stream(ssrc));
        session.previous = left.map(|left| (left.ssrc(), left.next_sequence()));
        session.stream = stream;
    }

    /// Queues what `ssrc` has sent of the frames from `from` on.
    fn catch_up(&mut self, now: Timestamp<HubClock>, number: SessionId, ssrc: u32, from: Frames) {
        let reachable = self.sessions.get(&number).is_some_and(|session| session.is_reachable(now));
        let Some(running) = self.programme.running.filter(|_| reachable) else { return };
        let Some(stream) = self.programme.stream(ssrc) else { return };
        let unit = stream.variant().packet_frames();
        let since = running.timeline.presentation_of(from - unit);
        let back = stream.history().capacity() as u64;
        for sequence in stream.next_sequence() - back..stream.next_sequence() {
            if stream.history().get(sequence).is_some_and(|sent| sent.presentation > since) {
                self.queue.push_media(Media { session: number, ssrc, sequence });
            }
        }
    }

    /// Retires streams without a speaker; forgets them when nobody can ask for their packets any more.
    pub(super) fn drop_unused(&mut self, now: Timestamp<HubClock>) {
        let keep = self.latency;
        for stream in &mut self.programme.streams {
            let ssrc = Some(stream.packets.ssrc());
            let used = self.sessions.values().any(|session| session.stream == ssrc);
            if !used {
                stream.unused_since.get_or_insert(now);
            }
        }
        self.programme.streams.retain(|s| s.unused_since.is_none_or(|since| now <= since + keep));
    }

    pub(super) fn repeat_notices(&mut self, now: Timestamp<HubClock>) {
        let Some(mut notice) = self.programme.notice.filter(|notice| notice.next_at <= now) else { return };
        for number in self.streaming_sessions() {
            self.queue.push_urgent(Urgent::Stop { session: number, stop: notice.stop });
        }
        notice.left -= 1;
        notice.next_at = now + NOTICE_INTERVAL;
        self.programme.notice = Some(notice).filter(|notice| notice.left > 0);
    }

    /// Few and large bursts while every speaker of the programme can do with them.
    pub(super) fn settle_pace(&mut self) {
        let longest = self.longest_burst();
        if let Some(running) = &mut self.programme.running {
            running.pace = running.pace.at_most(longest);
        }
    }

    fn longest_burst(&self) -> Span {
        let mut streaming = self.sessions.values().filter(|session| session.streaming).peekable();
        let unhurried = streaming.peek().is_some() && streaming.all(Session::is_unhurried);
        if unhurried { MAX_UNHURRIED_BURST } else { MAX_BURST }
    }

    fn streaming_sessions(&self) -> Vec<SessionId> {
        let sessions = self.sessions.iter();
        sessions.filter(|(_, session)| session.streaming).map(|(&number, _)| number).collect()
    }

    fn tell_timeline(&mut self, number: SessionId) {
        let Some(running) = self.programme.running else { return };
        let Timeline { epoch, first_frame, presentation } = running.timeline;
        let presentation_ns = presentation.as_ns();
        let message = HubMessage::Timeline { epoch: epoch.0, first_frame: first_frame.0, presentation_ns };
        self.push_message(number, message);
    }
}

impl FanOut for Hub {
    /// Queues a unit for every speaker of its variant that can be reached.
    fn fan_out(&mut self, now: Timestamp<HubClock>, unit: EncodedUnit<'_>) {
        let frames = unit.variant.packet_frames();
        let Some(stream) = self.programme.active_mut(unit.variant) else {
            self.counters.unexpected += 1;
            return;
        };
        let ssrc = stream.ssrc();
        let packets = stream.push(&unit, frames);
        if packets.is_empty() {
            self.counters.unexpected += 1;
            stream.continue_at(unit.first_frame + frames);
            return;
        }
        // After a stall of the hub: numbered, so that speakers see the gap, but useless to send.
        if unit.presentation <= now {
            self.counters.stale += 1;
            return;
        }
        for sequence in packets {
            for (&session, state) in &mut self.sessions {
                if state.stream == Some(ssrc) && state.is_reachable(now) {
                    state.note_media();
                    self.queue.push_media_behind(&mut state.run, Media { session, ssrc, sequence });
                }
            }
        }
    }
}
