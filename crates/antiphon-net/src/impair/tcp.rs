//! The relay's connections: bytes arrive late, in order, all of them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use antiphon_base::{Span, Timestamp, True};

use super::Shared;
use crate::clock::{raw_now, sleep_until};

/// Connections at one time: each takes four threads.
const MAX_CONNECTIONS: usize = 256;

/// Pieces under way in one direction of one connection: beyond that the sender waits, as TCP does.
const MAX_UNDER_WAY: usize = 256;

/// How soon a stop or a blackout's end is noticed.
const LOOK: Duration = Duration::from_millis(20);

/// How long the server may take to answer a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Passes connections until the relay is stopped.
pub(super) fn run(listener: &TcpListener, shared: &Shared) {
    if let Err(error) = listener.set_nonblocking(true) {
        tracing::error!("the relay takes no connections: {error}");
        return;
    }
    std::thread::scope(|scope| {
        let mut connections: Vec<ScopedJoinHandle<'_, ()>> = Vec::new();
        while !shared.stopped() {
            connections.retain(|connection| !connection.is_finished());
            match listener.accept() {
                _ if shared.is_dark(raw_now()) => std::thread::sleep(LOOK),
                Ok((client, _)) if connections.len() < MAX_CONNECTIONS => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.push(scope.spawn(move || serve(client, shared)));
                }
                // The client sees its connection closed and tries again.
                Ok(_) => {}
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    });
}

fn serve(client: TcpStream, shared: &Shared) {
    let outcome = connect(&client, shared.config.to).and_then(|server| pass_both(&client, &server, shared));
    if let Err(error) = outcome {
        tracing::debug!("relayed connection to {}: {error}", shared.config.to);
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn connect(client: &TcpStream, to: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect_timeout(&to, CONNECT)?;
    for stream in [client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK))?;
    }
    Ok(server)
}

fn pass_both(client: &TcpStream, server: &TcpStream, shared: &Shared) -> io::Result<()> {
    let delay = shared.config.delay;
    std::thread::scope(|scope| {
        let back = scope.spawn(|| pass(server, client, delay.back, shared));
        let forth = pass(client, server, delay.to_server, shared);
        let back = back.join().unwrap_or_else(|_| Err(io::Error::other("a relay thread panicked")));
        forth.and(back)
    })
}

/// One direction, until its end is passed on.
fn pass(from: &TcpStream, to: &TcpStream, delay: Span, shared: &Shared) -> io::Result<()> {
    let (pieces, due) = sync_channel(MAX_UNDER_WAY);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write_pieces(to, due, shared));
        let reading = read_pieces(from, pieces, delay, shared);
        let writing = writing.join().unwrap_or_else(|_| Err(io::Error::other("a relay thread panicked")));
        // The other direction may go on, but not into a broken connection.
        if reading.is_err() || writing.is_err() {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        }
        reading.and(writing)
    })
}

type Piece = (Timestamp<True>, Vec<u8>);

fn read_pieces(
    mut from: &TcpStream,
    pieces: SyncSender<Piece>,
    delay: Span,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1_024];
    while !shared.stopped() {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                // An error: the writing half has ended and said why.
                if pieces.send((raw_now() + delay, buffer[..count].to_vec())).is_err() {
                    break;
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_pieces(to: &TcpStream, pieces: Receiver<Piece>, shared: &Shared) -> io::Result<()> {
    for (due, bytes) in pieces {
        sleep_until(due);
        while shared.is_dark(raw_now()) && !shared.stopped() {
            std::thread::sleep(LOOK);
        }
        write_all(to, &bytes, shared)?;
    }
    to.shutdown(Shutdown::Write)
}

fn write_all(mut to: &TcpStream, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    while !bytes.is_empty() && !shared.stopped() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
