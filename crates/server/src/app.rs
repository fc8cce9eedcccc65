//! Puts a server together, runs it until it is told to stop, and drains it.

use std::{
    fs::DirBuilder,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use bellwire_services::kit::{Answer, Fault, Settings};
use bellwire_store::{
    log,
    sqlite::{self, Store},
    tx::ReadTx,
};
use bellwire_wire::frame::Limits;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::watch,
};

use crate::{
    accounts, backup,
    clock::Clock,
    config::{self, Config, Listen, Scheme},
    control,
    credentials::Keyring,
    demo,
    door::{Door, SlowWork, Tables, chance},
    housekeeping,
    hub::{
        outbox,
        recent::{Entry, Recent, Speller},
    },
    metrics::Metrics,
    net::{
        caller::Rules,
        http::{Site, conformance_router, router},
        limits::{ConnectionLimits, LoginLimits},
        listen,
        shards::{self, Common, Shards},
    },
    sequencer::{Feed, ReplyTo, Sequencer},
    supervisor::{self, Supervisor},
};

/// The newest rows that are kept in memory: as many as a replay may have.
const RECENT_ROWS_MAX: usize = 10_000;
/// And about how many bytes of them, as [`Entry::memory_len`] counts.
const RECENT_BYTES_MAX: usize = 64 << 20;
/// The longest message of a conformance server, in bytes; four of them may wait for a socket.
const ECHO_LEN_MAX: usize = 16 << 20;

/// Where to listen when nothing is said: 127.0.0.1:8080 and [::1]:8080.
const DEFAULT_LISTEN: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 8080),
];

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
    pub fn open(
        data: &Path,
        guests: bool,
        settings: Settings,
        feeds: Vec<Feed>,
    ) -> anyhow::Result<Core> {
        backup::refuse_unfinished(data)?;
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(data)
            .with_context(|| format!("The data directory {} cannot be made", data.display()))?;
        let services = bellwire_services::all();
        let migrations: Vec<_> = services.iter().map(|service| service.migrations).collect();
        let clock = Arc::new(Clock::new());
        let metrics = Arc::new(Metrics::new());
        let mut options = sqlite::Options::new(data.join(backup::DATABASE), epoch(), clock.now());
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
        let tables = Arc::new(Tables::of(services));
        let (settings, slow) = (Arc::new(settings), SlowWork::new());
        let door =
            Door { tables, store, keyring, guests, clock, recent, speller, lag, settings, slow };
        Ok(Core { door: Arc::new(door), metrics })
    }

    /// Closes the store in good order.
    ///
    /// # Errors
    /// When the last checkpoint failed; nothing acknowledged is lost by that.
    pub fn close(self) -> anyhow::Result<()> {
        match Arc::try_unwrap(self.door) {
            Ok(door) => Ok(door.store.close().map_err(|fatal| anyhow!(fatal.to_string()))?),
            // Something still holds the door: the store is closed when that lets go of it.
            Err(_) => Ok(()),
        }
    }
}

/// The newest rows of the log, so that clients which come back after a restart share them too.
fn remember(store: &Store<Answer, ReplyTo>) -> anyhow::Result<Arc<Recent>> {
    let (sender, rows) = mpsc::channel();
    let job = move |tx: Result<&ReadTx<'_>, Fault>| {
        // A row takes about twice its bytes in memory: frames are made of it.
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

/// A new epoch, for a new database or a copy: 64 random bits.
pub(crate) fn epoch() -> String {
    chance()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve(config: &Config) -> anyhow::Result<()> {
    let purpose = if config.demo { Purpose::Demo } else { Purpose::Production };
    let server = Server::start(config, purpose)?;
    let supervisor = Arc::new(Supervisor::from_environment());
    let result = server.runtime.block_on(run(config, &server, &supervisor));
    control::remove(&config.data);
    server.stop(config.drain.time_max)?;
    result
}

async fn run(config: &Config, server: &Server, supervisor: &Arc<Supervisor>) -> anyhow::Result<()> {
    let Server { core: Core { door, metrics }, site, .. } = server;
    // First, so that a port that is taken is all that is said.
    let listeners = bind(&config.listen)?;
    if config.demo {
        demo::claim(&config.data, door).await?;
    } else {
        demo::refuse(&config.data)?;
    }
    let control = control::listen(&config.data, door.clone())?;
    let (log, history) = (config.log.keep(), config::micros(config.states.history));
    let housekeeping = housekeeping::run(door.clone(), metrics.clone(), log, history);
    let (watcher, watched) = (supervisor.clone(), door.clone());
    let watch = async move { watcher.watch(&watched).await };
    let mut tasks = vec![control, tokio::spawn(housekeeping), tokio::spawn(watch)];
    if config.demo {
        tasks.push(tokio::spawn(demo::run(door.clone(), config.demo_speed)));
        accounts::add_samples(door).await?;
        demo::greet(door).await?;
    } else if let Some(password) = accounts::first_admin(door).await? {
        say(&format!(
            "An admin was made. This is the only time that the password is shown:\n  \
             username: admin\n  password: {password}\n"
        ));
    }
    let ready = |addresses: &[SocketAddr]| {
        guide(config, addresses);
        supervisor.ready();
    };
    let result = listen_until_stopped(listeners, router(site.clone()), site, ready).await;
    supervisor.stopping();
    for task in tasks {
        task.abort();
    }
    result
}

/// Runs a server that echoes at `/echo`, on the production path, for protocol suites.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve_conformance(listen: Listen) -> anyhow::Result<()> {
    let name = format!("bellwire-conformance-{}-{}", std::process::id(), epoch());
    let data = std::env::temp_dir().join(name);
    let config = Config { data: data.clone(), ..Config::default() };
    let server = Server::start(&config, Purpose::Conformance)?;
    let result = server.runtime.block_on(async {
        let router = conformance_router(server.site.clone());
        listen_until_stopped(bind(&[listen])?, router, &server.site, |_| {}).await
    });
    server.stop(config.drain.time_max)?;
    let _ = std::fs::remove_dir_all(&data);
    result
}

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To serve those who have a token.
    Production,
    /// To show a recording to guests of this machine.
    Demo,
    /// To echo what a protocol suite sends.
    Conformance,
}

/// A server that is put together, but does not listen yet.
struct Server {
    core: Core,
    shards: Shards,
    site: Arc<Site>,
    runtime: Runtime,
}

impl Server {
    fn start(config: &Config, purpose: Purpose) -> anyhow::Result<Server> {
        let inlets =
            shards::inlets().context("No descriptor is left for the shards; raise `ulimit -n`")?;
        let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
        let session_s = i64::try_from(config.login.session.as_secs()).unwrap_or(i64::MAX);
        let guests = purpose != Purpose::Production;
        let core = Core::open(&config.data, guests, Settings { session_s }, feeds)?;
        let (limits, outbox_len_max) = match purpose {
            Purpose::Production | Purpose::Demo => (Limits::DEFAULT, outbox::LEN_MAX),
            Purpose::Conformance => {
                (Limits { message_len_max: ECHO_LEN_MAX, ..Limits::DEFAULT }, 4 * ECHO_LEN_MAX)
            }
        };
        let common = Common {
            door: core.door.clone(),
            metrics: core.metrics.clone(),
            serves: purpose != Purpose::Conformance,
            limits,
            outbox_len_max,
        };
        let shards = Shards::start(inlets, &common)?;
        let site = Arc::new(Site {
            door: core.door.clone(),
            metrics: core.metrics.clone(),
            shards: shards.handles(),
            limits: (purpose == Purpose::Production)
                .then(|| ConnectionLimits::new(config.limits.strict)),
            logins: LoginLimits::new(),
            rules: rules(config),
            loopback_only: purpose == Purpose::Demo,
            draining: AtomicBool::new(false),
        });
        // Two threads accept connections and speak HTTP.
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Server { core, shards, site, runtime })
    }

    /// Closes every connection within `drain_max`, ends the threads, then closes the store.
    fn stop(self, drain_max: Duration) -> anyhow::Result<()> {
        let Server { core, shards, site, runtime } = self;
        shards.drain(drain_max);
        runtime.shutdown_timeout(Duration::from_secs(1));
        drop(site); // It holds the door.
        core.close()
    }
}

/// Who may call, and from where, as it is set.
fn rules(config: &Config) -> Rules {
    Rules {
        origins: config.origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        hosts: config.hosts.iter().map(|host| host.as_str().to_owned()).collect(),
        proxies: config.proxies.clone(),
        metrics_closed: !config.metrics.open,
    }
}

/// Opens the listening sockets: all, or none. Inside the runtime.
fn bind(listen: &[Listen]) -> anyhow::Result<Vec<TcpListener>> {
    if let Some(secure) = listen.iter().find(|listen| listen.scheme != Scheme::Http) {
        bail!("Cannot listen on {secure}: this server speaks no TLS yet; use http:// there.");
    }
    if !listen.is_empty() {
        return listen.iter().map(|listen| bind_one(&listen.address)).collect();
    }
    bind_free(&DEFAULT_LISTEN)
}

/// Opens those that are free; what is taken, or not there on this machine, is told and left out.
fn bind_free(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let (bound, failed): (Vec<_>, Vec<_>) = addresses.iter().map(bind_one).partition(Result::is_ok);
    let mut failed = failed.into_iter().filter_map(Result::err);
    if bound.is_empty()
        && let Some(error) = failed.next()
    {
        return Err(error);
    }
    failed.for_each(|error| tracing::warn!("{error:#}"));
    Ok(bound.into_iter().flatten().collect())
}

fn bind_one(address: &SocketAddr) -> anyhow::Result<TcpListener> {
    listen::bind(*address).with_context(|| {
        format!("Cannot listen on {address}; stop what uses it, or choose another with --listen")
    })
}

/// Says where to go from here, to whoever has just started it.
fn guide(config: &Config, addresses: &[SocketAddr]) {
    let data = config.data.display();
    let url = addresses.first().map_or_else(String::new, |address| {
        let port = address.port();
        match address.ip().is_unspecified() {
            true => format!("http://localhost:{port}/"),
            false => format!("http://{address}/"),
        }
    });
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("Bellwire {version}, its data in {data}\nNext: open {url} in a browser");
    if !config.demo {
        text += " and sign in. Another password, and a token for a program:\n";
        text += &format!("  bellwire user password admin --data {data}\n");
        text += &format!("  bellwire token create --role admin --data {data}");
    }
    say(&format!("{text}\nHow to operate it: docs/operate.md\n"));
}

/// Writes plain text on stderr, outside the log. Where stderr is gone, nobody is there to be told.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

async fn listen_until_stopped(
    listeners: Vec<TcpListener>,
    router: Router,
    site: &Site,
    ready: impl FnOnce(&[SocketAddr]),
) -> anyhow::Result<()> {
    // Before anyone is told that it runs: from then on it may be asked to end.
    let mut asked_to_stop = supervisor::signals()?;
    let (stop, stopped) = watch::channel(false);
    let mut addresses = Vec::new();
    for listener in listeners {
        let address = listener.local_addr()?;
        addresses.push(address);
        say(&format!("Listening on http://{address}/\n"));
        tokio::spawn(listen::serve(
            listener,
            router.clone(),
            site.metrics.clone(),
            stopped.clone(),
        ));
    }
    ready(&addresses);
    asked_to_stop.wait_for(|stop| *stop).await.context("The signals are not heard any more")?;
    tracing::info!("stopping");
    site.draining.store(true, Ordering::Relaxed);
    let _ = stop.send(true);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    /// Opens what is free of these, which must be so many, or fails; gives what is told of the others.
    fn check(addresses: &[SocketAddr], bound: Option<usize>) -> String {
        let mut log = tempfile::tempfile().expect("a file can be made");
        let told = Arc::new(log.try_clone().expect("a file can be shared"));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(told).finish();
        let runtime = Builder::new_current_thread().enable_all().build();
        let result = tracing::subscriber::with_default(subscriber, || {
            runtime.expect("a runtime can be made").block_on(async { bind_free(addresses) })
        });
        assert_eq!(result.as_ref().ok().map(Vec::len), bound, "{addresses:?}: {result:?}");
        let mut told = result.err().map_or_else(String::new, |error| format!("{error:#}\n"));
        log.rewind().expect("it is a file");
        log.read_to_string(&mut told).expect("it is text");
        told
    }

    #[test]
    fn of_the_default_addresses_those_that_are_free_are_used() {
        let defaults = DEFAULT_LISTEN.map(|address| address.to_string());
        assert_eq!(defaults, ["127.0.0.1:8080", "[::1]:8080"]);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let holder = std::net::TcpListener::bind(loopback).expect("a port is free");
        let taken = holder.local_addr().expect("it is bound");
        // As `[::1]` is on a machine without IPv6: an address that nobody has (RFC 5737).
        let absent = SocketAddr::from(([192, 0, 2, 1], 8080));
        let cannot = |address| format!("Cannot listen on {address}; stop what uses it, or ");
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
