//! Transactions as services see them: statements in the SQL that SQLite and PostgreSQL share.
//!
//! The dialect: integer, real, text, blob; times as integer microseconds; `$1` placeholders;
//! `RETURNING`, `ON CONFLICT`. Every statement is declared with [`statements!`](crate::statements!),
//! so that a test can prepare each of them on both databases.
//!
//! A statement that fails makes its whole command fail, whatever the command does with the fault:
//! PostgreSQL knows no other way, and half a decision is worth nothing.

use std::{
    cell::Cell,
    ops::{ControlFlow, Deref},
};

use rusqlite::{CachedStatement, Connection, types::ValueRef};

use crate::{
    change::{Fault, Offset},
    log::Extent,
    sqlite::watch::Watch,
};

/// One SQL statement. Only [`statements!`](crate::statements!) makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement(#[doc(hidden)] pub &'static str);

/// Declares the statements of a module: a constant each, and `STATEMENTS`, the list of them all.
///
/// ```
/// bellwire_store::statements! {
///     /// The newest row of an entity.
///     NEWEST = "SELECT state FROM states WHERE entity_id = $1";
/// }
/// assert_eq!(STATEMENTS.len(), 1);
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* pub const $name: $crate::tx::Statement = $crate::tx::Statement($sql);)+
        /// Every statement of this module.
        pub const STATEMENTS: &[$crate::tx::Statement] = &[$($name),+];
    };
}

statements! {
    /// The next number of a sequence.
    NEXT_ID = "INSERT INTO counters (sequence, last) VALUES ($1, 1) \
               ON CONFLICT (sequence) DO UPDATE SET last = counters.last + 1 RETURNING last";
    /// The log's newest row; no row in `log` means 0.
    HEAD = "SELECT coalesce(max(log_offset), 0) FROM log";
}

/// A value bound to a placeholder or read from a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// 64 bits, signed.
    Integer(i64),
    /// 64-bit float.
    Real(f64),
    /// UTF-8 text without U+0000 (PostgreSQL cannot store it).
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// One row of a result. Columns count from 0; a column of another type than asked for is a bug and
/// panics with the statement's text.
pub struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
    statement: Statement,
}

impl Row<'_> {
    /// An integer.
    pub fn integer(&self, i: usize) -> i64 {
        self.optional_integer(i).unwrap_or_else(|| self.wrong(i, "an integer"))
    }

    /// An integer or NULL.
    pub fn optional_integer(&self, i: usize) -> Option<i64> {
        match self.value(i) {
            ValueRef::Null => None,
            ValueRef::Integer(v) => Some(v),
            _ => self.wrong(i, "an integer"),
        }
    }

    /// A float.
    pub fn real(&self, i: usize) -> f64 {
        self.optional_real(i).unwrap_or_else(|| self.wrong(i, "a real"))
    }

    /// A float or NULL.
    pub fn optional_real(&self, i: usize) -> Option<f64> {
        match self.value(i) {
            ValueRef::Null => None,
            ValueRef::Real(v) => Some(v),
            _ => self.wrong(i, "a real"),
        }
    }

    /// Text, copied.
    pub fn text(&self, i: usize) -> String {
        self.text_ref(i).to_owned()
    }

    /// Text or NULL, copied.
    pub fn optional_text(&self, i: usize) -> Option<String> {
        self.optional_text_ref(i).map(str::to_owned)
    }

    /// Text, as long as the row stands.
    pub fn text_ref(&self, i: usize) -> &str {
        self.optional_text_ref(i).unwrap_or_else(|| self.wrong(i, "text"))
    }

    /// Text or NULL, as long as the row stands.
    pub fn optional_text_ref(&self, i: usize) -> Option<&str> {
        match self.value(i) {
            ValueRef::Null => None,
            ValueRef::Text(v) => {
                Some(std::str::from_utf8(v).unwrap_or_else(|_| self.wrong(i, "UTF-8 text")))
            }
            _ => self.wrong(i, "text"),
        }
    }

    /// Bytes, copied.
    pub fn blob(&self, i: usize) -> Vec<u8> {
        self.optional_blob(i).unwrap_or_else(|| self.wrong(i, "a blob"))
    }

    /// Bytes or NULL, copied.
    pub fn optional_blob(&self, i: usize) -> Option<Vec<u8>> {
        match self.value(i) {
            ValueRef::Null => None,
            ValueRef::Blob(v) => Some(v.to_vec()),
            _ => self.wrong(i, "a blob"),
        }
    }

    fn value(&self, i: usize) -> ValueRef<'_> {
        match self.row.get_ref(i) {
            Ok(value) => value,
            Err(_) => panic!("there is no column {i} in: {}", self.statement.0),
        }
    }

    fn wrong(&self, i: usize, wanted: &str) -> ! {
        let found = self.value(i).data_type();
        panic!("column {i} is {found}, not {wanted}, in: {}", self.statement.0)
    }
}

/// One read transaction: everything it reads is of one moment.
pub struct ReadTx<'a> {
    conn: &'a Connection,
    watch: &'a Watch,
    writable: bool,
    /// The log's head in this snapshot, once it is known. A `Cell`: a transaction stays on a thread.
    head: Cell<Option<Offset>>,
}

impl<'a> ReadTx<'a> {
    pub(crate) fn new(conn: &'a Connection, watch: &'a Watch) -> Self {
        ReadTx { conn, watch, writable: false, head: Cell::new(None) }
    }

    /// The first row, if there is one. In a write transaction the statement may write (RETURNING).
    pub fn one<T>(
        &self,
        statement: Statement,
        params: &[Value<'_>],
        f: impl FnOnce(&Row<'_>) -> T,
    ) -> Result<Option<T>, Fault> {
        let mut f = Some(f);
        let mut found = None;
        self.each(statement, params, |row| {
            found = f.take().map(|f| f(row));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// All rows.
    pub fn all<T>(
        &self,
        statement: Statement,
        params: &[Value<'_>],
        mut f: impl FnMut(&Row<'_>) -> T,
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::new();
        self.each(statement, params, |row| {
            found.push(f(row));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Row by row, until `f` breaks off.
    pub fn each(
        &self,
        statement: Statement,
        params: &[Value<'_>],
        mut f: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut prepared = self.prepare(statement, params)?;
        let writes = !prepared.readonly();
        let mut rows = prepared.raw_query();
        let mut wanted = true;
        loop {
            match rows.next() {
                Ok(Some(row)) if wanted => {
                    wanted = f(&Row { row, statement }).is_continue();
                    // A statement that writes runs to its end, where its constraints are checked.
                    if !wanted && !writes {
                        return Ok(());
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.watch.fail(self.conn, statement.0, &error)),
            }
        }
    }

    /// The last offset of the log that this transaction sees: in a write transaction, what the
    /// commands before this one left.
    pub fn head(&self) -> Result<Offset, Fault> {
        if let Some(head) = self.head.get() {
            return Ok(head);
        }
        let head = self.one(HEAD, &[], |row| offset_of(row.integer(0)))?.unwrap_or(0);
        self.head.set(Some(head));
        Ok(head)
    }

    /// The random text of this database's life: a cursor of another one says nothing here.
    pub fn epoch(&self) -> &'a str {
        &self.watch.epoch
    }

    fn prepare(
        &self,
        statement: Statement,
        params: &[Value<'_>],
    ) -> Result<CachedStatement<'a>, Fault> {
        self.watch.check(self.conn)?;
        let failed = |error| self.watch.fail(self.conn, statement.0, &error);
        let mut prepared = self.conn.prepare_cached(statement.0).map_err(failed)?;
        assert!(
            self.writable || prepared.readonly(),
            "a read transaction does not write: {}",
            statement.0
        );
        bind(&mut prepared, statement, params).map_err(failed)?;
        Ok(prepared)
    }
}

/// A write transaction. It reads as [`ReadTx`] does, its own changes included.
pub struct Tx<'a> {
    read: ReadTx<'a>,
    pub(crate) extent: &'a mut Extent,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: &'a Connection, watch: &'a Watch, extent: &'a mut Extent) -> Self {
        let head = Cell::new(Some(extent.head));
        Tx { read: ReadTx { conn, watch, writable: true, head }, extent }
    }

    /// Runs a statement that returns no rows and says how many it changed.
    pub fn execute(&mut self, statement: Statement, params: &[Value<'_>]) -> Result<u64, Fault> {
        let mut prepared = self.read.prepare(statement, params)?;
        match prepared.raw_execute() {
            Ok(rows) => Ok(rows as u64),
            Err(error) => Err(self.read.watch.fail(self.read.conn, statement.0, &error)),
        }
    }

    /// The next number of `sequence`: 1, 2, 3 and so on, without a gap and never one twice.
    pub fn next_id(&mut self, sequence: &str) -> Result<i64, Fault> {
        let id = self.one(NEXT_ID, &[Value::Text(sequence)], |row| row.integer(0))?;
        Ok(id.expect("an upsert with RETURNING returns its row"))
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = ReadTx<'a>;

    fn deref(&self) -> &ReadTx<'a> {
        &self.read
    }
}

/// The offset that an integer stores. Offsets count up from 0, one per row, so they never reach the
/// sign bit.
pub(crate) fn offset_of(stored: i64) -> Offset {
    Offset::try_from(stored).expect("offsets are stored as they were counted, from 0 up")
}

/// The integer that stores an offset, or another count.
pub(crate) fn stored(count: u64) -> Value<'static> {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Binds by name: to SQLite `$2` is a name whose index is the order of first appearance.
fn bind(
    prepared: &mut CachedStatement<'_>,
    statement: Statement,
    params: &[Value<'_>],
) -> rusqlite::Result<()> {
    let count = prepared.parameter_count();
    assert!(
        count == params.len(),
        "{} parameters are given, {count} wanted, in: {}",
        params.len(),
        statement.0
    );
    for index in 1..=count {
        let number = prepared.parameter_name(index).and_then(|name| name.get(1..)?.parse().ok());
        let value = number.and_then(|number: usize| params.get(number.checked_sub(1)?));
        let Some(value) = value else {
            panic!("placeholders are $1 to ${count} in: {}", statement.0)
        };
        prepared.raw_bind_parameter(index, Bound(*value))?;
    }
    Ok(())
}

/// A [`Value`] for rusqlite, whose trait is not to show on a public type.
struct Bound<'a>(Value<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(v) => ValueRef::Integer(v),
            Value::Real(v) => ValueRef::Real(v),
            Value::Text(v) => {
                assert!(!v.contains('\0'), "text with U+0000 is refused at the door");
                ValueRef::Text(v.as_bytes())
            }
            Value::Blob(v) => ValueRef::Blob(v),
        }))
    }
}
