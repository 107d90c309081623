//! Requests for retransmission: the generic NACK of RFC 4585, section 6.2.1.

use super::WireError;
use super::read::Reader;

/// The most feedback items (a packet id and a mask of 16 more each) in one NACK: 268 bytes, which
/// covers over a second of 5 ms packets lost one by one.
pub const MAX_NACK_ITEMS: usize = 64;

/// The most sequence numbers that a NACK can ask for.
pub const MAX_NACK_PACKETS: usize = MAX_NACK_ITEMS * 17;

/// V=2, no padding, FMT=1 (generic NACK).
const FIRST: u8 = 0x81;
/// RTPFB, transport-layer feedback.
const RTPFB: u8 = 205;

/// The packets of one stream that a speaker misses and still has time for. [NACK-1]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nack {
    /// The stream.
    pub ssrc: u32,
    /// Sequence numbers, in any order; on reading: in the order of the items, without repeats
    /// inside one item.
    pub missing: Vec<u16>,
}

impl Nack {
    /// Reads a NACK; at most [`MAX_NACK_ITEMS`] items.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(bytes);
        if r.u8()? != FIRST || r.u8()? != RTPFB {
            return Err(WireError::Unknown);
        }
        let words = usize::from(r.u16()?);
        if bytes.len() != (words + 1) * 4 {
            return Err(WireError::Malformed("NACK length"));
        }
        r.take(4)?;
        let ssrc = r.u32()?;
        if r.0.len() > MAX_NACK_ITEMS * 4 {
            return Err(WireError::Long);
        }
        let mut missing = Vec::new();
        while !r.0.is_empty() {
            let (first, mask) = (r.u16()?, r.u16()?);
            missing.push(first);
            missing.extend((0..16).filter(|bit| mask >> bit & 1 == 1).map(|bit| first.wrapping_add(bit + 1)));
        }
        Ok(Self { ssrc, missing })
    }

    /// Appends the NACK to `out`. Neighbouring numbers share an item; what does not fit in
    /// [`MAX_NACK_ITEMS`] items is left for the next NACK, and the count of numbers written is returned.
    pub fn write(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&[FIRST, RTPFB, 0, 0]);
        // A speaker sends no media, so it has no source identifier of its own; the envelope names the session.
        out.extend_from_slice(&0u32.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        let mut rest = self.missing.as_slice();
        for _ in 0..MAX_NACK_ITEMS {
            let Some((&first, mut tail)) = rest.split_first() else { break };
            let mut mask = 0u16;
            while let Some((&next, after)) = tail.split_first() {
                match next.wrapping_sub(first) {
                    0 => {}
                    ahead @ 1..=16 => mask |= 1 << (ahead - 1),
                    _ => break,
                }
                tail = after;
            }
            out.extend_from_slice(&first.to_be_bytes());
            out.extend_from_slice(&mask.to_be_bytes());
            rest = tail;
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
        self.missing.len() - rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seventeen_neighbours_share_one_item_across_the_wrap() {
        let missing: Vec<u16> = (0..17).map(|i| 65_530u16.wrapping_add(i)).collect();
        let mut bytes = Vec::new();
        let nack = Nack { ssrc: 9, missing };
        assert_eq!(nack.write(&mut bytes), 17);
        assert_eq!(bytes.len(), 16);
        assert_eq!(Nack::parse(&bytes), Ok(nack));
    }

    #[test]
    fn what_does_not_fit_is_left_and_said() {
        let missing: Vec<u16> = (0..100).map(|i| i * 100).collect();
        let mut bytes = Vec::new();
        let written = Nack { ssrc: 9, missing: missing.clone() }.write(&mut bytes);
        assert_eq!(written, MAX_NACK_ITEMS);
        assert_eq!(Nack::parse(&bytes).unwrap().missing, missing[..MAX_NACK_ITEMS]);
    }

    #[test]
    fn a_nack_over_the_limit_is_refused() {
        let items = MAX_NACK_ITEMS + 1;
        let mut bytes = vec![FIRST, RTPFB];
        bytes.extend_from_slice(&(2 + items as u16).to_be_bytes());
        bytes.resize(12 + 4 * items, 0);
        assert_eq!(Nack::parse(&bytes), Err(WireError::Long));
    }

    proptest! {
        #[test]
        fn the_numbers_written_are_the_numbers_read(ssrc: u32, mut missing in prop::collection::btree_set(0u16..2000, 0..64)) {
            let nack = Nack { ssrc, missing: std::mem::take(&mut missing).into_iter().collect() };
            let mut bytes = Vec::new();
            prop_assert_eq!(nack.write(&mut bytes), nack.missing.len());
            prop_assert_eq!(Nack::parse(&bytes), Ok(nack));
        }
    }
}
