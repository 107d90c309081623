//! A zip file of a few texts, stored as they are (PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5).

/// One file in it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, in ASCII, without folders.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// The bytes of a zip with these files. Texts of 4 GiB and more have no place in it, and none is made here.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = word(bytes.len());
        let about = about(entry);
        bytes.extend([&b"PK\x03\x04"[..], &about, entry.name.as_bytes(), entry.text.as_bytes()].concat());
        directory.extend(b"PK\x01\x02");
        // Made by version 2.0 on a system without attributes.
        directory.extend(20_u16.to_le_bytes());
        directory.extend(about);
        // No comment, first disk, a text file, no attributes.
        directory.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        directory.extend(offset);
        directory.extend(entry.name.as_bytes());
    }
    let (begin, length, count) = (word(bytes.len()), word(directory.len()), half(entries.len()));
    bytes.extend(directory);
    bytes.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &begin, &[0, 0]].concat());
    bytes
}

/// What the entry's own header and the directory say alike.
fn about(entry: &Entry) -> Vec<u8> {
    let size = word(entry.text.len());
    [
        // Version 2.0, no flags, stored, midnight of 1 January 1980: when it was made is told in the report.
        &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
        &crc32(entry.text.as_bytes()).to_le_bytes(),
        &size,
        &size,
        &half(entry.name.len()),
        &[0, 0],
    ]
    .concat()
}

fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn half(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes()
}

/// CRC-32 of IEEE 802.3, bit by bit: a report is some kilobytes.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_directory_points_at_each_file() {
        let bytes = zip(&[
            Entry { name: "a.txt", text: "first".into() },
            Entry { name: "b.txt", text: "second one".into() },
        ]);
        let end = &bytes[bytes.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06") && end[10..12] == [2, 0]);
        let begin = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert_eq!(&bytes[begin..begin + 4], b"PK\x01\x02");
        let second = begin + 46 + 5;
        let offset = u32::from_le_bytes(bytes[second + 42..second + 46].try_into().unwrap()) as usize;
        assert_eq!(&bytes[offset..offset + 4], b"PK\x03\x04");
        assert_eq!(&bytes[offset + 30..offset + 45], b"b.txtsecond one");
    }
}
