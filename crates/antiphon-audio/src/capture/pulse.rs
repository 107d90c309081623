//! A microphone, or any other source of the desktop's sound server.

use antiphon_base::{SampleRate, Span};
use antiphon_net::raw_now;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, Command, CreateRecordStreamReply, Prop, Props, RecordStreamParams, SampleFormat, SampleSpec,
    SourceInfo,
};

use super::{Capture, CaptureError, CaptureFormat, MAX_CHANNELS};
use crate::nearest::nearest;
use crate::pulse::{Connection, Message, ServerError, find_source, sources, text};

/// Sound comes in pieces of this length: a level meter follows it, and a loop costs nothing.
const FRAGMENT: Span = Span::from_ms(20);

/// A source that gives nothing for so long has stopped: it gives something fifty times a second.
const PATIENCE: Span = Span::from_s(3);

/// A recording stream that runs.
pub(super) struct PulseCapture {
    name: String,
    connection: Connection,
    channel: u32,
    channels: u16,
}

impl PulseCapture {
    /// Records from the source `name`, the default one if that is empty, in its own channels.
    pub fn open(name: &str) -> Result<Self, CaptureError> {
        let failed = |why| broken(name, &why);
        let mut connection = Connection::open().map_err(failed)?;
        let Some(source) = find_source(&mut connection, name).map_err(failed)? else {
            return Err(unknown(name, &sources(&mut connection).map_err(failed)?));
        };
        let reply: CreateRecordStreamReply =
            connection.ask(&Command::CreateRecordStream(params(name, &source))).map_err(failed)?;
        let channels = u16::from(reply.sample_spec.channels).clamp(1, MAX_CHANNELS);
        Ok(Self { name: name.to_owned(), connection, channel: reply.channel, channels })
    }

    /// Appends what has come; how many frames.
    fn take(&mut self, out: &mut Vec<f32>) -> Result<usize, ServerError> {
        let before = out.len();
        while let Some(message) = self.connection.next()? {
            match message {
                Message::Sound { channel, bytes } if channel == self.channel => {
                    let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    let whole = bytes.chunks_exact(4 * usize::from(self.channels));
                    out.extend(whole.flat_map(|frame| frame.chunks_exact(4).map(sample)));
                    return Ok((out.len() - before) / usize::from(self.channels));
                }
                Message::Told(news) if *news == Command::RecordStreamKilled(self.channel) => {
                    return Err(ServerError::DeviceGone);
                }
                _ => {}
            }
        }
        Ok(0)
    }
}

impl Capture for PulseCapture {
    fn format(&self) -> CaptureFormat {
        CaptureFormat { rate: SampleRate::MEDIA, channels: self.channels }
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        let end = raw_now() + PATIENCE;
        loop {
            let frames = self.take(out).map_err(|why| broken(&self.name, &why))?;
            if frames > 0 {
                return Ok(frames);
            }
            let left = end - raw_now();
            if left <= Span::ZERO {
                let said = format!("pulse:{} has given no sound for {} s", self.name, PATIENCE.as_s_f64());
                return Err(CaptureError::Other(said));
            }
            self.connection.wait(left).map_err(|why| broken(&self.name, &why))?;
        }
    }
}

fn broken(name: &str, why: &ServerError) -> CaptureError {
    CaptureError::Other(format!("cannot listen to pulse:{name}: {why}"))
}

fn unknown(name: &str, known: &[SourceInfo]) -> CaptureError {
    let names: Vec<String> = known.iter().map(|source| source.name.to_string_lossy().into_owned()).collect();
    let meant: Vec<String> = nearest(name, &names).iter().map(|name| format!("pulse:{name}")).collect();
    let hint = if meant.is_empty() {
        "the sound server has none at all".to_owned()
    } else {
        format!("did you mean {}?", meant.join(" or "))
    };
    CaptureError::Other(format!("there is no microphone pulse:{name}; {hint}"))
}

/// The server makes 48 kHz of the device's rate, as it does for every program.
fn params(name: &str, source: &SourceInfo) -> RecordStreamParams {
    // What has more channels than anybody asks for is mixed to one.
    let own = source.channel_map.num_channels();
    let channel_map =
        if (1..=MAX_CHANNELS as u8).contains(&own) { source.channel_map } else { ChannelMap::mono() };
    let channels = channel_map.num_channels();
    let fragment = SampleRate::MEDIA.frames_in(FRAGMENT).0 as u32 * u32::from(channels) * 4;
    let mut props = Props::new();
    props.set(Prop::ApplicationName, c"Antiphon");
    props.set(Prop::MediaName, c"microphone");
    let sample_spec =
        SampleSpec { format: SampleFormat::Float32Le, channels, sample_rate: SampleRate::MEDIA.hz() };
    RecordStreamParams {
        sample_spec,
        channel_map,
        source_name: (!name.is_empty()).then(|| text(name)),
        buffer_attr: BufferAttr { max_length: u32::MAX, fragment_size: fragment, ..BufferAttr::default() },
        props,
        flags: StreamFlags { adjust_latency: true, no_move: !name.is_empty(), ..StreamFlags::default() },
        ..RecordStreamParams::default()
    }
}
