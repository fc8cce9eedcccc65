//! Several users who talk, come and go as chance has it: what is told, answered, heard and kept is what the
//! [`model`](super::model) says.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    model::{Came as Expected, Entered, Leads, Model, Refused, Told, ids, label_of},
    *,
};
use crate::testing::{Chance, seeds};

impl Chance {
    fn user(&mut self, model: &Model) -> i64 {
        let users: Vec<i64> = model.users.keys().copied().collect();
        self.of(&users)
    }

    /// Of rooms that are or were, often one of this user; of whomever; seldom none at all.
    fn label(&mut self, model: &Model, user: i64) -> String {
        let own = |room: &&super::model::Room| room.open && room.has(user);
        let mine: Vec<&String> = model.rooms.iter().filter(own).map(|room| &room.label).collect();
        match self.below(20) {
            0..13 if !mine.is_empty() => self.of(&mine).clone(),
            0..17 if !model.rooms.is_empty() => {
                let room = &model.rooms[self.below(model.rooms.len())];
                let all: Vec<String> = room.labels().collect();
                self.of(&all)
            }
            17 => self.of(&["", "1", "2:1", "1:1", "01:2", "1:2:x", "4:3:2"]).to_owned(),
            _ => {
                let mut users = self.others(user);
                users.truncate(1 + self.below(3));
                label_of(&[users, vec![user]].concat())
            }
        }
    }

    /// Other users in any order, those who are no more among them.
    fn others(&mut self, user: i64) -> Vec<i64> {
        let mut others: Vec<i64> =
            USERS.iter().map(|(id, _)| *id).filter(|id| *id != user).collect();
        for place in (1..others.len()).rev() {
            others.swap(place, self.below(place + 1));
        }
        others
    }

    /// Other users; often those with whom they once were in a room, whose label is borne once more then.
    fn company(&mut self, model: &Model, user: i64) -> Vec<i64> {
        let mut others = self.others(user);
        others.truncate(1 + self.below(4));
        let bore = model.rooms.iter().filter(|room| room.group).flat_map(|room| room.labels());
        let bore: Vec<Vec<i64>> =
            bore.filter_map(|label| ids(&label)).filter(|ids| ids.contains(&user)).collect();
        if self.percent(30) && !bore.is_empty() {
            others = self.of(&bore);
            others.retain(|id| *id != user);
        }
        others
    }

    /// The label of a room, as it is, with or without somebody; seldom any other.
    fn becomes(
        &mut self,
        model: &Model,
        user: i64,
        label: &str,
        change: impl FnOnce(&mut Vec<i64>),
    ) -> String {
        let now = match model.leads(user, label) {
            Ok(Leads::Private(label)) => label,
            Ok(Leads::Group(room)) => model.rooms[room].label.clone(),
            Err(_) => label.to_owned(),
        };
        let mut members = ids(&now).unwrap_or_default();
        change(&mut members);
        if self.percent(6) { self.label(model, user) } else { label_of(&members) }
    }
}

/// What was told, as the model has it: dates and titles are left out.
fn as_told(rows: &[Logged]) -> (Vec<Told>, Vec<String>) {
    let events = rows.iter().filter_map(|row| row.event.as_ref());
    let told = events.map(|event| {
        let variants = event.variants.iter().map(|variant| {
            let mut payload: Json =
                serde_json::from_str(variant.payload.get()).expect("it is JSON");
            if event.name == "notification" {
                payload = Json::Null;
            }
            for place in ["", "/notification"] {
                let object = payload.pointer_mut(place).and_then(Json::as_object_mut);
                object.map(|object| object.shift_remove("date"));
            }
            (variant.topics.iter().map(|topic| topic.to_string()).collect(), payload)
        });
        Told {
            name: event.name.to_string(),
            except: event.except.iter().map(|topic| topic.to_string()).collect(),
            variants: variants.collect(),
        }
    });
    let effects = rows.iter().flat_map(|row| {
        let bare = Logged { event: None, ..row.clone() };
        super::told(&bare)
    });
    (told.collect(), effects.collect())
}

/// A moment passes, with housekeeping now and then.
fn pass(chance: &mut Chance, world: &mut World, model: &mut Model) {
    model.now += 1;
    world.now = model.now;
    if chance.percent(20) {
        world.tidy();
        model.tidy();
    }
}

/// A step: a call by chance, or time that passes.
fn step(chance: &mut Chance, world: &mut World, model: &mut Model, note: &str) -> String {
    let user = chance.user(model);
    let (name, request, expected) = match chance.below(40) {
        0..10 => {
            let label = chance.label(model, user);
            let client = chance.percent(40).then(|| format!("c{}", chance.below(30)));
            let text = format!("t{}", chance.below(3));
            let again = model.may_send_again(user);
            // Sent again, as it was or to the room as it is called now.
            let (label, text, client) = match chance.percent(20) && !again.is_empty() {
                true => chance.of(&again),
                false => (label, text, client),
            };
            let mut request = fields(&json!({ "message": text, "roomID": label }));
            request.extend(client.iter().map(|id| ("clientMessageID".to_owned(), json!(id))));
            ("message", Json::Object(request), model.say(user, &label, &text, client.as_deref()))
        }
        10..20 => {
            let (label, new) = (chance.label(model, user), chance.others(user)[0]);
            let wanted = chance.becomes(model, user, &label, |members| members.push(new));
            let request =
                json!({ "newUserID": new.to_string(), "roomID": label, "newRoomID": wanted });
            if ids(&label).is_some_and(|ids| ids.len() == 2) {
                ("createUserGroup", request, model.create(user, &label, new, &wanted))
            } else {
                ("addUserToGroup", request, model.add(user, &label, new, &wanted))
            }
        }
        20..30 => {
            let label = chance.label(model, user);
            let kicked = if chance.percent(40) { user } else { chance.others(user)[0] };
            let wanted =
                chance.becomes(model, user, &label, |members| members.retain(|id| *id != kicked));
            let request =
                json!({ "kickedUserID": kicked.to_string(), "roomID": label, "newRoomID": wanted });
            ("kickUserFromGroup", request, model.kick(user, &label, kicked, &wanted))
        }
        30 => {
            let label = chance.label(model, user);
            ("deleteUserRoom", json!({ "roomID": label }), model.delete(user, &label))
        }
        31..35 => {
            let others = chance.company(model, user);
            let members: Vec<String> = others.iter().map(i64::to_string).collect();
            ("chat.open", json!({ "members": members }), model.open(user, &others))
        }
        35..38 => {
            let label = chance.label(model, user);
            ("chat.read", json!(label), model.read(user, &label))
        }
        38 => {
            model.now += chance.of(&[1, 20, 60, 61]) * SECOND;
            world.now = model.now;
            return "time".into();
        }
        _ if chance.percent(12) && model.users.len() > 4 && user != 9 => {
            return depart(world, model, user, note);
        }
        _ => return "nothing".into(),
    };
    let kind = match &expected {
        Err(why) => format!("{name} {why}"),
        Ok(came) if came.effects.len() > 3 => format!("{name} merges"),
        Ok(came) if came.effects.len() > 1 => format!("{name} closes"),
        Ok(came) if came.told.is_empty() => format!("{name} silent"),
        Ok(_) => format!("{name} told"),
    };
    let note = format!("{note}: {name} {request} by {user}");
    check(world.call_as(&principal(user), name, request), expected, model, &note);
    kind
}

#[track_caller]
fn check(
    came: Result<Came, Fault>,
    expected: Result<Expected, Refused>,
    model: &mut Model,
    note: &str,
) {
    let (came, expected) = match (came, expected) {
        (Err(fault), Err(why)) => return assert_eq!(fault.name(), why, "{note}: {fault}"),
        (Ok(came), Ok(expected)) => (came, expected),
        (came, expected) => panic!("{note}: {came:?}, expected {expected:?}"),
    };
    let (told, effects) = as_told(&came.rows);
    assert_eq!(told, expected.told, "{note}");
    assert_eq!(effects, expected.effects, "{note}");
    for (key, value) in expected.reply.as_object().into_iter().flatten() {
        assert_eq!(&came.reply[key], value, "{note}: {}", came.reply);
    }
    // Effects are on the last row, behind all events.
    let last = came.rows.len().saturating_sub(1);
    assert!(came.rows.iter().take(last).all(|row| row.effects.is_empty()), "{note}");
    model.head += came.rows.len() as u64;
    assert_eq!(came.rows.last().map_or(model.head, |row| row.offset), model.head, "{note}");
}

fn depart(world: &mut World, model: &mut Model, user: i64, note: &str) -> String {
    model.head += world.delete_user(user).len() as u64;
    let expected = model.depart(user);
    let (told, effects) = as_told(&world.run_due());
    let all: Vec<Told> = expected.iter().flat_map(|came| came.told.clone()).collect();
    assert_eq!(told, all, "{note}: {user} is deleted");
    let all: Vec<String> = expected.into_iter().flat_map(|came| came.effects).collect();
    assert_eq!(effects, all, "{note}: {user} is deleted");
    "departs".into()
}

/// What a user sees and hears, of rooms by chance.
fn look(chance: &mut Chance, world: &mut World, model: &Model, note: &str) {
    let user = chance.user(model);
    for (open, request) in [(true, json!({})), (false, json!({ "closed": "true" }))] {
        let mut page = world.call(user, "chat.rooms", request).reply;
        let items = page["items"].as_array_mut().expect("items");
        for item in items.iter_mut() {
            item.as_object_mut().expect("an object").shift_remove("lastAt");
        }
        assert_eq!(*items, model.list(user, open), "{note}: rooms of {user}");
    }
    let label = chance.label(model, user);
    let read = world.call_as(&principal(user), "chat.messages", json!({ "roomID": label }));
    let found = model.readable(user, &label);
    let read = read.map(|came| texts(&came.reply)).map_err(|fault| fault.name());
    let expected = found.map(|room| model.texts(room, user));
    assert_eq!(read, expected, "{note}: {label} for {user}");
    let joined = world.call_as(&principal(user), "chatRoom.join", json!(label));
    let joined = joined.map(|came| room_and_number(&came.aside.enters[0]).0.to_owned());
    let joined = joined.map_err(|fault| fault.name());
    let expected = model.leads(user, &label).map(|leads| match leads {
        Leads::Private(label) => format!("private/{label}"),
        Leads::Group(room) => {
            let seat = model.rooms[room].seat(user).expect("it leads who is in it");
            format!("seat/{}", seat.seat)
        }
    });
    assert_eq!(joined, expected, "{note}: {label} for {user}");
    if !model.seats_ever.is_empty() {
        let (owner, seat) = chance.of(&model.seats_ever);
        let user = if chance.percent(80) { owner } else { user };
        let heard = world.topics(user, &format!("seat/{seat}"));
        assert_eq!(heard, topics(model, user, seat), "{note}: seat {seat} for {user}");
    }
}

/// For each user the rooms in which a connection of theirs is, as it is and as the model has it.
type Connections = BTreeMap<i64, (Vec<String>, Vec<Entered>)>;

/// Connections enter and leave rooms.
fn moves(
    chance: &mut Chance,
    world: &mut World,
    model: &Model,
    connections: &mut Connections,
    note: &str,
) {
    let user = chance.user(model);
    let label = chance.label(model, user);
    let (rooms, entered) = connections.entry(user).or_default();
    if chance.percent(60) {
        if model.leads(user, &label).is_ok() {
            world.moves(rooms, user, "chatRoom.join", &label);
        }
        model.enter(user, &label, entered);
    } else {
        world.moves(rooms, user, "chatRoom.leave", &label);
        model.leave(user, &label, entered);
    }
    rooms.retain(|room| !world.topics(user, room).is_empty());
    entered.retain(|entered| match entered {
        Entered::Private(_) => true,
        Entered::Group { seat, .. } => !topics(model, user, *seat).is_empty(),
    });
    let is: BTreeSet<String> =
        rooms.iter().map(|room| room_and_number(room).0.to_owned()).collect();
    let of = |entered: &Entered| match entered {
        Entered::Private(label) => format!("private/{label}"),
        Entered::Group { seat, .. } => format!("seat/{seat}"),
    };
    let expected: BTreeSet<String> = entered.iter().map(of).collect();
    assert_eq!(is, expected, "{note}: {user} and {label}: {rooms:?}, {entered:?}");
}

fn texts(page: &Json) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    let text = |item: &Json, key: &str| item[key].as_str().expect("a text").to_owned();
    items.map(|item| format!("{} {}", text(item, "fromUsername"), text(item, "message"))).collect()
}

/// What is heard in a seat.
fn topics(model: &Model, user: i64, seat: i64) -> Vec<(String, Offset)> {
    let is_it = |room: &super::model::Room| room.seat(user).is_some_and(|own| own.seat == seat);
    let Some(room) = model.rooms.iter().position(is_it) else { return Vec::new() };
    let Some((leads, since)) = model.goes_on(room, user) else { return Vec::new() };
    let mut topics = vec![(format!("group/{}", room + 1), 0), (format!("seat/{seat}"), 0)];
    let there = match leads {
        Leads::Private(label) => format!("private/{label}"),
        Leads::Group(room) => model.topic(room),
    };
    if there != topics[0].0 {
        topics.push((there, since));
    }
    topics
}

/// What must have happened by all seeds together; else they say less than they seem to.
const KINDS: &[&str] = &[
    "message told",
    "message silent",
    "message CONFLICT",
    "message NOT_FOUND",
    "message INVALID_ROOM",
    "createUserGroup told",
    "createUserGroup CONFLICT",
    "createUserGroup INVALID_ROOM",
    "addUserToGroup told",
    "addUserToGroup CONFLICT",
    "addUserToGroup INVALID_ROOM",
    "kickUserFromGroup told",
    "kickUserFromGroup closes",
    "kickUserFromGroup merges",
    "kickUserFromGroup CONFLICT",
    "kickUserFromGroup FORBIDDEN",
    "kickUserFromGroup INVALID_ROOM",
    "deleteUserRoom told",
    "deleteUserRoom FORBIDDEN",
    "chat.open told",
    "chat.open silent",
    "chat.open CONFLICT",
    "chat.read silent",
    "departs",
];

#[test]
fn whatever_is_done_is_told_and_kept_as_the_model_says() {
    const SEEDS: std::ops::Range<u64> = 7..21;
    const STEPS: usize = 120;
    let seeds = seeds("BELLWIRE_TEST_CHAT_SEED", SEEDS);
    let mut kinds = BTreeMap::new();
    for seed in seeds.clone() {
        let mut chance = Chance(seed);
        let mut world = World::new();
        let mut model = Model::new(0);
        let mut connections = Connections::new();
        for number in 0..STEPS {
            let note = format!("BELLWIRE_TEST_CHAT_SEED={seed}, step {number}");
            pass(&mut chance, &mut world, &mut model);
            *kinds.entry(step(&mut chance, &mut world, &mut model, &note)).or_insert(0) += 1;
            look(&mut chance, &mut world, &model, &note);
            if chance.percent(50) {
                moves(&mut chance, &mut world, &model, &mut connections, &note);
            }
        }
    }
    if seeds.clone().count() >= SEEDS.count() {
        for kind in KINDS {
            assert!(kinds.contains_key(*kind), "{kind} never happened: {kinds:?}");
        }
    }
}
