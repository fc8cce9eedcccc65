//! The store on SQLite: one thread writes, a few read, one copies the WAL back.
//!
//! The rules that hold here:
//!
//! - **WAL, `synchronous=FULL`, on every connection.** COMMIT returns after the fsync of the WAL.
//! - **One process.** A lock of the operating system on a file beside the database keeps others
//!   out, so nothing here waits for a stranger.
//! - **The threads only loop.** [`Writer`] and [`Reader`] are the whole of it without threads, and
//!   a simulation drives those; [`Store`] puts bounded queues before them.
//! - **A failed fsync is the end.** See [`writer`](Writer). The next process checks all that is there, and writes the
//!   WAL once more before it builds upon it.
//! - **Another process may read.** [`backup`] and [`check`] need no lock of ours and write nothing. Only a start after a
//!   failed disk waits for them.
//!
//! What is *not* here: what a table means, and when to prune.

mod backup;
mod check;
mod checkpoint;
mod clock;
pub(crate) mod file;
mod open;
mod queue;
mod readers;
mod store;
mod wal;
pub(crate) mod watch;
mod writer;

pub use backup::{BackupError, BackupReport, backup};
pub(crate) use check::STATEMENTS as CHECK_STATEMENTS;
pub use check::{CheckReport, check};
pub use checkpoint::Checkpoint;
pub use file::needs_check;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub use open::Testing;
pub use open::{OpenError, Options};
pub use readers::{ReadJob, Reader};
pub use store::Store;
pub use writer::{Fatal, LogStats, Writer};

pub use crate::batch::{Answer, Batch, BatchStats, Committed, Incident, Run, Write};
