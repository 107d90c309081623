//! Requests that are answered by the hub's [`Services`]: each on a worker thread, a few at a time.

mod advice;

mod jobs;

mod library;

mod queue;

mod uploads;

use std::sync::Arc;

use antiphon_api::{ErrorBody, ErrorCode};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use tokio::sync::Semaphore;

pub use uploads::MAX_UPLOAD;

use super::{Json, Refused, Shared};
use crate::services::{Served, Services};

/// Requests at work at once: a search takes some milliseconds of one processor. Others wait their turn.
const MAX_AT_WORK: usize = 4;

/// Files on their way in at once.
const MAX_UPLOADING: usize = 2;

/// Longest list of wishes: a whole library's ids do not fit, a folder has one.
const MAX_WISHES: usize = 128 * 1024;

/// The services and how many may ask them.
#[derive(Debug)]
pub struct Desk {
    services: Option<Arc<dyn Services>>,
    at_work: Semaphore,
    uploading: Semaphore,
}

impl Desk {
    /// Of a hub with these services, if any.
    pub fn new(services: Option<Arc<dyn Services>>) -> Self {
        let (at_work, uploading) = (Semaphore::new(MAX_AT_WORK), Semaphore::new(MAX_UPLOADING));
        Self { services, at_work, uploading }
    }

    /// Has `work` done on a worker thread.
    pub async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Services) -> Served<R> + Send + 'static,
    ) -> Served<R> {
        let services = self.services()?;
        let _turn = self.at_work.acquire().await;
        worker(move || work(&*services)).await
    }

    fn services(&self) -> Served<Arc<dyn Services>> {
        let message = "this hub only plays what `antiphon play` sends it; `antiphon hub` starts one with a library and a queue";
        self.services.clone().ok_or_else(|| ErrorBody::new(ErrorCode::NotFound, message))
    }
}

async fn worker<R: Send + 'static>(work: impl FnOnce() -> Served<R> + Send + 'static) -> Served<R> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!("a request broke down: {error}");
        Err(ErrorBody::new(ErrorCode::Internal, "the hub failed at this; its log says why"))
    })
}

type Answer<T> = Result<Json<T>, Refused>;

/// Addresses that look and change nothing.
pub fn reading() -> Router<Arc<Shared>> {
    Router::new()
        .route("/library", get(library::browse))
        .route("/library/{id}/art", get(library::art))
        .route("/queue", get(queue::read))
        .route("/signals", get(library::signals))
        .route("/signals/{file}", get(library::signal))
        .route("/check", get(advice::check))
        .route("/guide", get(advice::guide))
        .route("/explain", get(advice::explain))
        .route("/catalog", get(advice::catalog))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::read))
}

/// Addresses that change what is played.
pub fn playing() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/queue",
            post(queue::add)
                .patch(queue::change)
                .delete(queue::clear)
                .layer(DefaultBodyLimit::max(MAX_WISHES)),
        )
        .route("/queue/{key}", delete(queue::remove))
        .route("/library/rescan", post(library::rescan))
        .route("/uploads", post(uploads::upload).layer(DefaultBodyLimit::disable()))
}

/// Addresses that put the speakers to work for a measurement.
pub fn working() -> Router<Arc<Shared>> {
    Router::new().route("/jobs", post(jobs::start)).route("/jobs/{id}", delete(jobs::cancel))
}
