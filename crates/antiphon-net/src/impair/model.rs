//! One way through a bad network. Pure: time and randomness are passed in.

use std::fmt;
use std::str::FromStr;

use antiphon_base::{Span, Timestamp, True};

use crate::noise::Noise;

/// What becomes of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives at this instant.
    Due(Timestamp<True>),
}

/// One direction of one client's path: fixed delay, jitter, loss.
#[derive(Debug, Clone)]
pub struct PathModel {
    delay: Span,
    jitter: Jitter,
    burst: bool,
    loss: Option<GilbertElliott>,
    keep_order: bool,
    last: Timestamp<True>,
    noise: Noise,
}

impl PathModel {
    /// A path of `delay` and `jitter` with `loss`; `keep_order` makes it one queue.
    pub fn new(delay: Span, jitter: Jitter, loss: Option<Loss>, keep_order: bool, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let loss = loss.map(|loss| GilbertElliott::new(loss, &mut noise));
        Self { delay, jitter, burst: false, loss, keep_order, last: Timestamp::from_ns(i64::MIN), noise }
    }

    /// What becomes of a datagram that enters at `now`. Call it in the order of entry.
    pub fn fate(&mut self, now: Timestamp<True>) -> Fate {
        let delay = self.delay + self.jitter_delay();
        if self.loss.as_mut().is_some_and(|loss| loss.is_bad(now, &mut self.noise)) {
            return Fate::Lost;
        }
        let due = now + delay;
        self.last = if self.keep_order { due.max(self.last) } else { due };
        Fate::Due(self.last)
    }

    fn jitter_delay(&mut self) -> Span {
        let Some(law) = self.jitter.law() else { return Span::ZERO };
        self.burst = self.noise.chance(if self.burst { STAYS_IN_BURST } else { law.burst_chance });
        let burst = if self.burst { law.burst_mean * self.noise.exponential() } else { 0.0 };
        let wake_up = WAKE_UP * self.noise.normal().abs();
        Span::from_s_f64(law.base + law.mean * self.noise.exponential() + burst + wake_up)
    }
}

/// How long after a burst's datagram the next one is in the same burst.
const STAYS_IN_BURST: f64 = 0.7;

/// A receiving host's own delay, one-sided standard deviation in seconds.
const WAKE_UP: f64 = 15e-6;

/// How the delay varies from datagram to datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// Wired: 0.12 ms + exponential 0.02 ms; 0.5 % of datagrams begin a burst of + 0.5 ms.
    Lan,
    /// Good Wi-Fi: 0.8 ms + exponential 0.3 ms; 2 % begin a burst of + 4 ms.
    Quiet,
    /// Wi-Fi among busy neighbours: 0.9 ms + exponential 1.5 ms; 15 % begin a burst of + 12 ms.
    Wifi,
}

/// In seconds: base, mean of the exponential part, and of a burst's additional exponential part.
struct Law {
    base: f64,
    mean: f64,
    burst_chance: f64,
    burst_mean: f64,
}

impl Jitter {
    fn law(self) -> Option<Law> {
        let law = |base, mean, burst_chance, burst_mean| Some(Law { base, mean, burst_chance, burst_mean });
        match self {
            Self::None => None,
            Self::Lan => law(0.12e-3, 0.02e-3, 0.005, 0.5e-3),
            Self::Quiet => law(0.8e-3, 0.3e-3, 0.02, 4e-3),
            Self::Wifi => law(0.9e-3, 1.5e-3, 0.15, 12e-3),
        }
    }
}

/// How many datagrams are lost, and how long losses last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// The share of time that is lost, 0 to 0.9.
    pub share: f64,
    /// The mean length of a bad stretch.
    pub burst: Span,
}

/// Gilbert and Elliott's channel (1960, 1963) in continuous time: good and bad stretches of
/// exponentially distributed length follow each other; in bad ones everything is lost.
#[derive(Debug, Clone)]
struct GilbertElliott {
    bad: bool,
    until: Option<Timestamp<True>>,
    good_s: f64,
    bad_s: f64,
}

impl GilbertElliott {
    fn new(loss: Loss, noise: &mut Noise) -> Self {
        let bad_s = loss.burst.as_s_f64();
        Self { bad: noise.chance(loss.share), until: None, good_s: bad_s * (1.0 / loss.share - 1.0), bad_s }
    }

    fn is_bad(&mut self, now: Timestamp<True>, noise: &mut Noise) -> bool {
        let mut until = self.until.unwrap_or_else(|| now + self.stretch(noise));
        // After a long silence the state is as random as at first.
        if now - until > Span::from_s(60) {
            until = now;
        }
        while until <= now {
            self.bad = !self.bad;
            until += self.stretch(noise);
        }
        self.until = Some(until);
        self.bad
    }

    fn stretch(&self, noise: &mut Noise) -> Span {
        let mean = if self.bad { self.bad_s } else { self.good_s };
        // A nanosecond at least: time must pass.
        Span::from_s_f64(mean * noise.exponential()).max(Span::from_ns(1))
    }
}

/// The fixed delay of each way, written `6ms/1ms`, or `2ms` for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    /// From the client to the server.
    pub to_server: Span,
    /// From the server to the client.
    pub back: Span,
}

/// A stretch in which nothing passes, written `20s/10s`: begin, counted from the start, and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blackout {
    /// When it begins.
    pub at: Span,
    /// How long it lasts.
    pub lasts: Span,
}

impl Blackout {
    /// Whether it is dark `since` after the start.
    pub fn covers(&self, since: Span) -> bool {
        since >= self.at && since < self.at + self.lasts
    }
}

/// A description of a network that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseImpairError {
    text: String,
    wanted: &'static str,
}

impl fmt::Display for ParseImpairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", self.text, self.wanted)
    }
}

impl std::error::Error for ParseImpairError {}

fn not(text: &str, wanted: &'static str) -> ParseImpairError {
    ParseImpairError { text: text.chars().take(40).collect(), wanted }
}

/// Reads a length of time: a number and one of ns, us, ms, s; at most an hour.
///
/// # Errors
/// Anything else, a negative one included.
pub fn parse_span(text: &str) -> Result<Span, ParseImpairError> {
    const WANTED: &str = "a length of time such as 6ms, 500us or 10s, of at most an hour";
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| not(text, WANTED))?;
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err(not(text, WANTED)),
    };
    let seconds = number.parse::<f64>().map_err(|_| not(text, WANTED))? * scale;
    if (0.0..=3_600.0).contains(&seconds) { Ok(Span::from_s_f64(seconds)) } else { Err(not(text, WANTED)) }
}

impl FromStr for Delay {
    type Err = ParseImpairError;

    fn from_str(text: &str) -> Result<Self, ParseImpairError> {
        let (to_server, back) = text.split_once('/').unwrap_or((text, text));
        Ok(Self { to_server: parse_span(to_server)?, back: parse_span(back)? })
    }
}

impl FromStr for Jitter {
    type Err = ParseImpairError;

    fn from_str(text: &str) -> Result<Self, ParseImpairError> {
        match text {
            "none" => Ok(Self::None),
            "lan" => Ok(Self::Lan),
            "quiet" => Ok(Self::Quiet),
            "wifi" | "busy" => Ok(Self::Wifi),
            _ => Err(not(text, "a jitter model: none, lan, quiet or wifi")),
        }
    }
}

impl FromStr for Loss {
    type Err = ParseImpairError;

    fn from_str(text: &str) -> Result<Self, ParseImpairError> {
        let wanted =
            || not(text, "a loss such as 5%/20ms: the share, up to 90%, and the mean length of a burst");
        let (share, burst) = text.split_once('/').ok_or_else(wanted)?;
        let percent = share.strip_suffix('%').and_then(|s| s.parse::<f64>().ok()).ok_or_else(wanted)?;
        let burst = parse_span(burst)?;
        if !(percent > 0.0 && percent <= 90.0) || burst < Span::from_us(1) {
            return Err(wanted());
        }
        Ok(Self { share: percent / 100.0, burst })
    }
}

impl FromStr for Blackout {
    type Err = ParseImpairError;

    fn from_str(text: &str) -> Result<Self, ParseImpairError> {
        let (at, lasts) =
            text.split_once('/').ok_or_else(|| not(text, "a blackout such as 20s/10s: begin and length"))?;
        Ok(Self { at: parse_span(at)?, lasts: parse_span(lasts)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(delay: Span, jitter: Jitter, loss: Option<&str>, keep_order: bool) -> PathModel {
        PathModel::new(delay, jitter, loss.map(|l| l.parse().unwrap()), keep_order, 5)
    }

    /// Fates of a datagram every 5 ms.
    fn fates(mut path: PathModel, count: i64) -> Vec<(Timestamp<True>, Fate)> {
        (0..count).map(|n| Timestamp::from_ns(n * 5_000_000)).map(|at| (at, path.fate(at))).collect()
    }

    fn delays_ms(jitter: Jitter) -> Vec<f64> {
        let mut delays: Vec<_> = fates(path(Span::ZERO, jitter, None, false), 100_000)
            .into_iter()
            .filter_map(|(at, fate)| match fate {
                Fate::Due(due) => Some((due - at).as_ms_f64()),
                Fate::Lost => None,
            })
            .collect();
        delays.sort_unstable_by(f64::total_cmp);
        delays
    }

    #[test]
    fn each_jitter_has_the_least_and_mean_delay_of_its_model() {
        // The share of datagrams in a burst is p / (p + 0.3).
        for (jitter, base, mean, p, burst) in [
            (Jitter::Lan, 0.12, 0.02, 0.005, 0.5),
            (Jitter::Quiet, 0.8, 0.3, 0.02, 4.0),
            (Jitter::Wifi, 0.9, 1.5, 0.15, 12.0),
        ] {
            let delays = delays_ms(jitter);
            let wanted = base + mean + burst * p / (p + 0.3) + 0.015 * 0.8;
            let got = delays.iter().sum::<f64>() / delays.len() as f64;
            assert!(delays[0] >= base && delays[0] < base + 0.02, "{jitter:?} begins at {} ms", delays[0]);
            assert!((got / wanted - 1.0).abs() < 0.03, "{jitter:?}: mean {got} of {wanted} ms");
        }
    }

    #[test]
    fn losses_have_the_share_and_the_length_of_the_model() {
        let fates = fates(path(Span::ZERO, Jitter::None, Some("5%/20ms"), false), 1_000_000);
        let lost: Vec<bool> = fates.iter().map(|(_, fate)| *fate == Fate::Lost).collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        let length_ms = share * lost.len() as f64 / bursts * 5.0;
        assert!((share - 0.05).abs() < 0.003, "{share}");
        // Seen through datagrams every 5 ms, a burst seems longer by what it takes to be seen at all.
        let seen = 5.0 / (1.0 - (-5.0f64 / 20.0).exp());
        assert!((length_ms / seen - 1.0).abs() < 0.06, "{length_ms} of {seen} ms");
    }

    #[test]
    fn the_fixed_delay_is_exact_without_jitter() {
        let fates = fates(path(Span::from_ms(6), Jitter::None, None, false), 3);
        assert!(fates.iter().all(|(at, fate)| *fate == Fate::Due(*at + Span::from_ms(6))));
    }

    #[test]
    fn one_queue_keeps_the_order_and_many_do_not() {
        let dues =
            |keep| fates(path(Span::ZERO, Jitter::Wifi, None, keep), 5_000).into_iter().map(|(_, fate)| fate);
        let in_order = |dues: Vec<Fate>| {
            dues.windows(2).all(|pair| match pair {
                [Fate::Due(a), Fate::Due(b)] => a <= b,
                _ => true,
            })
        };
        assert!(in_order(dues(true).collect()));
        assert!(!in_order(dues(false).collect()));
    }

    #[test]
    fn a_seed_repeats_its_network() {
        let run = |seed| {
            fates(
                PathModel::new(
                    Span::ZERO,
                    Jitter::Wifi,
                    Some(Loss { share: 0.1, burst: Span::from_ms(20) }),
                    false,
                    seed,
                ),
                500,
            )
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn descriptions_are_read_and_nonsense_is_named() {
        let six_one: Delay = "6ms/1ms".parse().unwrap();
        assert_eq!((six_one.to_server, six_one.back), (Span::from_ms(6), Span::from_ms(1)));
        assert_eq!("500us".parse::<Delay>().unwrap().back, Span::from_us(500));
        assert_eq!("busy".parse(), Ok(Jitter::Wifi));
        assert_eq!("5%/20ms".parse(), Ok(Loss { share: 0.05, burst: Span::from_ms(20) }));
        let blackout: Blackout = "20s/10s".parse().unwrap();
        assert!(
            !blackout.covers(Span::from_ms(19_999))
                && blackout.covers(Span::from_s(20))
                && !blackout.covers(Span::from_s(30))
        );
        for bad in ["5%", "0%/20ms", "95%/20ms", "5/20ms", "NaN%/20ms", "5%/0ms", "5%/x"] {
            assert!(bad.parse::<Loss>().is_err(), "{bad}");
        }
        assert!(
            "fast"
                .parse::<Jitter>()
                .unwrap_err()
                .to_string()
                .contains("\"fast\" is not a jitter model: none, lan")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,20}|[0-9.]{1,5}(ms|%|s)?/[0-9]{1,4}(ms|s|us)?") {
            let _ = (text.parse::<Delay>(), text.parse::<Jitter>(), text.parse::<Loss>(), text.parse::<Blackout>());
        }
    }
}
