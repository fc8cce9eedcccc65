//! The store with its threads: order, bounds, closing, and who may open it.

use std::{
    path::Path,
    sync::{Arc, Barrier, Mutex, mpsc},
    time::Duration,
};

use bellwire_store::{
    change::Outcome,
    sqlite::{OpenError, Options, Store, Write, Writer},
    testing::{self, event},
    tx::Value,
};

bellwire_store::statements! {
    /// One thing.
    INSERT = "INSERT INTO things (thing_id) VALUES ($1)";
}

const DEADLINE: Duration = Duration::from_secs(20);

fn options(folder: &Path) -> Options {
    Options::new(folder.join("db"), "epoch", 0)
}

fn thing(id: i64) -> Write<i64, usize> {
    testing::write(id as usize, id, move |tx| {
        tx.execute(INSERT, &[Value::Integer(id)])?;
        Ok(Outcome::reply(id).event(event("thing", &id.to_string(), &["things"], "1")))
    })
}

#[test]
fn batches_are_published_in_the_order_of_the_log() {
    let folder = tempfile::tempdir().expect("room");
    let published = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&published);
    let store = Store::open(options(folder.path()), &[testing::MIGRATIONS], move |batch| {
        keep.lock().expect("sound").push(batch);
    });
    let store: Store<i64, usize> = store.expect("it opens");
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for i in 0..100 {
                    assert!(store.write(thing(writer * 1_000 + i)).is_ok());
                }
            });
        }
    });
    store.close().expect("a sound disk");
    let published = published.lock().expect("sound");
    let (mut offset, mut last) = (0, [-1; 8]);
    for batch in published.iter() {
        for answer in &batch.answers {
            let committed = answer.result.as_ref().expect("it is committed");
            let (writer, i) = (*committed.reply() / 1_000, *committed.reply() % 1_000);
            assert_eq!(answer.to as i64, *committed.reply());
            assert_eq!(committed.logged()[0].offset, offset + 1);
            offset += 1;
            assert_eq!(i, last[writer as usize] + 1, "one caller's writes keep their order");
            last[writer as usize] = i;
        }
        assert_eq!(batch.head, offset);
        assert!(batch.stats.rows >= 2 * batch.answers.len() as u64);
    }
    assert_eq!(offset, 800, "closing answers what was queued");
    assert!(published.len() < 800, "many share a commit");
    let options = options(folder.path());
    let wal = folder.path().join("db-wal");
    assert_eq!(std::fs::metadata(wal).map_or(0, |data| data.len()), 0, "all of it is copied back");
    let writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    assert_eq!(writer.log_stats().head, 800);
}

#[test]
fn a_read_does_not_wait_for_replays() {
    let folder = tempfile::tempdir().expect("room");
    let mut options = options(folder.path());
    (options.readers, options.replay_queue_max) = (1, 100);
    let store: Store<i64, usize> =
        Store::open(options, &[testing::MIGRATIONS], |_| {}).expect("it opens");
    let (leave, left) = mpsc::channel::<()>();
    let (enter, entered) = mpsc::channel();
    let held = move |_: Result<&bellwire_store::tx::ReadTx<'_>, _>| {
        enter.send(()).expect("somebody listens");
        let _ = left.recv();
    };
    assert!(store.replay(Box::new(held)).is_ok());
    entered.recv_timeout(DEADLINE).expect("the replay runs");
    let (done, ends) = mpsc::channel();
    for number in 0..100 {
        let done = done.clone();
        let tell = move || done.send(number).expect("somebody listens");
        assert!(store.replay(Box::new(move |_| tell())).is_ok());
    }
    assert_eq!(store.replay_queue_len(), 100);
    assert!(store.replay(Box::new(|_| {})).is_err(), "the queue is full");
    let tell = move || done.send(1_000).expect("somebody listens");
    assert!(store.read(Box::new(move |_| tell())).is_ok());
    assert_eq!(ends.recv_timeout(DEADLINE), Ok(1_000), "the read is first");
    drop(leave);
    for number in 0..100 {
        assert_eq!(ends.recv_timeout(DEADLINE), Ok(number));
    }
    store.close().expect("a sound disk");
}

#[test]
fn full_queues_hand_back() {
    let folder = tempfile::tempdir().expect("room");
    let (answered, answers) = mpsc::channel();
    let (hold, held) = mpsc::channel::<()>();
    let mut options = options(folder.path());
    (options.write_queue_max, options.read_queue_max, options.readers) = (3, 2, 1);
    let store = Store::open(options, &[testing::MIGRATIONS], move |batch| {
        for answer in batch.answers {
            answered.send(answer.to).expect("somebody listens");
        }
        // The writer's thread stands still until the test lets it go on.
        let _ = held.recv();
    });
    let store: Store<i64, usize> = store.expect("it opens");
    assert!(store.write(thing(1)).is_ok());
    assert_eq!(answers.recv_timeout(DEADLINE), Ok(1));
    for id in 2..=4 {
        assert!(store.write(thing(id)).is_ok());
    }
    assert_eq!(store.write_queue_len(), 3);
    let back = store.write(thing(5)).expect_err("the queue is full");
    assert_eq!(back.to, 5);

    let (enter, entered) = mpsc::channel::<()>();
    let (leave, left) = mpsc::channel::<()>();
    let waits = move |tx: Result<&bellwire_store::tx::ReadTx<'_>, _>| {
        assert_eq!(tx.expect("it begins").head(), Ok(1));
        enter.send(()).expect("somebody listens");
        let _ = left.recv();
    };
    assert!(store.read(Box::new(waits)).is_ok());
    entered.recv_timeout(DEADLINE).expect("the read runs");
    let (saw, seen) = mpsc::channel();
    for _ in 0..2 {
        let saw = saw.clone();
        assert!(
            store
                .read(Box::new(move |tx| {
                    saw.send(tx.expect("it begins").head()).expect("somebody listens");
                }))
                .is_ok()
        );
    }
    assert_eq!(store.read_queue_len(), 2);
    assert!(store.read(Box::new(|_| {})).is_err(), "the queue is full");
    drop((leave, hold));
    for _ in 0..2 {
        assert!(seen.recv_timeout(DEADLINE).expect("what was queued runs").is_ok());
    }
    store.close().expect("a sound disk");
    assert_eq!(answers.iter().collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_batch_ends_at_its_rows() {
    let folder = tempfile::tempdir().expect("room");
    let (sizes, size) = mpsc::channel();
    let (hold, held) = mpsc::channel::<()>();
    let mut options = options(folder.path());
    (options.batch_rows_max, options.batch_time_max) = (10, DEADLINE);
    let store = Store::open(options, &[testing::MIGRATIONS], move |batch| {
        sizes.send(batch.answers.len()).expect("somebody listens");
        let _ = held.recv();
    });
    let store: Store<i64, usize> = store.expect("it opens");
    assert!(store.write(thing(1)).is_ok());
    assert_eq!(size.recv_timeout(DEADLINE), Ok(1));
    for id in 2..=18 {
        assert!(store.write(thing(id)).is_ok());
    }
    drop(hold);
    store.close().expect("a sound disk");
    // Two rows each, so five commands fill a batch.
    assert_eq!(size.iter().collect::<Vec<_>>(), [5, 5, 5, 2]);
}

#[test]
fn a_panic_of_a_reader_or_the_publisher_is_told() {
    let folder = tempfile::tempdir().expect("room");
    let (told, hears) = mpsc::channel();
    let mut options = options(folder.path());
    let tell = told.clone();
    options.report = Arc::new(move |cause| tell.send(cause).expect("somebody listens"));
    options.fatal = Box::new(move |cause| told.send(cause).expect("somebody listens"));
    let store: Store<i64, usize> =
        Store::open(options, &[testing::MIGRATIONS], |_| panic!("a bug of the server"))
            .expect("it opens");
    for _ in 0..4 {
        assert!(store.read(Box::new(|_| panic!("a bug of a query"))).is_ok());
        let cause = hears.recv_timeout(DEADLINE).expect("it is told");
        assert_eq!(cause, "a read panicked: a bug of a query");
    }
    assert!(store.write(thing(1)).is_ok());
    let cause = hears.recv_timeout(DEADLINE).expect("it is told");
    assert_eq!(cause, "publishing panicked: a bug of the server");
    assert!(store.close().is_err());
}

#[test]
fn only_one_may_open_it() {
    let folder = tempfile::tempdir().expect("room");
    let first = Writer::open(&options(folder.path()), &[]).expect("it opens");
    let Err(OpenError::InUse(sentence)) = Writer::open(&options(folder.path()), &[]) else {
        panic!("it is in use")
    };
    assert!(sentence.ends_with("is in use by another process: stop that one first."));
    assert_eq!(other_process(folder.path()), "in use");
    drop(first);
    assert_eq!(other_process(folder.path()), "opened");
    Writer::open(&options(folder.path()), &[]).expect("the other process has ended");
}

/// Opens the database from another process: this test binary again, with one test.
fn other_process(folder: &Path) -> String {
    let out = std::process::Command::new(std::env::current_exe().expect("it runs"))
        .args(["--exact", "threads::other_process_opens", "--nocapture"])
        .env("BELLWIRE_TEST_OPEN", folder)
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout);
    let found = text.lines().find_map(|line| line.split_once("outcome: "));
    found.map_or_else(|| panic!("no outcome in: {text}"), |(_, outcome)| outcome.to_owned())
}

/// The other process of [`only_one_may_open_it`]; nothing by itself.
#[test]
fn other_process_opens() {
    let Some(folder) = std::env::var_os("BELLWIRE_TEST_OPEN") else { return };
    match Writer::open(&options(Path::new(&folder)), &[]) {
        Ok(_) => println!("outcome: opened"),
        Err(OpenError::InUse(_)) => println!("outcome: in use"),
        Err(error) => println!("outcome: {error}"),
    }
}
