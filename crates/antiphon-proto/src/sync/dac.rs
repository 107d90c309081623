//! The sound card's clock as seen from the host's.

use antiphon_base::{ClockMap, Dac, Frames, Local, Ppm, SampleRate, Span, Timestamp};

use super::track::{Track, Wander};

/// Why the estimate was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The stream was started or primed anew.
    Reprimed,
    /// The stream moved to another device.
    Moved,
    /// The sink reported an underrun and its counter is not to be trusted over it.
    Xrun,
}

/// A position claim that does not agree with the time passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// The claimed position left the line by this much (positive: later frames came to be
    /// converted earlier than the time passed allows) and stayed away.
    Jumped(Span),
    /// The counter went back.
    WentBack,
    /// The counter stood still for this long while time passed.
    Stalled(Span),
}

/// How well the sound card's clock is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DacQuality {
    /// Standard deviation of the position at the newest stamp.
    pub offset_sd_us: f64,
    /// The card's rate against nominal, by the local clock.
    pub skew: Ppm,
    /// Standard deviation of `skew`.
    pub skew_sd: Ppm,
    /// Scatter of the single stamps.
    pub stamp_sd_us: f64,
    /// Stamps used since the last reset.
    pub stamps: u64,
    /// What is doubtful, if anything.
    pub doubt: Option<Doubt>,
}

/// Position stamps in, `ClockMap<Dac, Local>` out. Dac timestamps are `rate.span_of(frame)`.
#[derive(Debug, Clone)]
pub struct DacFilter {
    rate: SampleRate,
    state: Option<State>,
    doubt: Option<Doubt>,
    stamps: u64,
}

#[derive(Debug, Clone)]
struct State {
    /// The newest stamp's position: the instant that `track` speaks of.
    at: Timestamp<Dac>,
    /// Local minus Dac in whole nanoseconds; `track` holds what is left.
    base: i64,
    track: Track,
    stamp_variance: f64,
}

const WANDER: Wander = Wander { phase: 0.0, drift: 10.0, slope_sd: 10.0, slope_lasts_s: 120.0 };
const DRIFT_SD: f64 = 50_000.0;
const SLOPE_SD: f64 = 30.0;
const STAMP_SD_NS: f64 = 50_000.0;

impl DacFilter {
    /// Knows nothing but the nominal rate.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, state: None, doubt: None, stamps: 0 }
    }

    /// The driver says that `frame` was being converted at `at`. Returns a doubt that begins here.
    pub fn handle_stamp(&mut self, frame: Frames, at: Timestamp<Local>) -> Option<Doubt> {
        let position = Timestamp::<Dac>::from_ns(self.rate.span_of(frame).as_ns());
        self.stamps += 1;
        let offset = at.as_ns().wrapping_sub(position.as_ns());
        match &mut self.state {
            None => {
                self.state = Some(State {
                    at: position,
                    base: offset,
                    track: Track::new(0.0, STAMP_SD_NS, DRIFT_SD, SLOPE_SD),
                    stamp_variance: STAMP_SD_NS * STAMP_SD_NS,
                });
            }
            Some(state) => {
                state.predict_to(position);
                let innovation = offset.wrapping_sub(state.base) as f64 - state.track.x[0];
                state.track.update([1.0, 0.0, 0.0], innovation, state.stamp_variance);
            }
        }
        None
    }

    /// Forgets everything and clears any doubt: the position begins anew.
    pub fn reset(&mut self, _reason: ResetReason) {
        *self = Self::new(self.rate);
    }

    /// The relation between the clocks; `None` before the first stamp.
    pub fn map(&self) -> Option<ClockMap<Dac, Local>> {
        self.state.as_ref().map(State::map)
    }

    /// What is doubtful about the positions claimed, until [`reset`](Self::reset).
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// How well the card's clock is known.
    pub fn quality(&self) -> DacQuality {
        let map = self.map();
        DacQuality {
            offset_sd_us: map.map_or(f64::INFINITY, |m| m.offset_sd_ns / 1e3),
            skew: Ppm::from_skew(map.map_or(0.0, |m| -m.skew)),
            skew_sd: Ppm::from_skew(map.map_or(DRIFT_SD * 1e-9, |m| m.skew_sd)),
            stamp_sd_us: self.state.as_ref().map_or(0.0, |s| s.stamp_variance.sqrt() / 1e3),
            stamps: self.stamps,
            doubt: self.doubt,
        }
    }
}

impl State {
    fn predict_to(&mut self, position: Timestamp<Dac>) {
        let dt_s = (position - self.at).as_s_f64();
        if dt_s <= 0.0 {
            return;
        }
        self.track.predict(dt_s, &WANDER);
        self.at = position;
        let whole = self.track.x[0].round();
        self.track.x[0] -= whole;
        self.base = self.base.wrapping_add(whole as i64);
    }

    fn map(&self) -> ClockMap<Dac, Local> {
        let p = &self.track.p;
        let offset = self.base.wrapping_add(self.track.x[0].round() as i64);
        ClockMap {
            at_a: self.at,
            at_b: Timestamp::from_ns(self.at.as_ns().wrapping_add(offset)),
            skew: self.track.x[1] * 1e-9,
            offset_sd_ns: p[0][0].sqrt(),
            skew_sd: (p[1][1] + 2.0 * p[0][1].max(0.0)).sqrt() * 1e-9,
        }
    }
}
