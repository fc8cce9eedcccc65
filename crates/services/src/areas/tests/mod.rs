//! What needs a database but no server: what each decision tells, and time that is at will.

mod history;
mod limits;
mod screens;
mod telling;

use std::time::Duration;

use bellwire_store::{
    change::{Logged, Outcome},
    sqlite::{Options, Write, Writer},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{contract::*, *};
use crate::kit::{Ctx, Effect, Ids, Principal, Settings};

const SECOND: Micros = 1_000_000;
/// When a world begins.
const START: Micros = 1_700_000_000 * SECOND;

/// A database with all services, and the time in it.
struct World {
    writer: Writer,
    now: Micros,
    /// How many decisions there were: each has chance of its own.
    decisions: u64,
    _directory: tempfile::TempDir,
}

/// A command of a service.
type Decide<C, R> = fn(&mut Tx<'_>, &Ctx<'_>, &C) -> Result<Outcome<R>, Fault>;
/// A query.
type Look<C, R> = fn(&ReadTx<'_>, &Ctx<'_>, &C) -> Result<R, Fault>;

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        // However slow the machine is.
        options.command_time_max = Duration::from_secs(60);
        let migrations: Vec<_> = crate::all().iter().map(|service| service.migrations).collect();
        let writer = Writer::open(&options, &migrations).expect("it opens");
        World { writer, now: START, decisions: 0, _directory: directory }
    }

    /// Runs something in a transaction of its own; gives the answer, and what was told as [`told`] has it.
    fn write<R: Send + 'static>(
        &mut self,
        by: &Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<String>), Fault> {
        self.decisions += 1;
        let seed = [self.decisions.to_be_bytes(); 4].concat().try_into().expect("32 bytes");
        let (now, by) = (self.now, by.clone());
        let run = move |tx: &mut Tx<'_>| {
            let (settings, ids) = (Settings::default(), Ids::new(seed));
            let origin = "http://home.example";
            run(tx, &Ctx { now, principal: &by, ids, settings: &settings, origin, place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = self.writer.batch(vec![write]).expect("the disk is sound");
        let answer = batch.answers.into_iter().next().expect("one answer");
        let (reply, logged) = answer.result?.into_parts();
        Ok((reply, logged.iter().flat_map(|row| told(row)).collect()))
    }

    /// Runs a command with a request as JSON.
    fn run_as<C: DeserializeOwned + Send + 'static, R: Send + 'static>(
        &mut self,
        by: &Principal,
        decide: Decide<C, R>,
        request: Value,
    ) -> Result<(R, Vec<String>), Fault> {
        let request: C = serde_json::from_value(request).expect("a request is as it should be");
        self.write(by, move |tx, ctx| decide(tx, ctx, &request))
    }

    /// The same by an admin, who is heard.
    #[track_caller]
    fn run<C: DeserializeOwned + Send + 'static, R: Send + 'static>(
        &mut self,
        decide: Decide<C, R>,
        request: Value,
    ) -> (R, Vec<String>) {
        self.run_as(&admin(), decide, request).expect("an admin is heard")
    }

    /// Runs a query with a request as JSON.
    fn look<C: DeserializeOwned + Send + 'static, R: Send + 'static>(
        &mut self,
        by: &Principal,
        look: Look<C, R>,
        request: Value,
    ) -> Result<R, Fault> {
        let request: C = serde_json::from_value(request).expect("a request is as it should be");
        let looked = self.write(by, move |tx, ctx| look(tx, ctx, &request).map(Outcome::reply));
        looked.map(|(reply, _)| reply)
    }

    /// Makes an area.
    fn area(&mut self, name: &str) -> AreaId {
        self.run(decide::create, json!({ "name": name, "entityIds": ["light.a"] })).0.id
    }

    /// Makes a client that has these areas, as a pairing does.
    fn client(&mut self, name: &'static str, area_ids: &[AreaId]) -> ClientId {
        let made = self
            .write(&admin(), move |tx, ctx| clients::insert(tx, ctx.now, name).map(Outcome::reply));
        let id = made.expect("a client is made").0;
        self.run(clients::assign_all, json!({ "clientId": id, "areaIds": area_ids }));
        id
    }
}

fn admin() -> Principal {
    Principal { role: Role::Admin, id: "tok_1".into(), ..Principal::nobody() }
}

/// A paired client as a caller.
fn caller(id: ClientId) -> Principal {
    let (principal, subject) = (Principal::client(&id.to_string()), Some(id.to_string()));
    Principal { role: Role::Client, id: principal, subject, ..Principal::nobody() }
}

/// A row of the log, a line each: an event with its key and its audience, then its effects.
fn told(row: &Logged) -> Vec<String> {
    let event = row.event.iter().map(|event| {
        let [variant] = &event.variants[..] else { panic!("one payload for all: {event:?}") };
        format!("{} {} to {}", event.name, event.key, variant.topics.join(" "))
    });
    let effects = row.effects.iter().map(|effect| match effect {
        Effect::Grant { principal, topic } => format!("grant {principal} {topic}"),
        Effect::Evict { principal, topic } => format!("evict {principal} {topic}"),
        Effect::Revoke { principal, last } => {
            let last = last.as_ref().map_or("nothing", |words| &words.event);
            format!("revoke {principal} saying {last}")
        }
        Effect::Narrow { topic, keys: None } => format!("narrow {topic}"),
        Effect::Narrow { topic, keys: Some(keys) } => format!("narrow {topic} {}", keys.join(" ")),
        Effect::Move { principal, from, to } => format!("move {principal} {from} {to}"),
        Effect::Hand { principal, words, .. } => format!("hand {principal} {}", words.event),
    });
    event.chain(effects).collect()
}
