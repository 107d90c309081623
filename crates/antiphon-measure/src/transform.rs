//! Real Fourier transforms that own their plan: what goes in is silence-padded, what comes out is scaled.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// One length of real Fourier transform, forward and back.
#[derive(Clone)]
pub(crate) struct Transform {
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Transform {
    pub(crate) fn new(planner: &mut RealFftPlanner<f64>, frames: usize) -> Self {
        Self { forward: planner.plan_fft_forward(frames), inverse: planner.plan_fft_inverse(frames) }
    }

    /// A transform of its own.
    pub(crate) fn of(frames: usize) -> Self {
        Self::new(&mut RealFftPlanner::new(), frames)
    }

    /// The spectrum of `samples`, followed by silence up to the transform's length.
    pub(crate) fn forward(&self, samples: impl Iterator<Item = f64>) -> Vec<Complex<f64>> {
        let mut input: Vec<f64> = samples.collect();
        input.resize(self.forward.len(), 0.0);
        let mut output = self.forward.make_output_vec();
        self.forward.process(&mut input, &mut output).expect("both have the planned lengths");
        output
    }

    /// The samples of `spectrum`.
    pub(crate) fn inverse(&self, mut spectrum: Vec<Complex<f64>>) -> Vec<f64> {
        // A real signal has real ends; rounding may have left dust there.
        spectrum[0].im = 0.0;
        if let Some(last) = spectrum.last_mut() {
            last.im = 0.0;
        }
        let mut output = self.inverse.make_output_vec();
        self.inverse.process(&mut spectrum, &mut output).expect("both have the planned lengths");
        let scale = 1.0 / output.len() as f64;
        output.iter_mut().for_each(|x| *x *= scale);
        output
    }
}
