//! SBC, the codec that every Bluetooth speaker must understand (A2DP 1.3, appendix B).
//!
//! Only the encoder: a speaker has the decoder. It stands apart from [`Encoder`](crate::Encoder)
//! because its frames have a size of their own and its rate is the speaker's.

mod allocation;
mod analysis;
mod bits;
mod encoder;
mod params;
mod tables;

pub use encoder::{SbcEncoder, SbcLengthError};
pub use params::{SbcAllocation, SbcMode, SbcParams, SbcParamsError};
