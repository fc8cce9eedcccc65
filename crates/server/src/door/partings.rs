//! Connections that ended, to be noted in `live_sessions`. Nobody waits for it, and many end at once:
//! they are written many in one write, and none is lost when there is no room for that.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use bellwire_services::{
    kit::{Answer, Fault, Micros, Reply as _, Tx},
    live_sessions,
};
use bellwire_store::{batch::Write, change::Outcome};

use super::Door;
use crate::sequencer::ReplyTo;

/// How many are noted in one write.
const SLICE: usize = 500;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its connection ended then; it may be recovered.
    Left(Micros),
    /// The client said goodbye.
    Forgotten,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parting {
    pid: String,
    sid: String,
    end: End,
}

impl Parting {
    fn note(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        match self.end {
            End::Left(at) => live_sessions::leave(tx, &self.pid, &self.sid, at),
            End::Forgotten => live_sessions::forget(tx, &self.pid, &self.sid),
        }
    }
}

/// The connections that ended and are not noted yet. Each had a row, so they are no more than those.
///
/// A `Mutex`: shards add, the writer takes; each holds it for a moment.
#[derive(Debug, Default)]
pub struct Partings(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    partings: VecDeque<Parting>,
    /// Writes that are queued and have taken nothing yet.
    writes: usize,
}

impl Partings {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().expect("nobody panics under this lock")
    }

    /// Notes, with the next write of this kind, that the connection `sid` ended.
    pub(super) fn left(&self, pid: String, sid: String, at: Micros) {
        self.lock().partings.push_back(Parting { pid, sid, end: End::Left(at) });
    }

    /// Takes what one write notes.
    fn take(&self) -> Vec<Parting> {
        let mut waiting = self.lock();
        waiting.writes -= 1;
        let count = SLICE.min(waiting.partings.len());
        waiting.partings.drain(..count).collect()
    }

    /// Puts back what could not be noted.
    fn put_back(&self, partings: Vec<Parting>) {
        let mut waiting = self.lock();
        partings.into_iter().rev().for_each(|parting| waiting.partings.push_front(parting));
    }

    /// Whether a further write is wanted; it is counted then.
    fn wants_write(&self) -> bool {
        let mut waiting = self.lock();
        let wanted = waiting.partings.len() > waiting.writes * SLICE;
        waiting.writes += usize::from(wanted);
        wanted
    }

    fn write(self: &Arc<Self>, at: Micros) -> Write<Answer, ReplyTo> {
        // What `run` took, also when it runs again. A `Mutex`: the writer alone has it, twice.
        let taken = Arc::new(Mutex::new(None));
        let (partings, noted) = (self.clone(), taken.clone());
        let run = move |tx: &mut Tx<'_>| {
            let mut noted = noted.lock().expect("nobody panics under this lock");
            let noted = noted.get_or_insert_with(|| partings.take());
            noted.iter().try_for_each(|parting| parting.note(tx))?;
            Ok(Outcome::reply(().answer()?))
        };
        let partings = self.clone();
        let reply = move |result: Result<Answer, Fault>| {
            let taken = taken.lock().expect("nobody panics under this lock").take();
            if result.is_err() {
                partings.put_back(taken.unwrap_or_else(|| partings.take()));
            }
        };
        Write { at, run: Box::new(run), to: ReplyTo::Function(Box::new(reply)) }
    }
}

impl Door {
    /// Notes that a connection ended which may be recovered. Nothing happens if another has its `pid`
    /// by now.
    pub fn leave(&self, pid: String, sid: String) {
        self.partings.left(pid, sid, self.clock.now());
        self.note_partings();
    }

    /// Forgets a connection that is not to be recovered, as the client ended it. Nothing happens if
    /// another has its `pid` by now.
    pub fn forget(&self, pid: String, sid: String) {
        self.partings.lock().partings.push_back(Parting { pid, sid, end: End::Forgotten });
        self.note_partings();
    }

    /// Writes what is to be noted. What finds no room, or fails, waits for the next time: housekeeping
    /// asks too.
    pub(crate) fn note_partings(&self) {
        while self.partings.wants_write() {
            if self.store.write(self.partings.write(self.clock.now())).is_err() {
                self.partings.lock().writes -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
impl Partings {
    /// A parting whose write fails.
    pub(super) fn fail_once(self: &Arc<Self>, pid: String, sid: String) {
        self.left(pid, sid, 1);
        assert!(self.wants_write());
        if let ReplyTo::Function(reply) = self.write(1).to {
            reply(Err(super::overloaded()));
        }
    }
}
