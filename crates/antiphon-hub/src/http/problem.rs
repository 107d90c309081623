//! Errors as answers (RFC 9457).

use antiphon_api::{ErrorBody, ErrorCode, json, problem};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Longest sentence of a library that is handed on.
const MAX_WORDS: usize = 1_024;

/// An error as an HTTP answer.
#[derive(Debug)]
pub struct Refused(pub ErrorBody);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = status.canonical_reason().unwrap_or_default();
        let body = json::write(&problem(status.as_u16(), title, self.0));
        let headers =
            [(header::CONTENT_TYPE, TYPE), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (status, headers, body).into_response()
    }
}

impl From<ErrorBody> for Refused {
    fn from(error: ErrorBody) -> Self {
        Self(error)
    }
}

impl From<crate::media::Stalled> for Refused {
    fn from(stalled: crate::media::Stalled) -> Self {
        Self(ErrorBody::new(ErrorCode::Busy, stalled.to_string()))
    }
}

/// Makes a problem of every error that is none yet: of a path that does not read, a body that is too long, a
/// method that is not known, an upgrade that was not asked for.
pub async fn tell_all(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error())
        || answer.headers().get(header::CONTENT_TYPE) == Some(&TYPE)
    {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let mut told = Refused(ErrorBody::new(code(status), words(status, body).await)).into_response();
    *told.status_mut() = status;
    for (name, value) in parts.headers.iter().filter(|(name, _)| is_kept(name)) {
        told.headers_mut().insert(name, value.clone());
    }
    told
}

fn is_kept(name: &header::HeaderName) -> bool {
    *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING
}

fn code(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        status if status.is_client_error() => ErrorCode::BadRequest,
        _ => ErrorCode::Internal,
    }
}

async fn words(status: StatusCode, body: Body) -> String {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => return "this address does not know that method".into(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            return "the body of the request is longer than this address takes".into();
        }
        _ => {}
    }
    let said = to_bytes(body, MAX_WORDS).await.unwrap_or_default();
    match std::str::from_utf8(&said).map(str::trim) {
        Ok(said) if !said.is_empty() => said.to_owned(),
        _ => status.canonical_reason().unwrap_or("the request was refused").to_owned(),
    }
}
