//! The saved Bluetooth speakers in a hub's program, as they are saved at present: `antiphon pair` needs no new start of
//! the hub.

use std::time::{Duration, Instant};

use antiphon_speaker::pairs::PairMember;

use crate::exit::Failure;
use crate::members::{self, Manner, Members};
use crate::terminal;

/// How often it is looked at what is saved: less than a person needs for the next command.
const LOOK: Duration = Duration::from_millis(500);

/// When speakers that could not be had are tried again: another program has them, or BlueZ does not run. Each try may
/// have the system start BlueZ.
const AGAIN: Duration = Duration::from_secs(10);

/// The speakers that are saved, playing.
pub struct Saved {
    manner: Manner,
    /// As they were saved when they were last started, or tried.
    known: Vec<PairMember>,
    members: Option<Members>,
    next: Instant,
    /// What was said of them last: the same is not said every few seconds.
    trouble: Option<String>,
}

impl Saved {
    /// None of them plays before the first [`look`](Self::look).
    pub fn new(manner: Manner) -> Self {
        Self { manner, known: Vec::new(), members: None, next: Instant::now(), trouble: None }
    }

    /// Plays on those that are saved at present. A hub serves others without them just as well.
    pub fn look(&mut self) {
        if let Some(failure) = self.members.as_mut().and_then(Members::failure) {
            terminal::note(&failure.message);
        }
        if Instant::now() >= self.next {
            self.next = Instant::now() + LOOK;
            if let Err(failure) = self.follow() {
                self.next = Instant::now() + AGAIN;
                self.complain(&failure);
            }
        }
    }

    fn follow(&mut self) -> Result<(), Failure> {
        let saved = members::all(&members::saved()?);
        if saved == self.known && (saved.is_empty() || self.members.is_some()) {
            return Ok(());
        }
        // One program of a machine has its Bluetooth speakers: the former ones leave before.
        self.members = None;
        self.known = saved;
        if !self.known.is_empty() {
            self.members = Some(Members::start(&self.known, &[], &self.manner)?);
            let names: Vec<_> = self.known.iter().map(|member| member.speaker.as_str()).collect();
            tracing::info!("saved Bluetooth speakers: {}", names.join(", "));
        }
        self.trouble = None;
        Ok(())
    }

    fn complain(&mut self, failure: &Failure) {
        let said = format!("the saved Bluetooth speakers do not play here: {failure}");
        if self.trouble.as_ref() != Some(&said) {
            terminal::note(&said);
            self.trouble = Some(said);
        }
    }
}
