//! Where a server listens: its sockets, its certificate, and the connections that speak HTTP, from the
//! first to the last.

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::bail;
use axum::Router;
use rustix::process::{Resource, getrlimit};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    clock::Clock,
    config::{Listen, Scheme},
    metrics::Metrics,
    net::{
        crowd::Crowd,
        listen::{self, Phase, Way},
        tls::{self, Tls},
    },
};

/// Where to listen when nothing is said, on both loopbacks.
pub const DEFAULT_PORTS: &[(Scheme, u16)] = &[(Scheme::Http, 8080)];
/// Where a demo does, so that the documents' examples work as they stand.
pub const DEMO_PORTS: &[(Scheme, u16)] =
    &[(Scheme::Http, 8080), (Scheme::Http, 8000), (Scheme::Http, 5000), (Scheme::Either, 8443)];
/// How often the certificate's files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(2);

/// The descriptors of a server that listens nowhere and has no shards, some to spare.
const DESCRIPTORS_MIN: u64 = 40;
/// Those of a shard.
const DESCRIPTORS_PER_SHARD: u64 = 2;

/// Refuses to begin with fewer descriptors than a server has that nobody is connected to: whatever needs the next one
/// would say something else of it.
///
/// # Errors
/// In one sentence.
pub fn enough_descriptors(listeners: usize) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let needed = DESCRIPTORS_MIN + DESCRIPTORS_PER_SHARD * cores as u64 + listeners as u64;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => bail!(
            "No more than {limit} descriptors are allowed here, and {needed} are needed before anyone is connected; \
             raise `ulimit -n`, or LimitNOFILE= of the unit."
        ),
        _ => Ok(()),
    }
}

/// Sockets that listen, and what they speak.
pub struct Listeners {
    sockets: Vec<(Scheme, TcpListener)>,
    tls: Option<Arc<Tls>>,
}

impl Listeners {
    /// Opens the listening sockets: all, or, if nothing was said, those of these ports that are free.
    /// Inside the runtime.
    ///
    /// # Errors
    /// In one sentence, when one that was asked for cannot be opened, or none can.
    pub fn bind(listens: &[Listen], ports: &[(Scheme, u16)]) -> anyhow::Result<Listeners> {
        let sockets = match listens {
            [] => bind_free(&on_loopbacks(ports))?,
            _ => listens.iter().map(bind_one).collect::<anyhow::Result<_>>()?,
        };
        Ok(Listeners { sockets, tls: None })
    }

    /// Opens the certificate, if a socket needs one.
    ///
    /// # Errors
    /// In one sentence, when it cannot be used.
    pub fn open_tls(
        &mut self,
        settings: &tls::Settings,
        data: &Path,
        clock: &Clock,
    ) -> anyhow::Result<()> {
        if self.sockets.iter().any(|(scheme, _)| *scheme != Scheme::Http) {
            self.tls = Some(Arc::new(Tls::open(settings, data, clock.now())?));
        }
        Ok(())
    }

    /// The certificate.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// The first address as a URL.
    ///
    /// # Errors
    /// The system's, when a socket does not know its address.
    pub fn url(&self) -> io::Result<String> {
        let (scheme, listener) = self.sockets.first().expect("no server has no sockets");
        Ok(url(*scheme, listener.local_addr()?))
    }

    /// Serves on all sockets, and tells where that is. Gives the first address as a URL.
    ///
    /// # Errors
    /// The system's, when a socket does not know its address.
    pub fn serve(
        self,
        router: &Router,
        metrics: &Arc<Metrics>,
        crowd: &Arc<Crowd>,
    ) -> io::Result<(Open, String)> {
        let (phase, _) = watch::channel(Phase::Serving);
        let (held, connections) = mpsc::channel(1);
        if let Some(ca) = self.tls.as_ref().and_then(|tls| tls.ca()) {
            tell_ca(ca);
        }
        let first = self.url()?;
        for (scheme, listener) in self.sockets {
            let address = listener.local_addr()?;
            let (way, urls) = match (scheme, &self.tls) {
                (Scheme::Https, Some(tls)) => {
                    (Way::Https(tls.config()), format!("https://{address}/"))
                }
                (Scheme::Either, Some(tls)) => {
                    let urls = format!("https://{address}/ and http://{address}/");
                    (Way::Either(tls.config()), urls)
                }
                _ => (Way::Http, format!("http://{address}/")),
            };
            say(&format!("Listening on {urls}\n"));
            let (phase, held) = (phase.subscribe(), held.clone());
            let (router, metrics, crowd) = (router.clone(), metrics.clone(), crowd.clone());
            tokio::spawn(listen::serve(listener, way, router, metrics, phase, held, crowd));
        }
        Ok((Open { phase, connections }, first))
    }
}

/// What a person enters in a browser.
fn url(scheme: Scheme, address: SocketAddr) -> String {
    let scheme = if scheme == Scheme::Http { "http" } else { "https" };
    match address.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}/", address.port()),
        false => format!("{scheme}://{address}/"),
    }
}

/// Sockets that are served.
pub struct Open {
    /// How far the server is. A `watch`: each socket and connection looks, one end writes.
    phase: watch::Sender<Phase>,
    /// Closed once no connection speaks HTTP any more: each holds the other end.
    connections: mpsc::Receiver<()>,
}

impl Open {
    /// Accepts no further connections. Those that are there are served on, each answer saying that it
    /// is the connection's last.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Ends the connections that speak HTTP, each after the answer that is under way. Says whether all
    /// have ended in that time.
    pub async fn end(mut self, within: Duration) -> bool {
        self.phase.send_replace(Phase::Ending);
        drop(self.phase);
        timeout(within, self.connections.recv()).await.is_ok()
    }
}

/// Uses what the certificate's files hold, until it is aborted.
pub async fn watch_certificate(tls: Arc<Tls>, clock: Arc<Clock>) {
    let mut ticks = interval(CERTIFICATE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (tls, now) = (tls.clone(), clock.now());
        let _ = tokio::task::spawn_blocking(move || tls.reload_if_changed(now)).await;
    }
}

fn on_loopbacks(ports: &[(Scheme, u16)]) -> Vec<Listen> {
    let loopbacks = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let both = |&(scheme, port): &(Scheme, u16)| {
        loopbacks.map(|ip| Listen { scheme, address: SocketAddr::new(ip, port) })
    };
    ports.iter().flat_map(both).collect()
}

/// Opens those that are free, at least one; each other one, such as `[::1]` on a machine without
/// IPv6, is told and left out.
fn bind_free(listens: &[Listen]) -> anyhow::Result<Vec<(Scheme, TcpListener)>> {
    let (bound, failed): (Vec<_>, Vec<_>) = listens.iter().map(bind_one).partition(Result::is_ok);
    let mut failed = failed.into_iter().filter_map(Result::err);
    if bound.is_empty()
        && let Some(error) = failed.next()
    {
        return Err(error);
    }
    failed.for_each(|error| tracing::warn!("{error:#}"));
    Ok(bound.into_iter().flatten().collect())
}

fn bind_one(listen: &Listen) -> anyhow::Result<(Scheme, TcpListener)> {
    let Listen { scheme, address } = *listen;
    let bound = listen::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 are for who may bind them (CAP_NET_BIND_SERVICE)"
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address",
            _ => "stop what uses it",
        };
        let sentence =
            format!("Cannot listen on {address}; {remedy}, or choose another with --listen");
        anyhow::Error::new(error).context(sentence)
    });
    Ok((scheme, bound?))
}

/// Tells how clients come to trust a certificate of our own.
fn tell_ca(ca: &Path) {
    let ca = ca.to_string_lossy();
    let quoted = quoted(&ca);
    say(&format!(
        "The certificate is signed by a CA of this server's own, {ca}; to trust it:\n\
         export NODE_EXTRA_CA_CERTS={quoted}\nexport CURL_CA_BUNDLE={quoted}\n"
    ));
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// Writes plain text on stderr, outside the log. Where stderr is gone, nobody is there to be told.
pub fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use tokio::runtime::Builder;

    use super::*;

    /// Opens what is free of these, which must be so many, or fails; gives what is told of the others.
    fn check(addresses: &[SocketAddr], bound: Option<usize>) -> String {
        let mut log = tempfile::tempfile().expect("a file can be made");
        let told = Arc::new(log.try_clone().expect("a file can be shared"));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(told).finish();
        let runtime = Builder::new_current_thread().enable_all().build();
        let result = tracing::subscriber::with_default(subscriber, || {
            let listen = |&address| Listen { scheme: Scheme::Http, address };
            let listens: Vec<Listen> = addresses.iter().map(listen).collect();
            runtime.expect("a runtime can be made").block_on(async { bind_free(&listens) })
        });
        assert_eq!(result.as_ref().ok().map(Vec::len), bound, "{addresses:?}: {result:?}");
        let mut told = result.err().map_or_else(String::new, |error| format!("{error:#}\n"));
        log.rewind().expect("it is a file");
        log.read_to_string(&mut told).expect("it is text");
        told
    }

    #[test]
    fn paths_as_a_shell_takes_them() {
        assert_eq!(quoted("/var/lib/bellwire-1/tls/ca.pem"), "/var/lib/bellwire-1/tls/ca.pem");
        assert_eq!(quoted("/a b/$x/ca.pem"), "'/a b/$x/ca.pem'");
        assert_eq!(quoted("/it's"), r"'/it'\''s'");
    }

    #[test]
    fn of_the_default_addresses_those_that_are_free_are_used() {
        let of = |ports: &[_]| {
            on_loopbacks(ports).iter().map(Listen::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(DEFAULT_PORTS), "http://127.0.0.1:8080 http://[::1]:8080");
        assert_eq!(
            of(&DEMO_PORTS[1..]),
            "http://127.0.0.1:8000 http://[::1]:8000 http://127.0.0.1:5000 http://[::1]:5000 \
             either://127.0.0.1:8443 either://[::1]:8443"
        );
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let holder = std::net::TcpListener::bind(loopback).expect("a port is free");
        let taken = holder.local_addr().expect("it is bound");
        // As `[::1]` is on a machine without IPv6: an address that nobody has (RFC 5737).
        let absent = SocketAddr::from(([192, 0, 2, 1], 8080));
        let cannot = |address| format!("Cannot listen on {address}; ");
        // Addresses, how many of them are used, and the one that is told of each time.
        let rows: [(&[SocketAddr], _, &[SocketAddr]); 6] = [
            (&[loopback, loopback], Some(2), &[]),
            (&[taken, loopback], Some(1), &[taken]),
            (&[loopback, taken], Some(1), &[taken]),
            (&[loopback, absent], Some(1), &[absent]),
            (&[taken, absent], None, &[taken]),
            (&[absent, taken], None, &[absent]),
        ];
        for (addresses, bound, unused) in rows {
            let told = check(addresses, bound);
            let lines: Vec<&str> = told.lines().collect();
            assert_eq!(lines.len(), unused.len(), "{told}");
            for (line, address) in lines.iter().zip(unused) {
                assert!(line.contains(&cannot(*address)), "{line}");
                assert!(bound.is_none() || line.contains(" WARN "), "{line}");
            }
        }
    }
}
