//! Whatever the tests' client hears from a server fits the contract, in each test that uses it.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use bellwire_services::kit::declared;
use serde_json::Value;

use super::{document, schema::Schemas};
use crate::protocol::is_at;

/// What is told on each channel. Read once, and only read.
static CONTRACT: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(document()));

/// What a conformance server says of its own, and services that tests make up (`guests`).
const OTHERS: [&str; 3] = ["auth", "message-back", "boards_noted"];

/// So many texts of a kind are compared in a test, then one in so many: some hear many thousands, and time is measured.
const COMPARED: u32 = 64;

/// How many texts of each kind were heard. All readers of a test count here, each for a moment.
static HEARD: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

/// Whether it is the turn of a text of this kind to be compared.
fn is_compared(kind: &str) -> bool {
    let mut heard = HEARD.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let count = match heard.get_mut(kind) {
        Some(count) => {
            *count += 1;
            *count
        }
        None => *heard.entry(kind.to_owned()).or_insert(1),
    };
    count <= COMPARED || count.is_multiple_of(COMPARED)
}

/// What a text begins with that tells its kind: to the end of its name, or of its first key.
fn kind(text: &str) -> &str {
    let head = &text[..text.floor_char_boundary(40)];
    let mut begins = ["{\"type\":\"", "[\""].iter();
    let from = begins.find_map(|begin| Some(head.find(begin)? + begin.len()));
    let from = from.unwrap_or(2).min(text.len());
    let len = text.get(from..).and_then(|rest| rest.find('"'));
    &text[..len.map_or(text.len(), |len| from + len)]
}

/// Compares a text that came on a connection to this request target with what may be told there. Where the server has
/// no channel, nothing is.
#[track_caller]
pub fn heard(target: &str, text: &str) {
    if !is_compared(kind(text)) {
        return;
    }
    let path = target.split('?').next().unwrap_or_default();
    let result = match path.trim_end_matches('/') {
        "/socket.io" => Packet::parse(text).map_or(Ok(()), |packet| packet.fits()),
        path => frame(path, text),
    };
    if let Err(why) = result {
        panic!("this is not what the contract says of {target}: {text}\n{why}");
    }
}

/// The schemas of what is told on a channel, with their names.
fn told(
    address: impl Fn(&str) -> bool,
    is_plain: bool,
) -> Option<Vec<(&'static str, &'static Value)>> {
    let channel = CONTRACT.document["channels"].as_object()?.values().find(|channel| {
        let server = channel["servers"][0]["$ref"].as_str().unwrap_or_default();
        (server == "#/servers/plain") == is_plain
            && address(channel["address"].as_str().unwrap_or_default())
    })?;
    let messages = channel["messages"].as_object()?.keys();
    let all = &CONTRACT.document["components"]["messages"];
    Some(
        messages
            .map(|key| (all[key]["name"].as_str().unwrap_or_default(), &all[key]["payload"]))
            .collect(),
    )
}

/// Whether something is told under the name of a message.
fn is_named(of_message: &str, name: &str) -> bool {
    match (of_message.strip_suffix("ID"), of_message.strip_prefix("CALL")) {
        (Some(stem), _) if stem.ends_with('-') => declared(name) == stem,
        (_, Some(end)) => name.ends_with(end),
        _ => of_message == name,
    }
}

/// Whether one of these schemas fits; if none does, why.
fn one_fits<'a>(schemas: impl Iterator<Item = &'a Value>, value: &Value) -> Result<(), String> {
    let mut why = Vec::new();
    for schema in schemas {
        match CONTRACT.check(schema, value) {
            Ok(()) => return Ok(()),
            Err(this) => why.push(this),
        }
    }
    Err(if why.is_empty() { "nothing is told under this name".to_owned() } else { why.join("\n") })
}

fn frame(path: &str, text: &str) -> Result<(), String> {
    let at = |address: &str| is_at(address.trim_end_matches('/'), path);
    let Some(told) = told(at, true) else { return Ok(()) };
    let frame: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(name) = frame["type"].as_str() else {
        return one_fits(told.iter().map(|(_, schema)| *schema), &frame);
    };
    let named = told.iter().filter(|(of_message, _)| is_named(of_message, name));
    one_fits(named.map(|(_, schema)| *schema), &frame)
}

/// A packet of Socket.IO that is an event.
pub struct Packet {
    /// The namespace.
    pub namespace: String,
    /// The event.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// Whether it asks for an acknowledgement.
    pub asks: bool,
}

impl Packet {
    /// The event in a text message; `None` if it is another packet.
    pub fn parse(text: &str) -> Option<Packet> {
        let rest = text.strip_prefix("42")?;
        let (namespace, rest) = match rest.starts_with('/') {
            true => rest.split_once(',')?,
            false => ("/", rest),
        };
        let list = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let asks = list.len() < rest.len();
        let mut arguments: Vec<Value> = serde_json::from_str(list).ok()?;
        let name = arguments.remove(0).as_str()?.to_owned();
        Some(Packet { namespace: namespace.to_owned(), name, arguments, asks })
    }

    fn fits(mut self) -> Result<(), String> {
        let Some(known) = told(|address| address == self.namespace, false) else { return Ok(()) };
        if OTHERS.contains(&&*self.name) {
            return Ok(());
        }
        let Some(payload) = self.arguments.first_mut() else {
            return Err("there is no payload".to_owned());
        };
        if self.asks
            && payload.as_object_mut().and_then(|keys| keys.shift_remove("eventId")).is_none()
        {
            return Err("it has no eventId".to_owned());
        }
        let payload = &self.arguments[0];
        let named = known.iter().filter(|(of_message, _)| is_named(of_message, &self.name));
        one_fits(named.map(|(_, schema)| *schema), payload)?;
        match &self.arguments[1..] {
            [] => Ok(()),
            [Value::String(_)] if !self.asks => Ok(()),
            others => Err(format!("{others:?} is no offset")),
        }
    }
}

#[test]
fn texts_are_of_kinds() {
    for (text, expected) in [
        (r#"{"type":"pong","timestamp":1}"#, r#"{"type":"pong"#),
        (r#"42["notification",{"title":"a"}]"#, r#"42["notification"#),
        (r#"42/areas,["area_added",{"areaId":"area_1"},"e.1"]"#, r#"42/areas,["area_added"#),
        (r#"{"areaId":"area_1","name":"[\"a"}"#, r#"{"areaId"#),
        ("40", "40"),
        ("2", "2"),
        ("", ""),
    ] {
        assert_eq!(kind(text), expected);
    }
}
