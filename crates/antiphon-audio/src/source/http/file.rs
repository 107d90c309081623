//! A file on a web server.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use symphonia::core::io::{MediaSource, ReadOnlySource};
use ureq::BodyReader;

use super::client::Client;
use super::{Problem, Tuned};
use crate::source::media::{MediaDecoder, Store};
use crate::source::reader::{self, Source};

/// The file's beginning is kept: it is read three times, by what looks at its tags too.
const KEPT: u64 = 64 << 10;

/// Bytes that are read over and not asked for anew: a question takes a round trip, as do some hundred kilobytes.
const READ_OVER: u64 = 128 << 10;

/// Times that a broken connection is made again at one place, with this pause and then twice as long:
/// a Wi-Fi that roams is away for some seconds.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Opens a file of `length` bytes.
pub(super) fn open(client: Client, mut tuned: Tuned, length: u64, name: &str) -> Result<Source, Problem> {
    let in_parts = tuned.reply.text("accept-ranges").is_some_and(|unit| unit.eq_ignore_ascii_case("bytes"));
    if !in_parts {
        let whole = io::Cursor::new(tuned.head).chain(tuned.reply.body);
        return reader::open_media(name, || MediaDecoder::once(Box::new(ReadOnlySource::new(whole))), false);
    }
    let more = tuned
        .reply
        .read_head(KEPT.saturating_sub(tuned.head.len() as u64), super::Instant::now() + super::OPENING);
    tuned.head.extend(more.unwrap_or_default());
    let running = Mutex::new(Some((tuned.head.len() as u64, tuned.reply.body)));
    let remote = Arc::new(Remote { client, url: tuned.reply.url, length, head: tuned.head, running });
    reader::open_media(name, || MediaDecoder::open(Box::new(remote)), true)
}

/// A file that is served in parts.
struct Remote {
    client: Client,
    url: String,
    length: u64,
    head: Vec<u8>,
    /// The first answer, and the byte that comes next in it: whoever comes there goes on with it.
    running: Mutex<Option<(u64, BodyReader<'static>)>>,
}

impl Store for Arc<Remote> {
    fn reader(&self) -> io::Result<Box<dyn MediaSource>> {
        Ok(Box::new(Parts { remote: self.clone(), at: 0, body: None }))
    }
}

/// One reader of it.
struct Parts {
    remote: Arc<Remote>,
    at: u64,
    /// An answer and the byte that comes next in it.
    body: Option<(u64, BodyReader<'static>)>,
}

impl Parts {
    fn read_remote(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            let read = self.read_here(out);
            let broken = match read {
                // The length says that there is more.
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            self.body = None;
            tries += 1;
            if tries == TRIES {
                // As another kind: the end of the connection is not that of the file.
                return Err(io::Error::other(broken.to_string()));
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    fn read_here(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let here = self.at;
        let (at, body) = self.answer()?;
        let skip = here - *at;
        io::copy(&mut body.take(skip), &mut io::sink())?;
        *at += skip;
        let read = body.read(out)?;
        *at += read as u64;
        Ok(read)
    }

    /// An answer that comes to where this stands.
    fn answer(&mut self) -> io::Result<&mut (u64, BodyReader<'static>)> {
        let (at, remote) = (self.at, &self.remote);
        let fits = |body: &(u64, _)| body.0 <= at && at - body.0 <= READ_OVER;
        let found = self.body.take().filter(fits);
        let found = found
            .or_else(|| remote.running.lock().unwrap_or_else(PoisonError::into_inner).take_if(|b| fits(b)));
        let found = match found {
            Some(found) => found,
            None => {
                let reply =
                    remote.client.get(&remote.url, Some(at)).map_err(|e| io::Error::other(e.to_string()))?;
                if !reply.is_part {
                    return Err(io::Error::other("the server gives no part of the file"));
                }
                (at, reply.body)
            }
        };
        Ok(self.body.insert(found))
    }
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.remote.length.saturating_sub(self.at);
        let room = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        let held =
            usize::try_from(self.at).ok().and_then(|at| self.remote.head.get(at..)).unwrap_or_default();
        let read = if held.is_empty() {
            self.read_remote(&mut out[..room])?
        } else {
            let count = room.min(held.len());
            out[..count].copy_from_slice(&held[..count]);
            count
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Parts {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.remote.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl MediaSource for Parts {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.remote.length)
    }
}
