//! What one impulse response says beside its delay: level, magnitude over frequency, reflections.

use realfft::num_complex::Complex;

use super::excitation::{BAND_HZ, Excitation};
use super::impulse::{Deconvolver, bin};
use super::measurement::{Echo, ResponsePoint};

/// Twelve points to the octave.
const POINTS_PER_OCTAVE: f64 = 12.0;
/// Each point is the mean power over this many octaves.
const WIDTH_OCTAVES: f64 = 1.0 / 6.0;
/// The response is stated against its mean over this band.
const REFERENCE_HZ: (f64, f64) = (500.0, 8_000.0);
/// The direct sound, in frames before and after the arrival: 1 and 2.5 ms.
const DIRECT: (usize, usize) = (48, 120);
/// Reflections are looked for up to 100 ms after the arrival.
const ECHO_END: usize = 4_800;
/// A reflection below this against the direct sound is not reported.
const ECHO_DB: f64 = -12.0;
/// It must be this much above the mean of the sound around it.
const PROMINENT: f64 = 3.0;
const MAX_ECHOES: usize = 12;

/// Mean square of a channel with this response in the recording, at full level.
pub(crate) fn power(deconvolver: &Deconvolver, channel: usize, response: &[Complex<f64>]) -> f64 {
    let sound = deconvolver.sound(channel, response);
    2.0 * sound.iter().map(Complex::norm_sqr).sum::<f64>() / (Excitation::PERIOD as f64).powi(2)
}

/// Mean square of noise with this power in every bin of a period, within the band of the signal.
pub(crate) fn noise_power(bins: &[f64]) -> f64 {
    let band = bins.iter().take(bin(BAND_HZ.end)).skip(bin(BAND_HZ.start));
    2.0 * band.sum::<f64>() / (Excitation::PERIOD as f64).powi(2)
}

/// Magnitude over frequency; `noise` is the power of the mean's noise, bin by bin.
pub(crate) fn magnitude(
    deconvolver: &Deconvolver,
    channel: usize,
    response: &[Complex<f64>],
    noise: &[f64],
) -> Vec<ResponsePoint> {
    let sound = deconvolver.sound(channel, response);
    let mean = |from: f64, to: f64, value: &dyn Fn(usize) -> f64| -> f64 {
        let bins = bin(from)..bin(to).max(bin(from) + 1);
        let count = bins.len() as f64;
        bins.map(value).sum::<f64>() / count
    };
    let gain = |i: usize| response[i].norm_sqr();
    let reference = mean(REFERENCE_HZ.0, REFERENCE_HZ.1, &gain).max(f64::MIN_POSITIVE);
    let octaves = (BAND_HZ.end / BAND_HZ.start).log2();
    let half = 2f64.powf(WIDTH_OCTAVES / 2.0);
    let point = |i: usize| {
        let hz = BAND_HZ.start * 2f64.powf((i as f64 + 2.0) / POINTS_PER_OCTAVE);
        let (from, to) = (hz / half, hz * half);
        let heard = mean(from, to, &|i| sound[i].norm_sqr());
        let hidden = mean(from, to, &|i| noise.get(i).copied().unwrap_or(0.0)).max(1e-30);
        let db = 10.0 * (mean(from, to, &gain).max(1e-30) / reference).log10();
        ResponsePoint { hz, db, snr_db: 10.0 * (heard.max(1e-30) / hidden).log10() }
    };
    (0..(octaves * POINTS_PER_OCTAVE) as usize - 3).map(point).collect()
}

/// Energy of the direct sound against all that follows it, in decibels; `noise` is the standard
/// deviation of a sample.
pub(crate) fn direct_to_reverb_db(impulse: &[f64], first: usize, noise: f64) -> f64 {
    let n = impulse.len();
    let energy = |range: std::ops::Range<usize>| -> f64 {
        let count = range.len() as f64;
        let sum: f64 = range.map(|i| impulse[(first + n + i - DIRECT.0) % n].powi(2)).sum();
        (sum - count * noise * noise).max(1e-20)
    };
    let direct = energy(0..DIRECT.0 + DIRECT.1);
    let after = energy(DIRECT.0 + DIRECT.1..DIRECT.0 + 24_000);
    10.0 * (direct / after).log10()
}

/// Later arrivals that stand out, the earliest first.
pub(crate) fn echoes(impulse: &[f64], first: usize, noise: f64) -> Vec<Echo> {
    let n = impulse.len();
    let size = |i: usize| impulse[(first + i) % n].abs();
    let direct = size(0).max(f64::MIN_POSITIVE);
    let around = |i: usize| {
        let sum: f64 = (i.saturating_sub(96)..i + 96).map(|k| size(k) * size(k)).sum();
        (sum / 192.0).sqrt()
    };
    let floor = (direct * 10f64.powf(ECHO_DB / 20.0)).max(5.0 * noise);
    let stands_out = |i: &usize| {
        let i = *i;
        let top = (i - 24..=i + 24).all(|k| size(k) <= size(i));
        size(i) > floor && top && size(i) > PROMINENT * around(i)
    };
    let echo = |i: usize| Echo {
        after_us: i as f64 * 1e6 / Excitation::RATE_HZ,
        db: 20.0 * (size(i) / direct).log10(),
    };
    let mut found: Vec<Echo> = (DIRECT.1 / 2..ECHO_END).filter(stands_out).map(echo).collect();
    found.sort_by(|a, b| b.db.total_cmp(&a.db));
    found.truncate(MAX_ECHOES);
    found.sort_by(|a, b| a.after_us.total_cmp(&b.after_us));
    found
}
