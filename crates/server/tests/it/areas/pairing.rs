//! How a screen becomes a client, and stays one. What takes its ten minutes is tested where time is at will:
//! `crates/services/src/areas/tests`.

use serde_json::{Value, json};

use super::{House, Paired, Screen, changes::at_once, is_time, text};
use crate::harness::{Response, until};

/// The members of a refusal that clients of RFC 8628 look at, beside ours.
#[track_caller]
fn error(response: &Response) -> (u16, String, String) {
    let problem = response.json();
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{response:?}");
    assert_eq!(problem["status"], 400, "{problem}");
    (response.status, text(&problem, "error"), text(&problem, "code"))
}

/// A refusal in these words of RFC 8628.
fn refusal(error: &str) -> (u16, String, String) {
    (400, error.to_owned(), error.to_ascii_uppercase())
}

/// What a signed token says.
fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).expect("a signed token has three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("they are base64url");
    serde_json::from_slice(&payload).expect("and JSON")
}

#[test]
fn a_screen_becomes_a_client() {
    let house = House::new();
    let hall = house.area("Hall", &["light.a"]);
    let start = house.server.ask("POST", "/api/pairing").host("home.example:8123");
    let started = start.json(&json!({ "name": "Hall tablet" })).send();
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(started.header("cache-control"), Some("no-store"), "{started:?}");
    let screen = Screen::read(&started.json());
    let expected = format!(
        r#"{{"deviceCode":"{}","userCode":"{}","verificationUri":"http://home.example:8123/pair","expiresIn":600,"interval":5}}"#,
        screen.device_code, screen.user_code
    );
    assert_eq!(started.body, expected);
    assert!(screen.device_code.len() == 32, "128 bits as digits: {screen:?}");
    let (first, second) = screen.user_code.split_once('-').expect("a hyphen in the middle");
    for half in [first, second] {
        assert!(half.len() == 4 && half.bytes().all(|c| b"BCDFGHJKLMNPQRSTVWXZ".contains(&c)));
    }
    let list = || house.ask("GET", "/api/pairing").send();
    let waits = list().json()["items"][0].clone();
    let [begun, ends] = ["createdAt", "expiresAt"].map(|key| text(&waits, key));
    let expected = format!(
        r#"{{"items":[{{"userCode":"{}","name":"Hall tablet","clientId":null,"createdAt":"{begun}","expiresAt":"{ends}"}}],"next":null}}"#,
        screen.user_code
    );
    assert_eq!(list().body, expected);
    let [begun, ends] = [begun, ends].map(|time| time.parse::<jiff::Timestamp>().expect("a time"));
    assert!(is_time(&waits["createdAt"]) && ends.duration_since(begun).as_secs() == 600, "{waits}");

    assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("authorization_pending"));
    assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("slow_down"));
    assert_eq!(error(&house.poll("nobody's").send()), refusal("expired_token"));
    let client = house.approve(&screen.user_code, &json!({ "areaIds": [hall] }));
    let expected = json!({
        "id": "client_1", "name": "Hall tablet", "areaIds": [hall], "online": false, "lastSeen": null, "revoked": false,
    });
    assert_eq!((&client, house.client("client_1")), (&expected, expected.clone()));
    assert_eq!(list().json(), json!({ "items": [], "next": null }));

    // Whoever loses the answer asks again: the same is meant.
    let fetch = || {
        let handed = house.poll(&screen.device_code).send();
        assert_eq!(handed.header("cache-control"), Some("no-store"), "{handed:?}");
        let paired = Paired::read(&handed.json());
        let expected = format!(r#""clientId":"client_1","assignedAreas":["{hall}"]"#);
        let body = [
            format!(r#"{{{expected},"token":"{}"}}"#, paired.token),
            format!(r#"{{"token":"{}",{expected}}}"#, paired.token),
        ];
        assert!(handed.status == 200 && body.contains(&handed.body), "{handed:?}");
        paired.token
    };
    let (one, two) = (fetch(), fetch());
    assert_eq!(claims(&one), claims(&two));
    assert_eq!(
        (&claims(&one)["sub"], &claims(&one)["role"]),
        (&json!("client_1"), &json!("client"))
    );
    let verified = house.server.ask("GET", "/api/auth/verify").bearer(&two).expect(200);
    assert_eq!((&verified["role"], &verified["clientId"]), (&json!("client"), &json!("client_1")));
    until("it is fetched no more", || house.poll(&screen.device_code).send().status == 400);
    assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("expired_token"));
    for token in [&one, &two] {
        house.server.ask("GET", "/api/areas").bearer(token).expect(200);
    }
}

#[test]
fn codes_as_people_type_them() {
    let house = House::new();
    let hall = house.area("Hall", &[]);
    type Spelling = fn(&str) -> String;
    let typed: [(&str, Spelling); 6] = [
        ("as shown", str::to_owned),
        ("small", str::to_ascii_lowercase),
        ("bare", |code| code.replace('-', "")),
        ("bare and small", |code| code.replace('-', "").to_ascii_lowercase()),
        ("with blanks", |code| code.replace('-', "%20").to_ascii_lowercase()),
        ("with many hyphens", |code| format!("-{}--", code.replace('-', "--"))),
    ];
    for (what, spelling) in typed {
        let [yes, no] = ["a", "b"].map(|name| house.screen(name));
        let path = |screen: &Screen, verb: &str| {
            format!("/api/pairing/{}/{verb}", spelling(&screen.user_code))
        };
        let body = json!({ "name": "Named by the admin", "areaIds": [hall, hall] });
        let client = house.ask("POST", &path(&yes, "approve")).json(&body).expect(200);
        let shown = (&client["name"], &client["areaIds"]);
        assert_eq!(shown, (&json!("Named by the admin"), &json!([hall])), "{what}");
        assert_eq!(house.ask("POST", &path(&no, "deny")).expect(204), Value::Null, "{what}");
        assert_eq!(house.poll(&yes.device_code).expect(200)["clientId"], client["id"], "{what}");
    }
    // Nothing needs to be said.
    let screen = house.screen("Bare");
    let approve = format!("/api/pairing/{}/approve", screen.user_code);
    let client = house.ask("POST", &approve).expect(200);
    assert_eq!((&client["name"], &client["areaIds"]), (&json!("Bare"), &json!([])));
    let paired = house.poll(&screen.device_code).expect(200);
    assert_eq!((&paired["assignedAreas"], &paired["clientId"]), (&json!([]), &client["id"]));
}

#[test]
fn a_screen_is_turned_away() {
    let house = House::new();
    let screen = house.screen("Hall tablet");
    let deny = || house.ask("POST", &format!("/api/pairing/{}/deny", screen.user_code));
    deny().expect(204);
    for _ in 0..2 {
        assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("access_denied"));
    }
    // It was decided, and is not decided anew.
    deny().refused(404, "NOT_FOUND");
    house
        .ask("POST", &format!("/api/pairing/{}/approve", screen.user_code))
        .refused(404, "NOT_FOUND");
    assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("access_denied"));
    let none = json!({ "items": [], "next": null });
    assert_eq!(house.ask("GET", "/api/pairing").expect(200), none);
    assert_eq!(house.ask("GET", "/api/clients").expect(200), none);
    // Another admin, who is as late.
    let screen = house.screen("Hall tablet");
    house.approve(&screen.user_code, &json!({}));
    let other = house.server.token("admin", &[]).text;
    for verb in ["approve", "deny"] {
        let path = format!("/api/pairing/{}/{verb}", screen.user_code);
        house.server.ask("POST", &path).bearer(&other).refused(404, "NOT_FOUND");
    }
    assert_eq!(house.poll(&screen.device_code).expect(200)["clientId"], "client_1");
}

#[test]
fn of_admins_who_decide_one_is_first() {
    let house = House::new();
    let other = house.server.token("admin", &[]).text;
    for round in 0..10 {
        let screen = house.screen("Hall tablet");
        let ask = |token: &str, verb: &str| {
            let path = format!("/api/pairing/{}/{verb}", screen.user_code);
            house.server.ask("POST", &path).bearer(token)
        };
        // The losers gave a code that nobody shows any more: fresh admins, or they would be told to wait.
        let third = house.server.token("admin", &[]).text;
        let mut asks = vec![ask(&third, "approve"), ask(&third, "deny"), ask(&third, "approve")];
        if round < 2 {
            asks.extend([ask(&house.admin, "approve"), ask(&other, "deny")]);
        }
        let statuses = at_once(asks);
        let first: Vec<_> = statuses.iter().filter(|status| **status != 404).collect();
        assert!(matches!(first[..], [200 | 204]), "round {round}: {statuses:?}");
        let told = house.poll(&screen.device_code).send();
        assert_eq!(told.status == 200, *first[0] == 200, "{told:?}");
    }
    let clients = house.ask("GET", "/api/clients").expect(200);
    let paired = clients["items"].as_array().expect("a list").len();
    // A screen that asks while it is decided hears one thing and then the other, and never a third.
    let screen = house.screen("Hall tablet");
    let approve = house.ask("POST", &format!("/api/pairing/{}/approve", screen.user_code));
    let mut asks = vec![house.poll(&screen.device_code); 4];
    asks.insert(2, approve);
    let statuses = at_once(asks);
    assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
    // It waits across a restart.
    let [yes, no] = ["yes", "no"].map(|name| house.screen(name));
    let server = house.server.kill_and_restart();
    let house = House { server, admin: house.admin };
    house.approve(&yes.user_code, &json!({}));
    house.ask("POST", &format!("/api/pairing/{}/deny", no.user_code)).expect(204);
    let server = house.server.kill_and_restart();
    let house = House { server, admin: house.admin };
    assert_eq!(
        house.poll(&yes.device_code).expect(200)["clientId"],
        format!("client_{}", paired + 2)
    );
    assert_eq!(error(&house.poll(&no.device_code).send()), refusal("access_denied"));
}

#[test]
fn a_client_that_is_gone_gets_no_token() {
    let house = House::new();
    for end in ["revoke", "delete"] {
        let screen = house.screen("Hall tablet");
        let client = text(&house.approve(&screen.user_code, &json!({})), "id");
        let token = text(&house.poll(&screen.device_code).expect(200), "token");
        match end {
            "revoke" => house.ask("POST", &format!("/api/clients/{client}/revoke")).expect(200),
            _ => house.ask("DELETE", &format!("/api/clients/{client}")).expect(204),
        };
        assert_eq!(
            error(&house.poll(&screen.device_code).send()),
            refusal("expired_token"),
            "{end}"
        );
        house.server.ask("GET", "/api/areas").bearer(&token).refused(401, "UNAUTHENTICATED");
    }
}

/// A screen that is paired anew, by its token.
fn again(house: &House, token: &str) -> Screen {
    let ask = house.server.ask("POST", "/api/pairing").bearer(token);
    Screen::read(&ask.json(&json!({ "name": "Anew" })).expect(201))
}

/// Who begins needs no credential; one that is shown counts, and is never passed over.
#[test]
fn a_credential_that_is_shown_must_be_good() {
    let house = House::new();
    let start = || house.server.ask("POST", "/api/pairing").json(&json!({ "name": "x" }));
    start().bearer("x").refused(401, "UNAUTHENTICATED");
    start().cookie("x").refused(401, "UNAUTHENTICATED");
    // The cookie of a page that is not the server's own is none.
    for token in ["x", &house.admin] {
        start().header(&format!("Cookie: bellwire_session={token}")).expect(201);
    }
    start().expect(201);
}

#[test]
fn a_client_is_paired_anew_and_stays_itself() {
    let house = House::new();
    let [hall, bath] = ["Hall", "Bath"].map(|name| house.area(name, &[]));
    let old = house.pair("Hall tablet", &[&hall]);
    let areas = |token: &str| house.server.ask("GET", "/api/areas").bearer(token);
    areas(&old.token).expect(200);
    for (body, name, expected) in [
        (json!({}), "Hall tablet", json!([hall])),
        (json!({ "name": "Hall wall" }), "Hall wall", json!([hall])),
        (json!({ "areaIds": [bath] }), "Hall wall", json!([bath])),
        (json!({ "areaIds": [] }), "Hall wall", json!([])),
    ] {
        let before = Paired { id: old.id.clone(), token: latest(&house, &old) };
        let screen = again(&house, &before.token);
        let list = house.ask("GET", "/api/pairing").expect(200);
        assert_eq!(list["items"][0]["clientId"], json!(old.id), "{list}");
        let client = house.approve(&screen.user_code, &body);
        assert_eq!(
            (&client["id"], &client["name"], &client["areaIds"]),
            (&json!(old.id), &json!(name), &expected)
        );
        // Both are good until the new one is used.
        let new = house.poll(&screen.device_code).expect(200);
        assert_eq!((&new["clientId"], &new["assignedAreas"]), (&json!(old.id), &expected));
        areas(&before.token).expect(200);
        house.poll(&screen.device_code).expect(200);
        let new = text(&new, "token");
        areas(&new).expect(200);
        until("the old one ends", || areas(&before.token).send().status == 401);
        areas(&new).expect(200);
    }
    assert_eq!(
        house.ask("GET", "/api/clients").expect(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
    // A screen of a person, or of an admin, is a new one.
    for token in [house.admin.clone(), house.server.token("client", &[]).text] {
        let screen = again(&house, &token);
        assert_ne!(house.approve(&screen.user_code, &json!({}))["id"], json!(old.id));
    }
    let bad =
        house.server.ask("POST", "/api/pairing").bearer("x.y.z").json(&json!({ "name": "x" }));
    bad.refused(401, "UNAUTHENTICATED");
}

/// A token of a client that lives, made by an admin.
fn latest(house: &House, client: &Paired) -> String {
    let body = json!({ "role": "client", "subject": client.id, "ttl": 600 });
    text(&house.ask("POST", "/api/tokens").json(&body).expect(201), "token")
}

#[test]
fn a_client_that_ends_while_it_is_paired_anew() {
    let house = House::new();
    for end in ["revoke", "delete"] {
        let old = house.pair("Hall tablet", &[]);
        let screen = again(&house, &old.token);
        let path = format!("/api/clients/{}", old.id);
        match end {
            "revoke" => house.ask("POST", &format!("{path}/revoke")).expect(200),
            _ => house.ask("DELETE", &path).expect(204),
        };
        let approve = format!("/api/pairing/{}/approve", screen.user_code);
        for _ in 0..6 {
            // The code is right, so that is no guess.
            house.ask("POST", &approve).refused(409, "CONFLICT");
        }
        assert_eq!(
            error(&house.poll(&screen.device_code).send()),
            refusal("authorization_pending")
        );
        house.ask("POST", &format!("/api/pairing/{}/deny", screen.user_code)).expect(204);
        assert_eq!(error(&house.poll(&screen.device_code).send()), refusal("access_denied"));
    }
}

/// What is asked twice by mistake: a screen's question is no command to be remembered, since its answer is a
/// secret; an approval is.
#[test]
fn keys_of_requests_that_are_repeated() {
    let house = House::new();
    let start = || {
        let ask = house.server.ask("POST", "/api/pairing").header("Idempotency-Key: k1");
        Screen::read(&ask.json(&json!({ "name": "Hall tablet" })).expect(201))
    };
    let (one, two) = (start(), start());
    assert!(one.device_code != two.device_code && one.user_code != two.user_code);
    let client = house.pair("Other", &[]);
    let own = |token: &str| {
        let ask = house.server.ask("POST", "/api/pairing").bearer(token);
        Screen::read(&ask.header("Idempotency-Key: k1").json(&json!({ "name": "x" })).expect(201))
    };
    assert_ne!(own(&client.token).device_code, own(&client.token).device_code);
    let approve = || {
        let path = format!("/api/pairing/{}/approve", one.user_code);
        house.ask("POST", &path).header("Idempotency-Key: k1").json(&json!({}))
    };
    assert_eq!(approve().expect(200), approve().expect(200));
    let fetch = || house.poll(&one.device_code).header("Idempotency-Key: k1").send();
    let token = text(&fetch().json(), "token");
    house.server.ask("GET", "/api/areas").bearer(&token).expect(200);
    until("it is fetched no more", || fetch().status == 400);
    assert_eq!(
        house.ask("GET", "/api/clients").expect(200)["items"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn those_that_wait_come_in_pages() {
    let house = House::new();
    let codes: Vec<String> = (0..5).map(|n| house.screen(&format!("{n}")).user_code).collect();
    for limit in 1..=6 {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.ask("GET", &format!("/api/pairing?limit={limit}{cursor}")).expect(200);
            let items = page["items"].as_array().expect("a list");
            found.extend(items.iter().map(|item| text(item, "userCode")));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, codes, "limit {limit}");
    }
}
