//! Sources, from files as other programs make them.
//!
//! The fixtures hold channel `k` (from 0) as a tone of `500 (k + 1)` Hz, or 60 Hz for the LFE (`k` = 3
//! of six or eight), 0.5 high for even `k` and 0.25 for odd, under one Hann window over the whole
//! length. They were made by ffmpeg 5.1.

use std::f64::consts::TAU;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use antiphon_audio::source::{Problem, Source, SourceError, SourceSpec, open, open_raw, prefetch};
use antiphon_base::{Frames, Span};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn open_path(path: &Path) -> Result<Source, SourceError> {
    open(&SourceSpec::Path(path.to_path_buf()))
}

fn read_all(source: &mut Source) -> Result<Vec<f32>, SourceError> {
    let mut samples = Vec::new();
    while source.read(997, &mut samples)? > 0 {}
    Ok(samples)
}

/// What channel `k` of `channels` should be at frame `i` of `length`.
fn expected(k: usize, channels: usize, i: i64, length: f64) -> f64 {
    let hz = if channels >= 6 && k == 3 { 60.0 } else { 500.0 * (k as f64 + 1.0) };
    let t = i as f64;
    if t < 0.0 || t >= length {
        return 0.0;
    }
    let window = 0.5 - 0.5 * (TAU * t / length).cos();
    let height = if k.is_multiple_of(2) { 0.5 } else { 0.25 };
    height * window * (TAU * hz * t / 48_000.0).sin()
}

/// How well one channel agrees with what it should be: the factor that fits best, and the error
/// that is left, as a ratio of energies.
fn agreement(samples: &[f32], channels: usize, k: usize, length: f64, shift: i64) -> (f64, f64) {
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (i, frame) in samples.chunks_exact(channels).enumerate() {
        let (x, y) = (expected(k, channels, i as i64 - shift, length), f64::from(frame[k]));
        (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
    }
    let factor = xy / xx;
    (factor, (yy - factor * xy) / yy)
}

/// Every channel holds its own tone, at its level, from its frame on.
fn assert_tones(name: &str, length: f64, level_db: f64, error: f64) {
    let mut source = open_path(&fixture(name)).unwrap();
    let channels = usize::from(source.info().channels);
    let samples = read_all(&mut source).unwrap();
    assert_eq!(source.info().frames, Some(Frames((samples.len() / channels) as i64)), "{name}");
    assert_eq!(samples.len() / channels, length.ceil() as usize, "{name}");
    for k in 0..channels {
        let (factor, left) = agreement(&samples, channels, k, length, 0);
        let db = 20.0 * factor.abs().log10();
        assert!(db.abs() < level_db && factor > 0.0, "{name} channel {k}: {db:.2} dB off");
        assert!(left < error, "{name} channel {k}: {left:.1e} is something else");
        // A frame earlier or later fits worse, where the tone is high enough to tell.
        if channels < 6 || k != 3 {
            for shift in [-1, 1] {
                let (_, shifted) = agreement(&samples, channels, k, length, shift);
                assert!(shifted > left, "{name} channel {k} lies {shift} frames off");
            }
        }
    }
}

#[test]
fn lossless_files_come_out_as_they_went_in() {
    // What is left is the 16-bit rounding of the fixture.
    assert_tones("stereo-8k.wav", 12_000.0, 0.01, 1e-7);
    assert_tones("stereo-11k.aiff", 2_756.0 * 48_000.0 / 11_025.0, 0.01, 1e-7);
    assert_tones("stereo-44k.flac", 12_000.0, 0.01, 1e-7);
    assert_tones("alac-44k.m4a", 12_000.0, 0.01, 1e-7);
    assert_tones("surround51.flac", 4_800.0, 0.01, 1e-6);
}

#[test]
fn lossy_files_keep_their_channels_levels_and_first_frame() {
    // LAME turns everything down by 0.45 dB, so that its decoders do not clip.
    assert_tones("stereo-44k.mp3", 24_000.0, 0.5, 1e-6);
    assert_tones("stereo-44k.m4a", 24_000.0, 0.2, 4e-3);
    assert_tones("stereo-44k.ogg", 24_000.0, 0.2, 1e-3);
    assert_tones("stereo-48k.opus", 24_000.0, 0.2, 1e-3);
}

#[test]
fn surround_comes_out_in_wave_order() {
    assert_tones("surround51.opus", 14_400.0, 0.5, 2e-2);
    assert_tones("surround71.opus", 14_400.0, 0.5, 2e-2);
}

#[test]
fn raw_aac_has_no_note_of_its_delay_and_is_played_whole() {
    let mut source = open_path(&fixture("stereo-44k.aac")).unwrap();
    let samples = read_all(&mut source).unwrap();
    let frames: usize = 23 * 1_024;
    assert_eq!(samples.len() / 2, (frames * 160).div_ceil(147));
}

#[test]
fn tags_rate_and_kind_are_told() {
    for (name, container, codec) in [
        ("stereo-8k.wav", "wave", "pcm_s16le"),
        ("stereo-11k.aiff", "aiff", "pcm_s16be"),
        ("stereo-44k.flac", "flac", "flac"),
        ("stereo-44k.mp3", "mp3", "mp3"),
        ("stereo-44k.m4a", "isomp4", "aac"),
        ("stereo-44k.ogg", "ogg", "vorbis"),
        ("stereo-48k.opus", "ogg", "opus"),
    ] {
        let source = open_path(&fixture(name)).unwrap();
        let info = source.info();
        assert_eq!((info.container, info.codec), (container, codec), "{name}");
        assert_eq!(info.title.as_deref(), Some("Two_Tones"), "{name}");
        assert_eq!(info.artist.as_deref(), Some("Nobody"), "{name}");
        assert_eq!(info.album.as_deref(), Some("Fixtures"), "{name}");
        assert_eq!(info.channels, 2, "{name}");
    }
}

#[test]
fn after_a_seek_sounds_what_would_have_sounded_there() {
    // AAC may put noise where noise was, another each time.
    for (name, tolerance) in [
        ("stereo-8k.wav", 1e-6),
        ("stereo-11k.aiff", 1e-6),
        ("stereo-44k.flac", 1e-6),
        ("stereo-44k.mp3", 1e-6),
        ("stereo-44k.m4a", 1e-4),
        ("stereo-44k.ogg", 1e-6),
        ("stereo-48k.opus", 1e-4),
        ("surround51.opus", 1e-4),
    ] {
        let mut source = open_path(&fixture(name)).unwrap();
        let channels = usize::from(source.info().channels);
        let whole = read_all(&mut source).unwrap();
        for ms in [150, 0, 20, 101] {
            let from = source.seek(Span::from_ms(ms)).unwrap();
            assert_eq!(from, Frames(48 * ms), "{name}");
            let rest = read_all(&mut source).unwrap();
            let should = &whole[from.0 as usize * channels..];
            assert_eq!(rest.len(), should.len(), "{name} from {ms} ms");
            let worst = rest.iter().zip(should).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < tolerance, "{name} from {ms} ms: {worst:e}");
        }
        assert_eq!(source.seek(Span::from_s(9)).unwrap(), source.info().frames.unwrap(), "{name}");
        assert!(read_all(&mut source).unwrap().is_empty(), "{name}: behind the end is the end");
    }
}

#[test]
fn a_source_on_its_own_thread_gives_the_same_and_can_be_sought_in() {
    let mut source = open_path(&fixture("stereo-44k.mp3")).unwrap();
    let whole = read_all(&mut source).unwrap();
    let mut ahead = prefetch(open_path(&fixture("stereo-44k.mp3")).unwrap()).unwrap();
    let mut samples = Vec::new();
    while ahead.read(1_111, &mut samples).unwrap() > 0 {}
    assert_eq!(samples, whole);
    assert_eq!(ahead.seek(Span::from_ms(100)).unwrap(), Frames(4_800));
    samples.clear();
    while ahead.read(1_111, &mut samples).unwrap() > 0 {}
    let worst = samples.iter().zip(&whole[9_600..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert_eq!(samples.len(), whole.len() - 9_600);
    assert!(worst < 1e-6, "{worst:e}");
}

#[test]
fn raw_samples_come_through_a_pipe_that_gives_a_few_bytes_at_a_time() {
    struct Slow(Cursor<Vec<u8>>);
    impl std::io::Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let most = into.len().min(5);
            self.0.read(&mut into[..most])
        }
    }
    let codes = (0..3_000i32).map(|n| n * 2_000 - 3_000_000).collect::<Vec<i32>>();
    let mut bytes = codes.iter().flat_map(|code| code.to_le_bytes()[..3].to_vec()).collect::<Vec<u8>>();
    // The start of a frame that never comes in whole.
    bytes.extend([1, 2]);
    let format = "s24le:48000:3".parse().unwrap();
    let mut source = open_raw(Box::new(Slow(Cursor::new(bytes))), format, "standard input");
    let samples = read_all(&mut source).unwrap();
    assert_eq!(samples, codes.iter().map(|&code| code as f32 / 8_388_608.0).collect::<Vec<f32>>());
    let said = source.seek(Span::from_s(1)).unwrap_err().to_string();
    assert!(said.contains("standard input") && said.contains("pipe"), "{said}");
}

#[test]
fn every_common_rate_becomes_48_khz_with_its_images_100_db_down() {
    for rate in [8_000u32, 11_025, 16_000, 22_050, 32_000, 44_100, 88_200, 96_000, 176_400, 192_000] {
        // 0.4 of the lower rate: its image, or what folds back, lies at the mirrored place.
        let hz = (0.4 * f64::from(rate.min(48_000))).round();
        let input = (0..rate).map(|i| (0.5 * (TAU * hz * f64::from(i) / f64::from(rate)).sin()) as f32);
        let bytes = input.flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let format = format!("f32le:{rate}:1").parse().unwrap();
        let mut source = open_raw(Box::new(Cursor::new(bytes)), format, "a tone");
        let samples = read_all(&mut source).unwrap();
        assert_eq!(samples.len(), 48_000, "{rate}");
        // Half a second in the middle, without the ends of the tone.
        let middle = &samples[12_000..36_000];
        let (mut left, mut tone) = (0.0, 0.0);
        for (i, &y) in middle.iter().enumerate() {
            let x = 0.5 * (TAU * hz * (i as f64 + 12_000.0) / 48_000.0).sin();
            (left, tone) = (left + (f64::from(y) - x).powi(2), tone + x * x);
        }
        let db = 10.0 * (left / tone).log10();
        assert!(db < -100.0, "{rate} Hz: what is not the tone in its place lies at {db:.1} dB");
    }
}

#[test]
fn what_is_above_half_the_media_rate_does_not_fold_back() {
    let input = (0..96_000).map(|i| (0.5 * (TAU * 30_000.0 * f64::from(i) / 96_000.0).sin()) as f32);
    let bytes = input.flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let mut source = open_raw(Box::new(Cursor::new(bytes)), "f32le:96000:1".parse().unwrap(), "a tone");
    let samples = read_all(&mut source).unwrap();
    let worst = samples[12_000..36_000].iter().fold(0f32, |worst, x| worst.max(x.abs()));
    assert!(worst < 5e-6, "{worst:e}");
}

/// The error for a file of `bytes`, wherever it comes.
fn refusal(name: &str, bytes: &[u8]) -> Option<SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = open_path(&path).and_then(|mut source| read_all(&mut source)).err()?;
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    Some(error)
}

#[test]
fn what_is_no_audio_is_refused_by_name() {
    let text = "It was a dark and stormy night. ".repeat(500);
    let error = refusal("story.flac", text.as_bytes()).unwrap();
    assert!(error.to_string().contains("looks like text"), "{error}");
    assert!(matches!(refusal("nothing.wav", b"").unwrap().problem, Problem::Empty));
    assert!(matches!(refusal("zeros.mp3", &[0; 5_000]).unwrap().problem, Problem::NotAudio { .. }));
    let error = open_path(Path::new("/nowhere/at all.wav")).unwrap_err();
    assert!(matches!(error.problem, Problem::Open(_)) && error.to_string().contains("/nowhere/at all.wav"));
    assert!(matches!(open_path(Path::new("/")).unwrap_err().problem, Problem::Directory));
    for (name, what) in [("surround51.m4a", "aac"), ("surround51.ogg", "vorbis")] {
        let said = open_path(&fixture(name)).unwrap_err().to_string();
        assert!(
            said.contains(&format!("{what} of more than 2 channels")) && said.contains("convert"),
            "{said}"
        );
    }
}

fn wave(rate: u32, channels: u16, frames: u32) -> Vec<u8> {
    let size = frames * u32::from(channels) * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(size.to_le_bytes());
    file.resize(file.len() + size as usize, 1);
    file
}

#[test]
fn a_header_of_0_or_64_channels_or_of_an_odd_rate_is_refused_with_the_number() {
    assert!(refusal("none.wav", &wave(48_000, 0, 100)).is_some());
    let error = refusal("many.wav", &wave(48_000, 64, 100)).unwrap();
    assert!(error.to_string().contains("64 channels"), "{error}");
    let error = refusal("slow.wav", &wave(1_000, 2, 100)).unwrap();
    assert!(error.to_string().contains("1000 Hz"), "{error}");
    let error = refusal("fast.wav", &wave(705_600, 2, 100)).unwrap();
    assert!(error.to_string().contains("705600 Hz"), "{error}");
    assert!(refusal("good.wav", &wave(48_000, 8, 100)).is_none());
    assert!(matches!(refusal("header.wav", &wave(48_000, 2, 0)).unwrap().problem, Problem::Silent));
}

#[test]
fn a_file_that_is_cut_off_is_played_as_far_as_it_goes_and_then_said_to_be_cut() {
    let aiff = std::fs::read(fixture("stereo-11k.aiff")).unwrap();
    // AIFF keeps its tags behind the sound, so a cut one is noticed before anything is heard.
    let error = refusal("cut.aiff", &aiff[..aiff.len() / 2]).unwrap();
    assert!(error.to_string().contains("cut off"), "{error}");
    for name in ["stereo-8k.wav", "stereo-44k.flac", "stereo-44k.mp3"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &whole[..whole.len() * 17 / 20]).unwrap();
        let mut source = open_path(&path).unwrap();
        let mut samples = Vec::new();
        let error = loop {
            match source.read(500, &mut samples) {
                Ok(0) => panic!("{name}: the cut was not told"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(samples.len() > 4_000, "{name}: {} samples", samples.len());
        assert!(error.to_string().contains(name) && error.to_string().contains("cut off"), "{error}");
        assert_eq!(source.read(500, &mut samples).unwrap(), 0, "{name}: then it is at its end");
    }
}

/// A fixture with 200 bytes behind its middle made nonsense: what can be read of it, whether it was
/// counted, and how its end differs from the undamaged one's.
fn damaged(name: &str, tenths: usize) -> (Vec<f32>, u64, Option<SourceError>, f32) {
    let mut file = std::fs::read(fixture(name)).unwrap();
    let middle = file.len() * tenths / 10;
    file[middle - 100..middle + 100].fill(0xA5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, &file).unwrap();
    let whole = read_all(&mut open_path(&fixture(name)).unwrap()).unwrap();
    let mut source = open_path(&path).unwrap();
    let mut samples = Vec::new();
    let error = loop {
        match source.read(500, &mut samples) {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    assert!(samples.iter().all(|x| x.is_finite()), "{name}");
    let tail = whole.len() * 9 / 10;
    let energy = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>();
    let left = samples[samples.len().min(tail)..].iter().zip(&whole[tail..]).map(|(a, b)| a - b);
    let ratio = energy(&left.collect::<Vec<f32>>()) / energy(&whole[tail..]);
    (samples, source.damage().skipped, error, ratio)
}

#[test]
fn damage_in_the_middle_is_got_over_and_what_follows_stays_in_its_place() {
    // Places behind all headers and before MP4's index.
    for (name, tenths) in [("stereo-44k.ogg", 8), ("stereo-48k.opus", 6), ("stereo-44k.m4a", 5)] {
        let (samples, skipped, error, ratio) = damaged(name, tenths);
        // AAC has no checksum: its decoder may well make something of nonsense.
        assert!(skipped > 0 || name == "stereo-44k.m4a", "{name}");
        assert!(error.is_none() && samples.len() == 48_000, "{name}: {} {error:?}", samples.len());
        assert!(ratio < 1e-2, "{name}: {ratio:e} of the end is something else");
    }
}

#[test]
fn an_mp3_that_lost_frames_is_played_on_and_said_to_lack_a_part() {
    // Nothing in the file says how many frames the nonsense was: what follows may move up.
    let (samples, _, error, _) = damaged("stereo-44k.mp3", 8);
    assert!(samples.len() > 40_000, "{}", samples.len());
    let said = matches!(error.map(|e| e.problem), Some(Problem::Truncated { .. }));
    assert_eq!(said, samples.len() < 48_000, "{} samples", samples.len());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn random_bytes_never_panic(head in 0usize..6, bytes in proptest::collection::vec(proptest::num::u8::ANY, 1..3_000)) {
        let magic: [&[u8]; 6] = [b"", b"RIFF\0\x10\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS\0\x02", b"\xFF\xFB\x90\x00", b"FORM\0\0\x10\0AIFFCOMM"];
        let mut file = magic[head].to_vec();
        file.extend(bytes);
        if let Some(error) = refusal("random.bin", &file) {
            proptest::prop_assert!(!matches!(error.problem, Problem::Decoder { .. }), "{}", error);
        }
    }

    #[test]
    fn files_with_flipped_bytes_never_panic(which in 0usize..7, flips in proptest::collection::vec((0.0f64..1.0, 1u8..), 1..12)) {
        let names = ["stereo-8k.wav", "stereo-11k.aiff", "stereo-44k.flac", "stereo-44k.mp3", "stereo-44k.m4a", "stereo-44k.ogg", "surround51.opus"];
        let mut file = std::fs::read(fixture(names[which])).unwrap();
        for (place, flip) in flips {
            let at = (place * file.len() as f64) as usize;
            file[at] ^= flip;
        }
        refusal(names[which], &file);
    }
}
