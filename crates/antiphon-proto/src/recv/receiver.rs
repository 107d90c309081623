//! All streams of one speaker together.
use std::collections::VecDeque;

use antiphon_base::{ClockMap, Epoch, Frames, Hub, Local, Span, Timestamp};

use crate::SpeakerEvent;
use crate::session::PacketCounters;
use crate::timeline::Reason;
use crate::wire::rtp::MediaPacket;

/// What the receiving side needs to know at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// This host's clock.
    pub now: Timestamp<Local>,
    /// To the hub's clock, as far as it is known.
    pub map: Option<ClockMap<Local, Hub>>,
    /// How long before its presentation the hub sends a packet.
    pub latency: Span,
    /// From a request to the packet.
    pub round_trip: Span,
    /// How long before its presentation the playout needs a packet.
    pub release_lead: Span,
    /// The newest epoch and its first frame, as far as they are known.
    pub epoch_start: Option<(Epoch, Frames)>,
}

/// The receiving side.
#[derive(Debug, Default)]
pub struct Receiver {
    events: VecDeque<SpeakerEvent>,
}

impl Receiver {
    /// x
    pub fn handle_packet(
        &mut self,
        packet: &MediaPacket<'_>,
        _context: &Context,
        counters: &mut PacketCounters,
    ) {
        counters.received += 1;
        self.events.push_back(SpeakerEvent::Packet {
            stream: packet.ssrc,
            epoch: packet.epoch,
            codec: packet.payload_type.codec,
            channels: packet.payload_type.channels(),
            first_frame: packet.first_frame,
            payload: packet.payload.to_vec(),
        });
    }
    /// x
    pub fn handle_timeout(&mut self, _context: &Context, _counters: &mut PacketCounters) {}
    /// x
    pub fn poll_timeout(&self, _lead: Span, _rtt: Span) -> Option<(Timestamp<Hub>, Reason)> {
        None
    }
    /// x
    pub fn map(&self, map: Option<ClockMap<Local, Hub>>) -> Option<ClockMap<Local, Hub>> {
        map
    }
    /// x
    pub fn write_nack(&mut self, _context: &Context, _out: &mut Vec<u8>) -> usize {
        0
    }
    /// x
    pub fn take_margin(&mut self) -> Option<Span> {
        None
    }
    /// x
    pub fn recycle(&mut self, _payload: Vec<u8>) {}
    /// x
    pub fn reset(&mut self) {}
    /// x
    pub fn stop(&mut self, _epoch: Epoch, _at: Timestamp<Hub>, _context: &Context) {}
    /// x
    pub fn poll_event(&mut self) -> Option<SpeakerEvent> {
        self.events.pop_front()
    }
}
