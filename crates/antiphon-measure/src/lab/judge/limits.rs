//! The bounds of the rules, each with its reason.

/// Below this power, in dBFS, nothing was recorded: under the last bit of 16.
pub(super) const SILENCE_DBFS: f64 = -85.0;
/// Below this, in dBFS, the last bit of 16 is within 26 dB of the signal.
pub(super) const QUIET_DBFS: f64 = -75.0;
/// Part of the samples on flat tops from which on it was clipping and not chance: a clean recording
/// has none, one that clips 13 dB above its mean has 6 in 100,000.
pub(super) const FLAT_TOPS: f64 = 2e-5;
/// From here on levels and responses are no longer the speakers'.
pub(super) const MANY_FLAT_TOPS: f64 = 5e-3;
/// No linear path makes the signal's kurtosis smaller: one channel on a wire has 1.9.
pub(super) const CLIPPED_KURTOSIS: f64 = 1.7;
/// A telephone's 3.4 kHz, with room for what its filters leave.
pub(super) const TELEPHONE_HZ: f64 = 5_500.0;
/// The delay is measured up to 8 kHz; microphones of speech modes end there.
pub(super) const SPEECH_HZ: f64 = 9_500.0;
/// Recorders are within 200 ppm; players and recorders in another rate's clothes are percents off.
pub(super) const SPEED: f64 = 5e-4;
/// Part of the cells that are empty: encoders at 64 kbit/s per channel and more leave below 0.5 %,
/// at 32 kbit/s and less above 1.4 %.
pub(super) const HOLES: f64 = 0.008;
/// From here on little of the waveform is left; MP3 at 32 kbit/s makes 9 %.
pub(super) const MANY_HOLES: f64 = 0.05;
/// So far below the signal noise makes no holes, in dB.
pub(super) const HOLES_SNR_DB: f64 = 10.0;
/// A gain that moves by this much, in dB, is being moved: noise 5 dB below the signal seems to move
/// it by 0.35 dB, encoders of good rates by 0.8 dB.
pub(super) const WANDER_DB: f64 = 1.5;
/// Weak cells against strong ones, in dB: suppressors of steady sound move them by 4 dB, encoders by
/// up to 1.4, gain controls not at all.
pub(super) const EXPANDED_DB: f64 = 2.2;
/// And noise as loud as the signal by this much, in dB; in proportion to its size.
pub(super) const EXPANDED_BY_NOISE_DB: f64 = 2.0;
/// What is missing of begin or end, in seconds, before it is worth a word.
pub(super) const CUT_S: f64 = 0.05;
/// Length of the signal's fades, in seconds.
pub(super) const FADE_IN_S: f64 = 1.4;
pub(super) const FADE_OUT_S: f64 = 0.3;
/// What is missing is missing because the recording begins or ends there, if it does so within this
/// many seconds: a round and a little, since what is missing counts in rounds.
pub(super) const EDGE_S: f64 = 1.6;
/// Begins of the signal nearer than this part of its length are pieces of one playing.
pub(super) const ONE_PLAYING: f64 = 0.9;
/// A second arrival this loud, in dB against the first, is hardly a reflection.
pub(super) const SECOND_SPEAKER_DB: f64 = -3.0;
/// Fewer whole periods than this do not show whether they agree.
pub(super) const MIN_PERIODS: usize = 2;
/// A jump between two periods, in microseconds, that no clock makes: 100 ppm make 137 us.
pub(super) const JUMP_US: f64 = 250.0;
/// Half of a 95 % interval, in microseconds, beyond which a delay is no delay.
pub(super) const UNSURE_US: f64 = 60.0;
/// Half of a 95 % interval, in microseconds, beyond which it is not good.
pub(super) const DOUBTFUL_US: f64 = 20.0;
/// Below this signal to noise, in dB, before any averaging, the signal is not to be heard any more.
pub(super) const NOISE_COVERS_DB: f64 = -10.0;
/// Below this, in dB, one hears more noise than signal.
pub(super) const NOISY_DB: f64 = -3.0;
/// The impulse's peak stands this far, in dB, out of its own noise, or is chance.
pub(super) const PEAK_DB: f64 = 15.0;
/// A sound before the first arrival, in dB against it, that might itself be the first.
pub(super) const BEFORE_DB: f64 = -4.0;
/// Energy of the direct sound against the rest, in dB, below which the room covers it.
pub(super) const REVERBERANT_DB: f64 = -12.0;
/// Both channels come out of the same places.
pub(super) const ALIKE: f64 = 0.8;
/// So much of one channel comes out where the other does.
pub(super) const LEAKING: f64 = 0.4;
/// What ears notice between two speakers, in dB.
pub(super) const LEVEL_DB: f64 = 0.5;
/// Clocks apart by this, in ppm, leave a stereo image within a minute: 60 us.
pub(super) const DRIFT_PPM: f64 = 1.0;
/// Clocks apart by this, in ppm, change the delay by 30 us while it is measured.
pub(super) const FAST_DRIFT_PPM: f64 = 3.0;
/// A microphone held near a speaker hears it at least this much, in microseconds, before another
/// one: 17 cm.
pub(super) const NEAR_US: f64 = 500.0;
/// Two microphones of one recorder hear a speaker at their side at least this much apart, in
/// microseconds: 2 cm of the way.
pub(super) const ONE_SIDE_US: f64 = 60.0;
