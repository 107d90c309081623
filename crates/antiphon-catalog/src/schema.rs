//! The files of the catalogue as they are written. Keys that are not known are errors: a fact that is
//! misspelt would else be a fact that is silently absent.

use serde::Deserialize;

use crate::guide::{Check, Step};
use crate::method::MethodId;
use crate::model::{Fact, Input, Kind, Mode, Model, Purpose, Spans, Statement};
use crate::proof::{Proof, RawProof};

/// A file of `catalog/speakers`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawModel {
    id: String,
    name: String,
    brand: String,
    kind: Kind,
    #[serde(default)]
    covers: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    firmware_by: Option<String>,
    #[serde(default)]
    fact: Vec<RawFact>,
    #[serde(default)]
    step: Vec<RawModelStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFact {
    bluetooth: Option<String>,
    codec: Option<String>,
    input: Option<Input>,
    no_input: Option<Input>,
    pairing: Option<RawPairing>,
    protocol: Option<String>,
    spans: Option<Spans>,
    firmware: Option<String>,
    app: Option<String>,
    app_version: Option<String>,
    hardware: Option<String>,
    latency_ms: Option<f64>,
    press: Option<String>,
    quirk: Option<String>,
    #[serde(rename = "for")]
    purpose: Option<Purpose>,
    does: Option<Purpose>,
    #[serde(default)]
    only: Vec<String>,
    evidence: String,
    #[serde(rename = "where")]
    source: String,
    place: Option<String>,
    by: Option<String>,
    because: Option<String>,
    date: Option<String>,
    grade: Option<String>,
    conditions: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawPairing {
    None,
    Stereo,
    Party,
    App,
}

/// A step of a method as one model wants it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModelStep {
    method: MethodId,
    id: String,
    #[serde(rename = "do")]
    task: String,
    see: String,
    run: Option<String>,
    check: Option<Check>,
    #[serde(default)]
    otherwise: Vec<String>,
    back_to: Option<String>,
    evidence: String,
    #[serde(rename = "where")]
    source: String,
    place: Option<String>,
}

impl RawModel {
    /// The model.
    ///
    /// # Errors
    /// A sentence naming the fact or step that makes no sense.
    pub fn read(self) -> Result<Model, String> {
        let numbered = |n: usize, what: &str, why: String| format!("{what} {}: {why}", n + 1);
        let covers = self.covers;
        let facts = self.fact.into_iter().enumerate().map(|(n, raw)| {
            let fact = raw.read().map_err(|why| numbered(n, "fact", why))?;
            match fact.only.iter().find(|only| !covers.contains(only)) {
                Some(only) => {
                    Err(numbered(n, "fact", format!("`only` names {only:?}, which `covers` does not")))
                }
                None => Ok(fact),
            }
        });
        let facts = facts.collect::<Result<_, _>>()?;
        let steps = self.step.into_iter().enumerate();
        let steps = steps.map(|(n, raw)| raw.read().map_err(|why| numbered(n, "step", why)));
        Ok(Model {
            facts,
            steps: steps.collect::<Result<_, _>>()?,
            id: self.id,
            name: self.name,
            brand: self.brand,
            kind: self.kind,
            covers,
            aliases: self.aliases,
            firmware_by: self.firmware_by,
            called: Vec::new(),
        }
        .called())
    }
}

impl RawFact {
    fn read(self) -> Result<Fact, String> {
        let statement = self.statement()?;
        let proof = RawProof {
            evidence: self.evidence,
            source: self.source,
            place: self.place,
            by: self.by,
            because: self.because,
            date: self.date,
            grade: self.grade,
            conditions: self.conditions,
        };
        Ok(Fact { statement, proof: proof.read()?, only: self.only })
    }

    /// The one thing that the fact says.
    fn statement(&self) -> Result<Statement, String> {
        let version = |text: &String| text.parse().map_err(|error| format!("{error}"));
        let mut said = Vec::new();
        said.extend(self.bluetooth.clone().map(Statement::Bluetooth));
        said.extend(self.codec.clone().map(Statement::Codec));
        said.extend(self.input.map(|input| Statement::Input(input, true)));
        said.extend(self.no_input.map(|input| Statement::Input(input, false)));
        said.extend(self.pairing.map(|pairing| self.mode(pairing)));
        if let Some(least) = &self.firmware {
            said.push(Statement::Firmware(self.purpose()?, version(least)?));
        }
        if let Some(app) = &self.app {
            let least = self.app_version.as_ref().ok_or("`app` wants its `app_version`")?;
            said.push(Statement::App(self.purpose()?, app.clone(), version(least)?));
        }
        if let Some(revision) = &self.hardware {
            said.push(Statement::Hardware(self.purpose()?, revision.clone()));
        }
        if let Some(ms) = self.latency_ms {
            said.push(Statement::LatencyMs(self.purpose()?, latency(ms)?));
        }
        if let Some(what) = &self.press {
            let does = self.does.ok_or("`press` wants what it does: `does`")?;
            said.push(Statement::Press(does, what.clone()));
        }
        said.extend(self.quirk.clone().map(Statement::Quirk));
        self.no_stray_keys()?;
        match <[Statement; 1]>::try_from(said) {
            Ok([one]) => Ok(one),
            Err(said) if said.is_empty() => {
                Err("it says nothing: pairing, input, firmware, ... are missing".into())
            }
            Err(_) => {
                Err("it says several things; each wants a proof of its own: write several facts".into())
            }
        }
    }

    fn mode(&self, pairing: RawPairing) -> Statement {
        let mode = |purpose, spans| {
            let (protocol, spans) = (self.protocol.clone(), self.spans.unwrap_or(spans));
            Statement::Pairing(Mode { purpose, protocol, spans })
        };
        match pairing {
            RawPairing::None => Statement::NoPairing,
            RawPairing::Stereo => mode(Purpose::Stereo, Spans::Model),
            RawPairing::Party => mode(Purpose::Party, Spans::Family),
            RawPairing::App => mode(Purpose::App, Spans::Model),
        }
    }

    fn purpose(&self) -> Result<Purpose, String> {
        self.purpose.ok_or_else(|| "it wants to say for what: `for = \"stereo\"`".into())
    }

    /// Keys that only mean something beside others.
    fn no_stray_keys(&self) -> Result<(), String> {
        let gate = self.firmware.is_some()
            || self.app.is_some()
            || self.hardware.is_some()
            || self.latency_ms.is_some();
        for (there, allowed, key) in [
            (self.protocol.is_some(), self.pairing.is_some(), "protocol"),
            (self.spans.is_some(), self.pairing.is_some(), "spans"),
            (self.app_version.is_some(), self.app.is_some(), "app_version"),
            (self.purpose.is_some(), gate, "for"),
            (self.does.is_some(), self.press.is_some(), "does"),
        ] {
            if there && !allowed {
                return Err(format!("`{key}` has no meaning here"));
            }
        }
        Ok(())
    }
}

fn latency(ms: f64) -> Result<f64, String> {
    if (0.0..10_000.0).contains(&ms) { Ok(ms) } else { Err(format!("{ms} ms is no latency")) }
}

impl RawModelStep {
    fn read(self) -> Result<(MethodId, Step), String> {
        let proof = RawProof {
            evidence: self.evidence,
            source: self.source,
            place: self.place,
            ..RawProof::default()
        };
        let step = Step {
            id: self.id,
            task: self.task,
            see: self.see,
            run: self.run,
            check: self.check,
            otherwise: self.otherwise,
            back_to: self.back_to,
            proof: Some(proof.read()?),
        };
        Ok((self.method, step))
    }
}

/// A file of `catalog/guides`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGuide {
    pub id: String,
    pub method: MethodId,
    pub title: String,
    #[serde(default)]
    pub needs: Vec<String>,
    pub later: Option<String>,
    pub then: Option<String>,
    pub step: Vec<RawStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStep {
    id: String,
    #[serde(rename = "do")]
    task: String,
    see: String,
    run: Option<String>,
    check: Option<Check>,
    #[serde(default)]
    otherwise: Vec<String>,
    back_to: Option<String>,
}

impl From<RawStep> for Step {
    fn from(raw: RawStep) -> Self {
        Self {
            id: raw.id,
            task: raw.task,
            see: raw.see,
            run: raw.run,
            check: raw.check,
            otherwise: raw.otherwise,
            back_to: raw.back_to,
            proof: None,
        }
    }
}

/// `catalog/methods.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMethods {
    pub method: Vec<RawMethod>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMethod {
    pub id: MethodId,
    pub order: u32,
    pub title: String,
    pub sound: String,
    pub guide: String,
    pub later: Option<String>,
    #[serde(default)]
    pub says: Vec<RawSaid>,
}

/// A sentence with its proof.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSaid {
    pub text: String,
    evidence: String,
    #[serde(rename = "where")]
    source: String,
    place: Option<String>,
    by: Option<String>,
    because: Option<String>,
}

impl RawSaid {
    pub fn read(self) -> Result<(String, Proof), String> {
        let proof = RawProof {
            evidence: self.evidence,
            source: self.source,
            place: self.place,
            by: self.by,
            because: self.because,
            ..RawProof::default()
        };
        Ok((self.text, proof.read()?))
    }
}

/// `catalog/answers.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAnswers {
    pub answer: Vec<RawAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAnswer {
    pub id: String,
    pub question: String,
    pub words: Vec<String>,
    pub short: String,
    pub claim: Option<String>,
    #[serde(default)]
    pub todo: Vec<String>,
    evidence: String,
    #[serde(rename = "where")]
    source: String,
    place: Option<String>,
    by: Option<String>,
    because: Option<String>,
}

impl RawAnswer {
    pub fn proof(&self) -> Result<Proof, String> {
        let raw = RawProof {
            evidence: self.evidence.clone(),
            source: self.source.clone(),
            place: self.place.clone(),
            by: self.by.clone(),
            because: self.because.clone(),
            ..RawProof::default()
        };
        raw.read()
    }
}

/// `catalog/sources.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSources {
    pub source: Vec<crate::proof::Source>,
}
