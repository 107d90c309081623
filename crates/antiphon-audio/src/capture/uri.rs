//! Names of microphones: `-`, `pipe:PATH`, `wav:PATH`, `alsa:hw:1`, `pulse:SOURCE`, `room:...`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A microphone, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputUri {
    /// `-`: raw samples on standard input.
    Stdin,
    /// Raw samples from a named pipe.
    Pipe(PathBuf),
    /// A recording, given at the pace of real time as if it were heard at present.
    Wav(PathBuf),
    /// An ALSA device, for example `hw:1`; empty for the default one.
    Alsa(String),
    /// A PulseAudio or PipeWire source by its name; empty for the default one.
    Pulse(String),
    /// A simulated room around virtual speakers; the rest is for whoever simulates it.
    Room(String),
}

impl InputUri {
    /// The forms that [`FromStr`] takes, a line each, for `--help`.
    pub const HELP: &str = "\
-            raw samples on standard input, from a recorder:
             parec --raw --format=s16le --rate=48000 --channels=1 | antiphon ... --mic -
             arecord -t raw -f S16_LE -r 48000 -c 1 | antiphon ... --mic -
             pw-record --raw --format s16 --rate 48000 --channels 1 - | antiphon ... --mic -
pipe:PATH    the same from a named pipe
pulse:SOURCE a microphone of the desktop's sound server; pulse: alone is its default one
alsa:DEVICE  a sound card's own input, without a sound server: alsa:hw:1 (arecord -l lists cards)
wav:PATH     a recording, as if it were heard now
room:...     a simulated room around virtual: speakers";

    /// The command that records so many channels from a device of a kind that a program may be built without, to a
    /// pipe: 16 bits, 48 kHz.
    pub fn recorder(&self, channels: u16) -> Option<String> {
        match self {
            Self::Alsa(device) => {
                let device = if device.is_empty() { String::new() } else { format!(" -D {device}") };
                Some(format!("arecord{device} -t raw -f S16_LE -r 48000 -c {channels}"))
            }
            _ => None,
        }
    }
}

/// A microphone that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseInputError {
    /// No scheme, or one that does not exist.
    #[error(
        "unknown microphone {0:?}: use - (raw samples on standard input), pipe:PATH, wav:PATH, alsa:DEVICE, \
         pulse:SOURCE or room:..."
    )]
    Scheme(String),
    /// A path is missing.
    #[error("microphone {0:?} needs a file name after the colon, for example {0}heard.wav")]
    NoPath(String),
}

impl FromStr for InputUri {
    type Err = ParseInputError;

    fn from_str(text: &str) -> Result<Self, ParseInputError> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let unknown = || ParseInputError::Scheme(text.chars().take(60).collect());
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        let file = || match rest {
            "" => Err(ParseInputError::NoPath(format!("{scheme}:"))),
            path => Ok(PathBuf::from(path)),
        };
        match scheme {
            "pipe" => Ok(Self::Pipe(file()?)),
            "wav" => Ok(Self::Wav(file()?)),
            "alsa" => Ok(Self::Alsa(rest.to_owned())),
            "pulse" => Ok(Self::Pulse(rest.to_owned())),
            "room" => Ok(Self::Room(rest.to_owned())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for InputUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("-"),
            Self::Pipe(path) => write!(f, "pipe:{}", path.display()),
            Self::Wav(path) => write!(f, "wav:{}", path.display()),
            Self::Alsa(device) => write!(f, "alsa:{device}"),
            Self::Pulse(source) => write!(f, "pulse:{source}"),
            Self::Room(room) => write!(f, "room:{room}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microphones_are_shown_as_they_are_named() {
        for uri in
            ["-", "pipe:/run/mic", "wav:a b.wav", "alsa:hw:1,0", "alsa:", "pulse:", "room:l.wav,r.wav?ppm=9"]
        {
            assert_eq!(uri.parse::<InputUri>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_remedy() {
        for (bad, named) in [
            ("", "unknown microphone \"\""),
            ("mic", "use - (raw samples on standard input), pipe:PATH"),
            ("usb:1", "unknown microphone \"usb:1\""),
            ("wav:", "wav:heard.wav"),
            ("pipe:", "pipe:heard.wav"),
        ] {
            let said = bad.parse::<InputUri>().unwrap_err().to_string();
            assert!(said.contains(named), "{bad}: {said}");
        }
    }
}
