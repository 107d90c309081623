//! What can be wrong with a source, said so that its owner knows what to do.

use std::fmt;

use antiphon_base::Span;

use super::{MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Refusal};

/// A source that cannot be played, or no further.
#[derive(Debug)]
pub struct SourceError {
    /// The file's path or address as it was given, or "standard input".
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.problem {
            Problem::Open(e) => write!(f, "cannot open {name}: {e}: check the path and its permissions"),
            Problem::Directory => write!(f, "{name} is a directory: name one file in it"),
            Problem::Empty => {
                write!(f, "{name} is empty (0 bytes): it was never written in full, copy it again")
            }
            Problem::NotAudio { looks } => write!(
                f,
                "{name} is no audio file, it looks like {looks}: give a WAV, AIFF, FLAC, MP3, AAC, M4A, Ogg \
                 Vorbis or Opus file"
            ),
            Problem::Silent => {
                write!(f, "{name} holds no sound: its header is there but no audio follows, copy it again")
            }
            Problem::Incomplete => {
                write!(f, "{name} is cut off: it ends before its own header says, get another copy of it")
            }
            Problem::Unsupported { what } => {
                write!(
                    f,
                    "{name} holds {what}, which Antiphon cannot decode: convert it, for example to FLAC"
                )
            }
            Problem::Channels { count } => write!(
                f,
                "{name} has {count} channels and Antiphon plays 1 to {MAX_CHANNELS}: convert it to one of those"
            ),
            Problem::Rate { hz } => write!(
                f,
                "{name} has a rate of {hz} Hz and Antiphon plays {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz: resample it"
            ),
            Problem::Damaged { at, reason } => write!(
                f,
                "{name} is damaged at {} ({reason}) and cannot be read further: get another copy of it",
                clock(*at)
            ),
            Problem::Truncated { at, of } => write!(
                f,
                "{name} ends at {} of {}: a part of it is missing, it is cut off or damaged: get another copy of it",
                clock(*at),
                clock(*of)
            ),
            Problem::Changes { at } => write!(
                f,
                "{name} changes its rate or channels at {}: split it there and play the parts",
                clock(*at)
            ),
            Problem::Read { at, error } => {
                write!(f, "cannot read {name} at {}: {error}: check the disk or the connection", clock(*at))
            }
            Problem::Http(refusal) => write!(f, "{name} {refusal}"),
            Problem::Behind(error) => {
                write!(f, "{name} is a playlist, and what it leads to cannot be played: {error}")
            }
            Problem::Seek { to, reason } => {
                write!(f, "cannot go to {} in {name}: {reason}", clock(*to))
            }
            Problem::Decoder { at, said } => write!(
                f,
                "the decoder failed on {name} at {} ({said}): this is Antiphon's fault, please report it with the \
                 file",
                clock(*at)
            ),
        }
    }
}

impl SourceError {
    /// What is wrong with it; of a playlist that leads to something, what is wrong with that.
    pub fn cause(&self) -> &Problem {
        match &self.problem {
            Problem::Behind(error) => error.cause(),
            problem => problem,
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.cause() {
            Problem::Open(e) | Problem::Read { error: e, .. } => Some(e),
            _ => None,
        }
    }
}

/// What is wrong with a source. All but [`Decoder`](Self::Decoder) are the file's own fault or its
/// surroundings', and none goes away by trying again but perhaps [`Read`](Self::Read).
#[derive(Debug)]
pub enum Problem {
    /// It cannot be opened.
    Open(std::io::Error),
    /// It is a directory.
    Directory,
    /// It has no bytes.
    Empty,
    /// It is something else than audio.
    NotAudio {
        /// What it looks like.
        looks: &'static str,
    },
    /// It has a header but no audio.
    Silent,
    /// It ends so early that it cannot even be opened.
    Incomplete,
    /// It is audio of a kind that no decoder here knows.
    Unsupported {
        /// What it is.
        what: String,
    },
    /// Too many channels or none.
    Channels {
        /// How many it has.
        count: usize,
    },
    /// A rate outside the range.
    Rate {
        /// Its rate in hertz.
        hz: u32,
    },
    /// Damage that the decoder cannot get past.
    Damaged {
        /// How far into the source.
        at: Span,
        /// What the decoder said.
        reason: String,
    },
    /// It ends before its header says; everything before has been read.
    Truncated {
        /// Where it ends.
        at: Span,
        /// Where it should end.
        of: Span,
    },
    /// It changes its format on the way.
    Changes {
        /// How far into the source.
        at: Span,
    },
    /// The system failed to read it.
    Read {
        /// How far into the source.
        at: Span,
        /// What the system said.
        error: std::io::Error,
    },
    /// Nothing came from its server.
    Http(Refusal),
    /// It is a playlist, and this is wrong with the first address that it leads to.
    Behind(Box<SourceError>),
    /// A position that cannot be gone to.
    Seek {
        /// The position.
        to: Span,
        /// Why not.
        reason: String,
    },
    /// The decoder broke down.
    Decoder {
        /// How far into the source.
        at: Span,
        /// What it said.
        said: String,
    },
}

/// A position as people read it: 3:07.5.
fn clock(at: Span) -> String {
    let tenths = at.as_ns().max(0) / 100_000_000;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}
