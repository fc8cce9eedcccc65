//! Engine.IO over HTTP: handshakes, polls and their packets, and sockets that begin or take over a
//! session (the Engine.IO protocol, revision 4).
//!
//! A request waits here for its shard's answer; all that lasts longer than a request is in the shard.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bellwire_services::kit::{Code, Fault};
use bellwire_wire::engine::{PACKET_LEN_MAX, PAYLOAD_LEN_MAX, Refusal, read_payload};
use tokio::sync::oneshot;

use super::{
    body::{announced_len, bytes},
    caller::{FOREIGN_PAGE, GUESTS_ARE_LOCAL, NO_CREDENTIAL, parameter},
    conn::{Admission, Endpoint},
    crowd::Counted,
    engine::{Handshake, Protocol, Sid},
    http::Site,
    listen::Peer,
    problem,
    shard::{Asks, Message, Request as Asked},
    sink::Reply,
    upgrade::{self, Head, Sender},
};

/// Answers a request at an Engine.IO path.
pub async fn serve(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    protocol: Protocol,
    request: Request,
) -> Response {
    let uri = request.uri();
    let is_socket = match parameter(uri, "transport") {
        Some("websocket") => true,
        Some("polling") => false,
        _ => return refused(Refusal::UnknownTransport),
    };
    if site.is_draining() {
        return problem::draining();
    }
    match parameter(uri, "sid").map(Sid::parse) {
        Some(None) => refused(Refusal::UnknownSid),
        Some(Some(sid)) if is_socket => take_over(site, peer, sid, request).await,
        Some(Some(sid)) => match *request.method() {
            Method::GET => poll(&site, sid).await,
            Method::POST => post(&site, sid, request).await,
            _ => refused(Refusal::BadRequest),
        },
        None if *request.method() != Method::GET => refused(Refusal::BadHandshakeMethod),
        None if parameter(uri, "EIO") != Some("4") => refused(Refusal::UnsupportedVersion),
        None => begin(site, peer, protocol, is_socket, request).await,
    }
}

/// A session begins.
async fn begin(
    site: Arc<Site>,
    peer: Peer,
    protocol: Protocol,
    is_socket: bool,
    request: Request,
) -> Response {
    if is_socket && !request.headers().contains_key(header::UPGRADE) {
        return refused(Refusal::BadRequest);
    }
    let handshake = match handshake(&site, peer, protocol, is_socket, &Head::of(&request)).await {
        Ok(handshake) => Arc::new(handshake),
        Err(response) => return *response,
    };
    let Some(counted) = counted(&site, &handshake) else { return full() };
    if is_socket {
        let endpoint = Endpoint::Engine { handshake, counted };
        return upgrade::switch(site, peer, request, endpoint, None);
    }
    let asks = Asks::Begin { handshake, counted };
    answered(ask(&site, site.shards.turn(), asks).await)
}

/// Who is nowhere yet is counted, as long as that is so; `None` if there are enough of this household.
fn counted(site: &Site, handshake: &Handshake) -> Option<Option<Counted>> {
    match handshake.protocol {
        Protocol::SocketIo => site.lobby.let_in(handshake.from).map(Some),
        Protocol::Echo => Some(None),
    }
}

/// What the first request says of who it is. A connection may show a credential later, so that a page
/// of elsewhere is not refused before it had the chance to.
async fn handshake(
    site: &Site,
    peer: Peer,
    protocol: Protocol,
    is_socket: bool,
    head: &Head<'_>,
) -> Result<Handshake, Box<Response>> {
    let Sender { admitted, address: from, stranger } = match protocol {
        Protocol::SocketIo => upgrade::shown(site, peer, head).await?,
        Protocol::Echo => {
            let (admitted, address) = (upgrade::Admitted::Nobody, peer.address.ip());
            Sender { admitted, address, stranger: None }
        }
    };
    let refused = |code, why| Admission::Refused(Fault::new(code, why));
    let admission = match admitted {
        upgrade::Admitted::Credential(credential) => Admission::Credential(credential),
        upgrade::Admitted::Refused(why) => refused(Code::Unauthenticated, why),
        upgrade::Admitted::Nobody => refused(Code::Unauthenticated, NO_CREDENTIAL),
        // It may show a token of its own yet, where the browser adds the cookie unasked.
        upgrade::Admitted::Foreign if is_socket => refused(Code::Forbidden, FOREIGN_PAGE),
        upgrade::Admitted::Foreign => return Err(Box::new(self::refused(Refusal::Forbidden))),
        upgrade::Admitted::ForeignGuest => refused(Code::Forbidden, GUESTS_ARE_LOCAL),
    };
    Ok(Handshake { protocol, admission, from, stranger })
}

/// A socket that is to become the transport of a session that polls.
async fn take_over(site: Arc<Site>, peer: Peer, sid: Sid, request: Request) -> Response {
    if !request.headers().contains_key(header::UPGRADE) {
        return refused(Refusal::BadRequest);
    }
    match ask(&site, sid.shard(), Asks::Find(sid)).await {
        Some(Reply::Found { .. }) => {
            upgrade::switch(site, peer, request, Endpoint::Probe(sid), Some(sid.shard()))
        }
        other => answered(other),
    }
}

/// A poll: answered when there is something to say.
async fn poll(site: &Arc<Site>, sid: Sid) -> Response {
    let mut left = Left { site, sid, waits: true };
    let reply = ask(site, sid.shard(), Asks::Poll(sid)).await;
    left.waits = false;
    answered(reply)
}

/// Says that the client of a poll is gone, if it is dropped before its answer came.
struct Left<'a> {
    site: &'a Site,
    sid: Sid,
    waits: bool,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.site.shards.send(self.sid.shard(), Message::Unpolled(self.sid));
        }
    }
}

/// Packets of the client.
async fn post(site: &Site, sid: Sid, request: Request) -> Response {
    let is_octets = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
        content_type.as_bytes().starts_with(b"application/octet-stream")
    });
    let (parts, body) = request.into_parts();
    let len_max = match body_len_max(site, sid, &parts.headers).await {
        Ok(len_max) => len_max,
        Err(response) => return *response,
    };
    let items = match bytes(&parts.headers, body, len_max).await {
        Ok(body) if !is_octets => read_payload(&body).ok(),
        Ok(_) => None,
        Err(response) => return *response,
    };
    let asks = match items {
        Some(items) => Asks::Post(sid, items),
        None => Asks::Break(sid),
    };
    answered(ask(site, sid.shard(), asks).await)
}

/// How long a body may be. One that may be longer than a message takes memory before it is looked at: so it is
/// taken from a session alone whose client was let in somewhere.
async fn body_len_max(site: &Site, sid: Sid, headers: &HeaderMap) -> Result<usize, Box<Response>> {
    if announced_len(headers).is_some_and(|len| len <= PACKET_LEN_MAX as u64) {
        return Ok(PAYLOAD_LEN_MAX);
    }
    match ask(site, sid.shard(), Asks::Find(sid)).await {
        Some(Reply::Found { polls: false, .. }) => Err(refused(Refusal::BadRequest).into()),
        Some(Reply::Found { is_in: true, .. }) => Ok(PAYLOAD_LEN_MAX),
        Some(Reply::Found { .. }) => Ok(PACKET_LEN_MAX),
        other => Err(answered(other).into()),
    }
}

async fn ask(site: &Site, shard: u16, asks: Asks) -> Option<Reply> {
    let (reply, answer) = oneshot::channel();
    let asked = Asked { asks, reply };
    site.shards.send(shard, Message::Request(Box::new(asked))).then_some(())?;
    answer.await.ok()
}

/// The response for a shard's answer; none came if the session ended meanwhile.
fn answered(reply: Option<Reply>) -> Response {
    match reply {
        Some(Reply::Packets(packets)) => text("text/plain; charset=UTF-8", packets),
        Some(Reply::Taken) => text("text/html", "ok".to_owned()),
        Some(Reply::Refused(refusal)) => refused(refusal),
        Some(Reply::Found { .. }) | None => refused(Refusal::UnknownSid),
    }
}

fn text(content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refused(refusal: Refusal) -> Response {
    let mut response = text("application/json", refusal.body().to_owned());
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).expect("it is one of two that exist");
    response
}

/// There are too many who are nowhere yet.
fn full() -> Response {
    problem::limited(1, "too many connections; try again later")
}
