//! Law: edge: one UDP socket a question; no JSON, no files; a token is never shown.
//!
//! miIO, the protocol by which Xiaomi's Wi-Fi devices are asked on the local network: who is there
//! ([`discover`]), and one question to one of them ([`ask`]). Payloads are texts that the caller reads and writes.
#![forbid(unsafe_code)]

mod token;

mod packet;

mod client;

pub use client::{Device, MiioError, PORT, ask, discover};
pub use packet::{PacketError, hello, is_hello, open, reply_to_hello, seal};
pub use token::{Token, TokenError};
