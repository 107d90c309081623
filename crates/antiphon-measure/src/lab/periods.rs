//! The recording cut into periods of the signal, and their mean.

use realfft::num_complex::Complex;

use super::excitation::Excitation;
use super::impulse::Deconvolver;

const PERIOD: usize = Excitation::PERIOD;
/// Bins on each side over which the noise's power is smoothed: 47 Hz.
const SMOOTH: usize = 64;

/// One spectrum of a period.
pub(crate) type Spectrum = Vec<Complex<f64>>;

/// The mean of some periods, and how they differ.
pub(crate) struct Mean {
    /// Its spectrum.
    pub(crate) spectrum: Spectrum,
    /// Power of the noise in the mean, bin by bin; `None` with a single period.
    pub(crate) noise: Option<Vec<f64>>,
    /// As many periods of equal noise would average as well.
    pub(crate) averages: f64,
}

/// Spectra of `count` periods of `samples` from frame `begin` on; silence outside.
pub(crate) fn cut(deconvolver: &Deconvolver, samples: &[f32], begin: isize, count: usize) -> Vec<Spectrum> {
    let sample =
        |i: isize| usize::try_from(i).ok().and_then(|i| samples.get(i)).map_or(0.0, |&x| f64::from(x));
    let one = |k: usize| {
        let first = begin + (k * PERIOD) as isize;
        deconvolver.transform().forward((0..PERIOD as isize).map(|n| sample(first + n)))
    };
    (0..count).map(one).collect()
}

/// The mean of periods, each divided by its gain. A period without gain is left out, one that differs
/// more from the mean than most counts less (a door fell shut in it).
pub(crate) fn mean(periods: &[Spectrum], gains: &[f64]) -> Mean {
    let first: Vec<f64> = gains.iter().map(|&g| if g > 0.0 { 1.0 } else { 0.0 }).collect();
    let even = weighted(periods, gains, &first);
    if first.iter().sum::<f64>() < 3.0 {
        return even;
    }
    let differs: Vec<f64> = periods
        .iter()
        .zip(gains)
        .map(|(p, &g)| p.iter().zip(&even.spectrum).map(|(x, m)| (x / g.max(1e-9) - m).norm_sqr()).sum())
        .collect();
    let mut usual: Vec<f64> =
        differs.iter().zip(&first).filter(|(_, used)| **used > 0.0).map(|(d, _)| *d).collect();
    let usual = median(&mut usual);
    let weights: Vec<f64> =
        differs.iter().zip(&first).map(|(d, used)| used * (usual / d.max(usual)).max(0.01)).collect();
    weighted(periods, gains, &weights)
}

fn weighted(periods: &[Spectrum], gains: &[f64], weights: &[f64]) -> Mean {
    let sum: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let averages = sum * sum / weights.iter().map(|w| w * w).sum::<f64>().max(f64::MIN_POSITIVE);
    let chosen: Vec<(&Spectrum, f64, f64)> = periods
        .iter()
        .zip(gains.iter().zip(weights))
        .filter(|(_, (_, w))| **w > 0.0)
        .map(|(p, (g, w))| (p, 1.0 / g, w / sum))
        .collect();
    let at = |i: usize| chosen.iter().map(|(p, scale, w)| p[i] * (scale * w)).sum::<Complex<f64>>();
    let spectrum: Spectrum = (0..=PERIOD / 2).map(at).collect();
    let noise = (chosen.len() > 1).then(|| {
        let spread = |i: usize| -> f64 {
            chosen.iter().map(|(p, scale, w)| w * (p[i] * scale - spectrum[i]).norm_sqr()).sum()
        };
        let power: Vec<f64> = (0..=PERIOD / 2).map(|i| spread(i) / (averages - 1.0).max(0.5)).collect();
        smoothed(&power, SMOOTH)
    });
    Mean { spectrum, noise, averages }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Mean over `half` values on each side.
pub(crate) fn smoothed(values: &[f64], half: usize) -> Vec<f64> {
    let mut sums = vec![0.0; values.len() + 1];
    for (i, x) in values.iter().enumerate() {
        sums[i + 1] = sums[i] + x;
    }
    let mean = |i: usize| {
        let (from, to) = (i.saturating_sub(half), (i + half + 1).min(values.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    (0..values.len()).map(mean).collect()
}
