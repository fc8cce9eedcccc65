//! Events that pass: told to those who are there, in the order of everything, and gone.
//!
//! - They are no rows of the log: [`Recent`](super::Recent) and replays do not have them, and who missed one never
//!   hears it. A session that is pending or behind, or whose place is after theirs, missed it.
//! - They stand between two rows and bear the offset of the one before: a reader with a cursor goes on from there, and
//!   has missed no row. They move no session's place, nor the hub's.
//! - In everything else they are events: rights, exceptions, filters and variants are as of any; a reader that does
//!   not keep up loses older ones, or is closed, as their [`Overflow`](bellwire_store::change::Overflow) says; what
//!   waits for a slow socket is dropped when the right to it is lost.
//! - Nobody is asked to acknowledge them: there is nothing to be told again.

use std::{io::Write, sync::Arc};

use bellwire_store::change::{Event, Logged, Micros, Offset};

use super::{
    Hub, count,
    outbox::Frame,
    recent::{Entry, Shape},
};
use crate::logging;

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
        let receivers = self.receivers(entry, event);
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
        receivers.retain(|&(slot, _)| {
            let session = &sessions[slot as usize];
            session.floor <= entry.offset() && !session.skips(event, heard_on, rights_before)
        });
        receivers.sort_unstable();
        receivers.dedup_by_key(|(slot, _)| *slot);
        receivers
    }
}
