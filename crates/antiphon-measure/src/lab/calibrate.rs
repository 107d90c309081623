//! From one measurement to what each speaker shall wait and be turned down by.
//!
//! Decides numbers and nothing else: it neither plays, nor stores, nor knows who asks. Every doubt
//! is a [`Refusal`] that says what to do.

use super::measurement::{
    ChannelResult, Finding, FindingKind, Grade, Measurement, PairResult, SOUND_M_S, Severity,
};

/// A calibration never makes a speaker wait longer than a hub can be told: 2 s.
pub const MAX_DELAY_US: f64 = 2_000_000.0;
/// A speaker that must be turned down further than this, in dB, is not out of trim: the other one is
/// off, broken or in another room.
pub const MAX_TRIM_DB: f64 = 24.0;
/// Worse than this, as half of a 95 % interval in microseconds, a correction could itself be heard
/// in a stereo image.
pub const MAX_UNSURE_US: f64 = 60.0;
/// Clocks that run apart faster than this, in parts per million, undo a fixed delay within seconds:
/// 5 ppm are 60 us in 12 s. A correction that is worth far more than that is made all the same.
pub const MAX_DRIFT_PPM: f64 = 5.0;
/// Loudspeakers with a radio follow the rate of their samples by the level of their buffer, and glide by
/// tens of parts per million for minutes, forth and back. A correction is worth it if what they could glide
/// in so many seconds is at most [`LITTLE`] of what it takes away.
const HOLDS_S: f64 = 30.0;
/// See [`HOLDS_S`].
const LITTLE: f64 = 0.25;
/// A microphone stands no nearer and no farther than this, in metres.
const DISTANCES_M: std::ops::RangeInclusive<f64> = 0.01..=100.0;
/// Level differences below this are what moving one's head does.
const SAME_LEVEL_DB: f64 = 0.5;
/// Of what a correction was to take away no more than this may be left: what was measured did not stay, or was never so.
const LEFT: f64 = 0.5;
/// Two measurements of the same speakers differ by this much for no reason of theirs.
const SAME_DELAY_US: f64 = 5.0;

/// The calibration that was in force while the measurement was made. A speaker that is not named had
/// none.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// The channel's name in the measurement.
    pub name: String,
    /// How long the speaker waited, in microseconds.
    pub delay_us: i64,
    /// How far it was turned down: 0 or below.
    pub gain_db: f32,
}

/// The calibration that shall replace it.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The channel's name in the measurement.
    pub name: String,
    /// How long the speaker shall wait, in microseconds: 0 for the latest one, to [`MAX_DELAY_US`].
    pub delay_us: i64,
    /// How far it shall be turned down, in dB: 0 for the quietest one, down to -[`MAX_TRIM_DB`].
    pub gain_db: f32,
}

/// Why there is no correction, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nothing to compare.
    #[error("a calibration compares speakers: at least two are needed, and {0} took part")]
    TooFew(usize),
    /// The measurement is graded not trustworthy.
    #[error("the measurement is not trustworthy, so nothing is changed. {0}")]
    NotTrustworthy(String),
    /// A speaker was not heard.
    #[error("{0} was not heard: see that it is on, turned up and in the same room, then measure again")]
    Silent(String),
    /// The delay is known too badly.
    #[error(
        "the delay of {name} is known only to within {half_95_us:.0} us, and {MAX_UNSURE_US:.0} us is the limit: \
         come nearer, play louder or make the room quieter, then measure again"
    )]
    TooUnsure {
        /// The speaker.
        name: String,
        /// Half of the 95 % interval.
        half_95_us: f64,
    },
    /// Clocks run apart: a fixed delay would not hold.
    #[error(
        "the clocks of {a} and {b} ran {ppm:.0} ppm apart while they were heard, so a fixed delay would be wrong again \
         within seconds: let them play for half a minute and measure again; if that stays so, what plays them does \
         not synchronise them"
    )]
    Drifting {
        /// One speaker.
        a: String,
        /// The other one.
        b: String,
        /// How fast they part.
        ppm: f64,
    },
    /// The delay needed is longer than a hub can be told.
    #[error(
        "{name} would have to wait {ms:.0} ms, and {most:.0} ms is the limit: the other speaker is too late to be \
         waited for",
        most = MAX_DELAY_US / 1_000.0
    )]
    TooFarApart {
        /// The earliest speaker.
        name: String,
        /// What it would have to wait.
        ms: f64,
    },
    /// Levels differ beyond what a trim is for.
    #[error(
        "{name} would have to be turned down by {db:.0} dB to match the others, and {MAX_TRIM_DB:.0} dB is the limit: \
         turn the quieter speaker up at its own knob, or come nearer to it"
    )]
    LevelsTooFarApart {
        /// The loudest speaker.
        name: String,
        /// What it would have to be turned down by.
        db: f64,
    },
    /// As many distances as speakers are needed, each possible.
    #[error("distances: {given} given for {speakers} speakers; give one for each, from 0.01 to 100 metres")]
    Distances {
        /// How many were given.
        given: usize,
        /// How many are needed.
        speakers: usize,
    },
}

/// What shall replace the `present` calibration, one for each channel, in their order.
///
/// Without distances the correction holds where the microphone stood: every sound arrives there at
/// once and equally loud. With `distances_m`, from the microphone to each speaker, the way through
/// the air is taken out of the delays, so that the speakers *emit* together, and volumes stay as
/// they are, since in a room loudness does not follow from distance. Equal distances are no
/// distances: the air takes the same from all.
pub fn corrections(
    measurement: &Measurement,
    present: &[Present],
    distances_m: Option<&[f64]>,
) -> Result<Vec<Correction>, Refusal> {
    let channels = &measurement.channels;
    refuse(measurement)?;
    let own = emitted(measurement, distances_m)?;
    outlasts_drift(channels, span(&own))?;
    let before: Vec<(f64, f64)> = channels.iter().map(|c| in_force(present, &c.name)).collect();
    let delays = waits(&own, &before);
    let gains = trims(channels, &before, distances_m.is_some());
    within_limits(channels, &delays, &gains)?;
    let rounded = |(channel, (delay, gain)): (&ChannelResult, (&f64, &f64))| Correction {
        name: channel.name.clone(),
        delay_us: delay.round() as i64,
        gain_db: ((gain * 10.0).round() / 10.0) as f32,
    };
    Ok(channels.iter().zip(delays.iter().zip(&gains)).map(rounded).collect())
}

/// Whether the speakers are nearer to each other `after` a correction than `before`, in time or in
/// level and in neither worse, and where it was to bring them; else why the correction is not to be kept. `distances_m` as in
/// [`corrections`].
pub fn is_better(
    before: &Measurement,
    after: &Measurement,
    distances_m: Option<&[f64]>,
) -> Result<(), String> {
    let unconfirmed = |refusal: Refusal| format!("the measurement afterwards does not confirm it: {refusal}");
    refuse(after).map_err(unconfirmed)?;
    let apart = |m: &Measurement| emitted(m, distances_m).map(|own| span(&own)).map_err(unconfirmed);
    let (was, is) = (apart(before)?, apart(after)?);
    outlasts_drift(&after.channels, was - is).map_err(unconfirmed)?;
    let level = |m: &Measurement| if distances_m.is_some() { 0.0 } else { level_span(&m.channels) };
    let (loud_was, loud_is) = (level(before), level(after));
    let same = SAME_DELAY_US + 2.0 * unsure_us(after);
    if is > was + same {
        return Err(format!("the speakers were {was:.0} us apart and would be {is:.0} us apart with it"));
    }
    if loud_is > loud_was + SAME_LEVEL_DB {
        return Err(format!(
            "levels differed by {loud_was:.1} dB and would differ by {loud_is:.1} dB with it"
        ));
    }
    if is > was - same && loud_is > loud_was - SAME_LEVEL_DB {
        return Err(format!(
            "it changes nothing that can be measured: {was:.0} us before, {is:.0} us with it"
        ));
    }
    if is > LEFT * was + same {
        return Err(format!(
            "it should have taken away {was:.0} us, and {is:.0} us are left: the speakers did not stay as they were measured"
        ));
    }
    Ok(())
}

fn refuse(measurement: &Measurement) -> Result<(), Refusal> {
    let channels = &measurement.channels;
    if channels.len() < 2 {
        return Err(Refusal::TooFew(channels.len()));
    }
    let something_heard = channels.iter().any(|c| c.heard);
    if let Some(silent) = channels.iter().find(|c| !c.heard && something_heard) {
        return Err(Refusal::Silent(silent.name.clone()));
    }
    if measurement.grade == Grade::NotTrustworthy {
        return Err(Refusal::NotTrustworthy(gravest(measurement)));
    }
    sure_enough(measurement)
}

/// The message of the gravest finding that made it not trustworthy.
fn gravest(measurement: &Measurement) -> String {
    let found = measurement.findings.iter().find(|f| f.severity == Severity::Refusal);
    found.map_or_else(|| "The signal was not heard.".into(), |f| f.message.clone())
}

fn sure_enough(measurement: &Measurement) -> Result<(), Refusal> {
    let unsure = |p: &&PairResult| !(0.0..=MAX_UNSURE_US).contains(&p.delay_us.half_95());
    match measurement.pairs.iter().filter(|p| p.a == 0).find(unsure) {
        Some(pair) => Err(Refusal::TooUnsure {
            name: measurement.channels.get(pair.b).map_or_else(String::new, |c| c.name.clone()),
            half_95_us: pair.delay_us.half_95(),
        }),
        None => Ok(()),
    }
}

/// Whether the speakers stand still against each other, as far as the measurement can tell.
///
/// # Errors
/// Their clocks part faster than [`MAX_DRIFT_PPM`] beyond doubt.
pub fn stand_still(measurement: &Measurement) -> Result<(), Refusal> {
    outlasts_drift(&measurement.channels, 0.0)
}

/// Whether something jumped or was missing while it was measured: the next measurement may tell more.
pub fn is_broken(measurement: &Measurement) -> bool {
    let breaks = |f: &Finding| f.kind == FindingKind::Dropout && f.severity != Severity::Note;
    measurement.findings.iter().any(breaks)
}

/// Refuses clocks that part faster than [`MAX_DRIFT_PPM`] beyond doubt, unless a change of so many
/// microseconds would be worth it for longer than [`HOLDS_S`].
fn outlasts_drift(channels: &[ChannelResult], change_us: f64) -> Result<(), Refusal> {
    let by_drift = |a: &&ChannelResult, b: &&ChannelResult| a.drift_ppm.value.total_cmp(&b.drift_ppm.value);
    let (Some(slow), Some(fast)) = (channels.iter().min_by(by_drift), channels.iter().max_by(by_drift))
    else {
        return Ok(());
    };
    let ppm = fast.drift_ppm.value - slow.drift_ppm.value;
    let doubt = 1.96 * fast.drift_ppm.sd.hypot(slow.drift_ppm.sd);
    if ppm - doubt > MAX_DRIFT_PPM && ppm * HOLDS_S > LITTLE * change_us {
        return Err(Refusal::Drifting { a: slow.name.clone(), b: fast.name.clone(), ppm });
    }
    Ok(())
}

/// Every channel's delay behind the first, as the pairs have it: phase slopes, better than the
/// difference of two arrivals.
fn own_delays(measurement: &Measurement) -> Result<Vec<f64>, Refusal> {
    let behind_first = |b: usize| {
        let pair = measurement.pairs.iter().find(|p| p.a == 0 && p.b == b);
        match pair.map(|p| p.delay_us.value) {
            _ if b == 0 => Ok(0.0),
            Some(us) if us.is_finite() => Ok(us),
            _ => Err(Refusal::Silent(measurement.channels[b].name.clone())),
        }
    };
    (0..measurement.channels.len()).map(behind_first).collect()
}

/// Time in the air, in microseconds; all alike without distances.
fn in_air_us(distances_m: Option<&[f64]>, speakers: usize) -> Result<Vec<f64>, Refusal> {
    let Some(distances) = distances_m else { return Ok(vec![0.0; speakers]) };
    if distances.len() != speakers || !distances.iter().all(|d| DISTANCES_M.contains(d)) {
        return Err(Refusal::Distances { given: distances.len(), speakers });
    }
    Ok(distances.iter().map(|d| d / SOUND_M_S * 1e6).collect())
}

fn in_force(present: &[Present], name: &str) -> (f64, f64) {
    let found = present.iter().find(|p| p.name == name);
    found.map_or((0.0, 0.0), |p| (p.delay_us as f64, f64::from(p.gain_db)))
}

/// What each speaker waits so that all are as late as the latest, which itself waits for nobody:
/// what they waited for nothing in an earlier calibration is given back.
fn waits(own: &[f64], before: &[(f64, f64)]) -> Vec<f64> {
    let alone: Vec<f64> = own.iter().zip(before).map(|(us, (waited, _))| us - waited).collect();
    let latest = alone.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    alone.iter().map(|us| latest - us).collect()
}

/// How far each speaker is turned down so that all are as loud as the quietest, which itself is left
/// alone.
fn trims(channels: &[ChannelResult], before: &[(f64, f64)], keep: bool) -> Vec<f64> {
    if keep {
        return before.iter().map(|(_, gain)| gain.min(0.0)).collect();
    }
    let alone: Vec<f64> = channels.iter().zip(before).map(|(c, (_, gain))| c.level_db - gain).collect();
    let quietest = alone.iter().copied().fold(f64::INFINITY, f64::min);
    alone.iter().map(|db| quietest - db).collect()
}

fn within_limits(channels: &[ChannelResult], delays: &[f64], gains: &[f64]) -> Result<(), Refusal> {
    for ((channel, delay), gain) in channels.iter().zip(delays).zip(gains) {
        if !(0.0..=MAX_DELAY_US).contains(delay) {
            return Err(Refusal::TooFarApart { name: channel.name.clone(), ms: delay / 1_000.0 });
        }
        if !(-MAX_TRIM_DB..=0.0).contains(gain) {
            return Err(Refusal::LevelsTooFarApart { name: channel.name.clone(), db: -gain });
        }
    }
    Ok(())
}

/// Every channel's delay behind the first, the air taken out where distances are given.
fn emitted(measurement: &Measurement, distances_m: Option<&[f64]>) -> Result<Vec<f64>, Refusal> {
    let air = in_air_us(distances_m, measurement.channels.len())?;
    Ok(own_delays(measurement)?.iter().zip(&air).map(|(us, air)| us - air).collect())
}

/// The greatest distance between any two.
fn span(values: &[f64]) -> f64 {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    high - low
}

fn unsure_us(measurement: &Measurement) -> f64 {
    measurement.pairs.iter().map(|p| p.delay_us.sd).fold(0.0, f64::max)
}

fn level_span(channels: &[ChannelResult]) -> f64 {
    span(&channels.iter().map(|c| c.level_db).collect::<Vec<f64>>())
}

#[cfg(test)]
mod tests {
    use super::super::measurement::{
        Class, Comb, Estimate, Finding, FindingKind, Impulse, Polarity, RecorderResult,
    };
    use super::*;

    /// Speakers `a`, `b`, ... that are so late (us) and so loud (dB), known to within 2 us.
    fn measured(speakers: &[(f64, f64)]) -> Measurement {
        let channels: Vec<ChannelResult> = speakers.iter().enumerate().map(channel).collect();
        let mut pairs = Vec::new();
        for a in 0..speakers.len() {
            for b in a + 1..speakers.len() {
                pairs.push(pair(a, b, speakers));
            }
        }
        Measurement {
            recorder: RecorderResult::default(),
            channels,
            pairs,
            findings: vec![],
            grade: Grade::Good,
        }
    }

    fn channel((index, (late_us, level_db)): (usize, &(f64, f64))) -> ChannelResult {
        ChannelResult {
            name: char::from(b'a' + index as u8).to_string(),
            heard: true,
            arrival_us: Estimate { value: 1e6 + late_us, sd: 10.0 },
            level_db: *level_db,
            polarity: Polarity::Normal,
            snr_db: 20.0,
            drift_ppm: Estimate { value: 0.0, sd: 0.1 },
            direct_to_reverb_db: 0.0,
            response: vec![],
            echoes: vec![],
            impulse: Impulse::default(),
            track: vec![],
        }
    }

    fn pair(a: usize, b: usize, speakers: &[(f64, f64)]) -> PairResult {
        let delay = speakers[b].0 - speakers[a].0;
        PairResult {
            a,
            b,
            delay_us: Estimate { value: delay, sd: 1.0 },
            level_diff_db: speakers[b].1 - speakers[a].1,
            class: Class::of(delay),
            comb: Comb::default(),
        }
    }

    fn present(name: &str, delay_us: i64, gain_db: f32) -> Present {
        Present { name: name.into(), delay_us, gain_db }
    }

    fn numbers(corrections: &[Correction]) -> Vec<(i64, f32)> {
        corrections.iter().map(|c| (c.delay_us, c.gain_db)).collect()
    }

    #[test]
    fn the_earlier_speaker_waits_for_the_later_and_the_louder_is_turned_down() {
        let found = corrections(&measured(&[(0.0, -20.0), (137_000.4, -17.5)]), &[], None).unwrap();
        assert_eq!(numbers(&found), [(137_000, 0.0), (0, -2.5)]);
        assert_eq!((found[0].name.as_str(), found[1].name.as_str()), ("a", "b"));
    }

    #[test]
    fn twenty_speakers_all_wait_for_the_latest_one() {
        let speakers: Vec<(f64, f64)> =
            (0..20).map(|k| (f64::from(k * 7 % 20) * 1_000.0, -30.0 + f64::from(k))).collect();
        let found = corrections(&measured(&speakers), &[], None).unwrap();
        for (correction, (late, level)) in found.iter().zip(&speakers) {
            assert_eq!(correction.delay_us as f64 + late, 19_000.0);
            assert!((f64::from(correction.gain_db) + level + 30.0).abs() < 0.06);
        }
    }

    #[test]
    fn what_was_corrected_before_is_part_of_the_new_correction_and_nothing_accumulates() {
        // In truth b is 10 ms later and 3 dB louder; the calibration in force is 9 ms and 2 dB, on
        // top of 5 ms and 4 dB that both have for nothing.
        let before = [present("a", 14_000, -4.0), present("b", 5_000, -6.0)];
        let heard = measured(&[(0.0, -20.0), (1_000.0, -19.0)]);
        let found = corrections(&heard, &before, None).unwrap();
        assert_eq!(numbers(&found), [(10_000, 0.0), (0, -3.0)]);
    }

    #[test]
    fn with_distances_the_way_through_the_air_is_not_corrected_and_volumes_stay() {
        // b stands 3.432 m farther away, which is 10 ms, and is heard 12 ms later.
        let heard = measured(&[(0.0, -20.0), (12_000.0, -26.0)]);
        let before = [present("a", 0, -1.0)];
        let found = corrections(&heard, &before, Some(&[1.0, 4.432])).unwrap();
        assert_eq!(numbers(&found), [(2_000, -1.0), (0, 0.0)]);
        let equal = corrections(&heard, &[], Some(&[2.0, 2.0])).unwrap();
        assert_eq!(numbers(&equal), [(12_000, 0.0), (0, 0.0)]);
    }

    #[test]
    fn distances_that_cannot_be_are_refused() {
        let heard = measured(&[(0.0, 0.0), (0.0, 0.0)]);
        for wrong in [&[1.0][..], &[1.0, f64::NAN], &[1.0, 0.0], &[1.0, 101.0]] {
            let refused = corrections(&heard, &[], Some(wrong));
            assert!(matches!(refused, Err(Refusal::Distances { speakers: 2, .. })), "{wrong:?}");
        }
    }

    #[test]
    fn a_measurement_that_is_not_trustworthy_corrects_nothing_and_says_why() {
        let mut heard = measured(&[(0.0, 0.0), (500.0, 0.0)]);
        heard.grade = Grade::NotTrustworthy;
        heard.findings.push(Finding {
            kind: FindingKind::Noisy,
            severity: Severity::Refusal,
            message: "A vacuum cleaner.".into(),
        });
        let refused = corrections(&heard, &[], None).unwrap_err();
        assert!(refused.to_string().contains("A vacuum cleaner."), "{refused}");
    }

    #[test]
    fn a_speaker_that_was_not_heard_is_named() {
        let mut heard = measured(&[(0.0, 0.0), (500.0, 0.0)]);
        heard.channels[1].heard = false;
        heard.pairs.clear();
        assert_eq!(corrections(&heard, &[], None), Err(Refusal::Silent("b".into())));
    }

    #[test]
    fn a_delay_that_is_known_too_badly_is_not_corrected() {
        let mut heard = measured(&[(0.0, 0.0), (500.0, 0.0)]);
        heard.pairs[0].delay_us.sd = 31.0;
        assert!(matches!(corrections(&heard, &[], None), Err(Refusal::TooUnsure { .. })));
        heard.pairs[0].delay_us.sd = f64::NAN;
        assert!(matches!(corrections(&heard, &[], None), Err(Refusal::TooUnsure { .. })));
    }

    #[test]
    fn clocks_that_run_apart_are_refused_and_clocks_that_only_seem_to_are_not() {
        let mut heard = measured(&[(0.0, 0.0), (500.0, 0.0)]);
        heard.channels[0].drift_ppm = Estimate { value: -20.0, sd: 1.0 };
        heard.channels[1].drift_ppm = Estimate { value: 20.0, sd: 1.0 };
        let refused = corrections(&heard, &[], None).unwrap_err();
        assert!(matches!(&refused, Refusal::Drifting { ppm, .. } if *ppm == 40.0), "{refused}");
        heard.channels[1].drift_ppm.sd = 30.0;
        assert!(corrections(&heard, &[], None).is_ok());
    }

    #[test]
    fn what_takes_away_far_more_than_speakers_glide_is_kept_though_they_glide() {
        let gliding = |late_us: f64| {
            let mut heard = measured(&[(0.0, 0.0), (late_us, 0.0)]);
            heard.channels[1].drift_ppm = Estimate { value: 40.0, sd: 1.0 };
            heard
        };
        // 40 ppm are 1.2 ms in 30 s.
        assert!(corrections(&gliding(15_000.0), &[], None).is_ok());
        assert!(is_better(&gliding(15_000.0), &gliding(400.0), None).is_ok());
        assert!(matches!(stand_still(&gliding(15_000.0)), Err(Refusal::Drifting { .. })));
        assert!(matches!(corrections(&gliding(4_000.0), &[], None), Err(Refusal::Drifting { .. })));
        assert!(is_better(&gliding(4_000.0), &gliding(400.0), None).unwrap_err().contains("40 ppm"));
        assert!(is_better(&gliding(15_000.0), &gliding(16_000.0), None).is_err());
    }

    #[test]
    fn what_a_hub_could_not_be_told_is_refused() {
        let late = measured(&[(0.0, 0.0), (2_000_001.0, 0.0)]);
        assert!(matches!(corrections(&late, &[], None), Err(Refusal::TooFarApart { .. })));
        let loud = measured(&[(0.0, 0.0), (0.0, -25.0)]);
        assert!(matches!(corrections(&loud, &[], None), Err(Refusal::LevelsTooFarApart { .. })));
        assert_eq!(corrections(&measured(&[(0.0, 0.0)]), &[], None), Err(Refusal::TooFew(1)));
    }

    #[test]
    fn better_is_nearer_in_time_or_in_level_and_in_neither_worse() {
        let before = measured(&[(0.0, 0.0), (137_000.0, -3.0)]);
        let better = |after: &[(f64, f64)]| is_better(&before, &measured(after), None);
        assert!(better(&[(0.0, 0.0), (12.0, 0.1)]).is_ok());
        let louder =
            is_better(&measured(&[(0.0, 0.0), (3.0, -3.0)]), &measured(&[(0.0, 0.0), (4.0, 0.0)]), None);
        assert!(louder.is_ok(), "{louder:?}");
        assert!(better(&[(0.0, 0.0), (0.0, -3.0)]).is_ok());
        assert!(better(&[(0.0, 0.0), (138_000.0, 0.0)]).unwrap_err().contains("138000"));
        assert!(better(&[(0.0, 0.0), (0.0, 4.0)]).unwrap_err().contains("4.0 dB"));
        assert!(better(&[(0.0, 0.0), (137_001.0, -3.0)]).unwrap_err().contains("changes nothing"));
    }

    #[test]
    fn a_correction_that_did_not_do_what_it_was_to_do_is_not_kept_though_it_is_nearer() {
        let before = measured(&[(0.0, 0.0), (1_411_000.0, -3.0)]);
        let better = |us: f64| is_better(&before, &measured(&[(0.0, 0.0), (us, 0.0)]), None);
        assert!(better(46_000.0).is_ok());
        assert!(better(1_365_000.0).unwrap_err().contains("1365000 us are left"));
        assert!(better(-1_365_000.0).unwrap_err().contains("did not stay"));
        assert!(better(1_411_000.0).unwrap_err().contains("did not stay"), "though it is as loud now");
    }

    #[test]
    fn a_second_measurement_that_cannot_be_trusted_confirms_nothing() {
        let before = measured(&[(0.0, 0.0), (137_000.0, 0.0)]);
        let mut after = measured(&[(0.0, 0.0), (0.0, 0.0)]);
        after.grade = Grade::NotTrustworthy;
        assert!(is_better(&before, &after, None).unwrap_err().contains("does not confirm"));
    }

    #[test]
    fn with_distances_better_means_that_they_emit_together() {
        let before = measured(&[(0.0, 0.0), (12_000.0, -6.0)]);
        let after = measured(&[(0.0, 0.0), (10_000.0, -6.0)]);
        assert!(is_better(&before, &after, Some(&[1.0, 4.432])).is_ok());
        assert!(is_better(&after, &before, Some(&[1.0, 4.432])).is_err());
    }

    #[test]
    fn a_measurement_in_which_something_jumped_is_made_again() {
        let mut heard = measured(&[(0.0, 0.0), (500.0, 0.0)]);
        assert!(!is_broken(&heard));
        let jumped = |severity| Finding { kind: FindingKind::Dropout, severity, message: String::new() };
        heard.findings.push(jumped(Severity::Doubt));
        assert!(is_broken(&heard));
    }
}
