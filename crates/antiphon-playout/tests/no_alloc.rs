//! The law: after `new`, the audio thread neither allocates nor frees.

mod rig;

use antiphon_base::{Chunk, Epoch, Frames, Span};
use antiphon_playout::{Command, PlayState};
use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use rig::{Rig, sine};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// The rig's period with the callback under guard.
fn guarded(rig: &mut Rig, seconds: f64) {
    let end = rig.dac + (seconds * rig.rate) as i64;
    let mut out = vec![0.0; rig.period];
    let mut fed = rig.media_at(rig.dac) as i64;
    while rig.dac < end {
        let until = rig.media_at(rig.dac) as i64 + 4_800;
        while fed < until {
            let samples = (fed..fed + 240).map(&rig.source).collect();
            if !rig.lost.iter().any(|lost| lost.contains(&fed)) {
                let chunk = Chunk { epoch: rig.epoch, first_frame: Frames(fed), channels: 1, samples };
                rig.controller.push(chunk).unwrap();
            }
            fed += 240;
        }
        let target = rig.target();
        rig.command(Command::Target(target));
        let dac = Frames(rig.dac);
        let renderer = &mut rig.renderer;
        assert_no_alloc(|| renderer.render(dac, &mut out));
        rig.dac += rig.period as i64;
        rig.last = rig.controller.telemetry().unwrap_or(rig.last);
    }
}

#[test]
fn start_steady_loss_slip_reprime_xrun_seek_stop_and_flush_allocate_nothing() {
    let mut rig = Rig::new(48_000, 480, 40e-6, sine(997.0, 0.5));
    rig.lost.push(1_020_000..1_021_000);
    rig.lost.push(1_030_000..1_040_000);
    guarded(&mut rig, 1.5);
    assert!(rig.last.concealed > Frames(0) && rig.last.underruns == 1);
    rig.command(Command::Gain { linear: 0.3, ramp: Span::from_ms(20) });
    rig.shift(300.0);
    guarded(&mut rig, 0.5);
    assert_eq!(rig.last.slips, 1);
    rig.shift(30_000.0);
    guarded(&mut rig, 1.5);
    assert_eq!(rig.last.reprimes, 1);
    rig.dac += 5_000;
    guarded(&mut rig, 0.5);
    assert_eq!(rig.last.xruns, 1);
    let begin = rig.dac as f64 + 5_000.5;
    rig.seek(2, 9_000_000, begin);
    guarded(&mut rig, 0.5);
    rig.command(Command::Stop { epoch: Epoch(2), dac_frame: rig.dac as f64 + 5_000.0 });
    guarded(&mut rig, 0.5);
    assert_eq!(rig.last.state, PlayState::Stopped);
    rig.command(Command::Flush);
    guarded(&mut rig, 0.5);
    assert_eq!(rig.last.state, PlayState::Playing);
    rig.command(Command::Reprime);
    guarded(&mut rig, 0.5);
    assert_eq!(rig.last.reprimes, 2);
}
