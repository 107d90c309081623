//! Which hub plays, and how to come back to it.

use std::time::Duration;

use antiphon_api::{Client, HubAddress, ProgrammeState, SpeakerStatus, Status};
use antiphon_base::Span;
use antiphon_hub::{HubDaemon, HubError, HubHandle, HubOptions};

use super::audience;
use crate::args::AudienceArgs;
use crate::exit::Failure;
use crate::members::Members;
use crate::{dirs, find, terminal};

/// As `antiphon hub` has it.
const DEFAULT_LATENCY: Span = Span::from_ms(200);

/// The hub that was asked for.
#[derive(Debug)]
pub struct Reach {
    named: Option<HubAddress>,
    latency: Option<Span>,
    /// Speakers inside this program; they end before their hub.
    members: Option<Members>,
    /// What those are called.
    names: Vec<String>,
    /// The hub inside this program; it ends with this.
    own: Option<HubHandle>,
}

impl Reach {
    /// The hub named, or the one on this machine, if one runs: [`start`](Self::start) is for when none does.
    ///
    /// # Errors
    /// It will not have the latency.
    pub fn look(args: &AudienceArgs) -> Result<(Self, Option<Client>), Failure> {
        let reach = Self {
            named: args.hub.clone(),
            latency: args.latency,
            members: None,
            names: Vec::new(),
            own: None,
        };
        let client = reach.client()?;
        Ok((reach, client))
    }

    /// A hub inside this program.
    ///
    /// # Errors
    /// It cannot be had: no free port, no place for its state.
    pub fn start(&mut self) -> Result<Client, Failure> {
        let hub = start(self.latency.unwrap_or(DEFAULT_LATENCY))?;
        let client = Client::new(hub.addr().into());
        self.own = Some(hub);
        Ok(client)
    }

    /// The hub at this address and no other.
    pub fn at(hub: HubAddress) -> (Self, Client) {
        let client = Client::new(hub.clone());
        (Self { named: Some(hub), latency: None, members: None, names: Vec::new(), own: None }, client)
    }

    /// Whether the hub is inside this program.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Keeps speakers that run inside this program, with their names, for as long as this lives.
    pub fn adopt(&mut self, members: Members, names: Vec<String>) {
        (self.members, self.names) = (Some(members), names);
    }

    /// Why a speaker inside this program has ended, if one has.
    pub fn failure(&mut self) -> Option<Failure> {
        self.members.as_mut().and_then(Members::failure)
    }

    /// Whether others may play through this program: through its hub or on its speakers.
    pub fn lends(&self) -> bool {
        self.is_own() || !self.names.is_empty()
    }

    /// Whether what plays at present, by `status`, does so through this program.
    pub fn is_needed(&self, status: &Status) -> bool {
        let lent = |speaker: &SpeakerStatus| speaker.streaming && self.names.contains(&speaker.name);
        let plays = !matches!(status.programme.state, ProgrammeState::Idle | ProgrammeState::Ended);
        plays && (self.is_own() || status.speakers.iter().any(lent))
    }

    /// How long its speakers may take to come.
    pub fn patience(&self) -> Duration {
        if self.own.is_some() { audience::NEW_HUB } else { audience::RUNNING_HUB }
    }

    /// Whether the hub may come back when it is gone: one inside this program does not.
    pub fn may_return(&self) -> bool {
        self.own.is_none()
    }

    /// The hub after a new start: it may have another port, and has its own latency again.
    ///
    /// # Errors
    /// It answers and will not have the latency.
    pub fn again(&self) -> Result<Option<Client>, Failure> {
        match self.client() {
            Ok(Some(client)) => Ok(client.status().is_ok().then_some(client)),
            Err(failure) if failure.exit == crate::exit::Exit::HubUnreachable => Ok(None),
            other => other,
        }
    }

    fn client(&self) -> Result<Option<Client>, Failure> {
        let named = self.named.clone().map(find::named);
        let Some(client) = named.or_else(|| find::on_this_machine().map(Client::new)) else {
            return Ok(None);
        };
        if let Some(latency) = self.latency {
            client.set_latency(latency.as_ns() / 1_000)?;
        }
        Ok(Some(client))
    }
}

fn start(latency: Span) -> Result<HubHandle, Failure> {
    let options = |port: u16| -> Result<HubOptions, Failure> {
        Ok(HubOptions {
            listen: ([0, 0, 0, 0], port).into(),
            name: dirs::machine_name(),
            latency,
            open: false,
            state_dir: dirs::state()?,
            runtime_dir: dirs::runtime()?,
            mdns: true,
            https: None,
            services: None,
        })
    };
    // Speakers that search find it at any port.
    let hub = match HubDaemon::start(options(antiphon_api::DEFAULT_PORT)?) {
        Err(HubError::PortInUse { .. }) => HubDaemon::start(options(0)?)?,
        started => started?,
    };
    terminal::note(&format!(
        "no hub runs on this machine; this program is one, at {}, while it plays",
        hub.listen()
    ));
    Ok(hub)
}
