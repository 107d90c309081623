//! The queue on disk: replaced whole, and read once. What was uploaded is gone with the hub that had it.

use std::path::Path;

use antiphon_api::{QueuePlace, QueueWish, SAVED_QUEUE_SCHEMA, SavedItem, SavedQueue, json};
use antiphon_hub::private_files;

use super::list::{Entry, Item, Queue};

/// Its name in the state directory.
pub const FILE: &str = "queue.json";

/// The queue that was kept. One that does not read is moved aside, and said.
pub fn read(dir: &Path) -> Queue {
    let path = dir.join(FILE);
    let saved = private_files::read(&path).map_err(|error| error.to_string()).and_then(|text| match text {
        None => Ok(SavedQueue::default()),
        Some(text) => json::read::<SavedQueue>("it", text.as_bytes()).map_err(|error| error.to_string()),
    });
    match saved {
        Ok(saved) => queue(saved),
        Err(why) => {
            let aside = path.with_extension("json.damaged");
            let moved = std::fs::rename(&path, &aside).is_ok();
            let place = if moved { aside.display().to_string() } else { "its place".into() };
            tracing::warn!(
                "the queue on disk is of no use ({why}); it is empty, and what was there is in {place}"
            );
            Queue::default()
        }
    }
}

/// Writes it down.
pub fn write(dir: &Path, saved: &SavedQueue) {
    let written = private_files::make_private_dir(dir)
        .and_then(|()| private_files::replace(&dir.join(FILE), json::write_pretty(saved).as_bytes()));
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
    fn a_queue_that_was_cut_off_anywhere_is_moved_aside_and_the_hub_has_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = Queue::default();
        queue.add(
            vec![entry(QueueWish::Signal("width".into()))],
            QueuePlace::Last,
            &mut fastrand::Rng::new(),
        );
        write(dir.path(), &saved(&queue));
        let whole = std::fs::read(dir.path().join(FILE)).unwrap();
        let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
        for cut in 0..=end {
            std::fs::write(dir.path().join(FILE), &whole[..cut]).unwrap();
            assert!(read(dir.path()).items().is_empty(), "{cut}");
            assert!(dir.path().join("queue.json.damaged").exists());
        }
    }
}
