//! One connection of a client, what it is to be told, and what it was told.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{
        Paired,
        ear::{Ear, Form},
    },
    oracle::World,
};
use crate::harness::{Over, Server, at};

/// How a connection listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plain at `/`, with cursors.
    Plain,
    /// The same without.
    Bare,
    /// Socket.IO on `/`, to areas and states, recovered.
    Root,
    /// In the namespace of areas.
    Areas,
    /// In that of states, recovered.
    States,
    /// Plain at the endpoint of states, with cursors.
    Endpoint,
    /// In the namespace of areas, and acknowledges.
    Asks,
    /// On `/`, and acknowledges.
    AsksRoot,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::Plain,
        Kind::Bare,
        Kind::Root,
        Kind::Areas,
        Kind::States,
        Kind::Endpoint,
        Kind::Asks,
        Kind::AsksRoot,
    ];

    fn asks(self) -> bool {
        matches!(self, Kind::Asks | Kind::AsksRoot)
    }

    /// Where it is, over Socket.IO.
    fn namespace(self) -> &'static str {
        match self {
            Kind::Areas | Kind::Asks => "/areas",
            Kind::States => "/states",
            _ => "/",
        }
    }

    fn hears_areas(self) -> bool {
        !matches!(self, Kind::States | Kind::Endpoint)
    }

    fn hears_states(self) -> bool {
        matches!(self, Kind::States | Kind::Endpoint | Kind::Root)
    }

    /// Whether it hears the event of this key, if it is for its client.
    fn hears(self, key: &str) -> bool {
        match key.starts_with("state_changed") {
            true => self.hears_states(),
            false => self.hears_areas(),
        }
    }
}

/// An event that is to be told.
#[derive(Debug)]
struct Due {
    at: usize,
    /// The right to it ended before it was seen to be told.
    may_miss: bool,
}

/// A connection, or one that is to come back.
pub struct Reader {
    pub client: usize,
    pub kind: Kind,
    ear: Option<Ear>,
    due: Vec<Due>,
    told: Vec<String>,
    /// Everything before this place of the log was told, or need not be.
    place: usize,
    cursor: Option<String>,
    pid: Value,
    /// What it was told that asks: the packets' ids.
    ids: Vec<u64>,
    /// And all that this connection was not told again: where in the log, and by which id, it has yet to
    /// acknowledge.
    awaited: Vec<(usize, u64)>,
}

impl Reader {
    /// One that is not there yet.
    pub fn new(client: usize, kind: Kind) -> Reader {
        Reader {
            client,
            kind,
            ear: None,
            due: Vec::new(),
            told: Vec::new(),
            place: 0,
            cursor: None,
            pid: Value::Null,
            ids: Vec::new(),
            awaited: Vec::new(),
        }
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        self.ear.is_some()
    }

    /// It goes away.
    pub fn leave(&mut self) {
        self.ear = None;
        self.due.clear();
        self.told.clear();
        self.ids.clear();
        self.awaited.clear();
    }

    /// It comes, or comes back to where it was if it knows that.
    pub fn come(&mut self, server: &Server, paired: &Paired, world: &mut World) {
        let token = &paired.token;
        let since = self.cursor.clone().unwrap_or_else(|| "now".to_owned());
        if self.cursor.is_some() {
            let missed = (self.place..world.log.len()).filter(|at| {
                self.kind.hears(&world.log[*at].key) && world.is_for(self.client, *at)
            });
            self.due = missed.map(|at| Due { at, may_miss: false }).collect();
        }
        if self.kind.asks() {
            let missed = world.unacknowledged(self.client).into_iter();
            self.due = missed.map(|at| Due { at, may_miss: false }).collect();
        }
        let plain =
            |form, path: &str| Ear::plain(server, form, &format!("{path}since={since}"), token);
        let mut ear = match self.kind {
            Kind::Plain => plain(Form::TypedCursor, "/?typed=1&"),
            Kind::Endpoint => plain(Form::TypedCursor, "/api/ws?"),
            Kind::Bare => Ear::open(server, token, Form::Bare),
            Kind::Areas => Ear::open(server, token, Form::SocketIo("/areas", Over::Socket)),
            Kind::Root => self.recovered(server, json!(["areas", "states"]), token),
            Kind::States => self.recovered(server, json!(["states"]), token),
            Kind::Asks | Kind::AsksRoot => {
                let auth = json!({ "token": token, "ack": true });
                Ear::come(server, self.kind.namespace(), Over::Socket, &auth)
            }
        };
        let first = std::mem::take(&mut ear.first);
        for text in &first {
            self.take(text, &world.known[self.client]);
        }
        self.ear = Some(ear);
    }

    fn recovered(&mut self, server: &Server, topics: Value, token: &str) -> Ear {
        let mut auth = json!({ "token": token, "recover": true, "topics": topics });
        if let Some(cursor) = &self.cursor {
            (auth["pid"], auth["offset"]) = (self.pid.clone(), cursor.as_str().into());
        }
        let namespace = self.kind.namespace();
        let mut session = server.socket_io().open(Over::Socket);
        let told = session.enter(namespace, &auth);
        assert!(self.cursor.is_none() || told["pid"] == self.pid, "it does not go on: {told}");
        self.pid = told["pid"].clone();
        Ear::of(session, namespace, Over::Socket)
    }

    /// It forgets where it was.
    pub fn forget(&mut self) {
        self.cursor = None;
    }

    /// What was committed from here on is told to it, if it is there; and what it lost need not be any more.
    pub fn note(&mut self, world: &World, from: usize) {
        if self.ear.is_none() {
            return;
        }
        let (kind, client) = (self.kind, self.client);
        let new = (from..world.log.len())
            .filter(|at| kind.hears(&world.log[*at].key) && world.was_for(client, *at));
        self.due.extend(new.map(|at| Due { at, may_miss: false }));
        for due in &mut self.due {
            due.may_miss |= !world.is_for(client, due.at);
        }
    }

    /// Reads up to the end of the log, whose last two events it all hears: what it was told must be what is due.
    pub fn check(&mut self, world: &World) {
        let Some(mut ear) = self.ear.take() else { return };
        let last = match self.kind.hears_states() {
            true => &world.log[world.log.len() - 1].key,
            false => &world.log[world.log.len() - 2].key,
        };
        while self.told.last() != Some(last) {
            let text = ear.raw();
            self.take(&text, &world.known[self.client]);
        }
        self.ear = Some(ear);
        let (mut told, mut ids) = (self.told.iter().peekable(), self.ids.iter());
        for due in &self.due {
            let key = &world.log[due.at].key;
            if told.peek() == Some(&key) {
                told.next();
                self.awaited.extend(ids.next().map(|id| (due.at, *id)));
            } else {
                assert!(due.may_miss, "{} misses {key}: {}", self.name(), self.history(world));
            }
        }
        assert!(told.next().is_none(), "{} hears too much: {}", self.name(), self.history(world));
        self.told.clear();
        self.due.clear();
        self.ids.clear();
        self.place = world.log.len();
    }

    /// Acknowledges some of what it was told; `wants` says which.
    pub fn acknowledge(&mut self, world: &mut World, mut wants: impl FnMut() -> bool) {
        let Some(ear) = self.ear.as_mut().filter(|_| self.kind.asks()) else { return };
        let namespace = at(self.kind.namespace());
        let (some, others): (Vec<_>, Vec<_>) = self.awaited.drain(..).partition(|_| wants());
        for (place, id) in some {
            ear.send(&format!("43{namespace}{id}[]"));
            world.asked[self.client].1.insert(place);
        }
        self.awaited = others;
        // It is on its way to the writer before this is answered.
        let told = ear.told();
        told.iter().for_each(|text| self.take(text, &world.known[self.client]));
    }

    fn name(&self) -> String {
        format!("the {:?} of client {}", self.kind, self.client)
    }

    fn history(&self, world: &World) -> String {
        let due = self.due.iter().map(|due| {
            format!("\n  {}{}", world.log[due.at].key, if due.may_miss { " (or not)" } else { "" })
        });
        format!("due: {}\ntold:\n  {}", due.collect::<String>(), self.told.join("\n  "))
    }

    /// Takes in a text: whatever it names its client must be allowed to know of.
    fn take(&mut self, text: &str, known: &BTreeSet<String>) {
        for canary in canaries(text) {
            let is_known = known.iter().any(|known| known.ends_with(&canary));
            assert!(is_known, "{} sees {canary} in {text}", self.name());
        }
        let (key, cursor) = read(text);
        if let Some(id) = id(text) {
            // Told again, as it has not acknowledged it.
            if self.ids.contains(&id) || self.awaited.iter().any(|(_, known)| *known == id) {
                return;
            }
            self.ids.push(id);
        }
        self.told.extend(key);
        if !matches!(self.kind, Kind::Bare | Kind::Areas | Kind::Asks | Kind::AsksRoot) {
            self.cursor = cursor.or(self.cursor.take());
        }
    }
}

/// The words of a text that stand for something.
fn canaries(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("canary")).map(str::to_owned).collect()
}

/// The id of a packet that asks to be acknowledged.
fn id(text: &str) -> Option<u64> {
    let head = text.strip_prefix("42")?.split('[').next()?;
    head.rsplit(',').next()?.parse().ok()
}

/// What an event is, as a text to compare, and its cursor.
fn read(text: &str) -> (Option<String>, Option<String>) {
    let (payload, cursor) = match text.strip_prefix('4') {
        Some(rest) => {
            let array = &rest[rest.find('[').expect("an event is an array")..];
            let mut array: Value = serde_json::from_str(array).expect("JSON");
            let cursor = array.get(2).and_then(Value::as_str).map(str::to_owned);
            (array[1].take(), cursor)
        }
        None => {
            let mut payload: Value = serde_json::from_str(text).expect("JSON");
            assert_ne!(payload["type"], "reset", "{text}");
            let cursor = payload["cursor"].as_str().map(str::to_owned);
            let payload =
                if payload["data"].is_object() { payload["data"].take() } else { payload };
            (payload, cursor)
        }
    };
    let key = if let Some(entity_id) = payload["entity_id"].as_str() {
        let state = payload["new_state"]["state"].as_str().unwrap_or("null");
        Some(format!("state_changed {entity_id} {state}"))
    } else if let Some(area_id) = payload["areaId"].as_str() {
        let event = payload["message"].as_str().and_then(|words| words.split(' ').nth(3));
        let name = payload["name"].as_str().unwrap_or_default();
        Some(format!("area_{} {area_id} {name}", event.expect("it says what happened")))
    } else {
        None
    };
    (key, cursor)
}
