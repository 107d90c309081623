//! Bad input is named for what it is, and there is never a confident wrong number: what is not graded
//! trustworthy may be wrong, everything else is right to within its stated 95 % interval and 20 us.

mod room;

mod spoil;

use std::sync::LazyLock;

use antiphon_measure::lab::measurement::{FindingKind, Grade, Measurement, Severity};
use antiphon_measure::lab::tracks::TestTrack;
use antiphon_measure::lab::{Options, Recorded, measure};

use room::{RATE, Scene, track};

/// What the honest scene's right speaker is late by.
const TRUTH_US: f64 = 3_200.0;

static HONEST: LazyLock<Vec<f32>> = LazyLock::new(|| Scene::honest().record());

fn heard(samples: &[f32]) -> Measurement {
    all_heard(vec![samples.to_vec()], None)
}

fn all_heard(channels: Vec<Vec<f32>>, near: Option<usize>) -> Measurement {
    let names = vec!["left".into(), "right".into()];
    let found = measure(&Recorded { channels, begin_s: 0.0 }, &track(), &Options { names, near });
    never_a_confident_wrong_number(&found);
    found
}

/// As `heard`, of a scene whose delay is another one.
fn heard_elsewhere(channels: Vec<Vec<f32>>) -> Measurement {
    let names = vec!["left".into(), "right".into()];
    measure(&Recorded { channels, begin_s: 0.0 }, &track(), &Options { names, near: None })
}

fn never_a_confident_wrong_number(found: &Measurement) {
    if found.grade == Grade::NotTrustworthy {
        assert!(found.findings.iter().any(|f| f.severity == Severity::Refusal), "refused without a reason");
        return;
    }
    for pair in &found.pairs {
        let error = (pair.delay_us.value - TRUTH_US).abs();
        assert!(error < pair.delay_us.half_95() + 20.0, "{:?} is {error:.1} us off: {found:#?}", found.grade);
    }
}

/// Grade and the names of all findings, the gravest first.
fn verdict(found: &Measurement) -> (Grade, Vec<&'static str>) {
    (found.grade, found.findings.iter().map(|f| f.kind.as_str()).collect())
}

#[track_caller]
fn is(found: &Measurement, grade: Grade, names: &[&str]) {
    assert_eq!(verdict(found), (grade, names.to_vec()), "{:#?}", found.findings);
}

fn message(found: &Measurement, kind: FindingKind) -> &str {
    found.findings.iter().find(|f| f.kind == kind).map_or("", |f| f.message.as_str())
}

#[test]
fn an_honest_recording_is_good_and_nothing_is_said() {
    is(&heard(&HONEST), Grade::Good, &[]);
}

#[test]
fn a_recording_of_something_else_is_not_the_signal() {
    is(&heard(&spoil::music()), Grade::NotTrustworthy, &["not_the_signal"]);
    is(&heard(&spoil::speech()), Grade::NotTrustworthy, &["not_the_signal"]);
    let noise: Vec<f32> = room::pink(&mut room::Dice(3)).take(10 * RATE).map(|x| 0.1 * x as f32).collect();
    is(&heard(&noise), Grade::NotTrustworthy, &["not_the_signal"]);
}

#[test]
fn music_with_most_of_its_power_in_the_bass_is_something_else_and_no_telephone() {
    let mut dice = room::Dice(11);
    let tone = |n: usize| (std::f64::consts::TAU * 55.0 * n as f64 / RATE as f64).sin() * 0.5;
    let bass: Vec<f32> = (0..10 * RATE).map(|n| (tone(n) + 2e-3 * dice.normal()) as f32).collect();
    let found = heard(&bass);
    is(&found, Grade::NotTrustworthy, &["not_the_signal"]);
    assert!(!message(&found, FindingKind::NotTheSignal).contains("telephone"), "{found:#?}");
    // A second guess, where truly nothing is above.
    let call = heard(&spoil::telephone(&spoil::speech()));
    is(&call, Grade::NotTrustworthy, &["not_the_signal"]);
    assert!(message(&call, FindingKind::NotTheSignal).contains("as over a telephone"), "{call:#?}");
}

#[test]
fn the_track_itself_is_no_recording() {
    let samples = TestTrack::Measure.render();
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect::<Vec<f32>>();
    let found = all_heard(vec![side(0), side(1)], None);
    is(&found, Grade::NotTrustworthy, &["not_the_signal"]);
    assert!(message(&found, FindingKind::NotTheSignal).contains("the track itself"), "{found:#?}");
}

#[test]
fn silence_and_an_empty_file_are_silence() {
    is(&heard(&vec![0.0; 10 * RATE]), Grade::NotTrustworthy, &["silence"]);
    is(&heard(&[]), Grade::NotTrustworthy, &["silence"]);
    is(&all_heard(vec![], None), Grade::NotTrustworthy, &["silence"]);
}

#[test]
fn samples_that_are_no_numbers_harm_nobody() {
    let mut samples = HONEST.clone();
    samples[200_000] = f32::NAN;
    samples[300_000] = f32::INFINITY;
    let _ = heard(&samples);
    is(&heard(&[f32::NAN; 480_000]), Grade::NotTrustworthy, &["silence"]);
}

#[test]
fn light_clipping_leaves_the_numbers_usable_and_heavy_clipping_does_not() {
    is(&heard(&spoil::clipped(&HONEST, 11.0)), Grade::Usable, &["clipped"]);
    is(&heard(&spoil::clipped(&HONEST, 16.0)), Grade::NotTrustworthy, &["clipped"]);
    // A recorder that clips before it turns down, and a file that was converted after.
    let turned_down: Vec<f32> = spoil::clipped(&HONEST, 26.0).iter().map(|x| x * 0.3).collect();
    is(&heard(&spoil::band(&turned_down, 20.0, 15_900.0)), Grade::NotTrustworthy, &["clipped"]);
}

#[test]
fn telephone_quality_is_narrowband() {
    let found = heard(&spoil::telephone(&HONEST));
    assert_eq!((found.grade, found.findings[0].kind), (Grade::NotTrustworthy, FindingKind::Narrowband));
    assert!(found.findings[0].message.contains("telephone"), "{}", found.findings[0].message);
}

#[test]
fn a_microphone_mode_for_speech_is_voice_processing() {
    let found = heard(&spoil::speech_mode(&HONEST));
    is(&found, Grade::NotTrustworthy, &["voice_processing", "narrowband", "first_arrival_unclear"]);
    is(&heard(&spoil::suppressed(&HONEST)), Grade::NotTrustworthy, &["voice_processing"]);
}

#[test]
fn an_automatic_gain_is_named_and_the_delay_still_holds() {
    is(&heard(&spoil::gain_control(&HONEST, 1.5, 3.0)), Grade::Usable, &["gain_control"]);
}

#[test]
fn a_recording_that_is_too_quiet_is_usable_at_best() {
    is(&heard(&spoil::faint(&HONEST, 60.0)), Grade::Usable, &["too_quiet"]);
}

#[test]
fn noise_lowers_the_grade_before_the_numbers_go_wrong() {
    let noisy = |db| heard(&Scene { noise_db: db, ..Scene::honest() }.record());
    assert_eq!(noisy(-10.0).grade, Grade::Good);
    assert_eq!(noisy(5.0).grade, Grade::Usable);
    assert_eq!(noisy(25.0).grade, Grade::NotTrustworthy);
}

#[test]
fn a_track_played_twice_is_measured_once_and_said() {
    is(&heard(&[&HONEST[..], &HONEST[..]].concat()), Grade::Good, &["played_twice"]);
}

#[test]
fn a_track_whose_begin_or_end_is_missing_is_cut_short() {
    let begin = heard(&HONEST[4 * RATE..]);
    is(&begin, Grade::Usable, &["cut_short"]);
    assert!(message(&begin, FindingKind::CutShort).contains("at its begin"), "{:?}", begin.findings);
    let end = heard(&HONEST[..8 * RATE]);
    is(&end, Grade::Usable, &["cut_short"]);
    assert!(message(&end, FindingKind::CutShort).contains("at its end"), "{:?}", end.findings);
    is(&heard(&HONEST[..5 * RATE]), Grade::NotTrustworthy, &["cut_short"]);
}

#[test]
fn a_track_whose_fades_are_missing_has_all_its_rounds() {
    is(&heard(&HONEST[2 * RATE..]), Grade::Good, &["cut_short"]);
}

#[test]
fn a_track_with_a_piece_missing_in_the_middle_has_a_dropout() {
    let found = heard(&spoil::without(&HONEST, 5.0, 0.05));
    assert_ne!(found.grade, Grade::Good);
    assert_eq!(found.findings[0].kind, FindingKind::Dropout, "{:#?}", found.findings);
    is(&heard(&spoil::muted(&HONEST, 5.0, 0.3)), Grade::Usable, &["dropout"]);
}

#[test]
fn a_recorder_that_loses_or_repeats_a_piece_leaves_what_is_between_the_speakers() {
    let rounds = heard(&HONEST).recorder.periods;
    for (at_s, piece_ms) in [
        (3.1, 10.0),
        (3.9, 10.0),
        (4.6, 2.67),
        (5.2, 10.0),
        (6.3, 42.7),
        (7.4, 90.0),
        (8.8, 10.0),
        (9.4, 10.0),
    ] {
        for (samples, what) in [
            (spoil::without(&HONEST, at_s, piece_ms / 1e3), "is missing"),
            (spoil::repeated(&HONEST, at_s, piece_ms / 1e3), "was put into"),
        ] {
            let found = heard(&samples);
            is(&found, Grade::Usable, &["dropout"]);
            let said = message(&found, FindingKind::Dropout);
            assert!(said.contains(&format!("{piece_ms:.1} ms {what}")), "{at_s}: {said}");
            let half = found.pairs[0].delay_us.half_95();
            assert!(half < 20.0, "at {at_s} s {piece_ms} ms {what}: {half} us");
            assert_eq!(found.recorder.periods, rounds, "at {at_s} s {piece_ms} ms {what}");
        }
    }
}

#[test]
fn a_piece_that_is_missing_before_the_first_or_after_the_last_round_is_no_matter() {
    is(&heard(&spoil::without(&HONEST, 2.0, 0.01)), Grade::Good, &[]);
    is(&heard(&spoil::without(&HONEST, 10.6, 0.01)), Grade::Good, &[]);
}

#[test]
fn a_recorder_that_loses_three_pieces_is_believed_all_the_same() {
    let one = spoil::without(&HONEST, 8.9, 0.01);
    let two = spoil::without(&one, 6.1, 0.02);
    let found = heard(&spoil::without(&two, 4.4, 0.01));
    is(&found, Grade::Usable, &["dropout"]);
    assert!(message(&found, FindingKind::Dropout).contains("(and 2 more)"), "{:?}", found.findings);
}

#[test]
fn a_piece_that_is_missing_does_not_hide_what_else_the_recorder_does() {
    let found = heard(&spoil::without(&spoil::suppressed(&HONEST), 6.1, 0.01));
    is(&found, Grade::NotTrustworthy, &["voice_processing", "dropout"]);
}

#[test]
fn one_speaker_that_jumps_has_a_dropout_and_the_recorder_is_not_blamed() {
    let later = Scene::honest().moved([15_000.0, 0.0]).record();
    for at_s in [5, 6, 7] {
        let jumps = [&HONEST[..at_s * RATE], &later[at_s * RATE..]].concat();
        let found = heard_elsewhere(vec![jumps]);
        assert_eq!(found.grade, Grade::NotTrustworthy, "{:#?}", found.findings);
        assert!(
            found.findings.iter().all(|f| f.kind != FindingKind::VoiceProcessing),
            "{:#?}",
            found.findings
        );
        let said = message(&found, FindingKind::Dropout);
        assert!(said.contains("jumped by 15.0 ms"), "{said}");
    }
}

#[test]
fn three_percent_too_fast_is_a_wrong_speed() {
    let found = heard(&spoil::faster(&HONEST, 1.03));
    is(&found, Grade::NotTrustworthy, &["wrong_speed"]);
    assert!(message(&found, FindingKind::WrongSpeed).contains("3.00 % too fast"), "{:?}", found.findings);
    let slow = heard(&spoil::faster(&HONEST, 0.97));
    assert!(message(&slow, FindingKind::WrongSpeed).contains("3.00 % too slow"), "{:?}", slow.findings);
}

#[test]
fn held_near_the_left_speaker_exchanged_speakers_are_noticed() {
    // The honest scene's left speaker is the nearer one; it shall be the louder one too.
    let mut scene = Scene::honest();
    scene.speakers[1].plays = [0.0, 0.7];
    let samples = scene.record();
    is(&all_heard(vec![samples.clone()], Some(0)), Grade::Good, &["levels_differ"]);
    is(&all_heard(vec![samples], Some(1)), Grade::Usable, &["swapped", "levels_differ"]);
}

#[test]
fn a_stereo_recording_tells_on_which_side_the_speakers_stand() {
    let left = HONEST.clone();
    let right = Scene::honest().moved([300.0, -300.0]).record();
    is(&all_heard(vec![left.clone(), left.clone()], None), Grade::Good, &[]);
    let as_meant = heard_elsewhere(vec![left.clone(), right.clone()]);
    assert_eq!(message(&as_meant, FindingKind::Swapped), "");
    let exchanged = heard_elsewhere(vec![right, left]);
    assert!(message(&exchanged, FindingKind::Swapped).contains("left stands at the right"), "{exchanged:#?}");
}

#[test]
fn two_speakers_that_play_the_same_are_a_mono_collapse() {
    let mut scene = Scene::honest();
    let mut played = |plays: [[f64; 2]; 2]| {
        scene.speakers.iter_mut().zip(plays).for_each(|(speaker, plays)| speaker.plays = plays);
        heard(&scene.record())
    };
    is(&played([[0.5, 0.5], [0.5, 0.5]]), Grade::NotTrustworthy, &["mono_collapse"]);
    is(&played([[1.0, 0.0], [1.0, 0.0]]), Grade::NotTrustworthy, &["mono_collapse"]);
    is(&played([[0.5, 0.5], [0.0, 0.0]]), Grade::NotTrustworthy, &["mono_collapse"]);
}

#[test]
fn a_speaker_that_is_silent_is_named() {
    let mut scene = Scene::honest();
    scene.speakers[1].plays = [0.0, 0.0];
    let found = heard(&scene.record());
    is(&found, Grade::NotTrustworthy, &["speaker_silent"]);
    assert!(message(&found, FindingKind::SpeakerSilent).starts_with("right"), "{:?}", found.findings);
}

#[test]
fn a_speaker_with_exchanged_wires_and_a_softer_one_are_named_and_the_delay_is_good() {
    let mut scene = Scene::honest();
    scene.speakers[1].plays = [0.0, -0.8];
    is(&heard(&scene.record()), Grade::Good, &["polarity_differs", "levels_differ"]);
}

#[test]
fn clocks_that_run_apart_are_said_to_do_so() {
    let mut scene = Scene::honest();
    scene.speakers[1].ppm = 20.0;
    let found = heard_elsewhere(vec![scene.record()]);
    assert_eq!(found.grade, Grade::Usable, "{:#?}", found.findings);
    let said = message(&found, FindingKind::ClocksDrift);
    assert!(said.contains("right and left run apart by 19.") || said.contains("apart by 20."), "{said}");
}
