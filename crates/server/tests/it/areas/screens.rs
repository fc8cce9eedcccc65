//! Paired screens hear and read the states of what is in their enabled areas, and of nothing else.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::{
    Paired,
    ear::{Ear, FENCE, Form, Scene, area, connected, state_changed, timeless},
};
use crate::harness::{Over, Server, until};

const LIGHT: &str = "light.kitchen";
const LOCK: &str = "lock.kitchen";
const ATTIC: &str = "light.attic";

/// A scene whose screen has the Kitchen, with light and lock, not the Attic; both areas, and the screen.
fn kitchen() -> (Scene, [String; 2], Paired) {
    let scene = Scene::new();
    let areas = [("Kitchen", &[LIGHT, LOCK][..]), ("Attic", &[ATTIC])]
        .map(|(name, ids)| scene.house.area(name, ids));
    let screen = scene.pair("Tablet", &[&areas[0]]);
    [LIGHT, LOCK, ATTIC].iter().for_each(|id| scene.state(id, "first"));
    (scene, areas, screen)
}

/// Events of states alone: what areas are told of is tested elsewhere.
fn states(told: Vec<String>) -> Vec<String> {
    told.into_iter().filter(|text| text.contains("state_changed")).collect()
}

/// A session on `/` that hears of states, as it begins to by its first call.
fn listening(scene: &Scene, screen: &Paired, over: Over) -> Ear {
    let mut ear = Ear::open(&scene.house.server, &screen.token, Form::SocketIo("/", over));
    ear.send(r#"421["states:get",{"entity_id":"light.none"}]"#);
    assert_eq!(ear.raw(), r#"431[{"success":false,"error":"State not found: light.none"}]"#);
    ear
}

#[test]
fn states_are_heard_from_the_first_call_on() {
    let (scene, _, screen) = kitchen();
    let first_calls: [(&str, &str); 5] = [
        (r#"["subscribe_entities",{}]"#, r#""success":true"#),
        (r#"["states:get",{"entity_id":"light.kitchen"}]"#, r#""success":true"#),
        (r#"["states:get",{}]"#, r#""success":false"#),
        (r#"["states:update",{"state_id":1,"state":"x"}]"#, r#""error":"Forbidden""#),
        (r#"["subscribe",{"topics":["states"]}]"#, r#""topics":["areas","states"]"#),
    ];
    for (turn, (call, answer)) in first_calls.into_iter().enumerate() {
        for over in Over::BOTH {
            let mut ear = Ear::open(&scene.house.server, &screen.token, Form::SocketIo("/", over));
            scene.state(LIGHT, "unheard");
            // A name that is nobody's is no call of states.
            assert_eq!(states(ear.told()), [""; 0]);
            assert_eq!(states(ear.before(&scene.fence())), [""; 0], "{call}");
            ear.send(&format!("421{call}"));
            let told = ear.raw();
            assert!(told.starts_with("431[") && told.contains(answer), "{told}");
            assert!(!told.contains("attic"), "{told}");
            let state = format!("{turn}");
            [LIGHT, ATTIC].iter().for_each(|id| scene.state(id, &state));
            let heard = states(ear.before(&scene.fence()));
            assert_eq!(heard, [state_changed("/", LIGHT, &state)], "{call}");
        }
    }
    // In the namespace of states they are from the beginning.
    let form = Form::SocketIo("/states", Over::Socket);
    let mut ear = Ear::open(&scene.house.server, &screen.token, form);
    [LIGHT, ATTIC, LOCK].iter().for_each(|id| scene.state(id, "own"));
    let heard = [LIGHT, LOCK].map(|id| state_changed("/states", id, "own"));
    assert_eq!([ear.raw(), ear.raw()], heard);
    // And on the plain endpoint of states.
    let mut plain = scene.house.server.dial("/api/ws").bearer(&screen.token).open();
    assert_eq!(plain.told(), [""; 0]);
    [ATTIC, LOCK].iter().for_each(|id| scene.state(id, "plain"));
    plain.hears(r#"{"type":"state_changed","data":{"entity_id":"lock.kitchen","new_state":{"state":"plain","attributes":{}}}}"#);
}

/// A screen that picks entities hears of its areas as before, and can come back.
#[test]
fn a_filter_of_states_leaves_areas_alone() {
    let (scene, _, screen) = kitchen();
    let auth = json!({ "token": screen.token, "recover": true });
    let mut session = scene.house.server.socket_io().open(Over::Socket);
    let told = session.enter("/", &auth);
    let mut ear = Ear::of(session, "/", Over::Socket);
    let filter = json!({ "entity_ids": [LIGHT, ATTIC] });
    ear.send(&format!(r#"421["subscribe_entities",{filter}]"#));
    let answer = ear.raw();
    assert!(answer.starts_with(r#"431[{"success":true,"data":[{"#), "{answer}");
    assert!(!answer.contains("attic") && !answer.contains("lock"), "{answer}");
    let happens = |state: &str| {
        [LOCK, LIGHT, ATTIC].iter().for_each(|id| scene.state(id, state));
        scene.fence()
    };
    let heard = |packet: &str| packet.rsplit_once(r#",""#).expect("an offset").0.to_owned() + "]";
    happens("1");
    assert_eq!(heard(&ear.raw()), state_changed("/", LIGHT, "1"));
    let last = ear.raw();
    assert!(last.starts_with(r#"42["area_updated",{"areaId":"area_1","#), "{last}");
    let offset = last.rsplit('"').nth(1).expect("an offset").to_owned();
    drop(ear);
    happens("2");
    let mut session = scene.house.server.socket_io().open(Over::Socket);
    let auth =
        json!({ "token": screen.token, "recover": true, "pid": told["pid"], "offset": offset });
    assert_eq!(session.enter("/", &auth)["pid"], told["pid"], "it goes on");
    let ear = Ear::of(session, "/", Over::Socket);
    assert_eq!(ear.first.len(), 3, "{:?}", ear.first);
    assert_eq!(heard(&ear.first[1]), state_changed("/", LIGHT, "2"));
    assert!(
        ear.first[2].starts_with(r#"42["area_updated",{"areaId":"area_1","#),
        "{:?}",
        ear.first
    );
}

/// So does one that names an entity beside its areas, at once or later.
#[test]
fn an_entity_is_a_topic_beside_areas() {
    let (scene, _, screen) = kitchen();
    let named = json!({ "token": screen.token, "topics": ["areas", "entity/light.kitchen"] });
    let unasked = json!({ "token": screen.token });
    for (auth, over, later) in [
        (&named, Over::Socket, false),
        (&unasked, Over::Polling, true),
        (&unasked, Over::Socket, true),
    ] {
        let mut ear = Ear::come(&scene.house.server, "/", over, auth);
        if later {
            ear.send(r#"421["subscribe",{"topics":["entity/light.kitchen"]}]"#);
            let answer = r#"431[{"success":true,"topics":["areas","entity/light.kitchen"]}]"#;
            assert_eq!(ear.raw(), answer);
        }
        let states: Vec<String> = (0..3)
            .flat_map(|n| {
                let state = format!("{n}");
                [LOCK, LIGHT, ATTIC].iter().for_each(|id| scene.state(id, &state));
                let fence = scene.fence();
                ear.before(&fence)
            })
            .collect();
        let expected = ["0", "1", "2"].map(|state| state_changed("/", LIGHT, state));
        assert_eq!(states, expected, "{auth} {over:?}");
    }
}

/// What an admin does to areas under a live connection, and which of the three entities are heard from then on.
#[test]
fn what_is_heard_follows_the_areas() {
    let (scene, [kitchen, attic], screen) = kitchen();
    let mut ears: Vec<Ear> =
        Over::BOTH.map(|over| listening(&scene, &screen, over)).into_iter().collect();
    for ear in &mut ears {
        ear.send(r#"422["subscribe_entities",{}]"#);
        assert!(ear.raw().starts_with("432["));
    }
    let own = Form::SocketIo("/states", Over::Socket);
    let mut own = Ear::open(&scene.house.server, &screen.token, own);
    let filtered = json!({ "entity_ids": [LIGHT, ATTIC] });
    let mut filter = listening(&scene, &screen, Over::Socket);
    filter.send(&format!(r#"423["subscribe_entities",{filtered}]"#));
    assert!(filter.raw().starts_with("433["));
    let of = |id: &str| format!("/api/areas/{id}");
    let to_client = |id: &str| format!("/api/clients/{}/areas/{id}", screen.id);
    let is_enabled = |on: bool| json!({ "isEnabled": on });
    let rows: Vec<(&str, String, Value, &[&str])> = vec![
        ("PATCH", of(&kitchen), json!({}), &[LIGHT, LOCK]),
        ("PATCH", of(&kitchen), is_enabled(false), &[]),
        ("PATCH", of(&kitchen) + "/toggle", Value::Null, &[LIGHT, LOCK]),
        ("PUT", to_client(&attic), Value::Null, &[LIGHT, LOCK, ATTIC]),
        ("DELETE", to_client(&kitchen), Value::Null, &[ATTIC]),
        ("PATCH", of(&kitchen), json!({ "entityIds": [LIGHT] }), &[ATTIC]),
        ("PUT", to_client(&kitchen), Value::Null, &[LIGHT, ATTIC]),
        ("PATCH", of(&attic), json!({ "entityIds": [LIGHT, LOCK] }), &[LIGHT, LOCK]),
        // In two areas: heard once, and as long as one is enabled.
        ("PATCH", of(&attic), is_enabled(false), &[LIGHT]),
        ("PATCH", of(&kitchen), is_enabled(false), &[]),
        ("PATCH", of(&attic), is_enabled(true), &[LIGHT, LOCK]),
        ("DELETE", of(&attic), Value::Null, &[]),
        ("PATCH", of(&kitchen), json!({ "isEnabled": true, "entityIds": [ATTIC] }), &[ATTIC]),
        ("PUT", format!("/api/clients/{}/areas", screen.id), json!({ "areaIds": [FENCE] }), &[]),
    ];
    for (turn, (method, path, body, audible)) in rows.iter().enumerate() {
        let ask = scene.house.ask(method, path);
        let ask = if body.is_null() { ask } else { ask.json(body) };
        assert!(matches!(ask.send().status, 200 | 204), "{method} {path}");
        let state = format!("{turn}");
        [LIGHT, LOCK, ATTIC].iter().for_each(|id| scene.state(id, &state));
        let fence = scene.fence();
        let events = |namespace: &str, only: &[&str]| -> Vec<String> {
            let heard = audible.iter().filter(|id| only.contains(id));
            heard.map(|id| state_changed(namespace, id, &state)).collect()
        };
        for ear in &mut ears {
            let heard = states(ear.before(&fence));
            assert_eq!(heard, events("/", &[LIGHT, LOCK, ATTIC]), "{method} {path} {body}");
        }
        let heard = states(filter.session().told("/"));
        assert_eq!(heard, events("/", &[LIGHT, ATTIC]), "{method} {path} {body}");
        let all = events("/states", &[LIGHT, LOCK, ATTIC]);
        let heard = own.session().told("/states");
        assert_eq!(heard, all, "{method} {path} {body}");
        reads(&scene.house.server, &screen, audible);
    }
}

/// Over REST a screen reads the same, and writes nothing.
#[track_caller]
fn reads(server: &Server, screen: &Paired, audible: &[&str]) {
    let ask = |method: &str, path: &str| server.ask(method, path).bearer(&screen.token);
    let list = ask("GET", "/api/states").expect(200);
    let ids: Vec<&str> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["entity_id"].as_str().expect("it is of an entity"))
        .collect();
    let mut expected = audible.to_vec();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    for (entity_id, state_id) in [(LIGHT, 1), (LOCK, 2), (ATTIC, 3)] {
        let path = format!("/api/states/{entity_id}");
        let rows =
            [path.clone(), format!("{path}/history"), format!("/api/states/by-id/{state_id}")];
        for path in rows {
            match audible.contains(&entity_id) {
                true => drop(ask("GET", &path).expect(200)),
                false if path.ends_with("history") => {
                    let answer = ask("GET", &path).send();
                    let is_empty = answer.status == 404 || answer.json()["items"] == json!([]);
                    assert!(is_empty, "{path}: {answer:?}");
                }
                false => drop(ask("GET", &path).refused(404, "NOT_FOUND")),
            }
        }
        ask("POST", &path).json(&json!({ "state": "mine" })).refused(403, "FORBIDDEN");
        let answer = ask("DELETE", &path).send();
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
    }
}

/// Who listens to areas alone never hears of a state, whatever it is given.
#[test]
fn areas_alone_bring_no_states() {
    let (scene, [kitchen, attic], screen) = kitchen();
    let mut ears: Vec<Ear> = Form::ALL
        .into_iter()
        .map(|form| Ear::open(&scene.house.server, &screen.token, form))
        .collect();
    let changes = [
        ("PUT", format!("/api/clients/{}/areas/{attic}", screen.id), Value::Null),
        ("PATCH", format!("/api/areas/{attic}"), json!({ "entityIds": [ATTIC, LIGHT] })),
        ("PATCH", format!("/api/areas/{kitchen}/toggle"), Value::Null),
        ("PATCH", format!("/api/areas/{kitchen}/toggle"), Value::Null),
        ("DELETE", format!("/api/clients/{}/areas/{kitchen}", screen.id), Value::Null),
        ("PUT", format!("/api/clients/{}/areas/{kitchen}", screen.id), Value::Null),
    ];
    for (method, path, body) in changes {
        let ask = scene.house.ask(method, &path);
        let ask = if body.is_null() { ask } else { ask.json(&body) };
        assert!(matches!(ask.send().status, 200 | 204), "{method} {path}");
        [LIGHT, LOCK, ATTIC].iter().for_each(|id| scene.state(id, "canary"));
        let fence = scene.fence();
        for ear in &mut ears {
            let told = ear.before(&fence);
            assert!(told.iter().all(|text| !text.contains("canary")), "{:?}: {told:?}", ear.form);
        }
    }
    // Nor does one who listens to no topic, or to the states of another's.
    let none = json!({ "token": screen.token, "topics": [] });
    let mut deaf = Ear::come(&scene.house.server, "/", Over::Socket, &none);
    [LIGHT, ATTIC].iter().for_each(|id| scene.state(id, "canary"));
    scene.house.assign(&screen.id, &[FENCE, &kitchen]);
    assert_eq!(deaf.told(), [""; 0]);
}

/// A writer that waits for nobody, and an admin who takes the area away and gives it back, or switches it: between
/// the two nothing is heard of what is in it, and before and behind them nothing is missing.
#[test]
fn rights_hold_beside_others_who_write() {
    const TURNS: usize = 12;
    for takes in [true, false] {
        let (scene, [kitchen, _], screen) = kitchen();
        let house = &scene.house;
        let auth = json!({ "token": screen.token, "topics": ["areas", "states"] });
        let mut ear = Ear::come(&house.server, "/", Over::Socket, &auth);
        let (stops, written) = (AtomicBool::new(false), AtomicUsize::new(0));
        let fence = thread::scope(|threads| {
            threads.spawn(|| {
                let mut writer = house.server.quiet_admin();
                for n in 0.. {
                    writer.ask(&format!(
                        r#"{{"type":"states:create","entity_id":"{LIGHT}","state":"n{n}"}}"#
                    ));
                    written.store(n, Ordering::SeqCst);
                    if stops.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
            for turn in 0..TURNS {
                let before = written.load(Ordering::SeqCst);
                until("the writer writes", || written.load(Ordering::SeqCst) > before + 3);
                match (takes, turn % 2) {
                    (true, 0) => drop(house.assign(&screen.id, &[FENCE])),
                    (true, _) => drop(house.assign(&screen.id, &[FENCE, &kitchen])),
                    (false, n) => drop(scene.change(&kitchen, &json!({ "isEnabled": n == 1 }))),
                }
            }
            stops.store(true, Ordering::SeqCst);
            scene.fence()
        });
        let (mut may, mut last, mut heard) = (true, None, 0);
        for text in ear.before(&fence) {
            if let Some(n) = text.split(r#""state":"n"#).nth(1) {
                let n: usize = n.split('"').next().and_then(|n| n.parse().ok()).expect("a number");
                assert!(may, "{n} is heard, though it may not be");
                assert!(last.is_none_or(|last| last + 1 == n), "{n} behind {last:?}");
                (last, heard) = (Some(n), heard + 1);
            } else if ["area_removed", "area_disabled"].iter().any(|what| text.contains(what)) {
                may = false;
            } else if ["area_added", "area_enabled"].iter().any(|what| text.contains(what)) {
                (may, last) = (true, None);
            }
        }
        assert!(may && heard > TURNS, "{heard} states");
    }
}

/// A screen that asks for the states again and again, beside an admin who changes its areas: a snapshot makes up for
/// states alone, and of its areas it hears everything, once and in order.
#[test]
fn who_subscribes_misses_nothing_of_its_areas() {
    const ROUNDS: usize = 50;
    let (scene, [kitchen, _], screen) = kitchen();
    let mut ear = listening(&scene, &screen, Over::Socket);
    let mut told: Vec<String> = Vec::new();
    thread::scope(|threads| {
        let changing = threads.spawn(|| {
            for n in 0..ROUNDS {
                scene.change(FENCE, &json!({ "name": format!("n{n}") }));
                let areas = if n % 2 == 0 { vec![FENCE] } else { vec![FENCE, &kitchen] };
                scene.house.assign(&screen.id, &areas);
            }
        });
        for call in 0.. {
            let is_last = changing.is_finished();
            ear.send(&format!(r#"42{call}["subscribe_entities",{{}}]"#));
            let answer = format!(r#"43{call}[{{"success":true,"data":["#);
            loop {
                let text = ear.raw();
                if text.starts_with(&answer) {
                    break;
                }
                told.push(timeless(&text));
            }
            if is_last {
                break;
            }
        }
    });
    told.extend(ear.before(&scene.fence()));
    let events = (0..ROUNDS).flat_map(|n| {
        let what = if n % 2 == 0 { "removed" } else { "added" };
        let updated = area("updated", FENCE, &format!("n{n}"), &[], true);
        [updated, area(what, &kitchen, "Kitchen", &[LIGHT, LOCK], true)]
    });
    let events: Vec<String> = events.map(|event| ear.form.spelled(&event)).collect();
    assert_eq!(told, events);
}

/// A state that was committed while a screen could read it, and that it may not read when it comes back.
#[test]
fn what_was_missed_is_told_if_it_may_be_read_now() {
    let ends = [
        json!({ "isEnabled": false }),
        json!({ "entityIds": [LOCK] }),
        json!({ "entityIds": [] }),
        json!({}),
    ];
    for end in ends {
        let (scene, [kitchen, _], screen) = kitchen();
        let come = |since: &str| {
            let path = format!("/api/ws?since={since}");
            let mut client = scene.house.server.dial(&path).bearer(&screen.token).open();
            let resumed = client.text();
            (client, resumed.split('"').nth(7).expect("a cursor").to_owned())
        };
        let (client, cursor) = come("now");
        drop(client);
        scene.state(LIGHT, "missed");
        scene.state(LOCK, "missed too");
        scene.change(&kitchen, &end);
        let (mut client, _) = come(&cursor);
        let told: Vec<String> = client.told();
        let reads = |id: &str| {
            let ask = scene.house.server.ask("GET", &format!("/api/states/{id}"));
            ask.bearer(&screen.token).send().status == 200
        };
        for id in [LIGHT, LOCK] {
            assert_eq!(
                told.iter().any(|text| text.contains(id)),
                reads(id),
                "{end}: {id}, {told:?}"
            );
        }
    }
}

/// A state, and in the same breath a change of areas before and behind which the screen may read it: it is heard, live
/// and by who was away.
#[test]
fn what_may_be_read_before_a_change_and_after_it_is_heard() {
    const TURNS: usize = 5;
    let (scene, [kitchen, attic], screen) = kitchen();
    let server = &scene.house.server;
    let come = |since: &str| server.dial(&format!("/api/ws{since}")).bearer(&screen.token).open();
    let mut admin = server.socket_io().open(Over::Socket);
    admin.enter("/", &json!({ "token": scene.house.admin, "topics": [] }));
    let swap =
        |to: &str| json!(["clients.assign_all", { "clientId": screen.id, "areaIds": [FENCE, to] }]);
    let of = |id: &str, lights: &[&str]| json!({ "id": id, "entityIds": lights });
    let shift = |from: &str, to: &str| json!(["areas.change_all", { "items": [of(from, &[]), of(to, &[LIGHT])] }]);
    let flicker = [
        "areas.change_all".into(),
        json!({ "items": [
        { "id": kitchen, "isEnabled": false },
        { "id": kitchen, "isEnabled": true },
    ] }),
    ];
    let changes = [
        ([LIGHT].as_slice(), [LIGHT].as_slice(), [swap(&attic), swap(&kitchen)]),
        (&[LIGHT], &[], [shift(&kitchen, &attic), shift(&attic, &kitchen)]),
        (&[LIGHT], &[], [json!(flicker), json!(flicker)]),
    ];
    for (kind, (of_kitchen, of_attic, changes)) in changes.into_iter().enumerate() {
        scene.change(&kitchen, &json!({ "entityIds": of_kitchen }));
        scene.change(&attic, &json!({ "entityIds": of_attic }));
        let both = [FENCE, &kitchen, &attic];
        scene.house.assign(&screen.id, if kind == 0 { &both[..2] } else { &both });
        let (mut reader, mut blind) = (come("?since=now"), come(""));
        let resumed = reader.text();
        let cursor = resumed.split('"').nth(7).expect("a cursor");
        assert_eq!(blind.told(), [""; 0]);
        let states: Vec<String> = (0..2 * TURNS).map(|turn| format!("{kind} {turn}")).collect();
        for (turn, state) in states.iter().enumerate() {
            let create = json!(["states:create", { "entity_id": LIGHT, "state": state }]);
            admin.send_all(&[format!("421{create}"), format!("422{}", changes[turn % 2])]);
            for client in [&mut reader, &mut blind] {
                let told = client.text();
                assert!(told.contains(&format!(r#""state":"{state}""#)), "{told}");
            }
            while !admin.packet().starts_with("432") {}
        }
        let mut away = come(&format!("?since={cursor}"));
        let resumed = away.text();
        assert!(resumed.ends_with(&format!(r#","replayed":{}}}"#, states.len())), "{resumed}");
        let told = away.told();
        assert!(told.iter().zip(&states).all(|(told, state)| told.contains(state)), "{told:?}");
    }
}

/// The same holds of users whose scopes change: only what they listen to concerns them.
#[test]
fn rights_that_are_won_concern_who_listens() {
    let scene = Scene::new();
    let server = &scene.house.server;
    let token = server.token("user", &["states:read:light.*"]);
    let auth = |topics: Value| match topics {
        Value::Null => json!({ "token": token.text }),
        topics => json!({ "token": token.text, "topics": topics }),
    };
    let mut deaf: Vec<Ear> = [Value::Null, json!([]), json!(["areas"])]
        .map(|topics| Ear::come(server, "/", Over::Socket, &auth(topics)))
        .into_iter()
        .collect();
    deaf.push(Ear::come(server, "/areas", Over::Socket, &auth(Value::Null)));
    deaf.push(Ear::open(server, &token.text, Form::Bare));
    let mut ears = [
        Ear::come(server, "/", Over::Socket, &auth(json!(["states"]))),
        Ear::come(server, "/states", Over::Polling, &auth(Value::Null)),
    ];
    for scopes in
        [json!(["states:read:lock.*"]), json!(["states:read"]), json!(["states:read:light.*"])]
    {
        let change = json!({ "id": token.id, "scopes": scopes });
        server.operate("tokens.change", change).expect("the token lives");
        let all = scopes == json!(["states:read"]);
        let hears =
            |id: &str| all || scopes[0].as_str().is_some_and(|scope| scope.contains(&id[..4]));
        [LIGHT, LOCK].iter().for_each(|id| scene.state(id, "won"));
        for (ear, namespace) in ears.iter_mut().zip(["/", "/states"]) {
            for id in [LIGHT, LOCK].into_iter().filter(|id| hears(id)) {
                assert_eq!(ear.raw(), state_changed(namespace, id, "won"), "{scopes}");
            }
        }
    }
    scene.house.ask("DELETE", &format!("/api/tokens/{}", token.id)).expect(204);
    for ear in deaf {
        let form = ear.form;
        let told = ear.put_out();
        assert!(told.len() == 1 && told[0].contains("token revoked"), "{form:?}: {told:?}");
    }
}

/// A screen asks nothing but to read.
#[test]
fn a_screen_changes_nothing() {
    let (scene, [kitchen, _], screen) = kitchen();
    let calls = [
        r#"["states:create",{"entity_id":"light.kitchen","state":"mine"}]"#.to_owned(),
        r#"["states:update",{"state_id":1,"state":"mine"}]"#.to_owned(),
        r#"["states:delete",{"state_id":1}]"#.to_owned(),
        format!(r#"["areas.change",{{"areaId":"{kitchen}","name":"mine"}}]"#),
        format!(r#"["areas.toggle",{{"areaId":"{kitchen}"}}]"#),
        r#"["areas.create",{"name":"mine"}]"#.to_owned(),
        r#"["clients.list",{}]"#.to_owned(),
        format!(r#"["clients.revoke",{{"clientId":"{}"}}]"#, screen.id),
        r#"["clients.present",{"came":[],"went":[]}]"#.to_owned(),
        r#"["pairing.list",{}]"#.to_owned(),
        r#"["pairing.approve",{"userCode":"BBBB-BBBB"}]"#.to_owned(),
        r#"["pairing.token_used",{"token":"tok_1"}]"#.to_owned(),
    ];
    let mut ear = listening(&scene, &screen, Over::Socket);
    for call in &calls {
        ear.send(&format!("427{call}"));
        let told = timeless(&ear.raw());
        let of_areas = r#"437[{"error":"Forbidden","code":"FORBIDDEN","timestamp":"T"}]"#;
        let of_states = r#"437[{"success":false,"error":"Forbidden"}]"#;
        let expected = if call.contains("states:") { of_states } else { of_areas };
        assert_eq!(told, expected, "{call}");
        if !call.contains("states:") {
            ear.send(&format!("42{call}"));
            let error = of_areas.replace("437[", r#"42["error","#);
            assert_eq!(timeless(&ear.raw()), error, "{call}");
        }
    }
    // What it may read of areas it may ask for.
    ear.send(r#"428["areas.list",{}]"#);
    let told = ear.raw();
    assert!(told.starts_with(r#"438[{"success":true,"data":{"items":[{"id":"area_1","#), "{told}");
    let again = Ear::open(&scene.house.server, &screen.token, Form::Typed);
    assert_eq!(timeless(&again.first[0]), again.form.said(&connected(&screen.id)));
}
