//! What happens, told to pages as it happens: `GET /api/v1/events`.
//!
//! One shelf holds the latest value of each thing; every client has a place on it and takes, in order,
//! what is newer. So a client that reads slowly misses values and never the latest, and costs no memory.

mod notice;

mod shelf;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant, interval, interval_at, timeout};

use super::{Grant, Refused, Shared, SharedState, requests};
use antiphon_api::{ErrorBody, ErrorCode, json};
pub use shelf::Events;

/// Clients at once: every phone of a large house, several pages each.
pub const MAX_CLIENTS: usize = 256;

/// How often the status is compared with what was told last.
const LOOK: Duration = Duration::from_millis(250);

/// A client that does not take a message for this long is not there.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A phone that fell asleep closes nothing: asked this often whether it is there, it is gone after the next.
const PING: Duration = Duration::from_secs(20);

/// Scripts of a page see no pings: it hears something at least this often, so that silence means a hub that is gone.
const BEAT: Duration = Duration::from_secs(2);

/// [`EventMessage::Alive`](antiphon_api::EventMessage::Alive)
const ALIVE: &str = r#"{"type":"alive"}"#;

/// Clients say nothing; what they send all the same is read and forgotten, and may not be long.
const MAX_MESSAGE: usize = 1_024;

/// `GET /api/v1/events`
pub async fn upgrade(
    State(shared): SharedState,
    Extension(grant): Extension<Grant>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let place = shared.events.enter().ok_or_else(|| {
        ErrorBody::new(ErrorCode::Busy, "too many pages watch this hub; close one of them and try again")
    })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let upgrade = upgrade.read_buffer_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        tokio::select! {
            () = serve(&shared, &mut socket, place) => {}
            () = grant.ended(&shared) => {}
        }
        let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
    }))
}

async fn serve(shared: &Shared, socket: &mut WebSocket, _place: OwnedSemaphorePermit) {
    let mut reader = shared.events.reader();
    let mut ping = interval(PING);
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    let mut asked = false;
    loop {
        tokio::select! {
            news = reader.next() => for text in news {
                if send(socket, Message::Text(text)).await.is_err() {
                    return;
                }
                beat.reset();
            },
            _ = beat.tick() => if send(socket, Message::text(ALIVE)).await.is_err() {
                return;
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => asked = false,
            },
            _ = ping.tick() => {
                if asked || send(socket, Message::Ping(Default::default())).await.is_err() {
                    return;
                }
                asked = true;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

/// Publishes the status whenever it has changed and somebody listens; for ever.
pub async fn watch_status(shared: Arc<Shared>) {
    let mut told = notice::Told::default();
    loop {
        shared.events.listened().await;
        // A stalled media thread has no news.
        if let Ok(status) = requests::look(&shared).await
            && told.is_news(&status)
        {
            shared.events.publish("status", json::text(&status));
        }
        tokio::time::sleep(LOOK).await;
    }
}
