//! The person at the terminal, who answers a speaker's questions.

use std::io::{self, BufRead, IsTerminal, Write};

use antiphon_bluetooth::{PairingAgent, Who};

/// Asks on stderr and reads from stdin; where that is no terminal, nobody can answer.
pub struct AtTheTerminal;

impl PairingAgent for AtTheTerminal {
    fn pin(&mut self, speaker: &Who) -> Option<String> {
        ask(&format!("PIN of {speaker} (its manual has it, often 0000 or 1234): "))
    }

    fn passkey(&mut self, speaker: &Who) -> Option<u32> {
        ask(&format!("the six digits that {speaker} shows: "))?.parse().ok()
    }

    fn confirm(&mut self, speaker: &Who, passkey: u32) -> Option<bool> {
        let answer = ask(&format!("does {speaker} show {passkey:06}? [y/n] "))?;
        Some(answer.to_lowercase().starts_with('y'))
    }

    fn show(&mut self, speaker: &Who, digits: &str) {
        crate::terminal::note(&format!("enter {digits} on {speaker}"));
    }
}

fn ask(question: &str) -> Option<String> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|answer| !answer.is_empty())
}
