//! Channels into WAVE order: front left, front right, centre, LFE, back left, back right, front
//! left and right of centre, back centre, side left, side right.

use symphonia::core::audio::{ChannelLabel, Channels};

/// For each channel to be given, which decoded one it is; `None` where they agree already.
pub(super) type Order = Option<Vec<usize>>;

/// The order of symphonia's buffers. Positioned channels lie in the order of their bits, which are
/// WAVE's; only a list of labels can stray from it.
pub(super) fn of(channels: &Channels) -> Order {
    let Channels::Custom(labels) = channels else { return None };
    let bits = labels.iter().map(|label| match label {
        ChannelLabel::Positioned(position) => Some(position.bits()),
        _ => None,
    });
    let bits = bits.collect::<Option<Vec<u64>>>()?;
    let mut order = (0..bits.len()).collect::<Vec<usize>>();
    order.sort_by_key(|&index| bits[index]);
    order.iter().enumerate().any(|(to, &from)| to != from).then_some(order)
}

/// The order of Vorbis, which Opus shares (RFC 7845 section 5.1.1.2).
pub(super) fn of_vorbis(channels: usize) -> Order {
    let order: &[usize] = match channels {
        3 => &[0, 2, 1],
        5 => &[0, 2, 1, 3, 4],
        6 => &[0, 2, 1, 5, 3, 4],
        7 => &[0, 2, 1, 6, 5, 3, 4],
        8 => &[0, 2, 1, 7, 5, 6, 3, 4],
        _ => return None,
    };
    Some(order.to_vec())
}

/// Puts every frame of `samples` into `order`.
pub(super) fn apply(order: &Order, samples: &mut [f32]) {
    let Some(order) = order else { return };
    let mut frame = [0.0; 8];
    let width = order.len().min(frame.len());
    for samples in samples.chunks_exact_mut(width) {
        frame[..width].copy_from_slice(samples);
        for (to, &from) in samples.iter_mut().zip(order) {
            *to = frame[from];
        }
    }
}
