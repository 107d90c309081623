//! Keys, where there is a terminal to press them on.

use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Space: pause or go on.
    Toggle,
    /// Right arrow.
    Forward,
    /// Left arrow.
    Back,
    /// n.
    Next,
    /// p.
    Previous,
    /// Plus.
    Louder,
    /// Minus.
    Softer,
    /// q.
    Quit,
}

/// The keyboard, without line editing and echo; as it was when dropped.
pub struct Keys {
    before: Termios,
}

impl Keys {
    /// The keyboard; `None` where standard input is no terminal, or stderr, which shows what the
    /// keys do, is none.
    pub fn open() -> Option<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        // Signals stay: Ctrl-C is one.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw).ok()?;
        Some(Self { before })
    }

    /// What was pressed since the last look.
    pub fn pressed(&self) -> Vec<Key> {
        let mut stdin = io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        let mut bytes = [0; 64];
        // A terminal gives what is there; so many bytes are more than fingers type between two looks.
        match ready.then(|| stdin.read(&mut bytes)) {
            Some(Ok(count)) => read(&bytes[..count]),
            _ => Vec::new(),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody minds.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}

fn read(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        match first {
            b' ' => keys.push(Key::Toggle),
            b'+' | b'=' => keys.push(Key::Louder),
            b'-' | b'_' => keys.push(Key::Softer),
            b'n' | b'N' => keys.push(Key::Next),
            b'p' | b'P' => keys.push(Key::Previous),
            b'q' | b'Q' => keys.push(Key::Quit),
            0x1b => {
                let (key, length) = arrow(rest);
                keys.extend(key);
                bytes = &rest[length..];
            }
            _ => {}
        }
    }
    keys
}

/// The cursor key after an escape, in either mode of terminals, and its length.
fn arrow(rest: &[u8]) -> (Option<Key>, usize) {
    match rest {
        [b'[' | b'O', b'C', ..] => (Some(Key::Forward), 2),
        [b'[' | b'O', b'D', ..] => (Some(Key::Back), 2),
        [b'[' | b'O', _, ..] => (None, 2),
        _ => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_and_strangers_ignored() {
        assert_eq!(read(b" q"), [Key::Toggle, Key::Quit]);
        assert_eq!(read(b"nP"), [Key::Next, Key::Previous]);
        assert_eq!(read(b"\x1b[C\x1b[D\x1bOC"), [Key::Forward, Key::Back, Key::Forward]);
        assert_eq!(read(b"x\x1b[A+\x1b"), [Key::Louder]);
        assert_eq!(read(b"\x1b["), []);
    }
}
