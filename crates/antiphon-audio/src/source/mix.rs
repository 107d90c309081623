//! Any number of channels as another number: what a station that changes its channels needs.

/// Half the power: what a channel gives to each of two.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Turns interleaved frames of `from` channels into frames of `to`, both in WAVE order, and appends
/// them to `out`.
pub(super) fn mix(samples: &[f32], from: usize, to: usize, out: &mut Vec<f32>) {
    if from == to {
        return out.extend_from_slice(samples);
    }
    for frame in samples.chunks_exact(from) {
        match (from, to) {
            (_, 1) => out.push(frame.iter().sum::<f32>() / from as f32),
            (1, _) => {
                out.extend([frame[0]; 2]);
                out.extend(std::iter::repeat_n(0.0, to - 2));
            }
            (3.., 2) => out.extend(stereo(frame)),
            _ => out.extend((0..to).map(|channel| frame.get(channel).copied().unwrap_or(0.0))),
        }
    }
}

/// Front as it is, centre and surround at half their power in both or their side; the low-frequency
/// channel is left out, as receivers leave it out.
fn stereo(frame: &[f32]) -> [f32; 2] {
    let at = |channel: usize| frame.get(channel).copied().unwrap_or(0.0);
    // Four channels are quadraphony: no centre.
    let (centre, around) = match frame.len() {
        3 => (at(2), [0.0; 2]),
        4 => (0.0, [at(2), at(3)]),
        5 => (at(2), [at(3), at(4)]),
        _ => (at(2), [at(4) + at(6), at(5) + at(7)]),
    };
    // So that all channels at full scale together stay within it.
    let beside = match frame.len() {
        3 | 4 => 1.0,
        5 | 6 => 2.0,
        _ => 3.0,
    };
    let whole = 1.0 + HALF_POWER * beside;
    [0, 1].map(|side| (at(side) + HALF_POWER * (centre + around[side])) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(samples: &[f32], from: usize, to: usize) -> Vec<f32> {
        let mut out = Vec::new();
        mix(samples, from, to, &mut out);
        out
    }

    #[test]
    fn mono_is_heard_on_both_sides_and_stereo_as_one() {
        assert_eq!(mixed(&[0.5, -0.5], 1, 2), [0.5, 0.5, -0.5, -0.5]);
        assert_eq!(mixed(&[0.5, 0.25], 2, 1), [0.375]);
        assert_eq!(mixed(&[0.5, 0.25], 2, 2), [0.5, 0.25]);
    }

    #[test]
    fn surround_keeps_its_sides_and_stays_within_full_scale() {
        for channels in 3..=8 {
            let full = mixed(&vec![1.0; channels], channels, 2);
            assert!(full.iter().all(|x| (0.5..=1.0).contains(x)), "{channels}: {full:?}");
            let mut left = vec![0.0; channels];
            left[0] = 1.0;
            let [l, r] = mixed(&left, channels, 2)[..] else { panic!() };
            assert!(l > 0.3 && r == 0.0, "{channels}: {l} {r}");
        }
        assert_eq!(mixed(&[0.5; 2], 2, 6), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(mixed(&[0.5], 1, 6), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
    }
}
