//! The value of a sampled signal between its samples: a Kaiser-windowed sinc of 64 taps.
//!
//! Flat to 20 kHz at 48 kHz and about 100 dB clean: enough to listen by. Spread is measured on the
//! recordings' own samples and never goes through here at the media rate.

/// Taps on each side of the point.
const HALF: isize = 32;
/// Kaiser shape: 100 dB of stop band.
const BETA: f64 = 10.0;

/// `frames` samples, the n-th being `samples` at `position(n)`; silence outside.
pub(crate) fn resampled(samples: &[f32], frames: usize, position: impl Fn(usize) -> f64) -> Vec<f32> {
    let kaiser = Kaiser::new();
    (0..frames).map(|n| kaiser.at(samples, position(n)) as f32).collect()
}

/// The window, tabled finely: its own error is far below its side lobes.
struct Kaiser {
    table: Vec<f64>,
}

const STEPS_PER_TAP: usize = 256;

impl Kaiser {
    fn new() -> Self {
        let last = HALF as usize * STEPS_PER_TAP;
        let value = |i: usize| {
            let x = i as f64 / last as f64;
            bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(BETA)
        };
        Self { table: (0..=last + 1).map(|i| value(i.min(last))).collect() }
    }

    fn weight(&self, distance: f64) -> f64 {
        let x = distance.abs() * STEPS_PER_TAP as f64;
        let i = (x as usize).min(self.table.len() - 2);
        self.table[i] + (self.table[i + 1] - self.table[i]) * (x - i as f64)
    }

    fn at(&self, samples: &[f32], position: f64) -> f64 {
        let whole = position.floor();
        let fraction = position - whole;
        let base = whole as isize;
        if fraction < 1e-9 {
            return sample(samples, base);
        }
        // sin(pi (fraction - k)) only changes its sign from tap to tap.
        let sine = (std::f64::consts::PI * fraction).sin() / std::f64::consts::PI;
        (1 - HALF..=HALF)
            .map(|k| {
                let distance = fraction - k as f64;
                let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
                sample(samples, base + k) * sign * sine / distance * self.weight(distance)
            })
            .sum()
    }
}

fn sample(samples: &[f32], index: isize) -> f64 {
    usize::try_from(index).ok().and_then(|i| samples.get(i)).map_or(0.0, |&s| f64::from(s))
}

fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_read_between_its_samples_is_the_tone() {
        for hz in [100.0, 5_000.0, 15_000.0] {
            let tone = |t: f64| (t * hz * std::f64::consts::TAU / 48_000.0).sin();
            let samples: Vec<f32> = (0..2_000).map(|n| tone(n as f64) as f32).collect();
            let out = resampled(&samples, 1_000, |n| 500.37 + n as f64 * 1.000_05);
            let worst = (0..1_000)
                .map(|n| (f64::from(out[n]) - tone(500.37 + n as f64 * 1.000_05)).abs())
                .fold(0.0, f64::max);
            assert!(worst < 3e-5, "{hz} Hz: {worst}");
        }
    }
}
