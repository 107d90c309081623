//! `antiphon signal`: test tracks, listed, written or played.

use std::fmt::Write;

use antiphon_audio::source;
use antiphon_measure::lab::tracks::{TestTrack, UnknownTrack};

use super::args::SignalArgs;
use super::write;
use crate::exit::{Exit, Failure};
use crate::play::{self, targets};
use crate::{names, signals, terminal};

/// Frames a second of every track.
const RATE: f64 = 48_000.0;

/// Every track is for a left and a right speaker.
const CHANNELS: u16 = 2;

/// Lists, writes or plays.
pub fn run(args: SignalArgs) -> Result<Exit, Failure> {
    let Some(name) = &args.name else { return list() };
    let track = track(name)?;
    match &args.output {
        Some(path) => {
            let bits = if args.bits == "16" { 16 } else { 24 };
            write::write(path, &track.render(), CHANNELS, bits)?;
            let seconds = track.spec().frames as f64 / RATE;
            let file = path.display();
            terminal::note(&format!(
                "{file}: {seconds:.1} s, stereo, 48 kHz, {bits} bit; {}",
                track.describe()
            ));
            if track == TestTrack::Measure {
                terminal::note(MEASURE_NEXT);
            }
            Ok(Exit::Ok)
        }
        None => play(&args, track),
    }
}

/// What is done with a file of the measure signal.
const MEASURE_NEXT: &str = "play it on both speakers, as loud as quiet talk, and record all of it where you listen, with a \
                            phone's plain recorder, noise reduction off; then: antiphon measure RECORDING";

fn track(name: &str) -> Result<TestTrack, Failure> {
    name.parse().map_err(|error: UnknownTrack| Failure::new(Exit::Usage, error.to_string()))
}

fn list() -> Result<Exit, Failure> {
    let mut out =
        String::from("Test tracks: antiphon signal NAME -o FILE.wav (or .flac), or without -o to play it\n");
    for track in TestTrack::ALL {
        let seconds = track.spec().frames as f64 / RATE;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {:<9} {seconds:>5.1} s  {}", track.name(), track.describe());
    }
    // Whoever reads no further has enough.
    let _ = terminal::print(&out);
    Ok(Exit::Ok)
}

fn play(args: &SignalArgs, track: TestTrack) -> Result<Exit, Failure> {
    let targets = names::completed(targets::plan(&args.on)?, &args.on)?;
    let stop = signals::stop_flag()?;
    let source = source::open_samples(track.render(), CHANNELS, &format!("test track {}", track.name()));
    play::perform(source, targets, &args.on, stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_track_that_is_listed_is_for_two_speakers_and_can_be_had() {
        for listed in TestTrack::ALL {
            assert_eq!(track(listed.name()).unwrap(), listed);
            assert_eq!(listed.spec().channels, usize::from(CHANNELS), "{}", listed.name());
        }
    }

    #[test]
    fn a_track_that_is_none_is_answered_with_those_that_are() {
        let failure = track("masure").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("masure") && failure.message.contains("width"), "{failure}");
    }
}
