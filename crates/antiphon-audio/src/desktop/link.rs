//! A client of the device: the sound server's module, speaking the native protocol of PulseAudio to this program.

use std::io::{self, Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::SystemTime;

use antiphon_base::{Span, Timestamp, True};
use antiphon_net::raw_now;
use pulseaudio::protocol::stream::BufferAttr;
use pulseaudio::protocol::{
    self, AuthReply, Command, CommandReply, CreatePlaybackStreamReply, DESCRIPTOR_SIZE, FormatEncoding,
    FormatInfo, MAX_MEMBLOCKQ_LENGTH, MAX_VERSION, PlaybackLatency, PlaybackStreamParams, ProtocolError,
    PulseError, Request, SampleFormat, ServerInfo, SetClientNameReply, SetPlaybackStreamBufferAttrReply,
    SinkInfo,
};

use super::stream::{FRAME, Stream};
use super::{CHANNELS, SINK_NAME};
use crate::pulse::text;

/// The number of news, which answer nothing.
const NEWS: u32 = u32::MAX;

/// What may wait to be written to a client that does not read: some hundred answers.
const MOST_WAITING: usize = 64 * 1_024;

/// A client.
pub(super) struct Link {
    socket: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
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
        socket.set_nonblocking(true)?;
        let (inbox, outbox) = (Vec::new(), Vec::new());
        let version = MAX_VERSION;
        let (stream, streams, draining) = (None, 0, None);
        Ok(Self { socket, inbox, outbox, version, stream, streams, draining, played_at: raw_now() })
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Whether sound goes out.
    pub fn plays(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::plays)
    }

    /// Reads what has come, answers, plays what is due to `take`.
    ///
    /// # Errors
    /// The client is gone, or speaks nonsense.
    pub fn turn(&mut self, lateness: Span, mut take: impl FnMut(Vec<f32>)) -> Result<(), ProtocolError> {
        self.receive()?;
        while let Some((channel, payload)) = self.message()? {
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
        self.flush()
    }

    fn play(&mut self) -> Result<Vec<f32>, ProtocolError> {
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

    fn command(&mut self, payload: &[u8], lateness: Span) -> Result<(), ProtocolError> {
        let mut cursor = Cursor::new(payload);
        let (seq, command) = match Command::read_tag_prefixed(&mut cursor, self.version) {
            Ok(read) => read,
            // What this program does not know it does not have; the client decides whether it can do without.
            Err(ProtocolError::Unimplemented(seq, tag)) => {
                tracing::debug!("the desktop's device does not know {tag:?}");
                return self.refuse(seq, PulseError::NotSupported);
            }
            Err(error) => return Err(error),
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

    fn create(&mut self, seq: u32, params: &PlaybackStreamParams) -> Result<(), ProtocolError> {
        let spec = params.sample_spec;
        let fits = spec.format == SampleFormat::Float32Le
            && u16::from(spec.channels) == CHANNELS
            && spec.sample_rate == antiphon_base::SampleRate::MEDIA.hz();
        if !fits {
            return self.refuse(seq, PulseError::NotSupported);
        }
        let stream = Stream::new(params.buffer_attr.target_length, params.flags.start_corked);
        self.streams += 1;
        let reply = CreatePlaybackStreamReply {
            channel: self.streams,
            stream_index: self.streams,
            requested_bytes: stream.target(),
            buffer_attr: buffer(&stream),
            sample_spec: spec,
            channel_map: params.channel_map,
            sink_name: Some(text(SINK_NAME)),
            format: FormatInfo::new(FormatEncoding::Pcm),
            ..CreatePlaybackStreamReply::default()
        };
        self.stream = Some(stream);
        self.answer(seq, &reply)
    }

    fn latency(&mut self, seq: u32, asked: SystemTime, lateness: Span) -> Result<(), ProtocolError> {
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

    fn set_buffer(&mut self, seq: u32, wanted: &BufferAttr) -> Result<(), ProtocolError> {
        let Some(stream) = &mut self.stream else { return self.refuse(seq, PulseError::NoEntity) };
        stream.set_target(wanted.target_length);
        let reply =
            SetPlaybackStreamBufferAttrReply { buffer_attr: buffer(stream), configured_sink_latency: 0 };
        self.answer(seq, &reply)
    }

    fn with_stream(&mut self, seq: u32, change: impl FnOnce(&mut Stream)) -> Result<(), ProtocolError> {
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
    fn answer<R: CommandReply>(&mut self, seq: u32, reply: &R) -> Result<(), ProtocolError> {
        protocol::write_reply_message(&mut self.outbox, seq, reply, self.version)
    }

    fn done(&mut self, seq: u32) -> Result<(), ProtocolError> {
        protocol::write_ack_message(&mut self.outbox, seq)
    }

    fn refuse(&mut self, seq: u32, why: PulseError) -> Result<(), ProtocolError> {
        protocol::write_error(&mut self.outbox, seq, &why)
    }

    fn tell(&mut self, news: &Command) -> Result<(), ProtocolError> {
        protocol::write_command_message(&mut self.outbox, NEWS, news, self.version)
    }

    fn receive(&mut self) -> Result<(), ProtocolError> {
        let mut block = [0; 64 * 1_024];
        loop {
            match self.socket.read(&mut block) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(n) => self.inbox.extend_from_slice(&block[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if self.inbox.len() > MAX_MEMBLOCKQ_LENGTH {
                return Ok(());
            }
        }
    }

    /// The next message that has come whole: its channel and what is in it.
    fn message(&mut self) -> Result<Option<(u32, Vec<u8>)>, ProtocolError> {
        if self.inbox.len() < DESCRIPTOR_SIZE {
            return Ok(None);
        }
        let head = protocol::read_descriptor(&mut &self.inbox[..DESCRIPTOR_SIZE])?;
        let end = DESCRIPTOR_SIZE + head.length as usize;
        if end > MAX_MEMBLOCKQ_LENGTH {
            return Err(ProtocolError::Invalid(format!("a message of {} bytes", head.length)));
        }
        if self.inbox.len() < end {
            return Ok(None);
        }
        let payload = self.inbox[DESCRIPTOR_SIZE..end].to_vec();
        self.inbox.drain(..end);
        Ok(Some((head.channel, payload)))
    }

    fn flush(&mut self) -> Result<(), ProtocolError> {
        while !self.outbox.is_empty() {
            match self.socket.write(&self.outbox) {
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && self.outbox.len() < MOST_WAITING =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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

fn sink() -> SinkInfo {
    let mut sink = SinkInfo::new_dummy(0);
    sink.name = text(SINK_NAME);
    sink.description = Some(text("Antiphon"));
    sink
}
