//! Packets: 32 bytes of header, then the payload, encrypted.
//!
//! Magic 0x2131, length (16 bits), zero (32), device (32), stamp in seconds (32), checksum (128 bits); all big endian.
//! The checksum is the MD5 of the first 16 bytes, the token and the encrypted payload. The payload is a text with a
//! closing NUL, PKCS #7, AES-128-CBC with key = MD5(token), iv = MD5(key, token). A hello is a header of 0xff after
//! its length, its answer a header alone.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use md5::{Digest, Md5};

use crate::Token;

/// Bytes of a header.
const HEADER: usize = 32;

/// The largest packet that is read or made: one datagram of any network, and far more than any answer.
pub(crate) const MAX_PACKET: usize = 4_096;

const MAGIC: [u8; 2] = [0x21, 0x31];

/// Why a packet cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It is none of this protocol.
    #[error("it is no packet of miIO")]
    Nonsense,
    /// Its checksum, or what decryption gives, is not that of this token.
    #[error("it was made with another token")]
    OtherToken,
}

/// What every packet says openly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub device: u32,
    pub stamp: u32,
    pub checksum: [u8; 16],
}

/// The question that every device answers.
pub fn hello() -> [u8; HEADER] {
    let mut bytes = [0xff; HEADER];
    bytes[..4].copy_from_slice(&[MAGIC[0], MAGIC[1], 0, HEADER as u8]);
    bytes
}

/// Whether somebody says hello.
pub fn is_hello(bytes: &[u8]) -> bool {
    bytes == hello()
}

/// A device's answer to it: `token` is what it tells of its token, all 0xff for nothing.
pub fn reply_to_hello(device: u32, stamp: u32, token: [u8; 16]) -> [u8; HEADER] {
    header(HEADER, device, stamp, token)
}

fn header(length: usize, device: u32, stamp: u32, checksum: [u8; 16]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..2].copy_from_slice(&MAGIC);
    bytes[2..4].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    bytes[8..12].copy_from_slice(&device.to_be_bytes());
    bytes[12..16].copy_from_slice(&stamp.to_be_bytes());
    bytes[16..].copy_from_slice(&checksum);
    bytes
}

/// The header of a packet whose length is right.
pub(crate) fn read_header(bytes: &[u8]) -> Result<Header, PacketError> {
    let number = |at: usize| -> [u8; 4] { bytes[at..at + 4].try_into().unwrap_or_default() };
    let sound = bytes.len() >= HEADER
        && bytes.len() <= MAX_PACKET
        && bytes[..2] == MAGIC
        && usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) == bytes.len();
    if !sound {
        return Err(PacketError::Nonsense);
    }
    let checksum = bytes[16..HEADER].try_into().map_err(|_| PacketError::Nonsense)?;
    Ok(Header { device: u32::from_be_bytes(number(8)), stamp: u32::from_be_bytes(number(12)), checksum })
}

/// A packet with `text` for, or from, `device` at its time `stamp`.
///
/// # Panics
/// For a text that is longer than a packet may be: questions are some dozens of bytes.
pub fn seal(token: &Token, device: u32, stamp: u32, text: &[u8]) -> Vec<u8> {
    let (key, iv) = keys(token);
    let with_end = [text, &[0]].concat();
    let data =
        cbc::Encryptor::<Aes128>::new(&key.into(), &iv.into()).encrypt_padded_vec_mut::<Pkcs7>(&with_end);
    assert!(HEADER + data.len() <= MAX_PACKET, "a payload of {} bytes", text.len());
    let open = header(HEADER + data.len(), device, stamp, [0; 16]);
    let checksum = checksum(&open[..16], token, &data);
    [&header(HEADER + data.len(), device, stamp, checksum)[..], &data].concat()
}

/// The text in a packet, without its closing NUL.
///
/// # Errors
/// It is no packet, or one that was made with another token.
pub fn open(token: &Token, bytes: &[u8]) -> Result<Vec<u8>, PacketError> {
    let header = read_header(bytes)?;
    let data = &bytes[HEADER..];
    if checksum(&bytes[..16], token, data) != header.checksum {
        return Err(PacketError::OtherToken);
    }
    let (key, iv) = keys(token);
    let opened = cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into()).decrypt_padded_vec_mut::<Pkcs7>(data);
    let mut text = opened.map_err(|_| PacketError::OtherToken)?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

fn keys(token: &Token) -> ([u8; 16], [u8; 16]) {
    let key: [u8; 16] = Md5::digest(token.0).into();
    let iv = Md5::new().chain_update(key).chain_update(token.0).finalize().into();
    (key, iv)
}

fn checksum(open: &[u8], token: &Token, data: &[u8]) -> [u8; 16] {
    Md5::new().chain_update(open).chain_update(token.0).chain_update(data).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(byte: u8) -> Token {
        Token([byte; 16])
    }

    #[test]
    fn the_hello_is_the_one_that_devices_know() {
        let text: String = hello().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, format!("21310020{}", "ff".repeat(28)));
    }

    #[test]
    fn another_token_a_flipped_bit_and_garbage_are_told_apart() {
        let bytes = seal(&token(7), 0x1234, 99, b"{}");
        assert_eq!(open(&token(7), &bytes).unwrap(), b"{}");
        assert_eq!(open(&token(8), &bytes), Err(PacketError::OtherToken));
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(open(&token(7), &flipped), Err(PacketError::OtherToken));
        for garbage in [&b""[..], b"hello", &bytes[..40], &[0x21; 64], &[0; 5_000]] {
            assert_eq!(open(&token(7), garbage), Err(PacketError::Nonsense));
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(
            key in any::<[u8; 16]>(), device in any::<u32>(), stamp in any::<u32>(), text in "[ -~]{0,600}",
        ) {
            let token = Token(key);
            let bytes = seal(&token, device, stamp, text.as_bytes());
            prop_assert_eq!(open(&token, &bytes).unwrap(), text.as_bytes());
            let header = read_header(&bytes).unwrap();
            prop_assert_eq!((header.device, header.stamp), (device, stamp));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&token(1), &bytes);
            let framed = [&[0x21, 0x31, 0, bytes.len().min(200) as u8 + 4][..], &bytes].concat();
            let _ = open(&token(1), &framed);
        }
    }
}
