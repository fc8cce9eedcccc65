//! What happens at once, too often, or to somebody who is put out meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    DONE, Form, House, JANE, JOHN, Line, MIKE, SARA, STRANGER, in_room, line::ROOT, message,
    online, table::TYPING,
};
use crate::harness::{Over, until};

/// How often two things happen at once.
const ROUNDS: usize = 12;
/// How many messages are said after a kick.
const LATER: usize = 4;

/// A member is kicked while members talk: what was said before reaches them, then that they are kicked, and then nothing;
/// what they say themselves is either told before that or refused.
#[test]
fn a_kick_and_messages() {
    let house = House::new();
    assert_eq!(house.group(&[JOHN, JANE, SARA, MIKE]), "1:2:3:4");
    let room = "1:2:3:4";
    let mut hears = house.line_in(MIKE, Form::Plain, &[room]);
    let mut john = house.line_in(JOHN, ROOT, &[]);
    let mut jane = house.line(JANE, Form::Plain);
    for round in 0..ROUNDS {
        let mut kicked = [ROOT, Form::Plain].map(|form| house.line_in(SARA, form, &[room]));
        let mut says = house.line(SARA, ROOT);
        hears.told();
        let payload = |who: &str, n: usize| message(room, &format!("{who} {round} {n}"));
        let kick = json!({ "roomID": room, "newRoomID": "1:2:4", "kickedUserID": "3" }).to_string();
        // A flag: who says is told by it when the kick was done.
        let is_kicked = AtomicBool::new(false);
        let (said, accepted) = thread::scope(|scope| {
            let jane = scope.spawn(|| {
                let (mut said, mut later) = (0, 0);
                while later < LATER {
                    later += usize::from(is_kicked.load(Ordering::SeqCst));
                    jane.does("message", &payload("jane", said));
                    said += 1;
                }
                said
            });
            scope.spawn(|| {
                // The kick comes a bit later in each round.
                hears_so_many(&mut john, round);
                john.does("kickUserFromGroup", &kick);
                is_kicked.store(true, Ordering::SeqCst);
            });
            let mut accepted = 0;
            while says.asks("message", &payload("sara", accepted)).contains("messageID") {
                accepted += 1;
            }
            // Once refused, always refused.
            says.refused("message", &payload("sara", accepted), "NOT_FOUND");
            (jane.join().expect("she may"), accepted)
        });
        let told = hears.told();
        let texts = |told: &[String], who: &str| -> Vec<usize> {
            let rooms = told.iter().filter(|event| event.starts_with("messageRoom "));
            let begin = format!(r#""message":"{who} {round} "#);
            let number =
                |event: &String| event.split(&begin).nth(1)?.split('"').next()?.parse().ok();
            rooms.filter_map(number).collect()
        };
        assert_eq!(texts(&told, "jane"), (0..said).collect::<Vec<_>>());
        assert_eq!(texts(&told, "sara"), (0..accepted).collect::<Vec<_>>());
        let in_room = |event: &String| event.starts_with("kickUserFromGroupChangeInRoom ");
        let at = told.iter().position(in_room).expect("they are told");
        assert_eq!(texts(&told[at..], "sara"), [0; 0], "nothing of hers comes later: {told:?}");
        let before = texts(&told[..at], "jane");
        assert!(before.len() < said, "some was said later");
        for line in &mut kicked {
            let told = line.told();
            assert_eq!(
                told.iter().position(in_room),
                Some(told.len() - 1),
                "the last frame: {told:?}"
            );
            // What was still on its way when the right to it ended is dropped, if anything is.
            assert!(before.starts_with(&texts(&told, "jane")), "{}: {told:?}", line.name);
            assert!(texts(&told, "sara").len() <= accepted, "{}: {told:?}", line.name);
            let notified =
                told.iter().filter(|event| event.starts_with("messageResponseNotify ")).count();
            assert_eq!(notified, before.len());
        }
        let back = json!({ "data": { "newUserID": "3", "roomID": "1:2:4", "newRoomID": room } });
        john.does("addUserToGroup", &back.to_string());
    }
}

/// Waits for so many messages that are counted for this user.
#[track_caller]
fn hears_so_many(line: &mut Line, count: usize) {
    let mut heard = 0;
    while heard < count {
        heard += usize::from(line.event().starts_with("messageResponseNotify "));
    }
    // What is left of this round does not count for the next.
    line.told();
}

/// Does the same two things at once, on two connections; gives the answers, refusals by their code.
fn at_once(lines: &mut [Line; 2], calls: [(&str, &str); 2]) -> [String; 2] {
    let [one, two] = lines;
    let ask = |line: &mut Line, (call, payload): (&str, &str)| {
        let answer = line.asks(call, payload);
        let code = answer.split(r#","code":""#).nth(1).and_then(|rest| rest.split('"').next());
        code.map_or(answer.clone(), str::to_owned)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(one, calls[0]));
        let second = ask(two, calls[1]);
        [first.join().expect("it is answered"), second]
    })
}

#[test]
fn of_two_at_once_one_wins() {
    let house = House::new();
    let mut lines = [house.line(JOHN, ROOT), house.line(JANE, Form::Plain)];
    let mut hears = house.line_in(JOHN, Form::Plain, &[]);
    hears.told();
    let won = |answers: &[String; 2], other: &str| {
        let mut sorted = answers.clone();
        sorted.sort();
        let mut expected = [DONE.to_owned(), other.to_owned()];
        expected.sort();
        assert_eq!(sorted, expected);
    };
    let count = |hears: &mut Line, event: &str| {
        hears.told().iter().filter(|told| told.starts_with(event)).count()
    };
    for _ in 0..ROUNDS {
        // Both make the same group.
        let create = r#"{"data":{"newUserID":"3","roomID":"1:2","newRoomID":"1:2:3"}}"#;
        let answers = at_once(&mut lines, [("createUserGroup", create); 2]);
        won(&answers, "CONFLICT");
        let creator = if answers[0] == DONE { JOHN } else { JANE };
        assert_eq!(count(&mut hears, "createUserGroupChange "), 1);
        // Both add the same user.
        let add = r#"{"data":{"newUserID":"4","roomID":"1:2:3","newRoomID":"1:2:3:4"}}"#;
        won(&at_once(&mut lines, [("addUserToGroup", add); 2]), "CONFLICT");
        assert_eq!(count(&mut hears, "addUserToGroupChange "), 1);
        // Each kicks another: the label that one of them says is not what comes of it.
        let mut kicks = [house.line(creator, ROOT), house.line(MIKE, Form::Plain)];
        let kick = r#"{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3"}"#;
        let leave = r#"{"roomID":"1:2:3:4","newRoomID":"1:2:3","kickedUserID":"4"}"#;
        let calls = [("kickUserFromGroup", kick), ("kickUserFromGroup", leave)];
        won(&at_once(&mut kicks, calls), "INVALID_ROOM");
        assert_eq!(count(&mut hears, "kickUserFromGroupChange "), 1);
        // Each adds another.
        let label = house.ask(JOHN, "GET", "/api/chat/rooms").expect(200);
        let label =
            label["items"].as_array().and_then(|rooms| rooms.iter().find(|r| r["group"] == true));
        let label =
            label.and_then(|room| room["roomID"].as_str()).expect("the group is there").to_owned();
        let third = if label == "1:2:3" { MIKE } else { SARA };
        let add = |new: usize| {
            let mut ids: Vec<usize> =
                label.split(':').map(|id| id.parse().expect("a number")).collect();
            ids.push(new);
            ids.sort_unstable();
            let new_label = ids.iter().map(usize::to_string).collect::<Vec<_>>().join(":");
            json!({ "data": { "newUserID": new.to_string(), "roomID": label, "newRoomID": new_label } }).to_string()
        };
        let (one, two) = (add(third), add(STRANGER));
        won(
            &at_once(&mut lines, [("addUserToGroup", &one), ("addUserToGroup", &two)]),
            "INVALID_ROOM",
        );
        assert_eq!(count(&mut hears, "addUserToGroupChange "), 1);
        // One is deleted, by two tabs.
        let room =
            house.ask(JOHN, "GET", "/api/chat/rooms").expect(200)["items"][0]["roomID"].clone();
        let delete = json!({ "roomID": room }).to_string();
        let mut tabs = [house.line(creator, ROOT), house.line(creator, Form::Plain)];
        won(&at_once(&mut tabs, [("deleteUserRoom", &delete); 2]), "NOT_FOUND");
        assert_eq!(count(&mut hears, "deleteUserRoomChange "), 1);
    }
}

/// Somebody says ten thousand times that they type: others are told a handful of it, and are not kept waiting.
#[test]
fn typing_without_end() {
    const TIMES: usize = 10_000;
    const WAIT_MAX: Duration = Duration::from_secs(2);
    let house = House::new();
    let mut types = house.line_in(JOHN, Form::Plain, &["1:2"]);
    let mut hears = house.line_in(JANE, ROOT, &["1:2"]);
    let mut says = house.line(SARA, Form::Plain);
    let mut mike = house.line_in(MIKE, ROOT, &["3:4"]);
    let began = Instant::now();
    let (longest, messages) = thread::scope(|scope| {
        let typing = scope.spawn(|| {
            for n in 0..TIMES {
                types.says(["startTypingRoom", "stopTypingRoom"][usize::from(n % 3 == 2)], TYPING);
            }
            // All of it was done when this is.
            types.does("chatRoom.leave", r#""1:2""#);
        });
        let (mut longest, mut messages) = (Duration::ZERO, 0);
        while !typing.is_finished() {
            let asked = Instant::now();
            let text = format!("message {messages}");
            says.does("message", &message("3:4", &text));
            while mike.event() != in_room(SARA, "3:4", &text) {}
            longest = longest.max(asked.elapsed());
            messages += 1;
        }
        typing.join().expect("it lives");
        (longest, messages)
    });
    assert!(
        messages > 0 && longest < WAIT_MAX,
        "{messages} messages, the slowest after {longest:?}"
    );
    let told = hears.told();
    let most = 2 * (began.elapsed().as_secs() as usize + 2);
    assert!((2..=most).contains(&told.len()), "{} were told in {:?}", told.len(), began.elapsed());
    let is_stop = |event: &String| event.starts_with("typingMessageStop ");
    assert!(told.last().is_some_and(is_stop), "{told:?}");
    assert_eq!(types.told(), [""; 0], "its own user is not told");
}

/// Somebody in the room never reads: they are closed, and nobody else notices.
#[test]
fn a_member_that_never_reads() {
    const MESSAGES: usize = 1_500;
    let house = House::new();
    let dial = house.server.dial("/ws/chat/").bearer(house.token(JANE)).receive_buffer(4 << 10);
    let mut deaf = dial.open();
    assert!(deaf.ask(r#"{"type":"chatRoom.join","data":"1:2","id":1}"#).contains("true"));
    let mut hears = house.line_in(JANE, ROOT, &["1:2"]);
    let mut says = house.line(JOHN, Form::Plain);
    let text = "x".repeat(4_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            let payload = |n: usize| message("1:2", &format!("{n} {text}"));
            for some in (0..MESSAGES).collect::<Vec<_>>().chunks(50) {
                let asked: Vec<u64> =
                    some.iter().map(|n| says.begins("message", &payload(*n))).collect();
                asked.into_iter().for_each(|number| {
                    assert!(says.answer(number).starts_with(r#"{"success":true"#));
                });
            }
        });
        for n in 0..MESSAGES {
            let begin = format!(r#"messageRoom {{"message":"{n} x"#);
            while !hears.event().starts_with(&begin) {}
        }
    });
    let (told, code) = deaf.closed();
    assert!(code == Some(4408) && told.len() < MESSAGES, "{code:?} after {}", told.len());
}

/// A token is revoked while its connections are in rooms: they hear nothing that comes later.
#[test]
fn a_token_that_is_revoked() {
    for form in [Form::Plain, ROOT, Form::Chat(Over::Polling)] {
        let house = House::with(&[("PRESENCE__GRACE", "1s")]);
        assert_eq!(house.group(&[JOHN, JANE, SARA]), "1:2:3");
        let other = house.server.token_of("user", "2", &[]);
        let mut stays = Line::open(&house.server, &other.text, form, "jane's other token");
        stays.does("joinRoom", r#""2""#);
        let mut jane = house.line_in(JANE, form, &["1:2", "1:2:3"]);
        jane.does("addOnlineUser", r#"{"userID":"2","userUsername":"jane"}"#);
        let mut john = house.line_in(JOHN, Form::Plain, &["1:2", "1:2:3"]);
        jane.does("startTypingRoom", r#"{"roomID":"1:2:3"}"#);
        jane.told();
        assert_eq!(john.told().len(), 1, "that jane types");
        stays.told();
        let path = format!("/api/tokens/{}", house.token_id(JANE));
        house.rules("DELETE", &path).expect(204);
        for room in ["1:2", "1:2:3"] {
            john.does("message", &message(room, "canary"));
        }
        assert_eq!(jane.put_out(), [""; 0], "{form:?}");
        // Who is there by another token is, and hears sooner or later that jane is not online.
        let mut told = stays.events_upto("messageResponseNotify");
        told.retain(|event| *event != online("Remove", JANE));
        assert_eq!(told.len(), 2, "{told:?}");
        // And nobody types or is online by the one that is gone.
        let told = john.events_upto("newOnlineUser");
        assert!(told.iter().any(|event| event.starts_with("typingMessageStop ")), "{told:?}");
        assert_eq!(told.last(), Some(&online("Remove", JANE)));
    }
}

/// A user is deleted: their connections end, and they are in no room any more.
#[test]
fn a_user_who_is_deleted() {
    for form in [ROOT, Form::Plain] {
        let house = House::with(&[("PRESENCE__GRACE", "1s")]);
        assert_eq!(house.group(&[JOHN, JANE, SARA, MIKE]), "1:2:3:4");
        assert_eq!(house.group(&[SARA, JOHN, STRANGER]), "1:3:5");
        house.says(SARA, "1:3", "as long as I am here");
        let mut sara = house.line_in(SARA, form, &["1:2:3:4", "1:3:5", "1:3"]);
        sara.does("addOnlineUser", r#"{"userID":"3","userUsername":"sara_cleaner"}"#);
        let mut john = house.line_in(JOHN, form.other(), &["1:2:3:4", "1:3:5"]);
        john.told();
        sara.told();
        house.rules("DELETE", "/api/users/3").expect(204);
        assert_eq!(sara.put_out(), [""; 0]);
        // Groups go on without them, under the label of those who are left.
        until("they are in no group", || {
            let rooms = house.ask(JOHN, "GET", "/api/chat/rooms").expect(200);
            let rooms = rooms["items"].as_array().expect("a list").clone();
            let has = |label: &str| rooms.iter().any(|room| room["roomID"] == label);
            has("1:2:4") && !has("1:2:3:4") && !has("1:3:5")
        });
        let told = john.told();
        for event in [
            r#"kickUserFromGroupChange {"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUsername":"sara_cleaner","kickedUserID":"3"}"#,
            r#"kickUserFromGroupChange {"roomID":"1:3:5","newRoomID":"1:5","kickedUsername":"sara_cleaner","kickedUserID":"3"}"#,
        ] {
            assert_eq!(
                told.iter().filter(|told| **told == event).count(),
                1,
                "{event} in {told:?}"
            );
        }
        let in_room = |event: &&String| event.starts_with("kickUserFromGroupChangeInRoom ");
        assert_eq!(told.iter().filter(in_room).count(), 2, "{told:?}");
        if !told.contains(&online("Remove", SARA)) {
            assert_eq!(john.events_upto("newOnlineUser").last(), Some(&online("Remove", SARA)));
        }
        // Nothing can be said to them; what they said is still there.
        john.refused("message", &message("1:3", "are you there?"), "NOT_FOUND");
        john.does("message", &message("1:2:4", "so"));
        assert!(john.told().contains(&in_room_text("1:2:4")));
        // Whoever has the id later, or the name, is another: they find nothing.
        let found = house.ask(JOHN, "GET", "/api/chat/rooms/1:3/messages").send();
        assert!(found.status == 200 && found.body.contains("as long as I am here"), "{found:?}");
    }
}

fn in_room_text(room: &str) -> String {
    in_room(JOHN, room, "so")
}
