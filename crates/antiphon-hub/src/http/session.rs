//! A speaker's control session.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use antiphon_api::session::{MAX_MESSAGE, decode_speaker, encode_hub};
use antiphon_base::{Hub, Timestamp};
use antiphon_net::{Clock, Warp};
use antiphon_proto::session::{
    Established, Hello, HubHandshake, HubMessage, Pairing, PairingCode, PublicKey, Refusal, RefusalCode,
    Registry, SealedChannel, SpeakerMessage, Step,
};
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use tokio::time::{Duration, timeout};

use super::access::Code;
use super::guard;
use super::server::{Here, Peer};
use super::{Shared, SharedState};
use crate::media::{Joined, Media};
use crate::state::{Store, random_bytes};

/// Speakers begin as soon as they are connected.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A handshake is two round trips and some arithmetic; with a code, four. Ten seconds are far
/// beyond the slowest network, and what is slower holds a place that others want.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Speakers say hello as soon as they may.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A speaker that does not take a message for this long is not there.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Read at once, and cleared before every reading: a report is half of this. Each session has one.
const READ_BUFFER: usize = 4_096;

/// What a sealed message is longer than its text.
const SEAL_OVERHEAD: usize = 32;

/// `GET /session`
pub async fn upgrade(
    State(shared): SharedState,
    Extension(peer): Extension<Peer>,
    Extension(here): Extension<Here>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let stranger = guard::stranger(peer, here);
    let limit = MAX_MESSAGE + SEAL_OVERHEAD;
    let upgrade = upgrade.max_message_size(limit).max_frame_size(limit).read_buffer_size(READ_BUFFER);
    upgrade.on_upgrade(move |socket| async move {
        if let Err(why) = serve(&shared, socket, stranger).await {
            tracing::debug!("a session ended: {why}");
        }
    })
}

/// Why a session ended, for the log; a speaker was told before.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Ended(pub(super) String);

impl Ended {
    pub(super) fn because(why: impl Display) -> Self {
        Self(why.to_string())
    }
}

async fn serve(shared: &Arc<Shared>, mut socket: WebSocket, stranger: Option<IpAddr>) -> Result<(), Ended> {
    let established = {
        let newcomer = shared.newcomers.enter(stranger);
        let shaken = newcomer.unless_sent_away(handshake(shared, &mut socket)).await;
        shaken.ok_or_else(|| Ended::because("too many others of that machine came after it"))??
    };
    let Established { keys, channel, speaker, paired_now, .. } = established;
    let mut line = Line { socket, channel };
    if let Some(pairing) = paired_now {
        remember(&shared.store, pairing).await?;
    }
    let hello = line.hello().await?;
    let remembered = shared.store.remembered(speaker);
    let joined = shared.media.ask(move |core| core.join(speaker, &hello, keys, remembered)).await;
    match joined.map_err(Ended::because)? {
        Ok(joined) => {
            // It may have been calibrated between the two.
            let trim = shared.store.trim(speaker);
            shared.media.tell(move |core| core.set_trim(speaker, trim)).map_err(Ended::because)?;
            line.run(&shared.media, joined).await
        }
        Err(refusal) => line.refuse(refusal).await,
    }
}

/// What the handshake may look up.
struct Known<'a> {
    store: &'a Store,
    code: &'a mut Option<Code>,
}

impl Registry for Known<'_> {
    fn pairing(&self, speaker: &PublicKey) -> Option<Pairing> {
        self.store.pairing(speaker)
    }

    fn code(&mut self) -> Option<&mut PairingCode> {
        self.code.as_mut().map(|code| &mut code.pairing)
    }
}

async fn handshake(shared: &Shared, socket: &mut WebSocket) -> Result<Established, Ended> {
    // Who says nothing holds no place.
    let first = match timeout(BEGIN_TIMEOUT, next_frame(socket)).await {
        Ok(first) => first?,
        Err(_) => return Err(Ended::because("no handshake came")),
    };
    // Closed only with the process.
    let _place = shared.handshakes.acquire().await.map_err(Ended::because)?;
    match timeout(HANDSHAKE_TIMEOUT, shake(shared, socket, first)).await {
        Ok(established) => established,
        Err(_) => Err(Ended::because("the handshake took too long")),
    }
}

async fn shake(shared: &Shared, socket: &mut WebSocket, first: Bytes) -> Result<Established, Ended> {
    let clock: Clock<Hub> = Clock::new(Warp::default());
    let entropy = random_bytes().map_err(Ended::because)?;
    let mut handshake = HubHandshake::new(shared.store.identity(), &shared.name, shared.open, entropy);
    let mut frame = first;
    loop {
        match answer(shared, &mut handshake, clock.now(), &frame) {
            Ok(step) => {
                for frame in step.send {
                    send(socket, Message::Binary(frame.into())).await?;
                }
                if let Some(established) = step.established {
                    return Ok(established);
                }
            }
            Err((farewell, why)) => {
                if let Some(frame) = farewell {
                    send(socket, Message::Binary(frame.into())).await?;
                }
                let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
                return Err(Ended(why));
            }
        }
        frame = next_frame(socket).await?;
    }
}

async fn next_frame(socket: &mut WebSocket) -> Result<Bytes, Ended> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Binary(frame))) => return Ok(frame),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Text(_) | Message::Close(_))) => {
                return Err(Ended::because("no handshake came"));
            }
            Some(Err(_)) | None => return Err(Ended::because("the speaker left during the handshake")),
        }
    }
}

fn answer(
    shared: &Shared,
    handshake: &mut HubHandshake,
    now: Timestamp<Hub>,
    frame: &[u8],
) -> Result<Step, (Option<Vec<u8>>, String)> {
    let mut code = shared.code.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = Known { store: &shared.store, code: &mut code };
    handshake.receive(now, frame, &mut known).map_err(|error| (error.farewell(), error.to_string()))
}

/// On disk before the session begins: a speaker that believes itself paired must be so tomorrow.
async fn remember(store: &Arc<Store>, pairing: Pairing) -> Result<(), Ended> {
    let store = store.clone();
    tracing::info!("paired with speaker {}", pairing.name);
    let written = tokio::task::spawn_blocking(move || store.pair(pairing)).await;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!("the pairing is not kept: {error}");
            Err(Ended::because(error))
        }
        Err(error) => Err(Ended::because(error)),
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Ended> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(sent) => sent.map_err(Ended::because),
        Err(_) => Err(Ended::because("the speaker does not read")),
    }
}

/// The connection after its handshake: sealed binary messages, or text in an open session.
pub(super) struct Line {
    pub(super) socket: WebSocket,
    channel: Option<SealedChannel>,
}

impl Line {
    /// Of a session whose messages are plain text.
    pub(super) fn plain(socket: WebSocket) -> Self {
        Self { socket, channel: None }
    }

    pub(super) async fn hello(&mut self) -> Result<Hello, Ended> {
        match timeout(HELLO_TIMEOUT, self.receive()).await {
            Ok(Ok(Some(SpeakerMessage::Hello(hello)))) => match hello.check() {
                Ok(()) => Ok(hello),
                Err(refusal) => Err(self.refuse(refusal).await.err().unwrap_or(Ended("refused".into()))),
            },
            Ok(Ok(_)) => {
                let message = "a session's first message is \"hello\"".to_owned();
                let refusal = Refusal { code: RefusalCode::BadMessage, message };
                Err(self.refuse(refusal).await.err().unwrap_or(Ended("no hello".into())))
            }
            Ok(Err(ended)) => Err(ended),
            Err(_) => Err(Ended::because("the speaker did not say hello")),
        }
    }

    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Result<(), Ended> {
        tracing::warn!("a speaker was refused: {refusal}");
        self.tell(&HubMessage::Refused(refusal.clone())).await?;
        let _ = timeout(SEND_TIMEOUT, self.socket.send(Message::Close(None))).await;
        Err(Ended::because(refusal))
    }

    async fn run(mut self, media: &Media, joined: Joined) -> Result<(), Ended> {
        let Joined { session, welcome, mut outbox } = joined;
        let ended = match self.tell(&HubMessage::Welcome(welcome)).await {
            Ok(()) => loop {
                tokio::select! {
                    message = outbox.recv() => match message {
                        Some(message) => {
                            if let Err(ended) = self.tell(&message).await {
                                break ended;
                            }
                        }
                        None => break Ended::because("the hub ended the session"),
                    },
                    message = self.receive() => match message {
                        Ok(Some(SpeakerMessage::Goodbye { reason })) => break Ended(reason),
                        Ok(Some(message)) => {
                            if media.tell(move |core| core.message(session, message)).is_err() {
                                // A report less; the next one comes in a second.
                                tracing::debug!("a message was dropped: the hub is busy");
                            }
                        }
                        Ok(None) => {}
                        Err(ended) => break ended,
                    },
                }
            },
            Err(ended) => ended,
        };
        let reason = ended.to_string();
        // A hub that is stopping has ended it already.
        let _ = media.tell(move |core| core.leave(session, &reason));
        let _ = timeout(SEND_TIMEOUT, self.socket.send(Message::Close(None))).await;
        Err(ended)
    }

    pub(super) async fn tell(&mut self, message: &HubMessage) -> Result<(), Ended> {
        let text = encode_hub(message);
        let message = match &mut self.channel {
            Some(channel) => Message::Binary(channel.seal(&text).map_err(Ended::because)?.into()),
            None => Message::text(String::from_utf8(text).map_err(Ended::because)?),
        };
        send(&mut self.socket, message).await
    }

    /// The speaker's next message; `None` for what carries none. Cancel-safe: nothing is kept
    /// between the socket and the answer.
    async fn receive(&mut self) -> Result<Option<SpeakerMessage>, Ended> {
        let message = match self.socket.recv().await {
            Some(message) => message.map_err(Ended::because)?,
            None => return Err(Ended::because("the connection closed")),
        };
        let text = match (message, &mut self.channel) {
            (Message::Binary(frame), Some(channel)) => channel.open(&frame).map_err(Ended::because)?,
            (Message::Text(text), None) => text.as_bytes().to_vec(),
            (Message::Ping(_) | Message::Pong(_), _) => return Ok(None),
            (Message::Close(_), _) => return Err(Ended::because("the speaker closed the connection")),
            (Message::Binary(_) | Message::Text(_), _) => {
                return Err(Ended::because("not the kind of message agreed on"));
            }
        };
        decode_speaker(&text).map(Some).map_err(Ended::because)
    }
}
