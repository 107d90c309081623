//! What an SBC frame is made of.

use antiphon_base::SampleRate;

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
        if !matches!(rate.hz(), 16_000 | 32_000 | 44_100 | 48_000) {
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
}
