//! The document's list of events: who is told which frames, in which order, and that nobody else is told anything.
//!
//! A row is a call of one connection, word for word as the document has it, its answer, and what is told to whom. After it
//! every connection is asked for all that it was told. All of it twice: what is Socket.IO first is plain then.

use std::time::{Duration, Instant};

use super::{
    BOSS, DONE, Form, House, JANE, JOHN, Line, MIKE, NAMES, SARA, STRANGER, in_room, notify,
    on_page, online,
};
use crate::harness::{Over, until};

/// A tab of john_doe's.
pub const J1: usize = 0;
/// Another.
pub const J2: usize = 1;
/// A third, which is in its personal room alone.
pub const J3: usize = 2;
/// jane, in the same rooms as john_doe.
pub const A1: usize = 3;
/// jane elsewhere.
pub const A2: usize = 4;
/// sara_cleaner.
pub const S1: usize = 5;
/// sara_cleaner without her personal room.
pub const S2: usize = 6;
/// mike_butler.
pub const M1: usize = 7;
/// A stranger, who is in their personal room.
pub const X1: usize = 8;
/// A token of an admin that speaks for nobody.
pub const T1: usize = 9;

/// All of them.
pub const ALL: [usize; 10] = [J1, J2, J3, A1, A2, S1, S2, M1, X1, T1];

/// The document's message.
pub const HELLO: &str = r#"{"data":{"message":"Hello!","from":"1","roomID":"1:2","fromUsername":"john_doe","roomKey":"room:1:2","lastMessage":"Hello!","unreadMessArray":[{"recipientID":"2","roomID":"1:2","countNumber":1,"updateStatus":true}],"createRoomNotification":null,"contact":false}}"#;
/// The document's payload of both typing events.
pub const TYPING: &str = r#"{"roomID":"1:2","user":{"userID":"1","username":"john_doe"}}"#;
/// What a message is answered.
pub const SENT: &str = r#"{"success":true,"messageID":N,"roomID":"1:2","date":DATE}"#;

/// What is told, and to whom.
pub type Row<'a> = (&'a [usize], &'a str);

/// People and their connections.
pub struct Scene {
    /// Where they are.
    pub house: House,
    /// Their connections.
    pub lines: Vec<Line>,
}

impl Scene {
    /// Everybody is connected; nobody has said anything.
    #[track_caller]
    pub fn new(is_swapped: bool) -> Scene {
        let house = House::new();
        let forms = [
            (JOHN, super::line::ROOT),
            (JOHN, Form::Plain),
            (JOHN, Form::Chat(Over::Polling)),
            (JANE, Form::Plain),
            (JANE, Form::Chat(Over::Socket)),
            (SARA, super::line::ROOT),
            (SARA, Form::Plain),
            (MIKE, Form::Plain),
            (STRANGER, super::line::ROOT),
        ];
        let form = |form: Form| if is_swapped { form.other() } else { form };
        let mut lines: Vec<Line> = (0..)
            .zip(forms)
            .map(|(n, (user, of))| {
                let mut line = house.line(user, form(of));
                line.name = format!("{} ({n})", NAMES[user]);
                line
            })
            .collect();
        let of = form(Form::Plain);
        lines.push(Line::open(&house.server, &house.admin, of, "the admin's token").nobody());
        let mut scene = Scene { house, lines };
        // Whatever came before is over.
        scene.told();
        scene
    }

    /// The same, where everybody but one tab of sara_cleaner's and the admin's token is in their personal room.
    #[track_caller]
    pub fn at_home(is_swapped: bool) -> Scene {
        let mut scene = Scene::new(is_swapped);
        for (line, user) in [(J1, 1), (J2, 1), (J3, 1), (A1, 2), (A2, 2), (S1, 3), (M1, 4), (X1, 5)]
        {
            scene.row(line, "joinRoom", &format!("\"{user}\""), DONE, &[]);
        }
        scene
    }

    /// These connections enter a room, and nobody hears of it.
    #[track_caller]
    pub fn enter(&mut self, room: &str, lines: &[usize]) {
        for line in lines {
            self.row(*line, "chatRoom.join", &format!("\"{room}\""), DONE, &[]);
        }
    }

    /// What each was told up to now.
    #[track_caller]
    fn told(&mut self) -> Vec<Vec<String>> {
        let fences: Vec<u64> = self.lines.iter_mut().map(Line::fence).collect();
        self.lines.iter_mut().zip(fences).map(|(line, fence)| line.upto(fence)).collect()
    }

    /// A call, its answer, and what comes of it: to each of these connections these events, in this order, and to
    /// nobody anything else.
    #[track_caller]
    pub fn row(&mut self, from: usize, call: &str, payload: &str, answer: &str, rows: &[Row<'_>]) {
        let answered = self.lines[from].asks(call, payload);
        assert_eq!(answered, answer, "{}: {call} {payload}", self.lines[from].name);
        self.hear(&format!("{}: {call} {payload}", self.lines[from].name), rows);
    }

    /// A call that is refused with this code, of which nobody hears.
    #[track_caller]
    pub fn refused(&mut self, from: usize, call: &str, payload: &str, code: &str) {
        self.lines[from].refused(call, payload, code);
        self.hear(&format!("{}: {call} {payload}", self.lines[from].name), &[]);
    }

    /// Everybody was told this and nothing else since they were asked last.
    #[track_caller]
    pub fn hear(&mut self, why: &str, rows: &[Row<'_>]) {
        for (line, told) in self.told().into_iter().enumerate() {
            let is_for = |row: &&Row<'_>| row.0.contains(&line);
            let expected: Vec<&str> = rows.iter().filter(is_for).map(|row| row.1).collect();
            assert_eq!(told, expected, "{} after {why}", self.lines[line].name);
        }
    }

    /// The next row may be of something that is told once a second at most.
    pub fn passes_a_second(&self) {
        let since = Instant::now();
        until("a second passes", || since.elapsed() > Duration::from_millis(1_050));
    }
}

/// What is said to both dialects.
fn both(check: impl Fn(bool)) {
    [false, true].into_iter().for_each(check);
}

#[test]
fn who_is_online() {
    both(|is_swapped| {
        let mut scene = Scene::new(is_swapped);
        let john = r#"{"userID":"1","userUsername":"john_doe"}"#;
        let since = Instant::now();
        scene.row(J1, "addOnlineUser", john, DONE, &[(&ALL, &online("Add", JOHN))]);
        // Once a second at most, whichever tab says so.
        let answered = scene.lines[J2].asks("addOnlineUser", john);
        assert_eq!(answered, DONE);
        if since.elapsed() < Duration::from_secs(1) {
            scene.hear("the second time", &[]);
        } else {
            scene.told();
        }
        scene.passes_a_second();
        let other_key = r#"{"userID":"1","username":"john_doe"}"#;
        scene.row(J2, "addOnlineUser", other_key, DONE, &[(&ALL, &online("Add", JOHN))]);
        scene.row(
            M1,
            "addOnlineUser",
            r#"{"userID":"4","userUsername":"somebody else"}"#,
            DONE,
            &[(&ALL, &online("Add", MIKE))],
        );
        // No claim at all is none that is wrong.
        scene.row(S1, "addOnlineUser", "{}", DONE, &[(&ALL, &online("Add", SARA))]);
        scene.refused(X1, "addOnlineUser", john, "FORBIDDEN");
        // Gone is who says so with the last connection that said it was here; who never said so is never gone.
        leaves(&mut scene, M1, Some(MIKE));
        leaves(&mut scene, J1, None);
        leaves(&mut scene, S1, Some(SARA));
        leaves(&mut scene, X1, None);
        leaves(&mut scene, J2, Some(JOHN));
    });
}

/// A connection says goodbye, of which everybody hears if its user is gone by that. That nobody hears of it shows at the
/// next who leaves. Its place is taken by one of the boss's.
#[track_caller]
fn leaves(scene: &mut Scene, line: usize, gone: Option<usize>) {
    let mut other = scene.house.line(BOSS, Form::Plain);
    other.told();
    std::mem::replace(&mut scene.lines[line], other).says_goodbye();
    if let Some(user) = gone {
        scene.lines.iter_mut().for_each(|line| line.hears(&online("Remove", user)));
    }
    scene.hear("somebody left", &[]);
}

#[test]
fn who_hears_a_message() {
    both(|is_swapped| {
        let mut scene = Scene::at_home(is_swapped);
        scene.enter("1:2", &[J1, J2, A1]);
        let here = [J1, J2, A1];
        // The document's own, and the answer in the other tab.
        let room = in_room(JOHN, "1:2", "Hello!");
        let page = on_page("1:2", "Hello!");
        let told = notify(JOHN, JANE, "1:2", "Hello!");
        let rows: [Row<'_>; 3] = [(&here, &room), (&[A2], &page), (&[A1, A2], &told)];
        scene.row(J1, "message", HELLO, SENT, &rows);
        scene.row(J2, "message", HELLO, SENT, &rows);
        // From elsewhere: who says it need not be in the room.
        scene.row(J3, "message", HELLO, SENT, &rows);
        // The other way round: those of john_doe's who are elsewhere have it on their page.
        let (room, page) = (in_room(JANE, "1:2", "Hi"), on_page("1:2", "Hi"));
        let told = notify(JANE, JOHN, "1:2", "Hi");
        scene.row(
            A1,
            "message",
            r#"{"data":{"message":"Hi","from":"2","roomID":"1:2","contact":false}}"#,
            SENT,
            &[(&here, &room), (&[J3], &page), (&[J1, J2, J3], &told)],
        );
        // The first contact.
        let (room, page) = (in_room(JOHN, "1:2", "Hello!"), on_page("1:2", "Hello!"));
        let first = r#"firstMessageConversation {"roomID":"1:2","from":"1","fromUsername":"john_doe","lastMessage":"Hello!"}"#;
        let told = notify(JOHN, JANE, "1:2", "Hello!");
        let contact = HELLO.replace(r#""contact":false"#, r#""contact":true"#);
        scene.row(
            J1,
            "message",
            &contact,
            SENT,
            &[(&here, &room), (&[A2], &page), (&[A1, A2], first), (&[A1, A2], &told)],
        );
        // With a notification.
        let wanted = HELLO
            .replace(r#""createRoomNotification":null"#, r#""createRoomNotification":{"id":1}"#);
        let note = r#"{"id":N,"from":"1","to":"2","type":"chat","date":DATE,"message":"You've got message from john_doe","read":false}"#;
        let told = told.replace("Notification\":null", &format!("Notification\":{note}"));
        let rows: [Row<'_>; 3] = [(&here, &room), (&[A2], &page), (&[A1, A2], &told)];
        scene.row(J1, "message", &wanted, SENT, &rows);
        // Who has left the room is elsewhere; who never was in it may leave it.
        scene.row(A1, "chatRoom.leave", r#""1:2""#, DONE, &[]);
        scene.row(X1, "chatRoom.leave", r#""1:2""#, DONE, &[]);
        let told = notify(JOHN, JANE, "1:2", "Hello!");
        let rows: [Row<'_>; 3] = [(&[J1, J2], &room), (&[A1, A2], &page), (&[A1, A2], &told)];
        scene.row(J1, "message", HELLO, SENT, &rows);
        // Who has left their personal room hears what is said where they are.
        scene.row(A2, "leaveRoom", r#""2""#, DONE, &[]);
        scene.row(A2, "leaveRoom", r#""2""#, DONE, &[]);
        scene.row(X1, "leaveRoom", r#""2""#, DONE, &[]);
        scene.row(A1, "leaveRoom", r#""1""#, DONE, &[]);
        scene.enter("1:2", &[A2]);
        let rows: [Row<'_>; 3] = [(&[J1, J2, A2], &room), (&[A1], &page), (&[A1], &told)];
        scene.row(J1, "message", HELLO, SENT, &rows);
        // A room is entered once, however often.
        scene.enter("1:2", &[A2, A2]);
        scene.row(J1, "message", HELLO, SENT, &rows);
    });
}

#[test]
fn who_hears_a_message_without_asking_for_an_answer() {
    for form in Form::ALL {
        let house = House::new();
        let mut john = house.line_in(JOHN, form, &["1:2"]);
        let mut jane = house.line_in(JANE, form, &[]);
        john.says("message", HELLO);
        assert_eq!(jane.event(), on_page("1:2", "Hello!"));
        assert_eq!(jane.told(), [notify(JOHN, JANE, "1:2", "Hello!")]);
        assert_eq!(john.told(), [in_room(JOHN, "1:2", "Hello!")]);
        // Nothing else is said to who did not ask; a refusal is.
        john.says("chatRoom.leave", r#""1:2""#);
        john.says("addOnlineUser", r#"{"userID":"1","userUsername":"john_doe"}"#);
        assert_eq!(john.told(), [online("Add", JOHN)]);
        john.says("joinRoom", r#""2""#);
        let refused = john.event();
        let error = refused.strip_prefix("error ").unwrap_or_else(|| panic!("{refused}"));
        assert!(super::line::is_error(error, "FORBIDDEN").is_some(), "{refused}");
        assert_eq!((john.told(), jane.told()), (vec![], vec![online("Add", JOHN)]));
    }
}

#[test]
fn who_hears_who_types() {
    both(|is_swapped| {
        let mut scene = Scene::at_home(is_swapped);
        scene.enter("1:2", &[J1, J2, A1]);
        let told = |what: &str, user: usize| {
            format!(
                r#"typingMessage{what} {{"senderID":"{user}","senderUsername":"{}","roomID":"1:2"}}"#,
                NAMES[user]
            )
        };
        let (start, stop) = (told("Start", JOHN), told("Stop", JOHN));
        scene.row(J1, "startTypingRoom", TYPING, DONE, &[(&[A1], &start)]);
        scene.row(J1, "stopTypingRoom", TYPING, DONE, &[(&[A1], &stop)]);
        // Who types need not be in the room; no tab of theirs hears of it.
        let jane = r#"{"roomID":"1:2","user":{"userID":"2","username":"john_doe"}}"#;
        let here: &[usize] = &[J1, J2];
        scene.row(A2, "startTypingRoom", jane, DONE, &[(here, &told("Start", JANE))]);
        // It ends with what was typed, however it is sent.
        let (room, page) = (in_room(JANE, "1:2", "Hi"), on_page("1:2", "Hi"));
        let note = notify(JANE, JOHN, "1:2", "Hi");
        scene.row(
            A1,
            "message",
            r#"{"data":{"message":"Hi","roomID":"1:2"}}"#,
            SENT,
            &[
                (&[J1, J2, A1], &room),
                (&[J3], &page),
                (&[J1, J2, J3], &note),
                (here, &told("Stop", JANE)),
            ],
        );
        // It ends with leaving the room, and with the connection.
        scene.passes_a_second();
        scene.row(J1, "startTypingRoom", TYPING, DONE, &[(&[A1], &start)]);
        scene.row(J1, "chatRoom.leave", r#""1:2""#, DONE, &[(&[A1], &stop)]);
        scene.passes_a_second();
        scene.row(J2, "startTypingRoom", TYPING, DONE, &[(&[A1], &start)]);
        let quiet = scene.house.line(BOSS, Form::Plain);
        std::mem::replace(&mut scene.lines[J2], quiet).says_goodbye();
        scene.lines[A1].hears(&stop);
        scene.hear("john_doe's tab was closed", &[]);
        // An end that had no beginning is told: who came late may still show it.
        scene.passes_a_second();
        scene.row(J1, "stopTypingRoom", TYPING, DONE, &[(&[A1], &stop)]);
        // Whoever is not in that room cannot type there.
        let stranger = r#"{"roomID":"1:2","user":{"userID":"5","username":"stranger"}}"#;
        for call in ["startTypingRoom", "stopTypingRoom"] {
            scene.refused(X1, call, TYPING, "FORBIDDEN");
            scene.refused(X1, call, stranger, "NOT_FOUND");
        }
    });
}

/// Who types and says no more has stopped after ten seconds.
#[test]
fn typing_ends_by_itself() {
    let house = House::new();
    let mut john = house.line_in(JOHN, super::line::ROOT, &["1:2"]);
    let mut jane = house.line_in(JANE, Form::Plain, &["1:2"]);
    let since = Instant::now();
    john.does("startTypingRoom", TYPING);
    let told = |what: &str| {
        format!(
            r#"typingMessage{what} {{"senderID":"1","senderUsername":"john_doe","roomID":"1:2"}}"#
        )
    };
    jane.hears(&told("Start"));
    jane.hears(&told("Stop"));
    let after = since.elapsed().as_secs_f64();
    assert!((9.5..13.0).contains(&after), "{after}");
    assert_eq!((jane.told(), john.told()), (vec![], vec![]));
}
