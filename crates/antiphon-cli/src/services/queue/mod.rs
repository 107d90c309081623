//! The queue and who plays it: one thread, by the same link as any other player.

mod lead;

mod list;

mod player;

mod save;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use antiphon_api::{
    ErrorBody, ErrorCode, QueueAdd, QueuePatch, QueuePlace, QueueReply, QueueWish, SavedQueue,
};
use antiphon_audio::source::{ListItem, SourceError, SourceSpec, is_url};
use antiphon_hub::services::{Change, Served, Tell};

use super::library::Library;
use super::uploads::Uploads;
use super::{no_such, signals};
use list::{Entry, Queue};
pub use player::run as play;

/// Longest address: beyond what any server takes.
const LONGEST_ADDRESS: usize = 2_000;

/// The queue, and what is to be played of it.
pub struct Desk {
    state: Mutex<State>,
    bell: Condvar,
    dir: PathBuf,
    /// What is on disk; held while it is written, so that the latest is written last.
    saved: Mutex<SavedQueue>,
    library: Arc<Library>,
    uploads: Arc<Uploads>,
    tell: OnceLock<Tell>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    rng: fastrand::Rng,
    playing: bool,
    /// The latest counts.
    order: Option<Order>,
    on_air: Option<String>,
    problem: Option<String>,
    stopping: bool,
}

/// What the player is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Play(u64),
    Stop,
}

impl Desk {
    /// With the queue that was kept in `dir`.
    pub fn open(dir: PathBuf, library: Arc<Library>, uploads: Arc<Uploads>) -> Self {
        let queue = save::read(&dir);
        let saved = Mutex::new(save::saved(&queue));
        let state = State {
            queue,
            rng: fastrand::Rng::new(),
            playing: false,
            order: None,
            on_air: None,
            problem: None,
            stopping: false,
        };
        let tell = OnceLock::new();
        Self { state: Mutex::new(state), bell: Condvar::new(), dir, saved, library, uploads, tell }
    }

    /// Whom to tell of changes.
    pub fn tell_by(&self, tell: Tell) {
        tell(Change::Queue(self.reply()));
        // A hub begins once.
        let _ = self.tell.set(tell);
    }

    /// As it stands.
    pub fn reply(&self) -> QueueReply {
        let mut reply = self.lock().reply();
        for item in &mut reply.items {
            item.art = item.library.as_deref().and_then(|id| self.library.has_art(id));
        }
        reply
    }

    /// The uploads that are still to be played.
    pub fn uploads_held(&self) -> BTreeSet<String> {
        let held = |item: &list::Item| match &item.what.wish {
            QueueWish::Upload(id) => Some(id.clone()),
            _ => None,
        };
        self.lock().queue.items().iter().filter_map(held).collect()
    }

    /// Puts something in.
    ///
    /// # Errors
    /// Something is not there, or it is full.
    pub fn add(&self, add: &QueueAdd) -> Served<QueueReply> {
        let mut entries = Vec::new();
        for wish in &add.items {
            entries.extend(self.entries(wish)?);
            if entries.len() > list::MOST {
                return Err(full());
            }
        }
        if entries.is_empty() {
            return Err(ErrorBody::new(ErrorCode::BadRequest, "nothing to put into the queue"));
        }
        {
            let mut state = self.lock();
            let State { queue, rng, .. } = &mut *state;
            let first = queue.add(entries, add.place, rng).ok_or_else(full)?;
            if add.place == QueuePlace::Now {
                self.order(&mut state, Order::Play(first));
            }
        }
        Ok(self.changed())
    }

    /// Changes how it is played.
    ///
    /// # Errors
    /// No such item.
    pub fn change(&self, patch: &QueuePatch) -> Served<QueueReply> {
        {
            let mut state = self.lock();
            let key = patch.current.as_deref().map(|key| state.key(key)).transpose()?;
            if let Some(moved) = &patch.moved {
                let before = moved.before.as_deref().map(|key| state.key(key)).transpose()?;
                let key = state.key(&moved.key)?;
                state.queue.put(key, before);
            }
            if let Some(repeat) = patch.repeat {
                state.queue.repeat = repeat;
            }
            if let Some(shuffle) = patch.shuffle {
                let State { queue, rng, .. } = &mut *state;
                queue.set_shuffle(shuffle, rng);
            }
            let begin = match (key, patch.playing) {
                (Some(key), None | Some(true)) => Some(key),
                (Some(key), Some(false)) => {
                    state.queue.current = Some(key);
                    None
                }
                (None, Some(true)) if !state.playing => state.queue.current.or(state.queue.first()),
                _ => None,
            };
            if let Some(key) = begin {
                self.order(&mut state, Order::Play(key));
            } else if patch.playing == Some(false) {
                self.order(&mut state, Order::Stop);
            }
        }
        Ok(self.changed())
    }

    /// Takes one out, or all.
    ///
    /// # Errors
    /// No such item.
    pub fn remove(&self, key: Option<&str>) -> Served<QueueReply> {
        {
            let mut state = self.lock();
            let heard = state.queue.current;
            match key {
                None => state.queue.clear(),
                Some(key) => {
                    let key = state.key(key)?;
                    state.queue.remove(key);
                }
            }
            if state.playing && state.queue.current != heard {
                let order = state.queue.current.map_or(Order::Stop, Order::Play);
                self.order(&mut state, order);
            }
        }
        Ok(self.changed())
    }

    /// The player ends, and its thread.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.bell.notify_all();
    }

    fn order(&self, state: &mut State, order: Order) {
        if let Order::Play(key) = order {
            state.queue.current = Some(key);
        }
        if matches!(order, Order::Play(_)) || state.playing {
            state.order = Some(order);
            state.problem = None;
        }
        self.bell.notify_all();
    }

    /// Keeps it and tells it; as it stands.
    fn changed(&self) -> QueueReply {
        let reply = self.reply();
        if let Some(tell) = self.tell.get() {
            tell(Change::Queue(reply.clone()));
        }
        let mut on_disk = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = save::saved(&self.lock().queue);
        if saved != *on_disk {
            save::write(&self.dir, &saved);
            *on_disk = saved;
        }
        reply
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is put into the queue for `wish`: of a folder, all that is in it.
    fn entries(&self, wish: &QueueWish) -> Served<Vec<Entry>> {
        let one = |title: String, duration_s| Entry { wish: wish.clone(), title, artist: None, duration_s };
        match wish {
            QueueWish::Library(id) => {
                let files = self.library.files(id).ok_or_else(|| no_such("file in the library"))?;
                let entry = |file: &Arc<super::library::File>| Entry {
                    wish: QueueWish::Library(file.id.clone()),
                    title: file.title.clone(),
                    artist: file.artist(),
                    duration_s: file.duration_s(),
                };
                Ok(files.iter().map(entry).collect())
            }
            QueueWish::Url(url) => Ok(vec![one(address(url)?, None)]),
            QueueWish::Upload(id) => {
                let upload = self.uploads.find(id)?;
                Ok(vec![one(upload.name, None)])
            }
            QueueWish::Signal(name) => {
                let track = signals::track(name)?;
                Ok(vec![one(format!("Test track: {name}"), Some(signals::seconds(track)))])
            }
        }
    }

    /// What is opened for `entry`.
    fn item(&self, entry: &Entry) -> Served<ListItem> {
        let spec = match &entry.wish {
            QueueWish::Library(id) => SourceSpec::Path(
                self.library
                    .path(id)
                    .ok_or_else(|| no_such(&format!("{:?} in the library any more", entry.title)))?,
            ),
            QueueWish::Url(url) => SourceSpec::Url(url.clone()),
            QueueWish::Upload(id) => SourceSpec::Path(self.uploads.find(id)?.path),
            QueueWish::Signal(name) => SourceSpec::Path(self.uploads.signal(name)?),
        };
        Ok(ListItem { spec, title: Some(entry.title.clone()) })
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl State {
    fn key(&self, key: &str) -> Served<u64> {
        let found = key.parse().ok().and_then(|key| self.queue.item(key));
        found.map(|item| item.key).ok_or_else(|| no_such("item in the queue"))
    }

    fn reply(&self) -> QueueReply {
        let current = self.queue.current.and_then(|key| self.queue.item(key));
        // A station's last title is not that of the file after it.
        let on_air = self.on_air.clone().filter(|_| current.is_some_and(|item| item.what.is_stream()));
        QueueReply {
            items: self.queue.items().iter().map(list::Item::told).collect(),
            current: self.queue.current.map(|key| key.to_string()),
            playing: self.playing,
            repeat: self.queue.repeat,
            shuffle: self.queue.is_shuffled(),
            on_air,
            problem: self.problem.clone(),
        }
    }
}

/// Checks an address; what is shown of it: no more than its host and path, for what stands before or behind may
/// be secret.
fn address(url: &str) -> Served<String> {
    let bad = |message: &str| ErrorBody::new(ErrorCode::BadRequest, message);
    if !is_url(url) {
        return Err(bad("an address begins with http:// or https://"));
    }
    if url.len() > LONGEST_ADDRESS || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(bad("this is no address: it is too long, or has blanks in it"));
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let host = host.rsplit('@').next().unwrap_or_default();
    if host.is_empty() {
        return Err(bad("this address names no host"));
    }
    Ok(format!("{host}{path}").trim_end_matches('/').to_owned())
}

/// What is said of a source that cannot be played: its path is nobody's business.
fn left_out(error: &SourceError, name: &str) -> String {
    format!("left out: {}", error.to_string().replace(&error.name, name))
}

fn full() -> ErrorBody {
    let message = format!("a queue holds {} things; take some out first", list::MOST);
    ErrorBody::new(ErrorCode::Conflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_the_web_and_its_secrets_are_not_shown() {
        assert_eq!(
            address("http://anna:pw@radio.example:8000/live?token=x").unwrap(),
            "radio.example:8000/live"
        );
        assert_eq!(address("HTTPS://radio.example/").unwrap(), "radio.example");
        for none in
            ["file:///etc/passwd", "/etc/passwd", "http://", "http://a b", "ftp://a", "http://a\nb", "-"]
        {
            assert!(address(none).is_err(), "{none}");
        }
    }
}
