//! What must happen at a time: rows that are written in the transaction that wants it, and run when their time has
//! come.
//!
//! A row is a kind, which a service declares with [`Service::due`], a key, and a time. There is one per kind and key:
//! arming it again moves it. When it is due it is taken away, and what its kind stands for runs in the same
//! transaction, in the name of the server; so it runs once, or is still there. It may arm itself again.
//!
//! A decision is only ever told that its time has come, perhaps late: it looks at what is true now.

use bellwire_store::{statements, tx::Value};

use super::{Ctx, Fault, Micros, Outcome, ReadTx, Service, Tx};

/// Runs what is due, given the row's key. It may run more than once before it is committed, and is committed once.
pub type Decide = fn(&mut Tx<'_>, &Ctx<'_>, &str) -> Result<Outcome<()>, Fault>;

/// What must happen when a row of this kind is due.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Its name, with that of its service, e.g. `sensors.silence`.
    pub kind: &'static str,
    /// What runs.
    pub decide: Decide,
}

/// The index is by kind first, so that rows of a kind that nobody knows any more are in nobody's way.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE due (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX due_at ON due (kind, at, key);
"];

statements! {
    /// Arms a row, or moves it.
    ARM = "INSERT INTO due (kind, key, at) VALUES ($1, $2, $3)
           ON CONFLICT (kind, key) DO UPDATE SET at = excluded.at";
    /// Takes a row away.
    DISARM = "DELETE FROM due WHERE kind = $1 AND key = $2";
    /// When a row is due.
    ARMED = "SELECT at FROM due WHERE kind = $1 AND key = $2";
    /// The rows of a kind that are due, by their time.
    NEXT = "SELECT key, at FROM due WHERE kind = $1 AND at <= $2 ORDER BY at, key LIMIT $3";
    /// When the next row of a kind is due.
    EARLIEST = "SELECT min(at) FROM due WHERE kind = $1";
    /// Takes a row away if it is due.
    TAKE = "DELETE FROM due WHERE kind = $1 AND key = $2 AND at <= $3 RETURNING at";
    /// Moves a row that is due at this time.
    PUT_OFF = "UPDATE due SET at = $4 WHERE kind = $1 AND key = $2 AND at = $3";
    /// The kind after another one; null: there is none.
    KIND_AFTER = "SELECT min(kind) FROM due WHERE kind > $1";
}

/// The table behind it.
pub fn service() -> Service {
    Service::new("due", MIGRATIONS, STATEMENTS)
}

/// Has what `kind` stands for run at `at`, for this key; a row that is there already is moved, be it to a later or
/// an earlier time. A time that is past means: at once, after this transaction.
///
/// # Errors
/// The store's.
pub fn arm(tx: &mut Tx<'_>, kind: &'static str, key: &str, at: Micros) -> Result<(), Fault> {
    tx.execute(ARM, &[Value::Text(kind), Value::Text(key), Value::Integer(at)]).map(drop)
}

/// Takes a row back, if there is one: nothing will run.
///
/// # Errors
/// The store's.
pub fn disarm(tx: &mut Tx<'_>, kind: &'static str, key: &str) -> Result<(), Fault> {
    tx.execute(DISARM, &[Value::Text(kind), Value::Text(key)]).map(drop)
}

/// When a row is due; `None` if it is not armed. A row whose run failed was put off: then this is when it is tried
/// again.
///
/// # Errors
/// The store's.
pub fn armed(tx: &ReadTx<'_>, kind: &'static str, key: &str) -> Result<Option<Micros>, Fault> {
    tx.one(ARMED, &[Value::Text(kind), Value::Text(key)], |row| row.integer(0))
}

/// A row that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What kind.
    pub kind: &'static str,
    /// Which one.
    pub key: String,
    /// Since when.
    pub at: Micros,
}

/// The rows of these kinds that are due at `now`, up to `rows_max`, the longest overdue first.
///
/// # Errors
/// The store's.
pub fn next(
    tx: &ReadTx<'_>,
    kinds: impl IntoIterator<Item = &'static str>,
    now: Micros,
    rows_max: usize,
) -> Result<Vec<Row>, Fault> {
    let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    for kind in kinds {
        let params = [Value::Text(kind), Value::Integer(now), Value::Integer(limit)];
        rows.extend(tx.all(NEXT, &params, |row| Row {
            kind,
            key: row.text(0),
            at: row.integer(1),
        })?);
    }
    rows.sort_by(|one, other| {
        (one.at, one.kind, &one.key).cmp(&(other.at, other.kind, &other.key))
    });
    rows.truncate(rows_max);
    Ok(rows)
}

/// When the next row of these kinds is due; `None` if there is none.
///
/// # Errors
/// The store's.
pub fn earliest(
    tx: &ReadTx<'_>,
    kinds: impl IntoIterator<Item = &'static str>,
) -> Result<Option<Micros>, Fault> {
    let mut earliest = None;
    for kind in kinds {
        let at = tx.one(EARLIEST, &[Value::Text(kind)], |row| row.optional_integer(0))?.flatten();
        earliest = earliest.into_iter().chain(at).min();
    }
    Ok(earliest)
}

/// Takes a row away if it is due at `now`, and says since when it was; `None` if it was taken back or moved to later
/// meanwhile, or has run.
///
/// # Errors
/// The store's.
pub fn take(
    tx: &mut Tx<'_>,
    kind: &'static str,
    key: &str,
    now: Micros,
) -> Result<Option<Micros>, Fault> {
    let params = [Value::Text(kind), Value::Text(key), Value::Integer(now)];
    tx.one(TAKE, &params, |row| row.integer(0))
}

/// Moves a row to `to`: it was tried in vain. One that was moved meanwhile stays where it is.
///
/// # Errors
/// The store's.
pub fn put_off(tx: &mut Tx<'_>, row: &Row, to: Micros) -> Result<(), Fault> {
    let params =
        [Value::Text(row.kind), Value::Text(&row.key), Value::Integer(row.at), Value::Integer(to)];
    tx.execute(PUT_OFF, &params).map(drop)
}

/// The kinds of all rows, in order; a look into the index for each.
///
/// # Errors
/// The store's.
pub fn kinds(tx: &ReadTx<'_>) -> Result<Vec<String>, Fault> {
    let mut kinds: Vec<String> = Vec::new();
    loop {
        let last = kinds.last().map_or("", String::as_str);
        let after = tx.one(KIND_AFTER, &[Value::Text(last)], |row| row.optional_text(0))?;
        match after.flatten() {
            Some(kind) => kinds.push(kind),
            None => return Ok(kinds),
        }
    }
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        batch::Write,
        sqlite::{Options, Writer},
    };

    use super::*;

    /// Runs `steps` on an empty table. All of it is one transaction.
    fn with(steps: impl Fn(&mut Tx<'_>) -> Result<(), Fault> + Send + 'static) {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::new(directory.path().join("test.db"), "e", 0);
        let mut writer = Writer::open(&options, &[service().migrations]).expect("it opens");
        let run = Box::new(move |tx: &mut Tx<'_>| steps(tx).map(Outcome::reply));
        let batch = writer.batch(vec![Write { at: 0, run, to: () }]).expect("the disk is sound");
        assert!(batch.incidents.is_empty(), "{:?}", batch.incidents);
        assert!(batch.answers.iter().all(|answer| answer.result.is_ok()));
    }

    const KINDS: [&str; 2] = ["a.one", "b.two"];

    /// The rows that are due, as `a.one/key@5`.
    fn rows(tx: &ReadTx<'_>, now: Micros, rows_max: usize) -> Result<Vec<String>, Fault> {
        let rows = next(tx, KINDS, now, rows_max)?.into_iter();
        Ok(rows.map(|Row { kind, key, at }| format!("{kind}/{key}@{at}")).collect())
    }

    #[test]
    fn a_row_is_armed_once_moved_and_taken_back() {
        with(|tx| {
            let [one, two] = KINDS;
            assert_eq!(armed(tx, one, "k")?, None);
            arm(tx, one, "k", 5)?;
            arm(tx, two, "k", 6)?;
            assert_eq!((armed(tx, one, "k")?, armed(tx, two, "k")?), (Some(5), Some(6)));
            for at in [9, 3, 3, Micros::MIN, Micros::MAX] {
                arm(tx, one, "k", at)?;
                assert_eq!(armed(tx, one, "k")?, Some(at));
            }
            disarm(tx, one, "k")?;
            disarm(tx, one, "k")?;
            disarm(tx, two, "other")?;
            assert_eq!((armed(tx, one, "k")?, armed(tx, two, "k")?), (None, Some(6)));
            Ok(())
        });
    }

    #[test]
    fn rows_come_by_their_time_whatever_they_are_and_no_more_than_asked_for() {
        with(|tx| {
            let [one, two] = KINDS;
            assert_eq!((earliest(tx, KINDS)?, rows(tx, Micros::MAX, 9)?), (None, vec![]));
            for (kind, key, at) in
                [(two, "c", 3), (one, "z", 4), (one, "b", 2), (two, "a", 4), (one, "a", 4)]
            {
                arm(tx, kind, key, at)?;
            }
            arm(tx, "c.unknown", "x", 1)?;
            assert_eq!(earliest(tx, KINDS)?, Some(2));
            assert_eq!(earliest(tx, [two])?, Some(3));
            assert_eq!(earliest(tx, [])?, None);
            let all = ["a.one/b@2", "b.two/c@3", "a.one/a@4", "a.one/z@4", "b.two/a@4"];
            for (now, due) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 5), (Micros::MAX, 5)] {
                for rows_max in 0..=6 {
                    assert_eq!(rows(tx, now, rows_max)?, all[..rows_max.min(due)], "at {now}");
                }
            }
            assert_eq!(kinds(tx)?, ["a.one", "b.two", "c.unknown"]);
            Ok(())
        });
    }

    #[test]
    fn a_row_is_taken_once_and_only_when_it_is_due() {
        with(|tx| {
            let [one, two] = KINDS;
            arm(tx, one, "k", 5)?;
            assert_eq!((take(tx, one, "k", 4)?, take(tx, two, "k", 9)?), (None, None));
            assert_eq!(take(tx, one, "k", 7)?, Some(5));
            assert_eq!((take(tx, one, "k", 7)?, armed(tx, one, "k")?), (None, None));
            Ok(())
        });
    }

    #[test]
    fn a_row_is_put_off_unless_it_was_moved() {
        with(|tx| {
            let [one, _] = KINDS;
            arm(tx, one, "k", 5)?;
            let row = Row { kind: one, key: "k".into(), at: 5 };
            put_off(tx, &row, 60)?;
            assert_eq!(armed(tx, one, "k")?, Some(60));
            put_off(tx, &row, 70)?;
            assert_eq!(armed(tx, one, "k")?, Some(60));
            disarm(tx, one, "k")?;
            put_off(tx, &row, 70)?;
            assert_eq!(armed(tx, one, "k")?, None);
            Ok(())
        });
    }
}
