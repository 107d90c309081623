//! What a sampled sound is between its samples: a Kaiser-windowed sinc, tabled.

/// Taps on each side.
pub const HALF: usize = 24;
/// Places between two samples for which the taps are tabled; between those a straight line.
const PHASES: usize = 512;
/// Kaiser shape: 90 dB.
const BETA: f64 = 9.0;

/// Reads between samples; clean up to 18 kHz at 48 kHz.
#[derive(Debug, Clone)]
pub struct Between {
    rows: Vec<[f32; 2 * HALF]>,
}

impl Default for Between {
    fn default() -> Self {
        Self::new()
    }
}

impl Between {
    /// Makes the table.
    pub fn new() -> Self {
        let row = |phase: usize| {
            std::array::from_fn(|tap| {
                let distance = tap as f64 + 1.0 - HALF as f64 - phase as f64 / PHASES as f64;
                (sinc(distance) * kaiser(distance / HALF as f64)) as f32
            })
        };
        Self { rows: (0..=PHASES).map(row).collect() }
    }

    /// The sound at `position`, in frames of `samples`. All taps must be inside: `position` is at least
    /// `HALF - 1` and at least `HALF + 1` before the end.
    ///
    /// # Panics
    /// Where they are not.
    pub fn at(&self, samples: &[f32], position: f64) -> f32 {
        let whole = position as usize;
        let phase = (position - whole as f64) * PHASES as f64;
        let (row, part) = (phase as usize, phase.fract() as f32);
        let window = &samples[whole + 1 - HALF..whole + 1 + HALF];
        let taps = self.rows[row].iter().zip(&self.rows[row + 1]);
        window.iter().zip(taps).map(|(x, (a, b))| x * (a + (b - a) * part)).sum()
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

fn kaiser(x: f64) -> f64 {
    let bessel_i0 = |x: f64| {
        let (mut sum, mut term) = (1.0, 1.0);
        for k in 1..40 {
            term *= (x / (2.0 * f64::from(k))).powi(2);
            sum += term;
        }
        sum
    };
    bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(BETA)
}
