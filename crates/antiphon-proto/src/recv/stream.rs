//! One stream (RTP source identifier) of one speaker: from packets to units.

use std::collections::VecDeque;

use antiphon_base::{Epoch, Frames, Hub, SampleRate, Span, Timestamp};

use super::depacketize::{Depacketizer, Joined};
use super::jitter::InOrder;
use super::recover::{Missing, Recover, Urgency};
use super::reorder::{Arrival, Reorder};
use crate::SpeakerEvent;
use crate::send::packetize::packet_frames;
use crate::session::PacketCounters;
use crate::timeline::Reason;
use crate::wire::rtp::{MediaPacket, PayloadType};

/// So many packets before the first received, and after the last, are asked for on suspicion: a burst of loss
/// of 20 ms at the very start or end leaves no gap to see.
const GUESSES: u64 = 16;
/// Guesses after the last packet: the hub may simply have paused.
const TAIL_GUESSES: u64 = 4;

/// A stream so long silent while another runs has been left: several bursts have passed.
const LEFT_AFTER: Span = Span::from_ms(100);

/// Buffers kept for payloads: those of one burst after a stall of half a target latency.
const MAX_SPARE: usize = 64;

/// What all streams of a speaker share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) events: VecDeque<SpeakerEvent>,
    /// Buffers for payloads.
    pub(super) spare: Vec<Vec<u8>>,
    /// From here on nothing of this epoch and those before is heard.
    pub(super) stopped: Option<(Epoch, Timestamp<Hub>)>,
    expired: Vec<Missing>,
}

impl Shared {
    pub(super) fn recycle(&mut self, payload: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(payload);
        }
    }

    fn is_silenced(&self, epoch: Epoch, presentation: Timestamp<Hub>) -> bool {
        self.stopped.is_some_and(|(last, at)| epoch <= last && presentation >= at)
    }
}

/// The moment as a stream sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp<Hub>,
    pub(super) silence: Span,
    pub(super) urgency: Urgency,
    pub(super) epoch_start: Option<(Epoch, Frames)>,
}

/// Where the newest packet stands.
#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: u64,
    epoch: Epoch,
    first_frame: Frames,
    presentation: Timestamp<Hub>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    ssrc: u32,
    payload_type: PayloadType,
    unit: Frames,
    reorder: Reorder,
    recover: Recover,
    joiner: Depacketizer,
    /// For codecs that need order.
    order: Option<InOrder<Option<SpeakerEvent>>>,
    newest: Newest,
    heard: Timestamp<Hub>,
    /// The number after which packets were guessed.
    guessed_after: u64,
}

impl Stream {
    /// The stream of its first received packet, which is then to be [`take`](Self::take)n.
    pub(super) fn new(packet: &MediaPacket<'_>, moment: &Moment) -> Self {
        let payload_type = packet.payload_type;
        let (reorder, first) = Reorder::new(packet.sequence);
        let newest = Newest {
            sequence: first - 1,
            epoch: packet.epoch,
            first_frame: packet.first_frame,
            presentation: packet.presentation,
        };
        let mut stream = Self {
            ssrc: packet.ssrc,
            payload_type,
            unit: packet_frames(payload_type.codec, payload_type.channels()),
            reorder,
            recover: Recover::default(),
            joiner: Depacketizer::default(),
            order: (!payload_type.codec.is_stateless()).then(|| InOrder::new(first)),
            newest,
            heard: moment.now,
            guessed_after: first - 1,
        };
        if !packet.marker {
            stream.guess_before(packet, first, moment);
        }
        stream
    }

    /// Another stream takes over: that this one falls silent means nothing.
    pub(super) fn leave(&mut self) {
        self.guessed_after = self.newest.sequence;
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn heard(&self) -> Timestamp<Hub> {
        self.heard
    }

    /// Whether `packet` goes on with a stream that had been left for another: its last stragglers and
    /// retransmissions are behind its newest packet, and come soon.
    pub(super) fn is_taken_up_again(&self, packet: &MediaPacket<'_>, moment: &Moment) -> bool {
        let ahead = packet.sequence.wrapping_sub(self.newest.sequence as u16) as i16 > 0;
        ahead && moment.now.saturating_since(self.heard) > LEFT_AFTER
    }

    /// Takes a packet of this stream.
    pub(super) fn take(
        &mut self,
        packet: &MediaPacket<'_>,
        moment: &Moment,
        shared: &mut Shared,
        counters: &mut PacketCounters,
    ) {
        let fragment_unheard_of = packet.fragment.is_some() && self.order.is_some();
        if packet.payload_type != self.payload_type || fragment_unheard_of {
            counters.malformed += 1;
            return;
        }
        self.heard = self.heard.max(moment.now);
        let Some(sequence) = self.sort(packet, moment, shared, counters) else { return };
        let needed_by = packet.presentation - moment.urgency.release_lead;
        if moment.now > needed_by.max(packet.presentation) && self.order.is_none() {
            counters.late += 1;
            return;
        }
        counters.received += 1;
        self.join(sequence, packet, shared, counters);
        self.give_up(moment, shared, counters);
    }

    /// Gives up what is late, and guesses at packets when the stream has fallen silent.
    pub(super) fn handle_timeout(
        &mut self,
        moment: &Moment,
        shared: &mut Shared,
        counters: &mut PacketCounters,
    ) {
        if self.tail_at(moment.silence).is_some_and(|at| at <= moment.now) {
            self.guess_after(moment, shared);
        }
        self.give_up(moment, shared, counters);
    }

    pub(super) fn poll_timeout(&self, silence: Span, urgency: Urgency) -> Option<(Timestamp<Hub>, Reason)> {
        let tail = self.tail_at(silence).map(|at| (at, Reason::Nack));
        [tail, self.recover.poll_timeout(urgency)].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(super) fn recover_mut(&mut self) -> &mut Recover {
        &mut self.recover
    }

    /// Gives up what a stop has made inaudible.
    pub(super) fn silence(&mut self, moment: &Moment, shared: &mut Shared, counters: &mut PacketCounters) {
        self.recover.forget(moment.now, |missing| shared.is_silenced(missing.epoch, missing.presentation));
        self.give_up(moment, shared, counters);
    }

    /// Counts a packet's arrival and notes the gap before it; its extended number, unless it is to be dropped.
    fn sort(
        &mut self,
        packet: &MediaPacket<'_>,
        moment: &Moment,
        shared: &mut Shared,
        counters: &mut PacketCounters,
    ) -> Option<u64> {
        let newest = self.reorder.newest();
        match self.reorder.accept(packet.sequence) {
            Arrival::New { sequence, missing } => {
                if packet.marker {
                    self.recover.forget_guesses(moment.now, sequence);
                }
                for number in missing {
                    let mut gap = self.reckon(number, packet, sequence, moment);
                    gap.guess = shared.is_silenced(gap.epoch, gap.presentation);
                    self.recover.add(moment.now, gap, moment.urgency);
                }
                if self.recover.arrived(sequence) == Some(true) {
                    counters.recovered += 1;
                }
                self.note_newest(sequence, packet);
                Some(sequence)
            }
            Arrival::Filled(sequence) => {
                match self.recover.arrived(sequence) {
                    Some(true) => counters.recovered += 1,
                    Some(false) => counters.reordered += 1,
                    // Given up already, and counted as lost.
                    None => counters.late += 1,
                }
                Some(sequence)
            }
            Arrival::Duplicate => {
                counters.duplicate += 1;
                None
            }
            Arrival::TooOld => {
                counters.late += 1;
                None
            }
            Arrival::Restarted(sequence) => {
                counters.lost += self.recover.len() as u64 + (sequence - newest - 1).min(u64::from(u16::MAX));
                self.recover = Recover::default();
                self.joiner = Depacketizer::default();
                if let Some(order) = &mut self.order {
                    order.restart(sequence, |event| shared.events.extend(event));
                }
                self.note_newest(sequence, packet);
                Some(sequence)
            }
        }
    }

    fn note_newest(&mut self, sequence: u64, packet: &MediaPacket<'_>) {
        self.newest = Newest {
            sequence,
            epoch: packet.epoch,
            first_frame: packet.first_frame,
            presentation: packet.presentation,
        };
    }

    /// Where the missing packet `number` must lie, between the newest and `packet`, which has `sequence`.
    fn reckon(&self, number: u64, packet: &MediaPacket<'_>, sequence: u64, moment: &Moment) -> Missing {
        let (before, back) = ((number - self.newest.sequence) as i64, (sequence - number) as i64);
        if !self.unit_is_packet() {
            return self.reckon_fragment(number, packet, before, back);
        }
        let frame = Frames(packet.first_frame.0 - back * self.unit.0);
        let started = moment.epoch_start.filter(|(epoch, _)| *epoch == packet.epoch);
        // Where the hub's message is still on its way, only the marker tells that an epoch begins here.
        let reaches = started.map_or(!packet.marker, |(_, first)| frame >= first);
        let same = self.newest.epoch == packet.epoch || reaches;
        let span = |packets: i64| SampleRate::MEDIA.span_of(Frames(self.unit.0 * packets));
        let (epoch, first_frame, presentation) = if same {
            (packet.epoch, frame, packet.presentation - span(back))
        } else {
            let frame = Frames(self.newest.first_frame.0 + before * self.unit.0);
            (self.newest.epoch, frame, self.newest.presentation + span(before))
        };
        Missing {
            sequence: number,
            epoch,
            first_frame: Some(frame_in(first_frame)),
            presentation,
            guess: false,
        }
    }

    /// Fragments share their block's presentation, so a place between is only nearly right.
    fn reckon_fragment(&self, number: u64, packet: &MediaPacket<'_>, before: i64, back: i64) -> Missing {
        let whole = packet.presentation.saturating_since(self.newest.presentation);
        let into = if packet.epoch == self.newest.epoch {
            Span::from_ns((i128::from(whole.as_ns()) * i128::from(before) / i128::from(before + back)) as i64)
        } else {
            Span::ZERO
        };
        let presentation = self.newest.presentation.saturating_add(into);
        Missing { sequence: number, epoch: packet.epoch, first_frame: None, presentation, guess: false }
    }

    /// Whether each packet is one unit.
    fn unit_is_packet(&self) -> bool {
        self.payload_type.codec != crate::session::Codec::Flac
    }

    /// Suspects that packets before the first received, which has `sequence`, were lost.
    fn guess_before(&mut self, packet: &MediaPacket<'_>, sequence: u64, moment: &Moment) {
        for back in (1..=GUESSES).rev() {
            let guess = self.guess(sequence - back, packet.epoch, packet.presentation, -(back as i64));
            self.recover.add(moment.now, guess, moment.urgency);
        }
        if let Some(order) = &mut self.order {
            *order = InOrder::new(sequence - GUESSES);
        }
    }

    /// A packet `units` after the presentation of another, if there is one.
    fn guess(&self, sequence: u64, epoch: Epoch, from: Timestamp<Hub>, units: i64) -> Missing {
        let presentation = from + SampleRate::MEDIA.span_of(self.unit) * units;
        Missing { sequence, epoch, first_frame: None, presentation, guess: true }
    }

    /// When packets after the newest are to be suspected lost; `None` once they have been.
    fn tail_at(&self, silence: Span) -> Option<Timestamp<Hub>> {
        let unit = SampleRate::MEDIA.span_of(self.unit);
        let silence = silence.max(unit * 3 / 2);
        (self.guessed_after != self.newest.sequence).then(|| self.heard + silence)
    }

    fn guess_after(&mut self, moment: &Moment, shared: &Shared) {
        self.guessed_after = self.newest.sequence;
        let Newest { sequence, epoch, presentation, .. } = self.newest;
        for ahead in 1..=TAIL_GUESSES {
            let guess = self.guess(sequence + ahead, epoch, presentation, ahead as i64);
            if !shared.is_silenced(epoch, guess.presentation) {
                self.recover.add(moment.now, guess, moment.urgency);
            }
        }
    }

    /// Makes units of a packet and lets go what can go.
    fn join(
        &mut self,
        sequence: u64,
        packet: &MediaPacket<'_>,
        shared: &mut Shared,
        counters: &mut PacketCounters,
    ) {
        let mut payload = shared.spare.pop().unwrap_or_default();
        match self.joiner.push(sequence, packet, &mut payload) {
            Joined::Whole => {}
            Joined::Waiting => return shared.recycle(payload),
            Joined::Contradiction => {
                counters.malformed += 1;
                return shared.recycle(payload);
            }
        }
        let event = SpeakerEvent::Packet {
            stream: self.ssrc,
            epoch: packet.epoch,
            codec: self.payload_type.codec,
            channels: self.payload_type.channels(),
            first_frame: packet.first_frame,
            payload,
        };
        self.release(sequence, Some(event), shared);
    }

    /// Hands an event on, in order where the codec needs it; `None` takes a number's turn without one.
    fn release(&mut self, sequence: u64, event: Option<SpeakerEvent>, shared: &mut Shared) {
        match &mut self.order {
            None => shared.events.extend(event),
            Some(order) => order.push(sequence, event, |event| shared.events.extend(event)),
        }
    }

    fn give_up(&mut self, moment: &Moment, shared: &mut Shared, counters: &mut PacketCounters) {
        let mut expired = std::mem::take(&mut shared.expired);
        self.recover.expired(moment.now, moment.urgency, &mut expired);
        for missing in expired.drain(..) {
            let known = missing.first_frame.map(|frame| (missing.epoch, frame));
            let lost = known.or_else(|| self.joiner.give_up(missing.sequence)).filter(|_| !missing.guess);
            counters.lost += u64::from(!missing.guess);
            let (stream, frames) = (self.ssrc, self.unit);
            let event =
                lost.map(|(epoch, first_frame)| SpeakerEvent::Lost { stream, epoch, first_frame, frames });
            // A guess beyond the newest has no turn yet: the packet may still be sent.
            if missing.sequence <= self.newest.sequence {
                self.release(missing.sequence, event, shared);
            }
        }
        shared.expired = expired;
    }
}

/// A frame's number is never negative, whatever a sender claims.
fn frame_in(frame: Frames) -> Frames {
    frame.max(Frames(0))
}
