//! The catalogue as a whole: read from its files, checked, and asked.

use crate::explain::Answer;
use crate::guide::Guide;
use crate::lint::{self, Flaw};
use crate::method::{Method, MethodId};
use crate::model::Model;
use crate::proof::Source;
use crate::schema::{RawAnswers, RawGuide, RawMethods, RawModel, RawSources};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

const SOURCES: &str = include_str!("../../../catalog/sources.toml");
const METHODS: &str = include_str!("../../../catalog/methods.toml");
const ANSWERS: &str = include_str!("../../../catalog/answers.toml");

/// A file about a speaker: its name and its text.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// As in `mi-soundbar.toml`.
    pub name: &'a str,
    /// TOML.
    pub text: &'a str,
}

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// In the order of their files.
    pub models: Vec<Model>,
    /// The best first.
    pub methods: Vec<Method>,
    /// In the order of their files.
    pub guides: Vec<Guide>,
    /// What is answered.
    pub answers: Vec<Answer>,
    /// Where it comes from.
    pub sources: Vec<Source>,
}

impl Catalogue {
    /// The one that the program carries.
    ///
    /// # Panics
    /// Never in a program that was tested: its files are part of the build, and a test reads them.
    pub fn embedded() -> Self {
        let (catalogue, flaws) = Self::of(&[]);
        assert!(flaws.is_empty(), "the program's own catalogue is sound: {flaws:?}");
        catalogue
    }

    /// The program's own and `more` files, which replace those of the same name; and everything that
    /// is wrong with them. A file that does not read is left out.
    pub fn of(more: &[File]) -> (Self, Vec<Flaw>) {
        let mut flaws = Vec::new();
        let mut catalogue = Self::default();
        catalogue.read_fixed(&mut flaws);
        let replaced = |name: &str| more.iter().any(|file| file.name == name);
        let own = SPEAKERS.iter().filter(|(name, _)| !replaced(name));
        let files = own.map(|(name, text)| File { name, text }).chain(more.iter().copied());
        for file in files {
            match model(file) {
                Ok(model) => catalogue.models.push(model),
                Err(flaw) => flaws.push(flaw),
            }
        }
        flaws.extend(lint::all(&catalogue));
        (catalogue, flaws)
    }

    fn read_fixed(&mut self, flaws: &mut Vec<Flaw>) {
        let sources = toml::from_str::<RawSources>(SOURCES).map(|raw| raw.source);
        self.sources = keep(flaws, "sources.toml", sources.map_err(|error| error.to_string()));
        self.methods = keep(flaws, "methods.toml", methods());
        self.methods.sort_by_key(|method| method.order);
        self.answers = keep(flaws, "answers.toml", answers());
        for (name, text) in GUIDES {
            match toml::from_str::<RawGuide>(text) {
                Ok(raw) => self.guides.push(raw.into()),
                Err(error) => flaws.push(Flaw::new(name, error.to_string())),
            }
        }
    }

    /// The source called `id`; every id of a sound catalogue has one.
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// The method called `id`.
    pub fn method(&self, id: MethodId) -> Option<&Method> {
        self.methods.iter().find(|method| method.id == id)
    }

    /// The guide called `id`.
    pub fn guide(&self, id: &str) -> Option<&Guide> {
        self.guides.iter().find(|guide| guide.id == id)
    }
}

fn keep<T: Default>(flaws: &mut Vec<Flaw>, file: &str, read: Result<T, String>) -> T {
    read.unwrap_or_else(|why| {
        flaws.push(Flaw::new(file, why));
        T::default()
    })
}

fn model(file: File) -> Result<Model, Flaw> {
    let flaw = |why: String| Flaw::new(file.name, why);
    let raw = toml::from_str::<RawModel>(file.text).map_err(|error| flaw(error.to_string()))?;
    let model = raw.read().map_err(flaw)?;
    if file.name != format!("{}.toml", model.id) {
        return Err(flaw(format!("its id is {:?}; id and file have one name", model.id)));
    }
    Ok(model)
}

fn methods() -> Result<Vec<Method>, String> {
    let raw = toml::from_str::<RawMethods>(METHODS).map_err(|error| error.to_string())?;
    raw.method
        .into_iter()
        .map(|raw| {
            let says = raw.says.into_iter().map(|said| said.read()).collect::<Result<_, _>>()?;
            let (id, order, title, sound) = (raw.id, raw.order, raw.title, raw.sound);
            Ok(Method { id, order, title, sound, guide: raw.guide, later: raw.later, says })
        })
        .collect()
}

fn answers() -> Result<Vec<Answer>, String> {
    let raw = toml::from_str::<RawAnswers>(ANSWERS).map_err(|error| error.to_string())?;
    raw.answer
        .into_iter()
        .map(|raw| {
            let proof = raw.proof().map_err(|why| format!("{}: {why}", raw.id))?;
            let (id, question, words, short) = (raw.id, raw.question, raw.words, raw.short);
            Ok(Answer { id, question, words, short, claim: raw.claim, todo: raw.todo, proof })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_catalogue_is_sound() {
        let (catalogue, flaws) = Catalogue::of(&[]);
        assert!(flaws.is_empty(), "{flaws:#?}");
        assert!(catalogue.models.len() >= 20 && catalogue.guides.len() >= 10);
    }

    #[test]
    fn every_model_of_the_guide_for_buyers_is_there_with_its_claims_and_no_more() {
        let catalogue = Catalogue::embedded();
        let of_the_guide = [
            "Redmi Airdots Pro 3",
            "Mi Portable Speaker 2",
            "Mi Smart Speaker Pro",
            "Mi Compact Speaker",
            "Redmi Bluetooth Speaker X",
            "Mi Soundbar",
            "Mi Home Speaker",
            "Mi Portable Speaker 3",
            "Redmi Buds 4 Pro",
            "Mi True Wireless Earbuds 3",
            "Mi Portable Speaker Lite",
            "Mi Smart Speaker HD",
        ];
        for name in of_the_guide {
            let model = catalogue.models.iter().find(|model| model.name == name).expect(name);
            assert!(!model.facts.is_empty(), "{name}");
            let sure = |fact: &crate::Fact| fact.proof.source == "guide" && fact.proof.evidence.weight() > 1;
            assert!(!model.facts.iter().any(sure), "{name}: what only that guide says is claimed");
        }
    }

    #[test]
    fn a_file_replaces_the_one_of_its_name_and_one_that_does_not_read_is_named() {
        let text = "id = \"mi-soundbar\"\nname = \"Bar\"\nbrand = \"Xiaomi\"\nkind = \"soundbar\"\n";
        let (catalogue, flaws) = Catalogue::of(&[File { name: "mi-soundbar.toml", text }]);
        assert!(flaws.is_empty() && catalogue.models.iter().any(|model| model.name == "Bar"), "{flaws:?}");
        let bad = format!("{text}colour = \"red\"\n");
        let (_, flaws) = Catalogue::of(&[File { name: "mi-soundbar.toml", text: &bad }]);
        assert!(flaws.len() == 1 && flaws[0].to_string().contains("colour"), "{flaws:?}");
        let (_, flaws) = Catalogue::of(&[File { name: "other.toml", text }]);
        assert!(flaws[0].to_string().contains("other.toml"), "{flaws:?}");
    }
}
