//! A source as its user sees it: media frames, from any decoder.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use antiphon_base::{Frames, SampleRate, Span};

use super::detect::{PEEK, stranger};
use super::live::{LiveDecoder, Reopen};
use super::media::MediaDecoder;
use super::memory::MemoryDecoder;
use super::news::Board;
use super::pipe::Pipe;
use super::raw::RawDecoder;
use super::resample::Resample;
use super::{Decode, News, PcmFormat, Problem, SourceError, http};
use crate::capture::Capture;
use crate::playlist;

/// Where audio comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// A file of any known kind; a playlist that names addresses alone, of which the first that answers plays.
    Path(PathBuf),
    /// A radio station or a file on a web server, by its `http://` or `https://` address.
    Url(String),
    /// Raw samples on standard input.
    Stdin {
        /// What they are.
        format: PcmFormat,
    },
    /// Raw samples from a named pipe, which may change its writer: it never ends.
    Pipe {
        /// Where it is.
        path: PathBuf,
        /// What they are.
        format: PcmFormat,
    },
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// The file's path or address as it was given, or "standard input".
    pub name: String,
    /// Title by its tags, or a station's name.
    pub title: Option<String>,
    /// Artist by its tags.
    pub artist: Option<String>,
    /// Album by its tags.
    pub album: Option<String>,
    /// Its length in frames at the media rate, where its header says it.
    pub frames: Option<Frames>,
    /// Its own rate in hertz.
    pub rate: u32,
    /// Its channels, 1 to 8, in WAVE order.
    pub channels: u16,
    /// Short name of its container: "wave", "aiff", "flac", "mp3", "isomp4", "ogg", "raw", ...
    pub container: &'static str,
    /// Short name of its codec: "flac", "mp3", "aac", "vorbis", "opus", "pcm_s16le", ...
    pub codec: &'static str,
    /// Whether [`Source::seek`] can work: a pipe cannot be gone back in.
    pub seekable: bool,
}

impl SourceInfo {
    /// Its length in time, where its header says it.
    pub fn duration(&self) -> Option<Span> {
        self.frames.map(|frames| SampleRate::MEDIA.span_of(frames))
    }

    /// Why a pipe or a station stays where it is.
    pub(super) fn cannot_seek(&self, to: Span) -> SourceError {
        let reason = match self.container {
            "raw" | "device" => "what comes through a pipe or from a device cannot be sought in, play a file",
            // Of all else only a server's cannot.
            _ => "its server sends it once, from its beginning; a file can be saved and played from the disk",
        };
        let reason = reason.to_string();
        SourceError { name: self.name.clone(), problem: Problem::Seek { to, reason } }
    }

    /// Its title, or the file's name without folder and extension.
    pub fn title_or_name(&self) -> String {
        let is_file = self.container != "device";
        let stem = || Path::new(&self.name).file_stem().filter(|_| is_file);
        let stem = || stem().map(|stem| stem.to_string_lossy().into_owned());
        self.title.clone().or_else(stem).unwrap_or_else(|| self.name.clone())
    }
}

/// What was wrong with a source and has been got over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Blocks that could not be decoded; each is silence of its own length.
    pub skipped: u64,
}

/// Audio at the media rate, read in order.
pub struct Source {
    info: SourceInfo,
    decoder: Box<dyn Decode>,
    resample: Option<Resample>,
    block: Vec<f32>,
    /// What decoding `block` came to, where nothing was made of it yet.
    peeked: Option<Result<bool, Problem>>,
    ready: Vec<f32>,
    /// Samples of `ready` that have been read.
    taken: usize,
    position: Frames,
    ended: bool,
    /// Comes after everything before it has been read.
    failure: Option<Problem>,
    warned: bool,
    board: Option<Arc<Board>>,
    /// Something may follow without a gap: what the resampler holds at the end waits for it.
    open_ended: bool,
}

/// Opens a source and decodes its first block, so that what cannot be played is refused here.
///
/// # Errors
///
/// [`SourceError`] names the source and says what is wrong with it.
pub fn open(spec: &SourceSpec) -> Result<Source, SourceError> {
    match spec {
        SourceSpec::Path(path) => open_path(path),
        SourceSpec::Url(url) => http::open(url),
        SourceSpec::Stdin { format } => Ok(open_raw(Box::new(std::io::stdin()), *format, "standard input")),
        SourceSpec::Pipe { path, format } => open_pipe(path, *format),
    }
}

/// It does not end when a writer closes it: librespot and shairport-sync do so between two songs.
fn open_pipe(path: &Path, format: PcmFormat) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    match Pipe::open(path) {
        Ok(pipe) => {
            Ok(Source::new(raw_info(format, &name), Box::new(RawDecoder::lasting(Box::new(pipe), format))))
        }
        Err(error) => Err(SourceError { name, problem: Problem::Open(error) }),
    }
}

/// What a device hears, as it comes: `capture`, and after that went away what `reopen` gives.
pub fn open_device(name: &str, capture: Box<dyn Capture>, reopen: Reopen) -> Source {
    let info = SourceInfo {
        name: name.to_owned(),
        title: None,
        artist: None,
        album: None,
        frames: None,
        rate: SampleRate::MEDIA.hz(),
        channels: capture.format().channels,
        container: "device",
        codec: "pcm_f32le",
        seekable: false,
    };
    Source::new(info, Box::new(LiveDecoder::new(name, capture, reopen)))
}

/// Raw samples from any pipe, which `name` names in errors.
pub fn open_raw(input: Box<dyn Read + Send>, format: PcmFormat, name: &str) -> Source {
    Source::new(raw_info(format, name), Box::new(RawDecoder::new(input, format)))
}

fn raw_info(format: PcmFormat, name: &str) -> SourceInfo {
    SourceInfo {
        name: name.to_string(),
        title: None,
        artist: None,
        album: None,
        frames: None,
        rate: format.rate,
        channels: format.channels,
        container: "raw",
        codec: match format.sample {
            super::PcmSample::S16le => "pcm_s16le",
            super::PcmSample::S24le => "pcm_s24le",
            super::PcmSample::S32le => "pcm_s32le",
            super::PcmSample::F32le => "pcm_f32le",
        },
        seekable: false,
    }
}

/// `samples` at the media rate, `channels` of them interleaved, under the name `name`.
///
/// # Panics
/// When the channels are none or the last frame is broken: a fault of the caller.
pub fn open_samples(samples: Vec<f32>, channels: u16, name: &str) -> Source {
    assert!(channels > 0 && samples.len().is_multiple_of(channels.into()), "a whole number of frames");
    let info = SourceInfo {
        name: name.to_string(),
        title: None,
        artist: None,
        album: None,
        frames: Some(Frames((samples.len() / usize::from(channels)) as i64)),
        rate: SampleRate::MEDIA.hz(),
        channels,
        container: "memory",
        codec: "pcm_f32le",
        seekable: true,
    };
    Source::new(info, Box::new(MemoryDecoder::new(samples, channels)))
}

fn open_path(path: &Path) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    let open = || MediaDecoder::open(Box::new(path.to_path_buf()));
    let opened = match playlist::radio_list(path) {
        Some(list) => http::open_listed(&list, &name),
        None => refuse_strangers(path).and_then(|()| open_media(&name, open, true)),
    };
    opened.map_err(|problem| SourceError { name, problem })
}

/// What a decoder gives, its first block decoded.
pub(super) fn open_media(
    name: &str,
    open: impl FnOnce() -> Result<MediaDecoder, Problem>,
    seekable: bool,
) -> Result<Source, Problem> {
    let decoder = guarded(Span::ZERO, open)?;
    let to_media = |frames: u64| {
        (u128::from(frames) * u128::from(SampleRate::MEDIA.hz())).div_ceil(decoder.rate.into()) as i64
    };
    let info = SourceInfo {
        name: name.to_string(),
        title: decoder.tags.title.clone(),
        artist: decoder.tags.artist.clone(),
        album: decoder.tags.album.clone(),
        frames: decoder.length.map(|frames| Frames(to_media(frames))),
        rate: decoder.rate,
        channels: decoder.channels,
        container: decoder.container,
        codec: decoder.codec,
        seekable,
    };
    let mut source = Source::new(info, Box::new(decoder));
    match source.decode_block() {
        Err(problem) if source.block.is_empty() => Err(problem),
        more => {
            source.peeked = Some(more);
            Ok(source)
        }
    }
}

fn refuse_strangers(path: &Path) -> Result<(), Problem> {
    let file = File::open(path).map_err(Problem::Open)?;
    let kind = file.metadata().map_err(Problem::Open)?;
    if kind.is_dir() {
        return Err(Problem::Directory);
    }
    let mut head = Vec::new();
    file.take(PEEK as u64).read_to_end(&mut head).map_err(Problem::Open)?;
    if head.is_empty() {
        return Err(Problem::Empty);
    }
    stranger(&head).map_or(Ok(()), |looks| Err(Problem::NotAudio { looks }))
}

impl Source {
    fn new(info: SourceInfo, decoder: Box<dyn Decode>) -> Self {
        let resample =
            if info.rate == SampleRate::MEDIA.hz() { None } else { Resample::new(info.rate, info.channels) };
        Self {
            info,
            decoder,
            resample,
            block: Vec::new(),
            peeked: None,
            ready: Vec::new(),
            taken: 0,
            position: Frames(0),
            ended: false,
            failure: None,
            warned: false,
            board: None,
            open_ended: false,
        }
    }

    /// What gives the media rate already, whatever rate `info` says that its origin has, and has news.
    pub(super) fn at_media_rate(info: SourceInfo, decoder: Box<dyn Decode>, board: Arc<Board>) -> Self {
        Self { resample: None, board: Some(board), ..Self::new(info, decoder) }
    }

    /// What it has to tell about what was read last, each once.
    pub fn news(&mut self) -> Option<News> {
        self.board.as_ref()?.take(self.position)
    }

    pub(super) fn board(&self) -> Option<Arc<Board>> {
        self.board.clone()
    }

    /// What it is.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// The number of the frame that comes next.
    pub fn position(&self) -> Frames {
        self.position
    }

    /// What has been wrong with it so far.
    pub fn damage(&self) -> Damage {
        Damage { skipped: self.decoder.skipped() }
    }

    /// Appends up to `frames` frames, interleaved, to `out` and returns how many: fewer only where
    /// the source ends, 0 at its end and ever after.
    ///
    /// # Errors
    ///
    /// Comes once, after everything before the fault has been read; then the source is at its end.
    pub fn read(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<usize, SourceError> {
        let channels = usize::from(self.info.channels);
        while self.ready.len() - self.taken < frames * channels && !self.ended {
            self.fill();
        }
        let wanted = (frames * channels).min(self.ready.len() - self.taken);
        if wanted == 0
            && frames > 0
            && let Some(problem) = self.failure.take()
        {
            return Err(self.error(problem));
        }
        out.extend_from_slice(&self.ready[self.taken..self.taken + wanted]);
        self.taken += wanted;
        self.position += Frames((wanted / channels) as i64);
        Ok(wanted / channels)
    }

    /// Goes to the frame that is due at `to` and returns its number; behind the end is the end.
    ///
    /// # Errors
    ///
    /// [`Problem::Seek`]: a pipe then goes on as if nothing had been asked, a file is at its end.
    pub fn seek(&mut self, to: Span) -> Result<Frames, SourceError> {
        if !self.info.seekable {
            return Err(self.info.cannot_seek(to));
        }
        let last = self.info.frames.unwrap_or(Frames(i64::MAX));
        let target = SampleRate::MEDIA.frames_in(to).clamp(Frames(0), last);
        let frame = match &mut self.resample {
            None => target.0 as u64,
            Some(resample) => resample.seek(target.0 as u64),
        };
        let decoder = &mut self.decoder;
        let sought = guarded(to, || decoder.seek(frame));
        self.ready.clear();
        self.taken = 0;
        self.peeked = None;
        self.failure = None;
        self.ended = sought.is_err();
        sought.map_err(|problem| self.error(problem))?;
        self.position = target;
        Ok(target)
    }

    /// Makes some more frames ready, or ends.
    fn fill(&mut self) {
        self.ready.drain(..self.taken);
        self.taken = 0;
        let more = match self.peeked.take() {
            Some(more) => more,
            None => self.decode_block(),
        };
        match &mut self.resample {
            None => self.ready.append(&mut self.block),
            Some(resample) => resample.push(&self.block, &mut self.ready),
        }
        self.warn_once();
        if let Ok(true) = more {
            return;
        }
        self.ended = true;
        self.failure = more.err();
        if !self.open_ended {
            self.finish();
        }
    }

    /// Decodes the next block into `self.block`.
    fn decode_block(&mut self) -> Result<bool, Problem> {
        self.block.clear();
        let at = SampleRate::MEDIA.span_of(self.position);
        let (decoder, block) = (&mut self.decoder, &mut self.block);
        guarded(at, || decoder.decode(block))
    }

    fn warn_once(&mut self) {
        if !self.warned && self.decoder.skipped() > 0 {
            self.warned = true;
            let (name, at) = (&self.info.name, SampleRate::MEDIA.span_of(self.position).as_s_f64());
            tracing::warn!(
                "{name} is damaged near {at:.1} s: what cannot be decoded is silence; get another copy"
            );
        }
    }

    fn error(&self, problem: Problem) -> SourceError {
        SourceError { name: self.info.name.clone(), problem }
    }
}

/// Sources that follow each other without a gap.
impl Source {
    /// Has the end wait for [`follow_with`](Self::follow_with) or [`finish`](Self::finish).
    pub(super) fn leave_open(&mut self) {
        self.open_ended = true;
    }

    /// Nothing follows: makes ready what the resampler still holds.
    pub(super) fn finish(&mut self) {
        self.open_ended = false;
        if let Some(resample) = &mut self.resample {
            resample.finish(&mut self.ready);
        }
    }

    /// Whether `next` can go on in this one's resampler, or both need none.
    pub(super) fn is_like(&self, next: &Self) -> bool {
        (self.info.rate, self.info.channels) == (next.info.rate, next.info.channels)
    }

    /// The frame behind the last one that was decoded, in this source's count.
    pub(super) fn decoded_end(&self) -> Frames {
        match &self.resample {
            Some(resample) => Frames(resample.end() as i64),
            None => {
                let waiting = (self.ready.len() - self.taken) / usize::from(self.info.channels);
                self.position + Frames(waiting as i64)
            }
        }
    }

    /// Goes on with `next`, which nothing was read of, as if both were one file: frames are counted on.
    pub(super) fn follow_with(&mut self, next: Self) {
        debug_assert!(self.is_like(&next), "only like sources are one");
        (self.info, self.decoder) = (next.info, next.decoder);
        (self.block, self.peeked) = (next.block, next.peeked);
        (self.ended, self.failure, self.warned) = (false, None, false);
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("info", &self.info)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Runs a decoder that was not written here. Decoders of old formats panic on files that somebody
/// took pains with; a player must say so and live. What panicked is not used again but to be
/// dropped, or moved to another place and reset.
pub(super) fn guarded<T>(at: Span, work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Problem::Decoder { at, said: said.unwrap_or_else(|| "no reason given".into()) })
    })
}
