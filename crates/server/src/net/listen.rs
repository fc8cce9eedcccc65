//! Listening sockets, and HTTP/1.1 on what they accept.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, extract::Request};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tower::ServiceExt;

use super::http::HEADERS_MAX;
use crate::metrics::Metrics;

/// How long a request's head may take.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a connection may speak HTTP, and how long its last answer may take then: one that never
/// reads its answers would stay for good.
const HTTP_MAX: Duration = Duration::from_secs(60);
/// The most that is buffered of a request's head: the line and headers may have 24 KiB together,
/// and what is somewhat longer shall be read to be refused in order.
const HEAD_LEN_MAX: usize = 80 << 10;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

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

/// Accepts connections until `stop` says so.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                metrics.accepted.increment(1);
                let _ = socket.set_nodelay(true);
                tokio::spawn(connection(socket, peer, router.clone(), HTTP_MAX));
            }
            Err(error) => {
                // Most likely no descriptor is left: wait until some are free again.
                tracing::warn!(%error, "a connection could not be accepted");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "nothing tells when descriptors come free"
                )]
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, router: Router, http_max: Duration) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    // What goes wrong with one connection is the peer's matter; hyper has answered it.
    let mut connection = pin!(connection);
    if timeout(http_max, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(http_max, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::Ipv4Addr};

    use axum::routing::get;

    use super::*;

    #[test]
    fn a_client_that_never_reads_its_answers_does_not_stay() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("threads can be started").block_on(async {
            let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let mut client = std::net::TcpStream::connect(address).expect("it listens");
            let (socket, peer) = listener.accept().await.expect("somebody came");
            let router = Router::new().route("/", get(async || "x".repeat(16 << 20)));
            client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is taken");
            let served = connection(socket, peer, router, Duration::from_millis(50));
            timeout(Duration::from_secs(20), served).await.expect("it is ended");
        });
    }
}
