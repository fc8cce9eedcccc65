//! Who may read and who may post.
//!
//! Whoever has a token reads everything, and so do guests where they are let in. Devices post for themselves,
//! admins and such guests for any.
//!
//! | topic | what it carries |
//! |---|---|
//! | `sensors` | every reading, and what becomes of devices |
//! | `device/1`, `sensor/1` | that of one device, the readings of one sensor |
//! | `statuses`, `statuses/device/1` | what becomes of devices, or of one, alone |
//! | `alarms`, `alarms/device/1`, `alarms/sensor/1` | alarms |
//! | `every/1s/avg/sensors`, `.../device/1`, `.../sensor/1` | readings, thinned |

use super::thin;
use crate::kit::{Code, Fault, Heard, Named, Number, Part, Principal, ReadTx, Role, Topic, Wish};

/// What a principal hears; and the name by which clients ask for it.
pub(super) const ALL: &str = "sensors";
/// The name by which they ask for alarms.
const ALARMS: &str = "alarms";
/// What the topics begin with that are heard on this service's streams.
pub(super) const TOPICS: &[&str] = &[ALL, "device", "sensor", "statuses", ALARMS, "every"];

/// The topics that a principal hears without asking for others.
///
/// # Errors
/// None.
pub fn topics(_: &ReadTx<'_>, principal: &Principal) -> Result<Vec<Topic>, Fault> {
    let hears = !matches!(principal.role, Role::Pairing);
    Ok(if hears { vec![Topic::Borrowed(ALL)] } else { Vec::new() })
}

/// Whether a principal may post readings of this device's sensors.
pub(super) fn may_post(principal: &Principal, device_id: Number) -> bool {
    match principal.role {
        Role::Admin | Role::System | Role::Guest => true,
        Role::Device => {
            principal.subject.as_ref().is_some_and(|subject| *subject == device_id.to_string())
        }
        Role::User | Role::Client | Role::Pairing => false,
    }
}

/// What names of topics mean.
pub(super) fn named(name: &str) -> Option<Named> {
    match name.split_once('/') {
        None if name == ALL => Some(Named::All),
        None => (name == ALARMS).then_some(Named::Part(Topic::Borrowed(ALARMS))),
        Some(("device" | "sensor", digits)) => {
            let id = digits.parse().ok().and_then(Number::new)?;
            (id.to_string() == digits).then(|| Named::Part(Topic::Owned(name.to_owned())))
        }
        Some(_) => None,
    }
}

/// What a stream's query may ask for.
pub(super) const OPTIONS: &[&str] = &["alarms", "every", "agg"];

/// What is heard of everything.
///
/// # Errors
/// [`Code::Invalid`] for an option that has no meaning.
pub(super) fn heard_of_all(wish: &Wish<'_>) -> Result<Heard, Fault> {
    heard(wish, ALL, "statuses".to_owned(), ALARMS.to_owned())
}

/// What is heard of a device.
///
/// # Errors
/// The same.
pub(super) fn heard_of_device(wish: &Wish<'_>) -> Result<Heard, Fault> {
    let device = format!("device/{}", wish.place.unwrap_or_default());
    heard(wish, &device, format!("statuses/{device}"), format!("{ALARMS}/{device}"))
}

/// What is heard of a sensor.
///
/// # Errors
/// The same.
pub(super) fn heard_of_sensor(wish: &Wish<'_>) -> Result<Heard, Fault> {
    let sensor = format!("sensor/{}", wish.place.unwrap_or_default());
    heard(wish, &sensor, String::new(), format!("{ALARMS}/{sensor}"))
}

/// The topics for what is heard: all of `base`, or its readings thinned with `statuses` beside them.
fn heard(wish: &Wish<'_>, base: &str, statuses: String, alarms: String) -> Result<Heard, Fault> {
    let invalid = |words: &'static str| Fault::new(Code::Invalid, words);
    let thinned = match (wish.option("every"), wish.option("agg")) {
        (None, None) => None,
        (None, Some(_)) => return Err(invalid("agg: goes with every")),
        (Some(every), agg) => {
            let every = thin::Every::parse(every)
                .ok_or_else(|| invalid("every: one of 1s, 5s, 10s, 1m, 5m, 1h"))?;
            let agg = thin::Aggregate::parse(agg.unwrap_or("avg"))
                .ok_or_else(|| invalid("agg: one of avg, min, max, last, minmax"))?;
            Some(thin::topic(every, agg, base))
        }
    };
    let cursorless = thinned.is_some();
    let mut topics = match thinned {
        None => vec![Topic::Owned(base.to_owned())],
        Some(thinned) => {
            let statuses = (!statuses.is_empty()).then_some(Topic::Owned(statuses));
            [thinned].into_iter().chain(statuses).collect()
        }
    };
    match wish.option("alarms") {
        None | Some("0") => {}
        Some("1") => topics.push(Topic::Owned(alarms)),
        Some(_) => return Err(invalid("alarms: 1 or 0")),
    }
    Ok(Heard { part: Part::Topics(topics), cursorless })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sensors_and_parts_of_them() {
        let check = |name: &str, meant: Option<Named>| assert_eq!(named(name), meant, "{name:?}");
        check("sensors", Some(Named::All));
        for part in ["alarms", "device/1", "sensor/9007199254740991"] {
            check(part, Some(Named::Part(Topic::Owned(part.to_owned()))));
        }
        for other in [
            "",
            "sensor",
            "sensor/",
            "sensor/0",
            "sensor/01",
            "sensor/-1",
            "device/9007199254740992",
            "device/1/",
            "sensors/",
            "alarms/sensor/1",
            "statuses",
            "every/1s/avg/sensors",
        ] {
            check(other, None);
        }
    }
}
