//! The box, what stands in it and where.

use super::loudspeaker::Loudspeaker;
use super::spectrum::BANDS;
use super::surface::{AIR_PER_M, Surface};
use crate::rng::Rng;

/// A place or a direction, in metres along the room's edges.
pub type Vector = [f64; 3];

/// Speed of sound in the room, in metres a second.
pub const SOUND_M_S: f64 = antiphon_measure::lab::measurement::SOUND_M_S;

/// A room with everything in it that sounds or hears.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomSpec {
    /// Length, width and height in metres.
    pub size_m: Vector,
    /// Faces: at 0 and at the far end of the length, of the width, of the height.
    pub surfaces: [Surface; 6],
    /// The microphone.
    pub microphone_m: Vector,
    /// A table that the microphone stands or lies on.
    pub table: Option<Table>,
    /// The loudspeakers.
    pub loudspeakers: Vec<Loudspeaker>,
    /// Of the tail and of the walls' unevenness.
    pub seed: u64,
}

/// A reflecting plane below the microphone. Sound whose waves are too long for it bends around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// Its surface is this far below the microphone.
    pub below_m: f64,
    /// Amplitude that comes back, 0 to 1.
    pub reflects: f64,
    /// Area of its top.
    pub area_m2: f64,
}

impl Table {
    /// Below this frequency a table reflects less by 6 dB an octave, for sound that comes from `above` (sine of
    /// its elevation) and far: Rindel's limit (Acoustics Letters 9, 1986) with the microphone as the near end.
    pub fn limit_hz(&self, above: f64) -> f64 {
        SOUND_M_S * self.below_m / (self.area_m2 * above * above).max(1e-6)
    }
}

impl RoomSpec {
    /// A room of this reverberation time with a loudspeaker at each of these distances from the
    /// microphone, in metres. They stand in a fan before it, look at it and are perfect: change them as
    /// needed.
    pub fn with_distances(distances_m: &[f64], rt60_s: f64, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let farthest = distances_m.iter().fold(1.0, |a: f64, &b| a.max(b));
        let size_m = [2.2 * farthest + 1.3, farthest + 2.4, 2.6];
        let microphone_m = [size_m[0] * 0.51, 1.1, 1.0];
        let surfaces = std::array::from_fn(|_| Surface::random(&mut rng));
        let loudspeakers = distances_m.iter().enumerate().map(|(i, &distance)| {
            let turn = std::f64::consts::PI * (0.15 + 0.7 * (i as f64 + 0.5) / distances_m.len() as f64);
            let place_m = [
                microphone_m[0] - distance * turn.cos(),
                microphone_m[1] + distance * turn.sin(),
                microphone_m[2],
            ];
            let aim = std::array::from_fn(|k| microphone_m[k] - place_m[k]);
            Loudspeaker { place_m, aim, ..Loudspeaker::default() }
        });
        let loudspeakers = loudspeakers.collect();
        let mut room = Self { size_m, surfaces, microphone_m, table: None, loudspeakers, seed };
        room.set_rt60(rt60_s);
        room
    }

    /// Makes all walls so much more or less absorbing that the mean of [`rt60_s`](Self::rt60_s) over
    /// 500 Hz to 2 kHz is this.
    pub fn set_rt60(&mut self, seconds: f64) {
        // Air alone would take this long at 1 kHz; no wall can make it longer.
        let seconds = seconds.clamp(0.05, 10.0);
        let mean_rate = |room: &Self| (2..5).map(|b| room.walls_rate(b)).sum::<f64>() / 3.0;
        let air = AIR_PER_M[3] * SOUND_M_S;
        let factor = (RATE_OF_60_DB / seconds - air).max(0.01) / mean_rate(self).max(1e-6);
        for surface in &mut self.surfaces {
            surface.loss = surface.loss.map(|loss| loss * factor);
        }
    }

    /// Time in which each octave band dies by 60 dB (Millington and Sette, with air), 125 Hz to 16 kHz.
    pub fn rt60_s(&self) -> [f64; BANDS] {
        std::array::from_fn(|band| RATE_OF_60_DB / (self.walls_rate(band) + AIR_PER_M[band] * SOUND_M_S))
    }

    /// Distance of a loudspeaker from the microphone, in metres.
    pub fn distance_m(&self, loudspeaker: usize) -> f64 {
        distance(self.loudspeakers[loudspeaker].place_m, self.microphone_m)
    }

    /// Mean way between two reflections.
    pub(super) fn free_path_m(&self) -> f64 {
        let [x, y, z] = self.size_m;
        4.0 * x * y * z / (2.0 * (x * y + y * z + z * x))
    }

    /// Energy lost to the walls in a second, as exponent.
    fn walls_rate(&self, band: usize) -> f64 {
        let [x, y, z] = self.size_m;
        let area = [y * z, y * z, x * z, x * z, x * y, x * y];
        let swallowed: f64 = self.surfaces.iter().zip(area).map(|(s, area)| s.loss[band] * area).sum();
        SOUND_M_S * swallowed / (4.0 * x * y * z)
    }
}

/// 60 dB of energy as exponent.
const RATE_OF_60_DB: f64 = 13.815_510_557_964_274;

pub(super) fn distance(a: Vector, b: Vector) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}
