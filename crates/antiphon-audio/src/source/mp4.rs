//! Which part of an MP4 track is meant to be heard.
//!
//! An AAC encoder begins with frames that only prepare its decoder, and fills up its last one. MP4
//! says so in an edit list (ISO 14496-12, `elst`); symphonia reads it but does not act on it.

use std::io::{Read, Seek, SeekFrom};

/// The most bytes of a `moov` box that are looked at: hours of audio need less than 4 MB of it,
/// pictures in the tags may need some more.
const MOOV_LIMIT: u64 = 64 << 20;

/// The heard part of a track, in the track's own time units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// Where it begins.
    pub(super) start: u64,
    /// How long it is and how much that may be off, where the file says it.
    pub(super) length: Option<(u64, u64)>,
}

/// The edit list of the first sound track, `None` where there is none that is worth following.
pub(super) fn heard<R: Read + Seek>(mut file: R) -> Option<Heard> {
    let moov = find_moov(&mut file)?;
    let movie_scale = scale(child(&moov, b"mvhd")?)?;
    let track = children(&moov)
        .filter(|(kind, _)| kind == b"trak")
        .map(|(_, body)| body)
        .find(|body| is_sound(body))?;
    let media_scale = scale(child(child(track, b"mdia")?, b"mdhd")?)?;
    let list = child(child(track, b"edts")?, b"elst")?;
    let (length, start) = only_edit(list)?;
    // The length is counted in units of the movie, often milliseconds: it is right to one of them.
    let in_media = |units: u64| units.checked_mul(media_scale).map(|units| units / movie_scale);
    let length = if length == 0 { None } else { in_media(length).zip(in_media(1)) };
    Some(Heard { start, length })
}

/// What iTunes writes in a tag of its own: delay, padding and length in frames, in hexadecimal.
pub(super) fn heard_by_tag(smpb: &str) -> Option<Heard> {
    let mut numbers = smpb.split_whitespace().skip(1).map(|word| u64::from_str_radix(word, 16));
    let (delay, _padding, length) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    // An encoder delay is a few thousand frames; anything else is another use of the tag.
    (delay < 1 << 16 && length > 0).then_some(Heard { start: delay, length: Some((length, 0)) })
}

fn find_moov<R: Read + Seek>(file: &mut R) -> Option<Vec<u8>> {
    let mut at = 0u64;
    loop {
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut header = [0; 16];
        file.read_exact(&mut header[..8]).ok()?;
        let (short, kind) = (u32::from_be_bytes(*header.first_chunk()?), &header[4..8]);
        let is_moov = kind == b"moov";
        let (size, header_size) = match short {
            0 => return None,
            1 => {
                file.read_exact(&mut header[8..]).ok()?;
                (u64::from_be_bytes(*header.last_chunk()?), 16)
            }
            n => (u64::from(n), 8),
        };
        let body = size.checked_sub(header_size)?;
        if is_moov {
            let mut moov = Vec::new();
            file.take(body.min(MOOV_LIMIT)).read_to_end(&mut moov).ok()?;
            return Some(moov);
        }
        at = at.checked_add(size)?;
    }
}

/// The boxes directly in `body`.
fn children(mut body: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(*body.first_chunk()?) as usize;
        let kind: [u8; 4] = *body.get(4..)?.first_chunk()?;
        // Boxes of 64-bit size hold media, never what is looked for here.
        let content = body.get(8..size)?;
        body = &body[size..];
        Some((kind, content))
    })
}

fn child<'a>(body: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(body).find(|(found, _)| found == kind).map(|(_, content)| content)
}

fn is_sound(track: &[u8]) -> bool {
    let handler = child(track, b"mdia").and_then(|mdia| child(mdia, b"hdlr"));
    handler.and_then(|hdlr| hdlr.get(8..12)) == Some(b"soun")
}

/// Time units a second, from `mvhd` or `mdhd`, which agree so far.
fn scale(header: &[u8]) -> Option<u64> {
    let at = if *header.first()? == 1 { 20 } else { 12 };
    let units = u32::from_be_bytes(*header.get(at..)?.first_chunk()?);
    (units != 0).then_some(u64::from(units))
}

/// Length and start of a list's only edit with media in it. Lists with more put pieces in another
/// order or delay the track: nothing that music players follow.
fn only_edit(list: &[u8]) -> Option<(u64, u64)> {
    let wide = *list.first()? == 1;
    let count = u32::from_be_bytes(*list.get(4..)?.first_chunk()?);
    if count != 1 {
        return None;
    }
    let entry = list.get(8..)?;
    let (length, start) = if wide {
        (u64::from_be_bytes(*entry.first_chunk()?), i64::from_be_bytes(*entry.get(8..)?.first_chunk()?))
    } else {
        let start = i32::from_be_bytes(*entry.get(4..)?.first_chunk()?);
        (u64::from(u32::from_be_bytes(*entry.first_chunk()?)), i64::from(start))
    };
    Some((length, u64::try_from(start).ok()?))
}
