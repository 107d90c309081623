//! Who plays and who is missing: said when playing begins, and whenever it changes.

use std::time::{Duration, Instant};

use antiphon_api::{LinkState, ProgrammeState, SourceTarget, SpeakerStatus, Status};
use antiphon_base::Role;

/// How often the hub is asked: a person who has switched a speaker on waits for its sound, not for this.
const LOOK: Duration = Duration::from_secs(2);

/// How a speaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It plays, or will at once.
    Here,
    /// It is connected, and does not know the time yet.
    Late,
    /// Its program runs; its device is away.
    Deviceless,
    /// Nothing is heard of it, or its link is down.
    Away,
}

/// One that is to play.
#[derive(Debug, Clone, PartialEq)]
struct Called {
    name: String,
    role: Option<Role>,
    presence: Presence,
}

/// What was said of whom.
#[derive(Debug, Default)]
pub struct Roll {
    said: Option<Vec<Called>>,
    looked: Option<Instant>,
}

impl Roll {
    /// Whether it is time to ask the hub who is there, while a programme is in `state`.
    pub fn is_due(&self, state: ProgrammeState) -> bool {
        let begun =
            matches!(state, ProgrammeState::Starting | ProgrammeState::Playing | ProgrammeState::Paused);
        begun && self.looked.is_none_or(|looked| looked.elapsed() >= LOOK)
    }

    /// What is to be said by a hub's status: of `targets`, or of all speakers where nobody was named.
    pub fn call(&mut self, status: &Status, targets: &[SourceTarget]) -> Vec<String> {
        self.looked = Some(Instant::now());
        let found = called(status, targets);
        match self.said.take() {
            None if found.is_empty() => Vec::new(),
            None => {
                self.said = Some(found.clone());
                vec![first_words(&found)]
            }
            Some(before) => {
                let (now, lines) = changes(before, found);
                self.said = Some(now);
                lines
            }
        }
    }
}

/// Whether none of those that are to play is there any more.
pub fn is_deserted(status: &Status, targets: &[SourceTarget]) -> bool {
    !status.speakers.iter().any(|speaker| is_meant(&speaker.name, targets))
}

fn is_meant(name: &str, targets: &[SourceTarget]) -> bool {
    targets.is_empty() || targets.iter().any(|target| target.name == name)
}

fn called(status: &Status, targets: &[SourceTarget]) -> Vec<Called> {
    let known = |name: &str| status.speakers.iter().find(|speaker| speaker.name == name);
    let of_target = |target: &SourceTarget| {
        let speaker = known(&target.name);
        let role = target.role.or(speaker.map(|speaker| speaker.role));
        Called { name: target.name.clone(), role, presence: speaker.map_or(Presence::Away, presence) }
    };
    let of_speaker = |speaker: &SpeakerStatus| Called {
        name: speaker.name.clone(),
        role: Some(speaker.role),
        presence: presence(speaker),
    };
    if targets.is_empty() {
        status.speakers.iter().map(of_speaker).collect()
    } else {
        targets.iter().map(of_target).collect()
    }
}

fn presence(speaker: &SpeakerStatus) -> Presence {
    match (speaker.link.as_ref().map(|link| link.state), &speaker.report) {
        (Some(LinkState::Down), _) => Presence::Away,
        (Some(LinkState::Connecting | LinkState::Unknown), _) | (_, None) => Presence::Late,
        (_, Some(report)) if report.state == "failed" => Presence::Deviceless,
        (_, Some(report)) if report.synced => Presence::Here,
        _ => Presence::Late,
    }
}

/// `on desk (left); shelf (right) is missing: is it on?`
fn first_words(found: &[Called]) -> String {
    let named = |wanted| found.iter().filter(move |called| called.presence == wanted).map(shown);
    let here: Vec<_> = named(Presence::Here).collect();
    let on = (!here.is_empty()).then(|| format!("on {}", here.join(", ")));
    let away = named(Presence::Away).map(|who| format!("{who} is missing: is it on?"));
    let deviceless = named(Presence::Deviceless).map(|who| format!("{who} is missing: its device is away"));
    let late = named(Presence::Late).map(|who| format!("{who} is not ready yet, and joins in when it is"));
    on.into_iter().chain(away).chain(deviceless).chain(late).collect::<Vec<_>>().join("; ")
}

/// What is said so far, and what to say of `found`. One whose clock is unsure for a while was heard all the same.
fn changes(before: Vec<Called>, found: Vec<Called>) -> (Vec<Called>, Vec<String>) {
    let mut lines = Vec::new();
    let gone =
        |old: &&Called| old.presence != Presence::Away && !found.iter().any(|new| new.name == old.name);
    // Of those whom nobody named: their places are kept, so that their return is told.
    let gone: Vec<_> =
        before.iter().filter(gone).map(|old| Called { presence: Presence::Away, ..old.clone() }).collect();
    let mut now = found;
    now.extend(gone);
    for new in &mut now {
        let old = before.iter().find(|old| old.name == new.name).map_or(Presence::Away, |old| old.presence);
        let who = shown(new);
        match (old, new.presence) {
            (Presence::Here, Presence::Late) => new.presence = Presence::Here,
            (old, Presence::Here) if old != Presence::Here => lines.push(format!("{who} plays too")),
            (Presence::Here | Presence::Late, Presence::Away) => {
                lines.push(format!("{who} is gone: playing goes on without it"));
            }
            (Presence::Here | Presence::Late, Presence::Deviceless) => {
                lines.push(format!("the device of {who} is gone: playing goes on without it"));
            }
            _ => {}
        }
    }
    (now, lines)
}

fn shown(called: &Called) -> String {
    match called.role {
        Some(role) => format!("{} ({role})", called.name),
        None => called.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str, role: Role, presence: Presence) -> Called {
        Called { name: name.into(), role: Some(role), presence }
    }

    fn pair(left: Presence, right: Presence) -> Vec<Called> {
        vec![called("desk", Role::Left, left), called("shelf", Role::Right, right)]
    }

    #[test]
    fn who_is_missing_is_said_beside_who_plays() {
        use Presence::{Away, Deviceless, Here, Late};
        for (found, said) in [
            (pair(Here, Here), "on desk (left), shelf (right)"),
            (pair(Here, Away), "on desk (left); shelf (right) is missing: is it on?"),
            (pair(Here, Deviceless), "on desk (left); shelf (right) is missing: its device is away"),
            (pair(Late, Here), "on shelf (right); desk (left) is not ready yet, and joins in when it is"),
            (pair(Away, Away), "desk (left) is missing: is it on?; shelf (right) is missing: is it on?"),
        ] {
            assert_eq!(first_words(&found), said);
        }
    }

    #[test]
    fn who_goes_and_who_comes_is_said_once() {
        use Presence::{Away, Here, Late};
        let (now, said) = changes(pair(Here, Away), pair(Here, Here));
        assert_eq!(said, ["shelf (right) plays too"]);
        // Unsure of the time for a while: it plays on.
        let (now, said) = changes(now, pair(Here, Late));
        assert!(said.is_empty(), "{said:?}");
        let (now, said) = changes(now, pair(Here, Away));
        assert_eq!(said, ["shelf (right) is gone: playing goes on without it"]);
        let (now, said) = changes(now, pair(Here, Away));
        assert!(said.is_empty(), "{said:?}");
        // Nobody was named: the hub knows nothing of one that has left.
        let (now, said) = changes(now, vec![called("shelf", Role::Right, Here)]);
        assert_eq!(said, ["shelf (right) plays too", "desk (left) is gone: playing goes on without it"]);
        let (_, said) = changes(now, pair(Here, Here));
        assert_eq!(said, ["desk (left) plays too"]);
    }
}
