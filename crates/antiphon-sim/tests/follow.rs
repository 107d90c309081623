//! Following two speakers while music plays, in a room: the table is committed, so that a change of
//! quality is a diff, and what must be reached is asserted.

use antiphon_measure::lab::follow::{Certainty, Doubt, Mute};
use antiphon_sim::follow_table::{FollowLook, FollowRow, FollowScenario, Piece, follow, table};

#[test]
fn a_drift_of_one_microsecond_a_second_is_known_after_a_minute() {
    let mut rows = Vec::new();
    for piece in [Piece::Duet, Piece::Ballad] {
        let row = FollowRow::new(&follow(&FollowScenario::new(piece, 1.0)));
        assert!(row.error_at_60_s_us.abs() < 30.0, "{row:?}");
        assert!(row.worst_us < 40.0, "{row:?}");
        assert!(row.sure_after_s.is_some_and(|s| s < 20.0), "{row:?}");
        assert!(row.covered >= 95.0 && row.sure >= 95.0, "{row:?}");
        rows.push((format!("{}, 1 us/s", piece.name()), row));
    }
    insta::assert_snapshot!("drift", table(&rows));
}

#[test]
fn music_that_noise_covers_is_not_found_and_that_is_said() {
    let scenario = FollowScenario { seconds: 14.0, snr_db: -30.0, ..FollowScenario::new(Piece::Duet, 0.0) };
    let looks = follow(&scenario);
    assert!(looks.iter().all(|l| l.state.certainty != Certainty::Sure));
    let last = &looks[looks.len() - 1];
    assert_eq!(last.state.certainty, Certainty::MusicDoesNotTell(Mute::NotFound));
}

#[test]
fn music_that_is_nearly_mono_is_refused() {
    let looks = follow(&FollowScenario { seconds: 30.0, ..FollowScenario::new(Piece::NearlyMono, 1.0) });
    assert!(looks.iter().all(|l| l.state.certainty != Certainty::Sure));
    let last = &looks[looks.len() - 1];
    assert_eq!(last.state.certainty, Certainty::MusicDoesNotTell(Mute::NearlyMono));
}

#[test]
fn a_slip_of_a_millisecond_is_stated_as_a_jump_and_a_speaker_that_falls_silent_is_named() {
    let scenario = FollowScenario {
        seconds: 50.0,
        jump: Some((25.0, 1_000.0)),
        right_is_off: 42.0..60.0,
        ..FollowScenario::new(Piece::Duet, 1.0)
    };
    let looks = follow(&scenario);
    let noticed = looks.iter().find(|l| !l.state.jumps.is_empty()).expect("the jump is noticed");
    assert!(noticed.at_s < 35.0, "noticed at {}", noticed.at_s);
    let after: Vec<&FollowLook> = looks.iter().filter(|l| (36.0..41.0).contains(&l.at_s)).collect();
    for look in &after {
        let [jump] = look.state.jumps[..] else { panic!("one jump: {:?}", look.state.jumps) };
        assert!((jump.by_us.value - 1_000.0).abs() < 30.0, "{jump:?}");
        assert!(look.error_us().abs() < 30.0, "{look:?}");
        assert!((look.state.rate_us_per_s.value - 1.0).abs() < 0.5, "not dragged: {look:?}");
    }
    // A second and a half of sound shows that something is wrong; from then on nothing is called sure
    // until the new place was heard for three seconds.
    let settled = noticed.state.jumps[0].at_s + 3.0;
    let sure = |l: &&FollowLook| l.state.certainty == Certainty::Sure;
    let hasty = looks.iter().filter(|l| l.at_s > 26.5 && l.state.heard_s < settled).filter(sure);
    assert_eq!(hasty.count(), 0);
    let wrong = looks.iter().filter(|l| l.at_s > 26.5).filter(sure).filter(|l| !l.holds());
    assert_eq!(wrong.count(), 0);
    let last = &looks[looks.len() - 1];
    assert_eq!(last.state.certainty, Certainty::Unsure(Doubt::RightNotHeard));
}

#[test]
fn corrections_take_the_drift_off_and_do_not_oscillate() {
    let scenario = FollowScenario { correct: true, ..FollowScenario::new(Piece::Duet, 1.0) };
    let looks = follow(&scenario);
    let late: Vec<&FollowLook> = looks.iter().filter(|l| l.at_s > 40.0).collect();
    let worst = late.iter().map(|l| l.true_drift_us.abs()).fold(0.0, f64::max);
    // Without corrections it would be 57 us by the end.
    assert!(worst < 30.0, "{worst}");
    let mut steps = 0;
    for two in looks.windows(2) {
        let by_us = two[1].state.corrected_us - two[0].state.corrected_us;
        if by_us != 0.0 {
            // Never the wrong way, and never for a drift that may be none.
            assert!((-8.0..=-1.0).contains(&by_us), "{by_us}");
            assert!(two[0].state.drift_us.value > 0.9 * two[0].state.drift_us.half_95(), "{two:?}");
            steps += 1;
        }
    }
    assert!(steps >= 3, "{steps}");
}

#[test]
fn a_drift_that_may_be_none_is_left_alone() {
    let scenario = FollowScenario { correct: true, seconds: 25.0, ..FollowScenario::new(Piece::Ballad, 0.0) };
    assert!(follow(&scenario).iter().all(|l| l.state.corrected_us == 0.0));
}
