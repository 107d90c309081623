//! A player's place: what it was granted and what it owes.

use antiphon_api::{ProgrammeStatus, SourceNotice};
use antiphon_base::Frames;
use antiphon_engine::{SourcePace, SourceSpec};
use tokio::sync::mpsc;

/// Credit is given in runs of at least 50 ms: less would be a message for every packet.
const LEAST_GRANT: u64 = 2_400;

/// A player that wants to stream.
pub struct SourceOffer {
    /// What will come.
    pub spec: SourceSpec,
    /// The frame of the programme that the player begins with.
    pub first_frame: Frames,
    /// Whether the player can go to another place.
    pub seekable: bool,
    /// Where to tell the player; bounded by who made it.
    pub notices: mpsc::Sender<SourceNotice>,
}

/// The player that streams.
#[derive(Debug)]
pub struct SourceSeat {
    /// Names the link, so that a player that was replaced cannot act for its successor.
    pub link: u64,
    /// Whether the player can go to another place.
    pub seekable: bool,
    /// How its frames come.
    pub pace: SourcePace,
    notices: mpsc::Sender<SourceNotice>,
    /// Frames granted and not received.
    outstanding: u64,
    /// Seeks that the player has not answered: what comes before the answer is of the old place.
    unanswered: u32,
    /// A seek that did not fit into the player's queue.
    unsent: Option<Frames>,
}

impl SourceSeat {
    pub(super) fn new(
        link: u64,
        seekable: bool,
        pace: SourcePace,
        notices: mpsc::Sender<SourceNotice>,
    ) -> Self {
        Self { link, seekable, pace, notices, outstanding: 0, unanswered: 0, unsent: None }
    }

    pub(super) fn is_seeking(&self) -> bool {
        self.unanswered > 0
    }

    pub(super) fn answered_seek(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Takes `frames` off the credit; `false` when there is not that much.
    pub(super) fn take(&mut self, frames: u64) -> bool {
        let enough = frames <= self.outstanding;
        self.outstanding = self.outstanding.saturating_sub(frames);
        enough
    }

    pub(super) fn seek(&mut self, to: Frames) {
        if self.unsent.replace(to).is_none() {
            self.unanswered += 1;
        }
        self.send_seek();
    }

    /// Grants what fits into `room` beyond what is on its way.
    pub(super) fn grant(&mut self, room: Frames) {
        self.send_seek();
        let room = u64::try_from(room.0).unwrap_or(0);
        let frames = room.saturating_sub(self.outstanding);
        if frames >= LEAST_GRANT && self.notices.try_send(SourceNotice::Credit { frames }).is_ok() {
            self.outstanding += frames;
        }
    }

    /// Tells where the programme stands; a player that does not read misses it.
    pub(super) fn state(&self, programme: ProgrammeStatus) {
        let _ = self.notices.try_send(SourceNotice::State(programme));
    }

    /// Tells the end; the queue closes with it.
    pub(super) fn done(self, stopped: bool) {
        let _ = self.notices.try_send(SourceNotice::Done { stopped });
    }

    fn send_seek(&mut self) {
        if let Some(to) = self.unsent
            && self.notices.try_send(SourceNotice::Seek { frame: to.0 }).is_ok()
        {
            self.unsent = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat() -> (SourceSeat, mpsc::Receiver<SourceNotice>) {
        let (notices, queue) = mpsc::channel(4);
        (SourceSeat::new(1, true, SourcePace::Stored, notices), queue)
    }

    #[test]
    fn credit_is_granted_once_for_the_same_room() {
        let (mut seat, mut queue) = seat();
        seat.grant(Frames(96_000));
        seat.grant(Frames(96_000));
        assert_eq!(queue.try_recv(), Ok(SourceNotice::Credit { frames: 96_000 }));
        assert!(queue.try_recv().is_err());
        assert!(seat.take(90_000));
        seat.grant(Frames(50_000));
        assert_eq!(queue.try_recv(), Ok(SourceNotice::Credit { frames: 44_000 }));
    }

    #[test]
    fn a_player_that_sends_without_credit_is_found_out() {
        let (mut seat, _queue) = seat();
        seat.grant(Frames(10_000));
        assert!(seat.take(10_000));
        assert!(!seat.take(1));
    }

    #[test]
    fn two_seeks_want_two_answers() {
        let (mut seat, _queue) = seat();
        seat.seek(Frames(1));
        seat.seek(Frames(2));
        seat.answered_seek();
        assert!(seat.is_seeking());
        seat.answered_seek();
        assert!(!seat.is_seeking());
    }

    #[test]
    fn credit_that_does_not_fit_the_queue_is_not_lost() {
        let (mut seat, mut queue) = seat();
        (0..4).for_each(|_| seat.state(ProgrammeStatus::default()));
        seat.grant(Frames(10_000));
        while queue.try_recv().is_ok() {}
        seat.grant(Frames(10_000));
        assert_eq!(queue.try_recv(), Ok(SourceNotice::Credit { frames: 10_000 }));
    }
}
