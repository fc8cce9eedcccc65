//! The plain dialect: messages inwards, events outwards.

use bellwire_wire::plain::{Form, Id, Message, Refused, event, event_frame, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases;

#[track_caller]
fn check(text: &str, name: &str, id: Option<Id>, payload: &str) {
    let Message { name: read_name, id: read_id, payload: read_payload } = parse(text).unwrap();
    assert_eq!((read_name.as_str(), read_id), (name, id), "{text}");
    assert_eq!(Value::Object(read_payload).to_string(), payload, "{text}"); // order included
}

fn text_id(id: &str) -> Option<Id> {
    Some(Id::Text(id.to_owned()))
}

fn number_id(id: impl Into<serde_json::Number>) -> Option<Id> {
    Some(Id::Number(id.into()))
}

#[test]
fn messages() {
    check(r#"{"type":"ping"}"#, "ping", None, "{}");
    check(
        r#"{"type":"states:create","b":1,"a":{"z":1,"y":2}}"#,
        "states:create",
        None,
        r#"{"b":1,"a":{"z":1,"y":2}}"#,
    );
    check(
        r#"{"x":1,"id":"r1","y":2,"type":"t","z":3}"#,
        "t",
        text_id("r1"),
        r#"{"x":1,"y":2,"z":3}"#,
    );
    // Not unwrapped, with or without an id.
    check(r#"{"type":"t","data":{"a":1}}"#, "t", None, r#"{"data":{"a":1}}"#);
    check(r#"{"type":"t","data":[1],"id":0}"#, "t", number_id(0), r#"{"data":[1]}"#);
    // Only the top level is special.
    check(
        r#"{"type":"t","data":{"type":"u","id":1}}"#,
        "t",
        None,
        r#"{"data":{"type":"u","id":1}}"#,
    );
    check(r#"{"\u0074ype":"t"}"#, "t", None, "{}");
}

#[test]
fn ids_are_echoed_exactly() {
    let rows = [
        (r#""""#, text_id("")),
        (r#""a\"b\u00e9""#, text_id("a\"bé")),
        ("0", number_id(0)),
        ("-1", number_id(-1)),
        ("9007199254740993", number_id(9_007_199_254_740_993_u64)),
        ("18446744073709551615", number_id(u64::MAX)),
        ("-9223372036854775808", number_id(i64::MIN)),
    ];
    for (text, id) in rows {
        let echoed = serde_json::to_value(&id).unwrap();
        assert_eq!(echoed, serde_json::from_str::<Value>(text).unwrap());
        check(&format!(r#"{{"type":"t","id":{text}}}"#), "t", id, "{}");
    }
    let longest = "é".repeat(64);
    check(&format!(r#"{{"type":"t","id":"{longest}"}}"#), "t", text_id(&longest), "{}");
}

#[test]
fn refusals() {
    let id = || Refused::Id { name: "t".to_owned() };
    let number =
        |field: &str, id| Refused::Number { name: "t".to_owned(), id, field: field.to_owned() };
    let rows = [
        ("", Refused::Json),
        ("hello", Refused::Json),
        ("[]", Refused::Json),
        (r#"{"type":"t","type":"t"}"#, Refused::Json),
        (r#"{"type":"t","a":"\u0000"}"#, Refused::Json),
        ("{}", Refused::Type),
        (r#"{"Type":"t"}"#, Refused::Type),
        (r#"{"type":null}"#, Refused::Type),
        (r#"{"type":1}"#, Refused::Type),
        (r#"{"type":1e400}"#, Refused::Type),
        (r#"{"type":["t"]}"#, Refused::Type),
        (r#"{"type":""}"#, Refused::Type),
        (r#"{"a":1e400}"#, Refused::Type),
        (r#"{"type":"t","id":null}"#, id()),
        (r#"{"type":"t","id":true}"#, id()),
        (r#"{"type":"t","id":1.0}"#, id()),
        (r#"{"type":"t","id":1e2}"#, id()),
        (r#"{"type":"t","id":-0}"#, id()),
        (r#"{"type":"t","id":18446744073709551616}"#, id()),
        (r#"{"type":"t","id":1e400}"#, id()),
        (r#"{"type":"t","id":[1]}"#, id()),
        (r#"{"type":"t","id":{}}"#, id()),
        (r#"{"type":"t","id":[],"a":1e400}"#, id()),
        (r#"{"type":"t","a":1e400,"id":1e400}"#, number("a", None)),
        (r#"{"type":"t","value":1e400}"#, number("value", None)),
        (r#"{"id":"r","v":[-1e999],"type":"t"}"#, number("v", text_id("r"))),
        (r#"{"type":"t","id":5,"data":{"v":1e400}}"#, number("data", number_id(5))),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}

#[test]
fn names_and_ids_at_their_limits() {
    let with_name = |len| format!(r#"{{"type":"{}"}}"#, "n".repeat(len));
    assert_eq!(parse(&with_name(64)).unwrap().name.len(), 64);
    assert_eq!(parse(&with_name(65)), Err(Refused::Type));

    let with_id = |len| format!(r#"{{"type":"t","id":"{}"}}"#, "i".repeat(len));
    assert_eq!(parse(&with_id(128)).unwrap().id, text_id(&"i".repeat(128)));
    assert_eq!(parse(&with_id(129)), Err(Refused::Id { name: "t".to_owned() }));
}

#[test]
fn events() {
    use Form::{Nested, Spread};
    let rows = [
        ("e", r#"{"a":1}"#, Spread, None, r#"{"type":"e","a":1}"#),
        ("e", r#"{"a":1}"#, Nested, None, r#"{"type":"e","data":{"a":1}}"#),
        ("e", r#"{"a":1,"b":2}"#, Spread, Some("c1"), r#"{"type":"e","a":1,"b":2,"cursor":"c1"}"#),
        ("e", r#"{"a":1}"#, Nested, Some("c1"), r#"{"type":"e","data":{"a":1},"cursor":"c1"}"#),
        ("e", "{}", Spread, None, r#"{"type":"e"}"#),
        ("e", "{}", Spread, Some("c"), r#"{"type":"e","cursor":"c"}"#),
        ("e", "{}", Nested, None, r#"{"type":"e","data":{}}"#),
        ("e", " { \"a\" : 1 } ", Spread, None, r#"{"type":"e","a" : 1}"#),
        ("e", " { } ", Spread, Some("c"), r#"{"type":"e","cursor":"c"}"#),
        // No object: nested, whatever was asked for.
        ("e", "null", Spread, None, r#"{"type":"e","data":null}"#),
        ("e", "17", Spread, Some("c"), r#"{"type":"e","data":17,"cursor":"c"}"#),
        ("e", r#""text""#, Spread, None, r#"{"type":"e","data":"text"}"#),
        ("e", r#""{}""#, Spread, None, r#"{"type":"e","data":"{}"}"#),
        ("e", r#"[{"a":1}]"#, Spread, None, r#"{"type":"e","data":[{"a":1}]}"#),
        // A type of its own: nested. Deeper down, or as a value, it does not matter.
        ("e", r#"{"type":"x"}"#, Spread, None, r#"{"type":"e","data":{"type":"x"}}"#),
        (
            "e",
            r#"{"a":1,"\u0074ype":2}"#,
            Spread,
            None,
            r#"{"type":"e","data":{"a":1,"\u0074ype":2}}"#,
        ),
        ("e", r#"{"a":{"type":1}}"#, Spread, None, r#"{"type":"e","a":{"type":1}}"#),
        (
            "e",
            r#"{"a":"type","b":"\u00e9"}"#,
            Spread,
            None,
            r#"{"type":"e","a":"type","b":"\u00e9"}"#,
        ),
        ("e", r#"{"types":1,"Type":2}"#, Spread, None, r#"{"type":"e","types":1,"Type":2}"#),
        // A cursor of its own matters when one is added.
        ("e", r#"{"cursor":1}"#, Spread, None, r#"{"type":"e","cursor":1}"#),
        (
            "e",
            r#"{"cursor":1}"#,
            Spread,
            Some("c"),
            r#"{"type":"e","data":{"cursor":1},"cursor":"c"}"#,
        ),
        // Names and cursors are text like any other.
        ("a\"\\\n", "{}", Spread, Some("\"é"), r#"{"type":"a\"\\\n","cursor":"\"é"}"#),
    ];
    for (name, payload, form, cursor, expected) in rows {
        assert_eq!(event(name, payload, form, cursor), expected);
        let frame = event_frame(name, payload, form, cursor);
        assert_eq!(frame, bellwire_wire::frame::text(expected));
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A spread event is its payload's keys behind `type`, a nested one holds it whole; both are
    /// messages that this dialect reads; and the frame is the text, framed.
    #[test]
    fn events_are_messages(
        name in "[a-zA-Z:._\"-]{1,64}",
        keys in prop::collection::btree_set("[a-z]{1,6}", 0..40),
        filler in "[ -~]{0,40}",
        cursor in proptest::option::of("[ -~]{1,20}"),
    ) {
        let keys: Vec<&String> = keys.iter().filter(|key| *key != "id" && *key != "cursor").collect();
        let payload: Value = keys.iter().map(|key| ((*key).clone(), json!(filler))).collect();
        for form in [Form::Spread, Form::Nested] {
            let text = event(&name, &payload.to_string(), form, cursor.as_deref());
            let framed = event_frame(&name, &payload.to_string(), form, cursor.as_deref());
            prop_assert_eq!(framed, bellwire_wire::frame::text(&text));

            let mut message = parse(&text).unwrap();
            prop_assert_eq!(&message.name, &name);
            prop_assert_eq!(message.payload.keys().next_back() == Some(&"cursor".to_owned()), cursor.is_some());
            let read_cursor = message.payload.shift_remove("cursor");
            prop_assert_eq!(read_cursor, cursor.clone().map(Value::from));
            let is_spread = form == Form::Spread && payload.get("type").is_none();
            let read = match is_spread {
                true => Value::Object(message.payload),
                false => message.payload.shift_remove("data").unwrap(),
            };
            prop_assert_eq!(read.to_string(), payload.to_string());
        }
    }
}
