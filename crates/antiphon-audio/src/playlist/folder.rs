//! Sound files in a folder and below it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Gathered, MAX_ITEMS, natural};

/// What sound files are called.
const EXTENSIONS: [&str; 17] = [
    "wav", "wave", "aif", "aiff", "aifc", "flac", "mp3", "mp2", "m4a", "m4b", "mp4", "aac", "ogg", "oga",
    "opus", "caf", "mka",
];

/// Folders that were looked into, by device and number: links may lead round.
type Seen = BTreeSet<(u64, u64)>;

/// Adds what lies in `path`, in the order of names: its files, then its folders.
pub(super) fn gather(path: &Path, gathered: &mut Gathered) {
    let before = (gathered.items.len(), gathered.left_out.len());
    look(path, &mut Seen::new(), gathered);
    if before == (gathered.items.len(), gathered.left_out.len()) {
        gathered.leave_out(&path.display().to_string(), "no sound file in this folder");
    }
}

fn look(path: &Path, seen: &mut Seen, gathered: &mut Gathered) {
    let name = path.display().to_string();
    let entries = match fs::metadata(path).and_then(|kind| Ok((kind, fs::read_dir(path)?))) {
        Ok((kind, _)) if !seen.insert((kind.dev(), kind.ino())) => return,
        Ok((_, entries)) => entries,
        Err(error) => return gathered.leave_out(&name, &error.to_string()),
    };
    let mut entries: Vec<DirEntry> =
        entries.filter_map(Result::ok).filter(|entry| !is_hidden(entry)).collect();
    entries.sort_by(|a, b| {
        natural::compare(&a.file_name().to_string_lossy(), &b.file_name().to_string_lossy())
            .then_with(|| a.file_name().cmp(&b.file_name()))
    });
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.iter().map(DirEntry::path).partition(|path| path.is_dir());
    files.into_iter().filter(|file| is_sound(file)).for_each(|file| gathered.add(file, None));
    for folder in folders {
        if gathered.items.len() <= MAX_ITEMS {
            look(&folder, seen, gathered);
        }
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_bytes().starts_with(b".")
}

/// Whether `path` is called as sound files are.
pub fn is_sound(path: &Path) -> bool {
    let extension = path.extension().map(OsStr::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}
