//! Why nothing came from a server, said so that its listener knows whose fault it is.

use std::fmt;
use std::io;

/// Nothing that can be played came from an address.
#[derive(Debug)]
pub enum Refusal {
    /// The address is none.
    Address,
    /// No such host.
    Host,
    /// The host was not reached.
    Connect(io::Error),
    /// Nothing came in time.
    Late(&'static str),
    /// The server said no.
    Status(u16),
    /// It sends from one address to the next, and on.
    Redirects,
    /// The connection could not be made a safe one.
    Tls(String),
    /// It said yes, and that was all.
    Nothing,
    /// What came is no HTTP.
    Protocol(String),
    /// A playlist of pieces: HLS.
    Pieces,
    /// A playlist without an address that can be fetched.
    NoAddress,
    /// A playlist that is too long, or leads to another, and on.
    Playlist,
}

impl fmt::Display for Refusal {
    /// Continues a sentence that begins with the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => write!(f, "is no address that can be fetched: write it as in http://host/path"),
            Self::Host => write!(
                f,
                "cannot be reached: no such host is known; check the address and this machine's network"
            ),
            Self::Connect(e) => {
                write!(f, "cannot be reached: {e}; the station may be down, or this machine has no way to it")
            }
            Self::Late(what) => {
                write!(f, "does not answer: {what}; the station may be down or overloaded, try again later")
            }
            Self::Status(404 | 410) => write!(
                f,
                "is not there (the server says so): the address is wrong or the station has moved; look up its present one"
            ),
            Self::Status(401 | 403) => {
                write!(f, "is refused: the server lets nobody in, or not from here; ask who runs it")
            }
            Self::Status(429) => write!(f, "is refused: the server has too many listeners; try again later"),
            Self::Status(code @ 500..) => {
                write!(f, "failed in its own server ({code}): nothing is wrong here; try again later")
            }
            Self::Status(code) => write!(f, "is refused by its server ({code}): check the address"),
            Self::Redirects => {
                write!(f, "leads from one address to the next without end: its server is set up wrongly")
            }
            Self::Tls(said) => write!(
                f,
                "cannot be reached safely ({said}): its certificate or this machine's clock is wrong; a certificate of your \
                 own is trusted by SSL_CERT_FILE"
            ),
            Self::Nothing => {
                write!(
                    f,
                    "answers and sends nothing: nothing is wrong here, the station may be off the air; try again later"
                )
            }
            Self::Protocol(said) => {
                write!(f, "answers with what is no HTTP ({said}): it is no radio or web server")
            }
            Self::Pieces => write!(
                f,
                "is a stream of pieces (HLS), which Antiphon does not play: most stations have an MP3, AAC or Ogg address too"
            ),
            Self::NoAddress => {
                write!(f, "is a playlist with no address of a stream in it: its station has to mend it")
            }
            Self::Playlist => {
                write!(
                    f,
                    "is a playlist that is too long, or leads to others without end: give the stream's own address"
                )
            }
        }
    }
}

impl From<ureq::Error> for Refusal {
    fn from(error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        match error {
            Error::StatusCode(code) => Self::Status(code),
            Error::HostNotFound => Self::Host,
            Error::BadUri(_) | Error::Http(_) => Self::Address,
            Error::TooManyRedirects | Error::RedirectFailed => Self::Redirects,
            Error::Timeout(Timeout::Resolve) => Self::Late("the name service is silent"),
            Error::Timeout(Timeout::Connect) => Self::Late("no connection within 5 s"),
            Error::Timeout(_) => Self::Late("no word within 8 s"),
            Error::Rustls(e) => Self::Tls(e.to_string()),
            Error::Tls(said) => Self::Tls(said.to_owned()),
            // The standard library has no kind for it.
            Error::Io(e) if e.to_string().starts_with("failed to lookup address") => Self::Host,
            // Where the handshake breaks it is the reader who is told.
            Error::Io(e) if is_tls(&e) => Self::Tls(e.to_string()),
            Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => Self::Protocol("it hangs up".into()),
            Error::Io(e) => Self::Connect(e),
            Error::LargeResponseHeader(..) => Self::Protocol("a header without end".into()),
            other => Self::Protocol(other.to_string()),
        }
    }
}

fn is_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("certificate")
}
