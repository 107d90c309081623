//! From recordings to figures.

use antiphon_api::demo::{DEMO_SCHEMA, DemoReport, PercentilesUs, ProcessCost, StallReport};
use antiphon_base::{Span, Timestamp};
use antiphon_measure::recording::{Recording, write_wav};
use antiphon_measure::spread::{Report, Request, Settings, Stall, measure};
use antiphon_measure::summary::Summary;
use antiphon_measure::{mix, plot};

use super::rig::Rig;
use super::{DemoError, DemoPlan, Run};

/// What listeners of stereo notice begins here (SYNC classes: stereo pair).
const STEREO_US: f64 = 60.0;
/// Speakers of one room.
const ROOM_US: f64 = 200.0;
/// Beyond this two sounds no longer fuse without colour.
const FUSED_US: f64 = 2_000.0;

/// How long after a stall the speakers may still be on their way back.
const RECOVERY: Span = Span::from_ms(500);

pub(super) fn judge(plan: &DemoPlan, source: &[f32], run: &Run) -> Result<DemoReport, DemoError> {
    let fault = |e: &dyn std::fmt::Display| DemoError::Judge(plan.out.clone(), e.to_string());
    let [left, right] = ["left", "right"].map(|name| Recording::read(&Rig::recording(&plan.out, name), 0));
    let (left, right) = (left.map_err(|e| fault(&e))?, right.map_err(|e| fault(&e))?);
    let channel = |c: usize| source.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
    let spread = measure(&Request {
        source_left: &channel(0),
        source_right: &channel(1),
        left: &left,
        right: &right,
        start: Some(run.asked),
        stalls: &run.stalls,
        settings: Settings { recovery: RECOVERY, ..Settings::default() },
    })
    .map_err(|e| fault(&e))?;
    write_wav(&plan.out.join("stereo.wav"), &mix::midway(&left, &right)).map_err(|e| fault(&e))?;
    let title = "Right speaker against left, from the two recordings";
    let svg = plot::spread_over_time(title, &spread, &run.stalls).map_err(|e| fault(&e))?;
    std::fs::write(plan.out.join("spread.svg"), svg).map_err(|e| DemoError::Write(plan.out.clone(), e))?;
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
    let speakers = run.status.as_ref().map(|s| s.speakers.as_slice()).unwrap_or_default();
    let counts = |pick: fn(&antiphon_api::SpeakerReport) -> f64| {
        speakers.iter().filter_map(|s| s.report.as_ref()).map(pick).sum::<f64>()
    };
    DemoReport {
        schema: DEMO_SCHEMA,
        seconds: plan.seconds,
        network: plan.network.unwrap_or("loopback").to_owned(),
        latency_ms: plan.latency.as_ms_f64(),
        spread_us: percentiles(&spread.unexcused),
        spread_all_us: percentiles(&spread.all),
        windows: spread.counts.measured as u64,
        windows_not_heard: spread.counts.not_heard as u64,
        start_to_sync_ms: spread.opening.start_to_sync.map(Span::as_ms_f64),
        start_to_sound_ms: spread
            .opening
            .left_first_sound
            .max(spread.opening.right_first_sound)
            .map(|at| (at - run.asked).as_ms_f64()),
        first_spread_us: spread.opening.first_spread_us,
        lost: counts(|r| r.packets.lost as f64) as u64,
        recovered: counts(|r| r.packets.recovered as f64) as u64,
        concealed_ms: counts(|r| r.concealed_ms),
        underruns: counts(|r| r.underruns as f64) as u64,
        stalls: StallReport {
            count: stalls.len() as u64,
            total_ms: stalls.iter().map(|s| (s.end - s.begin).as_ms_f64()).sum(),
            longest_ms: stalls.iter().map(|s| (s.end - s.begin).as_ms_f64()).fold(0.0, f64::max),
            excused_percent: spread.excused_share * 100.0,
        },
        processes: run.costs.iter().map(|(before, after)| cost(before, after, run)).collect(),
        conclusive: spread.is_conclusive(),
        verdict: verdict(spread),
        files: plan.out.display().to_string(),
    }
}

fn percentiles(s: &Summary) -> PercentilesUs {
    PercentilesUs { p50: s.p50, p95: s.p95, p99: s.p99, max: s.max, bias: s.bias }
}

fn cost(before: &super::Cost, after: &super::Cost, run: &Run) -> ProcessCost {
    let wall = (run.ended - run.asked).as_s_f64().max(0.1);
    ProcessCost {
        name: after.name.to_owned(),
        cpu_percent: (after.usage.cpu - before.usage.cpu).as_s_f64() / wall * 100.0,
        rss_kb: after.usage.rss_kb,
    }
}

fn verdict(spread: &Report) -> String {
    let s = &spread.unexcused;
    if !spread.is_conclusive() {
        return format!(
            "Inconclusive: the machine itself stood still during {:.0} % of the music; run it again.",
            spread.excused_share * 100.0
        );
    }
    let class = if s.p95 < STEREO_US {
        "a true stereo pair: 9 of 10 listeners cannot hear a difference this small"
    } else if s.p95 < ROOM_US {
        "fit for one room, not for stereo: the image may lean to one side"
    } else if s.p95 < FUSED_US {
        "fused into one sound, with colour; fit for the next room"
    } else {
        "NOT in time"
    };
    format!("In time within {:.1} us ({:.1} us in 99 of 100 moments): {class}.", s.p50, s.p99)
}
