//! What a `room:` microphone is asked to be: `LEFT.wav,RIGHT.wav?distances_m=2,2&rt60_ms=300`.

use std::path::PathBuf;
use std::str::FromStr;

use antiphon_sim::room::noise::Noise;

/// The most speakers of one room: as many as a hub can give channels to.
const MAX_SPEAKERS: usize = 32;

/// A microphone in a simulated room. Every field can be set in the query, by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomParams {
    /// Recordings of the virtual speakers, as they stand after `virtual:`.
    pub speakers: Vec<PathBuf>,
    /// From each speaker to the microphone, or one for all: `distances_m=2,2.5`.
    pub distances_m: Vec<f64>,
    /// Time in which the room becomes 60 dB quieter; 0 for no room at all: `rt60_ms=300`.
    pub rt60_ms: f64,
    /// What the measure signal, from all speakers at volume 0 dB, has over the noise within 300 Hz to
    /// 16 kHz; `inf` for no noise: `snr_db=30`.
    pub snr_db: f64,
    /// `noise=pink`, `white` or `room`.
    pub noise: Noise,
    /// How much faster than true time the microphone's clock runs: `ppm=50`.
    pub ppm: f64,
    /// So much later than it was heard a sound is given; the speakers' files grow with a delay too:
    /// `lag_ms=1000`.
    pub lag_ms: f64,
    /// Above or below a sensible recording level: `gain_db=0`.
    pub gain_db: f64,
    /// What the loudspeakers are: `models=perfect`, `alike` or `different`.
    pub models: Models,
    /// Of the room, the models and the noise: `seed=1`.
    pub seed: u64,
}

/// What stands between a converter and the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Models {
    /// Nothing: what is converted is what the membrane does.
    Perfect,
    /// One model, drawn by lot, for all.
    Alike,
    /// A model each.
    Different,
}

/// A room that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomParamsError {
    /// Nobody would be heard.
    #[error(
        "room: names no speaker: write room:LEFT.wav,RIGHT.wav with the files of running virtual: speakers"
    )]
    NoSpeaker,
    /// Too many.
    #[error("a room holds at most {MAX_SPEAKERS} speakers")]
    TooMany,
    /// A query parameter that does not exist, or is no number, or beyond its limits.
    #[error(
        "room parameter {0:?} is none: use distances_m=0.3 to 20 (one, or one for each speaker), rt60_ms=0 or 100 to \
         1500, snr_db=-20 to 120 or inf, noise=pink, white or room, ppm=-5000 to 5000, lag_ms=300 to 10000, \
         gain_db=-60 to 60, models=perfect, alike or different, seed=NUMBER"
    )]
    Parameter(String),
}

impl FromStr for RoomParams {
    type Err = RoomParamsError;

    fn from_str(text: &str) -> Result<Self, RoomParamsError> {
        let (files, query) = text.split_once('?').unwrap_or((text, ""));
        let speakers: Vec<PathBuf> =
            files.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
        match speakers.len() {
            0 => return Err(RoomParamsError::NoSpeaker),
            1..=MAX_SPEAKERS => {}
            _ => return Err(RoomParamsError::TooMany),
        }
        let distances_m = vec![2.0; speakers.len()];
        let room = Self {
            speakers,
            distances_m,
            rt60_ms: 300.0,
            snr_db: 30.0,
            noise: Noise::Pink,
            ppm: 50.0,
            lag_ms: 1_000.0,
            gain_db: 0.0,
            models: Models::Perfect,
            seed: 1,
        };
        query.split('&').filter(|part| !part.is_empty()).try_fold(room, Self::with)
    }
}

impl RoomParams {
    fn with(mut self, part: &str) -> Result<Self, RoomParamsError> {
        let wrong = || RoomParamsError::Parameter(part.chars().take(60).collect());
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        let number = |text: &str, low: f64, high: f64| {
            // No number is in no range.
            text.parse().ok().filter(|number| (low..=high).contains(number)).ok_or_else(wrong)
        };
        match key {
            "distances_m" => self.distances_m = self.distances(value, |text| number(text, 0.3, 20.0))?,
            "rt60_ms" if value.parse() == Ok(0.0) => self.rt60_ms = 0.0,
            "rt60_ms" => self.rt60_ms = number(value, 100.0, 1_500.0)?,
            "snr_db" if value == "inf" => self.snr_db = f64::INFINITY,
            "snr_db" => self.snr_db = number(value, -20.0, 120.0)?,
            "ppm" => self.ppm = number(value, -5_000.0, 5_000.0)?,
            "lag_ms" => self.lag_ms = number(value, 300.0, 10_000.0)?,
            "gain_db" => self.gain_db = number(value, -60.0, 60.0)?,
            "seed" => self.seed = value.parse().map_err(|_| wrong())?,
            "noise" => {
                self.noise = match value {
                    "white" => Noise::White,
                    "pink" => Noise::Pink,
                    "room" => Noise::Room,
                    _ => return Err(wrong()),
                }
            }
            "models" => {
                self.models = match value {
                    "perfect" => Models::Perfect,
                    "alike" => Models::Alike,
                    "different" => Models::Different,
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(wrong()),
        }
        Ok(self)
    }

    fn distances(
        &self,
        text: &str,
        number: impl Fn(&str) -> Result<f64, RoomParamsError>,
    ) -> Result<Vec<f64>, RoomParamsError> {
        let given: Vec<f64> = text.split(',').map(number).collect::<Result<_, _>>()?;
        match given.as_slice() {
            [same] => Ok(vec![*same; self.speakers.len()]),
            each if each.len() == self.speakers.len() => Ok(given),
            _ => Err(RoomParamsError::Parameter(format!("distances_m={text}").chars().take(60).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RoomParams, RoomParamsError> {
        text.parse()
    }

    #[test]
    fn a_room_is_read_as_it_is_asked_for() {
        let room = read(
            "a.wav,/tmp/b.wav?distances_m=2,3.5&rt60_ms=450&snr_db=5&ppm=-60&lag_ms=800&seed=9&noise=room&gain_db=-6&models=alike",
        )
        .unwrap();
        assert_eq!(room.speakers, [PathBuf::from("a.wav"), PathBuf::from("/tmp/b.wav")]);
        assert_eq!((room.distances_m, room.rt60_ms, room.snr_db), (vec![2.0, 3.5], 450.0, 5.0));
        assert_eq!((room.ppm, room.lag_ms, room.seed, room.gain_db), (-60.0, 800.0, 9, -6.0));
        assert_eq!((room.noise, room.models), (Noise::Room, Models::Alike));
        assert_eq!(read("a,b,c?distances_m=1").unwrap().distances_m, [1.0; 3]);
        assert_eq!(read("a?snr_db=inf&rt60_ms=0").unwrap().snr_db, f64::INFINITY);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_do() {
        assert_eq!(read(""), Err(RoomParamsError::NoSpeaker));
        assert_eq!(read(&"a,".repeat(33)), Err(RoomParamsError::TooMany));
        for bad in [
            "distances_m=1,2,3",
            "distances_m=0",
            "rt60_ms=20",
            "ppm=NaN",
            "lag_ms=1",
            "size=3",
            "seed",
            "noise=red",
        ] {
            let said = read(&format!("a,b?{bad}")).unwrap_err().to_string();
            assert!(said.contains(bad) && said.contains("lag_ms=300 to 10000"), "{said}");
        }
    }
}
