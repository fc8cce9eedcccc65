//! Connections that hear of areas, in every form that there is.
//!
//! What an [`Ear`] is told is compared as text, with `T` for times and `C` for cursors, after a look at their
//! shape. That it was told everything shows at a fence: an area that everybody has is given another name.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{House, Paired};
use crate::harness::{Client, Heard, Over, Server, Session, at};

/// The area that everybody has.
pub const FENCE: &str = "area_1";

/// What an event says: its name, and its payload as text, with `T` for times.
pub type Told = (&'static str, String);

/// A house whose first area, [`FENCE`], is there to be a fence.
pub struct Scene {
    /// The server and its admin.
    pub house: House,
    /// How many there were. An atomic: threads of a test share the scene.
    fences: AtomicU32,
}

impl Scene {
    /// A new house.
    pub fn new() -> Scene {
        Scene::of(House::new())
    }

    /// Of a house without areas.
    #[track_caller]
    pub fn of(house: House) -> Scene {
        assert_eq!(house.area("fence", &[]), FENCE);
        Scene { house, fences: AtomicU32::new(0) }
    }

    /// Pairs a screen that has the fence, and these areas.
    #[track_caller]
    pub fn pair(&self, name: &str, area_ids: &[&str]) -> Paired {
        self.house.pair(name, &[&[FENCE], area_ids].concat())
    }

    /// Everything that happened before is told before this.
    #[track_caller]
    pub fn fence(&self) -> String {
        let name = format!("fence {}", self.fences.fetch_add(1, Ordering::SeqCst) + 1);
        self.change(FENCE, &json!({ "name": name }));
        name
    }

    /// The admin changes an area.
    #[track_caller]
    pub fn change(&self, area_id: &str, body: &Value) -> Value {
        self.house.ask("PATCH", &format!("/api/areas/{area_id}")).json(body).expect(200)
    }

    /// Somebody who may do everything says how an entity is.
    #[track_caller]
    pub fn state(&self, entity_id: &str, state: &str) {
        let body = json!({ "state": state });
        let path = format!("/api/states/{entity_id}");
        let answer = self.house.ask("POST", &path).json(&body).send();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }

    /// The server is killed, and another goes on.
    pub fn killed(self) -> Scene {
        self.killed_while(|_| {})
    }

    /// The same; meanwhile something happens to its database.
    pub fn killed_while(self, happens: impl FnOnce(&rusqlite::Connection)) -> Scene {
        let House { server, admin } = self.house;
        let path = server.data().join("bellwire.db");
        let server = server.restart_after(|| {
            happens(&rusqlite::Connection::open(path).expect("it is a database"));
        });
        Scene { house: House { server, admin }, fences: self.fences }
    }
}

/// How a connection is told events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Plain, at `/`: the payload alone.
    Bare,
    /// The same with cursors.
    BareCursor,
    /// Plain, at `/?typed=1`.
    Typed,
    /// The same with cursors.
    TypedCursor,
    /// Over Socket.IO, in this namespace.
    SocketIo(&'static str, Over),
}

impl Form {
    /// All forms in which areas are heard unasked by paired screens.
    pub const ALL: [Form; 8] = [
        Form::Bare,
        Form::BareCursor,
        Form::Typed,
        Form::TypedCursor,
        Form::SocketIo("/", Over::Socket),
        Form::SocketIo("/", Over::Polling),
        Form::SocketIo("/areas", Over::Socket),
        Form::SocketIo("/areas", Over::Polling),
    ];

    /// Where a plain connection goes.
    fn path(self) -> &'static str {
        match self {
            Form::BareCursor => "/?since=now",
            Form::Typed => "/?typed=1",
            Form::TypedCursor => "/?typed=1&since=now",
            Form::Bare | Form::SocketIo(..) => "/",
        }
    }

    /// An event as it is spelled, to the byte.
    pub fn spelled(self, (name, payload): &Told) -> String {
        let members = &payload[1..payload.len() - 1];
        match self {
            Form::Bare => payload.clone(),
            Form::BareCursor => format!(r#"{{{members},"cursor":"C"}}"#),
            Form::Typed => format!(r#"{{"type":"{name}",{members}}}"#),
            Form::TypedCursor => format!(r#"{{"type":"{name}",{members},"cursor":"C"}}"#),
            Form::SocketIo(namespace, _) => format!(r#"42{}["{name}",{payload}]"#, at(namespace)),
        }
    }

    /// All of them.
    pub fn all_spelled(self, told: &[Told]) -> Vec<String> {
        told.iter().map(|told| self.spelled(told)).collect()
    }

    /// What is said that is no event of the log, and has no cursor.
    pub fn said(self, said: &Told) -> String {
        match self {
            Form::BareCursor => Form::Bare.spelled(said),
            Form::TypedCursor => Form::Typed.spelled(said),
            form => form.spelled(said),
        }
    }
}

/// One connection.
pub struct Ear {
    /// How it is told events.
    pub form: Form,
    way: Way,
    /// What it was told first, before it could ask anything.
    pub first: Vec<String>,
    /// The last cursor that it was told.
    cursor: Option<u64>,
}

enum Way {
    Plain(Client),
    SocketIo(Session),
}

impl Ear {
    /// A connection in this form, which is let in.
    #[track_caller]
    pub fn open(server: &Server, token: &str, form: Form) -> Ear {
        match form {
            Form::SocketIo(namespace, over) => {
                Ear::come(server, namespace, over, &json!({ "token": token }))
            }
            form => Ear::plain(server, form, form.path(), token),
        }
    }

    /// A plain connection to this path.
    #[track_caller]
    pub fn plain(server: &Server, form: Form, path: &str, token: &str) -> Ear {
        let way = Way::Plain(server.dial(path).bearer(token).open());
        Ear { form, way, first: Vec::new(), cursor: None }.begun()
    }

    /// One of Socket.IO that comes into a namespace in this way.
    #[track_caller]
    pub fn come(server: &Server, namespace: &'static str, over: Over, auth: &Value) -> Ear {
        let mut session = server.socket_io().open(over);
        session.enter(namespace, auth);
        Ear::of(session, namespace, over)
    }

    /// One that came in.
    #[track_caller]
    pub fn of(session: Session, namespace: &'static str, over: Over) -> Ear {
        let (form, way) = (Form::SocketIo(namespace, over), Way::SocketIo(session));
        Ear { form, way, first: Vec::new(), cursor: None }.begun()
    }

    #[track_caller]
    fn begun(mut self) -> Ear {
        self.first = self.told();
        self
    }

    /// What it is told before it is answered. An answer comes as soon as it can: rows that were committed
    /// just before may come behind it.
    #[track_caller]
    pub fn told(&mut self) -> Vec<String> {
        let (ask, answer) = match self.form {
            Form::SocketIo(namespace, _) => {
                let at = at(namespace);
                (format!(r#"42{at}999["nobody"]"#), format!("43{at}999["))
            }
            _ => (r#"{"type":"ping"}"#.to_owned(), r#"{"type":"pong"}"#.to_owned()),
        };
        self.send(&ask);
        self.upto(|text| text.starts_with(&answer))
    }

    /// Sends this.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        match &mut self.way {
            Way::Plain(client) => client.send(text),
            Way::SocketIo(session) => session.send(text),
        }
    }

    /// The session, of one of Socket.IO.
    #[track_caller]
    pub fn session(&mut self) -> &mut Session {
        match &mut self.way {
            Way::Plain(_) => panic!("it is plain"),
            Way::SocketIo(session) => session,
        }
    }

    /// What it is told next, as it is.
    #[track_caller]
    pub fn raw(&mut self) -> String {
        match &mut self.way {
            Way::Plain(client) => client.text(),
            Way::SocketIo(session) => session.packet(),
        }
    }

    #[track_caller]
    fn upto(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let text = self.raw();
            if is_last(&text) {
                return told;
            }
            told.push(text);
        }
    }

    /// What it was told before a fence, the presence of clients left out.
    #[track_caller]
    pub fn before(&mut self, fence: &str) -> Vec<String> {
        let name = format!(r#""name":"{fence}""#);
        let told = self.upto(|text| text.contains(&name));
        told.iter().filter(|text| !text.contains(r#""clients":["#)).map(|t| self.read(t)).collect()
    }

    /// A text with `T` for times and `C` for cursors, which must go on.
    #[track_caller]
    pub fn read(&mut self, text: &str) -> String {
        let text = timeless(text);
        let Some((before, rest)) = text.split_once(r#","cursor":""#) else { return text };
        let (cursor, behind) = rest.split_once('"').expect("a text ends");
        let offset = offset_of(cursor);
        assert!(self.cursor < Some(offset), "{text} after {:?}", self.cursor);
        self.cursor = Some(offset);
        format!(r#"{before},"cursor":"C"{behind}"#)
    }

    /// Reads to its end, which must be that of who is put out; gives what it was told before.
    #[track_caller]
    pub fn put_out(self) -> Vec<String> {
        match (self.form, self.way) {
            (_, Way::Plain(mut client)) => {
                let (told, code) = client.closed();
                assert_eq!(code, Some(4401), "after {told:?}");
                told
            }
            (Form::SocketIo(namespace, _), Way::SocketIo(mut session)) => {
                let last = format!("41{}", at(namespace));
                let mut told = Vec::new();
                loop {
                    match session.next() {
                        Heard::Packet(packet) if packet == last => break,
                        Heard::Packet(packet) => told.push(packet),
                        other => panic!("{other:?} after {told:?}"),
                    }
                }
                told
            }
            (form, _) => panic!("{form:?}"),
        }
    }
}

/// The place in the log that a cursor is.
#[track_caller]
pub fn offset_of(cursor: &str) -> u64 {
    let number = cursor.rsplit(|c: char| !c.is_ascii_digit()).next();
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{cursor}"))
}

/// The text with `T` for times, which must have milliseconds, in UTC.
#[track_caller]
pub fn timeless(text: &str) -> String {
    let mut out = text.to_owned();
    for key in ["timestamp", "lastSeen", "createdAt", "expiresAt"] {
        let key = format!(r#""{key}":""#);
        for piece in text.split(&key).skip(1) {
            let time = piece.split('"').next().expect("a text ends");
            let shape: String =
                time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
            out = out.replace(&format!("{key}{time}\""), &format!("{key}T\""));
        }
    }
    out
}

/// What is told of an area that was `updated`, `added`, `removed`, `enabled` or `disabled`.
pub fn area(what: &str, area_id: &str, name: &str, entity_ids: &[&str], is_enabled: bool) -> Told {
    let event = match what {
        "updated" => "area_updated",
        "added" => "area_added",
        "removed" => "area_removed",
        "enabled" => "area_enabled",
        "disabled" => "area_disabled",
        other => panic!("{other}"),
    };
    let entity_ids = json!(entity_ids);
    let payload = format!(
        r#"{{"areaId":"{area_id}","name":"{name}","entityIds":{entity_ids},"isEnabled":{is_enabled},"message":"Area has been {what} by admin","timestamp":"T"}}"#
    );
    (event, payload)
}

/// What a paired screen is told first.
pub fn connected(client_id: &str) -> Told {
    let payload = format!(
        r#"{{"clientId":"{client_id}","message":"Connected to real-time events","features":["area_updates","area_assignments","token_revocation","pairing","event_history"],"timestamp":"T"}}"#
    );
    ("connected", payload)
}

/// What it is told last.
pub fn token_revoked() -> Told {
    ("token_revoked", r#"{"message":"Your access has been revoked by admin"}"#.to_owned())
}

/// How a namespace tells how an entity is.
pub fn state_changed(namespace: &str, entity_id: &str, state: &str) -> String {
    let at = at(namespace);
    format!(
        r#"42{at}["state_changed",{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}]"#
    )
}
