//! The generated contract is what the code says, and what the server says fits it.
//!
//! | module | what is in it |
//! |---|---|
//! | `heard` | what the tests' own client hears, compared with the contract, in whatever test |
//! | `schema` | values compared with schemas |

mod heard;
mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use bellwire::contract::{self, Contract};
use serde_json::{Value, json};

pub use heard::heard;

use crate::{
    document::{Document, Example, Step},
    harness::{Over, Server},
    process::{self, Script},
};

fn of_the_code() -> Contract {
    Contract::of(bellwire_services::all())
}

#[test]
fn the_files_are_what_the_code_says() {
    let contract = of_the_code();
    for (path, said) in [
        ("clients/js/src/events.d.ts", contract::typescript(&contract)),
        ("contract/asyncapi.json", contract::asyncapi(&contract)),
    ] {
        let committed = fs::read_to_string(process::root().join(path)).unwrap_or_default();
        let line =
            (1..).zip(committed.lines().zip(said.lines())).find(|(_, (old, new))| old != new);
        assert!(
            committed == said,
            "{path} is not what the code says: run `cargo xtask contract`. First: {line:?}"
        );
    }
}

fn document() -> Value {
    serde_json::from_str(&contract::asyncapi(&of_the_code())).expect("it is JSON")
}

/// What a reference leads to.
fn followed<'a>(document: &'a Value, reference: &Value) -> Option<&'a Value> {
    document.pointer(reference.as_str()?.strip_prefix('#')?)
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| match &**key {
            "$ref" => found.push(value),
            _ => references(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn all_that_is_declared_has_its_place() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    let lost: Vec<_> =
        found.iter().filter(|reference| followed(&document, reference).is_none()).collect();
    assert!(found.len() > 300 && lost.is_empty(), "{} references, lost: {lost:?}", found.len());

    let object = |value: &'_ Value| value.as_object().expect("it is an object").clone();
    let channels = object(&document["channels"]);
    let operations = object(&document["operations"]);
    let heard = operations.values().filter_map(|operation| operation["channel"]["$ref"].as_str());
    let heard: BTreeSet<&str> = heard.collect();
    assert_eq!(heard.len(), channels.len(), "each channel has its operation");
    let addresses: BTreeSet<&str> =
        channels.values().map(|c| c["address"].as_str().expect("a text")).collect();
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let services = bellwire_services::all();
    for service in &services {
        for stream in &service.streams {
            assert!(addresses.contains(stream.path), "{} is no channel", stream.path);
        }
        if let Some(namespace) = &service.namespace {
            assert!(addresses.contains(namespace.path), "{} is no channel", namespace.path);
        }
        for event in &service.events {
            told.entry(event.name.to_owned()).or_default().push(service.name);
        }
    }
    let messages = object(&document["components"]["messages"]);
    let of = |message: &Value| -> Vec<String> {
        let tags = message["tags"].as_array().into_iter().flatten();
        tags.map(|tag| tag["name"].as_str().expect("a text").to_owned()).collect()
    };
    for (name, services) in &told {
        let [service] = services[..] else { panic!("{name} is told by {services:?}") };
        let key = if name.ends_with('-') { format!("{name}ID") } else { name.clone() };
        for key in [key.clone(), format!("{key}.argument")] {
            assert_eq!(of(&messages[&key]), [service, "event"], "{key}");
        }
    }
    let is_event = |(key, message): &(&String, &Value)| {
        of(message).contains(&"event".to_owned()) && key.ends_with(".argument")
    };
    assert_eq!(messages.iter().filter(is_event).count(), told.len());
    let said: BTreeSet<String> = channels
        .values()
        .flat_map(|channel| object(&channel["messages"]).keys().cloned().collect::<Vec<_>>())
        .collect();
    let unheard: Vec<&String> = messages.keys().filter(|key| !said.contains(*key)).collect();
    assert!(unheard.is_empty(), "{unheard:?} are in no channel");
}

/// A payload that would be ambiguous is declared nested, as the wire spells it.
#[test]
fn spread_payloads_can_be_spread() {
    let schemas = schema::Schemas::new(document());
    let messages = &schemas.document["components"]["messages"];
    let messages = messages.as_object().expect("it is one");
    for (key, message) in messages.iter().filter(|(key, _)| key.ends_with(".argument")) {
        let frame = &messages[key.trim_end_matches(".argument")]["payload"];
        let keys = schemas.keys(&message["payload"]);
        let is_ambiguous =
            keys.is_none_or(|keys| keys.iter().any(|k| k == "type" || k == "cursor"));
        assert!(!is_ambiguous || frame.get("allOf").is_none(), "{key}");
    }
}

/// What the document's examples show, as constants of TypeScript; how many of each name.
fn samples() -> (String, BTreeMap<String, usize>) {
    let mut text = "import type { Messages, SocketIoEvents } from './events.d.ts';\n".to_owned();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |list: &str, name: &str, json: &str| {
        let number = names.values().sum::<usize>();
        text += &format!("export const s{number}: {list}['{name}'] = {json};\n");
        *names.entry(name.to_owned()).or_default() += 1;
    };
    let examples = Document::read().chapters.into_iter().flat_map(|chapter| chapter.examples);
    for example in examples {
        let (is_plain, steps) = match example {
            Example::Plain(steps) => (true, steps),
            Example::SocketIo(steps) => (false, steps),
            Example::Http(_) => continue,
        };
        for (_, step) in steps {
            let Step::Hear(text) = step else { continue };
            if is_plain {
                let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                // Where frames are bare they are objects without one.
                frame["type"].as_str().into_iter().for_each(|name| add("Messages", name, &text));
            } else if let Some(heard::Packet { name, arguments, asks: false, .. }) =
                heard::Packet::parse(&text)
            {
                let list = serde_json::to_string(&arguments).expect("it was JSON");
                add("SocketIoEvents", &name, &list);
            }
        }
    }
    (text, names)
}

#[test]
fn other_programs_take_it() {
    let contract = of_the_code();
    let folder = tempfile::tempdir().expect("a directory can be made");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("it can be written");
        path
    };
    let (samples, names) = samples();
    for event in bellwire_services::all().iter().flat_map(|service| &service.events) {
        let is_there =
            names.keys().any(|name| bellwire_services::kit::declared(name) == event.name);
        // Who comes and goes is told in its own time.
        assert!(is_there || event.name == "clients_present", "no example of {}", event.name);
    }
    write("events.d.ts", &contract::typescript(&contract));
    let samples = write("samples.ts", &samples);
    let document = write("asyncapi.json", &contract::asyncapi(&contract));
    let script = Script::new("contract.mjs").args(["--samples".as_ref(), samples.as_os_str()]);
    let said = script.args(["--document".as_ref(), document.as_os_str()]).passes();
    assert!(said.ends_with("ok: TypeScript and AsyncAPI are what they should be\n"), "{said}");
}

/// A demo talks by itself. What is heard there fits the contract, as the client looks at it itself; here it is waited for.
#[test]
fn a_demo_says_what_is_declared() {
    let server = Server::demo();
    let token = server.sign_in("admin", "demo");
    for (target, name, count) in [
        ("/api/ws?since=now", "state_changed", 30),
        ("/ws/sensor-data/?snapshot=1&since=now", "sensor_data_update", 10),
        ("/ws/sensor-data/?every=1s&agg=minmax", "sensor_data_update", 3),
        ("/ws/sensor/1/?batch=1", "sensor_data_update", 1),
    ] {
        let mut client = server.dial(target).bearer(&token).open();
        let begins = format!(r#"{{"type":"{name}""#);
        let mut heard = 0;
        while heard < count {
            heard += usize::from(client.text().starts_with(&begins));
        }
    }
    let mut session = server.socket_io().open(Over::Socket);
    session.enter("/states", &json!({ "token": token, "recover": true }));
    for _ in 0..10 {
        let packet = session.packet();
        assert!(packet.starts_with(r#"42/states,["state_changed",{"#), "{packet}");
    }
}
