//! The hub's end of a handshake.

use std::fmt;

use antiphon_base::{Hub, Timestamp};

use super::noise::{self, Noise};
use super::pake::{self, Ends, Pake, Transcript};
use super::{Established, HandshakeError, Step, frame};
use crate::session::identity::{Identity, PublicKey};
use crate::session::pairing::{Pairing, PairingCode};
use crate::wire::seal::SessionKeys;

/// What a hub knows of speakers: its shell keeps this.
pub trait Registry {
    /// The pairing with the speaker of that key.
    fn pairing(&self, speaker: &PublicKey) -> Option<Pairing>;

    /// The pairing code in force. The handshake counts tries on it and spends it.
    fn code(&mut self) -> Option<&mut PairingCode>;
}

/// Answers one speaker's handshake: pass each frame that comes to [`receive`](Self::receive) and send what
/// it says, until it has established a session or failed. The shell gives each connection 10 s for all of it.
pub struct HubHandshake {
    me: Identity,
    name: String,
    open: bool,
    entropy: [u8; 32],
    state: State,
}

enum State {
    Fresh,
    /// PAIR_OFFER is sent.
    AwaitProof {
        speaker: PublicKey,
        name: String,
        code: String,
        pake: Box<Pake>,
        said: Transcript,
    },
    /// PAIR_ACCEPT is sent.
    AwaitStart(Pairing),
    /// KK_REPLY is sent.
    AwaitConfirm {
        speaker: PublicKey,
        keys: SessionKeys,
        session: Box<snow::TransportState>,
        paired_now: Option<Pairing>,
    },
    Done,
}

impl HubHandshake {
    /// A handshake of hub `name`, which takes unsealed sessions if it is `open`; `entropy` is 32 bytes from
    /// the system's random source, used once.
    pub fn new(me: &Identity, name: &str, open: bool, entropy: [u8; 32]) -> Self {
        Self { me: me.clone(), name: name.to_owned(), open, entropy, state: State::Fresh }
    }

    /// Takes the speaker's next frame.
    pub fn receive(
        &mut self,
        now: Timestamp<Hub>,
        bytes: &[u8],
        registry: &mut dyn Registry,
    ) -> Result<Step, HandshakeError> {
        if bytes.len() > frame::MAX_FRAME {
            return Err(HandshakeError::Malformed("over 512 bytes"));
        }
        let (kind, body) = frame::split(bytes)?;
        match (std::mem::replace(&mut self.state, State::Done), kind) {
            (State::Fresh, frame::KK_START) => self.kk_start(body, None, registry),
            (State::Fresh, frame::PAIR_START) => self.pair_start(now, bytes, body, registry),
            (State::Fresh, frame::OPEN_START) => self.open_start(body),
            (State::AwaitProof { speaker, name, code, pake, said }, frame::PAIR_PROOF) => {
                let theirs = Proof::parse(body)?;
                let right = proved(now, &code, *pake, said, &theirs, registry)?;
                self.accept(Pairing { peer: speaker, psk: right.psk, name }, &right.hub_proof)
            }
            (State::AwaitStart(pairing), frame::KK_START) => self.kk_start(body, Some(pairing), registry),
            (State::AwaitConfirm { speaker, keys, session, paired_now }, frame::KK_CONFIRM) => {
                confirmed(speaker, keys, *session, paired_now, body)
            }
            _ => Err(HandshakeError::Malformed("not the frame that follows here")),
        }
    }

    fn kk_start(
        &mut self,
        mut body: &[u8],
        paired_now: Option<Pairing>,
        registry: &dyn Registry,
    ) -> Result<Step, HandshakeError> {
        let speaker = PublicKey(frame::field(&mut body)?);
        let message = frame::field(&mut body)?;
        frame::end(body)?;
        let pairing = match &paired_now {
            Some(pairing) if pairing.peer == speaker => pairing.clone(),
            Some(_) => return Err(HandshakeError::Forged),
            None => registry.pairing(&speaker).ok_or(HandshakeError::NotPaired)?,
        };
        let mut noise = Noise::responder(&self.me, &pairing, self.entropy);
        noise.read(&message)?;
        let reply = frame::build(frame::KK_REPLY, &[&noise.write()]);
        let (keys, session) = noise.finish();
        self.state = State::AwaitConfirm { speaker, keys, session: Box::new(session), paired_now };
        Ok(Step { send: vec![reply], established: None })
    }

    fn pair_start(
        &mut self,
        now: Timestamp<Hub>,
        first: &[u8],
        mut body: &[u8],
        registry: &mut dyn Registry,
    ) -> Result<Step, HandshakeError> {
        let speaker = PublicKey(frame::field(&mut body)?);
        let name = frame::name(body)?;
        if speaker.is_low_order() {
            return Err(HandshakeError::Forged);
        }
        let code =
            registry.code().and_then(|code| code.digits(now)).ok_or(HandshakeError::NoCode)?.to_owned();
        let hub = self.me.public();
        let (pake, mine) = Pake::hub(&code, Ends { speaker: &speaker, hub: &hub }, &self.entropy);
        let offer = frame::build(frame::PAIR_OFFER, &[&hub.0, &mine, self.name.as_bytes()]);
        let mut said = Transcript::default();
        said.add(first);
        said.add(&offer);
        self.state = State::AwaitProof { speaker, name, code, pake: Box::new(pake), said };
        Ok(Step { send: vec![offer], established: None })
    }

    fn accept(&mut self, pairing: Pairing, proof: &[u8]) -> Result<Step, HandshakeError> {
        self.state = State::AwaitStart(pairing);
        Ok(Step { send: vec![frame::build(frame::PAIR_ACCEPT, &[proof])], established: None })
    }

    fn open_start(&self, mut body: &[u8]) -> Result<Step, HandshakeError> {
        let peer = PublicKey(frame::field(&mut body)?);
        frame::end(body)?;
        if !self.open {
            return Err(HandshakeError::NotOpen);
        }
        let speaker = peer.open_speaker_id();
        let established = Established { keys: None, channel: None, peer, speaker, paired_now: None };
        let accept = frame::build(frame::OPEN_ACCEPT, &[&self.me.public().0]);
        Ok(Step { send: vec![accept], established: Some(established) })
    }
}

/// A speaker's half of the exchange and its proof that it knows the code.
struct Proof {
    message: [u8; pake::MESSAGE_LEN],
    proof: [u8; pake::PROOF_LEN],
}

impl Proof {
    fn parse(mut body: &[u8]) -> Result<Self, HandshakeError> {
        let proof = Self { message: frame::field(&mut body)?, proof: frame::field(&mut body)? };
        frame::end(body)?;
        Ok(proof)
    }
}

/// Judges a proof, and counts it on the code whatever it is: several connections share the tries of one code,
/// so the code must still be in force, and be the same, at this moment.
fn proved(
    now: Timestamp<Hub>,
    digits: &str,
    pake: Pake,
    mut said: Transcript,
    theirs: &Proof,
    registry: &mut dyn Registry,
) -> Result<pake::Secrets, HandshakeError> {
    let code =
        registry.code().filter(|code| code.digits(now) == Some(digits)).ok_or(HandshakeError::NoCode)?;
    said.add(&theirs.message);
    let secrets = pake.finish(&theirs.message, &said).ok();
    match secrets.filter(|secrets| pake::same(&secrets.speaker_proof, &theirs.proof)) {
        Some(secrets) => {
            code.right();
            Ok(secrets)
        }
        None => {
            code.wrong();
            Err(HandshakeError::WrongCode)
        }
    }
}

/// The session exists once the speaker proved that it holds the keys: a first message that somebody recorded
/// and sent again gets no further than this. [HS-6]
fn confirmed(
    speaker: PublicKey,
    keys: SessionKeys,
    session: snow::TransportState,
    paired_now: Option<Pairing>,
    mut body: &[u8],
) -> Result<Step, HandshakeError> {
    let proof = frame::field(&mut body)?;
    frame::end(body)?;
    let channel = noise::verify(session, &proof)?;
    let established = Established {
        keys: Some(keys),
        channel: Some(channel),
        peer: speaker,
        speaker: speaker.speaker_id(),
        paired_now,
    };
    Ok(Step { send: Vec::new(), established: Some(established) })
}

impl fmt::Debug for HubHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubHandshake({:?}, open: {})", self.name, self.open)
    }
}
