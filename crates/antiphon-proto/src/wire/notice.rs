//! Notices from hub to speaker that must not wait behind a lost TCP segment.

use antiphon_base::{Epoch, Hub, Timestamp};

use super::WireError;
use super::read::Reader;

/// Length of a notice, in bytes.
pub const NOTICE_LEN: usize = 16;

const STOP: u8 = 1;

/// Nothing of `epoch` is heard from `at` on. [NOTICE-1]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The epoch that ends.
    pub epoch: Epoch,
    /// When the last frame leaves the loudspeaker.
    pub at: Timestamp<Hub>,
}

impl Stop {
    /// Reads a stop notice of exactly [`NOTICE_LEN`] bytes; another type is [`WireError::Unknown`].
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(bytes);
        if r.u8()? != STOP {
            return Err(WireError::Unknown);
        }
        r.take(3)?;
        let stop = Self { epoch: Epoch(r.u32()?), at: r.instant()? };
        r.end()?;
        Ok(stop)
    }

    /// Appends the notice's [`NOTICE_LEN`] bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[STOP, 0, 0, 0]);
        out.extend_from_slice(&self.epoch.0.to_be_bytes());
        out.extend_from_slice(&self.at.as_ns().to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_reads_as_it_was_written() {
        let stop = Stop { epoch: Epoch(7), at: Timestamp::from_ns(-3) };
        let mut bytes = Vec::new();
        stop.write(&mut bytes);
        assert_eq!(bytes.len(), NOTICE_LEN);
        assert_eq!(Stop::parse(&bytes), Ok(stop));
    }

    #[test]
    fn a_notice_of_an_unknown_type_is_told_from_a_broken_one() {
        assert_eq!(Stop::parse(&[2; NOTICE_LEN]), Err(WireError::Unknown));
        assert_eq!(Stop::parse(&[STOP]), Err(WireError::Short));
    }
}
