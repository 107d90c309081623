//! The pictures of a measurement.

mod scale;

mod arrivals;

mod responses;

mod comb;

mod movement;

mod room;

use super::svg::Svg;
use crate::lab::measurement::{ChannelResult, Measurement};

/// So many channels are drawn in one frame; more would hide each other.
const MOST_IN_ONE: usize = 4;
/// Characters of a name within a picture.
const NAME_LENGTH: usize = 14;

/// A picture with the words around it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Of the file, without `.svg`.
    pub name: &'static str,
    pub heading: &'static str,
    pub svg: Svg,
    /// How to read it, in a sentence or two.
    pub caption: String,
}

/// Where the delay stands among what ears notice: for the top of the page.
pub(super) fn scale(m: &Measurement) -> Option<Figure> {
    scale::figure(m)
}

/// Every other picture that there is something to draw for, in order.
pub(super) fn all(m: &Measurement) -> Vec<Figure> {
    [arrivals::figure(m), responses::figure(m), comb::figure(m), movement::figure(m), room::figure(m)]
        .into_iter()
        .flatten()
        .collect()
}

/// Channels that were heard, with their places in the signal.
fn heard(m: &Measurement) -> Vec<(usize, &ChannelResult)> {
    m.channels.iter().enumerate().filter(|(_, c)| c.heard && c.arrival_us.value.is_finite()).collect()
}

/// When the first of them arrived.
fn first_arrival_us(heard: &[(usize, &ChannelResult)]) -> f64 {
    heard.iter().map(|(_, c)| c.arrival_us.value).fold(f64::INFINITY, f64::min)
}

/// The least and the greatest of those that are numbers.
fn extremes(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|x| x.is_finite());
    finite.fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((f64::min(low, x), f64::max(high, x))),
    })
}
