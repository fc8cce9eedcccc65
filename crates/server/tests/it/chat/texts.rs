//! What a message may be: one below, at and above each limit, and whatever people write.

use serde_json::{Value, json};

use super::{Form, House, JANE, JOHN, Line, SARA, in_room, line::ROOT, message, message_with_id};

/// Texts that are sent, and are told as they came.
fn good() -> Vec<String> {
    let texts = [
        "a",
        " a ",
        "two\nlines\tand a tab",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "\u{646}\u{645}\u{6cc}\u{200c}\u{62e}\u{648}",
        "\u{202e}reversed\u{202c}",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "<script>alert('x')</script><img src=x onerror=alert(1)>",
        r#"{"type":"error"} "quoted" \ backslash / 42["messageRoom",{}]"#,
        "null",
        "a\u{2028}b\u{2029}c",
        "\u{fffd}\u{10ffff}",
        "'; DROP TABLE messages; --",
    ];
    let long =
        ["x".repeat(4_095), "x".repeat(4_096), "\u{e9}".repeat(2_048), "\u{1f514}".repeat(1_024)];
    texts.into_iter().map(str::to_owned).chain(long).collect()
}

/// JSON of texts that are not sent.
fn bad() -> Vec<String> {
    let texts = [
        "",
        " ",
        "\n",
        " \t\n ",
        "\u{a0}\u{2003}\u{3000}",
        "\u{200b}",
        "\u{200b}\u{200c}\u{200d}\u{feff}",
        "\u{202e}\u{202c}",
        "a\rb",
        "\u{1b}[2J",
        "a\u{7f}",
        "a\u{85}",
    ];
    let long = ["x".repeat(4_097), "\u{e9}".repeat(2_048) + "x", "x".repeat(60_000)];
    let texts =
        texts.into_iter().map(str::to_owned).chain(long).map(|text| json!(text).to_string());
    let others = ["null", "1", "true", "[]", "{}", r#"["a"]"#, r#"{"text":"a"}"#, "1e400"];
    texts.chain(others.map(str::to_owned)).collect()
}

#[test]
fn what_may_be_said() {
    let house = House::new();
    let mut hears =
        [house.line_in(JANE, ROOT, &["1:2"]), house.line_in(JANE, Form::Plain, &["1:2"])];
    let mut elsewhere = house.line_in(SARA, Form::Plain, &[]);
    for form in [ROOT, Form::Plain] {
        let mut says = house.line(JOHN, form);
        for text in good() {
            says.does("message", &message("1:2", &text));
            for line in &mut hears {
                assert_eq!(line.event(), in_room(JOHN, "1:2", &text));
                assert!(line.event().starts_with("messageResponseNotify "));
            }
        }
        // It is kept as it came.
        let page = house.ask(JANE, "GET", "/api/chat/rooms/1:2/messages").expect(200);
        let kept = page["items"].as_array().expect("a page has items").iter().take(good().len());
        let kept: Vec<&str> = kept.map(|item| item["message"].as_str().expect("a text")).collect();
        assert_eq!(kept, good().iter().rev().map(String::as_str).collect::<Vec<_>>());
        for text in bad() {
            let payload = format!(r#"{{"data":{{"message":{text},"roomID":"1:2"}}}}"#);
            let words = says.refused("message", &payload, "INVALID");
            assert!(words.len() < 300, "{words}");
        }
        // No database could keep it: it is no JSON here, wherever it stands.
        for text in ["\u{0}", "a\u{0}b"] {
            says.says("message", &message("1:2", text));
            let refused = says.event();
            let error = refused.strip_prefix("error ").unwrap_or_else(|| panic!("{refused}"));
            assert!(super::line::is_error(error, "INVALID_JSON").is_some(), "{refused}");
        }
    }
    for line in hears.iter_mut().chain([&mut elsewhere]) {
        assert_eq!(line.told(), [""; 0]);
    }
}

#[test]
fn what_a_message_must_say() {
    let house = House::new();
    let mut hears = house.line_in(JANE, ROOT, &["1:2"]);
    for form in [ROOT, Form::Plain] {
        let mut says = house.line(JOHN, form);
        let rows: [Value; 12] = [
            json!({}),
            json!({ "message": "a", "roomID": "1:2" }),
            json!({ "data": {} }),
            json!({ "data": null }),
            json!({ "data": "a" }),
            json!({ "data": [] }),
            json!({ "data": [{ "message": "a", "roomID": "1:2" }] }),
            json!({ "data": { "roomID": "1:2" } }),
            json!({ "data": { "message": "a" } }),
            json!({ "data": { "message": "a", "roomID": null } }),
            json!({ "data": { "message": "a", "roomID": "1:2", "contact": "yes" } }),
            json!({ "data": { "message": "a", "roomID": "1:2", "contact": 1 } }),
        ];
        for payload in rows {
            says.refused("message", &payload.to_string(), "INVALID");
        }
        // A key twice, and a surrogate alone, are no JSON that anybody could answer for.
        for data in [
            r#"{"message":"a","message":"b","roomID":"1:2"}"#,
            r#"{"message":"\ud800","roomID":"1:2"}"#,
        ] {
            says.says("message", &format!(r#"{{"data":{data}}}"#));
            assert!(says.event().starts_with(r#"error {"error":"#));
        }
        for id in [json!(""), json!("x".repeat(65)), json!(7), json!("a\n"), json!(["a"])] {
            let payload =
                json!({ "data": { "message": "a", "roomID": "1:2", "clientMessageID": id } });
            says.refused("message", &payload.to_string(), "INVALID");
        }
        // Nobody is there.
        for room in ["1:99", "1:9007199254740991"] {
            says.refused("message", &message(room, "a"), "NOT_FOUND");
        }
    }
    assert_eq!(hears.told(), [""; 0]);
}

/// Sent again with the same id it is answered the same, and nobody is told: on whichever connection, and whatever became
/// of the first answer.
#[test]
fn a_message_that_is_sent_again() {
    let mut house = House::new();
    let mut jane = house.line_in(JANE, Form::Plain, &["1:2"]);
    for (n, form) in Form::ALL.into_iter().enumerate() {
        let id = if n == 0 { "x".repeat(64) } else { format!("id {n}") };
        let payload = message_with_id("1:2", "Once", &id);
        // The first answer is never read.
        let mut lost = house.line(JOHN, form);
        lost.begins("message", &payload);
        assert_eq!(jane.event(), in_room(JOHN, "1:2", "Once"));
        drop(lost);
        let answers: Vec<String> = [form, form, form.other()]
            .map(|form| {
                let mut line = house.line(JOHN, form);
                line.does("message", &payload);
                line.last_raw_answer().expect("it was answered")
            })
            .into_iter()
            .collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let mut line = house.line(JOHN, form);
        line.refused("message", &message_with_id("1:2", "Twice", &id), "CONFLICT");
        line.refused("message", &message_with_id("1:3", "Once", &id), "CONFLICT");
        // It is one's own id: another's is another message.
        let told = jane.told();
        assert!(told.len() == 1 && told[0].starts_with("messageResponseNotify "), "{told:?}");
        let mut other = house.line(JANE, form);
        other.does("message", &payload);
        assert_eq!(jane.told().len(), 1);
    }
    // A crash forgets none.
    house = house.killed();
    let mut jane = house.line_in(JANE, Form::Plain, &["1:2"]);
    house.line(JOHN, ROOT).does("message", &message_with_id("1:2", "Once", "id 1"));
    assert_eq!(jane.told(), [""; 0]);
    assert_eq!(said(&house), 2 * Form::ALL.len());
}

/// The same by the key that every command has.
#[test]
fn a_command_that_is_sent_again_with_its_key() {
    let mut house = House::new();
    let mut jane = house.line_in(JANE, ROOT, &["1:2"]);
    let with_key = |text: &str, key: &str| {
        json!({ "data": { "message": text, "roomID": "1:2" }, "idempotency_key": key }).to_string()
    };
    for (n, form) in Form::ALL.into_iter().enumerate() {
        let key = format!("key {n}");
        let mut lost = house.line(JOHN, form);
        lost.begins("message", &with_key("Once", &key));
        jane.hears(&in_room(JOHN, "1:2", "Once"));
        drop(lost);
        let raw = |form| {
            let mut line: Line = house.line(JOHN, form);
            line.does("message", &with_key("Once", &key));
            line.last_raw_answer()
        };
        let first = raw(form);
        assert!(first.is_some() && raw(form) == first && raw(form.other()) == first, "{first:?}");
        house.line(JOHN, form).refused("message", &with_key("Twice", &key), "CONFLICT");
        let told = jane.told();
        assert!(told.len() == 1 && told[0].starts_with("messageResponseNotify "), "{told:?}");
    }
    // Groups are made once.
    let group = r#"{"data":{"newUserID":"3","roomID":"1:2","newRoomID":"1:2:3"},"idempotency_key":"group"}"#;
    for form in [ROOT, Form::Plain, ROOT] {
        house.line(JOHN, form).does("createUserGroup", group);
    }
    assert_eq!(jane.told().len(), 2);
    house = house.killed();
    house.line(JOHN, ROOT).does("createUserGroup", group);
    house.line(JOHN, ROOT).does("message", &with_key("Once", "key 1"));
    assert_eq!(said(&house), Form::ALL.len());
}

/// How much was said between john_doe and jane.
fn said(house: &House) -> usize {
    let page = house.ask(JANE, "GET", "/api/chat/rooms/1:2/messages").expect(200);
    page["items"].as_array().map_or(0, Vec::len)
}
