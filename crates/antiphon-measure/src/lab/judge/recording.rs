//! What is wrong with the recording: whether the numbers are to be trusted.

use super::super::excitation::Excitation;
use super::super::measurement::{Finding, FindingKind};
use super::limits::*;
use super::{Evidence, doubt, note, refusal};

/// What was heard of the signal, in seconds of the recording.
struct Span {
    missing_begin_s: Option<f64>,
    missing_end_s: Option<f64>,
    from_s: f64,
    to_s: f64,
    length_s: f64,
    /// The recorder was running where the signal should have been, and heard nothing.
    silent_inside: bool,
}

impl Span {
    fn ends_with_recording(&self) -> bool {
        self.to_s > self.length_s - EDGE_S && !self.silent_inside
    }
}

impl Evidence<'_> {
    /// Why nothing was heard.
    pub(super) fn nothing_heard(&self) -> Finding {
        if self.facts.rms_dbfs < SILENCE_DBFS {
            return refusal(
                FindingKind::Silence,
                "The recording is silent. Check that the right microphone was chosen, that it is not muted and may \
                 be used, then record again.",
            );
        }
        if let Some(finding) = self.wrong_speed() {
            return finding;
        }
        let telephone = match self.facts.bandwidth_hz.filter(|hz| *hz < TELEPHONE_HZ) {
            None => String::new(),
            Some(hz) => format!(
                " Or it was lost on the way: nothing at all above {:.1} kHz was recorded, as over a telephone or by a \
                 Bluetooth headset's microphone.",
                hz / 1_000.0
            ),
        };
        refusal(
            FindingKind::NotTheSignal,
            format!(
                "There is sound in the recording, but not the measure track. Play what `antiphon signal measure -o \
                 track.wav` wrote (both channels, no equaliser) while recording, from before it starts until after it has \
                 ended; if another file was played, give that with --signal.{telephone}"
            ),
        )
    }

    /// No microphone hears one side of the track in each of its channels and nothing of the other.
    pub(super) fn the_track_itself(&self) -> Option<Finding> {
        self.facts.sides_alone.then(|| {
            refusal(
                FindingKind::NotTheSignal,
                "This is the track itself, not a recording: each of its channels has one side alone, as no microphone hears \
                 it. Play it on both speakers, record that where you listen, and measure the recording.",
            )
        })
    }

    pub(super) fn about_the_recording(&self) -> Vec<Finding> {
        let rules = [
            self.wrong_speed(),
            self.clipped(),
            self.too_quiet(),
            self.noisy(),
            self.narrowband(),
            self.processed(),
            self.played_twice(),
            self.cut_short(),
            self.jumped().or_else(|| self.broken()).or_else(|| self.gone()).or_else(|| self.spliced()),
            self.unclear(),
            self.reverberant(),
            self.unsure(),
        ];
        rules.into_iter().flatten().collect()
    }

    fn wrong_speed(&self) -> Option<Finding> {
        let speed = self.analysis.speed.filter(|speed| (speed - 1.0).abs() > SPEED)?;
        let percent = (1.0 / speed - 1.0).abs() * 100.0;
        let way = if speed < 1.0 { "fast" } else { "slow" };
        Some(refusal(
            FindingKind::WrongSpeed,
            format!(
                "The track runs {percent:.2} % too {way}: the player changes its speed, or a file was read at a wrong \
                 sample rate. Set the player to normal speed and record again without converting."
            ),
        ))
    }

    fn clipped(&self) -> Option<Finding> {
        let flat = self.facts.flat_tops;
        let squeezed = self.facts.kurtosis.is_some_and(|k| k < CLIPPED_KURTOSIS);
        let percent = flat * 100.0;
        if flat > MANY_FLAT_TOPS || squeezed {
            return Some(refusal(
                FindingKind::Clipped,
                format!(
                    "The recording is badly clipped{}: the microphone is too near, or its gain too high. Turn the \
                     speakers or the recording level down by 12 dB and record again.",
                    if flat > FLAT_TOPS {
                        format!(" ({percent:.1} % of it stands at the limit)")
                    } else {
                        String::new()
                    }
                ),
            ));
        }
        (flat > FLAT_TOPS).then(|| {
            doubt(
                FindingKind::Clipped,
                format!(
                    "The loudest moments are clipped ({percent:.3} % of the recording): delays hold, levels and \
                     responses are a little off. Turn the speakers or the recording level down by 6 dB."
                ),
            )
        })
    }

    fn too_quiet(&self) -> Option<Finding> {
        let level = self.facts.sounding_dbfs.filter(|level| *level < QUIET_DBFS)?;
        Some(doubt(
            FindingKind::TooQuiet,
            format!(
                "The recording is very quiet ({:.0} dB below full scale), so that the recorder's own steps count. \
                 Turn the speakers up or bring the microphone nearer.",
                -level
            ),
        ))
    }

    fn noisy(&self) -> Option<Finding> {
        let heard = self.channels().iter().filter(|c| c.heard);
        let worst = heard.min_by(|a, b| a.snr_db.total_cmp(&b.snr_db))?;
        let snr = worst.snr_db;
        let said = || {
            format!(
                "There is much noise: it is {:.0} dB louder than {}. Make the room quieter, turn the speakers up or \
                 bring the microphone nearer.",
                -snr, worst.name
            )
        };
        match snr {
            covered if covered < NOISE_COVERS_DB => Some(refusal(FindingKind::Noisy, said())),
            noisy if noisy < NOISY_DB => Some(doubt(FindingKind::Noisy, said())),
            _ => None,
        }
    }

    fn narrowband(&self) -> Option<Finding> {
        let hz = self.facts.bandwidth_hz.filter(|hz| *hz < SPEECH_HZ)?;
        if hz < TELEPHONE_HZ {
            return Some(self.telephone(hz));
        }
        Some(doubt(
            FindingKind::Narrowband,
            format!(
                "Nothing above {:.1} kHz was recorded, as with microphones set for speech: the delay is measured from \
                 what is left. Record with a music or voice-memo app in its best quality, at 44.1 or 48 kHz.",
                hz / 1_000.0
            ),
        ))
    }

    fn telephone(&self, hz: f64) -> Finding {
        refusal(
            FindingKind::Narrowband,
            format!(
                "Nothing above {:.1} kHz was recorded: telephone quality, as in a call, a voice memo at 8 kHz or from a \
                 Bluetooth headset's microphone. Record with the device's own microphone at 44.1 or 48 kHz.",
                hz / 1_000.0
            ),
        )
    }

    /// A codec, a processor for speech or a gain control: one of them, by its marks. Where the sound
    /// jumped, the marks are the jump's.
    fn processed(&self) -> Option<Finding> {
        let steady = self.steadiness()?;
        if self.greatest_jump().is_some_and(|(us, _)| us > JUMP_US) {
            return None;
        }
        let by_noise = 10f64.powf(-self.snr_db() / 20.0);
        let holes = if self.snr_db() > HOLES_SNR_DB { steady.holes } else { 0.0 };
        // Noise that swells moves the recording's level, but not the signal's within it.
        let wander = steady.wander_db.min(self.gain_range_db());
        match () {
            () if steady.expanded_db > EXPANDED_DB + EXPANDED_BY_NOISE_DB * by_noise => {
                Some(self.for_speech())
            }
            () if holes > HOLES => Some(self.lossy(holes)),
            () if wander > WANDER_DB => Some(self.gain_control()),
            () => None,
        }
    }

    fn for_speech(&self) -> Finding {
        refusal(
            FindingKind::VoiceProcessing,
            "The recorder treats the sound as speech: it takes the steady signal for noise and suppresses it \
             (echo canceller, noise suppression). Switch \"voice isolation\", \"noise reduction\" or the like off, or \
             record with an app for music instead of a call or a meeting.",
        )
    }

    fn lossy(&self, holes: f64) -> Finding {
        let percent = holes * 100.0;
        if holes > MANY_HOLES {
            return refusal(
                FindingKind::LossyCodec,
                format!(
                    "The recording was encoded so strongly that {percent:.0} % of the sound is missing. Record as WAV, \
                     FLAC or in the app's best quality, and send the file itself rather than a voice message."
                ),
            );
        }
        doubt(
            FindingKind::LossyCodec,
            format!(
                "The recording was encoded strongly ({percent:.1} % of the sound is missing): delays are less sure. \
                 Record as WAV, FLAC or at 128 kbit/s and more."
            ),
        )
    }

    fn gain_control(&self) -> Finding {
        let range = self.gain_range_db();
        let text = format!(
            "The level changed by {range:.1} dB while the signal played: the recorder has an automatic gain, or a \
             speaker a limiter. Delays are not touched by it. Switch automatic gain off if levels matter."
        );
        doubt(FindingKind::GainControl, text)
    }

    /// The whole signal against the silence around it.
    fn snr_db(&self) -> f64 {
        match (self.facts.sounding_dbfs, self.facts.quiet_dbfs) {
            (Some(sounding), Some(quiet)) => sounding - quiet,
            _ => 0.0,
        }
    }

    /// How far the signal's own level moved from period to period, in the channel that moved most.
    fn gain_range_db(&self) -> f64 {
        let range = |levels: Vec<f64>| {
            let high = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            high - levels.iter().copied().fold(f64::INFINITY, f64::min)
        };
        let heard = self.channels().iter().filter(|c| c.heard && !c.track.is_empty());
        heard.map(|c| range(c.track.iter().map(|p| p.level_db).collect())).fold(0.0, f64::max)
    }

    fn played_twice(&self) -> Option<Finding> {
        // With a telephone's band the search finds the signal's own echoes of itself elsewhere, too.
        if self.facts.bandwidth_hz.is_some_and(|hz| hz < TELEPHONE_HZ) {
            return None;
        }
        let measured = self.analysis.measured?;
        let begins: Vec<f64> = self.analysis.occurrences.iter().map(|o| o.begin_s).collect();
        let length_s = self.signal.frames() as f64 / Excitation::RATE_HZ;
        let own = *begins.get(measured)?;
        let apart = |other: &&f64| (**other - own).abs() > ONE_PLAYING * length_s;
        let others = begins.iter().filter(apart).count();
        let earlier = begins[..measured].iter().filter(apart).count();
        (others > 0).then(|| {
            note(
                FindingKind::PlayedTwice,
                format!(
                    "The track was played {} times, one after the other; number {} was measured.",
                    others + 1,
                    earlier + 1
                ),
            )
        })
    }

    fn cut_short(&self) -> Option<Finding> {
        let heard = self.span()?;
        let begin = heard.missing_begin_s.filter(|_| heard.from_s < EDGE_S);
        let end = heard.missing_end_s.filter(|_| heard.ends_with_recording());
        let missing = match (begin, end) {
            (Some(begin), Some(end)) => format!("{begin:.1} s at its begin and {end:.1} s at its end"),
            (Some(begin), None) => format!("{begin:.1} s at its begin"),
            (None, Some(end)) => format!("{end:.1} s at its end"),
            (None, None) => return None,
        };
        let periods = self.analysis.measurement.recorder.periods;
        let text = format!(
            "The track is cut short: {missing} are missing, {periods} of {} rounds were measured. Start recording before \
             it plays and stop after it has ended.",
            self.signal.periods()
        );
        let kind = FindingKind::CutShort;
        // Without the fades every round is still there.
        let fades_only = begin.unwrap_or(0.0) <= FADE_IN_S && end.unwrap_or(0.0) <= FADE_OUT_S;
        Some(match periods {
            few if few < MIN_PERIODS => refusal(kind, text),
            _ if fades_only => note(kind, text),
            _ => doubt(kind, text),
        })
    }

    /// From where to where the measured occurrence was heard.
    fn span(&self) -> Option<Span> {
        let occurrence = self.analysis.occurrences.get(self.analysis.measured?)?;
        let at_s = |frame: usize| {
            occurrence.begin_s + frame as f64 / Excitation::RATE_HZ * self.analysis.speed.unwrap_or(1.0)
        };
        let sounding = self.signal.sounding();
        let missing = |seconds: f64| (seconds >= CUT_S).then_some(seconds);
        Some(Span {
            missing_begin_s: missing(occurrence.missing_begin_s),
            missing_end_s: missing(occurrence.missing_end_s),
            from_s: at_s(sounding.start) + occurrence.missing_begin_s,
            to_s: at_s(sounding.end) - occurrence.missing_end_s,
            length_s: self.analysis.measurement.recorder.length_s,
            silent_inside: self.steadiness().is_some_and(|s| !s.gaps.is_empty()),
        })
    }

    /// Rounds are missing, although the recorder was running.
    fn broken(&self) -> Option<Finding> {
        let heard = self.span()?;
        let begin = heard.missing_begin_s.filter(|_| heard.from_s >= EDGE_S).map(|_| heard.from_s);
        let end = heard.missing_end_s.filter(|_| !heard.ends_with_recording()).map(|_| heard.to_s);
        let at_s = begin.or(end)?;
        let periods = self.analysis.measurement.recorder.periods;
        let text = format!(
            "Only {periods} of {} rounds fit together: {at_s:.1} s into the recording the sound stopped or jumped, in the \
             player, on the way to the speakers or in the recorder. Close other programs, bring wireless speakers \
             nearer and record again.",
            self.signal.periods()
        );
        let kind = FindingKind::Dropout;
        Some(if periods < MIN_PERIODS { refusal(kind, text) } else { doubt(kind, text) })
    }

    fn jumped(&self) -> Option<Finding> {
        let (us, at_s) = self.greatest_jump().filter(|(us, _)| *us > JUMP_US)?;
        Some(refusal(
            FindingKind::Dropout,
            format!(
                "The sound jumped by {:.1} ms, {at_s:.1} s into the track: a piece is missing or was repeated, in the \
                 player, on the way to a speaker or in the recorder. Record again; if it comes back, close other \
                 programs, and bring wireless speakers nearer.",
                us / 1_000.0
            ),
        ))
    }

    /// All speakers jumped, by the same.
    fn spliced(&self) -> Option<Finding> {
        let splices = &self.facts.splices;
        let worst = splices.iter().max_by(|a, b| a.later_us.abs().total_cmp(&b.later_us.abs()))?;
        let (ms, at_s) = (worst.later_us.abs() / 1_000.0, worst.at_s);
        let what = if worst.later_us < 0.0 { "is missing from" } else { "was put into" };
        let others = match splices.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        Some(doubt(
            FindingKind::Dropout,
            format!(
                "A piece of {ms:.1} ms {what} the recording, {at_s:.1} s into the track{others}. All speakers jumped there by the same, \
                 so it was the recorder or the player; what is between the speakers holds. Close other programs if it comes back."
            ),
        ))
    }

    /// Greatest step of any channel's arrival between two periods (us), and when (s); also those of rounds that were not measured.
    fn greatest_jump(&self) -> Option<(f64, f64)> {
        let heard = self.channels().iter().filter(|c| c.heard);
        let steps = heard
            .flat_map(|c| c.track.windows(2))
            .map(|w| ((w[1].shift_us - w[0].shift_us).abs(), (w[0].at_s + w[1].at_s) / 2.0));
        let far = self.arrivals().filter_map(|(_, facts)| facts.jump).map(|(us, at_s)| (us.abs(), at_s));
        steps.chain(far).max_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn gone(&self) -> Option<Finding> {
        let gaps = &self.steadiness()?.gaps;
        let (at_s, _) = gaps.first()?;
        let missing_ms: f64 = gaps.iter().map(|(_, length_s)| length_s * 1_000.0).sum();
        Some(doubt(
            FindingKind::Dropout,
            format!(
                "The sound was gone for {missing_ms:.0} ms in all, first {at_s:.1} s into the track. What is left was \
                 measured. Bring wireless speakers nearer, or see what holds the player up."
            ),
        ))
    }

    fn unclear(&self) -> Option<Finding> {
        let lost = self.arrivals().find(|(_, facts)| facts.peak_to_noise_db < PEAK_DB);
        if let Some((channel, facts)) = lost {
            return Some(refusal(
                FindingKind::FirstArrivalUnclear,
                format!(
                    "{} hardly stands out ({:.0} dB): its arrival may be chance. Turn it up or bring the microphone \
                     nearer.",
                    channel.name, facts.peak_to_noise_db
                ),
            ));
        }
        let (channel, _) = self.arrivals().find(|(_, facts)| facts.before_first_db > BEFORE_DB)?;
        Some(doubt(
            FindingKind::FirstArrivalUnclear,
            format!(
                "Which sound of {} is the direct one is not clear: another one came before it, nearly as loud. Give \
                 the microphone a free view of the speakers and keep it away from walls and tables.",
                channel.name
            ),
        ))
    }

    fn reverberant(&self) -> Option<Finding> {
        let heard = self.channels().iter().filter(|c| c.heard);
        let worst = heard.min_by(|a, b| a.direct_to_reverb_db.total_cmp(&b.direct_to_reverb_db))?;
        let db = worst.direct_to_reverb_db;
        (db < REVERBERANT_DB).then(|| {
            doubt(
                FindingKind::Reverberant,
                format!(
                    "The room covers the direct sound of {} ({db:.0} dB): the microphone is far from it, or something \
                     is between. Bring it nearer.",
                    worst.name
                ),
            )
        })
    }

    /// A delay whose uncertainty is too great, whatever made it so.
    fn unsure(&self) -> Option<Finding> {
        let worst = self.pairs().iter().max_by(|a, b| a.delay_us.sd.total_cmp(&b.delay_us.sd))?;
        let half = worst.delay_us.half_95();
        let said = || {
            format!(
                "The delay between {} and {} is known only to within {half:.0} us: too little direct sound, or too much \
                 noise. Bring the microphone nearer to both and make the room quieter.",
                self.name(worst.a),
                self.name(worst.b)
            )
        };
        match half {
            sure if sure <= DOUBTFUL_US => None,
            fair if fair <= UNSURE_US => Some(doubt(FindingKind::FirstArrivalUnclear, said())),
            _ => Some(refusal(FindingKind::FirstArrivalUnclear, said())),
        }
    }
}
