//! Prometheus' text format.

use std::fmt::Write as _;

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up and down.
    Gauge,
    /// Up, until its process starts anew.
    Counter,
}

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    /// Begins a metric; its samples follow.
    pub fn metric(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        self.name = name;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of the metric that was begun last.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(self.name);
        for (n, (label, value)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// The page.
    pub fn text(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |mut out, c| {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Exposition::default();
        page.metric("a_total", Kind::Counter, "Help.");
        page.sample(&[("speaker", "K\u{fc}che \"2\"\\\n"), ("kind", "late")], 3.0);
        page.metric("b_seconds", Kind::Gauge, "More.");
        page.sample(&[], -0.25);
        let lines = "# HELP a_total Help.\n# TYPE a_total counter\n\
                     a_total{speaker=\"K\u{fc}che \\\"2\\\"\\\\\\n\",kind=\"late\"} 3\n\
                     # HELP b_seconds More.\n# TYPE b_seconds gauge\nb_seconds -0.25\n";
        assert_eq!(page.text(), lines);
    }
}
