//! A player's place: what it was granted and what it owes.

use antiphon_api::{DoneReason, ProgrammeStatus, SourceNotice};
use antiphon_base::Frames;
use antiphon_engine::{SourcePace, SourceSpec};
use tokio::sync::mpsc;

/// Credit is given in runs of at least 100 ms, as players send them: each costs a message either way and a wake-up of
/// three threads.
const LEAST_GRANT: u64 = 4_800;

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
    /// Questions for another place so far.
    asked: u64,
    /// Those of them that the player has answered: what comes before an answer is of the old place.
    answered: u64,
    /// Since this question frames are counted as they are: what is said of tracks before its answer is void.
    counted_since: u64,
    /// A question that did not fit into the player's queue.
    unsent: Option<Question>,
}

/// What a player is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// To go on at this frame.
    Seek(Frames),
    /// To go on with another track: from this one, so many further.
    Skip(u32, i32),
}

impl SourceSeat {
    pub(super) fn new(
        link: u64,
        seekable: bool,
        pace: SourcePace,
        notices: mpsc::Sender<SourceNotice>,
    ) -> Self {
        Self {
            link,
            seekable,
            pace,
            notices,
            outstanding: 0,
            asked: 0,
            answered: 0,
            counted_since: 0,
            unsent: None,
        }
    }

    pub(super) fn is_seeking(&self) -> bool {
        self.answered < self.asked
    }

    pub(super) fn answered_seek(&mut self) {
        self.answered = self.asked.min(self.answered + 1);
    }

    /// Whether frame numbers mean the same to the player, by what it has answered.
    pub(super) fn counts_alike(&self) -> bool {
        self.answered >= self.counted_since
    }

    /// Takes `frames` off the credit; `false` when there is not that much.
    pub(super) fn take(&mut self, frames: u64) -> bool {
        let enough = frames <= self.outstanding;
        self.outstanding = self.outstanding.saturating_sub(frames);
        enough
    }

    pub(super) fn ask(&mut self, question: Question) {
        match (self.unsent, question) {
            // A place in a track that the player has not heard of means nothing to it.
            (Some(Question::Skip(..)), Question::Seek(_)) => {}
            (Some(_), _) => self.unsent = Some(question),
            (None, _) => {
                self.unsent = Some(question);
                self.asked += 1;
            }
        }
        if matches!(question, Question::Skip(..)) {
            self.counted_since = self.asked;
        }
        self.send_question();
    }

    /// Grants what fits into `room` beyond what is on its way.
    pub(super) fn grant(&mut self, room: Frames) {
        self.send_question();
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
    pub(super) fn done(self, why: DoneReason) {
        let _ = self.notices.try_send(why.into());
    }

    fn send_question(&mut self) {
        let Some(question) = self.unsent else { return };
        let notice = match question {
            Question::Seek(to) => SourceNotice::Seek { frame: to.0 },
            Question::Skip(from, by) => SourceNotice::Skip { from, by },
        };
        if self.notices.try_send(notice).is_ok() {
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
        seat.ask(Question::Seek(Frames(1)));
        seat.ask(Question::Seek(Frames(2)));
        seat.answered_seek();
        assert!(seat.is_seeking());
        seat.answered_seek();
        assert!(!seat.is_seeking());
    }

    #[test]
    fn frames_are_counted_alike_once_a_skip_is_answered() {
        let (mut seat, mut queue) = seat();
        seat.ask(Question::Seek(Frames(1)));
        assert!(seat.counts_alike(), "a seek leaves the count as it is");
        seat.ask(Question::Skip(3, 1));
        seat.ask(Question::Seek(Frames(9)));
        seat.answered_seek();
        assert!(!seat.counts_alike());
        seat.answered_seek();
        assert!(seat.counts_alike() && seat.is_seeking());
        seat.answered_seek();
        assert!(!seat.is_seeking());
        let told: Vec<_> = std::iter::from_fn(|| queue.try_recv().ok()).collect();
        let seek = |frame| SourceNotice::Seek { frame };
        assert_eq!(told, [seek(1), SourceNotice::Skip { from: 3, by: 1 }, seek(9)]);
    }

    #[test]
    fn a_place_in_a_track_that_the_player_was_not_told_of_is_not_told_either() {
        let (mut seat, mut queue) = seat();
        (0..4).for_each(|_| seat.state(ProgrammeStatus::default()));
        seat.ask(Question::Skip(3, 1));
        seat.ask(Question::Seek(Frames(9)));
        while queue.try_recv().is_ok() {}
        seat.grant(Frames(0));
        assert_eq!(queue.try_recv(), Ok(SourceNotice::Skip { from: 3, by: 1 }));
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
