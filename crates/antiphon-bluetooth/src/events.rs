//! The way of link events from the bus to whoever streams.
//!
//! A reader that sleeps costs nothing and loses nothing that still holds: of each kind the newest
//! of a speaker is kept, so the queue never holds more than five events for one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Address, LinkEvent};

/// The reader's end.
#[derive(Debug)]
pub struct LinkEvents {
    shared: Arc<Shared>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct EventSender {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<LinkEvent>,
    closed: bool,
}

/// A new way for events.
pub(crate) fn channel() -> (EventSender, LinkEvents) {
    let shared = Arc::new(Shared::default());
    (EventSender { shared: Arc::clone(&shared) }, LinkEvents { shared })
}

impl LinkEvents {
    /// The next event, if there is one; never waits.
    pub fn try_recv(&self) -> Option<LinkEvent> {
        self.shared.lock().events.pop_front()
    }

    /// The next event; waits for it for up to `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<LinkEvent> {
        let until = Instant::now() + timeout;
        let mut queue = self.shared.lock();
        loop {
            if let Some(event) = queue.events.pop_front() {
                return Some(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.closed {
                return None;
            }
            queue = self.shared.told.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether no event can come any more.
    pub fn is_closed(&self) -> bool {
        let queue = self.shared.lock();
        queue.closed && queue.events.is_empty()
    }
}

impl EventSender {
    /// Adds an event; what it makes untrue is taken out.
    pub fn send(&self, event: LinkEvent) {
        let mut queue = self.shared.lock();
        let address = of(&event);
        match &event {
            // Values of the last link, and a link that nobody took and that is gone.
            LinkEvent::Up(_) | LinkEvent::Down(..) => queue
                .events
                .retain(|old| of(old) != address || (matches!(event, LinkEvent::Up(_)) && is_down(old))),
            newer => {
                let kind = std::mem::discriminant(newer);
                queue.events.retain(|old| of(old) != address || std::mem::discriminant(old) != kind);
            }
        }
        queue.events.push_back(event);
        drop(queue);
        self.shared.told.notify_all();
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.told.notify_all();
    }
}

impl Shared {
    /// The queue is whole whatever happened to a thread that held it.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(event: &LinkEvent) -> Address {
    match event {
        LinkEvent::Up(link) => link.address,
        LinkEvent::Delay(address, _)
        | LinkEvent::Volume(address, _)
        | LinkEvent::Battery(address, _)
        | LinkEvent::Down(address, _) => *address,
    }
}

fn is_down(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Down(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Down;

    const DESK: Address = Address([0, 0, 0, 0, 0, 1]);
    const SHELF: Address = Address([0, 0, 0, 0, 0, 2]);

    fn drained(events: &LinkEvents) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv()).map(|event| format!("{event:?}")).collect()
    }

    #[test]
    fn only_the_newest_of_each_kind_waits_for_a_slow_reader() {
        let (sender, events) = channel();
        for percent in 0..200 {
            sender.send(LinkEvent::Battery(DESK, percent));
            sender.send(LinkEvent::Battery(SHELF, 7));
        }
        assert_eq!(drained(&events).len(), 2);
    }

    #[test]
    fn what_a_lost_link_told_is_not_told_after_its_end() {
        let (sender, events) = channel();
        sender.send(LinkEvent::Battery(SHELF, 50));
        sender.send(LinkEvent::Volume(DESK, Some(3)));
        sender.send(LinkEvent::Down(DESK, Down { why: "lost".into(), needs_help: false }));
        let told = drained(&events);
        assert!(told.len() == 2 && told[1].contains("lost"), "{told:?}");
    }

    #[test]
    fn a_reader_learns_that_nothing_can_come() {
        let (sender, events) = channel();
        sender.send(LinkEvent::Battery(DESK, 1));
        drop(sender);
        assert!(!events.is_closed());
        assert!(events.recv_timeout(Duration::ZERO).is_some());
        assert!(events.recv_timeout(Duration::from_secs(60)).is_none() && events.is_closed());
    }
}
