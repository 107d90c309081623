//! An agent's output: a sink, and what lies behind it.

use std::sync::Arc;

use antiphon_audio::sink::{self, Sink, SinkError};
use antiphon_audio::uri::OutputUri;
use antiphon_base::{Local, Role, Span};
use antiphon_bluetooth::stream::{self, LinkStatus, codec_text};
use antiphon_bluetooth::{Address, ChannelWish, Member};
use antiphon_net::Clock;
use antiphon_playout::Filter;
use antiphon_proto::session::{LinkState, LinkStats};

use crate::agent::{AgentConfig, AgentError};
use crate::bluetooth::{BluetoothError, BluetoothHost};

/// Where an agent plays.
pub(crate) struct Output {
    uri: OutputUri,
    clock: Clock<Local>,
    bluetooth: Option<(Arc<BluetoothHost>, Member)>,
    /// What its loudspeaker's volume was last asked to be, in percent.
    volume: Option<u8>,
}

impl Output {
    /// The output of `config`; a Bluetooth speaker has this process's Bluetooth with it.
    ///
    /// # Errors
    /// No address, or another program has this machine's Bluetooth speakers.
    pub fn new(config: &AgentConfig, clock: &Clock<Local>) -> Result<Self, AgentError> {
        let bluetooth = match &config.output {
            OutputUri::Bluetooth(address) => Some(member(config, address)?),
            _ => None,
        };
        Ok(Self { uri: config.output.clone(), clock: clock.clone(), bluetooth, volume: None })
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.uri.to_string()
    }

    /// Opens it, as it is known to be at present.
    ///
    /// # Errors
    /// See [`sink::open`].
    pub fn open(&self) -> Result<Box<dyn Sink>, SinkError> {
        match &self.bluetooth {
            Some((host, member)) => Ok(host.group().sink(member.address, member.channels)),
            None => sink::open(&self.uri, &self.clock),
        }
    }

    /// How well media are resampled for it.
    pub fn filter(&self) -> Filter {
        if self.bluetooth.is_some() { Filter::Coded } else { Filter::Transparent }
    }

    /// What is believed to lie behind its converter before it has said anything.
    pub fn delay_behind(&self) -> Span {
        if self.bluetooth.is_some() { stream::ASSUMED_DELAY } else { Span::ZERO }
    }

    /// Whether its link is up, and if not, how it stands.
    pub fn link_state(&self) -> Option<LinkState> {
        let (host, member) = self.bluetooth.as_ref()?;
        Some(state_of(host.group().state(member.address)))
    }

    /// Whether the loudspeaker has a volume of its own.
    pub fn has_volume(&self) -> bool {
        self.bluetooth.as_ref().is_some_and(|(host, member)| host.group().has_volume(member.address))
    }

    /// Sets the loudspeaker's own volume, in percent, where it has one; on its return, if it is away.
    pub fn set_volume(&mut self, percent: Option<u8>) {
        let Some((host, member)) = &self.bluetooth else { return };
        // Other settings change too, and its keys have moved it meanwhile: only a new wish is one.
        if let Some(percent) = percent.filter(|_| self.volume != percent) {
            host.set_volume(member.address, (u16::from(percent) * 127 / 100) as u8);
        }
        self.volume = percent;
    }

    /// How its link stands, where it has one.
    pub fn link(&self) -> Option<LinkStats> {
        let (host, member) = self.bluetooth.as_ref()?;
        Some(link_stats(&host.group().status(member.address), host.boot()))
    }
}

/// What a speaker of `role` is sent.
pub fn channels_of(role: Option<Role>) -> ChannelWish {
    if role == Some(Role::Both) { ChannelWish::Stereo } else { ChannelWish::Mono }
}

fn member(config: &AgentConfig, address: &str) -> Result<(Arc<BluetoothHost>, Member), BluetoothError> {
    let member = Member { address: address.parse::<Address>()?, channels: channels_of(config.role) };
    let host = match &config.bluetooth {
        Some(host) => Arc::clone(host),
        None => BluetoothHost::start(vec![member.clone()], config.warp)?,
    };
    Ok((host, member))
}

fn link_stats(status: &LinkStatus, boot: u32) -> LinkStats {
    let us = |span: Span| span.as_ns() / 1_000;
    LinkStats {
        state: state_of(status.state),
        why: status.why.clone(),
        needs_help: status.needs_help,
        reported_us: status.reported.map(us),
        assumed_us: status.assumed.then(|| us(stream::ASSUMED_DELAY)),
        delay_us: us(status.delay),
        packet_ms: status.packet.as_ms_f64(),
        codec: status.sbc.as_ref().map(codec_text).unwrap_or_default(),
        // Starts of another run of this program are others.
        start: boot.wrapping_add(status.start),
        sent: status.counters.sent,
        late: status.counters.late,
        dropped: status.counters.dropped,
        left_out: status.counters.left_out,
        skipped: status.counters.skipped,
        queue: status.queue,
        air_us: status.air.map(us),
        volume: status.volume,
        battery: status.battery,
    }
}

fn state_of(state: stream::LinkState) -> LinkState {
    match state {
        stream::LinkState::Connecting => LinkState::Connecting,
        stream::LinkState::Up => LinkState::Up,
        stream::LinkState::Stalled => LinkState::Stalled,
        stream::LinkState::Down => LinkState::Down,
    }
}
