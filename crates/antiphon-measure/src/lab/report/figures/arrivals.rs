//! Impulse responses, one lane each, on one time axis, with their arrivals marked.

use super::{Figure, first_arrival_us, heard};
use crate::interpolate::resampled;
use crate::lab::measurement::{ChannelResult, Impulse, Measurement};
use crate::lab::report::axes::{Axis, Plot, plain};
use crate::lab::report::numbers::time;
use crate::lab::report::palette;
use crate::lab::report::svg::{Anchor, Svg, short};

/// What is drawn before the first arrival and after the last.
const BEFORE_MS: f64 = 1.0;
const AFTER_MS: f64 = 7.0;
/// Below this spread of arrivals the picture shows less time, so that the difference is seen.
const CLOSE_MS: f64 = 1.0;
const CLOSE_BEFORE_MS: f64 = 0.4;
const CLOSE_AFTER_MS: f64 = 1.6;
/// Points across: two for each unit of the picture.
const COLUMNS: usize = 616;
/// Characters of a name: beside it stands a time, within half the picture.
const NAME_LENGTH: usize = 12;
/// Later arrivals are marked, at most so many for a channel.
const MOST_ECHOES: usize = 6;

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let heard = heard(m);
    let first = first_arrival_us(&heard);
    let last = heard.iter().map(|(_, c)| c.arrival_us.value).fold(first, f64::max);
    let spread_ms = (last - first) / 1e3;
    if heard.is_empty() {
        return None;
    }
    let x = if spread_ms < CLOSE_MS {
        Axis::linear(-CLOSE_BEFORE_MS, spread_ms + CLOSE_AFTER_MS)
    } else {
        Axis::linear(-BEFORE_MS, spread_ms + AFTER_MS)
    };
    let lane = match heard.len() {
        0..=4 => 84.0,
        5..=8 => 56.0,
        _ => 40.0,
    };
    let plot = Plot { left: 8.0, width: 344.0, ..Plot::wide(6.0, lane * heard.len() as f64, x, x) };
    let about = format!("impulse responses of {} speakers with their arrivals marked", heard.len());
    let mut svg = Svg::new(plot.bottom() + 40.0, about);
    plot.grid_x(&mut svg, &x.ticks(5), plain);
    for (n, (index, channel)) in heard.iter().enumerate() {
        let band = Lane { plot, top: plot.top + lane * n as f64, height: lane };
        band.draw(&mut svg, *index, channel, (channel.arrival_us.value - first) / 1e3);
    }
    plot.titles(&mut svg, "milliseconds after the first arrival", "");
    Some(Figure { name: "arrivals", heading: "When each speaker is heard", svg, caption: caption() })
}

fn caption() -> String {
    "What the microphone would have recorded had each speaker played one short click, all at the same moment \
     (the impulse response). The upright line is where the direct sound arrives; what follows is the speaker and \
     the room. Small triangles mark later arrivals that stand out. Each curve is drawn to its own height."
        .to_owned()
}

/// One channel's place.
struct Lane {
    plot: Plot,
    top: f64,
    height: f64,
}

impl Lane {
    fn draw(&self, svg: &mut Svg, index: usize, channel: &ChannelResult, at_ms: f64) {
        let colour = palette::channel(index);
        let middle = self.top + self.height * 0.62;
        let x = self.plot.px(at_ms);
        svg.line((self.plot.left, middle), (self.plot.right(), middle), "s-rule", 1.0, "");
        svg.path(self.curve(&channel.impulse, at_ms, middle), &format!("s-{colour}"), 1.5, "");
        svg.line((x, self.top + 4.0), (x, self.top + self.height), "s-ink", 1.2, "4 2");
        self.echoes(svg, channel, at_ms, &colour);
        let said = match at_ms {
            0.0 => "first".to_owned(),
            ms => format!("+{}", time(ms * 1e3)),
        };
        let label = format!("{}: {said}", short(&channel.name, NAME_LENGTH));
        let class = format!("f-{colour} strong halo");
        if x < self.plot.left + self.plot.width / 2.0 {
            svg.text((x + 5.0, self.top + 14.0), Anchor::Start, &class, &label);
        } else {
            svg.text((x - 5.0, self.top + 14.0), Anchor::End, &class, &label);
        }
    }

    /// The response between its samples, against its own peak, where it is known.
    fn curve(&self, impulse: &Impulse, at_ms: f64, middle: f64) -> Vec<(f64, f64)> {
        let peak = impulse.samples.iter().filter(|x| x.is_finite()).fold(1e-12f32, |m, x| m.max(x.abs()));
        let per_column = (self.plot.x.value(1.0) - self.plot.x.value(0.0)) / (COLUMNS - 1) as f64;
        let ms = |n: usize| self.plot.x.value(0.0) + n as f64 * per_column;
        let position = |n: usize| (ms(n) - at_ms) * 48.0 - impulse.begin_us * 0.048;
        let known = |n: &usize| (0.0..impulse.samples.len() as f64).contains(&position(*n));
        let columns: Vec<usize> = (0..COLUMNS).filter(known).collect();
        let Some(&first) = columns.first() else { return vec![] };
        let values = if per_column * 48.0 > 1.0 {
            columns.iter().map(|&n| widest(&impulse.samples, position(n), position(n + 1))).collect()
        } else {
            resampled(&impulse.samples, columns.len(), |n| position(first + n))
        };
        let reach = self.height * 0.36;
        let point =
            |(n, value): (&usize, f32)| (self.plot.px(ms(*n)), middle - reach * f64::from(value / peak));
        columns.iter().zip(values).map(point).collect()
    }

    fn echoes(&self, svg: &mut Svg, channel: &ChannelResult, at_ms: f64, colour: &str) {
        let places =
            channel.echoes.iter().map(|e| at_ms + e.after_us / 1e3).filter(|ms| self.plot.x.contains(*ms));
        for ms in places.take(MOST_ECHOES) {
            let (x, y) = (self.plot.px(ms), self.top + self.height - 2.0);
            svg.polygon(&[(x - 3.5, y), (x + 3.5, y), (x, y - 7.0)], &format!("f-{colour}"));
        }
    }
}

/// The sample of the greatest magnitude between two positions: no peak is lost between two columns.
fn widest(samples: &[f32], from: f64, to: f64) -> f32 {
    let begin = (from.max(0.0) as usize).min(samples.len());
    let end = (to.max(0.0).ceil() as usize).clamp(begin, samples.len());
    samples[begin..end].iter().copied().fold(0.0, |m, x| if x.abs() > f32::abs(m) { x } else { m })
}
