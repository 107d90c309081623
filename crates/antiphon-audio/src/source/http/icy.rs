//! Titles in the sound: every so many bytes a server puts a block of text into the stream, if it was
//! asked with `Icy-MetaData: 1` and said so with `icy-metaint`. One byte says how many times 16 bytes follow.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Characters of a title that are shown: two lines of a terminal.
const MOST_SHOWN: usize = 200;

/// Bytes given at once: a decoder that is given much runs ahead of the titles, 4 kB are 0.25 s at 128 kbit/s.
const MOST_GIVEN: usize = 4_096;

/// What the reader of a stream tells its owner, and is told by it.
#[derive(Debug, Default)]
pub(super) struct Tap {
    title: Mutex<Option<String>>,
    /// Until when bytes may take to come; none: for ever.
    deadline: Mutex<Option<Instant>>,
}

impl Tap {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { title: Mutex::default(), deadline: Mutex::new(Some(deadline)) }
    }

    /// What came is a station: from here on it may take its time.
    pub(super) fn settle(&self) {
        *lock(&self.deadline) = None;
    }

    /// The title that was read last, once.
    pub(super) fn title(&self) -> Option<String> {
        lock(&self.title).take()
    }
}

/// A title is whole whatever happened to who held it.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sound of a stream, its titles taken out.
pub(super) struct Icy<R> {
    inner: R,
    /// Bytes of sound between two blocks of text; 0: none come.
    every: u64,
    /// Bytes of sound before the next block.
    left: u64,
    tap: Arc<Tap>,
}

impl<R: Read> Icy<R> {
    /// `every` as the server says it; what is no number is none.
    pub(super) fn new(inner: R, every: Option<&str>, tap: Arc<Tap>) -> Self {
        let every = every.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { inner, every, left: every, tap }
    }

    fn read_text(&mut self) -> io::Result<()> {
        let mut length = [0];
        self.inner.read_exact(&mut length)?;
        let mut text = vec![0; usize::from(length[0]) * 16];
        self.inner.read_exact(&mut text)?;
        if let Some(title) = stream_title(&text) {
            *lock(&self.tap.title) = Some(title);
        }
        Ok(())
    }
}

impl<R: Read> Read for Icy<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if lock(&self.tap.deadline).is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing that can be played came in time"));
        }
        let mut most = out.len().min(MOST_GIVEN);
        if self.every > 0 {
            if self.left == 0 {
                self.read_text()?;
                self.left = self.every;
            }
            most = most.min(usize::try_from(self.left).unwrap_or(most));
        }
        let read = self.inner.read(&mut out[..most])?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// The title in a block of text, `None` where there is none.
fn stream_title(text: &[u8]) -> Option<String> {
    const BEGIN: &[u8] = b"StreamTitle='";
    let at = text.windows(BEGIN.len()).position(|window| window == BEGIN)?;
    let rest = &text[at + BEGIN.len()..];
    // Titles have apostrophes of their own: only one before a semicolon ends it.
    let end = rest.windows(2).position(|window| window == b"';");
    let end = end.or_else(|| rest.iter().rposition(|&byte| byte == b'\'')).unwrap_or(rest.len());
    shown(&rest[..end])
}

/// A name from a server as it may be shown: UTF-8 or else Latin-1, without control characters, of
/// bounded length; `None` where nothing is left.
pub(super) fn shown(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Latin-1 is the first 256 characters of Unicode.
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    shown_text(&text)
}

/// The same of a text.
pub(super) fn shown_text(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `sound` with a block of `text` after every `every` bytes.
    fn stream(sound: &[u8], every: usize, text: &[u8]) -> Vec<u8> {
        let mut block = vec![text.len().div_ceil(16) as u8];
        block.extend_from_slice(text);
        block.resize(1 + text.len().div_ceil(16) * 16, 0);
        sound.chunks(every).flat_map(|chunk| [chunk, &block].concat()).collect()
    }

    fn taken_apart(bytes: &[u8], every: &str) -> (Vec<u8>, Option<String>) {
        let tap = Arc::new(Tap::default());
        let mut sound = Vec::new();
        // A block that is cut off is the end.
        let _ = Icy::new(bytes, Some(every), tap.clone()).read_to_end(&mut sound);
        (sound, tap.title())
    }

    #[test]
    fn titles_are_taken_out_of_the_sound() {
        let sound: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let (heard, title) =
            taken_apart(&stream(&sound, 1_000, b"StreamTitle='It's - me';StreamUrl='x';"), "1000");
        assert_eq!((heard == sound, title.as_deref()), (true, Some("It's - me")));
    }

    #[test]
    fn titles_are_read_whatever_their_encoding_and_shown_without_what_steers_a_terminal() {
        for (text, title) in [
            (&b"StreamTitle='\xc3\x84rzte';"[..], Some("\u{c4}rzte")),
            (b"StreamTitle='\xc4rzte';", Some("\u{c4}rzte")),
            (b"StreamTitle='a\x1b[2Jb\r\n';", Some("a[2Jb")),
            (b"StreamTitle='no end", Some("no end")),
            (b"StreamTitle='';StreamUrl='';", None),
            (b"StreamUrl='x';", None),
            (b"", None),
        ] {
            assert_eq!(stream_title(text).as_deref(), title);
        }
        let long = [b"StreamTitle='".as_slice(), &[b'x'; 4_000], b"';"].concat();
        assert_eq!(stream_title(&long).map(|title| title.len()), Some(MOST_SHOWN));
    }

    #[test]
    fn a_distance_of_zero_of_nonsense_or_beyond_the_stream_takes_nothing_out() {
        for every in ["0", "-5", "many", "", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(taken_apart(&[7; 5_000], every), (vec![7; 5_000], None), "{every}");
        }
    }

    proptest! {
        #[test]
        fn no_stream_makes_it_panic_or_give_more_than_came(
            bytes in prop::collection::vec(any::<u8>(), 0..3_000), every in 0..600u32,
        ) {
            let (heard, _) = taken_apart(&bytes, &every.to_string());
            prop_assert!(heard.len() <= bytes.len());
        }
    }
}
