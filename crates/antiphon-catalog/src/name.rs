//! Which model is meant by what somebody typed.

use std::collections::BTreeSet;

use strsim::levenshtein;

use crate::catalogue::Catalogue;
use crate::model::Model;

/// What a name was found to mean.
#[derive(Debug, Clone)]
pub enum Named<'a> {
    /// This model.
    Known(Found<'a>),
    /// Any of these models: more has to be typed. The nearest first.
    Several(Vec<String>),
    /// None; the nearest models first, three at most.
    Unknown(Vec<String>),
}

/// A model, and which of its names was meant.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The model, or the family.
    pub model: &'a Model,
    /// The model's name; of a family that of the covered model.
    pub name: &'a str,
}

impl Found<'_> {
    /// Whether it is something to buy, not the name of a family.
    fn is_model(&self) -> bool {
        self.model.covers.is_empty() || self.model.covers.iter().any(|covered| covered == self.name)
    }

    /// Whether `typed` may have meant another model as well: it lacks a word by which models differ, or has another one.
    pub fn is_guess(&self, typed: &str) -> bool {
        let brand = words(&self.model.brand);
        let telling = |text: &str| -> BTreeSet<String> {
            let words = words(text).into_iter();
            words.filter(|word| !brand.contains(word) && !COMMON.contains(&word.as_str())).collect()
        };
        telling(typed) != telling(self.name)
    }
}

/// How many are offered of a name that means none: more are a list, not a hint.
const OFFERED: usize = 3;

/// Longer names are nonsense.
const MAX_LENGTH: usize = 100;

impl Catalogue {
    /// The model that is meant by `typed`: words in any order and case, with or without the brand, a
    /// letter or two wrong in a long word. Numbers must be right.
    pub fn find(&self, typed: &str) -> Named<'_> {
        let typed: String = typed.chars().take(MAX_LENGTH).collect();
        let wanted = words(&typed);
        let mut ranked: Vec<(f64, Found)> = self.candidates(&typed, &wanted).collect();
        // Equal marks stay in the catalogue's order.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut named: Vec<(f64, Found)> = Vec::new();
        for (mark, found) in ranked {
            if !named.iter().any(|(_, other)| other.name == found.name) {
                named.push((mark, found));
            }
        }
        // Nobody has a family at home.
        let models = |from: &[(f64, Found)]| -> Vec<String> {
            from.iter()
                .filter(|(_, found)| found.is_model())
                .map(|(_, found)| found.name.to_owned())
                .collect()
        };
        match named.as_slice() {
            [(best, found), rest @ ..] if *best >= SURE => {
                let near = rest.iter().take_while(|(mark, _)| best - mark < APART).count();
                if near == 0 || *best >= EXACT {
                    Named::Known(*found)
                } else {
                    Named::Several(models(&named[..=near]))
                }
            }
            _ => Named::Unknown(models(&named).into_iter().take(OFFERED).collect()),
        }
    }

    fn candidates<'a>(&'a self, typed: &str, wanted: &[String]) -> impl Iterator<Item = (f64, Found<'a>)> {
        self.models.iter().flat_map(move |model| {
            let brand = words(&model.brand);
            model.called.iter().map(move |called| {
                let exact = called.text.eq_ignore_ascii_case(typed.trim());
                let mark = if exact { EXACT } else { likeness(wanted, &called.words, &brand) };
                (mark, Found { model, name: &called.name })
            })
        })
    }
}

/// As typed, letter by letter.
const EXACT: f64 = 2.0;

/// From this mark on everything that was typed is in the name.
const SURE: f64 = 0.8;

/// Nearer marks are too near to choose.
const APART: f64 = 0.02;

/// Words that many names have.
const COMMON: [&str; 5] = ["speaker", "bluetooth", "portable", "wireless", "smart"];

pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut kind = None;
    for letter in text.to_lowercase().chars() {
        let this = if letter.is_numeric() { Some(true) } else { letter.is_alphabetic().then_some(false) };
        match (this, words.last_mut()) {
            (None, _) => {}
            (Some(_), Some(word)) if this == kind => word.push(letter),
            _ => words.push(letter.to_string()),
        }
        kind = this;
    }
    // Xiaomi's own short form.
    for word in &mut words {
        if word == "xiaomi" {
            "mi".clone_into(word);
        }
    }
    words
}

/// How much of what was typed is in the name (most of the mark), and how much of the name was typed.
fn likeness(wanted: &[String], name: &[String], brand: &[String]) -> f64 {
    let weight = |word: &String| match () {
        () if brand.contains(word) => 0.2,
        () if COMMON.contains(&word.as_str()) => 0.4,
        () => 1.0,
    };
    let total: f64 = wanted.iter().map(weight).sum();
    if total == 0.0 {
        return 0.0;
    }
    let in_name: f64 = wanted
        .iter()
        .map(|word| {
            name.iter().chain(brand).map(|other| alike(word, other)).fold(0.0, f64::max) * weight(word)
        })
        .sum();
    let typed: f64 = name
        .iter()
        .map(|word| wanted.iter().map(|other| alike(other, word)).fold(0.0, f64::max) * weight(word))
        .sum();
    let whole: f64 = name.iter().map(weight).sum::<f64>().max(0.1);
    0.85 * in_name / total + 0.15 * typed / whole
}

/// How much a typed word is another: 1 the same, less for its beginning or a slip.
fn alike(typed: &str, word: &str) -> f64 {
    let number = |text: &str| text.starts_with(char::is_numeric);
    let length = typed.chars().count();
    match () {
        () if typed == word => 1.0,
        () if number(typed) || number(word) => 0.0,
        () if length >= 3 && word.starts_with(typed) => 0.95,
        () if length >= 4 && slips(typed, word) <= 1 + usize::from(length >= 8) => 0.9,
        () => 0.0,
    }
}

/// The edit distance of words of about one length; of others more than is ever allowed.
fn slips(typed: &str, word: &str) -> usize {
    if typed.len().abs_diff(word.len()) > 2 { usize::MAX } else { levenshtein(typed, word) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(typed: &str) -> Option<String> {
        match Catalogue::embedded().find(typed) {
            Named::Known(found) => Some(found.name.to_owned()),
            Named::Several(_) | Named::Unknown(_) => None,
        }
    }

    #[test]
    fn models_are_found_as_people_call_them() {
        for (typed, name) in [
            ("mi portable 3", "Mi Portable Speaker 3"),
            ("xiaomi speaker pro", "Mi Smart Speaker Pro"),
            ("Mi Portable Speaker 3", "Mi Portable Speaker 3"),
            ("xiaomi PORTABLE speaker 2", "Mi Portable Speaker 2"),
            ("redmi speaker x", "Redmi Bluetooth Speaker X"),
            ("Xiaomi Sound Outdoor", "Xiaomi Sound Outdoor 30W"),
            ("sound outdor", "Xiaomi Sound Outdoor 30W"),
            ("JBL Flip 6", "JBL Flip 6"),
            ("flip6", "JBL Flip 6"),
            ("jbl charge5", "JBL Charge 5"),
            ("srs-xb100", "Sony SRS-XB100"),
            ("ue boom 2", "Ultimate Ears BOOM 2"),
            ("megaboom 3", "Ultimate Ears MEGABOOM 3"),
            ("hyperboom", "Ultimate Ears HYPERBOOM"),
            ("middelton", "Marshall Middleton"),
            ("mi 16w", "Mi Portable Bluetooth Speaker 16W"),
            ("xiaomi.wifispeaker.lx01", "Xiaomi XiaoAI Wi-Fi speaker"),
            ("mi-soundbar", "Mi Soundbar"),
        ] {
            assert_eq!(found(typed).as_deref(), Some(name), "{typed}");
        }
    }

    #[test]
    fn every_model_is_found_by_its_own_name() {
        let catalogue = Catalogue::embedded();
        for model in &catalogue.models {
            for (text, name) in model.names() {
                assert_eq!(found(text).as_deref(), Some(name), "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_model_is_answered_with_the_nearest_three() {
        for typed in ["JBL Flip 9", "teapot", "", "mi portable speaker 4", "\u{1f50a}"] {
            let Named::Unknown(nearest) = Catalogue::embedded().find(typed) else { panic!("{typed}") };
            assert_eq!(nearest.len(), 3, "{typed}");
        }
        let Named::Unknown(nearest) = Catalogue::embedded().find("JBL Flip 9") else { panic!() };
        assert!(nearest.iter().all(|name| name.contains("Flip") || name.contains("JBL")), "{nearest:?}");
    }

    #[test]
    fn a_name_that_several_have_chooses_none() {
        let Named::Several(names) = Catalogue::embedded().find("jbl flip") else { panic!() };
        assert!(names.len() >= 2 && names.iter().all(|name| name.contains("Flip")), "{names:?}");
    }

    #[test]
    fn a_brand_alone_is_answered_with_its_models_and_no_family() {
        let Named::Several(names) = Catalogue::embedded().find("JBL") else { panic!() };
        assert!(names.len() > 3 && names.iter().all(|name| !name.contains("with")), "{names:?}");
    }

    #[test]
    fn a_name_that_lacks_what_tells_models_apart_is_a_guess() {
        let catalogue = Catalogue::embedded();
        let guessed = |typed: &str| match catalogue.find(typed) {
            Named::Known(found) => found.is_guess(typed).then(|| found.name.to_owned()),
            _ => panic!("{typed}"),
        };
        assert_eq!(guessed("Bose SoundLink").as_deref(), Some("Bose SoundLink Flex"));
        assert_eq!(guessed("Marshall Emberton").as_deref(), Some("Marshall Emberton II"));
        for sure in
            ["flip 6", "JBL Flip6", "mi portable 3", "Xiaomi Portable Speaker 3", "ultimate ears boom 2"]
        {
            assert_eq!(guessed(sure), None, "{sure}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(typed in "\\PC{0,120}") {
            static CATALOGUE: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();
            let _ = CATALOGUE.get_or_init(Catalogue::embedded).find(&typed);
        }
    }
}
