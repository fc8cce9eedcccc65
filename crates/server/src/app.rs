//! Puts a server together, runs it until it is told to stop, and drains it.

use std::{
    fs::DirBuilder,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use axum::Router;
use bellwire_services::{
    kit::{Answer, Fault, Micros, Payload, Principal, Service, Settings},
    sensors, standing, stations,
};
use bellwire_store::{
    log,
    sqlite::{self, Store},
    tx::ReadTx,
};
use bellwire_wire::{engine::Timing, frame::Limits};
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};

use crate::{
    accounts, backup,
    clock::{Clock, settled_before},
    config::{self, Config, Listen, Scheme},
    control,
    credentials::{Keyring, chance},
    demo,
    door::{Door, Guests, Meters, Partings, SlowWork, Tables},
    housekeeping,
    hub::{
        outbox,
        recent::{Entry, Recent, Speller},
    },
    listeners::{
        DEFAULT_PORTS, DEMO_PORTS, Listeners, Open, enough_descriptors, say, watch_certificate,
    },
    metrics::Metrics,
    net::{
        caller::Rules,
        crowd::Crowd,
        engine,
        http::{Site, conformance_router, router},
        limits::ConnectionLimits,
        shards::{self, Common, Shards},
        tls,
        tries::{Paces, Tries},
    },
    online::{self, Online},
    presence,
    sequencer::{Feed, ReplyTo, Sequencer},
    signals,
    supervisor::{self, Supervisor},
    thinning, timers,
};

/// The newest rows that are kept in memory: as many as a replay may have.
const RECENT_ROWS_MAX: usize = 10_000;
/// And about how many bytes of them, as [`Entry::memory_len`] counts.
const RECENT_BYTES_MAX: usize = 64 << 20;
/// The longest message of a conformance server, in bytes; four of them may wait for a socket.
const ECHO_LEN_MAX: usize = 16 << 20;
/// How long the last answers over HTTP may take.
const ANSWERED_MAX: Duration = Duration::from_secs(5);

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
        guests: Guests,
        settings: Settings,
        feeds: Vec<Feed>,
    ) -> anyhow::Result<Core> {
        Core::open_with(bellwire_services::all(), data, guests, settings, feeds)
    }

    /// The same with these services.
    ///
    /// # Errors
    /// The same.
    pub fn open_with(
        services: Vec<Service>,
        data: &Path,
        guests: Guests,
        settings: Settings,
        feeds: Vec<Feed>,
    ) -> anyhow::Result<Core> {
        backup::refuse_unfinished(data)?;
        DirBuilder::new().mode(0o700).recursive(true).create(data).with_context(|| {
            let at = data.display();
            format!("The data directory {at} cannot be made; choose another with --data")
        })?;
        let migrations: Vec<_> = services.iter().map(|service| service.migrations).collect();
        let clock = Arc::new(Clock::new());
        let metrics = Arc::new(Metrics::new());
        let mut options = sqlite::Options::new(data.join(backup::DATABASE), epoch(), clock.now());
        #[cfg(all(test, debug_assertions))]
        {
            options.testing = crate::simulation::disk::testing(data);
        }
        options.report = Arc::new(|incident| tracing::error!(cause = %incident, "a query failed"));
        options.fatal = Box::new(|cause| {
            tracing::error!(cause, "the database failed: nothing more can be acknowledged");
            std::process::exit(1);
        });
        let is_checked = data.join(sqlite::needs_check(backup::DATABASE)).exists();
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
        let (recent, before) = remember(&store)?;
        before.settled.into_iter().for_each(|settled| clock.came_after(settled));
        let sequencer = Sequencer::new(recent.clone(), feeds, clock.clone(), metrics.clone());
        let (lag, feeds) = (sequencer.lag(), sequencer.feeds());
        give.send(sequencer).expect("the writer waits for it");
        let is_behind = store.log_stats().last_at.is_some_and(|last_at| last_at > clock.now());
        tell_of_before(is_checked, is_behind);
        let keys = data.join("keys");
        let mut keyring = Keyring::open(&keys, &chance())
            .with_context(|| format!("The signing keys in {} cannot be used", keys.display()))?;
        if before.latest.is_some_and(|latest| latest > clock.now()) {
            keyring.refuse_tickets_of_others(epoch());
        }
        let events = services.iter().flat_map(|service| service.told());
        let speller = Arc::new(Speller::new(store.epoch(), events));
        let tables = Arc::new(Tables::of(services));
        let meters = Meters::of(tables.commands(), &settings);
        let (settings, slow) = (Arc::new(settings), SlowWork::new());
        let partings = Arc::new(Partings::default());
        let online = Arc::new(Online::new(clock.clone(), settings.presence_grace_ms));
        let door = Door {
            tables,
            store,
            keyring,
            guests,
            meters,
            clock,
            recent,
            speller,
            lag,
            feeds,
            settings,
            slow,
            presence: Arc::default(),
            thinning: Arc::default(),
            signals: Arc::default(),
            online,
            partings,
        };
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

/// Tells the log what a start found of the life before: a disk that failed, and a clock that was set back.
fn tell_of_before(is_checked: bool, is_behind: bool) {
    if is_checked {
        tracing::warn!(
            "the disk failed when the database was last in use: all of it was checked, and is sound"
        );
    }
    if is_behind {
        tracing::warn!(
            "the clock is behind the newest change: was it set back? Order is not affected"
        );
    }
}

/// What the newest rows of the log tell of the clock in the lives before.
struct Before {
    /// The latest time.
    latest: Option<Micros>,
    /// Up to when it had stood.
    settled: Option<Micros>,
}

/// The newest rows of the log, so that clients which come back after a restart share them too.
fn remember(store: &Store<Answer, ReplyTo>) -> anyhow::Result<(Arc<Recent>, Before)> {
    let (sender, found) = mpsc::channel();
    let job = move |tx: Result<&ReadTx<'_>, Fault>| {
        // A row takes about twice its bytes in memory: frames are made of it.
        let tail =
            |tx: &ReadTx<'_>| log::tail(tx, RECENT_ROWS_MAX as u64, RECENT_BYTES_MAX as u64 / 2);
        let _ = sender.send(tx.and_then(|tx| Ok((tail(tx)?, standing::ahead(tx)?))));
    };
    let queued = store.read(Box::new(job));
    queued.map_err(|_| anyhow!("the store has stopped"))?;
    let (rows, ahead) = found.recv()?.map_err(|fault| anyhow!(fault.to_string()))?;
    let before = rows.first().map_or(store.log_stats().head, |row| row.offset - 1);
    let recent = Recent::new(before, RECENT_ROWS_MAX, RECENT_BYTES_MAX);
    let times = rows.iter().map(|row| row.at);
    let told = Before { latest: times.clone().max(), settled: settled_before(times, ahead) };
    let entries: Vec<_> = rows.into_iter().map(|row| Arc::new(Entry::new(Arc::new(row)))).collect();
    recent.append(&entries);
    Ok((Arc::new(recent), told))
}

/// A new epoch, for a new database or a copy: 64 random bits.
pub(crate) fn epoch() -> String {
    chance()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server of this process, on a free port of loopback, with services of one's own: for tests of what the product's
/// services do not do. It ends with this.
pub struct Here {
    server: Option<Server>,
    open: Option<Open>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Here {
    /// Starts it.
    ///
    /// # Errors
    /// In one sentence.
    pub fn start(config: &Config, services: Vec<Service>, guests: Guests) -> anyhow::Result<Here> {
        let house = House { purpose: Purpose::Production, services, guests };
        let server = Server::start(config, house, engine::Timings::default())?;
        let site = &server.site;
        let open = server.runtime.block_on(async {
            let listen = Listen {
                scheme: Scheme::Http,
                address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            };
            let listeners = Listeners::bind(&[listen], &[])?;
            let crowd = Crowd::new(site.rules.proxies.clone());
            anyhow::Ok(listeners.serve(&router(site.clone()), &site.metrics, &crowd)?)
        });
        let (open, url) = open?;
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse()?;
        Ok(Here { server: Some(server), open: Some(open), address })
    }

    /// Makes a call in the name of the operator.
    ///
    /// # Errors
    /// What the call refuses.
    ///
    /// # Panics
    /// Never: it runs as long as this is there.
    pub fn operate(&self, call: &str, payload: Payload) -> Result<Box<RawValue>, Fault> {
        let server = self.server.as_ref().expect("it runs");
        let operator = Arc::new(Principal::operator());
        server.runtime.block_on(server.core.door.ask(call, payload, operator))
    }

    /// What its routes share: for the fuzzers, who have routes of their own.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn site(&self) -> Arc<Site> {
        self.server.as_ref().expect("it runs").site.clone()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if let (Some(server), Some(open)) = (self.server.take(), self.open.take()) {
            server.site.draining.store(true, Ordering::Relaxed);
            open.close();
            let _ = server.stop(Ok(open), Duration::from_secs(1));
        }
    }
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve(config: &Config) -> anyhow::Result<()> {
    let purpose = if config.demo { Purpose::Demo } else { Purpose::Production };
    let server = Server::start(config, House::of(config, purpose), engine::Timings::default())?;
    let supervisor = Arc::new(Supervisor::from_environment());
    let result = server.runtime.block_on(run(config, &server, &supervisor));
    control::remove(&config.data);
    server.stop(result, config.drain.time_max)
}

async fn run(
    config: &Config,
    server: &Server,
    supervisor: &Arc<Supervisor>,
) -> anyhow::Result<Open> {
    let Server { core: Core { door, metrics }, site, .. } = server;
    if !config.demo {
        demo::refuse(&config.data)?;
    }
    // Before anything is written, so that a port that is taken is all that is said.
    let ports = if config.demo { DEMO_PORTS } else { DEFAULT_PORTS };
    let mut listeners = Listeners::bind(&config.listen, ports)?;
    listeners.open_tls(&certificate(config), &config.data, &door.clock)?;
    if config.demo {
        demo::claim(&config.data, door).await?;
    }
    for sentence in backup::exposed(&config.data) {
        tracing::warn!("{sentence}");
    }
    housekeeping::begin(door).await?;
    let control = control::listen(&config.data, door.clone())?;
    let kept = housekeeping::Kept {
        log: config.log.keep(),
        states: config::micros(config.states.history),
        areas: config::micros(config.areas.history),
        notifications: config::micros(config.notifications.history),
        bookings: config::micros(config.stations.history),
    };
    let housekeeping = housekeeping::run(door.clone(), metrics.clone(), kept);
    let (watcher, watched) = (supervisor.clone(), door.clone());
    let watch = async move { watcher.watch(&watched).await };
    let presence = tokio::spawn(presence::run(door.clone()));
    let thinning = tokio::spawn(thinning::run(door.clone()));
    let signals = tokio::spawn(signals::run(door.clone()));
    online::begin(door).await.map_err(|fault| anyhow!(fault.to_string()))?;
    let online = tokio::spawn(online::run(door.clone()));
    let timers = tokio::spawn(timers::run(door.clone(), metrics.clone()));
    let mut tasks = vec![
        control,
        tokio::spawn(housekeeping),
        tokio::spawn(watch),
        presence,
        thinning,
        timers,
        signals,
        online,
    ];
    if let Some(tls) = listeners.tls() {
        tasks.push(tokio::spawn(watch_certificate(tls, door.clock.clone())));
    }
    let password = match config.demo {
        true => {
            accounts::add_samples(door).await?;
            demo::add_area(door).await?;
            let shown = demo::add_devices(door).await?;
            demo::add_talk(door).await?;
            demo::add_stations(door).await?;
            demo::greet(door, &listeners.url()?).await?;
            tasks.push(tokio::spawn(demo::run(door.clone(), config.demo_speed, shown)));
            None
        }
        false => accounts::first_admin(door).await?,
    };
    let ready = |url: &str| {
        guide(config, url, password.as_deref());
        supervisor.ready();
    };
    let result = serve_until_stopped(listeners, router(site.clone()), site, ready).await;
    supervisor.stopping();
    for task in tasks {
        task.abort();
    }
    result
}

/// The certificate, as it is set.
fn certificate(config: &Config) -> tls::Settings {
    let config::Tls { certificate, key, names } = config.tls.clone();
    // Hosts have the brackets that stand in URLs.
    let bare = |name: &config::Host| name.as_str().trim_matches(['[', ']']).to_owned();
    tls::Settings {
        files: certificate.zip(key).map(|(certificate, key)| [certificate, key]),
        names: names.iter().map(bare).collect(),
    }
}

/// Runs a server that sends back what it is sent, on the production path, for protocol suites: WebSocket
/// at `/echo`, Engine.IO at `/engine.io/`, Socket.IO at `/socket.io/`.
///
/// # Errors
/// In one sentence that says what to do.
pub fn serve_conformance(listen: Listen, timing: Timing) -> anyhow::Result<()> {
    let engine = engine::Timings { heartbeat: timing, connect_within_ms: 1_000 };
    let name = format!("bellwire-conformance-{}-{}", std::process::id(), epoch());
    let data = std::env::temp_dir().join(name);
    let config = Config { data: data.clone(), ..Config::default() };
    let server = Server::start(&config, House::of(&config, Purpose::Conformance), engine)?;
    let result = server.runtime.block_on(async {
        let mut listeners = Listeners::bind(&[listen], &[])?;
        listeners.open_tls(&tls::Settings::default(), &data, &server.core.door.clock)?;
        let router = conformance_router(server.site.clone());
        serve_until_stopped(listeners, router, &server.site, |_| {}).await
    });
    let result = server.stop(result, config.drain.time_max);
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

/// What a server is made of, beside its configuration.
struct House {
    purpose: Purpose,
    services: Vec<Service>,
    guests: Guests,
}

impl House {
    /// The product's, with guests as they are set.
    fn of(config: &Config, purpose: Purpose) -> House {
        let guests = match purpose {
            Purpose::Demo | Purpose::Conformance => Guests::Everywhere,
            Purpose::Production => Guests::of_open(&[
                (sensors::NAME, config.sensors.access),
                (stations::NAME, config.stations.access),
            ]),
        };
        House { purpose, services: bellwire_services::all(), guests }
    }
}

/// A server that is put together, but does not listen yet.
struct Server {
    core: Core,
    shards: Shards,
    site: Arc<Site>,
    runtime: Runtime,
}

impl Server {
    fn start(config: &Config, house: House, engine: engine::Timings) -> anyhow::Result<Server> {
        let House { purpose, services, guests } = house;
        enough_descriptors(config.listen.len())?;
        let inlets =
            shards::inlets().context("No descriptor is left for the shards; raise `ulimit -n`")?;
        let feeds = inlets.iter().map(|inlet| inlet.feed.clone()).collect();
        let session_s = i64::try_from(config.login.session.as_secs()).unwrap_or(i64::MAX);
        let settings = Settings {
            session_s,
            readings_per_second: config.sensors.rate_max,
            time_zone: config.time_zone.rules().clone(),
            presence_grace_ms: u64::try_from(config.presence.grace.as_millis()).unwrap_or(u64::MAX),
            booking_hold: config::micros(config.stations.hold),
            bookings_per_user: config.stations.bookings_per_user,
        };
        let core = Core::open_with(services, &config.data, guests, settings, feeds)?;
        let limits = (purpose == Purpose::Production)
            .then(|| Arc::new(ConnectionLimits::new(config.limits.strict)));
        let (frames, outbox_len_max) = match purpose {
            Purpose::Production | Purpose::Demo => (Limits::DEFAULT, outbox::LEN_MAX),
            Purpose::Conformance => {
                (Limits { message_len_max: ECHO_LEN_MAX, ..Limits::DEFAULT }, 4 * ECHO_LEN_MAX)
            }
        };
        let common = Common {
            door: core.door.clone(),
            metrics: core.metrics.clone(),
            serves: purpose != Purpose::Conformance,
            connections: limits.clone(),
            engine,
            // Suites measure their heartbeats to the millisecond.
            tick_ms: if purpose == Purpose::Conformance { 1 } else { 1_000 },
            limits: frames,
            outbox_len_max,
        };
        let shards = Shards::start(inlets, &common)?;
        let counted = shards.handles();
        core.door.online.counts(move || counted.load().0);
        let site = Arc::new(Site {
            door: core.door.clone(),
            metrics: core.metrics.clone(),
            shards: shards.handles(),
            limits,
            lobby: Crowd::new(config.proxies.clone()),
            tries: Tries::new(),
            paces: Paces::of(&core.door.tables.routes),
            rules: rules(config),
            loopback_only: purpose == Purpose::Demo,
            draining: AtomicBool::new(false),
        });
        // Two threads accept connections and speak HTTP. Protocol suites send a poll and a packet over two
        // connections at once, and expect them to be read in that order.
        let threads = if purpose == Purpose::Conformance { 1 } else { 2 };
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
        Ok(Server { core, shards, site, runtime })
    }

    /// Closes every live connection within `drain_max`, then ends those that speak HTTP, so that what
    /// was asked is answered; then ends the threads and closes the store.
    fn stop(self, served: anyhow::Result<Open>, drain_max: Duration) -> anyhow::Result<()> {
        let Server { core, shards, site, runtime } = self;
        shards.drain(drain_max);
        let result = served.map(|open| {
            if !runtime.block_on(open.end(ANSWERED_MAX)) {
                tracing::warn!("some answers did not go out in time and are cut off");
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
        drop(site); // It holds the door.
        result.and(core.close())
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

/// Says where to go from here, to whoever has just started it.
fn guide(config: &Config, url: &str, password: Option<&str>) {
    let (data, version) = (config.data.display(), env!("CARGO_PKG_VERSION"));
    let mut text = format!("Bellwire {version}, its data in {data}\n");
    if let Some(password) = password {
        text += "An admin was made. This is the only time that the password is shown:\n";
        text += &format!("  username: admin\n  password: {password}\n");
    }
    text += &format!("Next: open {url} in a browser");
    if !config.demo {
        text += " and sign in. Another password, and a token for a program:\n";
        text += &format!("  bellwire user password admin --data {data}\n");
        text += &format!("  bellwire token create --role admin --data {data}");
    }
    say(&format!("{text}\nHow to operate it: docs/operate.md\n"));
}

/// Serves until the server is told to stop; from then on nobody is let in. Connections that are there are
/// served on.
async fn serve_until_stopped(
    listeners: Listeners,
    router: Router,
    site: &Site,
    ready: impl FnOnce(&str),
) -> anyhow::Result<Open> {
    // Before anyone is told that it runs: from then on it may be asked to end.
    let mut asked_to_stop = supervisor::signals()?;
    let (open, url) =
        listeners.serve(&router, &site.metrics, &Crowd::new(site.rules.proxies.clone()))?;
    ready(&url);
    asked_to_stop.wait_for(|stop| *stop).await.context("The signals are not heard any more")?;
    tracing::info!("stopping");
    site.draining.store(true, Ordering::Relaxed);
    open.close();
    Ok(open)
}
