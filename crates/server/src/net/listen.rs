//! Listening sockets, and HTTP/1.1 on what they accept.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, extract::Request};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower::ServiceExt;

use super::http::HEADERS_MAX;
use crate::metrics::Metrics;

/// How long a request's head may take.
const HEAD_MAX: Duration = Duration::from_secs(10);
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
                tokio::spawn(connection(socket, peer, router.clone()));
            }
            Err(error) => {
                // Most likely no descriptor is left: wait for some to come free.
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

async fn connection(socket: TcpStream, peer: SocketAddr, router: Router) {
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
    let _ = connection.await;
}
