//! Tables on a terminal: columns that stay in line, and names that can be told apart.

use std::fmt::Write as _;

/// The widest that a name is shown: two of one maker and model mostly differ at their ends, and both ends are kept.
pub const NAME: usize = 34;

/// Between a column and the next.
const GAP: usize = 2;

/// The columns of a table.
pub struct Columns {
    /// With the gap behind each.
    widths: Vec<usize>,
    gap: usize,
}

impl Columns {
    /// A column of `names`, at least `least` wide, and then others of fixed widths, whatever stands in them: a table that
    /// is drawn again each second does not jump.
    pub fn beside<'a>(names: impl Iterator<Item = &'a str>, least: usize, others: &[usize]) -> Self {
        let widest = names.map(width).max().unwrap_or(0).min(NAME);
        let widths = std::iter::once((widest + 1).max(least)).chain(others.iter().copied()).collect();
        Self { widths, gap: 1 }
    }

    /// Columns as wide as what stands in `rows`; the first holds names.
    pub fn around<const N: usize>(rows: &[[String; N]]) -> Self {
        let widest = |at: usize| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0) + GAP;
        let mut widths: Vec<usize> = (0..N).map(widest).collect();
        if let Some(names) = widths.first_mut() {
            *names = (*names).min(NAME + GAP);
        }
        Self { widths, gap: GAP }
    }

    /// Adds a line to `out`.
    pub fn row<S: AsRef<str>>(&self, out: &mut String, cells: &[S]) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            let cell = cut(cell.as_ref(), width - self.gap);
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// At most `most` characters, none of which steers the terminal. What is longer is cut in its middle: a beginning is
/// shared by all speakers of a maker, an end by both sides of a stereo device, both hardly ever.
pub fn cut(text: &str, most: usize) -> String {
    let clean: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    if clean.len() <= most {
        return clean.into_iter().collect();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    clean[..head].iter().chain(&[CUT]).chain(&clean[clean.len() - tail..]).collect()
}

/// Stands for what was cut out.
pub const CUT: char = '\u{2026}';

fn width(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_at_one_end_can_be_told_apart() {
        let side =
            |side: &str| cut(&format!("pulse:alsa_output.pci-0000_00_1f.3.analog-stereo#{side}"), NAME);
        assert_eq!(side("left"), "pulse:alsa_output\u{2026}alog-stereo#left");
        assert_ne!(side("left"), side("right"));
        assert!(side("right").chars().count() == NAME);
        assert_eq!(cut("desk", NAME), "desk");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(cut("a\u{1b}[2Jb", 20), "a[2Jb");
    }

    #[test]
    fn columns_stand_in_line_however_long_the_names_are() {
        let rows = [
            ["NAME", "ROLE"].map(str::to_owned),
            ["desk", "left"].map(str::to_owned),
            ["Mi Portable Bluetooth Speaker, the second", "right"].map(str::to_owned),
        ];
        let (columns, mut out) = (Columns::around(&rows), String::new());
        rows.iter().for_each(|row| columns.row(&mut out, row));
        let at: Vec<_> = out
            .lines()
            .map(|line| line.chars().count() - line.split(' ').next_back().unwrap().len())
            .collect();
        assert_eq!(at, [NAME + GAP; 3], "{out}");
    }
}
