//! Writers and readers for tests that end the server under them, and the book in which stands, outside
//! the server, what it acknowledged and what it told.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::mpsc,
};

use bellwire_wire::frame::Opcode;
use serde_json::{Value, json};

use crate::harness::{Client, DEADLINE, Dial, Got, frame};

/// Requests that one writer has under way; a server takes 64.
const UNDER_WAY_MAX: usize = 32;
/// Entities of one writer, so that they have histories.
const ENTITIES: usize = 20;
/// Every so manieth write has an idempotency key.
const KEYED_EVERY: usize = 3;

/// How an event begins.
const EVENT: &str = r#"{"type":"state_changed""#;

/// One `states:create`. Its state is like no other.
#[derive(Debug, Clone)]
pub struct Create {
    pub entity: String,
    pub state: String,
    pub key: Option<String>,
    /// The row that the server said it made.
    pub id: Option<i64>,
}

impl Create {
    /// The `number`th write of a writer.
    pub fn new(writer: &str, number: usize) -> Create {
        let key = number.is_multiple_of(KEYED_EVERY).then(|| format!("{writer}-{number}"));
        let entity = format!("sensor.{writer}_{}", number % ENTITIES);
        Create { entity, state: format!("{writer} {number}"), key, id: None }
    }

    /// Its message.
    pub fn text(&self) -> String {
        let mut message =
            json!({ "type": "states:create", "entity_id": self.entity, "state": self.state });
        if let Some(key) = &self.key {
            message["idempotency_key"] = key.as_str().into();
        }
        message.to_string()
    }

    /// Takes the reply in: it must be a row as asked for, and the same as in an earlier reply.
    pub fn acknowledge(&mut self, reply: &str) {
        let reply: Value = serde_json::from_str(reply).expect("replies are JSON");
        let (row, id) = (&reply["data"], reply["data"]["state_id"].as_i64());
        assert_eq!(reply["success"], true, "{self:?}: {reply}");
        assert_eq!((&row["entity_id"], &row["state"]), (&json!(self.entity), &json!(self.state)));
        assert!(self.id.is_none() || self.id == id, "{self:?} took effect twice: {reply}");
        self.id = id;
    }
}

/// Opens `/api/ws`; `None` if the server is not there, or goes while it is asked.
pub fn open(address: SocketAddr, token: &str, query: &str) -> Option<Client> {
    open_at(address, &format!("/api/ws{query}"), token)
}

/// The same at another path.
pub fn open_at(address: SocketAddr, path: &str, token: &str) -> Option<Client> {
    Dial::new(address, path).bearer(token).open_within(DEADLINE)
}

/// Answers a close frame, so that the server need not wait.
pub fn answer_close(client: &mut Client, code: Option<u16>) {
    client.send_bytes(&frame(Opcode::Close, &code.map_or(Vec::new(), |c| c.to_be_bytes().into())));
}

/// The next message that answers a request.
#[track_caller]
pub fn reply(client: &mut Client) -> String {
    loop {
        let text = client.text();
        if !text.starts_with(EVENT) {
            return text;
        }
    }
}

/// Sends these writes, then new ones, until the server ends the connection; says of each what became
/// of it. Each acknowledgement is told to `acknowledged`.
pub fn write(
    mut client: Client,
    name: &str,
    retries: Vec<Create>,
    acknowledged: &mpsc::Sender<()>,
) -> Vec<Create> {
    let new = (0..).map(|number| Create::new(name, number));
    let mut next = retries.into_iter().chain(new);
    let (mut under_way, mut done) = (VecDeque::new(), Vec::new());
    loop {
        while under_way.len() < UNDER_WAY_MAX {
            let create = next.next().expect("there is always another");
            client.send(&create.text());
            under_way.push_back(create);
        }
        match client.next() {
            Got::Text(text) if text.starts_with(EVENT) => {}
            Got::Text(text) => {
                let mut create: Create = under_way.pop_front().expect("a reply has a request");
                create.acknowledge(&text);
                done.push(create);
                // The test that listens may have heard enough.
                let _ = acknowledged.send(());
            }
            Got::Close(close) => answer_close(&mut client, close.map(|(code, _)| code)),
            Got::End => {
                done.extend(under_way);
                return done;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Sends these and takes their answers.
pub fn answered(client: &mut Client, mut writes: Vec<Create>) -> Vec<Create> {
    for some in writes.chunks_mut(32) {
        some.iter().for_each(|write| client.send(&write.text()));
        for write in some {
            write.acknowledge(&reply(client));
        }
    }
    writes
}

/// A reader with a cursor, over the lives of the server.
#[derive(Debug, Default)]
pub struct Reader {
    cursor: Option<String>,
    /// Entity and state of every event, in order.
    pub told: Vec<(String, String)>,
    /// How often it came back by its cursor.
    pub resumed: usize,
    /// The codes with which the server closed it.
    pub closes: Vec<Option<u16>>,
}

impl Reader {
    /// Connects, reads `events` events or to the connection's end, and drops the connection. Says
    /// whether the server was there to begin with.
    pub fn read(&mut self, address: SocketAddr, token: &str, events: usize) -> bool {
        let since = self.cursor.clone().unwrap_or_else(|| "now".to_owned());
        let Some(mut client) = open(address, token, &format!("?since={since}")) else {
            return false;
        };
        let mut greeted = false;
        let until = self.told.len().saturating_add(events);
        while !greeted || self.told.len() < until {
            match client.next() {
                Got::Text(text) if greeted => self.take(&text),
                Got::Text(text) => {
                    self.greet(&text);
                    greeted = true;
                }
                Got::Close(close) => {
                    let code = close.map(|(code, _)| code);
                    self.closes.push(code);
                    answer_close(&mut client, code);
                }
                Got::End => break,
                other => panic!("{other:?}"),
            }
        }
        true
    }

    /// The first frame: its cursor is the place only of one who has none, since what was missed is
    /// still to come.
    fn greet(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("frames are JSON");
        assert_eq!(frame["type"], "resumed", "{frame}");
        let cursor = frame["cursor"].as_str().expect("there is a cursor").to_owned();
        self.resumed += usize::from(self.cursor.is_some());
        self.cursor.get_or_insert(cursor);
    }

    fn take(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("frames are JSON");
        let text = |value: &Value| value.as_str().map(str::to_owned).expect("it is a text");
        assert_eq!(frame["type"], "state_changed", "{frame}");
        self.cursor = Some(text(&frame["cursor"]));
        let event = &frame["data"];
        self.told.push((text(&event["entity_id"]), text(&event["new_state"]["state"])));
    }
}

/// What stands outside the server.
#[derive(Debug, Default)]
pub struct Book {
    /// Every write that was ever sent, by its state.
    sent: BTreeMap<String, Create>,
}

impl Book {
    /// Takes in what became of writes.
    pub fn enter(&mut self, writes: Vec<Create>) {
        for write in writes {
            let known = self.sent.entry(write.state.clone()).or_insert_with(|| write.clone());
            assert!(
                known.id.is_none() || write.id.is_none_or(|id| known.id == Some(id)),
                "{write:?}"
            );
            known.id = known.id.or(write.id);
        }
    }

    /// The acknowledged ones.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Create> {
        self.sent.values().filter(|write| write.id.is_some())
    }

    /// Those that may be sent again: with a key, and without an answer.
    pub fn unanswered(&self) -> Vec<Create> {
        let open = |write: &&Create| write.key.is_some() && write.id.is_none();
        self.sent.values().filter(open).cloned().collect()
    }

    /// Compares the book with the rows of the server, by id from 1, and with what a reader was told:
    /// nothing acknowledged is lost, ids are dense and used once, each write took effect at most once,
    /// one that can be retried exactly once, and the reader was told each of them, in their order.
    pub fn balances(&self, rows: &[(String, String)], reader: &Reader) {
        for write in self.acknowledged() {
            let id = usize::try_from(write.id.unwrap_or_default()).expect("ids are positive");
            let row = rows.get(id - 1).unwrap_or_else(|| panic!("lost: {write:?}"));
            assert_eq!(*row, (write.entity.clone(), write.state.clone()), "row {id}");
        }
        let states: BTreeSet<&str> = rows.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(states.len(), rows.len(), "a write took effect twice");
        let unknown: Vec<_> =
            states.iter().filter(|state| !self.sent.contains_key(**state)).collect();
        assert!(unknown.is_empty(), "nobody wrote {unknown:?}");
        assert_eq!(self.unanswered().len(), 0, "every write with a key was answered in the end");
        assert_eq!(reader.told.len(), rows.len(), "as many events as rows");
        if let Some(at) = (0..rows.len()).find(|&at| reader.told[at] != rows[at]) {
            panic!("event {at} is {:?}, row {} is {:?}", reader.told[at], at + 1, rows[at]);
        }
    }
}

/// Every row by id from 1 up to the first id that has none: entity and state, as the replies to
/// updates that change nothing show them.
pub fn rows(client: &mut Client) -> Vec<(String, String)> {
    let ask = |client: &mut Client, id: usize| {
        client.send(
            &json!({ "type": "states:update", "state_id": id, "attributes": {}, "id": id })
                .to_string(),
        );
    };
    let (mut rows, mut asked, mut answered) = (Vec::new(), 0, 0);
    let mut ended = false;
    while !ended || answered < asked {
        while !ended && asked - answered < UNDER_WAY_MAX {
            asked += 1;
            ask(client, asked);
        }
        let reply: Value = serde_json::from_str(&client.text()).expect("replies are JSON");
        answered += 1;
        assert_eq!(reply["id"], answered, "{reply}");
        if reply["success"] == false {
            assert_eq!(reply["error"], format!("State not found: {answered}"));
            ended = true;
            continue;
        }
        assert!(!ended, "a row is missing before {reply}");
        let text = |key: &str| reply["data"][key].as_str().expect("it is a text").to_owned();
        rows.push((text("entity_id"), text("state")));
    }
    rows
}
