//! Writes a stereo WAV file of two pure tones, one a channel: what a bench plays to measure distortion.
//!
//! `cargo run -p antiphon-measure --example tones -- OUT.wav SECONDS LEFT_HZ RIGHT_HZ`

use std::error::Error;
use std::f64::consts::TAU;
use std::path::Path;

use antiphon_base::SampleRate;
use antiphon_measure::recording::{Wav, write_wav};

/// -1 dBFS, as AES17 measures: full scale would clip between samples.
const AMPLITUDE: f64 = 0.891_250_938;
/// The tones come and go in this time, so that their ends do not click.
const FADE_S: f64 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, seconds, left, right] = args.as_slice() else {
        return Err("usage: tones OUT.wav SECONDS LEFT_HZ RIGHT_HZ".into());
    };
    let (seconds, left, right): (f64, f64, f64) = (seconds.parse()?, left.parse()?, right.parse()?);
    let rate = SampleRate::MEDIA;
    let sample = |n: u64, hz: f64| {
        let at = n as f64 / f64::from(rate.hz());
        let fade = (at.min(seconds - at) / FADE_S).clamp(0.0, 1.0);
        (AMPLITUDE * fade * (TAU * hz * at).sin()) as f32
    };
    let frames = (seconds * f64::from(rate.hz())) as u64;
    let samples = (0..frames).flat_map(|n| [sample(n, left), sample(n, right)]).collect();
    write_wav(Path::new(out), &Wav { rate, channels: 2, samples })?;
    Ok(())
}
