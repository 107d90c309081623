//! Sound from web and radio servers: `http://` and `https://`.
//!
//! What has a length is a *file*: read once, in parts where its server serves parts. What has none
//! is a *station*: it plays for as long as somebody listens, and is connected again when it breaks off.

mod refusal;

mod client;

mod shoutcast;

mod icy;

mod playlist;

mod file;

mod station;

use std::time::{Duration, Instant};

use antiphon_base::Span;

use self::client::{Client, Reply};
pub use self::refusal::Refusal;
use super::detect::{PEEK, stranger};
use super::reader::Source;
use super::{Problem, SourceError};

/// All of opening, from the first name looked up to the first sound: a playlist, two relays and a
/// slow server fit; who listens should not wait longer for an answer.
const OPENING: Duration = Duration::from_secs(20);

/// A playlist that leads to a playlist is common, a third is not.
const MOST_PLAYLISTS: u32 = 3;

/// Whether `text` is an address that is asked for here.
pub fn is_url(text: &str) -> bool {
    let begins = |with: &str| text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    begins("http://") || begins("https://")
}

/// An answer that may be sound, its first bytes read.
struct Tuned {
    reply: Reply,
    head: Vec<u8>,
    /// The address that a playlist led to.
    behind: Option<String>,
}

/// Where sound is looked for, and again after it broke off.
enum Whence {
    Address(String),
    /// The addresses of a playlist on the disk.
    List(Vec<String>),
}

impl Whence {
    fn tune(&self, client: &Client, until: Instant) -> Result<Tuned, Problem> {
        match self {
            Self::Address(url) => tune(client, url, until, 0),
            Self::List(urls) => first_that_answers(client, urls, until, 1),
        }
    }
}

/// Opens what is at `url` and decodes its first block.
pub(super) fn open(url: &str) -> Result<Source, SourceError> {
    let name = without_secrets(url);
    open_at(Whence::Address(url.to_owned()), &name).map_err(|problem| SourceError { name, problem })
}

/// Opens what the playlist `list`, called `name`, leads to.
pub(super) fn open_listed(list: &[u8], name: &str) -> Result<Source, Problem> {
    // Written in no place of the net, it can name addresses only whole.
    let urls = playlist::addresses(list, "").map_err(Problem::Http)?;
    open_at(Whence::List(urls), name)
}

fn open_at(whence: Whence, name: &str) -> Result<Source, Problem> {
    let until = Instant::now() + OPENING;
    let client = Client::new().map_err(Problem::Http)?;
    let mut tuned = whence.tune(&client, until)?;
    let behind = tuned.behind.take();
    let opened = match tuned.reply.length().filter(|_| !tuned.reply.is_radio()) {
        Some(length) => file::open(client, tuned, length, name),
        None => station::open(client, whence, tuned, until, name),
    };
    opened.map_err(|problem| match behind {
        Some(url) => found_behind(&url, problem),
        None => problem,
    })
}

/// The sound at `url`, through playlists that lead to it.
fn tune(client: &Client, url: &str, until: Instant, depth: u32) -> Result<Tuned, Problem> {
    let mut reply = client.get(url, None).map_err(Problem::Http)?;
    let read = |error| Problem::Read { at: Span::ZERO, error };
    let mut head = reply.read_head(PEEK as u64, until).map_err(read)?;
    let kind = reply.kind();
    if playlist::is_playlist(&kind, &reply.url, &head) {
        if depth == MOST_PLAYLISTS {
            return Err(Problem::Http(Refusal::Playlist));
        }
        head.extend(reply.read_head(playlist::MOST_BYTES, until).unwrap_or_default());
        if head.len() as u64 > playlist::MOST_BYTES {
            return Err(Problem::Http(Refusal::Playlist));
        }
        let found = playlist::addresses(&head, &reply.url).map_err(Problem::Http)?;
        drop(reply);
        return first_that_answers(client, &found, until, depth + 1);
    }
    refuse_strangers(&kind, &head)?;
    Ok(Tuned { reply, head, behind: None })
}

/// The sound at the first of `urls` that has any; of the first what is wrong with it, where none has.
fn first_that_answers(
    client: &Client,
    urls: &[String],
    until: Instant,
    depth: u32,
) -> Result<Tuned, Problem> {
    let mut first = None;
    for url in urls {
        match tune(client, url, until, depth) {
            Ok(tuned) => return Ok(Tuned { behind: tuned.behind.or(Some(url.clone())), ..tuned }),
            Err(problem) => first = first.or_else(|| Some(found_behind(url, problem))),
        }
        if Instant::now() >= until {
            break;
        }
    }
    Err(first.unwrap_or(Problem::Http(Refusal::NoAddress)))
}

/// What a playlist that leads to `url` is to be told; the last of several that lead on names it.
fn found_behind(url: &str, problem: Problem) -> Problem {
    match problem {
        Problem::Behind(_) => problem,
        problem => Problem::Behind(Box::new(SourceError { name: without_secrets(url), problem })),
    }
}

/// What is plainly no sound is not given to a demuxer, which would search a megabyte of it. A stream
/// is entered in the middle of a block, so that what is said to be sound need not look like it.
fn refuse_strangers(kind: &str, head: &[u8]) -> Result<(), Problem> {
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    if kind == "text/html" || kind == "application/xhtml+xml" || first == Some(&b'<') {
        return Err(Problem::NotAudio { looks: "a web page" });
    }
    if head.is_empty() {
        return Err(Problem::Http(Refusal::Nothing));
    }
    let is_said_sound = kind.starts_with("audio/") || kind == "application/ogg";
    match stranger(head) {
        Some(looks) if !(is_said_sound && looks == super::detect::UNKNOWN) => {
            Err(Problem::NotAudio { looks })
        }
        _ => Ok(()),
    }
}

/// `url` as it may be shown: without a name and password in it.
fn without_secrets(url: &str) -> String {
    let Some(begin) = url.find("://").map(|at| at + 3) else { return url.to_owned() };
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    match url[begin..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..begin], &url[begin + at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_and_shown_without_passwords() {
        assert!(is_url("http://a/b") && is_url("HTTPS://a") && !is_url("httpd.mp3") && !is_url("ftp://a"));
        assert_eq!(without_secrets("http://me:secret@host:8000/a@b"), "http://host:8000/a@b");
        assert_eq!(without_secrets("https://host/x"), "https://host/x");
    }

    #[test]
    fn web_pages_and_strangers_are_refused_and_a_stream_entered_in_its_middle_is_not() {
        assert!(refuse_strangers("text/html", b"ID3").is_err());
        assert!(refuse_strangers("", b"  <!doctype html>").is_err());
        assert!(refuse_strangers("application/octet-stream", b"%PDF-1.7").is_err());
        assert!(refuse_strangers("audio/mpeg", b"\x12\x80\x01\x02").is_ok());
        assert!(refuse_strangers("", b"\x12\x80\x01\x02").is_err());
        assert!(refuse_strangers("audio/mpeg", b"the server is full\n").is_err());
    }
}
