//! How many times faster than real time the SBC encoder is on one core, best of several runs.
//!
//! `cargo run --release -p antiphon-codec --example sbc_speed`

use std::error::Error;
use std::time::Instant;

use antiphon_base::SampleRate;
use antiphon_codec::sbc::{SbcAllocation, SbcEncoder, SbcMode, SbcParams};

const RATE: u32 = 44_100;
const SECONDS: usize = 60;
const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let rate = SampleRate::new(RATE).ok_or("no such rate")?;
    for (name, mode, bitpool) in [("mono", SbcMode::Mono, 31), ("joint stereo", SbcMode::JointStereo, 53)] {
        let params = SbcParams::new(rate, mode, 16, 8, SbcAllocation::Loudness, bitpool)?;
        let times = (0..RUNS).map(|_| speed(params)).collect::<Result<Vec<_>, _>>()?;
        let best = times.iter().copied().fold(0.0, f64::max);
        println!("{name}, bitpool {bitpool}: {best:.0} times real time");
    }
    Ok(())
}

fn speed(params: SbcParams) -> Result<f64, Box<dyn Error>> {
    let frame = params.frame_samples() * usize::from(params.mode().channels());
    let samples = noise(64 * frame);
    let frames = SECONDS * RATE as usize / params.frame_samples();
    let (mut encoder, mut out) = (SbcEncoder::new(params), Vec::with_capacity(params.frame_bytes()));
    let (begin, mut sum) = (Instant::now(), 0);
    for samples in samples.chunks_exact(frame).cycle().take(frames) {
        out.clear();
        encoder.encode(samples, &mut out)?;
        sum += usize::from(out[3]);
    }
    let took = begin.elapsed().as_secs_f64();
    // What nobody uses, a compiler may leave out.
    std::hint::black_box(sum);
    Ok(SECONDS as f64 / took)
}

/// Noise that is louder in the bass, as music is.
fn noise(length: usize) -> Vec<f32> {
    let (mut state, mut low) = (1_u32, 0.0);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        low += 0.1 * (state as f32 / 2_147_483_648.0 - 1.0 - low);
        low
    };
    (0..length).map(|_| next()).collect()
}
