//! Handshake frames: a type, a version, a body of fixed-length fields. [HS-2]

use super::HandshakeError;
use crate::session::message::{MAX_NAME, MAX_TEXT, Refusal, RefusalCode, is_name};

/// Type and version.
pub(crate) const HEAD_LEN: usize = 2;
/// The longest handshake frame in bytes: a refusal with its text.
pub const MAX_FRAME: usize = 512;

const VERSION: u8 = 1;

pub(crate) const KK_START: u8 = 0x01;
pub(crate) const KK_REPLY: u8 = 0x02;
pub(crate) const KK_CONFIRM: u8 = 0x03;
pub(crate) const PAIR_START: u8 = 0x11;
pub(crate) const PAIR_OFFER: u8 = 0x12;
pub(crate) const PAIR_PROOF: u8 = 0x13;
pub(crate) const PAIR_ACCEPT: u8 = 0x14;
pub(crate) const OPEN_START: u8 = 0x21;
pub(crate) const OPEN_ACCEPT: u8 = 0x22;
pub(crate) const CONTROL: u8 = 0x40;
pub(crate) const REFUSED: u8 = 0x7F;

/// The first bytes of a frame.
pub(crate) fn head(kind: u8) -> [u8; HEAD_LEN] {
    [kind, VERSION]
}

/// A frame of `kind` whose body is `parts`, joined.
pub(super) fn build(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = head(kind).to_vec();
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// A frame's type and body.
pub(crate) fn split(bytes: &[u8]) -> Result<(u8, &[u8]), HandshakeError> {
    let ([kind, version], body) =
        bytes.split_first_chunk::<HEAD_LEN>().ok_or(HandshakeError::Malformed("shorter than its head"))?;
    if *version != VERSION {
        return Err(HandshakeError::Version(*version));
    }
    Ok((*kind, body))
}

/// The next `N` bytes of a body.
pub(super) fn field<const N: usize>(body: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    let (field, rest) =
        body.split_first_chunk::<N>().ok_or(HandshakeError::Malformed("shorter than its fields"))?;
    *body = rest;
    Ok(*field)
}

/// Nothing may follow.
pub(super) fn end(body: &[u8]) -> Result<(), HandshakeError> {
    if body.is_empty() { Ok(()) } else { Err(HandshakeError::Malformed("longer than its fields")) }
}

/// A name that fills the rest of a body.
pub(super) fn name(body: &[u8]) -> Result<String, HandshakeError> {
    let fault = HandshakeError::Malformed("a name has 1 to 63 bytes of UTF-8 and no control characters");
    if body.len() > MAX_NAME {
        return Err(fault);
    }
    match std::str::from_utf8(body) {
        Ok(name) if is_name(name) => Ok(name.to_owned()),
        _ => Err(fault),
    }
}

const CODES: [(u8, RefusalCode); 8] = [
    (1, RefusalCode::Protocol),
    (2, RefusalCode::NotPaired),
    (3, RefusalCode::NotOpen),
    (4, RefusalCode::NoCode),
    (5, RefusalCode::WrongCode),
    (6, RefusalCode::NameTaken),
    (7, RefusalCode::Full),
    (8, RefusalCode::BadMessage),
];

/// A refusal.
pub(super) fn refused(code: RefusalCode, message: &str) -> Vec<u8> {
    let number = CODES.iter().find(|(_, known)| *known == code).map_or(0, |(number, _)| *number);
    let end = (0..=MAX_TEXT.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    build(REFUSED, &[&[number], &message.as_bytes()[..end.unwrap_or(0)]])
}

/// Reads a refusal's body. Its text comes from a stranger: what could steer a terminal is left out.
pub(super) fn parse_refused(mut body: &[u8]) -> Result<Refusal, HandshakeError> {
    let [number] = field(&mut body)?;
    let code =
        CODES.iter().find(|(known, _)| *known == number).map_or(RefusalCode::Unknown, |(_, code)| *code);
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_TEXT)]);
    Ok(Refusal { code, message: text.chars().filter(|c| !c.is_control()).collect() })
}
