//! SBC's four octets of AVDTP (A2DP 1.3, 4.3.2) and the choice of a configuration.

use antiphon_base::SampleRate;
use antiphon_codec::sbc::{SbcAllocation, SbcMode, SbcParams};

use crate::ChannelWish;

/// What a side can do: one bit for each possibility, as the standard has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SbcCapabilities {
    octets: [u8; 4],
}

/// What is no capability, or no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SbcOctetsError {
    /// Not four octets.
    #[error("{0} octets where SBC has four")]
    Length(usize),
    /// A field without a bit, or (in a configuration) with more than one.
    #[error("no usable {0}")]
    Field(&'static str),
    /// The range of bitpools is empty or out of bounds.
    #[error("bitpools {0} to {1}")]
    Bitpools(u8, u8),
}

/// Rates with their bits, the preferred first: Antiphon's media run at 48 kHz.
const RATES: [(u8, u32); 4] = [(0x10, 48_000), (0x20, 44_100), (0x40, 32_000), (0x80, 16_000)];
const BLOCKS: [(u8, u8); 4] = [(0x10, 16), (0x20, 12), (0x40, 8), (0x80, 4)];
const SUBBANDS: [(u8, u8); 2] = [(0x04, 8), (0x08, 4)];
const ALLOCATIONS: [(u8, SbcAllocation); 2] = [(0x01, SbcAllocation::Loudness), (0x02, SbcAllocation::Snr)];
const MODES: [(u8, SbcMode); 4] = [
    (0x08, SbcMode::Mono),
    (0x01, SbcMode::JointStereo),
    (0x02, SbcMode::Stereo),
    (0x04, SbcMode::DualChannel),
];

impl SbcCapabilities {
    /// Everything the standard knows, bitpools 2 to 250: what our own endpoints say.
    pub const ALL: Self = Self { octets: [0xff, 0xff, 2, 250] };

    /// Reads four octets; reserved or odd values never panic.
    ///
    /// # Errors
    /// See [`SbcOctetsError`].
    pub fn from_octets(octets: &[u8]) -> Result<Self, SbcOctetsError> {
        let octets: [u8; 4] = octets.try_into().map_err(|_| SbcOctetsError::Length(octets.len()))?;
        let [first, second, min, max] = octets;
        let fields = [
            (first & 0xf0, "sample rate"),
            (first & 0x0f, "channel mode"),
            (second & 0xf0, "block length"),
            (second & 0x0c, "subbands"),
            (second & 0x03, "allocation"),
        ];
        if let Some((_, name)) = fields.iter().find(|(bits, _)| *bits == 0) {
            return Err(SbcOctetsError::Field(name));
        }
        if max < 2 || min > max || min > 250 {
            return Err(SbcOctetsError::Bitpools(min, max));
        }
        Ok(Self { octets })
    }

    /// As they travel.
    pub fn octets(&self) -> [u8; 4] {
        self.octets
    }

    /// Sample rates, the preferred first.
    pub fn rates(&self) -> impl Iterator<Item = u32> + '_ {
        RATES.iter().filter(|(bit, _)| self.octets[0] & bit != 0).map(|(_, rate)| *rate)
    }

    /// Channel modes, the preferred for one speaker of a pair first.
    pub fn modes(&self) -> impl Iterator<Item = SbcMode> + '_ {
        MODES.iter().filter(|(bit, _)| self.octets[0] & bit != 0).map(|(_, mode)| *mode)
    }

    /// The smallest and the largest bitpool.
    pub fn bitpools(&self) -> (u8, u8) {
        (self.octets[2].max(2), self.octets[3])
    }
}

/// The configuration for a speaker that can do `speaker`, in a group whose other speakers can do
/// `others`: rate, blocks, subbands and bitpool are those that all of them have, where there are
/// such; else the speaker's own best.
///
/// # Errors
/// Where no bitpool is left: a speaker that demands one larger than the standard's bound.
pub fn select(
    speaker: &SbcCapabilities,
    others: &[SbcCapabilities],
    wish: ChannelWish,
) -> Result<SbcParams, SbcOctetsError> {
    let own = speaker.octets;
    let common = |octet: usize| others.iter().fold(0xff, |all, other| all & other.octets[octet]);
    let rate = pick(&RATES, own[0], common(0)).ok_or(SbcOctetsError::Field("sample rate"))?;
    let blocks = pick(&BLOCKS, own[1], common(1)).ok_or(SbcOctetsError::Field("block length"))?;
    let subbands = pick(&SUBBANDS, own[1], common(1)).ok_or(SbcOctetsError::Field("subbands"))?;
    let allocation = pick(&ALLOCATIONS, own[1], common(1)).ok_or(SbcOctetsError::Field("allocation"))?;
    let mode = mode(own[0], wish).ok_or(SbcOctetsError::Field("channel mode"))?;
    let rate = SampleRate::new(rate).ok_or(SbcOctetsError::Field("sample rate"))?;
    let (min, max) = speaker.bitpools();
    let ceiling = others.iter().map(|other| other.octets[3]).filter(|ceiling| *ceiling >= min).min();
    let wanted = recommended(mode, rate.hz()).min(ceiling.unwrap_or(250)).clamp(min, max);
    params(rate, mode, blocks, subbands, allocation, wanted).map_err(|()| SbcOctetsError::Bitpools(min, max))
}

/// The configuration that was agreed on, from its octets: exactly one bit in each field.
///
/// # Errors
/// See [`SbcOctetsError`].
pub fn configured(octets: &[u8]) -> Result<SbcParams, SbcOctetsError> {
    let read = SbcCapabilities::from_octets(octets)?;
    let [first, second, min, max] = read.octets;
    let rate = exactly(&RATES, first & 0xf0).ok_or(SbcOctetsError::Field("sample rate"))?;
    let mode = exactly(&MODES, first & 0x0f).ok_or(SbcOctetsError::Field("channel mode"))?;
    let blocks = exactly(&BLOCKS, second & 0xf0).ok_or(SbcOctetsError::Field("block length"))?;
    let subbands = exactly(&SUBBANDS, second & 0x0c).ok_or(SbcOctetsError::Field("subbands"))?;
    let allocation = exactly(&ALLOCATIONS, second & 0x03).ok_or(SbcOctetsError::Field("allocation"))?;
    let rate = SampleRate::new(rate).ok_or(SbcOctetsError::Field("sample rate"))?;
    params(rate, mode, blocks, subbands, allocation, recommended(mode, rate.hz()).clamp(min.max(2), max))
        .map_err(|()| SbcOctetsError::Bitpools(min, max))
}

/// `params` as a configuration for a speaker that can do `speaker`; the bitpool is its upper bound.
pub fn configuration(params: &SbcParams, speaker: &SbcCapabilities) -> [u8; 4] {
    let first = bit(&RATES, |rate| *rate == params.rate().hz()) | bit(&MODES, |mode| *mode == params.mode());
    let second = bit(&BLOCKS, |blocks| *blocks == params.blocks())
        | bit(&SUBBANDS, |subbands| *subbands == params.subbands())
        | bit(&ALLOCATIONS, |allocation| *allocation == params.allocation());
    [first, second, speaker.bitpools().0.min(params.bitpool()), params.bitpool()]
}

/// The standard's recommendation for high quality (A2DP 1.3, table 4.7).
fn recommended(mode: SbcMode, rate: u32) -> u8 {
    match (mode.channels() == 1 || mode == SbcMode::DualChannel, rate > 44_100) {
        (true, true) => 29,
        (true, false) => 31,
        (false, true) => 51,
        (false, false) => 53,
    }
}

/// A bitpool beyond what the mode can use is brought down to it.
fn params(
    rate: SampleRate,
    mode: SbcMode,
    blocks: u8,
    subbands: u8,
    allocation: SbcAllocation,
    bitpool: u8,
) -> Result<SbcParams, ()> {
    let largest = SbcParams::new(rate, mode, blocks, subbands, allocation, 2).map_err(|_| ())?.max_bitpool();
    SbcParams::new(rate, mode, blocks, subbands, allocation, bitpool.min(largest)).map_err(|_| ())
}

fn mode(bits: u8, wish: ChannelWish) -> Option<SbcMode> {
    let order = match wish {
        ChannelWish::Mono => [0x08, 0x01, 0x02, 0x04],
        ChannelWish::Stereo => [0x01, 0x02, 0x04, 0x08],
    };
    order.into_iter().find(|bit| bits & bit != 0).and_then(|bit| exactly(&MODES, bit))
}

/// The first that both sides have; else the first of the speaker's own.
fn pick<T: Copy>(table: &[(u8, T)], own: u8, common: u8) -> Option<T> {
    let first = |bits: u8| table.iter().find(|(bit, _)| bits & bit != 0).map(|(_, value)| *value);
    first(own & common).or_else(|| first(own))
}

fn exactly<T: Copy>(table: &[(u8, T)], bits: u8) -> Option<T> {
    table.iter().find(|(bit, _)| *bit == bits).map(|(_, value)| *value)
}

fn bit<T>(table: &[(u8, T)], is: impl Fn(&T) -> bool) -> u8 {
    table.iter().find(|(_, value)| is(value)).map_or(0, |(bit, _)| *bit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caps(octets: [u8; 4]) -> SbcCapabilities {
        SbcCapabilities::from_octets(&octets).unwrap()
    }

    fn chosen(octets: [u8; 4], others: &[[u8; 4]], wish: ChannelWish) -> (u32, SbcMode, u8) {
        let others: Vec<_> = others.iter().map(|octets| caps(*octets)).collect();
        let params = select(&caps(octets), &others, wish).unwrap();
        (params.rate().hz(), params.mode(), params.bitpool())
    }

    const USUAL: [u8; 4] = [0x3f, 0xff, 2, 53];

    #[test]
    fn a_usual_speaker_of_a_pair_gets_mono_at_48_khz_and_the_standards_bitpool() {
        assert_eq!(chosen(USUAL, &[], ChannelWish::Mono), (48_000, SbcMode::Mono, 29));
        assert_eq!(chosen(USUAL, &[], ChannelWish::Stereo), (48_000, SbcMode::JointStereo, 51));
    }

    #[test]
    fn a_speaker_that_takes_joint_stereo_only_gets_it() {
        assert_eq!(chosen([0x31, 0x15, 2, 53], &[], ChannelWish::Mono), (48_000, SbcMode::JointStereo, 51));
    }

    #[test]
    fn one_speaker_of_44_100_hz_brings_the_other_to_it() {
        let narrow = [0x2f, 0xff, 2, 53];
        assert_eq!(chosen(narrow, &[USUAL], ChannelWish::Mono).0, 44_100);
        assert_eq!(chosen(USUAL, &[narrow], ChannelWish::Mono), (44_100, SbcMode::Mono, 31));
    }

    #[test]
    fn speakers_without_a_common_rate_each_get_their_own() {
        assert_eq!(chosen([0x1f, 0xff, 2, 53], &[[0x2f, 0xff, 2, 53]], ChannelWish::Mono).0, 48_000);
        assert_eq!(chosen([0x2f, 0xff, 2, 53], &[[0x1f, 0xff, 2, 53]], ChannelWish::Mono).0, 44_100);
    }

    #[test]
    fn the_smaller_bitpool_of_a_pair_holds_for_both() {
        assert_eq!(chosen(USUAL, &[[0x3f, 0xff, 2, 20]], ChannelWish::Mono).2, 20);
        assert_eq!(chosen([0x3f, 0xff, 2, 20], &[USUAL], ChannelWish::Mono).2, 20);
        assert_eq!(chosen([0x3f, 0xff, 35, 60], &[], ChannelWish::Mono).2, 35);
    }

    #[test]
    fn a_configuration_reads_back_as_it_was_chosen() {
        let speaker = caps(USUAL);
        let params = select(&speaker, &[], ChannelWish::Mono).unwrap();
        let octets = configuration(&params, &speaker);
        assert_eq!(octets, [0x18, 0x15, 2, 29]);
        assert_eq!(configured(&octets), Ok(params));
        assert_eq!(configured(&USUAL), Err(SbcOctetsError::Field("sample rate")));
    }

    proptest! {
        #[test]
        fn no_octets_of_the_world_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..8)) {
            let _ = configured(&octets);
            let _ = SbcCapabilities::from_octets(&octets);
        }

        #[test]
        fn what_is_chosen_is_within_what_the_speaker_can_do(
            own in any::<[u8; 4]>(), other in any::<[u8; 4]>(), mono in any::<bool>(),
        ) {
            let others: Vec<_> = SbcCapabilities::from_octets(&other).into_iter().collect();
            let wish = if mono { ChannelWish::Mono } else { ChannelWish::Stereo };
            if let Ok(speaker) = SbcCapabilities::from_octets(&own)
                && let Ok(params) = select(&speaker, &others, wish)
            {
                let octets = configuration(&params, &speaker);
                prop_assert_eq!(octets[0] & own[0], octets[0]);
                prop_assert_eq!(octets[1] & own[1], octets[1]);
                prop_assert!(octets[3] <= own[3] && octets[2] <= octets[3]);
                prop_assert_eq!(configured(&octets), Ok(params));
            }
        }
    }
}
