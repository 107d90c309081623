//! The control port: HTTP and WebSockets.
//!
//! Speakers reach `/session` from anywhere and prove who they are there. Everything else is for this machine,
//! and for whom it has let in: see [`guard`].

mod server;

mod guard;

mod roles;

mod access;

mod tries;

mod newcomers;

mod stalled;

mod lan;

mod problem;

mod requests;

mod calibration;

mod session;

mod source;

mod browser;

mod pages;

mod groups;

mod names;

mod services;

mod metrics;

pub mod events;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use antiphon_api::json;
use antiphon_base::ClockId;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use tokio::sync::{self, Semaphore};

use crate::media::Media;
use crate::options::HubOptions;
use crate::state::{JoinCodes, Store};
use services::Desk;

pub use events::watch_status;
pub use guard::Grant;
pub use problem::Refused;
pub use server::{Entrance, places, serve};
pub use services::MAX_UPLOAD;

/// Longest body of a request: the longest real one is under 200 bytes.
const MAX_BODY: usize = 16 * 1024;

/// Longest calibration: of all the speakers that a hub can have, under 400 bytes each.
const MAX_CALIBRATION: usize = 256 * 1024;

/// Handshakes under way at once. One takes a few milliseconds; more at a time than this is an
/// attack on the processor, not a hall full of speakers.
const MAX_HANDSHAKES: usize = 32;

/// Players connected at once: one plays, others may just be taking its place.
const MAX_SOURCES: usize = 4;

/// Where the page is served encrypted.
#[derive(Debug, Clone)]
pub struct Https {
    /// Its port.
    pub port: u16,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
}

/// What every request can reach.
pub struct Shared {
    /// The way to the engine.
    pub media: Media,
    /// Keys, pairings, settings.
    pub store: Arc<Store>,
    /// The hub's name.
    pub name: String,
    /// Sessions without pairing and seals.
    pub open: bool,
    /// This boot of the hub's clock.
    pub clock_id: ClockId,
    /// Address and port of control and media.
    pub listen: SocketAddr,
    /// The encrypted page, where it is served.
    pub https: Option<Https>,
    /// This machine's names in its network.
    pub names: Vec<String>,
    /// The code that lets the next speaker, browser or machine in.
    pub code: Mutex<Option<access::Code>>,
    /// Who comes in, and who tried.
    pub door: access::Door,
    /// Calibrations are changed one after the other: disk and speakers must agree on which was last.
    pub calibrating: sync::Mutex<()>,
    /// Codes that let browsers in.
    pub join_codes: JoinCodes,
    /// Browsers on their way in.
    pub arrivals: browser::Arrivals,
    /// What the hub does besides.
    pub desk: Desk,
    /// Where whatever changes is told to pages.
    pub events: events::Events,
    /// Whoever has connected and not said yet who it is.
    newcomers: newcomers::Newcomers,
    handshakes: Semaphore,
    sources: Arc<Semaphore>,
}

impl Shared {
    /// What requests to a hub that starts can reach.
    pub fn new(
        media: Media,
        store: Arc<Store>,
        join_codes: JoinCodes,
        clock_id: ClockId,
        listen: SocketAddr,
        https: Option<Https>,
        options: &HubOptions,
    ) -> Self {
        let handshakes = Semaphore::new(MAX_HANDSHAKES);
        let sources = Arc::new(Semaphore::new(MAX_SOURCES));
        let names = lan::names(store.identity().speaker_id(), listen.port());
        Self {
            media,
            store,
            name: options.name.clone(),
            open: options.open,
            clock_id,
            listen,
            https,
            names,
            code: Mutex::new(None),
            door: access::Door::new(),
            calibrating: sync::Mutex::new(()),
            join_codes,
            arrivals: browser::Arrivals::new(),
            desk: Desk::new(options.services.clone()),
            events: events::Events::new(),
            newcomers: newcomers::Newcomers::default(),
            handshakes,
            sources,
        }
    }
}

type SharedState = axum::extract::State<Arc<Shared>>;

/// Every address of the hub; what is at none of them is a page's, or nothing.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(guarded().layer(from_fn_with_state(shared.clone(), guard::admit)))
        .merge(open())
        .fallback(pages::serve)
        .layer(from_fn_with_state(shared.clone(), guard::no_foreign_page))
        .layer(from_fn(stalled::slow_bodies))
        .layer(from_fn(problem::tell_all))
        .layer(from_fn(pages::secured))
        .with_state(shared)
}

/// What takes a role: [`roles`] says which.
fn guarded() -> Router<Arc<Shared>> {
    let api = Router::new()
        .route("/me", get(access::me))
        .route("/login", post(access::login))
        .route("/logout", post(access::logout))
        .route("/access", get(access::list).post(access::offer))
        .route("/access/{id}", delete(access::revoke))
        .route("/status", get(requests::status))
        .route("/transport", post(requests::transport))
        .route("/speakers/{name}", patch(requests::set_speaker))
        .route("/latency", put(requests::set_latency))
        .route(
            "/calibration",
            get(calibration::read)
                .put(calibration::put)
                .delete(calibration::undo)
                .layer(DefaultBodyLimit::max(MAX_CALIBRATION)),
        )
        .route("/calibration/{name}", delete(calibration::undo_one))
        .route("/pairing-code", post(requests::pairing_code))
        .route("/join-codes", get(browser::codes::list).post(browser::codes::make))
        .route("/join-codes/{id}", delete(browser::codes::revoke))
        .route("/source", get(source::upgrade))
        .merge(services::reading())
        .merge(services::playing())
        .merge(services::working())
        .route("/events", get(events::upgrade))
        .route("/groups", get(groups::list))
        .route("/groups/{name}", put(groups::put).delete(groups::remove))
        .route("/groups/{name}/use", post(groups::use_roles))
        .route("/openapi.json", get(requests::openapi))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new().nest("/api/v1", api).route("/metrics", get(metrics::read))
}

/// Where whoever comes is known by what it says, or need not be known.
fn open() -> Router<Arc<Shared>> {
    Router::new()
        .route("/session", get(session::upgrade))
        .route("/browser", get(browser::upgrade))
        .route("/browser/clock", get(browser::upgrade_clock))
        .route("/healthz", get(requests::health))
}

/// A value as a JSON answer that nothing caches.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (headers, json::write(&self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The paths of a router, which tells them to nobody but in its debug form.
    fn paths(router: &Router<Arc<Shared>>) -> BTreeSet<String> {
        let told = format!("{router:?}");
        let (_, told) = told.split_once("Node { paths: {").expect("a router lists its paths");
        let (told, _) = told.split_once("} }").expect("the list ends");
        told.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn described(open: bool) -> BTreeSet<String> {
        let all = antiphon_api::openapi::OPERATIONS.iter();
        let of = all.filter(|operation| roles::OPEN.contains(&operation.path) == open);
        of.map(|operation| operation.path.to_owned()).collect()
    }

    #[test]
    fn the_description_has_every_address_and_no_other() {
        assert_eq!(paths(&guarded()), described(false));
        assert_eq!(paths(&open()), described(true));
    }
}
