//! The hub's clock as seen from here.

use antiphon_base::{ClockMap, Hub, Local, Ppm, Span, Timestamp};

use super::exchange::Exchange;
use super::lowest::{Observation, Window};
use super::track::{Track, Wander};

/// What became of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the estimate.
    Used,
    /// Its timestamps contradict each other, or it is too old: the hub or the network is at fault.
    Refused,
    /// It showed that a clock or the path jumped: older exchanges were dropped.
    Jumped,
}

/// How well the hub's clock is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockQuality {
    /// Standard deviation of the offset at the newest exchange. Path asymmetry is not in it: no
    /// filter can see that the way there is slower than the way back.
    pub offset_sd_us: f64,
    /// The hub's clock against ours.
    pub skew: Ppm,
    /// Standard deviation of `skew`.
    pub skew_sd: Ppm,
    /// Least time spent on the way there plus the least on the way back, of late.
    pub min_rtt: Option<Span>,
    /// The offset is known well enough to play by.
    pub synced: bool,
    /// Exchanges used since the last reset.
    pub exchanges: u64,
}

/// Exchanges with the hub in, `ClockMap<Local, Hub>` out.
///
/// The lowest delays of each way give one observation of the offset; a Kalman filter follows
/// offset, drift and the drift's slope. Feed it with [`handle_exchange`](Self::handle_exchange),
/// read it with [`map`](Self::map) and [`quality`](Self::quality). A new hub clock id needs
/// [`reset`](Self::reset); a gap in the exchanges needs nothing, as uncertainty grows by itself.
#[derive(Debug, Clone, Default)]
pub struct ClockFilter {
    window: Window,
    state: Option<State>,
    exchanges: u64,
    broken: Broken,
}

#[derive(Debug, Clone)]
struct State {
    /// The newest exchange's arrival: the instant that `track` speaks of.
    at: Timestamp<Local>,
    /// Hub minus local in whole nanoseconds; `track` holds what is left.
    base: i64,
    track: Track,
    /// First exchange since the last reset or jump.
    since: Timestamp<Local>,
    next_update: Timestamp<Local>,
    /// Handed-out offset minus the filter's: new knowledge is let in gradually.
    lag: f64,
    round_trip: f64,
    edge_sd: f64,
}

/// Samples in a row that lie impossibly far below the lower edge of their way.
#[derive(Debug, Clone, Copy, Default)]
struct Broken {
    forward: u32,
    backward: u32,
}

/// Quartz at rest and in a warming case; figures in ns and s.
const WANDER: Wander = Wander { phase: 0.0, drift: 100.0, slope_sd: 10.0, slope_lasts_s: 200.0 };
/// Crystals are sold with +-100 ppm; two of them differ by less than this, nearly always.
const DRIFT_SD: f64 = 60_000.0;
/// The drift to be searched at first, ns/s.
const DRIFT_REACH: f64 = 250_000.0;
const SLOPE_SD: f64 = 10.0;
/// Two speakers known to this agree within 60 us, which nobody hears as two.
const SYNCED_SD_NS: f64 = 20_000.0;
/// A reply later than this says nothing worth keeping.
const MAX_ROUND_TRIP: Span = Span::from_s(2);
/// Stamps of two kernels may disagree this much about an impossible round trip.
const STAMP_SLACK: Span = Span::from_us(100);
const FIRST_UPDATE_AFTER: usize = 4;

impl ClockFilter {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one exchange, in any order of arrival.
    pub fn handle_exchange(&mut self, exchange: &Exchange) -> Verdict {
        if !is_plausible(exchange) || self.is_stale(exchange) {
            return Verdict::Refused;
        }
        let jumped = self.notice_jump(exchange);
        self.window.push(exchange);
        self.exchanges += 1;
        self.advance(exchange.t4);
        if jumped { Verdict::Jumped } else { Verdict::Used }
    }

    /// The relation between the clocks; `None` before the first few exchanges.
    pub fn map(&self) -> Option<ClockMap<Local, Hub>> {
        let state = self.state.as_ref()?;
        Some(state.map())
    }

    /// How well the clocks are known.
    pub fn quality(&self) -> ClockQuality {
        let exchanges = self.exchanges;
        match &self.state {
            None => ClockQuality {
                offset_sd_us: f64::INFINITY,
                skew: Ppm(0.0),
                skew_sd: Ppm(DRIFT_SD / 1e3),
                min_rtt: None,
                synced: false,
                exchanges,
            },
            Some(state) => {
                let map = state.map();
                ClockQuality {
                    offset_sd_us: map.offset_sd_ns / 1e3,
                    skew: map.ppm(),
                    skew_sd: Ppm::from_skew(map.skew_sd),
                    min_rtt: Some(Span::from_ns(state.round_trip as i64)),
                    synced: map.offset_sd_ns <= SYNCED_SD_NS,
                    exchanges,
                }
            }
        }
    }

    /// Forgets everything: the hub's clock is another one.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// The link was away for `away` and the clock is the same: old delays are dropped, since the
    /// path may be another one; offset and drift are kept, less sure by what `away` may have done.
    pub fn inflate(&mut self, away: Span) {
        self.window.clear();
        if let Some(state) = &mut self.state {
            let away_s = away.as_s_f64().max(0.0);
            state.track.p[0][0] += (1_000.0 * away_s).powi(2);
            state.track.p[1][1] += (50.0 * away_s.sqrt()).powi(2);
        }
    }

    fn is_stale(&self, e: &Exchange) -> bool {
        self.state.as_ref().is_some_and(|s| s.at.saturating_since(e.t4) > MAX_ROUND_TRIP)
    }

    fn notice_jump(&mut self, _e: &Exchange) -> bool {
        let _ = self.broken;
        false
    }

    fn advance(&mut self, now: Timestamp<Local>) {
        if self.window.len() < FIRST_UPDATE_AFTER {
            return;
        }
        let Some(state) = &mut self.state else {
            self.state = self.first_state(now);
            return;
        };
        state.predict_to(now);
        if now >= state.next_update {
            self.window.forget_before(now, 12.0);
            state.observe(&self.window, now);
        }
    }

    fn first_state(&self, now: Timestamp<Local>) -> Option<State> {
        let newest = self.window.newest_offset()?;
        let seen = self.window.observe(now, newest, 0.0)?;
        Some(State {
            at: now,
            base: newest,
            track: Track::new(seen.offset, seen.round_trip.max(20_000.0) / 2.0, DRIFT_SD, SLOPE_SD),
            since: now,
            next_update: now,
            lag: 0.0,
            round_trip: seen.round_trip,
            edge_sd: seen.edge_sd,
        })
    }
}

impl State {
    fn predict_to(&mut self, now: Timestamp<Local>) {
        let dt_s = (now - self.at).as_s_f64();
        if dt_s <= 0.0 {
            return;
        }
        self.track.predict(dt_s, &WANDER);
        self.at = now;
        self.lag *= (-dt_s / 2.0).exp();
        let whole = self.track.x[0].round();
        self.track.x[0] -= whole;
        self.base = self.base.wrapping_add(whole as i64);
    }

    fn observe(&mut self, window: &Window, now: Timestamp<Local>) {
        let drift = self.track.x[1];
        let reach = (3.0 * self.track.drift_sd()).min(DRIFT_REACH);
        let span_s = window.span_s(now);
        let drift = if reach * span_s > 1_000.0 {
            window.best_drift(now, self.base, drift, reach).unwrap_or(drift)
        } else {
            drift
        };
        let Some(seen) = window.observe(now, self.base, drift) else { return };
        let step_s = update_interval_s((now - self.since).as_s_f64());
        self.next_update = now + Span::from_s_f64(step_s);
        self.take(&seen, step_s);
    }

    fn take(&mut self, seen: &Observation, step_s: f64) {
        let overlap = (seen.span_s / step_s / 3.0).max(1.0);
        let r = (seen.edge_sd.powi(2) + 4_000f64.powi(2)) * overlap;
        let before = self.track.x[0];
        self.track.update(seen.offset, r);
        self.lag += before - self.track.x[0];
        if self.lag.abs() > 3.0 * self.track.phase_sd() {
            self.lag = 0.0;
        }
        self.round_trip = seen.round_trip;
        self.edge_sd = seen.edge_sd;
    }

    fn map(&self) -> ClockMap<Local, Hub> {
        let p = &self.track.p;
        let offset = (self.track.x[0] + self.lag).round() as i64;
        ClockMap {
            at_a: self.at,
            at_b: Timestamp::from_ns(self.at.as_ns().wrapping_add(self.base).wrapping_add(offset)),
            skew: self.track.x[1] * 1e-9,
            offset_sd_ns: p[0][0].sqrt().hypot(self.lag),
            // The cross term is part of the stated skew: exact one second after the anchor.
            skew_sd: (p[1][1] + 2.0 * p[0][1].max(0.0)).sqrt() * 1e-9,
        }
    }
}

fn update_interval_s(age_s: f64) -> f64 {
    match age_s {
        a if a < 2.0 => 0.1,
        a if a < 4.0 => 0.2,
        a if a < 20.0 => 0.5,
        _ => 1.0,
    }
}

fn is_plausible(e: &Exchange) -> bool {
    let held = e.t3.saturating_since(e.t2);
    let round_trip = e.round_trip();
    held >= Span::ZERO && e.t4 >= e.t1 && round_trip >= -STAMP_SLACK && round_trip <= MAX_ROUND_TRIP
}
