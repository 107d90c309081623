//! Asynchronous sample-rate conversion that knows where it is.
//!
//! rubato's windowed-sinc resampler (128 points, 256 sub-positions, cubic between them, f64; less before a
//! lossy codec, see [`Filter`]) does the arithmetic. Around it this module adds what synchronised playout needs: the exact media
//! position of every output frame, and a start at any fraction of a frame.

mod index;

mod inner;

use antiphon_base::SampleRate;
use rubato::{SincInterpolationParameters, SincInterpolationType, WindowFunction};

use index::Index;
use inner::Inner;

/// The most output frames of one block: 5.3 ms at 48 kHz, the interval at which the step may change.
pub(crate) const MAX_BLOCK: usize = 256;

/// Sub-positions of the sinc table; with cubic interpolation the images are below -150 dB.
const OVERSAMPLING: usize = 256;
/// Output frames over which the fraction of a start is spread.
const ALIGN: usize = 64;
/// How far the step may be from nominal: the alignment adds up to one frame over [`ALIGN`] frames,
/// which at the highest rate (768 kHz, a step of 1/16) is a quarter of the step.
const MAX_RELATIVE: f64 = 1.3;

/// How well the media are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// 128 points and cubic between sub-positions: added distortion below -120 dB. For a converter.
    #[default]
    Transparent,
    /// 64 points and linear between sub-positions, in f32, an eighth of the arithmetic: up to 15 kHz it changes nothing
    /// by more than -75 dB. For a sink with a lossy codec in it, which changes a hundred times as much.
    Coded,
}

impl Filter {
    /// Points of the filter at rates from the media's up.
    fn points(self) -> usize {
        match self {
            Self::Transparent => 128,
            Self::Coded => 64,
        }
    }

    fn between(self) -> SincInterpolationType {
        match self {
            Self::Transparent => SincInterpolationType::Cubic,
            Self::Coded => SincInterpolationType::Linear,
        }
    }
}

/// Places in the media: a whole frame, and a distance from it that need not be below one.
pub(crate) type Place = (i64, f64);

/// One resampler.
pub(crate) struct Asrc {
    inner: Inner,
    index: Index,
    channels: usize,
    sinc_len: usize,
    nominal_step: f64,
    /// Media frames from the index to the centre of the sinc that it selects.
    centre: f64,
    /// The media frame that the next block's input begins with.
    next_input: i64,
    input: Vec<f64>,
    discard: Vec<f64>,
}

impl Asrc {
    /// A resampler from the media rate to `dac_rate`.
    pub(crate) fn new(dac_rate: SampleRate, channels: usize, filter: Filter) -> Self {
        let ratio = f64::from(dac_rate.hz()) / f64::from(SampleRate::MEDIA.hz());
        // Below the media rate the filter must also cut what would alias, with a steeper edge so
        // that the audible band survives: twice the length puts the edge of 44.1 kHz at 20.8 kHz.
        let sinc_len = if ratio < 1.0 { 2 * filter.points() } else { filter.points() };
        let parameters = SincInterpolationParameters {
            sinc_len,
            f_cutoff: None,
            oversampling_factor: OVERSAMPLING,
            interpolation: filter.between(),
            window: WindowFunction::BlackmanHarris2,
        };
        let inner = match filter {
            Filter::Transparent => Inner::double(ratio, &parameters, channels),
            Filter::Coded => Inner::single(ratio, &parameters, channels),
        };
        let longest = inner.input_frames_max() + sinc_len;
        Self {
            inner,
            index: Index::new(sinc_len, ratio),
            channels,
            sinc_len,
            nominal_step: 1.0 / ratio,
            centre: (sinc_len / 2) as f64 - 1.0 + 1.0 / OVERSAMPLING as f64,
            next_input: 0,
            input: vec![0.0; longest * channels],
            discard: vec![0.0; MAX_BLOCK * channels],
        }
    }

    /// Media frames beyond the sounding one that a block reads before it can sound.
    pub(crate) fn lookahead(&self) -> i64 {
        self.sinc_len as i64 / 2 + 2
    }

    /// The media frame that sounds at the next output frame if the step stays as it is.
    pub(crate) fn position(&self) -> Place {
        (self.next_input, self.index.next() + self.centre)
    }

    /// Begins again such that the next output frame sounds `place` and the step is `step`.
    ///
    /// The filter's whole history comes from `feed`, so there is no start-up transient.
    pub(crate) fn prime(&mut self, place: Place, step: f64, mut feed: impl FnMut(i64, &mut [f64])) {
        let step = self.bounded(step);
        self.inner.reset();
        self.index.reset();
        let frames = ALIGN + ((self.sinc_len + 2) as f64 / step).ceil() as usize;
        // Where the input must begin for `frames` steps to end one step before `place`; what the
        // whole frame lacks is made up by a slightly longer step while nobody listens.
        let begin = place.1 - self.centre - self.index.next_after(frames, step);
        self.next_input = place.0 + begin.floor() as i64;
        let stretch = (begin - begin.floor()) / ALIGN as f64;
        self.skip(ALIGN, step + stretch, &mut feed);
        let mut left = frames - ALIGN;
        while left > 0 {
            let block = left.min(MAX_BLOCK);
            self.skip(block, step, &mut feed);
            left -= block;
        }
    }

    fn skip(&mut self, frames: usize, step: f64, feed: &mut impl FnMut(i64, &mut [f64])) {
        let mut discard = std::mem::take(&mut self.discard);
        self.block(&mut discard[..frames * self.channels], step, false, feed);
        self.discard = discard;
    }

    /// Fills `out` (interleaved, at most [`MAX_BLOCK`] frames) while the step goes evenly to
    /// `step`. `feed(first, frames)` is called once for the media that the block needs.
    pub(crate) fn render(&mut self, out: &mut [f64], step: f64, mut feed: impl FnMut(i64, &mut [f64])) {
        let step = self.bounded(step);
        self.block(out, step, true, &mut feed);
    }

    /// The step kept within what a clock can be off by, so that the resampler accepts it.
    fn bounded(&self, step: f64) -> f64 {
        if !step.is_finite() {
            return self.nominal_step;
        }
        step.clamp(self.nominal_step * 0.99, self.nominal_step * 1.01)
    }

    fn block(&mut self, out: &mut [f64], step: f64, ramp: bool, feed: &mut impl FnMut(i64, &mut [f64])) {
        let frames = out.len() / self.channels;
        if frames == 0 {
            return;
        }
        let ratio = 1.0 / step;
        let accepted = self.inner.set(frames, ratio, ramp);
        let needed = self.index.advance(frames, ratio, ramp);
        debug_assert!(accepted && needed == self.inner.input_frames_next());
        let input = &mut self.input[..needed * self.channels];
        feed(self.next_input, input);
        self.next_input += needed as i64;
        let made = self.inner.process(input, out, self.channels);
        debug_assert!(made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asrc(hz: u32) -> Asrc {
        Asrc::new(SampleRate::new(hz).unwrap(), 1, Filter::Transparent)
    }

    /// A slow sine by absolute frame number, so that the phase of the output tells its position.
    fn tone(first: i64, out: &mut [f64]) {
        for (k, x) in out.iter_mut().enumerate() {
            *x = value(first as f64 + k as f64);
        }
    }

    fn value(place: f64) -> f64 {
        (place * 0.1).sin()
    }

    #[test]
    fn a_start_sounds_the_asked_fraction_of_a_frame_at_every_rate() {
        for hz in [44_100, 48_000, 96_000, 192_000, 8_000] {
            let mut asrc = asrc(hz);
            let step = 48_000.0 / f64::from(hz);
            for fraction in [0.0, 0.25, 0.5, 0.999, -0.3, 7.7] {
                asrc.prime((10_000, fraction), step, tone);
                let mut out = [0.0; 64];
                asrc.render(&mut out, step, tone);
                for (k, x) in out.iter().enumerate() {
                    let want = value(10_000.0 + fraction + k as f64 * step);
                    assert!((x - want).abs() < 2e-6, "{hz} {fraction} {k}: {x} {want}");
                }
            }
        }
    }

    #[test]
    fn before_a_lossy_codec_it_is_as_punctual_and_75_db_clean() {
        for hz in [44_100, 48_000] {
            let step = 48_000.0 / f64::from(hz) * (1.0 + 37e-6);
            for tone_hz in [440.0, 5_000.0, 15_000.0] {
                let turn = tone_hz / 48_000.0 * std::f64::consts::TAU;
                let feed = |first: i64, out: &mut [f64]| {
                    for (k, x) in out.iter_mut().enumerate() {
                        *x = ((first + k as i64) as f64 * turn).sin();
                    }
                };
                let mut asrc = Asrc::new(SampleRate::new(hz).unwrap(), 1, Filter::Coded);
                asrc.prime((10_000, 0.3), step, feed);
                let (mut out, mut off, mut all) = ([0.0; MAX_BLOCK], 0.0, 0.0);
                for block in 0..100 {
                    let (base, past) = asrc.position();
                    asrc.render(&mut out, step, feed);
                    for (k, x) in out.iter().enumerate() {
                        let want = ((base as f64 + past + k as f64 * step) * turn).sin();
                        off += (x - want).powi(2) * f64::from(u8::from(block > 0));
                        all += want.powi(2);
                    }
                }
                let db = 10.0 * (off / all).log10();
                assert!(db < -75.0, "{hz} Hz, {tone_hz} Hz: {db:.1} dB");
            }
        }
    }

    #[test]
    fn the_position_is_exact_after_minutes_of_changing_steps_and_block_lengths() {
        let mut asrc = asrc(48_000);
        asrc.prime((5_000, 0.3), 1.0, tone);
        let mut seed = 1u32;
        let mut out = [0.0; MAX_BLOCK];
        for _ in 0..30_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let frames = 1 + (seed >> 24) as usize;
            let step = 1.0 + f64::from((seed >> 8) & 0xffff) * 1e-8 - 3e-4;
            // The step of the first frame is a small part of a ramp away from the last.
            let (base, past) = asrc.position();
            asrc.render(&mut out[..frames], step, tone);
            let off = out[0] - value(base as f64 + past);
            assert!(off.abs() < 1e-4, "{off}");
        }
        // At an even step there is no such difference: the place is known to a nanosample.
        asrc.render(&mut out, 1.0, tone);
        let (base, past) = asrc.position();
        asrc.render(&mut out, 1.0, tone);
        for (k, x) in out.iter().enumerate() {
            let want = value(base as f64 + past + k as f64);
            assert!((x - want).abs() < 1e-7, "{k}: {x} {want}");
        }
    }

    #[test]
    fn the_mirrored_index_is_rubatos_own_for_thousands_of_blocks() {
        let mut asrc = asrc(44_100);
        asrc.prime((0, 0.0), 48_000.0 / 44_100.0, |_, out| out.fill(0.0));
        // `block` asserts for every block that rubato asks for as many frames as the mirror says.
        let mut out = [0.0; MAX_BLOCK];
        let mut step = 48_000.0 / 44_100.0;
        for n in 0..4_000 {
            step *= 1.0 + if n % 3 == 0 { 1e-7 } else { -0.5e-7 };
            asrc.render(&mut out[..1 + n % MAX_BLOCK], step, |_, out| out.fill(0.0));
        }
    }
}
