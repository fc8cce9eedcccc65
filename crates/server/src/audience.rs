//! What a session listens to: some of the streams, and of those perhaps only events with some keys, or only some
//! topics.

use std::{collections::HashSet, sync::Arc};

use bellwire_services::{
    kit::{Aside, Code, Event, Fault, Principal, ReadTx, Stream, Topic},
    live_sessions::Listened,
};
use bellwire_store::change::Offset;

/// A set of streams, by their numbers in the door's tables. Every connection has one, so it is small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streams(u16);

impl Streams {
    /// How many streams there may be.
    pub const MAX: usize = u16::BITS as usize;

    /// One stream alone. Its number is below [`MAX`](Streams::MAX), as those in the tables are.
    pub fn one(stream: usize) -> Streams {
        Streams(1 << stream)
    }

    /// All there may be.
    pub const ALL: Streams = Streams(u16::MAX);

    /// These, and those.
    pub fn and(self, others: Streams) -> Streams {
        Streams(self.0 | others.0)
    }

    /// These without those.
    pub fn without(self, others: Streams) -> Streams {
        Streams(self.0 & !others.0)
    }

    /// Whether one of these is among those.
    pub fn meets(self, others: Streams) -> bool {
        self.0 & others.0 != 0
    }

    /// Their numbers, in order.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..Streams::MAX).filter(move |stream| self.meets(Streams::one(*stream)))
    }
}

impl FromIterator<usize> for Streams {
    fn from_iter<I: IntoIterator<Item = usize>>(streams: I) -> Streams {
        streams.into_iter().map(Streams::one).fold(Streams::default(), Streams::and)
    }
}

/// What a session listens to. The default is nothing at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// The streams whose events it hears.
    pub streams: Streams,
    /// Of some of those not all, if there is a filter.
    pub filter: Filtered,
    /// The rooms that it is in, each since a place of the log; most are in none.
    pub rooms: Option<Arc<Vec<Listened>>>,
}

impl Audience {
    /// All of one stream: what a connection to an endpoint of its own hears.
    pub fn of(stream: usize) -> Audience {
        Audience { streams: Streams::one(stream), ..Audience::default() }
    }

    /// The topics of these streams that a principal may hear, each once; `streams` are those of the
    /// tables. Of a service of which parts are listened to, these are the parts, if it may hear anything of it.
    ///
    /// # Errors
    /// The store's.
    pub fn topics(
        &self,
        tx: &ReadTx<'_>,
        streams: &[Stream],
        principal: &Principal,
    ) -> Result<Vec<Topic>, Fault> {
        let mut topics = Vec::new();
        let mut add = |topic: Topic| {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        };
        for number in self.streams.numbers() {
            let all = (streams[number].topics)(tx, principal)?;
            let filter = self.filter.as_deref();
            match filter.and_then(|filter| filter.parts_on(Streams::one(number))) {
                None => all.into_iter().for_each(&mut add),
                Some(_) if all.is_empty() => {}
                Some(Parts { topics, whole }) => {
                    all.into_iter().filter(|_| *whole).for_each(&mut add);
                    topics.iter().cloned().for_each(&mut add);
                }
            }
        }
        Ok(topics)
    }

    /// The same, with what a subscription to a service on the streams `own` asks for: only events with these keys,
    /// or all. What it listens to of other services stays as it is.
    ///
    /// # Errors
    /// [`Code::Invalid`] if there is a filter for another service: a session has one.
    pub fn subscribed(
        self,
        own: Streams,
        keys: Option<HashSet<String>>,
    ) -> Result<Audience, Fault> {
        let streams = if self.streams.meets(own) { self.streams } else { self.streams.and(own) };
        let others = self.filter.filter(|filter| !filter.streams.meets(own));
        let filter = match (keys, others) {
            (None, others) => others,
            (Some(keys), None) => Some(Arc::new(Filter::by_keys(own, keys))),
            (Some(_), Some(_)) => return Err(mixed()),
        };
        Ok(Audience { streams, filter, rooms: self.rooms })
    }

    /// The same without rooms of services that it does not listen to.
    pub fn without_unheard(self, roots: &Roots) -> Audience {
        let rooms = self.rooms.as_deref().into_iter().flatten();
        let heard = rooms.filter(|room| self.streams.meets(roots.streams_of(&room.name)));
        let rooms: Vec<Listened> = heard.cloned().collect();
        Audience { rooms: (!rooms.is_empty()).then(|| Arc::new(rooms)), ..self }
    }

    /// The same with these rooms besides, from this place on, and without those that are left.
    ///
    /// # Errors
    /// [`Code::Invalid`] for more than [`ROOMS_MAX`].
    pub fn moved(
        self,
        enters: &[String],
        leaves: &[String],
        at: Offset,
    ) -> Result<Audience, Fault> {
        let mut rooms = self.rooms.as_deref().cloned().unwrap_or_default();
        rooms.retain(|room| !Aside::is_left(leaves, &room.name));
        for name in enters {
            // What was told since it was entered first is not missed by entering again.
            let mut since = at;
            rooms.retain(|room| {
                let is_replaced = Aside::is_replaced(name, &room.name);
                since = if is_replaced { since.min(room.since) } else { since };
                !is_replaced
            });
            rooms.push(Listened { name: name.clone(), since });
        }
        if rooms.len() > ROOMS_MAX {
            let why = format!("at most {ROOMS_MAX} rooms: leave one first");
            return Err(Fault::new(Code::Invalid, why));
        }
        Ok(Audience { rooms: (!rooms.is_empty()).then(|| Arc::new(rooms)), ..self })
    }
}

/// How many rooms one connection may be in: all of them are looked at whenever it enters one.
pub const ROOMS_MAX: usize = 200;

/// What is said when single things of several services are asked for together.
pub fn mixed() -> Fault {
    Fault::new(Code::Invalid, "topics: single things of one service go with none of another")
}

/// Of what is heard on some streams only some is told; what is heard on others is not concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The streams: of one service.
    pub streams: Streams,
    /// What is told of it.
    pub only: Only,
    /// The place that was named with the stream, where it has places.
    pub place: Option<i64>,
}

/// What is told of a service that is not told as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Events with these keys.
    Keys(HashSet<String>),
    /// These topics. They are held as rights are, so they cost nothing where events are told.
    Parts(Parts),
}

/// Topics that somebody listens to who may hear a service at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The topics, each once.
    pub topics: Vec<Topic>,
    /// Whether all that may be heard of the service is heard beside them.
    pub whole: bool,
}

impl Filter {
    /// Only events with these keys.
    pub fn by_keys(streams: Streams, keys: HashSet<String>) -> Filter {
        Filter { streams, only: Only::Keys(keys), place: None }
    }

    /// Only these topics; with `whole`, beside all of the service.
    pub fn by_topics(streams: Streams, topics: Vec<Topic>, whole: bool) -> Filter {
        Filter { streams, only: Only::Parts(Parts { topics, whole }), place: None }
    }

    /// Whether it leaves an event out that is heard on these streams, though a topic of it is held.
    pub fn leaves_out(&self, event: &Event, heard_on: Streams) -> bool {
        match &self.only {
            Only::Keys(keys) => self.streams.meets(heard_on) && !keys.contains(&event.key),
            Only::Parts(_) => false,
        }
    }

    /// The keys of a filter by keys.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        match &self.only {
            Only::Keys(keys) => Some(keys),
            Only::Parts(_) => None,
        }
        .into_iter()
        .flatten()
    }

    /// Whether what is heard on these streams is told by its key.
    pub fn is_by_key_on(&self, streams: Streams) -> bool {
        matches!(self.only, Only::Keys(_)) && self.streams.meets(streams)
    }

    /// The parts that are listened to of what is heard on these streams, if it is listened to in parts.
    pub fn parts_on(&self, streams: Streams) -> Option<&Parts> {
        match &self.only {
            Only::Parts(parts) => Some(parts).filter(|_| self.streams.meets(streams)),
            Only::Keys(_) => None,
        }
    }
}

/// A filter, if there is one; sessions may share it.
pub type Filtered = Option<Arc<Filter>>;

/// On which streams topics are heard, by what stands before their first `/`. A right to a topic that is won
/// concerns only who listens to one of these streams.
#[derive(Debug, Clone, Default)]
pub struct Roots(Vec<(&'static str, Streams)>);

impl Roots {
    /// These words, each with its streams.
    pub fn of(roots: impl IntoIterator<Item = (&'static str, Streams)>) -> Roots {
        Roots(roots.into_iter().collect())
    }

    /// The streams on which an event is heard, by its first topic: all topics of an event are of one service.
    pub fn of_event(&self, event: &Event) -> Streams {
        let topics = event.variants.iter().flat_map(|variant| &variant.topics);
        topics.map(|topic| self.streams_of(topic)).next().unwrap_or_default()
    }

    /// The streams on which a topic is heard: all, if no service claims it. Services that are heard claim theirs.
    pub fn streams_of(&self, topic: &str) -> Streams {
        let root = topic.split('/').next().unwrap_or(topic);
        let known = self.0.iter().find(|(word, _)| *word == root);
        known.map_or(Streams::ALL, |(_, streams)| *streams)
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::{Access, Dialect, Service, Tx};
    use bellwire_store::{
        change::Outcome,
        sqlite::{Options, Write, Writer},
    };

    use super::*;

    #[test]
    fn a_set_of_streams_holds_what_was_put_into_it() {
        for streams in [&[][..], &[0], &[15], &[0, 3, 15]] {
            let set: Streams = streams.iter().copied().collect();
            assert_eq!(set.numbers().collect::<Vec<_>>(), streams);
        }
        let [low, high]: [Streams; 2] = [[0, 1], [1, 2]].map(|some| some.into_iter().collect());
        assert_eq!(low.and(high).numbers().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(low.without(high), Streams::one(0));
        assert_eq!(low.without(low), Streams::default());
        assert!(low.meets(high) && !low.meets(Streams::one(2)) && !low.meets(Streams::default()));
        assert_eq!(size_of::<Streams>(), 2);
    }

    #[test]
    fn a_topic_is_heard_on_the_streams_of_its_service() {
        let roots = Roots::of([
            ("states", Streams::one(0)),
            ("area", Streams::one(0).and(Streams::one(3))),
        ]);
        let check = |topic: &str, streams: &[usize]| {
            assert_eq!(roots.streams_of(topic).numbers().collect::<Vec<_>>(), streams, "{topic}");
        };
        check("states", &[0]);
        check("area/area_12", &[0, 3]);
        let all: Vec<usize> = (0..Streams::MAX).collect();
        check("areas", &all);
        check("room/1/2", &all);
    }

    #[test]
    fn rights_are_those_of_all_streams_each_once() {
        let dialect: Dialect = bellwire_services::states::service().streams[0].dialect;
        let streams = Service::new("made-up", &[], &[])
            .stream("/a", dialect, Access::Caller, |_, _| {
                Ok(vec![Topic::Borrowed("a"), Topic::Borrowed("both")])
            })
            .stream("/b", dialect, Access::Caller, |_, who| {
                Ok(match who.id.as_str() {
                    "guest" => Vec::new(),
                    _ => vec![Topic::Borrowed("both"), Topic::Borrowed("b")],
                })
            })
            .streams;
        let folder = tempfile::tempdir().expect("a directory");
        let options = Options::new(folder.path().join("test.db"), "e", 0);
        let mut writer = Writer::open(&options, &[]).expect("it opens");
        let mut check_of =
            |filter, numbers: &[usize], principal: Principal, topics: &'static [&str]| {
                let streams_heard = numbers.iter().copied().collect();
                let audience = Audience { streams: streams_heard, filter, rooms: None };
                let streams = streams.clone();
                let run = move |tx: &mut Tx<'_>| {
                    assert_eq!(audience.topics(tx, &streams, &principal)?, topics);
                    Ok(Outcome::reply(()))
                };
                let batch = writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
                let answer = batch.expect("the disk is sound").answers.remove(0).result;
                answer.map(drop).expect("they are read");
            };
        let mut check =
            |numbers: &[usize], principal, topics| check_of(None, numbers, principal, topics);
        check(&[], Principal::operator(), &[]);
        check(&[1], Principal::operator(), &["both", "b"]);
        check(&[0, 1], Principal::operator(), &["a", "both", "b"]);
        check(&[0, 1], Principal::guest(), &["a", "both"]);
        check(&[1], Principal::guest(), &[]);
        // Parts are of those who may hear the service at all.
        let parts = |streams: &[usize], whole| {
            let topics = ["b/1", "both"].map(Topic::Borrowed).to_vec();
            Some(Arc::new(Filter::by_topics(streams.iter().copied().collect(), topics, whole)))
        };
        check_of(parts(&[1], false), &[1], Principal::operator(), &["b/1", "both"]);
        check_of(parts(&[1], true), &[1], Principal::operator(), &["both", "b", "b/1"]);
        check_of(parts(&[1], false), &[0, 1], Principal::operator(), &["a", "both", "b/1"]);
        check_of(parts(&[1], false), &[0, 1], Principal::guest(), &["a", "both"]);
        check_of(parts(&[1], true), &[1], Principal::guest(), &[]);
        check_of(parts(&[2], false), &[1], Principal::operator(), &["both", "b"]);
    }

    #[test]
    fn rooms_are_entered_and_left_by_their_names() {
        let listened = |rooms: &[(&str, Offset)]| -> Vec<Listened> {
            rooms
                .iter()
                .map(|(name, since)| Listened { name: (*name).into(), since: *since })
                .collect()
        };
        let check = |is_in: &[(&str, Offset)],
                     leaves: &[&str],
                     enters: &[&str],
                     then: &[(&str, Offset)]| {
            let [enters, leaves] = [enters, leaves]
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            let rooms = Some(Arc::new(listened(is_in)));
            let audience = Audience { rooms, ..Audience::default() };
            let rooms = audience.moved(&enters, &leaves, 9).expect("they are few").rooms;
            assert_eq!(rooms.as_deref().cloned().unwrap_or_default(), listened(then));
        };
        check(&[("a/1", 3)], &[], &["a/2"], &[("a/1", 3), ("a/2", 9)]);
        check(&[("a/1", 3), ("a/2", 4)], &["a/1", "a/3"], &[], &[("a/2", 4)]);
        check(&[("a/1", 3)], &["a/1"], &["a/1"], &[("a/1", 9)]);
        // What is entered again is heard from where it was.
        check(&[("a/1", 3)], &[], &["a/1"], &[("a/1", 3)]);
        check(&[("a/1", 3), ("a/1@5", 4)], &[], &["a/1@7"], &[("a/1@7", 3)]);
        check(&[("a/1@5", 4)], &[], &["a/1"], &[("a/1@5", 4), ("a/1", 9)]);
        check(&[("a/1@5", 4)], &[], &["a/1@4"], &[("a/1@5", 4), ("a/1@4", 9)]);
        // With a number it is left up to that one.
        let all = [("a/1", 3), ("a/1@5", 4), ("a/1@7", 5), ("a/12", 6), ("a/x@y", 7)];
        check(&all, &["a/1"], &[], &all[3..]);
        check(&all, &["a/1@6"], &[], &all[2..]);
        check(&all, &["a/1@5", "a/x"], &[], &all[2..]);
        check(&all, &["a/1@4", "a/x@y"], &[], &all[1..4]);
    }

    #[test]
    fn a_subscription_concerns_its_own_service() {
        let of = |numbers: &[usize]| numbers.iter().copied().collect::<Streams>();
        let keys = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect());
        let check = |heard: &[usize],
                     filter: Option<Filter>,
                     asked,
                     streams: &[usize],
                     left: Option<Filter>| {
            let audience =
                Audience { streams: of(heard), filter: filter.map(Arc::new), rooms: None };
            let audience = audience.subscribed(of(&[2, 3]), asked).expect("it is possible");
            assert_eq!(audience.streams, of(streams));
            assert_eq!(audience.filter.as_deref(), left.as_ref());
        };
        let own = |key: &str| Filter::by_keys(of(&[2, 3]), [key.to_owned()].into());
        let parts = Filter::by_topics(of(&[0]), vec![Topic::Borrowed("a/1")], false);
        check(&[], None, None, &[2, 3], None);
        check(&[2], None, keys(&["k"]), &[2], Some(own("k")));
        check(&[0, 3], Some(own("k")), keys(&["l"]), &[0, 3], Some(own("l")));
        check(&[0, 3], Some(own("k")), None, &[0, 3], None);
        check(&[0], Some(parts.clone()), None, &[0, 2, 3], Some(parts.clone()));
        let audience = Audience { streams: of(&[0]), filter: Some(Arc::new(parts)), rooms: None };
        assert_eq!(audience.subscribed(of(&[2, 3]), keys(&["k"])), Err(mixed()));
    }
}
