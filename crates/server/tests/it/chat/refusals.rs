//! What is refused, with which code, and that nobody is told anything of it: another's identity in every call, rooms of
//! others, and what clients say of recipients, counters and notifications.

use serde_json::{Value, json};

use super::{
    BOSS, DONE, Form, House, JANE, JOHN, Line, MIKE, SARA, STRANGER, in_room,
    line::ROOT,
    notify, on_page,
    table::{HELLO, SENT},
};
use crate::harness::Over;

/// A word that only who refuses it ever sees.
const CANARY: &str = "canary";

/// Everybody beside who tries: nothing of what is refused may reach them.
struct Others(Vec<Line>);

impl Others {
    /// john_doe and jane in their rooms, and sara_cleaner and mike_butler at home, in both dialects.
    fn of(house: &House) -> Others {
        let line = |user, form, rooms: &[&str]| {
            let mut line = house.line_in(user, form, rooms);
            line.told();
            line
        };
        Others(vec![
            line(JOHN, ROOT, &["1:2", "1:2:3"]),
            line(JOHN, Form::Plain, &[]),
            line(JANE, Form::Plain, &["1:2", "1:2:3"]),
            line(JANE, Form::Chat(Over::Socket), &[]),
            line(SARA, ROOT, &["1:2:3"]),
            line(MIKE, Form::Plain, &[]),
            line(BOSS, ROOT, &[]),
        ])
    }

    /// They were told nothing.
    #[track_caller]
    fn heard_nothing(&mut self) {
        for line in &mut self.0 {
            assert_eq!(line.told(), [""; 0], "{}", line.name);
            let leaked = line.raw.iter().find(|text| text.contains(CANARY));
            assert_eq!(leaked, None, "{}", line.name);
        }
    }
}

/// A call as somebody who is another says it.
fn another(call: &str) -> Vec<String> {
    let claims: &[Value] = match call {
        "addOnlineUser" => &[json!({ "userID": "1", "userUsername": "canary" })],
        "joinRoom" => &[json!("1"), json!("2"), json!("01"), json!("user:5"), json!("")],
        "message" => &[
            json!({ "data": { "message": "canary", "from": "1", "roomID": "1:2" } }),
            json!({ "data": { "message": "canary", "from": "1", "roomID": "1:5" } }),
            json!({ "data": { "message": "canary", "from": "05", "roomID": "1:5" } }),
            json!({ "data": { "message": "canary", "from": "", "roomID": "1:5" } }),
        ],
        "startTypingRoom" | "stopTypingRoom" => &[
            json!({ "roomID": "1:2", "user": { "userID": "1", "username": "canary" } }),
            json!({ "roomID": "1:5", "user": { "userID": "1", "username": "canary" } }),
        ],
        "createUserGroup" => &[
            json!({ "data": { "newUserID": "3", "roomID": "1:2", "newRoomID": "1:2:3", "clientID": "1" } }),
            json!({ "data": { "newUserID": "3", "roomID": "1:5", "newRoomID": "1:3:5", "clientID": "1" } }),
        ],
        "addUserToGroup" => &[
            json!({ "data": { "newUserID": "4", "roomID": "1:2:3", "newRoomID": "1:2:3:4", "clientID": "1" } }),
        ],
        "kickUserFromGroup" => &[
            json!({ "roomID": "1:2:3", "newRoomID": "1:2", "kickedUserID": "3", "clientID": "1" }),
        ],
        "deleteUserRoom" => &[json!({ "roomID": "1:2:3", "clientID": "1" })],
        other => panic!("{other}"),
    };
    claims.iter().map(Value::to_string).collect()
}

const CALLS: [&str; 9] = [
    "addOnlineUser",
    "joinRoom",
    "message",
    "startTypingRoom",
    "stopTypingRoom",
    "createUserGroup",
    "addUserToGroup",
    "kickUserFromGroup",
    "deleteUserRoom",
];

#[test]
fn nobody_is_believed_to_be_another() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut others = Others::of(&house);
    for form in Form::ALL {
        let mut line = house.line(STRANGER, form);
        for call in CALLS {
            for payload in another(call) {
                let words = line.refused(call, &payload, "FORBIDDEN");
                assert!(!words.contains(CANARY), "{words}");
                // Nor without asking for an answer: it is told by an event, in the same words.
                line.says(call, &payload);
                let event = line.event();
                let error = event.strip_prefix("error ").unwrap_or_else(|| panic!("{event}"));
                assert_eq!(
                    super::line::is_error(error, "FORBIDDEN"),
                    Some(words),
                    "{call} {payload}"
                );
            }
        }
        assert_eq!(line.told(), [""; 0]);
    }
    others.heard_nothing();
    // Ids are texts.
    let mut line = house.line(JOHN, ROOT);
    for (call, payload) in [
        ("addOnlineUser", json!({ "userID": 1 })),
        ("joinRoom", json!(1)),
        ("joinRoom", json!(["1"])),
        ("joinRoom", json!({ "userID": "1" })),
        ("joinRoom", Value::Null),
        ("message", json!({ "data": { "message": "a", "from": 1, "roomID": "1:2" } })),
        ("startTypingRoom", json!({ "roomID": "1:2", "user": { "userID": 1 } })),
        ("deleteUserRoom", json!({ "roomID": "1:2:3", "clientID": 1 })),
    ] {
        line.refused(call, &payload.to_string(), "INVALID");
    }
    others.heard_nothing();
}

/// What a call says with this room in it; the caller is sara_cleaner.
fn in_that_room(room: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("chatRoom.join", room.clone()),
        ("message", json!({ "data": { "message": "canary", "roomID": room } })),
        ("startTypingRoom", json!({ "roomID": room })),
        ("stopTypingRoom", json!({ "roomID": room })),
        (
            "createUserGroup",
            json!({ "data": { "newUserID": "4", "roomID": room, "newRoomID": "1:2:4" } }),
        ),
        (
            "addUserToGroup",
            json!({ "data": { "newUserID": "4", "roomID": room, "newRoomID": "1:2:4" } }),
        ),
        ("kickUserFromGroup", json!({ "roomID": room, "newRoomID": "1:2", "kickedUserID": "2" })),
        ("deleteUserRoom", json!({ "roomID": room })),
    ]
}

/// Rooms that are others', were one's own, or never were: answered alike.
#[test]
fn rooms_of_others_are_no_rooms() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    assert_eq!(house.group(&[JOHN, JANE, SARA, MIKE]), "1:2:3:4");
    house.says(JOHN, "1:2", "there is such a room");
    let kick = r#"{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3"}"#;
    house.line(JOHN, Form::Plain).does("kickUserFromGroup", kick);
    let mut others = Others::of(&house);
    for form in [ROOT, Form::Plain] {
        for room in ["1:2", "1:2:4", "1:2:3:4", "1:2:5", "2:99", "1:2:99"] {
            let mut line = house.line_in(SARA, form, &[]);
            line.told();
            let mut words = Vec::new();
            for (call, payload) in in_that_room(&json!(room)) {
                words.push(line.refused(call, &payload.to_string(), "NOT_FOUND"));
            }
            words.dedup();
            assert_eq!(words, ["there is no such room"], "{room}");
            assert_eq!(line.told(), [""; 0]);
        }
    }
    others.heard_nothing();
    // What leads nowhere may be left.
    let mut line = house.line(SARA, ROOT);
    for room in ["1:2", "2:1", "", "1", "x", "1:2:3:4"] {
        line.does("chatRoom.leave", &json!(room).to_string());
        line.does("leaveRoom", &json!(room).to_string());
    }
}

/// Labels have one spelling.
#[test]
fn labels_that_are_none() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut others = Others::of(&house);
    let ids = |count: usize| (1_000..).take(count).map(|id: usize| id.to_string());
    let huge = ids(1_700).collect::<Vec<_>>().join(":");
    let labels = [
        "2:1",
        "3:1",
        "01:3",
        "1:03",
        "1:1",
        "3:3",
        "3",
        "",
        ":",
        "1:",
        ":3",
        "1:2:2",
        "1:2:3:3",
        "3:2:1",
        "1 :3",
        "1:3 ",
        "room:1:3",
        "1,3",
        "1::3",
        "0:3",
        "-1:3",
        "1:3.0",
        "1:+3",
        "\u{661}:3",
        "1:\u{663}",
        "null",
        "9007199254740993:9007199254740994",
    ];
    let labels: Vec<&str> = labels.into_iter().chain([&*huge]).collect();
    for form in [ROOT, Form::Plain] {
        for some in labels.chunks(10) {
            let mut line = house.line(SARA, form);
            for label in some {
                for (call, payload) in in_that_room(&json!(label)) {
                    line.refused(call, &payload.to_string(), "INVALID_ROOM");
                }
            }
            assert_eq!(line.told(), [""; 0]);
        }
    }
    for room in [json!(12), json!(null), json!(["1", "3"]), json!({ "roomID": "1:3" }), json!(true)]
    {
        let mut line = house.line(SARA, Form::Plain);
        for (call, payload) in in_that_room(&room) {
            line.refused(call, &payload.to_string(), "INVALID");
        }
    }
    others.heard_nothing();
    // Longer than any label may be, and as short as a message may be.
    let long = ids(1_600).collect::<Vec<_>>().join(":");
    let mut line = house.line(SARA, ROOT);
    assert!(line.refused("chatRoom.join", &json!(long).to_string(), "NOT_FOUND").len() < 100);
}

/// `newRoomID` is the label that comes of it, and nothing else.
#[test]
fn new_rooms_have_the_label_that_comes_of_it() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut others = Others::of(&house);
    let mut line = house.line(JOHN, ROOT);
    let new = |user: &str, room: &str, new_room: &Value| {
        json!({ "data": { "newUserID": user, "roomID": room, "newRoomID": new_room } }).to_string()
    };
    for label in ["1:2", "1:2:4", "1:3:4", "1:2:3", "2:1:4", "1:2:04", "4:1:2", "", "1:2:4:5"] {
        if label != "1:2:4" {
            line.refused("createUserGroup", &new("4", "1:2", &json!(label)), "INVALID_ROOM");
        }
        line.refused("addUserToGroup", &new("4", "1:2:3", &json!(label)), "INVALID_ROOM");
        let kick = json!({ "roomID": "1:2:3", "newRoomID": label, "kickedUserID": "3" });
        if label != "1:2" {
            line.refused("kickUserFromGroup", &kick.to_string(), "INVALID_ROOM");
        }
    }
    for (call, payload, code) in [
        ("createUserGroup", new("4", "1:2", &json!(4)), "INVALID"),
        ("createUserGroup", r#"{"data":{"newUserID":"4","roomID":"1:2"}}"#.to_owned(), "INVALID"),
        (
            "createUserGroup",
            r#"{"newUserID":"4","roomID":"1:2","newRoomID":"1:2:4"}"#.into(),
            "INVALID",
        ),
        (
            "createUserGroup",
            r#"{"data":{"newUserID":4,"roomID":"1:2","newRoomID":"1:2:4"}}"#.into(),
            "INVALID",
        ),
        ("createUserGroup", r#"{"data":null}"#.into(), "INVALID"),
        ("createUserGroup", "{}".into(), "INVALID"),
        // Somebody who is nobody, and who is there already.
        ("createUserGroup", new("99", "1:2", &json!("1:2:99")), "NOT_FOUND"),
        ("addUserToGroup", new("99", "1:2:3", &json!("1:2:3:99")), "NOT_FOUND"),
        ("addUserToGroup", new("2", "1:2:3", &json!("1:2:3")), "CONFLICT"),
        ("createUserGroup", new("3", "1:2", &json!("1:2:3")), "CONFLICT"),
        (
            "kickUserFromGroup",
            r#"{"roomID":"1:2:3","newRoomID":"1:2:3","kickedUserID":"4"}"#.into(),
            "NOT_FOUND",
        ),
        ("kickUserFromGroup", r#"{"roomID":"1:2:3","newRoomID":"1:2"}"#.into(), "INVALID"),
        ("deleteUserRoom", "{}".into(), "INVALID"),
        ("deleteUserRoom", r#""1:2:3""#.into(), "INVALID_JSON"),
    ] {
        let answer = line.asks(call, &payload);
        assert!(super::line::is_error(&answer, code).is_some(), "{call} {payload}: {answer}");
    }
    others.heard_nothing();
}

/// What clients say of others is not believed: neither who gets a message, nor how many they have not read.
#[test]
fn what_clients_say_of_others_is_ignored() {
    let house = House::new();
    let mut john = house.line_in(JOHN, ROOT, &["1:2"]);
    let mut jane = house.line_in(JANE, Form::Plain, &[]);
    let mut sara = house.line_in(SARA, Form::Plain, &[]);
    let forged = json!({ "data": {
        "message": "Hello!", "from": "1", "roomID": "1:2", "fromUsername": "canary", "roomKey": "room:1:3",
        "lastMessage": "canary", "contact": "canary", "date": { "day": 1 }, "messageID": 7,
        "unreadMessArray": [{ "recipientID": "3", "roomID": "1:3", "countNumber": 99, "updateStatus": false }],
    }});
    // Whether it is the first contact is a matter of its own: there it must be true or false.
    john.refused("message", &forged.to_string(), "INVALID");
    let mut told = forged;
    told["data"]["contact"] = Value::Null;
    assert_eq!(john.asks("message", &told.to_string()), SENT);
    assert_eq!(john.told(), [in_room(JOHN, "1:2", "Hello!")]);
    let told = [on_page("1:2", "Hello!"), notify(JOHN, JANE, "1:2", "Hello!")];
    assert_eq!(jane.told(), told);
    assert_eq!(sara.told(), [""; 0]);
    // Nor what somebody is to be told of a group.
    let forged = json!({ "data": {
        "newUserID": "3", "newUsername": "canary", "roomID": "1:2", "newRoomID": "1:2:3", "online": true,
        "currentMember": [{ "userID": "4", "username": "canary" }], "clientID": "1", "clientUsername": "canary",
        "newUserPicturePath": "javascript:canary",
        "notifications": [{ "id": 1, "from": "2", "to": "4", "type": "canary", "message": "canary", "read": true }],
    }});
    assert_eq!(john.asks("createUserGroup", &forged.to_string()), DONE);
    let change = r#"createUserGroupChange {"newUserID":"3","newUsername":"sara_cleaner","roomID":"1:2","newRoomID":"1:2:3","currentMember":[{"userID":"2","username":"jane"}],"clientUsername":"john_doe","newUserPicturePath":"","online":false}"#;
    assert_eq!(john.told(), [change]);
    for line in [&mut jane, &mut sara] {
        let told = line.told();
        assert_eq!((told.len(), &*told[1]), (2, change), "{told:?}");
        assert!(!told[0].contains(CANARY) && told[0].contains(r#""type":"chatGroup""#), "{told:?}");
    }
    let inbox = |user| house.ask(user, "GET", "/api/notifications").expect(200).to_string();
    assert!(!inbox(MIKE).contains("chatGroup"), "{}", inbox(MIKE));
    assert!(!(inbox(JANE) + &inbox(SARA)).contains(CANARY));
}

/// Who says something that is no call is told so, and nobody else.
#[test]
fn what_is_no_call() {
    let house = House::new();
    let mut sara = house.line_in(SARA, Form::Plain, &[]);
    for form in Form::ALL {
        let mut line = house.line_in(JOHN, form, &["1:2"]);
        // What nobody offers, what only the server says to itself, and what only admins may.
        for call in ["message.send", "chat.present", "users.list", "states:delete", "newOnlineUser"]
        {
            let answer = line.asks(call, r#"{"came":["5"],"went":["1"]}"#);
            assert!(answer.contains(r#""error":""#), "{form:?} {call}: {answer}");
        }
        assert_eq!(line.asks("message", HELLO), SENT);
        assert_eq!(line.told(), [in_room(JOHN, "1:2", "Hello!")]);
    }
    assert_eq!(sara.told(), [""; 0]);
}
