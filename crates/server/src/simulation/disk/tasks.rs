//! A server with its threads and tasks, which starts without room: none of them ends or spins, reads go on, and with
//! room all is done that could not be.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_services::kit::{Payload, Principal, Role, Settings};
use bellwire_store::log::Keep;
use rusqlite::Connection;
use serde_json::json;
use tokio::{
    runtime::Builder,
    task::JoinHandle,
    time::{interval, timeout},
};

use super::{
    house::{Base, look, room},
    vfs::Disk,
};
use crate::{
    app::Core,
    backup::DATABASE,
    door::{Door, Guests},
    housekeeping::{self, Kept},
    online, presence, thinning, timers,
};

/// How long anything may take. Far above what it takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long it is watched what the tasks do without room.
const WATCHED: Duration = Duration::from_millis(2_500);
/// Tries of all tasks in that time: each of them waits for a quarter of a second at least.
const TRIES_MAX: u64 = 100;
/// For as long as there is time.
const LONG: i64 = i64::MAX / 4;
const KEPT: Kept = Kept {
    log: Keep { time: 0, events: 5, bytes_max: u64::MAX },
    states: LONG,
    areas: LONG,
    notifications: LONG,
    bookings: LONG,
};
/// Connections that there seem to be. An atomic: the test sets it, the task asks.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
/// So many that it has to be written down.
const MANY: usize = 1_000;

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    let looked = async {
        while !is_so() {
            ticks.tick().await;
        }
    };
    assert!(timeout(DEADLINE, looked).await.is_ok(), "{what}: not in {DEADLINE:?}");
}

/// Waits until a question to the database is answered so.
async fn told(eyes: &Connection, sql: &str, wanted: i64) {
    until(&format!("{sql}: {wanted}"), || number(eyes, sql) == wanted).await;
}

fn number(eyes: &Connection, sql: &str) -> i64 {
    eyes.query_row(sql, [], |row| row.get(0)).expect("reads go on")
}

fn text(eyes: &Connection, sql: &str) -> String {
    eyes.query_row(sql, [], |row| row.get(0)).expect("reads go on")
}

/// All tasks that write.
fn begin(core: &Core) -> Vec<JoinHandle<()>> {
    let door = || core.door.clone();
    vec![
        tokio::spawn(housekeeping::run(door(), core.metrics.clone(), KEPT)),
        tokio::spawn(timers::run(door(), core.metrics.clone())),
        tokio::spawn(presence::run(door())),
        tokio::spawn(online::run(door())),
        tokio::spawn(thinning::run(door())),
    ]
}

/// What is to be written, and cannot be.
fn happen(door: &Arc<Door>, eyes: &Connection) -> impl Sized {
    let screen = Principal {
        id: Principal::client("client_1"),
        role: Role::Client,
        subject: Some("client_1".into()),
        ..Principal::guest()
    };
    let here = door.presence.attend(&screen).expect("a paired client");
    let being = door.online.attend(&["here/2".into()], None).expect("a user");
    let row = |column: &str| text(eyes, &format!("SELECT {column} FROM live_sessions"));
    door.leave(row("pid"), row("sid"));
    (here, being)
}

async fn run(data: &Path, disk: &Disk) {
    let path = data.join(DATABASE);
    let (guests, settings) = (Guests::Nowhere, Settings::default());
    let core = Core::open(data, guests, settings, Vec::new()).expect("it starts without room");
    let (door, eyes) = (core.door.clone(), look(&path));
    door.online.counts(|| LISTENERS.load(Relaxed));
    housekeeping::begin(&door).await.expect("nor does it need room to begin");
    online::begin(&door).await.expect("nor for this");
    let tasks = begin(&core);
    let there = happen(&door, &eyes);

    let rows = number(&eyes, "SELECT count(*) FROM log");
    let before = disk.refused();
    let _ = timeout(WATCHED, std::future::pending::<()>()).await;
    let tries = disk.refused() - before;
    assert!((1..TRIES_MAX).contains(&tries), "{tries} tries");
    let asked = door.ask("stations.list", Payload::new(), Arc::new(Principal::operator())).await;
    assert!(asked.expect("reads go on").get().contains("Main"));
    let refused = json!({ "entity_id": "light.a", "state": "off" });
    let refused = refused.as_object().cloned().expect("fields");
    let refused = door.ask("states:create", refused, Arc::new(Principal::operator())).await;
    assert_eq!(
        refused.map(drop).map_err(|fault| fault.code),
        Err(bellwire_services::kit::Code::Full)
    );
    assert_eq!(number(&eyes, "SELECT count(*) FROM log"), rows, "nothing was written");
    assert!(tasks.iter().all(|task| !task.is_finished()), "a task has ended");

    disk.fill(false);
    let held = "SELECT count(*) FROM bookings WHERE status IN ('confirmed', 'ready')";
    told(&eyes, held, 0).await;
    told(&eyes, "SELECT online FROM clients WHERE client_id = 1", 1).await;
    told(&eyes, "SELECT count(*) FROM online WHERE user_id = 2", 1).await;
    told(&eyes, "SELECT count(*) FROM live_sessions WHERE left_at IS NULL", 0).await;
    // By the time that had settled when the house was made: the newest of them stay as they are.
    told(&eyes, "SELECT count(*) < 1024 FROM readings WHERE sensor_id = 1", 1).await;
    told(&eyes, &format!("SELECT count(*) < {rows} FROM log"), 1).await;

    // Many connections come, and nobody by them whose name is told.
    disk.fill(true);
    let before = disk.refused();
    LISTENERS.store(MANY, Relaxed);
    until("that is to be written", || disk.refused() > before).await;
    disk.fill(false);
    told(&eyes, "SELECT listeners FROM online_budget", MANY as i64).await;
    assert!(tasks.iter().all(|task| !task.is_finished()), "a task has ended");
    drop(there);
    for task in tasks {
        task.abort();
    }
}

#[test]
fn without_room_no_task_ends_or_spins() {
    let data = room();
    fs::write(data.path().join(DATABASE), &Base::get().file).expect("room");
    let disk = Disk::under(data.path(), 1);
    disk.fill(true);
    let runtime = Builder::new_current_thread().enable_all().build().expect("it can be made");
    runtime.block_on(run(data.path(), &disk));
}
