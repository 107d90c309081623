//! The thread that drives a [`Card`]: the body of `virtual:`, `wav:` and `null:`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_base::{Frames, Local, Span};
use antiphon_net::{Clock, Noise, precise_timers, raw_now, real_time_priority, sleep_until};

use super::card::{Card, Tape, Underrun};
use super::clock::DacPoint;
use super::tape::{self, RecorderTape};
use super::{Render, Running, Sink, SinkError, SinkEvent, SinkFormat};
use crate::uri::CardParams;

/// From start to the first frame's conversion: time to render the first buffer, as a real card
/// takes to start.
const START_UP: Span = Span::from_ms(20);

/// How far a file's writer may fall behind real time before it is taken for suspended.
const FILE_PATIENCE_S: i64 = 1;

/// A card that exists only as a model, with or without a recording.
pub(crate) struct PacedSink {
    params: CardParams,
    clock: Clock<Local>,
    patience: Frames,
    recording: Option<Recording>,
}

struct Recording {
    path: PathBuf,
    with_timeline: bool,
}

impl PacedSink {
    /// `virtual:`: loses what comes late, and records it with its timeline.
    pub fn instrument(path: PathBuf, params: CardParams, clock: Clock<Local>) -> Result<Self, SinkError> {
        check_writable(&path)?;
        let recording = Some(Recording { path, with_timeline: true });
        Ok(Self { params, clock, patience: Frames(0), recording })
    }

    /// `wav:`: waits for what comes late, and records all.
    pub fn recording_all(path: PathBuf, params: CardParams, clock: Clock<Local>) -> Result<Self, SinkError> {
        check_writable(&path)?;
        let patience = Frames(i64::from(params.rate.hz()) * FILE_PATIENCE_S);
        Ok(Self { params, clock, patience, recording: Some(Recording { path, with_timeline: false }) })
    }

    /// `null:`: loses what comes late, and records nothing.
    pub fn silent(params: CardParams, clock: Clock<Local>) -> Self {
        Self { params, clock, patience: Frames(0), recording: None }
    }
}

/// Says early what would fail at the start, and makes nothing.
fn check_writable(path: &std::path::Path) -> Result<(), SinkError> {
    use nix::unistd::{AccessFlags, access};
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let refused = if path.is_dir() {
        Err(nix::errno::Errno::EISDIR)
    } else if path.exists() {
        access(path, AccessFlags::W_OK)
    } else {
        access(parent, AccessFlags::W_OK)
    };
    refused.map_err(|errno| SinkError::File { path: path.to_owned(), source: errno.into() })
}

impl Sink for PacedSink {
    fn format(&self) -> SinkFormat {
        SinkFormat {
            rate: self.params.rate,
            channels: self.params.channels,
            period: Frames(i64::from(self.params.period)),
            latency: self.params.rate.span_of(Frames(self.params.buffer_frames())),
        }
    }

    fn start(
        self: Box<Self>,
        render: Render,
        events: rtrb::Producer<SinkEvent>,
    ) -> Result<Running, SinkError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running::new(Arc::clone(&stop));
        let tape = match &self.recording {
            Some(to) => {
                AnyTape::Recorder(tape::record(&to.path, &self.params, to.with_timeline, &mut running)?)
            }
            None => AnyTape::None,
        };
        let thread = std::thread::Builder::new().name("card".to_owned());
        let work = move || Driver::new(*self, tape, render, events).run(&stop);
        running.adopt(thread.spawn(work).map_err(SinkError::Thread)?);
        Ok(running)
    }
}

/// What a driver's interrupt handler and the audio thread are to a real card.
struct Driver {
    card: Card,
    tape: AnyTape,
    clock: Clock<Local>,
    params: CardParams,
    noise: Noise,
    render: Render,
    events: rtrb::Producer<SinkEvent>,
    block: Vec<f32>,
}

impl Driver {
    fn new(sink: PacedSink, mut tape: AnyTape, render: Render, events: rtrb::Producer<SinkEvent>) -> Self {
        let params = sink.params;
        let card = Card::new(&params, sink.patience, raw_now() + START_UP);
        card.first_points().for_each(|point| tape.point(point));
        let block = vec![0.0; params.period as usize * usize::from(params.channels)];
        // Apart from the card's own sequence, which the same seed starts.
        let noise = Noise::new(params.seed ^ 0x5eed);
        Self { card, tape, clock: sink.clock, params, noise, render, events, block }
    }

    fn run(mut self, stop: &AtomicBool) {
        precise_timers();
        real_time_priority();
        self.fill();
        while !stop.load(Ordering::Acquire) {
            sleep_until(
                self.card.next_interrupt() + scaled(self.params.wake_jitter, self.noise.normal().abs()),
            );
            let underrun = self.card.advance(raw_now(), &mut self.tape);
            self.report(underrun);
            self.stamp();
            self.fill();
        }
    }

    /// Renders while a whole period fits into the card's buffer.
    fn fill(&mut self) {
        while let Some(first) = self.card.room() {
            (self.render)(first, &mut self.block);
            let underrun = self.card.write(&self.block, raw_now(), &mut self.tape);
            self.report(underrun);
        }
    }

    fn stamp(&mut self) {
        let Some((frame, at)) = self.card.position() else { return };
        let error = scaled(self.params.stamp_noise, self.noise.normal());
        self.tell(SinkEvent::Stamp { frame, at: self.clock.warp(at) + error });
    }

    fn report(&mut self, underrun: Option<Underrun>) {
        if let Some(Underrun { frame, missing }) = underrun {
            self.tell(SinkEvent::Xrun { frame, missing });
        }
        if let Some(reason) = self.tape.failure() {
            self.tell(SinkEvent::Failed(reason));
        }
    }

    fn tell(&mut self, event: SinkEvent) {
        // A full queue means that nobody listens; the next stamp says the same.
        let _ = self.events.push(event);
    }
}

fn scaled(span: Span, by: f64) -> Span {
    Span::from_ns((span.as_ns() as f64 * by).round() as i64)
}

enum AnyTape {
    Recorder(RecorderTape),
    None,
}

impl AnyTape {
    fn failure(&mut self) -> Option<String> {
        match self {
            Self::Recorder(tape) => tape.failure(),
            Self::None => None,
        }
    }
}

impl Tape for AnyTape {
    fn samples(&mut self, interleaved: &[f32]) {
        if let Self::Recorder(tape) = self {
            tape.samples(interleaved);
        }
    }

    fn silence(&mut self, frames: Frames) {
        if let Self::Recorder(tape) = self {
            tape.silence(frames);
        }
    }

    fn point(&mut self, point: DacPoint) {
        if let Self::Recorder(tape) = self {
            tape.point(point);
        }
    }
}
