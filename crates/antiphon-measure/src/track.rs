//! Follows the source through one whole recording, window after window.
//!
//! First a few windows spread over the programme are sought in all of the recording; the offset on
//! which most of them agree is the anchor. From there each window is expected where its
//! predecessor was, and where it is not, at the other anchors: a pause, a seek or a re-primed
//! speaker is found again, and a gap is reported as a gap.

use antiphon_base::{Timestamp, True};

use crate::align::{Aligner, Found, Match};
use crate::recording::Recording;
use crate::timeline::TrueTimeline;

/// Nanoseconds of one source frame.
pub(crate) const FRAME_NS: f64 = 1e9 / 48_000.0;
/// Windows sought in the whole recording.
const ANCHORS: usize = 9;
/// Length of such a window, and how far one of its searches reaches either way.
const ANCHOR_FRAMES: usize = 16_384;
const ANCHOR_SEARCH: usize = 24_576;
/// An anchor must correlate this well: a worse one may be another bar of the same tune.
const ANCHOR_QUALITY: f64 = 0.8;
/// Anchors nearer to each other than this speak of the same start, in nanoseconds.
const SAME_START_NS: f64 = 50e6;
/// A single window this far from both its neighbours is not believed, in nanoseconds: ten times what
/// a speaker corrects without slipping.
const STRAY_NS: f64 = 5e6;

/// One window of source in one recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heard {
    /// The match, and the true time of its reference frame in nanoseconds after the origin.
    At(Match, f64),
    Ambiguous,
    /// Correlates no better than this.
    Not(f64),
    SilentSource,
}

/// One speaker: its recording, and the channel of the source that it should have played.
pub(crate) struct Track<'a> {
    source: &'a [f32],
    samples: &'a [f32],
    timeline: &'a TrueTimeline,
    origin: Timestamp<True>,
    /// True time of source frame 0, in nanoseconds after the origin: one for every stretch found.
    starts: Vec<f64>,
}

impl<'a> Track<'a> {
    /// Anchors the recording; `None` if the source is nowhere in it.
    pub(crate) fn new(source: &'a [f32], recording: &'a Recording, origin: Timestamp<True>) -> Option<Self> {
        let mut track = Self {
            source,
            samples: &recording.samples,
            timeline: &recording.timeline,
            origin,
            starts: vec![],
        };
        track.starts = track.anchors();
        if track.starts.is_empty() { None } else { Some(track) }
    }

    /// Finds the windows around `centres` (ascending source frames), in order.
    pub(crate) fn follow(&self, aligner: &Aligner, centres: &[usize]) -> Vec<Heard> {
        let mut newest = self.starts[0];
        let heard = centres
            .iter()
            .map(|&centre| {
                let heard = self.find(aligner, centre, newest);
                if let Heard::At(m, ns) = heard {
                    newest = ns - m.reference * FRAME_NS;
                }
                heard
            })
            .collect();
        without_strays(heard)
    }

    /// True time of source frame `frame`, by the best anchor.
    pub(crate) fn expected_ns(&self, frame: f64) -> f64 {
        self.starts[0] + frame * FRAME_NS
    }

    /// The source frame that sounds at `ns`, by the best anchor.
    pub(crate) fn expected_frame(&self, ns: f64) -> f64 {
        (ns - self.starts[0]) / FRAME_NS
    }

    /// True time of the first frame of the programme that is louder than `level`. What sounded more
    /// than a second before the programme's earliest start is something else.
    pub(crate) fn first_sound(&self, level: f32) -> Option<f64> {
        let earliest = self.starts.iter().copied().fold(f64::MAX, f64::min) - 1e9;
        let from = self.timeline.frame_at(earliest, self.origin).max(0.0) as usize;
        let after = self.samples.get(from..)?.iter().position(|s| s.abs() > level)?;
        Some(self.timeline.ns_at((from + after) as f64, self.origin))
    }

    fn find(&self, aligner: &Aligner, centre: usize, newest: f64) -> Heard {
        let mut worst = Heard::Not(0.0);
        for start in std::iter::once(newest).chain(self.starts.iter().copied()) {
            match self.find_at(aligner, centre, start) {
                Heard::Not(quality) => {
                    if let Heard::Not(best) = worst {
                        worst = Heard::Not(best.max(quality));
                    }
                }
                Heard::Ambiguous => worst = Heard::Ambiguous,
                heard => return heard,
            }
        }
        worst
    }

    fn find_at(&self, aligner: &Aligner, centre: usize, start: f64) -> Heard {
        let expected = self.timeline.frame_at(start + centre as f64 * FRAME_NS, self.origin);
        match aligner.find(self.source, centre, self.samples, expected) {
            Found::Match(m) => Heard::At(m, self.timeline.ns_at(m.position, self.origin)),
            Found::Ambiguous => Heard::Ambiguous,
            Found::Poor(quality) => Heard::Not(quality),
            Found::Silent => Heard::SilentSource,
        }
    }

    /// True times of source frame 0 that the anchors speak of, the one with most support first.
    fn anchors(&self) -> Vec<f64> {
        let aligner = Aligner::new(ANCHOR_FRAMES, ANCHOR_SEARCH, ANCHOR_QUALITY);
        let length = self.source.len().min(self.samples.len());
        let mut found: Vec<(f64, f64)> = Vec::new();
        for i in 0..ANCHORS {
            let centre = length * (2 * i + 1) / (2 * ANCHORS);
            found
                .extend(self.anchor_near(&aligner, centre, &found).or_else(|| self.anchor(&aligner, centre)));
        }
        let support = |start: f64| -> f64 {
            found.iter().filter(|f| (f.0 - start).abs() < SAME_START_NS).map(|f| f.1).sum()
        };
        let mut starts: Vec<f64> = found.iter().map(|f| f.0).collect();
        starts.sort_by(|a, b| support(*b).total_cmp(&support(*a)));
        let mut distinct: Vec<f64> = Vec::new();
        for start in starts {
            if distinct.iter().all(|d| (d - start).abs() >= SAME_START_NS) {
                distinct.push(start);
            }
        }
        distinct
    }

    /// Seeks one window where earlier anchors say that it should be: nearly always, and quickly.
    fn anchor_near(&self, aligner: &Aligner, centre: usize, found: &[(f64, f64)]) -> Option<(f64, f64)> {
        let frame_of = |start: f64| self.timeline.frame_at(start + centre as f64 * FRAME_NS, self.origin);
        found.iter().find_map(|&(start, _)| self.start_from(aligner, centre, frame_of(start)))
    }

    /// Seeks one window in the whole recording.
    fn anchor(&self, aligner: &Aligner, centre: usize) -> Option<(f64, f64)> {
        let blocks = self.samples.len() / (2 * ANCHOR_SEARCH) + 1;
        (0..blocks)
            .filter_map(|block| self.start_from(aligner, centre, ((2 * block + 1) * ANCHOR_SEARCH) as f64))
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The start that the window around `centre` speaks of if it is heard around `frame`: (true time
    /// of source frame 0, quality).
    fn start_from(&self, aligner: &Aligner, centre: usize, frame: f64) -> Option<(f64, f64)> {
        match aligner.find(self.source, centre, self.samples, frame) {
            Found::Match(m) => {
                let ns = self.timeline.ns_at(m.position, self.origin);
                Some((ns - m.reference * FRAME_NS, m.quality))
            }
            _ => None,
        }
    }
}

/// A match far from the matches before and after it is no match: a window that a gap has cut can
/// resemble another place of the same note. What a speaker truly moved to, its next window confirms.
fn without_strays(heard: Vec<Heard>) -> Vec<Heard> {
    let start = |h: &Heard| match h {
        Heard::At(m, ns) => Some(ns - m.reference * FRAME_NS),
        _ => None,
    };
    let is_stray = |i: usize| {
        let Some(own) = start(&heard[i]) else { return false };
        let before = heard[..i].iter().rev().find_map(start);
        let after = heard[i + 1..].iter().find_map(start);
        let far = |other: Option<f64>| other.is_none_or(|o| (o - own).abs() > STRAY_NS);
        (before.is_some() || after.is_some()) && far(before) && far(after)
    };
    (0..heard.len()).map(|i| if is_stray(i) { Heard::Ambiguous } else { heard[i] }).collect()
}
