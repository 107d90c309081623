//! Opus packets out of a container: channel mapping families 0 and 1, output gain (RFC 7845).

use opus_pure::{ChannelLayout, MAX_PACKET_SAMPLES, OpusMSDecoder};

use super::order::{self, Order};
use super::{MAX_CHANNELS, Problem};

/// How much before a position decoding begins, in frames. RFC 7845 section 4.6 asks for 80 ms; CELT
/// foretells each frame's loudness by half from the one before, so after 80 ms a wrong start is
/// still heard as a wrong level (0.4 dB and more), and after 400 ms it is gone.
pub(super) const PRE_ROLL: u64 = 19_200;

/// What an identification header says (RFC 7845 section 5.1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) channels: u16,
    /// Frames to drop at the start.
    pub(super) pre_skip: u64,
    /// As a factor.
    gain: f32,
    family: u8,
    /// For each channel of the stream, which decoded one it is.
    mapping: Vec<u8>,
}

impl Head {
    pub(super) fn parse(head: &[u8]) -> Result<Self, Problem> {
        let unsupported = |what: &str| Problem::Unsupported { what: what.into() };
        let head = head.strip_prefix(b"OpusHead").unwrap_or(head);
        let &[
            version,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            gain_low,
            gain_high,
            family,
            ref table @ ..,
        ] = head
        else {
            return Err(unsupported("an Opus stream whose header is cut off"));
        };
        if version >> 4 != 0 {
            return Err(unsupported("an Opus stream of a later version"));
        }
        if channels == 0 || u16::from(channels) > MAX_CHANNELS {
            return Err(Problem::Channels { count: channels.into() });
        }
        let layout = ChannelLayout::surround(channels.into(), family)
            .map_err(|_| unsupported("an Opus stream of an unknown channel mapping family"))?;
        let mapping = mapping(&layout, table)
            .ok_or_else(|| unsupported("an Opus stream of unusual channel mapping"))?;
        // Q7.8 dB.
        let gain_db = f32::from(i16::from_le_bytes([gain_low, gain_high])) / 256.0;
        Ok(Self {
            channels: channels.into(),
            pre_skip: u16::from_le_bytes([skip_low, skip_high]).into(),
            gain: 10f32.powf(gain_db / 20.0),
            family,
            mapping,
        })
    }
}

/// For each channel of the stream, which channel of the family's usual layout it is.
fn mapping(layout: &ChannelLayout, table: &[u8]) -> Option<Vec<u8>> {
    let usual = &layout.mapping;
    if layout.mapping_family == 0 {
        return Some((0..usual.len() as u8).collect());
    }
    let (&streams, &coupled) = (table.first()?, table.get(1)?);
    if usize::from(streams) != layout.nb_streams || usize::from(coupled) != layout.nb_coupled_streams {
        return None;
    }
    let wanted = table.get(2..2 + usual.len())?;
    wanted.iter().map(|index| usual.iter().position(|known| known == index).map(|at| at as u8)).collect()
}

/// Decodes packets to WAVE order at 48 kHz.
pub(super) struct Packets {
    inner: OpusMSDecoder,
    head: Head,
    order: Order,
    pcm: Vec<f32>,
}

impl Packets {
    pub(super) fn new(head: Head) -> Result<Self, Problem> {
        let channels = usize::from(head.channels);
        let inner = OpusMSDecoder::new(48_000, channels, head.family)
            .map_err(|e| Problem::Unsupported { what: format!("an Opus stream that does not open ({e})") })?;
        let order = if head.family == 1 { order::of_vorbis(channels) } else { None };
        Ok(Self { inner, order, pcm: vec![0.0; MAX_PACKET_SAMPLES * channels], head })
    }

    /// Decodes one packet to `out`, which is cleared first.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
        out.clear();
        let frames =
            self.inner.decode(packet, MAX_PACKET_SAMPLES, &mut self.pcm).map_err(|e| e.to_string())?;
        let channels = usize::from(self.head.channels);
        for frame in self.pcm.chunks_exact(channels).take(frames) {
            out.extend(self.head.mapping.iter().map(|&at| frame[usize::from(at)] * self.head.gain));
        }
        order::apply(&self.order, out);
        Ok(())
    }

    /// Frames to drop at the start.
    pub(super) fn pre_skip(&self) -> u64 {
        self.head.pre_skip
    }

    pub(super) fn reset(&mut self) {
        // It can only fail for settings that `new` has already accepted.
        let _ = self.inner.reset_state();
    }
}
