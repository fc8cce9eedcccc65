//! Copies of a database in use, and what a check finds.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use bellwire_store::{
    change::{Effect, Outcome},
    log::{self, Resume},
    migrate::Migrations,
    sqlite::{BackupError, OpenError, Options, Reader, Store, Write, Writer, backup, check},
    testing::{self, event},
    tx::Value,
};
use rusqlite::Connection;

bellwire_store::statements! {
    /// A thing of some size, as it is now.
    SET = "INSERT INTO things (thing_id, words) VALUES ($1, $2) \
           ON CONFLICT (thing_id) DO UPDATE SET words = excluded.words";
}

const SERVICES: &[Migrations] = &[testing::MIGRATIONS];
const DEADLINE: Duration = Duration::from_secs(20);
/// Things that are set again and again.
const THINGS: i64 = 500;

fn options(folder: &Path) -> Options {
    Options::new(folder.join("db"), "epoch", 0)
}

/// The `number`th write: sets a thing to words that tell of it, about `size` bytes.
fn set(number: i64, size: usize) -> Write<i64, usize> {
    testing::write(0, number, move |tx| {
        let thing = number % THINGS;
        let words = format!("{number} {}", "w".repeat(size));
        tx.execute(SET, &[Value::Integer(thing), Value::Text(&words)])?;
        let payload = format!("\"{number}\"");
        let topic = format!("thing/{}", thing % 7);
        let event = event("set", &thing.to_string(), &["things", &topic], &payload);
        Ok(Outcome::reply(number).event(event))
    })
}

/// A closed database of so many writes.
fn made(folder: &Path, writes: i64, size: usize) -> PathBuf {
    let options = options(folder);
    let mut writer = Writer::open(&options, SERVICES).expect("it opens");
    for from in (1..=writes).step_by(500) {
        let batch = (from..(from + 500).min(writes + 1)).map(|number| set(number, size)).collect();
        let batch = writer.batch(batch).expect("a sound disk");
        assert!(batch.answers.iter().all(|answer| answer.result.is_ok()));
    }
    writer.close().expect("a sound disk");
    options.path
}

/// The copy's things are those that its log leads to, up to its head: the `head`th write is the
/// last, and no other is missing.
fn is_prefix(copy: &Path, head: u64) {
    let conn = Connection::open(copy).expect("it opens");
    let logged: Vec<i64> = conn
        .prepare("SELECT payloads FROM log ORDER BY log_offset")
        .and_then(|mut s| s.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<_, _>>())
        .map(|all: Vec<String>| {
            all.iter().map(|p| p[2..p.len() - 2].parse().expect("it")).collect()
        })
        .expect("it reads");
    assert_eq!(logged.len() as u64, head);
    let mut things = vec![None; THINGS as usize];
    logged.iter().for_each(|number| things[(number % THINGS) as usize] = Some(*number));
    let found: Vec<(i64, String)> = conn
        .prepare("SELECT thing_id, words FROM things ORDER BY thing_id")
        .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .expect("it reads");
    let found: Vec<(i64, i64)> = found
        .iter()
        .map(|(id, words)| (*id, words.split(' ').next().expect("a number").parse().expect("it")))
        .collect();
    let expected: Vec<(i64, i64)> =
        (0..).zip(things).filter_map(|(id, number)| Some((id, number?))).collect();
    assert_eq!(found, expected);
}

/// The files of a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).expect("it is there").map(|entry| {
        entry.expect("it can be read").file_name().into_string().expect("names are texts")
    });
    names.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures how long a commit takes")]
fn a_copy_beside_a_writer_is_the_log_up_to_a_place() {
    let (folder, other) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    // 50 MB of log and things.
    let path = made(folder.path(), 500, 50_000);
    let (committed, commits) = mpsc::channel();
    let store: Store<i64, usize> = Store::open(options(folder.path()), SERVICES, move |batch| {
        for answer in batch.answers {
            let number = *answer.result.expect("it is committed").reply();
            committed.send((number, batch.head)).expect("the test listens");
        }
    })
    .expect("it opens");
    let stop = AtomicBool::new(false);
    let (reports, slowest) = std::thread::scope(|scope| {
        let (store, stop) = (&store, &stop);
        // One commit after another, each waited for.
        let writing = scope.spawn(move || {
            let mut slowest = Duration::ZERO;
            for number in 501.. {
                if stop.load(Relaxed) {
                    break;
                }
                let start = Instant::now();
                assert!(store.write(set(number, 4_000)).is_ok());
                let done = commits.recv_timeout(DEADLINE).expect("it is committed");
                assert_eq!(done, (number, number as u64));
                slowest = slowest.max(start.elapsed());
            }
            slowest
        });
        let reports: Vec<_> = (0..4)
            .map(|copy| {
                let before = store.log_stats().head;
                let epoch = format!("copy-{copy}");
                let to = other.path().join(&epoch);
                let start = Instant::now();
                let report = backup(&path, &to, &epoch, SERVICES).expect("it is copied");
                let after = store.log_stats().head;
                println!("{} bytes in {:?}", report.bytes, start.elapsed());
                assert!((before..=after).contains(&report.head), "{before} {report:?} {after}");
                assert_eq!(report.tables["things"], THINGS as u64);
                assert!(report.bytes > 40 << 20, "{report:?}");
                (to, report)
            })
            .collect();
        stop.store(true, Relaxed);
        (reports, writing.join().expect("the writer ends well"))
    });
    println!("slowest commit {slowest:?}");
    // It also waits for what other processes have the disk sync.
    assert!(slowest < Duration::from_secs(10), "a commit waited {slowest:?} for a backup");
    assert!(reports.windows(2).all(|two| two[0].1.head < two[1].1.head), "the writer wrote");
    store.close().expect("a sound disk");
    for (to, report) in reports {
        is_prefix(&to, report.head);
        let checked = check(&to, SERVICES).expect("it is sound");
        assert_eq!((checked.epoch, checked.head), (report.epoch, report.head));
    }
    assert!(files(other.path()).iter().all(|name| !name.contains(".part")));
}

/// Somebody opens a database at rest, commits to two places far apart, and closes it, again and again
/// while it is copied: no copy has one place without the other, nor does a check find it torn.
#[test]
fn a_copy_is_whole_when_somebody_comes_and_goes_meanwhile() {
    const WORDS: &str = "SELECT substr(words, 1, 20) FROM things WHERE thing_id IN (0, 499)";
    let (folder, other) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    let path = made(folder.path(), THINGS, 50_000);
    let come_and_go = |number: usize| {
        let conn = Connection::open(&path).expect("it opens");
        let words = format!("{number:020} {}", "w".repeat(50_000));
        // No two things have the same words.
        let set = "UPDATE things SET words = $1 || thing_id WHERE thing_id IN (0, 499)";
        assert_eq!(conn.execute(set, [words]).expect("it is set"), 2);
    };
    let mut visits = 0;
    for round in 0..10 {
        // Nothing holds it now: the WAL goes with this.
        come_and_go(visits);
        assert_eq!(files(folder.path()), BTreeSet::from(["db".into(), "db.lock".into()]));
        let to = other.path().join(format!("copy-{round}"));
        let (part, stop) =
            (other.path().join(format!("copy-{round}.part")), AtomicBool::new(false));
        visits = std::thread::scope(|scope| {
            let (part, stop, come_and_go) = (&part, &stop, &come_and_go);
            let visiting = scope.spawn(move || {
                // The copy has begun by then.
                while !part.exists() && !stop.load(Relaxed) {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                let mut number = visits;
                while !stop.load(Relaxed) {
                    number += 1;
                    come_and_go(number);
                }
                number
            });
            let report = backup(&path, &to, "copy", SERVICES);
            let checked = check(&path, SERVICES);
            stop.store(true, Relaxed);
            let visits = visiting.join().expect("the visitor ends well");
            report.expect("it is copied");
            checked.expect("it is sound");
            visits
        });
        let conn = Connection::open(&to).expect("it opens");
        let found: BTreeSet<String> = conn
            .prepare(WORDS)
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .expect("it reads");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    assert!(visits > 10, "{visits} visits only");
}

/// A copy is opened as any database: it goes on counting, and knows no cursor of the original.
#[test]
fn a_copy_has_a_life_of_its_own() {
    let (folder, other) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    let path = made(folder.path(), 2_100, 10);
    let before = files(folder.path());
    let copy = other.path().join("db");
    let report = backup(&path, &copy, "other", SERVICES).expect("it is copied");
    assert_eq!((report.head, &*report.epoch), (2_100, "other"));
    assert_eq!(files(other.path()), BTreeSet::from(["db".to_owned()]));
    let mode = fs::metadata(&copy).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(files(folder.path()), before);
    // Reading the copy leaves no file beside it either.
    check(&copy, SERVICES).expect("it is sound");
    assert_eq!(files(other.path()), BTreeSet::from(["db".to_owned()]));

    let options = options(other.path());
    let mut writer = Writer::open(&options, SERVICES).expect("it opens");
    assert_eq!((writer.epoch(), writer.log_stats().head), ("other", 2_100));
    assert_eq!(writer.batch(vec![set(2_101, 10)]).expect("a sound disk").head, 2_101);
    let mut reader = Reader::open(&options).expect("it opens");
    let resume = |reader: &mut Reader, cursor: &str| {
        reader.read(|tx| log::resume(tx, cursor)).expect("it reads").expect("it reads")
    };
    assert_eq!(resume(&mut reader, "epoch.2100"), Resume::Reset(log::Reason::Epoch));
    assert_eq!(resume(&mut reader, "other.2100"), Resume::From(2_100));
    assert_eq!(check(&copy, SERVICES).map(|report| report.head), Ok(2_101), "beside its writer");
}

/// What only the WAL has, because the writer was killed, is in the copy; the original stays as it is.
#[test]
fn a_copy_of_what_a_crash_left_is_complete() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("room")).collect();
    let [alive, crashed, copies] = [0, 1, 2].map(|folder| folders[folder].path());
    let mut writer = Writer::open(&options(alive), SERVICES).expect("it opens");
    for number in 1..=40 {
        writer.batch(vec![set(number, 100)]).expect("a sound disk");
    }
    // As a killed process leaves them; the index of the WAL may be gone or of no use.
    for (round, shm) in [true, false].into_iter().enumerate() {
        for name in ["db", "db-wal", "db-shm"] {
            fs::copy(alive.join(name), crashed.join(name)).expect("it is copied");
        }
        let garbage = vec![0x5A; 32 << 10];
        if shm {
            fs::write(crashed.join("db-shm"), garbage).expect("it can be written");
        }
        let read = |name: &str| fs::read(crashed.join(name)).expect("it is there");
        let before = (files(crashed), read("db"), read("db-wal"));
        let to = copies.join(round.to_string());
        let report = backup(&crashed.join("db"), &to, "copy", SERVICES).expect("it is copied");
        assert_eq!(report.head, 40);
        is_prefix(&to, 40);
        assert!(
            (files(crashed), read("db"), read("db-wal")) == before,
            "the original is as it was"
        );
    }
    // A WAL that was cut off in the middle of a commit ends with the commit before.
    let wal = fs::read(crashed.join("db-wal")).expect("it is there");
    fs::write(crashed.join("db-wal"), &wal[..wal.len() - 100]).expect("it can be written");
    let report = backup(&crashed.join("db"), &copies.join("cut"), "copy", SERVICES);
    assert_eq!(report.map(|report| report.head), Ok(39));
}

#[test]
fn what_cannot_be_copied_leaves_nothing() {
    let folder = tempfile::tempdir().expect("room");
    let path = made(folder.path(), 2_000, 100);
    let to = folder.path().join("copy");
    let sentence = |from: &Path, to: &Path, begins: &str| {
        let names = files(folder.path());
        let error = backup(from, to, "copy", SERVICES).expect_err("it cannot be copied");
        let said = error.to_string().replace(&folder.path().display().to_string(), "AT");
        assert!(said.starts_with(begins) && said.ends_with('.'), "{said}");
        assert_eq!(files(folder.path()), names, "{said}");
        error
    };
    sentence(&folder.path().join("none"), &to, "There is no database AT/none.");
    sentence(folder.path(), &to, "There is no database AT.");
    sentence(&path, &path, "The copy AT/db cannot be written: there is something of that name");
    sentence(
        &path,
        &folder.path().join("no/copy"),
        "The copy AT/no/copy cannot be written: No such",
    );
    let empty = folder.path().join("empty");
    fs::write(&empty, "").expect("room");
    sentence(&empty, &to, "AT/empty is not a database of this program.");
    let text = folder.path().join("text");
    fs::write(&text, "not a database at all".repeat(500)).expect("room");
    let error = sentence(&text, &to, "The database AT/text failed while ");
    assert!(matches!(error, BackupError::From(OpenError::Damaged(_))), "{error:?}");
    let bytes = fs::read(&path).expect("it is there");
    let cut = folder.path().join("cut");
    fs::write(&cut, &bytes[..bytes.len() / 2 / 4096 * 4096]).expect("room");
    let error = sentence(&cut, &to, "The database AT/cut ");
    assert!(matches!(error, BackupError::From(OpenError::Damaged(_))), "{error:?}");
    let damaged = folder.path().join("damaged");
    fs::write(&damaged, flipped(&path)).expect("room");
    let error = sentence(&damaged, &to, "The database AT/damaged is damaged and was not copied (");
    assert!(matches!(error, BackupError::From(OpenError::Damaged(_))), "{error:?}");

    let conn = Connection::open(&path).expect("it opens");
    conn.execute("UPDATE schema_version SET version = 99", []).expect("it is changed");
    drop(conn);
    let error = backup(&path, &to, "copy", SERVICES).expect_err("it is newer");
    assert!(matches!(error, BackupError::From(OpenError::Newer(_))), "{error:?}");
    let problems = check(&path, SERVICES).expect_err("it is newer");
    assert!(problems.len() == 1 && problems[0].contains("a newer version"), "{problems:?}");
}

/// The same bytes with the first page of the log's rows turned over.
fn flipped(path: &Path) -> Vec<u8> {
    let conn = Connection::open(path).expect("it opens");
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'log'";
    let root: u32 = conn.query_row(root, [], |row| row.get(0)).expect("it is there");
    let root = root as usize;
    drop(conn);
    let mut bytes = fs::read(path).expect("it is there");
    bytes[(root - 1) * 4096..root * 4096].iter_mut().for_each(|byte| *byte = !*byte);
    bytes
}

#[test]
fn a_check_finds_what_is_wrong() {
    let folder = tempfile::tempdir().expect("room");
    let mut writer = Writer::open(&options(folder.path()), SERVICES).expect("it opens");
    writer.batch((1..=2_500).map(|number| set(number, 10)).collect()).expect("a sound disk");
    let counted = testing::write(0, 0, |tx| {
        let number = tx.next_id("things")?;
        let grant = Effect::Grant { principal: "p".into(), topic: "things".into() };
        let revoke = Effect::Revoke { principal: "p".into(), last: None };
        Ok(Outcome::reply(number).effect(grant).effect(revoke))
    });
    let counters = "UPDATE counters SET last = 499";
    let mut rows = vec![counted];
    rows.push(testing::write(0, 0, |tx| log::prune(tx, 2_000, &keep()).map(|_| Outcome::reply(0))));
    let batch = writer.batch(rows).expect("a sound disk");
    assert!(batch.answers.iter().all(|answer| answer.result.is_ok()), "{:?}", batch.incidents);
    writer.close().expect("a sound disk");
    let path = folder.path().join("db");
    let sound = |sql: &str| {
        let conn = Connection::open(&path).expect("it opens");
        conn.execute_batch(sql).unwrap_or_else(|e| panic!("{e} in {sql}"));
    };
    sound(counters);
    let report = check(&path, SERVICES).expect("it is sound");
    assert_eq!((report.first, report.head, report.tables["log_block"]), (501, 2_501, 2));
    let rows = [
        ("DELETE FROM log WHERE log_offset = 700", "nothing stands between 699 and 701"),
        ("UPDATE log SET topics = '[[\"a\"' WHERE log_offset = 701", "topics that cannot be read"),
        ("UPDATE log SET payloads = '[' WHERE log_offset = 701", "payloads that cannot be read"),
        ("UPDATE log SET payloads = '[]' WHERE log_offset = 701", "not as many payloads"),
        ("UPDATE log SET except_topics = '1' WHERE log_offset = 701", "exceptions that cannot"),
        ("UPDATE log SET effects = '[1]' WHERE log_offset = 701", "effects that cannot be read"),
        ("UPDATE log SET bytes = 1 WHERE log_offset = 701", "row 701 of the log has another size"),
        ("UPDATE log SET name = NULL WHERE log_offset = 701", "is neither an event nor none"),
        (
            "UPDATE log_effect SET principal = 'q' WHERE place = 0",
            "effects that its index does not",
        ),
        ("DELETE FROM log_effect WHERE place = 1", "effects, its index of 1"),
        ("DELETE FROM log_block WHERE last_offset = 2000", "block up to 2000 is missing"),
        ("UPDATE log_block SET topics = '[[]]' WHERE last_offset = 1000", "lists other topics"),
        ("UPDATE log_block SET bytes = bytes + 1", "block up to 1000 has another size"),
        ("INSERT INTO log_block VALUES (9000, 1, '[]')", "block up to 9000 has no rows"),
        ("UPDATE counters SET last = 498", "the number 499 of things would be given out again"),
        ("DELETE FROM log_epoch", "there are 0 epochs"),
        ("INSERT INTO log_epoch VALUES ('second')", "there are 2 epochs"),
        ("UPDATE log_epoch SET epoch = 'a b'", "the epoch \"a b\" is none"),
        (
            "CREATE TABLE child (of INTEGER REFERENCES things); INSERT INTO child VALUES (9999)",
            "a row of the table child belongs to none of things",
        ),
    ];
    let bytes = fs::read(&path).expect("it is there");
    for (sql, says) in rows {
        sound(&format!("PRAGMA foreign_keys = OFF; {sql}"));
        let problems = check(&path, SERVICES).expect_err(sql);
        assert!(problems.iter().any(|problem| problem.contains(says)), "{sql}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.ends_with(": restore a backup.")));
        for beside in ["db-wal", "db-shm"] {
            let _ = fs::remove_file(folder.path().join(beside));
        }
        fs::write(&path, &bytes).expect("room");
    }
    check(&path, SERVICES).expect("it is sound again");
    fs::write(&path, flipped(&path)).expect("room");
    let problems = check(&path, SERVICES).expect_err("a page is damaged");
    assert!(problems[0].contains("the pages are damaged ("), "{problems:?}");
}

/// Half of a thousand rows may go.
fn keep() -> log::Keep {
    log::Keep { time: 0, events: 2_000, bytes_max: u64::MAX }
}
