//! Connections that acknowledge: what a screen has not acknowledged it is told again, wherever it comes back.
//! That it is told again on the same connection after some time, `hub/acks.rs` tests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Paired,
    ear::{Ear, FENCE, Form, Scene, area, connected, offset_of, timeless},
};
use crate::harness::{Heard, Over, Server, at};

/// An event that asks to be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    /// Its packet, as it is.
    packet: String,
    id: u64,
    /// What it is, without its id, and with `T` for times.
    event: String,
}

impl Asked {
    /// The id is the event's place in the log, by which other connections know it too.
    #[track_caller]
    fn read(namespace: &str, packet: &str) -> Asked {
        let rest = packet.strip_prefix(&format!("42{}", at(namespace)));
        let rest = rest.unwrap_or_else(|| panic!("{packet}"));
        let (id, event) = rest.split_once('[').expect("an event is an array");
        let (before, event_id) = event.rsplit_once(r#","eventId":""#).expect("it has its id");
        let event_id = event_id.strip_suffix(r#""}]"#).expect("its id stands last");
        let id: u64 = id.parse().unwrap_or_else(|_| panic!("{packet}"));
        assert_eq!(id, offset_of(event_id), "{packet}");
        let event = timeless(&format!("42{}[{before}}}]", at(namespace)));
        Asked { packet: packet.to_owned(), id, event }
    }
}

fn asking(scene: &Scene, screen: &Paired, namespace: &'static str, over: Over) -> Ear {
    let auth = json!({ "token": screen.token, "ack": true });
    Ear::come(&scene.house.server, namespace, over, &auth)
}

/// What a connection that comes back is told behind its greeting.
#[track_caller]
fn told_again(ear: &Ear, screen: &Paired) -> Vec<String> {
    let greeting = ear.form.said(&connected(&screen.id));
    assert_eq!(ear.first.first().map(|text| timeless(text)), Some(greeting));
    ear.first[1..].to_vec()
}

/// Acknowledges, and waits until that is written down: a later write comes behind it.
#[track_caller]
fn acknowledge(scene: &Scene, ear: &mut Ear, namespace: &str, ids: &[u64]) {
    ids.iter().for_each(|id| ear.send(&format!("43{}{id}[]", at(namespace))));
    assert_eq!(ear.told(), [""; 0]);
    scene.state("sun.sun", "up");
}

fn renamed(area_id: &str, name: &str, form: Form) -> String {
    form.spelled(&area("updated", area_id, name, &[], true))
}

/// An area of the screen is given these names, one after the other; gives what it is told of that.
#[track_caller]
fn rename(scene: &Scene, ear: &mut Ear, namespace: &str, names: &[&str]) -> Vec<Asked> {
    names.iter().for_each(|name| drop(scene.change(FENCE, &json!({ "name": name }))));
    let told: Vec<Asked> = names.iter().map(|_| Asked::read(namespace, &ear.raw())).collect();
    for (told, name) in told.iter().zip(names) {
        assert_eq!(told.event, renamed(FENCE, name, ear.form));
    }
    told
}

fn packets(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| asked.packet.clone()).collect()
}

#[test]
fn what_was_not_acknowledged_is_told_to_the_next_connection() {
    for (namespace, over) in [
        ("/", Over::Socket),
        ("/areas", Over::Polling),
        ("/areas", Over::Socket),
        ("/", Over::Polling),
    ] {
        let mut scene = Scene::new();
        let screen = scene.pair("Tablet", &[]);
        scene.change(FENCE, &json!({ "name": "before" }));
        let mut ear = asking(&scene, &screen, namespace, over);
        assert_eq!(told_again(&ear, &screen), [""; 0], "what was before it asked is settled");
        let told = rename(&scene, &mut ear, namespace, &["a", "b", "c", "d"]);
        assert!(told.is_sorted_by(|one, two| one.id < two.id));
        // Out of order, and one twice, and some that nobody asked for.
        let ids = [told[3].id, told[1].id, told[1].id, told[3].id + 100, 0];
        acknowledge(&scene, &mut ear, namespace, &ids);
        let left = packets(&[told[0].clone(), told[2].clone()]);
        for restarts in [false, true, false] {
            if restarts {
                scene = scene.killed();
            }
            ear = asking(&scene, &screen, namespace, over);
            assert_eq!(told_again(&ear, &screen), left, "{namespace} {over:?}");
        }
        acknowledge(&scene, &mut ear, namespace, &[told[0].id]);
        scene = scene.killed();
        let mut ear = asking(&scene, &screen, namespace, over);
        assert_eq!(told_again(&ear, &screen), left[1..]);
        // Together with what comes new.
        let new = rename(&scene, &mut ear, namespace, &["e"]);
        let ear = asking(&scene, &screen, namespace, over);
        assert_eq!(told_again(&ear, &screen), [left[1].clone(), new[0].packet.clone()]);
    }
}

/// And again on the same connection, after five seconds, the very same; what was acknowledged is not.
#[test]
fn what_was_not_acknowledged_is_told_again() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    let mut ears = [("/", Over::Socket), ("/areas", Over::Polling)]
        .map(|(namespace, over)| (namespace, asking(&scene, &screen, namespace, over)));
    let names = ["a", "b", "c"];
    names.iter().for_each(|name| drop(scene.change(FENCE, &json!({ "name": name }))));
    let began = Instant::now();
    let told = ears.each_mut().map(|(namespace, ear)| {
        let told = names.map(|_| Asked::read(namespace, &ear.raw()));
        ear.send(&format!("43{}{}[]", at(namespace), told[1].id));
        told
    });
    for ((namespace, ear), told) in ears.iter_mut().zip(&told) {
        let again = [ear.raw(), ear.raw()];
        let took = began.elapsed();
        assert_eq!(again, [&told[0], &told[2]].map(|told| told.packet.clone()), "{namespace}");
        let seconds = Duration::from_secs;
        assert!((seconds(3)..seconds(12)).contains(&took), "{took:?}");
    }
}

/// What the log does not keep any more nobody acknowledges, and it is in nobody's way.
#[test]
fn what_is_not_kept_is_not_told_again() {
    let mut scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    let mut ear = asking(&scene, &screen, "/", Over::Socket);
    let told = rename(&scene, &mut ear, "/", &["a", "b", "c", "d"]);
    acknowledge(&scene, &mut ear, "/", &[told[2].id]);
    let upto = i64::try_from(told[1].id).expect("a place");
    scene = scene.killed_while(|database| {
        let gone = database.execute("DELETE FROM log WHERE log_offset <= ?1", [upto]);
        assert_eq!(gone, Ok(upto as usize));
    });
    let mut ear = asking(&scene, &screen, "/", Over::Socket);
    assert_eq!(told_again(&ear, &screen), packets(&told[3..]));
    acknowledge(&scene, &mut ear, "/", &[told[3].id]);
    let new = rename(&scene, &mut ear, "/", &["e"]);
    let ear = asking(&scene, &screen, "/", Over::Socket);
    assert_eq!(told_again(&ear, &screen), packets(&new));
}

/// Any connection acknowledges for its client, and for no other.
#[test]
fn one_connection_acknowledges_for_all_of_its_client() {
    let scene = Scene::new();
    let [screen, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let mut ears: Vec<Ear> = (0..2).map(|_| asking(&scene, &screen, "/", Over::Socket)).collect();
    let mut foreign = asking(&scene, &other, "/areas", Over::Socket);
    let told = rename(&scene, &mut ears[0], "/", &["a", "b", "c"]);
    for asked in &told {
        assert_eq!(ears[1].raw(), asked.packet, "the same to each");
        assert_eq!(Asked::read("/areas", &foreign.raw()).id, asked.id);
    }
    acknowledge(&scene, &mut ears[0], "/", &[told[0].id]);
    acknowledge(&scene, &mut ears[1], "/", &[told[2].id]);
    let mut third = asking(&scene, &screen, "/", Over::Socket);
    assert_eq!(told_again(&third, &screen), packets(&told[1..2]));
    acknowledge(&scene, &mut third, "/", &[told[1].id]);
    let last = asking(&scene, &screen, "/areas", Over::Socket);
    assert_eq!(told_again(&last, &screen), [""; 0], "wherever it comes back");
    assert_eq!(told_again(&asking(&scene, &other, "/", Over::Socket), &other).len(), 3);
    // Who does not ask to acknowledge is told once.
    let quiet = Ear::open(&scene.house.server, &other.token, Form::SocketIo("/", Over::Socket));
    assert_eq!(told_again(&quiet, &other), [""; 0]);
}

/// What a screen may not hear any more is not told again.
#[test]
fn an_area_that_was_lost_is_not_told_of_again() {
    let scene = Scene::new();
    let attic = scene.house.area("Attic", &[]);
    let screen = scene.pair("Tablet", &[&attic]);
    let mut ear = asking(&scene, &screen, "/", Over::Socket);
    scene.change(&attic, &json!({ "name": "secret" }));
    scene.house.assign(&screen.id, &[FENCE]);
    let told = [ear.raw(), ear.raw()].map(|packet| Asked::read("/", &packet));
    assert_eq!(told[1].event, ear.form.spelled(&area("removed", &attic, "secret", &[], true)));
    scene.change(&attic, &json!({ "name": "more secret" }));
    let ear = asking(&scene, &screen, "/", Over::Socket);
    assert_eq!(told_again(&ear, &screen), [told[1].packet.clone()]);
    // When it has it again, what was before stays away.
    scene.house.assign(&screen.id, &[FENCE, &attic]);
    let ear = asking(&scene, &screen, "/", Over::Socket);
    let told: Vec<String> =
        told_again(&ear, &screen).iter().map(|packet| Asked::read("/", packet).event).collect();
    let name = "more secret";
    let added = ear.form.spelled(&area("added", &attic, name, &[], true));
    let removed = ear.form.spelled(&area("removed", &attic, "secret", &[], true));
    assert_eq!(told, [removed, added]);
}

/// Only what is critical asks; the rest is as without.
#[test]
fn what_is_not_critical_asks_for_nothing() {
    let scene = Scene::new();
    let kitchen = scene.house.area("Kitchen", &["light.a"]);
    let screen = scene.pair("Tablet", &[&kitchen]);
    let mut ear = asking(&scene, &screen, "/", Over::Socket);
    ear.send(r#"421["states:get",{"entity_id":"light.a"}]"#);
    assert!(ear.raw().starts_with("431["));
    scene.state("light.a", "on");
    assert_eq!(ear.raw(), super::ear::state_changed("/", "light.a", "on"));
    let ear = asking(&scene, &screen, "/", Over::Socket);
    assert_eq!(told_again(&ear, &screen), [""; 0]);
    // To admins some events of areas are critical, others are not.
    let auth = json!({ "token": scene.house.admin, "ack": true });
    let mut admin = Ear::come(&scene.house.server, "/areas", Over::Socket, &auth);
    scene
        .house
        .ask("PATCH", &format!("/api/clients/{}", screen.id))
        .json(&json!({ "name": "X" }))
        .expect(200);
    loop {
        let packet = admin.raw();
        if packet.starts_with(r#"42/areas,["client_changed",{"#) {
            break;
        }
        assert!(packet.starts_with(r#"42/areas,["clients_present",{"#), "{packet}");
    }
}

/// Recovered and acknowledging: each event that it missed once, and in order; those that it had and did not
/// acknowledge are among them.
#[test]
fn acknowledging_and_recovery_go_together() {
    let mut scene = Scene::new();
    let kitchen = scene.house.area("Kitchen", &["light.a"]);
    let screen = scene.pair("Tablet", &[&kitchen]);
    let come = |scene: &Scene, before: Value| {
        let mut auth = json!({ "token": screen.token, "ack": true, "recover": true, "topics": ["areas", "states"] });
        before.as_object().into_iter().flatten().for_each(|(key, value)| auth[key] = value.clone());
        let mut session = scene.house.server.socket_io().open(Over::Socket);
        let told = session.enter("/", &auth);
        (told["pid"].clone(), Ear::of(session, "/", Over::Socket))
    };
    let (pid, mut ear) = come(&scene, Value::Null);
    let told = rename(&scene, &mut ear, "/", &["a", "b"]);
    scene.state("light.a", "1");
    let state = ear.raw();
    let (event, offset) = state.rsplit_once(r#",""#).expect("it has an offset");
    assert_eq!(format!("{event}]"), super::ear::state_changed("/", "light.a", "1"));
    let offset = offset.trim_end_matches(r#""]"#).to_owned();
    acknowledge(&scene, &mut ear, "/", &[told[1].id]);
    drop(ear);
    scene.state("light.a", "2");
    scene.change(FENCE, &json!({ "name": "c" }));
    scene.state("light.a", "3");
    for restarts in [false, true] {
        if restarts {
            scene = scene.killed();
        }
        let (again, ear) = come(&scene, json!({ "pid": pid, "offset": offset }));
        assert_eq!(again, pid);
        let told: Vec<String> = ear.first[1..]
            .iter()
            .map(|packet| match packet.contains("eventId") {
                true => Asked::read("/", packet).event,
                false => format!("{}]", packet.rsplit_once(r#",""#).expect("an offset").0),
            })
            .collect();
        let state = |state| super::ear::state_changed("/", "light.a", state);
        let form = ear.form;
        let names = ["a", "c"].map(|name| renamed(FENCE, name, form));
        assert_eq!(told, [names[0].clone(), state("2"), names[1].clone(), state("3")]);
    }
}

#[test]
fn who_cannot_acknowledge_is_told_so() {
    let scene = Scene::new();
    let screen = scene.pair("Tablet", &[]);
    let auth = json!({ "token": screen.token, "ack": true, "batch": true });
    let words = "auth.batch: what is acknowledged comes one by one";
    let enter = |server: &Server| server.socket_io().open(Over::Socket);
    enter(&scene.house.server).is_refused("/", &auth, words);
    let demo = Server::demo();
    let words = "auth.ack: only who has a credential acknowledges";
    for auth in [json!({ "ack": true }), json!({ "ack": true, "recover": true })] {
        enter(&demo).is_refused("/", &auth, words);
    }
}

/// Why it is put out is acknowledged too, or a second passes.
#[test]
fn the_end_waits_for_its_acknowledgement() {
    for (namespace, over, acknowledges) in [
        ("/", Over::Socket, true),
        ("/areas", Over::Polling, true),
        ("/areas", Over::Socket, false),
        ("/", Over::Polling, false),
    ] {
        let scene = Scene::new();
        let screen = scene.pair("Tablet", &[]);
        let mut ear = asking(&scene, &screen, namespace, over);
        let mut plain = Ear::open(&scene.house.server, &screen.token, Form::Bare);
        scene.house.ask("POST", &format!("/api/clients/{}/revoke", screen.id)).expect(200);
        let began = Instant::now();
        let asked = Asked::read(namespace, &ear.raw());
        assert_eq!(asked.event, ear.form.said(&super::ear::token_revoked()));
        assert_eq!(plain.raw(), super::ear::token_revoked().1, "others do not wait");
        if acknowledges {
            ear.send(&format!("43{}{}[]", at(namespace), asked.id));
        }
        let goodbye = Heard::Packet(format!("41{}", at(namespace)));
        assert_eq!(ear.session().next(), goodbye, "and nothing before it");
        let took = began.elapsed();
        let (least, most) = if acknowledges { (0, 900) } else { (900, 5_000) };
        let millis = Duration::from_millis;
        assert!((millis(least)..millis(most)).contains(&took), "{took:?}, {namespace} {over:?}");
    }
}
