//! How loud the signal is to be: loud enough for the microphone, and no louder.

use std::io::{BufRead, IsTerminal};
use std::sync::atomic::AtomicBool;

use antiphon_audio::capture::InputUri;
use antiphon_measure::lab::Excitation;

use super::Ended;
use super::meter::{Meter, decibels};
use super::microphone::Microphone;
use super::stage::Stage;
use super::take;
use crate::exit::Failure;
use crate::terminal;

/// The first sound is so much below the signal's own level.
const QUIET_DB: f64 = -20.0;

/// What the signal stands above the room in a good recording.
const WANTED_SNR_DB: f64 = 30.0;

/// What the recording's greatest sample stays below, in dB of full scale.
const HEADROOM_DB: f64 = -9.0;

/// Less than this above the room is not heard for sure.
const HEARD_DB: f64 = 3.0;

/// Plays quietly, listens, and returns the gain to measure with, in dB. What cannot be heard is
/// played at its own level; if that is not heard either, the person is asked to turn it up.
///
/// # Errors
/// As [`take::record`]; nobody could be asked.
pub fn find(
    stage: &Stage,
    microphone: &mut Microphone,
    uri: &InputUri,
    stop: &AtomicBool,
) -> Result<f64, Ended> {
    let channels = stage.names().len();
    let signal = Excitation::new(channels, 1).ok_or_else(|| Failure::failed("no speakers to measure"))?;
    let mut asked = false;
    loop {
        for gain_db in [QUIET_DB, 0.0] {
            let what = if gain_db < 0.0 { "a quiet sound, for the level" } else { "the same, louder" };
            let heard = take::record(stage, microphone, &signal, gain_db, what, stop)?.meter;
            let snr_db = snr_db(&heard);
            if snr_db >= HEARD_DB {
                let gain = gain_db + raise_db(snr_db, heard.peak_db());
                return Ok(gain.clamp(QUIET_DB, 0.0));
            }
        }
        if asked || !ask(uri) {
            let message = "the microphone hardly hears the speakers; it is tried all the same. Turn the speakers up or \
                           come nearer if the result is not to be trusted";
            terminal::note(message);
            return Ok(0.0);
        }
        asked = true;
    }
}

/// The signal, alone, above the room.
fn snr_db(heard: &Meter) -> f64 {
    let [floor, both] = [heard.floor_db(), heard.loudest_db()].map(|db| 10f64.powf(db / 10.0));
    decibels((both - floor).max(0.0)) - decibels(floor)
}

/// By how much the signal may be raised until it is loud enough or the recording is full.
fn raise_db(snr_db: f64, peak_db: f64) -> f64 {
    (WANTED_SNR_DB - snr_db).min(HEADROOM_DB - peak_db)
}

/// Asks for more volume; whether somebody answered.
fn ask(uri: &InputUri) -> bool {
    if *uri == InputUri::Stdin || !std::io::stdin().is_terminal() {
        return false;
    }
    terminal::note("The microphone does not hear the speakers. Turn them up, then press Enter.");
    std::io::stdin().lock().read_line(&mut String::new()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_is_raised_to_what_is_wanted_and_not_over_the_end_of_the_scale() {
        // Heard 12 dB above the room with plenty of room upwards: 18 dB more.
        assert_eq!(raise_db(12.0, -60.0), 18.0);
        // The same, with the microphone nearly full.
        assert_eq!(raise_db(12.0, -15.0), 6.0);
        // Too loud already: down.
        assert_eq!(raise_db(50.0, -3.0), -20.0);
    }
}
