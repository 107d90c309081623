//! Numbers as a person reads them: a unit that fits, and no digit beyond what is known.

use super::axes::plain;

/// What stands for a number that is not known.
pub(super) const UNKNOWN: &str = "\u{2013}";

/// A time without its uncertainty, to three figures: `46 µs`, `11.3 ms`, `1.2 s`.
pub(super) fn time(us: f64) -> String {
    let (unit_us, unit) = unit(us);
    with_digits(us / unit_us, 2 - magnitude(us / unit_us), unit)
}

/// A time to the digit that its uncertainty leaves: `11.30 ms`.
pub(super) fn delay(us: f64, half_us: f64) -> String {
    let (unit_us, unit) = unit(us.abs().max(half_us));
    with_digits(us / unit_us, digits(half_us / unit_us), unit)
}

/// A time with its uncertainty: `11.30 ± 0.02 ms`.
pub(super) fn plus_minus_time(us: f64, half_us: f64) -> String {
    let (unit_us, unit) = unit(us.abs().max(half_us));
    plus_minus(us / unit_us, half_us / unit_us, unit)
}

/// A value with its uncertainty, both to the digit that matters.
pub(super) fn plus_minus(value: f64, half: f64, unit: &str) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let digits = digits(half);
    // What is not nothing does not look like nothing.
    let least = 10f64.powi(-digits.clamp(0, 3));
    let half = if half.is_finite() { round_to(half.max(least), digits) } else { UNKNOWN.to_owned() };
    format!("{} \u{b1} {half} {unit}", round_to(value, digits))
}

/// A way in air: `46 cm`, `3.88 m`; its uncertainty as that of a time.
pub(super) fn cm(cm: f64, half_us: f64) -> String {
    let half_cm = half_us * 0.034_32;
    if cm >= 100.0 {
        with_digits(cm / 100.0, digits(half_cm / 100.0).min(2), "m")
    } else {
        with_digits(cm, digits(half_cm).min(1), "cm")
    }
}

/// Decibels, to a tenth.
pub(super) fn db(value: f64) -> String {
    with_digits(value, 1, "dB")
}

/// A frequency on an axis: `300`, `2k`.
pub(super) fn hz(value: f64) -> String {
    if value >= 1_000.0 { format!("{}k", plain(value / 1_000.0)) } else { plain(value) }
}

fn with_digits(value: f64, digits: i32, unit: &str) -> String {
    if value.is_finite() { format!("{} {unit}", round_to(value, digits)) } else { UNKNOWN.to_owned() }
}

fn unit(us: f64) -> (f64, &'static str) {
    match us.abs() {
        us if us < 1_000.0 => (1.0, "\u{b5}s"),
        us if us < 1e6 => (1_000.0, "ms"),
        _ => (1e6, "s"),
    }
}

/// Digits after the point that an uncertainty leaves: two figures of it below 2, else one.
fn digits(half: f64) -> i32 {
    if half.is_nan() || half <= 0.0 {
        return 3;
    }
    let first = -magnitude(half);
    if half * 10f64.powi(first) < 2.0 { first + 1 } else { first }
}

/// Power of ten of the first figure.
fn magnitude(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() { 0 } else { value.abs().log10().floor() as i32 }
}

/// With so many digits after the point, 0 to 3, and a true minus.
fn round_to(value: f64, digits: i32) -> String {
    let digits = digits.clamp(0, 3) as usize;
    let text = format!("{value:.digits$}");
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero { text.replace('-', "") } else { text.replace('-', "\u{2212}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_digits_that_its_uncertainty_leaves() {
        assert_eq!(plus_minus_time(11_300.4, 21.0), "11.30 \u{b1} 0.02 ms");
        assert_eq!(plus_minus_time(-46.21, 1.34), "\u{2212}46.2 \u{b1} 1.3 \u{b5}s");
        assert_eq!(plus_minus_time(137_000.0, 12_000.0), "137 \u{b1} 12 ms");
        assert_eq!(plus_minus_time(-0.01, 4.0), "0 \u{b1} 4 \u{b5}s");
        assert_eq!(plus_minus_time(5_595.2, 0.4), "5.595 \u{b1} 0.001 ms");
        assert_eq!(plus_minus(f64::NAN, 1.0, "dB"), UNKNOWN);
        assert_eq!(plus_minus(1.0, f64::INFINITY, "ppm"), "1 \u{b1} \u{2013} ppm");
    }

    #[test]
    fn a_unit_fits_its_number() {
        assert_eq!(time(46.0), "46.0 \u{b5}s");
        assert_eq!(time(11_300.0), "11.3 ms");
        assert_eq!(time(1_234_567.0), "1.23 s");
        assert_eq!(cm(388.0, 20.0), "3.88 m");
        assert_eq!(cm(1.61, 1.0), "1.6 cm");
        assert_eq!((hz(300.0), hz(2_000.0), hz(16_000.0)), ("300".into(), "2k".into(), "16k".into()));
    }
}
