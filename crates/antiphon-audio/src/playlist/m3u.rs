//! M3U and M3U8: a path a line, remarks behind `#`, of which `#EXTINF` holds a title.

use super::{Written, lines, text};

pub(super) fn parse(bytes: &[u8]) -> Vec<Written> {
    let mut written = Vec::new();
    let mut title = None;
    for line in lines(bytes) {
        match line.strip_prefix(b"#") {
            None => written.push(Written { place: line.to_vec(), title: title.take() }),
            Some(remark) => {
                if let Some(info) = remark.strip_prefix(b"EXTINF:") {
                    title = title_of(info);
                }
            }
        }
    }
    written
}

/// Behind the first comma: before it stand the length and, in lists for television, attributes in quotes,
/// which may hold commas of their own.
fn title_of(info: &[u8]) -> Option<String> {
    let mut quoted = false;
    let comma = info.iter().position(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    })?;
    let title = text(info[comma + 1..].trim_ascii());
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_of_the_next_path_only() {
        let list = b"#EXTM3U\n#EXTINF:1 logo=\"a,b\", One, two\n\nx.mp3\ny.mp3\n#EXTINF:3\nz.mp3";
        let read: Vec<_> =
            parse(list).into_iter().map(|w| (String::from_utf8(w.place).unwrap(), w.title)).collect();
        let wanted = [("x.mp3", Some("One, two")), ("y.mp3", None), ("z.mp3", None)];
        assert_eq!(read, wanted.map(|(place, title)| (place.to_owned(), title.map(str::to_owned))));
    }
}
