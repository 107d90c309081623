//! One measurement of one scene, beside what is true of it.

use antiphon_measure::lab::calibrate::{Refusal, corrections};
use antiphon_measure::lab::measurement::{Grade, Measurement};
use antiphon_measure::lab::{Excitation, Options, Recorded, measure};

use super::oracle;
use super::scene::Scene;

/// What a microphone in the scene told, and what the oracle knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The scene.
    pub scene: Scene,
    /// Made of the microphone's samples and nothing else.
    pub measurement: Measurement,
}

/// One delay between two loudspeakers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Measured less true, in microseconds.
    pub error_us: f64,
    /// Half of the 95 % interval that was stated.
    pub half_95_us: f64,
}

impl Outcome {
    /// The truth was within the interval.
    pub fn holds(&self) -> bool {
        self.error_us.abs() <= self.half_95_us
    }
}

/// What all loudspeakers of a scene play at once, for [`Trial::run`].
pub fn sources(excitation: &Excitation) -> Vec<Vec<f32>> {
    let mut all = vec![0.0; excitation.frames() * excitation.channels()];
    excitation.render(0, &mut all);
    let channel = |c: usize| all.iter().skip(c).step_by(excitation.channels()).copied().collect();
    (0..excitation.channels()).map(channel).collect()
}

/// The recording that the scene's microphone makes of `sources`.
pub fn recorded(scene: &Scene, sources: &[Vec<f32>]) -> Recorded {
    Recorded { channels: vec![scene.record(sources)], begin_s: 0.0 }
}

impl Trial {
    /// Plays `excitation` (with `sources` made of it) in the scene and measures the recording.
    pub fn run(scene: Scene, excitation: &Excitation, sources: &[Vec<f32>]) -> Self {
        let measurement = measure(&recorded(&scene, sources), excitation, &Options::default());
        Self { scene, measurement }
    }

    /// Every pair that was measured.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |pair: &antiphon_measure::lab::measurement::PairResult| Outcome {
            error_us: pair.delay_us.value - self.scene.delay_us(pair.a, pair.b),
            half_95_us: pair.delay_us.half_95(),
        };
        self.measurement.pairs.iter().map(outcome).collect()
    }

    /// The grade.
    pub fn grade(&self) -> Grade {
        self.measurement.grade
    }

    /// How far apart the loudspeakers truly are once the measurement's corrections are applied: latest less
    /// earliest arrival, in microseconds.
    pub fn remaining_us(&self) -> Result<f64, Refusal> {
        let corrections = corrections(&self.measurement, &[], None)?;
        let arrivals = oracle::arrivals_us(&self.scene.room);
        let corrected = arrivals.iter().zip(&corrections).map(|(at, c)| at + c.delay_us as f64);
        let (first, last) =
            corrected.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        Ok(last - first)
    }
}
