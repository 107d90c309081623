//! Distortion and noise of a recorded tone.
//!
//! As AES17 does it: the tone is taken out by a notch of Q = 3 (the narrowest that the standard
//! allows), what remains up to 20 kHz is compared with the whole. Beside it the strict figure, with
//! nothing taken out but the tone's own line (five bins on each side under a window whose side lobes
//! are below -200 dB): it also counts what a wide notch hides, the sidebands of a resampler whose
//! ratio is restless.

use realfft::RealFftPlanner;

/// Upper end of the band, in hertz.
const BAND_HZ: std::ops::Range<f64> = 20.0..20_000.0;
/// Quality factor of the notch.
const NOTCH_Q: f64 = 3.0;
/// Kaiser shape: side lobes below -200 dB.
const BETA: f64 = 24.0;
/// Half width of a line under this window, in bins.
const LINE_BINS: f64 = 9.0;
/// Fewer frames than this do not resolve the line from the band's lower end.
pub const MIN_FRAMES: usize = 16_384;

/// What a recorded tone is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distortion {
    /// Frequency of the loudest line, in hertz.
    pub frequency_hz: f64,
    /// Its amplitude relative to a full-scale sine, in dB.
    pub level_dbfs: f64,
    /// THD+N through the notch, in dB relative to everything in the band.
    pub thd_n_db: f64,
    /// THD+N with nothing but the line taken out: never better than the figure above.
    pub strict_db: f64,
}

/// Analyses `samples` (mono, full scale +-1.0) at `rate_hz`. `None` if there are fewer than
/// [`MIN_FRAMES`] or no tone between 20 Hz and 20 kHz.
pub fn analyse(samples: &[f32], rate_hz: f64) -> Option<Distortion> {
    if samples.len() < MIN_FRAMES {
        return None;
    }
    let spectrum = power_spectrum(samples);
    let hz = rate_hz / samples.len() as f64;
    let band = (BAND_HZ.start / hz) as usize..((BAND_HZ.end / hz) as usize + 1).min(spectrum.len());
    let peak = band.clone().max_by(|&a, &b| spectrum[a].total_cmp(&spectrum[b]))?;
    let line = (peak as f64 - LINE_BINS, peak as f64 + LINE_BINS);
    let in_line = |bin: usize| (bin as f64) >= line.0 && (bin as f64) <= line.1;
    let tone: f64 = band.clone().filter(|&b| in_line(b)).map(|b| spectrum[b]).sum();
    let moment: f64 = band.clone().filter(|&b| in_line(b)).map(|b| b as f64 * spectrum[b]).sum();
    if tone < 1e-12 {
        return None;
    }
    let frequency_hz = moment / tone * hz;
    let rest = |weight: &dyn Fn(f64) -> f64| -> f64 {
        band.clone().filter(|&b| !in_line(b)).map(|b| spectrum[b] * weight(b as f64 * hz)).sum()
    };
    let whole = tone + rest(&|_| 1.0);
    let decibels = |power: f64| 10.0 * (power.max(1e-40) / whole).log10();
    Some(Distortion {
        frequency_hz,
        level_dbfs: 10.0 * (2.0 * tone).log10(),
        thd_n_db: decibels(rest(&|f| notch(f, frequency_hz))),
        strict_db: decibels(rest(&|_| 1.0)),
    })
}

/// Power passed at `f` by a second-order notch at `f0`.
fn notch(f: f64, f0: f64) -> f64 {
    let off = (f * f - f0 * f0).powi(2);
    off / (off + (f * f0 / NOTCH_Q).powi(2))
}

/// Mean power in each bin, so that a sine of amplitude 1 sums to 1/2 over its line.
fn power_spectrum(samples: &[f32]) -> Vec<f64> {
    let n = samples.len();
    let window = kaiser(n);
    let energy: f64 = window.iter().map(|w| w * w).sum();
    let mut input: Vec<f64> = samples.iter().zip(&window).map(|(&s, w)| f64::from(s) * w).collect();
    let transform = RealFftPlanner::new().plan_fft_forward(n);
    let mut output = transform.make_output_vec();
    transform.process(&mut input, &mut output).expect("both have the planned lengths");
    let scale = 2.0 / (energy * n as f64);
    output.iter().map(|x| x.norm_sqr() * scale).collect()
}

fn kaiser(n: usize) -> Vec<f64> {
    let middle = (n - 1) as f64 / 2.0;
    (0..n)
        .map(|i| {
            let x = (i as f64 - middle) / middle;
            bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(BETA)
        })
        .collect()
}

fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..120 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    fn tone(hz: f64, extra: impl Fn(f64) -> f64) -> Vec<f32> {
        (0..96_000)
            .map(|n| {
                let t = f64::from(n) / RATE;
                ((hz * std::f64::consts::TAU * t).sin() * 0.5 + extra(t)) as f32
            })
            .collect()
    }

    #[test]
    fn a_pure_tone_shows_only_the_rounding_of_its_samples() {
        for hz in [997.0, 15_000.0] {
            let d = analyse(&tone(hz, |_| 0.0), RATE).unwrap();
            assert!(d.thd_n_db < -140.0 && d.strict_db < -140.0, "{d:?}");
            assert!((d.frequency_hz - hz).abs() < 0.01 && (d.level_dbfs + 6.02).abs() < 0.01, "{d:?}");
        }
    }

    #[test]
    fn a_harmonic_of_a_ten_thousandth_reads_minus_80_db() {
        let d =
            analyse(&tone(997.0, |t| 0.5e-4 * (2_991.0 * std::f64::consts::TAU * t).sin()), RATE).unwrap();
        assert!((d.thd_n_db + 80.0).abs() < 0.7 && (d.strict_db + 80.0).abs() < 0.01, "{d:?}");
    }

    #[test]
    fn sidebands_close_to_the_tone_pass_the_notch_unseen_but_not_the_strict_figure() {
        let d = analyse(&tone(15_000.0, |t| 0.5e-4 * (15_020.0 * std::f64::consts::TAU * t).sin()), RATE)
            .unwrap();
        assert!((d.strict_db + 80.0).abs() < 0.1 && d.thd_n_db < -110.0, "{d:?}");
    }

    #[test]
    fn silence_has_no_tone() {
        assert_eq!(analyse(&[0.0; 20_000], RATE), None);
        assert_eq!(analyse(&[0.5; 100], RATE), None);
    }
}
