//! What to do next: pure decisions, taken before a block is rendered.

use antiphon_base::{Epoch, SampleRate};

use crate::command::Target;

/// Beyond this the loop does not steer: it would be heard as a glide.
const SLIP_S: f64 = 1e-3;
/// Beyond this a cross-fade would be two programmes at once: silence between them is clearer.
const REPRIME_S: f64 = 50e-3;

/// How long a commanded move forward waits for the media there. Longer, and the target latency does not
/// reach so far: the programme then stops until it is there.
const PATIENCE_S: f64 = 1.0;

/// One epoch as far as the renderer knows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    /// The epoch, if this is of any use.
    pub epoch: Option<Epoch>,
    /// Where it belongs on the DAC's axis.
    pub target: Option<Target>,
    /// The DAC frame at which it falls silent, and the epoch that is over then.
    pub stop: Option<(i64, Epoch)>,
    /// Whether it was known before its start was due, so that what is missing there is a loss.
    pub awaited: bool,
    /// Frames for which a commanded move to the target has been waiting, while there is one.
    pub moving: Option<i64>,
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// How far ahead of it the sound is, in media frames, if it sounds.
    pub error: Option<f64>,
    /// Whether the media that belong here, and what the next block needs, are held.
    pub has_media: bool,
    /// The media frame that belongs to the block's end.
    pub end: f64,
    /// The epoch's first frame.
    pub start: Option<f64>,
    /// Whether a voice is free to begin.
    pub voice_free: bool,
    /// For how long a commanded move has been waiting, in media frames, while there is one.
    pub moving: Option<f64>,
}

/// What to do with the next block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decision {
    /// Stay silent.
    Wait,
    /// Begin on the line.
    Start,
    /// Steer what sounds by this error, in media frames.
    Steer(f64),
    /// Cross-fade to the line.
    Slip,
    /// The same, because it was commanded.
    Move,
    /// Fade out, then wait for the start of the line.
    Reprime,
    /// Go on as before.
    Hold,
}

/// Decides about a block.
pub(crate) fn decide(view: &View) -> Decision {
    match view.error {
        None => decide_start(view),
        Some(error) => decide_playing(view, error),
    }
}

/// Whether an epoch that begins at media frame `start` sounds in a block that ends at `end`.
pub(crate) fn is_due(start: Option<f64>, end: f64) -> bool {
    // The filter sounds a little before the first frame itself: half of its longest sinc.
    const RINGING: f64 = 130.0;
    start.is_none_or(|start| end + RINGING >= start)
}

fn decide_start(view: &View) -> Decision {
    let due = is_due(view.start, view.end);
    if due && view.has_media && view.voice_free { Decision::Start } else { Decision::Wait }
}

/// Whether sound `error` media frames off the line must jump: the loop would glide audibly.
pub(crate) fn is_jump(error: f64) -> bool {
    seconds(error) > SLIP_S
}

fn seconds(error: f64) -> f64 {
    error.abs() / f64::from(SampleRate::MEDIA.hz())
}

fn decide_playing(view: &View, error: f64) -> Decision {
    if !is_jump(error) {
        return Decision::Steer(error);
    }
    // While the last jump is still being faded out, the next must wait.
    if !view.voice_free {
        return Decision::Hold;
    }
    if let Some(waited) = view.moving {
        return decide_moving(view, error, seconds(waited));
    }
    if seconds(error) <= REPRIME_S && view.has_media { Decision::Slip } else { Decision::Reprime }
}

/// Behind the line are media still to come, and worth waiting for; before it they are held or gone.
fn decide_moving(view: &View, error: f64, waited_s: f64) -> Decision {
    match (view.has_media, error < 0.0 && waited_s < PATIENCE_S) {
        (true, _) => Decision::Move,
        (false, true) => Decision::Hold,
        (false, false) => Decision::Reprime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(error: Option<f64>) -> View {
        View { error, has_media: true, end: 10_000.0, start: Some(9_000.0), voice_free: true, moving: None }
    }

    #[test]
    fn an_error_below_a_millisecond_is_steered_and_above_it_is_jumped() {
        assert_eq!(decide(&view(Some(-47.0))), Decision::Steer(-47.0));
        assert_eq!(decide(&view(Some(49.0))), Decision::Slip);
        assert_eq!(decide(&view(Some(-2_399.0))), Decision::Slip);
        assert_eq!(decide(&view(Some(2_401.0))), Decision::Reprime);
    }

    #[test]
    fn a_commanded_move_is_a_cross_fade_however_far_and_waits_for_media_only_where_they_will_come() {
        let moving =
            |error, has_media, waited| decide(&View { has_media, moving: Some(waited), ..view(Some(error)) });
        assert_eq!([moving(9_600.0, true, 0.0), moving(-9_600.0, true, 0.0)], [Decision::Move; 2]);
        assert_eq!(moving(-9_600.0, false, 4_800.0), Decision::Hold);
        assert_eq!(moving(-9_600.0, false, 48_001.0), Decision::Reprime);
        assert_eq!(moving(9_600.0, false, 0.0), Decision::Reprime);
        assert_eq!(moving(20.0, true, 0.0), Decision::Steer(20.0));
    }

    #[test]
    fn no_jump_begins_before_the_last_one_ended_nor_to_where_there_is_nothing() {
        assert_eq!(decide(&View { voice_free: false, ..view(Some(480.0)) }), Decision::Hold);
        assert_eq!(decide(&View { has_media: false, ..view(Some(480.0)) }), Decision::Reprime);
    }

    #[test]
    fn a_start_waits_for_its_time_and_its_media() {
        assert_eq!(decide(&view(None)), Decision::Start);
        assert_eq!(decide(&View { start: None, ..view(None) }), Decision::Start);
        assert_eq!(decide(&View { start: Some(10_131.0), ..view(None) }), Decision::Wait);
        assert_eq!(decide(&View { has_media: false, ..view(None) }), Decision::Wait);
    }
}
