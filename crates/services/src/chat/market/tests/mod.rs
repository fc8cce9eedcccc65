//! What needs a database but no server: what each decision tells, what is refused, and what lists show.

mod comments;
mod lists;
mod ratings;

use std::{sync::Arc, time::Duration};

use bellwire_store::{
    change::{Logged, Outcome},
    sqlite::{Options, Write, Writer},
};
use serde_json::{Value, json};

use super::{forget::SLICE_ROWS, *};
use crate::{
    chat::contract::TEXT_LEN_MAX,
    identity::{self, UserId},
    kit::{
        BoundCommand, Code, Ctx, Fault, Ids, Micros, Payload, Principal, Role, Settings, Tx, due,
    },
};

const SECOND: Micros = 1_000_000;
/// 2023-12-31T23:30:00Z, when it is the next year in Berlin.
const START: Micros = 1_704_065_400 * SECOND;

/// Users by the order in which a world makes them.
const JOHN: i64 = 1;
const JANE: i64 = 2;
const SARA: i64 = 3;
const MIKE: i64 = 4;
/// One who is shut out.
const OLGA: i64 = 5;
/// Of no kind.
const NICK: i64 = 6;
/// Nobody.
const NOBODY: i64 = 77;

/// A database with all services, and the time in it.
struct World {
    writer: Writer,
    now: Micros,
    settings: Settings,
    _directory: tempfile::TempDir,
}

impl World {
    /// With two clients, two houseworkers, one who is shut out, and a user of no kind.
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        // However slow the machine is.
        options.command_time_max = Duration::from_secs(60);
        let migrations: Vec<_> = crate::all().iter().map(|service| service.migrations).collect();
        let writer = Writer::open(&options, &migrations).expect("it opens");
        let settings = Settings::default();
        let mut world = World { writer, now: START, settings, _directory: directory };
        for (name, kind) in [
            ("john_doe", Some("client")),
            ("jane", Some("client")),
            ("sara_cleaner", Some("houseworker")),
            ("mike_butler", Some("houseworker")),
            ("olga", Some("houseworker")),
            ("nick", None),
        ] {
            world.operator("users.create", json!({ "username": name, "kind": kind }));
        }
        world.operator("users.change", json!({ "userId": OLGA.to_string(), "disabled": true }));
        world
    }

    fn write<R: Send + 'static>(
        &mut self,
        by: Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<Arc<Logged>>), Fault> {
        let (now, settings) = (self.now, self.settings.clone());
        let run = move |tx: &mut Tx<'_>| {
            let ids = Ids::new([7; 32]);
            run(tx, &Ctx { now, principal: &by, ids, settings: &settings, origin: "", place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = self.writer.batch(vec![write]).expect("the disk is sound");
        batch.answers.into_iter().next().expect("one answer").result.map(|done| done.into_parts())
    }

    /// Makes a call by its name; gives the reply, and what was told: of each event its name, audience and payload.
    fn call(
        &mut self,
        by: Principal,
        name: &'static str,
        fields: Value,
    ) -> Result<(Value, Vec<String>), Fault> {
        let fields: Payload = fields.as_object().cloned().expect("fields are an object");
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let services = crate::all();
            let command = services.iter().flat_map(|s| &s.commands).find(|c| c.name == name);
            if let Some(command) = command {
                command.access.check(ctx.principal)?;
                let decision = match (command.bind)(fields.clone())? {
                    BoundCommand::Decide(decision) => decision,
                    BoundCommand::Prepare(look) => look(tx, ctx)?()?,
                };
                return decision(tx, ctx);
            }
            let query = services.iter().flat_map(|s| &s.queries).find(|q| q.name == name);
            let query = query.expect("it is a command or a query");
            query.access.check(ctx.principal)?;
            Ok(Outcome::reply((query.bind)(fields.clone())?(tx, ctx)?))
        };
        let (answer, logged) = self.write(by, run)?;
        let reply = serde_json::from_str(answer.json.get()).expect("replies are JSON");
        Ok((reply, logged.iter().filter_map(|row| told(row)).collect()))
    }

    fn operator(&mut self, name: &'static str, fields: Value) -> Value {
        self.call(Principal::operator(), name, fields).expect("the operator is heard").0
    }

    /// What a user is answered, who is heard.
    #[track_caller]
    fn get(&mut self, by: i64, name: &'static str, fields: Value) -> Value {
        self.call(user(by), name, fields).expect("they are heard").0
    }

    /// The rows of what somebody has in their inbox: type, sender, words.
    fn inbox(&mut self, of: i64) -> Vec<String> {
        let page = self.get(of, "notifications.list", json!({}));
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|item| format!("{} {} {}", item["type"], item["from"], item["message"])).collect()
    }
}

fn told(row: &Logged) -> Option<String> {
    let event = row.event.as_ref()?;
    let [variant] = &event.variants[..] else { panic!("one payload for all: {event:?}") };
    assert_eq!((&event.except[..], &row.effects[..]), (&[][..], &[][..]));
    Some(format!("{} to {}: {}", event.name, variant.topics.join(" "), variant.payload.get()))
}

/// Who they are, as a token says it; an id of nobody is a token's from before.
fn user(id: i64) -> Principal {
    let subject = Some(id.to_string());
    Principal { id: Principal::user(id), role: Role::User, subject, ..Principal::nobody() }
}

/// Who may not call, and of whom nobody may speak; and who may.
fn who_is_refused(
    check: &mut impl FnMut(Principal, Value, Result<(), (Code, &str)>),
    about: impl Fn(String) -> Value,
) {
    let absent = Err((Code::NotFound, "there is no such houseworker"));
    for id in [JANE, OLGA, NOBODY, UserId::MAX] {
        check(user(JOHN), about(id.to_string()), absent);
    }
    let oneself = Err((Code::Invalid, "nobody comments on or rates themselves"));
    for id in [JOHN, SARA] {
        check(user(id), about(id.to_string()), oneself);
    }
    let forbidden = Err((Code::Forbidden, "only users may chat, and this token speaks for none"));
    for role in [Role::Admin, Role::User, Role::Client, Role::Device] {
        check(Principal { role, ..Principal::nobody() }, about("3".into()), forbidden);
    }
    // A token from before there were users.
    check(Principal { id: "tok_3".into(), ..user(JOHN) }, about("3".into()), forbidden);
    for guest in [Principal::guest(), Principal::guest_from("127.0.0.1")] {
        let who = Err((Code::Unauthenticated, "say who you are first: addOnlineUser"));
        check(guest, about("3".into()), who);
    }
    let gone = Err((Code::Unauthenticated, "there is no such user any more"));
    check(user(NOBODY), about("3".into()), gone);
    let guest = Principal { role: Role::Guest, ..user(JOHN) };
    check(guest, about("3".into()), Ok(()));
    for (by, id) in [(SARA, "4"), (JOHN, "6"), (MIKE, "3"), (NICK, "3")] {
        check(user(by), about(id.to_owned()), Ok(()));
    }
}
