//! What was noticed, in plain sentences, and whether the numbers may be acted upon.
//!
//! Every rule looks at one thing and says what it is, whose fault it is and what to do. The grade is
//! the gravest of them. What is wrong with the *recording* costs trust; what is wrong with the
//! *speakers* (levels, polarity) is what one wanted to know, and costs none.

use super::analysis::{Analysis, ChannelFacts, Options};
use super::excitation::Excitation;
use super::facts::{Facts, Steadiness};
use super::measurement::{ChannelResult, Finding, FindingKind, Grade, Measurement, PairResult, Severity};

mod limits;

mod recording;

mod speakers;

/// The measurement of `analysis` with findings, the gravest first, and a grade. Of a stereo recording,
/// `sides` are the analyses of its left and its right channel alone.
pub fn judge(
    analysis: Analysis,
    sides: Option<&[Analysis; 2]>,
    facts: &Facts,
    signal: &Excitation,
    options: &Options,
) -> Measurement {
    let evidence = Evidence { analysis: &analysis, sides, facts, signal, options };
    let mut findings = match evidence.the_track_itself() {
        Some(finding) => vec![finding],
        None if evidence.heard() => evidence.heard_findings(),
        None => vec![evidence.nothing_heard()],
    };
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.kind.cmp(&b.kind)));
    let grade = match findings.first().map(|f| f.severity) {
        Some(Severity::Refusal) => Grade::NotTrustworthy,
        Some(Severity::Doubt) => Grade::Usable,
        _ => Grade::Good,
    };
    Measurement { findings, grade, ..analysis.measurement }
}

/// Everything that a rule may look at.
struct Evidence<'a> {
    analysis: &'a Analysis,
    sides: Option<&'a [Analysis; 2]>,
    facts: &'a Facts,
    signal: &'a Excitation,
    options: &'a Options,
}

impl<'a> Evidence<'a> {
    fn heard(&self) -> bool {
        self.analysis.measured.is_some() && self.channels().iter().any(|c| c.heard)
    }

    fn heard_findings(&self) -> Vec<Finding> {
        let mut found = self.about_the_recording();
        found.extend(self.about_the_speakers());
        found
    }

    fn channels(&self) -> &'a [ChannelResult] {
        &self.analysis.measurement.channels
    }

    fn pairs(&self) -> &'a [PairResult] {
        &self.analysis.measurement.pairs
    }

    fn name(&self, channel: usize) -> &'a str {
        self.channels().get(channel).map_or("?", |c| c.name.as_str())
    }

    /// Channels that were heard, with how sure their first arrivals are.
    fn arrivals(&self) -> impl Iterator<Item = (&'a ChannelResult, ChannelFacts)> {
        let facts = self.analysis.channels.iter().copied().chain(std::iter::repeat(ChannelFacts::default()));
        self.channels().iter().zip(facts).filter(|(c, _)| c.heard)
    }

    fn steadiness(&self) -> Option<&'a Steadiness> {
        self.facts.steadiness.as_ref()
    }
}

fn note(kind: FindingKind, message: impl Into<String>) -> Finding {
    Finding { kind, severity: Severity::Note, message: message.into() }
}

fn doubt(kind: FindingKind, message: impl Into<String>) -> Finding {
    Finding { kind, severity: Severity::Doubt, message: message.into() }
}

fn refusal(kind: FindingKind, message: impl Into<String>) -> Finding {
    Finding { kind, severity: Severity::Refusal, message: message.into() }
}
