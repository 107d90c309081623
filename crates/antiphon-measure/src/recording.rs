//! Recordings of virtual sinks, read from disk with their true time.
//!
//! The only place of this crate that touches files. `PATH` is a WAV file (32-bit float as virtual
//! sinks write it; 16 to 32-bit integers are read too), `PATH.timeline.json` says when its frames
//! sounded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use antiphon_base::{Frames, SampleRate, Timestamp, True};

use crate::interpolate;
use crate::timeline::{TimelineError, TrueTimeline};

/// Timeline files above this are refused: as many segments as [`TrueTimeline`] takes need less.
const MAX_TIMELINE_BYTES: u64 = 256 << 20;

/// Interleaved samples of one WAV file.
#[derive(Debug, Clone, PartialEq)]
pub struct Wav {
    /// Frames per second, nominal.
    pub rate: SampleRate,
    /// Channels, at least 1.
    pub channels: usize,
    /// Interleaved, full scale +-1.0.
    pub samples: Vec<f32>,
}

/// One channel of what a speaker's DAC converted, with the true time of its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Frames per second, nominal.
    pub rate: SampleRate,
    /// One channel, full scale +-1.0.
    pub samples: Vec<f32>,
    /// When each of them sounded.
    pub timeline: TrueTimeline,
}

/// Why a recording could not be read or written; the file named is at fault.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The WAV file could not be opened, or breaks off inside its header.
    #[error("cannot read the recording {path}: {source}; is it a WAV file that was closed or flushed?")]
    Wav {
        /// The file.
        path: PathBuf,
        /// What hound says.
        source: hound::Error,
    },
    /// The WAV file says something that is not usable.
    #[error("the recording {path} {what}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would help.
        what: &'static str,
    },
    /// The timeline file could not be read.
    #[error("cannot read the timeline {path}: {source}; the virtual sink writes it beside its recording")]
    TimelineFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The timeline file is not a timeline.
    #[error("{path}: {source}")]
    Timeline {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TimelineError,
    },
    /// A WAV file could not be written.
    #[error("cannot write {path}: {source}; is the directory there and writable?")]
    Write {
        /// The file.
        path: PathBuf,
        /// What hound says.
        source: hound::Error,
    },
}

impl Recording {
    /// Reads `path` (its channel `channel`, counted from 0) and `path` + `.timeline.json`.
    pub fn read(path: &Path, channel: usize) -> Result<Self, RecordingError> {
        let wav = read_wav(path)?;
        if channel >= wav.channels {
            return Err(RecordingError::Unusable {
                path: path.into(),
                what: "has fewer channels than the one asked for",
            });
        }
        let timeline = read_timeline(&timeline_path(path))?;
        Ok(Self { rate: wav.rate, samples: wav.channel(channel), timeline })
    }

    /// What a perfect speaker would have recorded: `frames` frames of a sound card with `timeline`, of
    /// a 48 kHz `source` whose frame 0 sounds at `origin` and of which `source_ns(t)` nanoseconds have
    /// been played `t` nanoseconds later. For tests of what measures recordings.
    pub fn ideal(
        source: &[f32],
        frames: usize,
        timeline: TrueTimeline,
        origin: Timestamp<True>,
        source_ns: impl Fn(f64) -> f64,
    ) -> Self {
        let hz = f64::from(SampleRate::MEDIA.hz());
        let position = |n: usize| source_ns(timeline.ns_at(n as f64, origin)) * hz / 1e9;
        let samples = interpolate::resampled(source, frames, position);
        Self { rate: SampleRate::MEDIA, samples, timeline }
    }

    /// What of it sounded from `from` until `to`, with its true time.
    pub fn part(&self, from: Timestamp<True>, to: Timestamp<True>) -> Self {
        let frame = |at: Timestamp<True>| {
            let frame = self.timeline.frame_at(0.0, at).ceil();
            frame.clamp(0.0, self.samples.len() as f64) as usize
        };
        let (first, end) = (frame(from), frame(to));
        let samples = self.samples[first..end.max(first)].to_vec();
        Self { rate: self.rate, samples, timeline: self.timeline.from_frame(Frames(first as i64)) }
    }

    /// The same sound at the media rate: what has that nominal rate already is returned as it is;
    /// anything else is interpolated on its own true time axis.
    pub fn at_media_rate(self) -> Self {
        if self.rate == SampleRate::MEDIA {
            return self;
        }
        let origin = self.timeline.start();
        let end_ns = self.timeline.ns_at(self.samples.len() as f64, origin);
        let hz = f64::from(SampleRate::MEDIA.hz());
        let frames = (end_ns / 1e9 * hz).max(0.0) as usize;
        let position = |frame: usize| self.timeline.frame_at(frame as f64 * 1e9 / hz, origin);
        let samples = interpolate::resampled(&self.samples, frames, position);
        let timeline = TrueTimeline::constant(origin, hz).expect("the media rate is a sound card's");
        Self { rate: SampleRate::MEDIA, samples, timeline }
    }
}

impl Wav {
    /// One channel, counted from 0; silence where there is none.
    pub fn channel(&self, channel: usize) -> Vec<f32> {
        self.samples.chunks_exact(self.channels).map(|f| f.get(channel).copied().unwrap_or(0.0)).collect()
    }
}

/// The file in which a virtual sink writes the true time of the frames in `recording`.
pub fn timeline_path(recording: &Path) -> PathBuf {
    let mut name: OsString = recording.as_os_str().to_owned();
    name.push(".timeline.json");
    name.into()
}

/// Reads a whole WAV file: 32-bit float, or 8 to 32-bit integers. Samples that are not numbers
/// become silence. A file that was cut off is read as far as it goes.
pub fn read_wav(path: &Path) -> Result<Wav, RecordingError> {
    let fail = |source| RecordingError::Wav { path: path.into(), source };
    let unusable = |what| RecordingError::Unusable { path: path.into(), what };
    let reader = hound::WavReader::open(path).map_err(fail)?;
    let spec = reader.spec();
    let rate = SampleRate::new(spec.sample_rate).ok_or(unusable("has a rate that no sound card has"))?;
    if spec.channels == 0 {
        return Err(unusable("has no channels"));
    }
    let mut samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().map_while(Result::ok).collect(),
        hound::SampleFormat::Int => {
            let scale = (2f64.powi(1 - i32::from(spec.bits_per_sample))) as f32;
            reader.into_samples::<i32>().map_while(Result::ok).map(|s| s as f32 * scale).collect()
        }
    };
    for sample in &mut samples {
        if !sample.is_finite() {
            *sample = 0.0;
        }
    }
    Ok(Wav { rate, channels: spec.channels.into(), samples })
}

/// Writes interleaved `samples` as a 32-bit float WAV file, in place of any file of that name.
pub fn write_wav(path: &Path, wav: &Wav) -> Result<(), RecordingError> {
    let fail = |source| RecordingError::Write { path: path.into(), source };
    let spec = hound::WavSpec {
        channels: wav.channels as u16,
        sample_rate: wav.rate.hz(),
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).map_err(fail)?;
    wav.samples.iter().try_for_each(|&s| writer.write_sample(s)).map_err(fail)?;
    writer.finalize().map_err(fail)
}

fn read_timeline(path: &Path) -> Result<TrueTimeline, RecordingError> {
    let fail = |source| RecordingError::TimelineFile { path: path.into(), source };
    if std::fs::metadata(path).map_err(fail)?.len() > MAX_TIMELINE_BYTES {
        return Err(RecordingError::Timeline { path: path.into(), source: TimelineError::TooLong });
    }
    let text = std::fs::read_to_string(path).map_err(fail)?;
    TrueTimeline::parse(&text).map_err(|source| RecordingError::Timeline { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Segment;

    #[test]
    fn a_recording_comes_back_with_the_channel_asked_for_and_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left.wav");
        let samples = vec![0.1, -0.1, 0.2, f32::NAN];
        write_wav(&path, &Wav { rate: SampleRate::MEDIA, channels: 2, samples }).unwrap();
        let timeline = TrueTimeline::constant(Timestamp::from_ns(77), 48_001.0).unwrap();
        std::fs::write(timeline_path(&path), timeline.to_text()).unwrap();
        let right = Recording::read(&path, 1).unwrap();
        assert_eq!(right.samples, vec![-0.1, 0.0]);
        assert_eq!(right.timeline, timeline);
        assert!(matches!(Recording::read(&path, 2), Err(RecordingError::Unusable { .. })));
    }

    #[test]
    fn a_part_of_a_recording_sounded_when_it_did_in_the_whole() {
        let segment = |frame, at_ms: i64, rate_hz| Segment {
            frame: Frames(frame),
            at: Timestamp::from_ns(at_ms * 1_000_000),
            rate_hz,
        };
        let segments = vec![segment(0, 1_000, 48_000.0), segment(24_000, 1_500, 47_000.0)];
        let timeline = TrueTimeline::new(segments).unwrap();
        let samples = (0..48_000).map(|n| n as f32).collect();
        let whole = Recording { rate: SampleRate::MEDIA, samples, timeline };
        for (from_ms, to_ms) in [(0, 9_000), (1_250, 1_400), (1_250, 1_700), (1_600, 1_900)] {
            let [from, to] = [from_ms, to_ms].map(|ms: i64| Timestamp::from_ns(ms * 1_000_000));
            let part = whole.part(from, to);
            for n in [0, part.samples.len() - 1] {
                let at = part.timeline.ns_at(n as f64, from);
                let wanted = whole.timeline.ns_at(f64::from(part.samples[n]), from);
                assert!((at - wanted).abs() < 2.0, "{from_ms}: frame {n} at {at}, not {wanted}");
            }
        }
        assert_eq!(whole.part(Timestamp::from_ns(0), Timestamp::from_ns(5)).samples.len(), 0);
    }

    #[test]
    fn a_recording_without_its_timeline_says_which_file_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left.wav");
        write_wav(&path, &Wav { rate: SampleRate::MEDIA, channels: 1, samples: vec![0.0] }).unwrap();
        let said = Recording::read(&path, 0).unwrap_err().to_string();
        assert!(said.contains("left.wav.timeline.json"), "{said}");
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_as_far_as_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut.wav");
        write_wav(&path, &Wav { rate: SampleRate::MEDIA, channels: 1, samples: vec![0.5; 1_000] }).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 400]).unwrap();
        assert_eq!(read_wav(&path).unwrap().samples.len(), 900);
    }
}
