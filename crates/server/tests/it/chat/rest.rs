//! Rooms, histories and who is online, over HTTP: what each member sees of them, page by page.

use serde_json::{Value, json};

use super::{
    BOSS, Form, House, JANE, JOHN, MIKE, NAMES, SARA, STRANGER, line::ROOT, message, notify,
    on_page,
};

const ROOM: [&str; 9] = [
    "roomID",
    "conversationID",
    "group",
    "members",
    "lastMessage",
    "unread",
    "creator",
    "lastAt",
    "closed",
];
const MESSAGE: [&str; 7] =
    ["messageID", "roomID", "from", "fromUsername", "message", "date", "timestamp"];

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("{page}"))
}

/// What a user's rooms are: label, last message, unread.
#[track_caller]
fn rooms(house: &House, user: usize) -> Vec<(String, Value, i64)> {
    let page = house.ask(user, "GET", "/api/chat/rooms").expect(200);
    let room = |room: &Value| {
        assert_eq!(keys(room), ROOM);
        let label = room["roomID"].as_str().expect("a label").to_owned();
        (label, room["lastMessage"].clone(), room["unread"].as_i64().expect("a count"))
    };
    items(&page).iter().map(room).collect()
}

/// The texts of a room as a user finds them, the newest first, so many at a time.
#[track_caller]
fn texts(house: &House, user: usize, room: &str, limit: usize) -> Vec<String> {
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/chat/rooms/{room}/messages?limit={limit}{before}");
        let page = house.ask(user, "GET", &path).expect(200);
        for item in items(&page) {
            assert_eq!(keys(item), MESSAGE);
            found.push(item["message"].as_str().expect("a text").to_owned());
        }
        assert!(items(&page).len() <= limit, "{page}");
        let Some(next) = page["next"].as_str() else { return found };
        before = format!("&before={next}");
    }
}

#[test]
fn rooms_and_what_is_unread() {
    let house = House::new();
    assert_eq!(rooms(&house, JOHN), []);
    let open = |user: usize, members: Value| {
        house.ask(user, "POST", "/api/chat/rooms").json(&json!({ "members": members }))
    };
    // A private room is there or is made, by whichever of the two.
    let made = open(JOHN, json!(["2"])).send();
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/api/chat/rooms/1:2")),
        "{made:?}"
    );
    let room = made.json();
    assert_eq!(keys(&room), ROOM);
    let two =
        json!([{ "userID": "1", "username": "john_doe" }, { "userID": "2", "username": "jane" }]);
    assert_eq!((&room["group"], &room["members"]), (&json!(false), &two));
    assert_eq!(
        (&room["lastMessage"], &room["creator"], &room["closed"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    assert_eq!(open(JANE, json!(["1"])).expect(200)["conversationID"], room["conversationID"]);
    assert_eq!(open(JOHN, json!(["2", "1", "2"])).expect(200)["roomID"], "1:2");
    assert_eq!(
        house.ask(JANE, "GET", "/api/chat/rooms/1:2").expect(200)["conversationID"],
        room["conversationID"]
    );
    // Those first where something happened last.
    house.says(JANE, "2:3", "to sara");
    house.says(JANE, "1:2", "to john");
    house.says(JANE, "1:2", "again");
    assert_eq!(
        rooms(&house, JANE),
        [("1:2".into(), json!("again"), 0), ("2:3".into(), json!("to sara"), 0)]
    );
    assert_eq!(rooms(&house, JOHN), [("1:2".into(), json!("again"), 2)]);
    // Reading is one's own, and so is what one says.
    let read = house.ask(JOHN, "POST", "/api/chat/rooms/1:2/read").expect(200);
    assert_eq!(read, json!({ "unread": 0 }));
    house.ask(JOHN, "POST", "/api/chat/rooms/1:2/read").expect(200);
    assert_eq!(rooms(&house, JOHN)[0].2, 0);
    house.says(JANE, "1:2", "once more");
    assert_eq!(rooms(&house, JOHN)[0].2, 1);
    house.says(JOHN, "1:2", "yes");
    assert_eq!((rooms(&house, JOHN)[0].2, rooms(&house, JANE)[0].2), (0, 1));
    // A crash forgets none of it.
    let house = house.killed();
    assert_eq!((rooms(&house, JOHN)[0].2, rooms(&house, JANE)[0].2), (0, 1));
    let page = house.ask(JANE, "GET", "/api/chat/rooms/1:2/messages").expect(200);
    let first = &items(&page)[0];
    assert_eq!(
        (&first["from"], &first["fromUsername"], &first["message"]),
        (&json!("1"), &json!("john_doe"), &json!("yes"))
    );
    assert_eq!(first["roomID"], "1:2");
    assert!(
        super::line::normal(&first.to_string()).contains(r#""date":DATE,"timestamp":TIME"#),
        "{first}"
    );
}

#[test]
fn rooms_that_cannot_be_opened() {
    let house = House::new();
    for (body, words) in [
        (json!({}), "missing field"),
        (json!({ "members": [] }), "members: "),
        (json!({ "members": ["1"] }), "members: "),
        (json!({ "members": ["2", "99"] }), "members: "),
        (json!({ "members": ["02"] }), "members"),
        (json!({ "members": [2] }), "members"),
        (json!({ "members": "2" }), "members"),
    ] {
        let said =
            house.ask(JOHN, "POST", "/api/chat/rooms").json(&body).refused(422, "INVALID").json();
        assert!(
            said["detail"].as_str().is_some_and(|said| said.starts_with(words)),
            "{body}: {said}"
        );
    }
}

/// A group over HTTP is told like any other: those who are added, and the lists of all.
#[test]
fn groups_over_http() {
    let house = House::new();
    let mut lines = [JOHN, JANE, SARA, MIKE, STRANGER].map(|user| {
        let mut line = house.line_in(user, if user % 2 == 0 { ROOT } else { Form::Plain }, &[]);
        line.told();
        line
    });
    let open = |key: &str| {
        let ask =
            house.ask(JOHN, "POST", "/api/chat/rooms").header(&format!("Idempotency-Key: {key}"));
        ask.json(&json!({ "members": ["4", "3", "2"] }))
    };
    let room = open("one").expect(201);
    assert_eq!(open("one").expect(201), room);
    open("two").refused(409, "CONFLICT");
    assert_eq!(
        (&room["roomID"], &room["creator"], &room["group"]),
        (&json!("1:2:3:4"), &json!("1"), &json!(true))
    );
    let change = r#"createUserGroupChange {"newUserID":"2","newUsername":"jane","roomID":"1:3:4","newRoomID":"1:2:3:4","currentMember":[{"userID":"3","username":"sara_cleaner"},{"userID":"4","username":"mike_butler"}],"clientUsername":"john_doe","newUserPicturePath":"","online":false}"#;
    let note = |to: usize| {
        format!(
            r#"createUserToGroupNotify {{"id":N,"from":"1","to":"{to}","type":"chatGroup","date":DATE,"message":"The client john_doe has added you to the chat","read":false}}"#
        )
    };
    let [john, jane, sara, mike, stranger] = &mut lines;
    assert_eq!(john.told(), [change]);
    for (line, user) in [(jane, JANE), (sara, SARA), (mike, MIKE)] {
        assert_eq!(line.told(), [note(user), change.to_owned()]);
    }
    assert_eq!(stranger.told(), [""; 0]);
    // What is told was written down.
    let inbox = house.ask(JANE, "GET", "/api/notifications").expect(200);
    assert_eq!(items(&inbox).len(), 1);
    assert_eq!(keys(&items(&inbox)[0]), ["id", "from", "to", "type", "date", "message", "read"]);
}

#[test]
fn histories_page_by_page() {
    let house = House::new();
    let all: Vec<String> = (1..=23).map(|n| format!("message {n}")).collect();
    {
        let mut lines = [house.line(JOHN, Form::Plain), house.line(JANE, ROOT)];
        for (n, text) in all.iter().enumerate() {
            lines[n % 2].does("message", &message("1:2", text));
        }
    }
    let newest: Vec<String> = all.iter().rev().cloned().collect();
    for limit in [1, 2, 7, 22, 23, 24, 1_000] {
        assert_eq!(texts(&house, JOHN, "1:2", limit), newest, "{limit}");
    }
    // What is said meanwhile does not move the pages.
    let page = house.ask(JOHN, "GET", "/api/chat/rooms/1:2/messages?limit=5").expect(200);
    house.says(JANE, "1:2", "meanwhile");
    let next = page["next"].as_str().expect("there is more");
    let path = format!("/api/chat/rooms/1:2/messages?limit=5&before={next}");
    assert_eq!(items(&house.ask(JOHN, "GET", &path).expect(200))[0]["message"], "message 18");
    let other = house.says(JANE, "2:3", "elsewhere")["messageID"].as_i64().expect("an id");
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "before=",
        "before=x",
        "before=0",
        "before=-1",
        &format!("before={other}"),
    ] {
        let path = format!("/api/chat/rooms/1:2/messages?{query}");
        house.ask(JOHN, "GET", &path).refused(422, "INVALID");
    }
    // Rooms are listed page by page too.
    for user in [SARA, MIKE, STRANGER, BOSS] {
        house.says(user, &format!("1:{user}"), "hello");
    }
    for limit in 1..=6 {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/chat/rooms?limit={limit}{cursor}");
            let page = house.ask(JOHN, "GET", &path).expect(200);
            found.extend(
                items(&page)
                    .iter()
                    .map(|room| room["roomID"].as_str().expect("a label").to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, ["1:6", "1:5", "1:4", "1:3", "1:2"], "{limit}");
    }
    for query in ["limit=0", "limit=1001", "cursor=x", "cursor="] {
        house.ask(JOHN, "GET", &format!("/api/chat/rooms?{query}")).refused(422, "INVALID");
    }
}

/// What each sees of a group whose members come and go: from when they came, and as long as they are there.
#[test]
fn histories_of_groups() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut john = house.line(JOHN, ROOT);
    let conversation =
        house.ask(JOHN, "GET", "/api/chat/rooms/1:2:3").expect(200)["conversationID"].clone();
    let by_id = conversation.as_str().expect("an id").to_owned();
    john.does("message", &message("1:2:3", "for three"));
    john.does(
        "addUserToGroup",
        r#"{"data":{"newUserID":"4","roomID":"1:2:3","newRoomID":"1:2:3:4"}}"#,
    );
    assert_eq!(rooms(&house, MIKE), [("1:2:3:4".into(), Value::Null, 0)]);
    assert_eq!(texts(&house, MIKE, "1:2:3:4", 10), [""; 0]);
    john.does("message", &message("1:2:3:4", "for four"));
    assert_eq!(texts(&house, MIKE, "1:2:3:4", 10), ["for four"]);
    for room in ["1:2:3:4", "1:2:3", &by_id] {
        assert_eq!(texts(&house, SARA, room, 1), ["for four", "for three"], "{room}");
    }
    assert_eq!(rooms(&house, MIKE)[0].2, 1);
    assert_eq!(rooms(&house, SARA)[0].2, 2);
    // Kicked: nothing of it is theirs any more.
    john.does(
        "kickUserFromGroup",
        r#"{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3"}"#,
    );
    assert_eq!(rooms(&house, SARA), []);
    for room in ["1:2:3:4", "1:2:3", "1:2:4", &by_id] {
        for (method, path) in [("GET", ""), ("GET", "/messages"), ("POST", "/read")] {
            let path = format!("/api/chat/rooms/{room}{path}");
            house.ask(SARA, method, &path).refused(404, "NOT_FOUND");
            house.ask(STRANGER, method, &path).refused(404, "NOT_FOUND");
        }
    }
    // Down to two: it is closed, and stays readable for them, by its last label and by its id.
    john.does("message", &message("1:2:4", "the last"));
    john.does("kickUserFromGroup", r#"{"roomID":"1:2:4","newRoomID":"1:2","kickedUserID":"4"}"#);
    assert_eq!(rooms(&house, JANE), [("1:2".into(), Value::Null, 0)]);
    for room in ["1:2:4", &by_id] {
        assert_eq!(texts(&house, JANE, room, 2), ["the last", "for four", "for three"], "{room}");
        let shown = house.ask(JANE, "GET", &format!("/api/chat/rooms/{room}")).expect(200);
        assert_eq!(
            (&shown["closed"], &shown["group"], &shown["conversationID"]),
            (&json!(true), &json!(true), &conversation)
        );
        house
            .ask(MIKE, "GET", &format!("/api/chat/rooms/{room}/messages"))
            .refused(404, "NOT_FOUND");
    }
    assert_eq!(texts(&house, JANE, "1:2", 2), [""; 0]);
    let closed = house.ask(JANE, "GET", "/api/chat/rooms?closed=true").expect(200);
    assert_eq!(items(&closed).len(), 1);
    // A new group with that label takes the label, not the history.
    assert_eq!(house.group(&[JOHN, JANE, MIKE]), "1:2:4");
    assert_eq!(texts(&house, JANE, "1:2:4", 2), [""; 0]);
    assert_eq!(texts(&house, JANE, &by_id, 2).len(), 3);
    // Deleted: nobody's.
    john.does("deleteUserRoom", r#"{"roomID":"1:2:4"}"#);
    house.ask(MIKE, "GET", "/api/chat/rooms/1:2:4").refused(404, "NOT_FOUND");
}

/// A label of another spelling, or a room that is none, over HTTP.
#[test]
fn paths_that_lead_nowhere() {
    let house = House::new();
    house.says(JANE, "2:3", "canary");
    let others = ["2:3", "1:2", "1:2:3", "conversation-1"];
    let none = [
        "2:1",
        "01:2",
        "1",
        "x",
        "room:1:2",
        "%00",
        "1%2f2",
        "conversation-0",
        "conversation-01",
        "conversation--1",
        "conversation-x",
        "conversation-99999999999999999999",
    ];
    for room in others.into_iter().chain(none) {
        for (method, path) in [("GET", ""), ("GET", "/messages"), ("POST", "/read")] {
            let path = format!("/api/chat/rooms/{room}{path}");
            let refused = house.ask(JOHN, method, &path).refused(404, "NOT_FOUND");
            assert!(!refused.body.contains("canary"), "{refused:?}");
        }
    }
    for (method, path) in [
        ("DELETE", "/api/chat/rooms/2:3"),
        ("PUT", "/api/chat/rooms"),
        ("POST", "/api/chat/online"),
    ] {
        let refused = house.ask(JANE, method, path).send();
        assert_eq!(refused.status, 405, "{refused:?}");
    }
}

/// Resources have versions, and a request with its key is done once, as everywhere.
#[test]
fn versions_and_keys() {
    let house = House::new();
    house.says(JANE, "1:2", "one");
    let path = "/api/chat/rooms/1:2";
    let shown = house.ask(JOHN, "GET", path).send();
    let tag = shown.header("etag").expect("a version").to_owned();
    let again =
        |tag: &str| house.ask(JOHN, "GET", path).header(&format!("If-None-Match: {tag}")).send();
    assert_eq!(again(&tag).status, 304);
    house.says(JANE, "1:2", "two");
    assert_eq!(again(&tag).status, 200);
    // What was read once with a key is not read again by it: what came since is unread.
    let read = || {
        house
            .ask(JOHN, "POST", "/api/chat/rooms/1:2/read")
            .header("Idempotency-Key: read")
            .expect(200)
    };
    read();
    house.says(JANE, "1:2", "three");
    assert_eq!(read(), json!({ "unread": 0 }));
    assert_eq!(rooms(&house, JOHN)[0].2, 1);
}

#[test]
fn who_is_online_over_http() {
    let house = House::new();
    let list = |user: usize, query: &str| {
        let page = house.ask(user, "GET", &format!("/api/chat/online{query}")).expect(200);
        (page["items"].clone(), page["next"].clone())
    };
    assert_eq!(list(STRANGER, ""), (json!([]), Value::Null));
    let _lines = [MIKE, JOHN, JANE].map(|user| {
        let mut line = house.line(user, if user == JOHN { ROOT } else { Form::Plain });
        line.does("addOnlineUser", &json!({ "userID": user.to_string() }).to_string());
        line
    });
    let named = |user: usize| json!({ "userID": user.to_string(), "username": NAMES[user] });
    assert_eq!(list(STRANGER, ""), (json!([named(JOHN), named(JANE), named(MIKE)]), Value::Null));
    let (first, next) = list(STRANGER, "?limit=2");
    assert_eq!(first, json!([named(JOHN), named(JANE)]));
    let rest =
        list(STRANGER, &format!("?limit=2&cursor={}", next.as_str().expect("there is more")));
    assert_eq!(rest, (json!([named(MIKE)]), Value::Null));
}

/// A message's notification, where one was asked for, is in the inbox of all who got it; and pages of inboxes hear of it.
#[test]
fn notifications_of_messages() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    let mut page = house.server.dial("/ws/notifications/").bearer(house.token(JANE)).open();
    page.text();
    let mut jane = house.line_in(JANE, ROOT, &[]);
    let mut john = house.line(JOHN, Form::Plain);
    for (room, kind) in [("1:2", "chat"), ("1:2:3", "chatGroup")] {
        let payload =
            json!({ "data": { "message": "Hi", "roomID": room, "createRoomNotification": true } });
        john.does("message", &payload.to_string());
        let told: Value = serde_json::from_str(&page.text()).expect("frames are JSON");
        assert_eq!(
            (&told["type"], &told["message"]),
            (&json!("notification"), &json!("You've got message from john_doe"))
        );
        let raw = jane.told();
        assert_eq!(raw[0], on_page(room, "Hi"));
        let note = format!(
            r#"{{"id":N,"from":"1","to":"2","type":"{kind}","date":DATE,"message":"You've got message from john_doe","read":false}}"#
        );
        assert_eq!(
            raw[1],
            notify(JOHN, JANE, room, "Hi")
                .replace("Notification\":null", &format!("Notification\":{note}"))
        );
        let inbox = house.ask(JANE, "GET", "/api/notifications").expect(200);
        // The one that was told is the one that was stored, to the byte.
        let stored = items(&inbox)[0].to_string();
        assert!(jane.raw.iter().any(|text| text.contains(&stored)), "{stored} in {:?}", jane.raw);
    }
    // sara_cleaner was away, and finds hers; john_doe has none of his own.
    let count = |user: usize, kind: &str| {
        let inbox = house.ask(user, "GET", "/api/notifications").expect(200);
        items(&inbox).iter().filter(|item| item["type"] == kind).count()
    };
    assert_eq!((count(SARA, "chatGroup"), count(SARA, "chat")), (2, 0));
    assert_eq!((count(JOHN, "chatGroup"), count(JOHN, "chat")), (0, 0));
}
