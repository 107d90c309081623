use realfft::num_complex::Complex;

use super::spectrum::CENTRES_HZ;
use super::*;

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// The spectrum of samples at one frequency.
fn at(samples: &[f32], hz: f64) -> Complex<f64> {
    let step = -std::f64::consts::TAU * hz / RATE;
    samples.iter().enumerate().map(|(n, &x)| Complex::from_polar(f64::from(x), step * n as f64)).sum()
}

/// Time from -5 to -25 dB of the energy that is still to come (Schroeder), threefold.
fn rt60_s(response: &[f32]) -> f64 {
    let total = energy(response);
    let mut left = total;
    let mut marks = [None; 2];
    for (n, &x) in response.iter().enumerate() {
        left -= f64::from(x) * f64::from(x);
        for (mark, db) in marks.iter_mut().zip([-5.0, -25.0]) {
            if mark.is_none() && 10.0 * (left / total).log10() < db {
                *mark = Some(n);
            }
        }
    }
    (marks[1].expect("decays") - marks[0].expect("decays")) as f64 / RATE * 3.0
}

#[test]
fn the_oracle_and_the_direct_sound_agree_to_a_hundredth_of_a_microsecond() {
    for seed in 0..20 {
        let room = Scene::random(seed).room;
        let direct = direct_responses(&room);
        for (i, arrival_us) in oracle::arrivals_us(&room).into_iter().enumerate() {
            // The great part of the delay is taken out first, so that the phase turns slowly.
            let frames = (arrival_us * 1e-6 * RATE) as usize;
            let about = direct[i][frames.saturating_sub(200)..frames + 2_000].to_vec();
            let begin_us = frames.saturating_sub(200) as f64 / RATE * 1e6;
            let measured_us = oracle::phase_slope_s(|hz| at(&about, hz)) * 1e6 + begin_us;
            assert!((measured_us - arrival_us).abs() < 0.01, "seed {seed}: {measured_us} {arrival_us}");
        }
    }
}

#[test]
fn a_room_of_each_reverberation_time_dies_at_about_that_rate() {
    for wanted_s in [0.2, 0.4, 0.8] {
        let room = RoomSpec::with_distances(&[2.0], wanted_s, 3);
        let mut response = responses(&room).remove(0);
        for section in [biquad::Biquad::high_pass(500.0, 0.707), biquad::Biquad::low_pass(2e3, 0.707)] {
            section.process(&mut response);
        }
        let found_s = rt60_s(&response);
        assert!((found_s / wanted_s - 1.0).abs() < 0.25, "wanted {wanted_s}, found {found_s}");
    }
}

/// Where images give way to noise neither the level nor the spectrum jumps.
#[test]
fn the_tail_goes_on_as_the_images_end() {
    for seed in 0..8 {
        let mut room = RoomSpec::with_distances(&[2.5], 0.6, seed);
        room.loudspeakers[0].directivity.behind_db = 12.0;
        let response = responses(&room).remove(0);
        for (band, hz) in CENTRES_HZ.into_iter().enumerate().skip(1).take(6) {
            let mut part = response.clone();
            for section in
                [biquad::Biquad::high_pass(hz * 0.75, 1.0), biquad::Biquad::low_pass(hz * 1.33, 1.0)]
            {
                section.process(&mut part);
            }
            let before = energy(&part[3_000..4_800]);
            let after = energy(&part[6_000..7_800]);
            let wanted = -60.0 * (3_000.0 / RATE) / room.rt60_s()[band];
            let fell = 10.0 * (after / before).log10();
            assert!((fell - wanted).abs() < 3.5, "seed {seed}, {hz} Hz: fell {fell}, wanted {wanted}");
        }
    }
}

#[test]
fn more_distance_is_later_and_quieter_by_the_law_of_distance() {
    let room = RoomSpec::with_distances(&[1.0, 4.0], 0.3, 1);
    let direct = direct_responses(&room);
    let level_db = 10.0 * (energy(&direct[1]) / energy(&direct[0])).log10();
    assert!((level_db + 12.04).abs() < 0.01, "{level_db}");
    assert!((oracle::delay_us(&room, 0, 1) - 3.0 / 343.2 * 1e6).abs() < 1e-6);
}

#[test]
fn no_sound_comes_before_the_direct_sound() {
    for seed in 0..10 {
        let room = Scene::random(seed).room;
        for (i, response) in responses(&room).iter().enumerate() {
            let arrives_s = room.distance_m(i) / geometry::SOUND_M_S + room.loudspeakers[i].delay_s;
            let before = &response[..(arrives_s * RATE) as usize - 24];
            assert!(energy(before) < 1e-6 * energy(response), "seed {seed}");
        }
    }
}

#[test]
fn a_table_reflects_within_a_millisecond() {
    let mut room = RoomSpec::with_distances(&[2.0], 0.3, 1);
    room.loudspeakers[0].place_m[2] += 0.5;
    let without = responses(&room).remove(0);
    room.table = Some(Table { below_m: 0.1, reflects: 0.8, area_m2: 1.0 });
    let with = responses(&room).remove(0);
    let added: Vec<f32> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
    let place = |x: &[f32]| x.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0;
    let after_us = (place(&added[..1_000]) - place(&without[..1_000])) as f64 / RATE * 1e6;
    assert!((100.0..300.0).contains(&after_us), "{after_us}");
}

#[test]
fn a_seed_is_a_scene() {
    assert_eq!(Scene::random(5), Scene::random(5));
    assert_ne!(Scene::random(5).room, Scene::random(6).room);
    assert_eq!(responses(&Scene::random(5).room), responses(&Scene::random(5).room));
}

#[test]
fn scenes_stay_within_the_ranges_they_state() {
    for seed in 0..200 {
        let scene = Scene::random(seed);
        let room = &scene.room;
        let mid_s = 3.0 / room.rt60_s()[2..5].iter().map(|rt| 1.0 / rt).sum::<f64>();
        assert!((0.19..0.82).contains(&mid_s), "seed {seed}: {mid_s}");
        for (i, loudspeaker) in room.loudspeakers.iter().enumerate() {
            assert!((1.0..5.0).contains(&room.distance_m(i)), "seed {seed}");
            assert!((0.0..0.3).contains(&loudspeaker.delay_s));
            assert!(loudspeaker.cosine_to(room.microphone_m) > 0.2, "seed {seed}");
        }
    }
}
