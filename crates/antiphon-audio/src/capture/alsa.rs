//! A microphone or line input of a sound card, by ALSA.

use std::io::{self, Read};

use ::alsa::pcm::{PCM, State};
use antiphon_base::{SampleRate, Span};
use antiphon_net::raw_now;
use nix::errno::Errno;

use super::{Capture, CaptureError, CaptureFormat, MAX_CHANNELS};
use crate::alsa::{Sample, Setup, Trouble, Way, open};
use crate::source::{PcmFormat, PcmSample, Problem, Source, open_raw};

/// A card that gives nothing for so long has stopped: it gives something a hundred times a second.
const PATIENCE: Span = Span::from_s(3);

/// Frames given at a time, at most: 50 ms.
const BLOCK: usize = 2_400;

/// A card that is listened to. What it gives is brought to 48 kHz like any raw samples.
pub(super) struct AlsaCapture {
    device: String,
    source: Source,
}

impl AlsaCapture {
    /// Listens to `device`, alsa-lib's default one if that is empty, in two channels or what comes nearest.
    pub fn open(device: &str) -> Result<Self, CaptureError> {
        let (pcm, setup) =
            open(device, Way::Record, u32::from(MAX_CHANNELS)).map_err(|trouble| broken(device, trouble))?;
        tracing::debug!("alsa:{device}: {setup:?}");
        let format =
            PcmFormat { sample: raw_sample(setup.sample), rate: setup.rate.hz(), channels: setup.channels };
        let card = Card { pcm, setup, bytes: Vec::new(), given: 0 };
        card.pcm.start().map_err(|error| broken(device, error.into()))?;
        let source = open_raw(Box::new(card), format, &format!("alsa:{device}"));
        Ok(Self { device: device.to_owned(), source })
    }
}

impl Capture for AlsaCapture {
    fn format(&self) -> CaptureFormat {
        CaptureFormat { rate: SampleRate::MEDIA, channels: self.source.info().channels }
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        self.source.read(BLOCK, out).map_err(|failure| match failure.problem {
            Problem::Read { error, .. } => broken(&self.device, Trouble::System(error.to_string())),
            _ => failure.into(),
        })
    }
}

fn broken(device: &str, trouble: Trouble) -> CaptureError {
    CaptureError::Other(match trouble {
        Trouble::Unknown(nearest) if nearest.is_empty() => {
            format!("there is no microphone alsa:{device}; no sound card records")
        }
        Trouble::Unknown(nearest) => {
            format!("there is no microphone alsa:{device}; did you mean {}?", nearest.join(" or "))
        }
        other => format!("cannot listen to alsa:{device}: {other}"),
    })
}

/// The raw samples that `sample` is read as; 24 bits in four bytes are packed on the way.
fn raw_sample(sample: Sample) -> PcmSample {
    match sample {
        Sample::F32 => PcmSample::F32le,
        Sample::S32 => PcmSample::S32le,
        Sample::S24 | Sample::S24Packed => PcmSample::S24le,
        Sample::S16 => PcmSample::S16le,
    }
}

/// The card as a pipe.
struct Card {
    pcm: PCM,
    setup: Setup,
    /// What it gave last, and how much of that was passed on.
    bytes: Vec<u8>,
    given: usize,
}

impl Read for Card {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.bytes.len() {
            self.hear()?;
        }
        let count = out.len().min(self.bytes.len() - self.given);
        out[..count].copy_from_slice(&self.bytes[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

impl Card {
    /// Waits for the next period.
    fn hear(&mut self) -> io::Result<()> {
        let end = raw_now() + PATIENCE;
        let most = self.setup.period as usize * self.setup.frame_bytes();
        loop {
            self.bytes.resize(most, 0);
            self.given = 0;
            let heard = self.pcm.io_bytes().readi(&mut self.bytes);
            match heard.map_err(|error| Errno::from_raw(error.errno())) {
                Ok(frames) if frames > 0 => {
                    self.bytes.truncate(frames * self.setup.frame_bytes());
                    if self.setup.sample == Sample::S24 {
                        pack(&mut self.bytes);
                    }
                    return Ok(());
                }
                Ok(_) | Err(Errno::EAGAIN) => self.wait(end)?,
                Err(Errno::EPIPE | Errno::ESTRPIPE) => self.restart()?,
                Err(errno) => return Err(self.failed(errno)),
            }
        }
    }

    fn wait(&self, end: antiphon_base::Timestamp<antiphon_base::True>) -> io::Result<()> {
        let left = end - raw_now();
        if left <= Span::ZERO {
            let said = format!("the device has given no sound for {} s", PATIENCE.as_s_f64());
            return Err(io::Error::new(io::ErrorKind::TimedOut, said));
        }
        let ms = (left.as_ns() / 1_000_000).clamp(1, 100) as u32;
        // What is wrong is said by the next reading.
        let _ = self.pcm.wait(Some(ms));
        Ok(())
    }

    /// It ran over: this program came too late, and some sound is lost.
    fn restart(&self) -> io::Result<()> {
        tracing::warn!("a microphone was not read in time; some of its sound is lost");
        let restarted = self.pcm.prepare().and_then(|()| self.pcm.start());
        restarted.map_err(|error| self.failed(Errno::from_raw(error.errno())))
    }

    fn failed(&self, errno: Errno) -> io::Error {
        let is_gone = self.pcm.state() == State::Disconnected || errno == Errno::ENODEV;
        if is_gone { io::Error::other("the device is gone") } else { errno.into() }
    }
}

/// 24 bits in four bytes each as 24 bits in three.
fn pack(bytes: &mut Vec<u8>) {
    let samples = bytes.len() / 4;
    for n in 0..samples {
        bytes.copy_within(n * 4..n * 4 + 3, n * 3);
    }
    bytes.truncate(samples * 3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fourth_byte_without_meaning_is_left_out() {
        let mut bytes = vec![1, 2, 3, 0, 4, 5, 6, 255];
        pack(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6]);
    }
}
