//! What a source has to tell while it plays: from the thread that reads it to whoever shows it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use antiphon_base::Frames;

/// News that wait at most; of more the oldest are dropped, since only the latest title counts.
const MOST: usize = 16;

/// Something that a listener should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What is heard from here on: one line without control characters, at most 200 of them.
    Title(String),
    /// One sentence about the source itself: it is silent, it is back.
    Remark(String),
}

/// Where a source pins its news.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Titles, each with the media frame from which on it is heard.
    titles: Mutex<VecDeque<(u64, String)>>,
    remarks: Mutex<VecDeque<String>>,
    closed: AtomicBool,
}

impl Board {
    /// `title` is heard from media frame `from` on.
    pub(super) fn title(&self, from: u64, title: String) {
        pin(&self.titles, (from, title));
    }

    pub(super) fn remark(&self, line: String) {
        pin(&self.remarks, line);
    }

    /// The next news for somebody who has read up to `position`.
    pub(super) fn take(&self, position: Frames) -> Option<News> {
        if let Some(line) = lock(&self.remarks).pop_front() {
            return Some(News::Remark(line));
        }
        let mut titles = lock(&self.titles);
        let is_due = titles.front().is_some_and(|(from, _)| *from <= position.0.max(0) as u64);
        if is_due { titles.pop_front().map(|(_, title)| News::Title(title)) } else { None }
    }

    /// Nobody reads any more: who waits for sound gives up.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

fn pin<T>(list: &Mutex<VecDeque<T>>, item: T) {
    let mut list = lock(list);
    if list.len() == MOST {
        list.pop_front();
    }
    list.push_back(item);
}

/// A list of texts is whole whatever happened to who held it.
fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_told_when_its_first_frame_is_read_and_a_remark_at_once() {
        let board = Board::default();
        board.title(4_800, "second".into());
        assert_eq!(board.take(Frames(4_799)), None);
        board.remark("silent".into());
        assert_eq!(board.take(Frames(4_799)), Some(News::Remark("silent".into())));
        assert_eq!(board.take(Frames(4_800)), Some(News::Title("second".into())));
        assert_eq!(board.take(Frames(9_000)), None);
    }

    #[test]
    fn of_too_many_news_the_latest_are_kept() {
        let board = Board::default();
        (0..1_000).for_each(|n| board.title(0, n.to_string()));
        let told: Vec<News> = std::iter::from_fn(|| board.take(Frames(0))).collect();
        assert_eq!((told.len(), told.last()), (MOST, Some(&News::Title("999".into()))));
    }
}
