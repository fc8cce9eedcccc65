//! What the tool says to the states service and understands of its answers.

use anyhow::{Result, bail};

/// The stream of states: commands in, answers and `state_changed` out.
pub const STATES_PATH: &str = "/api/ws";
/// The entity that fan-out is measured with.
pub const LOAD_ENTITY: &str = "sensor.load";
/// Ends all events of a connection but those of an entity that nobody writes.
pub const SILENCE: &str = r#"{"type":"subscribe_entities","entity_ids":["load.silence"]}"#;
/// Length of the event that a create of ours is announced with, in the documented form.
pub const EVENT_LEN: usize = 250;
/// How every event begins that is counted as a delivery.
const EVENT_START: &[u8] = br#"{"type":"state_changed""#;
/// What the bare loop answers an order with.
pub const BARE_REPLY: &[u8] = br#"{"type":"states:create:response","success":true}"#;

/// A command of the states service that is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// `states:create`.
    Create,
    /// `states:get`.
    Get,
}

/// A `states:create` whose event is [`EVENT_LEN`] bytes long for every entity name of up to 64
/// bytes and every `number`.
pub fn create(entity_id: &str, number: u64) -> String {
    let state = state(number);
    let attributes = attributes(entity_id);
    format!(
        r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}","attributes":{attributes}}}"#
    )
}

/// A `states:get`.
pub fn get(entity_id: &str) -> String {
    format!(r#"{{"type":"states:get","entity_id":"{entity_id}"}}"#)
}

/// Whether a text message is a delivery.
pub fn is_event(text: &[u8]) -> bool {
    text.starts_with(EVENT_START)
}

/// What the bare loop sends in place of an event: as long as ours, recognised alike.
pub fn bare_event(len: usize) -> Vec<u8> {
    let mut event = EVENT_START.to_vec();
    event.resize(len.max(EVENT_START.len()), b' ');
    event
}

/// Whether `text` answers `operation`. A refusal, of whatever, is an error: the tool asks for
/// nothing that it may not have.
pub fn is_reply(text: &[u8], operation: Operation) -> Result<bool> {
    let name: &[u8] = match operation {
        Operation::Create => br#""states:create:response""#,
        Operation::Get => br#""states:get:response""#,
    };
    if is_event(text) {
        return Ok(false);
    }
    if contains(text, br#""success":false"#) || contains(text, br#""type":"error""#) {
        bail!("the server refused: {}", String::from_utf8_lossy(text));
    }
    Ok(contains(text, name))
}

fn state(number: u64) -> String {
    format!("{:08}", number % 100_000_000)
}

fn attributes(entity_id: &str) -> String {
    let around = event(entity_id, &state(0), &with_note("")).len();
    with_note(&"n".repeat(EVENT_LEN.saturating_sub(around)))
}

fn with_note(note: &str) -> String {
    format!(r#"{{"unit_of_measurement":"W","friendly_name":"Load","note":"{note}"}}"#)
}

/// The documented event of a create.
fn event(entity_id: &str, state: &str, attributes: &str) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{attributes}}}}}}}"#
    )
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_the_same_length() {
        for (entity_id, number) in
            [(LOAD_ENTITY, 0), (LOAD_ENTITY, u64::MAX), ("a.b", 7), ("sensor.fill_0999999", 7)]
        {
            let event = event(entity_id, &state(number), &attributes(entity_id));
            assert_eq!(event.len(), EVENT_LEN, "{entity_id} {number}");
            assert!(is_event(event.as_bytes()));
        }
        assert_eq!(bare_event(EVENT_LEN).len(), EVENT_LEN);
        assert!(is_event(&bare_event(EVENT_LEN)));
    }

    #[test]
    fn replies_are_told_from_events_and_refusals() {
        use Operation::{Create, Get};
        let created = br#"{"type":"states:create:response","success":true,"data":{}}"#;
        assert!(is_reply(created, Create).unwrap());
        assert!(!is_reply(created, Get).unwrap());
        assert!(is_reply(BARE_REPLY, Create).unwrap());
        assert!(!is_reply(&bare_event(250), Create).unwrap());
        for refusal in [
            &br#"{"type":"states:create:response","success":false,"error":"no"}"#[..],
            br#"{"type":"error","success":false,"error":"Invalid JSON"}"#,
        ] {
            assert!(is_reply(refusal, Create).is_err());
        }
    }
}
