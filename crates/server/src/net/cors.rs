//! Which pages of other origins may read what is served under `/api`, and polls of Socket.IO (the Fetch standard, "CORS
//! protocol"): listed origins with the cookie, all others without.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::http::Site;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key";
const EXPOSED: &str = "ETag, Location, Retry-After, WWW-Authenticate";
/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: &str = "600";

/// Answers preflights, and adds to every response who may read it.
pub async fn layer(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/api/") && !path.starts_with("/socket.io") {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS
        && origin.is_some()
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    if is_preflight {
        let mut add = |name, value| headers.insert(name, HeaderValue::from_static(value));
        add(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        add(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        add(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    allow(headers, origin, &site);
    response
}

fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>, site: &Site) {
    let listed =
        origin.filter(|origin| origin.to_str().is_ok_and(|origin| site.rules.is_listed(origin)));
    match listed {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        None => {
            let all = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, all);
        }
    }
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
