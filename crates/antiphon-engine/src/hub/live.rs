//! A source with a clock of its own, held at a constant distance ahead of sending.
//!
//! A device that runs 60 ppm fast brings five seconds a day too many. What comes is resampled so that the frames
//! held ahead of sending stay as many ([`AHEAD`], more where that ran dry): a proportional-integral loop on their number, critically damped with a time
//! constant of 100 s, so slow that no jitter of arrival is heard as pitch, and exact for any constant rate.
//! The speakers hear nothing of it: it is before the timeline, the same for all.

use antiphon_base::{Frames, Hub as HubClock, SampleRate, Span, Timestamp};
use antiphon_playout::Varispeed;

/// What is held ahead of sending at first: five pieces of a recorder that gives 20 ms at a time.
const AHEAD: Span = Span::from_ms(100);

/// What it grows by when it ran dry: a machine that stands still now and then does so again.
const MORE: Span = Span::from_ms(100);

/// The most that is held: what is later than this is not live.
const MOST_AHEAD: Span = Span::from_ms(500);

/// Beyond this above what is to be held something has stood still and all came at once: it is left out, for live is to stay live.
const TOO_MUCH: Span = Span::from_ms(250);

/// Step for each second too many, per second: a surplus of 10 ms makes 200 ppm.
const PROPORTIONAL: f64 = 0.02;

/// Step for each second too many that has lasted a second: critically damped.
const INTEGRAL: f64 = PROPORTIONAL * PROPORTIONAL / 4.0;

/// No device's clock is off by more; a pitch this far off is not heard.
const MOST: f64 = 1e-3;

/// Pieces come with jitter of their own length: the level is averaged over about so many seconds.
const AVERAGED_S: f64 = 1.0;

/// The loop: how many frames are held, to how fast they are used up.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// Seconds too many, averaged, and when that was.
    surplus: Option<(f64, Timestamp<HubClock>)>,
    integral: f64,
}

impl Level {
    /// The step while there are `surplus` too many at `now`.
    pub fn step(&mut self, now: Timestamp<HubClock>, surplus: Span) -> f64 {
        let seen = surplus.as_s_f64();
        let (before, at) = self.surplus.unwrap_or((seen, now));
        // After a standstill one look is one look, however long it was.
        let passed = (now - at).as_s_f64().clamp(0.0, AVERAGED_S / 2.0);
        let surplus = before + (seen - before) * (passed / AVERAGED_S);
        self.surplus = Some((surplus, now));
        self.integral = (self.integral + INTEGRAL * surplus * passed).clamp(-MOST, MOST);
        1.0 + (PROPORTIONAL * surplus + self.integral).clamp(-MOST, MOST)
    }

    /// Playing has begun anew: the level is another one, the device's clock is not.
    pub fn restart(&mut self) {
        self.surplus = None;
    }
}

/// What a clocked source needs beside the window.
#[derive(Debug)]
pub(super) struct Live {
    varispeed: Varispeed,
    level: Level,
    channels: usize,
    made: Vec<f32>,
    /// What is to be held ahead of sending.
    ahead: Span,
    /// Frames left out because too many came at once.
    pub left_out: u64,
}

impl Live {
    pub fn new(channels: u16) -> Self {
        let varispeed = Varispeed::new(channels, SampleRate::MEDIA.frames_in(TOO_MUCH));
        let (channels, made) = (channels.into(), Vec::new());
        Self { varispeed, level: Level::default(), channels, made, ahead: AHEAD, left_out: 0 }
    }

    /// What is to be held ahead of sending.
    pub fn ahead(&self) -> Span {
        self.ahead
    }

    /// What was held was not enough.
    pub fn ran_dry(&mut self) {
        self.ahead = (self.ahead + MORE).min(MOST_AHEAD);
    }

    /// Playing begins anew.
    pub fn restart(&mut self) {
        self.level.restart();
    }

    /// What `samples` are on the hub's clock, while `ahead` is held at `now`.
    pub fn resample(&mut self, now: Timestamp<HubClock>, ahead: Span, samples: &[f32]) -> &[f32] {
        self.made.clear();
        let frames = samples.len() / self.channels.max(1);
        let surplus = ahead - self.ahead;
        let taken = if surplus > TOO_MUCH { Frames(0) } else { self.varispeed.push(samples) };
        self.left_out += frames as u64 - taken.0 as u64;
        let step = self.level.step(now, surplus);
        loop {
            let at = self.made.len();
            self.made.resize(at + Varispeed::BLOCK_FRAMES * self.channels, 0.0);
            if self.varispeed.pull(step, &mut self.made[at..]) == Frames(0) {
                self.made.truncate(at);
                return &self.made;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device `ppm` fast for `hours`, whose pieces of 20 ms come up to 15 ms late; the least and the most that
    /// was held in the last half of the time.
    fn held(ppm: f64, hours: i64) -> (f64, f64) {
        let mut level = Level::default();
        let (mut ahead, mut step) = (AHEAD.as_s_f64(), 1.0);
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        let mut seed = 1_u32;
        let pieces = hours * 3_600 * 50;
        for piece in 0..pieces {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let late = f64::from(seed >> 16) / 65_536.0 * 0.015;
            let now = Timestamp::from_ns(piece * 20_000_000);
            step = level.step(now, Span::from_s_f64(ahead - late) - AHEAD);
            // Of 20 ms by the device's clock so much is left after resampling, and 20 ms are sent.
            ahead += 0.020 * (1.0 + ppm * 1e-6) / step - 0.020;
            if piece > pieces / 2 {
                (least, most) = (least.min(ahead), most.max(ahead));
            }
        }
        assert!((step - 1.0 - ppm * 1e-6).abs() < 50e-6, "{ppm} ppm: step {step}");
        (least, most)
    }

    #[test]
    fn a_device_that_runs_fast_or_slow_for_a_day_neither_grows_nor_starves_the_buffer() {
        for ppm in [-200.0, -60.0, 0.0, 60.0, 200.0] {
            let (least, most) = held(ppm, 24);
            // The level settles where its average, lateness and all, is what is wanted.
            assert!(least > 0.100 && most < 0.116, "{ppm} ppm: {least:.4} to {most:.4} s");
        }
    }

    #[test]
    fn a_start_with_twenty_milliseconds_too_few_is_made_good_within_minutes() {
        let mut level = Level::default();
        let mut ahead = 0.080;
        for piece in 0..50 * 600 {
            let surplus = Span::from_s_f64(ahead) - AHEAD;
            let step = level.step(Timestamp::from_ns(piece * 20_000_000), surplus);
            assert!((step - 1.0).abs() < 500e-6, "a pitch that nobody hears");
            ahead += 0.020 / step - 0.020;
        }
        assert!((ahead - 0.100).abs() < 0.002, "{ahead}");
    }

    #[test]
    fn what_comes_all_at_once_is_left_out() {
        let mut live = Live::new(2);
        let second = vec![0.5; 96_000];
        assert!(live.resample(Timestamp::ZERO, AHEAD + TOO_MUCH + Span::from_ms(1), &second).is_empty());
        assert_eq!(live.left_out, 48_000);
    }

    #[test]
    fn what_ran_dry_holds_more_and_not_ever_more() {
        let mut live = Live::new(2);
        let held: Vec<i64> = (0..6)
            .map(|_| {
                live.ran_dry();
                live.ahead().as_ns() / 1_000_000
            })
            .collect();
        assert_eq!(held, [200, 300, 400, 500, 500, 500]);
    }
}
