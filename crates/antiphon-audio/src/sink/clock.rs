//! The virtual card's clock: which frame is converted at which true instant. Pure arithmetic.
//!
//! The clock is a chain of points, a quarter of a second apart, between which the rate is
//! constant. Points are whole frames at whole nanoseconds, so every conversion between them is
//! exact integer arithmetic, and the points written to the timeline file *are* the clock.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use antiphon_base::{Frames, SampleRate, Timestamp, True};
use antiphon_net::Noise;

use crate::uri::CardParams;

/// From here on the rate is constant, until the next point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DacPoint {
    /// A frame.
    pub frame: Frames,
    /// The true instant at which it is converted.
    pub at: Timestamp<True>,
}

/// Points kept in memory: four seconds, many times any card's buffer.
const KEPT: usize = 16;

/// The time constant of a warming crystal; cards drift 3 to 5 ppm in their first five minutes.
const WARMUP_S: f64 = 240.0;

/// Periods of the rate's wander, and their shares of it.
const WANDER_S: [(f64, f64); 3] = [(47.0, 0.5), (131.0, 0.3), (307.0, 0.2)];

/// A converter's clock that runs wrong, and wanders, as crystals do.
#[derive(Debug, Clone)]
pub struct DacClock {
    rate: SampleRate,
    ppm: f64,
    wander_ppm: f64,
    warmup_ppm: f64,
    phases: [f64; WANDER_S.len()],
    points: VecDeque<DacPoint>,
    /// What rounding the last point to the nanosecond left over: it must not add up.
    rest_ns: f64,
    /// The first point's instant.
    start: Timestamp<True>,
}

impl DacClock {
    /// A clock that converts frame 0 at `start`.
    pub fn new(card: &CardParams, start: Timestamp<True>) -> Self {
        let mut noise = Noise::new(card.seed);
        let mut points = VecDeque::with_capacity(KEPT + 1);
        points.push_back(DacPoint { frame: Frames(0), at: start });
        let mut clock = Self {
            rate: card.rate,
            ppm: card.ppm,
            wander_ppm: card.wander_ppm,
            warmup_ppm: card.warmup_ppm,
            phases: WANDER_S.map(|_| noise.uniform()),
            points,
            rest_ns: 0.0,
            start,
        };
        clock.step();
        clock
    }

    /// The frames from one point to the next.
    pub fn stride(&self) -> Frames {
        Frames(i64::from(self.rate.hz() / 4))
    }

    /// Adds one point to the end of the chain and returns it; the oldest goes when there are many.
    pub fn step(&mut self) -> DacPoint {
        let last = self.points[self.points.len() - 1];
        let exact_ns =
            self.stride().0 as f64 * 1e9 / self.rate_at((last.at - self.start).as_s_f64()) + self.rest_ns;
        self.rest_ns = exact_ns - exact_ns.round();
        let at = Timestamp::from_ns(last.at.as_ns() + exact_ns.round() as i64);
        let point = DacPoint { frame: last.frame + self.stride(), at };
        self.points.push_back(point);
        if self.points.len() > KEPT {
            self.points.pop_front();
        }
        point
    }

    /// The true instant at which `frame` is converted, to the nearest nanosecond.
    ///
    /// Outside the points in memory the nearest stretch's rate goes on.
    pub fn time_of(&self, frame: Frames) -> Timestamp<True> {
        let (from, to) = self.stretch(|point| point.frame <= frame);
        let ns = scale((frame - from.frame).0, (to.at - from.at).as_ns(), (to.frame - from.frame).0);
        Timestamp::from_ns(from.at.as_ns() + ns)
    }

    /// How many frames have been converted by `now`: those whose instant is not after it.
    pub fn converted_by(&self, now: Timestamp<True>) -> Frames {
        let (from, to) = self.stretch(|point| point.at <= now);
        let near = scale((now - from.at).as_ns(), (to.frame - from.frame).0, (to.at - from.at).as_ns());
        let mut frame = Frames(from.frame.0 + near + 1);
        while self.time_of(frame) > now {
            frame = frame - Frames(1);
        }
        frame + Frames(1)
    }

    /// The instant of the last point: before it, the clock is settled.
    pub fn known_until(&self) -> Timestamp<True> {
        self.points[self.points.len() - 1].at
    }

    /// The points in memory, oldest first.
    pub fn points(&self) -> impl Iterator<Item = DacPoint> {
        self.points.iter().copied()
    }

    /// The rate `s` seconds after the start, in frames a second.
    fn rate_at(&self, s: f64) -> f64 {
        let warmup = self.warmup_ppm * (1.0 - (-s / WARMUP_S).exp());
        let wander = WANDER_S
            .iter()
            .zip(&self.phases)
            .map(|((period, share), phase)| share * (TAU * (s / period + phase)).sin());
        f64::from(self.rate.hz()) * (1.0 + (self.ppm + warmup + self.wander_ppm * wander.sum::<f64>()) * 1e-6)
    }

    /// The last stretch whose first point is `before`, or the first stretch.
    fn stretch(&self, before: impl Fn(&DacPoint) -> bool) -> (DacPoint, DacPoint) {
        let last_start = self.points.len() - 2;
        let k = (1..=last_start).rev().find(|k| before(&self.points[*k])).unwrap_or(0);
        (self.points[k], self.points[k + 1])
    }
}

/// `value * numerator / denominator`, to the nearest whole, without overflow.
fn scale(value: i64, numerator: i64, denominator: i64) -> i64 {
    let product = i128::from(value) * i128::from(numerator);
    let denominator = i128::from(denominator);
    ((2 * product + denominator).div_euclid(2 * denominator)) as i64
}

#[cfg(test)]
mod tests {
    use antiphon_base::Span;
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp<True> = Timestamp::from_ns(7_000_000_000_123);

    fn clock(card: CardParams, seconds: i64) -> (DacClock, Vec<DacPoint>) {
        let mut clock = DacClock::new(&card, START);
        let mut points: Vec<_> = clock.points().collect();
        points.extend((0..4 * seconds).map(|_| clock.step()));
        (clock, points)
    }

    #[test]
    fn a_card_40_ppm_fast_converts_40_frames_in_a_million_too_many() {
        let (clock, _) = clock(CardParams { ppm: 40.0, ..CardParams::IDEAL }, 1_000);
        let converted = clock.converted_by(START + Span::from_s(1_000));
        assert_eq!(converted, Frames(48_000_000 + 48 * 40 + 1));
    }

    #[test]
    fn warming_up_by_3_ppm_is_2_7_milliseconds_in_twelve_minutes() {
        let (cold, _) = clock(CardParams::IDEAL, 720);
        let (warm, _) = clock(CardParams { warmup_ppm: 3.0, ..CardParams::IDEAL }, 720);
        let frame = Frames(48_000 * 720);
        let gained = cold.time_of(frame) - warm.time_of(frame);
        // The integral of 3e-6 * (1 - exp(-t / 240)) over 720 s.
        let exact = 3e-6 * (720.0 - 240.0 * (1.0 - (-3f64).exp()));
        assert!((gained.as_s_f64() - exact).abs() < 2e-6, "{gained:?} of {exact}");
    }

    #[test]
    fn rounding_points_to_the_nanosecond_does_not_add_up() {
        let card = CardParams { ppm: 33.3, ..CardParams::IDEAL };
        let (_, points) = clock(card, 3_600);
        let last = points[points.len() - 1];
        let exact = last.frame.0 as f64 / (48_000.0 * (1.0 + 33.3e-6));
        assert!(((last.at - START).as_s_f64() - exact).abs() < 2e-9);
    }

    #[test]
    fn wander_stays_within_its_limit_and_uses_it() {
        let (_, points) = clock(CardParams { wander_ppm: 2.0, ..CardParams::IDEAL }, 600);
        let ppm = |p: &[DacPoint]| (12_000.0 / 48_000.0 / (p[1].at - p[0].at).as_s_f64() - 1.0) * 1e6;
        let largest = points.windows(2).map(|p| ppm(p).abs()).fold(0.0, f64::max);
        assert!((1.0..=2.01).contains(&largest), "{largest} ppm");
    }

    fn any_card() -> impl Strategy<Value = CardParams> {
        let rates = prop::sample::select(vec![8_000, 44_100, 48_000, 96_000, 192_000]);
        (rates, -1000.0..1000.0, 0.0..100.0, -100.0..100.0, any::<u64>()).prop_map(
            |(rate, ppm, wander_ppm, warmup_ppm, seed)| CardParams {
                rate: SampleRate::new(rate).unwrap(),
                ppm,
                wander_ppm,
                warmup_ppm,
                seed,
                ..CardParams::IDEAL
            },
        )
    }

    proptest! {
        #[test]
        fn the_clock_is_monotonic_and_its_two_directions_agree(card in any_card(), seconds in 1i64..30, part in 0.0..1.0) {
            let (clock, _) = clock(card, seconds);
            let first = clock.points().next().unwrap().frame;
            let frame = first + Frames((part * (clock.stride().0 * 15) as f64) as i64);
            let at = clock.time_of(frame);
            prop_assert!(clock.time_of(frame + Frames(1)) > at);
            prop_assert_eq!(clock.converted_by(at), frame + Frames(1), "converted at its instant");
            prop_assert_eq!(clock.converted_by(at - Span::from_ns(1)), frame, "and not a nanosecond before");
        }

        #[test]
        fn the_timeline_alone_gives_the_same_instants(card in any_card(), seconds in 1i64..10, part in 0.0..1.0) {
            let (clock, points) = clock(card, seconds);
            let k = points.len() - 2;
            let frame = points[k].frame + Frames((part * clock.stride().0 as f64) as i64);
            let rate = (points[k + 1].frame - points[k].frame).0 as f64 / (points[k + 1].at - points[k].at).as_s_f64();
            let by_file = (frame - points[k].frame).0 as f64 / rate * 1e9;
            prop_assert!(((clock.time_of(frame) - points[k].at).as_ns() as f64 - by_file).abs() <= 1.0);
        }
    }
}
