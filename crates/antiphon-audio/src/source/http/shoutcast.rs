//! Servers of the first SHOUTcast begin their answer with `ICY 200 OK`, which is no HTTP. Their
//! status line is made one before it is read; all that follows is HTTP/1.0 as it is.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

const OLD: &[u8] = b"ICY ";
const NEW: &[u8] = b"HTTP/1.0 ";

/// Puts a [`Translated`] around every connection.
#[derive(Debug)]
pub(super) struct Translator;

impl<In: Transport> Connector<In> for Translator {
    type Out = Translated<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Translated { inner, begun: false }))
    }
}

/// A connection whose first bytes are looked at.
#[derive(Debug)]
pub(super) struct Translated<In> {
    inner: In,
    /// The first bytes of the answer are known.
    begun: bool,
}

impl<In: Transport> Transport for Translated<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        // A new question on the same connection gets a new answer.
        self.begun = false;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut came = self.inner.await_input(timeout)?;
        while came && !self.begun {
            let buffers = self.inner.buffers();
            let seen = buffers.input().len().min(OLD.len());
            if buffers.input()[..seen] != OLD[..seen] {
                self.begun = true;
            } else if seen == OLD.len() {
                translate(buffers);
                self.begun = true;
            } else {
                came = self.inner.await_input(timeout)?;
            }
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Exchanges the first word of the input.
fn translate(buffers: &mut dyn Buffers) {
    let rest = buffers.input()[OLD.len()..].to_vec();
    let all = buffers.input().len();
    buffers.input_consume(all);
    let answer = [NEW, &rest].concat();
    let room = buffers.input_append_buf();
    // The buffer is many times a first read; what does not fit would be headers without end.
    let fits = answer.len().min(room.len());
    room[..fits].copy_from_slice(&answer[..fits]);
    buffers.input_appended(fits);
}
