//! Errors over HTTP (RFC 9457).

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellwire_services::kit::{Code, Fault};

use crate::faults;

/// A response that refuses: a stable code, and words for a person.
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    with_error(status, code, detail, None)
}

/// The same with the member `error`, for clients of another standard.
fn with_error(status: StatusCode, code: &str, detail: &str, error: Option<&str>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut body = serde_json::json!({ "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    if let Some(error) = error {
        body["error"] = error.into();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Body::from(format!("{body}\n"))).into_response()
}

/// What a fault is over HTTP. A fault of ours is logged, and not told.
pub fn of(fault: &Fault) -> Response {
    let detail = match fault.code {
        Code::Internal => {
            tracing::error!(cause = %fault, "a request failed");
            "a fault of ours; it was logged"
        }
        _ => &*fault.message,
    };
    let error = faults::oauth_error(fault.code);
    let mut response = with_error(faults::status(fault.code), fault.code.name(), detail, error);
    let headers = response.headers_mut();
    match fault.code {
        Code::Unauthenticated => {
            let challenge = HeaderValue::from_static("Bearer realm=\"bellwire\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Code::Overloaded | Code::Timeout | Code::Full => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What a service counts lasts for minutes. Where it is known to the second, `limited` says so.
        Code::RateLimited => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        _ => {}
    }
    response
}

/// The answer to one who asks too often: when to try again, and why.
pub fn limited(retry_s: u64, why: &'static str) -> Response {
    let mut response = of(&Fault::new(Code::RateLimited, why));
    response.headers_mut().insert(header::RETRY_AFTER, retry_s.into());
    response
}

/// The answer of a server that is shutting down.
pub fn draining() -> Response {
    let why = "the server is shutting down";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "DRAINING", why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
