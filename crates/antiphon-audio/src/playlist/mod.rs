//! Several things to play, named by files, folders and playlists.
//!
//! What a person or a playlist names becomes a list of files. Nothing here opens a sound file: what is no
//! sound is found when its turn comes. What cannot be one is told, with the reason, and left out.

mod folder;

mod m3u;

pub mod natural;

mod pls;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::source::{ListItem, SourceSpec, is_url};

pub use folder::is_sound;

/// The longest playlist file: some 50,000 entries. What is longer is something else.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The most files of all that is named together, so that the root of a disk is no list.
pub const MAX_ITEMS: usize = 100_000;

/// The reason where there is no such file.
pub const NOT_THERE: &str = "no such file";

/// Something that will not be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct LeftOut {
    /// As it was written, without what would steer a terminal.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// What is to be played, in order, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Files that are there.
    pub items: Vec<ListItem>,
    /// What was named and is left out.
    pub left_out: Vec<LeftOut>,
}

/// Whether `path` stands for other files: a folder or a playlist.
pub fn is_several(path: &Path) -> bool {
    // A radio's playlist leads to one stream, wherever it lies.
    let is_address = path.to_str().is_some_and(is_url);
    !is_address && (path.is_dir() || parser_of(path).is_some() && radio_list(path).is_none())
}

/// The playlist at `path` as it is written, where it names addresses and no file: it leads to one stream.
pub(crate) fn radio_list(path: &Path) -> Option<Vec<u8>> {
    let parse = parser_of(path)?;
    let bytes = read_all(path).ok()?;
    let written = parse(&bytes);
    let is_stream = |entry: &Written| is_url(&text(&entry.place));
    let is_file = |entry: &Written| !matches!(address(&entry.place), Some(Err(_)));
    (written.iter().any(is_stream) && !written.iter().any(is_file)).then_some(bytes)
}

/// Everything that `paths` stand for: files are themselves, folders what lies in them and below in the
/// order of names, playlists what is written in them.
pub fn gather(paths: &[PathBuf]) -> Gathered {
    let mut gathered = Gathered::default();
    for path in paths {
        match parser_of(path) {
            _ if path.is_dir() => folder::gather(path, &mut gathered),
            Some(_) if radio_list(path).is_some() => {
                gathered.leave_alone(path, "it leads to a radio station")
            }
            Some(parse) => read(path, parse, &mut gathered),
            None => gathered.add(path.clone(), None),
        }
    }
    if gathered.items.len() > MAX_ITEMS {
        let over = gathered.items.split_off(MAX_ITEMS).len();
        gathered.leave_out("the rest", &format!("{over} files beyond the {MAX_ITEMS} that a list holds"));
    }
    gathered
}

/// What a playlist says of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// A path or an address, in the encoding of the file.
    pub place: Vec<u8>,
    pub title: Option<String>,
}

type Parse = fn(&[u8]) -> Vec<Written>;

/// What is written in a playlist of either kind; whether any of it is there is not looked at.
pub(crate) fn written(bytes: &[u8]) -> Vec<Written> {
    let is_pls = lines(bytes).next().is_some_and(|line| line.eq_ignore_ascii_case(b"[playlist]"));
    if is_pls { pls::parse(bytes) } else { m3u::parse(bytes) }
}

fn parser_of(path: &Path) -> Option<Parse> {
    match path.extension()?.to_ascii_lowercase().as_bytes() {
        b"m3u" | b"m3u8" => Some(m3u::parse),
        b"pls" => Some(pls::parse),
        _ => None,
    }
}

fn read(path: &Path, parse: Parse, gathered: &mut Gathered) {
    let name = path.display().to_string();
    let bytes = match read_all(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return gathered.leave_out(&name, NOT_THERE),
        Err(error) => return gathered.leave_out(&name, &format!("the playlist cannot be read: {error}")),
    };
    let written = parse(&bytes);
    if written.is_empty() {
        gathered.leave_out(&name, "the playlist names nothing");
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for entry in written {
        match find(folder, &entry.place) {
            Ok(found) => gathered.add(found, entry.title),
            Err(reason) => gathered.leave_out(&text(&entry.place), &reason),
        }
    }
}

fn read_all(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than any playlist")),
        false => Ok(bytes),
    }
}

/// The file that a playlist in `folder` means by `place`. Lists from other systems have other encodings and
/// separators: of the ways to read it, the one by which a file is there; else the plain one.
fn find(folder: &Path, place: &[u8]) -> Result<PathBuf, String> {
    let plain = match address(place) {
        Some(place) => place?,
        None => place.to_vec(),
    };
    let mut readings = vec![plain];
    if std::str::from_utf8(&readings[0]).is_err() {
        readings.push(text(&readings[0]).into_bytes());
    }
    if readings[0].contains(&b'\\') {
        let turned = |bytes: &Vec<u8>| bytes.iter().map(|&b| if b == b'\\' { b'/' } else { b }).collect();
        let turned: Vec<Vec<u8>> = readings.iter().map(turned).collect();
        readings.extend(turned);
    }
    let paths: Vec<PathBuf> = readings.iter().map(|bytes| folder.join(OsStr::from_bytes(bytes))).collect();
    Ok(paths.iter().find(|path| path.exists()).unwrap_or(&paths[0]).clone())
}

/// What an address means; `None` for a path.
fn address(place: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let at = place.windows(3).position(|part| part == b"://")?;
    let scheme = &place[..at];
    if scheme.is_empty() || !scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
        return None;
    }
    if !scheme.eq_ignore_ascii_case(b"file") {
        return Some(Err(played_alone(&text(place), "it is an address")));
    }
    let rest = &place[at + 3..];
    let path = rest.strip_prefix(b"localhost").unwrap_or(rest);
    Some(if path.starts_with(b"/") { Ok(unescaped(path)) } else { Err("it lies on another machine".into()) })
}

/// Why `name`, which is `what`, is not in a list, and what plays it.
fn played_alone(name: &str, what: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/.:_-+,=@%".contains(c);
    let quote = if name.chars().all(is_plain) { "" } else { "'" };
    format!("{what}, which is played alone: antiphon play {quote}{name}{quote}")
}

/// What `name` is, where it is no file's: something that sounds, but not from a list.
fn no_file(name: &str) -> Option<&'static str> {
    match name {
        "desktop" => Some("it is what other programs play"),
        _ if is_url(name) => Some("it is an address"),
        _ if name.starts_with("pulse:") || name.starts_with("alsa:") => Some("it is a device"),
        _ => None,
    }
}

/// Percent-encoding undone (RFC 3986, section 2.1); what is none stays.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// UTF-8, or what old lists are written in: ISO 8859-1, whose bytes are Unicode's first characters.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The lines of a playlist, without its byte order mark and blanks around them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

impl Gathered {
    /// A file, if it is there.
    fn add(&mut self, path: PathBuf, title: Option<String>) {
        let name = path.display().to_string();
        match std::fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => self.leave_out(&name, "it is a folder, and lists play files"),
            Ok(_) if parser_of(&path).is_some() => self.leave_out(&name, "it is a list inside a list"),
            // To look into it would be to wait for its writer.
            Ok(kind) if kind.file_type().is_fifo() => self.leave_alone(&path, "it is a named pipe"),
            Ok(_) => self.items.push(ListItem { spec: SourceSpec::Path(path), title }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match no_file(&name) {
                Some(what) => self.leave_alone(&path, what),
                None => self.leave_out(&name, NOT_THERE),
            },
            Err(error) => self.leave_out(&name, &error.to_string()),
        }
    }

    fn leave_alone(&mut self, path: &Path, what: &str) {
        let name = path.display().to_string();
        self.leave_out(&name, &played_alone(&name, what));
    }

    fn leave_out(&mut self, name: &str, reason: &str) {
        let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(300).collect();
        self.left_out.push(LeftOut { name: clean(name), reason: clean(reason) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(gathered: &Gathered, below: &Path) -> Vec<String> {
        let name = |item: &ListItem| match &item.spec {
            SourceSpec::Path(path) => path.strip_prefix(below).unwrap().display().to_string(),
            other => panic!("{other:?}"),
        };
        gathered.items.iter().map(name).collect()
    }

    fn touch(below: &Path, files: &[&str]) {
        for file in files {
            let path = below.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn a_radios_playlist_is_one_stream_and_no_list_of_files() {
        assert!(
            is_several(Path::new("songs.m3u")) && !is_several(Path::new("http://radio.example/live.m3u"))
        );
    }

    #[test]
    fn a_playlist_names_files_beside_it_and_what_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a.flac", "sub/b.mp3", "c d.wav", "old.m3u"]);
        let absolute = dir.path().join("c d.wav").display().to_string();
        let list = format!(
            "\u{feff}#EXTM3U\r\n#EXTINF:12,An Artist - A Title\r\na.flac\r\n# a remark\r\nsub\\b.mp3\r\n\
             gone.mp3\r\nold.m3u\r\nhttp://example.org/radio\r\n{absolute}\r\nfile://{}\r\n",
            absolute.replace(' ', "%20")
        );
        std::fs::write(dir.path().join("list.m3u"), list).unwrap();
        let gathered = gather(&[dir.path().join("list.m3u")]);
        assert_eq!(names(&gathered, dir.path()), ["a.flac", "sub/b.mp3", "c d.wav", "c d.wav"]);
        assert_eq!(gathered.items[0].title.as_deref(), Some("An Artist - A Title"));
        assert_eq!(gathered.items[1].title, None);
        let told: Vec<String> = gathered.left_out.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("gone.mp3") && told[0].contains("no such file"), "{told:?}");
        assert!(told[1].contains("old.m3u") && told[1].contains("list inside a list"), "{told:?}");
        assert!(told[2].contains("http://example.org/radio") && told[2].contains("address"), "{told:?}");
        assert!(
            told[2].ends_with("which is played alone: antiphon play http://example.org/radio"),
            "{told:?}"
        );
    }

    #[test]
    fn a_playlist_of_addresses_alone_is_one_stream_and_is_not_put_among_files() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let radio =
            write("radio.m3u", "#EXTM3U\n#EXTINF:-1,One\nhttp://radio.example/1\nmms://radio.example/2\n");
        let mixed = write("mixed.m3u", "http://radio.example/1\nsong.mp3\n");
        let pls = write("radio.pls", "[playlist]\nFile1=https://radio.example/1\n");
        assert!(!is_several(&radio) && !is_several(&pls) && is_several(&mixed));
        let gathered = gather(&[radio]);
        let said = gathered.left_out[0].to_string();
        assert!(gathered.items.is_empty() && said.contains("played alone: antiphon play"), "{said}");
    }

    #[test]
    fn what_sounds_but_is_no_file_is_said_to_be_played_alone() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("a pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let pipe = pipe.display().to_string();
        for (name, what) in [
            ("https://radio.example/live?a&b", "an address"),
            ("desktop", "what other programs play"),
            ("pulse:line", "a device"),
            ("alsa:hw:1", "a device"),
            (pipe.as_str(), "a named pipe"),
        ] {
            let said = gather(&[PathBuf::from(name)]).left_out[0].reason.clone();
            assert!(said.contains(what) && said.contains("played alone: antiphon play"), "{said}");
            let has_quotes = said.ends_with(&format!("'{name}'"));
            assert_eq!(has_quotes, name.contains(['&', ' ']), "{said}");
        }
    }

    #[test]
    fn a_list_in_an_old_encoding_finds_its_files() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["Stück.ogg"]);
        std::fs::write(dir.path().join("old.m3u"), b"#EXTINF:1,St\xFCck\nSt\xFCck.ogg\n").unwrap();
        let gathered = gather(&[dir.path().join("old.m3u")]);
        assert_eq!(names(&gathered, dir.path()), ["Stück.ogg"]);
        assert_eq!(gathered.items[0].title.as_deref(), Some("Stück"));
    }

    #[test]
    fn a_folder_is_its_sound_files_in_natural_order_then_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["10 z.mp3", "2 b.FLAC", "1 a.ogg", "cover.jpg", ".hidden.mp3", "CD2/1.mp3", "CD1/1.mp3"];
        touch(dir.path(), &files);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("CD1/round")).unwrap();
        let gathered = gather(&[dir.path().to_owned()]);
        let wanted = ["1 a.ogg", "2 b.FLAC", "10 z.mp3", "CD1/1.mp3", "CD2/1.mp3"];
        assert_eq!(names(&gathered, dir.path()), wanted);
        assert!(gathered.left_out.is_empty(), "{:?}", gathered.left_out);
    }

    #[test]
    fn an_empty_list_and_one_that_is_not_there_are_told() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["empty.d/readme.txt"]);
        std::fs::write(dir.path().join("empty.pls"), "[playlist]\n").unwrap();
        let paths = ["empty.pls", "gone.m3u", "empty.d", "gone.mp3"].map(|name| dir.path().join(name));
        let gathered = gather(&paths);
        assert!(gathered.items.is_empty());
        let told: Vec<&str> = gathered.left_out.iter().map(|left| left.reason.as_str()).collect();
        assert!(told[0].contains("names nothing") && told[1].contains("no such file"), "{told:?}");
        assert!(told[2].contains("no sound file") && told[3].contains("no such file"), "{told:?}");
    }

    proptest::proptest! {
        /// Of any bytes: no panic, and no more entries than lines.
        #[test]
        fn any_bytes_are_some_list(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            for extension in ["m3u", "pls"] {
                let parse = parser_of(&Path::new("list").with_extension(extension)).unwrap();
                let written = parse(&bytes);
                proptest::prop_assert!(written.len() <= bytes.len());
                for entry in written {
                    let _ = find(Path::new("/nonexistent"), &entry.place);
                }
            }
        }
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(unescaped(b"/a%20b%2"), b"/a b%2");
        assert_eq!(unescaped(b"/100%"), b"/100%");
    }
}
