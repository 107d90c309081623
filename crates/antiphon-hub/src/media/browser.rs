//! Browsers in the media thread: their packets leave by lanes, and their clock probes come as errands.

use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_api::SpeakerStatus;
use antiphon_base::{Hub, SessionId, SpeakerId, Timestamp};
use antiphon_proto::session::{Hello, HubMessage, Refusal, Remembered};
use antiphon_proto::wire::seal::Kind;
use antiphon_proto::{Transport, message_address, message_session};
use axum::body::Bytes;
use tokio::sync::mpsc;

use super::core::{Core, Joined};
use super::lane::Lane;

/// Clock replies that may wait: more than a burst of probes has. Who leaves them unread gets no more.
const REPLIES: usize = 64;

/// The first byte of a clock reply that is not sealed. [SEAL-7]
const REPLY: u8 = 0xC0 | Kind::ClockReply as u8;

/// A browser that was let in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who it is.
    pub id: SpeakerId,
    /// Where its connection comes from.
    pub peer: SocketAddr,
    /// Whether its connection is encrypted.
    pub encrypted: bool,
    /// What it shows to have clock exchanges.
    pub ticket: [u8; 16],
    /// The join code by which it came.
    pub code: Option<String>,
}

/// What a browser's seat has beyond others'.
#[derive(Debug)]
pub(super) struct Page {
    visit: Visit,
    lane: Arc<Lane>,
    replies: Option<mpsc::Sender<Bytes>>,
}

impl Core {
    /// Seats a browser that was let in and has said hello.
    ///
    /// # Errors
    /// What the browser is to be told.
    pub fn join_browser(
        &mut self,
        visit: Visit,
        hello: &Hello,
        remembered: Remembered,
    ) -> Result<(Joined, Arc<Lane>), Refusal> {
        let transport = Transport::Messages { encrypted: visit.encrypted };
        let lane = Arc::new(Lane::new());
        let page = Page { visit: visit.clone(), lane: lane.clone(), replies: None };
        let joined = self.seat(visit.id, hello, None, transport, remembered, Some(page))?;
        Ok((joined, lane))
    }

    /// The way of a session's clock replies, in the place of a former one; `None` without that session, or with
    /// another's ticket.
    pub fn clock_replies(&mut self, session: SessionId, ticket: &[u8; 16]) -> Option<mpsc::Receiver<Bytes>> {
        let page = self.seats.get_mut(&session)?.page.as_mut()?;
        if page.visit.ticket != *ticket {
            return None;
        }
        let (sender, replies) = mpsc::channel(REPLIES);
        page.replies = Some(sender);
        Some(replies)
    }

    /// Takes a clock probe that a browser's connection has brought at `at`.
    pub fn probe(&mut self, session: SessionId, at: Timestamp<Hub>, bytes: &mut [u8]) {
        if self.seats.contains_key(&session) {
            self.take_datagram(message_address(session), at, bytes);
        }
    }

    /// Names of the speakers that came by the join code `code`.
    pub fn guests_of(&self, code: &str) -> Vec<String> {
        let came = |id: &SpeakerId| self.pages().any(|page| page.visit.id == *id && page.came_by(code));
        let speakers = self.engine_speakers().into_iter();
        speakers.filter(|speaker| came(&speaker.id)).map(|speaker| speaker.name).collect()
    }

    /// Ends every session that began by the join code `code`.
    pub fn send_guests_away(&mut self, code: &str) {
        let seats = self.seats.iter();
        let guests = seats.filter(|(_, seat)| seat.page.as_ref().is_some_and(|page| page.came_by(code)));
        for session in guests.map(|(&session, _)| session).collect::<Vec<_>>() {
            let reason = "its join code was revoked".to_owned();
            if let Some(seat) = self.seats.get(&session) {
                // Who does not read finds its connection closed.
                let _ = seat.outbox.try_send(HubMessage::Goodbye { reason: reason.clone() });
            }
            self.leave(session, &reason);
        }
    }

    /// What is known of browsers beyond what the engine knows.
    pub(super) fn show_browser(&self, id: SpeakerId, status: &mut SpeakerStatus) {
        let Some(page) = self.pages().find(|page| page.visit.id == id) else { return };
        status.address = Some(page.visit.peer.to_string());
        status.sent.dropped = page.lane.dropped();
    }

    /// Hands a datagram to the browser whose address `to` is; `false` where it is no browser's.
    pub(super) fn hand_over(&self, to: SocketAddr, bytes: &[u8]) -> bool {
        let Some(session) = message_session(to) else { return false };
        let Some(page) = self.seats.get(&session).and_then(|seat| seat.page.as_ref()) else { return true };
        match &page.replies {
            // A reply that finds no place is one exchange less.
            Some(replies) if bytes.first() == Some(&REPLY) => {
                let _ = replies.try_send(Bytes::copy_from_slice(bytes));
            }
            None if bytes.first() == Some(&REPLY) => {}
            _ => page.lane.push(bytes),
        }
        true
    }

    fn pages(&self) -> impl Iterator<Item = &Page> {
        self.seats.values().filter_map(|seat| seat.page.as_ref())
    }
}

impl Page {
    fn came_by(&self, code: &str) -> bool {
        self.visit.code.as_deref() == Some(code)
    }
}
