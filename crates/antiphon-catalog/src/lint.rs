//! What a catalogue must not contain: contradictions, proofs that prove nothing, ends that lead nowhere.

use std::collections::BTreeMap;
use std::fmt;

use crate::catalogue::Catalogue;
use crate::method::MethodId;
use crate::model::{Fact, Model, Statement};
use crate::proof::{Evidence, Proof};

/// Something that is wrong with a file of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// As in `mi-soundbar.toml`.
    pub file: String,
    /// In a sentence.
    pub what: String,
}

impl Flaw {
    pub(crate) fn new(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

/// Everything that is wrong with `catalogue`.
pub(crate) fn all(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for model in &catalogue.models {
        let file = format!("{}.toml", model.id);
        let found = proofs(catalogue, model).into_iter().chain(contradictions(model)).chain(names(model));
        flaws.extend(found.map(|what| Flaw::new(&file, what)));
    }
    flaws.extend(shared_names(catalogue));
    flaws.extend(fixed(catalogue));
    flaws.extend(guides(catalogue));
    flaws
}

/// A fact's words and evidence, to name it by.
fn told(fact: &Fact) -> String {
    let proof = &fact.proof;
    let place = proof.place.as_ref().map_or(String::new(), |place| format!(", {place}"));
    format!("{:?} ({}: {}{place})", fact.statement.words(), proof.evidence.word(), proof.source)
}

fn contradictions(model: &Model) -> Vec<String> {
    let mut found = Vec::new();
    for (n, one) in model.facts.iter().enumerate() {
        for other in &model.facts[n + 1..] {
            let stand = one.proof.evidence.stands() && other.proof.evidence.stands();
            let both = stand && overlap(one, other) && !outdone(one, other);
            if let Some(why) = one.statement.excludes(&other.statement).filter(|_| both) {
                found.push(format!(
                    "{} and {} contradict each other ({why}): mark the one that is wrong as refuted, or remove it",
                    told(one),
                    told(other)
                ));
            }
        }
    }
    found
}

/// A latency that was measured stands beside another one, and is the one that is told: one unit under one set of
/// conditions proves no claim about all of them wrong.
fn outdone(one: &Fact, other: &Fact) -> bool {
    let measured = |fact: &Fact| matches!(fact.proof.evidence, Evidence::Measured { .. });
    let latency = |fact: &Fact| matches!(fact.statement, Statement::LatencyMs(..));
    latency(one) && latency(other) && (measured(one) || measured(other))
}

/// Whether both are about one model of a family.
fn overlap(one: &Fact, other: &Fact) -> bool {
    one.only.is_empty() || other.only.is_empty() || one.only.iter().any(|name| other.only.contains(name))
}

fn proofs(catalogue: &Catalogue, model: &Model) -> Vec<String> {
    let facts = model.facts.iter().map(|fact| (told(fact), &fact.proof));
    let steps = model
        .steps
        .iter()
        .filter_map(|(_, step)| Some((format!("step {:?}", step.id), step.proof.as_ref()?)));
    facts
        .chain(steps)
        .filter_map(|(what, proof)| Some(format!("{what} {}", unproved(catalogue, proof)?)))
        .collect()
}

/// What is wrong with a proof.
fn unproved(catalogue: &Catalogue, proof: &Proof) -> Option<String> {
    let Some(source) = catalogue.source(&proof.source) else {
        return Some(format!("names the source {:?}, which sources.toml does not have", proof.source));
    };
    match &proof.evidence {
        Evidence::Documented if !source.origin.documents() => Some(format!(
            "is documented by {:?}, which is neither maker, standard nor this project: claimed at most",
            source.id
        )),
        Evidence::Refuted { by, .. } if catalogue.source(by).is_none() => {
            Some(format!("is refuted by {by:?}, which sources.toml does not have"))
        }
        _ => None,
    }
}

fn names(model: &Model) -> Option<String> {
    let id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (model.id.is_empty() || !model.id.chars().all(id))
        .then(|| format!("{:?} is no id; use small letters, digits and hyphens", model.id))
}

/// No two models may answer to one name.
fn shared_names(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    let mut flaws = Vec::new();
    for model in &catalogue.models {
        for (name, _) in model.names() {
            let owner = owners.entry(name.to_lowercase()).or_insert(&model.id);
            if *owner != model.id {
                let what = format!("{name:?} is also a name of {owner}");
                flaws.push(Flaw::new(&format!("{}.toml", model.id), what));
            }
        }
    }
    flaws
}

fn fixed(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for id in MethodId::ALL {
        if catalogue.method(id).is_none() {
            flaws.push(Flaw::new("methods.toml", format!("{id} is missing")));
        }
    }
    for method in &catalogue.methods {
        if catalogue.guide(&method.guide).is_none() {
            flaws.push(Flaw::new(
                "methods.toml",
                format!("{}: there is no guide {:?}", method.id, method.guide),
            ));
        }
        let unproved = method
            .says
            .iter()
            .filter_map(|(text, proof)| Some(format!("{text:?} {}", unproved(catalogue, proof)?)));
        flaws.extend(unproved.map(|what| Flaw::new("methods.toml", what)));
    }
    for answer in &catalogue.answers {
        if let Some(why) = unproved(catalogue, &answer.proof) {
            flaws.push(Flaw::new("answers.toml", format!("{:?} {why}", answer.id)));
        }
    }
    flaws
}

fn guides(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for guide in &catalogue.guides {
        let file = format!("{}.toml", guide.id);
        if let Some(next) = guide.then.as_ref().filter(|next| catalogue.guide(next).is_none()) {
            flaws.push(Flaw::new(&file, format!("there is no guide {next:?} to go on with")));
        }
        flaws.extend(ends(&guide.steps).into_iter().map(|what| Flaw::new(&file, what)));
    }
    for model in &catalogue.models {
        let steps: Vec<_> = model.steps.iter().map(|(_, step)| step.clone()).collect();
        flaws.extend(ends(&steps).into_iter().map(|what| Flaw::new(&format!("{}.toml", model.id), what)));
    }
    flaws
}

/// Steps with one id, and ways back to where nothing is, or forward.
fn ends(steps: &[crate::guide::Step]) -> Vec<String> {
    let place = |id: &str| steps.iter().position(|step| step.id == id);
    let mut found = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        if place(&step.id) != Some(n) {
            found.push(format!("two steps are called {:?}", step.id));
        }
        match &step.back_to {
            Some(back) if place(back).is_none_or(|at| at > n) => {
                found.push(format!("step {:?} leads back to {back:?}, which is no step before it", step.id));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{Catalogue, File};

    fn flaws(facts: &str) -> Vec<String> {
        let text = format!(
            "id = \"x\"\nname = \"X 9\"\nbrand = \"X\"\nkind = \"speaker\"\ncovers = [\"X 9a\", \"X 9b\"]\n{facts}"
        );
        let (_, flaws) = Catalogue::of(&[File { name: "x.toml", text: &text }]);
        flaws.iter().map(ToString::to_string).collect()
    }

    fn fact(says: &str, evidence: &str) -> String {
        format!("[[fact]]\n{says}\nevidence = \"{evidence}\"\nwhere = \"guide\"\n")
    }

    #[test]
    fn facts_that_contradict_each_other_are_both_named() {
        for (one, other) in [
            ("input = \"aux\"", "no_input = \"aux\""),
            ("pairing = \"none\"", "pairing = \"stereo\""),
            ("bluetooth = \"5.0\"", "bluetooth = \"5.4\""),
            ("firmware = \"V1.2\"\nfor = \"stereo\"", "firmware = \"V1.3\"\nfor = \"stereo\""),
            ("latency_ms = 10.0\nfor = \"stereo\"", "latency_ms = 40.0\nfor = \"stereo\""),
        ] {
            let found = flaws(&(fact(one, "claimed") + &fact(other, "claimed")));
            assert_eq!(found.len(), 1, "{one} {other}: {found:?}");
            assert_eq!(found[0].matches("claimed: guide").count(), 2, "{}", found[0]);
        }
    }

    #[test]
    fn what_is_refuted_or_about_another_model_contradicts_nothing() {
        let refuted =
            "[[fact]]\npairing = \"none\"\nevidence = \"refuted\"\nwhere = \"guide\"\nby = \"project\"\n";
        assert_eq!(flaws(&(fact("pairing = \"stereo\"", "claimed") + refuted)), [""; 0]);
        let a = fact("bluetooth = \"5.0\"\nonly = [\"X 9a\"]", "claimed");
        let b = fact("bluetooth = \"5.4\"\nonly = [\"X 9b\"]", "claimed");
        assert_eq!(flaws(&(a + &b)), [""; 0]);
    }

    #[test]
    fn each_flaw_is_named_with_its_file() {
        for (facts, words) in [
            (fact("input = \"aux\"", "documented"), "claimed at most"),
            (fact("input = \"aux\"", "heard"), "\"heard\" is no evidence"),
            (fact("", "claimed"), "says nothing"),
            (fact("input = \"aux\"\ncodec = \"AAC\"", "claimed"), "several things"),
            (fact("firmware = \"V1.2\"", "claimed"), "for what"),
            (fact("firmware = \"latest\"\nfor = \"stereo\"", "claimed"), "is no version"),
            (fact("input = \"aux\"\nfor = \"stereo\"", "claimed"), "`for` has no meaning"),
            (fact("input = \"aux\"\nonly = [\"Y\"]", "claimed"), "`covers` does not"),
            (fact("latency_ms = -1.0\nfor = \"stereo\"", "claimed"), "no latency"),
            (fact("input = \"aux\"\ncolour = \"red\"", "claimed"), "colour"),
            (fact("input = \"aux\"", "claimed").replace("guide", "nobody"), "\"nobody\""),
        ] {
            let found = flaws(&facts);
            assert!(
                found.len() == 1 && found[0].starts_with("x.toml: ") && found[0].contains(words),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_name_belongs_to_one_model() {
        let text = "id = \"x\"\nname = \"mi SOUNDBAR\"\nbrand = \"X\"\nkind = \"soundbar\"\n";
        let (_, flaws) = Catalogue::of(&[File { name: "x.toml", text }]);
        assert!(flaws.len() == 1 && flaws[0].to_string().contains("mi-soundbar"), "{flaws:?}");
    }
}
