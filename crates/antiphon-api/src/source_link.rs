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
    /// The hub's last word, found when nothing could be sent to it any more.
    last_word: Option<SourceNotice>,
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
        let mut link =
            Self { hub: hub.to_string(), socket, credit: 0, channels: channels.max(1), last_word: None };
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
        if let Some(last) = self.last_word.take() {
            return Ok(Some(last));
        }
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

    /// Says what a station plays from frame `first_frame` of the programme on.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when the hub is gone.
    pub fn on_air(&mut self, title: &str, first_frame: i64) -> Result<(), ApiError> {
        self.command(&SourceCommand::OnAir { title: title.to_owned(), first_frame })
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

    /// A hub that has said its last word, and that word is still unread, is not gone: what was sent to it
    /// goes nowhere, and [`poll`](Self::poll) tells the word.
    fn send(&mut self, message: Message) -> Result<(), ApiError> {
        if self.last_word.is_some() {
            return Ok(());
        }
        let Err(error) = self.socket.send(message) else { return Ok(()) };
        let gone = self.gone(error);
        self.last_word = self.unread_last_word();
        if self.last_word.is_some() { Ok(()) } else { Err(gone) }
    }

    fn unread_last_word(&mut self) -> Option<SourceNotice> {
        self.socket.get_ref().set_read_timeout(Some(Duration::from_millis(1))).ok()?;
        loop {
            let Ok(Message::Text(text)) = self.socket.read() else { return None };
            let notice = self.notice(text.as_str()).ok()?;
            if matches!(notice, SourceNotice::Done { .. } | SourceNotice::Error(_)) {
                return Some(notice);
            }
        }
    }

    fn gone(&self, why: impl std::fmt::Display) -> ApiError {
        ApiError::Unreachable { hub: self.hub.clone(), why: why.to_string() }
    }
}

/// Nothing came meanwhile. A program that was stopped and goes on (Ctrl-Z, `fg`) is interrupted in what it waits for.
fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::source::{DoneReason, SourcePace};

    /// A link to a hub that reads the first message only, says `notices` and goes without reading what else comes.
    fn link_to_one_that_goes(notices: &[SourceNotice]) -> SourceLink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = HubAddress::from(listener.local_addr().unwrap());
        let said: Vec<_> = notices.iter().map(|notice| serde_json::to_string(notice).unwrap()).collect();
        let hub_goes = std::thread::spawn(move || {
            let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
            socket.read().unwrap();
            said.into_iter().for_each(|notice| socket.send(Message::text(notice)).unwrap());
            // The player's frames lie unread: the kernel resets the connection where it is closed over them.
            socket.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            socket.get_ref().peek(&mut [0]).unwrap();
        });
        let open = SourceCommand::Open {
            channels: 1,
            title: "test".into(),
            duration_frames: None,
            targets: Vec::new(),
            wait_ms: 0,
            seekable: false,
            first_frame: 0,
            pace: SourcePace::Stored,
        };
        let mut link = SourceLink::connect(&hub, &open).unwrap();
        assert!(matches!(link.poll(Duration::from_secs(10)), Ok(Some(SourceNotice::Credit { .. }))));
        link.push(&[0.0; 480]).unwrap();
        hub_goes.join().unwrap();
        link
    }

    /// Sends until the kernel refuses; an answer of the hub's end may take a moment.
    fn send_on(link: &mut SourceLink) -> Result<(), ApiError> {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && link.last_word.is_none() {
            link.push(&[0.0; 480])?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    #[test]
    fn a_stop_is_heard_by_a_player_that_was_sending() {
        let credit = SourceNotice::Credit { frames: u64::MAX };
        let stopped = SourceNotice::from(DoneReason::Stopped);
        let mut link = link_to_one_that_goes(&[credit, stopped.clone()]);
        send_on(&mut link).unwrap();
        assert_eq!(link.poll(Duration::from_millis(1)).unwrap(), Some(stopped));
    }

    #[test]
    fn a_hub_that_went_without_a_word_is_gone() {
        let mut link = link_to_one_that_goes(&[SourceNotice::Credit { frames: u64::MAX }]);
        assert!(matches!(send_on(&mut link), Err(ApiError::Unreachable { .. })));
    }
}
