//! Microphones that are streams: a recorder's pipe, and a recording played back in real time.

use std::fs::File;
use std::path::Path;

use antiphon_base::{Frames, SampleRate, Timestamp, True};
use antiphon_net::{raw_now, sleep_until};

use super::{Capture, CaptureError, CaptureFormat};
use crate::source::{PcmFormat, Problem, Source, SourceError, SourceSpec, open, open_raw};

/// Frames given at a time: 50 ms, so that a level meter follows and a loop costs nothing.
const BLOCK: usize = 2_400;

/// A source in the place of a microphone.
pub(super) struct StreamCapture {
    source: Source,
    /// When the first frame was asked for, of what would otherwise come faster than real time.
    pace: Option<Pace>,
}

#[derive(Default)]
struct Pace {
    began: Option<Timestamp<True>>,
}

/// Raw samples on standard input.
pub(super) fn stdin(format: PcmFormat) -> StreamCapture {
    let source = open_raw(Box::new(std::io::stdin()), format, "the microphone on standard input");
    StreamCapture { source, pace: None }
}

/// Raw samples from a named pipe; waits until a recorder has opened its other end.
pub(super) fn pipe(path: &Path, format: PcmFormat) -> Result<StreamCapture, CaptureError> {
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| SourceError { name: name.clone(), problem: Problem::Open(error) })?;
    Ok(StreamCapture { source: open_raw(Box::new(file), format, &name), pace: None })
}

/// A recording of any kind that can be decoded, as if it were heard at present.
pub(super) fn file(path: &Path) -> Result<StreamCapture, CaptureError> {
    Ok(StreamCapture { source: open(&SourceSpec::Path(path.to_owned()))?, pace: Some(Pace::default()) })
}

impl Capture for StreamCapture {
    fn format(&self) -> CaptureFormat {
        CaptureFormat { rate: SampleRate::MEDIA, channels: self.source.info().channels }
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        if let Some(pace) = &mut self.pace {
            let began = *pace.began.get_or_insert_with(raw_now);
            // A frame can be given when it has been heard, at its end.
            let heard = self.source.position() + Frames(BLOCK as i64);
            sleep_until(began + SampleRate::MEDIA.span_of(heard));
        }
        Ok(self.source.read(BLOCK, out)?)
    }
}
