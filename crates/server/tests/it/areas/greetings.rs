//! What a connection is told first, and who is not let in.

use serde_json::{Value, json};

use super::{
    House,
    ear::{Ear, Form, Scene, connected, offset_of, timeless},
};
use crate::{
    forge::Forge,
    harness::{Over, Server, Session, at},
};

/// What is said in this form to a screen that is let in.
fn greeting(form: Form, client_id: &str) -> Vec<String> {
    let resumed = r#"{"type":"resumed","cursor":"C","replayed":0}"#.to_owned();
    let said = form.said(&connected(client_id));
    match form {
        Form::BareCursor | Form::TypedCursor => vec![resumed, said],
        _ => vec![said],
    }
}

fn read(ear: &mut Ear) -> Vec<String> {
    let first = std::mem::take(&mut ear.first);
    first.iter().map(|text| ear.read(text)).collect()
}

#[test]
fn screens_are_greeted_where_they_hear_of_areas() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    let server = &scene.house.server;
    for form in Form::ALL {
        let mut ear = Ear::open(server, &screen.token, form);
        assert_eq!(read(&mut ear), greeting(form, &screen.id), "{form:?}");
    }
    let check = |namespace, auth: Value, greeted: bool| {
        let mut auth = auth;
        auth["token"] = screen.token.as_str().into();
        let mut ear = Ear::come(server, namespace, Over::Socket, &auth);
        let told = if greeted { greeting(ear.form, &screen.id) } else { Vec::new() };
        assert_eq!(read(&mut ear), told, "{namespace} {auth}");
        ear
    };
    check("/states", json!({}), false);
    check("/", json!({ "topics": ["states"] }), false);
    check("/", json!({ "topics": [] }), false);
    check("/", json!({ "topics": ["areas", "states"] }), true);
    check("/areas", json!({ "topics": ["areas"] }), true);
    check("/", json!({ "ack": true }), true);
    check("/", json!({ "batch": true }), true);
    // Who listens later is not let in again.
    let mut ear = check("/", json!({ "topics": ["states"] }), false);
    ear.send(r#"421["subscribe",{"topics":["areas"]}]"#);
    assert_eq!(ear.raw(), r#"431[{"success":true,"topics":["states","areas"]}]"#);
    assert_eq!(ear.told(), [""; 0]);
    for role in ["admin", "user", "device", "client"] {
        let token = server.token(role, &[]);
        // A token of a client that is none is nobody's.
        for form in Form::ALL {
            let mut ear = Ear::open(server, &token.text, form);
            let told = greeting(form, "");
            assert_eq!(read(&mut ear), told[..told.len() - 1], "{role} {form:?}");
        }
    }
}

/// Both namespaces on one connection: each is told for itself.
#[test]
fn each_namespace_is_greeted_for_itself() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    for over in Over::BOTH {
        let mut session = scene.house.server.socket_io().open(over);
        for namespace in ["/areas", "/states", "/"] {
            session.enter_as(namespace, &screen.token);
            if namespace != "/states" {
                let told = Form::SocketIo(namespace, over).said(&connected(&screen.id));
                assert_eq!(timeless(&session.packet()), told);
            }
        }
        scene.change(super::ear::FENCE, &json!({ "name": "both" }));
        let mut told = [session.packet(), session.packet()];
        told.sort();
        let starts = [r#"42/areas,["area_updated",{"#, r#"42["area_updated",{"#];
        assert!(told.iter().zip(starts).all(|(told, start)| told.starts_with(start)), "{told:?}");
    }
}

/// Where the offset is a last argument the greeting has one, also that of a connection that goes on.
#[test]
fn a_connection_that_goes_on_is_greeted_again() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    for (namespace, over) in [
        ("/", Over::Socket),
        ("/", Over::Polling),
        ("/areas", Over::Socket),
        ("/states", Over::Socket),
    ] {
        let come = |before: Value| {
            let mut auth = json!({ "token": screen.token, "recover": true });
            before.as_object().into_iter().flatten().for_each(|(k, v)| auth[k] = v.clone());
            let mut session: Session = scene.house.server.socket_io().open(over);
            let told = session.enter(namespace, &auth);
            let mut offset = Value::Null;
            if namespace != "/states" {
                let packet = session.packet();
                let (said, last) = packet.rsplit_once(r#",""#).expect("it has an offset");
                offset = last.trim_end_matches(r#""]"#).into();
                let expected = Form::SocketIo(namespace, over).said(&connected(&screen.id));
                assert_eq!(timeless(said) + "]", expected);
            }
            session.send(&format!(r#"42{}9["nobody"]"#, at(namespace)));
            let next = session.packet();
            assert!(next.starts_with(&format!("43{}9[", at(namespace))), "{next}");
            (told["pid"].clone(), offset)
        };
        let (pid, offset) = come(Value::Null);
        let before = match offset.is_null() {
            true => json!({ "pid": pid }),
            false => json!({ "pid": pid, "offset": offset }),
        };
        let (again, later) = come(before);
        assert_eq!(again, pid, "it goes on");
        // Who is here is an event too, for others.
        let place = |offset: &Value| offset.as_str().map(offset_of);
        assert!(place(&later) >= place(&offset), "{later} behind {offset}");
        assert_ne!(come(json!({ "pid": "gone", "offset": offset })).0, pid);
    }
}

#[test]
fn who_shows_no_good_credential_is_not_let_in() {
    // An address shows few bad ones a minute.
    let hosts = std::cell::Cell::new(1);
    let check = |server: &Server, path: &str, token: Option<&str>, words: &str| {
        hosts.set(hosts.get() + 1);
        let dial = server.dial(path).from(hosts.get());
        let dial = token.iter().fold(dial, |dial, token| dial.bearer(token));
        let (told, code) = dial.open().closed();
        let told: Vec<String> = told.iter().map(|text| timeless(text)).collect();
        let error = format!(
            r#"{{"type":"error","error":"{words}","code":"UNAUTHENTICATED","timestamp":"T"}}"#
        );
        assert_eq!((told, code), (vec![error], Some(4401)), "{path} {token:?}");
    };
    let (absent, bad) = ("authentication required", "token invalid, expired or revoked");
    let house = House::new();
    let server = &house.server;
    let gone = server.token("admin", &[]);
    house.ask("DELETE", &format!("/api/tokens/{}", gone.id)).expect(204);
    let forged = Forge::new(server.data(), &gone).bad_tokens();
    for path in ["/", "/?typed=1", "/?since=now", "/?typed=1&batch=1"] {
        check(server, path, None, absent);
        check(server, path, Some("x"), bad);
        check(server, path, Some(&gone.text), bad);
    }
    for (_, forged) in &forged {
        check(server, "/", Some(forged), bad);
    }
    for (auth, words) in
        [(json!({}), absent), (json!({ "token": "x" }), bad), (json!({ "token": gone.text }), bad)]
    {
        for namespace in ["/", "/areas"] {
            let handshake = server.socket_io().from(200);
            handshake.open(Over::Socket).is_refused(namespace, &auth, words);
        }
    }
    // The first message may say who it is.
    let mut client = server.dial("/?auth=message").open();
    client.send(&json!({ "type": "auth", "token": house.admin }).to_string());
    client.send(r#"{"type":"ping","timestamp":7}"#);
    client.hears(r#"{"type":"pong","timestamp":7}"#);
    // A guest of the demo is no client of areas, and a browser that looks is shown the console.
    let demo = Server::demo();
    check(&demo, "/", None, absent);
    demo.socket_io().open(Over::Socket).is_refused("/areas", &json!({}), absent);
    for server in [server, &demo] {
        let page = server.get("/");
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    }
}
