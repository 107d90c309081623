//! The relay between real sockets on the loopback. Bounds are one-sided where the machine could be
//! late: a relay may hold a datagram longer on a busy machine, never shorter than its model.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use antiphon_base::{Span, Timestamp, True};
use antiphon_net::impair::{Relay, RelayConfig, RelayHandle};
use antiphon_net::{Batch, Clock, UdpPort, Waiter, Warp, raw_now};

/// Generous: a machine that compiles beside the test may stall.
const PATIENCE: Duration = Duration::from_secs(20);

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(any()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn relay_to(server: SocketAddr, change: impl FnOnce(&mut RelayConfig)) -> RelayHandle {
    let mut config = RelayConfig::perfect(any(), server);
    change(&mut config);
    Relay::start(config).unwrap()
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (len, from) = socket.recv_from(&mut buffer).expect("nothing came");
    (buffer[..len].to_vec(), from)
}

fn counted(relay: &RelayHandle, ready: impl Fn(&RelayHandle) -> bool) {
    let give_up = raw_now() + Span::from_s(20);
    while !ready(relay) {
        assert!(raw_now() < give_up, "{:?}", relay.counters());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn two_clients_talk_to_the_server_and_each_gets_its_own_answers() {
    let server = socket();
    let relay = relay_to(server.local_addr().unwrap(), |_| ());
    let clients = [socket(), socket()];
    for (n, client) in clients.iter().enumerate() {
        client.send_to(&[n as u8], relay.local_addr()).unwrap();
        let (bytes, from) = receive(&server);
        assert_eq!(bytes, [n as u8]);
        server.send_to(&[n as u8 + 10], from).unwrap();
        let (answer, from) = receive(client);
        assert_eq!((answer, from), (vec![n as u8 + 10], relay.local_addr()));
    }
}

#[test]
fn each_way_takes_at_least_its_own_delay() {
    let server = socket();
    let relay = relay_to(server.local_addr().unwrap(), |config| config.delay = "6ms/1ms".parse().unwrap());
    let client = socket();
    let (mut there, mut back) = (Span::MAX, Span::MAX);
    for _ in 0..10 {
        let sent = raw_now();
        client.send_to(b"ping", relay.local_addr()).unwrap();
        let (_, from) = receive(&server);
        let arrived = raw_now();
        server.send_to(b"pong", from).unwrap();
        receive(&client);
        (there, back) = (there.min(arrived - sent), back.min(raw_now() - arrived));
    }
    assert!(there >= Span::from_ms(6), "{there:?}");
    assert!(back >= Span::from_ms(1) && back < there, "{back:?} of {there:?}");
}

#[test]
fn a_blackout_stops_everything_and_its_end_restores_it() {
    let server = socket();
    let relay = relay_to(server.local_addr().unwrap(), |_| ());
    let client = socket();
    relay.set_blackout(true);
    client.send_to(b"into the dark", relay.local_addr()).unwrap();
    counted(&relay, |relay| relay.counters().blacked_out == 1);
    relay.set_blackout(false);
    client.send_to(b"light", relay.local_addr()).unwrap();
    assert_eq!(receive(&server).0, b"light");
}

#[test]
fn a_planned_blackout_begins_and_ends_by_itself() {
    let server = socket();
    let relay =
        relay_to(server.local_addr().unwrap(), |config| config.blackouts = vec!["0s/300ms".parse().unwrap()]);
    assert!(relay.is_dark());
    counted(&relay, |relay| !relay.is_dark());
    socket().send_to(b"light", relay.local_addr()).unwrap();
    assert_eq!(receive(&server).0, b"light");
}

#[test]
fn what_the_model_loses_is_counted_and_the_rest_arrives() {
    let server = socket();
    let relay =
        relay_to(server.local_addr().unwrap(), |config| config.loss = Some("50%/100us".parse().unwrap()));
    let client = socket();
    for _ in 0..200 {
        client.send_to(b"x", relay.local_addr()).unwrap();
        std::thread::sleep(Duration::from_micros(200));
    }
    counted(&relay, |relay| relay.counters().passed + relay.counters().lost == 200);
    let counters = relay.counters();
    assert!(counters.lost > 20 && counters.passed > 20, "{counters:?}");
}

#[test]
fn a_connection_carries_everything_both_ways_and_its_end() {
    let listener = TcpListener::bind(any()).unwrap();
    let relay = relay_to(listener.local_addr().unwrap(), |config| config.delay = "3ms/2ms".parse().unwrap());
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let sent: Vec<u8> = (0..500_000u32).map(|n| (n % 251) as u8).collect();
    let start = raw_now();
    let mut stream = TcpStream::connect(relay.local_addr()).unwrap();
    stream.write_all(&sent).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} bytes of {}", got.len(), sent.len());
    assert!(raw_now() - start >= Span::from_ms(5));
    echo.join().unwrap();
    assert_eq!(relay.counters().connections, 1);
}

#[test]
fn a_server_that_is_not_there_closes_the_connection_and_the_relay_goes_on() {
    let nobody = TcpListener::bind(any()).unwrap().local_addr().unwrap();
    let relay = relay_to(nobody, |_| ());
    for _ in 0..2 {
        let mut stream = TcpStream::connect(relay.local_addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    counted(&relay, |relay| relay.counters().connections == 2);
}

#[test]
fn a_port_in_use_is_refused() {
    let relay = relay_to(any(), |_| ());
    let mut config = RelayConfig::perfect(relay.local_addr(), any());
    config.seed = 2;
    assert_eq!(Relay::start(config).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

/// How late datagrams leave, for a look: `cargo test -p antiphon-net --test relay -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement of this machine, not a test"]
fn lateness_of_a_relay() {
    let server = UdpPort::bind(any()).unwrap();
    let relay = relay_to(server.local_addr(), |config| config.delay = "2ms".parse().unwrap());
    let mut lateness = one_way_lateness(server, &relay, 2_000);
    lateness.sort_unstable();
    let at = |share: f64| lateness[(share * (lateness.len() - 1) as f64) as usize];
    println!("late by p50 {:?} p95 {:?} p99 {:?} max {:?}", at(0.5), at(0.95), at(0.99), at(1.0));
}

fn one_way_lateness(mut server: UdpPort, relay: &RelayHandle, count: usize) -> Vec<Span> {
    let clock = Clock::<True>::new(Warp::default());
    let waiter = Waiter::new(&server).unwrap();
    let mut client = UdpPort::bind(any()).unwrap();
    let mut late = Vec::new();
    for _ in 0..count {
        let mut batch = Batch::new();
        batch.push(relay.local_addr(), &raw_now().as_ns().to_le_bytes());
        client.send(&mut batch);
        waiter.wait(Span::from_s(20)).unwrap();
        let note = |_, at: Timestamp<True>, bytes: &mut [u8]| {
            let sent = i64::from_le_bytes(bytes.try_into().unwrap());
            late.push(at - Timestamp::from_ns(sent) - Span::from_ms(2));
        };
        server.recv(&clock, note).unwrap();
    }
    late
}
