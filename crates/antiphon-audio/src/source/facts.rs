//! What a file says of itself, without its sound: tags, length, its picture.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use antiphon_base::{Frames, SampleRate, Span};
use symphonia::core::meta::{StandardVisualKey, Visual};

use super::Problem;
use super::media::{MediaDecoder, open_reader};

/// The longest tag that is kept: a title of more is none.
const MOST_CHARACTERS: usize = 300;

/// The greatest picture that is given away: covers of 3,000 pixels fit.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Title by its tags.
    pub title: Option<String>,
    /// Artist by its tags.
    pub artist: Option<String>,
    /// Album by its tags.
    pub album: Option<String>,
    /// Its place in the album.
    pub number: Option<u32>,
    /// Its length, where its header says it.
    pub duration: Option<Span>,
    /// A picture lies in it.
    pub pictured: bool,
}

/// A picture that lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its media type, by its own first bytes: what the file calls it is not believed.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the sound file `path` says of itself; `None` where it is none.
pub fn facts(path: &Path) -> Option<Facts> {
    let opened = catch_unwind(AssertUnwindSafe(|| MediaDecoder::open(Box::new(path.to_owned()))));
    let media = opened.ok()?.ok()?;
    let rate = SampleRate::new(media.rate).unwrap_or(SampleRate::MEDIA);
    let duration = media.length.map(|frames| rate.span_of(Frames(frames.min(i64::MAX as u64) as i64)));
    let tags = media.tags;
    Some(Facts {
        title: tags.title.and_then(clean),
        artist: tags.artist.and_then(clean),
        album: tags.album.and_then(clean),
        number: tags.number,
        duration,
        pictured: tags.pictured,
    })
}

/// The picture in the sound file `path`, its front cover before others.
pub fn picture(path: &Path) -> Option<Picture> {
    catch_unwind(AssertUnwindSafe(|| read_picture(path))).ok()?.ok()?
}

fn read_picture(path: &Path) -> Result<Option<Picture>, Problem> {
    let mut reader = open_reader(Box::new(std::fs::File::open(path).map_err(Problem::Open)?))?;
    let mut metadata = reader.metadata();
    let Some(revision) = metadata.skip_to_latest() else { return Ok(None) };
    let per_track = revision.per_track.iter().flat_map(|track| &track.metadata.visuals);
    let mut all: Vec<&Visual> = revision.media.visuals.iter().chain(per_track).collect();
    all.sort_by_key(|visual| visual.usage != Some(StandardVisualKey::FrontCover));
    Ok(all.into_iter().find_map(|visual| {
        let media_type = media_type(&visual.data).filter(|_| visual.data.len() <= MOST_BYTES)?;
        Some(Picture { media_type, bytes: visual.data.to_vec() })
    }))
}

/// The picture that the file `path` is.
pub fn picture_file(path: &Path) -> Option<Picture> {
    let length = std::fs::metadata(path).ok()?.len();
    let bytes = (length <= MOST_BYTES as u64).then(|| std::fs::read(path).ok())??;
    Some(Picture { media_type: media_type(&bytes)?, bytes })
}

/// The kinds of pictures that browsers show and that hold no program.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn clean(tag: String) -> Option<String> {
    let plain: String = tag.chars().filter(|c| !c.is_control()).take(MOST_CHARACTERS).collect();
    Some(plain.trim().to_owned()).filter(|plain| !plain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_first_bytes_say_and_a_page_is_none() {
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(media_type(b"<svg xmlns=\"http://www.w3.org/2000/svg\">"), None);
        assert_eq!(media_type(b"<html>"), None);
    }

    #[test]
    fn a_tag_is_one_line() {
        assert_eq!(clean("  a\u{1b}[31m\nb ".into()).as_deref(), Some("a[31mb"));
        assert_eq!(clean("\u{0}".into()), None);
    }
}
