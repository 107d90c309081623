//! A recording on disk, of any length, within bounded memory.

use std::path::Path;

use antiphon_audio::source::{self, Source, SourceSpec};
use antiphon_measure::lab::Excitation;
use antiphon_measure::lab::search::{Found, Search};

use crate::exit::Failure;
use crate::play::cannot_play;

/// Frames read at a time: half a second.
const RUN: usize = 24_000;

/// A microphone has one capsule or two.
const MOST_CHANNELS: usize = 2;

/// A recording that was searched.
pub struct Recording {
    /// Where the signal may be in it, with the samples around.
    pub found: Found,
    /// What the person should know of the file.
    pub remarks: Vec<String>,
}

/// Reads the recording `path` and searches it for `excitation`.
///
/// # Errors
/// No file, no audio, or nothing that can be decoded. One that is damaged further on is taken as far
/// as it goes, with a remark.
pub fn read(path: &Path, excitation: &Excitation) -> Result<Recording, Failure> {
    read_while(path, excitation, &mut |_| true)
}

/// The same, for as long as `go_on` says so of the part that is read, from 0 to 1.
///
/// # Errors
/// As [`read`].
pub fn read_while(
    path: &Path,
    excitation: &Excitation,
    go_on: &mut dyn FnMut(f64) -> bool,
) -> Result<Recording, Failure> {
    let mut source = source::open(&SourceSpec::Path(path.to_owned())).map_err(cannot_play)?;
    let length = source.info().frames.map_or(f64::INFINITY, |frames| frames.0.max(1) as f64);
    let mut frames = 0.0;
    let mut remarks = Vec::new();
    let channels = usize::from(source.info().channels);
    if channels > MOST_CHANNELS {
        remarks.push(format!("{} has {channels} channels; the first two are measured", path.display()));
    }
    let mut search = Search::new(excitation);
    let read = each_run(&mut source, |run| {
        search.push(run, channels.min(MOST_CHANNELS));
        frames += (run.len() / channels.min(MOST_CHANNELS)) as f64;
        go_on((frames / length).min(1.0))
    });
    match read {
        Err(failure) if source.position().0 == 0 => return Err(failure),
        Err(failure) => remarks.push(format!("{failure}; what could be read is measured")),
        Ok(()) => {}
    }
    Ok(Recording { found: search.finish(), remarks })
}

/// Reads to the end, the first two channels of each frame.
fn each_run(source: &mut Source, mut take: impl FnMut(&[f32]) -> bool) -> Result<(), Failure> {
    let channels = usize::from(source.info().channels);
    let mut run = Vec::with_capacity(RUN * channels);
    loop {
        run.clear();
        if source.read(RUN, &mut run).map_err(cannot_play)? == 0 {
            return Ok(());
        }
        if channels > MOST_CHANNELS {
            run = run.chunks_exact(channels).flat_map(|frame| &frame[..MOST_CHANNELS]).copied().collect();
        }
        if !take(&run) {
            return Ok(());
        }
    }
}
