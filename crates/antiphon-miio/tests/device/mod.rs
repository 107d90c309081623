//! A device that is a program: answers hellos, and `miIO.info` to whoever has its token.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_miio::{Token, is_hello, open, reply_to_hello, seal};

/// How it behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Its secret.
    pub token: Token,
    /// It tells it to everybody.
    pub exposes: bool,
    /// It answers with noise.
    pub garbage: bool,
    /// It answers hellos alone, as devices do to whoever has another token.
    pub mute: bool,
}

/// A running device.
pub struct Device {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Its number.
pub const ID: u32 = 0x00bc_614e;

/// What it answers to `miIO.info`.
pub const INFO: &str =
    r#"{"model":"xiaomi.wifispeaker.lx01","fw_ver":"1.56.1","hw_ver":"Linux","mac":"AA:BB:CC:DD:EE:01"}"#;

impl Device {
    pub fn start(at: &str, manner: Manner) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (address, stop) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while !ended.load(Ordering::Acquire) {
                let Ok((length, from)) = socket.recv_from(&mut bytes) else { continue };
                if let Some(answer) = answer(&manner, &bytes[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

fn answer(manner: &Manner, bytes: &[u8]) -> Option<Vec<u8>> {
    if manner.garbage {
        return Some(b"who are you?".to_vec());
    }
    if is_hello(bytes) {
        let told = manner.token.reveal();
        let mut token = [0xff; 16];
        if manner.exposes {
            for (byte, digits) in token.iter_mut().zip(told.as_bytes().chunks(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
            }
        }
        return Some(reply_to_hello(ID, 1_000, token).to_vec());
    }
    let question = String::from_utf8(open(&manner.token, bytes).ok().filter(|_| !manner.mute)?).ok()?;
    // The number of the question, whatever stands around it.
    let id: String =
        question.split("\"id\":").nth(1)?.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let text = match question.contains("miIO.info") {
        true => format!("{{\"id\":{id},\"result\":{INFO}}}"),
        false => format!("{{\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"method not found\"}}}}"),
    };
    Some(seal(&manner.token, ID, 1_002, text.as_bytes()))
}
