//! Nothing that happens is heard as a click.
//!
//! The measure is the fourth difference, a high-pass: a 997 Hz tone of half scale leaves 1.5e-4, a
//! cut of it up to 3. What is allowed is 60 dB below that cut.

mod rig;

use antiphon_base::{Epoch, Span};
use antiphon_playout::Command;
use rig::{Rig, roughness, sine};

const ALLOWED: f64 = 3e-3;

fn playing() -> Rig {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(0.5);
    rig
}

/// Runs on for a second and says how rough that was, and how rough the tone alone is.
fn assert_smooth(rig: &mut Rig, what: &str) {
    let from = rig.out.len() - 1_000;
    rig.run(1.0);
    let rough = roughness(&rig.out[from..]);
    assert!(rough < ALLOWED, "{what}: {rough}");
}

#[test]
fn a_cut_would_be_seen() {
    let mut rig = playing();
    let at = rig.out.len() - 5_000;
    rig.out.drain(at..at + 13);
    assert!(roughness(&rig.out) > 100.0 * ALLOWED);
}

#[test]
fn starting_in_the_middle_of_a_tone() {
    // Frame 1,000,000 is not a zero of this tone.
    let mut rig = Rig::new(48_000, 256, 30e-6, Box::new(|n| (0.13 * n as f64 + 1.5).sin() as f32 * 0.5));
    rig.run(0.5);
    assert!(roughness(&rig.out) < ALLOWED, "{}", roughness(&rig.out));
}

#[test]
fn joining_late() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.targets = false;
    rig.run(0.513).targets = true;
    assert_smooth(&mut rig, "join");
}

#[test]
fn stopping_pausing_and_resuming() {
    for ahead in [-500.0, 0.0, 100.0, 1_920.5] {
        let mut rig = playing();
        let stop = rig.dac as f64 + ahead;
        rig.command(Command::Stop { epoch: Epoch(1), dac_frame: stop });
        rig.feeding = false;
        assert_smooth(&mut rig, "stop");
        let silent = (stop.ceil() as usize).max(rig.out.len() - 48_000 + 300);
        assert!(rig.out[silent..].iter().all(|x| *x == 0.0));
        let begin = rig.dac as f64 + 3_000.3;
        rig.feeding = true;
        rig.seek(2, 1_048_111, begin);
        assert_smooth(&mut rig, "resume");
    }
}

#[test]
fn a_fade_at_a_stop_ends_on_its_frame() {
    let mut rig = playing();
    let stop = rig.dac + 2_000;
    rig.command(Command::Stop { epoch: Epoch(1), dac_frame: stop as f64 });
    rig.run(0.2);
    let last = rig.out.iter().rposition(|x| *x != 0.0).unwrap() as i64;
    assert!((stop - 4..stop).contains(&last), "{last} {stop}");
}

#[test]
fn flushing() {
    let mut rig = playing();
    rig.command(Command::Flush);
    rig.targets = false;
    assert_smooth(&mut rig, "flush");
    assert!(rig.out[rig.out.len() - 40_000..].iter().all(|x| *x == 0.0));
}

#[test]
fn gain_steps_even_one_upon_another() {
    let mut rig = playing();
    for linear in [0.0, 1.0, 0.1, 1.9] {
        rig.command(Command::Gain { linear, ramp: Span::ZERO });
        rig.period();
    }
    assert_smooth(&mut rig, "gain");
    assert!((rig.last.gain - 1.9).abs() < 1e-6);
}

#[test]
fn losing_one_packet_or_many() {
    for lost in [240, 480, 1_200, 4_800, 24_000] {
        let mut rig = playing();
        let at = (rig.media_at(rig.dac) as i64 / 240 + 50) * 240;
        rig.lost.push(at..at + lost);
        assert_smooth(&mut rig, "loss");
        assert!(rig.last.concealed.0 > 0);
    }
}

#[test]
fn slipping_and_repriming() {
    for ms in [1.5, -1.5, 7.3, -30.0, 80.0, -120.0] {
        let mut rig = playing();
        rig.shift(ms * 48.0);
        assert_smooth(&mut rig, "jump");
        assert_eq!(rig.last.slips + rig.last.reprimes, 1, "{ms}");
    }
    let mut rig = playing();
    rig.command(Command::Reprime);
    assert_smooth(&mut rig, "reprime");
}

#[test]
fn moving_on_purpose_however_far() {
    for ms in [2.0, -30.0, 80.0, -130.0, 130.0, 400.0] {
        let mut rig = playing();
        // A move forward needs media that are still to come at first.
        rig.lead = 4_800;
        rig.command_move(ms * 48.0);
        let from = rig.out.len() - 1_000;
        assert_smooth(&mut rig, "commanded move");
        assert_eq!((rig.last.moves, rig.last.slips, rig.last.reprimes), (1, 0, 0), "{ms}");
        // Half the level, and never silence, however far it went.
        assert!(rig.out[from..].chunks(200).all(|part| part.iter().any(|x| x.abs() > 0.1)), "{ms}");
    }
}

#[test]
fn a_new_epoch_over_a_playing_one() {
    let mut rig = playing();
    let begin = rig.dac as f64 + 3_000.3;
    rig.seek(2, 1_500_000, begin);
    assert_smooth(&mut rig, "take-over");
}

#[test]
fn coming_back_after_an_xrun() {
    let mut rig = playing();
    rig.dac += 1_234;
    let from = rig.out.len();
    rig.out.extend([0.0; 1_234]);
    rig.run(0.5);
    assert!(roughness(&rig.out[from..]) < ALLOWED);
}

#[test]
fn being_steered_as_hard_as_it_goes() {
    let mut rig = playing();
    rig.shift(40.0);
    assert_smooth(&mut rig, "steering");
    assert_eq!(rig.last.slips, 0);
}

#[test]
fn a_burst_of_nonsense_samples_stays_within_full_scale_and_passes() {
    let mut rig = Rig::new(
        48_000,
        256,
        0.0,
        Box::new(|n| if (1_010_000..1_010_050).contains(&n) { f32::NAN } else { 1e30 * (n % 2) as f32 }),
    );
    rig.run(1.0);
    assert!(rig.out.iter().all(|x| x.abs() <= 1.0));
}
