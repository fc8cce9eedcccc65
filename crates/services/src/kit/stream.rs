//! Live endpoints: where a service is heard, and which part of it.

use bellwire_store::change::Offset;

use super::{Access, Dialect, Event, Fault, Micros, Principal, ReadTx, Said, Service, Topic};

/// A live endpoint: where events of the service are heard.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// The service whose events are heard there, and whose calls can be made.
    pub service: &'static str,
    /// Its path, e.g. `/api/ws`; a trailing slash is optional. One segment may be a whole number from 1 on, e.g.
    /// `/ws/device/{device_id}/`: the stream has a place for each; any other text there leads nowhere (404).
    pub path: &'static str,
    /// How it spells things.
    pub dialect: Dialect,
    /// Who is let in, here and in the service's namespace of Socket.IO.
    pub access: Access,
    /// Whether events are their bare payloads, without `type`, unless a client asks for that.
    pub bare: bool,
    /// What a principal hears there without asking for more. Who hears nothing by this hears nothing of the service
    /// at all, whatever part of it is asked for.
    pub topics: Topics,
    /// Which part of the service is heard there; `None`: all that `topics` gives.
    pub hears: Option<Hears>,
    /// Query parameters that are handed to `hears`.
    pub options: &'static [&'static str],
    /// Whether the place is there; `None`: every place is.
    pub exists: Option<Exists>,
    /// What is said first to who asks for it by `?snapshot=1`; `None`: nothing.
    pub snapshot: Option<FirstShown>,
    /// Which room a word of the query parameter `rooms` leads to; `None`: there is no such parameter.
    pub entries: Option<Entries>,
    /// Whether a plain session that asks for nothing (no cursor, no option, no snapshot) loses what it is too slow for,
    /// rather than its connection.
    pub lossy: bool,
    /// What a principal is told first.
    pub greeting: Option<Greeting>,
    /// Whether a principal that holds a topic of an event may still be told it later on, where that is not always
    /// so.
    pub still: Option<Still>,
}

impl Stream {
    /// Whether it has places, by a number in its path.
    pub fn has_places(&self) -> bool {
        self.path.contains('{')
    }
}

/// The largest snapshot, in bytes: what an outbound queue holds.
pub const SNAPSHOT_LEN_MAX: usize = 1 << 20;

/// Whether a principal may still be told an event that it missed.
pub type Still = fn(&ReadTx<'_>, &Principal, &Event) -> Result<bool, Fault>;

/// The topics of a stream that a principal may hear.
pub type Topics = fn(&ReadTx<'_>, &Principal) -> Result<Vec<Topic>, Fault>;

/// Which part of its service a connection to a stream wishes to hear. A fault is answered to the request as a
/// problem, with the status of its code.
pub type Hears = fn(&Wish<'_>) -> Result<Heard, Fault>;

/// Whether the place of this number is there; if not, the fault that its client is told before it is closed:
/// [`Code::NotFound`](super::Code::NotFound), which closes with 4404. Asked for those who may hear the service.
pub type Exists = fn(&ReadTx<'_>, i64) -> Result<(), Fault>;

/// Reads what is said first on a stream, of this place if it has places; bounded by the service. Asked for those who
/// may hear the service.
pub type FirstShown = fn(&ReadTx<'_>, &Principal, Option<i64>) -> Result<Said, Fault>;

/// What is said to who comes to this place of a stream, or to a stream without places, if there is something to say.
pub type Greeting = fn(&Principal, Option<i64>, Micros) -> Option<Said>;

/// What a request for a stream asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The number in its path, where the stream has places.
    pub place: Option<i64>,
    /// Those of the stream's options that it has, in the order of its query, each once.
    pub options: &'a [(&'static str, String)],
}

impl<'a> Wish<'a> {
    /// The value of an option; `None` if it was not given.
    pub fn option(&self, name: &str) -> Option<&'a str> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// What a connection to a stream hears instead of all of its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Which part of what the service tells.
    pub part: Part,
    /// Whether it has no cursor, as what it hears is not in the log: `since` is refused together with it.
    pub cursorless: bool,
}

/// A part of what a service tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Exactly these topics, each once. Whoever may hear the service at all may hear them.
    Topics(Vec<Topic>),
    /// What the principal may hear of events with this key, whichever topics that are.
    Key(String),
}

impl Heard {
    /// These topics of the log.
    pub fn of(topics: Vec<Topic>) -> Heard {
        Heard { part: Part::Topics(topics), cursorless: false }
    }

    /// Events of the log with this key.
    pub fn of_key(key: String) -> Heard {
        Heard { part: Part::Key(key), cursorless: false }
    }
}

/// A topic that is heard in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomTopic {
    /// The topic.
    pub topic: Topic,
    /// Events after this place are told, if that is later than when the session came into the room.
    pub since: Offset,
}

impl RoomTopic {
    /// This topic, from when the session came.
    pub fn of(topic: Topic) -> RoomTopic {
        RoomTopic { topic, since: 0 }
    }
}

/// The topics of the room of this name, for this principal: none, if it may not be there. A room is what single
/// connections enter and leave ([`Aside`](super::Aside)); its name begins with one of the service's topics' first
/// words, e.g. `private/1:2`. Asked at each read of a session's rights.
pub type Rooms = fn(&ReadTx<'_>, &Principal, &str) -> Result<Vec<RoomTopic>, Fault>;

/// The name of the room to which this word of the query parameter `rooms` leads a principal at this time; `None` if to
/// none, which is not said.
pub type Entries = fn(&ReadTx<'_>, &Principal, Micros, &str) -> Result<Option<String>, Fault>;

/// Where a call came from, if that was a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The path of the stream, as it was declared.
    pub path: &'static str,
    /// The number in it, where the stream has places.
    pub id: Option<i64>,
}

impl Service {
    /// Adds a live endpoint. What follows says more of it: [`hears`](Service::hears), [`options`](Service::options),
    /// [`exists`](Service::exists), [`snapshot`](Service::snapshot), [`lossy`](Service::lossy),
    /// [`still`](Service::still).
    pub fn stream(
        mut self,
        path: &'static str,
        dialect: Dialect,
        access: Access,
        topics: Topics,
    ) -> Self {
        self.streams.push(Stream {
            service: self.name,
            path,
            dialect,
            access,
            bare: false,
            topics,
            hears: None,
            options: &[],
            exists: None,
            snapshot: None,
            entries: None,
            lossy: false,
            greeting: None,
            still: None,
        });
        self
    }

    /// The same with events as bare payloads, and a greeting.
    pub fn bare_stream(
        self,
        path: &'static str,
        dialect: Dialect,
        access: Access,
        topics: Topics,
        greeting: Greeting,
    ) -> Self {
        let service = self.stream(path, dialect, access, topics).greeting(greeting);
        service.last_stream(|stream| stream.bare = true)
    }

    /// Says what who comes to the stream just added is told first.
    pub fn greeting(self, greeting: Greeting) -> Self {
        self.last_stream(|stream| stream.greeting = Some(greeting))
    }

    /// Says which part of the service is heard on the stream just added.
    pub fn hears(self, hears: Hears) -> Self {
        self.last_stream(|stream| stream.hears = Some(hears))
    }

    /// Says which query parameters of the stream just added are handed to what it [`hears`](Service::hears).
    pub fn options(self, options: &'static [&'static str]) -> Self {
        self.last_stream(|stream| stream.options = options)
    }

    /// Says how it is found out whether a place of the stream just added is there.
    pub fn exists(self, exists: Exists) -> Self {
        self.last_stream(|stream| stream.exists = Some(exists))
    }

    /// Says what is told first on the stream just added to who asks for it by `?snapshot=1`.
    pub fn snapshot(self, snapshot: FirstShown) -> Self {
        self.last_stream(|stream| stream.snapshot = Some(snapshot))
    }

    /// Says to which rooms the query parameter `rooms` of the stream just added leads, a list separated by commas: a
    /// connection is in them from the start, and with a cursor is told what it missed there.
    pub fn entries(self, entries: Entries) -> Self {
        self.last_stream(|stream| stream.entries = Some(entries))
    }

    /// Says that who asks for nothing on the stream just added, and does not keep up, loses the oldest of those events
    /// that wait of which only the newest counts, rather than its connection: for those who send much and may never
    /// read.
    pub fn lossy(self) -> Self {
        self.last_stream(|stream| stream.lossy = true)
    }

    /// Says that a principal which missed an event of the stream just added may be told it only if this says so:
    /// rights to single things may have changed that no topic knows of. It may be told what it was let hear by a topic
    /// that it holds no more, too.
    pub fn still(self, still: Still) -> Self {
        self.last_stream(|stream| stream.still = Some(still))
    }

    fn last_stream(mut self, change: impl FnOnce(&mut Stream)) -> Self {
        change(self.streams.last_mut().expect("a stream was added before more is said of it"));
        self
    }
}
