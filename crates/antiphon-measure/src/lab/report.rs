//! A page that says what was found: first in plain words, then in pictures, then in numbers.
//!
//! One file of HTML with its pictures inside: it loads nothing, runs nothing, and fits a phone. What
//! comes from outside (names, messages, notes) is escaped. Nothing is drawn that is not known.

mod palette;

mod svg;

mod axes;

mod numbers;

mod words;

mod figures;

mod tables;

mod glossary;

mod page;

use super::measurement::Measurement;

/// What the page says beside the measurement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportContext {
    /// Heading of the page.
    pub title: String,
    /// When it was measured, as the reader shall read it; not shown when empty.
    pub when: String,
    /// What was measured, with what, through what: names and values, shown below the heading in order.
    pub facts: Vec<(String, String)>,
    /// Anything else that the reader shall know, a paragraph each.
    pub notes: Vec<String>,
}

/// The page, a whole file of HTML.
pub fn html(measurement: &Measurement, context: &ReportContext) -> String {
    page::html(measurement, context)
}

/// The page's pictures as SVG files of their own: (name without `.svg`, content), in the page's order.
/// What there is nothing to draw for is left out.
pub fn pictures(measurement: &Measurement) -> Vec<(&'static str, String)> {
    let all = figures::scale(measurement).into_iter().chain(figures::all(measurement));
    all.map(|figure| (figure.name, figure.svg.file())).collect()
}

#[cfg(test)]
mod samples;

#[cfg(test)]
mod tests;
