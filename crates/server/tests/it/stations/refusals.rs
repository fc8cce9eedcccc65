//! What is refused, in which words, over HTTP and in both dialects; and that nobody is told anything of it.

use serde_json::{Value, json};

use super::{
    CANARY, Caller, House, JANE, JOHN, Line, OLGA, UENAL, Via,
    frames::{confirmed, inventory},
    line::{ALL, DEAF, INBOX, ONE, SPACE, event_of},
    number,
};

const NOT_FOUND: (u16, &str) = (404, "NOT_FOUND");
const CONFLICT: (u16, &str) = (409, "CONFLICT");
const FORBIDDEN: (u16, &str) = (403, "FORBIDDEN");
const INVALID: (u16, &str) = (422, "INVALID");

/// Everybody beside who tries: nothing of what is refused may reach them.
struct Others(Vec<Line>);

impl Others {
    fn of(house: &House) -> Others {
        Others(vec![
            house.watches(ALL),
            house.watches(ONE),
            house.watches(SPACE),
            house.line(OLGA, ALL),
            house.line(JOHN, INBOX),
            house.line(JANE, INBOX),
            house.line(OLGA, INBOX),
        ])
    }

    /// They were told nothing.
    #[track_caller]
    fn heard_nothing(&mut self) {
        self.0.iter_mut().for_each(|line| line.heard_nothing_of(CANARY));
    }
}

/// A house in which john's booking 1 was collected, 2 was cancelled, 3 is ready and 4 confirmed; jane's is 5.
/// Battery 2 is gone. Station 2 is empty; 3 is offline, 4 under maintenance, and both have one battery.
fn house() -> House {
    let house = House::new([5, 0]);
    let mut admin = house.rules(Via::Rest);
    for (number, (name, status)) in (3..).zip([("Harbour", "offline"), ("Market", "maintenance")]) {
        admin.does("stations.create", json!({ "name": name }));
        house.stock(number, 1);
        admin.does("stations.change", json!({ "station_id": number, "status": status }));
    }
    for (user, battery) in [(JOHN, 1), (JOHN, 2), (JOHN, 3), (JOHN, 4), (JANE, 5)] {
        house.books(user, 1, Some(battery));
    }
    admin.does("bookings.collect", json!({ "booking_id": 1 }));
    admin.does("bookings.cancel", json!({ "booking_id": 2 }));
    admin.does("bookings.ready", json!({ "booking_id": 3 }));
    admin.does("batteries.remove", json!({ "station_id": 1, "battery_id": 2 }));
    assert_eq!(house.counts(1), (0, 3));
    house
}

/// What is asked by these, and refused with this code in these words.
type Row = (&'static [usize], &'static str, Value, (u16, &'static str), &'static str);

fn absent() -> Vec<Row> {
    let id = |id: u64| json!({ "booking_id": id });
    const ALL: &[usize] = &[JOHN, OLGA];
    let no_station = "Station not found: 77";
    let mut rows: Vec<Row> = vec![
        (ALL, "stations.get", json!({ "station_id": 77 }), NOT_FOUND, no_station),
        (ALL, "batteries.list", json!({ "station_id": 77 }), NOT_FOUND, no_station),
        (ALL, "stations.book", json!({ "station_id": 77 }), NOT_FOUND, no_station),
        (
            ALL,
            "stations.book",
            json!({ "station_id": 9_007_199_254_740_991_u64 }),
            NOT_FOUND,
            "Station not found: 9007199254740991",
        ),
        (
            &[OLGA],
            "stations.change",
            json!({ "station_id": 77, "status": "online" }),
            NOT_FOUND,
            no_station,
        ),
        (
            &[OLGA],
            "batteries.add",
            json!({ "station_id": 77, "name": CANARY, "model": "x" }),
            NOT_FOUND,
            no_station,
        ),
        (
            &[OLGA],
            "batteries.remove",
            json!({ "station_id": 77, "battery_id": 1 }),
            NOT_FOUND,
            no_station,
        ),
        (
            ALL,
            "stations.book",
            json!({ "station_id": 1, "battery_id": 99 }),
            NOT_FOUND,
            "Battery not found: 99",
        ),
        (
            &[OLGA],
            "batteries.remove",
            json!({ "station_id": 1, "battery_id": 99 }),
            NOT_FOUND,
            "Battery not found: 99",
        ),
    ];
    for call in ["bookings.get", "bookings.collect", "bookings.cancel", "bookings.ready"] {
        rows.push((ALL, call, id(99), NOT_FOUND, "Booking not found: 99"));
        // What is somebody else's is to them as if it were not there, whatever has become of it.
        rows.push((&[UENAL, JANE], call, id(4), NOT_FOUND, "Booking not found: 4"));
        rows.push((&[UENAL, JANE], call, id(3), NOT_FOUND, "Booking not found: 3"));
        rows.push((&[JANE], call, id(1), NOT_FOUND, "Booking not found: 1"));
        rows.push((&[JOHN, UENAL], call, id(5), NOT_FOUND, "Booking not found: 5"));
    }
    rows
}

fn conflicts() -> Vec<Row> {
    let id = |id: u64| json!({ "booking_id": id });
    let mut rows: Vec<Row> = vec![
        (
            &[JOHN, JANE, OLGA],
            "stations.book",
            json!({ "station_id": 1 }),
            CONFLICT,
            "no battery is available at Downtown Station",
        ),
        (
            &[JOHN, OLGA],
            "stations.book",
            json!({ "station_id": 2 }),
            CONFLICT,
            "no battery is available at Airport Station",
        ),
        (
            &[JOHN, OLGA],
            "stations.book",
            json!({ "station_id": 3 }),
            CONFLICT,
            "Harbour takes no bookings now: it is offline",
        ),
        (
            &[JOHN, OLGA],
            "stations.book",
            json!({ "station_id": 4, "battery_id": 7 }),
            CONFLICT,
            "Market takes no bookings now: it is under maintenance",
        ),
        (
            &[JOHN, OLGA],
            "stations.book",
            json!({ "station_id": 1, "battery_id": 5 }),
            CONFLICT,
            "battery 5 is not available",
        ),
        (
            &[OLGA],
            "batteries.remove",
            json!({ "station_id": 1, "battery_id": 5 }),
            CONFLICT,
            "battery 5 is not available",
        ),
    ];
    for (booking, became) in [(1, "collected"), (2, "cancelled")] {
        let words = if booking == 1 { "booking 1 is collected" } else { "booking 2 is cancelled" };
        assert!(words.ends_with(became));
        for call in ["bookings.collect", "bookings.cancel"] {
            rows.push((&[JOHN, OLGA], call, id(booking), CONFLICT, words));
        }
        rows.push((&[OLGA], "bookings.ready", id(booking), CONFLICT, words));
    }
    rows.push((&[OLGA], "bookings.ready", id(3), CONFLICT, "booking 3 is ready"));
    rows
}

#[test]
fn what_is_not_there_or_cannot_be() {
    let house = house();
    let mut others = Others::of(&house);
    for via in Via::ALL {
        for (users, call, fields, code, words) in absent().into_iter().chain(conflicts()) {
            for user in users {
                house.caller(*user, via).refused(call, fields.clone(), code, words);
            }
        }
        others.heard_nothing();
    }
    assert_eq!((house.counts(1), house.counts(3), house.counts(4)), ((0, 3), (1, 0), (1, 0)));
    // Nothing of it was stored, nor is it in anybody's way.
    let bookings = house.bookings("confirmed");
    assert_eq!(bookings.iter().map(number).collect::<Vec<_>>(), [5, 4]);
    house.admins("DELETE", "/api/bookings/5").expect(204);
    house.books(JANE, 1, Some(5));
}

/// A battery that is in another station, or with somebody, is none of this one's.
#[test]
fn batteries_of_elsewhere() {
    let house = house();
    for via in Via::ALL {
        let [mut john, mut olga] = [JOHN, OLGA].map(|user| house.caller(user, via));
        for battery in [1, 6] {
            let fields = json!({ "station_id": 1, "battery_id": battery });
            let words = format!("Battery not found: {battery}");
            john.refused("stations.book", fields.clone(), NOT_FOUND, &words);
            olga.refused("batteries.remove", fields, NOT_FOUND, &words);
        }
    }
}

#[test]
fn a_battery_is_added_once() {
    let house = house();
    let mut others = Others::of(&house);
    let add = |station: usize, id: i64| {
        let body = json!({ "battery_id": id, "name": CANARY, "model": CANARY });
        house.ask(OLGA, "POST", &format!("/api/stations/{station}/batteries")).json(&body)
    };
    for station in [1, 2] {
        for id in [3, 5, 6] {
            let words = format!("battery {id} is at a station already");
            let told = add(station, id).refused(409, "CONFLICT").json();
            assert_eq!(told["detail"], words);
        }
    }
    others.heard_nothing();
    assert_eq!((house.counts(1), house.counts(2)), ((0, 3), (0, 0)));
    // One that was collected comes back once.
    add(2, 1).expect(201);
    add(1, 1).refused(409, "CONFLICT");
}

#[test]
fn who_is_no_staff() {
    let house = house();
    let mut others = Others::of(&house);
    for via in Via::ALL {
        let mut john = house.caller(JOHN, via);
        let mut staff = house.caller(OLGA, via);
        let mut nobody = Caller::new(&house, Some(&house.server.token("user", &[]).text), via);
        let battery = json!({ "station_id": 1, "name": CANARY, "model": CANARY });
        let rename = json!({ "station_id": 1, "name": CANARY });
        for (call, fields) in [
            ("batteries.add", battery),
            ("batteries.remove", json!({ "station_id": 1, "battery_id": 5 })),
            ("batteries.remove", json!({ "station_id": 77, "battery_id": 5 })),
            ("stations.change", json!({ "station_id": 1, "status": "offline" })),
            ("stations.change", json!({ "station_id": 77, "status": "offline" })),
            ("stations.change", rename.clone()),
            ("stations.create", json!({ "name": CANARY })),
            ("stations.delete", json!({ "station_id": 1 })),
            ("bookings.list", json!({ "user_id": "3" })),
            ("bookings.list", json!({ "user_id": "77" })),
        ] {
            let words = john.refusal(call, fields.clone(), FORBIDDEN);
            assert!(!words.contains(CANARY), "{words}");
            nobody.refusal(call, fields, FORBIDDEN);
        }
        // The owner alone does not say what is ready.
        john.refusal("bookings.ready", json!({ "booking_id": 4 }), FORBIDDEN);
        john.refusal("bookings.ready", json!({ "booking_id": 3 }), FORBIDDEN);
        john.refusal("bookings.ready", json!({ "booking_id": 1 }), FORBIDDEN);
        // Names are an admin's; with one, staff may not change the status beside it either.
        let both = json!({ "station_id": 1, "name": CANARY, "status": "offline" });
        for (call, fields) in [
            ("stations.change", rename),
            ("stations.change", both),
            ("stations.create", json!({ "name": CANARY })),
            ("stations.delete", json!({ "station_id": 1 })),
        ] {
            staff.refusal(call, fields, FORBIDDEN);
        }
        // Who speaks for no user books nothing, and has no bookings.
        let mut admin = house.rules(via);
        for caller in [&mut nobody, &mut admin] {
            caller.refusal("stations.book", json!({ "station_id": 2 }), FORBIDDEN);
        }
        nobody.refusal("bookings.list", json!({}), FORBIDDEN);
        for call in ["bookings.get", "bookings.collect", "bookings.cancel", "bookings.ready"] {
            let words = "Booking not found: 4";
            nobody.refused(call, json!({ "booking_id": 4 }), NOT_FOUND, words);
        }
        others.heard_nothing();
    }
    let shown = house.server.ask("GET", "/api/stations/1").expect(200);
    assert_eq!((&shown["name"], &shown["status"]), (&json!("Downtown Station"), &json!("online")));
}

/// Who somebody is comes from the credential: what a call claims of that is compared, and never believed.
#[test]
fn nobody_books_for_another() {
    let house = House::new([3, 0]);
    let mut others = Others::of(&house);
    for via in Via::ALL {
        for (user, claim) in [(JANE, "2"), (OLGA, "2"), (JANE, "1"), (JANE, "77")] {
            let fields = json!({ "station_id": 1, "user_id": claim });
            house.caller(user, via).refusal("stations.book", fields, FORBIDDEN);
        }
        for claim in [json!(3), json!("03"), json!(""), json!(null), json!(["3"]), json!("x")] {
            let fields = json!({ "station_id": 1, "user_id": claim });
            let words = house.caller(JANE, via).refusal("stations.book", fields, INVALID);
            assert!(words.starts_with("user_id: "), "{words}");
        }
    }
    others.heard_nothing();
    // Anything else that is said of it is passed over.
    for via in Via::ALL {
        let fields = json!({
            "station_id": 1, "user": "user.canary@example.com", "status": "collected",
            "expires_at": "2099-01-01T00:00:00", "booking_id": 77, "email": CANARY, "user_id": "3",
        });
        let made = house.caller(JANE, via).does("stations.book", fields);
        assert_eq!(
            (&made["user_id"], &made["status"]),
            (&json!("3"), &json!("confirmed")),
            "{made}"
        );
        assert!(!made["expires_at"].as_str().expect("it has one").starts_with("2099"));
    }
    assert_eq!(house.bookings("confirmed").len(), 3);
    let told = [6, 6, 6, 6, 0, 3, 0];
    for (line, (number, told)) in others.0.iter_mut().zip(told.into_iter().enumerate()) {
        assert_eq!(line.texts().len(), told, "{}", line.name);
        if number < 3 {
            line.never_heard(CANARY);
        }
    }
}

#[test]
fn a_user_holds_so_many_batteries_and_no_more() {
    for via in Via::ALL {
        let house = House::with(&[("STATIONS__BOOKINGS_PER_USER", "2")], [5, 2]);
        let mut john = house.caller(JOHN, via);
        let books = |john: &mut Caller, station: usize| {
            number(&john.does("stations.book", json!({ "station_id": station })))
        };
        let (first, second) = (books(&mut john, 1), books(&mut john, 2));
        let words = "you have 2 bookings: collect or cancel one first";
        let is_full = |john: &mut Caller| {
            for station in [1, 2] {
                let fields = json!({ "station_id": station });
                john.refused("stations.book", fields, CONFLICT, words);
            }
        };
        is_full(&mut john);
        // What is ready counts too; what was collected or cancelled does not, nor do those of others.
        house.admins("POST", &format!("/api/bookings/{first}/ready")).expect(200);
        is_full(&mut john);
        house.caller(JANE, via).does("stations.book", json!({ "station_id": 1 }));
        john.does("bookings.collect", json!({ "booking_id": first }));
        books(&mut john, 1);
        is_full(&mut john);
        john.does("bookings.cancel", json!({ "booking_id": second }));
        books(&mut john, 1);
        is_full(&mut john);
        // Staff is a user as others.
        let mut olga = house.caller(OLGA, via);
        books(&mut olga, 1);
        books(&mut olga, 2);
        olga.refused("stations.book", json!({ "station_id": 2 }), CONFLICT, words);
    }
}

/// A refusal has the form of document 004 exactly, and echoes what the request was called.
#[test]
fn refusals_are_spelled_so() {
    let house = House::new([1, 0]);
    let mut client = house.server.dial("/ws/stations/").bearer(house.token(JOHN)).open();
    client.text();
    let error = |id: &str| {
        format!(r#"{{"type":"error","message":"no battery is available at Airport Station"{id}}}"#)
    };
    for id in ["", r#","id":7"#, r#","id":"a b""#, r#","id":-3"#] {
        let call = format!(r#"{{"type":"stations.book","station_id":2{id}}}"#);
        assert_eq!(client.ask(&call), error(id));
    }
    let mut session = house.server.socket_io().open(crate::harness::Over::Socket);
    session.enter("/stations", &json!({ "token": house.token(JOHN), "topics": [] }));
    let words = r#"{"message":"no battery is available at Airport Station"}"#;
    let call = r#"["stations.book",{"station_id":2}]"#;
    assert_eq!(session.says(&format!("42/stations,5{call}")), format!("43/stations,5[{words}]"));
    // Without an acknowledgement it is an event.
    assert_eq!(
        session.says(&format!("42/stations,{call}")),
        format!(r#"42/stations,["error",{words}]"#)
    );
    let unknown = session.says(r#"42/stations,6["stations.fly",{}]"#);
    assert_eq!(unknown, r#"43/stations,6[{"message":"Unknown event \"stations.fly\""}]"#);
    // What is done is answered by an event of its own name.
    let made = client.ask(r#"{"type":"stations.book","station_id":1,"id":1}"#);
    let begin = r#"{"type":"stations.book:response","success":true,"data":{"id":1,"station_id":1,"battery_id":1,"user_id":"2","status":"confirmed","expires_at":""#;
    let mut heard = vec![made];
    heard.extend([client.text(), client.text()]);
    assert_eq!(heard.iter().filter(|text| text.starts_with(begin)).count(), 1, "{heard:?}");
    assert_eq!(heard.iter().filter(|text| text.contains("battery_booked")).count(), 1);
    let mut line = house.line(JOHN, INBOX);
    let mut caller = house.line(JOHN, DEAF);
    caller.asks("bookings.cancel", &json!({ "booking_id": 1 }));
    caller.asks("stations.book", &json!({ "station_id": 1 }));
    line.event();
    line.hears(&confirmed(2, 1));
    assert_eq!(event_of(ALL, &client.text()).text, inventory(1, (1, 0), "update"));
}
