//! What the hub knows of one session.

use std::{collections::VecDeque, sync::Arc};

use bellwire_services::kit::Principal;
use bellwire_store::change::{Effect, Event, Offset, Topic, Words};

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
    /// The streams that it listens to: rights to topics of others do not concern it.
    pub streams: Streams,
    /// What of them is told, if that is not all.
    pub filter: Filtered,
    /// What is told first: `resumed`, `reset`, a snapshot.
    pub frames: Vec<bytes::Bytes>,
    /// What is told next: rows up to `at`, those of these topics, in order.
    pub rows: Vec<Arc<Entry>>,
}

/// Rows to be told before a session is live.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub rows: VecDeque<Arc<Entry>>,
    /// Everything up to here was told, or need not be.
    pub at: Offset,
    /// Evictions that were seen ahead of the rows: a topic, and where the right to it ended.
    pub lost: Vec<(Topic, Offset)>,
    /// The same of topics on which less is told.
    pub narrowed: Vec<Narrowed>,
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
        event.variants.iter().position(|variant| match &self.place {
            Place::Behind(behind) if !behind.narrowed.is_empty() => {
                let hides = |topic: &Topic| {
                    behind.narrowed.iter().any(|narrowed| narrowed.hides(topic, event, offset))
                };
                holds_but(&self.held, &variant.topics, offset, hides)
            }
            _ => self.holds(&variant.topics, offset),
        })
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

impl Behind {
    /// Whether a right was lost to a topic of a service that is listened to in parts.
    pub fn is_part_lost(&self, filter: Option<&Arc<Filter>>, roots: &Roots) -> bool {
        self.lost.iter().any(|(topic, _)| parts_of(filter, topic, roots).is_some())
    }

    /// Whether something that was seen ahead took the topic away after `offset`, or part of what is told on it.
    pub fn is_less(&self, topic: &Topic, offset: Offset) -> bool {
        self.is_lost(topic, offset) || self.narrowed.iter().any(|less| less.topic == *topic)
    }

    /// Whether an eviction that was seen ahead took the topic away after `offset`.
    pub fn is_lost(&self, topic: &Topic, offset: Offset) -> bool {
        self.lost.iter().any(|(lost, at)| lost == topic && *at > offset)
    }

    /// Notes the evictions of `principal` among rows that lie ahead, and finds what else they do to it.
    pub fn look_ahead(&mut self, rows: &[Arc<Entry>], principal: &Principal) -> Ahead {
        let mut ahead = Ahead::default();
        for row in rows {
            let effects = row.logged.effects.iter();
            let concerns = |effect: &&Effect| {
                effect.principal().is_none_or(|concerned| principal.is_named(concerned))
            };
            for effect in effects.filter(concerns) {
                match effect {
                    Effect::Grant { .. } | Effect::Move { .. } => {}
                    Effect::Narrow { topic, keys } => self.narrowed.push(Narrowed {
                        topic: topic.clone(),
                        keys: keys.clone(),
                        offset: row.offset(),
                    }),
                    Effect::Evict { topic, .. } => self.lost.push((topic.clone(), row.offset())),
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
}

/// What rows that lie ahead do to a session, beside taking rights.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// It ends.
    pub revoked: Option<Last>,
    /// It is told this, with tokens in it.
    pub handed: Vec<(Words, String)>,
}

/// What a session is told last whose credential was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// What, if there is something to be said beside that.
    pub words: Option<Words>,
    /// The place of the revocation.
    pub offset: Offset,
}
