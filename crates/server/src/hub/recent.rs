//! The newest part of the log, in memory and already encoded: live events are told from here, and
//! a reconnect storm is answered from here without a look at the disk.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, RwLock},
};

use bellwire_services::kit::{Principal, Spelling, Told, declared};
use bellwire_store::{
    change::{Logged, Offset},
    log::Cursor,
};
use bellwire_wire::{
    frame,
    plain::{self, Form},
    socketio,
};
use bytes::Bytes;

/// How the bytes of an event look: receivers of one shape get the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// Plain WebSocket text frame, exactly as documented.
    Plain,
    /// The same with `cursor` as the last key.
    PlainCursor,
    /// The payload alone, as a plain WebSocket text frame.
    Bare,
    /// The same with `cursor` as the last key.
    BareCursor,
    /// An event of Socket.IO on `/`.
    Root,
    /// The same with the cursor as the last argument.
    RootCursor,
    /// As [`Root`](Shape::Root), but critical events ask for an acknowledgement: their id is their offset.
    RootAck,
    /// The same, and the others have the cursor as the last argument.
    RootAckCursor,
    /// An event of Socket.IO in the namespace of its service.
    Own,
    /// The same with the cursor as the last argument.
    OwnCursor,
    /// As [`Own`](Shape::Own), but critical events ask for an acknowledgement.
    OwnAck,
    /// The same, and the others have the cursor as the last argument.
    OwnAckCursor,
}

impl Shape {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// That of a plain connection.
    pub fn plain(bare: bool, cursor: bool) -> Shape {
        match (bare, cursor) {
            (false, false) => Shape::Plain,
            (false, true) => Shape::PlainCursor,
            (true, false) => Shape::Bare,
            (true, true) => Shape::BareCursor,
        }
    }

    /// That of a session of Socket.IO: in a namespace of one service's own, or on `/`.
    pub fn socketio(own: bool, cursor: bool, asks: bool) -> Shape {
        match (own, cursor, asks) {
            (false, false, false) => Shape::Root,
            (false, true, false) => Shape::RootCursor,
            (false, false, true) => Shape::RootAck,
            (false, true, true) => Shape::RootAckCursor,
            (true, false, false) => Shape::Own,
            (true, true, false) => Shape::OwnCursor,
            (true, false, true) => Shape::OwnAck,
            (true, true, true) => Shape::OwnAckCursor,
        }
    }

    /// Whether events of this shape bear a cursor: such a reader misses nothing and is never coalesced.
    pub fn has_cursor(self) -> bool {
        use Shape::{BareCursor, OwnAckCursor, OwnCursor, PlainCursor, RootAckCursor, RootCursor};
        matches!(
            self,
            PlainCursor | BareCursor | RootCursor | RootAckCursor | OwnCursor | OwnAckCursor
        )
    }

    /// Whether critical events of this shape ask for an acknowledgement.
    pub fn asks(self) -> bool {
        use Shape::{OwnAck, OwnAckCursor, RootAck, RootAckCursor};
        matches!(self, RootAck | RootAckCursor | OwnAck | OwnAckCursor)
    }

    /// How it is spelled: plain, or in which namespace of Socket.IO, given that of the event's service.
    fn speech(self, own: &'static str) -> Speech {
        match self {
            Shape::Plain | Shape::PlainCursor => Speech::Plain,
            Shape::Bare | Shape::BareCursor => Speech::Bare,
            Shape::Root | Shape::RootCursor | Shape::RootAck | Shape::RootAckCursor => {
                Speech::SocketIo(socketio::ROOT)
            }
            Shape::Own | Shape::OwnCursor | Shape::OwnAck | Shape::OwnAckCursor => {
                Speech::SocketIo(own)
            }
        }
    }
}

/// In how many shapes an event is taken to be heard: listeners of one service rarely come in more.
const SHAPES_HEARD: usize = 3;

/// What a shape speaks.
enum Speech {
    Plain,
    Bare,
    /// In this namespace.
    SocketIo(&'static str),
}

/// A committed row, and its bytes in each shape that somebody asked for; or, within a
/// [`Passing`](super::Passing), an event that passes behind a row, and its bytes.
#[derive(Debug)]
pub struct Entry {
    /// The row. Of what passes: the event, at the place of the row before it.
    pub logged: Arc<Logged>,
    /// Whether it passes.
    passes: bool,
    /// By variant, then shape. `OnceLock`: shards on several threads ask, the first one encodes.
    frames: Box<[OnceLock<Bytes>]>,
}

impl Entry {
    /// A row, not encoded yet.
    pub fn new(logged: Arc<Logged>) -> Entry {
        let variants = logged.event.as_ref().map_or(0, |event| event.variants.len());
        let frames = (0..variants * Shape::COUNT).map(|_| OnceLock::new()).collect();
        Entry { logged, passes: false, frames }
    }

    /// What passes behind the row of this offset, not encoded yet.
    pub(super) fn passing(logged: Arc<Logged>) -> Entry {
        Entry { passes: true, ..Entry::new(logged) }
    }

    /// Its place in the log; of what passes, that of the row before it.
    pub fn offset(&self) -> Offset {
        self.logged.offset
    }

    /// Rights that began before this place let it be told: of what passes, also those that began with the row before.
    pub fn rights_before(&self) -> Offset {
        self.offset() + u64::from(self.passes)
    }

    /// Whether it passes, and is no row.
    pub fn passes(&self) -> bool {
        self.passes
    }

    /// About how much memory it takes, in bytes.
    pub fn memory_len(&self) -> usize {
        let payloads = self
            .logged
            .event
            .iter()
            .flat_map(|event| &event.variants)
            .map(|variant| variant.payload.get().len());
        // The row, and the payload with its frames.
        256 + size_of_val(&*self.frames) + (1 + SHAPES_HEARD) * payloads.sum::<usize>()
    }
}

/// A frame in which its receiver is to be named.
#[derive(Debug)]
pub struct Blank {
    before: String,
    after: String,
}

impl Blank {
    /// The frame with the number of this user in it; of who is no user, with nothing.
    pub fn filled(&self, whose: &Principal) -> Bytes {
        frame::text_of(&self.pieces(whose))
    }

    /// How long that is, in bytes.
    pub fn filled_len(&self, whose: &Principal) -> usize {
        frame::text_len(&self.pieces(whose))
    }

    /// Appends it to others.
    pub fn fill(&self, whose: &Principal, out: &mut Vec<u8>) {
        frame::put_text(&self.pieces(whose), out);
    }

    fn pieces<'a>(&'a self, whose: &'a Principal) -> [&'a str; 3] {
        [&self.before, whose.user_number().unwrap_or_default(), &self.after]
    }
}

/// The event in which several are told.
const BATCH: &str = "batch";

/// Turns rows into frames.
#[derive(Debug)]
pub struct Speller {
    epoch: String,
    events: HashMap<&'static str, Known>,
}

/// What is known of an event by its name.
#[derive(Debug, Clone, Copy)]
struct Known {
    form: Form,
    /// The namespace of its service.
    namespace: &'static str,
    asks: bool,
    /// The key of its payload that says to each receiver who they are.
    own: Option<&'static str>,
}

impl Speller {
    /// A speller for this log's epoch and these events.
    pub fn new(epoch: &str, events: impl IntoIterator<Item = Told>) -> Speller {
        let known = |told: Told| {
            let form = match told.spelling {
                Spelling::Spread => Form::Spread,
                Spelling::Nested => Form::Nested,
            };
            let (namespace, asks, own) = (told.namespace, told.asks, told.own);
            (told.name, Known { form, namespace, asks, own })
        };
        Speller { epoch: epoch.to_owned(), events: events.into_iter().map(known).collect() }
    }

    /// Whether an event is one that a client may be asked to acknowledge.
    pub fn asks(&self, name: &str) -> bool {
        self.known(name).asks
    }

    /// Whether each receiver of an event may be told who they are in it: its frames are not the same for all.
    pub fn is_own(&self, name: &str) -> bool {
        self.known(name).own.is_some()
    }

    fn known(&self, name: &str) -> Known {
        let unknown =
            Known { form: Form::Spread, namespace: socketio::ROOT, asks: false, own: None };
        self.events.get(declared(name)).copied().unwrap_or(unknown)
    }

    /// The frame of one variant of a row's event for this receiver.
    ///
    /// # Panics
    /// As [`frame`](Speller::frame).
    pub fn frame_for(
        &self,
        entry: &Entry,
        variant: usize,
        shape: Shape,
        whose: &Principal,
    ) -> Bytes {
        match self.blank(entry, variant, shape) {
            Some(blank) => blank.filled(whose),
            None => self.frame(entry, variant, shape),
        }
    }

    /// The frame of one variant of a row's event as a form, if each receiver is told in it who they are.
    ///
    /// # Panics
    /// As [`frame`](Speller::frame).
    pub fn blank(&self, entry: &Entry, variant: usize, shape: Shape) -> Option<Blank> {
        let event = entry.logged.event.as_ref()?;
        let key = self.known(&event.name).own?;
        let frame = self.frame(entry, variant, shape);
        // Within a JSON text a quote is never bare: this can be a key and its value only.
        let field = format!(r#""{key}":""#);
        let text = frame::body_of(&frame);
        let at = text.find(&format!(r#"{field}""#))? + field.len();
        let (before, after) = text.split_at(at);
        Some(Blank { before: before.to_owned(), after: after.to_owned() })
    }

    /// The frame of one variant of a row's event.
    ///
    /// # Panics
    /// If the row has no such variant: the caller matched it before.
    pub fn frame(&self, entry: &Entry, variant: usize, shape: Shape) -> Bytes {
        let frame = &entry.frames[variant * Shape::COUNT + shape as usize];
        frame
            .get_or_init(|| {
                let event = entry.logged.event.as_ref().expect("a row with variants has an event");
                let Known { form, namespace, asks, .. } = self.known(&event.name);
                let payload = event.variants[variant].payload.get();
                let place = || self.cursor(entry.offset());
                let cursor = shape.has_cursor().then(place);
                let (name, cursor) = (&event.name, cursor.as_deref());
                match shape.speech(namespace) {
                    Speech::Plain => plain::event_frame(name, payload, form, cursor),
                    Speech::Bare => plain::bare_frame(name, payload, form, cursor),
                    Speech::SocketIo(path) if asks && shape.asks() && !entry.passes => {
                        socketio::request_frame(path, entry.offset(), name, payload, &place())
                    }
                    Speech::SocketIo(path) => socketio::event_frame(path, name, payload, cursor),
                }
            })
            .clone()
    }

    /// One frame that tells several rows, of each this variant; `None` if there are none.
    pub fn batch(&self, rows: &[(Arc<Entry>, usize)], shape: Shape) -> Option<Bytes> {
        let (last, _) = rows.last()?;
        let mut own = socketio::ROOT;
        let events = rows.iter().filter_map(|(entry, variant)| {
            let event = entry.logged.event.as_ref()?;
            let known = self.known(&event.name);
            own = known.namespace;
            Some((event.name.as_ref(), event.variants[*variant].payload.get(), known.form))
        });
        let payload = plain::batch(events);
        let cursor = shape.has_cursor().then(|| self.cursor(last.offset()));
        Some(match shape.speech(own) {
            Speech::Plain | Speech::Bare => {
                plain::event_frame(BATCH, &payload, Form::Spread, cursor.as_deref())
            }
            Speech::SocketIo(path) => {
                socketio::event_frame(path, BATCH, &payload, cursor.as_deref())
            }
        })
    }

    /// The cursor of a place, as clients see it.
    pub fn cursor(&self, offset: Offset) -> String {
        Cursor { epoch: self.epoch.clone(), offset }.to_string()
    }
}

/// The newest rows, in order and without a hole.
///
/// `RwLock`: the sequencer appends once per batch; shards and readers copy ranges, rarely (when a
/// session joins or falls behind), and only `Arc`s.
#[derive(Debug)]
pub struct Recent {
    rows: RwLock<Rows>,
    rows_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Rows {
    /// The offset of the first row kept, or that the next row will have.
    first: Offset,
    kept: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Recent {
    /// Remembers what follows `head`: at most so many rows, and about so many bytes.
    pub fn new(head: Offset, rows_max: usize, bytes_max: usize) -> Recent {
        Recent {
            rows: RwLock::new(Rows { first: head + 1, kept: VecDeque::new(), bytes: 0 }),
            rows_max,
            bytes_max,
        }
    }

    /// Appends the next rows.
    pub fn append(&self, entries: &[Arc<Entry>]) {
        let mut rows = self.rows.write().expect("nobody panics under this lock");
        for entry in entries {
            debug_assert!(!entry.passes, "what passes is not kept");
            debug_assert_eq!(
                entry.offset(),
                rows.first + rows.kept.len() as u64,
                "offsets are dense"
            );
            rows.bytes += entry.memory_len();
            rows.kept.push_back(entry.clone());
        }
        while rows.kept.len() > self.rows_max
            || (rows.bytes > self.bytes_max && rows.kept.len() > 1)
        {
            let Some(oldest) = rows.kept.pop_front() else { break };
            rows.first = oldest.offset() + 1;
            rows.bytes -= oldest.memory_len();
        }
    }

    /// The rows in `(after, upto]`, at most `rows_max` of them; `None` if some are no longer kept here.
    pub fn range(&self, after: Offset, upto: Offset, rows_max: usize) -> Option<Vec<Arc<Entry>>> {
        let rows = self.rows.read().expect("nobody panics under this lock");
        if after + 1 < rows.first {
            return None;
        }
        let skip = (after + 1 - rows.first) as usize;
        let wanted = rows.kept.iter().skip(skip).take_while(|entry| entry.offset() <= upto);
        Some(wanted.take(rows_max).cloned().collect())
    }

    /// Whether everything after this place is kept here.
    pub fn covers(&self, after: Offset) -> bool {
        after.saturating_add(1) >= self.rows.read().expect("nobody panics under this lock").first
    }

    /// The last place that is kept here, or before what is kept.
    pub fn head(&self) -> Offset {
        let rows = self.rows.read().expect("nobody panics under this lock");
        rows.first + rows.kept.len() as u64 - 1
    }
}
