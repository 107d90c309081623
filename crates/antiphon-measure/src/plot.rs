//! Spread over time, as an SVG picture.

use antiphon_base::{Timestamp, True};
use plotters::prelude::*;

use crate::spread::{Report, Stall, Window};

const SIZE: (u32, u32) = (1_000, 460);
const SPREAD: RGBColor = RGBColor(0, 90, 160);
const EXCUSED: RGBColor = RGBColor(150, 150, 150);
const MISSING: RGBColor = RGBColor(200, 40, 20);
const STALLED: RGBColor = RGBColor(250, 225, 170);
/// Heights of the vertical axis that read easily, in microseconds.
const SCALES_US: [f64; 12] = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 2e4, 1e5, 1e6];

/// The picture could not be drawn; the message says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot draw the plot: {0}")]
pub struct PlotError(String);

/// Draws every window's spread over true time since the first window. Stalls are shaded, excused
/// windows grey, windows that were not heard red marks at the bottom. The vertical axis is chosen
/// so that 98 of 100 windows fit, and what does not fit is drawn at its edge.
pub fn spread_over_time(title: &str, report: &Report, stalls: &[Stall]) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(&mut svg, title, report, stalls).map_err(|e| PlotError(e.to_string()))?;
    Ok(svg)
}

type DrawResult = Result<(), Box<dyn std::error::Error>>;

fn draw(svg: &mut String, title: &str, report: &Report, stalls: &[Stall]) -> DrawResult {
    let windows = &report.windows;
    let start = windows.first().map_or(report.origin, |w| w.at);
    let seconds = |at: Timestamp<True>| at.saturating_since(start).as_s_f64();
    let end = windows.last().map_or(1.0, |w| seconds(w.at)).max(1.0);
    let top = scale_us(windows);

    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(64)
        // Room above the points for the legend.
        .build_cartesian_2d(0.0..end, -top..top * 1.35)?;

    let shade = |s: &Stall| {
        // A stall of milliseconds in a plot of minutes is still a line that one can see.
        let (from, to) = (seconds(s.begin).clamp(0.0, end), seconds(s.end).clamp(0.0, end));
        Rectangle::new([(from, -top), (to.max(from + end / 1_000.0), top * 1.35)], STALLED.filled())
    };
    let within = |s: &&Stall| seconds(s.end) > 0.0 && seconds(s.begin) < end;
    chart.draw_series(stalls.iter().filter(within).map(shade))?;
    chart
        .configure_mesh()
        .x_desc("time since the first window, s")
        .y_desc("right later than left, µs")
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(&|y| format!("{y:+}"))
        .draw()?;

    let points = |excused: bool| {
        windows
            .iter()
            .filter(move |w| w.excused == excused)
            .filter_map(move |w| Some((seconds(w.at), w.spread_us()?.clamp(-top, top))))
    };
    let count = |excused: bool| points(excused).count();
    chart
        .draw_series(points(false).map(|p| Circle::new(p, 2, SPREAD.filled())))?
        .label(format!("spread: {} windows", count(false)))
        .legend(|(x, y)| Circle::new((x + 8, y), 3, SPREAD.filled()));
    if count(true) > 0 || !stalls.is_empty() {
        chart
            .draw_series(points(true).map(|p| Circle::new(p, 2, EXCUSED.filled())))?
            .label(format!("excused by a stall of the machine: {}", count(true)))
            .legend(|(x, y)| Rectangle::new([(x + 3, y - 5), (x + 13, y + 5)], STALLED.filled()));
    }
    let missing: Vec<f64> = windows.iter().filter(|w| w.is_not_heard()).map(|w| seconds(w.at)).collect();
    if !missing.is_empty() {
        chart
            .draw_series(missing.iter().map(|&x| TriangleMarker::new((x, -top * 0.97), 5, MISSING.filled())))?
            .label(format!("not heard: {}", missing.len()))
            .legend(|(x, y)| TriangleMarker::new((x + 8, y), 5, MISSING.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 13))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The smallest scale in which 98 of 100 windows fit.
fn scale_us(windows: &[Window]) -> f64 {
    let mut sizes: Vec<f64> = windows.iter().filter_map(|w| w.spread_us().map(f64::abs)).collect();
    sizes.sort_by(f64::total_cmp);
    let wanted = sizes.get(sizes.len() * 98 / 100).or(sizes.last()).copied().unwrap_or(0.0) * 1.1;
    SCALES_US.into_iter().find(|&s| s >= wanted).unwrap_or(1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spread::{Counts, Opening, Side};
    use crate::summary::Summary;
    use antiphon_base::Frames;

    fn window(n: i64, spread_us: Option<f64>, excused: bool) -> Window {
        let at_ns = n as f64 * 250e6;
        let right = match spread_us {
            Some(us) => Side::Heard { at_ns: at_ns + us * 1e3, quality: 1.0 },
            None => Side::NotHeard { quality: 0.1 },
        };
        Window {
            source_frame: Frames(n * 12_000),
            at: Timestamp::from_ns(n * 250_000_000),
            left: Side::Heard { at_ns, quality: 1.0 },
            right,
            excused,
        }
    }

    fn report() -> (Report, Vec<Stall>) {
        let windows = (0..480)
            .map(|n| {
                let wave = 6.0 * (n as f64 * 0.11).sin() + 3.0 * (n as f64 * 1.7).sin();
                match n {
                    100..=103 => window(n, Some(80.0 + wave), true),
                    300..=302 => window(n, None, false),
                    _ => window(n, Some(wave), false),
                }
            })
            .collect();
        let report = Report {
            origin: Timestamp::ZERO,
            windows,
            opening_windows: vec![],
            all: Summary::default(),
            unexcused: Summary::default(),
            counts: Counts::default(),
            excused_share: 0.0,
            opening: Opening::default(),
            programme_ppm: 0.0,
        };
        let stall =
            Stall { begin: Timestamp::from_ns(24_950_000_000), end: Timestamp::from_ns(25_800_000_000) };
        (report, vec![stall])
    }

    #[test]
    fn the_picture_names_its_axes_and_what_is_in_it() {
        let (report, stalls) = report();
        let svg = spread_over_time("Spread between left and right", &report, &stalls).unwrap();
        if let Some(path) = option_env!("ANTIPHON_KEEP_PLOT") {
            std::fs::write(path, &svg).unwrap();
        }
        for text in ["time since the first window, s", "right later than left, µs", "not heard: 3", "excused"]
        {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn a_report_without_windows_is_still_a_picture() {
        let (mut report, _) = report();
        report.windows.clear();
        assert!(spread_over_time("empty", &report, &[]).unwrap().contains("</svg>"));
    }
}
