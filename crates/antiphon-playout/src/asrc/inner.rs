//! rubato at the precision that the filter asks for: positions are counted in f64 by both.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable, Async, FixedAsync, Resampler, Resizable, SincInterpolationParameters};

use super::{MAX_BLOCK, MAX_RELATIVE};

/// The resampler itself.
pub(super) enum Inner {
    /// For a converter.
    Double(Async<f64>),
    /// For a sink with a lossy codec in it: half of the arithmetic, and its rounding is 60 dB below the filter's own
    /// error.
    Single(Single),
}

/// In f32, with the media and its output in f32 beside it.
pub(super) struct Single {
    resampler: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Inner {
    pub fn double(ratio: f64, parameters: &SincInterpolationParameters, channels: usize) -> Self {
        Self::Double(
            Async::new_sinc(ratio, MAX_RELATIVE, parameters, MAX_BLOCK, channels, FixedAsync::Output)
                .expect("every SampleRate gives a valid ratio"),
        )
    }

    pub fn single(ratio: f64, parameters: &SincInterpolationParameters, channels: usize) -> Self {
        let resampler: Async<f32> =
            Async::new_sinc(ratio, MAX_RELATIVE, parameters, MAX_BLOCK, channels, FixedAsync::Output)
                .expect("every SampleRate gives a valid ratio");
        let longest = resampler.input_frames_max() + parameters.sinc_len;
        Self::Single(Single {
            resampler,
            input: vec![0.0; longest * channels],
            output: vec![0.0; MAX_BLOCK * channels],
        })
    }

    pub fn input_frames_max(&self) -> usize {
        match self {
            Self::Double(resampler) => resampler.input_frames_max(),
            Self::Single(single) => single.resampler.input_frames_max(),
        }
    }

    pub fn input_frames_next(&self) -> usize {
        match self {
            Self::Double(resampler) => resampler.input_frames_next(),
            Self::Single(single) => single.resampler.input_frames_next(),
        }
    }

    pub fn reset(&mut self) {
        match self {
            Self::Double(resampler) => resampler.reset(),
            Self::Single(single) => single.resampler.reset(),
        }
    }

    /// The next block has `frames` at `ratio`, gone to evenly with `ramp`; whether that is accepted.
    pub fn set(&mut self, frames: usize, ratio: f64, ramp: bool) -> bool {
        match self {
            Self::Double(resampler) => set(resampler, frames, ratio, ramp),
            Self::Single(single) => set(&mut single.resampler, frames, ratio, ramp),
        }
    }

    /// Makes a block of what it needs; whether that went well.
    pub fn process(&mut self, input: &[f64], output: &mut [f64], channels: usize) -> bool {
        match self {
            Self::Double(resampler) => process(resampler, input, output, channels),
            Self::Single(Single { resampler, input: near, output: made }) => {
                let (near, made) = (&mut near[..input.len()], &mut made[..output.len()]);
                for (to, from) in near.iter_mut().zip(input) {
                    *to = *from as f32;
                }
                let well = process(resampler, near, made, channels);
                for (to, from) in output.iter_mut().zip(&*made) {
                    *to = f64::from(*from);
                }
                well
            }
        }
    }
}

fn set<T: rubato::Sample>(resampler: &mut Async<T>, frames: usize, ratio: f64, ramp: bool) -> bool {
    resampler.set_chunk_size(frames).and_then(|()| resampler.set_resample_ratio(ratio, ramp)).is_ok()
}

fn process<T: rubato::Sample>(resampler: &mut Async<T>, from: &[T], to: &mut [T], channels: usize) -> bool {
    let (needed, frames) = (from.len() / channels, to.len() / channels);
    let from = InterleavedSlice::new(from, channels, needed);
    let to = InterleavedSlice::new_mut(to, channels, frames);
    match (from, to) {
        (Ok(from), Ok(mut to)) => resampler.process_into_buffer(&from, &mut to, None).is_ok(),
        _ => false,
    }
}
