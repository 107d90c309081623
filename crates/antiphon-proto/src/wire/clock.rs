//! Clock exchanges: the four timestamps of [SYNC-1].
//!
//! Probe and reply have the same length, so that both ways take the same time on a slow link.

use antiphon_base::{ClockId, Hub, Local, Timestamp};

use super::WireError;
use super::read::Reader;

/// Length of a probe and of a reply, in bytes.
pub const CLOCK_LEN: usize = 32;

/// A speaker's question: it left the speaker at `t1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Chosen by the speaker; the reply carries it back.
    pub id: u32,
    /// The speaker's clock when the probe was sent.
    pub t1: Timestamp<Local>,
}

/// The hub's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The probe's id.
    pub id: u32,
    /// The boot of the hub's clock that `t2` and `t3` belong to.
    pub clock: ClockId,
    /// The probe's `t1`, unchanged.
    pub t1: Timestamp<Local>,
    /// The hub's clock when the probe arrived.
    pub t2: Timestamp<Hub>,
    /// The hub's clock when this reply was sent.
    pub t3: Timestamp<Hub>,
}

impl Probe {
    /// Reads a probe of exactly [`CLOCK_LEN`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(bytes);
        let id = r.u32()?;
        r.take(4)?;
        let t1 = r.instant()?;
        r.take(16)?;
        r.end()?;
        Ok(Self { id, t1 })
    }

    /// Appends the probe's [`CLOCK_LEN`] bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.t1.as_ns().to_be_bytes());
        out.extend_from_slice(&[0; 16]);
    }
}

impl Reply {
    /// Reads a reply of exactly [`CLOCK_LEN`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(bytes);
        let reply = Self {
            id: r.u32()?,
            clock: ClockId(r.u32()?),
            t1: r.instant()?,
            t2: r.instant()?,
            t3: r.instant()?,
        };
        r.end()?;
        Ok(reply)
    }

    /// Appends the reply's [`CLOCK_LEN`] bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.clock.0.to_be_bytes());
        out.extend_from_slice(&self.t1.as_ns().to_be_bytes());
        out.extend_from_slice(&self.t2.as_ns().to_be_bytes());
        out.extend_from_slice(&self.t3.as_ns().to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INSTANTS: std::ops::Range<i64> = -(1 << 62) + 1..1 << 62;

    #[test]
    fn an_instant_that_could_overflow_a_span_is_refused() {
        for ns in [i64::MIN, i64::MAX, 1 << 62, -(1 << 62)] {
            let mut bytes = Vec::new();
            Probe { id: 1, t1: Timestamp::from_ns(ns) }.write(&mut bytes);
            assert_eq!(Probe::parse(&bytes), Err(WireError::Malformed("instant")));
        }
    }

    proptest! {
        #[test]
        fn a_reply_reads_as_it_was_written(id: u32, clock: u32, t1 in INSTANTS, t2 in INSTANTS, t3 in INSTANTS) {
            let reply = Reply {
                id,
                clock: ClockId(clock),
                t1: Timestamp::from_ns(t1),
                t2: Timestamp::from_ns(t2),
                t3: Timestamp::from_ns(t3),
            };
            let mut bytes = Vec::new();
            reply.write(&mut bytes);
            prop_assert_eq!(bytes.len(), CLOCK_LEN);
            prop_assert_eq!(Reply::parse(&bytes), Ok(reply));
        }

        #[test]
        fn a_probe_reads_as_it_was_written(id: u32, t1 in INSTANTS) {
            let probe = Probe { id, t1: Timestamp::from_ns(t1) };
            let mut bytes = Vec::new();
            probe.write(&mut bytes);
            prop_assert_eq!(bytes.len(), CLOCK_LEN);
            prop_assert_eq!(Probe::parse(&bytes), Ok(probe));
        }
    }

    #[test]
    fn a_probe_of_another_length_is_refused() {
        assert_eq!(Probe::parse(&[0; 31]), Err(WireError::Short));
        assert!(Probe::parse(&[0; 33]).is_err());
        assert_eq!(Reply::parse(&[0; 31]), Err(WireError::Short));
        assert!(Reply::parse(&[0; 33]).is_err());
    }
}
