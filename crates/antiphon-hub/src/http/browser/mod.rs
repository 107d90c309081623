//! Browsers as speakers. [BROWSER-1] to [BROWSER-10]
//!
//! `/browser` carries a whole session of a browser that was [let in](admit): its messages as text, its packets as
//! binary messages. `/browser/clock` carries its clock exchanges, which would queue behind media otherwise.

mod admit;

mod bucket;

mod clock;

pub mod codes;

use std::sync::Arc;

use antiphon_api::session::{MAX_MESSAGE, decode_speaker, encode_hub};
use antiphon_base::SessionId;
use antiphon_proto::session::{Hello, HubMessage, Refusal, RefusalCode, SpeakerMessage};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Duration, timeout};

use super::guard;
use super::server::{Encrypted, Here, Peer};
use super::session::{Ended, Line};
use super::{Shared, SharedState};
use crate::media::{Joined, Lane, Media, Visit};

pub use admit::Arrivals;
use admit::Visitor;
use bucket::Bucket;
pub use clock::upgrade as upgrade_clock;

/// A browser that takes nothing for as long as a silent session lasts is gone: a phone that sleeps does not read.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a closing connection may take to say so.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Read at once, and cleared before every reading: a report is half of this.
const READ_BUFFER: usize = 4_096;

/// Collected before it is given to the system: a burst of packets.
const WRITE_BUFFER: usize = 16 * 1_024;

/// A browser reports once a second; at a change of something it may say more.
const MESSAGES: Bucket = Bucket::new(60, Duration::from_millis(200));

/// `GET /browser`
pub async fn upgrade(
    State(shared): SharedState,
    Extension(peer): Extension<Peer>,
    Extension(here): Extension<Here>,
    Extension(encrypted): Extension<Encrypted>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let trusted = guard::needs_no_code(&shared, peer, here, &headers);
    let stranger = guard::stranger(peer, here);
    let visitor = Visitor { peer: peer.0, encrypted: encrypted.0, trusted, stranger };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let upgrade = upgrade.read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER);
    upgrade.on_upgrade(move |socket| async move {
        if let Err(why) = serve(&shared, socket, visitor).await {
            tracing::debug!("a browser's session ended: {why}");
        }
    })
}

async fn serve(shared: &Arc<Shared>, mut socket: WebSocket, visitor: Visitor) -> Result<(), Ended> {
    let visit = admit::admit(shared, &mut socket, visitor).await?;
    let mut line = Line::plain(socket);
    let hello = line.hello().await?;
    match seat(shared, visit, hello).await? {
        Ok((joined, lane)) => run(line, &shared.media, joined, lane).await,
        Err(refusal) => line.refuse(refusal).await,
    }
}

async fn seat(
    shared: &Arc<Shared>,
    visit: Visit,
    hello: Hello,
) -> Result<Result<(Joined, Arc<Lane>), Refusal>, Ended> {
    let speaker = visit.id;
    let remembered = shared.store.remembered(speaker);
    let name = remembered.name.as_ref().unwrap_or(&hello.name);
    // A guest that took it would keep its owner out.
    if shared.store.is_name_of_another(speaker, name) {
        let message = format!("a speaker of this hub is called {name:?}: choose another name");
        return Ok(Err(Refusal { code: RefusalCode::NameTaken, message }));
    }
    let joined = shared.media.ask(move |core| core.join_browser(visit, &hello, remembered)).await;
    let joined = joined.map_err(Ended::because)?;
    if joined.is_ok() {
        // It may have been calibrated between the two.
        let trim = shared.store.trim(speaker);
        shared.media.tell(move |core| core.set_trim(speaker, trim)).map_err(Ended::because)?;
    }
    Ok(joined)
}

async fn run(mut line: Line, media: &Media, joined: Joined, lane: Arc<Lane>) -> Result<(), Ended> {
    let session = joined.session;
    let welcomed = line.tell(&HubMessage::Welcome(joined.welcome.clone())).await;
    let (mut sink, stream) = line.socket.split();
    let ended = match welcomed {
        // Reading goes on while writing waits: a browser that takes nothing may still say goodbye.
        Ok(()) => tokio::select! {
            ended = write(&mut sink, joined, &lane) => ended,
            ended = read(stream, media, session) => ended,
        },
        Err(ended) => ended,
    };
    let reason = ended.to_string();
    // A hub that is stopping has ended it already.
    let _ = media.tell(move |core| core.leave(session, &reason));
    let _ = timeout(CLOSE_TIMEOUT, sink.send(Message::Close(None))).await;
    Err(ended)
}

/// Sends messages and packets until the session ends.
async fn write(sink: &mut SplitSink<WebSocket, Message>, joined: Joined, lane: &Lane) -> Ended {
    let mut outbox = joined.outbox;
    loop {
        let message = tokio::select! {
            message = outbox.recv() => match message {
                Some(message) => Some(message),
                None => return Ended::because("the hub ended the session"),
            },
            () = lane.filled() => None,
        };
        match timeout(SEND_TIMEOUT, give(sink, message, lane)).await {
            Ok(Ok(())) => {}
            Ok(Err(ended)) => return ended,
            Err(_) => return Ended::because("the browser does not read"),
        }
    }
}

/// Gives the system a message and all packets that wait, in as few writes as they fit in.
async fn give(
    sink: &mut SplitSink<WebSocket, Message>,
    message: Option<HubMessage>,
    lane: &Lane,
) -> Result<(), Ended> {
    if let Some(message) = message {
        let text = String::from_utf8(encode_hub(&message)).map_err(Ended::because)?;
        sink.feed(Message::text(text)).await.map_err(Ended::because)?;
    }
    while let Some(packet) = lane.pop() {
        sink.feed(Message::Binary(packet)).await.map_err(Ended::because)?;
    }
    sink.flush().await.map_err(Ended::because)
}

/// Hands on what the browser says, until it says goodbye or goes.
async fn read(mut stream: SplitStream<WebSocket>, media: &Media, session: SessionId) -> Ended {
    let mut allowance = MESSAGES;
    loop {
        let text = match stream.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Ended::because("not the kind of message agreed on"),
            Some(Ok(Message::Close(_))) | None => return Ended::because("the page was closed"),
            Some(Err(error)) => return Ended::because(error),
        };
        if !allowance.spend() {
            return Ended::because("it says more than anybody can listen to");
        }
        match decode_speaker(text.as_bytes()) {
            Ok(SpeakerMessage::Goodbye { reason }) => return Ended(reason),
            Ok(message) => {
                if media.tell(move |core| core.message(session, message)).is_err() {
                    // A report less; the next one comes in a second.
                    tracing::debug!("a message was dropped: the hub is busy");
                }
            }
            Err(error) => return Ended::because(error),
        }
    }
}
