//! Measuring with a microphone: who plays, who listens, how loud.

use std::sync::atomic::AtomicBool;

use antiphon_measure::lab::measurement::Measurement;
use antiphon_measure::lab::{self, Excitation, Options};

use super::args::MicrophoneArgs;
use super::microphone::Microphone;
use super::stage::Stage;
use super::{Ended, level, take};
use crate::exit::{Exit, Failure};
use crate::{find, terminal};

/// Speakers and a microphone, ready, and the level found.
pub struct Session<'m> {
    stage: Stage,
    microphone: &'m mut Microphone,
    excitation: Excitation,
    gain_db: f64,
    /// The microphone, as named.
    pub name: String,
}

/// The microphone that `args` name.
///
/// # Errors
/// None is named, or it cannot be had; interrupted.
pub fn microphone(args: &MicrophoneArgs, stop: &AtomicBool) -> Result<Microphone, Ended> {
    let uri = args.mic.as_ref().ok_or_else(no_microphone)?;
    Microphone::open(uri, args.mic_format, stop)
}

/// The speakers that `args` name, or all.
///
/// # Errors
/// No hub, a speaker missing; interrupted.
pub fn stage(args: &MicrophoneArgs, stop: &AtomicBool) -> Result<Stage, Ended> {
    Stage::enter(find::client(args.at.hub.as_ref())?, &args.to, stop)
}

fn no_microphone() -> Failure {
    Failure::new(Exit::Usage, "a microphone is needed: --mic URI (see --help)")
}

impl<'m> Session<'m> {
    /// Finds the level.
    ///
    /// # Errors
    /// The microphone or the hub is gone; interrupted.
    pub fn begin(
        args: &MicrophoneArgs,
        stage: Stage,
        microphone: &'m mut Microphone,
        stop: &AtomicBool,
    ) -> Result<Self, Ended> {
        let uri = args.mic.as_ref().ok_or_else(no_microphone)?;
        let names = stage.names().join(", ");
        terminal::note(&format!("Measuring {names}. Be quiet, and leave the microphone where it is."));
        let channels = stage.names().len();
        let excitation = Excitation::new(channels, args.periods.into())
            .ok_or_else(|| Failure::new(Exit::Usage, "no speaker to measure"))?;
        let gain_db = level::find(&stage, microphone, uri, stop)?;
        Ok(Self { stage, microphone, excitation, gain_db, name: uri.to_string() })
    }

    /// The speakers.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Measures once; `what` is said beside the progress.
    ///
    /// # Errors
    /// As [`take::record`].
    pub fn measure(&mut self, what: &str, stop: &AtomicBool) -> Result<Measurement, Ended> {
        let take = take::record(&self.stage, self.microphone, &self.excitation, self.gain_db, what, stop)?;
        let options = Options { names: self.stage.names().to_vec(), near: None };
        Ok(lab::measure(&take.recorded, &self.excitation, &options))
    }
}
