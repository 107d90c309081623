//! Lasting identities: X25519 key pairs. [ID-1]

use std::fmt;
use std::str::FromStr;

use antiphon_base::SpeakerId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::Dh;

/// A public key; its text is 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The identity that this key proves.
    pub fn speaker_id(&self) -> SpeakerId {
        speaker_id(&[&self.0])
    }

    /// The identity of a speaker that shows this key in an open session, where nothing proves it: never
    /// the same as a proven one, so an open session cannot take a paired speaker's place. [OPEN-4]
    pub fn open_speaker_id(&self) -> SpeakerId {
        speaker_id(&[b"antiphon open", &self.0])
    }

    /// Whether the key is one of the few whose shared secret with anyone is zero, so that it proves nothing
    /// (RFC 7748, section 6.1). [ID-3]
    pub fn is_low_order(&self) -> bool {
        // Every clamped secret is a multiple of the cofactor, so one stands for all.
        shared_secret(&[1; 32], &self.0) == [0; 32]
    }
}

/// 32 bytes from their 64 hexadecimal digits.
pub fn key_from_hex(text: &str) -> Result<[u8; 32], KeyError> {
    from_hex(text)
}

/// The identity of a browser that shows `key`, 32 random bytes that nobody else knows: never the same as one that
/// is proven, or that an open speaker claims. [BROWSER-2]
pub fn browser_speaker_id(key: &[u8; 32]) -> SpeakerId {
    speaker_id(&[b"antiphon browser", key])
}

fn speaker_id(parts: &[&[u8]]) -> SpeakerId {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    SpeakerId(id)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(s: &str) -> Result<Self, KeyError> {
        from_hex(s).map(Self)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A key pair: who a hub or a speaker is, for good. `Debug` does not show the secret.
#[derive(Clone)]
pub struct Identity {
    secret: [u8; 32],
    public: PublicKey,
}

impl Identity {
    /// The identity of 32 random bytes.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self { secret, public: public_of(&secret) }
    }

    /// The identity whose secret is written as 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        from_hex(text).map(Self::from_secret)
    }

    /// The secret as 64 hexadecimal digits: for a file that only its owner can read.
    pub fn to_hex(&self) -> String {
        to_hex(&self.secret)
    }

    /// The secret.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The identity's id.
    pub fn speaker_id(&self) -> SpeakerId {
        self.public.speaker_id()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public)
    }
}

/// Text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is written as 64 hexadecimal digits")]
pub struct KeyError;

fn x25519() -> Box<dyn Dh> {
    DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("X25519 is built in")
}

fn public_of(secret: &[u8; 32]) -> PublicKey {
    let mut dh = x25519();
    dh.set(secret);
    let mut public = [0; 32];
    public.copy_from_slice(&dh.pubkey()[..32]);
    PublicKey(public)
}

fn shared_secret(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    let mut dh = x25519();
    dh.set(secret);
    let mut shared = [0; 32];
    dh.dh(public, &mut shared).expect("X25519 takes any 32 bytes");
    shared
}

/// Lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from 64 hexadecimal digits of either case; white space around is ignored.
pub(crate) fn from_hex(text: &str) -> Result<[u8; 32], KeyError> {
    let digits = text.trim().as_bytes();
    if digits.len() != 64 {
        return Err(KeyError);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(KeyError);
        *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_of_rfc_7748_section_6_1_is_found() {
        let alice = Identity::from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(alice.unwrap().public().to_string(), public);
    }

    #[test]
    fn an_identity_survives_its_text() {
        let identity = Identity::from_secret([7; 32]);
        let again = Identity::from_hex(&format!(" {}\n", identity.to_hex().to_uppercase())).unwrap();
        assert_eq!(again.public(), identity.public());
        assert_eq!(identity.public().to_string().parse(), Ok(identity.public()));
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        for bad in ["", "12", &"g".repeat(64), &"ä".repeat(32), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(from_hex(bad), Err(KeyError), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let identity = Identity::from_secret([0xAB; 32]);
        assert!(!format!("{identity:?}").contains("abababab"));
    }

    #[test]
    fn an_open_speaker_never_has_a_proven_id() {
        let public = Identity::from_secret([7; 32]).public();
        assert_ne!(public.speaker_id(), public.open_speaker_id());
    }
}
