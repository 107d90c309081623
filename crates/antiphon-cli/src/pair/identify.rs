//! Which speaker stands where: each beeps alone, and somebody says from where it came.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use antiphon_api::SourceTarget;
use antiphon_audio::source;
use antiphon_base::Role;
use antiphon_measure::lab::tracks::TestTrack;
use antiphon_speaker::pairs::Pair;

use super::args::nobody_else;
use super::person::Person;
use crate::exit::{Exit, Failure};
use crate::play;

/// What somebody heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Left,
    Right,
    Again,
    Skip,
}

/// Lets the speakers of `pair` beep until their sides are known, and exchanges them if they stand the
/// other way round; whether somebody has confirmed it.
///
/// # Errors
/// They cannot be played to.
pub fn sides(pair: &mut Pair, person: &mut dyn Person, stop: &Arc<AtomicBool>) -> Result<bool, Failure> {
    loop {
        person.tell(&format!("{} beeps ...", pair.member[0].speaker));
        beep(pair, 0, stop)?;
        match ask(person) {
            Heard::Left => return Ok(true),
            Heard::Right => {
                exchange(pair);
                person.tell(&format!("Then {} is right.", pair.member[1].speaker));
                return Ok(true);
            }
            Heard::Again => person.tell("Once more; if it stays silent, turn its own volume up."),
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
            _ => {}
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

/// The speaker plays its side of the track that tells sides apart.
fn beep(pair: &Pair, index: usize, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let member = &pair.member[index];
    let source = source::open_samples(TestTrack::Identify.render(), 2, &format!("{} beeps", member.speaker));
    let target = SourceTarget { name: format!("bluetooth:{}", member.address), role: Some(member.role) };
    match play::perform(source, vec![target], &nobody_else(), Arc::clone(stop))? {
        Exit::Interrupted => Err(Failure::new(Exit::Interrupted, "interrupted; nothing was saved")),
        _ => Ok(()),
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
        assert_eq!(ask(&mut Scripted::new(&["what?", "", "Right"])), Heard::Right);
        assert_eq!(ask(&mut Scripted::new(&["n"])), Heard::Again);
        assert_eq!(ask(&mut Scripted::new(&[])), Heard::Skip);
    }
}
