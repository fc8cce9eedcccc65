//! What is due is run: in the order of its time, a group at a time.
//!
//! Rows are looked up by a reader and run by the writer, a write each, so that one that fails is undone alone. In the
//! write transaction a row is looked at again and taken away before it runs: what was taken back, or moved to later,
//! since it was looked up does not run, and nothing runs twice.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bellwire_services::kit::{
    Answer, Code, Ctx, Fault, Ids, Micros, Outcome, Principal, ReadTx, Settings, Tx,
    due::{self, Decide, Row},
};
use bellwire_store::batch::Write;
use tokio::sync::oneshot;

use super::{Door, overloaded, own};
use crate::{
    clock::Clock,
    credentials::chance,
    sequencer::{LAG_OVERLOADED_MS, ReplyTo},
};

/// How long a row that failed is put off: a minute.
pub const PUT_OFF_MICROS: Micros = 60_000_000;
/// How long one is that was undone as it took too long: others were in its way, perhaps, and its time has come.
pub const PUT_OFF_SOON_MICROS: Micros = 500_000;

/// What came of running what was due.
#[derive(Debug, Default)]
pub struct DueRun {
    /// What ran, and is committed, in this order.
    pub done: Vec<Row>,
    /// What failed and was undone. It is put off.
    pub failed: Vec<(Row, Fault)>,
    /// Since when the row that was due first was due, before the time of the run, in microseconds; 0 if none was.
    pub late: Micros,
    /// When the next row is due; not after the time of the run: there may be more. `None`: none is armed.
    pub next: Option<Micros>,
    /// Why rows that are due did not run, if they could not be written. They are due as before.
    pub held: Option<Fault>,
}

/// What became of a row when its turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It ran.
    Ran,
    /// It is not due any more.
    Gone,
    /// Its group has run long enough.
    Later,
}

/// Runs a row, in the write transaction.
pub(crate) fn turn(
    tx: &mut Tx<'_>,
    decide: Decide,
    row: &Row,
    (now, seed): (Micros, [u8; 32]),
    settings: &Settings,
) -> Result<Outcome<Turn>, Fault> {
    if due::take(tx, row.kind, &row.key, now)?.is_none() {
        return Ok(Outcome::reply(Turn::Gone));
    }
    let principal = Principal::system();
    let ctx =
        Ctx { now, principal: &principal, ids: Ids::new(seed), settings, origin: "", place: None };
    Ok(decide(tx, &ctx, &row.key)?.map(|()| Turn::Ran))
}

/// Rows that were given to the writer together.
struct Group {
    clock: Arc<Clock>,
    time_max_ms: u64,
    /// When the first of them was run, in ms. Set and read by the writer's thread, shared by the group's writes.
    began_ms: OnceLock<u64>,
}

impl Group {
    /// Whether there is time for one more. For the first there always is, so that each group comes to something.
    fn has_time(&self, is_first: bool) -> bool {
        let now_ms = self.clock.elapsed_ms();
        let began_ms = *self.began_ms.get_or_init(|| now_ms);
        is_first || now_ms.saturating_sub(began_ms) < self.time_max_ms
    }
}

impl Door {
    /// Runs what is due at `now`, the longest overdue first: up to `rows_max` rows, and none that would begin
    /// `time_max_ms` after the first of them, so that others who write do not wait; always one. [`DueRun::next`] says
    /// whether there may be more. A server passes its clock's time; whoever passes another, as tests do, has it taken
    /// for the time.
    ///
    /// # Errors
    /// The store's, if nothing could be looked up; [`Code::Overloaded`] also when the shards are too far behind.
    pub async fn run_due(
        &self,
        now: Micros,
        rows_max: usize,
        time_max_ms: u64,
    ) -> Result<DueRun, Fault> {
        if self.lag.ms(self.clock.elapsed_ms()) > LAG_OVERLOADED_MS {
            return Err(overloaded());
        }
        let kinds: Vec<_> = self.tables.due.keys().copied().collect();
        let look = move |tx: &ReadTx<'_>| -> Result<(Vec<Row>, Option<Micros>), Fault> {
            let earliest = due::earliest(tx, kinds.iter().copied())?;
            match earliest {
                Some(at) if at <= now => Ok((due::next(tx, kinds, now, rows_max)?, Some(now))),
                _ => Ok((Vec::new(), earliest)),
            }
        };
        let (rows, next) = self.look(look).await?;
        let late = rows.first().map_or(0, |first| now.saturating_sub(first.at));
        let mut run = DueRun { late, next, ..DueRun::default() };
        if !rows.is_empty() {
            let (clock, began_ms) = (self.clock.clone(), OnceLock::new());
            self.run_group(rows, now, Group { clock, time_max_ms, began_ms }, &mut run).await;
        }
        Ok(run)
    }

    async fn run_group(&self, rows: Vec<Row>, now: Micros, group: Group, run: &mut DueRun) {
        let group = Arc::new(group);
        let queued = rows.iter().enumerate();
        let queued = queued.map(|(place, row)| self.write_due(row, now, &group, place == 0));
        let (writes, turns): (Vec<_>, Vec<_>) = queued.unzip();
        // What finds no room is let go of, and with it the senders of its answers.
        drop(self.store.write_all(writes));
        for (row, turn) in rows.into_iter().zip(turns) {
            match turn.await {
                Ok(Ok(Turn::Ran)) => run.done.push(row),
                Ok(Ok(Turn::Gone | Turn::Later)) => {}
                Ok(Err(fault)) if fault.code == Code::Full => run.held = Some(fault),
                Ok(Err(fault)) => run.failed.push((row, fault)),
                Err(_) => run.held = Some(overloaded()),
            }
        }
        if run.failed.is_empty() {
            return;
        }
        let to = |fault: &Fault| match fault.code {
            Code::Timeout => now.saturating_add(PUT_OFF_SOON_MICROS),
            _ => now.saturating_add(PUT_OFF_MICROS),
        };
        let failed: Vec<(Row, Micros)> =
            run.failed.iter().map(|(row, fault)| (row.clone(), to(fault))).collect();
        let put_off = move |tx: &mut Tx<'_>, _| {
            failed.iter().try_for_each(|(row, to)| due::put_off(tx, row, *to))
        };
        if let Err(fault) = self.maintain(put_off).await {
            run.held = Some(fault);
        }
    }

    fn write_due(
        &self,
        row: &Row,
        now: Micros,
        group: &Arc<Group>,
        is_first: bool,
    ) -> (Write<Answer, ReplyTo>, oneshot::Receiver<Result<Turn, Fault>>) {
        let decide = self.tables.due[row.kind];
        let (row, group, settings) = (row.clone(), group.clone(), self.settings.clone());
        let seed = chance();
        let work = move |tx: &mut Tx<'_>| match group.has_time(is_first) {
            true => turn(tx, decide, &row, (now, seed), &settings),
            false => Ok(Outcome::reply(Turn::Later)),
        };
        let (sender, turn) = oneshot::channel();
        (own(now, work, move |result| drop(sender.send(result))), turn)
    }

    /// The kinds of rows that no service declares, as those of one that was deleted. They stay as they are.
    ///
    /// # Errors
    /// The store's.
    pub async fn unknown_due(&self) -> Result<Vec<String>, Fault> {
        let mut kinds = self.look(due::kinds).await?;
        kinds.retain(|kind| !self.tables.due.contains_key(kind.as_str()));
        Ok(kinds)
    }

    /// Reads something of the server's own, outside the services' tables.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (sender, seen) = oneshot::channel();
        self.read(move |tx| drop(sender.send(tx.and_then(look))))?;
        seen.await.map_err(|_| overloaded())?
    }
}
