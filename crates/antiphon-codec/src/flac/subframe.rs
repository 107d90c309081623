//! One coded channel of a frame (RFC 9639 section 9.2).
//!
//! Arithmetic wraps: what a sound encoder writes never overflows 32 bits, and what another writes
//! is noise either way.

use super::bits::{Bits, Short};

const CUT: &str = "it is cut off";

impl From<Short> for &'static str {
    fn from(_: Short) -> Self {
        CUT
    }
}

/// Fixed predictors of order 0 to 4, the newest sample's factor first.
const FIXED: [&[i32]; 5] = [&[], &[1], &[2, -1], &[3, -3, 1], &[4, -6, 4, -1]];

/// Decodes a channel of `bits_per_sample` bits into all of `channel`.
pub(super) fn read(
    bits: &mut Bits<'_>,
    bits_per_sample: u32,
    channel: &mut [i32],
) -> Result<(), &'static str> {
    if bits.unsigned(1)? != 0 {
        return Err("a subframe begins with a one");
    }
    let kind = bits.unsigned(6)?;
    let wasted = if bits.unsigned(1)? == 0 { 0 } else { bits.unary()? + 1 };
    if wasted >= bits_per_sample {
        return Err("a subframe wastes all its bits");
    }
    let width = bits_per_sample - wasted;
    match kind {
        0 => channel.fill(bits.signed(width)?),
        1 => read_samples(bits, width, channel)?,
        8..=12 => {
            let order = kind as usize - 8;
            read_warm_up(bits, width, order, channel)?;
            read_residual(bits, order, channel)?;
            predict(FIXED[order], 0, channel);
        }
        32..=63 => read_linear(bits, width, kind as usize - 31, channel)?,
        _ => return Err("a subframe's kind is reserved"),
    }
    if wasted > 0 {
        channel.iter_mut().for_each(|sample| *sample <<= wasted);
    }
    Ok(())
}

fn read_samples(bits: &mut Bits<'_>, width: u32, samples: &mut [i32]) -> Result<(), &'static str> {
    for sample in samples {
        *sample = bits.signed(width)?;
    }
    Ok(())
}

fn read_warm_up(
    bits: &mut Bits<'_>,
    width: u32,
    order: usize,
    channel: &mut [i32],
) -> Result<(), &'static str> {
    let warm_up = channel.get_mut(..order).ok_or("a predictor is longer than its block")?;
    read_samples(bits, width, warm_up)
}

fn read_linear(
    bits: &mut Bits<'_>,
    width: u32,
    order: usize,
    channel: &mut [i32],
) -> Result<(), &'static str> {
    read_warm_up(bits, width, order, channel)?;
    let precision = bits.unsigned(4)? + 1;
    if precision == 16 {
        return Err("a predictor's precision is reserved");
    }
    let shift = bits.signed(5)?;
    let shift = u32::try_from(shift).map_err(|_| "a predictor's shift is negative")?;
    let mut factors = [0; 32];
    read_samples(bits, precision, &mut factors[..order])?;
    read_residual(bits, order, channel)?;
    predict(&factors[..order], shift, channel);
    Ok(())
}

/// Rice-coded residuals into `channel` from `order` on (RFC 9639 section 9.2.7).
fn read_residual(bits: &mut Bits<'_>, order: usize, channel: &mut [i32]) -> Result<(), &'static str> {
    let parameter_bits = match bits.unsigned(2)? {
        0 => 4,
        1 => 5,
        _ => return Err("its residual's coding is reserved"),
    };
    let partitions = 1usize << bits.unsigned(4)?;
    let length = channel.len() / partitions;
    if !channel.len().is_multiple_of(partitions) || length < order {
        return Err("its partitions do not fit its block");
    }
    for (index, partition) in channel.chunks_exact_mut(length).enumerate() {
        let partition = if index == 0 { &mut partition[order..] } else { partition };
        read_partition(bits, parameter_bits, partition)?;
    }
    Ok(())
}

fn read_partition(
    bits: &mut Bits<'_>,
    parameter_bits: u32,
    partition: &mut [i32],
) -> Result<(), &'static str> {
    let parameter = bits.unsigned(parameter_bits)?;
    if parameter == (1 << parameter_bits) - 1 {
        let width = bits.unsigned(5)?;
        return read_samples(bits, width, partition);
    }
    for residual in partition {
        let high = bits.unary()?;
        let folded = high.wrapping_shl(parameter) | bits.unsigned(parameter)?;
        *residual = (folded >> 1) as i32 ^ -((folded & 1) as i32);
    }
    Ok(())
}

/// Adds to each sample what the ones before it foretell.
fn predict(factors: &[i32], shift: u32, channel: &mut [i32]) {
    let order = factors.len();
    for at in order..channel.len() {
        let past = channel[at - order..at].iter().rev();
        // 32 bits by 15 bits, 32 times, stays below 2^51.
        let sum = past.zip(factors).map(|(&x, &f)| i64::from(x) * i64::from(f)).sum::<i64>();
        channel[at] = channel[at].wrapping_add((sum >> shift) as i32);
    }
}
