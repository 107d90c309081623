//! Sinks: where rendered audio leaves.
//!
//! A sink pulls: its own thread asks the render callback for each period just in time and reports
//! where the converter is. A real device implements [`Sink`] in a module beside these and gets its
//! line in [`open`]; nothing else changes.

mod clock;

mod card;

mod changes;

mod tape;

mod paced;

mod pulse;

#[cfg(feature = "alsa")]
mod alsa;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use antiphon_base::{Frames, Local, SampleRate, Span, Timestamp};
use antiphon_net::Clock;

use crate::pulse::ServerError;
use crate::uri::OutputUri;
pub use changes::Changes;
pub use clock::{DacClock, DacPoint};
use paced::PacedSink;
use pulse::PulseSink;

/// Fills `out` (interleaved, a whole number of frames) with what the card shall convert from frame
/// `first_dac_frame` on. Called on the sink's thread once a period: it must not block or allocate.
pub type Render = Box<dyn FnMut(Frames, &mut [f32]) + Send>;

/// Opens the output that `uri` names; position stamps will be given in `clock`.
///
/// # Errors
/// The output does not exist, cannot be written, or is of a kind that this program has not built in.
pub fn open(uri: &OutputUri, clock: &Clock<Local>) -> Result<Box<dyn Sink>, SinkError> {
    match uri {
        OutputUri::Wav(path, card) => {
            Ok(Box::new(PacedSink::recording_all(path.clone(), *card, clock.clone())?))
        }
        OutputUri::Null(card) => Ok(Box::new(PacedSink::silent(*card, clock.clone()))),
        OutputUri::Virtual(path, card) => {
            Ok(Box::new(PacedSink::instrument(path.clone(), *card, clock.clone())?))
        }
        OutputUri::Pulse(device) => Ok(Box::new(PulseSink::open(device, clock.clone())?)),
        #[cfg(feature = "alsa")]
        OutputUri::Alsa(device) => Ok(Box::new(alsa::AlsaSink::open(device, clock.clone())?)),
        #[cfg(not(feature = "alsa"))]
        OutputUri::Alsa(_) => Err(SinkError::NotBuiltIn { output: uri.to_string() }),
        OutputUri::Bluetooth(_) => Err(SinkError::NotBuiltIn { output: uri.to_string() }),
    }
}

/// An output that is open but not yet running.
pub trait Sink: Send {
    /// What it wants to be given.
    fn format(&self) -> SinkFormat;

    /// Starts it: `render` is called from its thread until [`Running::stop`]. Events that do not
    /// fit into `events` are dropped: they age within milliseconds.
    fn start(
        self: Box<Self>,
        render: Render,
        events: rtrb::Producer<SinkEvent>,
    ) -> Result<Running, SinkError>;
}

/// What a sink is given, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkFormat {
    /// The nominal rate of its converter.
    pub rate: SampleRate,
    /// Interleaved channels.
    pub channels: u16,
    /// Frames a call of the render callback; never more.
    pub period: Frames,
    /// The longest time from a render call until the first frame of it leaves: the buffer.
    pub latency: Span,
}

/// What a sink reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkEvent {
    /// Frame `frame` left the converter at local time `at`; a claim, with the driver's noise.
    Stamp {
        /// The frame's number, counted from the start of the sink.
        frame: Frames,
        /// When it was converted.
        at: Timestamp<Local>,
    },
    /// The card ran dry: `missing` frames from `frame` on were converted as silence, whatever was
    /// or will be rendered for them.
    Xrun {
        /// The first frame of the silence.
        frame: Frames,
        /// Its length.
        missing: Frames,
    },
    /// The stream was moved to another device: stamps before and after have nothing in common.
    Moved,
    /// What the stamps do not know: from a frame's conversion to its sound, where there is more
    /// behind the converter (a Bluetooth speaker). Said when it is known, and again when it changes.
    Delay(Span),
    /// The output has another rate or other channels than its format said: stop it, and open it anew.
    Reopen,
    /// The sink cannot go on; the reason, for a person.
    Failed(String),
}

/// Why a sink cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A kind of output that this program has no code for.
    #[error("{output} is not built into this program: use pulse:SINK, wav:PATH, null: or virtual:PATH")]
    NotBuiltIn {
        /// The output as named.
        output: String,
    },
    /// A file that cannot be made or written.
    #[error("cannot write {}: {source}; choose a file in a directory that exists and that you may write", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sound server is not there, or will not.
    #[error("{output} cannot be played to: {why}")]
    Server {
        /// The output as named.
        output: String,
        /// What it is.
        why: ServerError,
    },
    /// A sound card that cannot be used, or not at present.
    #[error("{output} cannot be played to: {why}")]
    Card {
        /// The output as named.
        output: String,
        /// What it is, for a person.
        why: String,
    },
    /// The device that other programs play to in order to be heard here.
    #[error("{output} cannot be played to: it leads to {}; `antiphon outputs` lists others", OWN_DEVICE)]
    Own {
        /// The output as named.
        output: String,
    },
    /// No device of that name.
    #[error("there is no output {output}{}; `antiphon outputs` lists them", meant(.nearest))]
    Unknown {
        /// The output as named.
        output: String,
        /// The names that come nearest, best first.
        nearest: Vec<String>,
    },
    /// The device has no such channel.
    #[error("{output} is a device without that channel; leave #left or #right away")]
    NoChannel {
        /// The output as named.
        output: String,
    },
    /// The system gives no thread.
    #[error("cannot start the output's thread: {0}")]
    Thread(std::io::Error),
}

/// The desktop's device, and why nothing is played on it.
const OWN_DEVICE: &str =
    "the device \"Antiphon\", which is listened to here, and would be heard again and again";

fn meant(nearest: &[String]) -> String {
    match nearest {
        [] => " and no other device either".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// A running sink; dropping it stops it.
pub struct Running {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    farewell: Option<Box<dyn FnOnce() + Send>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("stop", &self.stop)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// A sink that stops once `stop` is raised.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, threads: Vec::new(), farewell: None }
    }

    /// Does `farewell` after the stop is raised: waits for a thread that this sink shares with others.
    pub fn then(&mut self, farewell: impl FnOnce() + Send + 'static) {
        self.farewell = Some(Box::new(farewell));
    }

    /// Makes `thread`, which ends after the stop, one that is waited for.
    pub fn adopt(&mut self, thread: JoinHandle<()>) {
        self.threads.push(thread);
    }

    /// Stops it within a period, and returns when its files are complete.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(farewell) = self.farewell.take() {
            farewell();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an output's thread panicked: its recording may be short");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt();
    }
}
