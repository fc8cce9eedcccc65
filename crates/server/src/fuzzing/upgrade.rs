//! Connections that speak HTTP, or something like it: the real routes, and what reads requests for them, over a stream
//! in memory.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    task::{Context, Poll, Waker, ready},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::Response,
};
use bellwire_services::{kit::Payload, sensors, stations};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
};

use super::house::folder;
use crate::{
    app::Here,
    config::Config,
    door::Guests,
    net::{
        crowd::Crowd,
        http::{Site, router},
        listen::{Peer, speak},
        tries::{Paces, Tries},
    },
};

/// What a server answers to what clients send. 503: the machine is so busy that a write took too long.
const STATUSES: [u16; 24] = [
    101, 200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 421, 422, 426,
    429, 431, 406, 410, 503,
];
/// How often nothing comes before a connection ends.
const PAUSES_MAX: usize = 3;
/// Requests end with it, and so do answers.
const HEAD_END: &[u8] = b"\r\n\r\n";

pub(super) static STREET: LazyLock<Street> = LazyLock::new(Street::new);

/// A server, and the way to it.
pub(super) struct Street {
    site: Arc<Site>,
    /// Tokens, by what stands for them in an input.
    tokens: Vec<(&'static str, String)>,
    routes: Router,
    /// The connection that speaks. A `Mutex`: one at a time is run, and what answers it looks here.
    speaks: Mutex<Wire>,
    runtime: Runtime,
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests take the data away"))]
    folder: PathBuf,
    /// It serves as long as this is there.
    _here: Here,
}

impl Street {
    fn new() -> Street {
        let folder = folder("upgrade");
        let config = Config { data: folder.join("data"), ..Config::default() };
        let guests = Guests::To(vec![sensors::NAME, stations::NAME]);
        let here = Here::start(&config, bellwire_services::all(), guests).expect("it starts");
        let ask = |call: &str, fields: Value| -> Value {
            let fields: Payload = fields.as_object().cloned().unwrap_or_default();
            let reply =
                here.operate(call, fields).unwrap_or_else(|fault| panic!("{call}: {fault}"));
            serde_json::from_str(reply.get()).expect("replies are JSON")
        };
        let user = ask("users.create", json!({ "username": "john" }));
        ask("states:create", json!({ "entity_id": "light.kitchen", "state": "on" }));
        let device = ask("devices.create", json!({ "name": "Board" }));
        let sensor =
            json!({ "device_id": device["id"], "sensor_type": "temperature", "unit": "C" });
        ask("sensors.create", sensor);
        ask("stations.create", json!({ "name": "Station" }));
        let token = |role: &str, subject: &Value| {
            let made = ask("tokens.create", json!({ "role": role, "subject": subject }));
            made["token"].as_str().expect("a token is text").to_owned()
        };
        let tokens = vec![
            ("$user", token("user", &user["userId"])),
            ("$device", token("device", &json!("1"))),
            ("$admin", token("admin", &Value::Null)),
        ];
        let own = here.site();
        // Nobody is counted: an input is to be answered as it was answered before.
        let site = Site {
            door: own.door.clone(),
            metrics: own.metrics.clone(),
            shards: own.shards.clone(),
            limits: None,
            lobby: Crowd::new(Vec::new()),
            tries: Tries::new(),
            paces: Paces::of(&own.door.tables.routes),
            rules: own.rules.clone(),
            loopback_only: false,
            draining: AtomicBool::new(false),
        };
        let runtime = Builder::new_current_thread().enable_all().build().expect("it can be made");
        let site = Arc::new(site);
        let routes = router(site.clone()).layer(middleware::from_fn(watched));
        let speaks = Mutex::new(Wire::default());
        Street { site, tokens, routes, speaks, runtime, folder, _here: here }
    }

    /// Takes the data away when what it gives is dropped.
    #[cfg(test)]
    pub(super) fn cleared(&self) -> super::house::Cleared {
        super::house::Cleared(self.folder.clone())
    }
}

/// What the connection was answered that spoke last.
#[cfg(test)]
pub(super) fn statuses() -> Vec<u16> {
    let wire = STREET.speaks.lock().expect("no run has failed");
    wire.ends().statuses.clone()
}

/// All that a connection sends before it ends. `$user`, `$device` and `$admin` stand for tokens.
///
/// - Nothing panics, and nothing that is sent is answered by a fault of ours.
/// - A status is one of those that are documented; protocols are switched for a right handshake alone.
/// - What is answered is an answer.
pub fn upgrade(data: &[u8]) {
    let mut input = data.to_vec();
    for (name, token) in &STREET.tokens {
        input = replaced(&input, name.as_bytes(), token.as_bytes());
    }
    // From another address each time.
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let [a, b, c, ..] = hasher.finish().to_be_bytes();
    let address = SocketAddr::new(Ipv4Addr::new(10, a, b, c).into(), 1);

    let wire = Wire(Arc::new(Mutex::new(Ends { input, ..Ends::default() })));
    *STREET.speaks.lock().unwrap_or_else(PoisonError::into_inner) = wire.clone();
    let spoken = speak(STREET.routes.clone(), wire.clone(), Peer { address, tls: false });
    STREET.runtime.block_on(spoken);
    let ends = wire.ends();
    answered(&ends.output, &ends.statuses);
}

fn replaced(text: &[u8], name: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(name) {
            out.extend_from_slice(with);
            at += name.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// What came back begins with an answer, of a status that is known.
fn answered(output: &[u8], statuses: &[u16]) {
    // Who waits to be told to go on is.
    let mut output = output;
    while let Some(rest) = output.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
        output = rest;
    }
    if output.is_empty() {
        return;
    }
    let shown = || output[..output.len().min(300)].escape_ascii();
    assert!(output.windows(HEAD_END.len()).any(|end| end == HEAD_END), "no answer: {}", shown());
    let status = output.strip_prefix(b"HTTP/1.1 ").or_else(|| output.strip_prefix(b"HTTP/1.0 "));
    let digits = status.and_then(|status| std::str::from_utf8(status.get(..3)?).ok()?.parse().ok());
    let status: u16 = digits.unwrap_or_else(|| panic!("no answer: {}", shown()));
    assert!(STATUSES.contains(&status), "{}", shown());
    // What no route saw was no request.
    let is_known = statuses.first().is_some_and(|first| *first == status);
    assert!(is_known || matches!(status, 400 | 408 | 414 | 431), "{}", shown());
}

/// Looks at every request that is one, and at its answer.
async fn watched(request: Request, next: Next) -> Response {
    let wire = STREET.speaks.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let is_handshake = is_handshake(&request);
    wire.ends().begun += 1;
    let body = wire.clone();
    let request = request.map(|inner| Body::new(Sent { inner, wire: body }));
    let uri = request.uri().clone();
    let response = next.run(request).await;
    let status = response.status();
    assert!(STATUSES.contains(&status.as_u16()), "{status} for {uri}");
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    assert!(is_handshake || !switches, "protocols are switched for {uri}");
    let mut ends = wire.ends();
    ends.ended += 1;
    ends.pauses = 0;
    ends.statuses.push(status.as_u16());
    ends.wake();
    response
}

/// Whether a request is an opening handshake, at a place where there is something (RFC 6455 section 4.2.1).
fn is_handshake(request: &Request) -> bool {
    let headers = request.headers();
    let only = |name: header::HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok());
        value.filter(|_| values.next().is_none())
    };
    // 16 bytes in base64, of whose last character two bits count.
    let is_key = |key: &str| {
        let (letters, rest) = key.split_at(key.floor_char_boundary(22));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        rest == "==" && letters.bytes().all(fits)
    };
    let path = request.uri().path().trim_end_matches('/');
    let is_place = |pattern: &str| {
        let pattern = pattern.trim_end_matches('/');
        let pieces = || pattern.split('/').zip(path.split('/'));
        pattern.split('/').count() == path.split('/').count()
            && pieces().all(|(name, word)| name == word || name.starts_with('{'))
    };
    let streams = &STREET.site.door.tables.streams;
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(headers, header::CONNECTION, "upgrade")
        && lists(headers, header::UPGRADE, "websocket")
        && only(header::SEC_WEBSOCKET_VERSION) == Some("13")
        && only(header::SEC_WEBSOCKET_KEY).is_some_and(is_key)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && (path == "/socket.io" || streams.iter().any(|stream| is_place(stream.path)))
}

fn lists(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

/// Both ends of a connection.
#[derive(Default)]
struct Ends {
    input: Vec<u8>,
    /// How much of it was read.
    read: usize,
    output: Vec<u8>,
    /// Requests that were read, and that were answered.
    begun: usize,
    ended: usize,
    statuses: Vec<u16>,
    /// Whether somebody waits for the rest of a body.
    wants_body: bool,
    waker: Option<Waker>,
    /// How often nothing came, one time after another.
    pauses: usize,
}

impl Ends {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A connection in memory. Its client ends it when everything was read and answered. A `Mutex`: what reads requests and
/// what answers them share it, on one thread.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Ends>>);

impl Wire {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        let left = &ends.input[ends.read..];
        if left.is_empty() && ends.begun > ends.ended && !ends.wants_body {
            ends.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // What was read last has yet to be looked at.
        if left.is_empty() && ends.pauses < PAUSES_MAX {
            ends.pauses += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let len = left.len().min(buf.remaining());
        buf.put_slice(&left[..len]);
        ends.read += len;
        ends.pauses = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.ends().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A body, which says when it waits for bytes that never come.
struct Sent {
    inner: Body,
    wire: Wire,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        let mut ends = self.wire.ends();
        ends.wants_body = frame.is_pending();
        ends.wake();
        drop(ends);
        Poll::Ready(ready!(frame))
    }
}
