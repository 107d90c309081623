//! The recorder behind a card: WAV and timeline files, written on a thread of their own.
//!
//! The card's thread only moves samples into a bounded ring. Both files are valid at all times, up
//! to a second ago, so that what a killed process has played can be judged.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_base::{Frames, Span};
use rtrb::{Consumer, Producer, RingBuffer};

use super::card::Tape;
use super::clock::DacPoint;
use super::{Running, SinkError};
use crate::uri::CardParams;

/// How long the disk may stall before a recording breaks. Two seconds of samples wait in memory.
const RING_S: usize = 2;

/// Runs of samples, silences and clock points that may wait: 2 s of the shortest periods.
const ENTRIES: usize = 16_384;

/// The writer looks this often: rarely, as waking costs more than writing.
const LOOK: Duration = Duration::from_millis(100);

/// Headers are patched every so many looks: once a second.
const LOOKS_A_PATCH: u32 = 10;

/// A WAV file's sizes are 32 bits: it ends a little before.
const MAX_WAV_BYTES: u64 = u32::MAX as u64 - 65_536;

#[derive(Clone, Copy)]
enum Entry {
    Samples(usize),
    Silence(Frames),
    Point(DacPoint),
}

/// The card's side: a tape that never blocks.
pub(crate) struct RecorderTape {
    samples: Producer<f32>,
    entries: Producer<Entry>,
    errors: Consumer<String>,
    /// From a frame's conversion to its sound, which the timeline tells.
    hidden: Span,
    /// Something did not fit into the rings.
    overrun: bool,
    /// The end of the recording was told.
    ended: bool,
}

impl RecorderTape {
    /// Why the recording ended, once, if it did.
    pub fn failure(&mut self) -> Option<String> {
        let told = self.errors.pop().ok();
        if self.ended || (told.is_none() && !self.overrun) {
            return None;
        }
        (self.ended, self.overrun) = (true, true);
        // The one allocation on the card's thread, after which there is nothing left to disturb.
        told.or_else(|| Some(format!("the disk did not take the recording for {RING_S} s; it ends there")))
    }

    /// After one thing was lost, all later ones would be at a wrong place: the recording ends.
    fn record(&mut self, entry: Entry) {
        self.overrun = self.overrun || self.entries.push(entry).is_err();
    }
}

impl Tape for RecorderTape {
    fn samples(&mut self, interleaved: &[f32]) {
        self.overrun = self.overrun || self.samples.push_entire_slice(interleaved).is_err();
        self.record(Entry::Samples(interleaved.len()));
    }

    fn silence(&mut self, frames: Frames) {
        self.record(Entry::Silence(frames));
    }

    fn point(&mut self, point: DacPoint) {
        self.record(Entry::Point(DacPoint { at: point.at + self.hidden, ..point }));
    }
}

/// Makes the files and starts the writer, which ends when the tape is dropped.
pub(crate) fn record(
    path: &Path,
    params: &CardParams,
    with_timeline: bool,
    running: &mut Running,
) -> Result<RecorderTape, SinkError> {
    let files = Files::create(path, params, with_timeline)?;
    let (samples, samples_out) =
        RingBuffer::new(params.rate.hz() as usize * usize::from(params.channels) * RING_S);
    let (entries, entries_out) = RingBuffer::new(ENTRIES);
    let (errors_in, errors) = RingBuffer::new(1);
    let writer = Writer {
        files,
        samples: samples_out,
        entries: entries_out,
        errors: errors_in,
        channels: params.channels,
    };
    running.adopt(spawn(writer)?);
    Ok(RecorderTape { samples, entries, errors, hidden: params.hidden, overrun: false, ended: false })
}

/// Where the timeline of the recording `path` is: beside it.
pub(crate) fn timeline_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".timeline.json");
    name.into()
}

struct Writer {
    files: Files,
    samples: Consumer<f32>,
    entries: Consumer<Entry>,
    errors: Producer<String>,
    channels: u16,
}

fn spawn(mut writer: Writer) -> Result<JoinHandle<()>, SinkError> {
    let work = move || {
        if let Err(error) = writer.run() {
            let message =
                format!("cannot write {}: {error}; the recording ends there", writer.files.path.display());
            tracing::error!("{message}");
            // Full only if it was told already.
            let _ = writer.errors.push(message);
        }
    };
    std::thread::Builder::new().name("recorder".to_owned()).spawn(work).map_err(SinkError::Thread)
}

impl Writer {
    /// Writes until the tape is gone and all it held is in the files.
    fn run(&mut self) -> io::Result<()> {
        for look in 1.. {
            let last = self.entries.is_abandoned();
            while let Ok(entry) = self.entries.pop() {
                self.write(entry)?;
            }
            if last {
                break;
            }
            if look % LOOKS_A_PATCH == 0 {
                self.files.patch()?;
            }
            std::thread::sleep(LOOK);
        }
        self.files.patch()
    }

    fn write(&mut self, entry: Entry) -> io::Result<()> {
        match entry {
            Entry::Samples(count) => {
                let missing = |_| io::Error::other("samples are missing");
                let chunk = self.samples.read_chunk(count).map_err(missing)?;
                chunk.into_iter().try_for_each(|sample| self.files.sample(sample))
            }
            Entry::Silence(frames) => {
                (0..frames.0 * i64::from(self.channels)).try_for_each(|_| self.files.sample(0.0))
            }
            Entry::Point(point) => self.files.point(point),
        }
    }
}

struct Files {
    path: PathBuf,
    wav: hound::WavWriter<BufWriter<File>>,
    bytes: u64,
    timeline: Option<TimelineFile>,
}

impl Files {
    fn create(path: &Path, params: &CardParams, with_timeline: bool) -> Result<Self, SinkError> {
        let spec = hound::WavSpec {
            channels: params.channels,
            sample_rate: params.rate.hz(),
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SinkError::File { path, source }
        };
        let file = File::create(path).map_err(failed(path))?;
        let wav = hound::WavWriter::new(BufWriter::new(file), spec);
        let timeline = match with_timeline {
            true => Some(timeline_path(path))
                .map(|path| TimelineFile::create(&path).map_err(failed(&path)))
                .transpose()?,
            false => None,
        };
        Ok(Self { path: path.to_owned(), wav: wav.map_err(plain).map_err(failed(path))?, bytes: 0, timeline })
    }

    fn sample(&mut self, sample: f32) -> io::Result<()> {
        self.bytes += 4;
        if self.bytes > MAX_WAV_BYTES {
            return Err(io::Error::other("a WAV file can hold no more than 4 GB"));
        }
        self.wav.write_sample(sample).map_err(plain)
    }

    fn point(&mut self, point: DacPoint) -> io::Result<()> {
        self.timeline.as_mut().map_or(Ok(()), |timeline| timeline.point(point))
    }

    fn patch(&mut self) -> io::Result<()> {
        self.wav.flush().map_err(plain)
    }
}

fn plain(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

/// `[{"frame":0,"host_ns":1,"rate_hz":48000.1},...]`: from `frame`, heard at CLOCK_MONOTONIC_RAW
/// `host_ns`, on, the converter's true rate is `rate_hz`. Closed after every entry.
struct TimelineFile {
    file: File,
    end: u64,
    last: Option<DacPoint>,
}

impl TimelineFile {
    fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        file.write_all_at(b"[]\n", 0)?;
        Ok(Self { file, end: 1, last: None })
    }

    /// A point's rate is known when the next point comes.
    fn point(&mut self, point: DacPoint) -> io::Result<()> {
        let Some(last) = self.last.replace(point) else { return Ok(()) };
        let rate_hz = (point.frame - last.frame).0 as f64 * 1e9 / (point.at - last.at).as_ns() as f64;
        let comma = if self.end > 1 { "," } else { "" };
        let entry = format!(
            "{comma}\n{{\"frame\":{},\"host_ns\":{},\"rate_hz\":{rate_hz}}}",
            last.frame.0,
            last.at.as_ns()
        );
        self.file.write_all_at(format!("{entry}\n]\n").as_bytes(), self.end)?;
        self.end += entry.len() as u64;
        Ok(())
    }
}
