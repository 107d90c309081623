//! Every guide, walked.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;
use crate::name::Named;

/// Every guide alone, and for every model with steps or keys of its own.
fn plans() -> Vec<Plan> {
    let catalogue = Catalogue::embedded();
    let mut plans = Vec::new();
    for guide in &catalogue.guides {
        plans.extend(catalogue.plan(&guide.id, None));
        for model in &catalogue.models {
            let Named::Known(found) = catalogue.find(&model.name) else { panic!("{}", model.name) };
            plans.extend(catalogue.plan(&guide.id, Some(found)));
        }
    }
    plans
}

#[test]
fn every_guide_is_walked_to_its_end_when_all_goes_well() {
    for plan in plans() {
        let mut walk = Walk::new();
        for number in 1..=plan.steps.len() {
            assert_eq!(
                walk.now(&plan),
                Now::At { number, of: plan.steps.len(), advice: None },
                "{}",
                plan.guide
            );
            walk.handle(&plan, Event::Done);
        }
        assert_eq!(walk.now(&plan), Now::End);
    }
}

/// Every state that any answers lead to: none is a dead end, from each the end is in reach.
#[test]
fn every_failure_branch_of_every_guide_is_walked_and_has_a_way_out() {
    for plan in plans() {
        let mut seen = BTreeSet::new();
        let mut open = vec![Walk::new()];
        let mut stuck = BTreeSet::new();
        let mut advised = BTreeSet::new();
        while let Some(walk) = open.pop() {
            if !seen.insert((walk.at, walk.failures, walk.rounds)) {
                continue;
            }
            match walk.now(&plan) {
                Now::Stuck { number, .. } => _ = stuck.insert(number - 1),
                Now::At { number, advice: Some(advice), .. } => {
                    _ = advised.insert((number - 1, advice.to_owned()))
                }
                _ => {}
            }
            for event in [Event::Done, Event::Failed] {
                let mut next = walk.clone();
                next.handle(&plan, event);
                // The way there is no part of the state that decides what comes.
                next.path.clear();
                open.push(next);
            }
            let mut rest = walk.clone();
            for _ in 0..=plan.steps.len() {
                rest.handle(&plan, Event::Done);
            }
            assert_eq!(rest.now(&plan), Now::End, "{} from {walk:?}", plan.guide);
        }
        let steps = plan.steps.iter().enumerate();
        let advice: usize = plan.steps.iter().map(|planned| planned.step.otherwise.len()).sum();
        assert_eq!(advised.len(), advice, "{}: each piece of advice is given somewhere", plan.guide);
        assert_eq!(
            stuck,
            steps.map(|(n, _)| n).collect(),
            "{}: each step can get stuck, and says so",
            plan.guide
        );
    }
}

#[test]
fn the_advice_of_a_step_is_given_piece_by_piece_and_then_the_way_back() {
    let plan = Catalogue::embedded().plan("host-pair", None).unwrap();
    let pair = plan.steps.iter().position(|planned| planned.id == "host-pair/pair").unwrap();
    let mut walk = Walk { at: pair, ..Walk::new() };
    for advice in &plan.steps[pair].step.otherwise {
        walk.handle(&plan, Event::Failed);
        assert!(matches!(walk.now(&plan), Now::At { advice: Some(now), .. } if now == advice));
    }
    walk.handle(&plan, Event::Failed);
    assert_eq!(walk.step(&plan).unwrap().id, "host-pair/pairing-mode");
    walk.handle(&plan, Event::Back);
    assert_eq!(walk.at, pair, "back is where one came from");
}

#[test]
fn a_failure_leads_back_twice_and_then_says_that_it_is_stuck() {
    let catalogue = Catalogue::embedded();
    let Named::Known(found) = catalogue.find("Mi Portable Speaker 3") else { panic!() };
    let plan = catalogue.plan("vendor-stereo", Some(found)).unwrap();
    let right = plan.steps.iter().position(|planned| planned.id == "vendor-stereo/right").unwrap();
    let mut walk = Walk { at: right, ..Walk::new() };
    for _ in 0..MAX_ROUNDS {
        while walk.at == right {
            walk.handle(&plan, Event::Failed);
        }
        while walk.at != right {
            walk.handle(&plan, Event::Done);
        }
    }
    for _ in 0..=plan.steps[right].step.otherwise.len() {
        walk.handle(&plan, Event::Failed);
    }
    assert!(matches!(walk.now(&plan), Now::Stuck { .. }), "{walk:?}");
}

#[test]
fn the_claimed_steps_of_the_guide_for_buyers_are_walked_for_its_model_and_called_claimed() {
    let catalogue = Catalogue::embedded();
    let Named::Known(found) = catalogue.find("mi portable 3") else { panic!() };
    let plan = catalogue.plan("vendor-stereo", Some(found)).unwrap();
    let own: Vec<&Planned> = plan.steps.iter().filter(|planned| planned.step.proof.is_some()).collect();
    assert_eq!(own.len(), 6);
    assert!(own.iter().all(|planned| planned.step.proof.as_ref().unwrap().evidence.word() == "claimed"));
    assert!(plan.steps.iter().any(|planned| planned.id == "prove/together"), "it ends with a proof");
}

#[test]
fn what_a_guide_has_let_see_is_not_asked_again_by_the_proof_that_follows() {
    for guide in ["splitter", "host-pair", "prove", "browser"] {
        let plan = Catalogue::embedded().plan(guide, None).unwrap();
        let sides =
            plan.steps.iter().filter(|planned| planned.step.check == Some(crate::guide::Check::Channels));
        assert_eq!(sides.count(), 1, "{guide}");
        assert_eq!(plan.steps.last().unwrap().id, "prove/together");
    }
}

#[test]
fn what_was_saved_is_taken_up_where_it_was_left() {
    for plan in plans() {
        let mut walk = Walk::new();
        for event in [Event::Done, Event::Failed, Event::Done, Event::Done, Event::Failed] {
            walk.handle(&plan, event);
            let saved =
                Saved::from_text(&Saved::of(&walk, &plan, &["a \"b\"".to_owned()]).to_text()).unwrap();
            assert_eq!(saved.walk(&plan), Ok(walk.clone()), "{}", plan.guide);
            assert_eq!((saved.guide.as_str(), saved.speakers[0].as_str()), (plan.guide.as_str(), "a \"b\""));
        }
    }
}

#[test]
fn a_saved_walk_that_fits_no_longer_says_so() {
    let plan = Catalogue::embedded().plan("prove", None).unwrap();
    let text = Saved::of(&Walk::new(), &plan, &[]).to_text();
    let gone = Saved::from_text(&text.replace("prove/sides", "prove/dance")).unwrap();
    assert_eq!(gone.walk(&plan), Err(SavedError::StepGone("prove/dance".into())));
    assert!(Saved::from_text(&text.replace("version = 1", "version = 2")).is_err());
    assert!(Saved::from_text("guide = 3").is_err());
}

proptest! {
    #[test]
    fn no_answers_lead_out_of_a_plan(events in prop::collection::vec(0u8..3, 0..400)) {
        static PLAN: std::sync::OnceLock<Plan> = std::sync::OnceLock::new();
        let plan = PLAN.get_or_init(|| Catalogue::embedded().plan("host-pair", None).unwrap());
        let mut walk = Walk::new();
        for event in events {
            walk.handle(plan, [Event::Done, Event::Failed, Event::Back][usize::from(event)]);
            prop_assert!(walk.at <= plan.steps.len() && walk.path.len() <= MAX_PATH);
        }
    }
}
