//! How often a stranger may do something.

use std::time::Duration;

use tokio::time::Instant;

/// An allowance that is full at first and grows back with time.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    most: u32,
    left: u32,
    every: Duration,
    since: Option<Instant>,
}

impl Bucket {
    /// `most` at once, and one more after each `every`.
    pub const fn new(most: u32, every: Duration) -> Self {
        Self { most, left: most, every, since: None }
    }

    /// Takes one; `false` where none is left.
    pub fn spend(&mut self) -> bool {
        let left = self.left(Instant::now());
        self.left = left.saturating_sub(1);
        left > 0
    }

    /// Whether it has grown back whole, so that it need not be remembered.
    pub fn is_full(&mut self) -> bool {
        self.left(Instant::now()) == self.most
    }

    fn left(&mut self, now: Instant) -> u32 {
        let since = *self.since.get_or_insert(now);
        let grown = (now.saturating_duration_since(since).as_nanos() / self.every.as_nanos().max(1))
            .min(u128::from(self.most)) as u32;
        if grown > 0 {
            self.left = self.most.min(self.left + grown);
            // What has grown by a part goes on growing, unless it is full.
            self.since = Some(if self.left == self.most { now } else { since + self.every * grown });
        }
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_spent_and_grows_back() {
        let (mut bucket, start) = (Bucket::new(3, Duration::from_secs(1)), Instant::now());
        let mut spend = |ms: u64| {
            let left = bucket.left(start + Duration::from_millis(ms));
            bucket.left = left.saturating_sub(1);
            left > 0
        };
        assert_eq!([spend(0), spend(0), spend(0), spend(0)], [true, true, true, false]);
        assert_eq!([spend(999), spend(1_500), spend(1_600), spend(2_001)], [false, true, false, true]);
        assert_eq!([spend(9_000), spend(9_000), spend(9_000), spend(9_000)], [true, true, true, false]);
    }
}
