//! What becomes of a session when its rights change while it is connected.
//!
//! Gaining acts in the order of the log. Losing acts the moment it is known, ahead of rows that the
//! session has not got to. A change that the session's rights were read after is already in them.

use std::{io::Write, sync::Arc};

use bellwire_store::change::{Effect, Offset, Topic};

use super::{
    Hub, Need,
    outbox::{Fate, Frame},
    recent::Entry,
    remove,
    session::{Place, concerned, holds},
};

impl<S: Write> Hub<S> {
    /// Does to live sessions what a row says, after it was told.
    pub(super) fn apply(&mut self, effect: &Effect, offset: Offset) {
        let slots = self.principals.get(concerned(effect)).cloned().unwrap_or_default();
        for slot in slots {
            match effect {
                Effect::Grant { topic, .. } => self.grant(slot, topic, offset),
                Effect::Evict { topic, .. } => self.evict(slot, topic, offset),
                Effect::Revoke { .. } => self.revoke(slot),
            }
        }
    }

    /// All rights end: whatever was to be said is not said any more, answers included, but for the rest
    /// of a frame. A session that ends already says its last words.
    fn revoke(&mut self, slot: u32) {
        let session = &self.sessions[slot as usize];
        if !matches!(session.place, Place::Ending) {
            self.needs.push(Need::Revoked(session.id(slot)));
            self.stop(slot);
        }
        self.drop_queued(slot);
    }

    /// A right comes into being. A session that is behind takes it in when it gets to that row.
    fn grant(&mut self, slot: u32, topic: &Topic, offset: Offset) {
        if self.is_hindsight(slot, topic, offset) {
            return;
        }
        let session = &mut self.sessions[slot as usize];
        if !matches!(session.place, Place::Live)
            || session.held.iter().any(|held| held.topic == *topic)
        {
            return;
        }
        session.gain(topic, offset);
        if session.keys.is_none() {
            self.topics.entry(topic.clone()).or_default().push(slot);
        }
    }

    /// A right ends: unwritten frames that only it allowed are dropped, whatever the session's place.
    /// A snapshot or an answer that waits for a slow socket may show what is no longer to be seen: its
    /// session is cut off, and the client starts from the cursor it has.
    fn evict(&mut self, slot: u32, topic: &Topic, offset: Offset) {
        let session = &self.sessions[slot as usize];
        if matches!(session.place, Place::Ending) {
            return;
        }
        let line = session.line;
        let outbox = self.lines[line as usize].outbox.as_ref();
        if outbox.is_some_and(|outbox| outbox.holds_answers(slot)) {
            return self.cut_off(line);
        }
        if self.is_hindsight(slot, topic, offset) {
            return;
        }
        let session = &mut self.sessions[slot as usize];
        match &mut session.place {
            Place::Behind(behind) | Place::Pending(Some(behind)) => {
                behind.lost.push((topic.clone(), offset))
            }
            Place::Live if session.keys.is_none() => remove(&mut self.topics, topic, slot),
            _ => {}
        }
        if session.lose(topic) {
            self.drop_unentitled(slot);
        }
    }

    /// Whether the read that the session's rights are from was ahead of the hub, and saw this change
    /// of a right. Then only what was queued before the read can lose by it: whoever holds the topic
    /// now holds it from here on at the earliest.
    fn is_hindsight(&mut self, slot: u32, topic: &Topic, offset: Offset) -> bool {
        let session = &mut self.sessions[slot as usize];
        if offset > session.rights_at {
            return false;
        }
        mutant!(HindsightApplied => return false);
        let held = session.held.iter_mut().find(|held| held.topic == *topic);
        held.into_iter().for_each(|held| held.since = held.since.max(offset));
        self.drop_unentitled(slot);
        true
    }

    /// After a right was lost: what waits and only that right allowed is dropped, or told in the
    /// variant to which another right still entitles.
    fn drop_unentitled(&mut self, slot: u32) {
        mutant!(QueueKept => return);
        let Hub { lines, sessions, tick, speller, .. } = self;
        let session = &sessions[slot as usize];
        let (held, shape) = (&session.held, session.shape);
        let revise = |entry: &Arc<Entry>, variant: usize| {
            let Some(event) = &entry.logged.event else { return Fate::Drop };
            let entitled =
                |variant: &usize| holds(held, &event.variants[*variant].topics, entry.offset());
            if entitled(&variant) {
                return Fate::Keep;
            }
            mutant!(OtherVariantForgotten => return Fate::Drop);
            (0..event.variants.len()).find(entitled).map_or(Fate::Drop, |variant| {
                Fate::Replace(Frame::telling(speller, entry, variant, shape))
            })
        };
        lines[session.line as usize].revise(tick, slot, revise);
    }
}
