//! What the fields of devices and sensors may be: each at its bounds.

use serde_json::{Value, json};

use super::{House, items};

/// Each value in turn for the place `@` in the body of a request; it is taken, and then the answer shows it as
/// `field`, or refused with 422 in words that begin so.
#[track_caller]
fn check(
    house: &House,
    (method, path): (&str, &str),
    body: &str,
    field: &str,
    rows: &[(&str, &str)],
) {
    for (value, words) in rows {
        let ask = house.ask(method, path).header("Content-Type: application/json");
        let response = ask.body(body.replace('@', value).as_bytes()).send();
        let shown = if value.len() > 99 { "a long value" } else { value };
        let told =
            format!("{method} {path} {field} {shown}: {} {}", response.status, response.body);
        if words.is_empty() {
            assert!(matches!(response.status, 200 | 201), "{told}");
            let value: Value = serde_json::from_str(value).expect("a good value is JSON");
            assert_eq!(response.json()[field], value, "{told}");
            continue;
        }
        assert_eq!(response.status, 422, "{told}");
        let detail = response.json()["detail"].as_str().expect("it says why").to_owned();
        assert!(detail.starts_with(words) && detail.len() < 400, "{told}");
    }
}

const GOOD: &[&str] = &[
    "\"a\"",
    "\"Board (new)\"",
    // Text from right to left, and with its marks of direction; characters without a width.
    "\"\u{5de}\u{5d8}\u{5d1}\u{5d7}\"",
    "\"\u{202e}ab\u{202c}\"",
    "\"a\u{200b}b\u{200d}\"",
    "\"\u{200b}\"",
    r#""<script>alert(1)</script>""#,
    r#""\"><img src=x onerror=alert(1)>""#,
    r#""'; DROP TABLE sensors; --""#,
    r#""%s%n{}${7*7}""#,
    r#""null""#,
    r#""\u00e9""#,
];

const BAD: &[&str] = &[
    r#"" ""#,
    r#"" a""#,
    r#""a ""#,
    "\"a\u{a0}\"",
    "\"\u{3000}a\"",
    r#""a\n""#,
    r#""a\tb""#,
    r#""a\u0001b""#,
    r#""a\u007fb""#,
    r#""a\u0085b""#,
];

/// Texts of at most so many characters, and what is said of bad ones.
fn texts(field: &str, chars_max: usize, may_be_empty: bool) -> Vec<(String, String)> {
    let of = |text: &str, count: usize| format!("\"{}\"", text.repeat(count));
    let lengths = ["x", "\u{e9}", "\u{1f3e0}"].map(|text| of(text, chars_max));
    let long = [of("x", chars_max + 1), of("\u{1f3e0}", chars_max + 1), of("x", 60_000)];
    let good = GOOD.iter().map(|text| (*text).to_owned()).chain(lengths);
    let good = good.filter(|text| text.chars().count() - 2 <= chars_max);
    let empty = "\"\"".to_owned();
    let bad = BAD.iter().map(|text| (*text).to_owned()).chain(long);
    let (good, bad): (Vec<_>, Vec<_>) = match may_be_empty {
        true => (good.chain([empty]).collect(), bad.collect()),
        false => (good.collect(), bad.chain([empty]).collect()),
    };
    let types = ["null", "1", "true", "[]", "{}", "[\"a\"]", "1e300"];
    let good = good.into_iter().map(|text| (text, String::new()));
    let bad = bad.into_iter().map(|text| (text, format!("{field}: ")));
    let types = types.iter().map(|text| ((*text).to_owned(), format!("{field}: invalid type")));
    good.chain(bad).chain(types).collect()
}

fn rows(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts.iter().map(|(value, words)| (&**value, &**words)).collect()
}

#[test]
fn texts_of_devices_and_sensors() {
    let house = House::with_sensors(1);
    let names = texts("name", 128, false);
    check(&house, ("POST", "/api/devices"), r#"{"name":@}"#, "name", &rows(&names));
    let list = house.ask("GET", "/api/devices?limit=1000").send();
    assert_eq!(list.header("content-type"), Some("application/json"));
    assert_eq!(list.header("x-content-type-options"), Some("nosniff"));
    let shown: Vec<Value> = items(&list.json()).iter().map(|item| item["name"].clone()).collect();
    for (value, _) in names.iter().filter(|(_, words)| words.is_empty()) {
        let name: Value = serde_json::from_str(value).expect("a good name is JSON");
        assert!(shown.contains(&name), "{name}");
    }
    check(&house, ("PATCH", "/api/devices/1"), r#"{"name":@}"#, "name", &rows(&names));
    let missing = house.ask("POST", "/api/devices").json(&json!({})).refused(422, "INVALID");
    assert_eq!(missing.json()["detail"], "missing field `name`");

    let types = texts("sensor_type", 64, false);
    let of_one = r#"{"device_id":1,"sensor_type":@}"#;
    check(&house, ("POST", "/api/sensors"), of_one, "sensor_type", &rows(&types));
    check(
        &house,
        ("PATCH", "/api/sensors/1"),
        r#"{"sensor_type":@}"#,
        "sensor_type",
        &rows(&types),
    );
    let units = texts("unit", 32, true);
    let of_one = r#"{"device_id":1,"sensor_type":"a","unit":@}"#;
    check(&house, ("POST", "/api/sensors"), of_one, "unit", &rows(&units));
    check(&house, ("PATCH", "/api/sensors/1"), r#"{"unit":@}"#, "unit", &rows(&units));
    // What is called anything is told as it is called.
    let name = "\u{202e}<b>\"'&\u{200b}\u{5d0}";
    let change = json!({ "name": name });
    house.ask("PATCH", "/api/devices/1").json(&change).expect(200);
    let told = house.posts(&json!({ "sensor_id": 1, "value": 1 })).expect(201);
    assert_eq!(told["device_name"], name);
}

#[test]
fn numbers_and_choices() {
    let house = House::with_sensors(1);
    let status: &[(&str, &str)] = &[
        (r#""active""#, ""),
        (r#""inactive""#, ""),
        (r#""Active""#, "status: unknown variant"),
        (r#""""#, "status: unknown variant"),
        (r#""offline""#, "status: unknown variant"),
        ("null", "status: "),
        ("true", "status: "),
        ("1", "status: "),
        ("{}", "status: "),
    ];
    check(&house, ("POST", "/api/devices"), r#"{"name":"a","status":@}"#, "status", status);
    check(&house, ("PATCH", "/api/devices/1"), r#"{"status":@}"#, "status", status);
    let silence: &[(&str, &str)] = &[
        ("0", "silence_s: 1 to 31622400"),
        ("1", ""),
        ("300", ""),
        ("31622400", ""),
        ("31622401", "silence_s: 1 to 31622400"),
        ("-1", "silence_s: 1 to 31622400"),
        ("9223372036854775807", "silence_s: 1 to 31622400"),
        ("9223372036854775808", "silence_s: invalid"),
        ("1.0", "silence_s: invalid type"),
        ("1.5", "silence_s: invalid type"),
        ("1e400", "silence_s: a number that cannot be held"),
        (r#""1""#, "silence_s: invalid type"),
        ("null", "silence_s: invalid type"),
        ("[]", "silence_s: invalid type"),
    ];
    let one = r#"{"device_id":1,"sensor_type":"a","silence_s":@}"#;
    check(&house, ("POST", "/api/sensors"), one, "silence_s", silence);
    check(&house, ("PATCH", "/api/sensors/1"), r#"{"silence_s":@}"#, "silence_s", silence);
    let whole = "device_id: a whole number from 1 on";
    let devices: &[(&str, &str)] = &[
        ("1", ""),
        ("2", ""),
        ("4", "device_id: there is no such device"),
        ("9007199254740991", "device_id: there is no such device"),
        ("9007199254740992", whole),
        ("9007199254740993", whole),
        ("0", whole),
        ("-1", whole),
        ("1.0", "device_id: invalid type"),
        ("1e0", "device_id: invalid type"),
        ("1e400", "device_id: a number that cannot be held"),
        (r#""1""#, "device_id: invalid type"),
        ("null", "device_id: invalid type"),
        ("true", "device_id: invalid type"),
    ];
    check(
        &house,
        ("POST", "/api/sensors"),
        r#"{"device_id":@,"sensor_type":"a"}"#,
        "device_id",
        devices,
    );
    for (body, words) in [
        (json!({}), "missing field `device_id`"),
        (json!({ "device_id": 1 }), "missing field `sensor_type`"),
    ] {
        let refused = house.ask("POST", "/api/sensors").json(&body).refused(422, "INVALID");
        assert_eq!(refused.json()["detail"], words);
    }
}

#[test]
fn retention() {
    let house = House::with_sensors(1);
    let range = "retention: 1 to 36500 days, or null";
    let order = "retention: values by the hour are kept as long as readings or longer";
    let all = |raw: &str, hourly: &str, daily: &str| {
        format!(r#"{{"raw_days":{raw},"hourly_days":{hourly},"daily_days":{daily}}}"#)
    };
    let rows = [
        (all("1", "1", "1"), ""),
        (all("36500", "36500", "36500"), ""),
        (all("1", "2", "3"), ""),
        (all("1", "2", "null"), ""),
        (all("1", "null", "null"), ""),
        (all("null", "null", "null"), ""),
        (all("0", "1", "1"), range),
        (all("1", "0", "1"), range),
        (all("1", "1", "0"), range),
        (all("36501", "null", "null"), range),
        (all("1", "36501", "null"), range),
        (all("1", "1", "36501"), range),
        (all("-1", "1", "1"), range),
        (all("2", "1", "3"), order),
        (all("1", "3", "2"), order),
        (all("null", "1", "1"), order),
        (all("1", "null", "36500"), order),
        (all("1.0", "1", "1"), "retention.raw_days: invalid type"),
        (all("1", "\"1\"", "1"), "retention.hourly_days: invalid type"),
        (all("1", "1", "true"), "retention.daily_days: invalid type"),
        ("null".to_owned(), "retention: invalid type"),
        ("90".to_owned(), "retention: invalid type"),
        ("\"\"".to_owned(), "retention: invalid type"),
    ];
    let rows: Vec<_> = rows.iter().map(|(value, words)| (&**value, *words)).collect();
    let one = r#"{"device_id":1,"sensor_type":"a","retention":@}"#;
    check(&house, ("POST", "/api/sensors"), one, "retention", &rows);
    check(&house, ("PATCH", "/api/sensors/1"), r#"{"retention":@}"#, "retention", &rows);
    // What a change leaves out counts too.
    let change =
        |body: Value| house.ask("PATCH", "/api/sensors/1").json(&json!({ "retention": body }));
    let set = json!({ "raw_days": 10, "hourly_days": 20, "daily_days": 30 });
    assert_eq!(change(set.clone()).expect(200)["retention"], set);
    for wrong in
        [json!({ "raw_days": 21 }), json!({ "hourly_days": 9 }), json!({ "hourly_days": null })]
    {
        change(wrong).refused(422, "INVALID");
    }
    assert_eq!(house.ask("GET", "/api/sensors/1").expect(200)["retention"], set);
}

/// An alarm as it is sent, and as it is shown or why it is none.
#[test]
fn alarms() {
    let house = House::with_sensors(1);
    let shown = |above: &str, below: &str, hysteresis: &str, hold_off_s: &str| {
        let alarm = format!(
            r#"{{"above":{above},"below":{below},"hysteresis":{hysteresis},"hold_off_s":{hold_off_s}}}"#
        );
        Ok(alarm)
    };
    let needed = Err("alarm: above or below is needed");
    let split = Err("alarm: above must be over below, by more than twice the hysteresis");
    let rows: [(&str, Result<String, &str>); 30] = [
        ("null", Ok("null".to_owned())),
        (r#"{"above":30}"#, shown("30", "null", "0", "60")),
        (r#"{"above":-30.5}"#, shown("-30.5", "null", "0", "60")),
        (r#"{"below":0}"#, shown("null", "0", "0", "60")),
        (r#"{"above":30,"below":null}"#, shown("30", "null", "0", "60")),
        (r#"{"above":30.0,"below":10,"hysteresis":1e0}"#, shown("30", "10", "1", "60")),
        (r#"{"above":12.1,"below":10,"hysteresis":1}"#, shown("12.1", "10", "1", "60")),
        (r#"{"above":1e308,"below":-1e308}"#, shown("1e+308", "-1e+308", "0", "60")),
        (r#"{"above":1,"hold_off_s":31622400}"#, shown("1", "null", "0", "31622400")),
        (r#"{"above":1,"hysteresis":0,"hold_off_s":0,"else":1}"#, shown("1", "null", "0", "0")),
        (
            r#"{"above":1,"hold_off_s":31622401}"#,
            Err("alarm: hold_off_s: from 0 seconds to a year"),
        ),
        (r#"{"above":1,"hold_off_s":-1}"#, Err("alarm: hold_off_s: from 0 seconds to a year")),
        (r#"{"above":1,"hold_off_s":1.5}"#, Err("alarm.hold_off_s: invalid type")),
        (r#"{"above":1,"hold_off_s":null}"#, Err("alarm.hold_off_s: invalid type")),
        (r#"{"above":1,"hysteresis":-0.1}"#, Err("alarm: hysteresis: 0 or more")),
        (r#"{"above":1,"hysteresis":null}"#, Err("alarm.hysteresis: invalid type")),
        (r#"{"above":1,"hysteresis":"1"}"#, Err("alarm.hysteresis: invalid type")),
        (r#"{"above":12,"below":10,"hysteresis":1}"#, split.clone()),
        (r#"{"above":10,"below":10}"#, split.clone()),
        (r#"{"above":9,"below":10}"#, split),
        ("{}", needed.clone()),
        (r#"{"above":null,"below":null}"#, needed.clone()),
        (r#"{"hysteresis":1}"#, needed),
        (r#"{"above":"30"}"#, Err("alarm.above: invalid type")),
        (r#"{"below":true}"#, Err("alarm.below: invalid type")),
        (r#"{"above":1e400}"#, Err("alarm: a number that cannot be held")),
        ("[]", Err("alarm")),
        ("30", Err("alarm: invalid type")),
        (r#""above""#, Err("alarm: invalid type")),
        ("false", Err("alarm: invalid type")),
    ];
    for (method, path, body) in [
        ("POST", "/api/sensors", r#"{"device_id":1,"sensor_type":"a","alarm":@}"#),
        ("PATCH", "/api/sensors/1", r#"{"alarm":@}"#),
    ] {
        for (value, expected) in &rows {
            let ask = house.ask(method, path).header("Content-Type: application/json");
            let response = ask.body(body.replace('@', value).as_bytes()).send();
            let told = format!("{method} {value}: {} {}", response.status, response.body);
            match expected {
                Ok(alarm) => {
                    assert!(matches!(response.status, 200 | 201), "{told}");
                    assert!(
                        response.body.contains(&format!(r#""alarm":{alarm},"retention""#)),
                        "{told}"
                    );
                }
                Err(words) => {
                    assert_eq!(response.status, 422, "{told}");
                    let detail = response.json()["detail"].as_str().expect("words").to_owned();
                    assert!(detail.starts_with(words), "{told}");
                }
            }
        }
    }
}
