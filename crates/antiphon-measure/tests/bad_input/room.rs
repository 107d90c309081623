//! A small room with two speakers and a microphone: enough for a recording of a phone on a table.

use std::f64::consts::TAU;

use antiphon_measure::lab::Excitation;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Frames a second.
pub const RATE: usize = 48_000;
/// Frames of the room's response: 0.35 s.
const RESPONSE: usize = 16_800;

/// Seeded numbers (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, sd 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }
}

/// The track with five rounds in place of eight: as good for all that is asked here, and faster.
pub fn track() -> Excitation {
    Excitation::new(2, 5).unwrap()
}

/// One loudspeaker as the microphone hears it.
#[derive(Clone, Copy)]
pub struct Speaker {
    /// How much of the left and of the right channel it plays.
    pub plays: [f64; 2],
    /// From the signal's frame 0 to its direct sound at the microphone.
    pub late_us: f64,
    /// How much faster than the other its clock runs.
    pub ppm: f64,
}

/// What is recorded.
#[derive(Clone)]
pub struct Scene {
    pub speakers: Vec<Speaker>,
    /// Of the microphone's clock.
    pub ppm: f64,
    /// Power of the noise (pink) against the signal's.
    pub noise_db: f64,
    /// Silence before and after the track.
    pub around_s: f64,
    /// Power of the recording while the signal is at its full level.
    pub level_dbfs: f64,
}

impl Scene {
    /// Left and right, 3.2 ms apart and equally loud, in a living room, recorded by a phone.
    pub fn honest() -> Self {
        let speaker = |plays, late_us| Speaker { plays, late_us, ppm: 0.0 };
        Self {
            speakers: vec![speaker([1.0, 0.0], 5_000.0), speaker([0.0, 1.055], 8_200.0)],
            ppm: 40.0,
            noise_db: -35.0,
            around_s: 0.8,
            level_dbfs: -20.0,
        }
    }

    /// The same room, heard by a microphone to which the speakers are later by this much.
    pub fn moved(&self, later_us: [f64; 2]) -> Self {
        let mut moved = self.clone();
        moved.speakers.iter_mut().zip(later_us).for_each(|(speaker, us)| speaker.late_us += us);
        moved
    }

    /// What the microphone's file holds.
    pub fn record(&self) -> Vec<f32> {
        let mut sound = self.sound();
        let full = track().full();
        let first = (self.around_s * RATE as f64) as usize + full.start;
        let power = power(&sound[first..first + full.len()]).sqrt();
        let noise = 10f64.powf(self.noise_db / 20.0) * power;
        sound.iter_mut().zip(pink(&mut Dice(77))).for_each(|(x, n)| *x += noise * n);
        let gain = 10f64.powf(self.level_dbfs / 20.0) / power;
        let sound: Vec<f64> = sound.iter().map(|x| x * gain).collect();
        at_speed(&sound, 1.0 + self.ppm * 1e-6).iter().map(|&x| x as f32).collect()
    }

    fn sound(&self) -> Vec<f64> {
        let signal = track();
        let mut track = vec![0.0f32; signal.frames() * 2];
        signal.render(0, &mut track);
        let around = (self.around_s * RATE as f64) as usize;
        let mut sum = vec![0.0; signal.frames() + 2 * around];
        for (n, speaker) in self.speakers.iter().enumerate() {
            let [left, right] = speaker.plays;
            let fed: Vec<f64> =
                track.chunks(2).map(|f| left * f64::from(f[0]) + right * f64::from(f[1])).collect();
            let heard =
                convolve(&at_speed(&fed, 1.0 / (1.0 - speaker.ppm * 1e-6)), &response(speaker, n as u64));
            sum[around..].iter_mut().zip(heard).for_each(|(sum, x)| *sum += x);
        }
        sum
    }
}

pub fn power(samples: &[f64]) -> f64 {
    samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64
}

/// Direct sound, some reflections, and a tail that falls by 60 dB in 0.35 s.
fn response(speaker: &Speaker, seed: u64) -> Vec<f64> {
    let mut dice = Dice(1_000 + seed);
    let mut samples = vec![0.0; RESPONSE];
    for (n, x) in samples.iter_mut().enumerate().skip(144) {
        *x = 0.035 * dice.normal() * (-6.9 * n as f64 / RESPONSE as f64).exp();
    }
    samples[0] = 1.0;
    for _ in 0..6 {
        samples[96 + (dice.unit() * 900.0) as usize] += 0.9 * dice.unit() - 0.45;
    }
    late(&samples, speaker.late_us * 1e-6 * RATE as f64)
}

/// Delayed by whole and broken frames.
fn late(samples: &[f64], frames: f64) -> Vec<f64> {
    let size = (samples.len() + frames.ceil() as usize + 512).next_power_of_two();
    let turn = |bin: usize| Complex::from_polar(1.0, -TAU * frames * bin as f64 / size as f64);
    filtered(samples, size, turn)
}

/// Every bin of a transform of `size` multiplied by what `with` says.
pub fn filtered(samples: &[f64], size: usize, with: impl Fn(usize) -> Complex<f64>) -> Vec<f64> {
    let mut planner = RealFftPlanner::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let mut padded = samples.to_vec();
    padded.resize(size, 0.0);
    let mut spectrum = forward.make_output_vec();
    forward.process(&mut padded, &mut spectrum).unwrap();
    spectrum.iter_mut().enumerate().for_each(|(bin, x)| *x *= with(bin) / size as f64);
    spectrum[0].im = 0.0;
    spectrum[size / 2].im = 0.0;
    inverse.process(&mut spectrum, &mut padded).unwrap();
    padded
}

fn convolve(samples: &[f64], response: &[f64]) -> Vec<f64> {
    let size = (samples.len() + response.len()).next_power_of_two();
    let mut planner = RealFftPlanner::new();
    let forward = planner.plan_fft_forward(size);
    let mut padded = response.to_vec();
    padded.resize(size, 0.0);
    let mut with = forward.make_output_vec();
    forward.process(&mut padded, &mut with).unwrap();
    filtered(samples, size, |bin| with[bin])
}

/// Read `speed` times as fast, by a windowed sinc of 32 taps.
pub fn at_speed(samples: &[f64], speed: f64) -> Vec<f64> {
    if speed == 1.0 {
        return samples.to_vec();
    }
    let tap = |at: f64, k: isize| {
        let x = at - k as f64;
        let window = (std::f64::consts::PI * x / 32.0).cos().powi(2);
        let sinc =
            if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
        samples.get(k as usize).map_or(0.0, |s| s * sinc * window)
    };
    let read = |n: usize| {
        let at = n as f64 * speed;
        let first = at.floor() as isize - 15;
        (first..first + 32).map(|k| tap(at, k)).sum()
    };
    (0..(samples.len() as f64 / speed) as usize).map(read).collect()
}

/// Pink noise of power 1 (Kellet's filter), without end.
pub fn pink(dice: &mut Dice) -> impl Iterator<Item = f64> {
    let mut b = [0.0f64; 3];
    std::iter::from_fn(move || {
        let white = dice.normal();
        b[0] = 0.997_65 * b[0] + white * 0.099_046;
        b[1] = 0.963_00 * b[1] + white * 0.296_516_4;
        b[2] = 0.570_00 * b[2] + white * 1.052_691_3;
        Some((b[0] + b[1] + b[2] + white * 0.1848) / 2.3)
    })
}
