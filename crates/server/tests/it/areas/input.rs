//! What fields may be: each at its bounds, and bodies that are none.

use serde_json::{Value, json};

use super::{House, patiently, text};

/// Each value in turn for the place `@` in the body of a request; it is taken, and then the answer shows it as
/// `field`, or refused with 422 in words that begin so.
fn check(
    house: &House,
    (method, path): (&str, &str),
    body: &str,
    field: &str,
    rows: &[(&str, &str)],
) {
    for (place, (value, words)) in rows.iter().enumerate() {
        // From an address of its own: a screen begins 10 times a minute.
        let ask = house.ask(method, path).from(2 + place as u8);
        let ask = ask.header("Content-Type: application/json");
        let response = patiently(&ask.body(body.replace('@', value).as_bytes()));
        let shown = if value.len() > 99 { "a long value" } else { value };
        let told = format!("{method} {path} {shown}: {} {}", response.status, response.body);
        if words.is_empty() {
            assert!(matches!(response.status, 200 | 201), "{told}");
            let value: Value = serde_json::from_str(value).expect("a good value is JSON");
            assert_eq!(response.json()[field], value, "{told}");
            continue;
        }
        assert_eq!((response.status, &response.json()["code"]), (422, &json!("INVALID")), "{told}");
        let detail = text(&response.json(), "detail");
        assert!(detail.starts_with(words) && detail.len() < 400, "{told}");
    }
}

/// Names at their bounds: `field` says so when one is none.
fn names(field: &str) -> Vec<(String, String)> {
    let of = |text: &str, count: usize| format!("\"{}\"", text.repeat(count));
    let wrong = format!(
        "{field}: 1 to 128 characters, none of them a control character or blank at an end"
    );
    let typed = format!("{field}: invalid type");
    let good = [
        of("x", 1),
        of("x", 128),
        of("\u{e9}", 128),
        of("\u{1f3e0}", 128),
        r#""Kitchen (Updated)""#.into(),
        r#""a b""#.into(),
        // Text from right to left, and with its marks of direction; characters without a width.
        "\"\u{5de}\u{5d8}\u{5d1}\u{5d7}\"".into(),
        "\"\u{202e}ab\u{202c}\"".into(),
        "\"a\u{200b}b\u{200d}\"".into(),
        "\"\u{200b}\"".into(),
        r#""<script>alert(1)</script>""#.into(),
        r#""\"><img src=x onerror=alert(1)>""#.into(),
        r#""'; DROP TABLE areas; --""#.into(),
        r#""%s%n{}${7*7}""#.into(),
        r#""null""#.into(),
    ];
    let bad = [
        r#""""#.into(),
        r#"" ""#.into(),
        r#"" a""#.into(),
        r#""a ""#.into(),
        "\"a\u{a0}\"".into(),
        "\"\u{3000}a\"".into(),
        r#""a\n""#.into(),
        r#""a\tb""#.into(),
        r#""a\u0001b""#.into(),
        r#""a\u007fb""#.into(),
        r#""a\u0085b""#.into(),
        of("x", 129),
        of("\u{1f3e0}", 129),
        of("x", 60_000),
    ];
    let types = ["null", "1", "true", "[]", "{}", "[\"a\"]", "1e300"].map(String::from);
    let good = good.into_iter().map(|value| (value, String::new()));
    let bad = bad.into_iter().map(|value| (value, wrong.clone()));
    good.chain(bad).chain(types.into_iter().map(|value| (value, typed.clone()))).collect()
}

#[test]
fn names_of_areas_and_clients() {
    let house = House::new();
    let area = format!("/api/areas/{}", house.area("Hall", &[]));
    let client = format!("/api/clients/{}", house.pair("Hall screen", &[]).id);
    let names = names("name");
    let rows: Vec<_> = names.iter().map(|(value, words)| (&**value, &**words)).collect();
    for place in [("POST", "/api/areas"), ("PUT", &area), ("PATCH", &area), ("PATCH", &client)] {
        check(&house, place, r#"{"name":@}"#, "name", &rows);
    }
    let screens = rows.iter().filter(|(_, words)| !words.is_empty()).copied().collect::<Vec<_>>();
    check(&house, ("POST", "/api/pairing"), r#"{"name":@}"#, "name", &screens);
    // What was taken is shown as it was, and is text all the way.
    let list = house.ask("GET", "/api/areas?limit=1000").send();
    assert_eq!(list.header("content-type"), Some("application/json"));
    assert_eq!(list.header("x-content-type-options"), Some("nosniff"));
    let shown = list.json();
    let shown: Vec<_> =
        shown["items"].as_array().expect("a list").iter().map(|a| text(a, "name")).collect();
    for (value, _) in rows.iter().filter(|(_, words)| words.is_empty()) {
        let name: String = serde_json::from_str(value).expect("a good name is JSON");
        assert!(shown.contains(&name), "{name}");
    }
}

#[test]
fn names_of_screens() {
    let house = House::new();
    let names = names("name");
    let good = names.iter().filter(|(_, words)| words.is_empty());
    for (place, (value, _)) in good.enumerate() {
        let name: Value = serde_json::from_str(value).expect("a good name is JSON");
        let screen = house.screen(name.as_str().expect("a text"));
        let list = house.ask("GET", "/api/pairing").expect(200);
        assert_eq!(list["items"][0]["name"], name);
        let path = format!("/api/pairing/{}/approve", screen.user_code);
        // The admin may say how it is called: one word in the same bounds.
        let of_admin = json!({ "name": "x".repeat(129) });
        house.ask("POST", &path).json(&of_admin).refused(422, "INVALID");
        house.ask("POST", &path).json(&json!({ "name": null })).refused(422, "INVALID");
        let body = if place % 2 == 0 { json!({}) } else { json!({ "name": name }) };
        assert_eq!(house.ask("POST", &path).json(&body).expect(200)["name"], name);
    }
}

#[test]
fn entities_of_areas() {
    let house = House::new();
    let area = format!("/api/areas/{}", house.area("Hall", &[]));
    let ids = |count: usize| {
        let ids = (0..count).map(|n| format!("light.l{n}"));
        json!(ids.collect::<Vec<_>>()).to_string()
    };
    let longest = format!("[\"a.{}\"]", "b".repeat(253));
    let longer = format!("[\"a.{}\"]", "b".repeat(254));
    let shape = "entityIds[0]: an entity id is domain.name";
    let typed = "entityIds: invalid type";
    let rows: &[(&str, &str)] = &[
        ("[]", ""),
        (r#"["light.a"]"#, ""),
        (r#"["light.b","light.a"]"#, ""),
        (&longest, ""),
        (&ids(999), ""),
        (&ids(1_000), ""),
        (&ids(1_001), "entityIds: at most 1000 entities"),
        (&longer, shape),
        (r#"["Light.a"]"#, shape),
        (r#"["light"]"#, shape),
        (r#"[""]"#, shape),
        (r#"["light.*"]"#, shape),
        (r#"["light.a "]"#, shape),
        (r#"["light.\u200ba"]"#, shape),
        (r#"["l\u0131ght.a"]"#, shape),
        (r#"["light.a","lock"]"#, "entityIds[1]: an entity id is domain.name"),
        ("[1]", "entityIds[0]: invalid type"),
        ("[null]", "entityIds[0]: invalid type"),
        (r#"[["light.a"]]"#, "entityIds[0]: invalid type"),
        ("null", typed),
        ("1", typed),
        (r#""light.a""#, typed),
        ("{}", typed),
        ("true", typed),
    ];
    check(&house, ("POST", "/api/areas"), r#"{"name":"x","entityIds":@}"#, "entityIds", rows);
    for method in ["PUT", "PATCH"] {
        check(&house, (method, &area), r#"{"entityIds":@}"#, "entityIds", rows);
    }
    // Each counts once, where it stood first.
    let mut many: Vec<String> = (0..1_000).map(|n| format!("light.l{n}")).collect();
    let once = many.clone();
    many.extend(once.iter().take(500).cloned());
    let changed = patiently(&house.ask("PUT", &area).json(&json!({ "entityIds": many })));
    assert_eq!(changed.json()["entityIds"], json!(once));
    let twice = json!({ "entityIds": ["light.b", "light.a", "light.b"] });
    assert_eq!(
        house.ask("PUT", &area).json(&twice).expect(200)["entityIds"],
        json!(["light.b", "light.a"])
    );
}

#[test]
fn switches() {
    let house = House::new();
    let area = format!("/api/areas/{}", house.area("Hall", &[]));
    let wrong = "isEnabled: invalid type";
    let rows = [
        ("true", ""),
        ("false", ""),
        ("null", wrong),
        ("1", wrong),
        ("0", wrong),
        (r#""true""#, wrong),
        ("[]", wrong),
        ("{}", wrong),
    ];
    for (method, path, body) in [
        ("POST", "/api/areas", r#"{"name":"x","isEnabled":@}"#),
        ("PUT", &area, r#"{"isEnabled":@}"#),
        ("PATCH", &area, r#"{"isEnabled":@}"#),
        ("PATCH", &format!("{area}/toggle"), r#"{"isEnabled":@}"#),
    ] {
        check(&house, (method, path), body, "isEnabled", &rows);
    }
}

/// What no route takes as a body, and leaves all as it was.
#[test]
fn bodies_that_are_none() {
    let house = House::new();
    let area = house.area("Hall", &["light.a"]);
    let screen = house.pair("Hall screen", &[&area]);
    let waits = house.screen("Another");
    let code = &waits.user_code;
    let all = || {
        let of = |path: &str| house.ask("GET", path).expect(200);
        [of("/api/areas"), of("/api/clients"), of("/api/pairing")]
    };
    let before = all();
    let nul = r#"{"name":"a\u0000b","deviceCode":"\u0000","areaIds":["\u0000"],"x":"\u0000"}"#;
    let deep = format!(
        r#"{{"name":"x","areaIds":[],"deviceCode":"x","y":{}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let bodies: &[(&str, u16)] = &[
        (r#"{"name":"a","name":"b"}"#, 400),
        (r#"{"areaIds":[],"areaIds":[]}"#, 400),
        (r#"{"deviceCode":"a","deviceCode":"b"}"#, 400),
        (r#"{"x":1,"x":1}"#, 400),
        (r#"{"x":{"y":1,"y":2}}"#, 400),
        (nul, 400),
        (&deep, 400),
        (r#"{"name":"\ud800"}"#, 400),
        ("{", 400),
        ("null", 400),
        ("1", 400),
        ("\"x\"", 400),
        ("[1,", 400),
        ("[{}] []", 400),
        ("{} {}", 400),
        ("\u{feff}{}", 400),
        (r#"{"name":NaN}"#, 400),
        (r#"{"x":1e400}"#, 422),
    ];
    let routes = [
        ("POST", "/api/areas".to_owned()),
        ("PATCH", "/api/areas".to_owned()),
        ("PUT", format!("/api/areas/{area}")),
        ("PATCH", format!("/api/areas/{area}")),
        ("PATCH", format!("/api/areas/{area}/toggle")),
        ("PATCH", format!("/api/clients/{}", screen.id)),
        ("PUT", format!("/api/clients/{}/areas", screen.id)),
        ("PUT", format!("/api/clients/{}/areas/{area}", screen.id)),
        ("POST", format!("/api/clients/{}/revoke", screen.id)),
        ("POST", format!("/api/pairing/{code}/approve")),
        ("POST", format!("/api/pairing/{code}/deny")),
        ("POST", "/api/pairing/token".to_owned()),
    ];
    for (method, path) in &routes {
        for (body, status) in bodies {
            let ask = house.ask(method, path).header("Content-Type: application/json");
            let response = ask.body(body.as_bytes()).send();
            assert_eq!(response.status, *status, "{method} {path} {body}: {response:?}");
        }
        // A list is one where changes of many are taken, and nowhere else.
        let list = house.ask(method, path).json(&json!([])).send();
        let expected = if (*method, &**path) == ("PATCH", "/api/areas") { 200 } else { 400 };
        assert_eq!(list.status, expected, "{method} {path}: {list:?}");
        let plain = house.ask(method, path).header("Content-Type: text/plain").body(b"{}");
        plain.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        let long = json!({ "x": "y".repeat(64 << 10) });
        assert_eq!(house.ask(method, path).json(&long).send().status, 413, "{method} {path}");
    }
    assert_eq!(all(), before);
    // What a route does not know is ignored.
    let more = json!({ "name": "Hall", "id": "area_9", "createdAt": 5, "owner": { "id": 1 }, "__proto__": {} });
    let made = house.ask("POST", "/api/areas").json(&more).expect(201);
    assert_eq!(made.as_object().map(serde_json::Map::len), Some(6), "{made}");
}

#[test]
fn secrets_of_screens_that_are_none() {
    let house = House::new();
    let screen = house.screen("Hall tablet");
    let upper = screen.device_code.to_ascii_uppercase();
    let long = "x".repeat(60_000);
    for nobodys in ["", " ", "x", &upper, &screen.user_code, &long, "' OR 1=1 --", "%", "\u{1f514}"]
    {
        if *nobodys != screen.device_code {
            house.poll(nobodys).refused(400, "EXPIRED_TOKEN");
        }
    }
    for wrong in [
        json!({}),
        json!({ "deviceCode": null }),
        json!({ "deviceCode": 1 }),
        json!({ "devicecode": "x" }),
    ] {
        let ask = house.server.ask("POST", "/api/pairing/token").json(&wrong);
        let refused = ask.refused(422, "INVALID").json();
        assert_eq!(refused.get("error"), None, "{refused}");
    }
    house.server.ask("POST", "/api/pairing/token").refused(422, "INVALID");
    house.server.ask("POST", "/api/pairing").refused(422, "INVALID");
    house.poll(&screen.device_code).refused(400, "AUTHORIZATION_PENDING");
}
