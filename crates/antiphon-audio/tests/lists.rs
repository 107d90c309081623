//! Files in a row, as one.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use antiphon_audio::source::{
    Feed, List, ListItem, Place, Polled, Prefetch, Problem, Reading, SourceSpec, Track, facts, open, picture,
    prefetch_list,
};
use antiphon_base::{Frames, Span};

const HZ: f64 = 443.7;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Frames `from..to` of a stereo sine, 0.6 high, whose right channel is turned round.
fn write_sine(path: &Path, rate: u32, (from, to): (u32, u32)) {
    let (bits_per_sample, sample_format) = (32, hound::SampleFormat::Float);
    let spec = hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample, sample_format };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in from..to {
        let sample = 0.6 * (TAU * HZ * f64::from(n) / f64::from(rate)).sin();
        file.write_sample(sample as f32).unwrap();
        file.write_sample(-sample as f32).unwrap();
    }
    file.finalize().unwrap();
}

fn write_mono(path: &Path, frames: u32) {
    let (bits_per_sample, sample_format) = (16, hound::SampleFormat::Int);
    let spec = hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample, sample_format };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    (0..frames).for_each(|n| file.write_sample((n % 1_000) as i16).unwrap());
    file.finalize().unwrap();
}

fn items(paths: &[PathBuf]) -> Vec<ListItem> {
    let item = |path: &PathBuf| ListItem { spec: SourceSpec::Path(path.clone()), title: None };
    paths.iter().map(item).collect()
}

fn list(paths: &[PathBuf], repeat: bool) -> List {
    List::open(items(paths), repeat).unwrap()
}

/// What a list gives up to `most` frames: samples, tracks, and what was left out.
fn read_list(list: &mut List, most: usize) -> (Vec<f32>, Vec<Track>, Vec<String>) {
    let (mut samples, mut tracks, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
    while samples.len() < 2 * most {
        match list.read(997.min(most - samples.len() / 2), &mut samples) {
            Reading::Frames(_) => {}
            Reading::Track(track) => tracks.push(*track),
            Reading::Trouble(error) => troubles.push(error.to_string()),
            Reading::End => break,
        }
    }
    (samples, tracks, troubles)
}

fn read_file(path: &Path) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut source = open(&SourceSpec::Path(path.to_owned())).unwrap();
    while source.read(1_009, &mut samples).unwrap() > 0 {}
    samples
}

/// The greatest difference between two that should be alike, in dB of full scale.
fn residual_db(a: &[f32], b: &[f32]) -> f64 {
    let worst = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    20.0 * worst.max(1e-12).log10()
}

/// Cuts one sine at `cuts`, and compares the list of the parts with the whole, and with the parts each by itself.
fn joined_and_apart(rate: u32, cuts: &[u32]) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.wav");
    write_sine(&whole, rate, (cuts[0], *cuts.last().unwrap()));
    let part = |cut: &[u32]| {
        let path = dir.path().join(format!("{}.wav", cut[0]));
        write_sine(&path, rate, (cut[0], cut[1]));
        path
    };
    let parts: Vec<PathBuf> = cuts.windows(2).map(part).collect();
    let whole = read_file(&whole);
    let (samples, tracks, troubles) = read_list(&mut list(&parts, false), usize::MAX / 4);
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(samples.len(), whole.len(), "no frame is added or lost");
    let begins: Vec<i64> = tracks.iter().map(|track| track.first.0).collect();
    let at = |cut: &u32| (i64::from(cut - cuts[0]) * 48_000 + i64::from(rate) - 1) / i64::from(rate);
    assert_eq!(begins, cuts[..cuts.len() - 1].iter().map(at).collect::<Vec<_>>());
    let apart: Vec<f32> = parts.iter().flat_map(|part| read_file(part)).collect();
    (residual_db(&whole, &samples), residual_db(&whole, &apart))
}

#[test]
fn a_recording_that_was_cut_into_files_sounds_as_if_it_had_never_been() {
    // Where nothing is resampled, joining is putting one behind the other.
    let (joined, apart) = joined_and_apart(48_000, &[0, 30_011, 30_500, 96_000]);
    assert!(joined < -200.0 && apart < -200.0, "48 kHz: {joined:.1} dB");
    for rate in [44_100, 96_000, 22_050] {
        let (joined, apart) = joined_and_apart(rate, &[0, 30_011, 30_500, 88_200]);
        eprintln!("{rate} Hz: {joined:.1} dB joined, {apart:.1} dB each by itself");
        assert!(joined < -200.0, "{rate} Hz: {joined:.1} dB");
        // What a listener would hear otherwise, and this test would find.
        assert!(apart > -40.0, "{rate} Hz: {apart:.1} dB");
    }
}

#[test]
fn files_shorter_than_the_resampler_reaches_have_their_places_too() {
    let (joined, _) = joined_and_apart(44_100, &[0, 100, 250, 251, 700, 900, 20_000]);
    assert!(joined < -200.0, "{joined:.1} dB");
}

#[test]
fn encoder_delay_and_padding_are_not_heard_between_two_files() {
    for (name, frames) in [
        ("stereo-44k.mp3", 24_000),
        ("stereo-44k.m4a", 24_000),
        ("stereo-44k.ogg", 24_000),
        ("stereo-48k.opus", 24_000),
    ] {
        let paths = [fixture(name), fixture(name), fixture(name)];
        let (samples, tracks, _) = read_list(&mut list(&paths, false), usize::MAX / 4);
        assert_eq!(samples.len() / 2, 3 * frames, "{name}");
        let begins: Vec<i64> = tracks.iter().map(|track| track.first.0).collect();
        assert_eq!(begins, [0, 24_000, 48_000], "{name}");
        // The first of them is as it is alone, to its last frames, which the window of the fixture has faded.
        let alone = read_file(&fixture(name));
        let residual = residual_db(&alone, &samples[..alone.len()]);
        assert!(residual < -60.0, "{name}: {residual:.1} dB");
    }
}

#[test]
fn files_of_other_rates_follow_without_a_gap_and_each_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
    write_sine(&a, 44_100, (0, 44_100));
    write_sine(&b, 48_000, (0, 24_000));
    let paths = [a.clone(), b.clone(), a.clone()];
    let (samples, tracks, _) = read_list(&mut list(&paths, false), usize::MAX / 4);
    let wanted: Vec<f32> = paths.iter().flat_map(|path| read_file(path)).collect();
    assert_eq!(samples, wanted);
    let places: Vec<(usize, i64)> = tracks.iter().map(|track| (track.number, track.first.0)).collect();
    assert_eq!(places, [(1, 0), (2, 48_000), (3, 72_000)]);
}

#[test]
fn what_cannot_be_played_is_told_once_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (good, text, short) = (dir.path().join("a.wav"), dir.path().join("b.mp3"), dir.path().join("c.wav"));
    write_sine(&good, 48_000, (0, 4_800));
    std::fs::write(&text, "this is no music\n").unwrap();
    write_sine(&short, 48_000, (0, 4_800));
    let bytes = std::fs::read(&short).unwrap();
    std::fs::write(&short, &bytes[..bytes.len() - 8 * 2_400]).unwrap();
    let paths = [text.clone(), good.clone(), dir.path().join("gone.wav"), short, good];
    let (samples, tracks, troubles) = read_list(&mut list(&paths, false), usize::MAX / 4);
    assert_eq!(samples.len() / 2, 4_800 + 2_400 + 4_800, "of what is cut off, the part that is there");
    assert_eq!(tracks.iter().map(|track| track.number).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(troubles.len(), 3, "{troubles:?}");
    assert!(troubles[0].contains("b.mp3") && troubles[1].contains("gone.wav"), "{troubles:?}");
    assert!(troubles[2].contains("c.wav") && troubles[2].contains("cut off"), "{troubles:?}");
    // Three rounds say the same as one, but for what was played of the damaged one.
    let (samples, _, troubles) = read_list(&mut list(&paths, true), 36_000);
    assert_eq!(samples.len() / 2, 36_000);
    assert_eq!(troubles.iter().filter(|said| said.contains("b.mp3")).count(), 1, "{troubles:?}");
    let errors = List::open(items(&[text, dir.path().join("gone.wav")]), true).unwrap_err();
    assert!(matches!(errors[0].problem, Problem::NotAudio { .. }) && errors.len() == 2);
    assert!(List::open(Vec::new(), true).unwrap_err().is_empty());
}

#[test]
fn a_list_that_repeats_joins_its_end_to_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
    // 4437 periods of the sine in 10 s: a loop without a seam, of which these are two parts of one turn.
    write_sine(&a, 44_100, (0, 200_000));
    write_sine(&b, 44_100, (200_000, 441_000));
    let (samples, tracks, _) = read_list(&mut list(&[a, b], true), 960_000);
    let turn = 480_000 * 2;
    // The first frames are of a beginning before which there was silence.
    let residual = residual_db(&samples[9_600..turn - 9_600], &samples[turn + 9_600..2 * turn - 9_600]);
    assert!(residual < -120.0, "{residual:.1} dB");
    let seam = residual_db(&samples[turn - 4_800..turn + 4_800], &sine_at(478_000 - 400, 4_800));
    assert!(seam < -90.0, "{seam:.1} dB");
    assert_eq!(tracks.iter().map(|track| track.number).collect::<Vec<_>>(), [1, 2, 1, 2]);
}

/// `frames` frames of the sine at the media rate from `from` on.
fn sine_at(from: u32, frames: u32) -> Vec<f32> {
    let sample = |n: u32| (0.6 * (TAU * HZ * f64::from(n) / 48_000.0).sin()) as f32;
    (from..from + frames).flat_map(|n| [sample(n), -sample(n)]).collect()
}

fn place(number: i64, at: Span) -> Place {
    Place { number, tag: 0, backwards: false, at, first: Frames(0) }
}

#[test]
fn at_another_place_sounds_what_is_there_and_frames_are_counted_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
    write_sine(&a, 44_100, (0, 88_200));
    write_sine(&b, 44_100, (88_200, 176_400));
    let mut list = list(&[a.clone(), b.clone(), a.clone()], false);
    read_list(&mut list, 130_000);
    // Back into the first, which has been left: its first frame stays where it was.
    let (track, position) = list.go(&place(1, Span::from_ms(1_500))).unwrap();
    assert_eq!((track.number, track.first, position), (1, Frames(0), Frames(72_000)));
    let (samples, tracks, _) = read_list(&mut list, 40_000);
    assert_eq!(tracks.iter().map(|track| (track.number, track.first.0)).collect::<Vec<_>>(), [(2, 96_000)]);
    assert!(residual_db(&samples, &sine_at(72_000, 40_000)) < -90.0, "and over the joint as ever");
    // To the next, counted anew.
    let (track, position) = list.go(&Place { first: Frames(7), ..place(2, Span::ZERO) }).unwrap();
    assert_eq!((track.number, track.first, position), (2, Frames(7), Frames(7)));
    let (samples, tracks, _) = read_list(&mut list, 97_000);
    // But for its last frames, behind which there is something.
    assert!(residual_db(&samples[..180_000], &read_file(&b)) < -200.0);
    assert_eq!(tracks.iter().map(|track| (track.number, track.first.0)).collect::<Vec<_>>(), [(3, 96_007)]);
    // Behind the last is the end; from there back.
    assert!(list.go(&place(4, Span::ZERO)).is_none());
    assert!(matches!(list.read(10, &mut Vec::new()), Reading::End));
    assert_eq!(list.go(&place(0, Span::ZERO)).unwrap().0.number, 1);
    assert!(matches!(list.read(10, &mut Vec::new()), Reading::Frames(10)));
}

#[test]
fn a_place_that_cannot_be_played_leads_on_in_the_same_direction() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("a.wav");
    write_sine(&good, 48_000, (0, 4_800));
    let paths = [good.clone(), dir.path().join("gone.wav"), good];
    let mut one = list(&paths, false);
    assert_eq!(one.go(&place(2, Span::ZERO)).unwrap().0.number, 3);
    assert_eq!(one.go(&Place { backwards: true, ..place(2, Span::ZERO) }).unwrap().0.number, 1);
    let mut round = list(&paths, true);
    assert_eq!(round.go(&place(4, Span::ZERO)).unwrap().0.number, 1);
    assert_eq!(round.go(&Place { backwards: true, ..place(0, Span::ZERO) }).unwrap().0.number, 3);
}

/// What a reader that never waits gets, until `enough`.
fn poll_until(ahead: &mut Prefetch, mut enough: impl FnMut(&Polled, &[f32]) -> bool) {
    let mut samples = Vec::new();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let polled = ahead.poll(4_800, &mut samples);
        if enough(&polled, &samples) {
            return;
        }
        if matches!(polled, Polled::Nothing) {
            assert!(Instant::now() < end, "the worker gives nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_list_on_its_own_thread_says_each_track_before_its_first_frame() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, mono) = (dir.path().join("a.wav"), dir.path().join("b.wav"), dir.path().join("c.wav"));
    write_sine(&a, 44_100, (0, 30_000));
    write_sine(&b, 44_100, (30_000, 44_100));
    write_mono(&mono, 2_000);
    let mut ahead = prefetch_list(list(&[a, b, dir.path().join("gone.wav"), mono], false)).unwrap();
    let (mut before, mut said) = (Vec::new(), Vec::new());
    poll_until(&mut ahead, |polled, samples| {
        match polled {
            Polled::Track(track) => {
                before.push((track.number, track.info.channels, samples.len()));
            }
            Polled::Trouble(error) => said.push(error.to_string()),
            _ => {}
        }
        matches!(polled, Polled::End(None))
    });
    // Samples of two channels first, of one then.
    assert_eq!(before, [(1, 2, 0), (2, 2, 2 * 32_654), (4, 1, 2 * 48_000)]);
    assert!(said.len() == 1 && said[0].contains("gone.wav"), "{said:?}");
    let (track, position) = ahead.go(place(2, Span::from_ms(100))).unwrap().unwrap();
    assert_eq!((track.number, position, ahead.info().channels), (2, Frames(4_800), 2));
    poll_until(&mut ahead, |polled, samples| match polled {
        Polled::Frames(_) => {
            // It was cut at 30,000 frames of 44.1 kHz, which is 32,653.06 of 48 kHz.
            let wanted = 0.6 * (TAU * HZ * (32_653.061_2 + 4_800.0) / 48_000.0).sin();
            assert!((f64::from(samples[0]) - wanted).abs() < 1e-4, "{} {wanted}", samples[0]);
            true
        }
        _ => false,
    });
    assert!(ahead.go(place(5, Span::ZERO)).unwrap().is_none());
    poll_until(&mut ahead, |polled, _| matches!(polled, Polled::End(None)));
}

/// Files by their numbers; what follows one is asked at the moment that it is opened.
#[derive(Debug, Clone, Default)]
struct Fed {
    files: std::sync::Arc<std::sync::Mutex<Vec<PathBuf>>>,
}

impl Feed for Fed {
    fn after(&mut self, tag: u64) -> Option<(u64, ListItem)> {
        let files = self.files.lock().unwrap();
        files.get(tag as usize + 1).map(|path| (tag + 1, items(std::slice::from_ref(path)).remove(0)))
    }

    fn turn(&self, tag: u64) -> (usize, usize) {
        (tag as usize + 1, self.files.lock().unwrap().len())
    }
}

#[test]
fn a_list_that_is_fed_is_the_same_sound_and_takes_what_was_put_in_while_it_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (n, name) in ["a", "b", "c", "d"].iter().enumerate() {
        write_sine(&path(name), 44_100, (n as u32 * 30_011, (n as u32 + 1) * 30_011));
    }
    let (expected, ..) = read_list(&mut list(&[path("a"), path("b"), path("d")], false), usize::MAX / 4);
    let fed =
        Fed { files: std::sync::Arc::new(std::sync::Mutex::new(vec![path("a"), path("gone"), path("c")])) };
    let first = (0, items(&[path("a")]).remove(0));
    let mut list = List::open_fed(first, Box::new(fed.clone())).unwrap();
    let (mut samples, mut tracks, _) = read_list(&mut list, 10_000);
    // Before it is its turn, the second is another one, and one that cannot be played stands between.
    *fed.files.lock().unwrap() = vec![path("a"), path("b"), path("gone"), path("d")];
    let (more, later, troubles) = read_list(&mut list, usize::MAX / 4);
    samples.extend(more);
    tracks.extend(later);
    assert_eq!(samples.len(), expected.len());
    assert!(residual_db(&samples, &expected) < -200.0);
    let told: Vec<_> = tracks.iter().map(|track| (track.number, track.of, track.tag)).collect();
    assert_eq!(told, [(1, 3, 0), (2, 4, 1), (4, 4, 3)]);
    assert!(troubles.len() == 1 && troubles[0].contains("gone"), "{troubles:?}");
    // Back into the second, what follows is asked for anew.
    *fed.files.lock().unwrap() = vec![path("a"), path("b"), path("c")];
    let place = Place { tag: 1, ..place(99, Span::from_ms(100)) };
    let (track, position) = list.go(&place).unwrap();
    assert_eq!((track.number, track.tag, position), (2, 1, Frames(4_800)));
    let (_, tracks, _) = read_list(&mut list, usize::MAX / 4);
    assert_eq!(tracks.iter().map(|track| (track.number, track.tag)).collect::<Vec<_>>(), [(3, 2)]);
}

/// Three files, over and over.
#[derive(Debug)]
struct Round(Vec<PathBuf>);

impl Feed for Round {
    fn after(&mut self, tag: u64) -> Option<(u64, ListItem)> {
        let next = (tag as usize + 1) % self.0.len();
        Some((next as u64, items(std::slice::from_ref(&self.0[next])).remove(0)))
    }

    fn turn(&self, tag: u64) -> (usize, usize) {
        (tag as usize + 1, self.0.len())
    }
}

#[test]
fn in_a_queue_that_goes_round_each_file_has_its_turn_and_not_one_more_every_round() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["a", "b", "c"].map(|name| dir.path().join(name));
    files.iter().for_each(|path| write_sine(path, 44_100, (0, 4_410)));
    let first = (0, items(&files[..1]).remove(0));
    let mut list = List::open_fed(first, Box::new(Round(files.into()))).unwrap();
    let mut told = Vec::new();
    let mut out = Vec::new();
    while told.len() < 7 {
        if let Reading::Track(track) = list.read(1_000, &mut out) {
            told.push((track.number, track.of));
        }
    }
    assert_eq!(told, [(1, 3), (2, 3), (3, 3), (1, 3), (2, 3), (3, 3), (1, 3)]);
}

#[test]
fn a_file_says_its_tags_length_and_picture_without_being_played() {
    let dir = tempfile::tempdir().unwrap();
    let sine = dir.path().join("sine.wav");
    write_sine(&sine, 44_100, (0, 44_100));
    let found = facts(&sine).unwrap();
    assert_eq!((found.title, found.pictured, found.duration), (None, false, Some(Span::from_s(1))));
    assert_eq!((facts(&fixture("gone.mp3")), picture(&sine)), (None, None));
    let text = dir.path().join("text.mp3");
    std::fs::write(&text, "no music").unwrap();
    assert_eq!(facts(&text), None);
}
