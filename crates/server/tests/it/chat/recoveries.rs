//! Coming back: what was missed in rooms and personally is told, in order and once, to a client that asked for it, with
//! nothing but the unmodified protocol; over SIGKILL too.

use serde_json::json;

use super::{
    Form, House, JANE, JOHN, Line, MIKE, NAMES, SARA, in_room, line::ROOT, message, notify,
    on_page, online,
};
use crate::harness::Over;

/// The forms in which a client comes back into its rooms.
const FORMS: [Form; 3] = [ROOT, Form::Chat(Over::Socket), Form::Chat(Over::Polling)];

#[track_caller]
fn comes(house: &House, user: usize, form: Form) -> Line {
    Line::recovered(&house.server, house.token(user), form, NAMES[user], None)
}

#[track_caller]
fn comes_back(house: &House, user: usize, form: Form, before: &Line) -> Line {
    Line::recovered(&house.server, house.token(user), form, NAMES[user], Some(before))
}

/// john_doe says something in a room and both are told that are in it.
fn said(room: &str, text: &str) -> [String; 2] {
    [in_room(JOHN, room, text), notify(JOHN, JANE, room, text)]
}

#[test]
fn what_was_missed_is_told_once() {
    for form in FORMS {
        let mut house = House::new();
        let mut jane = comes(&house, JANE, form);
        jane.does("joinRoom", r#""2""#);
        jane.does("chatRoom.join", r#""1:2""#);
        house.says(JOHN, "1:2", "zero");
        let mut expected = said("1:2", "zero").to_vec();
        assert_eq!(jane.told(), expected, "{form:?}");
        for (round, is_crash) in [(0, false), (1, true), (2, false), (3, true)] {
            let text = |n: usize| format!("message {round} {n}");
            // Whatever was said while it was there is not told again, what was said later is: in its rooms.
            house.says(JOHN, "1:2", &text(0));
            expected = said("1:2", &text(0)).to_vec();
            assert_eq!(jane.told(), expected, "{form:?}");
            let before = jane;
            house.says(JOHN, "1:2", &text(1));
            if is_crash {
                house = house.killed();
            }
            house.says(JOHN, "1:2", &text(2));
            house.says(SARA, "2:3", &text(3));
            jane = comes_back(&house, JANE, form, &before);
            drop(before);
            expected = [said("1:2", &text(1)), said("1:2", &text(2))].concat();
            expected.push(on_page("2:3", &text(3)));
            expected.push(notify(SARA, JANE, "2:3", &text(3)));
            assert_eq!(jane.told(), expected, "{form:?} {round}");
        }
        // Rooms that were left are left.
        jane.does("chatRoom.leave", r#""1:2""#);
        let before = jane;
        house.says(JOHN, "1:2", "elsewhere");
        let mut jane = comes_back(&house, JANE, form, &before);
        let expected = [on_page("1:2", "elsewhere"), notify(JOHN, JANE, "1:2", "elsewhere")];
        assert_eq!(jane.told(), expected);
        // Without a pid everything begins anew.
        let mut fresh = comes(&house, JANE, form);
        house.says(JOHN, "1:2", "nobody is there");
        assert_eq!(fresh.told(), [""; 0]);
    }
}

/// Groups whose members changed meanwhile: who stayed is told what happened there, who was kicked nothing of it but that.
#[test]
fn groups_that_changed_meanwhile() {
    for is_crash in [false, true] {
        let mut house = House::new();
        assert_eq!(house.group(&[JOHN, JANE, SARA, MIKE]), "1:2:3:4");
        let here = |house: &House, user: usize, form| {
            let mut line = comes(house, user, form);
            line.does("joinRoom", &json!(user.to_string()).to_string());
            line.does("chatRoom.join", r#""1:2:3:4""#);
            line.told();
            line
        };
        let [jane, sara] = [(JANE, ROOT), (SARA, Form::Chat(Over::Socket))]
            .map(|(user, form)| here(&house, user, form));
        let mut john = house.line(JOHN, Form::Plain);
        john.does("message", &message("1:2:3:4", "canary before"));
        let kick = |room: &str, new: &str, user: usize| {
            json!({ "roomID": room, "newRoomID": new, "kickedUserID": user.to_string() })
                .to_string()
        };
        john.does("kickUserFromGroup", &kick("1:2:3:4", "1:2:4", SARA));
        john.does("message", &message("1:2:4", "secret between"));
        if is_crash {
            house = house.killed();
            john = house.line(JOHN, Form::Plain);
        }
        john.does("kickUserFromGroup", &kick("1:2:4", "1:2", MIKE));
        john.does("message", &message("1:2", "secret after"));
        let mut jane = comes_back(&house, JANE, ROOT, &jane);
        let mut sara = comes_back(&house, SARA, Form::Chat(Over::Socket), &sara);
        let change = |room: &str, new: &str, user: usize| {
            format!(
                r#"kickUserFromGroupChange {{"roomID":"{room}","newRoomID":"{new}","kickedUsername":"{}","kickedUserID":"{user}"}}"#,
                NAMES[user]
            )
        };
        let in_the_room = |new: &str, user: usize| {
            format!(
                r#"kickUserFromGroupChangeInRoom {{"firstRoomID":"1:2","kickedUserID":"{user}","newRoomID":"{new}"}}"#
            )
        };
        let expected = [
            &said("1:2:3:4", "canary before")[..],
            &[change("1:2:3:4", "1:2:4", SARA), in_the_room("1:2:4", SARA)],
            &said("1:2:4", "secret between"),
            &[change("1:2:4", "1:2", MIKE), in_the_room("1:2", MIKE)],
            &said("1:2", "secret after"),
        ]
        .concat();
        let told = jane.told();
        assert_eq!(told, expected, "{is_crash}");
        let told = sara.told();
        assert!(told.iter().any(|event| event.starts_with("kickUserFromGroupNotify ")), "{told:?}");
        assert!(
            !told.iter().any(|event| event.contains("secret") || event.starts_with("messageRoom ")),
            "{told:?}"
        );
        // And nothing of it from now on.
        john.does("message", &message("1:2", "secret later"));
        assert_eq!(sara.told(), [""; 0]);
        assert_eq!(jane.told(), said("1:2", "secret later"));
    }
}

/// A place is one's own: a pid that was another's begins anew, and tells nothing.
#[test]
fn places_of_others() {
    let house = House::new();
    let mut jane = comes(&house, JANE, ROOT);
    jane.does("joinRoom", r#""2""#);
    jane.does("chatRoom.join", r#""1:2""#);
    house.says(JOHN, "1:2", "zero");
    jane.told();
    house.says(JOHN, "1:2", "canary");
    let auth = json!({
        "token": house.token(SARA), "recover": true, "pid": jane.pid, "offset": jane.cursor,
    });
    let mut session = house.server.socket_io().open(Over::Socket);
    let told = session.enter("/", &auth);
    assert_ne!(told["pid"].as_str(), jane.pid.as_deref());
    session.send(r#"421["chat.online",{}]"#);
    let packet = session.packet();
    assert!(packet.starts_with("431["), "{packet}");
    // A token that was revoked leads nowhere, wherever it was before.
    house.rules("DELETE", &format!("/api/tokens/{}", house.token_id(JANE))).expect(204);
    let auth = json!({
        "token": house.token(JANE), "recover": true, "pid": jane.pid, "offset": jane.cursor,
    });
    let mut session = house.server.socket_io().open(Over::Socket);
    session.is_refused("/", &auth, "token invalid, expired or revoked");
}

/// A plain connection that says where it is by `?rooms` is told what it missed there too, over a crash.
#[test]
fn plain_connections_in_rooms() {
    let mut house = House::new();
    house.group(&[JOHN, JANE, SARA]);
    let plain = |house: &House, query: &str, replayed: usize| {
        let (line, first) = Line::plain(&house.server, house.token(JANE), NAMES[JANE], query);
        assert!(first.ends_with(&format!(r#","replayed":{replayed}}}"#)), "{query}: {first}");
        line
    };
    let mut jane = plain(&house, "since=now&rooms=1:2,me,1:2:3,1:2,4:5,2:1,,x", 0);
    house.says(JOHN, "1:2", "one");
    house.says(SARA, "1:2:3", "two");
    let mut both = said("1:2", "one").to_vec();
    both.extend([in_room(SARA, "1:2:3", "two"), notify(SARA, JANE, "1:2:3", "two")]);
    assert_eq!(jane.told(), both);
    let cursor = jane.cursor.clone().expect("it has one");
    drop(jane);
    house.says(JOHN, "1:2", "three");
    house = house.killed();
    house.says(SARA, "1:2:3", "four");
    // In one room, in none but the personal one, and in none.
    let here = [in_room(JOHN, "1:2", "three")];
    let mut one = plain(&house, &format!("since={cursor}&rooms=1:2"), 1);
    assert_eq!(one.told(), here);
    let mut personal = plain(&house, &format!("since={cursor}&rooms=me"), 4);
    let elsewhere = [
        on_page("1:2", "three"),
        notify(JOHN, JANE, "1:2", "three"),
        on_page("1:2:3", "four"),
        notify(SARA, JANE, "1:2:3", "four"),
    ];
    assert_eq!(personal.told(), elsewhere);
    let mut none = plain(&house, &format!("since={cursor}"), 0);
    assert_eq!(none.told(), [""; 0]);
    // It is there as if it had entered: it may leave, and who is put out is out.
    one.does("chatRoom.leave", r#""1:2""#);
    let mut group = plain(&house, "since=now&rooms=1:2:3", 0);
    house.says(JOHN, "1:2", "five");
    let kick = r#"{"roomID":"1:2:3","newRoomID":"1:3","kickedUserID":"2","clientID":"1"}"#;
    house.line(JOHN, Form::Plain).does("kickUserFromGroup", kick);
    house.says(SARA, "1:3", "six");
    assert_eq!(one.told(), [""; 0]);
    let last = group.told();
    assert!(last.len() == 1 && last[0].starts_with("kickUserFromGroupChangeInRoom "), "{last:?}");
    // More than a connection may be in.
    let many: Vec<String> = (10..215).map(|n| format!("2:{n}")).collect();
    let path = format!("/ws/chat/?rooms={}", many.join(","));
    let refused = house.server.dial(&path).bearer(house.token(JANE)).open().closed();
    assert!(refused.0[0].contains("at most 200 rooms"), "{refused:?}");
}

/// Plain connections say where they were by `?since`: what everybody is told, they are told; rooms they enter anew.
#[test]
fn plain_connections_with_cursors() {
    let mut house = House::with(&[("PRESENCE__GRACE", "9m")]);
    let mut watches = comes(&house, JANE, Form::Plain);
    watches.does("chatRoom.join", r#""1:2""#);
    let john = r#"{"userID":"1","userUsername":"john_doe"}"#;
    house.line(JOHN, ROOT).does("addOnlineUser", john);
    assert_eq!(watches.told(), [online("Add", JOHN)]);
    house.says(JOHN, "1:2", "here");
    // What is said in a room bears a cursor like everything else.
    let before = watches.cursor.clone();
    assert_eq!(watches.told(), [in_room(JOHN, "1:2", "here")]);
    assert!(watches.cursor.is_some() && watches.cursor != before);
    house.line(SARA, ROOT).does("addOnlineUser", r#"{"userID":"3","userUsername":"sara_cleaner"}"#);
    house.says(JOHN, "1:2", "elsewhere");
    house = house.killed();
    let mut back = comes_back(&house, JANE, Form::Plain, &watches);
    assert_eq!(back.told(), [online("Add", SARA)]);
    house.says(JOHN, "1:2", "still elsewhere");
    assert_eq!(back.told(), [""; 0]);
    back.does("chatRoom.join", r#""1:2""#);
    house.says(JOHN, "1:2", "here again");
    assert_eq!(back.told(), [in_room(JOHN, "1:2", "here again")]);
}
