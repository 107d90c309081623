//! The lab: what speakers of any kind do, from one recording of a known signal.
//!
//! `docs/measure.md` says what the signal is and how it is measured.

pub mod excitation;

pub mod measurement;

pub mod analysis;

pub mod search;

mod clock;

mod periods;

mod impulse;

mod arrival;

mod surface;

mod place;

mod mend;

mod track;

mod separate;

mod response;

mod analyse;

mod results;

mod sides;

pub mod facts;

pub mod judge;

pub mod classes;

pub mod calibrate;

pub mod comb;

pub mod report;

pub mod tracks;

pub mod follow;

pub use analyse::{analyse, analyse_found};
pub use analysis::{Analysis, Options, Recorded};
pub use excitation::Excitation;
pub use measurement::Measurement;
pub use search::{Found, Search};

/// Measures a recording, and judges what was measured.
pub fn measure(recorded: &Recorded, excitation: &Excitation, options: &Options) -> Measurement {
    measure_found(&Search::over(recorded, excitation), excitation, options)
}

/// Measures and judges what a [`Search`] found: for recordings of any length.
pub fn measure_found(found: &Found, excitation: &Excitation, options: &Options) -> Measurement {
    let (found, splices) = mend::mended(found, excitation);
    let (analysis, sides) = sides::analyse_sides(&found, excitation, options);
    let begin_s = analysis.measurement.recorder.begin_s;
    let place = begin_s.zip(analysis.speed).map(|(begin_s, speed)| facts::Place { begin_s, speed });
    let sides_alone = sides::are_alone(&found, &analysis, excitation);
    let facts = facts::Facts { splices, sides_alone, ..facts::Facts::of(&found.recorded, excitation, place) };
    judge::judge(analysis, sides.as_ref(), &facts, excitation, options)
}
