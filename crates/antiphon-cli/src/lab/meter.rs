//! What can be said of a recording while it comes in: how loud it is, and whether it is clipped.

/// From this on a sample stands at the end of the scale, whatever number a converter calls that.
const FULL: f32 = 0.995;

/// So many such samples in a row are a clipped wave: a sound that just reaches the end has one or two.
const FLAT: usize = 3;

/// Frames of a block: 50 ms.
const BLOCK: usize = 2_400;

/// Below this rooms rumble and fans hum, and the signal has nothing.
const HIGH_PASS_HZ: f64 = 300.0;

const RATE: f64 = 48_000.0;

/// Level and clipping of the loudest channel, block by block.
#[derive(Debug)]
pub struct Meter {
    channels: Vec<Channel>,
    /// Power of every whole block, of the loudest channel.
    powers: Vec<f64>,
    peak: f32,
    clipped: bool,
}

#[derive(Debug, Clone, Default)]
struct Channel {
    filter: HighPass,
    power: f64,
    frames: usize,
    flat: usize,
}

impl Meter {
    /// For `channels` interleaved channels.
    pub fn new(channels: usize) -> Self {
        let channels = vec![Channel::default(); channels];
        Self { channels, powers: Vec::new(), peak: 0.0, clipped: false }
    }

    /// Takes what came in.
    pub fn take(&mut self, interleaved: &[f32]) {
        for frame in interleaved.chunks_exact(self.channels.len()) {
            for (channel, &sample) in self.channels.iter_mut().zip(frame) {
                self.peak = self.peak.max(sample.abs());
                channel.flat = if sample.abs() >= FULL { channel.flat + 1 } else { 0 };
                self.clipped |= channel.flat >= FLAT;
                let heard = channel.filter.next(f64::from(sample));
                channel.power += heard * heard;
                channel.frames += 1;
            }
            if self.channels.first().is_some_and(|channel| channel.frames == BLOCK) {
                let ended = self
                    .channels
                    .iter_mut()
                    .map(|c| (std::mem::take(&mut c.power), std::mem::take(&mut c.frames)));
                let loudest = ended.map(|(power, frames)| power / frames as f64).fold(0.0, f64::max);
                self.powers.push(loudest);
            }
        }
    }

    /// A wave stood at the end of the scale.
    pub fn is_clipped(&self) -> bool {
        self.clipped
    }

    /// The greatest magnitude, in dB of full scale.
    pub fn peak_db(&self) -> f64 {
        20.0 * f64::from(self.peak).max(1e-10).log10()
    }

    /// Level of the last half second, in dB of full scale.
    pub fn level_db(&self) -> f64 {
        let last = &self.powers[self.powers.len().saturating_sub(10)..];
        decibels(mean(last))
    }

    /// Level before anything was played: of the first half second.
    pub fn floor_db(&self) -> f64 {
        decibels(median(&self.powers[..self.powers.len().min(10)]))
    }

    /// Level of the loudest second together.
    pub fn loudest_db(&self) -> f64 {
        let mut sorted = self.powers.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        decibels(mean(&sorted[..sorted.len().min(20)]))
    }

    /// Whether the last 300 ms are no louder than the room was, or far below the loudest second.
    pub fn is_over(&self) -> bool {
        let last = decibels(mean(&self.powers[self.powers.len().saturating_sub(6)..]));
        last < self.floor_db() + 3.0 || last < self.loudest_db() - 20.0
    }
}

fn mean(powers: &[f64]) -> f64 {
    powers.iter().sum::<f64>() / powers.len().max(1) as f64
}

fn median(powers: &[f64]) -> f64 {
    let mut sorted = powers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Power to decibels of full scale; digital silence is -120.
pub fn decibels(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10()
}

/// Second order, Butterworth (the bilinear transform of the analogue prototype).
#[derive(Debug, Clone)]
struct HighPass {
    b: f64,
    a: [f64; 2],
    x: [f64; 2],
    y: [f64; 2],
}

impl Default for HighPass {
    fn default() -> Self {
        let w = (std::f64::consts::PI * HIGH_PASS_HZ / RATE).tan();
        let norm = 1.0 / (1.0 + std::f64::consts::SQRT_2 * w + w * w);
        let a = [2.0 * (w * w - 1.0) * norm, (1.0 - std::f64::consts::SQRT_2 * w + w * w) * norm];
        Self { b: norm, a, x: [0.0; 2], y: [0.0; 2] }
    }
}

impl HighPass {
    fn next(&mut self, x: f64) -> f64 {
        let y = self.b * (x - 2.0 * self.x[0] + self.x[1]) - self.a[0] * self.y[0] - self.a[1] * self.y[1];
        self.x = [x, self.x[0]];
        self.y = [y, self.y[0]];
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, amplitude: f64, frames: usize) -> Vec<f32> {
        let at = |n: usize| (amplitude * (std::f64::consts::TAU * hz * n as f64 / RATE).sin()) as f32;
        (0..frames).map(at).collect()
    }

    #[test]
    fn rumble_is_not_heard_and_the_signal_is() {
        let mut meter = Meter::new(1);
        meter.take(&tone(30.0, 0.5, 48_000));
        assert!(meter.level_db() < -40.0, "{}", meter.level_db());
        meter.take(&tone(3_000.0, 0.1, 48_000));
        assert!((meter.level_db() + 23.01).abs() < 0.1, "{}", meter.level_db());
        assert!((meter.loudest_db() - meter.floor_db()) > 15.0);
    }

    #[test]
    fn a_wave_that_just_reaches_the_end_is_not_clipped_and_one_that_is_cut_off_is() {
        let mut meter = Meter::new(2);
        let stereo =
            |wave: Vec<f32>| wave.into_iter().flat_map(|s| [0.0, s.clamp(-1.0, 1.0)]).collect::<Vec<_>>();
        meter.take(&stereo(tone(6_000.0, 0.999, 48_000)));
        assert!(!meter.is_clipped());
        meter.take(&stereo(tone(1_000.0, 1.5, 4_800)));
        assert!(meter.is_clipped());
    }

    #[test]
    fn the_end_of_the_sound_is_heard_in_a_quiet_room_and_in_a_noisy_one() {
        let mut meter = Meter::new(1);
        for (amplitude, over) in [(0.01, true), (0.3, false), (0.01, true)] {
            meter.take(&tone(2_000.0, amplitude, 48_000));
            assert_eq!(meter.is_over(), over, "{amplitude}");
        }
    }
}
