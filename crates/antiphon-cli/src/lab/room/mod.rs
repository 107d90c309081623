//! A microphone without a microphone: it stands in a simulated room among running virtual speakers.
//!
//! Virtual speakers write down every frame that they convert and when it truly sounded. This
//! microphone follows those recordings as they grow, sends each speaker's sound through the
//! response of a room (`antiphon_sim::room`), and gives what a microphone there would have heard:
//! on a clock of its own, with noise, and so much later as such files take to be written. It knows
//! nothing but what sounded: no setting, no latency, no name.
//!
//! `docs/room.md` has the grammar. Its instants: room frame `n` is true time `origin + n / 48000 s`; microphone frame `m` is room
//! frame `warm_up + m / (1 + ppm)`.

mod uri;

mod follow;

mod hiss;

use std::time::Duration;

use antiphon_audio::capture::{self, Capture, CaptureError, CaptureFormat, InputUri};
use antiphon_audio::source::PcmFormat;
use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};
use antiphon_measure::lab::excitation::Excitation;
use antiphon_net::{raw_now, sleep_until};
use antiphon_sim::rng::Rng;
use antiphon_sim::room::between::{Between, HALF};
use antiphon_sim::room::convolver::{BLOCK, Convolver};
use antiphon_sim::room::noise::band_rms;
use antiphon_sim::room::{Loudspeaker, RoomSpec, direct_responses, responses};

use follow::{Follower, Read};
use hiss::Hiss;
pub use uri::{Models, RoomParams};

/// What a person reads about `room:`.
pub const HELP: &str = "\
room:LEFT.wav,RIGHT.wav[?distances_m=2,2&rt60_ms=300&snr_db=30&noise=pink&ppm=50&seed=1
     &lag_ms=1000&gain_db=0&models=perfect]
             a simulated room in which virtual:LEFT.wav and virtual:RIGHT.wav speakers play";

/// A recording that does not grow for so long, beyond the microphone's lag, has ended or stalled: it is
/// silent from there on, until it grows again.
const PATIENCE: Span = Span::from_s(2);

/// How often a recording that is behind is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// Where a sensible recording level puts the measure signal: -26 dB of full scale, RMS.
const SENSIBLE_RMS: f64 = 0.05;

/// Opens the microphone that `uri` names: a room here, anything else where devices are.
///
/// # Errors
/// As [`capture::open`]; a room that makes no sense, or in which no speaker has begun to record.
pub fn open(uri: &InputUri, format: Option<PcmFormat>) -> Result<Box<dyn Capture>, CaptureError> {
    match uri {
        InputUri::Room(room) => Ok(Box::new(RoomMicrophone::now(room.parse().map_err(said)?)?)),
        _ => capture::open(uri, format),
    }
}

fn said(error: impl std::fmt::Display) -> CaptureError {
    CaptureError::Other(error.to_string())
}

/// The microphone.
pub struct RoomMicrophone {
    voices: Vec<Voice>,
    /// True time of room frame 0.
    origin: Timestamp<True>,
    /// So much later than its last instant a block is given; `None` for recordings that are complete.
    lag: Option<Span>,
    /// Sound pressure from room frame `pressure_first` on.
    pressure: Vec<f32>,
    pressure_first: usize,
    /// Room frames made.
    made: usize,
    /// Room frames before the microphone's first.
    warm_up: usize,
    /// Microphone frames given.
    given: usize,
    rate: f64,
    gain: f32,
    hiss: Option<Hiss>,
    between: Between,
}

/// A speaker, and its way to the microphone.
struct Voice {
    follower: Follower,
    way: Convolver,
    ended: bool,
    sent: Vec<f32>,
}

impl RoomMicrophone {
    /// One that begins to hear at this moment.
    fn now(params: RoomParams) -> Result<Self, CaptureError> {
        if !params.speakers.iter().any(|path| path.exists()) {
            let first = params.speakers[0].display();
            let message = format!(
                "no speaker records to {first}: start one first with `antiphon speaker --output virtual:{first}`"
            );
            return Err(CaptureError::Other(message));
        }
        let lag = Span::from_s_f64(params.lag_ms / 1e3);
        let mut microphone = Self::at(&params, raw_now());
        microphone.lag = Some(lag);
        Ok(microphone)
    }

    /// One whose first frame is of the instant `begin`, which does not wait for anything.
    fn at(params: &RoomParams, begin: Timestamp<True>) -> Self {
        let ways = ways(params);
        // What sounded before the microphone was switched on is still in the room.
        let longest = ways.iter().map(Vec::len).max().unwrap_or(0) + HALF;
        let warm_up = longest.next_multiple_of(BLOCK);
        let signal_rms = signal_rms(&ways);
        let gain = SENSIBLE_RMS / signal_rms * 10f64.powf(params.gain_db / 20.0);
        let noise_rms = signal_rms * gain * 10f64.powf(-params.snr_db / 20.0);
        let voice = |(path, way): (&std::path::PathBuf, &Vec<f32>)| Voice {
            follower: Follower::new(path.clone()),
            way: Convolver::new(way),
            ended: false,
            sent: vec![0.0; BLOCK],
        };
        Self {
            voices: params.speakers.iter().zip(&ways).map(voice).collect(),
            origin: begin - SampleRate::MEDIA.span_of(Frames(warm_up as i64)),
            lag: None,
            pressure: Vec::new(),
            pressure_first: 0,
            made: 0,
            warm_up,
            given: 0,
            rate: 1.0 + params.ppm * 1e-6,
            gain: gain as f32,
            hiss: params.snr_db.is_finite().then(|| Hiss::new(params.noise, noise_rms, params.seed)),
            between: Between::new(),
        }
    }

    /// Makes the next block of sound pressure, when all speakers' recordings reach that far.
    fn listen(&mut self) -> Result<(), CaptureError> {
        let first = self.made;
        self.made += BLOCK;
        let heard = self.instant(self.made);
        if let Some(lag) = self.lag {
            sleep_until(heard + lag);
        }
        let begin = self.pressure.len();
        self.pressure.resize(begin + BLOCK, 0.0);
        for voice in &mut self.voices {
            let give_up = self.lag.map(|lag| heard + lag + PATIENCE);
            voice.hear(self.origin, first, &self.between, give_up)?;
            voice.way.add_block(&voice.sent, &mut self.pressure[begin..]);
        }
        Ok(())
    }

    fn instant(&self, room_frame: usize) -> Timestamp<True> {
        self.origin + SampleRate::MEDIA.span_of(Frames(room_frame as i64))
    }

    /// Turns sound pressure into microphone frames as far as it reaches.
    fn convert(&mut self, out: &mut Vec<f32>) -> usize {
        let begin = out.len();
        let reaches = self.pressure_first + self.pressure.len();
        loop {
            let at = self.warm_up as f64 + self.given as f64 / self.rate;
            if at as usize + HALF + 1 >= reaches {
                break;
            }
            let sample = self.between.at(&self.pressure, at - self.pressure_first as f64) * self.gain;
            let noise = self.hiss.as_mut().map_or(0.0, Hiss::sample);
            out.push((sample + noise).clamp(-1.0, 1.0));
            self.given += 1;
        }
        let next = self.warm_up as f64 + self.given as f64 / self.rate;
        let past = (next as usize).saturating_sub(HALF + self.pressure_first).min(self.pressure.len());
        self.pressure.drain(..past);
        self.pressure_first += past;
        out.len() - begin
    }
}

impl Capture for RoomMicrophone {
    fn format(&self) -> CaptureFormat {
        CaptureFormat { rate: SampleRate::MEDIA, channels: 1 }
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        loop {
            self.listen()?;
            let frames = self.convert(out);
            if frames > 0 {
                return Ok(frames);
            }
        }
    }
}

impl Voice {
    /// What the speaker sounds from room frame `first` on, a block. Waits for its recording until
    /// `give_up`, unless it was waited for in vain already.
    fn hear(
        &mut self,
        origin: Timestamp<True>,
        first: usize,
        between: &Between,
        give_up: Option<Timestamp<True>>,
    ) -> Result<(), CaptureError> {
        let ns = |n: usize| (first + n) as f64 * 1e9 / f64::from(SampleRate::MEDIA.hz());
        loop {
            let read = self.follower.read(origin, ns, between, &mut self.sent).map_err(said)?;
            if read == Read::All {
                self.ended = false;
                return Ok(());
            }
            if self.ended || give_up.is_none_or(|end| raw_now() >= end) {
                self.ended = true;
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Each speaker's way to the microphone.
fn ways(params: &RoomParams) -> Vec<Vec<f32>> {
    let mut room =
        RoomSpec::with_distances(&params.distances_m, (params.rt60_ms / 1e3).max(0.1), params.seed);
    let mut rng = Rng::new(params.seed).fork(0x500D);
    let shared = Loudspeaker::random_model(&mut rng);
    for placed in &mut room.loudspeakers {
        let model = match params.models {
            Models::Perfect => continue,
            Models::Alike => shared.clone(),
            Models::Different => Loudspeaker::random_model(&mut rng),
        };
        *placed = Loudspeaker { place_m: placed.place_m, aim: placed.aim, ..model };
    }
    if params.rt60_ms == 0.0 { direct_responses(&room) } else { responses(&room) }
}

/// How loud the measure signal, from all speakers at once, is at the microphone within its band.
fn signal_rms(ways: &[Vec<f32>]) -> f64 {
    let Some(signal) = Excitation::new(ways.len().clamp(1, Excitation::MAX_CHANNELS), 1) else { return 1.0 };
    let power = |(channel, way): (usize, &Vec<f32>)| {
        let heard =
            antiphon_sim::room::convolver::convolve(signal.sequence(channel % signal.channels()), way);
        band_rms(&heard).powi(2)
    };
    ways.iter().enumerate().map(power).sum::<f64>().sqrt().max(1e-9)
}

#[cfg(test)]
mod tests;
