//! The lowest delays of each way, over a sliding window.
//!
//! A packet can be delayed but never hurried, so the least delayed packets show the clocks best.
//! The least delayed on the way to the hub and the least delayed on the way back are chosen
//! **independently**: on a busy radio both ways are rarely clean in one exchange, and choosing
//! whole exchanges by their round trip would waste the clean half of the others. (Moon, Skelly,
//! Towsley, "Estimation and removal of clock skew from network delay measurements", INFOCOM 1999,
//! for the one-way lower envelope.)

use std::collections::VecDeque;

use antiphon_base::{Local, Timestamp};

use super::exchange::Exchange;

/// How many of the lowest each way are kept: enough to see how densely they lie near the edge.
const LOWEST: usize = 8;

/// Standard deviation of an edge's level in steps between its lowest delays. An exponential edge
/// has 1; blurred by stamps and unequal bursts it is found by simulation to need this, so that 95 %
/// of the errors lie inside the stated interval.
const SD_OF_STEP: f64 = 1.4;

/// Edges are no sharper than this, ns: receive stamps are late by tens of microseconds at random.
const SOFT_NS: f64 = 2_000.0;

/// Points of a grid each side of its middle.
const GRID: i32 = 12;

/// The window's bound: 35 s of ten probes a second and two bursts of a hundred.
const MAX_SAMPLES: usize = 550;

/// One exchange: when each packet left or came, and its delay by the two clocks as they stood, ns.
#[derive(Debug, Clone, Copy)]
struct Sample {
    t1: i64,
    forward: i64,
    t4: i64,
    backward: i64,
}

/// What the window says about the offset at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Observation {
    /// Hub minus local, less the base given, ns: at `ago_s` before now, moved to now by the drift
    /// given.
    pub offset: f64,
    /// How long ago the offset was truly seen, s.
    pub ago_s: f64,
    /// The square of the same, likewise averaged over both ways, s^2.
    pub ago_squared: f64,
    /// Standard deviation of `offset`, ns.
    pub sd: f64,
    /// Lowest delay there, by the two clocks as they stand, less the base; ns.
    pub floor_there: f64,
    /// Lowest delay back, likewise.
    pub floor_back: f64,
}

/// The recent exchanges, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    samples: VecDeque<Sample>,
}

impl Window {
    pub fn push(&mut self, e: &Exchange) {
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            t1: e.t1.as_ns(),
            forward: e.t2.as_ns().wrapping_sub(e.t1.as_ns()),
            t4: e.t4.as_ns(),
            backward: e.t4.as_ns().wrapping_sub(e.t3.as_ns()),
        });
    }

    /// Hub minus local by the newest exchange alone, ns.
    pub fn newest_offset(&self) -> Option<i64> {
        self.samples.back().map(|s| s.forward.wrapping_sub(s.backward) / 2)
    }

    /// Arrival of the oldest exchange.
    pub fn oldest(&self) -> Option<Timestamp<Local>> {
        self.samples.front().map(|s| Timestamp::from_ns(s.t4))
    }

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// From the oldest sample to `now`, s.
    pub fn span_s(&self, now: Timestamp<Local>) -> f64 {
        self.samples.front().map_or(0.0, |s| now.as_ns().saturating_sub(s.t4) as f64 / 1e9)
    }

    /// The offset at `now` if the clocks drift by `drift` ns/s; `base` is subtracted in integers,
    /// so that offsets of days keep their nanoseconds. `None` without samples.
    pub fn observe(&self, now: Timestamp<Local>, base: i64, drift: f64) -> Option<Observation> {
        let (there, back) = self.edges(now, base, drift)?;
        Some(Observation {
            offset: (there.level - back.level) / 2.0,
            ago_s: (there.ago_s + back.ago_s) / 2.0,
            ago_squared: (there.ago_squared + back.ago_squared) / 2.0,
            sd: there.sd.hypot(back.sd) / 2.0,
            floor_there: there.level,
            floor_back: back.level,
        })
    }

    /// What the tilt of the lower edges says about the drift, given that it is `expected` with
    /// standard deviation `sd`: its mean and standard deviation afterwards.
    ///
    /// With exponential delays of density `1 / step` at the edge, the likelihood of a drift is
    /// `exp(lowest / step)`: a wrong drift tilts the samples and lowers both edges. It is summed
    /// over a grid, and again over finer ones where a grid proves too coarse.
    pub fn tilt(&self, now: Timestamp<Local>, base: i64, expected: f64, sd: f64) -> Option<(f64, f64)> {
        let (mut middle, mut reach) = (expected, 3.5 * sd);
        for _ in 0..2 {
            let (mean, found) = self.tilt_on_grid(now, base, (expected, sd), (middle, reach))?;
            let spacing = reach / f64::from(GRID);
            if found > 2.0 * spacing {
                return Some((mean, found));
            }
            (middle, reach) = (mean, 4.0 * spacing.max(found));
        }
        self.tilt_on_grid(now, base, (expected, sd), (middle, reach))
    }

    fn tilt_on_grid(
        &self,
        now: Timestamp<Local>,
        base: i64,
        (expected, sd): (f64, f64),
        (middle, reach): (f64, f64),
    ) -> Option<(f64, f64)> {
        let spacing = reach / f64::from(GRID);
        let grid: Vec<(f64, Edge, Edge)> = (-GRID..=GRID)
            .filter_map(|k| {
                let drift = middle + spacing * f64::from(k);
                self.edges(now, base, drift).map(|(there, back)| (drift, there, back))
            })
            .collect();
        let height = |(_, there, back): &(f64, Edge, Edge)| there.lowest + back.lowest;
        let best = grid.iter().max_by(|a, b| height(a).total_cmp(&height(b)))?;
        let (step_there, step_back) = (best.1.sd.hypot(SOFT_NS), best.2.sd.hypot(SOFT_NS));
        // The delays' own mean is unknown, so tilting pivots about the mean time of the samples.
        let pivot_s = self.mean_age_s(now);
        let logs = grid.iter().map(|(drift, there, back)| {
            let tilted = drift * pivot_s;
            let prior = ((drift - expected) / sd).powi(2) / 2.0;
            (*drift, (there.lowest - tilted) / step_there + (back.lowest + tilted) / step_back - prior)
        });
        let (mean, found) = moments(&logs.collect::<Vec<_>>(), middle);
        Some((mean, found.hypot(spacing / 2.0)))
    }

    fn mean_age_s(&self, now: Timestamp<Local>) -> f64 {
        let sum: f64 = self.samples.iter().map(|s| now.as_ns().wrapping_sub(s.t4) as f64 * 1e-9).sum();
        sum / self.samples.len().max(1) as f64
    }

    fn edges(&self, now: Timestamp<Local>, base: i64, drift: f64) -> Option<(Edge, Edge)> {
        let (mut there, mut back) = (Lowest::default(), Lowest::default());
        let now = now.as_ns();
        for s in &self.samples {
            let ago_sent = now.wrapping_sub(s.t1) as f64 * 1e-9;
            let ago_received = now.wrapping_sub(s.t4) as f64 * 1e-9;
            there.add(s.forward.wrapping_sub(base) as f64 + drift * ago_sent, ago_sent);
            back.add(s.backward.wrapping_add(base) as f64 - drift * ago_received, ago_received);
        }
        Some((there.edge()?, back.edge()?))
    }
}

/// Mean and standard deviation of points with log weights; `near` is a point among them.
fn moments(points: &[(f64, f64)], near: f64) -> (f64, f64) {
    let top = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for (x, log) in points {
        let weight = (log - top).exp();
        sum += weight;
        first += weight * (x - near);
        second += weight * (x - near).powi(2);
    }
    let mean = first / sum;
    (near + mean, (second / sum - mean * mean).max(0.0).sqrt())
}

/// A lower edge of delays, in ns.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// The least delay seen.
    lowest: f64,
    /// Where the edge is thought to be.
    level: f64,
    /// When `level` was seen, s before now.
    ago_s: f64,
    ago_squared: f64,
    sd: f64,
}

/// The few smallest of the values added, with their ages.
#[derive(Debug, Clone, Copy)]
struct Lowest {
    values: [(f64, f64); LOWEST],
    count: usize,
}

impl Default for Lowest {
    fn default() -> Self {
        Self { values: [(f64::INFINITY, 0.0); LOWEST], count: 0 }
    }
}

impl Lowest {
    fn add(&mut self, value: f64, ago_s: f64) {
        self.count += 1;
        let mut i = LOWEST - 1;
        if value >= self.values[i].0 {
            return;
        }
        while i > 0 && self.values[i - 1].0 > value {
            self.values[i] = self.values[i - 1];
            i -= 1;
        }
        self.values[i] = (value, ago_s);
    }

    /// The edge, `None` from fewer than two values.
    ///
    /// Near a sharp edge `n` exponential delays of mean `m` have their order statistics `m / n`
    /// apart, and the edge lies as far again below the least; where late stamps blur it, it lies
    /// at the least. Half a step is between the two, and what is wrong with it is wrong on both
    /// ways and cancels.
    fn edge(&self) -> Option<Edge> {
        let kept = self.count.min(LOWEST);
        if kept < 2 {
            return None;
        }
        let (first, last) = (self.values[0], self.values[kept - 1]);
        let steps = (kept - 1) as f64;
        let step = (last.0 - first.0) / steps;
        let beyond = |first: f64, last: f64| first - (last - first) / steps / 2.0;
        Some(Edge {
            lowest: first.0,
            level: beyond(first.0, last.0),
            ago_s: beyond(first.1, last.1),
            ago_squared: beyond(first.1.powi(2), last.1.powi(2)),
            sd: step * SD_OF_STEP * (1.0 + 1.0 / steps).sqrt(),
        })
    }
}
