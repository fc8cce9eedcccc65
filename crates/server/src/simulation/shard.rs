//! A small model of a shard's glue: what comes from the sequencer and the readers, handed to the
//! production hub, and what the hub asks for. No sockets and no protocol, but every delay.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::{Arc, atomic::Ordering, mpsc},
};

use bellwire_services::kit::{Answer, Code, Fault, Payload, Principal, Stream};
use bellwire_store::change::Offset;
use bellwire_wire::frame;
use mio::{Poll, Token, Waker};
use serde_json::value::RawValue;

use super::{
    ear::Subscribed,
    socket::{Pipe, SimSocket},
};
use crate::{
    audience::Filtered,
    hub::{
        Hub, Need, SessionId,
        recent::{Recent, Shape, Speller},
    },
    net::{
        said::{self, Asked},
        shard::Message,
    },
    opening::{Credential, Opened, Since},
    sequencer::{CallId, Feed, Item},
};

/// A read that a session waits for.
#[derive(Debug, Clone)]
pub enum Reading {
    Connect { credential: Credential, since: Since },
    CatchUp { after: Offset },
    Subscribe { id: u64, payload: Payload },
}

/// One connection, as the glue knows it.
pub struct Conn {
    pub client: usize,
    pub principal: Option<Arc<Principal>>,
    pub filter: Filtered,
    pub cursor: bool,
    pub pipe: Rc<RefCell<Pipe>>,
    /// The read that is under way.
    pub reading: Option<Reading>,
    /// The connection ends: nothing but its close frame is still to go out.
    pub ending: bool,
    /// Tells the client's side where a connection without a cursor began.
    began: Rc<Cell<Option<Offset>>>,
}

/// How often things happened that a run is to reach.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Tally(pub BTreeMap<&'static str, usize>);

impl Tally {
    /// Counts one.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts so many, if any.
    pub fn add(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

/// One hub with its glue.
pub struct Shard {
    pub number: u16,
    pub hub: Hub<SimSocket>,
    pub conns: BTreeMap<SessionId, Conn>,
    /// The last row that the hub was told.
    pub told: Rc<Cell<Offset>>,
    /// The way in that the sequencer has.
    pub feed: Feed,
    inbox: mpsc::Receiver<Message>,
    waiting: VecDeque<Message>,
    stream: Stream,
    speller: Arc<Speller>,
    /// Reads to be queued.
    pub wanted: Vec<(SessionId, Reading)>,
    outbox_len_max: usize,
    _poll: Poll,
}

/// What a shard is made of.
pub struct Setup {
    pub recent: Arc<Recent>,
    pub speller: Arc<Speller>,
    pub outbox_len_max: usize,
    pub stream: Stream,
}

impl Shard {
    /// A shard without connections.
    pub fn new(number: u16, setup: &Setup) -> Shard {
        let poll = Poll::new().expect("descriptors are left");
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("descriptors are left"));
        let (sender, inbox) = mpsc::channel();
        Shard {
            number,
            hub: Hub::new(
                setup.recent.clone(),
                setup.speller.clone(),
                Arc::default(),
                setup.outbox_len_max,
            ),
            conns: BTreeMap::new(),
            told: Rc::new(Cell::new(setup.recent.head())),
            feed: Feed { sender, waker, handled: Arc::default() },
            inbox,
            waiting: VecDeque::new(),
            stream: setup.stream,
            speller: setup.speller.clone(),
            wanted: Vec::new(),
            outbox_len_max: setup.outbox_len_max,
            _poll: poll,
        }
    }

    /// Takes in what the sequencer sent; it is handled when the time comes.
    pub fn collect(&mut self) {
        for message in self.inbox.try_iter() {
            self.waiting.push_back(message);
            // No time passes for the sequencer: it never waits.
            self.feed.handled.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether a batch waits.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A client connects.
    pub fn arrive(
        &mut self,
        client: usize,
        pipe: Rc<RefCell<Pipe>>,
        began: Rc<Cell<Option<Offset>>>,
        credential: Credential,
        since: Since,
    ) -> SessionId {
        let cursor = since != Since::Unasked;
        let shape = if cursor { Shape::PlainCursor } else { Shape::Plain };
        let line = self.hub.line(SimSocket(pipe.clone()));
        let id = self.hub.join(line, shape);
        let conn = Conn {
            client,
            principal: None,
            filter: None,
            cursor,
            pipe,
            reading: None,
            ending: false,
            began,
        };
        self.conns.insert(id, conn);
        self.read_for(id, Reading::Connect { credential, since });
        id
    }

    fn read_for(&mut self, id: SessionId, reading: Reading) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.reading = Some(reading.clone());
            self.wanted.push((id, reading));
        }
    }

    /// A client asks for a subscription. Calls run one by one, so no other is under way; a catch-up
    /// that is gives way.
    pub fn subscribe(&mut self, id: SessionId, number: u64, payload: Payload) -> bool {
        let free = self.conns.get(&id).is_some_and(|conn| {
            let free = matches!(conn.reading, None | Some(Reading::CatchUp { .. }));
            free && conn.principal.is_some() && !conn.ending
        });
        if free {
            self.hub.suspend(id);
            self.read_for(id, Reading::Subscribe { id: number, payload });
        }
        free
    }

    /// Handles so many batches, then writes.
    pub fn deliver(&mut self, batches: usize, now_ms: u64, tally: &mut Tally) {
        for _ in 0..batches {
            let Some(Message::Batch(items)) = self.waiting.pop_front() else { break };
            for item in items.iter() {
                match item {
                    Item::Answer(call, result) if call.shard == self.number => {
                        self.answered(*call, result.as_ref().map(|a| a.json.get()), now_ms);
                    }
                    Item::Answer(..) => {}
                    Item::Row(entry) => {
                        self.hub.publish(entry, now_ms);
                        self.told.set(entry.offset());
                    }
                }
            }
        }
        self.settle(now_ms, tally);
    }

    fn answered(&mut self, call: CallId, result: Result<&str, &Fault>, now_ms: u64) {
        let dialect = self.stream.dialect;
        let Some(conn) = self.conns.get(&call.session).filter(|conn| !conn.ending) else { return };
        let said = match result {
            Ok(json) => {
                let json = RawValue::from_string(json.to_owned()).expect("answers are JSON");
                (dialect.reply)("sim", &Answer::of(json), true)
            }
            Err(fault) if fault.code == Code::Unauthenticated && conn.principal.is_some() => {
                return self.end(call.session, 4401, now_ms);
            }
            Err(fault) => Some((dialect.refusal)("sim", fault, 0)),
        };
        said.into_iter().for_each(|said| self.hub.send(call.session, said::plain(&said)));
    }

    /// A read comes back.
    pub fn opened(
        &mut self,
        id: SessionId,
        result: Result<Opened, Fault>,
        snapshots: &mut BTreeMap<u64, Subscribed>,
        now_ms: u64,
        tally: &mut Tally,
    ) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.ending) else { return };
        let subscribing = match conn.reading {
            Some(Reading::Subscribe { id, .. }) => Some(id),
            _ => None,
        };
        match result {
            Ok(mut opened) => {
                let at = opened.opening.at;
                conn.pipe.borrow_mut().opened = at;
                if matches!(conn.reading, Some(Reading::Connect { .. })) && !conn.cursor {
                    conn.began.set(Some(at));
                }
                if let Some(told) = subscribing.and_then(|id| snapshots.get_mut(&id)) {
                    told.at = at;
                }
                tally.count(if at > self.told.get() { "opened ahead" } else { "opened behind" });
                if let Some(said) = opened.snapshot.take() {
                    let cursor = conn.cursor.then(|| self.speller.cursor(at));
                    let id = subscribing.map(|id| id.to_string());
                    let asked = Asked { ack: None, id: id.as_deref() };
                    let frame = said::snapshot(None, asked, said, cursor.as_deref());
                    opened.opening.frames.push(frame);
                }
                let (principal, filter) = (opened.principal, opened.opening.filter.clone());
                if self.hub.open(id, principal.clone(), opened.opening, now_ms) {
                    conn.filter = filter;
                    conn.principal = Some(principal);
                    conn.reading = None;
                }
            }
            Err(fault) => match subscribing {
                Some(_) if fault.code != Code::Unauthenticated => {
                    conn.reading = None;
                    tally.count("subscription refused");
                    self.hub.resume(id, now_ms);
                    let said = (self.stream.dialect.refusal)("subscribe_entities", &fault, 0);
                    self.hub.send(id, said::plain(&said));
                }
                _ => {
                    tally.count("read refused");
                    let code = if fault.code == Code::Unauthenticated { 4401 } else { 1013 };
                    self.end(id, code, now_ms);
                }
            },
        }
        self.settle(now_ms, tally);
    }

    fn end(&mut self, id: SessionId, code: u16, now_ms: u64) {
        if let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.ending) {
            (conn.ending, conn.reading) = (true, None);
            let line = self.hub.line_of(id).expect("who is here has a line");
            self.hub.end(line, [frame::close(code, "the end")], now_ms);
        }
    }

    /// The client takes bytes again.
    pub fn writable(&mut self, id: SessionId, now_ms: u64, tally: &mut Tally) {
        if let Some(line) = self.hub.line_of(id) {
            self.hub.writable(line, now_ms);
        }
        self.settle(now_ms, tally);
    }

    /// A second has passed.
    pub fn tick(&mut self, now_ms: u64, tally: &mut Tally) {
        self.hub.find_stalled(now_ms);
        self.settle(now_ms, tally);
    }

    /// The client is gone.
    pub fn leave(&mut self, id: SessionId) {
        self.conns.remove(&id);
        if let Some(line) = self.hub.line_of(id) {
            self.hub.drop_line(line);
        }
    }

    fn settle(&mut self, now_ms: u64, tally: &mut Tally) {
        self.hub.flush(now_ms);
        loop {
            let needs = self.hub.take_needs();
            if needs.is_empty() {
                return;
            }
            for need in needs {
                match need {
                    Need::CatchUp { session, after } => {
                        tally.count("catch up");
                        self.read_for(session, Reading::CatchUp { after });
                    }
                    Need::Reread(id) => {
                        tally.count("reread");
                        let reading = self.conns.get(&id).and_then(|conn| conn.reading.clone());
                        reading.into_iter().for_each(|reading| self.read_for(id, reading));
                    }
                    Need::Hand { .. } => panic!("nothing here hands out tokens"),
                    Need::Revoked(id, _) => {
                        tally.count("revoked");
                        self.end(id, 4401, now_ms);
                    }
                    Need::Slow(line) => {
                        tally.count("cut off");
                        let slow: Vec<_> = self.hub.sessions_on(line).collect();
                        slow.into_iter().for_each(|id| self.end(id, 4408, now_ms));
                    }
                    Need::Gone(line) => {
                        let gone: Vec<_> = self.hub.sessions_on(line).collect();
                        gone.into_iter().for_each(|id| self.leave(id));
                    }
                }
            }
        }
    }

    /// No more waits for a socket than its bound.
    pub fn check_bounds(&self) -> Result<(), String> {
        for (id, conn) in &self.conns {
            let queued = self.hub.queued_for(*id);
            // What ends keeps the rest of one frame, and its close frame.
            if queued > self.outbox_len_max && !conn.ending {
                return Err(format!(
                    "{queued} bytes wait for client {}, over {}",
                    conn.client, self.outbox_len_max
                ));
            }
        }
        Ok(())
    }
}
