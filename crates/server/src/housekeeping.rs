//! What is forgotten in time, a slice at a time, so that no writer waits for it.

use std::{sync::Arc, time::Duration};

use bellwire_services::{
    kit::{Fault, Micros, Tx, idempotency},
    states::retention::{self, Place},
};
use bellwire_store::log::{Keep, prune};
use tokio::time::{MissedTickBehavior, interval};

use crate::{door::Door, metrics::Metrics};

const SECOND: Micros = 1_000_000;
/// How often the old is looked for.
const EVERY: Duration = Duration::from_secs(5);
/// Rows of one slice.
const SLICE_ROWS: i64 = 200;
/// The demo's history is kept an hour.
const DEMO_KEPT: Micros = 3_600 * SECOND;

/// Slices of one look at the history: it goes on at the next.
const SLICES_MAX: usize = 50;

/// Runs until it is aborted.
pub async fn run(door: Arc<Door>, metrics: Arc<Metrics>, demo: bool) {
    let kept = if demo { DEMO_KEPT } else { retention::KEPT_MICROS };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut place = Place::default();
    loop {
        ticks.tick().await;
        metrics.sum_up();
        if let Err(fault) = tidy(&door, kept, &mut place).await {
            tracing::warn!(%fault, "housekeeping goes on later");
        }
    }
}

async fn tidy(door: &Door, history_kept: Micros, place: &mut Place) -> Result<(), Fault> {
    loop {
        let pruned = door.maintain(|tx, now| prune(tx, now, &Keep::default())).await?;
        if pruned.forced {
            tracing::warn!(
                rows = pruned.rows,
                "the log is over its size: events younger than the retained window go"
            );
        }
        if pruned.done {
            break;
        }
    }
    while door.maintain(|tx, now| idempotency::forget(tx, now, SLICE_ROWS)).await?
        == SLICE_ROWS as u64
    {}
    for _ in 0..SLICES_MAX {
        let from = *place;
        let sweep =
            move |tx: &mut Tx<'_>, now| retention::sweep(tx, now - history_kept, from, SLICE_ROWS);
        let next = door.maintain(sweep).await?;
        *place = next.unwrap_or_default();
        if next.is_none() {
            break;
        }
    }
    Ok(())
}
