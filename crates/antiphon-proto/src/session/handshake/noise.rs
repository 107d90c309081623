//! Noise_KKpsk2_25519_ChaChaPoly_BLAKE2s, and the datagram keys that come from it. [HS-4]

use hkdf::Hkdf;
use sha2::Sha256;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};

use super::HandshakeError;
use crate::session::channel::SealedChannel;
use crate::session::identity::{Identity, PublicKey};
use crate::session::pairing::Pairing;
use crate::wire::seal::SessionKeys;

const PATTERN: &str = "Noise_KKpsk2_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"antiphon/1 session";

/// An ephemeral key and a tag over an empty payload: both messages of the pattern.
pub(super) const MESSAGE_LEN: usize = 48;
/// A tag over an empty payload.
pub(super) const CONFIRM_LEN: usize = 16;

/// One end of the pattern.
pub(super) struct Noise(Box<HandshakeState>);

impl Noise {
    /// The speaker's end.
    pub(super) fn initiator(me: &Identity, peer: &Pairing, entropy: [u8; 32]) -> Self {
        Self::build(me, peer, entropy, true)
    }

    /// The hub's end.
    pub(super) fn responder(me: &Identity, peer: &Pairing, entropy: [u8; 32]) -> Self {
        Self::build(me, peer, entropy, false)
    }

    fn build(me: &Identity, peer: &Pairing, entropy: [u8; 32], initiator: bool) -> Self {
        let params = PATTERN.parse().expect("the pattern's name is right");
        let builder = Builder::with_resolver(params, Box::new(Given(entropy)))
            .prologue(PROLOGUE)
            .and_then(|b| b.local_private_key(me.secret()))
            .and_then(|b| b.remote_public_key(&peer.peer.0))
            .and_then(|b| b.psk(2, &peer.psk));
        let state = builder.and_then(|b| if initiator { b.build_initiator() } else { b.build_responder() });
        Self(Box::new(state.expect("every key of the pattern is there")))
    }

    /// This end's next message.
    pub(super) fn write(&mut self) -> [u8; MESSAGE_LEN] {
        let mut message = [0; MESSAGE_LEN];
        self.0.write_message(&[], &mut message).expect("it is this end's turn");
        message
    }

    /// Takes the other end's message.
    pub(super) fn read(&mut self, message: &[u8; MESSAGE_LEN]) -> Result<(), HandshakeError> {
        let ephemeral = message.first_chunk::<32>().expect("a message begins with its key");
        if PublicKey(*ephemeral).is_low_order() {
            return Err(HandshakeError::Forged);
        }
        self.0.read_message(message, &mut [0; MESSAGE_LEN]).map(drop).map_err(|_| HandshakeError::Forged)
    }

    /// After both messages: the datagram keys and the control channel's Noise session.
    pub(super) fn finish(mut self) -> (SessionKeys, snow::TransportState) {
        let (from_speaker, from_hub) = self.0.dangerously_get_raw_split();
        let hash = self.0.get_handshake_hash().to_vec();
        let keys = SessionKeys {
            to_speaker: datagram_key(&hash, &from_hub, b"antiphon/1 datagrams to speaker"),
            to_hub: datagram_key(&hash, &from_speaker, b"antiphon/1 datagrams to hub"),
        };
        (keys, self.0.into_transport_mode().expect("both messages are through"))
    }
}

/// A key for datagrams that says nothing of the control channel's, though both come from one split.
fn datagram_key(hash: &[u8], split: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(hash), split).expand(label, &mut key).expect("32 bytes are within HKDF's limit");
    key
}

/// The control channel, and the speaker's frame that proves that it holds the keys. [HS-6]
pub(super) fn prove(mut session: snow::TransportState) -> (SealedChannel, [u8; CONFIRM_LEN]) {
    let mut proof = [0; CONFIRM_LEN];
    session.write_message(&[], &mut proof).expect("the session is new");
    (SealedChannel::new(session), proof)
}

/// The control channel, once the speaker's proof is right.
pub(super) fn verify(
    mut session: snow::TransportState,
    proof: &[u8; CONFIRM_LEN],
) -> Result<SealedChannel, HandshakeError> {
    session.read_message(proof, &mut [0; CONFIRM_LEN]).map_err(|_| HandshakeError::Forged)?;
    Ok(SealedChannel::new(session))
}

/// The default primitives, with random bytes that were given.
struct Given([u8; 32]);

impl CryptoResolver for Given {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(super::pake::Stream::new(&self.0, b"noise ephemeral")))
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}
