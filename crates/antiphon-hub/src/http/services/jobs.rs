//! Work that takes a while.

use antiphon_api::{Job, JobRequest, JobsReply, json};
use axum::body::Bytes;
use axum::extract::{Path, State};

use super::Answer;
use crate::http::{Json, SharedState};

/// `POST /api/v1/jobs`
pub async fn start(State(shared): SharedState, body: Bytes) -> Answer<Job> {
    let request: JobRequest = json::read("the job", &body)?;
    Ok(Json(shared.desk.ask(move |services| services.start_job(&request)).await?))
}

/// `GET /api/v1/jobs`
pub async fn list(State(shared): SharedState) -> Answer<JobsReply> {
    Ok(Json(shared.desk.ask(|services| Ok(services.jobs())).await?))
}

/// `GET /api/v1/jobs/{id}`
pub async fn read(State(shared): SharedState, Path(id): Path<String>) -> Answer<Job> {
    Ok(Json(shared.desk.ask(move |services| services.job(&id)).await?))
}

/// `DELETE /api/v1/jobs/{id}`
pub async fn cancel(State(shared): SharedState, Path(id): Path<String>) -> Answer<Job> {
    Ok(Json(shared.desk.ask(move |services| services.cancel(&id)).await?))
}
