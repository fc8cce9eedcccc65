//! Names of topics, as clients ask for them, to what a session listens to.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use bellwire_services::{
    kit::{Code, Event, Fault, Named, Topic, declared, shortened},
    live_sessions::Listened,
};
use bellwire_store::change::Offset;

use super::Tables;
use crate::audience::{Audience, Filter, Streams, mixed};

/// How many topics one connection may ask for.
pub const NAMES_MAX: usize = 1_000;
/// How long their names may be together, in bytes.
pub const NAMES_LEN_MAX: usize = 64 << 10;
/// What stands before the name of a service that was listened to once and is not any more, among the names of topics
/// that are kept. No topic's name begins with it.
const LEFT: char = '-';

impl Tables {
    /// What these names of topics mean, together; none mean nothing at all. `within` is a service
    /// whose names alone count, for a connection to a namespace of its own.
    ///
    /// Whoever asks for all of a service hears all of it, whatever single things are named besides; parts of it that
    /// are named are heard, too. A session has one filter, by key or of parts, which is of one service.
    ///
    /// # Errors
    /// [`Code::Invalid`] for an unknown name, too many, or such a mixture.
    pub fn audience<'a>(
        &self,
        within: Option<&str>,
        names: impl ExactSizeIterator<Item = &'a str> + Clone,
    ) -> Result<Audience, Fault> {
        if names.len() > NAMES_MAX {
            return Err(Fault::new(Code::Invalid, format!("topics: at most {NAMES_MAX}")));
        }
        if names.clone().map(str::len).sum::<usize>() > NAMES_LEN_MAX {
            return Err(Fault::new(Code::Invalid, "topics: at most 64 KiB of names"));
        }
        let (mut whole, mut filtered) = (BTreeSet::new(), BTreeSet::new());
        let (mut keys, mut parts, mut in_parts) = (HashSet::new(), Vec::new(), BTreeSet::new());
        for name in names {
            match self.named(within, name) {
                Some((service, Named::All)) => {
                    whole.insert(service);
                }
                Some((service, Named::Key(key))) => {
                    filtered.insert(service);
                    keys.insert(key);
                }
                Some((service, Named::Part(topic))) => {
                    in_parts.insert(service);
                    if !parts.contains(&topic) {
                        parts.push(topic);
                    }
                }
                None => {
                    let words = shortened(format!("topics: unknown topic {name:?}"));
                    return Err(Fault::new(Code::Invalid, words));
                }
            }
        }
        let filtered: Vec<_> = filtered.difference(&whole).copied().collect();
        let streams: Streams = whole.iter().flat_map(|service| self.numbers_of(service)).collect();
        let in_parts: Vec<_> = in_parts.into_iter().collect();
        let filter = match (filtered.as_slice(), in_parts.as_slice()) {
            ([], []) => return Ok(Audience { streams, ..Audience::default() }),
            ([service], []) => Filter::by_keys(self.streams_of(service), keys),
            ([], [service]) => {
                Filter::by_topics(self.streams_of(service), parts, whole.contains(service))
            }
            _ => return Err(mixed()),
        };
        let streams = streams.and(filter.streams);
        Ok(Audience { streams, filter: Some(Arc::new(filter)), rooms: None })
    }

    fn named(&self, within: Option<&str>, name: &str) -> Option<(&'static str, Named)> {
        let asked = self.names.iter().filter(|(service, _)| within.is_none_or(|w| w == *service));
        asked.into_iter().find_map(|(service, named)| Some((*service, named(name)?)))
    }

    /// These topics as they are kept: with the services on the `known` streams of which they name nothing.
    pub(super) fn with_left(&self, mut topics: Vec<Listened>, known: Streams) -> Vec<Listened> {
        let names = |service: &str| {
            topics.iter().any(|topic| self.named(Some(service), &topic.name).is_some())
        };
        let services = self.names.iter().map(|(service, _)| *service);
        let left: Vec<Listened> = services
            .filter(|service| known.meets(self.streams_of(service)) && !names(service))
            .map(|service| Listened { name: format!("{LEFT}{service}"), since: 0 })
            .collect();
        topics.extend(left);
        topics
    }

    /// What was kept, the other way: the topics, and the streams of services that were left.
    pub(super) fn without_left(&self, kept: &[Listened]) -> (Vec<Listened>, Streams) {
        let (left, topics): (Vec<_>, Vec<_>) =
            kept.iter().cloned().partition(|topic| topic.name.starts_with(LEFT));
        let known = left.iter().flat_map(|topic| self.numbers_of(&topic.name[LEFT.len_utf8()..]));
        (topics, known.collect())
    }

    /// The topics that are of other services than this.
    pub(super) fn besides(&self, service: &str, mut topics: Vec<Listened>) -> Vec<Listened> {
        topics.retain(|topic| self.named(Some(service), &topic.name).is_none());
        topics
    }

    /// These names, each listened to since it, or all of its service, was `before`; new ones since `at`.
    pub(super) fn since(
        &self,
        names: Vec<String>,
        before: &[Listened],
        at: Offset,
    ) -> Vec<Listened> {
        let known: HashMap<&str, Offset> =
            before.iter().map(|topic| (topic.name.as_str(), topic.since)).collect();
        let mut whole: HashMap<&str, Offset> = HashMap::new();
        for topic in before {
            if let Some((service, Named::All)) = self.named(None, &topic.name) {
                whole.insert(service, topic.since);
            }
        }
        let since = |name: &str| {
            let own = known.get(name).copied();
            let service = self.named(None, name).and_then(|(service, _)| whole.get(service));
            own.into_iter().chain(service.copied()).min().unwrap_or(at)
        };
        names.into_iter().map(|name| Listened { since: since(&name), name }).collect()
    }

    /// The place after which an event counts for who listens to these topics; `None`: it never does.
    pub(super) fn counts_after<'a>(
        &'a self,
        topics: &[Listened],
    ) -> impl Fn(&Event) -> Option<Offset> + 'a {
        let mut whole: HashMap<&'static str, Offset> = HashMap::new();
        let mut single: HashMap<(&'static str, String), Offset> = HashMap::new();
        let mut parts: HashMap<Topic, Offset> = HashMap::new();
        for topic in topics {
            let since = match self.named(None, &topic.name) {
                Some((service, Named::All)) => whole.entry(service).or_insert(topic.since),
                Some((service, Named::Key(key))) => {
                    single.entry((service, key)).or_insert(topic.since)
                }
                Some((_, Named::Part(part))) => parts.entry(part).or_insert(topic.since),
                None => continue,
            };
            *since = topic.since.min(*since);
        }
        move |event| {
            let service = *self.events.get(declared(&event.name))?;
            let single = single.get(&(service, event.key.clone())).copied();
            let topics = event.variants.iter().flat_map(|variant| &variant.topics);
            let part = topics.filter_map(|topic| parts.get(topic)).copied().min();
            whole.get(service).copied().into_iter().chain(single).chain(part).min()
        }
    }

    /// The streams on which a service is heard.
    pub(super) fn streams_of(&self, service: &str) -> Streams {
        self.numbers_of(service).collect()
    }

    fn numbers_of(&self, service: &str) -> impl Iterator<Item = usize> {
        let numbers = self.streams.iter().enumerate();
        numbers.filter(move |(_, stream)| stream.service == service).map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::{
        kit::{Access, Service, Spelling, Topic, Variant},
        states,
    };

    use super::*;

    /// States, and three services made up: `rooms` has streams 1 and 2, `posts` stream 3, `boards`, which has parts,
    /// stream 4.
    fn tables() -> Tables {
        let dialect = states::service().streams[0].dialect;
        let rooms = Service::new("rooms", &[], &[])
            .stream("/rooms", dialect, Access::Caller, |_, _| Ok(vec![Topic::Borrowed("rooms")]))
            .stream("/room", dialect, Access::Caller, |_, _| Ok(vec![Topic::Borrowed("rooms")]))
            .names(|name| match name.strip_prefix("room/") {
                Some(room) => Some(Named::Key(room.to_owned())),
                None => (name == "rooms").then_some(Named::All),
            });
        let posts = Service::new("posts", &[], &[])
            .stream("/posts", dialect, Access::Caller, |_, _| Ok(vec![Topic::Borrowed("posts")]))
            .names(|name| (name == "posts").then_some(Named::All));
        let boards = Service::new("boards", &[], &[])
            .stream("/boards", dialect, Access::Caller, |_, _| Ok(vec![Topic::Borrowed("boards")]))
            .names(|name| match name {
                "boards" => Some(Named::All),
                "alarms" => Some(Named::Part(Topic::Borrowed("alarms"))),
                _ => name.strip_prefix("board/").map(|_| Named::Part(name.to_owned().into())),
            })
            .event::<serde_json::Value>("board", Spelling::Spread);
        Tables::of(vec![states::service(), rooms, posts, boards])
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_mean_streams_and_keys() {
        let tables = tables();
        let check = |within: Option<&str>, names: &[&str], streams: &[usize], keys: &[&str]| {
            let audience =
                tables.audience(within, names.iter().copied()).expect("it is an audience");
            assert_eq!(audience.streams.numbers().collect::<Vec<_>>(), streams, "{names:?}");
            let filter = audience.filter;
            let filter = filter.map(|filter| BTreeSet::from_iter(filter.keys().cloned()));
            let wanted = BTreeSet::from_iter(texts(keys));
            assert_eq!(filter.unwrap_or_default(), wanted, "{names:?}");
        };
        check(None, &[], &[], &[]);
        check(None, &["states"], &[0], &[]);
        check(None, &["states", "states"], &[0], &[]);
        check(None, &["entity/a.b"], &[0], &["a.b"]);
        check(None, &["entity/a.b", "entity/c.d", "entity/a.b"], &[0], &["a.b", "c.d"]);
        check(None, &["entity/a.b", "states"], &[0], &[]);
        check(None, &["entity/a.b", "rooms"], &[0, 1, 2], &["a.b"]);
        check(None, &["rooms"], &[1, 2], &[]);
        check(None, &["room/7"], &[1, 2], &["7"]);
        check(None, &["states", "rooms", "posts"], &[0, 1, 2, 3], &[]);
        check(None, &["room/7", "states", "rooms"], &[0, 1, 2], &[]);
        check(Some("states"), &["states"], &[0], &[]);
        check(Some("rooms"), &["room/7", "room/8"], &[1, 2], &["7", "8"]);
        check(Some("states"), &[], &[], &[]);
    }

    #[test]
    fn names_mean_parts_of_a_service() {
        let tables = tables();
        let check = |names: &[&str], streams: &[usize], topics: &[&str], whole: bool| {
            let audience = tables.audience(None, names.iter().copied()).expect("it is an audience");
            assert_eq!(audience.streams.numbers().collect::<Vec<_>>(), streams, "{names:?}");
            let filter = audience.filter.expect("it has parts");
            let topics = topics.iter().map(|topic| (*topic).to_owned().into()).collect();
            assert_eq!(*filter, Filter::by_topics(Streams::one(4), topics, whole), "{names:?}");
        };
        check(&["alarms"], &[4], &["alarms"], false);
        check(&["board/2", "board/1", "board/2"], &[4], &["board/2", "board/1"], false);
        check(&["board/1", "boards", "alarms"], &[4], &["board/1", "alarms"], true);
        check(&["states", "board/1"], &[0, 4], &["board/1"], false);
        check(&["states", "entity/a.b", "board/1"], &[0, 4], &["board/1"], false);
    }

    #[test]
    fn parts_count_from_where_they_were_asked_for() {
        let tables = tables();
        let listened = |topics: &[(&str, Offset)]| -> Vec<Listened> {
            topics.iter().map(|(name, since)| ((*name).to_owned(), *since).into()).collect()
        };
        let check = |topics: &[(&str, Offset)], of: &[&str], after: Option<Offset>| {
            let payload = serde_json::value::to_raw_value(&1).expect("it serialises");
            let topics_of = of.iter().map(|topic| (*topic).to_owned().into()).collect();
            let event = Event {
                name: "board".into(),
                key: "1".to_owned(),
                except: Vec::new(),
                variants: vec![Variant { topics: topics_of, payload }],
                overflow: bellwire_services::kit::Overflow::Close,
            };
            assert_eq!(tables.counts_after(&listened(topics))(&event), after, "{topics:?} {of:?}");
        };
        check(&[("board/1", 3)], &["boards", "board/1"], Some(3));
        check(&[("board/1", 3)], &["boards", "board/2"], None);
        check(&[("board/1", 3), ("alarms", 5)], &["alarms", "board/1"], Some(3));
        check(&[("boards", 7), ("board/1", 3)], &["boards", "board/1"], Some(3));
        check(&[("boards", 7), ("board/1", 3)], &["boards", "board/2"], Some(7));
        check(&[("states", 1)], &["boards"], None);
        // What was heard of all before is heard on without a hole.
        let since = tables.since(texts(&["board/1"]), &listened(&[("boards", 2)]), 9);
        assert_eq!(since, listened(&[("board/1", 2)]));
    }

    #[test]
    fn topics_count_from_where_they_were_asked_for() {
        let tables = tables();
        let listened = |topics: &[(&str, Offset)]| -> Vec<Listened> {
            topics.iter().map(|(name, since)| ((*name).to_owned(), *since).into()).collect()
        };
        let check = |before: &[(&str, Offset)], names: &[&str], after: &[(&str, Offset)]| {
            assert_eq!(tables.since(texts(names), &listened(before), 9), listened(after));
        };
        check(&[], &["states"], &[("states", 9)]);
        check(&[("states", 2)], &["states", "rooms"], &[("states", 2), ("rooms", 9)]);
        check(&[("states", 2)], &["entity/a.b"], &[("entity/a.b", 2)]);
        check(&[("rooms", 2)], &["entity/a.b"], &[("entity/a.b", 9)]);
        check(&[("entity/a.b", 2)], &["states"], &[("states", 9)]);
        let both = [("entity/a.b", 2), ("states", 9)];
        check(&both[..1], &["entity/a.b", "states"], &both);

        let event = |key: &str| Event {
            name: "state_changed".into(),
            key: key.to_owned(),
            except: Vec::new(),
            variants: Vec::new(),
            overflow: bellwire_services::kit::Overflow::Close,
        };
        let counts =
            |topics: &[(&str, Offset)], key| tables.counts_after(&listened(topics))(&event(key));
        assert_eq!(counts(&both, "a.b"), Some(2));
        assert_eq!(counts(&both, "c.d"), Some(9));
        assert_eq!(counts(&both[..1], "c.d"), None);
        assert_eq!(counts(&[("rooms", 1)], "a.b"), None);
        assert_eq!(counts(&[("states", 5), ("entity/a.b", 7)], "a.b"), Some(5));
    }

    #[test]
    fn names_that_mean_nothing_here_are_refused() {
        let tables = tables();
        let check = |within: Option<&str>, names: &[&str], words: &str| {
            let fault = tables.audience(within, names.iter().copied()).expect_err(words);
            assert_eq!((fault.code, &*fault.message), (Code::Invalid, words));
        };
        check(None, &["x"], r#"topics: unknown topic "x""#);
        check(None, &["states", ""], r#"topics: unknown topic """#);
        check(None, &["entity/a"], r#"topics: unknown topic "entity/a""#);
        check(Some("rooms"), &["rooms", "states"], r#"topics: unknown topic "states""#);
        check(Some("identity"), &["states"], r#"topics: unknown topic "states""#);
        let mixed = "topics: single things of one service go with none of another";
        check(None, &["entity/a.b", "room/7"], mixed);
        check(None, &["entity/a.b", "posts", "room/7"], mixed);
        check(None, &["entity/a.b", "board/1"], mixed);
        check(Some("posts"), &["board/1"], r#"topics: unknown topic "board/1""#);
        let long =
            tables.audience(None, [&*"x".repeat(99_999)].into_iter()).expect_err("it is unknown");
        assert!(long.message.len() < 300);
    }

    #[test]
    fn a_connection_names_a_thousand_topics_and_no_more() {
        let tables = tables();
        let names = |count: usize| -> Vec<String> {
            (0..count).map(|number| format!("entity/a.b{number}")).collect()
        };
        for count in [NAMES_MAX - 1, NAMES_MAX] {
            let keys = tables
                .audience(None, names(count).iter().map(String::as_str))
                .expect("they are few enough")
                .filter;
            assert_eq!(keys.map(|filter| filter.keys().count()), Some(count));
        }
        let fault = tables
            .audience(None, names(NAMES_MAX + 1).iter().map(String::as_str))
            .expect_err("one more");
        assert_eq!((fault.code, &*fault.message), (Code::Invalid, "topics: at most 1000"));
        let long = format!("entity/a.{}", "b".repeat(200));
        let many = vec![long.as_str(); NAMES_LEN_MAX / long.len()];
        assert!(tables.audience(None, many.iter().copied()).is_ok());
        let fault = tables.audience(None, [many, vec![&long]].concat().into_iter());
        let fault = fault.expect_err("too long together");
        assert_eq!(&*fault.message, "topics: at most 64 KiB of names");
    }
}
