//! Callers who may not chat, and what guests may: outside of a demo nothing, in one to say who they are.

use serde_json::json;

use super::{
    BOSS, DONE, Form, House, JANE, JOHN, Line, MIKE, SARA, STRANGER, in_room,
    line::ROOT,
    message, notify, on_page,
    table::{HELLO, SENT, TYPING},
};
use crate::harness::{Over, Server};

/// What is said to a token that speaks for no user.
const NO_USER: &str = "only users may chat, and this token speaks for none";

/// Every call of the document, as user 1 makes it.
const CALLS: [(&str, &str); 14] = [
    ("addOnlineUser", r#"{"userID":"1","userUsername":"john_doe"}"#),
    ("joinRoom", r#""1""#),
    ("chatRoom.join", r#""1:2""#),
    ("message", HELLO),
    ("startTypingRoom", TYPING),
    ("stopTypingRoom", TYPING),
    (
        "createUserGroup",
        r#"{"data":{"newUserID":"3","roomID":"1:2","newRoomID":"1:2:3","clientID":"1"}}"#,
    ),
    (
        "addUserToGroup",
        r#"{"data":{"newUserID":"4","roomID":"1:2:3","newRoomID":"1:2:3:4","clientID":"1"}}"#,
    ),
    (
        "kickUserFromGroup",
        r#"{"roomID":"1:2:3","newRoomID":"1:2","kickedUserID":"3","clientID":"1"}"#,
    ),
    ("deleteUserRoom", r#"{"roomID":"1:2:3","clientID":"1"}"#),
    ("chat.rooms", "{}"),
    ("chat.online", "{}"),
    ("chat.messages", r#"{"roomID":"1:2"}"#),
    ("chat.read", r#"{"roomID":"1:2"}"#),
];

/// Tokens of the house that speak for no user: they may listen to who is online, and nothing else.
#[test]
fn tokens_that_speak_for_nobody() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut john = house.line_in(JOHN, Form::Plain, &["1:2", "1:2:3"]);
    for role in ["admin", "user"] {
        let token = house.server.token(role, &[]).text;
        for form in [ROOT, Form::Plain] {
            let mut line = Line::open(&house.server, &token, form, role).nobody();
            for (call, payload) in CALLS {
                let words = line.refused(call, payload, "FORBIDDEN");
                assert_eq!(words, NO_USER, "{role} {call}");
            }
            // Leaving is never an error.
            line.does("leaveRoom", r#""1""#);
            line.does("chatRoom.leave", r#""1:2""#);
            assert_eq!(line.told(), [""; 0]);
        }
        for path in [
            "/api/chat/rooms",
            "/api/chat/rooms/1:2",
            "/api/chat/rooms/1:2/messages",
            "/api/chat/online",
        ] {
            house.server.ask("GET", path).bearer(&token).refused(403, "FORBIDDEN");
        }
    }
    assert_eq!(john.told(), [""; 0]);
}

/// Screens and boards have nothing to do here: they may do nothing, and are told nothing.
#[test]
fn screens_and_boards() {
    let house = House::new();
    let mut john = house.line_in(JOHN, Form::Plain, &["1:2"]);
    for role in ["client", "device"] {
        let token = house.server.token(role, &[]).text;
        for form in [Form::Plain, Form::Chat(Over::Socket), ROOT] {
            let mut line = Line::open(&house.server, &token, form, role).nobody();
            // On `/` a screen may be greeted: it is there for other things.
            line.told();
            for (call, payload) in CALLS {
                assert_eq!(line.refused(call, payload, "FORBIDDEN"), NO_USER, "{role} {call}");
            }
            // Nor by asking for it by name, whatever is answered to that.
            if form != Form::Plain {
                line.asks("subscribe", r#"{"topics":["chat"]}"#);
            }
            john.does("message", HELLO);
            house.line(SARA, ROOT).does("addOnlineUser", "{}");
            assert_eq!(line.told(), [""; 0], "{role} {form:?}");
        }
        for path in ["/api/chat/rooms", "/api/chat/online"] {
            house.server.ask("GET", path).bearer(&token).refused(403, "FORBIDDEN");
        }
    }
    john.told();
}

/// Rooms are entered, and nothing else leads there: the topics behind them cannot be asked for.
#[test]
fn topics_of_rooms_have_no_names() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut sara = house.line_in(SARA, Form::Plain, &["1:2:3"]);
    let mut john = house.line_in(JOHN, ROOT, &["1:2", "1:2:3"]);
    let topics = [
        "person/1",
        "person/2",
        "private/1:2",
        "group/1",
        "group/2",
        "seat/1",
        "seat/2",
        "here/1",
        "chat/1",
        "*",
        "principal/user/1",
    ];
    let mut spies: Vec<Line> =
        [STRANGER, JANE, BOSS].map(|user| house.line(user, ROOT)).into_iter().collect();
    spies.push(Line::open(&house.server, &house.admin, ROOT, "the admin's token").nobody());
    for spy in &mut spies {
        spy.told();
        for topic in topics {
            let answer = spy.asks("subscribe", &json!({ "topics": [topic] }).to_string());
            assert!(answer.contains("unknown topic"), "{}: {topic}: {answer}", spy.name);
        }
        let mut session = house.server.socket_io().open(Over::Socket);
        let auth = json!({ "token": house.token(STRANGER), "topics": ["private/1:2"] });
        session.is_refused("/", &auth, "topics: unknown topic \"private/1:2\"");
    }
    john.does("message", HELLO);
    john.does("message", &message("1:2:3", "canary"));
    john.does("startTypingRoom", r#"{"roomID":"1:2:3"}"#);
    assert_eq!(sara.told().len(), 3);
    for spy in &mut spies {
        assert_eq!(spy.told(), [""; 0], "{}", spy.name);
    }
}

/// Who asked for something else on `/` is not told of chat before they call it; who asked for it by its name is.
#[test]
fn chat_by_its_name() {
    let house = House::new();
    let rows: [(usize, &[&str], bool); 4] = [
        (JOHN, &["states"], false),
        (SARA, &[], false),
        (MIKE, &["chat"], true),
        (STRANGER, &["states", "chat"], true),
    ];
    for (user, topics, is_told) in rows {
        let mut sessions = Over::BOTH.map(|over| {
            let mut session = house.server.socket_io().open(over);
            session.enter("/", &json!({ "token": house.token(JANE), "topics": topics }));
            session.told("/");
            session
        });
        house.line(user, ROOT).does("addOnlineUser", "{}");
        let event = format!(r#"42["newOnlineUser",{{"type":"Add","userID":"{user}"}}]"#);
        for session in &mut sessions {
            assert_eq!(session.told("/"), vec![event.clone(); usize::from(is_told)], "{topics:?}");
            // Its first call is as good as its name.
            assert!(session.says(r#"421["chatRoom.join","1:2"]"#).starts_with("431["));
        }
        house.says(JOHN, "1:2", "hello");
        for session in &mut sessions {
            let told = session.told("/");
            assert!(told.len() == 1 && told[0].starts_with(r#"42["messageRoom","#), "{told:?}");
        }
    }
}

/// Outside of a demo nobody is a guest.
#[test]
fn no_guests_in_a_house_that_is_closed() {
    let house = House::new();
    let (told, code) = house.server.dial("/ws/chat/").open().closed();
    assert!(code == Some(4401) && told.len() == 1, "{told:?} {code:?}");
    for over in Over::BOTH {
        for namespace in ["/", "/chat"] {
            let mut session = house.server.socket_io().open(over);
            session.is_refused(namespace, &json!({}), "authentication required");
        }
    }
    for (method, path) in [
        ("GET", "/api/chat/rooms"),
        ("POST", "/api/chat/rooms"),
        ("GET", "/api/chat/online"),
        ("POST", "/api/chat/rooms/1:2/read"),
    ] {
        house
            .server
            .ask(method, path)
            .json(&json!({ "members": ["2"] }))
            .refused(401, "UNAUTHENTICATED");
    }
}

/// In a demo a guest is whoever they say, as the document's clients do, which have no token.
#[test]
fn guests_of_a_demo() {
    let server = Server::demo();
    for (n, form) in [ROOT, Form::Plain].into_iter().enumerate() {
        let mut jane = Line::guest(&server, form.other());
        jane.does("addOnlineUser", r#"{"userID":"2","userUsername":"jane"}"#);
        jane.does("joinRoom", r#""2""#);
        let mut guest = Line::guest(&server, form);
        // Before, they are nobody: told so, and free to go on.
        for (call, payload) in [
            ("joinRoom", r#""1""#),
            ("chatRoom.join", r#""1:2""#),
            ("message", HELLO),
            ("startTypingRoom", TYPING),
        ] {
            let answer = guest.asks(call, payload);
            assert!(
                answer.starts_with(r#"{"error":"say who you are first: addOnlineUser","#),
                "{call}: {answer}"
            );
        }
        // Never an admin.
        guest.refused("addOnlineUser", r#"{"userID":"900","userUsername":"admin"}"#, "FORBIDDEN");
        // The document's flow of a connection, word for word.
        assert_eq!(
            guest.asks("addOnlineUser", r#"{"userID":"1","userUsername":"john_doe"}"#),
            DONE
        );
        assert_eq!(guest.asks("joinRoom", r#""1""#), DONE);
        assert_eq!(guest.asks("chatRoom.join", r#""1:2""#), DONE);
        assert_eq!(guest.asks("message", HELLO), SENT);
        assert!(
            jane.events_upto("messageResponseNotify")
                .ends_with(&[on_page("1:2", "Hello!"), notify(JOHN, JANE, "1:2", "Hello!")])
        );
        assert!(guest.events_upto("messageRoom").contains(&in_room(JOHN, "1:2", "Hello!")));
        // And nobody else from then on.
        guest.refused(
            "addOnlineUser",
            r#"{"userID":"3","userUsername":"sara_cleaner"}"#,
            "FORBIDDEN",
        );
        guest.refused("joinRoom", r#""2""#, "FORBIDDEN");
        // What needs a credential still does.
        let states = guest.asks("users.list", "{}");
        assert!(states.contains(r#""error":""#), "{states}");
        // Somebody new, made on the spot: with a name, and an id that is free.
        let new = 5_000 + n;
        let mut nameless = Line::guest(&server, form);
        nameless.refused(
            "addOnlineUser",
            &json!({ "userID": new.to_string() }).to_string(),
            "INVALID",
        );
        for (key, id) in [("username", new), ("userUsername", new + 10)] {
            let mut made = Line::guest(&server, form);
            made.does(
                "addOnlineUser",
                &json!({ "userID": id.to_string(), key: "newcomer" }).to_string(),
            );
            made.does("joinRoom", &json!(id.to_string()).to_string());
            jane.does("message", &message(&format!("2:{id}"), "Welcome"));
            let told = made.events_upto("messageResponseNotify");
            assert!(told.contains(&on_page(&format!("2:{id}"), "Welcome")), "{told:?}");
        }
    }
    // REST has no way to say who one is.
    server.ask("GET", "/api/chat/rooms").refused(401, "UNAUTHENTICATED");
}

/// Every payload of the document is taken in a demo as it stands there, from its users by their ids.
#[test]
fn the_documents_own_payloads_in_a_demo() {
    let server = Server::demo();
    let mut john = Line::guest(&server, ROOT);
    john.does("addOnlineUser", r#"{"userID":"1","userUsername":"john_doe"}"#);
    let mut jane = Line::guest(&server, ROOT);
    jane.does("addOnlineUser", r#"{"userID":"2","userUsername":"jane"}"#);
    jane.does("joinRoom", r#""2""#);
    john.does("commentNotification", super::market::COMMENT);
    john.does("ratingNotification", super::market::RATING);
    let told = jane.events_upto("privateRatingNotify-2");
    let names: Vec<&str> = told.iter().filter_map(|event| event.split(' ').next()).collect();
    let expected = ["privateCommentNotify", "newCommentChange", "privateRatingNotify-2"];
    assert!(names.ends_with(&expected), "{names:?}");
    for (call, payload) in [
        ("chatRoom.join", r#""1:2""#),
        ("startTypingRoom", TYPING),
        ("message", HELLO),
        ("stopTypingRoom", TYPING),
        ("createUserGroup", super::groups::CREATE),
        ("addUserToGroup", super::groups::ADD),
        ("kickUserFromGroup", super::groups::KICK),
        ("createUserGroup", super::groups::CREATE),
        ("deleteUserRoom", super::groups::DELETE),
        ("chatRoom.leave", r#""1:2""#),
        ("leaveRoom", r#""1""#),
    ] {
        john.does(call, payload);
    }
    let told = jane.events_upto("deleteUserRoomChange");
    let ends = |event: &String| {
        event
            .ends_with(r#""newRoomID":"1:2:4","kickedUsername":"sara_cleaner","kickedUserID":"3"}"#)
    };
    assert!(told.iter().any(ends), "{told:?}");
}
