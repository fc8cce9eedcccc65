//! Acknowledged durable writes a second, as a ratio to the disk's own fdatasync rate.
//!
//! ```text
//! cargo run --release -p bellwire-store --example commit_rate [-- SECONDS [FOLDER [CALLERS]]]
//! ```
//!
//! Each write upserts one row of 10,000 (some 250 bytes) and logs one event of the same size with
//! four topics. N callers each wait for their answer before they write again; answers reach them
//! over a channel, as they would reach a connection. Slices of the bare loop (write 8 KiB in place,
//! fdatasync) and of the store alternate, so that both see the same disk. `+r` has a query of 200
//! rows beside each batch.
//!
//! Then the log of the last run is replayed, 10,000 rows at a time, and pruned, slice by slice.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use bellwire_store::{
    change::{Event, Outcome, Overflow, Variant},
    log::{Keep, ReplayLimits, Wanted, prune, replay},
    migrate::Migrations,
    sqlite::{Batch, Options, Reader, Store, Write, Writer},
    tx::{Tx, Value},
};
use serde_json::value::RawValue;

const SCHEMA: Migrations = Migrations {
    service: "bench",
    steps: &["CREATE TABLE states (
        entity_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        attributes TEXT NOT NULL,
        changed_at INTEGER NOT NULL
    ) WITHOUT ROWID"],
};

bellwire_store::statements! {
    /// What the bench writes.
    UPSERT = "INSERT INTO states (entity_id, state, attributes, changed_at) \
              VALUES ($1, $2, $3, $4) ON CONFLICT (entity_id) DO UPDATE SET \
              state = excluded.state, attributes = excluded.attributes, \
              changed_at = excluded.changed_at";
    /// What a reader beside it reads.
    READ = "SELECT count(*) FROM (SELECT state FROM states LIMIT 200)";
}

const ENTITIES: u64 = 10_000;
const SLICES: u32 = 4;

type BenchStore = Store<u64, (usize, Instant)>;

#[expect(clippy::disallowed_methods, reason = "this program measures")]
fn now() -> Instant {
    Instant::now()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().map_or(8.0, |text| text.parse().expect("seconds"));
    let folder = args.next().unwrap_or_else(|| "target".to_owned());
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let only: Option<usize> = args.next().map(|text| text.parse().expect("a number of callers"));
    println!(
        "callers  writes/s  fdatasync/s  ratio   p50 ms  p99 ms  max ms  rows/batch  writer CPU us/write  us/batch  WAL MiB"
    );
    for (callers, reading) in [(1, false), (16, false), (256, false), (16, true), (256, true)] {
        if only.is_some_and(|only| only != callers) {
            continue;
        }
        measure(folder.path(), callers, reading, Duration::from_secs_f64(seconds));
        log_slices(&folder.path().join(format!("bench-{callers}-{reading}.db")));
    }
}

fn measure(folder: &Path, callers: usize, reading: bool, time: Duration) {
    let path = folder.join(format!("bench-{callers}-{reading}.db"));
    let (sender, receiver) = mpsc::channel::<Batch<u64, (usize, Instant)>>();
    let mut options = Options::new(&path, "bench", 0);
    options.fatal = Box::new(|cause| panic!("{cause}"));
    let store: BenchStore = Store::open(options, &[SCHEMA], move |batch| {
        let _ = sender.send(batch);
    })
    .expect("the database opens");
    let mut seed = 1;
    run(&store, &receiver, 256, Duration::from_millis(1_000), &mut seed, false);
    let mut total = Total::default();
    let mut bare = (0_u64, Duration::ZERO);
    for _ in 0..SLICES {
        let (count, took) = fdatasync(folder, time / SLICES / 2);
        bare = (bare.0 + count, bare.1 + took);
        total.add(run(&store, &receiver, callers, time / SLICES, &mut seed, reading));
    }
    let wal = fs::metadata(path.with_extension("db-wal")).map_or(0, |data| data.len());
    store.close().expect("it closes");
    let bare = bare.0 as f64 / bare.1.as_secs_f64();
    total.latencies.sort_unstable();
    let rate = total.latencies.len() as f64 / total.time.as_secs_f64();
    let at = |share: f64| {
        let place = (total.latencies.len() as f64 * share) as usize;
        total.latencies[place.min(total.latencies.len() - 1)].as_secs_f64() * 1e3
    };
    println!(
        "{callers:4}{}  {rate:8.0}  {bare:11.0}  {:5.2}  {:7.3} {:7.3} {:7.2}  {:10.1}  {:19.1}  {:8.1}  {:7.1}",
        if reading { " +r" } else { "   " },
        rate / bare,
        at(0.5),
        at(0.99),
        at(1.0),
        total.latencies.len() as f64 / total.batches as f64,
        total.cpu.as_secs_f64() * 1e6 / total.latencies.len() as f64,
        total.cpu.as_secs_f64() * 1e6 / total.batches as f64,
        wal as f64 / f64::from(1 << 20),
    );
}

/// How long a slice of replay and of pruning takes.
fn log_slices(path: &Path) {
    let options = Options::new(path, "bench", 0);
    let mut writer = Writer::open(&options, &[SCHEMA]).expect("the database opens");
    let mut reader = Reader::open(&options).expect("the database opens");
    let head = writer.log_stats().head;
    let replays = ["states", "entity/light.room_7", "nobody"].map(|topic| {
        let wanted = Wanted { topics: [topic.into()].into(), principal: Some("ann".to_owned()) };
        let limits = ReplayLimits { bytes_max: usize::MAX, ..ReplayLimits::SLICE };
        let start = now();
        let found =
            reader.read(|tx| replay(tx, head.saturating_sub(10_000), head, &wanted, &limits));
        let rows = found.expect("a read begins").expect("it reads").rows.len();
        format!("{rows} of the last 10,000 in {:.2} ms", (now() - start).as_secs_f64() * 1e3)
    });
    let mut slices = Vec::new();
    let done = Arc::new(AtomicBool::new(false));
    let keep = Keep { time: 0, events: 1_000, bytes_max: u64::MAX };
    while !done.load(Relaxed) && slices.len() < 400 {
        let done = Arc::clone(&done);
        let run = move |tx: &mut Tx<'_>| {
            done.store(prune(tx, i64::MAX, &keep)?.done, Relaxed);
            Ok(Outcome::reply(0))
        };
        let write = Write { at: 0, run: Box::new(run), to: () };
        let batch = writer.batch::<u64, ()>(vec![write]).expect("a sound disk");
        slices.push(batch.stats.decide + batch.stats.commit);
    }
    slices.sort_unstable();
    let ms = |slice: Option<&Duration>| slice.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "      replayed: {}; pruned in {} slices, p50 {:.2} ms, max {:.2} ms",
        replays.join(", "),
        slices.len(),
        ms(slices.get(slices.len() / 2)),
        ms(slices.last()),
    );
}

#[derive(Default)]
struct Total {
    latencies: Vec<Duration>,
    batches: u64,
    time: Duration,
    cpu: Duration,
}

impl Total {
    fn add(&mut self, other: Total) {
        self.latencies.extend(other.latencies);
        self.batches += other.batches;
        self.time += other.time;
        self.cpu += other.cpu;
    }
}

/// Keeps `callers` writes under way for `time`.
fn run(
    store: &BenchStore,
    answers: &mpsc::Receiver<Batch<u64, (usize, Instant)>>,
    callers: usize,
    time: Duration,
    seed: &mut u64,
    reading: bool,
) -> Total {
    let start = now();
    let cpu = writer_cpu();
    let mut total = Total::default();
    for caller in 0..callers {
        send(store, caller, seed);
    }
    let mut open = callers;
    while open > 0 {
        let batch = answers.recv().expect("the writer lives");
        let end = now();
        let more = end - start < time;
        total.batches += 1;
        for answer in batch.answers {
            answer.result.expect("it is committed");
            let (caller, sent) = answer.to;
            total.latencies.push(end - sent);
            if more {
                send(store, caller, seed);
            } else {
                open -= 1;
            }
        }
        if reading {
            let _ = store.read(Box::new(|tx| {
                let tx = tx.expect("a read begins");
                tx.one(READ, &[], |row| row.integer(0)).expect("it reads");
            }));
        }
    }
    total.time = now() - start;
    total.cpu = writer_cpu().saturating_sub(cpu);
    total
}

fn send(store: &BenchStore, caller: usize, seed: &mut u64) {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let (entity, state) = ((*seed >> 33) % ENTITIES, (*seed >> 40) % 1_000);
    let attributes = format!(
        r#"{{"brightness":{state},"friendly_name":"Light {entity}","padding":"{}"}}"#,
        "x".repeat(170)
    );
    let run = move |tx: &mut Tx<'_>| {
        let id = format!("light.room_{entity}");
        let values = [
            Value::Text(&id),
            Value::Text("on"),
            Value::Text(&attributes),
            Value::Integer(1_700_000_000_000_000),
        ];
        tx.execute(UPSERT, &values)?;
        let topics = vec![
            "states".into(),
            "domain/light".into(),
            format!("entity/{id}").into(),
            "area/area_12".into(),
        ];
        let payload = format!(r#"{{"entity_id":"{id}","state":"on","attributes":{attributes}}}"#);
        let payload = RawValue::from_string(payload).expect("JSON");
        Ok(Outcome::reply(entity).event(Event {
            name: "state_changed".into(),
            key: id,
            except: Vec::new(),
            variants: vec![Variant { topics, payload }],
            overflow: Overflow::Latest,
        }))
    };
    let write = Write { at: 1_700_000_000_000_000, run: Box::new(run), to: (caller, now()) };
    assert!(store.write(write).is_ok(), "the queue is larger than the callers are many");
}

/// The bare loop: how often this disk makes 8 KiB durable.
fn fdatasync(folder: &Path, time: Duration) -> (u64, Duration) {
    let path = folder.join("bare");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.expect("a file");
    const SIZE: u64 = 4 << 20;
    if file.metadata().expect("its length").len() < SIZE {
        file.write_all_at(&vec![1; SIZE as usize], 0).expect("room");
        file.sync_all().expect("a disk");
    }
    let block = [7; 8_192];
    let (start, mut count) = (now(), 0);
    while now() - start < time {
        file.write_all_at(&block, count * 8_192 % SIZE).expect("room");
        file.sync_data().expect("a disk");
        count += 1;
    }
    (count, now() - start)
}

/// The processor time of the writer's thread so far, as the kernel counts it.
fn writer_cpu() -> Duration {
    for task in fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.trim() == "store-write" {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanos = stat.split_whitespace().next().and_then(|text| text.parse().ok());
            return Duration::from_nanos(nanos.unwrap_or(0));
        }
    }
    Duration::ZERO
}
