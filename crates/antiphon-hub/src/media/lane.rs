//! The way of a browser's packets out of the media thread, which waits for nobody.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

/// Packets that may wait for a browser: 2.5 s of the shortest, 2.5 ms each. What has waited longer is too late at any
/// latency that browsers ask for. At most 1.2 MB.
const LANE: usize = 1_024;

/// Packets for one browser, oldest first. When it is full the oldest goes: the newest may still be heard.
#[derive(Debug)]
pub struct Lane {
    packets: ArrayQueue<Bytes>,
    /// One reader waits.
    bell: Notify,
    dropped: AtomicU64,
}

impl Lane {
    /// An empty lane.
    pub fn new() -> Self {
        Self { packets: ArrayQueue::new(LANE), bell: Notify::new(), dropped: AtomicU64::new(0) }
    }

    /// Puts a packet behind the others; never waits.
    pub fn push(&self, packet: &[u8]) {
        if self.packets.force_push(Bytes::copy_from_slice(packet)).is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.bell.notify_one();
    }

    /// The oldest packet that waits.
    pub fn pop(&self) -> Option<Bytes> {
        self.packets.pop()
    }

    /// Waits until a packet has come since the last waiting. Cancel-safe.
    pub async fn filled(&self) {
        self.bell.notified().await;
    }

    /// Packets that went because others came.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_read_loses_the_oldest_and_it_is_counted() {
        let lane = Lane::new();
        for n in 0..LANE as u32 + 10 {
            lane.push(&n.to_be_bytes());
        }
        assert_eq!(lane.dropped(), 10);
        assert_eq!(lane.pop().unwrap()[..], 10u32.to_be_bytes());
        assert_eq!(std::iter::from_fn(|| lane.pop()).count(), LANE - 1);
    }
}
