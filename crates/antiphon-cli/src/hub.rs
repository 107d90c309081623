//! `antiphon hub`

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_api::Client;
use antiphon_base::Span;
use antiphon_hub::{HubDaemon, HubHandle, HubOptions};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::args::HubArgs;
use crate::exit::{Exit, Failure};
use crate::members::Manner;
use crate::saved::Saved;
use crate::service::Watchdog;
use crate::services::HubServices;
use crate::{dirs, service, services, signals, terminal};

/// Target latency where nobody has set one: Wi-Fi loses a packet and sends it again several times within it.
const LATENCY: Span = Span::from_ms(200);

/// How often the hub looks whether it is asked to stop, or has failed.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the hub until it is asked to stop.
pub fn run(args: HubArgs) -> Result<Exit, Failure> {
    let stop = signals::stop_flag()?;
    raise_limits();
    let bluetooth = !args.no_bluetooth;
    // What is stated counts for more than what was set earlier.
    let start = if args.latency.is_some() { HubDaemon::start } else { HubDaemon::resume };
    let options = options(args)?;
    let (name, open) = (options.name.clone(), options.open);
    let hub = start(options)?;
    let how = match open {
        true => "OPEN: anybody in the network can listen and join",
        false => "sealed; `antiphon access` lets browsers and other machines in",
    };
    terminal::note(&format!("hub {name} listens at {}, {how}", hub.listen()));
    terminal::note(&pages(&hub));
    let manner = Manner { hub: Some(hub.addr().to_string()), open, ..Manner::default() };
    let mut speakers = bluetooth.then(|| Saved::new(manner));
    speakers.iter_mut().for_each(Saved::look);
    service::ready(&format!("{name} at {}", hub.listen()));
    let mut watchdog = Watchdog::new(Client::new(hub.addr().into()));
    while !stop.load(Ordering::Acquire) {
        watchdog.look();
        speakers.iter_mut().for_each(Saved::look);
        if !hub.is_running() {
            return Err(Failure::failed(
                "the hub has failed; its log says why, and starting it again is safe",
            ));
        }
        std::thread::sleep(LOOK);
    }
    terminal::note("stopping");
    service::stopping();
    drop(speakers);
    hub.stop();
    Ok(Exit::Ok)
}

/// A full hub has more connections than a process may have files open by default.
fn raise_limits() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// The port after the hub's own, unless somebody has said otherwise.
fn https_port(args: &HubArgs) -> Option<u16> {
    let next = match args.listen.port() {
        0 => 0,
        port => port.checked_add(1).unwrap_or_default(),
    };
    (!args.no_https).then(|| args.https_port.unwrap_or(next))
}

/// Where the page is found, for people with phones.
fn pages(hub: &HubHandle) -> String {
    // A page for this machine only is a page too.
    let page = antiphon_net::lan_address(hub.listen()).unwrap_or(hub.addr());
    let mut told = format!("its page: http://{page}");
    if let Some((port, fingerprint)) = hub.https() {
        let at = SocketAddr::new(page.ip(), port);
        told += &format!(
            "; encrypted: https://{at}, whose certificate has the SHA-256 fingerprint\n  {fingerprint}"
        );
    }
    told + "\n`antiphon join --qr` makes any phone in this network a speaker"
}

fn options(args: HubArgs) -> Result<HubOptions, Failure> {
    let https = https_port(&args);
    let name = args.name.unwrap_or_else(dirs::machine_name);
    let services = HubServices::new(&services::music(&args.music), &dirs::state()?);
    Ok(HubOptions {
        listen: args.listen,
        name,
        latency: args.latency.unwrap_or(LATENCY),
        open: args.open,
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        mdns: !args.no_mdns,
        https,
        services: Some(Arc::new(services)),
    })
}
