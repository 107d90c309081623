//! A measurement as programs read it.

use antiphon_api::measurement::{
    ChannelReport, EchoReport, FindingReport, ImpulseReport, MEASUREMENT_SCHEMA, MeasurementReport,
    NotchReport, PairReport, RecorderReport, ResponsePointReport, TrackPointReport,
};
use antiphon_measure::lab::classes::CLAIMED_TWS_US;
use antiphon_measure::lab::measurement::{
    ChannelResult, Estimate, Finding, Measurement, PairResult, Polarity, RecorderResult, Severity,
};

use super::words;

/// `measurement` of `recording`, which is a file's name or a microphone's.
pub fn report(measurement: &Measurement, recording: &str) -> MeasurementReport {
    let m = measurement;
    let reasons = m.findings.iter().filter(|finding| finding.severity != Severity::Note);
    MeasurementReport {
        schema: MEASUREMENT_SCHEMA,
        recording: recording.to_owned(),
        grade: m.grade.as_str().to_owned(),
        reasons: reasons.map(|finding| finding.message.clone()).collect(),
        verdict: words::verdict(m),
        findings: m.findings.iter().map(finding).collect(),
        recorder_ppm: m.recorder.ppm.and_then(value),
        recorder_ppm_uncertainty: m.recorder.ppm.and_then(half),
        recorder: recorder(&m.recorder),
        channels: m.channels.iter().map(channel).collect(),
        pairs: m.pairs.iter().map(|result| pair(m, result)).collect(),
    }
}

fn finding(finding: &Finding) -> FindingReport {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Doubt => "doubt",
        Severity::Refusal => "refusal",
    };
    FindingReport {
        kind: finding.kind.as_str().to_owned(),
        severity: severity.to_owned(),
        message: finding.message.clone(),
    }
}

fn recorder(recorder: &RecorderResult) -> RecorderReport {
    RecorderReport {
        length_s: number(recorder.length_s).unwrap_or_default(),
        begin_s: recorder.begin_s.and_then(number),
        periods: recorder.periods as u64,
        peak_dbfs: number(recorder.peak_dbfs),
        noise_dbfs: number(recorder.noise_dbfs),
    }
}

fn channel(channel: &ChannelResult) -> ChannelReport {
    let heard = |value: Option<f64>| value.filter(|_| channel.heard);
    ChannelReport {
        name: channel.name.clone(),
        heard: channel.heard,
        arrival_us: heard(value(channel.arrival_us)),
        uncertainty_us: heard(half(channel.arrival_us)),
        level_db: heard(number(channel.level_db)),
        polarity: polarity(channel.polarity).to_owned(),
        snr_db: heard(number(channel.snr_db)),
        drift_ppm: heard(value(channel.drift_ppm)),
        drift_uncertainty_ppm: heard(half(channel.drift_ppm)),
        direct_to_reverb_db: heard(number(channel.direct_to_reverb_db)),
        response: channel
            .response
            .iter()
            .map(|point| ResponsePointReport {
                hz: point.hz,
                db: number(point.db),
                snr_db: number(point.snr_db),
            })
            .collect(),
        echoes: channel
            .echoes
            .iter()
            .map(|echo| EchoReport { after_us: echo.after_us, db: echo.db })
            .collect(),
        impulse: ImpulseReport {
            begin_us: channel.impulse.begin_us,
            samples: channel.impulse.samples.clone(),
        },
        track: channel
            .track
            .iter()
            .map(|point| TrackPointReport {
                at_s: point.at_s,
                shift_us: point.shift_us,
                level_db: number(point.level_db),
                coherence: point.coherence,
            })
            .collect(),
    }
}

fn pair(m: &Measurement, pair: &PairResult) -> PairReport {
    let name = |channel: usize| m.channels.get(channel).map(|c| c.name.clone()).unwrap_or_default();
    let notch = |notch: &antiphon_measure::lab::measurement::Notch| NotchReport {
        hz: notch.hz,
        predicted_db: notch.predicted_db,
        measured_db: notch.measured_db.and_then(number),
    };
    PairReport {
        a: name(pair.a),
        b: name(pair.b),
        delay_us: pair.delay_us.value,
        uncertainty_us: pair.delay_us.half_95(),
        delay_samples: pair.delay_samples(),
        path_cm: pair.path_cm(),
        level_diff_db: pair.level_diff_db,
        class: pair.class.as_str().to_owned(),
        below_tws_claim: pair.delay_us.value.abs() < CLAIMED_TWS_US,
        comb: pair.comb.notches.iter().map(notch).collect(),
    }
}

fn polarity(polarity: Polarity) -> &'static str {
    match polarity {
        Polarity::Normal => "normal",
        Polarity::Inverted => "inverted",
        Polarity::Unclear => "unclear",
    }
}

fn value(estimate: Estimate) -> Option<f64> {
    number(estimate.value)
}

fn half(estimate: Estimate) -> Option<f64> {
    number(estimate.half_95())
}

/// JSON has no infinities, and silence is minus infinity of decibels.
fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
