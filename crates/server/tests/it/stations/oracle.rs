//! All of it by chance: bookings, batteries and stations change from a seed, holds expire, the server is killed now and
//! then, and watchers come and go. Every watcher is told the log, in order, each thing once; it follows frame by frame,
//! and comes to what is to be seen over HTTP.
//!
//! `BELLWIRE_TEST_BOOKINGS_SEED=17` does other things than the usual ones, `0..50` many.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    House, JANE, JOHN, Line, OLGA, PEOPLE, Refused, UENAL,
    caller::result,
    line::{ALL, DEAF, Form, INBOX, ONE, SPACE, Told},
    number,
    tally::Tally,
};
use crate::harness::{Chance, Over, seeds, until};

const SEEDS: std::ops::Range<u64> = 1..2;
/// Names others.
const SEED: &str = "BELLWIRE_TEST_BOOKINGS_SEED";
const LIVES: usize = 4;
const STEPS: usize = 45;
/// Steps whose answers are lost in a crash.
const BURST: usize = 6;
/// The token that speaks for nobody.
const ADMIN: usize = 0;
const USERS: [usize; 4] = [JOHN, JANE, OLGA, UENAL];

/// What somebody asks for.
#[derive(Debug, Clone)]
struct Step {
    who: usize,
    call: &'static str,
    fields: Value,
}

/// What is known by the answers alone.
#[derive(Default)]
struct Book {
    /// What was booked: of which user, which battery, and how it ended if somebody ended it.
    bookings: BTreeMap<i64, (usize, i64, Option<&'static str>)>,
    ready: usize,
    added: usize,
    taken: usize,
    /// Batteries that are with somebody.
    collected: BTreeSet<i64>,
}

impl Book {
    /// The next step, by chance.
    fn step(&self, chance: &mut Chance) -> Step {
        let station = 1 + chance.below(2) as u64;
        let live: Vec<i64> = self
            .bookings
            .iter()
            .filter(|(_, booking)| booking.2.is_none())
            .map(|(id, _)| *id)
            .collect();
        let some = chance.any(&live);
        let owner = some.map_or(JOHN, |id| self.bookings[&id].0);
        let by = json!({ "booking_id": some.unwrap_or(999) });
        let user = chance.of(&USERS);
        let staff = chance.of(&[ADMIN, OLGA]);
        let anybody = chance.of(&[owner, owner, staff, user]);
        let step = |who, call, fields| Step { who, call, fields };
        match chance.below(20) {
            0..=6 => step(user, "stations.book", json!({ "station_id": station })),
            7 => {
                let battery = 1 + chance.below(8) as u64;
                let fields = json!({ "station_id": station, "battery_id": battery });
                step(user, "stations.book", fields)
            }
            8 | 9 => step(staff, "bookings.ready", by),
            10..=12 => step(anybody, "bookings.collect", by),
            13 | 14 => step(anybody, "bookings.cancel", by),
            15 | 16 => {
                // A new one, or one that comes back.
                let mut fields = json!({ "station_id": station, "name": "New", "model": "X" });
                let away: Vec<i64> = self.collected.iter().copied().collect();
                if let Some(battery) = chance.any(&away).filter(|_| chance.below(3) > 0) {
                    fields["battery_id"] = battery.into();
                }
                step(staff, "batteries.add", fields)
            }
            17 => {
                let battery = 1 + chance.below(12) as u64;
                let fields = json!({ "station_id": station, "battery_id": battery });
                step(staff, "batteries.remove", fields)
            }
            18 => {
                let name = ["Downtown Station", "Uptown"][chance.below(2)];
                step(ADMIN, "stations.change", json!({ "station_id": 1, "name": name }))
            }
            _ => {
                let to = chance.of(&["online", "online", "offline", "maintenance"]);
                let fields = json!({ "station_id": station, "status": to });
                step(staff, "stations.change", fields)
            }
        }
    }

    /// Enters what a step was answered. Of those that were asked for at the same time nobody knows in which order they
    /// were done: then what one finds may be the work of another that is entered later.
    #[track_caller]
    fn enter(&mut self, house: &House, step: &Step, answer: &str, is_alone: bool) {
        let answer = match result(answer) {
            Ok(answer) => serde_json::from_str::<Value>(&answer).expect("it is JSON"),
            Err(Refused { words, .. }) => {
                let known = [
                    " is not available",
                    "no battery is available",
                    " takes no bookings now",
                    "booking ",
                    "not found",
                    "is at a station already",
                ];
                assert!(known.iter().any(|some| words.contains(some)), "{step:?}: {words}");
                return;
            }
        };
        let booking = step.fields["booking_id"].as_i64().unwrap_or_default();
        let mut ends = |how| {
            let entry = self.bookings.get_mut(&booking).expect("it was booked");
            assert_eq!(entry.2, None, "{step:?} ends what has ended");
            entry.2 = Some(how);
        };
        match step.call {
            "stations.book" => {
                let battery = answer["battery_id"].as_i64().expect("a number");
                // Nobody else holds it, whatever was heard of them.
                for (id, other) in &self.bookings {
                    if other.1 == battery && other.2.is_none() {
                        let shown = house.admins("GET", &format!("/api/bookings/{id}")).expect(200);
                        let is_over = shown["status"] == "expired"
                            || shown["status"] == "cancelled"
                            || !is_alone && shown["status"] == "collected";
                        assert!(is_over, "{answer} beside {shown}");
                    }
                }
                let is_away = is_alone && self.collected.contains(&battery);
                assert!(!is_away, "{answer}: it is with somebody");
                let new = self.bookings.insert(number(&answer), (step.who, battery, None));
                assert_eq!(new, None, "{answer}");
            }
            "bookings.ready" => self.ready += 1,
            "bookings.collect" => {
                ends("collected");
                self.taken += 1;
                self.collected.insert(answer["battery_id"].as_i64().expect("a number"));
            }
            "bookings.cancel" => ends("cancelled"),
            "batteries.add" => {
                self.added += 1;
                self.collected.remove(&number(&answer));
            }
            _ => {}
        }
    }
}

/// Somebody who listens, comes and goes.
struct Watcher {
    form: Form,
    user: Option<usize>,
    line: Option<Line>,
    before: Option<Line>,
    heard: Vec<Told>,
}

impl Watcher {
    fn new(house: &House, form: Form, user: Option<usize>) -> Watcher {
        let mut watcher = Watcher { form, user, line: None, before: None, heard: Vec::new() };
        watcher.comes(house);
        watcher
    }

    #[track_caller]
    fn comes(&mut self, house: &House) {
        let token = self.user.map(|user| house.token(user));
        let name = self.user.map_or("a guest", |user| PEOPLE[user].0);
        let before = self.before.take();
        self.line = Some(Line::recovered(house, token, self.form, name, before.as_ref()));
    }

    /// It is cut off, with whatever it has not read.
    fn goes(&mut self) {
        if let Some(mut line) = self.line.take() {
            self.heard.extend(line.taken());
            self.before = Some(line);
        }
    }

    /// It reads all there is, or goes, or comes.
    #[track_caller]
    fn does_something(&mut self, house: &House, chance: &mut Chance) {
        match (&mut self.line, chance.below(4)) {
            (Some(line), 0..=1) => self.heard.extend(line.told()),
            (Some(_), 2) => self.goes(),
            (None, 0..=1) => self.comes(house),
            _ => {}
        }
    }

    /// It reads to the end.
    #[track_caller]
    fn ends(&mut self, house: &House) -> Vec<Told> {
        if self.line.is_none() {
            self.comes(house);
        }
        let told = self.line.as_mut().expect("it is there").told();
        self.heard.extend(told);
        std::mem::take(&mut self.heard)
    }
}

/// Connections by which steps are done, by who does them.
fn lines(house: &House) -> BTreeMap<usize, Line> {
    let everybody = USERS.into_iter().chain([ADMIN]);
    let open = |who: usize| {
        let token = if who == ADMIN { &house.admin } else { house.token(who) };
        let form = if who.is_multiple_of(2) { DEAF } else { super::line::TWO };
        (who, Line::open(house, Some(token), form, "who does it"))
    };
    everybody.map(open).collect()
}

fn keyed(step: &Step, key: u64) -> Value {
    let mut fields = step.fields.clone();
    fields["idempotency_key"] = format!("key {key}").into();
    fields
}

/// A life of the server: steps, then some whose answers are lost when it is killed; they are asked for again.
fn life(
    house: House,
    chance: &mut Chance,
    book: &mut Book,
    watchers: &mut [Watcher],
    key: &mut u64,
) -> House {
    let mut who = lines(&house);
    let waits = chance.below(STEPS);
    for turn in 0..STEPS {
        if turn == waits {
            is_over(&house);
        }
        let step = book.step(chance);
        *key += 1;
        let line = who.get_mut(&step.who).expect("they have one");
        let answer = line.asks(step.call, &keyed(&step, *key));
        book.enter(&house, &step, &answer, true);
        if chance.below(3) == 0 {
            let n = chance.below(watchers.len());
            watchers[n].does_something(&house, chance);
        }
    }
    let steps: Vec<(Step, u64)> = (0..BURST)
        .map(|_| {
            *key += 1;
            (book.step(chance), *key)
        })
        .collect();
    let answered = chance.below(BURST);
    let mut asked = Vec::new();
    for (step, key) in &steps {
        let line = who.get_mut(&step.who).expect("they have one");
        asked.push((step.who, line.begins(step.call, &keyed(step, *key))));
    }
    for (by, number) in &asked[..answered] {
        who.get_mut(by).expect("they have one").answer(*number);
    }
    watchers.iter_mut().for_each(Watcher::goes);
    let house = house.killed();
    let mut who = lines(&house);
    for (step, key) in &steps {
        let line = who.get_mut(&step.who).expect("they have one");
        let answer = line.asks(step.call, &keyed(step, *key));
        book.enter(&house, step, &answer, false);
    }
    let at_stations = [1, 2].map(|station| {
        let path = format!("/api/stations/{station}/batteries?limit=1000");
        house.admins("GET", &path).expect(200)["items"].clone()
    });
    let there = at_stations.iter().filter_map(Value::as_array).flatten();
    let there: BTreeSet<i64> = there.map(number).collect();
    book.collected.retain(|battery| !there.contains(battery));
    house
}

/// Waits until every hold is over.
#[track_caller]
fn is_over(house: &House) {
    until("every hold is over", || {
        house.bookings("confirmed").is_empty() && house.bookings("ready").is_empty()
    });
}

/// What all are told from the beginning on.
fn log(house: &House, start: &Line, user: Option<usize>) -> Vec<Told> {
    let token = user.map(|user| house.token(user));
    Line::recovered(house, token, start.form, "from the beginning", Some(start)).told()
}

fn is_of(told: &Told, station: u64) -> bool {
    told.text.contains(&format!(r#""station_id":{station},"#))
}

#[track_caller]
fn check(seed: u64) {
    println!("{SEED}={seed}");
    let mut chance = Chance(seed);
    let mut house = House::with(&[("STATIONS__HOLD", "1s")], [5, 3]);
    let begins = Tally::of(&house);
    let starts = [(ALL, None), (ALL, Some(OLGA)), (INBOX, Some(JOHN))].map(|(form, user)| {
        let token = user.map(|user| house.token(user));
        (Line::recovered(&house, token, form, "from the beginning", None), user)
    });
    let mut watchers = [
        (ALL, None),
        (ONE, None),
        (SPACE, None),
        (Form::Space(Over::Polling, Some(&["station/2"])), None),
        (Form::Root(Over::Socket, &["stations"]), Some(JANE)),
        (ALL, Some(OLGA)),
        (INBOX, Some(JOHN)),
    ]
    .map(|(form, user)| Watcher::new(&house, form, user));
    let (mut book, mut key) = (Book::default(), 0);
    for _ in 0..LIVES {
        house = life(house, &mut chance, &mut book, &mut watchers, &mut key);
    }
    is_over(&house);
    let [public, staff, inbox] = starts.each_ref().map(|(start, user)| log(&house, start, *user));
    for (n, watcher) in watchers.iter_mut().enumerate() {
        let heard = watcher.ends(&house);
        let expected: Vec<&Told> = match n {
            1 => public.iter().filter(|told| is_of(told, 1)).collect(),
            3 => public.iter().filter(|told| is_of(told, 2)).collect(),
            5 => staff.iter().collect(),
            6 => inbox.iter().collect(),
            _ => public.iter().collect(),
        };
        assert_eq!(heard.iter().collect::<Vec<_>>(), expected, "{:?} {seed}", watcher.form);
    }
    balances(&house, begins, &book, &public, &staff);
    inboxes(&house, &inbox);
}

/// The log follows, comes to what there is, and is what the answers say.
#[track_caller]
fn balances(house: &House, begins: Tally, book: &Book, public: &[Told], staff: &[Told]) {
    let mut tally = begins;
    tally.hears(public);
    tally.balances(house);
    let masked = |told: &Told| match told.text.split_once(r#""user":""#) {
        None => told.text.clone(),
        Some((before, rest)) => {
            let (user, after) = rest.split_once('"').expect("a text ends");
            let first = user.chars().next().expect("it is not empty");
            let domain = user.split_once('@').map_or(String::new(), |(_, of)| format!("@{of}"));
            format!(r#"{before}"user":"{first}***{domain}"{after}"#)
        }
    };
    assert!(staff.iter().map(masked).eq(public.iter().map(|told| told.text.clone())));
    let count = |event: &str| *tally.heard.get(event).unwrap_or(&0);
    assert_eq!(count("battery_booked"), book.bookings.len());
    assert_eq!(count("battery_collected"), book.taken);
    assert_eq!(count("battery_added"), book.added);
    // Each booking is what it was answered to be, or let go of by the server.
    for (id, (user, battery, end)) in &book.bookings {
        let shown = house.admins("GET", &format!("/api/bookings/{id}")).expect(200);
        assert_eq!(
            (&shown["user_id"], &shown["battery_id"]),
            (&json!(user.to_string()), &json!(battery))
        );
        let became = shown["status"].as_str().expect("it has one");
        let is_right = end.map_or(matches!(became, "expired" | "cancelled"), |end| end == became);
        assert!(is_right, "{shown}, and not {end:?}");
    }
    let all: usize =
        ["collected", "cancelled", "expired"].map(|s| house.bookings(s).len()).iter().sum();
    assert_eq!(all, book.bookings.len());
    let kept = |kind: &str| -> usize {
        let of = |user| house.inbox(user).iter().filter(|item| item["type"] == kind).count();
        USERS.map(of).iter().sum()
    };
    let became = |status: &str| house.bookings(status).len();
    assert_eq!(kept("booking_confirmed"), book.bookings.len());
    assert_eq!(kept("booking_ready"), book.ready);
    assert_eq!(kept("booking_expired"), became("expired"));
    assert_eq!(kept("booking_cancelled"), became("cancelled"));
    // The usual seeds show all of it; not every other one does.
    let ends = ["expired", "collected", "cancelled"].map(became);
    let is_usual = std::env::var(SEED).is_err();
    assert!(
        !is_usual || ends.iter().all(|count| *count > 0),
        "a seed that shows more, please: {ends:?}"
    );
}

/// What john was told is what is kept.
#[track_caller]
fn inboxes(house: &House, told: &[Told]) {
    let kept = house.inbox(JOHN);
    assert_eq!(kept.len(), told.len());
    for (item, told) in kept.iter().zip(told) {
        let message = item["message"].to_string();
        assert!(told.text.contains(&format!(r#""message":{message}"#)), "{item}: {told:?}");
        assert_eq!(item["timestamp"], *told.time);
    }
}

#[test]
fn every_watcher_is_told_the_log() {
    seeds(SEED, SEEDS).for_each(check);
}
