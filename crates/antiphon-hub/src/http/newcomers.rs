//! Connections of which nobody knows yet who is at the other end.
//!
//! What such a one costs is bounded by neighbour: whoever opens many and says nothing on them loses its oldest, and
//! keeps nobody else from joining.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::tries::neighbour;

/// Of one neighbour at once: a shelf of speakers that come back together after a power cut, each for two round trips.
const MOST_OF_ONE: usize = 8;

type Waiting = BTreeMap<IpAddr, VecDeque<Arc<Notify>>>;

/// All of them, by neighbour, the oldest first.
#[derive(Debug, Default)]
pub struct Newcomers(Mutex<Waiting>);

impl Newcomers {
    /// One more from `peer`; beyond [`MOST_OF_ONE`] its oldest has to go. Who is not counted (`None`) never has to.
    pub fn enter(&self, peer: Option<IpAddr>) -> Newcomer<'_> {
        let (from, sent_away) = (peer.map(neighbour), Arc::new(Notify::new()));
        if let Some(from) = from {
            let mut all = self.lock();
            let waiting = all.entry(from).or_default();
            waiting.push_back(sent_away.clone());
            if waiting.len() > MOST_OF_ONE
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.notify_one();
            }
        }
        Newcomer { all: self, from, sent_away }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Newcomer<'a> {
    all: &'a Newcomers,
    from: Option<IpAddr>,
    sent_away: Arc<Notify>,
}

impl Newcomer<'_> {
    /// What comes of `work`; `None` where this one has to go before.
    pub async fn unless_sent_away<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sent_away.notified() => None,
        }
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        let Some(from) = self.from else { return };
        let mut all = self.all.lock();
        if let Some(waiting) = all.get_mut(&from) {
            waiting.retain(|other| !Arc::ptr_eq(other, &self.sent_away));
            if waiting.is_empty() {
                all.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sent_away(newcomer: &Newcomer<'_>) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(newcomer.unless_sent_away(tokio::task::yield_now())).is_none()
    }

    #[test]
    fn of_too_many_the_oldest_of_the_same_neighbour_goes() {
        let newcomers = Newcomers::default();
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let other = newcomers.enter(ip("10.0.0.8"));
        let silent: Vec<_> =
            (0..MOST_OF_ONE + 2).map(|n| newcomers.enter(ip(&format!("fd00::{n}")))).collect();
        let gone = silent.iter().filter(|newcomer| is_sent_away(newcomer)).count();
        assert_eq!((gone, is_sent_away(&other)), (2, false));
        assert!(!is_sent_away(silent.last().unwrap()), "who comes last stays");
        drop((silent, other));
        let here: Vec<_> = (0..100).map(|_| newcomers.enter(None)).collect();
        assert!(!here.iter().any(is_sent_away), "this machine's own speakers are as many as they are");
        assert!(newcomers.lock().is_empty());
    }
}
