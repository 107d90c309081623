//! How loud it is.

/// Peak and mean power of the samples since the last reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    peak: f32,
    power: f64,
    samples: u64,
}

impl Meter {
    pub(crate) fn add(&mut self, sample: f32) {
        self.peak = self.peak.max(sample.abs());
        self.power += f64::from(sample * sample);
        self.samples += 1;
    }

    /// (peak, root mean square), and begins again.
    pub(crate) fn take(&mut self) -> (f32, f32) {
        let Self { peak, power, samples } = std::mem::take(self);
        (peak, (power / samples.max(1) as f64).sqrt() as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_wave_reads_its_height_twice() {
        let mut meter = Meter::default();
        for n in 0..100 {
            meter.add(if n % 2 == 0 { 0.25 } else { -0.25 });
        }
        assert_eq!(meter.take(), (0.25, 0.25));
        assert_eq!(meter.take(), (0.0, 0.0));
    }
}
