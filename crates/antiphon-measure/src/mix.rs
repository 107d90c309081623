//! What a listener midway between the two speakers would have received.

use antiphon_base::SampleRate;

use crate::interpolate;
use crate::recording::{Recording, Wav};

/// A stereo mix is refused beyond this, 3 h of stereo: it is held in memory.
const MAX_FRAMES: f64 = 3.0 * 3_600.0 * 48_000.0;

/// Both recordings on one true time axis at the media rate: the left speaker left, the right one
/// right, each frame where it truly sounded. Begins when the earlier of both begins and ends when
/// the later one ends. Delays stand as they were: nothing is aligned.
pub fn midway(left: &Recording, right: &Recording) -> Wav {
    let origin = left.timeline.start().min(right.timeline.start());
    let end = |r: &Recording| r.timeline.ns_at(r.samples.len() as f64, origin);
    let hz = f64::from(SampleRate::MEDIA.hz());
    let frames = (end(left).max(end(right)) / 1e9 * hz).clamp(0.0, MAX_FRAMES) as usize;
    let side = |r: &Recording| {
        interpolate::resampled(&r.samples, frames, |n| r.timeline.frame_at(n as f64 * 1e9 / hz, origin))
    };
    let samples = side(left).into_iter().zip(side(right)).flat_map(|(l, r)| [l, r]).collect();
    Wav { rate: SampleRate::MEDIA, channels: 2, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::TrueTimeline;
    use antiphon_base::Timestamp;

    #[test]
    fn a_click_that_sounded_a_millisecond_later_is_received_a_millisecond_later() {
        let click = |at: usize| (0..4_800).map(|n| if n == at { 1.0 } else { 0.0 }).collect();
        let side = |at, start_ns| Recording {
            rate: SampleRate::MEDIA,
            samples: click(at),
            timeline: TrueTimeline::constant(Timestamp::from_ns(start_ns), 48_000.0).unwrap(),
        };
        // The right sound card started 10 ms earlier, and its click is 11 ms into its recording...
        let mix = midway(&side(480, 10_000_000), &side(1_008, 0));
        let peak = |channel: usize| {
            let x = mix.channel(channel);
            (0..x.len()).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap()
        };
        // ... so the left click sounds at 20 ms and the right one at 21 ms.
        assert_eq!((peak(0), peak(1)), (960, 1_008));
    }
}
