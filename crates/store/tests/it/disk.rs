//! Promises 1 and 2: what was acknowledged survives a power cut; after a failed fsync nothing is
//! acknowledged and nothing tried again; a full disk refuses writes, and only those, until there
//! is room.

use std::{path::Path, sync::mpsc, time::Duration};

use bellwire_store::{
    change::{Code, Outcome},
    sqlite::{Fatal, OpenError, Options, Reader, Store, Testing, Write, Writer},
    testing::{self, event},
    tx::{ReadTx, Value},
};

use crate::vfs::{self, Disk, Kind};

bellwire_store::statements! {
    /// A thing of some size.
    INSERT = "INSERT INTO things (thing_id, words) VALUES ($1, $2)";
    /// The things that are there.
    IDS = "SELECT thing_id FROM things ORDER BY thing_id";
    /// The log beside them.
    OFFSETS = "SELECT log_offset, key FROM log ORDER BY log_offset";
}

fn options(folder: &Path) -> Options {
    let mut options = Options::new(folder.join("db"), "epoch", 0);
    options.testing = Testing { vfs: Some(vfs::NAME), synchronous_normal: false };
    // The shims are slow in a debug build; the limit has a test of its own.
    options.command_time_max = Duration::from_secs(60);
    options
}

/// Stores the thing with this number, and an event with the same.
fn thing(id: i64) -> Write<i64, usize> {
    testing::write(0, id, move |tx| {
        let words = format!("{id} {}", "w".repeat((id as usize * 37) % 1_500));
        tx.execute(INSERT, &[Value::Integer(id), Value::Text(&words)])?;
        Ok(Outcome::reply(id).event(event("thing", &id.to_string(), &["things"], "1")))
    })
}

/// Stands for the operator's eyes: what is in the database, and that it is whole.
fn look(tx: &ReadTx<'_>) -> Vec<i64> {
    let ids = tx.all(IDS, &[], |row| row.integer(0)).expect("it reads");
    let log = tx.all(OFFSETS, &[], |row| (row.integer(0), row.text(1))).expect("it reads");
    let offsets: Vec<i64> = log.iter().map(|(offset, _)| *offset).collect();
    let dense: Vec<i64> = (1..=log.len() as i64).collect();
    assert_eq!(offsets, dense, "offsets are dense");
    let mut logged: Vec<i64> = log.iter().map(|(_, key)| key.parse().expect("a number")).collect();
    logged.sort_unstable();
    assert_eq!(logged, ids, "a thing and its event are there together or not at all");
    ids
}

/// Opens what a power cut left, which checks it as a whole, and looks.
fn survivors(folder: &Path) -> Vec<i64> {
    let options = Options::new(folder.join("db"), "other", 0);
    let conn = rusqlite::Connection::open(&options.path).expect("it opens");
    let whole: String =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it is read");
    assert_eq!(whole, "ok");
    drop(conn);
    let _writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    let mut reader = Reader::open(&options).expect("it opens");
    reader.read(look).expect("it reads")
}

/// One life up to a power cut, which may come while the database is still being made; returns what
/// was acknowledged and what is left.
fn cut(seed: u64, synchronous_normal: bool) -> (Vec<i64>, Vec<i64>) {
    let (before, after) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    let disk = Disk::under(before.path(), seed);
    let mut chance = seed;
    let mut random = move |n: u64| {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % n
    };
    let mut options = options(before.path());
    options.testing.synchronous_normal = synchronous_normal;
    let early = seed % 4 == 3;
    if early {
        disk.cut_at(1 + random(60));
    }
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    if !early {
        disk.cut_at(disk.ops() + 1 + random(400));
    }
    let mut acknowledged = Vec::new();
    let mut next = 1;
    while !disk.is_cut() {
        let count = 1 + random(4) as i64;
        let batch = writer.batch((next..next + count).map(thing).collect()).expect("a sound disk");
        next += count;
        if !disk.is_cut() {
            acknowledged.extend(
                batch
                    .answers
                    .iter()
                    .map(|answer| *answer.result.as_ref().expect("it is committed").reply()),
            );
        }
        if random(6) == 0 {
            writer.checkpoint().expect("a sound disk");
        }
    }
    drop(writer);
    disk.restore(after.path());
    (acknowledged, survivors(after.path()))
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    for seed in 0..200 {
        let (acknowledged, left) = cut(seed, false);
        let lost: Vec<&i64> = acknowledged.iter().filter(|id| !left.contains(id)).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} of {acknowledged:?} are lost");
    }
}

/// The proof that the test above can fail: the mutant must lose what it acknowledged.
#[test]
fn without_full_synchronous_a_power_cut_loses_an_acknowledged_write() {
    let loses = |seed| {
        let (acknowledged, left) = cut(seed, true);
        acknowledged.iter().any(|id| !left.contains(id))
    };
    assert!((0..150).any(loses), "the power cut is too kind");
}

/// A short life with checkpoints; what it acknowledges goes into `acknowledged`.
fn life(writer: &mut Writer, acknowledged: &mut Vec<i64>) -> Result<(), Fatal> {
    for batch in 0..6 {
        let from = 100 + batch * 3;
        let batch = writer.batch((from..from + 3).map(thing).collect())?;
        acknowledged
            .extend(batch.answers.iter().filter_map(|a| Some(*a.result.as_ref().ok()?.reply())));
        if from % 2 == 1 {
            writer.checkpoint()?;
        }
    }
    Ok(())
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_acknowledged_that_is_not_there() {
    // With few pages in memory, most are written before COMMIT.
    for (kind, cache_kib) in [(Kind::Sync, 1_024), (Kind::Write, 1_024), (Kind::Write, 8)] {
        for n in 1.. {
            let (before, after) =
                (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
            let disk = Disk::under(before.path(), n);
            let mut options = options(before.path());
            options.writer_cache_kib = cache_kib;
            let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
            let mut acknowledged = Vec::new();
            writer.batch(vec![thing(1)]).expect("a sound disk");
            acknowledged.push(1);
            disk.fail_at(kind, n);
            let end = life(&mut writer, &mut acknowledged);
            if !disk.has_failed() {
                assert!(end.is_ok() && n > 10, "{n} calls of {kind:?}");
                break;
            }
            assert!(end.is_err(), "{kind:?} {n}: whether it is durable is not known");
            let ops = disk.ops();
            assert_eq!(writer.batch(vec![thing(999)]).map(|_| ()).err(), end.clone().err());
            assert_eq!(writer.checkpoint().err(), end.clone().err());
            assert_eq!(writer.close().err(), end.err());
            assert_eq!(disk.ops(), ops, "{kind:?} {n}: it tried again");
            let marker = before.path().join("db.needs-check");
            assert!(marker.exists());

            // The next open checks the whole database, with and without a power cut in between.
            disk.cut_now();
            disk.restore(after.path());
            std::fs::copy(&marker, after.path().join("db.needs-check")).expect("room");
            let left = survivors(after.path());
            let lost: Vec<&i64> = acknowledged.iter().filter(|id| !left.contains(id)).collect();
            assert!(lost.is_empty(), "{kind:?} {n}: {lost:?} are lost");
            assert!(!after.path().join("db.needs-check").exists(), "it was checked");
        }
    }
}

/// The same for what opening writes: the tables of a new version.
#[test]
fn what_a_disk_did_not_keep_of_a_new_version_is_not_built_upon() {
    for kind in [Kind::Sync, Kind::Write] {
        for n in 1.. {
            let (before, after) =
                (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
            let disk = Disk::under(before.path(), n);
            let options = options(before.path());
            disk.fail_at(kind, n);
            let opened = Writer::open(&options, &[testing::MIGRATIONS]);
            if !disk.has_failed() {
                assert!(opened.is_ok() && n > 3, "{n} calls of {kind:?}");
                break;
            }
            let is_open = opened.is_ok();
            drop(opened);
            let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
            writer.batch(vec![thing(1)]).expect("a sound disk");
            disk.cut_now();
            disk.restore(after.path());
            assert!(!is_open, "{kind:?} {n} failed, and nobody said so");
            assert_eq!(survivors(after.path()), [1], "{kind:?} {n}");
        }
    }
}

/// A sync that failed may leave what it was for in the page cache alone. Who starts again reads it from there, and would
/// build upon it: what is acknowledged from then on must not hang on what the disk never had.
#[test]
fn what_a_failed_disk_did_not_keep_is_not_built_upon() {
    for kind in [Kind::Sync, Kind::Write] {
        for n in 1.. {
            let (before, after) =
                (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
            let disk = Disk::under(before.path(), n);
            let options = options(before.path());
            let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
            disk.fail_at(kind, n);
            let end = life(&mut writer, &mut Vec::new());
            drop(writer);
            if !disk.has_failed() {
                assert!(end.is_ok() && n > 10, "{n} calls of {kind:?}");
                break;
            }
            // The process starts again, on the same machine.
            let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
            let mut reader = Reader::open(&options).expect("it opens");
            for id in 900..903 {
                writer.batch(vec![thing(id)]).expect("a sound disk");
            }
            let there = reader.read(look).expect("it reads");
            disk.cut_now();
            disk.restore(after.path());
            assert_eq!(survivors(after.path()), there, "{kind:?} {n}");
        }
    }
}

/// And what the page cache alone has, it may let go of while the next start reads.
#[test]
fn what_the_page_cache_lets_go_of_is_not_built_upon() {
    for n in 1.. {
        let (before, after) =
            (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
        let disk = Disk::under(before.path(), n);
        let options = options(before.path());
        let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
        writer.batch(vec![thing(1)]).expect("a sound disk");
        disk.fail_at(Kind::Sync, 1);
        assert!(writer.batch(vec![thing(2)]).is_err());
        drop(writer);
        disk.forget_at(n);
        let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
        if disk.will_forget() {
            assert!(n > 20, "{n} reads");
            break;
        }
        let mut reader = Reader::open(&options).expect("it opens");
        writer.batch(vec![thing(3)]).expect("a sound disk");
        let there = reader.read(look).expect("it reads");
        assert!(there.contains(&1) && there.contains(&3), "read {n}: {there:?}");
        disk.cut_now();
        disk.restore(after.path());
        assert_eq!(survivors(after.path()), there, "read {n}");
    }
}

/// Who reads meanwhile keeps SQLite's index of the WAL, and in it what a checkpoint copied without a sync.
#[test]
fn what_was_copied_is_copied_again_though_somebody_reads() {
    let (before, after) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    let disk = Disk::under(before.path(), 1);
    let options = options(before.path());
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    let mut reader = Reader::open(&options).expect("it opens");
    writer.batch((1..20).map(thing).collect()).expect("a sound disk");
    let part = reader.read(|_| {
        writer.batch(vec![thing(20)]).expect("a sound disk");
        writer.checkpoint().expect("a sound disk")
    });
    let part = part.expect("it reads");
    assert!(0 < part.copied && part.copied < part.pages, "{part:?}");
    // The first sync is that of the WAL.
    disk.fail_at(Kind::Sync, 2);
    assert!(writer.checkpoint().is_err());
    drop(writer);

    let in_use = Writer::open(&options, &[testing::MIGRATIONS]).err();
    assert!(matches!(in_use, Some(OpenError::InUse(_))), "{in_use:?}");
    drop(reader);
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    writer.checkpoint().expect("a sound disk");
    // The WAL starts anew.
    writer.batch(vec![thing(21)]).expect("a sound disk");
    disk.cut_now();
    disk.restore(after.path());
    assert_eq!(survivors(after.path()), (1..22).collect::<Vec<i64>>());
}

/// A process may be killed between a write of the WAL and its sync: what the next one shows of that is there for good.
#[test]
fn what_a_start_finds_is_durable_before_it_is_shown() {
    for seed in 0..8 {
        let (before, after) =
            (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
        let disk = Disk::under(before.path(), seed);
        let mut options = options(before.path());
        drop(Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens"));
        options.testing.synchronous_normal = true;
        let mut killed = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
        killed.batch((1..9).map(thing).collect()).expect("a sound disk");
        // A killed process closes nothing, and holds its lock no more.
        std::mem::forget(killed);
        std::fs::remove_file(before.path().join("db.lock")).expect("it was held");
        options.testing.synchronous_normal = false;
        let _writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
        let shown = Reader::open(&options).expect("it opens").read(look).expect("it reads");
        assert_eq!(shown.len(), 8);
        disk.cut_now();
        disk.restore(after.path());
        assert_eq!(survivors(after.path()), shown, "seed {seed}");
    }
}

#[test]
fn a_store_stops_and_says_so_when_a_sync_fails() {
    let folder = tempfile::tempdir().expect("room");
    let disk = Disk::under(folder.path(), 1);
    let (told, hears) = mpsc::channel();
    let (publish, published) = mpsc::channel();
    let mut options = options(folder.path());
    options.fatal = Box::new(move |cause| told.send(cause).expect("somebody listens"));
    let store: Store<i64, usize> = Store::open(options, &[testing::MIGRATIONS], move |batch| {
        let _ = publish.send(batch);
    })
    .expect("it opens");
    let deadline = Duration::from_secs(20);
    assert!(store.write(thing(1)).is_ok());
    assert_eq!(published.recv_timeout(deadline).expect("it is published").head, 1);
    disk.fail_at(Kind::Sync, 1);
    assert!(store.write(thing(2)).is_ok());
    let cause = hears.recv_timeout(deadline).expect("the process is told");
    assert!(cause.contains("COMMIT"), "{cause}");
    assert!(published.recv_timeout(deadline).is_err(), "the publisher is gone, with nothing said");
    assert!(store.write(thing(3)).is_err(), "a stopped store hands writes back");
    assert_eq!(store.fatal(), Some(Fatal(cause.clone())));
    assert_eq!(store.close(), Err(Fatal(cause)));
}

#[test]
fn a_damaged_database_is_not_opened_after_a_failed_disk() {
    let folder = tempfile::tempdir().expect("room");
    let options = Options::new(folder.path().join("db"), "epoch", 0);
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    writer.batch((1..200).map(thing).collect()).expect("a sound disk");
    writer.close().expect("a sound disk");
    let marker = folder.path().join("db.needs-check");
    let mut bytes = std::fs::read(&options.path).expect("it is there");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    std::fs::write(&options.path, bytes).expect("room");
    std::fs::write(&marker, "").expect("room");
    let Err(OpenError::Damaged(sentence)) = Writer::open(&options, &[testing::MIGRATIONS]) else {
        panic!("it is damaged")
    };
    assert!(sentence.ends_with("restore a backup."), "{sentence}");
    assert!(marker.exists());
}

/// Whether there is a marker must be known. Here its name is too long; a disk may also fail to say.
#[test]
fn without_a_place_for_the_marker_nothing_is_opened() {
    let folder = tempfile::tempdir().expect("room");
    let path = folder.path().join("d".repeat(247));
    let opened = Writer::open(&Options::new(path, "epoch", 0), &[testing::MIGRATIONS]);
    let Err(OpenError::Other(sentence)) = opened else { panic!("it could not be marked") };
    assert!(sentence.starts_with("The marker beside"), "{sentence}");
}

#[test]
fn a_full_disk_refuses_writes_alone_and_only_while_it_is_full() {
    without_room(false);
}

#[test]
fn a_quota_that_is_used_up_is_a_full_disk() {
    without_room(true);
}

fn without_room(has_quota: bool) {
    let folder = tempfile::tempdir().expect("room");
    let disk = Disk::under(folder.path(), 1);
    if has_quota {
        disk.has_quota();
    }
    let options = options(folder.path());
    let mut writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    let mut reader = Reader::open(&options).expect("it opens");
    writer.batch(vec![thing(1)]).expect("a sound disk");
    for round in 0..3 {
        disk.fill(true);
        let first = 10 + round * 10;
        let batch = writer.batch((first..first + 3).map(thing).collect()).expect("a sound disk");
        assert_eq!(batch.answers.len(), 3);
        for answer in &batch.answers {
            let fault = answer.result.as_ref().expect_err("there is no room");
            assert_eq!(fault.code, Code::Full);
        }
        assert_eq!(batch.incidents.len(), 3);
        let before: Vec<i64> = std::iter::once(1).chain((0..round).map(|r| 15 + r * 10)).collect();
        assert_eq!(reader.read(look), Ok(before), "reads go on");
        // A command that writes nothing is answered; so is a checkpoint that finds no room.
        let batch =
            writer.batch(vec![testing::write(0, 0, |tx| Ok(Outcome::reply(tx.head()? as i64)))]);
        let batch = batch.expect("a sound disk");
        assert_eq!(batch.answers[0].result.as_ref().map(|c| *c.reply()), Ok(1 + round));
        writer.checkpoint().expect("want of room is not the end");
        disk.fill(false);
        let batch = writer.batch(vec![thing(first + 5)]).expect("a sound disk");
        assert_eq!(batch.head, round as u64 + 2, "writing resumes, and no offset was lost");
    }
}
