//! The first lines of a file about a speaker that the catalogue does not have yet.

/// A file to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name, as in `jbl-flip-99.toml`.
    pub file: String,
    /// TOML, with what can be said as comments.
    pub text: String,
}

/// Longer names are nonsense.
const MAX_NAME: usize = 80;

/// A file about the model called `name`; `None`: that is no name.
pub fn template(name: &str, brand: Option<&str>) -> Option<Template> {
    let name = name.trim();
    let printable = |text: &str| !text.chars().any(|c| c.is_control() || c == '"' || c == '\\');
    let brand = brand.or_else(|| name.split_whitespace().next()).unwrap_or_default();
    let id = id(name);
    if id.is_empty() || name.len() > MAX_NAME || !printable(name) || !printable(brand) {
        return None;
    }
    let text = format!("id = \"{id}\"\nname = \"{name}\"\nbrand = \"{brand}\"\n{REST}");
    Some(Template { file: format!("{id}.toml"), text })
}

fn id(name: &str) -> String {
    let letters = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>();
    letters.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

const REST: &str = r#"# speaker, smart_speaker, soundbar or ear_buds
kind = "speaker"
# What else people call it. The name itself needs no entry.
aliases = []

# One fact is one thing that is said, with its proof. Write what you know and delete the rest.
#   evidence = "claimed"      somebody says so
#   evidence = "documented"   the maker says so: its page or manual, which you have seen
#   evidence = "measured"     you measured it with antiphon measure: date, grade, conditions
#   evidence = "refuted"      it was claimed and is wrong: by = the source that shows it
# `where` is an id of catalog/sources.toml; add your source there.

[[fact]]
# stereo (left on one, right on the other), party (the same on all), app, or none
pairing = "none"
evidence = "claimed"
where = "guide"

# [[fact]]
# pairing = "party"
# protocol = "PartyBoost"      # speakers join only with the same system
# spans = "family"             # or "model"
# evidence = "documented"
# where = "..."

# [[fact]]
# bluetooth = "5.3"
# evidence = "documented"
# where = "..."

# [[fact]]
# input = "aux"                # or "wifi", "usb"; no_input = "aux" says that it has none
# evidence = "documented"
# where = "..."

# [[fact]]
# firmware = "1.2.3"           # the least, for = "stereo", "party" or "app"
# for = "stereo"
# evidence = "documented"
# where = "..."

# [[fact]]
# app = "JBL Portable"
# app_version = "5.0"
# for = "stereo"
# evidence = "claimed"
# where = "..."

# [[fact]]
# press = "hold play and Volume + until the lights go out"
# does = "reset"               # or "stereo", "party", "pair"
# evidence = "documented"
# where = "..."

# [[fact]]
# latency_ms = 4.2             # between the two, for = "stereo"
# for = "stereo"
# evidence = "measured"
# where = "lab"
# date = "2026-03-31"
# grade = "good"
# conditions = "firmware 1.2.3, both at 1 m from the microphone, from an Android phone"

# [[fact]]
# quirk = "what else must be known"
# evidence = "claimed"
# where = "..."
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, File};

    #[test]
    fn what_it_begins_with_is_sound_already() {
        let made = template("JBL Flip 99 (blue)", None).unwrap();
        assert_eq!(made.file, "jbl-flip-99-blue.toml");
        let (catalogue, flaws) = Catalogue::of(&[File { name: &made.file, text: &made.text }]);
        assert!(flaws.is_empty(), "{flaws:?}");
        assert!(
            catalogue.models.iter().any(|model| model.brand == "JBL" && model.name == "JBL Flip 99 (blue)")
        );
    }

    #[test]
    fn every_example_in_it_is_sound_too() {
        let made = template("X 9", None).unwrap();
        for example in made.text.split("\n\n").filter(|part| part.starts_with("# [[fact]]")) {
            let keys = example.lines().map(|line| line.trim_start_matches("# "));
            let text = keys.collect::<Vec<_>>().join("\n").replace("\"...\"", "\"project\"");
            let head = made.text.split("[[fact]]").next().unwrap();
            let (_, flaws) = Catalogue::of(&[File { name: "x-9.toml", text: &format!("{head}{text}\n") }]);
            assert!(flaws.is_empty(), "{text}: {flaws:?}");
        }
    }

    #[test]
    fn what_is_no_name_makes_no_file() {
        for bad in ["", "   ", "\u{1f50a}", "a\"b", "a\nb", &"x".repeat(200)] {
            assert_eq!(template(bad, None), None, "{bad}");
        }
    }
}
