//! What a virtual speaker converts, read from its recording while that grows.
//!
//! The recording says what sounded and its timeline says when, on the machine's own clock. Both
//! files are behind by up to some tenths of a second; whoever asks for more than they hold is told
//! so, and asks again.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use antiphon_base::{SampleRate, Timestamp, True};
use antiphon_measure::recording::timeline_path;
use antiphon_measure::timeline::{Segment, TrueTimeline};
use antiphon_sim::room::between::{Between, HALF};

/// Pieces of the timeline in memory: a minute of those that virtual speakers write, four a second.
const KEPT: usize = 240;

/// Bytes of a timeline that are read at a time; the rest is read next time.
const TIMELINE_READ: usize = 256 * 1024;

/// A header with everything before the samples is shorter than this.
const HEADER: usize = 512;

/// Wider recordings are none of a speaker's.
const MAX_CHANNELS: u16 = 64;

/// A recording that may still grow, or not be there yet.
pub struct Follower {
    path: PathBuf,
    open: Option<Open>,
    bytes: Vec<u8>,
    frames: Vec<f32>,
}

/// Whether what was asked for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// All of it, silence before the first frame included.
    All,
    /// The recording does not reach that far, or is not there; what is missing is silence.
    Part,
}

struct Open {
    recording: File,
    timeline_file: File,
    layout: Layout,
    timeline: Option<TrueTimeline>,
    /// Bytes of the timeline that are known.
    timeline_read: u64,
    inode: u64,
    /// Bytes of the recording when it was last looked at.
    length: u64,
}

/// Where a WAV file has its samples: 32-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    channels: u16,
    first: u64,
}

impl Layout {
    fn frame_bytes(self) -> u64 {
        4 * u64::from(self.channels)
    }
}

impl Follower {
    /// Follows the recording at `path`, from whenever it is there.
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None, bytes: Vec::new(), frames: Vec::new() }
    }

    /// What sounds at `out.len()` instants, the n-th of which is `ns(n)` nanoseconds after `origin`.
    ///
    /// # Errors
    /// The file is no recording of a virtual speaker at 48 kHz.
    pub fn read(
        &mut self,
        origin: Timestamp<True>,
        ns: impl Fn(usize) -> f64,
        between: &Between,
        out: &mut [f32],
    ) -> Result<Read, String> {
        out.fill(0.0);
        self.look().map_err(|error| format!("{}: {error}", self.path.display()))?;
        let (Some(open), Some(last)) = (&self.open, out.len().checked_sub(1)) else { return Ok(Read::Part) };
        let Some(timeline) = &open.timeline else { return Ok(Read::Part) };
        let (from, to) = (timeline.frame_at(ns(0), origin), timeline.frame_at(ns(last), origin));
        let (first, end) = (from.floor() as i64 + 1 - HALF as i64, to.floor() as i64 + 2 + HALF as i64);
        let held = ((open.length - open.layout.first) / open.layout.frame_bytes()) as i64;
        // The last piece may be followed by another one that is not written yet.
        let known = timeline.segments().last().is_some_and(|piece| piece.at >= after(origin, ns(last)));
        self.frames.clear();
        self.frames.resize((end - first).max(0) as usize, 0.0);
        let (begin, limit) = (first.clamp(0, held), end.clamp(0, held));
        if begin < limit {
            let part = &mut self.frames[(begin - first) as usize..(limit - first) as usize];
            open.samples(begin as u64, part, &mut self.bytes)
                .map_err(|error| format!("{}: {error}", self.path.display()))?;
        }
        for (n, out) in out.iter_mut().enumerate() {
            let at = timeline.frame_at(ns(n), origin);
            if at > -(HALF as f64) && at < held as f64 + HALF as f64 {
                *out = between.at(&self.frames, at - first as f64);
            }
        }
        Ok(if (known && end <= held) || end <= 0 { Read::All } else { Read::Part })
    }

    /// Opens what has appeared, starts anew with what was replaced, and sees what has grown.
    fn look(&mut self) -> io::Result<()> {
        let Ok(now) = std::fs::metadata(&self.path) else {
            // Renamed or deleted: what is open goes on as long as it grows.
            return Ok(());
        };
        if self.open.as_ref().is_some_and(|open| open.inode != now.ino() || now.len() < open.length) {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = self.try_open(now.ino())?;
        }
        match &mut self.open {
            Some(open) => open.grow(),
            None => Ok(()),
        }
    }

    fn try_open(&self, inode: u64) -> io::Result<Option<Open>> {
        let recording = File::open(&self.path)?;
        let mut header = [0; HEADER];
        let length = recording.read_at(&mut header, 0)?;
        let Some(layout) = layout(&header[..length])? else { return Ok(None) };
        let Ok(timeline_file) = File::open(timeline_path(&self.path)) else { return Ok(None) };
        let length = layout.first;
        Ok(Some(Open { recording, timeline_file, layout, timeline: None, timeline_read: 0, inode, length }))
    }
}

fn after(origin: Timestamp<True>, ns: f64) -> Timestamp<True> {
    Timestamp::from_ns(origin.as_ns().saturating_add(ns as i64))
}

impl Open {
    fn grow(&mut self) -> io::Result<()> {
        self.length = self.recording.metadata()?.len().max(self.layout.first);
        let mut text = vec![0; TIMELINE_READ];
        let read = self.timeline_file.read_at(&mut text, self.timeline_read)?;
        // Behind the last whole piece stands the end of the list, which the next piece overwrites.
        let Some(end) = text[..read].iter().rposition(|byte| *byte == b'}') else { return Ok(()) };
        let pieces = String::from_utf8_lossy(&text[..=end]);
        let pieces = pieces.trim_start_matches(['[', ',', '\n', ' ']);
        let news = TrueTimeline::parse(&format!("[{pieces}]")).map_err(io::Error::other)?;
        self.timeline_read += end as u64 + 1;
        let mut all: Vec<Segment> =
            self.timeline.as_ref().map_or(Vec::new(), |known| known.segments().to_vec());
        all.extend_from_slice(news.segments());
        all.drain(..all.len().saturating_sub(KEPT));
        self.timeline = Some(TrueTimeline::new(all).map_err(io::Error::other)?);
        Ok(())
    }

    /// The mean of all channels, from frame `first` on.
    fn samples(&self, first: u64, out: &mut [f32], bytes: &mut Vec<u8>) -> io::Result<()> {
        let frame_bytes = self.layout.frame_bytes();
        bytes.resize(out.len() * frame_bytes as usize, 0);
        self.recording.read_exact_at(bytes, self.layout.first + first * frame_bytes)?;
        let channels = f32::from(self.layout.channels);
        for (out, frame) in out.iter_mut().zip(bytes.chunks_exact(frame_bytes as usize)) {
            let sample = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let sum: f32 = frame.chunks_exact(4).map(sample).sum();
            *out = if sum.is_finite() { sum / channels } else { 0.0 };
        }
        Ok(())
    }
}

/// Reads a WAV header (RIFF, `fmt `, `data`); `None` while it is not written in full.
fn layout(header: &[u8]) -> io::Result<Option<Layout>> {
    let u16_at = |at: usize| header.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let u32_at = |at: usize| header.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let strange = || io::Error::other("is no recording of a virtual: speaker at 48 kHz");
    if header.len() < 12 {
        return Ok(None);
    }
    if &header[..4] != b"RIFF" || &header[8..12] != b"WAVE" {
        return Err(strange());
    }
    let (mut at, mut channels) = (12, None);
    while let (Some(name), Some(size)) = (header.get(at..at + 4), u32_at(at + 4)) {
        match name {
            b"data" => {
                let channels = channels.ok_or_else(strange)?;
                return Ok(Some(Layout { channels, first: at as u64 + 8 }));
            }
            b"fmt " => {
                let (Some(count), Some(rate), Some(bits)) =
                    (u16_at(at + 10), u32_at(at + 12), u16_at(at + 22))
                else {
                    return Ok(None);
                };
                if rate != SampleRate::MEDIA.hz() || bits != 32 || !(1..=MAX_CHANNELS).contains(&count) {
                    return Err(strange());
                }
                channels = Some(count);
            }
            _ => {}
        }
        at += 8 + (size as usize).min(HEADER);
    }
    if header.len() < HEADER { Ok(None) } else { Err(strange()) }
}
