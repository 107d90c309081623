//! Ways to spoil a recording, one function each.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use crate::room::{Dice, RATE, at_speed, filtered, pink};

/// Louder by `db`, and cut off at full scale.
pub fn clipped(samples: &[f32], db: f32) -> Vec<f32> {
    let gain = 10f32.powf(db / 20.0);
    samples.iter().map(|x| (x * gain).clamp(-1.0, 1.0)).collect()
}

/// 300 Hz to 3.4 kHz and eight bits by the mu-law.
pub fn telephone(samples: &[f32]) -> Vec<f32> {
    let law = |x: f64| {
        let y = (1.0 + 255.0 * x.abs().min(1.0)).ln() / 256f64.ln();
        let y = (y * 127.0).round() / 127.0;
        x.signum() * (256f64.powf(y) - 1.0) / 255.0
    };
    let narrow = band(samples, 300.0, 3_400.0);
    band(&narrow.iter().map(|&x| law(f64::from(x)) as f32).collect::<Vec<_>>(), 200.0, 3_600.0)
}

/// Nothing outside of the band.
pub fn band(samples: &[f32], low_hz: f64, high_hz: f64) -> Vec<f32> {
    let size = samples.len().next_power_of_two();
    let hz = |bin: usize| bin as f64 * RATE as f64 / size as f64;
    let inside = |bin: usize| Complex::from(f64::from(u8::from((low_hz..high_hz).contains(&hz(bin)))));
    let wide: Vec<f64> = samples.iter().map(|&x| f64::from(x)).collect();
    filtered(&wide, size, inside)[..samples.len()].iter().map(|&x| x as f32).collect()
}

/// A microphone mode for speech: band to 7.8 kHz, what is steady is noise and is subtracted (its
/// estimate follows the quietest and rises by 6 dB a second), and a gain control after it.
pub fn speech_mode(samples: &[f32]) -> Vec<f32> {
    gain_control(&suppressed(&band(samples, 100.0, 7_800.0)), 0.05, 1.0)
}

/// Spectral subtraction.
pub fn suppressed(samples: &[f32]) -> Vec<f32> {
    const FRAMES: usize = 1_024;
    const STEP: usize = 256;
    let rise = 10f64.powf(0.6 * STEP as f64 / RATE as f64);
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(FRAMES), planner.plan_fft_inverse(FRAMES));
    let window = |n: usize| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / FRAMES as f64).cos();
    let mut noise = vec![f64::NAN; FRAMES / 2 + 1];
    let mut smooth = noise.clone();
    let mut out = vec![0.0f32; samples.len()];
    for first in (0..samples.len().saturating_sub(FRAMES)).step_by(STEP) {
        let mut frame: Vec<f64> = (0..FRAMES).map(|n| f64::from(samples[first + n]) * window(n)).collect();
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut frame, &mut spectrum).unwrap();
        for ((x, noise), smooth) in spectrum.iter_mut().zip(&mut noise).zip(&mut smooth) {
            let power = x.norm_sqr();
            *smooth = if smooth.is_nan() { power } else { 0.8 * *smooth + 0.2 * power };
            *noise = if noise.is_nan() { *smooth } else { smooth.min(noise.max(1e-9) * rise) };
            *x *= (1.0 - 1.5 * *noise / power.max(1e-12)).max(0.1);
        }
        inverse.process(&mut spectrum, &mut frame).unwrap();
        let scale = 1.0 / (1.5 * FRAMES as f64);
        frame.iter().enumerate().for_each(|(n, x)| out[first + n] += (x * window(n) * scale) as f32);
    }
    out
}

/// Towards -18 dBFS, at most 30 dB of gain, without an end to the scale, faster down (`attack_s`) than up (`release_s`).
pub fn gain_control(samples: &[f32], attack_s: f64, release_s: f64) -> Vec<f32> {
    let mut level = 1e-6;
    let block = |piece: &[f32]| -> Vec<f32> {
        let now =
            (piece.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / piece.len() as f64).sqrt() + 1e-9;
        let time = if now > level { attack_s } else { release_s };
        level += (now - level) * (1.0 - (-0.01 / time).exp());
        let gain = (0.125 / level).min(31.6);
        piece.iter().map(|&x| (f64::from(x) * gain) as f32).collect()
    };
    samples.chunks(480).flat_map(block).collect()
}

/// A gap without sound that takes no time away.
pub fn muted(samples: &[f32], from_s: f64, length_s: f64) -> Vec<f32> {
    let gone = (from_s * RATE as f64) as usize..((from_s + length_s) * RATE as f64) as usize;
    samples.iter().enumerate().map(|(n, x)| if gone.contains(&n) { 0.0 } else { *x }).collect()
}

/// A piece cut out.
pub fn without(samples: &[f32], from_s: f64, length_s: f64) -> Vec<f32> {
    let (from, length) = ((from_s * RATE as f64) as usize, (length_s * RATE as f64) as usize);
    [&samples[..from], &samples[from + length..]].concat()
}

/// What came before `at_s` once more, so much of it.
pub fn repeated(samples: &[f32], at_s: f64, length_s: f64) -> Vec<f32> {
    let (at, length) = ((at_s * RATE as f64) as usize, (length_s * RATE as f64) as usize);
    [&samples[..at], &samples[at - length..]].concat()
}

/// Played this many times as fast.
pub fn faster(samples: &[f32], speed: f64) -> Vec<f32> {
    let wide: Vec<f64> = samples.iter().map(|&x| f64::from(x)).collect();
    at_speed(&wide, speed).iter().map(|&x| x as f32).collect()
}

/// As 16 bits hold it, quieter by `db`.
pub fn faint(samples: &[f32], db: f32) -> Vec<f32> {
    let gain = 10f32.powf(-db / 20.0);
    samples.iter().map(|x| (x * gain * 32_768.0).round() / 32_768.0).collect()
}

/// Twelve seconds of chords and drums: something with a beat that repeats itself exactly.
pub fn music() -> Vec<f32> {
    let beat = |n: usize| n % 24_000;
    let tone = |n: usize| {
        let root = [220.0, 261.6, 196.0, 246.9][n / 96_000 % 4];
        let t = n as f64 / RATE as f64;
        let fade = (-(beat(n) as f64) / 9_000.0).exp();
        [1.0, 1.25, 1.5, 2.0, 3.0]
            .iter()
            .map(|k| (std::f64::consts::TAU * root * k * t).sin() * fade / (k * 6.0))
            .sum::<f64>()
    };
    let mut dice = Dice(5);
    let drum = (0..24_000).map(|n| dice.normal() * (-(n as f64) / 1_500.0).exp() * 0.2).collect::<Vec<f64>>();
    (0..12 * RATE).map(|n| (tone(n) + drum[beat(n)]) as f32).collect()
}

/// Twelve seconds of noise with the band and the syllables of speech.
pub fn speech() -> Vec<f32> {
    let syllables = |n: usize| {
        let t = n as f64 / RATE as f64;
        (std::f64::consts::TAU * 3.7 * t).sin().max(0.0) * (std::f64::consts::TAU * 0.31 * t).cos().abs()
    };
    let noise: Vec<f32> = pink(&mut Dice(9)).take(12 * RATE).map(|x| (x * 0.2) as f32).collect();
    let noise = band(&noise, 150.0, 6_000.0);
    noise.iter().enumerate().map(|(n, x)| x * syllables(n) as f32).collect()
}
