//! All streams of one speaker together.

use antiphon_base::{ClockMap, Epoch, Frames, Hub, Local, Span, Timestamp};

use super::recover::Urgency;
use super::stream::{Moment, Shared, Stream};
use crate::SpeakerEvent;
use crate::session::PacketCounters;
use crate::timeline::Reason;
use crate::wire::feedback::Nack;
use crate::wire::rtp::MediaPacket;

/// Streams at a time: the one in use, the one before it (its last packets may still be missing), and one more
/// for a change of mind. About 70 KiB each at the very most, when a whole window is missing.
const MAX_STREAMS: usize = 3;

/// Farther from the hub's time than this no packet can be meant: the longest target latency is 10 s.
const MAX_AWAY: Span = Span::from_s(60);

/// What the receiving side needs to know at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// This host's clock.
    pub now: Timestamp<Local>,
    /// To the hub's clock, as far as it is known.
    pub map: Option<ClockMap<Local, Hub>>,
    /// How long before its presentation the hub sends a packet.
    pub latency: Span,
    /// Whether it may be sent few and large bursts; see [`MAX_UNHURRIED_BURST`](crate::send::pace::MAX_UNHURRIED_BURST).
    pub unhurried: bool,
    /// How urgent things are.
    pub urgency: Urgency,
    /// The newest epoch and its first frame, when the hub's message has said them.
    pub epoch_start: Option<(Epoch, Frames)>,
}

impl Context {
    /// So long after a packet the next ones may be lost: longer than from burst to burst, with some jitter.
    fn silence(&self) -> Span {
        let shortest = Span::from_ms(5);
        if self.unhurried {
            // A burst comes every tenth of the latency, 40 ms at most; there is time to ask.
            return (self.latency / 4).clamp(shortest, Span::from_ms(100));
        }
        (self.latency / 8).clamp(shortest, Span::from_ms(25))
    }
}

/// The receiving side of one speaker.
#[derive(Debug, Default)]
pub struct Receiver {
    /// The newest last.
    streams: Vec<Stream>,
    shared: Shared,
    /// Until the clock is known: the first packet is taken to have come without delay.
    guessed_map: Option<ClockMap<Local, Hub>>,
    margin: Option<Span>,
    nack: Vec<u16>,
}

impl Receiver {
    /// Takes a media packet.
    pub fn handle_packet(
        &mut self,
        packet: &MediaPacket<'_>,
        context: &Context,
        counters: &mut PacketCounters,
    ) {
        let sent_at = packet.presentation - context.latency;
        self.guessed_map.get_or_insert(ClockMap::exact(context.now, sent_at, 0.0));
        let Some(moment) = self.moment(context) else { return };
        let away = packet.presentation.saturating_since(moment.now);
        if away.abs() > MAX_AWAY {
            counters.malformed += 1;
            // With no clock yet, the first packet may have been the nonsense.
            self.guessed_map = None;
            return;
        }
        self.margin = Some(self.margin.map_or(away, |least| least.min(away)));
        let stream = self.stream_of(packet, &moment);
        self.streams[stream].take(packet, &moment, &mut self.shared, counters);
    }

    /// Gives up what is late; call it at [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, context: &Context, counters: &mut PacketCounters) {
        let Some(moment) = self.moment(context) else { return };
        for stream in &mut self.streams {
            stream.handle_timeout(&moment, &mut self.shared, counters);
        }
    }

    /// When something is to be done next, and what.
    pub fn poll_timeout(&self, context: &Context) -> Option<(Timestamp<Local>, Reason)> {
        let map = context.map.or(self.guessed_map)?;
        let streams = self.streams.iter();
        let next = streams.filter_map(|stream| stream.poll_timeout(context.silence(), context.urgency));
        let (at, reason) = next.min_by_key(|(at, _)| *at)?;
        // A little later: rounding must not wake the shell before the time it waits for.
        Some((map.inverse().apply(at).saturating_add(Span::from_us(1)), reason))
    }

    /// Appends the requests that are due to `out`, for one stream; the number of packets asked for. Call it until
    /// it is 0.
    pub fn write_nack(&mut self, context: &Context, out: &mut Vec<u8>) -> usize {
        let Some(moment) = self.moment(context) else { return 0 };
        for stream in &mut self.streams {
            let ssrc = stream.ssrc();
            let recover = stream.recover_mut();
            let mut missing = std::mem::take(&mut self.nack);
            recover.due(moment.now, moment.urgency, &mut missing);
            let nack = Nack { ssrc, missing };
            let asked = if nack.missing.is_empty() { 0 } else { nack.write(out) };
            self.nack = nack.missing;
            if asked > 0 {
                recover.asked(moment.now, moment.urgency, asked);
                return asked;
            }
        }
        0
    }

    /// Notes that nothing of `epoch` is heard from `at` on.
    pub fn stop(
        &mut self,
        epoch: Epoch,
        at: Timestamp<Hub>,
        context: &Context,
        counters: &mut PacketCounters,
    ) {
        self.shared.stopped = Some((epoch, at));
        let Some(moment) = self.moment(context) else { return };
        for stream in &mut self.streams {
            stream.silence(&moment, &mut self.shared, counters);
        }
    }

    /// Notes that `epoch` is heard after all.
    pub fn go_on(&mut self, epoch: Epoch) {
        self.shared.stopped = self.shared.stopped.filter(|(stopped, _)| *stopped < epoch);
    }

    /// The next unit, or the news of its loss.
    pub fn poll_event(&mut self) -> Option<SpeakerEvent> {
        self.shared.events.pop_front()
    }

    /// The least time before its presentation that a packet has come at since the last call.
    pub fn take_margin(&mut self) -> Option<Span> {
        self.margin.take()
    }

    /// Takes back a payload's buffer.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        self.shared.recycle(payload);
    }

    /// Forgets every stream: the hub's clock or its numbering began anew.
    pub fn reset(&mut self) {
        self.streams.clear();
        self.shared.stopped = None;
        self.guessed_map = None;
    }

    fn moment(&self, context: &Context) -> Option<Moment> {
        let map = context.map.or(self.guessed_map)?;
        Some(Moment {
            now: map.apply(context.now),
            silence: context.silence(),
            urgency: context.urgency,
            epoch_start: context.epoch_start,
        })
    }

    /// The index of the packet's stream; a new one takes the place of the one that has been silent longest.
    fn stream_of(&mut self, packet: &MediaPacket<'_>, moment: &Moment) -> usize {
        let known = self.streams.iter().position(|stream| stream.ssrc() == packet.ssrc);
        let newest = self.streams.len().wrapping_sub(1);
        match known {
            // The speaker was sent another stream meanwhile: what this one skipped was not meant for it.
            Some(known) if known != newest && self.streams[known].is_taken_up_again(packet, moment) => {
                self.streams.remove(known);
            }
            Some(known) => return known,
            None if self.streams.len() >= MAX_STREAMS => {
                let by_age = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.heard());
                let oldest = by_age.map_or(0, |(index, _)| index);
                self.streams.remove(oldest);
            }
            None => {}
        }
        self.streams.iter_mut().for_each(Stream::leave);
        self.streams.push(Stream::new(packet, moment));
        self.streams.len() - 1
    }
}
