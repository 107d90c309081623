//! What follows the images: noise that dies away in octave bands.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::RATE;
use super::geometry::RoomSpec;
use super::images::Response;
use super::loudspeaker::Loudspeaker;
use super::spectrum::{BANDS, CENTRES_HZ, band_weights};
use crate::rng::Rng;

/// The images' power is taken from this stretch before they give way.
const LOOK_BACK: usize = 2_400;

/// Continues `response` where its images fade: in each band at the power they have there.
pub fn extend(response: &mut Response, room: &RoomSpec, loudspeaker: &Loudspeaker, index: u64) {
    let mut rng = Rng::new(room.seed ^ 0x7a11).fork(index ^ loudspeaker.place_m[1].to_bits());
    let begin = response.join;
    let frames = response.samples.len().saturating_sub(begin);
    let noise: Vec<f32> = (0..frames).map(|_| rng.normal(1.0) as f32).collect();
    let before: Vec<f32> = response.samples[begin.saturating_sub(LOOK_BACK)..begin].to_vec();
    let (noise, before) = (in_bands(&noise), in_bands(&before));
    for (band, rt60_s) in room.rt60_s().into_iter().enumerate() {
        let step = 1e-3f64.powf(1.0 / (rt60_s * RATE));
        let level = level_at_end(&before[band], step) / level_at_end(&noise[band], 1.0).max(1e-9);
        let mut gain = level;
        for (n, (sample, noise)) in response.samples[begin..].iter_mut().zip(&noise[band]).enumerate() {
            let x = (n as f64 / response.fade as f64).min(1.0);
            *sample += (f64::from(*noise) * gain * (x * std::f64::consts::FRAC_PI_2).sin()) as f32;
            gain *= step;
        }
    }
}

/// RMS that a stretch which dies by `step` in a sample has at its end.
fn level_at_end(samples: &[f32], step: f64) -> f64 {
    let mut gain = 1.0;
    let mut sum = 0.0;
    for &x in samples.iter().rev() {
        sum += (f64::from(x) * gain).powi(2);
        gain *= step;
    }
    (sum / samples.len().max(1) as f64).sqrt()
}

/// The samples, shared out over the octave bands; together they are what they were above 125 Hz. Images all push
/// the same way: the pressure that they pile up below the lowest octave is no sound, and no tail continues it.
fn in_bands(samples: &[f32]) -> [Vec<f32>; BANDS] {
    let n = (2 * samples.len()).next_power_of_two().max(2);
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let mut padded = samples.to_vec();
    padded.resize(n, 0.0);
    let mut spectrum = forward.make_output_vec();
    forward.process(&mut padded, &mut spectrum).expect("both have the planned lengths");
    let weights: Vec<_> = (0..spectrum.len()).map(|bin| tail_weights(bin as f64 * RATE / n as f64)).collect();
    std::array::from_fn(|band| {
        let mut part: Vec<Complex<f32>> =
            spectrum.iter().zip(&weights).map(|(x, w)| x * (w[band] / n as f64) as f32).collect();
        inverse.process(&mut part, &mut padded).expect("both have the planned lengths");
        padded[..samples.len()].to_vec()
    })
}

fn tail_weights(hz: f64) -> [f64; BANDS] {
    let below = (1.0 + (hz.max(1.0) / CENTRES_HZ[0]).log2()).clamp(0.0, 1.0);
    band_weights(hz).map(|weight| weight * below)
}
