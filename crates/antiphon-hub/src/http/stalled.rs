//! Connections whose other end has gone without a word, or never meant to listen.
//!
//! Each part of a request or an answer must come on; how long the whole takes is nobody's fault on a slow network.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Nothing of a request's body for this long, and its sender is gone: phones leave the network without a word.
const BODY_SILENCE: Duration = Duration::from_secs(10);

/// Nothing taken of an answer for this long, and nobody reads it: as long as a phone that sleeps keeps its session.
pub const UNREAD: Duration = Duration::from_secs(30);

/// Gives up a request whose body does not come.
pub async fn slow_bodies(request: Request, next: Next) -> Response {
    next.run(request.map(|body| coming(body, BODY_SILENCE))).await
}

/// `body`, which breaks off where nothing of it comes for `patience`.
fn coming(body: Body, patience: Duration) -> Body {
    // What carries no body, an upgrade above all, stays as it is.
    if body.is_end_stream() {
        return body;
    }
    let pieces = stream::unfold(Some(body.into_data_stream()), move |body| async move {
        let mut body = body?;
        match timeout(patience, body.next()).await {
            Ok(piece) => Some((piece?.map_err(io::Error::other), Some(body))),
            Err(_) => Some((Err(silent(patience)), None)),
        }
    });
    Body::from_stream(pieces)
}

fn silent(patience: Duration) -> io::Error {
    let said = format!("nothing more of the request came for {} s", patience.as_secs_f32());
    io::Error::new(ErrorKind::TimedOut, said)
}

/// A connection that ends where its other end takes nothing for `patience` of what is written.
pub struct Unstalled<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be taken.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstalled<S> {
    /// `stream` with that patience.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, until: None }
    }

    /// What came of a try to write: the clock runs from the first that had to wait to the next that had not.
    fn watch<T>(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.until = None;
            return tried;
        }
        let patience = self.patience;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(until.as_mut().poll(cx));
        // Whoever tries again after this gets the same answer at once.
        until.as_mut().reset(Instant::now());
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the other end reads nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(cx, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A socket has nothing to flush, which says nothing of the other end.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, tried)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(60);

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn an_answer_that_nobody_reads_ends_its_connection() {
        run(async {
            let (here, there) = duplex(64);
            let mut here = Unstalled::new(here, PATIENCE);
            let error = here.write_all(&[0; 1_000]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert_eq!(here.write(&[0]).await.unwrap_err().kind(), ErrorKind::TimedOut, "and it stays so");
            drop(there);
        });
    }

    #[test]
    fn one_that_is_read_slowly_arrives() {
        run(async {
            let (here, mut there) = duplex(10);
            let mut here = Unstalled::new(here, PATIENCE);
            let slowly = async {
                let mut taken = [0; 10];
                for _ in 0..10 {
                    sleep(PATIENCE / 3).await;
                    there.read_exact(&mut taken).await.unwrap();
                }
            };
            let (written, ()) = tokio::join!(here.write_all(&[0; 100]), slowly);
            written.unwrap();
        });
    }

    #[test]
    fn a_body_may_come_slowly_but_must_come() {
        run(async {
            let pieces = |gaps: [u32; 3]| {
                let pieces = stream::iter(gaps).then(|gap| async move {
                    sleep(PATIENCE * gap / 3).await;
                    io::Result::Ok("ab")
                });
                axum::body::to_bytes(coming(Body::from_stream(pieces), PATIENCE), 100)
            };
            assert_eq!(pieces([2, 2, 2]).await.unwrap(), "ababab");
            let error = pieces([0, 9, 0]).await.unwrap_err().to_string();
            assert!(error.contains("nothing more"), "{error}");
        });
    }
}
