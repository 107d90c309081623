//! The queue.

use antiphon_api::{QueueAdd, QueuePatch, QueueReply, json};
use axum::body::Bytes;
use axum::extract::{Path, State};

use super::Answer;
use crate::http::{Json, SharedState};

/// `GET /api/v1/queue`
pub async fn read(State(shared): SharedState) -> Answer<QueueReply> {
    Ok(Json(shared.desk.ask(|services| Ok(services.queue())).await?))
}

/// `POST /api/v1/queue`
pub async fn add(State(shared): SharedState, body: Bytes) -> Answer<QueueReply> {
    let add: QueueAdd = json::read("what is to be queued", &body)?;
    Ok(Json(shared.desk.ask(move |services| services.add(&add)).await?))
}

/// `PATCH /api/v1/queue`
pub async fn change(State(shared): SharedState, body: Bytes) -> Answer<QueueReply> {
    let patch: QueuePatch = json::read("the change of the queue", &body)?;
    Ok(Json(shared.desk.ask(move |services| services.change(&patch)).await?))
}

/// `DELETE /api/v1/queue`
pub async fn clear(State(shared): SharedState) -> Answer<QueueReply> {
    Ok(Json(shared.desk.ask(|services| services.remove(None)).await?))
}

/// `DELETE /api/v1/queue/{key}`
pub async fn remove(State(shared): SharedState, Path(key): Path<String>) -> Answer<QueueReply> {
    Ok(Json(shared.desk.ask(move |services| services.remove(Some(&key))).await?))
}
