//! Files and streams that symphonia can take apart.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use antiphon_base::{Frames, SampleRate, Span};
use symphonia::core::audio::sample::Sample;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::{MetadataOptions, StandardTag};
use symphonia::core::packet::Packet;
use symphonia::core::units::{TimeBase, Timestamp};

use super::detect::UNKNOWN;
use super::order::{self, Order};
use super::{Decode, MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Problem, mp4, opus, riff};

/// Packets in a row that may fail before the rest is given up: 5 s of MP3. What follows so much
/// damage is not the same file.
const MAX_SKIPPED_IN_A_ROW: u64 = 200;

/// Times in a row that a demuxer may fail before it is taken to be stuck where it is.
const MAX_UNREADABLE_IN_A_ROW: u64 = 32;

/// Frames decoded and dropped before a position that was gone to, so that decoders that use what
/// came before (MP3's bit reservoir, AAC's and Vorbis's overlap) are in their stride: 100 ms.
const PRE_ROLL_PARTS_OF_A_SECOND: u64 = 10;

/// What a file says about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags {
    pub(super) title: Option<String>,
    pub(super) artist: Option<String>,
    pub(super) album: Option<String>,
    /// Its place in the album.
    pub(super) number: Option<u32>,
    /// A picture comes with it.
    pub(super) pictured: bool,
    /// iTunes's own note on encoder delay.
    smpb: Option<String>,
}

/// What can be read from its beginning more than once.
pub(super) trait Store: Send {
    /// A reader that stands at the beginning.
    fn reader(&self) -> io::Result<Box<dyn MediaSource>>;
}

impl Store for PathBuf {
    fn reader(&self) -> io::Result<Box<dyn MediaSource>> {
        Ok(Box::new(File::open(self)?))
    }
}

/// A file or stream being decoded.
pub(super) struct MediaDecoder {
    /// None: it comes once.
    input: Option<Box<dyn Store>>,
    /// A stream without an end, which is entered anywhere: its timestamps mean nothing here, and what
    /// follows in it may have another shape.
    live: bool,
    reader: Box<dyn FormatReader>,
    track: u32,
    time_base: TimeBase,
    kind: Kind,
    /// "flac", "mp3", "aac", ...
    pub(super) codec: &'static str,
    /// "wave", "ogg", "isomp4", ...
    pub(super) container: &'static str,
    pub(super) tags: Tags,
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Frames in the whole source, where its header says it.
    pub(super) length: Option<u64>,
    /// The length comes from a count, and not from a bit rate: less is a cut.
    length_is_exact: bool,
    /// The timestamp of frame 0, in frames.
    origin: i64,
    /// The next frame to be given.
    frame: u64,
    /// Set by a seek: the next packet says itself where it belongs.
    lost_count: bool,
    /// Of a live stream: where the next block begins, before what is given where a logical stream
    /// begins with frames that only prepare its decoder.
    next_first: i64,
    /// The tags are those of a stream that has just begun.
    tags_are_new: bool,
    skipped: u64,
    skipped_in_a_row: u64,
    ended: bool,
    block: Vec<f32>,
}

/// Who decodes the packets.
enum Kind {
    Symphonia { decoder: Box<dyn AudioDecoder>, order: Order },
    Opus(opus::Packets),
}

impl MediaDecoder {
    /// A file, or whatever else can be read again.
    pub(super) fn open(input: Box<dyn Store>) -> Result<Self, Problem> {
        let reader = input.reader().map_err(Problem::Open)?;
        check_wave_shape(&*input)?;
        Self::begin(reader, Some(input), false)
    }

    /// A file that comes once, and is not gone back in.
    pub(super) fn once(reader: Box<dyn MediaSource>) -> Result<Self, Problem> {
        Self::begin(reader, None, false).map_err(|problem| match problem {
            Problem::Damaged { reason, .. } if reason.contains("moov") => Problem::Unsupported {
                what: "an MP4 file whose index is at its end, on a server that gives no parts of files"
                    .into(),
            },
            problem => problem,
        })
    }

    /// A stream that has begun long ago and ends some time.
    pub(super) fn live(reader: Box<dyn MediaSource>) -> Result<Self, Problem> {
        Self::begin(reader, None, true).map_err(|problem| match problem {
            // A stream is not damaged where it is entered; it is something else.
            Problem::Damaged { .. } => Problem::NotAudio { looks: UNKNOWN },
            problem => problem,
        })
    }

    fn begin(
        reader: Box<dyn MediaSource>,
        input: Option<Box<dyn Store>>,
        live: bool,
    ) -> Result<Self, Problem> {
        let mut reader = open_reader(reader)?;
        let container = reader.format_info().short_name;
        let tags = read_tags(&mut *reader);
        let track = sound_track(&*reader)?;
        let params = audio_params(&track)?;
        let codec = codec_name(&params);
        let (kind, rate, channels, origin) = open_decoder(&track, &params, codec)?;
        let time_base = track.time_base.or_else(|| TimeBase::try_from_recip(rate));
        let mut this = Self {
            input,
            live,
            reader,
            track: track.id,
            time_base: time_base.ok_or(Problem::Rate { hz: rate })?,
            kind,
            codec,
            container,
            tags,
            rate,
            channels,
            length: None,
            length_is_exact: false,
            origin,
            frame: 0,
            lost_count: true,
            next_first: 0,
            tags_are_new: true,
            skipped: 0,
            skipped_in_a_row: 0,
            ended: false,
            block: Vec::new(),
        };
        if live {
            this.next_first = -lead_in(&this.kind);
        } else {
            this.find_extent(&track);
        }
        Ok(this)
    }

    /// Where the source begins and ends in the track's own time.
    fn find_extent(&mut self, track: &Track) {
        let whole =
            track.num_frames.or_else(|| track.duration.map(|d| self.frames(d.get() as i64).max(0) as u64));
        self.length = whole.map(|frames| frames.saturating_sub(self.origin.max(0) as u64));
        self.length_is_exact = match self.container {
            // What is not gone back in is not looked at twice: its length may be a placeholder.
            "wave" => self.input.is_some() && !self.read_wave_head(),
            // Without the encoder's own note the number of frames is a guess from the bit rate.
            "mp3" => track.delay.is_some(),
            "aiff" | "flac" | "isomp4" | "ogg" => true,
            _ => false,
        };
        if self.container == "wave" && !self.length_is_exact {
            self.length = None;
        }
        if self.container == "isomp4" {
            self.follow_edit_list();
        }
    }

    /// Takes a WAVE file's tags; says whether its length is unknown.
    fn read_wave_head(&mut self) -> bool {
        let head = self.input.as_deref().map(wave_head).unwrap_or_default();
        self.tags.title = self.tags.title.take().or(head.title);
        self.tags.artist = self.tags.artist.take().or(head.artist);
        self.tags.album = self.tags.album.take().or(head.album);
        head.streamed
    }

    fn follow_edit_list(&mut self) {
        let by_tag = self.tags.smpb.as_deref().and_then(mp4::heard_by_tag);
        let by_list = || {
            let heard = self.input.as_ref()?.reader().ok().and_then(mp4::heard)?;
            let frames = |units: u64| self.frames(units.min(i64::MAX as u64) as i64).max(0) as u64;
            let length = heard.length.map(|(length, doubt)| (frames(length), frames(doubt)));
            Some(mp4::Heard { start: frames(heard.start), length })
        };
        let Some(heard) = by_tag.or_else(by_list) else { return };
        self.origin = heard.start as i64;
        let rest = self.length.map(|whole| whole.saturating_sub(heard.start));
        self.length = match (rest, heard.length) {
            (Some(rest), Some((length, doubt))) if length + doubt < rest => Some(length),
            (None, Some((length, _))) => Some(length),
            (rest, _) => rest,
        };
    }

    /// Track time to frames, rounded.
    fn frames(&self, units: i64) -> i64 {
        let (numer, denom) = (self.time_base.numer.get(), self.time_base.denom.get());
        let scaled = i128::from(units) * i128::from(numer) * i128::from(self.rate);
        let half = i128::from(denom) / 2;
        ((scaled + half).div_euclid(i128::from(denom))).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The tags of a stream that has begun since the last question.
    pub(super) fn new_tags(&mut self) -> Option<Tags> {
        std::mem::take(&mut self.tags_are_new).then(|| self.tags.clone())
    }

    fn at(&self) -> Span {
        span(self.rate, self.frame)
    }

    /// The next packet of the track, `None` at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>, Problem> {
        let mut unreadable = 0;
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(Error::IoError(error)) => return Err(Problem::Read { at: self.at(), error }),
                Err(Error::ResetRequired) => self.begin_next_stream()?,
                // Demuxers go on behind a page that they could not read.
                Err(Error::DecodeError(_)) if unreadable < MAX_UNREADABLE_IN_A_ROW => {
                    unreadable += 1;
                    self.skipped += 1;
                }
                Err(e) => return Err(Problem::Damaged { at: self.at(), reason: plain(&e) }),
            }
        }
    }

    /// Another stream follows in the same file (a chained Ogg): it is played on where it has the
    /// same shape.
    fn begin_next_stream(&mut self) -> Result<(), Problem> {
        let at = self.at();
        let track = sound_track(&*self.reader)?;
        let params = audio_params(&track)?;
        let (kind, rate, channels, origin) = open_decoder(&track, &params, codec_name(&params))?;
        if self.live {
            (self.rate, self.channels) = (rate, channels);
            self.time_base =
                track.time_base.or_else(|| TimeBase::try_from_recip(rate)).unwrap_or(self.time_base);
            self.next_first = self.frame as i64 - lead_in(&kind);
            (self.tags, self.tags_are_new) = (read_tags(&mut *self.reader), true);
        }
        if (rate, channels) != (self.rate, self.channels) {
            return Err(Problem::Changes { at });
        }
        (self.kind, self.track) = (kind, track.id);
        // Its own frame 0 is the frame that comes next.
        self.origin = origin - self.frame as i64;
        // What the header said was the length of the first stream alone.
        self.length = None;
        Ok(())
    }

    /// Decodes one packet into `self.block`; what cannot be decoded is silence as long as the
    /// packet claims to be, so that what follows stays in its place.
    fn decode_packet(&mut self, packet: &Packet) -> Result<(), Problem> {
        let decoded = match &mut self.kind {
            Kind::Opus(decoder) => {
                let decoded = decoder.decode(&packet.data, &mut self.block);
                let padding = packet.trim_end.get() as usize * usize::from(self.channels);
                self.block.truncate(self.block.len().saturating_sub(padding));
                decoded
            }
            Kind::Symphonia { decoder, order } => match decoder.decode(packet) {
                Ok(buffer) => {
                    let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
                    if rate != self.rate || channels != usize::from(self.channels) {
                        if !self.live {
                            return Err(Problem::Changes { at: span(self.rate, self.frame) });
                        }
                        check_shape(Some(channels), Some(rate))?;
                        (self.rate, self.channels) = (rate, channels as u16);
                        *order = order::of(buffer.spec().channels());
                    }
                    self.block.resize(buffer.samples_interleaved(), f32::MID);
                    buffer.copy_to_slice_interleaved(&mut self.block);
                    order::apply(order, &mut self.block);
                    Ok(())
                }
                Err(e) => Err(plain(&e)),
            },
        };
        let Err(reason) = decoded else {
            self.skipped_in_a_row = 0;
            return Ok(());
        };
        self.skipped += 1;
        self.skipped_in_a_row += 1;
        if self.skipped_in_a_row > MAX_SKIPPED_IN_A_ROW {
            return Err(Problem::Damaged { at: self.at(), reason });
        }
        let frames = self.frames(packet.dur.get().min(1 << 20) as i64) as usize;
        self.block.clear();
        self.block.resize(frames * usize::from(self.channels), 0.0);
        Ok(())
    }

    /// The frame that `self.block` begins with, which may lie before frame 0.
    fn first_frame(&self, packet: &Packet) -> i64 {
        let stamp = self.frames(packet.pts.get()) - self.origin;
        match self.kind {
            // Symphonia's own decoders have cut off what the packet says is to be cut off.
            Kind::Symphonia { .. } => stamp.saturating_add(self.frames(packet.trim_start.get() as i64)),
            Kind::Opus(_) => stamp,
        }
    }

    /// Says where `self.block` belongs. After a jump its timestamp decides. Within a run the frames
    /// are counted, since timestamps may be coarse, and only a gap in them is believed: the demuxer
    /// has left out what it could not read, and silence takes its place.
    fn place(&mut self, packet: &Packet, out: &mut Vec<f32>) -> i64 {
        if self.live {
            let first = self.next_first;
            self.next_first += (self.block.len() / usize::from(self.channels)) as i64;
            return first;
        }
        let (stamped, now) = (self.first_frame(packet), self.frame as i64);
        let frames = (self.block.len() / usize::from(self.channels)) as i64;
        let rate = i64::from(self.rate);
        let gap = stamped.saturating_sub(now);
        // A millisecond is the coarsest unit in use; a minute is no gap but another programme.
        let least = if self.lost_count { 1 } else { rate / 50 };
        if (least..rate * 60).contains(&gap) && frames > 0 {
            self.skipped += 1;
            self.frame += gap as u64;
            out.resize(out.len() + gap as usize * usize::from(self.channels), 0.0);
            self.lost_count = false;
            return stamped;
        }
        let first = if self.lost_count { stamped } else { now };
        self.lost_count = self.lost_count && stamped.saturating_add(frames) <= now;
        first
    }

    /// Appends the part of `self.block` that is wanted.
    fn give(&mut self, first: i64, out: &mut Vec<f32>) {
        let channels = usize::from(self.channels);
        let frames = (self.block.len() / channels) as i64;
        let from = (self.frame as i64).saturating_sub(first).clamp(0, frames);
        let end = self.length.map_or(i64::MAX, |length| length.min(i64::MAX as u64) as i64);
        let to = end.saturating_sub(first).clamp(from, frames);
        for &sample in &self.block[from as usize * channels..to as usize * channels] {
            // Lossy decoders overshoot full scale by a few dB; beyond 12 dB it is damage.
            out.push(if sample.is_finite() { sample.clamp(-4.0, 4.0) } else { 0.0 });
        }
        self.frame += (to - from) as u64;
    }

    fn finish(&mut self) -> Result<bool, Problem> {
        self.ended = true;
        if self.frame == 0 {
            return Err(Problem::Silent);
        }
        match self.length {
            // An edit list may be a little longer than its track.
            Some(length) if self.length_is_exact && self.frame + u64::from(self.rate / 100) < length => {
                Err(Problem::Truncated { at: self.at(), of: span(self.rate, length) })
            }
            _ => Ok(false),
        }
    }
}

impl Decode for MediaDecoder {
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem> {
        if self.ended {
            return Ok(false);
        }
        let before = out.len();
        // A packet may hold nothing that is wanted: encoder delay, or what lies before a position.
        while out.len() == before {
            if self.length.is_some_and(|length| self.frame >= length && length > 0) {
                self.ended = true;
                return Ok(false);
            }
            let Some(packet) = self.next_packet()? else { return self.finish() };
            self.decode_packet(&packet)?;
            let first = self.place(&packet, out);
            self.give(first, out);
        }
        Ok(true)
    }

    fn seek(&mut self, frame: u64) -> Result<(), Problem> {
        if self.ended {
            // Some demuxers do not come back from the end.
            let input =
                self.input.as_ref().map_or_else(|| Err(io::ErrorKind::Unsupported.into()), |i| i.reader());
            self.reader = open_reader(input.map_err(Problem::Open)?)?;
            self.ended = false;
        }
        let pre_roll = match self.kind {
            Kind::Opus(_) => opus::PRE_ROLL,
            Kind::Symphonia { .. } => u64::from(self.rate) / PRE_ROLL_PARTS_OF_A_SECOND,
        };
        let from = (frame.min(i64::MAX as u64 / 2) as i64 + self.origin - pre_roll as i64).max(0);
        let (numer, denom) = (self.time_base.numer.get(), self.time_base.denom.get());
        let units = i128::from(from) * i128::from(denom) / (i128::from(numer) * i128::from(self.rate));
        let ts = Timestamp::new(units.clamp(0, i64::MAX.into()) as i64);
        let to = SeekTo::Timestamp { ts, track_id: self.track };
        if let Err(e) = self.reader.seek(SeekMode::Accurate, to) {
            return Err(Problem::Seek { to: span(self.rate, frame), reason: plain(&e) });
        }
        match &mut self.kind {
            Kind::Opus(decoder) => decoder.reset(),
            Kind::Symphonia { decoder, .. } => decoder.reset(),
        }
        self.frame = frame;
        self.lost_count = true;
        Ok(())
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

pub(super) fn open_reader(reader: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, Problem> {
    let stream = MediaSourceStream::new(reader, Default::default());
    let probe = symphonia::default::get_probe();
    let opened = probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default());
    opened.map_err(|e| match e {
        Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Problem::Incomplete,
        Error::IoError(error) => Problem::Read { at: Span::ZERO, error },
        e => Problem::Damaged { at: Span::ZERO, reason: plain(&e) },
    })
}

fn sound_track(reader: &dyn FormatReader) -> Result<Track, Problem> {
    let track = reader.default_track(TrackType::Audio).or_else(|| reader.first_track(TrackType::Audio));
    track.cloned().ok_or(Problem::Unsupported { what: "no sound track".into() })
}

fn audio_params(track: &Track) -> Result<AudioCodecParameters, Problem> {
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    params.cloned().ok_or(Problem::Unsupported { what: "a sound track of unknown kind".into() })
}

fn codec_name(params: &AudioCodecParameters) -> &'static str {
    if params.codec == CODEC_ID_OPUS {
        return "opus";
    }
    let known = symphonia::default::get_codecs().get_audio_decoder(params.codec);
    known.map_or("unknown", |decoder| decoder.codec.info.short_name)
}

/// The decoder, its rate and channels, and the timestamp of frame 0 in frames.
fn open_decoder(
    track: &Track,
    params: &AudioCodecParameters,
    codec: &str,
) -> Result<(Kind, u32, u16, i64), Problem> {
    // A recording of a broadcast may begin hours into its own time; delay lies before zero.
    let start = track.start_ts.get().max(0);
    if params.codec == CODEC_ID_OPUS {
        let head = opus::Head::parse(params.extra_data.as_deref().unwrap_or_default())?;
        let (channels, origin) = (head.channels, start + head.pre_skip as i64);
        return Ok((Kind::Opus(opus::Packets::new(head)?), 48_000, channels, origin));
    }
    let count = params.channels.as_ref().map(|channels| channels.count());
    check_shape(count, params.sample_rate)?;
    let hz = params.sample_rate.unwrap_or(0);
    if count.is_some_and(|n| n > 2) && [CODEC_ID_AAC, CODEC_ID_VORBIS].contains(&params.codec) {
        // symphonia 0.6.1 has no AAC of more than 2 channels, and undoes Vorbis's channel coupling
        // in the wrong order (Vorbis I section 4.3.5 counts down): channels leak into each other.
        return Err(Problem::Unsupported { what: format!("{codec} of more than 2 channels") });
    }
    let options = AudioDecoderOptions::default();
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &options)
        .map_err(|e| Problem::Unsupported { what: format!("{codec} audio ({})", plain(&e)) })?;
    let channels = decoder.codec_params().channels.clone().or(params.channels.clone());
    let channels = channels.ok_or(Problem::Channels { count: 0 })?;
    let order = order::of(&channels);
    Ok((Kind::Symphonia { decoder, order }, hz, channels.count() as u16, start))
}

/// Frames that a stream begins with and that only prepare its decoder.
fn lead_in(kind: &Kind) -> i64 {
    match kind {
        Kind::Opus(packets) => packets.pre_skip() as i64,
        // Symphonia's own decoders cut them off.
        Kind::Symphonia { .. } => 0,
    }
}

fn check_shape(channels: Option<usize>, rate: Option<u32>) -> Result<(), Problem> {
    if let Some(count) = channels
        && !(1..=usize::from(MAX_CHANNELS)).contains(&count)
    {
        return Err(Problem::Channels { count });
    }
    let hz = rate.unwrap_or(0);
    if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&hz) {
        return Err(Problem::Rate { hz });
    }
    Ok(())
}

/// A WAVE header with too many channels is no damage, which is what the demuxer would call it.
fn check_wave_shape(input: &dyn Store) -> Result<(), Problem> {
    let Some((channels, rate)) = wave_head(input).shape else { return Ok(()) };
    check_shape(Some(channels.into()), Some(rate))
}

fn read_tags(reader: &mut dyn FormatReader) -> Tags {
    let mut tags = Tags::default();
    let mut metadata = reader.metadata();
    let Some(revision) = metadata.skip_to_latest() else { return tags };
    let per_track = revision.per_track.iter().map(|track| &track.metadata);
    let containers = std::iter::once(&revision.media).chain(per_track).collect::<Vec<_>>();
    tags.pictured = containers.iter().any(|container| !container.visuals.is_empty());
    for tag in containers.iter().flat_map(|container| &container.tags) {
        let (place, value) = match &tag.std {
            Some(StandardTag::TrackTitle(value)) => (&mut tags.title, value.to_string()),
            Some(StandardTag::Artist(value)) => (&mut tags.artist, value.to_string()),
            Some(StandardTag::Album(value)) => (&mut tags.album, value.to_string()),
            Some(StandardTag::TrackNumber(number)) => {
                tags.number = tags.number.or(u32::try_from(*number).ok());
                continue;
            }
            _ if tag.raw.key.ends_with("iTunSMPB") => (&mut tags.smpb, tag.raw.value.to_string()),
            _ => continue,
        };
        place.get_or_insert(value);
    }
    tags
}

fn wave_head(input: &dyn Store) -> riff::Head {
    let mut bytes = Vec::new();
    // What cannot be read here cannot be decoded either, and is said there.
    let read = input.reader().and_then(|file| file.take(riff::PEEK).read_to_end(&mut bytes));
    if read.is_err() || !bytes.starts_with(b"RIFF") {
        return riff::Head::default();
    }
    riff::head(&bytes)
}

fn span(rate: u32, frames: u64) -> Span {
    let rate = SampleRate::new(rate).unwrap_or(SampleRate::MEDIA);
    rate.span_of(Frames(frames.min(i64::MAX as u64) as i64))
}

/// What symphonia says, without its own preface.
fn plain(error: &Error) -> String {
    let said = error.to_string();
    said.trim_start_matches("malformed stream: ").trim_start_matches("unsupported feature: ").to_string()
}
