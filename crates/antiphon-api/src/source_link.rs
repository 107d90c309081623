//! The player's end of the source link.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Message, WebSocket};

use crate::address::HubAddress;
use crate::client::ApiError;
use crate::error::ErrorBody;
use crate::source::{SourceCommand, SourceNotice};

/// A hub on this machine answers at once; on another it takes a few round trips.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Credit keeps at most two seconds of audio in flight, so a hub that does not read for this long
/// is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest notice: an error with its suggestions.
const MAX_NOTICE: usize = 64 * 1024;

/// The largest run of frames in one message, in samples: half a second of eight channels.
const MAX_RUN: usize = 8 * 24_000;

/// A player's connection to the hub.
#[derive(Debug)]
pub struct SourceLink {
    hub: String,
    socket: WebSocket<TcpStream>,
    credit: u64,
    channels: u16,
}

impl SourceLink {
    /// Connects to `hub` and says what will come; `open` is a [`SourceCommand::Open`].
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] where no hub answers, [`ApiError::Refused`] where it will not.
    pub fn connect(hub: &HubAddress, open: &SourceCommand) -> Result<Self, ApiError> {
        Self::connect_as(hub, None, open)
    }

    /// The same from a machine that was let in by `token`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_as(hub: &HubAddress, token: Option<&str>, open: &SourceCommand) -> Result<Self, ApiError> {
        let unreachable =
            |error: std::io::Error| ApiError::Unreachable { hub: hub.to_string(), why: error.to_string() };
        let addr = hub.resolve().map_err(unreachable)?;
        let stream = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT).map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        stream.set_read_timeout(Some(CONNECT_TIMEOUT)).map_err(unreachable)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT)).map_err(unreachable)?;
        let config = WebSocketConfig::default().max_message_size(Some(MAX_NOTICE));
        let mut request =
            format!("ws://{hub}/api/v1/source").into_client_request().map_err(ApiError::nonsense)?;
        if let Some(bearer) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let (socket, _) = tungstenite::client::client_with_config(request, stream, Some(config))
            .map_err(refused_upgrade)?;
        let channels = match open {
            SourceCommand::Open { channels, .. } => *channels,
            _ => 1,
        };
        let mut link = Self { hub: hub.to_string(), socket, credit: 0, channels: channels.max(1) };
        link.command(open)?;
        Ok(link)
    }

    /// How many frames may be sent at present.
    pub fn credit(&self) -> usize {
        usize::try_from(self.credit).unwrap_or(usize::MAX)
    }

    /// Waits up to `patience` for the hub's next notice; `None` when nothing came. Credit is
    /// counted here and also returned.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    pub fn poll(&mut self, patience: Duration) -> Result<Option<SourceNotice>, ApiError> {
        // A zero timeout would mean "for ever" to the socket.
        let patience = patience.max(Duration::from_millis(1));
        self.socket.get_ref().set_read_timeout(Some(patience)).map_err(|error| self.gone(error))?;
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(error)) if is_timeout(&error) => return Ok(None),
            Err(error) => return Err(self.gone(error)),
        };
        match message {
            Message::Text(text) => self.notice(text.as_str()).map(Some),
            Message::Close(_) => Err(self.gone("it closed the link")),
            _ => Ok(None),
        }
    }

    /// Sends interleaved frames at 48 kHz; never more than [`credit`](Self::credit).
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    ///
    /// # Panics
    /// When sent beyond the credit or a broken frame: a fault of the caller.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), ApiError> {
        let channels = usize::from(self.channels);
        assert_eq!(samples.len() % channels, 0, "a whole number of frames");
        let frames = (samples.len() / channels) as u64;
        assert!(frames <= self.credit, "sent {frames} frames with credit for {}", self.credit);
        self.credit -= frames;
        for run in samples.chunks(MAX_RUN / channels * channels) {
            let bytes: Vec<u8> = run.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.send(Message::Binary(Bytes::from(bytes)))?;
        }
        Ok(())
    }

    /// Answers a [`SourceNotice::Seek`] or [`SourceNotice::Skip`]: the next frames start at `frame`.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    pub fn position(&mut self, frame: i64) -> Result<(), ApiError> {
        self.command(&SourceCommand::Position { frame })
    }

    /// Says that a track begins; `track` is a [`SourceCommand::Track`].
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    pub fn track(&mut self, track: &SourceCommand) -> Result<(), ApiError> {
        self.command(track)
    }

    /// Says that no more frames will come.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    pub fn end(&mut self) -> Result<(), ApiError> {
        self.command(&SourceCommand::End)
    }

    fn notice(&mut self, text: &str) -> Result<SourceNotice, ApiError> {
        let notice = serde_json::from_str(text).map_err(ApiError::nonsense)?;
        if let SourceNotice::Credit { frames } = notice {
            self.credit = self.credit.saturating_add(frames);
        }
        Ok(notice)
    }

    fn command(&mut self, command: &SourceCommand) -> Result<(), ApiError> {
        let text = serde_json::to_string(command).map_err(ApiError::nonsense)?;
        self.send(Message::text(text))
    }

    fn send(&mut self, message: Message) -> Result<(), ApiError> {
        self.socket.send(message).map_err(|error| self.gone(error))
    }

    fn gone(&self, why: impl std::fmt::Display) -> ApiError {
        ApiError::Unreachable { hub: self.hub.clone(), why: why.to_string() }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A hub that refuses the link answers the upgrade with an [`ErrorBody`].
fn refused_upgrade(error: tungstenite::HandshakeError<tungstenite::ClientHandshake<TcpStream>>) -> ApiError {
    let tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer)) = error else {
        return ApiError::nonsense("the link was not taken up");
    };
    let said = answer.body().as_deref().and_then(|body| serde_json::from_slice::<ErrorBody>(body).ok());
    match said {
        Some(error) => ApiError::Refused(error),
        None => ApiError::Nonsense(format!("HTTP status {}", answer.status())),
    }
}
