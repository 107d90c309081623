//! The demo in words.

use std::fmt::Write;

use antiphon_api::demo::{CalibratedReport, DemoReport};

use super::DemoPlan;

pub(super) fn opening(plan: &DemoPlan) -> String {
    let network = match plan.network {
        None => "over the machine's loopback".to_owned(),
        Some("none") => "through a relay".to_owned(),
        Some(model) => format!("through a relay that behaves like {}", described(model)),
    };
    let (left, right) = plan.rig.card_ppm;
    let hidden = match plan.hidden_ms {
        0 => "",
        _ => "\nThe right one is late by a delay of up to 300 ms that nobody is told.",
    };
    format!(
        "Two speakers as processes of their own, {network}.\n\
         Their clocks are seconds and 80 ppm apart, their sound cards {left:+} and {right:+} ppm off and warming up.\n\
         {} s of music, left on one, right on the other.{hidden}",
        plan.seconds
    )
}

fn described(model: &str) -> &'static str {
    match model {
        "lan" => "a wired network",
        "quiet" => "quiet Wi-Fi",
        "busy" => "busy Wi-Fi",
        _ => "a network",
    }
}

pub(super) fn report(r: &DemoReport, plan: &DemoPlan) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{label:<22} {text}");
    };
    let s = &r.spread_us;
    line(
        "right against left",
        format!("p50 {:.1}  p95 {:.1}  p99 {:.1}  max {:.1} us", s.p50, s.p95, s.p99, s.max),
    );
    line("", format!("in {} moments of the music; {} in the median", r.windows, side(s.bias)));
    if r.windows_not_heard > 0 {
        line(
            "",
            format!("{} moments were NOT heard from both speakers as they should be", r.windows_not_heard),
        );
    }
    line("first sound together", first(r));
    line("start to in sync", ms(r.start_to_sync_ms));
    line(
        "packets",
        format!(
            "{} recovered, {} lost; {:.1} ms concealed, {} underruns",
            r.recovered, r.lost, r.concealed_ms, r.underruns
        ),
    );
    let stalls = &r.stalls;
    line(
        "machine stalls",
        format!(
            "{}, {:.0} ms in all, longest {:.0} ms; {:.1} % of the music excused",
            stalls.count, stalls.total_ms, stalls.longest_ms, stalls.excused_percent
        ),
    );
    for p in &r.processes {
        line(&p.name, format!("{:.1} % of one core, {:.1} MB", p.cpu_percent, p.rss_kb as f64 / 1_024.0));
    }
    line("files", format!("{} (stereo.wav, spread.svg, source.wav, recordings, logs)", plan.out.display()));
    let _ = writeln!(out, "\n{}", r.verdict);
    let _ = writeln!(out, "(p95: in 95 of 100 moments they were no further apart. 100 us are 34 mm of air.)");
    out
}

/// Before and after.
pub(super) fn calibrated(r: &CalibratedReport) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{label:<22} {text}");
    };
    let spread = |report: &DemoReport| {
        let s = &report.spread_all_us;
        format!("p50 {:.1}  p95 {:.1}  max {:.1} us; {} in the median", s.p50, s.p95, s.max, side(s.bias))
    };
    line("hidden delay", format!("right {} ms, known to the virtual sound card alone", r.hidden_ms));
    line("before", spread(&r.before));
    line("the microphone said", r.calibration.before.verdict.clone());
    for correction in &r.calibration.corrections {
        let waits_ms = correction.delay_us as f64 / 1e3;
        let down = match correction.gain_db {
            gain if gain > -0.05 => String::new(),
            gain => format!(", turned down by {:.1} dB", -gain),
        };
        line("corrected", format!("{} waits {waits_ms:.3} ms{down}", correction.name));
    }
    if let Some(after) = &r.calibration.after {
        line("it checked", after.verdict.clone());
    }
    line("after", spread(&r.after));
    line(
        "files",
        format!("{} (before-, after-spread.svg, calibration.json, recordings, logs)", r.after.files),
    );
    let _ = writeln!(out, "\n{}", r.verdict);
    out
}

/// A sign would have to be explained; words need not.
fn side(bias_us: f64) -> String {
    let way = if bias_us < 0.0 { "earlier" } else { "later" };
    format!("right {:.1} us {way}", bias_us.abs())
}

fn first(r: &DemoReport) -> String {
    match (r.start_to_sound_ms, r.first_spread_us) {
        (Some(at), Some(spread)) => format!("{at:.0} ms after the start, {}", side(spread)),
        _ => "not heard from both speakers".to_owned(),
    }
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "never".to_owned(), |ms| format!("{ms:.0} ms"))
}
