//! Puts a server together, runs it until it is told to stop, and drains it.

use std::{
    fs::DirBuilder,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use bellwire_services::kit::{Answer, Fault};
use bellwire_store::{
    log,
    sqlite::{self, Store},
    tx::ReadTx,
};
use bellwire_wire::frame::Limits;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    clock::Clock,
    control,
    credentials::Keyring,
    demo,
    door::{Door, Parts, chance},
    housekeeping,
    hub::{
        outbox,
        recent::{Entry, Recent, Speller},
    },
    metrics::Metrics,
    net::{
        http::{Site, conformance_router, router},
        limits::ConnectionLimits,
        listen,
        shard::Inlet,
        shards::{self, Common, Shards},
    },
    sequencer::{Feed, ReplyTo, Sequencer},
};

/// The newest rows that are kept in memory: as many as a replay may have.
const RECENT_ROWS_MAX: usize = 10_000;
/// And about so many bytes of them.
const RECENT_BYTES_MAX: usize = 64 << 20;
/// A conformance server takes messages to 16 MiB, and lets as much wait for a socket.
const ECHO_LEN_MAX: usize = 16 << 20;

/// Where to listen when nothing is said: 127.0.0.1:8080 and [::1]:8080.
const DEFAULT_LISTEN: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 8080),
];

/// What `bellwire serve` is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory.
    pub data: PathBuf,
    /// Where to listen; nothing: port 8080 of both loopbacks, as far as it is free.
    pub listen: Vec<SocketAddr>,
    /// The demo's speed, if it is one: 1 is the recording's own pace.
    pub demo: Option<f64>,
}

/// Everything behind the door, without a network.
pub struct Core {
    /// The door.
    pub door: Arc<Door>,
    /// The measures.
    pub metrics: Arc<Metrics>,
}

impl Core {
    /// Opens a data directory; makes it (0700) if there is none. `feeds` are the shards' ways in.
    ///
    /// # Errors
    /// In one sentence that says what to do: the directory cannot be used, another server uses it,
    /// its database is damaged or newer than this program.
    pub fn open(data: &Path, guests: bool, feeds: Vec<Feed>) -> anyhow::Result<Core> {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(data)
            .with_context(|| format!("The data directory {} cannot be made", data.display()))?;
        let services = bellwire_services::all();
        let migrations: Vec<_> = services.iter().map(|service| service.migrations).collect();
        let clock = Arc::new(Clock::new());
        let metrics = Arc::new(Metrics::new());
        let mut options = sqlite::Options::new(data.join("bellwire.db"), epoch(), clock.now());
        options.report = Arc::new(|incident| tracing::error!(cause = %incident, "a query failed"));
        options.fatal = Box::new(|cause| {
            tracing::error!(cause, "the database failed: nothing more can be acknowledged");
            std::process::exit(1);
        });
        // The sequencer needs the log's head, which is known only once the store is open.
        let (give, take) = mpsc::sync_channel::<Sequencer>(1);
        let mut sequencer = None;
        let store = Store::open(options, &migrations, move |batch| {
            sequencer
                .get_or_insert_with(|| {
                    take.recv().expect("the sequencer is given before anything is written")
                })
                .publish(batch);
        })?;
        let recent = remember(&store)?;
        let sequencer = Sequencer::new(recent.clone(), feeds, clock.clone(), metrics.clone());
        let lag = sequencer.lag();
        give.send(sequencer).expect("the writer waits for it");
        if store.log_stats().last_at.is_some_and(|last_at| last_at > clock.now()) {
            tracing::warn!(
                "the clock is behind the newest change: was it set back? Order is not affected"
            );
        }
        let keys = data.join("keys");
        let keyring = Keyring::open(&keys, &chance())
            .with_context(|| format!("The signing keys in {} cannot be used", keys.display()))?;
        let events = services.iter().flat_map(|service| service.events.clone());
        let speller = Arc::new(Speller::new(store.epoch(), events));
        let parts = Parts { store, keyring, guests, clock, recent, speller, lag };
        Ok(Core { door: Arc::new(Door::new(services, parts)), metrics })
    }

    /// Closes the store in good order.
    ///
    /// # Errors
    /// When the last checkpoint failed; nothing acknowledged is lost by that.
    pub fn close(self) -> anyhow::Result<()> {
        match Arc::try_unwrap(self.door) {
            Ok(door) => {
                Ok(door.store.close().map_err(|fatal| anyhow::anyhow!(fatal.to_string()))?)
            }
            // Someone still holds the door; the store is closed when he lets go.
            Err(_) => Ok(()),
        }
    }
}

/// The newest rows of the log, so that clients which come back after a restart share them too.
fn remember(store: &Store<Answer, ReplyTo>) -> anyhow::Result<Arc<Recent>> {
    let (sender, rows) = mpsc::channel();
    let job = move |tx: Result<&ReadTx<'_>, Fault>| {
        let tail =
            |tx: &ReadTx<'_>| log::tail(tx, RECENT_ROWS_MAX as u64, RECENT_BYTES_MAX as u64 / 2);
        let _ = sender.send(tx.and_then(tail));
    };
    let queued = store.read(Box::new(job));
    queued.map_err(|_| anyhow!("the store has stopped"))?;
    let rows = rows.recv()?.map_err(|fault| anyhow!(fault.to_string()))?;
    let before = rows.first().map_or(store.log_stats().head, |row| row.offset - 1);
    let recent = Recent::new(before, RECENT_ROWS_MAX, RECENT_BYTES_MAX);
    let entries: Vec<_> = rows.into_iter().map(|row| Arc::new(Entry::new(Arc::new(row)))).collect();
    recent.append(&entries);
    Ok(Arc::new(recent))
}

/// A new database's epoch: 64 random bits.
fn epoch() -> String {
    chance()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve(options: &Options) -> anyhow::Result<()> {
    if options.demo.is_some()
        && let Some(public) = options.listen.iter().find(|address| !address.ip().is_loopback())
    {
        bail!(
            "The demo lets guests in and listens on loopback only, not on {public}; leave out --demo to serve others."
        );
    }
    let inlets = inlets()?;
    let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
    let core = Core::open(&options.data, options.demo.is_some(), feeds)?;
    let common = Common {
        door: core.door.clone(),
        metrics: core.metrics.clone(),
        serves: true,
        limits: Limits::DEFAULT,
        outbox_len_max: outbox::LEN_MAX,
    };
    let shards = Shards::start(inlets, &common)?;
    let site = Arc::new(Site {
        door: core.door.clone(),
        metrics: core.metrics.clone(),
        shards: shards.ways(),
        limits: options.demo.is_none().then(ConnectionLimits::new),
        loopback_only: options.demo.is_some(),
        draining: AtomicBool::new(false),
    });
    drop(common);
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        // First, so that a port that is taken is all that is said.
        let listeners = bind(&options.listen)?;
        if options.demo.is_some() {
            demo::claim(&options.data, &core.door).await?;
        }
        let control = control::listen(&options.data, core.door.clone())?;
        let mut tasks = vec![
            control,
            tokio::spawn(housekeeping::run(
                core.door.clone(),
                core.metrics.clone(),
                options.demo.is_some(),
            )),
        ];
        if let Some(speed) = options.demo {
            tasks.push(tokio::spawn(demo::run(core.door.clone(), speed)));
            demo::greet(&core.door).await?;
        }
        let result = listen_until_stopped(listeners, router(site.clone()), &site).await;
        for task in tasks {
            task.abort();
        }
        result
    });
    shards.drain();
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(site);
    control::remove(&options.data);
    core.close()?;
    result
}

fn inlets() -> anyhow::Result<Vec<Inlet>> {
    shards::inlets().context("No descriptor is left for the shards; raise `ulimit -n`")
}

/// The threads that accept connections and speak HTTP.
fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Opens the listening sockets: all, or none. Inside the runtime.
fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let cannot = |address: &SocketAddr| {
        format!("Cannot listen on {address}; stop what uses it, or choose another with --listen")
    };
    let bind = |address: &SocketAddr| listen::bind(*address).with_context(|| cannot(address));
    if !addresses.is_empty() {
        return addresses.iter().map(bind).collect();
    }
    // Nothing was asked for: what is taken, or not there on this machine, is told and left out.
    let (bound, failed): (Vec<_>, Vec<_>) =
        DEFAULT_LISTEN.iter().map(bind).partition(Result::is_ok);
    let mut failed = failed.into_iter().filter_map(Result::err);
    if bound.is_empty()
        && let Some(error) = failed.next()
    {
        return Err(error);
    }
    failed.for_each(|error| tracing::warn!("{error:#}"));
    Ok(bound.into_iter().flatten().collect())
}

async fn listen_until_stopped(
    listeners: Vec<TcpListener>,
    router: Router,
    site: &Site,
) -> anyhow::Result<()> {
    // Before anyone is told that it runs: from then on it may be asked to end.
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    for listener in listeners {
        let address = listener.local_addr()?;
        eprintln!("Listening on http://{address}/");
        tokio::spawn(listen::serve(
            listener,
            router.clone(),
            site.metrics.clone(),
            stopped.clone(),
        ));
    }
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping");
    site.draining.store(true, Ordering::Relaxed);
    let _ = stop.send(true);
    Ok(())
}

/// Runs a server that echoes at `/echo`, on the production path, for protocol suites.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve_conformance(listen: SocketAddr) -> anyhow::Result<()> {
    let data = std::env::temp_dir().join(format!(
        "bellwire-conformance-{}-{}",
        std::process::id(),
        epoch()
    ));
    let inlets = inlets()?;
    let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
    let core = Core::open(&data, true, feeds)?;
    let common = Common {
        door: core.door.clone(),
        metrics: core.metrics.clone(),
        serves: false,
        limits: Limits { message_len_max: ECHO_LEN_MAX, ..Limits::DEFAULT },
        outbox_len_max: 4 * ECHO_LEN_MAX,
    };
    let shards = Shards::start(inlets, &common)?;
    let site = Arc::new(Site {
        door: core.door.clone(),
        metrics: core.metrics.clone(),
        shards: shards.ways(),
        limits: None,
        loopback_only: false,
        draining: AtomicBool::new(false),
    });
    drop(common);
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        listen_until_stopped(bind(&[listen])?, conformance_router(site.clone()), &site).await
    });
    shards.drain();
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(site);
    core.close()?;
    let _ = std::fs::remove_dir_all(&data);
    result
}
