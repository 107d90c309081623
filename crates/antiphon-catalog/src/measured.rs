//! A measurement as a fact of a model's file.

use serde::Serialize;

use crate::catalogue::{Catalogue, File};
use crate::lint::Flaw;
use crate::model::Purpose;
use crate::name::Found;

/// What `antiphon measure` found of two speakers of one model.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How far apart they played.
    pub latency_ms: f64,
    /// In which mode: stereo, party or app.
    pub purpose: Purpose,
    /// As in `2026-03-31`.
    pub date: String,
    /// `good` or `usable`.
    pub grade: String,
    /// Firmware, distance, host.
    pub conditions: String,
}

/// The keys in the order of the catalogue's files.
#[derive(Serialize)]
struct Written<'a> {
    latency_ms: f64,
    #[serde(rename = "for")]
    purpose: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<&'a str>,
    evidence: &'a str,
    #[serde(rename = "where")]
    source: &'a str,
    date: &'a str,
    grade: &'a str,
    conditions: &'a str,
}

/// Hundredths of a millisecond are more than a second measurement would give again.
const STEPS_PER_MS: f64 = 100.0;

impl Measured {
    /// The fact about the model `found`, in TOML, to stand at the end of its file.
    ///
    /// # Panics
    /// Never: numbers and texts always have a form in TOML.
    pub fn fact(&self, found: &Found) -> String {
        let family = !found.model.covers.is_empty();
        let written = Written {
            latency_ms: (self.latency_ms * STEPS_PER_MS).round() / STEPS_PER_MS,
            purpose: self.purpose.as_str(),
            only: if family { vec![found.name] } else { Vec::new() },
            evidence: "measured",
            source: "lab",
            date: &self.date,
            grade: &self.grade,
            conditions: &self.conditions,
        };
        let keys = toml::to_string(&written).expect("numbers and texts have a form in TOML");
        format!("\n[[fact]]\n{keys}")
    }

    /// `text`, the file of the model `found`, with the fact at its end, and what is then wrong with it.
    pub fn added_to(&self, text: &str, found: &Found) -> (String, Vec<Flaw>) {
        // A step table at the end ends where the next table begins.
        let text = format!("{}\n{}", text.trim_end(), self.fact(found));
        let name = format!("{}.toml", found.model.id);
        let (_, flaws) = Catalogue::of(&[File { name: &name, text: &text }]);
        (text, flaws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Named;

    fn measured(conditions: &str) -> Measured {
        Measured {
            latency_ms: 4.216_789,
            purpose: Purpose::Stereo,
            date: "2026-03-31".into(),
            grade: "good".into(),
            conditions: conditions.into(),
        }
    }

    fn own_file(id: &str) -> String {
        let path = format!("{}/../../catalog/speakers/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_measurement_is_a_sound_fact_of_every_model() {
        let catalogue = Catalogue::embedded();
        for model in &catalogue.models {
            let name = model.covers.first().unwrap_or(&model.name);
            let Named::Known(found) = catalogue.find(name) else { panic!("{name}") };
            let (text, flaws) =
                measured("1 m, \"quoted\"\nsecond line").added_to(&own_file(&model.id), &found);
            assert!(flaws.is_empty(), "{flaws:?}");
            assert!(text.contains("latency_ms = 4.22") && text.contains("evidence = \"measured\""), "{text}");
            assert_eq!(text.contains(&format!("only = [{name:?}]")), !model.covers.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_flaw() {
        let catalogue = Catalogue::embedded();
        let Named::Known(found) = catalogue.find("Mi Portable Speaker 3") else { panic!() };
        let undated = Measured { date: "yesterday".into(), ..measured("1 m") };
        assert!(!undated.added_to(&own_file("mi-portable-speaker-3"), &found).1.is_empty());
    }
}
