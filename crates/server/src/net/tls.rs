//! TLS: the certificate, given or our own, and how connections are served with it.
//!
//! A certificate that was given is read again when its files change; connections that are open go on
//! with the old one. Without one, a certificate authority (CA) of this server's own stands in: see
//! `own`. Not here: what goes over a TLS connection once it is upgraded, which is
//! [`socket`](super::socket)'s.

mod own;
mod pair;
#[cfg(test)]
mod tests;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
};

use bellwire_services::kit::Micros;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use pair::{Pair, date};

/// A day.
const DAY_MICROS: Micros = 24 * 3_600 * 1_000_000;
/// From so long before its end on, the certificate in use is warned of, once a day.
const WARNED_BEFORE_MICROS: Micros = 14 * DAY_MICROS;

/// What an operator says about TLS.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A PEM file with the certificate, its chain behind it; and one with its private key: PKCS #8,
    /// SEC 1 or PKCS #1. None: a certificate is made here.
    pub files: Option<[PathBuf; 2]>,
    /// Names that our own certificate is to have besides this machine's: DNS names or IP addresses.
    pub names: Vec<String>,
}

/// The certificate of a server, and how connections are served with it.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    source: Source,
    /// What was last seen of the files. A `Mutex`: the task that looks after them takes it, and
    /// nobody waits for it.
    watch: Mutex<Watch>,
}

/// Where the certificate comes from.
#[derive(Debug)]
enum Source {
    /// From the operator: the certificate's and the key's file.
    Given([PathBuf; 2]),
    /// From here: the folder of our own, the names it is for, and the CA.
    Own { folder: PathBuf, names: Vec<String>, ca: PathBuf },
}

#[derive(Debug)]
struct Watch {
    seen: [Option<Stamp>; 2],
    ends_at: Micros,
    warned_at: Option<Micros>,
    /// When our own was last looked after.
    renewed_at: Micros,
}

/// What changes when a file does: modification time, length, inode.
type Stamp = (i64, i64, u64, u64);

/// The certificate in use. A `RwLock`: every handshake reads, a reload writes.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("nobody panics under this lock").clone())
    }
}

impl Tls {
    /// Loads the certificate that was given, or one of our own below the data directory, which is made
    /// or renewed as needed.
    ///
    /// # Errors
    /// In one sentence that names the file and says what to do.
    pub fn open(settings: &Settings, data: &Path, now: Micros) -> anyhow::Result<Tls> {
        let (files, source) = match &settings.files {
            Some(files) => (files.clone(), Source::Given(files.clone())),
            None => {
                let (folder, names) = (data.join("tls"), settings.names.clone());
                let own = own::open(&folder, &names, now)?;
                ([own.certificate, own.key], Source::Own { folder, names, ca: own.ca })
            }
        };
        let seen = files.each_ref().map(|file| stamp(file));
        let Pair { certified, ends_at } = pair::load(&files[0], &files[1], now)?;
        let current = Arc::new(Current(RwLock::new(certified)));
        let watch = Watch { seen, ends_at, warned_at: None, renewed_at: now };
        Ok(Tls { config: config(current.clone()), current, source, watch: Mutex::new(watch) })
    }

    /// How connections are served.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// The CA that clients have to trust, if the certificate is our own.
    pub fn ca(&self) -> Option<&Path> {
        match &self.source {
            Source::Given(_) => None,
            Source::Own { ca, .. } => Some(ca),
        }
    }

    /// Looks whether the files that were given changed, and uses what they hold now; once a day renews
    /// our own if it is about to end. A pair that cannot be used is told once, and the one in use stays.
    /// Warns when that one is about to end.
    pub fn reload_if_changed(&self, now: Micros) {
        let mut watch = self.watch.lock().expect("nobody panics under this lock");
        match self.load_again(&mut watch, now) {
            Some(Ok(pair)) => {
                *self.current.0.write().expect("nobody panics under this lock") = pair.certified;
                if pair.ends_at != watch.ends_at || self.ca().is_none() {
                    tracing::info!(until = %date(pair.ends_at), "a new certificate is in use");
                    (watch.ends_at, watch.warned_at) = (pair.ends_at, None);
                }
            }
            Some(Err(error)) => {
                tracing::error!("the certificate in use stays, as its files changed: {error:#}");
            }
            None => {}
        }
        let is_told = watch.warned_at.is_some_and(|at| now - at < DAY_MICROS);
        if watch.ends_at - now < WARNED_BEFORE_MICROS && !is_told {
            watch.warned_at = Some(now);
            tracing::warn!("the certificate ends on {}: renew it", date(watch.ends_at));
        }
    }

    /// Loads what was given if its files changed, our own if a day has passed.
    fn load_again(&self, watch: &mut Watch, now: Micros) -> Option<anyhow::Result<Pair>> {
        match &self.source {
            Source::Given(files) => {
                let seen = files.each_ref().map(|file| stamp(file));
                let is_new = std::mem::replace(&mut watch.seen, seen) != seen;
                is_new.then(|| pair::load(&files[0], &files[1], now))
            }
            Source::Own { folder, names, .. } => {
                let is_due = now - watch.renewed_at >= DAY_MICROS;
                is_due.then(|| {
                    watch.renewed_at = now;
                    let own = own::open(folder, names, now)?;
                    pair::load(&own.certificate, &own.key, now)
                })
            }
        }
    }
}

fn config(current: Arc<Current>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
}
