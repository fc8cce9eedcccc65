//! Promises 1 and 2 on a disk that fails, for all services together.
//!
//! A seeded sequence of commands of all services goes through the store's [`Writer`](bellwire_store::sqlite::Writer),
//! in batches, with what is due, what is forgotten in time, and checkpoints between; below it is the disk of the
//! store's own tests (`vfs`). After each batch the whole content is known as a digest of every table (`content`).
//! Then:
//!
//! - **the power goes** (`cuts`): before and after each sync and at some of the writes. What is left is whole, is opened
//!   as the server does it, and holds exactly what it held after the last batch that was acknowledged, or after the
//!   one that was under way;
//! - **a write or a sync fails** (`failures`): each one, from the first to the last. Nothing is acknowledged that is not
//!   there, nothing is tried again, the next start checks, and what it builds upon the disk has;
//! - **there is no room** (`full`): what is refused has no effect, all else has its own, reads go on, nothing that is
//!   due is lost, and with room writing goes on;
//! - the same for a **server with its threads and tasks** (`tasks`), which starts without room.
//!
//! The database that all of this begins with is made in `house`, and what is done there is drawn in `work`.
//!
//! ```text
//! BELLWIRE_TEST_DISK_SEED=17 cargo nextest run -p bellwire --lib simulation::disk       one seed
//! BELLWIRE_TEST_DISK_SEED=0..200 cargo nextest run -p bellwire --lib simulation::disk   many
//! ```

mod content;
mod cuts;
mod failures;
mod full;
#[path = "../../../../services/src/testing.rs"]
mod given;
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

/// The variable with other seeds.
const SEED: &str = "BELLWIRE_TEST_DISK_SEED";

/// The seeds that the environment names, or the usual ones. A failure shows which of them it was.
fn seeds(usual: Range<u64>) -> impl Iterator<Item = u64> {
    given::seeds(SEED, usual).inspect(|seed| eprintln!("{SEED}={seed}"))
}

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
