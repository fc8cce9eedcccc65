//! Connections that hear of stations or of notifications, in every form that there is.
//!
//! What a [`Line`] is told is compared as `EVENT PAYLOAD`, after a look at its exact spelling: the same text whether it
//! came over Socket.IO or plain. Times are replaced after a look at their shape, `T` and `E`, and kept beside.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::House;
use crate::harness::{Ask, Client, Got, Heard, Over, Session, answer_of, at, without_cursor};

/// The stream of all stations.
pub const ALL: Form = Form::Plain("/ws/stations/");
/// That of station 1.
pub const ONE: Form = Form::Plain("/ws/stations/1/");
/// That of station 2.
pub const TWO: Form = Form::Plain("/ws/stations/2/");
/// That of a user's notifications.
pub const INBOX: Form = Form::Plain("/ws/notifications/");
/// Socket.IO in the namespace of stations.
pub const SPACE: Form = Form::Space(Over::Socket, None);
/// The same, where nothing is heard: for calls.
pub const DEAF: Form = Form::Space(Over::Socket, Some(&[]));

/// What is said of a command that took longer than it may, which machines under test may make of any.
pub const UNDONE: &str = "It took too long and was undone.";

/// How a connection speaks, and what it listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Plain, at this path.
    Plain(&'static str),
    /// Socket.IO in `/stations`; with these topics, if it names any.
    Space(Over, Option<&'static [&'static str]>),
    /// Socket.IO on `/`, with these topics.
    Root(Over, &'static [&'static str]),
}

impl Form {
    /// The namespace of Socket.IO; `None`: it is plain.
    fn socket_io(self) -> Option<&'static str> {
        (!matches!(self, Form::Plain(_))).then(|| self.namespace())
    }

    fn namespace(self) -> &'static str {
        if matches!(self, Form::Space(..)) { "/stations" } else { "/" }
    }

    fn topics(self) -> Option<&'static [&'static str]> {
        match self {
            Form::Plain(_) => None,
            Form::Space(_, topics) => topics,
            Form::Root(_, topics) => Some(topics),
        }
    }

    fn over(self) -> Over {
        match self {
            Form::Plain(_) => Over::Socket,
            Form::Space(over, _) | Form::Root(over, _) => over,
        }
    }

    /// What is told first, in any order.
    fn greetings(self) -> Vec<String> {
        let all = || greeting("all_stations", r#","station_id":null"#);
        let inbox = || greeting("notifications", "");
        match (self, self.topics()) {
            (INBOX, _) => vec![inbox()],
            (ALL, _) | (Form::Space(_, None), _) => vec![all()],
            (Form::Plain(path), _) => {
                let id = path.trim_matches('/').rsplit('/').next().expect("it has a number");
                vec![greeting(&format!("station_{id}"), &format!(r#","station_id":{id}"#))]
            }
            (_, topics) => {
                let topics = topics.unwrap_or_default().iter();
                let greets = topics.filter_map(|topic| match *topic {
                    "stations" => Some(all()),
                    "notifications" => Some(inbox()),
                    _ => None,
                });
                greets.collect()
            }
        }
    }
}

fn greeting(name: &str, more: &str) -> String {
    format!(r#"connection_established {{"message":"Connected to {name}"{more}}}"#)
}

/// An event that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `EVENT PAYLOAD`, with `T` for its time.
    pub text: String,
    /// Its time.
    pub time: String,
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
    told: Vec<Told>,
    /// Everything that it was told and answered, as it came.
    pub raw: Vec<String>,
    /// Whether what it is told bears cursors, and the last of them.
    has_cursors: bool,
    pub cursor: Option<String>,
    /// By this it may come back.
    pub pid: Option<String>,
    /// What goes through the writer and does nothing.
    fence: Ask,
}

enum Way {
    Plain(Box<Client>),
    SocketIo(Box<Session>),
}

impl Line {
    fn new(house: &House, way: Way, form: Form, name: &str) -> Line {
        Line {
            fence: house.fence(),
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
        }
    }

    /// A connection with this token, or without one, which is let in and greeted.
    #[track_caller]
    pub fn open(house: &House, token: Option<&str>, form: Form, name: &str) -> Line {
        let server = &house.server;
        let way = match form {
            Form::Plain(path) => {
                let dial = server.dial(path);
                Way::Plain(Box::new(token.iter().fold(dial, |dial, t| dial.bearer(t)).open()))
            }
            form => {
                let mut session = server.socket_io().open(form.over());
                session.enter(form.namespace(), &auth(token, form));
                Way::SocketIo(Box::new(session))
            }
        };
        let mut line = Line::new(house, way, form, name);
        line.is_greeted();
        line
    }

    /// One that may come back later: from `before` on, if that is one. Over Socket.IO by `auth.recover`, plain by
    /// `?since`.
    #[track_caller]
    pub fn recovered(
        house: &House,
        token: Option<&str>,
        form: Form,
        name: &str,
        before: Option<&Line>,
    ) -> Line {
        let server = &house.server;
        let cursor = before.and_then(|line| line.cursor.clone());
        let mut line = match form {
            Form::Plain(path) => {
                let since = cursor.as_deref().unwrap_or("now");
                let dial = server.dial(&format!("{path}?since={since}"));
                let mut client = token.iter().fold(dial, |dial, t| dial.bearer(t)).open();
                let first = client.text();
                assert!(first.starts_with(r#"{"type":"resumed","cursor":""#), "{name}: {first}");
                let mut line = Line::new(house, Way::Plain(Box::new(client)), form, name);
                line.cursor = first.split('"').nth(7).map(str::to_owned);
                line
            }
            form => {
                let mut auth = auth(token, form);
                auth["recover"] = true.into();
                if let Some(before) = before {
                    auth["pid"] = before.pid.as_deref().expect("it may come back").into();
                    cursor.iter().for_each(|cursor| auth["offset"] = cursor.as_str().into());
                }
                let mut session = server.socket_io().open(form.over());
                let told = session.enter(form.namespace(), &auth);
                let pid = told["pid"].as_str().expect("it may come back").to_owned();
                let is_same = before.is_none_or(|line| line.pid.as_ref() == Some(&pid));
                assert!(is_same, "{name}: {told}");
                let mut line = Line::new(house, Way::SocketIo(Box::new(session)), form, name);
                (line.pid, line.cursor) = (Some(pid), cursor);
                line
            }
        };
        line.has_cursors = true;
        line.is_greeted();
        line
    }

    #[track_caller]
    fn is_greeted(&mut self) {
        let mut expected = self.form.greetings();
        let mut told: Vec<String> = expected.iter().map(|_| self.event().text).collect();
        expected.sort();
        told.sort();
        assert_eq!(told, expected, "{}", self.name);
    }

    /// Calls something and gives the number under which it will be answered.
    pub fn begins(&mut self, call: &str, fields: &Value) -> u64 {
        self.asked += 1;
        let n = self.asked;
        match &mut self.way {
            Way::Plain(client) => client.send(&plain(call, fields, &format!(r#","id":"q{n}""#))),
            Way::SocketIo(session) => {
                session.send(&format!(r#"42{}{n}["{call}",{fields}]"#, at(self.form.namespace())));
            }
        }
        n
    }

    /// What is answered to that: an object, spelled as its acknowledgement is.
    #[track_caller]
    pub fn answer(&mut self, number: u64) -> String {
        loop {
            if let Some(answer) = self.answers.remove(&number) {
                return answer;
            }
            self.hear();
        }
    }

    /// Calls something and gives its answer. What took too long on a machine that is busy was undone, and is asked
    /// again.
    #[track_caller]
    pub fn asks(&mut self, call: &str, fields: &Value) -> String {
        loop {
            let number = self.begins(call, fields);
            let answer = self.answer(number);
            if !answer.contains(UNDONE) {
                return answer;
            }
        }
    }

    /// Does the same thing so often, as fast as may be, and each is done.
    #[track_caller]
    pub fn does_often(&mut self, call: &str, fields: &[Value]) {
        // As many as a session may have under way.
        const TOGETHER: usize = 32;
        for some in fields.chunks(TOGETHER) {
            let asked: Vec<u64> = some.iter().map(|fields| self.begins(call, fields)).collect();
            for (number, fields) in asked.into_iter().zip(some) {
                let mut answer = self.answer(number);
                if answer.contains(UNDONE) {
                    answer = self.asks(call, fields);
                }
                assert!(answer.starts_with(r#"{"success":true"#), "{call} {fields}: {answer}");
            }
        }
    }

    /// Everything that it is told up to here: behind a call that went through the writer, all shards have been sent
    /// what was committed before, and the answer to a query comes behind that.
    #[track_caller]
    pub fn told(&mut self) -> Vec<Told> {
        self.fence.send();
        self.told_behind_fence()
    }

    /// The same, where something went through the writer since.
    #[track_caller]
    pub fn told_behind_fence(&mut self) -> Vec<Told> {
        let is_inbox = self.form == INBOX || self.form.topics() == Some(&["notifications"]);
        let call = if is_inbox { "notifications.list" } else { "stations.list" };
        self.asks(call, &json!({ "limit": 1 }));
        std::mem::take(&mut self.told)
    }

    /// What it was told and nobody took yet; the rest is left unread.
    pub fn taken(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// The same as [`told`](Line::told) without times.
    #[track_caller]
    pub fn texts(&mut self) -> Vec<String> {
        self.told().into_iter().map(|told| told.text).collect()
    }

    /// The next event, which must come; it is not given again.
    #[track_caller]
    pub fn event(&mut self) -> Told {
        while self.told.is_empty() {
            self.hear();
        }
        self.told.remove(0)
    }

    /// The next event must be this one.
    #[track_caller]
    pub fn hears(&mut self, expected: &str) {
        assert_eq!(self.event().text, expected, "{}", self.name);
    }

    /// It was told nothing, and nothing that came has this word.
    #[track_caller]
    pub fn heard_nothing_of(&mut self, canary: &str) {
        assert_eq!(self.texts(), [""; 0], "{}", self.name);
        self.never_heard(canary);
    }

    /// Nothing that came has this word.
    #[track_caller]
    pub fn never_heard(&self, canary: &str) {
        let leaked = self.raw.iter().find(|text| text.contains(canary));
        assert_eq!(leaked, None, "{}", self.name);
    }

    /// Reads to its end, which must be that of who is put out; gives what it was told before, its last words left out.
    #[track_caller]
    pub fn put_out(mut self) -> Vec<String> {
        let form = self.form;
        let mut told = match &mut self.way {
            Way::Plain(client) => {
                let (told, code) = client.closed();
                assert_eq!(code, Some(4401), "{}: {told:?}", self.name);
                told
            }
            Way::SocketIo(session) => {
                let last = format!("41{}", at(form.namespace()));
                let mut told = Vec::new();
                loop {
                    match session.next() {
                        Heard::Packet(packet) if packet == last => break told,
                        Heard::Packet(packet) => told.push(packet),
                        other => panic!("{other:?} after {told:?}"),
                    }
                }
            }
        };
        let last = told.pop().expect("it has last words");
        // On `/` they are spelled as chat does.
        let words = match form {
            Form::Root(..) => r#"42["error",{"error":"token revoked","code":"UNAUTHENTICATED","#,
            Form::Space(..) => r#"42/stations,["error",{"message":"token revoked"}"#,
            Form::Plain(_) => r#"{"type":"error","message":"token revoked"}"#,
        };
        assert!(last.starts_with(words), "{}: {last}", self.name);
        if self.has_cursors {
            told = told.iter().map(|text| self.without_cursor(text)).collect();
        }
        told.iter().map(|text| event_of(form, text).text).collect()
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
        match without_cursor(matches!(self.form, Form::Plain(_)), text) {
            Some((rest, cursor)) => {
                self.cursor = Some(cursor);
                rest
            }
            None => text.to_owned(),
        }
    }
}

fn auth(token: Option<&str>, form: Form) -> Value {
    let mut auth = json!({});
    token.iter().for_each(|token| auth["token"] = (*token).into());
    form.topics().iter().for_each(|topics| auth["topics"] = json!(topics));
    auth
}

/// A plain message.
fn plain(call: &str, fields: &Value, id: &str) -> String {
    let fields = fields.to_string();
    let members = &fields[1..fields.len() - 1];
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"type":"{call}"{comma}{members}{id}}}"#)
}

/// An event, whose spelling must be exactly that of its form.
#[track_caller]
pub fn event_of(form: Form, text: &str) -> Told {
    let wrong = || -> ! { panic!("no event of {form:?}: {text}") };
    let (event, payload) = match form {
        Form::Plain(_) => {
            let Some(rest) = text.strip_prefix(r#"{"type":""#) else { wrong() };
            let Some((event, members)) = rest.split_once(r#"","#) else { wrong() };
            (event, format!("{{{members}"))
        }
        form => {
            let begin = format!(r#"42{}[""#, at(form.namespace()));
            let Some(rest) = text.strip_prefix(&*begin) else { wrong() };
            let Some((event, payload)) = rest.split_once(r#"","#) else { wrong() };
            (event, payload.strip_suffix(']').unwrap_or_else(|| wrong()).to_owned())
        }
    };
    let (text, mut times) = timeless(&format!("{event} {payload}"));
    assert!(times.len() <= 1, "{text}");
    Told { text, time: times.pop().unwrap_or_default() }
}

/// The text with `T` for times, which must be those of now, and `E` for deadlines, which must be later; and the times,
/// each in its form: UTC, without zone and fraction.
#[track_caller]
pub fn timeless(text: &str) -> (String, Vec<String>) {
    let mut out = text.to_owned();
    let mut times = Vec::new();
    for (key, put) in [(r#""timestamp":""#, "T"), (r#""expires_at":""#, "E")] {
        let mut from = 0;
        while let Some(found) = out[from..].find(key) {
            let value = from + found + key.len();
            let len = out[value..].find('"').expect("a text ends");
            let time = out[value..value + len].to_owned();
            let second = seconds(&time);
            let now = Timestamp::now().as_second();
            let is_right =
                if put == "T" { (now - 180..=now).contains(&second) } else { second >= now - 180 };
            assert!(is_right, "{time:?} in {text}");
            out.replace_range(value - 1..=value + len, put);
            times.push(time);
            from = value;
        }
    }
    (out, times)
}

/// A bare time in seconds since 1970.
#[track_caller]
pub fn seconds(time: &str) -> i64 {
    assert_eq!(time.len(), "2024-02-27T10:30:00".len(), "{time}");
    let time: DateTime = time.parse().unwrap_or_else(|why| panic!("{time:?}: {why}"));
    time.to_zoned(TimeZone::UTC).expect("UTC has all times").timestamp().as_second()
}
