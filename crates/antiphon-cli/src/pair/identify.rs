//! Which speaker stands where: one beeps alone, once, and somebody says from where it came.

use std::sync::atomic::AtomicBool;

use antiphon_api::{Client, SourceTarget};
use antiphon_base::Role;
use antiphon_speaker::pairs::{Pair, PairMember};

use super::args::nobody_else;
use super::person::Person;
use crate::exit::{Exit, Failure};
use crate::lab::{Ended, jobs};
use crate::members::{Manner, Members};
use crate::play::audience::{self, Came};
use crate::play::reach::Reach;
use crate::terminal;

/// What somebody heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Left,
    Right,
    Again,
    Skip,
}

/// Lets the first speaker of `pair` beep until its side is known, and exchanges them if they stand the
/// other way round; whether somebody has confirmed it.
///
/// # Errors
/// They cannot be played to.
pub fn sides(pair: &mut Pair, person: &mut dyn Person, stop: &AtomicBool) -> Result<bool, Failure> {
    let name = pair.member[0].speaker.clone();
    person.tell(&format!("Listen: {name} beeps once ..."));
    let room = Room::open(&pair.member[0], stop).map_err(failure)?;
    loop {
        room.beep(&name, stop).map_err(failure)?;
        match ask(person) {
            Heard::Left => return Ok(true),
            Heard::Right => {
                exchange(pair);
                person.tell(&format!("Then {} is right.", pair.member[1].speaker));
                return Ok(true);
            }
            Heard::Again => person.tell("Once more ... If it stays silent, turn its own volume up."),
            Heard::Skip => return Ok(false),
        }
    }
}

fn ask(person: &mut dyn Person) -> Heard {
    let question = "From where did it come: left or right? [l/r, n if you heard nothing, s skips]";
    loop {
        let Some(answer) = person.ask(question) else { return Heard::Skip };
        match answer.to_lowercase().chars().next() {
            Some('l') => return Heard::Left,
            Some('r') => return Heard::Right,
            Some('n') => return Heard::Again,
            Some('s' | 'q') => return Heard::Skip,
            _ => person.tell("l is left, r is right, n is nothing, s leaves them as you named them."),
        }
    }
}

/// The other way round; those called by their side change names too.
fn exchange(pair: &mut Pair) {
    let by_side = pair.member.iter().all(|member| member.speaker.ends_with(&format!(" {}", member.role)));
    pair.member.swap(0, 1);
    let roles = [Role::Left, Role::Right];
    pair.member.iter_mut().zip(roles).for_each(|(member, role)| member.role = role);
    if by_side {
        let [left, right] = &mut pair.member[..] else { return };
        std::mem::swap(&mut left.speaker, &mut right.speaker);
    }
}

/// The hub that is played to, with the speaker that beeps running in this program.
struct Room {
    client: Client,
    /// Ends with this, the hub last.
    _reach: Reach,
}

impl Room {
    /// What it says while it starts is nobody's question here.
    fn open(member: &PairMember, stop: &AtomicBool) -> Result<Self, Ended> {
        let member = member.clone();
        let start = || -> Result<Self, Ended> {
            let (mut reach, running) = Reach::look(&nobody_else())?;
            let client = match running {
                Some(client) => client,
                None => reach.start()?,
            };
            let manner = Manner { hub: Some(client.hub().to_string()), ..Manner::default() };
            let members = Members::start(std::slice::from_ref(&member), &[], &manner)?;
            reach.adopt(members, vec![member.speaker.clone()]);
            let asked = [SourceTarget { name: member.speaker.clone(), role: None }];
            let failure = || reach.failure();
            match audience::wait_unless(&client, &asked, audience::NEW_HUB, stop, failure)? {
                Came::Interrupted => Err(Ended::Interrupted),
                Came::All => Ok(Self { client, _reach: reach }),
            }
        };
        terminal::noted_by(|line| tracing::debug!("{line}"), start)
    }

    fn beep(&self, name: &str, stop: &AtomicBool) -> Result<(), Ended> {
        jobs::beep(self.client.clone(), name, stop)
    }
}

fn failure(ended: Ended) -> Failure {
    match ended {
        Ended::Interrupted => Failure::new(Exit::Interrupted, "interrupted; nothing was saved"),
        Ended::Failed(failure) => failure,
    }
}

#[cfg(test)]
mod tests {
    use antiphon_bluetooth::Kind;

    use super::super::choose::tests::{Scripted, facts};
    use super::super::names;
    use super::*;

    #[test]
    fn speakers_that_stand_the_other_way_round_are_exchanged() {
        let (a, b) = (facts(1, "JBL", Kind::Speaker, None), facts(2, "Mi", Kind::Speaker, None));
        let mut unlike = names::pair("stereo", [&a, &b]);
        exchange(&mut unlike);
        let shown: Vec<_> = unlike.member.iter().map(|m| (m.address, m.speaker.as_str(), m.role)).collect();
        assert_eq!(shown, [(b.address, "Mi", Role::Left), (a.address, "JBL", Role::Right)]);

        let b = facts(2, "JBL", Kind::Speaker, None);
        let mut alike = names::pair("stereo", [&a, &b]);
        exchange(&mut alike);
        let shown: Vec<_> = alike.member.iter().map(|m| (m.address, m.speaker.as_str(), m.role)).collect();
        assert_eq!(shown, [(b.address, "stereo left", Role::Left), (a.address, "stereo right", Role::Right)]);
    }

    #[test]
    fn only_an_answer_is_taken_for_one() {
        let mut person = Scripted::new(&["what?", "", "Right"]);
        assert_eq!(ask(&mut person), Heard::Right);
        assert_eq!(person.told.iter().filter(|line| line.starts_with("l is left")).count(), 2);
        assert_eq!(ask(&mut Scripted::new(&["n"])), Heard::Again);
        assert_eq!(ask(&mut Scripted::new(&[])), Heard::Skip);
    }
}
