//! Which channels of the source a role hears.

use std::f32::consts::FRAC_1_SQRT_2;

use antiphon_base::Role;

/// Appends to `out` what `role` hears of `source`: one channel, or two interleaved for
/// [`Role::Both`].
///
/// `source` is interleaved, full scale +-1.0, with `channels` (1 to 32, up to 8 in WAVE order) a frame; a
/// broken frame at the end is left out. Left and right are those of the stereo down-mix by
/// ITU-R BS.775-3 (centre and surrounds at -3 dB, LFE dropped), scaled so that full scale in every
/// channel is full scale out. A channel that the source lacks is silent, and so are left and right
/// of a source with more than 8.
pub fn route(role: Role, channels: u16, source: &[f32], out: &mut Vec<f32>) {
    let width = usize::from(channels.max(1));
    out.reserve(source.len() / width * usize::from(role.channels()));
    let frames = source.chunks_exact(width);
    let downmix = Downmix::of(channels);
    match role {
        Role::Left => out.extend(frames.map(|frame| mix(frame, &downmix.left))),
        Role::Right => out.extend(frames.map(|frame| mix(frame, &downmix.right))),
        Role::Mono => {
            out.extend(frames.map(|frame| (mix(frame, &downmix.left) + mix(frame, &downmix.right)) / 2.0));
        }
        Role::Both => {
            out.extend(frames.flat_map(|frame| [mix(frame, &downmix.left), mix(frame, &downmix.right)]));
        }
        Role::Channel(n) => {
            let index = usize::from(n).wrapping_sub(1);
            out.extend(frames.map(|frame| frame.get(index).copied().unwrap_or(0.0)));
        }
    }
}

fn mix(frame: &[f32], gains: &[f32; 8]) -> f32 {
    // A source of one channel must pass bit for bit, hence no fused or reordered sums.
    frame.iter().zip(gains).fold(0.0, |sum, (sample, gain)| sum + sample * gain)
}

/// Gains of each source channel into the stereo down-mix.
struct Downmix {
    left: [f32; 8],
    right: [f32; 8],
}

/// A loudspeaker position, for the matrix.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Left,
    Right,
    /// Heard on both sides at -3 dB.
    Middle,
    SurroundLeft,
    SurroundRight,
    Lfe,
}

impl Downmix {
    fn of(channels: u16) -> Self {
        let places = places(channels);
        Self { left: side(places, Place::Left), right: side(places, Place::Right) }
    }
}

/// WAVE channel order (the dwChannelMask bits upward) of the usual layouts.
fn places(channels: u16) -> &'static [Place] {
    use Place::{Left, Lfe, Middle, Right, SurroundLeft, SurroundRight};
    match channels {
        0 | 1 => &[Middle],
        9.. => &[],
        2 => &[Left, Right],
        3 => &[Left, Right, Middle],
        4 => &[Left, Right, SurroundLeft, SurroundRight],
        5 => &[Left, Right, Middle, SurroundLeft, SurroundRight],
        6 => &[Left, Right, Middle, Lfe, SurroundLeft, SurroundRight],
        // 6.1: the back centre comes before the sides.
        7 => &[Left, Right, Middle, Lfe, Middle, SurroundLeft, SurroundRight],
        _ => &[Left, Right, Middle, Lfe, SurroundLeft, SurroundRight, SurroundLeft, SurroundRight],
    }
}

fn side(places: &[Place], front: Place) -> [f32; 8] {
    let surround = if front == Place::Left { Place::SurroundLeft } else { Place::SurroundRight };
    let mut gains = [0.0; 8];
    for (gain, place) in gains.iter_mut().zip(places) {
        *gain = match *place {
            place if place == front => 1.0,
            place if place == surround || place == Place::Middle => FRAC_1_SQRT_2,
            _ => 0.0,
        };
    }
    let sum: f32 = gains.iter().sum();
    if sum == 0.0 { gains } else { gains.map(|gain| gain / sum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(role: Role, channels: u16, source: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        route(role, channels, source, &mut out);
        out
    }

    #[test]
    fn a_left_speaker_hears_only_the_left_channel_bit_for_bit() {
        let source = [0.1, -0.7, 0.3, 0.9];
        assert_eq!(routed(Role::Left, 2, &source), [0.1, 0.3]);
        assert_eq!(routed(Role::Right, 2, &source), [-0.7, 0.9]);
        assert_eq!(routed(Role::Both, 2, &source), source);
        assert_eq!(routed(Role::Channel(2), 2, &source), [-0.7, 0.9]);
    }

    #[test]
    fn a_mono_source_is_the_same_on_every_side() {
        let source = [0.123_456_79, -1.0];
        for role in [Role::Left, Role::Right, Role::Mono, Role::Channel(1)] {
            assert_eq!(routed(role, 1, &source), source, "{role}");
        }
        assert_eq!(routed(Role::Both, 1, &source), [source[0], source[0], source[1], source[1]]);
    }

    #[test]
    fn full_scale_everywhere_is_full_scale_and_never_more() {
        for channels in 1..=8u16 {
            let source = vec![1.0; usize::from(channels)];
            for role in [Role::Left, Role::Right, Role::Mono] {
                let heard = routed(role, channels, &source)[0];
                assert!(heard <= 1.000_000_2 && heard > 0.999_999, "{channels} {role}: {heard}");
            }
        }
    }

    #[test]
    fn the_bass_channel_of_5_1_is_dropped_and_the_centre_is_3_db_below_the_front() {
        let only = |n: usize| {
            let mut source = [0.0; 6];
            source[n] = 1.0;
            routed(Role::Both, 6, &source)
        };
        assert_eq!(only(3), [0.0, 0.0]);
        let (front, centre, surround) = (only(0), only(2), only(4));
        assert!((centre[0] / front[0] - FRAC_1_SQRT_2).abs() < 1e-6 && centre[0] == centre[1]);
        assert!((surround[0] - centre[0]).abs() < 1e-7 && surround[1] == 0.0);
    }

    #[test]
    fn a_channel_that_the_source_lacks_is_silent() {
        assert_eq!(routed(Role::Channel(5), 2, &[0.5; 4]), [0.0, 0.0]);
        assert_eq!(routed(Role::Left, 2, &[0.5; 3]), [0.5], "half a frame is left out");
    }

    #[test]
    fn of_thirty_two_channels_each_can_be_heard_and_none_is_left_or_right() {
        let source: Vec<f32> = (0..64u8).map(|n| f32::from(n) / 64.0).collect();
        assert_eq!(routed(Role::Channel(32), 32, &source), [31.0 / 64.0, 63.0 / 64.0]);
        assert_eq!(routed(Role::Channel(9), 32, &source), [8.0 / 64.0, 40.0 / 64.0]);
        for role in [Role::Left, Role::Right, Role::Mono] {
            assert_eq!(routed(role, 32, &source), [0.0, 0.0], "{role}");
        }
    }
}
