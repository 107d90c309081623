//! The measure signal as one of the tracks.

use super::{RATE_HZ, Section, TrackSpec};
use crate::lab::excitation::Excitation;

pub(super) fn spec() -> TrackSpec {
    let signal = Excitation::track();
    let (sounding, full) = (signal.sounding(), signal.full());
    let section = |frames: std::ops::Range<usize>, heard| Section {
        begin_s: frames.start as f64 / f64::from(RATE_HZ),
        length_s: frames.len() as f64 / f64::from(RATE_HZ),
        heard,
    };
    TrackSpec {
        channels: signal.channels(),
        frames: signal.frames(),
        peak_dbfs: -14.8,
        rms_dbfs: [-21.0, -21.0],
        sections: vec![
            section(sounding.start..full.start, "a rushing noise that grows, different on each side"),
            section(full.clone(), "the same at its full level, repeating every 1.4 s"),
            section(full.end..sounding.end, "the same, fading"),
        ],
    }
}

pub(super) fn render() -> Vec<f32> {
    let signal = Excitation::track();
    let mut samples = vec![0.0; signal.channels() * signal.frames()];
    signal.render(0, &mut samples);
    samples
}
