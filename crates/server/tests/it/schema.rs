//! The schema: every statement of every service is understood by both databases, and a data directory
//! as an earlier version left it is served by this one.
//!
//! `fixtures/schema-1.db.gz` is the database of the first schema, `schema-1.json` the tokens and the
//! cursor that belong to it; `schema-2` has a user too, with a session and tokens, and `schema-3` the
//! table of connections that may be recovered. `schema-4` has a paired client with an area, and what it was told and has
//! acknowledged, `schema-5` a sensor with readings, `schema-6` two users who talk, `schema-7` a station and bookings, and
//! `schema-8` the table that says how far the clock was ahead. The newest is made again with
//! `BELLWIRE_TEST_WRITE_FIXTURE=1 cargo nextest run -p bellwire --test it schema::`. A later schema gets files and a row of
//! its own; those of earlier ones stay as they are. How versions follow each other,
//! the store's own tests show with services made for that.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use bellwire_store::{
    migrate::{Migrations, ddl, to_postgres},
    sqlite::{Options, Writer},
    tx::Statement,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    harness::{Ask, Handshake, Over, USER_PASSWORD, until},
    process::{self, ANY_PORT, Process, bellwire},
    traffic,
};

fn migrations() -> Vec<Migrations> {
    bellwire_services::all().iter().map(|service| service.migrations).collect()
}

fn statements() -> Vec<Statement> {
    let services = bellwire_services::all();
    services.iter().flat_map(|service| service.statements.iter().copied()).collect()
}

#[test]
fn sqlite_prepares_every_statement() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let options = Options::new(folder.path().join("db"), "epoch", 0);
    let writer = Writer::open(&options, &migrations()).expect("it opens");
    assert!(statements().len() > 15);
    assert_eq!(writer.check(&statements()), Ok(()));
}

#[test]
fn postgres_prepares_every_statement() {
    let Ok(url) = std::env::var("BELLWIRE_TEST_PG") else {
        panic!("run `cargo xtask test`, which starts a PostgreSQL for this test")
    };
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("it is reached");
    // In a transaction that is never committed, in a schema of its own: nothing is left behind.
    let mut tx = client.transaction().expect("it begins");
    tx.batch_execute("CREATE SCHEMA bellwire_test; SET search_path = bellwire_test")
        .expect("a schema");
    for ddl in ddl(&migrations()) {
        let ddl = to_postgres(ddl);
        tx.batch_execute(&ddl).unwrap_or_else(|e| panic!("{e:?} in: {ddl}"));
    }
    for statement in statements() {
        tx.prepare(statement.0).unwrap_or_else(|e| panic!("{e:?} in: {}", statement.0));
    }
}

/// The signing key of every fixture.
const KEY: [u8; 32] = *b"a key that signs for nobody else";
/// As long as a token can live, almost.
const TEN_YEARS_S: i64 = 10 * 365 * 86_400;
/// What is written into a fixture: entity and state.
const STATES: [(&str, &str); 6] = [
    ("light.kitchen", "off"),
    ("light.kitchen", "on"),
    ("sensor.temperature", "21.5"),
    ("input_text.note", "Übergang \u{1F514} \"quoted\""),
    ("lock.front_door", "locked"),
    ("light.kitchen", "off"),
];
/// How many of them come after the fixture's cursor.
const MISSED: usize = 2;
const ATTRIBUTES: &str = r#"{"friendly_name":"Kitchen","list":[1,2.5,null],"nested":{"a":true}}"#;

/// Who is in a fixture, with a password.
/// What one of the users who talk says, here and there.
const SAID: &str = "\u{5e9}\u{5dc}\u{5d5}\u{5dd} <b>";
const USERNAME: &str = "jane";
const USER_SCOPES: [&str; 1] = ["states:read:light.*"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn create(entity: &str, state: &str, key: &str) -> String {
    let attributes: Value = serde_json::from_str(ATTRIBUTES).expect("it is JSON");
    json!({ "type": "states:create", "entity_id": entity, "state": state, "attributes": attributes,
            "idempotency_key": key })
    .to_string()
}

/// The frame that announces one of [`STATES`], without its cursor.
fn event(number: usize) -> String {
    let (entity, state) = STATES[number];
    let state = json!(state);
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity}","new_state":{{"state":{state},"attributes":{ATTRIBUTES}}}}},"cursor":""#
    )
}

/// A data directory with the key of the fixtures.
fn directory() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory can be made");
    fs::create_dir(folder.path().join("keys")).expect("it is empty");
    fs::write(folder.path().join("keys/k1.key"), KEY).expect("it can be written");
    folder
}

/// A user with a session, a token that follows them, and one that was revoked.
fn write_user(server: &Process, data: &Path) -> Value {
    let request = json!({ "username": USERNAME, "password": USER_PASSWORD, "role": "user",
                          "scopes": USER_SCOPES });
    let user = process::operate("users.create", request, data)["userId"].clone();
    let [follows, revoked] = [(); 2].map(|()| {
        let request = json!({ "role": "user", "subject": user, "scopes": [], "ttl": TEN_YEARS_S });
        process::operate("tokens.create", request, data)
    });
    process::operate("tokens.revoke", json!({ "id": revoked["id"] }), data);
    json!({ "id": user, "session": sign_in(server)["token"], "follows": follows["token"],
            "revoked": revoked["token"] })
}

fn sign_in(server: &Process) -> Value {
    let body = json!({ "username": USERNAME, "password": USER_PASSWORD });
    Ask::new(server.address(), "POST", "/api/auth/login").json(&body).expect(200)
}

/// The user signs in, and is known by everything that was made for them and not revoked.
fn check_user(server: &Process, user: &Value) {
    let signed_in = sign_in(server);
    assert_eq!(
        (&signed_in["user"]["userId"], &signed_in["user"]["role"]),
        (&user["id"], &json!("user"))
    );
    let connect = |token: &Value| {
        let token = token.as_str().expect("a token is a text");
        traffic::open(server.address(), token, "").expect("it is upgraded")
    };
    for token in [&signed_in["token"], &user["session"], &user["follows"]] {
        let mut client = connect(token);
        let [light, lock] = ["light.kitchen", "lock.front_door"].map(|entity| {
            client.ask(&json!({ "type": "states:get", "entity_id": entity }).to_string())
        });
        assert!(light.contains(r#""success":true"#), "{light}");
        assert!(lock.contains(r#""success":false"#), "{lock}");
    }
    assert_eq!(connect(&user["revoked"]).closed().1, Some(4401));
    let verify = |token: &Value| {
        let ask = Ask::new(server.address(), "GET", "/api/auth/verify");
        ask.bearer(token.as_str().expect("a token is a text"))
    };
    assert_eq!(verify(&user["session"]).expect(200)["userId"], user["id"]);
    verify(&user["revoked"]).refused(401, "UNAUTHENTICATED");
}

/// A paired client with an area, which acknowledged the first of two changes.
fn write_client(server: &Process, admin: &str) -> Value {
    let ask = |method: &str, path: &str, body: Value| {
        Ask::new(server.address(), method, path).bearer(admin).json(&body)
    };
    let area =
        ask("POST", "/api/areas", json!({ "name": "Kitchen", "entityIds": ["light.kitchen"] }));
    let area = area.expect(201)["id"].clone();
    let path = format!("/api/areas/{}", area.as_str().expect("an id is a text"));
    let screen = ask("POST", "/api/pairing", json!({ "name": "Tablet" })).expect(201);
    let code = screen["userCode"].as_str().expect("a code is a text");
    let approve = format!("/api/pairing/{code}/approve");
    let client = ask("POST", &approve, json!({ "areaIds": [area] })).expect(200)["id"].clone();
    let request = json!({ "role": "client", "subject": client, "ttl": TEN_YEARS_S });
    let token = ask("POST", "/api/tokens", request).expect(201)["token"].clone();
    let mut session = Handshake::new(server.address(), "/socket.io/").open(Over::Socket);
    session.enter("/areas", &json!({ "token": token, "ack": true }));
    session.packet();
    for name in ["Galley", "Pantry"] {
        ask("PATCH", &path, json!({ "name": name })).expect(200);
        let told = session.packet();
        let (id, _) = told.split_once('[').expect("an event asks for an acknowledgement");
        if name == "Galley" {
            session.send(&format!("43{}[]", id.trim_start_matches("42")));
        }
    }
    json!({ "id": client, "area": area, "token": token })
}

/// The client has its area, and is told what it has not acknowledged.
fn check_client(server: &Process, client: &Value, admin: &str) {
    let text = |key: &str| client[key].as_str().expect("it is a text");
    let ask = |method: &str, path: &str| Ask::new(server.address(), method, path);
    let areas = ask("GET", "/api/areas").bearer(text("token")).expect(200);
    let area = &areas["items"][0];
    assert_eq!((&area["id"], &area["name"]), (&client["area"], &json!("Pantry")));
    let shown = ask("GET", &format!("/api/clients/{}", text("id"))).bearer(admin).expect(200);
    assert_eq!((&shown["name"], &shown["areaIds"]), (&json!("Tablet"), &json!([client["area"]])));
    let mut session = Handshake::new(server.address(), "/socket.io/").open(Over::Socket);
    session.enter("/areas", &json!({ "token": client["token"], "ack": true }));
    let told = [(); 2].map(|()| session.packet());
    assert!(told[0].contains("connected") && told[1].contains("Pantry"), "{told:?}");
}

/// A sensor with two readings, the first of which was corrected.
fn write_sensor(server: &Process, admin: &str) -> Value {
    let make = |path: &str, body: Value| {
        let ask = Ask::new(server.address(), "POST", path);
        ask.bearer(admin).json(&body).expect(201)
    };
    let device = make("/api/devices", json!({ "name": "Greenhouse" }))["id"].clone();
    let kept = json!({ "raw_days": null, "hourly_days": null });
    let sensor =
        json!({ "device_id": device, "sensor_type": "ph", "silence_s": 1, "retention": kept });
    let sensor = make("/api/sensors", sensor)["id"].clone();
    for (value, minute) in [(7.25, 0), (6.5, 0), (6.75, 1)] {
        let at = format!("2026-01-01T00:0{minute}:00Z");
        make("/api/readings", json!({ "sensor_id": sensor, "value": value, "timestamp": at }));
    }
    json!({ "device": device, "sensor": sensor })
}

/// Its readings are there, it is a home state, and its device has been silent for its time.
fn check_sensor(server: &Process, sensor: &Value, admin: &str) {
    let ask = |path: &str| Ask::new(server.address(), "GET", path).bearer(admin).expect(200);
    let readings = ask(&format!("/api/sensors/{}/readings", sensor["sensor"]));
    let readings = readings["items"].as_array().expect("a page has items").iter();
    let readings: Vec<_> =
        readings.map(|reading| (reading["value"].clone(), reading["timestamp"].clone())).collect();
    let expected = [(6.75, 1), (6.5, 0)]
        .map(|(value, minute)| (json!(value), json!(format!("2026-01-01T00:0{minute}:00Z"))));
    assert_eq!(readings, expected);
    assert_eq!(ask("/api/states/sensor.greenhouse_ph")["state"], "6.75");
    let device = format!("/api/devices/{}", sensor["device"]);
    until("the device is inactive", || ask(&device)["status"] == "inactive");
}

/// Two users with a group of their own and an admin's, in which one said something, and a comment on the other.
fn write_talk(server: &Process, admin: &str) -> Value {
    let ask = |method: &str, path: &str, token: &Value, body: Value| {
        let token = token.as_str().expect("a token is a text");
        Ask::new(server.address(), method, path).bearer(token).json(&body).expect(201)
    };
    let admin = json!(admin);
    let users = ["ann", "bob", "cid"].map(|name| {
        let user = json!({ "username": name, "role": "user", "kind": "houseworker" });
        let id = ask("POST", "/api/users", &admin, user)["userId"].clone();
        let token = json!({ "role": "user", "subject": id, "ttl": TEN_YEARS_S });
        json!({ "id": id, "token": ask("POST", "/api/tokens", &admin, token)["token"] })
    });
    let [ann, bob, cid] = users;
    let members = json!({ "members": [bob["id"], cid["id"]] });
    let room = ask("POST", "/api/chat/rooms", &ann["token"], members)["roomID"].clone();
    let mut session = Handshake::new(server.address(), "/socket.io/").open(Over::Socket);
    session.enter("/chat", &json!({ "token": ann["token"] }));
    let message = json!({ "data": { "message": SAID, "roomID": room } });
    let said = session.says(&format!(r#"42/chat,1["message",{message}]"#));
    assert!(said.contains(r#""success":true"#), "{said}");
    let path = format!("/api/houseworkers/{}/comments", bob["id"].as_str().expect("a text"));
    ask("POST", &path, &ann["token"], json!({ "comment": SAID }));
    json!({ "room": room, "bob": bob["token"] })
}

/// The other finds it, unread, with the notification, and can answer.
fn check_talk(server: &Process, talk: &Value) {
    let text = |key: &str| talk[key].as_str().expect("it is a text");
    let ask = |path: &str| Ask::new(server.address(), "GET", path).bearer(text("bob")).expect(200);
    let room = &ask("/api/chat/rooms")["items"][0];
    let shown = (&room["roomID"], &room["unread"], &room["lastMessage"]);
    assert_eq!(shown, (&talk["room"], &json!(1), &json!(SAID)));
    let said = ask(&format!("/api/chat/rooms/{}/messages", text("room")));
    assert_eq!(
        (&said["items"][0]["message"], &said["items"][0]["fromUsername"]),
        (&json!(SAID), &json!("ann"))
    );
    let inbox = ask("/api/notifications");
    let kinds: Vec<_> =
        inbox["items"].as_array().into_iter().flatten().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["comment", "chatGroup"]);
    let mut session = Handshake::new(server.address(), "/socket.io/").open(Over::Socket);
    session.enter("/chat", &json!({ "token": talk["bob"] }));
    let message = json!({ "data": { "message": "Yes.", "roomID": talk["room"] } });
    let said = session.says(&format!(r#"42/chat,1["message",{message}]"#));
    assert!(said.contains(r#""success":true"#), "{said}");
}

/// A station with a battery that was collected, one that is booked and one that is not.
fn write_station(server: &Process, admin: &str) -> Value {
    let ask = |path: &str, token: &str, body: Value, status: u16| {
        Ask::new(server.address(), "POST", path).bearer(token).json(&body).expect(status)
    };
    let user = json!({ "username": "eve", "role": "user", "email": "eve@example.com" });
    let id = ask("/api/users", admin, user, 201)["userId"].clone();
    let token = json!({ "role": "user", "subject": id, "ttl": TEN_YEARS_S });
    let token = ask("/api/tokens", admin, token, 201)["token"].clone();
    let eve = token.as_str().expect("it is a text");
    ask("/api/stations", admin, json!({ "name": SAID }), 201);
    for _ in 0..3 {
        let battery = json!({ "name": SAID, "model": "S2" });
        ask("/api/stations/1/batteries", admin, battery, 201);
    }
    for _ in 0..2 {
        ask("/api/stations/1/bookings", eve, json!({}), 201);
    }
    ask("/api/bookings/1/collect", eve, json!({}), 200);
    json!({ "eve": token })
}

/// What was booked is long over, as its user is told once the server is there; and it can be booked again.
fn check_station(server: &Process, station: &Value) {
    let eve = station["eve"].as_str().expect("it is a text");
    let ask = |method: &str, path: &str| Ask::new(server.address(), method, path).bearer(eve);
    let counts = || {
        let shown = ask("GET", "/api/stations/1").expect(200);
        ["available_batteries", "booked_batteries"].map(|key| shown[key].clone())
    };
    until("the hold is over", || counts() == [json!(2), json!(0)]);
    assert_eq!(ask("GET", "/api/stations/1").expect(200)["name"], SAID);
    let bookings = ask("GET", "/api/bookings").expect(200);
    let bookings = bookings["items"].as_array().expect("a list has items");
    let statuses: Vec<_> = bookings.iter().map(|booking| &booking["status"]).collect();
    assert_eq!(statuses, ["expired", "collected"]);
    let inbox = ask("GET", "/api/notifications").expect(200);
    let newest = &inbox["items"][0];
    let info = format!("{SAID} - S2");
    assert_eq!(
        (&newest["type"], &newest["booking_id"], &newest["battery_info"]),
        (&json!("booking_expired"), &json!(2), &json!(info))
    );
    let booked = ask("POST", "/api/stations/1/bookings").expect(201);
    assert_eq!((&booked["id"], &booked["battery_id"]), (&json!(3), &json!(2)));
}

/// Makes the fixture of the schema as it is now.
fn write_fixture(name: &str) {
    let folder = directory();
    let data = folder.path();
    let [admin, revoked] = ["admin", "user"].map(|role| process::token(data, role, TEN_YEARS_S));
    let mut program = bellwire();
    program.env("BELLWIRE_LOGIN__SESSION", "3650d");
    // What is booked is over when the fixture is served, and not before.
    program.env("BELLWIRE_STATIONS__HOLD", "5s");
    let server = Process::serve_by(program, data, ANY_PORT, &[]);
    let _ = process::operate("tokens.revoke", json!({ "id": "tok_2" }), data);
    let connect = |query| traffic::open(server.address(), &admin, query).expect("it is there");
    // Its state is told like others, so it comes before the place that is kept.
    let sensor = write_sensor(&server, &admin);
    let talk = write_talk(&server, &admin);
    let mut writer = connect("");
    let mut reader = connect("?since=now");
    for (number, (entity, state)) in STATES.into_iter().enumerate() {
        writer.send(&create(entity, state, &number.to_string()));
        assert!(traffic::reply(&mut writer).contains(r#""success":true"#));
    }
    // What greets, then an event each.
    let told: Vec<String> = (0..=STATES.len() - MISSED).map(|_| reader.text()).collect();
    let told: Value = serde_json::from_str(&told[told.len() - 1]).expect("frames are JSON");
    let cursor = told["cursor"].as_str().expect("events have cursors").to_owned();
    drop((writer, reader));
    let user = write_user(&server, data);
    let client = write_client(&server, &admin);
    let station = write_station(&server, &admin);
    server.stop();
    let database = fs::read(data.join("bellwire.db")).expect("it can be read");
    let file = File::create(fixtures().join(format!("{name}.db.gz"))).expect("it can be made");
    let mut gzip = GzEncoder::new(file, Compression::best());
    gzip.write_all(&database).and_then(|()| gzip.finish()?.sync_all()).expect("it can be written");
    let beside = json!({ "admin": admin, "revoked": revoked, "cursor": cursor, "user": user,
                         "client": client, "sensor": sensor, "talk": talk, "station": station });
    fs::write(fixtures().join(format!("{name}.json")), format!("{beside:#}\n"))
        .expect("it is written");
}

/// Serves a copy of a fixture, and finds everything that was written into it.
fn check(name: &str) {
    let folder = directory();
    let data = folder.path();
    let gzip = File::open(fixtures().join(format!("{name}.db.gz"))).expect("the fixture is there");
    let mut database = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut database).expect("it is gzip");
    fs::write(data.join("bellwire.db"), database).expect("it can be written");
    let beside = fs::read_to_string(fixtures().join(format!("{name}.json"))).expect("it is there");
    let beside: Value = serde_json::from_str(&beside).expect("it is JSON");
    let text = |key: &str| beside[key].as_str().expect("it is a text").to_owned();

    let server = Process::serve(data, ANY_PORT, &[]);
    let connect = |token: &str, query: &str| {
        traffic::open(server.address(), token, query).expect("it is upgraded")
    };
    assert_eq!(connect(&text("revoked"), "").closed().1, Some(4401));
    if let Some(user) = beside.get("user") {
        check_user(&server, user);
    }
    let admin = text("admin");
    if let Some(client) = beside.get("client") {
        check_client(&server, client, &admin);
    }
    if let Some(sensor) = beside.get("sensor") {
        check_sensor(&server, sensor, &admin);
    }
    if let Some(talk) = beside.get("talk") {
        check_talk(&server, talk);
    }
    if let Some(station) = beside.get("station") {
        check_station(&server, station);
    }
    let mut reader = connect(&admin, &format!("?since={}", text("cursor")));
    let greeting: Value = serde_json::from_str(&reader.text()).expect("frames are JSON");
    assert_eq!((&greeting["type"], &greeting["replayed"]), (&json!("resumed"), &json!(MISSED)));
    for number in STATES.len() - MISSED..STATES.len() {
        let told = reader.text();
        assert!(told.starts_with(&event(number)), "{told}");
    }

    let mut client = connect(&admin, "");
    for (number, (entity, state)) in STATES.into_iter().enumerate() {
        let newest = STATES.iter().rfind(|(other, _)| *other == entity).expect("it is there").1;
        let attributes: Value = serde_json::from_str(ATTRIBUTES).expect("it is JSON");
        let ask = json!({ "type": "states:get", "entity_id": entity }).to_string();
        let got: Value = serde_json::from_str(&client.ask(&ask)).expect("replies are JSON");
        assert_eq!(
            (&got["data"]["state"], &got["data"]["attributes"]),
            (&json!(newest), &attributes)
        );
        // Its own row is there: an update that changes nothing shows it.
        let ask = json!({ "type": "states:update", "state_id": number + 1, "state": state });
        let got: Value = serde_json::from_str(&client.ask(&ask.to_string())).expect("it is JSON");
        assert_eq!(got["data"]["entity_id"], entity, "{got}");
    }
    // Ids and offsets go on from where they were.
    let made: Value = serde_json::from_str(&client.ask(&create("light.new", "on", "new")))
        .expect("replies are JSON");
    assert_eq!(made["data"]["state_id"], STATES.len() + 1);
    assert!(reader.text().contains(r#""entity_id":"light.new""#));
    assert_eq!(process::operate("tokens.get", json!({ "id": "tok_2" }), data)["revoked"], true);
    drop((client, reader));
    server.stop();
}

#[test]
fn data_directories_of_earlier_versions_are_served() {
    if std::env::var_os("BELLWIRE_TEST_WRITE_FIXTURE").is_some() {
        write_fixture("schema-8");
    }
    (1..=8).map(|version| format!("schema-{version}")).for_each(|name| check(&name));
}
