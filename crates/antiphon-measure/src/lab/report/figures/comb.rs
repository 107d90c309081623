//! The comb of the pair that is furthest apart: as delay and level predict it, and as measured.

use super::Figure;
use crate::lab::classes::COMB_BAND_HZ;
use crate::lab::comb::{CurvePoint, Sum, curve};
use crate::lab::measurement::{Measurement, PairResult, Polarity};
use crate::lab::report::axes::{Axis, Plot, plain};
use crate::lab::report::svg::{Anchor, Svg};
use crate::lab::report::words::{names, worst_pair};

const LOWEST_DB: f64 = -30.0;
/// Above so many notches only a part of the band is drawn: they would run into one another.
const MOST_DRAWN: f64 = 20.0;
/// Enough that every notch is drawn to its ground.
const POINTS: usize = 1_000;

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let pair = worst_pair(m).filter(|p| p.delay_us.value.is_finite())?;
    let (a, b) = (m.channels.get(pair.a)?, m.channels.get(pair.b)?);
    let sum = sum(m, pair)?;
    let band = drawn_hz(pair);
    let frequencies = (0..POINTS).map(|n| band.0 + (band.1 - band.0) * n as f64 / (POINTS - 1) as f64);
    let points = curve(sum, &a.impulse, &b.impulse, frequencies);
    let svg = draw(&points, pair, band);
    Some(Figure {
        name: "comb",
        heading: "What both do to a voice",
        svg,
        caption: caption(m, pair, &points, band),
    })
}

fn sum(m: &Measurement, pair: &PairResult) -> Option<Sum> {
    let (a, b) = (m.channels.get(pair.a)?.polarity, m.channels.get(pair.b)?.polarity);
    let opposed = a != b && a != Polarity::Unclear && b != Polarity::Unclear;
    Some(Sum { delay_us: pair.delay_us.value, level_diff_db: pair.level_diff_db, opposed })
}

fn drawn_hz(pair: &PairResult) -> (f64, f64) {
    let spacing_hz = 1e6 / pair.delay_us.value.abs().max(1e-3);
    let all = COMB_BAND_HZ.1 - COMB_BAND_HZ.0;
    let half = (spacing_hz * MOST_DRAWN / 2.0).min(all);
    if half * 2.0 >= all { COMB_BAND_HZ } else { (1_000.0 - half, 1_000.0 + half) }
}

fn draw(points: &[CurvePoint], pair: &PairResult, band: (f64, f64)) -> Svg {
    let plot = Plot::wide(64.0, 170.0, Axis::linear(band.0, band.1), Axis::linear(LOWEST_DB, 0.0));
    let mut svg = Svg::new(plot.bottom() + 40.0, format!("comb filtering with {} notches", pair.comb.count));
    plot.grid_x(&mut svg, &plot.x.ticks(4), plain);
    plot.grid_y(&mut svg, &[-30.0, -20.0, -10.0, 0.0], plain);
    plot.titles(&mut svg, "frequency, Hz", "dB");
    let line = |db: fn(&CurvePoint) -> f64| points.iter().map(move |p| plot.at(p.hz, plot.y.clamp(db(p))));
    svg.path(line(|p| p.measured_db.unwrap_or(f64::NAN)), "s-ch2", 2.0, "");
    svg.path(line(|p| p.predicted_db), "s-soft", 1.6, "5 3");
    let all_are_listed = pair.comb.count == pair.comb.notches.len();
    for notch in pair.comb.notches.iter().filter(|n| all_are_listed && plot.x.contains(n.hz)) {
        let x = plot.px(notch.hz);
        let tip = plot.top - 2.0;
        svg.polygon(&[(x - 3.5, tip - 7.0), (x + 3.5, tip - 7.0), (x, tip)], "f-ink");
    }
    for (x, class, dash, name) in [(40.0, "soft", "5 3", "predicted"), (170.0, "ch2", "", "measured")] {
        svg.line((x, 14.0), (x + 26.0, 14.0), &format!("s-{class}"), 2.4, dash);
        svg.text((x + 32.0, 18.0), Anchor::Start, &format!("f-{class} strong"), name);
    }
    svg
}

fn caption(m: &Measurement, pair: &PairResult, points: &[CurvePoint], band: (f64, f64)) -> String {
    let (a, b) = names(m, pair);
    let count = match pair.comb.count {
        0 => format!("{a} and {b} cut no notch between 500 Hz and 2 kHz: a voice in the middle stays whole."),
        1 => format!("{a} and {b} cut one notch between 500 Hz and 2 kHz out of a sound that both play."),
        n => format!("{a} and {b} cut {n} notches between 500 Hz and 2 kHz out of a sound that both play."),
    };
    let turned = if sum(m, pair).is_some_and(|sum| sum.opposed) {
        " One speaker pulls where the other pushes, so notches lie where peaks should be."
    } else {
        ""
    };
    let triangles = if pair.comb.count == pair.comb.notches.len() {
        ", the small triangles say where the delay puts them"
    } else {
        ""
    };
    let part = if band == COMB_BAND_HZ { "" } else { " Only a part of them is drawn." };
    let measured = if points.iter().any(|p| p.measured_db.is_some()) {
        " Measured: both impulse responses added, from 1 ms before to 5 ms after each arrival. Reflections that come \
         later blur the notches, differently in every chair, and are not in it."
    } else {
        " There is no measured curve: noise covers it."
    };
    format!(
        "{count}{part}{turned} Notches are valleys in the curve{triangles}; 0 dB is both \
         speakers in step. Predicted: from delay and level alone.{measured}"
    )
}
