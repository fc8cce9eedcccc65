//! The event log: every durable event in commit order, for catching up.
//!
//! Offsets are dense and counted under the writer's lock from the log's head, never by a database
//! sequence, so that a jump in them always means that something was missed. The log never becomes
//! empty by [pruning](prune): its newest row holds the head. No service reads it: history is a
//! service's own table.
//!
//! Each full block of 1,000 rows has one row in `log_block` that lists its topics, so that
//! [`replay`] passes over blocks in which nobody asked for anything. Effects stand in the log's
//! rows, and once more in `log_effect` by principal, so that a grant is found without a scan.

mod append;
mod prune;
mod replay;

use std::{fmt, str::FromStr};

pub(crate) use append::Scratch;
pub use prune::{Keep, Pruned, prune};
pub use replay::{Ended, ReplayLimits, Replayed, Wanted, ended, grants, replay, tail};
pub(crate) use sql::{EPOCH, EPOCH_NEW, EPOCH_SET};

use crate::{
    change::{Fault, Micros, Offset, Topic},
    migrate::Migrations,
    tx::{ReadTx, Statement, Value, offset_of, stored},
};

/// A set of topics.
pub type Topics = std::collections::HashSet<Topic>;

/// Rows in a block.
pub const BLOCK_ROWS: u64 = 1_000;

/// The store's own tables.
pub(crate) const MIGRATIONS: Migrations = Migrations { service: "store", steps: &[SCHEMA_1] };

const SCHEMA_1: &str = "
CREATE TABLE log_epoch (
    epoch TEXT NOT NULL
);
CREATE TABLE counters (
    sequence TEXT PRIMARY KEY,
    last INTEGER NOT NULL
);
CREATE TABLE log (
    log_offset INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    overflow INTEGER NOT NULL,
    name TEXT,
    key TEXT,
    topics TEXT NOT NULL,
    except_topics TEXT,
    payloads TEXT,
    effects TEXT
);
CREATE TABLE log_block (
    last_offset INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL,
    topics TEXT NOT NULL
);
CREATE TABLE log_effect (
    log_offset INTEGER NOT NULL,
    place INTEGER NOT NULL,
    principal TEXT NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT,
    PRIMARY KEY (log_offset, place)
) WITHOUT ROWID;
CREATE INDEX log_effect_principal ON log_effect (principal, log_offset);
";

mod sql {
    crate::statements! {
        /// The epoch of this database.
        EPOCH = "SELECT epoch FROM log_epoch";
        /// The epoch of a new one.
        EPOCH_NEW = "INSERT INTO log_epoch (epoch) VALUES ($1)";
        /// The epoch of a copy.
        EPOCH_SET = "UPDATE log_epoch SET epoch = $1";
        /// The oldest row.
        FIRST = "SELECT log_offset FROM log ORDER BY log_offset LIMIT 1";
        /// The newest row.
        LAST = "SELECT log_offset, at FROM log ORDER BY log_offset DESC LIMIT 1";
        /// The size of all full blocks, and the last offset in them.
        BLOCKS = "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT), coalesce(max(last_offset), 0) \
                  FROM log_block";
        /// The size of what follows them.
        TAIL = "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM log WHERE log_offset > $1";
    }
}

/// Every statement of the log.
pub fn statements() -> Vec<Statement> {
    [sql::STATEMENTS, append::sql::STATEMENTS, replay::sql::STATEMENTS, prune::sql::STATEMENTS]
        .concat()
}

/// What the log holds: offsets `first` to `head`, and nothing when `first` is above `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Offset,
    pub(crate) head: Offset,
    pub(crate) bytes: u64,
    pub(crate) last_at: Option<Micros>,
}

impl Extent {
    /// Reads it from the tables, at open.
    pub(crate) fn read(tx: &ReadTx<'_>) -> Result<Extent, Fault> {
        let (head, last_at) = tx
            .one(sql::LAST, &[], |row| (offset_of(row.integer(0)), Some(row.integer(1))))?
            .unwrap_or((0, None));
        let first = first(tx)?.unwrap_or(head + 1);
        let (blocks, end) =
            tx.one(sql::BLOCKS, &[], |row| (row.integer(0), row.integer(1)))?.unwrap_or((0, 0));
        let tail = tx.one(sql::TAIL, &[Value::Integer(end)], |row| row.integer(0))?.unwrap_or(0);
        let bytes = u64::try_from(blocks + tail).unwrap_or(0);
        Ok(Extent { first, head, bytes, last_at })
    }
}

/// The place before the oldest row: a client that stands there, or later, can be told all that follows.
pub fn kept_after(tx: &ReadTx<'_>) -> Result<Offset, Fault> {
    Ok(match first(tx)? {
        Some(first) => first - 1,
        None => tx.head()?,
    })
}

fn first(tx: &ReadTx<'_>) -> Result<Option<Offset>, Fault> {
    tx.one(sql::FIRST, &[], |row| offset_of(row.integer(0)))
}

/// A place in one database's log, as a client keeps it. Its text is opaque, short and URL-safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the database: a restored or a new one has another.
    pub epoch: String,
    /// Everything up to here is known.
    pub offset: Offset,
}

/// The longest text of a cursor: an epoch of 64, a dot, 20 digits.
const CURSOR_LEN_MAX: usize = 85;
/// The longest epoch.
const EPOCH_LEN_MAX: usize = 64;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = Reason;

    /// Takes the exact text that `Display` wrote, and nothing else.
    fn from_str(text: &str) -> Result<Cursor, Reason> {
        if text.len() > CURSOR_LEN_MAX {
            return Err(Reason::Invalid);
        }
        let (epoch, digits) = text.split_once('.').ok_or(Reason::Invalid)?;
        let canonical = digits == "0" || digits.starts_with(|c: char| matches!(c, '1'..='9'));
        if !is_epoch(epoch) || !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Reason::Invalid);
        }
        let offset = digits.parse().map_err(|_| Reason::Invalid)?;
        Ok(Cursor { epoch: epoch.to_owned(), offset })
    }
}

/// An epoch is 1 to 64 of the characters that need no escape in a URL.
pub(crate) fn is_epoch(text: &str) -> bool {
    (1..=EPOCH_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// What a cursor is still good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Everything after this offset is here.
    From(Offset),
    /// Some of it is not: the client has to start anew, and is told why.
    Reset(Reason),
}

/// Why a client has to start anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its place is older than what is kept.
    Expired,
    /// Its place is one that this log has not reached.
    Future,
    /// It knows another life of the database.
    Epoch,
    /// Too much was missed to be sent again.
    Limited,
    /// It is no cursor.
    Invalid,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 5] =
        [Reason::Expired, Reason::Future, Reason::Epoch, Reason::Limited, Reason::Invalid];

    /// The word for it in frames and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::Future => "future",
            Reason::Epoch => "epoch",
            Reason::Limited => "limited",
            Reason::Invalid => "invalid",
        }
    }
}

/// Judges a client's cursor against this snapshot.
pub fn resume(tx: &ReadTx<'_>, cursor: &str) -> Result<Resume, Fault> {
    let cursor: Cursor = match cursor.parse() {
        Ok(cursor) => cursor,
        Err(reason) => return Ok(Resume::Reset(reason)),
    };
    if cursor.epoch != tx.epoch() {
        return Ok(Resume::Reset(Reason::Epoch));
    }
    if cursor.offset > tx.head()? {
        return Ok(Resume::Reset(Reason::Future));
    }
    match first(tx)? {
        Some(first) if cursor.offset + 1 < first => Ok(Resume::Reset(Reason::Expired)),
        _ => Ok(Resume::From(cursor.offset)),
    }
}

/// The placeholders' values of a range of offsets.
fn range(after: Offset, upto: Offset) -> [Value<'static>; 2] {
    [stored(after), stored(upto)]
}
