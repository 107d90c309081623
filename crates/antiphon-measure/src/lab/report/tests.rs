use std::sync::LazyLock;

use super::samples::{channel, many, measurement, nothing, two, with};
use super::*;
use crate::lab::measurement::{FindingKind, Grade, Severity};

fn context() -> ReportContext {
    ReportContext {
        title: "Kitchen pair".to_owned(),
        when: "3 May 2026, 20:14".to_owned(),
        facts: vec![
            ("recording".to_owned(), "kitchen.m4a".to_owned()),
            ("played by".to_owned(), "a phone".to_owned()),
        ],
        notes: vec!["The window was open.".to_owned()],
    }
}

/// Every page that a test looks at, by name; with `ANTIPHON_KEEP_REPORTS=DIR` at build time they are
/// written there, to be looked at.
fn pages() -> &'static [(&'static str, Measurement, String)] {
    static PAGES: LazyLock<Vec<(&'static str, Measurement, String)>> = LazyLock::new(make_pages);
    &PAGES
}

fn make_pages() -> Vec<(&'static str, Measurement, String)> {
    let doubt =
        "The level of the recording changed by 4 dB while the signal played: switch automatic gain off.";
    let all = [
        ("stereo", two(23.0)),
        ("room", two(-134.0)),
        ("fused", two(1_240.0)),
        ("colouring", with(two(11_300.0), FindingKind::GainControl, Severity::Doubt, doubt)),
        ("echo", two(137_000.0)),
        ("four", many(4)),
        ("twenty", many(20)),
        (
            "refused",
            with(
                two(850.0),
                FindingKind::Clipped,
                Severity::Refusal,
                "The recording is clipped: play or record more quietly.",
            ),
        ),
        ("nothing", nothing()),
        ("one", measurement(vec![channel("desk", 0.0, 3)])),
    ];
    let page = |(name, m): (&'static str, Measurement)| {
        let page = html(&m, &context());
        if let Some(folder) = option_env!("ANTIPHON_KEEP_REPORTS") {
            std::fs::write(format!("{folder}/{name}.html"), &page).unwrap();
            for (picture, svg) in pictures(&m) {
                std::fs::write(format!("{folder}/{name}-{picture}.svg"), &svg).unwrap();
            }
        }
        (name, m, page)
    };
    all.map(page).into()
}

/// Every tag that is opened is closed, in order; attributes are quoted; no stray mark is left.
fn check_well_formed(text: &str) {
    let mut open: Vec<&str> = vec![];
    let mut rest = text.strip_prefix("<!DOCTYPE html>").unwrap_or(text);
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        if open.last() != Some(&"style") {
            check_text(before);
        }
        let end = tag.find('>').expect("a tag ends");
        let inside = &tag[1..end];
        assert!(!inside.contains('<') && inside.matches('"').count() % 2 == 0, "<{inside}>");
        rest = &tag[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &rest[..rest.len().min(80)]);
        } else if !inside.ends_with('/') {
            open.push(inside.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn check_text(text: &str) {
    for piece in text.split('&').skip(1) {
        assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|e| piece.starts_with(e)), "&{piece}");
    }
    assert!(!text.contains('>'), "{text}");
}

#[test]
fn pages_and_pictures_are_well_formed() {
    for (_, m, page) in pages() {
        check_well_formed(page);
        for (_, svg) in pictures(m) {
            check_well_formed(&svg);
            assert!(svg.starts_with("<svg xmlns="));
        }
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    for (name, m, page) in pages() {
        for word in ["http", "src=", "href", "url(", "@import", "<script", "onload", "<link", "<iframe"] {
            assert!(!page.contains(word), "{name}: {word}");
        }
        for (_, svg) in pictures(m) {
            let without_namespace = svg.replacen("http://www.w3.org/2000/svg", "", 1);
            assert!(!without_namespace.contains("http") && !svg.contains("href"));
        }
    }
}

#[test]
fn no_number_that_is_none_reaches_the_page() {
    let mut broken = two(f64::NAN);
    broken.channels[0].response[3].db = f64::INFINITY;
    broken.channels[0].impulse.samples[300] = f32::NAN;
    broken.channels[1].track[2].shift_us = f64::NAN;
    broken.recorder.peak_dbfs = f64::NAN;
    let mut all = pages().to_vec();
    all.push(("broken", broken.clone(), html(&broken, &context())));
    for (name, m, page) in all {
        let pictures: String = pictures(&m).into_iter().map(|(_, svg)| svg).collect();
        for text in [&page, &pictures] {
            assert!(!text.contains("NaN") && !text.contains("inf "), "{name}");
            assert!(!text.contains("\"inf") && !text.contains("-inf"), "{name}");
        }
    }
}

#[test]
fn names_from_outside_are_text_and_nothing_else() {
    let evil = "<script>alert('x')</script>\"&\u{202e}\u{7}";
    let mut m = measurement(vec![channel(evil, 0.0, 1), channel("right", 700.0, 2)]);
    m = with(m, FindingKind::Noisy, Severity::Doubt, evil);
    let text = || evil.to_owned();
    let context =
        ReportContext { title: text(), when: text(), facts: vec![(text(), text())], notes: vec![text()] };
    let page = html(&m, &context);
    check_well_formed(&page);
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{7}'));
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    for (_, svg) in pictures(&m) {
        check_well_formed(&svg);
        assert!(!svg.contains("<script"));
    }
}

#[test]
fn the_verdict_comes_first_in_one_big_word() {
    let words = [
        ("stereo", "Good stereo pair"),
        ("room", "Good for one room"),
        ("fused", "Pulled to one side"),
        ("colouring", "Coloured sound"),
        ("echo", "Echo"),
        ("refused", "Not trustworthy"),
        ("nothing", "Not trustworthy"),
        ("one", "One speaker"),
    ];
    let pages = pages();
    for (name, word) in words {
        let page = &pages.iter().find(|(n, _, _)| *n == name).unwrap().2;
        let at = page.find("class=\"word\"").unwrap();
        let end = at + page[at..].find("</p>").unwrap();
        assert!(page[at..end].ends_with(word), "{name}: {}", &page[at..end]);
        assert!(at < page.find("<h2>").unwrap());
    }
}

#[test]
fn every_section_of_a_whole_measurement_is_there_and_says_the_numbers() {
    let page = html(&two(11_300.0), &context());
    for id in [
        "verdict",
        "next",
        "findings",
        "pictures",
        "arrivals",
        "responses",
        "comb",
        "delay-over-time",
        "room",
        "recording",
        "speakers",
        "pairs",
        "notches",
        "notes",
        "words",
    ] {
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
    for said in [
        "At the microphone, right is heard 11.300 \u{b1} 0.006 ms after left",
        "Let left wait: give it a delay of 11.300 ms",
        "3.88 m",
        "542.4",
        "cut 17 notches",
        "A guide for buyers calls everything below 12 ms",
        "TWS grade",
        "575 Hz",
        "43.1 \u{b1} 0.4 ppm",
        "kitchen.m4a",
        "The window was open.",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let names: Vec<_> = pictures(&two(11_300.0)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["scale", "arrivals", "responses", "comb", "delay-over-time", "room"]);
}

#[test]
fn a_measurement_that_is_not_trustworthy_shows_its_reason_and_no_verdict_on_the_delay() {
    let m = with(two(23.0), FindingKind::Clipped, Severity::Refusal, "The recording is clipped.");
    let page = html(&m, &context());
    assert!(
        page.contains("The recording is clipped.") && page.contains("Nothing on this page may be acted upon")
    );
    let first = &page[..page.find("id=\"pictures\"").unwrap()];
    for word in ["stereo pair", "heard together", "Let left wait", "aria-label=\"left and right"] {
        assert!(!first.contains(word), "{word}");
    }
    assert!(page.find("id=\"findings\"") < page.find("id=\"next\""), "the reason comes first");
    let nothing = html(&nothing(), &context());
    assert!(nothing.contains("There is nothing to draw") && nothing.contains("The recording is silent."));
    assert!(!nothing.contains("<svg") && pictures(&super::samples::nothing()).is_empty());
}

#[test]
fn what_is_not_known_is_not_drawn() {
    let m = two(1_000.0);
    let room = &pictures(&m).into_iter().find(|(name, _)| *name == "room").unwrap().1;
    assert!(
        room.contains("d = ?") && room.contains("d (not known)") && room.contains("d + 34.3 cm"),
        "{room}"
    );
    let page = html(&two(137_000.0), &context());
    assert!(page.contains("which no room is"), "137 ms are 47 m");
}

#[test]
fn a_delay_within_its_uncertainty_has_no_first_speaker() {
    let mut m = two(3.0);
    m.pairs[0].delay_us.sd = 2.0;
    let page = html(&m, &context());
    assert!(page.contains("which is first cannot be told"));
    m.pairs[0].delay_us.value = 59.0;
    assert!(
        html(&m, &context())
            .contains("reaches from \u{201c}stereo pair\u{201d} to \u{201c}same room\u{201d}")
    );
}

#[test]
fn no_text_of_a_picture_ends_beyond_it_however_long_a_name_is() {
    let long = "a speaker with a name as long as a sentence";
    let delays = [0.0, 40.0, 3_000.0, 9_000.0, 90_000.0];
    let speakers = |count: usize| {
        (0..count).map(|n| channel(&format!("{n} {long}"), delays[n % 5], n as u64)).collect::<Vec<_>>()
    };
    for m in [measurement(speakers(2)), measurement(speakers(4)), measurement(speakers(5))] {
        for (name, svg) in pictures(&m) {
            for text in svg.split("<text ").skip(1) {
                let (head, tail) = text.split_once('>').unwrap();
                let words = tail.split_once('<').unwrap().0;
                let x: f64 = head.split('"').nth(1).unwrap().parse().unwrap();
                // 14 units high: about 7.2 wide each.
                let width = 7.2 * words.chars().count() as f64;
                let begin = if head.contains("\"middle\"") {
                    x - width / 2.0
                } else if head.contains("\"end\"") {
                    x - width
                } else {
                    x
                };
                assert!(
                    begin > -3.0 && begin + width < 363.0,
                    "{name}: {words} from {begin} to {}",
                    begin + width
                );
            }
        }
    }
}

#[test]
fn twenty_speakers_fit_a_page_of_bounded_size() {
    let m = many(20);
    let page = html(&m, &context());
    assert!(page.len() < 600_000, "{}", page.len());
    assert!(page.contains("19 of 190 pairs"));
    for (name, svg) in pictures(&m) {
        assert!(svg.len() < 300_000, "{name}: {}", svg.len());
        let missing = (0..20).filter(|n| !svg.contains(&format!(">speaker {n}"))).count();
        let names_all = ["arrivals", "responses", "room"].contains(&name);
        assert!(!names_all || missing == 0, "{name} lacks {missing}");
    }
    let page = html(&two(137_000.0), &context());
    assert!(page.len() < 200_000, "{}", page.len());
}

#[test]
fn a_usable_measurement_never_looks_like_a_good_one() {
    let m = with(two(20.0), FindingKind::Noisy, Severity::Doubt, "It was noisy.");
    assert_eq!(m.grade, Grade::Usable);
    let page = html(&m, &context());
    assert!(page.contains("class=\"verdict care\"") && page.contains("usable, not good"));
}
