//! Text in lines of a readable width.

/// Columns: what every terminal has.
const WIDTH: usize = 80;

/// Text that grows line by line.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// What was written, with line ends.
    pub fn text(self) -> String {
        self.0
    }

    /// An empty line; never two.
    pub fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// A paragraph; each line begins with `indent` spaces.
    pub fn say(&mut self, indent: usize, text: &str) {
        self.item(indent, "", text);
    }

    /// A paragraph behind a mark, with its lines below each other.
    pub fn item(&mut self, indent: usize, mark: &str, text: &str) {
        let hang = " ".repeat(indent + mark.chars().count());
        let mut line = format!("{}{mark}", " ".repeat(indent));
        let mut empty = true;
        for word in text.split_whitespace() {
            let wide = line.chars().count() + word.chars().count() + usize::from(!empty) > WIDTH;
            if wide && !empty {
                self.line(&line);
                line.clone_from(&hang);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    /// A line that is never broken: a command.
    pub fn command(&mut self, indent: usize, text: &str) {
        self.line(&format!("{}{text}", " ".repeat(indent)));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

/// Names that may be meant; of many, how many more there are.
pub fn offered(names: &[String], or: &str) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(or);
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}{or}one of {more} more (antiphon catalog list has all)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_do_not_look_like_all() {
        let names: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(offered(&names[..3], " or "), "a or b or c");
        assert!(offered(&names, " or ").starts_with("a or b or c or one of 2 more"));
    }

    #[test]
    fn lines_are_broken_between_words_and_hang_below_their_mark() {
        let mut page = Page::default();
        page.item(2, "1. ", &"word ".repeat(30));
        page.gap();
        page.gap();
        page.command(0, &"x".repeat(100));
        let text = page.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("  1. word") && lines[1].starts_with("     word"), "{text}");
        assert!(lines[..2].iter().all(|line| line.len() <= WIDTH) && lines[2].is_empty(), "{text}");
        assert_eq!(lines.last().unwrap().len(), 100, "a command stays whole");
    }

    #[test]
    fn a_word_that_is_too_long_stands_alone() {
        let mut page = Page::default();
        page.say(4, &format!("a {} b", "y".repeat(90)));
        assert_eq!(page.text().lines().count(), 3);
    }
}
