//! Any rate to the media rate.
//!
//! rubato's synchronous FFT resampler: one long linear-phase filter, whose cut-off lies so near
//! half the lower rate that nothing audible is lost, and whose stop band (Blackman-Harris, squared)
//! holds images more than 100 dB down. In f64, so that it adds no rounding of its own.

use antiphon_base::SampleRate;
use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Taps of the filter at the lower of both rates. 2,048 put the whole transition into the top 1 %
/// of the band: 44.1 kHz material is flat to 21.6 kHz.
const TAPS: usize = 2_048;

/// Resamples one stream from its frame 0 (or from where it was moved to) on.
pub(super) struct Resample {
    inner: Fft<f64>,
    channels: usize,
    /// Frames of the source and of the output in the smallest whole step of both.
    step_in: u64,
    step_out: u64,
    block_in: usize,
    block_out: usize,
    pending: Vec<f64>,
    block: Vec<f64>,
    /// Output frames still to be dropped: the filter's delay, and what lies before a position
    /// that was gone to.
    drop: u64,
    /// Source frames before the next one to be given.
    source: u64,
    /// Output frames before the next one to be made.
    made: u64,
}

impl Resample {
    /// From `rate` Hz to the media rate.
    pub(super) fn new(rate: u32, channels: u16) -> Option<Self> {
        let (rate, media) = (rate as usize, SampleRate::MEDIA.hz() as usize);
        let divisor = gcd(rate, media);
        let (step_in, step_out) = (rate / divisor, media / divisor);
        // An even number of steps makes the delay, half a block, a whole number of frames.
        let steps = TAPS.div_ceil(step_in.min(step_out)).next_multiple_of(2);
        let channels = usize::from(channels);
        let window = WindowFunction::BlackmanHarris2;
        let inner =
            Fft::new_custom(rate, media, steps * step_in, 1, channels, window, FixedSync::Both).ok()?;
        let (block_in, block_out) = (inner.input_frames_next(), inner.output_frames_next());
        Some(Self {
            drop: inner.output_delay() as u64,
            inner,
            channels,
            step_in: step_in as u64,
            step_out: step_out as u64,
            block_in,
            block_out,
            pending: Vec::new(),
            block: vec![0.0; block_out * channels],
            source: 0,
            made: 0,
        })
    }

    /// Takes source samples and appends what they make to `out`.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.source += (samples.len() / self.channels) as u64;
        self.pending.extend(samples.iter().map(|&x| f64::from(x)));
        let length = self.block_in * self.channels;
        let mut used = 0;
        while self.pending.len() - used >= length {
            self.convert(used, out);
            used += length;
        }
        self.pending.drain(..used);
    }

    /// The source has ended: appends what the filter still holds, to the last frame that begins
    /// within the source.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        let end = self.end();
        while self.made < end {
            self.pending.resize(self.block_in * self.channels, 0.0);
            self.convert(0, out);
            self.pending.clear();
        }
        let over = (self.made - end) as usize * self.channels;
        out.truncate(out.len().saturating_sub(over));
        self.made = end;
    }

    /// The output frame behind the last one that begins within what was pushed.
    pub(super) fn end(&self) -> u64 {
        (self.source * self.step_out).div_ceil(self.step_in)
    }

    /// Makes output frame `target` the next; returns the source frame to go on with. What is heard
    /// from there is what would have been heard without the jump: the filter is filled first.
    pub(super) fn seek(&mut self, target: u64) -> u64 {
        let reach = self.block_in as u64 / 2 + 1;
        let from = (target * self.step_in / self.step_out).saturating_sub(reach);
        let steps = from / self.step_in;
        self.inner.reset();
        self.pending.clear();
        self.source = steps * self.step_in;
        self.made = target;
        self.drop = self.inner.output_delay() as u64 + target - steps * self.step_out;
        self.source
    }

    fn convert(&mut self, at: usize, out: &mut Vec<f32>) {
        let input = &self.pending[at..at + self.block_in * self.channels];
        let made = InterleavedSlice::new(input, self.channels, self.block_in).ok().and_then(|input| {
            let mut output =
                InterleavedSlice::new_mut(&mut self.block[..], self.channels, self.block_out).ok()?;
            self.inner.process_into_buffer(&input, &mut output, None).ok()
        });
        debug_assert!(made.is_some(), "the buffers have the sizes that the resampler asked for");
        let dropped = self.drop.min(self.block_out as u64);
        self.drop -= dropped;
        self.made += self.block_out as u64 - dropped;
        out.extend(self.block[dropped as usize * self.channels..].iter().map(|&x| x as f32));
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
