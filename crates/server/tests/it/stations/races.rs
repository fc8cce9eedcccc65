//! Promise 14: no battery is booked twice, whoever asks at once, and what is available and what is booked are all there
//! are in every frame. And what else happens at once: of two decisions that cannot both be, one is.

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    House, JANE, JOHN, Line, OLGA, Refused, UENAL, Via,
    caller::{request, result},
    line::{ALL, DEAF, Form, ONE, SPACE, TWO, UNDONE},
    number,
    tally::Tally,
};
use crate::harness::{Dial, Over, read_response};

const USERS: [usize; 4] = [JOHN, JANE, OLGA, UENAL];
/// After so many refusals a connection is given up.
const REFUSALS: usize = 110;
const NONE_LEFT: &str = "no battery is available at Downtown Station";

/// A connection that sends a call and does not wait for what is answered.
struct Bidder {
    n: usize,
    user: usize,
    way: Way,
    /// How often it was refused.
    refused: usize,
}

enum Way {
    /// Made when there is something to ask: who says nothing for ten seconds is cut off.
    Rest(Option<TcpStream>, Dial, String),
    Line(Box<Line>, u64),
}

impl Bidder {
    /// The `n`th, in each way and of each user.
    fn new(house: &House, n: usize) -> Bidder {
        let user = USERS[n % 4];
        let line = |form| Way::Line(Box::new(house.line(user, form)), 0);
        let way = match n / 4 % 4 {
            0 => Way::Rest(None, house.server.dial(""), house.token(user).to_owned()),
            1 => line(TWO),
            2 => line(DEAF),
            _ => line(Form::Root(Over::Socket, &["station/2"])),
        };
        Bidder { n, user, way, refused: 0 }
    }

    /// Another takes its place, before it was refused so often that it is answered once a second at most.
    fn renewed(&mut self, house: &House) {
        if self.refused >= REFUSALS {
            *self = Bidder::new(house, self.n);
        }
    }

    fn begins(&mut self, call: &str, mut fields: Value) {
        match &mut self.way {
            Way::Rest(stream, dial, token) => {
                let request = request(call, &mut fields, Some(token));
                let stream = stream.get_or_insert_with(|| dial.tcp());
                stream.write_all(&request).expect("the server takes it");
            }
            Way::Line(line, asked) => *asked = line.begins(call, &fields),
        }
    }

    fn ends(&mut self) -> Result<Value, Refused> {
        let answer = match &mut self.way {
            Way::Rest(stream, ..) => {
                let stream = stream.as_mut().expect("it asked");
                let (response, behind) = read_response(stream);
                assert!(behind.is_empty());
                match response.status {
                    200..=299 => Ok(response.body),
                    status => {
                        let problem = response.json();
                        let text = |key: &str| problem[key].as_str().expect("a text").to_owned();
                        Err(Refused { code: Some((status, text("code"))), words: text("detail") })
                    }
                }
            }
            Way::Line(line, asked) => result(&line.answer(*asked)),
        };
        self.refused += usize::from(answer.is_err());
        let json = |text: &str| serde_json::from_str(text).expect("an answer is JSON");
        answer.map(|text| if text.is_empty() { Value::Null } else { json(&text) })
    }
}

/// Watchers of all and of station 1, in both dialects, with a tally each.
struct Watchers(Vec<(Line, Tally)>);

impl Watchers {
    fn of(house: &House) -> Watchers {
        let tally = Tally::of(house);
        let open = |form: Form| {
            let line = Line::recovered(house, None, form, "a guest", None);
            let tally = tally.clone();
            (line, if form == ONE { tally.only(1) } else { tally })
        };
        Watchers([ALL, ONE, SPACE].map(open).into())
    }

    /// They take in so many frames, each.
    #[track_caller]
    fn hear(&mut self, count: usize) {
        for (line, tally) in &mut self.0 {
            (0..count).for_each(|_| tally.hear(&line.event()));
        }
    }

    /// They take in all that came.
    #[track_caller]
    fn hear_all(&mut self) {
        for (line, tally) in &mut self.0 {
            tally.hears(&line.told());
        }
    }

    /// They heard nothing else, and know what there is.
    #[track_caller]
    fn balance(&mut self, house: &House) {
        self.hear_all();
        self.0.iter().for_each(|(_, tally)| tally.balances(house));
    }

    /// How many frames of a kind each heard.
    #[track_caller]
    fn count(&self, event: &str) -> usize {
        let counts: BTreeSet<usize> =
            self.0.iter().map(|(_, tally)| *tally.heard.get(event).unwrap_or(&0)).collect();
        assert_eq!(counts.len(), 1, "{event}: {counts:?}");
        counts.into_iter().next().expect("there is one")
    }
}

/// 32 clients, the last battery, 1,000 rounds: in each round all ask before anybody is answered.
#[test]
fn the_last_battery_is_booked_once() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 1_000;
    let house = House::new([1, 0]);
    let mut bidders: Vec<Bidder> = (0..CLIENTS).map(|n| Bidder::new(&house, n)).collect();
    let mut watchers = Watchers::of(&house);
    let mut admin = house.rules(Via::Rest);
    let mut owners = USERS.map(|user| house.caller(user, Via::Rest));
    let (mut won, mut collected) = (vec![0; CLIENTS], 0);
    let began = Instant::now();
    for round in 0..ROUNDS {
        let order = || (0..CLIENTS).map(|n| (n * 5 + round * 7) % CLIENTS);
        for n in order() {
            let mut fields = json!({ "station_id": 1 });
            if (n + round) % 3 == 0 {
                fields["battery_id"] = 1.into();
            }
            bidders[n].renewed(&house);
            bidders[n].begins("stations.book", fields);
        }
        let mut winner = None;
        for n in order() {
            match bidders[n].ends() {
                Ok(booking) => {
                    assert_eq!(winner, None, "round {round}: {booking}");
                    assert_eq!(
                        (&booking["battery_id"], &booking["user_id"]),
                        (&json!(1), &json!(bidders[n].user.to_string()))
                    );
                    winner = Some((n, number(&booking)));
                }
                Err(Refused { code, words }) => {
                    let is_conflict = code.is_none_or(|code| code == (409, "CONFLICT".to_owned()));
                    assert!(is_conflict || words == UNDONE, "{words}");
                    let is_right =
                        [NONE_LEFT, "battery 1 is not available", UNDONE].contains(&words.as_str());
                    assert!(is_right, "round {round}: {words}");
                }
            }
        }
        let (n, booking) = winner.unwrap_or_else(|| panic!("round {round}: nobody"));
        won[n] += 1;
        watchers.hear(2);
        if round % 100 == 99 {
            // Who says nothing for a minute is taken for dead.
            watchers.hear_all();
        }
        // It is there again for the next round.
        if round % 50 == 49 {
            collected += 1;
            owners[n % 4].does("bookings.collect", json!({ "booking_id": booking }));
            admin.does("batteries.add", json!({ "station_id": 1, "battery_id": 1 }));
            watchers.hear(4);
        } else {
            owners[n % 4].does("bookings.cancel", json!({ "booking_id": booking }));
            watchers.hear(1);
        }
    }
    println!("{ROUNDS} rounds of {CLIENTS} in {:?}", began.elapsed());
    watchers.balance(&house);
    assert_eq!(watchers.count("battery_booked"), ROUNDS);
    assert_eq!(house.bookings("cancelled").len(), ROUNDS - collected);
    assert_eq!(house.bookings("collected").len(), collected);
    assert_eq!(house.counts(1), (1, 0));
    assert!(won.iter().filter(|times| **times > 0).count() > 4, "{won:?}");
    let told: usize = USERS.iter().map(|user| house.inbox(*user).len()).sum();
    assert_eq!(told, ROUNDS + ROUNDS - collected);
}

/// A thousand ask for fifteen batteries, 20 on each of 50 connections: fifteen have one.
#[test]
fn fifteen_are_booked_by_fifteen() {
    const LINES: usize = 50;
    const EACH: usize = 20;
    // As many as a connection has refusals for.
    const ROUNDS: usize = 6;
    const BATTERIES: i64 = 15;
    let house = House::with(&[("STATIONS__BOOKINGS_PER_USER", "10000")], [15, 0]);
    let mut lines: Vec<Line> =
        (0..LINES).map(|n| house.line(USERS[n % 4], [DEAF, TWO][n / 4 % 2])).collect();
    let mut watchers = Watchers::of(&house);
    let began = Instant::now();
    for round in 0..ROUNDS {
        let mut asked = Vec::new();
        for n in 0..EACH {
            for (at, line) in lines.iter_mut().enumerate() {
                let mut fields = json!({ "station_id": 1 });
                if (n + at) % 2 == 0 {
                    fields["battery_id"] = ((n * 7 + at * 3 + round) % 17 + 1).into();
                }
                asked.push((at, line.begins("stations.book", &fields)));
            }
        }
        let (mut bookings, mut batteries) = (BTreeSet::new(), BTreeSet::new());
        for (at, number_) in asked {
            match result(&lines[at].answer(number_)) {
                Ok(text) => {
                    let booking: Value = serde_json::from_str(&text).expect("it is JSON");
                    let battery = booking["battery_id"].as_i64().expect("a number");
                    assert!(batteries.insert(battery), "battery {battery} is booked twice");
                    assert!(bookings.insert(number(&booking)));
                }
                Err(Refused { words, .. }) => assert!(
                    words == NONE_LEFT
                        || words == UNDONE
                        || words.starts_with("battery ") && words.ends_with(" is not available")
                        || words.starts_with("Battery not found: 1"),
                    "{words}"
                ),
            }
        }
        assert_eq!(batteries, (1..=BATTERIES).collect(), "round {round}");
        assert_eq!(house.counts(1), (0, BATTERIES));
        let live: BTreeSet<i64> = house.bookings("confirmed").iter().map(number).collect();
        assert_eq!(live, bookings);
        watchers.hear(2 * BATTERIES as usize);
        let to = ["offline", "maintenance"][round % 2];
        for status in [to, "online"] {
            let change = json!({ "status": status });
            house.admins("PATCH", "/api/stations/1").json(&change).expect(200);
        }
        watchers.hear(3);
    }
    println!("{ROUNDS} rounds of {} in {:?}", LINES * EACH, began.elapsed());
    watchers.balance(&house);
    assert_eq!(watchers.count("battery_booked"), ROUNDS * BATTERIES as usize);
}

/// What two do at once.
type Deed = (usize, &'static str, Value);

/// Does both at once, on two connections; gives what became of them.
fn at_once(house: &House, vias: [Via; 2], deeds: [Deed; 2]) -> [Result<(), String>; 2] {
    let mut callers = [0, 1].map(|n| house.caller(deeds[n].0, vias[n]));
    let [one, two] = &mut callers;
    let ask = |caller: &mut super::Caller, deed: &Deed| {
        caller.asks(deed.1, deed.2.clone()).map(drop).map_err(|refused| refused.words)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(one, &deeds[0]));
        let second = ask(two, &deeds[1]);
        [first.join().expect("it is answered"), second]
    })
}

#[test]
fn of_two_at_once_one_wins() {
    const ROUNDS: i64 = 24;
    let house = House::new([1, 1]);
    let mut watchers = Watchers::of(&house);
    let mut booked = 0;
    for round in 0..ROUNDS {
        let vias = [Via::ALL[round as usize % 3], Via::ALL[(round / 3) as usize % 3]];
        booked += 1;
        house.books(JOHN, 1, Some(1));
        let by = json!({ "booking_id": booked });
        let deed = |user, call| (user, call, by.clone());
        let deeds = match round % 3 {
            0 => [deed(JOHN, "bookings.collect"), deed(OLGA, "bookings.collect")],
            1 => [deed(JOHN, "bookings.cancel"), deed(OLGA, "bookings.collect")],
            _ => [deed(OLGA, "bookings.cancel"), deed(JOHN, "bookings.cancel")],
        };
        let done = at_once(&house, vias, deeds);
        let status = house.admins("GET", &format!("/api/bookings/{booked}")).expect(200)["status"]
            .as_str()
            .expect("it has one")
            .to_owned();
        let refused: Vec<&String> = done.iter().filter_map(|d| d.as_ref().err()).collect();
        assert_eq!(refused, [&format!("booking {booked} is {status}")], "{done:?}");
        if status == "collected" {
            // It comes back once, to one of two.
            let add = |station: usize| {
                house.admins("POST", &format!("/api/stations/{station}/batteries"))
            };
            let statuses: Vec<u16> = thread::scope(|scope| {
                let both = [1, 2].map(|station| {
                    let ask = add(station).json(&json!({ "battery_id": 1 }));
                    scope.spawn(move || ask.send().status)
                });
                both.into_iter().map(|one| one.join().expect("it is answered")).collect()
            });
            let elsewhere = statuses == [409, 201];
            assert!(elsewhere || statuses == [201, 409], "{statuses:?}");
            if elsewhere {
                house.books(JANE, 2, Some(1));
                booked += 1;
                let path = format!("/api/bookings/{booked}/collect");
                house.admins("POST", &path).expect(200);
                add(1).json(&json!({ "battery_id": 1 })).expect(201);
            }
        }
        assert_eq!(house.counts(1), (1, 0));
    }
    for (line, tally) in &mut watchers.0 {
        tally.hears(&line.told());
        tally.balances(&house);
    }
}

/// Booking beside what takes batteries and stations away: both are done in some order, or the booking is refused.
#[test]
fn booking_beside_what_goes() {
    const ROUNDS: usize = 24;
    let house = House::new([1, 1]);
    let mut watchers = Watchers::of(&house);
    let mut refusals = BTreeSet::new();
    for round in 0..ROUNDS {
        let station = round as i64 + 3;
        let made = house.admins("POST", "/api/stations").json(&json!({ "name": "Short-lived" }));
        assert_eq!(made.expect(201)["id"], station);
        let body = json!({ "battery_id": 1_000 + round, "name": "x", "model": "y" });
        let path = format!("/api/stations/{station}/batteries");
        house.admins("POST", &path).json(&body).expect(201);
        let book = json!({ "station_id": station });
        let battery = json!({ "station_id": station, "battery_id": 1_000 + round });
        let off = json!({ "station_id": station, "status": "offline" });
        let other: Deed = match round % 3 {
            0 => (OLGA, "batteries.remove", battery),
            1 => (OLGA, "stations.change", off),
            _ => {
                (OLGA, "stations.change", json!({ "station_id": station, "status": "maintenance" }))
            }
        };
        let vias = [Via::ALL[round % 3], Via::ALL[round / 3 % 3]];
        let [books, goes] = at_once(&house, vias, [(JOHN, "stations.book", book), other]);
        match (&books, &goes) {
            (Ok(()), Ok(())) => assert!(round % 3 > 0, "a battery that is held does not go"),
            (Ok(()), Err(words)) => {
                assert_eq!(*words, format!("battery {} is not available", 1_000 + round));
            }
            (Err(words), Ok(())) => drop(refusals.insert(words.clone())),
            (Err(one), Err(other)) => panic!("{one}, {other}"),
        }
        let live = house.bookings("confirmed");
        if round % 3 > 0 {
            assert_eq!(live.len(), 0, "{live:?}");
        } else {
            live.iter().for_each(|booking| {
                house.admins("DELETE", &format!("/api/bookings/{}", booking["id"])).expect(204);
            });
        }
        house.admins("DELETE", &format!("/api/stations/{station}")).expect(204);
    }
    let known = [
        "no battery is available at Short-lived",
        "Short-lived takes no bookings now: it is offline",
        "Short-lived takes no bookings now: it is under maintenance",
    ];
    assert!(refusals.iter().all(|words| known.contains(&words.as_str())), "{refusals:?}");
    watchers.0.remove(1);
    watchers.balance(&house);
}

/// Many book, cancel and collect at once at two stations as fast as they can; who watches sees no frame that does not
/// follow from the one before.
#[test]
fn every_frame_follows_while_many_are_at_work() {
    const EACH: usize = 120;
    let house = House::new([6, 3]);
    let mut watchers = Watchers::of(&house);
    let began = Instant::now();
    thread::scope(|scope| {
        let working: Vec<_> = (0..6)
            .map(|n| {
                let house = &house;
                scope.spawn(move || {
                    let mut caller = house.caller(USERS[n % 4], Via::ALL[n % 3]);
                    let mut staff = house.rules(Via::ALL[n / 2]);
                    for turn in 0..EACH {
                        let station = 1 + usize::from((turn + n) % 3 == 0);
                        let fields = json!({ "station_id": station });
                        let Ok(text) = caller.asks("stations.book", fields) else { continue };
                        let booking: Value = serde_json::from_str(&text).expect("it is JSON");
                        let by = json!({ "booking_id": booking["id"] });
                        if turn % 4 > 0 {
                            caller.does("bookings.cancel", by);
                            continue;
                        }
                        caller.does("bookings.collect", by);
                        let path = format!("/api/stations/{station}/batteries");
                        let body = json!({ "battery_id": booking["battery_id"] });
                        house.admins("POST", &path).json(&body).expect(201);
                        staff.does("stations.get", json!({ "station_id": station }));
                    }
                })
            })
            .collect();
        while working.iter().any(|thread| !thread.is_finished()) {
            watchers.hear_all();
            assert!(began.elapsed() < Duration::from_secs(60), "it takes too long");
        }
    });
    watchers.balance(&house);
    assert_eq!((house.counts(1), house.counts(2)), ((6, 0), (3, 0)));
}
