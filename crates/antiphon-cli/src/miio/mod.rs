//! `antiphon miio`: what Xiaomi's Wi-Fi devices tell of themselves on the local network.

mod args;

mod tokens;

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use antiphon_api::json;
use antiphon_api::miio::{MIIO_SCHEMA, MiioDevice, MiioInfo, MiioReport, info_question, read_info};
use antiphon_catalog::{Catalogue, Named};
use antiphon_miio::{Device, MiioError, PORT, Token, ask, discover};

use args::MiioAction;
pub use args::MiioArgs;

use crate::exit::{Exit, Failure};
use crate::told::{By, Telling};
use crate::{terminal, told};

impl From<MiioError> for Failure {
    fn from(error: MiioError) -> Self {
        let exit = match &error {
            MiioError::Silent(_) => Exit::NotFound,
            MiioError::WrongToken(_) => Exit::NotPermitted,
            MiioError::Network { .. } | MiioError::Garbage(_) => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

/// Does it.
pub fn run(args: &MiioArgs) -> Result<Exit, Failure> {
    match &args.action {
        MiioAction::Discover { at, time } => {
            let to = at.as_deref().map_or(Ok(SocketAddr::from((Ipv4Addr::BROADCAST, PORT))), address)?;
            let found = discover(to, time.to_std(), &mut |_| {})?;
            let devices: Vec<MiioDevice> = found.iter().map(|device| report(device, None)).collect();
            show(
                args.json,
                devices,
                "Nobody answers. Devices answer in their own network only, and some routers keep \
                                      Wi-Fi devices apart; antiphon miio discover --at ADDRESS asks one.\n",
            )
        }
        MiioAction::Info { address: at, token, remember } => {
            let to = address(at)?;
            let given = token.as_deref().map(str::parse::<Token>).transpose();
            let given = given.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            let token = known(to, given)?;
            let (device, answer) = ask(to, &token, &info_question(1))?;
            let info = read_info(&answer).map_err(|error| Failure::failed(format!("{to}: {error}")))?;
            if *remember {
                tokens::keep(device.id, &token)?;
            }
            keep(&device, &info);
            let advice = advice(&info);
            show(args.json, vec![report(&device, Some(info))], "")?;
            advice.iter().for_each(|line| terminal::note(line));
            Ok(Exit::Ok)
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:{PORT}") };
    let found = with_port.to_socket_addrs().ok().and_then(|mut found| found.find(SocketAddr::is_ipv4));
    found.ok_or_else(|| {
        let message =
            format!("{text:?} is no address here; write it as in 192.168.1.20, or 192.168.1.20:{PORT}");
        Failure::new(Exit::NotFound, message)
    })
}

/// The token that was given, or the one that was kept for the device that answers there.
fn known(to: SocketAddr, given: Option<Token>) -> Result<Token, Failure> {
    if let Some(token) = given {
        return Ok(token);
    }
    let found = discover(to, tokens::HELLO_TIME, &mut |_| {})?;
    let Some(device) = found.first() else { return Err(MiioError::Silent(to).into()) };
    if let Some(token) = &device.token {
        return Ok(token.clone());
    }
    tokens::of(device.id)?.ok_or_else(|| {
        let message = format!(
            "{to} is there and its token is not known; give it in ANTIPHON_MIIO_TOKEN or with --token, and \
             --remember keeps it. The maker's cloud has it"
        );
        Failure::new(Exit::NotPermitted, message)
    })
}

fn report(device: &Device, info: Option<MiioInfo>) -> MiioDevice {
    MiioDevice {
        address: device.address.to_string(),
        id: format!("{:08x}", device.id),
        exposes_token: device.token.is_some(),
        info,
    }
}

fn show(as_json: bool, devices: Vec<MiioDevice>, none: &str) -> Result<Exit, Failure> {
    let text = match (as_json, devices.as_slice()) {
        (true, _) => json::write_pretty(&MiioReport { schema: MIIO_SCHEMA, devices }),
        (false, []) => none.to_owned(),
        (false, some) => some.iter().map(line).collect(),
    };
    terminal::print(&text);
    Ok(Exit::Ok)
}

/// What comes from the network must not steer the terminal.
fn plain(text: Option<&String>) -> String {
    let text = text.map_or("not exposed by this device", String::as_str);
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(80).collect()
}

fn line(device: &MiioDevice) -> String {
    let exposed = if device.exposes_token { "  tells its token to everybody: set it up" } else { "" };
    let Some(info) = &device.info else { return format!("{:<24}{}{exposed}\n", device.address, device.id) };
    format!(
        "address   {}\ndevice    {}\nmodel     {}\nfirmware  {}\nhardware  {}\n",
        device.address,
        device.id,
        plain(info.model.as_ref()),
        plain(info.fw_ver.as_ref()),
        plain(info.hw_ver.as_ref()),
    )
}

/// What was read feeds the check: `antiphon check` knows it from here on.
fn keep(device: &Device, info: &MiioInfo) {
    let (Some(model), Some(firmware)) = (&info.model, &info.fw_ver) else { return };
    let (name, firmware) = (plain(Some(model)), plain(Some(firmware)));
    let id = format!("{:08x}", device.id);
    told::keep_it(Telling {
        by: By::Miio,
        id,
        model: Some(name.clone()),
        name,
        firmware,
        date: told::today(),
    });
}

fn advice(info: &MiioInfo) -> Option<String> {
    let (model, firmware) = (info.model.as_ref()?, info.fw_ver.as_ref()?);
    match Catalogue::embedded().find(model) {
        Named::Known(found) => {
            let firmware = plain(Some(firmware));
            Some(format!("Next: antiphon check {:?}, which knows of firmware {firmware}", found.name))
        }
        Named::Several(_) | Named::Unknown(_) => None,
    }
}
