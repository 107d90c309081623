//! The SBC encoder before strangers: writes streams of every configuration, and music and sweeps,
//! for the independent `scripts/check_sbc.py`, which has libsbc and ffmpeg decode them and libsbc
//! encode the same.
//!
//! `cargo run -p antiphon-codec --example cross_check_sbc -- scripts/check_sbc.py [--full]`
//!
//! `--full` takes every bitpool of every configuration; otherwise it is a spread with both ends.

use std::error::Error;
use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::Command;

use antiphon_base::SampleRate;
use antiphon_codec::sbc::{SbcAllocation, SbcEncoder, SbcMode, SbcParams};

const RATES: [u32; 4] = [16_000, 32_000, 44_100, 48_000];
const BLOCKS: [u8; 4] = [4, 8, 12, 16];
const MODES: [(SbcMode, &str); 4] = [
    (SbcMode::Mono, "mono"),
    (SbcMode::DualChannel, "dual"),
    (SbcMode::Stereo, "stereo"),
    (SbcMode::JointStereo, "joint"),
];
const ALLOCATIONS: [(SbcAllocation, &str); 2] =
    [(SbcAllocation::Loudness, "loudness"), (SbcAllocation::Snr, "snr")];
/// Of which each configuration takes what it can have, and its largest.
const SPREAD: [u8; 12] = [2, 3, 7, 15, 19, 29, 31, 35, 51, 53, 97, 201];
/// What the quality is compared at: low, the recommended ones, high.
const QUALITY: [u8; 5] = [12, 19, 31, 53, 110];
/// Frames of each bitpool in a stream.
const FRAMES: usize = 3;
const SECONDS: f64 = 1.0;

#[expect(dead_code, reason = "only samples are wanted here")]
#[path = "../tests/sbc/decoder.rs"]
mod decoder;

type Failed = Box<dyn Error>;
type Signal = fn(f64, f64) -> [f64; 2];

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let script = arguments.next().ok_or("usage: cross_check_sbc PATH/TO/check_sbc.py [--full]")?;
    let full = arguments.next().as_deref() == Some("--full");
    let dir = tempfile::tempdir()?;
    streams(&dir.path().join("streams"), full)?;
    quality(&dir.path().join("quality"))?;
    let done = Command::new("scripts/python").arg(script).arg(dir.path()).status()?;
    if done.success() { Ok(()) } else { Err("SBC is not as others read or write it".into()) }
}

/// One file for each configuration, with frames of many bitpools one after the other; and what a
/// decoder made from the standard's formulas hears of it, as 16-bit samples.
fn streams(dir: &Path, full: bool) -> Result<(), Failed> {
    fs::create_dir_all(dir)?;
    for hz in RATES {
        let signal = [sampled(music, hz, 1), sampled(music, hz, 2)];
        for ((blocks, subbands), (mode, mode_name)) in sizes().flat_map(|size| MODES.map(|mode| (size, mode)))
        {
            for (allocation, allocation_name) in ALLOCATIONS {
                let of = |bitpool| params(hz, mode, blocks, subbands, allocation, bitpool);
                let most = of(2)?.max_bitpool();
                let mut stream = Vec::new();
                for pool in (2..=most).filter(|pool| full || *pool == most || SPREAD.contains(pool)) {
                    let samples = &signal[usize::from(mode.channels()) - 1];
                    // Another place of the music for each.
                    let skip = usize::from(pool) * 60 * usize::from(mode.channels());
                    encode(of(pool)?, &samples[skip..], FRAMES, &mut stream)?;
                }
                let name = format!("{hz}_{mode_name}_{blocks}_{subbands}_{allocation_name}");
                fs::write(dir.join(format!("{name}.s16")), by_the_book(&stream)?)?;
                fs::write(dir.join(format!("{name}.sbc")), stream)?;
            }
        }
    }
    Ok(())
}

fn by_the_book(stream: &[u8]) -> Result<Vec<u8>, Failed> {
    let (mut decoder, mut at, mut bytes) = (decoder::Decoder::new(), 0, Vec::new());
    while at < stream.len() {
        let frame = decoder.decode(&stream[at..])?;
        for n in 0..frame.samples[0].len() {
            for channel in &frame.samples {
                // Out of range, it becomes the nearest in range.
                bytes.extend(((channel[n] * 32_768.0).round() as i16).to_le_bytes());
            }
        }
        at += frame.length;
    }
    Ok(bytes)
}

fn sizes() -> impl Iterator<Item = (u8, u8)> {
    BLOCKS.into_iter().flat_map(|blocks| [(blocks, 4), (blocks, 8)])
}

/// Signals as 16-bit samples, and what the encoder makes of them.
fn quality(dir: &Path) -> Result<(), Failed> {
    fs::create_dir_all(dir)?;
    let signals: [(&str, Signal); 2] = [("music", music), ("sweep", sweep)];
    for ((name, signal), hz) in signals.into_iter().flat_map(|signal| RATES.map(|hz| (signal, hz))) {
        for channels in [1, 2] {
            let samples = sampled(signal, hz, channels);
            let bytes: Vec<u8> = samples.iter().flat_map(|x| ((x * 32_768.0) as i16).to_le_bytes()).collect();
            fs::write(dir.join(format!("{name}_{hz}_{channels}.s16")), bytes)?;
            let modes = MODES.into_iter().filter(|(mode, _)| usize::from(mode.channels()) == channels);
            for (mode, mode_name) in modes {
                for (subbands, (allocation, allocation_name)) in
                    [4, 8].into_iter().flat_map(|subbands| ALLOCATIONS.map(|kind| (subbands, kind)))
                {
                    for (blocks, bitpool) in compared(hz, mode, subbands) {
                        let params = params(hz, mode, blocks, subbands, allocation, bitpool)?;
                        let mut stream = Vec::new();
                        encode(params, &samples, usize::MAX, &mut stream)?;
                        let name = format!(
                            "{name}_{hz}_{mode_name}_{blocks}_{subbands}_{allocation_name}_{bitpool}.sbc"
                        );
                        fs::write(dir.join(name), stream)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The blocks and bitpools at which quality is compared: all bitpools at the rates that speakers
/// use, and the short frames at one.
fn compared(hz: u32, mode: SbcMode, subbands: u8) -> Vec<(u8, u8)> {
    let most =
        if mode.channels() == 1 || mode == SbcMode::DualChannel { 16 } else { 32 } * u32::from(subbands);
    let pools = QUALITY.into_iter().filter(|pool| u32::from(*pool) <= most);
    match hz {
        48_000 => pools.map(|pool| (16, pool)).chain([(4, 31), (8, 31), (12, 31)]).collect(),
        44_100 => pools.map(|pool| (16, pool)).collect(),
        _ => vec![(16, 31)],
    }
}

fn params(
    hz: u32,
    mode: SbcMode,
    blocks: u8,
    subbands: u8,
    allocation: SbcAllocation,
    bitpool: u8,
) -> Result<SbcParams, Failed> {
    let rate = SampleRate::new(hz).ok_or("no such rate")?;
    Ok(SbcParams::new(rate, mode, blocks, subbands, allocation, bitpool)?)
}

/// At most `frames` frames of `samples`, after silence.
fn encode(params: SbcParams, samples: &[f32], frames: usize, out: &mut Vec<u8>) -> Result<(), Failed> {
    let mut encoder = SbcEncoder::new(params);
    let length = params.frame_samples() * usize::from(params.mode().channels());
    for frame in samples.chunks_exact(length).take(frames) {
        encoder.encode(frame, out)?;
    }
    Ok(())
}

/// A signal as a 16-bit file would hold it, so that another encoder gets the very same.
fn sampled(signal: Signal, hz: u32, channels: usize) -> Vec<f32> {
    let frames = (SECONDS * f64::from(hz)) as usize;
    let at = |n: usize| signal(n as f64 / f64::from(hz), f64::from(hz));
    let grid = |x: f64| ((x * 32_767.0).round() / 32_768.0) as f32;
    (0..frames).flat_map(|n| at(n).into_iter().take(channels).map(grid)).collect()
}

/// A bar of a band: chords with overtones to the left, a lead to the right, bass and drums in the
/// middle.
fn music(seconds: f64, hz: f64) -> [f64; 2] {
    const CHORDS: [[f64; 3]; 3] = [[220.0, 261.6, 329.6], [174.6, 220.0, 261.6], [196.0, 246.9, 293.7]];
    const LEAD: [f64; 6] = [659.3, 587.3, 523.3, 880.0, 784.0, 987.8];
    let chord = CHORDS[(seconds * 2.0) as usize % 3];
    let beat = |length: f64| (seconds % length, (-6.0 * (seconds % length)).exp());
    let partials = |pitch: f64, fall: f64| -> f64 {
        let count = (0.45 * hz / pitch).min(24.0) as i32;
        (1..=count).map(|k| (TAU * pitch * f64::from(k) * seconds).sin() * f64::from(k).powf(-fall)).sum()
    };
    let pad: f64 = chord.iter().map(|pitch| partials(*pitch, 1.3)).sum();
    let lead = partials(LEAD[(seconds * 4.0) as usize % 6] * (1.0 + 2e-4 * (TAU * 5.0 * seconds).sin()), 1.6);
    let bass = partials(chord[0] / 4.0, 1.8);
    let (since, fade) = beat(0.5);
    let kick = (TAU * (50.0 * since + 3.0 * (1.0 - (-30.0 * since).exp()))).sin() * fade;
    let hat = noise((seconds * hz) as u64) * beat(0.25).1.powi(5);
    let (lead, middle) = (0.12 * lead * beat(0.25).1, 0.16 * bass + 0.25 * kick);
    [0.05 * pad + 0.3 * lead + middle + 0.12 * hat, 0.025 * pad + lead + middle + 0.07 * hat]
}

/// A logarithmic sweep up on the left and down on the right.
fn sweep(seconds: f64, hz: f64) -> [f64; 2] {
    let (low, high) = (20.0_f64, 0.46 * hz);
    let octaves = (high / low).ln();
    let phase = |t: f64| TAU * low * SECONDS / octaves * ((t / SECONDS * octaves).exp() - 1.0);
    [0.7 * phase(seconds).sin(), 0.5 * phase(SECONDS - seconds).sin()]
}

/// White, the same for the same place.
fn noise(place: u64) -> f64 {
    let mut x = place.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}
