//! A room with loudspeakers and a microphone: the world that the lab is tested in.
//!
//! In signal order: a [`Loudspeaker`] has its own band, resonances, group delay, directivity,
//! latency, level, polarity and hiss; the [`RoomSpec`] is a box whose walls swallow more of some
//! frequencies than of others; a [`Microphone`] has a clock of its own, noise, gain control, and a
//! full scale. A [`Scene`] is all of them, drawn from a seed; the [`oracle`] knows what is true.
//!
//! **What the model holds.** Every reflection of the first tenth of a second is computed as an image source
//! with its own fractional delay and a minimum-phase filter: the product of what each wall met does,
//! of the air, and of the loudspeaker's directivity toward the image. What follows is noise that
//! dies away in eight octave bands at the rates the walls dictate; it joins the images at the level and with
//! the spectrum which they have there. A table under the microphone gives an early reflection.
//!
//! **What it leaves out.** Diffraction, furniture, obstacles in the direct path, moving air, speakers'
//! distortion, people who walk about.

mod spectrum;

pub mod surface;

pub mod biquad;

pub mod loudspeaker;

mod images;

mod tail;

pub mod convolver;

pub mod noise;

pub mod between;

pub mod microphone;

pub mod oracle;

pub mod scene;

pub mod trial;

mod geometry;

pub use geometry::{RoomSpec, Table};
pub use loudspeaker::Loudspeaker;
pub use microphone::Microphone;
pub use scene::Scene;

/// Frames a second, everywhere in the room but behind the microphone's converter.
pub const RATE: f64 = 48_000.0;

/// Impulse responses at 48 kHz from each loudspeaker to the microphone: pressure at the microphone for a
/// unit impulse sent, 1 at a distance of 1 m on axis. Sample 0 is the instant of sending: the way
/// through the air and the loudspeaker's latency are in it. Each lasts until the room is 60 dB quieter.
pub fn responses(room: &RoomSpec) -> Vec<Vec<f32>> {
    let paths = images::Paths::new(room);
    room.loudspeakers
        .iter()
        .enumerate()
        .map(|(i, loudspeaker)| {
            let mut response = paths.early(loudspeaker);
            tail::extend(&mut response, room, loudspeaker, i as u64);
            loudspeaker.voice(&mut response.samples);
            response.samples
        })
        .collect()
}

/// As [`responses`], of the direct paths alone: what the oracle's truth is about.
pub fn direct_responses(room: &RoomSpec) -> Vec<Vec<f32>> {
    let paths = images::Paths::new(room);
    let voiced = |loudspeaker: &Loudspeaker| {
        let mut samples = paths.direct(loudspeaker).samples;
        loudspeaker.voice(&mut samples);
        samples
    };
    room.loudspeakers.iter().map(voiced).collect()
}

#[cfg(test)]
mod tests;
