//! Whoever sits in front of it.

use std::io::{BufRead, IsTerminal, Write};

use crate::terminal;

/// Answers questions; `None` where nobody does.
pub trait Person {
    /// Asks, and waits for a line.
    fn ask(&mut self, question: &str) -> Option<String>;

    /// Tells a line.
    fn tell(&mut self, line: &str) {
        terminal::note(line);
    }
}

/// A terminal with somebody at it, or nobody.
#[derive(Debug, Clone, Copy)]
pub struct AtTerminal {
    is_there: bool,
}

impl AtTerminal {
    /// Somebody is there if both ends are a terminal, and `quiet` does not say that nobody is to be asked.
    pub fn new(quiet: bool) -> Self {
        let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { is_there: is_there && !quiet }
    }

    /// Whether questions are of use.
    pub fn is_there(self) -> bool {
        self.is_there
    }
}

impl Person for AtTerminal {
    fn ask(&mut self, question: &str) -> Option<String> {
        if !self.is_there {
            return None;
        }
        let mut err = std::io::stderr();
        let _ = write!(err, "{question} ").and_then(|()| err.flush());
        let mut line = String::new();
        // The end of input is nobody.
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(1..) => Some(line.trim().to_owned()),
            _ => None,
        }
    }
}

/// Asks until somebody says yes or no; Enter is `otherwise`, where there is that. `None`: somebody wants to leave, or
/// nobody is there.
pub fn yes_or_no(person: &mut dyn Person, question: &str, otherwise: Option<bool>) -> Option<bool> {
    let (choice, words) = match otherwise {
        Some(true) => ("[Y/n/q]", "y or Enter is yes, n is no, q leaves."),
        Some(false) => ("[y/N/q]", "y is yes, n or Enter is no, q leaves."),
        None => ("[y/n/q]", "y is yes, n is no, q leaves."),
    };
    loop {
        let answer = person.ask(&format!("{question} {choice}"))?;
        match (answer.trim().to_lowercase().as_str(), otherwise) {
            ("y" | "yes", _) => return Some(true),
            ("n" | "no", _) => return Some(false),
            ("q" | "quit", _) => return None,
            ("", Some(usual)) => return Some(usual),
            _ => person.tell(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::choose::tests::Scripted;
    use super::*;

    #[test]
    fn what_is_neither_yes_nor_no_is_asked_again() {
        let said = |answers: &[&'static str], otherwise| {
            let mut person = Scripted::new(answers);
            (yes_or_no(&mut person, "Go on there?", otherwise), person.told.len())
        };
        assert_eq!(said(&["what?", "", "Y"], None), (Some(true), 5));
        assert_eq!(said(&["", "n"], Some(true)), (Some(true), 1));
        assert_eq!(said(&["nope", "no"], Some(true)), (Some(false), 3));
        assert_eq!(said(&["q"], Some(true)), (None, 1));
        assert_eq!(said(&[], Some(true)), (None, 1), "nobody is there");
    }
}
