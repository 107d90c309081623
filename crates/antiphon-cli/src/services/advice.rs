//! Advice as data: what the verbs `check`, `guide`, `explain` and `catalog` print with `--json`.

use antiphon_api::advice::{
    ADVICE_SCHEMA, CaseQuery, CheckReport, ExplainQuery, ExplainReport, GuideName, GuideReport, NamesReport,
};
use antiphon_api::{ErrorBody, ErrorCode};
use antiphon_catalog::check::Host;
use antiphon_catalog::{Catalogue, VendorVersion};
use antiphon_hub::services::Served;

use super::refused;
use crate::{advice, terminal};

/// Longest word of a question: models and versions are short.
const LONGEST: usize = 200;

/// Which method works.
///
/// # Errors
/// No model is named, or a version does not read.
pub fn check(query: &CaseQuery) -> Served<CheckReport> {
    let case = Case::of(query)?;
    let model = query.model.as_deref().ok_or_else(|| bad("name a model: ?model=flip+6"))?;
    advice::check_report(&case.args(), model, query.model2.as_deref()).map_err(refused)
}

/// The steps of a method, or of the best one for a model.
///
/// # Errors
/// Neither is named, or known.
pub fn guide(query: &CaseQuery) -> Served<GuideReport> {
    let case = Case::of(query)?.args();
    let (method, model, model2) = (query.method.as_deref(), query.model.as_deref(), query.model2.as_deref());
    // Who asks is not at the hub's terminal: what is noted there is in the answer, or in that of `check`.
    let report = terminal::noted_by(|_| {}, || advice::guide_report(&case, method, model, model2));
    report.map_err(refused)
}

/// Answers to a question; without one all there are.
///
/// # Errors
/// The question is too long.
pub fn explain(query: &ExplainQuery) -> Served<ExplainReport> {
    short(query.q.as_ref())?;
    Ok(advice::explain_report(query.q.as_deref().unwrap_or_default()))
}

/// What is known by name.
pub fn names() -> NamesReport {
    let catalogue = Catalogue::embedded();
    let mut models: Vec<String> = catalogue
        .models
        .iter()
        .flat_map(|model| std::iter::once(&model.name).chain(model.covers.iter()).cloned())
        .collect();
    models.sort();
    models.dedup();
    let guides = catalogue.guides.iter();
    let guides = guides.map(|guide| GuideName { id: guide.id.clone(), title: guide.title.clone() }).collect();
    NamesReport { schema: ADVICE_SCHEMA, models, guides }
}

struct Case {
    firmware: Vec<VendorVersion>,
    app: Option<VendorVersion>,
    source: Host,
}

impl Case {
    fn of(query: &CaseQuery) -> Served<Self> {
        for text in [&query.model, &query.model2, &query.method, &query.firmware, &query.app, &query.source] {
            short(text.as_ref())?;
        }
        let firmware =
            query.firmware.iter().flat_map(|both| both.split(',')).filter(|one| !one.trim().is_empty());
        let source = query.source.as_deref().unwrap_or("linux");
        Ok(Self {
            firmware: firmware.map(version).collect::<Served<_>>()?,
            app: query.app.as_deref().filter(|app| !app.trim().is_empty()).map(version).transpose()?,
            source: source.parse::<Host>().map_err(|error| bad(&format!("{source:?}: {error}")))?,
        })
    }

    fn args(&self) -> advice::CaseArgs {
        advice::CaseArgs { firmware: self.firmware.clone(), app: self.app.clone(), source: self.source }
    }
}

fn version(text: &str) -> Served<VendorVersion> {
    text.trim().parse::<VendorVersion>().map_err(|error| bad(&format!("{text:?}: {error}")))
}

fn short(text: Option<&String>) -> Served<()> {
    match text.is_some_and(|text| text.len() > LONGEST) {
        true => Err(bad("the question is too long")),
        false => Ok(()),
    }
}

fn bad(message: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::BadRequest, message)
}
