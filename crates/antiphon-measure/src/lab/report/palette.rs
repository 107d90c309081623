//! Colours of the page and of its pictures, light and dark.
//!
//! The four channels differ to colour-blind eyes too (after Okabe and Ito, darkened and lightened until
//! they can be read), and every line has its name beside it: colour is never the only sign.

use std::fmt::Write;

/// What has a colour: its name in class names and variables, on a light page, on a dark one.
pub(super) const COLOURS: [(&str, &str, &str); 20] = [
    ("ink", "#1a1e24", "#e9ecf0"),
    ("soft", "#525a65", "#aeb6c1"),
    ("rule", "#d5dae0", "#3b424c"),
    ("page", "#f2f4f6", "#111418"),
    ("card", "#ffffff", "#1b2026"),
    ("ch0", "#0062a3", "#62b8f5"),
    ("ch1", "#b04100", "#ff9d5c"),
    ("ch2", "#006b4d", "#41cf9f"),
    ("ch3", "#8a3a80", "#e8a0da"),
    ("band0", "#c9e7f7", "#0d4a66"),
    ("band1", "#dcefe4", "#215044"),
    ("band2", "#fbf0c0", "#544b14"),
    ("band3", "#fbd9ac", "#673f10"),
    ("band4", "#f7c0ae", "#702a18"),
    ("good", "#00573f", "#6fe0b9"),
    ("goodbg", "#ddf3ea", "#123a2e"),
    ("care", "#6d4200", "#ffcd7d"),
    ("carebg", "#fff0d2", "#40300f"),
    ("bad", "#93190f", "#ffaea3"),
    ("badbg", "#fce4e1", "#481c18"),
];

/// Class of a channel's colour.
pub(super) fn channel(index: usize) -> String {
    format!("ch{}", index % 4)
}

/// Variables for a page.
pub(super) fn variables() -> String {
    let list = |dark: bool| {
        COLOURS.iter().fold(String::new(), |mut out, (name, light, night)| {
            let _ = write!(out, "--{name}:{};", if dark { night } else { light });
            out
        })
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        list(false),
        list(true)
    )
}

/// Rules for pictures: `f-NAME` fills, `s-NAME` draws lines. Plain colours, which every viewer knows.
pub(super) fn picture_rules() -> String {
    let rules = |dark: bool| {
        COLOURS.iter().fold(String::new(), |mut out, (name, light, night)| {
            let colour = if dark { night } else { light };
            let _ = write!(out, ".f-{name}{{fill:{colour}}}.s-{name}{{fill:none;stroke:{colour}}}");
            out
        })
    };
    format!(
        "svg text{{font:14px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}}\
         svg .strong{{font-weight:600}}svg .halo{{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}}\n\
         {}\n@media (prefers-color-scheme:dark){{{}}}\n",
        rules(false) + ".halo{stroke:#ffffff}",
        rules(true) + ".halo{stroke:#1b2026}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: &str) -> f64 {
        let part = |n: usize| f64::from(u8::from_str_radix(&colour[n..n + 2], 16).unwrap()) / 255.0;
        let linear = |x: f64| if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5))
    }

    /// As WCAG 2 has it.
    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn colour(name: &str, dark: bool) -> &'static str {
        let (_, light, night) = COLOURS.iter().find(|c| c.0 == name).unwrap();
        if dark { night } else { light }
    }

    #[test]
    fn every_text_can_be_read_on_its_ground_by_day_and_by_night() {
        let mut pairs =
            vec![("good", "goodbg"), ("care", "carebg"), ("bad", "badbg"), ("ink", "page"), ("soft", "page")];
        pairs.extend(
            ["ink", "soft", "ch0", "ch1", "ch2", "ch3", "good", "care", "bad"].map(|name| (name, "card")),
        );
        pairs.extend(
            ["band0", "band1", "band2", "band3", "band4", "goodbg", "carebg", "badbg"]
                .map(|name| ("ink", name)),
        );
        for (text, ground) in pairs {
            for dark in [false, true] {
                let ratio = contrast(colour(text, dark), colour(ground, dark));
                assert!(ratio >= 4.5, "{text} on {ground}, dark {dark}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn the_halo_is_the_cards_colour() {
        let rules = picture_rules();
        for dark in [false, true] {
            assert!(rules.contains(&format!(".halo{{stroke:{}}}", colour("card", dark))));
        }
    }
}
