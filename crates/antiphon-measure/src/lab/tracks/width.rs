//! Stereo width: a plucked phrase of known place between the speakers.

use super::score::{Part, Score};
use super::voice::{RATE, centre, left_only, out_of_phase, pluck, right_only, side_to_side, soften};

pub(super) static SCORE: Score = Score {
    parts: &[
        Part { heard: "the left speaker only", seconds: 4.5, sound: |n| left_only(phrase(n, 0.25)) },
        Part { heard: "the right speaker only", seconds: 4.5, sound: |n| right_only(phrase(n, 0.25)) },
        Part { heard: "midway between the speakers", seconds: 4.5, sound: |n| centre(phrase(n, 0.25)) },
        Part {
            heard: "from the left to the right and back, evenly",
            seconds: 8.5,
            sound: |n| side_to_side(phrase(n, 0.125)),
        },
        Part {
            heard: "out of phase: no clear place, thin, around the head",
            seconds: 4.5,
            sound: |n| out_of_phase(phrase(n, 0.25)),
        },
        Part {
            heard: "midway between the speakers again, to compare",
            seconds: 4.5,
            sound: |n| centre(phrase(n, 0.25)),
        },
    ],
    rise_s: 1.0,
    peak_dbfs: -8.4,
    rms_dbfs: [-25.1, -24.6],
};

/// Notes as MIDI numbers, D major without its fourth and seventh: any two sound well together.
const NOTES: [u8; 16] = [62, 69, 66, 74, 71, 69, 66, 64, 62, 69, 74, 78, 76, 71, 69, 66];

/// A note each `step_s`, ringing into each other; the last half second only rings.
fn phrase(frames: usize, step_s: f64) -> Vec<f64> {
    let mut out = vec![0.0; frames];
    let notes = ((frames as f64 / RATE - 0.5) / step_s).round() as usize;
    for n in 0..notes {
        let note = f64::from(NOTES[n % NOTES.len()]);
        pluck(&mut out, n as f64 * step_s, 440.0 * 2f64.powf((note - 69.0) / 12.0), 0.11);
    }
    soften(out, 0.05)
}
