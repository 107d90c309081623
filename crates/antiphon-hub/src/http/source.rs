//! A player's link.

use std::sync::Arc;

use antiphon_api::{ErrorBody, ErrorCode, MAX_TARGETS, SourceCommand, SourceNotice, json};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Duration, timeout};

use super::{Grant, Refused, Shared, SharedState};
use crate::convert;
use crate::media::SourceOffer;

/// Longest message: half a second of eight channels of 32-bit frames.
const MAX_MESSAGE: usize = 8 * 4 * 24_000;

/// Read at once, and cleared before every reading: 100 ms of stereo, what a player sends at a time.
const READ_BUFFER: usize = 2 * 4 * 4_800 + 16;

/// Notices that may wait for a player: three seconds of them. One that reads none of these for so
/// long has stopped.
const NOTICES: usize = 32;

/// A player says what it has as soon as it is connected.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A player that does not read for this long is stuck; its programme ends.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A player that was told the end closes its side within one reading of its own.
const GOODBYE: Duration = Duration::from_secs(1);

/// `GET /api/v1/source`
pub async fn upgrade(
    State(shared): SharedState,
    Extension(grant): Extension<Grant>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let place =
        shared.sources.clone().try_acquire_owned().map_err(|_| {
            ErrorBody::new(ErrorCode::Busy, "too many players are connected; end one of them")
        })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let upgrade = upgrade.read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| serve(shared, socket, grant, place)))
}

async fn serve(shared: Arc<Shared>, mut socket: WebSocket, grant: Grant, _place: OwnedSemaphorePermit) {
    let ended = match Link::open(&shared, &mut socket).await {
        Ok(mut link) => {
            let ended = tokio::select! {
                ended = link.run(&shared, &mut socket) => ended,
                () = grant.ended(&shared) => {
                    Err(ErrorBody::new(ErrorCode::NotPermitted, "this machine may no longer play on the hub"))
                }
            };
            let number = link.number;
            // A hub that is stopping has closed it already.
            let _ = shared.media.tell(move |core| core.close_source(number));
            ended
        }
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        let _ = send(&mut socket, &SourceNotice::Error(error)).await;
    }
    let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
    // Closed over frames that nobody has read, the connection would be reset, and the player might take
    // its end for a hub that is gone.
    let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
}

/// Why a link ends, told to the player; `Ok` when it knows.
type Ended = Result<(), ErrorBody>;

struct Link {
    number: u64,
    channels: u16,
    notices: mpsc::Receiver<SourceNotice>,
}

impl Link {
    async fn open(shared: &Shared, socket: &mut WebSocket) -> Result<Self, ErrorBody> {
        let bad = |message: &str| ErrorBody::new(ErrorCode::BadRequest, message);
        let first = timeout(OPEN_TIMEOUT, socket.recv()).await;
        let Ok(Some(Ok(Message::Text(text)))) = first else {
            return Err(bad("a player's first message says what it will play"));
        };
        let command = json::read("the player's first message", text.as_bytes())?;
        let SourceCommand::Open {
            channels,
            title,
            duration_frames,
            targets,
            wait_ms,
            seekable,
            first_frame,
            pace,
        } = command
        else {
            return Err(bad("a player's first message is \"open\""));
        };
        if targets.len() > MAX_TARGETS {
            return Err(bad(&format!("a source names at most {MAX_TARGETS} speakers")));
        }
        let first_frame = convert::first_frame(first_frame)?;
        let (sender, notices) = mpsc::channel(NOTICES);
        let spec = convert::source(channels, title, duration_frames, targets, wait_ms, pace);
        let offer = SourceOffer { spec, first_frame, notices: sender, seekable };
        let opened = shared.media.ask(move |core| core.open_source(offer)).await;
        let number = opened.map_err(|stalled| ErrorBody::new(ErrorCode::Busy, stalled.to_string()))??;
        Ok(Self { number, channels, notices })
    }

    async fn run(&mut self, shared: &Shared, socket: &mut WebSocket) -> Ended {
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(notice) => {
                        let last = matches!(notice, SourceNotice::Done { .. } | SourceNotice::Error(_));
                        if send(socket, &notice).await.is_err() || last {
                            return Ok(());
                        }
                    }
                    None => return Err(ErrorBody::new(ErrorCode::Busy, "the hub is stopping")),
                },
                message = socket.recv() => match message {
                    Some(Ok(message)) => {
                        if !self.take(shared, message).await? {
                            return Ok(());
                        }
                    }
                    // The player is gone, and cannot be told why that is no way to end.
                    Some(Err(_)) | None => return Ok(()),
                },
            }
        }
    }

    /// Does what the player said; `false` when that was goodbye.
    async fn take(&self, shared: &Shared, message: Message) -> Result<bool, ErrorBody> {
        let link = self.number;
        let stalled = |stalled: crate::media::Stalled| ErrorBody::new(ErrorCode::Busy, stalled.to_string());
        match message {
            Message::Binary(bytes) => {
                let channels = self.channels;
                let samples = samples(&bytes, channels)?;
                shared
                    .media
                    .ask(move |core| core.push_source(link, channels, &samples))
                    .await
                    .map_err(stalled)??;
            }
            Message::Text(text) => match json::read("the player's message", text.as_bytes())? {
                SourceCommand::Position { frame } => {
                    let position = convert::first_frame(frame)?;
                    shared.media.tell(move |core| core.source_position(link, position)).map_err(stalled)?;
                }
                SourceCommand::Track { number, of, title, first_frame, duration_frames } => {
                    let track = convert::track(number, of, &title, first_frame, duration_frames)?;
                    shared.media.tell(move |core| core.source_track(link, track)).map_err(stalled)?;
                }
                SourceCommand::OnAir { title, first_frame } => {
                    let (first, title) = (convert::first_frame(first_frame)?, convert::shown(&title));
                    shared.media.tell(move |core| core.source_on_air(link, first, title)).map_err(stalled)?;
                }
                SourceCommand::End => {
                    shared.media.tell(move |core| core.finish_source(link)).map_err(stalled)?;
                }
                SourceCommand::Open { .. } => {
                    return Err(ErrorBody::new(
                        ErrorCode::BadRequest,
                        "a link plays one source; open another link",
                    ));
                }
            },
            Message::Close(_) => return Ok(false),
            Message::Ping(_) | Message::Pong(_) => {}
        }
        Ok(true)
    }
}

fn samples(bytes: &[u8], channels: u16) -> Result<Vec<f32>, ErrorBody> {
    if channels == 0 || !bytes.len().is_multiple_of(4 * usize::from(channels)) {
        let message = format!("{} bytes are not whole frames of {channels} channels", bytes.len());
        return Err(ErrorBody::new(ErrorCode::BadRequest, message));
    }
    let sample = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Ok(bytes.chunks_exact(4).map(sample).collect())
}

async fn send(socket: &mut WebSocket, notice: &SourceNotice) -> Result<(), ()> {
    let text = String::from_utf8(json::write(notice)).map_err(|_| ())?;
    match timeout(SEND_TIMEOUT, socket.send(Message::text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_frames_are_refused() {
        assert_eq!(samples(&1.5f32.to_le_bytes(), 1).unwrap(), [1.5]);
        assert!(samples(&[0; 12], 2).is_err());
        assert!(samples(&[0; 3], 1).is_err());
        assert!(samples(&[0; 4], 0).is_err());
    }
}
