//! Which period of the recording is which of the signal's, for every channel.
//!
//! The signal is periodic, so one period tells a delay only to within whole periods. Its fades tell
//! the rest: the fade-in's period is heard at a fifth of the full level, then come the periods at full
//! level, and after them what the fade-out leaves.

use super::excitation::Excitation;
use super::impulse::Deconvolver;
use super::measurement::Polarity;
use super::periods;
use super::track::{self, Follower, Point};

const PERIOD: usize = Excitation::PERIOD;
/// A period counts if at least this part of it was recorded.
const RECORDED: f64 = 0.9;
/// Channels are taken to be less than half a period apart unless their own fades say otherwise by
/// this much of their power.
const SURE: f64 = 0.1;
/// And that only if their own fit leaves no more than this of it unexplained: rounds that a jump took away look like a fade, and the
/// fit is as bad a period off.
const FITS: f64 = 0.1;
/// A step between two periods that no clock makes, in frames: 0.25 ms.
const LEAP: f64 = 12.0;
/// A period in which the signal fades out has 0.09 of the usual gain; where noise is found in its place, two channels do not agree.
const FADED: f64 = 0.05;
/// Periods that may teach what the others are compared with, counted from the middle one.
const TEACHERS: std::ops::RangeInclusive<isize> = -2..=2;
/// Steps of two channels that differ by less, in frames, are one: 20 us.
const ALIKE: f64 = 1.0;
/// Below this part of the full gain a period that should be full is missing.
const MISSING: f64 = 0.3;

/// Where one channel of the signal lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    /// Frame on the signal's clock with which its first period at full level arrives.
    pub(crate) full: isize,
    /// Frames of the full level that were not heard at its begin and at its end.
    pub(crate) missing: (usize, usize),
    /// The channel's greatest jump between two periods in which it sounds, where a jump it is.
    pub(crate) jump: Option<Jump>,
    pub(crate) polarity: Polarity,
}

/// A channel went on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Jump {
    /// Frames by which it is later from then on.
    pub(crate) later: f64,
    /// About when: frame of the signal.
    pub(crate) frame: isize,
}

/// All channels that are heard went on elsewhere, by the same: what is between them is as it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Leap {
    /// Frames by which all are later from then on.
    pub(crate) later: f64,
    /// When, to within a period: frame of the timeline.
    pub(crate) at: isize,
    /// The same as frame of the signal.
    pub(crate) frame: isize,
    /// Begin of a period in which nothing went on elsewhere, a frame of the timeline, and by how much later than there all were before.
    pub(crate) taught: isize,
    pub(crate) shift: f64,
}

/// Every channel in `timeline` (the recording on the signal's clock), which repeats itself within
/// `range` (frames). `None` if no channel is heard there.
pub(crate) fn locate(
    deconvolver: &Deconvolver,
    excitation: &Excitation,
    timeline: &[f32],
    range: (f64, f64),
) -> Option<Vec<Option<Place>>> {
    let profiles = profiles(deconvolver, timeline, range)?;
    let common = common_offset(excitation, &profiles);
    let place = |p: &Profile| {
        let own = p.fits(excitation);
        let left = own.cost(own.best());
        let is_elsewhere = left < FITS && own.cost(common) > left + SURE;
        let offset = if is_elsewhere { own.best() } else { common };
        Place {
            full: p.at(offset),
            missing: p.missing(excitation, offset),
            jump: p.jump(excitation, offset),
            polarity: Polarity::Unclear,
        }
    };
    Some(profiles.iter().map(|p| p.as_ref().map(place)).collect())
}

/// Where all channels, two at least, go on elsewhere by the same; in the order of time.
pub(crate) fn leaps(
    deconvolver: &Deconvolver,
    excitation: &Excitation,
    timeline: &[f32],
    range: (f64, f64),
) -> Vec<Leap> {
    // One that is elsewhere in its second half teaches two sounds, and every other period is like both.
    let taught_by = |k: isize| {
        let by = (k * PERIOD as isize) as f64;
        let profiles = profiles(deconvolver, timeline, (range.0 + by, range.1 + by))?;
        Some((
            profiles.iter().flatten().map(Profile::likeness).sum::<f64>(),
            middle(range) + k * PERIOD as isize,
            profiles,
        ))
    };
    let best = TEACHERS.filter_map(taught_by).max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, taught, profiles)) = best else { return Vec::new() };
    let offset = common_offset(excitation, &profiles);
    let heard: Vec<&Profile> = profiles.iter().flatten().collect();
    let Some((one, others)) = heard.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let others: Vec<Vec<Step>> = others.iter().map(|p| p.steps()).collect();
    let leap = |step: Step| {
        let alike = |other: &&Step| {
            (other.later - step.later).abs() < ALIKE && (other.at - step.at).abs() <= PERIOD as isize
        };
        let all: Option<Vec<&Step>> = others.iter().map(|steps| steps.iter().find(alike)).collect();
        let all = all?;
        let n = all.len() as isize + 1;
        let at = (step.at + all.iter().map(|other| other.at).sum::<isize>()) / n;
        let later = (step.later + all.iter().map(|other| other.later).sum::<f64>()) / n as f64;
        let frame = at - one.at(offset) + excitation.full().start as isize;
        Some(Leap { later, at, frame, taught, shift: step.before })
    };
    one.steps().into_iter().filter_map(leap).collect()
}

/// Begin of the period in the middle of `range`.
fn middle(range: (f64, f64)) -> isize {
    ((range.0 + range.1) / 2.0) as isize - PERIOD as isize / 2
}

/// Every channel that is heard, in every period of the timeline; all count their periods from the same one.
fn profiles(deconvolver: &Deconvolver, timeline: &[f32], range: (f64, f64)) -> Option<Vec<Option<Profile>>> {
    let begin = middle(range);
    let taught = periods::cut(deconvolver, timeline, begin, 1).pop()?;
    let responses = deconvolver.solve_roughly(&taught);
    let arrivals = responses.arrivals();
    let first: Vec<Option<usize>> = arrivals.iter().map(|a| a.map(|a| a.first)).collect();
    let follower = Follower::new(deconvolver, &responses.spectra, &first);
    let strongest = (0..first.len()).filter(|&c| first[c].is_some()).max_by(|&a, &b| {
        let size = |c: usize| arrivals[c].map_or(0.0, |a| a.peak_to_noise);
        size(a).total_cmp(&size(b))
    })?;
    let anchor = first[strongest]? as isize;
    let half = PERIOD as isize / 2;
    // Circular delays against the strongest channel, so that nearly equal ones are not a period apart.
    let near = |first: usize| (first as isize - anchor + half).rem_euclid(PERIOD as isize) - half + anchor;
    // All count their periods from the same one, the last that begins before the recording everywhere.
    let back = (begin + anchor + half).div_euclid(PERIOD as isize) + 1;
    let profile = |c: usize| {
        let first = near(first[c]?);
        let origin = begin + first - back * PERIOD as isize;
        Some(Profile::new(deconvolver, &follower, timeline, c, origin, first))
    };
    Some((0..first.len()).map(profile).collect())
}

/// Index of the first period at full level, as all channels together have it.
fn common_offset(excitation: &Excitation, profiles: &[Option<Profile>]) -> isize {
    profiles.iter().flatten().fold(Fits::default(), |sum, p| sum.plus(&p.fits(excitation))).best()
}

/// The periods that are used: where every channel is at its full level, its first frame and how many
/// there are (at least one).
pub(crate) fn common(
    excitation: &Excitation,
    places: &[Option<Place>],
    frames: usize,
) -> Option<(isize, usize)> {
    let full = (excitation.periods() * PERIOD) as isize;
    let heard = || places.iter().flatten();
    let begin = heard().map(|p| p.full + p.missing.0 as isize).max()?.max(0);
    let end = heard().map(|p| p.full + full - p.missing.1 as isize).min()?.min(frames as isize);
    let count = ((end - begin) / PERIOD as isize).max(1);
    Some((end - count * PERIOD as isize, count as usize))
}

/// One channel in every period of the recording.
struct Profile {
    /// Frame with which the period of index 0 arrives.
    begin: isize,
    /// `None` where too little of the period was recorded.
    points: Vec<Option<Point>>,
    /// Amplitude of what is expected of it.
    expected: f64,
}

/// A channel went on elsewhere, beyond what it drifts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    /// Frames.
    later: f64,
    /// When, to within a period: frame of the timeline.
    at: isize,
    /// Frames later than in what taught the follower, before the step.
    before: f64,
}

impl Profile {
    /// Of periods from frame `begin` on; `first` is the channel's delay in what taught the follower.
    fn new(
        deconvolver: &Deconvolver,
        follower: &Follower,
        timeline: &[f32],
        channel: usize,
        begin: isize,
        first: isize,
    ) -> Self {
        let period = PERIOD as isize;
        let count = (timeline.len() as isize - begin) / period + 1;
        let point = |k: isize| {
            let from = begin + k * period;
            let inside = (from + period).min(timeline.len() as isize) - from.max(0);
            (inside as f64 >= RECORDED * PERIOD as f64).then(|| {
                let spectrum = periods::cut(deconvolver, timeline, from, 1).remove(0);
                let advance = first.rem_euclid(period) as usize;
                // A channel that jumped sounds all the same.
                let point = follower.one(deconvolver, channel, &spectrum, advance, track::JUMPS);
                Point { gain: point.gain * period as f64 / inside as f64, ..point }
            })
        };
        Self { begin, points: (0..count).map(point).collect(), expected: follower.power(channel).sqrt() }
    }

    fn gains(&self) -> impl Iterator<Item = f64> {
        self.points.iter().flatten().map(|p| p.gain)
    }

    /// What most periods at full level have.
    fn usual(&self) -> f64 {
        let mut sizes: Vec<f64> = self.gains().collect();
        sizes.sort_by(f64::total_cmp);
        sizes.get(sizes.len() * 3 / 4).copied().unwrap_or(0.0)
    }

    /// See [`Place::jump`].
    fn jump(&self, excitation: &Excitation, offset: isize) -> Option<Jump> {
        let sounding = self.sounding(track::FOUND);
        let jumps = sounding.windows(2).map(|w| {
            let middle = (w[0].0 + w[1].0 + 1 - 2 * offset) * PERIOD as isize / 2;
            Jump { later: w[1].1 - w[0].1, frame: excitation.full().start as isize + middle }
        });
        let greatest = jumps.max_by(|a, b| a.later.abs().total_cmp(&b.later.abs()));
        greatest.filter(|jump| jump.later.abs() > track::REACH as f64)
    }

    /// Periods in which it has at least this part of its usual gain, and how much later it is there.
    fn sounding(&self, part: f64) -> Vec<(isize, f64)> {
        let usual = self.usual();
        let sounds = |p: &Point| p.gain > part * usual;
        (0..).zip(&self.points).filter_map(|(k, p)| p.filter(|p| sounds(p)).map(|p| (k, p.shift))).collect()
    }

    /// How well the period that taught explains the others.
    fn likeness(&self) -> f64 {
        self.usual() * self.expected
    }

    fn steps(&self) -> Vec<Step> {
        let sounding = self.sounding(FADED);
        let each = sounding.windows(2).map(|w| (w[1].1 - w[0].1) / (w[1].0 - w[0].0) as f64);
        let drift = periods::median(&mut each.filter(|later| later.abs() <= LEAP).collect::<Vec<_>>());
        let step = |w: &[(isize, f64)]| Step {
            later: w[1].1 - w[0].1 - drift * (w[1].0 - w[0].0) as f64,
            at: self.begin + (w[0].0 + w[1].0 + 1) * PERIOD as isize / 2,
            before: w[0].1,
        };
        sounding.windows(2).map(step).filter(|step| step.later.abs() > LEAP).collect()
    }

    fn at(&self, offset: isize) -> isize {
        self.begin + offset * PERIOD as isize
    }

    /// How badly the gains fit the signal's own, for every index that the first full period may have.
    fn fits(&self, excitation: &Excitation) -> Fits {
        let full = excitation.periods() as isize;
        let total: f64 = self.gains().map(|g| g * g).sum::<f64>().max(f64::MIN_POSITIVE);
        let first = -full;
        let cost = |offset: isize| {
            let (mut cross, mut own) = (0.0, 1e-9);
            for (k, point) in self.points.iter().enumerate() {
                let expected = usual_gain(excitation, k as isize - offset);
                let Some(point) = point else { continue };
                cross += point.gain * expected;
                own += expected * expected;
            }
            1.0 - cross.max(0.0).powi(2) / own / total
        };
        Fits { first, costs: (first..self.points.len() as isize + 1).map(cost).collect() }
    }

    /// Frames at full level that were not heard at the begin and at the end.
    fn missing(&self, excitation: &Excitation, offset: isize) -> (usize, usize) {
        let usual = self.usual();
        let absent = |j: usize| {
            let point = usize::try_from(offset + j as isize).ok().and_then(|k| self.points.get(k));
            point.copied().flatten().is_none_or(|p| p.gain < MISSING * usual)
        };
        let n = excitation.periods();
        let begin = (0..n).take_while(|&j| absent(j)).count();
        let end = (begin..n).rev().take_while(|&j| absent(j)).count();
        (begin * PERIOD, end * PERIOD)
    }
}

/// How badly each offset fits: 0 is exact, 1 is not at all.
#[derive(Default)]
struct Fits {
    first: isize,
    costs: Vec<f64>,
}

impl Fits {
    fn cost(&self, offset: isize) -> f64 {
        usize::try_from(offset - self.first).ok().and_then(|i| self.costs.get(i)).copied().unwrap_or(1.0)
    }

    fn best(&self) -> isize {
        let i = (0..self.costs.len()).min_by(|&a, &b| self.costs[a].total_cmp(&self.costs[b]));
        self.first + i.unwrap_or(0) as isize
    }

    fn plus(mut self, other: &Self) -> Self {
        if self.costs.is_empty() {
            return Self { first: other.first, costs: other.costs.clone() };
        }
        // One channel may have a period more at the end than another.
        self.costs.iter_mut().zip(&other.costs).for_each(|(a, b)| *a += b);
        self.costs.truncate(other.costs.len());
        self
    }
}

/// Mean gain of the signal in a period that begins `j` periods after its full level does.
fn usual_gain(excitation: &Excitation, j: isize) -> f64 {
    const STEP: usize = 256;
    let begin = excitation.full().start as isize + j * PERIOD as isize;
    let gain = |n: usize| usize::try_from(begin + n as isize).map_or(0.0, |frame| excitation.gain(frame));
    let count = PERIOD / STEP;
    (0..count).map(|n| gain(n * STEP + STEP / 2)).sum::<f64>() / count as f64
}
