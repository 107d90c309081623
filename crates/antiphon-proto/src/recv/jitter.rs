//! The jitter buffer of codecs whose packets depend on those before: in order, or declared lost.

use std::collections::VecDeque;

use super::reorder::WINDOW;

/// Holds items (units, or notes of their loss) until every one before them is there.
#[derive(Debug)]
pub struct InOrder<T> {
    next: u64,
    /// In the order of their numbers, all above `next`; at most [`WINDOW`].
    held: VecDeque<(u64, T)>,
}

impl<T> InOrder<T> {
    /// A buffer that waits for `next`.
    pub fn new(next: u64) -> Self {
        Self { next, held: VecDeque::new() }
    }

    /// Takes the item with this number and hands out, in order, all that can go. Of two items with one number
    /// the first counts; one whose turn has passed is dropped.
    pub fn push(&mut self, sequence: u64, item: T, mut release: impl FnMut(T)) {
        let Err(place) = self.held.binary_search_by_key(&sequence, |(number, _)| *number) else { return };
        if sequence < self.next {
            return;
        }
        self.held.insert(place, (sequence, item));
        if self.held.len() as u64 > WINDOW {
            // Whoever declares losses has failed to: go on with what is there.
            self.next = self.held[0].0;
        }
        while self.held.front().is_some_and(|(number, _)| *number == self.next) {
            self.next += 1;
            release(self.held.pop_front().expect("its front was seen").1);
        }
    }

    /// Hands out all that is held and waits for `next`.
    pub fn restart(&mut self, next: u64, mut release: impl FnMut(T)) {
        self.next = next;
        self.held.drain(..).for_each(|(_, item)| release(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(buffer: &mut InOrder<u64>, sequence: u64) -> Vec<u64> {
        let mut out = Vec::new();
        buffer.push(sequence, sequence, |item| out.push(item));
        out
    }

    #[test]
    fn a_packet_that_overtook_another_waits_for_it() {
        let mut buffer = InOrder::new(10);
        assert!(pushed(&mut buffer, 11).is_empty());
        assert!(pushed(&mut buffer, 13).is_empty());
        assert_eq!(pushed(&mut buffer, 10), [10, 11]);
        assert!(pushed(&mut buffer, 10).is_empty(), "its turn has passed");
        assert_eq!(pushed(&mut buffer, 12), [12, 13]);
    }

    #[test]
    fn it_never_holds_more_than_the_window() {
        let mut buffer = InOrder::new(0);
        for sequence in 1..=WINDOW {
            assert!(pushed(&mut buffer, sequence).is_empty());
        }
        assert_eq!(pushed(&mut buffer, WINDOW + 1).len() as u64, WINDOW + 1);
    }
}
