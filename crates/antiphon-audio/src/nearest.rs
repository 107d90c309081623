//! What somebody may have meant.

use strsim::levenshtein;

/// How many names are suggested: more than three are a list, not a hint.
const SUGGESTIONS: usize = 3;

/// The names of `known` nearest to `name` by edit distance, best first; those that contain it before all others.
pub(crate) fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let wanted = name.to_lowercase();
    let rank = |known: &String| {
        let known = known.to_lowercase();
        (wanted.is_empty() || !known.contains(&wanted), levenshtein(&wanted, &known))
    };
    let mut ranked: Vec<&String> = known.iter().collect();
    ranked.sort_by_key(|known| (rank(known), *known));
    ranked.into_iter().take(SUGGESTIONS).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contains_the_name_comes_first_and_then_what_is_spelt_alike() {
        let known =
            ["alsa_output.usb-Box-00.analog-stereo", "hdmi", "left_room", "right_room"].map(String::from);
        assert_eq!(nearest("usb", &known)[0], known[0]);
        assert_eq!(nearest("left_rom", &known)[0], "left_room");
        assert_eq!(nearest("x", &known).len(), SUGGESTIONS);
    }
}
