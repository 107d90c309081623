//! The schemas of `antiphon check`, `guide`, `explain` and `catalog list` with `--json`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Number of these schemas; fields are only ever added under one number.
pub const ADVICE_SCHEMA: u32 = 1;

/// How sure a statement is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProofReport {
    /// `claimed`, `documented`, `measured` or `refuted`.
    pub evidence: String,
    /// What the source is.
    pub source: String,
    /// Its URL.
    pub address: Option<String>,
    /// Where in the source, or what must be added.
    pub place: Option<String>,
    /// Of what is refuted: by which source.
    pub refuted_by: Option<String>,
    /// Of what is refuted: why.
    pub because: Option<String>,
    /// Of what was measured: `date`, `grade`, `conditions`, in this order.
    pub measured: Option<[String; 3]>,
}

/// Which methods work for two speakers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// [`ADVICE_SCHEMA`].
    pub schema: u32,
    /// The two speakers.
    pub speakers: Vec<SpeakerReport>,
    /// Both are of one model.
    pub alike: bool,
    /// `linux`, `android`, `ios`, `windows` or `macos`.
    pub source: String,
    /// What to do, in one or two sentences.
    pub verdict: String,
    /// The id of the best method as things are.
    pub best: String,
    /// Every method, the best first.
    pub methods: Vec<MethodReport>,
    /// What is known of the speakers.
    pub facts: Vec<FactReport>,
    /// What the speakers themselves have told, now or before.
    #[serde(default)]
    pub told: Vec<ToldReport>,
}

/// What a speaker has told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ToldReport {
    /// The model's name.
    pub of: String,
    /// How it was asked.
    pub by: String,
    /// Its model by its own word.
    pub model: Option<String>,
    /// Its firmware by its own word; null: it told none.
    pub firmware: Option<String>,
    /// In a sentence.
    pub text: String,
}

/// A speaker as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
// Others of this crate have the same name: in the API's description it is another.
#[schema(as = AdviceSpeaker)]
pub struct SpeakerReport {
    /// As typed.
    pub typed: String,
    /// The model's name; null: the catalogue does not know it.
    pub name: Option<String>,
    /// The catalogue's entry.
    pub id: Option<String>,
    /// Who sells it.
    pub brand: Option<String>,
    /// `speaker`, `smart_speaker`, `soundbar` or `ear_buds`.
    pub kind: Option<String>,
    /// Where it is not known: the names that come nearest, best first.
    pub nearest: Vec<String>,
}

/// A method, judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct MethodReport {
    /// `vendor_stereo`, `host_pair`, ...
    pub id: String,
    /// For people.
    pub title: String,
    /// What one hears.
    pub sound: String,
    /// `works`, `maybe`, `not_yet`, `with_more`, `cannot` or `later`.
    pub standing: String,
    /// Why, in a sentence.
    pub why: String,
    /// How far apart the speakers are then said to be.
    pub latency_ms: Option<f64>,
    /// Who says that.
    pub latency_proof: Option<ProofReport>,
    /// What the judgement rests on, the weakest first.
    pub proofs: Vec<ProofReport>,
    /// What must be so.
    pub gates: Vec<GateReport>,
    /// What is said of the method.
    pub says: Vec<SaidReport>,
    /// Commands to begin with.
    pub how: Vec<String>,
}

/// Something that must be so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct GateReport {
    /// `firmware`, an app's name, `hardware`, ...
    pub what: String,
    /// What is needed.
    pub need: String,
    /// What there is; null: nobody told.
    pub have: Option<String>,
    /// Whether that is enough; null: not known.
    pub met: Option<bool>,
    /// What to do where it is not.
    pub todo: Vec<String>,
    /// Who says that it is needed.
    pub proof: Option<ProofReport>,
}

/// A sentence with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SaidReport {
    /// The sentence.
    pub text: String,
    /// How sure it is.
    pub proof: ProofReport,
}

/// A fact about one of the speakers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FactReport {
    /// The model's name.
    pub of: String,
    /// What is said of it.
    pub text: String,
    /// How sure it is.
    pub proof: ProofReport,
}

/// The models of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CatalogueReport {
    /// [`ADVICE_SCHEMA`].
    pub schema: u32,
    /// In the order of their files.
    pub models: Vec<ModelReport>,
}

/// A model, or a family of models.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelReport {
    /// Also its file's name.
    pub id: String,
    /// As its maker writes it.
    pub name: String,
    /// Who sells it.
    pub brand: String,
    /// `speaker`, `smart_speaker`, `soundbar` or `ear_buds`.
    pub kind: String,
    /// Of a family: its models.
    pub covers: Vec<String>,
    /// What is known.
    pub facts: Vec<FactReport>,
}

/// Answers to a question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ExplainReport {
    /// [`ADVICE_SCHEMA`].
    pub schema: u32,
    /// The best first; empty: nothing is known of it.
    pub answers: Vec<AnswerReport>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AnswerReport {
    /// As in `different-models`.
    pub id: String,
    /// As people ask it.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// What is said elsewhere; `proof` is about it.
    pub claim: Option<String>,
    /// How sure the claim is, or without one the answer.
    pub proof: ProofReport,
    /// What to do.
    pub todo: Vec<String>,
}

/// The steps of a method.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct GuideReport {
    /// [`ADVICE_SCHEMA`].
    pub schema: u32,
    /// As in `host-pair`.
    pub id: String,
    /// For people.
    pub title: String,
    /// The model that it is for.
    pub model: Option<String>,
    /// Why this version of the program cannot do it.
    pub later: Option<String>,
    /// What one should have at hand.
    pub needs: Vec<String>,
    /// In their order.
    pub steps: Vec<StepReport>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct StepReport {
    /// As in `prove/sides`.
    pub id: String,
    /// What to do.
    pub task: String,
    /// A command that does it or shows it.
    pub run: Option<String>,
    /// What one should then see.
    pub see: String,
    /// What a computer can find out: `adapter`, `paired`, `connected`, ...
    pub check: Option<String>,
    /// What to try when it fails, the likeliest first.
    pub otherwise: Vec<String>,
    /// The step to go back to when all of that has failed.
    pub back_to: Option<String>,
    /// Where the step comes from, if it is a model's own.
    pub proof: Option<ProofReport>,
}

/// Query of `GET /api/v1/check` and `GET /api/v1/guide`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CaseQuery {
    /// The speaker's model.
    #[serde(default)]
    pub model: Option<String>,
    /// The other's, if it is another one.
    #[serde(default)]
    pub model2: Option<String>,
    /// Of `guide`: the method; absent: the best for the model.
    #[serde(default)]
    pub method: Option<String>,
    /// The firmware of both, or of the first and the second with a comma between.
    #[serde(default)]
    pub firmware: Option<String>,
    /// The version of the maker's app.
    #[serde(default)]
    pub app: Option<String>,
    /// What the music comes from: linux, android, ios, windows, macos.
    #[serde(default)]
    pub source: Option<String>,
}

/// Query of `GET /api/v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// The question; absent: all that is answered.
    #[serde(default)]
    pub q: Option<String>,
}

/// Answer to `GET /api/v1/catalog`: what is known by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NamesReport {
    /// [`ADVICE_SCHEMA`].
    pub schema: u32,
    /// Models of speakers.
    pub models: Vec<String>,
    /// Methods that a guide leads through.
    pub guides: Vec<GuideName>,
}

/// A guide's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct GuideName {
    /// What it is asked for by.
    pub id: String,
    /// For people.
    pub title: String,
}
