//! Names and addresses made unrecognisable, the same one always the same way.

/// Replaces what says who and where.
#[derive(Debug, Default)]
pub struct Mask {
    /// What is replaced, and by what; the longest first.
    names: Vec<(String, String)>,
    addresses: Vec<String>,
}

impl Mask {
    /// Replaces these names wherever they stand as words.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut mask = Self::default();
        for name in names.into_iter().filter(|name| name.trim().chars().count() > 1) {
            if !mask.names.iter().any(|(known, _)| *known == name) {
                let as_what = format!("NAME-{}", mask.names.len() + 1);
                mask.names.push((name, as_what));
            }
        }
        mask.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        mask
    }

    /// `text` without names, Bluetooth and network addresses.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = text.to_owned();
        for (name, as_what) in &self.names {
            out = replaced(&out, name, as_what);
            // In JSON a name may be written with escapes.
            let escaped: String = name.replace('\\', "\\\\").replace('"', "\\\"");
            if escaped != *name {
                out = replaced(&out, &escaped, as_what);
            }
        }
        self.without_addresses(&out)
    }

    fn without_addresses(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(begin) = rest.find(part_of_address) {
            let (before, from) = rest.split_at(begin);
            out.push_str(before);
            let end = from.find(|c| !part_of_address(c)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            let (head, core, tail) = trimmed(word);
            // A word that goes on in letters that are no hexadecimal digits is none.
            let within = head.is_empty() && before.ends_with(char::is_alphanumeric)
                || tail.is_empty() && after.starts_with(char::is_alphanumeric);
            if !within && is_address(core) {
                out.push_str(head);
                out.push_str(&self.numbered(core));
                out.push_str(tail);
            } else {
                out.push_str(word);
            }
            rest = after;
        }
        out + rest
    }

    fn numbered(&mut self, address: &str) -> String {
        // The same device in BlueZ's paths and elsewhere, whatever stands behind its colon.
        let key = address.to_lowercase().replace(['_', '-'], ":");
        let at = self.addresses.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.addresses.push(key);
            self.addresses.len() - 1
        });
        format!("ADDRESS-{}", at + 1)
    }
}

fn part_of_address(c: char) -> bool {
    c.is_ascii_hexdigit() || ":._-".contains(c)
}

/// What stands before it, the word, and the full stop or colon that ends a sentence.
fn trimmed(word: &str) -> (&str, &str, &str) {
    let from = word.trim_start_matches([':', '.', '-', '_']);
    let core = from.trim_end_matches([':', '.', '-', '_']);
    (&word[..word.len() - from.len()], core, &from[core.len()..])
}

/// A Bluetooth or Ethernet address, IPv4 with or without a port, or IPv6.
fn is_address(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '_', '-']).collect();
    let mac = parts.len() == 6 && parts.iter().all(|part| part.len() == 2);
    let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
    let v4 = |text: &str| {
        text.parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
    };
    let v6 = word
        .parse::<std::net::Ipv6Addr>()
        .is_ok_and(|address| !address.is_loopback() && !address.is_unspecified());
    mac || v4(word) || v4(host) || v6
}

/// `name` as a word, not within another.
fn replaced(text: &str, name: &str, as_what: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let after = &from[name.len()..];
        let within = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if within { name } else { as_what });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_go_and_the_same_one_becomes_the_same() {
        let mut mask = Mask::new(["Anna's JBL".to_owned(), "Anna".to_owned(), "x".to_owned()]);
        let text = mask.text(
            "Anna's JBL AA:BB:CC:DD:EE:01 at /dev_AA_BB_CC_DD_EE_01, Anna, Annabel; 192.168.1.20:7755, fe80::1.",
        );
        assert_eq!(text, "NAME-1 ADDRESS-1 at /dev_ADDRESS-1, NAME-2, Annabel; ADDRESS-2, ADDRESS-3.");
    }

    #[test]
    fn versions_times_and_the_machines_own_addresses_stay() {
        let mut mask = Mask::new([]);
        for text in [
            "BlueZ 5.66",
            "6.12.9 x86_64",
            "12:30:05",
            "127.0.0.1:7755",
            "0.0.0.0",
            "::1",
            "dead beef",
            "1-2-3",
        ] {
            assert_eq!(mask.text(text), text);
        }
    }

    #[test]
    fn a_name_is_found_in_json_too() {
        let mut mask = Mask::new(["the \"big\" one".to_owned()]);
        assert_eq!(mask.text(r#"{"name": "the \"big\" one"}"#), r#"{"name": "NAME-1"}"#);
    }
}
