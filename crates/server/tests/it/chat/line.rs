//! Connections of chat, in every form that there is.
//!
//! What a [`Line`] is told is compared as `EVENT PAYLOAD`, after a look at its exact spelling: the same text whether it
//! came over Socket.IO or plain. Times and ids are replaced after a look at their shape: `DATE`, `DAY`, `TIME`, `N`.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::json;

use super::{BOSS, JOHN, NAMES};
use crate::harness::{Client, Got, Heard, Over, Server, Session, answer_of, at, without_cursor};

/// What a call is answered that has nothing else to say.
pub const DONE: &str = r#"{"success":true}"#;

/// Events whose payload is no object or has a `type` of its own: the plain dialect has it in `data`.
const NESTED: [&str; 5] = [
    "newOnlineUser",
    "createUserToGroupNotify",
    "addUserToGroupNotify",
    "addUserToGroupChangeInRoom",
    "deleteUserRoomNotify",
];

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Plain, at `/ws/chat/`.
    Plain,
    /// Socket.IO on `/`.
    Root(Over),
    /// Socket.IO in `/chat`.
    Chat(Over),
}

/// Socket.IO as the document's clients speak it.
pub const ROOT: Form = Form::Root(Over::Socket);

impl Form {
    /// All of them.
    pub const ALL: [Form; 5] = [
        Form::Plain,
        ROOT,
        Form::Chat(Over::Socket),
        Form::Root(Over::Polling),
        Form::Chat(Over::Polling),
    ];

    /// The form of the other dialect.
    pub fn other(self) -> Form {
        if self == Form::Plain { ROOT } else { Form::Plain }
    }

    /// The namespace of Socket.IO; `None`: it is plain.
    fn socket_io(self) -> Option<&'static str> {
        (self != Form::Plain).then(|| self.namespace())
    }

    fn namespace(self) -> &'static str {
        if matches!(self, Form::Chat(_)) { "/chat" } else { "/" }
    }

    fn over(self) -> Over {
        match self {
            Form::Plain => Over::Socket,
            Form::Root(over) | Form::Chat(over) => over,
        }
    }
}

/// One connection.
pub struct Line {
    /// Whose it is, for what is said when a test fails.
    pub name: String,
    /// How it speaks.
    pub form: Form,
    way: Way,
    /// How often it asked something.
    asked: u64,
    answers: BTreeMap<u64, String>,
    told: Vec<String>,
    /// Everything that it was told and answered, as it came.
    pub raw: Vec<String>,
    /// Whether what it is told bears cursors, and the last of them.
    has_cursors: bool,
    pub cursor: Option<String>,
    /// By this it may come back.
    pub pid: Option<String>,
    /// Its fence is a refusal: it speaks for nobody.
    is_nobody: bool,
    last_answer: Option<String>,
}

enum Way {
    Plain(Box<Client>),
    SocketIo(Box<Session>),
    /// Its transport was cut.
    Gone,
}

/// What is asked of a connection that is gone is a mistake of the test.
fn gone() -> ! {
    panic!("its transport was cut")
}

impl Line {
    fn new(way: Way, form: Form, name: &str) -> Line {
        Line {
            name: name.to_owned(),
            form,
            way,
            asked: 0,
            answers: BTreeMap::new(),
            told: Vec::new(),
            raw: Vec::new(),
            has_cursors: false,
            cursor: None,
            pid: None,
            is_nobody: false,
            last_answer: None,
        }
    }

    /// A connection with this token, which is let in.
    #[track_caller]
    pub fn open(server: &Server, token: &str, form: Form, name: &str) -> Line {
        let way = match form {
            Form::Plain => Way::Plain(Box::new(server.dial("/ws/chat/").bearer(token).open())),
            form => {
                let mut session = server.socket_io().open(form.over());
                session.enter_as(form.namespace(), token);
                Way::SocketIo(Box::new(session))
            }
        };
        Line::new(way, form, name)
    }

    /// One without a credential.
    #[track_caller]
    pub fn guest(server: &Server, form: Form) -> Line {
        let way = match form {
            Form::Plain => Way::Plain(Box::new(server.dial("/ws/chat/").open())),
            form => {
                let mut session = server.socket_io().open(form.over());
                session.enter(form.namespace(), &json!({}));
                Way::SocketIo(Box::new(session))
            }
        };
        Line::new(way, form, "a guest").nobody()
    }

    /// One that may come back later: from `before` on, if that is one. Over Socket.IO by `auth.recover`, plain by
    /// `?since`.
    #[track_caller]
    pub fn recovered(
        server: &Server,
        token: &str,
        form: Form,
        name: &str,
        before: Option<&Line>,
    ) -> Line {
        let cursor = before.and_then(|line| line.cursor.clone());
        let mut line = match form {
            Form::Plain => {
                let since = cursor.as_deref().unwrap_or("now");
                let dial = server.dial(&format!("/ws/chat/?since={since}")).bearer(token);
                let mut client = dial.open();
                let first = client.text();
                assert!(first.starts_with(r#"{"type":"resumed","cursor":""#), "{name}: {first}");
                let mut line = Line::new(Way::Plain(Box::new(client)), form, name);
                line.cursor = first.split('"').nth(7).map(str::to_owned);
                line
            }
            form => {
                let mut auth = json!({ "token": token, "recover": true });
                if let Some(before) = before {
                    auth["pid"] = before.pid.as_deref().expect("it may come back").into();
                    cursor.iter().for_each(|cursor| auth["offset"] = cursor.as_str().into());
                }
                let mut session = server.socket_io().open(form.over());
                let told = session.enter(form.namespace(), &auth);
                let pid = told["pid"].as_str().expect("it may come back").to_owned();
                assert!(
                    before.is_none_or(|line| line.pid.as_ref() == Some(&pid)),
                    "{name}: {told}"
                );
                let mut line = Line::new(Way::SocketIo(Box::new(session)), form, name);
                (line.pid, line.cursor) = (Some(pid), cursor);
                line
            }
        };
        line.has_cursors = true;
        line
    }

    /// A plain one with cursors that has this query; and what it is told first.
    #[track_caller]
    pub fn plain(server: &Server, token: &str, name: &str, query: &str) -> (Line, String) {
        let mut client = server.dial(&format!("/ws/chat/?{query}")).bearer(token).open();
        let first = client.text();
        let mut line = Line::new(Way::Plain(Box::new(client)), Form::Plain, name);
        line.has_cursors = true;
        (line, first)
    }

    /// It speaks for no user.
    pub fn nobody(self) -> Line {
        Line { is_nobody: true, ..self }
    }

    /// Calls something without asking for an answer.
    #[track_caller]
    pub fn says(&mut self, call: &str, payload: &str) {
        match &mut self.way {
            Way::Plain(client) => client.send(&plain(call, payload, "")),
            Way::SocketIo(session) => {
                session.send(&format!(r#"42{}["{call}",{payload}]"#, at(self.form.namespace())));
            }
            Way::Gone => gone(),
        }
    }

    /// Calls something and gives the number under which it will be answered.
    #[track_caller]
    pub fn begins(&mut self, call: &str, payload: &str) -> u64 {
        self.asked += 1;
        let n = self.asked;
        match &mut self.way {
            Way::Plain(client) => client.send(&plain(call, payload, &format!(r#","id":"q{n}""#))),
            Way::SocketIo(session) => {
                session.send(&format!(r#"42{}{n}["{call}",{payload}]"#, at(self.form.namespace())));
            }
            Way::Gone => gone(),
        }
        n
    }

    /// What is answered to that.
    #[track_caller]
    pub fn answer(&mut self, number: u64) -> String {
        loop {
            if let Some(answer) = self.answers.remove(&number) {
                self.last_answer = Some(answer.clone());
                return normal(&answer);
            }
            self.hear();
        }
    }

    /// Calls something and gives its answer: an object, spelled as its acknowledgement is.
    #[track_caller]
    pub fn asks(&mut self, call: &str, payload: &str) -> String {
        let number = self.begins(call, payload);
        self.answer(number)
    }

    /// The last answer as it came.
    pub fn last_raw_answer(&self) -> Option<String> {
        self.last_answer.clone()
    }

    /// Calls something that must be done.
    #[track_caller]
    pub fn does(&mut self, call: &str, payload: &str) {
        let answer = self.asks(call, payload);
        assert!(
            answer.starts_with(r#"{"success":true"#),
            "{}: {call} {payload}: {answer}",
            self.name
        );
    }

    /// Calls something that must be refused with this code, in exactly the document's form; gives the words.
    #[track_caller]
    pub fn refused(&mut self, call: &str, payload: &str, code: &str) -> String {
        let answer = self.asks(call, payload);
        is_error(&answer, code)
            .unwrap_or_else(|| panic!("{}: {call} {payload}: {answer}", self.name))
    }

    /// Asks for a fence; [`upto`](Line::upto) reads to it.
    #[track_caller]
    pub fn fence(&mut self) -> u64 {
        if self.is_nobody {
            let payload = r#"{"data":{"message":"fence","roomID":"1:2"}}"#;
            return self.begins("message", payload);
        }
        let other = if self.name == NAMES[BOSS] { JOHN } else { BOSS };
        self.begins("chat.open", &json!({ "members": [other.to_string()] }).to_string())
    }

    /// What it was told before the answer to a fence, that was not taken before.
    #[track_caller]
    pub fn upto(&mut self, fence: u64) -> Vec<String> {
        let answer = self.answer(fence);
        assert!(
            self.is_nobody || answer.starts_with(r#"{"success":true"#),
            "{}: {answer}",
            self.name
        );
        std::mem::take(&mut self.told)
    }

    /// Everything that it is told up to here.
    #[track_caller]
    pub fn told(&mut self) -> Vec<String> {
        let fence = self.fence();
        self.upto(fence)
    }

    /// The next event, which must come; it is not given again.
    #[track_caller]
    pub fn event(&mut self) -> String {
        while self.told.is_empty() {
            self.hear();
        }
        self.told.remove(0)
    }

    /// The next event must be this one.
    #[track_caller]
    pub fn hears(&mut self, expected: &str) {
        assert_eq!(self.event(), expected, "{}", self.name);
    }

    /// Waits for an event that contains this text, and gives all up to it.
    #[track_caller]
    pub fn events_upto(&mut self, text: &str) -> Vec<String> {
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &String| !event.contains(text)) {
            events.push(self.event());
        }
        events
    }

    /// Its transport is cut; its place is kept.
    pub fn cut(&mut self) {
        self.way = Way::Gone;
    }

    /// Leaves in good order: DISCONNECT, or a close frame with 1000.
    pub fn says_goodbye(mut self) {
        match &mut self.way {
            Way::Plain(_) => self.closes(&1000_u16.to_be_bytes()),
            Way::SocketIo(session) => {
                session.send(&format!("41{}", at(self.form.namespace())));
            }
            Way::Gone => gone(),
        }
    }

    /// Ends its connection with a close frame that bears this, and waits until it is over.
    pub fn closes(mut self, code: &[u8]) {
        let client = match &mut self.way {
            Way::Plain(client) => client,
            Way::SocketIo(session) => session.client(),
            Way::Gone => gone(),
        };
        client.send_bytes(&crate::harness::frame(bellwire_wire::frame::Opcode::Close, code));
        while !matches!(client.next(), Got::End) {}
    }

    /// Reads to its end, which must be that of who is put out; gives what it was told before, its last words left out.
    #[track_caller]
    pub fn put_out(mut self) -> Vec<String> {
        let form = self.form;
        match &mut self.way {
            Way::Plain(client) => {
                let (mut told, code) = client.closed();
                assert_eq!(code, Some(4401), "{}: {told:?}", self.name);
                let last = told.pop().expect("it has last words");
                assert!(last.starts_with(r#"{"type":"error","error":""#), "{last}");
                told.iter().map(|text| event_of(form, text)).collect()
            }
            Way::SocketIo(session) => {
                let last = format!("41{}", at(form.namespace()));
                let mut told = Vec::new();
                loop {
                    match session.next() {
                        Heard::Packet(packet) if packet == last => break,
                        Heard::Packet(packet) => told.push(packet),
                        other => panic!("{other:?} after {told:?}"),
                    }
                }
                let words = told.pop().expect("it has last words");
                assert!(words.contains(r#"["error",{"#), "{words}");
                told.iter().map(|text| event_of(form, text)).collect()
            }
            Way::Gone => gone(),
        }
    }

    /// Takes in what comes next.
    #[track_caller]
    fn hear(&mut self) {
        let text = match &mut self.way {
            Way::Plain(client) => match client.next() {
                Got::Text(text) => text,
                other => panic!("{}: {other:?} after {:?}", self.name, self.told),
            },
            Way::SocketIo(session) => match session.next() {
                Heard::Packet(packet) => packet,
                other => panic!("{}: {other:?} after {:?}", self.name, self.told),
            },
            Way::Gone => gone(),
        };
        self.raw.push(text.clone());
        match answer_of(self.form.socket_io(), &text) {
            Some((number, answer)) => drop(self.answers.insert(number, answer)),
            None => {
                let text = if self.has_cursors { self.without_cursor(&text) } else { text };
                self.told.push(event_of(self.form, &text));
            }
        }
    }

    /// Keeps the cursor that an event bears, and takes it away.
    fn without_cursor(&mut self, text: &str) -> String {
        match without_cursor(self.form == Form::Plain, text) {
            Some((rest, cursor)) => {
                self.cursor = Some(cursor);
                rest
            }
            None => text.to_owned(),
        }
    }
}

/// A plain message. Payloads that are no object stand in `data`.
fn plain(call: &str, payload: &str, id: &str) -> String {
    match payload.strip_prefix('{') {
        Some("}") => format!(r#"{{"type":"{call}"{id}}}"#),
        Some(members) => format!(r#"{{"type":"{call}"{id},{members}"#),
        None => format!(r#"{{"type":"{call}","data":{payload}{id}}}"#),
    }
}

/// An event as `EVENT PAYLOAD`, whose spelling must be exactly that of its form.
#[track_caller]
fn event_of(form: Form, text: &str) -> String {
    let wrong = || -> ! { panic!("no event of {form:?}: {text}") };
    let (event, payload) = match form {
        Form::Plain => {
            let Some(rest) = text.strip_prefix(r#"{"type":""#) else { wrong() };
            let Some((event, rest)) = rest.split_once('"') else { wrong() };
            if NESTED.contains(&event) {
                let payload = rest.strip_prefix(r#","data":"#).and_then(|p| p.strip_suffix('}'));
                (event, payload.unwrap_or_else(|| wrong()).to_owned())
            } else {
                let Some(members) = rest.strip_prefix(',') else { wrong() };
                assert!(!members.starts_with(r#""data":"#), "it is not nested: {text}");
                (event, format!("{{{members}"))
            }
        }
        form => {
            let begin = format!(r#"42{}[""#, at(form.namespace()));
            let Some(rest) = text.strip_prefix(&*begin) else { wrong() };
            let Some((event, payload)) = rest.split_once(r#"","#) else { wrong() };
            (event, payload.strip_suffix(']').unwrap_or_else(|| wrong()).to_owned())
        }
    };
    normal(&format!("{event} {payload}"))
}

/// The words of a refusal, if the text is exactly one with this code.
pub fn is_error(text: &str, code: &str) -> Option<String> {
    let end = format!(r#","code":"{code}","timestamp":TIME}}"#);
    let words = text.strip_prefix(r#"{"error":"#)?.strip_suffix(&*end)?;
    serde_json::from_str(words).ok()
}

/// The text with `DATE`, `DAY` and `TIME` for times, which must be those of now, and `N` for numbers that the server
/// gives.
#[track_caller]
pub fn normal(text: &str) -> String {
    let mut out = text.to_owned();
    for (key, end, put) in [
        (r#""date":{"#, '}', "DATE"),
        (r#""date":""#, '"', "DAY"),
        (r#""timestamp":""#, '"', "TIME"),
        (r#""lastAt":""#, '"', "TIME"),
    ] {
        let mut from = 0;
        while let Some(found) = out[from..].find(key) {
            let value = from + found + key.len();
            let Some(len) = out[value..].find(end) else { break };
            let time = &out[value..value + len];
            assert!(is_now(put, time), "{time:?} in {text}");
            out.replace_range(value - 1..=value + len, put);
            from = value;
        }
    }
    for key in [r#""id":"#, r#""messageID":"#, r#""commentID":"#] {
        let mut from = 0;
        while let Some(found) = out[from..].find(key) {
            let value = from + found + key.len();
            let len = out[value..].bytes().take_while(u8::is_ascii_digit).count();
            if len > 0 {
                out.replace_range(value..value + len, "N");
            }
            from = value;
        }
    }
    out
}

/// Whether a time is one of the last minutes, in the form of its kind.
fn is_now(kind: &str, time: &str) -> bool {
    let now = Timestamp::now();
    (0..=3).any(|minutes| {
        let then = now - minutes.minutes();
        let zoned = then.to_zoned(TimeZone::UTC);
        let expected = match kind {
            "DATE" => zoned.strftime("{'day':%-d,'month':%-m,'year':%Y,'time':'%H:%M'").to_string(),
            "DAY" => zoned.strftime("%d.%m.%Y").to_string(),
            _ => zoned.strftime("%Y-%m-%dT%H:%M:").to_string(),
        };
        match kind {
            "DATE" => format!("{{{time}").replace('"', "'") == expected,
            "DAY" => time == expected,
            _ => time.starts_with(&expected) && time.len() == 24 && time.ends_with('Z'),
        }
    })
}
