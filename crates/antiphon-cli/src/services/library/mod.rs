//! The music folders: read on a thread of their own, browsed and searched in memory.
//!
//! A file is named by an id that this hands out, and by nothing else. Its path is looked at again each time it is
//! opened: what has meanwhile become a link out of the folders is not there.

mod index;

mod pictures;

mod scan;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use antiphon_api::{ErrorBody, ErrorCode, LibraryQuery, LibraryReply};
use antiphon_audio::source;
use antiphon_hub::services::{Picture, Served};

pub use index::File;
use index::Index;
use pictures::Pictures;

/// The folders are looked at anew this often: somebody copies an album, and finds it before the next one.
const AGAIN: Duration = Duration::from_secs(600);

/// Files in an answer, unless fewer are asked for.
const COUNT: usize = 100;

/// Files in an answer at most.
const MOST: usize = 500;

/// The library.
#[derive(Debug)]
pub struct Library {
    roots: Vec<PathBuf>,
    index: Mutex<Arc<Index>>,
    pictures: Pictures,
    wanted: Mutex<bool>,
    bell: Condvar,
    stop: AtomicBool,
}

impl Library {
    /// Of these folders; those that are not there are told and left out.
    pub fn new(folders: &[PathBuf]) -> Self {
        let roots = scan::roots(folders);
        let index = Mutex::new(Arc::new(Index::empty(&roots)));
        let (wanted, bell) = (Mutex::new(false), Condvar::new());
        let (pictures, stop) = (Pictures::default(), AtomicBool::new(false));
        Self { roots, index, pictures, wanted, bell, stop }
    }

    /// Reads the folders, and again whenever that is wanted, until told to stop; `tick` is called in between.
    pub fn keep(&self, tick: impl Fn()) {
        antiphon_net::low_priority();
        while !self.stop.load(Ordering::Acquire) {
            let known = self.index();
            let publish = |index: Index| *self.lock_index() = Arc::new(index);
            scan::scan(&self.roots, &known, &self.stop, &publish);
            self.sleep(&tick);
        }
    }

    /// Has the folders read now.
    pub fn rescan(&self) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Ends [`keep`](Self::keep).
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.rescan();
    }

    /// Folders and files.
    ///
    /// # Errors
    /// No such folder.
    pub fn browse(&self, query: &LibraryQuery) -> Served<LibraryReply> {
        let index = self.index();
        let folder = match query.folder.as_deref() {
            None => index.top(),
            Some(id) => index.folder(id).ok_or_else(no_folder)?,
        };
        let count = query.count.unwrap_or(COUNT).min(MOST);
        Ok(match query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
            Some(words) => index.search(folder, words, query.from, count),
            None => index.browse(folder, query.from, count),
        })
    }

    /// The file `id`, and all files in and below the folder `id`.
    pub fn files(&self, id: &str) -> Option<Vec<Arc<File>>> {
        self.index().files(id)
    }

    /// Where the file `id` is, if it is there and in the folders.
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        let file = self.index().file(id)?;
        scan::inside(&self.roots, &file.path)
    }

    /// Whether the file `id` has a picture, as far as that has been read.
    pub fn has_art(&self, id: &str) -> Option<bool> {
        self.index().file(id)?.has_art()
    }

    /// The picture of the file `id`: its own, or one that lies beside it.
    ///
    /// # Errors
    /// No such file, or it has none, or too many are asked for at once.
    pub fn art(&self, id: &str) -> Served<Picture> {
        let none = || ErrorBody::new(ErrorCode::NotFound, "the library has no such picture");
        let path = self.path(id).ok_or_else(none)?;
        let read = || source::picture(&path).or_else(|| self.cover_beside(&path)).ok_or_else(none);
        self.pictures.get(id, read)
    }

    fn cover_beside(&self, path: &Path) -> Option<source::Picture> {
        let folder = path.parent()?;
        let names = scan::COVERS.iter().map(|name| folder.join(name));
        names
            .filter_map(|cover| scan::inside(&self.roots, &cover))
            .find_map(|cover| source::picture_file(&cover))
    }

    fn sleep(&self, tick: &impl Fn()) {
        let minute = Duration::from_secs(60);
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = AGAIN;
        while !*wanted && !left.is_zero() {
            wanted =
                self.bell.wait_timeout(wanted, minute.min(left)).unwrap_or_else(PoisonError::into_inner).0;
            left = left.saturating_sub(minute);
            tick();
        }
        *wanted = false;
    }

    fn index(&self) -> Arc<Index> {
        self.lock_index().clone()
    }

    fn lock_index(&self) -> std::sync::MutexGuard<'_, Arc<Index>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_folder() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, "the library has no such folder")
}
