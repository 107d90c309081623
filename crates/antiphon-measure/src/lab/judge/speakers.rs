//! What is wrong with the speakers or their wiring: what one wanted to know.

use super::super::analysis::Analysis;
use super::super::measurement::{ChannelResult, Finding, FindingKind, PairResult, Polarity};
use super::limits::*;
use super::{Evidence, doubt, note, refusal};

impl Evidence<'_> {
    pub(super) fn about_the_speakers(&self) -> Vec<Finding> {
        let mut found = self.silent();
        let rules = [
            self.collapsed(),
            self.swapped().or_else(|| self.exchanged_sides()),
            self.polarity(),
            self.levels(),
            self.clocks(),
        ];
        found.extend(rules.into_iter().flatten());
        found
    }

    fn silent(&self) -> Vec<Finding> {
        self.channels().iter().filter(|c| !c.heard).map(|c| self.not_heard(&c.name)).collect()
    }

    /// Nothing of `name`. If another channel arrives twice, nearly as loud, its own speaker plays that.
    fn not_heard(&self, name: &str) -> Finding {
        let second = |c: &ChannelResult| c.echoes.iter().copied().find(|e| e.db > SECOND_SPEAKER_DB);
        let doubled = self.channels().iter().filter(|c| c.heard).find_map(|c| Some((c, second(c)?)));
        match doubled {
            Some((other, echo)) => refusal(
                FindingKind::MonoCollapse,
                format!(
                    "Nothing of {name} was heard, and {} arrives twice, {:.2} ms apart and nearly as loud: both speakers \
                     play {}. Give one of them the other channel, in the speaker's app or at the player.",
                    other.name,
                    echo.after_us / 1_000.0,
                    other.name
                ),
            ),
            None => refusal(
                FindingKind::SpeakerSilent,
                format!(
                    "{name} was not heard: its speaker is off, muted, not connected or far too quiet, or the player sent \
                     one channel only. See that it plays, then measure again."
                ),
            ),
        }
    }

    /// Channels that come out of the same places.
    fn collapsed(&self) -> Option<Finding> {
        let pairs = self.pairs().iter().zip(&self.analysis.pairs);
        let (pair, facts) = pairs.max_by(|a, b| a.1.likeness.abs().total_cmp(&b.1.likeness.abs()))?;
        let (a, b) = (self.name(pair.a), self.name(pair.b));
        match facts.likeness.abs() {
            same if same > ALIKE => Some(refusal(
                FindingKind::MonoCollapse,
                format!(
                    "{a} and {b} come out of the same places: both speakers play the same (mono), or one speaker plays \
                     both. There is no stereo, and the delay between the two speakers cannot be told from this. Set \
                     the pair up as left and right, or switch \"mono\" off in the player.",
                ),
            )),
            some if some > LEAKING => Some(doubt(
                FindingKind::MonoCollapse,
                format!(
                    "A good part of {a} also comes out where {b} does: a stereo effect or a partly mono pair. Switch \
                     effects (\"surround\", \"wide\", \"3D\") off in speakers and player.",
                ),
            )),
            _ => None,
        }
    }

    /// The microphone was held near one speaker, and another channel came first and louder.
    fn swapped(&self) -> Option<Finding> {
        let near = self.options.near?;
        let held = self.channels().get(near).filter(|c| c.heard)?;
        let sooner = |p: &&PairResult| {
            (p.a == near && p.delay_us.value < -NEAR_US && p.level_diff_db > 0.0)
                || (p.b == near && p.delay_us.value > NEAR_US && p.level_diff_db < 0.0)
        };
        let pair = self.pairs().iter().find(sooner)?;
        let other = self.name(pair.a + pair.b - near);
        Some(doubt(
            FindingKind::Swapped,
            format!(
                "The microphone was held near {}, but {other} came first and louder: the speakers are exchanged, or the \
                 wrong one is nearer. Exchange their places, their plugs or their roles.",
                held.name
            ),
        ))
    }

    /// The recorder's left microphone hears the right channel first, and its right one the left.
    fn exchanged_sides(&self) -> Option<Finding> {
        let sides = self.sides.filter(|_| self.channels().len() == 2)?;
        let arrival = |side: &Analysis, channel: usize| {
            let found = side.measurement.channels.get(channel).filter(|c| c.heard)?;
            Some(found.arrival_us.value)
        };
        // Positive: the left microphone is nearer.
        let to_the_left = |channel| Some(arrival(&sides[1], channel)? - arrival(&sides[0], channel)?);
        let exchanged = to_the_left(0)? < -ONE_SIDE_US && to_the_left(1)? > ONE_SIDE_US;
        exchanged.then(|| {
            doubt(
                FindingKind::Swapped,
                format!(
                    "{} stands at the right of the recorder and {} at its left: the speakers are exchanged, or the \
                     recorder was turned round. Exchange their places, their plugs or their roles.",
                    self.name(0),
                    self.name(1)
                ),
            )
        })
    }

    fn polarity(&self) -> Option<Finding> {
        let named = |wanted| self.channels().iter().find(move |c| c.heard && c.polarity == wanted);
        let (normal, inverted) = (named(Polarity::Normal)?, named(Polarity::Inverted)?);
        Some(note(
            FindingKind::PolarityDiffers,
            format!(
                "{} pushes where {} pulls: one of them is wired the wrong way round, which takes bass and the middle of \
                 the image away. Exchange the two wires of one speaker, or invert one channel.",
                inverted.name, normal.name
            ),
        ))
    }

    fn levels(&self) -> Option<Finding> {
        let worst =
            self.pairs().iter().max_by(|a, b| a.level_diff_db.abs().total_cmp(&b.level_diff_db.abs()))?;
        let db = worst.level_diff_db;
        let (loud, soft) = if db > 0.0 { (worst.b, worst.a) } else { (worst.a, worst.b) };
        (db.abs() > LEVEL_DB).then(|| {
            note(
                FindingKind::LevelsDiffer,
                format!(
                    "At the microphone {} is {:.1} dB louder than {}; ears notice 0.5 dB. Turn it down, or move it \
                     away.",
                    self.name(loud),
                    db.abs(),
                    self.name(soft)
                ),
            )
        })
    }

    fn clocks(&self) -> Option<Finding> {
        let heard = || self.channels().iter().filter(|c| c.heard);
        let by = |a: &&ChannelResult, b: &&ChannelResult| a.drift_ppm.value.total_cmp(&b.drift_ppm.value);
        let (slow, fast) = (heard().min_by(by)?, heard().max_by(by)?);
        let ppm = fast.drift_ppm.value - slow.drift_ppm.value;
        let doubtful = 1.96 * fast.drift_ppm.sd.hypot(slow.drift_ppm.sd);
        if ppm < DRIFT_PPM || ppm < 2.0 * doubtful {
            return None;
        }
        let text = format!(
            "The clocks of {} and {} run apart by {ppm:.1} ppm, {:.0} us a minute: what was measured holds for this \
             moment only. They are not one system; play them through a program that synchronises them.",
            fast.name,
            slow.name,
            ppm * 60.0
        );
        let kind = FindingKind::ClocksDrift;
        Some(if ppm > FAST_DRIFT_PPM { doubt(kind, text) } else { note(kind, text) })
    }
}
