//! Frames of both streams on the programme's clock, as spectra.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::tape::Tape;

/// Frames of one window at 48 kHz: 341 ms, longer than most of what a room adds.
pub(super) const WINDOW: usize = 16_384;
/// Windows begin as far apart: half a Hann window.
pub(super) const HOP: usize = WINDOW / 2;
pub(super) const RATE_HZ: f64 = 48_000.0;
/// The lowest bin used: 300 Hz. Below it rooms and small speakers say little.
pub(super) const FIRST_BIN: usize = bin(300);
/// One after the highest bin used: 8 kHz. Above it a phase turns within a few microseconds.
pub(super) const END_BIN: usize = bin(8_000);
pub(super) const BINS: usize = END_BIN - FIRST_BIN;

const fn bin(hz: usize) -> usize {
    hz * WINDOW / 48_000
}

pub(super) type Spectrum = Vec<Complex<f64>>;

/// Angular frequency of a used bin, in radians a microsecond.
pub(super) fn omega(index: usize) -> f64 {
    std::f64::consts::TAU * hz(index) * 1e-6
}

/// Frequency of a used bin.
pub(super) fn hz(index: usize) -> f64 {
    (index + FIRST_BIN) as f64 * RATE_HZ / WINDOW as f64
}

/// Delays a spectrum of used bins by `us`.
pub(super) fn delayed(spectrum: &mut [Complex<f64>], us: f64) {
    let turn = Complex::from_polar(1.0, -(omega(1) - omega(0)) * us);
    let mut phase = Complex::from_polar(1.0, -omega(0) * us);
    for x in spectrum {
        *x *= phase;
        phase *= turn;
    }
}

/// Windows and transforms.
pub(super) struct Analyser {
    window: Vec<f64>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    between: Between,
}

impl std::fmt::Debug for Analyser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyser").finish_non_exhaustive()
    }
}

impl Analyser {
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let hann = |n: usize| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / WINDOW as f64).cos();
        Self {
            window: (0..WINDOW).map(hann).collect(),
            forward: planner.plan_fft_forward(WINDOW),
            inverse: planner.plan_fft_inverse(WINDOW),
            between: Between::new(),
        }
    }

    /// The used bins of the window that begins at `place`.
    pub(super) fn programme(&self, tape: &Tape, place: i64) -> Spectrum {
        self.transform((0..WINDOW as i64).map(|n| tape.at(place + n)))
    }

    /// The used bins of the microphone's window whose middle lies at `middle`, read with `step`
    /// microphone frames for each of the programme's.
    pub(super) fn microphone(&self, tape: &Tape, middle: f64, step: f64) -> Spectrum {
        let from = middle - step * (WINDOW / 2) as f64;
        self.transform((0..WINDOW).map(|n| self.between.at(tape, from + step * n as f64)))
    }

    fn transform(&self, samples: impl Iterator<Item = f64>) -> Spectrum {
        let mut input: Vec<f64> = samples.zip(&self.window).map(|(x, w)| x * w).collect();
        let mut output = self.forward.make_output_vec();
        self.forward.process(&mut input, &mut output).expect("both have the planned lengths");
        output[FIRST_BIN..END_BIN].to_vec()
    }

    /// A spectrum of used bins as a function of time: index 0 is time 0, negative times at the end.
    pub(super) fn in_time(&self, spectrum: &[Complex<f64>]) -> Vec<f64> {
        let mut input = self.inverse.make_input_vec();
        input[FIRST_BIN..END_BIN].copy_from_slice(spectrum);
        let mut output = self.inverse.make_output_vec();
        self.inverse.process(&mut input, &mut output).expect("both have the planned lengths");
        output
    }
}

/// The value between samples: a Kaiser-windowed sinc of 16 taps, clean below 8 kHz at 48 kHz.
struct Between {
    table: Vec<[f64; TAPS]>,
}

const TAPS: usize = 16;
/// A hundredth of a microsecond each is far below what a window of music can tell.
const PHASES: usize = 1_024;

impl Between {
    fn new() -> Self {
        Self { table: (0..=PHASES).map(|p| taps(p as f64 / PHASES as f64)).collect() }
    }

    fn at(&self, tape: &Tape, place: f64) -> f64 {
        let whole = place.floor();
        let phase = ((place - whole) * PHASES as f64).round() as usize;
        let first = whole as i64 - (TAPS as i64 / 2 - 1);
        let taps = self.table[phase.min(PHASES)].iter();
        taps.zip(first..).map(|(w, p)| w * tape.at(p)).sum()
    }
}

/// Weights of the samples around a point that lies `fraction` after one.
fn taps(fraction: f64) -> [f64; TAPS] {
    let half = (TAPS / 2) as f64;
    std::array::from_fn(|k| {
        let x = k as f64 - (half - 1.0) - fraction;
        let sinc =
            if x.abs() < 1e-12 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
        let u = (x / half).clamp(-1.0, 1.0);
        // A cosine-squared window would do; the fourth root of it keeps more of the band.
        sinc * (std::f64::consts::FRAC_PI_2 * u).cos().powf(1.2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_below_8_khz_read_between_its_samples_is_the_tone() {
        let between = Between::new();
        for hz in [300.0, 3_000.0, 8_000.0] {
            let tone = |t: f64| (t * hz * std::f64::consts::TAU / RATE_HZ).sin();
            let mut tape = Tape::new(2_000);
            (0..2_000).for_each(|n| tape.push(tone(f64::from(n)) as f32));
            let worst = (0..1_000)
                .map(|n| 300.37 + f64::from(n) * 1.0001)
                .map(|place| (between.at(&tape, place) - tone(place)).abs())
                .fold(0.0, f64::max);
            assert!(worst < 5e-3, "{hz} Hz: {worst}");
        }
    }

    #[test]
    fn a_spectrum_that_is_delayed_is_heard_later() {
        let analyser = Analyser::new();
        let mut spectrum = vec![Complex::new(1.0, 0.0); BINS];
        delayed(&mut spectrum, 10.0 / 0.048);
        let time = analyser.in_time(&spectrum);
        let peak = (0..time.len()).max_by(|&a, &b| time[a].total_cmp(&time[b]));
        assert_eq!(peak, Some(10));
    }
}
