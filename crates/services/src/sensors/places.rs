//! Where a reading is posted: on a device's stream only its sensors are, on a sensor's stream only that.

use std::fmt::Display;

use super::known::Known;
use crate::kit::{Code, Ctx, Fault};

/// Everything.
pub(super) const ALL: &str = "/ws/sensor-data/";
/// One device.
pub(super) const DEVICE: &str = "/ws/device/{device_id}/";
/// One sensor.
pub(super) const SENSOR: &str = "/ws/sensor/{sensor_id}/";

/// Whether a reading of this sensor may be posted where the call came from.
///
/// # Errors
/// [`Code::Invalid`], named.
pub(super) fn check(ctx: &Ctx<'_>, known: &Known) -> Result<(), Fault> {
    let Some(place) = ctx.place else { return Ok(()) };
    match (place.path, place.id) {
        (DEVICE, Some(id)) if id != known.device_id.get() => {
            let words = format!("sensor {} is not one of device {id}", known.sensor_id);
            Err(Fault::new(Code::Invalid, words).named("SENSOR_NOT_IN_DEVICE"))
        }
        (SENSOR, Some(id)) if id != known.sensor_id.get() => Err(mismatch()),
        _ => Ok(()),
    }
}

/// A reading names another sensor than its place does.
pub(super) fn mismatch() -> Fault {
    Fault::new(Code::Invalid, "sensor_id: another sensor than this is the place for")
        .named("SENSOR_MISMATCH")
}

/// There is no sensor of this number.
pub(super) fn unknown_sensor(id: impl Display) -> Fault {
    Fault::new(Code::NotFound, format!("Sensor not found: {id}")).named("UNKNOWN_SENSOR")
}

/// There is no device of this number.
pub(super) fn unknown_device(id: impl Display) -> Fault {
    Fault::new(Code::NotFound, format!("Device not found: {id}")).named("UNKNOWN_DEVICE")
}
