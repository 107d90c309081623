//! How well the lab measures in random rooms, as JSON.
//!
//! `cargo run --release -p antiphon-sim --example rooms -- [--rooms 200] [--seed 1] [--calibration] [--table]`
//!
//! Plain: errors of the delay between two loudspeakers, in microseconds, among rooms graded good; whether
//! the stated intervals hold; and how long two and twenty loudspeakers take to compute.
//! `--calibration`: what is left between the loudspeakers after one pass of corrections.
//! `--table`: a line for every room on standard error.

use std::time::Instant;

use antiphon_measure::lab::measurement::Grade;
use antiphon_measure::lab::{Excitation, Options, measure};
use antiphon_measure::summary::Summary;
use antiphon_sim::room::Scene;
use antiphon_sim::room::trial::{self, Outcome, Trial};

/// An error beyond this that is graded good or usable is a gross failure.
const GROSS_US: f64 = 200.0;

struct Arguments {
    rooms: u64,
    seed: u64,
    calibration: bool,
    table: bool,
}

fn main() {
    let arguments = arguments();
    if arguments.calibration {
        println!("{}", calibration(&arguments));
    } else {
        println!("{}", accuracy(&arguments));
    }
}

fn arguments() -> Arguments {
    let mut found = Arguments { rooms: 200, seed: 1, calibration: false, table: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|w| w.parse().ok()).expect("a number follows");
        match word.as_str() {
            "--rooms" => found.rooms = number(),
            "--seed" => found.seed = number(),
            "--calibration" => found.calibration = true,
            "--table" => found.table = true,
            other => panic!("{other}: not known; see the head of this example"),
        }
    }
    found
}

/// Runs all scenes, on two processors.
fn trials(arguments: &Arguments, scene: impl Fn(u64) -> Scene + Sync) -> Vec<Trial> {
    let excitation = Excitation::track();
    let sources = trial::sources(&excitation);
    let some = |begin: u64| -> Vec<Trial> {
        let seeds = (arguments.seed..arguments.seed + arguments.rooms).skip(begin as usize).step_by(2);
        let run = |seed| {
            let trial = Trial::run(scene(seed), &excitation, &sources);
            if arguments.table {
                eprintln!("{}", line(&trial));
            }
            trial
        };
        seeds.map(run).collect()
    };
    let mut all = std::thread::scope(|scope| {
        let odd = scope.spawn(|| some(1));
        let mut all = some(0);
        all.extend(odd.join().expect("no trial panics"));
        all
    });
    all.sort_by_key(|t| t.scene.seed);
    all
}

fn line(trial: &Trial) -> String {
    let scene = &trial.scene;
    let m = &trial.measurement;
    let outcome = worst(trial).unwrap_or(Outcome { error_us: f64::NAN, half_95_us: f64::NAN });
    let findings: Vec<&str> = m.findings.iter().map(|f| f.kind.as_str()).collect();
    format!(
        "{:>5} error {:>9.2} +-{:>7.2} {:?} snr {:>4.1} rt60 {:.2} far {:.1} {:.1} ppm {:>6.1} found {:>6.1}{} {}",
        scene.seed,
        outcome.error_us,
        outcome.half_95_us,
        trial.grade(),
        scene.microphone.snr_db,
        scene.room.rt60_s()[3],
        scene.room.distance_m(0),
        scene.room.distance_m(1),
        scene.microphone.clock_ppm,
        m.recorder.ppm.map_or(f64::NAN, |e| e.value),
        if scene.room.table.is_some() { " table" } else { "" },
        findings.join(" ")
    )
}

fn worst(trial: &Trial) -> Option<Outcome> {
    trial.outcomes().into_iter().max_by(|a, b| a.error_us.abs().total_cmp(&b.error_us.abs()))
}

fn accuracy(arguments: &Arguments) -> String {
    let trials = trials(arguments, Scene::random);
    let of = |grade: Grade| trials.iter().filter(move |t| t.grade() == grade);
    let outcomes = |grade| -> Vec<Outcome> { of(grade).flat_map(Trial::outcomes).collect() };
    let good = outcomes(Grade::Good);
    let trusted: Vec<Outcome> = good.iter().copied().chain(outcomes(Grade::Usable)).collect();
    let errors: Vec<f64> = good.iter().map(|o| o.error_us.abs()).collect();
    let stated: Vec<f64> = good.iter().map(|o| o.half_95_us).collect();
    let (errors, stated) = (Summary::of(&errors), Summary::of(&stated));
    let holds = |all: &[Outcome]| part(all.iter().filter(|o| o.holds()).count(), all.len());
    let clear: Vec<&Trial> = trials.iter().filter(|t| t.scene.microphone.snr_db >= 10.0).collect();
    let clear_good = clear.iter().filter(|t| t.grade() == Grade::Good).count();
    let mut by_error: Vec<(f64, u64)> =
        trials.iter().map(|t| (worst(t).map_or(f64::INFINITY, |o| o.error_us.abs()), t.scene.seed)).collect();
    by_error.sort_by(|a, b| b.0.total_cmp(&a.0));
    let seeds: Vec<String> = by_error.iter().take(10).map(|(_, seed)| seed.to_string()).collect();
    format!(
        "{{\"rooms\": {}, \"good\": {}, \"usable\": {}, \"not_trustworthy\": {}, \
         \"error_p50_us\": {:.2}, \"error_p95_us\": {:.2}, \"error_max_us\": {:.2}, \
         \"stated_95_p50_us\": {:.2}, \"stated_95_p95_us\": {:.2}, \
         \"intervals_hold_good\": {:.3}, \"intervals_hold_good_or_usable\": {:.3}, \"gross_failures\": {}, \
         \"rooms_snr_10_db\": {}, \"good_of_snr_10_db\": {:.3}, \"worst_seeds\": [{}], \
         \"two_speakers_s\": {:.2}, \"twenty_speakers_s\": {:.2}}}",
        trials.len(),
        of(Grade::Good).count(),
        of(Grade::Usable).count(),
        of(Grade::NotTrustworthy).count(),
        errors.p50,
        errors.p95,
        errors.max,
        stated.p50,
        stated.p95,
        holds(&good),
        holds(&trusted),
        trusted.iter().filter(|o| o.error_us.abs() > GROSS_US).count(),
        clear.len(),
        part(clear_good, clear.len()),
        seeds.join(", "),
        computing_s(2, arguments.seed),
        computing_s(20, arguments.seed)
    )
}

fn part(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

/// Time from the end of a recording to its result, on one processor.
fn computing_s(speakers: usize, seed: u64) -> f64 {
    let excitation = Excitation::new(speakers, 8).expect("up to 32 channels");
    let scene = Scene::random_with(seed, speakers);
    let recorded = trial::recorded(&scene, &trial::sources(&excitation));
    let begin = Instant::now();
    let measurement = measure(&recorded, &excitation, &Options::default());
    let took = begin.elapsed().as_secs_f64();
    assert_eq!(measurement.channels.len(), speakers);
    took
}

fn calibration(arguments: &Arguments) -> String {
    let noisy = |seed| {
        let mut scene = Scene::random(seed);
        scene.microphone.snr_db = 5.0;
        scene
    };
    format!(
        "{{\"all_rooms\": {}, \"rooms_at_5_db\": {}}}",
        remaining(&trials(arguments, Scene::random)),
        remaining(&trials(arguments, noisy))
    )
}

fn remaining(trials: &[Trial]) -> String {
    let left: Vec<f64> = trials.iter().filter_map(|t| t.remaining_us().ok()).collect();
    let s = Summary::of(&left);
    format!(
        "{{\"rooms\": {}, \"refused\": {}, \"remaining_p50_us\": {:.2}, \"remaining_p95_us\": {:.2}, \
         \"remaining_max_us\": {:.2}}}",
        trials.len(),
        trials.len() - left.len(),
        s.p50,
        s.p95,
        s.max
    )
}
