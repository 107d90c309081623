//! `antiphon doctor` as typed.

use std::path::PathBuf;

/// `antiphon doctor`
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Also connect each paired speaker for a moment: finds stale pairings, and speakers that a phone holds
    #[arg(long)]
    pub connect: bool,

    /// Write a zip file for whoever helps you, with names and addresses masked
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}
