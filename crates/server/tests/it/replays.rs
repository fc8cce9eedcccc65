//! Replays from disk have a lane of their own: whoever else connects or asks does not wait for them.

use std::{
    net::Ipv4Addr,
    sync::{Arc, mpsc},
};

use bellwire::{
    app::Core,
    door::{Guests, Hears, Tuning, Wish},
    hub::recent::Recent,
    opening::{Credential, Since},
};
use bellwire_services::kit::{Payload, Principal, Settings};
use serde_json::{Value, json};

use crate::harness::DEADLINE;

/// Clients that come back with a cursor that memory does not reach.
const RESUMES: usize = 100;

fn payload(value: Value) -> Payload {
    match value {
        Value::Object(payload) => payload,
        other => panic!("{other} is no payload"),
    }
}

#[test]
fn queries_and_new_connections_do_not_wait_for_replays() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let mut core = Core::open(folder.path(), Guests::Everywhere, Settings::default(), Vec::new())
        .expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it can be made");
    let operator = || Arc::new(Principal::operator());
    for number in 0..5 {
        let create = json!({ "entity_id": "light.a", "state": number.to_string() });
        let made = core.door.ask("states:create", payload(create), operator());
        runtime.block_on(made).expect("it is made");
    }
    let epoch = core.door.store.epoch().to_owned();
    let door = Arc::get_mut(&mut core.door).expect("nobody else has it");
    // As if what followed the first two had left memory.
    door.recent = Arc::new(Recent::new(5, 1, 1));
    let door = core.door.clone();

    let (leave, left) = mpsc::channel::<()>();
    let (enter, entered) = mpsc::channel();
    let held = door.store.replay(Box::new(move |_| {
        enter.send(()).expect("the test listens");
        let _ = left.recv();
    }));
    assert!(held.is_ok());
    entered.recv_timeout(DEADLINE).expect("the lane is taken");
    let (tell, told) = mpsc::channel();
    let wanted = Arc::new(());
    let connect = |name: String, since: Since| {
        let tell = tell.clone();
        let answer = move |opened: Result<bellwire::opening::Opened, _>| {
            let opened = opened.expect("guests are admitted");
            tell.send((name, opened.opening.rows.len())).expect("the test listens");
        };
        let queued = door.connect(
            Credential::Guest(Ipv4Addr::LOCALHOST.into()),
            Wish { hears: Hears::Stream(Tuning::all(0)), asks: false },
            since,
            Arc::downgrade(&wanted),
            answer,
        );
        queued.expect("there is room");
    };
    let cursor = |offset: u64| Since::Cursor(format!("{epoch}.{offset}"));
    (0..RESUMES).for_each(|number| connect(format!("resume {number}"), cursor(2)));
    assert_eq!(door.store.replay_queue_len(), RESUMES);

    // Others are answered meanwhile: those without a cursor, with one that is of no use, with one that
    // memory reaches, and a query.
    for (name, since) in [
        ("new", Since::Now),
        ("plain", Since::Unasked),
        ("other", Since::Cursor("other.2".into())),
        ("wrong", Since::Cursor("wrong".into())),
        ("newest", cursor(5)),
        ("future", cursor(u64::MAX)),
    ] {
        connect(name.into(), since);
        assert_eq!(told.recv_timeout(DEADLINE), Ok((name.into(), 0)));
    }
    let get = door.ask("states:get", payload(json!({ "entity_id": "light.a" })), operator());
    assert!(runtime.block_on(get).expect("it is there").get().contains(r#""state":"4""#));
    assert_eq!(door.store.replay_queue_len(), RESUMES, "not one of them was answered before");

    drop(leave);
    for number in 0..RESUMES {
        assert_eq!(told.recv_timeout(DEADLINE), Ok((format!("resume {number}"), 3)));
    }
    drop(door);
    core.close().expect("it closes");
}
