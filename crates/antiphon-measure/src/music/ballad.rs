//! Harder music: what stands in the middle is the same on both sides, and a hall lies over all of it.

use super::{Dice, HARMONY, PER_BAR, RATE_HZ, SIXTEENTH, brush, burst, frequency, hum, pluck, strike, tail};

/// A ballad: voice, bass and drums in the middle, a harp half left, a marimba half right, and a wide
/// hall. About four fifths of the power are common to both channels, as in most recorded music.
/// `frames` frames, interleaved left and right at 48 kHz, peak below -3 dBFS.
pub fn ballad(frames: usize, seed: u64) -> Vec<f32> {
    mixed(frames, seed, 0.55)
}

/// The same, mixed for a single loudspeaker: the sides differ by a trace, 46 dB down. No microphone in
/// a room can tell which speaker is late.
pub fn nearly_mono(frames: usize, seed: u64) -> Vec<f32> {
    mixed(frames, seed, 0.004)
}

/// `width`: amplitude of what differs between the sides.
fn mixed(frames: usize, seed: u64, width: f64) -> Vec<f32> {
    let stems = Stems::played(frames, seed);
    let dry: Vec<f64> =
        (0..frames).map(|n| stems.middle[n] + 0.5 * (stems.harp[n] + stems.marimba[n])).collect();
    let halls = [HALL_LEFT, HALL_RIGHT].map(|lengths| hall(&dry, lengths));
    let side = |n: usize| 0.5 * (stems.harp[n] - stems.marimba[n]) + 0.5 * (halls[0][n] - halls[1][n]);
    let middle = |n: usize| dry[n] + 0.5 * (halls[0][n] + halls[1][n]);
    (0..frames)
        .flat_map(|n| [middle(n) + width * side(n), middle(n) - width * side(n)])
        .map(|x| (super::CEILING * (0.9 * x / super::CEILING).tanh()) as f32)
        .collect()
}

/// Who plays, each for itself.
struct Stems {
    middle: Vec<f64>,
    harp: Vec<f64>,
    marimba: Vec<f64>,
}

impl Stems {
    fn played(frames: usize, seed: u64) -> Self {
        let silence = || vec![0.0; frames];
        let mut stems = Self { middle: silence(), harp: silence(), marimba: silence() };
        for bar in 0..frames.div_ceil(PER_BAR * SIXTEENTH) {
            stems.play_bar(bar, seed);
        }
        stems
    }

    fn play_bar(&mut self, bar: usize, seed: u64) {
        let mut dice = Dice::new(seed ^ (bar as u64 + 77).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (bass, chord) = HARMONY[bar % HARMONY.len()];
        let begin = bar * PER_BAR * SIXTEENTH;
        for step in 0..PER_BAR {
            let at = begin + step * SIXTEENTH;
            if step % 2 == 0 {
                let note = chord[dice.below(5)];
                pluck(&mut self.harp, at, note, 0.09 + 0.04 * dice.unit(), &mut dice);
            }
            if step % 4 == 2 || dice.below(4) == 0 {
                let note = chord[dice.below(5)];
                strike(&mut self.marimba, at, note, 0.10 + 0.04 * dice.unit(), &mut dice);
            }
            if step % 4 == 0 {
                brush(&mut self.middle, at, 0.02 + 0.02 * dice.unit(), &mut dice);
            }
        }
        for (beat, up) in [(0, 0), (6, 0), (8, 7), (14, 12)] {
            hum(&mut self.middle, begin + beat * SIXTEENTH, bass + up, 0.13);
        }
        self.sing_bar(begin, chord, &mut dice);
    }

    /// Four syllables a bar, each a consonant and a vowel.
    fn sing_bar(&mut self, begin: usize, chord: [u8; 5], dice: &mut Dice) {
        for beat in 0..4 {
            let length = SIXTEENTH * (2 + dice.below(3));
            let at = begin + beat * 4 * SIXTEENTH + dice.below(600);
            let vowel = VOWELS[dice.below(VOWELS.len())];
            burst(&mut self.middle, at, 0.03 + 0.05 * dice.unit(), 300 + dice.below(1_200), dice);
            sing(&mut self.middle, at + 1_200, length, chord[dice.below(5)] - 5, vowel, dice);
        }
    }
}

/// First, second and third formant: a, e, i, o, u.
const VOWELS: [[f64; 3]; 5] = [
    [730.0, 1_090.0, 2_440.0],
    [530.0, 1_840.0, 2_480.0],
    [270.0, 2_290.0, 3_010.0],
    [570.0, 840.0, 2_410.0],
    [300.0, 870.0, 2_240.0],
];

/// One sung vowel: partials with vibrato, shaped by the vowel's formants.
fn sing(out: &mut [f64], at: usize, length: usize, note: u8, vowel: [f64; 3], dice: &mut Dice) {
    let hz = frequency(note);
    let vibrato = 4.8 + dice.unit();
    let partials = ((5_500.0 / hz) as usize).max(1);
    let mut levels: Vec<f64> =
        (1..=partials).map(|k| formants(hz * k as f64, vowel) / (k as f64).sqrt()).collect();
    let sum: f64 = levels.iter().map(|l| l * l).sum::<f64>().sqrt();
    levels.iter_mut().for_each(|l| *l *= 0.12 / sum.max(1e-9));
    let mut phase = 0.0f64;
    for (n, x) in tail(out, at, length).iter_mut().enumerate() {
        let bend = 1.0 + 0.006 * (std::f64::consts::TAU * vibrato * n as f64 / RATE_HZ).sin();
        phase = (phase + hz * bend / RATE_HZ).fract();
        let envelope = (n as f64 / 1_500.0).min((length - n) as f64 / 4_000.0).min(1.0);
        *x += envelope * harmonics(phase * std::f64::consts::TAU, &levels);
    }
}

/// Sum of `levels[k] sin((k + 1) phase)`, by Clenshaw's recurrence: one sine for all partials.
fn harmonics(phase: f64, levels: &[f64]) -> f64 {
    let (sine, cosine) = phase.sin_cos();
    let (mut b, mut before) = (0.0, 0.0);
    for level in levels.iter().rev() {
        (b, before) = (level + 2.0 * cosine * b - before, b);
    }
    b * sine
}

fn formants(hz: f64, vowel: [f64; 3]) -> f64 {
    let near = |centre: f64, share: f64| share / (1.0 + ((hz - centre) / (60.0 + 0.06 * centre)).powi(2));
    0.02 + near(vowel[0], 1.0) + near(vowel[1], 0.5) + near(vowel[2], 0.25)
}

/// Frames of the loops of a hall: prime, and other ones on either side.
const HALL_LEFT: [usize; 4] = [1_433, 1_601, 1_867, 2_053];
const HALL_RIGHT: [usize; 4] = [1_493, 1_667, 1_787, 2_131];

/// A hall by Schroeder's parallel loops (1962): four echoes that repeat, decaying by 60 dB in 1.8 s.
fn hall(dry: &[f64], loops: [usize; 4]) -> Vec<f64> {
    let mut wet = vec![0.0; dry.len()];
    for length in loops {
        let gain = 10f64.powf(-3.0 * length as f64 / (1.8 * RATE_HZ));
        let mut line = vec![0.0; length];
        let mut soft = 0.0;
        for (n, (x, w)) in dry.iter().zip(wet.iter_mut()).enumerate() {
            let echo = line[n % length];
            // Walls take more of the high tones.
            soft += 0.7 * (echo - soft);
            line[n % length] = x + gain * soft;
            *w += 0.16 * echo;
        }
    }
    wet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(piece: &[f32]) -> (f64, f64, f64) {
        let sum = |f: fn(&[f32]) -> f64| piece.chunks_exact(2).map(f).sum::<f64>();
        let ll = sum(|f| f64::from(f[0]).powi(2));
        let rr = sum(|f| f64::from(f[1]).powi(2));
        let lr = sum(|f| f64::from(f[0]) * f64::from(f[1]));
        (ll, rr, lr)
    }

    #[test]
    fn four_fifths_of_the_ballad_are_common_to_both_sides() {
        let (ll, rr, lr) = sides(&ballad(20 * 48_000, 1));
        let common = lr / (ll * rr).sqrt();
        assert!((0.75..0.87).contains(&common), "{common}");
    }

    #[test]
    fn the_sides_of_the_nearly_mono_mix_differ_by_a_trace() {
        let (ll, rr, lr) = sides(&nearly_mono(10 * 48_000, 1));
        let common = lr / (ll * rr).sqrt();
        assert!(common < 1.0 && common > 0.9999, "{common}");
    }

    #[test]
    fn the_ballad_is_the_same_every_time_loud_enough_and_never_too_loud() {
        let piece = ballad(10 * 48_000, 3);
        assert_eq!(piece, ballad(10 * 48_000, 3));
        assert_ne!(piece, ballad(10 * 48_000, 4));
        let peak = piece.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(peak > 0.35 && peak < 0.707, "{peak}");
        assert!(piece.iter().all(|x| x.is_finite()));
    }
}
