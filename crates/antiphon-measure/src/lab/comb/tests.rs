use super::*;
use crate::dice::Dice;
use crate::lab::classes;

fn sum(delay_us: f64, level_diff_db: f64) -> Sum {
    Sum { delay_us, level_diff_db, opposed: false }
}

/// 3 ms of silence, an arrival of this size, 12 ms of silence.
fn arrival(size: f32) -> Impulse {
    let mut samples = vec![0.0; 48 * 15];
    samples[48 * 3] = size;
    Impulse { begin_us: -3_000.0, samples }
}

fn noisy(mut impulse: Impulse, size: f64, seed: u64) -> Impulse {
    let mut dice = Dice::new(seed);
    impulse.samples.iter_mut().for_each(|x| *x += (size * (dice.unit() - 0.5)) as f32);
    impulse
}

#[test]
fn speakers_11_3_ms_apart_have_17_notches_between_500_hz_and_2_khz() {
    for delay_us in [11_300.0, -11_300.0] {
        let comb = analyse(sum(delay_us, 0.0), &arrival(1.0), &arrival(1.0));
        assert_eq!((comb.count, comb.notches.len()), (17, 17));
        for (notch, odd) in comb.notches.iter().zip((13..).step_by(2)) {
            assert!((notch.hz - f64::from(odd) / 0.0226).abs() < 1e-6, "{notch:?}");
            assert_eq!(notch.predicted_db, DEEPEST_DB);
            assert_eq!(notch.measured_db, Some(DEEPEST_DB));
        }
    }
}

#[test]
fn speakers_less_than_250_us_apart_have_none_there() {
    for delay_us in [0.0, 20.0, -249.0, f64::NAN, f64::INFINITY] {
        let comb = analyse(sum(delay_us, 0.0), &arrival(1.0), &arrival(1.0));
        assert_eq!((comb.count, comb.notches.len()), (0, 0), "{delay_us}");
    }
    assert_eq!(analyse(sum(251.0, 0.0), &arrival(1.0), &arrival(1.0)).count, 1);
}

#[test]
fn an_echo_has_more_than_are_listed_and_all_are_counted() {
    let comb = analyse(sum(137_000.0, 0.0), &arrival(1.0), &arrival(1.0));
    assert_eq!((comb.count, comb.notches.len()), (206, MAX_LISTED));
    assert!((comb.notches[0].hz - 137.0 / 0.274).abs() < 1e-6, "the lowest first: {:?}", comb.notches[0]);
}

#[test]
fn there_are_as_many_as_the_source_claim_counts() {
    for n in 0..4_000 {
        let delay_us = f64::from(n) * 7.3;
        let comb = analyse(sum(delay_us, 0.0), &Impulse::default(), &Impulse::default());
        assert_eq!(comb.count, classes::notches(delay_us), "{delay_us}");
    }
}

#[test]
fn a_level_difference_makes_notches_shallower_as_predicted() {
    for level_db in [-20.0, -6.0, -1.0, 2.0, 12.0] {
        let gain = 10f64.powf(level_db / 20.0);
        let expected = 20.0 * ((1.0 + gain) / (1.0 - gain).abs()).log10();
        let comb = analyse(sum(5_000.0, level_db), &arrival(0.1), &arrival(0.1 * gain as f32));
        assert_eq!(comb.count, 8);
        for notch in &comb.notches {
            assert!((notch.predicted_db - expected).abs() < 1e-6, "{level_db}: {notch:?}");
            assert!((notch.measured_db.unwrap() - expected).abs() < 0.05, "{level_db}: {notch:?}");
        }
    }
}

#[test]
fn with_one_speaker_turned_in_polarity_notches_and_peaks_change_places() {
    let opposed = Sum { opposed: true, ..sum(1_000.0, 0.0) };
    let comb = analyse(opposed, &arrival(1.0), &arrival(-1.0));
    let hz: Vec<f64> = comb.notches.iter().map(|n| n.hz.round()).collect();
    assert_eq!(hz, [1_000.0, 2_000.0]);
    assert!(comb.notches.iter().all(|n| n.measured_db == Some(DEEPEST_DB) && n.predicted_db == DEEPEST_DB));
}

#[test]
fn a_speaker_that_is_dull_measures_shallower_than_level_alone_predicts() {
    // The second speaker's 2 kHz are 8 dB down: a mean over four samples' distance.
    let mut dull = arrival(0.0);
    dull.samples[48 * 3 - 4] = 0.5;
    dull.samples[48 * 3 + 4] = 0.5;
    let comb = analyse(sum(3_000.0, 0.0), &arrival(1.0), &dull);
    let (low, high) = (comb.notches[0], comb.notches[comb.count - 1]);
    assert!(low.measured_db.unwrap() > 20.0, "{low:?}");
    assert!(high.measured_db.unwrap() < 12.0, "{high:?}");
}

#[test]
fn a_reflection_10_ms_later_is_not_in_the_measured_depth_and_one_after_1_ms_is() {
    let with_reflection = |after_ms: usize| {
        let mut impulse = arrival(1.0);
        impulse.samples[48 * (3 + after_ms)] = 0.5;
        analyse(sum(2_300.0, 0.0), &impulse, &arrival(1.0))
    };
    assert!(with_reflection(10).notches.iter().all(|n| n.measured_db == Some(DEEPEST_DB)));
    assert!(with_reflection(1).notches.iter().any(|n| n.measured_db.unwrap() < 25.0));
}

#[test]
fn what_noise_hides_is_not_told() {
    let loud = analyse(sum(11_300.0, -3.0), &noisy(arrival(1.0), 1e-3, 1), &noisy(arrival(0.7), 1e-3, 2));
    assert!(loud.notches.iter().all(|n| (n.measured_db.unwrap() - n.predicted_db).abs() < 1.5), "{loud:?}");
    let quiet = analyse(sum(11_300.0, 0.0), &noisy(arrival(1.0), 0.5, 1), &noisy(arrival(1.0), 0.5, 2));
    assert!(quiet.notches.iter().all(|n| n.measured_db.is_none()), "{quiet:?}");
    let nothing = analyse(sum(11_300.0, 0.0), &Impulse::default(), &Impulse::default());
    assert!(nothing.notches.iter().all(|n| n.measured_db.is_none()));
}

#[test]
fn the_curve_touches_0_db_between_the_notches() {
    let points = curve(sum(1_000.0, 0.0), &arrival(1.0), &arrival(1.0), [500.0, 1_000.0, 1_500.0]);
    let predicted: Vec<f64> = points.iter().map(|p| p.predicted_db.round()).collect();
    assert_eq!(predicted, [-DEEPEST_DB, 0.0, -DEEPEST_DB]);
    assert!(points.iter().all(|p| (p.measured_db.unwrap() - p.predicted_db).abs() < 0.01));
}
