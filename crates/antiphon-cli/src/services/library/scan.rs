//! Reading the music folders.
//!
//! Links to folders are not followed; a link to a file is one of the library only where the file lies in the
//! folders too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_audio::playlist::{is_sound, natural};
use antiphon_audio::source;

use super::index::{File, Folder, Index, Stamp};

/// The most files: a collection of half a year without a break. Some 500 bytes each.
const MOST_FILES: usize = 50_000;

/// The most folders: each file may have its own, and hardly one has.
const MOST_FOLDERS: usize = 20_000;

/// Folders inside folders: nobody sorts deeper.
const DEEPEST: usize = 24;

/// What a picture beside the files is called.
pub const COVERS: [&str; 6] =
    ["cover.jpg", "folder.jpg", "front.jpg", "cover.png", "folder.png", "Cover.jpg"];

/// What has been read is shown this often while the rest is.
const SHOW: Duration = Duration::from_secs(2);

/// The folders as they truly are, each once, without those inside others.
pub fn roots(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = Vec::new();
    for folder in folders {
        match folder.canonicalize().and_then(|path| fs::read_dir(&path).map(|_| path)) {
            Ok(path) => roots.push(path),
            Err(error) => tracing::warn!("the music folder {} is left out: {error}", folder.display()),
        }
    }
    let all = roots.clone();
    let mut seen = BTreeSet::new();
    let is_inside = |path: &PathBuf| all.iter().any(|other| other != path && path.starts_with(other));
    roots.retain(|path| !is_inside(path) && seen.insert(path.clone()));
    roots
}

/// Where `path` truly is, if that is in the folders.
pub fn inside(roots: &[PathBuf], path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    (roots.iter().any(|root| real.starts_with(root)) && real.is_file()).then_some(real)
}

/// Reads everything below `roots`. What `known` knows and has not changed is not read again. Shown by
/// `publish` as it grows.
pub fn scan(roots: &[PathBuf], known: &Index, stop: &AtomicBool, publish: &dyn Fn(Index)) {
    let mut walk = Walk { roots, known: by_path(known), stop, folders: Vec::new(), files: Vec::new() };
    walk.top();
    let mut index = Index::new(walk.folders, walk.files);
    let unread: Vec<usize> = (0..index.all().len()).filter(|n| index.all()[*n].facts.is_none()).collect();
    if !unread.is_empty() {
        publish(index.clone());
    }
    let mut shown = Instant::now();
    for n in unread {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let file = index.all()[n].clone();
        let facts = inside(roots, &file.path).and_then(|path| source::facts(&path));
        index.replace(n, file.with(facts));
        if shown.elapsed() >= SHOW {
            publish(index.clone());
            shown = Instant::now();
        }
    }
    index.reading = false;
    tracing::info!("the library has {} files", index.all().len());
    publish(index);
}

fn by_path(index: &Index) -> BTreeMap<PathBuf, Arc<File>> {
    index.all().iter().map(|file| (file.path.clone(), file.clone())).collect()
}

struct Walk<'a> {
    roots: &'a [PathBuf],
    known: BTreeMap<PathBuf, Arc<File>>,
    stop: &'a AtomicBool,
    folders: Vec<Folder>,
    files: Vec<Arc<File>>,
}

impl Walk<'_> {
    /// One folder is the topmost itself; several lie in one.
    fn top(&mut self) {
        match self.roots {
            [only] => self.folder(only, None, 0),
            roots => {
                self.folders.push(Folder::new(Path::new(""), "Music".into(), None));
                roots.iter().for_each(|root| self.folder(root, Some(0), 0));
            }
        }
    }

    fn folder(&mut self, path: &Path, parent: Option<usize>, depth: usize) {
        if self.stop.load(Ordering::Acquire) || self.folders.len() >= MOST_FOLDERS || depth > DEEPEST {
            return;
        }
        let here = self.folders.len();
        let name = path.file_name().unwrap_or(OsStr::new("Music")).to_string_lossy().into_owned();
        self.folders.push(Folder::new(path, name, parent));
        if let Some(parent) = parent {
            self.folders[parent].folders.push(here);
        }
        let (folders, files) = entries(path);
        let cover = COVERS.iter().any(|name| path.join(name).is_file());
        for file in files {
            self.file(file, here, cover);
        }
        for folder in folders {
            self.folder(&folder, Some(here), depth + 1);
        }
    }

    fn file(&mut self, path: PathBuf, folder: usize, cover: bool) {
        if self.files.len() >= MOST_FILES || inside(self.roots, &path).is_none() {
            return;
        }
        let Ok(meta) = fs::metadata(&path) else { return };
        let stamp = Stamp { changed: meta.modified().ok(), bytes: meta.len() };
        let same = self.known.get(&path).filter(|file| file.stamp == stamp && file.cover == cover);
        self.folders[folder].files.push(self.files.len());
        self.files.push(same.cloned().unwrap_or_else(|| Arc::new(File::new(path, stamp, cover))));
    }
}

/// Folders and sound files in `path`, each in the order of names. Links to folders are neither.
fn entries(path: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path) else { return Default::default() };
    let visible = |entry: &fs::DirEntry| !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut entries: Vec<_> = entries.filter_map(Result::ok).filter(visible).collect();
    entries
        .sort_by(|a, b| natural::compare(&a.file_name().to_string_lossy(), &b.file_name().to_string_lossy()));
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_folder(entry));
    let paths = |entries: Vec<&fs::DirEntry>| entries.iter().map(|entry| entry.path()).collect::<Vec<_>>();
    (paths(folders), paths(files).into_iter().filter(|path| is_sound(path)).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn found(folders: &[PathBuf]) -> Vec<PathBuf> {
        let last = std::sync::Mutex::new(Index::empty(&[]));
        let roots = roots(folders);
        let known = Index::empty(&[]);
        scan(&roots, &known, &AtomicBool::new(false), &|index| *last.lock().unwrap() = index);
        last.into_inner().unwrap().all().iter().map(|file| file.path.clone()).collect()
    }

    #[test]
    fn links_that_leave_the_folders_are_not_there_and_a_loop_of_folders_ends() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (inside.path().canonicalize().unwrap(), outside.path());
        fs::write(there.join("secret.mp3"), "x").unwrap();
        fs::create_dir(here.join("album")).unwrap();
        fs::write(here.join("album/2.mp3"), "x").unwrap();
        fs::write(here.join("album/10.mp3"), "x").unwrap();
        symlink(there.join("secret.mp3"), here.join("leaves.mp3")).unwrap();
        symlink(there, here.join("leaves")).unwrap();
        symlink(&here, here.join("album/round")).unwrap();
        symlink(here.join("album/2.mp3"), here.join("stays.mp3")).unwrap();
        let expected = ["stays.mp3", "album/2.mp3", "album/10.mp3"].map(|name| here.join(name));
        assert_eq!(found(std::slice::from_ref(&here)), expected);
        assert_eq!(super::inside(std::slice::from_ref(&here), &here.join("leaves.mp3")), None);
    }

    #[test]
    fn a_folder_inside_another_is_read_once_and_one_that_is_not_there_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().canonicalize().unwrap();
        fs::create_dir(here.join("in")).unwrap();
        fs::write(here.join("in/a.ogg"), "x").unwrap();
        let folders = [here.join("in"), here.clone(), here.clone(), here.join("gone")];
        assert_eq!(found(&folders), [here.join("in/a.ogg")]);
    }
}
