//! SPAKE2 over a six-digit code: a pairing out of something that a person can read out. [PAIR-3]
//!
//! Each try of a code costs a guesser one whole exchange with the hub, which counts it; what is on the
//! wire helps no guess afterwards. The exchange binds both static keys and both names.

use hkdf::Hkdf;
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha256};
use snow::types::Random;
use spake2::{Ed25519Group, Identity as Party, Password, Spake2};

use super::HandshakeError;
use crate::session::identity::PublicKey;

/// A side byte and a curve point.
pub(super) const MESSAGE_LEN: usize = 33;
/// Length of a proof.
pub(super) const PROOF_LEN: usize = 32;

/// One end of the exchange, waiting for the other's message.
pub(super) struct Pake(Spake2<Ed25519Group>);

/// What both ends of one exchange know.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) speaker: &'a PublicKey,
    pub(super) hub: &'a PublicKey,
}

impl Ends<'_> {
    fn parties(&self) -> (Party, Party) {
        let party = |role: &[u8], key: &PublicKey| Party::new(&[role, &key.0].concat());
        (party(b"antiphon/1 speaker ", self.speaker), party(b"antiphon/1 hub ", self.hub))
    }
}

impl Pake {
    /// The hub's end and its message.
    pub(super) fn hub(code: &str, ends: Ends<'_>, entropy: &[u8; 32]) -> (Self, [u8; MESSAGE_LEN]) {
        let (a, b) = ends.parties();
        let random = Stream::new(entropy, b"pake hub");
        let (pake, message) = Spake2::start_b_with_rng(&Password::new(code), &a, &b, random);
        (Self(pake), fixed(&message))
    }

    /// The speaker's end and its message.
    pub(super) fn speaker(code: &str, ends: Ends<'_>, entropy: &[u8; 32]) -> (Self, [u8; MESSAGE_LEN]) {
        let (a, b) = ends.parties();
        let random = Stream::new(entropy, b"pake speaker");
        let (pake, message) = Spake2::start_a_with_rng(&Password::new(code), &a, &b, random);
        (Self(pake), fixed(&message))
    }

    /// The secrets that follow from the other end's message and everything said so far.
    pub(super) fn finish(
        self,
        theirs: &[u8; MESSAGE_LEN],
        said: &Transcript,
    ) -> Result<Secrets, HandshakeError> {
        let key = self.0.finish(theirs).map_err(|_| HandshakeError::Malformed("SPAKE2 message"))?;
        let hkdf = Hkdf::<Sha256>::new(Some(&said.0.clone().finalize()), &key);
        let derive = |label: &[u8]| {
            let mut out = [0; 32];
            hkdf.expand(label, &mut out).expect("32 bytes are within HKDF's limit");
            out
        };
        Ok(Secrets {
            psk: derive(b"antiphon/1 pairing key"),
            speaker_proof: derive(b"antiphon/1 speaker proof"),
            hub_proof: derive(b"antiphon/1 hub proof"),
        })
    }
}

fn fixed(message: &[u8]) -> [u8; MESSAGE_LEN] {
    message.try_into().expect("a SPAKE2 message has 33 bytes")
}

/// What an exchange gives.
pub(super) struct Secrets {
    pub(super) psk: [u8; 32],
    pub(super) speaker_proof: [u8; PROOF_LEN],
    pub(super) hub_proof: [u8; PROOF_LEN],
}

/// Everything that the two ends said, each part with its length before it.
#[derive(Clone, Default)]
pub(super) struct Transcript(Sha256);

impl Transcript {
    pub(super) fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u32).to_be_bytes());
        self.0.update(part);
    }
}

/// Whether two proofs are the same, in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8; PROOF_LEN], b: &[u8; PROOF_LEN]) -> bool {
    a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// As many random bytes as are asked for, out of 32 that were given: HKDF-SHA256 blocks.
pub(super) struct Stream {
    seed: [u8; 32],
    label: &'static [u8],
    block: u64,
}

impl Stream {
    pub(super) fn new(entropy: &[u8; 32], label: &'static [u8]) -> Self {
        Self { seed: *entropy, label, block: 0 }
    }
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        let hkdf = Hkdf::<Sha256>::new(Some(b"antiphon/1 entropy"), &self.seed);
        for piece in dest.chunks_mut(32) {
            let info = [self.label, &self.block.to_be_bytes()].concat();
            hkdf.expand(&info, piece).expect("32 bytes are within HKDF's limit");
            self.block += 1;
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Stream {}

impl Random for Stream {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
