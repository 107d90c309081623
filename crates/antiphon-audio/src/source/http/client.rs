//! Questions to web and radio servers.

use std::io::{self, Read};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, BodyReader, ResponseExt};

use super::refusal::Refusal;
use super::shoutcast::Translator;

/// A connection is there after one round trip; this leaves room for two that were lost (1 and 2 s).
const CONNECT: Duration = Duration::from_secs(5);

/// A relay may first have to connect itself.
const ANSWER: Duration = Duration::from_secs(8);

/// A stream that is silent for longer than any server's buffer is dead, whatever the network says.
const READ: Duration = Duration::from_secs(10);

/// Stations redirect two or three times: to a name with encryption, to a balancer, to a relay.
const REDIRECTS: u32 = 8;

/// Headers of stations have some hundred bytes.
const MOST_HEADER: usize = 32 << 10;

/// Asks.
#[derive(Debug, Clone)]
pub(super) struct Client {
    agent: Agent,
}

/// What a server answered.
pub(super) struct Reply {
    /// Where it was found at last.
    pub(super) url: String,
    pub(super) is_part: bool,
    headers: HeaderMap,
    pub(super) body: BodyReader<'static>,
}

impl Client {
    /// # Errors
    /// The user names certificates that cannot be read.
    pub(super) fn new() -> Result<Self, Refusal> {
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots()?).build())
            .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .max_redirects(REDIRECTS)
            .max_response_header_size(MOST_HEADER)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(READ))
            .build();
        let connector = DefaultConnector::default().chain(Translator);
        Ok(Self { agent: Agent::with_parts(config, connector, DefaultResolver::default()) })
    }

    /// What is at `url`, from byte `from` on.
    ///
    /// # Errors
    /// Nothing is, or it does not come.
    pub(super) fn get(&self, url: &str, from: Option<u64>) -> Result<Reply, Refusal> {
        let mut request = self.agent.get(url);
        request = match from {
            Some(from) => request.header("Range", format!("bytes={from}-")),
            None => request.header("Icy-MetaData", "1"),
        };
        if is_own(url) {
            request = request.config().proxy(None).build();
        }
        let answer = request.call()?;
        let url = answer.get_uri().to_string();
        let (parts, body) = answer.into_parts();
        let is_part = parts.status == StatusCode::PARTIAL_CONTENT;
        Ok(Reply { url, is_part, headers: parts.headers, body: body.into_reader() })
    }

    /// Ends all that is being asked.
    pub(super) fn shutdown(&self) {
        self.agent.clone().shutdown();
    }
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(|value| value.as_bytes())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Its kind in small letters, as in `audio/mpeg`; empty where the server does not say.
    pub(super) fn kind(&self) -> String {
        let kind = self.text("content-type").unwrap_or("");
        kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    /// Its length in bytes, where it is said.
    pub(super) fn length(&self) -> Option<u64> {
        self.text("content-length").and_then(|text| text.trim().parse().ok())
    }

    /// Whether it comes from a radio server.
    pub(super) fn is_radio(&self) -> bool {
        self.headers.keys().any(|name| name.as_str().starts_with("icy-") || name.as_str().starts_with("ice-"))
    }

    /// Whether its end is marked: where it ends without, it may have been cut.
    pub(super) fn has_an_end(&self) -> bool {
        self.length().is_some() || self.text("transfer-encoding").is_some_and(|text| text.contains("chunked"))
    }

    /// Its next bytes, at most `most`; fewer where it ends, or `until` is over.
    ///
    /// # Errors
    /// It breaks off before anything came.
    pub(super) fn read_head(&mut self, most: u64, until: Instant) -> io::Result<Vec<u8>> {
        let (mut head, mut block) = (Vec::new(), [0; 1_024]);
        while (head.len() as u64) < most && Instant::now() < until {
            let room = (most - head.len() as u64).min(block.len() as u64) as usize;
            match self.body.read(&mut block[..room]) {
                Ok(0) => break,
                Ok(read) => head.extend_from_slice(&block[..read]),
                Err(error) if head.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(head)
    }
}

/// Whether `url` is on this machine: no proxy leads there.
fn is_own(url: &str) -> bool {
    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
    let host = host.rsplit('@').next().unwrap_or(host);
    let name = if host.ends_with(']') { host } else { host.rsplit_once(':').map_or(host, |(name, _)| name) };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Those that browsers trust; or those in the file that the user names, as for OpenSSL.
fn roots() -> Result<RootCerts, Refusal> {
    let Some(file) = std::env::var_os("SSL_CERT_FILE") else { return Ok(RootCerts::WebPki) };
    let said = |what: &str| Refusal::Tls(format!("{} in SSL_CERT_FILE {what}", file.display()));
    let text = std::fs::read(&file).map_err(|error| said(&format!("cannot be read: {error}")))?;
    let found = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(said("has no certificate")) } else { Ok(RootCerts::new_with_certs(&found)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_told_from_others() {
        for own in
            ["http://127.0.0.1:80/x", "http://LOCALHOST", "https://me:pw@[::1]:8000/a", "http://[::1]/"]
        {
            assert!(is_own(own), "{own}");
        }
        for other in
            ["http://localhost.example/", "http://127.example:80/", "http://192.0.2.1/127.0.0.1", "http://"]
        {
            assert!(!is_own(other), "{other}");
        }
    }
}
