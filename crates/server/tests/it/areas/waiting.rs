//! Screens that wait to be paired over Socket.IO, and clients that are paired again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    House, Paired, Screen,
    ear::{Ear, FENCE, Form, Scene, connected, timeless},
};
use crate::harness::{Heard, Over, Server, at};

const PLACES: [(&str, Over); 5] = [
    ("/", Over::Socket),
    ("/", Over::Polling),
    ("/areas", Over::Socket),
    ("/areas", Over::Polling),
    ("/states", Over::Socket),
];

fn waits(server: &Server, screen: &Screen, (namespace, over): (&'static str, Over)) -> Ear {
    Ear::come(server, namespace, over, &json!({ "deviceCode": screen.device_code }))
}

/// What a screen that waits is told, up to now. It hears of nothing that could be a fence: so its connection comes
/// into another namespace too, as a client that has the fence, for as long as it takes.
#[track_caller]
fn told_by_now(scene: &Scene, ear: &mut Ear, client: &Paired) -> Vec<String> {
    let namespace = match ear.form {
        Form::SocketIo("/areas", _) => "/",
        _ => "/areas",
    };
    ear.session().enter_as(namespace, &client.token);
    let greeting = ear.raw();
    assert!(greeting.starts_with(&format!(r#"42{}["connected","#, at(namespace))), "{greeting}");
    let fence = scene.fence();
    let told = ear.before(&fence);
    ear.send(&format!("41{}", at(namespace)));
    told
}

/// The token of `pairing_completed`, which must be told in these words.
#[track_caller]
fn handed(form: Form, told: &str, client_id: &str, area_ids: &[&str]) -> Paired {
    let token = told.split(r#""token":""#).nth(1).and_then(|rest| rest.split('"').next());
    let token = token.unwrap_or_else(|| panic!("{told}")).to_owned();
    let area_ids = json!(area_ids);
    let payload =
        format!(r#"{{"token":"{token}","clientId":"{client_id}","assignedAreas":{area_ids}}}"#);
    assert_eq!(told, form.said(&("pairing_completed", payload)), "{form:?}");
    Paired { id: client_id.to_owned(), token }
}

/// A token that is good shows who it is.
#[track_caller]
fn is_good(server: &Server, paired: &Paired) {
    let ear = Ear::open(server, &paired.token, Form::Typed);
    assert_eq!(timeless(&ear.first[0]), ear.form.said(&connected(&paired.id)));
}

#[test]
fn a_screen_that_waits_is_told_its_token() {
    let scene = Scene::new();
    let house = &scene.house;
    let area = house.area("Kitchen", &[]);
    let bystander = scene.pair("Bystander", &[]);
    for (n, place) in PLACES.into_iter().enumerate() {
        let [one, two] = ["One", "Two"].map(|name| house.screen(name));
        let mut ears = [&one, &one, &two].map(|screen| waits(&house.server, screen, place));
        assert!(ears.iter().all(|ear| ear.first.is_empty()));
        house.approve(&one.user_code, &json!({ "areaIds": [area] }));
        let id = format!("client_{}", n + 2);
        let paired = [0, 1].map(|n| {
            let told = ears[n].raw();
            handed(ears[n].form, &told, &id, &[&area])
        });
        assert_eq!(told_by_now(&scene, &mut ears[2], &bystander), [""; 0], "the other waits");
        // It comes back before it has used it, and asks over HTTP.
        let mut later = waits(&house.server, &one, place);
        let told = std::mem::take(&mut later.first);
        assert_eq!(told.len(), 1, "{told:?}");
        handed(later.form, &told[0], &id, &[&area]);
        assert_eq!(Paired::read(&house.poll(&one.device_code).expect(200)).id, id);
        paired.iter().for_each(|paired| is_good(&house.server, paired));
        // From its first use on nobody is told it any more.
        let gone = "the code is not known, or its time is over: begin anew";
        crate::harness::until("the first use is noted", || {
            house.poll(&one.device_code).send().status == 400
        });
        let auth = json!({ "deviceCode": one.device_code });
        house.server.socket_io().open(place.1).is_refused(place.0, &auth, gone);
        // Who waited hears of nothing else, and ends when its client likes.
        for ear in &mut ears {
            assert_eq!(told_by_now(&scene, ear, &bystander), [""; 0]);
        }
        house.ask("POST", &format!("/api/pairing/{}/deny", two.user_code)).expect(204);
    }
}

#[test]
fn a_screen_that_is_denied_is_put_out() {
    let scene = Scene::new();
    let house = &scene.house;
    let bystander = scene.pair("Bystander", &[]);
    // An address shows few bad codes a minute.
    for (place, host) in PLACES.into_iter().zip(10..) {
        let [one, two] = ["One", "Two"].map(|name| house.screen(name));
        let [ear, mut other] = [&one, &two].map(|screen| waits(&house.server, screen, place));
        house.ask("POST", &format!("/api/pairing/{}/deny", one.user_code)).expect(204);
        let form = ear.form;
        let told: Vec<String> = ear.put_out().iter().map(|text| timeless(text)).collect();
        let words = "an admin denied the pairing";
        let error = format!(r#"{{"error":"{words}","code":"ACCESS_DENIED","timestamp":"T"}}"#);
        assert_eq!(told, [form.said(&("error", error))], "{place:?}");
        let refused = |code: &str, words: &str| {
            let auth = json!({ "deviceCode": code });
            let handshake = house.server.socket_io().from(host);
            handshake.open(place.1).is_refused(place.0, &auth, words);
        };
        refused(&one.device_code, words);
        let unknown = "the code is not known, or its time is over: begin anew";
        refused("", unknown);
        refused("x", unknown);
        refused(&two.user_code, unknown);
        assert_eq!(told_by_now(&scene, &mut other, &bystander), [""; 0]);
        house.ask("POST", &format!("/api/pairing/{}/deny", two.user_code)).expect(204);
    }
}

/// Codes that are nobody's count as bad credentials do: ten a minute, then the connection is closed.
#[test]
fn guesses_are_counted() {
    let house = House::new();
    let words = "the code is not known, or its time is over: begin anew";
    let auth = |n: usize| json!({ "deviceCode": format!("guess {n}") });
    for (over, host) in Over::BOTH.into_iter().zip([2, 4]) {
        let from = |host: u8| house.server.socket_io().from(host).open(over);
        (0..10).for_each(|n| from(host).is_refused("/", &auth(n), words));
        let mut last = from(host);
        last.send(&format!("40{}", auth(10)));
        assert_eq!(last.closed(4429), [""; 0], "{over:?}");
        from(host + 1).is_refused("/areas", &auth(0), words);
    }
}

/// It is nobody yet: it may ask nothing, and hears of nothing but what becomes of it.
#[test]
fn a_screen_that_waits_may_nothing() {
    let scene = Scene::new();
    let house = &scene.house;
    scene.state("light.canary", "canary");
    let calls = [
        r#"["states:get",{"entity_id":"light.canary"}]"#,
        r#"["states:list",{}]"#,
        r#"["states:create",{"entity_id":"light.canary","state":"x"}]"#,
        r#"["subscribe_entities",{}]"#,
        r#"["subscribe_entities",{"entity_ids":["light.canary"]}]"#,
        r#"["subscribe",{"topics":["states","areas"]}]"#,
        r#"["subscribe",{"topics":["entity/light.canary"]}]"#,
        r#"["areas.list",{}]"#,
        r#"["areas.create",{"name":"x"}]"#,
        r#"["clients.list",{}]"#,
        r#"["clients.own_events",{}]"#,
        r#"["pairing.list",{}]"#,
        r#"["pairing.approve",{"userCode":"BBBB-BBBB"}]"#,
        r#"["auth.verify",{}]"#,
    ];
    for place in PLACES {
        let screen = house.screen("Screen");
        let mut ear = waits(&house.server, &screen, place);
        for call in calls {
            ear.send(&format!("42{}5{call}", at(place.0)));
            let told = ear.raw();
            assert!(!told.contains(r#""success":true"#), "{call}: {told}");
        }
        scene.state("light.canary", "canary");
        scene.fence();
        let denied = house.screen("Denied");
        house.ask("POST", &format!("/api/pairing/{}/deny", denied.user_code)).expect(204);
        house.ask("POST", &format!("/api/pairing/{}/deny", screen.user_code)).expect(204);
        let told = ear.put_out();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("ACCESS_DENIED"), "{told:?}");
    }
}

/// A client asks to be paired anew: it stays who it is, its connections hear of its new token, and end when
/// that is used; nobody else hears of it.
#[test]
fn a_client_that_is_paired_again_is_told_on_its_connections() {
    let scene = Scene::new();
    let house = &scene.house;
    let server = &house.server;
    let [client, other] = ["Tablet", "Panel"].map(|name| scene.pair(name, &[]));
    let bystander = house.screen("Bystander");
    let open = |token: &str| Form::ALL.map(|form| Ear::open(server, token, form));
    let mut ears = open(&client.token);
    let mut states = Ear::open(server, &client.token, Form::SocketIo("/states", Over::Socket));
    let mut others: Vec<Ear> = open(&other.token).into_iter().collect();
    others.extend(
        [Form::Bare, Form::SocketIo("/areas", Over::Socket)]
            .map(|form| Ear::open(server, &house.admin, form)),
    );
    let mut waiting = waits(server, &bystander, PLACES[0]);
    let ask = server.ask("POST", "/api/pairing").bearer(&client.token);
    let screen = Screen::read(&ask.json(&json!({ "name": "Again" })).expect(201));
    let mut own = waits(server, &screen, PLACES[0]);
    let approved = house.approve(&screen.user_code, &json!({}));
    assert_eq!((&approved["id"], &approved["areaIds"]), (&json!(client.id), &json!([FENCE])));
    let told = own.raw();
    let new = handed(own.form, &told, &client.id, &[FENCE]);
    assert_ne!(new.token, client.token);
    for ear in ears.iter_mut().chain([&mut states]) {
        let told = ear.raw();
        let told = match ear.form {
            Form::BareCursor | Form::TypedCursor => {
                told.split(r#","cursor""#).next().map(str::to_owned)
            }
            _ => Some(told),
        };
        let told = told.expect("a text");
        let told = if told.ends_with(['}', ']']) { told } else { told + "}" };
        handed(ear.form, &told, &client.id, &[FENCE]);
    }
    // They live on until it is used.
    let fence = scene.fence();
    ears.iter_mut().for_each(|ear| assert_eq!(ear.before(&fence), [""; 0], "{:?}", ear.form));
    is_good(server, &new);
    for ear in ears.into_iter().chain([states]) {
        let form = ear.form;
        let told = ear.put_out();
        assert!(!told.concat().contains("Your access"), "{form:?}: {told:?}");
        assert_eq!(told.len(), 1, "{form:?}: {told:?}");
        assert!(told[0].contains("token revoked"), "{form:?}: {told:?}");
    }
    let refused = server.ask("GET", "/api/areas").bearer(&client.token);
    refused.refused(401, "UNAUTHENTICATED");
    is_good(server, &new);
    let fence = scene.fence();
    for ear in &mut others {
        let told = ear.before(&fence);
        assert!(!told.concat().contains("token"), "{:?}: {told:?}", ear.form);
    }
    assert_eq!(told_by_now(&scene, &mut waiting, &other), [""; 0]);
    assert_eq!(waiting.session().says(r#"421["nobody"]"#).get(..4), Some("431["));
}

/// As if ten minutes had passed, but for a moment.
#[test]
fn who_waits_too_long_is_put_out() {
    const LEFT_MICROS: i64 = 3_000_000;
    let mut scene = Scene::new();
    let [late, paired] = ["Late", "Paired"].map(|name| scene.house.screen(name));
    scene = scene.killed_while(|database| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let until = now.expect("it is after 1970").as_micros() as i64 + LEFT_MICROS;
        assert_eq!(database.execute("UPDATE pairings SET expires_at = ?1", [until]), Ok(2));
    });
    let server = &scene.house.server;
    let ears = PLACES.map(|place| waits(server, &late, place));
    let mut done = waits(server, &paired, PLACES[0]);
    scene.house.approve(&paired.user_code, &json!({}));
    let told = done.raw();
    handed(done.form, &told, "client_1", &[]);
    let words = "the code is not known, or its time is over: begin anew";
    for ear in ears {
        let form = ear.form;
        let told: Vec<String> = ear.put_out().iter().map(|text| timeless(text)).collect();
        let error = format!(r#"{{"error":"{words}","code":"EXPIRED_TOKEN","timestamp":"T"}}"#);
        assert_eq!(told, [form.said(&("error", error))], "{form:?}");
    }
    let auth = json!({ "deviceCode": late.device_code });
    server.socket_io().open(Over::Socket).is_refused("/", &auth, words);
    scene.house.poll(&late.device_code).refused(400, "EXPIRED_TOKEN");
    scene
        .house
        .ask("POST", &format!("/api/pairing/{}/approve", late.user_code))
        .refused(404, "NOT_FOUND");
    // Who was told its token did not wait in vain.
    assert_eq!(done.put_out(), [""; 0]);
}

/// Two who wait, one of them gone before it is approved: it is told when it comes back, after a crash too.
#[test]
fn who_is_away_is_told_when_it_comes_back() {
    let mut scene = Scene::new();
    let screen = scene.house.screen("Screen");
    drop(waits(&scene.house.server, &screen, PLACES[0]));
    scene.house.approve(&screen.user_code, &json!({ "name": "Hall", "areaIds": [FENCE] }));
    scene = scene.killed();
    let ear = waits(&scene.house.server, &screen, PLACES[2]);
    assert_eq!(ear.first.len(), 1, "{:?}", ear.first);
    let paired = handed(ear.form, &ear.first[0], "client_1", &[FENCE]);
    is_good(&scene.house.server, &paired);
    let waiting = scene.house.screen("Other");
    let mut ear = waits(&scene.house.server, &waiting, PLACES[0]);
    scene = scene.killed();
    assert!(matches!(ear.session().next(), Heard::End(_)), "its server is gone");
    let mut ear = waits(&scene.house.server, &waiting, PLACES[0]);
    assert_eq!(ear.first, [""; 0]);
    scene.house.approve(&waiting.user_code, &json!({}));
    let told = ear.raw();
    handed(ear.form, &told, "client_2", &[]);
}

/// It does not wait for the next tick.
#[test]
fn a_screen_hears_of_its_pairing_at_once() {
    let house = House::new();
    let mut took: Vec<Duration> = (0..8)
        .map(|n| {
            let screen = house.screen(&format!("Screen {n}"));
            let mut ear = waits(&house.server, &screen, ("/", Over::Socket));
            let approved_at = Instant::now();
            house.approve(&screen.user_code, &json!({}));
            assert!(ear.raw().contains("pairing_completed"));
            approved_at.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[4] < Duration::from_millis(250), "{took:?}");
}
