//! Every decision: what it answers, who is told which frames in which order, and that nobody else is told anything.
//!
//! A row is a call, its answer, and what is told to whom; all that is told of one decision bears one time. All of it
//! over HTTP, plain and over Socket.IO.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    CANARY, Caller, Form, House, JANE, JOHN, Line, OLGA, UENAL, Via,
    frames::{
        added, battery, booked, booking, collected, confirmed, ended, inventory, inventory_of,
        kept, kept_item, ready, station, status,
    },
    line::{ALL, INBOX, ONE, SPACE, TWO},
};
use crate::harness::Over;

/// A guest at all stations; at the first, in both dialects; and at the second.
pub const G: usize = 0;
pub const G1: usize = 1;
pub const G2: usize = 2;
pub const GS: usize = 3;
pub const GS1: usize = 4;
pub const GS2: usize = 5;
/// A user who is no staff, at all stations.
pub const U: usize = 6;
/// Staff by scope, in both dialects, and at one station; a device that is staff; and an admin.
pub const S: usize = 7;
pub const S1: usize = 8;
pub const SS: usize = 9;
pub const SD: usize = 10;
pub const A: usize = 11;
/// john's two tabs with notifications, in both dialects, and one that hears of stations too.
pub const J: usize = 12;
pub const J2: usize = 13;
pub const JR: usize = 14;
/// The notifications of others.
pub const JN: usize = 15;
pub const UN: usize = 16;

/// Who hears what all may hear of station 1.
pub const PUBLIC: [usize; 6] = [G, G1, GS, GS1, U, JR];
/// Who hears the same of both stations, or of no particular one.
pub const PUBLIC_ANY: [usize; 4] = [G, GS, U, JR];
/// Staff, at station 1 and at all.
pub const STAFF: [usize; 5] = [S, S1, SS, SD, A];
/// Staff that listens to all stations.
pub const STAFF_ANY: [usize; 4] = [S, SS, SD, A];
/// john's notifications.
pub const JOHNS: [usize; 3] = [J, J2, JR];

/// What is told, and to whom.
pub type Row<'a> = (&'a [&'a [usize]], &'a str);

/// A house, and everybody who listens.
pub struct Scene {
    pub house: House,
    lines: Vec<Line>,
}

impl Scene {
    /// With so many batteries in each station; john, jane and others listen, and nothing has happened.
    #[track_caller]
    pub fn new(batteries: [usize; 2]) -> Scene {
        Scene::of(House::new(batteries))
    }

    /// In this house.
    #[track_caller]
    pub fn of(house: House) -> Scene {
        const STATIONS: &[&str] = &["stations"];
        const BOTH: &[&str] = &["stations", "notifications"];
        const FIRST: Option<&[&str]> = Some(&["station/1"]);
        const SECOND: Option<&[&str]> = Some(&["station/2"]);
        let device = house.server.token("device", &["stations:staff"]).text;
        let token = |user: usize| Some(house.token(user));
        let ways: [(&str, Option<&str>, Form); 18] = [
            ("a guest", None, ALL),
            ("a guest at 1", None, ONE),
            ("a guest at 2", None, TWO),
            ("a guest of Socket.IO", None, SPACE),
            ("a guest of Socket.IO at 1", None, Form::Space(Over::Polling, FIRST)),
            ("a guest of Socket.IO at 2", None, Form::Space(Over::Socket, SECOND)),
            ("jane", token(JANE), ALL),
            ("staff", token(OLGA), ALL),
            ("staff at 1", token(OLGA), ONE),
            ("staff of Socket.IO", token(OLGA), Form::Root(Over::Polling, STATIONS)),
            ("a device that is staff", Some(&device), ALL),
            ("the admin", Some(&house.admin), SPACE),
            ("john", token(JOHN), INBOX),
            ("john's tab", token(JOHN), Form::Root(Over::Socket, &["notifications"])),
            ("john, all of it", token(JOHN), Form::Root(Over::Socket, BOTH)),
            ("jane's notifications", token(JANE), INBOX),
            ("the other's notifications", token(UENAL), INBOX),
            ("the admin's notifications", Some(&house.admin), INBOX),
        ];
        let open = |(name, token, form)| Line::open(&house, token, form, name);
        let lines = ways.into_iter().map(open).collect();
        Scene { house, lines }
    }

    /// A call that is done, its answer, and what comes of it: to each of these these events, in this order, and to
    /// nobody anything else.
    #[track_caller]
    pub fn row(
        &mut self,
        who: &mut Caller,
        call: &str,
        fields: Value,
        answer: &str,
        rows: &[Row<'_>],
    ) {
        let answered = who.says(call, fields.clone());
        assert_eq!(answered, answer, "{call} {fields}");
        self.hear(&format!("{call} {fields}"), rows);
    }

    /// Everybody was told this and nothing else since they were asked last, and it bears one time.
    #[track_caller]
    pub fn hear(&mut self, why: &str, rows: &[Row<'_>]) -> BTreeSet<String> {
        let mut times = BTreeSet::new();
        self.house.fence().refused(403, "FORBIDDEN");
        for (number, line) in self.lines.iter_mut().enumerate() {
            let is_for = |row: &&Row<'_>| row.0.iter().any(|some| some.contains(&number));
            let expected: Vec<&str> = rows.iter().filter(is_for).map(|row| row.1).collect();
            let told = line.told_behind_fence();
            let texts: Vec<&str> = told.iter().map(|told| told.text.as_str()).collect();
            assert_eq!(texts, expected, "{} after {why}", line.name);
            times.extend(told.into_iter().map(|told| told.time));
        }
        assert_eq!(times.len(), usize::from(!rows.is_empty()), "{times:?} after {why}");
        times
    }

    /// What was told up to now is none of the next row's.
    #[track_caller]
    pub fn forget(&mut self) {
        self.house.fence().send();
        self.lines.iter_mut().for_each(|line| drop(line.told_behind_fence()));
    }

    /// Nobody but staff ever saw what is for staff alone.
    #[track_caller]
    pub fn keeps_secrets(&self) {
        for (number, line) in self.lines.iter().enumerate() {
            if !STAFF.contains(&number) {
                line.never_heard(CANARY);
            }
        }
        assert!(self.lines[S].raw.iter().any(|text| text.contains(CANARY)));
    }
}

fn by(id: i64) -> Value {
    json!({ "booking_id": id })
}

#[test]
fn booking_one() {
    for via in Via::ALL {
        let mut scene = Scene::new([3, 1]);
        let [mut john, mut jane, mut other] =
            [JOHN, JANE, UENAL].map(|user| scene.house.caller(user, via));
        // The first that is available, and told whole to staff alone.
        let public = booked(1, 1, (2, 1), "u***@example.com");
        let whole = booked(1, 1, (2, 1), "user.canary@example.com");
        let told = inventory(1, (2, 1), "book");
        scene.row(
            &mut john,
            "stations.book",
            json!({ "station_id": 1 }),
            &booking(1, 1, 1, JOHN, "confirmed"),
            &[
                (&[&PUBLIC], &public),
                (&[&STAFF], &whole),
                (&[&PUBLIC, &STAFF], &told),
                (&[&JOHNS], &confirmed(1, 1)),
            ],
        );
        // One that is asked for.
        scene.row(
            &mut jane,
            "stations.book",
            json!({ "station_id": 1, "battery_id": 3, "user_id": "3" }),
            &booking(2, 1, 3, JANE, "confirmed"),
            &[
                (&[&PUBLIC], &booked(1, 3, (1, 2), "j***@example.com")),
                (&[&STAFF], &booked(1, 3, (1, 2), "jane.canary@example.com")),
                (&[&PUBLIC, &STAFF], &inventory(1, (1, 2), "book")),
                (&[&[JN]], &confirmed(2, 1)),
            ],
        );
        // Who has no address is shown by name: its first character, not byte.
        scene.row(
            &mut other,
            "stations.book",
            json!({ "station_id": 1 }),
            &booking(3, 1, 2, UENAL, "confirmed"),
            &[
                (&[&PUBLIC], &booked(1, 2, (0, 3), "\u{dc}***")),
                (&[&STAFF], &booked(1, 2, (0, 3), "\u{dc}nal canary")),
                (&[&PUBLIC, &STAFF], &inventory(1, (0, 3), "book")),
                (&[&[UN]], &confirmed(3, 1)),
            ],
        );
        // The other station's watchers hear of it what is there.
        scene.row(
            &mut john,
            "stations.book",
            json!({ "station_id": 2 }),
            &booking(4, 2, 4, JOHN, "confirmed"),
            &[
                (&[&PUBLIC_ANY, &[G2, GS2]], &booked(2, 4, (0, 1), "u***@example.com")),
                (&[&STAFF_ANY], &booked(2, 4, (0, 1), "user.canary@example.com")),
                (&[&PUBLIC_ANY, &[G2, GS2], &STAFF_ANY], &inventory(2, (0, 1), "book")),
                (&[&JOHNS], &confirmed(4, 2)),
            ],
        );
        scene.keeps_secrets();
    }
}

#[test]
fn becoming_ready_and_being_collected() {
    for via in Via::ALL {
        let mut scene = Scene::new([3, 1]);
        let [mut john, mut olga] = [JOHN, OLGA].map(|user| scene.house.caller(user, via));
        for (user, battery) in [(JOHN, 1), (JANE, 3), (UENAL, 2)] {
            scene.house.books(user, 1, Some(battery));
        }
        scene.forget();
        // Of being ready stations tell nothing.
        let row = booking(1, 1, 1, JOHN, "ready");
        scene.row(&mut olga, "bookings.ready", by(1), &row, &[(&[&JOHNS], &ready(1, 1))]);
        // The owner collects what is ready, staff what is not.
        scene.row(
            &mut john,
            "bookings.collect",
            by(1),
            &booking(1, 1, 1, JOHN, "collected"),
            &[
                (&[&PUBLIC, &STAFF], &collected(1, 1, (0, 2))),
                (&[&PUBLIC, &STAFF], &inventory(1, (0, 2), "collect")),
            ],
        );
        scene.row(
            &mut olga,
            "bookings.collect",
            by(2),
            &booking(2, 1, 3, JANE, "collected"),
            &[
                (&[&PUBLIC, &STAFF], &collected(1, 3, (0, 1))),
                (&[&PUBLIC, &STAFF], &inventory(1, (0, 1), "collect")),
            ],
        );
        scene.keeps_secrets();
    }
}

#[test]
fn cancelling() {
    for via in Via::ALL {
        let mut scene = Scene::new([2, 1]);
        let mut admin = scene.house.rules(via);
        let [mut john, mut olga] = [JOHN, OLGA].map(|user| scene.house.caller(user, via));
        for id in 1..=2 {
            scene.house.books(JOHN, 1, None);
            if id == 2 {
                scene.house.admins("POST", "/api/bookings/2/ready").expect(200);
            }
        }
        scene.forget();
        // By the owner, and by staff, what is ready too: the user is told before the station's watchers.
        let told = ended(1, "cancelled", "");
        scene.row(
            &mut john,
            "bookings.cancel",
            by(1),
            "null",
            &[(&[&JOHNS], &told), (&[&PUBLIC, &STAFF], &inventory(1, (1, 1), "update"))],
        );
        scene.row(
            &mut olga,
            "bookings.cancel",
            by(2),
            "null",
            &[(&[&JOHNS], &told), (&[&PUBLIC, &STAFF], &inventory(1, (2, 0), "update"))],
        );
        // Staff that is the owner hears it once, whole; and an admin cancels.
        scene.row(
            &mut olga,
            "stations.book",
            json!({ "station_id": 1 }),
            &booking(3, 1, 1, OLGA, "confirmed"),
            &[
                (&[&PUBLIC], &booked(1, 1, (1, 1), "o***@stations.example")),
                (&[&STAFF], &booked(1, 1, (1, 1), "olga.canary@stations.example")),
                (&[&PUBLIC, &STAFF], &inventory(1, (1, 1), "book")),
            ],
        );
        scene.row(
            &mut admin,
            "bookings.cancel",
            by(3),
            "null",
            &[(&[&PUBLIC, &STAFF], &inventory(1, (2, 0), "update"))],
        );
        // All of it is in the inbox.
        let kept_of = |user| -> Vec<String> {
            scene.house.inbox(user).iter().map(|item| kept_item(item, user)).collect()
        };
        let john = [
            kept("confirmed", 1, 1, ""),
            kept("confirmed", 2, 1, ""),
            kept("ready", 2, 1, ""),
            kept("cancelled", 1, 1, ""),
            kept("cancelled", 2, 1, ""),
        ];
        assert_eq!(kept_of(JOHN), john);
        assert_eq!(kept_of(OLGA), [kept("confirmed", 3, 1, ""), kept("cancelled", 3, 1, "")]);
        assert_eq!(kept_of(JANE), [""; 0]);
        scene.keeps_secrets();
    }
}

/// What a row that everybody hears who hears of station 1 is told to.
const ALL_OF_1: &[&[usize]] = &[&PUBLIC, &STAFF];

#[test]
fn batteries_come_and_go() {
    for via in Via::ALL {
        let mut scene = Scene::new([2, 1]);
        scene.house.books(JOHN, 1, Some(2));
        scene.house.admins("POST", "/api/bookings/1/collect").expect(200);
        scene.forget();
        let mut olga = scene.house.caller(OLGA, via);
        // One that was collected comes back.
        scene.row(
            &mut olga,
            "batteries.add",
            json!({ "station_id": 1, "battery_id": 2 }),
            &battery(2, 1, "available"),
            &[(ALL_OF_1, &added(1, 2, (2, 0))), (ALL_OF_1, &inventory(1, (2, 0), "add"))],
        );
        // One of a fleet that has numbers of its own.
        scene.row(
            &mut olga,
            "batteries.add",
            json!({ "station_id": 1, "battery_id": 5, "name": "Tesla Battery", "model": "Model 3" }),
            &battery(5, 1, "available"),
            &[(ALL_OF_1, &added(1, 5, (3, 0))), (ALL_OF_1, &inventory(1, (3, 0), "add"))],
        );
        // One that gets a number: none that is taken.
        let made = olga.does(
            "batteries.add",
            json!({ "station_id": 1, "name": "Tesla Battery", "model": "Model 3" }),
        );
        let id = super::number(&made);
        assert!(id > 3 && id != 5, "{made}");
        assert_eq!(made.to_string(), battery(id, 1, "available"));
        scene.hear(
            "a new battery",
            &[(ALL_OF_1, &added(1, id, (4, 0))), (ALL_OF_1, &inventory(1, (4, 0), "add"))],
        );
        // One that is available is taken away; while some are held.
        let one = json!({ "station_id": 1, "battery_id": id });
        let told = inventory(1, (3, 0), "update");
        scene.row(&mut olga, "batteries.remove", one, "null", &[(ALL_OF_1, &told)]);
        scene.house.books(JANE, 1, Some(1));
        scene.forget();
        let one = json!({ "station_id": 1, "battery_id": 5 });
        let told = inventory(1, (1, 1), "update");
        scene.row(&mut olga, "batteries.remove", one, "null", &[(ALL_OF_1, &told)]);
        assert_eq!(scene.house.counts(1), (1, 1));
        assert_eq!(scene.house.batteries(1, "available"), [2]);
        assert_eq!(scene.house.batteries(1, "booked"), [1]);
        // What was removed is not known any more: it comes with a name, under the same number.
        let again = json!({ "station_id": 1, "battery_id": 5 });
        olga.refusal("batteries.add", again.clone(), (422, "INVALID"));
        let mut named = again;
        (named["name"], named["model"]) = ("Tesla Battery".into(), "Model 3".into());
        scene.row(
            &mut olga,
            "batteries.add",
            named,
            &battery(5, 1, "available"),
            &[(ALL_OF_1, &added(1, 5, (2, 1))), (ALL_OF_1, &inventory(1, (2, 1), "add"))],
        );
    }
}

#[test]
fn stations_come_and_change() {
    for via in Via::ALL {
        let mut scene = Scene::new([2, 1]);
        let mut admin = scene.house.rules(via);
        let mut olga = scene.house.caller(OLGA, via);
        let made = r#"{"id":3,"name":"Harbour","status":"online","available_batteries":0,"booked_batteries":0,"total_batteries":0}"#;
        let told = inventory_of(3, "Harbour", (0, 0), "update");
        let new = json!({ "name": "Harbour" });
        scene.row(&mut admin, "stations.create", new, made, &[(&[&PUBLIC_ANY, &STAFF_ANY], &told)]);
        let made = made.replace(r#""id":3"#, r#""id":4"#).replace("online", "maintenance");
        let told = told.replace(r#""station_id":3"#, r#""station_id":4"#);
        let new = json!({ "name": "Harbour", "status": "maintenance" });
        scene.row(
            &mut admin,
            "stations.create",
            new,
            &made,
            &[(&[&PUBLIC_ANY, &STAFF_ANY], &told)],
        );
        // Another name; and the same again, of which nobody hears.
        let change = |name: &str| json!({ "station_id": 1, "name": name });
        let named = |name: &str| station(1, "online", (2, 0)).replace("Downtown Station", name);
        let told = inventory_of(1, "Uptown", (2, 0), "update");
        let (call, name) = ("stations.change", "Uptown");
        scene.row(&mut admin, call, change(name), &named(name), &[(ALL_OF_1, &told)]);
        scene.row(&mut admin, call, change(name), &named(name), &[]);
        let name = "Downtown Station";
        let told = inventory(1, (2, 0), "update");
        scene.row(&mut admin, call, change(name), &named(name), &[(ALL_OF_1, &told)]);
        // Another status, by staff that is no admin; and the same again.
        for to in ["maintenance", "offline", "online", "offline", "maintenance", "online"] {
            let change = json!({ "station_id": 1, "status": to });
            let answer = station(1, to, (2, 0));
            let told = status(1, to);
            scene.row(&mut olga, call, change.clone(), &answer, &[(ALL_OF_1, &told)]);
            scene.row(&mut olga, call, change, &answer, &[]);
        }
        // Both at once: what all is told, and that in one decision.
        let both = json!({ "station_id": 1, "name": "Uptown", "status": "offline" });
        let answered = admin.says(call, both);
        assert_eq!(answered, named("Uptown").replace("online", "offline"));
        for (number, line) in scene.lines.iter_mut().enumerate() {
            let is_told = PUBLIC.contains(&number) || STAFF.contains(&number);
            let mut told = line.told();
            told.sort_by(|one, other| other.text.cmp(&one.text));
            let texts: Vec<&str> = told.iter().map(|told| told.text.as_str()).collect();
            let expected = [
                status(1, "offline").replace("Downtown Station", "Uptown"),
                inventory_of(1, "Uptown", (2, 0), "update"),
            ];
            assert_eq!(texts, if is_told { &expected[..] } else { &[] }, "{}", line.name);
            assert!(told.windows(2).all(|both| both[0].time == both[1].time));
        }
    }
}

/// Who calls on a stream hears what comes of it there, once, like everybody else.
#[test]
fn who_calls_hears_it_too() {
    let house = House::new([2, 0]);
    for form in [ALL, ONE, SPACE, Form::Space(Over::Polling, None)] {
        let mut john = house.line(JOHN, form);
        let answer = john.asks("stations.book", &json!({ "station_id": 1 }));
        let id = super::number(
            &serde_json::from_str(&super::caller::result(&answer).expect("it is done"))
                .expect("it is JSON"),
        );
        let told = [booked(1, 1, (1, 1), "u***@example.com"), inventory(1, (1, 1), "book")];
        assert_eq!(john.texts(), told, "{form:?}");
        let answer = john.asks("bookings.cancel", &by(id));
        assert_eq!(answer, r#"{"success":true,"data":null}"#);
        assert_eq!(john.texts(), [inventory(1, (2, 0), "update")], "{form:?}");
    }
}
