//! The adviser's verbs as typed.

use std::path::PathBuf;

use antiphon_catalog::VendorVersion;
use antiphon_catalog::check::{Host, Question};
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
        if self.firmware.len() > 2 {
            let message = "two speakers have two firmwares; give --firmware once or twice";
            return Err(Failure::new(Exit::Usage, message));
        }
        let (firmware, app) = (&self.firmware[..], self.app.as_ref());
        Ok(Question { first, second, firmware, app, host: self.source })
    }
}

const CHECKING: &str = "\
One model means two of it. Names may be short: \"mi portable 3\", \"flip 6\". Each statement says how
sure it is: claimed (somebody says so), documented (the maker says so), measured, refuted.";

/// `antiphon check`
#[derive(Debug, clap::Args)]
#[command(after_help = CHECKING)]
pub struct CheckArgs {
    /// The speaker's model
    #[arg(value_name = "MODEL")]
    pub model: String,

    /// The other speaker's, if it is another one
    #[arg(value_name = "MODEL2")]
    pub other: Option<String>,

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
}
