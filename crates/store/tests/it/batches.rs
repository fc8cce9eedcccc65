//! What becomes of the commands of one batch when some of them misbehave; the general rules are in
//! the suite of every backend, here are those of time, and of transactions that end.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_store::{
    change::{Code, Fault, Outcome},
    sqlite::{Options, Reader, Write, Writer},
    testing::{self, event},
    tx::{Statement, Value},
};

bellwire_store::statements! {
    /// One thing.
    INSERT = "INSERT INTO things (thing_id) VALUES ($1)";
    /// What is there.
    IDS = "SELECT thing_id FROM things ORDER BY thing_id";
    /// A query without end.
    ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
               SELECT count(*) FROM n";
    /// A write without end.
    ENDLESS_WRITE = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) \
                     INSERT INTO things (thing_id) SELECT i FROM n";
    /// What no statement is.
    NONSENSE = "SELEC nothing";
}

fn open(folder: &Path) -> (Writer, Reader) {
    let mut options = Options::new(folder.join("db"), "epoch", 0);
    options.command_time_max = Duration::from_millis(100);
    options.read_time_max = Duration::from_millis(100);
    let writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    (writer, Reader::open(&options).expect("it opens"))
}

fn thing(id: i64, runs: &Arc<AtomicUsize>) -> Write<i64, usize> {
    let runs = Arc::clone(runs);
    testing::write(0, id, move |tx| {
        runs.fetch_add(1, Relaxed);
        tx.execute(INSERT, &[Value::Integer(id)])?;
        Ok(Outcome::reply(id).event(event("thing", &id.to_string(), &["things"], "1")))
    })
}

/// A misbehaving command between two good ones: it is answered `code`, they are committed, and
/// each of them ran `runs` times.
#[track_caller]
fn check(
    code: Code,
    runs: usize,
    bad: impl FnMut(&mut bellwire_store::tx::Tx<'_>) -> Result<Outcome<i64>, Fault> + Send + 'static,
) {
    let folder = tempfile::tempdir().expect("room");
    let (mut writer, mut reader) = open(folder.path());
    let ran = Arc::new(AtomicUsize::new(0));
    let jobs = vec![thing(1, &ran), testing::write(0, 2, bad), thing(3, &ran)];
    let batch = writer.batch(jobs).expect("a sound disk");
    let ends: Vec<Result<i64, Code>> = batch
        .answers
        .iter()
        .map(|a| a.result.as_ref().map(|c| *c.reply()).map_err(|fault| fault.code))
        .collect();
    assert_eq!(ends, [Ok(1), Err(code), Ok(3)]);
    assert_eq!((batch.incidents.len(), batch.incidents[0].answer), (1, 1));
    assert_eq!(ran.load(Relaxed), runs);
    assert_eq!(batch.head, 2);
    let offsets: Vec<u64> = batch
        .answers
        .iter()
        .filter_map(|a| Some(a.result.as_ref().ok()?.logged()[0].offset))
        .collect();
    assert_eq!(offsets, [1, 2]);
    let ids = reader.read(|tx| tx.all(IDS, &[], |row| row.integer(0)));
    assert_eq!(ids, Ok(Ok(vec![1, 3])));
}

#[test]
fn a_command_that_takes_too_long_is_undone_alone() {
    // Interrupting a query leaves the transaction; interrupting a write ends it, and the others
    // run again.
    check(Code::Timeout, 2, |tx| {
        tx.one(ENDLESS, &[], |row| row.integer(0)).map(|_| Outcome::reply(2))
    });
    check(Code::Timeout, 3, |tx| tx.execute(ENDLESS_WRITE, &[]).map(|_| Outcome::reply(2)));
    // Many short statements are no way around it.
    check(Code::Timeout, 2, |tx| {
        loop {
            tx.one(IDS, &[], |row| row.integer(0))?;
        }
    });
    // Nor is it to take the refusal for an answer.
    check(Code::Timeout, 2, |tx| {
        let _ = tx.one(ENDLESS, &[], |row| row.integer(0));
        Ok(Outcome::reply(2).event(event("never", "", &["things"], "1")))
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "to stand still is what is tried")]
fn a_command_that_stands_still_is_not_undone() {
    // As on a busy machine, or one that was stopped: four times what it may work for.
    let folder = tempfile::tempdir().expect("room");
    let (mut writer, mut reader) = open(folder.path());
    let stands = testing::write(0, 1, |tx| {
        tx.execute(INSERT, &[Value::Integer(1)])?;
        std::thread::sleep(Duration::from_millis(400));
        tx.one(IDS, &[], |row| row.integer(0)).map(|_| Outcome::reply(1))
    });
    let batch = writer.batch(vec![stands]).expect("a sound disk");
    assert_eq!(batch.answers[0].result.as_ref().map(|c| *c.reply()), Ok(1));
    let read = reader.read(|tx| {
        std::thread::sleep(Duration::from_millis(400));
        tx.all(IDS, &[], |row| row.integer(0)).map_err(|fault| fault.code)
    });
    assert_eq!(read, Ok(Ok(vec![1])));
}

#[test]
fn a_bug_in_a_command_is_undone_alone() {
    let mistake = |statement: Statement| {
        check(Code::Internal, 2, move |tx| {
            tx.execute(INSERT, &[Value::Integer(50)])?;
            tx.one(statement, &[], |row| row.text(0)).map(|_| Outcome::reply(2))
        });
    };
    mistake(NONSENSE);
    // A column of another type, a placeholder without a value: both panic.
    mistake(IDS);
    mistake(INSERT);
    check(Code::Internal, 2, |tx| {
        tx.execute(INSERT, &[Value::Text("nul \0")]).map(|_| Outcome::reply(2))
    });
}

#[test]
fn a_batch_that_changes_nothing_costs_no_fsync() {
    let folder = tempfile::tempdir().expect("room");
    let disk = crate::vfs::Disk::under(folder.path(), 1);
    let mut options = Options::new(folder.path().join("db"), "epoch", 0);
    options.testing.vfs = Some(crate::vfs::NAME);
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    let before = disk.ops();
    let refuse = testing::write(0, 0, |tx| {
        tx.execute(INSERT, &[Value::Integer(1)])?;
        Err(Fault::new(Code::Conflict, "thought better of it"))
    });
    let look =
        testing::write(0, 0, |tx| Ok(Outcome::reply(tx.all(IDS, &[], |_| ())?.len() as i64)));
    let batch = writer.batch(vec![refuse, look]).expect("a sound disk");
    assert_eq!(batch.answers[1].result.as_ref().map(|c| *c.reply()), Ok(0));
    assert_eq!(disk.ops(), before);
    assert!(writer.batch::<i64, usize>(Vec::new()).expect("a sound disk").answers.is_empty());
}

#[test]
fn a_read_is_of_one_moment_and_does_not_write() {
    let folder = tempfile::tempdir().expect("room");
    let (mut writer, mut reader) = open(folder.path());
    let ran = Arc::new(AtomicUsize::new(0));
    writer.batch(vec![thing(1, &ran)]).expect("a sound disk");
    let seen = reader.read(|tx| {
        writer.batch(vec![thing(2, &ran)]).expect("a sound disk");
        (tx.head(), tx.all(IDS, &[], |row| row.integer(0)))
    });
    assert_eq!(seen, Ok((Ok(1), Ok(vec![1]))));
    assert_eq!(reader.read(|tx| tx.head()), Ok(Ok(2)));
    let late = reader.read(|tx| tx.one(ENDLESS, &[], |row| row.integer(0)).map_err(|f| f.code));
    assert_eq!(late, Ok(Err(Code::Timeout)));
    assert!(reader.cause().expect("it failed").contains("WITH RECURSIVE"));
    let wrote = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        reader.read(|tx| tx.one(INSERT, &[Value::Integer(9)], |_| ()))
    }));
    assert!(wrote.is_err(), "a read that writes is a bug");
    assert_eq!(reader.read(|tx| tx.head()), Ok(Ok(2)), "the reader goes on");
}
