//! What a connection to a stream of its own asks for: the place in its path, and what its query says.

use std::sync::Arc;

use bellwire_services::kit::{Code, Fault, Heard, Micros, Part, Principal, Stream, Topic, Wish};
use bellwire_store::tx::ReadTx;

use super::Tables;
use crate::{
    audience::{Audience, Filter, Filtered, Streams},
    opening::{Opened, Since},
};

/// What is heard on a stream, and whether something is shown first.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// The stream, by its number.
    pub stream: usize,
    /// What is heard there, if that is not all.
    pub filter: Filtered,
    /// The words that lead to rooms, if some are asked for.
    pub rooms: Vec<String>,
    /// Whether its snapshot is asked for.
    pub snapshot: bool,
    /// Whether nothing is asked for but what the stream is.
    pub is_plain: bool,
}

impl Tuning {
    /// All of a stream.
    pub fn all(stream: usize) -> Tuning {
        Tuning { stream, filter: None, rooms: Vec::new(), snapshot: false, is_plain: true }
    }

    /// What that comes to.
    pub(super) fn audience(&self) -> Audience {
        Audience { filter: self.filter.clone(), ..Audience::of(self.stream) }
    }

    fn place(&self) -> Option<i64> {
        self.filter.as_ref()?.place
    }
}

impl Tables {
    /// What a request for a stream asks for that has this number in its path, where the stream has places, and this
    /// query. Parameters that the stream does not declare are ignored.
    ///
    /// # Errors
    /// What the service refuses; [`Code::Invalid`] for an option that comes twice or is no text, and for `since`
    /// where there is no cursor.
    pub fn tune(
        &self,
        stream: usize,
        place: Option<i64>,
        query: &str,
        since: &Since,
    ) -> Result<Tuning, Fault> {
        let Stream { hears, options, entries, .. } = self.streams[stream];
        let rooms = entries.map(|_| words(query)).transpose()?.unwrap_or_default();
        let mut asked = form_urlencoded::parse(query.as_bytes());
        let snapshot = asked.any(|(name, value)| name == "snapshot" && value == "1");
        let Some(hears) = hears else {
            let is_plain = !snapshot && rooms.is_empty();
            return Ok(Tuning { rooms, snapshot, is_plain, ..Tuning::all(stream) });
        };
        let options = given(options, query)?;
        let is_plain = !snapshot && options.is_empty();
        let Heard { part, cursorless } = hears(&Wish { place, options: &options })?;
        if cursorless && *since != Since::Unasked {
            return Err(Fault::new(Code::Invalid, "since: what is asked for has no cursor"));
        }
        let own = Streams::one(stream);
        let filter = match part {
            Part::Topics(topics) => Filter::by_topics(own, each_once(topics), false),
            Part::Key(key) => Filter::by_keys(own, [key].into()),
        };
        let filter = Some(Arc::new(Filter { place, ..filter }));
        Ok(Tuning { stream, filter, rooms, snapshot, is_plain })
    }

    /// An audience with the rooms that were asked for. What was told in them counts from wherever the connection goes on.
    ///
    /// # Errors
    /// The store's; [`Code::Invalid`] for too many.
    pub(super) fn in_rooms(
        &self,
        tx: &ReadTx<'_>,
        (tuning, principal): (&Tuning, &Principal),
        now: Micros,
        audience: Audience,
    ) -> Result<Audience, Fault> {
        let Some(entries) = self.streams[tuning.stream].entries else { return Ok(audience) };
        let mut rooms = Vec::new();
        for word in &tuning.rooms {
            rooms.extend(entries(tx, principal, now, word)?);
        }
        audience.moved(&rooms, &[], 0)
    }

    /// Adds the snapshot of a stream, if it was asked for and what was missed does not tell the same.
    ///
    /// # Errors
    /// Why the place is not there, if it is not; the store's. Who may hear nothing is told neither.
    pub(super) fn show(
        &self,
        tx: &ReadTx<'_>,
        tuning: &Tuning,
        since: &Since,
        opened: &mut Opened,
    ) -> Result<(), Fault> {
        if opened.opening.held.is_empty() {
            return Ok(());
        }
        let stream = &self.streams[tuning.stream];
        if let (Some(exists), Some(place)) = (stream.exists, tuning.place()) {
            exists(tx, place)?;
        }
        let goes_on = matches!(since, Since::Cursor(_)) && opened.reset.is_none();
        if let Some(snapshot) = stream.snapshot.filter(|_| tuning.snapshot && !goes_on) {
            opened.snapshot = Some(snapshot(tx, &opened.principal, tuning.place())?);
        }
        Ok(())
    }
}

fn each_once(topics: Vec<Topic>) -> Vec<Topic> {
    let mut parts: Vec<Topic> = Vec::new();
    for topic in topics {
        if !parts.contains(&topic) {
            parts.push(topic);
        }
    }
    parts
}

/// The words of the parameter `rooms`, each once.
fn words(query: &str) -> Result<Vec<String>, Fault> {
    let given = given(&["rooms"], query)?;
    let mut words: Vec<String> = Vec::new();
    for word in given.iter().flat_map(|(_, list)| list.split(',')) {
        if !word.is_empty() && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    Ok(words)
}

/// Those of the options that a query has, each once.
fn given(options: &[&'static str], query: &str) -> Result<Vec<(&'static str, String)>, Fault> {
    let mut given: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(&known) = options.iter().find(|known| **known == name) else { continue };
        let wrong = |why: &str| Fault::new(Code::Invalid, format!("{known}: {why}"));
        if given.iter().any(|(before, _)| *before == known) {
            return Err(wrong("comes twice"));
        }
        if value.contains(['\0', '\u{fffd}']) {
            return Err(wrong("is no text"));
        }
        given.push((known, value.into_owned()));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use bellwire_services::{
        kit::{Access, Dialect, Service},
        states,
    };

    use super::*;

    /// A made-up service: `boards`, of which streams hear parts.
    fn tables() -> Tables {
        let dialect: Dialect = states::service().streams[0].dialect;
        let boards = Service::new("boards", &[], &[])
            .stream("/boards/", dialect, Access::Caller, all)
            .stream("/board/{board_id}/", dialect, Access::Caller, all)
            .hears(heard)
            .options(&["every", "alarms"])
            .stream("/keyed/{board_id}/", dialect, Access::Caller, all)
            .hears(|wish| Ok(Heard::of_key(wish.place.unwrap_or_default().to_string())));
        Tables::of(vec![boards])
    }

    fn all(_: &ReadTx<'_>, _: &Principal) -> Result<Vec<Topic>, Fault> {
        Ok(vec![Topic::Borrowed("boards")])
    }

    fn heard(wish: &Wish<'_>) -> Result<Heard, Fault> {
        let place = wish.place.map_or_else(|| "boards".to_owned(), |id| format!("board/{id}"));
        let topics = match wish.option("every") {
            None => vec![place],
            Some("1s") => vec![format!("every/1s/{place}")],
            Some(_) => return Err(Fault::new(Code::Invalid, "every: 1s").named("INVALID_EVERY")),
        };
        let alarms = wish.option("alarms") == Some("1");
        let topics = topics.into_iter().chain(alarms.then(|| "alarms".to_owned()));
        let topics = topics.map(Topic::Owned).collect();
        Ok(Heard { part: Part::Topics(topics), cursorless: wish.option("every").is_some() })
    }

    #[test]
    fn a_request_says_what_is_heard() {
        let tables = tables();
        let check = |query: &str, expected: Result<(&[&str], bool), &str>| {
            let tuned = tables.tune(1, Some(7), query, &Since::Unasked);
            let tuned = tuned.as_ref().map(|tuning| {
                let filter = tuning.filter.as_ref().expect("it hears parts");
                assert_eq!((filter.place, tuning.place()), (Some(7), Some(7)));
                let parts = filter.parts_on(Streams::one(1)).expect("they are of the stream");
                (parts.topics.iter().map(AsRef::as_ref).collect::<Vec<_>>(), tuning.snapshot)
            });
            let expected = expected.map(|(topics, snapshot)| (topics.to_vec(), snapshot));
            assert_eq!(tuned.map_err(|fault| &*fault.message), expected, "{query}");
        };
        check("", Ok((&["board/7"], false)));
        check("token=x&other=1&other=1", Ok((&["board/7"], false)));
        check("alarms=1&snapshot=1", Ok((&["board/7", "alarms"], true)));
        check("snapshot=0", Ok((&["board/7"], false)));
        check("every=1s", Ok((&["every/1s/board/7"], false)));
        check("every=1%73", Ok((&["every/1s/board/7"], false)));
        check("every=2s", Err("every: 1s"));
        check("every", Err("every: 1s"));
        check("every=1s&every=1s", Err("every: comes twice"));
        check("alarms=%00", Err("alarms: is no text"));
        check("alarms=%ff", Err("alarms: is no text"));
    }

    #[test]
    fn a_place_may_be_heard_by_its_key() {
        let tuned = tables().tune(2, Some(7), "every=2s", &Since::Now).expect("it has a cursor");
        let own = Streams::one(2);
        let expected = Filter { place: Some(7), ..Filter::by_keys(own, ["7".to_owned()].into()) };
        assert_eq!((tuned.place(), tuned.filter.as_deref()), (Some(7), Some(&expected)));
    }

    #[test]
    fn what_has_no_cursor_goes_on_from_nowhere() {
        let tables = tables();
        let check = |query: &str, since: Since, expected: Option<&str>| {
            let refused = tables.tune(1, Some(7), query, &since).err();
            assert_eq!(
                refused.as_ref().map(|fault| &*fault.message),
                expected,
                "{query} {since:?}"
            );
        };
        let words = Some("since: what is asked for has no cursor");
        check("every=1s", Since::Unasked, None);
        check("every=1s", Since::Now, words);
        check("every=1s", Since::Cursor("e.1".into()), words);
        check("alarms=1", Since::Cursor("e.1".into()), None);
    }

    #[test]
    fn a_stream_that_says_nothing_of_that_is_heard_as_a_whole() {
        let tuned = tables().tune(0, None, "every=2s&every=2s&snapshot=1", &Since::Now);
        let tuned = tuned.expect("they are no options of it");
        assert!(tuned.filter.is_none() && tuned.snapshot);
        assert_eq!(tuned.audience(), Audience::of(0));
    }

    #[test]
    #[should_panic(expected = "a place of no use")]
    fn a_place_is_of_use() {
        let dialect: Dialect = states::service().streams[0].dialect;
        let boards = Service::new("boards", &[], &[]);
        Tables::of(vec![boards.stream("/board/{id}/", dialect, Access::Caller, all)]);
    }
}
