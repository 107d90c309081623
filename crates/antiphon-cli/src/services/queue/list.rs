//! The queue as such: what is in it, what is heard, what follows. It plays nothing and knows no file.

use antiphon_api::{QueueFrom, QueueItem, QueuePlace, QueueWish};

/// Things in a queue at most: a hundred hours of songs.
pub const MOST: usize = 2_000;

/// Something in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub key: u64,
    pub what: Entry,
}

/// What it is, as far as that is known before it is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub wish: QueueWish,
    pub title: String,
    pub artist: Option<String>,
    pub duration_s: Option<f64>,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    items: Vec<Item>,
    /// Keys in the order of playing.
    order: Vec<u64>,
    pub current: Option<u64>,
    pub repeat: bool,
    shuffle: bool,
    last_key: u64,
}

impl Entry {
    /// Whether it may never end: nothing is joined to it.
    pub fn is_stream(&self) -> bool {
        matches!(self.wish, QueueWish::Url(_))
    }
}

impl Queue {
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    pub fn is_shuffled(&self) -> bool {
        self.shuffle
    }

    /// Puts `entries` in; the key of the first. `None` where they do not fit.
    pub fn add(&mut self, entries: Vec<Entry>, place: QueuePlace, rng: &mut fastrand::Rng) -> Option<u64> {
        if self.items.len() + entries.len() > MOST {
            return None;
        }
        let first = self.last_key + 1;
        let new: Vec<Item> = entries.into_iter().zip(first..).map(|(what, key)| Item { key, what }).collect();
        self.last_key += new.len() as u64;
        let keys: Vec<u64> = new.iter().map(|item| item.key).collect();
        let behind =
            |list: &[u64], current| list.iter().position(|key| Some(*key) == current).map_or(0, |at| at + 1);
        let listed: Vec<u64> = self.items.iter().map(|item| item.key).collect();
        let (at, turn) = match place {
            QueuePlace::Last => (self.items.len(), self.order.len()),
            QueuePlace::Now | QueuePlace::Next => {
                (behind(&listed, self.current), behind(&self.order, self.current))
            }
        };
        self.items.splice(at..at, new);
        if self.shuffle && place == QueuePlace::Last {
            // Anywhere among what is still to come.
            let from = behind(&self.order, self.current);
            for key in keys {
                let at = rng.usize(from..=self.order.len());
                self.order.insert(at, key);
            }
        } else {
            self.order.splice(turn..turn, keys);
        }
        Some(first)
    }

    /// Takes `key` out; whether it was there. If it is heard, what follows has its turn.
    pub fn remove(&mut self, key: u64) -> bool {
        if self.item(key).is_none() {
            return false;
        }
        if self.current == Some(key) {
            self.current = self.after(key).filter(|next| *next != key);
        }
        self.items.retain(|item| item.key != key);
        self.order.retain(|other| *other != key);
        true
    }

    /// Puts `key` before `before`, or at the end; whether both were there. What is played at random keeps its turn.
    pub fn put(&mut self, key: u64, before: Option<u64>) -> bool {
        let place = |items: &[Item], key| items.iter().position(|item| item.key == key);
        let (Some(from), true) =
            (place(&self.items, key), before.is_none_or(|before| self.item(before).is_some()))
        else {
            return false;
        };
        if before == Some(key) {
            return true;
        }
        let item = self.items.remove(from);
        let to = before.and_then(|before| place(&self.items, before)).unwrap_or(self.items.len());
        self.items.insert(to, item);
        if !self.shuffle {
            self.order = self.items.iter().map(|item| item.key).collect();
        }
        true
    }

    pub fn clear(&mut self) {
        self.items.clear();
        self.order.clear();
        self.current = None;
    }

    pub fn set_shuffle(&mut self, shuffle: bool, rng: &mut fastrand::Rng) {
        if shuffle == self.shuffle {
            return;
        }
        self.shuffle = shuffle;
        self.order = self.items.iter().map(|item| item.key).collect();
        if shuffle {
            rng.shuffle(&mut self.order);
            // What is heard is the first of the new order.
            if let Some(at) = self.current.and_then(|current| self.turn(current)) {
                self.order.swap(0, at);
            }
        }
    }

    pub fn item(&self, key: u64) -> Option<&Item> {
        self.items.iter().find(|item| item.key == key)
    }

    /// The first that is played.
    pub fn first(&self) -> Option<u64> {
        self.order.first().copied()
    }

    /// What follows `key`. After one that is not there any more, what follows the one that is heard.
    pub fn after(&self, key: u64) -> Option<u64> {
        let at = self.turn(key).or_else(|| self.turn(self.current?))?;
        let next = self.order.get(at + 1).copied();
        next.or_else(|| self.first().filter(|_| self.repeat))
    }

    /// What comes before `key`; before the first itself, unless it repeats.
    pub fn before(&self, key: u64) -> Option<u64> {
        match self.turn(key)? {
            0 if self.repeat => self.order.last().copied(),
            at => self.order.get(at.saturating_sub(1)).copied(),
        }
    }

    /// The turn of `key`, from 1.
    pub fn number(&self, key: u64) -> usize {
        self.turn(key).map_or(1, |at| at + 1)
    }

    fn turn(&self, key: u64) -> Option<usize> {
        self.order.iter().position(|other| *other == key)
    }
}

impl Item {
    /// As it is told.
    pub fn told(&self) -> QueueItem {
        let (from, library) = match &self.what.wish {
            QueueWish::Library(id) => (QueueFrom::Library, Some(id.clone())),
            QueueWish::Url(_) => (QueueFrom::Url, None),
            QueueWish::Upload(_) => (QueueFrom::Upload, None),
            QueueWish::Signal(_) => (QueueFrom::Signal, None),
        };
        QueueItem {
            key: self.key.to_string(),
            title: self.what.title.clone(),
            artist: self.what.artist.clone(),
            duration_s: self.what.duration_s,
            from,
            library,
            art: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry {
            wish: QueueWish::Library((*name).into()),
            title: (*name).into(),
            artist: None,
            duration_s: None,
        };
        names.iter().map(entry).collect()
    }

    fn queue(names: &[&str]) -> (Queue, fastrand::Rng) {
        let (mut queue, mut rng) = (Queue::default(), fastrand::Rng::with_seed(1));
        queue.add(entries(names), QueuePlace::Last, &mut rng).unwrap();
        (queue, rng)
    }

    fn names(queue: &Queue) -> String {
        queue.items().iter().map(|item| item.what.title.as_str()).collect()
    }

    #[test]
    fn what_is_put_next_comes_after_the_one_that_is_heard() {
        let (mut queue, mut rng) = queue(&["a", "b", "c"]);
        queue.current = Some(1);
        let first = queue.add(entries(&["x", "y"]), QueuePlace::Next, &mut rng).unwrap();
        assert_eq!(names(&queue), "axybc");
        assert_eq!((queue.after(1), queue.after(first + 1)), (Some(first), Some(2)));
        assert_eq!(queue.number(2), 4);
    }

    #[test]
    fn what_is_moved_is_played_in_its_new_place_unless_places_are_drawn() {
        let (mut queue, mut rng) = queue(&["a", "b", "c", "d"]);
        queue.current = Some(2);
        assert!(queue.put(4, Some(1)) && queue.put(2, None) && queue.put(3, Some(3)));
        assert_eq!((names(&queue).as_str(), queue.after(3), queue.after(2)), ("dacb", Some(2), None));
        assert!(!queue.put(9, None) && !queue.put(1, Some(9)));
        assert_eq!(names(&queue), "dacb");
        queue.set_shuffle(true, &mut rng);
        let turns = |queue: &Queue| [1, 2, 3, 4].map(|key| queue.number(key));
        let before = turns(&queue);
        assert!(queue.put(1, None));
        assert_eq!((names(&queue).as_str(), turns(&queue)), ("dcba", before));
    }

    #[test]
    fn after_the_last_comes_the_first_only_where_it_repeats() {
        let (mut queue, _) = queue(&["a", "b"]);
        assert_eq!((queue.after(2), queue.before(1)), (None, Some(1)));
        queue.repeat = true;
        assert_eq!((queue.after(2), queue.before(1)), (Some(1), Some(2)));
    }

    #[test]
    fn the_one_that_is_heard_leaves_its_place_to_the_next_and_the_last_to_nobody() {
        let (mut queue, _) = queue(&["a", "b"]);
        queue.current = Some(1);
        assert!(queue.remove(1) && !queue.remove(1));
        assert_eq!(queue.current, Some(2));
        queue.repeat = true;
        assert!(queue.remove(2));
        assert_eq!(queue.current, None);
    }

    #[test]
    fn shuffled_everything_is_played_once_and_the_one_that_is_heard_is_the_first() {
        let (mut queue, mut rng) = queue(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        queue.current = Some(3);
        queue.set_shuffle(true, &mut rng);
        queue.add(entries(&["x"]), QueuePlace::Last, &mut rng).unwrap();
        let mut heard: Vec<u64> = std::iter::successors(Some(3), |key| queue.after(*key)).collect();
        assert_ne!(heard, (1..=9).collect::<Vec<_>>());
        heard.sort_unstable();
        assert_eq!(heard, (1..=9).collect::<Vec<_>>());
        assert_eq!(names(&queue), "abcdefghx", "the list stays as it was put");
        queue.set_shuffle(false, &mut rng);
        assert_eq!(queue.after(3), Some(4));
    }

    #[test]
    fn a_queue_has_an_end() {
        let (mut queue, mut rng) = queue(&["a"]);
        let many = vec!["x"; MOST];
        assert_eq!(queue.add(entries(&many), QueuePlace::Last, &mut rng), None);
        assert_eq!(names(&queue), "a");
    }
}
