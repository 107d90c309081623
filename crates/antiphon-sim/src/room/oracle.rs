//! What is true of a room, by its construction and never by its samples.
//!
//! **The delay between two loudspeakers** is the difference of their direct paths' phase-slope delays at the
//! microphone over 1 to 8 kHz. A path's phase-slope delay is minus the slope of the straight line that fits its
//! phase best: least squares, every hertz of the band counting the same, the line's height at 0 Hz free
//! (so that turned polarity is no delay). The path is latency, air, and the loudspeaker's own response in the
//! direction of the microphone: what two different models do to the phase belongs to their delay, because it
//! is heard with it. No reflection belongs to it.

use realfft::num_complex::Complex;

use super::geometry::{RoomSpec, SOUND_M_S};

/// Band in which delay is defined.
pub const BAND_HZ: (f64, f64) = (1_000.0, 8_000.0);
/// Fine enough that the phase of no loudspeaker here turns by half between two of them.
const STEP_HZ: f64 = 10.0;

/// When a sound that all loudspeakers send at 0 arrives from each, in microseconds.
pub fn arrivals_us(room: &RoomSpec) -> Vec<f64> {
    (0..room.loudspeakers.len()).map(|i| arrival_us(room, i)).collect()
}

/// How much later `b` arrives than `a`, in microseconds.
pub fn delay_us(room: &RoomSpec, a: usize, b: usize) -> f64 {
    arrival_us(room, b) - arrival_us(room, a)
}

fn arrival_us(room: &RoomSpec, loudspeaker: usize) -> f64 {
    let travels_s = room.distance_m(loudspeaker) / SOUND_M_S;
    let loudspeaker = &room.loudspeakers[loudspeaker];
    let cosine = loudspeaker.cosine_to(room.microphone_m);
    let own_s = phase_slope_s(|hz| loudspeaker.at(hz) * loudspeaker.directivity.at(cosine, hz));
    (loudspeaker.delay_s + travels_s + own_s) * 1e6
}

/// Phase-slope delay of a response whose phase turns by less than half a turn in 10 Hz, in seconds.
pub fn phase_slope_s(response: impl Fn(f64) -> Complex<f64>) -> f64 {
    let steps = ((BAND_HZ.1 - BAND_HZ.0) / STEP_HZ) as usize;
    let middle = steps as f64 / 2.0;
    let (mut phase, mut last) = (0.0, response(BAND_HZ.0));
    let (mut product, mut square) = (0.0, 0.0);
    for n in 0..=steps {
        let value = response(BAND_HZ.0 + n as f64 * STEP_HZ);
        phase += (value * last.conj()).arg();
        last = value;
        product += phase * (n as f64 - middle);
        square += (n as f64 - middle).powi(2);
    }
    -product / square / (STEP_HZ * std::f64::consts::TAU)
}
