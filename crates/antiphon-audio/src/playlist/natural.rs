//! Names as people sort them: 2 before 10, a beside A.

use std::cmp::Ordering;

/// Compares by letters without regard to case, and by whole numbers; what is alike then, by its bytes.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let order = match (number(left), number(right)) {
            (Some((x, after_x)), Some((y, after_y))) => {
                (left, right) = (after_x, after_y);
                (x.len(), x).cmp(&(y.len(), y))
            }
            _ => {
                let (mut x, mut y) = (left.chars(), right.chars());
                let pair = (x.next(), y.next());
                (left, right) = (x.as_str(), y.as_str());
                match pair {
                    (None, None) => return a.cmp(b),
                    (Some(x), Some(y)) => x.to_lowercase().cmp(y.to_lowercase()),
                    (x, y) => x.is_some().cmp(&y.is_some()),
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that `text` begins with, without leading zeros, and what follows.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].trim_start_matches('0'), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_case_is_no_order() {
        let sorted = ["", "01 a", "1 b", "2", "02 x", "10", "a", "B", "b2", "b10", "\u{c4}", "\u{e4}b"];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, sorted);
        // As long as no memory holds: no number is too long to compare.
        assert_eq!(compare(&"9".repeat(400), &format!("1{}", "0".repeat(400))), Ordering::Less);
    }
}
