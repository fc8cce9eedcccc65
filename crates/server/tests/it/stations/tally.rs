//! What somebody knows of stations who believes nothing but what they are told: each frame must follow from the one
//! before, as the document's clients count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{House, items, line::Told, number};

/// What is known of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    available: i64,
    booked: i64,
    status: String,
    /// What the next frame of it must be: an `inventory_update` with this action and time.
    announced: Option<(&'static str, String)>,
}

/// What is known of all.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    stations: BTreeMap<i64, Known>,
    /// How many frames of each kind came.
    pub heard: BTreeMap<String, usize>,
}

impl Tally {
    /// What is to be seen over HTTP.
    #[track_caller]
    pub fn of(house: &House) -> Tally {
        let mut tally = Tally::default();
        let shown = house.server.ask("GET", "/api/stations?limit=1000").expect(200);
        assert_eq!(shown["next"], Value::Null);
        for station in items(&shown) {
            let known = Known {
                available: count(station, "available_batteries"),
                booked: count(station, "booked_batteries"),
                status: text(station, "status"),
                announced: None,
            };
            assert_eq!(count(station, "total_batteries"), known.available + known.booked);
            tally.stations.insert(number(station), known);
        }
        tally
    }

    /// The same of one station alone.
    pub fn only(mut self, station: i64) -> Tally {
        self.stations.retain(|id, _| *id == station);
        self
    }

    /// Takes in what was told.
    #[track_caller]
    pub fn hears(&mut self, told: &[Told]) {
        told.iter().for_each(|told| self.hear(told));
    }

    /// Takes in a frame, which must follow.
    #[track_caller]
    pub fn hear(&mut self, told: &Told) {
        let (event, payload) = told.text.split_once(' ').expect("an event has a payload");
        let payload = payload.replace(r#""timestamp":T"#, r#""timestamp":"T""#);
        let payload: Value = serde_json::from_str(&payload).expect("payloads are JSON");
        *self.heard.entry(event.to_owned()).or_default() += 1;
        let Some(id) = payload["station_id"].as_i64() else { return };
        let is_new = event == "inventory_update" && !self.stations.contains_key(&id);
        let begins =
            || Known { available: 0, booked: 0, status: "online".to_owned(), announced: None };
        let known = self.stations.entry(id).or_insert_with(begins);
        let before = known.clone();
        let wrong = |why: &str| -> ! { panic!("{why}: {told:?} after {before:?}") };
        let at = |key: &str| count(&payload, key);
        if let Some((_, time)) = &known.announced
            && (event != "inventory_update" || *time != told.time)
        {
            wrong("an inventory_update of that time comes first");
        }
        match event {
            "battery_booked" => {
                (known.available, known.booked) = (before.available - 1, before.booked + 1);
                known.announced = Some(("book", told.time.clone()));
                if (at("available_batteries"), at("booked_batteries"))
                    != (known.available, known.booked)
                {
                    wrong("one is booked");
                }
            }
            "battery_collected" => {
                known.booked = before.booked - 1;
                known.announced = Some(("collect", told.time.clone()));
                if (at("available_batteries"), at("booked_batteries"))
                    != (known.available, known.booked)
                {
                    wrong("one is collected");
                }
            }
            "battery_added" => {
                known.available = before.available + 1;
                known.announced = Some(("add", told.time.clone()));
                if (at("available_batteries"), at("total_batteries"))
                    != (known.available, known.available + known.booked)
                {
                    wrong("one is added");
                }
            }
            "station_status" => {
                known.status = text(&payload, "status");
                if known.status == before.status {
                    wrong("it has another status");
                }
            }
            "inventory_update" => {
                if !known.follows(&payload, is_new) {
                    wrong("it does not follow");
                }
            }
            _ => wrong("no event of stations"),
        }
        if known.available < 0 || known.booked < 0 {
            wrong("there are no fewer than none");
        }
    }

    /// It is as is to be seen over HTTP.
    #[track_caller]
    pub fn balances(&self, house: &House) {
        let mut shown = Tally::of(house).stations;
        // Who hears of one station knows of no other; one that is gone has nothing.
        shown.retain(|id, _| self.stations.contains_key(id));
        let mut known = self.stations.clone();
        known.retain(|id, known| shown.contains_key(id) || known.available + known.booked > 0);
        assert_eq!(known, shown);
    }
}

impl Known {
    /// Takes in an `inventory_update`; says whether it follows, and counts all there are.
    fn follows(&mut self, payload: &Value, is_new: bool) -> bool {
        let (available, booked) =
            (count(payload, "available_batteries"), count(payload, "booked_batteries"));
        let action = text(payload, "action");
        let before = (self.available, self.booked);
        (self.available, self.booked) = (available, booked);
        if available + booked != count(payload, "total_batteries") {
            return false;
        }
        match self.announced.take() {
            Some((announced, _)) => action == announced && before == (available, booked),
            // It has another name, one went, some were let go, or it went with all.
            None => {
                let is_removed = before == (available + 1, booked);
                let is_let_go = booked < before.1 && available + booked == before.0 + before.1;
                let is_gone = (available, booked) == (0, 0);
                let is_named = before == (available, booked);
                action == "update" && (is_new || is_named || is_removed || is_let_go || is_gone)
            }
        }
    }
}

fn count(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}
