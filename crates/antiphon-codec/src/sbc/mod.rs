//! SBC, the codec that every Bluetooth speaker must understand (A2DP 1.3, appendix B).

mod params;

pub use params::{SbcAllocation, SbcMode, SbcParams, SbcParamsError};
