//! The same key again: one booking, and the same answer; a key that stands for something else is refused. Answers that
//! were lost, by the hundred, and over a crash.

use std::{collections::BTreeMap, io::Write as _};

use serde_json::{Value, json};

use super::{
    Caller, House, JANE, JOHN, Line, OLGA, UENAL, Via,
    caller::{request, result},
    frames::{booked, collected, confirmed, inventory},
    line::{ALL, DEAF, INBOX, timeless},
    number,
};
use crate::harness::{frame, text};

const CONFLICT: (u16, &str) = (409, "CONFLICT");
const OTHER: &str = "conflict: this idempotency_key stood for another request";

fn keyed(key: &str, more: Value) -> Value {
    let mut fields = json!({ "idempotency_key": key });
    fields.as_object_mut().expect("it is one").extend(more.as_object().expect("so").clone());
    fields
}

#[test]
fn the_same_key_is_the_same_booking() {
    for first in Via::ALL {
        let house = House::new([4, 2]);
        let mut watcher = house.watches(ALL);
        let mut inbox = house.line(JOHN, INBOX);
        let key = |key: &str, station: usize| keyed(key, json!({ "station_id": station }));
        let made =
            house.caller(JOHN, first).asks("stations.book", key("k", 1)).expect("it is done");
        // Whatever way it comes again.
        for again in Via::ALL {
            let said = house.caller(JOHN, again).asks("stations.book", key("k", 1));
            assert_eq!(said.as_ref(), Ok(&made), "{first:?} {again:?}");
            // Another request under that key is none.
            let mut john = house.caller(JOHN, again);
            john.refused("stations.book", key("k", 2), CONFLICT, OTHER);
            let with = keyed("k", json!({ "station_id": 1, "battery_id": 1 }));
            john.refused("stations.book", with, CONFLICT, OTHER);
        }
        assert_eq!(watcher.texts().len(), 2);
        assert_eq!(inbox.texts(), [confirmed(1, 1)]);
        assert_eq!(house.bookings("confirmed").len(), 1);
        // Another command, and another user, have keys of their own.
        house.caller(JANE, first).does("stations.book", key("k", 2));
        let mut john = house.caller(JOHN, first);
        john.does("bookings.collect", keyed("k", json!({ "booking_id": 1 })));
        assert_eq!(watcher.texts().len(), 4);
        // What has become of it meanwhile does not matter: it is the answer of the time.
        assert_eq!(john.asks("stations.book", key("k", 1)), Ok(made));
        assert_eq!(watcher.texts(), [""; 0]);
    }
}

/// All that changes something takes effect once, also when the retry comes from another session of the same user.
#[test]
fn every_change_takes_effect_once() {
    for via in Via::ALL {
        let house = House::new([3, 1]);
        let mut watcher = house.watches(ALL);
        let mut inbox = house.line(JOHN, INBOX);
        let sessions = [(); 2].map(|()| house.server.token_of("admin", "1", &[]).text);
        let mut admin = Caller::new(&house, Some(&sessions[0]), via);
        let id = |id: i64| json!({ "booking_id": id });
        house.books(JOHN, 1, None);
        house.books(JOHN, 1, None);
        watcher.texts();
        inbox.texts();
        let new = json!({ "station_id": 1, "name": "x", "model": "y" });
        let rows = [
            ("stations.book", json!({ "station_id": 2 }), 2, 0),
            ("bookings.ready", id(1), 0, 1),
            ("bookings.collect", id(1), 2, 0),
            ("bookings.cancel", id(2), 1, 1),
            ("batteries.add", new, 2, 0),
            ("batteries.remove", json!({ "station_id": 1, "battery_id": 2 }), 1, 0),
            ("stations.change", json!({ "station_id": 1, "status": "offline" }), 1, 0),
            ("stations.create", json!({ "name": "New" }), 1, 0),
            ("stations.delete", json!({ "station_id": 3 }), 2, 0),
        ];
        for (n, (call, fields, heard, told)) in rows.into_iter().enumerate() {
            let fields = keyed(&format!("key {n}"), fields);
            let answer = admin.asks(call, fields.clone()).expect("it is done");
            assert_eq!(watcher.texts().len(), heard, "{call}");
            for again in Via::ALL {
                let mut other = Caller::new(&house, Some(&sessions[1]), again);
                let said = other.asks(call, fields.clone());
                assert_eq!(said.as_ref(), Ok(&answer), "{via:?} {again:?} {call}");
            }
            assert_eq!(inbox.texts().len(), told, "{call}");
            assert_eq!(watcher.texts(), [""; 0], "{call}");
        }
    }
}

/// What was refused is not kept: the same key is decided anew.
#[test]
fn a_refusal_is_not_kept() {
    for via in Via::ALL {
        let house = House::new([1, 0]);
        let (mut john, mut jane) = (house.caller(JOHN, via), house.caller(JANE, via));
        let fields = keyed("k", json!({ "station_id": 1 }));
        jane.does("stations.book", fields.clone());
        let words = "no battery is available at Downtown Station";
        for _ in 0..2 {
            john.refused("stations.book", fields.clone(), CONFLICT, words);
        }
        jane.does("bookings.cancel", json!({ "booking_id": 1 }));
        let made = john.does("stations.book", fields.clone());
        assert_eq!(john.does("stations.book", fields), made);
        assert_eq!(house.counts(1), (0, 1));
        for key in [json!(""), json!("x".repeat(129)), json!(7), json!(null)] {
            if via == Via::Rest && !key.is_string() {
                continue;
            }
            let fields = json!({ "station_id": 1, "idempotency_key": key });
            john.refusal("stations.book", fields, (422, "INVALID"));
        }
    }
}

/// Where the answer to a booking is lost.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// The connection is reset as soon as all was sent.
    Reset,
    /// It is closed in order, with a close frame behind.
    Closed,
}

/// Sends these bookings on a connection of their own, and cuts it at once.
fn cut(house: &House, user: usize, via: Via, keys: &[String], lost: Lost) {
    let fields = |key: &String| keyed(key, json!({ "station_id": 1 }));
    let token = house.token(user);
    match via {
        Via::Rest => {
            let mut stream = house.server.dial("").tcp();
            let all =
                keys.iter().map(|key| request("stations.book", &mut fields(key), Some(token)));
            let _ = stream.write_all(&all.collect::<Vec<_>>().concat());
            if matches!(lost, Lost::Reset) {
                let socket = socket2::SockRef::from(&stream);
                socket.set_linger(Some(std::time::Duration::ZERO)).expect("a socket takes options");
            }
        }
        Via::Plain => {
            let mut client = house.server.dial("/ws/stations/2/").bearer(token).open();
            let mut bytes = Vec::new();
            for key in keys {
                let fields = fields(key).to_string();
                bytes.extend(text(&format!(r#"{{"type":"stations.book",{}"#, &fields[1..])));
            }
            if matches!(lost, Lost::Closed) {
                let code = 1000_u16.to_be_bytes();
                bytes.extend(frame(bellwire_wire::frame::Opcode::Close, &code));
            }
            client.send_bytes(&bytes);
        }
        Via::SocketIo => {
            let mut session = house.server.socket_io().open(crate::harness::Over::Socket);
            session.enter("/stations", &json!({ "token": token, "topics": [] }));
            let mut packets: Vec<String> = (1..)
                .zip(keys)
                .map(|(n, key)| format!(r#"42/stations,{n}["stations.book",{}]"#, fields(key)))
                .collect();
            if matches!(lost, Lost::Closed) {
                packets.push("41/stations,".to_owned());
            }
            session.send_all(&packets);
        }
    }
}

/// Two hundred bookings whose answers nobody reads, sent again until each is answered; in one life of the server, and
/// over its death.
#[test]
fn answers_that_are_lost() {
    const BOOKINGS: usize = 200;
    for is_killed in [false, true] {
        let many = BOOKINGS.to_string();
        let settings = [("STATIONS__BOOKINGS_PER_USER", many.as_str())];
        let mut house = House::with(&settings, [BOOKINGS + 10, 1]);
        let mut watcher = Line::recovered(&house, None, ALL, "a guest", None);
        let keys: Vec<String> = (0..BOOKINGS).map(|n| format!("key {n}")).collect();
        let user = |n: usize| [JOHN, JANE, OLGA, UENAL][n % 4];
        for round in 0..3 {
            for (n, some) in keys.chunks(5).enumerate() {
                let via = Via::ALL[(n + round) % 3];
                let lost = [Lost::Reset, Lost::Closed][(n / 3 + round) % 2];
                cut(&house, user(n), via, some, lost);
            }
            if is_killed {
                house = house.killed();
                watcher = Line::recovered(&house, None, ALL, "a guest", Some(&watcher));
            }
        }
        // Until each is answered, all at once.
        let mut lines = [JOHN, JANE, OLGA, UENAL].map(|user| (user, house.line(user, DEAF)));
        let mut made: BTreeMap<i64, Value> = BTreeMap::new();
        for (n, some) in keys.chunks(5).enumerate() {
            let line = lines.iter_mut().find(|line| line.0 == user(n)).map(|line| &mut line.1);
            let line = line.expect("they have one");
            for key in some {
                let answer = line.asks("stations.book", &keyed(key, json!({ "station_id": 1 })));
                let answer = result(&answer).expect("it is done");
                let booking: Value = serde_json::from_str(&answer).expect("it is JSON");
                assert_eq!(booking["user_id"], user(n).to_string());
                assert!(made.insert(number(&booking), booking).is_none(), "{answer} twice");
            }
        }
        assert_eq!(made.len(), BOOKINGS);
        let mut batteries: Vec<i64> =
            made.values().map(|b| b["battery_id"].as_i64().expect("a number")).collect();
        batteries.sort_unstable();
        batteries.dedup();
        assert_eq!(batteries, (1..=BOOKINGS as i64).collect::<Vec<_>>());
        assert_eq!(house.counts(1), (10, BOOKINGS as i64));
        assert_eq!(house.bookings("confirmed").len(), BOOKINGS);
        // Each was told once, to the watcher and to its user.
        let told = watcher.texts();
        let count = |what: &str| told.iter().filter(|text| text.starts_with(what)).count();
        assert_eq!((count("battery_booked "), count("inventory_update ")), (BOOKINGS, BOOKINGS));
        let confirmed: usize = lines.iter().map(|(user, _)| house.inbox(*user).len()).sum();
        assert_eq!(confirmed, BOOKINGS);
    }
}

/// An answer that is given again is told to nobody else, and one's own stream hears of the first alone.
#[test]
fn a_repeat_on_ones_own_stream() {
    let house = House::new([2, 1]);
    let mut john = house.line(JOHN, ALL);
    let fields = keyed("k", json!({ "station_id": 1 }));
    let first = john.asks("stations.book", &fields);
    for _ in 0..3 {
        assert_eq!(john.asks("stations.book", &fields), first);
    }
    let told = [booked(1, 1, (1, 1), "u***@example.com"), inventory(1, (1, 1), "book")];
    assert_eq!(john.texts(), told);
    let fields = keyed("k", json!({ "booking_id": 1 }));
    let first = john.asks("bookings.collect", &fields);
    assert_eq!(timeless(&john.asks("bookings.collect", &fields)).0, timeless(&first).0);
    assert_eq!(john.texts(), [collected(1, 1, (1, 0)), inventory(1, (1, 0), "collect")]);
}
