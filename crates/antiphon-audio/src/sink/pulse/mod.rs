//! A sink of the desktop's sound server, PulseAudio's or PipeWire's.
//!
//! Its thread renders what the server asks for and asks it where the device is. When the server or the device goes
//! away it waits for its return, for ever, and begins a new stream where the frames have come to.

mod position;

mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_base::{Frames, Local, Span};
use antiphon_net::{Clock, precise_timers, real_time_priority};

use super::changes::Changes;
use super::{OWN_DEVICE, Render, Running, Sink, SinkError, SinkEvent, SinkFormat};
use crate::pulse::ServerError;
use crate::uri::DeviceUri;
use stream::{News, Stream};

/// How often a server or device that is away is looked for: a return is heard at once, and looking costs nothing.
const LOOK: Duration = Duration::from_millis(250);

/// A stop is looked for this often while the server asks for nothing.
const STOP: Span = Span::from_ms(50);

/// A stream that exists and does not run yet.
pub(crate) struct PulseSink {
    uri: DeviceUri,
    clock: Clock<Local>,
    stream: Stream,
}

impl PulseSink {
    /// Makes the stream.
    ///
    /// # Errors
    /// No server, no such device, or a device without the channel.
    pub fn open(uri: &DeviceUri, clock: Clock<Local>) -> Result<Self, SinkError> {
        Ok(Self { stream: Stream::open(uri, Frames(0), None)?, uri: uri.clone(), clock })
    }
}

impl Sink for PulseSink {
    fn format(&self) -> SinkFormat {
        self.stream.format()
    }

    fn start(
        self: Box<Self>,
        render: Render,
        events: rtrb::Producer<SinkEvent>,
    ) -> Result<Running, SinkError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running::new(Arc::clone(&stop));
        let format = self.stream.format();
        let samples = format.period.0 as usize * usize::from(format.channels);
        let driver = Driver {
            uri: self.uri,
            clock: self.clock,
            format,
            render,
            events,
            block: vec![0.0; samples],
            bytes: Vec::with_capacity(samples * size_of::<f32>()),
            stop,
        };
        let stream = self.stream;
        let thread = std::thread::Builder::new().name("pulse".to_owned());
        running.adopt(thread.spawn(move || driver.run(stream)).map_err(SinkError::Thread)?);
        Ok(running)
    }
}

/// Why a stream is over.
enum Over {
    Stopped,
    Killed,
    /// It was moved to the desktop's own device.
    Own,
    Server(ServerError),
}

impl From<ServerError> for Over {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

struct Driver {
    uri: DeviceUri,
    clock: Clock<Local>,
    format: SinkFormat,
    render: Render,
    events: rtrb::Producer<SinkEvent>,
    block: Vec<f32>,
    bytes: Vec<u8>,
    stop: Arc<AtomicBool>,
}

impl Driver {
    fn run(mut self, mut stream: Stream) {
        precise_timers();
        tracing::debug!("real-time priority for the sink's thread: {}", real_time_priority());
        loop {
            let why = match self.play(&mut stream) {
                Ok(()) | Err(Over::Stopped) => return stream.end(),
                Err(Over::Killed) => "the device is gone; waiting for its return".to_owned(),
                Err(Over::Own) => format!("it was moved to {OWN_DEVICE}; it goes back"),
                Err(Over::Server(error)) => format!("{error}; waiting for its return"),
            };
            tracing::warn!("pulse:{}: {why}", self.uri);
            self.tell(SinkEvent::Moved);
            let (next, former) = (stream.next(), stream.sink().to_owned());
            drop(stream);
            let Some(again) = self.await_return(next, &former) else { return };
            tracing::warn!("pulse:{} is back, on {}", self.uri, again.sink());
            stream = again;
        }
    }

    /// A new stream, once there can be one; `None` at a stop. Where the default device has become the desktop's own, it
    /// is on `former`.
    fn await_return(&mut self, next: Frames, former: &str) -> Option<Stream> {
        let mut told = false;
        let mut why_not = Changes::default();
        while !self.stop.load(Ordering::Acquire) {
            match Stream::open(&self.uri, next, Some(former)) {
                Ok(stream) if self.fits(&stream) => return Some(stream),
                // Whoever opens the sink anew will see what it has become.
                Ok(_) if !told => {
                    told = true;
                    self.tell(SinkEvent::Reopen);
                }
                Ok(_) => {}
                Err(error) => {
                    if let Some(why) = why_not.changed(error.to_string()) {
                        tracing::warn!("still away: {why}");
                    }
                }
            }
            std::thread::sleep(LOOK);
        }
        None
    }

    fn fits(&self, stream: &Stream) -> bool {
        let now = stream.format();
        (now.rate, now.channels) == (self.format.rate, self.format.channels)
    }

    fn play(&mut self, stream: &mut Stream) -> Result<(), Over> {
        self.fill(stream)?;
        stream.start()?;
        while !self.stop.load(Ordering::Acquire) {
            let mut over = None;
            let (clock, events) = (&self.clock, &mut self.events);
            stream.wait(STOP, |news| {
                let event = match news {
                    News::Stamp(frame, at) => SinkEvent::Stamp { frame, at: clock.warp(at) },
                    News::Dry { frame, missing } => SinkEvent::Xrun { frame, missing },
                    News::Moved => SinkEvent::Moved,
                    News::Killed => return over = Some(Over::Killed),
                    News::Own => return over = Some(Over::Own),
                };
                // A full queue means that nobody listens; the next stamp says the same.
                let _ = events.push(event);
            })?;
            if let Some(why) = over {
                return Err(why);
            }
            self.fill(stream)?;
        }
        Err(Over::Stopped)
    }

    /// Renders what there is room for.
    fn fill(&mut self, stream: &mut Stream) -> Result<(), ServerError> {
        loop {
            let frames = stream.room().min(self.format.period).0 as usize;
            if frames == 0 {
                return Ok(());
            }
            let block = &mut self.block[..frames * usize::from(self.format.channels)];
            (self.render)(stream.next(), block);
            self.bytes.clear();
            self.bytes.extend(block.iter().flat_map(|sample| sample.to_le_bytes()));
            stream.write(&self.bytes)?;
        }
    }

    fn tell(&mut self, event: SinkEvent) {
        let _ = self.events.push(event);
    }
}
