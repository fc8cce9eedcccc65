//! From an HTTP request to a WebSocket session (RFC 6455 section 4.2).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, Uri, Version, header},
    response::Response,
};
use bellwire_wire::frame;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    conn::{Admission, Endpoint},
    http::{Site, problem},
    limits::Caller,
    shard::Arrival,
};
use crate::opening::{Credential, Since};

/// Answers a request for a stream: switches protocols, or says why not.
pub async fn upgrade(
    site: Arc<Site>,
    peer: SocketAddr,
    wanted: Wanted,
    request: Request,
) -> Response {
    match accept(&site, peer.ip(), wanted, &request) {
        Ok((key, endpoint)) => {
            tokio::spawn(hand_over(site, request, endpoint));
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
            headers.insert(
                header::SEC_WEBSOCKET_ACCEPT,
                key.parse().expect("base64 is a header value"),
            );
            response
        }
        Err(response) => *response,
    }
}

/// What a path stands for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// A service's stream, by its number at the door.
    Stream(usize),
    /// Raw echo.
    Echo,
}

fn accept(
    site: &Site,
    peer: IpAddr,
    wanted: Wanted,
    request: &Request,
) -> Result<(String, Endpoint), Box<Response>> {
    if site.is_draining() {
        return Err(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "DRAINING",
            "the server is shutting down",
        )
        .into());
    }
    let key = handshake(request)?;
    let Wanted::Stream(stream) = wanted else { return Ok((key, Endpoint::Echo)) };
    let (headers, uri) = (request.headers(), request.uri());
    let since = match parameter(uri, "since") {
        None => Since::Unasked,
        Some("now") => Since::Now,
        Some(cursor) => Since::Cursor(cursor.to_owned()),
    };
    let admission = admission(site, peer, headers, uri)?;
    Ok((key, Endpoint::Stream { stream, since, admission }))
}

/// Checks the opening handshake; gives the answer to its key.
fn handshake(request: &Request) -> Result<String, Box<Response>> {
    let headers = request.headers();
    let upgrades = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket");
    let version = only(headers, header::SEC_WEBSOCKET_VERSION);
    if !upgrades || version != Some("13") {
        let mut response = problem(
            StatusCode::UPGRADE_REQUIRED,
            "UPGRADE_REQUIRED",
            "this is a WebSocket endpoint, version 13",
        );
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, header::HeaderValue::from_static("13"));
        return Err(response.into());
    }
    // A body would be read as HTTP by us and as frames by somebody else, and it may never end.
    let is_bodiless = headers.get_all(header::CONTENT_LENGTH).iter().all(|len| len == "0")
        && !headers.contains_key(header::TRANSFER_ENCODING);
    if !is_bodiless {
        let why = "an upgrade has no body";
        return Err(problem(StatusCode::BAD_REQUEST, "INVALID", why).into());
    }
    only(headers, header::SEC_WEBSOCKET_KEY).and_then(frame::accept_key).ok_or_else(|| {
        problem(
            StatusCode::BAD_REQUEST,
            "INVALID",
            "Sec-WebSocket-Key must be 16 bytes in base64, once",
        )
        .into()
    })
}

/// How the connection is let in, by its credential and the rate limit.
fn admission(
    site: &Site,
    peer: IpAddr,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Admission, Box<Response>> {
    let now = site.door.clock.now();
    let bearer = only(headers, header::AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_start());
    let claims;
    let (admission, caller) = match bearer.or_else(|| parameter(uri, "token")) {
        Some(token) => match site.door.keyring.verify(token, now) {
            Some(verified) => {
                claims = verified;
                let credential = Credential::Token { jti: claims.jti.clone() };
                (Admission::Credential(credential), Caller::Principal(&claims.jti))
            }
            None => (Admission::Refused("token invalid, expired or revoked"), Caller::Bad(peer)),
        },
        // A header of another scheme is a credential too, and no good one.
        None if headers.contains_key(header::AUTHORIZATION) => (
            Admission::Refused("the Authorization header must be Bearer with a token"),
            Caller::Bad(peer),
        ),
        None if parameter(uri, "auth") == Some("message") => {
            (Admission::FirstMessage, Caller::Anonymous(peer))
        }
        None if site.door.guests => {
            if !is_own_origin(headers) {
                let why = "guests come from this machine: the Origin must be loopback";
                return Err(problem(StatusCode::FORBIDDEN, "FORBIDDEN", why).into());
            }
            (Admission::Credential(Credential::Guest), Caller::Anonymous(peer))
        }
        None => (Admission::Refused("authentication required"), Caller::Bad(peer)),
    };
    if let Some(limits) = &site.limits {
        limits.admit(caller).map_err(|retry_s| {
            site.metrics.rate_limited.increment(1);
            let mut response =
                problem(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too many connections");
            response.headers_mut().insert(header::RETRY_AFTER, retry_s.into());
            Box::new(response)
        })?;
    }
    Ok(admission)
}

/// Whether a guest's page is one of this machine: a page from elsewhere in the same browser must
/// not reach the demo. No Origin is no browser. `null` is refused: any site can have it, in a
/// sandboxed frame.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback_host)
}

/// Whether a Host (or an Origin's) names this machine, with or without a port.
pub fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The value of a header that occurs exactly once.
pub fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// A query parameter. Tokens and cursors consist of characters that need no escape.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Takes the socket from the HTTP library and gives it to a shard.
async fn hand_over(site: Arc<Site>, request: Request, endpoint: Endpoint) {
    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    let (socket, unread) = (parts.io.into_inner(), parts.read_buf);
    let Ok(socket) = socket.into_std() else { return };
    site.shards.give(Arrival { socket, unread, endpoint });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:80",
            "evil:8080@localhost",
            "::1",
            "localhost:x",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn query_parameters() {
        let uri: Uri = "/api/ws?a=1&since=e.7&token=x.y-z_&since=later".parse().unwrap();
        assert_eq!(parameter(&uri, "since"), Some("e.7"));
        assert_eq!(parameter(&uri, "token"), Some("x.y-z_"));
        assert_eq!(parameter(&uri, "tok"), None);
        assert_eq!(parameter(&"/api/ws".parse().unwrap(), "since"), None);
    }
}
