//! Socket.IO: what a server sends.

use bellwire_wire::frame;
use bellwire_wire::socketio::{
    ACK_ID_MAX, ack, binary_ack, binary_event, connect, connect_error, disconnect, event,
    event_frame, request,
};

#[test]
fn what_a_server_sends() {
    let rows = [
        (connect("/", "s1", None), r#"40{"sid":"s1"}"#),
        (connect("/states", "s1", Some("p1")), r#"40/states,{"sid":"s1","pid":"p1"}"#),
        (connect("/", "\"\\", Some("\n")), r#"40{"sid":"\"\\","pid":"\n"}"#),
        (
            connect_error("/none", "Invalid namespace", None),
            r#"44/none,{"message":"Invalid namespace"}"#,
        ),
        (
            connect_error("/", "say \"please\"", Some(r#"{"code":"UNAUTHORIZED"}"#)),
            r#"44{"message":"say \"please\"","data":{"code":"UNAUTHORIZED"}}"#,
        ),
        (disconnect("/"), "41"),
        (disconnect("/states"), "41/states,"),
        (event("/", "e", &[]), r#"42["e"]"#),
        (event("/states", "e", &["1", r#"{"a":null}"#]), r#"42/states,["e",1,{"a":null}]"#),
        (event("/", "\"\u{e9}\n", &["[]"]), "42[\"\\\"\u{e9}\\n\",[]]"),
        (request("/", 0, "e", &["1"]), r#"420["e",1]"#),
        (request("/states", 12, "e", &[]), r#"42/states,12["e"]"#),
        (ack("/", 7, &[]), "437[]"),
        (ack("/states", 12, &[r#""a""#, "2"]), r#"43/states,12["a",2]"#),
        (ack("/", ACK_ID_MAX, &["null"]), "439007199254740992[null]"),
        (
            binary_event("/", "e", &[r#"{"_placeholder":true,"num":0}"#], 1),
            r#"451-["e",{"_placeholder":true,"num":0}]"#,
        ),
        (binary_event("/states", "e", &["1"], 10), r#"4510-/states,["e",1]"#),
        (binary_event("/", "e", &[], 0), r#"450-["e"]"#),
        (
            binary_ack("/states", 3, &[r#"{"_placeholder":true,"num":0}"#], 2),
            r#"462-/states,3[{"_placeholder":true,"num":0}]"#,
        ),
        (binary_ack("/", 3, &[], 1), "461-3[]"),
    ];
    for (text, expected) in rows {
        assert_eq!(text, expected);
    }
    let frames = [
        ("/", "e", "null", None, r#"42["e",null]"#),
        ("/states", "state_changed", r#"{"a":1}"#, None, r#"42/states,["state_changed",{"a":1}]"#),
        ("/", "e", "[1, 2]", Some("c1"), r#"42["e",[1, 2],"c1"]"#),
        ("/states", "\"", "{}", Some("\\"), r#"42/states,["\"",{},"\\"]"#),
    ];
    for (namespace, name, payload, cursor, expected) in frames {
        assert_eq!(event_frame(namespace, name, payload, cursor), frame::text(expected));
    }
}

/// What is not JSON would break the client's connection, and a comma would end the namespace.
#[test]
#[cfg(debug_assertions)]
fn what_no_client_could_read_is_a_bug() {
    let bugs: [fn() -> String; 4] = [
        || event("/", "e", &["1", "{"]),
        || ack("/", 1, &["x"]),
        || connect_error("/", "no", Some("")),
        || disconnect("/a,b"),
    ];
    for bug in bugs {
        assert!(std::panic::catch_unwind(bug).is_err());
    }
    assert!(std::panic::catch_unwind(|| event_frame("/", "e", "1 2", None)).is_err());
}
