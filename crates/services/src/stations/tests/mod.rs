//! What needs a database but no server: what each decision tells, in exactly which words, and time that is at will.
//!
//! After each call it is looked whether all rows fit together, and whether what was told is what is counted now.
//!
//! | module | what is in it |
//! |---|---|
//! | `telling` | what each decision answers, writes and tells |
//! | `refusals` | what is refused, to whom, and limits |
//! | `holds` | what ends by itself: holds, and the bookings of who and what is no more |
//! | `reading` | lists, what a stream shows first, names |
//! | `model`, `oracle` | all of it by chance, against an oracle |

mod holds;
mod model;
mod oracle;
mod reading;
mod refusals;
mod telling;

use std::time::Duration;

use bellwire_store::{
    batch::Batch,
    change::{Effect, Logged},
    sqlite::{Options, Write, Writer},
    tx::{Statement, Value},
};
use serde_json::{Value as Json, json};

use super::{DEPARTURE, HOLD, forget, forget::SLICE_ROWS, seed, service};
use crate::{
    identity::UserId,
    kit::{
        BoundCommand, Ctx, Fault, Ids, Micros, Outcome, Payload, Principal, Role, Scope, Settings,
        Tx, due,
    },
};

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
/// When a world begins: 2024-02-27T10:30:00.5Z.
const START: Micros = 1_709_029_800_500_000;

/// The users of a world, in the order of their ids: the name, and the address if there is one.
const USERS: [(&str, Option<&str>); 5] = [
    ("root", Some("root@example.com")),
    ("john", Some("user@example.com")),
    ("jane", None),
    ("stan", Some("stan@example.com")),
    ("eve", Some("\u{e9}ve@example.com")),
];
const ROOT: i64 = 1;
const JOHN: i64 = 2;
const JANE: i64 = 3;
/// Has the scope `stations:staff`.
const STAN: i64 = 4;
const EVE: i64 = 5;

const ALL_BATTERIES: Statement = Statement(
    "SELECT battery_id, station_id, name, model, status FROM batteries ORDER BY battery_id",
);
const ALL_BOOKINGS: Statement = Statement(
    "SELECT booking_id, station_id, battery_id, user_id, status, created_at, expires_at, ended_at
     FROM bookings ORDER BY booking_id",
);
const ALL_STATIONS: Statement =
    Statement("SELECT station_id, name, status FROM stations ORDER BY station_id");
const ALL_DUE: Statement = Statement("SELECT kind, key, at FROM due ORDER BY kind, key");

/// A database with all services, and the time in it.
struct World {
    writer: Writer,
    now: Micros,
    settings: Settings,
    /// How many decisions there were: each has chance of its own.
    decisions: u64,
    _directory: tempfile::TempDir,
}

/// What came of a call.
#[derive(Debug)]
struct Came {
    /// As text, with its keys in their order.
    reply: String,
    rows: Vec<Logged>,
}

impl Came {
    fn json(&self) -> Json {
        serde_json::from_str(&self.reply).expect("a reply is JSON")
    }

    fn told(&self) -> Vec<String> {
        self.rows.iter().flat_map(told).collect()
    }
}

/// A row of each table, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BatteryRow {
    id: i64,
    station: Option<i64>,
    name: String,
    model: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BookingRow {
    id: i64,
    station: i64,
    battery: i64,
    user: i64,
    status: String,
    created_at: Micros,
    expires_at: Option<Micros>,
    ended_at: Option<Micros>,
}

impl BookingRow {
    fn is_live(&self) -> bool {
        matches!(&*self.status, "confirmed" | "ready")
    }
}

/// All rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rows {
    stations: Vec<(i64, String, String)>,
    batteries: Vec<BatteryRow>,
    bookings: Vec<BookingRow>,
    /// Of this service: the kind, the key and the time.
    due: Vec<(String, String, Micros)>,
}

impl World {
    /// With [`USERS`].
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        // However slow the machine is.
        options.command_time_max = Duration::from_secs(60);
        let migrations: Vec<_> = crate::all().iter().map(|service| service.migrations).collect();
        let writer = Writer::open(&options, &migrations).expect("it opens");
        let settings = Settings::default();
        let mut world = World { writer, now: START, settings, decisions: 0, _directory: directory };
        for (name, email) in USERS {
            let (role, scopes): (_, &[&str]) = match name {
                "root" => ("admin", &[]),
                "stan" => ("user", &["stations:staff"]),
                _ => ("user", &[]),
            };
            let user = json!({ "username": name, "email": email, "role": role, "scopes": scopes });
            world.call_as(&Principal::system(), "users.create", user).expect("a user is made");
        }
        world
    }

    /// The same with a station `Downtown Station`, number 1, with so many batteries, numbers from 1 on.
    fn with_batteries(count: i64) -> World {
        let mut world = World::new();
        world.station("Downtown Station", count);
        world
    }

    /// Makes a station with so many batteries; gives its number.
    fn station(&mut self, name: &str, batteries: i64) -> i64 {
        let made = self.call(ROOT, "stations.create", json!({ "name": name }));
        let station = made.json()["id"].as_i64().expect("a number");
        for _ in 0..batteries {
            self.add(station);
        }
        station
    }

    /// Adds a battery; gives its number.
    fn add(&mut self, station: i64) -> i64 {
        let battery = json!({ "station_id": station, "name": "Tesla Battery", "model": "Model 3" });
        let added = self.call(ROOT, "batteries.add", battery);
        added.json()["id"].as_i64().expect("a number")
    }

    /// Books any battery at a station; gives the number of the booking.
    #[track_caller]
    fn book(&mut self, user: i64, station: i64) -> i64 {
        let booked = self.call(user, "stations.book", json!({ "station_id": station }));
        booked.json()["id"].as_i64().expect("a number")
    }

    /// Runs something in a transaction of its own.
    fn write<R: Send + 'static>(
        &mut self,
        by: &Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<Logged>), Fault> {
        let batch = self.batch(by, run);
        assert!(batch.incidents.is_empty(), "{:?}", batch.incidents);
        let answer = batch.answers.into_iter().next().expect("one answer");
        let (reply, logged) = answer.result?.into_parts();
        Ok((reply, logged.iter().map(|row| Logged::clone(row)).collect()))
    }

    /// The same, whatever comes of it.
    fn batch<R: Send + 'static>(
        &mut self,
        by: &Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Batch<R, ()> {
        self.decisions += 1;
        let seed = [self.decisions.to_be_bytes(); 4].concat().try_into().expect("32 bytes");
        let (now, by, settings) = (self.now, by.clone(), self.settings.clone());
        let run = move |tx: &mut Tx<'_>| {
            let (principal, ids) = (&by, Ids::new(seed));
            run(tx, &Ctx { now, principal, ids, settings: &settings, origin: "", place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        self.writer.batch(vec![write]).expect("the disk is sound")
    }

    /// Calls something by its name, as the door does: who may not call it at all is refused first.
    fn call_as(&mut self, by: &Principal, name: &str, request: Json) -> Result<Came, Fault> {
        let Json::Object(fields) = request else { panic!("a request is an object") };
        let name = name.to_owned();
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| run(tx, ctx, &name, fields.clone());
        let (reply, rows) = self.write(by, run)?;
        self.look(&rows);
        Ok(Came { reply, rows })
    }

    /// A user calls something, and is heard.
    #[track_caller]
    fn call(&mut self, user: i64, name: &str, request: Json) -> Came {
        let words = request.to_string();
        match self.call_as(&principal(user), name, request) {
            Ok(came) => came,
            Err(fault) => panic!("{name} {words} by {user}: {} {fault}", fault.name()),
        }
    }

    /// Somebody calls something, and is refused: `CODE words`. Nothing changes.
    #[track_caller]
    fn refused(&mut self, by: &Principal, name: &str, request: Json, expected: &str) {
        let (words, before) = (request.to_string(), self.rows());
        match self.call_as(by, name, request) {
            Ok(came) => panic!("{name} {words} by {by:?} is heard: {came:?}"),
            Err(fault) => {
                let refusal = format!("{} {fault}", fault.name());
                assert_eq!(refusal, expected, "{name} {words} by {by:?}");
            }
        }
        assert_eq!(self.rows(), before, "{name} {words} by {by:?}");
    }

    /// All rows as they are.
    fn rows(&mut self) -> Rows {
        let read = |tx: &mut Tx<'_>, _: &Ctx<'_>| {
            let rows = Rows {
                stations: tx
                    .all(ALL_STATIONS, &[], |row| (row.integer(0), row.text(1), row.text(2)))?,
                batteries: tx.all(ALL_BATTERIES, &[], |row| BatteryRow {
                    id: row.integer(0),
                    station: row.optional_integer(1),
                    name: row.text(2),
                    model: row.text(3),
                    status: row.text(4),
                })?,
                bookings: tx.all(ALL_BOOKINGS, &[], |row| BookingRow {
                    id: row.integer(0),
                    station: row.integer(1),
                    battery: row.integer(2),
                    user: row.integer(3),
                    status: row.text(4),
                    created_at: row.integer(5),
                    expires_at: row.optional_integer(6),
                    ended_at: row.optional_integer(7),
                })?,
                due: tx
                    .all(ALL_DUE, &[], |row| (row.text(0), row.text(1), row.integer(2)))?
                    .into_iter()
                    .filter(|(kind, ..)| kind == HOLD || kind == DEPARTURE)
                    .collect(),
            };
            Ok(Outcome::reply(rows))
        };
        self.write(&Principal::system(), read).expect("rows are read").0
    }

    /// Looks whether all rows fit together, and what was told just now with them.
    fn look(&mut self, told: &[Logged]) {
        let rows = self.rows();
        for battery in &rows.batteries {
            let is_in = matches!(&*battery.status, "available" | "booked");
            assert_eq!(battery.station.is_some(), is_in, "{battery:?}");
        }
        let mut held: Vec<_> = rows
            .batteries
            .iter()
            .filter(|battery| battery.status == "booked")
            .map(|battery| (battery.id, battery.station.expect("it is in one")))
            .collect();
        let mut live: Vec<_> = Vec::new();
        let mut armed = Vec::new();
        for booking in &rows.bookings {
            assert_eq!(booking.is_live(), booking.ended_at.is_none(), "{booking:?}");
            if booking.is_live() {
                live.push((booking.battery, booking.station));
                let at = booking.expires_at.map(|at| (booking.id.to_string(), at));
                armed.extend(at);
            }
        }
        held.sort_unstable();
        live.sort_unstable();
        assert_eq!(held, live, "held batteries are those of live bookings, each of one: {rows:?}");
        armed.sort_unstable();
        let holds = rows.due.iter().filter(|(kind, ..)| kind == HOLD);
        let holds: Vec<_> = holds.map(|(_, key, at)| (key.clone(), *at)).collect();
        assert_eq!(holds, armed, "each hold ends at its time: {rows:?}");
        for event in told.iter().filter_map(|row| row.event.as_ref()) {
            for variant in &event.variants {
                let payload = serde_json::from_str(variant.payload.get()).expect("it is JSON");
                check_counts(&payload, &rows);
            }
        }
    }

    /// The time goes on to `to`, and what is due until then runs, each at its time; gives the rows, and when.
    fn pass_to_rows(&mut self, to: Micros) -> Vec<(Micros, Vec<Logged>)> {
        let mut heard = Vec::new();
        loop {
            let earliest = |tx: &mut Tx<'_>, _: &Ctx<'_>| {
                Ok(Outcome::reply(due::earliest(tx, [HOLD, DEPARTURE])?))
            };
            let (earliest, _) = self.write(&Principal::system(), earliest).expect("it is read");
            let Some(at) = earliest.filter(|at| *at <= to) else { break };
            self.now = self.now.max(at);
            heard.push((self.now, self.run_one()));
        }
        self.now = to;
        heard
    }

    /// The same; gives what is told, and when.
    fn pass_to(&mut self, to: Micros) -> Vec<(Micros, String)> {
        let heard = self.pass_to_rows(to).into_iter();
        let lines = heard.flat_map(|(at, rows)| {
            let lines: Vec<_> = rows.iter().flat_map(told).collect();
            lines.into_iter().map(move |line| (at, line))
        });
        lines.collect()
    }

    /// Runs what is due now, at this time, however late that is; gives what is told.
    fn run_late(&mut self) -> Vec<String> {
        let now = self.now;
        self.pass_to(now).into_iter().map(|(_, line)| line).collect()
    }

    /// Runs what is due first.
    fn run_one(&mut self) -> Vec<Logged> {
        let run = |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let row = due::next(tx, [HOLD, DEPARTURE], ctx.now, 1)?.remove(0);
            due::take(tx, row.kind, &row.key, ctx.now)?;
            let service = service();
            let due = service.due.iter().find(|due| due.kind == row.kind).expect("it is declared");
            (due.decide)(tx, ctx, &row.key)
        };
        let ((), rows) = self.write(&Principal::system(), run).expect("it runs");
        self.look(&rows);
        rows
    }

    /// What is in a user's inbox, the newest first.
    fn inbox(&mut self, user: i64) -> Vec<Json> {
        let page = self.call(user, "notifications.list", json!({ "limit": 1_000 })).json();
        page["items"].as_array().expect("a page has items").clone()
    }

    /// The messages in it, the oldest first.
    fn messages(&mut self, user: i64) -> Vec<String> {
        let items = self.inbox(user);
        items.iter().rev().map(|item| item["message"].as_str().expect("a text").into()).collect()
    }

    /// Runs `forget`; says how many rows that were.
    fn forget(&mut self, before: Micros, rows_max: i64) -> u64 {
        let run = move |tx: &mut Tx<'_>, _: &Ctx<'_>| {
            forget::forget(tx, before, rows_max).map(Outcome::reply)
        };
        self.write(&Principal::system(), run).expect("it runs").0
    }
}

/// Runs a command or a query of any service.
fn run(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    name: &str,
    fields: Payload,
) -> Result<Outcome<String>, Fault> {
    let services = crate::all();
    let command = services.iter().flat_map(|service| &service.commands).find(|c| c.name == name);
    let Some(command) = command else {
        let queries = services.iter().flat_map(|service| &service.queries);
        let query = queries.into_iter().find(|query| query.name == name);
        let query = query.unwrap_or_else(|| panic!("there is no call {name}"));
        query.access.check(ctx.principal)?;
        let answer = (query.bind)(fields)?(tx, ctx)?;
        return Ok(Outcome::reply(answer.json.get().to_owned()));
    };
    command.access.check(ctx.principal)?;
    let decision = match (command.bind)(fields)? {
        BoundCommand::Decide(decision) => decision,
        BoundCommand::Prepare(look) => look(tx, ctx)?()?,
    };
    Ok(decision(tx, ctx)?.map(|answer| answer.json.get().to_owned()))
}

/// What a payload counts is what there is, and it adds up.
fn check_counts(payload: &Json, rows: &Rows) {
    let Some(station) = payload["station_id"].as_i64() else { return };
    let count = |status: &str| {
        let batteries = rows.batteries.iter();
        let there = batteries.filter(|b| b.station == Some(station) && b.status == status);
        there.count() as i64
    };
    let (available, booked) = (count("available"), count("booked"));
    for (key, counted) in [
        ("available_batteries", available),
        ("booked_batteries", booked),
        ("total_batteries", available + booked),
    ] {
        let told = payload.get(key).map(|told| told.as_i64().expect("a number"));
        assert!(told.is_none_or(|told| told == counted), "{key} is {counted}: {payload}");
    }
}

/// A user as a caller, with the rights that they have.
fn principal(user: i64) -> Principal {
    let scope = |text: &str| Scope::try_from(text.to_owned()).expect("a scope");
    Principal {
        role: if user == ROOT { Role::Admin } else { Role::User },
        id: Principal::user(user),
        subject: Some(user.to_string()),
        scopes: if user == STAN { vec![scope("stations:staff")] } else { Vec::new() },
        ..Principal::nobody()
    }
}

/// A token with this role that speaks for nobody.
fn token(role: Role, scopes: &[&str]) -> Principal {
    let scopes = scopes.iter().map(|text| Scope::try_from((*text).to_owned()).expect("a scope"));
    Principal { role, id: "tok_9".into(), scopes: scopes.collect(), ..Principal::nobody() }
}

/// A row of the log, a line each: `NAME #KEY TOPIC PAYLOAD`, with ` | TOPIC PAYLOAD` for each further payload.
fn told(row: &Logged) -> Vec<String> {
    let event = row.event.iter().map(|event| {
        assert!(event.except.is_empty(), "{event:?}");
        let variants = event
            .variants
            .iter()
            .map(|variant| format!("{} {}", variant.topics.join(" "), variant.payload.get()));
        let variants: Vec<String> = variants.collect();
        format!("{} #{} {}", event.name, event.key, variants.join(" | "))
    });
    let effects = row.effects.iter().map(|effect| match effect {
        Effect::Revoke { principal, .. } => format!("revoke {principal}"),
        Effect::Grant { principal, topic } => format!("grant {principal} {topic}"),
        Effect::Evict { principal, topic } => format!("evict {principal} {topic}"),
        other => format!("{other:?}"),
    });
    event.chain(effects).collect()
}

/// The names alone of lines that [`told`] gives.
fn names(told: &[String]) -> Vec<&str> {
    told.iter().map(|line| line.split(' ').next().expect("a name")).collect()
}

/// A battery's or a booking's number in a request.
fn booking(id: i64) -> Json {
    json!({ "booking_id": id })
}
