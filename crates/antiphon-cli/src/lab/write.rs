//! Tracks as files: WAV and FLAC, 16 or 24 bit.

use std::fmt::Display;
use std::path::Path;

use antiphon_base::SampleRate;
use flac_codec::encode::{FlacSampleWriter, Options};

use crate::exit::{Exit, Failure};

/// Samples given to the FLAC encoder at a time.
const RUN: usize = 1 << 16;

/// Writes `samples`, `channels` of them interleaved, at the media rate. What the file is called says
/// what it is.
///
/// # Errors
/// A name that is neither `.wav` nor `.flac`; a place that cannot be written.
pub fn write(path: &Path, samples: &[f32], channels: u16, bits: u16) -> Result<(), Failure> {
    let kind = path.extension().map(|kind| kind.to_string_lossy().to_ascii_lowercase());
    let whole = || quantised(samples, bits);
    match kind.as_deref() {
        Some("wav" | "wave") => write_wav(path, &whole(), channels, bits),
        Some("flac") => write_flac(path, &whole(), channels, bits),
        _ => {
            let message = format!(
                "{}: tracks are written as WAV or FLAC; call it NAME.wav or NAME.flac",
                path.display()
            );
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

/// The same as the bytes of a WAV file.
pub fn wav(samples: &[f32], channels: u16, bits: u16) -> Vec<u8> {
    wav_of(&quantised(samples, bits), channels, bits)
}

fn write_wav(path: &Path, samples: &[i32], channels: u16, bits: u16) -> Result<(), Failure> {
    std::fs::write(path, wav_of(samples, channels, bits)).map_err(|error| cannot_write(path, &error))
}

/// Plain PCM, in the header that every player has known since 1991; hound's for 24 bits is the later,
/// extensible one, which some phones refuse.
fn wav_of(samples: &[i32], channels: u16, bits: u16) -> Vec<u8> {
    let width = usize::from(bits / 8);
    let (rate, data) = (SampleRate::MEDIA.hz(), (samples.len() * width) as u32);
    let frame = channels * (bits / 8);
    let mut file = Vec::with_capacity(44 + data as usize);
    file.extend(b"RIFF");
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // Format 1 is PCM.
    [1, channels].iter().for_each(|n: &u16| file.extend(n.to_le_bytes()));
    [rate, rate * u32::from(frame)].iter().for_each(|n| file.extend(n.to_le_bytes()));
    [frame, bits].iter().for_each(|n| file.extend(n.to_le_bytes()));
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    samples.iter().for_each(|sample| file.extend(&sample.to_le_bytes()[..width]));
    file
}

fn write_flac(path: &Path, samples: &[i32], channels: u16, bits: u16) -> Result<(), Failure> {
    let failed = |error: flac_codec::Error| cannot_write(path, &error);
    let (rate, bits, channels) = (SampleRate::MEDIA.hz(), u32::from(bits), channels as u8);
    let options = Options::default().overwrite();
    let total = Some(samples.len() as u64);
    let mut file = FlacSampleWriter::create(path, options, rate, bits, channels, total).map_err(failed)?;
    samples.chunks(RUN).try_for_each(|run| file.write(run)).map_err(failed)?;
    file.finalize().map_err(failed)
}

fn cannot_write(path: &Path, error: &dyn Display) -> Failure {
    Failure::failed(format!("cannot write {}: {error}; is its directory there and writable?", path.display()))
}

/// Whole numbers of `bits`. Sixteen bits are dithered by one step, triangular and the same every
/// time: a fade from -60 dB would be distorted without it.
fn quantised(samples: &[f32], bits: u16) -> Vec<i32> {
    let scale = f64::from(1u32 << (bits - 1));
    let mut dither = Dither(0x2545_f491);
    let whole = |&sample: &f32| {
        let noise = if bits <= 16 && sample != 0.0 { dither.next() } else { 0.0 };
        (f64::from(sample) * scale + noise).round().clamp(-scale, scale - 1.0) as i32
    };
    samples.iter().map(whole).collect()
}

/// Triangular noise of +-1 (Marsaglia's xorshift32, "Xorshift RNGs", 2003).
struct Dither(u32);

impl Dither {
    fn next(&mut self) -> f64 {
        self.unit() - self.unit()
    }

    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use antiphon_audio::source::{self, SourceSpec};

    use super::*;

    #[test]
    fn what_was_written_is_read_back_to_the_step() {
        let dir = tempfile::tempdir().unwrap();
        let samples: Vec<f32> = (0..30_000).map(|n| (n as f32 * 0.01).sin() * 0.9).collect();
        for (name, bits, error) in
            [("a.wav", 24, 2e-7), ("a.flac", 24, 2e-7), ("b.wav", 16, 5e-5), ("b.FLAC", 16, 5e-5)]
        {
            let path = dir.path().join(name);
            write(&path, &samples, 2, bits).unwrap();
            let mut read = Vec::new();
            source::open(&SourceSpec::Path(path)).unwrap().read(20_000, &mut read).unwrap();
            assert_eq!(read.len(), samples.len(), "{name}");
            let worst = samples.iter().zip(&read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < error, "{name}: {worst}");
        }
    }

    #[test]
    fn a_file_that_is_called_neither_wav_nor_flac_is_not_written() {
        let failure = write(Path::new("track.mp3"), &[], 2, 24).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("track.mp3") && failure.message.contains(".flac"), "{failure}");
        let failure = write(Path::new("/nowhere/track.wav"), &[], 2, 24).unwrap_err();
        assert!(failure.message.contains("/nowhere/track.wav") && failure.message.contains("directory"));
    }
}
