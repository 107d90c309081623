//! The latest value of each thing, and who has seen which.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use antiphon_api::json;
use axum::extract::ws::Utf8Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::MAX_CLIENTS;

/// Things that may be told apart: a status, a queue, groups, and far more jobs than a hub keeps. Beyond
/// this the thing that was told longest ago is forgotten.
const MAX_THINGS: usize = 64;

/// Where anything in the hub says what has changed; clones speak to the same clients.
#[derive(Clone)]
pub struct Events {
    shelf: Arc<Mutex<Shelf>>,
    latest: Arc<watch::Sender<u64>>,
    clients: Arc<watch::Sender<usize>>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct Shelf {
    told: u64,
    /// By kind and name: when it was told, and the message.
    things: BTreeMap<(&'static str, String), (u64, Utf8Bytes)>,
}

impl Shelf {
    fn put(&mut self, kind: &'static str, name: &str, text: Utf8Bytes) -> u64 {
        self.told += 1;
        self.things.insert((kind, name.to_owned()), (self.told, text));
        if self.things.len() > MAX_THINGS
            && let Some(oldest) = self.things.iter().min_by_key(|(_, (told, _))| *told)
        {
            let oldest = oldest.0.clone();
            self.things.remove(&oldest);
        }
        self.told
    }

    fn since(&self, seen: u64) -> Vec<Utf8Bytes> {
        let mut news: Vec<_> = self.things.values().filter(|(told, _)| *told > seen).collect();
        news.sort_by_key(|(told, _)| *told);
        news.into_iter().map(|(_, text)| text.clone()).collect()
    }
}

impl Events {
    /// Nothing told yet, nobody there.
    pub fn new() -> Self {
        Self {
            shelf: Arc::default(),
            latest: Arc::new(watch::Sender::new(0)),
            clients: Arc::new(watch::Sender::new(0)),
            places: Arc::new(Semaphore::new(MAX_CLIENTS)),
        }
    }

    /// Tells every client `{"type":KIND,KIND:VALUE}`, where `json` is the value. Who has not read the last
    /// value of this kind reads only this one.
    pub fn publish(&self, kind: &'static str, json: String) {
        self.publish_one(kind, "", json);
    }

    /// The same of one among several of a kind (a job): only its own last value is replaced.
    pub fn publish_one(&self, kind: &'static str, name: &str, json: String) {
        let text = Utf8Bytes::from(json::event(kind, &json));
        let told = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).put(kind, name, text);
        self.latest.send_replace(told);
    }

    /// How many clients listen.
    pub fn clients(&self) -> usize {
        *self.clients.borrow()
    }

    /// A client's place, as long as it is held; `None` where all are taken.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits until somebody listens.
    pub async fn listened(&self) {
        let mut clients = self.clients.subscribe();
        // The sender lives as long as this.
        let _ = clients.wait_for(|clients| *clients > 0).await;
    }

    /// A client that has seen nothing yet.
    pub fn reader(&self) -> Reader {
        self.clients.send_modify(|clients| *clients += 1);
        let mut latest = self.latest.subscribe();
        latest.mark_changed();
        Reader { events: self.clone(), latest, seen: 0 }
    }
}

/// One client's place on the shelf.
pub struct Reader {
    events: Events,
    latest: watch::Receiver<u64>,
    seen: u64,
}

impl Reader {
    /// Waits for what is newer than what this client has seen, oldest first. Cancel-safe.
    pub async fn next(&mut self) -> Vec<Utf8Bytes> {
        // The sender lives as long as this.
        let _ = self.latest.changed().await;
        let shelf = self.events.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let news = shelf.since(self.seen);
        self.seen = shelf.told;
        news
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.events.clients.send_modify(|clients| *clients = clients.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(reader: &mut Reader) -> Vec<String> {
        reader.next().await.into_iter().map(|text| text.to_string()).collect()
    }

    #[tokio::test]
    async fn a_client_that_was_away_reads_the_latest_of_each_thing_and_no_more() {
        let events = Events::new();
        let mut slow = events.reader();
        assert!(read(&mut slow).await.is_empty());
        for n in 0..1_000 {
            events.publish("queue", n.to_string());
            events.publish_one("job", &(n % 2).to_string(), n.to_string());
        }
        let last =
            [r#"{"type":"job","job":998}"#, r#"{"type":"queue","queue":999}"#, r#"{"type":"job","job":999}"#];
        assert_eq!(read(&mut slow).await, last);
        assert_eq!(read(&mut events.reader()).await, last, "who comes later begins with the same");
        events.publish("queue", "[]".into());
        assert_eq!(read(&mut slow).await, [r#"{"type":"queue","queue":[]}"#]);
    }

    #[tokio::test]
    async fn what_is_remembered_for_clients_is_bounded() {
        let events = Events::new();
        for n in 0..10 * MAX_THINGS {
            events.publish_one("job", &n.to_string(), n.to_string());
        }
        let news = read(&mut events.reader()).await;
        assert_eq!(news.len(), MAX_THINGS);
        assert!(news.last().unwrap().contains(&(10 * MAX_THINGS - 1).to_string()));
    }

    #[tokio::test]
    async fn clients_are_counted_while_they_are_there() {
        let events = Events::new();
        let reader = events.reader();
        assert_eq!(events.clients(), 1);
        drop(reader);
        assert_eq!(events.clients(), 0);
        let places: Vec<_> = std::iter::from_fn(|| events.enter()).collect();
        assert_eq!(places.len(), MAX_CLIENTS);
    }
}
