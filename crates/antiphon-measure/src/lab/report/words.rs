//! The verdict in plain words, and what to do next.

use super::numbers::{cm, delay, plus_minus_time, time};
use crate::lab::measurement::{Class, FindingKind, Grade, Measurement, PairResult, Polarity, Severity};

/// How good or bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Care,
    Bad,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Care => "care",
            Self::Bad => "bad",
        }
    }
}

/// What the page says first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub tone: Tone,
    /// The big word.
    pub word: &'static str,
    /// What it means.
    pub sentences: Vec<String>,
    /// What to do, in order.
    pub next: Vec<String>,
}

/// From half a decibel on a level difference is worth a turn of the knob.
const LEVEL_WORTH_DB: f64 = 0.5;

pub(super) fn verdict(m: &Measurement) -> Verdict {
    if m.grade == Grade::NotTrustworthy {
        return not_trustworthy(m);
    }
    match worst_pair(m) {
        Some(pair) => of_pair(m, pair),
        None => of_one(m),
    }
}

/// The pair that is furthest apart.
pub(super) fn worst_pair(m: &Measurement) -> Option<&PairResult> {
    let known = m.pairs.iter().filter(|p| p.a < m.channels.len() && p.b < m.channels.len());
    let known = known.filter(|p| p.delay_us.value.is_finite());
    known.max_by(|p, q| p.delay_us.value.abs().total_cmp(&q.delay_us.value.abs()))
}

fn not_trustworthy(m: &Measurement) -> Verdict {
    let heard = m.channels.iter().any(|c| c.heard);
    let mut sentences = vec!["Nothing on this page may be acted upon. The reasons come next.".to_owned()];
    if heard {
        sentences.push(
            "Numbers and pictures are shown all the same, since they help to find the cause.".to_owned(),
        );
    }
    let next = [
        "Do what the reasons above ask for.",
        "Then play and record the measure track once more: both speakers equally loud, the room quiet, the \
         microphone where you listen, its voice processing (noise suppression, echo cancelling) off.",
        "If you can choose, save the recording as WAV or FLAC.",
    ];
    Verdict { tone: Tone::Bad, word: "Not trustworthy", sentences, next: next.map(str::to_owned).to_vec() }
}

fn of_one(m: &Measurement) -> Verdict {
    let heard: Vec<&str> = m.channels.iter().filter(|c| c.heard).map(|c| c.name.as_str()).collect();
    let (word, sentence, next) = match heard[..] {
        [] => (
            "Nothing heard",
            "No speaker was heard in this recording.".to_owned(),
            "Play the measure track louder or bring the microphone nearer, and record again.",
        ),
        [one] if m.channels.len() == 1 => (
            "One speaker",
            format!("{one} was measured alone: there is nothing to compare it with."),
            "Measure two or more speakers at once to learn how far apart they are.",
        ),
        [one] => (
            "One speaker only",
            format!("Only {one} was heard, so nothing can be said of how the speakers go together."),
            "See that every speaker is on, connected and turned up, and record again.",
        ),
        _ => (
            "Not compared",
            "Speakers were heard, but no two of them could be compared.".to_owned(),
            "Record again, a little louder and nearer.",
        ),
    };
    Verdict { tone: Tone::Care, word, sentences: vec![sentence], next: vec![next.to_owned()] }
}

fn of_pair(m: &Measurement, pair: &PairResult) -> Verdict {
    let (tone, word) = big_word(pair.class);
    let mut sentences = vec![apart(m, pair), heard_as(pair.class).to_owned()];
    sentences.extend(unsure_class(pair));
    if m.grade == Grade::Usable {
        sentences.push(
            "The measurement is usable, not good: read the doubts below before you act on it.".to_owned(),
        );
    }
    let tone = if m.grade == Grade::Usable && tone == Tone::Good { Tone::Care } else { tone };
    Verdict { tone, word, sentences, next: next_steps(m, pair) }
}

fn big_word(class: Class) -> (Tone, &'static str) {
    match class {
        Class::StereoPair => (Tone::Good, "Good stereo pair"),
        Class::SameRoom => (Tone::Good, "Good for one room"),
        Class::Fused => (Tone::Care, "Pulled to one side"),
        Class::Colouring => (Tone::Bad, "Coloured sound"),
        Class::Echo => (Tone::Bad, "Echo"),
    }
}

fn heard_as(class: Class) -> &'static str {
    match class {
        Class::StereoPair => "Together they make one stereo image, as good as from one device.",
        Class::SameRoom => {
            "They sound as one. A careful listener in the middle hears the image a little to one side."
        }
        Class::Fused => "You hear one sound, but it seems to come from the earlier speaker.",
        Class::Colouring => {
            "You hear one sound, but hollow or metallic, as in a tube: some tones cancel, others double."
        }
        Class::Echo => "You hear everything twice. They cannot be used as a pair like this.",
    }
}

/// "At the microphone, right is heard 11.30 ms after left", or that nobody can tell which is first.
fn apart(m: &Measurement, pair: &PairResult) -> String {
    let place = if m.pairs.len() > 1 { "Furthest apart at the microphone:" } else { "At the microphone," };
    let (a, b) = names(m, pair);
    let estimate = pair.delay_us;
    if estimate.value.abs() <= estimate.half_95() {
        let most = time(estimate.value.abs() + estimate.half_95());
        return format!(
            "{place} {a} and {b} are heard together, to within {most}: which is first cannot be told."
        );
    }
    let (first, second) = if estimate.value > 0.0 { (a, b) } else { (b, a) };
    format!(
        "{place} {second} is heard {} after {first}.",
        plus_minus_time(estimate.value.abs(), estimate.half_95())
    )
}

fn unsure_class(pair: &PairResult) -> Option<String> {
    let (value, half) = (pair.delay_us.value.abs(), pair.delay_us.half_95());
    let (best, worst) = (Class::of((value - half).max(0.0)), Class::of(value + half));
    (best != worst).then(|| {
        let (best, worst) = (short_name(best), short_name(worst));
        format!("The uncertainty reaches from \u{201c}{best}\u{201d} to \u{201c}{worst}\u{201d}.")
    })
}

/// A class in one or two words.
pub(super) fn short_name(class: Class) -> &'static str {
    match class {
        Class::StereoPair => "stereo pair",
        Class::SameRoom => "same room",
        Class::Fused => "fused",
        Class::Colouring => "colouring",
        Class::Echo => "echo",
    }
}

/// Names of a pair's channels.
pub(super) fn names<'a>(m: &'a Measurement, pair: &PairResult) -> (&'a str, &'a str) {
    let name = |c: usize| m.channels.get(c).map_or("?", |c| c.name.as_str());
    (name(pair.a), name(pair.b))
}

fn next_steps(m: &Measurement, pair: &PairResult) -> Vec<String> {
    let mut steps = vec![];
    if pair.class != Class::StereoPair {
        steps.extend(about_time(m, pair));
    }
    steps.extend(about_polarity(m));
    steps.extend(about_level(m));
    if steps.is_empty() {
        steps.push("Nothing: leave everything as it is.".to_owned());
    }
    steps.push(
        "This holds where the microphone stood. Where you listen from another place, measure there too."
            .to_owned(),
    );
    steps
}

fn about_time(m: &Measurement, pair: &PairResult) -> Vec<String> {
    let mut steps = vec![];
    let waits = waits_us(m);
    if let [(name, wait_us)] = waits[..] {
        steps.push(format!(
            "Let {name} wait: give it a delay of {}, in its own settings or in the player's.",
            delay(wait_us, pair.delay_us.half_95())
        ));
    } else {
        steps.push(
            "Let the earlier speakers wait for the latest; the table of speakers says how long.".to_owned(),
        );
    }
    steps.push("Antiphon's own speakers: `antiphon calibrate` does it, and measures again.".to_owned());
    if pair.delay_us.value.abs() < 5_000.0 {
        let (first, _) = earlier(m, pair);
        steps.push(format!(
            "Or move {first} back by {}: sound takes 1 ms for 34 cm.",
            cm(pair.path_cm().abs(), pair.delay_us.half_95())
        ));
    } else {
        steps.push(format!(
            "Moving speakers hardly mends this: it is {} of way in air.",
            cm(pair.path_cm().abs(), pair.delay_us.half_95())
        ));
    }
    steps
}

fn earlier<'a>(m: &'a Measurement, pair: &PairResult) -> (&'a str, &'a str) {
    let (a, b) = names(m, pair);
    if pair.delay_us.value >= 0.0 { (a, b) } else { (b, a) }
}

/// How long each speaker would have to wait for the latest one, those that would.
fn waits_us(m: &Measurement) -> Vec<(&str, f64)> {
    let heard = m.channels.iter().filter(|c| c.heard);
    let waits = heard.map(|c| (c.name.as_str(), wait_us(m, c.arrival_us.value)));
    waits.filter(|(_, us)| *us > 0.0).collect()
}

/// How long a speaker that arrives then would have to wait for the latest one.
pub(super) fn wait_us(m: &Measurement, arrival_us: f64) -> f64 {
    let heard = m.channels.iter().filter(|c| c.heard);
    let latest = heard.map(|c| c.arrival_us.value).fold(f64::NEG_INFINITY, f64::max);
    latest - arrival_us
}

fn about_polarity(m: &Measurement) -> Option<String> {
    let found = m.findings.iter().any(|f| f.kind == FindingKind::PolarityDiffers);
    let turned: Vec<&str> = m
        .channels
        .iter()
        .filter(|c| c.heard && c.polarity == Polarity::Inverted)
        .map(|c| c.name.as_str())
        .collect();
    let all = turned.len() == m.channels.iter().filter(|c| c.heard).count();
    (!turned.is_empty() && !all || found).then(|| {
        format!(
            "Turn the polarity of {}: swap + and \u{2212} of its wires, or choose \u{201c}invert\u{201d} in its settings.",
            if turned.is_empty() || all { "one speaker".to_owned() } else { turned.join(", ") }
        )
    })
}

fn about_level(m: &Measurement) -> Option<String> {
    let heard = m.channels.iter().filter(|c| c.heard && c.level_db.is_finite());
    let loudest = heard.clone().max_by(|a, b| a.level_db.total_cmp(&b.level_db))?;
    let quietest = heard.min_by(|a, b| a.level_db.total_cmp(&b.level_db))?;
    let difference = loudest.level_db - quietest.level_db;
    let many = m.channels.iter().filter(|c| c.heard).count() > 2;
    (difference >= LEVEL_WORTH_DB).then(|| match many {
        true => format!(
            "Turn the louder speakers down to the quietest, {}: by up to {difference:.1} dB, as the table of \
             speakers says.",
            quietest.name
        ),
        false => {
            format!("Turn {} down by {difference:.1} dB: it is louder than {}.", loudest.name, quietest.name)
        }
    })
}

/// Findings of one severity, in order.
pub(super) fn findings(m: &Measurement, severity: Severity) -> Vec<&str> {
    m.findings.iter().filter(|f| f.severity == severity).map(|f| f.message.as_str()).collect()
}
