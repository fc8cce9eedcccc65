//! What becomes of a session when its rights change while it is connected.
//!
//! Gaining acts in the order of the log. Losing acts the moment it is known: what was told to the session before
//! it is written first, as far as the socket takes it; what waits then is not, unless another right allows it; rows that
//! the session has not got to are read again. What is dropped may be his by a right that he won instead, or has by
//! what no topic says: a session that might miss it so is closed, and comes back. A change that the session's rights
//! were read after is already in them.

use std::{collections::HashSet, io::Write};

use bellwire_store::change::{Effect, Offset, Topic, Words};

use super::{
    Hub, Need,
    outbox::{Fate, Frame},
    recent::Entry,
    remove,
    session::{Last, Narrowed, Place, Session, gains_by_grant, holds_but},
};
use crate::logging;

/// A change of a right, as a row says it.
#[derive(Clone, Copy)]
struct Change<'a> {
    effect: &'a Effect,
    topic: &'a Topic,
    row: &'a Entry,
}

impl Change<'_> {
    fn offset(&self) -> Offset {
        self.row.offset()
    }
}

impl<S: Write> Hub<S> {
    /// What was told in this tick by a right that one of these effects ends, or part of it, goes out before their row: it
    /// comes first.
    pub(super) fn flush_before(&mut self, effects: &[Effect], now_ms: u64) {
        // Of an area that is switched off, or many together: who is told anything is looked at once.
        let mut narrowed = HashSet::new();
        for effect in effects {
            match effect {
                Effect::Evict { principal, topic } => {
                    let slots = self.principals.get(principal).cloned().unwrap_or_default();
                    self.flush_told(slots, &HashSet::from([topic]), now_ms);
                }
                Effect::Narrow { topic, .. } => {
                    narrowed.insert(topic);
                }
                _ => {}
            }
        }
        if !narrowed.is_empty() {
            let mut told = self.tick.dirty().to_vec();
            told.sort_unstable();
            told.dedup();
            told.retain(|line| self.lines.contains(*line as usize));
            let slots = told.into_iter().flat_map(|line| self.slots_on(line)).collect();
            self.flush_told(slots, &narrowed, now_ms);
        }
    }

    /// Writes to those of these sessions whom this tick told something on one of these topics.
    fn flush_told(&mut self, slots: Vec<u32>, topics: &HashSet<&Topic>, now_ms: u64) {
        for slot in slots {
            if self.is_told_by(slot, topics) {
                self.flush_one(self.sessions[slot as usize].line, now_ms);
            }
        }
    }

    /// Whether this tick told a session something on one of these topics; of who listens to parts of their service,
    /// anything.
    fn is_told_by(&self, slot: u32, topics: &HashSet<&Topic>) -> bool {
        let session = &self.sessions[slot as usize];
        let Some(chain) = self.lines[session.line as usize].chain else { return false };
        let in_parts = topics.iter().any(|topic| session.parts(topic, &self.roots).is_some());
        self.tick.any(chain, slot, |frame| {
            let Some((entry, variant)) = &frame.row else { return false };
            let variant = entry.logged.event.as_ref().map(|event| &event.variants[*variant]);
            in_parts || variant.is_some_and(|v| v.topics.iter().any(|topic| topics.contains(topic)))
        })
    }

    /// Does to live sessions what a row says, after it was told.
    pub(super) fn apply(&mut self, effect: &Effect, row: &Entry) {
        let offset = row.offset();
        if let Effect::Narrow { topic, keys } = effect {
            let narrowed = Narrowed { topic: topic.clone(), keys: keys.clone(), offset };
            return self.narrow(&narrowed, Change { effect, topic, row });
        }
        let slots = effect.principal().and_then(|principal| self.principals.get(principal));
        for slot in slots.cloned().unwrap_or_default() {
            match effect {
                Effect::Narrow { .. } => {}
                Effect::Grant { topic, .. } => self.grant(slot, Change { effect, topic, row }),
                Effect::Evict { topic, .. } => self.evict(slot, Change { effect, topic, row }),
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
    fn grant(&mut self, slot: u32, change: Change<'_>) {
        let (topic, offset) = (change.topic, change.offset());
        if self.is_hindsight(slot, change) {
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

    /// A right ends: frames that wait and that only it allowed are dropped, whatever the session's place.
    /// A snapshot or an answer that waits for a slow socket may show what is no longer to be seen: its
    /// session is cut off, and the client starts from the cursor it has.
    fn evict(&mut self, slot: u32, change: Change<'_>) {
        let session = &self.sessions[slot as usize];
        if matches!(session.place, Place::Ending) {
            return;
        }
        let (line, topic) = (session.line, change.topic);
        let outbox = self.lines[line as usize].outbox.as_ref();
        if outbox.is_some_and(|outbox| outbox.holds_answers(slot)) {
            return self.cut_off(line);
        }
        if self.is_hindsight(slot, change) {
            return;
        }
        let session = &mut self.sessions[slot as usize];
        if session.parts(topic, &self.roots).is_some() {
            return self.evict_parts(slot, change.offset());
        }
        if matches!(session.place, Place::Live) && !session.filters(topic, &self.roots) {
            remove(&mut self.topics, topic, slot);
        }
        let hears = session.streams.meets(self.roots.streams_of(topic));
        if session.lose(topic) {
            self.drop_unentitled(slot, change, None);
        } else if !hears {
            return;
        }
        mutant!(LostForgotten => return);
        self.read_again(slot);
    }

    /// A session that has not got to all rows lost a right to some of them, or part of one: only a read can tell which
    /// are still to be told.
    fn read_again(&mut self, slot: u32) {
        let session = &mut self.sessions[slot as usize];
        match &mut session.place {
            Place::Pending(Some(behind)) => behind.is_less = true,
            Place::Behind(_) => {
                let id = session.id(slot);
                self.read_rights(slot, self.told_upto(id));
            }
            Place::Pending(None) | Place::Live | Place::Ending => {}
        }
    }

    /// The same of who listens to parts of the topic's service: whether it still may, only a read can tell. If something
    /// waits for it that it would miss meanwhile, it is cut off.
    fn evict_parts(&mut self, slot: u32, offset: Offset) {
        let session = &self.sessions[slot as usize];
        let (line, mut after) = (session.line, self.told_upto(session.id(slot)));
        let dropped = self.lines[line as usize].revise(&mut self.tick, slot, |_| Fate::Drop);
        if dropped.of_outbox {
            return self.cut_off(line);
        }
        if dropped.of_tick {
            after = after.min(offset - 1);
        }
        match &mut self.sessions[slot as usize].place {
            Place::Pending(None) | Place::Ending => {}
            Place::Pending(Some(behind)) => behind.is_less = true,
            Place::Behind(_) | Place::Live => self.read_rights(slot, after),
        }
    }

    /// Has the rights of a session read again, and the rows after this place.
    pub(super) fn read_rights(&mut self, slot: u32, after: Offset) {
        let session = self.sessions[slot as usize].id(slot);
        self.suspend(session);
        if let Place::Pending(Some(behind)) = &mut self.sessions[slot as usize].place {
            behind.is_less = true;
        }
        self.needs.push(Need::CatchUp { session, after });
    }

    /// Less is told on a topic: of those who hear it, this concerns for whom something waits, and who is not at its row.
    fn narrow(&mut self, narrowed: &Narrowed, change: Change<'_>) {
        let waits = |(_, session): &(usize, &Session)| {
            let line = &self.lines[session.line as usize];
            (line.outbox.is_some() || line.chain.is_some() || !matches!(session.place, Place::Live))
                && session.held.iter().any(|held| held.topic == narrowed.topic)
        };
        let waiting: Vec<usize> =
            self.sessions.iter().filter(waits).map(|(slot, _)| slot).collect();
        let ahead = self.granted_ahead(&narrowed.topic);
        for slot in waiting {
            self.narrow_one(slot as u32, narrowed, change);
        }
        ahead.into_iter().for_each(|slot| self.read_again(slot));
    }

    /// Who is not at its row yet by which a topic was granted to it, or may be one of those: memory has no older rows.
    fn granted_ahead(&self, topic: &Topic) -> Vec<u32> {
        let away = self.away.iter().filter_map(|&slot| {
            let session = &self.sessions[slot as usize];
            match &session.place {
                Place::Behind(behind) | Place::Pending(Some(behind)) => Some((slot, behind.at)),
                _ => None,
            }
            .filter(|_| session.streams.meets(self.roots.streams_of(topic)))
        });
        let away: Vec<(u32, Offset)> = away.collect();
        let Some(from) = away.iter().map(|(_, at)| *at).min() else { return Vec::new() };
        let rows = self.recent.range(from, self.at, usize::MAX);
        let effects = rows.iter().flatten().flat_map(|row| &row.logged.effects);
        let granted: Vec<&str> = effects
            .filter_map(|effect| match effect {
                Effect::Grant { principal, topic: granted } if granted == topic => {
                    Some(principal.as_str())
                }
                _ => None,
            })
            .collect();
        let may_be = |(slot, _): &(u32, Offset)| {
            let principal = &self.sessions[*slot as usize].principal;
            rows.is_none() || granted.iter().any(|name| principal.is_named(name))
        };
        away.into_iter().filter(may_be).map(|(slot, _)| slot).collect()
    }

    fn narrow_one(&mut self, slot: u32, narrowed: &Narrowed, change: Change<'_>) {
        let session = &self.sessions[slot as usize];
        if matches!(session.place, Place::Ending) {
            return;
        }
        let (line, is_known) = (session.line, narrowed.offset <= session.rights_at);
        let outbox = self.lines[line as usize].outbox.as_ref();
        if outbox.is_some_and(|outbox| outbox.holds_answers(slot)) {
            return self.cut_off(line);
        }
        self.drop_unentitled(slot, change, Some(narrowed));
        if !is_known {
            self.read_again(slot);
        }
    }

    /// Whether the read that the session's rights are from was ahead of the hub, and saw this change
    /// of a right. Then only what was queued before the read can lose by it: whoever holds the topic
    /// now holds it from here on at the earliest.
    fn is_hindsight(&mut self, slot: u32, change: Change<'_>) -> bool {
        let (topic, offset) = (change.topic, change.offset());
        let session = &mut self.sessions[slot as usize];
        if offset > session.rights_at {
            return false;
        }
        let held = session.held.iter_mut().find(|held| held.topic == *topic);
        held.into_iter().for_each(|held| held.since = held.since.max(offset));
        self.drop_unentitled(slot, change, None);
        true
    }

    /// After a right was lost, or part of it: what waits and only that right allowed is dropped, or told in the
    /// variant to which another right still entitles. What a read allowed may be owed to no topic: only another can tell.
    ///
    /// A session that might still be entitled to what was dropped is cut off: with a cursor, by which the next read
    /// decides; without, if it has anything of that service instead.
    fn drop_unentitled(&mut self, slot: u32, change: Change<'_>, narrowed: Option<&Narrowed>) {
        mutant!(QueueKept => return);
        let Hub { lines, sessions, tick, speller, roots, .. } = self;
        let session = &sessions[slot as usize];
        let (held, shape) = (&session.held, session.shape);
        let streams = roots.streams_of(change.topic);
        let takes = !matches!(change.effect, Effect::Grant { .. });
        let revise = |frame: &Frame| {
            let Some((entry, variant)) = &frame.row else { return Fate::Keep };
            let Some(event) = &entry.logged.event else { return Fate::Drop };
            if frame.is_judged && takes && roots.of_event(event).meets(streams) {
                return Fate::Drop;
            }
            // Owed to no right to this topic: many may change at once.
            if !event.variants[*variant].topics.contains(change.topic) {
                return Fate::Keep;
            }
            let hides = |topic: &Topic| {
                narrowed.is_some_and(|narrowed| narrowed.hides(topic, event, entry.offset()))
            };
            let entitled = |variant: &usize| {
                holds_but(held, &event.variants[*variant].topics, entry.rights_before(), hides)
            };
            if entitled(variant) {
                return Fate::Keep;
            }
            (0..event.variants.len()).find(entitled).map_or(Fate::Drop, |variant| {
                Fate::Replace(Frame::telling(speller, entry, variant, shape, &session.principal))
            })
        };
        let (line, is_judged) = (session.line, session.judged.meets(streams));
        let dropped = lines[line as usize].revise(tick, slot, revise);
        mutant!(DroppedSilently => return);
        // What the very row told that takes the right was decided together with that.
        let is_missed = (dropped.of_outbox && shape.has_cursor())
            || ((dropped.of_outbox || (dropped.of_tick && is_judged))
                && self.has_instead(slot, change));
        if is_missed {
            self.cut_off(line);
        }
    }

    /// Whether a session that loses a right has something of that service instead: by the same change, or, where topics
    /// do not say all, at all.
    fn has_instead(&self, slot: u32, change: Change<'_>) -> bool {
        let session = &self.sessions[slot as usize];
        let streams = self.roots.streams_of(change.topic);
        let is_of_it = |topic: &Topic| self.roots.streams_of(topic).meets(streams);
        let has = session.held.iter().any(|held| is_of_it(&held.topic));
        let mut effects = change.row.logged.effects.iter();
        (has && session.judged.meets(streams))
            || effects.any(|effect| match effect {
                Effect::Grant { principal, topic } => {
                    session.principal.is_named(principal) && is_of_it(topic)
                }
                _ => false,
            })
    }
}
