//! What needs a database but no server: what each decision tells, to whom, and time that is at will.
//!
//! | module | what is in it |
//! |---|---|
//! | `messages` | what is said, and who types |
//! | `groups` | who comes and goes, and what is told of that |
//! | `rooms` | which connection hears what, and what is found later |
//! | `presence` | who is here |
//! | `model`, `oracle` | all of it by chance, against an oracle |

mod groups;
mod messages;
mod model;
mod oracle;
mod presence;
mod rooms;

use std::time::Duration;

use bellwire_store::{
    change::{Logged, Offset},
    sqlite::{Options, Write, Writer},
};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{contract::*, decide, enter, forget, read, rights, typing};
use crate::{
    identity::{self, Kind, Sample, UserId, UserRole},
    kit::{
        Aside, Ctx, Effect, Fault, Ids, Micros, Outcome, Payload, Principal, ReadTx, Reply, Role,
        RoomTopic, Settings, Signal, Tx, due, parse, room_and_number,
    },
};

const SECOND: Micros = 1_000_000;
/// When a world begins.
const START: Micros = 1_761_402_600 * SECOND;
/// The users that are there; the last is an admin.
const USERS: [(i64, &str); 6] =
    [(1, "john"), (2, "jane"), (3, "sara"), (4, "mike"), (5, "eve"), (9, "root")];

/// A database with all services, and the time in it.
struct World {
    writer: Writer,
    now: Micros,
    /// How many decisions there were: each has chance of its own.
    decisions: u64,
    _directory: tempfile::TempDir,
}

/// What came of a call.
#[derive(Debug)]
struct Came {
    reply: Json,
    rows: Vec<Logged>,
    aside: Aside,
}

impl Came {
    /// The rows as texts: see [`told`].
    fn told(&self) -> Vec<String> {
        self.rows.iter().flat_map(told).collect()
    }

    /// The payloads of an event, each with its topics.
    #[track_caller]
    fn payloads(&self, name: &str) -> Vec<(String, Json)> {
        let events = self.rows.iter().filter_map(|row| row.event.as_ref());
        let variants = events.filter(|event| event.name == name).flat_map(|event| &event.variants);
        variants
            .map(|variant| {
                let payload = serde_json::from_str(variant.payload.get()).expect("it is JSON");
                (variant.topics.join(" "), payload)
            })
            .collect()
    }

    /// The payload of an event that is told once, in the same words to all, with its keys in their order.
    #[track_caller]
    fn payload(&self, name: &str) -> String {
        let mut payloads = self.payloads(name);
        assert_eq!(payloads.len(), 1, "{name}: {payloads:?}");
        payloads.remove(0).1.to_string()
    }

    /// The same as it is, without order.
    #[track_caller]
    fn json(&self, name: &str) -> Json {
        serde_json::from_str(&self.payload(name)).expect("it is JSON")
    }
}

/// A command or a query: what it is called with, and what came of that, as text.
type Run = Box<dyn Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<(String, Aside)>, Fault> + Send>;

fn command<C: DeserializeOwned + Send + 'static, R: Reply + 'static>(
    decide: fn(&mut Tx<'_>, &Ctx<'_>, &C) -> Result<Outcome<R>, Fault>,
    request: Json,
) -> Run {
    Box::new(move |tx, ctx| {
        let outcome = decide(tx, ctx, &parse(fields(&request))?)?;
        let answer = outcome.reply.answer()?;
        let aside = answer.aside.map(|aside| *aside).unwrap_or_default();
        let reply = answer.json.get().to_owned();
        Ok(Outcome { reply: (reply, aside), events: outcome.events, effects: outcome.effects })
    })
}

fn query<C: DeserializeOwned + Send + 'static, R: Reply + 'static>(
    read: fn(&ReadTx<'_>, &Ctx<'_>, &C) -> Result<R, Fault>,
    request: Json,
) -> Run {
    Box::new(move |tx, ctx| {
        let answer = read(tx, ctx, &parse(fields(&request))?)?.answer()?;
        let aside = answer.aside.map(|aside| *aside).unwrap_or_default();
        Ok(Outcome::reply((answer.json.get().to_owned(), aside)))
    })
}

fn fields(request: &Json) -> Payload {
    request.as_object().expect("a request is an object").clone()
}

/// What a call of this name runs.
fn call(name: &str, request: Json) -> Run {
    match name {
        "addOnlineUser" => command(super::presence::add_online_user, request),
        "joinRoom" => query(enter::join_personal, json!({ "data": request })),
        "leaveRoom" => query(enter::leave_personal, json!({ "data": request })),
        "chatRoom.join" => query(enter::join_room, json!({ "data": request })),
        "chatRoom.leave" => query(enter::leave_room, json!({ "data": request })),
        "message" => command(decide::send, json!({ "data": request })),
        "startTypingRoom" => query(typing::start, request),
        "stopTypingRoom" => query(typing::stop, request),
        "createUserGroup" => command(super::groups::create, json!({ "data": request })),
        "addUserToGroup" => command(super::groups::add, json!({ "data": request })),
        "kickUserFromGroup" => command(super::groups::kick, request),
        "deleteUserRoom" => command(super::groups::delete, request),
        "chat.open" => command(super::groups::open, request),
        "chat.present" => command(super::presence::present, request),
        "chat.rooms" => query(read::rooms, request),
        "chat.room" => query(read::room, json!({ "roomID": request })),
        "chat.messages" => query(read::messages, request),
        "chat.read" => command(decide::mark_read, json!({ "roomID": request })),
        "chat.online" => query(read::online, request),
        _ => panic!("there is no call {name}"),
    }
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
        let mut world = World { writer, now: START, decisions: 0, _directory: directory };
        for (user_id, name) in USERS {
            let role = if name == "root" { UserRole::Admin } else { UserRole::User };
            world.user(user_id, name, role);
        }
        world
    }

    fn user(&mut self, user_id: i64, name: &'static str, role: UserRole) {
        let kind = (name == "sara").then_some(Kind::Houseworker);
        let sample = Sample { user_id, login: name, username: name, role, kind };
        let add = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            identity::add_sample(tx, ctx.now, &sample, "").map(Outcome::reply)
        };
        self.write(&Principal::system(), add).expect("a user is added");
    }

    /// Runs something in a transaction of its own; gives the answer and the rows of the log.
    fn write<R: Send + 'static>(
        &mut self,
        by: &Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<Logged>), Fault> {
        self.decisions += 1;
        let seed = [self.decisions.to_be_bytes(); 4].concat().try_into().expect("32 bytes");
        let (now, by) = (self.now, by.clone());
        let run = move |tx: &mut Tx<'_>| {
            let (settings, ids) = (Settings::default(), Ids::new(seed));
            let principal = &by;
            run(tx, &Ctx { now, principal, ids, settings: &settings, origin: "", place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = self.writer.batch(vec![write]).expect("the disk is sound");
        assert!(batch.incidents.is_empty(), "{:?}", batch.incidents);
        let answer = batch.answers.into_iter().next().expect("one answer");
        let (reply, logged) = answer.result?.into_parts();
        Ok((reply, logged.iter().map(|row| Logged::clone(row)).collect()))
    }

    /// Calls something.
    fn call_as(&mut self, by: &Principal, name: &str, request: Json) -> Result<Came, Fault> {
        let ((reply, aside), rows) = self.write(by, call(name, request))?;
        Ok(Came { reply: serde_json::from_str(&reply).expect("a reply is JSON"), rows, aside })
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

    /// A user calls something, and is refused with this code.
    #[track_caller]
    fn refused(&mut self, user: i64, name: &str, request: Json, code: &str) {
        self.refused_as(&principal(user), name, request, code);
    }

    /// The same of any caller.
    #[track_caller]
    fn refused_as(&mut self, by: &Principal, name: &str, request: Json, code: &str) {
        let words = request.to_string();
        match self.call_as(by, name, request) {
            Ok(came) => panic!("{name} {words} by {} is heard: {came:?}", by.id),
            Err(fault) => assert_eq!(fault.name(), code, "{name} {words} by {}: {fault}", by.id),
        }
    }

    /// Sends a message.
    #[track_caller]
    fn say(&mut self, user: i64, room: &str, text: &str) -> Came {
        self.call(user, "message", json!({ "message": text, "roomID": room }))
    }

    /// Makes a group of a user and others; gives its label.
    #[track_caller]
    fn group(&mut self, user: i64, others: &[i64]) -> String {
        let members: Vec<String> = others.iter().map(i64::to_string).collect();
        let made = self.call(user, "chat.open", json!({ "members": members }));
        made.reply["roomID"].as_str().expect("a label is a text").to_owned()
    }

    /// Housekeeping, as the program runs it every few seconds.
    fn tidy(&mut self) {
        let run =
            |tx: &mut Tx<'_>, ctx: &Ctx<'_>| forget::forget(tx, ctx.now, 1_000).map(Outcome::reply);
        while self.write(&Principal::system(), run).expect("it is forgotten").0 > 0 {}
    }

    /// A connection of a user, in these rooms, calls something that moves it.
    #[track_caller]
    fn moves(&mut self, rooms: &mut Vec<String>, user: i64, name: &str, label: &str) {
        let Aside { enters, leaves, .. } = self.call(user, name, json!(label)).aside;
        rooms.retain(|room| {
            let is_replaced = enters.iter().any(|entered| Aside::is_replaced(entered, room));
            !is_replaced && !Aside::is_left(&leaves, room)
        });
        rooms.extend(enters);
    }

    /// The topics of a room, with the place of the log where one begins that did not begin with the room.
    fn topics(&mut self, user: i64, room: &str) -> Vec<(String, Offset)> {
        let (by, room) = (principal(user), room.to_owned());
        let read = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            rights::room_topics(tx, ctx.principal, &room).map(Outcome::reply)
        };
        let (topics, _) = self.write(&by, read).expect("rights are read");
        topics.into_iter().map(|RoomTopic { topic, since }| (topic.into_owned(), since)).collect()
    }

    /// Runs what is due by now until nothing is.
    fn run_due(&mut self) -> Vec<Logged> {
        let mut rows = Vec::new();
        for _ in 0..1_000 {
            let now = self.now;
            let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| match due::next(
                tx,
                [forget::DEPARTURE],
                now,
                1,
            )?
            .first()
            {
                None => Ok(Outcome::reply(false)),
                Some(row) => {
                    due::take(tx, row.kind, &row.key, now)?;
                    Ok(forget::depart(tx, ctx, &row.key)?.map(|()| true))
                }
            };
            let (more, told) = self.write(&Principal::system(), run).expect("it runs");
            rows.extend(told);
            if !more {
                return rows;
            }
        }
        panic!("something is due for ever")
    }

    /// Deletes a user; gives what is told of that.
    fn delete_user(&mut self, user: i64) -> Vec<Logged> {
        let service = identity::service();
        let delete = service.commands.into_iter().find(|command| command.name == "users.delete");
        let delete = delete.expect("users can be deleted");
        let bound = (delete.bind)(fields(&json!({ "userId": user.to_string() })));
        let Ok(crate::kit::BoundCommand::Decide(decide)) = bound else { panic!("it is read") };
        let run =
            move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| decide(tx, ctx).map(|outcome| outcome.map(drop));
        self.write(&principal(9), run).expect("a user is deleted").1
    }
}

/// A user as a caller.
fn principal(user: i64) -> Principal {
    let role = if user == 9 { Role::Admin } else { Role::User };
    Principal {
        role,
        id: Principal::user(user),
        subject: Some(user.to_string()),
        ..Principal::nobody()
    }
}

/// A row of the log, a line each: an event with its audience, then its effects.
fn told(row: &Logged) -> Vec<String> {
    let event = row.event.iter().map(|event| {
        let audience: Vec<String> =
            event.variants.iter().map(|variant| variant.topics.join(" ")).collect();
        let except = match event.except.is_empty() {
            true => String::new(),
            false => format!(" except {}", event.except.join(" ")),
        };
        format!("{} to {}{except}", event.name, audience.join(" | "))
    });
    let effects = row.effects.iter().map(|effect| match effect {
        Effect::Evict { principal, topic } => format!("evict {principal} {topic}"),
        Effect::Move { principal, from, to } => format!("move {principal} {from} {to}"),
        other => format!("{other:?}"),
    });
    event.chain(effects).collect()
}

/// What begins and ends beside an answer.
fn signals(aside: &Aside) -> Vec<String> {
    let signal = |signal: &Signal| match signal {
        Signal::Begins { key, begins, ends, lasts } => {
            format!("{key} begins {} ends {} after {lasts}", begins.name, ends.name)
        }
        Signal::Ends { key, ends, always } => {
            let ends = ends.as_ref().map_or(String::new(), |ends| format!(" {}", ends.name));
            format!("{key} ends{ends}{}", if *always { " always" } else { "" })
        }
    };
    aside.signals.iter().map(signal).collect()
}
