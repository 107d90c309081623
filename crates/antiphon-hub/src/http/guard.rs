//! Who may ask what.
//!
//! From the hub's own machine everything is allowed. A web page in a browser there also comes from a loopback
//! address, so two checks keep it out: a page names itself in `Origin`, and a page whose own name was pointed
//! at this machine (DNS rebinding) brings that name in `Host`. From other machines a token is needed, and the
//! table of [`roles`] says which role an address takes.

use std::net::IpAddr;
use std::sync::Arc;

use antiphon_api::{AccessRole, ErrorBody, ErrorCode};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::server::{Here, Peer};
use super::{Refused, Shared, access, roles};

const FOREIGN_NAME: &str =
    "the hub is not known by that name; address it by its IP address or its machine's name";

/// What whoever asks may do. Every request to an address behind [`admit`] carries one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it may do.
    pub role: AccessRole,
    /// It comes from the hub's own machine.
    pub this_machine: bool,
    /// Its place in the list of those let in, where it came with a token.
    pub id: Option<String>,
}

impl Grant {
    /// Waits until it was thrown out: what stays open long (a WebSocket) ends then.
    pub async fn ended(&self, shared: &Shared) {
        let Some(id) = self.id.as_ref().filter(|_| !self.this_machine) else {
            return std::future::pending().await;
        };
        let mut changes = shared.door.watch();
        // The sender lives as long as `shared`.
        while shared.store.has_access(id) && changes.changed().await.is_ok() {}
    }
}

/// Lets a request pass that comes by one of the hub's names from somebody whose role suffices.
pub async fn admit(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let caller = Caller::of(&request);
    if !caller.came_by_own_name(&shared, &request) {
        return refuse(FOREIGN_NAME);
    }
    let grant = caller.grant(&shared, request.headers());
    let place = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // What is at no address at all is nobody's secret.
    if let Some(path) = place
        && let Err(answer) = may(&grant, request.method().as_str(), &path)
    {
        return *answer;
    }
    request.extensions_mut().insert(grant);
    next.run(request).await
}

/// Whether a browser may be a speaker without a code: it is on the hub's own machine, or was let in to control.
pub fn needs_no_code(shared: &Shared, peer: Peer, here: Here, headers: &HeaderMap) -> bool {
    let caller = Caller::between(Some(peer), Some(here), headers);
    let own_name = host_of(headers).is_some_and(|host| is_own_name(host, caller.here, &shared.names));
    own_name && caller.grant(shared, headers).role >= AccessRole::Control
}

fn may(grant: &Grant, method: &str, path: &str) -> Result<(), Box<Response>> {
    match roles::needed(method, path) {
        Some(needed) if grant.role >= needed => Ok(()),
        // What is in no row is for this machine alone, until somebody has thought about it.
        None if grant.this_machine => Ok(()),
        _ if grant.role == AccessRole::None => Err(Box::new(login_first())),
        Some(needed) => {
            let message = format!("this takes the role {needed}, and you were let in as {}", grant.role);
            Err(Box::new(refuse(&message)))
        }
        None => Err(Box::new(refuse("this is for the hub's own machine only"))),
    }
}

/// Refuses what a page of another origin sends, and what was addressed to somebody else's name, on every address.
pub async fn no_foreign_page(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let here = Caller::of(&request).here;
    let foreign = host_of(request.headers()).is_some_and(|host| is_foreign_name(host, here, &shared.names));
    if foreign && !is_for_no_browser(&request) {
        return refuse(FOREIGN_NAME);
    }
    match request.headers().get(header::ORIGIN).map(|origin| origin.to_str()) {
        None => next.run(request).await,
        Some(Ok(origin)) if is_own_origin(origin, host_of(request.headers()), here, &shared.names) => {
            next.run(request).await
        }
        Some(_) => refuse("a web page of another site may not talk to this hub"),
    }
}

fn refuse(message: &str) -> Response {
    Refused(ErrorBody::new(ErrorCode::NotPermitted, message)).into_response()
}

fn login_first() -> Response {
    let message = "this machine has not been let in: run `antiphon access` on the hub's machine, and type the \
                   code it shows into the page, or here into `antiphon access --use CODE`";
    let mut answer = Refused(ErrorBody::new(ErrorCode::LoginNeeded, message)).into_response();
    answer
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"antiphon\""));
    answer
}

/// Both ends of a request's connection.
struct Caller {
    peer: Option<IpAddr>,
    here: Option<IpAddr>,
    /// A proxy brought it, from whomever.
    relayed: bool,
}

impl Caller {
    fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self::between(extensions.get().copied(), extensions.get().copied(), request.headers())
    }

    fn between(peer: Option<Peer>, here: Option<Here>, headers: &HeaderMap) -> Self {
        let peer = peer.map(|peer| peer.0.ip().to_canonical());
        let here = here.map(|here| here.0.ip().to_canonical());
        let relayed = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        let relayed = relayed.iter().any(|name| headers.contains_key(*name));
        Self { peer, here, relayed }
    }

    fn is_this_machine(&self) -> bool {
        !self.relayed && is_this_machine(self.peer, self.here)
    }

    /// A name is dangerous in a browser's hands alone. A browser sends a token of its own accord as a cookie
    /// only, and names the page in `Origin` whenever it changes something.
    fn came_by_own_name(&self, shared: &Shared, request: &Request) -> bool {
        let host = host_of(request.headers());
        host.is_some_and(|host| is_own_name(host, self.here, &shared.names))
            || (!self.is_this_machine() && is_of_no_browser(request))
    }

    fn grant(&self, shared: &Shared, headers: &HeaderMap) -> Grant {
        let known = access::token(headers).and_then(|(token, _)| access::holder(shared, token));
        let (role, id) = known.map_or((AccessRole::None, None), |access| (access.role, Some(access.id)));
        match self.is_this_machine() {
            true => Grant { role: AccessRole::Admin, this_machine: true, id },
            false => Grant { role, this_machine: false, id },
        }
    }
}

/// A connection from a machine to its own outer address comes from that very address.
pub fn is_this_machine(peer: Option<IpAddr>, here: Option<IpAddr>) -> bool {
    peer.is_some_and(|peer| peer.is_loopback() || Some(peer) == here)
}

/// The address of who comes from another machine.
pub fn stranger(peer: Peer, here: Here) -> Option<IpAddr> {
    let [peer, here] = [peer.0, here.0].map(|at| at.ip().to_canonical());
    (!is_this_machine(Some(peer), Some(here))).then_some(peer)
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// Whether no browser sends such a request for a page.
fn is_of_no_browser(request: &Request) -> bool {
    let headers = request.headers();
    access::token(headers).is_some_and(|(_, said)| said)
        || (!request.method().is_safe() && !headers.contains_key(header::ORIGIN))
}

/// Whether a request may come by any name. A speaker calls its hub as the network does that it is in, and each of
/// the two proves who it is; a browser that opens a WebSocket names the page in `Origin`.
fn is_for_no_browser(request: &Request) -> bool {
    let speaker = request.uri().path() == "/session" && !request.headers().contains_key(header::ORIGIN);
    speaker || is_of_no_browser(request)
}

/// Whether `host` is a name, and none of the hub's. Nobody points an address at another machine.
fn is_foreign_name(host: &str, here: Option<IpAddr>, names: &[String]) -> bool {
    !is_address(host) && !is_own_name(host, here, names)
}

fn is_address(host: &str) -> bool {
    bare(host).parse::<IpAddr>().is_ok()
}

/// Whether `host` (with or without a port) is the loopback's name, the address `here` or one of the machine's names.
fn is_own_name(host: &str, here: Option<IpAddr>, names: &[String]) -> bool {
    let bare = bare(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || Some(ip.to_canonical()) == here,
        Err(_) => {
            bare.eq_ignore_ascii_case("localhost") || names.iter().any(|name| bare.eq_ignore_ascii_case(name))
        }
    }
}

fn bare(host: &str) -> &str {
    let name = without_port(host);
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a page of `origin` was itself served by this hub, under one of its own names.
fn is_own_origin(origin: &str, host: Option<&str>, here: Option<IpAddr>, names: &[String]) -> bool {
    let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let Some(origin) = origin else { return false };
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin)) && is_own_name(origin, here, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Option<IpAddr> {
        Some("192.168.1.20".parse().unwrap())
    }

    fn names() -> Vec<String> {
        vec!["attic".into(), "attic.local".into()]
    }

    #[test]
    fn the_hub_answers_to_loopback_names_its_own_address_and_its_machines_names() {
        for host in [
            "localhost",
            "LocalHost:7755",
            "127.0.0.1:7755",
            "[::1]:80",
            "[::1]",
            "192.168.1.20:7755",
            "Attic.local:7755",
            "attic",
        ] {
            assert!(is_own_name(host, here(), &names()), "{host}");
        }
    }

    #[test]
    fn a_name_pointed_at_this_machine_by_somebody_else_is_refused() {
        for host in [
            "evil.example",
            "evil.example:7755",
            "192.168.1.99",
            "localhost.evil.example",
            "attic.local.evil.example",
            "attic.local.",
            "",
            ":",
        ] {
            assert!(!is_own_name(host, here(), &names()), "{host}");
        }
    }

    #[test]
    fn an_address_is_never_a_foreign_name_and_neither_is_a_name_of_the_machine() {
        for host in ["192.168.1.99", "10.0.0.1:7755", "[fd00::1]:7755", "localhost", "attic.local:7755"] {
            assert!(!is_foreign_name(host, here(), &names()), "{host}");
        }
        for host in ["evil.example", "evil.example:7755", "1.2.3.4.evil.example", ""] {
            assert!(is_foreign_name(host, here(), &names()), "{host}");
        }
    }

    #[test]
    fn only_a_page_of_the_hub_itself_passes() {
        for own in ["127.0.0.1:7755", "192.168.1.20:7756", "attic.local:7755"] {
            for scheme in ["http", "https"] {
                assert!(is_own_origin(&format!("{scheme}://{own}"), Some(own), here(), &names()), "{own}");
            }
        }
        let host = Some("127.0.0.1:7755");
        for origin in ["http://evil.example", "ftp://127.0.0.1:7755", "null", "http://127.0.0.1:8000", ""] {
            assert!(!is_own_origin(origin, host, here(), &names()), "{origin}");
        }
        // Rebound: name and origin agree, and neither is the hub's.
        assert!(!is_own_origin("http://evil.example", Some("evil.example"), here(), &names()));
    }

    #[test]
    fn another_machine_is_not_this_one_and_neither_is_what_a_proxy_here_brings() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(is_this_machine(ip("127.0.0.1"), ip("127.0.0.1")));
        assert!(is_this_machine(here(), here()));
        assert!(!is_this_machine(ip("192.168.1.99"), here()));
        assert!(!is_this_machine(None, None));
        let caller = Caller { peer: ip("127.0.0.1"), here: ip("127.0.0.1"), relayed: true };
        assert!(!caller.is_this_machine());
    }

    #[test]
    fn each_role_may_what_its_row_says_and_nobody_what_has_no_row() {
        let grant = |role, this_machine| Grant { role, this_machine, id: None };
        let status = |role, this_machine, method, path| match may(&grant(role, this_machine), method, path) {
            Ok(()) => 200,
            Err(answer) => answer.status().as_u16(),
        };
        use AccessRole::{Admin, Control, Listen, None as Nobody};
        for (role, expected) in
            [(Nobody, [401, 401, 401]), (Listen, [200, 403, 403]), (Control, [200, 200, 403])]
        {
            let asked = [("GET", "/api/v1/status"), ("POST", "/api/v1/transport"), ("GET", "/api/v1/access")];
            assert_eq!(asked.map(|(method, path)| status(role, false, method, path)), expected, "{role}");
        }
        assert_eq!(status(Admin, false, "GET", "/api/v1/access"), 200);
        assert_eq!(status(Nobody, false, "POST", "/api/v1/login"), 200);
        for role in [Nobody, Listen, Control, Admin] {
            assert_ne!(status(role, false, "GET", "/api/v1/forgotten"), 200);
            assert_ne!(status(role, false, "DELETE", "/api/v1/status"), 200);
        }
        assert_eq!(status(Admin, true, "GET", "/api/v1/forgotten"), 200);
    }
}
