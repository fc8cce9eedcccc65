//! What is done in the house: commands of all services, what is due, and what is forgotten in time.

use std::sync::Arc;

use bellwire_services::{
    acknowledgements, areas, chat, identity,
    kit::{
        Answer, Ctx, Fault, Micros, Outcome, Payload, Principal, ReadTx, Tx,
        due::{self, Decide},
        idempotency,
    },
    live_sessions::{self, LiveSession},
    notifications,
    sensors::history,
    states::retention,
    stations,
};
use bellwire_store::{
    batch::Write,
    log::{Keep, kept_after, prune},
};
use serde_json::{Value, json};

use super::house::{BEGINNING, Base, SECOND, Services, USERS, done, write};
use crate::simulation::chance::Chance;

bellwire_store::statements! {
    /// The code of a screen that waits.
    WAITING = "SELECT user_code FROM pairings WHERE status = 'pending' ORDER BY pairing_id LIMIT 1";
}

/// Something of the server's own.
type Own = fn(&mut Tx<'_>, &Ctx<'_>) -> Result<(), Fault>;

/// One thing to do, in one command.
#[derive(Clone)]
pub enum Job {
    /// Somebody calls, perhaps with a key by which a retry is known.
    Call(Arc<Principal>, &'static str, Payload, Option<u64>),
    /// The operator approves the screen that has waited longest.
    Approve(Value),
    /// What has been due for longest, if anything is.
    Due,
    /// The server does something by itself.
    Own(&'static str, Own),
}

/// A call without a key.
pub fn call(who: &Arc<Principal>, name: &'static str, fields: Value) -> Job {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Job::Call(who.clone(), name, fields, None)
}

impl Job {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Job::Call(_, name, ..) | Job::Own(name, _) => name,
            Job::Approve(_) => "pairing.approve",
            Job::Due => "due",
        }
    }

    /// In whose name.
    pub fn principal(&self) -> Principal {
        match self {
            Job::Call(who, ..) => Principal::clone(who),
            Job::Approve(_) => Principal::operator(),
            Job::Due | Job::Own(..) => Principal::system(),
        }
    }

    /// Does it, in the write transaction.
    pub fn run(&self, tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<Outcome<Answer>, Fault> {
        let services = Services::get();
        match self {
            Job::Call(_, name, fields, key) => {
                let decide = services.tables.bind(name, fields.clone()).expect("calls are right");
                let Some(key) = key else { return decide(tx, ctx) };
                let mut keyed = fields.clone();
                keyed.insert("idempotency_key".into(), format!("key {key}").into());
                let key = idempotency::Key::take(&mut keyed, b"secret")?.expect("it has one");
                let caller = (ctx.principal.retries_as(), *name);
                idempotency::once(tx, ctx, caller, &key, |tx| decide(tx, ctx))
            }
            Job::Approve(fields) => {
                let code = tx.one(WAITING, &[], |row| row.text(0))?.unwrap_or("BCDFGHJK".into());
                let mut fields = fields.clone();
                fields["userCode"] = code.into();
                let Value::Object(fields) = fields else { panic!("fields are an object") };
                services.tables.bind("pairing.approve", fields).expect("calls are right")(tx, ctx)
            }
            Job::Due => {
                let rows = due::next(tx, services.due.keys().copied(), ctx.now, 1)?;
                let Some(row) = rows.first() else { return done() };
                let decide: Decide = services.due[row.kind];
                due::take(tx, row.kind, &row.key, ctx.now)?;
                let ran = decide(tx, ctx, &row.key)?;
                let reply = done()?.reply;
                Ok(ran.map(|()| reply))
            }
            Job::Own(_, own) => {
                own(tx, ctx)?;
                done()
            }
        }
    }
}

/// Whether anything is due at `now`.
pub fn is_due(tx: &ReadTx<'_>, now: Micros) -> Result<bool, Fault> {
    let services = Services::get();
    Ok(due::earliest(tx, services.due.keys().copied())?.is_some_and(|at| at <= now))
}

/// Jobs that are done in one batch.
#[derive(Clone)]
pub struct Round {
    /// What is done.
    pub jobs: Vec<Job>,
    /// When.
    pub now: Micros,
    /// Their chance.
    pub seed: u64,
}

impl Round {
    /// The writes, numbered.
    pub fn writes(&self) -> Vec<Write<Answer, usize>> {
        self.jobs.iter().enumerate().map(|(to, job)| self.write(job, to)).collect()
    }

    /// The write of one of its jobs.
    pub fn write(&self, job: &Job, to: usize) -> Write<Answer, usize> {
        let seed = Chance::new(self.seed.wrapping_mul(1_000).wrapping_add(to as u64)).seed();
        write(job, (self.now, seed), to)
    }
}

/// What happens next.
#[derive(Clone)]
pub enum Step {
    /// A batch.
    Batch(Round),
    /// The WAL is copied back.
    Checkpoint,
}

/// What happens, from a seed.
pub fn script(base: &Base, seed: u64, steps: usize) -> Vec<Step> {
    let mut chance = Chance::new(seed);
    let mut now = BEGINNING + SECOND;
    let mut script = Vec::new();
    for number in 0..steps {
        if chance.one_in(6) {
            script.push(Step::Checkpoint);
            continue;
        }
        now += match chance.below(8) {
            // Holds end, sensors are silent.
            0 => 40 * 60 * SECOND,
            n => n as Micros * SECOND,
        };
        let count = 1 + chance.below(5);
        let jobs = (0..count).map(|_| job(base, &mut chance)).collect();
        script.push(Step::Batch(Round { jobs, now, seed: seed * 10_000 + number as u64 }));
    }
    script
}

fn job(base: &Base, chance: &mut Chance) -> Job {
    let job = match chance.below(10) {
        0 | 1 => states_and_areas(base, chance),
        2 => sensors(base, chance),
        3 | 4 => talk(base, chance),
        5 | 6 => batteries(base, chance),
        7 => people(base, chance),
        8 => Job::Due,
        _ => {
            let (name, own) = *chance.pick(OWN);
            Job::Own(name, own)
        }
    };
    match job {
        // A retry of the same key is answered as before, if it is the same call.
        Job::Call(who, name, fields, _) if chance.one_in(3) => {
            Job::Call(who, name, fields, Some(chance.below(1_000) as u64))
        }
        job => job,
    }
}

fn states_and_areas(base: &Base, chance: &mut Chance) -> Job {
    let op = |name: &'static str, fields: Value| call(&base.operator, name, fields);
    let entity = *chance.pick(&["light.a", "light.b", "light.c", "lock.a"]);
    let area = format!("area_{}", 1 + chance.below(2));
    let client = "client_1";
    match chance.below(12) {
        0..4 => {
            let state = json!({ "entity_id": entity, "state": chance.below(100).to_string() });
            op("states:create", state)
        }
        4 => op("states:remove", json!({ "entity_id": entity })),
        5 => op(
            "areas.change",
            json!({ "areaId": area, "name": format!("Area {}", chance.below(9)) }),
        ),
        6 => op("areas.toggle", json!({ "areaId": area })),
        7 => op("clients.assign", json!({ "clientId": client, "areaId": area })),
        8 => op("clients.unassign", json!({ "clientId": client, "areaId": area })),
        9 => {
            let [came, went]: [&[&str]; 2] =
                if chance.one_in(2) { [&[client], &[]] } else { [&[], &[client]] };
            op("clients.present", json!({ "came": came, "went": went }))
        }
        10 => call(&Arc::new(Principal::guest()), "pairing.start", json!({ "name": "Another" })),
        _ => Job::Approve(json!({ "areaIds": ["area_1", "area_2"] })),
    }
}

fn sensors(base: &Base, chance: &mut Chance) -> Job {
    let op = |name: &'static str, fields: Value| call(&base.operator, name, fields);
    let sensor = 1 + chance.below(2);
    match chance.below(5) {
        0 | 1 => op("readings.create", json!({ "sensor_id": sensor, "value": chance.below(60) })),
        2 => {
            let readings: Vec<Value> = (0..1 + chance.below(30))
                .map(|_| json!({ "sensor_id": 1 + chance.below(2), "value": chance.below(60) }))
                .collect();
            op("sensor_data_batch", json!({ "readings": readings }))
        }
        3 => op(
            "devices.change",
            json!({ "device_id": 1, "name": format!("Board {}", chance.below(9)) }),
        ),
        _ => op("sensors.change", json!({ "sensor_id": sensor, "unit": chance.pick(&["C", "K"]) })),
    }
}

fn talk(base: &Base, chance: &mut Chance) -> Job {
    let user = chance.below(base.users.len());
    let by = |name: &'static str, fields: Value| call(&base.users[user], name, fields);
    let me = USERS[user];
    let room = *chance.pick(&["1:2", "1:3", "2:3", "1:2:3", "1:2:3:4"]);
    match chance.below(10) {
        0..4 => {
            let message = "word ".repeat(1 + chance.below(40));
            by("message", json!({ "data": { "roomID": room, "message": message } }))
        }
        4 => by("chat.read", json!({ "roomID": room })),
        5 => by("addOnlineUser", json!({ "userID": me.to_string() })),
        6 => {
            let group = json!({ "newUserID": "3", "roomID": "1:2", "newRoomID": "1:2:3" });
            call(&base.users[chance.below(2)], "createUserGroup", json!({ "data": group }))
        }
        7 => {
            let member = json!({ "newUserID": "4", "roomID": "1:2:3", "newRoomID": "1:2:3:4" });
            by("addUserToGroup", json!({ "data": member }))
        }
        8 => by(
            "kickUserFromGroup",
            json!({ "roomID": "1:2:3:4", "newRoomID": "1:2:3", "kickedUserID": "4" }),
        ),
        _ => by("deleteUserRoom", json!({ "roomID": room })),
    }
}

fn batteries(base: &Base, chance: &mut Chance) -> Job {
    let op = |name: &'static str, fields: Value| call(&base.operator, name, fields);
    let user = chance.below(base.users.len());
    let by = |name: &'static str, fields: Value| call(&base.users[user], name, fields);
    let booking = json!({ "booking_id": 1 + chance.below(4) });
    match chance.below(10) {
        0..4 => by("stations.book", json!({ "station_id": 1 })),
        4 => by("bookings.cancel", booking),
        5 => op("bookings.ready", booking),
        6 => op("bookings.collect", booking),
        7 => op("batteries.add", json!({ "station_id": 1, "name": "new", "model": "m" })),
        8 => op("batteries.remove", json!({ "station_id": 1, "battery_id": 1 + chance.below(8) })),
        _ => {
            let status = *chance.pick(&["online", "online", "maintenance"]);
            op("stations.change", json!({ "station_id": 1 + chance.below(2), "status": status }))
        }
    }
}

fn people(base: &Base, chance: &mut Chance) -> Job {
    let op = |name: &'static str, fields: Value| call(&base.operator, name, fields);
    let user = chance.below(base.users.len());
    let by = |name: &'static str, fields: Value| call(&base.users[user], name, fields);
    let worker = *chance.pick(&["3", "4"]);
    match chance.below(9) {
        0 => {
            let to = *chance.pick(&["all", "1", "2"]);
            op("notifications.send", json!({ "to": to, "title": "Notice", "message": "It is so." }))
        }
        1 => by("notifications.read", json!({ "all": true })),
        2 => by("houseworkers.comment", json!({ "houseworkerID": worker, "comment": "tidy" })),
        3 => by(
            "houseworkers.rate",
            json!({ "houseworkerID": worker, "rating": 1 + chance.below(5) }),
        ),
        4 => op("tokens.create", json!({ "role": "user", "subject": "1", "ttl": 60 })),
        5 => op(
            "tokens.change",
            json!({ "id": format!("tok_{}", 5 + chance.below(4)), "scopes": ["states:read:light.*"] }),
        ),
        6 => op("tokens.revoke", json!({ "id": format!("tok_{}", 5 + chance.below(4)) })),
        7 => {
            let (came, went) = (1 + chance.below(4), 1 + chance.below(4));
            op(
                "chat.present",
                json!({ "came": [came.to_string()], "went": [went.to_string()], "listeners": came }),
            )
        }
        _ => op("users.delete", json!({ "userId": "123" })),
    }
}

/// A connection that may be recovered, and acknowledges.
pub fn begin_connection(tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<(), Fault> {
    let (pid, sid) = (ctx.ids.text(), ctx.ids.text());
    let reader = acknowledgements::Reader::new("client/client_1", "areas");
    acknowledgements::begin(tx, &reader, tx.head()?)?;
    let session = LiveSession {
        pid: pid[..live_sessions::PID_LEN].to_owned(),
        sid,
        principal: Principal::user(1),
        namespace: "/".to_owned(),
        topics: Vec::new(),
        rooms: Vec::new(),
        at: tx.head()?,
        left_at: None,
    };
    live_sessions::insert(tx, &session)
}

/// A minute, after which things are forgotten here.
const MINUTE: Micros = 60 * SECOND;

/// What the server does by itself.
const OWN: &[(&str, Own)] = &[
    ("the log is pruned", |tx, ctx| {
        prune(tx, ctx.now, &Keep { time: 0, events: 20, bytes_max: u64::MAX }).map(drop)
    }),
    ("readings are tended", |tx, ctx| tend(tx, ctx)),
    ("readings are tended again", |tx, ctx| tend(tx, ctx)),
    ("states are swept", |tx, ctx| {
        retention::sweep(tx, ctx.now - MINUTE, retention::Place::default(), 500).map(drop)
    }),
    ("what is old is forgotten", |tx, ctx| {
        let old = ctx.now - MINUTE;
        idempotency::forget(tx, ctx.now, 200)?;
        identity::forget(tx, ctx.now, 200)?;
        acknowledgements::prune(tx, kept_after(tx)?, 200)?;
        areas::forget(tx, ctx.now, old, 200)?;
        notifications::forget(tx, old, 200)?;
        stations::forget(tx, old, 200)?;
        chat::forget(tx, ctx.now, 200)?;
        history::forget(tx, 2_000).map(drop)
    }),
    ("a connection begins", |tx, ctx| begin_connection(tx, ctx)),
    ("connections end", |tx, ctx| {
        live_sessions::leave_all(tx, ctx.now, 200)?;
        live_sessions::prune(tx, ctx.now - MINUTE, 200)?;
        areas::still_here(tx, ctx.now)
    }),
];

fn tend(tx: &mut Tx<'_>, ctx: &Ctx<'_>) -> Result<(), Fault> {
    history::tend_next(tx, &history::Place::default(), ctx.now).map(drop)
}
