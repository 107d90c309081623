//! The model cards on their own threads, judged by the files they leave. The machine may be busy:
//! underruns are allowed, if they were reported.

use std::path::Path;
use std::time::Duration;

use antiphon_audio::OutputUri;
use antiphon_audio::sink::{self, SinkError, SinkEvent};
use antiphon_base::{Frames, Local, Timestamp};
use antiphon_net::{Clock, raw_now};

/// Runs the output for `ms`; every frame is rendered as its own number plus one, exact in f32.
fn run(uri: &str, clock: &Clock<Local>, ms: u64) -> Vec<SinkEvent> {
    let sink = sink::open(&uri.parse::<OutputUri>().unwrap(), clock).unwrap();
    let channels = usize::from(sink.format().channels);
    let period = sink.format().period;
    let render = move |first: Frames, out: &mut [f32]| {
        assert_eq!(out.len(), period.0 as usize * channels);
        for (n, frame) in out.chunks_exact_mut(channels).enumerate() {
            frame.fill((first.0 + n as i64 + 1) as f32);
        }
    };
    let (events_in, mut events) = rtrb::RingBuffer::new(10_000);
    let running = sink.start(Box::new(render), events_in).unwrap();
    std::thread::sleep(Duration::from_millis(ms));
    running.stop();
    std::iter::from_fn(|| events.pop().ok()).collect()
}

fn samples(path: &Path) -> Vec<f32> {
    hound::WavReader::open(path).unwrap().into_samples::<f32>().map(Result::unwrap).collect()
}

/// `(frame, host_ns, rate_hz)` of every entry.
fn timeline(path: &Path) -> Vec<(i64, i64, f64)> {
    let text = std::fs::read_to_string(format!("{}.timeline.json", path.display())).unwrap();
    let text = text.trim().strip_prefix('[').unwrap().strip_suffix(']').unwrap();
    let entry = |line: &str| {
        let field = |key: &str| line.split(key).nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
        (
            field("\"frame\":").parse().unwrap(),
            field("\"host_ns\":").parse().unwrap(),
            field("\"rate_hz\":").parse().unwrap(),
        )
    };
    text.lines().filter(|line| line.contains("frame")).map(entry).collect()
}

fn true_ns(timeline: &[(i64, i64, f64)], frame: i64) -> f64 {
    let (first, host_ns, rate_hz) = timeline.iter().rev().find(|entry| entry.0 <= frame).unwrap();
    *host_ns as f64 + (frame - first) as f64 / rate_hz * 1e9
}

#[test]
fn the_recording_holds_each_frame_at_its_number_and_silence_only_where_an_underrun_was_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let before = raw_now().as_ns();
    let events =
        run(&format!("virtual:{}?ppm=+40&channels=1&wake_jitter_us=500", path.display()), &local(), 1_300);
    let after = raw_now().as_ns();
    let dry = |n: i64| {
        events.iter().any(|event| match event {
            SinkEvent::Xrun { frame, missing } => n >= frame.0 && n < (*frame + *missing).0,
            _ => false,
        })
    };
    let converted = samples(&path);
    for (n, value) in converted.iter().enumerate() {
        let wanted = if dry(n as i64) { 0.0 } else { (n + 1) as f32 };
        assert_eq!(*value, wanted, "frame {n}");
    }
    let timeline = timeline(&path);
    let last = true_ns(&timeline, converted.len() as i64 - 1) as i64;
    assert!(timeline[0].0 == 0 && timeline[0].1 > before && last < after);
    assert!(converted.len() > 24_000, "{} frames in more than a second", converted.len());
}

#[test]
fn stamps_are_the_true_instants_in_the_local_clock_with_the_stated_noise() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let clock = Clock::<Local>::new("ppm=-40&offset_s=1234.5".parse().unwrap());
    let uri =
        format!("virtual:{}?ppm=-25&period=64&stamp_noise_us=50&channels=1&warmup_ppm=3", path.display());
    let events = run(&uri, &clock, 1_500);
    let timeline = timeline(&path);
    let errors: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            SinkEvent::Stamp { frame, at } => {
                let truth = clock.warp(Timestamp::from_ns(true_ns(&timeline, frame.0).round() as i64));
                Some((*at - truth).as_us_f64())
            }
            _ => None,
        })
        .collect();
    let rms = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
    assert!(errors.len() > 50, "{} stamps", errors.len());
    // Five standard errors of a standard deviation either way.
    let slack = 5.0 / (2.0 * errors.len() as f64).sqrt();
    assert!((rms / 50.0 - 1.0).abs() < slack, "{rms} us rms of {} stamps", errors.len());
}

#[test]
fn a_hidden_delay_is_in_the_timeline_and_not_in_the_stamps() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let clock = local();
    let events = run(&format!("virtual:{}?hidden_ms=137&stamp_noise_us=0", path.display()), &clock, 2_000);
    let timeline = timeline(&path);
    let mut stamps = 0;
    for event in &events {
        if let SinkEvent::Stamp { frame, at } = event {
            let heard = clock.warp(Timestamp::from_ns(true_ns(&timeline, frame.0).round() as i64));
            // The local clock runs 40 ppm fast, so its 137 ms are 5.5 us longer.
            assert!(((heard - *at).as_us_f64() - 137_005.5).abs() < 1.0, "{:?}", heard - *at);
            stamps += 1;
        }
    }
    assert!(stamps > 10, "{stamps} stamps");
}

#[test]
fn a_recording_is_readable_while_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let sink = sink::open(&format!("virtual:{}", path.display()).parse().unwrap(), &local()).unwrap();
    let running = sink.start(Box::new(|_, out| out.fill(0.5)), rtrb::RingBuffer::new(8).0).unwrap();
    let readable = || hound::WavReader::open(&path).is_ok_and(|wav| wav.duration() > 0);
    let came = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        readable()
    });
    assert!(came, "no header after ten seconds");
    assert!(!timeline(&path).is_empty());
    drop(running);
}

#[test]
fn a_render_that_takes_too_long_is_an_underrun_and_the_card_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let sink =
        sink::open(&format!("virtual:{}?channels=1", path.display()).parse().unwrap(), &local()).unwrap();
    let (events_in, mut events) = rtrb::RingBuffer::new(1_000);
    let mut slow = true;
    let render = move |first: Frames, out: &mut [f32]| {
        if first.0 > 4_000 && std::mem::take(&mut slow) {
            std::thread::sleep(Duration::from_millis(100));
        }
        out.fill(1.0);
    };
    let running = sink.start(Box::new(render), events_in).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    running.stop();
    let missing = |event| if let SinkEvent::Xrun { missing, .. } = event { missing.0 } else { 0 };
    let missing: i64 = std::iter::from_fn(|| events.pop().ok()).map(missing).sum();
    // 100 ms are 4,800 frames, of which the buffer of 768 covered at most all.
    assert!(missing >= 4_800 - 768, "{missing}");
    let silent = samples(&path).iter().filter(|sample| **sample == 0.0).count() as i64;
    assert!(silent <= missing && silent >= missing - 512, "{silent} silent, {missing} reported");
}

#[test]
fn a_file_is_given_everything_that_was_rendered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    let events = run(&format!("wav:{}", path.display()), &local(), 400);
    let converted = samples(&path);
    let frames = converted.chunks_exact(2).enumerate();
    if !events.iter().any(|event| matches!(event, SinkEvent::Xrun { .. })) {
        assert!(frames.into_iter().all(|(n, frame)| frame == [(n + 1) as f32; 2]));
    }
    assert!(converted.len() > 2 * 4_800);
    assert!(!dir.path().join("a.wav.timeline.json").exists());
}

#[test]
fn nowhere_runs_and_stamps_as_a_card_does() {
    let events = run("null:?channels=1", &local(), 200);
    assert!(events.iter().any(|event| matches!(event, SinkEvent::Stamp { .. })));
}

#[test]
fn an_output_that_cannot_be_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let open = |uri: String| sink::open(&uri.parse().unwrap(), &local()).err().expect(&uri);
    let missing = dir.path().join("missing/a.wav");
    for (uri, named) in [
        (format!("wav:{}", missing.display()), "missing/a.wav: ENOENT"),
        (format!("virtual:{}", dir.path().display()), "directory"),
        ("bluetooth:AA:BB".to_owned(), "not built into"),
    ] {
        let error = open(uri);
        let said = error.to_string();
        assert!(said.contains(named) || matches!(error, SinkError::File { .. }), "{said}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn local() -> Clock<Local> {
    Clock::new("ppm=+40&offset_s=5".parse().unwrap())
}
