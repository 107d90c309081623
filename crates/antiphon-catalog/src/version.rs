//! Makers' version strings: `SPK-MIP3-V2.18.10`, `6.22.1`, `1.56.1`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A maker's version: a product's prefix, numbers, and what follows them.
///
/// Two of one product are ordered by their numbers, place by place, a missing place being 0; then a
/// version that is called alpha, beta, dev, rc or test comes before the one without such a word, any
/// other ending after it. Versions of two products have no order.
#[derive(Debug, Clone)]
pub struct VendorVersion {
    text: String,
    prefix: String,
    /// Decimal digits without leading zeros: makers also number by date and time.
    numbers: Vec<String>,
    suffix: String,
}

/// There is no version in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version; write it as the app shows it: SPK-MIP3-V2.18.10, 6.22.1, 1.56.1")]
pub struct NoVersion(String);

/// More is no version of anything.
const MAX_LENGTH: usize = 64;

/// Words that say that a version is not the final one.
const BEFORE: [&str; 6] = ["alpha", "beta", "dev", "pre", "rc", "test"];

impl VendorVersion {
    /// The order of two versions of one product; `None` for those of different ones. A version without
    /// a prefix (`2.18.10`) is taken to be of the other's product.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let stranger = !self.prefix.is_empty() && !other.prefix.is_empty() && self.prefix != other.prefix;
        (!stranger).then(|| self.by_numbers(other).then_with(|| self.by_ending(other)))
    }

    fn by_numbers(&self, other: &Self) -> Ordering {
        let places = self.numbers.len().max(other.numbers.len());
        let at = |numbers: &[String], place: usize| numbers.get(place).cloned().unwrap_or_default();
        let orders = (0..places).map(|place| {
            let (a, b) = (at(&self.numbers, place), at(&other.numbers, place));
            a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }

    fn by_ending(&self, other: &Self) -> Ordering {
        let rank = |suffix: &str| match () {
            () if suffix.is_empty() => 1,
            () if BEFORE.iter().any(|word| suffix.starts_with(word)) => 0,
            () => 2,
        };
        let words = || ending(&self.suffix).cmp(&ending(&other.suffix));
        rank(&self.suffix).cmp(&rank(&other.suffix)).then_with(words)
    }
}

/// An ending as words and numbers, so that rc2 comes before rc10.
fn ending(suffix: &str) -> Vec<(usize, String)> {
    let mut parts: Vec<(usize, String)> = Vec::new();
    let mut digits = false;
    for letter in suffix.chars().filter(|letter| letter.is_ascii_alphanumeric()) {
        match parts.last_mut() {
            Some((_, part)) if digits == letter.is_ascii_digit() => part.push(letter),
            _ => parts.push((0, letter.to_string())),
        }
        digits = letter.is_ascii_digit();
    }
    for (length, part) in &mut parts {
        if part.starts_with(|letter: char| letter.is_ascii_digit()) {
            *part = plain(part);
            *length = part.len() + 1;
        }
    }
    parts
}

/// Digits without leading zeros; none for zero.
fn plain(digits: &str) -> String {
    digits.trim_start_matches('0').to_owned()
}

impl FromStr for VendorVersion {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let text = text.trim();
        let nonsense = || NoVersion(text.chars().take(MAX_LENGTH).collect());
        let sound = |c: char| c.is_ascii_alphanumeric() || " .-_+()".contains(c);
        if text.len() > MAX_LENGTH || !text.chars().all(sound) {
            return Err(nonsense());
        }
        let lower = text.to_ascii_lowercase();
        let begin = numbers_begin(&lower).ok_or_else(nonsense)?;
        let rest = &lower[begin..];
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (numbers, suffix) = rest.split_at(length);
        let prefix = lower[..begin].strip_suffix('v').unwrap_or(&lower[..begin]);
        Ok(Self {
            text: text.to_owned(),
            prefix: letters(prefix),
            numbers: numbers.split('.').filter(|number| !number.is_empty()).map(plain).collect(),
            suffix: letters(suffix),
        })
    }
}

/// Letters and digits alone.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Where the numbers of a version begin: after the last `v` that begins a word and has a digit behind
/// it; else at the last run of digits with points; else at the digits that are all there is.
fn numbers_begin(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let word = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    let after_v = (0..bytes.len()).rev().find(|at| bytes[*at] == b'v' && word(*at) && digit(at + 1));
    if let Some(at) = after_v {
        return Some(at + 1);
    }
    let runs = (0..bytes.len()).filter(|at| digit(*at) && word(*at) && (*at == 0 || bytes[at - 1] != b'.'));
    let run = |at: usize| text[at..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let dotted = |at: &usize| text[*at..*at + run(*at)].trim_end_matches('.').contains('.');
    runs.clone().rfind(dotted).or_else(|| runs.clone().find(|at| *at == 0 && run(0) == text.len()))
}

impl fmt::Display for VendorVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> VendorVersion {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn order(a: &str, b: &str) -> Option<Ordering> {
        version(a).compare(&version(b))
    }

    #[test]
    fn versions_are_ordered_as_their_makers_number_them() {
        for (older, newer) in [
            ("SPK-MIP3-V2.18.10", "SPK-MIP3-V2.18.11"),
            ("SPK-MIP3-V2.18.9", "SPK-MIP3-V2.18.10"),
            ("SPK-MIP3-V2.18.09", "SPK-MIP3-V2.18.10"),
            ("6.22.1", "6.23.0"),
            ("6.22", "6.22.1"),
            ("1.56.1", "1.156.0"),
            ("v6.22.1-beta", "v6.22.1"),
            ("6.22.1-rc2", "6.22.1-rc10"),
            ("6.22.1", "6.22.1b"),
            ("99999999999999999999999999.1", "99999999999999999999999999.2"),
            ("20240131", "20240201"),
        ] {
            assert_eq!(order(older, newer), Some(Ordering::Less), "{older} {newer}");
            assert_eq!(order(newer, older), Some(Ordering::Greater), "{newer} {older}");
        }
        assert_eq!(order("6.22", "6.22.0"), Some(Ordering::Equal));
        assert_eq!(order("v2.18.10", "SPK-MIP3-V2.18.10"), Some(Ordering::Equal));
        assert_eq!(order("spk-mip3-v2.18.010", "SPK-MIP3-V2.18.10"), Some(Ordering::Equal));
    }

    #[test]
    fn versions_of_two_products_have_no_order() {
        assert_eq!(order("SPK-MIP3-V2.18.10", "SPK-MISP-V3.04.07"), None);
    }

    #[test]
    fn what_is_no_version_is_named() {
        for bad in ["", "latest", "V", "SPK-MIP3", "1;2", "\u{661}.\u{662}", "Flip 6", &"1".repeat(100)] {
            let said = bad.parse::<VendorVersion>().unwrap_err().to_string();
            assert!(said.contains("SPK-MIP3-V2.18.10"), "{said}");
        }
    }

    fn any_version() -> impl Strategy<Value = String> {
        let numbers = prop::collection::vec(0u32..200, 1..5);
        let ending = prop::sample::select(vec!["", "-beta", "rc1", "-rc10", "b", "+7"]);
        let prefix = prop::sample::select(vec!["SPK-MIP3-V", "spk-mip3-v", "V", ""]);
        (prefix, numbers, ending).prop_filter_map(
            "one number alone needs a v",
            |(prefix, numbers, ending)| {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                let bare = prefix.is_empty() && numbers.len() == 1;
                (!bare).then(|| format!("{prefix}{}{ending}", numbers.join(".")))
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_is_total_within_a_product(a in any_version(), b in any_version(), c in any_version()) {
            let (x, y, z) = (version(&a), version(&b), version(&c));
            let cmp = |p: &VendorVersion, q: &VendorVersion| p.compare(q).unwrap();
            prop_assert_eq!(cmp(&x, &x), Ordering::Equal);
            prop_assert_eq!(cmp(&x, &y), cmp(&y, &x).reverse());
            if cmp(&x, &y) != Ordering::Greater && cmp(&y, &z) != Ordering::Greater {
                prop_assert_ne!(cmp(&x, &z), Ordering::Greater, "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn one_more_in_any_place_is_later(
            mut numbers in prop::collection::vec(0u32..1_000_000, 1..6),
            place in 0usize..6,
        ) {
            let text = |numbers: &[u32]| {
                let parts: Vec<String> = numbers.iter().map(u32::to_string).collect();
                format!("SPK-MIP3-V{}", parts.join("."))
            };
            let older = text(&numbers);
            let place = place % numbers.len();
            numbers[place] += 1;
            numbers[place + 1..].fill(0);
            prop_assert_eq!(order(&older, &text(&numbers)), Some(Ordering::Less));
        }

        #[test]
        fn leading_zeros_change_nothing(numbers in prop::collection::vec(0u32..10_000, 2..5)) {
            let plain: Vec<String> = numbers.iter().map(u32::to_string).collect();
            let padded: Vec<String> = numbers.iter().map(|number| format!("{number:06}")).collect();
            prop_assert_eq!(order(&plain.join("."), &padded.join(".")), Some(Ordering::Equal));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<VendorVersion>();
        }
    }
}
