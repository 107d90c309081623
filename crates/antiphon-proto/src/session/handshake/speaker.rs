//! The speaker's end of a handshake.

use std::fmt;

use super::noise::{self, Noise};
use super::pake::{self, Ends, Pake, Secrets, Transcript};
use super::{Established, HandshakeError, Step, frame};
use crate::session::identity::{Identity, PublicKey};
use crate::session::pairing::Pairing;

/// How a speaker approaches a hub. It accepts nothing weaker than what it asked for. [HS-8]
#[derive(Clone)]
pub enum Approach {
    /// With a pairing made before.
    Paired(Pairing),
    /// With a code of six digits that a person typed. One handshake is one try: a speaker never
    /// tries the same code again by itself.
    Code(String),
    /// Without any seal, because a person said `--open`.
    Open,
}

/// Drives one handshake: send the frame of [`start`](Self::start), then pass each frame that comes to
/// [`receive`](Self::receive) and send what it says, until it has established a session or failed.
pub struct SpeakerHandshake {
    me: Identity,
    name: String,
    entropy: [u8; 32],
    state: State,
}

enum State {
    Fresh(Approach),
    /// PAIR_START is sent.
    AwaitOffer {
        code: String,
        said: Transcript,
    },
    /// PAIR_PROOF is sent.
    AwaitAccept {
        hub: PublicKey,
        hub_name: String,
        secrets: Box<Secrets>,
    },
    /// KK_START is sent.
    AwaitReply {
        noise: Noise,
        hub: PublicKey,
        paired_now: Option<Pairing>,
    },
    AwaitOpen,
    Done,
}

impl SpeakerHandshake {
    /// A handshake of speaker `name`; `entropy` is 32 bytes from the system's random source, used once.
    pub fn new(me: &Identity, name: &str, approach: Approach, entropy: [u8; 32]) -> Self {
        Self { me: me.clone(), name: name.to_owned(), entropy, state: State::Fresh(approach) }
    }

    /// The first frame.
    ///
    /// # Panics
    /// When called twice.
    pub fn start(&mut self) -> Vec<u8> {
        let public = self.me.public();
        match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh(Approach::Paired(pairing)) => self.start_kk(&pairing, None),
            State::Fresh(Approach::Code(code)) => {
                let first = frame::build(frame::PAIR_START, &[&public.0, self.name.as_bytes()]);
                let mut said = Transcript::default();
                said.add(&first);
                self.state = State::AwaitOffer { code, said };
                first
            }
            State::Fresh(Approach::Open) => {
                self.state = State::AwaitOpen;
                frame::build(frame::OPEN_START, &[&public.0])
            }
            _ => panic!("a handshake starts once"),
        }
    }

    /// Takes the hub's next frame.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Step, HandshakeError> {
        if bytes.len() > frame::MAX_FRAME {
            return Err(HandshakeError::Malformed("over 512 bytes"));
        }
        let (kind, body) = frame::split(bytes)?;
        if kind == frame::REFUSED {
            return Err(HandshakeError::Refused(frame::parse_refused(body)?));
        }
        match (std::mem::replace(&mut self.state, State::Done), kind) {
            (State::AwaitOffer { code, said }, frame::PAIR_OFFER) => self.offered(&code, said, bytes, body),
            (State::AwaitAccept { hub, hub_name, secrets }, frame::PAIR_ACCEPT) => {
                self.accepted(hub, hub_name, &secrets, body)
            }
            (State::AwaitReply { noise, hub, paired_now }, frame::KK_REPLY) => {
                self.replied(noise, hub, paired_now, body)
            }
            (State::AwaitOpen, frame::OPEN_ACCEPT) => self.opened(body),
            (_, frame::OPEN_ACCEPT) => Err(HandshakeError::Downgrade),
            _ => Err(HandshakeError::Malformed("not the frame that follows here")),
        }
    }

    fn offered(
        &mut self,
        code: &str,
        mut said: Transcript,
        offer: &[u8],
        mut body: &[u8],
    ) -> Result<Step, HandshakeError> {
        let hub = PublicKey(frame::field(&mut body)?);
        let theirs = frame::field(&mut body)?;
        let hub_name = frame::name(body)?;
        if hub.is_low_order() {
            return Err(HandshakeError::Forged);
        }
        let ends = Ends { speaker: &self.me.public(), hub: &hub };
        let (pake, mine) = Pake::speaker(code, ends, &self.entropy);
        said.add(offer);
        said.add(&mine);
        let secrets = Box::new(pake.finish(&theirs, &said)?);
        let proof = frame::build(frame::PAIR_PROOF, &[&mine, &secrets.speaker_proof]);
        self.state = State::AwaitAccept { hub, hub_name, secrets };
        Ok(Step { send: vec![proof], established: None })
    }

    fn accepted(
        &mut self,
        hub: PublicKey,
        hub_name: String,
        secrets: &Secrets,
        mut body: &[u8],
    ) -> Result<Step, HandshakeError> {
        let proof = frame::field(&mut body)?;
        frame::end(body)?;
        if !pake::same(&proof, &secrets.hub_proof) {
            return Err(HandshakeError::Forged);
        }
        let pairing = Pairing { peer: hub, psk: secrets.psk, name: hub_name };
        let first = self.start_kk(&pairing, Some(pairing.clone()));
        Ok(Step { send: vec![first], established: None })
    }

    fn start_kk(&mut self, pairing: &Pairing, paired_now: Option<Pairing>) -> Vec<u8> {
        let mut noise = Noise::initiator(&self.me, pairing, self.entropy);
        let first = frame::build(frame::KK_START, &[&self.me.public().0, &noise.write()]);
        self.state = State::AwaitReply { noise, hub: pairing.peer, paired_now };
        first
    }

    fn replied(
        &self,
        mut noise: Noise,
        hub: PublicKey,
        paired_now: Option<Pairing>,
        mut body: &[u8],
    ) -> Result<Step, HandshakeError> {
        let message = frame::field(&mut body)?;
        frame::end(body)?;
        noise.read(&message)?;
        let (keys, session) = noise.finish();
        let (channel, proof) = noise::prove(session);
        let established = Established {
            keys: Some(keys),
            channel: Some(channel),
            peer: hub,
            speaker: self.me.speaker_id(),
            paired_now,
        };
        let send = vec![frame::build(frame::KK_CONFIRM, &[&proof])];
        Ok(Step { send, established: Some(established) })
    }

    fn opened(&self, mut body: &[u8]) -> Result<Step, HandshakeError> {
        let peer = PublicKey(frame::field(&mut body)?);
        frame::end(body)?;
        let speaker = self.me.public().open_speaker_id();
        let established = Established { keys: None, channel: None, peer, speaker, paired_now: None };
        Ok(Step { send: Vec::new(), established: Some(established) })
    }
}

impl fmt::Debug for SpeakerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpeakerHandshake({:?})", self.name)
    }
}
