//! Media packets: RTP (RFC 3550) with presentation time, epoch and frame number in one-byte header
//! extensions (RFC 8285, section 4.2).

use antiphon_base::{Epoch, Frames, Hub, Timestamp};

use super::read::Reader;
use super::seal::OVERHEAD;
use super::{MAX_DATAGRAM, WireError};
pub use crate::session::Codec;

/// Bytes before the payload of a packet that is not a fragment.
pub const HEADER_LEN: usize = 36;
/// Bytes before the payload of a fragment.
pub const FRAGMENT_HEADER_LEN: usize = 40;
/// The most payload bytes of a packet that is not a fragment, seal included in the reckoning.
pub const MAX_PAYLOAD: usize = MAX_DATAGRAM - OVERHEAD - HEADER_LEN;
/// The most payload bytes of a fragment.
pub const MAX_FRAGMENT_PAYLOAD: usize = MAX_DATAGRAM - OVERHEAD - FRAGMENT_HEADER_LEN;
/// The most fragments of one block: 16 x 1,128 B hold an incompressible stereo FLAC block of 2,048 frames
/// at 24 bits with room to spare.
pub const MAX_FRAGMENTS: u8 = 16;

/// RTP version 2, no padding, with extension, no contributing sources.
const FIRST: u8 = 0x90;
/// RFC 8285 one-byte header extensions.
const ONE_BYTE: u16 = 0xBEDE;
const ID_PRESENTATION: u8 = 1;
const ID_EPOCH: u8 = 2;
const ID_FRAGMENT: u8 = 3;
const FIRST_DYNAMIC: u8 = 96;

/// How a packet's payload is coded: the codec, and one or two channels. Every packet says both, so
/// a change of codec or role needs no agreement about when. [RTP-3]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PayloadType {
    /// The codec.
    pub codec: Codec,
    /// Two channels, not one.
    pub stereo: bool,
}

impl PayloadType {
    /// The type for `channels` channels (1 or 2; every other count is taken as 2).
    pub fn new(codec: Codec, channels: u16) -> Self {
        Self { codec, stereo: channels != 1 }
    }

    /// 1 or 2.
    pub fn channels(self) -> u16 {
        if self.stereo { 2 } else { 1 }
    }

    /// The number in the RTP header, 96 to 103.
    pub fn number(self) -> u8 {
        let codec = match self.codec {
            Codec::L16 => 0,
            Codec::L24 => 2,
            Codec::Flac => 4,
            Codec::Opus => 6,
        };
        FIRST_DYNAMIC + codec + u8::from(self.stereo)
    }

    /// The type of that number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        let codec = match number.checked_sub(FIRST_DYNAMIC)? / 2 {
            0 => Codec::L16,
            1 => Codec::L24,
            2 => Codec::Flac,
            3 => Codec::Opus,
            _ => return None,
        };
        Some(Self { codec, stereo: number % 2 == 1 })
    }
}

/// Which piece of a block that did not fit in one datagram. [RTP-6]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// From 0; below `count`.
    pub index: u8,
    /// 2 to [`MAX_FRAGMENTS`].
    pub count: u8,
}

/// One packet of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaPacket<'a> {
    /// Codec and channels of the payload.
    pub payload_type: PayloadType,
    /// The first packet of an epoch.
    pub marker: bool,
    /// Counts packets of the stream; wraps.
    pub sequence: u16,
    /// The stream: one variant (role and codec) of the programme.
    pub ssrc: u32,
    /// Number of the payload's first frame (of the block's first frame, in a fragment).
    pub first_frame: Frames,
    /// The timeline's epoch.
    pub epoch: Epoch,
    /// When the first frame leaves the loudspeaker.
    pub presentation: Timestamp<Hub>,
    /// The piece, when the block did not fit.
    pub fragment: Option<Fragment>,
    /// Coded audio; at least one byte.
    pub payload: &'a [u8],
}

impl<'a> MediaPacket<'a> {
    /// Reads a packet. Extensions with other ids are skipped; other RTP features (padding,
    /// contributing sources, profiles) are refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(WireError::Long);
        }
        let mut r = Reader(bytes);
        if r.u8()? != FIRST {
            return Err(WireError::Malformed("RTP first byte"));
        }
        let second = r.u8()?;
        let payload_type = PayloadType::from_number(second & 0x7F).ok_or(WireError::Unknown)?;
        let (sequence, low, ssrc) = (r.u16()?, r.u32()?, r.u32()?);
        if r.u16()? != ONE_BYTE {
            return Err(WireError::Malformed("RTP extension profile"));
        }
        let words = r.u16()?;
        let extensions = Extensions::parse(r.take(usize::from(words) * 4)?)?;
        let (epoch, high) = extensions.epoch.ok_or(WireError::Malformed("no epoch"))?;
        if r.0.is_empty() {
            return Err(WireError::Malformed("no payload"));
        }
        Ok(Self {
            payload_type,
            marker: second & 0x80 != 0,
            sequence,
            ssrc,
            first_frame: frame_number(high, low)?,
            epoch,
            presentation: extensions.presentation.ok_or(WireError::Malformed("no presentation time"))?,
            fragment: extensions.fragment,
            payload: r.0,
        })
    }

    /// Appends the packet to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let frame = self.first_frame.0 as u64;
        out.extend_from_slice(&[FIRST, u8::from(self.marker) << 7 | self.payload_type.number()]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&(frame as u32).to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&ONE_BYTE.to_be_bytes());
        out.extend_from_slice(&if self.fragment.is_some() { 6u16 } else { 5 }.to_be_bytes());
        out.push(ID_PRESENTATION << 4 | 7);
        out.extend_from_slice(&self.presentation.as_ns().to_be_bytes());
        out.push(ID_EPOCH << 4 | 7);
        out.extend_from_slice(&self.epoch.0.to_be_bytes());
        out.extend_from_slice(&((frame >> 32) as u32).to_be_bytes());
        if let Some(Fragment { index, count }) = self.fragment {
            out.extend_from_slice(&[ID_FRAGMENT << 4 | 1, index, count, 0, 0, 0]);
        } else {
            out.extend_from_slice(&[0, 0]);
        }
        out.extend_from_slice(self.payload);
    }
}

/// The most frames that a hub may count to: 2^53 is over 5,000 years, and leaves arithmetic on
/// frame numbers and on their times far from overflow.
const MAX_FRAME: i64 = 1 << 53;

fn frame_number(high: u32, low: u32) -> Result<Frames, WireError> {
    let frame = (u64::from(high) << 32 | u64::from(low)) as i64;
    if (0..MAX_FRAME).contains(&frame) {
        Ok(Frames(frame))
    } else {
        Err(WireError::Malformed("frame number"))
    }
}

/// The elements of a header extension that matter here.
#[derive(Default)]
struct Extensions {
    presentation: Option<Timestamp<Hub>>,
    epoch: Option<(Epoch, u32)>,
    fragment: Option<Fragment>,
}

impl Extensions {
    fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut found = Self::default();
        let mut r = Reader(bytes);
        while !r.0.is_empty() {
            let head = r.u8()?;
            // A zero byte is padding; id 15 ends the list (RFC 8285, section 4.2).
            if head == 0 {
                continue;
            }
            if head >> 4 == 15 {
                break;
            }
            let mut data = Reader(r.take(usize::from(head & 15) + 1)?);
            match head >> 4 {
                ID_PRESENTATION => found.presentation = Some(data.instant()?),
                ID_EPOCH => found.epoch = Some((Epoch(data.u32()?), data.u32()?)),
                ID_FRAGMENT => found.fragment = Some(fragment(&mut data)?),
                _ => continue,
            }
            data.end()?;
        }
        Ok(found)
    }
}

fn fragment(data: &mut Reader<'_>) -> Result<Fragment, WireError> {
    let fragment = Fragment { index: data.u8()?, count: data.u8()? };
    if !(2..=MAX_FRAGMENTS).contains(&fragment.count) || fragment.index >= fragment.count {
        return Err(WireError::Malformed("fragment"));
    }
    Ok(fragment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> MediaPacket<'_> {
        MediaPacket {
            payload_type: PayloadType::new(Codec::L24, 1),
            marker: true,
            sequence: 65_535,
            ssrc: 0x1234_5678,
            first_frame: Frames(0x1_2345_6789),
            epoch: Epoch(3),
            presentation: Timestamp::from_ns(987_654_321_012),
            fragment: None,
            payload,
        }
    }

    #[test]
    fn the_header_lengths_are_as_stated() {
        let mut bytes = Vec::new();
        packet(&[1]).write(&mut bytes);
        assert_eq!(bytes.len(), HEADER_LEN + 1);
        bytes.clear();
        MediaPacket { fragment: Some(Fragment { index: 1, count: 2 }), ..packet(&[1]) }.write(&mut bytes);
        assert_eq!(bytes.len(), FRAGMENT_HEADER_LEN + 1);
    }

    #[test]
    fn an_unknown_extension_is_skipped_and_a_missing_one_is_an_error() {
        let mut bytes = Vec::new();
        MediaPacket { fragment: Some(Fragment { index: 1, count: 2 }), ..packet(&[1]) }.write(&mut bytes);
        bytes[34] = 9 << 4 | 1;
        assert_eq!(MediaPacket::parse(&bytes).unwrap(), packet(&[1]));
        bytes[16] = 9 << 4 | 7;
        assert_eq!(MediaPacket::parse(&bytes), Err(WireError::Malformed("no presentation time")));
    }

    #[test]
    fn frame_numbers_and_times_that_would_overflow_are_refused() {
        for (first_frame, ns) in [(-1, 0), (1 << 53, 0), (0, i64::MIN), (0, i64::MAX)] {
            let mut bytes = Vec::new();
            let presentation = Timestamp::from_ns(ns);
            MediaPacket { first_frame: Frames(first_frame), presentation, ..packet(&[1]) }.write(&mut bytes);
            assert!(matches!(MediaPacket::parse(&bytes), Err(WireError::Malformed(_))));
        }
    }

    #[test]
    fn every_payload_type_has_its_own_number() {
        for number in 0..=255 {
            match PayloadType::from_number(number) {
                Some(kind) => assert_eq!(kind.number(), number),
                None => assert!(!(96..104).contains(&number)),
            }
        }
    }

    proptest! {
        #[test]
        fn a_packet_reads_as_it_was_written(
            number in 96u8..104, marker: bool, sequence: u16, ssrc: u32, frame in 0i64..1 << 53,
            epoch: u32, ns in -(1i64 << 62) + 1..1 << 62, piece in prop::option::of((0u8..4, 4u8..=16)),
            payload in prop::collection::vec(any::<u8>(), 1..1100)
        ) {
            let sent = MediaPacket {
                payload_type: PayloadType::from_number(number).unwrap(),
                marker, sequence, ssrc,
                first_frame: Frames(frame),
                epoch: Epoch(epoch),
                presentation: Timestamp::from_ns(ns),
                fragment: piece.map(|(index, count)| Fragment { index, count }),
                payload: &payload,
            };
            let mut bytes = Vec::new();
            sent.write(&mut bytes);
            prop_assert_eq!(MediaPacket::parse(&bytes), Ok(sent));
        }
    }
}
