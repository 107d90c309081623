//! What the audio thread can be told.

use antiphon_base::{Epoch, Frames, Span};

/// Where the programme belongs on the DAC's own axis: a straight line through one point.
///
/// The newest one counts. Send 10 to 20 a second; between two of them the line is followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The epoch that the line belongs to.
    pub epoch: Epoch,
    /// A frame of the programme.
    pub media_frame: Frames,
    /// The DAC frame, with its fraction, at which `media_frame` shall leave the DAC.
    pub dac_frame: f64,
    /// Media frames that pass while one DAC frame passes: nominally 48,000 / the DAC's rate.
    pub media_per_dac: f64,
    /// The first frame of the epoch; what comes before it is silence. `None` when not known.
    pub start: Option<Frames>,
    /// Counts commanded moves: another number than in the target before says that the line was moved on
    /// purpose, so sound goes over to it by a cross-fade however far it is.
    pub moves: u32,
    /// Whether the clocks behind it have settled: only then does the narrowest loop follow it.
    pub trusted: bool,
}

impl Target {
    /// How far `media` frames after frame `base` lie past the line at `dac_frame`, in media frames.
    pub(crate) fn error(&self, base: i64, media: f64, dac_frame: i64) -> f64 {
        // Whole frames are subtracted as integers, so that the fraction survives years of frames.
        let whole = self.dac_frame.floor();
        let since = (dac_frame - whole as i64) as f64 - (self.dac_frame - whole);
        (base - self.media_frame.0) as f64 + media - since * self.media_per_dac
    }

    /// The frame of the programme that belongs to `dac_frame`: a whole number and its fraction.
    pub(crate) fn media_at(&self, dac_frame: i64) -> (i64, f64) {
        let past = -self.error(self.media_frame.0, 0.0, dac_frame);
        let whole = past.floor();
        (self.media_frame.0.saturating_add(whole as i64), past - whole)
    }

    /// Whether it is a line at all, and one that a renderer of this nominal step can follow.
    pub(crate) fn is_sane(&self, nominal_step: f64) -> bool {
        const LIMIT: f64 = FRAME_LIMIT as f64;
        let ratio = self.media_per_dac / nominal_step;
        self.dac_frame.abs() < LIMIT
            && (self.media_frame.0 as f64).abs() < LIMIT
            && self.start.is_none_or(|s| (s.0 as f64).abs() < LIMIT)
            && (1.0 - MAX_SKEW..=1.0 + MAX_SKEW).contains(&ratio)
    }
}

/// Frame numbers beyond +-2^52 are refused: a float that large has no fraction, no counter comes
/// there in 2,000 years, and within it no sum can overflow.
pub(crate) const FRAME_LIMIT: i64 = 1 << 52;

/// The largest clock difference that is believed: crystals are within 200 ppm, so ten times that
/// is a broken estimate.
const MAX_SKEW: f64 = 2e-3;

/// An order to the audio thread; takes effect at its next period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// Follow this line. A newer epoch takes over at its own start; an older one is ignored.
    Target(Target),
    /// Change the gain, over `ramp` (never less than 5 ms, so that it cannot click).
    Gain {
        /// Factor on the samples, 0 to [`MAX_GAIN`](Self::MAX_GAIN).
        linear: f32,
        /// How long the change takes.
        ramp: Span,
    },
    /// Fade out so that silence begins at `dac_frame` (at the soonest 5 ms from here), and drop
    /// everything of `epoch` and before.
    Stop {
        /// The epoch that ends.
        epoch: Epoch,
        /// The DAC frame of the first silent frame.
        dac_frame: f64,
    },
    /// Fade out at once and forget all media, lines and epochs, as for a new hub, whose epochs
    /// count from 1 again. Chunks pushed before it are dropped, those pushed after it are kept.
    Flush,
    /// Fade out and come back in place at the next [`Target`], with the media held: what was
    /// believed about the sound card's position is void.
    Reprime,
}

impl Command {
    /// The most gain that is applied, +12 dB: more only clips.
    pub const MAX_GAIN: f32 = 4.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            epoch: Epoch(1),
            media_frame: Frames(1_000_000_000_000),
            dac_frame: 5_000_000_000.25,
            media_per_dac: 1.0 + 50e-6,
            start: None,
            moves: 0,
            trusted: true,
        }
    }

    #[test]
    fn a_line_keeps_its_fraction_after_a_year_of_frames() {
        let (whole, fraction) = target().media_at(5_000_000_001);
        assert_eq!(whole, 1_000_000_000_000);
        assert!((fraction - 0.75 * (1.0 + 50e-6)).abs() < 1e-9, "{fraction}");
        let (whole, fraction) = target().media_at(5_000_000_000);
        assert_eq!(whole, 999_999_999_999);
        assert!((fraction - (1.0 - 0.25 * (1.0 + 50e-6))).abs() < 1e-9, "{fraction}");
    }

    #[test]
    fn the_line_itself_has_no_error() {
        for dac in [0, 5_000_000_000, 5_000_480_000] {
            let (whole, fraction) = target().media_at(dac);
            assert!(target().error(whole, fraction, dac).abs() < 1e-6);
        }
        let (whole, fraction) = target().media_at(77);
        assert!((target().error(whole, fraction + 2.0, 77) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_not_a_line() {
        assert!(target().is_sane(1.0));
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1.01] {
            assert!(!Target { media_per_dac: bad, ..target() }.is_sane(1.0), "{bad}");
        }
        assert!(!Target { dac_frame: f64::NAN, ..target() }.is_sane(1.0));
        assert!(!Target { media_frame: Frames(i64::MAX), ..target() }.is_sane(1.0));
    }
}
