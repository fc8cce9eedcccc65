//! Which clients are connected, as admins see it.

use serde_json::{Value, json};

use super::ear::{Ear, FENCE, Form, Scene, timeless};
use crate::harness::{Over, Server, until};

/// What an admin is told of the presence of clients next, with `T` for times.
#[track_caller]
fn present(admin: &mut Ear) -> Value {
    loop {
        let text = admin.raw();
        if text.contains("clients_present") {
            return serde_json::from_str(&timeless(&text)).expect("JSON");
        }
    }
}

fn told(id: &str, online: bool) -> Value {
    json!({ "type": "clients_present", "clients": [{ "id": id, "online": online, "lastSeen": "T" }] })
}

fn counted(server: &Server) -> f64 {
    server.metric("bellwire_connected_clients")
}

/// How a client is shown: whether it is online, and when it was seen.
#[track_caller]
fn shown(scene: &Scene, id: &str) -> (bool, Option<String>) {
    let client = scene.house.client(id);
    let seen = client["lastSeen"].as_str().map(str::to_owned);
    (client["online"].as_bool().expect("it is or is not"), seen)
}

fn is_polling(form: &Form) -> bool {
    matches!(form, Form::SocketIo(_, Over::Polling))
}

#[test]
fn clients_come_and_go() {
    let scene = Scene::new();
    let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let (house, server) = (&scene.house, &scene.house.server);
    let mut admin = Ear::open(server, &house.admin, Form::Typed);
    assert_eq!((shown(&scene, &client.id), counted(server)), ((false, None), 0.0));
    let mut last = None;
    let forms = Form::ALL.into_iter().filter(|form| !is_polling(form));
    for form in forms.chain([Form::SocketIo("/states", Over::Socket)]) {
        let one = Ear::open(server, &client.token, form);
        assert_eq!(present(&mut admin), told(&client.id, true), "{form:?}");
        let (is_online, came) = shown(&scene, &client.id);
        assert!(is_online && came > last, "{form:?}: {came:?} after {last:?}");
        assert_eq!(counted(server), 1.0);
        // Another tab makes no difference, nor does the end of one of two.
        let two = Ear::open(server, &client.token, form);
        let guest = Ear::open(server, &other.token, form);
        assert_eq!(present(&mut admin), told(&other.id, true), "{form:?}");
        assert_eq!(counted(server), 2.0);
        disconnect(one);
        drop(guest);
        assert_eq!(present(&mut admin), told(&other.id, false), "{form:?}");
        assert_eq!(shown(&scene, &client.id), (true, came.clone()));
        disconnect(two);
        assert_eq!(present(&mut admin), told(&client.id, false), "{form:?}");
        let (is_online, went) = shown(&scene, &client.id);
        assert!(!is_online && went > came, "{form:?}: {went:?} after {came:?}");
        last = went;
        until("nobody is counted", || counted(server) == 0.0);
    }
}

/// A transport that polls ends when its client says so, or its token does; that it went away is found later.
#[test]
fn clients_that_poll_come_and_go() {
    for form in Form::ALL.into_iter().filter(is_polling) {
        let scene = Scene::new();
        let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
        let (house, server) = (&scene.house, &scene.house.server);
        let mut admin = Ear::open(server, &house.admin, Form::Typed);
        let one = Ear::open(server, &client.token, form);
        assert_eq!(present(&mut admin), told(&client.id, true), "{form:?}");
        let (is_online, came) = shown(&scene, &client.id);
        assert!(is_online && came.is_some(), "{form:?}: {came:?}");
        let two = Ear::open(server, &client.token, form);
        drop(Ear::open(server, &other.token, form));
        assert_eq!(present(&mut admin), told(&other.id, true), "{form:?}");
        disconnect(one);
        assert_eq!(counted(server), 2.0, "{form:?}");
        disconnect(two);
        assert_eq!(present(&mut admin), told(&client.id, false), "{form:?}");
        let (is_online, went) = shown(&scene, &client.id);
        assert!(!is_online && went > came, "{form:?}: {went:?} after {came:?}");
        // The other one went without a word. Its end is not waited for: its token is revoked.
        let token = token_of(&scene, &other.id);
        house.ask("DELETE", &format!("/api/tokens/{token}")).expect(204);
        assert_eq!(present(&mut admin), told(&other.id, false), "{form:?}");
        until("nobody is counted", || counted(server) == 0.0);
    }
}

fn token_of(scene: &Scene, client_id: &str) -> String {
    let tokens = scene.house.ask("GET", "/api/tokens").expect(200);
    let mut all = tokens["items"].as_array().expect("a list").iter();
    let own = all.find(|token| token["subject"] == *client_id).expect("it has a token");
    own["id"].as_str().expect("it has an id").to_owned()
}

/// A client of Socket.IO leaves as one that is told to; others go away.
fn disconnect(mut ear: Ear) {
    if let Form::SocketIo(..) = ear.form {
        ear.session().send("1");
    }
}

/// A server that begins knows of nobody, whoever was there before.
#[test]
fn a_crash_leaves_nobody_online() {
    let mut scene = Scene::new();
    let clients = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let ears =
        clients.each_ref().map(|client| Ear::open(&scene.house.server, &client.token, Form::Bare));
    for client in &clients {
        until("it is here", || scene.house.client(&client.id)["online"] == true);
    }
    let seen = scene.house.client("client_1")["lastSeen"].clone();
    let admin = Ear::open(&scene.house.server, &scene.house.admin, Form::TypedCursor);
    let resumed: Value = serde_json::from_str(&admin.first[0]).expect("JSON");
    let cursor = resumed["cursor"].as_str().expect("it resumed").to_owned();
    scene = scene.killed();
    drop(ears);
    for client in &clients {
        let shown = scene.house.client(&client.id);
        assert_eq!(shown["online"], false, "{shown}");
        assert!(shown["lastSeen"].is_string(), "{shown}");
    }
    assert_eq!(scene.house.client("client_1")["lastSeen"], seen, "as far as is known");
    assert_eq!(counted(&scene.house.server), 0.0);
    // Admins who come back hear that they are gone.
    let path = format!("/?typed=1&since={cursor}");
    let mut back = Ear::plain(&scene.house.server, Form::TypedCursor, &path, &scene.house.admin);
    let gone = back.first.iter().find(|text| text.contains("clients_present")).cloned();
    let gone: Value = match gone {
        Some(text) => serde_json::from_str(&timeless(&text)).expect("JSON"),
        None => present(&mut back),
    };
    let mut gone = gone["clients"].as_array().expect("a list").clone();
    gone.sort_by_key(|client| client["id"].to_string());
    let of = |id: &str| told(id, false)["clients"][0].clone();
    assert_eq!(gone, [of("client_1"), of("client_2")]);
    let mut admin = Ear::open(&scene.house.server, &scene.house.admin, Form::Typed);
    let _back = Ear::open(&scene.house.server, &clients[1].token, Form::Typed);
    assert_eq!(present(&mut admin), told("client_2", true));
    assert_eq!(scene.house.client("client_1")["online"], false);
}

#[test]
fn what_is_told_is_counted() {
    const TOLD: &str = r#"bellwire_events_told_total{event="area_updated"}"#;
    let scene = Scene::new();
    let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let server = &scene.house.server;
    let before = server.metric(TOLD);
    let mut ears: Vec<Ear> = Form::ALL
        .into_iter()
        .flat_map(|form| [&client, &other].map(|client| Ear::open(server, &client.token, form)))
        .collect();
    for n in 0..3 {
        scene.change(FENCE, &json!({ "name": format!("n {n}") }));
    }
    let fence = scene.fence();
    ears.iter_mut().for_each(|ear| assert_eq!(ear.before(&fence).len(), 3));
    until("all are counted", || server.metric(TOLD) - before >= 4.0 * 16.0);
    assert_eq!(server.metric(TOLD) - before, 4.0 * 16.0);
}

/// Who is revoked or deleted is gone, however many connections it had.
#[test]
fn who_is_revoked_is_gone() {
    let scene = Scene::new();
    let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let (house, server) = (&scene.house, &scene.house.server);
    let ears: Vec<Ear> = Form::ALL
        .into_iter()
        .flat_map(|form| [&client, &other].map(|client| Ear::open(server, &client.token, form)))
        .collect();
    assert_eq!(counted(server), 2.0);
    for client in [&client, &other] {
        until("it is here", || house.client(&client.id)["online"] == true);
    }
    let mut admin = Ear::open(server, &house.admin, Form::Typed);
    house.ask("POST", &format!("/api/clients/{}/revoke", client.id)).expect(200);
    assert_eq!(present(&mut admin), told(&client.id, false));
    // One that is forgotten is not told of.
    house.ask("DELETE", &format!("/api/clients/{}", other.id)).expect(204);
    until("nobody is counted", || counted(server) == 0.0);
    let third = scene.pair("Phone", &[]);
    let _here = Ear::open(server, &third.token, Form::Typed);
    assert_eq!(present(&mut admin), told(&third.id, true));
    drop(ears);
}
