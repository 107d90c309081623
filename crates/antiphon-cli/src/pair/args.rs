//! `antiphon pair` as typed.

use antiphon_base::Span;

use crate::args::AudienceArgs;
use crate::plan::parse_span;

const GUIDE: &str = "\
With a terminal it leads through it: it looks for speakers, asks which is left and which is
right, pairs and connects them one after the other, lets the first one beep to hear on which
side it stands, and saves them under a name. Without one, name them: --left and --right take an address or a name.

Before: switch both speakers to pairing (usually a long press on the Bluetooth key), and
disconnect them from phones. Afterwards:

  antiphon play song.flac --to NAME";

/// `antiphon pair`
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE)]
pub struct PairArgs {
    /// What the pair is to be called
    #[arg(long, value_name = "NAME", default_value = "stereo")]
    pub name: String,

    /// The left speaker: an address, or a name as the scan shows it
    #[arg(long, value_name = "SPEAKER")]
    pub left: Option<String>,

    /// The right speaker
    #[arg(long, value_name = "SPEAKER", requires = "left")]
    pub right: Option<String>,

    /// The adapter to use, as in hci0 [default: all that there are]
    #[arg(long, value_name = "ADAPTER")]
    pub adapter: Option<String>,

    /// How long to look for speakers
    #[arg(long, default_value = "15s", value_parser = parse_span, value_name = "TIME")]
    pub time: Span,

    /// Do not let the speakers beep
    #[arg(long)]
    pub no_identify: bool,

    /// Forget a saved pair: its name goes, its speakers stay paired with this machine
    #[arg(long, value_name = "NAME", conflicts_with_all = ["left", "right", "adapter", "no_identify"])]
    pub remove: Option<String>,

    /// Print JSON with a stable schema, and ask nothing but a PIN
    #[arg(long)]
    pub json: bool,
}

/// Who plays, where nothing was typed about it.
pub fn nobody_else() -> AudienceArgs {
    AudienceArgs {
        left: Vec::new(),
        right: Vec::new(),
        to: Vec::new(),
        latency: None,
        wait: Some(Span::from_s(10)),
        hub: None,
    }
}
