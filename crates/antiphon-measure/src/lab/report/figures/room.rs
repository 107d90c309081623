//! Where the speakers may stand: as far as one microphone tells.
//!
//! It tells how much longer one way is than another, and nothing else: no direction and no distance.
//! So the picture has circles around the microphone, a speaker being somewhere on its own, and the
//! first circle's size is marked as unknown.

use super::{Figure, MOST_IN_ONE, NAME_LENGTH, first_arrival_us, heard};
use crate::lab::measurement::{ChannelResult, Estimate, Measurement, SOUND_M_S};
use crate::lab::report::numbers::{cm, time};
use crate::lab::report::palette;
use crate::lab::report::svg::{Anchor, Svg, WIDTH, dash, short};

const CENTRE: (f64, f64) = (180.0, 152.0);
const FIRST_RADIUS: f64 = 58.0;
const LAST_RADIUS: f64 = 140.0;
/// A way longer than this is longer than rooms are.
const ROOM_CM: f64 = 1_500.0;

pub(super) fn figure(m: &Measurement) -> Option<Figure> {
    let heard = heard(m);
    let first = first_arrival_us(&heard);
    if heard.len() < 2 {
        return None;
    }
    let mut ways: Vec<Way> = heard.iter().map(|&(index, channel)| Way::new(index, channel, first)).collect();
    ways.sort_by(|a, b| a.further_cm.total_cmp(&b.further_cm));
    let svg = if ways.len() <= MOST_IN_ONE { circles(&ways) } else { bars(&ways) };
    Some(Figure { name: "room", heading: "In the room", svg, caption: caption(&ways) })
}

/// The way of sound from one speaker.
struct Way<'a> {
    index: usize,
    name: &'a str,
    /// Against the first one's.
    further_cm: f64,
    further_us: f64,
    unsure: Estimate,
}

impl<'a> Way<'a> {
    fn new(index: usize, channel: &'a ChannelResult, first_us: f64) -> Self {
        let further_us = channel.arrival_us.value - first_us;
        let further_cm = further_us * 1e-4 * SOUND_M_S;
        Self { index, name: &channel.name, further_cm, further_us, unsure: channel.arrival_us }
    }

    fn said(&self) -> String {
        if self.further_cm <= 0.0 {
            return "d (not known)".to_owned();
        }
        format!("d + {}", cm(self.further_cm, self.unsure.half_95()))
    }

    fn colour(&self) -> String {
        palette::channel(self.index)
    }
}

fn circles(ways: &[Way]) -> Svg {
    let legend_top = CENTRE.1 + LAST_RADIUS + 26.0;
    let mut svg = Svg::new(
        legend_top + 22.0 * ways.len() as f64 + 4.0,
        "distances from the microphone as circles, not to scale",
    );
    for (n, way) in ways.iter().enumerate().rev() {
        let radius = radius(way, n);
        svg.circle(CENTRE, radius, &format!("s-{}", way.colour()), 2.4, dash(way.index));
        // Names go round, so that none covers another: upper left, upper right, lower left, lower right.
        let angle = [-2.35, -0.79, 2.35, 0.79][way.index % 4];
        let at = (CENTRE.0 + radius * f64::cos(angle), CENTRE.1 + radius * f64::sin(angle) + 4.0);
        svg.text(
            at,
            Anchor::Middle,
            &format!("f-{} strong halo", way.colour()),
            &short(way.name, NAME_LENGTH),
        );
    }
    way_line(&mut svg);
    microphone(&mut svg);
    for (n, way) in ways.iter().enumerate() {
        let y = legend_top + 22.0 * n as f64;
        svg.line((8.0, y - 4.0), (34.0, y - 4.0), &format!("s-{}", way.colour()), 2.6, dash(way.index));
        let text = format!("{}: {}", short(way.name, NAME_LENGTH), way.said());
        svg.text((40.0, y), Anchor::Start, "f-ink", &text);
    }
    svg
}

/// Circles follow each other by ratio, and never lie on one another: the picture is not to scale.
fn radius(way: &Way, rank: usize) -> f64 {
    let grown = (1.0 + way.further_cm.clamp(0.0, ROOM_CM)).ln() / (1.0 + ROOM_CM).ln();
    FIRST_RADIUS + 6.0 * rank as f64 + grown * (LAST_RADIUS - FIRST_RADIUS - 6.0 * (MOST_IN_ONE - 1) as f64)
}

fn way_line(svg: &mut Svg) {
    let y = CENTRE.1 + FIRST_RADIUS;
    svg.line((CENTRE.0, CENTRE.1 + 12.0), (CENTRE.0, y), "s-soft", 1.2, "2 3");
    svg.text((CENTRE.0 + 6.0, CENTRE.1 + 40.0), Anchor::Start, "f-soft halo", "d = ?");
}

fn microphone(svg: &mut Svg) {
    svg.circle(CENTRE, 6.0, "f-ink", 0.0, "");
    svg.text((CENTRE.0, CENTRE.1 - 12.0), Anchor::Middle, "f-ink halo", "microphone");
}

fn bars(ways: &[Way]) -> Svg {
    const ROW: f64 = 30.0;
    const LEFT: f64 = 8.0;
    const KNOWN: f64 = 60.0;
    let longest = ways.iter().map(|w| w.further_cm).fold(1.0, f64::max);
    let mut svg = Svg::new(
        ROW * ways.len() as f64 + 12.0,
        "ways from each speaker to the microphone, beyond the shortest",
    );
    for (n, way) in ways.iter().enumerate() {
        let y = ROW * n as f64 + 24.0;
        let length = (WIDTH - KNOWN - 16.0) * way.further_cm / longest;
        let colour = way.colour();
        svg.line((LEFT, y), (KNOWN, y), "s-soft", 1.5, "2 3");
        svg.line((KNOWN, y), (KNOWN + length, y), &format!("s-{colour}"), 5.0, "");
        svg.line((KNOWN, y - 5.0), (KNOWN, y + 5.0), &format!("s-{colour}"), 2.0, "");
        let text = format!("{}: {}", short(way.name, NAME_LENGTH), way.said());
        svg.text((LEFT, y - 7.0), Anchor::Start, &format!("f-{colour} strong"), &text);
    }
    svg
}

fn caption(ways: &[Way]) -> String {
    let drawn = if ways.len() <= MOST_IN_ONE {
        "Each speaker stands somewhere on its circle around the microphone. The circles are not to scale."
    } else {
        "Each bar is how much longer that speaker's way is than the shortest; the dotted part is common to all and not known."
    };
    let unknown = "One microphone tells how much longer one way is than another, not how long it is (d) and not from where. \
                   It cannot tell distance from a speaker that plays late either: this is true if all play at the same moment.";
    let furthest =
        ways.iter().filter(|w| w.further_cm > ROOM_CM).max_by(|a, b| a.further_cm.total_cmp(&b.further_cm));
    let late = furthest.map_or(String::new(), |way| {
        format!(
            " {} would be {} further away, which no room is: it plays late, by its link or its electronics ({}).",
            way.name,
            cm(way.further_cm, way.unsure.half_95()),
            time(way.further_us)
        )
    });
    format!("{drawn} {unknown}{late}")
}
