//! Bits, most significant first, and the check of a frame's head.

/// Writes bits into a frame. What does not fit is dropped: a frame's length is known beforehand.
pub(super) struct BitWriter<'a> {
    bytes: &'a mut [u8],
    at: usize,
    pending: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0, pending: 0, count: 0 }
    }

    /// Writes the lowest `count` bits of `value`, at most 32; the others are 0.
    pub(super) fn push(&mut self, value: u32, count: u32) {
        self.pending = self.pending << count | u64::from(value);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            let word = (self.pending >> self.count) as u32;
            if let Some(place) = self.bytes.get_mut(self.at..self.at + 4) {
                place.copy_from_slice(&word.to_be_bytes());
            }
            self.at += 4;
        }
    }

    /// Writes what is pending, and zeros up to the end of the byte.
    pub(super) fn finish(self) {
        let word = (self.pending << 32 >> self.count) as u32;
        let left = self.count.div_ceil(8) as usize;
        if let Some(rest) = self.bytes.get_mut(self.at..self.at + left) {
            rest.copy_from_slice(&word.to_be_bytes()[..left]);
        }
    }
}

/// x^8 + x^4 + x^3 + x^2 + 1 from 0x0F, four bits at a time: all that it covers
/// comes in fours.
pub(super) struct Crc(u8);

impl Crc {
    pub(super) fn new() -> Self {
        Self(0x0F)
    }

    /// Takes four more bits in.
    pub(super) fn push(&mut self, nibble: u8) {
        self.0 = self.0 << 4 ^ REMAINDERS[usize::from(self.0 >> 4 ^ nibble & 15)];
    }

    pub(super) fn value(&self) -> u8 {
        self.0
    }
}

const REMAINDERS: [u8; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut rest = (nibble as u8) << 4;
        let mut bit = 0;
        while bit < 4 {
            rest = if rest & 0x80 != 0 { rest << 1 ^ 0x1D } else { rest << 1 };
            bit += 1;
        }
        table[nibble] = rest;
        nibble += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_out_in_the_order_of_their_writing() {
        let mut bytes = [0xFF; 7];
        let mut writer = BitWriter::new(&mut bytes);
        for (value, count) in [(0b101, 3), (0, 0), (0xFFFF_0001, 32), (0b1, 1), (0x1234, 16)] {
            writer.push(value, count);
        }
        writer.finish();
        assert_eq!(bytes, [0b1011_1111, 0xFF, 0xE0, 0x00, 0b0011_0001, 0x23, 0x40]);
    }

    #[test]
    fn a_writer_never_leaves_its_frame() {
        let mut bytes = [0; 3];
        let mut writer = BitWriter::new(&mut bytes);
        (0..5).for_each(|_| writer.push(0xFFFF, 16));
        writer.finish();
        assert_eq!(bytes, [0; 3]);
    }

    #[test]
    fn the_check_is_the_remainder_of_a_division_bit_by_bit() {
        let bits = |crc: u8, nibble: u8| {
            (0..4).rev().fold(crc, |crc, bit| {
                let out = crc >> 7 ^ nibble >> bit & 1;
                crc << 1 ^ if out == 1 { 0x1D } else { 0 }
            })
        };
        let mut crc = Crc::new();
        let mut slow = 0x0F;
        for nibble in [9, 12, 11, 13, 3, 5, 0, 15, 1, 2, 4, 8, 7] {
            crc.push(nibble);
            slow = bits(slow, nibble);
            assert_eq!(crc.value(), slow);
        }
    }
}
