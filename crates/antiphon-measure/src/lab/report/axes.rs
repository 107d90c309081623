//! A plot's frame: where values lie, and the lines and numbers that say so.

use super::svg::{Anchor, Svg, WIDTH};

/// One direction of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    /// From `from` to `to`, evenly; never empty, and 0 to 1 for what are not numbers.
    pub fn linear(from: f64, to: f64) -> Self {
        let (from, to) = if from.is_finite() && to.is_finite() { (from, to) } else { (0.0, 1.0) };
        Self { from, to: if to > from { to } else { from + 1.0 }, logarithmic: false }
    }

    /// From `from` to `to`, both above 0, by ratio.
    pub fn logarithmic(from: f64, to: f64) -> Self {
        Self { from, to, logarithmic: true }
    }

    /// 0 at the begin, 1 at the end.
    pub fn part(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// The value at this part of an even axis.
    pub fn value(&self, part: f64) -> f64 {
        self.from + (self.to - self.from) * part
    }

    pub fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.from, self.to)
    }

    pub fn contains(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    /// About `count` round values within.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        let step = round_step((self.to - self.from) / count as f64);
        let first = (self.from / step - 1e-9).ceil() as i64;
        // Far fewer than this fit; a bound for spans that are not numbers.
        (0..50).map(|n| (first + n) as f64 * step).take_while(|x| *x <= self.to + step * 1e-9).collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0].map(|m| m * decade).into_iter().find(|s| *s >= step * 0.999).unwrap_or(10.0 * decade)
}

/// A plot within a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plot {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Plot {
    /// As wide as a picture, with room for numbers on the left and below.
    pub fn wide(top: f64, height: f64, x: Axis, y: Axis) -> Self {
        Self { left: 40.0, top, width: WIDTH - 52.0, height, x, y }
    }

    pub fn px(&self, x: f64) -> f64 {
        self.left + self.width * self.x.part(x)
    }

    pub fn py(&self, y: f64) -> f64 {
        self.top + self.height * (1.0 - self.y.part(y))
    }

    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.px(x), self.py(y))
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Lines and numbers across, at these values.
    pub fn grid_y(&self, svg: &mut Svg, ticks: &[f64], name: impl Fn(f64) -> String) {
        for &y in ticks.iter().filter(|y| self.y.contains(**y)) {
            svg.line((self.left, self.py(y)), (self.right(), self.py(y)), "s-rule", 1.0, "");
            svg.text((self.left - 5.0, self.py(y) + 4.0), Anchor::End, "f-soft", &name(y));
        }
    }

    /// Lines and numbers along, at these values.
    pub fn grid_x(&self, svg: &mut Svg, ticks: &[f64], name: impl Fn(f64) -> String) {
        for &x in ticks.iter().filter(|x| self.x.contains(**x)) {
            svg.line((self.px(x), self.top), (self.px(x), self.bottom()), "s-rule", 1.0, "");
            let anchor = if self.px(x) > WIDTH - 24.0 { Anchor::End } else { Anchor::Middle };
            svg.text((self.px(x).min(WIDTH - 2.0), self.bottom() + 15.0), anchor, "f-soft", &name(x));
        }
    }

    /// What the axes are.
    pub fn titles(&self, svg: &mut Svg, x: &str, y: &str) {
        svg.text((self.right(), self.bottom() + 32.0), Anchor::End, "f-soft", x);
        svg.text((2.0, self.top - 9.0), Anchor::Start, "f-soft", y);
    }
}

/// A number without needless zeros, with a true minus.
pub(super) fn plain(x: f64) -> String {
    let text = format!("{:.3}", x);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Axis::linear(-0.3, 1.1).ticks(4), [0.0, 0.5, 1.0]);
        assert_eq!(Axis::linear(0.0, 137.0).ticks(5), [0.0, 50.0, 100.0]);
        assert_eq!(Axis::linear(5.0, 5.0).ticks(2), [5.0, 5.5, 6.0]);
        assert!(Axis::linear(f64::NAN, 1.0).ticks(5).len() <= 50);
    }

    #[test]
    fn numbers_have_a_minus_and_no_needless_zeros() {
        assert_eq!(plain(-2.50), "\u{2212}2.5");
        assert_eq!(plain(100.0), "100");
        assert_eq!(plain(-0.0001), "0");
    }
}
