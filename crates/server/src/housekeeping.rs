//! What is forgotten in time, a slice at a time, so that no writer waits for it.

use std::{sync::Arc, time::Duration};

use bellwire_services::{
    acknowledgements, areas, chat, identity,
    kit::{Code, Fault, Micros, Payload, Principal, Tx, idempotency},
    live_sessions, notifications,
    sensors::history,
    standing,
    states::retention,
    stations,
};
use bellwire_store::log::{Keep, kept_after, prune};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    clock::Step,
    door::Door,
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
    memory,
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
/// Rows of sensors that are no more taken away in one slice.
const SLICE_READINGS: usize = 2_000;
/// The most slices of readings packed, summed up or dropped in one run: a month of one a second is packed in some
/// two minutes.
const READINGS_SLICES_MAX: usize = 200;

/// Where the next run goes on.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// So far it is noted that the clock is ahead.
    ahead: Option<Micros>,
    /// Tokens that ended up to then are noted as ended.
    ended: Micros,
    states: retention::Place,
    readings: history::Place,
}

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
    /// Notifications of users, in microseconds.
    pub notifications: Micros,
    /// Bookings that are over, in microseconds.
    pub bookings: Micros,
}

/// Runs until it is aborted.
pub async fn run(door: Arc<Door>, metrics: Arc<Metrics>, kept: Kept) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut places = Places::default();
    let mut disk_full = Throttle::new(DISK_FULL_INTERVAL_MS);
    loop {
        ticks.tick().await;
        metrics.sum_up();
        memory::trim();
        tell_of_steps(&door);
        if let Err(fault) = tidy(&door, kept, &mut places).await {
            let now_ms = door.clock.elapsed_ms();
            if fault.code != Code::Full || disk_full.admit(now_ms).is_some() {
                tracing::warn!(%fault, "housekeeping goes on later");
            }
        }
    }
}

/// The clock was set: what is told of that. Nothing else shows it at the time.
fn tell_of_steps(door: &Door) {
    match door.clock.step() {
        Some(Step::Forward(by)) => tracing::warn!(
            seconds = by / 1_000_000,
            "the clock was put forward: what ends at a time ends by it, and nothing is deleted for its age by it for an hour"
        ),
        Some(Step::Backward(by)) => tracing::warn!(
            seconds = by / 1_000_000,
            "the clock was set back: time goes at half its pace until the clock has caught up"
        ),
        None => {}
    }
}

/// One run: how far the clock is ahead, and that credentials ended; the log, then replies kept for retries, tokens and tickets that ended, connections that were
/// not recovered while the log surely had what they missed, acknowledgements of what it has no more, pairings
/// and what clients were told, notifications, bookings that are over, conversations that were deleted, then the history
/// of states and of readings.
pub(crate) async fn tidy(
    door: &Door,
    Kept { log, states, areas, notifications, bookings }: Kept,
    places: &mut Places,
) -> Result<(), Fault> {
    // Before anything is deleted: the next start must know it, whatever this one comes to.
    let ahead = door.clock.ahead();
    if places.ahead != Some(ahead) {
        door.maintain(move |tx, _| standing::note(tx, ahead)).await?;
        places.ahead = Some(ahead);
    }
    end_credentials(door, places).await?;
    // What is deleted for its age is so by this time.
    let now = door.clock.settled();
    loop {
        let pruned = door.maintain(move |tx, _| prune(tx, now, &log)).await?;
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
    while door.maintain(move |tx, _| idempotency::forget(tx, now, SLICE_FORGOTTEN)).await?
        == SLICE_FORGOTTEN as u64
    {}
    while door.maintain(move |tx, _| identity::forget(tx, now, SLICE_FORGOTTEN)).await? > 0 {}
    door.note_partings();
    let forget = move |tx: &mut Tx<'_>, _| {
        live_sessions::prune(tx, now.saturating_sub(log.time), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    let forget = |tx: &mut Tx<'_>, _| {
        let kept_after = kept_after(tx)?;
        acknowledgements::prune(tx, kept_after, SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    let forget = move |tx: &mut Tx<'_>, _| {
        areas::forget(tx, now, now.saturating_sub(areas), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? > 0 {}
    let forget = move |tx: &mut Tx<'_>, _| {
        notifications::forget(tx, now.saturating_sub(notifications), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    let forget = move |tx: &mut Tx<'_>, _| {
        stations::forget(tx, now.saturating_sub(bookings), SLICE_FORGOTTEN)
    };
    while door.maintain(forget).await? == SLICE_FORGOTTEN as u64 {}
    while door.maintain(move |tx, _| chat::forget(tx, now, SLICE_FORGOTTEN)).await? > 0 {}
    for _ in 0..SLICES_MAX {
        let from = places.states;
        let sweep = move |tx: &mut Tx<'_>, _| retention::sweep(tx, now - states, from, SLICE_ROWS);
        let next = door.maintain(sweep).await?;
        places.states = next.unwrap_or_default();
        if next.is_none() {
            break;
        }
    }
    tidy_readings(door, now, &mut places.readings).await
}

/// What has ended is noted, so that it stays so whatever the clock says later. Tokens once the clock has stood that ended
/// them: nobody gives the machines of a house new ones because a clock was wrong for a minute. Pairings at once, since
/// another is soon begun.
async fn end_credentials(door: &Door, places: &mut Places) -> Result<(), Fault> {
    let (ended, now) = (door.clock.ended(), door.clock.now());
    loop {
        let from = places.ended;
        let end = move |tx: &mut Tx<'_>, _| identity::end(tx, from, ended, SLICE_FORGOTTEN);
        let Some(upto) = door.maintain(end).await? else { break };
        places.ended = upto;
    }
    let end = move |tx: &mut Tx<'_>, _| areas::end_pairings(tx, now, SLICE_FORGOTTEN);
    while door.maintain(end).await? == SLICE_FORGOTTEN as u64 {}
    Ok(())
}

/// Readings are packed, then summed up; what is left of sensors that are no more goes.
async fn tidy_readings(door: &Door, now: Micros, place: &mut history::Place) -> Result<(), Fault> {
    while door.maintain(|tx, _| history::forget(tx, SLICE_READINGS)).await? > 0 {}
    for _ in 0..READINGS_SLICES_MAX {
        let from = place.clone();
        *place = door.maintain(move |tx, _| history::tend_next(tx, &from, now)).await?;
        if place.rests() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::{Role, Settings};
    use serde_json::{Value, json};
    use tempfile::TempDir;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::{app::Core, demo, door::Guests};

    /// For as long as there is time.
    const LONG: Micros = i64::MAX / 2;
    const KEPT: Kept = Kept {
        log: Keep { time: LONG, events: 10_000, bytes_max: 1 << 30 },
        states: LONG,
        areas: LONG,
        notifications: LONG,
        bookings: LONG,
    };
    /// Of the future, so that all are past it.
    const OVER: Micros = -1_000_000;

    struct House {
        core: Core,
        runtime: Runtime,
        ann: Principal,
        _data: TempDir,
    }

    impl House {
        /// With a user, Ann.
        fn new() -> House {
            let data = tempfile::tempdir().expect("a directory can be made");
            let settings = Settings::default();
            let core = Core::open(data.path(), Guests::Nowhere, settings, Vec::new());
            let core = core.expect("it opens");
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("it can be made");
            let mut house = House { core, runtime, ann: Principal::nobody(), _data: data };
            let operator = Principal::operator();
            house.ask("users.create", &operator, json!({ "username": "ann", "role": "user" }));
            let token = json!({ "role": "user", "subject": "1", "ttl": 60 });
            let token = house.ask("tokens.create", &operator, token);
            house.ann = Principal {
                id: Principal::user(1),
                token: token["id"].as_str().expect("it has one").to_owned(),
                role: Role::User,
                subject: Some("1".into()),
                generation: -1,
                ..Principal::nobody()
            };
            house
        }

        fn ask(&self, name: &str, who: &Principal, fields: Value) -> Value {
            let fields = fields.as_object().cloned().expect("fields are an object");
            let reply =
                self.runtime.block_on(self.core.door.ask(name, fields, Arc::new(who.clone())));
            serde_json::from_str(reply.expect("it is done").get()).expect("it is JSON")
        }

        /// How many items a list of Ann's has, after what is past its time is gone.
        fn left(&self, list: &str, kept: Kept) -> i64 {
            let tidied = self.runtime.block_on(tidy(&self.core.door, kept, &mut Places::default()));
            tidied.expect("it is tidy");
            let listed = self.ask(list, &self.ann, json!({ "limit": 1_000 }));
            listed["items"].as_array().map_or(0, Vec::len) as i64
        }
    }

    #[test]
    fn notifications_go_when_their_time_is_over() {
        let house = House::new();
        let notice = json!({ "to": "all", "title": "a", "message": "b" });
        for _ in 0..=SLICE_FORGOTTEN {
            house.ask("notifications.send", &Principal::operator(), notice.clone());
        }
        assert_eq!(house.left("notifications.list", KEPT), SLICE_FORGOTTEN + 1);
        let kept = Kept { notifications: OVER, ..KEPT };
        assert_eq!(house.left("notifications.list", kept), 0);
    }

    #[test]
    fn bookings_go_when_their_time_is_over_and_they_are() {
        let house = House::new();
        let operator = Principal::operator();
        house.ask("stations.create", &operator, json!({ "name": "a" }));
        let battery = json!({ "station_id": 1, "name": "b", "model": "c" });
        house.ask("batteries.add", &operator, battery);
        for _ in 0..=SLICE_FORGOTTEN {
            let booking = house.ask("stations.book", &house.ann, json!({ "station_id": 1 }));
            house.ask("bookings.cancel", &house.ann, json!({ "booking_id": booking["id"] }));
        }
        house.ask("stations.book", &house.ann, json!({ "station_id": 1 }));
        assert_eq!(house.left("bookings.list", KEPT), SLICE_FORGOTTEN + 2);
        assert_eq!(house.left("bookings.list", Kept { bookings: OVER, ..KEPT }), 1);
    }

    /// The reading that document 002 has as its example is taken by the demo, and known to it, however old it is.
    #[test]
    fn the_demo_knows_the_documents_reading_for_good() {
        let house = House::new();
        house.runtime.block_on(demo::add_devices(&house.core.door)).expect("they are made");
        let operator = Principal::operator();
        for sensor in 1..=2 {
            house.ask("sensor_data", &operator, json!({ "sensor_id": sensor, "value": 20 }));
            let reading = json!({
                "sensor_id": sensor, "value": 25.5, "timestamp": "2025-09-11T15:30:00Z",
            });
            for _ in 0..2 {
                let update = house.ask("sensor_data", &operator, reading.clone());
                assert_eq!(update["timestamp"], reading["timestamp"]);
                house.left("notifications.list", KEPT);
            }
        }
    }
}
