//! The sealed control channel: the transport phase of the handshake's Noise session. [CTRL-1]

use std::fmt;

use snow::TransportState;

use super::MAX_MESSAGE;
use super::handshake::frame;

const TAG_LEN: usize = 16;

/// Why a control frame was refused. The connection is over: what follows cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("control message over {MAX_MESSAGE} bytes")]
    Long,
    /// It is no sealed control frame of this version.
    #[error("not a sealed control frame")]
    Malformed,
    /// Altered, repeated, out of order, or sealed with other keys.
    #[error("forged control frame")]
    Forged,
}

/// Seals and opens control messages, in order. A WebSocket's binary message holds one frame.
pub struct SealedChannel {
    noise: Box<TransportState>,
}

impl SealedChannel {
    pub(super) fn new(noise: TransportState) -> Self {
        Self { noise: Box::new(noise) }
    }

    /// The frame that carries `message` (JSON text).
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if message.len() > MAX_MESSAGE {
            return Err(ChannelError::Long);
        }
        let mut out = vec![0; frame::HEAD_LEN + message.len() + TAG_LEN];
        out[..frame::HEAD_LEN].copy_from_slice(&frame::head(frame::CONTROL));
        let sealed = self.noise.write_message(message, &mut out[frame::HEAD_LEN..]);
        sealed.map_err(|_| ChannelError::Long)?;
        Ok(out)
    }

    /// The message (JSON text) in `bytes`.
    pub fn open(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let body = match frame::split(bytes) {
            Ok((frame::CONTROL, body)) => body,
            _ => return Err(ChannelError::Malformed),
        };
        if body.len() > MAX_MESSAGE + TAG_LEN {
            return Err(ChannelError::Long);
        }
        let mut message = vec![0; body.len()];
        let len = self.noise.read_message(body, &mut message).map_err(|_| ChannelError::Forged)?;
        message.truncate(len);
        Ok(message)
    }
}

impl fmt::Debug for SealedChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedChannel(..)")
    }
}
