//! A radio's playlist: a few lines that say where its stream is.

use super::refusal::Refusal;
use crate::playlist;

/// Bytes of a playlist: those of stations have some hundred; more is something else.
pub(super) const MOST_BYTES: u64 = 64 << 10;

/// Addresses that are tried, in their order.
pub(super) const MOST_TRIED: usize = 5;

/// Whether an answer is a playlist, by its kind, its address and its first bytes.
pub(super) fn is_playlist(kind: &str, url: &str, head: &[u8]) -> bool {
    let kinds = ["mpegurl", "scpls", "pls+xml", "x-pls"];
    let path = url.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    let named = [".m3u", ".m3u8", ".pls"].iter().any(|end| path.ends_with(end));
    kinds.iter().any(|known| kind.contains(known))
        || marked(head)
        // Some servers call every file a stream; a stream that is named so and says that it is sound is one.
        || named && !kind.starts_with("audio/") && !kind.starts_with("application/ogg")
}

fn marked(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&head[..head.len().min(64)])
        .trim_start_matches('\u{feff}')
        .to_ascii_lowercase();
    let head = head.trim_start();
    head.starts_with("#extm3u") || head.starts_with("[playlist]")
}

/// The addresses in a playlist that was found at `base`.
///
/// # Errors
/// It is one of pieces (HLS), or there is no address in it.
pub(super) fn addresses(bytes: &[u8], base: &str) -> Result<Vec<String>, Refusal> {
    if playlist::text(bytes).lines().any(|line| line.starts_with("#EXT-X-")) {
        return Err(Refusal::Pieces);
    }
    let written = playlist::written(bytes).into_iter();
    let found = written.filter_map(|entry| joined(base, &playlist::text(&entry.place)));
    let found: Vec<String> = found.take(MOST_TRIED).collect();
    if found.is_empty() { Err(Refusal::NoAddress) } else { Ok(found) }
}

/// `address` as it is meant in a document at `base`; `None` for one of another kind.
fn joined(base: &str, address: &str) -> Option<String> {
    if super::is_url(address) {
        return Some(address.to_owned());
    }
    let scheme = base.find("://")?;
    let host_end = base[scheme + 3..].find(['/', '?', '#']).map_or(base.len(), |at| scheme + 3 + at);
    if let Some(rest) = address.strip_prefix("//") {
        return Some(format!("{}://{rest}", &base[..scheme]));
    }
    if address.starts_with('/') {
        return Some(format!("{}{address}", &base[..host_end]));
    }
    // "icyx://", "C:\Music": nothing that is fetched.
    if address.contains(':') {
        return None;
    }
    let path = base[host_end..].split(['?', '#']).next().unwrap_or("");
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    Some(format!("{}{folder}{address}", &base[..host_end]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "http://radio.example:8000/lists/one.m3u?x=1/2";

    #[test]
    fn playlists_are_known_by_kind_name_or_first_line() {
        assert!(is_playlist("audio/x-mpegurl", "http://a/b", b""));
        assert!(is_playlist("audio/x-scpls", "http://a/b", b""));
        assert!(is_playlist("text/plain", "http://a/b.PLS?x", b"File1=http://c/d"));
        assert!(is_playlist("", "http://a/b", b"\xef\xbb\xbf#EXTM3U\n"));
        assert!(is_playlist("", "http://a/b", b"\r\n[Playlist]\r\n"));
        assert!(!is_playlist("audio/mpeg", "http://a/stream.m3u", &[0xff, 0xfb, 0x90]));
        assert!(!is_playlist("audio/mpeg", "http://a/b", &[0xff; 200]));
    }

    #[test]
    fn both_kinds_give_their_addresses_in_order() {
        let m3u = b"#EXTM3U\n#EXTINF:-1,One\nhttp://a/1\r\n\n/2\n3.mp3\n//b/4\nC:\\Music\\5.mp3\n";
        let wanted = [
            "http://a/1",
            "http://radio.example:8000/2",
            "http://radio.example:8000/lists/3.mp3",
            "http://b/4",
        ];
        assert_eq!(addresses(m3u, BASE).unwrap(), wanted);
        let pls = b"[playlist]\nNumberOfEntries=2\nFile1=http://a/1\nTitle1=One\nfile2 = https://b/2\n";
        assert_eq!(addresses(pls, BASE).unwrap(), ["http://a/1", "https://b/2"]);
    }

    #[test]
    fn pieces_and_nothing_are_refused_each_in_its_own_words() {
        let pieces = addresses(b"#EXTM3U\n#EXT-X-VERSION:3\nseg1.ts\n", BASE).unwrap_err();
        assert!(pieces.to_string().contains("HLS"), "{pieces}");
        for nothing in [&b""[..], b"#EXTM3U\n", b"[playlist]\nTitle1=x\n", b"\xff\xfe\x00"] {
            let found = addresses(nothing, BASE);
            assert!(
                found.as_ref().is_err_and(|e| e.to_string().contains("no address")) || nothing[0] == 0xff,
                "{found:?}"
            );
        }
        assert_eq!(addresses(&b"http://a/\n".repeat(1_000), BASE).unwrap().len(), MOST_TRIED);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "(\\[playlist\\]\n)?(#?(file[0-9]=)?(http://|//|/|\\.\\.)?[ -~\u{e4}\u{feff}]{0,20}\r?\n){0,8}",
            base in "https?://[a-z:0-9]{0,8}[/?#]?[ -~]{0,12}",
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = addresses(text.as_bytes(), &base);
            let _ = addresses(&bytes, &base);
            is_playlist("", &base, &bytes);
        }
    }
}
