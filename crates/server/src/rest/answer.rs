//! Responses to calls.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bellwire_services::kit::{Answer, Code, Cookie, Fault, Method, Payload, Route};
use serde::Deserialize;
use serde_json::Value;

use super::{Caller, Place};
use crate::{
    etag::{Tags, etag},
    net::{caller::COOKIE, problem},
};

/// What a call answered.
pub fn accepted(
    route: &Route,
    place: &Place,
    parts: &Parts,
    caller: &Caller,
    answer: &Answer,
) -> Response {
    let json = answer.json.get();
    // Whether a GET here shows the thing that the reply is.
    let shown = place.shows().is_some();
    let reads = route.method == Method::Get;
    if reads && Tags::of(&parts.headers, header::IF_NONE_MATCH).is_some_and(|t| t.is_known(json)) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        describe(response.headers_mut(), Some(json));
        return response;
    }
    let status = match answer.is_new {
        Some(true) => 201,
        Some(false) => 200,
        None => route.status,
    };
    let status = StatusCode::from_u16(status).expect("routes have statuses of HTTP");
    let mut response = match status {
        StatusCode::NO_CONTENT => status.into_response(),
        _ => {
            let json_type = [(header::CONTENT_TYPE, "application/json")];
            (status, json_type, Body::from(json.to_owned())).into_response()
        }
    };
    let headers = response.headers_mut();
    describe(headers, Some(json).filter(|_| (reads || shown) && status != StatusCode::NO_CONTENT));
    if answer.sign.is_some() || route.is_secret {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if status == StatusCode::CREATED
        && let Some(location) = location(route, parts, place, json)
    {
        headers.insert(header::LOCATION, location);
    }
    if let Some(cookie) = cookie(route, caller, answer) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// What keeps a response out of caches, and its version.
fn describe(headers: &mut HeaderMap, json: Option<&str>) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.append(header::VARY, HeaderValue::from_static("Authorization, Cookie"));
    if let Some(json) = json {
        let etag = etag(json).parse().expect("hexadecimal digits are a header value");
        headers.insert(header::ETAG, etag);
    }
}

/// Where what was made is found: here, or below by the field that the path there names, or by its `id`.
fn location(route: &Route, parts: &Parts, place: &Place, json: &str) -> Option<HeaderValue> {
    let here = parts.uri.path().trim_end_matches('/');
    if place.shows().is_some() {
        return here.parse().ok();
    }
    let (list, field) = match route.found_in {
        Some(list) => (list, "id"),
        None => (here, place.below?),
    };
    let made: Payload = serde_json::from_str(json).ok()?;
    let name = match made.get(field).or_else(|| made.get("id"))? {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    format!("{list}/{name}").parse().ok()
}

/// What becomes of the session cookie.
fn cookie(route: &Route, caller: &Caller, answer: &Answer) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Begun {
        token: String,
    }
    let sets = match route.cookie {
        Cookie::Keep => return None,
        Cookie::Clear => return Some(cleared(caller)),
        Cookie::Set => true,
        Cookie::Renew => caller.by_cookie,
    };
    let claims = answer.sign.as_ref().filter(|_| sets)?;
    let Begun { token } = serde_json::from_str(answer.json.get()).ok()?;
    Some(cookie_of(&token, claims.exp - claims.iat, caller))
}

fn cookie_of(value: &str, max_age_s: i64, caller: &Caller) -> HeaderValue {
    let secure = if caller.from.tls { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}")
        .parse()
        .expect("a token is a header value")
}

fn cleared(caller: &Caller) -> HeaderValue {
    cookie_of("", 0, caller)
}

/// A refusal. A cookie that is no good is taken away with it.
pub fn refused(fault: &Fault, caller: &Caller) -> Response {
    let mut response = problem::of(fault);
    if fault.code == Code::Unauthenticated && caller.by_cookie {
        response.headers_mut().append(header::SET_COOKIE, cleared(caller));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use axum::http::HeaderMap;
    use bellwire_services::kit::Principal;

    use super::*;
    use crate::net::caller::Rules;

    /// The cookie that a caller is given over this connection, and the one that takes it away.
    fn check(peer: &str, tls: bool, proto: &str, secure: bool) {
        let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let rules = Rules { proxies, ..Rules::default() };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", proto.parse().expect("a value"));
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
        let from = rules.from(peer, tls, &headers);
        let caller = Caller { principal: Arc::new(Principal::guest()), from, by_cookie: false };
        let end = if secure { "; Secure" } else { "" };
        let begins = "bellwire_session=x.y.z; Path=/; HttpOnly; SameSite=Lax; Max-Age=60";
        assert_eq!(cookie_of("x.y.z", 60, &caller), format!("{begins}{end}"), "{peer} {proto}");
        let ends = "bellwire_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0";
        assert_eq!(cleared(&caller), format!("{ends}{end}"), "{peer} {proto}");
    }

    #[test]
    fn a_cookie_is_for_encrypted_connections_where_the_callers_is_one() {
        check("192.0.2.1", false, "http", false);
        check("192.0.2.1", true, "http", true);
        check("192.0.2.1", false, "https", false);
        check("10.0.0.1", false, "https", true);
        check("10.0.0.1", false, "HTTPS", true);
        check("10.0.0.1", true, "http", false);
        check("10.0.0.1", false, "https, http", false);
        check("10.0.0.1", false, "wss", false);
    }
}
