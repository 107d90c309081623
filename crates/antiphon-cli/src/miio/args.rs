//! `antiphon miio` as typed.

use antiphon_base::Span;
use clap::Subcommand;

use crate::plan::parse_span;

/// `antiphon miio`
#[derive(Debug, clap::Args)]
pub struct MiioArgs {
    /// What to do
    #[command(subcommand)]
    pub action: MiioAction,

    /// Print JSON with a stable schema
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with Xiaomi's Wi-Fi devices.
#[derive(Debug, Subcommand)]
pub enum MiioAction {
    /// Say hello to the local network: which devices are there
    Discover {
        /// Only this address, or this broadcast address [default: everybody in this network]
        #[arg(long, value_name = "ADDRESS")]
        at: Option<String>,
        /// How long to wait for answers
        #[arg(long, default_value = "2s", value_parser = parse_span, value_name = "TIME")]
        time: Span,
    },
    /// Read a device's model and firmware
    Info {
        /// Its address, as in 192.168.1.20
        #[arg(value_name = "ADDRESS")]
        address: String,
        // As text: clap would show what it cannot read, and that may be a token with a slip.
        /// Its token, 32 hexadecimal digits; in ANTIPHON_MIIO_TOKEN it is not seen in the list of programs
        #[arg(long, value_name = "TOKEN", env = "ANTIPHON_MIIO_TOKEN", hide_env_values = true)]
        token: Option<String>,
        /// Keep the token for this device, readable by this user alone
        #[arg(long)]
        remember: bool,
    },
}
