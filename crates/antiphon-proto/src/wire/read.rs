//! Reading big-endian fields from bytes that may end anywhere.

use antiphon_base::Timestamp;

use super::WireError;

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(WireError::Short)?;
        self.0 = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(WireError::Short)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An instant of any clock: never 2^62 ns (146 years) or more from the clock's zero, so that the span
    /// between any two is a number too. [WIRE-3]
    pub(crate) fn instant<D>(&mut self) -> Result<Timestamp<D>, WireError> {
        match self.i64()? {
            ns if ns.unsigned_abs() >> 62 == 0 => Ok(Timestamp::from_ns(ns)),
            _ => Err(WireError::Malformed("instant")),
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Malformed("bytes after the end")) }
    }
}
