//! A run of decoded audio with its place in the programme.

use crate::frames::Frames;
use crate::ids::Epoch;

/// Decoded, interleaved samples and the media frame of the first of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The timeline's epoch that `first_frame` belongs to.
    pub epoch: Epoch,
    /// Number of the first frame, counted by the hub since it started; it never goes back.
    pub first_frame: Frames,
    /// Channels interleaved in `samples`; at least 1.
    pub channels: u16,
    /// Interleaved samples, full scale +-1.0; a whole number of frames.
    pub samples: Vec<f32>,
}

impl Chunk {
    /// How many frames are in it.
    pub fn frames(&self) -> Frames {
        Frames((self.samples.len() / usize::from(self.channels.max(1))) as i64)
    }

    /// The number of the frame after the last.
    pub fn end(&self) -> Frames {
        self.first_frame + self.frames()
    }
}
