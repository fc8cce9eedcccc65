//! Listening sockets, and HTTP/1.1 on what they accept, in the clear or over TLS.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{StatusCode, header},
    response::Response,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

use super::{crowd::Crowd, http::HEADERS_MAX, stalled::Stalled};
use crate::{hub::outbox::STALLED_MAX_MS, logging::Throttle, metrics::Metrics};

/// How long a TLS handshake may take, the wait for its first byte included, and how long a request's
/// head.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a connection may speak HTTP, and how long its last answer may take then: one that reads
/// its answers a byte at a time would stay for good.
const HTTP_MAX: Duration = Duration::from_secs(60);
/// How long a peer may take nothing of an answer that waits for it.
const STALLED_MAX: Duration = Duration::from_millis(STALLED_MAX_MS);
/// The most that is buffered of a request's head: the line and headers may have 24 KiB together,
/// and what is somewhat longer shall be read to be refused in order.
const HEAD_LEN_MAX: usize = 80 << 10;
/// How long a connection on which nothing is being answered may take to end, with its last answer.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How soon it is tried again to accept when no descriptor is left, in milliseconds.
pub const ACCEPT_AGAIN_MS: u64 = 100;
/// After how long of such tries it is told again, in milliseconds.
pub const ACCEPT_TOLD_MS: u64 = 10_000;

/// Opens a listening socket.
///
/// # Errors
/// The system's: the port is in use, or is not ours to use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The other end of a connection; each request has it as [`ConnectInfo`].
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
}

/// What a listener speaks, with what it needs for that.
#[derive(Clone)]
pub enum Way {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https(Arc<ServerConfig>),
    /// Both: the first byte of a connection tells which.
    Either(Arc<ServerConfig>),
}

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It accepts no connections any more, and serves those that are there.
    Draining,
    /// Connections end, each after the answer that is under way.
    Ending,
}

/// The first byte of a TLS handshake: the type of its record (RFC 8446 section 5.1). No method of
/// HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// Accepts connections while the server serves. Each holds `held` as long as it speaks HTTP, and is one of
/// the `crowd`.
pub async fn serve(
    listener: TcpListener,
    way: Way,
    router: Router,
    metrics: Arc<Metrics>,
    mut phase: watch::Receiver<Phase>,
    held: mpsc::Sender<()>,
    crowd: Arc<Crowd>,
) {
    // Counts the time of vain tries alone.
    let (mut told, mut tried_ms) = (Throttle::new(ACCEPT_TOLD_MS), 0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
        };
        match accepted {
            Ok((socket, address)) => {
                metrics.accepted.increment(1);
                let _ = socket.set_nodelay(true);
                let connection = Connection { router: router.clone(), phase: phase.clone() };
                let Some(counted) = crowd.let_in(address.ip()) else { continue };
                let (way, held) = (way.clone(), held.clone());
                tokio::spawn(async move {
                    connection.serve(socket, address, way).await;
                    drop((held, counted));
                });
            }
            Err(error) => {
                // Most likely no descriptor is left: wait until some are free again.
                if let Some(left_out) = told.admit(tried_ms) {
                    tracing::warn!(%error, left_out, "a connection could not be accepted");
                }
                tried_ms += ACCEPT_AGAIN_MS;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "nothing tells when descriptors come free"
                )]
                tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
            }
        }
    }
}

/// Speaks HTTP over any stream, as [`serve`] has it done over the sockets that it accepts: for the fuzzers.
#[cfg(any(test, fuzzing))]
pub(crate) async fn speak<S>(router: Router, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (_serving, phase) = watch::channel(Phase::Serving);
    Connection { router, phase }.http(stream, peer, HTTP_MAX).await;
}

/// What a connection needs to speak HTTP.
struct Connection {
    router: Router,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    async fn serve(mut self, socket: TcpStream, address: SocketAddr, way: Way) {
        let opened = tokio::select! {
            opened = timeout(HEAD_MAX, open(socket, way)) => opened,
            // One that has not said anything yet holds up no end.
            _ = self.phase.wait_for(|phase| *phase == Phase::Ending) => return,
        };
        match opened {
            Ok(Ok(Opened::Clear(socket))) => {
                self.http(socket, Peer { address, tls: false }, HTTP_MAX).await;
            }
            Ok(Ok(Opened::Tls(stream))) => {
                self.http(*stream, Peer { address, tls: true }, HTTP_MAX).await;
            }
            // What goes wrong with a handshake is the peer's matter; rustls has told it.
            _ => {}
        }
    }

    /// Speaks HTTP until the peer ends, time is up, the server ends, or the connection is upgraded.
    async fn http<S>(mut self, stream: S, peer: Peer, http_max: Duration)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        // Whether a request is being answered. An atomic: one task sets it and looks, on whatever thread.
        let asked = Arc::new(AtomicBool::new(false));
        let asking = asked.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answered = router.clone().oneshot(request);
            let asking = asking.clone();
            async move {
                asking.store(true, Ordering::Relaxed);
                let response = answered.await.map(without_false_length);
                asking.store(false, Ordering::Relaxed);
                response
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_LEN_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // What goes wrong with one connection is the peer's matter; hyper has answered it.
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = timeout(http_max, connection.as_mut()) => ended.is_ok(),
            _ = self.phase.wait_for(|phase| *phase == Phase::Ending) => false,
        };
        if !ended {
            connection.as_mut().graceful_shutdown();
            // A request that is not there yet is not waited for.
            let is_asked = asked.load(Ordering::Relaxed);
            let _ = timeout(if is_asked { http_max } else { LAST_WORD_MAX }, connection).await;
        }
    }
}

/// A connection on which HTTP can be spoken.
enum Opened {
    Clear(Stalled<TcpStream>),
    Tls(Box<TlsStream<Stalled<TcpStream>>>),
}

/// Opens a connection in its listener's way. The first byte, where that tells, stays where it is.
async fn open(socket: TcpStream, way: Way) -> io::Result<Opened> {
    let config = match way {
        Way::Http => return Ok(Opened::Clear(Stalled::new(socket, STALLED_MAX))),
        Way::Https(config) => config,
        Way::Either(config) => {
            let mut first = [0];
            match socket.peek(&mut first).await? {
                1.. if first == [HANDSHAKE] => config,
                _ => return Ok(Opened::Clear(Stalled::new(socket, STALLED_MAX))),
            }
        }
    };
    let stream = TlsAcceptor::from(config).accept(Stalled::new(socket, STALLED_MAX)).await?;
    Ok(Opened::Tls(Box::new(stream)))
}

/// A response without a body that says nothing of its length: the length of a 304 would be that of what
/// is not sent (RFC 9110 section 8.6), and the HTTP library has 0 in an answer to HEAD.
fn without_false_length(mut response: Response) -> Response {
    if matches!(response.status(), StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::Ipv4Addr,
    };

    use axum::routing::get;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const BODY_LEN: usize = 16 << 20;

    /// Serves one connection that has asked for a large page; gives its other end, and what serves it.
    async fn asked(
        stalled_max: Duration,
        http_max: Duration,
    ) -> (std::net::TcpStream, impl Future<Output = ()> + Send) {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let (socket, address) = listener.accept().await.expect("somebody came");
        let router = Router::new().route("/", get(async || "x".repeat(BODY_LEN)));
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is taken");
        let peer = Peer { address, tls: false };
        let stream = Stalled::new(socket, stalled_max);
        let served = async move {
            let (_phase, phase) = watch::channel(Phase::Serving);
            Connection { router, phase }.http(stream, peer, http_max).await;
        };
        (client, served)
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("threads can be started").block_on(test);
    }

    #[test]
    fn a_client_that_never_reads_its_answers_does_not_stay() {
        run(async {
            let (_client, served) = asked(MINUTE, Duration::from_millis(50)).await;
            timeout(Duration::from_secs(20), served).await.expect("it is ended");
        });
    }

    #[test]
    fn who_takes_nothing_of_an_answer_is_ended_and_who_reads_is_not() {
        run(async {
            let stalled_max = Duration::from_secs(1);
            let (_deaf, served) = asked(stalled_max, MINUTE).await;
            timeout(Duration::from_secs(20), served).await.expect("it is ended");

            let (mut reader, serves_on) = asked(stalled_max, MINUTE).await;
            let serves_on = tokio::spawn(serves_on);
            let (mut text, mut piece) = (Vec::new(), vec![0; 64 << 10]);
            while !(text.ends_with(b"x") && text.len() > BODY_LEN) {
                let len = reader.read(&mut piece).expect("it is told all");
                text.extend_from_slice(&piece[..len]);
            }
            reader.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it stays");
            reader.read_exact(&mut piece).expect("it is answered again");
            assert!(!serves_on.is_finished());
        });
    }
}
