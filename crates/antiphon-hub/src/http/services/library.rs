//! The library and the test tracks.

use antiphon_api::{ErrorBody, ErrorCode, LibraryQuery, LibraryReply, SignalReport};
use axum::extract::{Path, Query, State, rejection::QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use super::Answer;
use crate::http::{Json, Refused, SharedState};

/// `GET /api/v1/library`
pub async fn browse(
    State(shared): SharedState,
    query: Result<Query<LibraryQuery>, QueryRejection>,
) -> Answer<LibraryReply> {
    let Query(query) = query.map_err(bad_query)?;
    Ok(Json(shared.desk.ask(move |services| services.library(&query)).await?))
}

/// `POST /api/v1/library/rescan`
pub async fn rescan(State(shared): SharedState) -> Result<StatusCode, Refused> {
    shared.desk.ask(|services| services.rescan()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `GET /api/v1/library/{id}/art`
pub async fn art(State(shared): SharedState, Path(id): Path<String>) -> Result<impl IntoResponse, Refused> {
    let picture = shared.desk.ask(move |services| services.art(&id)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(picture.media_type)),
        // A picture changes only with its file; an hour is soon enough to see that.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, picture.bytes))
}

/// `GET /api/v1/signals`
pub async fn signals(State(shared): SharedState) -> Answer<Vec<SignalReport>> {
    Ok(Json(shared.desk.ask(|services| Ok(services.signals())).await?))
}

/// `GET /api/v1/signals/{name}.wav`
pub async fn signal(
    State(shared): SharedState,
    Path(file): Path<String>,
) -> Result<impl IntoResponse, Refused> {
    let name = file.strip_suffix(".wav").map(str::to_owned);
    let Some(name) = name else {
        let message = "test tracks are NAME.wav here; GET /api/v1/signals lists them";
        return Err(ErrorBody::new(ErrorCode::NotFound, message).into());
    };
    let bytes = shared.desk.ask(move |services| services.signal(&name)).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("audio/wav")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, bytes))
}

/// What is wrong with a query.
pub fn bad_query(rejection: QueryRejection) -> Refused {
    Refused(ErrorBody::new(ErrorCode::BadRequest, rejection.body_text()))
}
