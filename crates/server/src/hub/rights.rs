//! What becomes of a session when its rights change while it is connected.
//!
//! Gaining acts in the order of the log. Losing acts the moment it is known, ahead of rows that the
//! session has not got to. A change that the session's rights were read after is already in them.

use std::{io::Write, sync::Arc};

use bellwire_store::change::{Effect, Offset, Topic, Words};

use super::{
    Hub, Need,
    outbox::{Fate, Frame},
    recent::Entry,
    remove,
    session::{Last, Narrowed, Place, Session, gains_by_grant, holds_but},
};
use crate::logging;

impl<S: Write> Hub<S> {
    /// Does to live sessions what a row says, after it was told.
    pub(super) fn apply(&mut self, effect: &Effect, offset: Offset) {
        if let Effect::Narrow { topic, keys } = effect {
            return self.narrow(Narrowed { topic: topic.clone(), keys: keys.clone(), offset });
        }
        let slots = effect.principal().and_then(|principal| self.principals.get(principal));
        for slot in slots.cloned().unwrap_or_default() {
            match effect {
                Effect::Narrow { .. } => {}
                Effect::Grant { topic, .. } => self.grant(slot, topic, offset),
                Effect::Evict { topic, .. } => self.evict(slot, topic, offset),
                Effect::Move { from, to, .. } => self.follow(slot, from, to, offset),
                Effect::Revoke { last, .. } => {
                    self.revoke(slot, Last { words: last.clone(), offset })
                }
                Effect::Hand { words, claims, .. } => self.hand(slot, words, claims, offset),
            }
        }
    }

    /// Something is said with a token in it, which only the driver can sign. Who was read to know of it already
    /// has heard it.
    fn hand(&mut self, slot: u32, words: &Words, claims: &str, offset: Offset) {
        let session = &self.sessions[slot as usize];
        if offset > session.rights_at && !matches!(session.place, Place::Ending) {
            logging::telling(&words.event, &session.principal);
            let (words, claims) = (words.clone(), claims.to_owned());
            self.needs.push(Need::Hand { session: session.id(slot), words, claims });
        }
    }

    /// All rights end: whatever was to be said is not said any more, answers included, but for the rest
    /// of a frame. A session that ends already says its last words.
    fn revoke(&mut self, slot: u32, last: Last) {
        let session = &self.sessions[slot as usize];
        if !matches!(session.place, Place::Ending) {
            if let Some(words) = &last.words {
                logging::telling(&words.event, &session.principal);
            }
            self.needs.push(Need::Revoked(session.id(slot), last));
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
            || !session.streams.meets(self.roots.streams_of(topic))
            || session.held.iter().any(|held| held.topic == *topic)
        {
            return;
        }
        if let Some(parts) = session.parts(topic, &self.roots) {
            if gains_by_grant(&session.held, parts) {
                self.read_rights(slot, offset);
            }
            return;
        }
        session.gain(topic, offset);
        if !session.filters(topic, &self.roots) {
            self.topics.entry(topic.clone()).or_default().push(slot);
        }
    }

    /// A room goes on under another topic: who hears the one hears the other. A session that is behind takes it in when
    /// it gets to that row.
    fn follow(&mut self, slot: u32, from: &Topic, to: &Topic, offset: Offset) {
        let session = &mut self.sessions[slot as usize];
        let holds = |topic: &Topic| session.held.iter().any(|held| held.topic == *topic);
        let is_live = matches!(session.place, Place::Live) && offset > session.rights_at;
        if !is_live || !holds(from) || holds(to) {
            return;
        }
        session.gain(to, offset);
        if !session.filters(to, &self.roots) {
            self.topics.entry(to.clone()).or_default().push(slot);
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
        if session.parts(topic, &self.roots).is_some() {
            return self.evict_parts(slot, topic, offset);
        }
        let is_listed = !session.filters(topic, &self.roots);
        match &mut session.place {
            Place::Behind(behind) | Place::Pending(Some(behind)) => {
                behind.lost.push((topic.clone(), offset))
            }
            Place::Live if is_listed => remove(&mut self.topics, topic, slot),
            _ => {}
        }
        if session.lose(topic) {
            self.drop_unentitled(slot, None);
        }
    }

    /// The same of who listens to parts of the topic's service: whether it still may, only a read can tell. What waits
    /// for it meanwhile is dropped; with a cursor, by which it would miss that, it is cut off.
    fn evict_parts(&mut self, slot: u32, topic: &Topic, offset: Offset) {
        let Session { line, shape, .. } = self.sessions[slot as usize];
        let waits = &mut self.lines[line as usize];
        if shape.has_cursor() && (waits.outbox.is_some() || waits.chain.is_some()) {
            return self.cut_off(line);
        }
        waits.revise(&mut self.tick, slot, |_, _| Fate::Drop);
        let after = self.told_upto(self.sessions[slot as usize].id(slot));
        match &mut self.sessions[slot as usize].place {
            Place::Pending(None) | Place::Ending => {}
            Place::Pending(Some(behind)) => behind.lost.push((topic.clone(), offset)),
            Place::Behind(_) | Place::Live => self.read_rights(slot, after),
        }
    }

    /// Has the rights of a session read again, and the rows after this place.
    pub(super) fn read_rights(&mut self, slot: u32, after: Offset) {
        let session = self.sessions[slot as usize].id(slot);
        self.suspend(session);
        self.needs.push(Need::CatchUp { session, after });
    }

    /// Does so if it lost a right meanwhile to a service that it listens to in parts; says whether.
    pub(super) fn reread_if_lost(&mut self, slot: u32) -> bool {
        let session = &self.sessions[slot as usize];
        let Place::Behind(behind) = &session.place else { return false };
        let is_lost = behind.is_part_lost(session.filter.as_ref(), &self.roots);
        if is_lost {
            self.read_rights(slot, self.told_upto(session.id(slot)));
        }
        is_lost
    }

    /// Less is told on a topic: of those who hear it, this concerns for whom something waits.
    fn narrow(&mut self, narrowed: Narrowed) {
        let waits = |(_, session): &(usize, &Session)| {
            let line = &self.lines[session.line as usize];
            (line.outbox.is_some() || line.chain.is_some() || !matches!(session.place, Place::Live))
                && session.held.iter().any(|held| held.topic == narrowed.topic)
        };
        let waiting: Vec<usize> =
            self.sessions.iter().filter(waits).map(|(slot, _)| slot).collect();
        for slot in waiting {
            self.narrow_one(slot as u32, &narrowed);
        }
    }

    fn narrow_one(&mut self, slot: u32, narrowed: &Narrowed) {
        let session = &mut self.sessions[slot as usize];
        let line = session.line;
        let outbox = self.lines[line as usize].outbox.as_ref();
        if outbox.is_some_and(|outbox| outbox.holds_answers(slot)) {
            return self.cut_off(line);
        }
        if let Place::Behind(behind) | Place::Pending(Some(behind)) = &mut session.place {
            behind.narrowed.push(narrowed.clone());
        }
        self.drop_unentitled(slot, Some(narrowed));
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
        self.drop_unentitled(slot, None);
        true
    }

    /// After a right was lost, or part of it: what waits and only that right allowed is dropped, or told in the
    /// variant to which another right still entitles.
    fn drop_unentitled(&mut self, slot: u32, narrowed: Option<&Narrowed>) {
        mutant!(QueueKept => return);
        let Hub { lines, sessions, tick, speller, .. } = self;
        let session = &sessions[slot as usize];
        let (held, shape) = (&session.held, session.shape);
        let revise = |entry: &Arc<Entry>, variant: usize| {
            let Some(event) = &entry.logged.event else { return Fate::Drop };
            let hides = |topic: &Topic| {
                narrowed.is_some_and(|narrowed| narrowed.hides(topic, event, entry.offset()))
            };
            let entitled = |variant: &usize| {
                holds_but(held, &event.variants[*variant].topics, entry.rights_before(), hides)
            };
            if entitled(&variant) {
                return Fate::Keep;
            }
            mutant!(OtherVariantForgotten => return Fate::Drop);
            (0..event.variants.len()).find(entitled).map_or(Fate::Drop, |variant| {
                Fate::Replace(Frame::telling(speller, entry, variant, shape, &session.principal))
            })
        };
        lines[session.line as usize].revise(tick, slot, revise);
    }
}
