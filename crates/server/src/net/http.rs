//! What is served over HTTP besides the streams, and what every request has to respect.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};

use bellwire_services::kit::{Access, Principal, Role, Scope};

use super::{
    caller::{Rules, is_loopback_host, only},
    cors,
    crowd::Crowd,
    engine::Protocol,
    limits::ConnectionLimits,
    listen::Peer,
    polling,
    problem::{self, problem},
    shards::Handles,
    tries::{Paces, Tries},
    upgrade::{Wanted, upgrade, wants_websocket},
};
use crate::{console, door::Door, logging, metrics::Metrics, rest};

/// The longest request line, in bytes.
pub const REQUEST_LINE_LEN_MAX: usize = 8 << 10;
/// The most bytes of headers.
pub const HEADERS_LEN_MAX: usize = 16 << 10;
/// The most headers.
pub const HEADERS_MAX: usize = 100;

/// What the routes share.
pub struct Site {
    /// The door.
    pub door: Arc<Door>,
    /// The measures.
    pub metrics: Arc<Metrics>,
    /// The shards.
    pub shards: Arc<Handles>,
    /// How many connections are admitted; `None`: any number (the demo).
    pub limits: Option<Arc<ConnectionLimits>>,
    /// Socket.IO connections that are in no namespace yet.
    pub lobby: Arc<Crowd>,
    /// Tries of passwords.
    pub tries: Tries,
    /// Calls of strangers.
    pub paces: Paces,
    /// What the operator set about callers.
    pub rules: Rules,
    /// Whether only requests to this machine's own names are answered (the demo).
    pub loopback_only: bool,
    /// Set once, when the server begins to shut down; read by every upgrade.
    pub draining: AtomicBool,
}

impl Site {
    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// The routes of a server.
pub fn router(site: Arc<Site>) -> Router {
    let mut router = console::add_routes(Router::new())
        .route("/", get(root))
        .route("/livez", get(async || "live\n"))
        .route("/livez/", get(async || "live\n"))
        .route("/readyz", get(ready))
        .route("/readyz/", get(ready))
        .route("/metrics", get(metrics))
        .route("/metrics/", get(metrics));
    for (number, stream) in site.door.tables.streams.iter().enumerate() {
        if stream.path == ROOT {
            continue;
        }
        // A segment in braces is a number, for `upgrade` to judge.
        let path = stream.path.trim_end_matches('/');
        for path in [path.to_owned(), format!("{path}/")] {
            router = router.route(&path, get(stream_route(Wanted::Stream(number))));
        }
    }
    let router = rest::add_routes(router, &site.door.tables.routes);
    let router = engine_route(router, "/socket.io", Protocol::SocketIo);
    let cors = middleware::from_fn_with_state(site.clone(), cors::layer);
    finish(router, site).layer(cors)
}

/// The routes of a conformance server: the production path, and nothing but echo.
pub fn conformance_router(site: Arc<Site>) -> Router {
    let router =
        Router::new().route("/readyz", get(ready)).route("/echo", get(stream_route(Wanted::Echo)));
    let router = engine_route(router, "/socket.io", Protocol::SocketIo);
    let cors = middleware::from_fn_with_state(site.clone(), cors::layer);
    finish(engine_route(router, "/engine.io", Protocol::Echo), site).layer(cors)
}

/// Serves Engine.IO at a path, with and without a slash at its end.
fn engine_route(
    mut router: Router<Arc<Site>>,
    path: &str,
    protocol: Protocol,
) -> Router<Arc<Site>> {
    for path in [path.to_owned(), format!("{path}/")] {
        let serve = move |site, peer, request| polling::serve(site, peer, protocol, request);
        router = router.route(&path, any(serve));
    }
    router
}

fn finish(router: Router<Arc<Site>>, site: Arc<Site>) -> Router {
    router
        .fallback(async || problem::nowhere())
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this is read with GET")
        })
        .layer(middleware::from_fn_with_state(site.clone(), check_request))
        .layer(middleware::from_fn_with_state(site.clone(), log_request))
        .with_state(site)
}

/// Where a stream and the console are both found.
const ROOT: &str = "/";

/// The stream there, for who asks to switch protocols; else the console.
async fn root(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let stream = site.door.tables.streams.iter().position(|stream| stream.path == ROOT);
    match stream.filter(|_| wants_websocket(request.headers())) {
        Some(stream) => upgrade(site, peer, Wanted::Stream(stream), request).await,
        None => console::index(request.headers()),
    }
}

type StreamRoute = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

fn stream_route(
    wanted: Wanted,
) -> impl Fn(State<Arc<Site>>, ConnectInfo<Peer>, Request) -> StreamRoute + Clone {
    move |State(site), ConnectInfo(peer), request| Box::pin(upgrade(site, peer, wanted, request))
}

/// A line for each request, without secrets, for those who look for a fault.
async fn log_request(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| {
        let ConnectInfo(Peer { address, tls }) = *info;
        site.rules.from(address, tls, request.headers()).address.to_string()
    });
    // A method may be any word.
    let method = logging::redact(request.method().as_str());
    let path = logging::redact(&request.uri().to_string());
    let started_ms = site.door.clock.elapsed_ms();
    let response = next.run(request).await;
    let ms = site.door.clock.elapsed_ms() - started_ms;
    let status = response.status().as_u16();
    tracing::debug!(method, path, status, ms, peer, "request");
    response
}

/// The limits of a request's head, and of whom it is addressed to.
async fn check_request(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    // "METHOD target HTTP/1.1"
    let line = request.method().as_str().len() + request.uri().to_string().len() + 10;
    if line > REQUEST_LINE_LEN_MAX {
        return problem(StatusCode::URI_TOO_LONG, "INVALID", "the request line has at most 8 KiB");
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADERS_LEN_MAX || request.headers().len() > HEADERS_MAX {
        return problem(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "INVALID",
            "at most 100 headers of 16 KiB together",
        );
    }
    let host = only(request.headers(), header::HOST);
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if host.is_none() && (request.version() == Version::HTTP_11 || hosts > 0) {
        return problem(StatusCode::BAD_REQUEST, "INVALID", "one Host header is required");
    }
    // Probes ask by address.
    let is_probe = matches!(request.uri().path().trim_end_matches('/'), "/livez" | "/readyz");
    if !is_probe && host.is_some_and(|host| !site.rules.is_host(host)) {
        let why = "this server does not answer to this Host; the setting `hosts` has its names";
        return problem(StatusCode::MISDIRECTED_REQUEST, "MISDIRECTED", why);
    }
    if site.loopback_only && !host.is_none_or(is_loopback_host) {
        return problem(StatusCode::FORBIDDEN, "FORBIDDEN", "the demo answers to localhost only");
    }
    let mut response = next.run(request).await;
    if site.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Come back to another node, or to the server that takes over.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    match site.is_draining() {
        true => problem::draining(),
        false => "ready\n".into_response(),
    }
}

/// Whether a caller may read closed measures: admins, and tokens for a monitor, with `server:metrics`.
fn may_read_measures(principal: &Principal) -> bool {
    let is_meant = |scope: &Scope| scope.of_service("server") == Some(("metrics", None));
    principal.role == Role::Admin || principal.scopes.iter().any(is_meant)
}

async fn metrics(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if site.rules.metrics_closed {
        match rest::admit(&site, peer, ("server", Access::Bearer), &parts).await {
            Ok(caller) if may_read_measures(caller.principal()) => {}
            Ok(_) => return problem(StatusCode::FORBIDDEN, "FORBIDDEN", "Forbidden"),
            Err(response) => return *response,
        }
    }
    let (sessions, queued) = site.shards.load();
    let (metrics, store) = (&site.metrics, &site.door.store);
    let lag_ms = site.door.lag.ms(site.door.clock.elapsed_ms());
    metrics.gauge("bellwire_hub_lag_seconds", lag_ms as f64 / 1e3);
    metrics.gauge("bellwire_connections", sessions as f64);
    metrics.gauge("bellwire_connected_clients", site.door.presence.len() as f64);
    metrics.gauge("bellwire_online_users", site.door.online.len() as f64);
    metrics.gauge("bellwire_outbound_queued_bytes", queued as f64);
    metrics.gauge("bellwire_write_queue_length", store.write_queue_len() as f64);
    metrics.gauge("bellwire_read_queue_length", store.read_queue_len() as f64);
    metrics.gauge("bellwire_replay_queue_length", store.replay_queue_len() as f64);
    let log = store.log_stats();
    metrics.gauge("bellwire_log_bytes", log.bytes as f64);
    metrics.gauge("bellwire_log_head_offset", log.head as f64);
    metrics.gauge("bellwire_log_first_offset", log.first as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response()
}
