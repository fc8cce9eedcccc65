//! Sessions, the sequencer's order, hubs, store and restarts, in virtual time, from a seed.
//!
//! What is real: the store's [`Writer`](bellwire_store::sqlite::Writer) and
//! [`Reader`](bellwire_store::sqlite::Reader) on a database of their own, the services' commands,
//! [`opening`](crate::opening), the [`Sequencer`](crate::sequencer::Sequencer), and a
//! [`Hub`](crate::hub::Hub) per shard. What is a model: the shard's glue (`shard`), the sockets
//! (`socket`) and the clients (`ear`). Everything that takes time in production is held back here
//! for as long as chance wants: a read runs at one time and comes back at another, batches reach
//! each hub late, sockets take a few bytes or none, clients go and come back with whatever cursor,
//! and at any moment memory is lost, also between COMMIT and publishing.
//!
//! The judge (`oracle`) knows the committed log, read by SQL, and from its effects who held which
//! topic from where to where. Each client checks what it hears against it:
//!
//! - **with a cursor**: exactly the rows that it was entitled to, each once, in order, over all its
//!   connections, but for what a `reset` or a snapshot announced;
//! - **without**: a part of the log in its order, each event that counts, and the newest value;
//! - **rights**: nothing that was not his when it was committed, and nothing whose right had ended
//!   before the hub handed it to the socket;
//! - **snapshots**: exactly the state at their place; with the events after them, the final state;
//! - **memory**: what waits for a socket is bounded; no frame is torn, none follows the last;
//! - **after a crash**: all that was committed is there, and nothing else.
//!
//! ```text
//! BELLWIRE_SIM_SEED=17 cargo nextest run -p bellwire --lib simulation::seeds      one seed
//! BELLWIRE_SIM_ROUNDS=2000 cargo nextest run -p bellwire --lib simulation::seeds  many, from 0
//! BELLWIRE_SIM_FROM=2000 cargo nextest run -p bellwire --lib simulation::seeds    the usual count, from there
//! ```
//!
//! A seed that fails is run again, with a trace of all that happened.
//!
//! A [`Mutant`] is a defect put in on purpose: the simulation has to find it.
//!
//! What the disk below may do is in `disk`, for all services and without sockets.

pub mod chance;
mod crash;
#[cfg(debug_assertions)]
pub mod disk;
mod ear;
mod node;
mod notes;
mod oracle;
mod shard;
pub mod socket;
mod steps;
mod world;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use shard::Tally;
use world::World;

/// A defect on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A batch is told, and then not committed.
    PublishBeforeCommit,
    /// An eviction between a read and its opening is not seen.
    EvictionIgnoredWhilePending,
    /// An eviction seen ahead of the rows is forgotten, so that a grant before it is taken in.
    LostForgotten,
    /// A session goes live one row too late.
    PlaceOffByOne,
    /// A live session is told what its opening already contained.
    FloorForgotten,
    /// A replay tells what was committed before the right to it.
    GrantTakenEarly,
    /// What waits for a socket stays there when the right to it ends.
    QueueKept,
    /// A session whose frames are dropped when a right ends is not closed, though another lets it hear them.
    DroppedSilently,
    /// A replay tells nothing by a right that was exchanged for another.
    EndedForgotten,
    /// `resumed` names the place after the rows that follow it.
    ResumedTooFar,
    /// A session that fell behind goes on behind rows that the log no longer holds.
    PrunedRowsForgotten,
    /// A reader with a cursor is coalesced.
    CursorCoalesced,
    /// A frame that is half out is taken out.
    FrameTorn,
    /// A reader that reads nothing is kept.
    SlowReaderKept,
}

thread_local! {
    /// The defect that is on. A simulation runs on one thread.
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether this defect is on.
pub fn is_mutant(mutant: Mutant) -> bool {
    MUTANT.get() == Some(mutant)
}

/// Runs a seed; a failure says what was wrong.
fn run(seed: u64, trace: bool) -> (Result<Tally, String>, Vec<String>) {
    let mut world = match World::new(seed, trace) {
        Ok(world) => world,
        Err(what) => return (Err(what), Vec::new()),
    };
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = match ran {
        Ok(Ok(())) => Ok(world.tally.clone()),
        Ok(Err(what)) => Err(what),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("a panic: {}", text.unwrap_or_default()))
        }
    };
    (result, world.trace.take().unwrap_or_default())
}

/// Runs a seed again, and shows the way to the failure.
fn show(seed: u64) -> ! {
    let (result, trace) = run(seed, true);
    trace.iter().for_each(|line| eprintln!("{line}"));
    let what = result.err().unwrap_or("not this time: it is not deterministic".to_owned());
    panic!(
        "seed {seed}: {what}\n\
         again: BELLWIRE_SIM_SEED={seed} cargo nextest run -p bellwire --lib simulation::seeds"
    );
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// As many as take about six seconds, unoptimised.
const ROUNDS: u64 = 120;
/// A defect has to be found within so many seeds.
const MUTANT_ROUNDS: u64 = 600;
/// What so many seeds have to reach, or they prove nothing.
const REACHED: &[&str] = &[
    "catch up",
    "crash before publish",
    "cut off",
    "events",
    "opened ahead",
    "opened behind",
    "pruned",
    "read refused",
    "reread",
    "resets",
    "revoked",
    "snapshots",
    "subscription refused",
];

#[test]
fn seeds() {
    if let Some(seed) = number("BELLWIRE_SIM_SEED") {
        match run(seed, false).0 {
            Ok(tally) => eprintln!("{tally:?}"),
            Err(_) => show(seed),
        }
        return;
    }
    let rounds = number("BELLWIRE_SIM_ROUNDS").unwrap_or(ROUNDS);
    let from = number("BELLWIRE_SIM_FROM").unwrap_or(0);
    let mut all = Tally::default();
    for seed in from..from + rounds {
        let (result, _) = run(seed, false);
        let Ok(tally) = result else { show(seed) };
        tally.0.into_iter().for_each(|(what, count)| all.add(what, count));
    }
    eprintln!("{all:?}");
    if rounds >= ROUNDS {
        let missing: Vec<_> = REACHED.iter().filter(|what| !all.0.contains_key(**what)).collect();
        assert!(missing.is_empty(), "{rounds} seeds never came to {missing:?}");
    }
}

#[test]
fn a_seed_repeats() {
    for seed in 0..6 {
        assert!(run(seed, true) == run(seed, true), "seed {seed} does not repeat");
    }
}

/// Looks for a defect from this seed on: that which found it last, as any other seed would do.
fn check(mutant: Mutant, first: u64) {
    MUTANT.set(Some(mutant));
    let mut seeds = first..first + MUTANT_ROUNDS;
    let found = seeds.find_map(|seed| Some((seed, run(seed, false).0.err()?)));
    let (seed, what) = found.unwrap_or_else(|| panic!("{mutant:?} is not found"));
    eprintln!("{mutant:?} by seed {seed}: {what}");
    MUTANT.set(None);
    assert_eq!(run(seed, false).0.err(), None, "seed {seed} fails without the mutant too");
}

macro_rules! mutants {
    ($($test:ident: $mutant:ident from $seed:literal,)+) => {
        $(#[test]
        fn $test() {
            check(Mutant::$mutant, $seed);
        })+
    };
}
mutants! {
    finds_publish_before_commit: PublishBeforeCommit from 0,
    finds_eviction_ignored_while_pending: EvictionIgnoredWhilePending from 2,
    finds_lost_forgotten: LostForgotten from 1,
    finds_place_off_by_one: PlaceOffByOne from 0,
    finds_floor_forgotten: FloorForgotten from 0,
    finds_grant_taken_early: GrantTakenEarly from 4,
    finds_queue_kept: QueueKept from 1,
    finds_dropped_silently: DroppedSilently from 0,
    finds_ended_forgotten: EndedForgotten from 0,
    finds_resumed_too_far: ResumedTooFar from 0,
    finds_pruned_rows_forgotten: PrunedRowsForgotten from 35,
    finds_cursor_coalesced: CursorCoalesced from 1,
    finds_frame_torn: FrameTorn from 1,
    finds_slow_reader_kept: SlowReaderKept from 4,
}
