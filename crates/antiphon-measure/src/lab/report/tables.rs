//! All numbers, each with its uncertainty where it was estimated.

use super::numbers::{UNKNOWN, cm, db, delay, plus_minus, plus_minus_time, time};
use super::svg::escape;
use super::words::{names, short_name, wait_us, worst_pair};
use crate::lab::measurement::{ChannelResult, Measurement, Notch, PairResult, Polarity, RecorderResult};

/// With more pairs than this, only those with the earliest speaker are listed.
const MOST_PAIRS: usize = 6;

/// A table: on a phone every row becomes a block of its own, each value beside its column's name.
fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    table_of("stack", columns, rows)
}

/// A table that is narrow enough for a phone as it is.
fn narrow_table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    table_of("narrow", columns, rows)
}

fn table_of(class: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: String = columns.iter().map(|c| format!("<th scope=\"col\">{c}</th>")).collect();
    let row = |cells: Vec<String>| {
        let cell = |(n, text): (usize, &String)| {
            let (text, label) = (escape(text), columns.get(n).unwrap_or(&""));
            if n == 0 {
                format!("<th scope=\"row\">{text}</th>")
            } else {
                format!("<td data-label=\"{label}\">{text}</td>")
            }
        };
        format!("<tr>{}</tr>", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let body: String = rows.map(row).collect();
    format!("<table class=\"{class}\"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
}

fn card(id: &str, heading: &str, content: &str) -> String {
    format!("<section class=\"card\" id=\"{id}\"><h2>{heading}</h2>{content}</section>")
}

pub(super) fn recording(m: &Measurement) -> String {
    let r: &RecorderResult = &m.recorder;
    let seconds = |s: f64| if s.is_finite() { format!("{s:.2} s") } else { UNKNOWN.to_owned() };
    let dbfs = |x: f64| if x.is_finite() { format!("{}FS", db(x)) } else { UNKNOWN.to_owned() };
    let rows = [
        ("length searched", seconds(r.length_s)),
        ("signal begins at", r.begin_s.map_or_else(|| "not heard".to_owned(), seconds)),
        ("whole periods used", r.periods.to_string()),
        (
            "recorder\u{2019}s clock, fast",
            r.ppm.map_or_else(|| UNKNOWN.to_owned(), |p| plus_minus(p.value, p.half_95(), "ppm")),
        ),
        ("highest sample", dbfs(r.peak_dbfs)),
        ("noise in the band", dbfs(r.noise_dbfs)),
    ];
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)))
        .collect();
    card("recording", "The recording", &format!("<dl class=\"list\">{rows}</dl>"))
}

pub(super) fn speakers(m: &Measurement) -> String {
    let columns = [
        "speaker",
        "arrival",
        "could wait",
        "level",
        "polarity",
        "signal to noise",
        "direct to room",
        "clock, fast",
    ];
    let first_us =
        m.channels.iter().filter(|c| c.heard).map(|c| c.arrival_us.value).fold(f64::INFINITY, f64::min);
    let rows = m.channels.iter().map(|c| if c.heard { speaker(m, c, first_us) } else { silent(c) });
    let note = "<p class=\"note\">Arrival: after the first speaker. \u{b1}: the truth lies within in 95 of 100 cases. Could wait: the \
                delay that would let it sound with the latest.</p>";
    card("speakers", "Each speaker", &format!("{}{note}", table(&columns, rows)))
}

fn speaker(m: &Measurement, c: &ChannelResult, first_us: f64) -> Vec<String> {
    let half = c.arrival_us.half_95();
    vec![
        c.name.clone(),
        plus_minus_time(c.arrival_us.value - first_us, half),
        could_wait(wait_us(m, c.arrival_us.value), half),
        db(c.level_db),
        polarity(c.polarity).to_owned(),
        db(c.snr_db),
        db(c.direct_to_reverb_db),
        plus_minus(c.drift_ppm.value, c.drift_ppm.half_95(), "ppm"),
    ]
}

fn could_wait(us: f64, half_us: f64) -> String {
    if us > 0.0 { delay(us, half_us) } else { "is the latest".to_owned() }
}

fn silent(c: &ChannelResult) -> Vec<String> {
    vec![c.name.clone(), "not heard".to_owned()]
}

fn polarity(polarity: Polarity) -> &'static str {
    match polarity {
        Polarity::Normal => "normal",
        Polarity::Inverted => "inverted",
        Polarity::Unclear => "unclear",
    }
}

pub(super) fn pairs(m: &Measurement) -> String {
    if m.pairs.is_empty() {
        return String::new();
    }
    let listed = listed(m);
    let columns = [
        "pair",
        "delay (second later)",
        "in samples at 48 kHz",
        "way in air",
        "level of the second",
        "class",
        "notches 500 Hz\u{2013}2 kHz",
    ];
    let rows = listed.iter().map(|pair| row(m, pair));
    let note = if listed.len() < m.pairs.len() {
        format!(
            "<p class=\"note\">{} of {} pairs: those with the speaker that is heard first. Every other delay is a difference of two of these.</p>",
            listed.len(),
            m.pairs.len()
        )
    } else {
        String::new()
    };
    card("pairs", "Speakers against each other", &format!("{}{note}", table(&columns, rows)))
}

/// All pairs, or those with the earliest speaker when they are many.
fn listed(m: &Measurement) -> Vec<&PairResult> {
    if m.pairs.len() <= MOST_PAIRS {
        return m.pairs.iter().collect();
    }
    let heard = m.channels.iter().enumerate().filter(|(_, c)| c.heard);
    let first =
        heard.min_by(|(_, a), (_, b)| a.arrival_us.value.total_cmp(&b.arrival_us.value)).map(|(n, _)| n);
    m.pairs.iter().filter(|p| Some(p.a) == first || Some(p.b) == first).collect()
}

fn row(m: &Measurement, pair: &PairResult) -> Vec<String> {
    let (a, b) = names(m, pair);
    let (value, half) = (pair.delay_us.value, pair.delay_us.half_95());
    vec![
        format!("{a} \u{2192} {b}"),
        plus_minus_time(value, half),
        plus_minus(pair.delay_samples(), half * 0.048, ""),
        cm(pair.path_cm().abs(), half),
        db(pair.level_diff_db),
        short_name(pair.class).to_owned(),
        pair.comb.count.to_string(),
    ]
}

/// The notches of the pair that is furthest apart.
pub(super) fn notches(m: &Measurement) -> String {
    let Some(pair) = worst_pair(m).filter(|p| !p.comb.notches.is_empty()) else { return String::new() };
    let (a, b) = names(m, pair);
    let row = |n: &Notch| {
        vec![
            format!("{:.0} Hz", n.hz),
            db(n.predicted_db),
            n.measured_db.map_or_else(|| "hidden by noise".to_owned(), db),
        ]
    };
    let listed = pair.comb.notches.len();
    let more = if pair.comb.count > listed {
        format!(" The lowest {listed} of {} are listed.", pair.comb.count)
    } else {
        String::new()
    };
    let note = format!(
        "<p class=\"note\">{} and {}, {} apart: how deep a tone that both play falls there, against the tones between.{more}</p>",
        escape(a),
        escape(b),
        time(pair.delay_us.value.abs())
    );
    let table = narrow_table(&["notch at", "predicted", "measured"], pair.comb.notches.iter().map(row));
    card("notches", "Comb notches", &format!("{note}{table}"))
}
