//! The newest part of the log, in memory and already encoded: live events are told from here, and
//! a reconnect storm is answered from here without a look at the disk.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock, RwLock},
};

use bellwire_services::kit::Spelling;
use bellwire_store::{
    change::{Logged, Offset},
    log::Cursor,
};
use bellwire_wire::{
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
    /// An event of Socket.IO on `/`.
    Root,
    /// The same with the cursor as the last argument.
    RootCursor,
    /// An event of Socket.IO in the namespace of its service.
    Own,
    /// The same with the cursor as the last argument.
    OwnCursor,
}

impl Shape {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// Whether events of this shape bear a cursor: such a reader misses nothing and is never coalesced.
    pub fn has_cursor(self) -> bool {
        matches!(self, Shape::PlainCursor | Shape::RootCursor | Shape::OwnCursor)
    }
}

/// A committed row, and its bytes in each shape that somebody asked for.
#[derive(Debug)]
pub struct Entry {
    /// The row.
    pub logged: Arc<Logged>,
    /// By variant, then shape. `OnceLock`: shards on several threads ask, the first one encodes.
    frames: Box<[OnceLock<Bytes>]>,
}

impl Entry {
    /// A row, not encoded yet.
    pub fn new(logged: Arc<Logged>) -> Entry {
        let variants = logged.event.as_ref().map_or(0, |event| event.variants.len());
        Entry { logged, frames: (0..variants * Shape::COUNT).map(|_| OnceLock::new()).collect() }
    }

    /// Its place in the log.
    pub fn offset(&self) -> Offset {
        self.logged.offset
    }

    /// About how much memory it takes, in bytes.
    pub fn memory_len(&self) -> usize {
        let payloads = self
            .logged
            .event
            .iter()
            .flat_map(|event| &event.variants)
            .map(|variant| variant.payload.get().len());
        // The row, and the payload with its frames, as if somebody heard half of the shapes.
        let copies = 1 + Shape::COUNT / 2;
        256 + size_of_val(&*self.frames) + copies * payloads.sum::<usize>()
    }
}

/// Turns rows into frames.
#[derive(Debug)]
pub struct Speller {
    epoch: String,
    /// By the event's name: its plain form, and the namespace of its service.
    events: HashMap<&'static str, (Form, &'static str)>,
}

impl Speller {
    /// A speller for this log's epoch and these events, each with the namespace of its service.
    pub fn new(
        epoch: &str,
        events: impl IntoIterator<Item = (&'static str, Spelling, &'static str)>,
    ) -> Speller {
        let form = |spelling| match spelling {
            Spelling::Spread => Form::Spread,
            Spelling::Nested => Form::Nested,
        };
        let events = events.into_iter();
        Speller {
            epoch: epoch.to_owned(),
            events: events.map(|(name, spelling, own)| (name, (form(spelling), own))).collect(),
        }
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
                let known = self.events.get(event.name.as_ref()).copied();
                let (form, own) = known.unwrap_or((Form::Spread, socketio::ROOT));
                let cursor = shape.has_cursor().then(|| self.cursor(entry.offset()));
                let (name, cursor) = (&event.name, cursor.as_deref());
                let payload = event.variants[variant].payload.get();
                match shape {
                    Shape::Plain | Shape::PlainCursor => {
                        plain::event_frame(name, payload, form, cursor)
                    }
                    Shape::Root | Shape::RootCursor => {
                        socketio::event_frame(socketio::ROOT, name, payload, cursor)
                    }
                    Shape::Own | Shape::OwnCursor => {
                        socketio::event_frame(own, name, payload, cursor)
                    }
                }
            })
            .clone()
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
