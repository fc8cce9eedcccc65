//! Connections that enter and leave rooms while much is said: nothing is lost, told twice, or out of order; and what is
//! said behind such a call on the same connection finds it done.

use std::thread;

use serde_json::json;

use super::{Form, House, JANE, JOHN, Line, MIKE, SARA, in_room, line::ROOT, message};
use crate::harness::{Over, Session};

/// How much is said meanwhile.
const MESSAGES: usize = 200;

/// Says so much in a room, without waiting for the answers one by one.
fn talks(line: &mut Line, room: &str) {
    let numbers: Vec<u64> =
        (0..MESSAGES).map(|n| line.begins("message", &message(room, &format!("n {n}")))).collect();
    for number in numbers {
        let answer = line.answer(number);
        assert!(answer.starts_with(r#"{"success":true"#), "{answer}");
    }
}

/// The numbers of what was said in rooms.
fn numbers(told: &[String]) -> Vec<usize> {
    let rooms = told.iter().filter(|event| event.starts_with("messageRoom "));
    let number =
        |event: &String| event.split(r#""message":"n "#).nth(1)?.split('"').next()?.parse().ok();
    rooms.filter_map(number).collect()
}

/// What a connection sends in one piece is done in its order: who enters a room and speaks hears itself, who leaves it
/// first does not.
#[test]
fn calls_of_one_connection_in_their_order() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    for form in Form::ALL {
        let mut line = house.line(JOHN, form);
        for n in 0..10 {
            let room = ["1:2", "1:2:3"][n % 2];
            let label = json!(room).to_string();
            let text = |which: &str| format!("{which} {n}");
            let calls = [
                ("chatRoom.join", label.clone()),
                ("message", message(room, &text("in"))),
                ("chatRoom.leave", label.clone()),
                ("message", message(room, &text("out"))),
                ("chatRoom.join", label.clone()),
                ("chatRoom.join", label.clone()),
                ("message", message(room, &text("in again"))),
                ("chatRoom.leave", label),
            ];
            let asked: Vec<u64> =
                calls.iter().map(|(call, payload)| line.begins(call, payload)).collect();
            for number in asked {
                let answer = line.answer(number);
                assert!(answer.starts_with(r#"{"success":true"#), "{form:?}: {answer}");
            }
            let expected =
                [in_room(JOHN, room, &text("in")), in_room(JOHN, room, &text("in again"))];
            assert_eq!(line.told(), expected, "{form:?}");
        }
    }
}

/// Somebody enters and leaves other rooms all the time: of the one that they are in they miss nothing.
#[test]
fn who_comes_and_goes_elsewhere_misses_nothing() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
    for form in [ROOT, Form::Plain, Form::Chat(Over::Polling)] {
        let mut says = house.line(JOHN, Form::Plain);
        let mut hears = house.line_in(JANE, form, &["1:2"]);
        let mut group = house.line_in(JANE, form, &["1:2:3"]);
        let mut recovered = Line::recovered(&house.server, house.token(JANE), ROOT, "jane", None);
        recovered.does("chatRoom.join", r#""1:2""#);
        thread::scope(|scope| {
            let talking = scope.spawn(|| {
                talks(&mut says, "1:2");
                talks(&mut says, "1:2:3");
            });
            while !talking.is_finished() {
                for call in ["chatRoom.join", "chatRoom.leave"] {
                    hears.does(call, r#""2:3""#);
                    recovered.does(call, r#""1:2:3""#);
                    group.does(call, r#""2:4""#);
                }
                for (call, of) in [("joinRoom", r#""2""#), ("leaveRoom", r#""2""#)] {
                    hears.does(call, of);
                    recovered.does(call, of);
                }
                group.does("addOnlineUser", "{}");
                group.does("chatRoom.join", r#""1:2:3""#);
            }
            talking.join().expect("all was said");
        });
        let all: Vec<usize> = (0..MESSAGES).collect();
        assert_eq!(numbers(&hears.told()), all, "{form:?}");
        assert_eq!(numbers(&group.told()), all, "{form:?}");
        let told: Vec<String> =
            recovered.told().into_iter().filter(|event| event.contains(r#""1:2""#)).collect();
        assert_eq!(numbers(&told), all, "{form:?}");
    }
}

/// Who enters while somebody speaks hears all that comes from then on, and nothing of before.
#[test]
fn who_enters_hears_the_rest() {
    let house = House::new();
    let mut says = house.line(JOHN, Form::Plain);
    for form in Form::ALL {
        let heard: Vec<Vec<usize>> = thread::scope(|scope| {
            let talking = scope.spawn(|| talks(&mut says, "1:2"));
            let mut lines = Vec::new();
            while !talking.is_finished() {
                let mut line = house.line(JANE, form);
                line.does("chatRoom.join", r#""1:2""#);
                lines.push(line);
            }
            talking.join().expect("all was said");
            lines.iter_mut().map(|line| numbers(&line.told())).collect()
        });
        for numbers in heard {
            let from = numbers.first().copied().unwrap_or(MESSAGES);
            assert_eq!(numbers, (from..MESSAGES).collect::<Vec<_>>(), "{form:?}");
        }
    }
}

/// A group grows, shrinks, and goes on in the private room of two while much is said under whatever label it has: who is
/// there hears all of it once, whether they were in one of the rooms or in both.
#[test]
fn a_room_that_changes_while_much_is_said() {
    let house = House::new();
    for form in [ROOT, Form::Plain] {
        assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
        let mut says = house.line(JOHN, Form::Plain);
        let mut hears = [
            house.line_in(JANE, form, &["1:2:3"]),
            house.line_in(JANE, form, &["1:2", "1:2:3"]),
            house.line_in(JANE, form.other(), &["1:2:3", "1:2"]),
        ];
        let mut changes = house.line(JANE, ROOT);
        let mut leaves = [house.line(SARA, ROOT), house.line(MIKE, Form::Plain)];
        thread::scope(|scope| {
            let talking = scope.spawn(|| talks(&mut says, "1:2:3"));
            changes.does(
                "addUserToGroup",
                r#"{"data":{"newUserID":"4","roomID":"1:2:3","newRoomID":"1:2:3:4"}}"#,
            );
            leaves[0].does(
                "kickUserFromGroup",
                r#"{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3"}"#,
            );
            leaves[1].does(
                "kickUserFromGroup",
                r#"{"roomID":"1:2:4","newRoomID":"1:2","kickedUserID":"4"}"#,
            );
            talking.join().expect("all was said");
        });
        for line in &mut hears {
            let told = line.told();
            assert_eq!(numbers(&told), (0..MESSAGES).collect::<Vec<_>>(), "{form:?}");
            // Each under the label that the room had then.
            let labels: Vec<&str> = told
                .iter()
                .filter(|event| event.starts_with("messageRoom "))
                .filter_map(|event| event.split(r#""roomID":""#).nth(1)?.split('"').next())
                .collect();
            let mut order = labels.clone();
            order.dedup();
            let possible = ["1:2:3", "1:2:3:4", "1:2:4", "1:2"];
            let mut rest = possible.iter();
            assert!(order.iter().all(|label| rest.any(|other| other == label)), "{order:?}");
            // Nobody who is in the room has it on their page.
            let pages = told.iter().filter(|event| event.starts_with("messagePage ")).count();
            assert_eq!(pages, 0, "{told:?}");
        }
    }
}

/// Two namespaces of one connection are two clients, each with its own user and its own rooms.
#[test]
fn two_namespaces_of_one_connection() {
    let house = House::new();
    for over in Over::BOTH {
        let mut session = house.server.socket_io().open(over);
        session.enter_as("/", house.token(JOHN));
        session.enter_as("/chat", house.token(JANE));
        let answered = |session: &mut Session, packet: &str, ack: &str| -> Vec<String> {
            session.send(packet);
            let mut told = Vec::new();
            loop {
                match session.packet() {
                    packet if packet.starts_with(ack) => return told,
                    packet => told.push(super::line::normal(&packet)),
                }
            }
        };
        let join = |at: &str| (format!(r#"42{at}1["chatRoom.join","1:2"]"#), format!("43{at}1["));
        for at in ["", "/chat,"] {
            let (packet, ack) = join(at);
            assert_eq!(answered(&mut session, &packet, &ack), [""; 0]);
        }
        let payload =
            r#"{"message":"Hi","from":"1","roomID":"1:2","fromUsername":"john_doe","date":DATE}"#;
        house.says(JOHN, "1:2", "Hi");
        let mut told =
            [session.packet(), session.packet()].map(|packet| super::line::normal(&packet));
        told.sort();
        assert_eq!(told, ["/chat,", ""].map(|at| format!(r#"42{at}["messageRoom",{payload}]"#)));
        // Each leaves by itself.
        session.send(r#"42/chat,["chatRoom.leave","1:2"]"#);
        let typing = r#"42/chat,2["startTypingRoom",{"roomID":"1:2"}]"#;
        let told = answered(&mut session, typing, "43/chat,2[");
        let expected =
            r#"42["typingMessageStart",{"senderID":"2","senderUsername":"jane","roomID":"1:2"}]"#;
        assert!(told.is_empty() || told == [expected], "{told:?}");
        if told.is_empty() {
            session.hears(expected);
        }
        // And what the one began ends with it, while the other goes on.
        session.send("41/chat,");
        session.hears(&expected.replace("Start", "Stop"));
        house.says(JANE, "1:2", "Hi");
        let told = super::line::normal(&session.packet());
        assert!(told.starts_with(r#"42["messageRoom",{"message":"Hi","from":"2""#), "{told}");
    }
}

/// What is said between people stands in no log.
#[test]
fn nothing_that_is_said_is_logged() {
    let house = House::with(&[("LOGGING__LEVEL", "trace")]);
    let mut jane = house.line_in(JANE, ROOT, &["1:2"]);
    for form in [ROOT, Form::Plain] {
        let mut john = house.line(JOHN, form);
        john.does("message", &message("1:2", "canary in a message"));
        john.refused("message", &message("1:99", "canary to nobody"), "NOT_FOUND");
        let comment =
            json!({ "newComment": { "comment": "canary in a comment", "houseworkerID": "3" } });
        john.does("commentNotification", &comment.to_string());
    }
    jane.told();
    let log = house.server.log();
    let line = log.lines().find(|line| line.contains("canary"));
    assert!(line.is_none() && log.contains("/ws/chat/"), "{line:?} in {log}");
}
