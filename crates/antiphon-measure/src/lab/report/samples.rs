//! Measurements to draw: two speakers, twenty, none.

use crate::dice::Dice;
use crate::lab::comb::{Sum, analyse};
use crate::lab::measurement::*;

/// A speaker of this name that arrives then: a click with a few reflections, in a little noise.
pub(super) fn channel(name: &str, arrival_us: f64, seed: u64) -> ChannelResult {
    let mut dice = Dice::new(seed);
    let mut samples: Vec<f32> = (0..48 * 40).map(|_| (0.004 * (dice.unit() - 0.5)) as f32).collect();
    let mut click = |at: f64, size: f64| {
        for (n, x) in samples.iter_mut().enumerate() {
            let t = (n as f64 - at) / 3.0;
            *x += (size * (1.0 - 2.0 * t * t) * (-t * t).exp()) as f32;
        }
    };
    click(240.0, 0.1);
    for n in 0..40 {
        let after = 60.0 + 1_500.0 * dice.unit();
        click(
            240.0 + after,
            0.05 * (dice.unit() - 0.5) * (-after / 500.0).exp() * if n < 4 { 3.0 } else { 1.0 },
        );
    }
    let hz = |n: i32| 297.3 * 2f64.powf(f64::from(n) / 6.0);
    let response = (0..35).map(|n| ResponsePoint {
        hz: hz(n),
        db: 3.0 * (f64::from(n) * 0.7 + seed as f64).sin() - 0.02 * f64::from((n - 14).pow(2)),
        snr_db: if n < 2 { 3.0 } else { 28.0 },
    });
    let track = (0..8).map(|n| TrackPoint {
        at_s: 2.8 + 1.365 * f64::from(n),
        shift_us: 6.0 * (dice.unit() - 0.5) + 1.2 * (f64::from(n) - 3.5),
        level_db: -32.0,
        coherence: 0.98,
    });
    ChannelResult {
        name: name.to_owned(),
        heard: true,
        arrival_us: Estimate { value: 812_000.0 + arrival_us, sd: 2.1 },
        level_db: -31.4 - 0.4 * seed as f64,
        polarity: Polarity::Normal,
        snr_db: 24.3,
        drift_ppm: Estimate { value: 0.3, sd: 0.2 },
        direct_to_reverb_db: 4.1,
        response: response.collect(),
        echoes: vec![Echo { after_us: 2_400.0, db: -8.0 }, Echo { after_us: 5_100.0, db: -11.0 }],
        impulse: Impulse { begin_us: -5_000.0, samples },
        track: track.collect(),
    }
}

pub(super) fn measurement(channels: Vec<ChannelResult>) -> Measurement {
    let mut pairs = vec![];
    for a in 0..channels.len() {
        for b in a + 1..channels.len() {
            pairs.push(pair(&channels, a, b));
        }
    }
    Measurement {
        recorder: RecorderResult {
            length_s: 21.3,
            begin_s: Some(3.21),
            ppm: Some(Estimate { value: 43.1, sd: 0.2 }),
            periods: 8,
            peak_dbfs: -14.2,
            noise_dbfs: -58.1,
        },
        channels,
        pairs,
        findings: vec![],
        grade: Grade::Good,
    }
}

fn pair(channels: &[ChannelResult], a: usize, b: usize) -> PairResult {
    let (first, second) = (&channels[a], &channels[b]);
    let delay_us = second.arrival_us.value - first.arrival_us.value;
    let level_diff_db = second.level_db - first.level_db;
    let sum = Sum { delay_us, level_diff_db, opposed: false };
    PairResult {
        a,
        b,
        delay_us: Estimate { value: delay_us, sd: 2.9 },
        level_diff_db,
        class: Class::of(delay_us),
        comb: analyse(sum, &first.impulse, &second.impulse),
    }
}

/// Left and right, this far apart.
pub(super) fn two(delay_us: f64) -> Measurement {
    measurement(vec![channel("left", 0.0, 1), channel("right", delay_us, 2)])
}

/// Speakers all over a house.
pub(super) fn many(count: u32) -> Measurement {
    let arrival = |n: u32| f64::from(n * n % 17) * 611.0;
    measurement((0..count).map(|n| channel(&format!("speaker {n}"), arrival(n), u64::from(n))).collect())
}

pub(super) fn with(mut m: Measurement, kind: FindingKind, severity: Severity, message: &str) -> Measurement {
    m.findings.push(Finding { kind, severity, message: message.to_owned() });
    m.grade = match severity {
        Severity::Refusal => Grade::NotTrustworthy,
        Severity::Doubt => Grade::Usable,
        Severity::Note => m.grade,
    };
    m
}

/// A recording in which there was nothing.
pub(super) fn nothing() -> Measurement {
    let silent = |name: &str| ChannelResult {
        name: name.to_owned(),
        heard: false,
        arrival_us: Estimate::default(),
        level_db: 0.0,
        polarity: Polarity::Unclear,
        snr_db: 0.0,
        drift_ppm: Estimate::default(),
        direct_to_reverb_db: 0.0,
        response: vec![],
        echoes: vec![],
        impulse: Impulse::default(),
        track: vec![],
    };
    let mut m = measurement(vec![silent("left"), silent("right")]);
    m.recorder = RecorderResult {
        length_s: 12.0,
        peak_dbfs: f64::NEG_INFINITY,
        noise_dbfs: f64::NEG_INFINITY,
        ..Default::default()
    };
    m.pairs.clear();
    with(
        m,
        FindingKind::Silence,
        Severity::Refusal,
        "The recording is silent. See that the microphone is on and allowed to record, then record again.",
    )
}
