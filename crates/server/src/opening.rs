//! How a session gets its place in the stream of events: who it is, what it may hear, what it
//! missed, all read in one transaction as of one offset. The hub takes it from there.

pub(crate) mod recovery;

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    net::IpAddr,
    sync::Arc,
};

use bellwire_services::{
    areas::pairing::{self, Waiting},
    identity,
    kit::{
        Claims, Code, Event, Fault, Micros, Principal, ReadTx, RoomTopic, Rooms, Said, Snapshot,
        Stream, Topic, Words,
    },
    live_sessions::Listened,
};
use bellwire_store::{
    change::Offset,
    log::{self, Ended, Reason, ReplayLimits, Resume, Wanted},
};
use bellwire_wire::plain::{self, Form};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    audience::{Audience, Roots, Streams},
    contract::words::{Reset, Resumed},
    hub::{
        Held, Opening,
        recent::{Entry, Recent, Speller},
    },
};

/// The most events that a replay tells; a client that missed more gets a reset, as with the two limits
/// below.
pub const REPLAY_EVENTS_MAX: usize = 10_000;
/// The most bytes of rows that a replay reads from disk: they wait in memory for this session alone,
/// while what is in [`Recent`] is shared.
pub const REPLAY_DISK_BYTES_MAX: usize = 1 << 20;
/// How long a replay may take.
pub const REPLAY_TIME_MAX_MS: u64 = 1_000;

/// What a connection showed to say who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing, where guests are admitted; with the [household](crate::net::limits::household) it comes from.
    Guest(IpAddr),
    /// A token whose signature is good; its row decides.
    Token {
        /// The token's own id.
        jti: String,
    },
    /// The device code of a screen that waits to be paired.
    DeviceCode {
        /// What is kept of it.
        digest: String,
    },
}

/// Where a connection wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// With what comes next; its events have no cursor.
    Unasked,
    /// With what comes next, with cursors.
    Now,
    /// After this cursor.
    Cursor(String),
}

/// What the transaction reads besides the database.
pub struct Sources<'a> {
    /// The live endpoints, whose rules say who may hear what.
    pub streams: &'a [Stream],
    /// On which streams topics are heard.
    pub roots: &'a Roots,
    /// What rooms are, by what their names begin with.
    pub rooms: &'a [(&'static str, Rooms)],
    /// The newest rows, in memory.
    pub recent: &'a Recent,
    /// Spells cursors.
    pub speller: &'a Speller,
    /// The wall time, for expiry.
    pub now: Micros,
    /// Says when the time for a replay is up ([`REPLAY_TIME_MAX_MS`]).
    pub out_of_time: &'a dyn Fn() -> bool,
}

/// A session that may go live.
#[derive(Debug)]
pub struct Opened {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// Which streams it listens to; its filter is the opening's.
    pub streams: Streams,
    /// The topics that it listens to, if it asked for others by name.
    pub topics: Option<Vec<Listened>>,
    /// The rooms that it is in. Where it may not be any more, it is not.
    pub rooms: Option<Arc<Vec<Listened>>>,
    /// The snapshot that it asked for; it is said before what the opening tells.
    pub snapshot: Option<Said>,
    /// A token that waited for it.
    pub handed: Option<Said>,
    /// What it is told first, and what it may hear.
    pub opening: Opening,
    /// Why it could not go on from the place that the client knew, if so.
    pub reset: Option<Reason>,
}

/// Reads what a new connection needs.
///
/// # Errors
/// The store's.
pub fn connect(
    tx: &ReadTx<'_>,
    principal: Arc<Principal>,
    audience: &Audience,
    since: &Since,
    sources: &Sources<'_>,
) -> Result<Opened, Fault> {
    let mut opened = opened(tx, principal, audience, sources)?;
    match since {
        Since::Unasked => {}
        Since::Now => {
            let cursor = sources.speller.cursor(opened.opening.at);
            opened.opening.frames.push(resumed(&cursor, 0));
        }
        Since::Cursor(cursor) => resume(tx, cursor, sources, &mut opened)?,
    }
    Ok(opened)
}

/// Who comes.
pub struct Caller {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// A screen that was paired meanwhile is told this, with a token in it.
    pub handed: Option<(Words, Claims)>,
}

/// Who shows this credential.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token's row says so; of device codes what [`pairing::waiting`] refuses.
pub fn caller(tx: &ReadTx<'_>, credential: &Credential, now: Micros) -> Result<Caller, Fault> {
    let (principal, handed) = match credential {
        Credential::Guest(from) => (Principal::guest_from(*from), None),
        Credential::Token { jti } => (identity::principal(tx, jti, now)?, None),
        Credential::DeviceCode { digest } => match pairing::waiting(tx, digest, now)? {
            Waiting::For(principal) => (principal, None),
            Waiting::Handed(principal, words, claims) => (principal, Some((words, claims))),
        },
    };
    Ok(Caller { principal: Arc::new(principal), handed })
}

fn resume(
    tx: &ReadTx<'_>,
    cursor: &str,
    sources: &Sources<'_>,
    opened: &mut Opened,
) -> Result<(), Fault> {
    let at = opened.opening.at;
    let reason = match log::resume(tx, cursor)? {
        Resume::Reset(reason) => reason,
        Resume::From(after) if missed(tx, after, sources, opened)? => {
            let (place, replayed) = (first_place(&opened.opening), opened.opening.rows.len());
            opened.opening.frames.push(resumed(&sources.speller.cursor(place), replayed));
            return Ok(());
        }
        Resume::From(_) => Reason::Limited,
    };
    opened.reset = Some(reason);
    opened.opening.frames.push(reset(&sources.speller.cursor(at), reason));
    Ok(())
}

/// Where a session stands that was told nothing but `resumed` or a snapshot: before the rows that follow
/// it. A client that had the cursor of a later place, and lost its connection in between, would miss those
/// rows.
pub fn first_place(opening: &Opening) -> Offset {
    mutant!(ResumedTooFar => return opening.at);
    opening.rows.first().map_or(opening.at, |row| row.offset() - 1)
}

/// Reads on for a session that fell behind what is in memory, or that listens to something else from
/// there on.
///
/// # Errors
/// As [`connect`]; [`Code::Overloaded`] when what it missed is past a limit, or no longer kept.
pub fn catch_up(
    tx: &ReadTx<'_>,
    principal: &Arc<Principal>,
    audience: &Audience,
    after: Offset,
    sources: &Sources<'_>,
) -> Result<Opened, Fault> {
    catch_up_on(tx, principal, audience, after, sources, &|_| true)
}

/// The same of certain events alone.
fn catch_up_on(
    tx: &ReadTx<'_>,
    principal: &Arc<Principal>,
    audience: &Audience,
    after: Offset,
    sources: &Sources<'_>,
    wanted: &dyn Fn(&Event) -> bool,
) -> Result<Opened, Fault> {
    let mut opened = current(tx, principal, audience, sources)?;
    let too_far = || Fault::new(Code::Overloaded, "too far behind");
    if !is_kept(tx, after, sources)? {
        return Err(too_far());
    }
    if missed_of(tx, after, sources, wanted, &mut opened)? { Ok(opened) } else { Err(too_far()) }
}

/// Whether the log still holds what follows a place.
fn is_kept(tx: &ReadTx<'_>, after: Offset, sources: &Sources<'_>) -> Result<bool, Fault> {
    mutant!(PrunedRowsForgotten => return Ok(true));
    Ok(log::resume(tx, &sources.speller.cursor(after))? == Resume::From(after))
}

/// What a subscription asks for.
pub struct Asked {
    /// What is heard from now on.
    pub audience: Audience,
    /// The streams of which the snapshot says how things are.
    pub shown: Streams,
    /// Reads the snapshot.
    pub snapshot: Snapshot,
}

impl Asked {
    /// Whether something is heard of which the snapshot says nothing. Most sessions hear nothing else, and
    /// then it does not matter how far they are behind.
    pub fn hears_more(&self) -> bool {
        self.audience.streams.without(self.shown) != Streams::default()
    }
}

/// Reads the snapshot of a new subscription, and the rows after `after` that it does not make up for: those
/// of other services, which the session misses while it is suspended.
///
/// # Errors
/// As [`catch_up`]; and what the snapshot refuses.
pub fn subscribe(
    tx: &ReadTx<'_>,
    principal: &Arc<Principal>,
    asked: Asked,
    after: Offset,
    sources: &Sources<'_>,
) -> Result<Opened, Fault> {
    let mut opened = if asked.hears_more() {
        let is_other = |event: &Event| !sources.roots.of_event(event).meets(asked.shown);
        catch_up_on(tx, principal, &asked.audience, after, sources, &is_other)?
    } else {
        current(tx, principal, &asked.audience, sources)?
    };
    opened.snapshot = Some((asked.snapshot)(tx, &opened.principal)?);
    Ok(opened)
}

/// The principal as it is by now, and what it may hear.
fn current(
    tx: &ReadTx<'_>,
    principal: &Arc<Principal>,
    audience: &Audience,
    sources: &Sources<'_>,
) -> Result<Opened, Fault> {
    let principal = match identity::check(tx, principal, sources.now)? {
        Some(changed) => Arc::new(changed),
        None => principal.clone(),
    };
    opened(tx, principal, audience, sources)
}

/// The place that the transaction sees, with the rights that a principal has there.
fn opened(
    tx: &ReadTx<'_>,
    principal: Arc<Principal>,
    audience: &Audience,
    sources: &Sources<'_>,
) -> Result<Opened, Fault> {
    let topics = audience.topics(tx, sources.streams, &principal)?;
    let mut held: Vec<_> = topics.into_iter().map(|topic| Held { since: 0, topic }).collect();
    let rooms = enter(tx, &principal, audience, sources, &mut held)?;
    let Audience { streams, filter, .. } = audience.clone();
    let judged = streams.numbers().filter(|&number| sources.streams[number].still.is_some());
    let judged = judged.collect();
    let opening = Opening { at: tx.head()?, held, streams, judged, filter, ..Opening::default() };
    Ok(Opened {
        principal,
        streams,
        topics: None,
        rooms,
        snapshot: None,
        handed: None,
        opening,
        reset: None,
    })
}

/// Adds the topics of an audience's rooms to what is held, and gives the rooms where the principal may be.
fn enter(
    tx: &ReadTx<'_>,
    principal: &Principal,
    audience: &Audience,
    sources: &Sources<'_>,
    held: &mut Vec<Held>,
) -> Result<Option<Arc<Vec<Listened>>>, Fault> {
    let Some(rooms) = &audience.rooms else { return Ok(None) };
    let mut kept = Vec::with_capacity(rooms.len());
    for room in rooms.iter() {
        let root = room.name.split('/').next().unwrap_or_default();
        let known = sources.rooms.iter().find(|(word, _)| *word == root);
        let topics = known.map(|(_, topics)| topics(tx, principal, &room.name)).transpose()?;
        for RoomTopic { topic, since } in topics.iter().flatten().cloned() {
            let since = since.max(room.since);
            match held.iter_mut().find(|held| held.topic == topic) {
                Some(known) => known.since = known.since.min(since),
                None => held.push(Held { topic, since }),
            }
        }
        if topics.is_some_and(|topics| !topics.is_empty()) {
            kept.push(room.clone());
        }
    }
    Ok(match kept.len() {
        0 => None,
        len if len == rooms.len() => Some(rooms.clone()),
        _ => Some(Arc::new(kept)),
    })
}

/// Adds the rows after `after` that the principal is entitled to; `false` if they are past the limits
/// of a replay.
pub(crate) fn missed(
    tx: &ReadTx<'_>,
    after: Offset,
    sources: &Sources<'_>,
    opened: &mut Opened,
) -> Result<bool, Fault> {
    missed_of(tx, after, sources, &|_| true, opened)
}

/// The same of certain events alone; others count for no limit.
pub(crate) fn missed_of(
    tx: &ReadTx<'_>,
    after: Offset,
    sources: &Sources<'_>,
    wanted: &dyn Fn(&Event) -> bool,
    opened: &mut Opened,
) -> Result<bool, Fault> {
    let Opened { principal, opening, .. } = opened;
    let (names, mut grants) = (principal.names(), Vec::new());
    for name in &names {
        grants.extend(log::grants(tx, name, after, opening.at)?);
    }
    hold_from(&mut opening.held, &grants);
    if opening.judged != Streams::default() {
        let ended = log::ended(tx, &names, after, opening.at)?.into_iter();
        let filter = opening.filter.as_deref();
        let is_judged = |right: &Ended| {
            let streams = sources.roots.streams_of(&right.topic);
            streams.meets(opening.judged) && filter.and_then(|f| f.parts_on(streams)).is_none()
        };
        opening.ended.extend(ended.filter(is_judged));
        mutant!(EndedForgotten => opening.ended.clear());
    }
    let judge = Judge { tx, principal, sources, known: HashMap::new() };
    let Some(rows) = rows(after, opening, judge, wanted)? else { return Ok(false) };
    opening.rows = rows;
    Ok(true)
}

/// Asks services whether a principal may still be told an event, once for each thing that events are about.
struct Judge<'a> {
    tx: &'a ReadTx<'a>,
    principal: &'a Principal,
    sources: &'a Sources<'a>,
    known: HashMap<(usize, String), bool>,
}

impl Judge<'_> {
    fn allows(&mut self, event: &Event, heard_on: Streams) -> Result<bool, Fault> {
        let streams = self.sources.streams;
        let mut judges = heard_on.numbers();
        let judge = judges.find_map(|number| Some((number, streams.get(number)?.still?)));
        let Some((number, still)) = judge else { return Ok(true) };
        Ok(match self.known.entry((number, event.key.clone())) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => *slot.insert(still(self.tx, self.principal, event)?),
        })
    }
}

/// A right that was granted meanwhile holds from its grant on.
fn hold_from(held: &mut [Held], grants: &[(Topic, Offset)]) {
    mutant!(GrantTakenEarly => return);
    for right in held {
        let of_topic = grants.iter().filter(|(granted, _)| *granted == right.topic);
        let granted = of_topic.map(|(_, offset)| *offset).max().unwrap_or(0);
        right.since = right.since.max(granted);
    }
}

/// The rows in `(after, at]` that the rights allow: from memory as far as it reaches, else from disk.
fn rows(
    after: Offset,
    opening: &Opening,
    judge: Judge<'_>,
    wanted: &dyn Fn(&Event) -> bool,
) -> Result<Option<Vec<Arc<Entry>>>, Fault> {
    let (tx, sources) = (judge.tx, judge.sources);
    let mut rows = Rows { opening, judge, wanted, kept: Vec::new(), from_memory: true, bytes: 0 };
    let mut from = after;
    if let Some(entries) = sources.recent.range(after, opening.at, usize::MAX) {
        from = entries.last().map_or(after, |entry| entry.offset());
        if !rows.add_all(entries)? {
            return Ok(None);
        }
    }
    rows.from_memory = false;
    let held = opening.held.iter().map(|held| &held.topic);
    let topics = held.chain(opening.ended.iter().map(|ended| &ended.topic)).cloned().collect();
    let wanted = Wanted { topics, principal: None };
    while from < opening.at {
        let limits = ReplayLimits { out_of_time: sources.out_of_time, ..ReplayLimits::SLICE };
        let replayed = log::replay(tx, from, opening.at, &wanted, &limits)?;
        let entries = replayed.rows.into_iter().map(|row| Arc::new(Entry::new(Arc::new(row))));
        if !rows.add_all(entries)? || (sources.out_of_time)() {
            return Ok(None);
        }
        from = replayed.upto;
    }
    Ok(Some(rows.kept))
}

/// Rows within the limits of a replay.
struct Rows<'a> {
    opening: &'a Opening,
    judge: Judge<'a>,
    wanted: &'a dyn Fn(&Event) -> bool,
    kept: Vec<Arc<Entry>>,
    /// Whether the rows being added are shared ones.
    from_memory: bool,
    /// Bytes of the rows kept that are not shared.
    bytes: usize,
}

impl Rows<'_> {
    /// Keeps those of these rows that are to be told; `false` when that is past a limit.
    fn add_all(&mut self, entries: impl IntoIterator<Item = Arc<Entry>>) -> Result<bool, Fault> {
        for entry in entries {
            if !self.is_told(&entry)? {
                continue;
            }
            self.bytes += if self.from_memory { 0 } else { entry.memory_len() };
            self.kept.push(entry);
            if self.kept.len() > REPLAY_EVENTS_MAX || self.bytes > REPLAY_DISK_BYTES_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_told(&mut self, entry: &Entry) -> Result<bool, Fault> {
        let Some(event) = &entry.logged.event else { return Ok(false) };
        if !(self.wanted)(event) || self.opening.variant(event, entry.offset()).is_none() {
            return Ok(false);
        }
        let heard_on = self.judge.sources.roots.of_event(event);
        let filter = self.opening.filter.as_ref();
        let is_filtered = filter.is_some_and(|filter| filter.leaves_out(event, heard_on));
        Ok(!is_filtered && self.judge.allows(event, heard_on)?)
    }
}

fn resumed(cursor: &str, replayed: usize) -> Bytes {
    said("resumed", &Resumed { cursor, replayed })
}

fn reset(cursor: &str, reason: Reason) -> Bytes {
    said("reset", &Reset { reason: reason.as_str(), cursor })
}

fn said(name: &str, words: &impl Serialize) -> Bytes {
    let payload = serde_json::to_string(words).expect("texts and numbers serialise");
    plain::event_frame(name, &payload, Form::Spread, None)
}
