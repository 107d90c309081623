//! What the recorder lost, or heard twice.
//!
//! A recorder on a busy machine loses a buffer, or the player stops for a moment: every speaker then goes on elsewhere, all by the
//! same, and what is between them is as it was. Such a place is spliced before anything is measured, so that the rounds after it lie
//! where those before it do. A step of one speaker alone is never spliced: that is what a measurement has to show.

use super::analysis::Splice;
use super::clock::Reader;
use super::excitation::Excitation;
use super::impulse::Deconvolver;
use super::place::{self, Leap};
use super::search::{Found, Stretch};

const PERIOD: usize = Excitation::PERIOD;
/// Two places in one round are told apart in the second pass; what is left then is for the judge.
const PASSES: usize = 2;

/// What was found with its splices, in the order of the track; as it is where nothing was lost.
pub(crate) fn mended(found: &Found, excitation: &Excitation) -> (Found, Vec<Splice>) {
    let deconvolver = Deconvolver::new(excitation);
    let mut mended = found.clone();
    let mut splices = Vec::new();
    for _ in 0..PASSES {
        let Some(stretch) = mended.best() else { break };
        let cuts = cuts(&mended, &stretch, &deconvolver, excitation);
        if cuts.is_empty() {
            break;
        }
        // From the end on, so that earlier places stay where they are.
        cuts.iter().rev().for_each(|cut| splice(&mut mended, cut));
        splices.extend(cuts.iter().map(|cut| cut.said));
    }
    splices.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    (mended, splices)
}

/// One place, in the recorder's frames.
struct Cut {
    at: usize,
    /// Frames that are too many (positive) or missing there.
    extra: isize,
    /// Frames of one period.
    period: usize,
    said: Splice,
}

fn cuts(found: &Found, stretch: &Stretch, deconvolver: &Deconvolver, excitation: &Excitation) -> Vec<Cut> {
    let power = |samples: &Vec<f32>| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let loudest = found.recorded.channels.iter().max_by(|a, b| power(a).total_cmp(&power(b)));
    let Some(samples) = loudest else { return Vec::new() };
    let speed = stretch.period / PERIOD as f64;
    let within = |s: f64| (s - found.recorded.begin_s) * Excitation::RATE_HZ / speed;
    let timeline = Reader::new().read(samples, 0.0, speed, (samples.len() as f64 / speed) as usize);
    let leaps =
        place::leaps(deconvolver, excitation, &timeline, (within(stretch.begin_s), within(stretch.end_s)));
    let cut = |leap: Leap| {
        let at = exactly(&timeline, &leap)?;
        let frame = leap.frame + at as isize - leap.at;
        // The fades are not measured.
        if !excitation.full().contains(&usize::try_from(frame).ok()?) {
            return None;
        }
        let later_us = leap.later / Excitation::RATE_HZ * 1e6;
        let said = Splice { later_us, at_s: frame as f64 / Excitation::RATE_HZ };
        let extra = (leap.later * speed).round() as isize;
        Some(Cut { at: (at as f64 * speed) as usize, extra, period: stretch.period.round() as usize, said })
    };
    leaps.into_iter().filter_map(cut).collect()
}

/// The frame of the timeline before which it sounds as before the leap, and from which on as after it: where both together differ least
/// from the period that taught, within a period of where the leap was seen.
fn exactly(timeline: &[f32], leap: &Leap) -> Option<usize> {
    let at = |n: isize| usize::try_from(n).ok().and_then(|n| timeline.get(n)).copied().map(f64::from);
    let period = PERIOD as isize;
    let taught = |n: isize| at(leap.taught + (n - leap.taught).rem_euclid(period));
    let (before, after) = (leap.shift.round() as isize, (leap.shift + leap.later).round() as isize);
    let mut best: Option<(f64, isize)> = None;
    // By how much more both differ if it is here instead of at the first frame.
    let mut more = 0.0;
    for n in leap.at - period..leap.at + period {
        let (Some(x), Some(before), Some(after)) = (at(n), taught(n - before), taught(n - after)) else {
            continue;
        };
        if best.is_none_or(|(least, _)| more < least) {
            best = Some((more, n));
        }
        more += (x - before).powi(2) - (x - after).powi(2);
    }
    best.and_then(|(_, n)| usize::try_from(n).ok())
}

/// Takes out what is too much, or puts in what sounded a period earlier where something is missing.
fn splice(found: &mut Found, cut: &Cut) {
    let at = cut.at;
    for samples in &mut found.recorded.channels {
        let at = at.min(samples.len());
        if cut.extra > 0 {
            samples.drain(at..(at + cut.extra.unsigned_abs()).min(samples.len()));
        } else {
            let from = at.saturating_sub(cut.period);
            let until = (from + cut.extra.unsigned_abs()).min(samples.len());
            let put_in = samples[from..until].to_vec();
            samples.splice(at..at, put_in);
        }
    }
    let at_s = found.recorded.begin_s + at as f64 / Excitation::RATE_HZ;
    let by_s = cut.extra as f64 / Excitation::RATE_HZ;
    let moved = |s: f64| if s > at_s { s - by_s } else { s };
    for stretch in &mut found.stretches {
        (stretch.begin_s, stretch.end_s) = (moved(stretch.begin_s), moved(stretch.end_s));
    }
    found.length_s = moved(found.length_s);
}
