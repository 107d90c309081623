//! A track as a list of parts, and how they are laid one after the other.

use super::{RATE_HZ, Section, TrackSpec};

/// Left and right, of one length.
pub(super) type Stereo = [Vec<f64>; 2];

/// Silence before the first part, between two parts and after the last.
const SILENCE_S: f64 = 0.5;
/// The first sound begins this far below its level.
const QUIET_DB: f64 = -40.0;

/// One stretch of a track.
pub(super) struct Part {
    /// What a listener hears.
    pub heard: &'static str,
    /// How long it is.
    pub seconds: f64,
    /// So many frames of it, coming and going without a click.
    pub sound: fn(usize) -> Stereo,
}

/// A whole track.
pub(super) struct Score {
    /// In order.
    pub parts: &'static [Part],
    /// Time in which the first sound rises to its level; 0 for one that begins at nothing anyway.
    pub rise_s: f64,
    /// No sample is greater.
    pub peak_dbfs: f64,
    /// Power of each side over the whole track.
    pub rms_dbfs: [f64; 2],
}

impl Score {
    pub fn spec(&self) -> TrackSpec {
        TrackSpec {
            channels: 2,
            frames: self.frames(),
            peak_dbfs: self.peak_dbfs,
            rms_dbfs: self.rms_dbfs,
            sections: self.sections(),
        }
    }

    fn frames(&self) -> usize {
        let sound: usize = self.parts.iter().map(|part| frames(part.seconds)).sum();
        sound + (self.parts.len() + 1) * frames(SILENCE_S)
    }

    fn sections(&self) -> Vec<Section> {
        let section = |(begin, part): (usize, &Part)| Section {
            begin_s: begin as f64 / f64::from(RATE_HZ),
            length_s: part.seconds,
            heard: part.heard,
        };
        self.placed().map(section).collect()
    }

    pub fn render(&self) -> Vec<f32> {
        let mut out = vec![0.0f32; 2 * self.frames()];
        let first = frames(SILENCE_S);
        for (begin, part) in self.placed() {
            let [left, right] = (part.sound)(frames(part.seconds));
            for (n, (l, r)) in left.into_iter().zip(right).enumerate() {
                let gain = self.rise(begin + n - first);
                out[2 * (begin + n)] = (gain * l) as f32;
                out[2 * (begin + n) + 1] = (gain * r) as f32;
            }
        }
        out
    }

    fn placed(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().scan(frames(SILENCE_S), |next, part| {
            let begin = *next;
            *next += frames(part.seconds) + frames(SILENCE_S);
            Some((begin, part))
        })
    }

    /// Gain this many frames after the first sound's begin, smooth in decibels.
    fn rise(&self, frame: usize) -> f64 {
        let x = frame as f64 / (self.rise_s * f64::from(RATE_HZ));
        if x >= 1.0 || self.rise_s == 0.0 {
            return 1.0;
        }
        let db = QUIET_DB * (0.5 + 0.5 * (std::f64::consts::PI * x).cos());
        10f64.powf(db / 20.0)
    }
}

fn frames(seconds: f64) -> usize {
    (seconds * f64::from(RATE_HZ)).round() as usize
}
