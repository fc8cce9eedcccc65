//! What becomes of a reading that is posted, and what it may be.

use serde_json::{Value, json};

use super::{House, items, told_of};
use crate::{harness::Response, sensor_frames::told};

/// Posts a body as it is written.
fn posts(house: &House, path: &str, body: &str) -> Response {
    let ask = house.ask("POST", path).header("Content-Type: application/json");
    ask.body(body.as_bytes()).send()
}

/// A reading as it is told.
fn update(value: &str, timestamp: &str) -> String {
    format!(
        r#"{{"sensor_id":1,"sensor_type":"temperature","device_id":1,"device_name":"Device 1","value":{value},"unit":"celsius","timestamp":"{timestamp}"}}"#
    )
}

const FIRST: &str = "2025-09-11T15:30:00Z";

/// What is known of the sensor's newest reading: its value and time.
fn latest(house: &House) -> Value {
    let latest = house.ask("GET", "/api/readings").expect(200);
    let of = &latest["items"][0];
    json!([of["value"], of["timestamp"]])
}

/// Replays, corrections and late ones, one after the other: how each is answered, whether it is told, and what is
/// known then.
#[test]
fn what_becomes_of_a_reading() {
    let house = House::with_sensors(1);
    let mut listener = house.listener();
    let [one, two, zero] = [FIRST, "2025-09-11T15:31:00Z", "2025-09-11T15:29:00Z"];
    let mut steps = 0;
    for (value, timestamp, status, is_told, known) in [
        ("25.5", one, 201, true, json!([25.5, one])),
        // The same again is known,
        ("25.5", one, 200, false, json!([25.5, one])),
        ("25.50", "2025-09-11T17:30:00.000+02:00", 200, false, json!([25.5, one])),
        // another value of that time corrects it,
        ("26", one, 200, true, json!([26, one])),
        ("26", one, 200, false, json!([26, one])),
        ("25.5", one, 200, true, json!([25.5, one])),
        // and what is newer is the newest.
        ("27", two, 201, true, json!([27, two])),
        // What is late is stored and told, corrected and told, and known; the newest it never is.
        ("20", zero, 201, true, json!([27, two])),
        ("21", zero, 200, true, json!([27, two])),
        ("21", zero, 200, false, json!([27, two])),
        ("25.6", one, 200, true, json!([27, two])),
        // The same value at another time is another reading.
        (
            "27",
            "2025-09-11T15:31:00.000001Z",
            201,
            true,
            json!([27, "2025-09-11T15:31:00.000001Z"]),
        ),
    ] {
        let body = format!(r#"{{"sensor_id":1,"value":{value},"timestamp":"{timestamp}"}}"#);
        let response = posts(&house, "/api/readings", &body);
        let is_new = status == 201;
        let correction = !is_new && is_told;
        // A correction answers as what is there already, or as a new one: it is told in any case.
        let expected: &[u16] = if correction { &[200, 201] } else { &[status] };
        assert!(expected.contains(&response.status), "{body}: {response:?}");
        let utc = timestamp.replace("17:30:00.000+02:00", "15:30:00Z");
        assert_eq!(response.body, update(&value.replace("25.50", "25.5"), &utc), "{body}");
        let heard = told_of(&mut listener, "sensor_data_update");
        assert_eq!(heard.len(), usize::from(is_told), "{body}: {heard:?}");
        assert_eq!(latest(&house), known, "{body}");
        steps += 1;
    }
    assert_eq!(steps, 12);
    let stored = house.readings(1, "");
    let stored: Vec<&Value> = items(&stored).iter().map(|item| &item["value"]).collect();
    assert_eq!(stored, [&json!(27), &json!(27), &json!(25.6), &json!(21)]);
}

/// What comes late says nothing of its device, alone or with others.
#[test]
fn what_is_late_wakes_no_device() {
    let house = House::with_sensors(1);
    let mut listener = house.listener();
    let post = |value: i64, timestamp: &str| {
        house.posts(&json!({ "sensor_id": 1, "value": value, "timestamp": timestamp })).send()
    };
    let status = || house.ask("GET", "/api/devices/1").expect(200)["status"].clone();
    assert_eq!(post(1, FIRST).status, 201);
    assert_eq!(status(), "active");
    assert_eq!(told_of(&mut listener, "device_status").len(), 1);
    house.ask("PATCH", "/api/devices/1").json(&json!({ "status": "inactive" })).expect(200);
    assert_eq!(told_of(&mut listener, "device_status").len(), 1);
    assert_eq!(post(2, "2025-09-11T15:29:00Z").status, 201);
    assert_eq!(post(1, FIRST).status, 200);
    let late = json!([{ "sensor_id": 1, "value": 3, "timestamp": "2025-09-11T15:28:00Z" }]);
    house.posts(&late).expect(201);
    assert_eq!(status(), "inactive");
    assert_eq!(told_of(&mut listener, "device_status"), [Value::Null; 0]);
    assert_eq!(post(2, "2025-09-11T15:32:00Z").status, 201);
    assert_eq!(status(), "active");
    assert_eq!(told_of(&mut listener, "device_status").len(), 1);
}

#[test]
fn many_that_bear_no_time_have_one_each() {
    let house = House::with_sensors(2);
    // The time of the whole batch is one; sensors share no microseconds.
    let readings: Vec<Value> = (0..500).map(|n| json!({ "sensor_id": 1, "value": n })).collect();
    for batch in 0..2 {
        let report = house.posts(&json!({ "readings": readings })).expect(201);
        let expected = json!({ "stored": 500, "corrected": 0, "replayed": 0, "refused": [] });
        assert_eq!(report, expected, "batch {batch}");
    }
    let same = json!([{ "sensor_id": 2, "value": 1 }, { "sensor_id": 2, "value": 1 }]);
    assert_eq!(house.posts(&same).expect(201)["stored"], 2);
    let all = house.readings(1, "?limit=1000");
    assert_eq!(all["next"], Value::Null);
    let values: Vec<i64> =
        items(&all).iter().rev().map(|item| item["value"].as_i64().expect("whole")).collect();
    let expected: Vec<i64> = (0..500).chain(0..500).collect();
    assert_eq!(values, expected);
    // Times are told in whole seconds; the file has them to the microsecond.
    assert!(
        items(&all).iter().all(|item| item["timestamp"].as_str().is_some_and(|t| t.len() == 20))
    );
    let database =
        rusqlite::Connection::open(house.server.data().join("bellwire.db")).expect("it opens");
    let sql = "SELECT count(DISTINCT at) FROM readings WHERE sensor_id = 1 AND delay IS NULL";
    let count: i64 = database.query_row(sql, [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 1_000);
}

/// One field of a reading in turn for the place `@`: as it is shown, or how it is refused.
#[track_caller]
fn check(body: &str, field: &str, rows: &[(&str, Result<&str, &str>)]) {
    let house = House::with_sensors(1);
    let mut listener = house.listener();
    for (value, expected) in rows {
        let body = body.replace('@', value);
        let one = posts(&house, "/api/readings", &body);
        let several = posts(&house, "/api/readings", &format!("[{body}]"));
        let heard = told(&mut listener);
        match expected {
            Ok(shown) => {
                assert!(matches!(one.status, 200 | 201), "{body}: {one:?}");
                let json = one.json();
                assert_eq!(json[field].to_string(), *shown, "{body}: {one:?}");
                assert!(matches!(several.status, 200 | 201), "{body}: {several:?}");
                assert_eq!(several.json()["refused"], json!([]), "{body}");
            }
            Err(code) => {
                let told = format!("{body}: {one:?} {several:?}");
                assert_eq!((one.status, &one.json()["code"]), (422, &json!(code)), "{told}");
                assert!(heard.is_empty(), "{body}: {heard:?}");
                // A number that cannot be held is no JSON here: several with one are refused as a whole.
                if value.contains("e400") {
                    assert_eq!(
                        (several.status, &several.json()["code"]),
                        (422, &json!("INVALID")),
                        "{told}"
                    );
                    continue;
                }
                let report = several.json();
                assert_eq!(several.status, 200, "{told}");
                assert_eq!(report["refused"][0]["code"], *code, "{told}");
                assert_eq!(report["refused"][0]["index"], 0, "{told}");
                assert_eq!(report["refused"][0]["message"], one.json()["detail"], "{told}");
            }
        }
    }
}

#[test]
fn values() {
    const NONE: Result<&str, &str> = Err("INVALID_VALUE");
    check(
        r#"{"sensor_id":1,"value":@}"#,
        "value",
        &[
            ("0", Ok("0")),
            ("-0.0", Ok("0")),
            ("-0", Ok("0")),
            ("1.0", Ok("1")),
            ("25.50", Ok("25.5")),
            ("-273.15", Ok("-273.15")),
            ("2.5e1", Ok("25")),
            ("9007199254740992", Ok("9007199254740992")),
            ("9007199254740993", Ok("9007199254740992")),
            ("18446744073709551615", Ok("1.8446744073709552e+19")),
            ("123456789012345678901234567890", Ok("1.2345678901234568e+29")),
            ("0.1", Ok("0.1")),
            ("5e-324", Ok("5e-324")),
            ("1e-400", Ok("0")),
            ("1.7976931348623157e308", Ok("1.7976931348623157e+308")),
            ("1e400", NONE),
            ("-1e400", NONE),
            (r#""1""#, NONE),
            (r#""NaN""#, NONE),
            ("true", NONE),
            ("null", NONE),
            ("[1]", NONE),
            ("{}", NONE),
        ],
    );
}

#[test]
fn numbers_of_sensors() {
    const NONE: Result<&str, &str> = Err("INVALID_SENSOR_ID");
    check(
        r#"{"sensor_id":@,"value":1}"#,
        "sensor_id",
        &[
            ("1", Ok("1")),
            ("0", NONE),
            ("-1", NONE),
            ("1.0", NONE),
            ("1e0", NONE),
            ("1.5", NONE),
            ("9007199254740992", NONE),
            ("9007199254740993", NONE),
            ("9223372036854775808", NONE),
            ("1e400", NONE),
            (r#""1""#, NONE),
            (r#""""#, NONE),
            ("null", NONE),
            ("true", NONE),
            ("[1]", NONE),
            ("{}", NONE),
        ],
    );
}

#[test]
fn timestamps() {
    const NONE: Result<&str, &str> = Err("INVALID_TIMESTAMP");
    check(
        r#"{"sensor_id":1,"value":1,"timestamp":@}"#,
        "timestamp",
        &[
            (r#""2025-09-11T15:30:00Z""#, Ok(r#""2025-09-11T15:30:00Z""#)),
            (r#""2025-09-11T15:30:00z""#, Ok(r#""2025-09-11T15:30:00Z""#)),
            (r#""2025-09-11T15:30:00+00:00""#, Ok(r#""2025-09-11T15:30:00Z""#)),
            (r#""2025-09-11T17:30:00+02:00""#, Ok(r#""2025-09-11T15:30:00Z""#)),
            (r#""2025-09-11T04:45:00-10:45""#, Ok(r#""2025-09-11T15:30:00Z""#)),
            (r#""2025-09-11T15:30:00.5Z""#, Ok(r#""2025-09-11T15:30:00.5Z""#)),
            (r#""2025-09-11T15:30:00.050Z""#, Ok(r#""2025-09-11T15:30:00.05Z""#)),
            (r#""2025-09-11T15:30:00.123456Z""#, Ok(r#""2025-09-11T15:30:00.123456Z""#)),
            (r#""2025-09-11T17:30:00.000001+02:00""#, Ok(r#""2025-09-11T15:30:00.000001Z""#)),
            (r#""2024-02-29T00:00:00Z""#, Ok(r#""2024-02-29T00:00:00Z""#)),
            (r#""1970-01-01T00:00:00Z""#, Ok(r#""1970-01-01T00:00:00Z""#)),
            (r#""1969-12-31T23:59:59.999999Z""#, NONE),
            (r#""0001-01-01T00:00:00Z""#, NONE),
            // Another hand than it would need is none.
            (r#""2025-02-29T00:00:00Z""#, NONE),
            (r#""2025-02-30T00:00:00Z""#, NONE),
            (r#""2025-13-01T00:00:00Z""#, NONE),
            (r#""2025-09-11T24:00:00Z""#, NONE),
            (r#""2025-09-11T15:60:00Z""#, NONE),
            (r#""2025-09-11T15:30:61Z""#, NONE),
            (r#""2025-09-11T15:30:00""#, NONE),
            (r#""2025-09-11T15:30:00+99:00""#, NONE),
            (r#""2025-09-11""#, NONE),
            (r#""15:30:00Z""#, NONE),
            (r#""11.09.2025 15:30""#, NONE),
            (r#""1757604600""#, NONE),
            (r#"" 2025-09-11T15:30:00Z""#, NONE),
            (r#""2025-09-11T15:30:00Z ""#, NONE),
            (r#""99999-01-01T00:00:00Z""#, NONE),
            (r#""9999-12-31T23:59:59Z""#, NONE),
            (r#""""#, NONE),
            (r#""now""#, NONE),
            ("1757604600", NONE),
            ("1757604600.5", NONE),
            ("1e400", NONE),
            ("null", NONE),
            ("true", NONE),
            ("[]", NONE),
            ("{}", NONE),
        ],
    );
}

/// A device's clock may be ahead, but not by more than five minutes. To the microsecond that is tested beside the
/// rule; here, as near as two clocks come.
#[test]
fn how_far_ahead_a_clock_may_be() {
    let house = House::with_sensors(1);
    let post = |ahead_s: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead_s);
        house.posts(&json!({ "sensor_id": 1, "value": 1, "timestamp": at.to_string() })).send()
    };
    assert_eq!(post(299).status, 201);
    for ahead_s in [330, 3_600, 86_400 * 366] {
        let refused = post(ahead_s);
        let code = &refused.json()["code"];
        assert_eq!((refused.status, code), (422, &json!("INVALID_TIMESTAMP")), "{ahead_s}");
    }
    // What the server stamps meanwhile is before that: it is late, and has a time of its own each.
    let before = latest(&house);
    for _ in 0..3 {
        house.posts(&json!({ "sensor_id": 1, "value": 2 })).expect(201);
    }
    assert_eq!(latest(&house), before);
    assert_eq!(items(&house.readings(1, "")).len(), 4);
}

#[test]
fn how_many_at_once() {
    let house = House::with_sensors(1);
    let of = |count: usize| {
        let readings: Vec<Value> = (0..count).map(|n| json!({ "value": n })).collect();
        house.ask("POST", "/api/sensors/1/readings").json(&json!(readings)).send()
    };
    for count in [0, 501, 1_000] {
        let refused = of(count);
        assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("INVALID")), "{count}");
        assert_eq!(refused.json()["detail"], "readings: 1 to 500");
    }
    assert_eq!(house.readings(1, "")["items"], json!([]));
    for count in [1, 500] {
        assert_eq!(of(count).json()["stored"], count);
    }
    let pages = super::pages(|query| house.readings(1, &format!("?{query}")), 100);
    assert_eq!(pages.len(), 501);
    for (body, code) in [
        (r#"{"readings":null}"#, "INVALID"),
        (r#"{"readings":{}}"#, "INVALID"),
        (r#"{"readings":"x"}"#, "INVALID"),
        (r#"{"readings":5,"sensor_id":1,"value":1}"#, "INVALID"),
        ("{}", "INVALID_SENSOR_ID"),
        (r#"{"Sensor_id":1,"value":1}"#, "INVALID_SENSOR_ID"),
        (r#"{"sensor_id":1}"#, "INVALID_VALUE"),
        (r#"{"sensor_id":1,"Value":1}"#, "INVALID_VALUE"),
        (r#"{"sensor_id":2,"value":1}"#, "UNKNOWN_SENSOR"),
    ] {
        let refused = posts(&house, "/api/readings", body);
        let status = if code == "UNKNOWN_SENSOR" { 404 } else { 422 };
        assert_eq!((refused.status, &refused.json()["code"]), (status, &json!(code)), "{body}");
    }
}

/// Bad ones among good ones: these are told by their places, the others are stored and told.
#[test]
fn some_are_taken_and_some_are_not() {
    let house = House::with_sensors(2);
    let mut listener = house.listener();
    let batch = json!([
        { "sensor_id": 1, "value": 1 },
        { "sensor_id": 9, "value": 2 },
        { "sensor_id": 2, "value": "x" },
        { "sensor_id": 2, "value": 3, "timestamp": FIRST },
        { "sensor_id": 2, "value": 3, "timestamp": FIRST },
        { "sensor_id": 2, "value": 4, "timestamp": FIRST },
        { "sensor_id": 2, "value": 4, "timestamp": "x" },
        7,
        null,
        [],
        { "sensor_id": 2, "value": 5 },
    ]);
    let report = house.posts(&batch).expect(201);
    let counts = [&report["stored"], &report["corrected"], &report["replayed"]];
    assert_eq!(counts, [&json!(3), &json!(1), &json!(1)], "{report}");
    let refused = report["refused"].as_array().expect("a list");
    let refused: Vec<_> = refused.iter().map(|one| json!([one["index"], one["code"]])).collect();
    let expected = [
        json!([1, "UNKNOWN_SENSOR"]),
        json!([2, "INVALID_VALUE"]),
        json!([6, "INVALID_TIMESTAMP"]),
        json!([7, "INVALID"]),
        json!([8, "INVALID"]),
        json!([9, "INVALID"]),
    ];
    assert_eq!(refused, expected, "{report}");
    let heard = told_of(&mut listener, "sensor_data_update");
    let heard: Vec<_> =
        heard.iter().map(|update| json!([update["sensor_id"], update["value"]])).collect();
    assert_eq!(heard, [json!([1, 1]), json!([2, 3]), json!([2, 4]), json!([2, 5])]);
    let all_bad = json!([{ "sensor_id": 9, "value": 1 }]);
    let report = house.posts(&all_bad).expect(200);
    assert_eq!(
        (&report["stored"], report["refused"].as_array().map(Vec::len)),
        (&json!(0), Some(1))
    );
    assert_eq!(told(&mut listener), [""; 0]);
}

/// The path says of which sensor readings are; those that say otherwise are refused.
#[test]
fn a_sensor_in_the_path_and_one_in_the_body() {
    let house = House::with_sensors(2);
    let path = "/api/sensors/1/readings";
    assert_eq!(posts(&house, path, r#"{"value":1}"#).json()["sensor_id"], 1);
    assert_eq!(posts(&house, path, r#"{"value":2,"sensor_id":1}"#).json()["sensor_id"], 1);
    let batch = r#"[{"value":3},{"value":4,"sensor_id":1},{"value":5,"sensor_id":2},{"value":6,"sensor_id":"1"}]"#;
    let report = posts(&house, path, batch).json();
    assert_eq!(report["stored"], 2, "{report}");
    let refused = report["refused"].as_array().expect("a list");
    let refused: Vec<_> = refused.iter().map(|one| json!([one["index"], one["code"]])).collect();
    assert_eq!(refused, [json!([2, "SENSOR_MISMATCH"]), json!([3, "SENSOR_MISMATCH"])]);
    for other in [r#""value":9"#, r#""value":"x""#, r#""readings":[{"value":9}]"#] {
        for sensor in ["2", "7", "1.0", r#""1""#, "null"] {
            let refused = posts(&house, path, &format!(r#"{{"sensor_id":{sensor},{other}}}"#));
            let code = &refused.json()["code"];
            assert_eq!(
                (refused.status, code),
                (422, &json!("SENSOR_MISMATCH")),
                "{sensor} {other}"
            );
        }
    }
    let both = posts(
        &house,
        path,
        r#"{"sensor_id":1,"readings":[{"value":7},{"value":8,"sensor_id":2}]}"#,
    );
    assert_eq!(
        (&both.json()["stored"], &both.json()["refused"][0]["index"]),
        (&json!(1), &json!(1))
    );
    let of_one = house.readings(1, "");
    let values: Vec<&Value> = items(&of_one).iter().map(|item| &item["value"]).collect();
    assert_eq!(values, [&json!(7), &json!(4), &json!(3), &json!(2), &json!(1)]);
    assert_eq!(house.readings(2, "")["items"], json!([]));
}
