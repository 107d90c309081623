//! Small values as people write them.

use std::str::FromStr;

use antiphon_api::SeekTo;
use antiphon_base::Span;

/// Spans longer than a day are slips of the finger.
const MAX_SPAN_S: f64 = 86_400.0;

const SPAN_FORM: &str = "write a number and a unit, such as 200ms, 1.5s, 800us or 2m";

/// A hub lets in by a code for no longer.
const MAX_LIFE_S: f64 = 31.0 * 86_400.0;

const LIFE_FORM: &str = "write a number and a unit, such as 30m, 12h or 7d";

/// A span that is not negative: `200ms`, `1.5s`, `800us`, `2m`.
///
/// # Errors
/// What is wrong with `text`, and how it is written.
pub fn parse_span(text: &str) -> Result<Span, String> {
    match parse_signed_span(text)? {
        span if span >= Span::ZERO => Ok(span),
        _ => Err(format!("{text:?} is negative; {SPAN_FORM}")),
    }
}

/// A span of either sign.
///
/// # Errors
/// What is wrong with `text`, and how it is written.
pub fn parse_signed_span(text: &str) -> Result<Span, String> {
    let seconds = seconds(text).ok_or_else(|| format!("{:?} is no time; {SPAN_FORM}", shortened(text)))?;
    if seconds.abs() > MAX_SPAN_S {
        return Err(format!("{} is too long a time; the longest is a day", shortened(text.trim())));
    }
    Ok(Span::from_s_f64(seconds))
}

/// How long something is good: `30m`, `12h`, `7d`.
///
/// # Errors
/// What is wrong with `text`, and how it is written.
pub fn parse_life(text: &str) -> Result<Span, String> {
    let seconds = seconds(text).ok_or_else(|| format!("{:?} is no time; {LIFE_FORM}", shortened(text)))?;
    if !(1.0..=MAX_LIFE_S).contains(&seconds) {
        return Err(format!("{} is out of range: from 1s to 31d; {LIFE_FORM}", shortened(text.trim())));
    }
    Ok(Span::from_s_f64(seconds))
}

/// A number and a unit.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == '\u{b5}')?;
    let scale = match &text[split..] {
        "us" | "\u{b5}s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(number(&text[..split])? * scale)
}

/// What `volume` sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Volume {
    /// In decibels, against the source.
    Gain(f32),
    /// The loudspeaker's own, of its loudest.
    Percent(u8),
    /// Silent.
    Mute,
    /// Not silent.
    Unmute,
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        match lower.as_str() {
            "mute" | "off" => return Ok(Self::Mute),
            "unmute" | "on" => return Ok(Self::Unmute),
            _ => {}
        }
        if let Some(percent) = lower.strip_suffix('%') {
            let percent = percent.trim().parse::<u8>().ok().filter(|percent| *percent <= 100);
            return percent.map(Self::Percent).ok_or_else(|| {
                format!("{:?} is no volume of a loudspeaker; write 0% to 100%", shortened(text))
            });
        }
        let is_signed = lower.starts_with(['+', '-']);
        let gain = number(lower.strip_suffix("db").unwrap_or(&lower)).map(|gain| gain as f32);
        // Whoever writes 40 may mean 40 %, and would get forty decibels more: a hundred times as loud.
        if gain.is_some() && !is_signed && !lower.ends_with("db") {
            return Err(format!(
                "{lower} may be percent or decibels; write {lower}% for the loudspeaker's own volume or +{lower}dB for \
                 a gain of the programme"
            ));
        }
        gain.map(Self::Gain).ok_or_else(|| {
            format!(
                "{:?} is no volume; write decibels such as -6dB or 0dB, or 40%, mute or unmute",
                shortened(text)
            )
        })
    }
}

/// Where `seek` goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place(pub SeekTo);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.trim();
        let (sign, way) = match place.as_bytes() {
            [b'+', ..] => (Some(1.0), &place[1..]),
            [b'-', ..] => (Some(-1.0), &place[1..]),
            _ => (None, place),
        };
        let seconds = match way.contains(':') {
            true => clock(way),
            false => parse_span(way).ok().map(Span::as_s_f64),
        };
        let to = seconds.map(|seconds| match sign {
            Some(sign) => SeekTo::OffsetS(sign * seconds),
            None => SeekTo::PositionS(seconds),
        });
        to.map(Self).ok_or_else(|| {
            format!("{:?} is no place; write 1:30 or 90s, or from here +10s or -1:00", shortened(text))
        })
    }
}

/// `M:SS` or `H:MM:SS`, seconds with a fraction.
fn clock(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    parts.iter().enumerate().try_fold(0.0, |sum, (n, part)| {
        let value = number(part).filter(|value| *value >= 0.0 && (n == 0 || *value < 60.0))?;
        Some(sum * 60.0 + value)
    })
}

/// A plain decimal: no exponents, infinities or NaN.
fn number(text: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || ".+-".contains(c);
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && text.trim().chars().all(plain))
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, us) in
            [("200ms", 200_000), ("1.5s", 1_500_000), ("800us", 800), ("2m", 120_000_000), ("0s", 0)]
        {
            assert_eq!(parse_span(text), Ok(Span::from_us(us)), "{text}");
        }
        assert_eq!(parse_signed_span("-2.5ms"), Ok(Span::from_us(-2_500)));
    }

    #[test]
    fn a_life_is_of_minutes_hours_and_days_and_the_hint_names_them() {
        for (text, s) in [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("31d", 2_678_400)] {
            assert_eq!(parse_life(text), Ok(Span::from_s(s)), "{text}");
        }
        for bad in ["", "12", "12 o'clock", "-1h", "0s", "10ms", "32d", "nand"] {
            let said = parse_life(bad).unwrap_err();
            assert!(said.contains(bad) && said.contains("12h") && !said.contains("us"), "{said}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for bad in ["", "200", "ms", "1e9s", "nans", "infs", "-1ms", "5 parsecs", "99999999s", "\u{e4}s"] {
            let said = parse_span(bad).unwrap_err();
            assert!(said.contains(bad), "{said}");
        }
    }

    #[test]
    fn a_volume_is_decibels_or_a_word() {
        assert_eq!("-6.5dB".parse(), Ok(Volume::Gain(-6.5)));
        assert_eq!("0dB".parse(), Ok(Volume::Gain(0.0)));
        assert_eq!("-6".parse(), Ok(Volume::Gain(-6.0)), "only decibels are negative");
        assert_eq!("+3".parse(), Ok(Volume::Gain(3.0)));
        assert_eq!("mute".parse(), Ok(Volume::Mute));
        for bad in ["loud", "", "dB", "nan", "1e3"] {
            assert!(bad.parse::<Volume>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_since_louder_by_ten_decibels_is_not_ten_percent() {
        for (bare, remedy) in [("10", "write 10% "), ("10", " +10dB "), ("40", " +40dB "), ("0", " +0dB ")] {
            let said = bare.parse::<Volume>().unwrap_err();
            assert!(said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn a_place_is_absolute_or_from_here() {
        let to = |text: &str| text.parse::<Place>().map(|place| place.0);
        assert_eq!(to("1:30"), Ok(SeekTo::PositionS(90.0)));
        assert_eq!(to("1:02:03.5"), Ok(SeekTo::PositionS(3_723.5)));
        assert_eq!(to("90s"), Ok(SeekTo::PositionS(90.0)));
        assert_eq!(to("-10s"), Ok(SeekTo::OffsetS(-10.0)));
        assert_eq!(to("-1:00"), Ok(SeekTo::OffsetS(-60.0)));
        assert_eq!(to("+1:02:03"), Ok(SeekTo::OffsetS(3_723.0)));
        for bad in ["1:75", "1:2:3:4", "::", "soon", "1:-3", "--10s", "+-1:00", "-", "-soon", ""] {
            let said = to(bad).unwrap_err();
            assert!(said.contains("no place") && said.contains("-1:00"), "{bad}: {said}");
        }
    }
}
