//! Who may ask what.
//!
//! A web page in a browser on this machine also comes from a loopback address. Two checks keep it
//! out: a page names itself in `Origin`, and a page whose own name was pointed at this machine
//! (DNS rebinding) brings that name in `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use antiphon_api::{ErrorBody, ErrorCode};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::server::{Here, Peer};
use super::{Refused, Shared};

/// Lets only connections from this machine pass, and only if they came for it by one of its names.
pub async fn this_machine_only(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let here = request.extensions().get::<Here>().map(|here| here.0.ip().to_canonical());
    if !is_this_machine(peer, here) {
        return refuse(
            "the hub is controlled from its own machine only; run this command there (over ssh, for example)",
        );
    }
    if !host_of(request.headers()).is_some_and(|host| is_own_name(host, here)) {
        return refuse("the hub is not known by that name; address it as localhost or by its IP address");
    }
    next.run(request).await
}

/// Whether somebody on this machine asks, by one of its own names.
pub fn is_own_machine(peer: Peer, here: Here, headers: &HeaderMap) -> bool {
    let (peer, here) = (Some(peer.0.ip().to_canonical()), Some(here.0.ip().to_canonical()));
    is_this_machine(peer, here) && host_of(headers).is_some_and(|host| is_own_name(host, here))
}

/// Refuses what a page of another origin sends, on every address.
pub async fn no_foreign_page(State(_): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let here = request.extensions().get::<Here>().map(|here| here.0.ip().to_canonical());
    match request.headers().get(header::ORIGIN).map(|origin| origin.to_str()) {
        None => next.run(request).await,
        Some(Ok(origin)) if is_own_origin(origin, host_of(request.headers()), here) => {
            next.run(request).await
        }
        Some(_) => refuse("a web page of another site may not talk to this hub"),
    }
}

fn refuse(message: &str) -> Response {
    Refused(ErrorBody::new(ErrorCode::NotPermitted, message)).into_response()
}

/// A connection from a machine to its own outer address comes from that very address.
fn is_this_machine(peer: Option<IpAddr>, here: Option<IpAddr>) -> bool {
    peer.is_some_and(|peer| peer.is_loopback() || Some(peer) == here)
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// Whether `host` (with or without a port) is the loopback's name or the address `here`.
fn is_own_name(host: &str, here: Option<IpAddr>) -> bool {
    let name = without_port(host);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || Some(ip.to_canonical()) == here,
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a page of `origin` was itself served by this hub, under one of its own names. It names the port too, and
/// each port speaks either HTTP or HTTPS.
fn is_own_origin(origin: &str, host: Option<&str>, here: Option<IpAddr>) -> bool {
    let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let Some(origin) = origin else { return false };
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin)) && is_own_name(origin, here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Option<IpAddr> {
        Some("192.168.1.20".parse().unwrap())
    }

    #[test]
    fn the_hub_answers_to_loopback_names_and_its_own_address() {
        for host in
            ["localhost", "LocalHost:7755", "127.0.0.1:7755", "[::1]:80", "[::1]", "192.168.1.20:7755"]
        {
            assert!(is_own_name(host, here()), "{host}");
        }
    }

    #[test]
    fn a_name_pointed_at_this_machine_by_somebody_else_is_refused() {
        for host in ["evil.example", "evil.example:7755", "192.168.1.99", "localhost.evil.example", "", ":"] {
            assert!(!is_own_name(host, here()), "{host}");
        }
    }

    #[test]
    fn only_a_page_of_the_hub_itself_passes() {
        let host = Some("127.0.0.1:7755");
        assert!(is_own_origin("http://127.0.0.1:7755", host, here()));
        assert!(is_own_origin("https://127.0.0.1:7755", host, here()));
        for origin in ["http://evil.example", "https://127.0.0.1:7756", "null", "http://127.0.0.1:8000"] {
            assert!(!is_own_origin(origin, host, here()), "{origin}");
        }
        // Rebound: name and origin agree, and neither is the hub's.
        assert!(!is_own_origin("http://evil.example", Some("evil.example"), here()));
    }

    #[test]
    fn another_machine_is_not_this_one() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(is_this_machine(ip("127.0.0.1"), ip("127.0.0.1")));
        assert!(is_this_machine(here(), here()));
        assert!(!is_this_machine(ip("192.168.1.99"), here()));
        assert!(!is_this_machine(None, None));
    }
}
