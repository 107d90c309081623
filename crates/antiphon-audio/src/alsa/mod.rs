//! Sound cards by ALSA, without a sound server: their names, who has them, opening, and what was agreed on.
//!
//! What is played and heard on them is beside what it is for (`sink`, `capture`). All calls go through the crate
//! `alsa`; what alsa-lib would print is kept for the log.

mod busy;

mod cards;

mod name;

mod open;

mod samples;

mod setup;

pub(crate) use busy::{Way, card_index};
pub use cards::{OutputCard, output_cards};
pub(crate) use name::canonical;
pub(crate) use open::{Trouble, open};
pub(crate) use samples::Sample;
pub(crate) use setup::Setup;
