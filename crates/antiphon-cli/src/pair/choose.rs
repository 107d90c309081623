//! Which speakers are meant: from a scan and a person's answers, or from what was typed.

use antiphon_bluetooth::{Address, Facts, Kind};

use super::person::Person;
use crate::bluetooth::named;

/// Those of `heard` that may play, those that surely do first, then the nearest.
pub fn speakers(heard: &[Facts]) -> Vec<Facts> {
    let mut found: Vec<Facts> = heard.iter().filter(|facts| facts.may_play()).cloned().collect();
    found.sort_by_key(|facts| {
        (facts.kind != Kind::Speaker, !facts.paired, std::cmp::Reverse(facts.rssi), facts.address)
    });
    found
}

/// The speakers as a numbered list.
pub fn list(found: &[Facts]) -> String {
    let line = |(n, facts): (usize, &Facts)| format!("  {}  {}\n", n + 1, describe(facts));
    found.iter().enumerate().map(line).collect()
}

/// A speaker in one line.
pub fn describe(facts: &Facts) -> String {
    let mut said = vec![match facts.name {
        Some(_) => named(facts),
        None => "(has not told its name)".into(),
    }];
    said.push(format!("{}", facts.address));
    said.extend(facts.maker.clone());
    said.push(match facts.rssi {
        Some(-60..) => "near".into(),
        Some(-80..) => "in reach".into(),
        Some(_) => "far".into(),
        None if facts.connected => "connected".into(),
        None => "not heard now".into(),
    });
    if facts.paired {
        said.push("paired".into());
    }
    if facts.kind == Kind::ProbablySpeaker {
        said.push("says that it is audio, not yet that it plays".into());
    }
    said.extend(facts.battery.map(|percent| format!("battery {percent} %")));
    said.join(", ")
}

/// What somebody decided before the list.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// The left and the right speaker.
    These([Address; 2]),
    /// Look once more.
    Again,
    /// Leave it.
    Leave,
}

/// Asks which is left and which is right; numbers may be exchanged later by what beeps.
pub fn ask(person: &mut dyn Person, found: &[Facts]) -> Choice {
    if found.len() < 2 {
        person.tell(match found.len() {
            0 => {
                "No speaker was heard. Switch both to pairing (usually a long press on the Bluetooth key, until it \
                 blinks) and disconnect them from phones."
            }
            _ => "Only this one was heard. Switch the other to pairing, and disconnect it from phones.",
        });
    }
    loop {
        let question = match found.len() {
            0 | 1 => "Enter looks again, q leaves:".to_owned(),
            n => format!("Which two, left first (as in: 1 2; up to {n})? Enter looks again, q leaves:"),
        };
        let Some(answer) = person.ask(&question) else { return Choice::Leave };
        match answer.as_str() {
            "" => return Choice::Again,
            "q" | "Q" => return Choice::Leave,
            numbers => match two(numbers, found) {
                Ok(two) => return Choice::These(two),
                Err(why) => person.tell(&why),
            },
        }
    }
}

fn two(text: &str, found: &[Facts]) -> Result<[Address; 2], String> {
    let wrong = || format!("{text:?} are not two numbers of the list, such as 1 2");
    let numbers = text.split([' ', ',']).filter(|part| !part.is_empty());
    let chosen = numbers.map(|part| {
        let n = part.parse::<usize>().ok()?.checked_sub(1)?;
        found.get(n).map(|facts| facts.address)
    });
    match chosen.collect::<Option<Vec<_>>>().ok_or_else(wrong)?[..] {
        [left, right] if left != right => Ok([left, right]),
        [_, _] => Err("Left and right are two speakers; choose two.".into()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::VecDeque;

    use antiphon_bluetooth::Told;

    use super::*;

    /// Somebody with answers prepared.
    pub struct Scripted {
        pub answers: VecDeque<&'static str>,
        pub told: Vec<String>,
    }

    impl Scripted {
        pub fn new(answers: &[&'static str]) -> Self {
            Self { answers: answers.iter().copied().collect(), told: Vec::new() }
        }
    }

    impl Person for Scripted {
        fn ask(&mut self, question: &str) -> Option<String> {
            self.told.push(question.to_owned());
            self.answers.pop_front().map(str::to_owned)
        }

        fn tell(&mut self, line: &str) {
            self.told.push(line.to_owned());
        }
    }

    pub fn facts(n: u8, name: &str, kind: Kind, rssi: Option<i16>) -> Facts {
        Facts {
            address: Address([0, 0, 0, 0, 0, n]),
            name: (!name.is_empty()).then(|| name.to_owned()),
            adapter: "hci0".into(),
            kind,
            maker: None,
            class: None,
            uuids: Vec::new(),
            rssi,
            paired: false,
            bonded: None,
            trusted: false,
            connected: false,
            battery: None,
            sinks: Vec::new(),
            firmware: Told::Unasked,
            model: None,
        }
    }

    fn heard() -> Vec<Facts> {
        vec![
            facts(1, "A phone", Kind::SourceOnly, Some(-30)),
            facts(2, "Far", Kind::Speaker, Some(-85)),
            facts(3, "Near", Kind::Speaker, Some(-40)),
            facts(4, "", Kind::ProbablySpeaker, Some(-20)),
        ]
    }

    #[test]
    fn what_plays_is_listed_the_nearest_first_and_phones_are_not() {
        let found = speakers(&heard());
        let names: Vec<_> = found.iter().map(|facts| facts.address.0[5]).collect();
        assert_eq!(names, [3, 2, 4]);
        let list = list(&found);
        assert!(list.starts_with("  1  Near, 00:00:00:00:00:03, near\n  2  Far,"), "{list}");
        assert!(list.contains("(has not told its name)") && list.contains("far"), "{list}");
    }

    #[test]
    fn slips_of_the_finger_are_asked_again() {
        let found = speakers(&heard());
        let mut person = Scripted::new(&["1", "1 9", "one two", "2 2", "2, 1"]);
        let wanted = [Address([0, 0, 0, 0, 0, 2]), Address([0, 0, 0, 0, 0, 3])];
        assert_eq!(ask(&mut person, &found), Choice::These(wanted));
        assert!(person.told.iter().any(|line| line.contains("two speakers")), "{:?}", person.told);
        assert_eq!(ask(&mut Scripted::new(&[""]), &found), Choice::Again);
        assert_eq!(ask(&mut Scripted::new(&["q"]), &found), Choice::Leave);
        assert_eq!(ask(&mut Scripted::new(&[]), &found), Choice::Leave, "nobody is there");
    }

    #[test]
    fn a_scan_that_heard_too_little_says_what_helps() {
        let mut person = Scripted::new(&["", ""]);
        assert_eq!(ask(&mut person, &[]), Choice::Again);
        assert_eq!(ask(&mut person, &speakers(&heard())[..1]), Choice::Again);
        let said = person.told.join("\n");
        assert!(said.contains("No speaker was heard") && said.contains("Only this one"), "{said}");
    }
}
