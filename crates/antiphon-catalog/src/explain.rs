//! Questions and myths, answered from the catalogue.

use strsim::levenshtein;

use crate::catalogue::Catalogue;
use crate::proof::Proof;

/// What is answered to a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As in `different-models`.
    pub id: String,
    /// As people ask it.
    pub question: String,
    /// Words that questions about it have.
    pub words: Vec<String>,
    /// The answer.
    pub short: String,
    /// What is said elsewhere, and may be wrong.
    pub claim: Option<String>,
    /// What to do.
    pub todo: Vec<String>,
    /// Of the claim where there is one, else of the answer.
    pub proof: Proof,
}

/// How many answers are given to one question: the one that is meant is among two nearly always.
const GIVEN: usize = 2;

/// A question shares this much with its answer.
const ENOUGH: f64 = 0.25;

/// Words that say nothing about what is asked.
const EMPTY: [&str; 36] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "can", "could", "did", "do", "does", "for", "get",
    "have", "how", "i", "if", "in", "is", "it", "its", "me", "my", "not", "or", "the", "their", "to", "what",
    "when", "why", "with", "you", "your",
];

impl Catalogue {
    /// The answers to `question`, the best first; none where nothing fits.
    pub fn explain(&self, question: &str) -> Vec<&Answer> {
        let asked = words(question);
        let mut marked: Vec<(f64, &Answer)> =
            self.answers.iter().map(|answer| (likeness(&asked, question, answer), answer)).collect();
        marked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best = marked.first().map_or(0.0, |(mark, _)| *mark);
        let fits = marked.iter().filter(|(mark, _)| *mark >= ENOUGH && *mark >= 0.75 * best);
        fits.take(GIVEN).map(|(_, answer)| *answer).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.chars().take(300).collect::<String>().to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric() && c != '.').map(|word| word.trim_matches('.'));
    let mut words: Vec<String> =
        parts.filter(|word| !word.is_empty() && !EMPTY.contains(word)).map(stem).collect();
    words.sort();
    words.dedup();
    words
}

/// Without the endings that questions change.
fn stem(word: &str) -> String {
    let cut =
        ["ing", "ed", "s"].iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.len() >= 4));
    cut.unwrap_or(word).to_owned()
}

/// One letter wrong in a long word; its first is right.
fn slip(word: &str, other: &str) -> bool {
    word.len() >= 6 && word.chars().next() == other.chars().next() && levenshtein(word, other) <= 1
}

fn likeness(asked: &[String], question: &str, answer: &Answer) -> f64 {
    if question.trim() == answer.id {
        return 2.0;
    }
    if asked.is_empty() {
        return 0.0;
    }
    let of_question = words(&answer.question);
    let of_words = words(&answer.words.join(" "));
    let has = |words: &[String], word: &str| words.iter().any(|other| other == word || slip(word, other));
    // Each word that is asked: as it stands in the question for one and a half, as a word for one.
    let marks: f64 = asked
        .iter()
        .map(|word| if has(&of_words, word) { 1.0 } else { 0.0 } + if has(&of_question, word) { 0.5 } else { 0.0 })
        .sum();
    let asked_at_all = of_question.iter().filter(|word| asked.contains(word)).count();
    marks / (1.5 * asked.len() as f64) + 0.3 * asked_at_all as f64 / of_question.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(question: &str) -> String {
        let catalogue = Catalogue::embedded();
        catalogue.explain(question).first().map(|answer| answer.id.clone()).unwrap_or_default()
    }

    #[test]
    fn questions_are_answered_as_people_ask_them() {
        for (question, id) in [
            ("second speaker disconnects the first", "second-disconnects-first"),
            (
                "Why does my Xiaomi speaker disconnect when I try to add the second one?",
                "second-disconnects-first",
            ),
            (
                "Can I connect two different Xiaomi speaker models (e.g., Mi Portable Speaker 3 + Redmi Speaker X)?",
                "different-models",
            ),
            ("Does using SoundSeeder affect audio quality or battery life?", "soundseeder-quality"),
            ("Can I use Siri or Google Assistant to control dual speakers?", "voice-assistant"),
            (
                "Turning on Bluetooth on both speakers and selecting them in phone settings creates stereo.",
                "select-both-in-settings",
            ),
            ("Updating my phone's OS will fix dual-speaker sync.", "phone-update"),
            ("is 11.3 ms good enough", "twelve-ms"),
            ("I hear an echo", "echo"),
            ("one speaker is silent", "silent-second"),
            ("br-connection-create-socket", "second-refused-linux"),
            ("y splitter stereo", "splitter-stereo"),
            ("do they drift", "drift"),
            ("jbl and xiaomi together", "different-models"),
        ] {
            assert_eq!(first(question), id, "{question}");
        }
    }

    #[test]
    fn every_question_of_the_catalogue_finds_its_own_answer() {
        for answer in &Catalogue::embedded().answers {
            assert_eq!(first(&answer.question), answer.id);
            assert_eq!(first(&answer.id), answer.id);
        }
    }

    #[test]
    fn what_nothing_is_known_of_is_not_answered() {
        for question in ["", "how do I bake bread", "???"] {
            assert_eq!(first(question), "", "{question}");
        }
    }

    #[test]
    fn what_is_refuted_says_why() {
        for answer in &Catalogue::embedded().answers {
            if let crate::Evidence::Refuted { because, .. } = &answer.proof.evidence {
                assert!(because.is_some() && answer.claim.is_some(), "{}", answer.id);
            }
        }
    }

    proptest! {
        #[test]
        fn no_question_makes_it_panic(question in "\\PC{0,400}") {
            static CATALOGUE: std::sync::OnceLock<Catalogue> = std::sync::OnceLock::new();
            let _ = CATALOGUE.get_or_init(Catalogue::embedded).explain(&question);
        }
    }
}
