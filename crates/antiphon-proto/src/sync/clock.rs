//! The hub's clock as seen from here.

use antiphon_base::{ClockMap, Hub, Local, Ppm, Span, Timestamp};

use super::exchange::Exchange;
use super::lowest::Window;
use super::track::{Track, Wander};

/// What became of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the estimate.
    Used,
    /// Its timestamps contradict each other or those before it, or it is too old: the hub or the
    /// network is at fault.
    Refused,
    /// It proved that a clock or the path jumped: older exchanges were dropped.
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
/// A window of exchanges (6 to 25 s, by how blurred it is) gives one observation of the offset from
/// the lowest delays of each way; a Kalman filter follows offset, drift and the drift's slope from
/// window to window. Feed it with [`handle_exchange`](Self::handle_exchange),
/// read it with [`map`](Self::map) and [`quality`](Self::quality). A new hub clock id needs
/// [`reset`](Self::reset); a gap in the exchanges needs nothing, as uncertainty grows by itself.
#[derive(Debug, Clone, Default)]
pub struct ClockFilter {
    window: Window,
    state: Option<State>,
    exchanges: u64,
}

#[derive(Debug, Clone)]
struct State {
    /// The newest exchange's arrival: the instant that `track` speaks of.
    at: Timestamp<Local>,
    /// Hub minus local in whole nanoseconds; `track` and `banked` hold what is left.
    base: i64,
    /// All that is known.
    track: Track,
    /// What was known at `banked_at`, without the exchanges in the window: each counts once.
    banked: Track,
    banked_at: Timestamp<Local>,
    /// First exchange since the last reset or jump.
    since: Timestamp<Local>,
    next_update: Timestamp<Local>,
    /// Handed-out offset minus the filter's: new knowledge is let in gradually.
    lag: f64,
    /// Least delay of each way in this window and the one before, and in this one, ns.
    least: Option<Least>,
    least_in_window: Option<Least>,
    least_before: Option<Least>,
    /// How well the window shows the offset, ns.
    edge_sd: f64,
    /// Exchanges that lay impossibly far below the least delay, and when the newest did.
    impossible: u32,
    impossible_at: Timestamp<Local>,
}

#[derive(Debug, Clone, Copy)]
struct Least {
    there: f64,
    back: f64,
}

impl Least {
    fn lower(&self, other: &Self) -> Self {
        Self { there: self.there.min(other.there), back: self.back.min(other.back) }
    }
}

/// Quartz at rest and in a warming case: 10 ppb a root second, and a slope of 3 ppm in 5 minutes.
const WANDER: Wander = Wander { phase: 0.0, drift: 100.0, slope_sd: 10.0, slope_lasts_s: 200.0 };
/// Crystals are sold with +-100 ppm, and two of them seldom differ by that much.
const DRIFT_SD: f64 = 50_000.0;
const SLOPE_SD: f64 = 10.0;
/// Before the first observation anything within this of the newest exchange is possible, ns.
const FIRST_OFFSET_SD: f64 = 1e9;
/// What no window shows, however clean: coarse kernel stamps, ns.
const STAMP_SD: f64 = 1_000.0;
/// New knowledge reaches the map with this time constant, s: the playout loop follows the map, and
/// a step would be heard as a change of pitch.
const LAG_S: f64 = 2.0;
/// Two speakers known to this agree within 60 us, which nobody hears as two.
const SYNCED_SD_NS: f64 = 20_000.0;
/// A reply later than this says nothing worth keeping.
const MAX_ROUND_TRIP: Span = Span::from_s(2);
/// Stamps of two kernels may disagree this much about an impossible round trip.
const STAMP_SLACK: Span = Span::from_us(100);
/// The first estimate needs two of each way at least; a third and fourth spare a wild start.
const FIRST_UPDATE_AFTER: usize = 4;
/// Packets cannot hurry: this many below the least delay, no further apart than `JUMP_WITHIN`, show
/// that a clock or the path jumped.
const JUMP_AFTER: u32 = 3;
const JUMP_WITHIN: Span = Span::from_s(3);
/// Below the least delay by less than this is no jump, ns.
const JUMP_LEAST: f64 = 100_000.0;

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
        let verdict = self.judge(exchange);
        if verdict == Verdict::Refused {
            return verdict;
        }
        self.window.push(exchange);
        self.exchanges += 1;
        self.advance(exchange.t4);
        verdict
    }

    /// The relation between the clocks; `None` before the first few exchanges.
    pub fn map(&self) -> Option<ClockMap<Local, Hub>> {
        self.state.as_ref().map(State::map)
    }

    /// How well the clocks are known.
    pub fn quality(&self) -> ClockQuality {
        let map = self.map();
        let least = self.state.as_ref().and_then(|s| s.least);
        ClockQuality {
            offset_sd_us: map.map_or(f64::INFINITY, |m| m.offset_sd_ns / 1e3),
            skew: map.map_or(Ppm(0.0), |m| m.ppm()),
            skew_sd: Ppm::from_skew(map.map_or(DRIFT_SD * 1e-9, |m| m.skew_sd)),
            min_rtt: least.map(|l| Span::from_ns((l.there + l.back).max(0.0) as i64)),
            synced: map.is_some_and(|m| m.offset_sd_ns <= SYNCED_SD_NS),
            exchanges: self.exchanges,
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
            let away_s = away.as_s_f64().clamp(0.0, 1e5);
            // A case that cooled or a governor that changed: half a ppm an hour and more.
            state.track.p[1][1] += (100.0 * away_s.sqrt()).powi(2);
            state.since = state.at.saturating_add(away);
            state.bank();
            state.forget_least();
        }
    }

    fn is_stale(&self, e: &Exchange) -> bool {
        self.state.as_ref().is_some_and(|s| s.at.saturating_since(e.t4) > MAX_ROUND_TRIP)
    }

    /// Whether an exchange is possible beside those before it.
    fn judge(&mut self, e: &Exchange) -> Verdict {
        let Some(state) = &mut self.state else { return Verdict::Used };
        let below = state.below_least(e);
        if below <= JUMP_LEAST + 5.0 * state.track.phase_sd() + 6.0 * state.edge_sd {
            return Verdict::Used;
        }
        let alone = e.t4.saturating_since(state.impossible_at) > JUMP_WITHIN;
        state.impossible = if alone { 1 } else { state.impossible + 1 };
        state.impossible_at = e.t4;
        if state.impossible < JUMP_AFTER {
            return Verdict::Refused;
        }
        state.jump(below, e.t4);
        self.window.clear();
        Verdict::Jumped
    }

    fn advance(&mut self, now: Timestamp<Local>) {
        if self.state.is_none() && self.window.len() >= FIRST_UPDATE_AFTER {
            self.state = self.first_state(now);
        }
        let Some(state) = &mut self.state else { return };
        state.predict_to(now);
        if now < state.next_update {
            return;
        }
        state.learn(&self.window);
        if self.window.span_s(now) >= window_s(state.edge_sd) {
            state.bank();
            self.window.clear();
        }
    }

    fn first_state(&self, now: Timestamp<Local>) -> Option<State> {
        let base = self.window.newest_offset()?;
        let since = self.window.oldest()?;
        let track = Track::new(0.0, FIRST_OFFSET_SD, DRIFT_SD, SLOPE_SD);
        Some(State {
            at: since,
            base,
            track,
            banked: track,
            banked_at: since,
            since,
            next_update: now,
            lag: 0.0,
            least: None,
            least_in_window: None,
            least_before: None,
            edge_sd: FIRST_OFFSET_SD,
            impossible: 0,
            impossible_at: since,
        })
    }
}

impl State {
    fn predict_to(&mut self, now: Timestamp<Local>) {
        let dt_s = now.saturating_since(self.at).as_s_f64();
        if dt_s <= 0.0 {
            return;
        }
        self.track.predict(dt_s, &WANDER);
        self.at = now;
        self.lag *= (-dt_s / LAG_S).exp();
        let whole = self.track.x[0].round();
        self.track.x[0] -= whole;
        self.banked.x[0] -= whole;
        self.base = self.base.wrapping_add(whole as i64);
    }

    /// What was banked and what the window shows, together.
    fn learn(&mut self, window: &Window) {
        let now = self.at;
        let before = self.track.x[0];
        let mut track = self.banked;
        track.predict(now.saturating_since(self.banked_at).as_s_f64(), &WANDER);
        learn_drift(&mut track, window, now, self.base);
        let Some(seen) = window.observe(now, self.base, track.x[1]) else { return };
        let h = [1.0, -seen.ago_s, seen.ago_squared / 2.0];
        // The window was laid level by the drift expected, so only offset and slope are left.
        let innovation = seen.offset - track.x[0] - h[2] * track.x[2];
        track.update(h, innovation, seen.sd.powi(2) + STAMP_SD.powi(2));
        self.track = track;
        self.edge_sd = seen.sd;
        let offset = track.x[0];
        let least = Least { there: seen.floor_there - offset, back: seen.floor_back + offset };
        self.least_in_window = Some(least);
        self.least = Some(self.least_before.map_or(least, |before| before.lower(&least)));
        self.hand_over(before);
        let step_s = update_interval_s(now.saturating_since(self.since).as_s_f64());
        self.next_update = now.saturating_add(Span::from_s_f64(step_s));
    }

    /// Small corrections reach the map gradually, large ones at once.
    fn hand_over(&mut self, before: f64) {
        self.lag += before - self.track.x[0];
        if self.lag.abs() > self.track.phase_sd() {
            self.lag = 0.0;
        }
    }

    /// The window has told what it has to tell.
    fn bank(&mut self) {
        self.banked = self.track;
        self.banked_at = self.at;
        self.next_update = self.at;
        self.least_before = self.least_in_window.take();
    }

    /// How far an exchange lies below the least delay of the way on which it does so most, ns.
    fn below_least(&self, e: &Exchange) -> f64 {
        let Some(least) = self.least else { return 0.0 };
        let dt_s = e.t4.saturating_since(self.at).as_s_f64();
        let offset = self.track.x[0] + self.track.x[1] * dt_s;
        let there = e.t2.as_ns().wrapping_sub(e.t1.as_ns()).wrapping_sub(self.base) as f64 - offset;
        let back = e.t4.as_ns().wrapping_sub(e.t3.as_ns()).wrapping_add(self.base) as f64 + offset;
        (least.there - there).max(least.back - back)
    }

    /// A clock stepped or the path changed, by about `by`: the drift is still good.
    fn jump(&mut self, by: f64, now: Timestamp<Local>) {
        self.predict_to(now);
        // The jump may be larger: jitter hides part of it.
        self.track.p[0][0] += (3.0 * by).powi(2);
        self.edge_sd = FIRST_OFFSET_SD;
        self.impossible = 0;
        self.since = now;
        self.lag = 0.0;
        self.bank();
        self.forget_least();
    }

    fn forget_least(&mut self) {
        (self.least, self.least_in_window, self.least_before) = (None, None, None);
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

/// The tilt of the window's lower edges, as far as it says more than what is known.
fn learn_drift(track: &mut Track, window: &Window, now: Timestamp<Local>, base: i64) {
    let span_s = window.span_s(now);
    let expected = track.drift_sd();
    let Some(seen) = window.observe(now, base, track.x[1]) else { return };
    // A drift known so well tilts the window by nothing that its edges could show.
    if expected * span_s < 0.3 * seen.sd {
        return;
    }
    let Some((mean, sd)) = window.tilt(now, base, track.x[1], expected) else { return };
    // What the window alone says is the information gained.
    let before = 1.0 / expected.powi(2);
    let gained = sd.powi(-2) - before;
    if gained <= 0.1 * before {
        return;
    }
    let said = (mean * sd.powi(-2) - track.x[1] * before) / gained;
    let h = [0.0, 1.0, -span_s / 2.0];
    track.update(h, said - track.x[1] - h[2] * track.x[2], 1.0 / gained);
}

/// A blurred edge needs many samples, a sharp one leaves room to follow the clock's wander.
fn window_s(edge_sd_ns: f64) -> f64 {
    (8.0 * (edge_sd_ns / 1e3).sqrt()).clamp(6.0, 25.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A hub 3,000,000 s away and 40 ppm fast, over a path of 200 us each way with up to 80 us more.
    struct World {
        filter: ClockFilter,
        probes: i64,
        local_ns: i64,
        hub_ahead_ns: i64,
    }

    impl World {
        fn new() -> Self {
            let hub_ahead_ns = 3_000_000_000_000_000;
            Self { filter: ClockFilter::new(), probes: 0, local_ns: 7_000_000_000_000, hub_ahead_ns }
        }

        fn hub_at(&self, local_ns: i64) -> Timestamp<Hub> {
            let gained = ((local_ns - 7_000_000_000_000) as f64 * 40e-6) as i64;
            Timestamp::from_ns(local_ns + self.hub_ahead_ns + gained)
        }

        fn exchange(&mut self) -> Exchange {
            self.probes += 1;
            self.local_ns += 50_000_000;
            let there = 200_000 + (self.probes * 7_919 % 81) * 1_000;
            let back = 200_000 + (self.probes * 6_101 % 83) * 1_000;
            let reached = self.local_ns + there;
            let t4 = Timestamp::from_ns(reached + 30_000 + back);
            let (t2, t3) = (self.hub_at(reached), self.hub_at(reached + 30_000));
            Exchange { t1: Timestamp::from_ns(self.local_ns), t2, t3, t4 }
        }

        fn run(&mut self, probes: u32) -> Vec<Verdict> {
            (0..probes)
                .map(|_| {
                    let exchange = self.exchange();
                    self.filter.handle_exchange(&exchange)
                })
                .collect()
        }

        fn error(&self) -> Span {
            self.filter.map().unwrap().apply(Timestamp::from_ns(self.local_ns)) - self.hub_at(self.local_ns)
        }
    }

    #[test]
    fn a_clock_a_month_away_is_known_to_microseconds_after_half_a_minute() {
        let mut world = World::new();
        assert!(world.filter.map().is_none());
        assert!(world.run(600).iter().all(|v| *v == Verdict::Used));
        assert!(world.error().abs() < Span::from_us(3), "{:?}", world.error());
        let quality = world.filter.quality();
        assert!(quality.synced && (quality.skew.0 - 40.0).abs() < 0.1, "{quality:?}");
        assert!(quality.min_rtt.is_some_and(|rtt| (rtt - Span::from_us(400)).abs() < Span::from_us(30)));
    }

    #[test]
    fn it_is_in_sync_after_the_first_handful_of_exchanges() {
        let mut world = World::new();
        world.run(6);
        assert!(world.error().abs() < Span::from_us(60), "{:?}", world.error());
    }

    #[test]
    fn a_step_of_either_clock_is_noticed_and_followed_within_a_second() {
        for step_ms in [-500, -2, 2, 500] {
            let mut world = World::new();
            world.run(400);
            world.hub_ahead_ns += step_ms * 1_000_000;
            let verdicts = world.run(20);
            assert!(verdicts.contains(&Verdict::Jumped), "{step_ms} ms: {verdicts:?}");
            assert!(world.error().abs() < Span::from_us(60), "{step_ms} ms: {:?}", world.error());
        }
    }

    #[test]
    fn an_impossible_exchange_is_refused_and_changes_nothing() {
        let mut world = World::new();
        world.run(100);
        let before = world.filter.map();
        let good = world.exchange();
        let backwards = Exchange { t4: good.t1 - Span::from_ms(1), ..good };
        let slow_hub = Exchange { t3: good.t3 + Span::from_ms(5), ..good };
        let late = Exchange { t4: good.t4 + Span::from_s(3), ..good };
        let extreme = Exchange { t1: Timestamp::from_ns(i64::MIN), t4: Timestamp::from_ns(i64::MAX), ..good };
        let old = Exchange { t1: good.t1 - Span::from_s(4), t4: good.t4 - Span::from_s(4), ..good };
        for bad in [backwards, slow_hub, late, extreme, old] {
            assert_eq!(world.filter.handle_exchange(&bad), Verdict::Refused);
        }
        assert_eq!(world.filter.map(), before);
    }

    #[test]
    fn after_ten_seconds_away_the_clock_is_still_known_and_soon_better() {
        let mut world = World::new();
        world.run(600);
        world.local_ns += 10_000_000_000;
        world.filter.inflate(Span::from_s(10));
        assert!(world.error().abs() < Span::from_us(10), "{:?}", world.error());
        world.run(10);
        assert!(world.error().abs() < Span::from_us(20), "{:?}", world.error());
        assert!(world.filter.quality().synced);
    }

    proptest::proptest! {
        #[test]
        fn no_exchange_whatever_it_says_does_harm(stamps in proptest::collection::vec(
            (proptest::num::i64::ANY, 0..3_000_000_000i64, proptest::num::i64::ANY, -5..2_000_000_000i64), 1..40,
        )) {
            let mut filter = ClockFilter::new();
            for (t1, round, t2, held) in stamps {
                filter.handle_exchange(&Exchange {
                    t1: Timestamp::from_ns(t1),
                    t2: Timestamp::from_ns(t2),
                    t3: Timestamp::from_ns(t2.saturating_add(held)),
                    t4: Timestamp::from_ns(t1.saturating_add(round)),
                });
                let map = filter.map();
                proptest::prop_assert!(map.is_none_or(|m| m.skew.is_finite() && !m.offset_sd_ns.is_nan()));
            }
        }
    }

    #[test]
    fn a_reset_forgets_everything() {
        let mut world = World::new();
        world.run(100);
        world.filter.reset();
        assert!(world.filter.map().is_none() && !world.filter.quality().synced);
    }

    #[test]
    fn the_map_handed_out_moves_by_less_than_a_fifth_of_a_microsecond_a_time() {
        let mut world = World::new();
        world.run(1_000);
        let mut squares = 0.0;
        for _ in 0..600 {
            let before = world.filter.map().unwrap();
            world.run(1);
            let after = world.filter.map().unwrap();
            squares += (after.apply(after.at_a) - before.apply(after.at_a)).as_us_f64().powi(2);
        }
        let rms = (squares / 600.0).sqrt();
        assert!(rms < 0.2, "{rms} us");
    }
}
