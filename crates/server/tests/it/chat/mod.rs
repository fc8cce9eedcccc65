//! Chat as the program serves it (document 003): who receives which frames in which order, and who receives none.
//!
//! | module | what is in it |
//! |---|---|
//! | `line` | connections in every form, and how what they are told is compared |
//! | `table` | the document's list of events: for each, who is told what, and that nobody else is |
//! | `groups` | the same for what is done with groups |
//! | `refusals` | what is refused, in which words, and that nobody else notices |
//! | `texts` | what a message may be, and what labels of rooms may be |
//! | `strangers` | callers who may not chat, and what a demo's guests may |
//! | `moves` | connections that enter and leave while much is said |
//! | `races` | what happens at once, too often, or to somebody who is put out |
//! | `presence` | who is online: tabs, goodbyes, losses, crashes |
//! | `recoveries` | what is told to who comes back |
//! | `rest` | rooms, histories and lists over HTTP |
//! | `market` | comments and ratings |
//! | `oracle` | all of it by chance, against a model |
//!
//! [`House`] is a server with the people of the document's examples. What a [`Line`] is told up to now shows at a fence: a
//! call that goes through the writer, so that its answer comes behind whatever was committed before.

mod groups;
mod line;
mod market;
mod moves;
mod oracle;
mod presence;
mod races;
mod recoveries;
mod refusals;
mod rest;
mod strangers;
mod table;
mod texts;

use serde_json::{Value, json};

pub use line::{DONE, Form, Line};

use crate::harness::{Ask, Server, Token, USER_PASSWORD};

/// The document's first user.
pub const JOHN: usize = 1;
/// Who john_doe talks to.
pub const JANE: usize = 2;
/// Who is added to their room, and kicked.
pub const SARA: usize = 3;
/// Who is added later.
pub const MIKE: usize = 4;
/// Somebody who is online and has nothing to do with them.
pub const STRANGER: usize = 5;
/// A user who is an admin. Everybody's fences are private rooms with this one.
pub const BOSS: usize = 6;

/// Their names, by id; nobody is user 0.
pub const NAMES: [&str; 7] =
    ["", "john_doe", "jane", "sara_cleaner", "mike_butler", "stranger", "boss"];

/// A server with these people.
pub struct House {
    /// The server.
    pub server: Server,
    /// The text of a token of an admin that speaks for no user.
    pub admin: String,
    tokens: Vec<Token>,
}

impl House {
    /// On a new data directory, closed to guests.
    pub fn new() -> House {
        House::with(&[])
    }

    /// The same with settings.
    pub fn with(settings: &[(&str, &str)]) -> House {
        let server = Server::with(settings);
        let admin = server.token("admin", &[]).text;
        for (id, name) in NAMES.iter().enumerate().skip(JANE) {
            let role = if id == BOSS { "admin" } else { "user" };
            let kind = (id == SARA || id == MIKE).then_some("houseworker");
            // The last admin must be one who can sign in; a password takes its time.
            let password = (id == BOSS).then_some(USER_PASSWORD);
            let mut body = json!({ "username": name, "login": name, "role": role, "kind": kind });
            password.into_iter().for_each(|password| body["password"] = password.into());
            let made = server.ask("POST", "/api/users").bearer(&admin).json(&body).expect(201);
            assert_eq!(made["userId"], id.to_string());
        }
        // The admin that the first start made gives way to the document's first user.
        let body = json!({ "username": NAMES[JOHN], "role": "user" });
        server.ask("PATCH", "/api/users/1").bearer(&admin).json(&body).expect(200);
        let token = |id: usize| {
            let role = if id == BOSS { "admin" } else { "user" };
            server.token_of(role, &id.to_string(), &[])
        };
        let tokens = (JOHN..NAMES.len()).map(token).collect();
        House { server, admin, tokens }
    }

    /// The text of a user's token.
    pub fn token(&self, user: usize) -> &str {
        &self.tokens[user - 1].text
    }

    /// The id of a user's token.
    pub fn token_id(&self, user: usize) -> &str {
        &self.tokens[user - 1].id
    }

    /// Begins a request of a user.
    pub fn ask(&self, user: usize, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(self.token(user))
    }

    /// Begins a request of the admin's token.
    pub fn rules(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(&self.admin)
    }

    /// A connection of a user.
    #[track_caller]
    pub fn line(&self, user: usize, form: Form) -> Line {
        Line::open(&self.server, self.token(user), form, NAMES[user])
    }

    /// A connection of a user that is in their personal room and in these rooms.
    #[track_caller]
    pub fn line_in(&self, user: usize, form: Form, rooms: &[&str]) -> Line {
        let mut line = self.line(user, form);
        line.does("joinRoom", &format!("\"{user}\""));
        for room in rooms {
            line.does("chatRoom.join", &format!("\"{room}\""));
        }
        line
    }

    /// Makes a group of these, whose creator is the first.
    #[track_caller]
    pub fn group(&self, members: &[usize]) -> String {
        let others: Vec<String> = members[1..].iter().map(usize::to_string).collect();
        let body = json!({ "members": others });
        let made = self.ask(members[0], "POST", "/api/chat/rooms").json(&body).expect(201);
        made["roomID"].as_str().expect("a room has a label").to_owned()
    }

    /// Says something, on a connection of its own; gives the answer as it came.
    #[track_caller]
    pub fn says(&self, user: usize, room: &str, text: &str) -> Value {
        let mut line = self.line(user, Form::Plain);
        let answer = line.asks("message", &message(room, text));
        serde_json::from_str(&line.last_raw_answer().unwrap_or(answer)).expect("an answer is JSON")
    }

    /// The server is killed, and another goes on.
    pub fn killed(self) -> House {
        House { server: self.server.kill_and_restart(), ..self }
    }
}

/// What `message` says, as short as it may be.
pub fn message(room: &str, text: &str) -> String {
    json!({ "data": { "message": text, "roomID": room } }).to_string()
}

/// The same with an id of the client's.
pub fn message_with_id(room: &str, text: &str, id: &str) -> String {
    json!({ "data": { "message": text, "roomID": room, "clientMessageID": id } }).to_string()
}

/// What `messageRoom` says.
pub fn in_room(from: usize, room: &str, text: &str) -> String {
    let text = Value::from(text);
    format!(
        r#"messageRoom {{"message":{text},"from":"{from}","roomID":"{room}","fromUsername":"{}","date":DATE}}"#,
        NAMES[from]
    )
}

/// What `messagePage` says.
pub fn on_page(room: &str, text: &str) -> String {
    format!(r#"messagePage {{"roomID":"{room}","lastMessage":{}}}"#, Value::from(text))
}

/// What `messageResponseNotify` says to this user, without a notification.
pub fn notify(from: usize, to: usize, room: &str, text: &str) -> String {
    let text = Value::from(text);
    format!(
        r#"messageResponseNotify {{"roomID":"{room}","fromUsername":"{}","fromUserID":"{from}","userID":"{to}","lastMessage":{text},"unreadUpdateStatus":true,"createRoomNotification":null}}"#,
        NAMES[from]
    )
}

/// What `newOnlineUser` says; `kind` is `Add` or `Remove`.
pub fn online(kind: &str, user: usize) -> String {
    format!(r#"newOnlineUser {{"type":"{kind}","userID":"{user}"}}"#)
}
