//! Which media frame leaves the loudspeakers at which hub time; and when a shell must wake.

use antiphon_base::{Domain, Epoch, Frames, Hub, SampleRate, Timestamp};

/// One epoch of the programme: an anchor that maps media frames to hub time at
/// [`SampleRate::MEDIA`]. A pause, a seek or a new start makes a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Which epoch; 0 only where there is none yet.
    pub epoch: Epoch,
    /// The first frame of the epoch, counted since the hub started.
    pub first_frame: Frames,
    /// When `first_frame` leaves the loudspeakers.
    pub presentation: Timestamp<Hub>,
}

impl Timeline {
    /// When `frame` leaves the loudspeakers, to the nearest nanosecond.
    pub fn presentation_of(&self, frame: Frames) -> Timestamp<Hub> {
        let since = Frames(frame.0.saturating_sub(self.first_frame.0));
        self.presentation.saturating_add(SampleRate::MEDIA.span_of(since))
    }

    /// The newest frame that has begun to leave the loudspeakers at `at`; before the anchor it is
    /// a frame below `first_frame`.
    pub fn frame_at(&self, at: Timestamp<Hub>) -> Frames {
        let since = at.saturating_since(self.presentation);
        Frames(self.first_frame.0.saturating_add(SampleRate::MEDIA.frames_in(since).0))
    }
}

/// When a shell must call `handle_timeout` next, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline<D: Domain> {
    /// The instant; it may have passed already.
    pub at: Timestamp<D>,
    /// What is due then.
    pub reason: Reason,
}

impl<D: Domain> Deadline<D> {
    /// The earlier of two, either of which may be absent.
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        [a, b].into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

/// What is due at a [`Deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Hub: the next packets are to be encoded and sent.
    Burst,
    /// Hub: a stop notice is to be repeated.
    StopNotice,
    /// Hub: a session has been silent for so long that it ends.
    SessionSilent,
    /// Speaker: the hub's clock is to be asked.
    Probe,
    /// Speaker: missing packets are to be asked for.
    Nack,
    /// Speaker: a missing packet can no longer be in time.
    Lost,
    /// Speaker: the hub has been silent for so long that the shell should connect anew.
    HubSilent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_base::Span;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_frame_is_found_again_at_its_own_presentation_time(
            first in 0..1i64 << 50, at in -(1i64 << 60)..1 << 60, ahead in -(1i64 << 40)..1 << 40,
        ) {
            let timeline = Timeline {
                epoch: Epoch(1),
                first_frame: Frames(first),
                presentation: Timestamp::from_ns(at),
            };
            let frame = Frames(first + ahead);
            let shown = timeline.presentation_of(frame);
            // Presentation is rounded to the nanosecond, so the frame begins within one of it.
            prop_assert_eq!(timeline.frame_at(shown + Span::from_ns(1)), frame);
            prop_assert_eq!(timeline.frame_at(shown - Span::from_ns(1)), frame - Frames(1));
        }
    }

    #[test]
    fn a_timeline_from_outside_never_overflows() {
        let timeline = Timeline {
            epoch: Epoch(1),
            first_frame: Frames(i64::MIN),
            presentation: Timestamp::from_ns(i64::MAX),
        };
        timeline.presentation_of(Frames(i64::MAX));
        timeline.frame_at(Timestamp::from_ns(i64::MIN));
    }
}
