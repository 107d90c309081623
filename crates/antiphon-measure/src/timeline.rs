//! When each frame of a recording truly sounded.
//!
//! A virtual sink knows its own clock exactly and writes it beside its samples as
//! `PATH.timeline.json`: `[{"frame":0,"host_ns":123,"rate_hz":48001.9}, ...]`. Each segment holds
//! from its frame until the next segment's. The format is three numbers in a list, so it is read
//! here by [`TrueTimeline::parse`], strictly; JSON proper stays in `antiphon-api`.

use antiphon_base::{Frames, Span, Timestamp, True};

/// More segments than this are refused: one a second for 12 days.
pub const MAX_SEGMENTS: usize = 1 << 20;

/// Fastest and slowest true rate that is believed, in hertz: what any sound card runs at.
const RATES_HZ: std::ops::RangeInclusive<f64> = 3_900.0..=800_000.0;

/// From `frame` on, frames sound at `rate_hz`, the first of them at `at`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Number of the segment's first frame, counted from the start of the recording.
    pub frame: Frames,
    /// When that frame sounded: the machine's own unwarped monotonic clock.
    pub at: Timestamp<True>,
    /// True frames per second until the next segment.
    pub rate_hz: f64,
}

/// The true time of every frame of one recording: at least one segment, in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueTimeline {
    segments: Vec<Segment>,
}

/// Why a timeline is not usable. Whoever wrote the file is at fault; reading again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// It holds no segment.
    #[error("the timeline is empty: the recording stopped before its first frame; record again")]
    Empty,
    /// It holds more than [`MAX_SEGMENTS`].
    #[error("the timeline has more than {MAX_SEGMENTS} segments; record for a shorter time")]
    TooLong,
    /// A segment's frame or time is not after its predecessor's.
    #[error("segment {0} of the timeline is not later than the one before it")]
    NotAscending(usize),
    /// A segment's rate is no sound card's.
    #[error("segment {0} of the timeline has a rate that no sound card has")]
    BadRate(usize),
    /// The text is not a list of `{"frame":..,"host_ns":..,"rate_hz":..}`.
    #[error("the timeline does not read as a list of frame, host_ns, rate_hz at byte {0}")]
    Syntax(usize),
}

impl TrueTimeline {
    /// From segments in ascending order of frame and time.
    pub fn new(segments: Vec<Segment>) -> Result<Self, TimelineError> {
        if segments.is_empty() {
            return Err(TimelineError::Empty);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(TimelineError::TooLong);
        }
        for (i, segment) in segments.iter().enumerate() {
            if !RATES_HZ.contains(&segment.rate_hz) {
                return Err(TimelineError::BadRate(i));
            }
            if i > 0 && (segments[i - 1].frame >= segment.frame || segments[i - 1].at >= segment.at) {
                return Err(TimelineError::NotAscending(i));
            }
        }
        Ok(Self { segments })
    }

    /// One constant rate from frame 0, which sounded at `at`.
    pub fn constant(at: Timestamp<True>, rate_hz: f64) -> Result<Self, TimelineError> {
        Self::new(vec![Segment { frame: Frames(0), at, rate_hz }])
    }

    /// Reads the text of a `.timeline.json` file.
    pub fn parse(text: &str) -> Result<Self, TimelineError> {
        Self::new(Parser { bytes: text.as_bytes(), at: 0 }.segments()?)
    }

    /// The same for what begins with `frame`, which is then frame 0.
    pub fn from_frame(&self, frame: Frames) -> Self {
        let i = self.segments.partition_point(|s| s.frame <= frame).saturating_sub(1);
        let origin = self.segments[i].at;
        let at = origin.saturating_add(Span::from_ns(self.ns_at(frame.0 as f64, origin).round() as i64));
        let first = Segment { frame: Frames(0), at, rate_hz: self.segments[i].rate_hz };
        let later = self.segments[i + 1..].iter().filter(|s| s.frame > frame);
        let later = later.map(|s| Segment { frame: s.frame - frame, ..*s });
        Self { segments: std::iter::once(first).chain(later).collect() }
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// When frame 0 sounded.
    pub fn start(&self) -> Timestamp<True> {
        Timestamp::from_ns(self.segments[0].at.as_ns()).saturating_add(Span::from_ns(
            (-(self.segments[0].frame.0 as f64) * 1e9 / self.segments[0].rate_hz) as i64,
        ))
    }

    /// When `frame` sounded, in nanoseconds after `origin`. Differences stay small there, so that
    /// a double keeps a thousandth of a nanosecond after days of uptime. Outside the segments the
    /// first and last rate go on.
    pub fn ns_at(&self, frame: f64, origin: Timestamp<True>) -> f64 {
        let i = self.segments.partition_point(|s| s.frame.0 as f64 <= frame).saturating_sub(1);
        let s = &self.segments[i];
        ns_between(origin, s.at) + (frame - s.frame.0 as f64) * 1e9 / s.rate_hz
    }

    /// The frame, with its fraction, that sounded `ns` nanoseconds after `origin`.
    pub fn frame_at(&self, ns: f64, origin: Timestamp<True>) -> f64 {
        let i = self.segments.partition_point(|s| ns_between(origin, s.at) <= ns).saturating_sub(1);
        let s = &self.segments[i];
        s.frame.0 as f64 + (ns - ns_between(origin, s.at)) * s.rate_hz / 1e9
    }

    /// As the text of a `.timeline.json` file.
    pub fn to_text(&self) -> String {
        let lines: Vec<String> = self
            .segments
            .iter()
            .map(|s| {
                format!(
                    "{{\"frame\":{},\"host_ns\":{},\"rate_hz\":{:.9}}}",
                    s.frame.0,
                    s.at.as_ns(),
                    s.rate_hz
                )
            })
            .collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }
}

fn ns_between(origin: Timestamp<True>, at: Timestamp<True>) -> f64 {
    at.as_ns().saturating_sub(origin.as_ns()) as f64
}

/// Reads exactly the timeline's own grammar: a list of flat objects whose values are numbers.
struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A number as written: whole ones keep all their digits.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Real(f64),
}

impl<'a> Parser<'a> {
    fn segments(mut self) -> Result<Vec<Segment>, TimelineError> {
        let mut segments = Vec::new();
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                segments.push(self.segment()?);
                if segments.len() > MAX_SEGMENTS {
                    return Err(TimelineError::TooLong);
                }
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return Err(TimelineError::Syntax(self.at)),
                }
            }
        }
        if self.peek().is_some() { Err(TimelineError::Syntax(self.at)) } else { Ok(segments) }
    }

    fn segment(&mut self) -> Result<Segment, TimelineError> {
        let (mut frame, mut at, mut rate_hz) = (None, None, None);
        self.expect(b'{')?;
        loop {
            let key = self.key()?;
            self.expect(b':')?;
            let value = self.number()?;
            match key {
                "frame" => frame = Some(Frames(value.whole())),
                "host_ns" => at = Some(Timestamp::from_ns(value.whole())),
                "rate_hz" => rate_hz = Some(value.real()),
                // Further columns may be added by a sink without breaking readers.
                _ => {}
            }
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return Err(TimelineError::Syntax(self.at)),
            }
        }
        match (frame, at, rate_hz) {
            (Some(frame), Some(at), Some(rate_hz)) => Ok(Segment { frame, at, rate_hz }),
            _ => Err(TimelineError::Syntax(self.at)),
        }
    }

    fn key(&mut self) -> Result<&'a str, TimelineError> {
        self.expect(b'"')?;
        let start = self.at;
        let end = self.bytes[start..].iter().position(|&b| b == b'"' || b == b'\\').map(|n| start + n);
        match end {
            Some(end) if self.bytes[end] == b'"' => {
                self.at = end + 1;
                std::str::from_utf8(&self.bytes[start..end]).map_err(|_| TimelineError::Syntax(start))
            }
            _ => Err(TimelineError::Syntax(start)),
        }
    }

    fn number(&mut self) -> Result<Number, TimelineError> {
        self.peek();
        let start = self.at;
        let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += self.bytes[start..].iter().take_while(|b| is_part(b)).count();
        let text =
            std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| TimelineError::Syntax(start))?;
        if let Ok(whole) = text.parse() {
            return Ok(Number::Whole(whole));
        }
        match text.parse::<f64>() {
            Ok(real) if real.is_finite() => Ok(Number::Real(real)),
            _ => Err(TimelineError::Syntax(start)),
        }
    }

    /// The next byte that is not white space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, TimelineError> {
        let byte = self.peek().ok_or(TimelineError::Syntax(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), TimelineError> {
        if self.next()? == wanted { Ok(()) } else { Err(TimelineError::Syntax(self.at - 1)) }
    }
}

impl Number {
    fn whole(self) -> i64 {
        match self {
            Self::Whole(n) => n,
            Self::Real(x) => x.round() as i64,
        }
    }
    fn real(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Real(x) => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAYS_OF_UPTIME: i64 = 1_234_567_890_123_457;

    #[test]
    fn a_timeline_file_keeps_every_digit_of_its_host_time() {
        let text = format!("[{{\"frame\": 0, \"host_ns\": {DAYS_OF_UPTIME}, \"rate_hz\": 48001.92}}]");
        let timeline = TrueTimeline::parse(&text).unwrap();
        assert_eq!(timeline.segments()[0].at.as_ns(), DAYS_OF_UPTIME);
        assert_eq!(TrueTimeline::parse(&timeline.to_text()), Ok(timeline));
    }

    #[test]
    fn a_rate_that_changes_is_followed_piece_by_piece() {
        let origin = Timestamp::from_ns(DAYS_OF_UPTIME);
        let text = format!(
            "[{{\"frame\":0,\"host_ns\":{DAYS_OF_UPTIME},\"rate_hz\":50000}},\
             {{\"rate_hz\":40000,\"frame\":50000,\"host_ns\":{}}}]",
            DAYS_OF_UPTIME + 1_000_000_000
        );
        let timeline = TrueTimeline::parse(&text).unwrap();
        assert_eq!(timeline.ns_at(25_000.0, origin), 0.5e9);
        assert_eq!(timeline.ns_at(54_000.0, origin), 1.1e9);
        assert_eq!(timeline.frame_at(1.1e9, origin), 54_000.0);
        assert_eq!(timeline.frame_at(-0.1e9, origin), -5_000.0);
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        let wrong = |text: &str| TrueTimeline::parse(text).unwrap_err();
        assert_eq!(wrong("[]"), TimelineError::Empty);
        assert_eq!(wrong(""), TimelineError::Syntax(0));
        assert_eq!(wrong("[{\"frame\":0,\"host_ns\":1}]"), TimelineError::Syntax(24));
        assert_eq!(wrong("[{\"frame\":0,\"host_ns\":1,\"rate_hz\":0}]"), TimelineError::BadRate(0));
        assert_eq!(
            wrong(
                "[{\"frame\":0,\"host_ns\":1,\"rate_hz\":48000},{\"frame\":0,\"host_ns\":2,\"rate_hz\":48000}]"
            ),
            TimelineError::NotAscending(1)
        );
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "[\\[\\]{}\",:0-9e.a-z_ -]{0,80}") {
            let _ = TrueTimeline::parse(&text);
        }

        #[test]
        fn frame_and_time_are_inverse(frame in -1e6f64..1e8, rate in 47_990.0f64..48_010.0) {
            let origin = Timestamp::from_ns(DAYS_OF_UPTIME);
            let timeline = TrueTimeline::constant(origin, rate).unwrap();
            let back = timeline.frame_at(timeline.ns_at(frame, origin), origin);
            prop_assert!((back - frame).abs() < 1e-6);
        }
    }
}
