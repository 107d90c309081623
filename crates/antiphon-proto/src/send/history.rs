//! The packets of one variant, kept as long as a retransmission can still be in time.

use antiphon_base::{Hub, Span, Timestamp};

/// One packet as it goes on the wire, before sealing: shared by all speakers of the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The extended sequence number; its low 16 bits are on the wire.
    pub sequence: u64,
    /// When its first frame leaves the loudspeakers: after that it is of no use to anybody.
    pub presentation: Timestamp<Hub>,
    /// The whole RTP packet.
    pub bytes: Vec<u8>,
}

/// A ring of the newest packets. It allocates only while it fills: then buffers go round.
#[derive(Debug, Default)]
pub struct History {
    slots: Vec<Sent>,
    capacity: usize,
}

impl History {
    /// Keeps packets of `packet` each for `latency` and half as long again (a packet is sent at
    /// most one latency and a burst ahead), at most 1,024: 1.2 MB a variant.
    pub fn new(latency: Span, packet: Span) -> Self {
        let packets = (latency * 3 / 2).as_ns() / packet.as_ns().max(1);
        // 16: with a tiny latency a burst must still fit, the transmit queue refers to it.
        Self { slots: Vec::new(), capacity: (packets.max(0) as usize).clamp(16, 1_024) }
    }

    /// How many packets it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Stores the packet after the last one; `write` appends its bytes to an empty buffer.
    pub fn push(&mut self, sequence: u64, presentation: Timestamp<Hub>, write: impl FnOnce(&mut Vec<u8>)) {
        let slot = (sequence % self.capacity as u64) as usize;
        while self.slots.len() <= slot {
            self.slots.push(Sent { sequence: u64::MAX, presentation, bytes: Vec::new() });
        }
        let sent = &mut self.slots[slot];
        (sent.sequence, sent.presentation) = (sequence, presentation);
        sent.bytes.clear();
        write(&mut sent.bytes);
    }

    /// The packet with this extended sequence number, if it is still held.
    pub fn get(&self, sequence: u64) -> Option<&Sent> {
        self.slots
            .get((sequence % self.capacity.max(1) as u64) as usize)
            .filter(|sent| sent.sequence == sequence)
    }

    /// The packet that a speaker calls `wire` when `newest` was the last one sent.
    pub fn find(&self, newest: u64, wire: u16) -> Option<&Sent> {
        let behind = (newest as u16).wrapping_sub(wire);
        self.get(newest.checked_sub(u64::from(behind))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(upto: u64) -> History {
        let mut history = History::new(Span::from_ms(200), Span::from_ms(5));
        for sequence in 60_000..upto {
            history.push(sequence, Timestamp::ZERO, |out| out.extend(sequence.to_be_bytes()));
        }
        history
    }

    #[test]
    fn a_packet_is_found_by_its_wire_number_across_the_wrap() {
        let history = filled(65_550);
        let found = history.find(65_549, 65_530).unwrap();
        assert_eq!((found.sequence, &found.bytes[..]), (65_530, &65_530u64.to_be_bytes()[..]));
        assert_eq!(history.find(65_549, 3).unwrap().sequence, 65_539);
    }

    #[test]
    fn what_is_older_than_the_ring_or_not_yet_sent_is_not_found() {
        let history = filled(65_550);
        assert_eq!(history.capacity(), 60);
        assert!(history.get(65_549 - 60).is_none());
        assert!(history.get(65_549 - 59).is_some());
        assert!(history.find(65_549, 65_550u64 as u16).is_none());
    }
}
