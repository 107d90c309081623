//! The test tracks as data.

use antiphon_api::{ErrorBody, ErrorCode, SignalReport};
use antiphon_hub::services::Served;
use antiphon_measure::lab::tracks::{RATE_HZ, TestTrack, UnknownTrack};

use crate::lab;

/// Every track is for a left and a right speaker.
pub const CHANNELS: u16 = 2;

/// Of a sample in a file.
pub const BITS: u16 = 24;

/// The track `name`.
///
/// # Errors
/// There is none.
pub fn track(name: &str) -> Served<TestTrack> {
    name.parse().map_err(|error: UnknownTrack| ErrorBody::new(ErrorCode::NotFound, error.to_string()))
}

/// Its length.
pub fn seconds(track: TestTrack) -> f64 {
    track.spec().frames as f64 / f64::from(RATE_HZ)
}

/// All of them.
pub fn all() -> Vec<SignalReport> {
    let told = |track: TestTrack| SignalReport {
        name: track.name().to_owned(),
        about: track.describe().to_owned(),
        seconds: seconds(track),
    };
    TestTrack::ALL.into_iter().map(told).collect()
}

/// The track `name` as a WAV file.
///
/// # Errors
/// There is none.
pub fn wav(name: &str) -> Served<Vec<u8>> {
    Ok(lab::wav(&track(name)?.render(), CHANNELS, BITS))
}
