//! The secret that a device shares with its owner.

use std::fmt;
use std::str::FromStr;

/// 16 bytes that nobody else should know. It has no text form but the one that it is read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub(crate) [u8; 16]);

/// The text is no token; it is not repeated, since it may be one with a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no token: a token has 32 hexadecimal digits, as the maker's app or its cloud gives them")]
pub struct TokenError;

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError);
        }
        let mut token = [0; 16];
        for (byte, digits) in token.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16).unwrap_or(0) as u8;
            *byte = digit(0) << 4 | digit(1);
        }
        Ok(Self(token))
    }
}

impl Token {
    /// What a device that was never set up tells everybody in its answer to a hello; `None`: it tells none.
    pub(crate) fn exposed(bytes: [u8; 16]) -> Option<Self> {
        let none = [0, 0xff].iter().any(|filler| bytes.iter().all(|byte| byte == filler));
        (!none).then_some(Self(bytes))
    }

    /// As 32 hexadecimal digits, to be kept where only its owner reads.
    pub fn reveal(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_and_never_shown() {
        let token: Token = " 000102030405060708090a0b0c0d0eFF ".parse().unwrap();
        assert_eq!(token.reveal(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", "00", "zz0102030405060708090a0b0c0d0e0f", &"\u{e4}".repeat(16)] {
            let error = bad.parse::<Token>().unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }
}
