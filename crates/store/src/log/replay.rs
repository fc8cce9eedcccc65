//! What a client missed.

use std::{
    collections::{HashMap, VecDeque},
    ops::ControlFlow,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BLOCK_ROWS, Topics, append::each_topic, range};
use crate::{
    change::{Event, Fault, Logged, Offset, Overflow, Topic, Variant},
    tx::{ReadTx, Row, Value, offset_of, stored},
};

pub(super) mod sql {
    crate::statements! {
        /// A range of rows.
        ROWS = "SELECT log_offset, at, overflow, name, key, topics, except_topics, payloads, \
                effects, bytes FROM log WHERE log_offset > $1 AND log_offset <= $2 \
                ORDER BY log_offset";
        /// The sizes of the newest rows.
        NEWEST = "SELECT log_offset, bytes FROM log ORDER BY log_offset DESC LIMIT $1";
        /// The topics of a block.
        BLOCK = "SELECT topics FROM log_block WHERE last_offset = $1";
        /// Rows with effects on a principal.
        EFFECTS = "SELECT DISTINCT log_offset FROM log_effect \
                   WHERE log_offset > $1 AND log_offset <= $2 AND principal = $3 \
                   ORDER BY log_offset LIMIT $4";
        /// The last grant of each topic.
        GRANTS = "SELECT topic, max(log_offset) FROM log_effect \
                  WHERE log_offset > $1 AND log_offset <= $2 AND principal = $3 \
                  AND kind = 'grant' GROUP BY topic ORDER BY topic";
        /// All that was granted to a principal and taken from it.
        RIGHTS = "SELECT kind, topic, log_offset FROM log_effect \
                  WHERE log_offset > $1 AND log_offset <= $2 AND principal = $3 \
                  ORDER BY log_offset, place";
    }
}

/// What a client wants to hear of what it missed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Rows whose event has one of these topics.
    pub topics: Topics,
    /// And every row with an effect on this principal.
    pub principal: Option<String>,
}

/// How much a replay may take. Whatever the limits, one matching row is always returned.
pub struct ReplayLimits<'a> {
    /// Rows returned.
    pub rows_max: usize,
    /// Rows looked at; a block that is passed over counts as one.
    pub scanned_max: usize,
    /// Bytes of the rows returned, as the log counts them.
    pub bytes_max: usize,
    /// Says when the time is up; asked every few dozen rows.
    pub out_of_time: &'a dyn Fn() -> bool,
}

impl ReplayLimits<'static> {
    /// 10,000 rows looked at, 256 KiB returned, and no limit of time.
    pub const SLICE: ReplayLimits<'static> = ReplayLimits {
        rows_max: 10_000,
        scanned_max: 10_000,
        bytes_max: 256 * 1024,
        out_of_time: &|| false,
    };
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The rows, in order.
    pub rows: Vec<Logged>,
    /// Up to here nothing is left out; the next slice starts after it.
    pub upto: Offset,
}

/// How many rows pass between two questions for the time.
const ROWS_PER_LOOK: usize = 64;

/// The rows after `after` and up to `upto` that are wanted, in offset order, until a limit is met.
/// The replay is complete when [`Replayed::upto`] is `upto`, or the snapshot's head if that is
/// lower.
pub fn replay(
    tx: &ReadTx<'_>,
    after: Offset,
    upto: Offset,
    wanted: &Wanted,
    limits: &ReplayLimits<'_>,
) -> Result<Replayed, Fault> {
    let upto = upto.min(tx.head()?);
    let (effects, upto) = effects(tx, after, upto, wanted, limits)?;
    let mut scan =
        Scan { wanted, limits, effects, rows: Vec::new(), upto: after, scanned: 0, bytes: 0 };
    while scan.upto < upto {
        let block = scan.upto / BLOCK_ROWS * BLOCK_ROWS + BLOCK_ROWS;
        let end = block.min(upto);
        let skip = tx
            .one(sql::BLOCK, &[stored(block)], |row| !scan.hears(row.text_ref(0)))?
            .unwrap_or(false);
        let go_on = if skip { scan.pass_over(tx, end)? } else { scan.rows(tx, end)? };
        if !go_on || (scan.upto < upto && (limits.out_of_time)()) {
            break;
        }
    }
    Ok(Replayed { rows: scan.rows, upto: scan.upto })
}

/// The newest rows, in offset order and without a hole: at most `rows_max`, and at most
/// `bytes_max` as the log counts them.
pub fn tail(tx: &ReadTx<'_>, rows_max: u64, bytes_max: u64) -> Result<Vec<Logged>, Fault> {
    let (mut first, mut bytes) = (tx.head()? + 1, 0);
    tx.each(sql::NEWEST, &[stored(rows_max)], |row| {
        bytes += u64::try_from(row.integer(1)).unwrap_or(0);
        if bytes > bytes_max {
            return ControlFlow::Break(());
        }
        first = offset_of(row.integer(0));
        ControlFlow::Continue(())
    })?;
    tx.all(sql::ROWS, &range(first - 1, tx.head()?), logged)
}

/// The last offset at or below `upto` at which `principal` was granted each topic after `after`:
/// it may not hear events from before a grant. Ordered by topic.
pub fn grants(
    tx: &ReadTx<'_>,
    principal: &str,
    after: Offset,
    upto: Offset,
) -> Result<Vec<(Topic, Offset)>, Fault> {
    let [after, upto] = range(after, upto);
    tx.all(sql::GRANTS, &[after, upto, Value::Text(principal)], |row| {
        (Topic::Owned(row.text(0)), offset_of(row.integer(1)))
    })
}

/// A right to a topic that was taken: it held for the events in `(since, until]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The topic.
    pub topic: Topic,
    /// Where it began, or the place from which on was looked.
    pub since: Offset,
    /// Where it was taken.
    pub until: Offset,
}

/// The rights that whoever has these names had, and that were taken in `(after, upto]`, whether they were granted again
/// or not. A revocation ends them all.
pub fn ended(
    tx: &ReadTx<'_>,
    names: &[String],
    after: Offset,
    upto: Offset,
) -> Result<Vec<Ended>, Fault> {
    let [from, to] = range(after, upto);
    let (mut ended, mut revoked) = (Vec::new(), Vec::new());
    for name in names {
        // Where each topic began to be held, if it is.
        let mut held: HashMap<String, Option<Offset>> = HashMap::new();
        tx.each(sql::RIGHTS, &[from, to, Value::Text(name)], |row| {
            let (topic, offset) = (row.optional_text(1).unwrap_or_default(), row.integer(2));
            let until = offset_of(offset);
            match row.text_ref(0) {
                "grant" => drop(held.insert(topic, Some(until))),
                "revoke" => revoked.push(until),
                "evict" => {
                    if let Some(since) = held.insert(topic.clone(), None).unwrap_or(Some(after)) {
                        ended.push(Ended { topic: Topic::Owned(topic), since, until });
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
    }
    for right in &mut ended {
        let revoked = revoked.iter().filter(|revoked| **revoked > right.since);
        right.until = revoked.copied().fold(right.until, Offset::min);
    }
    Ok(ended)
}

/// Where the log has effects on the principal, and how far that is known.
fn effects(
    tx: &ReadTx<'_>,
    after: Offset,
    upto: Offset,
    wanted: &Wanted,
    limits: &ReplayLimits<'_>,
) -> Result<(VecDeque<Offset>, Offset), Fault> {
    let Some(principal) = &wanted.principal else { return Ok((VecDeque::new(), upto)) };
    let most = limits.rows_max.max(1);
    let [from, to] = range(after, upto);
    let params = [from, to, Value::Text(principal), stored(most as u64)];
    let found: VecDeque<Offset> =
        tx.all(sql::EFFECTS, &params, |row| offset_of(row.integer(0)))?.into();
    let known = if found.len() == most { found.back().copied() } else { None };
    Ok((found, known.unwrap_or(upto)))
}

struct Scan<'a> {
    wanted: &'a Wanted,
    limits: &'a ReplayLimits<'a>,
    /// Rows to return whatever their topics, in order; those up to `upto` are taken off.
    effects: VecDeque<Offset>,
    rows: Vec<Logged>,
    upto: Offset,
    scanned: usize,
    bytes: usize,
}

impl Scan<'_> {
    fn hears(&self, lists: &str) -> bool {
        each_topic(lists, |topic| self.wanted.topics.contains(topic))
    }

    /// Looks at each row up to `end`; false when a limit is met.
    fn rows(&mut self, tx: &ReadTx<'_>, end: Offset) -> Result<bool, Fault> {
        let mut met = false;
        tx.each(sql::ROWS, &range(self.upto, end), |row| {
            let offset = offset_of(row.integer(0));
            let affected = self.effects.front() == Some(&offset);
            if affected || self.hears(row.text_ref(5)) {
                if !self.take(row) {
                    met = true;
                    return ControlFlow::Break(());
                }
                if affected {
                    self.effects.pop_front();
                }
            }
            self.scanned += 1;
            self.upto = offset;
            met = self.scanned >= self.limits.scanned_max
                || self.rows.len() >= self.limits.rows_max
                || (self.scanned.is_multiple_of(ROWS_PER_LOOK) && (self.limits.out_of_time)());
            if met { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        // Offsets are dense: what ends short of `end` was cut by a limit.
        if !met {
            self.upto = end;
        }
        Ok(!met)
    }

    /// Takes only the rows with effects up to `end`; false when a limit is met.
    fn pass_over(&mut self, tx: &ReadTx<'_>, end: Offset) -> Result<bool, Fault> {
        while let Some(offset) = self.effects.front().copied().filter(|offset| *offset <= end) {
            let took = tx.one(sql::ROWS, &range(offset - 1, offset), |row| self.take(row))?;
            if took == Some(false) {
                return Ok(false);
            }
            self.effects.pop_front();
            self.upto = offset;
            if self.rows.len() >= self.limits.rows_max {
                return Ok(false);
            }
        }
        self.upto = end;
        self.scanned += 1;
        Ok(self.scanned < self.limits.scanned_max)
    }

    /// Adds a row, unless that would be too many bytes.
    fn take(&mut self, row: &Row<'_>) -> bool {
        let bytes = usize::try_from(row.integer(9)).unwrap_or(usize::MAX);
        if !self.rows.is_empty() && self.bytes.saturating_add(bytes) > self.limits.bytes_max {
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows.push(logged(row));
        true
    }
}

/// Reads a row of [`sql::ROWS`].
fn logged(row: &Row<'_>) -> Logged {
    let event = row.optional_text(3).map(|name| {
        let topics: Vec<Vec<Topic>> = parse(row.text_ref(5));
        let payloads: Vec<Box<RawValue>> = row.optional_text_ref(7).map(parse).unwrap_or_default();
        let variants = topics.into_iter().zip(payloads);
        Event {
            name: name.into(),
            key: row.text(4),
            except: row.optional_text_ref(6).map(parse).unwrap_or_default(),
            variants: variants.map(|(topics, payload)| Variant { topics, payload }).collect(),
            overflow: if row.integer(2) == 0 { Overflow::Close } else { Overflow::Latest },
        }
    });
    Logged {
        offset: offset_of(row.integer(0)),
        at: row.integer(1),
        event,
        effects: row.optional_text_ref(8).map(parse).unwrap_or_default(),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> T {
    serde_json::from_str(json).expect("the log's JSON was written by this program")
}
