//! What is forgotten in time, a slice at a time, so that no writer waits for it.

use std::{sync::Arc, time::Duration};

use bellwire_services::{
    acknowledgements, areas, identity,
    kit::{Code, Fault, Micros, Payload, Principal, Tx, idempotency},
    live_sessions,
    states::retention::{self, Place},
};
use bellwire_store::log::{Keep, kept_after, prune};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    door::Door,
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
    metrics::Metrics,
};

/// How often housekeeping runs.
const INTERVAL: Duration = Duration::from_secs(5);
/// Replies, tokens, tickets and connections forgotten in one slice.
const SLICE_FORGOTTEN: i64 = 200;
/// Connections noted as ended in one slice at a start, when no writer waits.
const SLICE_LEFT: i64 = 5_000;
/// Rows of history looked at in one slice, and the most slices in one run; the next goes on from there.
const SLICE_ROWS: usize = 500;
const SLICES_MAX: usize = 50;

/// What a start has to put in order before anyone is served: those who were connected when the last
/// process ended have left. From now on they have their time to come back.
///
/// # Errors
/// The store's, but for a full disk.
pub async fn begin(door: &Door) -> Result<(), Fault> {
    match door.ask("clients.nobody", Payload::new(), Arc::new(Principal::system())).await {
        Err(fault) if fault.code != Code::Full => return Err(fault),
        _ => {}
    }
    loop {
        match door.maintain(|tx, now| live_sessions::leave_all(tx, now, SLICE_LEFT)).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Reads and connections go on without room, and so does a start. The rows stay longer.
            Err(fault) if fault.code == Code::Full => {
                tracing::warn!(%fault, "who was connected is noted at the next start");
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// What is kept, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Of the log.
    pub log: Keep,
    /// States, in microseconds.
    pub states: Micros,
    /// What paired clients were told, in microseconds.
    pub areas: Micros,
}

/// Runs until it is aborted.
pub async fn run(door: Arc<Door>, metrics: Arc<Metrics>, kept: Kept) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut place = Place::default();
    let mut disk_full = Throttle::new(DISK_FULL_INTERVAL_MS);
    loop {
        ticks.tick().await;
        metrics.sum_up();
        if let Err(fault) = tidy(&door, kept, &mut place).await {
            let now_ms = door.clock.elapsed_ms();
            if fault.code != Code::Full || disk_full.admit(now_ms).is_some() {
                tracing::warn!(%fault, "housekeeping goes on later");
            }
        }
    }
}

/// One run: the log, then replies kept for retries, tokens and tickets that ended, connections that were
/// not recovered while the log surely had what they missed, acknowledgements of what it has no more, pairings
/// and what clients were told, then the history.
pub(crate) async fn tidy(
    door: &Door,
    Kept { log, states, areas }: Kept,
    place: &mut Place,
) -> Result<(), Fault> {
    loop {
        let pruned = door.maintain(move |tx, now| prune(tx, now, &log)).await?;
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
    while door.maintain(|tx, now| idempotency::forget(tx, now, SLICE_FORGOTTEN)).await?
        == SLICE_FORGOTTEN as u64
    {}
    while door.maintain(|tx, now| identity::forget(tx, now, SLICE_FORGOTTEN)).await? > 0 {}
    door.note_partings();
    let forget = move |tx: &mut Tx<'_>, now: Micros| {
        live_sessions::prune(tx, now.saturating_sub(log.time), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    let forget = |tx: &mut Tx<'_>, _| {
        let kept_after = kept_after(tx)?;
        acknowledgements::prune(tx, kept_after, SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    let forget = move |tx: &mut Tx<'_>, now: Micros| {
        areas::forget(tx, now, now.saturating_sub(areas), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? > 0 {}
    for _ in 0..SLICES_MAX {
        let from = *place;
        let sweep =
            move |tx: &mut Tx<'_>, now| retention::sweep(tx, now - states, from, SLICE_ROWS);
        let next = door.maintain(sweep).await?;
        *place = next.unwrap_or_default();
        if next.is_none() {
            break;
        }
    }
    Ok(())
}
