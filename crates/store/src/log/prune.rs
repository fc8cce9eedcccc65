//! What the log lets go of.

use std::ops::ControlFlow;

use crate::{
    change::{Fault, Micros, Offset},
    tx::{Tx, Value, offset_of, stored},
};

pub(super) mod sql {
    crate::statements! {
        /// The oldest rows.
        OLDEST = "SELECT log_offset, at, bytes FROM log ORDER BY log_offset LIMIT $1";
        /// Lets go of rows.
        DROP_ROWS = "DELETE FROM log WHERE log_offset <= $1";
        /// Lets go of their effects.
        DROP_EFFECTS = "DELETE FROM log_effect WHERE log_offset <= $1";
        /// Lets go of blocks.
        DROP_BLOCKS = "DELETE FROM log_block WHERE last_offset <= $1";
        /// What is left of the block in which a slice ends.
        SHRINK_BLOCK = "UPDATE log_block SET bytes = bytes - $2 WHERE last_offset = $1";
    }
}

/// What the log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Rows younger than this, in microseconds.
    pub time: Micros,
    /// The newest rows, whatever their age.
    pub events: u64,
    /// The log's largest size: past it the oldest rows go, whatever the rules above say.
    pub bytes_max: u64,
}

impl Default for Keep {
    /// 10 minutes, 10,000 events, 1 GiB.
    fn default() -> Self {
        Keep { time: 10 * 60 * 1_000_000, events: 10_000, bytes_max: 1 << 30 }
    }
}

/// What a slice came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Rows let go.
    pub rows: u64,
    /// Nothing more is to be done now.
    pub done: bool,
    /// Because of `bytes_max`, rows went that `time` or `events` would have kept: worth a warning.
    pub forced: bool,
}

/// Rows in one slice.
const SLICE_ROWS_MAX: u64 = 500;
/// Bytes in one slice.
const SLICE_BYTES_MAX: u64 = 512 * 1024;

/// Lets go of one slice of the oldest rows: at most 500 rows or 512 KiB, so that no writer waits
/// for long. The newest row always stays, for it holds the head.
pub fn prune(tx: &mut Tx<'_>, now: Micros, keep: &Keep) -> Result<Pruned, Fault> {
    let before = *tx.extent;
    let cutoff = now.saturating_sub(keep.time);
    let (mut cut, mut rows, mut bytes, mut forced, mut done) = (None, 0, 0, false, true);
    let mut in_last_block = 0;
    tx.each(sql::OLDEST, &[stored(SLICE_ROWS_MAX + 1)], |row| {
        let (offset, at) = (offset_of(row.integer(0)), row.integer(1));
        let size = u64::try_from(row.integer(2)).unwrap_or(0);
        let old = at <= cutoff && offset + keep.events <= before.head;
        let large = before.bytes.saturating_sub(bytes) > keep.bytes_max;
        if offset >= before.head || !(old || large) {
            return ControlFlow::Break(());
        }
        if rows == SLICE_ROWS_MAX || (rows > 0 && bytes + size > SLICE_BYTES_MAX) {
            done = false;
            return ControlFlow::Break(());
        }
        if cut.is_none_or(|cut| block_of(cut) != block_of(offset)) {
            in_last_block = 0;
        }
        in_last_block += size;
        (cut, rows, bytes, forced) = (Some(offset), rows + 1, bytes + size, forced || !old);
        ControlFlow::Continue(())
    })?;
    if let Some(cut) = cut {
        drop_rows(tx, cut, in_last_block)?;
        tx.extent.first = cut + 1;
        tx.extent.bytes = before.bytes.saturating_sub(bytes);
    }
    Ok(Pruned { rows, done, forced })
}

fn drop_rows(tx: &mut Tx<'_>, cut: Offset, in_last_block: u64) -> Result<(), Fault> {
    let upto = [stored(cut)];
    tx.execute(sql::DROP_ROWS, &upto)?;
    tx.execute(sql::DROP_EFFECTS, &upto)?;
    tx.execute(sql::DROP_BLOCKS, &upto)?;
    let shrunk: [Value<'_>; 2] = [stored(block_of(cut)), stored(in_last_block)];
    tx.execute(sql::SHRINK_BLOCK, &shrunk)?;
    Ok(())
}

/// The last offset of the block that `offset` is in.
fn block_of(offset: Offset) -> Offset {
    offset.div_ceil(super::BLOCK_ROWS) * super::BLOCK_ROWS
}
