//! Files that come in: from the socket through a short queue to a worker thread that writes them down.

use std::io::{self, Read};

use antiphon_api::{ErrorBody, ErrorCode, UploadQuery, UploadReply};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::library::bad_query;
use super::{Answer, worker};
use crate::http::{Json, SharedState};

/// Longest file: ten minutes of what a phone records without compression.
pub const MAX_UPLOAD: u64 = 100 * 1_000 * 1_000;

/// Pieces that wait for the disk: some hundred kilobytes.
const PIECES: usize = 8;

/// A piece, or why there is none.
type Piece = io::Result<Bytes>;

/// `POST /api/v1/uploads`
pub async fn upload(
    State(shared): SharedState,
    query: Result<Query<UploadQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<UploadReply> {
    let Query(query) = query.map_err(bad_query)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > MAX_UPLOAD) {
        return Err(too_large().into());
    }
    let services = shared.desk.services()?;
    let busy = || ErrorBody::new(ErrorCode::Busy, "other files are on their way in; try again in a moment");
    let _place = shared.desk.uploading.try_acquire().map_err(|_| busy())?;
    let (sender, pieces) = mpsc::channel(PIECES);
    let name = query.name.unwrap_or_default();
    let mut reader = Pieces { pieces, at_hand: Bytes::new(), whole: false };
    let writing = worker(move || services.upload(&name, &mut reader));
    let (reply, sent) = tokio::join!(writing, send(body, sender));
    // Too much is the reason why the other broke off.
    sent.and(reply).map(Json).map_err(Into::into)
}

fn too_large() -> ErrorBody {
    let most = MAX_UPLOAD / 1_000_000;
    ErrorBody::new(
        ErrorCode::TooLarge,
        format!("a file of more than {most} MB is not taken; cut it, or record shorter"),
    )
}

async fn send(body: Body, to: mpsc::Sender<Piece>) -> Result<(), ErrorBody> {
    let broken = |why: &str| io::Error::new(io::ErrorKind::ConnectionAborted, why.to_owned());
    let mut body = body.into_data_stream();
    let mut taken = 0;
    loop {
        let piece = match body.next().await {
            None => Ok(Bytes::new()),
            Some(Ok(piece)) if piece.is_empty() => continue,
            Some(Ok(piece)) => Ok(piece),
            Some(Err(error)) => Err(broken(&error.to_string())),
        };
        taken += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if taken > MAX_UPLOAD {
            let _ = to.send(Err(broken("it is too large"))).await;
            return Err(too_large());
        }
        let last = piece.as_ref().map_or(true, Bytes::is_empty);
        // Who writes has said itself why it stopped.
        if to.send(piece).await.is_err() || last {
            return Ok(());
        }
    }
}

/// What comes, as a file is read; an end that nobody has said is an error.
struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    at_hand: Bytes,
    whole: bool,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at_hand.is_empty() && !self.whole {
            let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
            self.at_hand = self.pieces.blocking_recv().ok_or_else(gone)??;
            self.whole = self.at_hand.is_empty();
        }
        let count = out.len().min(self.at_hand.len());
        out[..count].copy_from_slice(&self.at_hand.split_to(count));
        Ok(count)
    }
}
