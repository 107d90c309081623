//! The measure signal: a different random-phase sequence from every speaker, all at once.
//!
//! A sequence has the same size in every period and in every channel, bin by bin; only the phases
//! differ, and they are drawn from the channel's number. A recording divided by one channel's
//! spectrum so gives that channel's impulse response, with every other channel spread over the whole
//! period as noise 48 dB below its energy. `docs/measure.md` is the normative description.

use realfft::num_complex::Complex;

use crate::dice::Dice;
use crate::transform::Transform;

/// Silence before and after.
const LEAD_IN: usize = 36_000;
/// The fade-in begins this much below the full level, and is straight in decibels.
const QUIET_DB: f64 = -40.0;
const FADE_OUT: usize = 12_000;
const TRACK_CHANNELS: usize = 2;
const TRACK_PERIODS: usize = 8;
/// A day of signal: far above any use, far below overflow of a frame number.
const MAX_PERIODS: usize = 63_000;

/// Of every sequence: -20 dBFS.
const RMS: f64 = 0.1;
/// Edges of the band; the amplitude rises and falls within a sixth of an octave inside of them.
pub(crate) const BAND_HZ: std::ops::Range<f64> = 300.0..16_000.0;
const EDGE_OCTAVES: f64 = 1.0 / 6.0;
/// Above this the power falls by 3 dB an octave, for the sake of ears and tweeters.
const KNEE_HZ: f64 = 1_000.0;
/// Rounds of clipping that bring the crest factor from 13 dB to below 6.
const ROUNDS: usize = 12;
/// Each of them clips at this many times the rms.
const CLIP: f64 = 1.6;
/// Seed of channel 0; channel `c` has this xor `c + 1` spread over 64 bits.
const SEED: u64 = 0x616e_7469_7068_6f6e;

/// The measure signal of some channels: a pure function of the frame's number.
#[derive(Debug, Clone, PartialEq)]
pub struct Excitation {
    periods: usize,
    sequences: Vec<Vec<f32>>,
}

impl Excitation {
    /// Frames of one period at 48 kHz: 1.365 s.
    pub const PERIOD: usize = 65_536;
    /// So many channels may play at once.
    pub const MAX_CHANNELS: usize = 32;
    /// The media rate, in frames per second.
    pub const RATE_HZ: f64 = 48_000.0;

    /// The track that `antiphon signal measure` writes: left and right, 8 periods at full level.
    pub fn track() -> Self {
        Self::build(TRACK_CHANNELS, TRACK_PERIODS)
    }

    /// The signal for `channels` (1 to [`MAX_CHANNELS`](Self::MAX_CHANNELS)) with `periods` (at least
    /// 1) at full level; `None` for other numbers.
    pub fn new(channels: usize, periods: usize) -> Option<Self> {
        let possible = (1..=Self::MAX_CHANNELS).contains(&channels) && (1..=MAX_PERIODS).contains(&periods);
        possible.then(|| Self::build(channels, periods))
    }

    fn build(channels: usize, periods: usize) -> Self {
        let transform = Transform::of(Self::PERIOD);
        let sequences = (0..channels).map(|channel| sequence(&transform, channel)).collect();
        Self { periods, sequences }
    }

    /// How many channels play.
    pub fn channels(&self) -> usize {
        self.sequences.len()
    }

    /// Whole periods at full level.
    pub fn periods(&self) -> usize {
        self.periods
    }

    /// Frames from the begin of the lead-in to the end of the silence that follows.
    pub fn frames(&self) -> usize {
        self.full().end + FADE_OUT + LEAD_IN
    }

    /// The frames at full level: whole periods, the first beginning with the sequence's first sample.
    pub fn full(&self) -> std::ops::Range<usize> {
        let begin = LEAD_IN + Self::PERIOD;
        begin..begin + self.periods * Self::PERIOD
    }

    /// The frames that sound: fade-in, full level, fade-out.
    pub fn sounding(&self) -> std::ops::Range<usize> {
        LEAD_IN..self.full().end + FADE_OUT
    }

    /// One period of `channel` at full level: [`PERIOD`](Self::PERIOD) samples, full scale +-1.0.
    ///
    /// # Panics
    /// If `channel` is not below [`channels`](Self::channels).
    pub fn sequence(&self, channel: usize) -> &[f32] {
        &self.sequences[channel]
    }

    /// The gain with which frame `frame` plays its sequence: 0 outside of [`sounding`](Self::sounding).
    pub fn gain(&self, frame: usize) -> f64 {
        let full = self.full();
        if full.contains(&frame) {
            1.0
        } else if !self.sounding().contains(&frame) {
            0.0
        } else if frame < full.start {
            let missing = (full.start - frame) as f64 / Self::PERIOD as f64;
            10f64.powf(QUIET_DB * missing / 20.0)
        } else {
            let x = (frame - full.end) as f64 / FADE_OUT as f64;
            0.5 + 0.5 * (std::f64::consts::PI * x).cos()
        }
    }

    /// Fills `out`, interleaved by [`channels`](Self::channels), with the signal from `first_frame`
    /// on. Any place and any length: after its end the signal is silent.
    pub fn render(&self, first_frame: usize, out: &mut [f32]) {
        for (n, frame) in out.chunks_mut(self.channels()).enumerate() {
            let at = first_frame.saturating_add(n);
            let gain = self.gain(at);
            for (sample, sequence) in frame.iter_mut().zip(&self.sequences) {
                *sample = if gain == 0.0 { 0.0 } else { (gain * f64::from(sequence[phase(at)])) as f32 };
            }
        }
    }
}

/// Place of a frame from the lead-in's end on within its sequence: never broken by the fades.
fn phase(frame: usize) -> usize {
    frame.wrapping_sub(LEAD_IN) % Excitation::PERIOD
}

/// One period of `channel`: sizes as described, phases at random and then smoothed in time.
///
/// Clipping and giving every bin its size back, round by round, moves the phases to where the peaks
/// are lower (Gerchberg and Saxton's alternation; Van der Ouderaa and others 1988 for multisines).
fn sequence(transform: &Transform, channel: usize) -> Vec<f32> {
    let sizes = sizes();
    let mut dice = Dice::new(SEED ^ (channel as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut spectrum: Vec<Complex<f64>> =
        sizes.iter().map(|&size| Complex::from_polar(size, std::f64::consts::TAU * dice.unit())).collect();
    for _ in 0..ROUNDS {
        let samples = transform.inverse(spectrum);
        let clipped = samples.iter().map(|x| x.clamp(-CLIP * RMS, CLIP * RMS));
        spectrum = transform.forward(clipped);
        for (x, &size) in spectrum.iter_mut().zip(&sizes) {
            *x *= size / x.norm().max(f64::MIN_POSITIVE);
        }
    }
    transform.inverse(spectrum).into_iter().map(|x| x as f32).collect()
}

/// The size of every bin of a period, so that the samples have their rms.
fn sizes() -> Vec<f64> {
    let hz = |bin: usize| bin as f64 * Excitation::RATE_HZ / Excitation::PERIOD as f64;
    let shape: Vec<f64> = (0..=Excitation::PERIOD / 2).map(|bin| amplitude(hz(bin))).collect();
    // Parseval: every bin but the first and the last, which are empty, stands for two.
    let power = 2.0 * shape.iter().map(|x| x * x).sum::<f64>() / (Excitation::PERIOD as f64).powi(2);
    let scale = RMS / power.sqrt();
    shape.into_iter().map(|x| x * scale).collect()
}

/// The amplitude's shape over frequency: 1 at its highest.
fn amplitude(hz: f64) -> f64 {
    let inside = (hz / BAND_HZ.start).log2().min((BAND_HZ.end / hz).log2());
    if hz <= 0.0 || inside <= 0.0 {
        return 0.0;
    }
    let edge = 0.5 - 0.5 * (std::f64::consts::PI * (inside / EDGE_OCTAVES).min(1.0)).cos();
    edge * (KNEE_HZ / hz).min(1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms_db(samples: impl Iterator<Item = f32>) -> f64 {
        let (sum, n) = samples.fold((0.0, 0.0), |(sum, n), x| (sum + f64::from(x) * f64::from(x), n + 1.0));
        10.0 * (sum / f64::max(n, 1.0)).log10()
    }

    #[test]
    fn the_track_has_the_lengths_and_the_level_that_are_documented() {
        let track = Excitation::track();
        assert_eq!((track.channels(), track.periods()), (2, 8));
        assert_eq!(track.frames(), 36_000 + 9 * 65_536 + 12_000 + 36_000);
        for channel in 0..2 {
            let sequence = track.sequence(channel);
            assert!((rms_db(sequence.iter().copied()) + 20.0).abs() < 0.01);
            let peak = sequence.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            assert!(peak < 0.2, "crest factor below 6 dB: {peak}");
        }
    }

    #[test]
    fn it_begins_silent_then_40_db_down_and_rises_without_breaking_its_phase() {
        let track = Excitation::track();
        let mut all = vec![0.0; track.frames() * 2];
        track.render(0, &mut all);
        assert!(all[..72_000].iter().all(|&x| x == 0.0), "lead-in");
        assert!(all[2 * track.sounding().end..].iter().all(|&x| x == 0.0), "lead-out");
        let quiet = rms_db(all[72_000..72_000 + 4_800].iter().copied());
        assert!((-60.5..-58.0).contains(&quiet), "{quiet} dBFS");
        let full = track.full();
        for (n, frame) in all.chunks(2).enumerate().take(full.end + 100).skip(full.start - 100) {
            let expected = track.gain(n) * f64::from(track.sequence(1)[(n - 36_000) % 65_536]);
            assert!((f64::from(frame[1]) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn any_piece_of_it_is_the_same_as_the_same_piece_of_the_whole() {
        let signal = Excitation::new(3, 2).unwrap();
        let mut all = vec![0.0; signal.frames() * 3];
        signal.render(0, &mut all);
        for (first, frames) in [(0, 7), (35_990, 480), (101_500, 1_000), (signal.frames() - 3, 10)] {
            let mut piece = vec![9.0; frames * 3];
            signal.render(first, &mut piece);
            let inside = (signal.frames() - first).min(frames) * 3;
            assert_eq!(piece[..inside], all[first * 3..first * 3 + inside]);
            assert!(piece[inside..].iter().all(|&x| x == 0.0));
        }
        signal.render(usize::MAX, &mut [0.0; 6]);
    }

    #[test]
    fn every_channel_has_the_documented_spectrum_and_phases_of_its_own() {
        let signal = Excitation::new(3, 1).unwrap();
        let transform = Transform::of(Excitation::PERIOD);
        let spectra: Vec<Vec<Complex<f64>>> =
            (0..3).map(|c| transform.forward(signal.sequence(c).iter().map(|&x| f64::from(x)))).collect();
        let bin = |hz: f64| (hz / 48_000.0 * 65_536.0) as usize;
        let db = |hz: f64| 20.0 * spectra[0][bin(hz)].norm().log10();
        assert!((db(500.0) - db(900.0)).abs() < 0.1, "flat to 1 kHz");
        assert!((db(1_000.0) - db(8_000.0) - 9.03).abs() < 0.1, "3 dB an octave above");
        assert!(db(250.0) < db(900.0) - 80.0 && db(17_000.0) < db(900.0) - 80.0, "nothing outside");
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let product: Vec<Complex<f64>> =
                spectra[a].iter().zip(&spectra[b]).map(|(a, b)| a.conj() * b).collect();
            let own: f64 = spectra[a].iter().map(|x| x.norm_sqr()).sum::<f64>() * 2.0;
            let worst = transform.inverse(product).iter().fold(0.0f64, |w, x| w.max(x.abs())) * 65_536.0;
            assert!(worst / own < 0.05, "channels {a} and {b} correlate by {}", worst / own);
        }
    }

    #[test]
    fn no_channels_too_many_channels_and_no_periods_are_not_a_signal() {
        assert!(Excitation::new(0, 8).is_none());
        assert!(Excitation::new(33, 8).is_none());
        assert!(Excitation::new(2, 0).is_none());
        assert!(Excitation::new(2, usize::MAX).is_none());
    }
}
