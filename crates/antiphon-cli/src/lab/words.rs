//! A measurement for people: the verdict first, in plain words, then the numbers, then what to do.

use std::fmt::Write;

use antiphon_measure::lab::classes;
use antiphon_measure::lab::measurement::{Class, Comb, Estimate, Grade, Measurement, PairResult, Polarity};

/// Levels nearer than this sound alike.
const SAME_LEVEL_DB: f64 = 0.5;

/// Notches told one by one; the report has them all.
const NOTCHES_TOLD: usize = 4;

/// Columns of running text.
const WIDTH: usize = 88;

/// The result in one sentence.
pub fn verdict(m: &Measurement) -> String {
    if m.grade == Grade::NotTrustworthy {
        let why = m.findings.first().map_or("the recording does not tell", |finding| &finding.message);
        return format!("Not measured: {}", lower_first(why));
    }
    match widest(m) {
        None => alone(m),
        Some(pair) if m.channels.len() == 2 => format!("{} {}", how_far(m, pair), heard_as(m, pair)),
        Some(pair) => {
            let (count, (early, late)) = (m.channels.iter().filter(|c| c.heard).count(), order(m, pair));
            format!(
                "The {count} speakers are {} apart: {early} plays first, {late} last. {}",
                span(pair.delay_us.value.abs()),
                heard_as(m, pair)
            )
        }
    }
}

/// The whole result, with line ends.
pub fn tell(m: &Measurement) -> String {
    let mut out = wrapped(&verdict(m), "") + "\n";
    let mut line = |label: &str, text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{label:<12} {}", wrapped(&text, "             ").trim_end());
    };
    if m.grade != Grade::NotTrustworthy {
        numbers(m, &mut line);
    }
    line("recording", recorder(m));
    line("trust", trust(m).to_owned());
    section(&mut out, "Noticed", &noticed(m));
    section(&mut out, "What to do", &advice(m));
    out
}

/// The pair that is furthest apart.
pub fn widest(m: &Measurement) -> Option<&PairResult> {
    m.pairs.iter().max_by(|a, b| a.delay_us.value.abs().total_cmp(&b.delay_us.value.abs()))
}

/// Microseconds as a person reads them: 12.3 us, 137.012 ms.
pub fn span(us: f64) -> String {
    match us.abs() {
        small if small < 1_000.0 => format!("{us:.1} us"),
        _ => format!("{:.3} ms", us / 1e3),
    }
}

fn numbers(m: &Measurement, line: &mut impl FnMut(&str, String)) {
    match (m.pairs.as_slice(), m.channels.len()) {
        ([pair], 2) => pair_numbers(m, pair, line),
        _ => table(m, line),
    }
    if let Some(pair) = widest(m) {
        line("\"TWS grade\"", classes::source_claim(pair.delay_us.value));
        // Of two sounds, one after the other, nobody hears the colour.
        if let Some(comb) = comb(&pair.comb).filter(|_| pair.class != Class::Echo) {
            line("comb", comb);
        }
    }
}

fn pair_numbers(m: &Measurement, pair: &PairResult, line: &mut impl FnMut(&str, String)) {
    let (early, late) = order(m, pair);
    let (delay, us) = (pair.delay_us.value.abs(), pair.delay_us.half_95());
    line("delay", format!("{late} {} later than {early}, {}", span(delay), sure(us)));
    line(
        "",
        format!(
            "as much as {:.2} samples at 48 kHz, or as {} of air",
            pair.delay_samples().abs(),
            way(pair.path_cm().abs())
        ),
    );
    line("level", level(m, pair));
    let [a, b] = [&m.channels[pair.a], &m.channels[pair.b]];
    line("polarity", polarity(&a.name, a.polarity, &b.name, b.polarity));
    line("over noise", format!("{} {:.0} dB, {} {:.0} dB", a.name, a.snr_db, b.name, b.snr_db));
}

fn table(m: &Measurement, line: &mut impl FnMut(&str, String)) {
    let heard = || m.channels.iter().enumerate().filter(|(_, channel)| channel.heard);
    let first = heard().min_by(|a, b| a.1.arrival_us.value.total_cmp(&b.1.arrival_us.value)).map(|(n, _)| n);
    for (n, channel) in m.channels.iter().enumerate() {
        if !channel.heard {
            line(&channel.name, "not heard".into());
            continue;
        }
        let delay = match first.filter(|first| *first != n).and_then(|first| between(m, first, n)) {
            Some(delay) => format!("{} later, {}", span(delay.value), sure(delay.half_95())),
            None => "first".into(),
        };
        let turned = if channel.polarity == Polarity::Inverted { ", polarity turned" } else { "" };
        let (level, snr) = (channel.level_db, channel.snr_db);
        line(&channel.name, format!("{delay}; level {level:.1} dB, {snr:.0} dB over the noise{turned}"));
    }
}

/// How much later `b` is than `a`, whichever way round they were compared.
pub fn between(m: &Measurement, a: usize, b: usize) -> Option<Estimate> {
    let pair = m.pairs.iter().find(|pair| (pair.a, pair.b) == (a.min(b), a.max(b)))?;
    let sign = if a < b { 1.0 } else { -1.0 };
    Some(Estimate { value: sign * pair.delay_us.value, sd: pair.delay_us.sd })
}

fn alone(m: &Measurement) -> String {
    match m.channels.iter().find(|channel| channel.heard) {
        Some(channel) => format!("Only {} was heard, so there is nothing to compare.", channel.name),
        None => "No speaker was heard.".into(),
    }
}

/// Names of the earlier and of the later one.
fn order<'a>(m: &'a Measurement, pair: &PairResult) -> (&'a str, &'a str) {
    let (a, b) = (m.channels[pair.a].name.as_str(), m.channels[pair.b].name.as_str());
    if pair.delay_us.value < 0.0 { (b, a) } else { (a, b) }
}

fn how_far(m: &Measurement, pair: &PairResult) -> String {
    let (early, late) = order(m, pair);
    let delay = pair.delay_us.value.abs();
    match pair.class {
        Class::StereoPair => format!("Together: {late} comes {} after {early}.", span(delay)),
        Class::SameRoom => format!("Nearly together: {late} comes {} after {early}.", span(delay)),
        _ => format!("Not together: {late} comes {} after {early}.", span(delay)),
    }
}

fn heard_as(m: &Measurement, pair: &PairResult) -> String {
    let (early, _) = order(m, pair);
    match pair.class {
        Class::StereoPair => "Where the microphone stood you hear one stereo image.".into(),
        Class::SameRoom => format!("You hear one sound; its image leans a little towards {early}."),
        Class::Fused => format!("You hear one sound, and it seems to come from {early} alone."),
        Class::Colouring => {
            format!("You hear one sound from {early}, and it is hollow, as if through a pipe.")
        }
        Class::Echo => "You hear everything twice: an echo.".into(),
    }
}

fn sure(half_us: f64) -> String {
    format!("+- {} (in 95 of 100 cases)", span(half_us))
}

fn way(cm: f64) -> String {
    match cm {
        cm if cm < 1.0 => format!("{:.1} mm", cm * 10.0),
        cm if cm < 100.0 => format!("{cm:.1} cm"),
        cm => format!("{:.2} m", cm / 100.0),
    }
}

fn level(m: &Measurement, pair: &PairResult) -> String {
    let (a, b) = (&m.channels[pair.a].name, &m.channels[pair.b].name);
    match pair.level_diff_db {
        same if same.abs() < SAME_LEVEL_DB => format!("equally loud (to {:.1} dB)", same.abs()),
        more if more > 0.0 => format!("{b} is {more:.1} dB louder than {a}"),
        less => format!("{a} is {:.1} dB louder than {b}", -less),
    }
}

fn polarity(a: &str, of_a: Polarity, b: &str, of_b: Polarity) -> String {
    match (of_a, of_b) {
        (Polarity::Normal, Polarity::Normal) => "both push when they should".into(),
        (Polarity::Inverted, Polarity::Inverted) => "both are turned, so they agree".into(),
        (Polarity::Inverted, Polarity::Normal) => format!("{a} is turned: it pulls when it should push"),
        (Polarity::Normal, Polarity::Inverted) => format!("{b} is turned: it pulls when it should push"),
        _ => "the recording does not tell".into(),
    }
}

fn comb(comb: &Comb) -> Option<String> {
    let count = comb.count.max(comb.notches.len());
    let notch = |notch: &antiphon_measure::lab::measurement::Notch| match notch.measured_db {
        Some(db) => {
            format!("{:.0} Hz by {:.0} dB (predicted {:.0})", notch.hz, db.abs(), notch.predicted_db.abs())
        }
        None => format!("{:.0} Hz (predicted {:.0} dB)", notch.hz, notch.predicted_db.abs()),
    };
    let told: Vec<String> = comb.notches.iter().take(NOTCHES_TOLD).map(notch).collect();
    let more =
        if count > NOTCHES_TOLD { format!(", and {} more", count - NOTCHES_TOLD) } else { String::new() };
    (count > 0).then(|| format!("a sound that both play is weakened at {}{more}", told.join(", ")))
}

fn recorder(m: &Measurement) -> String {
    let r = &m.recorder;
    let begin = match r.begin_s {
        Some(s) => format!("the signal begins at {s:.1} s, {} periods used", r.periods),
        None => "the signal was not found".into(),
    };
    let clock = match r.ppm {
        Some(ppm) if ppm.value.abs() >= 0.05 => {
            let way = if ppm.value < 0.0 { "slow" } else { "fast" };
            format!("; the recorder's clock is {:.1} ppm {way} (taken out)", ppm.value.abs())
        }
        _ => String::new(),
    };
    format!("{:.1} s; {begin}{clock}", r.length_s)
}

fn trust(m: &Measurement) -> &'static str {
    m.grade.meaning()
}

fn noticed(m: &Measurement) -> Vec<String> {
    // What is the verdict already need not be said twice.
    let told = usize::from(m.grade == Grade::NotTrustworthy);
    m.findings.iter().skip(told).map(|finding| finding.message.clone()).collect()
}

fn advice(m: &Measurement) -> Vec<String> {
    let mut out = Vec::new();
    if m.grade == Grade::NotTrustworthy {
        out.push(
            "Mend what is said above and record again. No delay is told: a number from such a recording would be a \
             guess."
                .into(),
        );
        return out;
    }
    let Some(pair) = widest(m) else { return out };
    let (early, late) = order(m, pair);
    match pair.class {
        Class::StereoPair => out.push("Nothing about the time: closer than this no one hears.".into()),
        _ => out.push(format!(
            "Let {early} wait {}. Speakers of Antiphon: `antiphon calibrate` does it and checks it. Others: set it as \
             the delay of {early} where your system has one{}.",
            span(pair.delay_us.value.abs()),
            nearer(late, pair.path_cm().abs())
        )),
    }
    out
}

/// A delay that is a matter of centimetres can be walked.
fn nearer(late: &str, cm: f64) -> String {
    match cm {
        cm if cm < 200.0 => format!(", or move {late} {} nearer to you", way(cm)),
        _ => String::new(),
    }
}

fn section(out: &mut String, title: &str, points: &[String]) {
    if points.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for point in points {
        let _ = write!(out, "  * {}", wrapped(point, "    "));
    }
}

/// `text` in lines of at most [`WIDTH`] columns, those after the first behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let (mut out, mut column) = (String::new(), indent.chars().count());
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent.chars().count() && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.chars().count();
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.extend(word.chars().filter(|c| !c.is_control()));
        column += width;
    }
    out.push('\n');
    out
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
pub mod tests {
    use antiphon_measure::lab::measurement::{
        ChannelResult, Finding, FindingKind, Impulse, Notch, RecorderResult, Severity,
    };

    use super::*;

    /// Speakers that arrive so late, in microseconds, each known to within 2 us.
    pub fn measured(speakers: &[(&str, f64)]) -> Measurement {
        let channel = |(name, late_us): &(&str, f64)| ChannelResult {
            name: (*name).to_owned(),
            heard: true,
            arrival_us: Estimate { value: 1e6 + late_us, sd: 1.0 },
            level_db: -30.0,
            polarity: Polarity::Normal,
            snr_db: 25.0,
            drift_ppm: Estimate { value: 0.0, sd: 0.1 },
            direct_to_reverb_db: 3.0,
            response: Vec::new(),
            echoes: Vec::new(),
            impulse: Impulse::default(),
            track: Vec::new(),
        };
        let mut pairs = Vec::new();
        for b in 0..speakers.len() {
            for a in 0..b {
                let delay = speakers[b].1 - speakers[a].1;
                let notches =
                    vec![Notch { hz: 500e3 / delay.abs().max(1.0), predicted_db: -20.0, measured_db: None }];
                pairs.push(PairResult {
                    a,
                    b,
                    delay_us: Estimate { value: delay, sd: 1.0 },
                    level_diff_db: 0.0,
                    class: Class::of(delay),
                    comb: Comb { count: notches.len(), notches },
                });
            }
        }
        let recorder =
            RecorderResult { length_s: 20.0, begin_s: Some(2.0), periods: 8, ..RecorderResult::default() };
        let channels = speakers.iter().map(channel).collect();
        Measurement { recorder, channels, pairs, findings: Vec::new(), grade: Grade::Good }
    }

    #[test]
    fn the_verdict_says_who_is_late_by_how_much_and_what_is_heard() {
        for (late_us, said) in [
            (
                12.3,
                "Together: right comes 12.3 us after left. Where the microphone stood you hear one stereo image.",
            ),
            (
                -150.0,
                "Nearly together: left comes 150.0 us after right. You hear one sound; its image leans a little towards right.",
            ),
            (
                1_500.0,
                "Not together: right comes 1.500 ms after left. You hear one sound, and it seems to come from left alone.",
            ),
            (
                137_012.0,
                "Not together: right comes 137.012 ms after left. You hear everything twice: an echo.",
            ),
        ] {
            assert_eq!(verdict(&measured(&[("left", 0.0), ("right", late_us)])), said);
        }
    }

    #[test]
    fn the_advice_names_the_early_speaker_and_how_long_it_shall_wait() {
        let text = tell(&measured(&[("left", 11_300.0), ("right", 0.0)]));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Let right wait 11.300 ms."), "{text}");
        assert!(words.contains("17 comb notches"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn a_recording_that_is_not_to_be_trusted_gets_no_number() {
        let mut m = measured(&[("left", 0.0), ("right", 137_012.0)]);
        m.grade = Grade::NotTrustworthy;
        let message = "The recording is clipped: turn the microphone down.".to_owned();
        m.findings = vec![Finding { kind: FindingKind::Clipped, severity: Severity::Refusal, message }];
        let text = tell(&m);
        assert!(text.starts_with("Not measured: the recording is clipped"), "{text}");
        assert!(!text.contains("137"), "{text}");
    }

    #[test]
    fn of_many_speakers_each_is_told_against_the_first() {
        let text = tell(&measured(&[("desk", 300.0), ("shelf", 0.0), ("tv", 25_000.0)]));
        assert!(text.contains("The 3 speakers are 25.000 ms apart: shelf plays first, tv last."), "{text}");
        assert!(
            text.contains("desk         300.0 us later") && text.contains("shelf        first"),
            "{text}"
        );
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert!(!tell(&measured(&[("a\u{1b}[2J", 0.0), ("b", 9.0)])).contains('\u{1b}'));
    }
}
