//! Promises 1 and 2 on a disk that fails, for all services together.
//!
//! A seeded sequence of commands of all services goes through the store's [`Writer`](bellwire_store::sqlite::Writer),
//! in batches, with what is due, what is forgotten in time, and checkpoints between; below it is the disk of the
//! store's own tests (`vfs`). After each batch the whole content is known as a digest of every table. Then:
//!
//! - **the power goes** (`cuts`): before and after each sync and at some of the writes. What is left is whole, is opened as the
//!   server does it, and holds exactly what it held after the last batch that was acknowledged, or after the one that was under
//!   way;
//! - **a write or a sync fails** (`failures`): each one, from the first to the last. Nothing is acknowledged that is not
//!   there, nothing is tried again, the next start checks, and what it builds upon the disk has;
//! - **there is no room** (`full`): what is refused has no effect, all else has its own, reads go on, nothing that is due is
//!   lost, and with room writing goes on;
//! - the same for a **server with its threads and tasks** (`tasks`), which starts without room.
//!
//! ```text
//! BELLWIRE_TEST_DISK_SEED=17 cargo nextest run -p bellwire --lib simulation::disk       one seed
//! BELLWIRE_TEST_DISK_SEED=0..200 cargo nextest run -p bellwire --lib simulation::disk   many
//! ```

mod content;
mod cuts;
mod failures;
mod full;
mod house;
mod tasks;
#[path = "../../../../store/tests/it/vfs.rs"]
mod vfs;
mod work;

use std::{collections::BTreeMap, ops::Range, path::Path};

use bellwire_store::sqlite::Testing;

/// How the store of a server is opened: by the disk that is under its data directory, if one is.
pub fn testing(data: &Path) -> Testing {
    Testing { vfs: vfs::is_under(data).then_some(vfs::NAME), ..Testing::default() }
}

/// The seeds that the environment names, one (`17`) or several (`0..500`); otherwise the usual ones.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(SEED) else { return usual };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{SEED}: {text}"));
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

/// The variable with other seeds.
const SEED: &str = "BELLWIRE_TEST_DISK_SEED";

/// How often what was done succeeded, by name.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// All of these have to have been done, or the usual seeds prove little.
    fn expect(&self, names: &[&str]) {
        let missing: Vec<_> = names.iter().filter(|name| !self.0.contains_key(**name)).collect();
        let usual = std::env::var(SEED).is_err();
        assert!(!usual || missing.is_empty(), "{missing:?} never succeeded");
    }
}
