//! Strict JSON: rows for each rule, properties for what no table exhausts.

use bellwire_wire::json::{DEPTH_MAX, Malformed, Object, object};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::cases;

#[track_caller]
fn accepts(text: &str, expected: Value) {
    assert_eq!(object(text).map(Value::Object), Ok(expected), "{text}");
}

/// Refused, with words in which this occurs.
#[track_caller]
fn refuses(text: &str, words: &str) {
    match object(text) {
        Err(Malformed::Syntax(said)) => assert!(said.contains(words), "{text}: said {said:?}"),
        other => panic!("{text}: {other:?}"),
    }
}

/// A text may be long, or hold a secret: the words about it do not repeat it.
#[test]
fn what_is_no_object_is_not_repeated() {
    for text in [r#""correct horse""#, r#" "correct horse""#, "4711", r#"["correct horse"]"#] {
        match object(text) {
            Err(Malformed::Syntax(said)) => assert_eq!(said, "expected a JSON object"),
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn overflows(text: &str, expected_field: &str, expected_rest: Value) {
    match object(text) {
        Err(Malformed::Number { field, rest }) => {
            assert_eq!((field.as_str(), Value::Object(rest)), (expected_field, expected_rest));
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// An array nested so deep that the whole object has `depth` levels.
fn nested(depth: usize, open: &str, innermost: &str, close: &str) -> String {
    format!("{{\"a\":{}{innermost}{}}}", open.repeat(depth - 1), close.repeat(depth - 1))
}

#[test]
fn accepted() {
    let rows = [
        ("{}", json!({})),
        (" \t\r\n{ } \n", json!({})),
        (r#"{"a":1,"b":[true,false,null],"c":{}}"#, json!({"a":1,"b":[true,false,null],"c":{}})),
        (r#"{"a":9223372036854775807}"#, json!({"a":i64::MAX})),
        (r#"{"a":-9223372036854775808}"#, json!({"a":i64::MIN})),
        (r#"{"a":18446744073709551615}"#, json!({"a":u64::MAX})),
        (r#"{"a":18446744073709551616}"#, json!({"a":18446744073709551616.0})),
        (r#"{"a":9007199254740993}"#, json!({"a":9007199254740993_u64})),
        (r#"{"a":1.0,"b":-0.0,"c":1e3,"d":1E-400}"#, json!({"a":1.0,"b":-0.0,"c":1000.0,"d":0.0})),
        (r#"{"a":1.7976931348623157e308}"#, json!({"a":f64::MAX})),
        (r#"{"a":5e-324}"#, json!({"a":5e-324})),
        (r#"{"":""}"#, json!({"":""})),
        (r#"{"a":"\"\\\/\b\f\n\r\t\u00e9"}"#, json!({"a":"\"\\/\u{8}\u{c}\n\r\té"})),
        (r#"{"a":"\ud83d\udd14","b":"🔔"}"#, json!({"a":"\u{1F514}","b":"\u{1F514}"})),
        (r#"{"a":"\u0001\u007f"}"#, json!({"a":"\u{1}\u{7f}"})),
        // The same key in different objects is no duplicate, nor is another case.
        (
            r#"{"a":{"a":{"a":1}},"A":[{"a":1},{"a":2}]}"#,
            json!({"a":{"a":{"a":1}},"A":[{"a":1},{"a":2}]}),
        ),
        // A name that parsers use among themselves is a key like any other.
        (
            r#"{"a":{"$serde_json::private::RawValue":"[1"},"$serde_json::private::Number":"2"}"#,
            json!({"a":{"$serde_json::private::RawValue":"[1"},"$serde_json::private::Number":"2"}),
        ),
    ];
    for (text, expected) in rows {
        accepts(text, expected);
    }
}

#[test]
fn refused_syntax() {
    let rows = [
        ("", "EOF"),
        ("{", "EOF"),
        ("{\"a\"", "EOF"),
        ("{\"a\":", "EOF"),
        ("{\"a\":1", "EOF"),
        ("{\"a\":1}}", "trailing"),
        ("{}{}", "trailing"),
        ("{}x", "trailing"),
        ("{\"a\":1,}", "trailing comma"),
        ("{,}", "key must be a string"),
        ("{a:1}", "key must be a string"),
        ("{'a':1}", "key must be a string"),
        ("{1:1}", "key must be a string"),
        ("{\"a\" 1}", "expected `:`"),
        ("{\"a\":1 \"b\":2}", "expected `,` or `}`"),
        ("{\"a\":[1,]}", "trailing comma"),
        ("{\"a\":NaN}", "expected"),
        ("{\"a\":Infinity}", "expected"),
        ("{\"a\":-Infinity}", "invalid number"),
        ("{\"a\":01}", "invalid number"),
        ("{\"a\":+1}", "expected"),
        ("{\"a\":.5}", "expected"),
        ("{\"a\":5.}", "invalid number"),
        ("{\"a\":1e}", "invalid number"),
        ("{\"a\":0x10}", "expected"),
        ("{\"a\":TRUE}", "expected"),
        ("{\"a\":undefined}", "expected"),
        ("{\"a\":\"\n\"}", "control character"),
        ("{\"a\":\"\0\"}", "control character"),
        ("{\"a\":\"\\x41\"}", "invalid escape"),
        ("{\"a\":\"\\u12\"}", "escape"),
        ("{\"a\":1} // comment", "trailing"),
        ("\u{FEFF}{}", "expected"),
        ("{}\u{FEFF}", "trailing"),
        ("\u{A0}{}", "expected"),
        // At the top, only an object.
        ("[]", "a JSON object"),
        ("[{}]", "a JSON object"),
        ("null", "a JSON object"),
        ("1", "a JSON object"),
        ("1e400", ""),
        ("\"{}\"", "a JSON object"),
        ("true", "a JSON object"),
    ];
    for (text, words) in rows {
        refuses(text, words);
    }
}

#[test]
fn refused_strings() {
    let strings = [
        (r#""\ud800""#, "hex escape"),
        (r#""\udc00""#, "surrogate"),
        (r#""\ud83dx""#, ""),
        (r#""\ud83d\n""#, ""),
        (r#""\ud83d\ud83d""#, "surrogate"),
        (r#""\udd14\ud83d""#, "surrogate"),
        (r#""\u0000""#, "u0000"),
        (r#""a\u0000b""#, "u0000"),
        (r#""\\\u0000""#, "u0000"),
    ];
    for (string, words) in strings {
        refuses(&format!("{{\"a\":{string}}}"), words);
        refuses(&format!("{{{string}:1}}"), words);
        refuses(&format!("{{\"a\":[{{\"b\":{string}}}]}}"), words);
        refuses(&format!("{{\"a\":[{{{string}:1}}]}}"), words);
    }
    // What only looks like it.
    accepts(r#"{"a":"\\u0000"}"#, json!({"a":"\\u0000"}));
}

#[test]
fn refused_duplicates() {
    let rows = [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"é":1,"\u00e9":2}"#,
        r#"{"\ud83d\udd14":1,"🔔":2}"#,
        r#"{"":1,"":2}"#,
        r#"{"type":"x","data":{"a":1,"a":2}}"#,
        r#"{"a":[0,{"b":{"c":1,"c":1}}]}"#,
    ];
    for text in rows {
        refuses(text, "duplicate key");
    }
}

#[test]
fn refused_depth() {
    for (open, close) in [("[", "]"), ("{\"k\":", "}"), ("[{\"k\":", "}]")] {
        let levels = open.matches(['[', '{']).count();
        let at_most = (DEPTH_MAX - 1) / levels + 1;
        let deepest = if open.starts_with('[') && levels == 1 { "" } else { "1" };
        assert!(object(&nested(at_most, open, deepest, close)).is_ok(), "{open}");
        refuses(&nested(at_most + 1, open, deepest, close), "nested");
        refuses(&nested(10_000, open, deepest, close), "nested");
        refuses(&format!("{{\"a\":{}", open.repeat(100_000)), "nested");
    }
}

#[test]
fn numbers_out_of_range() {
    let rows = [
        (r#"{"a":1e400}"#, "a", json!({})),
        (r#"{"a":-1e400}"#, "a", json!({})),
        (r#"{"a":1.7976931348623159e308}"#, "a", json!({})),
        (r#"{"type":"t","a":1e999,"id":7}"#, "a", json!({"type":"t","id":7})),
        (r#"{"a":1E+400,"type":"t"}"#, "a", json!({"type":"t"})),
        (r#"{"x":1,"b":1e400,"a":[1e400],"y":[2]}"#, "b", json!({"x":1,"y":[2]})),
        (r#"{"a":[1e400,1e400],"b":[{},1e400],"c":1}"#, "a", json!({"c":1})),
        (r#"{"x":[1,2,3,4],"y":[],"b":1e400}"#, "b", json!({"x":[1,2,3,4],"y":[]})),
        (r#"{"x":"\\","1e400":1,"b":1e400}"#, "b", json!({"x":"\\","1e400":1})),
        (r#"{"x":{"a":1},"b":{"c":[1,{"d":1e400}]}}"#, "b", json!({"x":{"a":1}})),
        (
            r#"{"1e400,":"\\\",1e400","x,":[",",{",":1}],"b":[1e400,1e400],"c":"\\"}"#,
            "b",
            json!({"1e400,":"\\\",1e400","x,":[",",{",":1}],"c":"\\"}),
        ),
        (r#"{"\u0061\n": 1e400 , "b" : null }"#, "a\n", json!({"b":null})),
    ];
    for (text, field, rest) in rows {
        overflows(text, field, rest);
    }
    let digits = "9".repeat(400);
    overflows(&format!("{{\"a\":{digits}}}"), "a", json!({}));
    overflows(&format!("{{\"a\":-{digits}.5}}"), "a", json!({}));
    let deepest = nested(DEPTH_MAX, "[", "1e400", "]");
    overflows(&deepest, "a", json!({}));
    let many: Vec<String> = (0..6000).map(|n| format!("\"{n}\":1e999")).collect();
    overflows(&format!("{{{}}}", many.join(",")), "0", json!({}));
}

/// A number out of range excuses nothing else.
#[test]
fn numbers_out_of_range_and_worse() {
    let rows = [
        r#"{"a":1e400"#,
        r#"{"a":1e400,}"#,
        r#"{"a":1e400}x"#,
        r#"{"a":1e400,"b":01}"#,
        r#"{"a":01e400}"#,
        r#"{"a":1e400,"b":NaN}"#,
        r#"{"a":1e400,"a":1}"#,
        r#"{"a":1e400,"a":1e400}"#,
        r#"{"a":[1e400,{"b":1,"b":2}]}"#,
        r#"{"a":[1e400,"\u0000"]}"#,
        r#"{"a":[1e400,{"\u0000":1}]}"#,
        r#"{"a":[1e400,"\ud800"]}"#,
        r#"{"a":[1e400],"\ud800":1}"#,
        r#"{1e400:1}"#,
        r#"{"a":1e400 1}"#,
        r#"{"a":1e400x}"#,
        r#"{"a":x1e400}"#,
        r#"{"a":nul1e400}"#,
        r#"{"a":+1e400}"#,
        r#"{"a":.1e400}"#,
        r#"{"a":1e400.}"#,
        r#"{"a":1e400-1}"#,
        r#"{"a":--1e400}"#,
        r#"{"a":1.e400}"#,
        r#"{"a":"1e400}"#,
        r#"{"a":1e400,"b":"\"}"#,
        r#"{"a":1e400}]"#,
        r#"}{"a":1e400}"#,
        "[1e400]",
    ];
    for text in rows {
        refuses(text, "");
    }
    refuses(&nested(DEPTH_MAX + 1, "[", "1e400", "]"), "");
    let deep = nested(DEPTH_MAX + 1, "[", "1", "]");
    refuses(&deep.replacen("{", "{\"n\":1e400,", 1), "");
}

fn value() -> impl Strategy<Value = Value> {
    // JSON has no \u0000 here.
    let string = || any::<String>().prop_map(|text| text.replace('\0', ""));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((string(), inner), 0..6).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

fn fields() -> impl Strategy<Value = Object> {
    vec(("[a-z\u{e9}\"\\\\]{0,3}", value()), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #![proptest_config(cases(384))]

    /// What is written is read: values, bits of floats and the order of keys alike.
    #[test]
    fn values_round_trip(fields in fields()) {
        let text = Value::Object(fields.clone()).to_string();
        let read = object(&text).unwrap();
        prop_assert!(read.keys().eq(fields.keys()));
        prop_assert_eq!(Value::Object(read).to_string(), text);
    }

    /// An object with a key twice is refused wherever it stands.
    #[test]
    fn duplicates_are_refused(
        fields in fields(),
        key in any::<String>().prop_map(|key| key.replace('\0', "")),
        (one, other) in (value(), value()),
        depth in 0..DEPTH_MAX - 8,
    ) {
        let key = Value::from(key);
        let twice = format!("{{{key}:{one},\"{}\":0,{key}:{other}}}", "k".repeat(300));
        refuses(&twice, "duplicate key");
        let mut text = twice;
        for level in 0..depth {
            text = if level % 2 == 0 { format!("[0,{text}]") } else { format!("{{\"k\":{text}}}") };
        }
        let mut members: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}:{value}", Value::from(&key[..]))).collect();
        members.push(format!("\"surrounded\":{text}"));
        refuses(&format!("{{{}}}", members.join(",")), "duplicate key");
    }

    /// Strict means strict: what is accepted, any parser accepts and understands likewise; what is
    /// no JSON at all is refused.
    #[test]
    fn damaged_texts(fields in fields(), damages in vec((any::<Index>(), "[ -~]{0,2}"), 1..3)) {
        let mut text: Vec<char> = Value::Object(fields).to_string().chars().collect();
        for (at, replacement) in damages {
            let at = at.index(text.len() + 1);
            text.splice(at..text.len().min(at + 1), replacement.chars());
        }
        let text: String = text.into_iter().collect();
        match (object(&text), serde_json::from_str::<Value>(&text)) {
            (Ok(read), Ok(loose)) => prop_assert_eq!(Value::Object(read), loose),
            (Ok(_), Err(error)) => prop_assert!(false, "accepted {text}, although {error}"),
            (Err(Malformed::Number { .. }), loose) => prop_assert!(loose.is_err()),
            (Err(Malformed::Syntax(_)), _) => {}
        }
    }

    /// No text panics.
    #[test]
    fn any_text_is_answered(text in any::<String>(), braced in any::<bool>()) {
        let text = if braced { format!("{{{text}}}") } else { text };
        let _ = object(&text);
    }
}
