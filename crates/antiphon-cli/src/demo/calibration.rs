//! `antiphon demo --calibrate`: music, a calibration by microphone, music again.
//!
//! The calibration is a process of its own that hears and talks to the hub. What it is worth is for
//! the recordings to say: the same oracle, before and after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::demo::{CalibratedReport, DEMO_SCHEMA, DemoReport};
use antiphon_api::json;
use antiphon_api::measurement::CalibrateReport;
use antiphon_base::{Span, Timestamp, True};
use antiphon_measure::recording::Recording;
use antiphon_net::witness::Witness;

use super::rig::{CALIBRATION, Rig};
use super::{DemoError, DemoPlan, Run, analyse, compose, play};

/// Speakers of a stereo pair.
const STEREO_US: f64 = 60.0;

/// The last sound has left the speakers this long after the player has ended, the hidden delay
/// included.
const FADED: Span = Span::from_ms(800);

pub(super) fn run(
    plan: &DemoPlan,
    note: &dyn Fn(&str),
    stop: &Arc<AtomicBool>,
) -> Result<CalibratedReport, DemoError> {
    let (source, file) = compose(plan)?;
    let witness = Witness::start().map_err(|e| DemoError::System("watch for stalls", e))?;
    let mut rig = Rig::start(plan, Arc::clone(stop))?;
    note("Playing ...");
    let mut before = play(plan, &mut rig, &file, stop)?;
    note("Calibrating by a microphone in a room; it knows nothing but what it hears ...");
    std::thread::sleep(FADED.to_std());
    let calibration = calibrate(plan, &mut rig, stop)?;
    note("Playing again ...");
    let mut after = play(plan, &mut rig, &file, stop)?;
    std::thread::sleep(FADED.to_std());
    rig.finish()?;
    note("Correlating both recordings with the source ...");
    let stalls = analyse::stalls(&witness.stalls());
    (before.stalls, after.stalls) = (stalls.clone(), stalls);
    let recordings = analyse::recordings(plan)?;
    let judged = |run: &Run, name| analyse::judge_part(plan, &source, run, &part(&recordings, run), name);
    Ok(report(plan, judged(&before, "before-")?, judged(&after, "after-")?, calibration))
}

/// Runs the calibration to its end; what it said.
fn calibrate(plan: &DemoPlan, rig: &mut Rig, stop: &AtomicBool) -> Result<CalibrateReport, DemoError> {
    rig.calibrate()?;
    // Whether it kept what it found is for its report and the recordings to say.
    while rig.ended("calibration")?.is_none() {
        if stop.load(Ordering::Relaxed) {
            return Err(DemoError::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let failed = || DemoError::Calibration(plan.out.join("calibration.log"));
    let text = std::fs::read(plan.out.join(CALIBRATION)).map_err(|_| failed())?;
    json::read("the calibration", &text).map_err(|_| failed())
}

/// What the speakers converted in one run.
fn part(recordings: &[Recording; 2], run: &Run) -> [Recording; 2] {
    let (from, to): (Timestamp<True>, Timestamp<True>) = (run.asked, run.ended + FADED);
    recordings.each_ref().map(|recording| recording.part(from, to))
}

fn report(
    plan: &DemoPlan,
    before: DemoReport,
    after: DemoReport,
    calibration: CalibrateReport,
) -> CalibratedReport {
    let together = after.conclusive && after.spread_us.p95 < STEREO_US;
    let (was_ms, is_us) = (before.spread_all_us.bias / 1e3, after.spread_all_us.p95);
    let verdict = match (together, calibration.reasons.first()) {
        (true, _) => format!(
            "By the recordings the right speaker was {was_ms:.3} ms late; after the calibration 95 of 100 moments are \
             within {:.1} us: a stereo pair.",
            after.spread_us.p95
        ),
        (false, Some(reason)) => format!("NOT together: nothing was kept, because {reason}."),
        (false, None) if !after.conclusive => after.verdict.clone(),
        (false, None) => format!("NOT together: {is_us:.1} us apart after the calibration."),
    };
    CalibratedReport {
        schema: DEMO_SCHEMA,
        hidden_ms: plan.hidden_ms,
        before,
        calibration,
        after,
        together,
        verdict,
    }
}
