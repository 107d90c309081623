//! Second-order sections of a loudspeaker or a microphone (after R. Bristow-Johnson's "Audio EQ cookbook").

use realfft::num_complex::Complex;

use super::RATE;

/// `y = b0 x + b1 x' + b2 x'' - a1 y' - a2 y''` at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// Takes away what lies below.
    pub fn high_pass(hz: f64, q: f64) -> Self {
        let (cos, alpha) = angle(hz, q);
        let b = 0.5 * (1.0 + cos);
        Self::scaled([b, -2.0 * b, b], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// Takes away what lies above.
    pub fn low_pass(hz: f64, q: f64) -> Self {
        let (cos, alpha) = angle(hz, q);
        let b = 0.5 * (1.0 - cos);
        Self::scaled([b, 2.0 * b, b], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// A hill, or with negative `db` a dip.
    pub fn peaking(hz: f64, q: f64, db: f64) -> Self {
        let (cos, alpha) = angle(hz, q);
        let root = 10f64.powf(db / 40.0);
        Self::scaled(
            [1.0 + alpha * root, -2.0 * cos, 1.0 - alpha * root],
            [1.0 + alpha / root, -2.0 * cos, 1.0 - alpha / root],
        )
    }

    /// Delays what lies below more than what lies above: what a crossover between two drivers does.
    pub fn all_pass(hz: f64, q: f64) -> Self {
        let (cos, alpha) = angle(hz, q);
        Self::scaled([1.0 - alpha, -2.0 * cos, 1.0 + alpha], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    fn scaled(b: [f64; 3], a: [f64; 3]) -> Self {
        Self { b: b.map(|x| x / a[0]), a: [a[1] / a[0], a[2] / a[0]] }
    }

    /// Its response at a frequency.
    pub fn at(&self, hz: f64) -> Complex<f64> {
        let z = Complex::from_polar(1.0, -std::f64::consts::TAU * hz / RATE);
        let numerator = z * z * self.b[2] + z * self.b[1] + self.b[0];
        numerator / (z * z * self.a[1] + z * self.a[0] + 1.0)
    }

    /// Filters in place, from rest.
    pub fn process(&self, samples: &mut [f32]) {
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in samples {
            let x = f64::from(*sample);
            let y = self.b[0] * x + s1;
            s1 = self.b[1] * x - self.a[0] * y + s2;
            s2 = self.b[2] * x - self.a[1] * y;
            *sample = y as f32;
        }
    }
}

fn angle(hz: f64, q: f64) -> (f64, f64) {
    let w = std::f64::consts::TAU * hz / RATE;
    (w.cos(), w.sin() / (2.0 * q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_section_does_what_it_is_named_for() {
        let db = |section: Biquad, hz| 20.0 * section.at(hz).norm().log10();
        assert!((db(Biquad::high_pass(200.0, 0.707), 200.0) + 3.0).abs() < 0.1);
        assert!(db(Biquad::high_pass(200.0, 0.707), 20.0) < -35.0);
        assert!((db(Biquad::low_pass(12e3, 0.707), 12e3) + 3.0).abs() < 0.1);
        assert!((db(Biquad::peaking(3e3, 2.0, 5.0), 3e3) - 5.0).abs() < 1e-6);
        assert!(db(Biquad::all_pass(2e3, 0.707), 1_234.0).abs() < 1e-9);
    }

    #[test]
    fn its_response_is_the_spectrum_of_its_impulse() {
        let section = Biquad::peaking(3e3, 2.0, 5.0);
        let mut impulse = vec![0.0; 4_096];
        impulse[0] = 1.0;
        section.process(&mut impulse);
        let spectrum: Complex<f64> = impulse
            .iter()
            .enumerate()
            .map(|(n, &x)| {
                Complex::from_polar(f64::from(x), -std::f64::consts::TAU * 2_500.0 / RATE * n as f64)
            })
            .sum();
        assert!((spectrum - section.at(2_500.0)).norm() < 1e-5);
    }
}
