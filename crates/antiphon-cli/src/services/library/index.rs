//! What is in the folders, as it was when they were read last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use antiphon_api::{LibraryFile, LibraryFolder, LibraryReply};
use antiphon_audio::source::Facts;
use antiphon_base::Span;
use sha2::{Digest, Sha256};

/// Folders in an answer to a search at most: of more, one searches on.
const MOST_FOLDERS: usize = 100;

/// A file.
#[derive(Debug, Clone)]
pub struct File {
    /// Names it.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// By its tags, or its name.
    pub title: String,
    /// What it says of itself; nothing where it was not read yet, or is no sound.
    pub facts: Option<Facts>,
    /// A picture lies beside it.
    pub cover: bool,
    /// Changed since then, it is read anew.
    pub stamp: Stamp,
    /// What is searched.
    words: String,
}

/// By what a changed file is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub changed: Option<SystemTime>,
    pub bytes: u64,
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Folder {
    pub id: String,
    pub name: String,
    pub parent: Option<usize>,
    pub folders: Vec<usize>,
    pub files: Vec<usize>,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Index {
    /// The first is the topmost.
    folders: Arc<Vec<Folder>>,
    files: Vec<Arc<File>>,
    ids: Arc<BTreeMap<String, Place>>,
    /// Not all of it is read yet.
    pub reading: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Folder(usize),
    File(usize),
}

impl File {
    /// A file whose tags are not known yet.
    pub fn new(path: PathBuf, stamp: Stamp, cover: bool) -> Self {
        let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let id = id_of("file", &path);
        let words = words(&title, None, &path);
        Self { id, path, title: clean(&title), facts: None, cover, stamp, words }
    }

    /// The same, with what it says of itself.
    pub fn with(&self, facts: Option<Facts>) -> Self {
        let facts = facts.unwrap_or_default();
        let title = facts.title.clone().unwrap_or_else(|| self.title.clone());
        let words = words(&title, Some(&facts), &self.path);
        Self { title, words, facts: Some(facts), ..self.clone() }
    }

    /// By its tags.
    pub fn artist(&self) -> Option<String> {
        self.facts.as_ref()?.artist.clone()
    }

    /// Where its header says it.
    pub fn duration_s(&self) -> Option<f64> {
        self.facts.as_ref()?.duration.map(Span::as_s_f64)
    }

    /// Whether it has a picture, its own or one beside it; not known before its tags have been read.
    pub fn has_art(&self) -> Option<bool> {
        self.facts.as_ref().map(|facts| facts.pictured || self.cover)
    }

    fn told(&self) -> LibraryFile {
        let facts = self.facts.clone().unwrap_or_default();
        LibraryFile {
            id: self.id.clone(),
            title: self.title.clone(),
            artist: facts.artist,
            album: facts.album,
            track: facts.number,
            duration_s: facts.duration.map(Span::as_s_f64),
            art: facts.pictured || self.cover,
        }
    }
}

impl Folder {
    pub fn new(path: &Path, name: String, parent: Option<usize>) -> Self {
        let id = id_of("folder", path);
        Self { id, name: clean(&name), parent, folders: Vec::new(), files: Vec::new() }
    }
}

impl Index {
    /// Before anything was read.
    pub fn empty(roots: &[PathBuf]) -> Self {
        let mut index = Self::new(vec![Folder::new(Path::new(""), "Music".into(), None)], Vec::new());
        index.reading = !roots.is_empty();
        index
    }

    /// Of what was found; the first folder is the topmost.
    pub fn new(folders: Vec<Folder>, files: Vec<Arc<File>>) -> Self {
        let of_folders = folders.iter().enumerate().map(|(n, folder)| (folder.id.clone(), Place::Folder(n)));
        let of_files = files.iter().enumerate().map(|(n, file)| (file.id.clone(), Place::File(n)));
        let ids = of_folders.chain(of_files).collect();
        Self { folders: Arc::new(folders), files, ids: Arc::new(ids), reading: true }
    }

    /// The files, in the order of folders.
    pub fn all(&self) -> &[Arc<File>] {
        &self.files
    }

    /// Puts what was read of the file `n` in its place.
    pub fn replace(&mut self, n: usize, file: File) {
        self.files[n] = Arc::new(file);
    }

    /// The topmost folder.
    pub fn top(&self) -> usize {
        0
    }

    /// The folder `id`.
    pub fn folder(&self, id: &str) -> Option<usize> {
        match self.ids.get(id)? {
            Place::Folder(n) => Some(*n),
            Place::File(_) => None,
        }
    }

    /// The file `id`.
    pub fn file(&self, id: &str) -> Option<Arc<File>> {
        match self.ids.get(id)? {
            Place::File(n) => self.files.get(*n).cloned(),
            Place::Folder(_) => None,
        }
    }

    /// The file `id`, or all in and below the folder `id`.
    pub fn files(&self, id: &str) -> Option<Vec<Arc<File>>> {
        match self.ids.get(id)? {
            Place::File(n) => self.files.get(*n).map(|file| vec![file.clone()]),
            Place::Folder(n) => Some(self.below(*n).map(|n| self.files[n].clone()).collect()),
        }
    }

    /// What lies in `folder`.
    pub fn browse(&self, folder: usize, from: usize, count: usize) -> LibraryReply {
        let here = &self.folders[folder];
        LibraryReply {
            folder: self.told(folder),
            folders: here.folders.iter().map(|n| self.told(*n)).collect(),
            files: here.files.iter().skip(from).take(count).map(|n| self.files[*n].told()).collect(),
            total: here.files.len(),
            of: self.files.len(),
            reading: self.reading,
        }
    }

    /// What lies in and below `folder` and has all of `words`.
    pub fn search(&self, folder: usize, words: &str, from: usize, count: usize) -> LibraryReply {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let has_all = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
        let found: Vec<usize> = self.below(folder).filter(|n| has_all(&self.files[*n].words)).collect();
        let folders = self.folders_below(folder).into_iter().filter(|n| *n != folder);
        let folders = folders.filter(|n| has_all(&self.folders[*n].name.to_lowercase()));
        LibraryReply {
            folder: self.told(folder),
            folders: folders.take(MOST_FOLDERS).map(|n| self.told(n)).collect(),
            files: found.iter().skip(from).take(count).map(|n| self.files[*n].told()).collect(),
            total: found.len(),
            of: self.files.len(),
            reading: self.reading,
        }
    }

    fn below(&self, folder: usize) -> impl Iterator<Item = usize> + '_ {
        self.folders_below(folder).into_iter().flat_map(move |n| self.folders[n].files.iter().copied())
    }

    /// The folder and those below it, in the order in which they are browsed.
    fn folders_below(&self, folder: usize) -> Vec<usize> {
        let (mut found, mut open) = (Vec::new(), vec![folder]);
        while let Some(n) = open.pop() {
            found.push(n);
            open.extend(self.folders[n].folders.iter().rev());
        }
        found
    }

    fn told(&self, n: usize) -> LibraryFolder {
        let folder = &self.folders[n];
        let parent = folder.parent.map(|parent| self.folders[parent].id.clone());
        LibraryFolder { id: folder.id.clone(), name: folder.name.clone(), parent }
    }
}

/// The same file has the same id after a restart, and its path is not to be had from it.
fn id_of(kind: &str, path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = Sha256::new()
        .chain_update("antiphon library ")
        .chain_update(kind)
        .chain_update([0u8])
        .chain_update(bytes);
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn words(title: &str, facts: Option<&Facts>, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let of = |text: Option<&String>| text.cloned().unwrap_or_default();
    let (artist, album) =
        facts.map_or((String::new(), String::new()), |f| (of(f.artist.as_ref()), of(f.album.as_ref())));
    format!("{title}\n{artist}\n{album}\n{name}").to_lowercase()
}

fn clean(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Music/Album/{1,2}.mp3 by Anna, and Music/3.mp3.
    fn index() -> Index {
        let (root, stamp) = (Path::new("/m"), Stamp { changed: None, bytes: 1 });
        let mut folders = vec![
            Folder::new(root, "m".into(), None),
            Folder::new(&root.join("Album"), "Album".into(), Some(0)),
        ];
        (folders[0].folders, folders[0].files, folders[1].files) = (vec![1], vec![0], vec![1, 2]);
        let facts = |title: &str| {
            Some(Facts { title: Some(title.into()), artist: Some("Anna".into()), ..Facts::default() })
        };
        let file = |name: &str| File::new(root.join(name), stamp, false);
        let files = [
            file("3.mp3"),
            file("Album/1.mp3").with(facts("Über Land")),
            file("Album/2.mp3").with(facts("Lied")),
        ];
        Index::new(folders, files.map(Arc::new).to_vec())
    }

    fn titles(reply: &LibraryReply) -> Vec<&str> {
        reply.files.iter().map(|file| file.title.as_str()).collect()
    }

    #[test]
    fn a_folder_is_browsed_and_all_words_are_searched_in_and_below_it() {
        let index = index();
        let top = index.browse(index.top(), 0, 10);
        assert_eq!((titles(&top), top.folders.len(), top.total), (vec!["3"], 1, 1));
        let album = index.folder(&top.folders[0].id).unwrap();
        assert_eq!(index.browse(album, 1, 10).folder.parent, Some(top.folder.id));
        assert_eq!(titles(&index.browse(album, 1, 10)), ["Lied"]);
        assert_eq!(titles(&index.search(0, "ANNA über", 0, 10)), ["Über Land"]);
        let found = index.search(0, "mp3", 1, 1);
        assert_eq!((titles(&found), found.total), (vec!["Über Land"], 3));
        assert_eq!(index.search(album, "3.mp3", 0, 10).total, 0);
        assert_eq!(index.search(0, "album", 0, 10).folders.len(), 1);
    }

    #[test]
    fn an_id_is_of_a_file_or_of_a_folder_with_all_below_it_and_nothing_else_is_one() {
        let index = index();
        let all = index.files(&index.browse(0, 0, 1).folder.id).unwrap();
        assert_eq!(
            all.iter().map(|file| file.title.as_str()).collect::<Vec<_>>(),
            ["3", "Über Land", "Lied"]
        );
        assert_eq!(index.files(&all[1].id).unwrap().len(), 1);
        for none in ["", "/m/3.mp3", "../3.mp3", "3.mp3", &all[1].id[1..]] {
            assert!(
                index.files(none).is_none() && index.file(none).is_none() && index.folder(none).is_none()
            );
        }
    }
}
