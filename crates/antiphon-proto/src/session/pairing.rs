//! What two ends keep of each other once paired, and the short code that pairs them. [PAIR-1]

use std::fmt;

use antiphon_base::{Hub, Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::identity::{PublicKey, from_hex, to_hex};

/// One end's record of the other. As JSON or TOML: `peer` and `psk` as 64 hexadecimal digits, `name`.
/// `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// The other end's public key.
    pub peer: PublicKey,
    /// The secret that only the two know.
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    pub psk: [u8; 32],
    /// The name that the other end gave when it was paired, for people.
    pub name: String,
}

fn write_key<S: Serializer>(key: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&to_hex(key))
}

fn read_key<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
    from_hex(&String::deserialize(from)?).map_err(D::Error::custom)
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pairing({:?}, {})", self.name, self.peer)
    }
}

/// How long a code lasts: long enough to walk to the speaker and type it.
pub const CODE_LIFE: Span = Span::from_s(600);
/// Wrong tries that void a code: one slip of the finger may happen twice, and a guesser has 3 chances in 10^6.
pub const CODE_TRIES: u8 = 3;
/// Digits of a code.
pub const CODE_DIGITS: usize = 6;

/// What became of a code that was said openly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It was right, and is spent.
    Right,
    /// It was wrong.
    Wrong {
        /// Wrong tries that the code still stands.
        left: u8,
    },
    /// No digits would have been right: used, void or expired.
    Void,
}

/// The hub's pairing code: six digits, for one speaker, for ten minutes, void after three wrong tries.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode {
    digits: String,
    expires: Timestamp<Hub>,
    tries_left: u8,
    used: bool,
}

impl PairingCode {
    /// A new code made from 64 random bits.
    pub fn new(now: Timestamp<Hub>, random: u64) -> Self {
        // 2^64 modulo 10^6 favours some codes by 1 in 10^13: nothing.
        let digits = format!("{:06}", random % 1_000_000);
        Self { digits, expires: now.saturating_add(CODE_LIFE), tries_left: CODE_TRIES, used: false }
    }

    /// The digits, to show; `None` when the code is used, void or expired.
    pub fn digits(&self, now: Timestamp<Hub>) -> Option<&str> {
        (!self.used && self.tries_left > 0 && now < self.expires).then_some(self.digits.as_str())
    }

    /// When it expires.
    pub fn expires_at(&self) -> Timestamp<Hub> {
        self.expires
    }

    /// Wrong tries that it still stands.
    pub fn tries_left(&self) -> u8 {
        self.tries_left
    }

    /// Somebody says the digits openly, as a login does: a wrong try is counted, a right one spends the code.
    pub fn attempt(&mut self, now: Timestamp<Hub>, digits: &str) -> Attempt {
        match self.digits(now).map(|code| code == digits) {
            None => Attempt::Void,
            Some(true) => {
                self.right();
                Attempt::Right
            }
            Some(false) => {
                self.wrong();
                Attempt::Wrong { left: self.tries_left }
            }
        }
    }

    /// Somebody proved to know another code.
    pub(super) fn wrong(&mut self) {
        self.tries_left = self.tries_left.saturating_sub(1);
    }

    /// Somebody proved to know it: it is spent.
    pub(super) fn right(&mut self) {
        self.used = true;
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairingCode({} tries left, used: {})", self.tries_left, self.used)
    }
}

/// The digits in what a person typed: spaces and hyphens are ignored; `None` unless six digits remain.
pub fn typed_code(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    (digits.len() == CODE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp<Hub> = Timestamp::from_ns(5);

    #[test]
    fn a_code_has_six_digits_with_leading_zeros_and_lives_ten_minutes() {
        let code = PairingCode::new(T0, 7_000_042);
        assert_eq!(code.digits(T0), Some("000042"));
        let end = T0 + Span::from_s(600);
        assert!(code.digits(end - Span::from_ns(1)).is_some());
        assert_eq!(code.digits(end), None);
    }

    #[test]
    fn a_code_said_openly_counts_as_one_proved() {
        let mut code = PairingCode::new(T0, 123_456);
        assert_eq!(code.attempt(T0, "123457"), Attempt::Wrong { left: 2 });
        assert_eq!(code.attempt(T0, "123456"), Attempt::Right);
        assert_eq!(code.attempt(T0, "123456"), Attempt::Void, "one use");
        let mut code = PairingCode::new(T0, 123_456);
        let lefts = [2, 1, 0].map(|left| Attempt::Wrong { left });
        assert_eq!([(); 3].map(|()| code.attempt(T0, "000000")), lefts);
        assert_eq!(code.attempt(T0, "123456"), Attempt::Void);
        let mut code = PairingCode::new(T0, 123_456);
        assert_eq!(code.attempt(T0 + CODE_LIFE, "123456"), Attempt::Void);
    }

    #[test]
    fn three_wrong_tries_void_a_code_and_one_right_one_spends_it() {
        let mut code = PairingCode::new(T0, 1);
        code.wrong();
        code.wrong();
        assert!(code.digits(T0).is_some());
        code.wrong();
        assert_eq!(code.digits(T0), None);
        let mut code = PairingCode::new(T0, 1);
        code.right();
        assert_eq!(code.digits(T0), None);
    }

    #[test]
    fn a_code_is_typed_as_people_type_it() {
        assert_eq!(typed_code("123 456").as_deref(), Some("123456"));
        assert_eq!(typed_code("123-456").as_deref(), Some("123456"));
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(typed_code(bad), None);
        }
    }

    #[test]
    fn debug_shows_no_secret_and_a_record_survives_its_text() {
        let peer = super::super::Identity::from_secret([1; 32]).public();
        let pairing = Pairing { peer, psk: [0xCD; 32], name: "kitchen".into() };
        assert!(!format!("{pairing:?}").contains("cdcd"));
        assert!(!format!("{:?}", PairingCode::new(T0, 123_456)).contains("123456"));
        let text = serde_json::to_string(&pairing).unwrap();
        assert_eq!(serde_json::from_str::<Pairing>(&text).unwrap(), pairing);
    }
}
