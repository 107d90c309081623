//! One life of a playback stream: from its making until the server, or the device, is gone.
//!
//! The server's buffer is never primed: it runs on through what was not written, so that frame `n` of the stream
//! has one place on the device's time line, whatever was late.

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};
use antiphon_net::{StampBridge, raw_now};
use pulseaudio::protocol::stream::{BufferAttr, CorkStreamParams, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, ChannelPosition, ChannelVolume, Command, CreatePlaybackStreamReply, LatencyParams,
    PlaybackLatency, PlaybackStreamParams, Prop, Props, SampleFormat, SampleSpec, SinkInfo,
};

use super::position::{Claim, Position, Read};
use crate::desktop::is_own;
use crate::nearest::nearest;
use crate::pulse::{Connection, Message, Server, ServerError, find_sink, played_through, sinks, text};
use crate::sink::{SinkError, SinkFormat};
use crate::uri::{CardPart, DeviceUri};

/// What the server and the device hold together: short enough to be started within a fifth of a second, long enough
/// for a machine with other work.
const TARGET: Span = Span::from_ms(100);

/// The least that is asked for at once, so that the server wakes this program fifty times a second and no more.
const REQUEST: Span = Span::from_ms(20);

/// The most frames of one render call.
const PERIOD: Span = Span::from_ms(10);

/// Timing is asked for this often at most.
const ASK_EVERY: Span = Span::from_ms(15);

/// A server that answers nothing for so long has stopped: nobody knows where its device is.
const SILENCE: Span = Span::from_ms(500);

const BYTES_A_SAMPLE: usize = size_of::<f32>();

/// What happened.
#[derive(Debug)]
pub(super) enum News {
    /// The position at an instant.
    Stamp(Frames, Timestamp<True>),
    /// These frames were not there in time.
    Dry {
        /// The first of them.
        frame: Frames,
        /// How many.
        missing: Frames,
    },
    /// What was learnt of the position is void.
    Moved,
    /// The device is gone, and the stream with it.
    Killed,
    /// It was moved to the desktop's own device, where it would be heard again.
    Own,
}

/// A stream on the server.
pub(super) struct Stream {
    connection: Connection,
    channel: u32,
    /// The name of the device that it plays on.
    sink: String,
    format: SinkFormat,
    /// The number of its first frame.
    base: Frames,
    /// Frames written to it.
    written: i64,
    /// Bytes that the server has room for.
    wanted: usize,
    is_pipewire: bool,
    is_suspended: bool,
    /// It has run dry, and nobody knows for how long yet.
    is_dry: bool,
    position: Position,
    bridge: StampBridge,
    question: Option<Question>,
    answered_at: Timestamp<True>,
    requested_at: Option<Timestamp<True>>,
    is_silent: bool,
}

/// A question for the timing that has no answer yet.
#[derive(Debug, Clone, Copy)]
struct Question {
    seq: u32,
    at: Timestamp<True>,
    /// When the server had last asked for sound.
    requested_at: Option<Timestamp<True>>,
    /// The stream was known to be dry.
    is_dry: bool,
}

impl Stream {
    /// Makes a stream to `uri` that is silent yet; its first frame is called `base`. Where the default device is meant
    /// and that is the desktop's own, it plays on `former`.
    ///
    /// # Errors
    /// No server, no such device, or none but the desktop's own.
    pub fn open(uri: &DeviceUri, base: Frames, former: Option<&str>) -> Result<Self, SinkError> {
        let server = |why| SinkError::Server { output: format!("pulse:{uri}"), why };
        let mut connection = Connection::open().map_err(server)?;
        let is_pipewire = Server::of(&mut connection).map_err(server)?.is_pipewire;
        let Some((info, is_former)) = choose(&mut connection, &uri.device, former).map_err(server)? else {
            let known = sinks(&mut connection).map_err(server)?;
            return Err(unknown(uri, &known));
        };
        if leads_home(&mut connection, &info).map_err(server)? {
            return Err(SinkError::Own { output: format!("pulse:{uri}") });
        }
        let params = params(uri, &info, is_former)?;
        let reply = create(&mut connection, params, &info).map_err(server)?;
        let format = format_of(&reply);
        let sink = reply.sink_name.as_deref().unwrap_or(info.name.as_c_str()).to_string_lossy().into_owned();
        Ok(Self {
            connection,
            channel: reply.channel,
            sink,
            format,
            base,
            written: 0,
            wanted: reply.requested_bytes as usize,
            is_pipewire,
            is_suspended: reply.suspended,
            is_dry: false,
            position: Position::new(format.rate),
            bridge: StampBridge::default(),
            question: None,
            answered_at: raw_now(),
            requested_at: None,
            is_silent: false,
        })
    }

    /// The name of the device that it plays on.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// What it wants to be given.
    pub fn format(&self) -> SinkFormat {
        self.format
    }

    /// Lets it run, once its buffer is full.
    pub fn start(&mut self) -> Result<(), ServerError> {
        self.answered_at = raw_now();
        let cork = CorkStreamParams { channel: self.channel, cork: false };
        self.connection.send(&Command::CorkPlaybackStream(cork)).map(drop)
    }

    /// Ends it in good order.
    pub fn end(mut self) {
        // A server that is gone has no streams.
        let _ = self.connection.send(&Command::DeletePlaybackStream(self.channel));
    }

    /// Frames that there is room for; none while it is not known where they belong.
    pub fn room(&self) -> Frames {
        if self.is_dry { Frames(0) } else { Frames((self.wanted / self.frame_bytes()) as i64) }
    }

    /// The number of the next frame to be written.
    pub fn next(&self) -> Frames {
        self.base + Frames(self.written)
    }

    /// Writes the next frames; `bytes` are whole ones.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        self.written += (bytes.len() / self.frame_bytes()) as i64;
        self.wanted = self.wanted.saturating_sub(bytes.len());
        self.connection.send_sound(self.channel, bytes)
    }

    /// Waits at most `timeout` for the server, and takes in all that it says.
    pub fn wait(&mut self, timeout: Span, mut tell: impl FnMut(News)) -> Result<(), ServerError> {
        self.connection.wait(timeout)?;
        while let Some(message) = self.connection.next()? {
            match message {
                Message::Answer { seq, body } if self.question.is_some_and(|asked| asked.seq == seq) => {
                    self.take_timing(&body, &mut tell)?;
                }
                Message::Refused { seq, why } => {
                    tracing::debug!("the sound server refuses command {seq}: {why}");
                    return Err(ServerError::Refused(why));
                }
                Message::Told(news) => self.take_news(*news, &mut tell),
                _ => {}
            }
        }
        self.ask_timing(&mut tell)
    }

    fn take_news(&mut self, command: Command, tell: &mut impl FnMut(News)) {
        match command {
            Command::Request(request) if request.channel == self.channel => {
                self.wanted += request.length as usize;
                self.requested_at = Some(raw_now());
            }
            Command::Underflow(underflow) if underflow.channel == self.channel => self.is_dry = true,
            Command::PlaybackStreamMoved(moved) => {
                let to = moved.device_name.to_string_lossy();
                if is_own(&to) {
                    return tell(News::Own);
                }
                self.sink = to.into_owned();
                self.void(tell);
            }
            Command::PlaybackStreamSuspended(state) => {
                self.is_suspended = state.suspended;
                self.void(tell);
            }
            Command::PlaybackStreamKilled(channel) if channel == self.channel => tell(News::Killed),
            _ => {}
        }
    }

    fn void(&mut self, tell: &mut impl FnMut(News)) {
        self.position = Position::new(self.format.rate);
        tell(News::Moved);
    }

    fn take_timing(&mut self, body: &[u8], tell: &mut impl FnMut(News)) -> Result<(), ServerError> {
        let Some(question) = self.question.take() else { return Ok(()) };
        let now = raw_now();
        self.answered_at = now;
        self.is_silent = false;
        let timing: PlaybackLatency = self.connection.read(body)?;
        if question.is_dry {
            self.make_up(&timing, tell)?;
        }
        let runs = timing.playing && !self.is_suspended && timing.read_offset > 0;
        let looked = self.looked(&question, &timing, now).filter(|_| runs);
        let Some(looked) = looked else { return Ok(()) };
        let frame = self.base + Frames(timing.read_offset / self.frame_bytes() as i64);
        let latency = Span::from_us(i64::try_from(timing.sink_usec).unwrap_or(i64::MAX / 2_000));
        match self.position.read(Claim { frame, latency, looked }) {
            Read::Stamp(frame, at) => tell(News::Stamp(frame, at)),
            Read::Moved => tell(News::Moved),
            Read::Nothing => {}
        }
        Ok(())
    }

    /// When the server looked at its device: between the question and its own stamp, which it takes at once after.
    /// PipeWire answers with what it knew at its last cycle, at which it also asked for sound.
    fn looked(
        &mut self,
        question: &Question,
        timing: &PlaybackLatency,
        now: Timestamp<True>,
    ) -> Option<(Timestamp<True>, Timestamp<True>)> {
        if self.is_pipewire {
            let cycle = question.requested_at.filter(|_| question.requested_at == self.requested_at)?;
            return Some((cycle, cycle));
        }
        self.bridge.read_clocks();
        let since = timing.remote_time.duration_since(std::time::UNIX_EPOCH).ok()?;
        let stamped = self.bridge.raw_of(i64::try_from(since.as_nanos()).ok()?)?;
        // The stamp is in whole microseconds. One from before the question, or of the future, is of another clock.
        let margin = Span::from_us(20);
        (stamped >= question.at - margin && stamped <= now + margin).then_some((question.at, stamped))
    }

    /// The device went on without us: what it did not get is past, and what comes next has its own place.
    fn make_up(&mut self, timing: &PlaybackLatency, tell: &mut impl FnMut(News)) -> Result<(), ServerError> {
        self.is_dry = false;
        let missing = timing.read_offset / self.frame_bytes() as i64 - self.written;
        if missing <= 0 {
            return Ok(());
        }
        tell(News::Dry { frame: self.next(), missing: Frames(missing) });
        let silence = [0; 4_096];
        let mut bytes = missing as usize * self.frame_bytes();
        while bytes > 0 {
            let whole = silence.len() - silence.len() % self.frame_bytes();
            let part = bytes.min(whole);
            self.write(&silence[..part])?;
            bytes -= part;
        }
        Ok(())
    }

    /// Asks where the device is: after each request for sound, and when nothing was heard for long.
    fn ask_timing(&mut self, tell: &mut impl FnMut(News)) -> Result<(), ServerError> {
        let now = raw_now();
        if !self.is_silent && now - self.answered_at > SILENCE {
            self.is_silent = true;
            self.void(tell);
        }
        let is_due = now - self.answered_at >= ASK_EVERY || self.is_dry;
        let has_cycle = !self.is_pipewire || self.requested_at.is_some_and(|at| at > self.answered_at);
        if self.question.is_some() || !is_due || !(has_cycle || self.is_dry) {
            return Ok(());
        }
        // The time is only handed back; the instants that count are this machine's own.
        let question = LatencyParams { channel: self.channel, now: std::time::UNIX_EPOCH };
        let seq = self.connection.send(&Command::GetPlaybackLatency(question))?;
        self.question = Some(Question { seq, at: now, requested_at: self.requested_at, is_dry: self.is_dry });
        Ok(())
    }

    fn frame_bytes(&self) -> usize {
        usize::from(self.format.channels) * BYTES_A_SAMPLE
    }
}

/// The device that is meant by `name`, and whether that is `former`, for want of a default that can be played on.
fn choose(
    connection: &mut Connection,
    name: &str,
    former: Option<&str>,
) -> Result<Option<(SinkInfo, bool)>, ServerError> {
    let meant = find_sink(connection, name)?;
    let Some(former) = former.filter(|_| name.is_empty()) else { return Ok(meant.map(|sink| (sink, false))) };
    match meant {
        Some(sink) if !leads_home(connection, &sink)? => Ok(Some((sink, false))),
        own => Ok(find_sink(connection, former)?.map(|sink| (sink, true)).or(own.map(|sink| (sink, false)))),
    }
}

/// Whether what is played on `sink` comes to the desktop's own device.
fn leads_home(connection: &mut Connection, sink: &SinkInfo) -> Result<bool, ServerError> {
    Ok(played_through(connection, &sink.name.to_string_lossy())?.iter().any(|name| is_own(name)))
}

/// A server remembers where a person has moved streams of a kind, and makes the next ones there: not on the desktop's own.
fn create(
    connection: &mut Connection,
    mut params: PlaybackStreamParams,
    sink: &SinkInfo,
) -> Result<CreatePlaybackStreamReply, ServerError> {
    let made: CreatePlaybackStreamReply = connection.ask(&Command::CreatePlaybackStream(params.clone()))?;
    if !made.sink_name.as_ref().is_some_and(|name| is_own(&name.to_string_lossy())) {
        return Ok(made);
    }
    connection.send(&Command::DeletePlaybackStream(made.channel))?;
    params.sink_name = Some(sink.name.clone());
    connection.ask(&Command::CreatePlaybackStream(params))
}

fn unknown(uri: &DeviceUri, known: &[SinkInfo]) -> SinkError {
    let names: Vec<String> = known.iter().map(|sink| sink.name.to_string_lossy().into_owned()).collect();
    let nearest = nearest(&uri.device, &names).iter().map(|name| format!("pulse:{name}")).collect();
    SinkError::Unknown { output: format!("pulse:{uri}"), nearest }
}

fn format_of(reply: &CreatePlaybackStreamReply) -> SinkFormat {
    let rate = SampleRate::new(reply.sample_spec.sample_rate).unwrap_or(SampleRate::MEDIA);
    let channels = u16::from(reply.sample_spec.channels.max(1));
    let buffer = i64::from(reply.buffer_attr.target_length) / (i64::from(channels) * BYTES_A_SAMPLE as i64);
    let device = Span::from_us(i64::try_from(reply.stream_latency).unwrap_or(0));
    SinkFormat {
        rate,
        channels,
        period: rate.frames_in(PERIOD),
        latency: rate.span_of(Frames(buffer)) + device,
    }
}

/// A stream of the device's own rate, so that nothing is between its buffer and the device but a change of format.
/// `pinned`: on that device whatever the default one is.
fn params(uri: &DeviceUri, sink: &SinkInfo, pinned: bool) -> Result<PlaybackStreamParams, SinkError> {
    let rate = SampleRate::new(sink.sample_spec.sample_rate).unwrap_or(SampleRate::MEDIA);
    let channel_map = channel_map(uri, sink)?;
    let channels = channel_map.num_channels();
    let bytes = |span| {
        let frames = rate.frames_in(span).0 as u32;
        frames * u32::from(channels) * BYTES_A_SAMPLE as u32
    };
    let is_named = !uri.device.is_empty();
    Ok(PlaybackStreamParams {
        sample_spec: SampleSpec { format: SampleFormat::Float32Le, channels, sample_rate: rate.hz() },
        channel_map,
        // Without a name the server chooses, and may move the stream when somebody chooses another default.
        sink_name: if pinned { Some(sink.name.clone()) } else { is_named.then(|| text(&uri.device)) },
        buffer_attr: BufferAttr {
            max_length: u32::MAX,
            target_length: bytes(TARGET),
            pre_buffering: 0,
            minimum_request_length: bytes(REQUEST),
            fragment_size: u32::MAX,
        },
        // Volume is this program's own: what a server remembers of an earlier stream is not wanted.
        cvolume: Some(ChannelVolume::norm(channels)),
        props: props(uri),
        flags: StreamFlags {
            start_corked: true,
            start_muted: Some(false),
            adjust_latency: true,
            no_remix_channels: uri.part != CardPart::Whole,
            no_move: is_named,
            ..StreamFlags::default()
        },
        ..PlaybackStreamParams::default()
    })
}

fn channel_map(uri: &DeviceUri, sink: &SinkInfo) -> Result<ChannelMap, SinkError> {
    let one = |position| {
        if sink.channel_map.into_iter().any(|has| has == position) {
            return Ok(ChannelMap::new([position]));
        }
        Err(SinkError::NoChannel { output: format!("pulse:{uri}") })
    };
    match uri.part {
        CardPart::Whole if sink.channel_map.num_channels() == 1 => Ok(ChannelMap::mono()),
        CardPart::Whole => Ok(ChannelMap::stereo()),
        CardPart::Left => one(ChannelPosition::FrontLeft),
        CardPart::Right => one(ChannelPosition::FrontRight),
    }
}

fn props(uri: &DeviceUri) -> Props {
    let mut props = Props::new();
    props.set(Prop::ApplicationName, c"Antiphon");
    props.set(Prop::MediaRole, c"music");
    let name =
        if uri.part == CardPart::Whole { "speaker".to_owned() } else { format!("speaker {}", uri.part) };
    props.set(Prop::MediaName, text(&name));
    // Session managers of PipeWire remember volumes and devices by these.
    props.set_bytes(c"state.restore-props", c"false".to_bytes_with_nul());
    if !uri.device.is_empty() {
        props.set_bytes(c"state.restore-target", c"false".to_bytes_with_nul());
    }
    props
}
