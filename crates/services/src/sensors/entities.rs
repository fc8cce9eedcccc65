//! Sensors as home states show them: an entity each, whose state is the newest value. Nothing of it is stored twice.

use bellwire_store::tx::Value;
use serde_json::{json, value::RawValue};

use super::{
    contract::{Sensor, Shortest},
    history,
    known::Known,
    places, sql,
};
use crate::{
    kit::{Event, Fault, Micros, Number, ReadTx, Tx},
    states::{self, EntityId},
};

/// The state of a sensor that has not been heard yet.
const UNKNOWN: &str = "unknown";

/// A sensor as an entity.
#[derive(Debug)]
pub struct Entity {
    /// The sensor's number.
    pub sensor_id: i64,
    /// The newest value, as text.
    pub state: String,
    /// What it is, as JSON.
    pub attributes: String,
    /// When the state became another.
    pub last_changed: Micros,
    /// When a reading that was on time came last; of one that was only written beforehand, its own time.
    pub last_updated: Micros,
}

/// The sensor that an entity is, if it is one.
///
/// # Errors
/// The store's.
pub fn find(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Option<Entity>, Fault> {
    Ok(known(tx, entity_id)?.map(|known| entity(&known)))
}

fn known(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Option<Known>, Fault> {
    if entity_id.domain() != "sensor" {
        return Ok(None);
    }
    tx.one(sql::KNOWN_AS, &[Value::Text(entity_id.as_str())], Known::of)
}

fn entity(known: &Known) -> Entity {
    let latest = known.latest;
    Entity {
        sensor_id: known.sensor_id.get(),
        state: latest
            .map_or_else(|| UNKNOWN.to_owned(), |latest| Shortest(latest.value).to_string()),
        attributes: attributes(&known.sensor_type, &known.unit, &known.device_name),
        last_changed: latest.map_or(known.created_at, |latest| latest.changed_at),
        last_updated: latest
            .map_or(known.created_at, |latest| latest.heard_at.unwrap_or(latest.at)),
    }
}

fn attributes(sensor_type: &str, unit: &str, device_name: &str) -> String {
    let unit = match unit {
        "celsius" => "°C",
        "fahrenheit" => "°F",
        "percent" => "%",
        unit => unit,
    };
    json!({
        "unit_of_measurement": unit,
        "device_class": sensor_type,
        "state_class": "measurement",
        "friendly_name": format!("{device_name} {sensor_type}"),
    })
    .to_string()
}

/// The first entity of a sensor after this id, in the order of ids.
///
/// # Errors
/// The store's.
pub fn next_after(tx: &ReadTx<'_>, last: &str) -> Result<Option<EntityId>, Fault> {
    tx.one(sql::NEXT_ENTITY, &[Value::Text(last)], |row| {
        EntityId::parse(row.text_ref(0)).expect("only entity ids are stored")
    })
}

/// What an entity that is a sensor was: times and states, the newest first; at most so many, before a time.
///
/// # Errors
/// The store's.
pub fn history(
    tx: &ReadTx<'_>,
    sensor_id: i64,
    from: Micros,
    before: Micros,
    most: usize,
) -> Result<Vec<(Micros, String)>, Fault> {
    let readings = history::before(tx, sensor_id, from, before, most)?;
    Ok(readings.iter().map(|reading| (reading.at, Shortest(reading.value).to_string())).collect())
}

/// `state_changed` of a sensor whose value is another.
pub(super) fn changed(tx: &ReadTx<'_>, known: &Known) -> Result<Event, Fault> {
    let Entity { state, attributes, .. } = entity(known);
    told(tx, &known.entity_id, Some((&state, attributes)))
}

/// `state_changed` of a sensor that is called otherwise.
pub(super) fn changed_attributes(tx: &ReadTx<'_>, sensor_id: Number) -> Result<Event, Fault> {
    let known = Known::find(tx, sensor_id)?.ok_or_else(|| places::unknown_sensor(sensor_id))?;
    changed(tx, &known)
}

/// `state_changed` of a new sensor.
pub(super) fn appeared(
    tx: &ReadTx<'_>,
    sensor: &Sensor,
    device_name: &str,
) -> Result<Event, Fault> {
    let attributes = attributes(&sensor.sensor_type, &sensor.unit, device_name);
    told(tx, &sensor.entity_id, Some((UNKNOWN, attributes)))
}

/// `state_changed` of a sensor that is no more.
pub(super) fn gone(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Event, Fault> {
    told(tx, entity_id, None)
}

fn told(tx: &ReadTx<'_>, id: &EntityId, newest: Option<(&str, String)>) -> Result<Event, Fault> {
    let newest = newest.map(|(state, attributes)| {
        (state, RawValue::from_string(attributes).expect("it was written as JSON"))
    });
    states::changed(tx, id, newest.as_ref().map(|(state, attributes)| (*state, &**attributes)))
}

/// An entity id for a sensor that no entity has: what it is called stays the same when its device is renamed.
pub(super) fn free_id(
    tx: &Tx<'_>,
    device_name: &str,
    sensor_type: &str,
) -> Result<EntityId, Fault> {
    let base = format!("sensor.{}_{}", slug(device_name, "device"), slug(sensor_type, "value"));
    let mut count = 1;
    loop {
        let suffix = if count == 1 { String::new() } else { format!("_{count}") };
        let room = EntityId::LEN_MAX - suffix.len();
        let text = format!("{}{suffix}", &base[..base.len().min(room)]);
        let id = EntityId::parse(&text).expect("it is made of letters, digits and low lines");
        if known(tx, &id)?.is_none() && !states::exists(tx, &id)? {
            return Ok(id);
        }
        count += 1;
    }
}

/// A text as a part of an entity id: lower-case ASCII letters and digits, other things become one low line.
fn slug(text: &str, otherwise: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for letter in text.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() { otherwise.to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn names_become_parts_of_entity_ids() {
        let check =
            |text: &str, expected: &str| assert_eq!(slug(text, "device"), expected, "{text:?}");
        check("Hydroponic System 1", "hydroponic_system_1");
        check("  Ünit -- pH ", "nit_ph");
        check("\u{5d0}\u{5d1}", "device");
        check("__a__", "a");
    }
}
