//! The page and the join page, carried by this program: `web/dist`, as it was when the program was built.
//!
//! `/` is the page, `/j` is what a phone opens to become a speaker, `/assets` is what both are made of. They hold no
//! secret and are anybody's to read: what they may do is decided where they ask for it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use antiphon_api::{ErrorBody, ErrorCode};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use super::Refused;
use super::server::{Encrypted, Here};

/// Empty where the page was not built: the program builds without it, and says so when asked for it.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// What a page may do: nothing but what the hub itself serves, and no frame of another site around it. Connections go
/// to this hub, which each browser is to be told by scheme.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
                      media-src 'self' blob: data:; style-src 'self'; script-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=()"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Of answers that a browser takes for safe: alone in its process a page has a clock in steps of 5 us. Elsewhere browsers complain of
/// them in every page's console and do nothing.
const ISOLATION: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
];

/// Names of files in `assets/` carry a hash of what is in them: they never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Smaller than this, packing saves no packet.
const WORTH_PACKING: usize = 1_400;

/// One file, as it is sent.
struct Page {
    plain: Bytes,
    packed: Option<Bytes>,
    tag: String,
    kind: &'static str,
    caching: &'static str,
}

/// Adds the [`HEADERS`] to an answer, and where they help [`ISOLATION`].
pub async fn secured(request: Request, next: Next) -> Response {
    let is_safe = is_safe(&request);
    let mut response = next.run(request).await;
    let isolation = ISOLATION.into_iter().filter(|_| is_safe);
    for (name, value) in HEADERS.into_iter().chain(isolation) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether browsers take the connection for safe: an encrypted one, or one inside this machine.
fn is_safe(request: &Request) -> bool {
    let Encrypted(encrypted) = request.extensions().get().copied().unwrap_or(Encrypted(false));
    encrypted || request.extensions().get().is_some_and(|Here(here)| here.ip().to_canonical().is_loopback())
}

/// Any address that is nothing else's.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let nothing = |message: &str| Refused(ErrorBody::new(ErrorCode::NotFound, message)).into_response();
    if !matches!(method, Method::GET | Method::HEAD) {
        return nothing("there is nothing at this address of the hub");
    }
    match (pages().get(file_of(uri.path())), uri.path()) {
        (Some(page), _) => answer(page, &headers),
        (None, "/" | "/j") => nothing(
            "this program was built without its page: build it with `npm run build` in web/, then the program anew; \
             every command of `antiphon` works without it",
        ),
        (None, _) => nothing("there is nothing at this address of the hub"),
    }
}

fn file_of(path: &str) -> &str {
    match path {
        "/" => "index.html",
        "/j" => "j.html",
        path => path.trim_start_matches('/'),
    }
}

/// Every file by its name: a name that is asked for is looked up here and never becomes a path.
fn pages() -> &'static BTreeMap<String, Page> {
    static PAGES: OnceLock<BTreeMap<String, Page>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let named = |name: std::borrow::Cow<'static, str>| {
            Some((name.to_string(), Page::new(&name, Bytes::from(Dist::get(&name)?.data.into_owned()))))
        };
        Dist::iter().filter(|name| !name.starts_with('.')).filter_map(named).collect()
    })
}

impl Page {
    fn new(name: &str, plain: Bytes) -> Self {
        let (kind, text) = kind_of(name);
        let packed = (text && plain.len() >= WORTH_PACKING).then(|| packed(&plain)).flatten();
        let caching = if name.starts_with("assets/") { FOR_EVER } else { "no-cache" };
        Self { tag: tag_of(&plain), packed, plain, kind, caching }
    }
}

/// What a file is, and whether it is text, which packing makes smaller.
fn kind_of(name: &str) -> (&'static str, bool) {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => ("text/html; charset=utf-8", true),
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "svg" => ("image/svg+xml", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "ico" => ("image/x-icon", false),
        "woff2" => ("font/woff2", false),
        "wav" => ("audio/wav", false),
        "mp3" => ("audio/mpeg", false),
        _ => ("application/octet-stream", false),
    }
}

fn tag_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn packed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < plain.len()).then(|| packed.into())
}

fn answer(page: &Page, asked: &HeaderMap) -> Response {
    let takes = |name, what: &str| {
        let values = asked.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().split(';').next() == Some(what))
    };
    let packed = page.packed.as_ref().filter(|_| takes(header::ACCEPT_ENCODING, "gzip"));
    let tag = format!("\"{}{}\"", page.tag, if packed.is_some() { "-gz" } else { "" });
    let mut answer = Response::builder()
        .header(header::CONTENT_TYPE, page.kind)
        .header(header::CACHE_CONTROL, page.caching)
        .header(header::VARY, "accept-encoding")
        .header(header::ETAG, &tag);
    let body = if takes(header::IF_NONE_MATCH, &tag) {
        answer = answer.status(StatusCode::NOT_MODIFIED);
        Bytes::new()
    } else {
        if packed.is_some() {
            answer = answer.header(header::CONTENT_ENCODING, "gzip");
        }
        packed.unwrap_or(&page.plain).clone()
    };
    // Every header above is of this program's making, and sound.
    answer.body(Body::from(body)).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(headers: &[(HeaderName, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_page_is_alone_in_its_process_where_browsers_take_the_connection_for_safe() {
        let asked = |encrypted, here: &str| {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(Encrypted(encrypted));
            request.extensions_mut().insert(Here(here.parse().unwrap()));
            is_safe(&request)
        };
        assert!(asked(true, "192.168.1.2:7756") && asked(false, "127.0.0.1:7755"));
        assert!(asked(false, "[::ffff:127.0.0.1]:7755") && !asked(false, "192.168.1.2:7755"));
    }

    #[test]
    fn a_file_is_sent_packed_to_who_takes_that_and_once_only() {
        let page = Page::new("assets/app-1a2b.js", Bytes::from(vec![b'x'; 9_000]));
        let plain = answer(&page, &asking(&[]));
        assert_eq!(plain.headers()[header::CACHE_CONTROL], FOR_EVER);
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let packed = answer(&page, &asking(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let tag = packed.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_ne!(plain.headers()[header::ETAG], tag);
        let again = [(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, tag.as_str())];
        assert_eq!(answer(&page, &asking(&again)).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer(&page, &asking(&again[1..])).status(), StatusCode::OK, "the plain one is another");
    }

    #[test]
    fn pages_are_asked_for_anew_and_what_is_packed_already_is_not_packed() {
        let page = Page::new("index.html", Bytes::from_static(b"<!doctype html>"));
        assert_eq!(answer(&page, &asking(&[])).headers()[header::CACHE_CONTROL], "no-cache");
        assert!(Page::new("a.png", Bytes::from(vec![0; 9_000])).packed.is_none());
        assert_eq!(
            (file_of("/"), file_of("/j"), file_of("/assets/a.js")),
            ("index.html", "j.html", "assets/a.js")
        );
    }
}
