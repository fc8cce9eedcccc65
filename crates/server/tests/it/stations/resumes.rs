//! What is told to who comes back to a stream of stations, and what a stream shows first; over kill -9 too.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::{
    House, JANE, JOHN, Line, OLGA, Via,
    frames::{booked, collected, inventory, station, status},
    items,
    line::{ALL, Form, ONE, SPACE, TWO, event_of},
    number,
};
use crate::harness::Over;

/// Everything that happens in a house with three batteries and one, and what is told of it to all.
fn happens(house: &House) -> Vec<(usize, String)> {
    house.books(JOHN, 1, None);
    house.books(JANE, 2, None);
    house.admins("POST", "/api/bookings/1/collect").expect(200);
    house.books(JANE, 1, Some(3));
    for to in ["maintenance", "online"] {
        house.admins("PATCH", "/api/stations/1").json(&json!({ "status": to })).expect(200);
    }
    house.admins("DELETE", "/api/bookings/2").expect(204);
    vec![
        (1, booked(1, 1, (2, 1), "u***@example.com")),
        (1, inventory(1, (2, 1), "book")),
        (2, booked(2, 4, (0, 1), "j***@example.com")),
        (2, inventory(2, (0, 1), "book")),
        (1, collected(1, 1, (2, 0))),
        (1, inventory(1, (2, 0), "collect")),
        (1, booked(1, 3, (1, 1), "j***@example.com")),
        (1, inventory(1, (1, 1), "book")),
        (1, status(1, "maintenance")),
        (1, inventory(1, (2, 0), "update")),
        (1, status(1, "online")),
        (2, inventory(2, (1, 0), "update")),
    ]
}

#[test]
fn what_was_missed_is_told_once() {
    const FIRST: Option<&[&str]> = Some(&["station/1"]);
    let forms = [
        (ALL, [1, 2]),
        (ONE, [1, 1]),
        (TWO, [2, 2]),
        (SPACE, [1, 2]),
        (Form::Space(Over::Polling, None), [1, 2]),
        (Form::Space(Over::Socket, FIRST), [1, 1]),
        (Form::Space(Over::Polling, Some(&["station/2"])), [2, 2]),
    ];
    let mut house = House::new([3, 1]);
    let mut lines =
        forms.map(|(form, of)| (Line::recovered(&house, None, form, "a guest", None), of));
    // One hears a part of it before it goes.
    house.admins("PATCH", "/api/stations/2").json(&json!({ "status": "offline" })).expect(200);
    house.admins("PATCH", "/api/stations/2").json(&json!({ "status": "online" })).expect(200);
    for (line, of) in &mut lines {
        let both = [status(2, "offline"), status(2, "online")];
        assert_eq!(line.texts(), if of.contains(&2) { &both[..] } else { &[] });
    }
    let all = happens(&house);
    for round in 0..4 {
        for (line, of) in &mut lines {
            let mut back = Line::recovered(&house, None, line.form, "a guest", Some(line));
            let told = back.texts();
            let mut expected: Vec<String> = Vec::new();
            if round == 0 {
                expected.extend(
                    all.iter().filter(|(at, _)| of.contains(at)).map(|(_, text)| text.clone()),
                );
            }
            assert_eq!(told, expected, "{:?}, {round}", line.form);
            *line = back;
        }
        if round % 2 == 0 {
            house = house.killed();
        }
    }
    // And it goes on.
    house.books(JOHN, 2, None);
    for (line, of) in &mut lines {
        let told = [booked(2, 4, (0, 1), "u***@example.com"), inventory(2, (0, 1), "book")];
        assert_eq!(line.texts(), if of.contains(&2) { &told[..] } else { &[] });
    }
}

/// From each cursor the rest, on a stream of all and on one of a station: a place is good on every stream.
#[test]
fn from_every_place_the_rest() {
    let mut house = House::new([3, 1]);
    let mut first = house.server.dial("/ws/stations/?since=now").open();
    let start = place(&first.text());
    first.text();
    let all = happens(&house);
    let cursors: Vec<String> = all.iter().map(|_| place(&first.text())).collect();
    for is_killed in [false, true] {
        if is_killed {
            house = house.killed();
        }
        for (known, since) in [&start].into_iter().chain(&cursors).enumerate() {
            for (path, of) in [("/ws/stations/", 0), ("/ws/stations/1/", 1), ("/ws/stations/2/", 2)]
            {
                let rest: Vec<&String> = all[known..]
                    .iter()
                    .filter(|(at, _)| of == 0 || *at == of)
                    .map(|(_, text)| text)
                    .collect();
                let mut client = house.server.dial(&format!("{path}?since={since}")).open();
                let resumed = client.text();
                let end = format!(r#","replayed":{}}}"#, rest.len());
                assert!(resumed.ends_with(&end), "{path} from {known}: {resumed}");
                client.text();
                let told: Vec<String> = rest.iter().map(|_| uncursed(&client.text())).collect();
                assert_eq!(told.iter().collect::<Vec<_>>(), rest, "{path} from {known}");
                assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
            }
        }
    }
}

/// The cursor of a frame, by whatever other keys.
#[track_caller]
fn place(frame: &str) -> String {
    let frame: Value = serde_json::from_str(frame).expect("frames are JSON");
    frame["cursor"].as_str().unwrap_or_else(|| panic!("{frame}")).to_owned()
}

/// A plain event with a cursor, without it.
#[track_caller]
fn uncursed(frame: &str) -> String {
    let (before, _) = frame.rsplit_once(r#","cursor":""#).unwrap_or_else(|| panic!("{frame}"));
    event_of(ALL, &format!("{before}}}")).text
}

#[test]
fn places_that_are_none_are_reset() {
    let house = House::new([3, 1]);
    let mut first = house.server.dial("/ws/stations/?since=now").open();
    let now = place(&first.text());
    let (epoch, number) = now.rsplit_once('.').expect("an epoch and a number");
    let future = format!("{epoch}.{}", number.parse::<u64>().expect("a number") + 1_000_000);
    for path in ["/ws/stations/", "/ws/stations/1/"] {
        for (since, reason) in
            [("yesterday", "invalid"), ("0000000000000000.5", "epoch"), (&*future, "future")]
        {
            for snapshot in ["", "&snapshot=1"] {
                let dial = house.server.dial(&format!("{path}?since={since}{snapshot}"));
                let mut client = dial.open();
                let reset = client.text();
                let begin = format!(r#"{{"type":"reset","reason":"{reason}","cursor":""#);
                assert!(reset.starts_with(&begin), "{reset}");
                assert!(client.text().starts_with(r#"{"type":"connection_established""#));
                if !snapshot.is_empty() {
                    assert!(client.text().starts_with(r#"{"type":"stations:snapshot","data":["#));
                }
                let made = house.books(JOHN, 1, None);
                assert!(uncursed(&client.text()).starts_with("battery_booked "));
                client.text();
                let path = format!("/api/bookings/{}", made["id"]);
                house.admins("DELETE", &path).expect(204);
            }
        }
    }
    // Over Socket.IO everything begins anew.
    let mut session = house.server.socket_io().open(Over::Socket);
    let auth = json!({ "recover": true, "pid": "nobody's", "offset": now });
    session.enter("/stations", &auth);
    assert!(session.packet().contains("connection_established"));
}

/// A pid is its principal's: with another credential, or none, it begins anew.
#[test]
fn places_of_others() {
    let house = House::new([2, 1]);
    let staff = Line::recovered(&house, Some(house.token(OLGA)), SPACE, "olga", None);
    house.books(JOHN, 1, None);
    for token in [None, Some(house.token(JANE))] {
        let mut auth = json!({ "recover": true, "pid": staff.pid });
        token.iter().for_each(|token| auth["token"] = (*token).into());
        let mut session = house.server.socket_io().open(Over::Socket);
        let told = session.enter("/stations", &auth);
        assert_ne!(told["pid"].as_str(), staff.pid.as_deref());
        assert!(session.packet().contains("connection_established"));
        let said = session.says(r#"42/stations,1["stations.list",{"limit":1}]"#);
        assert!(said.starts_with("43/stations,1["), "{said}");
    }
    let token = Some(house.token(OLGA));
    let mut back = Line::recovered(&house, token, SPACE, "olga", Some(&staff));
    assert_eq!(back.texts().len(), 2);
}

fn snapshot(stations: &[String]) -> String {
    format!(r#"{{"type":"stations:snapshot","data":[{}]}}"#, stations.join(","))
}

#[test]
fn a_stream_shows_first_what_there_is() {
    let house = House::new([3, 1]);
    house.books(JOHN, 1, None);
    house.admins("PATCH", "/api/stations/2").json(&json!({ "status": "offline" })).expect(200);
    let both = [station(1, "online", (2, 1)), station(2, "offline", (1, 0))];
    for (path, shown) in [
        ("/ws/stations/", &both[..]),
        ("/ws/stations/1/", &both[..1]),
        ("/ws/stations/2/", &both[1..]),
    ] {
        for token in [None, Some(&*house.admin)] {
            let dial = house.server.dial(&format!("{path}?snapshot=1"));
            let mut client = token.iter().fold(dial, |dial, t| dial.bearer(t)).open();
            client.text();
            client.hears(&snapshot(shown));
            assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
        }
        // Asked for otherwise, it is not shown.
        for query in ["", "?snapshot=0", "?snapshot=true", "?snapshot"] {
            let mut client = house.server.dial(&format!("{path}{query}")).open();
            client.text();
            assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#, "{query}");
        }
        // With a cursor it bears it; to who is told what was missed it is not shown.
        let mut client = house.server.dial(&format!("{path}?snapshot=1&since=now")).open();
        let since = place(&client.text());
        client.text();
        let first = client.text();
        assert_eq!(place(&first), since);
        assert_eq!(first.split(r#","cursor""#).next(), snapshot(shown).strip_suffix('}'));
        let mut client = house.server.dial(&format!("{path}?snapshot=1&since={since}")).open();
        assert!(client.text().ends_with(r#","replayed":0}"#));
        client.text();
        assert_eq!(client.ask(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
    }
    let empty = House::with(&[], [0, 0]);
    for id in 1..=2 {
        empty.admins("DELETE", &format!("/api/stations/{id}")).expect(204);
    }
    let mut client = empty.server.dial("/ws/stations/?snapshot=1").open();
    client.text();
    client.hears(&snapshot(&[]));
}

/// Counters go up and down as fast as may be; whoever comes in sees some, then those that follow.
#[test]
fn nothing_falls_between_it_and_what_follows() {
    const ROUNDS: usize = 30;
    let house = House::new([4, 1]);
    let stops = AtomicBool::new(false);
    thread::scope(|scope| {
        let working = scope.spawn(|| {
            let mut caller = house.caller(JOHN, Via::SocketIo);
            while !stops.load(Ordering::SeqCst) {
                let made: Vec<i64> = (0..3)
                    .map(|_| number(&caller.does("stations.book", json!({ "station_id": 1 }))))
                    .collect();
                for id in made {
                    caller.does("bookings.cancel", json!({ "booking_id": id }));
                }
            }
        });
        for round in 0..ROUNDS {
            let path = ["/ws/stations/", "/ws/stations/1/"][round % 2];
            let since = ["", "&since=now"][round / 2 % 2];
            let mut client = house.server.dial(&format!("{path}?snapshot=1{since}")).open();
            let mut next =
                || -> Value { serde_json::from_str(&client.text()).expect("frames are JSON") };
            let first = next();
            if !since.is_empty() {
                assert_eq!(first["type"], "resumed");
                next();
            }
            let shown = next();
            assert_eq!(shown["type"], "stations:snapshot", "{shown}");
            let count =
                |of: &Value| (of["available_batteries"].as_i64(), of["booked_batteries"].as_i64());
            let known = count(&shown["data"][0]);
            let (mut available, mut booked) =
                (known.0.expect("a number"), known.1.expect("a number"));
            for _ in 0..9 {
                let told = next();
                match told["type"].as_str() {
                    Some("battery_booked") => (available, booked) = (available - 1, booked + 1),
                    Some("inventory_update") if told["action"] == "update" => {
                        (available, booked) = (available + 1, booked - 1);
                    }
                    _ => assert_eq!(told["action"], "book", "{told}"),
                }
                assert_eq!(count(&told), (Some(available), Some(booked)), "{path}{since}: {told}");
            }
        }
        stops.store(true, Ordering::SeqCst);
        working.join().expect("it works");
    });
}

/// Who asks for no cursor and does not keep up is told every booking, and of counters and status the newest.
#[test]
fn who_does_not_keep_up_knows_the_newest() {
    let house = House::new([1, 1]);
    // What waits until it is asked for waits as it does for a slow socket.
    let mut polls = house.watches(Form::Space(Over::Polling, None));
    let mut follows = house.watches(ALL);
    for id in 1..=3 {
        house.books(JOHN, 1, None);
        house.admins("DELETE", &format!("/api/bookings/{id}")).expect(204);
    }
    house.books(JANE, 2, None);
    for to in ["maintenance", "online", "offline"] {
        house.admins("PATCH", "/api/stations/1").json(&json!({ "status": to })).expect(200);
    }
    assert_eq!(follows.texts().len(), 3 * 3 + 2 + 3);
    let mut told = polls.texts();
    let last = [
        inventory(1, (1, 0), "update"),
        booked(2, 2, (0, 1), "j***@example.com"),
        inventory(2, (0, 1), "book"),
        status(1, "offline"),
    ];
    assert_eq!(told.split_off(3), last);
    assert_eq!(told, vec![booked(1, 1, (0, 1), "u***@example.com"); 3]);
}

/// What would be over 1 MiB is refused in words; single stations are shown.
#[test]
fn too_many_stations_are_not_shown_as_a_whole() {
    const STATIONS: i64 = 2_000;
    let house = House::new([1, 1]);
    let path = house.server.data().join("bellwire.db");
    let House { server, admin, tokens } = house;
    let server = server.restart_after(|| {
        let mut database = rusqlite::Connection::open(path).expect("it is a database");
        let add = database.transaction().expect("nobody else is there");
        for id in 3..STATIONS {
            let name = "\u{1f50b}".repeat(128);
            add.execute(
                "INSERT INTO stations (station_id, name, status, created_at) VALUES (?1, ?2, 'online', 0)",
                (id, name),
            )
            .expect("it is a station");
        }
        add.commit().expect("there is room");
    });
    let house = House { server, admin, tokens };
    let (told, code) = house.server.dial("/ws/stations/?snapshot=1").open().closed();
    let [words] = &told[..] else { panic!("{told:?}") };
    let begin = r#"{"type":"error","message":"the snapshot is over 1 MiB: "#;
    assert!(words.starts_with(begin) && code == Some(1008), "{words} {code:?}");
    let mut client = house.server.dial("/ws/stations/1/?snapshot=1").open();
    client.text();
    client.hears(&snapshot(&[station(1, "online", (1, 0))]));
    // Who asks for none is let in, and they can be read page by page.
    assert_eq!(house.watches(ALL).texts(), [""; 0]);
    let page = house.server.ask("GET", "/api/stations?limit=1000").expect(200);
    assert_eq!(items(&page).len(), 1_000);
}
