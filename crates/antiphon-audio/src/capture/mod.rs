//! Microphones: where sound is heard, as it is heard.
//!
//! [`open`] gives a [`Capture`]: interleaved `f32` at 48 kHz that comes at the pace of real time
//! and is never seekable. What the rate was at the device is not asked: other rates are resampled,
//! and a recorder's wrong clock is for the listener to find out.
//!
//! A real device's driver implements [`Capture`] in a module beside these and gets its line in
//! [`open`]; a recorder program's pipe does as well.

mod uri;

mod stream;

mod pulse;

#[cfg(feature = "alsa")]
mod alsa;

use antiphon_base::SampleRate;

use crate::source::{PcmFormat, PcmSample, SourceError};
pub use uri::{InputUri, ParseInputError};

/// What a pipe without `--mic-format` holds: what the recorder commands of [`CaptureError`] give.
pub const PIPE_FORMAT: PcmFormat = PcmFormat { sample: PcmSample::S16le, rate: 48_000, channels: 1 };

/// The most channels of a microphone: as many as a source has.
pub const MAX_CHANNELS: u16 = crate::source::MAX_CHANNELS;

/// A microphone that is open.
pub trait Capture: Send {
    /// What it gives.
    fn format(&self) -> CaptureFormat;

    /// Appends the next frames, interleaved, to `out` as soon as they have been heard, at most
    /// 100 ms of them at a time, and returns how many; 0 means that it has ended, for good.
    ///
    /// # Errors
    /// It broke; what came before has been given.
    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError>;
}

/// What a microphone gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureFormat {
    /// Always [`SampleRate::MEDIA`], by the device's own clock.
    pub rate: SampleRate,
    /// Interleaved channels, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
}

/// Opens the microphone that `uri` names. `format` says what a pipe's raw samples are
/// ([`PIPE_FORMAT`] by default); a file says it itself.
///
/// # Errors
/// It does not exist, holds no sound, or is of a kind that this program has not built in.
pub fn open(uri: &InputUri, format: Option<PcmFormat>) -> Result<Box<dyn Capture>, CaptureError> {
    let format = format.unwrap_or(PIPE_FORMAT);
    match uri {
        InputUri::Stdin => Ok(Box::new(stream::stdin(format))),
        InputUri::Pipe(path) => Ok(Box::new(stream::pipe(path, format)?)),
        InputUri::Wav(path) => Ok(Box::new(stream::file(path)?)),
        InputUri::Pulse(source) => Ok(Box::new(pulse::PulseCapture::open(source)?)),
        #[cfg(feature = "alsa")]
        InputUri::Alsa(device) => Ok(Box::new(alsa::AlsaCapture::open(device)?)),
        #[cfg(not(feature = "alsa"))]
        InputUri::Alsa(_) => Err(CaptureError::NotBuiltIn {
            input: uri.to_string(),
            instead: uri.recorder(PIPE_FORMAT.channels).unwrap_or_default(),
        }),
        InputUri::Room(_) => Err(CaptureError::Simulated { input: uri.to_string() }),
    }
}

/// Why a microphone cannot be opened, or gives no more.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A kind of microphone that this program has no code for; a recorder's pipe does its work.
    #[error(
        "{input} is not built into this program: record with another one, {instead} | antiphon ... --mic -"
    )]
    NotBuiltIn {
        /// The microphone as named.
        input: String,
        /// The command that records from it to a pipe.
        instead: String,
    },
    /// A simulated room, which devices know nothing of.
    #[error("{input} is a simulated room, which only antiphon measure and calibrate can listen in")]
    Simulated {
        /// The microphone as named.
        input: String,
    },
    /// The file or pipe cannot be read, or no further.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Anything else that a microphone of another crate reports, said whole.
    #[error("{0}")]
    Other(String),
}
