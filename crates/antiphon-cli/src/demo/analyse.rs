//! From recordings to figures.

use antiphon_api::demo::{
    DEMO_SCHEMA, DemoReport, PercentilesUs, ProcessCost, Slice, StallReport, StallTime,
};
use antiphon_base::{Span, Timestamp, True};
use antiphon_measure::recording::{Recording, write_wav};
use antiphon_measure::spread::{Report, Request, Settings, Stall, measure};
use antiphon_measure::summary::Summary;
use antiphon_measure::{mix, plot};

use super::rig::{Cost, Rig};
use super::{Counts, DemoError, DemoPlan, Run};

/// Speakers of a stereo pair: as if one stood 2 cm further away.
const STEREO_US: f64 = 60.0;
/// Speakers of one room: 7 cm.
const ROOM_US: f64 = 200.0;
/// Beyond this two sounds no longer fuse without colour.
const FUSED_US: f64 = 2_000.0;
/// What sound goes in a microsecond, in mm, at 20 degrees.
const MM_PER_US: f64 = 0.343;

/// With more moments than this in which a speaker was not heard, how well the others agree is beside the point.
const SILENT_PERCENT: usize = 1;

/// Stalls told one by one: an hour on a machine that is fit to measure has fewer.
const STALLS_TOLD: usize = 1_000;

/// How long after a stall the speakers may still be on their way back.
const RECOVERY: Span = Span::from_ms(500);

pub(super) fn judge(plan: &DemoPlan, source: &[f32], run: &Run) -> Result<DemoReport, DemoError> {
    let recordings = recordings(plan)?;
    judge_part(plan, source, run, &recordings, "")
}

/// What both speakers converted, from the first frame to the last.
pub(super) fn recordings(plan: &DemoPlan) -> Result<[Recording; 2], DemoError> {
    let read = |name| Recording::read(&Rig::recording(&plan.out, name), 0);
    let fault =
        |e: antiphon_measure::recording::RecordingError| DemoError::Judge(plan.out.clone(), e.to_string());
    Ok([read("left").map_err(fault)?, read("right").map_err(fault)?])
}

/// Judges one run of which `recordings` hold nothing but its music; `name` begins the names of files.
pub(super) fn judge_part(
    plan: &DemoPlan,
    source: &[f32],
    run: &Run,
    [left, right]: &[Recording; 2],
    name: &str,
) -> Result<DemoReport, DemoError> {
    let fault = |e: &dyn std::fmt::Display| DemoError::Judge(plan.out.clone(), e.to_string());
    let channel = |c: usize| source.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
    let spread = measure(&Request {
        source_left: &channel(0),
        source_right: &channel(1),
        left,
        right,
        start: Some(run.asked),
        stalls: &run.stalls,
        settings: Settings { recovery: RECOVERY, ..Settings::default() },
    })
    .map_err(|e| fault(&e))?;
    write_wav(&plan.out.join(format!("{name}stereo.wav")), &mix::midway(left, right))
        .map_err(|e| fault(&e))?;
    let title = "Right speaker against left, from the two recordings";
    let svg = plot::spread_over_time(title, &spread, &run.stalls).map_err(|e| fault(&e))?;
    std::fs::write(plan.out.join(format!("{name}spread.svg")), svg)
        .map_err(|e| DemoError::Write(plan.out.clone(), e))?;
    Ok(report(plan, run, &spread))
}

pub(super) fn stalls(witnessed: &[antiphon_net::witness::Stall]) -> Vec<Stall> {
    let stall = |s: &antiphon_net::witness::Stall| Stall {
        begin: Timestamp::from_ns(s.begin_ns),
        end: Timestamp::from_ns(s.end_ns),
    };
    witnessed.iter().map(stall).collect()
}

fn report(plan: &DemoPlan, run: &Run, spread: &Report) -> DemoReport {
    let during = |stall: &&Stall| stall.end >= run.asked && stall.begin <= run.ended;
    let stalls: Vec<_> = run.stalls.iter().filter(during).collect();
    let counts = run.status.as_ref().map(Counts::of).unwrap_or_default();
    DemoReport {
        schema: DEMO_SCHEMA,
        seconds: plan.seconds,
        network: plan.network.unwrap_or("loopback").to_owned(),
        latency_ms: plan.latency.as_ms_f64(),
        spread_us: percentiles(judged(spread)),
        spread_all_us: percentiles(&spread.all),
        windows: spread.counts.measured as u64,
        windows_not_heard: spread.counts.not_heard as u64,
        windows_not_heard_unexcused: unheard(spread) as u64,
        start_to_sync_ms: spread.opening.start_to_sync.map(Span::as_ms_f64),
        start_to_sound_ms: spread
            .opening
            .left_first_sound
            .max(spread.opening.right_first_sound)
            .map(|at| (at - run.asked).as_ms_f64()),
        first_spread_us: spread.opening.first_spread_us,
        lost: counts.lost,
        recovered: counts.recovered,
        concealed_ms: counts.concealed_ms,
        underruns: counts.underruns,
        stalls: StallReport {
            count: stalls.len() as u64,
            total_ms: stalls.iter().map(|s| (s.end - s.begin).as_ms_f64()).sum(),
            longest_ms: stalls.iter().map(|s| (s.end - s.begin).as_ms_f64()).fold(0.0, f64::max),
            excused_percent: spread.excused_share * 100.0,
            each: stalls.iter().take(STALLS_TOLD).map(|stall| stall_time(stall, run)).collect(),
        },
        slices: slices(run),
        processes: run.costs.iter().map(|(before, after)| cost(before.as_ref(), after, run)).collect(),
        conclusive: is_conclusive(spread),
        in_time: is_heard(spread) && judged(spread).p95 < FUSED_US,
        verdict: verdict(spread),
        files: plan.out.display().to_string(),
    }
}

fn percentiles(s: &Summary) -> PercentilesUs {
    PercentilesUs { p50: s.p50, p95: s.p95, p99: s.p99, max: s.max, bias: s.bias }
}

fn stall_time(stall: &Stall, run: &Run) -> StallTime {
    let at_ms = (stall.begin - run.asked).as_ms_f64();
    StallTime { at_ms, length_ms: (stall.end - stall.begin).as_ms_f64() }
}

fn slices(run: &Run) -> Vec<Slice> {
    let mut last = Counts::default();
    let mut slice = |&(at, now): &(Timestamp<True>, Counts)| {
        let then = std::mem::replace(&mut last, now);
        Slice {
            end_s: (at - run.asked).as_s_f64(),
            lost: now.lost.saturating_sub(then.lost),
            recovered: now.recovered.saturating_sub(then.recovered),
            concealed_ms: now.concealed_ms - then.concealed_ms,
            underruns: now.underruns.saturating_sub(then.underruns),
        }
    };
    run.counts.iter().map(&mut slice).collect()
}

fn cost(before: Option<&Cost>, after: &Cost, run: &Run) -> ProcessCost {
    let wall = (run.ended - run.asked).as_s_f64().max(0.1);
    let used_before = before.map_or(Span::ZERO, |before| before.usage.cpu);
    ProcessCost {
        name: after.name.to_owned(),
        cpu_percent: (after.usage.cpu - used_before).as_s_f64() / wall * 100.0,
        rss_kb: after.usage.rss_kb,
    }
}

/// Windows without a speaker, and without an excuse.
fn unheard(spread: &Report) -> usize {
    spread.windows.iter().filter(|w| w.is_not_heard() && !w.excused).count()
}

/// Stalls that did no harm need no excuse: where every window counts and the pair is still a stereo
/// pair, the run says something however many stalls there were.
fn needs_no_excuse(spread: &Report) -> bool {
    spread.counts.measured > 0 && spread.counts.not_heard == 0 && spread.all.p95 < STEREO_US
}

fn is_conclusive(spread: &Report) -> bool {
    spread.is_conclusive() || needs_no_excuse(spread)
}

/// The figures that the verdict speaks of: all windows, where none had to be excused.
fn judged(spread: &Report) -> &Summary {
    if needs_no_excuse(spread) { &spread.all } else { &spread.unexcused }
}

fn is_heard(spread: &Report) -> bool {
    unheard(spread) * 100 <= (spread.counts.measured + spread.counts.not_heard) * SILENT_PERCENT
}

fn verdict(spread: &Report) -> String {
    let s = judged(spread);
    if !is_conclusive(spread) {
        return format!(
            "Inconclusive: this machine was too busy. Its own stalls cover {:.0} % of the music (5 % at most count as \
             a measurement); stop what else it does and run it again.",
            spread.excused_share * 100.0
        );
    }
    let silent = unheard(spread);
    let all = spread.counts.measured + spread.counts.not_heard;
    if !is_heard(spread) {
        return format!("NOT played as it should be: in {silent} of {all} moments a speaker was not heard.");
    }
    let class = if s.p95 < STEREO_US {
        format!("a stereo pair, as if one speaker stood {:.0} mm further away", s.p99 * MM_PER_US)
    } else if s.p95 < ROOM_US {
        "fit for one room, not for stereo: the image may lean to one side".to_owned()
    } else if s.p95 < FUSED_US {
        "fused into one sound, with colour; fit for the next room".to_owned()
    } else {
        "NOT in time".to_owned()
    };
    let gaps = if silent > 0 {
        format!(" In {silent} of {all} moments a speaker was not heard.")
    } else {
        String::new()
    };
    format!("Half of all moments within {:.1} us, 99 of 100 within {:.1} us: {class}.{gaps}", s.p50, s.p99)
}
