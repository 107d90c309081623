//! The one door of the audio thread.

use antiphon_base::{Epoch, Frames, SampleRate, Span};

use crate::asrc::{Filter, MAX_BLOCK};
use crate::command::{Command, FRAME_LIMIT, Target};
use crate::conceal::Losses;
use crate::controller::{Controller, Queues, queues};
use crate::media::Media;
use crate::meter::Meter;
use crate::ramp::Ramp;
use crate::schedule::{Decision, Line, View, decide, is_due, is_jump};
use crate::steer::Steer;
use crate::telemetry::{PlayState, Telemetry};
use crate::voice::Voice;

/// What a renderer is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RendererConfig {
    /// The sink's nominal rate.
    pub dac_rate: SampleRate,
    /// The sink's channels, interleaved; 1 to 32.
    pub channels: u16,
    /// How much media to hold for each of two epochs; two seconds bridge what a network does. At
    /// most 30 s are.
    pub ring: Span,
    /// The most frames that one period has: a start waits for that much media. Longer periods are
    /// rendered all the same.
    pub max_period: Frames,
    /// How well the media are resampled.
    pub filter: Filter,
}

/// More channels than any sound card's that this is made for; a larger number is a mistake.
const MOST_CHANNELS: u16 = 32;
/// The most media held, so that a mistaken configuration cannot take all memory.
const MOST_RING: Span = Span::from_s(30);
/// Chunks taken in for one block: a burst at a join is spread over periods, so that none is late.
const CHUNKS_PER_BLOCK: usize = 32;
/// A forward jump of the DAC's counter by more than this is another counter, not an xrun.
const LONGEST_XRUN_S: i64 = 10;

/// Lengths of fades, in DAC frames.
#[derive(Debug, Clone, Copy)]
struct Fades {
    /// 3 ms: into the first frames of an epoch.
    start: usize,
    /// 5 ms: the shortest fade that a full-scale tone survives without a click.
    least: usize,
    /// 8 ms: out at a stop, and in and out around a re-prime.
    stop: usize,
    /// 10 ms: across a slip.
    slip: usize,
}

impl Fades {
    fn at(rate: SampleRate) -> Self {
        let frames = |ms| rate.frames_in(Span::from_ms(ms)).0 as usize;
        Self { start: frames(3), least: frames(5), stop: frames(8), slip: frames(10) }
    }
}

/// What is counted since the renderer was made.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    losses: Losses,
    slips: u64,
    moves: u64,
    reprimes: u64,
    xruns: u64,
    discarded: i64,
}

/// Turns media into what a sound card converts, period by period.
///
/// Call [`render`](Self::render) from the sink's callback and nothing else from there.
pub struct Renderer {
    queues: Queues,
    flushes: u32,
    rate: SampleRate,
    channels: usize,
    nominal_step: f64,
    period: usize,
    fades: Fades,
    /// The media of the epoch that plays (or comes next), and of the one after it.
    decks: [Media; 2],
    lines: [Line; 2],
    current: usize,
    /// The last epoch that is over.
    ended: Option<Epoch>,
    voices: [Voice; 2],
    /// The voice that follows the line; the other one may still be fading out.
    active: Option<usize>,
    steer: Steer,
    gain: Ramp,
    mix: Vec<f64>,
    meter: Meter,
    counts: Counts,
    next_dac: Option<i64>,
    since_snapshot: i64,
    stopped: bool,
}

impl Renderer {
    /// A renderer, silent until told otherwise, and the handle that feeds it.
    pub fn new(config: RendererConfig) -> (Self, Controller) {
        let channels = usize::from(config.channels.clamp(1, MOST_CHANNELS));
        let ring = SampleRate::MEDIA.frames_in(config.ring.min(MOST_RING)).0.max(0) as usize;
        let (controller, queues) = queues(ring);
        let renderer = Self {
            queues,
            flushes: 0,
            rate: config.dac_rate,
            channels,
            nominal_step: f64::from(SampleRate::MEDIA.hz()) / f64::from(config.dac_rate.hz()),
            // Longer than 100 ms would be a start that waits for more than a latency holds.
            period: config.max_period.0.clamp(0, i64::from(config.dac_rate.hz()) / 10) as usize,
            fades: Fades::at(config.dac_rate),
            decks: [Media::new(ring, channels), Media::new(ring, channels)],
            lines: [Line::default(); 2],
            current: 0,
            ended: None,
            voices: std::array::from_fn(|_| Voice::new(config.dac_rate, channels, config.filter)),
            active: None,
            steer: Steer::new(),
            gain: Ramp::at(1.0),
            mix: vec![0.0; MAX_BLOCK * channels],
            meter: Meter::default(),
            counts: Counts::default(),
            next_dac: None,
            since_snapshot: 0,
            stopped: false,
        };
        (renderer, controller)
    }

    /// Fills `out` (interleaved) with the frames from `first_dac_frame` on.
    ///
    /// Frame numbers normally follow each other. A jump means that the DAC went on without us: the
    /// programme fades in again where it belongs.
    pub fn render(&mut self, first_dac_frame: Frames, out: &mut [f32]) {
        let first = first_dac_frame.0.clamp(-FRAME_LIMIT, FRAME_LIMIT);
        if self.next_dac.is_some_and(|next| next != first) {
            self.jump(first);
        }
        self.take_commands();
        let whole = out.len() - out.len() % self.channels;
        let (mut rest, odd) = out.split_at_mut(whole);
        odd.fill(0.0);
        let mut dac = first;
        while !rest.is_empty() {
            self.take_chunks();
            let frames = self.block_frames(dac, rest.len() / self.channels);
            let (block, after) = rest.split_at_mut(frames * self.channels);
            self.block(dac, block);
            rest = after;
            dac += frames as i64;
        }
        self.next_dac = Some(dac);
        self.snapshot(dac, dac - first);
    }

    /// A block ends where a scheduled fade begins, so that this falls on its frame.
    fn block_frames(&self, dac: i64, left: usize) -> usize {
        let until_fade = self.lines[self.current]
            .stop
            .map(|(stop, _)| stop.saturating_sub(self.fades.stop as i64).saturating_sub(dac))
            .filter(|frames| *frames > 0)
            .unwrap_or(i64::MAX);
        left.min(MAX_BLOCK).min(usize::try_from(until_fade).unwrap_or(usize::MAX))
    }

    fn block(&mut self, dac: i64, out: &mut [f32]) {
        let frames = out.len() / self.channels;
        self.run_stop(dac);
        self.take_over(dac, frames);
        let step = self.direct(dac, frames);
        let mut mix = std::mem::take(&mut self.mix);
        self.mix_voices(step, &mut mix[..out.len()]);
        self.put_out(&mix, out);
        self.mix = mix;
    }

    fn mix_voices(&mut self, step: f64, mix: &mut [f64]) {
        mix.fill(0.0);
        for (index, voice) in self.voices.iter_mut().enumerate().filter(|(_, voice)| voice.is_live()) {
            let follows = self.active == Some(index);
            let step = if follows { step } else { voice.step() };
            let mut unheard = Losses::default();
            let losses = if follows { &mut self.counts.losses } else { &mut unheard };
            voice.render(&self.decks[voice.deck()], step, mix, losses);
        }
    }

    fn put_out(&mut self, mix: &[f64], out: &mut [f32]) {
        for (to, from) in out.chunks_exact_mut(self.channels).zip(mix.chunks_exact(self.channels)) {
            let gain = self.gain.step();
            for (to, from) in to.iter_mut().zip(from) {
                let sample = (gain * from) as f32;
                *to = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
                self.meter.add(*to);
            }
        }
    }
}

/// Decisions and what follows from them.
impl Renderer {
    /// Decides about the block at `dac` and does it; the step for the active voice.
    fn direct(&mut self, dac: i64, frames: usize) -> f64 {
        let deck = self.current;
        let Some(target) = self.lines[deck].target else {
            return self.active.map_or(self.nominal_step, |voice| self.voices[voice].step());
        };
        let here = target.media_at(dac);
        // While the start is still to come, what is needed first is the start.
        let start = self.decks[deck].start().unwrap_or(i64::MIN);
        self.decks[deck].follow(here.0.max(start));
        let view = self.view(&target, dac, frames);
        match decide(&view) {
            Decision::Wait => self.wait(&view, here, frames, &target),
            Decision::Start => self.start(&target, here),
            Decision::Steer(error) => {
                self.lines[deck].moving = None;
                return self.steer_by(error, &target, frames);
            }
            Decision::Slip => {
                self.counts.slips += 1;
                self.cross_over(&target, here);
            }
            Decision::Move => {
                self.counts.moves += 1;
                self.cross_over(&target, here);
            }
            Decision::Reprime => self.reprime(),
            Decision::Hold => {}
        }
        if let Some(waited) = &mut self.lines[deck].moving {
            *waited = waited.saturating_add(frames as i64);
        }
        self.active.map_or(self.nominal_step, |voice| self.voices[voice].step())
    }

    fn view(&self, target: &Target, dac: i64, frames: usize) -> View {
        let media = &self.decks[self.current];
        let (first, fraction) = target.media_at(dac);
        let span = frames as f64 * target.media_per_dac;
        let whole_period = self.period.max(frames) as f64 * target.media_per_dac;
        let read = first + (fraction + whole_period).ceil() as i64 + self.voices[0].lookahead();
        let error = self.active.map(|voice| {
            let (base, past) = self.voices[voice].position();
            target.error(base, past, dac)
        });
        // What must be there is asked only where it decides something: it is a walk over frames.
        let jumping = error.is_none_or(is_jump);
        View {
            error,
            has_media: jumping && media.has_all(first, read),
            end: first as f64 + fraction + span,
            start: media.start().map(|start| start as f64),
            voice_free: self.free_voice().is_some(),
            moving: self.lines[self.current].moving.map(|dac| dac as f64 * target.media_per_dac),
        }
    }

    fn free_voice(&self) -> Option<usize> {
        (0..2).find(|voice| Some(*voice) != self.active && !self.voices[*voice].is_live())
    }

    fn wait(&mut self, view: &View, here: (i64, f64), frames: usize, target: &Target) {
        let line = &mut self.lines[self.current];
        let late = view.start.is_some_and(|start| here.0 as f64 >= start);
        if !late {
            line.awaited = view.start.is_some();
        } else if line.awaited {
            self.counts.losses.silent += (frames as f64 * target.media_per_dac).round() as i64;
        }
    }

    fn start(&mut self, target: &Target, here: (i64, f64)) {
        let ahead = self.decks[self.current].start().map_or(0.0, |start| (start - here.0) as f64 - here.1);
        // Where the epoch begins, the fade begins with its first frame; elsewhere, at once.
        let fade = if ahead > 0.0 {
            Ramp::fade_in((ahead / target.media_per_dac).floor() as usize, self.fades.start)
        } else {
            Ramp::fade_in(0, self.fades.stop)
        };
        self.begin(target, here, fade);
        self.lines[self.current].awaited = false;
        self.stopped = false;
    }

    fn cross_over(&mut self, target: &Target, here: (i64, f64)) {
        self.release(self.fades.slip);
        self.begin(target, here, Ramp::fade_in(0, self.fades.slip));
        self.lines[self.current].moving = None;
    }

    fn reprime(&mut self) {
        self.release(self.fades.stop);
        self.lines[self.current].moving = None;
        self.counts.reprimes += 1;
    }

    fn begin(&mut self, target: &Target, here: (i64, f64), fade: Ramp) {
        let Some(voice) = self.free_voice() else { return };
        self.steer.restart();
        let step = self.steer.first_step(target.media_per_dac);
        self.voices[voice].begin(&self.decks[self.current], self.current, here, step, fade);
        self.active = Some(voice);
    }

    /// The active voice fades out and is nobody's any more.
    fn release(&mut self, frames: usize) {
        if let Some(voice) = self.active.take() {
            self.voices[voice].end(frames);
        }
    }

    fn steer_by(&mut self, error: f64, target: &Target, frames: usize) -> f64 {
        let error_s = error / f64::from(SampleRate::MEDIA.hz());
        let dt = frames as f64 / f64::from(self.rate.hz());
        self.steer.update(error_s, target.media_per_dac, target.trusted, dt)
    }

    /// Begins the fade of a scheduled stop when it is time.
    fn run_stop(&mut self, dac: i64) {
        let Some((stop, epoch)) = self.lines[self.current].stop else { return };
        if dac < stop.saturating_sub(self.fades.stop as i64) {
            return;
        }
        let left = usize::try_from(stop.saturating_sub(dac)).unwrap_or(0);
        self.release(left.max(self.fades.least));
        self.close(epoch);
        self.stopped = true;
    }

    /// The newer epoch's turn comes at its own start, or at once if nothing plays.
    fn take_over(&mut self, dac: i64, frames: usize) {
        let next = 1 - self.current;
        let (Some(target), Some(epoch)) = (self.lines[next].target, self.lines[self.current].epoch) else {
            return;
        };
        let (whole, fraction) = target.media_at(dac);
        let end = whole as f64 + fraction + frames as f64 * target.media_per_dac;
        let start = self.decks[next].start().map(|start| start as f64);
        if self.active.is_none() || is_due(start, end) {
            self.release(self.fades.slip);
            self.close(epoch);
        }
    }

    /// `epoch` and all before it are over. The deck that a fading voice may still read is opened
    /// last.
    fn close(&mut self, epoch: Epoch) {
        self.ended = self.ended.max(Some(epoch));
        for line in &mut self.lines {
            if line.epoch <= self.ended {
                *line = Line::default();
            }
        }
        self.current = 1 - self.current;
    }
}

/// What comes in through the queues, and what goes out.
impl Renderer {
    fn take_commands(&mut self) {
        while let Ok(command) = self.queues.commands.pop() {
            match command {
                Command::Target(target) => self.take_target(target),
                Command::Gain { linear, ramp } => self.take_gain(linear, ramp),
                Command::Stop { epoch, dac_frame } => self.take_stop(epoch, dac_frame),
                Command::Flush => self.flush(),
                Command::Reprime => self.void_position(),
            }
        }
    }

    fn take_target(&mut self, target: Target) {
        if !target.is_sane(self.nominal_step) {
            return;
        }
        let Some(deck) = self.deck_for(target.epoch) else { return };
        let before = self.lines[deck].target.replace(target);
        if before.is_some_and(|before| before.moves != target.moves) {
            self.lines[deck].moving = Some(0);
        }
        self.decks[deck].set_start(target.start);
    }

    fn take_gain(&mut self, linear: f32, ramp: Span) {
        if linear.is_nan() {
            return;
        }
        // A minute is longer than any fade that somebody means.
        let ramp = self.rate.frames_in(ramp.clamp(Span::ZERO, Span::from_s(60))).0 as usize;
        let gain = f64::from(linear.clamp(0.0, Command::MAX_GAIN));
        self.gain.go(gain, ramp.max(self.fades.least));
    }

    fn take_stop(&mut self, epoch: Epoch, dac_frame: f64) {
        let next = 1 - self.current;
        if self.lines[next].epoch.is_some_and(|e| e <= epoch) {
            self.lines[next] = Line::default();
        }
        match self.lines[self.current].epoch {
            // A float beyond the range of integers becomes the nearest of them; no number is 0.
            Some(e) if e <= epoch => self.lines[self.current].stop = Some((dac_frame.ceil() as i64, epoch)),
            Some(_) => {}
            None => self.ended = self.ended.max(Some(epoch)),
        }
    }

    fn flush(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
        // The fading voice may read on where it is; the other deck is opened first.
        self.current = self.active.map_or(self.current, |voice| 1 - self.voices[voice].deck());
        self.release(self.fades.least);
        self.lines = [Line::default(); 2];
        self.ended = None;
        self.steer = Steer::new();
    }

    fn void_position(&mut self) {
        if self.active.is_some() {
            self.reprime();
        }
        self.forget_targets();
    }

    fn forget_targets(&mut self) {
        self.lines.iter_mut().for_each(|line| line.target = None);
        self.steer = Steer::new();
    }

    /// The DAC's counter went on to `dac` without us, so nothing sounded last: begin from silence.
    fn jump(&mut self, dac: i64) {
        self.counts.xruns += 1;
        self.voices.iter_mut().for_each(Voice::cut);
        self.active = None;
        let ahead = self.next_dac.map_or(0, |next| dac.saturating_sub(next));
        if !(0..=LONGEST_XRUN_S * i64::from(self.rate.hz())).contains(&ahead) {
            self.forget_targets();
        }
    }

    fn take_chunks(&mut self) {
        for _ in 0..CHUNKS_PER_BLOCK {
            let pushed_later = |flushes: u32| (1..u32::MAX / 2).contains(&flushes.wrapping_sub(self.flushes));
            match self.queues.chunks.peek() {
                Ok(fed) if !pushed_later(fed.flushes) && !self.queues.retired.is_full() => {}
                _ => return,
            }
            let Ok(fed) = self.queues.chunks.pop() else { return };
            self.counts.discarded += match self.deck_for(fed.chunk.epoch) {
                Some(deck) if fed.flushes == self.flushes => self.decks[deck].accept(&fed.chunk),
                _ => fed.chunk.frames().0,
            };
            // There was room a moment ago and nobody else pushes.
            let retired = self.queues.retired.push(fed);
            debug_assert!(retired.is_ok());
        }
    }

    /// The deck for `epoch`, opened if it is newer than what is known; `None` if it is over.
    fn deck_for(&mut self, epoch: Epoch) -> Option<usize> {
        let (current, next) = (self.current, 1 - self.current);
        if self.ended >= Some(epoch) || self.lines[current].epoch > Some(epoch) {
            return None;
        }
        let deck = match self.lines[current].epoch {
            None => current,
            Some(e) if e == epoch => return Some(current),
            Some(_) => next,
        };
        if self.lines[deck].epoch == Some(epoch) {
            return Some(deck);
        }
        if self.lines[deck].epoch > Some(epoch) {
            return None;
        }
        self.decks[deck].open(Some(epoch));
        self.lines[deck] = Line { epoch: Some(epoch), ..Line::default() };
        Some(deck)
    }

    /// Tells the controller how it is, every 20 ms; if nobody listens, not.
    fn snapshot(&mut self, dac: i64, frames: i64) {
        self.since_snapshot += frames;
        if self.since_snapshot < i64::from(self.rate.hz()) / 50 || self.queues.telemetry.is_full() {
            return;
        }
        self.since_snapshot = 0;
        let telemetry = self.telemetry(dac);
        let told = self.queues.telemetry.push(telemetry);
        debug_assert!(told.is_ok());
    }

    fn telemetry(&mut self, dac: i64) -> Telemetry {
        let line = self.lines[self.current];
        let position = self.active.map(|voice| self.voices[voice].position());
        let step = self.active.map_or(self.nominal_step, |voice| self.voices[voice].step());
        let here = position.or_else(|| line.target.map(|target| target.media_at(dac)));
        let error =
            position.zip(line.target).map_or(0.0, |((base, past), target)| target.error(base, past, dac));
        let (peak, rms) = self.meter.take();
        Telemetry {
            state: self.state(),
            epoch: line.epoch.or(self.ended).unwrap_or_default(),
            dac_frame: Frames(dac),
            media_frame: position.map(|(base, past)| base as f64 + past),
            phase_error_us: error * 1e6 / f64::from(SampleRate::MEDIA.hz()),
            ratio_ppm: (step / self.nominal_step - 1.0) * 1e6,
            trim_ppm: self.active.map_or(0.0, |_| self.steer.trim() * 1e6),
            stage: self.steer.stage(),
            buffered: self.buffered(here),
            concealed: Frames(self.counts.losses.concealed),
            silent: Frames(self.counts.losses.silent),
            underruns: self.counts.losses.underruns,
            slips: self.counts.slips,
            moves: self.counts.moves,
            reprimes: self.counts.reprimes,
            xruns: self.counts.xruns,
            discarded: Frames(self.counts.discarded),
            gain: self.gain.value() as f32,
            peak,
            rms,
        }
    }

    fn buffered(&self, here: Option<(i64, f64)>) -> Frames {
        let media = &self.decks[self.current];
        let here = here.map(|(base, past)| base.saturating_add(past.floor() as i64));
        let ahead = media.end().zip(here).map_or(0, |(end, here)| end.saturating_sub(here));
        Frames(if media.epoch() == self.lines[self.current].epoch { ahead.max(0) } else { 0 })
    }

    fn state(&self) -> PlayState {
        match self.active {
            Some(voice) if self.voices[voice].is_starved() => PlayState::Starved,
            Some(_) => PlayState::Playing,
            None if self.lines[self.current].target.is_some() => PlayState::Waiting,
            None if self.stopped => PlayState::Stopped,
            None => PlayState::Idle,
        }
    }
}
