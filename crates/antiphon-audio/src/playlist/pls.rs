//! PLS: `File1=...`, `Title1=...` under `[playlist]`, in the order of their numbers.

use std::collections::BTreeMap;

use super::{Written, lines, text};

pub(super) fn parse(bytes: &[u8]) -> Vec<Written> {
    let mut files = BTreeMap::new();
    let mut titles = BTreeMap::new();
    for line in lines(bytes) {
        let Some(equals) = line.iter().position(|&byte| byte == b'=') else { continue };
        let (key, value) =
            (line[..equals].trim_ascii().to_ascii_lowercase(), line[equals + 1..].trim_ascii());
        if value.is_empty() {
            continue;
        }
        if let Some(number) = numbered(&key, b"file") {
            files.insert(number, value.to_vec());
        } else if let Some(number) = numbered(&key, b"title") {
            titles.insert(number, text(value));
        }
    }
    files.into_iter().map(|(number, place)| Written { place, title: titles.remove(&number) }).collect()
}

fn numbered(key: &[u8], name: &[u8]) -> Option<u32> {
    std::str::from_utf8(key.strip_prefix(name)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_their_numbers() {
        let list = b"[playlist]\nNumberOfEntries=3\nFile10=c.mp3\nfile2 = b=b.mp3\nTitle2=B\nFile1=a.mp3\nLength1=9\nFile3=\n";
        let read: Vec<_> = parse(list).into_iter().map(|w| (text(&w.place), w.title)).collect();
        let wanted = [("a.mp3", None), ("b=b.mp3", Some("B")), ("c.mp3", None)];
        assert_eq!(read, wanted.map(|(place, title)| (place.to_owned(), title.map(str::to_owned))));
    }
}
