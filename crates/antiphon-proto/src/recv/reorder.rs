//! Sequence numbers of one stream: extended beyond 16 bits, duplicates told apart.

use std::ops::Range;

/// How far behind the newest a packet may come and still be told from a duplicate: over 2.5 s of
/// the shortest packets, which is more than any target latency in use.
pub const WINDOW: u64 = 1_024;

/// So many packets in a row from outside the window mean that the sender has moved its numbers
/// (RFC 3550, appendix A.1, resynchronises likewise).
const RESYNC_AFTER: u32 = 8;

/// What a sequence number turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far; those in `missing` (extended) were skipped.
    New {
        /// The extended number.
        sequence: u64,
        /// Skipped numbers; empty when in order.
        missing: Range<u64>,
    },
    /// Older than the newest, seen for the first time.
    Filled(u64),
    /// Seen before.
    Duplicate,
    /// Older than the window: nothing is known about it.
    TooOld,
    /// The numbering begins again here, with this extended number: what was missing is void.
    Restarted(u64),
}

/// The newest number and which of the [`WINDOW`] before it have been seen.
#[derive(Debug, Clone)]
pub struct Reorder {
    newest: u64,
    seen: [u64; (WINDOW / 64) as usize],
    strangers: u32,
}

impl Reorder {
    /// A stream whose first received packet has the number `wire`, and is then to be accepted like any other.
    /// Returns its extended number too.
    pub fn new(wire: u16) -> (Self, u64) {
        // Not near zero, so that packets before the first one have numbers as well.
        let first = 1 << 32 | u64::from(wire);
        (Self { newest: first - 1, seen: [0; (WINDOW / 64) as usize], strangers: 0 }, first)
    }

    /// The newest extended number.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Takes the next packet's number.
    pub fn accept(&mut self, wire: u16) -> Arrival {
        let ahead = wire.wrapping_sub(self.newest as u16) as i16;
        let sequence = self.newest.wrapping_add_signed(i64::from(ahead));
        if i64::from(ahead).unsigned_abs() >= WINDOW {
            return self.stranger(sequence, ahead > 0);
        }
        self.strangers = 0;
        if ahead > 0 {
            let missing = self.newest + 1..sequence;
            self.advance(sequence);
            return Arrival::New { sequence, missing };
        }
        if self.is_seen(sequence) {
            return Arrival::Duplicate;
        }
        self.mark(sequence);
        Arrival::Filled(sequence)
    }

    /// A jump ahead is believed at once (the stream was away); a jump back only when it lasts.
    fn stranger(&mut self, sequence: u64, ahead: bool) -> Arrival {
        self.strangers += 1;
        if !ahead && self.strangers < RESYNC_AFTER {
            return Arrival::TooOld;
        }
        // Numbers go only up, so that a restart is not taken for its own past.
        let restarted = if ahead { sequence } else { sequence + (1 << 16) };
        (self.newest, self.strangers) = (restarted, 0);
        self.seen = [0; (WINDOW / 64) as usize];
        self.mark(restarted);
        Arrival::Restarted(restarted)
    }

    fn advance(&mut self, to: u64) {
        for skipped in self.newest + 1..to {
            let (word, bit) = place(skipped);
            self.seen[word] &= !bit;
        }
        self.newest = to;
        self.mark(to);
    }

    fn mark(&mut self, sequence: u64) {
        let (word, bit) = place(sequence);
        self.seen[word] |= bit;
    }

    fn is_seen(&self, sequence: u64) -> bool {
        let (word, bit) = place(sequence);
        self.seen[word] & bit != 0
    }
}

fn place(sequence: u64) -> (usize, u64) {
    (((sequence % WINDOW) / 64) as usize, 1 << (sequence % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A stream that has received its first packet.
    fn begun(wire: u16) -> (Reorder, u64) {
        let (mut reorder, first) = Reorder::new(wire);
        assert_eq!(reorder.accept(wire), Arrival::New { sequence: first, missing: first..first });
        (reorder, first)
    }

    #[test]
    fn numbers_go_on_over_the_wrap() {
        let (mut reorder, first) = begun(65_534);
        assert_eq!(
            reorder.accept(65_535),
            Arrival::New { sequence: first + 1, missing: first + 1..first + 1 }
        );
        assert_eq!(reorder.accept(2), Arrival::New { sequence: first + 4, missing: first + 2..first + 4 });
        assert_eq!(reorder.accept(0), Arrival::Filled(first + 2));
        assert_eq!(reorder.accept(0), Arrival::Duplicate);
        assert_eq!(reorder.accept(65_533), Arrival::Filled(first - 1), "before the first received");
        assert_eq!(reorder.accept(65_533), Arrival::Duplicate);
    }

    #[test]
    fn one_number_from_afar_changes_nothing_but_a_row_of_them_does() {
        let (mut reorder, first) = begun(30_000);
        assert_eq!(reorder.accept(20_000), Arrival::TooOld);
        assert_eq!(
            reorder.accept(30_001),
            Arrival::New { sequence: first + 1, missing: first + 1..first + 1 }
        );
        let arrivals: Vec<_> = (0..8).map(|i| reorder.accept(20_000 + i)).collect();
        assert!(arrivals[..7].iter().all(|arrival| *arrival == Arrival::TooOld));
        let Arrival::Restarted(at) = arrivals[7] else { panic!("{:?}", arrivals[7]) };
        assert!(at > first + 1 && at as u16 == 20_007);
    }

    #[test]
    fn after_a_long_absence_the_stream_is_taken_up_where_it_is() {
        let (mut reorder, first) = begun(100);
        assert_eq!(reorder.accept(4_100), Arrival::Restarted(first + 4_000));
        assert_eq!(reorder.accept(4_099), Arrival::Filled(first + 3_999));
    }

    proptest! {
        #[test]
        fn every_packet_counts_exactly_once_however_they_come(
            start: u16, order in prop::collection::vec(0u16..400, 1..1_000),
        ) {
            // Model: a set of the numbers seen.
            let (mut reorder, first) = begun(start);
            let mut seen = BTreeSet::from([first]);
            for step in order {
                match reorder.accept(start.wrapping_add(step)) {
                    Arrival::New { sequence, .. } | Arrival::Filled(sequence) => {
                        prop_assert_eq!(sequence, first + u64::from(step));
                        prop_assert!(seen.insert(sequence));
                    }
                    Arrival::Duplicate => prop_assert!(seen.contains(&(first + u64::from(step)))),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
