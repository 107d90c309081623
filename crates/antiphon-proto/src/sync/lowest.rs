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

/// How many of the lowest each way are averaged.
const LOWEST: usize = 3;

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
    /// Hub minus local, less the base given, ns.
    pub offset: f64,
    /// Drift (hub over local, ns/s) at which both lower edges fit the samples best.
    pub drift: f64,
    /// Standard deviation of the edges' part of `offset`, ns.
    pub edge_sd: f64,
    /// Lowest delay there plus lowest delay back, ns.
    pub round_trip: f64,
    /// From the oldest to the newest sample used, s.
    pub span_s: f64,
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

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// Forgets all but the newest `count`.
    pub fn keep_newest(&mut self, count: usize) {
        let surplus = self.samples.len().saturating_sub(count);
        self.samples.drain(..surplus);
    }

    /// Forgets what is older than `span_s` before `now`.
    pub fn forget_before(&mut self, now: Timestamp<Local>, span_s: f64) {
        let oldest = now.as_ns().saturating_sub((span_s * 1e9) as i64);
        while self.samples.front().is_some_and(|s| s.t4 < oldest) {
            self.samples.pop_front();
        }
    }

    /// From the oldest sample to `now`, s.
    pub fn span_s(&self, now: Timestamp<Local>) -> f64 {
        self.samples.front().map_or(0.0, |s| now.as_ns().saturating_sub(s.t4) as f64 / 1e9)
    }

    /// The offset at `now` if the clocks drift by `drift` ns/s; `base` is subtracted in integers,
    /// so that offsets of days keep their nanoseconds. `None` without samples.
    pub fn observe(&self, now: Timestamp<Local>, base: i64, drift: f64) -> Option<Observation> {
        let (forward, backward) = self.edges(now, base, drift)?;
        let spread = (forward.spread.powi(2) + backward.spread.powi(2)).sqrt() / 2.0;
        Some(Observation {
            offset: (forward.level - backward.level) / 2.0,
            drift,
            edge_sd: spread,
            round_trip: forward.level + backward.level,
            span_s: self.span_s(now),
        })
    }

    /// The drift within `middle +- reach` at which the two lower edges lie highest together.
    ///
    /// Each edge's level is a minimum of lines in the drift, hence concave; so is their sum, and a
    /// ternary search finds its top. A wrong drift tilts the samples and lowers both edges.
    pub fn best_drift(&self, now: Timestamp<Local>, base: i64, middle: f64, reach: f64) -> Option<f64> {
        let height = |drift: f64| self.edges(now, base, drift).map(|(f, b)| f.level + b.level);
        let (mut low, mut high) = (middle - reach, middle + reach);
        // 0.7^24: the bracket shrinks 5,000 times, from +-200 ppm to 0.04 ppm.
        for _ in 0..24 {
            let third = (high - low) * 0.35;
            let (a, b) = (low + third, high - third);
            if height(a)? < height(b)? { low = a } else { high = b }
        }
        Some((low + high) / 2.0)
    }

    fn edges(&self, now: Timestamp<Local>, base: i64, drift: f64) -> Option<(Edge, Edge)> {
        let (mut forward, mut backward) = (Lowest::default(), Lowest::default());
        let now = now.as_ns();
        for s in &self.samples {
            let ago_sent = now.wrapping_sub(s.t1) as f64 * 1e-9;
            let ago_received = now.wrapping_sub(s.t4) as f64 * 1e-9;
            forward.add(s.forward.wrapping_sub(base) as f64 + drift * ago_sent);
            backward.add(s.backward.wrapping_add(base) as f64 - drift * ago_received);
        }
        Some((forward.edge()?, backward.edge()?))
    }
}

/// A lower edge of delays, in ns.
#[derive(Debug, Clone, Copy)]
struct Edge {
    level: f64,
    spread: f64,
}

/// The few smallest of the values added.
#[derive(Debug, Clone, Copy)]
struct Lowest {
    values: [f64; LOWEST + 1],
    count: usize,
}

impl Default for Lowest {
    fn default() -> Self {
        Self { values: [f64::INFINITY; LOWEST + 1], count: 0 }
    }
}

impl Lowest {
    fn add(&mut self, value: f64) {
        self.count += 1;
        if value >= self.values[LOWEST] {
            return;
        }
        let mut i = LOWEST;
        while i > 0 && self.values[i - 1] > value {
            self.values[i] = self.values[i - 1];
            i -= 1;
        }
        self.values[i] = value;
    }

    /// `None` if nothing was added.
    fn edge(&self) -> Option<Edge> {
        let kept = self.count.min(LOWEST + 1);
        let used = kept.saturating_sub(1).max(1);
        if self.count == 0 {
            return None;
        }
        let level = self.values[..used].iter().sum::<f64>() / used as f64;
        Some(Edge { level, spread: (self.values[kept - 1] - self.values[0]) / 2.0 })
    }
}
