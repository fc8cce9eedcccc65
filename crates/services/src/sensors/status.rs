//! Whether a device is heard: it is inactive when all of its sensors have been silent for their time.
//!
//! A reading of an active device writes nothing here. A row says when to look; then the deadline is what the readings
//! have made of it by now, and the row is set to that, or the device becomes inactive.

use bellwire_store::tx::Value;

use super::{contract::Status, known::device_status, read, sql};
use crate::kit::{Ctx, Fault, Micros, Number, Outcome, ReadTx, Tx, due};

/// What is due.
pub(super) const SILENCE: &str = "sensors.silence";

/// When all sensors of a device that is active have been silent for their time; `None`: never, as it has none. All of
/// one that was set active count as heard then; one reading says nothing of the other sensors.
fn deadline(tx: &ReadTx<'_>, device_id: Number) -> Result<Option<Micros>, Fault> {
    let device = [Value::Integer(device_id.get())];
    Ok(tx.one(sql::DEADLINE, &device, |row| row.optional_integer(0))?.flatten())
}

/// Sets when to look at a device next, after it became active or its sensors are others.
///
/// # Errors
/// The store's.
pub(super) fn arm(tx: &mut Tx<'_>, device_id: Number) -> Result<(), Fault> {
    let key = device_id.to_string();
    match deadline(tx, device_id)? {
        Some(at) => due::arm(tx, SILENCE, &key, at),
        None => due::disarm(tx, SILENCE, &key),
    }
}

/// A device may have been silent for its time.
///
/// # Errors
/// The store's.
pub(super) fn look(tx: &mut Tx<'_>, ctx: &Ctx<'_>, key: &str) -> Result<Outcome<()>, Fault> {
    let quiet = Ok(Outcome::reply(()));
    let Some(device_id) = key.parse().ok().and_then(Number::new) else { return quiet };
    let Some(device) = read::find_device(tx, device_id)? else { return quiet };
    let Some(deadline) = deadline(tx, device_id)?.filter(|_| device.status.is_active()) else {
        return quiet;
    };
    if deadline > ctx.now {
        due::arm(tx, SILENCE, key, deadline)?;
        return quiet;
    }
    set(tx, device_id, Status::Inactive, ctx.now, By::Readings)?;
    let event = device_status(device_id, &device.name, Status::Inactive, ctx.now);
    Ok(Outcome::reply(()).event(event))
}

/// Who says what a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// An admin.
    Admin,
    /// Its readings, or that there were none.
    Readings,
}

/// Writes down what a device is from now on.
///
/// # Errors
/// The store's.
pub(super) fn set(
    tx: &mut Tx<'_>,
    id: Number,
    status: Status,
    now: Micros,
    by: By,
) -> Result<(), Fault> {
    let set_at = (status.is_active() && by == By::Admin).then_some(now);
    let row = [
        Value::Integer(id.get()),
        Value::Integer(status.is_active().into()),
        Value::Integer(now),
        set_at.map_or(Value::Null, Value::Integer),
    ];
    tx.execute(sql::SET_STATUS, &row).map(drop)
}
