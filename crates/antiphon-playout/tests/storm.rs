//! Whatever comes, in whatever order: no panic, no sample beyond full scale, and when it is over,
//! the programme plays.

mod rig;

use antiphon_base::{Chunk, Epoch, Frames, Span};
use antiphon_playout::{Command, PlayState, Target};
use proptest::prelude::*;
use rig::{Rig, sine};

#[derive(Debug, Clone)]
enum Event {
    Push(Chunk),
    Tell(Command),
    Render(i64, usize),
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![0..200_000i64, any::<i64>(), Just(i64::MAX), Just(i64::MIN)]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..200_000.0, any::<f64>(), Just(f64::NAN), Just(f64::INFINITY)]
}

fn target() -> impl Strategy<Value = Target> {
    let slope = prop_oneof![0.9995..1.0005, any::<f64>()];
    (0..5u32, number(), real(), slope, proptest::option::of(number()), any::<bool>()).prop_map(
        |(epoch, media, dac_frame, media_per_dac, start, trusted)| Target {
            moves: u32::from(trusted),
            epoch: Epoch(epoch),
            media_frame: Frames(media),
            dac_frame,
            media_per_dac,
            start: start.map(Frames),
            trusted,
        },
    )
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let samples = proptest::collection::vec(prop_oneof![-1f32..1.0, any::<f32>()], 0..700);
    (0..5u32, number(), 0..4u16, samples).prop_map(|(epoch, first, channels, samples)| Chunk {
        epoch: Epoch(epoch),
        first_frame: Frames(first),
        channels,
        samples,
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => chunk().prop_map(Event::Push),
        4 => target().prop_map(|target| Event::Tell(Command::Target(target))),
        1 => (any::<f32>(), any::<i64>())
            .prop_map(|(linear, ns)| Event::Tell(Command::Gain { linear, ramp: Span::from_ns(ns) })),
        1 => (0..5u32, real())
            .prop_map(|(epoch, dac_frame)| Event::Tell(Command::Stop { epoch: Epoch(epoch), dac_frame })),
        1 => Just(Event::Tell(Command::Flush)),
        1 => Just(Event::Tell(Command::Reprime)),
        6 => (prop_oneof![9 => Just(i64::MIN), 1 => number()], 0..1_500usize)
            .prop_map(|(jump, frames)| Event::Render(jump, frames)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_storm_of_nonsense_neither_panics_nor_lasts(events in proptest::collection::vec(event(), 1..80)) {
        let mut rig = Rig::new(48_000, 256, 0.0, sine(997.0, 0.5));
        let (mut dac, mut out) = (0, vec![0.0; 1_500]);
        for event in events {
            match event {
                Event::Push(chunk) => drop(rig.controller.push(chunk)),
                Event::Tell(command) => drop(rig.controller.command(command)),
                Event::Render(jump, frames) => {
                    // Mostly contiguous; the smallest number stands for that.
                    dac = if jump == i64::MIN { dac } else { jump };
                    rig.renderer.render(Frames(dac), &mut out[..frames]);
                    prop_assert!(out.iter().all(|x| x.abs() <= 1.0));
                    dac = dac.saturating_add(frames as i64);
                }
            }
        }
        rig.renderer.render(Frames(0), &mut out);
        rig.command(Command::Flush);
        rig.command(Command::Gain { linear: 1.0, ramp: Span::ZERO });
        rig.run(0.5);
        prop_assert_eq!(rig.last.state, PlayState::Playing);
        prop_assert!(rig.last.peak > 0.49 && rig.last.peak < 0.51, "{}", rig.last.peak);
    }
}
