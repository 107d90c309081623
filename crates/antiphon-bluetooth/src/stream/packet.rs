//! Media packets: an RTP header, one byte that counts SBC frames, and the frames (A2DP 1.3, 4.3.4).

use antiphon_codec::sbc::SbcParams;

use super::pace::Form;

/// RTP's fixed header, and the SBC payload's.
pub const HEADER: usize = 13;

/// The longest packet that is made: what one 2-DH5 packet of the air carries (679 bytes) without
/// L2CAP's header, rounded down. A longer one takes a second packet of the air, mostly empty.
const LONGEST: usize = 672;

/// RTP's dynamic payload type that A2DP senders use.
const PAYLOAD_TYPE: u8 = 96;

/// What packets to a link of `write_mtu` bytes may be; `None` where not even one frame fits.
pub fn form_of(sbc: &SbcParams, write_mtu: usize) -> Option<Form> {
    let room = write_mtu.min(LONGEST.max(HEADER + sbc.frame_bytes())).checked_sub(HEADER)?;
    let most_frames = (room / sbc.frame_bytes()) as i64;
    let frame_samples = sbc.frame_samples() as i64;
    (most_frames > 0).then_some(Form { rate: sbc.rate(), frame_samples, most_frames })
}

/// The headers of one link's packets.
#[derive(Debug)]
pub struct Headers {
    sequence: u16,
    source: u32,
}

impl Headers {
    /// Of a stream whose RTP source identifier is `source`.
    pub fn new(source: u32) -> Self {
        Self { sequence: 0, source }
    }

    /// Begins a packet of `frames` SBC frames whose first sample has number `first`.
    pub fn begin(&mut self, out: &mut Vec<u8>, first: i64, frames: u8) {
        out.clear();
        out.extend([0x80, PAYLOAD_TYPE]);
        out.extend(self.sequence.to_be_bytes());
        // RTP counts samples modulo 2^32 (RFC 3550, 5.1).
        out.extend((first as u32).to_be_bytes());
        out.extend(self.source.to_be_bytes());
        // No fragments: the upper four bits are 0.
        out.push(frames & 0x0f);
        self.sequence = self.sequence.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use antiphon_base::SampleRate;
    use antiphon_codec::sbc::{SbcAllocation, SbcMode};

    use super::*;

    fn mono(bitpool: u8) -> SbcParams {
        SbcParams::new(SampleRate::MEDIA, SbcMode::Mono, 16, 8, SbcAllocation::Loudness, bitpool).unwrap()
    }

    #[test]
    fn a_packet_fills_one_packet_of_the_air_and_fits_the_least_mtu() {
        for (mtu, bitpool, frames) in [(1_005, 29, 9), (672, 29, 9), (335, 29, 4), (80, 31, 0), (83, 31, 1)] {
            let form = form_of(&mono(bitpool), mtu);
            assert_eq!(form.map_or(0, |form| form.most_frames), frames, "{mtu}");
        }
        assert_eq!(form_of(&mono(29), 5), None);
    }

    #[test]
    fn the_headers_of_the_second_packet_are_as_rtp_has_them() {
        let (mut headers, mut out) = (Headers::new(0x0102_0304), Vec::new());
        headers.begin(&mut out, 0, 9);
        headers.begin(&mut out, 1_152 + (1 << 32), 4);
        assert_eq!(out, [0x80, 96, 0, 1, 0, 0, 4, 0x80, 1, 2, 3, 4, 4]);
    }
}
