//! What needs a database but no server: who is told, what an inbox keeps, and whose it is.

use std::sync::Arc;

use bellwire_store::{
    change::{Logged, Outcome},
    sqlite::{Options, Write, Writer},
    tx::Statement,
};
use serde_json::json;

use super::*;
use crate::kit::{Code, Ctx, Ids, Payload, Principal, Role, Settings, parse};

/// Reads how many notifications a user has.
const COUNTED: Statement = Statement("SELECT notifications FROM inboxes WHERE user_id = $1");
const SECOND: Micros = 1_000_000;
/// 2024-02-27T11:00:00.5Z.
const START: Micros = 1_709_031_600_500_000;

struct World {
    writer: Writer,
    now: Micros,
    _directory: tempfile::TempDir,
}

impl World {
    /// With user 1, an admin; 2, a person; 3, an admin; and 4, an admin who is shut out.
    fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let mut options = Options::new(directory.path().join("test.db"), "e", 0);
        options.command_time_max = std::time::Duration::from_secs(60);
        let migrations: Vec<_> = crate::all().iter().map(|service| service.migrations).collect();
        let writer = Writer::open(&options, &migrations).expect("it opens");
        let mut world = World { writer, now: START, _directory: directory };
        for (login, role) in [("a", "admin"), ("b", "user"), ("c", "admin"), ("d", "admin")] {
            let mut user = json!({ "username": login, "role": role });
            if login == "a" {
                // Who can sign in, so that another may be shut out.
                user["password"] = "correct horse".into();
            }
            world.run("users.create", user).expect("a user is made");
        }
        world.run("users.change", json!({ "userId": "4", "disabled": true })).expect("it is done");
        world
    }

    fn write<R: Send + 'static>(
        &mut self,
        by: Principal,
        run: impl Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<R>, Fault> + Send + 'static,
    ) -> Result<(R, Vec<Arc<Logged>>), Fault> {
        let now = self.now;
        let run = move |tx: &mut Tx<'_>| {
            let (settings, ids) = (Settings::default(), Ids::new([7; 32]));
            run(tx, &Ctx { now, principal: &by, ids, settings: &settings, origin: "", place: None })
        };
        let write = Write { at: now, run: Box::new(run), to: () };
        let batch = self.writer.batch(vec![write]).expect("the disk is sound");
        batch.answers.into_iter().next().expect("one answer").result.map(|done| done.into_parts())
    }

    /// Makes a call by its name, as an admin; gives the reply as text.
    fn run(&mut self, name: &'static str, fields: serde_json::Value) -> Result<String, Fault> {
        self.run_as(Principal { role: Role::Admin, ..Principal::nobody() }, name, fields)
    }

    fn run_as(
        &mut self,
        by: Principal,
        name: &'static str,
        fields: serde_json::Value,
    ) -> Result<String, Fault> {
        use crate::kit::BoundCommand;
        let fields: Payload = fields.as_object().cloned().expect("fields are an object");
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let services = crate::all();
            let command = services.iter().flat_map(|s| &s.commands).find(|c| c.name == name);
            if let Some(command) = command {
                let decision = match (command.bind)(fields.clone())? {
                    BoundCommand::Decide(decision) => decision,
                    BoundCommand::Prepare(look) => look(tx, ctx)?()?,
                };
                return decision(tx, ctx);
            }
            let query = services.iter().flat_map(|s| &s.queries).find(|q| q.name == name);
            let query = query.expect("it is a command or a query");
            Ok(Outcome::reply((query.bind)(fields.clone())?(tx, ctx)?))
        };
        Ok(self.write(by, run)?.0.json.get().to_owned())
    }

    /// Tells something; gives whom, and the payload.
    fn tell(&mut self, to: Recipients<'static>, title: &'static str) -> Option<(String, String)> {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let notice = Notice {
                from: None,
                kind: "sensor",
                title,
                message: "It is hot.",
                level: Level::Warning,
                booking: None,
            };
            let event = tell(tx, ctx, to, &notice)?;
            Ok(event.into_iter().fold(Outcome::reply(()), Outcome::event))
        };
        let ((), logged) = self.write(Principal::system(), run).expect("it is told");
        let event = logged.first()?.event.clone()?;
        assert_eq!((&*event.name, &*event.key), ("notification", "sensor"));
        let [variant] = &event.variants[..] else { panic!("one payload for all: {event:?}") };
        Some((variant.topics.join(" "), variant.payload.get().to_owned()))
    }

    /// The titles in a user's inbox, and how many are counted.
    fn inbox(&mut self, user_id: i64) -> (Vec<String>, i64) {
        let mut titles = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let asked = json!({ "limit": 1_000, "cursor": cursor });
            let asked = asked.as_object().expect("it is one").clone();
            let asked =
                asked.into_iter().filter(|(_, value)| !value.is_null()).collect::<Payload>();
            let page = self
                .write(user(user_id), move |tx, ctx| {
                    read::list(tx, ctx, &parse(asked.clone())?).map(Outcome::reply)
                })
                .expect("it is one's own");
            titles.extend(page.0.items.iter().map(|item| {
                item.system.as_ref().map_or_else(String::new, |words| words.title.clone())
            }));
            cursor = page.0.next;
            if cursor.is_none() {
                break;
            }
        }
        let counted = self.write(Principal::system(), move |tx, _| {
            let counted = tx.one(COUNTED, &[Value::Integer(user_id)], |row| row.integer(0))?;
            Ok(Outcome::reply(counted.unwrap_or(0)))
        });
        (titles, counted.expect("it is read").0)
    }
}

fn user(id: i64) -> Principal {
    let subject = Some(id.to_string());
    Principal { id: Principal::user(id), role: Role::User, subject, ..Principal::nobody() }
}

#[test]
fn who_is_told() {
    let mut world = World::new();
    let mut check = |to: Recipients<'static>, told: Option<&str>, users: &[i64]| {
        let before: Vec<usize> = (1..=4).map(|id| world.inbox(id).0.len()).collect();
        let event = world.tell(to, "Kitchen");
        assert_eq!(event.as_ref().map(|(topics, _)| topics.as_str()), told, "{to:?}");
        if let Some((_, payload)) = event {
            let expected = r#"{"title":"Kitchen","message":"It is hot.","level":"warning","timestamp":"2024-02-27T11:00:00"}"#;
            assert_eq!(payload, expected);
        }
        let more = (1..=4).filter(|id| world.inbox(*id).0.len() > before[*id as usize - 1]);
        assert_eq!(more.collect::<Vec<_>>(), users, "{to:?}");
    };
    check(Recipients::Users(&[]), None, &[]);
    check(Recipients::Users(&[UserId(2)]), Some("inbox/2"), &[2]);
    check(Recipients::Users(&[UserId(3), UserId(1)]), Some("inbox/3 inbox/1"), &[1, 3]);
    check(Recipients::Admins, Some("inbox/1 inbox/3 inbox/admins"), &[1, 3]);
    check(Recipients::All, Some("inbox/all"), &[1, 2, 3]);
}

#[test]
fn who_holds_which_topic() {
    let check = |principal: Principal, topics: &[&str]| {
        assert_eq!(rights::topics(&principal), topics, "{principal:?}");
    };
    check(user(7), &["inbox/7", "inbox/all"]);
    check(Principal { role: Role::Admin, ..user(7) }, &["inbox/7", "inbox/all"]);
    check(Principal { role: Role::Admin, ..Principal::nobody() }, &["inbox/admins", "inbox/all"]);
    check(Principal { role: Role::User, ..Principal::nobody() }, &[]);
    // A token from before there were users.
    check(Principal { id: "tok_3".into(), ..user(7) }, &[]);
    // What others speak for looks like a user's number, and is none.
    for role in [Role::Client, Role::Device, Role::Guest, Role::Pairing] {
        check(Principal { role, ..user(7) }, &[]);
    }
}

#[test]
fn how_many_are_told_at_once() {
    let mut world = World::new();
    let mut check = |count: usize| {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            let users: Vec<UserId> = (1..=count as i64).map(UserId).collect();
            let notice = Notice {
                from: None,
                kind: "a",
                title: "b",
                message: "c",
                level: Level::Info,
                booking: None,
            };
            tell(tx, ctx, Recipients::Users(&users), &notice).map(|_| Outcome::reply(()))
        };
        let told = world.write(Principal::system(), run).map(|_| ()).map_err(|fault| fault.code);
        (told, world.inbox(1).1)
    };
    assert_eq!(check(RECIPIENTS_MAX), (Ok(()), 1));
    assert_eq!(check(RECIPIENTS_MAX + 1), (Err(Code::Conflict), 1));
}

#[test]
fn an_inbox_has_an_end() {
    let mut world = World::new();
    let mut tell_all = |titles: &'static [&'static str], times: i64| {
        let run = move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
            for title in titles.iter().cycle().take(titles.len() * times as usize) {
                let notice = Notice {
                    from: None,
                    kind: "a",
                    title,
                    message: "b",
                    level: Level::Info,
                    booking: None,
                };
                tell(tx, ctx, Recipients::Users(&[UserId(2)]), &notice)?;
            }
            Ok(Outcome::reply(()))
        };
        world.write(Principal::system(), run).expect("it is told");
    };
    tell_all(&["first", "second"], 1);
    tell_all(&["later"], INBOX_MAX - 2);
    assert_eq!(world.inbox(2).0.last().map(String::as_str), Some("first"));
    for _ in 0..2 {
        world.tell(Recipients::Users(&[UserId(2)]), "later");
    }
    let (titles, counted) = world.inbox(2);
    assert_eq!((titles.len() as i64, counted), (INBOX_MAX, INBOX_MAX));
    assert!(titles.iter().all(|title| title == "later"), "the oldest went");
    // All of it is read, and taken away, within the time that a command has.
    let read = world.run_as(user(2), "notifications.read", json!({ "all": true }));
    assert_eq!(read.expect("it is one's own"), format!(r#"{{"read":{INBOX_MAX}}}"#));
    world.run("users.delete", json!({ "userId": "2" })).expect("the user goes");
    assert_eq!(world.inbox(2), (Vec::new(), 0));
}

#[test]
fn what_is_past_its_time_goes_in_slices() {
    let mut world = World::new();
    for second in 0..5 {
        world.now = START + second * SECOND;
        let title = ["a", "b", "c", "d", "e"][second as usize];
        world.tell(Recipients::Users(&[UserId(1), UserId(2)]), title);
    }
    let mut forget = |before, rows_max| {
        let run =
            move |tx: &mut Tx<'_>, _: &Ctx<'_>| forget(tx, before, rows_max).map(Outcome::reply);
        world.write(Principal::system(), run).expect("it is done").0
    };
    assert_eq!(forget(START, 100), 0);
    assert_eq!([forget(START + 3 * SECOND, 4), forget(START + 3 * SECOND, 4)], [4, 2]);
    assert_eq!(forget(START + 3 * SECOND, 4), 0);
    for user_id in [1, 2] {
        assert_eq!(world.inbox(user_id), (vec!["e".to_owned(), "d".to_owned()], 2));
    }
}

#[test]
fn what_is_read_is_ones_own() {
    let mut world = World::new();
    world.tell(Recipients::Users(&[UserId(1), UserId(2)]), "a");
    world.tell(Recipients::Users(&[UserId(2)]), "b");
    let mut check = |who: Principal, fields: serde_json::Value, expected: Result<u64, &str>| {
        let said = world.run_as(who, "notifications.read", fields.clone());
        let expected = expected.map(|read| format!(r#"{{"read":{read}}}"#));
        let said = said.map_err(|fault| fault.message.into_owned());
        assert_eq!(said, expected.map_err(str::to_owned), "{fields}");
    };
    let either = "either ids, or all: true";
    let many: Vec<i64> = (1..=IDS_MAX as i64 + 1).collect();
    check(user(1), json!({}), Err(either));
    check(user(1), json!({ "ids": [1], "all": true }), Err(either));
    check(user(1), json!({ "all": false }), Err(either));
    check(user(1), json!({ "ids": many }), Err("ids: at most 1000"));
    check(user(1), json!({ "ids": many[1..] }), Ok(0));
    check(user(1), json!({ "ids": [] }), Ok(0));
    check(user(1), json!({ "ids": [1, 1, 2, 3, 0, -1, i64::MAX] }), Ok(1));
    check(user(1), json!({ "ids": [1] }), Ok(0));
    check(user(2), json!({ "ids": [3] }), Ok(1));
    check(user(2), json!({ "all": true }), Ok(1));
    check(user(2), json!({ "all": true }), Ok(0));
    let none = "only users have an inbox, and this token speaks for none";
    for role in [Role::Admin, Role::Client, Role::Device] {
        check(Principal { role, ..Principal::nobody() }, json!({ "all": true }), Err(none));
    }
}

#[test]
fn what_a_user_caused_is_shown_as_chat_has_it() {
    let mut world = World::new();
    let run = |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
        let notice = Notice {
            from: Some(UserId(1)),
            kind: "comment",
            title: "New comment",
            message: "You've got comment from a",
            level: Level::Info,
            booking: None,
        };
        let ids = [2, 3].map(UserId).map(|id| write(tx, ctx.now, id, &notice));
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>()?;
        let nobody = told(&[], &notice, ctx.now);
        assert!(nobody.is_none());
        let event = told(&[UserId(2), UserId(3)], &notice, ctx.now).expect("there are two");
        Ok(Outcome::reply(ids).event(event))
    };
    let (ids, logged) = world.write(Principal::system(), run).expect("it is written");
    assert_eq!(ids, [1, 2]);
    let event = logged[0].event.as_ref().expect("it is told");
    let [variant] = &event.variants[..] else { panic!("one payload for all: {event:?}") };
    assert_eq!((&*event.name, &*event.key), ("notification", "comment"));
    assert_eq!(variant.topics, ["inbox/2", "inbox/3"]);
    let payload = r#"{"title":"New comment","message":"You've got comment from a","level":"info","timestamp":"2024-02-27T11:00:00"}"#;
    assert_eq!(variant.payload.get(), payload);
    // The system's has more.
    world.tell(Recipients::Users(&[UserId(2)]), "Kitchen").expect("it is told");
    let shown = world.run_as(user(2), "notifications.list", json!({})).expect("it is one's own");
    let date = r#""date":{"day":27,"month":2,"year":2024,"time":"11:00"}"#;
    let of_system = format!(
        r#"{{"id":3,"from":"system","to":"2","type":"sensor",{date},"message":"It is hot.","read":false,"title":"Kitchen","level":"warning","timestamp":"2024-02-27T11:00:00"}}"#
    );
    let of_user = format!(
        r#"{{"id":1,"from":"1","to":"2","type":"comment",{date},"message":"You've got comment from a","read":false}}"#
    );
    assert_eq!(shown, format!(r#"{{"items":[{of_system},{of_user}],"next":null}}"#));
}

#[test]
fn dates_are_those_of_a_zone() {
    let check = |at: &str, zone: &str, expected: (i8, i8, i16, &str)| {
        let at: jiff::Timestamp = at.parse().expect("a time");
        let zone = jiff::tz::TimeZone::get(zone).expect("it is bundled");
        let Date { day, month, year, time } = Date::in_zone(at.as_microsecond(), &zone);
        assert_eq!((day, month, year, time.as_str()), expected, "{at}");
    };
    check("2025-10-25T14:30:59.999Z", "UTC", (25, 10, 2025, "14:30"));
    check("2025-10-25T14:30:00Z", "Europe/Berlin", (25, 10, 2025, "16:30"));
    // The night in which clocks are set back, and that in which they are put forward.
    check("2025-10-26T00:59:59Z", "Europe/Berlin", (26, 10, 2025, "02:59"));
    check("2025-10-26T01:00:00Z", "Europe/Berlin", (26, 10, 2025, "02:00"));
    check("2025-03-30T00:59:59Z", "Europe/Berlin", (30, 3, 2025, "01:59"));
    check("2025-03-30T01:00:00Z", "Europe/Berlin", (30, 3, 2025, "03:00"));
    check("2024-02-29T18:29:59Z", "Asia/Kolkata", (29, 2, 2024, "23:59"));
    check("2024-02-29T18:30:00Z", "Asia/Kolkata", (1, 3, 2024, "00:00"));
    check("2024-12-31T23:59:59Z", "Pacific/Kiritimati", (1, 1, 2025, "13:59"));
    check("1969-12-31T23:59:59Z", "UTC", (31, 12, 1969, "23:59"));
    // What no calendar has.
    for at in [i64::MAX, i64::MIN] {
        let date = Date::in_zone(at, &jiff::tz::TimeZone::UTC);
        assert_eq!((date.day, date.month, date.year), (1, 1, 1970));
    }
}
