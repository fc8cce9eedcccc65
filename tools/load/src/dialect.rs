//! What the tool says to the services of states and of areas, and understands of their answers.

use anyhow::{Result, bail};
use clap::ValueEnum;

/// The plain stream of states: commands in, answers and `state_changed` out.
pub const STATES_PATH: &str = "/api/ws";
/// The Socket.IO namespace of states: the same commands and events.
pub const NAMESPACE: &str = "/states";
/// Where all services are: the path of a plain WebSocket, and the namespace. Paired clients connect
/// there.
pub const EVERYTHING: &str = "/";
/// What who shall hear nothing asks to hear of: an entity that nobody writes.
pub const SILENT_TOPIC: &str = "entity/load.silence";
/// The entity that fan-out is measured with.
pub const LOAD_ENTITY: &str = "sensor.load";
/// Length of the event that a create of ours is announced with, or a change of an area, in the
/// documented form.
pub const EVENT_LEN: usize = 250;
/// How every plain event begins that is counted as a delivery.
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

/// How an endpoint spells commands, answers and events.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Dialect {
    /// Plain WebSocket: an object with a `type`.
    Plain,
    /// Socket.IO v5 on the namespace [`NAMESPACE`].
    #[value(name = "socketio")]
    SocketIo,
}

impl Dialect {
    /// What it is called in front of a row's name.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::SocketIo => "Socket.IO ",
        }
    }

    /// Ends all events of a connection but those of an entity that nobody writes.
    pub fn silence(self) -> &'static str {
        match self {
            Self::Plain => r#"{"type":"subscribe_entities","entity_ids":["load.silence"]}"#,
            // Without an ack id: the only acks that come are those of creates.
            Self::SocketIo => r#"42/states,["subscribe_entities",{"entity_ids":["load.silence"]}]"#,
        }
    }

    /// A `states:create` whose event is [`EVENT_LEN`] bytes long for every entity name of up to
    /// 64 bytes and every `number`, which is also its ack id.
    pub fn create(self, entity_id: &str, number: u64) -> String {
        let state = state(number);
        let attributes = self.attributes(entity_id);
        let fields =
            format!(r#""entity_id":"{entity_id}","state":"{state}","attributes":{attributes}"#);
        match self {
            Self::Plain => format!(r#"{{"type":"states:create",{fields}}}"#),
            Self::SocketIo => format!(r#"42/states,{number}["states:create",{{{fields}}}]"#),
        }
    }

    /// An `areas.change` that asks for an ack, always in Socket.IO, whose event is [`EVENT_LEN`]
    /// bytes long to who speaks this dialect. The area holds [`LOAD_ENTITY`].
    pub fn change(self, area_id: &str, number: u64) -> String {
        let around = self.area_event(area_id, "").len();
        let name = format!("{:0>1$}", state(number), EVENT_LEN.saturating_sub(around));
        format!(r#"42{number}["areas.change",{{"areaId":"{area_id}","name":"{name}"}}]"#)
    }

    /// Whether a text message at [`EVERYTHING`] tells a paired client of a changed area.
    pub fn is_area_event(self, text: &[u8]) -> bool {
        text.starts_with(match self {
            Self::Plain => br#"{"areaId":""#,
            Self::SocketIo => br#"42["area_updated","#,
        })
    }

    /// Whether a text message is a delivery of a state.
    pub fn is_event(self, text: &[u8]) -> bool {
        text.starts_with(match self {
            Self::Plain => EVENT_START,
            Self::SocketIo => br#"42/states,["state_changed","#,
        })
    }

    /// Whether `text` answers `operation`. A refusal, of whatever, is an error: the tool asks for
    /// nothing that it may not have. An ack does not say what it answers: creates alone ask for
    /// one.
    pub fn is_reply(self, text: &[u8], operation: Operation) -> Result<bool> {
        if self.is_event(text) {
            return Ok(false);
        }
        let refusals: &[&[u8]] = match self {
            Self::Plain => &[br#""success":false"#, br#""type":"error""#],
            Self::SocketIo => &[br#""success":false"#, br#"["error","#],
        };
        if refusals.iter().any(|refusal| contains(text, refusal)) {
            bail!("the server refused: {}", String::from_utf8_lossy(text));
        }
        Ok(match (self, operation) {
            (Self::Plain, Operation::Create) => contains(text, br#""states:create:response""#),
            (Self::Plain, Operation::Get) => contains(text, br#""states:get:response""#),
            (Self::SocketIo, _) => text.starts_with(b"43/states,"),
        })
    }

    fn attributes(self, entity_id: &str) -> String {
        let around = self.event(entity_id, &state(0), &with_note("")).len();
        with_note(&"n".repeat(EVENT_LEN.saturating_sub(around)))
    }

    /// The documented event of a create.
    fn event(self, entity_id: &str, state: &str, attributes: &str) -> String {
        let data = format!(
            r#"{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{attributes}}}}}"#
        );
        match self {
            Self::Plain => format!(r#"{{"type":"state_changed","data":{data}}}"#),
            Self::SocketIo => format!(r#"42/states,["state_changed",{data}]"#),
        }
    }

    /// The documented event of a changed area, as a paired client hears it.
    fn area_event(self, area_id: &str, name: &str) -> String {
        let data = format!(
            r#"{{"areaId":"{area_id}","name":"{name}","entityIds":["{LOAD_ENTITY}"],"isEnabled":true,{}}}"#,
            r#""message":"Area has been updated by admin","timestamp":"2026-11-20T14:23:20.123Z""#
        );
        match self {
            Self::Plain => data,
            Self::SocketIo => format!(r#"42["area_updated",{data}]"#),
        }
    }
}

/// Whether `text` is the ack of a [`Dialect::change`]. A refusal is an error.
pub fn is_change_reply(text: &[u8]) -> Result<bool> {
    if !text.starts_with(b"43") {
        return Ok(false);
    }
    if !contains(text, br#"[{"success":true"#) {
        bail!("the server refused: {}", String::from_utf8_lossy(text));
    }
    Ok(true)
}

/// A plain `states:get`.
pub fn get(entity_id: &str) -> String {
    format!(r#"{{"type":"states:get","entity_id":"{entity_id}"}}"#)
}

/// What the bare loop sends in place of an event: as long as ours, recognised alike.
pub fn bare_event(len: usize) -> Vec<u8> {
    let mut event = EVENT_START.to_vec();
    event.resize(len.max(EVENT_START.len()), b' ');
    event
}

fn state(number: u64) -> String {
    format!("{:08}", number % 100_000_000)
}

fn with_note(note: &str) -> String {
    format!(r#"{{"unit_of_measurement":"W","friendly_name":"Load","note":"{note}"}}"#)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_the_same_length() {
        for dialect in [Dialect::Plain, Dialect::SocketIo] {
            for (entity_id, number) in
                [(LOAD_ENTITY, 0), (LOAD_ENTITY, u64::MAX), ("a.b", 7), ("sensor.fill_0999999", 7)]
            {
                let attributes = dialect.attributes(entity_id);
                let event = dialect.event(entity_id, &state(number), &attributes);
                assert_eq!(event.len(), EVENT_LEN, "{dialect:?} {entity_id} {number}");
                assert!(dialect.is_event(event.as_bytes()));
                assert!(dialect.create(entity_id, number).contains(&attributes));
            }
        }
        assert_eq!(bare_event(EVENT_LEN).len(), EVENT_LEN);
        assert!(Dialect::Plain.is_event(&bare_event(EVENT_LEN)));
    }

    #[test]
    fn a_changed_area_is_told_in_as_many_bytes() {
        for dialect in [Dialect::Plain, Dialect::SocketIo] {
            for (area_id, number) in [("area_1", 0), ("area_1", u64::MAX), ("area_12345", 7)] {
                let change = dialect.change(area_id, number);
                let (_, name) = change.split_once(r#""name":""#).unwrap();
                let name = name.strip_suffix(r#""}]"#).unwrap();
                assert!((8..=128).contains(&name.len()), "{name}");
                let event = dialect.area_event(area_id, name);
                assert_eq!(event.len(), EVENT_LEN, "{dialect:?} {area_id} {number}");
                assert!(dialect.is_area_event(event.as_bytes()));
            }
        }
        assert!(is_change_reply(br#"437[{"success":true,"data":{"id":"area_1"}}]"#).unwrap());
        assert!(!is_change_reply(br#"42["area_updated",{"areaId":"area_1"}]"#).unwrap());
        assert!(is_change_reply(br#"437[{"error":"Forbidden","code":"FORBIDDEN"}]"#).is_err());
    }

    #[test]
    fn replies_are_told_from_events_and_refusals() {
        use Operation::{Create, Get};
        let plain = Dialect::Plain;
        let created = br#"{"type":"states:create:response","success":true,"data":{}}"#;
        assert!(plain.is_reply(created, Create).unwrap());
        assert!(!plain.is_reply(created, Get).unwrap());
        assert!(plain.is_reply(BARE_REPLY, Create).unwrap());
        assert!(!plain.is_reply(&bare_event(250), Create).unwrap());
        for refusal in [
            &br#"{"type":"states:create:response","success":false,"error":"no"}"#[..],
            br#"{"type":"error","success":false,"error":"Invalid JSON"}"#,
        ] {
            assert!(plain.is_reply(refusal, Create).is_err());
        }
    }

    #[test]
    fn acks_are_told_from_events_and_refusals() {
        let is_reply = |text: &str| Dialect::SocketIo.is_reply(text.as_bytes(), Operation::Create);
        for (text, is_ack) in [
            (r#"43/states,7[{"success":true,"data":{}}]"#, true),
            (r#"42/states,["state_changed",{"entity_id":"a.b"}]"#, false),
            (r#"42/states,["states:snapshot",{"success":true,"data":[]}]"#, false),
        ] {
            assert_eq!(is_reply(text).unwrap(), is_ack, "{text}");
        }
        assert!(is_reply(r#"43/states,7[{"success":false,"error":"no"}]"#).is_err());
        assert!(is_reply(r#"42/states,["error",{"error":"no"}]"#).is_err());
    }
}
