//! What a session listens to: some of the streams, and of those perhaps only events with some keys.

use std::{collections::HashSet, sync::Arc};

use bellwire_services::kit::{Event, Fault, Principal, ReadTx, Stream, Topic};

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
    /// Of those only events with these keys, if there is a filter.
    pub keys: Keys,
}

impl Audience {
    /// All of one stream: what a connection to an endpoint of its own hears.
    pub fn of(stream: usize) -> Audience {
        Audience { streams: Streams::one(stream), keys: None }
    }

    /// The topics of these streams that a principal may hear, each once; `streams` are those of the
    /// tables.
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
        for number in self.streams.numbers() {
            for topic in (streams[number].topics)(tx, principal)? {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
        }
        Ok(topics)
    }
}

/// Of what is heard on some streams only events with some keys are told; what is heard on others is not concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The streams.
    pub streams: Streams,
    /// The keys.
    pub keys: HashSet<String>,
}

impl Filter {
    /// Whether it leaves an event out that is heard on these streams.
    pub fn leaves_out(&self, event: &Event, heard_on: Streams) -> bool {
        self.streams.meets(heard_on) && !self.keys.contains(&event.key)
    }
}

/// A filter, if there is one; sessions may share it.
pub type Keys = Option<Arc<Filter>>;

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
        let mut check = |numbers: &[usize], principal: Principal, topics: &'static [&str]| {
            let audience = Audience { streams: numbers.iter().copied().collect(), keys: None };
            let streams = streams.clone();
            let run = move |tx: &mut Tx<'_>| {
                assert_eq!(audience.topics(tx, &streams, &principal)?, topics);
                Ok(Outcome::reply(()))
            };
            let batch = writer.batch(vec![Write { at: 0, run: Box::new(run), to: () }]);
            let answer = batch.expect("the disk is sound").answers.remove(0).result;
            answer.map(drop).expect("they are read");
        };
        check(&[], Principal::operator(), &[]);
        check(&[1], Principal::operator(), &["both", "b"]);
        check(&[0, 1], Principal::operator(), &["a", "both", "b"]);
        check(&[0, 1], Principal::guest(), &["a", "both"]);
        check(&[1], Principal::guest(), &[]);
    }
}
