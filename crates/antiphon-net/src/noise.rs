//! Seeded randomness for the instruments. Not for keys.

/// A generator of repeatable noise: SplitMix64 (Steele, Lea, Flood 2014), the same for a seed on
/// every machine.
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 (included) to 1 (excluded).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `true` with `probability`.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = std::iter::repeat_with(draw).take(200_000).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn the_noises_have_the_moments_they_claim() {
        let mut noise = Noise::new(1);
        let near = |got: (f64, f64), want: (f64, f64)| {
            (got.0 - want.0).abs() < 0.01 && (got.1 - want.1).abs() < 0.01
        };
        assert!(near(moments(|| noise.normal()), (0.0, 1.0)));
        assert!(near(moments(|| noise.exponential()), (1.0, 1.0)));
        assert!(near(moments(|| noise.uniform()), (0.5, 1.0 / 12f64.sqrt())));
    }

    #[test]
    fn a_seed_repeats_its_sequence() {
        assert_eq!(Noise::new(7).bits(), Noise::new(7).bits());
        assert_ne!(Noise::new(7).bits(), Noise::new(8).bits());
    }
}
