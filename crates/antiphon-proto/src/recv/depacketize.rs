//! Blocks that came in fragments, joined again.

use std::collections::VecDeque;

use antiphon_base::{Epoch, Frames};

use crate::wire::rtp::MediaPacket;

/// Blocks that wait for fragments, at most: 640 ms of FLAC blocks, each missing a piece.
const MAX_PARTIAL: usize = 64;

#[derive(Debug)]
struct Partial {
    /// The extended number of fragment 0.
    base: u64,
    count: u8,
    epoch: Epoch,
    first_frame: Frames,
    pieces: Vec<Option<Vec<u8>>>,
}

/// The incomplete blocks of one stream.
#[derive(Debug, Default)]
pub struct Depacketizer {
    partial: VecDeque<Partial>,
}

/// What a packet made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// A whole unit: `out` holds it.
    Whole,
    /// A piece of one.
    Waiting,
    /// It contradicts the other fragments of its block.
    Contradiction,
}

impl Depacketizer {
    /// Takes a packet with its extended number; a whole unit replaces the contents of `out`.
    pub fn push(&mut self, sequence: u64, packet: &MediaPacket<'_>, out: &mut Vec<u8>) -> Joined {
        out.clear();
        let Some(fragment) = packet.fragment else {
            out.extend_from_slice(packet.payload);
            return Joined::Whole;
        };
        let base = sequence - u64::from(fragment.index);
        let place = self.place(base, fragment.count, packet);
        let partial = &mut self.partial[place];
        if (partial.count, partial.first_frame) != (fragment.count, packet.first_frame) {
            return Joined::Contradiction;
        }
        partial.pieces[usize::from(fragment.index)] = Some(packet.payload.to_vec());
        if partial.pieces.iter().any(Option::is_none) {
            return Joined::Waiting;
        }
        let whole = self.partial.remove(place);
        out.extend(whole.into_iter().flat_map(|partial| partial.pieces).flatten().flatten());
        Joined::Whole
    }

    /// Gives up the block that `sequence` belongs to: its epoch and first frame, if it is known.
    pub fn give_up(&mut self, sequence: u64) -> Option<(Epoch, Frames)> {
        let place = self.partial.iter().position(|partial| {
            (partial.base..partial.base + u64::from(partial.count)).contains(&sequence)
        })?;
        self.partial.remove(place).map(|partial| (partial.epoch, partial.first_frame))
    }

    /// The index of the block with this base; the oldest makes room for a new one.
    fn place(&mut self, base: u64, count: u8, packet: &MediaPacket<'_>) -> usize {
        if let Some(place) = self.partial.iter().position(|partial| partial.base == base) {
            return place;
        }
        if self.partial.len() >= MAX_PARTIAL {
            self.partial.pop_front();
        }
        let pieces = vec![None; usize::from(count)];
        let (epoch, first_frame) = (packet.epoch, packet.first_frame);
        self.partial.push_back(Partial { base, count, epoch, first_frame, pieces });
        self.partial.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Codec;
    use crate::wire::rtp::{Fragment, PayloadType};
    use antiphon_base::Timestamp;

    fn piece(index: u8, count: u8, frame: i64, payload: &[u8]) -> MediaPacket<'_> {
        MediaPacket {
            payload_type: PayloadType::new(Codec::Flac, 2),
            marker: false,
            sequence: 0,
            ssrc: 1,
            first_frame: Frames(frame),
            epoch: Epoch(1),
            presentation: Timestamp::ZERO,
            fragment: Some(Fragment { index, count }),
            payload,
        }
    }

    #[test]
    fn fragments_join_in_whatever_order_they_come() {
        let (mut joiner, mut out) = (Depacketizer::default(), Vec::new());
        assert_eq!(joiner.push(102, &piece(2, 3, 0, &[5]), &mut out), Joined::Waiting);
        assert_eq!(joiner.push(103, &piece(0, 2, 480, &[6]), &mut out), Joined::Waiting);
        assert_eq!(joiner.push(100, &piece(0, 3, 0, &[1, 2]), &mut out), Joined::Waiting);
        assert_eq!(joiner.push(101, &piece(1, 3, 0, &[3, 4]), &mut out), Joined::Whole);
        assert_eq!(out, [1, 2, 3, 4, 5]);
        assert_eq!(joiner.push(104, &piece(1, 2, 480, &[7]), &mut out), Joined::Whole);
        assert_eq!(out, [6, 7]);
    }

    #[test]
    fn a_block_with_a_lost_piece_is_given_up_once() {
        let (mut joiner, mut out) = (Depacketizer::default(), Vec::new());
        joiner.push(100, &piece(0, 3, 960, &[1]), &mut out);
        assert_eq!(joiner.give_up(101), Some((Epoch(1), Frames(960))));
        assert_eq!(joiner.give_up(102), None);
    }

    #[test]
    fn fragments_that_contradict_each_other_make_no_block_and_no_heap_grows() {
        let (mut joiner, mut out) = (Depacketizer::default(), Vec::new());
        joiner.push(100, &piece(0, 3, 0, &[1]), &mut out);
        assert_eq!(joiner.push(101, &piece(1, 4, 0, &[2]), &mut out), Joined::Contradiction);
        assert_eq!(joiner.push(101, &piece(1, 3, 7, &[2]), &mut out), Joined::Contradiction);
        for block in 0..1_000 {
            joiner.push(200 + block * 2, &piece(0, 2, block as i64, &[1]), &mut out);
        }
        assert_eq!(joiner.partial.len(), MAX_PARTIAL);
    }
}
