//! The test tracks as data.

use std::sync::OnceLock;

use antiphon_api::{ErrorBody, ErrorCode, SignalReport};
use antiphon_hub::services::{Bytes, Served};
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

/// The track `name` as a WAV file, made when it is first asked for and then shared: a few megabytes each.
///
/// # Errors
/// There is none.
pub fn wav(name: &str) -> Served<Bytes> {
    static MADE: [OnceLock<Bytes>; TestTrack::ALL.len()] = [const { OnceLock::new() }; TestTrack::ALL.len()];
    let track = track(name)?;
    let make = || Bytes::from(lab::wav(&track.render(), CHANNELS, BITS));
    let place = MADE.iter().zip(TestTrack::ALL).find(|(_, of)| *of == track);
    Ok(place.map_or_else(make, |(made, _)| made.get_or_init(make).clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_made_once_whoever_asks() {
        let (one, other) = (wav("click").unwrap(), wav("click").unwrap());
        assert!(one.starts_with(b"RIFF") && std::ptr::eq(one.as_ptr(), other.as_ptr()));
        assert!(!std::ptr::eq(one.as_ptr(), wav("identify").unwrap().as_ptr()));
        assert_eq!(wav("nothing").unwrap_err().code, ErrorCode::NotFound);
    }
}
