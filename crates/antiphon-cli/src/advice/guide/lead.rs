//! One step at a time, with somebody at a terminal.

use antiphon_catalog::guide::{Check, Checker, Event, Now, Plan, Verdict, Walk};

use super::write;
use crate::advice::page::Page;
use crate::exit::Failure;
use crate::pair::{Person, yes_or_no};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// At the end.
    Done,
    /// Somebody left.
    Left,
}

/// Whoever checks may first want to know something that only the person has.
pub trait Asks {
    /// Asks for it.
    fn ask_for(&mut self, what: Check, person: &mut dyn Person);
}

/// What somebody typed.
enum Answer {
    Done,
    Failed,
    Back,
    Leave,
}

/// Leads `walk` through `plan`; `keep` saves each place.
///
/// # Errors
/// A place that cannot be saved.
pub fn lead<C: Checker + Asks>(
    plan: &Plan,
    mut walk: Walk,
    person: &mut dyn Person,
    checker: &mut C,
    keep: &dyn Fn(&Walk) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    person.tell(&format!("\n{}\n", write::title(plan)));
    if let Some(later) = &plan.later {
        person.tell(later);
    }
    person.tell(ANSWERS);
    loop {
        keep(&walk)?;
        let Some(planned) = walk.step(plan) else { return Ok(Ended::Done) };
        tell(plan, &walk, person);
        match ask(person) {
            Answer::Leave => return Ok(Ended::Left),
            Answer::Back => walk.handle(plan, Event::Back),
            Answer::Failed => walk.handle(plan, Event::Failed),
            Answer::Done => {
                let fine = match planned.step.check {
                    Some(check) => looks_fine(check, person, checker),
                    None => Some(true),
                };
                let Some(fine) = fine else { return Ok(Ended::Left) };
                walk.handle(plan, if fine { Event::Done } else { Event::Failed });
            }
        }
    }
}

fn tell(plan: &Plan, walk: &Walk, person: &mut dyn Person) {
    let Some(planned) = walk.step(plan) else { return };
    let mut page = Page::default();
    match walk.now(plan) {
        Now::At { number, of, advice: None } => {
            let claimed = planned.step.proof.as_ref().map_or("", |proof| proof.evidence.word());
            let mark = if claimed.is_empty() { String::new() } else { format!(" ({claimed})") };
            page.say(0, &format!("Step {number} of {of}{mark}"));
            page.say(2, &planned.step.task);
        }
        Now::At { number, of, advice: Some(advice) } => {
            page.say(0, &format!("Step {number} of {of}, once more"));
            page.item(2, "Try this: ", advice);
            page.item(2, "Then: ", &planned.step.task);
        }
        Now::Stuck { number, of } => {
            page.say(0, &format!("Step {number} of {of}: everything that is known for it has been tried"));
            page.item(2, "* ", "antiphon doctor looks for what is in the way.");
            page.item(2, "* ", "antiphon check MODEL names the other methods that work.");
            page.item(2, "* ", "n tries this step anew, Enter goes on without it, b goes back.");
        }
        Now::End => return,
    }
    write::body(&mut page, &planned.step, 2);
    person.tell("");
    person.tell(page.text().trim_end());
}

/// Nobody there is somebody who left. What is no answer is asked again: it would count for one that was not given.
fn ask(person: &mut dyn Person) -> Answer {
    loop {
        let Some(answer) = person.ask("[Enter/n/b/q]") else { return Answer::Leave };
        match answer.trim().to_lowercase().as_str() {
            "" | "y" | "yes" | "done" => return Answer::Done,
            "n" | "no" => return Answer::Failed,
            "b" | "back" => return Answer::Back,
            "q" | "quit" => return Answer::Leave,
            _ => person.tell(ANSWERS),
        }
    }
}

/// What is understood.
const ANSWERS: &str = "Enter: done. n: it did not work. b: back. q: leave, and go on another day.";

/// Whether a step is done; `None`: somebody leaves.
fn looks_fine<C: Checker + Asks>(check: Check, person: &mut dyn Person, checker: &mut C) -> Option<bool> {
    checker.ask_for(check, person);
    match checker.check(check) {
        Verdict::Passed(what) => {
            person.tell(&format!("  Checked: {}.", what.trim_end_matches('.')));
            Some(true)
        }
        Verdict::Failed(why) => {
            person.tell(&format!("  This computer sees otherwise: {why}"));
            yes_or_no(person, "Is it as it should be all the same?", Some(false))
        }
        Verdict::CannotTell(why) => {
            person.tell(&format!("  This computer cannot tell ({why})."));
            yes_or_no(person, "Is it as it should be?", Some(true))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use antiphon_catalog::Catalogue;

    use super::*;

    /// Answers from a list, then leaves.
    #[derive(Default)]
    struct Script {
        answers: VecDeque<&'static str>,
        heard: Vec<String>,
    }

    impl Person for Script {
        fn ask(&mut self, question: &str) -> Option<String> {
            self.heard.push(question.to_owned());
            self.answers.pop_front().map(str::to_owned)
        }

        fn tell(&mut self, line: &str) {
            self.heard.push(line.to_owned());
        }
    }

    /// Finds the same, whatever it looks at.
    struct Finds(Verdict);

    impl Checker for Finds {
        fn check(&mut self, _: Check) -> Verdict {
            self.0.clone()
        }
    }

    impl Asks for Finds {
        fn ask_for(&mut self, _: Check, _: &mut dyn Person) {}
    }

    fn walked(guide: &str, answers: &[&'static str], finds: Verdict) -> (Ended, Vec<String>, Vec<Walk>) {
        let plan = Catalogue::embedded().plan(guide, None).unwrap();
        let mut person = Script { answers: answers.iter().copied().collect(), ..Script::default() };
        let kept = RefCell::new(Vec::new());
        let keep = |walk: &Walk| {
            kept.borrow_mut().push(walk.clone());
            Ok(())
        };
        let ended = lead(&plan, Walk::new(), &mut person, &mut Finds(finds), &keep).unwrap();
        (ended, person.heard, kept.into_inner())
    }

    #[test]
    fn every_guide_is_led_to_its_end_by_somebody_who_presses_enter() {
        for guide in &Catalogue::embedded().guides {
            let (ended, heard, kept) = walked(&guide.id, &[""; 60], Verdict::Passed("it is so".into()));
            assert_eq!(ended, Ended::Done, "{}", guide.id);
            assert!(kept.len() > guide.steps.len() && !heard.is_empty());
        }
    }

    #[test]
    fn a_check_that_fails_gives_the_advice_of_the_step_unless_somebody_insists() {
        let sees = Verdict::Failed("no adapter".into());
        let (ended, heard, kept) = walked("host-pair", &["", "", "n", "q"], sees.clone());
        let text = heard.join("\n");
        assert_eq!(ended, Ended::Left);
        assert!(
            text.contains("sees otherwise: no adapter") && text.contains("Try this: Do what doctor says"),
            "{text}"
        );
        assert_eq!(kept.len(), 3);
        let (_, heard, _) = walked("host-pair", &["", "", "y", "q"], sees);
        assert!(heard.join("\n").contains("Step 3 of"));
    }

    #[test]
    fn what_only_a_person_can_tell_is_asked() {
        let unsure = Verdict::CannotTell("ears".into());
        let (_, heard, _) = walked("prove", &["", "n", "q"], unsure.clone());
        assert!(heard.join("\n").contains("once more"), "{heard:?}");
        let (_, heard, _) = walked("prove", &["", "", "q"], unsure);
        assert!(heard.join("\n").contains("Step 2 of"), "{heard:?}");
    }

    #[test]
    fn what_is_no_answer_is_asked_again_and_counts_for_none() {
        let (_, heard, kept) = walked("splitter", &["what?", "12", "", "q"], Verdict::Passed(String::new()));
        assert_eq!(heard.iter().filter(|line| *line == ANSWERS).count(), 3, "{heard:?}");
        assert!(kept.len() == 2 && heard.join("\n").contains("Step 2 of"), "{heard:?}");
        let (ended, _, kept) = walked("prove", &["", "q"], Verdict::CannotTell("ears".into()));
        assert_eq!((ended, kept.len()), (Ended::Left, 1), "q leaves at each question");
    }

    #[test]
    fn somebody_who_goes_on_failing_is_told_that_all_was_tried_and_what_else_works() {
        let (_, heard, _) = walked("splitter", &["n", "n", "q"], Verdict::Passed(String::new()));
        let text = heard.join("\n");
        assert!(text.contains("everything that is known") && text.contains("antiphon check MODEL"), "{text}");
    }

    #[test]
    fn back_is_back_and_the_end_of_input_leaves() {
        let (ended, heard, kept) = walked("splitter", &["", "b"], Verdict::Passed(String::new()));
        assert_eq!((ended, kept.len()), (Ended::Left, 3));
        assert_eq!(
            kept[2].step(&Catalogue::embedded().plan("splitter", None).unwrap()).unwrap().id,
            "splitter/cable"
        );
        assert!(heard.iter().filter(|line| line.starts_with("Step 1 of")).count() == 2, "{heard:?}");
    }
}
