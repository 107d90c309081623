//! What a file is by its first bytes, so that what is no audio is said to be none at once, before
//! a demuxer searches a megabyte of it for something that looks like a frame.

/// How many bytes [`stranger`] wants to see, where there are so many.
pub(super) const PEEK: usize = 512;

/// What is said of bytes that look like nothing.
pub(super) const UNKNOWN: &str = "no format that is known here";

/// What `head`, a file's first bytes, looks like when it is no audio that is worth trying.
pub(super) fn stranger(head: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| head.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let audio = begins(b"RIFF") && at(8, b"WAVE")
        || begins(b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC"))
        || [&b"fLaC"[..], b"OggS", b"ID3", b"caff", b"APETAGEX", &[0x1A, 0x45, 0xDF, 0xA3]]
            .iter()
            .any(|m| begins(m))
        || at(4, b"ftyp")
        || mpeg_frame(without_zeros(head));
    if audio {
        return None;
    }
    Some(match () {
        () if begins(b"RF64") => "a WAV file of the kind for more than 4 GB (RF64)",
        () if begins(b"%PDF") => "a PDF document",
        () if begins(&[0xFF, 0xD8, 0xFF]) || begins(&[0x89, b'P', b'N', b'G']) || begins(b"GIF8") => {
            "a picture"
        }
        () if begins(b"PK\x03\x04")
            || begins(&[0x1F, 0x8B])
            || begins(b"7z\xBC\xAF")
            || begins(b"\xFD7zXZ") =>
        {
            "an archive"
        }
        () if begins(b"\x7FELF") || begins(b"MZ") => "a program",
        () if text(head) => "text",
        () if head.iter().all(|&byte| byte == 0) => "nothing but zeros",
        () => UNKNOWN,
    })
}

/// Whether an MPEG audio or ADTS frame begins here: MP3 and raw AAC files have no other mark.
fn mpeg_frame(head: &[u8]) -> bool {
    let &[first, second, third, ..] = head else { return false };
    let layer = second >> 1 & 3;
    let version = second >> 3 & 3;
    let adts = layer == 0 && version >= 2 && third >> 2 & 15 < 13;
    let mpeg = layer != 0 && version != 1 && third >> 4 != 15 && third >> 2 & 3 != 3;
    first == 0xFF && second >> 5 == 7 && (adts || mpeg)
}

fn text(head: &[u8]) -> bool {
    // A character may be cut in two at the end of the peek.
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|c| c.is_control() && !c.is_whitespace())
}

/// Some old encoders put zeros before the first frame.
fn without_zeros(head: &[u8]) -> &[u8] {
    &head[head.iter().take_while(|&&byte| byte == 0).count()..]
}
