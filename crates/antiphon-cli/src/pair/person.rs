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
