//! A network with another machine in it, inside this one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::house::{House, PATIENCE};

/// The hub's address in its network.
pub const HUB: &str = "198.51.100.1";

/// Who comes to [`HUB`] from no address that was asked for comes from here: to the hub another machine.
pub const PHONE: &str = "198.51.100.2";

/// A third machine.
pub const TABLET: &str = "198.51.100.3";

/// Runs `test` in a network of its own, with a hub that listens everywhere. That takes root and iproute2;
/// without, it says that nothing was tested.
pub fn with_a_hub(test: impl FnOnce(&House) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if let Err(why) = make_network() {
            // Not `eprintln!`, which nobody sees of a test that passes.
            let _ = writeln!(std::io::stderr(), "NOT TESTED, no network of its own for the test: {why}");
            return;
        }
        test(&House::listening("0.0.0.0:0"));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A network namespace for this thread and those that it starts.
fn make_network() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("unshare: {error}"))?;
    ip("link set lo up")?;
    for addr in [HUB, PHONE, TABLET] {
        ip(&format!("addr add {addr}/32 dev lo"))?;
    }
    // Otherwise a connection to an address of this machine comes from that very address.
    ip(&format!("route replace local {HUB} dev lo src {PHONE} table local"))
}

fn ip(what: &str) -> Result<(), String> {
    let done = Command::new("ip").args(what.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("ip {what}: {}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// A browser or program on a machine of the network.
#[derive(Clone)]
pub struct Guest {
    from: &'static str,
    hub: SocketAddr,
    /// Headers with each request, each with its line end.
    pub headers: String,
}

/// What a hub answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Guest {
    /// One that comes from `from`, which is [`PHONE`] or [`TABLET`].
    pub fn new(house: &House, from: &'static str) -> Self {
        let hub = SocketAddr::new(HUB.parse().unwrap(), house.hub.listen().port());
        Self { from, hub, headers: String::new() }
    }

    /// Where it finds the hub.
    pub fn hub(&self) -> SocketAddr {
        self.hub
    }

    pub fn with(&self, header: &str) -> Self {
        Self { headers: format!("{}{header}\r\n", self.headers), ..self.clone() }
    }

    pub fn connect(&self) -> TcpStream {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(self.from.parse().unwrap(), 0).into()).unwrap();
        socket.connect(&self.hub.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_as(&self.hub.to_string(), method, path, body)
    }

    /// The same with another `Host`.
    pub fn ask_as(&self, host: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{body}",
            body.len(),
            self.headers
        );
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn status_of(&self, method: &str, path: &str, body: &str) -> u16 {
        self.ask(method, path, body).status
    }

    /// Logs in; the guest with its cookie then.
    pub fn let_in(&self, code: &str) -> Result<Self, Answer> {
        let answer = self.ask("POST", "/api/v1/login", &format!(r#"{{"code":"{code}","name":"guest"}}"#));
        if answer.status != 204 {
            return Err(answer);
        }
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        Ok(self.with(&format!("Cookie: {}", cookie.split(';').next().unwrap())))
    }
}
