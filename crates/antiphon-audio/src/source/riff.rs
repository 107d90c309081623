//! What WAVE files say that symphonia does not pass on: their tags, and whether their length is a
//! real one.

/// What a WAVE file says about itself before its samples.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Head {
    pub(super) title: Option<String>,
    pub(super) artist: Option<String>,
    pub(super) album: Option<String>,
    /// Channels and rate in hertz, where its format chunk is there.
    pub(super) shape: Option<(u16, u32)>,
    /// It was written into a pipe, where its maker could not know its length.
    pub(super) streamed: bool,
}

/// How much of a file [`head`] wants to see: what is longer before the samples is a picture.
pub(super) const PEEK: u64 = 64 << 10;

/// Reads the chunks of `file`, a WAVE file's first bytes, up to the samples.
pub(super) fn head(file: &[u8]) -> Head {
    let mut head = Head::default();
    for (kind, size, body) in chunks(file.get(12..).unwrap_or_default()) {
        match kind {
            b"LIST" if body.starts_with(b"INFO") => read_info(&body[4..], &mut head),
            b"fmt " => head.shape = shape(body),
            b"data" => {
                head.streamed = size == 0 || size >= 0xFFFF_0000;
                break;
            }
            _ => {}
        }
    }
    head
}

fn shape(format: &[u8]) -> Option<(u16, u32)> {
    let channels = u16::from_le_bytes(*format.get(2..)?.first_chunk()?);
    let rate = u32::from_le_bytes(*format.get(4..)?.first_chunk()?);
    Some((channels, rate))
}

fn read_info(list: &[u8], head: &mut Head) {
    for (kind, _, body) in chunks(list) {
        let place = match kind {
            b"INAM" => &mut head.title,
            b"IART" => &mut head.artist,
            b"IPRD" => &mut head.album,
            _ => continue,
        };
        let text = String::from_utf8_lossy(body);
        let text = text.trim_matches(['\0', ' ']);
        *place = (!text.is_empty()).then(|| text.to_string());
    }
}

/// Kind, stated size and as much of the content as is there.
fn chunks(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], u32, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = bytes.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size);
        let body = &rest[..rest.len().min(size as usize)];
        // Chunks begin at even places.
        bytes = rest.get((size as usize).next_multiple_of(2)..).unwrap_or_default();
        Some((kind, size, body))
    })
}
