//! One card, one thread, up to two outputs: a card can be opened once only, and its left and right may be two speakers
//! of this program.
//!
//! All of this is for the threads that open and close; the card's own thread never waits for the lock.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::driver::{Driver, MOST_OUTPUTS, Signs, Slot, channels_of};
use super::stream::Stream;
use super::{failed, in_use_here};
use crate::alsa::{Setup, canonical, card_index};
use crate::sink::SinkError;
use crate::uri::{CardPart, DeviceUri};

/// Outputs on their way to or from a card's thread: each that there can be, and as many that have just left.
const QUEUE: usize = 2 * MOST_OUTPUTS;

/// Between two looks whether a card's thread has let an output go: it does within a period.
const LOOK: Duration = Duration::from_millis(2);

/// The cards that this process has open.
static CARDS: Mutex<Vec<Card>> = Mutex::new(Vec::new());

struct Card {
    /// Its name, the same for all names of one device.
    key: String,
    setup: Setup,
    signs: Arc<Signs>,
    /// The parts that somebody has a lease of.
    leased: Vec<CardPart>,
    /// The parts that its thread plays.
    played: Vec<CardPart>,
    newcomers: rtrb::Producer<Slot>,
    leavers: rtrb::Consumer<Slot>,
    thread: JoinHandle<()>,
}

/// The right to a part of an open card; the card is closed with the last one.
#[derive(Debug)]
pub(super) struct Lease {
    key: String,
    part: CardPart,
    setup: Setup,
}

impl Lease {
    /// Opens the card, or joins the other output on it.
    ///
    /// # Errors
    /// No such card or channel, or somebody has it.
    pub fn take(uri: &DeviceUri) -> Result<Self, SinkError> {
        let key = canonical(&uri.device, card_index);
        let mut cards = cards();
        let known = cards.iter().position(|card| card.key == key);
        let at = match known {
            Some(at) => at,
            None => {
                cards.push(Card::open(uri, &key)?);
                cards.len() - 1
            }
        };
        let setup = cards[at].setup;
        let lent = cards[at].lend(uri);
        drop(cards);
        if lent.is_err() {
            // A card that nobody has, because nothing could be lent of it, is closed again.
            close_unused(&key);
        }
        lent.map(|()| Self { key, part: uri.part, setup })
    }

    /// What was agreed on with the card.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Lets the card's thread play `slot`.
    pub fn enter(&self, slot: Slot) {
        let mut cards = cards();
        let Some(card) = cards.iter_mut().find(|card| card.key == self.key) else { return };
        card.played.push(slot.part);
        // The queue has room for as many as there are parts.
        let _ = card.newcomers.push(slot);
    }

    /// Waits until the card's thread has let the output go; its stop is raised.
    pub fn see_out(self) {
        loop {
            let mut cards = cards();
            let Some(card) = cards.iter_mut().find(|card| card.key == self.key) else { return };
            card.take_leavers();
            if !card.played.contains(&self.part) || card.thread.is_finished() {
                return drop(cards);
            }
            drop(cards);
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(card) = cards().iter_mut().find(|card| card.key == self.key) {
            card.leased.retain(|part| *part != self.part);
        }
        close_unused(&self.key);
    }
}

/// Closes the card of that name if nobody has it. Whoever opens it waits: a card that is half closed is in use.
fn close_unused(key: &str) {
    let mut cards = cards();
    let Some(at) = cards.iter().position(|card| card.key == key && card.leased.is_empty()) else { return };
    let card = cards.swap_remove(at);
    card.signs.closing.store(true, Ordering::Release);
    if card.thread.join().is_err() {
        tracing::error!("the thread of alsa:{key} had panicked; this is a fault of the program");
    }
}

/// What is under the lock is whole at any time, also after a panic.
fn cards() -> MutexGuard<'static, Vec<Card>> {
    CARDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Card {
    fn open(uri: &DeviceUri, key: &str) -> Result<Self, SinkError> {
        let stream = Stream::open(&uri.device).map_err(|trouble| failed(uri, trouble))?;
        let setup = stream.setup();
        tracing::debug!("alsa:{}: {setup:?}", uri.device);
        let signs = Arc::new(Signs::default());
        let (newcomers, to_thread) = rtrb::RingBuffer::new(QUEUE);
        let (from_thread, leavers) = rtrb::RingBuffer::new(QUEUE);
        let driver = Driver::new(uri.device.clone(), setup, Arc::clone(&signs), to_thread, from_thread);
        let thread = std::thread::Builder::new().name("alsa".to_owned());
        let thread = thread.spawn(move || driver.run(stream)).map_err(SinkError::Thread)?;
        let (leased, played) = (Vec::new(), Vec::new());
        Ok(Self { key: key.to_owned(), setup, signs, leased, played, newcomers, leavers, thread })
    }

    /// Lends the part of `uri`.
    fn lend(&mut self, uri: &DeviceUri) -> Result<(), SinkError> {
        if self.signs.stale.load(Ordering::Acquire) || self.thread.is_finished() {
            return Err(SinkError::Card {
                output: format!("alsa:{uri}"),
                why: "its other speaker has yet to let it go, for it has changed".into(),
            });
        }
        let (first, count) = channels_of(uri.part, usize::from(self.setup.channels));
        if first + count > usize::from(self.setup.channels) {
            return Err(SinkError::NoChannel { output: format!("alsa:{uri}") });
        }
        let clashes = |part: &CardPart| *part == uri.part || [*part, uri.part].contains(&CardPart::Whole);
        if self.leased.iter().any(clashes) {
            return Err(in_use_here(uri));
        }
        self.leased.push(uri.part);
        Ok(())
    }

    /// Frees what has left: that is not for the card's thread.
    fn take_leavers(&mut self) {
        while let Ok(slot) = self.leavers.pop() {
            self.played.retain(|part| *part != slot.part);
        }
    }
}
