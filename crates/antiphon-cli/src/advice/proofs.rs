//! Who says so: short marks in the text, and the list that they point to.

use antiphon_api::advice::ProofReport;
use antiphon_catalog::{Catalogue, Evidence, Proof};

use super::page::Page;

/// The sources that a text has named, in the order of their first mention.
pub struct Proofs<'a> {
    catalogue: &'a Catalogue,
    named: Vec<String>,
}

impl<'a> Proofs<'a> {
    /// None yet.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Self { catalogue, named: Vec::new() }
    }

    /// `(claimed [1], matrix)`
    pub fn mark(&mut self, proof: &Proof) -> String {
        let number = self.number(&proof.source);
        let place = proof.place.as_ref().map_or(String::new(), |place| format!(": {place}"));
        match &proof.evidence {
            Evidence::Measured { date, grade, conditions } => {
                format!("(measured {date}, {grade}, {conditions} [{number}]{place})")
            }
            Evidence::Refuted { by, because } => {
                let by = self.number(by);
                let because = because.as_ref().map_or(String::new(), |because| format!(": {because}"));
                format!("(claimed [{number}]{place}; refuted [{by}]{because})")
            }
            evidence => format!("({} [{number}]{place})", evidence.word()),
        }
    }

    /// Who claims what is refuted, and who refutes it, as two marks.
    pub fn refutation(&mut self, proof: &Proof) -> (String, String) {
        let claimed = format!("[{}]", self.number(&proof.source));
        let by = match &proof.evidence {
            Evidence::Refuted { by, .. } => format!("[{}]", self.number(by)),
            _ => String::new(),
        };
        (claimed, by)
    }

    fn number(&mut self, source: &str) -> usize {
        let at = self.named.iter().position(|named| named == source).unwrap_or_else(|| {
            self.named.push(source.to_owned());
            self.named.len() - 1
        });
        at + 1
    }

    /// The list that the marks point to.
    pub fn list(&self, page: &mut Page) {
        if self.named.is_empty() {
            return;
        }
        page.gap();
        page.say(0, "Who says so");
        for (n, id) in self.named.iter().enumerate() {
            let Some(source) = self.catalogue.source(id) else { continue };
            let note = source.note.as_ref().map_or(String::new(), |note| format!(" {note}"));
            page.item(2, &format!("[{}] ", n + 1), &format!("{}.{note}", source.title));
            if let Some(address) = &source.address {
                page.command(6, address);
            }
        }
    }
}

/// The same for programs.
pub fn report(catalogue: &Catalogue, proof: &Proof) -> ProofReport {
    let title = |id: &str| catalogue.source(id).map_or_else(|| id.to_owned(), |source| source.title.clone());
    let mut report = ProofReport {
        evidence: proof.evidence.word().to_owned(),
        source: title(&proof.source),
        address: catalogue.source(&proof.source).and_then(|source| source.address.clone()),
        place: proof.place.clone(),
        ..ProofReport::default()
    };
    match &proof.evidence {
        Evidence::Refuted { by, because } => {
            report.refuted_by = Some(title(by));
            report.because.clone_from(because);
        }
        Evidence::Measured { date, grade, conditions } => {
            report.measured = Some([date.clone(), grade.clone(), conditions.clone()]);
        }
        Evidence::Claimed | Evidence::Documented => {}
    }
    report
}
