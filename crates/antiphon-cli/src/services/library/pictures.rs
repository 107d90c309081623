//! Pictures on their way to somebody: one copy of each, however many read it, or do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use antiphon_api::{ErrorBody, ErrorCode};
use antiphon_audio::source;
use antiphon_hub::services::{Bytes, Picture, Served};

/// Different ones at once: what several pages show while they scroll, and a bound on what is held for who never reads.
const MOST: usize = 32;

/// One of them.
#[derive(Debug)]
struct Shown {
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// The pictures of answers that are not read to their end yet, by id.
#[derive(Debug, Default)]
pub struct Pictures(Mutex<BTreeMap<String, Weak<Shown>>>);

impl Pictures {
    /// The picture `id`, which `read` gets where nobody is being sent it already.
    ///
    /// # Errors
    /// There is none, or others are waited for.
    pub fn get(&self, id: &str, read: impl FnOnce() -> Served<source::Picture>) -> Served<Picture> {
        // Held while the file is read, so that it is read once.
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|_, picture| picture.strong_count() > 0);
        if let Some(picture) = shown.get(id).and_then(Weak::upgrade) {
            return Ok(told(picture));
        }
        if shown.len() >= MOST {
            let message = "many pictures are on their way already; ask again in a moment";
            return Err(ErrorBody::new(ErrorCode::Busy, message));
        }
        let source::Picture { media_type, bytes } = read()?;
        let picture = Arc::new(Shown { media_type, bytes });
        shown.insert(id.to_owned(), Arc::downgrade(&picture));
        Ok(told(picture))
    }
}

fn told(picture: Arc<Shown>) -> Picture {
    Picture { media_type: picture.media_type, bytes: Bytes::from_owner(Share(picture)) }
}

/// What an answer holds of it.
struct Share(Arc<Shown>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_held_once_and_only_while_somebody_is_sent_it() {
        let pictures = Pictures::default();
        let of = |n: u8| move || Ok(source::Picture { media_type: "image/png", bytes: vec![n; 3] });
        let one = pictures.get("a", of(1)).unwrap();
        assert_eq!(pictures.get("a", of(2)).unwrap(), one, "it is not read again");
        let mut held: Vec<_> = (1..MOST).map(|n| pictures.get(&n.to_string(), of(0)).unwrap()).collect();
        assert_eq!(pictures.get("b", of(0)).unwrap_err().code, ErrorCode::Busy);
        assert_eq!(pictures.get("a", of(0)).unwrap(), one);
        held.pop();
        drop(one);
        assert_eq!(pictures.get("a", of(3)).unwrap().bytes, [3u8; 3][..], "it is looked at anew");
    }
}
