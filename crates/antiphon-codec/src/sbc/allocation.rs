//! How many bits each subband gets (A2DP 1.3, appendix B): exactly as decoders work it out for themselves.

use super::analysis::MAX_SUBBANDS;
use super::params::{SbcAllocation, SbcMode, SbcParams};
use super::tables::{LOUDNESS_OFFSETS_4, LOUDNESS_OFFSETS_8};

/// A number for each channel and subband; what is not used stays 0.
pub(super) type PerSubband = [[u8; MAX_SUBBANDS]; 2];

/// The most bits of one subband sample.
const MOST: i32 = 16;
/// No need is smaller: what a silent subband has when bits are given by loudness.
const LEAST_NEED: i32 = -5;

/// The bits of every channel and subband, from the scale factors that are in the frame.
///
/// What shares a bitpool gets the whole of it.
pub(super) fn bits(params: &SbcParams, scale_factors: &PerSubband) -> PerSubband {
    let subbands = usize::from(params.subbands());
    let bitpool = i32::from(params.bitpool());
    let mut needs = [[0; MAX_SUBBANDS]; 2];
    for (needs, factors) in needs.iter_mut().zip(scale_factors) {
        for (i, (need, factor)) in needs.iter_mut().zip(factors).enumerate().take(subbands) {
            *need = need_of(params, i, i32::from(*factor));
        }
    }
    let mut bits = [[0; MAX_SUBBANDS]; 2];
    match params.mode() {
        SbcMode::Mono | SbcMode::DualChannel => {
            for (needs, bits) in needs.iter().zip(&mut bits).take(usize::from(params.mode().channels())) {
                share(&needs[..subbands], bitpool, &mut bits[..subbands]);
            }
        }
        SbcMode::Stereo | SbcMode::JointStereo => {
            let (mut both, mut shares) = ([0; 2 * MAX_SUBBANDS], [0; 2 * MAX_SUBBANDS]);
            // The subbands of both channels take turns.
            let turns = |n: usize| (n % 2, n / 2);
            for (n, need) in both.iter_mut().enumerate() {
                *need = needs[turns(n).0][turns(n).1];
            }
            share(&both[..2 * subbands], bitpool, &mut shares[..2 * subbands]);
            for (n, share) in shares.iter().enumerate() {
                bits[turns(n).0][turns(n).1] = *share;
            }
        }
    }
    bits
}

fn need_of(params: &SbcParams, subband: usize, factor: i32) -> i32 {
    if params.allocation() == SbcAllocation::Snr {
        return factor;
    }
    if factor == 0 {
        return LEAST_NEED;
    }
    let rate = usize::from(params.rate_code());
    let offset = match params.subbands() {
        8 => LOUDNESS_OFFSETS_8[rate][subband],
        _ => LOUDNESS_OFFSETS_4[rate][subband],
    };
    let loudness = factor - offset;
    if loudness > 0 { loudness / 2 } else { loudness }
}

/// Shares `bitpool` out by `needs`. As if water rose: a need that sticks out of the level by one gets
/// 2 bits, each further step one more; the lowest level that the pool allows is taken, and what is
/// left goes to the first who can use it.
fn share(needs: &[i32], bitpool: i32, bits: &mut [u8]) {
    let highest = needs.iter().copied().fold(0, i32::max);
    let (mut level, mut used) = (highest, 0);
    // Below the lowest level of all everyone has the most that there is.
    for lower in (LEAST_NEED - MOST..highest).rev() {
        let total = needs.iter().map(|need| above(*need, lower)).sum::<i32>();
        if total > bitpool {
            break;
        }
        (level, used) = (lower, total);
        if total == bitpool {
            break;
        }
    }
    for (bits, need) in bits.iter_mut().zip(needs) {
        *bits = above(*need, level) as u8;
    }
    let mut left = bitpool - used;
    for (bits, need) in bits.iter_mut().zip(needs) {
        if left > 0 && (2..MOST as u8).contains(bits) {
            *bits += 1;
            left -= 1;
        } else if left > 1 && *need == level {
            *bits = 2;
            left -= 2;
        }
    }
    for bits in bits.iter_mut().filter(|bits| i32::from(**bits) < MOST) {
        if left > 0 {
            *bits += 1;
            left -= 1;
        }
    }
}

/// The bits of a need above a level.
fn above(need: i32, level: i32) -> i32 {
    let steps = need - level;
    if steps < 1 { 0 } else { (steps + 1).min(MOST) }
}

#[cfg(test)]
mod tests {
    use antiphon_base::SampleRate;
    use proptest::prelude::*;

    use super::*;

    fn any_params() -> impl Strategy<Value = SbcParams> {
        let rate = prop::sample::select(vec![16_000, 32_000, 44_100, 48_000]);
        let mode = prop::sample::select(vec![
            SbcMode::Mono,
            SbcMode::DualChannel,
            SbcMode::Stereo,
            SbcMode::JointStereo,
        ]);
        let allocation = prop::sample::select(vec![SbcAllocation::Loudness, SbcAllocation::Snr]);
        let sizes = (prop::sample::select(vec![4_u8, 8, 12, 16]), prop::sample::select(vec![4_u8, 8]));
        (rate, mode, allocation, sizes, 2_u8..=250).prop_filter_map(
            "a bitpool within the mode's",
            |(rate, mode, allocation, (blocks, subbands), bitpool)| {
                SbcParams::new(SampleRate::new(rate)?, mode, blocks, subbands, allocation, bitpool).ok()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_bitpool_is_used_whole_and_never_exceeded(
            params in any_params(),
            factors in prop::array::uniform2(prop::array::uniform8(0_u8..16)),
        ) {
            let bits = bits(&params, &factors);
            let of = |channel: usize| bits[channel].iter().map(|b| u32::from(*b)).sum::<u32>();
            let pool = u32::from(params.bitpool());
            match params.mode() {
                SbcMode::Mono => prop_assert_eq!((of(0), of(1)), (pool, 0)),
                SbcMode::DualChannel => prop_assert_eq!((of(0), of(1)), (pool, pool)),
                _ => prop_assert_eq!(of(0) + of(1), pool),
            }
            prop_assert!(bits.iter().flatten().all(|b| *b <= 16));
            let unused = bits.iter().flat_map(|b| &b[usize::from(params.subbands())..]);
            prop_assert!(unused.into_iter().all(|b| *b == 0));
        }
    }
}
