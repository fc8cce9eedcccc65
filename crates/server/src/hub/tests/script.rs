//! Scripts for the hub.
//!
//! A script is what happens to one session of `ann`, word by word:
//!
//! | word | what happens |
//! |---|---|
//! | `room`, `room,hall` | a row is committed: an event for one topic, or for any of several |
//! | `room\|hall` | an event with two payloads |
//! | `room#lamp`, `room%lamp` | an event of which only the newest with this key counts; of which each does |
//! | `room^hall`, `room^principal/ann` | an event that leaves somebody out |
//! | `+room` `-room` `!` `-room+hall` | a row that grants, evicts, revokes; that takes one and grants another |
//! | `room,seat;-room` | an event, and on its row an eviction; any of the former |
//! | `>room>hall` | a row from which on who hears the one hears the other too |
//! | `<room` `<room#lamp` | a row from which on less is told on a topic: nothing from before, nothing with this key |
//! | `@3`, `@all` | the hub is told the rows up to this |
//! | `~room`, `~room\|hall`, .. | an event passes, behind the last row that the hub was told |
//! | `open:3:room,hall` | what was read at row 3 comes back: a snapshot, and these rights |
//! | `open:3:room:1` | and the rows after row 1; `read` for `open`: without a snapshot |
//! | `keys:lamp` | the next opening has a filter |
//! | `judged` | topics do not say all of what the next openings are of |
//! | `parts:room`, `more:room` | it listens to a part of its service; to all of it beside |
//! | `lossy` | the line loses frames rather than its connection |
//! | `suspend` `resume` | a subscription is read, is refused |
//! | `take:5` `drain` | the socket has room for so many bytes; for everything, and says so |
//! | `wait:9999` | time passes, in ms |
//! | `answer:A1` `pong` | the session is answered; its ping is |
//! | `end` | the session is sent a close frame |
//! | `bob:WORD` | the same happens to another session on the same line, which has no cursor |
//! | `leave` | the session is forgotten; its line stays |
//!
//! What comes of it: the snapshots (`S3`) and rows (`4`, or `4/1` for its second payload) that the
//! client was told, bob's with a `b`, and what the hub needed. What passes is counted by itself, and has the place
//! that its cursor names if it has one: `~1@4`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bellwire_services::kit::{Spelling, Told};
use bellwire_store::{
    change::{Event, Logged, Overflow, Variant},
    log::Cursor,
};
use bellwire_wire::frame;
use serde_json::{json, value::to_raw_value};

use super::super::*;
use crate::audience::{Filter, Filtered};
use crate::simulation::socket::{Body, Pipe, SimSocket};

impl<S: Write> Hub<S> {
    /// The line over which a session hears.
    pub(crate) fn line_of(&self, id: SessionId) -> Option<LineId> {
        let slot = self.sessions[self.slot_of(id)? as usize].line;
        Some(self.line_id(slot))
    }

    /// How many bytes wait for one session's socket.
    pub(crate) fn queued_for(&self, id: SessionId) -> usize {
        let line = self.line_of(id).map(|line| &self.lines[line.slot as usize]);
        line.map_or(0, |line| line.queued_len())
    }

    /// Whether nothing waits for one session's socket.
    pub(crate) fn has_got_all(&self, id: SessionId) -> bool {
        self.line_of(id).is_none_or(|line| self.is_flushed(line))
    }

    /// Whether a line loses frames rather than to end.
    pub(crate) fn is_lossy(&self, line: LineId) -> bool {
        self.line_at(line).is_some_and(|slot| self.lines[slot as usize].lossy)
    }

    /// Whether a session was told all that the hub was.
    pub(crate) fn is_live(&self, id: SessionId) -> bool {
        let slot = self.slot_of(id);
        slot.is_some_and(|slot| matches!(self.sessions[slot as usize].place, Place::Live))
    }
}

/// A hub with one session.
pub struct House {
    pub hub: Hub<SimSocket>,
    recent: Arc<Recent>,
    pub log: Vec<Arc<Entry>>,
    published: usize,
    passed: usize,
    pub line: LineId,
    /// Whose turn it is, and the other one on the line, if there is one.
    who: &'static str,
    pub id: SessionId,
    other: Option<SessionId>,
    pub pipe: Rc<RefCell<Pipe>>,
    filter: Filtered,
    judged: Streams,
    now_ms: u64,
    pub told: Vec<String>,
    pub needs: Vec<String>,
}

/// An event of this name that is told in the namespace `/es`, and may ask for an acknowledgement.
pub fn told_as(name: &'static str, asks: bool) -> Told {
    Told { asks, namespace: "/es", ..Told::new::<serde_json::Value>(name, Spelling::Spread) }
}

impl House {
    pub fn new(shape: Shape, ring: usize, outbox_len_max: usize) -> House {
        let recent = Arc::new(Recent::new(0, ring, 1 << 20));
        let speller = Arc::new(Speller::new("epoch", [told_as("e", false)]));
        let mut hub = Hub::new(recent.clone(), speller, Arc::default(), outbox_len_max);
        let pipe = Pipe::new(Rc::new(Cell::new(0)), usize::MAX);
        let line = hub.line(SimSocket(pipe.clone()));
        let id = hub.join(line, shape);
        House {
            hub,
            recent,
            log: Vec::new(),
            published: 0,
            passed: 0,
            line,
            who: "ann",
            id,
            other: None,
            pipe,
            filter: None,
            judged: Streams::default(),
            now_ms: 0,
            told: Vec::new(),
            needs: Vec::new(),
        }
    }

    pub fn commit(&mut self, word: &str) {
        let offset = self.log.len() as Offset + 1;
        let (word, effect) = word.split_once(';').map_or((word, None), |(w, e)| (w, Some(e)));
        let (event, effects) = match effect {
            Some(effect) => (Some(event(word, json!(offset))), self.row(effect, offset).1),
            None => self.row(word, offset),
        };
        let entry = Arc::new(Entry::new(Arc::new(Logged { offset, at: 0, event, effects })));
        self.recent.append(std::slice::from_ref(&entry));
        self.log.push(entry);
    }

    /// What a word says.
    fn row(&self, word: &str, offset: Offset) -> (Option<Event>, Vec<Effect>) {
        let (principal, topic) = (self.who.to_owned(), Topic::Owned(word[1..].to_owned()));
        match &word[..1] {
            "+" => (None, vec![Effect::Grant { principal, topic }]),
            "-" => {
                let (lost, won) = word[1..].split_once('+').unwrap_or((&word[1..], ""));
                let [lost, won] = [lost, won].map(|topic| Topic::Owned(topic.to_owned()));
                let grant = Effect::Grant { principal: principal.clone(), topic: won };
                let grants = word.contains('+').then_some(grant);
                (
                    None,
                    [Effect::Evict { principal, topic: lost }].into_iter().chain(grants).collect(),
                )
            }
            "<" => {
                let (topic, key) =
                    word[1..].split_once('#').map_or((&word[1..], None), |(t, k)| (t, Some(k)));
                let keys = key.map(|key| vec![key.to_owned()]);
                (None, vec![Effect::Narrow { topic: Topic::Owned(topic.to_owned()), keys }])
            }
            ">" => {
                let (from, to) = word[1..].split_once('>').expect("two topics");
                let [from, to] = [from, to].map(|topic| Topic::Owned(topic.to_owned()));
                (None, vec![Effect::Move { principal, from, to }])
            }
            "!" => (None, vec![Effect::Revoke { principal, last: None }]),
            _ => (Some(event(word, json!(offset))), vec![]),
        }
    }

    pub fn publish(&mut self, upto: usize) {
        while self.published < upto.min(self.log.len()) {
            self.hub.publish(&self.log[self.published], self.now_ms);
            self.published += 1;
        }
        self.hub.flush(self.now_ms);
    }

    /// An event passes.
    fn pass(&mut self, word: &str) {
        self.passed += 1;
        let event = event(word, json!(format!("~{}", self.passed)));
        self.hub.pass(&Passing::after(self.published as Offset, event, 0));
        assert_eq!(self.recent.head(), self.log.len() as Offset, "what passes is not kept");
    }

    /// `S:TOPICS` or `S:TOPICS:AFTER`.
    fn open(&mut self, words: &str, snapshot: bool) {
        let mut words = words.split(':');
        let at: Offset = words.next().and_then(|at| at.parse().ok()).expect("a place");
        let topics = words.next().unwrap_or_default().split(',').filter(|topic| !topic.is_empty());
        let after = words.next().map_or(at, |after| after.parse().expect("a place"));
        let name = format!("{}S{at}", self.mark());
        let frame = frame::text(&json!({"type": "open", "n": name}).to_string());
        let granted = |topic: &Topic| {
            let rows = self.log.iter().filter(|row| after < row.offset() && row.offset() <= at);
            let grants = rows.filter(|row| {
                let effects = row.logged.effects.iter();
                effects.into_iter().any(
                    |effect| matches!(effect, Effect::Grant { topic: granted, .. } if granted == topic),
                )
            });
            grants.map(|row| row.offset()).max().unwrap_or(0)
        };
        let held = topics.map(|topic| {
            let topic = Topic::Owned(topic.to_owned());
            Held { since: granted(&topic), topic }
        });
        let opening = Opening {
            at,
            held: held.collect(),
            streams: Streams::one(0),
            judged: self.judged,
            filter: self.filter.clone(),
            frames: if snapshot { vec![frame] } else { vec![] },
            rows: self.log[after as usize..at as usize].to_vec(),
            ..Opening::default()
        };
        let principal = Principal { id: self.who.into(), ..Principal::nobody() };
        self.hub.open(self.id, Arc::new(principal), opening, self.now_ms);
    }

    /// What stands before what the session is told.
    fn mark(&self) -> &'static str {
        if self.who == "bob" { "b" } else { "" }
    }

    /// Something happens to the other session.
    fn step_of_bob(&mut self, word: &str) {
        let bob = self.other.unwrap_or_else(|| self.hub.join(self.line, Shape::Plain));
        self.other = Some(mem::replace(&mut self.id, bob));
        self.who = "bob";
        self.step(word);
        self.other = self.other.map(|ann| mem::replace(&mut self.id, ann));
        self.who = "ann";
    }

    pub fn drain(&mut self) {
        self.pipe.borrow_mut().room = usize::MAX;
        self.hub.writable(self.line, self.now_ms);
    }

    pub fn step(&mut self, word: &str) {
        match word.split_once(':').unwrap_or((word, "")) {
            ("bob", word) => self.step_of_bob(word),
            ("leave", _) => self.hub.leave(self.id),
            ("@all", _) => self.publish(usize::MAX),
            (at, _) if at.starts_with('@') => self.publish(at[1..].parse().expect("a row")),
            ("open", rest) => self.open(rest, true),
            ("read", rest) => self.open(rest, false),
            ("keys", keys) => {
                let keys = keys.split(',').map(str::to_owned).collect();
                self.filter = Some(Arc::new(Filter::by_keys(Streams::ALL, keys)));
            }
            ("parts" | "more", topics) => {
                let topics = topics.split(',').map(|topic| Topic::Owned(topic.to_owned()));
                let parts =
                    Filter::by_topics(Streams::ALL, topics.collect(), word.starts_with('m'));
                self.filter = Some(Arc::new(parts));
            }
            ("judged", _) => self.judged = Streams::ALL,
            ("lossy", _) => self.hub.lossy(self.line),
            ("suspend", _) => self.hub.suspend(self.id),
            ("resume", _) => self.hub.resume(self.id, self.now_ms),
            ("take", room) => self.pipe.borrow_mut().room = room.parse().expect("a number"),
            ("drain", _) => self.drain(),
            ("wait", ms) => {
                self.now_ms += ms.parse::<u64>().expect("a number");
                self.hub.find_stalled(self.now_ms);
            }
            ("answer", name) => {
                let name = format!("{}{name}", self.mark());
                let text = json!({"type": "answer", "n": name}).to_string();
                self.hub.send(self.id, frame::text(&text));
            }
            ("pong", _) => self.hub.say(self.line, frame::encode(frame::Opcode::Pong, b"")),
            ("end", _) => self.hub.end(self.line, [frame::close(4408, "slow")], self.now_ms),
            _ if word.starts_with('~') => self.pass(&word[1..]),
            _ => self.commit(word),
        }
        self.hub.flush(self.now_ms);
        let needs = self.hub.take_needs().into_iter().map(|need| match need {
            Need::CatchUp { after, .. } => format!("catchup:{after}"),
            Need::Reread(_) => "reread".to_owned(),
            Need::Revoked(..) => "revoked".to_owned(),
            Need::Hand { words, .. } => format!("hand {}", words.event),
            Need::Slow(_) => "slow".to_owned(),
            Need::Gone(_) => "gone".to_owned(),
        });
        self.needs.extend(needs);
        self.receive();
    }

    pub fn receive(&mut self) {
        let unread = self.pipe.borrow().unread();
        let frames = self.pipe.borrow_mut().receive(unread).expect("no frame is torn");
        self.told.extend(frames.into_iter().map(|frame| match frame.body {
            Body::Close(code) => code.to_string(),
            Body::Text(text) => {
                let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
                // Only ann has a cursor.
                let mark = if json["cursor"].is_null() && self.other.is_some() { "b" } else { "" };
                let place = json["cursor"].as_str().map(|cursor| {
                    format!("@{}", cursor.parse::<Cursor>().expect("it is a cursor").offset)
                });
                match (&json["n"], json["v"].as_u64()) {
                    (serde_json::Value::String(snapshot), None) => snapshot.clone(),
                    (serde_json::Value::String(passed), v) => {
                        let variant = v.filter(|v| *v > 0).map(|v| format!("/{v}"));
                        let (variant, place) =
                            (variant.unwrap_or_default(), place.unwrap_or_default());
                        format!("{mark}{passed}{variant}{place}")
                    }
                    (n, Some(0)) => format!("{mark}{n}"),
                    (n, v) => format!("{mark}{n}/{}", v.expect("a variant")),
                }
            }
        }));
    }
}

/// The event of a word; `name` is what it is known by to who is told it.
pub fn event(word: &str, name: serde_json::Value) -> Event {
    let (word, except) = word.split_once('^').map_or((word, None), |(w, e)| (w, Some(e)));
    let is_latest = word.contains('#');
    let (word, key) = word.split_once(['#', '%']).map_or((word, None), |(w, k)| (w, Some(k)));
    let variants = word.split('|').enumerate().map(|(number, topics)| Variant {
        topics: topics.split(',').map(|topic| Topic::Owned(topic.to_owned())).collect(),
        payload: to_raw_value(&json!({"n": name, "v": number})).expect("it serialises"),
    });
    Event {
        name: "e".into(),
        key: key.unwrap_or("other").to_owned(),
        except: except.map(|except| Topic::Owned(except.to_owned())).into_iter().collect(),
        variants: variants.collect(),
        overflow: if is_latest { Overflow::Latest } else { Overflow::Close },
    }
}

pub fn check_with(mut house: House, script: &str, told: &str, needs: &str) {
    script.split_whitespace().for_each(|word| house.step(word));
    assert_eq!(house.told.join(" "), told, "what was told, in: {script}");
    assert_eq!(house.needs.join(" "), needs, "what was needed, in: {script}");
}

/// A session with a cursor, and room for everything.
pub fn check(script: &str, told: &str, needs: &str) {
    check_with(House::new(Shape::PlainCursor, 100, 1 << 20), script, told, needs);
}

/// The same with a hub that remembers two rows.
pub fn check_forgetful(script: &str, told: &str, needs: &str) {
    check_with(House::new(Shape::PlainCursor, 2, 1 << 20), script, told, needs);
}

/// The same with room for about ten frames of 39 bytes, so that two of them are fed at once.
pub fn check_narrow(script: &str, told: &str, needs: &str) {
    check_with(House::new(Shape::PlainCursor, 100, 400), script, told, needs);
}
