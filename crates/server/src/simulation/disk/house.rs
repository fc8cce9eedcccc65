//! A database in which all services have something, on a disk that can fail; prepared once, and copied.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bellwire_services::{
    identity,
    kit::{Answer, Ctx, Fault, Ids, Micros, Principal, Role, Settings, Tx, due::Decide},
    sensors::history::{self, Reading},
};
use bellwire_store::{
    batch::{Batch, Write},
    change::{Code, Outcome},
    sqlite::{Fatal, Options, Testing, Writer},
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    content::Content,
    vfs::{self, Disk},
    work::{Job, Round, begin_connection, call},
};
use crate::{accounts::SAMPLES, simulation::node::Tables};

/// When the first thing happens.
pub const BEGINNING: Micros = 1_700_000_000_000_000;
/// Readings that lie there to be packed: more than a set of them.
const OLD_READINGS: i64 = 1_060;
/// A second.
pub const SECOND: Micros = 1_000_000;
/// The users who do something.
pub const USERS: [i64; 4] = [1, 2, 3, 4];

/// What the services offer.
pub struct Services {
    /// Their commands and their schema.
    pub tables: Tables,
    /// What runs when something is due.
    pub due: BTreeMap<&'static str, Decide>,
}

impl Services {
    /// Those of this process.
    pub fn get() -> &'static Services {
        static SERVICES: OnceLock<Services> = OnceLock::new();
        SERVICES.get_or_init(|| {
            let due = bellwire_services::all().into_iter().flat_map(|service| service.due);
            Services {
                tables: Tables::default(),
                due: due.map(|due| (due.kind, due.decide)).collect(),
            }
        })
    }
}

/// What all runs begin with.
pub struct Base {
    /// Who calls: users, in the order of [`USERS`].
    pub users: Vec<Arc<Principal>>,
    /// Who operates the house.
    pub operator: Arc<Principal>,
    /// The database.
    pub file: Vec<u8>,
}

/// A folder in memory, if the machine has that: thousands of small files are written.
pub fn room() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.expect("a folder can be made")
}

/// Options whose limits of real time a slow machine does not reach.
pub fn options(path: &Path) -> Options {
    let mut options = Options::new(path, "disk", BEGINNING);
    options.command_time_max = Duration::from_secs(600);
    options.writer_cache_kib = 1_024;
    options
}

impl Base {
    /// The one of this process.
    pub fn get() -> &'static Base {
        static BASE: OnceLock<Base> = OnceLock::new();
        BASE.get_or_init(Base::found)
    }

    fn found() -> Base {
        let mut base =
            Base { users: Vec::new(), operator: Arc::new(Principal::operator()), file: Vec::new() };
        let folder = room();
        let path = folder.path().join("db");
        let migrations = Services::get().tables.migrations();
        let mut writer = Writer::open(&options(&path), migrations).expect("it opens");
        let mut seed = 0;
        let mut run = |jobs: Vec<Job>| -> Vec<Value> {
            seed += 1;
            let round = Round { jobs, now: BEGINNING, seed };
            let batch = writer.batch(round.writes()).expect("a sound disk");
            let replies = batch.answers.into_iter().map(|answer| {
                let committed = answer.result.expect("what is prepared is right");
                serde_json::from_str(committed.reply().json.get()).expect("a reply is JSON")
            });
            replies.collect()
        };
        run(vec![Job::Own("the users", add_users)]);
        for user in USERS {
            let token = json!({ "role": "user", "subject": user.to_string() });
            let made = run(vec![call(&base.operator, "tokens.create", token)]);
            let principal = Principal {
                id: Principal::user(user),
                token: made[0]["id"].as_str().expect("a token has one").to_owned(),
                role: Role::User,
                subject: Some(user.to_string()),
                generation: -1,
                ..Principal::nobody()
            };
            base.users.push(Arc::new(principal));
        }
        for jobs in things(&base) {
            run(jobs);
        }
        writer.close().expect("a sound disk");
        base.file = fs::read(&path).expect("it is there");
        base
    }
}

/// The things of the house.
fn things(base: &Base) -> Vec<Vec<Job>> {
    let op = |name: &'static str, fields: Value| call(&base.operator, name, fields);
    let by = |user: usize, name: &'static str, fields: Value| call(&base.users[user], name, fields);
    let sensor = |alarm: Value| json!({ "device_id": 1, "sensor_type": "t", "silence_s": 600, "alarm": alarm });
    let battery = || op("batteries.add", json!({ "station_id": 1, "name": "b", "model": "m" }));
    vec![
        vec![
            op("areas.create", json!({ "name": "Hall", "entityIds": ["light.a", "light.b"] })),
            op("areas.create", json!({ "name": "Bath", "entityIds": ["light.c"] })),
            call(&Arc::new(Principal::guest()), "pairing.start", json!({ "name": "Screen" })),
        ],
        vec![Job::Approve(json!({ "areaIds": ["area_1"] }))],
        vec![
            op("devices.create", json!({ "name": "Board" })),
            op("sensors.create", sensor(json!({ "above": 30.0, "hold_off_s": 0 }))),
            op("sensors.create", sensor(Value::Null)),
        ],
        vec![Job::Own("old readings", add_readings)],
        vec![
            op("stations.create", json!({ "name": "Main" })),
            op("stations.create", json!({ "name": "Side" })),
            battery(),
            battery(),
            battery(),
            battery(),
        ],
        vec![
            Job::Own("a connection begins", begin_connection),
            by(0, "stations.book", json!({ "station_id": 1 })),
            by(1, "stations.book", json!({ "station_id": 1 })),
            by(0, "message", json!({ "data": { "roomID": "1:2", "message": "hello" } })),
            by(0, "states:create", json!({ "entity_id": "light.a", "state": "on" })),
        ],
    ]
}

fn add_users(tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<(), Fault> {
    SAMPLES.iter().try_for_each(|sample| identity::add_sample(tx, ctx.now, sample, "a hash"))
}

fn add_readings(tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<(), Fault> {
    for number in 0..OLD_READINGS {
        let at = ctx.now - (OLD_READINGS + 700 - number) * SECOND;
        let reading = Reading { at, value: (number % 17) as f64, delay: Some(0) };
        history::keep(tx, 1, &reading, None)?;
    }
    // And one that is new, so that the others are old.
    let reading = Reading { at: ctx.now - SECOND, value: 1.0, delay: Some(0) };
    history::keep(tx, 1, &reading, None).map(drop)
}

/// A server's store on a disk that can fail, without threads.
pub struct House {
    /// Where the database is.
    pub folder: TempDir,
    /// What it is on.
    pub disk: Arc<Disk>,
    /// None while the process is not there.
    writer: Option<Writer>,
    /// Somebody who looks at it, by the real files. None while the process is not there, so that the next one finds no
    /// shared memory.
    eyes: Option<Connection>,
}

/// A defect, or the usual.
pub type Defect = Testing;

impl House {
    /// A copy of the prepared database, opened through the disk; `seed` is its chance.
    pub fn new(seed: u64, cache_kib: u32, defect: Defect) -> House {
        let (base, folder) = (Base::get(), room());
        let path = folder.path().join("db");
        fs::write(&path, &base.file).expect("room");
        let disk = Disk::under(folder.path(), seed);
        let writer = Some(open(&path, cache_kib, defect));
        let eyes = Some(look(&path));
        House { folder, disk, writer, eyes }
    }

    /// What there is now.
    pub fn content(&self) -> Content {
        Content::of(self.eyes.as_ref().expect("it runs")).expect("reads go on")
    }

    /// A number that somebody reads there.
    pub fn count(&self, sql: &str) -> i64 {
        let eyes = self.eyes.as_ref().expect("it runs");
        eyes.query_row(sql, [], |row| row.get(0)).expect("reads go on")
    }

    /// Commits a round.
    pub fn commit(&mut self, round: &Round) -> Result<Batch<Answer, usize>, Fatal> {
        self.writer().batch(round.writes())
    }

    /// The writer.
    pub fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("it runs")
    }

    /// The process ends: nothing is put in order.
    pub fn end(&mut self) {
        (self.writer, self.eyes) = (None, None);
    }

    /// And another begins on the same machine, with what the page cache has.
    pub fn begin(&mut self) {
        let path = self.folder.path().join("db");
        self.writer = Some(open(&path, 1_024, Defect::default()));
        self.eyes = Some(look(&path));
    }
}

/// Somebody who leaves the files as they are, also as the last who closes them.
pub fn look(path: &Path) -> Connection {
    let conn = Connection::open(path).expect("it opens");
    let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    conn.set_db_config(config, true).expect("it can be set");
    conn
}

fn open(path: &Path, cache_kib: u32, defect: Defect) -> Writer {
    let mut options = options(path);
    options.testing = Testing { vfs: Some(vfs::NAME), ..defect };
    options.writer_cache_kib = cache_kib;
    Writer::open(&options, Services::get().tables.migrations()).expect("it opens")
}

/// A write of this job, as the door would make it.
pub fn write(job: &Job, (now, seed): (Micros, [u8; 32]), to: usize) -> Write<Answer, usize> {
    let job = job.clone();
    let run = move |tx: &mut Tx<'_>| {
        let principal = job.principal();
        let changed = identity::check(tx, &principal, now)?;
        let principal = changed.as_ref().unwrap_or(&principal);
        let (ids, settings) = (Ids::new(seed), Settings::default());
        let ctx = Ctx { now, principal, ids, settings: &settings, origin: "", place: None };
        job.run(tx, &ctx)
    };
    Write { at: now, run: Box::new(run), to }
}

/// Whether this was refused for want of room.
pub fn is_full<T>(result: &Result<T, Fault>) -> bool {
    matches!(result, Err(fault) if fault.code == Code::Full)
}

/// What a job of the server's own comes to.
pub fn done() -> Result<Outcome<Answer>, Fault> {
    use bellwire_services::kit::Reply as _;
    Ok(Outcome::reply(().answer()?))
}
