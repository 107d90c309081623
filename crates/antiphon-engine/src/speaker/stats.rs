//! What a speaker tells of itself.

use antiphon_base::{Local, SampleRate, Span, Timestamp};
use antiphon_playout::{PlayState, Telemetry};
use antiphon_proto::session::{PacketCounters, SpeakerState, SpeakerStats};

use super::{DEVICE_GONE, EngineEvent, SpeakerEngine};

/// A hub waits for this much before it starts a programme: what is surer than that is in sync.
const READY_OFFSET_SD_US: f64 = 30.0;

impl SpeakerEngine {
    /// A report of how it goes. `cpu_percent`, `rss_kb` and `link` are the shell's to fill in.
    pub fn stats(&mut self, now: Timestamp<Local>) -> SpeakerStats {
        if let Some(telemetry) = self.playout.telemetry() {
            self.telemetry = telemetry;
        }
        let quality = self.proto.clock_quality();
        let clock = self.proto.clock();
        let dac = self.dac.map();
        let t = self.telemetry;
        let packets = self.proto.counters();
        SpeakerStats {
            state: self.state(now, &t),
            offset_us: clock.map_or(0.0, |map| (map.apply(now).as_ns() - now.as_ns()) as f64 / 1e3),
            offset_sd_us: clock.map_or(0.0, |map| map.sd_ns_at(now) / 1e3),
            skew_ppm: clock.map_or(0.0, |map| map.ppm().0),
            rtt_us: quality.min_rtt.map_or(0.0, |rtt| rtt.as_us_f64()),
            synced: self.is_ready(now),
            dac_ppm: dac.map_or(0.0, |map| map.inverse().ppm().0),
            dac_sd_us: dac.map_or(0.0, |map| map.sd_ns_at(map.inverse().apply(now)) / 1e3),
            // Where there is no place there is no error of it: the renderer's last one is of a device that is gone.
            phase_error_us: dac.map_or(0.0, |_| -t.phase_error_us),
            buffer_ms: self.buffered(now).map_or(0.0, |f| SampleRate::MEDIA.span_of(f).as_ms_f64()),
            margin_ms: self.proto.take_margin().map_or(0.0, |m| m.as_ms_f64()),
            packets: PacketCounters { malformed: packets.malformed + self.decoding.malformed, ..packets },
            concealed_ms: SampleRate::MEDIA.span_of(t.concealed + t.silent).as_ms_f64(),
            underruns: t.underruns + self.xruns,
            slips: t.slips,
            reprimes: t.reprimes,
            exchanges: quality.exchanges,
            peak_db: decibels(t.peak),
            cpu_percent: 0.0,
            rss_kb: 0,
            min_latency_us: (self.output_delay > Span::ZERO).then(|| self.min_latency().as_ns() / 1_000),
            link: None,
        }
        .finite()
    }

    /// The renderer's newest word about itself.
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry
    }

    /// Whether both clocks are known well enough to play in time.
    pub fn is_ready(&self, now: Timestamp<Local>) -> bool {
        let clock = self.proto.clock().map(|map| map.sd_ns_at(now) / 1e3);
        let dac = self.dac.map().map(|map| map.sd_ns_at(map.inverse().apply(now)) / 1e3);
        matches!((clock, dac), (Some(c), Some(d)) if c.hypot(d) <= READY_OFFSET_SD_US)
    }

    /// Asks for a report at once when readiness changes: a hub may be waiting for it.
    pub(super) fn watch_readiness(&mut self, now: Timestamp<Local>) {
        let ready = self.next_stats.is_some() && self.is_ready(now);
        if ready && !self.was_ready {
            self.events.push_back(EngineEvent::StatsDue);
        }
        self.was_ready = ready;
    }

    /// The renderer knows only what it was last asked for: whether anybody still asks is seen by the positions.
    fn state(&self, now: Timestamp<Local>, telemetry: &Telemetry) -> SpeakerState {
        if self.placeless_since.is_some_and(|since| now - since >= DEVICE_GONE) {
            return SpeakerState::Failed;
        }
        match telemetry.state {
            PlayState::Playing => SpeakerState::Playing,
            PlayState::Waiting | PlayState::Starved => SpeakerState::Buffering,
            PlayState::Stopped => SpeakerState::Stopped,
            PlayState::Idle if self.timeline.is_some() && self.stopped.is_none() => SpeakerState::Buffering,
            PlayState::Idle => SpeakerState::Idle,
        }
    }
}

fn decibels(peak: f32) -> f64 {
    if peak > 0.0 { (20.0 * f64::from(peak).log10()).max(-200.0) } else { -200.0 }
}

#[cfg(test)]
mod tests {
    use antiphon_base::{Frames, SampleRate};
    use antiphon_playout::{Filter, Renderer, RendererConfig};
    use antiphon_proto::session::SpeakerSettings;

    use super::*;
    use crate::SpeakerEngineConfig;

    const PERIOD: Frames = Frames(256);

    fn ms(ms: i64) -> Timestamp<Local> {
        Timestamp::ZERO + Span::from_ms(ms)
    }

    fn engine() -> SpeakerEngine {
        let rate = SampleRate::MEDIA;
        let renderer = RendererConfig {
            dac_rate: rate,
            channels: 2,
            ring: Span::from_s(1),
            max_period: PERIOD,
            filter: Filter::default(),
        };
        let (_renderer, controller) = Renderer::new(renderer);
        let config =
            SpeakerEngineConfig { rate, channels: 2, period: PERIOD, output_latency: Span::from_ms(12) };
        SpeakerEngine::new(config, controller, SpeakerSettings::default())
    }

    #[test]
    fn a_device_that_is_gone_is_not_called_playing_and_is_in_no_place() {
        let mut engine = engine();
        engine.telemetry =
            Telemetry { state: PlayState::Playing, phase_error_us: 0.3, ..Telemetry::default() };
        engine.handle_stamp(Frames(480), ms(10));
        engine.handle_timeout(ms(10));
        let stats = engine.stats(ms(10));
        assert_eq!((stats.state, stats.phase_error_us), (SpeakerState::Playing, -0.3));

        // Moved, or gone: a moment later it may say its place again.
        engine.handle_moved_output();
        engine.handle_timeout(ms(20));
        engine.handle_timeout(ms(900));
        let stats = engine.stats(ms(900));
        assert_eq!((stats.state, stats.phase_error_us), (SpeakerState::Playing, 0.0));
        engine.handle_timeout(ms(1_020));
        assert_eq!(engine.stats(ms(1_020)).state, SpeakerState::Failed);

        engine.handle_stamp(Frames(960), ms(1_100));
        engine.handle_timeout(ms(1_100));
        assert_eq!(engine.stats(ms(1_100)).state, SpeakerState::Playing);
    }
}
