use std::sync::OnceLock;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::*;

const RATE: f64 = RATE_HZ as f64;

/// All samples of a track, rendered once for all tests.
fn rendered(track: TestTrack) -> &'static [f32] {
    static RENDERED: [OnceLock<Vec<f32>>; TestTrack::ALL.len()] =
        [const { OnceLock::new() }; TestTrack::ALL.len()];
    RENDERED[track as usize].get_or_init(|| track.render())
}

/// Left and right of one section.
fn section(track: TestTrack, index: usize) -> [Vec<f64>; 2] {
    let section = track.spec().sections[index];
    let begin = (section.begin_s * RATE).round() as usize;
    let length = (section.length_s * RATE).round() as usize;
    let samples = rendered(track);
    let side = |c: usize| (begin..begin + length).map(|n| f64::from(samples[2 * n + c])).collect();
    [side(0), side(1)]
}

fn rms(sound: &[f64]) -> f64 {
    (sound.iter().map(|x| x * x).sum::<f64>() / sound.len() as f64).sqrt()
}

fn db(x: f64) -> f64 {
    20.0 * x.log10()
}

fn spectrum(sound: &[f64], length: usize) -> Vec<Complex<f64>> {
    let mut input = sound.to_vec();
    input.resize(length, 0.0);
    let forward = RealFftPlanner::new().plan_fft_forward(length);
    let mut lines = forward.make_output_vec();
    forward.process(&mut input, &mut lines).unwrap();
    lines
}

/// Part of the power within a band.
fn share(sound: &[f64], band_hz: std::ops::RangeInclusive<f64>) -> f64 {
    let length = sound.len().next_power_of_two();
    let power: Vec<f64> = spectrum(sound, length).iter().map(|line| line.norm_sqr()).collect();
    let hz = |k: usize| k as f64 * RATE / length as f64;
    let within: f64 = (0..power.len()).filter(|&k| band_hz.contains(&hz(k))).map(|k| power[k]).sum();
    within / power.iter().sum::<f64>()
}

fn correlation([a, b]: &[Vec<f64>; 2]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / (rms(a) * rms(b) * a.len() as f64)
}

/// Where the sound is strongest, second by second, in Hz.
fn loudest_hz(sound: &[f64]) -> f64 {
    let length = sound.len().next_power_of_two();
    let lines = spectrum(sound, length);
    let k = (0..lines.len()).max_by(|&a, &b| lines[a].norm().total_cmp(&lines[b].norm())).unwrap();
    k as f64 * RATE / length as f64
}

#[test]
fn a_track_is_the_same_every_time_and_as_long_as_it_says() {
    for track in TestTrack::ALL {
        let (spec, samples) = (track.spec(), rendered(track));
        assert_eq!(samples.len(), spec.channels * spec.frames, "{track:?}");
        assert!(spec.frames < 1 << 22, "{track:?}");
        assert_eq!(samples, track.render(), "{track:?}");
        assert_eq!(track.name().parse(), Ok(track));
    }
    let error = "combe".parse::<TestTrack>().unwrap_err().to_string();
    assert!(TestTrack::ALL.iter().all(|track| error.contains(track.name())), "{error}");
}

#[test]
fn the_page_on_signals_states_lengths_and_levels_as_the_tracks_do() {
    let page = include_str!("../../../../../docs/signals.md");
    for track in TestTrack::ALL {
        let (name, spec) = (track.name(), track.spec());
        let length_s = spec.frames as f64 / RATE;
        let [left, right] = spec.rms_dbfs;
        let digits = if track == TestTrack::Measure { 2 } else { 1 };
        let row =
            format!("| `{name}` | {length_s:.digits$} s | {:.1} | {left:.1}, {right:.1} |", spec.peak_dbfs);
        assert!(page.contains(&row), "docs/signals.md lacks {row}");
    }
}

#[test]
fn levels_are_as_stated() {
    let mut wrong = vec![];
    for track in TestTrack::ALL {
        let (spec, samples) = (track.spec(), rendered(track));
        let peak = db(samples.iter().fold(0.0, |m, &x| f64::max(m, f64::from(x.abs()))));
        let side = |c: usize| samples.iter().skip(c).step_by(2).map(|&x| f64::from(x)).collect::<Vec<_>>();
        let levels = [0, 1].map(|channel| db(rms(&side(channel))));
        let near = levels.iter().zip(spec.rms_dbfs).all(|(level, stated)| (level - stated).abs() < 0.06);
        if !near || peak > spec.peak_dbfs || peak < spec.peak_dbfs - 0.5 {
            wrong.push(format!("{track:?}: peak {peak:.2}, rms {levels:.2?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_track_begins_with_silence_and_its_first_tenth_of_a_second_is_quiet() {
    for track in TestTrack::ALL {
        let samples = rendered(track);
        assert!(samples[..2 * 24_000].iter().all(|&x| x == 0.0), "{track:?}");
        let first = samples[2 * 24_000..2 * 28_800].iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let quiet_db = db(f64::from(first)) - track.spec().peak_dbfs;
        assert!(quiet_db < -20.0, "{track:?}: {quiet_db}");
        assert!(samples.iter().rev().take(2 * 24_000).all(|&x| x == 0.0), "{track:?}");
    }
}

#[test]
fn sections_follow_each_other_and_between_them_is_silence() {
    for track in TestTrack::ALL {
        let samples = rendered(track);
        let sections = track.spec().sections;
        if track == TestTrack::Measure {
            // One sound that grows, stays and fades.
            continue;
        }
        for pair in sections.windows(2) {
            let end_s = pair[0].begin_s + pair[0].length_s;
            assert!((pair[1].begin_s - end_s - 0.5).abs() < 1e-9, "{track:?}");
            let frame = |s: f64| (s * RATE).round() as usize;
            let gap = &samples[2 * frame(end_s)..2 * frame(pair[1].begin_s)];
            assert!(gap.iter().all(|&x| x == 0.0), "{track:?} at {end_s} s");
        }
    }
}

#[test]
fn nothing_but_the_clicks_clicks() {
    let others = |&track: &TestTrack| !matches!(track, TestTrack::Click | TestTrack::Measure);
    for track in TestTrack::ALL.into_iter().filter(others) {
        for section in track.spec().sections {
            let samples = rendered(track);
            let begin = (section.begin_s * RATE).round() as usize;
            let end = begin + (section.length_s * RATE).round() as usize;
            // A sound that came or went at once would jump within these frames.
            for frame in (begin..begin + 4).chain(end - 4..end) {
                let edge = samples[2 * frame].abs().max(samples[2 * frame + 1].abs());
                assert!(db(f64::from(edge)) < -55.0, "{track:?} {} frame {frame}: {edge}", section.heard);
            }
        }
    }
}

#[test]
fn the_width_track_stands_where_it_says() {
    let level = |index: usize| section(TestTrack::Width, index).map(|side| db(rms(&side).max(1e-12)));
    let [left, right] = level(0);
    assert!(left > -30.0 && right < -200.0);
    let [left, right] = level(1);
    assert!(left < -200.0 && right > -30.0);
    for (index, expected) in [(2, 1.0), (4, -1.0), (5, 1.0)] {
        let sides = section(TestTrack::Width, index);
        assert!((correlation(&sides) - expected).abs() < 1e-9, "section {index}");
        assert!((rms(&sides[0]) / rms(&sides[1]) - 1.0).abs() < 1e-9);
    }
    // Half way through the way there it is in the middle, at its turn on the right.
    let [left, right] = section(TestTrack::Width, 3);
    let ratio_db = |at_s: f64| {
        let frames = ((at_s - 0.1) * RATE) as usize..((at_s + 0.1) * RATE) as usize;
        db(rms(&right[frames.clone()]) / rms(&left[frames]))
    };
    assert!(ratio_db(0.3) < -20.0 && ratio_db(8.2) < -20.0);
    assert!(ratio_db(4.25) > 20.0);
    assert!(ratio_db(8.5 / 4.0).abs() < 2.0 && ratio_db(8.5 * 0.75).abs() < 2.0);
}

#[test]
fn the_width_track_lies_between_200_hz_and_8_khz() {
    for index in 1..6 {
        let [_, right] = section(TestTrack::Width, index);
        let within = share(&right, 200.0..=8_000.0);
        assert!(within > 0.999, "section {index}: {within}");
        let high = share(&right, 1_500.0..=8_000.0);
        assert!(high > 0.02, "too dull to be placed, section {index}: {high}");
    }
}

#[test]
fn one_low_beep_is_left_and_two_high_ones_are_right() {
    let spec = TestTrack::Identify.spec();
    assert_eq!(spec.sections.len(), 12);
    for (index, stated) in spec.sections.iter().enumerate() {
        let [left, right] = section(TestTrack::Identify, index);
        let (own, other) = if stated.heard.starts_with("left") { (left, right) } else { (right, left) };
        assert!(other.iter().all(|&x| x == 0.0), "section {index}");
        let beeps = own.chunks(480).map(|c| rms(c) > 1e-3).collect::<Vec<_>>();
        let count = beeps.windows(2).filter(|w| !w[0] && w[1]).count() + usize::from(beeps[0]);
        let (expected, hz) = if index % 2 == 0 { (1, 392.0) } else { (2, 1_174.66) };
        assert_eq!(count, expected, "section {index}");
        assert!((loudest_hz(&own) - hz).abs() < 3.0, "section {index}: {}", loudest_hz(&own));
    }
}

#[test]
fn the_comb_track_rises_evenly_from_500_hz_to_2_khz() {
    let [left, right] = section(TestTrack::Comb, 2);
    assert_eq!(left, right);
    for second in 0..10 {
        let middle = 500.0 + 150.0 * (second as f64 + 0.5);
        let piece = &left[second * 48_000..(second + 1) * 48_000];
        let within = share(piece, middle - 85.0..=middle + 85.0);
        assert!(within > 0.97, "second {second}: {within}");
    }
    assert!(share(&left, 490.0..=2_010.0) > 0.999);
    let [left, right] = section(TestTrack::Comb, 0);
    assert!(rms(&left) > 0.05 && rms(&right) == 0.0);
}

#[test]
fn on_speakers_11_ms_apart_the_comb_track_fades_1_7_times_a_second() {
    let [left, _] = section(TestTrack::Comb, 2);
    let late = (11.3e-3 * RATE).round() as usize;
    let heard: Vec<f64> = (late..left.len()).map(|n| left[n] + left[n - late]).collect();
    let levels: Vec<f64> = heard.chunks(480).map(rms).collect();
    let dips = levels.windows(3).filter(|w| w[1] < w[0] && w[1] <= w[2] && w[1] < 0.05).count();
    assert_eq!(dips, 17, "as many as notches lie between 500 Hz and 2 kHz");
}

#[test]
fn pink_noise_falls_by_three_decibels_an_octave() {
    let [left, _] = section(TestTrack::Pink, 1);
    let octaves: Vec<f64> =
        (0..8).map(|n| 62.5 * 2f64.powi(n)).map(|hz| 10.0 * share(&left, hz..=2.0 * hz).log10()).collect();
    let mean = octaves.iter().sum::<f64>() / 8.0;
    for (n, level) in octaves.iter().enumerate() {
        // An octave from 62.5 Hz has 500 lines in 8 s of noise: 0.2 dB by chance.
        assert!((level - mean).abs() < 0.8, "octave {n}: {level} against {mean}");
    }
    assert!(share(&left, 39.0..=16_010.0) > 0.999);
}

#[test]
fn pink_noise_is_the_same_on_both_sides_where_it_says_so_and_unlike_elsewhere() {
    for index in 0..4 {
        let rho = correlation(&section(TestTrack::Pink, index));
        let expected = if index % 2 == 0 { 1.0 } else { 0.0 };
        assert!((rho - expected).abs() < 0.03, "section {index}: {rho}");
    }
}

/// `a` and `b` convolved.
fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let length = (a.len() + b.len()).next_power_of_two();
    let (a, b) = (spectrum(a, length), spectrum(b, length));
    let mut product: Vec<Complex<f64>> = a.iter().zip(b).map(|(x, y)| x * y / length as f64).collect();
    // A line that is its own mirror image has no imaginary part.
    product[0].im = 0.0;
    product[length / 2].im = 0.0;
    let mut out = vec![0.0; length];
    RealFftPlanner::new().plan_fft_inverse(length).process(&mut product, &mut out).unwrap();
    out
}

#[test]
fn the_sweep_and_its_inverse_make_a_click_that_is_flat_from_20_hz_to_20_khz() {
    let [sweep, _] = section(TestTrack::Sweep, 0);
    let inverse: Vec<f64> = sweep::inverse().into_iter().map(f64::from).collect();
    let out = convolved(&sweep, &inverse);
    let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs())).unwrap();
    assert_eq!(peak, inverse.len() - 1);
    let length = out.len();
    let lines = spectrum(&out, length);
    let hz = |k: usize| k as f64 * RATE / length as f64;
    for k in (0..lines.len()).filter(|&k| (22.0..=19_500.0).contains(&hz(k))) {
        let level = db(lines[k].norm());
        assert!(level.abs() < 0.25, "{} Hz: {level} dB", hz(k));
    }
}

#[test]
fn the_sweep_passes_1_khz_when_its_formula_says() {
    let [sweep, _] = section(TestTrack::Sweep, 0);
    // 20 Hz times 50, one second after the begin and then ln(50) / R.
    let at = ((1.0 + 50f64.ln() / 0.575_65) * RATE).round() as usize;
    let crossings = sweep[at - 2_400..at + 2_400].windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
    assert!((99..=101).contains(&crossings), "0.1 s of 1 kHz: {crossings}");
}

#[test]
fn distortion_stands_apart_before_the_sweeps_response() {
    let [sweep, _] = section(TestTrack::Sweep, 0);
    let inverse: Vec<f64> = sweep::inverse().into_iter().map(f64::from).collect();
    let bent: Vec<f64> = sweep.iter().map(|x| x + 0.8 * x * x).collect();
    let out = convolved(&bent, &inverse);
    let early = (2f64.ln() / sweep::RATE_PER_S * RATE).round() as usize;
    let expected = inverse.len() - 1 - early;
    let near = |n: usize| out[n - 24..n + 24].iter().fold(0.0f64, |m, x| m.max(x.abs()));
    assert!(near(expected) > 20.0 * near(expected - 4_800), "second harmonic, 1.2 s early");
    assert!(near(expected) > 20.0 * near(expected + 4_800));
}

#[test]
fn clicks_come_once_a_second_within_their_band() {
    let [left, right] = section(TestTrack::Click, 2);
    assert_eq!(left, right);
    for second in 0..8 {
        let piece = &left[second * 48_000..(second + 1) * 48_000];
        let peak = (0..piece.len()).max_by(|&a, &b| piece[a].abs().total_cmp(&piece[b].abs())).unwrap();
        assert_eq!(peak, 24_000);
        let energy = |range: std::ops::Range<usize>| piece[range].iter().map(|x| x * x).sum::<f64>();
        assert!(energy(23_988..24_013) > 0.999 * energy(0..48_000), "half a millisecond holds it all");
    }
    assert!(share(&left, 1_000.0..=9_000.0) > 0.95);
    assert!(share(&left, 0.0..=100.0) < 1e-6);
}
