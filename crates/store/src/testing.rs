//! One suite that every backend passes: [`exercise`].
//!
//! It says what services may rely on, whatever the database: values, placeholders, the fate of a
//! command that fails, dense offsets, and a log that gives back what was put in.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::{
    batch::{Batch, Run, Write},
    change::{
        Code, Effect, Event, Fault, Logged, Micros, Offset, Outcome, Overflow, Topic, Variant,
    },
    log::{
        Cursor, Keep, Reason, ReplayLimits, Resume, Wanted, ended, grants, prune, replay, resume,
    },
    migrate::Migrations,
    sqlite::{Reader, Writer},
    tx::{ReadTx, Tx, Value},
};

/// A database without threads, as the suite drives it.
pub trait Backend {
    /// Runs writes as one batch.
    fn batch(&mut self, writes: Vec<Write<i64, usize>>) -> Batch<i64, usize>;
    /// Runs a read.
    fn read(&mut self, f: &mut dyn FnMut(&ReadTx<'_>));
}

impl Backend for (Writer, Reader) {
    fn batch(&mut self, writes: Vec<Write<i64, usize>>) -> Batch<i64, usize> {
        self.0.batch(writes).expect("the disk is sound")
    }

    fn read(&mut self, f: &mut dyn FnMut(&ReadTx<'_>)) {
        self.1.read(|tx| f(tx)).expect("a read begins");
    }
}

/// The table that the suite works on: a backend is opened with it.
pub const MIGRATIONS: Migrations = Migrations {
    service: "exercise",
    steps: &["CREATE TABLE things (
        thing_id INTEGER PRIMARY KEY,
        whole INTEGER,
        part REAL,
        words TEXT,
        bytes BLOB
    );
    CREATE UNIQUE INDEX things_words ON things (words);"],
};

mod sql {
    crate::statements! {
        /// A whole thing.
        INSERT = "INSERT INTO things (thing_id, whole, part, words, bytes) \
                  VALUES ($1, $2, $3, $4, $5)";
        /// Its columns, the placeholder used twice.
        SELECT = "SELECT whole, part, words, bytes FROM things \
                  WHERE thing_id = $1 AND thing_id <= $1";
        /// Placeholders that do not appear in order.
        SHUFFLED = "UPDATE things SET words = $3, whole = $2 WHERE thing_id = $1";
        /// A counter as an upsert.
        COUNT = "INSERT INTO things (thing_id, whole) VALUES ($1, $2) ON CONFLICT (thing_id) \
                 DO UPDATE SET whole = things.whole + excluded.whole RETURNING whole";
        /// All numbers, in order.
        NUMBERS = "SELECT thing_id FROM things ORDER BY thing_id";
    }
}

/// Every statement of the suite.
pub use sql::STATEMENTS;

/// The whole suite; `open` gives an empty database with [`MIGRATIONS`] each time.
pub fn exercise<B: Backend>(mut open: impl FnMut() -> B) {
    values(&mut open());
    fates(&mut open());
    numbers(&mut open());
    log_order(&mut open());
    log_roundtrip(&mut open());
    log_places(&mut open());
    ended_rights(&mut open());
}

/// An event with one audience.
pub fn event(name: &'static str, key: &str, topics: &[&str], payload: &str) -> Event {
    let topics = topics.iter().map(|topic| Topic::Owned((*topic).to_owned())).collect();
    let payload = RawValue::from_string(payload.to_owned()).expect("payloads are JSON");
    Event {
        name: name.into(),
        key: key.to_owned(),
        except: Vec::new(),
        variants: vec![Variant { topics, payload }],
        overflow: Overflow::Close,
    }
}

/// A write at a time, answered to a number.
pub fn write(
    to: usize,
    at: Micros,
    run: impl FnMut(&mut Tx<'_>) -> Result<Outcome<i64>, Fault> + Send + 'static,
) -> Write<i64, usize> {
    let run: Run<i64> = Box::new(run);
    Write { at, run, to }
}

/// Inserts the thing with this number and tells of it.
fn thing(tx: &mut Tx<'_>, id: i64) -> Result<Outcome<i64>, Fault> {
    let none = [Value::Integer(id), Value::Null, Value::Null, Value::Null, Value::Null];
    tx.execute(sql::INSERT, &none)?;
    Ok(Outcome::reply(id).event(event("thing", &id.to_string(), &["things"], "{}")))
}

fn values(db: &mut impl Backend) {
    let texts = ["", "plain", "\u{1F514} \u{202E}gnol", "'quoted\"", "\u{1}\n"];
    for (id, words) in (1..).zip(texts) {
        let batch = db.batch(vec![write(0, 0, move |tx| {
            let values = [
                Value::Integer(id),
                Value::Integer(i64::MIN + id),
                Value::Real(0.1 * id as f64),
                Value::Text(words),
                Value::Blob(&[0, 255, id as u8]),
            ];
            assert_eq!(tx.execute(sql::INSERT, &values)?, 1);
            Ok(Outcome::reply(id))
        })]);
        assert_eq!(batch.answers[0].result.as_ref().map(|c| *c.reply()), Ok(id));
        db.read(&mut |tx| {
            let row = tx.one(sql::SELECT, &[Value::Integer(id)], |row| {
                (row.integer(0), row.real(1), row.text(2), row.blob(3))
            });
            let expected =
                (i64::MIN + id, 0.1 * id as f64, words.to_owned(), vec![0, 255, id as u8]);
            assert_eq!(row, Ok(Some(expected)));
        });
    }
    db.batch(vec![write(0, 0, |tx| {
        let values = [Value::Integer(1), Value::Integer(-7), Value::Text("moved")];
        assert_eq!(tx.execute(sql::SHUFFLED, &values)?, 1);
        let row = tx.one(sql::SELECT, &[Value::Integer(1)], |r| (r.integer(0), r.text(2)))?;
        assert_eq!(row, Some((-7, "moved".to_owned())));
        assert_eq!(tx.execute(sql::SHUFFLED, &[Value::Integer(99), values[1], Value::Null])?, 0);
        assert_eq!(tx.one(sql::SELECT, &[Value::Integer(99)], |_| ())?, None);
        let count = |tx: &mut Tx<'_>, n| {
            let values = [Value::Integer(50), Value::Integer(n)];
            tx.one(sql::COUNT, &values, |row| row.optional_integer(0))
        };
        assert_eq!((count(tx, 2)?, count(tx, 3)?), (Some(Some(2)), Some(Some(5))));
        let nulls = tx.one(sql::SELECT, &[Value::Integer(50)], |row| {
            (row.optional_real(1), row.optional_text(2), row.optional_blob(3))
        })?;
        assert_eq!(nulls, Some((None, None, None)));
        Ok(Outcome::reply(0))
    })])
    .answers
    .pop()
    .expect("one answer")
    .result
    .expect("all of it holds");
}

/// What becomes of a command that fails, and of its neighbours.
fn fates(db: &mut impl Backend) {
    let refused = || Fault::new(Code::Conflict, "taken");
    let batch = db.batch(vec![
        write(0, 1, |tx| thing(tx, 1)),
        // It changed something, then thought better of it.
        write(1, 1, move |tx| thing(tx, 2).and(Err(refused()))),
        write(2, 1, |tx| thing(tx, 3)),
        write(3, 1, |tx| {
            thing(tx, 4)?;
            panic!("a bug of a service")
        }),
        // A statement that failed makes the command fail, whatever the command says.
        write(4, 1, |tx| {
            thing(tx, 5)?;
            let _ = thing(tx, 1);
            Ok(Outcome::reply(5))
        }),
        write(5, 1, |tx| {
            let numbers = tx.all(sql::NUMBERS, &[], |row| row.integer(0))?;
            Ok(Outcome::reply(numbers.len() as i64))
        }),
        write(6, 1, |tx| thing(tx, 6)),
    ]);
    let ends: Vec<_> = batch
        .answers
        .iter()
        .map(|answer| {
            let end = answer.result.as_ref();
            (answer.to, end.map(|c| *c.reply()).map_err(|fault| fault.code))
        })
        .collect();
    let internal = Err(Code::Internal);
    let expected = [
        (0, Ok(1)),
        (1, Err(Code::Conflict)),
        (2, Ok(3)),
        (3, internal),
        (4, internal),
        (5, Ok(2)),
        (6, Ok(6)),
    ];
    assert_eq!(ends, expected);
    let causes: Vec<usize> = batch.incidents.iter().map(|incident| incident.answer).collect();
    assert_eq!(causes, [3, 4], "{:?}", batch.incidents);
    assert!(batch.incidents[0].cause.contains("a bug of a service"));
    assert_eq!(batch.head, 3);
    db.read(&mut |tx| {
        assert_eq!(tx.all(sql::NUMBERS, &[], |row| row.integer(0)), Ok(vec![1, 3, 6]));
        assert_eq!(tx.head(), Ok(3));
    });
    // The first of a batch is undone like any other.
    let batch = db.batch(vec![
        write(0, 1, move |tx| thing(tx, 7).and(Err(refused()))),
        write(1, 1, |tx| thing(tx, 8)),
    ]);
    assert_eq!(batch.head, 4);
    db.read(&mut |tx| {
        assert_eq!(tx.all(sql::NUMBERS, &[], |row| row.integer(0)), Ok(vec![1, 3, 6, 8]));
    });
}

fn numbers(db: &mut impl Backend) {
    let next = |sequence: &'static str, keep: bool| {
        write(0, 0, move |tx| {
            let id = tx.next_id(sequence)?;
            if keep { Ok(Outcome::reply(id)) } else { Err(Fault::new(Code::Invalid, "no")) }
        })
    };
    let batch = db.batch(vec![
        next("room", true),
        next("room", false),
        next("room", true),
        next("user", true),
        next("room", true),
    ]);
    let ids: Vec<Option<i64>> = batch
        .answers
        .iter()
        .map(|answer| answer.result.as_ref().ok().map(|committed| *committed.reply()))
        .collect();
    assert_eq!(ids, [Some(1), None, Some(2), Some(1), Some(3)]);
}

/// Offsets are dense, in the order of the answers; effects ride on the last event's row.
fn log_order(db: &mut impl Backend) {
    let grant = || Effect::Grant { principal: "ann".to_owned(), topic: "room/1".into() };
    let two = |tx: &mut Tx<'_>| {
        assert_eq!(tx.head()?, 1);
        Ok(Outcome::reply(0)
            .event(event("a", "1", &["x"], "1"))
            .event(event("b", "2", &["y"], "2"))
            .effect(Effect::Revoke { principal: "bob".to_owned(), last: None }))
    };
    let batch = db.batch(vec![
        write(0, 10, move |_| Ok(Outcome::reply(0).effect(grant()))),
        write(1, 20, two),
        write(2, 30, |tx| Ok(Outcome::reply(tx.head()? as i64))),
    ]);
    let logged: Vec<&[Arc<Logged>]> = batch
        .answers
        .iter()
        .map(|answer| answer.result.as_ref().expect("committed").logged())
        .collect();
    let places: Vec<Vec<Offset>> =
        logged.iter().map(|rows| rows.iter().map(|row| row.offset).collect()).collect();
    assert_eq!(places, [vec![1], vec![2, 3], vec![]]);
    assert_eq!((logged[0][0].event.as_ref(), &logged[0][0].effects[..]), (None, &[grant()][..]));
    assert!(logged[1][0].effects.is_empty() && logged[1][1].effects.len() == 1);
    assert_eq!(logged[1][1].at, 20);
    assert_eq!(batch.head, 3);
    assert_eq!(batch.answers[2].result.as_ref().map(|c| *c.reply()), Ok(3));
}

/// The log gives back exactly what was published.
fn log_roundtrip(db: &mut impl Backend) {
    let payload = |text: &str| RawValue::from_string(text.to_owned()).expect("JSON");
    let masked = move || Event {
        name: "sold".into(),
        key: "listing \u{1F514}".to_owned(),
        except: vec!["principal/ann".into(), "session/3".into()],
        variants: vec![
            Variant {
                topics: vec!["staff".into()],
                payload: payload(r#"{"email":"a@b","n":1.0}"#),
            },
            Variant { topics: vec!["public".into(), "q\"uote".into()], payload: payload("null") },
        ],
        overflow: Overflow::Latest,
    };
    let batch = db.batch(vec![write(0, 5, move |_| {
        let evict = Effect::Evict { principal: "ann".to_owned(), topic: "staff".into() };
        Ok(Outcome::reply(0).event(masked()).event(event("b", "", &[], "[]")).effect(evict))
    })]);
    let published: Vec<Logged> = batch
        .answers
        .into_iter()
        .next()
        .expect("one answer")
        .result
        .expect("committed")
        .into_parts()
        .1
        .iter()
        .map(|row| Logged::clone(row))
        .collect();
    assert_eq!(found(db, "staff", None), published[..1]);
    assert_eq!(found(db, "q\"uote", None), published[..1]);
    assert_eq!(found(db, "quote", None), []);
    assert_eq!(found(db, "none", Some("ann")), published[1..]);
    assert_eq!(found(db, "public", Some("ann")), published);
    assert_eq!(found(db, "none", Some("bob")), []);
}

/// The whole log, as a holder of one topic hears it.
fn found(db: &mut impl Backend, topic: &str, principal: Option<&str>) -> Vec<Logged> {
    let topics = [Topic::Owned(topic.to_owned())].into();
    let wanted = Wanted { topics, principal: principal.map(str::to_owned) };
    let mut rows = Vec::new();
    db.read(&mut |tx| {
        let replayed = replay(tx, 0, u64::MAX, &wanted, &ReplayLimits::SLICE).expect("sound");
        assert_eq!(Ok(replayed.upto), tx.head());
        rows = replayed.rows;
    });
    rows
}

/// Cursors, grants and pruning.
fn log_places(db: &mut impl Backend) {
    let grant = |to: &str, topic: &'static str| Effect::Grant {
        principal: to.to_owned(),
        topic: topic.into(),
    };
    let effects = [grant("ann", "r1"), grant("ann", "r2"), grant("bob", "r1"), grant("ann", "r1")];
    let writes = effects
        .into_iter()
        .map(|effect| write(0, 1_000, move |_| Ok(Outcome::reply(0).effect(effect.clone()))));
    db.batch(writes.collect());
    db.read(&mut |tx| {
        let of = |principal, after, upto| grants(tx, principal, after, upto).expect("sound");
        assert_eq!(of("ann", 0, 9), [("r1".into(), 4), ("r2".into(), 2)]);
        assert_eq!(of("ann", 0, 3), [("r1".into(), 1), ("r2".into(), 2)]);
        assert_eq!(of("ann", 2, 9), [("r1".into(), 4)]);
        assert_eq!(of("eve", 0, 9), []);
    });
    let keep = Keep { time: 0, events: 1, bytes_max: u64::MAX };
    let batch = db.batch(vec![write(0, 2_000, move |tx| {
        let pruned = prune(tx, 2_000, &keep)?;
        assert!(pruned.done && !pruned.forced);
        Ok(Outcome::reply(pruned.rows as i64))
    })]);
    assert_eq!(batch.answers[0].result.as_ref().map(|c| *c.reply()), Ok(3));
    db.read(&mut |tx| {
        let at = |offset| {
            let cursor = Cursor { epoch: tx.epoch().to_owned(), offset };
            resume(tx, &cursor.to_string()).expect("sound")
        };
        assert_eq!(tx.head(), Ok(4));
        assert_eq!((at(4), at(3)), (Resume::From(4), Resume::From(3)));
        assert_eq!((at(2), at(5)), (Resume::Reset(Reason::Expired), Resume::Reset(Reason::Future)));
        assert_eq!(grants(tx, "bob", 0, 9), Ok(vec![]));
    });
}

/// Rights that were taken, and for which rows they held.
fn ended_rights(db: &mut impl Backend) {
    let words = ["+r1", "-r1", "+r1", "-r1", "-r2", "!", "-r3", "-r2"];
    let writes = words.map(|word| {
        let (principal, topic) = ("ann".to_owned(), word[1..].into());
        write(0, 1_000, move |_| {
            let (principal, topic) = (principal.clone(), Clone::clone(&topic));
            Ok(Outcome::reply(0).effect(match word.as_bytes()[0] {
                b'+' => Effect::Grant { principal, topic },
                b'-' => Effect::Evict { principal, topic },
                _ => Effect::Revoke { principal, last: None },
            }))
        })
    });
    db.batch(writes.into());
    db.read(&mut |tx| {
        let check = |names: &[&str], after, upto, expected: &[(&str, u64, u64)]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = ended(tx, &names, after, upto).expect("sound");
            let found = found.iter().map(|right| (&*right.topic, right.since, right.until));
            assert_eq!(found.collect::<Vec<_>>(), expected, "after {after}, up to {upto}");
        };
        // What was taken once is not taken again, and a revocation ends everything.
        let all = [("r1", 1, 2), ("r1", 3, 4), ("r2", 0, 5), ("r3", 0, 6)];
        check(&["ann"], 0, 9, &all);
        check(&["eve", "ann"], 0, 9, &all);
        // What was held where it is looked from holds from there on.
        check(&["ann"], 1, 4, &[("r1", 1, 2), ("r1", 3, 4)]);
        check(&["ann"], 3, 5, &[("r1", 3, 4), ("r2", 3, 5)]);
        check(&["ann"], 6, 7, &[("r3", 6, 7)]);
        check(&["eve"], 0, 9, &[]);
        check(&["ann"], 2, 3, &[]);
    });
}
