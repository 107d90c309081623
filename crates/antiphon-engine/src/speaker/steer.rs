//! From maps of clocks to the renderer's target: which media frame leaves the DAC when.

use antiphon_base::{ClockMap, Dac, Frames, Hub as HubClock, Local, SampleRate, Timestamp};
use antiphon_playout::{Command, Target};
use antiphon_proto::timeline::Timeline;

use super::{EARLY, EARLY_TARGET_PERIOD, SpeakerEngine, TARGET_PERIOD};

/// A target this sure (standard deviation, hub time to DAC frame) may be trusted: half of what
/// listeners notice between stereo channels, at two standard deviations.
const TRUSTED_SD_NS: f64 = 30_000.0;

impl SpeakerEngine {
    /// Hub time to DAC time by today's estimates.
    fn hub_to_dac(&self) -> Option<ClockMap<HubClock, Dac>> {
        let to_local = self.proto.clock()?.inverse();
        let to_dac = self.dac.map()?.inverse();
        Some(to_local.then(&to_dac))
    }

    /// The DAC frame that is converted at hub time `at`, this speaker's own delay and its output's included.
    pub(super) fn dac_frame_at(&self, at: Timestamp<HubClock>) -> Option<f64> {
        let at = at + self.delay();
        Some(dac_frame(self.hub_to_dac()?.apply(at), self.config.rate))
    }

    /// Gives the renderer its newest target, and says when the next is due.
    pub(super) fn steer(&mut self, now: Timestamp<Local>) {
        let early = self.session_since.is_some_and(|since| now - since < EARLY);
        self.next_target = Some(now + if early { EARLY_TARGET_PERIOD } else { TARGET_PERIOD });
        let Some(timeline) = self.timeline.filter(|t| self.stopped != Some(t.epoch)) else { return };
        if let Some(target) = self.target(now, &timeline) {
            self.command(Command::Target(target));
        }
    }

    /// The anchor is chosen at the present, where the maps are best known and numbers are small.
    fn target(&self, now: Timestamp<Local>, timeline: &Timeline) -> Option<Target> {
        let clock = self.proto.clock()?;
        let map = self.hub_to_dac()?;
        let delay = self.delay();
        let heard = timeline.frame_at(clock.apply(now) - delay);
        let media_frame = heard.max(timeline.first_frame);
        let presentation = timeline.presentation_of(media_frame) + delay;
        let media_per_dac =
            f64::from(SampleRate::MEDIA.hz()) / f64::from(self.config.rate.hz()) / (1.0 + map.skew);
        Some(Target {
            epoch: timeline.epoch,
            media_frame,
            dac_frame: dac_frame(map.apply(presentation), self.config.rate),
            media_per_dac,
            start: Some(timeline.first_frame),
            moves: self.moves,
            trusted: map.sd_ns_at(presentation) <= TRUSTED_SD_NS,
        })
    }

    /// How far the sound is buffered ahead of what is heard.
    pub(super) fn buffered(&self, now: Timestamp<Local>) -> Option<Frames> {
        let timeline = self.timeline.filter(|t| self.stopped != Some(t.epoch))?;
        let heard = timeline.frame_at(self.proto.clock()?.apply(now) - self.delay());
        let (epoch, newest) = self.newest;
        (epoch == timeline.epoch).then(|| (newest - heard).max(Frames(0)))
    }
}

fn dac_frame(at: Timestamp<Dac>, rate: SampleRate) -> f64 {
    rate.frames_f64(at - Timestamp::ZERO)
}
