//! The hub's own player: waits for an order, and plays until the queue is at its end or somebody stops it.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use antiphon_api::{Client, HubAddress, SourceCommand, SourcePace};
use antiphon_audio::source::{self, List};

use super::lead::Lead;
use super::{Desk, Order};
use crate::exit::Failure;
use crate::play::reach::Reach;
use crate::play::screen::Screen;
use crate::play::stream::{End, Stream};
use crate::play::title;

/// A programme that was shorter is followed by silence up to here.
const SHORTEST: Duration = Duration::from_millis(500);

/// Plays what is ordered at `desk` on the hub at `hub`, until the desk or `stop` says that this is the end.
pub fn run(desk: &Arc<Desk>, hub: &HubAddress, stop: &Arc<AtomicBool>) {
    while let Some(key) = desk.next_order() {
        let mut next = Some(key);
        while let Some(key) = next {
            let begun = Instant::now();
            next = match perform(desk, key, hub, stop) {
                Ok(End::Played) => desk.follow_up(),
                Ok(End::Stopped | End::Replaced | End::Interrupted) => desk.ordered(),
                Err(failure) => {
                    desk.trouble(&failure.message);
                    desk.ordered()
                }
            };
            // A station that ends at once, in a queue that repeats, is not asked again and again.
            if next.is_some() {
                std::thread::sleep(SHORTEST.saturating_sub(begun.elapsed()));
            }
        }
        desk.rest();
    }
}

/// Plays from `key` on, as far as it is one programme.
fn perform(desk: &Arc<Desk>, key: u64, hub: &HubAddress, stop: &Arc<AtomicBool>) -> Result<End, Failure> {
    let (reach, client) = Reach::at(hub.clone());
    somebody_listens(&client)?;
    // Nothing of it can be played.
    let Some(list) = desk.open_from(key) else { return Ok(End::Stopped) };
    let ahead = source::prefetch_list(list);
    let ahead = ahead.map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))?;
    let info = ahead.info();
    let open = SourceCommand::Open {
        channels: info.channels,
        title: title(info),
        duration_frames: info.frames.map(|frames| frames.0),
        targets: Vec::new(),
        wait_ms: 0,
        seekable: info.seekable,
        first_frame: 0,
        pace: SourcePace::Stored,
    };
    let stream = Stream::connect((reach, client), ahead, open, Screen::none(), None, Arc::clone(stop))?;
    stream.led_by(Box::new(Lead::new(desk))).play_out()
}

fn somebody_listens(client: &Client) -> Result<(), Failure> {
    match client.status()?.speakers.is_empty() {
        false => Ok(()),
        true => Err(Failure::failed("no speaker has joined this hub: add one, then play")),
    }
}

impl Desk {
    /// Waits for something to play; `None`: this is the end.
    fn next_order(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(Order::Play(key)) = state.order.take() {
                state.playing = true;
                drop(state);
                self.changed();
                return Some(key);
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What was ordered meanwhile.
    fn ordered(&self) -> Option<u64> {
        match self.lock().order.take()? {
            Order::Play(key) => Some(key),
            Order::Stop => None,
        }
    }

    /// A programme is at its end: what is ordered, or what follows.
    fn follow_up(&self) -> Option<u64> {
        if let Some(order) = self.lock().order.take() {
            return if let Order::Play(key) = order { Some(key) } else { None };
        }
        let mut state = self.lock();
        let next = state.queue.current.and_then(|key| state.queue.after(key));
        state.queue.current = next;
        next
    }

    fn rest(&self) {
        {
            let mut state = self.lock();
            (state.playing, state.on_air) = (false, None);
        }
        self.changed();
    }

    /// Something went wrong, and playing goes on or not.
    pub(super) fn trouble(&self, why: &str) {
        tracing::info!("queue: {why}");
        self.lock().problem = Some(why.to_owned());
        self.changed();
    }

    /// The item `key`, or the first behind it that can be played, and what follows it.
    pub(super) fn open_from(self: &Arc<Self>, key: u64) -> Option<List> {
        self.open_along(key, &|queue, key| queue.after(key))
    }

    /// The item `key`, or the first that can be played of those that `next` leads to.
    pub(super) fn open_along(
        self: &Arc<Self>,
        key: u64,
        next: &dyn Fn(&super::Queue, u64) -> Option<u64>,
    ) -> Option<List> {
        let (mut key, tries) = (key, self.lock().queue.items().len());
        for _ in 0..tries {
            match self.open_item(key) {
                Ok(list) => {
                    let mut state = self.lock();
                    (state.queue.current, state.on_air) = (Some(key), None);
                    drop(state);
                    self.changed();
                    return Some(list);
                }
                Err(why) => self.trouble(&why),
            }
            key = next(&self.lock().queue, key)?;
        }
        None
    }

    fn open_item(self: &Arc<Self>, key: u64) -> Result<List, String> {
        let entry = {
            let state = self.lock();
            state.queue.item(key).ok_or("it is not in the queue any more")?.what.clone()
        };
        let item = self.item(&entry).map_err(|error| error.message)?;
        let feed = Box::new(super::lead::Following::new(self));
        List::open_fed((key, item), feed).map_err(|error| super::left_out(&error, &entry.title))
    }
}
