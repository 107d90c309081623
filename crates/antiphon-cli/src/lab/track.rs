//! `--signal FILE`: whether what was played is what can be measured.

use std::path::Path;

use antiphon_measure::lab::tracks::TestTrack;
use antiphon_measure::lab::{self, Excitation, Options, Recorded};

use super::recording;
use crate::exit::Failure;

/// Samples compared: one period of the signal.
const COMPARED: usize = Excitation::PERIOD;

/// Encoders shift what they encode: MP3 and AAC by less than this many frames after their own
/// correction, plus what the search rounds.
const SHIFT: isize = 16;

/// Likeness of a channel and its own sequence; an encoder at a low bit rate takes some of it.
const SAME: f64 = 0.7;

/// Likeness of test tracks, which are compared with what was lost by an encoder only.
const SAME_TRACK: f64 = 0.9;

/// What the file holds, in one sentence.
///
/// # Errors
/// It is not the measure track, or its channels are not as they were.
pub fn check(file: &Path, excitation: &Excitation) -> Result<String, Failure> {
    let read = recording::read(file, excitation)?;
    let recorded = &read.found.recorded;
    let shown = file.display();
    let measured = lab::measure(recorded, excitation, &Options::default());
    let loudest = measured.channels.iter().filter(|c| c.heard).max_by(|a, b| a.snr_db.total_cmp(&b.snr_db));
    let Some(arrival_us) = loudest.map(|channel| channel.arrival_us.value) else {
        return Err(Failure::failed(match listening_track(recorded) {
            Some(track) => format!(
                "{shown} is the test track `{}`, which is for listening; measure with the track that `antiphon signal \
                 measure -o track.wav` writes",
                track.name()
            ),
            None => format!(
                "{shown} is no track of Antiphon's; make one with `antiphon signal measure -o track.wav`"
            ),
        }));
    };
    let begin = ((arrival_us * 1e-6 - recorded.begin_s) * 48_000.0).round() as isize
        + excitation.full().start as isize;
    let like =
        |file: usize, sent: usize| likeness(&recorded.channels[file], begin, excitation.sequence(sent));
    if recorded.channels.len() == 1 {
        let message = "has one channel, so that both speakers would play the same; use the stereo track";
        return Err(Failure::failed(format!("{shown} {message}")));
    }
    match [[like(0, 0), like(0, 1)], [like(1, 0), like(1, 1)]].map(|of| of.map(|like| like > SAME)) {
        [[true, false], [false, true]] => Ok(format!("{shown} is the measure track, as it should be")),
        [[false, true], [true, false]] => {
            Err(Failure::failed(format!("{shown} is the measure track with left and right exchanged")))
        }
        _ => Err(Failure::failed(format!(
            "{shown} holds the measure track, but its channels are mixed or damaged; make a new one with `antiphon \
             signal measure -o track.wav`"
        ))),
    }
}

fn listening_track(recorded: &Recorded) -> Option<TestTrack> {
    TestTrack::ALL.into_iter().filter(|track| *track != TestTrack::Measure).find(|track| {
        let samples = track.render();
        let left: Vec<f32> = samples.iter().step_by(2).copied().collect();
        recorded.channels.first().is_some_and(|channel| likeness(channel, 0, &left) > SAME_TRACK)
    })
}

/// The greatest normalised correlation of `sequence` with `samples` from `begin` on, over small shifts.
fn likeness(samples: &[f32], begin: isize, sequence: &[f32]) -> f64 {
    (-SHIFT..=SHIFT).map(|shift| correlation(samples, begin + shift, sequence)).fold(0.0, f64::max)
}

fn correlation(samples: &[f32], begin: isize, sequence: &[f32]) -> f64 {
    let skipped = usize::try_from(-begin).unwrap_or(0);
    let begin = usize::try_from(begin).unwrap_or(0);
    let pairs = samples.iter().skip(begin).zip(sequence.iter().skip(skipped)).take(COMPARED);
    let (mut both, mut of_a, mut of_b) = (0.0, 1e-12, 1e-12);
    for (&a, &b) in pairs {
        let (a, b) = (f64::from(a), f64::from(b));
        both += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    both / (of_a * of_b).sqrt()
}
