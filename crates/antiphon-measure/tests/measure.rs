//! The measurement from samples to numbers, in small made-up rooms whose truth is known.

use antiphon_measure::lab::excitation::Excitation;
use antiphon_measure::lab::measurement::Polarity;
use antiphon_measure::lab::{Analysis, Options, Recorded, Search, analyse, analyse_found};

/// One speaker: when its sound arrives, how loud, and how fast its player runs.
#[derive(Clone, Copy)]
struct Speaker {
    delay_us: f64,
    gain: f64,
    ppm: f64,
}

/// A microphone before some speakers, with six reflections of each.
struct World {
    speakers: Vec<Speaker>,
    recorder_ppm: f64,
    /// Half the width of what the noise is drawn from.
    noise: f64,
    before_s: f64,
}

impl World {
    fn two(delay_us: f64) -> Self {
        let speaker = |delay_us| Speaker { delay_us, gain: 0.5, ppm: 0.0 };
        let speakers = vec![speaker(5_000.3), speaker(5_000.3 + delay_us)];
        Self { speakers, recorder_ppm: 0.0, noise: 0.003, before_s: 0.5 }
    }

    fn record(&self, signal: &Excitation) -> Recorded {
        let mut sum = vec![0.0f32; ((self.before_s + 1.5) * 48_000.0) as usize + signal.frames()];
        let mut all = vec![0.0; signal.frames() * signal.channels()];
        signal.render(0, &mut all);
        for (c, speaker) in self.speakers.iter().enumerate() {
            let mut room = vec![0.0f32; signal.frames() + 4_000];
            let mut dice = Dice(c as u64 + 1);
            for at in [0, 91, 160, 333, 700, 1_203, 2_800] {
                let size = if at == 0 { 1.0 } else { 0.6 * (-f64::from(at) / 1_500.0).exp() * dice.unit() };
                let dry = all.iter().skip(c).step_by(signal.channels());
                room[at as usize..].iter_mut().zip(dry).for_each(|(out, x)| *out += x * size as f32);
            }
            let rate = 1.0 + speaker.ppm * 1e-6;
            let begin = (self.before_s * 48_000.0 + speaker.delay_us * 0.048) * rate;
            add(&mut sum, &room, begin, rate / (1.0 + self.recorder_ppm * 1e-6), speaker.gain);
        }
        let mut dice = Dice(99);
        sum.iter_mut().for_each(|x| *x += (dice.unit() * self.noise) as f32);
        Recorded { channels: vec![sum], begin_s: 0.0 }
    }

    fn analyse(&self, signal: &Excitation) -> Analysis {
        analyse(&self.record(signal), signal, &Options::default())
    }
}

/// Adds `room`, read at `n * step - shift` by a windowed sinc of 48 taps.
fn add(sum: &mut [f32], room: &[f32], shift: f64, step: f64, gain: f64) {
    for (n, out) in sum.iter_mut().enumerate() {
        let place = n as f64 * step - shift;
        let (whole, fraction) = (place.floor(), place - place.floor());
        let sine = (std::f64::consts::PI * fraction).sin() / std::f64::consts::PI;
        let mut value = 0.0;
        for k in -23..=24i64 {
            let Some(&x) = usize::try_from(whole as i64 + k).ok().and_then(|i| room.get(i)) else { continue };
            let distance = fraction - k as f64;
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let sinc = if distance.abs() < 1e-9 { 1.0 } else { sign * sine / distance };
            value += f64::from(x) * sinc * (1.0 - (distance / 24.5).powi(2)).powi(2);
        }
        *out += (gain * value) as f32;
    }
}

struct Dice(u64);

impl Dice {
    /// -1 to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn delay(analysis: &Analysis) -> (f64, f64) {
    let pair = &analysis.measurement.pairs[0];
    (pair.delay_us.value, pair.delay_us.half_95())
}

#[test]
fn two_speakers_in_a_small_room_are_measured_to_a_microsecond_with_a_fast_recorder() {
    let world = World { recorder_ppm: 150.0, ..World::two(1_234.56) };
    let analysis = world.analyse(&Excitation::track());
    let (us, half) = delay(&analysis);
    assert!((us - 1_234.56).abs() < 2.0 && half < 20.0, "{us} +- {half}");
    let ppm = analysis.measurement.recorder.ppm.unwrap();
    assert!((ppm.value - 150.0).abs() < 0.05, "{ppm:?}");
    let begin_s = analysis.measurement.recorder.begin_s.unwrap();
    assert!((begin_s - 0.505 * 1.000_15).abs() < 1e-4, "{begin_s}");
    assert!(analysis.measurement.channels.iter().all(|c| c.drift_ppm.value.abs() < 0.05));
}

#[test]
fn a_delay_of_half_a_second_either_way_is_not_mistaken_for_one_a_period_off() {
    for wanted in [-590_000.0, 433_000.0, 20.0] {
        let mut world = World::two(wanted);
        world.speakers.iter_mut().for_each(|s| s.delay_us += 600_000.0);
        let (us, _) = delay(&world.analyse(&Excitation::track()));
        assert!((us - wanted).abs() < 3.0, "{us} instead of {wanted}");
    }
}

#[test]
fn a_speaker_that_jumps_while_it_is_measured_is_not_mistaken_for_one_a_period_off() {
    let signal = Excitation::new(2, 6).unwrap();
    let alone = |c: usize, delay_us: f64| {
        let mut world = World::two(0.0);
        world.speakers[1 - c].gain = 0.0;
        world.speakers[c].delay_us = delay_us;
        world.record(&signal).channels.remove(0)
    };
    let (right, before) = (alone(1, 5_000.0), alone(0, 51_000.0));
    for jump_us in [-9_000.0, 15_000.0] {
        let after = alone(0, 51_000.0 + jump_us);
        for rounds in 1..6 {
            let at = signal.full().start + rounds * Excitation::PERIOD + 24_000 + 20_000;
            let left = before[..at].iter().chain(&after[at..]);
            let sum: Vec<f32> = left.zip(&right).map(|(l, r)| l + r).collect();
            let recorded = Recorded { channels: vec![sum], begin_s: 0.0 };
            let (us, _) = delay(&analyse(&recorded, &signal, &Options::default()));
            assert!((us + 46_000.0).abs() < 20_000.0, "{us} after a jump of {jump_us} in round {rounds}");
        }
    }
}

#[test]
fn turned_wires_and_a_quieter_speaker_are_seen_as_such() {
    let mut world = World::two(300.0);
    world.speakers[1].gain = -0.25;
    let analysis = world.analyse(&Excitation::track());
    let [left, right] = &analysis.measurement.channels[..] else { panic!() };
    assert_eq!((left.polarity, right.polarity), (Polarity::Normal, Polarity::Inverted));
    let pair = &analysis.measurement.pairs[0];
    assert!((pair.level_diff_db + 6.02).abs() < 2.0, "{}", pair.level_diff_db);
    assert!((pair.delay_us.value - 300.0).abs() < 2.0, "{}", pair.delay_us.value);
    assert!(analysis.pairs[0].likeness.abs() < 0.5);
}

#[test]
fn players_on_clocks_of_their_own_are_told_apart_and_their_drift_is_stated() {
    let mut world = World { recorder_ppm: -80.0, ..World::two(700.0) };
    world.speakers[0].ppm = 25.0;
    world.speakers[1].ppm = -20.0;
    let signal = Excitation::track();
    let analysis = world.analyse(&signal);
    let [a, b] = &analysis.measurement.channels[..] else { panic!() };
    let apart = a.drift_ppm.value - b.drift_ppm.value;
    assert!((apart - 45.0).abs() < 0.2, "{apart} ppm");
    // The slower player falls behind all the time: the delay is that of the middle of what was used.
    let middle_s = a.track.iter().map(|point| point.at_s).sum::<f64>() / a.track.len() as f64;
    let wanted = 700.0 + 45.0 * middle_s;
    let (us, half) = delay(&analysis);
    assert!((us - wanted).abs() < 10.0, "{us} +- {half}, not {wanted}");
    assert!(a.direct_to_reverb_db > 0.0 && b.direct_to_reverb_db > 0.0, "neither smears");
}

#[test]
fn a_recording_sped_up_by_three_percent_says_so() {
    let world = World { recorder_ppm: -30_000.0, ..World::two(100.0) };
    let speed = world.analyse(&Excitation::track()).speed.unwrap();
    assert!((speed - 0.97).abs() < 1e-5, "{speed}");
}

#[test]
fn a_hole_and_a_bang_in_two_periods_leave_the_delay_alone() {
    let signal = Excitation::track();
    let mut recorded = World::two(80.0).record(&signal);
    let at = signal.full().start + 3 * Excitation::PERIOD + 40_000;
    recorded.channels[0][at..at + 9_600].fill(0.0);
    let mut dice = Dice(5);
    recorded.channels[0][at + 100_000..at + 110_000].iter_mut().for_each(|x| *x += dice.unit() as f32 * 0.5);
    let (us, half) = delay(&analyse(&recorded, &signal, &Options::default()));
    assert!((us - 80.0).abs() < 2.0, "{us} +- {half}");
}

#[test]
fn twenty_speakers_at_once_are_each_heard() {
    let signal = Excitation::new(20, 4).unwrap();
    let place = |c: usize| Speaker { delay_us: 4_000.0 + 611.7 * ((c * 7) % 20) as f64, gain: 0.2, ppm: 0.0 };
    let world = World { speakers: (0..20).map(place).collect(), ..World::two(0.0) };
    let analysis = world.analyse(&signal);
    assert_eq!(analysis.measurement.pairs.len(), 190);
    for pair in &analysis.measurement.pairs {
        let wanted = world.speakers[pair.b].delay_us - world.speakers[pair.a].delay_us;
        let error = pair.delay_us.value - wanted;
        assert!(error.abs() < 6.0, "{} to {}: {error} us", pair.a, pair.b);
    }
}

#[test]
fn noise_and_a_hum_are_not_the_signal() {
    let mut dice = Dice(3);
    let hum = |n: usize| (n as f32 * 0.006_545).sin() * 0.3;
    let samples: Vec<f32> = (0..700_000).map(|n| hum(n) + dice.unit() as f32 * 0.05).collect();
    let recorded = Recorded { channels: vec![samples], begin_s: 0.0 };
    let analysis = analyse(&recorded, &Excitation::track(), &Options::default());
    assert!(analysis.occurrences.is_empty() && analysis.speed.is_none());
    assert!(analysis.measurement.channels.iter().all(|c| !c.heard));
}

#[test]
fn of_a_long_recording_only_the_part_with_the_signal_is_kept_and_every_occurrence_is_told() {
    let signal = Excitation::track();
    let once = World::two(50.0).record(&signal).channels.remove(0);
    let mut search = Search::new(&signal);
    let quiet = vec![0.0001f32; 48_000];
    (0..100).for_each(|_| search.push(&quiet, 1));
    once.chunks(5_000).for_each(|piece| search.push(piece, 1));
    (0..60).for_each(|_| search.push(&quiet, 1));
    once.chunks(48_000).for_each(|piece| search.push(piece, 1));
    (0..10).for_each(|_| search.push(&quiet, 1));
    let found = search.finish();
    assert_eq!(found.stretches.len(), 2);
    assert!(found.recorded.channels[0].len() < 30 * 48_000, "{}", found.recorded.channels[0].len());
    let analysis = analyse_found(&found, &signal, &Options::default());
    assert_eq!((analysis.occurrences.len(), analysis.measured), (2, Some(0)));
    assert!((analysis.occurrences[0].begin_s - 100.505).abs() < 1e-3, "{:?}", analysis.occurrences);
    let (us, _) = delay(&analysis);
    assert!((us - 50.0).abs() < 2.0, "{us}");
}

#[test]
fn what_the_recording_lacks_at_its_begin_and_end_is_counted() {
    let signal = Excitation::track();
    let whole = World::two(250.0).record(&signal).channels.remove(0);
    let recorded = Recorded { channels: vec![whole[200_000..500_000].to_vec()], begin_s: 0.0 };
    let analysis = analyse(&recorded, &signal, &Options::default());
    let (us, _) = delay(&analysis);
    assert!((us - 250.0).abs() < 2.0, "{us}");
    let occurrence = analysis.occurrences[analysis.measured.unwrap()];
    assert!(occurrence.missing_begin_s > 1.0 || occurrence.missing_end_s > 1.0, "{occurrence:?}");
}
