//! The server's devices.

use pulseaudio::protocol::{
    ChannelPosition, Command, DEFAULT_SINK, DEFAULT_SOURCE, GetSinkInfo, GetSourceInfo, Prop, Props,
    PulseError, ServerInfo, SinkFlags, SinkInfo, SourceInfo, port_info,
};

use super::connection::text;
use super::{Connection, ServerError};
use crate::desktop::is_own;

/// Which program the server is, where it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// It is PipeWire's: its timing information is of its last cycle, not of the moment of the question.
    pub is_pipewire: bool,
    /// The name of the default sink, if there is one.
    pub default_sink: Option<String>,
}

impl Server {
    /// Asks it.
    pub fn of(connection: &mut Connection) -> Result<Self, ServerError> {
        let info: ServerInfo = connection.ask(&Command::GetServerInfo)?;
        let name = info.server_name.unwrap_or_default();
        let default_sink = info.default_sink_name.map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            is_pipewire: name.to_string_lossy().contains("PipeWire"),
            default_sink: default_sink.filter(|name| !name.is_empty()),
        })
    }
}

/// All sinks.
pub(crate) fn sinks(connection: &mut Connection) -> Result<Vec<SinkInfo>, ServerError> {
    connection.ask(&Command::GetSinkInfoList)
}

/// The sink called `name`, the default one if that is empty; `None` if there is none.
pub(crate) fn find_sink(connection: &mut Connection, name: &str) -> Result<Option<SinkInfo>, ServerError> {
    let name = if name.is_empty() { DEFAULT_SINK.to_owned() } else { text(name) };
    found(connection.ask(&Command::GetSinkInfo(GetSinkInfo { index: None, name: Some(name) })))
}

/// All sources, monitors of sinks among them.
pub(crate) fn sources(connection: &mut Connection) -> Result<Vec<SourceInfo>, ServerError> {
    connection.ask(&Command::GetSourceInfoList)
}

/// The source called `name`, the default one if that is empty; `None` if there is none.
pub(crate) fn find_source(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<SourceInfo>, ServerError> {
    let name = if name.is_empty() { DEFAULT_SOURCE.to_owned() } else { text(name) };
    found(connection.ask(&Command::GetSourceInfo(GetSourceInfo { index: None, name: Some(name) })))
}

/// Filters behind filters that are followed; a longer chain is somebody's mistake.
const MOST_MASTERS: usize = 8;

/// The names of the sink `name` (the default one if that is empty) and of those that it plays through: a filter has a
/// master.
pub(crate) fn played_through(connection: &mut Connection, name: &str) -> Result<Vec<String>, ServerError> {
    let mut names: Vec<String> = Vec::new();
    let mut next = find_sink(connection, name)?;
    while let Some(sink) = next.filter(|_| names.len() < MOST_MASTERS) {
        names.push(sink.name.to_string_lossy().into_owned());
        next = match master(&sink.props) {
            Some(master) => find_sink(connection, &master)?,
            None => None,
        };
    }
    Ok(names)
}

/// The name of the sink whose sound the source `name` hears (the default source if that is empty): it is its monitor,
/// or a filter of that. `None` for one that hears something else.
pub(crate) fn heard_sink(connection: &mut Connection, name: &str) -> Result<Option<String>, ServerError> {
    let mut next = find_source(connection, name)?;
    for _ in 0..MOST_MASTERS {
        let Some(source) = next else { break };
        if let Some(sink) = source.monitor_of_sink_name.filter(|sink| !sink.is_empty()) {
            return Ok(Some(sink.to_string_lossy().into_owned()));
        }
        next = match master(&source.props) {
            Some(master) => find_source(connection, &master)?,
            None => None,
        };
    }
    Ok(None)
}

/// The device that a filter filters.
fn master(props: &Props) -> Option<String> {
    let bytes = props.get(Prop::DeviceMasterDevice)?;
    let name = String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned();
    (!name.is_empty()).then_some(name)
}

/// A source of the sound server that hears what one of its sinks plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// That sink.
    pub sink: String,
    /// Sources that hear something else: microphones and line inputs.
    pub others: Vec<String>,
}

/// What the source `source` hears again if it is played on the sink `sink`; `None` where it hears something else. An
/// empty name is the default one's.
///
/// # Errors
/// There is no server, or it does not answer.
pub fn echo(source: &str, sink: &str) -> Result<Option<Echo>, ServerError> {
    let mut connection = Connection::open()?;
    let Some(heard) = heard_sink(&mut connection, source)? else { return Ok(None) };
    if !played_through(&mut connection, sink)?.contains(&heard) {
        return Ok(None);
    }
    let mut others = Vec::new();
    for other in sources(&mut connection)? {
        let name = other.name.to_string_lossy().into_owned();
        if heard_sink(&mut connection, &name)?.is_none() {
            others.push(name);
        }
    }
    Ok(Some(Echo { sink: heard, others }))
}

/// A device that does not exist is no failure.
fn found<T>(answer: Result<T, ServerError>) -> Result<Option<T>, ServerError> {
    match answer {
        Ok(info) => Ok(Some(info)),
        Err(ServerError::Refused(PulseError::NoEntity | PulseError::Invalid)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A sink as a person chooses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDevice {
    /// Its name in URIs.
    pub name: String,
    /// Its name in the sound settings.
    pub description: String,
    /// The server plays on it what names no sink.
    pub is_default: bool,
    /// In hertz.
    pub rate_hz: u32,
    /// How many it has.
    pub channels: u16,
    /// It has front left and front right.
    pub splits: bool,
    /// It is a device with a clock of its own, not one that exists in the server alone.
    pub is_hardware: bool,
    /// It is muted or at volume 0 in the sound settings.
    pub is_muted: bool,
    /// It stands for a missing device: what is played to it is thrown away.
    pub is_dummy: bool,
    /// Its socket has no plug in it, as far as it can tell.
    pub is_unplugged: bool,
}

/// The sinks of this user's sound server, but for the desktop's device: who plays on that hears himself.
///
/// # Errors
/// There is no server, or it does not answer.
pub fn output_devices() -> Result<Vec<OutputDevice>, ServerError> {
    let mut connection = Connection::open()?;
    let default = Server::of(&mut connection)?.default_sink;
    let all = sinks(&mut connection)?;
    let all = all.iter().map(|sink| device(sink, default.as_deref()));
    Ok(all.filter(|device| !is_own(&device.name)).collect())
}

fn device(sink: &SinkInfo, default: Option<&str>) -> OutputDevice {
    let name = sink.name.to_string_lossy().into_owned();
    let description = sink.description.as_ref().map(|text| text.to_string_lossy().into_owned());
    let has = |position| sink.channel_map.into_iter().any(|has| has == position);
    let loudest = sink.cvolume.channels().iter().map(|volume| volume.as_u32()).max();
    let port = sink.ports.get(sink.active_port);
    OutputDevice {
        is_default: default == Some(name.as_str()),
        is_dummy: name == "auto_null",
        description: description.filter(|text| !text.is_empty()).unwrap_or_else(|| name.clone()),
        name,
        rate_hz: sink.sample_spec.sample_rate,
        channels: u16::from(sink.sample_spec.channels),
        splits: has(ChannelPosition::FrontLeft) && has(ChannelPosition::FrontRight),
        is_hardware: sink.flags.contains(SinkFlags::HARDWARE),
        is_muted: sink.muted || loudest == Some(0),
        is_unplugged: port.is_some_and(|port| port.available == port_info::PortAvailable::No),
    }
}
