//! One run: a server, its clients, and what happens to them, all drawn from one seed.

use std::{cell::RefCell, collections::BTreeMap, net::Ipv4Addr, path::Path, rc::Rc, sync::Arc};

use bellwire_services::{
    kit::{Payload, Principal},
    states,
};
use bellwire_store::change::{Micros, Offset};
use tempfile::TempDir;

use super::{
    chance::Chance,
    ear::{Asked, Ear, Subscribed},
    node::{Knobs, Node, Read, Tables},
    oracle::{Oracle, topics_of_scopes},
    shard::{Reading, Tally},
    socket::Pipe,
};
use crate::{
    hub::SessionId,
    opening::{Credential, Since},
    sequencer::ReplyTo,
};

/// What there is to know about.
pub const ENTITIES: &[&str] = &["light.a", "light.b", "light.c", "lock.a", "lock.b"];
/// What clients make room for, in bytes: some read a little, some hardly, some all.
const ROOMS: &[[usize; 6]] = &[
    [0, 1, 40, 400, 5_000, 200_000],
    [0, 0, 1, 40, 200, 1_000],
    [2_000, 2_000, 5_000, 200_000, 200_000, 200_000],
];
/// A replay of more rows than this may be over a session's budget.
const LARGE: Offset = 500;
/// When the simulation begins.
const BEGINNING: Micros = 1_700_000_000_000_000;
/// A socket that takes everything.
const ENDLESS: usize = 1 << 40;

/// A token that was made.
#[derive(Debug, Clone)]
pub struct Token {
    pub id: String,
    pub jti: String,
    /// What was asked for last.
    pub scopes: Vec<String>,
}

/// What an operator asked for.
#[derive(Debug, Clone)]
pub enum Op {
    Create { scopes: Vec<String> },
    Change { id: String, scopes: Vec<String> },
    Other,
}

/// Someone who connects, again and again.
#[derive(Default)]
pub struct Client {
    pub ear: Ear,
    pub link: Option<(u16, SessionId)>,
    pub pipe: Option<Rc<RefCell<Pipe>>>,
}

/// Everything there is.
pub struct World {
    pub chance: Chance,
    /// Where the database is.
    pub folder: TempDir,
    pub now_ms: u64,
    pub tables: Tables,
    pub knobs: Knobs,
    /// None for the moment of a crash.
    pub node: Option<Node>,
    pub clients: Vec<Client>,
    pub tokens: Vec<Token>,
    /// Changes of tokens that are to be undone.
    pub undo: Vec<(String, Vec<String>)>,
    pub ops: BTreeMap<u32, Op>,
    pub numbers: u64,
    pub oracle: Oracle,
    pub tally: Tally,
    /// What happened, if somebody wants to know.
    pub trace: Option<Vec<String>>,
}

/// Writes a line of the trace, if there is one.
macro_rules! note {
    ($world:expr, $($word:tt)+) => {
        if let Some(trace) = &mut $world.trace {
            trace.push(format!($($word)+));
        }
    };
}
pub(super) use note;

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, trace: bool) -> Result<World, String> {
        let mut chance = Chance::new(seed);
        let knobs = Knobs {
            shards: 1 + chance.below(3) as u16,
            recent_rows: *chance.pick(&[2, 8, 50, 1_000, 1_000]),
            outbox_len_max: *chance.pick(&[1_500, 6_000, 6_000, 1 << 20]),
            padding: *chance.pick(&[0, 10, 300, 300]),
            churn: *chance.pick(&[6, 12, 24]),
            eager: chance.one_in(2),
            burst: if chance.one_in(16) { 1_100 } else { 0 },
            lag: *chance.pick(&[1, 3, 8, 8]),
            rooms: *chance.pick(ROOMS),
        };
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.map_err(|error| error.to_string())?;
        let tables = Tables::default();
        let node = Node::open(&folder.path().join("db"), &tables, &knobs, BEGINNING)?;
        let mut world = World {
            chance,
            folder,
            now_ms: 1,
            tables,
            knobs,
            node: Some(node),
            clients: Vec::new(),
            tokens: Vec::new(),
            undo: Vec::new(),
            ops: BTreeMap::new(),
            numbers: 0,
            oracle: Oracle::default(),
            tally: Tally::default(),
            trace: trace.then(Vec::new),
        };
        world.oracle.admit("guest", &["states".to_owned()]);
        (0..4).try_for_each(|_| world.create_token())?;
        world.commit(4)?;
        world.node().publish();
        for number in 0..7 {
            let mut client = Client::default();
            client.ear.cursor = number % 3 != 2;
            client.ear.become_another("guest");
            if number > 0 {
                let token = world.chance.pick(&world.tokens).id.clone();
                client.ear.become_another(&token);
            }
            world.clients.push(client);
        }
        Ok(world)
    }

    /// The server.
    pub fn node(&mut self) -> &mut Node {
        self.node.as_mut().expect("it runs, but for the moment of a crash")
    }

    /// The wall time.
    pub fn now(&self) -> Micros {
        BEGINNING + self.now_ms as Micros * 1_000
    }

    /// How much a payload is padded.
    pub fn padding(&mut self) -> usize {
        self.chance.below(self.knobs.padding + 1)
    }

    /// Queues calls for the writer.
    pub fn enqueue(
        &mut self,
        calls: Vec<(&str, Payload)>,
        principal: Arc<Principal>,
        to: ReplyTo,
    ) -> Result<(), String> {
        let context = (self.now(), self.chance.seed());
        let node = self.node.as_mut().expect("it runs");
        node.write(&self.tables, calls, principal, context, to)
    }

    /// Commits writes, and takes in what that means.
    pub fn commit(&mut self, count: usize) -> Result<(), String> {
        self.node().publish();
        let node = self.node.as_mut().expect("it runs");
        node.commit(count)?;
        let answers = node.committed.as_ref().map_or(&[][..], |batch| &batch.answers);
        let mut changed = BTreeMap::new();
        for answer in answers {
            let ReplyTo::Call(call) = &answer.to else { continue };
            let op = self.ops.remove(&call.call).unwrap_or(Op::Other);
            let Ok(committed) = &answer.result else { continue };
            match op {
                Op::Create { scopes } => {
                    let reply: serde_json::Value =
                        serde_json::from_str(committed.reply().json.get()).expect("it is JSON");
                    let id = reply["id"].as_str().expect("a token has an id").to_owned();
                    changed.insert(id.clone(), scopes.clone());
                    let jti = committed.reply().sign.as_ref().expect("it is signed").jti.clone();
                    self.tokens.push(Token { id, jti, scopes });
                }
                Op::Change { id, scopes } => drop(changed.insert(id, scopes)),
                Op::Other => {}
            }
        }
        let before = self.oracle.head();
        self.oracle.sync(&mut node.reader)?;
        let head = self.oracle.head();
        note!(self, "committed to {head}");
        for row in self.oracle.rows(before, head) {
            note!(self, "  {row}");
        }
        for (id, scopes) in changed {
            let mut topics = topics_of_scopes(&scopes);
            topics.sort_unstable();
            // Of the other services nothing happens here.
            let is_of_states = |topic: &&str| {
                states::rights::TOPICS.contains(&topic.split('/').next().unwrap_or_default())
            };
            let held = self.oracle.topics(&id, head).into_iter().filter(is_of_states);
            let held: Vec<&str> = held.collect();
            if held != topics {
                return Err(format!("{id} should hold {topics:?}, the effects say {held:?}"));
            }
        }
        Ok(())
    }

    /// Lets go of old rows of the log.
    pub fn prune(&mut self) -> Result<(), String> {
        self.node().publish();
        let (events, now) = (1 + self.chance.below(25) as u64, self.now());
        let to = self.nobody();
        let node = self.node.as_mut().expect("it runs");
        node.prune(now, events, to)?;
        self.oracle.sync(&mut node.reader)?;
        note!(self, "pruned: the log begins at {}", self.oracle.first);
        self.tally.count("pruned");
        Ok(())
    }

    /// Hands batches to a hub.
    pub fn deliver(&mut self, shard: usize, batches: usize) {
        let node = self.node.as_mut().expect("it runs");
        let shard = &mut node.shards[shard];
        shard.deliver(batches, self.now_ms, &mut self.tally);
        note!(self, "hub {} was told to {}", shard.number, shard.told.get());
    }

    /// Those who read at once what a hub has for them are up to date.
    pub fn attend(&mut self, shard: usize) -> Result<(), String> {
        for client in 0..self.clients.len() {
            let Some((number, id)) = self.clients[client].link else { continue };
            if usize::from(number) != shard || !self.knobs.eager {
                continue;
            }
            self.receive(client, usize::MAX, 100_000)?;
            self.receive(client, usize::MAX, 0)?;
            let hub = &self.node().shards[shard];
            let (told, live) = (hub.told.get(), hub.hub.is_live(id) && hub.hub.has_got_all(id));
            if live && self.clients[client].link.is_some() {
                let Client { ear, pipe, .. } = &self.clients[client];
                let known = told.max(pipe.as_ref().map_or(0, |pipe| pipe.borrow().opened));
                let failed = |what| format!("up to date, client {client}: {what}");
                ear.up_to_date(&self.oracle, told, known).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Begins or ends one of the reads under way.
    pub fn read(&mut self, key: (u16, SessionId), in_time: bool) -> Result<(), String> {
        let now = self.now();
        let out_of_time = !in_time && self.chance.one_in(20);
        let node = self.node.as_mut().expect("it runs");
        let Some(client) = node.shards[key.0 as usize].conns.get(&key.1).map(|conn| conn.client)
        else {
            return Ok(());
        };
        match node.reads.get(&key) {
            Some(Read::Queued(reading)) => {
                note!(
                    self,
                    "reads for client {client}: {reading:?}, log at {}",
                    self.oracle.head()
                );
                let Client { ear, link, .. } = &mut self.clients[client];
                if matches!(reading, Reading::Connect { .. }) && *link == Some(key) {
                    ear.beginnings = match ear.asked {
                        Some(Asked::Nonsense) => vec!["invalid", "epoch", "future"],
                        Some(Asked::Place(place)) if place + 1 < self.oracle.first => {
                            vec!["expired"]
                        }
                        Some(Asked::Place(place))
                            if out_of_time || place + LARGE < self.oracle.head() =>
                        {
                            vec!["resumed", "limited"]
                        }
                        _ => vec!["resumed"],
                    };
                }
                node.run_read(&self.tables, key, now, out_of_time)
            }
            Some(Read::Done(_)) => {
                let Some(Read::Done(result)) = node.reads.remove(&key) else { return Ok(()) };
                note!(
                    self,
                    "opens client {client}: {:?}",
                    Result::as_ref(&result).map(|o| o.opening.at)
                );
                // The client of a connection that is gone does not hear of it.
                let Client { ear, link, .. } = &mut self.clients[client];
                let mut unheard = BTreeMap::new();
                let snapshots = if *link == Some(key) { &mut ear.subscribed } else { &mut unheard };
                let shard = &mut node.shards[key.0 as usize];
                shard.opened(key.1, *result, snapshots, self.now_ms, &mut self.tally);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A client connects; `own` with the place where it was.
    pub fn connect(&mut self, client: usize, own: bool, room: usize) {
        let token = match self.chance.below(self.tokens.len() + 1) {
            _ if own || !self.is_homeless(client) => None,
            0 => Some(None),
            n => Some(Some(self.tokens[n - 1].id.clone())),
        };
        if let Some(token) = token {
            self.clients[client].ear.become_another(token.as_deref().unwrap_or("guest"));
        }
        let (since, asked) = self.since(client, own);
        let principal = &self.clients[client].ear.principal;
        let token = self.tokens.iter().find(|token| token.id == *principal);
        let credential = match token {
            Some(token) => Credential::Token { jti: token.jti.clone() },
            None => Credential::Guest(Ipv4Addr::LOCALHOST.into()),
        };
        note!(self, "client {client} ({principal}) connects: {since:?}");
        let shard = self.chance.below(usize::from(self.knobs.shards));
        let node = self.node.as_mut().expect("it runs");
        let shard = &mut node.shards[shard];
        let pipe = Pipe::new(shard.told.clone(), room);
        let ear = &mut self.clients[client].ear;
        ear.begin(asked);
        let id = shard.arrive(client, pipe.clone(), ear.began.clone(), credential, since);
        self.clients[client].link = Some((shard.number, id));
        self.clients[client].pipe = Some(pipe);
    }

    /// Whether a client has no credential that counts.
    fn is_homeless(&self, client: usize) -> bool {
        let principal = &self.clients[client].ear.principal;
        principal.is_empty() || self.oracle.revoked(principal) <= self.oracle.head()
    }

    fn since(&mut self, client: usize, own: bool) -> (Since, Asked) {
        let head = self.oracle.head();
        let ear = &self.clients[client].ear;
        if !ear.cursor {
            return (Since::Unasked, Asked::Unasked);
        }
        let nonsense = || {
            let strange = ["", "x", "simulation", "simulation.-1", "simulation.007", "other.1"];
            strange
                .into_iter()
                .map(str::to_owned)
                .chain([format!("simulation.{}", head + 1_000_000)])
        };
        let kind = if own { 9 } else { self.chance.below(20) };
        let cursor = match kind {
            0 => {
                let all: Vec<String> = nonsense().collect();
                let cursor = self.chance.pick(&all).clone();
                return (Since::Cursor(cursor), Asked::Nonsense);
            }
            1 => None,
            2 | 3 if !ear.cursors.is_empty() => Some(self.chance.pick(&ear.cursors).clone()),
            _ => ear.cursors.last().cloned(),
        };
        let Some(cursor) = cursor else { return (Since::Now, Asked::Now) };
        let place = cursor.rsplit('.').next().and_then(|digits| digits.parse().ok());
        (Since::Cursor(cursor), Asked::Place(place.expect("it is a cursor the server gave")))
    }

    /// A client subscribes, if it is connected.
    pub fn subscribe(&mut self, client: usize) {
        let Some((shard, id)) = self.clients[client].link else { return };
        self.numbers += 1;
        let number = self.numbers;
        let mut filter = None;
        if !self.chance.one_in(4) {
            let count = 1 + self.chance.below(3);
            filter = Some((0..count).map(|_| (*self.chance.pick(ENTITIES)).to_owned()).collect());
        }
        let mut payload = Payload::new();
        if let Some(filter) = &filter {
            payload.insert("entity_ids".into(), serde_json::json!(filter));
        }
        if self.chance.one_in(3) {
            let many: Vec<String> = (0..1_001).map(|n| format!("light.n{n}")).collect();
            payload.insert("entity_ids".into(), many.into());
        }
        let node = self.node.as_mut().expect("it runs");
        let shard = &mut node.shards[shard as usize];
        let owed = if shard.hub.is_live(id) { shard.told.get() } else { 0 };
        let asked = Subscribed { filter, owed, at: 0 };
        if shard.subscribe(id, number, payload) {
            note!(self, "client {client} subscribes ({number}): {:?}", asked.filter);
            self.clients[client].ear.subscribed.insert(number, asked);
        }
    }

    /// A client reads so much of what waits for it, and makes room for so much.
    pub fn receive(&mut self, client: usize, len: usize, room: usize) -> Result<(), String> {
        let Client { ear, link: Some((shard, id)), pipe: Some(pipe) } = &mut self.clients[client]
        else {
            return Ok(());
        };
        let (shard, id, pipe) = (*shard, *id, pipe.clone());
        let len = len.min(pipe.borrow().unread());
        let frames = pipe.borrow_mut().receive(len)?;
        for frame in &frames {
            ear.hear(&self.oracle, frame).map_err(|what| format!("client {client}: {what}"))?;
        }
        note!(self, "client {client} took {len} bytes, {} frames", frames.len());
        pipe.borrow_mut().room += room;
        let closed = self.clients[client].ear.closed;
        let node = self.node.as_mut().expect("it runs");
        let shard = &mut node.shards[shard as usize];
        if let Some(code) = closed {
            note!(self, "client {client} was closed with {code}");
            if !pipe.borrow().is_whole() {
                return Err(format!("client {client}: bytes after the close frame"));
            }
            shard.leave(id);
            self.clients[client].link = None;
        } else if !shard.hub.has_got_all(id) {
            shard.writable(id, self.now_ms, &mut self.tally);
        }
        Ok(())
    }

    /// A client goes, with or without a word.
    pub fn disconnect(&mut self, client: usize) -> Result<(), String> {
        let unread = self.clients[client].pipe.as_ref().map_or(0, |pipe| pipe.borrow().unread());
        let heard = self.chance.below(unread + 1);
        self.receive(client, heard, 0)?;
        let Some((shard, id)) = self.clients[client].link.take() else { return Ok(()) };
        note!(self, "client {client} disconnects");
        let orderly = self.chance.one_in(2);
        let shard = &mut self.node().shards[shard as usize];
        match shard.conns.get(&id).filter(|_| !orderly) {
            Some(conn) => conn.pipe.borrow_mut().gone = true,
            None => shard.leave(id),
        }
        Ok(())
    }

    /// Lets everything that is under way come to its end.
    pub fn rest(&mut self) -> Result<(), String> {
        for _ in 0..400 {
            let mut busy = false;
            let node = self.node();
            node.publish();
            if !node.queue.is_empty() {
                self.commit(usize::MAX)?;
                self.node().publish();
                busy = true;
            }
            for shard in 0..self.node().shards.len() {
                busy |= self.node().shards[shard].is_behind();
                self.deliver(shard, usize::MAX);
            }
            self.node().collect_reads();
            let keys: Vec<_> = self.node().reads.keys().copied().collect();
            busy |= !keys.is_empty();
            keys.into_iter().try_for_each(|key| self.read(key, true))?;
            for client in 0..self.clients.len() {
                let Client { link: Some((shard, id)), pipe: Some(pipe), .. } =
                    &self.clients[client]
                else {
                    continue;
                };
                let (shard, id, unread) = (*shard, *id, pipe.borrow().unread());
                pipe.borrow_mut().room = ENDLESS;
                if unread > 0 || !self.node().shards[shard as usize].hub.has_got_all(id) {
                    busy = true;
                    self.receive(client, usize::MAX, 0)?;
                }
            }
            self.check_bounds()?;
            if !busy {
                return self.check_rest();
            }
        }
        Err("it does not come to rest".to_owned())
    }

    fn check_rest(&mut self) -> Result<(), String> {
        for (number, client) in self.clients.iter().enumerate() {
            let Some((shard, id)) = client.link else { continue };
            let failed = |what: String| format!("at rest, client {number}: {what}");
            let node = self.node.as_ref().expect("it runs");
            let conn = node.shards[shard as usize].conns.get(&id);
            let conn = conn.ok_or_else(|| failed("its session is gone".into()))?;
            if conn.ending || conn.reading.is_some() {
                return Err(failed("it neither lives nor ends".into()));
            }
            client.ear.at_rest(&self.oracle).map_err(failed)?;
        }
        Ok(())
    }

    /// Memory is bounded at all times.
    pub fn check_bounds(&mut self) -> Result<(), String> {
        self.node().shards.iter().try_for_each(|shard| shard.check_bounds())
    }

    /// Everybody comes back, and nobody who may is turned away.
    pub fn reunite(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            if self.clients[client].link.is_none() {
                self.connect(client, true, ENDLESS);
            }
        }
        self.rest()?;
        for (number, client) in self.clients.iter().enumerate() {
            let revoked = self.oracle.revoked(&client.ear.principal) <= self.oracle.head();
            if client.link.is_some() == revoked {
                let closed = client.ear.closed;
                return Err(format!("client {number} was closed with {closed:?}, {revoked}"));
            }
        }
        Ok(())
    }

    /// Runs to the end.
    pub fn run(&mut self) -> Result<(), String> {
        let steps = 200 + self.chance.below(400);
        for _ in 0..steps {
            self.now_ms += self.chance.below(30) as u64;
            self.step()?;
            self.node().collect_reads();
            self.check_bounds()?;
        }
        self.rest()?;
        self.reunite()?;
        self.crash()?;
        self.reunite()?;
        for client in &self.clients {
            self.tally.add("events", client.ear.events);
            self.tally.add("snapshots", client.ear.snapshots);
            self.tally.add("resets", client.ear.resets);
        }
        Ok(())
    }
}
