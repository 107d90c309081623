//! The envelope of every datagram: who it is for, what it is, and a seal that only the two ends of
//! one session can make. [SEAL-1] to [SEAL-9]
//!
//! Sealed: a 16-byte header as associated data, ChaCha20-Poly1305 over the body, a 16-byte tag. The
//! counter is the nonce, and a window over it drops replays. Open (`--open`): media are plain RTP, the rest
//! carries the same header with the two top bits of its first byte set, and no tag. [`Seal`] and [`Opening`]
//! hide which; a session is one or the other from its first datagram to its last.

use std::fmt;

use antiphon_base::SessionId;
use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce, Tag};

use super::{MAX_DATAGRAM, WireError};

/// Bytes of the envelope's header.
pub const ENVELOPE_LEN: usize = 16;
/// Bytes of the tag.
pub const TAG_LEN: usize = 16;
/// Bytes that sealing adds.
pub const OVERHEAD: usize = ENVELOPE_LEN + TAG_LEN;
/// The most bytes that one datagram carries.
pub const MAX_PLAINTEXT: usize = MAX_DATAGRAM - OVERHEAD;
/// How many counters back a datagram may come late and still be told from a replay: over 2 s of a stream with
/// clock replies between, ten times what any network reorders.
pub const REPLAY_WINDOW: u64 = 2_048;

/// The envelope's version.
pub const VERSION: u8 = 1;
/// Set in the first byte of an unsealed envelope. RTP's first byte never has both (its version is 2).
const PLAIN: u8 = 0xC0;
/// RTP version 2 in the top two bits of the first byte.
const RTP_V2: u8 = 0x80;

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A media packet ([`rtp`](super::rtp)), hub to speaker.
    Media = 1,
    /// A clock probe ([`clock`](super::clock)), speaker to hub.
    ClockProbe = 2,
    /// A clock reply, hub to speaker.
    ClockReply = 3,
    /// A request for retransmission ([`feedback`](super::feedback)), speaker to hub.
    Feedback = 4,
    /// A notice ([`notice`](super::notice)), hub to speaker.
    Notice = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Media, Self::ClockProbe, Self::ClockReply, Self::Feedback, Self::Notice]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A session's keys for datagrams, one for each way. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// Seals what the hub sends.
    pub to_speaker: [u8; 32],
    /// Seals what the speaker sends.
    pub to_hub: [u8; 32],
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys(..)")
    }
}

/// The session that an envelope names; `None` for plain RTP and for what is no envelope. It is a claim
/// until the datagram has been opened.
pub fn peek_session(datagram: &[u8]) -> Option<SessionId> {
    let header = Header::parse(datagram).ok()?;
    Some(header.session)
}

struct Header {
    plain: bool,
    kind: Kind,
    session: SessionId,
    counter: u64,
}

impl Header {
    fn parse(datagram: &[u8]) -> Result<Self, WireError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(WireError::Long);
        }
        let bytes = datagram.first_chunk::<ENVELOPE_LEN>().ok_or(WireError::Short)?;
        let [first, version, reserved_a, reserved_b, s0, s1, s2, s3, counter @ ..] = *bytes;
        let plain = first & PLAIN == PLAIN;
        let kind = Kind::from_byte(if plain { first & !PLAIN } else { first }).ok_or(WireError::Unknown)?;
        if version != VERSION {
            return Err(WireError::Unknown);
        }
        if (reserved_a, reserved_b) != (0, 0) {
            return Err(WireError::Malformed("reserved bytes"));
        }
        let session = SessionId(u32::from_be_bytes([s0, s1, s2, s3]));
        Ok(Self { plain, kind, session, counter: u64::from_be_bytes(counter) })
    }

    fn bytes(&self) -> [u8; ENVELOPE_LEN] {
        let mut bytes = [0; ENVELOPE_LEN];
        bytes[0] = self.kind as u8 | if self.plain { PLAIN } else { 0 };
        bytes[1] = VERSION;
        bytes[4..8].copy_from_slice(&self.session.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// Seals what one side of a session sends.
pub struct Sealer {
    cipher: ChaCha20Poly1305,
    session: SessionId,
    next: u64,
}

impl Sealer {
    /// A sealer that counts from 0. A key serves one sealer in its life: two would repeat nonces.
    pub fn new(key: &[u8; 32], session: SessionId) -> Self {
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(key)), session, next: 0 }
    }

    /// Replaces the contents of `out` by the sealed datagram.
    ///
    /// # Panics
    /// When `plaintext` is longer than [`MAX_PLAINTEXT`]: whoever made it broke its own limit.
    pub fn seal(&mut self, kind: Kind, plaintext: &[u8], out: &mut Vec<u8>) {
        assert!(plaintext.len() <= MAX_PLAINTEXT, "a datagram of {} B", plaintext.len());
        let header = Header { plain: false, kind, session: self.session, counter: self.next }.bytes();
        out.clear();
        out.extend_from_slice(&header);
        out.extend_from_slice(plaintext);
        let tag = self
            .cipher
            .encrypt_in_place_detached(&nonce(self.next), &header, &mut out[ENVELOPE_LEN..])
            .expect("the cipher's limit is 256 GiB");
        out.extend_from_slice(&tag);
        self.next = self.next.checked_add(1).expect("2^64 datagrams take longer than any session");
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, next {})", self.session, self.next)
    }
}

/// Opens what one side of a session receives.
pub struct Opener {
    cipher: ChaCha20Poly1305,
    session: SessionId,
    window: ReplayWindow,
}

impl Opener {
    /// An opener with an empty replay window.
    pub fn new(key: &[u8; 32], session: SessionId) -> Self {
        Self { cipher: ChaCha20Poly1305::new(Key::from_slice(key)), session, window: ReplayWindow::default() }
    }

    /// Opens `datagram` in place: what it is, and its contents.
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<(Kind, &'a [u8]), WireError> {
        if datagram.first().is_some_and(|first| first & RTP_V2 != 0) {
            return Err(WireError::WrongSealing);
        }
        let header = Header::parse(datagram)?;
        if header.session != self.session {
            return Err(WireError::OtherSession);
        }
        if !self.window.is_new(header.counter) {
            return Err(WireError::Replayed);
        }
        let body_len = datagram.len().checked_sub(OVERHEAD).ok_or(WireError::Short)?;
        let (head, rest) = datagram.split_at_mut(ENVELOPE_LEN);
        let (body, tag) = rest.split_at_mut(body_len);
        self.cipher
            .decrypt_in_place_detached(&nonce(header.counter), head, body, Tag::from_slice(tag))
            .map_err(|_| WireError::Forged)?;
        // Only what proved genuine moves the window: a forged counter must not shut out real ones.
        self.window.insert(header.counter);
        Ok((header.kind, body))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?}, {:?})", self.session, self.window.newest)
    }
}

/// One word more than the window: the word that a new counter begins is cleared as a whole.
const WORDS: usize = (REPLAY_WINDOW / 64 + 1) as usize;

/// Which of the newest [`REPLAY_WINDOW`] counters have been seen (RFC 6479: a ring of bits).
struct ReplayWindow {
    /// `None` before the first datagram.
    newest: Option<u64>,
    seen: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { newest: None, seen: [0; WORDS] }
    }
}

impl ReplayWindow {
    fn place(counter: u64) -> (usize, u64) {
        ((counter / 64) as usize % WORDS, 1 << (counter % 64))
    }

    fn is_new(&self, counter: u64) -> bool {
        let Some(newest) = self.newest else { return true };
        if counter > newest {
            return true;
        }
        let (word, bit) = Self::place(counter);
        newest - counter < REPLAY_WINDOW && self.seen[word] & bit == 0
    }

    fn insert(&mut self, counter: u64) {
        let newest_word = self.newest.map_or(0, |newest| newest / 64);
        let steps = (counter / 64).saturating_sub(newest_word).min(WORDS as u64);
        for step in 1..=steps {
            self.seen[(newest_word.wrapping_add(step)) as usize % WORDS] = 0;
        }
        self.newest = self.newest.max(Some(counter));
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
    }
}

/// The sending half of a session, sealed or open.
#[derive(Debug)]
pub enum Seal {
    /// Every datagram is sealed.
    Sealed(Sealer),
    /// Media are plain RTP; the rest has a header with this session and a counter.
    Open {
        /// The session.
        session: SessionId,
        /// The next datagram's counter.
        next: u64,
    },
}

impl Seal {
    /// The hub's half; open when there are no keys.
    pub fn to_speaker(keys: Option<&SessionKeys>, session: SessionId) -> Self {
        Self::new(keys.map(|keys| &keys.to_speaker), session)
    }

    /// The speaker's half; open when there are no keys.
    pub fn to_hub(keys: Option<&SessionKeys>, session: SessionId) -> Self {
        Self::new(keys.map(|keys| &keys.to_hub), session)
    }

    fn new(key: Option<&[u8; 32]>, session: SessionId) -> Self {
        match key {
            Some(key) => Self::Sealed(Sealer::new(key, session)),
            None => Self::Open { session, next: 0 },
        }
    }

    /// Replaces the contents of `out` by the datagram that carries `plaintext`.
    ///
    /// # Panics
    /// When `plaintext` is longer than [`MAX_PLAINTEXT`]: whoever made it broke its own limit.
    pub fn seal(&mut self, kind: Kind, plaintext: &[u8], out: &mut Vec<u8>) {
        let (session, counter) = match self {
            Self::Sealed(sealer) => return sealer.seal(kind, plaintext, out),
            Self::Open { session, next } => (*session, *next),
        };
        assert!(plaintext.len() <= MAX_PLAINTEXT, "a datagram of {} B", plaintext.len());
        out.clear();
        if kind != Kind::Media {
            out.extend_from_slice(&Header { plain: true, kind, session, counter }.bytes());
            *self = Self::Open { session, next: counter.wrapping_add(1) };
        }
        out.extend_from_slice(plaintext);
    }

    /// Whether it seals.
    pub fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }
}

/// The receiving half of a session, sealed or open, with a count of what it dropped.
#[derive(Debug)]
pub struct Opening {
    mode: Mode,
    drops: DropCounts,
}

#[derive(Debug)]
enum Mode {
    Sealed(Box<Opener>),
    Open(SessionId),
}

/// Datagrams that [`Opening::open`] refused, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropCounts {
    /// Too short, too long, malformed, of an unknown version or kind, or of another session.
    pub malformed: u64,
    /// Seen already, or older than the window.
    pub replayed: u64,
    /// Altered, sealed with another key, or not sealed as this session is.
    pub forged: u64,
}

impl Opening {
    /// The speaker's half; open when there are no keys.
    pub fn at_speaker(keys: Option<&SessionKeys>, session: SessionId) -> Self {
        Self::new(keys.map(|keys| &keys.to_speaker), session)
    }

    /// The hub's half; open when there are no keys.
    pub fn at_hub(keys: Option<&SessionKeys>, session: SessionId) -> Self {
        Self::new(keys.map(|keys| &keys.to_hub), session)
    }

    fn new(key: Option<&[u8; 32]>, session: SessionId) -> Self {
        let mode = match key {
            Some(key) => Mode::Sealed(Box::new(Opener::new(key, session))),
            None => Mode::Open(session),
        };
        Self { mode, drops: DropCounts::default() }
    }

    /// Opens `datagram` in place: what it is, and its contents. A refusal is counted in [`drops`](Self::drops).
    pub fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Result<(Kind, &'a [u8]), WireError> {
        let opened = match &mut self.mode {
            Mode::Sealed(opener) => opener.open(datagram),
            Mode::Open(session) => open_plain(*session, datagram),
        };
        match opened {
            Ok(_) => {}
            Err(WireError::Replayed) => self.drops.replayed += 1,
            Err(WireError::Forged | WireError::WrongSealing) => self.drops.forged += 1,
            Err(_) => self.drops.malformed += 1,
        }
        opened
    }

    /// What was refused since the session began.
    pub fn drops(&self) -> DropCounts {
        self.drops
    }

    /// Whether it accepts sealed datagrams (and nothing else).
    pub fn is_sealed(&self) -> bool {
        matches!(self.mode, Mode::Sealed(_))
    }
}

/// No replay window here: without a key anyone could move it, and shut the true sender out.
fn open_plain(session: SessionId, datagram: &mut [u8]) -> Result<(Kind, &[u8]), WireError> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(WireError::Long);
    }
    if datagram.first().is_some_and(|first| first & PLAIN == RTP_V2) {
        return Ok((Kind::Media, datagram));
    }
    let header = Header::parse(datagram)?;
    if !header.plain {
        return Err(WireError::WrongSealing);
    }
    if header.session != session {
        return Err(WireError::OtherSession);
    }
    if header.kind == Kind::Media {
        return Err(WireError::Malformed("media in an open envelope"));
    }
    Ok((header.kind, &datagram[ENVELOPE_LEN..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SESSION: SessionId = SessionId(0xA1B2_C3D4);

    fn keys(n: u8) -> SessionKeys {
        SessionKeys { to_speaker: [n; 32], to_hub: [n ^ 0xFF; 32] }
    }

    fn sealed(seal: &mut Seal, kind: Kind, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        seal.seal(kind, text, &mut out);
        out
    }

    fn pair() -> (Seal, Opening) {
        (Seal::to_speaker(Some(&keys(1)), SESSION), Opening::at_speaker(Some(&keys(1)), SESSION))
    }

    #[test]
    fn what_is_sealed_opens_at_the_other_end_and_only_once() {
        let (mut seal, mut opening) = pair();
        let datagram = sealed(&mut seal, Kind::Notice, b"hello");
        assert_eq!(datagram.len(), OVERHEAD + 5);
        assert_eq!(peek_session(&datagram), Some(SESSION));
        assert_eq!(opening.open(&mut datagram.clone()), Ok((Kind::Notice, &b"hello"[..])));
        assert_eq!(opening.open(&mut datagram.clone()), Err(WireError::Replayed));
        assert_eq!(opening.drops().replayed, 1);
    }

    #[test]
    fn every_altered_bit_is_noticed_and_counted() {
        let (mut seal, mut opening) = pair();
        let datagram = sealed(&mut seal, Kind::Media, b"left");
        let bits = datagram.len() * 8;
        for bit in 0..bits {
            let mut altered = datagram.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(opening.open(&mut altered).is_err(), "bit {bit}");
        }
        let drops = opening.drops();
        assert_eq!(drops.malformed + drops.forged + drops.replayed, bits as u64);
        assert!(opening.open(&mut datagram.clone()).is_ok(), "forgeries must not shut out the true datagram");
    }

    #[test]
    fn a_key_of_another_session_or_of_the_other_way_opens_nothing() {
        let (mut seal, _) = pair();
        let datagram = sealed(&mut seal, Kind::Media, b"left");
        let mut other_keys = Opening::at_speaker(Some(&keys(2)), SESSION);
        assert_eq!(other_keys.open(&mut datagram.clone()), Err(WireError::Forged));
        let mut other_way = Opening::at_hub(Some(&keys(1)), SESSION);
        assert_eq!(other_way.open(&mut datagram.clone()), Err(WireError::Forged));
        let mut other_session = Opening::at_speaker(Some(&keys(1)), SessionId(1));
        assert_eq!(other_session.open(&mut datagram.clone()), Err(WireError::OtherSession));
    }

    #[test]
    fn a_sealed_session_never_accepts_a_plain_datagram_nor_an_open_one_a_sealed() {
        let (mut seal, mut opening) = pair();
        let mut open = Seal::to_speaker(None, SESSION);
        let plain = sealed(&mut open, Kind::ClockReply, &[0; 32]);
        assert_eq!(opening.open(&mut plain.clone()), Err(WireError::WrongSealing));
        let rtp = sealed(&mut open, Kind::Media, &[0x90; 40]);
        assert_eq!(rtp, [0x90; 40], "media of an open session are plain RTP");
        assert_eq!(opening.open(&mut rtp.clone()), Err(WireError::WrongSealing));
        assert_eq!(opening.drops().forged, 2);
        let mut open = Opening::at_speaker(None, SESSION);
        assert!(open.open(&mut plain.clone()).is_ok() && open.open(&mut rtp.clone()).is_ok());
        let datagram = sealed(&mut seal, Kind::ClockReply, &[0; 32]);
        assert_eq!(open.open(&mut datagram.clone()), Err(WireError::WrongSealing));
    }

    #[test]
    fn an_open_session_takes_its_own_envelopes_only() {
        let mut seal = Seal::to_hub(None, SESSION);
        let probe = sealed(&mut seal, Kind::ClockProbe, &[7; 32]);
        let mut hub = Opening::at_hub(None, SESSION);
        assert_eq!(hub.open(&mut probe.clone()), Ok((Kind::ClockProbe, &[7u8; 32][..])));
        let mut other = Opening::at_hub(None, SessionId(1));
        assert_eq!(other.open(&mut probe.clone()), Err(WireError::OtherSession));
        assert_eq!(peek_session(&probe), Some(SESSION));
        assert_eq!(peek_session(&[0x90; 40]), None);
    }

    #[test]
    fn another_version_another_kind_and_reserved_bytes_are_refused() {
        let (mut seal, mut opening) = pair();
        let datagram = sealed(&mut seal, Kind::Media, b"left");
        for (place, value, error) in [
            (0, 6, WireError::Unknown),
            (1, 2, WireError::Unknown),
            (2, 1, WireError::Malformed("reserved bytes")),
        ] {
            let mut altered = datagram.clone();
            altered[place] = value;
            assert_eq!(opening.open(&mut altered), Err(error));
        }
        assert_eq!(opening.open(&mut [1; 15]), Err(WireError::Short));
        assert_eq!(opening.open(&mut datagram[..31].to_vec()), Err(WireError::Short));
        assert_eq!(opening.open(&mut [1; MAX_DATAGRAM + 1]), Err(WireError::Long));
        assert_eq!(opening.drops().malformed, 6);
    }

    #[test]
    fn a_datagram_late_by_the_window_opens_and_one_later_does_not() {
        let (mut seal, mut opening) = pair();
        let all: Vec<_> = (0..=REPLAY_WINDOW).map(|_| sealed(&mut seal, Kind::Media, b"x")).collect();
        assert!(opening.open(&mut all[REPLAY_WINDOW as usize].clone()).is_ok());
        assert!(opening.open(&mut all[1].clone()).is_ok());
        assert_eq!(opening.open(&mut all[0].clone()), Err(WireError::Replayed));
    }

    proptest! {
        /// The ring of bits against the plainest model: a set of all counters seen.
        #[test]
        fn the_window_agrees_with_a_set_of_all_counters(
            start in prop_oneof![Just(0u64), Just(63), Just(1 << 40), Just(u64::MAX - 6_000)],
            steps in prop::collection::vec((0u64..3_000, any::<bool>()), 1..300)
        ) {
            let mut window = ReplayWindow::default();
            let mut seen = std::collections::BTreeSet::new();
            let mut newest: Option<u64> = None;
            for (step, forward) in steps {
                let base = newest.unwrap_or(start);
                let counter = if forward { base.saturating_add(step % 300) } else { base.saturating_sub(step) };
                let fresh = !seen.contains(&counter)
                    && newest.is_none_or(|newest| counter > newest || newest - counter < REPLAY_WINDOW);
                prop_assert_eq!(window.is_new(counter), fresh, "{} after {:?}", counter, newest);
                if fresh {
                    window.insert(counter);
                    seen.insert(counter);
                    newest = newest.max(Some(counter));
                }
            }
        }
    }
}
