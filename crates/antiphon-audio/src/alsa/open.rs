//! Opening a device, and what is said where that cannot be.

use std::ffi::CString;

use ::alsa::pcm::PCM;
use ::alsa::{Direction, Output};
use nix::errno::Errno;

use super::busy::{self, Way};
use super::cards;
use super::name::{pcm_name, place};
use super::setup::{NoSetup, Setup, agree};
use crate::nearest::nearest;

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is none of that name; the nearest ones, best first.
    #[error("there is no such device")]
    Unknown(Vec<String>),
    /// Somebody has it.
    #[error(
        "it is in use by {}; a card is one program's alone: end that one, or let both play through the sound server \
         (pulse:)",
        .0.as_deref().unwrap_or("another program")
    )]
    Busy(Option<String>),
    /// This user may not.
    #[error(
        "you may not use sound cards here; join the group that may: sudo usermod -aG audio $USER, then log in anew"
    )]
    Forbidden,
    /// It does nothing that this program can do.
    #[error("{0}")]
    Setup(#[from] NoSetup),
    /// It went away.
    #[error("the device is gone")]
    Gone,
    /// It is a name of a configuration that leads to no card.
    #[error("it is no sound card: it takes sound faster than time passes")]
    Unpaced,
    /// It does not start.
    #[error("the device stops as soon as it is started")]
    Stopped,
    /// It has stopped taking or giving sound.
    #[error("the device has stood still for {0} ms")]
    Still(i64),
    /// The system.
    #[error("{0}")]
    System(String),
}

impl From<::alsa::Error> for Trouble {
    fn from(error: ::alsa::Error) -> Self {
        match Errno::from_raw(error.errno()) {
            Errno::ENODEV | Errno::ENXIO => Self::Gone,
            _ => Self::System(error.to_string()),
        }
    }
}

/// Opens `device` and agrees with it, with no more channels than `most`.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn open(device: &str, way: Way, most: u32) -> Result<(PCM, Setup), Trouble> {
    quietly(|| {
        let pcm = open_only(device, way)?;
        let setup = agree(&pcm, most)?;
        Ok((pcm, setup))
    })
}

/// Opens `device` and agrees on nothing. It never waits for a device that another has.
pub(super) fn open_only(device: &str, way: Way) -> Result<PCM, Trouble> {
    let name = pcm_name(device);
    let direction = if way == Way::Play { Direction::Playback } else { Direction::Capture };
    let text = CString::new(name).map_err(|_| unknown(device, way))?;
    PCM::open(&text, direction, true).map_err(|error| match Errno::from_raw(error.errno()) {
        Errno::EBUSY => Trouble::Busy(busy::user(name, way)),
        Errno::EACCES | Errno::EPERM => Trouble::Forbidden,
        Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => unknown(device, way),
        // A number of a card that there cannot be.
        Errno::EINVAL if place(name).is_some() => unknown(device, way),
        _ => Trouble::System(format!("it cannot be opened: {error}")),
    })
}

fn unknown(device: &str, way: Way) -> Trouble {
    let known = cards::names(way);
    Trouble::Unknown(nearest(device, &known).iter().map(|name| format!("alsa:{name}")).collect())
}

/// Keeps what alsa-lib prints to the terminal for the log.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let printed = Output::local_error_handler().ok();
    let done = work();
    if let Some(printed) = printed {
        let said = printed.borrow().to_string();
        said.lines().for_each(|line| tracing::debug!("{line}"));
    }
    done
}
