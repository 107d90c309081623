//! Which guide is meant.

use antiphon_catalog::check::Standing;
use antiphon_catalog::guide::{Plan, Saved};
use antiphon_catalog::{Catalogue, Found, Named};

use super::GuideArgs;
use crate::advice::CaseArgs;
use crate::advice::page::{Page, offered};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// What is wished for.
pub enum Wish {
    /// These steps, for the model of this name.
    Plan(Box<Plan>, Option<String>),
    /// To see what there is.
    List,
}

/// The plan that was typed, or the one that was left.
///
/// # Errors
/// No guide and no model of that name.
pub fn plan(catalogue: &Catalogue, args: &GuideArgs, kept: Option<&Saved>) -> Result<Wish, Failure> {
    let Some(what) = &args.what else {
        let Some(saved) = kept else { return Ok(Wish::List) };
        return Ok(wish(catalogue, &saved.guide, saved.model.as_deref()).unwrap_or(Wish::List));
    };
    if catalogue.guide(what).is_some() {
        if let Some(model) = &args.model {
            taken_for(&found(catalogue, model)?, model);
        }
        return Ok(wish(catalogue, what, args.model.as_deref()).unwrap_or(Wish::List));
    }
    taken_for(&found(catalogue, what)?, what);
    best(catalogue, &args.case, what, args.model.as_deref())
}

/// The plan of the guide `method`, or of the best method for the models; without either the list.
///
/// # Errors
/// No guide and no model of that name.
pub fn choice(
    catalogue: &Catalogue,
    case: &CaseArgs,
    method: Option<&str>,
    model: Option<&str>,
    other: Option<&str>,
) -> Result<Wish, Failure> {
    for model in model.into_iter().chain(other) {
        found(catalogue, model)?;
    }
    match (method, model) {
        // What `check` calls a method has a guide of its own.
        (Some(method), _) => wish(catalogue, guide_of(catalogue, method), model).ok_or_else(|| {
            let names: Vec<&str> = catalogue.guides.iter().map(|guide| guide.id.as_str()).collect();
            Failure::new(Exit::NotFound, format!("{method:?} is no method; there are: {}", names.join(", ")))
        }),
        (None, Some(model)) => best(catalogue, case, model, other),
        (None, None) => Ok(Wish::List),
    }
}

fn guide_of<'a>(catalogue: &'a Catalogue, method: &'a str) -> &'a str {
    catalogue.methods.iter().find(|one| one.id.as_str() == method).map_or(method, |one| one.guide.as_str())
}

fn wish(catalogue: &Catalogue, guide: &str, model: Option<&str>) -> Option<Wish> {
    let found = model.and_then(|model| known(catalogue, model));
    let plan = catalogue.plan(guide, found)?;
    Some(Wish::Plan(Box::new(plan), found.map(|found| found.name.to_owned())))
}

fn known<'a>(catalogue: &'a Catalogue, model: &str) -> Option<Found<'a>> {
    match catalogue.find(model) {
        Named::Known(found) => Some(found),
        Named::Several(_) | Named::Unknown(_) => None,
    }
}

/// A name that may mean another model as well does so aloud.
fn taken_for(found: &Found, typed: &str) {
    if found.is_guess(typed) {
        terminal::note(&format!("{typed:?} is taken for {}.", found.name));
    }
}

fn found<'a>(catalogue: &'a Catalogue, model: &str) -> Result<Found<'a>, Failure> {
    let (names, lead) = match catalogue.find(model) {
        Named::Known(found) => return Ok(found),
        Named::Several(names) => (names, "may be"),
        Named::Unknown(names) => (names, "is neither a guide nor a known model; nearest:"),
    };
    let message = format!(
        "{model:?} {lead} {}; `antiphon guide host-pair` works for any two Bluetooth speakers, `antiphon guide` \
         lists the others",
        offered(&names, ", ")
    );
    Err(Failure::new(Exit::NotFound, message))
}

/// The guide of the method that `check` finds best.
fn best(catalogue: &Catalogue, case: &CaseArgs, first: &str, other: Option<&str>) -> Result<Wish, Failure> {
    let report = catalogue.check(&case.question(first, other)?);
    terminal::note(&report.verdict);
    if report.methods.iter().any(|judged| matches!(judged.standing, Standing::Maybe | Standing::NotYet)) {
        terminal::note("antiphon check says more about the others.");
    }
    let model = report.alike.then(|| report.speakers[0].name().to_owned());
    let best = catalogue.method(report.best).map_or("host-pair", |method| method.guide.as_str());
    Ok(wish(catalogue, best, model.as_deref()).unwrap_or(Wish::List))
}

/// What there is.
pub fn list(catalogue: &Catalogue) -> String {
    let mut page = Page::default();
    page.say(0, "antiphon guide METHOD, or antiphon guide MODEL for the best method. The methods:");
    page.gap();
    for guide in &catalogue.guides {
        let later = if guide.later.is_some() { " (not in this version)" } else { "" };
        page.item(2, &format!("{:<15}", guide.id), &format!("{}{later}", guide.title));
    }
    page.text()
}

#[cfg(test)]
mod tests {
    use antiphon_catalog::MethodId;

    use super::*;

    #[test]
    fn what_check_calls_a_method_leads_to_its_guide_and_so_does_the_guides_own_name() {
        let catalogue = Catalogue::embedded();
        for method in MethodId::ALL {
            let guide = guide_of(&catalogue, method.as_str());
            assert!(catalogue.guide(guide).is_some(), "{guide}");
        }
        assert_eq!(guide_of(&catalogue, "host-pair"), "host-pair");
    }
}
