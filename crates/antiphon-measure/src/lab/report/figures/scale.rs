//! The delay among what ears notice, on a scale of ratios.

use super::{Figure, NAME_LENGTH};
use crate::lab::classes::{CLAIMED_TWS_US, ECHO_US, FUSED_US, SAME_ROOM_US, STEREO_PAIR_US, source_claim};
use crate::lab::measurement::{Class, Measurement, PairResult};
use crate::lab::report::axes::{Axis, plain};
use crate::lab::report::numbers::plus_minus_time;
use crate::lab::report::svg::{Anchor, Svg, WIDTH, short};
use crate::lab::report::words::{names, short_name, worst_pair};

const FROM_US: f64 = 8.0;
const TO_US: f64 = 250_000.0;
const BAND: (f64, f64) = (56.0, 40.0);
const CLASSES: [(Class, f64, f64); 5] = [
    (Class::StereoPair, FROM_US, STEREO_PAIR_US),
    (Class::SameRoom, STEREO_PAIR_US, SAME_ROOM_US),
    (Class::Fused, SAME_ROOM_US, FUSED_US),
    (Class::Colouring, FUSED_US, ECHO_US),
    (Class::Echo, ECHO_US, TO_US),
];

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let worst = worst_pair(m)?;
    let axis = Axis::logarithmic(FROM_US, TO_US);
    let x = |us: f64| 4.0 + (WIDTH - 8.0) * axis.part(axis.clamp(us.abs().max(FROM_US)));
    let (a, b) = names(m, worst);
    let said = plus_minus_time(worst.delay_us.value.abs(), worst.delay_us.half_95());
    let about = format!("{a} and {b} are {said} apart: {}", worst.class.meaning());
    let mut svg = Svg::new(164.0, about);
    bands(&mut svg, x);
    claim(&mut svg, x(CLAIMED_TWS_US));
    for pair in m.pairs.iter().filter(|p| *p != worst && p.delay_us.value.is_finite()).take(40) {
        pointer(&mut svg, x(pair.delay_us.value), "f-soft", 4.0);
    }
    let pair = format!("{} and {}", short(a, NAME_LENGTH), short(b, NAME_LENGTH));
    mark(&mut svg, x, worst, &pair, &said);
    let caption = format!(
        "How late one speaker is heard after the other, against what ears notice. {}",
        source_claim(worst.delay_us.value)
    );
    Some(Figure { name: "scale", heading: "How far apart", svg, caption })
}

fn bands(svg: &mut Svg, x: impl Fn(f64) -> f64) {
    for (n, (class, from, to)) in CLASSES.into_iter().enumerate() {
        svg.rect((x(from), BAND.0), (x(to) - x(from) - 1.0, BAND.1), &format!("f-band{n}"));
        let middle = (x(from) + x(to)) / 2.0;
        let name = short_name(class);
        match name.split_once(' ') {
            Some((above, below)) => {
                svg.text((middle, BAND.0 + 17.0), Anchor::Middle, "f-ink", above);
                svg.text((middle, BAND.0 + 32.0), Anchor::Middle, "f-ink", below);
            }
            None => svg.text((middle, BAND.0 + 25.0), Anchor::Middle, "f-ink", name),
        }
    }
    // Names lean away from those beside them, and from the source's bound.
    let bounds = [(STEREO_PAIR_US, -9.0), (SAME_ROOM_US, 9.0), (FUSED_US, 0.0), (ECHO_US, 14.0)];
    for (bound_us, lean) in bounds {
        let name = if bound_us < 100.0 {
            format!("{} \u{b5}s", plain(bound_us))
        } else {
            format!("{} ms", plain(bound_us / 1e3))
        };
        svg.text((x(bound_us) + lean, BAND.0 + BAND.1 + 16.0), Anchor::Middle, "f-soft", &name);
    }
}

/// The source's bound, told apart from ours: dashed, below the scale, in its own words.
fn claim(svg: &mut Svg, x: f64) {
    let y = BAND.0 + BAND.1;
    svg.line((x, y - 10.0), (x, y + 38.0), "s-ink", 1.5, "4 3");
    svg.text((x - 5.0, y + 38.0), Anchor::End, "f-ink", "a buyers\u{2019} guide says:");
    svg.text((x - 5.0, y + 55.0), Anchor::End, "f-ink", "\u{201c}TWS grade, < 12 ms\u{201d}");
}

fn mark(svg: &mut Svg, x: impl Fn(f64) -> f64, pair: &PairResult, names: &str, said: &str) {
    let (at, half) = (pair.delay_us.value.abs(), pair.delay_us.half_95());
    let (left, right) = (x((at - half).max(FROM_US)), x(at + half));
    if right - left > 6.0 {
        svg.line((left, 48.0), (right, 48.0), "s-ink", 3.0, "");
    }
    pointer(svg, x(at), "f-ink", 7.0);
    for (y, text) in [(13.0, names), (31.0, said)] {
        // A bold character is up to 9 wide: no text shall end beyond the picture.
        let half = (4.6 * text.chars().count() as f64).min(WIDTH / 2.0);
        svg.text((x(at).clamp(half, WIDTH - half), y), Anchor::Middle, "f-ink strong", text);
    }
}

fn pointer(svg: &mut Svg, x: f64, class: &str, size: f64) {
    let tip = BAND.0 - 1.0;
    svg.polygon(&[(x - size, tip - 2.0 * size), (x + size, tip - 2.0 * size), (x, tip)], class);
}
