//! Encoded units into RTP packets of one stream.

use antiphon_base::{Epoch, Frames, SampleRate, Span};

use super::fanout::EncodedUnit;
use super::history::History;
use super::variant::Variant;
use crate::session::Codec;
use crate::wire::rtp::{Fragment, MAX_FRAGMENT_PAYLOAD, MAX_FRAGMENTS, MediaPacket, PayloadType};

pub use crate::wire::rtp::MAX_PAYLOAD;

/// How many frames one encoded unit of `codec` with `channels` (1 or 2) holds: multiples of 120, so
/// that bursts of 2.5 ms hold whole PCM packets; PCM fills at most 960 of [`MAX_PAYLOAD`] bytes.
pub const fn packet_frames(codec: Codec, channels: u16) -> Frames {
    Frames(match (codec, channels) {
        (Codec::L24, 1) => 240,
        (Codec::L24, _) => 120,
        (Codec::L16, 1) => 480,
        (Codec::L16, _) => 240,
        // 10 ms: Opus loses quality below, and a FLAC block of fewer frames is mostly header.
        (Codec::Opus | Codec::Flac, _) => 480,
    })
}

/// The packets of one variant, numbered and kept for retransmission.
#[derive(Debug)]
pub struct Packetizer {
    variant: Variant,
    ssrc: u32,
    next_sequence: u64,
    next_frame: Frames,
    epoch: Epoch,
    history: History,
}

impl Packetizer {
    /// A stream that begins with `first_frame`. `latency` says how long packets are kept.
    pub fn new(variant: Variant, ssrc: u32, first_sequence: u16, first_frame: Frames, latency: Span) -> Self {
        let packet = SampleRate::MEDIA.span_of(variant.packet_frames());
        // A FLAC block of 10 ms goes out as up to three packets.
        let fragments = if variant.codec == Codec::Flac { 3 } else { 1 };
        Self {
            variant,
            ssrc,
            // Extended numbers start high, so that a wire number can always be looked for behind.
            next_sequence: 1 << 32 | u64::from(first_sequence),
            next_frame: first_frame,
            epoch: Epoch(0),
            history: History::new(latency, packet / fragments),
        }
    }

    /// What it carries.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The stream's RTP source identifier.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The first frame of the unit that it wants next.
    pub fn next_frame(&self) -> Frames {
        self.next_frame
    }

    /// The extended sequence number of the next packet.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// What has been sent.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Goes on with `frame`: for a new epoch.
    pub fn continue_at(&mut self, frame: Frames) {
        self.next_frame = frame;
    }

    /// Makes the packets of `unit`, which holds `frames`; returns their extended sequence numbers.
    /// None where the payload is empty or needs more than [`MAX_FRAGMENTS`] fragments.
    pub fn push(&mut self, unit: &EncodedUnit<'_>, frames: Frames) -> std::ops::Range<u64> {
        let first = self.next_sequence;
        let whole = unit.payload.len() <= MAX_PAYLOAD;
        let count = if whole { 1 } else { unit.payload.len().div_ceil(MAX_FRAGMENT_PAYLOAD) };
        if unit.payload.is_empty() || count > usize::from(MAX_FRAGMENTS) {
            return first..first;
        }
        // Fragments of like size: the last is not a sliver, which would cost a datagram all the same.
        for (index, piece) in unit.payload.chunks(unit.payload.len().div_ceil(count)).enumerate() {
            let fragment = (!whole).then_some(Fragment { index: index as u8, count: count as u8 });
            self.push_packet(unit, fragment, piece);
        }
        self.next_frame = unit.first_frame + frames;
        first..self.next_sequence
    }

    fn push_packet(&mut self, unit: &EncodedUnit<'_>, fragment: Option<Fragment>, payload: &[u8]) {
        let packet = MediaPacket {
            payload_type: PayloadType::new(self.variant.codec, self.variant.channels()),
            marker: self.epoch != unit.epoch,
            sequence: self.next_sequence as u16,
            ssrc: self.ssrc,
            first_frame: unit.first_frame,
            epoch: unit.epoch,
            presentation: unit.presentation,
            fragment,
            payload,
        };
        self.history.push(self.next_sequence, unit.presentation, |out| packet.write(out));
        self.next_sequence += 1;
        self.epoch = unit.epoch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MAX_DATAGRAM;
    use crate::wire::seal::OVERHEAD;
    use antiphon_base::{Role, Timestamp};

    fn packets(role: Role, codec: Codec, payload: &[u8]) -> Vec<Vec<u8>> {
        let variant = Variant { role, codec };
        let mut stream = Packetizer::new(variant, 7, 65_535, Frames(960), Span::from_ms(200));
        let unit = EncodedUnit {
            variant,
            epoch: Epoch(1),
            first_frame: Frames(960),
            presentation: Timestamp::from_ns(5),
            payload,
        };
        let made = stream.push(&unit, variant.packet_frames());
        made.map(|sequence| stream.history().get(sequence).unwrap().bytes.clone()).collect()
    }

    #[test]
    fn every_pcm_packet_fits_one_sealed_datagram() {
        for (codec, bytes) in [(Codec::L16, 2), (Codec::L24, 3)] {
            for role in [Role::Left, Role::Both] {
                let frames = packet_frames(codec, role.channels());
                assert_eq!(frames.0 % 120, 0);
                let payload = vec![1; frames.0 as usize * bytes * usize::from(role.channels())];
                let made = packets(role, codec, &payload);
                assert!(made.len() == 1 && made[0].len() + OVERHEAD <= MAX_DATAGRAM, "{codec} {role}");
            }
        }
    }

    #[test]
    fn a_large_flac_block_goes_out_in_fragments_that_join_to_it() {
        let block: Vec<u8> = (0..2_900).map(|i| i as u8).collect();
        let made = packets(Role::Both, Codec::Flac, &block);
        let parsed: Vec<_> = made.iter().map(|bytes| MediaPacket::parse(bytes).unwrap()).collect();
        assert_eq!(parsed.len(), 3);
        assert_eq!(parsed.iter().flat_map(|packet| packet.payload).copied().collect::<Vec<_>>(), block);
        assert_eq!(parsed.iter().map(|p| p.sequence).collect::<Vec<_>>(), [65_535, 0, 1]);
        assert!(parsed[0].marker && !parsed[1].marker);
        assert!(made.iter().all(|bytes| bytes.len() + OVERHEAD <= MAX_DATAGRAM));
    }

    #[test]
    fn a_block_that_no_speaker_would_take_is_not_sent() {
        assert!(packets(Role::Both, Codec::Flac, &[]).is_empty());
        assert!(packets(Role::Both, Codec::Flac, &vec![0; 40_000]).is_empty());
    }
}
