//! The adviser's verbs as typed.

use std::path::PathBuf;

use antiphon_catalog::check::{Host, Question};
use antiphon_catalog::{Purpose, VendorVersion};
use clap::Subcommand;

use crate::exit::{Exit, Failure};

/// Files about speakers besides those that the program carries.
#[derive(Debug, Clone, clap::Args)]
pub struct WithArgs {
    /// A file about a speaker to know besides; it replaces the program's own of the same name
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
}

/// What is known of two speakers and their source.
#[derive(Debug, Clone, clap::Args)]
pub struct CaseArgs {
    /// The firmware of both, as the maker's app shows it; twice: of the first and the second
    #[arg(long, value_name = "VERSION")]
    pub firmware: Vec<VendorVersion>,

    /// The version of the maker's app
    #[arg(long, value_name = "VERSION")]
    pub app: Option<VendorVersion>,

    /// What the music comes from: linux, android, ios, windows, macos
    #[arg(long, value_name = "SYSTEM", default_value = "linux")]
    pub source: Host,
}

impl CaseArgs {
    /// Their question about the models.
    ///
    /// # Errors
    /// More than two firmwares.
    pub fn question<'a>(&'a self, first: &'a str, second: Option<&'a str>) -> Result<Question<'a>, Failure> {
        let (firmware, app) = (self.firmware()?, self.app.as_ref());
        Ok(Question { first, second, firmware, app, host: self.source })
    }

    /// The firmware of the first and the second, as typed.
    ///
    /// # Errors
    /// More than two.
    pub fn firmware(&self) -> Result<[Option<&VendorVersion>; 2], Failure> {
        match &self.firmware[..] {
            [] => Ok([None; 2]),
            [both] => Ok([Some(both); 2]),
            [first, second] => Ok([Some(first), Some(second)]),
            _ => {
                let message = "two speakers have two firmwares; give --firmware once or twice";
                Err(Failure::new(Exit::Usage, message))
            }
        }
    }
}

const CHECKING: &str = "\
One model means two of it. Names may be short: \"mi portable 3\", \"flip 6\". Each statement says how
sure it is: claimed (somebody says so), documented (the maker says so), measured, refuted.

Without --firmware, what speakers of that model told before is taken: by Bluetooth
(antiphon bluetooth connect NAME) or over the network (antiphon miio info ADDRESS).";

/// `antiphon check`
#[derive(Debug, clap::Args)]
#[command(after_help = CHECKING)]
pub struct CheckArgs {
    /// The speaker's model
    #[arg(value_name = "MODEL", required_unless_present = "speaker")]
    pub model: Option<String>,

    /// The other speaker's, if it is another one
    #[arg(value_name = "MODEL2")]
    pub other: Option<String>,

    /// A Bluetooth speaker that this computer knows, by name or address: it is asked what it is; twice: two of them
    #[arg(long, value_name = "SPEAKER")]
    pub speaker: Vec<String>,

    /// What is known of them
    #[command(flatten)]
    pub case: CaseArgs,

    /// More to know
    #[command(flatten)]
    pub with: WithArgs,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}

/// `antiphon explain`
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The question, in your own words; none: all that are answered
    #[arg(value_name = "QUESTION")]
    pub question: Vec<String>,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}

/// `antiphon catalog`
#[derive(Debug, clap::Args)]
pub struct CatalogArgs {
    /// What to do
    #[command(subcommand)]
    pub action: CatalogAction,
}

/// `antiphon catalog add-measurement`
#[derive(Debug, clap::Args)]
#[command(after_help = ADDING)]
pub struct AddArgs {
    /// The model
    #[arg(value_name = "MODEL")]
    pub model: String,

    /// What antiphon measure --json wrote
    #[arg(value_name = "RESULT")]
    pub result: PathBuf,

    /// How it was measured: distances, host, how they were connected
    #[arg(long, value_name = "TEXT")]
    pub conditions: String,

    /// The firmware of both, as the maker's app shows it
    #[arg(long, value_name = "VERSION")]
    pub firmware: Option<VendorVersion>,

    /// The mode that was on
    #[arg(long = "for", value_name = "MODE", default_value = "stereo", value_parser = mode)]
    pub purpose: Purpose,

    /// When, as in 2026-03-31 [default: the day of RESULT]
    #[arg(long)]
    pub date: Option<String>,

    /// The model's file [default: in catalog/speakers, where that exists; else the fact is printed]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

const ADDING: &str = "\
As in:
  antiphon signal measure -o track.wav      play it in the maker's stereo mode and record it
  antiphon measure recording.m4a --json > result.json
  antiphon catalog add-measurement \"Mi Portable Speaker 3\" result.json \\
      --firmware SPK-MIP3-V2.18.10 --conditions \"both at 1 m, from an Android phone\"";

fn mode(text: &str) -> Result<Purpose, String> {
    match text {
        "stereo" => Ok(Purpose::Stereo),
        "party" => Ok(Purpose::Party),
        "app" => Ok(Purpose::App),
        _ => Err("it is stereo, party or app".into()),
    }
}

/// What to do with the catalogue of speakers.
#[derive(Debug, Subcommand)]
pub enum CatalogAction {
    /// List the speakers that are known
    List {
        /// Print JSON with a stable schema, every fact included
        #[arg(long)]
        json: bool,
    },
    /// Check files about speakers, and the program's own with them: facts that contradict, proofs that prove nothing
    Lint {
        /// The files; none: the program's own alone
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Begin a file about a speaker that is not known yet
    New {
        /// Its model, as the maker writes it
        #[arg(value_name = "MODEL")]
        model: String,
        /// Who sells it [default: the name's first word]
        #[arg(long)]
        brand: Option<String>,
        /// Where [default: catalog/speakers, where that exists, else here]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Add what antiphon measure --json found of two speakers of one model to the model's file
    AddMeasurement(AddArgs),
}
