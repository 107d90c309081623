//! What is to be sent, in order. Bytes are made when a datagram leaves.

use std::collections::VecDeque;
use std::net::SocketAddr;

use antiphon_base::SessionId;

use crate::wire::clock::Reply;
use crate::wire::notice::Stop;

/// The most media packets that wait: 512 speakers with a burst of 128 packets (320 ms of the
/// shortest) each, 1.5 MB. A shell empties the queue after every call.
const MAX_MEDIA: usize = 65_536;

/// The most clock replies and notices that wait: every speaker's burst of probes over a stall of 160 ms.
const MAX_URGENT: usize = 4_096;

/// A datagram that must not wait behind media.
#[derive(Debug)]
pub(super) enum Urgent {
    /// A clock reply: every microsecond of waiting is an error of the speaker's clock.
    Reply { session: SessionId, to: SocketAddr, reply: Reply },
    /// A stop notice.
    Stop { session: SessionId, stop: Stop },
}

/// A media packet for one session: the bytes are in the stream's history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Media {
    pub(super) session: SessionId,
    pub(super) ssrc: u32,
    pub(super) sequence: u64,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    urgent: VecDeque<Urgent>,
    media: VecDeque<Media>,
    /// What found the queue full.
    pub(super) overflowed: u64,
}

impl Queue {
    pub(super) fn push_urgent(&mut self, urgent: Urgent) {
        if self.urgent.len() < MAX_URGENT {
            self.urgent.push_back(urgent);
        } else {
            self.overflowed += 1;
        }
    }

    pub(super) fn push_media(&mut self, media: Media) {
        if self.media.len() < MAX_MEDIA {
            self.media.push_back(media);
        } else {
            self.overflowed += 1;
        }
    }

    pub(super) fn pop_urgent(&mut self) -> Option<Urgent> {
        self.urgent.pop_front()
    }

    pub(super) fn pop_media(&mut self) -> Option<Media> {
        self.media.pop_front()
    }
}
