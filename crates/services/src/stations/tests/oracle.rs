//! Several people, staff and machines who do whatever they may and may not, as chance has it: what is told, answered
//! and kept is what the [`model`](super::model) says.

use super::{
    model::{Came as Expected, Model, Who},
    *,
};
use crate::{
    kit::timestamp_bare,
    testing::{Chance, seeds},
};

impl Chance {
    /// Mostly a user.
    fn who(&mut self, model: &Model) -> Who {
        match self.below(20) {
            0 => Who::Operator,
            1 => Who::Guest,
            2 => Who::Board,
            3 => Who::Screen,
            _ => {
                let users: Vec<i64> = model.users.keys().copied().collect();
                Who::User(self.of(&users))
            }
        }
    }

    /// Mostly staff.
    fn staff(&mut self, model: &Model) -> Who {
        if self.percent(70) {
            self.of(&[Who::User(ROOT), Who::Operator, Who::Board])
        } else {
            self.who(model)
        }
    }

    /// Mostly one that is there.
    fn station(&mut self, model: &Model) -> i64 {
        let there: Vec<i64> = model.stations.keys().copied().collect();
        match self.percent(8) || there.is_empty() {
            true => 1 + self.below(model.next_station as usize + 2) as i64,
            false => self.of(&there),
        }
    }

    /// One that is there, somewhere, or was; seldom none.
    fn battery(&mut self, model: &Model) -> i64 {
        let there: Vec<i64> = model.batteries.keys().copied().collect();
        match self.percent(8) || there.is_empty() {
            true => 1 + self.below(60) as i64,
            false => self.of(&there),
        }
    }

    /// Mostly one that is live.
    fn booking(&mut self, model: &Model) -> i64 {
        let live = model.bookings.iter().filter(|(_, booking)| booking.is_live());
        let live: Vec<i64> = live.map(|(id, _)| *id).collect();
        match self.percent(25) || live.is_empty() {
            true => 1 + self.below(model.next_booking as usize + 1) as i64,
            false => self.of(&live),
        }
    }
}

fn caller(who: Who) -> Principal {
    match who {
        Who::User(id) => principal(id),
        Who::Operator => Principal::operator(),
        Who::Guest => Principal::guest(),
        Who::Board => token(Role::Device, &["stations:staff"]),
        Who::Screen => token(Role::Client, &[]),
    }
}

/// What was told, a line for each event, as the model has it; all of it at this time.
fn lines(rows: &[Logged], now: Micros) -> Vec<String> {
    let events = rows.iter().filter_map(|row| row.event.as_ref());
    events
        .map(|event| {
            let payloads: Vec<(String, Json)> = event
                .variants
                .iter()
                .map(|variant| {
                    let payload = serde_json::from_str(variant.payload.get()).expect("it is JSON");
                    (variant.topics.join(" "), payload)
                })
                .collect();
            assert!(payloads.iter().all(|(_, told)| told["timestamp"] == timestamp_bare(now)));
            let text = |key: &str| match &payloads[0].1[key] {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            let several = |keys: &[&str]| -> String {
                keys.iter().map(|key| text(key)).collect::<Vec<_>>().join(" ")
            };
            let topics: Vec<&str> = payloads.iter().map(|(topic, _)| topic.as_str()).collect();
            let (available, booked) = (text("available_batteries"), text("booked_batteries"));
            let total = text("total_batteries");
            let place = several(&["station_id", "station_name"]);
            if let ["inbox", user] = topics[0].split('/').collect::<Vec<_>>()[..] {
                assert_eq!(topics.len(), 1);
                return match &*event.name {
                    "booking_confirmed" => {
                        let rest = several(&["booking_id", "station_name", "battery_info"]);
                        format!("confirmed {user} {rest}")
                    }
                    "booking_ready" => {
                        format!("ready {user} {}", several(&["booking_id", "station_name"]))
                    }
                    name => format!("{name} {user} {}", text("message")),
                };
            }
            assert_eq!(event.key, text("station_id"));
            if event.name == "battery_booked" {
                assert_eq!(topics, ["stations/staff", "stations"]);
                let mut masked = payloads[1].1.clone();
                let shown = masked["user"].as_str().expect("a text").to_owned();
                masked["user"] = payloads[0].1["user"].clone();
                assert_eq!(masked, payloads[0].1, "they differ in that alone");
                let (battery, user) = (text("battery_id"), text("user"));
                return format!("booked {place} {battery} {available}/{booked} {user} {shown}");
            }
            assert_eq!(topics, ["stations"]);
            match &*event.name {
                "inventory_update" => {
                    format!("inventory {place} {available}/{booked}/{total} {}", text("action"))
                }
                "battery_collected" => {
                    format!("collected {place} {} {available}/{booked}", text("battery_id"))
                }
                "battery_added" => {
                    format!("added {place} {} {available}/{total}", text("battery_id"))
                }
                "station_status" => format!("status {place} {}", several(&["status", "message"])),
                name => panic!("{name}"),
            }
        })
        .collect()
}

/// A call by chance: its name, what it asks for, who calls, and what must come of it.
fn call(chance: &mut Chance, model: &mut Model) -> (&'static str, Json, Who, Expected) {
    match chance.below(100) {
        0..34 => book(chance, model),
        34..40 => {
            let (who, id) = (chance.staff(model), chance.booking(model));
            ("bookings.ready", booking(id), who, model.ready(who, id))
        }
        40..54 => {
            let (who, id) = concerned(chance, model);
            ("bookings.collect", booking(id), who, model.collect(who, id))
        }
        54..62 => {
            let (who, id) = concerned(chance, model);
            ("bookings.cancel", booking(id), who, model.cancel(who, id))
        }
        62..65 => {
            let (who, id) = concerned(chance, model);
            ("bookings.get", booking(id), who, model.get(who, id))
        }
        65..84 => add(chance, model),
        84..87 => {
            let (who, station) = (chance.staff(model), chance.station(model));
            let battery = chance.battery(model);
            let request = json!({ "station_id": station, "battery_id": battery });
            ("batteries.remove", request, who, model.remove(who, station, battery))
        }
        87..94 => change(chance, model),
        94..96 => {
            let who = chance.of(&[Who::User(ROOT), Who::Operator, Who::Board, Who::User(JOHN)]);
            let name = format!("Station {}", chance.below(9));
            let status = chance.of(&["online", "online", "offline", "maintenance"]);
            let request = json!({ "name": name, "status": status });
            ("stations.create", request, who, model.create(who, &name, status))
        }
        96..98 => {
            let who = chance.staff(model);
            let id = chance.station(model);
            ("stations.delete", json!({ "station_id": id }), who, model.delete(who, id))
        }
        _ => {
            let (who, id) = (chance.who(model), chance.station(model));
            ("stations.get", json!({ "station_id": id }), who, model.shown(id))
        }
    }
}

/// A booking, and who it is about, or anybody.
fn concerned(chance: &mut Chance, model: &Model) -> (Who, i64) {
    let id = chance.booking(model);
    let owner = model.bookings.get(&id).map(|booking| Who::User(booking.user));
    match owner.filter(|_| chance.percent(60)) {
        Some(owner) => (owner, id),
        None => (chance.who(model), id),
    }
}

fn book(chance: &mut Chance, model: &mut Model) -> (&'static str, Json, Who, Expected) {
    let (who, station) = (chance.who(model), chance.station(model));
    let battery = chance.percent(40).then(|| chance.battery(model));
    let claim = chance.percent(15).then(|| chance.of(&[JOHN, JANE, EVE]));
    let claim = claim.filter(|claim| model.users.contains_key(claim));
    let mut request = json!({ "station_id": station });
    if let Some(battery) = battery {
        request["battery_id"] = battery.into();
    }
    if let Some(claim) = claim {
        request["user_id"] = claim.to_string().into();
    }
    ("stations.book", request, who, model.book(who, station, battery, claim))
}

fn add(chance: &mut Chance, model: &mut Model) -> (&'static str, Json, Who, Expected) {
    let (who, station) = (chance.staff(model), chance.station(model));
    let collected = model.batteries.iter().filter(|(_, battery)| battery.at.is_none());
    let collected: Vec<i64> = collected.map(|(id, _)| *id).collect();
    let id = match chance.below(10) {
        0..5 if !collected.is_empty() => Some(chance.of(&collected)),
        5 => Some(chance.battery(model)),
        6 => Some(1 + chance.below(60) as i64),
        _ => None,
    };
    let likely = if id.is_some() { 50 } else { 95 };
    let name = chance.percent(likely).then(|| chance.of(&["Tesla Battery", "NIO Battery"]));
    let model_name = chance.percent(likely).then(|| chance.of(&["Model 3", "ET5"]));
    let mut request = json!({ "station_id": station });
    for (field, value) in [("name", name), ("model", model_name)] {
        if let Some(value) = value {
            request[field] = value.into();
        }
    }
    if let Some(id) = id {
        request["battery_id"] = id.into();
    }
    ("batteries.add", request, who, model.add(who, station, id, (name, model_name)))
}

fn change(chance: &mut Chance, model: &mut Model) -> (&'static str, Json, Who, Expected) {
    let (who, station) = (chance.staff(model), chance.station(model));
    let name = chance.percent(30).then(|| format!("Station {}", chance.below(9)));
    let statuses = ["online", "online", "online", "online", "offline", "maintenance"];
    let status = chance.percent(80).then(|| chance.of(&statuses));
    let mut request = json!({ "station_id": station });
    if let Some(name) = &name {
        request["name"] = name.as_str().into();
    }
    if let Some(status) = status {
        request["status"] = status.into();
    }
    ("stations.change", request, who, model.change(who, station, name.as_deref(), status))
}

/// A step: a call by chance, time that passes, or somebody who comes or goes. Gives what kind it was.
fn step(chance: &mut Chance, world: &mut World, model: &mut Model, note: &str) -> String {
    match chance.below(100) {
        0..10 => {
            let to = world.now + chance.of(&[1, 7, 20, 60, 61]) * SECOND;
            let told = world.pass_to_rows(to);
            let told: Vec<_> = told
                .iter()
                .flat_map(|(at, rows)| lines(rows, *at).into_iter().map(|line| (*at, line)))
                .collect();
            let expected = model.pass_to(to);
            assert_eq!(told, expected, "{note}");
            return if told.is_empty() { "time".into() } else { "time expires".into() };
        }
        10 if model.users.len() < 8 => {
            let id = model.user_comes();
            let user = json!({ "username": format!("user{id}") });
            let made = world.call(ROOT, "users.create", user).json();
            assert_eq!(made["userId"], id.to_string(), "{note}");
            return "user comes".into();
        }
        11 if model.users.len() > 3 => {
            let users: Vec<i64> = model.users.keys().copied().filter(|id| *id != ROOT).collect();
            let user = chance.of(&users);
            let rows = world.call(ROOT, "users.delete", json!({ "userId": user.to_string() })).rows;
            let told = lines(&rows, world.now);
            assert_eq!(told, model.user_goes(user), "{note}: user {user} goes");
            return if told.is_empty() { "user goes".into() } else { "user lets go".into() };
        }
        _ => {}
    }
    let (name, request, who, expected) = call(chance, model);
    let note = format!("{note}: {name} {request} by {who:?}");
    let kind = match &expected {
        Err(code) => format!("{name} {code}"),
        Ok((_, told)) if told.len() > 2 => format!("{name} tells much"),
        Ok((_, told)) if told.is_empty() => format!("{name} silent"),
        Ok(_) => format!("{name} told"),
    };
    match (world.call_as(&caller(who), name, request), expected) {
        (Err(fault), Err(code)) => assert_eq!(fault.name(), code, "{note}: {fault}"),
        (Ok(came), Ok((reply, told))) => {
            assert_eq!(lines(&came.rows, world.now), told, "{note}");
            assert_eq!(came.json(), reply, "{note}");
        }
        (came, expected) => panic!("{note}: {came:?}, expected {expected:?}"),
    }
    kind
}

/// What somebody is shown of bookings, by filters by chance.
fn list(chance: &mut Chance, world: &mut World, model: &Model, note: &str) {
    let who = chance.who(model);
    let user = chance.percent(40).then(|| chance.of(&[JOHN, JANE, EVE, 6]));
    let station = chance.percent(40).then(|| chance.station(model));
    let statuses = ["confirmed", "ready", "collected", "cancelled", "expired"];
    let status = chance.percent(40).then(|| chance.of(&statuses));
    let mut request = json!({ "limit": 1_000 });
    if let Some(user) = user {
        request["user_id"] = user.to_string().into();
    }
    if let Some(station) = station {
        request["station_id"] = station.into();
    }
    if let Some(status) = status {
        request["status"] = status.into();
    }
    let note = format!("{note}: {request} by {who:?}");
    let shown = world.call_as(&caller(who), "bookings.list", request);
    let shown = shown.map(|came| came.json()["items"].as_array().expect("items").clone());
    let expected = model.list(who, user, station, status);
    assert_eq!(shown.map_err(|fault| fault.name()), expected, "{note}");
}

/// What must have happened by all seeds together; else they say less than they seem to.
const KINDS: &[&str] = &[
    "stations.book tells much",
    "stations.book UNAUTHENTICATED",
    "stations.book FORBIDDEN",
    "stations.book NOT_FOUND",
    "stations.book CONFLICT",
    "bookings.ready told",
    "bookings.ready FORBIDDEN",
    "bookings.ready NOT_FOUND",
    "bookings.ready CONFLICT",
    "bookings.collect told",
    "bookings.collect NOT_FOUND",
    "bookings.collect CONFLICT",
    "bookings.cancel told",
    "bookings.cancel NOT_FOUND",
    "bookings.cancel CONFLICT",
    "bookings.get silent",
    "bookings.get NOT_FOUND",
    "batteries.add told",
    "batteries.add INVALID",
    "batteries.add FORBIDDEN",
    "batteries.add NOT_FOUND",
    "batteries.add CONFLICT",
    "batteries.remove told",
    "batteries.remove NOT_FOUND",
    "batteries.remove CONFLICT",
    "stations.create told",
    "stations.create FORBIDDEN",
    "stations.change told",
    "stations.change silent",
    "stations.change tells much",
    "stations.change INVALID",
    "stations.change FORBIDDEN",
    "stations.change NOT_FOUND",
    "stations.delete told",
    "stations.delete tells much",
    "stations.delete FORBIDDEN",
    "stations.delete NOT_FOUND",
    "stations.get silent",
    "stations.get NOT_FOUND",
    "time expires",
    "user comes",
    "user goes",
    "user lets go",
];

#[test]
fn whatever_is_done_is_told_and_kept_as_the_model_says() {
    const SEEDS: std::ops::Range<u64> = 11..25;
    const STEPS: usize = 150;
    let seeds = seeds("BELLWIRE_TEST_STATIONS_SEED", SEEDS);
    let mut kinds = std::collections::BTreeMap::new();
    for seed in seeds.clone() {
        let mut chance = Chance(seed);
        let mut world = World::new();
        let mut model = Model::new();
        (world.settings.booking_hold, model.hold) = (60 * SECOND, 60 * SECOND);
        (world.settings.bookings_per_user, model.bookings_per_user) = (3, 3);
        for name in ["Downtown Station", "Airport Station"] {
            world.station(name, 0);
            model.create(Who::User(ROOT), name, "online").expect("it is made");
        }
        for number in 0..STEPS {
            let note = format!("BELLWIRE_TEST_STATIONS_SEED={seed}, step {number}");
            *kinds.entry(step(&mut chance, &mut world, &mut model, &note)).or_insert(0) += 1;
            assert_eq!(world.rows(), model.rows(), "{note}");
            list(&mut chance, &mut world, &model, &note);
        }
        for user in model.users.keys() {
            let messages = model.inboxes.get(user).cloned().unwrap_or_default();
            assert_eq!(world.messages(*user), messages, "seed {seed}: inbox of {user}");
        }
    }
    if seeds.clone().count() >= SEEDS.count() {
        for kind in KINDS {
            assert!(kinds.contains_key(*kind), "{kind} never happened: {kinds:?}");
        }
    }
}
