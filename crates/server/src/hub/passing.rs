//! Events that pass: told to those who are there, in the order of everything, and gone.
//!
//! - They are no rows of the log: [`Recent`](super::Recent) and replays do not have them, and who missed one never
//!   hears it. A session that is pending for the first time missed it.
//! - A session that is pending again or behind, as it enters a room, or whose place is after theirs, is told those of
//!   which each counts ([`Overflow::Close`]), as one may end what another began: when it is live, of each key the
//!   newest. Of values that a newer one replaces it missed this one.
//! - They stand between two rows and bear the offset of the one before; to who is told late, that of its own place. A
//!   reader with a cursor goes on from there, and has missed no row. They move no session's place, nor the hub's.
//! - In everything else they are events: rights, exceptions, filters and variants are as of any; a reader that does
//!   not keep up loses older ones, or is closed, as their [`Overflow`] says; what waits for a slow socket, or for a
//!   session to be live, is dropped when the right to it is lost.
//! - Nobody is asked to acknowledge them: there is nothing to be told again.

use std::{io::Write, slice, sync::Arc};

use bellwire_store::change::{Event, Logged, Micros, Offset, Overflow, Topic};

use super::{
    Hub, count,
    outbox::Frame,
    recent::{Entry, Shape},
    session::{Behind, Narrowed, Place, Session, holds_but},
};
use crate::{audience::Roots, logging};

/// So much of what passes is kept for a session that is not live; of more, the oldest is lost.
pub(super) const PASSED_MAX: usize = 64;

/// An event that passes.
///
/// What was decided leaves after COMMIT, as a row that the store gives away; this leaves without a transaction, so it
/// must not say of anything that it *was done*: only what follows from rows that were told, or what nobody will ask
/// for again. It has no effects, and cannot become a row: the entry in it is given to nobody.
#[derive(Debug)]
pub struct Passing {
    entry: Arc<Entry>,
}

impl Passing {
    /// An event that passes right after the row `after`, at the time `at`. For [`Feeds::pass`] alone, which knows that
    /// no shard was sent a later row: all of them must be told it at the same place.
    ///
    /// [`Feeds::pass`]: crate::sequencer::Feeds::pass
    pub fn after(after: Offset, event: Event, at: Micros) -> Passing {
        let logged = Logged { offset: after, at, event: Some(event), effects: Vec::new() };
        Passing { entry: Arc::new(Entry::passing(Arc::new(logged))) }
    }

    /// The row that it stands behind.
    pub fn offset(&self) -> Offset {
        self.entry.offset()
    }

    /// Its bytes, of the first variant.
    #[cfg(test)]
    pub(super) fn frame(&self, speller: &super::Speller, shape: Shape) -> bytes::Bytes {
        speller.frame(&self.entry, 0, shape)
    }

    /// What happened.
    pub fn event(&self) -> Option<&Event> {
        self.entry.logged.event.as_ref()
    }
}

impl<S: Write> Hub<S> {
    /// Tells an event that passes to every live session that it concerns. Frames go out with the next
    /// [`flush`](Hub::flush).
    pub fn pass(&mut self, passing: &Passing) {
        let entry = &passing.entry;
        let Some(event) = passing.event() else { return };
        let mut receivers = self.receivers(entry, event);
        let counts = event.overflow == Overflow::Close;
        let mut ahead = Vec::new();
        receivers.retain(|&(slot, _)| {
            let is_ahead = self.sessions[slot as usize].floor > entry.offset();
            ahead.extend(is_ahead.then_some(slot).filter(|_| counts));
            !is_ahead
        });
        let passed = slice::from_ref(entry);
        ahead.into_iter().for_each(|slot| self.tell_late(slot, passed));
        if counts {
            self.keep_passed(entry, event);
        }
        let Hub { lines, sessions, tick, speller, told, .. } = self;
        let logs = logging::says_what_is_told();
        // One frame per variant and shape.
        let mut frames = vec![[None; Shape::COUNT]; event.variants.len()];
        for &(slot, variant) in &receivers {
            let session = &sessions[slot as usize];
            let shape = session.shape;
            if logs {
                logging::telling(&event.name, &session.principal);
            }
            let frame = *frames[variant][shape as usize].get_or_insert_with(|| {
                let bytes = speller.frame(entry, variant, shape);
                tick.frame(Frame::of_row(bytes, entry, variant, shape))
            });
            tick.chain(session.line, &mut lines[session.line as usize].chain, frame, slot);
        }
        count(told, event, receivers.len() as u64);
    }

    /// Who is told it, each once, and in which variant: the first that matches. That is found by sorting, as a
    /// session's place must not move and no session has room for another.
    fn receivers(&self, entry: &Entry, event: &Event) -> Vec<(u32, usize)> {
        let Hub { sessions, topics, keys, roots, .. } = self;
        let (heard_on, rights_before) = (roots.of_event(event), entry.rights_before());
        let filtered = keys.get(&event.key);
        let mut receivers = Vec::new();
        for (number, variant) in event.variants.iter().enumerate() {
            let listed = variant.topics.iter().filter_map(|topic| topics.get(topic)).flatten();
            receivers.extend(listed.map(|&slot| (slot, number)));
            let holds =
                |slot: &&u32| sessions[**slot as usize].holds(&variant.topics, rights_before);
            let filtered = filtered.into_iter().flatten().filter(holds);
            receivers.extend(filtered.map(|&slot| (slot, number)));
        }
        receivers
            .retain(|&(slot, _)| !sessions[slot as usize].skips(event, heard_on, rights_before));
        receivers.sort_unstable();
        receivers.dedup_by_key(|(slot, _)| *slot);
        receivers
    }

    /// Keeps it for sessions that may hear it and are not live.
    fn keep_passed(&mut self, entry: &Arc<Entry>, event: &Event) {
        let Hub { sessions, roots, away, .. } = self;
        for &slot in away.iter() {
            let session = &mut sessions[slot as usize];
            if session.variant_but(entry, event, roots, |_| false).is_some()
                && let Place::Behind(behind) | Place::Pending(Some(behind)) = &mut session.place
            {
                behind.keep(entry, event);
            }
        }
    }

    /// Tells a live session, at its place, what passed at places before: as far as it may hear it by rights that it has
    /// had since.
    pub(super) fn tell_late(&mut self, slot: u32, passed: &[Arc<Entry>]) {
        // Of older ones memory does not say what became of the rights to them.
        let passed: Vec<_> =
            passed.iter().filter(|entry| self.recent.covers(entry.offset())).collect();
        let Some(first) = passed.iter().map(|entry| entry.offset()).min() else { return };
        let session = &self.sessions[slot as usize];
        let place = self.at.max(session.floor);
        let Some(rows) = self.recent.range(first, place, usize::MAX) else { return };
        if rows.last().map_or(first, |row| row.offset()) < place {
            return; // Nor yet of rows that it was told from disk.
        }
        let principal = &session.principal;
        let taken_by = |row: &Arc<Entry>| {
            let effects = row.logged.effects.iter();
            let of = |effect| Narrowed::of(effect, principal, row.offset());
            effects.filter_map(of).collect::<Vec<_>>()
        };
        let taken: Vec<Narrowed> = rows.iter().flat_map(taken_by).collect();
        for entry in passed {
            let Some(event) = &entry.logged.event else { continue };
            let (session, offset) = (&self.sessions[slot as usize], entry.offset());
            let ended = |topic: &Topic| taken.iter().any(|less| less.hides(topic, event, offset));
            let variant = session.variant_but(entry, event, &self.roots, ended);
            let Some(variant) = variant else { continue };
            let (shape, whose) = (session.shape, &session.principal);
            let late = Passing::after(place, event.clone(), entry.logged.at).entry;
            let frame = Frame::telling(&self.speller, &late, variant, shape, whose);
            logging::telling(&event.name, whose);
            count(&mut self.told, event, 1);
            self.push(slot, frame);
        }
    }
}

impl Session {
    /// In which variant it may hear what passed, if it may, without regard to rights to some topics.
    fn variant_but(
        &self,
        entry: &Entry,
        event: &Event,
        roots: &Roots,
        but: impl Fn(&Topic) -> bool,
    ) -> Option<usize> {
        let rights_before = entry.rights_before();
        if self.skips(event, roots.of_event(event), rights_before) {
            return None;
        }
        let hears = |topics: &[Topic]| holds_but(&self.held, topics, rights_before, &but);
        event.variants.iter().position(|variant| hears(&variant.topics))
    }
}

impl Behind {
    fn keep(&mut self, entry: &Arc<Entry>, event: &Event) {
        let is_other =
            |kept: &Arc<Entry>| kept.logged.event.as_ref().is_none_or(|kept| kept.key != event.key);
        self.passed.retain(is_other);
        if self.passed.len() == PASSED_MAX {
            self.passed.remove(0);
        }
        self.passed.push(entry.clone());
    }
}
