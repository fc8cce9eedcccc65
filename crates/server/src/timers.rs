//! Waits for what is due and runs it.
//!
//! Rows are armed by any command, on several nodes by those of others too, and nothing tells of it: the index is
//! looked at every 100 ms, which is a search in a tree per kind, and otherwise at the very time of the next row. So
//! what is armed for later than that is exact to the timer, and a row that was armed for sooner, or a clock that was
//! put forward, is seen 100 ms late at most. A hint after each commit would have to come from inside of decisions,
//! and this look would be needed all the same.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bellwire_services::kit::{Fault, Micros};

use crate::{
    clock::Clock,
    door::{Door, DueRun},
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
    metrics::Metrics,
};

/// How often rows that were armed for sooner are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How soon it is tried again when the disk is full or too much waits.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The most rows that are given to the writer together.
const GROUP_MAX: usize = 100;
/// How long such a group runs before the rest of it makes way for what came meanwhile, in milliseconds. A hundred that
/// are slow would be felt.
const GROUP_TIME_MAX_MS: u64 = 5;
/// Of how many rows it is remembered that their failure was told; of more it is told now and then.
const TOLD_MAX: usize = 1_000;
/// How often it is told that more rows than those fail, in milliseconds.
const MORE_INTERVAL_MS: u64 = 10_000;

/// Runs until it is aborted.
pub async fn run(door: Arc<Door>, metrics: Arc<Metrics>) {
    match door.unknown_due().await {
        Ok(kinds) if kinds.is_empty() => {}
        Ok(kinds) => tracing::warn!(
            kinds = kinds.join(", "),
            "no service knows what these rows of due are for; they are left alone"
        ),
        Err(fault) => tracing::warn!(%fault, "the rows of due could not be looked through"),
    }
    let mut complaints = Complaints::default();
    let mut rows_max = GROUP_MAX;
    loop {
        let ran = door.run_due(door.clock.now(), rows_max, GROUP_TIME_MAX_MS).await;
        let pause = match ran {
            Ok(run) => {
                metrics.due_run.increment(run.done.len() as u64);
                metrics.due_failed.increment(run.failed.len() as u64);
                metrics.due_late.set(run.late as f64 / 1e6);
                complaints.hear(&run, &door.clock);
                // One is enough to see whether there is room again.
                rows_max = if run.held.is_some() { 1 } else { GROUP_MAX };
                if run.held.is_some() { TRY_AGAIN } else { pause(run.next, door.clock.now()) }
            }
            Err(fault) => {
                complaints.delay(&fault, &door.clock);
                TRY_AGAIN
            }
        };
        wait(pause).await;
    }
}

/// How long to wait when the next row is due then.
fn pause(next: Option<Micros>, now: Micros) -> Duration {
    let Some(next) = next else { return LOOK_EVERY };
    let left = u64::try_from(next.saturating_sub(now)).unwrap_or(0);
    Duration::from_micros(left).min(LOOK_EVERY)
}

#[expect(clippy::disallowed_methods, reason = "a time is what is waited for")]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

/// What the log is told of failures, so that neither one of them nor many fill it.
struct Complaints {
    /// The rows whose failure was told, since they ran last.
    told: HashSet<(&'static str, String)>,
    more: Throttle,
    delayed: Throttle,
}

impl Default for Complaints {
    fn default() -> Self {
        let [more, delayed] = [MORE_INTERVAL_MS, DISK_FULL_INTERVAL_MS].map(Throttle::new);
        Complaints { told: HashSet::new(), more, delayed }
    }
}

impl Complaints {
    fn hear(&mut self, run: &DueRun, clock: &Clock) {
        if !self.told.is_empty() {
            for row in &run.done {
                self.told.remove(&(row.kind, row.key.clone()));
            }
        }
        for (row, fault) in &run.failed {
            let (kind, key) = (row.kind, row.key.as_str());
            let is_told = self.told.contains(&(kind, key.to_owned()));
            if !is_told && self.told.len() < TOLD_MAX {
                self.told.insert((kind, key.to_owned()));
                tracing::error!(kind, key, %fault, "what was due failed; it is tried again");
            } else if !is_told && let Some(left_out) = self.more.admit(clock.elapsed_ms()) {
                tracing::error!(kind, key, %fault, left_out, "more of what was due fails");
            }
        }
        if let Some(fault) = &run.held {
            self.delay(fault, clock);
        }
    }

    /// Nothing is lost by it: what is due stays due.
    fn delay(&mut self, fault: &Fault, clock: &Clock) {
        if let Some(left_out) = self.delayed.admit(clock.elapsed_ms()) {
            tracing::warn!(%fault, left_out, "what is due runs later");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_the_next_row_but_not_long() {
        let check = |next, now, expected_us| {
            assert_eq!(pause(next, now), Duration::from_micros(expected_us), "{next:?} at {now}");
        };
        check(None, 7, 100_000);
        check(Some(1_000), 1_000, 0);
        check(Some(1_000), 5_000, 0);
        check(Some(1_000), 999, 1);
        check(Some(60_000), 1_000, 59_000);
        check(Some(101_000), 1_000, 100_000);
        check(Some(Micros::MAX), -1, 100_000);
        check(Some(Micros::MIN), Micros::MAX, 0);
    }
}
