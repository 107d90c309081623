//! Sound that comes by itself: a device that is listened to, as a source.

use std::time::Duration;

use antiphon_base::{Frames, SampleRate, Span};

use super::mix::mix;
use super::{Decode, Problem};
use crate::capture::{Capture, CaptureError};

/// How often a device that has gone is looked for: what is plugged in again is heard within this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Opens the device, and opens it again after it went away.
pub type Reopen = Box<dyn FnMut() -> Result<Box<dyn Capture>, CaptureError> + Send>;

/// A device as a decoder: it has no end, and what is lost while it is away is silence. One that comes back with other
/// channels is brought to those that it had at first.
pub(super) struct LiveDecoder {
    name: String,
    capture: Option<Box<dyn Capture>>,
    reopen: Reopen,
    channels: u16,
    /// What it gave last, in its own channels.
    block: Vec<f32>,
    frame: u64,
}

impl LiveDecoder {
    /// Listens to `capture`; after it went away to what `reopen` gives.
    pub fn new(name: &str, capture: Box<dyn Capture>, reopen: Reopen) -> Self {
        let channels = capture.format().channels;
        let (name, capture) = (name.to_owned(), Some(capture));
        Self { name, capture, reopen, channels, block: Vec::new(), frame: 0 }
    }

    /// The device again, if it is there.
    fn look(&mut self) -> Option<Box<dyn Capture>> {
        std::thread::sleep(LOOK_AGAIN);
        let found = (self.reopen)().ok()?;
        match found.format().channels {
            same if same == self.channels => tracing::warn!("{} is back", self.name),
            other => {
                tracing::warn!("{} is back with {other} channels, and played as {}", self.name, self.channels)
            }
        }
        Some(found)
    }
}

impl Decode for LiveDecoder {
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem> {
        let Some(capture) = &mut self.capture else {
            self.capture = self.look();
            return Ok(true);
        };
        let channels = capture.format().channels;
        self.block.clear();
        let read = capture.read(&mut self.block);
        mix(&self.block, channels.into(), self.channels.into(), out);
        match read {
            Ok(0) => self.capture = None,
            Ok(frames) => self.frame += frames as u64,
            Err(error) => {
                let at = SampleRate::MEDIA.span_of(Frames(self.frame as i64)).as_s_f64();
                tracing::warn!("{error}, after {at:.0} s; playing goes on when it is back");
                self.capture = None;
            }
        }
        Ok(true)
    }

    fn seek(&mut self, _frame: u64) -> Result<(), Problem> {
        let reason = "what is heard at the moment has no other place".to_owned();
        Err(Problem::Seek { to: Span::ZERO, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureFormat;

    /// Gives `pieces` pieces of ten frames, then breaks.
    struct Device {
        pieces: usize,
        channels: u16,
    }

    impl Capture for Device {
        fn format(&self) -> CaptureFormat {
            CaptureFormat { rate: SampleRate::MEDIA, channels: self.channels }
        }

        fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
            self.pieces = self.pieces.checked_sub(1).ok_or(CaptureError::Other("unplugged".into()))?;
            out.resize(out.len() + 10 * usize::from(self.channels), 0.5);
            Ok(10)
        }
    }

    #[test]
    fn a_device_that_is_unplugged_goes_on_when_it_is_back_whatever_its_channels() {
        let mut tries = 0;
        let reopen: Reopen = Box::new(move || {
            tries += 1;
            match tries {
                1 => Err(CaptureError::Other("not there yet".into())),
                2 => Ok(Box::new(Device { pieces: 1, channels: 1 })),
                _ => Ok(Box::new(Device { pieces: 1, channels: 6 })),
            }
        });
        let mut decoder = LiveDecoder::new("a device", Box::new(Device { pieces: 2, channels: 2 }), reopen);
        let mut heard = Vec::new();
        // Two pieces, the fault, a vain look, the one that finds it, a piece; a fault, a look, a piece.
        for _ in 0..9 {
            assert!(decoder.decode(&mut heard).unwrap(), "it never ends by itself");
        }
        assert!(heard.len() == 4 * 10 * 2 && heard.iter().all(|x| (x - 0.5).abs() < 1e-6), "{heard:?}");
    }
}
