//! Every frame leaves the DAC when the target says.

mod rig;

use antiphon_base::{Epoch, Frames};
use antiphon_playout::{Command, PlayState, Stage};
use rig::{Rig, phase_error, sine};

/// Microseconds that 997 Hz in `range` seconds of the output is off its place.
fn off_us(rig: &Rig, from_s: f64, to_s: f64) -> f64 {
    let (a, b) = ((from_s * rig.rate) as usize, (to_s * rig.rate) as usize);
    phase_error(&rig.out[a..b], 997.0, |n| rig.media_at((a + n) as i64)) / 48_000.0 * 1e6
}

#[test]
fn the_first_frame_of_an_epoch_is_in_place_to_a_nanosecond_at_every_rate_and_period() {
    for (hz, period) in [(48_000, 64), (48_000, 256), (48_000, 1_023), (44_100, 256), (96_000, 480)] {
        for fraction in [0.0, 0.25, 0.7] {
            let mut rig = Rig::new(hz, period, 50e-6, sine(997.0, 0.5));
            rig.dac_0 = 4_800.0 + fraction;
            rig.run(0.25);
            let begin = rig.dac_of(1_000_000) as usize;
            assert!(rig.out[..begin].iter().all(|x| *x == 0.0), "{hz} {period}: silent before");
            let from = rig.dac_of(1_000_000) / rig.rate + 0.003;
            let off = off_us(&rig, from, from + 0.02);
            assert!(off.abs() < 0.01, "{hz} {period} {fraction}: {off} us");
            assert_eq!(rig.last.state, PlayState::Playing);
        }
    }
}

#[test]
fn an_impulse_sounds_at_its_own_frame() {
    let mut rig = Rig::new(48_000, 256, 0.0, Box::new(|n| if n == 1_010_000 { 0.5 } else { 0.0 }));
    rig.dac_0 = 4_800.0;
    rig.run(0.5);
    let loudest = (0..rig.out.len()).max_by(|a, b| rig.out[*a].abs().total_cmp(&rig.out[*b].abs()));
    assert_eq!(loudest, Some(14_800));
}

#[test]
fn twenty_milliseconds_of_latency_are_enough() {
    for period in [64, 128, 256] {
        let mut rig = Rig::new(48_000, period, 40e-6, sine(997.0, 0.5));
        // What is left of 20 ms after a sink of two periods of 256 and a packet of 5 ms.
        rig.lead = 480 + period as i64;
        rig.run(3.0);
        assert_eq!((rig.last.concealed, rig.last.silent), (Frames(0), Frames(0)), "{period}");
        assert!(off_us(&rig, 1.0, 2.9).abs() < 0.05);
    }
}

#[test]
fn what_comes_long_before_its_start_is_still_there_when_it_starts() {
    let mut rig = Rig::new(48_000, 256, 40e-6, sine(997.0, 0.5));
    (rig.dac_0, rig.lead) = (144_000.4, 200_000);
    rig.run(3.3);
    assert_eq!((rig.last.concealed, rig.last.silent), (Frames(0), Frames(0)));
    assert!(off_us(&rig, 3.004, 3.2).abs() < 0.01);
}

#[test]
fn a_target_that_changes_before_the_start_is_simply_the_new_one() {
    let mut rig = Rig::new(48_000, 256, 0.0, sine(997.0, 0.5));
    rig.run(0.05).shift(700.9);
    rig.run(0.2);
    let begin = rig.dac_of(1_000_000) as usize;
    assert!(rig.out[..begin].iter().all(|x| *x == 0.0));
    let from = rig.dac_of(1_000_000) / rig.rate + 0.003;
    assert!(off_us(&rig, from, from + 0.02).abs() < 0.01);
    assert_eq!((rig.last.slips, rig.last.reprimes), (0, 0));
}

#[test]
fn who_joins_late_comes_in_at_the_right_place() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.targets = false;
    rig.run(1.0).targets = true;
    rig.run(1.0);
    assert!(rig.out[..47_000].iter().all(|x| *x == 0.0));
    assert!(off_us(&rig, 1.05, 1.9).abs() < 0.02);
    assert_eq!((rig.last.concealed, rig.last.silent), (Frames(0), Frames(0)));
}

#[test]
fn a_delay_of_300_us_is_steered_to_and_one_of_5_ms_is_slipped_to() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(2.0).shift(0.3e-3 * 48_000.0);
    rig.run(3.0);
    assert_eq!(rig.last.slips, 0);
    assert!(off_us(&rig, 4.5, 4.9).abs() < 5.0, "{}", off_us(&rig, 4.5, 4.9));
    for ms in [5.0, -5.0] {
        let before = rig.last.slips;
        rig.shift(ms * 48.0);
        rig.run(1.0);
        assert_eq!((rig.last.slips, rig.last.reprimes), (before + 1, 0));
        let now = rig.dac as f64 / rig.rate;
        assert!(off_us(&rig, now - 0.9, now - 0.05).abs() < 0.05);
    }
}

#[test]
fn beyond_50_ms_it_is_muted_and_comes_back_in_place() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(1.0).shift(0.1 * 48_000.0);
    rig.run(1.0);
    assert_eq!((rig.last.slips, rig.last.reprimes), (0, 1));
    assert!(off_us(&rig, 1.3, 1.95).abs() < 0.05);
}

#[test]
fn after_an_xrun_it_is_in_place_at_once() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(1.0);
    let jump = 1_000;
    rig.dac += jump;
    rig.out.resize(rig.out.len() + jump as usize, 0.0);
    rig.run(0.5);
    assert_eq!((rig.last.xruns, rig.last.reprimes), (1, 0));
    assert!(off_us(&rig, 1.04, 1.4).abs() < 0.05);
}

#[test]
fn a_reprime_waits_for_the_next_target_and_is_in_place() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(1.0).command(Command::Reprime);
    rig.dac_0 += 3_000.0;
    rig.run(1.0);
    assert_eq!((rig.last.slips, rig.last.reprimes), (0, 1));
    assert!(off_us(&rig, 1.3, 1.95).abs() < 0.05);
}

#[test]
fn a_seek_plays_the_new_epoch_from_its_own_start_and_nothing_of_the_old_one_after_it() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(1.0);
    let stop = rig.dac as f64 + 1_920.0;
    for _ in 0..3 {
        rig.command(Command::Stop { epoch: Epoch(1), dac_frame: stop });
    }
    let begin = rig.dac as f64 + 9_600.4;
    rig.seek(2, 1_200_000, begin);
    rig.run(1.0);
    let quiet = &rig.out[stop as usize + 1..begin as usize];
    assert!(quiet.iter().all(|x| *x == 0.0));
    assert!(rig.out[stop as usize - 500..stop as usize - 400].iter().any(|x| x.abs() > 0.3));
    let from = begin / rig.rate + 0.003;
    assert!(off_us(&rig, from, from + 0.5).abs() < 0.05);
    assert_eq!((rig.last.epoch, rig.last.state), (Epoch(2), PlayState::Playing));
    assert_eq!((rig.last.concealed, rig.last.silent), (Frames(0), Frames(0)));
}

#[test]
fn a_new_epoch_without_a_stop_takes_over_at_its_start() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(1.0);
    let begin = rig.dac as f64 + 4_000.6;
    rig.seek(2, 1_200_000, begin);
    rig.run(1.0);
    assert!(off_us(&rig, begin / rig.rate + 0.02, begin / rig.rate + 0.5).abs() < 0.05);
    assert_eq!(rig.last.epoch, Epoch(2));
}

#[test]
fn what_comes_for_an_epoch_that_was_stopped_is_not_played() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.run(0.5).command(Command::Stop { epoch: Epoch(1), dac_frame: 0.0 });
    rig.run(0.5);
    assert_eq!(rig.last.state, PlayState::Stopped);
    assert!(rig.out[rig.out.len() - 20_000..].iter().all(|x| *x == 0.0));
    assert!(rig.last.discarded > Frames(10_000));
}

#[test]
fn after_a_flush_epochs_may_count_from_the_beginning_again() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.seek(57, 1_000_000, 4_800.0);
    rig.run(0.5).command(Command::Flush);
    let begin = rig.dac as f64 + 9_600.0;
    rig.seek(1, 500, begin);
    rig.run(0.5);
    assert_eq!((rig.last.epoch, rig.last.state), (Epoch(1), PlayState::Playing));
    assert!(off_us(&rig, begin / rig.rate + 0.02, begin / rig.rate + 0.2).abs() < 0.05);
}

#[test]
fn a_network_that_was_away_for_a_second_finds_the_programme_in_place() {
    let mut rig = Rig::new(48_000, 256, 30e-6, sine(997.0, 0.5));
    rig.lost.push(1_048_000..1_096_000);
    rig.run(3.0);
    assert_eq!(rig.last.underruns, 1);
    assert_eq!(rig.last.concealed.0, 2_880);
    assert!((rig.last.silent.0 + 2_880 - 48_000).abs() <= 240, "{:?}", rig.last.silent);
    let back = rig.dac_of(1_096_000) / rig.rate;
    assert!(off_us(&rig, back + 0.01, back + 0.5).abs() < 0.05);
    assert_eq!(rig.last.stage, Stage::Medium);
}

#[test]
fn nonsense_commands_and_frame_numbers_are_harmless() {
    let mut rig = Rig::new(48_000, 256, 0.0, sine(997.0, 0.5));
    rig.run(0.3);
    let target = rig.target();
    for dac_frame in [f64::NAN, f64::INFINITY, -1e300] {
        rig.command(Command::Target(antiphon_playout::Target { dac_frame, ..target }));
    }
    rig.command(Command::Gain { linear: f32::NAN, ramp: antiphon_base::Span::MAX });
    rig.run(0.1);
    assert_eq!(rig.last.state, PlayState::Playing);
    rig.command(Command::Stop { epoch: Epoch(9), dac_frame: f64::NEG_INFINITY });
    for first in [i64::MIN / 2, i64::MAX / 2, 0] {
        let mut out = [1.0; 513];
        rig.renderer.render(Frames(first), &mut out);
        assert!(out.iter().all(|x| x.abs() <= 1.0));
    }
}
