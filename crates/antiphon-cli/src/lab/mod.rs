//! The lab's verbs: test tracks, measurements, calibration.

#[expect(dead_code, reason = "opened by `antiphon measure --mic room:...`")]
pub mod room;
