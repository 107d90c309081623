//! Samples as sound cards take them.

use ::alsa::pcm::Format;

/// How a card writes a sample. Best first: what loses nothing of a rendered one, then what loses least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// Float.
    F32,
    /// 32 bits.
    S32,
    /// 24 bits in the lower three bytes of four.
    S24,
    /// 24 bits in three bytes.
    S24Packed,
    /// 16 bits.
    S16,
}

impl Sample {
    /// All, best first.
    pub const ALL: [Self; 5] = [Self::F32, Self::S32, Self::S24, Self::S24Packed, Self::S16];

    /// Its name in ALSA.
    pub fn format(self) -> Format {
        match self {
            Self::F32 => Format::FloatLE,
            Self::S32 => Format::S32LE,
            Self::S24 => Format::S24LE,
            Self::S24Packed => Format::S243LE,
            Self::S16 => Format::S16LE,
        }
    }

    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::S32 | Self::S24 => 4,
            Self::S24Packed => 3,
            Self::S16 => 2,
        }
    }

    /// Writes all of `samples`; `out` has room for them. What is louder than full scale is cut there, and what is no
    /// number is silence.
    pub fn write(self, samples: &[f32], out: &mut [u8]) {
        for (sample, bytes) in samples.iter().zip(out.chunks_exact_mut(self.bytes())) {
            let scaled = |full: f64| (f64::from(*sample) * full).round().clamp(-full, full - 1.0) as i32;
            match self {
                Self::F32 => bytes.copy_from_slice(&sample.to_le_bytes()),
                Self::S32 => bytes.copy_from_slice(&scaled(2_147_483_648.0).to_le_bytes()),
                Self::S24 => bytes.copy_from_slice(&scaled(8_388_608.0).to_le_bytes()),
                Self::S24Packed => bytes.copy_from_slice(&scaled(8_388_608.0).to_le_bytes()[..3]),
                Self::S16 => bytes.copy_from_slice(&scaled(32_768.0).to_le_bytes()[..2]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reverse of [`write`](Sample::write).
    fn read(sample: Sample, bytes: &[u8]) -> Vec<f32> {
        let whole = |b: &[u8]| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0;
        let one = |b: &[u8]| match sample {
            Sample::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Sample::S32 => whole(b),
            Sample::S24 | Sample::S24Packed => whole(&[0, b[0], b[1], b[2]]),
            Sample::S16 => f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
        };
        bytes.chunks_exact(sample.bytes()).map(one).collect()
    }

    #[test]
    fn what_is_written_is_read_to_within_the_formats_own_step() {
        let samples = [0.0, 0.5, -0.5, -1.0, 0.999, 0.123_456_7];
        for (sample, step) in [
            (Sample::F32, 0.0),
            (Sample::S32, 1e-7),
            (Sample::S24, 2e-7),
            (Sample::S24Packed, 2e-7),
            (Sample::S16, 1.6e-5),
        ] {
            let mut bytes = vec![0; samples.len() * sample.bytes()];
            sample.write(&samples, &mut bytes);
            let back = read(sample, &bytes);
            for (was, is) in samples.iter().zip(&back) {
                assert!((was - is).abs() <= step, "{sample:?}: {was} became {is}");
            }
        }
    }

    #[test]
    fn what_is_too_loud_is_cut_and_what_is_no_number_is_silence() {
        for sample in [Sample::S32, Sample::S24, Sample::S24Packed, Sample::S16] {
            let mut bytes = vec![0; 3 * sample.bytes()];
            sample.write(&[7.0, -7.0, f32::NAN], &mut bytes);
            let back = read(sample, &bytes);
            assert!(back[0] > 0.999 && back[1] == -1.0 && back[2] == 0.0, "{sample:?}: {back:?}");
        }
    }

    #[test]
    fn a_sample_of_24_bits_fills_its_fourth_byte_with_its_sign() {
        let mut bytes = [0; 4];
        Sample::S24.write(&[-0.5], &mut bytes);
        assert_eq!(i32::from_le_bytes(bytes), -4_194_304);
    }
}
