//! A browser's clock exchanges.

use std::sync::Arc;

use antiphon_api::{BrowserRequest, json};
use antiphon_base::{Hub, SessionId};
use antiphon_net::{Clock, Warp};
use antiphon_proto::wire::seal::peek_session;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use super::bucket::Bucket;
use crate::http::session::Ended;
use crate::http::{Shared, SharedState};
use crate::state::parse_id;

/// A page says what it wants as soon as it is connected.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// A reply that waits longer says nothing of any clock.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest message: the question, with its ticket.
const MAX_MESSAGE: usize = 512;

/// Read at once: a burst of probes.
const READ_BUFFER: usize = 1_024;

/// Probes: 50 a second at most, in bursts. What comes beyond is dropped. [SYNC-2]
const PROBES: Bucket = Bucket::new(100, Duration::from_millis(10));

/// `GET /browser/clock`
pub async fn upgrade(State(shared): SharedState, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let upgrade = upgrade.read_buffer_size(READ_BUFFER);
    upgrade.on_upgrade(move |mut socket| async move {
        let Err(why) = serve(&shared, &mut socket).await;
        tracing::debug!("a browser's clock exchanges ended: {why}");
        let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
    })
}

async fn serve(shared: &Arc<Shared>, socket: &mut WebSocket) -> Result<std::convert::Infallible, Ended> {
    let Ok(Some(Ok(Message::Text(text)))) = timeout(ASK_TIMEOUT, socket.recv()).await else {
        return Err(Ended::because("no question came"));
    };
    let (session, ticket) = read(text.as_bytes())?;
    let replies = shared.media.ask(move |core| core.clock_replies(session, &ticket)).await;
    let Some(replies) = replies.map_err(Ended::because)? else {
        return Err(Ended::because("no such session, or not its ticket"));
    };
    exchange(shared, socket, session, replies).await
}

fn read(text: &[u8]) -> Result<(SessionId, [u8; 16]), Ended> {
    match json::read("the question for a clock", text).map_err(Ended::because)? {
        BrowserRequest::Clock { session, ticket } => {
            let ticket = parse_id(&ticket).ok_or_else(|| Ended::because("a ticket has 32 hex digits"))?;
            Ok((SessionId(session), ticket.0))
        }
        BrowserRequest::Join { .. } => Err(Ended::because("a session begins at /browser")),
    }
}

async fn exchange(
    shared: &Arc<Shared>,
    socket: &mut WebSocket,
    session: SessionId,
    mut replies: mpsc::Receiver<Bytes>,
) -> Result<std::convert::Infallible, Ended> {
    let clock: Clock<Hub> = Clock::new(Warp::default());
    let mut allowance = PROBES;
    loop {
        tokio::select! {
            reply = replies.recv() => match reply {
                Some(reply) => match timeout(SEND_TIMEOUT, socket.send(Message::Binary(reply))).await {
                    Ok(sent) => sent.map_err(Ended::because)?,
                    Err(_) => return Err(Ended::because("the browser does not read")),
                },
                None => return Err(Ended::because("the session ended, or its clock goes on elsewhere")),
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(probe))) => {
                    let at = clock.now();
                    if peek_session(&probe) != Some(session) {
                        return Err(Ended::because("a datagram of another session"));
                    }
                    if allowance.spend() {
                        let mut probe = probe.to_vec();
                        // A probe less where the hub is busy.
                        let _ = shared.media.tell(move |core| core.probe(session, at, &mut probe));
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => return Err(Ended::because("not the kind of message agreed on")),
                Some(Ok(Message::Close(_))) | None => return Err(Ended::because("the page was closed")),
                Some(Err(error)) => return Err(Ended::because(error)),
            },
        }
    }
}
