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
///
/// A driver's position is a claim. A single one off the line is left out; a run of them moves the
/// line and raises a [`Doubt`], since a counter that jumps without anybody's having announced it is
/// as likely wrong as right. While the doubt lasts, the map's stated uncertainty is as large as the
/// jump. It ends when the claims come back to the old line or by [`reset`](Self::reset), after the
/// stream was primed anew; and of a small jump when all claims have kept to it for some seconds: a
/// sound server whose buffer changed.
#[derive(Debug, Clone)]
pub struct DacFilter {
    rate: SampleRate,
    state: Option<State>,
    /// Drift and its variance from before a reset: it is the same crystal.
    remembered: Option<(f64, f64)>,
    doubt: Option<Doubt>,
    /// How far the claims left the line in all, ns, and when last.
    strayed: f64,
    jumped_at: Option<Timestamp<Local>>,
    stamps: u64,
}

#[derive(Debug, Clone)]
struct State {
    /// The newest stamp's position: the instant that `track` speaks of.
    at: Timestamp<Dac>,
    /// Its local time, of the stamp that moved the counter on.
    moved_at: Timestamp<Local>,
    /// Local minus Dac in whole nanoseconds; `track` holds what is left.
    base: i64,
    track: Track,
    /// Variance of a stamp, learned; and from how many.
    stamp_variance: f64,
    learned_from: f64,
    off_line: OffLine,
}

/// Stamps in a row that are off the line.
#[derive(Debug, Clone, Copy, Default)]
struct OffLine {
    count: u32,
    since: Option<Timestamp<Local>>,
    sum: f64,
    squares: f64,
}

/// A sound card's quartz against the host's, and both in a warming case; ns and s.
const WANDER: Wander = Wander { phase: 0.0, drift: 10.0, slope_sd: 5.0, slope_lasts_s: 60.0 };
/// Sound cards are within +-150 ppm of nominal, nearly always.
const DRIFT_SD: f64 = 50_000.0;
/// A card that was just powered warms by 3 ppm with a time constant of one to four minutes.
const SLOPE_SD: f64 = 40.0;
/// No card warms exactly as the model says: stated uncertainty over the filter's own, so that 95 %
/// of the errors lie inside the stated interval (found by simulation).
const STATED: f64 = 1.1;
/// Scatter of stamps before it is learned, and how many stamps that guess is worth.
const STAMP_SD_NS: f64 = 50_000.0;
const GUESS_WORTH: f64 = 20.0;
/// What the scatter is averaged over: so many stamps at most, or those of so many seconds where they come slowly (a coarse
/// counter's first ones scatter far more than its later ones).
const SCATTER_OVER: f64 = 1_000.0;
const SCATTER_S: f64 = 20.0;
const SCATTER_LEAST: f64 = 30.0;
/// Outside this many standard deviations a stamp is off the line...
const GATE: f64 = 6.0;
/// ... and never within this, ns: clocks are read in microseconds.
const GATE_LEAST: f64 = 20_000.0;
/// So many stamps off the line for so long are a jump: longer than any late wake-up.
const JUMP_AFTER: u32 = 8;
const JUMP_LASTS: Span = Span::from_ms(80);
/// A counter that stands still for this long has stalled: ten long periods.
const STALL: Span = Span::from_ms(200);
/// Claims that come back to within this of the old line were wrong in between, ns.
const BACK_WITHIN: f64 = 500_000.0;
/// Claims that left the old line by less than this (ns), and have kept to the new one for so long, are believed.
const SMALL_JUMP: f64 = 2_000_000.0;
const BELIEVED_AFTER: Span = Span::from_s(3);

impl DacFilter {
    /// Knows nothing but the nominal rate.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, state: None, remembered: None, doubt: None, strayed: 0.0, jumped_at: None, stamps: 0 }
    }

    /// The driver says that `frame` was being converted at `at`. Returns a doubt that begins here.
    pub fn handle_stamp(&mut self, frame: Frames, at: Timestamp<Local>) -> Option<Doubt> {
        let position = Timestamp::<Dac>::from_ns(self.rate.span_of(frame).as_ns());
        self.stamps += 1;
        let Some(state) = &mut self.state else {
            self.state = Some(State::first(position, at, self.remembered));
            return None;
        };
        if position < state.at {
            self.restart(position, at);
            return self.raise(Doubt::WentBack);
        }
        if position == state.at {
            let stood = at.saturating_since(state.moved_at);
            let known = matches!(self.doubt, Some(Doubt::Stalled(_)));
            return if stood >= STALL && !known { self.raise(Doubt::Stalled(stood)) } else { None };
        }
        let Some(jumped_by) = state.take(position, at) else {
            self.believe_small_jump(at);
            return None;
        };
        self.jumped_at = Some(at);
        self.strayed += jumped_by;
        if self.strayed.abs() < BACK_WITHIN {
            self.strayed = 0.0;
            self.doubt = None;
            return None;
        }
        self.raise(Doubt::Jumped(Span::from_ns(-jumped_by as i64)))
    }

    /// The position begins anew, and any doubt with it. Only a move to another device forgets the
    /// rate.
    pub fn reset(&mut self, reason: ResetReason) {
        let drift = self.state.as_ref().map(|s| (s.track.x[1], s.track.p[1][1])).or(self.remembered);
        *self = Self::new(self.rate);
        if reason != ResetReason::Moved {
            self.remembered = drift;
        }
    }

    /// The relation between the clocks; `None` before the first stamp.
    pub fn map(&self) -> Option<ClockMap<Dac, Local>> {
        self.state.as_ref().map(|state| state.map(self.strayed))
    }

    /// What is doubtful about the positions claimed.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// How well the card's clock is known.
    pub fn quality(&self) -> DacQuality {
        let map = self.map();
        DacQuality {
            offset_sd_us: map.map_or(f64::INFINITY, |m| m.offset_sd_ns / 1e3),
            // The map goes from Dac to Local, so a fast card has a negative skew in it.
            skew: map.map_or(Ppm(0.0), |m| m.inverse().ppm()),
            skew_sd: Ppm::from_skew(map.map_or(DRIFT_SD * 1e-9, |m| m.skew_sd)),
            stamp_sd_us: self.state.as_ref().map_or(0.0, |s| s.stamp_variance.sqrt() / 1e3),
            stamps: self.stamps,
            doubt: self.doubt,
        }
    }

    fn believe_small_jump(&mut self, at: Timestamp<Local>) {
        let has_held = self.jumped_at.is_some_and(|since| at.saturating_since(since) >= BELIEVED_AFTER);
        if has_held && self.strayed.abs() < SMALL_JUMP && matches!(self.doubt, Some(Doubt::Jumped(_))) {
            (self.doubt, self.strayed) = (None, 0.0);
        }
    }

    fn raise(&mut self, doubt: Doubt) -> Option<Doubt> {
        self.doubt = Some(doubt);
        self.doubt
    }

    fn restart(&mut self, position: Timestamp<Dac>, at: Timestamp<Local>) {
        let drift = self.state.as_ref().map(|s| (s.track.x[1], s.track.p[1][1]));
        self.state = Some(State::first(position, at, drift));
        self.strayed = 0.0;
    }
}

impl State {
    fn first(at: Timestamp<Dac>, local: Timestamp<Local>, drift: Option<(f64, f64)>) -> Self {
        let mut track = Track::new(0.0, STAMP_SD_NS, DRIFT_SD, SLOPE_SD);
        if let Some((mean, variance)) = drift {
            track.x[1] = mean;
            track.p[1][1] = variance;
        }
        Self {
            at,
            moved_at: local,
            base: local.as_ns().wrapping_sub(at.as_ns()),
            track,
            stamp_variance: STAMP_SD_NS * STAMP_SD_NS,
            learned_from: GUESS_WORTH,
            off_line: OffLine::default(),
        }
    }

    /// Takes a stamp further on; how far the line jumped (ns), if it did.
    fn take(&mut self, position: Timestamp<Dac>, at: Timestamp<Local>) -> Option<f64> {
        let since_s = position.saturating_since(self.at).as_s_f64();
        self.predict_to(position);
        self.moved_at = at;
        let offset = at.as_ns().wrapping_sub(position.as_ns());
        let innovation = offset.wrapping_sub(self.base) as f64 - self.track.x[0];
        let expected = self.track.p[0][0] + self.stamp_variance;
        if innovation.abs() > (GATE * expected.sqrt()).max(GATE_LEAST) {
            return self.off_line.add(innovation, at).map(|(by, variance)| self.jump(by, variance));
        }
        self.off_line = OffLine::default();
        self.learn_scatter(innovation, since_s);
        self.track.update([1.0, 0.0, 0.0], innovation, self.stamp_variance);
        None
    }

    fn predict_to(&mut self, position: Timestamp<Dac>) {
        self.track.predict(position.saturating_since(self.at).as_s_f64(), &WANDER);
        self.at = position;
        let whole = self.track.x[0].round();
        self.track.x[0] -= whole;
        self.base = self.base.wrapping_add(whole as i64);
    }

    /// From a stamp that came `since_s` after the one before.
    fn learn_scatter(&mut self, innovation: f64, since_s: f64) {
        let most = (SCATTER_S / since_s).clamp(SCATTER_LEAST, SCATTER_OVER);
        self.learned_from = (self.learned_from + 1.0).min(most);
        let seen = innovation.powi(2) - self.track.p[0][0];
        self.stamp_variance += (seen - self.stamp_variance) / self.learned_from;
        // No driver stamps better than a microsecond.
        self.stamp_variance = self.stamp_variance.max(1e6);
    }

    /// The line moves by `by`, known as well as the stamps that say so.
    fn jump(&mut self, by: f64, variance: f64) -> f64 {
        self.track.x[0] += by;
        self.track.p[0] = [variance.max(self.stamp_variance), 0.0, 0.0];
        self.track.p[1][0] = 0.0;
        self.track.p[2][0] = 0.0;
        self.stamp_variance = self.stamp_variance.max(variance);
        self.learned_from = GUESS_WORTH;
        self.off_line = OffLine::default();
        by
    }

    fn map(&self, strayed: f64) -> ClockMap<Dac, Local> {
        let p = &self.track.p;
        let offset = self.base.wrapping_add(self.track.x[0].round() as i64);
        ClockMap {
            at_a: self.at,
            at_b: Timestamp::from_ns(self.at.as_ns().wrapping_add(offset)),
            skew: self.track.x[1] * 1e-9,
            offset_sd_ns: (STATED * p[0][0].sqrt()).hypot(strayed),
            // The cross term is part of the stated skew: exact one second after the anchor.
            skew_sd: (p[1][1] + 2.0 * p[0][1].max(0.0)).sqrt() * 1e-9,
        }
    }
}

impl OffLine {
    /// Counts a stamp; mean and variance of the run once it is long enough to be a jump.
    fn add(&mut self, innovation: f64, at: Timestamp<Local>) -> Option<(f64, f64)> {
        let since = *self.since.get_or_insert(at);
        self.count += 1;
        self.sum += innovation;
        self.squares += innovation * innovation;
        if self.count < JUMP_AFTER || at.saturating_since(since) < JUMP_LASTS {
            return None;
        }
        let mean = self.sum / f64::from(self.count);
        Some((mean, (self.squares / f64::from(self.count) - mean * mean).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 256;

    /// A card 50 ppm fast whose stamps are off by up to 80 us, evenly spread; local zero is far away.
    struct Card {
        filter: DacFilter,
        period: i64,
        /// Added to what the card claims.
        lie: Frames,
        /// The converter stood still for so long in all.
        stood: Span,
    }

    impl Card {
        fn new() -> Self {
            let filter = DacFilter::new(SampleRate::MEDIA);
            Self { filter, period: 0, lie: Frames(0), stood: Span::ZERO }
        }

        fn true_time(&self, frame: Frames) -> Timestamp<Local> {
            let span = SampleRate::MEDIA.span_of(frame).as_ns();
            let faster = (span as f64 * 50e-6) as i64;
            Timestamp::from_ns(1_000_000_000_000_000 + span - faster) + self.stood
        }

        fn run(&mut self, span: Span) -> Vec<Doubt> {
            let periods = SampleRate::MEDIA.frames_in(span).0 / PERIOD;
            (0..periods)
                .filter_map(|_| {
                    self.period += 1;
                    let frame = Frames(self.period * PERIOD);
                    let noise = Span::from_us((self.period * 7_919) % 161 - 80);
                    self.filter.handle_stamp(frame + self.lie, self.true_time(frame) + noise)
                })
                .collect()
        }

        fn error(&self) -> Span {
            let frame = Frames(self.period * PERIOD);
            let dac = Timestamp::from_ns(SampleRate::MEDIA.span_of(frame).as_ns());
            self.filter.map().unwrap().apply(dac) - self.true_time(frame)
        }
    }

    #[test]
    fn it_is_usable_after_a_fifth_of_a_second_and_knows_the_rate_after_ten_seconds() {
        let mut card = Card::new();
        assert!(card.filter.map().is_none());
        card.run(Span::from_ms(200));
        assert!(card.error().abs() < Span::from_us(15), "{:?}", card.error());
        assert!(card.run(Span::from_s(10)).is_empty());
        assert!(card.error().abs() < Span::from_us(4), "{:?}", card.error());
        let quality = card.filter.quality();
        assert!((quality.skew.0 - 50.0).abs() < 1.0, "{quality:?}");
        assert!((quality.stamp_sd_us - 46.0).abs() < 5.0, "{quality:?}");
    }

    #[test]
    fn one_wild_stamp_changes_nothing() {
        let mut card = Card::new();
        card.run(Span::from_s(5));
        let before = card.error();
        card.lie = Frames(2_976);
        assert!(card.run(Span::from_ms(6)).is_empty());
        assert!((card.error() - before).abs() < Span::from_us(1));
    }

    #[test]
    fn a_claim_62_ms_wrong_raises_a_doubt_and_is_stated_as_uncertainty() {
        let mut card = Card::new();
        card.run(Span::from_s(5));
        card.lie = Frames(2_976);
        let doubts = card.run(Span::from_ms(500));
        let [Doubt::Jumped(by)] = doubts[..] else { panic!("{doubts:?}") };
        assert!((by - Span::from_ms(62)).abs() < Span::from_us(100), "{by:?}");
        assert!(card.filter.map().unwrap().offset_sd_ns > 60e6);
        card.lie = Frames(0);
        card.period += 2_976 / PERIOD + 1;
        card.run(Span::from_ms(500));
        assert_eq!(card.filter.doubt(), None, "the claims came back to the old line");
        assert!(card.error().abs() < Span::from_us(30), "{:?}", card.error());
    }

    #[test]
    fn a_converter_that_stood_still_unannounced_moves_the_line_within_a_tenth_of_a_second() {
        let mut card = Card::new();
        card.run(Span::from_s(5));
        card.stood = Span::from_ms(40);
        assert_eq!(card.run(Span::from_ms(110)).len(), 1);
        assert!(card.error().abs() < Span::from_us(60), "{:?}", card.error());
        card.filter.reset(ResetReason::Reprimed);
        assert_eq!(card.filter.doubt(), None);
        card.run(Span::from_ms(200));
        assert!(card.error().abs() < Span::from_us(15), "{:?}", card.error());
        assert!((card.filter.quality().skew.0 - 50.0).abs() < 2.0, "the same crystal");
    }

    #[test]
    fn a_small_jump_is_believed_when_claims_have_kept_to_it_for_three_seconds_and_a_large_one_is_not() {
        for (stood, is_believed) in [(Span::from_us(1_200), true), (Span::from_ms(40), false)] {
            let mut card = Card::new();
            card.run(Span::from_s(5));
            card.stood = stood;
            assert_eq!(card.run(Span::from_s(2)).len(), 1);
            assert!(card.filter.doubt().is_some() && card.filter.map().unwrap().offset_sd_ns > 1e6);
            assert!(card.run(Span::from_s(8)).is_empty());
            assert_eq!(card.filter.doubt().is_none(), is_believed, "{stood:?}");
            assert_eq!(card.filter.quality().offset_sd_us < 100.0, is_believed, "{stood:?}");
        }
    }

    #[test]
    fn a_counter_that_stands_still_or_goes_back_is_doubted() {
        let mut card = Card::new();
        card.run(Span::from_s(1));
        let frame = Frames(card.period * PERIOD);
        let later = card.true_time(frame) + Span::from_ms(250);
        assert!(matches!(card.filter.handle_stamp(frame, later), Some(Doubt::Stalled(_))));
        assert_eq!(card.filter.handle_stamp(frame, later + Span::from_ms(5)), None, "said once");
        assert_eq!(card.filter.handle_stamp(Frames(9), later), Some(Doubt::WentBack));
    }

    #[test]
    fn stamps_at_the_ends_of_the_range_do_no_harm() {
        let mut filter = DacFilter::new(SampleRate::MEDIA);
        for (frame, at) in [(0, i64::MIN), (1, i64::MAX), (i64::MAX / 1_000_000, 0), (-5, i64::MIN)] {
            filter.handle_stamp(Frames(frame), Timestamp::from_ns(at));
            assert!(filter.map().is_some_and(|m| m.offset_sd_ns.is_finite() && m.skew.is_finite()));
        }
    }
}
