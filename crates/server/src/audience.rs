//! What a session listens to: some of the streams, and of those perhaps only events with some keys.

use bellwire_services::kit::{Principal, Stream, Topic};

use crate::hub::Keys;

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

    /// These, and those.
    pub fn and(self, others: Streams) -> Streams {
        Streams(self.0 | others.0)
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
    pub fn topics(&self, streams: &[Stream], principal: &Principal) -> Vec<Topic> {
        let mut topics = Vec::new();
        for number in self.streams.numbers() {
            for topic in (streams[number].topics)(principal) {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::{Dialect, Service};

    use super::*;

    #[test]
    fn a_set_of_streams_holds_what_was_put_into_it() {
        for streams in [&[][..], &[0], &[15], &[0, 3, 15]] {
            let set: Streams = streams.iter().copied().collect();
            assert_eq!(set.numbers().collect::<Vec<_>>(), streams);
        }
        let [low, high]: [Streams; 2] = [[0, 1], [1, 2]].map(|some| some.into_iter().collect());
        assert_eq!(low.and(high).numbers().collect::<Vec<_>>(), [0, 1, 2]);
        assert!(low.meets(high) && !low.meets(Streams::one(2)) && !low.meets(Streams::default()));
        assert_eq!(size_of::<Streams>(), 2);
    }

    #[test]
    fn rights_are_those_of_all_streams_each_once() {
        let dialect: Dialect = bellwire_services::states::service().streams[0].dialect;
        let streams = Service::new("made-up", &[], &[])
            .stream("/a", dialect, |_| vec![Topic::Borrowed("a"), Topic::Borrowed("both")])
            .stream("/b", dialect, |who| match who.id.as_str() {
                "guest" => Vec::new(),
                _ => vec![Topic::Borrowed("both"), Topic::Borrowed("b")],
            })
            .streams;
        let check = |numbers: &[usize], principal: Principal, topics: &[&str]| {
            let audience = Audience { streams: numbers.iter().copied().collect(), keys: None };
            assert_eq!(audience.topics(&streams, &principal), topics);
        };
        check(&[], Principal::operator(), &[]);
        check(&[1], Principal::operator(), &["both", "b"]);
        check(&[0, 1], Principal::operator(), &["a", "both", "b"]);
        check(&[0, 1], Principal::guest(), &["a", "both"]);
        check(&[1], Principal::guest(), &[]);
    }
}
