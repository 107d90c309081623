//! A web server that does to its listeners what servers do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// One question and the way to answer it.
pub struct Asked {
    /// How many came before it.
    pub nth: usize,
    /// Its first line and headers, in small letters.
    pub head: String,
    pub stream: TcpStream,
    stop: Arc<AtomicBool>,
}

/// Runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each question on a thread of its own.
    pub fn start(answer: impl Fn(Asked) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, stop, answer) =
            (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)), Arc::new(answer));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut nth = 0;
            while !ended.load(Ordering::Acquire) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let (answer, stop) = (answer.clone(), ended.clone());
                std::thread::spawn(move || {
                    if let Some(asked) = Asked::read(stream, nth, stop) {
                        answer(asked);
                    }
                });
                nth += 1;
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

impl Asked {
    fn read(mut stream: TcpStream, nth: usize, stop: Arc<AtomicBool>) -> Option<Self> {
        stream.set_nonblocking(false).ok()?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
        Some(Self { nth, head, stream, stop })
    }

    pub fn is_for(&self, path: &str) -> bool {
        self.head.starts_with(&format!("get {path} "))
    }

    /// Sends; whether anybody took it.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// A whole answer.
    pub fn reply(&mut self, status: &str, headers: &str, body: &[u8]) -> bool {
        let length = body.len();
        self.send(
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        ) && self.send(body)
    }

    /// The head of a stream without an end.
    pub fn begin(&mut self, kind: &str, headers: &str) -> bool {
        self.send(format!("HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n{headers}\r\n").as_bytes())
    }

    /// Sends the same for as long as somebody takes it.
    pub fn for_ever(&mut self, bytes: &[u8]) {
        while !self.stop.load(Ordering::Acquire) && self.send(bytes) {}
    }

    /// Says nothing for as long as somebody waits.
    pub fn hold(&mut self) {
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(100)));
        while !self.stop.load(Ordering::Acquire) {
            match self.stream.read(&mut [0]) {
                Ok(0) => return,
                Err(e)
                    if !matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
                {
                    return;
                }
                _ => {}
            }
        }
    }
}

/// `sound` with a block of text after every `every` bytes, as stations that were asked for titles send.
pub fn with_titles(sound: &[u8], every: usize, titles: &[&str]) -> Vec<u8> {
    let mut titles = titles.iter();
    let mut all = Vec::new();
    for chunk in sound.chunks(every) {
        all.extend_from_slice(chunk);
        let text =
            titles.next().map(|title| format!("StreamTitle='{title}';StreamUrl='';")).unwrap_or_default();
        if chunk.len() == every {
            all.push(text.len().div_ceil(16) as u8);
            all.extend_from_slice(text.as_bytes());
            all.resize(all.len() + text.len().next_multiple_of(16) - text.len(), 0);
        }
    }
    all
}
