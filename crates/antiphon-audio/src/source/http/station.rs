//! A radio station: sound without an end, from a server that may go away.
//!
//! A thread of its own holds the connection, decodes, and hands over sound at the media rate in the
//! programme's channels; who reads gets what is there. Whatever ends a connection, another follows.

mod cushion;

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Told, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use antiphon_base::{SampleRate, Span};
use symphonia::core::io::ReadOnlySource;

use self::cushion::Cushion;
use super::client::Client;
use super::icy::{Icy, Tap, shown, shown_text};
use super::{OPENING, Problem, Tuned, Whence};
use crate::source::media::MediaDecoder;
use crate::source::mix::mix;
use crate::source::news::Board;
use crate::source::reader::{Source, SourceInfo, guarded};
use crate::source::resample::Resample;
use crate::source::{Decode, MAX_CHANNELS};

/// Before the first new connection; then twice as long each time, up to [`LONGEST_PAUSE`]: a server
/// that was restarted is back in seconds, and one that has trouble needs no crowd.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A connection that held for so long was a good one: the next pause is the first again.
const GOOD: Span = Span::from_s(10);

/// Media frames of a block that is handed over: 50 ms.
const BLOCK: usize = 2_400;

/// Blocks that wait at most: 3 s.
const BLOCKS: usize = 60;

/// How often who waits for sound looks whether anybody still wants it.
const LOOK: Duration = Duration::from_millis(50);

/// A new connection begins anywhere in a wave: it is faded in over 10 ms.
const FADE: usize = 480;

/// Tunes in to a station that has answered.
pub(super) fn open(
    client: Client,
    whence: Whence,
    tuned: Tuned,
    until: Instant,
    name: &str,
) -> Result<Source, Problem> {
    let called = tuned.reply.header("icy-name").and_then(shown);
    let connection = Connection::open(tuned, until)?;
    let board = Arc::new(Board::default());
    let info = SourceInfo {
        name: name.to_owned(),
        title: Some(called.unwrap_or_else(|| name.to_owned())),
        artist: None,
        album: None,
        frames: None,
        rate: connection.decoder.rate,
        channels: connection.decoder.channels.min(MAX_CHANNELS),
        container: connection.decoder.container,
        codec: connection.decoder.codec,
        seekable: false,
    };
    let (tell, told) = sync_channel(BLOCKS);
    let tuner = Tuner {
        client: client.clone(),
        whence,
        name: name.to_owned(),
        channels: info.channels.into(),
        board: board.clone(),
        tell,
        made: 0,
        pending: Vec::new(),
        title: None,
    };
    let thread = std::thread::Builder::new().name("station".into()).spawn(move || tuner.run(connection));
    thread.map_err(|error| Problem::Read { at: Span::ZERO, error })?;
    let station = Station {
        client,
        name: info.title_or_name(),
        told,
        board: board.clone(),
        cushion: Cushion::new(info.channels.into()),
        lost: None,
        silent_since: None,
    };
    Ok(Source::at_media_rate(info, Box::new(station), board))
}

/// What the thread tells.
enum Word {
    /// Media frames in the programme's channels.
    Sound(Vec<f32>),
    /// The connection is gone, and why.
    Lost(String),
    /// What was taken for a station has come to its end.
    Over,
}

/// The reader's side.
struct Station {
    client: Client,
    name: String,
    told: Told<Word>,
    board: Arc<Board>,
    cushion: Cushion,
    /// Why the connection is gone, while it is.
    lost: Option<String>,
    /// When it fell silent, if a listener was told so.
    silent_since: Option<Instant>,
}

impl Decode for Station {
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem> {
        self.cushion.asked(Instant::now());
        loop {
            if self.board.is_closed() {
                return Ok(false);
            }
            match self.told.recv_timeout(LOOK) {
                Ok(Word::Sound(samples)) => {
                    self.lost = None;
                    if self.cushion.take(&samples, Instant::now(), out) {
                        self.say_back();
                        return Ok(true);
                    }
                }
                Ok(Word::Lost(reason)) => self.lost = Some(reason),
                Ok(Word::Over) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(self.cushion.give_rest(out));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.cushion.runs_dry(Instant::now()) {
                self.say_silent();
            }
        }
    }

    fn seek(&mut self, frame: u64) -> Result<(), Problem> {
        let to = SampleRate::MEDIA.span_of(antiphon_base::Frames(frame.min(i64::MAX as u64) as i64));
        Err(Problem::Seek { to, reason: "a station plays what it plays".into() })
    }
}

impl Station {
    fn say_silent(&mut self) {
        self.silent_since = Some(Instant::now());
        let reason = self.lost.as_deref().unwrap_or("its server sends nothing");
        self.board.remark(format!("{} is silent: {reason}; it goes on when the station does", self.name));
    }

    fn say_back(&mut self) {
        if let Some(since) = self.silent_since.take() {
            self.board.remark(format!(
                "{} is back after {:.0} s",
                self.name,
                since.elapsed().as_secs_f64().ceil()
            ));
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        // The thread may wait for bytes.
        self.board.close();
        self.client.shutdown();
    }
}

/// The thread's side.
struct Tuner {
    client: Client,
    whence: Whence,
    name: String,
    channels: usize,
    board: Arc<Board>,
    tell: SyncSender<Word>,
    /// Media frames handed over, and those that wait for a whole block.
    made: u64,
    pending: Vec<f32>,
    /// The title that was told last: relays tell the same again and again.
    title: Option<String>,
}

/// How a connection ended.
enum End {
    /// Nobody listens any more.
    Unheard,
    /// All has been sent.
    Over,
    Lost(String),
}

impl Tuner {
    fn run(mut self, first: Connection) {
        let mut connection = Some(first);
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.made;
            let end = match connection.take() {
                Some(connection) => self.relay(connection),
                None => match self.connect() {
                    Ok(next) => {
                        tracing::info!("{} is connected again", self.name);
                        connection = Some(next);
                        continue;
                    }
                    Err(problem) => End::Lost(reason(&problem)),
                },
            };
            let word = match end {
                End::Unheard => return,
                End::Over => Word::Over,
                End::Lost(reason) => Word::Lost(reason),
            };
            let is_over = matches!(word, Word::Over);
            if self.tell.send(word).is_err() || is_over {
                return;
            }
            if SampleRate::MEDIA.span_of(antiphon_base::Frames((self.made - before) as i64)) >= GOOD {
                pause = FIRST_PAUSE;
            }
            if !self.wait(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn connect(&self) -> Result<Connection, Problem> {
        let until = Instant::now() + OPENING;
        Connection::open(self.whence.tune(&self.client, until)?, until)
    }

    /// Waits; whether anybody still listens.
    fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.board.is_closed() {
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        !self.board.is_closed()
    }

    /// Hands over what a connection gives, to its end.
    fn relay(&mut self, mut connection: Connection) -> End {
        loop {
            if self.board.is_closed() {
                return End::Unheard;
            }
            let more = connection.next(self.channels, &mut self.pending);
            if let Some(title) = connection.title().filter(|title| self.title.as_ref() != Some(title)) {
                self.title = Some(title.clone());
                self.board.title(self.made + (self.pending.len() / self.channels) as u64, title);
            }
            let is_end = !matches!(more, Ok(true));
            if is_end {
                connection.finish(self.channels, &mut self.pending);
            }
            if (is_end || self.pending.len() >= BLOCK * self.channels) && !self.hand_over() {
                return End::Unheard;
            }
            match more {
                Ok(true) => {}
                Ok(false) if connection.is_finite => return End::Over,
                Ok(false) => return End::Lost("its server has ended the stream".into()),
                Err(problem) => return End::Lost(reason(&problem)),
            }
        }
    }

    fn hand_over(&mut self) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        self.made += (self.pending.len() / self.channels) as u64;
        self.tell.send(Word::Sound(std::mem::take(&mut self.pending))).is_ok()
    }
}

/// One connection, decoded.
struct Connection {
    decoder: MediaDecoder,
    tap: Arc<Tap>,
    /// What was decoded and not yet taken.
    block: Vec<f32>,
    /// Of what shape that is, and what makes it the media rate.
    rate: u32,
    channels: u16,
    resample: Option<Resample>,
    at_media_rate: Vec<f32>,
    /// Media frames given so far, up to [`FADE`].
    faded: usize,
    /// Its end is its end: no station, but sound whose length was not said.
    is_finite: bool,
}

impl Connection {
    /// Opens what was answered and decodes its first block.
    fn open(tuned: Tuned, until: Instant) -> Result<Self, Problem> {
        let is_finite = tuned.reply.has_an_end() && !tuned.reply.is_radio();
        let tap = Arc::new(Tap::until(until));
        let every = tuned.reply.text("icy-metaint").map(str::to_owned);
        let sound = Icy::new(Cursor::new(tuned.head).chain(tuned.reply.body), every.as_deref(), tap.clone());
        let source = Box::new(ReadOnlySource::new(sound));
        let mut decoder = guarded(Span::ZERO, || MediaDecoder::live(source))?;
        let mut block = Vec::new();
        if !guarded(Span::ZERO, || decoder.decode(&mut block))? {
            return Err(Problem::Silent);
        }
        tap.settle();
        let (rate, channels) = (decoder.rate, decoder.channels);
        let resample = resampler(rate, channels);
        Ok(Self {
            decoder,
            tap,
            block,
            rate,
            channels,
            resample,
            at_media_rate: Vec::new(),
            faded: 0,
            is_finite,
        })
    }

    /// Appends the next sound to `out`, in `channels` channels; `false` at the end.
    fn next(&mut self, channels: usize, out: &mut Vec<f32>) -> Result<bool, Problem> {
        let mut more = Ok(true);
        if self.block.is_empty() {
            let (decoder, block) = (&mut self.decoder, &mut self.block);
            more = guarded(Span::ZERO, || decoder.decode(block));
        }
        if (self.decoder.rate, self.decoder.channels) != (self.rate, self.channels) {
            // The next song has another shape; what the filter holds belongs to the one before.
            self.finish(channels, out);
            (self.rate, self.channels) = (self.decoder.rate, self.decoder.channels);
            self.resample = resampler(self.rate, self.channels);
        }
        match &mut self.resample {
            None => self.at_media_rate.append(&mut self.block),
            Some(resample) => resample.push(&self.block, &mut self.at_media_rate),
        }
        self.block.clear();
        self.give(channels, out);
        more
    }

    /// Appends what the filter still holds.
    fn finish(&mut self, channels: usize, out: &mut Vec<f32>) {
        if let Some(resample) = &mut self.resample {
            resample.finish(&mut self.at_media_rate);
        }
        self.give(channels, out);
    }

    fn give(&mut self, channels: usize, out: &mut Vec<f32>) {
        let own = usize::from(self.channels);
        for frame in self.at_media_rate.chunks_exact_mut(own).take(FADE - self.faded) {
            self.faded += 1;
            frame.iter_mut().for_each(|sample| *sample *= self.faded as f32 / FADE as f32);
        }
        mix(&self.at_media_rate, own, channels, out);
        self.at_media_rate.clear();
    }

    /// The title that has changed since the last question.
    fn title(&mut self) -> Option<String> {
        let tags = self.decoder.new_tags().and_then(|tags| match (tags.artist, tags.title) {
            (Some(artist), Some(title)) => shown_text(&format!("{artist} - {title}")),
            (_, title) => title.as_deref().and_then(shown_text),
        });
        self.tap.title().or(tags)
    }
}

fn resampler(rate: u32, channels: u16) -> Option<Resample> {
    if rate == SampleRate::MEDIA.hz() { None } else { Resample::new(rate, channels) }
}

/// Why a connection ended, as a part of a sentence.
fn reason(problem: &Problem) -> String {
    match problem {
        Problem::Http(refusal) => format!("the station {refusal}"),
        Problem::Behind(error) => reason(&error.problem),
        Problem::Read { error, .. } if error.to_string().contains("timeout") => {
            "nothing came for 10 s".into()
        }
        Problem::Read { error, .. } => format!("the connection broke ({error})"),
        Problem::NotAudio { looks } => format!("what comes is no sound but {looks}"),
        Problem::Silent | Problem::Empty => "nothing comes".into(),
        Problem::Damaged { reason, .. } => format!("what comes cannot be decoded ({reason})"),
        Problem::Unsupported { what } => format!("it sends {what}, which Antiphon cannot decode"),
        _ => "what comes cannot be played".into(),
    }
}
