//! What an SBC frame is made of.

use antiphon_base::{Frames, SampleRate};

/// The first byte of every frame.
pub(super) const SYNC: u8 = 0x9C;
/// In the order of their codes.
const RATES: [u32; 4] = [16_000, 32_000, 44_100, 48_000];
/// In the order of their codes.
const MODES: [SbcMode; 4] = [SbcMode::Mono, SbcMode::DualChannel, SbcMode::Stereo, SbcMode::JointStereo];

/// How channels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SbcMode {
    /// One channel.
    Mono,
    /// Two, each with its own bits.
    DualChannel,
    /// Two, sharing the bits.
    Stereo,
    /// Two, sharing the bits, some subbands as sum and difference.
    JointStereo,
}

impl SbcMode {
    /// 1 or 2.
    pub fn channels(self) -> u16 {
        if self == Self::Mono { 1 } else { 2 }
    }
}

/// How bits are given to subbands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SbcAllocation {
    /// By an estimate of what is heard.
    Loudness,
    /// By energy alone.
    Snr,
}

/// One configuration of the codec: every frame of a stream has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SbcParams {
    rate: SampleRate,
    mode: SbcMode,
    blocks: u8,
    subbands: u8,
    allocation: SbcAllocation,
    bitpool: u8,
}

/// What is no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SbcParamsError {
    /// SBC knows four rates.
    #[error("SBC runs at 16000, 32000, 44100 or 48000 Hz, not {0}")]
    Rate(u32),
    /// Not 4, 8, 12 or 16.
    #[error("an SBC frame has 4, 8, 12 or 16 blocks, not {0}")]
    Blocks(u8),
    /// Neither 4 nor 8.
    #[error("SBC has 4 or 8 subbands, not {0}")]
    Subbands(u8),
    /// Less than 2 or more than the mode and the subbands can use.
    #[error("a bitpool of {0} is out of range: 2 to {1} here")]
    Bitpool(u8, u8),
    /// A frame begins otherwise: the sender's fault.
    #[error("an SBC frame begins with 0x9C, not {0:#04x}")]
    Sync(u8),
}

impl SbcParams {
    /// A configuration, checked.
    ///
    /// # Errors
    /// The first number that is out of range.
    pub fn new(
        rate: SampleRate,
        mode: SbcMode,
        blocks: u8,
        subbands: u8,
        allocation: SbcAllocation,
        bitpool: u8,
    ) -> Result<Self, SbcParamsError> {
        if !RATES.contains(&rate.hz()) {
            return Err(SbcParamsError::Rate(rate.hz()));
        }
        if !matches!(blocks, 4 | 8 | 12 | 16) {
            return Err(SbcParamsError::Blocks(blocks));
        }
        if !matches!(subbands, 4 | 8) {
            return Err(SbcParamsError::Subbands(subbands));
        }
        let params = Self { rate, mode, blocks, subbands, allocation, bitpool };
        if !(2..=params.max_bitpool()).contains(&bitpool) {
            return Err(SbcParamsError::Bitpool(bitpool, params.max_bitpool()));
        }
        Ok(params)
    }

    /// The largest bitpool: 16 bits for every sample of a block, and never over 250 (A2DP 1.3, B.4).
    pub fn max_bitpool(&self) -> u8 {
        let per_subband = match self.mode {
            SbcMode::Mono | SbcMode::DualChannel => 16,
            SbcMode::Stereo | SbcMode::JointStereo => 32,
        };
        (per_subband * u16::from(self.subbands)).min(250) as u8
    }

    /// The sample rate.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// How channels are coded.
    pub fn mode(&self) -> SbcMode {
        self.mode
    }

    /// Blocks a frame: 4, 8, 12 or 16.
    pub fn blocks(&self) -> u8 {
        self.blocks
    }

    /// Subbands: 4 or 8.
    pub fn subbands(&self) -> u8 {
        self.subbands
    }

    /// How bits are given to subbands.
    pub fn allocation(&self) -> SbcAllocation {
        self.allocation
    }

    /// Bits that subbands share in a block.
    pub fn bitpool(&self) -> u8 {
        self.bitpool
    }

    /// Samples of each channel in a frame.
    pub fn frame_samples(&self) -> usize {
        usize::from(self.blocks) * usize::from(self.subbands)
    }

    /// Bytes of a frame (A2DP 1.3, 12.9).
    pub fn frame_bytes(&self) -> usize {
        let (blocks, subbands) = (usize::from(self.blocks), usize::from(self.subbands));
        let (channels, bitpool) = (usize::from(self.mode.channels()), usize::from(self.bitpool));
        let sample_bits = match self.mode {
            SbcMode::Mono | SbcMode::DualChannel => blocks * channels * bitpool,
            SbcMode::Stereo => blocks * bitpool,
            SbcMode::JointStereo => subbands + blocks * bitpool,
        };
        4 + subbands * channels / 2 + sample_bits.div_ceil(8)
    }

    /// How many frames after it went into the encoder a sample comes out of a decoder: the length of
    /// both filterbanks, 73 with 8 subbands and 37 with 4, whatever else is chosen.
    pub fn delay(&self) -> Frames {
        Frames(9 * i64::from(self.subbands) + 1)
    }

    /// The configuration of a frame, from its first three bytes.
    ///
    /// # Errors
    /// [`SbcParamsError::Sync`] where no frame begins, [`SbcParamsError::Bitpool`] for one that the
    /// mode cannot have.
    pub fn from_header(header: [u8; 3]) -> Result<Self, SbcParamsError> {
        let [sync, first, bitpool] = header;
        if sync != SYNC {
            return Err(SbcParamsError::Sync(sync));
        }
        let code = |shift: u8| usize::from(first >> shift & 3);
        let hz = RATES[code(6)];
        let rate = SampleRate::new(hz).ok_or(SbcParamsError::Rate(hz))?;
        let allocation = if first & 2 == 0 { SbcAllocation::Loudness } else { SbcAllocation::Snr };
        let subbands = if first & 1 == 0 { 4 } else { 8 };
        Self::new(rate, MODES[code(2)], 4 * (code(4) as u8 + 1), subbands, allocation, bitpool)
    }

    /// The first three bytes of a frame; the check follows them.
    pub fn header(&self) -> [u8; 3] {
        let mode = MODES.iter().position(|mode| *mode == self.mode).unwrap_or(0) as u8;
        let snr = u8::from(self.allocation == SbcAllocation::Snr);
        let eight = u8::from(self.subbands == 8);
        let first = self.rate_code() << 6 | (self.blocks / 4 - 1) << 4 | mode << 2 | snr << 1 | eight;
        [SYNC, first, self.bitpool]
    }

    /// 0 to 3, as in a frame.
    pub(super) fn rate_code(&self) -> u8 {
        RATES.iter().position(|hz| *hz == self.rate.hz()).unwrap_or(0) as u8
    }

    /// Bits a second.
    pub fn bit_rate(&self) -> u32 {
        (8 * self.frame_bytes() as u64 * u64::from(self.rate.hz()) / self.frame_samples() as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(mode: SbcMode, bitpool: u8) -> SbcParams {
        SbcParams::new(SampleRate::new(44_100).unwrap(), mode, 16, 8, SbcAllocation::Loudness, bitpool)
            .unwrap()
    }

    #[test]
    fn the_recommended_configurations_have_the_frame_sizes_of_the_standard() {
        // A2DP 1.3, table 4.7, high quality: mono 31 is 193 kbit/s, joint stereo 53 is 328 kbit/s.
        assert_eq!(
            (params(SbcMode::Mono, 31).frame_bytes(), params(SbcMode::Mono, 31).bit_rate()),
            (70, 192_937)
        );
        let joint = params(SbcMode::JointStereo, 53);
        assert_eq!((joint.frame_bytes(), joint.bit_rate()), (119, 327_993));
    }

    #[test]
    fn every_header_is_read_as_it_is_written_or_is_none() {
        let mut read = 0;
        for first in 0..=255 {
            for bitpool in 0..=255 {
                let header = [0x9C, first, bitpool];
                match SbcParams::from_header(header) {
                    Ok(params) => {
                        assert_eq!(params.header(), header);
                        read += 1;
                    }
                    Err(why) => assert!(matches!(why, SbcParamsError::Bitpool(..)), "{why}"),
                }
            }
        }
        // 64 headers of each mode and number of subbands, with bitpools from 2 on.
        assert_eq!(read, 32 * (2 * (63 + 127) + 2 * (127 + 249)));
        let why = SbcParams::from_header([0x9D, 0x31, 31]).unwrap_err();
        assert_eq!(why, SbcParamsError::Sync(0x9D));
    }
}
