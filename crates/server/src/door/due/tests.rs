//! What runs, when, how often and in which order: the door, its store and its threads, with a service made for it.

use std::{cell::Cell, collections::BTreeMap, future::Future, sync::mpsc, thread, time::Duration};

use bellwire_services::kit::{Event, Overflow, Service, Variant};
use bellwire_store::log;
use serde_json::value::to_raw_value;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
    time::timeout,
};

use super::*;
use crate::{
    app::Core,
    door::{Guests, Tables},
    metrics::Metrics,
    timers,
};

/// How long anything may take. Far above what it takes.
const DEADLINE: Duration = Duration::from_secs(60);
const MINUTE: Micros = 60_000_000;
/// A time that no clock will tell.
const NEVER: Micros = Micros::MAX;

const TELL: &str = "tests.tell";
const AGAIN: &str = "tests.again";
const SLOW: &str = "tests.slow";
const REFUSE: &str = "tests.refuse";
const PANIC: &str = "tests.panic";
const FULL: &str = "tests.full";
const LATE: &str = "tests.late";

fn service() -> Service {
    Service::new("tests", &[], &[])
        .due(TELL, tell)
        .due(AGAIN, again)
        .due(SLOW, slow)
        .due(REFUSE, refuse)
        .due(PANIC, |_, _, key| panic!("{key} panics"))
        .due(FULL, |_, _, _| Err(Fault::new(Code::Full, "full")))
        .due(LATE, |_, _, _| Err(Fault::new(Code::Timeout, "it took too long")))
}

/// Says when it ran.
fn tell(_: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    assert_eq!(ctx.principal, &Principal::system());
    let payload = to_raw_value(&ctx.now).expect("a number serialises");
    let variants = vec![Variant { topics: vec!["tests".into()], payload }];
    let event = Event {
        name: "tick".into(),
        key: key.to_owned(),
        except: Vec::new(),
        variants,
        overflow: Overflow::Close,
    };
    Ok(Outcome::reply(()).event(event))
}

fn again(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    due::arm(tx, AGAIN, key, ctx.now + MINUTE)?;
    tell(tx, ctx, key)
}

#[expect(clippy::disallowed_methods, reason = "a decision that is slow on purpose")]
fn slow(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    thread::sleep(Duration::from_millis(3));
    tell(tx, ctx, key)
}

/// What it does before that is undone.
fn refuse(tx: &mut Tx<'_>, _: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    due::arm(tx, TELL, key, 0)?;
    Err(Fault::new(Code::Conflict, "refused"))
}

struct House {
    core: Core,
    runtime: Runtime,
    folder: TempDir,
}

impl House {
    fn new() -> House {
        House::at(tempfile::tempdir().expect("a directory can be made"))
    }

    fn at(folder: TempDir) -> House {
        let runtime = Builder::new_current_thread().enable_all().build().expect("it can be made");
        let core = Core::open(folder.path(), Guests::Everywhere, Settings::default(), Vec::new());
        let mut core = core.expect("it opens");
        let door = Arc::get_mut(&mut core.door).expect("nobody else has it");
        let services = bellwire_services::all().into_iter().chain([service()]);
        door.tables = Arc::new(Tables::of(services.collect()));
        House { core, runtime, folder }
    }

    /// The process ends, and another begins.
    fn restarted(self) -> House {
        self.core.close().expect("it closes");
        House::at(self.folder)
    }

    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        let ended = self.runtime.block_on(async { timeout(DEADLINE, what).await });
        ended.expect("it takes too long")
    }

    /// Again if it takes too long: a write has 250 ms, and the machine may be busy with other things.
    fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> T {
        let work = Arc::new(work);
        loop {
            let work = work.clone();
            match self.wait(self.core.door.maintain(move |tx, _| work(tx))) {
                Err(fault) if fault.code == Code::Timeout => {}
                done => return done.expect("it is done"),
            }
        }
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        self.wait(self.core.door.look(read)).expect("it is done")
    }

    /// Keeps the writer busy with this until what is returned is dropped.
    fn hold(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<(), Fault> + Send + 'static,
    ) -> mpsc::Sender<()> {
        let [(release, released), (enter, entered)] = [(); 2].map(|()| mpsc::channel());
        let held = move |tx: &mut Tx<'_>, _| {
            let _ = enter.send(());
            let _ = released.recv();
            work(tx)
        };
        self.core.door.write_own(held, |_| ());
        entered.recv().expect("the writer runs it");
        release
    }

    fn arm(&self, kind: &'static str, key: &'static str, at: Micros) {
        self.write(move |tx| due::arm(tx, kind, key, at));
    }

    fn armed(&self, kind: &'static str, key: &'static str) -> Option<Micros> {
        self.read(move |tx| due::armed(tx, kind, key))
    }

    fn run(&self, now: Micros, rows_max: usize) -> DueRun {
        self.wait(self.core.door.run_due(now, rows_max, u64::MAX)).expect("the store is sound")
    }

    /// What was told, in order: `a@7`.
    fn told(&self) -> Vec<String> {
        let rows = self.read(|tx| log::tail(tx, 100_000, u64::MAX));
        let told = rows.into_iter().filter_map(|row| row.event);
        told.map(|event| format!("{}@{}", event.key, event.variants[0].payload.get())).collect()
    }

    /// How many of this kind are armed.
    fn left(&self, kind: &'static str) -> usize {
        self.read(move |tx| due::next(tx, [kind], NEVER, usize::MAX)).len()
    }
}

fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

/// Waits until so many writes wait for the writer.
async fn queued(door: &Door, count: usize) {
    while door.store.write_queue_len() < count {
        yield_now().await;
    }
}

#[test]
fn what_is_due_runs_by_its_time_and_nothing_before() {
    let house = House::new();
    for (kind, key, at) in
        [(TELL, "c", 30), (AGAIN, "b", 20), (TELL, "e", 50), (TELL, "a", 10), (AGAIN, "d", 40)]
    {
        house.arm(kind, key, at);
    }
    let run = house.run(9, 100);
    assert_eq!((run.done.len(), run.late, run.next), (0, 0, Some(10)));
    let run = house.run(10, 100);
    assert_eq!((keys(&run.done), run.late, run.next), (vec!["a"], 0, Some(10)));
    let run = house.run(45, 2);
    assert_eq!((keys(&run.done), run.late, run.next), (vec!["b", "c"], 25, Some(45)));
    let run = house.run(46, 2);
    assert_eq!((keys(&run.done), run.late, run.next), (vec!["d"], 6, Some(46)));
    assert_eq!(house.run(46, 2).next, Some(50));
    assert_eq!(house.run(NEVER - MINUTE, 9).done.len(), 3, "two were armed again");
    assert_eq!(house.told()[..4], ["a@10", "b@45", "c@45", "d@46"]);
    assert!(house.run(0, 9).next.is_some(), "time may be earlier, and nothing runs");
}

#[test]
fn a_row_that_was_moved_or_taken_back_while_it_waited_does_not_run() {
    let house = House::new();
    for key in ["moved", "gone", "same"] {
        house.arm(TELL, key, 1);
    }
    let door = &house.core.door;
    let release = house.hold(|tx| {
        due::arm(tx, TELL, "moved", 8)?;
        due::disarm(tx, TELL, "gone")
    });
    let run = house.wait(async {
        let queued = async {
            queued(door, 3).await;
            drop(release);
        };
        tokio::join!(door.run_due(7, 100, u64::MAX), queued).0.expect("the store is sound")
    });
    assert_eq!((keys(&run.done), run.failed.len()), (vec!["same"], 0));
    assert_eq!(house.told(), ["same@7"]);
    assert_eq!((house.armed(TELL, "moved"), house.armed(TELL, "gone")), (Some(8), None));
}

#[test]
fn two_who_run_what_is_due_run_it_once() {
    let house = House::new();
    house.write(|tx| (0..500).try_for_each(|n| due::arm(tx, TELL, &n.to_string(), n)));
    let door = &house.core.door;
    let all = || async {
        let mut done = 0;
        while let Ok(DueRun { done: rows, next: Some(_), .. }) = door.run_due(NEVER, 40, 5).await {
            done += rows.len();
        }
        done
    };
    let (one, two) = house.wait(async { tokio::join!(all(), all()) });
    assert_eq!(one + two, 500);
    let mut told = house.told();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 500);
}

#[test]
fn a_row_that_fails_is_undone_put_off_and_in_nobodys_way() {
    let house = House::new();
    for (kind, key) in [(REFUSE, "a"), (TELL, "b"), (PANIC, "c"), (TELL, "d")] {
        house.arm(kind, key, 1);
    }
    let run = house.run(100, 9);
    assert_eq!(keys(&run.done), ["b", "d"]);
    let failed: BTreeMap<_, _> =
        run.failed.iter().map(|(row, fault)| (row.key.as_str(), fault.code)).collect();
    assert_eq!(failed, BTreeMap::from([("a", Code::Conflict), ("c", Code::Internal)]));
    assert_eq!(house.armed(TELL, "a"), None, "what it did before it failed is undone");
    let put_off = Some(100 + PUT_OFF_MICROS);
    assert_eq!((house.armed(REFUSE, "a"), house.armed(PANIC, "c")), (put_off, put_off));
    assert_eq!(house.run(101, 9).next, put_off);
    assert_eq!(house.run(100 + PUT_OFF_MICROS, 9).failed.len(), 2, "they are tried again");
    assert_eq!(house.told().len(), 2);
}

/// Its time has come, and others were in its way, perhaps.
#[test]
fn what_took_too_long_is_tried_again_soon() {
    let house = House::new();
    house.arm(LATE, "a", 1);
    house.arm(TELL, "b", 2);
    let run = house.run(100, 9);
    assert_eq!((run.failed.len(), keys(&run.done)), (1, vec!["b"]));
    assert_eq!(house.armed(LATE, "a"), Some(100 + PUT_OFF_SOON_MICROS));
}

#[test]
fn what_cannot_be_written_stays_due() {
    let house = House::new();
    house.arm(FULL, "a", 1);
    house.arm(TELL, "b", 2);
    let run = house.run(100, 9);
    assert_eq!((keys(&run.done), run.failed.len()), (vec!["b"], 0));
    assert_eq!(run.held.map(|fault| fault.code), Some(Code::Full));
    assert_eq!(house.armed(FULL, "a"), Some(1));
    house.write(|tx| due::disarm(tx, FULL, "a"));

    // No room before the writer.
    house.arm(TELL, "c", 3);
    let door = &house.core.door;
    let release = house.hold(|_| Ok(()));
    let fill = || door.store.write(own(0, |_| Ok(Outcome::reply(())), |_| ()));
    while fill().is_ok() {}
    let run = house.run(100, 9);
    assert_eq!(run.held.map(|fault| fault.code), Some(Code::Overloaded));
    drop(release);
    house.wait(async {
        while door.store.write_queue_len() > 0 {
            yield_now().await;
        }
    });
    assert_eq!(house.armed(TELL, "c"), Some(3));
    assert_eq!(keys(&house.run(100, 9).done), ["c"]);
}

#[test]
fn what_came_due_while_nothing_ran_runs_after_a_start_the_oldest_first() {
    let house = House::new();
    for (kind, key, at) in [(TELL, "new", 3), (AGAIN, "old", 1), (TELL, "later", NEVER)] {
        house.arm(kind, key, at);
    }
    house.write(|tx| due::arm(tx, "deleted.kind", "x", 1));
    let house = house.restarted();
    assert_eq!(house.wait(house.core.door.unknown_due()), Ok(vec!["deleted.kind".to_owned()]));
    assert_eq!(keys(&house.run(9, 9).done), ["old", "new"]);
    let house = house.restarted();
    assert_eq!(house.run(9, 9).done, []);
    assert_eq!(house.told(), ["old@9", "new@9"]);
    let left = house.read(|tx| due::next(tx, ["deleted.kind"], 9, 9));
    assert_eq!(keys(&left), ["x"], "what nobody knows is left alone");
}

/// Each command of another caller sees how much was run since its last one.
#[test]
fn ten_thousand_that_are_overdue_do_not_stall_others() {
    const ROWS: i64 = 10_000;
    let house = House::new();
    for from in (0..ROWS).step_by(100) {
        let arm = move |tx: &mut Tx<'_>| {
            (from..from + 100).try_for_each(|n| due::arm(tx, TELL, &n.to_string(), n))
        };
        house.write(arm);
    }
    let door = &house.core.door;
    let (done, groups, late) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let running = async {
        while done.get() + late.get() < ROWS as usize {
            let run = door.run_due(ROWS, 100, 5).await.expect("it is done");
            assert!(run.done.len() <= 100 && run.held.is_none());
            // The machine may be too busy for one.
            assert!(run.failed.iter().all(|(_, fault)| fault.code == Code::Timeout));
            late.set(late.get() + run.failed.len());
            done.set(done.get() + run.done.len());
            groups.set(groups.get() + 1);
        }
    };
    let other = async {
        let (mut before, mut waits_ms, mut most) = (0, Vec::new(), 0);
        while done.get() + late.get() < ROWS as usize {
            let asked_ms = door.clock.elapsed_ms();
            let head = door.maintain(|tx, _| tx.head()).await.unwrap_or(before);
            waits_ms.push(door.clock.elapsed_ms() - asked_ms);
            most = most.max(head - before);
            before = head;
        }
        waits_ms.sort_unstable();
        (most, waits_ms[waits_ms.len() / 2])
    };
    let ((), (most, usual_ms)) = house.wait(async { tokio::join!(running, other) });
    assert!(groups.get() > 100, "{} groups", groups.get());
    assert!(most <= 300, "{most} rows went before a command of somebody else");
    assert!(usual_ms < 200, "half of the others waited {usual_ms} ms");
    assert_eq!((house.left(TELL), house.told().len()), (late.get(), done.get()));
}

#[test]
fn slow_ones_make_way_for_others() {
    let house = House::new();
    house.write(|tx| (0..12).try_for_each(|n| due::arm(tx, SLOW, &n.to_string(), n)));
    let mut runs = Vec::new();
    while house.left(SLOW) > 0 {
        let run = house.wait(house.core.door.run_due(100, 100, 5)).expect("the store is sound");
        runs.push(run.done.len());
        assert_eq!(run.next, Some(100));
    }
    assert!(runs.iter().all(|done| (1..=3).contains(done)), "{runs:?}");
}

/// The task itself, on the server's clock.
#[test]
fn a_server_runs_what_is_due_at_its_time() {
    let house = House::new();
    let door = house.core.door.clone();
    let start = door.clock.now();
    let dues = [("past", start - MINUTE), ("soon", start + 50_000), ("next", start + 400_000)];
    for (key, at) in dues {
        house.arm(TELL, key, at);
    }
    house.arm(REFUSE, "x", start);
    house.arm(TELL, "never", start + 60 * MINUTE);
    let metrics = Arc::new(Metrics::new());
    let task = house.runtime.spawn(timers::run(door.clone(), metrics.clone()));
    // It counts what ran, and then waits.
    let counted = |row: &str| metrics.render().contains(&format!("\n{row}\n"));
    house.wait(async {
        while !(counted("bellwire_due_run_total 3") && counted("bellwire_due_failed_total 1")) {
            yield_now().await;
        }
    });
    task.abort();
    let told = house.told();
    for (told, (key, at)) in told.iter().zip(dues) {
        let ran: Micros = told.strip_prefix(&format!("{key}@")).expect(told).parse().expect(told);
        assert!(ran >= at, "{told} is before {at}");
        assert!(key == "past" || ran - at < 2_000_000, "{told} is {} us late", ran - at);
    }
    assert_eq!(told.len(), 3);
    assert_eq!(house.armed(TELL, "never"), Some(start + 60 * MINUTE));
}
