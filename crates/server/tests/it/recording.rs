//! A recording of a real Home Assistant: through the network, compared event by event, and as the
//! demo replays it.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::Read,
    net::SocketAddr,
    path::PathBuf,
};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{
    harness::Ask,
    process::{self, ANY_PORT, Process, Script},
    traffic,
};

fn file(name: &str) -> PathBuf {
    process::root().join("data/home-assistant").join(name)
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    let gzip = File::open(file(name)).expect("the recording is there");
    GzDecoder::new(gzip).read_to_string(&mut text).expect("it is gzip");
    text
}

#[test]
fn every_change_reaches_every_reader_in_order() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &[]);
    let token = process::token(folder.path(), "admin", 3_600);
    let said = Script::new("replay.mjs")
        .to(server.address(), Some(&token))
        .args(
            [
                ("--initial", "states.json.gz"),
                ("--changes", "changes.jsonl.gz"),
                ("--final", "states-final.json.gz"),
            ]
            .iter()
            .flat_map(|(option, name)| [PathBuf::from(option), file(name)]),
        )
        .passes();
    assert!(said.starts_with("ok: ") && said.contains(" 137 final states equal"), "{said}");
    server.stop();
}

/// Entity id to state and attributes.
type Home = BTreeMap<String, (Value, Value)>;

fn states(name: &str) -> Home {
    let states: Vec<Value> = serde_json::from_str(&unpacked(name)).expect("it is JSON");
    let entry = |state: Value| {
        let id = state["entity_id"].as_str().expect("it has an id").to_owned();
        (id, (state["state"].clone(), state["attributes"].clone()))
    };
    states.into_iter().map(entry).collect()
}

/// The entities that a demo's sensors are.
fn sensors(address: SocketAddr) -> HashSet<String> {
    let sensors = Ask::new(address, "GET", "/api/sensors").expect(200);
    let sensors = sensors["items"].as_array().expect("a list has items").iter();
    sensors.map(|sensor| sensor["entity_id"].as_str().expect("it has one").to_owned()).collect()
}

#[test]
fn the_demo_ends_its_loop_as_the_recording_ends() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    // A place before the demo's first event.
    let server = Process::serve(data, ANY_PORT, &[]);
    let token = process::token(data, "admin", 3_600);
    let mut before = traffic::open(server.address(), &token, "?since=now").expect("it is there");
    let greeting: Value = serde_json::from_str(&before.text()).expect("frames are JSON");
    let cursor = greeting["cursor"].as_str().expect("there is a cursor").to_owned();
    drop(before);
    server.stop();

    let server = Process::serve(data, ANY_PORT, &["--demo", "--demo-speed", "1000"]);
    assert!(server.log().contains("This is a demo"), "{}", server.log());
    let mut reader =
        traffic::open(server.address(), &token, &format!("?since={cursor}")).expect("it is there");
    assert!(reader.text().starts_with(r#"{"type":"resumed""#));
    let mut home = Home::new();
    // Each state of the beginning and each change is one event. The demo's sensors are not of this home.
    let initial = states("states.json.gz");
    let sensors = sensors(server.address());
    for number in 0..initial.len() + unpacked("changes.jsonl.gz").lines().count() {
        if number == initial.len() {
            assert!(home == initial, "the home as it is before the first change");
        }
        let (mut event, entity) = loop {
            let event: Value = serde_json::from_str(&reader.text()).expect("frames are JSON");
            let entity = event["data"]["entity_id"].as_str().expect("it has an id").to_owned();
            if !sensors.contains(&entity) {
                break (event, entity);
            }
        };
        match event["data"]["new_state"].take() {
            Value::Null => home.remove(&entity),
            mut new => home.insert(entity, (new["state"].take(), new["attributes"].take())),
        };
    }
    let last = states("states-final.json.gz");
    let differing: Vec<_> = last.keys().filter(|id| home.get(*id) != last.get(*id)).collect();
    assert!(differing.is_empty() && home.len() == last.len(), "{differing:?}");
    drop(reader);
    server.stop();
}
