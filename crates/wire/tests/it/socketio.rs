//! Socket.IO: what clients send, and what they may not.

use bellwire_wire::socketio::{
    ACK_ID_MAX, ATTACHMENTS_MAX, ATTACHMENTS_WITHIN_MS, Ack, Decoder, Event, NAMESPACE_LEN_MAX,
    Packet, Violation,
};
use bytes::Bytes;

/// The packet that these messages are: a text, and its attachments.
fn decode(message: &str, attachments: &[&[u8]]) -> Result<Option<Packet>, Violation> {
    let mut decoder = Decoder::default();
    let mut packet = decoder.text(message, 0)?;
    for attachment in attachments {
        assert_eq!(packet, None, "{message}: complete before its attachments");
        packet = decoder.binary(attachment)?;
    }
    assert_eq!(packet.is_none(), decoder.deadline_ms().is_some());
    Ok(packet)
}

#[track_caller]
fn check(message: &str, attachments: &[&[u8]], expected: Packet) {
    assert_eq!(decode(message, attachments), Ok(Some(expected)), "{message}");
}

#[track_caller]
fn refuses(message: &str, reason: &'static str) {
    assert_eq!(decode(message, &[]), Err(Violation { reason }), "{message}");
    assert!(reason.len() <= 60, "{reason}");
}

fn texts(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

fn event_of(namespace: &str, ack: Option<u64>, name: &str, args: &[&str]) -> Packet {
    event_with(namespace, ack, name, args, &[])
}

fn event_with(
    namespace: &str,
    ack: Option<u64>,
    name: &str,
    args: &[&str],
    attachments: &[&[u8]],
) -> Packet {
    Packet::Event(Event {
        namespace: namespace.to_owned(),
        ack,
        name: name.to_owned(),
        args: texts(args),
        attachments: attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect(),
    })
}

fn ack_with(namespace: &str, id: u64, args: &[&str], attachments: &[&[u8]]) -> Packet {
    Packet::Ack(Ack {
        namespace: namespace.to_owned(),
        id,
        args: texts(args),
        attachments: attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect(),
    })
}

#[test]
fn connects_and_disconnects() {
    let rows = [
        ("0", "/", None),
        ("0/", "/", None),
        ("0/,", "/", None),
        ("0/admin,", "/admin", None),
        ("0/admin", "/admin", None),
        (r#"0{"token":"123"}"#, "/", Some(r#"{"token":"123"}"#)),
        (r#"0/admin,{"token":"123"}"#, "/admin", Some(r#"{"token":"123"}"#)),
        (r#"0/a/b?c=d,{ "a" : [1e400] } "#, "/a/b?c=d", Some(r#"{ "a" : [1e400] }"#)),
        ("0{}", "/", Some("{}")),
        ("0/\u{e9},{}", "/\u{e9}", Some("{}")),
    ];
    for (message, namespace, auth) in rows {
        let (namespace, auth) = (namespace.to_owned(), auth.map(str::to_owned));
        check(message, &[], Packet::Connect { namespace, auth });
    }
    for (message, namespace) in [("1", "/"), ("1/,", "/"), ("1/admin,", "/admin"), ("1/a", "/a")] {
        check(message, &[], Packet::Disconnect { namespace: namespace.to_owned() });
    }
}

#[test]
fn events() {
    let rows = [
        (r#"2["foo"]"#, event_of("/", None, "foo", &[])),
        (r#"2/admin,["bar"]"#, event_of("/admin", None, "bar", &[])),
        (r#"212["foo"]"#, event_of("/", Some(12), "foo", &[])),
        (
            r#"2/admin,456["e",{"a":1},[2]]"#,
            event_of("/admin", Some(456), "e", &[r#"{"a":1}"#, "[2]"]),
        ),
        (r#"20["e"]"#, event_of("/", Some(0), "e", &[])),
        (r#"2007["e"]"#, event_of("/", Some(7), "e", &[])),
        (r#"29007199254740992["e"]"#, event_of("/", Some(ACK_ID_MAX), "e", &[])),
        // Arguments stay as they came: spaces within, numbers, escapes, keys that are there twice.
        (
            "2[ \"e\" , null,\n-1.50E+3 ,\t\"\\u0000\\ud800\", {\"a\":1, \"a\" :2} ] ",
            event_of(
                "/",
                None,
                "e",
                &["null", "-1.50E+3", r#""\u0000\ud800""#, r#"{"a":1, "a" :2}"#],
            ),
        ),
        (
            r#"2["e",1e400,12345678901234567890123]"#,
            event_of("/", None, "e", &["1e400", "12345678901234567890123"]),
        ),
        (r#"2["e",",]","}"]"#, event_of("/", None, "e", &[r#"",]""#, r#""}""#])),
        // Names of any kind.
        (r#"2["states:get"]"#, event_of("/", None, "states:get", &[])),
        (r#"2["",1]"#, event_of("/", None, "", &["1"])),
        (r#"2["a\"\\\u00e9\n"]"#, event_of("/", None, "a\"\\\u{e9}\n", &[])),
        ("2[17,18]", event_of("/", None, "17", &["18"])),
        ("2[-1.5e3]", event_of("/", None, "-1.5e3", &[])),
        (r#"2["Connect"]"#, event_of("/", None, "Connect", &[])),
        (r#"2["connect ","connect"]"#, event_of("/", None, "connect ", &[r#""connect""#])),
        (r#"2["message"]"#, event_of("/", None, "message", &[])),
        // No attachments are announced: an object like any other.
        (
            r#"2["e",{"_placeholder":true,"num":0}]"#,
            event_of("/", None, "e", &[r#"{"_placeholder":true,"num":0}"#]),
        ),
    ];
    for (message, expected) in rows {
        check(message, &[], expected);
    }
    let name = "n".repeat(60_000);
    check(&format!("2[\"{name}\"]"), &[], event_of("/", None, &name, &[]));
}

#[test]
fn acknowledgements() {
    let rows = [
        ("30[]", ack_with("/", 0, &[], &[])),
        ("312[1,\"a\"]", ack_with("/", 12, &["1", "\"a\""], &[])),
        ("3/admin,456[{}]", ack_with("/admin", 456, &["{}"], &[])),
        ("39007199254740992[]", ack_with("/", ACK_ID_MAX, &[], &[])),
        // Only events have names.
        ("31[\"connect\",null]", ack_with("/", 1, &["\"connect\"", "null"], &[])),
    ];
    for (message, expected) in rows {
        check(message, &[], expected);
    }
}

#[test]
fn attachments() {
    let rows: [(&str, &[&[u8]], Packet); 11] = [
        (
            r#"51-["baz",{"_placeholder":true,"num":0}]"#,
            &[&[1, 2, 3, 4]],
            event_with("/", None, "baz", &[r#"{"_placeholder":true,"num":0}"#], &[&[1, 2, 3, 4]]),
        ),
        (
            r#"52-/admin,7["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            &[b"a", b""],
            event_with(
                "/admin",
                Some(7),
                "baz",
                &[r#"{"_placeholder":true,"num":0}"#, r#"{"_placeholder":true,"num":1}"#],
                &[b"a", b""],
            ),
        ),
        (
            r#"61-456[{"_placeholder":true,"num":0}]"#,
            &[b"x"],
            ack_with("/", 456, &[r#"{"_placeholder":true,"num":0}"#], &[b"x"]),
        ),
        (
            r#"61-/admin,4[[{"a":{"num":0,"_placeholder":true}}]]"#,
            &[b"x"],
            ack_with("/admin", 4, &[r#"[{"a":{"num":0,"_placeholder":true}}]"#], &[b"x"]),
        ),
        // None at all: it is complete at once.
        (r#"50-["x"]"#, &[], event_of("/", None, "x", &[])),
        (r#"50-/a,3["x",1]"#, &[], event_of("/a", Some(3), "x", &["1"])),
        ("60-3[]", &[], ack_with("/", 3, &[], &[])),
        ("500-[\"x\"]", &[], event_of("/", None, "x", &[])),
        // Announced, but named nowhere or twice.
        (r#"51-["x"]"#, &[b"1"], event_with("/", None, "x", &[], &[b"1"])),
        (
            r#"51-["x",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]]"#,
            &[b"1"],
            event_with(
                "/",
                None,
                "x",
                &[r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#],
                &[b"1"],
            ),
        ),
        (r#"501-["x"]"#, &[b"1"], event_with("/", None, "x", &[], &[b"1"])),
    ];
    for (message, attachments, expected) in rows {
        check(message, attachments, expected);
    }

    let ten: Vec<&[u8]> = vec![b"a"; ATTACHMENTS_MAX];
    check(r#"510-["x"]"#, &ten, event_with("/", None, "x", &[], &ten));
    check(r#"59-["x"]"#, &ten[1..], event_with("/", None, "x", &[], &ten[1..]));
    for message in [r#"511-["x"]"#, r#"6999999-1[]"#, r#"599999999999999999999999-["x"]"#] {
        refuses(message, "too many attachments");
    }
}

/// One decoder reads one packet after the other, and owns nothing between them.
#[test]
fn packets_in_a_row() {
    assert_eq!(size_of::<Decoder>(), size_of::<usize>());
    let mut decoder = Decoder::default();
    let empty = decoder.text(r#"50-["x"]"#, 0);
    assert_eq!(empty, Ok(Some(event_of("/", None, "x", &[]))));
    assert_eq!(decoder.deadline_ms(), None);
    assert_eq!(decoder.text(r#"2["y"]"#, 0), Ok(Some(event_of("/", None, "y", &[]))));

    assert_eq!(decoder.text(r#"52-["z"]"#, 1_000), Ok(None));
    let deadline_ms = 1_000 + ATTACHMENTS_WITHIN_MS;
    assert_eq!((decoder.deadline_ms(), ATTACHMENTS_WITHIN_MS), (Some(deadline_ms), 10_000));
    assert_eq!(decoder.binary(b"1"), Ok(None));
    assert_eq!(decoder.deadline_ms(), Some(deadline_ms)); // of the packet, not of each
    let complete = decoder.binary(b"2");
    assert_eq!(complete, Ok(Some(event_with("/", None, "z", &[], &[b"1", b"2"]))));
    assert_eq!(decoder.deadline_ms(), None);

    let unannounced = Violation { reason: "binary message that no packet announced" };
    assert_eq!(decoder.binary(b"3"), Err(unannounced));
    assert_eq!(Decoder::default().binary(b""), Err(unannounced));

    for message in ["2[\"x\"]", "0", "", "51-[\"x\"]"] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(r#"51-["z"]"#, 0), Ok(None));
        let expected = Violation { reason: "text while attachments are awaited" };
        assert_eq!(decoder.text(message, 0), Err(expected), "{message}");
        assert_eq!(decoder.deadline_ms(), None);
    }
    // A time at the end of all times is no time to overflow.
    let mut decoder = Decoder::default();
    assert_eq!(decoder.text(r#"51-["z"]"#, u64::MAX), Ok(None));
    assert_eq!(decoder.deadline_ms(), Some(u64::MAX));
}

const NO_ARRAY: &str = "payload is no array";
const NO_JSON: &str = "payload is not JSON";
const WITH_PAYLOAD: &str = "DISCONNECT with a payload";

#[test]
fn where_attachments_are_awaited() {
    let waits = |message: &str| {
        let mut decoder = Decoder::default();
        decoder.text(message, 0).expect("it is a packet");
        let before = decoder.awaits_in().map(str::to_owned);
        while decoder.awaits_in().is_some() {
            decoder.binary(b"x").expect("it is awaited");
        }
        before
    };
    let check = |message: &str, namespace: Option<&str>| {
        assert_eq!(waits(message).as_deref(), namespace, "{message}");
    };
    check(r#"51-["x"]"#, Some("/"));
    check(r#"52-/states,["x"]"#, Some("/states"));
    check("61-/states,7[]", Some("/states"));
    check(r#"50-/states,["x"]"#, None);
    check(r#"2/states,["x"]"#, None);
    check("0/states,{}", None);
}

#[test]
fn types_refused() {
    const UNKNOWN: &str = "unknown Socket.IO packet type";
    let rows = [
        ("", UNKNOWN),
        ("7", UNKNOWN),
        ("9[\"x\"]", UNKNOWN),
        ("x", UNKNOWN),
        (" 2[\"x\"]", UNKNOWN),
        ("-1", UNKNOWN),
        ("\u{662}[\"x\"]", UNKNOWN),
        ("\u{FEFF}2[\"x\"]", UNKNOWN),
        ("4", "CONNECT_ERROR is the server's to send"),
        (r#"4/a,{"message":"x"}"#, "CONNECT_ERROR is the server's to send"),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
}

#[test]
fn connects_and_disconnects_refused() {
    const NO_OBJECT: &str = "payload of CONNECT is no object";
    let rows = [
        ("0[]", NO_OBJECT),
        ("0null", NO_OBJECT),
        ("0\"token\"", NO_OBJECT),
        ("0/a,5", NO_OBJECT),
        ("05{}", NO_JSON),
        ("0{", NO_JSON),
        ("0{}{}", NO_JSON),
        ("0{'a':1}", NO_JSON),
        ("0{\"a\":1,}", NO_JSON),
        ("0 ", NO_JSON),
        ("0\u{FEFF}{}", NO_JSON),
        ("01-{}", NO_JSON),
        ("1{}", WITH_PAYLOAD),
        ("1/a,[]", WITH_PAYLOAD),
        ("11", WITH_PAYLOAD),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
}

#[test]
fn bodies_refused() {
    let rows = [
        ("2", NO_ARRAY),
        ("2/a", NO_ARRAY),
        ("2/a,", NO_ARRAY),
        ("27", NO_ARRAY),
        ("2{}", NO_ARRAY),
        ("2\"x\"", NO_ARRAY),
        ("2null", NO_ARRAY),
        ("2 [\"x\"]", NO_ARRAY),
        ("51-", NO_ARRAY),
        ("51-{}", NO_ARRAY),
        ("2[", NO_JSON),
        ("2[\"x\"", NO_JSON),
        ("2[\"x\"]]", NO_JSON),
        ("2[\"x\",]", NO_JSON),
        ("2[\"x\"]2[\"y\"]", NO_JSON),
        ("2[x]", NO_JSON),
        ("2[\"x\",NaN]", NO_JSON),
        ("2[\"x\",01]", NO_JSON),
        ("2[\"x\",\"\t\"]", NO_JSON),
        ("2[\"x\",\"\\x\"]", NO_JSON),
        ("2[\"\\ud800\"]", NO_JSON), // a name has to be a text
        ("2[\"x\",\u{a0}1]", NO_JSON),
        ("51-[\"x\"", NO_JSON),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
}

#[test]
fn names_refused() {
    const NO_STRING: &str = "name of an event is no string";
    let rows = [
        ("2[]", "event without a name"),
        ("2[ ]", "event without a name"),
        ("51-[]", "event without a name"),
        ("50-[]", "event without a name"),
        ("2[null]", NO_STRING),
        ("2[true,\"x\"]", NO_STRING),
        ("2[[\"x\"]]", NO_STRING),
        ("2[{\"a\":1}]", NO_STRING),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
    let reserved = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ];
    for name in reserved {
        for message in [
            format!("2[\"{name}\"]"),
            format!("2/a,1[ \"{name}\",1]"),
            format!("51-[\"{name}\"]"),
            format!("2[\"\\u{:04x}{}\"]", name.as_bytes()[0], &name[1..]),
        ] {
            refuses(&message, "name of an event is reserved");
        }
    }
}

#[test]
fn ids_refused() {
    const OVER: &str = "id of an acknowledgement over 2^53";
    let rows = [
        ("29007199254740993[\"x\"]", OVER),
        ("299999999999999999999999[\"x\"]", OVER),
        ("39007199254740993[]", OVER),
        ("2-1[\"x\"]", NO_ARRAY),
        ("21.5[\"x\"]", NO_ARRAY),
        ("21e3[\"x\"]", NO_ARRAY),
        ("2+1[\"x\"]", NO_ARRAY),
        ("20x1[\"x\"]", NO_ARRAY),
        ("2\u{661}[\"x\"]", NO_ARRAY),
        ("2/a,-1[\"x\"]", NO_ARRAY),
        ("3[]", "acknowledgement without an id"),
        ("3/a,[]", "acknowledgement without an id"),
        ("61-[]", "acknowledgement without an id"),
        ("31", NO_ARRAY),
        ("31{}", NO_ARRAY),
        ("3-1[]", NO_ARRAY),
        ("31[1", NO_JSON),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
}

#[test]
fn numbers_of_attachments_refused() {
    const COUNT: &str = "number of attachments is malformed";
    let rows = [
        ("5", COUNT),
        ("5[\"x\"]", COUNT),
        ("5-[\"x\"]", COUNT),
        ("51[\"x\"]", COUNT),
        ("5 1-[\"x\"]", COUNT),
        ("5+1-[\"x\"]", COUNT),
        ("5-1-[\"x\"]", COUNT),
        ("51.0-[\"x\"]", COUNT),
        ("51e0-[\"x\"]", COUNT),
        ("5[\"a-b\"]", COUNT),
        ("5/a-b,1-[\"x\"]", COUNT),
        ("6", COUNT),
        ("6-1[]", COUNT),
        ("21-[\"x\"]", NO_ARRAY),
        ("31-2[]", NO_ARRAY),
        ("11-", WITH_PAYLOAD),
    ];
    for (message, reason) in rows {
        refuses(message, reason);
    }
}

#[test]
fn placeholders() {
    // With two attachments announced.
    let rows = [
        (r#"{"_placeholder":true,"num":0}"#, true),
        (r#"{"_placeholder":true,"num":1}"#, true),
        (r#"{"_placeholder":true,"num":2}"#, false),
        (r#"{"_placeholder":true,"num":-1}"#, false),
        (r#"{"_placeholder":true,"num":-0}"#, false),
        (r#"{"_placeholder":true,"num":0.0}"#, false),
        (r#"{"_placeholder":true,"num":0.5}"#, false),
        (r#"{"_placeholder":true,"num":1e0}"#, false),
        (r#"{"_placeholder":true,"num":1e400}"#, false),
        (r#"{"_placeholder":true,"num":18446744073709551616}"#, false),
        (r#"{"_placeholder":true,"num":"0"}"#, false),
        (r#"{"_placeholder":true,"num":null}"#, false),
        (r#"{"_placeholder":true,"num":true}"#, false),
        (r#"{"_placeholder":true,"num":[0]}"#, false),
        (r#"{"_placeholder":true,"num":{"a":0}}"#, false),
        (r#"{"_placeholder":true}"#, false),
        (r#"{"_placeholder":true,"Num":0}"#, false),
        // In any order, with spaces, among other members, in disguise, at any depth.
        (r#"{ "num" : 1 , "_placeholder" : true }"#, true),
        (r#"{ "num" : 2 , "_placeholder" : true }"#, false),
        (r#"{"a":[1,{"num":9}],"num":1,"b":{},"_placeholder":true,"c":"}"}"#, true),
        (r#"{"a":[1,{"num":0}],"b":{},"_placeholder":true,"c":"num"}"#, false),
        (r#"{"\u005fplaceholder":true,"n\u0075m":1}"#, true),
        (r#"{"\u005fplaceholder":true,"num":7}"#, false),
        (r#"{"_placeholder":true,"\u006eum":7}"#, false),
        (r#"{"a":[[{"b":{"_placeholder":true,"num":1}}]]}"#, true),
        (r#"{"a":[[{"b":{"_placeholder":true,"num":7}}]]}"#, false),
        (r#"[[],{},{"_placeholder":true,"num":7}]"#, false),
        (r#"{"a":{"_placeholder":true,"num":1},"num":7}"#, true),
        (r#"{"_placeholder":true,"num":0,"a":{"_placeholder":true,"num":2}}"#, false),
        // Of a key that is there twice the last counts, as in JavaScript.
        (r#"{"_placeholder":true,"num":7,"num":1}"#, true),
        (r#"{"_placeholder":true,"num":1,"num":7}"#, false),
        (r#"{"_placeholder":true,"num":7,"_placeholder":false}"#, true),
        (r#"{"_placeholder":false,"num":7,"_placeholder":true}"#, false),
        // What is none.
        (r#"{"_placeholder":false,"num":7}"#, true),
        (r#"{"_placeholder":"true","num":7}"#, true),
        (r#"{"_placeholder":1,"num":7}"#, true),
        (r#"{"_placeholder":[true],"num":7}"#, true),
        (r#"{"_placeholder":{"a":true},"num":7}"#, true),
        (r#"{"placeholder":true,"num":7}"#, true),
        (r#"{"_placeholder ":true,"num":7}"#, true),
        (r#"{"\"_placeholder\"":true,"num":7}"#, true),
        (r#"{"\ud800_placeholder":true,"num":7}"#, true),
        (r#""{\"_placeholder\":true,\"num\":7}""#, true),
        (r#""_placeholder",true,"num",7"#, true),
        (r#""\\",{"_placeholder":true,"num":7}"#, false),
        (r#"1e400,{"_placeholder":true,"num":1}"#, true),
    ];
    for (args, is_good) in rows {
        for message in [format!("52-[\"e\",{args}]"), format!("62-/a,1[{args}]")] {
            let expected = match is_good {
                true => Ok(None),
                false => Err(Violation { reason: "bad placeholder" }),
            };
            assert_eq!(Decoder::default().text(&message, 0), expected, "{message}");
        }
    }
    // Without attachments there is none that one could name.
    refuses(r#"50-["e",{"_placeholder":true,"num":0}]"#, "bad placeholder");
    check(
        r#"50-["e",{"_placeholder":false,"num":0}]"#,
        &[],
        event_of("/", None, "e", &[r#"{"_placeholder":false,"num":0}"#]),
    );
}

#[test]
fn namespaces_at_their_limit() {
    for len in [NAMESPACE_LEN_MAX - 1, NAMESPACE_LEN_MAX] {
        let namespace = format!("/{}", "n".repeat(len - 1));
        check(&format!("2{namespace},[\"e\"]"), &[], event_of(&namespace, None, "e", &[]));
        check(&format!("1{namespace}"), &[], Packet::Disconnect { namespace });
    }
    let namespace = format!("/{}", "n".repeat(NAMESPACE_LEN_MAX));
    for message in [
        format!("0{namespace}"),
        format!("0{namespace},{{}}"),
        format!("1{namespace},"),
        format!("2{namespace},[\"e\"]"),
        format!("3{namespace},1[]"),
        format!("51-{namespace},[\"e\"]"),
        format!("0/{}", "/".repeat(60_000)),
    ] {
        refuses(&message, "namespace too long");
    }
}

/// Depth is the caller's to judge; here it costs no stack, in packets with attachments neither.
#[test]
fn depth_overflows_nothing() {
    for depth in [1, 127, 128, 129, 32_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let deep = format!("{open}{close}");
        check(&format!("2[\"e\",{deep}]"), &[], event_of("/", None, "e", &[&deep]));
        let deep = format!("{open}{{\"_placeholder\":true,\"num\":0}}{close}");
        let expected = event_with("/", None, "e", &[&deep], &[b"a"]);
        check(&format!("51-[\"e\",{deep}]"), &[b"a"], expected);
        let objects = format!("{}{{}}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        check(
            &format!("0{objects}"),
            &[],
            Packet::Connect { namespace: "/".to_owned(), auth: Some(objects) },
        );
    }
    refuses(&format!("2{}", "[".repeat(65_000)), "payload is not JSON");
    refuses(&format!("2[\"e\",{}", "{\"a\":".repeat(13_000)), "payload is not JSON");
    refuses(&format!("51-{}", "[".repeat(65_000)), "payload is not JSON");
}
