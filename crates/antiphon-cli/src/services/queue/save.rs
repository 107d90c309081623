//! The queue on disk: replaced whole, and read once. What was uploaded is gone with the hub that had it.

use std::path::Path;

use antiphon_api::{QueuePlace, QueueWish, SAVED_QUEUE_SCHEMA, SavedItem, SavedQueue, json};
use antiphon_hub::private_files;

use super::list::{Entry, Item, Queue};

/// Its name in the state directory.
pub const FILE: &str = "queue.json";

/// The queue that was kept, or its copy. Where neither reads it is empty, and the file is moved aside, and that is said.
pub fn read(dir: &Path) -> Queue {
    let parse =
        |text: &str| json::read::<SavedQueue>("it", text.as_bytes()).map_err(|error| error.to_string());
    match private_files::load_or_begin(&dir.join(FILE), "the queue is empty", parse) {
        Ok(saved) => queue(saved.unwrap_or_default()),
        Err(error) => {
            tracing::warn!("the queue is empty: {error}");
            Queue::default()
        }
    }
}

/// Writes it down, and its copy.
pub fn write(dir: &Path, saved: &SavedQueue) {
    let written = private_files::make_private_dir(dir)
        .and_then(|()| private_files::keep(&dir.join(FILE), json::write_pretty(saved).as_bytes()));
    if let Err(error) = written {
        tracing::warn!("the queue is not kept: {error}");
    }
}

/// What is written of `queue`.
pub fn saved(queue: &Queue) -> SavedQueue {
    let item = |item: &Item| SavedItem {
        wish: item.what.wish.clone(),
        title: item.what.title.clone(),
        artist: item.what.artist.clone(),
        duration_s: item.what.duration_s,
    };
    SavedQueue {
        schema: SAVED_QUEUE_SCHEMA,
        items: queue.items().iter().map(item).collect(),
        current: queue.items().iter().position(|item| Some(item.key) == queue.current),
        repeat: queue.repeat,
        shuffle: queue.is_shuffled(),
    }
}

fn queue(saved: SavedQueue) -> Queue {
    let mut queue = Queue::default();
    let mut rng = fastrand::Rng::new();
    for (at, item) in saved.items.into_iter().enumerate() {
        if matches!(item.wish, QueueWish::Upload(_)) {
            continue;
        }
        let SavedItem { wish, title, artist, duration_s } = item;
        let key = queue.add(vec![Entry { wish, title, artist, duration_s }], QueuePlace::Last, &mut rng);
        if saved.current == Some(at) {
            queue.current = key;
        }
    }
    queue.repeat = saved.repeat;
    queue.set_shuffle(saved.shuffle, &mut rng);
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(wish: QueueWish) -> Entry {
        Entry { wish, title: "t".into(), artist: Some("a".into()), duration_s: Some(1.5) }
    }

    #[test]
    fn a_queue_comes_back_as_it_was_without_what_was_uploaded() {
        let dir = tempfile::tempdir().unwrap();
        let mut before = Queue::default();
        let wishes = [
            QueueWish::Upload("u".into()),
            QueueWish::Library("l".into()),
            QueueWish::Url("http://r".into()),
        ];
        before.add(wishes.map(entry).to_vec(), QueuePlace::Last, &mut fastrand::Rng::new());
        (before.current, before.repeat) = (Some(3), true);
        write(dir.path(), &saved(&before));
        let after = read(dir.path());
        let wishes: Vec<_> = after.items().iter().map(|item| item.what.wish.clone()).collect();
        assert_eq!(wishes, [QueueWish::Library("l".into()), QueueWish::Url("http://r".into())]);
        assert_eq!(after.current, Some(after.items()[1].key));
        assert!(after.repeat && after.items()[0].what.artist.as_deref() == Some("a"));
    }

    #[test]
    fn a_queue_that_was_cut_off_anywhere_comes_back_from_its_copy() {
        let dir = tempfile::tempdir().unwrap();
        let whole = write_one(dir.path());
        let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
        for cut in 0..=end {
            std::fs::write(dir.path().join(FILE), &whole[..cut]).unwrap();
            assert_eq!(read(dir.path()).items().len(), 1, "{cut}");
            assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), whole);
        }
    }

    #[test]
    fn where_the_copy_is_of_no_use_either_the_hub_has_an_empty_queue_and_the_file_is_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        write_one(dir.path());
        for name in [FILE, "queue.json.copy"] {
            std::fs::write(dir.path().join(name), "[").unwrap();
        }
        assert!(read(dir.path()).items().is_empty());
        assert_eq!(std::fs::read_to_string(dir.path().join("queue.json.damaged")).unwrap(), "[");
    }

    fn write_one(dir: &Path) -> Vec<u8> {
        let mut queue = Queue::default();
        let one = vec![entry(QueueWish::Signal("width".into()))];
        queue.add(one, QueuePlace::Last, &mut fastrand::Rng::new());
        write(dir, &saved(&queue));
        std::fs::read(dir.join(FILE)).unwrap()
    }
}
