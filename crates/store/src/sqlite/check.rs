//! Whether a database is sound: its pages, its log, its numbers. It is only read, also while a
//! server in another process writes to it; the log is looked at as it is at one moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, ErrorCode, Row, named_params, types::ValueRef};
use serde_json::value::RawValue;

use super::{OpenError, backup::reading};
use crate::{
    change::{Effect, Offset, Topic},
    log::{self, BLOCK_ROWS},
    migrate::{self, Migrations},
};

/// Problems of one kind that are told; more of them say nothing new.
const PROBLEMS_MAX: usize = 10;

mod sql {
    crate::statements! {
        /// The whole log.
        LOG = "SELECT log_offset, bytes, name, key, topics, except_topics, payloads, effects \
               FROM log ORDER BY log_offset";
        /// The effects of a row, once more.
        EFFECTS = "SELECT place, principal, kind, topic FROM log_effect \
                   WHERE log_offset = $1 ORDER BY place";
        /// How many effects there are.
        EFFECTS_COUNT = "SELECT count(*) FROM log_effect";
        /// All blocks.
        BLOCKS = "SELECT last_offset, bytes, topics FROM log_block ORDER BY last_offset";
        /// The last number given out of each sequence.
        COUNTERS = "SELECT sequence, last FROM counters";
    }
}

/// Every statement of this module.
pub(crate) use sql::STATEMENTS;

/// What a sound database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The random text of its life.
    pub epoch: String,
    /// The oldest offset that its log keeps; above `head` when it keeps nothing.
    pub first: Offset,
    /// The newest offset.
    pub head: Offset,
    /// The rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// The version of each service's tables.
    pub versions: BTreeMap<String, i64>,
}

/// Reads a database from end to end: its pages and indexes, its foreign keys, the log (offsets
/// without a hole, every text readable, sizes, blocks and effects as the rows say), numbers that
/// would be given out again, and its versions against those of `services`.
///
/// # Errors
/// Every problem that was found, as a sentence that says what to do.
pub fn check(path: &Path, services: &[Migrations]) -> Result<CheckReport, Vec<String>> {
    let found = reading(path, |conn| -> Result<_, OpenError> {
        let failed = |doing: &'static str| move |e| OpenError::of(path, doing, &e);
        let versions = migrate::known(conn, path, services)?;
        let mut problems = pages(conn, PROBLEMS_MAX).map_err(failed("reading its pages"))?;
        if !problems.is_empty() {
            // Whatever else is wrong follows from that.
            return Ok(Err(problems));
        }
        foreign_keys(conn, &mut problems).map_err(failed("reading its foreign keys"))?;
        conn.execute_batch("BEGIN").map_err(failed("reading it"))?;
        let epoch = epoch(conn, &mut problems).map_err(failed("reading its epoch"))?;
        let log = Log::read(conn, &mut problems).map_err(failed("reading its log"))?;
        counters(conn, &mut problems).map_err(failed("reading its numbers"))?;
        let tables = tables(conn).map_err(failed("counting its rows"))?;
        conn.execute_batch("COMMIT").map_err(failed("reading it"))?;
        let Log { first, head, .. } = log;
        let report = CheckReport { epoch, first, head, tables, versions };
        Ok(if problems.is_empty() { Ok(report) } else { Err(problems) })
    });
    match found {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(problems)) => Err(problems
            .into_iter()
            .map(|problem| format!("In {}, {problem}: restore a backup.", path.display()))
            .collect()),
        Err(OpenError::Damaged(sentence)) => Err(vec![format!("{sentence} Restore a backup.")]),
        Err(error) => Err(vec![error.to_string()]),
    }
}

/// What is wrong with the pages: nothing, or some of it.
pub(super) fn pages(conn: &Connection, problems_max: usize) -> rusqlite::Result<Vec<String>> {
    match integrity(conn, problems_max) {
        // Some damage ends the check instead of being its result.
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(vec![format!("the pages are damaged ({e})")])
        }
        found => found,
    }
}

fn integrity(conn: &Connection, problems_max: usize) -> rusqlite::Result<Vec<String>> {
    let mut check = conn.prepare(&format!("PRAGMA integrity_check({problems_max})"))?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?;
    let mut problems = Vec::new();
    for problem in found {
        // SQLite's report has a heading on a line of its own.
        let problem = problem?.trim().replace('\n', " ");
        if problem != "ok" {
            problems.push(format!("the pages are damaged ({problem})"));
        }
    }
    Ok(problems)
}

/// The rows of each table.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let names = table_names(conn)?;
    let count = |name: String| {
        let sql = format!("SELECT count(*) FROM {}", quoted(&name));
        let rows: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
        Ok((name, u64::try_from(rows).unwrap_or(0)))
    };
    names.into_iter().map(count).collect()
}

fn table_names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn foreign_keys(conn: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut check = conn.prepare("PRAGMA foreign_key_check")?;
    let found = check.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of the table {table} belongs to none of {parent}"))
    })?;
    for problem in found.take(PROBLEMS_MAX) {
        problems.push(problem?);
    }
    Ok(())
}

fn epoch(conn: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<String> {
    let mut epochs = conn.prepare(log::EPOCH.0)?;
    let epochs: Vec<String> =
        epochs.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    match &epochs[..] {
        [epoch] if log::is_epoch(epoch) => {}
        [epoch] => problems.push(format!("the epoch {epoch:?} is none")),
        _ => problems.push(format!("there are {} epochs, not one", epochs.len())),
    }
    Ok(epochs.into_iter().next().unwrap_or_default())
}

/// Numbers must not be given out twice: a sequence is compared with the key of the table that has
/// its name, if there is one and the key ends in a number (`17`, `tok_17`).
fn counters(conn: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut counters = conn.prepare(sql::COUNTERS.0)?;
    let counters: Vec<(String, i64)> =
        counters.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let tables = table_names(conn)?;
    for (sequence, last) in counters.iter().filter(|(sequence, _)| tables.contains(sequence)) {
        let key = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0";
        let mut key = conn.prepare(key)?;
        let key: Vec<String> =
            key.query_map([sequence], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let [key] = &key[..] else { continue };
        let sql = format!("SELECT {} FROM {}", quoted(key), quoted(sequence));
        let mut ids = conn.prepare(&sql)?;
        let mut ids = ids.query([])?;
        let mut most = 0;
        while let Some(row) = ids.next()? {
            most = most.max(number(row.get_ref(0)?).unwrap_or(0));
        }
        if most > *last {
            problems.push(format!(
                "the number {most} of {sequence} would be given out again, for it counts from {last}"
            ));
        }
    }
    Ok(())
}

/// The number that an id is or ends in.
fn number(id: ValueRef<'_>) -> Option<i64> {
    match id {
        ValueRef::Integer(id) => Some(id),
        ValueRef::Text(id) => std::str::from_utf8(id).ok()?.rsplit('_').next()?.parse().ok(),
        _ => None,
    }
}

/// The log, as far as it was read.
struct Log {
    first: Offset,
    head: Offset,
    /// Effects in the rows.
    effects: i64,
    /// What the blocks must say: by last offset, the size and the topics of the rows that are kept.
    blocks: BTreeMap<Offset, (i64, BTreeSet<String>)>,
}

impl Log {
    /// Reads every row of it.
    fn read(conn: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<Log> {
        let mut log = Log { first: 1, head: 0, effects: 0, blocks: BTreeMap::new() };
        let mut found = Vec::new();
        let mut rows = conn.prepare(sql::LOG.0)?;
        let mut rows = rows.query([])?;
        let mut is_first = true;
        while let Some(row) = rows.next()? {
            let offset: i64 = row.get(0)?;
            let Ok(offset) = Offset::try_from(offset) else {
                found.push(format!("the log has a row of the offset {offset}"));
                continue;
            };
            match is_first {
                true => log.first = offset,
                false if offset != log.head + 1 => found.push(format!(
                    "the log has a hole: nothing stands between {} and {offset}",
                    log.head
                )),
                false => {}
            }
            (log.head, is_first) = (offset, false);
            if let Err(problem) = log.row(conn, offset, row)? {
                found.push(format!("row {offset} of the log {problem}"));
            }
            if found.len() >= PROBLEMS_MAX {
                problems.append(&mut found);
                return Ok(log);
            }
        }
        let effects: i64 = conn.query_row(sql::EFFECTS_COUNT.0, [], |row| row.get(0))?;
        if effects != log.effects {
            let told = log.effects;
            found.push(format!("the log's rows tell of {told} effects, its index of {effects}"));
        }
        log.compare_blocks(conn, &mut found)?;
        problems.append(&mut found);
        Ok(log)
    }

    /// Takes in a row; says what is wrong with it.
    fn row(
        &mut self,
        conn: &Connection,
        offset: Offset,
        row: &Row<'_>,
    ) -> rusqlite::Result<Result<(), &'static str>> {
        let mut texts: [Option<&str>; 6] = [None; 6];
        for (place, text) in texts.iter_mut().enumerate() {
            *text = match row.get_ref(place + 2)?.as_str_or_null() {
                Ok(text) => text,
                Err(_) => return Ok(Err("holds what is no text")),
            };
        }
        let bytes = texts.iter().flatten().map(|text| text.len() as i64).sum::<i64>();
        let [name, key, topics, except, payloads, effects] = texts;
        let Ok(topics) = parsed::<Vec<Vec<Topic>>>(topics.or(Some(""))) else {
            return Ok(Err("has topics that cannot be read"));
        };
        let topics = topics.unwrap_or_default();
        let Ok(payloads) = parsed::<Vec<Box<RawValue>>>(payloads) else {
            return Ok(Err("has payloads that cannot be read"));
        };
        if parsed::<Vec<Topic>>(except).is_err() {
            return Ok(Err("has exceptions that cannot be read"));
        }
        let Ok(effects) = parsed::<Vec<Effect>>(effects) else {
            return Ok(Err("has effects that cannot be read"));
        };
        let effects = effects.unwrap_or_default();
        self.effects += effects.len() as i64;
        let stored_bytes: i64 = row.get(1)?;
        let block = offset.div_ceil(BLOCK_ROWS) * BLOCK_ROWS;
        let entry = self.blocks.entry(block).or_default();
        entry.0 += stored_bytes;
        for topic in topics.iter().flatten() {
            if !entry.1.contains(&**topic) {
                entry.1.insert(topic.to_string());
            }
        }
        let is_event = name.is_some();
        Ok(if is_event != key.is_some() || is_event != payloads.is_some() {
            Err("is neither an event nor none")
        } else if payloads.is_some_and(|payloads| payloads.len() != topics.len()) {
            Err("has not as many payloads as lists of topics")
        } else if stored_bytes != bytes {
            Err("has another size than it says")
        } else if !effects.is_empty() && !indexed(conn, offset, &effects)? {
            Err("has effects that its index does not have")
        } else {
            Ok(())
        })
    }

    /// Compares what the blocks say with the rows; of a block whose beginning was let go, they may
    /// list more topics.
    fn compare_blocks(
        &mut self,
        conn: &Connection,
        problems: &mut Vec<String>,
    ) -> rusqlite::Result<()> {
        let mut rows = conn.prepare(sql::BLOCKS.0)?;
        let mut rows = rows.query([])?;
        let wrong = |last: Offset, what: &str| format!("the log's block up to {last} {what}");
        while let Some(row) = rows.next()? {
            let last = Offset::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            let Some((bytes, topics)) = self.blocks.remove(&last).filter(|_| last <= self.head)
            else {
                problems.push(wrong(last, "has no rows"));
                continue;
            };
            let lists: Result<Vec<BTreeSet<String>>, _> =
                serde_json::from_str(&row.get::<_, String>(2)?);
            let listed: BTreeSet<String> = match lists {
                Ok(lists) => lists.into_iter().flatten().collect(),
                Err(_) => {
                    problems.push(wrong(last, "has topics that cannot be read"));
                    continue;
                }
            };
            let whole = self.first + BLOCK_ROWS <= last + 1;
            if !topics.is_subset(&listed) || (whole && listed != topics) {
                problems.push(wrong(last, "lists other topics than its rows have"));
            }
            if row.get::<_, i64>(1)? != bytes {
                problems.push(wrong(last, "has another size than its rows"));
            }
        }
        problems.extend(
            self.blocks
                .keys()
                .filter(|last| **last <= self.head)
                .map(|last| wrong(*last, "is missing")),
        );
        problems.truncate(PROBLEMS_MAX);
        Ok(())
    }
}

/// A JSON text, if there is one.
fn parsed<'a, T: serde::Deserialize<'a>>(text: Option<&'a str>) -> serde_json::Result<Option<T>> {
    text.map(serde_json::from_str).transpose()
}

/// Whether the index has these effects of a row, and no others.
fn indexed(conn: &Connection, offset: Offset, effects: &[Effect]) -> rusqlite::Result<bool> {
    let mut rows = conn.prepare_cached(sql::EFFECTS.0)?;
    let mut rows = rows.query(named_params! {"$1": offset as i64})?;
    for (place, effect) in effects.iter().enumerate() {
        let (principal, kind, topic) = effect.indexed();
        let Some(row) = rows.next()? else { return Ok(false) };
        let found: (i64, String, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if (found.0, &*found.1, &*found.2, found.3.as_deref())
            != (place as i64, principal, kind, topic)
        {
            return Ok(false);
        }
    }
    Ok(rows.next()?.is_none())
}
