use super::*;
use crate::music;
use crate::timeline::{Segment, TrueTimeline};

const UPTIME_NS: i64 = 987_654_321_012_345;

fn source(seconds: usize) -> (Vec<f32>, Vec<f32>) {
    let piece = music::piece(seconds * 48_000, 3);
    piece.chunks_exact(2).map(|f| (f[0], f[1])).unzip()
}

/// A sound card that starts `lead_ns` before the programme and converts source frame n at exactly
/// n / 48000 s + `delay_ns(n)`, for as long as the source lasts.
fn recorded(
    source: &[f32],
    segments: &[(f64, f64)],
    lead_ns: f64,
    delay_ns: impl Fn(f64) -> f64,
) -> Recording {
    let mut at = UPTIME_NS as f64 - lead_ns - UPTIME_NS as f64;
    let mut frame = 0.0f64;
    let mut list = Vec::new();
    for &(seconds, rate_hz) in segments {
        let ns = (at.round()) as i64;
        list.push(Segment { frame: Frames(frame as i64), at: Timestamp::from_ns(UPTIME_NS + ns), rate_hz });
        let frames = (seconds * rate_hz).floor();
        at += frames * 1e9 / rate_hz;
        frame += frames;
    }
    let timeline = TrueTimeline::new(list).unwrap();
    let origin = Timestamp::from_ns(UPTIME_NS);
    Recording::ideal(source, frame as usize, timeline, origin, |ns| ns - delay_ns(ns))
}

fn steady(source: &[f32], ppm: f64, lead_ns: f64, delay_ns: f64) -> Recording {
    let seconds = source.len() as f64 / 48_000.0 + lead_ns / 1e9;
    recorded(source, &[(seconds, 48_000.0 * (1.0 + ppm * 1e-6))], lead_ns, |_| delay_ns)
}

fn compare(source: &(Vec<f32>, Vec<f32>), left: &Recording, right: &Recording, stalls: &[Stall]) -> Report {
    measure(&Request {
        source_left: &source.0,
        source_right: &source.1,
        left,
        right,
        start: Some(Timestamp::from_ns(UPTIME_NS - 200_000_000)),
        stalls,
        settings: Settings::default(),
    })
    .unwrap()
}

#[test]
fn a_constant_delay_between_skewed_sound_cards_is_found_to_a_tenth_of_a_microsecond() {
    let music = source(8);
    let left = steady(&music.0, 40.0, 0.7e9, 1_234.5);
    for (ppm, delay_us) in [(100.0, 17.3), (-100.0, -905.25)] {
        let right = steady(&music.1, ppm, 1.3e9, 1_234.5 + delay_us * 1e3);
        let report = compare(&music, &left, &right, &[]);
        assert!(report.counts.measured >= 30, "{:?}", report.counts);
        for window in &report.windows {
            let Some(spread) = window.spread_us() else { continue };
            assert!((spread - delay_us).abs() < 0.1, "{ppm} ppm, {delay_us}: {spread} in {window:?}");
        }
        assert!(report.programme_ppm.abs() < 0.2, "{}", report.programme_ppm);
    }
}

#[test]
fn a_sound_card_whose_rate_changes_is_followed() {
    let music = source(6);
    let left = steady(&music.0, -25.0, 0.2e9, 0.0);
    let segments: Vec<(f64, f64)> =
        (0..6).map(|s| (1.0, 48_000.0 * (1.0 + (40.0 + f64::from(s)) * 1e-6))).collect();
    let right = recorded(&music.1, &segments, 0.2e9, |_| 3_000.0);
    let report = compare(&music, &left, &right, &[]);
    // Segments begin at whole nanoseconds, which is all the error there is.
    assert!((report.all.bias - 3.0).abs() < 0.05 && report.all.max < 3.1, "{:?}", report.all);
}

#[test]
fn a_hub_clock_that_runs_fast_moves_both_speakers_and_no_spread() {
    let music = source(8);
    let drift = |ns: f64| -ns * 80e-6;
    let left = recorded(&music.0, &[(8.5, 48_002.0)], 0.5e9, drift);
    let right = recorded(&music.1, &[(8.5, 47_998.0)], 0.5e9, drift);
    let report = compare(&music, &left, &right, &[]);
    assert!(report.all.max < 0.1, "{:?}", report.all);
    assert!((report.programme_ppm - 80.0).abs() < 1.0, "{}", report.programme_ppm);
}

#[test]
fn a_speaker_that_misses_a_second_is_reported_and_found_again() {
    let music = source(8);
    let left = steady(&music.0, 40.0, 0.3e9, 0.0);
    let mut right = steady(&music.1, -40.0, 0.3e9, 2_000.0);
    right.samples[200_000..248_000].fill(0.0);
    let report = compare(&music, &left, &right, &[]);
    assert!((3..=6).contains(&(report.counts.not_heard + report.counts.ambiguous)), "{:?}", report.counts);
    assert!(report.counts.measured >= 24, "{:?}", report.counts);
    assert!((report.all.max - 2.0).abs() < 0.1, "{:?}", report.all);
}

#[test]
fn a_pause_in_both_speakers_is_found_on_the_other_side() {
    let music = source(10);
    let pause = |ns: f64| if ns > 6e9 { 1e9 } else { 0.0 };
    let left = recorded(&music.0, &[(11.0, 48_000.0)], 0.3e9, pause);
    let right = recorded(&music.1, &[(11.0, 48_001.0)], 0.3e9, |ns| pause(ns) + 4_000.0);
    let report = compare(&music, &left, &right, &[]);
    assert!((report.all.p95 - 4.0).abs() < 0.1, "{:?}", report.all);
    assert!(report.windows[30].spread_us().is_some(), "{:?}", report.windows[30]);
}

#[test]
fn a_start_that_is_late_on_one_side_is_in_sync_only_when_it_is() {
    let music = source(9);
    let left = steady(&music.0, 40.0, 0.3e9, 0.0);
    let in_place = steady(&music.1, -40.0, 0.3e9, 2_000.0);
    let report = compare(&music, &left, &in_place, &[]);
    let took_ms = report.opening.start_to_sync.unwrap().as_ms_f64();
    assert!((199.0..203.0).contains(&took_ms), "{:?}", report.opening);
    assert!((report.opening.first_spread_us.unwrap() - 2.0).abs() < 0.3, "{:?}", report.opening);

    // 300 us late at first, in place after 0.8 s.
    let catching_up =
        recorded(&music.1, &[(9.3, 48_000.0)], 0.3e9, |ns| 300e3 * (1.0 - ns.max(0.0) / 0.8e9).max(0.0));
    let report = compare(&music, &left, &catching_up, &[]);
    let took_ms = report.opening.start_to_sync.unwrap().as_ms_f64();
    // 60 us are left at 0.64 s.
    assert!((800.0..880.0).contains(&took_ms), "{:?}", report.opening);
    assert!(report.opening.first_spread_us.unwrap() > 270.0, "{:?}", report.opening);
}

#[test]
fn what_a_stall_disturbs_is_excused_and_still_shown() {
    let music = source(10);
    let left = steady(&music.0, 40.0, 0.3e9, 0.0);
    let late = |ns: f64| if (5e9..5.5e9).contains(&ns) { 400e3 } else { 1e3 };
    let right = recorded(&music.1, &[(10.3, 48_000.0)], 0.3e9, late);
    let at = |ns| Timestamp::from_ns(UPTIME_NS + ns);
    let stall = Stall { begin: at(4_990_000_000), end: at(5_500_000_000) };
    let report = compare(&music, &left, &right, &[stall]);
    assert!(report.all.max > 399.0 && report.unexcused.max < 1.2, "{:?}", report.all);
    assert!(report.counts.excused >= 2, "{:?}", report.counts);
    let short = Stall { begin: stall.begin, end: at(5_001_000_000) };
    assert!(compare(&music, &left, &right, &[short]).is_conclusive());
    let long = Stall { begin: at(0), end: at(2_000_000_000) };
    assert!(!compare(&music, &left, &right, &[long]).is_conclusive());
}

#[test]
fn a_speaker_that_played_something_else_is_named() {
    let music = source(6);
    let left = steady(&music.0, 0.0, 0.0, 0.0);
    let wrong = steady(&music::piece(3 * 48_000, 99), 0.0, 0.0, 0.0);
    let request = Request {
        source_left: &music.0,
        source_right: &music.1,
        left: &left,
        right: &wrong,
        start: None,
        stalls: &[],
        settings: Settings::default(),
    };
    assert_eq!(measure(&request).err(), Some(SpreadError::NotFound("right")));
    let swapped = Request { left: &wrong, right: &left, ..request };
    assert_eq!(measure(&swapped).err(), Some(SpreadError::NotFound("left")));
}
