//! Durable truth: transactions, the event log, and the one thread that writes.
//!
//! **The invariant.** Nothing leaves before COMMIT. A decision runs inside a transaction and
//! returns an [`Outcome`](change::Outcome); only this crate can make a
//! [`Committed`](batch::Committed) of it, and does so after COMMIT has returned with the disk's
//! fsync behind it. An acknowledged write survives a kill and a power cut; after a failed fsync
//! nothing is acknowledged, nothing is tried again, and the process is to end.
//!
//! | module | what is in it |
//! |---|---|
//! | [`change`] | the vocabulary: event, effect, outcome, fault |
//! | [`tx`] | transactions as services see them, and the SQL dialect |
//! | [`batch`] | what goes to the writer and what comes back |
//! | [`log`] | the event log: cursor, resume, replay, prune |
//! | [`migrate`] | the schema's versions |
//! | [`sqlite`] | the store on SQLite: one writer with group commit, a few readers, checkpoints |
//! | [`testing`] | the suite that every backend passes |
//!
//! What is *not* here: no service and no table of one, no socket, no clock and no chance. Wall
//! time comes in with each [`Write`](batch::Write), the epoch's random text with the options; a
//! monotonic clock is read in one place (`sqlite/clock.rs`), for time limits alone.

pub mod batch;
pub mod change;
pub mod log;
pub mod migrate;
pub mod sqlite;
pub mod testing;
pub mod tx;

/// Every statement of this crate, for the test that prepares them on both databases.
pub fn statements() -> Vec<tx::Statement> {
    let check = sqlite::CHECK_STATEMENTS;
    [&log::statements(), tx::STATEMENTS, migrate::STATEMENTS, check, testing::STATEMENTS].concat()
}
