//! A picture being drawn: SVG, 360 units wide, so that its text is as large as the page's on a phone.

use std::fmt::Write;

use super::palette;

/// Width of every picture, in its own units.
pub(super) const WIDTH: f64 = 360.0;

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// One picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Svg {
    height: f64,
    body: String,
    /// What is in it, for who does not see it.
    about: String,
}

impl Svg {
    pub fn new(height: f64, about: impl Into<String>) -> Self {
        Self { height, body: String::new(), about: about.into() }
    }

    /// To stand within a page that has [`palette::picture_rules`].
    pub fn inline(&self) -> String {
        self.with_head("", "")
    }

    /// A file of its own.
    pub fn file(&self) -> String {
        let ground = format!("<rect class=\"f-card\" width=\"{WIDTH}\" height=\"{:.0}\"/>", self.height);
        let style = format!("<style>{}</style>{ground}", palette::picture_rules());
        self.with_head(" xmlns=\"http://www.w3.org/2000/svg\" width=\"720\"", &style)
    }

    fn with_head(&self, attributes: &str, head: &str) -> String {
        format!(
            "<svg{attributes} viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{}\">{head}{}</svg>",
            self.height,
            escape(&self.about),
            self.body
        )
    }

    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let text = escape(text);
        let _ = write!(self.body, "<text x=\"{x:.1}\" y=\"{y:.1}\"{anchor} class=\"{class}\">{text}</text>");
    }

    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str, width: f64, dash: &str) {
        let _ = write!(
            self.body,
            "<path class=\"{class}\" stroke-width=\"{width}\"{} d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>",
            dashed(dash)
        );
    }

    /// A line through points; a point that is not finite breaks it.
    pub fn path(
        &mut self,
        points: impl IntoIterator<Item = (f64, f64)>,
        class: &str,
        width: f64,
        dash: &str,
    ) {
        let mut d = String::new();
        let mut pen_is_down = false;
        for (x, y) in points {
            if x.is_finite() && y.is_finite() {
                let _ = write!(d, "{}{x:.1} {y:.1}", if pen_is_down { 'L' } else { 'M' });
                pen_is_down = true;
            } else {
                pen_is_down = false;
            }
        }
        let _ = write!(
            self.body,
            "<path class=\"{class}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{} d=\"{d}\"/>",
            dashed(dash)
        );
    }

    pub fn polygon(&mut self, points: &[(f64, f64)], class: &str) {
        let list = points.iter().fold(String::new(), |mut out, (x, y)| {
            let _ = write!(out, "{x:.1},{y:.1} ");
            out
        });
        let _ = write!(self.body, "<polygon class=\"{class}\" points=\"{}\"/>", list.trim_end());
    }

    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            width.max(0.0),
            height.max(0.0)
        );
    }

    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str, width: f64, dash: &str) {
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" stroke-width=\"{width}\"{} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>",
            dashed(dash)
        );
    }
}

fn dashed(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") }
}

/// How a channel's line is dashed: a second sign beside its colour.
pub(super) fn dash(index: usize) -> &'static str {
    ["", "7 3", "2 3", "9 3 2 3"][index % 4]
}

/// A text for HTML and SVG: marks of the language are spelt out; what is not a character to be seen
/// (controls, and those that turn the direction of writing) is left out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// At most `most` characters of a name, for where there is no room for more.
pub(super) fn short(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
