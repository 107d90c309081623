//! Bits from the highest down, and the two checksums of RFC 9639.

/// The payload is over before the frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short;

/// Reads a payload bit by bit.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits already read.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The same place in `bytes`, which begin like the ones read so far.
    pub(super) fn within(self, bytes: &[u8]) -> Bits<'_> {
        Bits { bytes, at: self.at }
    }

    /// The next `count` bits (at most 32) as an unsigned number.
    pub(super) fn unsigned(&mut self, count: u32) -> Result<u32, Short> {
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return Err(Short);
        }
        // Five bytes hold any 32 bits, whatever bit they begin at.
        let window = self.window(self.at / 8);
        let value = (window << (self.at % 8)) >> 32;
        self.at = end;
        Ok(if count == 0 { 0 } else { (value as u32) >> (32 - count) })
    }

    /// The next `count` bits (at most 32) as a number in two's complement.
    pub(super) fn signed(&mut self, count: u32) -> Result<i32, Short> {
        let value = self.unsigned(count)?;
        Ok(if count == 0 { 0 } else { ((value << (32 - count)) as i32) >> (32 - count) })
    }

    /// How many zeros come before the next one; the one is consumed too.
    pub(super) fn unary(&mut self) -> Result<u32, Short> {
        let begin = self.at;
        loop {
            let window = self.window(self.at / 8) << (self.at % 8);
            let zeros = window.leading_zeros() as usize;
            // The window's top 57 bits at least are payload or the zeros after its end.
            if zeros < 56 {
                self.at += zeros + 1;
                return if self.at > self.bytes.len() * 8 {
                    Err(Short)
                } else {
                    Ok((self.at - begin - 1) as u32)
                };
            }
            self.at += 56;
            if self.at >= self.bytes.len() * 8 {
                return Err(Short);
            }
        }
    }

    /// Goes to the next whole byte and says which it is.
    pub(super) fn align(&mut self) -> usize {
        self.at = self.at.div_ceil(8) * 8;
        self.at / 8
    }

    /// Eight bytes from `byte` on, zeros past the end.
    fn window(&self, byte: usize) -> u64 {
        let rest = self.bytes.get(byte..).unwrap_or(&[]);
        match rest.first_chunk::<8>() {
            Some(whole) => u64::from_be_bytes(*whole),
            None => {
                let mut padded = [0; 8];
                padded[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(padded)
            }
        }
    }
}

/// CRC-8 of a frame header: x^8 + x^2 + x + 1, from 0.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |crc, &byte| {
        (0..8).fold(crc ^ byte, |c, _| if c & 0x80 == 0 { c << 1 } else { (c << 1) ^ 0x07 })
    })
}

/// CRC-16 of a frame: x^16 + x^15 + x^2 + 1, from 0.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = crc16_table();
    bytes.iter().fold(0u16, |crc, &byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const fn crc16_table() -> [u16; 256] {
    let mut table = [0u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x8005 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
