//! How sure a statement is, and where it comes from.

use serde::Deserialize;

/// Where statements come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What facts name it by.
    pub id: String,
    /// What it is.
    #[serde(rename = "kind")]
    pub origin: Origin,
    /// For people.
    pub title: String,
    /// Its URL.
    pub address: Option<String>,
    /// What must be known to judge it.
    pub note: Option<String>,
}

/// Who speaks in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Who made the thing.
    Maker,
    /// A standard.
    Standard,
    /// This project's own documents, which say how they know.
    Project,
    /// Somebody who had the thing.
    Press,
    /// Anybody.
    Article,
}

impl Origin {
    /// Whether what it says about the thing is documentation, not hearsay.
    pub fn documents(self) -> bool {
        matches!(self, Self::Maker | Self::Standard | Self::Project)
    }
}

/// How sure a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Somebody says so.
    Claimed,
    /// Who must know says so: the maker, a standard, this project.
    Documented,
    /// `antiphon measure` found it.
    Measured {
        /// As in `2026-03-31`.
        date: String,
        /// Of the measurement: `good` or `usable`.
        grade: String,
        /// Firmware, distance, host.
        conditions: String,
    },
    /// It was claimed, and is wrong.
    Refuted {
        /// The source that refutes it.
        by: String,
        /// In a sentence.
        because: Option<String>,
    },
}

impl Evidence {
    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Documented => "documented",
            Self::Measured { .. } => "measured",
            Self::Refuted { .. } => "refuted",
        }
    }

    /// Whether anybody may act on it.
    pub fn stands(&self) -> bool {
        !matches!(self, Self::Refuted { .. })
    }

    /// More is surer.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::Refuted { .. } => 0,
            Self::Claimed => 1,
            Self::Documented => 2,
            Self::Measured { .. } => 3,
        }
    }
}

/// The evidence of one statement and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How sure it is.
    pub evidence: Evidence,
    /// The source's id.
    pub source: String,
    /// Where in the source, or what must be added.
    pub place: Option<String>,
}

/// The keys that every statement has in TOML.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawProof {
    pub evidence: String,
    pub source: String,
    pub place: Option<String>,
    pub by: Option<String>,
    pub because: Option<String>,
    pub date: Option<String>,
    pub grade: Option<String>,
    pub conditions: Option<String>,
}

impl RawProof {
    /// The proof that the keys make.
    ///
    /// # Errors
    /// A sentence: an unknown kind of evidence, keys that are missing for it or do not belong to it.
    pub fn read(self) -> Result<Proof, String> {
        let measured = [&self.date, &self.grade, &self.conditions];
        if self.evidence != "measured" && measured.iter().any(|key| key.is_some()) {
            return Err("`date`, `grade` and `conditions` belong to evidence = \"measured\"".into());
        }
        if self.evidence != "refuted" && (self.by.is_some() || self.because.is_some()) {
            return Err("`by` and `because` belong to evidence = \"refuted\"".into());
        }
        let evidence = match self.evidence.as_str() {
            "claimed" => Evidence::Claimed,
            "documented" => Evidence::Documented,
            "measured" => match (self.date, self.grade, self.conditions) {
                (Some(date), Some(grade), Some(conditions)) if is_date(&date) => {
                    Evidence::Measured { date, grade, conditions }
                }
                _ => return Err("a measurement has a `date` (2026-03-31), a `grade` and `conditions`".into()),
            },
            "refuted" => match self.by {
                Some(by) => Evidence::Refuted { by, because: self.because },
                None => return Err("what is refuted says by which source: `by`".into()),
            },
            other => {
                return Err(format!("{other:?} is no evidence: claimed, documented, measured or refuted"));
            }
        };
        Ok(Proof { evidence, source: self.source, place: self.place })
    }
}

fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(evidence: &str) -> RawProof {
        RawProof { evidence: evidence.into(), source: "guide".into(), ..RawProof::default() }
    }

    #[test]
    fn evidence_has_the_keys_that_it_needs_and_no_others() {
        assert_eq!(raw("claimed").read().unwrap().evidence, Evidence::Claimed);
        assert!(raw("rumoured").read().unwrap_err().contains("rumoured"));
        assert!(raw("measured").read().unwrap_err().contains("`date`"));
        assert!(raw("refuted").read().unwrap_err().contains("`by`"));
        let dated = RawProof { date: Some("2026-03-31".into()), ..raw("claimed") };
        assert!(dated.read().unwrap_err().contains("measured"));
    }

    #[test]
    fn a_measurement_has_a_date_a_grade_and_conditions() {
        let full = |date: &str| RawProof {
            date: Some(date.into()),
            grade: Some("good".into()),
            conditions: Some("1 m".into()),
            ..raw("measured")
        };
        assert!(full("2026-03-31").read().is_ok());
        assert!(full("yesterday").read().is_err());
    }
}
