//! What happens to a pair when something happens: judged by its samples.

use antiphon_base::{Frames, Span, Timestamp, True};
use antiphon_measure::music;
use antiphon_measure::spread::{Report, Side, Window};
use antiphon_sim::scenario::{Scenario, judge, judge_from};
use antiphon_sim::world::{Action, World};

/// Music begins this long after the world.
const START: Span = Span::from_s(8);
const MUSIC_S: i64 = 40;

fn played(script: &[(Span, Action)]) -> (World, Report) {
    let mut world = Scenario { music: Span::from_s(MUSIC_S), ..Scenario::default() }.world();
    for &(at, action) in script {
        world.script(at, action);
    }
    world.run_until(START);
    let source = music::piece(48_000 * MUSIC_S as usize, 3);
    world.play(source.clone());
    world.run_until(START + Span::from_s(MUSIC_S + 12));
    let report = judge(&world, &source).expect("both speakers play");
    (world, report)
}

fn between(report: &Report, from: Span, to: Span) -> impl Iterator<Item = &Window> {
    let (from, to) = (Timestamp::<True>::ZERO + from, Timestamp::ZERO + to);
    report.windows.iter().filter(move |w| !w.is_silent() && w.at >= from && w.at < to)
}

/// Every window in the stretch is heard from both and within `limit_us`.
fn in_time(report: &Report, from: Span, to: Span, limit_us: f64) {
    let mut seen = 0;
    for window in between(report, from, to) {
        seen += 1;
        let spread = window.spread_us();
        assert!(spread.is_some_and(|us| us.abs() < limit_us), "{:?}: {window:?}", window.at);
    }
    assert!(seen > 4, "only {seen} windows from {from:?} to {to:?}");
}

fn s(seconds: f64) -> Span {
    Span::from_s_f64(seconds)
}

#[test]
fn a_network_gone_for_ten_seconds_is_back_in_place_within_one_and_the_other_never_notices() {
    let (_, report) = played(&[(s(15.0), Action::Network(1, false)), (s(25.0), Action::Network(1, true))]);
    in_time(&report, s(9.0), s(14.5), 60.0);
    in_time(&report, s(26.0), s(45.0), 60.0);
    let left_missing = report.windows.iter().filter(|w| matches!(w.left, Side::NotHeard { .. })).count();
    assert_eq!(left_missing, 0, "the left speaker had no trouble");
    let right_silent = between(&report, s(16.0), s(24.5)).all(|w| matches!(w.right, Side::NotHeard { .. }));
    assert!(right_silent, "without a network there is nothing to play");
}

#[test]
fn a_speaker_that_joins_late_is_in_place_within_a_second() {
    let scenario = Scenario { music: Span::from_s(30), ..Scenario::default() };
    let mut world = World::new(scenario.latency, 5);
    world.add(scenario.speaker(0, antiphon_base::Role::Left), s(0.01));
    world.add(scenario.speaker(1, antiphon_base::Role::Right), s(20.0));
    world.run_until(START);
    let source = music::piece(48_000 * 30, 3);
    world.play(source.clone());
    world.run_until(s(45.0));
    let report = judge(&world, &source).expect("both speakers play");
    in_time(&report, s(21.0), s(37.0), 60.0);
}

#[test]
fn a_hub_that_dies_and_comes_back_has_its_speakers_back_within_a_second() {
    // Shorter than the piece's period, so that no part of it sounds like another.
    let length = 16;
    let mut world = Scenario { music: Span::from_s(length), ..Scenario::default() }.world();
    world.script(s(14.0), Action::Restart);
    world.run_until(START);
    let source = music::piece(48_000 * length as usize, 3);
    world.play(source.clone());
    world.run_until(s(34.0));
    // The new hub knows nothing: the programme begins anew, and only that performance is judged.
    let report = judge_from(&world, &source, s(14.2)).expect("both speakers play");
    in_time(&report, s(14.9), s(29.5), 60.0);
    let first = report.windows.iter().find(|w| w.spread_us().is_some()).expect("it sounds");
    assert!(first.at < Timestamp::ZERO + s(15.0), "{:?}", first.at);
}

#[test]
fn a_pause_stops_both_at_one_instant_and_goes_on_from_there() {
    let (world, report) = played(&[(s(15.0), Action::Pause), (s(20.0), Action::Resume)]);
    in_time(&report, s(9.0), s(14.5), 60.0);
    in_time(&report, s(20.8), s(45.0), 60.0);
    let ends: Vec<f64> = (0..2).map(|index| last_sound_before(&world, index, s(18.0))).collect();
    assert!((ends[0] - ends[1]).abs() < 0.003, "they fell silent at {ends:?} s");
}

/// When speaker `index` last made a sound before `limit`, in seconds.
fn last_sound_before(world: &World, index: usize, limit: Span) -> f64 {
    let recording = world.recording(index).expect("it recorded");
    let limit = recording.timeline.frame_at(limit.as_ns() as f64, Timestamp::ZERO) as usize;
    let last = recording.samples[..limit].iter().rposition(|x| x.abs() > 1e-4).expect("it sounded");
    recording.timeline.ns_at(last as f64, Timestamp::ZERO) / 1e9
}

/// A tone of 997 Hz on both, with two Bluetooth-like speakers: the left one's delay is reported as 120 ms,
/// and as `then` in the middle.
fn with_a_delay_report(then: Option<Span>) -> World {
    let scenario = Scenario { latency: Span::from_ms(100), ..Scenario::default() };
    let mut world = scenario.world();
    world.script(s(1.0), Action::OutputDelay(0, Span::from_ms(120)));
    if let Some(then) = then {
        world.script(s(15.0), Action::OutputDelay(0, then));
    }
    world.run_until(START);
    let turn = |frame: i32| f64::from(frame % 48_000) / 48_000.0 * 997.0 * std::f64::consts::TAU;
    let tone: Vec<f32> = (0..48_000 * 14).flat_map(|n| [(turn(n).sin() * 0.5) as f32; 2]).collect();
    world.play(tone);
    world.run_until(s(20.0));
    world
}

/// The largest fourth difference: what a click leaves and a low tone does not.
fn roughness(sound: &[f32]) -> f32 {
    sound.windows(5).map(|w| (w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4]).abs()).fold(0.0, f32::max)
}

#[test]
fn a_delay_report_that_changes_moves_one_speaker_without_a_click_and_leaves_the_other_alone() {
    let right = |world: &World| world.recording(1).expect("it recorded").samples;
    let unmoved = right(&with_a_delay_report(None));
    for then in [Span::from_ms(210), Span::from_ms(20)] {
        let mut world = with_a_delay_report(Some(then));
        let left = world.recording(0).expect("it recorded").samples;
        let around = &left[48_000 * 14..48_000 * 17];
        assert!(roughness(around) < 3e-3, "{then:?}: a click of {}", roughness(around));
        assert!(around.chunks(480).all(|part| part.iter().any(|x| x.abs() > 0.1)), "{then:?}: a gap");
        let stats = world.stats(0);
        assert_eq!((stats.slips, stats.reprimes), (0, 0), "it was commanded");
        assert!(right(&world) == unmoved, "{then:?}: the other speaker noticed");
    }
}

#[test]
fn a_seek_goes_on_in_time_from_the_other_place() {
    let (_, report) = played(&[(s(15.0), Action::Seek(25.0))]);
    let after = report.windows.iter().filter(|w| w.source_frame > Frames(48_000 * 26));
    let spreads: Vec<_> = after.filter(|w| !w.is_silent()).map(Window::spread_us).collect();
    assert!(spreads.len() > 20, "{}", spreads.len());
    assert!(spreads.iter().all(|us| us.is_some_and(|us| us.abs() < 60.0)), "{spreads:?}");
}

#[test]
fn a_delay_moves_one_speaker_by_what_was_asked() {
    let (_, report) = played(&[(s(20.0), Action::Delay(1, 2_500))]);
    in_time(&report, s(9.0), s(19.5), 60.0);
    for window in between(&report, s(22.0), s(45.0)) {
        assert!(window.spread_us().is_some_and(|us| (us - 2_500.0).abs() < 60.0), "{window:?}");
    }
}

#[test]
fn a_calibration_of_137_and_of_300_ms_holds_a_second_later_and_so_does_its_undoing() {
    let script = [
        (s(15.0), Action::Delay(1, 137_000)),
        (s(25.0), Action::Delay(1, 300_000)),
        (s(35.0), Action::Delay(1, 0)),
    ];
    let (_, report) = played(&script);
    in_time(&report, s(9.0), s(14.5), 60.0);
    for (from, to, delay_us) in [(16.0, 24.5, 137_000.0), (26.0, 34.5, 300_000.0), (36.0, 45.0, 0.0)] {
        let mut seen = 0;
        for window in between(&report, s(from), s(to)) {
            assert!(
                window.spread_us().is_some_and(|us| (us - delay_us).abs() < 60.0),
                "{delay_us}: {window:?}"
            );
            seen += 1;
        }
        assert!(seen > 4, "{seen}");
    }
    let left_missing = report.windows.iter().filter(|w| matches!(w.left, Side::NotHeard { .. })).count();
    assert_eq!(left_missing, 0, "the other speaker had no trouble");
}

#[test]
fn a_sound_card_that_stands_still_for_62_ms_is_back_in_place_within_a_second() {
    let (_, report) = played(&[(s(20.0), Action::Stall(1, Span::from_ms(62)))]);
    in_time(&report, s(9.0), s(19.7), 60.0);
    in_time(&report, s(22.0), s(45.0), 60.0);
}

#[test]
fn the_whole_way_from_source_to_converter_adds_less_than_120_db_of_distortion() {
    for hz in [997.0, 15_000.0] {
        let scenario =
            Scenario { music: Span::from_s(60), drift: antiphon_base::Ppm(40.0), ..Scenario::default() };
        let mut world = scenario.world();
        world.run_until(s(10.0));
        let tone = |n: usize| (0.891 * (std::f64::consts::TAU * hz * n as f64 / 48_000.0).sin()) as f32;
        world.play((0..48_000 * 60).flat_map(|n| [tone(n); 2]).collect());
        world.run_until(s(70.0));
        let recording = world.recording(0).expect("it recorded");
        let steady = &recording.samples[48_000 * 60..48_000 * 66];
        let measured = antiphon_measure::thd::analyse(steady, 48_000.0).expect("a tone");
        assert!(measured.thd_n_db <= -120.0, "{hz} Hz: {measured:?}");
    }
}

#[test]
fn a_device_with_a_clock_of_its_own_is_heard_together_and_never_runs_dry() {
    for ppm in [800.0, -800.0] {
        // Shorter than the piece's period, so that no part of it sounds like another.
        let length = 16;
        let mut world = Scenario { music: Span::from_s(length), ..Scenario::default() }.world();
        world.run_until(START);
        let source = music::piece(48_000 * length as usize, 3);
        world.play_live(source.clone(), ppm);
        world.run_until(s(22.0));
        assert_eq!(world.starved(), 0, "{ppm} ppm");
        let report = judge(&world, &source).expect("both speakers play");
        in_time(&report, s(10.0), s(21.0), 60.0);
        let gaps = between(&report, s(10.0), s(21.0))
            .filter(|w| [&w.left, &w.right].iter().any(|side| matches!(side, Side::NotHeard { .. })));
        assert_eq!(gaps.count(), 0, "{ppm} ppm");
    }
}
