//! Which browsers are let in.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use antiphon_api::{BrowserReply, BrowserRequest, JoinRefusal, json};
use antiphon_proto::session::{browser_speaker_id, identity};
use axum::extract::ws::{Message, WebSocket};
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

use super::bucket::Bucket;
use crate::http::Shared;
use crate::http::session::Ended;
use crate::media::Visit;
use crate::state::{JoinCodes, Judged, random_bytes};

/// A page says what it wants as soon as it is connected.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A browser that does not take an answer for this long is not there.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Browsers on their way in at once. One takes a round trip; what waits holds no place of a speaker's handshake.
const MAX_ARRIVING: usize = 64;

/// Wrong codes from one address: a person's slips, and a phone that is stubborn. There are 2^50 codes: no number of
/// tries finds one; this keeps strangers from wasting the hub's time.
const WRONG_CODES: Bucket = Bucket::new(10, Duration::from_secs(6));

/// Addresses whose wrong codes are counted: with more than that somebody plays with addresses.
const MAX_GUESSERS: usize = 256;

/// Who comes.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// From where.
    pub peer: SocketAddr,
    /// Over HTTPS.
    pub encrypted: bool,
    /// It needs no code.
    pub trusted: bool,
    /// Its address, where it is not on this machine.
    pub stranger: Option<IpAddr>,
}

/// What is to be kept of those who were not let in.
#[derive(Debug)]
pub struct Arrivals {
    arriving: Semaphore,
    guessers: Mutex<BTreeMap<IpAddr, Bucket>>,
}

impl Arrivals {
    /// Nobody has come yet.
    pub fn new() -> Self {
        Self { arriving: Semaphore::new(MAX_ARRIVING), guessers: Mutex::default() }
    }

    /// Counts a wrong code; `false` when there were too many.
    fn allow_wrong(&self, from: IpAddr) -> bool {
        let mut guessers = self.guessers.lock().unwrap_or_else(PoisonError::into_inner);
        if guessers.len() >= MAX_GUESSERS && !guessers.contains_key(&from) {
            guessers.retain(|_, bucket| !bucket.is_full());
            if guessers.len() >= MAX_GUESSERS {
                return false;
            }
        }
        guessers.entry(from).or_insert(WRONG_CODES).spend()
    }
}

type Refused = (JoinRefusal, String);

/// Hears what a browser wants and answers it; who it is where it is let in.
pub async fn admit(shared: &Shared, socket: &mut WebSocket, visitor: Visitor) -> Result<Visit, Ended> {
    let first = {
        // Who says nothing holds no place.
        let newcomer = shared.newcomers.enter(visitor.stranger);
        let said = newcomer.unless_sent_away(timeout(JOIN_TIMEOUT, socket.recv())).await;
        said.ok_or_else(|| Ended::because("too many others of that machine came after it"))?
    };
    // Closed only with the process.
    let _place = shared.arrivals.arriving.acquire().await.map_err(Ended::because)?;
    let judged = match first {
        Ok(Some(Ok(Message::Text(text)))) => judge(shared, text.as_bytes(), visitor),
        Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return Err(Ended::because("the page was closed")),
        Ok(Some(Ok(_))) | Err(_) => {
            Err((JoinRefusal::BadMessage, "a browser's first message is \"join\", within 5 s".to_owned()))
        }
    };
    match judged {
        Ok(visit) => {
            let ticket = visit.ticket.iter().map(|byte| format!("{byte:02x}")).collect();
            send(socket, &BrowserReply::Joined { ticket }).await?;
            Ok(visit)
        }
        Err((code, message)) => {
            tracing::info!("a browser at {} was not let in: {message}", visitor.peer.ip());
            send(socket, &BrowserReply::Refused { code, message: message.clone() }).await?;
            let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await;
            Err(Ended(message))
        }
    }
}

fn judge(shared: &Shared, text: &[u8], visitor: Visitor) -> Result<Visit, Refused> {
    let bad = |message: String| (JoinRefusal::BadMessage, message);
    let BrowserRequest::Join { code, key } =
        json::read("the browser's first message", text).map_err(|error| bad(error.message))?
    else {
        return Err(bad("a browser's first message here is \"join\"".to_owned()));
    };
    let key = identity::key_from_hex(&key).map_err(|error| bad(error.to_string()))?;
    let code = match code {
        Some(code) => Some(check(&shared.arrivals, &shared.join_codes, &code, visitor.peer.ip())?),
        None if visitor.trusted => None,
        None => {
            let message =
                "a join code is needed: open the link that `antiphon join` shows on the hub's machine";
            return Err((JoinRefusal::WrongCode, message.to_owned()));
        }
    };
    let ticket = random_bytes().map_err(|error| (JoinRefusal::Full, error.to_string()))?;
    let Visitor { peer, encrypted, .. } = visitor;
    Ok(Visit { id: browser_speaker_id(&key), peer, encrypted, ticket, code })
}

/// The id of a code that is good.
fn check(arrivals: &Arrivals, codes: &JoinCodes, code: &str, from: IpAddr) -> Result<String, Refused> {
    let ask = "ask for a new link, or make one with `antiphon join` on the hub's machine";
    match codes.judge(super::codes::now_s(), code) {
        Judged::Good { id } => Ok(id),
        Judged::Expired => Err((JoinRefusal::Expired, format!("this join code has expired: {ask}"))),
        Judged::Wrong if arrivals.allow_wrong(from) => {
            Err((JoinRefusal::WrongCode, format!("there is no such join code: {ask}")))
        }
        Judged::Wrong => Err((
            JoinRefusal::Full,
            "too many wrong join codes came from here: try again in a minute".to_owned(),
        )),
    }
}

async fn send(socket: &mut WebSocket, reply: &BrowserReply) -> Result<(), Ended> {
    let text = String::from_utf8(json::write(reply)).map_err(Ended::because)?;
    match timeout(SEND_TIMEOUT, socket.send(Message::text(text))).await {
        Ok(sent) => sent.map_err(Ended::because),
        Err(_) => Err(Ended::because("the browser does not read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_codes_from_one_address_are_bounded_and_hinder_nobody_else() {
        let arrivals = Arrivals::new();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!((0..20).filter(|_| arrivals.allow_wrong(a)).count(), 10);
        assert!(arrivals.allow_wrong(b));
        for n in 0..2 * MAX_GUESSERS as u128 {
            arrivals.allow_wrong(std::net::Ipv6Addr::from(n).into());
        }
        assert!(arrivals.guessers.lock().unwrap().len() <= MAX_GUESSERS);
    }
}
