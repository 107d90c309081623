//! `antiphon guide` as typed.

use crate::advice::args::{CaseArgs, WithArgs};

const ABOUT: &str = "\
As in:
  antiphon guide                         go on where you left, or list the guides
  antiphon guide \"Mi Portable Speaker 3\" the best method for two of it
  antiphon guide \"JBL Flip 6\" \"Mi 16W\"   the best method for these two
  antiphon guide host-pair               this method
  antiphon guide vendor-stereo \"flip 6\"  this method, for two of this model";

/// `antiphon guide`
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct GuideArgs {
    /// A method, or a model: then the best method for it
    #[arg(value_name = "METHOD|MODEL")]
    pub what: Option<String>,

    /// A model
    #[arg(value_name = "MODEL")]
    pub model: Option<String>,

    /// What is known of them
    #[command(flatten)]
    pub case: CaseArgs,

    /// From the beginning, whatever was left
    #[arg(long)]
    pub again: bool,

    /// Print all steps as text
    #[arg(long, conflicts_with = "json")]
    pub print: bool,

    /// More to know
    #[command(flatten)]
    pub with: WithArgs,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}
