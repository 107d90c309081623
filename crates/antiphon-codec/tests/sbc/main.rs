//! What the SBC encoder writes is what a decoder made from the standard reads, and sounds like what
//! went in.

mod decoder;

use std::f32::consts::TAU;

use antiphon_base::SampleRate;
use antiphon_codec::sbc::{SbcAllocation, SbcEncoder, SbcLengthError, SbcMode, SbcParams};
use decoder::{Decoder, Frame};
use proptest::prelude::*;

const MODES: [SbcMode; 4] = [SbcMode::Mono, SbcMode::DualChannel, SbcMode::Stereo, SbcMode::JointStereo];
const ALLOCATIONS: [SbcAllocation; 2] = [SbcAllocation::Loudness, SbcAllocation::Snr];

fn params(
    hz: u32,
    mode: SbcMode,
    blocks: u8,
    subbands: u8,
    allocation: SbcAllocation,
    bitpool: u8,
) -> SbcParams {
    SbcParams::new(SampleRate::new(hz).unwrap(), mode, blocks, subbands, allocation, bitpool).unwrap()
}

/// 16 blocks of 8 subbands at 44.1 kHz by loudness.
fn usual(mode: SbcMode, bitpool: u8) -> SbcParams {
    params(44_100, mode, 16, 8, SbcAllocation::Loudness, bitpool)
}

/// A configuration with the largest bitpool of its mode.
fn finest(mode: SbcMode, subbands: u8) -> SbcParams {
    let least = params(48_000, mode, 16, subbands, SbcAllocation::Snr, 2);
    params(48_000, mode, 16, subbands, SbcAllocation::Snr, least.max_bitpool())
}

fn every_configuration() -> impl Iterator<Item = SbcParams> {
    let sizes = [4, 8, 12, 16].into_iter().flat_map(|blocks| [(blocks, 4), (blocks, 8)]);
    let kinds = sizes.flat_map(|size| MODES.map(|mode| (size, mode)));
    kinds.flat_map(|((blocks, subbands), mode)| {
        ALLOCATIONS.into_iter().flat_map(move |allocation| {
            let of = move |hz, bitpool| params(hz, mode, blocks, subbands, allocation, bitpool);
            let pools = [2, 3, 5, 11, 19, 31, 35, 53, 64, 97, 128, 201, 250];
            [16_000, 32_000, 44_100, 48_000].into_iter().flat_map(move |hz| {
                let most = of(hz, 2).max_bitpool();
                pools.into_iter().filter(move |pool| *pool <= most).map(move |pool| of(hz, pool))
            })
        })
    })
}

/// Chords that swell, with overtones and a little noise; the channels have most in common.
fn music(frames: usize, channels: usize, hz: u32) -> Vec<f32> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / 2_147_483_648.0 - 1.0
    };
    let mut samples = Vec::new();
    for i in 0..frames {
        let seconds = i as f32 / hz as f32;
        let swell = 0.6 + 0.4 * (TAU * 3.0 * seconds).sin();
        let tone = |pitch: f32| {
            (1..8).map(|k| (TAU * (pitch * k as f32 * seconds).fract()).sin() / (k * k) as f32).sum::<f32>()
        };
        let (middle, side) = (tone(220.0) + tone(277.2), tone(659.3));
        for channel in 0..channels {
            let place = if channel == 0 { 0.5 } else { -0.4 };
            samples.push(0.2 * swell * (middle + place * side) + 0.002 * noise());
        }
    }
    samples
}

/// What a decoder hears of `samples`, and its frames.
fn heard(params: SbcParams, samples: &[f32]) -> (Vec<Vec<f64>>, Vec<Frame>) {
    let channels = usize::from(params.mode().channels());
    let (mut encoder, mut decoder) = (SbcEncoder::new(params), Decoder::new());
    let mut out = vec![Vec::new(); channels];
    let mut frames = Vec::new();
    for samples in samples.chunks_exact(params.frame_samples() * channels) {
        let mut bytes = Vec::new();
        encoder.encode(samples, &mut bytes).unwrap();
        let frame = decoder.decode(&bytes).unwrap_or_else(|why| panic!("{why} {params:?}"));
        assert_eq!((frame.length, bytes.len()), (params.frame_bytes(), params.frame_bytes()), "{params:?}");
        assert_eq!(SbcParams::from_header(bytes[..3].try_into().unwrap()), Ok(params));
        out.iter_mut().zip(&frame.samples).for_each(|(out, new)| out.extend(new));
        frames.push(frame);
    }
    (out, frames)
}

/// Signal to noise in dB of one channel of `samples` against `heard`, `delay` frames later.
fn snr_at(samples: &[f32], channels: usize, channel: usize, heard: &[f64], delay: usize) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (sample, heard) in samples.iter().skip(channel).step_by(channels).zip(&heard[delay..]) {
        signal += f64::from(*sample).powi(2);
        noise += (heard - f64::from(*sample)).powi(2);
    }
    10.0 * (signal / noise).log10()
}

/// The worse channel's.
fn snr(params: SbcParams, samples: &[f32]) -> f64 {
    let (out, _) = heard(params, samples);
    let delay = params.delay().0 as usize;
    let of = |channel: usize| snr_at(samples, out.len(), channel, &out[channel], delay);
    (0..out.len()).map(of).fold(f64::INFINITY, f64::min)
}

#[test]
fn every_configuration_is_read_by_a_decoder_made_from_the_standard() {
    let mut count = 0;
    for params in every_configuration() {
        let channels = usize::from(params.mode().channels());
        let samples = music(3 * params.frame_samples(), channels, params.rate().hz());
        heard(params, &samples);
        count += 1;
    }
    assert_eq!(count, 4 * 2 * 4 * (2 * (9 + 11) + 2 * (11 + 13)));
}

#[test]
fn the_finest_configurations_are_as_good_as_the_filterbank() {
    // The standard's filterbanks do not reconstruct perfectly, that of 4 subbands less so.
    for mode in MODES {
        for subbands in [4, 8] {
            let samples = music(16_384, mode.channels().into(), 48_000);
            let got = snr(finest(mode, subbands), &samples);
            let least = if subbands == 4 { 64.0 } else { 70.0 };
            assert!(got > least, "{mode:?} {subbands}: {got:.1} dB");
        }
    }
}

#[test]
fn the_usual_configurations_are_as_good_as_they_are_said_to_be() {
    for (mode, bitpool, least) in
        [(SbcMode::Mono, 31, 30.0), (SbcMode::JointStereo, 53, 30.0), (SbcMode::JointStereo, 35, 22.0)]
    {
        let samples = music(44_100, mode.channels().into(), 44_100);
        let got = snr(usual(mode, bitpool), &samples);
        assert!(got > least, "{mode:?} {bitpool}: {got:.1} dB");
    }
}

#[test]
fn more_bits_are_never_much_worse() {
    let samples = music(22_050, 2, 44_100);
    let mut before = 0.0;
    for bitpool in (10..=250).step_by(20) {
        let got = snr(usual(SbcMode::JointStereo, bitpool), &samples);
        assert!(got > before - 0.5, "{bitpool}: {got:.1} dB after {before:.1}");
        before = got;
    }
}

#[test]
fn a_sample_comes_out_after_the_delay_that_is_stated() {
    for subbands in [4, 8] {
        let params = finest(SbcMode::Mono, subbands);
        let samples = music(8_192, 1, 48_000);
        let (out, _) = heard(params, &samples);
        let best = (0..200).max_by(|a, b| {
            snr_at(&samples, 1, 0, &out[0], *a).total_cmp(&snr_at(&samples, 1, 0, &out[0], *b))
        });
        assert_eq!(best, Some(params.delay().0 as usize), "{subbands} subbands");
    }
}

#[test]
fn the_same_in_both_channels_costs_joint_stereo_one_channel() {
    let mono = music(44_032, 1, 44_100);
    let both: Vec<f32> = mono.iter().flat_map(|x| [*x, *x]).collect();
    let (out, frames) = heard(usual(SbcMode::JointStereo, 53), &both);
    // The last subband is never joined, and may have other bits in the other channel.
    let apart = out[0].iter().zip(&out[1]).map(|(l, r)| (l - r).abs()).fold(0.0, f64::max);
    assert!(apart < 0.01, "{apart}");
    let joined = frames.iter().filter(|frame| frame.joint[0] && !frame.joint[7]).count();
    assert_eq!(joined, frames.len());
    let (joint, apart) =
        (snr(usual(SbcMode::JointStereo, 53), &both), snr(usual(SbcMode::Stereo, 53), &both));
    assert!(joint > apart + 10.0, "joint {joint:.1} dB, apart {apart:.1} dB");
}

#[test]
fn channels_of_opposite_sign_are_joined_too() {
    let both: Vec<f32> = music(8_192, 1, 44_100).iter().flat_map(|x| [*x, -*x]).collect();
    let (joint, apart) =
        (snr(usual(SbcMode::JointStereo, 53), &both), snr(usual(SbcMode::Stereo, 53), &both));
    assert!(joint > apart + 10.0, "joint {joint:.1} dB, apart {apart:.1} dB");
}

#[test]
fn channels_that_have_nothing_in_common_stay_apart() {
    let (left, right) = (music(8_192, 1, 44_100), music(8_192, 2, 30_000));
    let both: Vec<f32> = left.iter().zip(&right).flat_map(|(l, r)| [*l, 0.1 * r]).collect();
    let (_, frames) = heard(usual(SbcMode::JointStereo, 53), &both);
    let joined = frames.iter().flat_map(|frame| &frame.joint).filter(|joint| **joint).count();
    assert!(joined * 10 < frames.len() * 8, "{joined} of {}", frames.len() * 8);
}

#[test]
fn silence_is_silence() {
    for params in every_configuration().step_by(7) {
        let channels = usize::from(params.mode().channels());
        let (out, _) = heard(params, &vec![0.0; 4 * params.frame_samples() * channels]);
        assert!(out.iter().flatten().all(|x| *x == 0.0), "{params:?}");
    }
}

#[test]
fn full_scale_square_waves_are_not_clipped_by_the_codec() {
    for mode in MODES {
        for subbands in [4, 8] {
            for period in [2, 3, 7, 16, 50, 441] {
                let wave = |n: usize| if n % period < period.div_ceil(2) { 1.0 } else { -1.0 };
                let channels = usize::from(mode.channels());
                let samples: Vec<f32> = (0..4_096 * channels).map(|n| wave(n / channels)).collect();
                let params = finest(mode, subbands);
                let got = snr(params, &samples[..]);
                // From silence to full scale within one sample is in it too.
                assert!(got > 45.0, "{mode:?} {subbands} {period}: {got:.1} dB");
            }
        }
    }
}

#[test]
fn what_is_no_sound_is_coded_as_the_sound_that_it_stands_for() {
    let params = usual(SbcMode::Mono, 31);
    let code = |samples: &[f32]| {
        let (mut encoder, mut out) = (SbcEncoder::new(params), Vec::new());
        samples.chunks_exact(128).for_each(|frame| encoder.encode(frame, &mut out).unwrap());
        out
    };
    let mut clean = music(1_280, 1, 44_100);
    let mut dirty = clean.clone();
    for (i, (odd, plain)) in
        [(f32::NAN, 0.0), (f32::INFINITY, 1.0), (-9.0, -1.0), (1e-41, 0.0), (-f32::MIN_POSITIVE, 0.0)]
            .into_iter()
            .enumerate()
    {
        (dirty[200 + 31 * i], clean[200 + 31 * i]) = (odd, plain);
    }
    assert_eq!(code(&dirty), code(&clean));
    assert_eq!(code(&[1e-42; 256]), code(&[0.0; 256]));
}

#[test]
fn after_a_reset_an_encoder_is_as_new() {
    let params = usual(SbcMode::Stereo, 40);
    let samples = music(1_280, 2, 44_100);
    let (mut encoder, mut first, mut again) = (SbcEncoder::new(params), Vec::new(), Vec::new());
    samples.chunks_exact(256).for_each(|frame| encoder.encode(frame, &mut first).unwrap());
    encoder.reset();
    samples.chunks_exact(256).for_each(|frame| encoder.encode(frame, &mut again).unwrap());
    assert_eq!(first, again);
}

#[test]
fn a_frame_of_the_wrong_length_is_refused_and_leaves_no_trace() {
    let params = usual(SbcMode::JointStereo, 53);
    let samples = music(256, 2, 44_100);
    let (mut encoder, mut plain, mut out) = (SbcEncoder::new(params), Vec::new(), Vec::new());
    samples.chunks_exact(256).for_each(|frame| encoder.encode(frame, &mut plain).unwrap());
    let mut encoder = SbcEncoder::new(params);
    for frame in samples.chunks_exact(256) {
        for given in [0, 1, 128, 255] {
            let refused = encoder.encode(&frame[..given], &mut out);
            assert_eq!(refused, Err(SbcLengthError { given, wanted: 256 }));
        }
        encoder.encode(frame, &mut out).unwrap();
    }
    assert_eq!(out, plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any configuration, any samples, also absurd ones.
    #[test]
    fn any_samples_make_frames_that_can_be_read(
        which in any::<prop::sample::Index>(),
        seed in prop::collection::vec(any::<f32>(), 1..600),
    ) {
        let all: Vec<SbcParams> = every_configuration().collect();
        let params = all[which.index(all.len())];
        let length = 3 * params.frame_samples() * usize::from(params.mode().channels());
        let samples: Vec<f32> = seed.iter().copied().cycle().take(length).collect();
        let (out, _) = heard(params, &samples);
        prop_assert!(out.iter().flatten().all(|x| x.is_finite() && x.abs() < 4.0));
    }
}
