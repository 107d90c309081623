//! A dozen random rooms: what the lab says of the delay between two loudspeakers, against what is
//! true. The table is committed, so that any change of quality is a diff.

use antiphon_measure::lab::Excitation;
use antiphon_measure::lab::measurement::Grade;
use antiphon_sim::room::Scene;
use antiphon_sim::room::trial::{self, Trial};

const HEAD: &str = "\
Two loudspeakers in a room: us, rounded up to 1, 2, 5, 10 ...
room  SNR dB  RT60 s  error  stated +-  grade
";

/// The least of 1, 2, 5, 10, 20, 50 ... that is not below: another processor's last bits make no difference.
fn step(us: f64) -> u64 {
    let steps = (0..9).flat_map(|power| [1, 2, 5].map(|k| k * 10u64.pow(power)));
    steps.into_iter().find(|&step| us.abs() <= step as f64).unwrap_or(u64::MAX)
}

fn row(trial: &Trial) -> String {
    let Scene { room, microphone, seed, .. } = &trial.scene;
    let outcome = trial.outcomes().first().copied();
    format!(
        "{seed:>4} {:>7.0} {:>7.1} {:>6} {:>10}  {:?}{}\n",
        microphone.snr_db,
        room.rt60_s()[3],
        outcome.map_or(0, |o| step(o.error_us)),
        outcome.map_or(0, |o| step(o.half_95_us)),
        trial.grade(),
        if room.table.is_some() { ", on a table" } else { "" }
    )
}

#[test]
fn a_dozen_rooms_are_measured_as_well_as_is_said() {
    let excitation = Excitation::track();
    let sources = trial::sources(&excitation);
    let mut text = HEAD.to_owned();
    let mut held = 0;
    for seed in 1..=12 {
        let trial = Trial::run(Scene::random(seed), &excitation, &sources);
        text += &row(&trial);
        for outcome in trial.outcomes() {
            assert!(trial.grade() == Grade::NotTrustworthy || outcome.error_us.abs() < 100.0, "{text}");
            held += usize::from(outcome.holds());
        }
    }
    assert!(held >= 11, "{held} of 12 intervals hold\n{text}");
    insta::assert_snapshot!("rooms", text);
}
