//! From an HTTP request to a WebSocket session (RFC 6455 section 4.2).

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, Uri, Version, header},
    response::Response,
};
use bellwire_services::kit::{Access, Code, Fault, Stream};
use bellwire_wire::frame;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{
    caller::{
        BAD_TICKET, FOREIGN_PAGE, GUESTS_ARE_LOCAL, GUESTS_PAGES, NO_CREDENTIAL, Shown,
        is_own_origin, only, parameter,
    },
    conn::{Admission, Endpoint, Style},
    http::Site,
    limits::{Caller, household},
    listen::Peer,
    problem::{self, problem},
    shard::{Arrival, Message},
    socket::Socket,
    stalled::Stalled,
};
use crate::{
    door::{Door, Guests},
    opening::{Credential, Since},
};

/// Answers a request for a stream: switches protocols, or says why not.
pub async fn upgrade(site: Arc<Site>, peer: Peer, wanted: Wanted, request: Request) -> Response {
    let accepted = accept(&site, peer, wanted, Head::of(&request)).await;
    match accepted {
        Ok((key, endpoint)) => switched(site, peer, request, &key, endpoint, None),
        Err(response) => *response,
    }
}

/// Switches protocols for a session of Engine.IO, on this shard if it must be that; or says why not.
pub fn switch(
    site: Arc<Site>,
    peer: Peer,
    request: Request,
    endpoint: Endpoint,
    shard: Option<u16>,
) -> Response {
    match handshake(&Head::of(&request)) {
        Ok(key) => switched(site, peer, request, &key, endpoint, shard),
        Err(response) => *response,
    }
}

fn switched(
    site: Arc<Site>,
    peer: Peer,
    request: Request,
    key: &str,
    endpoint: Endpoint,
    shard: Option<u16>,
) -> Response {
    let shard = shard.unwrap_or_else(|| site.shards.turn());
    tokio::spawn(hand_over(site, peer, request, endpoint, shard));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key.parse().expect("base64 is a header value"));
    response
}

/// The head of a request: its body is not shared between threads.
pub struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    /// The head of this request.
    pub fn of(request: &'a Request) -> Head<'a> {
        let (method, uri) = (request.method(), request.uri());
        Head { method, uri, version: request.version(), headers: request.headers() }
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

async fn accept(
    site: &Site,
    peer: Peer,
    wanted: Wanted,
    head: Head<'_>,
) -> Result<(String, Endpoint), Box<Response>> {
    if site.is_draining() {
        return Err(problem::draining().into());
    }
    let place = match wanted {
        Wanted::Stream(stream) => {
            let path = site.door.tables.streams[stream].path;
            place(path, head.uri.path()).ok_or_else(problem::nowhere)?
        }
        Wanted::Echo => None,
    };
    let key = handshake(&head)?;
    let Wanted::Stream(stream) = wanted else { return Ok((key, Endpoint::Echo)) };
    let since = match parameter(head.uri, "since") {
        None => Since::Unasked,
        Some("now") => Since::Now,
        Some(cursor) => Since::Cursor(cursor.to_owned()),
    };
    let style = Style {
        bare: site.door.tables.streams[stream].bare && parameter(head.uri, "typed") != Some("1"),
        batch: parameter(head.uri, "batch") == Some("1"),
    };
    let query = head.uri.query().unwrap_or("");
    let tuning = site.door.tables.tune(stream, place, query, &since);
    let tuning = tuning.map_err(|fault| problem::of(&fault))?;
    let Stream { service, access, .. } = site.door.tables.streams[stream];
    let admission = admission(site, peer, &head, (service, access)).await?;
    Ok((key, Endpoint::Stream { tuning, since, style, admission }))
}

/// The number in a path that a stream's path is the pattern of, where that has a segment in braces; `None` if it is
/// none from 1 on, as the server itself would write it.
fn place(pattern: &str, path: &str) -> Option<Option<i64>> {
    let segments = pattern.split('/').zip(path.split('/'));
    let Some((_, text)) = segments.into_iter().find(|(name, _)| name.starts_with('{')) else {
        return Some(None);
    };
    let number = text.parse::<i64>().ok().filter(|number| *number > 0)?;
    (number.to_string() == text).then_some(Some(number))
}

/// Checks the opening handshake; gives the answer to its key.
fn handshake(head: &Head<'_>) -> Result<String, Box<Response>> {
    let headers = head.headers;
    let upgrades = *head.method == Method::GET
        && head.version == Version::HTTP_11
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
async fn admission(
    site: &Site,
    peer: Peer,
    head: &Head<'_>,
    (service, access): (&str, Access),
) -> Result<Admission, Box<Response>> {
    let refused = |why| Admission::Refused(Fault::new(Code::Unauthenticated, why));
    let bad = Caller::Bad;
    let jti;
    let Sender { admitted, address, stranger } = shown(site, peer, head).await?;
    let stranger = stranger.filter(|_| access.admits_guests());
    let guest = stranger.and_then(|stranger| stranger.at(&site.door, service));
    let (admission, caller) = match admitted {
        Admitted::Credential(Credential::Guest(_)) if !access.admits_guests() => {
            (refused(NO_CREDENTIAL), bad)
        }
        Admitted::Credential(credential) => {
            let caller = match &credential {
                Credential::Token { jti: own } => {
                    jti = own.clone();
                    Caller::Principal(&jti)
                }
                Credential::Guest(_) | Credential::DeviceCode { .. } => Caller::Anonymous,
            };
            (Admission::Credential(credential), caller)
        }
        Admitted::Refused(why) => (refused(why), bad),
        Admitted::Nobody if parameter(head.uri, "auth") == Some("message") => {
            (Admission::FirstMessage, Caller::Anonymous)
        }
        Admitted::ForeignGuest => {
            return Err(problem::of(&Fault::new(Code::Forbidden, GUESTS_ARE_LOCAL)).into());
        }
        Admitted::Nobody | Admitted::Foreign => match (guest, admitted) {
            (Some(Ok(guest)), _) => (Admission::Credential(guest), Caller::Anonymous),
            (Some(Err(fault)), _) => (Admission::Refused(fault), bad),
            (None, Admitted::Foreign) => {
                (Admission::Refused(Fault::new(Code::Forbidden, FOREIGN_PAGE)), bad)
            }
            (None, _) => (refused(NO_CREDENTIAL), bad),
        },
    };
    if let Some(limits) = &site.limits {
        limits.admit(caller, address).map_err(|retry_s| -> Box<Response> {
            site.metrics.rate_limited.increment(1);
            problem::limited(retry_s, "too many connections; try again later").into()
        })?;
    }
    Ok(admission)
}

/// Whom the head of a request lets in.
pub enum Admitted {
    /// Whoever has this credential.
    Credential(Credential),
    /// Nobody, as the credential is no good.
    Refused(&'static str),
    /// Nobody, as there is no credential.
    Nobody,
    /// Nobody, as the credential is a cookie that a foreign page made the browser send.
    Foreign,
    /// Nobody: guests come from this machine, and this one's page does not.
    ForeignGuest,
}

/// Who sends a request.
pub struct Sender {
    /// Whom its head lets in.
    pub admitted: Admitted,
    /// Where it came from.
    pub address: IpAddr,
    /// Somebody who shows no credential that counts, and will not.
    pub stranger: Option<Stranger>,
}

/// Somebody without a credential, who may be a guest where a service is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    from: IpAddr,
    /// Whether that is no page of elsewhere.
    may_be_guest: bool,
}

impl Stranger {
    /// What such a one is at this service; `None` if that is open to nobody.
    pub fn at(self, door: &Door, service: &str) -> Option<Result<Credential, Fault>> {
        let credential = Credential::Guest(household(self.from));
        door.is_open(service).then(|| match self.may_be_guest || door.tables.is_public(service) {
            true => Ok(credential),
            false => Err(Fault::new(Code::Forbidden, GUESTS_PAGES)),
        })
    }
}

/// Who sends a request, as its head tells. A ticket is used up.
///
/// # Errors
/// The response, when the ticket cannot be looked up.
pub async fn shown(site: &Site, peer: Peer, head: &Head<'_>) -> Result<Sender, Box<Response>> {
    let (headers, uri, door) = (head.headers, head.uri, &site.door);
    let from = site.rules.from(peer.address, peer.tls, headers);
    let address = from.address;
    let shown =
        site.rules.shown(&door.keyring, door.clock.now(), from, (head.method, head.uri, headers));
    let mut stranger = None;
    let admitted = match shown {
        Shown::Token { claims, .. } => Admitted::Credential(Credential::Token { jti: claims.jti }),
        Shown::Ticket(ticket) => match door.redeem(ticket).await {
            Ok(Some(credential)) => Admitted::Credential(credential),
            Ok(None) => Admitted::Refused(BAD_TICKET),
            Err(fault) => return Err(problem::of(&fault).into()),
        },
        Shown::Bad { why, .. } => Admitted::Refused(why),
        Shown::Nothing if parameter(uri, "auth") == Some("message") => Admitted::Nobody,
        Shown::Nothing | Shown::Foreign if door.guests == Guests::Everywhere => {
            match is_own_origin(headers) {
                true => Admitted::Credential(Credential::Guest(household(address))),
                false => Admitted::ForeignGuest,
            }
        }
        Shown::Nothing | Shown::Foreign => {
            let may_be_guest = site.rules.may_be_guest(from, head.method, headers);
            stranger = Some(Stranger { from: address, may_be_guest });
            match shown {
                Shown::Foreign => Admitted::Foreign,
                _ => Admitted::Nobody,
            }
        }
    };
    Ok(Sender { admitted, address, stranger })
}

/// Whether a request asks for a WebSocket, rightly or not.
pub fn wants_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Takes the socket from the HTTP library and gives it to a shard, over TLS with its state: what was
/// received but not yet read is in there.
async fn hand_over(site: Arc<Site>, peer: Peer, request: Request, endpoint: Endpoint, shard: u16) {
    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
    let (socket, unread) = if peer.tls {
        let Ok(parts) = upgraded.downcast::<TokioIo<TlsStream<Stalled<TcpStream>>>>() else {
            return;
        };
        let (socket, tls) = parts.io.into_inner().into_inner();
        let Ok(socket) = socket.into_inner().into_std() else { return };
        (Socket::tls(socket, tls), parts.read_buf)
    } else {
        let Ok(parts) = upgraded.downcast::<TokioIo<Stalled<TcpStream>>>() else { return };
        let Ok(socket) = parts.io.into_inner().into_inner().into_std() else { return };
        (Socket::plain(socket), parts.read_buf)
    };
    let arrival = Box::new(Arrival { socket, unread, endpoint });
    site.shards.send(shard, Message::Arrival(arrival));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_whole_number_from_one_on() {
        let check = |pattern: &str, path: &str, expected: Option<Option<i64>>| {
            assert_eq!(place(pattern, path), expected, "{path}");
        };
        check("/ws/boards/", "/ws/boards", Some(None));
        for pattern in ["/ws/board/{board_id}/", "/ws/board/{board_id}"] {
            check(pattern, "/ws/board/1", Some(Some(1)));
            check(pattern, "/ws/board/17/", Some(Some(17)));
            check(pattern, "/ws/board/9223372036854775807/", Some(Some(i64::MAX)));
            for text in [
                "0",
                "-1",
                "+1",
                "01",
                "1.0",
                "1e3",
                "abc",
                "1a",
                "%31",
                "%00",
                "1%00",
                "1%2f2",
                "%2e%2e",
                "",
                "9223372036854775808",
                "99999999999999999999",
                "\u{661}",
                "{board_id}",
                " 1",
            ] {
                check(pattern, &format!("/ws/board/{text}/"), None);
            }
        }
        check("/ws/board/{board_id}/log/", "/ws/board/5/log", Some(Some(5)));
    }
}
