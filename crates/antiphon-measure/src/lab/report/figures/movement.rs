//! How delays moved while the signal played, period by period.

use super::{Figure, MOST_IN_ONE, NAME_LENGTH, extremes, first_arrival_us, heard};
use crate::lab::measurement::{ChannelResult, Measurement};
use crate::lab::report::axes::{Axis, Plot, plain};
use crate::lab::report::palette;
use crate::lab::report::svg::{Anchor, Svg, dash, short};

/// The plot shows at least this much to each side: less is not heard.
const LEAST_US: f64 = 10.0;

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let heard = heard(m);
    let first = first_arrival_us(&heard);
    let (reference_index, reference) = *heard.iter().find(|(_, c)| c.arrival_us.value == first)?;
    let lines: Vec<_> = heard
        .iter()
        .filter(|(index, _)| *index != reference_index)
        .map(|(index, channel)| (*index, *channel, against(channel, reference)))
        .filter(|(_, _, points)| points.len() >= 2)
        .collect();
    let (_, end_s) = extremes(lines.iter().flat_map(|(_, _, points)| points.iter().map(|p| p.0)))?;
    let (low, high) = extremes(lines.iter().flat_map(|(_, _, points)| points.iter().map(|p| p.1)))?;
    let reach = high.max(-low).max(LEAST_US) * 1.15;
    let legend = if lines.len() <= MOST_IN_ONE { lines.len() } else { 0 };
    let plot = Plot::wide(
        28.0 + 20.0 * legend.div_ceil(2) as f64,
        150.0,
        Axis::linear(0.0, end_s * 1.05),
        Axis::linear(-reach, reach),
    );
    let mut svg = Svg::new(plot.bottom() + 40.0, "how the delays moved while the signal played");
    plot.grid_x(&mut svg, &plot.x.ticks(5), plain);
    plot.grid_y(&mut svg, &plot.y.ticks(4), plain);
    plot.titles(&mut svg, "seconds", "later, \u{b5}s");
    for (n, (index, channel, points)) in lines.iter().enumerate() {
        draw(&mut svg, &plot, *index, points, legend > 0);
        if n < legend {
            name(&mut svg, n, *index, &channel.name);
        }
    }
    let caption = format!(
        "How much each speaker moved against {}, around its mean delay, while the signal played. A level line is good; one that \
         slopes means that the speakers' clocks run apart; jumps mean dropouts or a player that corrects itself.",
        reference.name
    );
    Some(Figure { name: "delay-over-time", heading: "Did the delay stay the same?", svg, caption })
}

/// Shift of a channel less that of the reference, where both tell.
fn against(channel: &ChannelResult, reference: &ChannelResult) -> Vec<(f64, f64)> {
    let other = |at_s: f64| reference.track.iter().find(|p| (p.at_s - at_s).abs() < 0.1).map(|p| p.shift_us);
    let point = |p: &crate::lab::measurement::TrackPoint| Some((p.at_s, p.shift_us - other(p.at_s)?));
    let points = channel.track.iter().filter_map(point);
    points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

fn draw(svg: &mut Svg, plot: &Plot, index: usize, points: &[(f64, f64)], few: bool) {
    let line = format!("s-{}", palette::channel(index));
    let dash = if few { dash(index) } else { "" };
    svg.path(points.iter().map(|&(s, us)| plot.at(s, us)), &line, if few { 2.0 } else { 1.0 }, dash);
    if few {
        for &(s, us) in points.iter().take(400) {
            svg.circle(plot.at(s, us), 3.0, &format!("f-{}", palette::channel(index)), 0.0, "");
        }
    }
}

fn name(svg: &mut Svg, n: usize, index: usize, name: &str) {
    let colour = palette::channel(index);
    let (x, y) = (40.0 + 160.0 * (n % 2) as f64, 16.0 + 20.0 * (n / 2) as f64);
    svg.line((x, y - 4.0), (x + 26.0, y - 4.0), &format!("s-{colour}"), 2.6, dash(index));
    svg.text((x + 32.0, y), Anchor::Start, &format!("f-{colour} strong"), &short(name, NAME_LENGTH));
}
