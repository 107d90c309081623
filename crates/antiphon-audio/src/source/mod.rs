//! Files, pipes and radio stations to samples at the media rate.
//!
//! [`open`] gives a [`Source`]: interleaved `f32` at 48 kHz in the file's own channels (1 to 8, in
//! WAVE order), frame 0 being the first frame that the file's maker meant to be heard. Encoder
//! delay and padding are cut off, other rates are resampled, what a decoder cannot make out is
//! silence of the same length. A [`List`] is files one after the other without a gap. [`prefetch()`] moves a
//! source to a thread of its own.
//!
//! Nothing here knows about hubs or speakers, and nothing here stops at a broken file with anything
//! but a [`SourceError`] that names it.

mod error;

mod pcm_format;

mod detect;

mod raw;

mod pipe;

mod live;

mod memory;

mod riff;

mod mp4;

mod opus;

mod order;

mod media;

mod resample;

mod mix;

mod news;

mod reader;

mod http;

mod list;

mod prefetch;

mod facts;

pub use error::{Problem, SourceError};
pub use facts::{Facts, Picture, facts, picture, picture_file};
pub use http::{Refusal, is_url};
pub use list::{Feed, List, ListItem, Place, Reading, Track};
pub use live::Reopen;
pub use news::News;
pub use pcm_format::{ParsePcmFormatError, PcmFormat, PcmSample};
pub use prefetch::{PREFETCH, Polled, Prefetch, prefetch, prefetch_list, prefetch_live};
pub use reader::{Damage, Source, SourceInfo, SourceSpec, open, open_device, open_raw, open_samples};

/// The most channels of a source.
pub const MAX_CHANNELS: u16 = 8;

/// The lowest rate of a source, in hertz: telephone speech.
pub const MIN_RATE_HZ: u32 = 8_000;

/// The highest rate of a source, in hertz.
pub const MAX_RATE_HZ: u32 = 192_000;

/// What a decoder of any kind does. Frames are counted at the source's own rate from its frame 0.
trait Decode: Send {
    /// Appends the next block of interleaved samples to `out`; `false` at the end of the source.
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem>;

    /// Goes to `frame` exactly. Only asked of what says that it is seekable.
    fn seek(&mut self, frame: u64) -> Result<(), Problem>;

    /// Blocks that could not be decoded so far.
    fn skipped(&self) -> u64 {
        0
    }
}
