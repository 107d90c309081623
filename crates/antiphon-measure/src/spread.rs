//! How far apart two speakers truly were, from samples alone.
//!
//! For every window of the source and for each speaker: the true host time at which the window's
//! centre sounded, found by correlating the speaker's recording with its own channel of the source
//! (left with left, right with right). Spread = right minus left; positive means that the right
//! speaker is late. Nothing that the program says about itself enters.
//!
//! **Accuracy** on clean recordings: better than 0.1 us (tests with fractional delays, skewed and
//! changing clocks). A recording that runs up to 100 ppm off stretches by 0.8 frames within a
//! window; each match therefore names the frame that it speaks of, and the way from there to the
//! window's centre (at most 85 ms) is bridged at the programme's own rate, estimated from the same
//! recordings. While a speaker steers by x ppm for less than a window, its time within that window
//! is uncertain by x times that distance: 100 ppm, 5 us.
//!
//! **Nothing is dropped in silence.** A window is measured, or it says why it is not: the source is
//! silent, the speaker did not play it, or the sound is too periodic to tell. Windows that overlap
//! a stall of the machine are excused: both summaries, with and without them, are given, and a run
//! with more than 5 % excused is inconclusive.

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

use crate::align::Aligner;
use crate::recording::Recording;
use crate::summary::Summary;
use crate::track::{FRAME_NS, Heard, Track};

/// A run with more than this share of its windows excused says nothing.
pub const MAX_EXCUSED: f64 = 0.05;

/// Louder than this is sound: -80 dBFS, above the dither of 16 bits.
const AUDIBLE: f32 = 1e-4;

/// Windows of the opening, 43 ms every 10 ms: short enough to hear the first notes by themselves.
const OPENING_FRAMES: usize = 2_048;
const OPENING_HOP: usize = 480;
/// The opening ends this long after the later speaker's first sound, in source frames (1.5 s).
const OPENING_TAIL: usize = 72_000;
/// A speaker that begins this much later than the other joined late: the opening is then its own.
const OPENING_MAX: usize = 10 * 48_000;
const OPENING_SEARCH: usize = 2_400;
const OPENING_QUALITY: f64 = 0.8;

/// How to measure; the default suits music and the demo.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Length of one window of source, even.
    pub window: Frames,
    /// From one window's centre to the next.
    pub hop: Frames,
    /// How far from its expected place a window is looked for, either way.
    pub search: Frames,
    /// Windows that correlate less than this were not heard, 0 to 1.
    pub min_quality: f64,
    /// Spreads below this are "in sync": from about 60 us on, most listeners notice a shift between stereo
    /// channels.
    pub in_sync: Span,
    /// In sync "stays" when it holds for this long.
    pub settled_for: Span,
    /// A stall excuses what overlaps it, and what follows it within this.
    pub recovery: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Frames(8_192),
            hop: Frames(12_000),
            search: Frames(4_096),
            min_quality: 0.9,
            in_sync: Span::from_us(60),
            settled_for: Span::from_s(5),
            recovery: Span::ZERO,
        }
    }
}

/// An interval in which the machine itself stood still, as a witness logged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Its beginning.
    pub begin: Timestamp<True>,
    /// Its end.
    pub end: Timestamp<True>,
}

/// What to compare.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The source's left channel at 48 kHz, as far as it was played.
    pub source_left: &'a [f32],
    /// The source's right channel, equally long.
    pub source_right: &'a [f32],
    /// What the left speaker's DAC converted.
    pub left: &'a Recording,
    /// What the right speaker's DAC converted.
    pub right: &'a Recording,
    /// When somebody asked for sound; without it there is no start-to-sync.
    pub start: Option<Timestamp<True>>,
    /// The machine's stalls, in any order.
    pub stalls: &'a [Stall],
    /// How to measure.
    pub settings: Settings,
}

/// What one speaker did with one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    /// The window's centre sounded then.
    Heard {
        /// Nanoseconds after [`Report::origin`], with their fraction.
        at_ns: f64,
        /// Correlation with the source, 0 to 1.
        quality: f64,
    },
    /// The window is not in the recording: concealed, underrun, muted, or not playing.
    NotHeard {
        /// The best correlation found, 0 to 1.
        quality: f64,
    },
    /// Its place cannot be told: the sound is so periodic that another cycle fits as well, or the
    /// best fit is more than 5 ms from where the windows before and after it are.
    Ambiguous,
    /// The source is silent here.
    SilentSource,
}

/// One window of the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// The source frame at its centre.
    pub source_frame: Frames,
    /// The true time of its centre: as heard, or else as expected.
    pub at: Timestamp<True>,
    /// The left speaker.
    pub left: Side,
    /// The right speaker.
    pub right: Side,
    /// Overlaps a stall of the machine.
    pub excused: bool,
}

/// How many windows there were of each kind; they add up to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// With a spread.
    pub measured: usize,
    /// Not heard from one speaker or both, though the source sounds.
    pub not_heard: usize,
    /// Not to be told on one side or both: see [`Side::Ambiguous`].
    pub ambiguous: usize,
    /// The source is silent in one channel or both.
    pub silent: usize,
    /// Of all but the silent ones: excused by a stall.
    pub excused: usize,
}

/// How it began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Opening {
    /// The left speaker's first frame above -80 dBFS.
    pub left_first_sound: Option<Timestamp<True>>,
    /// The right speaker's.
    pub right_first_sound: Option<Timestamp<True>>,
    /// Spread of the first window that was heard from both, in microseconds.
    pub first_spread_us: Option<f64>,
    /// From here on both are heard and in sync for at least [`Settings::settled_for`].
    pub in_sync_at: Option<Timestamp<True>>,
    /// From the request's start to there.
    pub start_to_sync: Option<Span>,
}

/// What the recordings say.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Zero of the windows' times.
    pub origin: Timestamp<True>,
    /// Every window of the programme, in order.
    pub windows: Vec<Window>,
    /// Short windows around the first sounds, in order.
    pub opening_windows: Vec<Window>,
    /// Spreads in microseconds of every measured window.
    pub all: Summary,
    /// The same without what stalls excuse.
    pub unexcused: Summary,
    /// How many windows of each kind.
    pub counts: Counts,
    /// Excused windows as a share of those that are not silent.
    pub excused_share: f64,
    /// How it began.
    pub opening: Opening,
    /// How much faster than the machine's clock the programme ran, in ppm.
    pub programme_ppm: f64,
}

/// Why nothing could be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// A recording has another nominal rate; see [`Recording::at_media_rate`].
    #[error("the {0} recording is not at 48000 Hz; resample it on its timeline first")]
    Rate(&'static str),
    /// The source is nowhere in a recording.
    #[error("the {0} recording holds nothing of its source channel; did that speaker play this file?")]
    NotFound(&'static str),
    /// The window does not suit.
    #[error(
        "the window must be an even number of frames from 256 to 1048576, the hop and the search at least 1"
    )]
    Settings,
}

impl Window {
    /// Right minus left in microseconds, where both were heard.
    pub fn spread_us(&self) -> Option<f64> {
        match (self.left, self.right) {
            (Side::Heard { at_ns: left, .. }, Side::Heard { at_ns: right, .. }) => Some((right - left) / 1e3),
            _ => None,
        }
    }

    /// Whether the source sounds in both channels.
    pub fn is_silent(&self) -> bool {
        self.left == Side::SilentSource || self.right == Side::SilentSource
    }

    /// Whether a speaker did not play what it should have.
    pub fn is_not_heard(&self) -> bool {
        let missing = |side| matches!(side, Side::NotHeard { .. });
        !self.is_silent() && (missing(self.left) || missing(self.right))
    }
}

impl Report {
    /// Whether few enough windows were excused for the figures to mean anything.
    pub fn is_conclusive(&self) -> bool {
        self.counts.measured > 0 && self.excused_share <= MAX_EXCUSED
    }
}

/// Measures the spread between two recordings of one source.
pub fn measure(request: &Request<'_>) -> Result<Report, SpreadError> {
    let s = &request.settings;
    let sound = s.window.0 % 2 == 0 && (256..=1 << 20).contains(&s.window.0) && s.hop.0 > 0 && s.search.0 > 0;
    if !sound {
        return Err(SpreadError::Settings);
    }
    let origin = request.left.timeline.start().min(request.right.timeline.start());
    let left = track("left", request.source_left, request.left, origin)?;
    let right = track("right", request.source_right, request.right, origin)?;
    let pair = Pair { left, right, origin, request };

    let aligner = Aligner::new(s.window.0 as usize, s.search.0 as usize, s.min_quality);
    let centres = pair.centres(s.window.0 as usize, s.hop.0 as usize);
    let heard = pair.follow(&aligner, &centres);
    let rate = programme_rate(&heard);
    let windows = pair.windows(&centres, &heard, s.window.0 as usize, rate);

    let opening_aligner = Aligner::new(OPENING_FRAMES, OPENING_SEARCH, OPENING_QUALITY);
    let opening_centres = pair.opening_centres();
    let heard = pair.follow(&opening_aligner, &opening_centres);
    let opening_windows = pair.windows(&opening_centres, &heard, OPENING_FRAMES, rate);

    let opening = pair.opening(&opening_windows, &windows);
    Ok(report(origin, windows, opening_windows, opening, rate))
}

fn track<'a>(
    name: &'static str,
    source: &'a [f32],
    recording: &'a Recording,
    origin: Timestamp<True>,
) -> Result<Track<'a>, SpreadError> {
    if recording.rate != SampleRate::MEDIA {
        return Err(SpreadError::Rate(name));
    }
    Track::new(source, recording, origin).ok_or(SpreadError::NotFound(name))
}

fn report(
    origin: Timestamp<True>,
    windows: Vec<Window>,
    opening_windows: Vec<Window>,
    opening: Opening,
    rate: f64,
) -> Report {
    let mut counts = Counts::default();
    for window in &windows {
        counts.excused += usize::from(window.excused && !window.is_silent());
        *match window {
            w if w.is_silent() => &mut counts.silent,
            w if w.is_not_heard() => &mut counts.not_heard,
            w if w.spread_us().is_some() => &mut counts.measured,
            _ => &mut counts.ambiguous,
        } += 1;
    }
    let all: Vec<f64> = windows.iter().filter_map(Window::spread_us).collect();
    let unexcused: Vec<f64> = windows.iter().filter(|w| !w.excused).filter_map(Window::spread_us).collect();
    let sounding = (windows.len() - counts.silent).max(1);
    Report {
        origin,
        all: Summary::of(&all),
        unexcused: Summary::of(&unexcused),
        excused_share: counts.excused as f64 / sounding as f64,
        counts,
        opening,
        programme_ppm: -rate * 1e6,
        windows,
        opening_windows,
    }
}

/// Both speakers on one time axis.
struct Pair<'a> {
    left: Track<'a>,
    right: Track<'a>,
    origin: Timestamp<True>,
    request: &'a Request<'a>,
}

impl Pair<'_> {
    fn source_frames(&self) -> usize {
        self.request.source_left.len().min(self.request.source_right.len())
    }

    /// Centres of whole windows over all of the source.
    fn centres(&self, window: usize, hop: usize) -> Vec<usize> {
        (window / 2..=self.source_frames().saturating_sub(window / 2)).step_by(hop).collect()
    }

    /// Centres of short windows from the first sound to a while after the later speaker's.
    fn opening_centres(&self) -> Vec<usize> {
        let (Some(left), Some(right)) = (self.left.first_sound(AUDIBLE), self.right.first_sound(AUDIBLE))
        else {
            return vec![];
        };
        let left = self.left.expected_frame(left).max(0.0) as usize;
        let right = self.right.expected_frame(right).max(0.0) as usize;
        let (first, last) = (left.min(right), left.max(right));
        let first = if last - first > OPENING_MAX { last } else { first };
        let end = (last + OPENING_TAIL).min(self.source_frames());
        (first + OPENING_FRAMES / 2..end.saturating_sub(OPENING_FRAMES / 2)).step_by(OPENING_HOP).collect()
    }

    fn follow(&self, aligner: &Aligner, centres: &[usize]) -> Vec<(Heard, Heard)> {
        let right = self.right.follow(aligner, centres);
        self.left.follow(aligner, centres).into_iter().zip(right).collect()
    }

    fn windows(&self, centres: &[usize], heard: &[(Heard, Heard)], frames: usize, rate: f64) -> Vec<Window> {
        let window = |(&centre, &(left, right)): (&usize, &(Heard, Heard))| {
            let (left, right) = (side(left, centre, rate), side(right, centre, rate));
            let middle = match (left, right) {
                (Side::Heard { at_ns, .. }, _) | (_, Side::Heard { at_ns, .. }) => at_ns,
                _ => self.left.expected_ns(centre as f64),
            };
            let at = self.origin.saturating_add(Span::from_ns(middle.round() as i64));
            let excused = self.is_excused(at, frames);
            Window { source_frame: Frames(centre as i64), at, left, right, excused }
        };
        centres.iter().zip(heard).map(window).collect()
    }

    fn is_excused(&self, centre: Timestamp<True>, frames: usize) -> bool {
        let half = Span::from_ns((frames as f64 / 2.0 * FRAME_NS) as i64);
        let (begin, end) = (centre.saturating_add(-half), centre.saturating_add(half));
        let recovery = self.request.settings.recovery;
        self.request.stalls.iter().any(|s| s.begin < end && s.end.saturating_add(recovery) > begin)
    }

    fn opening(&self, short: &[Window], windows: &[Window]) -> Opening {
        let instant = |ns: f64| self.origin.saturating_add(Span::from_ns(ns.round() as i64));
        let left_first_sound = self.left.first_sound(AUDIBLE).map(instant);
        let right_first_sound = self.right.first_sound(AUDIBLE).map(instant);
        let after = short.last().map_or(Frames(i64::MIN), |w| w.source_frame);
        let all: Vec<&Window> =
            short.iter().chain(windows.iter().filter(|w| w.source_frame > after)).collect();
        let first_spread_us = all.iter().find_map(|w| w.spread_us());
        let later = left_first_sound.max(right_first_sound);
        let in_sync_at = self.in_sync_at(&all, later);
        let start_to_sync = in_sync_at.zip(self.request.start).map(|(at, start)| at.saturating_since(start));
        Opening { left_first_sound, right_first_sound, first_spread_us, in_sync_at, start_to_sync }
    }

    /// The instant from which `windows` (in order) stay in sync. Where that is so from the very first
    /// window on, it is the instant at which the later speaker is first heard.
    fn in_sync_at(&self, windows: &[&Window], later: Option<Timestamp<True>>) -> Option<Timestamp<True>> {
        let judged: Vec<(&Window, bool)> =
            windows.iter().filter_map(|w| self.in_sync(w).map(|ok| (*w, ok))).collect();
        let settled = self.request.settings.settled_for;
        let holds = |i: usize| {
            let end = judged[i].0.at.saturating_add(settled);
            judged[i..].iter().take_while(|(w, _)| w.at <= end).all(|&(_, ok)| ok)
        };
        let i = (0..judged.len()).find(|&i| holds(i))?;
        let at = judged[i].0.at;
        let window = Span::from_ns((OPENING_FRAMES as f64 * FRAME_NS) as i64);
        match later {
            Some(later) if i == 0 && later.saturating_since(at).abs() <= window => Some(later),
            _ => Some(at),
        }
    }

    /// Whether a window is in sync; `None` where it says nothing: silent, ambiguous, or out of sync with
    /// a stall as its excuse.
    fn in_sync(&self, window: &Window) -> Option<bool> {
        let limit = self.request.settings.in_sync.as_us_f64();
        let ok = match window.spread_us() {
            _ if window.is_silent() => return None,
            Some(spread) => spread.abs() < limit,
            None if window.is_not_heard() => false,
            None => return None,
        };
        (ok || !window.excused).then_some(ok)
    }
}

/// The time of the window's centre: from the frame that the match speaks of, onward at the
/// programme's rate.
fn side(heard: Heard, centre: usize, rate: f64) -> Side {
    match heard {
        Heard::At(m, ns) => {
            let way = (centre as f64 - m.reference) * FRAME_NS * (1.0 + rate);
            Side::Heard { at_ns: ns + way, quality: m.quality }
        }
        Heard::Ambiguous => Side::Ambiguous,
        Heard::Not(quality) => Side::NotHeard { quality },
        Heard::SilentSource => Side::SilentSource,
    }
}

/// How much longer than nominal the programme takes (a ratio minus one): the median over pairs of
/// matches half a programme apart, so that no single stall or gap decides. Zero for a programme of
/// fewer than eight windows.
fn programme_rate(heard: &[(Heard, Heard)]) -> f64 {
    let pairs = |pick: fn(&(Heard, Heard)) -> Heard| -> Vec<f64> {
        let places: Vec<(f64, f64)> = heard
            .iter()
            .filter_map(|h| match pick(h) {
                Heard::At(m, ns) => Some((m.reference * FRAME_NS, ns)),
                _ => None,
            })
            .collect();
        let half = places.len() / 2;
        (0..half)
            .map(|i| {
                let (a, b) = (places[i], places[i + half]);
                (b.1 - a.1) / (b.0 - a.0) - 1.0
            })
            .collect()
    };
    let mut slopes = pairs(|h| h.0);
    slopes.extend(pairs(|h| h.1));
    slopes.sort_by(f64::total_cmp);
    // A pause or a seek between a pair is no rate.
    slopes.retain(|s| s.abs() < 1e-3);
    if slopes.len() < 8 { 0.0 } else { slopes[slopes.len() / 2] }
}

#[cfg(test)]
mod tests;
