//! People come and go, talk, leave and come back, by chance, over real connections, against a [model](model) that says
//! who is told what: whatever is told is expected, and whatever is expected is told, in order, once.
//!
//! A run is a seed; one that fails prints its own. `BELLWIRE_TEST_PEOPLE_SEED=17` runs that alone, `0..500` so many.

mod model;
mod script;

use std::{panic, thread};

use self::script::Script;
use super::House;
use crate::harness::{Chance, seeds};

/// How many seeds there are, and how many steps each has.
const SEEDS: u64 = 18;
const STEPS: usize = 60;
/// How many runs there are over crashes, and how many crashes each has.
const CRASHED: u64 = 2;
const CRASHES: usize = 3;
/// How many of the seeds run side by side.
const BESIDE: u64 = 3;
/// Names other seeds.
const SEED: &str = "BELLWIRE_TEST_PEOPLE_SEED";

/// Runs what is to say its seed when it fails.
fn told_when_it_fails<T>(seed: u64, run: impl FnOnce() -> T) -> T {
    panic::catch_unwind(panic::AssertUnwindSafe(run)).unwrap_or_else(|why| {
        eprintln!("run it again with {SEED}={seed}");
        panic::resume_unwind(why)
    })
}

#[test]
fn whatever_happens_everybody_hears_what_is_theirs() {
    let house = House::new();
    let run = |seed| {
        let mut script = Script::new(&house, Chance(seed));
        (0..STEPS).for_each(|_| script.step(&house));
        script.check();
        script.heard
    };
    let runs = |from: u64| -> usize {
        let seeds = seeds(SEED, 0..SEEDS).skip(from as usize).step_by(BESIDE as usize);
        seeds.map(|seed| told_when_it_fails(seed, || run(seed))).sum()
    };
    let heard: usize = thread::scope(|scope| {
        let all: Vec<_> = (0..BESIDE).map(|from| scope.spawn(move || runs(from))).collect();
        all.into_iter().map(|runs| runs.join().expect("all goes as it should")).sum()
    });
    let least = seeds(SEED, 0..SEEDS).count() * STEPS / 2;
    assert!(heard > least, "only {heard} events");
}

/// The same over crashes: who comes back into its rooms has missed nothing, and is in no others.
#[test]
fn whatever_happens_and_over_crashes() {
    for seed in seeds(SEED, 0..CRASHED) {
        told_when_it_fails(seed, || {
            let mut house = House::new();
            let mut script = Script::new(&house, Chance(seed + SEEDS));
            for _ in 0..CRASHES {
                (0..STEPS / CRASHES).for_each(|_| script.step(&house));
                script.all_go();
                house = house.killed();
            }
            (0..STEPS / CRASHES).for_each(|_| script.step(&house));
            script.check();
        });
    }
}
