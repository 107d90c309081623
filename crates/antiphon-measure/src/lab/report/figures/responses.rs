//! Magnitude over frequency, of each speaker.

use super::{Figure, MOST_IN_ONE, NAME_LENGTH, extremes, heard};
use crate::lab::measurement::{ChannelResult, Measurement, ResponsePoint};
use crate::lab::report::axes::{Axis, Plot, plain};
use crate::lab::report::numbers::hz;
use crate::lab::report::palette;
use crate::lab::report::svg::{Anchor, Svg, dash, short};

/// Where a response is less than this above the noise, it is not drawn.
const MIN_SNR_DB: f64 = 6.0;
const FREQUENCIES_HZ: [f64; 6] = [300.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0];
const BAND_HZ: (f64, f64) = (280.0, 17_000.0);
/// No speaker is worth drawing further down.
const LOWEST_DB: f64 = -40.0;
const HIGHEST_DB: f64 = 20.0;

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let heard: Vec<_> = heard(m).into_iter().filter(|(_, c)| drawn(c).next().is_some()).collect();
    let (low, high) = extremes(heard.iter().flat_map(|(_, c)| drawn(c).map(|p| p.db)))?;
    let low = ((low / 10.0).floor() * 10.0).clamp(LOWEST_DB, -10.0);
    let high = ((high / 10.0).ceil() * 10.0).clamp(10.0, HIGHEST_DB);
    let y = Axis::linear(low, high);
    let svg = if heard.len() <= MOST_IN_ONE { one_frame(&heard, y) } else { small_frames(&heard, y) };
    let caption = format!(
        "How loud each speaker is at low (left) and high (right) tones, the room included. Two speakers of a pair \
         should look alike; where a curve falls, those tones are missing. 0 dB is the speaker's own mean from 500 Hz to \
         8 kHz. Where noise covers it, no curve is drawn.{}",
        if heard.len() > MOST_IN_ONE { " Grey: the mean of all." } else { "" }
    );
    Some(Figure { name: "responses", heading: "How each speaker sounds", svg, caption })
}

/// What is far enough above the noise.
fn drawn(channel: &ChannelResult) -> impl Iterator<Item = &ResponsePoint> {
    let known = |p: &&ResponsePoint| p.db.is_finite() && p.snr_db >= MIN_SNR_DB && within(p.hz);
    channel.response.iter().filter(known)
}

fn within(hz: f64) -> bool {
    (BAND_HZ.0..=BAND_HZ.1).contains(&hz)
}

fn frequencies() -> Axis {
    Axis::logarithmic(BAND_HZ.0, BAND_HZ.1)
}

/// The curve; a point that noise covers breaks it.
fn curve(plot: &Plot, channel: &ChannelResult) -> Vec<(f64, f64)> {
    let point = |p: &ResponsePoint| {
        let db = if p.snr_db >= MIN_SNR_DB && p.db.is_finite() { plot.y.clamp(p.db) } else { f64::NAN };
        plot.at(p.hz, db)
    };
    channel.response.iter().filter(|p| within(p.hz)).map(point).collect()
}

fn one_frame(heard: &[(usize, &ChannelResult)], y: Axis) -> Svg {
    let rows = heard.len().div_ceil(2) as f64;
    let plot = Plot::wide(22.0 + 20.0 * rows, 190.0, frequencies(), y);
    let mut svg = Svg::new(plot.bottom() + 40.0, "loudness of each speaker over frequency");
    plot.grid_x(&mut svg, &FREQUENCIES_HZ, hz);
    plot.grid_y(&mut svg, &y.ticks(5), plain);
    plot.titles(&mut svg, "frequency, Hz", "dB");
    for (n, (index, channel)) in heard.iter().enumerate() {
        let colour = palette::channel(*index);
        svg.path(curve(&plot, channel), &format!("s-{colour}"), 2.2, dash(*index));
        let (x, y) = (40.0 + 160.0 * (n % 2) as f64, 16.0 + 20.0 * (n / 2) as f64);
        svg.line((x, y - 4.0), (x + 26.0, y - 4.0), &format!("s-{colour}"), 2.6, dash(*index));
        svg.text(
            (x + 32.0, y),
            Anchor::Start,
            &format!("f-{colour} strong"),
            &short(&channel.name, NAME_LENGTH),
        );
    }
    svg
}

fn small_frames(heard: &[(usize, &ChannelResult)], y: Axis) -> Svg {
    const ROW: f64 = 116.0;
    let rows = heard.len().div_ceil(2);
    let mean = mean(heard);
    let mut svg =
        Svg::new(ROW * rows as f64 + 22.0, "loudness of each speaker over frequency, one frame each");
    for (n, (index, channel)) in heard.iter().enumerate() {
        let (column, row) = ((n % 2) as f64, (n / 2) as f64);
        let plot = Plot {
            left: 30.0 + 172.0 * column,
            width: 150.0,
            ..Plot::wide(20.0 + ROW * row, 72.0, frequencies(), y)
        };
        plot.grid_x(&mut svg, &[500.0, 2_000.0, 8_000.0], hz);
        plot.grid_y(&mut svg, &y.ticks(3), plain);
        svg.path(mean.iter().map(|&(hz, db)| plot.at(hz, plot.y.clamp(db))), "s-soft", 1.2, "");
        svg.path(curve(&plot, channel), &format!("s-{}", palette::channel(*index)), 2.0, "");
        let class = format!("f-{} strong", palette::channel(*index));
        svg.text((plot.left, plot.top - 6.0), Anchor::Start, &class, &short(&channel.name, NAME_LENGTH));
    }
    svg.text((WIDTH_END, ROW * rows as f64 + 16.0), Anchor::End, "f-soft", "dB over Hz");
    svg
}

const WIDTH_END: f64 = 358.0;

/// The mean of all at the first one's frequencies, as far as they share them.
fn mean(heard: &[(usize, &ChannelResult)]) -> Vec<(f64, f64)> {
    let Some((_, first)) = heard.first() else { return vec![] };
    let at = |point: &ResponsePoint| {
        let near = |p: &&ResponsePoint| (p.hz / point.hz - 1.0).abs() < 1e-3;
        let values: Vec<f64> = heard.iter().filter_map(|(_, c)| drawn(c).find(near)).map(|p| p.db).collect();
        (point.hz, values.iter().sum::<f64>() / values.len() as f64)
    };
    first.response.iter().filter(|p| within(p.hz)).map(at).collect()
}
