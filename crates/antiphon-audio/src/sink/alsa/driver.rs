//! The audio thread of a card: renders for all of its outputs, writes, and asks where the card is. It allocates
//! nothing, frees nothing, waits for no lock and writes no log while the card runs.
//!
//! When the card goes away it waits for its return, for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_base::{Frames, Local, SampleRate, Span};
use antiphon_net::{Clock, precise_timers, real_time_priority};

use super::place::Read;
use super::stream::{Found, Stream};
use crate::alsa::{Setup, Trouble};
use crate::sink::changes::Changes;
use crate::sink::{Render, SinkEvent};
use crate::uri::CardPart;

/// The most frames of one render call.
const PERIOD: Span = Span::from_ms(10);

/// Outputs that come and go, and the end, are looked for this often where the card does not call.
const STOP: Span = Span::from_ms(50);

/// How often a card that is away is looked for, in such looks.
const LOOKS_A_TRY: u32 = 5;

/// A card that was started so often and never ran will not run: opening it anew may help.
const STARTS: u32 = 20;

/// Between two looks at a card that is not wanted yet.
const IDLE: Duration = Duration::from_millis(2);

/// The outputs of one card: all of it, or its left and right.
pub(super) const MOST_OUTPUTS: usize = 2;

/// One output on the card.
pub(super) struct Slot {
    /// Which channels it has.
    pub part: CardPart,
    /// What it plays.
    pub render: Render,
    /// Where it tells of the card.
    pub events: rtrb::Producer<SinkEvent>,
    /// Its clock.
    pub clock: Clock<Local>,
    /// Raised when it wants to go.
    pub stop: Arc<AtomicBool>,
}

impl Slot {
    fn tell(&mut self, event: SinkEvent) {
        // A full queue means that nobody listens; the next stamp says the same.
        let _ = self.events.push(event);
    }
}

/// What the thread and those who come and go share.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The thread shall end.
    pub closing: AtomicBool,
    /// The card came back as another one: nobody may join any more.
    pub stale: AtomicBool,
}

/// The thread's belongings.
pub(super) struct Driver {
    device: String,
    setup: Setup,
    signs: Arc<Signs>,
    newcomers: rtrb::Consumer<Slot>,
    leavers: rtrb::Producer<Slot>,
    slots: [Option<Slot>; MOST_OUTPUTS],
    /// What one output renders.
    part: Vec<f32>,
    /// What the card is given, as samples and as its bytes.
    block: Vec<f32>,
    bytes: Vec<u8>,
}

/// The most frames of one render call at `rate`.
pub(super) fn period(rate: SampleRate) -> Frames {
    rate.frames_in(PERIOD)
}

impl Driver {
    /// Drives `device`, as it was set up; outputs come and go by the queues.
    pub fn new(
        device: String,
        setup: Setup,
        signs: Arc<Signs>,
        newcomers: rtrb::Consumer<Slot>,
        leavers: rtrb::Producer<Slot>,
    ) -> Self {
        let frames = period(setup.rate).0 as usize;
        let samples = frames * usize::from(setup.channels);
        Self {
            device,
            setup,
            signs,
            newcomers,
            leavers,
            slots: [None, None],
            part: vec![0.0; frames * 2],
            block: vec![0.0; samples],
            // Of any kind of sample: a card that comes back may take another.
            bytes: vec![0; samples * size_of::<f32>()],
        }
    }

    /// Runs until the end is wanted.
    pub fn run(mut self, mut stream: Stream) {
        precise_timers();
        tracing::debug!("real-time priority for the card's thread: {}", real_time_priority());
        if !self.is_wanted() {
            return;
        }
        loop {
            let Err(trouble) = self.play(&mut stream) else { return };
            if trouble == Trouble::Unpaced {
                return self.tell(&SinkEvent::Failed(trouble.to_string()));
            }
            tracing::warn!("alsa:{}: {trouble}; waiting for its return", self.device);
            self.tell(&SinkEvent::Moved);
            let Some(again) = self.await_return(stream) else { return };
            tracing::warn!("alsa:{} is back", self.device);
            stream = again;
        }
    }

    /// Waits for the first output; false at the end.
    fn is_wanted(&mut self) -> bool {
        while !self.is_closing() {
            self.come_and_go();
            if self.slots.iter().any(Option::is_some) {
                return true;
            }
            std::thread::sleep(IDLE);
        }
        false
    }

    fn play(&mut self, stream: &mut Stream) -> Result<(), Trouble> {
        self.start(stream)?;
        let mut starts = 1;
        while !self.is_closing() {
            self.come_and_go();
            match stream.look()? {
                Found::Dry if starts >= STARTS => return Err(Trouble::Stopped),
                Found::Dry => {
                    starts += 1;
                    self.start(stream)?;
                }
                Found::Running(room, read) => {
                    starts = 0;
                    self.take(read);
                    if room < self.setup.period {
                        stream.wait(STOP)?;
                    } else {
                        // Where cards share a processor and a tick, each reads its counter before any renders: the
                        // last would claim to be later by all the others' work.
                        std::thread::yield_now();
                        self.fill(stream, room)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts it, for the first time or after it ran dry.
    fn start(&mut self, stream: &mut Stream) -> Result<(), Trouble> {
        self.setup = stream.setup();
        self.bytes.fill(0);
        let whole = self.bytes.len() / self.setup.frame_bytes() * self.setup.frame_bytes();
        if let Some((frame, missing)) = stream.start(&self.bytes[..whole])? {
            self.tell(&SinkEvent::Xrun { frame, missing });
        }
        Ok(())
    }

    fn take(&mut self, read: Read) {
        match read {
            Read::Stamp((frame, at)) => {
                for slot in self.slots.iter_mut().flatten() {
                    let at = slot.clock.warp(at);
                    slot.tell(SinkEvent::Stamp { frame, at });
                }
            }
            Read::Moved => self.tell(&SinkEvent::Moved),
            Read::Nothing => {}
        }
    }

    /// Renders and writes what there is room for.
    fn fill(&mut self, stream: &mut Stream, mut room: i64) -> Result<(), Trouble> {
        while room > 0 {
            let frames = room.min(period(self.setup.rate).0) as usize;
            self.render(stream.next(), frames);
            let samples = frames * usize::from(self.setup.channels);
            let bytes = frames * self.setup.frame_bytes();
            self.setup.sample.write(&self.block[..samples], &mut self.bytes[..bytes]);
            if stream.write(&self.bytes[..bytes])? == 0 {
                return Ok(());
            }
            room -= frames as i64;
        }
        Ok(())
    }

    /// Fills the block with what the outputs play from `first` on, each in its own channels.
    fn render(&mut self, first: Frames, frames: usize) {
        let channels = usize::from(self.setup.channels);
        let block = &mut self.block[..frames * channels];
        block.fill(0.0);
        for slot in self.slots.iter_mut().flatten() {
            let (from, count) = channels_of(slot.part, channels);
            let part = &mut self.part[..frames * count];
            (slot.render)(first, part);
            for (frame, played) in block.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
                frame[from..from + count].copy_from_slice(played);
            }
        }
    }

    /// Takes in outputs that came, and hands back those that go.
    fn come_and_go(&mut self) {
        for slot in &mut self.slots {
            if !slot.as_ref().is_some_and(|slot| slot.stop.load(Ordering::Acquire)) {
                continue;
            }
            let Some(leaver) = slot.take() else { continue };
            // The queue has room for as many as there can be.
            let _ = self.leavers.push(leaver);
        }
        while let Some(free) = self.slots.iter_mut().find(|slot| slot.is_none()) {
            let Ok(newcomer) = self.newcomers.pop() else { return };
            *free = Some(newcomer);
        }
    }

    /// The card again, once it can be opened; `None` at the end.
    fn await_return(&mut self, before: Stream) -> Option<Stream> {
        // A card that is held open does not come back.
        let frames = before.close();
        let mut why_not = Changes::default();
        for look in 1_u32.. {
            if self.is_closing() {
                return None;
            }
            self.come_and_go();
            std::thread::sleep(Duration::from_nanos(STOP.as_ns() as u64));
            if look % LOOKS_A_TRY != 0 || self.signs.stale.load(Ordering::Acquire) {
                continue;
            }
            match Stream::open(&self.device) {
                Ok(stream) if self.fits(&stream) => return Some(stream.follow(frames)),
                // Whoever opens the output anew will see what it has become.
                Ok(_) => {
                    self.signs.stale.store(true, Ordering::Release);
                    self.tell(&SinkEvent::Reopen);
                }
                Err(trouble) => {
                    if let Some(why) = why_not.changed(trouble.to_string()) {
                        tracing::warn!("alsa:{} is still away: {why}", self.device);
                    }
                }
            }
        }
        None
    }

    fn fits(&self, stream: &Stream) -> bool {
        let setup = stream.setup();
        (setup.rate, setup.channels) == (self.setup.rate, self.setup.channels)
    }

    fn is_closing(&self) -> bool {
        self.signs.closing.load(Ordering::Acquire)
    }

    fn tell(&mut self, event: &SinkEvent) {
        for slot in self.slots.iter_mut().flatten() {
            slot.tell(event.clone());
        }
    }
}

/// The first channel of a part of a card of `channels`, and how many it has.
pub(super) fn channels_of(part: CardPart, channels: usize) -> (usize, usize) {
    match part {
        CardPart::Whole => (0, channels.min(2)),
        CardPart::Left => (0, 1),
        CardPart::Right => (1, 1),
    }
}
