//! Events in which each receiver is told who they are.

use std::{cell::Cell, rc::Rc};

use bellwire_services::kit::{Spelling, Told};
use bellwire_store::change::{Event, Logged, Overflow, Variant};
use bellwire_wire::frame;
use serde_json::value::RawValue;

use super::super::*;
use crate::simulation::socket::{Body, Pipe, SimSocket};

fn entry(name: &'static str, payload: &str) -> Entry {
    let payload = RawValue::from_string(payload.to_owned()).expect("it is JSON");
    let event = Event {
        name: name.into(),
        key: String::new(),
        except: Vec::new(),
        variants: vec![Variant { topics: vec!["person/1".into()], payload }],
        overflow: Overflow::Close,
    };
    Entry::new(Arc::new(Logged { offset: 7, at: 0, event: Some(event), effects: Vec::new() }))
}

/// An event in which each receiver is named, and one that is the same for all.
fn told() -> [Told; 2] {
    [("own", Some("userID")), ("same", None)].map(|(name, own)| Told {
        namespace: "/chat",
        own,
        ..Told::new::<serde_json::Value>(name, Spelling::Spread)
    })
}

#[test]
fn each_receiver_is_named_in_its_own_frame() {
    let speller = Speller::new("ep", told());
    let check = |name, id: &str, payload: &str, shape, expected: &str| {
        let whose = Principal { id: id.into(), ..Principal::nobody() };
        let frame = speller.frame_for(&entry(name, payload), 0, shape, &whose);
        assert_eq!(frame, frame::text(expected), "{name} {payload}");
    };
    let payload = r#"{"a":"b","userID":"","z":1}"#;
    let plain = r#"{"type":"own","a":"b","userID":"17","z":1}"#;
    check("own", "user/17", payload, Shape::Plain, plain);
    let socketio = r#"42["own",{"a":"b","userID":"17","z":1}]"#;
    check("own", "user/17", payload, Shape::Root, socketio);
    let socketio = r#"42/chat,["own",{"a":"b","userID":"17","z":1},"ep.7"]"#;
    check("own", "user/17", payload, Shape::OwnCursor, socketio);
    check("own", "tok_1", payload, Shape::Root, r#"42["own",{"a":"b","userID":"","z":1}]"#);
    check("same", "user/17", payload, Shape::Root, r#"42["same",{"a":"b","userID":"","z":1}]"#);
    // One that says already who it is for.
    let named = r#"{"userID":"2"}"#;
    check("own", "user/17", named, Shape::Root, r#"42["own",{"userID":"2"}]"#);
    // What people say is no key.
    let said = r#"{"a":"\"userID\":\"\"","userID":""}"#;
    let expected = r#"42["own",{"a":"\"userID\":\"\"","userID":"17"}]"#;
    check("own", "user/17", said, Shape::Root, expected);
    // Its length is written in one byte, in two, and in eight.
    for len in [80, 120, 65_480, 65_530] {
        let long = "x".repeat(len);
        let payload = format!(r#"{{"userID":"","a":"{long}"}}"#);
        let expected = format!(r#"42["own",{{"userID":"17","a":"{long}"}}]"#);
        check("own", "user/17", &payload, Shape::Root, &expected);
    }
}

/// Two users hear such an event, and one for all beside it, however little their sockets take at once.
#[test]
fn each_receiver_is_named_however_slow_it_is() {
    for room in [usize::MAX, 0, 1, 30, 60, 90] {
        let recent = Arc::new(Recent::new(0, 10, 1 << 20));
        let speller = Arc::new(Speller::new("ep", told()));
        let mut hub = Hub::new(recent.clone(), speller, Arc::default(), 1 << 20);
        let users = [1, 22].map(|user| {
            let pipe = Pipe::new(Rc::new(Cell::new(0)), room);
            let line = hub.line(SimSocket(pipe.clone()));
            let id = hub.join(line, Shape::Root);
            let held = vec![Held { topic: "person/1".into(), since: 0 }];
            let opening = Opening { held, streams: Streams::one(0), ..Opening::default() };
            let principal = Principal { id: format!("user/{user}"), ..Principal::nobody() };
            assert!(hub.open(id, Arc::new(principal), opening, 0));
            (user, line, pipe)
        });
        for (number, name) in ["same", "own", "own", "same"].into_iter().enumerate() {
            let entry = entry(name, r#"{"userID":"","a":1}"#);
            let logged = Logged { offset: number as u64 + 1, ..(*entry.logged).clone() };
            let entry = Arc::new(Entry::new(Arc::new(logged)));
            recent.append(std::slice::from_ref(&entry));
            hub.publish(&entry, 0);
        }
        hub.flush(0);
        for (user, line, pipe) in users {
            pipe.borrow_mut().room = usize::MAX;
            hub.writable(line, 0);
            let unread = pipe.borrow().unread();
            let frames = pipe.borrow_mut().receive(unread).expect("no frame is torn");
            let told: Vec<String> = frames
                .into_iter()
                .map(|frame| match frame.body {
                    Body::Text(text) => text,
                    Body::Close(code) => code.to_string(),
                })
                .collect();
            let same = r#"42["same",{"userID":"","a":1}]"#.to_owned();
            let own = format!(r#"42["own",{{"userID":"{user}","a":1}}]"#);
            assert_eq!(told, [same.clone(), own.clone(), own, same], "room for {room}");
        }
    }
}
