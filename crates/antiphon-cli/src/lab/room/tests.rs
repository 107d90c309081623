//! What the microphone gives, against what the recordings' own time says. No machine, no waiting but
//! in the last test.

use std::path::{Path, PathBuf};

use antiphon_audio::OutputUri;
use antiphon_audio::sink;
use antiphon_measure::lab::measurement::SOUND_M_S;
use antiphon_measure::recording::{Recording, Wav, timeline_path, write_wav};
use antiphon_measure::timeline::TrueTimeline;
use antiphon_net::Clock;

use super::*;

const ORIGIN: Timestamp<True> = Timestamp::from_ns(1_234_567_890_123_457);

/// What all speakers play, from second 1 on: the measure signal of one channel, over and over.
fn sound(seconds: usize) -> Vec<f32> {
    let signal = Excitation::new(1, 1).unwrap();
    (0..48_000 * seconds).map(|n| signal.sequence(0)[n % Excitation::PERIOD]).collect()
}

/// Writes what a speaker `ppm` fast converts, whose sound comes `late_us` late.
fn speaker(dir: &Path, name: &str, ppm: f64, late_us: f64) -> PathBuf {
    let path = dir.join(name);
    let begin = ORIGIN - Span::from_ms(1_500);
    let timeline = TrueTimeline::constant(begin, 48_000.0 * (1.0 + ppm * 1e-6)).unwrap();
    std::fs::write(timeline_path(&path), timeline.to_text()).unwrap();
    let played = |ns: f64| ns + 1e9 - late_us * 1e3;
    let recording = Recording::ideal(&sound(8), 48_000 * 6, timeline, ORIGIN, played);
    write_wav(&path, &Wav { rate: SampleRate::MEDIA, channels: 1, samples: recording.samples }).unwrap();
    path
}

/// Three seconds of what a microphone hears of the speakers.
fn heard(paths: &[&Path], query: &str) -> Vec<f32> {
    let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let params: RoomParams = format!("{}?{query}", files.join(",")).parse().unwrap();
    let mut microphone = RoomMicrophone::at(&params, ORIGIN);
    let mut out = Vec::new();
    while out.len() < 144_000 {
        microphone.read(&mut out).unwrap();
    }
    out.truncate(144_000);
    out
}

/// How much later `b` is than `a`, in microseconds of a clock `ppm` fast, if that is within some
/// samples of `about_us`: where the difference of both, one shifted, is least.
fn later_us(a: &[f32], b: &[f32], about_us: f64, ppm: f64) -> f64 {
    let (between, frames_a_us) = (Between::new(), 0.048 * (1.0 + ppm * 1e-6));
    let left = |shift_us: f64| -> f64 {
        let difference = |n: usize| {
            let shifted = between.at(a, n as f64 - shift_us * frames_a_us);
            f64::from(b[n] - shifted).powi(2)
        };
        (30_000..90_000).map(difference).sum()
    };
    // A parabola through three points near its bottom.
    let [low, middle, high] = [-2.0, 0.0, 2.0].map(|off| left(about_us + off));
    assert!(low > middle * 0.2 && high > middle * 0.2 && low + high > 2.0 * middle, "{low} {middle} {high}");
    about_us + (low - high) / (low - 2.0 * middle + high)
}

#[test]
fn a_delay_between_two_recordings_comes_out_of_the_microphone_to_a_tenth_of_a_microsecond() {
    let dir = tempfile::tempdir().unwrap();
    for (clocks_ppm, mic_ppm) in [([0.0, 0.0], 0.0), ([40.0, -25.0], 60.0), ([-60.0, 80.0], -200.0)] {
        let early = speaker(dir.path(), "early.wav", clocks_ppm[0], 0.0);
        let late = speaker(dir.path(), "late.wav", clocks_ppm[1], 137_000.4);
        let query = format!("rt60_ms=0&snr_db=inf&ppm={mic_ppm}");
        let [a, b] = [early, late].map(|path| heard(&[&path], &query));
        let measured = later_us(&a, &b, 137_000.0, mic_ppm);
        assert!((measured - 137_000.4).abs() < 0.1, "{clocks_ppm:?} {mic_ppm}: {measured} us");
    }
}

#[test]
fn the_microphones_own_clock_is_as_wrong_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = speaker(dir.path(), "a.wav", 40.0, 0.0);
    let [right, fast] = ["0", "200"].map(|ppm| heard(&[&path], &format!("rt60_ms=0&snr_db=inf&ppm={ppm}")));
    let between = Between::new();
    let worst = (1_000..140_000)
        .map(|n| (fast[n] - between.at(&right, n as f64 / 1.000_2)).abs())
        .fold(0.0, f32::max);
    assert!(worst < 1e-3, "{worst}");
}

#[test]
fn a_metre_more_of_air_is_three_milliseconds_later_and_quieter() {
    let dir = tempfile::tempdir().unwrap();
    let path = speaker(dir.path(), "a.wav", 0.0, 0.0);
    let query = |distances| format!("distances_m={distances}&rt60_ms=0&snr_db=inf&ppm=0");
    let silent = dir.path().join("silent.wav");
    let [near, far] = ["2,3", "3,2"].map(|distances| heard(&[&path, &silent], &query(distances)));
    let quieter: Vec<f32> = far.iter().map(|x| x * 1.5).collect();
    let wanted = 1e6 / SOUND_M_S;
    let measured = later_us(&near, &quieter, wanted.round(), 0.0);
    assert!((measured - wanted).abs() < 0.5, "{measured} us of {wanted}");
}

#[test]
fn two_speakers_at_once_are_the_sum_of_each_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (speaker(dir.path(), "a.wav", 40.0, 0.0), speaker(dir.path(), "b.wav", -25.0, 777.0));
    let silent = dir.path().join("silent.wav");
    let query = "snr_db=inf&models=different&rt60_ms=300";
    let (both, left, right) =
        (heard(&[&a, &b], query), heard(&[&a, &silent], query), heard(&[&silent, &b], query));
    let worst = (0..144_000).map(|n| (both[n] - left[n] - right[n]).abs()).fold(0.0, f32::max);
    let loudest = both.iter().fold(0.0, |peak: f32, x| peak.max(x.abs()));
    assert!(worst < 1e-5 && loudest > 0.1, "{worst} of {loudest}");
}

#[test]
fn noise_stands_as_far_below_the_measure_signal_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = speaker(dir.path(), "a.wav", 0.0, 0.0);
    for noise in ["white", "pink"] {
        let clean = heard(&[&path], "snr_db=inf");
        let noisy = heard(&[&path], &format!("snr_db=12&noise={noise}"));
        let only: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
        let snr_db = 20.0 * (band_rms(&clean) / band_rms(&only)).log10();
        assert!((snr_db - 12.0).abs() < 0.5, "{noise}: {snr_db} dB");
        let level = 20.0 * band_rms(&clean).log10();
        assert!((level + 26.0).abs() < 0.5, "{level} dBFS");
    }
}

#[test]
fn a_speaker_that_comes_later_or_has_ended_is_silent_and_the_room_sounds_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = speaker(dir.path(), "a.wav", 0.0, 0.0);
    let params: RoomParams = format!("{}?snr_db=inf&rt60_ms=400", path.display()).parse().unwrap();
    let mut microphone = RoomMicrophone::at(&params, ORIGIN - Span::from_s(3));
    let mut out = Vec::new();
    while out.len() < 48_000 * 9 {
        assert!(microphone.read(&mut out).unwrap() <= 4_800);
    }
    // The recording is 6 s long and begins 1.5 s before the origin.
    let rms = |from: f64, to: f64| band_rms(&out[(from * 48e3) as usize..(to * 48e3) as usize]);
    assert!(rms(0.0, 1.4) == 0.0, "before it begins");
    assert!(rms(3.0, 7.0) > 0.03 && rms(7.55, 7.6) > 1e-4, "while it sounds, and just after");
    assert!(rms(8.5, 9.0) < 1e-5, "when the room is quiet again");
}

#[test]
fn a_file_that_is_no_speakers_recording_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text.wav");
    std::fs::write(&path, "not a recording at all").unwrap();
    let params: RoomParams = path.display().to_string().parse().unwrap();
    let said = RoomMicrophone::at(&params, ORIGIN).read(&mut Vec::new()).unwrap_err().to_string();
    assert!(said.contains("text.wav") && said.contains("virtual:"), "{said}");
    let missing: InputUri = format!("room:{}", dir.path().join("none.wav").display()).parse().unwrap();
    let said = open(&missing, None).err().unwrap().to_string();
    assert!(said.contains("start one first"), "{said}");
}

#[test]
fn a_running_speaker_is_heard_as_it_plays_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.wav");
    let uri: OutputUri =
        format!("virtual:{}?ppm=+40&latency_ms=60&hidden_ms=50", path.display()).parse().unwrap();
    let sink = sink::open(&uri, &Clock::new("ppm=-30&offset_s=7".parse().unwrap())).unwrap();
    let render = |first: Frames, out: &mut [f32]| {
        for (n, frame) in out.chunks_exact_mut(2).enumerate() {
            let place = (first.0 + n as i64) as f64 * 997.0 / 48_000.0;
            frame.fill(0.2 * (place.fract() * std::f64::consts::TAU).sin() as f32);
        }
    };
    let (events, mut told) = rtrb::RingBuffer::new(10_000);
    let running = sink.start(Box::new(render), events).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let room = format!("room:{}?snr_db=inf&rt60_ms=0&lag_ms=600&ppm=100", path.display());
    let mut microphone = open(&room.parse().unwrap(), None).unwrap();
    let (begin, mut out) = (raw_now(), Vec::new());
    while out.len() < 72_000 {
        microphone.read(&mut out).unwrap();
        let heard = SampleRate::MEDIA.span_of(Frames(out.len() as i64));
        assert!(raw_now() - begin > heard, "nothing is heard before it sounds");
    }
    drop(running);
    let dry =
        std::iter::from_fn(|| told.pop().ok()).any(|event| matches!(event, sink::SinkEvent::Xrun { .. }));
    // The tone of a clock 40 ppm fast, on one 100 ppm fast; a gap or a jump would not fit it.
    let steady = &out[20_000..70_000];
    let turn = std::f64::consts::TAU * 997.0 * 1.000_04 / 1.000_1 / 48_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, x) in steady.iter().enumerate() {
        let (sin, cos) = (turn * n as f64).sin_cos();
        (re, im, all) = (re + f64::from(*x) * cos, im + f64::from(*x) * sin, all + f64::from(*x).powi(2));
    }
    let fits = 2.0 * (re * re + im * im) / steady.len() as f64 / all;
    // A jump of one frame in the middle leaves 0.996.
    assert!(dry || (all > 1.0 && fits > 0.999_9), "{fits} of the sound, {all} in all");
}
