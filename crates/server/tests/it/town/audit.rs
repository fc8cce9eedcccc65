//! What was acknowledged, what was heard and what is there, compared.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    link::{Dialect, Way},
    listener::{Heard, Listener},
    trades::{ENTITIES, People},
    writer::{Request, Writer},
};

impl Way<'_> {
    #[track_caller]
    fn get(&self, token: &str, path: &str) -> Value {
        self.ask("GET", path).bearer(token).expect(200)
    }

    /// Everything in a list, page after page; the parameter names the place of the next.
    #[track_caller]
    fn list(&self, token: &str, path: &str, parameter: &str) -> Vec<Value> {
        let (mut items, mut place) = (Vec::new(), String::new());
        loop {
            let page = self.get(token, &format!("{path}?limit=1000{place}"));
            items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => place = format!("&{parameter}={next}"),
                None => return items,
            }
        }
    }
}

/// Compares all that anybody knows.
pub fn compare(way: Way<'_>, people: &People, writers: &[Writer], listeners: &[Listener]) {
    let heard: BTreeMap<&str, &[Heard]> = listeners
        .iter()
        .filter(|listener| listener.dialect == Dialect::Plain)
        .map(|listener| (listener.trade.name, &*listener.heard))
        .collect();
    for listener in listeners {
        alike(listener, heard[listener.trade.name]);
    }
    counters_add_up(heard["stations"]);
    let done: BTreeMap<&str, &[Request]> =
        writers.iter().map(|writer| (writer.trade.name, &*writer.done)).collect();
    for writer in writers {
        told_once_in_order(writer, heard[writer.trade.name]);
    }
    rows(way, people, &done);
    bookings(way, people, done["stations"], heard["notifications"]);
}

/// Both listeners of a trade heard the same.
fn alike(listener: &Listener, plain: &[Heard]) {
    let both = listener.heard.iter().zip(plain);
    if let Some((one, other)) = both.clone().find(|(one, other)| one != other) {
        panic!("{listener}: heard {one:?}, and on a plain connection {other:?}");
    }
    let more = &listener.heard[both.len()..];
    assert!(more.is_empty() && plain.len() == listener.heard.len(), "{listener}: alone {more:?}");
}

/// A writer's requests are told in the order in which they were answered, each once, and nothing that nobody asked for.
fn told_once_in_order(writer: &Writer, heard: &[Heard]) {
    let trade = writer.trade;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let marks = heard.iter().filter_map(|heard| {
        if trade.counted.iter().any(|(_, event)| *event == heard.name) {
            let count = counts.entry(&heard.name).or_default();
            *count += 1;
            return Some(format!("{} {count}", heard.name));
        }
        (trade.heard)(&heard.name, &heard.payload)
    });
    let marks: Vec<String> = marks.collect();
    let asked: Vec<&str> = writer.marks().collect();
    let other = marks.iter().zip(&asked).position(|(heard, asked)| heard != asked);
    let at = other.unwrap_or(marks.len().min(asked.len()));
    assert!(
        marks.len() == asked.len() && other.is_none(),
        "{}: {} acknowledged, {} heard; at {at} {:?} and {:?}",
        trade.name,
        asked.len(),
        marks.len(),
        asked.get(at),
        marks.get(at)
    );
}

/// In every frame that has all counters (promise 14).
fn counters_add_up(heard: &[Heard]) {
    for Heard { payload, .. } in heard {
        let count = |key: &str| payload[key].as_i64();
        let counts =
            (count("available_batteries"), count("booked_batteries"), count("total_batteries"));
        if let (Some(available), Some(booked), Some(total)) = counts {
            assert_eq!(available + booked, total, "{payload}");
        }
    }
}

/// What is there is what was acknowledged, each once.
fn rows(way: Way<'_>, people: &People, done: &BTreeMap<&str, &[Request]>) {
    let admin = &people.admin;
    let marks = |trade: &str| done[trade].iter().filter_map(|request| request.mark.clone());
    for entity in 0..ENTITIES {
        let entity = format!("light.town_{entity}");
        let mut of_it =
            done["states"].iter().filter(|request| request.fields["entity_id"] == *entity);
        if let Some(last) = of_it.next_back() {
            let state = way.get(admin, &format!("/api/states/{entity}"));
            assert_eq!(state["state"], last.fields["state"], "{entity}");
        }
    }
    if let Some(last) = done["areas"].last() {
        assert_eq!(way.get(admin, "/api/areas/area_1")["name"], last.fields["name"]);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut readings: Vec<String> = way
        .list(admin, "/api/sensors/1/readings", "cursor")
        .iter()
        .map(|reading| reading["value"].to_string())
        .collect();
    let mut values: Vec<String> = marks("sensors").collect();
    // They come by their time, which need not be the order in which they came.
    readings.sort_unstable();
    values.sort_unstable();
    assert_eq!(readings, values, "readings");
    let room = format!("/api/chat/rooms/{}/messages", people.room);
    let mut messages: Vec<String> = match done["chat"] {
        [] => Vec::new(),
        _ => way.list(&people.reader_token, &room, "before"),
    }
    .iter()
    .map(|message| text(&message["message"]))
    .collect();
    messages.reverse();
    assert_eq!(messages, marks("chat").collect::<Vec<_>>(), "messages");
    let mut notices: Vec<String> = way
        .list(&people.booker_token, "/api/notifications", "cursor")
        .iter()
        .filter(|notice| notice["title"] == "Town")
        .map(|notice| text(&notice["message"]))
        .collect();
    notices.reverse();
    assert_eq!(notices, marks("notifications").collect::<Vec<_>>(), "notices");
}

/// Each booking that was acknowledged is there once, as far as it was brought; and its user was told of it once.
fn bookings(way: Way<'_>, people: &People, done: &[Request], told: &[Heard]) {
    let asked = |call: &str| done.iter().filter(|request| request.call == call).count();
    let bookings = way.list(&people.booker_token, "/api/bookings", "cursor");
    assert_eq!(bookings.len(), asked("stations.book"), "bookings");
    let with = |status: &str| bookings.iter().filter(|b| b["status"] == status).count();
    assert_eq!(with("collected"), asked("bookings.collect"), "collected");
    let mut confirmed: Vec<i64> = told
        .iter()
        .filter(|heard| heard.name == "booking_confirmed")
        .filter_map(|heard| heard.payload["booking_id"].as_i64())
        .collect();
    confirmed.reverse();
    let ids: Vec<i64> = bookings.iter().filter_map(|booking| booking["id"].as_i64()).collect();
    assert_eq!(confirmed, ids, "confirmed");
    let station = way.get(&people.admin, "/api/stations/1");
    let count = |key: &str| station[key].as_i64().expect("a station has it");
    let held = i64::try_from(with("confirmed") + with("ready")).expect("few");
    assert_eq!(count("booked_batteries"), held, "{station}");
    assert_eq!(
        count("available_batteries") + count("booked_batteries"),
        count("total_batteries"),
        "{station}"
    );
}
