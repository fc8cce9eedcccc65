//! The end of a client's access: it hears so last, on every connection, and nothing more.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    House, Paired,
    ear::{Ear, FENCE, Form, Scene, timeless, token_revoked},
};
use crate::{
    harness::{Client, Got, Over, Token, raise_descriptors, until},
    revoke::{DESCRIPTORS, LATE_MAX, is_late, machine},
};

/// How an admin ends a client's access: the request, and its answer's status.
fn ways(client_id: &str, token_id: &str) -> [(&'static str, String, u16); 3] {
    [
        ("POST", format!("/api/clients/{client_id}/revoke"), 200),
        ("DELETE", format!("/api/clients/{client_id}"), 204),
        ("DELETE", format!("/api/tokens/{token_id}"), 204),
    ]
}

/// The id of the only token of a client that lives.
fn token_id(house: &House, client_id: &str) -> String {
    let tokens = house.ask("GET", "/api/tokens").expect(200);
    let own = |token: &&Value| token["subject"] == *client_id && token["revoked"] == false;
    let own: Vec<&Value> = tokens["items"].as_array().expect("a list").iter().filter(own).collect();
    assert_eq!(own.len(), 1, "{tokens}");
    own[0]["id"].as_str().expect("a token has an id").to_owned()
}

#[test]
fn it_is_the_last_that_each_connection_hears() {
    for way in 0..3 {
        let scene = Scene::new();
        let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
        let house = &scene.house;
        let mut others = Form::ALL.map(|form| Ear::open(&house.server, &other.token, form));
        let spaces = Over::BOTH.map(|over| Form::SocketIo("/states", over));
        let forms = Form::ALL.into_iter().chain(spaces);
        let mut ears: Vec<Ear> =
            forms.map(|form| Ear::open(&house.server, &client.token, form)).collect();
        // It listens to states over the endpoint of states too.
        let mut plain = house.server.dial("/api/ws").bearer(&client.token).open();
        assert_eq!(plain.told(), [""; 0]);
        let (method, path, status) = &ways(&client.id, &token_id(house, &client.id))[way];
        scene.change(FENCE, &json!({ "name": "before" }));
        house.ask(method, path).expect(*status);
        scene.change(FENCE, &json!({ "name": "canary" }));
        for ear in ears.drain(..) {
            let form = ear.form;
            let told = ear.put_out();
            let (last, before) = told.split_last().expect("it is told something");
            assert_eq!(*last, form.said(&token_revoked()), "{form:?} by {path}");
            let areas = usize::from(form != spaces[0] && form != spaces[1]);
            // Who had not polled is told why at once.
            let polls = matches!(form, Form::SocketIo(_, Over::Polling));
            assert!(before.len() == areas || polls, "{form:?}: {before:?}");
            assert!(before.len() <= areas, "{form:?}: {before:?}");
            assert!(!before.concat().contains("canary"), "{before:?}");
        }
        let (told, code) = plain.closed();
        let last = Form::Typed.said(&token_revoked());
        assert_eq!((told, code), (vec![last], Some(4401)));
        // It cannot come again, by whatever it has.
        house.server.ask("GET", "/api/areas").bearer(&client.token).refused(401, "UNAUTHENTICATED");
        let (told, code) = house.server.dial("/").bearer(&client.token).open().closed();
        assert_eq!((told.len(), code), (1, Some(4401)), "{told:?}");
        let auth = json!({ "token": client.token });
        let words = "token invalid, expired or revoked";
        house.server.socket_io().open(Over::Socket).is_refused("/", &auth, words);
        let fence = scene.fence();
        for ear in &mut others {
            let told = ear.before(&fence);
            assert_eq!(told.len(), 2, "{:?}: {told:?}", ear.form);
            assert!(told[1].contains("canary"), "{told:?}");
        }
    }
}

/// In all namespaces of one connection, each by itself.
#[test]
fn each_namespace_of_a_connection_ends() {
    for over in Over::BOTH {
        let scene = Scene::new();
        let client = scene.pair("Tablet", &[]);
        let mut session = scene.house.server.socket_io().open(over);
        for namespace in ["/", "/areas", "/states"] {
            session.enter_as(namespace, &client.token);
            if namespace != "/states" {
                session.packet();
            }
        }
        scene.house.ask("POST", &format!("/api/clients/{}/revoke", client.id)).expect(200);
        let mut told: Vec<String> = (0..6).map(|_| session.packet()).collect();
        for namespace in ["/", "/areas", "/states"] {
            let revoked = Form::SocketIo(namespace, over).said(&token_revoked());
            let place = told.iter().position(|packet| *packet == revoked);
            let place = place.unwrap_or_else(|| panic!("{namespace}: {told:?}"));
            told.remove(place);
            let goodbye = format!("41{}", crate::harness::at(namespace));
            assert_eq!(told.remove(place), goodbye, "right behind");
        }
    }
}

/// A token of several: the others of its client live.
#[test]
fn one_token_of_a_client_ends() {
    let scene = Scene::new();
    let client = scene.pair("Tablet", &[]);
    let (house, server) = (&scene.house, &scene.house.server);
    let request = json!({ "role": "client", "subject": client.id, "ttl": 3_600 });
    let second = Token::read(&house.ask("POST", "/api/tokens").json(&request).expect(201));
    let mut first = Form::ALL.map(|form| Ear::open(server, &client.token, form));
    let ears = Form::ALL.map(|form| Ear::open(server, &second.text, form));
    house.ask("DELETE", &format!("/api/tokens/{}", second.id)).expect(204);
    for ear in ears {
        let form = ear.form;
        assert_eq!(ear.put_out(), [form.said(&token_revoked())], "{form:?}");
    }
    let fence = scene.fence();
    first.iter_mut().for_each(|ear| assert_eq!(ear.before(&fence), [""; 0], "{:?}", ear.form));
    assert_eq!(house.client(&client.id)["revoked"], false);
    // A client's access ends with all of its tokens, and it is given none any more.
    let third = Token::read(&house.ask("POST", "/api/tokens").json(&request).expect(201));
    let ears = Form::ALL.map(|form| Ear::open(server, &third.text, form));
    house.ask("POST", &format!("/api/clients/{}/revoke", client.id)).expect(200);
    for ear in ears.into_iter().chain(first) {
        let form = ear.form;
        assert_eq!(ear.put_out(), [form.said(&token_revoked())], "{form:?}");
    }
    house.ask("POST", "/api/tokens").json(&request).refused(422, "INVALID");
}

/// The number of a change of the fence.
fn number(text: &str) -> Option<usize> {
    text.split(r#""name":"n "#).nth(1)?.split('"').next()?.parse().ok()
}

/// A revocation in a stream of changes: what came before it is told in order, and nothing behind it.
#[test]
fn a_revocation_ends_a_stream_of_changes() {
    for _ in 0..3 {
        let scene = Scene::new();
        let client = scene.pair("Tablet", &[]);
        let ears = [Form::ALL, Form::ALL].concat();
        let ears: Vec<Ear> = ears
            .into_iter()
            .map(|form| Ear::open(&scene.house.server, &client.token, form))
            .collect();
        let stops = AtomicBool::new(false);
        thread::scope(|threads| {
            let writing = threads.spawn(|| {
                let mut n = 0;
                while !stops.load(Ordering::SeqCst) {
                    let items: Vec<Value> = (n..n + 10)
                        .map(|n| json!({ "id": FENCE, "name": format!("n {n}") }))
                        .collect();
                    scene.house.ask("PATCH", "/api/areas").json(&json!(items)).expect(200);
                    n += 10;
                }
                n
            });
            let readers: Vec<_> = ears
                .into_iter()
                .map(|ear| threads.spawn(move || (ear.form, ear.put_out())))
                .collect();
            let path = format!("/api/clients/{}/revoke", client.id);
            scene.house.ask("POST", &path).expect(200);
            for reader in readers {
                let (form, told) = reader.join().expect("it reads to its end");
                let (last, before) = told.split_last().expect("it is told something");
                assert_eq!(*last, form.said(&token_revoked()), "{form:?}");
                let numbers: Vec<usize> = before.iter().filter_map(|text| number(text)).collect();
                assert_eq!(numbers.len(), before.len(), "{form:?}: {before:?}");
                assert!(numbers.iter().zip(0..).all(|(n, at)| *n == at), "{form:?}: {numbers:?}");
            }
            stops.store(true, Ordering::SeqCst);
            assert!(writing.join().expect("it writes") > 0);
        });
    }
}

const CLIENTS: usize = 200;
const CONNECTIONS_EACH: usize = 5;
const SURVIVORS: usize = 20;

/// When a connection heard the last of the stream, and when it was closed.
type Ended = [Instant; 2];

/// Reads to the end: changes in order and without a gap, then why, then the close.
fn read_to_the_end(mut client: Client) -> Ended {
    let (mut expected, mut told) = (None, false);
    let mut heard_at = Instant::now();
    loop {
        match client.next() {
            Got::Text(text) => match number(&text) {
                Some(n) => {
                    assert!(!told, "{text} behind the end");
                    assert_eq!(n, expected.unwrap_or(n), "a gap");
                    expected = Some(n + 1);
                    heard_at = Instant::now();
                }
                None => {
                    assert_eq!(text, token_revoked().1);
                    told = true;
                }
            },
            Got::Close(close) => {
                assert_eq!(close.map(|(code, _)| code), Some(4401));
                assert!(told);
                return [heard_at, Instant::now()];
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Clients, more than may be paired in a minute from one address.
fn clients(scene: &Scene) -> Vec<Paired> {
    let house = &scene.house;
    let pair = |n: usize| {
        let ask = |path: &str| house.server.ask("POST", path).from((n / 8 + 1) as u8);
        let body = json!({ "name": format!("Screen {n}") });
        let screen = super::Screen::read(&ask("/api/pairing").json(&body).expect(201));
        house.approve(&screen.user_code, &json!({ "areaIds": [FENCE] }));
        let body = json!({ "deviceCode": screen.device_code });
        Paired::read(&ask("/api/pairing/token").json(&body).expect(200))
    };
    (0..=CLIENTS).map(pair).collect()
}

#[test]
fn two_hundred_clients_with_a_thousand_connections() {
    raise_descriptors(DESCRIPTORS);
    let mut late = scene_of_many();
    let (load, is_busy) = machine();
    // The readers need the cores too: when others have them, the scene measures those.
    if is_late(&late) && is_busy {
        eprintln!("{late:?} after the answer, with a load of {load}: once more");
        late = scene_of_many();
    }
    assert!(
        !is_late(&late),
        "{late:?} after the answer ({LATE_MAX:?}), with a load of {}",
        machine().0
    );
}

/// How long after the answer 99 in 100 connections heard the last, and were closed.
fn scene_of_many() -> [Duration; 2] {
    let scene = Scene::new();
    let house = &scene.house;
    let mut clients = clients(&scene);
    let survivor = clients.pop().expect("there is one more");
    let open = |client: &Paired| {
        let mut client = house.server.dial("/").bearer(&client.token).open();
        assert!(client.text().contains("Connected to real-time events"));
        client
    };
    let mut survivors: Vec<Client> = (0..SURVIVORS).map(|_| open(&survivor)).collect();
    let readers: Vec<Vec<_>> = clients
        .iter()
        .map(|client| {
            let connections = (0..CONNECTIONS_EACH).map(|_| open(client));
            connections.map(|connection| small(move || read_to_the_end(connection))).collect()
        })
        .collect();
    let stops = AtomicBool::new(false);
    let (mut late, mut until) = (Vec::new(), 0);
    thread::scope(|threads| {
        let writing = threads.spawn(|| {
            let mut n = 0;
            loop {
                scene.change(FENCE, &json!({ "name": format!("n {n}") }));
                if stops.load(Ordering::SeqCst) {
                    return n;
                }
                n += 1;
            }
        });
        let mut revoked_at = Vec::new();
        for (n, client) in clients.iter().enumerate() {
            let (method, path, status) = match n % 2 {
                0 => ("POST", format!("/api/clients/{}/revoke", client.id), 200),
                _ => ("DELETE", format!("/api/clients/{}", client.id), 204),
            };
            house.ask(method, &path).expect(status);
            revoked_at.push(Instant::now());
            assert!(!writing.is_finished(), "the writer writes throughout");
        }
        for (readers, revoked_at) in readers.into_iter().zip(revoked_at) {
            for reader in readers {
                let ended: Ended = reader.join().expect("each is told and closed");
                late.push(ended.map(|at| at.saturating_duration_since(revoked_at)));
            }
        }
        stops.store(true, Ordering::SeqCst);
        until = writing.join().expect("the writer writes");
    });
    for client in &mut survivors {
        (0..=until).for_each(|n| assert_eq!(number(&client.text()), Some(n)));
    }
    assert!(until > 10, "{until} changes only");
    [0, 1].map(|what| {
        late.sort_by_key(|late: &[Duration; 2]| late[what]);
        late[late.len() * 99 / 100][what]
    })
}

fn small<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().stack_size(256 << 10).spawn(read).expect("a thread can be made")
}

/// Who comes in the very moment is let in and told, or is not let in.
#[test]
fn who_comes_in_that_moment_is_told_or_refused() {
    for round in 0..6 {
        let scene = Scene::new();
        let client = scene.pair("Tablet", &[]);
        let house = &scene.house;
        let dials = [0; 8].map(|_| house.server.dial("/").bearer(&client.token));
        thread::scope(|threads| {
            let coming = dials.map(|dial| threads.spawn(move || dial.open().closed()));
            if round % 2 == 0 {
                until("one is in", || house.server.metric("bellwire_connected_clients") > 0.0);
            }
            house.ask("POST", &format!("/api/clients/{}/revoke", client.id)).expect(200);
            for told in coming {
                let (told, code) = told.join().expect("it is closed");
                assert_eq!(code, Some(4401));
                let last = timeless(told.last().expect("it is told why"));
                let ended = r#","code":"UNAUTHENTICATED","timestamp":"T"}"#;
                assert!(last == token_revoked().1 || last.ends_with(ended), "{told:?}");
            }
        });
    }
}

/// So is who asks something in that moment: what it asks finds the revocation before its connection hears of it.
#[test]
fn who_asks_in_that_moment_is_told() {
    const ASKS: usize = 30;
    for round in 0..6 {
        let scene = Scene::new();
        let client = scene.pair("Tablet", &[]);
        let house = &scene.house;
        let forms = [Form::SocketIo("/", Over::Socket), Form::SocketIo("/areas", Over::Socket)];
        let ears: Vec<Ear> = (0..16)
            .map(|n| Ear::open(&house.server, &client.token, forms[n % forms.len()]))
            .collect();
        thread::scope(|threads| {
            let asking: Vec<_> = ears
                .into_iter()
                .map(|mut ear| {
                    threads.spawn(move || {
                        let call = match ear.form {
                            // Its first call begins to listen to states.
                            Form::SocketIo("/", _) => r#"421["states:list",{}]"#,
                            _ => r#"42/areas,1["areas.list",{}]"#,
                        };
                        (0..ASKS).for_each(|_| ear.send(call));
                        (ear.form, ear.put_out())
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(5 * round));
            house.ask("POST", &format!("/api/clients/{}/revoke", client.id)).expect(200);
            for told in asking {
                let (form, told) = told.join().expect("it is put out");
                let last = told.last().expect("it is told why");
                assert_eq!(*last, form.said(&token_revoked()), "{told:?}");
            }
        });
    }
}
