//! A client of the device: the sound server's module, speaking the native protocol of PulseAudio to this program.

use std::io::{self, Cursor};
use std::os::unix::net::UnixStream;
use std::time::SystemTime;

use antiphon_base::{Span, Timestamp, True};
use antiphon_net::raw_now;
use pulseaudio::protocol::stream::BufferAttr;
use pulseaudio::protocol::{
    self, AuthReply, Command, CommandReply, CreatePlaybackStreamReply, FormatEncoding, FormatInfo,
    MAX_VERSION, PlaybackLatency, PlaybackStreamParams, ProtocolError, PulseError, Request, SampleFormat,
    SampleSpec, ServerInfo, SetClientNameReply, SetPlaybackStreamBufferAttrReply, SinkInfo,
};

use super::stream::{FRAME, Stream};
use super::{CHANNELS, SINK_NAME};
use crate::pulse::{ServerError, Wire, text};

/// The number of news, which answer nothing.
const NEWS: u32 = u32::MAX;

/// A client.
pub(super) struct Link {
    wire: Wire,
    version: u16,
    /// The one stream that it may have: a module needs no more.
    stream: Option<Stream>,
    /// Streams that it has had: each has a number of its own.
    streams: u32,
    /// A wish to be told when all has been played.
    draining: Option<u32>,
    /// When frames were last taken out.
    played_at: Timestamp<True>,
}

impl Link {
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        let (wire, version) = (Wire::new(socket)?, MAX_VERSION);
        let (stream, streams, draining) = (None, 0, None);
        Ok(Self { wire, version, stream, streams, draining, played_at: raw_now() })
    }

    pub fn socket(&self) -> &UnixStream {
        self.wire.socket()
    }

    /// Whether sound goes out.
    pub fn plays(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::plays)
    }

    /// Reads what has come, answers, plays what is due to `take`.
    ///
    /// # Errors
    /// The client is gone, or speaks nonsense.
    pub fn turn(&mut self, lateness: Span, mut take: impl FnMut(Vec<f32>)) -> Result<(), ServerError> {
        self.wire.receive()?;
        while let Some((channel, payload)) = self.wire.next()? {
            if channel == NEWS {
                self.command(&payload, lateness)?;
            } else if let Some(stream) = self.stream.as_mut().filter(|_| channel == self.streams) {
                stream.write(&payload);
            }
        }
        let piece = self.play()?;
        if !piece.is_empty() {
            take(piece);
        }
        self.wire.flush()
    }

    fn play(&mut self) -> Result<Vec<f32>, ServerError> {
        let now = raw_now();
        let Some(stream) = &mut self.stream else { return Ok(Vec::new()) };
        let last = self.draining.is_some();
        let (started, piece) = (stream.start(now, last), stream.play(now));
        let (wanted, empty) = (stream.wanted(), stream.is_empty());
        self.played_at = now;
        if started {
            self.tell(&Command::Started(self.streams))?;
        }
        if wanted > 0 {
            self.tell(&Command::Request(Request { channel: self.streams, length: wanted }))?;
        }
        if empty && let Some(seq) = self.draining.take() {
            self.done(seq)?;
        }
        Ok(piece)
    }

    fn command(&mut self, payload: &[u8], lateness: Span) -> Result<(), ServerError> {
        let mut cursor = Cursor::new(payload);
        let (seq, command) = match Command::read_tag_prefixed(&mut cursor, self.version) {
            Ok(read) => read,
            // What this program does not know it does not have; the client decides whether it can do without.
            Err(ProtocolError::Unimplemented(seq, tag)) => {
                tracing::debug!("the desktop's device does not know {tag:?}");
                return self.refuse(seq, PulseError::NotSupported);
            }
            Err(error) => return Err(error.into()),
        };
        match command {
            Command::Auth(auth) => {
                self.version = auth.version.min(MAX_VERSION);
                let version = self.version;
                self.answer(seq, &AuthReply { version, ..AuthReply::default() })
            }
            Command::SetClientName(_) => self.answer(seq, &SetClientNameReply { client_id: 1 }),
            Command::CreatePlaybackStream(params) => self.create(seq, &params),
            Command::DeletePlaybackStream(_) => {
                self.stream = None;
                self.done(seq)
            }
            Command::GetPlaybackLatency(params) => self.latency(seq, params.now, lateness),
            Command::SetPlaybackStreamBufferAttr(params) => self.set_buffer(seq, &params.buffer_attr),
            Command::GetServerInfo => self.answer(seq, &server()),
            Command::GetSinkInfo(_) => self.answer(seq, &sink()),
            Command::GetSinkInfoList => self.answer(seq, &vec![sink()]),
            Command::DrainPlaybackStream(_) => {
                self.draining = Some(seq);
                Ok(())
            }
            Command::CorkPlaybackStream(params) => self.with_stream(seq, |stream| stream.cork(params.cork)),
            Command::FlushPlaybackStream(_) => self.with_stream(seq, Stream::flush),
            // What changes nothing here is well.
            Command::TriggerPlaybackStream(_)
            | Command::PrebufPlaybackStream(_)
            | Command::SetPlaybackStreamName(_)
            | Command::UpdatePlaybackStreamProplist(_)
            | Command::UpdateClientProplist(_)
            | Command::Subscribe(_) => self.done(seq),
            _ => self.refuse(seq, PulseError::NotSupported),
        }
    }

    fn create(&mut self, seq: u32, params: &PlaybackStreamParams) -> Result<(), ServerError> {
        if params.sample_spec != spec() {
            return self.refuse(seq, PulseError::NotSupported);
        }
        let stream = Stream::new(params.buffer_attr.target_length, params.flags.start_corked);
        self.streams += 1;
        let reply = CreatePlaybackStreamReply {
            channel: self.streams,
            stream_index: self.streams,
            requested_bytes: stream.target(),
            buffer_attr: buffer(&stream),
            sample_spec: spec(),
            channel_map: params.channel_map,
            sink_name: Some(text(SINK_NAME)),
            format: FormatInfo::new(FormatEncoding::Pcm),
            ..CreatePlaybackStreamReply::default()
        };
        self.stream = Some(stream);
        self.answer(seq, &reply)
    }

    fn latency(&mut self, seq: u32, asked: SystemTime, lateness: Span) -> Result<(), ServerError> {
        let Some(stream) = &self.stream else { return self.refuse(seq, PulseError::NoEntity) };
        // What was taken out a moment ago is nearer to the loudspeaker by that moment.
        let since = raw_now() - self.played_at;
        let behind = if stream.plays() { lateness - since } else { lateness };
        let reply = PlaybackLatency {
            sink_usec: (behind.as_ns().max(0) / 1_000) as u64,
            source_usec: 0,
            playing: stream.plays(),
            local_time: asked,
            // On one machine it is answered when it is asked, to within a millisecond.
            remote_time: asked,
            write_offset: stream.written,
            read_offset: stream.read,
            underrun_for: 0,
            playing_for: stream.read.max(0) as u64,
        };
        self.answer(seq, &reply)
    }

    fn set_buffer(&mut self, seq: u32, wanted: &BufferAttr) -> Result<(), ServerError> {
        let Some(stream) = &mut self.stream else { return self.refuse(seq, PulseError::NoEntity) };
        stream.set_target(wanted.target_length);
        let reply =
            SetPlaybackStreamBufferAttrReply { buffer_attr: buffer(stream), configured_sink_latency: 0 };
        self.answer(seq, &reply)
    }

    fn with_stream(&mut self, seq: u32, change: impl FnOnce(&mut Stream)) -> Result<(), ServerError> {
        match &mut self.stream {
            Some(stream) => {
                change(stream);
                self.done(seq)
            }
            None => self.refuse(seq, PulseError::NoEntity),
        }
    }
}

/// Messages.
impl Link {
    fn answer<R: CommandReply>(&mut self, seq: u32, reply: &R) -> Result<(), ServerError> {
        Ok(protocol::write_reply_message(self.wire.outbox(), seq, reply, self.version)?)
    }

    fn done(&mut self, seq: u32) -> Result<(), ServerError> {
        Ok(protocol::write_ack_message(self.wire.outbox(), seq)?)
    }

    fn refuse(&mut self, seq: u32, why: PulseError) -> Result<(), ServerError> {
        Ok(protocol::write_error(self.wire.outbox(), seq, &why)?)
    }

    fn tell(&mut self, news: &Command) -> Result<(), ServerError> {
        Ok(protocol::write_command_message(self.wire.outbox(), NEWS, news, self.version)?)
    }
}

fn buffer(stream: &Stream) -> BufferAttr {
    BufferAttr {
        max_length: stream.target() * 2,
        target_length: stream.target(),
        pre_buffering: stream.target() / 2 / FRAME as u32 * FRAME as u32,
        minimum_request_length: stream.target() / 8 / FRAME as u32 * FRAME as u32,
        ..BufferAttr::default()
    }
}

fn server() -> ServerInfo {
    ServerInfo {
        server_name: Some(text("antiphon")),
        server_version: Some(text(env!("CARGO_PKG_VERSION"))),
        user_name: Some(text("antiphon")),
        host_name: Some(text("this machine")),
        default_sink_name: Some(text(SINK_NAME)),
        ..ServerInfo::default()
    }
}

/// What the device plays, and nothing else: the module was told so.
fn spec() -> SampleSpec {
    let sample_rate = antiphon_base::SampleRate::MEDIA.hz();
    SampleSpec { format: SampleFormat::Float32Le, channels: CHANNELS as u8, sample_rate }
}

fn sink() -> SinkInfo {
    SinkInfo {
        name: text(SINK_NAME),
        description: Some(text("Antiphon")),
        sample_spec: spec(),
        // One without volume of its own, which is the sound server's to apply.
        ..SinkInfo::new_dummy(0)
    }
}
