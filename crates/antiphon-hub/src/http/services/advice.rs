//! Advice as data.

use antiphon_api::advice::{CaseQuery, CheckReport, ExplainQuery, ExplainReport, GuideReport, NamesReport};
use axum::extract::{Query, State, rejection::QueryRejection};

use super::Answer;
use super::library::bad_query;
use crate::http::{Json, SharedState};

/// `GET /api/v1/check`
pub async fn check(
    State(shared): SharedState,
    query: Result<Query<CaseQuery>, QueryRejection>,
) -> Answer<CheckReport> {
    let Query(query) = query.map_err(bad_query)?;
    Ok(Json(shared.desk.ask(move |services| services.check(&query)).await?))
}

/// `GET /api/v1/guide`
pub async fn guide(
    State(shared): SharedState,
    query: Result<Query<CaseQuery>, QueryRejection>,
) -> Answer<GuideReport> {
    let Query(query) = query.map_err(bad_query)?;
    Ok(Json(shared.desk.ask(move |services| services.guide(&query)).await?))
}

/// `GET /api/v1/explain`
pub async fn explain(
    State(shared): SharedState,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<ExplainReport> {
    let Query(query) = query.map_err(bad_query)?;
    Ok(Json(shared.desk.ask(move |services| services.explain(&query)).await?))
}

/// `GET /api/v1/catalog`
pub async fn catalog(State(shared): SharedState) -> Answer<NamesReport> {
    Ok(Json(shared.desk.ask(|services| Ok(services.catalog())).await?))
}
