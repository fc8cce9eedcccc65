//! Connections that may be recovered: their rows are written before they are told anything, and a
//! change of what they listen to before it is acknowledged.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bellwire_services::{
    kit::{Code, Fault, Principal, Tx},
    live_sessions::{self, Listened, LiveSession, PID_LEN},
};
use bellwire_store::{change::Offset, log::Reason, tx::ReadTx};

use super::{Door, Hears, Lane, Unsettled, connecting::Arriving, overloaded};
use crate::{
    audience::{Audience, Streams},
    credentials::chance,
    opening::{
        self, Credential, Opened,
        recovery::{Found, Wish},
    },
};

/// How often it is looked again for a connection whose row became another's between the read and the write.
const AGAIN_MAX: u32 = 3;

/// A connection that asks to be recovered, now or later.
#[derive(Debug, Clone)]
pub struct Recoverable {
    /// Who it is.
    pub credential: Credential,
    /// Where it connects; it is recovered there alone.
    pub namespace: &'static str,
    /// The service of that namespace, if its names alone count there.
    pub within: Option<&'static str>,
    /// Its own id, new and never used again.
    pub sid: String,
    /// What it listens to if it begins anew.
    pub hears: Hears,
    /// Whether it acknowledges critical events.
    pub asks: bool,
    /// Its `pid` from before, as the client says.
    pub pid: Option<String>,
    /// The cursor of the last event that it was told, as the client says; none, if it was told none.
    pub offset: Option<String>,
}

/// A connection that has a row by now, and can go live.
#[derive(Debug)]
pub struct Recovered {
    /// What it is told first, what it missed among it, and what it may hear.
    pub opened: Opened,
    /// By this it may come back; `None`: the disk is full, so it cannot.
    pub pid: Option<String>,
    /// Whether it goes on from where it was, having missed nothing.
    pub recovered: bool,
    /// The streams that it listened to and left: a call to their services changes nothing.
    pub left: Streams,
    /// The connection that had the `pid` until now, if it still lives as far as is known: nobody has it
    /// twice, so that one is to be ended.
    pub replaced: Option<String>,
}

/// Whose row it is that remembers what a connection listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// By what it may come back.
    pub pid: String,
    /// The connection.
    pub sid: String,
    /// The streams that it has ever listened to.
    pub known: Streams,
}

/// What a session is to listen to.
#[derive(Debug, Clone)]
pub struct Listen<'a> {
    /// The service whose names alone count, if its namespace is one's own.
    pub within: Option<&'a str>,
    /// The names of all topics.
    pub names: Vec<String>,
    /// What it listened to until now.
    pub before: Vec<Listened>,
    /// The rooms that it is in, where it stays.
    pub rooms: Option<Arc<Vec<Listened>>>,
}

/// What a session is moved to.
#[derive(Debug, Clone)]
pub struct Moves {
    /// The rooms that it enters.
    pub enters: Vec<String>,
    /// Those that it leaves.
    pub leaves: Vec<String>,
    /// Who it is from then on.
    pub principal: Arc<Principal>,
}

impl Kept {
    fn write(&self, tx: &mut Tx<'_>, topics: &[Listened], rooms: &[Listened]) -> Result<(), Fault> {
        if live_sessions::listen(tx, &self.pid, &self.sid, topics, rooms)? {
            Ok(())
        } else {
            Err(Fault::new(Code::Conflict, "conflict: another connection goes on with this one"))
        }
    }
}

/// A [`Recoverable`] on its way.
struct Recovery {
    call: Recoverable,
    /// Whether somebody waits for it.
    wanted: Weak<()>,
    /// How often it may be looked again.
    again: u32,
}

/// What became of a connection's row.
enum Written {
    /// It goes on with that of one before it.
    Claimed,
    /// That is not as it was read any more: nothing was written.
    Changed,
    /// It has a new one.
    Inserted,
}

/// What was read for one.
struct Read {
    found: Found,
    /// The names of the topics that it listens to if it begins anew.
    names: Vec<String>,
    /// What is to be written if it acknowledges.
    unsettled: Unsettled,
}

impl Arriving for Recovery {
    type Read = Read;
    type Answer = Recovered;

    fn wanted(&self) -> &Weak<()> {
        &self.wanted
    }

    fn credential(&self) -> &Credential {
        &self.call.credential
    }

    fn read(&self, door: &Door, tx: &ReadTx<'_>, lane: Lane) -> Result<Option<Read>, Fault> {
        let call = &self.call;
        let principal = opening::caller(tx, &call.credential, door.clock.now())?.principal;
        let (audience, names) = door.heard_by(&call.hears, &principal)?;
        let wish = Wish {
            principal,
            namespace: call.namespace,
            audience: &audience,
            pid: call.pid.as_deref(),
            offset: call.offset.as_deref(),
            from_disk: lane == Lane::Replays,
        };
        let meant = |kept: &[Listened]| {
            let (topics, _) = door.tables.without_left(kept);
            door.tables.audience(call.within, topics.iter().map(|topic| topic.name.as_str()))
        };
        let found =
            door.with_sources(|sources| opening::recovery::recover(tx, &wish, meant, sources))?;
        let Some(mut found) = found else { return Ok(None) };
        if let Some(before) = &mut found.before {
            let after = door.tables.counts_after(&before.session.topics);
            // What came before a topic was asked for was not missed: a snapshot may have had it.
            before.opened.opening.rows.retain(|row| {
                let after = row.logged.event.as_ref().and_then(&after);
                after.is_some_and(|after| after < row.offset())
            });
        }
        let mut unsettled = Some(Unsettled::default());
        if call.asks {
            unsettled = door.add_unacknowledged(tx, lane, &mut found.fresh)?;
            if let (Some(_), Some(before)) = (&unsettled, &mut found.before) {
                unsettled = door.add_unacknowledged(tx, lane, &mut before.opened)?;
            }
        }
        let names = names.unwrap_or_default();
        Ok(unsettled.map(|unsettled| Read { found, names, unsettled }))
    }

    fn principal(read: &Read) -> Arc<Principal> {
        read.found.fresh.principal.clone()
    }

    /// Writes the row of a connection, and answers. What was found is claimed if it is still so. If it is not, as
    /// when another connection of the same client came just before and broke, or another room was entered, it is
    /// looked again: who writes last goes on, mostly who came last; another that lives is closed and comes back. Who had the
    /// row, and reads again while another claims it, begins anew.
    fn settle(
        self,
        door: &Arc<Door>,
        Read { found: Found { mut fresh, before }, names, unsettled }: Read,
        answer: impl FnOnce(Result<Recovered, Fault>) + Send + 'static,
    ) {
        let Recovery { call, wanted, again } = self;
        let session = LiveSession {
            pid: new_pid(),
            sid: call.sid.clone(),
            principal: fresh.principal.id.clone(),
            namespace: call.namespace.to_owned(),
            topics: door.tables.since(names, &[], fresh.opening.at),
            rooms: Vec::new(),
            at: fresh.opening.at,
            left_at: None,
        };
        let (old, new) = (before.as_ref().map(|before| before.session.clone()), session.clone());
        let work = move |tx: &mut Tx<'_>, _| {
            let written = match &old {
                Some(found) if live_sessions::claim(tx, found, &new.sid)? => Written::Claimed,
                Some(found) if again > 0 && found.sid != new.sid => return Ok(Written::Changed),
                _ => {
                    live_sessions::insert(tx, &new)?;
                    Written::Inserted
                }
            };
            unsettled.write(tx)?;
            Ok(written)
        };
        let (partings, clock) = (door.partings.clone(), door.clock.clone());
        // Not the door itself: it owns the writer, whose queue this waits in, and would keep itself alive.
        let settling = Arc::downgrade(door);
        let kept = before.as_ref().map(|before| door.tables.without_left(&before.session.topics));
        let (topics, left) = kept.unwrap_or_default();
        let reply = move |written: Result<Written, Fault>| {
            let sid = session.sid.clone();
            let result = match (written, before) {
                (Ok(Written::Changed), _) => {
                    let recovery = Recovery { call, wanted, again: again - 1 };
                    if let Some(door) = settling.upgrade() {
                        door.look_again(recovery, answer);
                    }
                    return;
                }
                (Ok(Written::Claimed), Some(before)) => {
                    let opened = Opened { topics: Some(topics), ..before.opened };
                    Ok(recovered(before.session, opened, left, &session.sid))
                }
                // Live events go on, as all that is only read.
                (Err(fault), _) if fault.code == Code::Full => Ok(began(fresh, None)),
                (Err(fault), _) => Err(fault),
                (Ok(_), lost) => {
                    fresh.reset = fresh.reset.or(lost.map(|_| Reason::Expired));
                    fresh.topics = Some(session.topics);
                    Ok(began(fresh, Some(session.pid)))
                }
            };
            match result {
                Ok(gone) if wanted.strong_count() == 0 => {
                    let now = clock.now();
                    gone.pid.into_iter().for_each(|pid| partings.left(pid, sid.clone(), now));
                }
                result => answer(result),
            }
        };
        door.write_own(work, reply);
    }
}

impl Door {
    /// Finds out whether a new connection can go on from where one before it was, reads what it
    /// missed, and gives it a row. `answer` is called after COMMIT, on the writer's thread, or where it
    /// was refused; not at all if nobody waits for it any more. Whoever gets an answer for a connection
    /// that has ended meanwhile says so with [`leave`](Door::leave).
    ///
    /// A fresh start after a `pid` that was of no use says why in [`Opened::reset`]. There are no frames.
    /// If the hub wants the read done again ([`Need::Reread`](crate::hub::Need::Reread)), the same call
    /// with the `pid` that was given and the same `sid` goes on from the same place; without an `offset`,
    /// if it began anew. Whether it is recovered, the first answer says.
    ///
    /// # Errors
    /// What can be said at once: a name means nothing, or too much waits already.
    pub fn recoverable(
        self: &Arc<Self>,
        call: Recoverable,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Recovered, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let lane = match (&call.pid, &call.offset) {
            (Some(_), Some(offset)) => self.lane_from(offset),
            _ => Lane::Usual,
        };
        let recovery = Recovery { call, wanted: wanted.clone(), again: AGAIN_MAX };
        self.read_while(lane, wanted, self.arriving(lane, recovery, answer))
    }

    /// The same once more. It is called on the writer's thread, so it waits for nothing.
    fn look_again(
        self: &Arc<Self>,
        recovery: Recovery,
        answer: impl FnOnce(Result<Recovered, Fault>) + Send + 'static,
    ) {
        let job = self.arriving(Lane::Usual, recovery, answer);
        if let Err(job) = self.store.read(job) {
            job(Err(overloaded()));
        }
    }

    /// Reads what a session needs to listen to something else. `after` is the last row that it was
    /// told, or need not be: what it misses while it is suspended is told to it, as far as the new
    /// audience hears it. With `kept`, its row remembers that, before `answer` is called.
    ///
    /// # Errors
    /// When a name means nothing, or too much waits already.
    pub fn listen(
        self: &Arc<Self>,
        principal: Arc<Principal>,
        wish: Listen<'_>,
        after: Offset,
        kept: Option<Kept>,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let Listen { within, names, before, rooms } = wish;
        let audience = self.tables.audience(within, names.iter().map(String::as_str))?;
        let audience = Audience { rooms, ..audience }.without_unheard(&self.tables.roots);
        let topics = self.tables.since(names, &before, after);
        let door = self.clone();
        self.catch_up(principal, audience, after, wanted, move |result| {
            let keeps = result.map(|opened| Opened { topics: Some(topics), ..opened });
            door.keep(kept, keeps, answer);
        })
    }

    /// Reads what a session needs to be in other rooms; of what it listens to by name, nothing changes: `topics`. All
    /// else is as of [`listen`](Door::listen).
    ///
    /// # Errors
    /// When too much waits already.
    pub fn move_to(
        self: &Arc<Self>,
        moves: Moves,
        audience: Audience,
        (after, topics): (Offset, Vec<Listened>),
        kept: Option<Kept>,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let door = self.clone();
        self.read_while(self.lane_after(after), wanted, move |tx| {
            let opened = tx.and_then(|tx| {
                let audience = audience.moved(&moves.enters, &moves.leaves, tx.head()?)?;
                door.with_sources(|sources| {
                    opening::catch_up(tx, &moves.principal, &audience, after, sources)
                })
            });
            let keeps = opened.map(|opened| Opened { topics: Some(topics), ..opened });
            door.keep(kept, keeps, answer);
        })
    }

    /// Answers, once the row remembers the topics that the connection listens to from now on.
    pub(super) fn keep(
        &self,
        kept: Option<Kept>,
        opened: Result<Opened, Fault>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) {
        match (kept, opened) {
            (Some(kept), Ok(opened)) => {
                let topics = opened.topics.clone().unwrap_or_default();
                let topics = self.tables.with_left(topics, kept.known.and(opened.streams));
                let rooms = opened.rooms.as_deref().cloned().unwrap_or_default();
                self.write_own(
                    move |tx, _| kept.write(tx, &topics, &rooms),
                    move |written| answer(written.map(|()| opened)),
                );
            }
            (_, opened) => answer(opened),
        }
    }
}

/// The connection begins anew.
fn began(opened: Opened, pid: Option<String>) -> Recovered {
    Recovered { opened, pid, recovered: false, left: Streams::default(), replaced: None }
}

/// The connection `sid` goes on from where one before it was.
fn recovered(session: LiveSession, opened: Opened, left: Streams, sid: &str) -> Recovered {
    let lives = session.left_at.is_none() && session.sid != sid;
    Recovered {
        opened,
        pid: Some(session.pid),
        recovered: true,
        left,
        replaced: lives.then_some(session.sid),
    }
}

/// 120 bits of chance as text.
fn new_pid() -> String {
    let pid = URL_SAFE_NO_PAD.encode(&chance()[..PID_LEN / 4 * 3]);
    debug_assert_eq!(pid.len(), PID_LEN);
    pid
}
