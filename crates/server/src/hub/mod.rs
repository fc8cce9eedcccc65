//! The hub of one shard: topics to sessions, encode once, write directly.
//!
//! What holds here:
//! - A session is told rows in log order, each at most once, and only such as it was entitled to
//!   when the row was committed and is entitled to now.
//! - It goes live in one way only, whether it connects, resumes or subscribes: pending, then an
//!   [`Opening`] read in one transaction at a place S, then rows up to where the hub is, from
//!   [`Recent`], then live. What is committed meanwhile is neither lost nor told twice.
//! - Losing a right acts when it is known: what was told before goes out, if its socket takes it; what waits is not
//!   written any more, and rows that the session has not got to are read again, by the rights of now.
//! - A reader with a cursor misses nothing: too slow, it is closed. Others may be coalesced.
//! - What is told was committed. Events that only pass have a type ([`Passing`]) and a way in
//!   ([`Hub::pass`]) of their own.
//!
//! A *line* is one connection's way out: a sink, and what waits for it. A session hears over one line; a
//! line has one session, or one for each namespace of a Socket.IO connection, or for a moment none.
//! What goes out over a line keeps its order, whichever session it is for. A line that does not keep up
//! ends for all of its sessions; so it does when one loses a right while an answer of its waits there.
//!
//! Not here: sockets, protocols, the store. A line's sink is any [`Write`] whose `flush` would
//! block while it holds back something that it took, as TLS does. A hub belongs to one thread, so
//! nothing here is locked.

mod acks;
mod line;
mod lists;
pub mod outbox;
mod passing;
pub mod recent;
mod rights;
mod session;
mod telling;
#[cfg(test)]
mod tests;
mod tick;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    io::Write,
    mem,
    sync::Arc,
};

use bellwire_services::kit::Principal;
use bellwire_store::change::{Effect, Offset, Topic, Words};
use bytes::Bytes;
use slab::Slab;

use crate::{
    audience::{Roots, Streams},
    logging,
};
use line::Line;
pub use line::LineId;
use lists::remove;
use outbox::{Fate, Frame};
pub use passing::Passing;
use recent::{Entry, Recent, Shape, Speller};
use session::{Ahead, Behind, Place, Session, gains_by_grant, parts_of};
pub use session::{Held, Last, Opening, SessionId, holds};
use telling::count;
use tick::Tick;

/// Rows are fetched, and a session that is behind is fed, this much at a time.
const ROWS_AT_ONCE: usize = 512;
/// A session that is behind is fed while less than this part of what may wait for its socket does.
const FEED_PART: usize = 4;

/// What the hub asks of its driver, between two calls.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    /// A session fell behind what is in memory: read its rights and the rows after this place.
    CatchUp {
        /// Which session.
        session: SessionId,
        /// The last row it was told.
        after: Offset,
    },
    /// What was read for a session is older than what is in memory: read it again.
    Reread(SessionId),
    /// The session must end, as its credential was revoked; the driver says so in its dialect.
    Revoked(SessionId, Last),
    /// The session is to be told something with a token in it, which the driver signs.
    Hand {
        /// Which session.
        session: SessionId,
        /// What.
        words: Words,
        /// What the token says, as JSON.
        claims: String,
    },
    /// The peer does not read fast enough: the connection must end.
    Slow(LineId),
    /// The peer is gone.
    Gone(LineId),
}

/// The sessions of one shard and what they hear.
#[derive(Debug)]
pub struct Hub<S> {
    recent: Arc<Recent>,
    speller: Arc<Speller>,
    roots: Arc<Roots>,
    lines: Slab<Line<S>>,
    sessions: Slab<Session>,
    /// Live sessions by topic, but for topics that their filter concerns.
    topics: HashMap<Topic, Vec<u32>>,
    /// Live sessions with a filter, by its keys.
    keys: HashMap<String, Vec<u32>>,
    /// All sessions whose principal is known, by all of its names: whom effects concern.
    principals: HashMap<String, Vec<u32>>,
    /// The principal of sessions of which nothing is known yet.
    nobody: Arc<Principal>,
    /// Lines for whose sockets something waits.
    blocked: HashSet<u32>,
    /// Sessions that have yet to acknowledge something.
    asked: HashSet<u32>,
    /// Sessions that are not live just now and may have to be told later what passes.
    away: HashSet<u32>,
    /// Everything up to here was told to whom it concerns.
    at: Offset,
    tick: Tick,
    needs: Vec<Need>,
    serials: u32,
    /// The most that waits for one socket, in bytes.
    outbox_len_max: usize,
    /// Event frames since somebody asked, by the name of the event.
    told: Vec<(Cow<'static, str>, u64)>,
    /// Frames that slow readers lost since somebody asked.
    shed: u64,
}

impl<S: Write> Hub<S> {
    /// A hub without sessions that goes on after what `recent` holds.
    pub fn new(
        recent: Arc<Recent>,
        speller: Arc<Speller>,
        roots: Arc<Roots>,
        outbox_len_max: usize,
    ) -> Self {
        let at = recent.head();
        Hub {
            recent,
            speller,
            roots,
            lines: Slab::new(),
            sessions: Slab::new(),
            topics: HashMap::new(),
            keys: HashMap::new(),
            principals: HashMap::new(),
            nobody: Arc::new(Principal::nobody()),
            blocked: HashSet::new(),
            asked: HashSet::new(),
            away: HashSet::new(),
            at,
            tick: Tick::default(),
            needs: Vec::new(),
            serials: 0,
            outbox_len_max,
            told: Vec::new(),
            shed: 0,
        }
    }

    /// Lets a session in on a line, pending: it is told nothing yet. Who it is, its opening will say.
    ///
    /// # Panics
    /// If there is no such line: whoever lets a session in has just made the line, or serves it.
    pub fn join(&mut self, line: LineId, shape: Shape) -> SessionId {
        self.serials = self.serials.wrapping_add(1);
        let serial = self.serials;
        let line = self.line_at(line).expect("the line was not dropped");
        let session = Session {
            line,
            next: self.lines[line as usize].first,
            place: Place::Pending(None),
            serial,
            shape,
            floor: 0,
            principal: self.nobody.clone(),
            held: Vec::new(),
            streams: Streams::default(),
            judged: Streams::default(),
            filter: None,
            rights_at: 0,
            awaited: shape.asks().then(Box::default),
        };
        let slot = self.sessions.insert(session) as u32;
        self.lines[line as usize].first = Some(slot);
        SessionId { slot, serial }
    }

    /// Makes a session pending again, because a read for a new subscription is under way.
    pub fn suspend(&mut self, id: SessionId) {
        let Some(slot) = self.slot_of(id) else { return };
        self.unlist(slot);
        self.away.insert(slot);
        let at = self.at;
        let session = &mut self.sessions[slot as usize];
        session.place = match mem::replace(&mut session.place, Place::Ending) {
            Place::Live => {
                let at = at.max(session.floor);
                Place::Pending(Some(Box::new(Behind { at, ..Behind::default() })))
            }
            Place::Behind(behind) => Place::Pending(Some(behind)),
            other => other,
        };
    }

    /// Goes on as before the session was suspended: the read was refused.
    pub fn resume(&mut self, id: SessionId, now_ms: u64) {
        let Some(slot) = self.slot_of(id) else { return };
        let session = &mut self.sessions[slot as usize];
        if let Place::Pending(Some(behind)) = &mut session.place {
            session.place = Place::Behind(mem::take(behind));
        }
        if matches!(&session.place, Place::Behind(behind) if behind.is_less) {
            return self.read_rights(slot, self.told_upto(id));
        }
        self.advance(slot, now_ms);
    }

    /// Takes in what was read for a pending session, tells it what it missed, and lets it go live.
    ///
    /// Effects on `principal` between the place of the read and the hub's own are found in
    /// [`Recent`]; a read that is older than that is to be done again, and so is one after which
    /// the session lost a right, or part of one: its snapshot may show what is no longer to be seen.
    ///
    /// Says whether it was of use; if not, the session is still pending, or ends.
    pub fn open(
        &mut self,
        id: SessionId,
        principal: Arc<Principal>,
        opening: Opening,
        now_ms: u64,
    ) -> bool {
        let Some(slot) = self.slot_of(id) else { return false };
        if !matches!(self.sessions[slot as usize].place, Place::Pending(_)) {
            return false;
        }
        let is_first = Arc::ptr_eq(&self.sessions[slot as usize].principal, &self.nobody);
        self.identify(slot, principal);
        let session = &mut self.sessions[slot as usize];
        let Some(ahead) = self.recent.range(opening.at, self.at, usize::MAX) else {
            self.needs.push(Need::Reread(id));
            return false;
        };
        let ahead = Ahead::of(&ahead, &session.principal);
        if let Some(last) = ahead.revoked {
            self.needs.push(Need::Revoked(id, last));
            return false;
        }
        if ahead.is_less(&opening, &self.roots) {
            self.needs.push(Need::Reread(id));
            return false;
        }
        let passed = match &mut session.place {
            Place::Pending(Some(before)) => mem::take(&mut before.passed),
            _ => Vec::new(),
        };
        self.away.insert(slot);
        let (at, ended) = (opening.at, opening.ended);
        let behind = Behind { rows: opening.rows.into(), at, ended, passed, is_less: false };
        session.take_rights(opening.held, at);
        (session.streams, session.judged) = (opening.streams, opening.judged);
        session.filter = opening.filter;
        session.place = Place::Behind(Box::new(behind));
        mutant!(PlaceOffByOne => if let Place::Behind(behind) = &mut session.place { behind.at += 1 });
        for bytes in opening.frames {
            self.push(slot, Frame::of(bytes));
        }
        // Whoever was known before was handed it already.
        let handed = ahead.handed.into_iter().filter(|_| is_first);
        self.needs.extend(handed.map(|(words, claims)| Need::Hand { session: id, words, claims }));
        self.advance(slot, now_ms);
        true
    }

    fn identify(&mut self, slot: u32, principal: Arc<Principal>) {
        let session = &mut self.sessions[slot as usize];
        let before = mem::replace(&mut session.principal, principal);
        let (before, after) = (before.names(), session.principal.names());
        if before != after {
            before.iter().for_each(|name| remove(&mut self.principals, name, slot));
            for name in after {
                self.principals.entry(name).or_default().push(slot);
            }
        }
    }

    /// Feeds a session that is behind, as far as its socket takes it, until it is live.
    fn advance(&mut self, slot: u32, now_ms: u64) {
        let feed_below = self.outbox_len_max / FEED_PART;
        loop {
            let line = self.sessions[slot as usize].line;
            self.flush_one(line, now_ms);
            let line = &self.lines[line as usize];
            if line.queued_len() >= feed_below && !line.lossy {
                return;
            }
            let session = &mut self.sessions[slot as usize];
            let Place::Behind(behind) = &mut session.place else { return };
            if behind.rows.is_empty() {
                if behind.at >= self.at {
                    self.go_live(slot);
                    return;
                }
                let Some(rows) = self.recent.range(behind.at, self.at, ROWS_AT_ONCE) else {
                    let (after, session_id) = (behind.at, session.id(slot));
                    self.suspend(session_id);
                    self.needs.push(Need::CatchUp { session: session_id, after });
                    return;
                };
                behind.rows = rows.into();
            }
            let mut fed = 0;
            while fed < feed_below {
                let Place::Behind(behind) = &mut self.sessions[slot as usize].place else { break };
                let Some(entry) = behind.rows.pop_front() else { break };
                behind.at = behind.at.max(entry.offset());
                fed += self.tell_behind(slot, &entry);
            }
        }
    }

    fn go_live(&mut self, slot: u32) {
        self.away.remove(&slot);
        let session = &mut self.sessions[slot as usize];
        let mut passed = Vec::new();
        if let Place::Behind(behind) = mem::replace(&mut session.place, Place::Live) {
            passed = behind.passed;
            session.floor = session.floor.max(behind.at);
            mutant!(FloorForgotten => session.floor = 0);
        }
        for key in session.filter.iter().flat_map(|filter| filter.keys()) {
            self.keys.entry(key.clone()).or_default().push(slot);
        }
        for Held { topic, .. } in &session.held {
            if !session.filters(topic, &self.roots) {
                self.topics.entry(topic.clone()).or_default().push(slot);
            }
        }
        self.tell_late(slot, &passed);
    }

    /// Tells one row to a session that is behind, and applies its effects at their place; says how
    /// many bytes that was.
    fn tell_behind(&mut self, slot: u32, entry: &Arc<Entry>) -> usize {
        let session = &mut self.sessions[slot as usize];
        let offset = entry.offset();
        let event = entry.logged.event.as_ref();
        let variant = event.and_then(|event| session.variant(event, &self.roots, offset));
        let mut told = 0;
        if let (Some(variant), Some(event)) = (variant, &entry.logged.event) {
            let (shape, whose) = (session.shape, &session.principal);
            let mut frame = Frame::telling(&self.speller, entry, variant, shape, whose);
            frame.is_judged =
                offset <= session.rights_at && session.judged.meets(self.roots.of_event(event));
            told = frame.bytes.len();
            count(&mut self.told, event, 1);
            if session.shape.asks() && self.speller.asks(&event.name) {
                session.await_acknowledgement(entry, variant);
                self.asked.insert(slot);
            }
            logging::telling(&event.name, &session.principal);
            self.push(slot, frame);
        }
        let session = &mut self.sessions[slot as usize];
        if offset <= session.rights_at {
            return told;
        }
        let (mut granted, mut reread) = (Vec::new(), false);
        for effect in
            entry.logged.effects.iter().filter(|effect| {
                effect.principal().is_some_and(|who| session.principal.is_named(who))
            })
        {
            match effect {
                Effect::Grant { topic, .. }
                    if session.streams.meets(self.roots.streams_of(topic)) =>
                {
                    match parts_of(session.filter.as_ref(), topic, &self.roots) {
                        Some(parts) => reread |= gains_by_grant(&session.held, parts),
                        None => granted.push(topic),
                    }
                }
                Effect::Move { from, to, .. }
                    if session.held.iter().any(|held| held.topic == *from) =>
                {
                    granted.push(to);
                }
                // What was taken is known ahead of its row.
                _ => {}
            }
        }
        granted.into_iter().for_each(|topic| session.gain(topic, offset));
        if reread {
            self.read_rights(slot, offset);
        }
        told
    }

    /// Tells a row to every live session that it concerns, and applies its effects. Frames go out
    /// with the next [`flush`](Hub::flush); those of who loses a right before that.
    pub fn publish(&mut self, entry: &Arc<Entry>, now_ms: u64) {
        let offset = entry.offset();
        if offset <= self.at {
            return;
        }
        self.flush_before(&entry.logged.effects, now_ms);
        self.at = offset;
        if let Some(event) = &entry.logged.event {
            self.tell(entry, event);
        }
        for effect in &entry.logged.effects {
            self.apply(effect, entry);
        }
    }

    /// Queues a frame for one session, unless it ends; it goes out with the next flush.
    pub fn send(&mut self, id: SessionId, bytes: Bytes) {
        if let Some(slot) = self.slot_of(id)
            && !matches!(self.sessions[slot as usize].place, Place::Ending)
        {
            self.push(slot, Frame::of(bytes));
        }
    }

    fn push(&mut self, slot: u32, frame: Frame) {
        let line = self.sessions[slot as usize].line;
        self.push_on(line, frame, slot);
    }

    /// Nothing more is told to the session, and what waits is dropped.
    fn stop(&mut self, slot: u32) {
        self.unlist(slot);
        let session = &mut self.sessions[slot as usize];
        session.place = Place::Ending;
        self.lines[session.line as usize].revise(&mut self.tick, slot, |_| Fate::Drop);
    }

    /// Drops what waits for a session, answers included, but for the rest of a frame.
    fn drop_queued(&mut self, slot: u32) {
        let line = &mut self.lines[self.sessions[slot as usize].line as usize];
        self.tick.drop_owned(&mut line.chain, slot);
        if let Some(outbox) = &mut line.outbox {
            outbox.drop_owned(slot);
        }
    }

    /// Nothing more is told to the session or answered, and what waits for it is dropped, but for the rest
    /// of a frame.
    pub fn mute(&mut self, id: SessionId) {
        let Some(slot) = self.slot_of(id) else { return };
        self.stop(slot);
        self.drop_queued(slot);
    }

    /// What the driver has to do now.
    pub fn take_needs(&mut self) -> Vec<Need> {
        mem::take(&mut self.needs)
    }

    /// Forgets a session; what waits for it is dropped, but for the rest of a frame. Its line stays.
    pub fn leave(&mut self, id: SessionId) {
        self.mute(id);
        self.slot_of(id).into_iter().for_each(|slot| self.forget(slot));
    }

    /// Takes a session out of every list.
    fn forget(&mut self, slot: u32) {
        self.unlist(slot);
        self.asked.remove(&slot);
        self.away.remove(&slot);
        let session = self.sessions.remove(slot as usize);
        self.lines[session.line as usize].no_batches(slot);
        let names = session.principal.names();
        names.iter().for_each(|name| remove(&mut self.principals, name, slot));
        let first = &mut self.lines[session.line as usize].first;
        if *first == Some(slot) {
            *first = session.next;
        } else {
            let mut at = *first;
            while let Some(other) = at.and_then(|slot| self.sessions.get_mut(slot as usize)) {
                if other.next == Some(slot) {
                    other.next = session.next;
                    break;
                }
                at = other.next;
            }
        }
    }

    /// The place up to which a session was told the log: what is said to it now comes after that.
    pub fn told_upto(&self, id: SessionId) -> Offset {
        let Some(slot) = self.slot_of(id) else { return 0 };
        let session = &self.sessions[slot as usize];
        match &session.place {
            // What waits in `rows` is not told yet, and may lie before `at`.
            Place::Behind(behind) | Place::Pending(Some(behind)) => {
                let first = behind.rows.front().map(|row| row.offset() - 1);
                first.map_or(behind.at, |before| before.min(behind.at))
            }
            Place::Live => self.at.max(session.floor),
            Place::Pending(None) | Place::Ending => session.floor,
        }
    }

    /// How many lines there are.
    pub fn lines_len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many event frames were told since this was asked last, by the name of the event.
    pub fn take_told(&mut self) -> Vec<(Cow<'static, str>, u64)> {
        mem::take(&mut self.told)
    }

    fn slot_of(&self, id: SessionId) -> Option<u32> {
        self.sessions
            .get(id.slot as usize)
            .filter(|session| session.serial == id.serial)
            .map(|_| id.slot)
    }

    /// Takes a live session out of the lists of whom is told what.
    fn unlist(&mut self, slot: u32) {
        let session = &self.sessions[slot as usize];
        if !matches!(session.place, Place::Live) {
            return;
        }
        for key in session.filter.iter().flat_map(|filter| filter.keys()) {
            remove(&mut self.keys, key, slot);
        }
        for Held { topic, .. } in &session.held {
            if !session.filters(topic, &self.roots) {
                remove(&mut self.topics, topic, slot);
            }
        }
    }
}
