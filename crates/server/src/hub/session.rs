//! What the hub knows of one session.

use std::{collections::VecDeque, sync::Arc};

use bellwire_services::kit::Principal;
use bellwire_store::{
    change::{Effect, Event, Offset, Topic, Words},
    log::Ended,
};

use super::{
    acks::Awaited,
    recent::{Entry, Shape},
};
use crate::audience::{Filter, Filtered, Parts, Roots, Streams};

/// Names a session, also after it has ended and its slot serves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Its place in the hub's slab.
    pub slot: u32,
    /// Counts the sessions of this hub.
    pub serial: u32,
}

/// A right to hear a topic, and the place from which on it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The topic.
    pub topic: Topic,
    /// Events after this offset may be told.
    pub since: Offset,
}

/// Whether one of these rights lets an event of this offset, for these topics, be told.
pub fn holds(held: &[Held], topics: &[Topic], offset: Offset) -> bool {
    holds_but(held, topics, offset, |_| false)
}

/// The same, without regard to rights to some topics.
pub(super) fn holds_but(
    held: &[Held],
    topics: &[Topic],
    offset: Offset,
    but: impl Fn(&Topic) -> bool,
) -> bool {
    held.iter().any(|held| held.since < offset && topics.contains(&held.topic) && !but(&held.topic))
}

/// What a read transaction found out for a session that is going live: all of it as of one place.
#[derive(Debug, Default)]
pub struct Opening {
    /// The place: the last row that the transaction saw.
    pub at: Offset,
    /// The topics that the session may hear.
    pub held: Vec<Held>,
    /// Rights to topics of `judged` streams that were taken before, for `rows` alone.
    pub ended: Vec<Ended>,
    /// The streams that it listens to: rights to topics of others do not concern it.
    pub streams: Streams,
    /// Those of them whose services say of each event that was missed whether it may still be told: not their topics
    /// alone.
    pub judged: Streams,
    /// What of them is told, if that is not all.
    pub filter: Filtered,
    /// What is told first: `resumed`, `reset`, a snapshot.
    pub frames: Vec<bytes::Bytes>,
    /// What is told next: rows up to `at`, those of these topics, in order.
    pub rows: Vec<Arc<Entry>>,
}

impl Opening {
    /// The variant of a row's event to which the rights entitle.
    pub fn variant(&self, event: &Event, offset: Offset) -> Option<usize> {
        entitled(&self.held, &self.ended, event, offset)
    }
}

/// The variant of an event to which these rights entitle. What is said to all alike may be heard by a right that has
/// ended since, if its service lets it; of several variants it cannot be known which is for him by now.
fn entitled(held: &[Held], ended: &[Ended], event: &Event, offset: Offset) -> Option<usize> {
    let first = event.variants.iter().position(|variant| holds(held, &variant.topics, offset));
    first.or_else(|| {
        let [variant] = &event.variants[..] else { return None };
        let was_held = |right: &Ended| {
            right.since < offset && offset <= right.until && variant.topics.contains(&right.topic)
        };
        ended.iter().any(was_held).then_some(0)
    })
}

/// Rows to be told before a session is live.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub rows: VecDeque<Arc<Entry>>,
    /// Everything up to here was told, or need not be.
    pub at: Offset,
    /// The rights that had ended when they were read.
    pub ended: Vec<Ended>,
    /// Whether a right was lost since, or part of one: only a read can tell which of the rows are still to be told.
    pub is_less: bool,
    /// What passed meanwhile, of each key the newest.
    pub passed: Vec<Arc<Entry>>,
}

/// A topic on which less was told from some place on.
#[derive(Debug, Clone)]
pub(super) struct Narrowed {
    pub topic: Topic,
    pub keys: Option<Vec<String>>,
    pub offset: Offset,
}

impl Narrowed {
    /// What a row takes from a principal by an effect, if it takes anything: a right that ends tells nothing more.
    pub fn of(effect: &Effect, principal: &Principal, offset: Offset) -> Option<Narrowed> {
        let (topic, keys) = match effect {
            Effect::Evict { principal: whose, topic } if principal.is_named(whose) => (topic, None),
            Effect::Narrow { topic, keys } => (topic, keys.clone()),
            _ => return None,
        };
        Some(Narrowed { topic: topic.clone(), keys, offset })
    }

    /// Whether an event from before is not told on the topic any more.
    pub fn hides(&self, topic: &Topic, event: &Event, offset: Offset) -> bool {
        let is_of = |keys: &Vec<String>| keys.iter().any(|key| *key == *event.key);
        self.topic == *topic && offset < self.offset && self.keys.as_ref().is_none_or(is_of)
    }
}

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Place {
    /// A read transaction is looking up its rights, snapshot and place. Nothing is told meanwhile;
    /// what was known before is kept in case the read is refused.
    Pending(Option<Box<Behind>>),
    /// Rows are told as the socket takes them.
    Behind(Box<Behind>),
    /// Told each row as it is published.
    Live,
    /// Nothing more is told; what is queued may go out.
    Ending,
}

/// One session. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub(super) struct Session {
    /// The slot of the line that it hears over,
    pub line: u32,
    /// and the next session on that line.
    pub next: Option<u32>,
    pub place: Place,
    pub serial: u32,
    pub shape: Shape,
    /// Rows at or below this were told, or need not be.
    pub floor: Offset,
    pub principal: Arc<Principal>,
    pub held: Vec<Held>,
    /// The rights were read at this place: effects up to it are in them.
    pub rights_at: Offset,
    pub streams: Streams,
    /// Those of which topics do not say all: [`Opening::judged`].
    pub judged: Streams,
    pub filter: Filtered,
    /// What it was told and is to acknowledge, if it does that.
    pub awaited: Option<Box<Awaited>>,
}

impl Session {
    /// Its name, given its place in the hub's slab.
    pub fn id(&self, slot: u32) -> SessionId {
        SessionId { slot, serial: self.serial }
    }

    /// Whether it may hear one of these topics at this place.
    pub fn holds(&self, topics: &[Topic], offset: Offset) -> bool {
        holds(&self.held, topics, offset)
    }

    /// Whether the event, which is heard on these streams, leaves it out, or its filter does.
    pub fn skips(&self, event: &Event, heard_on: Streams, offset: Offset) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.leaves_out(event, heard_on))
            || (!event.except.is_empty() && self.is_excepted(event, offset))
    }

    /// Whether what is heard on a topic is listed by its key, as there is a filter for it.
    pub fn filters(&self, topic: &Topic, roots: &Roots) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| filter.is_by_key_on(roots.streams_of(topic)))
    }

    /// The parts to which it listens of the service of a topic, if it listens to parts of that.
    pub fn parts(&self, topic: &Topic, roots: &Roots) -> Option<&Parts> {
        parts_of(self.filter.as_ref(), topic, roots)
    }

    /// An exception for a topic is of those who held it when the event was committed.
    fn is_excepted(&self, event: &Event, offset: Offset) -> bool {
        event.except.iter().any(|except| match except.strip_prefix("principal/") {
            Some(principal) => *principal == self.principal.id,
            None => self.holds(std::slice::from_ref(except), offset),
        })
    }

    /// The variant of the event that it is told.
    pub fn variant(&self, event: &Event, roots: &Roots, offset: Offset) -> Option<usize> {
        if self.skips(event, roots.of_event(event), offset) {
            return None;
        }
        let ended = match &self.place {
            Place::Behind(behind) => &behind.ended[..],
            _ => &[],
        };
        entitled(&self.held, ended, event, offset)
    }

    /// Takes in the rights that were read at `at`. What still waits for the socket was told with the
    /// rights of before: a topic that is new to the session does not reach back to it.
    pub fn take_rights(&mut self, mut held: Vec<Held>, at: Offset) {
        let told = match &self.place {
            Place::Pending(Some(behind)) => behind.at,
            _ => 0,
        };
        for right in &mut held {
            let known = self.held.iter().find(|known| known.topic == right.topic);
            right.since = right.since.max(known.map_or(told, |known| known.since));
        }
        (self.held, self.rights_at) = (held, at);
    }

    /// Takes in a right that it holds from `offset` on.
    pub fn gain(&mut self, topic: &Topic, offset: Offset) {
        if !self.held.iter().any(|held| held.topic == *topic) {
            self.held.push(Held { topic: topic.clone(), since: offset });
        }
    }

    /// Gives up a right; says whether it held it.
    pub fn lose(&mut self, topic: &Topic) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.topic != *topic);
        self.held.len() < before
    }
}

/// The parts that a filter has of the service of a topic.
pub(super) fn parts_of<'a>(
    filter: Option<&'a Arc<Filter>>,
    topic: &Topic,
    roots: &Roots,
) -> Option<&'a Parts> {
    filter?.parts_on(roots.streams_of(topic))
}

/// Whether a right to another topic of the service lets more be heard by who listens to these parts: who may hear any
/// topic may hear them.
pub(super) fn gains_by_grant(held: &[Held], parts: &Parts) -> bool {
    parts.whole || !held.iter().any(|held| parts.topics.contains(&held.topic))
}

/// What rows that lie ahead of a read do to a session.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// It ends.
    pub revoked: Option<Last>,
    /// It is told this, with tokens in it.
    pub handed: Vec<(Words, String)>,
    /// Topics that are granted to it,
    pub granted: Vec<Topic>,
    /// and those that are taken from it,
    pub lost: Vec<Topic>,
    /// and those on which less is told from some place on.
    pub narrowed: Vec<Topic>,
}

impl Ahead {
    /// Looks at these rows for `principal`.
    pub fn of(rows: &[Arc<Entry>], principal: &Principal) -> Ahead {
        let mut ahead = Ahead::default();
        for row in rows {
            let effects = row.logged.effects.iter();
            let concerns = |effect: &&Effect| {
                effect.principal().is_none_or(|concerned| principal.is_named(concerned))
            };
            for effect in effects.filter(concerns) {
                match effect {
                    Effect::Grant { topic, .. } | Effect::Move { to: topic, .. } => {
                        ahead.granted.push(topic.clone());
                    }
                    Effect::Narrow { topic, .. } => ahead.narrowed.push(topic.clone()),
                    Effect::Evict { topic, .. } => {
                        mutant!(EvictionIgnoredWhilePending => continue);
                        ahead.lost.push(topic.clone());
                    }
                    Effect::Revoke { last, .. } => {
                        ahead.revoked = Some(Last { words: last.clone(), offset: row.offset() })
                    }
                    Effect::Hand { words, claims, .. } => {
                        ahead.handed.push((words.clone(), claims.clone()))
                    }
                }
            }
        }
        ahead
    }

    /// Whether it has less of what was read, or of what is granted to it.
    pub fn is_less(&self, opening: &Opening, roots: &Roots) -> bool {
        let has = |topic: &Topic| {
            self.granted.contains(topic) || opening.held.iter().any(|held| held.topic == *topic)
        };
        let is_of_parts = |topic| parts_of(opening.filter.as_ref(), topic, roots).is_some();
        self.lost.iter().any(|topic| has(topic) || is_of_parts(topic))
            || self.narrowed.iter().any(has)
    }
}

/// What a session is told last whose credential was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// What, if there is something to be said beside that.
    pub words: Option<Words>,
    /// The place of the revocation.
    pub offset: Offset,
}
