//! One life of a card: from its opening until it is gone.
//!
//! A card that runs dry stops. It is then started anew with a short silence, and its first claims say which frame's
//! time it is: what comes next has its own place, on the line that was known, and nobody has to find it again.

use ::alsa::pcm::{PCM, State, StatusBuilder};
use antiphon_base::{Frames, Span, Timestamp, True};
use antiphon_net::{raw_now, sleep_until};
use nix::libc;
use nix::time::{ClockId, clock_gettime};

use super::place::{Place, Read};
use crate::alsa::{Setup, Trouble, Way, open};

/// The silence at a start: claims are read for a third of it, and the rest is time to render.
const LEAD: Span = Span::from_ms(36);

/// For so long a start's claims are read, and so often: in that time the counter of any card moves, and it is read
/// soon after it has.
const LOOK_FOR: Span = Span::from_ms(12);
const LOOK: Span = Span::from_us(250);

/// The pause after a call without a reason.
const PAUSE: Span = Span::from_ms(3);

/// A counter that moves in steps is read after a pause between these two instead: no pause is like the one before, so that
/// some reading comes right after a step. As many readings as calls: a hundred a second. A card of little memory is not
/// left alone for more than a part of what it holds.
const SHORTEST: Span = Span::from_ms(4);
const LONGEST: Span = Span::from_ms(16);
const PART_OF_BUFFER: i64 = 4;

/// The golden ratio's part of a whole turn: multiples of it leave no part unvisited for long.
const GOLDEN: u32 = 0x9e37_79b9;

/// A call that comes sooner than this was none.
const CALL: Span = Span::from_us(300);

/// What has taken so much more than the time that has passed is no card.
const UNPACED: Span = Span::from_s(1);

/// A card whose counter has not moved for so long has stopped: it moves a hundred times a second.
const STILL: Span = Span::from_ms(1_000);

/// A stamp is taken within the call that asks for it; what is further off is of a clock that is not known.
const MARGIN: Span = Span::from_us(100);

/// Most channels of a card: what is played takes the first two.
const MOST_CHANNELS: u32 = 64;

/// What a look at the card found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It runs; frames that there is room for, and what became of its claim.
    Running(i64, Read),
    /// It has run dry.
    Dry,
}

/// A card that is open.
pub(super) struct Stream {
    pcm: PCM,
    setup: Setup,
    place: Place,
    /// The number of the first frame written since the start.
    base: Frames,
    /// Frames written since the start.
    written: i64,
    /// The counter's last move: where it came to, and when.
    moved: (i64, Timestamp<True>),
    started: Timestamp<True>,
    /// Calls of the card that it had no reason for, in a row.
    idle_calls: u32,
    /// Where in a period the last reading of a coarse counter was put.
    turn: u32,
}

/// What is kept of a card that is away.
pub(super) struct Before {
    next: Frames,
    place: Place,
}

/// What the card says of itself at an instant.
struct Claim {
    state: State,
    room: i64,
    /// Frames written since the start and not converted.
    delay: i64,
    at: Timestamp<True>,
}

impl Stream {
    /// Opens `device`, silent yet.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn open(device: &str) -> Result<Self, Trouble> {
        let (pcm, setup) = open(device, Way::Play, MOST_CHANNELS)?;
        let place = Place::new(setup.rate);
        Ok(Self {
            pcm,
            setup,
            place,
            base: Frames(0),
            written: 0,
            moved: (0, raw_now()),
            started: raw_now(),
            idle_calls: 0,
            turn: 0,
        })
    }

    /// Closes it; what its return needs to know.
    pub fn close(self) -> Before {
        Before { next: self.next(), place: self.place }
    }

    /// The same device after it was away: its frames go on by the time that has passed.
    pub fn follow(mut self, before: Before) -> Self {
        (self.base, self.place) = (before.next, before.place);
        self
    }

    /// What was agreed on.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// The number of the next frame to be written.
    pub fn next(&self) -> Frames {
        self.base + Frames(self.written)
    }

    /// Lets it run with a short silence, and finds out which frame comes after that. Returns what was left out, if
    /// frames were written before.
    pub fn start(&mut self, silence: &[u8]) -> Result<Option<(Frames, Frames)>, Trouble> {
        let before = self.next();
        self.pcm.drop().ok();
        self.pcm.prepare()?;
        self.written = 0;
        let lead = self.setup.rate.frames_in(LEAD).0.min(self.setup.buffer);
        while self.written < lead {
            let frames = (lead - self.written) as usize;
            let bytes = silence.len().min(frames * self.setup.frame_bytes());
            if self.write(&silence[..bytes])? == 0 {
                break;
            }
        }
        self.pcm.start()?;
        self.place.begin_anew();
        self.started = raw_now();
        self.moved = (0, self.started);
        let begun = self.begun()?;
        // Time does not go back, whatever clocks say: no frame is rendered twice.
        self.base = begun.map_or(before, |first| first.max(before - Frames(self.written)));
        let missing = self.next() - before;
        Ok((before > Frames(0)).then_some((before, missing)))
    }

    /// The number of this start's first frame by the line that was known: the least of some claims.
    fn begun(&mut self) -> Result<Option<Frames>, Trouble> {
        let mut first: Option<Frames> = None;
        let end = raw_now() + LOOK_FOR;
        while raw_now() < end {
            sleep_until(raw_now() + LOOK);
            let claim = self.claim()?;
            if claim.state != State::Running {
                break;
            }
            let left = Frames(self.written - claim.delay);
            if let Some(by_line) = self.place.frame_at(claim.at).map(|now| now - left) {
                first = Some(first.map_or(by_line, |first| first.min(by_line)));
            }
        }
        Ok(first)
    }

    /// Waits until the card calls, at most for `timeout`.
    pub fn wait(&mut self, timeout: Span) -> Result<(), Trouble> {
        let began = raw_now();
        if self.place.is_coarse() {
            sleep_until(began + self.next_pause());
            return Ok(());
        }
        self.wait_for_call(timeout)?;
        // Some devices of configurations call at once, always: a thread of high priority must not spin.
        let is_idle = raw_now() - began < CALL;
        self.idle_calls = if is_idle { self.idle_calls + 1 } else { 0 };
        if self.idle_calls > 1 {
            sleep_until(began + PAUSE);
        }
        Ok(())
    }

    fn next_pause(&mut self) -> Span {
        self.turn = self.turn.wrapping_add(GOLDEN);
        let pause = SHORTEST + (LONGEST - SHORTEST) * i64::from(self.turn >> 16) / (1 << 16);
        pause.min(self.setup.rate.span_of(Frames(self.setup.buffer)) / PART_OF_BUFFER)
    }

    fn wait_for_call(&self, timeout: Span) -> Result<(), Trouble> {
        let ms = (timeout.as_ns() / 1_000_000).max(1) as u32;
        match self.pcm.wait(Some(ms)) {
            // Its state says more than this.
            Err(error) if [libc::EPIPE, libc::ESTRPIPE, libc::EINTR].contains(&error.errno()) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Looks where it is.
    pub fn look(&mut self) -> Result<Found, Trouble> {
        let claim = self.claim()?;
        match claim.state {
            State::Running => {}
            State::Disconnected => return Err(Trouble::Gone),
            _ => return Ok(Found::Dry),
        }
        let left = self.written - claim.delay;
        if self.setup.rate.span_of(Frames(left)) > claim.at - self.started + UNPACED {
            return Err(Trouble::Unpaced);
        }
        if left > self.moved.0 {
            self.moved = (left, claim.at);
        } else if raw_now() - self.moved.1 > STILL {
            return Err(Trouble::Still(STILL.as_ns() / 1_000_000));
        }
        Ok(Found::Running(claim.room, self.place.read(self.base + Frames(left), claim.at)))
    }

    /// Writes whole frames; how many it took. None at all means that it ran dry or sleeps, which the next look sees.
    pub fn write(&mut self, bytes: &[u8]) -> Result<i64, Trouble> {
        match self.pcm.io_bytes().writei(bytes) {
            Ok(frames) => {
                self.written += frames as i64;
                Ok(frames as i64)
            }
            Err(error) if [libc::EPIPE, libc::ESTRPIPE, libc::EAGAIN].contains(&error.errno()) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn claim(&self) -> Result<Claim, Trouble> {
        let before = raw_now();
        let status = StatusBuilder::new().build(&self.pcm)?;
        let after = raw_now();
        let stamp = status.get_htstamp();
        let stamped = raw_of(self.setup.stamps, stamp.tv_sec * 1_000_000_000 + stamp.tv_nsec);
        let at = stamped.filter(|at| *at >= before - MARGIN && *at <= after + MARGIN).unwrap_or(after);
        Ok(Claim { state: status.get_state(), room: status.get_avail(), delay: status.get_delay(), at })
    }
}

/// The machine's instant of a stamp of `clock` that was taken just now.
fn raw_of(clock: ClockId, stamp_ns: i64) -> Option<Timestamp<True>> {
    if clock == ClockId::CLOCK_MONOTONIC_RAW {
        return Some(Timestamp::from_ns(stamp_ns));
    }
    // Clocks differ by parts of a thousandth at most: nothing over the time of a call.
    let now = clock_gettime(clock).ok()?;
    let age = now.tv_sec().checked_mul(1_000_000_000)?.checked_add(now.tv_nsec())?.checked_sub(stamp_ns)?;
    Some(raw_now() - Span::from_ns(age))
}
