//! Who may do what, over HTTP and as calls of a stream; and what an open house lets guests do.

use serde_json::{Value, json};

use super::{House, items};
use crate::{
    harness::{Ask, Client, Over, Server},
    sensor_frames::told,
};

const NONE: &str = "authentication required";
const INVALID: &str = "token invalid, expired or revoked";
const NOT_THEIRS: &str = "this credential may not post for that sensor's device";

/// Who asks: an admin, a board of device 1, one of device 2, a user, a screen, a board of no device, nobody.
fn callers(house: &House) -> [Option<String>; 7] {
    let jane = house.server.user("jane", "user", &["states:write"]);
    [
        Some(house.admin.clone()),
        Some(house.board(1).text),
        Some(house.board(2).text),
        Some(house.server.token_of("user", &jane, &[]).text),
        Some(house.server.token("client", &["states:write"]).text),
        Some(house.server.token("device", &[]).text),
        None,
    ]
}

/// What each of them is answered.
type Statuses = [u16; 7];

const ANY: Statuses = [200, 200, 200, 200, 200, 200, 401];
const POSTS: Statuses = [201, 201, 403, 403, 403, 403, 401];
const ADMIN: Statuses = [0, 403, 403, 403, 403, 403, 401];

/// A route and its call, the body, and what each caller is answered; of those for admins alone what an admin is
/// answered is tested elsewhere.
fn rows() -> Vec<(&'static str, &'static str, &'static str, Value, Statuses)> {
    let one = json!({ "sensor_id": 1, "value": 1 });
    let device = |fields: Value| merged(json!({ "device_id": 1 }), fields);
    let sensor = |fields: Value| merged(json!({ "sensor_id": 1 }), fields);
    vec![
        ("GET", "/api/devices", "devices.list", json!({}), ANY),
        ("GET", "/api/devices/1", "devices.get", device(json!({})), ANY),
        ("GET", "/api/sensors", "sensors.list", json!({}), ANY),
        ("GET", "/api/sensors/1", "sensors.get", sensor(json!({})), ANY),
        ("GET", "/api/readings", "readings.latest", json!({}), ANY),
        ("GET", "/api/sensors/1/readings", "readings.list", sensor(json!({})), ANY),
        ("POST", "/api/readings", "readings.create", one.clone(), POSTS),
        ("POST", "/api/sensors/1/readings", "sensor_data", one, POSTS),
        ("POST", "/api/devices", "devices.create", json!({ "name": "Mine" }), ADMIN),
        ("PATCH", "/api/devices/1", "devices.change", device(json!({ "name": "Mine" })), ADMIN),
        ("DELETE", "/api/devices/1", "devices.delete", device(json!({})), ADMIN),
        ("POST", "/api/sensors", "sensors.create", device(json!({ "sensor_type": "mine" })), ADMIN),
        ("PATCH", "/api/sensors/1", "sensors.change", sensor(json!({ "unit": "mine" })), ADMIN),
        ("DELETE", "/api/sensors/1", "sensors.delete", sensor(json!({})), ADMIN),
    ]
}

fn merged(mut one: Value, other: Value) -> Value {
    let fields = one.as_object_mut().expect("it is one");
    fields.extend(other.as_object().expect("it is one").clone());
    one
}

/// What a call is answered, with an id by which the answer is known.
#[track_caller]
fn call(client: &mut Client, name: &str, fields: &Value) -> Value {
    let message = merged(json!({ "type": name, "id": "mine" }), fields.clone());
    client.send(&message.to_string());
    loop {
        let text = client.text();
        let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
        if frame["id"] == "mine" {
            return frame;
        }
    }
}

#[test]
fn each_call_by_each_caller() {
    let house = House::with_sensors(2);
    for (who, token) in callers(&house).iter().enumerate() {
        let mut stream = token.iter().map(|token| house.opens(token, "/ws/sensor-data/")).next();
        for (method, path, name, body, statuses) in rows() {
            let status = statuses[who];
            if status == 0 {
                continue;
            }
            let ask = house.server.ask(method, path);
            let ask = token.iter().fold(ask, |ask, token| ask.bearer(token));
            let ask = if method == "GET" { ask } else { ask.json(&body) };
            let response = ask.send();
            assert_eq!(response.status, status, "{who} {method} {path}: {response:?}");
            if status == 401 {
                assert_eq!(response.json()["code"], "UNAUTHENTICATED");
            }
            let Some(stream) = &mut stream else { continue };
            let frame = call(stream, name, &body);
            let told = format!("{who} {name}: {frame}");
            if status == 403 {
                assert_eq!(response.json()["code"], "FORBIDDEN", "{response:?}");
                assert_eq!(
                    (&frame["type"], &frame["code"]),
                    (&json!("error"), &json!("FORBIDDEN")),
                    "{told}"
                );
                assert_eq!(frame["message"], response.json()["detail"], "{told}");
            } else {
                assert_eq!(frame["success"], true, "{told}");
                assert_eq!(frame["type"], format!("{name}:response"), "{told}");
            }
        }
    }
    for path in ["/ws/sensor-data/", "/ws/device/1/", "/ws/sensor/1/"] {
        let error = format!(r#"{{"type":"error","message":"{NONE}","code":"UNAUTHENTICATED"}}"#);
        assert_eq!(house.server.dial(path).open().closed(), (vec![error], Some(4401)), "{path}");
    }
    assert_eq!(items(&house.ask("GET", "/api/devices").expect(200)).len(), 2);
    assert_eq!(house.ask("GET", "/api/sensors/1").expect(200)["unit"], "celsius");
    // Two by each of the admin and the board of its device, over each of two routes.
    assert_eq!(items(&house.readings(1, "")).len(), 8);
}

/// A board posts for its own device and no other: what is refused is stored nowhere and told to nobody.
#[test]
fn a_board_that_posts_for_another() {
    let house = House::with_sensors(2);
    let mut listener = house.listener();
    for (who, token) in callers(&house).into_iter().enumerate() {
        let Some(token) = token.filter(|_| who > 1) else { continue };
        let ask = |path: &str| house.server.ask("POST", path).bearer(&token);
        let one = json!({ "sensor_id": 1, "value": 1 });
        let refused = ask("/api/readings").json(&one).refused(403, "FORBIDDEN");
        assert_eq!(refused.json()["detail"], NOT_THEIRS, "{who}");
        ask("/api/sensors/1/readings").json(&json!({ "value": 1 })).refused(403, "FORBIDDEN");
        // It claims to be another.
        let claims =
            json!({ "sensor_id": 1, "value": 1, "device_id": 1, "deviceId": "1", "role": "admin" });
        ask("/api/readings").json(&claims).refused(403, "FORBIDDEN");
        let report = ask("/api/readings").json(&json!([one, one])).expect(200);
        let codes: Vec<_> = report["refused"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["code"].clone())
            .collect();
        assert_eq!((&report["stored"], codes), (&json!(0), vec![json!("FORBIDDEN"); 2]), "{who}");
        for path in ["/ws/sensor-data/", "/ws/device/1/", "/ws/sensor/1/"] {
            let mut stream = house.opens(&token, path);
            let said = stream.ask(r#"{"type":"sensor_data","sensor_id":1,"value":1}"#);
            let error =
                format!(r#"{{"type":"error","message":"{NOT_THEIRS}","code":"FORBIDDEN"}}"#);
            assert_eq!(said, error, "{who} {path}");
        }
    }
    // Among several it may post its own.
    let own = house.board(2).text;
    let several = json!([{ "sensor_id": 1, "value": 1 }, { "sensor_id": 2, "value": 2 }]);
    let report = house.server.ask("POST", "/api/readings").bearer(&own).json(&several).expect(201);
    assert_eq!((&report["stored"], &report["refused"][0]["index"]), (&json!(1), &json!(0)));
    let heard = told(&mut listener);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard.iter().all(|frame| frame.contains(r#""device_id":2,"#)), "{heard:?}");
    assert_eq!(house.readings(1, "")["items"], json!([]));
}

#[test]
fn a_board_whose_token_was_revoked() {
    let house = House::with_sensors(1);
    let (board, other) = (house.board(1), house.board(1));
    let post = |token: &str| {
        let body = json!({ "sensor_id": 1, "value": 1 });
        house.server.ask("POST", "/api/readings").bearer(token).json(&body)
    };
    let [mut stream, mut theirs] =
        [&board, &other].map(|token| house.opens(&token.text, "/ws/device/1/"));
    post(&board.text).expect(201);
    house.ask("DELETE", &format!("/api/tokens/{}", board.id)).expect(204);
    post(&board.text).refused(401, "UNAUTHENTICATED");
    let (said, code) = stream.closed();
    let last = r#"{"type":"error","message":"token revoked","code":"UNAUTHENTICATED"}"#;
    assert_eq!((said.last().map(|said| &**said), code), (Some(last), Some(4401)), "{said:?}");
    let refused = house.server.dial("/ws/device/1/").bearer(&board.text).open().closed();
    assert!(refused.0[0].contains(INVALID) && refused.1 == Some(4401), "{refused:?}");
    // Another token of the same board is as good as before.
    post(&other.text).expect(201);
    assert_eq!(told(&mut theirs).len(), 3);
    assert_eq!(items(&house.readings(1, "")).len(), 2);
}

fn open_house() -> House {
    let house = House::of(Server::with(&[("SENSORS__ACCESS", "open")]));
    house.add_sensors(2);
    house
}

#[test]
fn guests_of_an_open_house() {
    let house = open_house();
    let ask = |method: &str, path: &str| house.server.ask(method, path);
    let mut streams = ["/ws/sensor-data/", "/ws/device/1/", "/ws/sensor/1/"]
        .map(|path| house.server.dial(path).open());
    for stream in &mut streams {
        assert_eq!(told(stream), [""; 0]);
    }
    let mut bearer = house.listener();
    let mut session = house.server.socket_io().open(Over::Socket);
    session.enter("/sensors", &json!({}));
    let made =
        ask("POST", "/api/readings").json(&json!({ "sensor_id": 1, "value": 4 })).expect(201);
    assert_eq!(made["value"], 4);
    // A device that is heard for the first time is told of too.
    assert_eq!(streams.each_mut().map(|stream| told(stream).len()), [2, 2, 1]);
    assert_eq!(told(&mut bearer).len(), 2);
    let heard = [session.packet(), session.packet()];
    assert!(
        heard[0].starts_with(r#"42/sensors,["sensor_data_update",{"sensor_id":1,"#),
        "{heard:?}"
    );
    assert!(heard[1].starts_with(r#"42/sensors,["device_status",{"#), "{heard:?}");
    // They post in every way,
    streams[2].send(r#"{"type":"sensor_data","sensor_id":1,"value":5}"#);
    assert_eq!(told(&mut streams[2]).len(), 1);
    session.packet();
    session.send(r#"42/sensors,7["sensor_data",{"sensor_id":1,"value":6}]"#);
    let both = [session.packet(), session.packet()];
    assert!(
        both.iter()
            .any(|p| p.starts_with(r#"43/sensors,7[{"success":true,"data":{"sensor_id":1,"#)),
        "{both:?}"
    );
    ask("POST", "/api/sensors/1/readings").json(&json!([{ "value": 7 }])).expect(201);
    // and read.
    for path in
        ["/api/devices", "/api/devices/1", "/api/sensors", "/api/sensors/1", "/api/readings"]
    {
        ask("GET", path).expect(200);
    }
    let read = ask("GET", "/api/sensors/1/readings").expect(200);
    let values: Vec<&Value> = items(&read).iter().map(|item| &item["value"]).collect();
    assert_eq!(values, [&json!(7), &json!(6), &json!(5), &json!(4)]);
    // A token counts as what it is: a board's is for its device, a user's for none.
    for token in [house.board(2).text, house.server.token("user", &[]).text] {
        let post = ask("POST", "/api/readings").bearer(&token);
        post.json(&json!({ "sensor_id": 1, "value": 1 })).refused(403, "FORBIDDEN");
    }
}

#[test]
fn what_an_open_house_keeps_closed() {
    let house = open_house();
    let ask = |method: &str, path: &str| house.server.ask(method, path);
    for (method, path, _, body, statuses) in rows() {
        if statuses == ADMIN {
            ask(method, path).json(&body).refused(401, "UNAUTHENTICATED");
        }
    }
    let entity = "sensor.device_1_temperature";
    let (state, history) =
        (format!("/api/states/{entity}"), format!("/api/states/{entity}/history"));
    for (method, path) in [
        ("GET", "/api/states"),
        ("GET", &state),
        ("GET", &history),
        ("POST", "/api/states/light.a"),
        ("GET", "/api/areas"),
        ("GET", "/api/users"),
        ("GET", "/api/tokens"),
        ("GET", "/api/notifications"),
        ("GET", "/api/auth/verify"),
    ] {
        ask(method, path).json(&json!({ "state": "on" })).refused(401, "UNAUTHENTICATED");
    }
    let mut stream = house.server.dial("/ws/sensor-data/").open();
    for name in ["devices.create", "devices.delete", "sensors.change"] {
        let fields = json!({ "name": "Mine", "device_id": 1, "sensor_id": 1 });
        let frame = call(&mut stream, name, &fields);
        assert_eq!(frame["code"], "UNAUTHENTICATED", "{name}: {frame}");
    }
    for name in ["states:get", "subscribe_entities", "users.list"] {
        let frame = call(&mut stream, name, &json!({ "entity_id": entity }));
        assert_eq!(frame["code"], "UNKNOWN_TYPE", "{name}: {frame}");
    }
    let mut session = house.server.socket_io().open(Over::Socket);
    for namespace in ["/", "/states", "/areas"] {
        session.is_refused(namespace, &json!({}), NONE);
    }
    session.is_refused(
        "/sensors",
        &json!({ "topics": ["states"] }),
        r#"topics: unknown topic "states""#,
    );
    assert_eq!(items(&house.ask("GET", "/api/devices").expect(200)).len(), 2);
}

/// A page of elsewhere is no guest, nor is who shows something that is no good.
#[test]
fn who_is_no_guest() {
    let house = open_house();
    let reading = json!({ "sensor_id": 1, "value": 1 });
    for (from, (lines, status, close)) in (10..).zip([
        (&["Origin: http://evil.example"][..], 403, 4403),
        (&["Origin: null"], 403, 4403),
        (&["Origin: http://localhost:81"], 403, 4403),
        (&["Authorization: Bearer bad"], 401, 4401),
        (&["Origin: http://localhost", "Cookie: bellwire_session=bad"], 401, 4401),
        (&["Origin: http://evil.example", "Authorization: Bearer bad"], 401, 4401),
    ]) {
        let with =
            |ask: Ask| lines.iter().fold(ask.from(from), |ask, line| ask.header(line)).send();
        for response in [
            with(house.server.ask("GET", "/api/readings")),
            with(house.server.ask("POST", "/api/readings").json(&reading)),
            with(house.server.ask("POST", "/api/sensors/1/readings").json(&reading)),
        ] {
            assert_eq!(response.status, status, "{lines:?}: {response:?}");
        }
        for path in ["/ws/sensor-data/", "/ws/device/1/", "/ws/sensor/1/"] {
            let dial = house.server.dial(path).from(from);
            let (said, code) =
                lines.iter().fold(dial, |dial, line| dial.header(line)).open().closed();
            assert_eq!((said.len(), code), (1, Some(close)), "{lines:?}: {said:?}");
        }
        let handshake = house.server.socket_io().from(from);
        let handshake = lines.iter().fold(handshake, |shake, line| shake.header(line));
        let said = handshake.open(Over::Socket).says("40/sensors,{}");
        assert!(said.starts_with("44/sensors,"), "{lines:?}: {said}");
    }
    let mut session = house.server.socket_io().open(Over::Socket);
    session.is_refused("/sensors", &json!({ "token": "bad" }), INVALID);
    assert_eq!(house.readings(1, "")["items"], json!([]));
    // Its own pages are, and those that the operator lists would be.
    let own = house.server.ask("POST", "/api/readings").header("Origin: http://localhost");
    own.json(&reading).expect(201);
}
