//! Events that come together: one `batch` for who wants them so, in their order.

use serde_json::{Value, json};

use super::{
    ear::{Ear, FENCE, Form, Scene, Told, area, timeless},
    text,
};
use crate::harness::{Over, at};

/// How a connection asks for batches.
const PLAIN: [(Form, &str); 4] = [
    (Form::Bare, "/?batch=1"),
    (Form::BareCursor, "/?batch=1&since=now"),
    (Form::Typed, "/?typed=1&batch=1"),
    (Form::TypedCursor, "/?typed=1&batch=1&since=now"),
];
const SPACES: [(&str, Over); 4] = [
    ("/", Over::Socket),
    ("/", Over::Polling),
    ("/areas", Over::Socket),
    ("/areas", Over::Polling),
];

/// Several events as they are told together.
fn together(form: Form, events: &[Told]) -> String {
    let events: Vec<String> = events.iter().map(|told| Form::Typed.spelled(told)).collect();
    let payload = format!(r#"{{"events":[{}]}}"#, events.join(","));
    let form = match form {
        // It has no other name.
        Form::Bare => Form::Typed,
        Form::BareCursor => Form::TypedCursor,
        form => form,
    };
    form.spelled(&("batch", payload))
}

fn all(scene: &Scene, token: &str) -> Vec<Ear> {
    let server = &scene.house.server;
    let plain = PLAIN.map(|(form, path)| Ear::plain(server, form, path, token));
    let auth = json!({ "token": token, "batch": true });
    let spaces = SPACES.map(|(namespace, over)| Ear::come(server, namespace, over, &auth));
    plain.into_iter().chain(spaces).collect()
}

/// A request of the admin's: method, path, body; and what it brings to the client.
type Row = (&'static str, &'static str, Value, Vec<Told>);

/// With Kitchen (`area_2`) and Hall (`area_3`) at first, not Attic (`area_4`).
fn rows() -> Vec<Row> {
    let updated = |id: &str, name: &str, on| area("updated", id, name, &[], on);
    let disabled = |id: &str, name: &str| area("disabled", id, name, &[], false);
    let kitchen = || updated("area_2", "Kitchen", true);
    let bulk = json!([
        { "id": "area_2", "name": "K" },
        { "id": "area_4", "name": "canary" },
        { "id": "area_3", "isEnabled": false },
        { "id": "area_2", "name": "Kitchen" },
    ]);
    let of_bulk = vec![
        updated("area_2", "K", true),
        updated("area_3", "Hall", false),
        disabled("area_3", "Hall"),
        kitchen(),
    ];
    let one = json!([{ "id": "area_4" }, { "id": "area_2" }]);
    let set = json!({ "areaIds": [FENCE, "area_4"] });
    let of_set = vec![
        area("removed", "area_2", "Kitchen", &[], true),
        area("removed", "area_3", "Hall", &[], false),
        area("added", "area_4", "canary", &[], true),
    ];
    let off = json!({ "name": "Attic", "isEnabled": false });
    let of_off = vec![updated("area_4", "Attic", false), disabled("area_4", "Attic")];
    let gone = vec![area("removed", "area_4", "Attic", &[], false)];
    vec![
        ("PATCH", "/api/areas", bulk, of_bulk),
        // One comes as itself.
        ("PATCH", "/api/areas/area_2", json!({}), vec![kitchen()]),
        ("PATCH", "/api/areas", one, vec![kitchen()]),
        ("PUT", "/api/clients/client_1/areas", set, of_set),
        ("PATCH", "/api/areas/area_4", off, of_off),
        ("DELETE", "/api/areas/area_4", Value::Null, gone),
    ]
}

#[test]
fn what_happens_at_once_is_told_at_once() {
    let scene = Scene::new();
    let areas = ["Kitchen", "Hall", "Attic"].map(|name| scene.house.area(name, &[]));
    let screen = scene.pair("Tablet", &[&areas[0], &areas[1]]);
    let mut ears = all(&scene, &screen.token);
    let mut quiet = Ear::open(&scene.house.server, &screen.token, Form::Typed);
    for (method, path, body, events) in &rows() {
        let ask = scene.house.ask(method, path);
        let ask = if body.is_null() { ask } else { ask.json(body) };
        assert!(matches!(ask.send().status, 200 | 204), "{method} {path}");
        for ear in &mut ears {
            let told = ear.raw();
            let expected = match &events[..] {
                [event] => ear.form.spelled(event),
                events => together(ear.form, events),
            };
            let told = ear.read(&told);
            assert_eq!(told, expected, "{:?}, of {method} {path}", ear.form);
        }
        let fence = scene.fence();
        assert_eq!(quiet.before(&fence), Form::Typed.all_spelled(events), "who asked for nothing");
        for ear in &mut ears {
            assert_eq!(ear.before(&fence), [""; 0], "{:?}", ear.form);
        }
    }
}

/// Both namespaces on one connection, and cursors as last arguments.
#[test]
fn each_namespace_has_its_own_batch() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    for over in Over::BOTH {
        let mut session = scene.house.server.socket_io().open(over);
        for namespace in ["/", "/areas"] {
            session.enter(
                namespace,
                &json!({ "token": screen.token, "batch": true, "recover": true }),
            );
            session.packet();
        }
        let bulk = json!([{ "id": FENCE, "name": "1" }, { "id": FENCE, "name": "2" }, { "id": FENCE, "name": "3" }]);
        scene.house.ask("PATCH", "/api/areas").json(&bulk).expect(200);
        let mut told = [session.packet(), session.packet()];
        told.sort();
        let events = format!("/api/clients/{}/events?limit=1", screen.id);
        let last = text(&scene.house.ask("GET", &events).expect(200)["items"][0], "id");
        for (told, namespace) in told.iter().zip(["/areas", "/"]) {
            let (event, offset) = timeless(told)
                .rsplit_once(r#",""#)
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .expect("an offset");
            let events = ["1", "2", "3"].map(|name| area("updated", FENCE, name, &[], true));
            let form = Form::SocketIo(namespace, over);
            assert_eq!(format!("{event}]"), together(form, &events), "{}", at(namespace));
            assert_eq!(offset, format!(r#"{last}"]"#), "the place of the last of them");
        }
    }
}

/// What was missed comes together, and its cursor is that of the last.
#[test]
fn what_was_missed_is_told_at_once() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    for (form, path) in
        [(Form::BareCursor, "/?batch=1&since="), (Form::TypedCursor, "/?typed=1&batch=1&since=")]
    {
        let come = |since: &str| {
            let path = format!("{path}{since}");
            Ear::plain(&scene.house.server, form, &path, &screen.token).first
        };
        let cursor = |resumed: &str| resumed.split('"').nth(7).expect("a cursor").to_owned();
        let first = cursor(&come("now")[0]);
        let names = ["1", "2", "3"];
        names.iter().for_each(|name| drop(scene.change(FENCE, &json!({ "name": name }))));
        let told = come(&first);
        assert_eq!(told.len(), 3, "{told:?}");
        let events = names.map(|name| area("updated", FENCE, name, &[], true));
        let (before, last) = told[2].split_once(r#","cursor":""#).expect("it has a cursor");
        assert_eq!(timeless(before) + r#","cursor":"C"}"#, together(form, &events), "{form:?}");
        let last = last.trim_end_matches(r#""}"#);
        assert_eq!(come(last).len(), 2, "nothing was missed since");
    }
}

/// What is in a batch is what its client may hear, to the last event of it.
#[test]
fn who_loses_a_right_in_a_batch_hears_what_it_may() {
    let scene = Scene::new();
    let house = &scene.house;
    let [kitchen, attic] = ["Kitchen", "Attic"].map(|name| house.area(name, &["light.a"]));
    let screen = scene.pair("Tablet", &[&kitchen]);
    let auth = json!({ "token": screen.token, "batch": true, "topics": ["areas", "states"] });
    let mut ear = Ear::come(&house.server, "/", Over::Socket, &auth);
    let mut writer = house.server.quiet_admin();
    let (mut states, mut seen) = (0, 0);
    for turn in 0..30 {
        // States and changes come in one go, in whatever order they are committed.
        let mut requests = Vec::new();
        for n in 0..4 {
            requests.extend(crate::harness::text(&format!(
                r#"{{"type":"states:create","entity_id":"light.a","state":"{turn}.{n}"}}"#
            )));
        }
        writer.send_bytes(&requests);
        house.assign(&screen.id, &[FENCE, if turn % 2 == 0 { &attic } else { &kitchen }]);
        scene.change(&kitchen, &json!({ "name": format!("k{turn}"), "isEnabled": turn % 3 != 0 }));
        (0..4).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
        let fence = scene.fence();
        let (mut told, fence) = (Vec::new(), format!(r#""name":"{fence}""#));
        loop {
            let packet = timeless(&ear.raw());
            told.extend(events_of(&packet));
            if packet.contains(&fence) {
                break;
            }
        }
        let lost = told.iter().position(|event| event.contains("area_removed"));
        let of_kitchen = format!(r#""areaId":"{kitchen}""#);
        for (place, event) in told.iter().enumerate() {
            let changes = ["area_updated", "area_enabled", "area_disabled"];
            let is_change = changes.iter().any(|name| event.contains(name));
            if turn % 2 == 0 && event.contains(&of_kitchen) && is_change {
                panic!("{event} at {place} behind {lost:?}: {told:?}");
            }
            states += usize::from(event.contains("state_changed"));
        }
        seen += told.len();
    }
    assert!(states > 0 && seen > 90, "{states} states of {seen} events");
}

/// The events of a packet, which is one or a batch of them.
fn events_of(packet: &str) -> Vec<String> {
    let event: Value =
        serde_json::from_str(packet.strip_prefix("42").expect("an event")).expect("JSON");
    match (event[0].as_str(), event[1]["events"].as_array()) {
        (Some("batch"), Some(events)) => {
            assert!(events.len() > 1, "{packet}");
            events.iter().map(Value::to_string).collect()
        }
        _ => vec![event.to_string()],
    }
}
